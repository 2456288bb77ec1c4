"""Print a run's table of results: `python benchmarks/results.py EVALUATION_OR_RUN [--rich] [--record]`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from record import record
from rich.console import Console
from rich.table import Table

from shapeyard.evaluation.results import (
    HEADINGS,
    METHOD_TITLES,
    NUMBERS,
    markdown_table,
    networks_best_first,
    result_rows,
)

DEPTH = (
    ("depth-rmse", "Depth RMSE (object's longest side = 1)"),
    ("depth-abs-rel", "Depth abs-rel"),
    ("depth-within-5-percent", "Depth within 5 % (δ < 1.05)"),
)
SHAPES = (
    ("iou", "IoU at {resolution}³"),
    ("precision", "Precision at {resolution}³"),
    ("recall", "Recall at {resolution}³"),
    ("fscore", "F-score at 1 % of the cube's side (perfect voxels {fscore:.3f})"),
    ("chamfer", "Chamfer distance × 1000 in squared longest sides (perfect voxels {chamfer:.3f})"),
)
"""Of each network that reconstructs."""
CLASSES = (
    ("accuracy-true-shapes", "Accuracy on true shapes"),
    ("mean-class-accuracy-true-shapes", "Mean class accuracy on true shapes"),
    ("accuracy-reconstructed-shapes", "Accuracy on reconstructed shapes"),
    ("mean-class-accuracy-reconstructed-shapes", "Mean class accuracy on reconstructed shapes"),
)
"""The figures of an evaluation, each part in its order: the name of each one's file, and what it is."""
COMMAND = "python benchmarks/results.py runs/latest"


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--rich", "for_terminal", is_flag=True, help="Draw it for the terminal instead of as Markdown.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to benchmarks/results, too; needs a run.")
def main(folder: Path, for_terminal: bool, keep: bool) -> None:
    """Print the figures of a run's folder, or of an evaluation alone."""
    metrics = _read(next((f for f in (folder / "evaluation", folder) if (f / "metrics.json").is_file()), folder))
    if for_terminal:
        table = Table(title=f"Test split: {metrics['samples']['test']} objects")
        for heading in HEADINGS:
            table.add_column(heading, justify="right" if heading in NUMBERS else "left")
        for row in result_rows(metrics):
            table.add_row(*row.cells())
        Console().print(table)
    else:
        click.echo(markdown_table(metrics))
    if (folder / "run.json").is_file():
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        stages = ", ".join(f"{name} {seconds:.0f}" for name, seconds in run["stages"].items())
        click.echo(f"\n{run['pipeline']}, preset {run['preset']}: {run['seconds']:.0f} s ({stages})")
        if keep:
            parameters = json.loads((folder / "parameters.json").read_text(encoding="utf-8"))
            record_figures(metrics, run, parameters)
    elif keep:
        raise click.ClickException(f"{folder}: expected a run's folder for --record, found an evaluation alone")


def record_figures(metrics: Mapping[str, Any], run: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Write the figures of a run of `reconstruct` to benchmarks/results.

    Args:
        metrics: the evaluation's metrics.json.
        run: the run's run.json: preset and seconds.
        parameters: the run's parameters.
    """
    without = "" if parameters["recgan_adversarial"] else " without its discriminator"
    titles = {**METHOD_TITLES, "recgan": f"{METHOD_TITLES['recgan']}{without}"}
    shape = metrics["reconstruction"]
    networks = [
        (f"{network}-{name}", measure, f"the {titles[network]}")
        for network in networks_best_first(shape)
        for name, measure in SHAPES
    ]
    named = [
        *((name, measure, "the U-Net") for name, measure in DEPTH),
        *networks,
        *((name, measure, f"`{parameters['classifier_network']}`") for name, measure in CLASSES),
    ]
    known = {"resolution": shape["resolution"], "fscore": shape["ceiling"]["fscore"] or 0,
             "chamfer": 1000 * (shape["ceiling"]["chamfer"] or 0)}  # fmt: skip
    preset, held_out = run["preset"], f"{metrics['samples']['test']} held-out test objects"
    job = "`make run`" if preset == "small" else f"`reconstruct`, preset `{preset}`"
    for (name, measure, network), row in zip(named, result_rows(metrics), strict=True):
        differences = ", ".join(row.interval_texts)
        record(
            f"{preset}-{name}",
            "run",
            f"{measure.format(**known)} of {network}, {held_out} of {job}",
            row.text(row.measured),
            command=COMMAND,
            compared_with=", ".join(row.baseline_texts),
            details=differences and f"measured − baseline in the same order, 95 % intervals: {differences}",
            target="" if row.met is None else row.target,
            met=row.met,
        )
    stages = ", ".join(f"{name} {seconds:.0f}" for name, seconds in run["stages"].items())
    name = "make-run-seconds" if preset == "small" else f"{preset}-seconds"
    record(name, "run", f"Seconds of one run of {job}", f"{run['seconds']:.0f}", details=stages, command=COMMAND)


def _read(folder: Path) -> dict[str, Any]:
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    if not isinstance(metrics, dict) or metrics.get("stage") != "evaluate":
        raise click.ClickException(f"{folder}: expected a run's folder or an evaluation, found neither")
    return metrics


if __name__ == "__main__":
    main()
