"""A training that is killed, told to end, that diverges, stops early, or runs in two ranks."""

from __future__ import annotations

import random
import signal
from pathlib import Path
from typing import Any

import killed
import pytest
import torch
from line import train_line
from safetensors.torch import load_file

from shapeyard.errors import DatasetError, ParameterError, SourceError, TrainingError
from shapeyard.sources.s3 import S3Source

LINE = "line:train_line"


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(f"{out}.safetensors")


def assert_same(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_killed_at_a_random_moment_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    alone = train_line(str(tmp_path / "alone"), dropout=0.2)
    again = {"out": str(tmp_path / "again"), "checkpoints": str(tmp_path / "state"), "step_s": 0.02, "dropout": 0.2}
    moments = random.Random(0)
    for _ in range(2):
        killed.stop_at_checkpoint(LINE, again, tmp_path / "state", moments.randint(1, 12), moments.random() / 40)
    figures = train_line(**{**again, "step_s": 0.0})
    assert_same(tmp_path / "alone", tmp_path / "again")
    assert figures["history"] == alone["history"] and figures["steps"] == 40
    assert len(list((tmp_path / "state").iterdir())) == 1


@pytest.mark.parametrize("stopped_early", [False, True])
def test_the_checkpoint_stays_until_the_same_training_succeeds_again(tmp_path: Path, stopped_early: bool) -> None:
    """As when the upload of the first one's results fails."""
    state = tmp_path / "state"
    settings: dict[str, Any] = {"checkpoints": str(state), "dropout": 0.2}
    if stopped_early:
        settings |= {"worse_after": 8, "patience": 2}
    first = train_line(str(tmp_path / "first"), **settings)
    (file,) = state.iterdir()
    assert first["steps"] == (16 if stopped_early else 40)
    second = train_line(str(tmp_path / "second"), **settings, nan_at=17)  # which a further step would come upon
    assert_same(tmp_path / "first", tmp_path / "second")
    assert {**first, "peak_memory_bytes": 0} == {**second, "peak_memory_bytes": 0}
    assert not file.exists()
    train_line(str(tmp_path / "third"), **settings)
    assert_same(tmp_path / "first", tmp_path / "third")
    assert file.exists()


def test_two_ranks_that_stopped_early_make_no_further_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHAPEYARD_RANKS", "2")
    settings: dict[str, Any] = {"checkpoints": str(tmp_path / "state"), "worse_after": 8, "patience": 2}
    first = train_line(str(tmp_path / "first"), **settings)
    second = train_line(str(tmp_path / "second"), **settings)
    assert first["steps"] == second["steps"] == 16
    assert_same(tmp_path / "first", tmp_path / "second")
    assert list((tmp_path / "state").iterdir()) == []


def test_sigterm_ends_it_with_a_checkpoint(tmp_path: Path) -> None:
    train_line(str(tmp_path / "alone"))
    again = {"out": str(tmp_path / "again"), "checkpoints": str(tmp_path / "state"), "step_s": 0.05}
    said = killed.stop_at_checkpoint(LINE, again, tmp_path / "state", 3, by=signal.SIGTERM)
    (file,) = (tmp_path / "state").iterdir()
    line = said.strip().splitlines()[-1]
    assert line.startswith("training: step ") and line.endswith(f" is {file}") and "told to end (SIGTERM)" in line
    assert f"the checkpoint of step {line.split()[2]} is" in line
    train_line(**{**again, "step_s": 0.0})
    assert_same(tmp_path / "alone", tmp_path / "again")


def test_a_loss_that_is_no_number_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with pytest.raises(
        TrainingError, match=r"^step 9 of 40: the loss is no longer finite: .*; the checkpoint of step 8 is "
    ):
        train_line(str(tmp_path / "x"), nan_at=9, checkpoints=str(state))
    (file,) = state.iterdir()
    assert all(torch.isfinite(tensor).all() for tensor in load_file(file).values())
    with pytest.raises(TrainingError, match=r"^step 9 of 40: .*rate$"):
        train_line(str(tmp_path / "y"), nan_at=9)
    assert not (tmp_path / "x.safetensors").exists()


def test_it_stops_early_and_keeps_the_best(tmp_path: Path) -> None:
    figures = train_line(str(tmp_path / "stopped"), worse_after=8, patience=2)
    assert (figures["steps"], figures["kept_step"]) == (16, 8)
    assert [row["step"] for row in figures["history"]] == [4, 8, 12, 16]
    train_line(str(tmp_path / "whole"), worse_after=8)
    stopped, whole = weights(tmp_path / "stopped"), weights(tmp_path / "whole")
    assert all(torch.equal(stopped[name], whole[name]) for name in stopped if name.startswith("first"))


def test_a_checkpoint_of_another_training_is_not_taken(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with pytest.raises(TrainingError):
        train_line(str(tmp_path / "x"), nan_at=9, checkpoints=str(state))
    (file,) = state.iterdir()
    train_line(str(tmp_path / "slower"), rate=0.001, checkpoints=str(state))
    train_line(str(tmp_path / "alone"), rate=0.001)
    assert_same(tmp_path / "slower", tmp_path / "alone")
    (slower,) = [path for path in state.iterdir() if path != file]
    slower.unlink()
    with pytest.raises(TrainingError):
        train_line(str(tmp_path / "z"), nan_at=2, rate=0.002, checkpoints=str(state))
    other = next(path for path in state.iterdir() if path != file)
    file.replace(other)
    with pytest.raises(DatasetError, match=rf"{other}: expected a checkpoint of this training: it belongs to another"):
        train_line(str(tmp_path / "z"), rate=0.002, checkpoints=str(state))
    other.write_bytes(b"cut off")
    with pytest.raises(DatasetError, match=rf"{other}: not readable as a checkpoint"):
        train_line(str(tmp_path / "z"), rate=0.002, checkpoints=str(state))


def test_in_a_bucket(bucket: str, tmp_path: Path) -> None:
    place = f"{bucket}/some/runs"
    with pytest.raises(SourceError, match="no such bucket"):
        train_line(str(tmp_path / "x"), checkpoints=place)
    source = S3Source(place)
    source.ensure_bucket()
    with pytest.raises(
        TrainingError, match=rf"the checkpoint of step 8 is {place}/train_line-[0-9a-f]{{16}}.safetensors"
    ):
        train_line(str(tmp_path / "again"), nan_at=9, checkpoints=place)
    train_line(str(tmp_path / "again"), checkpoints=place)
    train_line(str(tmp_path / "alone"))
    assert_same(tmp_path / "alone", tmp_path / "again")
    assert len(source.list_files()) == 1
    train_line(str(tmp_path / "again"), checkpoints=place)
    assert_same(tmp_path / "alone", tmp_path / "again")
    assert source.list_files() == []


def test_a_checkpoint_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        train_line(str(tmp_path / "x"), checkpoints=str(tmp_path / "file"))


def test_two_ranks_make_the_steps_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = train_line(str(tmp_path / "one"))
    monkeypatch.setenv("SHAPEYARD_RANKS", "2")
    two = train_line(str(tmp_path / "two"))
    assert (one["ranks"], two["ranks"]) == (1, 2)
    for row, other in zip(one["history"], two["history"], strict=True):
        assert row == pytest.approx(other, rel=1e-4)
    first, second = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-4, atol=1e-6)
    with pytest.raises(ParameterError, match=r"^batch_size: expected a multiple of the 2 ranks, got 7$"):
        train_line(str(tmp_path / "x"), batch_size=7)
    with pytest.raises(TrainingError, match=r"step 9 of 40: .*the checkpoint of step 8"):
        train_line(str(tmp_path / "x"), nan_at=9, checkpoints=str(tmp_path / "state"))


def test_two_ranks_are_told_to_end(tmp_path: Path) -> None:
    again = {"out": str(tmp_path / "again"), "checkpoints": str(tmp_path / "state"), "step_s": 0.05}
    said = killed.stop_at_checkpoint(LINE, again, tmp_path / "state", 3, by=signal.SIGTERM, SHAPEYARD_RANKS="2")
    assert said.strip().splitlines()[-1].startswith("training: step ") and "SIGTERM" in said
    train_line(**{**again, "step_s": 0.0})
    train_line(str(tmp_path / "alone"))
    first, second = weights(tmp_path / "again"), weights(tmp_path / "alone")
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-4, atol=1e-6)


def test_batches_are_made_while_steps_run(tmp_path: Path) -> None:
    slow = train_line(str(tmp_path / "x"), steps=10, batch_s=0.1)
    ready = train_line(str(tmp_path / "x"), steps=10, step_s=0.2, batch_s=0.1)
    assert slow["waited_for_data"] > 0.4 > 2 * ready["waited_for_data"]  # the first batch alone is a twentieth
    assert ready["samples_per_second"] < 8 / 0.2 and ready["steps"] == 10
    assert ready["peak_memory_bytes"] > 10**8 and ready["precision"] in ("float32", "bfloat16")


def test_logs_for_tensorboard(tmp_path: Path) -> None:
    train_line(str(tmp_path / "x"), steps=8)
    (events,) = (tmp_path / "x.logs").iterdir()
    assert events.name.startswith("events.out.tfevents") and b"second_loss" in events.read_bytes()
