"""The file from which a training goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from shapeyard.errors import DatasetError
from shapeyard.training.checkpoints import CheckpointFile


def test_a_checkpoint_is_whole_or_not_there(tmp_path: Path) -> None:
    file = CheckpointFile(str(tmp_path / "new"), "x")
    assert file.read() is None
    file.write({"a": np.ones(2)}, {"step": 1})
    with pytest.raises(Exception, match="object"):
        file.write({"a": np.array([None])}, {"step": 2})
    found = file.read()
    assert found and found[0]["a"].tolist() == [1, 1] and found[1] == {"step": 1}
    save_file({"a": np.ones(1)}, file.uri)
    with pytest.raises(DatasetError, match="not readable as a checkpoint"):
        file.read()
    file.remove()
    file.remove()
    assert file.read() is None


def test_arrays_keep_shape_kind_and_order(tmp_path: Path) -> None:
    file = CheckpointFile(str(tmp_path), "x")
    number, counts = np.array(3, np.int64), np.arange(6, dtype=np.uint32).reshape(2, 3).T
    file.write({"number": number, "counts": counts}, {})
    found = file.read()
    assert found
    for name, array in {"number": number, "counts": counts}.items():
        assert found[0][name].dtype == array.dtype and found[0][name].shape == array.shape
        assert found[0][name].tolist() == array.tolist()
