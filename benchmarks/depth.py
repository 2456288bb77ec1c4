"""Depth from one image on held-out test objects: `python benchmarks/depth.py FOLDER [--param depth_steps=9000 …]`.

Objects of the procedural catalogue are rendered, the U-Net is trained on the training split, the best weights are
chosen on the validation split, and the test split is measured as `evaluate` does. The sizes are those of the preset
`small` but for the numbers below; --param changes any of them. FOLDER keeps the renders, and a checkpoint from which an
interrupted training goes on. The target on time is for two cores without a GPU: 40 minutes are 4,800 CPU seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from preparation import CORES, Clock, PresetSettings, prepare
from tables import print_figures

from components.render import RenderSettings
from components.train_depth import TrainDepthSettings
from components.train_depth.train_depth import train_depth
from shapeyard.contracts.dataset import Dataset
from shapeyard.errors import DatasetError
from shapeyard.evaluation.depth_maps import CONSTANT, DEPTH, mean_training_depth, measure_depth
from shapeyard.evaluation.table import EvaluationTable
from shapeyard.sources.selection import Selection

CATALOGUE = "procedural://?objects={}&seed=0&classes=chair,table,sofa,shelf,lamp,bed,cup,bottle"
LONGER = ("render_views=6", "depth_width=24", "depth_steps=16000", "depth_batch_size=8", "depth_validate_every=2000",
          "depth_learning_rate=0.0015")  # fmt: skip


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--objects", default=1500, show_default=True)
@click.option("--param", "changes", multiple=True, help="name=value of a parameter of the preset; several times.")
def main(folder: Path, objects: int, changes: tuple[str, ...]) -> None:
    """Print a table of figures, their targets, and whether these are met."""
    preset = PresetSettings("reconstruct", "small", [*LONGER, *changes])
    rendering = preset.of(RenderSettings)
    size = f"{rendering.views}x{rendering.image_size}-{rendering.samples}"
    data = prepare(Selection(CATALOGUE.format(objects)), folder / f"data-{objects}-{size}", rendering)

    settings = preset.of(TrainDepthSettings, checkpoints=str(folder / "checkpoints"))
    clock = Clock()
    trained = train_depth([str(data / "renders")], str(folder / "model"), str(folder / "depths"), settings).figures
    print(json.dumps({**settings.hyperparameters(), **trained, "cpu_seconds": round(clock.cpu_seconds()),
                      "wall_seconds": round(clock.seconds())}))  # fmt: skip
    measure(data / "renders", folder / "depths", trained, clock.cpu_seconds())


def measure(renders: Path, depths: Path, trained: Mapping[str, Any], cpu: float) -> None:
    """Print the figures of the test split."""
    images, predicted = Dataset([renders], "renders"), Dataset([depths], "depths")
    test = images.of_split("test")
    if not test:
        raise DatasetError(f"{renders}: expected samples in the test split")
    table = EvaluationTable(measure_depth(images, predicted, test, mean_training_depth(images)))
    wanted = ((DEPTH, "rmse"), (CONSTANT, "rmse"), (DEPTH, "delta"))
    rmse, constant, delta = (table.mean(method, measure) for method, measure in wanted)
    minutes, waited = cpu / CORES / 60, trained["waited_for_data"]
    validated = f"{trained['val_rmse']:.4f} (kept step {trained['kept_step']})" if "val_rmse" in trained else "-"
    print_figures([
        ("views of the test split", f"{len(table.rows(DEPTH, 'rmse'))} of {len(test)} objects", "-", True),
        ("RMSE on the validation split", validated, "-", True),
        ("RMSE, mean depth", f"{constant:.4f}", "-", True),
        ("RMSE", f"{rmse:.4f}: {constant / rmse:.2f} times less", "<= a quarter", rmse <= constant / 4),
        ("δ < 1.05", f"{delta:.4f}", ">= 0.97", delta >= 0.97),
        ("training, since it was last started", f"{cpu:.0f} CPU s: {minutes:.1f} min on {CORES} cores", "<= 40 min",
         minutes <= 40),
        ("share of the time waited for data", f"{waited:.2%}", "< 5 %", waited < 0.05),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
