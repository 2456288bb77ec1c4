"""Reading the pairs of 3D-RecGAN++."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapeyard.errors import FormatError, ParameterError
from shapeyard.formats.recgan_pairs import RESOLUTION, find_recgan_pairs, in_cube, read_recgan_pair

SPLITS = "train_125", "test_125"


def write_pairs(folder: Path, values: np.ndarray | None = None) -> Path:
    for split in SPLITS:
        for kind in ("25d", "3d"):
            place = folder / "P1_03001627_chair" / f"{split}_{kind}_vox256"
            place.mkdir(parents=True)
            grid = np.zeros((3, 4, 2, 1), np.int8) if values is None else values
            grid[..., 0 if kind == "25d" else slice(None), :] = 1
            for view in ("0_0_0", "0_0_1"):
                np.savez_compressed(place / f"abc_{view}.npz", grid)
    return folder


def test_pairs_are_found_and_read_as_they_are(tmp_path: Path) -> None:
    pairs = find_recgan_pairs(write_pairs(tmp_path))
    assert [(p.category, p.split, p.object_id, p.view) for p in pairs] == [
        ("chair", split, "abc", view) for split in ("test", "train") for view in ("0_0_0", "0_0_1")
    ]
    surface, shape = read_recgan_pair(pairs[0])
    assert surface.shape == shape.shape == (3, 4, 2) and surface.dtype == bool
    assert surface[:, :, 0].all() and not surface[:, :, 1].any() and shape.all()
    cube = in_cube(surface, 8)
    assert cube.shape == (8, 8, 8) and cube[2:5, 2:6, 3].all() and cube.sum() == 12
    with pytest.raises(ParameterError, match="at most 3³"):
        in_cube(surface, 3)


def test_what_is_no_pair(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="found none"):
        find_recgan_pairs(tmp_path)
    pairs = find_recgan_pairs(write_pairs(tmp_path))
    for values, reason in [
        (np.zeros((3, 4, 3), np.int8), r"expected a grid of \(3, 4, 2\)"),
        (np.full((3, 4, 2), 2, np.int8), "0 and 1"),
        (np.zeros((3, 4, 2)), "0 and 1"),
        (np.zeros((3, 300, 2), np.int8), "1 to 256"),
        (np.zeros((3, 4)), "1 to 256"),
        (np.zeros((RESOLUTION, RESOLUTION, RESOLUTION, 2), np.int8), "at most"),
        (np.array([{}]), "expected an array of numbers, got object"),
    ]:
        np.savez_compressed(pairs[0].surface, values)
        with pytest.raises(FormatError, match=reason):
            read_recgan_pair(pairs[0])
    pairs[0].surface.write_bytes(b"no archive")
    with pytest.raises(FormatError, match="not readable"):
        read_recgan_pair(pairs[0])
    pairs[1].shape.unlink()
    with pytest.raises(FormatError, match="expected the whole shape"):
        find_recgan_pairs(tmp_path)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused_or_read(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    pair = find_recgan_pairs(write_pairs(tmp_path_factory.mktemp("pairs")))[0]
    content = bytearray(pair.surface.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    pair.surface.write_bytes(content)
    try:
        surface, shape = read_recgan_pair(pair)
    except FormatError as error:
        assert "\n" not in str(error)
        return
    assert surface.shape == shape.shape


@pytest.mark.realdata
def test_real_pairs(realdata: Path) -> None:
    pairs = find_recgan_pairs(realdata / "recgan_pairs")
    assert len(pairs) == 32 and {pair.category for pair in pairs} == {"bench", "chair", "couch", "table"}
    for pair in pairs:
        surface, shape = read_recgan_pair(pair)
        with np.load(pair.surface) as stored:
            assert (stored["arr_0"][..., 0] == surface).all()
        assert 250 <= max(shape.shape) <= RESOLUTION
        assert in_cube(surface).sum() == surface.sum()
        assert (surface.any(axis=2) & shape.any(axis=2)).sum() > 0.7 * surface.any(axis=2).sum()
