"""Camera files: what they say, and what is wrong with those that say something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapeyard.errors import FormatError
from shapeyard.formats.camera_file import is_camera_file, read_camera_file
from shapeyard.geometry.cameras import intrinsics, orbit

FRONT = [[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2.1], [0, 0, 0, 1]]


def text(**content: Any) -> str:
    return json.dumps({"world_from_camera": [FRONT], **content})


def test_recipes_are_no_files() -> None:
    assert [is_camera_file(cameras) for cameras in ("orbit", "sphere", "a/b.json", "B.JSON", ' {"a": 1}')] == [
        False, False, True, True, True
    ]  # fmt: skip


def test_a_file_and_its_content_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "камери.json"
    path.write_text(text(fov_degrees=60), encoding="utf-8")
    for cameras in (str(path), path.read_text(encoding="utf-8")):
        world_from_camera, lens = read_camera_file(cameras)
        assert world_from_camera.tolist() == [FRONT]
        assert lens is not None
        assert np.degrees(2 * np.arctan(0.5 / lens[0, 0])) == pytest.approx(60)
        assert lens[:2, 2].tolist() == [0.5, 0.5]


def test_intrinsics_hold_for_an_image_of_their_size() -> None:
    lens = read_camera_file(text(intrinsics=intrinsics(137).tolist(), image_size=137)).unit_intrinsics
    assert np.diag([64, 64, 1]) @ lens == pytest.approx(intrinsics(64))
    assert read_camera_file(text()).unit_intrinsics is None


def test_matrices_with_few_digits_become_rotations() -> None:
    written = orbit(5, 30, 2.0).round(4)
    read = read_camera_file(json.dumps({"world_from_camera": written.tolist()})).world_from_camera
    rotations = read[:, :3, :3]
    assert np.allclose(rotations @ rotations.transpose(0, 2, 1), np.eye(3), atol=1e-12)
    assert np.abs(read - written).max() < 1e-4


@pytest.mark.parametrize(
    ("cameras", "message"),
    [
        ("nowhere.json", "nowhere.json: expected a camera file: No such file"),
        ("{", "cameras: expected cameras as JSON"),
        ("{}", "expected world_from_camera"),
        (text(lens=3), "expected world_from_camera.*got lens"),
        (json.dumps({"world_from_camera": []}), "expected 1 to 200 matrices"),
        (json.dumps({"world_from_camera": [FRONT] * 201}), "expected 1 to 200 matrices"),
        (json.dumps({"world_from_camera": FRONT}), "matrices of 4×4"),
        (json.dumps({"world_from_camera": [FRONT, FRONT[:3]]}), "expected numbers"),
        (json.dumps({"world_from_camera": [[["a"] * 4] * 4]}), "expected numbers"),
        (json.dumps({"world_from_camera": [np.full((4, 4), np.nan).tolist()]}), "finite"),
        (json.dumps({"world_from_camera": [np.diag([1, 1, -1, 1]).tolist()]}), "view 0: expected a rotation"),
        (json.dumps({"world_from_camera": [FRONT, np.diag([2, 2, 2, 1]).tolist()]}), "view 1: expected a rotation"),
        (json.dumps({"world_from_camera": [[*FRONT[:3], [0, 0, 1, 1]]]}), "over 0 0 0 1"),
        (json.dumps({"world_from_camera": [[*FRONT[:2], [0, 0, -1, 1e6], FRONT[3]]]}), "within 100"),
        (text(fov_degrees=0), "fov_degrees: expected 1 to 170"),
        (text(fov_degrees="wide"), "fov_degrees: expected numbers"),
        (text(intrinsics=np.eye(3).tolist()), "intrinsics with image_size"),
        (text(fov_degrees=50, intrinsics=np.eye(3).tolist(), image_size=9), "fov_degrees alone"),
        (text(intrinsics=np.diag([90, 80, 1]).tolist(), image_size=64), "intrinsics: expected"),
        (text(intrinsics=[[9, 1, 4], [0, 9, 4], [0, 0, 1]], image_size=8), "intrinsics: expected"),
        (text(intrinsics=intrinsics(64).tolist(), image_size=0), "image_size: expected"),
    ],
)
def test_what_is_no_camera_file_says_so_in_one_line(cameras: str, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read_camera_file(cameras)
    assert "\n" not in str(caught.value)


def test_a_folder_or_a_flood_of_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "large.json").write_bytes(b" " * 1_000_001)
    (tmp_path / "latin.json").write_bytes(b"\xe9")
    for name in ("folder", "large", "latin"):
        with pytest.raises(FormatError, match=f"{name}.json: expected a camera file"):
            read_camera_file(str(tmp_path / f"{name}.json"))
