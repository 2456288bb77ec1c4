"""Put a run on one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from components.report import ReportSettings
from components.report.depth_examples import depth_examples
from components.report.run import ReconstructionRun
from components.report.shape_examples import shape_examples
from shapeyard.contracts.progress import report as say
from shapeyard.evaluation.results import METHOD_TITLES, ResultRow, networks_best_first, result_rows
from shapeyard.pages.charts import class_bars, training_charts
from shapeyard.pages.facts import class_counts, data_terms
from shapeyard.pages.page import bars, write_page
from shapeyard.pages.pictures import sheet_uri

NEAREST_NEIGHBOUR = METHOD_TITLES["nearest_neighbour"]
HERE = Path(__file__).parent
MODEL_TITLES = {
    "train_depth": "Depth estimator",
    "train_recgan": "3D-RecGAN++",
    "train_occupancy": "Pixel-aligned occupancy network",
    "train_classifier": "Voxel classifier",
}


def report(
    meshes: Sequence[str | Path],
    renders: Sequence[str | Path],
    voxels: Sequence[str | Path],
    depths: str | Path,
    reconstructions: str | Path,
    occupancy_reconstructions: str | Path | None,
    depth_model: str | Path,
    recgan_model: str | Path,
    occupancy_model: str | Path | None,
    classifier: str | Path,
    evaluation: str | Path,
    page: str | Path,
    settings: ReportSettings,
) -> None:
    """Write the page, whole or not at all.

    Args:
        meshes: directories of kind meshes.
        renders: of kind renders.
        voxels: of kind voxels.
        depths: directory of kind depths.
        reconstructions: of kind reconstructions, of 3D-RecGAN++.
        occupancy_reconstructions: of the pixel-aligned occupancy network; None without.
        depth_model: the depth estimator.
        recgan_model: 3D-RecGAN++.
        occupancy_model: the pixel-aligned occupancy network; None without.
        classifier: the voxel classifier.
        evaluation: the folder that `evaluate` wrote.
        page: the file to write.
        settings: the headline.

    Raises:
        DatasetError: if an artifact is missing, broken or of another kind.
    """
    run = ReconstructionRun(
        meshes, renders, voxels, depths, reconstructions, occupancy_reconstructions,
        depth_model, recgan_model, occupancy_model, classifier, evaluation,
    )  # fmt: skip
    try:
        context = _context(run)
    finally:
        run.close()
    write_page(Path(page), HERE / "page.html.jinja", title=settings.title, scripts=[HERE / "shapes.js"], **context)


def _context(run: ReconstructionRun) -> dict[str, Any]:
    say(0, 4, "depth")
    depth = depth_examples(run)
    say(1, 4, "shapes")
    shapes = shape_examples(run)
    say(2, 4, "contact sheets")
    sheets = _contact_sheets(run)
    say(3, 4, "charts")
    curves = {name: training_charts(model.history) for name, model in run.models.items()}
    charts = {f"{name}-{k}": chart for name, group in curves.items() for k, chart in enumerate(group)}
    shape_metrics = run.metrics["reconstruction"]
    networks = {name: shape_metrics["networks"][name] for name in networks_best_first(shape_metrics)}
    measured = {**networks, **shape_metrics["baselines"]}
    of_class = class_bars({method: _iou_of_classes(found) for method, found in measured.items()})
    if of_class:
        charts["classes"] = of_class
    rows = result_rows(run.metrics)
    say(4, 4, "page")
    return {
        "metrics": run.metrics,
        "titles": METHOD_TITLES,
        "headline": [_card(row) for row in rows if row.headline],
        "rows": rows,
        "depth": depth,
        "shapes": shapes,
        "charts": charts,
        "networks": {name: _title(run, name) for name in networks},
        "recgan": _title(run, "recgan"),
        "models": [
            {"name": name, "title": MODEL_TITLES[name], "facts": model.facts, "charts": len(curves[name])}
            for name, model in run.models.items()
        ],
        "counts": class_counts(run.renders),
        "terms": data_terms(run.renders),
        "stages": run.stages,
        "skipped": run.skipped,
        "sheets": sheets,
    }


def _card(row: ResultRow) -> dict[str, Any]:
    """A key figure with its bars: values as shares of 1, or where lower is better, of the largest."""
    values = {"measured": row.measured, **dict(row.baselines)}
    found = bars(values, text=row.text, end=1.0 if row.better == "higher" else None)
    note = f"{row.better} is better"
    if NEAREST_NEIGHBOUR in dict(row.baselines) and row.intervals:
        place = [name for name, _ in row.baselines].index(NEAREST_NEIGHBOUR)
        note += f"; over the {NEAREST_NEIGHBOUR} {row.interval_texts[place]}, 95 %"
    return {"name": row.name, "value": row.text(row.measured), "bars": found, "met": row.met, "note": note}


def _iou_of_classes(found: dict[str, Any]) -> dict[str, float | None]:
    return {name: values["iou"] for name, values in found["per_class"].items()}


def _title(run: ReconstructionRun, network: str) -> str:
    """A network's name; a GAN that learned without its discriminator is none, so the page says so."""
    if network != "recgan":
        return METHOD_TITLES[network]
    trained = run.models["train_recgan"].metrics.get("discriminator_parameters")
    return "3D-RecGAN++ (without its discriminator)" if trained == 0 else "3D-RecGAN++"


def _contact_sheets(run: ReconstructionRun) -> list[tuple[str, str]]:
    """Kind and data URI of the first preview of each dataset that has one."""
    sheets = []
    for dataset in run.datasets:
        file = next((path / "preview.png" for path in dataset.paths if (path / "preview.png").is_file()), None)
        if file:
            with Image.open(file) as image:
                sheets.append((str(dataset.kind), sheet_uri(image.convert("RGB"))))
    return sheets
