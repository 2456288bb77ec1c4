"""The binvox codec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shapeyard.errors import FormatError
from shapeyard.formats.binvox import read_binvox, write_binvox

HEADER = b"#binvox 1\ndim 2 2 2\ntranslate -1 0.5 2\nscale 3.5\ndata\n"


def test_a_file_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "by_hand.binvox"
    path.write_bytes(HEADER + bytes([0, 1, 1, 2, 0, 4, 1, 1]))
    occupancy, translate, scale = read_binvox(path)
    # Values run along y, then z, then x: the second is (0,1,0), the third (0,0,1), the last (1,1,1).
    assert np.argwhere(occupancy).tolist() == [[0, 0, 1], [0, 1, 0], [1, 1, 1]]
    assert translate.tolist() == [-1, 0.5, 2] and scale == 3.5
    write_binvox(tmp_path / "again.binvox", occupancy, translate, scale)
    assert (tmp_path / "again.binvox").read_bytes() == path.read_bytes()


def test_long_runs_are_cut_at_255(tmp_path: Path) -> None:
    path = tmp_path / "full.binvox"
    write_binvox(path, np.ones((8, 8, 8), bool), (0, 0, 0), 1)
    assert path.read_bytes().partition(b"data\n")[2] == bytes([1, 255, 1, 255, 1, 2])
    assert read_binvox(path).occupancy.all()


@settings(max_examples=60, deadline=None)
@given(occupancy=st.integers(1, 9).flatmap(lambda size: arrays(bool, (size,) * 3)), scale=st.floats(1e-300, 1e300))
def test_round_trip(occupancy: np.ndarray, scale: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("round_trip") / "grid.binvox"
    write_binvox(path, occupancy, (scale, -scale, 1 / 3), scale)
    stored = read_binvox(path)
    assert (stored.occupancy == occupancy).all()
    assert stored.translate.tolist() == [scale, -scale, 1 / 3] and stored.scale == scale


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "#binvox 1"),
        (b"\x89PNG\r\n", "#binvox 1"),
        (HEADER[:-6], "no line 'data'"),
        (HEADER + bytes([0, 7]), "cut off"),
        (HEADER + bytes([0, 8, 1]), "cut off"),
        (HEADER + bytes([0, 8, 1, 1]), "too long"),
        (HEADER + bytes([0, 8]) * 500, "too long"),
        (HEADER + bytes([0, 8, 0, 0]), "count 1 to 255"),
        (HEADER + bytes([2, 8]), "value 0 or 1"),
        (HEADER.replace(b"2 2 2", b"2 2 4") + bytes([0, 16]), "cubic"),
        (HEADER.replace(b"2 2 2", b"99999999 99999999 99999999") + bytes([0, 8]), "cubic"),
        (HEADER.replace(b"2 2 2", b"-2 -2 -2") + bytes([0, 8]), "cubic"),
        (HEADER.replace(b"2 2 2", b"2 2 x") + bytes([0, 8]), "no valid dim"),
        (HEADER.replace(b"dim 2 2 2\n", b"") + bytes([0, 8]), "no valid dim"),
        (HEADER.replace(b"scale 3.5", b"scale nan") + bytes([0, 8]), "positive scale"),
        (HEADER.replace(b"scale 3.5", b"scale 0") + bytes([0, 8]), "positive scale"),
        (HEADER.replace(b"-1 0.5 2", b"1 2") + bytes([0, 8]), "three finite"),
    ],
)
def test_broken_files(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "broken.binvox"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=reason) as caught:
        read_binvox(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_no_file_or_no_grid(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.binvox"):
        with pytest.raises(FormatError, match="not readable"):
            read_binvox(path)
    for shape in ((2, 2, 3), (2, 2), (0, 0, 0)):
        with pytest.raises(FormatError, match=r"\(D,D,D\)"):
            write_binvox(tmp_path / "bad.binvox", np.zeros(shape, bool), (0, 0, 0), 1)
    with pytest.raises(FormatError, match="finite"):
        write_binvox(tmp_path / "bad.binvox", np.zeros((2, 2, 2), bool), (0, 0, np.inf), 1)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_files_never_crash(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    content = bytearray(HEADER + bytes([0, 1, 1, 2, 0, 4, 1, 1]))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    path = tmp_path_factory.mktemp("damaged") / "damaged.binvox"
    path.write_bytes(content)
    try:
        occupancy = read_binvox(path).occupancy
    except FormatError:
        return
    assert len(set(occupancy.shape)) == 1


@pytest.mark.realdata
def test_real_files_come_back_byte_for_byte(realdata: Path, tmp_path: Path) -> None:
    paths = sorted(realdata.rglob("*.binvox"))
    assert len(paths) > 60
    for path in paths:
        write_binvox(tmp_path / "again.binvox", *read_binvox(path))
        assert (tmp_path / "again.binvox").read_bytes() == path.read_bytes(), path
