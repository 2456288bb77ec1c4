"""Surfaces from one view's true depth: 3D-RecGAN++ and a decoder of codes, both of the same 200 procedural chairs.

python benchmarks/one_view.py WORK      what `benchmarks/implicit.py unseen` wrote: its chairs and its decoder

Both see the first view that `render` makes of each of 20 chairs that neither was trained on. 3D-RecGAN++ is trained as
the preset `small` of `reconstruct` has it (no discriminator), on true depth and four times as long. Its
surface is that of the probabilities at the threshold that is best on 20 more chairs. Chamfer: `benchmarks/implicit.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from implicit import MEASURES, TEST, TRAIN, VAL, interval, median_and_mean, write_chairs
from numpy.typing import NDArray
from preparation import CORES, Clock, PresetSettings
from record import record

from components.reconstruct_surfaces import ReconstructSurfacesSettings
from components.render import RenderSettings
from components.train_recgan import TrainRecganSettings
from components.voxelize import VoxelizeSettings
from components.voxelize.voxelize import voxelize
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.contracts.model import read_config
from shapeyard.evaluation.table import EvaluationTable, Measurement, measurements
from shapeyard.geometry.cameras import generator_for
from shapeyard.geometry.frames import transform
from shapeyard.geometry.isosurface import isosurface, oriented_points
from shapeyard.geometry.sdf_observations import SdfObservation, observe_depth
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.inference.implicit import CodeSearch, extract_surface, find_codes
from shapeyard.inference.implicit_models import load_decoder
from shapeyard.inference.observations import OBSERVED_SAMPLES
from shapeyard.metrics.oriented_surface import POINTS, OrientedCloud, compare_surfaces

CODE, RECGAN = "implicit", "recgan"


@click.command(help=__doc__)
@click.argument("work", type=click.Path(exists=True, path_type=Path))
@click.option("--steps", default=4000, show_default=True, help="Of 3D-RecGAN++.")
@click.option("--record", "recorded", is_flag=True, help="Write the figures to benchmarks/results.")
def main(work: Path, steps: int, recorded: bool) -> None:
    folder = work / "one_view"
    spent = train(folder, steps)
    truth = Dataset([work / "sdf"], "sdf")
    made = Dataset([folder / "made"], "reconstructions")
    threshold = float(json.loads((folder / "model" / "metrics.json").read_text(encoding="utf-8"))["threshold"])
    codes = surfaces_of_codes(work / "model", Dataset([folder / "renders"], "renders"), truth)
    grids = surfaces_of_grids(made, truth, threshold)
    table = EvaluationTable(
        [row for name, found in ((CODE, codes), (RECGAN, grids)) for one in found for row in measure(truth, name, *one)]
    )
    for name in (CODE, RECGAN):
        means = "  ".join(f"{measure} {table.mean(name, measure):.3f}" for measure in MEASURES[:3])
        print(f"{name:10} median Chamfer {median_and_mean(values(table, name))}, means: {means}")
    difference = table.difference("chamfer", (CODE, None), (RECGAN, None))._asdict()
    print(f"{'':10} over 3D-RecGAN++ {interval(difference)}; {spent}")
    if recorded:
        record(
            "implicit-one-view", "implicit",
            f"Median Chamfer from one rendered view's true depth, {len(TEST)} unseen procedural chairs, `small`",
            median_and_mean(values(table, CODE)), command="python benchmarks/one_view.py runs/implicit/unseen",
            compared_with=f"3D-RecGAN++ without its discriminator, 64³ {median_and_mean(values(table, RECGAN))}",
            details=f"mean difference {interval(difference)}; 3D-RecGAN++: {spent}",
        )  # fmt: skip


def train(folder: Path, steps: int) -> str:
    """3D-RecGAN++ unless it is there; returns how long it took."""
    from components.render.render import render
    from components.train_recgan.train_recgan import train_recgan

    preset = PresetSettings("reconstruct", "small")
    meshes, renders, voxels, depths = (folder / kind for kind in ("meshes", "renders", "voxels", "depths"))
    if not (depths / "dataset.json").is_file():
        write_chairs(meshes, {"train": TRAIN, "val": VAL, "test": TEST})
        render(meshes, renders, preset.of(RenderSettings, workers=0))
        voxelize(meshes, voxels, preset.of(VoxelizeSettings, workers=0))
        copy_true_depth(renders, depths)
    if not (folder / "model" / "metrics.json").is_file():
        clock = Clock()
        settings = preset.of(TrainRecganSettings, depth_source="true", steps=steps, validate_every=max(steps // 8, 1))
        train_recgan([renders], depths, [voxels], folder / "model", folder / "made", settings)
        spent = f"{steps} steps in {clock.seconds() / 60:.1f} minutes"
        (folder / "spent.txt").write_text(spent, encoding="utf-8")
    assert read_config(folder / "model")["network"] == "recgan"
    return (folder / "spent.txt").read_text(encoding="utf-8")


def copy_true_depth(renders: Path, depths: Path) -> None:
    """As if a network had predicted it."""
    images = Dataset([renders], "renders")
    with DatasetWriter(depths, "depths", "train_depth", {}) as writer:
        for sample in images.samples:
            writer.add(sample, {"depth": images.read(sample.id, "depth")})
    images.close()


def surfaces_of_codes(model: Path, images: Dataset, truth: Dataset) -> Iterator[tuple[Sample, Mesh]]:
    """What the decoder makes of the first view of each test object."""
    settings = PresetSettings("implicit", "small").of(ReconstructSurfacesSettings)
    torch.set_num_threads(CORES)
    decoder, known = load_decoder(model)
    samples = truth.of_split("test")
    seen = [observe_view(images, sample, sdf_from_canonical(truth, sample)) for sample in samples]
    search = CodeSearch(
        settings.search_steps, settings.search_samples, settings.search_learning_rate, settings.search_regularization
    )
    codes = find_codes(decoder, seen, torch.stack(list(known.values())), search)
    return ((sample, extract_surface(decoder, code, 256)) for sample, code in zip(samples, codes, strict=True))


def observe_view(images: Dataset, sample: Sample, sdf_from_canonical: NDArray[np.float64]) -> SdfObservation:
    """The first view's depth, in the frame of the unit sphere."""
    depth, camera = images.read(sample.id, "depth", 0), images.read(sample.id, "world_from_camera", 0)
    scale = float(np.cbrt(np.linalg.det(sdf_from_canonical[:3, :3])))
    sdf_from_camera = sdf_from_canonical @ camera
    sdf_from_camera[:3, :3] = camera[:3, :3]  # the depth is scaled in its place
    rng = generator_for(0, sample.id)
    intrinsics = images.read(sample.id, "intrinsics").astype(np.float64)
    return observe_depth((depth * scale).astype(np.float32), intrinsics, sdf_from_camera, OBSERVED_SAMPLES, rng)


def surfaces_of_grids(made: Dataset, truth: Dataset, threshold: float) -> Iterator[tuple[Sample, Mesh]]:
    """What 3D-RecGAN++ makes of the first view of each test object."""
    for sample in truth.of_split("test"):
        surface = isosurface(made.read(sample.id, "probability", 0), 255 * threshold)
        sdf_from_cube = sdf_from_canonical(truth, sample) @ made.read(sample.id, "canonical_from_cube")[0]
        yield sample, Mesh(transform(sdf_from_cube, surface.vertices), surface.faces)


def sdf_from_canonical(truth: Dataset, sample: Sample) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.linalg.inv(np.array(truth[sample.id].attributes["canonical_from_sdf"]))
    return found


def measure(truth: Dataset, name: str, sample: Sample, surface: Mesh) -> list[Measurement]:
    true = truth.read(sample.id, "surface", slice(0, POINTS)).astype(np.float64)
    made = OrientedCloud(*oriented_points(surface, POINTS, generator_for(0, sample.id)))
    return measurements(sample, None, name, compare_surfaces(made, OrientedCloud(true[:, :3], true[:, 3:]))._asdict())


def values(table: EvaluationTable, name: str) -> Any:
    return np.array([row.value for row in table.rows(name, "chamfer")])


if __name__ == "__main__":
    main()
