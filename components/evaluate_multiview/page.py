"""The page: IoU over the number of views, the tables with intervals, surfaces, shapes beside the truth."""

from __future__ import annotations

import base64
import io
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from components.evaluate_multiview.baselines import true_grid
from components.evaluate_multiview.measures import METHODS, Inputs, Row, used_views
from shapeyard import __version__
from shapeyard.geometry.preview import BACKGROUND, render_occupancy
from shapeyard.metrics.occupancy import THRESHOLDS, occupied_at

HERE = Path(__file__).parent
SHOWN, IMAGES, PICTURE = 16, 5, 132
NAMES = {
    "reconstruction": "3D-R2N2",
    "mean_shape": "mean shape",
    "nearest_neighbour": "nearest neighbour",
    "visual_hull": "carved hull, true cameras",
}
PLOT_WIDTH, PLOT_HEIGHT, LEFT, TOP, BELOW = 520, 300, 44, 10, 38


class Examples(NamedTuple):
    """What the pictures are made from."""

    inputs: Inputs
    rows: Sequence[Row]
    """of the test split"""
    chosen: Mapping[str, int]
    """method → index of its threshold"""
    resolution: int


def write_page(
    page: Path, title: str, metrics: Mapping[str, Any], examples: Examples, config: Mapping[str, Any],
    trained: Mapping[str, Any], history: Sequence[Mapping[str, float]],
) -> None:  # fmt: skip
    """Write the page, whole or not at all."""
    environment = Environment(
        loader=PackageLoader("components.evaluate_multiview", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    text = environment.get_template("page.html.jinja").render(
        title=title, version=__version__, style=(HERE / "page.css").read_text(encoding="utf-8"), metrics=metrics,
        names=NAMES, figure=iou_svg(metrics), history=history[-1] if history else {}, shapes=_shapes(examples),
        config={k: v for k, v in config.items() if isinstance(v, int | float | str)},
        trained={k: v for k, v in trained.items() if isinstance(v, int | float | str)},
    )  # fmt: skip
    page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=page.parent, delete=False, suffix=".part") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(0o644)  # NamedTemporaryFile is private to its owner; a page is there to be read
    Path(file.name).replace(page)


def iou_svg(metrics: Mapping[str, Any]) -> Markup:
    """IoU (0 to 1) over the number of views, a line a method; the numbers of views stand in equal steps."""
    numbers = metrics["views"]
    across = {n: LEFT + PLOT_WIDTH * (i + 0.5) / len(numbers) for i, n in enumerate(numbers)}
    parts = [
        f'<line class="grid" x1="{LEFT}" x2="{LEFT + PLOT_WIDTH}" y1="{_up(t):.1f}" y2="{_up(t):.1f}"/>'
        f'<text class="end" x="{LEFT - 6}" y="{_up(t):.1f}" dy="0.35em">{t:g}</text>'
        for t in (0, 0.2, 0.4, 0.6, 0.8, 1)
    ]
    parts += [f'<text class="middle" x="{x:.1f}" y="{TOP + PLOT_HEIGHT + 16}">{n}</text>' for n, x in across.items()]
    for method in METHODS:
        values = metrics["methods"][method]["iou"]
        points = [(across[n], _up(values[str(n)]), n) for n in numbers]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
        dots = "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4">'
            f"<title>{NAMES[method]}, {n} views: {values[str(n)]:.3f}</title></circle>"
            for x, y, n in points
        )
        parts.append(f'<g class="{method}"><polyline points="{line}"/>{dots}</g>')
    width, height = LEFT + PLOT_WIDTH + 16, TOP + PLOT_HEIGHT + BELOW
    label = f'<text class="middle" x="{LEFT + PLOT_WIDTH / 2}" y="{height - 4}">number of images</text>'
    return Markup(  # noqa: S704 - nothing in it comes from the data but numbers
        f'<svg class="plot" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-size="12" role="img" '
        f'aria-label="IoU over the number of images; the numbers are in the table">{"".join(parts)}{label}</svg>'
    )


def _up(share: float) -> float:
    return TOP + PLOT_HEIGHT * (1 - share)


def _shapes(examples: Examples) -> list[dict[str, Any]]:
    """Some test objects, evenly: their images, the shapes after one image and after all, the truth."""
    inputs, threshold = examples.inputs, examples.chosen["reconstruction"]
    iou = {(row.sample.id, row.views): float(row.iou["reconstruction"][threshold]) for row in examples.rows}
    ids = list(dict.fromkeys(row.sample.id for row in examples.rows))
    shown = []
    for sample_id in ids[:: max(1, -(-len(ids) // SHOWN))]:
        numbers, order = used_views(inputs.reconstructions, sample_id)
        made = occupied_at(inputs.reconstructions.read(sample_id, "probability"), THRESHOLDS[threshold])
        rgba = inputs.renders.read(sample_id, "rgba")[order[:IMAGES]]
        shown.append({
            "id": sample_id,
            "images": [_picture(image) for image in rgba],
            "shapes": [
                {"label": f"from {numbers[k]}, IoU {iou[sample_id, numbers[k]]:.2f}",
                 "picture": _picture(render_occupancy(made[k], PICTURE))}
                for k in sorted({0, len(numbers) - 1})
            ],
            "truth": _picture(render_occupancy(true_grid(inputs.voxels, sample_id, examples.resolution), PICTURE)),
        })  # fmt: skip
    return shown


def _picture(pixels: NDArray[np.uint8]) -> str:
    image = Image.fromarray(pixels)
    if image.mode == "RGBA":
        paper = Image.new("RGBA", image.size, tuple(round(255 * c) for c in (*BACKGROUND.tolist(), 1.0)))
        image = Image.alpha_composite(paper, image).convert("RGB")
    image.thumbnail((PICTURE, PICTURE))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=85)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
