"""Clouds with normals and samples of signed distances, from files."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from shapeyard.errors import FormatError
from shapeyard.formats.point_clouds import PointCloud, SignedSamples, read_points

POINTS = np.array([[1.0, 0, 0], [0, 2.0, 0], [0, 0, 3.0]])
NORMALS = np.eye(3)


def write_ply(path: Path, names: str = "x y z nx ny nz") -> None:
    properties = "\n".join(f"property float {name}" for name in names.split())
    rows = "\n".join(" ".join(map(str, row[: len(names.split())])) for row in np.column_stack([POINTS, NORMALS]))
    path.write_text(f"ply\nformat ascii 1.0\nelement vertex 3\n{properties}\nend_header\n{rows}\n")


def test_every_format_holds_the_same(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply")
    np.savetxt(tmp_path / "a.xyz", np.column_stack([POINTS, NORMALS]))
    np.savez(tmp_path / "a.npz", points=POINTS, normals=NORMALS)
    for suffix in ("ply", "xyz", "npz"):
        cloud = read_points(tmp_path / f"a.{suffix}")
        assert isinstance(cloud, PointCloud)
        np.testing.assert_array_equal(cloud.points, POINTS)
        np.testing.assert_array_equal(cloud.normals, NORMALS)


def test_samples_of_deepsdf_without_what_is_no_number(tmp_path: Path) -> None:
    positive = np.array([[0, 0, 0, 0.1], [np.nan, 0, 0, 0.2]], np.float32)
    np.savez_compressed(tmp_path / "a.npz", pos=positive, neg=-positive[:1])
    samples = read_points(tmp_path / "a.npz")
    assert isinstance(samples, SignedSamples)
    assert samples.positive.tolist() == [[0, 0, 0, pytest.approx(0.1)]] and len(samples.negative) == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.xyz", b"1 2 3\n4 5 6\n", r"expected six numbers a line \(x, y, z and the normal\), got 3"),
        ("a.xyz", b"1 2 3 4 5 six\n", "not readable as XYZ: "),
        ("a.xyz", b"", r"expected six numbers a line \(x, y, z and the normal\), got none"),
        ("a.xyz", b"# points\n\n# none\n", r"expected six numbers a line \(x, y, z and the normal\), got none"),
        ("a.ply", b"solid", "expected a PLY file with a header"),
        ("a.npz", b"PK\x03\x04", "its arrays: not readable as ZIP: "),
        ("a.npz", b"", "its arrays: not readable as ZIP: "),
        ("a.txt", b"", r"expected one of \.ply, \.xyz, \.npz, got \.txt"),
    ],
)
def test_what_is_no_cloud(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with warnings.catch_warnings(), pytest.raises(FormatError, match=rf"{tmp_path / name}: {said}") as caught:
        warnings.simplefilter("error")
        read_points(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("positive", "negative", "said"),
    [
        ([0.1, -0.2], [-0.1, -0.2], "pos: expected distances of at least 0, got 1 others of 2"),
        ([0.1, 0.0], [0.1, 0.2], "neg: expected distances of at most 0, got 2 others of 2"),
    ],
)
def test_samples_on_the_wrong_side(positive: list[float], negative: list[float], said: str, tmp_path: Path) -> None:
    rows = [np.column_stack([np.zeros((2, 3)), distances]) for distances in (positive, negative)]
    np.savez(tmp_path / "a.npz", pos=rows[0], neg=rows[1])
    with pytest.raises(FormatError, match=f"a.npz: {said}$"):
        read_points(tmp_path / "a.npz")


def test_points_without_normals(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", "x y z")
    with pytest.raises(FormatError, match=r"a.ply: expected vertices with nx, ny, nz, got x, y, z"):
        read_points(tmp_path / "a.ply")
    np.savez(tmp_path / "a.npz", points=POINTS)
    with pytest.raises(FormatError, match=r"a.npz: expected points and normals, or pos and neg, got points"):
        read_points(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", points=POINTS, normals=np.eye(2))
    with pytest.raises(FormatError, match=r"b.npz: normals: expected numbers \(N,3\), got float64 \(2, 2\)"):
        read_points(tmp_path / "b.npz")


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", points=np.zeros((100_000, 3)), normals=np.zeros((100_000, 3)))
    assert (tmp_path / "bomb.npz").stat().st_size < 50_000
    with pytest.raises(FormatError, match="expected at most 50000 bytes in points, normals, got 4800"):
        read_points(tmp_path / "bomb.npz", max_bytes=50_000)
    np.savetxt(tmp_path / "a.xyz", np.zeros((2000, 6)))
    with pytest.raises(FormatError, match=r"a.xyz: expected at most 50000 bytes, got "):
        read_points(tmp_path / "a.xyz", max_bytes=50_000)
    with pytest.raises(FormatError, match=r"nowhere.xyz: not readable: No such file"):
        read_points(tmp_path / "nowhere.xyz")
