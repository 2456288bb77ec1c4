"""The training of the voxel reconstructor, from the first view lifted to the last shape written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file

from components.checkpoints import Kept
from components.ranks import join, on_every_gpu
from components.train_recgan.model import CRITICS, Discriminator, Generator, halvings, mix_size
from components.train_recgan.pairs import DEPTH_SOURCES, FRAMING, LiftedViews, Pairs
from components.train_recgan.published_pairs import fingerprint_of_pairs, published_pairs
from components.train_recgan.reconstruct import (
    Shown,
    agreement,
    shown_pairs,
    shown_views,
    write_reconstructions,
)
from components.train_recgan.step import Part, Weights, add_gradients, in_parts
from components.training import Training
from shapeyard.contracts.dataset import Dataset, Skipped
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report
from shapeyard.errors import DatasetError, require
from shapeyard.formats import recgan_pairs
from shapeyard.training import Draw, cosine_rate

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
    fingerprint: str
    """a hash of all that the training reads"""


@on_every_gpu
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
    patience: int = 0,
    checkpoints: str = "",
    checkpoint_minutes: float = 10.0,
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
        critic_start: steps before the critic joins in, fewer than `steps` where there is one; with it a step takes
            three times as long.
        penalty: the weight of the gradient penalty.
        mirror: show every other pair as its mirror image.
        views_per_object: views of a val or test sample that are validated and reconstructed; 0 for all.
        cache_megabytes: training pairs that take no more are kept once made.
        validate_every: steps from one validation to the next.
        patience: validations without a better one after which the training ends; 0 for never.
        checkpoints: folder or s3://bucket/prefix for what is needed to go on after an interruption; empty for none.
        checkpoint_minutes: from one checkpoint to the next.
        seed: of the first weights, of the order and of the mirroring.
        workers: threads; 0 for all cores.

    Returns:
        The figures of metrics.json.

    Raises:
        ParameterError: for a parameter out of range.
        TrainingError: if it diverges, or is told to end.
        DatasetError: for datasets that cannot be read, or without a visible object in the training split.
        FormatError: for pairs that are missing or cannot be read.
    """
    learned_by: dict[str, Any] = {
        "depth_source": depth_source, "input_resolution": input_resolution, "width": width, "bottleneck": bottleneck,
        "accumulate": accumulate, "learning_rate": learning_rate, "critic_learning_rate": critic_learning_rate,
        "occupied_weight": occupied_weight, "floor": floor, "adversarial": adversarial, "critic": critic,
        "critic_start": critic_start, "penalty": penalty, "mirror": mirror, "views_per_object": views_per_object,
        "validate_every": validate_every,
    }  # fmt: skip
    _check(steps=steps, **learned_by)
    require(cache_megabytes >= 0, f"expected cache_megabytes of at least 0, got {cache_megabytes}")
    if pairs:
        data = _published(pairs, input_resolution, cache_megabytes)
    else:
        require(depths is not None, "expected renders, depths and voxels, or pairs")
        inputs = Dataset(renders, "renders"), Dataset([depths or ""], "depths"), Dataset(voxels, "voxels")
        data = _views(*inputs, depth_source, input_resolution, views_per_object, cache_megabytes, join().device)
    if not len(data.train):
        raise DatasetError(f"{data.place}: expected visible objects in the training split, found none")
    training = Training(
        "train_recgan", steps, batch_size, seed=seed, workers=workers, patience=patience, checkpoints=checkpoints,
        checkpoint_minutes=checkpoint_minutes, belongs_to={"data": data.fingerprint, **learned_by},
    )  # fmt: skip
    share = batch_size // training.ranks
    require(accumulate <= share, f"expected accumulate of at most the {share} views of a batch, got {accumulate}")
    some = np.random.default_rng(seed).permutation(len(data.val))[:VALIDATION_VIEWS].tolist()

    generator = training.place(Generator(input_resolution, width, bottleneck, recompute), torch.channels_last_3d)
    judge = training.place(Discriminator(input_resolution, width, critic, recompute), torch.channels_last_3d)
    optimizer = torch.optim.Adam(generator.parameters(), lr=learning_rate, fused=True)
    judge_optimizer = torch.optim.Adam(judge.parameters(), lr=critic_learning_rate, fused=True)
    size = {"input_resolution": input_resolution, "width": width, "bottleneck": bottleneck}
    folder = (
        Path(model) if training.rank else start_model(model, {"network": "recgan", **size, "framing": data.framing})
    )
    kept: dict[str, Kept] = {"generator": generator, "optimizer": optimizer}
    if adversarial:
        kept |= {"critic": judge, "critic_optimizer": judge_optimizer}
    training.resume(kept, folder / "logs")
    weights = Weights(occupied_weight, floor, adversarial, penalty)
    precision = torch.bfloat16 if training.half else torch.float32
    warmup = min(WARMUP_STEPS, steps // 5)

    def examples(draw: Draw) -> tuple[torch.Tensor, ...]:
        return data.train.batch(draw.indices, np.array([mirror and rng.random() < 0.5 for rng in draw.rngs]))

    for step, (grids, shapes) in training.batches(examples, len(data.train)):
        contested = bool(adversarial) and step > critic_start
        mix = torch.rand(mix_size(critic, shapes), device=shapes.device)  # seeded for each step
        optimizer.zero_grad()
        judge_optimizer.zero_grad()
        parts = [
            add_gradients(generator, judge if contested else None, part, weights, len(part.grids) / share, precision)
            for part in in_parts(Part(grids, shapes, mix), accumulate)
        ]
        entropy = torch.stack([losses.entropy for losses in parts]).sum()
        training.note(
            train_loss=training.descend(optimizer, entropy, learning_rate * cosine_rate(step - 1, steps, warmup))
        )
        if contested:
            advantage = torch.stack([losses.advantage for losses in parts]).sum()
            training.note(critic_advantage=training.descend(judge_optimizer, advantage))
        best = training.progress.best_score
        report(step, steps, f"loss {entropy.item():.4f}" + (f", val IoU {best:.3f}" if best >= 0 else ""))
        if training.due(step, validate_every):
            row = training.means()
            if some:
                reached = agreement(generator, data.val, some, batch_size, precision)
                row |= {"val_iou": reached.iou, "threshold": reached.threshold}
            training.record(step, row, row.get("val_iou"))
    training.keep_best()
    if training.rank:
        return {}

    every = agreement(generator, data.val, range(len(data.val)), batch_size, precision)
    threshold = every.threshold if every.views else DEFAULT_THRESHOLD
    save_file(
        {name: value.contiguous() for name, value in generator.state_dict().items()}, folder / "model.safetensors"
    )
    made_with = {**size, "framing": data.framing, "steps": steps, "batch_size": batch_size, "seed": seed}
    write_reconstructions(
        generator, data.shown, data.shown_count, reconstructions, threshold, batch_size, precision, made_with,
        data.skipped,
    )  # fmt: skip
    metrics: dict[str, Any] = {
        **({"val_iou": every.iou} if every.views else {}),
        "threshold": threshold,
        "validated_on": every.views,
        **_test_figures(generator, data, threshold, batch_size, precision),
        "framing": data.framing,
        "pairs": len(data.train),
        "parameters": sum(p.numel() for p in generator.parameters()),
        "critic_parameters": sum(p.numel() for p in judge.parameters()) if adversarial else 0,
        **training.figures(),
    }
    finish_model(folder, training.progress.history, metrics)
    training.delete_checkpoint()
    return metrics


def _check(input_resolution: int, depth_source: str, critic: str, **values: float) -> None:
    """Raise `ParameterError` for what is out of its range."""
    halvings(input_resolution)
    require(depth_source in DEPTH_SOURCES, f"expected depth_source {', '.join(DEPTH_SOURCES)}, got {depth_source}")
    require(critic in CRITICS, f"expected a critic of the form {' or '.join(CRITICS)}, got {critic}")
    for name in ("width", "bottleneck", "accumulate", "validate_every"):
        require(values[name] >= 1, f"expected {name} of at least 1, got {values[name]}")
    for name in ("critic_start", "penalty", "views_per_object"):
        require(values[name] >= 0, f"expected {name} of at least 0, got {values[name]}")
    steps, start = values["steps"], values["critic_start"]
    require(
        start < max(steps, 1) or not values["adversarial"],
        f"critic_start: expected fewer than the {steps} steps, or adversarial 0 for a training without a critic, "
        f"got {start}",
    )
    for name in ("learning_rate", "critic_learning_rate"):
        require(values[name] > 0, f"expected {name} above 0, got {values[name]}")
    for name in ("adversarial", "floor"):
        require(0 <= values[name] < 1, f"expected {name} from 0 to below 1, got {values[name]}")
    weight = values["occupied_weight"]
    require(0 < weight < 1, f"expected occupied_weight between 0 and 1, got {weight}")


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
    fingerprint = " ".join(dataset.fingerprint for dataset in (renders, depths, voxels))
    kept = Pairs(train, cache_megabytes), Pairs(val, cache_megabytes)
    return Data(*kept, None, shown, count, renders.skipped, FRAMING, str(renders.paths[0]), fingerprint)


def _published(folder: str | Path, resolution: int, cache_megabytes: int) -> Data:
    """The pairs that the network was published with."""
    splits = published_pairs(folder, resolution)
    held_out = [splits["val"], splits["test"]]
    kept = {name: Pairs(source, cache_megabytes) for name, source in splits.items()}
    count = sum(len(source.objects) for source in held_out)
    return Data(
        kept["train"], kept["val"], kept["test"], shown_pairs(held_out), count, (), recgan_pairs.FRAMING, str(folder),
        fingerprint_of_pairs(splits),
    )  # fmt: skip


def _test_figures(
    generator: Generator, data: Data, threshold: float, batch_size: int, precision: torch.dtype
) -> dict[str, float]:
    """The IoU on test where it can't be measured by another stage, at the threshold chosen on val."""
    if data.test is None or not len(data.test):
        return {}
    reached = agreement(generator, data.test, range(len(data.test)), batch_size, precision, np.array([threshold]))
    return {"test_iou": reached.iou, "tested_on": reached.views}
