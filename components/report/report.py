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
from shapeyard.evaluation.results import METHOD_TITLES, ResultRow, result_rows
from shapeyard.pages.charts import class_bars, training_charts
from shapeyard.pages.facts import class_counts, data_terms
from shapeyard.pages.page import bars, write_page
from shapeyard.pages.pictures import sheet_uri

HERE = Path(__file__).parent
MODEL_TITLES = {
    "train_depth": "Depth estimator",
    "train_recgan": "Voxel reconstructor",
    "train_classifier": "Voxel classifier",
}


def report(
    meshes: Sequence[str | Path],
    renders: Sequence[str | Path],
    voxels: Sequence[str | Path],
    depths: str | Path,
    reconstructions: str | Path,
    depth_model: str | Path,
    recgan_model: str | Path,
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
        reconstructions: of kind reconstructions.
        depth_model: the depth estimator.
        recgan_model: the voxel reconstructor.
        classifier: the voxel classifier.
        evaluation: the folder that `evaluate` wrote.
        page: the file to write.
        settings: the headline.

    Raises:
        DatasetError: if an artifact is missing, broken or of another kind.
    """
    run = ReconstructionRun(
        meshes, renders, voxels, depths, reconstructions, depth_model, recgan_model, classifier, evaluation
    )
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
    measured = {"reconstruction": shape_metrics, **shape_metrics["baselines"]}
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
        "reconstructor": _reconstructor(run),
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
    return {"name": row.name, "value": row.text(row.measured), "bars": found, "met": row.met,
            "note": f"{row.better} is better"}  # fmt: skip


def _iou_of_classes(found: dict[str, Any]) -> dict[str, float | None]:
    return {name: values["iou"] for name, values in found["per_class"].items()}


def _reconstructor(run: ReconstructionRun) -> str:
    """The network that made the shapes; a GAN that learned without its discriminator is none, so the page says so."""
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
