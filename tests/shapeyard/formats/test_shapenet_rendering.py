"""ShapeNetRendering folders: the round trip, the frames by hand, broken ones, and the real ones against their grids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shapeyard.errors import FormatError
from shapeyard.formats.shapenet_rendering import read_renderings, write_renderings
from shapeyard.geometry.cameras import generator_for, look_at, r2n2, sphere


def images(count: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 4), np.uint8)


def written(folder: Path, rows: str, count: int = 1, names: str = "00.png\n") -> Path:
    folder.mkdir()
    for number, image in enumerate(images(count)):
        Image.fromarray(image).save(folder / f"{number:02d}.png")
    (folder / "renderings.txt").write_text(names)
    (folder / "rendering_metadata.txt").write_text(rows)
    return folder


def test_the_round_trip(tmp_path: Path) -> None:
    rgba, cameras = images(5), r2n2(5, generator_for(0, "a/b"), 1.4)
    write_renderings(tmp_path / "a", rgba, cameras, 1.4)
    again, in_diagonals = read_renderings(tmp_path / "a")
    assert np.array_equal(again, rgba)
    assert np.allclose(in_diagonals[:, :3, :3], cameras[:, :3, :3])
    assert np.allclose(in_diagonals[:, :3, 3] * 1.4, cameras[:, :3, 3])
    table = np.loadtxt(tmp_path / "a" / "rendering_metadata.txt")
    assert (table[:, 2].tolist(), table[:, 4].tolist()) == ([0] * 5, [25] * 5)
    assert 0.65 <= table[:, 3].min() < table[:, 3].max() <= 0.95
    assert (tmp_path / "a" / "renderings.txt").read_text().split() == [f"{view:02d}.png" for view in range(5)]


def test_azimuth_0_is_on_the_x_side_and_90_on_the_z_side(tmp_path: Path) -> None:
    rows = "0 0 0 0.8 25\n90 30 0 1 25\n"
    _, cameras = read_renderings(written(tmp_path / "a", rows, 2, "00.png\n01.png"))
    assert cameras[0, :3, 3] == pytest.approx([1.4, 0, 0])
    assert cameras[1, :3, 3] == pytest.approx([0, 0.875, 1.75 * 3**0.5 / 2])
    assert np.allclose(cameras[0], look_at([1.4, 0, 0]))


def test_a_camera_that_the_metadata_cannot_hold_is_refused(tmp_path: Path) -> None:
    beside = look_at([0, 0, 2], target=[0.2, 0, 0])
    rolled = look_at([0, 0, 2], up=[1, 1, 0])
    for camera in (beside, rolled):
        with pytest.raises(FormatError, match="view 1: expected a camera that looks at the origin"):
            write_renderings(tmp_path / "a", images(2), np.stack([look_at([0, 0, 2]), camera]), 1.0)
    assert not (tmp_path / "a").exists()
    write_renderings(tmp_path / "a", images(9), sphere(9, 2.0), 1.0)


@pytest.mark.parametrize(
    ("rows", "names", "message"),
    [
        ("0 0 0 0.8 25", "00.png 01.png", "1 to 200 images and a line of five numbers for each, got 2"),
        ("0 0 0 0.8", "00.png", "a line of five numbers"),
        ("0 0 0 far 25", "00.png", "five numbers a line"),
        ("0 0 0 nan 25", "00.png", "a line of five numbers"),
        ("0 0 10 0.8 25", "00.png", "expected azimuth, elevation, 0 and a distance ratio"),
        ("0 90 0 0.8 25", "00.png", "expected azimuth, elevation, 0 and a distance ratio"),
        ("0 0 0 -1 25", "00.png", "expected azimuth, elevation, 0 and a distance ratio"),
        ("", "", "1 to 200 images"),
        ("0 0 0 0.8 25", "07.png", "not readable: No such file"),
        ("0 0 0 0.8 25", "../a/00.png", "expected names of files beside it"),
    ],
)
def test_a_broken_folder_says_what_is_wrong(tmp_path: Path, rows: str, names: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_renderings(written(tmp_path / "a", rows, 1, names))


def test_broken_images_say_what_is_wrong(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", "0 0 0 0.8 25\n" * 2, 2, "00.png 01.png")
    for content, message in [
        (Image.new("RGB", (8, 8)), "expected a square RGBA image, got RGB of 8×8"),
        (Image.new("RGBA", (8, 9)), "got RGBA of 8×9"),
        (Image.new("RGBA", (9, 9)), "expected images of one size"),
    ]:
        content.save(folder / "01.png")
        with pytest.raises(FormatError, match=message):
            read_renderings(folder)
    whole = (folder / "00.png").read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"\x89PNG\r\n\x1a\nnot really"):
        (folder / "01.png").write_bytes(broken)
        with pytest.raises(FormatError, match=r"01\.png: (expected a PNG image|not readable: OSError: .*[Tt]runcated)"):
            read_renderings(folder)
    (folder / "renderings.txt").unlink()
    with pytest.raises(FormatError, match="renderings"):
        read_renderings(folder)
