"""What every torch training loop shares: it can be stopped at any step and goes on from there, on one device or more.

    training = Training("train_depth", steps, batch_size, seed=seed, belongs_to={"data": …, "width": …}, …)
    network = training.place(UNet(width))
    optimizer = torch.optim.AdamW(network.parameters())
    training.resume({"network": network, "optimizer": optimizer}, logs=folder / "logs")
    for step, (images, depth) in training.batches(examples, count):
        with training.autocast():
            estimate = network(images)
        loss = …
        optimizer.zero_grad()
        loss.backward()
        training.note(train_loss=training.descend(optimizer, loss, rate))
        if training.due(step, validate_every):
            training.record(step, training.means() | {"val_rmse": …}, score=…)
    training.keep_best()

Nothing of a random generator is ever saved: the order of the examples, all numbers drawn for a step's batch
(`shapeyard.training.draw`) and torch's own generator are functions of the seed and the step. So weights, the
optimizers' state and the step are all that a training needs to go on, and on the CPU it ends with the same weights, bit
for bit. The learning rate has to be a function of the step as well.

Several ranks (`components.ranks`) share each batch: the gradients are averaged over all of them, so a step is the one
that a single rank would make with the whole batch, if the loss is a mean over examples. They are averaged here and not
by `DistributedDataParallel`, which knows neither the second derivative of a gradient penalty nor several passes through
a network before its gradient. Batch normalization sees the whole batch on GPUs; without, each rank normalizes its part.
"""

from __future__ import annotations

import hashlib
import json
import math
import resource
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from tensorboardX import SummaryWriter
from torch import Tensor, distributed, nn

from components import ranks
from components.checkpoints import CheckpointFile, Kept, flat, restore
from shapeyard import __version__
from shapeyard.errors import DatasetError, SourceError, TrainingError, require
from shapeyard.training import Draw, cores, draw, keep_memory, release_memory, seed_of_step

BFLOAT16_IN_HARDWARE = ("avx512_bf16", "amx_bf16")  # without, autocast is slower than float32
AHEAD = 2
"""Batches that are made while a step runs."""
GO_ON, SAVE, STOP, TERMINATE = range(4)
"""What to do after a step; the ranks agree on the highest of their wishes."""

Batch = tuple[Tensor, ...]
Network = TypeVar("Network", bound=nn.Module)


@dataclass
class Progress:
    """How far a training has come: JSON values, which a checkpoint holds beside its tensors."""

    step: int = 0
    """the last one that was made"""
    best_score: float = -math.inf
    best_step: int = 0
    """0 without any validation"""
    misses: int = 0
    """validations since the best one"""
    history: list[dict[str, float]] = field(default_factory=list)
    """a row for each validation"""
    noted: dict[str, list[float]] = field(default_factory=dict)
    """figures of the steps since the last validation"""
    training_s: float = 0.0
    """without validation"""
    waiting_s: float = 0.0
    """of these, for batches"""
    validating_s: float = 0.0
    finished: bool = False
    """whether no step is left: the last one was made, or it stopped early"""


class Training:
    """The state of a training loop.

    Attributes:
        rank: of this process; 0 validates, writes and reports.
        device: of the networks and the batches.
        half: whether `autocast` computes in bfloat16.
        progress: how far it has come.
    """

    def __init__(
        self,
        stage: str,
        steps: int,
        batch_size: int,
        *,
        seed: int,
        workers: int,
        belongs_to: Mapping[str, Any],
        checkpoints: str = "",
        checkpoint_minutes: float = 10.0,
        patience: int = 0,
        bfloat16_on_cpu: bool = True,
    ) -> None:
        """Meet the other ranks, choose device and precision, and seed torch for the first weights.

        Args:
            stage: whose training this is.
            steps: to make.
            batch_size: examples in a step, of all ranks together.
            seed: of everything.
            workers: threads of all ranks on this machine; 0 for all cores.
            belongs_to: JSON values: the data and the parameters that decide what is learned. A checkpoint's name holds
                their hash, so that no other training ever goes on from it.
            checkpoints: folder or s3://bucket/prefix for the checkpoint; empty for none.
            checkpoint_minutes: from one checkpoint to the next; 0: one after each step.
            patience: validations in a row without a better score after which it stops; 0 for never.
            bfloat16_on_cpu: whether processors that can are to compute in bfloat16; GPUs that can always do.

        Raises:
            ParameterError: for a value out of range.
        """
        for name, value in {"steps": steps, "batch_size": batch_size}.items():
            require(value >= 1, f"expected {name} of at least 1, got {value}")
        for name, number in {"seed": seed, "checkpoint_minutes": checkpoint_minutes, "patience": patience}.items():
            require(number >= 0, f"expected {name} of at least 0, got {number}")
        self.rank, self.ranks, self.device = ranks.join()
        require(batch_size % self.ranks == 0, f"expected a batch_size that {self.ranks} ranks share, got {batch_size}")
        torch.set_num_threads(max(cores(workers) // self.ranks, 1))
        keep_memory()
        torch.use_deterministic_algorithms(True, warn_only=True)
        # would find mistakes, and costs a pass over all memory
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.manual_seed(seed)
        if self.device.type == "cuda":
            self.half = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            able = torch.cpu.get_capabilities()
            self.half = bfloat16_on_cpu and any(able.get(name) for name in BFLOAT16_IN_HARDWARE)
        self.steps, self.batch_size, self.seed, self.patience = steps, batch_size, seed, patience
        self.progress = Progress()
        key = json.dumps([__version__, stage, steps, batch_size, seed, patience, belongs_to], sort_keys=True)
        self._key = hashlib.sha256(key.encode()).hexdigest()
        self._file = CheckpointFile(checkpoints, f"{stage}-{self._key[:16]}") if checkpoints else None
        self._minutes, self._saved_at, self._saved_step = checkpoint_minutes, time.monotonic(), 0
        self._began_finished = False
        self._kept: Mapping[str, Kept] = {}
        self._best: dict[str, Tensor] = {}
        self._validation_began = self._validation_s = 0.0
        self._terminated = False
        self._logs: SummaryWriter | None = None

    def place(self, network: Network, memory_format: torch.memory_format = torch.preserve_format) -> Network:
        """The network on the training's device, its batch normalization over all ranks where GPUs do it."""
        if self.ranks > 1 and self.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return network.to(self.device, memory_format=memory_format)  # type: ignore[call-overload, no-any-return]

    def autocast(self) -> torch.autocast:
        """Compute in bfloat16, where that is fast."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)

    def resume(self, kept: Mapping[str, Kept], logs: Path | None = None) -> None:
        """Go on from the checkpoint, if there is one; no step is left if it is that of a training that ended.

        Args:
            kept: networks and optimizers; the first one is the network whose best weights are kept.
            logs: folder to write for TensorBoard.

        Raises:
            DatasetError: for a checkpoint that can't be read.
            SourceError: for a bucket that can't be read.
        """
        self._kept = kept
        found = self._file.read() if self._file else None
        if found and self._file:
            tensors, state = found
            try:
                if state.pop("key") != self._key:
                    raise ValueError("it belongs to another one")
                for name, value in kept.items():
                    restore(name, value, tensors)
                self.progress = Progress(**state)
            except (KeyError, ValueError, TypeError, RuntimeError) as error:
                reason = str(error).splitlines()[0]
                raise DatasetError(f"{self._file.uri}: expected a checkpoint of this training: {reason}") from error
            self._best = {name: tensor for name, tensor in tensors.items() if name.startswith("best.")}
            self._saved_step = self.progress.step
            self._began_finished = self.progress.finished
        if logs and not self.rank:
            self._logs = SummaryWriter(str(logs))
            for row in self.progress.history:
                self._log(row)

    def batches(self, make: Callable[[Draw], Batch], count: int) -> Iterator[tuple[int, Batch]]:
        """The steps that are left, from 1 to `steps`, each with its batch on the device.

        With a place for checkpoints, SIGTERM ends the training after the step, with a checkpoint.

        Args:
            make: from a draw of this rank's share, tensors for its examples. It runs in threads, ahead of the step:
                its result must depend on the draw alone.
            count: of all examples.

        Raises:
            TrainingError: after SIGTERM.
        """
        share = self.batch_size // self.ranks
        places = range(self.rank * share, (self.rank + 1) * share)

        def make_step(step: int) -> Batch:
            batch = make(draw(step, count, places, self.batch_size, self.seed))
            return tuple(tensor.pin_memory() for tensor in batch) if self.device.type == "cuda" else batch

        todo, progress = GO_ON, self.progress
        last = progress.step if progress.finished else self.steps
        with ThreadPoolExecutor(AHEAD) as pool, self._heeding_sigterm():
            ahead: deque[Future[Batch]] = deque()
            for step in range(progress.step + 1, last + 1):
                started, self._validation_s = time.monotonic(), 0.0
                for later in range(step + len(ahead), min(step + AHEAD, self.steps) + 1):
                    ahead.append(pool.submit(make_step, later))
                batch = tuple(tensor.to(self.device, non_blocking=True) for tensor in ahead.popleft().result())
                progress.waiting_s += time.monotonic() - started
                torch.manual_seed(seed_of_step(step, self.rank, self.seed))
                yield step, batch
                progress.step = step
                progress.validating_s += self._validation_s
                progress.training_s += time.monotonic() - started - self._validation_s
                progress.finished = step == self.steps or self._tired()
                todo = self._agree()
                if todo == SAVE:
                    self._save()
                elif todo in (STOP, TERMINATE):
                    break
            pool.shutdown(wait=False, cancel_futures=True)
        if self._saved_step < progress.step:
            self._save()
        if todo == TERMINATE:
            raise TrainingError(f"step {progress.step} of {self.steps}: told to end (SIGTERM){self._where()}")

    def descend(self, optimizer: torch.optim.Optimizer, loss: Tensor, rate: float | None = None) -> float:
        """Average the gradients that are there over all ranks, check them, and make the optimizer's step.

        Args:
            optimizer: of the parameters that have them.
            loss: () whose gradients they are.
            rate: the learning rate from now on, if it is to change.

        Returns:
            The loss, averaged over all ranks.

        Raises:
            TrainingError: if the loss or a gradient is not finite; the weights then stay as they are.
        """
        found = (parameter.grad for group in optimizer.param_groups for parameter in group["params"])
        gradients = [gradient for gradient in found if gradient is not None]
        value = loss.detach().float()
        if self.ranks > 1:
            together = torch.cat([value.reshape(1), *(gradient.reshape(-1) for gradient in gradients)])
            distributed.all_reduce(together)
            sizes = [1, *(gradient.numel() for gradient in gradients)]
            value, *parts = torch.split(together / self.ranks, sizes)
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view(gradient.shape))
        for name, number in {"loss": value, "gradient": torch.nn.utils.get_total_norm(gradients)}.items():
            if not bool(torch.isfinite(number)):
                step = self.progress.step + 1
                raise TrainingError(f"step {step} of {self.steps}: the {name} is no longer finite: lower the learning "
                                    f"rate{self._where()}")  # fmt: skip
        if rate is not None:
            for group in optimizer.param_groups:
                group["lr"] = rate
        optimizer.step()
        return value.item()

    def note(self, **values: float) -> None:
        """Keep figures of a step for `means`."""
        for name, value in values.items():
            self.progress.noted.setdefault(name, []).append(value)

    def means(self) -> dict[str, float]:
        """The mean of each figure that was noted since the last call."""
        means = {name: float(np.mean(values)) for name, values in self.progress.noted.items()}
        self.progress.noted.clear()
        return means

    def due(self, step: int, every: int) -> bool:
        """Whether this rank validates after the step: after each `every` and the last; a `record` has to follow."""
        self._validation_began = time.monotonic()
        return not self.rank and (step % every == 0 or step == self.steps)

    def record(self, step: int, row: Mapping[str, float], score: float | None = None) -> None:
        """Write down a validation; the weights are kept if its score is the highest so far (nan never is)."""
        progress = self.progress
        progress.history.append({"step": step, **row})
        self._log(progress.history[-1])
        progress.misses += 1
        if score is not None and score > progress.best_score:
            progress.best_score, progress.best_step, progress.misses = score, step, 0
            best = flat("best", next(iter(self._kept.values())))
            self._best = {name: value.detach().to("cpu", copy=True) for name, value in best.items()}
        self._validation_s = time.monotonic() - self._validation_began

    def keep_best(self) -> None:
        """End: give the first network its best weights, in rank 0; without any validation it keeps its last ones."""
        release_memory()
        if self._best:
            restore("best", next(iter(self._kept.values())), self._best)
        if self._logs:
            self._logs.close()

    def figures(self) -> dict[str, Any]:
        """What metrics.json says of the training, all of its parts if it was interrupted.

        `waited_for_data` is the share of the time without validation in which steps waited for their batches; memory
        is the GPU's, or without one the process's.
        """
        progress = self.progress
        if self.device.type == "cuda":
            memory = torch.cuda.max_memory_allocated()
        else:
            memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "kept_step": progress.best_step or progress.step,
            "steps": progress.step,
            "seconds": round(progress.training_s + progress.validating_s, 2),
            "samples_per_second": round(progress.step * self.batch_size / progress.training_s, 2),
            "waited_for_data": round(progress.waiting_s / progress.training_s, 4),
            "peak_memory_bytes": memory,
            "precision": "bfloat16" if self.half else "float32",
            "device": self.device.type,
            "ranks": self.ranks,
        }

    def delete_checkpoint(self) -> None:
        """After the results are written: remove the checkpoint if this training began with no step left.

        So the first success leaves it. What it wrote may still be lost, as when an upload to the cluster's store fails;
        the same training then writes the same results again without a step, and removes the checkpoint.
        """
        if self._file and self._began_finished and not self.rank:
            self._file.remove()

    def _agree(self) -> int:
        """What to do after this step, the same in all ranks."""
        late = self._file is not None and time.monotonic() - self._saved_at >= 60 * self._minutes
        wish = TERMINATE if self._terminated else STOP if self._tired() else SAVE if late and not self.rank else GO_ON
        if self.ranks > 1:
            wishes = torch.tensor(wish, device=self.device)
            distributed.all_reduce(wishes, distributed.ReduceOp.MAX)
            wish = int(wishes)
        return wish

    def _tired(self) -> bool:
        """Whether it stops early; only rank 0 knows, whose progress the checkpoint holds."""
        return 0 < self.patience <= self.progress.misses

    def _save(self) -> None:
        """Write a checkpoint. That one can't be written is an error only if it is the first."""
        if not self._file:
            return
        self._saved_at = time.monotonic()
        if not self.rank:
            tensors = dict(self._best)
            for name, kept in self._kept.items():
                tensors |= flat(name, kept)
            try:
                self._file.write(tensors, {"key": self._key, **asdict(self.progress)})
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

    def _log(self, row: Mapping[str, float]) -> None:
        if self._logs:
            for name, value in row.items():
                if name != "step":
                    self._logs.add_scalar(name, value, int(row["step"]))
            self._logs.flush()

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
