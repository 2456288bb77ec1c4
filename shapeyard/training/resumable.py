"""What the trainings of all frameworks share: they can be stopped at any step and go on from there.

    training = …                                # a subclass, which knows the framework
    training.resume({"network": network, "optimizer": optimizer})
    for step, batch in training.run(next_batch):
        training.log(train_loss=…)
        if training.validates(step):
            training.log_validation(step, training.means() | {"val_rmse": …}, score=…)
    training.restore_best()
    …                                           # write the results
    training.delete_checkpoint()

A checkpoint holds arrays and the progress, nothing else. So a batch has to be a function of the seed and the step, and
so has the learning rate; whatever else a step depends on belongs to the arrays. On the CPU a training that was
interrupted then ends with the same weights, bit for bit, as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import resource
import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np

from shapeyard import __version__
from shapeyard.errors import DatasetError, SourceError, TrainingError
from shapeyard.training.checkpoints import Arrays, CheckpointFile
from shapeyard.training.progress import TrainingProgress
from shapeyard.training.settings import TrainingSettings

GO_ON, SAVE, STOP, TERMINATE = range(4)
"""What to do after a step; where several ranks train, they agree on the highest."""
BEST = "best"

Batch = TypeVar("Batch")


class ResumableTraining(ABC):
    """How far a training has come, and the checkpoint from which it goes on.

    Attributes:
        progress: how far it has come.
        rank: of this process; 0 validates, writes and reports.
        steps: that it makes unless it stops early.
        samples_per_step: on average.
        began_finished: whether no step was left when it resumed.
    """

    def __init__(
        self,
        stage: str,
        settings: TrainingSettings,
        checkpoint_key: Mapping[str, Any],
        *,
        steps: int,
        samples_per_step: float,
        validate_every: int,
        patience: int = 0,
        rank: int = 0,
    ) -> None:
        """A training of which no step is made yet.

        Args:
            stage: whose training this is.
            settings: its seed and checkpoints, and what else decides the result.
            checkpoint_key: JSON values that stand for the data. A checkpoint's name holds their hash and that of the
                hyperparameters, so that no other training ever goes on from it.
            steps: batches to train on.
            samples_per_step: on average, in all ranks.
            validate_every: steps from one validation to the next.
            patience: validations in a row without a better one after which it stops; 0 for never.
            rank: of this process.
        """
        key = json.dumps([__version__, stage, settings.hyperparameters(), checkpoint_key], sort_keys=True)
        self._key = hashlib.sha256(key.encode()).hexdigest()
        name = f"{stage}-{self._key[:16]}"
        self._file = CheckpointFile(settings.checkpoints, name) if settings.checkpoints else None
        self._save_every_s = 60 * settings.checkpoint_minutes
        self._validate_every, self._patience = validate_every, patience
        self.progress = TrainingProgress()
        self.rank, self.steps, self.samples_per_step = rank, steps, samples_per_step
        self.began_finished = False
        self._kept: Mapping[str, Any] = {}
        self._best: Arrays = {}
        self._saved_at, self._saved_step = time.monotonic(), 0
        self._validation_began = self._validation_s = 0.0
        self._terminated = False

    @abstractmethod
    def _flat(self, kept: Any) -> Arrays:
        """The state of a network or an optimizer; the arrays may share its memory."""

    @abstractmethod
    def _restore(self, kept: Any, arrays: Arrays) -> None:
        """The inverse; raises `KeyError`, `ValueError` or `RuntimeError` for the state of something else."""

    @abstractmethod
    def _hardware(self) -> dict[str, Any]:
        """What metrics.json says of where it ran: device, precision, ranks, and where it is known the GPU's memory."""

    def _agree(self, action: int) -> int:
        """The highest action of all ranks."""
        return action

    def resume(self, kept: Mapping[str, Any]) -> None:
        """Go on from the checkpoint, if there is one; no step is left if it is that of a training that ended.

        Args:
            kept: networks and optimizers; the first one is the network whose best weights are kept.

        Raises:
            DatasetError: for a checkpoint that can't be read.
            SourceError: for a bucket that can't be read.
        """
        self._kept = kept
        found = self._file.read() if self._file else None
        if not found or not self._file:
            return
        arrays, state = found
        try:
            if state.pop("key") != self._key:
                raise ValueError("it belongs to another one")
            for name, value in kept.items():
                self._restore(value, _below(name, arrays))
            self.progress = TrainingProgress(**state)
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise DatasetError(f"{self._file.uri}: expected a checkpoint of this training: {reason}") from error
        self._best = _below(BEST, arrays)
        self._saved_step = self.progress.step
        self.began_finished = self.progress.finished

    def run(self, next_batch: Callable[[int], Batch]) -> Iterator[tuple[int, Batch]]:
        """The steps that are left, from 1 to `steps`, each with its batch.

        With a place for checkpoints one is written when it is due and at the end, and SIGTERM ends the training after
        the step, with a checkpoint.

        Args:
            next_batch: called with each step.

        Raises:
            TrainingError: after SIGTERM.
        """
        action, progress = GO_ON, self.progress
        last = progress.step if progress.finished else self.steps
        with self._heeding_sigterm():
            for step in range(progress.step + 1, last + 1):
                started, self._validation_s = time.monotonic(), 0.0
                batch = next_batch(step)
                progress.waiting_s += time.monotonic() - started
                yield step, batch
                progress.step = step
                progress.validating_s += self._validation_s
                progress.training_s += time.monotonic() - started - self._validation_s
                progress.finished = step == self.steps or self._stops_early()
                action = self._agree(self._action())
                if action == SAVE:
                    self._save()
                elif action in (STOP, TERMINATE):
                    break
            if self._saved_step < progress.step:
                self._save()
        if action == TERMINATE:
            raise TrainingError(f"step {progress.step} of {self.steps}: told to end (SIGTERM){self._where()}")

    def require_finite(self, **finite: bool) -> None:
        """Raise `TrainingError` unless all of these of the step that is being made are: the loss, the gradient."""
        for name, holds in finite.items():
            if not holds:
                step = self.progress.step + 1
                raise TrainingError(f"step {step} of {self.steps}: the {name} is no longer finite: lower the learning "
                                    f"rate{self._where()}")  # fmt: skip

    def log(self, **values: float) -> None:
        """Keep figures of a step for `means` or `sums`."""
        for name, value in values.items():
            self.progress.noted.setdefault(name, []).append(value)

    def means(self) -> dict[str, float]:
        """The mean of each figure that was logged since the last call."""
        means = {name: float(np.mean(values)) for name, values in self.progress.noted.items()}
        self.progress.noted.clear()
        return means

    def sums(self) -> dict[str, float]:
        """The sum of each figure that was logged since the last call."""
        sums = {name: sum(values) for name, values in self.progress.noted.items()}
        self.progress.noted.clear()
        return sums

    def validates(self, step: int) -> bool:
        """Whether this rank validates after the step: each `validate_every` and the last; then logs the validation."""
        self._validation_began = time.monotonic()
        return not self.rank and (step % self._validate_every == 0 or step == self.steps)

    def log_validation(
        self, step: int, row: Mapping[str, float], score: float | None = None, tie_break: float = 0.0
    ) -> None:
        """Write down a validation; the weights are kept if it is the best so far.

        Args:
            step: after which it was made.
            row: its figures.
            score: the higher the better; nan never is the best, and without a score no weights are kept.
            tie_break: what decides between validations of the same score.
        """
        progress = self.progress
        progress.history.append({"step": step, **row})
        progress.bad_validations += 1
        if score is not None and (score, tie_break) > (progress.best_score, progress.best_tie_break):
            progress.best_score, progress.best_tie_break = score, tie_break
            progress.best_step, progress.bad_validations = step, 0
            self._best = {name: np.array(array) for name, array in self._flat(self._first()).items()}
        self._validation_s = time.monotonic() - self._validation_began

    def restore_best(self) -> None:
        """End: give the first network its best weights, in rank 0; without any validation it keeps its last ones."""
        if self._best:
            self._restore(self._first(), self._best)

    def figures(self) -> dict[str, Any]:
        """What metrics.json says of the training, see `figures_of`."""
        return figures_of([self])

    def delete_checkpoint(self) -> None:
        """After the results are written: remove the checkpoint if this training began with no step left.

        So the first success leaves it. What it wrote may still be lost, as when an upload to the cluster's store fails;
        the same training then writes the same results again without a step, and removes the checkpoint.
        """
        if self._file and self.began_finished and not self.rank:
            self._file.remove()

    def _first(self) -> Any:
        return next(iter(self._kept.values()))

    def _action(self) -> int:
        """What this rank would do after the step."""
        if self._terminated:
            return TERMINATE
        if self._stops_early():
            return STOP
        late = self._file is not None and time.monotonic() - self._saved_at >= self._save_every_s
        return SAVE if late and not self.rank else GO_ON

    def _stops_early(self) -> bool:
        """Whether it stops early; only rank 0 knows, whose progress the checkpoint holds."""
        return 0 < self._patience <= self.progress.bad_validations

    def _save(self) -> None:
        """Write a checkpoint. That one can't be written is an error only if it is the first."""
        if not self._file:
            return
        self._saved_at = time.monotonic()
        if not self.rank:
            arrays = _prefixed(BEST, self._best)
            for name, kept in self._kept.items():
                arrays |= _prefixed(name, self._flat(kept))
            try:
                self._file.write(arrays, {"key": self._key, **asdict(self.progress)})
            except (SourceError, OSError) as error:
                if not self._saved_step:
                    raise
                print(f"step {self.progress.step}: no checkpoint written: {error}", file=sys.stderr)  # noqa: T201
                return
        self._saved_step = self.progress.step

    def _where(self) -> str:
        """The end of a message: where the last checkpoint is."""
        if not self._file or not self._saved_step:
            return "; there is no checkpoint" if self._file else ""
        return f"; the checkpoint of step {self._saved_step} is {self._file.uri}"

    @contextmanager
    def _heeding_sigterm(self) -> Iterator[None]:
        if not self._file or threading.current_thread() is not threading.main_thread():
            yield
            return

        def heed(*_: object) -> None:
            self._terminated = True

        before = signal.signal(signal.SIGTERM, heed)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)


def figures_of(trainings: Sequence[ResumableTraining]) -> dict[str, Any]:
    """What metrics.json says of a training, all of its parts if it was interrupted, or of several, an ensemble's.

    `kept_step` is the first one's; `steps` and `seconds`, with validation, are of all together. `waited_for_data` is
    the share of the time without validation in which steps waited for their batches. Memory is the GPU's, or without
    one the process's.
    """
    parts = [training.progress for training in trainings]
    training_s = max(sum(part.training_s for part in parts), 1e-3)
    samples = sum(training.progress.step * training.samples_per_step for training in trainings)
    return {
        "kept_step": parts[0].best_step or parts[0].step,
        "steps": sum(part.step for part in parts),
        "seconds": round(sum(part.training_s + part.validating_s for part in parts), 2),
        "samples_per_second": round(samples / training_s, 2),
        "waited_for_data": round(sum(part.waiting_s for part in parts) / training_s, 4),
        "peak_memory_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        **trainings[0]._hardware(),
    }


def _prefixed(prefix: str, arrays: Arrays) -> dict[str, Any]:
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def _below(prefix: str, arrays: Arrays) -> Arrays:
    start = f"{prefix}."
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
