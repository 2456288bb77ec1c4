"""The training of a decoder of codes, from the first sample read to the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from components.train_deepsdf import TrainDeepsdfSettings
from components.train_deepsdf.scenes import Scenes
from shapeyard.contracts.dataset import Dataset
from shapeyard.contracts.measures import Measured
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.contracts.progress import report, track
from shapeyard.errors import DatasetError
from shapeyard.geometry.sdf_observations import SdfObservation, observe_samples
from shapeyard.inference.implicit import (
    CODES_FILE,
    CodeSearch,
    clamped_error,
    find_codes,
    improve_codes,
    observation_errors,
)
from shapeyard.inference.implicit_models import DECODERS, TITLES
from shapeyard.networks.code_decoder import CodeDecoder
from shapeyard.training.draws import Draw, cosine_rate
from shapeyard.training.loop import Training
from shapeyard.training.ranks import on_every_gpu

CODE_BOUND = 1.0
"""The longest that a code may be, as in the original's code."""
RAMP = 0.05
"""Share of the steps in which the regularization rises: 100 of the original's 2,001 epochs."""
HALVINGS = 4
"""The rates are halved after each quarter of the steps: after 500 of 2,001 epochs."""
WARMUP_STEPS = 50
VAL_SEARCH = CodeSearch(steps=100, samples=2048)
FIT_SAMPLES = 16_384
"""Of an object, by which a code is found when the decoder stands."""
AT_ONCE = 8


class AutoDecoder(nn.Module):
    """A decoder and the codes (N,C) of the shapes that it learns, which start at N(0, 1/C)."""

    def __init__(self, decoder: CodeDecoder, shapes: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.codes = nn.Parameter(torch.randn(shapes, decoder.code_length) * decoder.code_length**-0.5)


@on_every_gpu
def train_deepsdf(sdf: Sequence[str | Path], model: str | Path, settings: TrainDeepsdfSettings) -> Measured:
    """Train on the objects of the training split, and keep what finds the shapes of val best.

    Without an object in val the last weights are kept.

    Args:
        sdf: directories of kind sdf.
        model: the model directory to write; beside the weights codes.safetensors holds the codes of the training split
            in the order of the ids in config.json.
        settings: how.

    Returns:
        The figures of metrics.json.

    Raises:
        ParameterError: for a batch that the ranks can't share.
        DatasetError: for datasets that cannot be read, or without an object in the training split.
        TrainingError: if the loss is no longer finite, or after SIGTERM.
    """
    data = Dataset(sdf, "sdf")
    training = Training("train_deepsdf", settings, {"sdf": data.fingerprint}, bfloat16_on_cpu=False)
    scenes = Scenes(data, data.of_split("train"))
    val = Scenes(data, data.of_split("val")[: settings.val_objects])
    if not len(scenes):
        raise DatasetError(f"{data.paths[0]}: expected objects of the training split, found none")
    config, kind = _decoder_config(settings), DECODERS[settings.network]
    ids = [sample.id for sample in scenes.samples]
    folder = (
        Path(model)
        if training.rank
        else start_model(model, {"network": settings.network, "title": TITLES[settings.network], **config, "ids": ids})
    )

    decoder = kind(**config)
    both = training.place(AutoDecoder(decoder, len(scenes)))
    groups: list[dict[str, Any]] = [{"params": both.decoder.parameters()}, {"params": [both.codes]}]
    optimizer = torch.optim.Adam(groups, fused=True)
    training.resume({"network": both, "optimizer": optimizer}, logs=folder / "logs")

    def examples(draw: Draw) -> tuple[Tensor, Tensor]:
        drawn = zip(draw.indices, draw.rngs, strict=True)
        samples = np.stack([scenes.draw(int(index), settings.samples_per_scene, rng) for index, rng in drawn])
        return torch.from_numpy(draw.indices), torch.from_numpy(samples)  # (b,), (b,S,4)

    for step, (indices, samples) in training.batches(examples, len(scenes)):
        both.train()
        codes = both.codes[indices]  # (b,C)
        with training.autocast():
            estimate = both.decoder(codes, samples[..., :3])  # (b,S)
        error = clamped_error(estimate.float(), samples[..., 3]).mean()
        ramp = min(1.0, step / (RAMP * settings.steps))
        loss = error + settings.code_regularization * ramp * codes.norm(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        rate = _rate(settings, step)
        optimizer.param_groups[0]["lr"] = settings.learning_rate * rate
        optimizer.param_groups[1]["lr"] = settings.code_learning_rate * rate
        training.optimizer_step(optimizer, loss)
        with torch.no_grad():
            both.codes.renorm_(2, 0, CODE_BOUND)
        training.log(train_error=error.item())
        report(step, settings.steps, f"error {error.item():.5f}")
        if training.validates(step):
            row = training.means()
            if len(val):
                row["val_error"] = _validation_error(both, val, settings.seed)
            training.log_validation(step, row, -row["val_error"] if len(val) else None)
    if training.rank:
        return Measured({})

    training.restore_best()
    save_file(
        {name: value.contiguous() for name, value in both.decoder.state_dict().items()}, folder / "model.safetensors"
    )
    save_file({"codes": _refitted(both, scenes, settings).contiguous()}, folder / CODES_FILE)
    history = training.progress.history
    metrics: dict[str, Any] = {
        **{name: value for name, value in history[-1].items() if name != "step"},
        "objects": len(scenes),
        "validated_on": len(val),
        "parameters": sum(parameter.numel() for parameter in both.decoder.parameters()),
        "code_length": settings.code_length,
        **training.figures(),
    }
    finish_model(folder, history, metrics, [*scenes.samples, *val.samples])
    training.delete_checkpoint()
    data.close()
    return Measured(metrics)


def _decoder_config(settings: TrainDeepsdfSettings) -> dict[str, Any]:
    """The arguments of the network's class."""
    own: dict[str, Any] = {"dropout": settings.dropout}
    if settings.network == "triplane":
        own = {"features": settings.plane_features, "resolution": settings.plane_resolution}
    return {"code_length": settings.code_length, "width": settings.width, **own}


def _rate(settings: TrainDeepsdfSettings, step: int) -> float:
    """The share of both peak rates at a step, from 1 on."""
    warmup = min(WARMUP_STEPS, settings.steps // 5)
    if settings.schedule == "cosine":
        return cosine_rate(step - 1, settings.steps, warmup)
    return 0.5 ** (HALVINGS * (step - 1) // settings.steps) * min(1.0, step / max(warmup, 1))


def _validation_error(both: AutoDecoder, val: Scenes, seed: int) -> float:
    """The mean clamped error of the codes that are found for the objects of val."""
    observations = _observed(val, range(len(val)), np.random.default_rng([seed, 4]))
    both.eval()
    codes = find_codes(both.decoder, observations, both.codes.detach(), VAL_SEARCH)
    return float(observation_errors(both.decoder, codes, observations).mean())


def _refitted(both: AutoDecoder, scenes: Scenes, settings: TrainDeepsdfSettings) -> Tensor:
    """The codes (N,C) of the training, found once more.

    A code is seen once in as many steps as there are batches of scenes: it lags behind the decoder.
    """
    if not settings.refit_steps:
        return both.codes.detach()
    both.eval()
    rng = np.random.default_rng([settings.seed, 5])
    search = CodeSearch(steps=settings.refit_steps, samples=VAL_SEARCH.samples)
    found = []
    groups = [range(start, min(start + AT_ONCE, len(scenes))) for start in range(0, len(scenes), AT_ONCE)]
    for group in track(groups, len(groups), "codes"):
        codes = both.codes[group.start : group.stop]
        found.append(improve_codes(both.decoder, _observed(scenes, group, rng), codes, search))
    return torch.cat(found)


def _observed(scenes: Scenes, numbers: range, rng: np.random.Generator) -> list[SdfObservation]:
    drawn = (scenes.draw(number, FIT_SAMPLES, rng) for number in numbers)
    return [observe_samples(one[one[:, 3] >= 0], one[one[:, 3] < 0], FIT_SAMPLES, rng) for one in drawn]
