"""What the classifier is trained on and shown: folds, and no copies of held-out samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from solid_grids import write_solids

from components.train_classifier.examples import Examples, split_of_folds, without_copies
from shapeyard.contracts.dataset import Dataset, Sample


def test_folds_hold_every_sample_once_as_test(tmp_path: Path) -> None:
    samples = Dataset([write_solids(tmp_path / "voxels", {"ball": 7, "box": 11})], "voxels").samples
    tests = [split_of_folds(samples, 5, fold, True) for fold in range(5)]
    assert sorted(s.id for one in tests for s in one["test"]) == sorted(s.id for s in samples)
    for one in tests:
        assert sorted(s.id for part in one.values() for s in part) == sorted(s.id for s in samples)
        assert all(1 <= sum(s.class_name == name for s in one["test"]) <= 3 for name in ("ball", "box"))
        assert one["val"]
    assert not split_of_folds(samples, 5, 0, False)["val"]


def test_copies_are_found_by_grid_and_by_hash() -> None:
    grids = np.zeros((3, 4, 4, 4), bool)
    grids[0, :2], grids[1, 2:], grids[2, :, 1] = True, True, True
    rows = [Sample(f"box/{i}", "box", "train", "", sha256=f"{i}") for i in range(3)]
    train = Examples(rows, {"occupancy": grids}, np.zeros(3, np.int64), [])
    held_out = Examples(
        [Sample("box/a", "box", "test", "", sha256="1"), Sample("box/b", "box", "test", "", sha256="x")],
        {"occupancy": np.stack([grids[0] ^ True, grids[2]])}, np.zeros(2, np.int64), [],
    )  # fmt: skip
    left, copies = without_copies(train, [held_out], 1.0, rotated=False)
    assert [s.id for s in left.samples] == ["box/0"] and copies == [["box/1", "box/a"], ["box/2", "box/b"]]
    # Flipped along x, the first is the held-out one as well.
    left, copies = without_copies(train, [held_out], 1.0, rotated=True)
    assert not len(left) and copies == [["box/0", "box/a"], ["box/1", "box/a"], ["box/2", "box/b"]]
