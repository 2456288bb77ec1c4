"""The training of the voxel reconstructor, from the first view lifted to the last shape written."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from components.train_recgan.model import CRITICS, Discriminator, Generator, halvings, mix_size
from components.train_recgan.pairs import DEPTH_SOURCES, FRAMING, LiftedViews, Pairs
from components.train_recgan.published_pairs import published_pairs
from components.train_recgan.reconstruct import (
    Agreement,
    Shown,
    agreement,
    shown_pairs,
    shown_views,
    write_reconstructions,
)
from components.train_recgan.step import Losses, Weights, add_gradients
from shapeyard.contracts.dataset import Dataset, Skipped
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report
from shapeyard.errors import DatasetError, require
from shapeyard.formats import recgan_pairs
from shapeyard.training import cores, cosine_rate

DEFAULT_THRESHOLD = 0.5  # where there is no val to choose it on
WARMUP_STEPS = 50  # Adam's first steps are as large as its rate, whatever the gradient
VALIDATION_VIEWS = 128  # enough for a mean that ranks weights; the last validation takes all


class Data(NamedTuple):
    """What is trained and validated on, and what is reconstructed in the end."""

    train: Pairs
    val: Pairs
    test: Pairs | None
    """where no other stage can measure it"""
    shown: Iterator[Shown]
    shown_count: int
    skipped: Sequence[Skipped]
    framing: str
    place: str
    """for messages"""


def train_recgan(
    renders: Sequence[str | Path],
    depths: str | Path | None,
    voxels: Sequence[str | Path],
    model: str | Path,
    reconstructions: str | Path,
    *,
    pairs: str | Path = "",
    depth_source: str = "predicted",
    input_resolution: int = 64,
    width: int = 64,
    bottleneck: int = 2000,
    steps: int = 50_000,
    batch_size: int = 4,
    accumulate: int = 1,
    recompute: bool = False,
    learning_rate: float = 1e-4,
    critic_learning_rate: float = 5e-5,
    occupied_weight: float = 0.85,
    floor: float = 0.01,
    adversarial: float = 0.2,
    critic: str = "scaled",
    critic_start: int = 0,
    penalty: float = 10.0,
    mirror: bool = True,
    views_per_object: int = 0,
    cache_megabytes: int = 2000,
    validate_every: int = 2000,
    seed: int = 0,
    workers: int = 0,
) -> dict[str, Any]:
    """Train on the views of the training split, keep the weights that are best on val, reconstruct val and test.

    Validated and reconstructed are grids from predicted depth, as those of a photograph would be, whatever depth the
    training sees. Without a sample in val the last weights are kept, and nothing is validated: metrics.json has no
    `val_iou`.

    Args:
        renders: directories of kind renders, for the cameras and the true depth.
        depths: directory of kind depths.
        voxels: directories of kind voxels, for the truth.
        model: the model directory to write: the generator.
        reconstructions: the directory of kind reconstructions to write.
        pairs: folder of the pairs that 3D-RecGAN++ was published with, to train on instead of the three above.
        depth_source: the depth that training grids are lifted by: predicted, true, or both, a grid from each.
        input_resolution: voxels along the 2.5D grid, R; the shapes have 4R.
        width: channels of the encoder's first level.
        bottleneck: units of the dense layer in the middle.
        steps: batches to train on.
        batch_size: views in a batch.
        accumulate: parts that a batch goes through the networks in.
        recompute: keep each layer's input alone for the backward pass, for less memory and more time.
        learning_rate: the generator's peak; it rises over the first steps and falls to 0 along a cosine.
        critic_learning_rate: the discriminator's, constant.
        occupied_weight: of occupied voxels in the cross entropy, above 0 and below 1.
        floor: the least probability in the cross entropy, 0 to below 1.
        adversarial: the critic's share of the generator's loss, 0 to 1; at 0 there is no critic.
        critic: its form, scaled or paper; see model.py.
        critic_start: steps before the critic joins in; with it a step takes three times as long.
        penalty: the weight of the gradient penalty.
        mirror: show every other pair as its mirror image.
        views_per_object: views of a val or test sample that are validated and reconstructed; 0 for all.
        cache_megabytes: training pairs that take no more are kept once made.
        validate_every: steps from one validation to the next.
        seed: of the first weights, of the order and of the mirroring.
        workers: threads; 0 for all cores.

    Returns:
        The figures of metrics.json.

    Raises:
        ParameterError: for a parameter out of range.
        DatasetError: for datasets that cannot be read, or without a visible object in the training split.
        FormatError: for pairs that are missing or cannot be read.
    """
    whole = {"width": width, "bottleneck": bottleneck, "steps": steps, "batch_size": batch_size}
    for name, value in {**whole, "accumulate": accumulate, "validate_every": validate_every}.items():
        require(value >= 1, f"expected {name} of at least 1, got {value}")
    fits = batch_size % accumulate == 0
    require(fits, f"expected a batch_size that {accumulate} parts share evenly, got {batch_size}")
    require(min(learning_rate, critic_learning_rate) > 0, "expected learning rates above 0")
    require(0 < occupied_weight < 1, f"expected occupied_weight between 0 and 1, got {occupied_weight}")
    for name, share in {"adversarial": adversarial, "floor": floor}.items():
        require(0 <= share < 1, f"expected {name} from 0 to below 1, got {share}")
    atleast = {"critic_start": critic_start, "penalty": penalty, "views_per_object": views_per_object, "seed": seed}
    for name, least in {**atleast, "cache_megabytes": cache_megabytes}.items():
        require(least >= 0, f"expected {name} of at least 0, got {least}")
    require(depth_source in DEPTH_SOURCES, f"expected depth_source {', '.join(DEPTH_SOURCES)}, got {depth_source}")
    require(critic in CRITICS, f"expected a critic of the form {' or '.join(CRITICS)}, got {critic}")
    halvings(input_resolution)
    torch.set_num_threads(cores(workers))
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = torch.bfloat16 if device.type == "cuda" else torch.float32

    if pairs:
        data = _published(pairs, input_resolution, cache_megabytes)
    else:
        require(depths is not None, "expected renders, depths and voxels, or pairs")
        inputs = Dataset(renders, "renders"), Dataset([depths or ""], "depths"), Dataset(voxels, "voxels")
        data = _views(*inputs, depth_source, input_resolution, views_per_object, cache_megabytes, device)
    if not len(data.train):
        raise DatasetError(f"{data.place}: expected visible objects in the training split, found none")
    some = np.random.default_rng(seed).permutation(len(data.val))[:VALIDATION_VIEWS].tolist()

    generator = Generator(input_resolution, width, bottleneck, recompute).to(device)
    judge = Discriminator(input_resolution, width, critic, recompute).to(device) if adversarial else None
    networks: list[torch.nn.Module] = [generator] if judge is None else [generator, judge]
    for network in networks:
        network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # the stubs lack it
    size = {"input_resolution": input_resolution, "width": width, "bottleneck": bottleneck}
    folder = start_model(model, {"network": "recgan", **size, "framing": data.framing})
    warmup = min(WARMUP_STEPS, steps // 5)
    optimizer = torch.optim.Adam(generator.parameters(), lr=learning_rate)
    judge_optimizer = torch.optim.Adam(judge.parameters(), lr=critic_learning_rate) if judge else None
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine_rate(step, steps, warmup))
    weights = Weights(occupied_weight, floor, adversarial, penalty)
    best, best_step, best_weights = Agreement(-1.0, DEFAULT_THRESHOLD), steps, generator.state_dict()
    history: list[dict[str, float]] = []
    sums: list[Losses] = []
    started, validating = time.monotonic(), 0.0
    for step in range(1, steps + 1):
        grids, shapes = (x.to(device) for x in batch_of_step(data.train, seed, step, batch_size, mirror))
        contested = judge if step > critic_start else None
        mix = None if contested is None else mix_of_step(seed, step, critic, shapes)
        optimizer.zero_grad()
        if judge_optimizer:
            judge_optimizer.zero_grad()
        for part in range(accumulate):
            rows = slice(part * batch_size // accumulate, (part + 1) * batch_size // accumulate)
            sums.append(
                add_gradients(
                    generator, contested, grids[rows], shapes[rows], None if mix is None else mix[rows], weights,
                    1 / accumulate, precision,
                )
            )  # fmt: skip
        optimizer.step()
        schedule.step()
        if judge_optimizer and contested is not None:
            judge_optimizer.step()
        entropy = sums[-1].entropy.item()
        require(np.isfinite(entropy), f"the loss is no longer finite at step {step}: lower learning_rate")
        report(step, steps, f"loss {entropy:.4f}" + (f", val IoU {best.iou:.3f}" if best.iou >= 0 else ""))
        if step % validate_every == 0 or step == steps:
            row = {"step": step, "train_loss": _mean([losses.entropy for losses in sums])}
            if advantages := [losses.advantage for losses in sums if losses.advantage is not None]:
                row["critic_advantage"] = _mean(advantages)
            sums.clear()
            pause = time.monotonic()
            if some:
                reached = agreement(generator, data.val, some, batch_size, precision)
                row |= {"val_iou": reached.iou, "threshold": reached.threshold}
                if reached.iou > best.iou:
                    best, best_step, best_weights = reached, step, copy.deepcopy(generator.state_dict())
            validating += time.monotonic() - pause
            history.append(row)
    seconds = time.monotonic() - started

    generator.load_state_dict(best_weights)
    if some:
        best = agreement(generator, data.val, range(len(data.val)), batch_size, precision)
    save_file(
        {name: value.contiguous() for name, value in generator.state_dict().items()}, folder / "model.safetensors"
    )
    made_with = {**size, "framing": data.framing, "steps": steps, "batch_size": batch_size, "seed": seed}
    write_reconstructions(
        generator, data.shown, data.shown_count, reconstructions, best.threshold, batch_size, precision, made_with,
        data.skipped,
    )  # fmt: skip
    metrics: dict[str, Any] = {
        **({"val_iou": best.iou} if best.views else {}),
        "threshold": best.threshold,
        "validated_on": best.views,
        **_test_figures(generator, data, best.threshold, batch_size, precision),
        "framing": data.framing,
        "kept_step": best_step,
        "steps": steps,
        "pairs": len(data.train),
        "parameters": sum(p.numel() for p in generator.parameters()),
        "critic_parameters": sum(p.numel() for p in judge.parameters()) if judge and critic_start < steps else 0,
        "seconds": round(seconds, 2),
        "samples_per_second": round(steps * batch_size / (seconds - validating), 2),
        "device": device.type,
    }
    finish_model(folder, history, metrics)
    return metrics


def batch_of_step(pairs: Pairs, seed: int, step: int, batch_size: int, mirror: bool) -> tuple[Tensor, Tensor]:
    """The batch that a step learns from, see `Pairs.batch`: a function of the seed and the step alone."""
    places = np.arange((step - 1) * batch_size, step * batch_size)
    epochs = np.arange(places[0] // len(pairs), places[-1] // len(pairs) + 1)
    order = np.concatenate([np.random.default_rng([seed, 0, epoch]).permutation(len(pairs)) for epoch in epochs])
    indices = order[places - epochs[0] * len(pairs)]
    return pairs.batch(indices, mirror & (np.random.default_rng([seed, 1, step]).random(batch_size) < 0.5))


def mix_of_step(seed: int, step: int, form: str, shapes: Tensor) -> Tensor:
    """How true and made shapes are mixed for the penalty in a step, see `gradient_penalty`; of seed and step alone."""
    generator = torch.Generator(shapes.device).manual_seed(int(np.random.default_rng([seed, 2, step]).integers(2**62)))
    return torch.rand(mix_size(form, shapes), generator=generator, device=shapes.device)


def _views(
    renders: Dataset,
    depths: Dataset,
    voxels: Dataset,
    depth_source: str,
    resolution: int,
    views_per_object: int,
    cache_megabytes: int,
    device: torch.device,
) -> Data:
    """Views of the datasets."""
    chosen = {"predicted": [depths], "true": [renders], "both": [renders, depths]}[depth_source]
    train = LiftedViews(renders, chosen, voxels, renders.of_split("train"), resolution, device=device)
    val = LiftedViews(renders, [depths], voxels, renders.of_split("val"), resolution, views_per_object, device)
    shown = shown_views(renders, depths, resolution, views_per_object)
    count = sum(sample.split != "train" for sample in renders.samples)
    kept = Pairs(train, cache_megabytes), Pairs(val, cache_megabytes)
    return Data(*kept, None, shown, count, renders.skipped, FRAMING, str(renders.paths[0]))


def _published(folder: str | Path, resolution: int, cache_megabytes: int) -> Data:
    """The pairs that the network was published with."""
    splits = published_pairs(folder, resolution)
    held_out = [splits["val"], splits["test"]]
    kept = {name: Pairs(source, cache_megabytes) for name, source in splits.items()}
    count = sum(len(source.objects) for source in held_out)
    return Data(
        kept["train"], kept["val"], kept["test"], shown_pairs(held_out), count, (), recgan_pairs.FRAMING, str(folder)
    )


def _test_figures(
    generator: Generator, data: Data, threshold: float, batch_size: int, precision: torch.dtype
) -> dict[str, float]:
    """The IoU on test where it can't be measured by another stage, at the threshold chosen on val."""
    if data.test is None or not len(data.test):
        return {}
    reached = agreement(generator, data.test, range(len(data.test)), batch_size, precision, np.array([threshold]))
    return {"test_iou": reached.iou, "tested_on": reached.views}


def _mean(values: Sequence[Tensor]) -> float:
    return float(torch.stack(list(values)).mean())
