"""The loop of every torch training: it can be stopped at any step and goes on from there, on one device or more.

    training = Training("train_depth", settings, {"renders": renders.fingerprint})
    network = training.place(UNet(width))
    optimizer = torch.optim.AdamW(network.parameters())
    training.resume({"network": network, "optimizer": optimizer}, logs=folder / "logs")
    for step, (images, depth) in training.batches(examples, count):
        with training.autocast():
            estimate = network(images)
        loss = …
        optimizer.zero_grad()
        loss.backward()
        training.log(train_loss=training.optimizer_step(optimizer, loss, rate))
        if training.validates(step):
            training.log_validation(step, training.means() | {"val_rmse": …}, score=…)
    training.restore_best()

Nothing of a random generator is ever saved: the order of the examples, all numbers drawn for a step's batch
(`shapeyard.training.draws.draw`) and torch's own generator are functions of the seed and the step. So weights, the
optimizers' state and the step are all that a training needs to go on (`shapeyard.training.resumable`).

Several ranks (`shapeyard.training.ranks`) share each batch: the gradients are averaged over all of them, so a step is
the one that a single rank would make with the whole batch, if the loss is a mean over examples. They are averaged here
and not by `DistributedDataParallel`, which knows neither the second derivative of a gradient penalty nor several passes
through a network before its gradient. Batch normalization sees the whole batch on GPUs; else each rank normalizes its
part.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import torch
from tensorboardX import SummaryWriter
from torch import Tensor, distributed, nn

from shapeyard.allocator import keep_memory, release_memory
from shapeyard.cpu import cores
from shapeyard.errors import require
from shapeyard.training import ranks
from shapeyard.training.checkpoints import Arrays
from shapeyard.training.draws import Draw, draw, seed_of_step
from shapeyard.training.resumable import ResumableTraining
from shapeyard.training.settings import StepSettings

BFLOAT16_IN_HARDWARE = ("avx512_bf16", "amx_bf16")  # without, autocast is slower than float32
AHEAD = 2
"""Batches that are made while a step runs."""

Batch = tuple[Tensor, ...]
Kept = nn.Module | torch.optim.Optimizer
Network = TypeVar("Network", bound=nn.Module)


class Training(ResumableTraining):
    """The state of a torch training loop.

    Attributes:
        device: of the networks and the batches.
        half: whether `autocast` computes in bfloat16.
    """

    def __init__(
        self, stage: str, settings: StepSettings, checkpoint_key: Mapping[str, Any], *, bfloat16_on_cpu: bool = True
    ) -> None:
        """Meet the other ranks, choose device and precision, and seed torch for the first weights.

        Args:
            stage: whose training this is.
            settings: how long, from which seed, with how many threads, with which checkpoints.
            checkpoint_key: JSON values that stand for the data.
            bfloat16_on_cpu: whether processors that can are to compute in bfloat16; GPUs that can always do.

        Raises:
            ParameterError: if the ranks can't share the batches.
        """
        batch_size = settings.batch_size
        rank, self.ranks, self.device = ranks.join()
        super().__init__(
            stage,
            settings,
            checkpoint_key,
            steps=settings.steps,
            samples_per_step=batch_size,
            validate_every=settings.validate_every,
            patience=settings.patience,
            rank=rank,
        )
        require(
            batch_size % self.ranks == 0, f"batch_size: expected a multiple of the {self.ranks} ranks, got {batch_size}"
        )
        torch.set_num_threads(max(cores(settings.workers) // self.ranks, 1))
        keep_memory()
        torch.use_deterministic_algorithms(True, warn_only=True)
        # would find mistakes, and costs a pass over all memory
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.manual_seed(settings.seed)
        if self.device.type == "cuda":
            self.half = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            able = torch.cpu.get_capabilities()
            self.half = bfloat16_on_cpu and any(able.get(name) for name in BFLOAT16_IN_HARDWARE)
        self.batch_size, self.seed = batch_size, settings.seed
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
        super().resume(kept)
        if self.ranks > 1:
            distributed.barrier()  # rank 0 may soon delete it: a training that had ended, see `delete_checkpoint`
        if logs and not self.rank:
            self._logs = SummaryWriter(str(logs))
            for row in self.progress.history:
                self._write_log(row)

    def batches(self, make: Callable[[Draw], Batch], count: int) -> Iterator[tuple[int, Batch]]:
        """The steps that are left, each with its batch on the device; see `run`.

        Args:
            make: from a draw of this rank's share, tensors for its examples. It runs in threads, ahead of the step:
                its result must depend on the draw alone.
            count: of all examples.

        Raises:
            TrainingError: after SIGTERM.
        """
        share = self.batch_size // self.ranks
        places = range(self.rank * share, (self.rank + 1) * share)
        ahead: deque[Future[Batch]] = deque()

        def make_step(step: int) -> Batch:
            batch = make(draw(step, count, places, self.batch_size, self.seed))
            return tuple(tensor.pin_memory() for tensor in batch) if self.device.type == "cuda" else batch

        with ThreadPoolExecutor(AHEAD) as pool:

            def next_batch(step: int) -> Batch:
                for later in range(step + len(ahead), min(step + AHEAD, self.steps) + 1):
                    ahead.append(pool.submit(make_step, later))
                batch = tuple(tensor.to(self.device, non_blocking=True) for tensor in ahead.popleft().result())
                torch.manual_seed(seed_of_step(step, self.rank, self.seed))
                return batch

            try:
                yield from self.run(next_batch)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def optimizer_step(self, optimizer: torch.optim.Optimizer, loss: Tensor, rate: float | None = None) -> float:
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
        norm = torch.nn.utils.get_total_norm(gradients)
        self.require_finite(loss=bool(torch.isfinite(value)), gradient=bool(torch.isfinite(norm)))
        if rate is not None:
            for group in optimizer.param_groups:
                group["lr"] = rate
        optimizer.step()
        return value.item()

    def log_validation(
        self, step: int, row: Mapping[str, float], score: float | None = None, tie_break: float = 0.0
    ) -> None:
        """Write down a validation, also for TensorBoard; see `ResumableTraining.log_validation`."""
        super().log_validation(step, row, score, tie_break)
        self._write_log(self.progress.history[-1])

    def restore_best(self) -> None:
        """End: give the first network its best weights, in rank 0; without any validation it keeps its last ones."""
        release_memory()
        super().restore_best()
        if self._logs:
            self._logs.close()

    def _flat(self, kept: Kept) -> Arrays:
        """An optimizer's settings are left out: they are the program's, and its rate is a function of the step."""
        if isinstance(kept, nn.Module):
            return {key: _array(value) for key, value in kept.state_dict().items()}
        state = kept.state_dict()["state"]
        return {f"{place}.{key}": _array(value) for place in state for key, value in state[place].items()}

    def _restore(self, kept: Kept, arrays: Arrays) -> None:
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        if isinstance(kept, nn.Module):
            kept.load_state_dict(tensors)
            return
        parameters = [parameter for group in kept.param_groups for parameter in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            place, _, entry = key.partition(".")
            like = parameters[int(place)]
            if value.shape == like.shape:  # the memory's layout is the parameter's: the order of sums depends on it
                value = torch.empty_like(like, dtype=value.dtype).copy_(value)
            state.setdefault(int(place), {})[entry] = value
        kept.load_state_dict({**kept.state_dict(), "state": state})

    def _hardware(self) -> dict[str, Any]:
        memory = {"peak_memory_bytes": torch.cuda.max_memory_allocated()} if self.device.type == "cuda" else {}
        precision = "bfloat16" if self.half else "float32"
        return {**memory, "precision": precision, "device": self.device.type, "ranks": self.ranks}

    def _agree(self, action: int) -> int:
        if self.ranks > 1:
            actions = torch.tensor(action, device=self.device)
            distributed.all_reduce(actions, distributed.ReduceOp.MAX)
            action = int(actions)
        return action

    def _write_log(self, row: Mapping[str, float]) -> None:
        if self._logs:
            for name, value in row.items():
                if name != "step":
                    self._logs.add_scalar(name, value, int(row["step"]))
            self._logs.flush()


def _array(value: Any) -> Any:
    return torch.as_tensor(value).detach().cpu().numpy()
