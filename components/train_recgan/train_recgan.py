"""The training of the voxel reconstructor, from the first view lifted to the last shape written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file

from components.train_recgan import TrainRecganSettings
from components.train_recgan.adversarial_step import Part, Weights, add_gradients, in_parts
from components.train_recgan.pairs import LiftedViews, Pairs
from components.train_recgan.published_pairs import fingerprint_of_pairs, published_pairs
from components.train_recgan.reconstructions import (
    Shown,
    best_iou,
    shown_pairs,
    shown_views,
    write_reconstructions,
)
from shapeyard.contracts.dataset import Dataset, Sample, Skipped
from shapeyard.contracts.measures import Measured
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report
from shapeyard.errors import DatasetError, require
from shapeyard.formats import recgan_pairs
from shapeyard.inference.completion import FRAMING
from shapeyard.networks.recgan import Discriminator, Generator, mix_size
from shapeyard.training.draws import Draw, cosine_rate
from shapeyard.training.loop import Kept, Training
from shapeyard.training.ranks import join, on_every_gpu

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
    used: Sequence[Sample]
    """what is trained and validated on, as far as anything is known of it"""


@on_every_gpu
def train_recgan(
    renders: Sequence[str | Path],
    depths: str | Path | None,
    voxels: Sequence[str | Path],
    model: str | Path,
    reconstructions: str | Path,
    settings: TrainRecganSettings,
) -> Measured:
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
        settings: how; with `pairs` the three datasets are not needed.

    Returns:
        The figures of metrics.json.

    Raises:
        ParameterError: if there are neither the datasets nor pairs.
        TrainingError: if it diverges, or is told to end.
        DatasetError: for datasets that cannot be read, or without a visible object in the training split.
        FormatError: for pairs that are missing or cannot be read.
    """
    if settings.pairs:
        data = _published(settings)
    else:
        require(depths is not None, "expected renders, depths and voxels, or pairs")
        inputs = Dataset(renders, "renders"), Dataset([depths or ""], "depths"), Dataset(voxels, "voxels")
        data = _views(*inputs, settings, join().device)
    if not len(data.train):
        raise DatasetError(f"{data.place}: expected visible objects in the training split, found none")
    training = Training("train_recgan", settings, {"data": data.fingerprint})
    accumulate, batch_size, share = settings.accumulate, settings.batch_size, settings.batch_size // training.ranks
    require(accumulate <= share, f"accumulate: expected at most the {share} views of a batch, got {accumulate}")
    some = np.random.default_rng(settings.seed).permutation(len(data.val))[:VALIDATION_VIEWS].tolist()

    size = {
        "input_resolution": settings.input_resolution, "width": settings.width, "bottleneck": settings.bottleneck,
    }  # fmt: skip
    generator = training.place(Generator(**size, recompute=settings.recompute), torch.channels_last_3d)
    discriminator = training.place(
        Discriminator(settings.input_resolution, settings.width, settings.discriminator, settings.recompute),
        torch.channels_last_3d,
    )
    optimizer = torch.optim.Adam(generator.parameters(), lr=settings.learning_rate, fused=True)
    discriminator_optimizer = torch.optim.Adam(
        discriminator.parameters(), lr=settings.discriminator_learning_rate, fused=True
    )
    config = {"network": "recgan", **size, "framing": data.framing}
    folder = Path(model) if training.rank else start_model(model, config)
    kept: dict[str, Kept] = {"generator": generator, "optimizer": optimizer}
    if settings.adversarial:
        kept |= {"discriminator": discriminator, "discriminator_optimizer": discriminator_optimizer}
    training.resume(kept, folder / "logs")
    weights = Weights(settings.occupied_weight, settings.floor, settings.adversarial, settings.gradient_penalty)
    precision = torch.bfloat16 if training.half else torch.float32
    warmup = min(WARMUP_STEPS, settings.steps // 5)

    def examples(draw: Draw) -> tuple[torch.Tensor, ...]:
        return data.train.batch(draw.indices, np.array([settings.mirror and rng.random() < 0.5 for rng in draw.rngs]))

    for step, (grids, shapes) in training.batches(examples, len(data.train)):
        adversarial_step = bool(settings.adversarial) and step > settings.discriminator_start
        mix = torch.rand(mix_size(settings.discriminator, shapes), device=shapes.device)  # seeded for each step
        optimizer.zero_grad()
        discriminator_optimizer.zero_grad()
        opponent = discriminator if adversarial_step else None
        parts = [
            add_gradients(generator, opponent, part, weights, len(part.grids) / share, precision)
            for part in in_parts(Part(grids, shapes, mix), accumulate)
        ]
        entropy = torch.stack([losses.entropy for losses in parts]).sum()
        rate = settings.learning_rate * cosine_rate(step - 1, settings.steps, warmup)
        training.log(train_loss=training.optimizer_step(optimizer, entropy, rate))
        if adversarial_step:
            distance = torch.stack([losses.wasserstein_distance for losses in parts]).sum()
            training.log(wasserstein_distance=training.optimizer_step(discriminator_optimizer, distance))
        best = training.progress.best_score
        report(step, settings.steps, f"loss {entropy.item():.4f}" + (f", val IoU {best:.3f}" if best >= 0 else ""))
        if training.validates(step):
            row = training.means()
            if some:
                reached = best_iou(generator, data.val, some, batch_size, precision)
                row |= {"val_iou": reached.iou, "threshold": reached.threshold}
            training.log_validation(step, row, row.get("val_iou"))
    training.restore_best()
    if training.rank:
        return Measured({})

    every = best_iou(generator, data.val, range(len(data.val)), batch_size, precision)
    threshold = every.threshold if every.views else DEFAULT_THRESHOLD
    save_file(
        {name: value.contiguous() for name, value in generator.state_dict().items()}, folder / "model.safetensors"
    )
    made_with = {**settings.hyperparameters(), "framing": data.framing}
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
        "discriminator_parameters": sum(p.numel() for p in discriminator.parameters()) if settings.adversarial else 0,
        **training.figures(),
    }
    finish_model(folder, training.progress.history, metrics, data.used)
    training.delete_checkpoint()
    return Measured(metrics)


def _views(
    renders: Dataset, depths: Dataset, voxels: Dataset, settings: TrainRecganSettings, device: torch.device
) -> Data:
    """Views of the datasets."""
    resolution, views = settings.input_resolution, settings.views_per_object
    chosen = {"predicted": [depths], "true": [renders], "both": [renders, depths]}[settings.depth_source]
    train = LiftedViews(renders, chosen, voxels, renders.of_split("train"), resolution, device=device)
    val = LiftedViews(renders, [depths], voxels, renders.of_split("val"), resolution, views, device)
    shown = shown_views(renders, depths, resolution, views)
    count = sum(sample.split != "train" for sample in renders.samples)
    fingerprint = " ".join(dataset.fingerprint for dataset in (renders, depths, voxels))
    kept = Pairs(train, settings.cache_megabytes), Pairs(val, settings.cache_megabytes)
    used = renders.of_split("train") + renders.of_split("val")
    return Data(*kept, None, shown, count, renders.skipped, FRAMING, str(renders.paths[0]), fingerprint, used)


def _published(settings: TrainRecganSettings) -> Data:
    """The pairs that the network was published with."""
    splits = published_pairs(settings.pairs, settings.input_resolution)
    held_out = [splits["val"], splits["test"]]
    kept = {name: Pairs(source, settings.cache_megabytes) for name, source in splits.items()}
    count = sum(len(source.objects) for source in held_out)
    return Data(
        kept["train"], kept["val"], kept["test"], shown_pairs(held_out), count, (), recgan_pairs.FRAMING,
        settings.pairs, fingerprint_of_pairs(splits), (),
    )  # fmt: skip


def _test_figures(
    generator: Generator, data: Data, threshold: float, batch_size: int, precision: torch.dtype
) -> dict[str, float]:
    """The IoU on test where it can't be measured by another stage, at the threshold chosen on val."""
    if data.test is None or not len(data.test):
        return {}
    reached = best_iou(generator, data.test, range(len(data.test)), batch_size, precision, np.array([threshold]))
    return {"test_iou": reached.iou, "tested_on": reached.views}
