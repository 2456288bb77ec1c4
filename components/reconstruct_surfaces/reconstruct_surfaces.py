"""Codes and surfaces of known and unseen objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from components.reconstruct_surfaces import ReconstructSurfacesSettings
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.contracts.progress import track
from shapeyard.cpu import cores
from shapeyard.evaluation.measuring import evenly
from shapeyard.inference.implicit import CodeSearch, extract_surface, find_codes
from shapeyard.inference.implicit_models import load_decoder
from shapeyard.inference.observations import INPUTS, KNOWN, observe
from shapeyard.inference.surfaces import surface_arrays
from shapeyard.networks.code_decoder import CodeDecoder

SHARES = np.linspace(0, 1, 9)
"""Where between two codes the interpolated shapes are."""


def reconstruct_surfaces(
    sdf: Sequence[str | Path],
    model: str | Path,
    surfaces: str | Path,
    interpolations: str | Path,
    settings: ReconstructSurfacesSettings,
) -> None:
    """Find codes and extract their surfaces.

    Args:
        sdf: directories of kind sdf.
        model: of `train_deepsdf`.
        surfaces: the directory of kind surfaces to write: val and test from each of `INPUTS`, and evenly some of train
            from the codes of the training.
        interpolations: the same, for each of some test objects the shapes on the way to the next.
        settings: how.

    Raises:
        DatasetError: if an artifact is missing, broken or of another kind.
    """
    torch.set_num_threads(cores(settings.workers))
    data, decoder, known = Dataset(sdf, "sdf"), *load_decoder(Path(model))
    decoder.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    starts = torch.stack(list(known.values()))
    made: dict[str, Any] = {
        "stage": "reconstruct_surfaces", "parameters": settings.hyperparameters(), "skipped": data.skipped,
    }  # fmt: skip
    found: dict[str, Tensor] = {}
    with DatasetWriter(surfaces, "surfaces", **made) as writer:
        some = evenly([sample for sample in data.samples if sample.id in known], settings.known_objects)
        for sample in track(some, len(some), "known objects"):
            _write(writer, sample, {KNOWN: known[sample.id]}, decoder, settings.resolution)
        unseen = [*data.of_split("val"), *data.of_split("test")]
        for samples in track(_batches(unseen, settings.batch_size), -(-len(unseen) // settings.batch_size), "unseen"):
            codes = {name: _find(decoder, data, samples, name, starts, settings) for name in INPUTS}
            for place, sample in enumerate(samples):
                _write(writer, sample, {name: codes[name][place] for name in INPUTS}, decoder, settings.resolution)
                found[sample.id] = codes["samples"][place]
    pairs = list(pairwise(evenly(data.of_split("test"), settings.pairs + 1)))
    with DatasetWriter(interpolations, "surfaces", **made) as writer:
        for first, second in track(pairs, len(pairs), "interpolations"):
            between = {
                f"{share:.3f} {second.id}": torch.lerp(found[first.id], found[second.id], float(share))
                for share in SHARES
            }
            _write(writer, first, between, decoder, settings.resolution)
    data.close()


def _find(
    decoder: CodeDecoder, data: Dataset, samples: Sequence[Sample], name: str, starts: Tensor,
    settings: ReconstructSurfacesSettings,
) -> Tensor:  # fmt: skip
    search = CodeSearch(
        settings.search_steps, settings.search_samples, settings.search_learning_rate, settings.search_regularization,
        settings.seed,
    )  # fmt: skip
    return find_codes(decoder, [observe(data, sample.id, name, settings.seed) for sample in samples], starts, search)


def _write(
    writer: DatasetWriter, sample: Sample, codes: dict[str, Tensor], decoder: CodeDecoder, resolution: int
) -> None:
    meshes = [extract_surface(decoder, code, resolution) for code in codes.values()]
    arrays = surface_arrays(meshes, torch.stack(list(codes.values())).cpu().numpy())
    writer.add(sample, arrays, {"inputs": list(codes), "canonical_from_sdf": sample.attributes["canonical_from_sdf"]})


def _batches(samples: Sequence[Sample], size: int) -> Iterator[Sequence[Sample]]:
    return (samples[start : start + size] for start in range(0, len(samples), size))
