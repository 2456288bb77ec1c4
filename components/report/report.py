"""Put a run on one self-contained HTML page."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image
from plotly.offline import get_plotlyjs

from components.report.charts import class_chart, training_charts
from components.report.depth_examples import depth_examples
from components.report.pictures import sheet_uri
from components.report.run import Run, RunArtifacts
from components.report.shape_examples import shape_examples
from shapeyard import __version__
from shapeyard.contracts.dataset import SPLITS
from shapeyard.contracts.progress import report as say
from shapeyard.metrics.figures import HEADINGS, Figure, figures

HERE = Path(__file__).parent
MODEL_TITLES = {"depth": "Depth estimator", "reconstruction": "Voxel reconstructor", "classifier": "Voxel classifier"}


def write_report(artifacts: RunArtifacts, page: str | Path, title: str = "Shapeyard") -> None:
    """Write the page, atomically; it holds all it needs, and its own policy keeps a browser from fetching anything.

    Raises:
        DatasetError: if an artifact is missing, broken or of another kind.
    """
    run = Run(artifacts)
    try:
        context = _context(run, title)
    finally:
        run.close()
    _write(Path(page), render_page(context))


def render_page(context: dict[str, Any]) -> str:
    """The template with its style, its scripts and the hashes that let these scripts alone run."""
    environment = Environment(
        loader=PackageLoader("components.report", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"duration": duration, "share": lambda value: f"{100 * value:.1f}%"}
    scripts = [get_plotlyjs().replace("</script", "<\\/script")] if context["charts"] else []
    scripts += [(HERE / name).read_text(encoding="utf-8") for name in ("charts.js", "shapes.js")]
    return environment.get_template("page.html.jinja").render(
        **context,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        scripts=scripts,
        script_hashes=[base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts],
    )


def duration(seconds: float) -> str:
    """Seconds as a person says them: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if minutes == 0:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def _context(run: Run, title: str) -> dict[str, Any]:
    say(0, 4, "depth")
    depth = depth_examples(run)
    say(1, 4, "shapes")
    shapes = shape_examples(run)
    say(2, 4, "contact sheets")
    sheets = _contact_sheets(run)
    say(3, 4, "charts")
    curves = {name: training_charts(model) for name, model in run.models.items()}
    charts = {f"{name}-{k}": chart for name, group in curves.items() for k, chart in enumerate(group)}
    of_class = class_chart(run.metrics)
    if of_class:
        charts["classes"] = of_class
    rows = figures(run.metrics)
    say(4, 4, "page")
    return {
        "title": title,
        "version": __version__,
        "metrics": run.metrics,
        "headline": [_card(row) for row in rows if row.headline],
        "headings": HEADINGS,
        "rows": [row.cells() for row in rows],
        "depth": depth,
        "shapes": shapes,
        "charts": charts,
        "reconstructor": _reconstructor(run),
        "models": [_model_facts(run, name) | {"charts": len(curves[name])} for name in run.models],
        "confusions": _confusions(run),
        "counts": _counts(run),
        "splits": SPLITS,
        "stages": _stages(run),
        "skipped": run.skipped,
        "sheets": sheets,
    }


def _card(figure: Figure) -> dict[str, Any]:
    """A key figure with its bars: each value as a share of the scale's end, which is 1 or else the largest of them."""
    named = [("measured", figure.measured), *figure.baselines]
    known = [value for _, value in named if value is not None]
    end = 1.0 if figure.better == "higher" else max([*known, 1e-9])
    return {
        "name": figure.name,
        "value": figure.text(figure.measured),
        "better": figure.better,
        "kept": figure.kept,
        "bars": [(name, figure.text(value), value / end) for name, value in named if value is not None],
    }


def _model_facts(run: Run, name: str) -> dict[str, Any]:
    model = run.models[name]
    numbers = {key: value for key, value in model.metrics.items() if isinstance(value, int | float | str)}
    return {"name": name, "title": MODEL_TITLES[name], "stage": model.stage, "metrics": numbers, "config": model.config}


def _reconstructor(run: Run) -> str:
    """The network that made the shapes; a GAN that learned without its critic is none, so the page says so."""
    critic = run.models["reconstruction"].metrics.get("critic_parameters")
    return "3D-RecGAN++ (without its critic)" if critic == 0 else "3D-RecGAN++"


def _confusions(run: Run) -> list[dict[str, Any]]:
    """Both confusion matrices, each cell with its share of the row."""
    titles = {"true_grids": "Shown the true shapes", "reconstructions": "Shown the reconstructed shapes"}
    confusions = []
    for name, title in titles.items():
        measured = run.metrics["classification"][name]
        classes, matrix = measured["confusion"]["classes"], measured["confusion"]["matrix"]
        rows = [
            (true, [(count, count / max(sum(row), 1)) for count in row])
            for true, row in zip(classes, matrix, strict=True)
            if sum(row)
        ]
        confusions.append({"title": title, "classes": classes, "rows": rows, "measured": measured})
    return confusions


def _counts(run: Run) -> list[dict[str, Any]]:
    """How many objects of each class are in each split, as rendered."""
    rows: list[dict[str, Any]] = []
    for name in run.renders.classes:
        samples = [sample for sample in run.renders.samples if sample.class_name == name]
        counts: dict[str, Any] = {split: sum(s.split == split for s in samples) for split in SPLITS}
        rows.append({"class": name} | counts)
    return rows


def _stages(run: Run) -> list[dict[str, Any]]:
    stages = run.stages
    longest = max([stage.seconds for stage in stages] + [1e-9])
    return [{**stage._asdict(), "share": stage.seconds / longest} for stage in stages]


def _contact_sheets(run: Run) -> list[tuple[str, str]]:
    """Name and data URI of the first preview of each dataset that has one."""
    sheets = []
    for name, dataset in run.datasets.items():
        file = next((path / "preview.png" for path in dataset.paths if (path / "preview.png").is_file()), None)
        if file:
            with Image.open(file) as image:
                sheets.append((name, sheet_uri(image.convert("RGB"))))
    return sheets


def _write(page: Path, text: str) -> None:
    page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=page.parent, delete=False, suffix=".part") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(0o644)  # NamedTemporaryFile is private to its owner; a page is there to be read
    Path(file.name).replace(page)
