"""What the page shows: measures over the number of images, training curves, shapes beside the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from components.evaluate_multiview.image_sequences import METHODS, SequenceDatasets, used_views
from shapeyard.evaluation.baselines import true_grid
from shapeyard.evaluation.results import METHOD_TITLES
from shapeyard.evaluation.table import EvaluationTable
from shapeyard.geometry.preview import BACKGROUND, render_occupancy
from shapeyard.metrics.occupancy import occupied_at
from shapeyard.pages.charts import lines_by_views, training_charts
from shapeyard.pages.facts import TrainedModel, data_terms
from shapeyard.pages.page import bars
from shapeyard.pages.pictures import thumbnail_uri

MAX_EXAMPLES, MAX_IMAGES, PICTURE = 16, 5, 132
NAMES = {**{method: METHOD_TITLES[method] for method in METHODS}, "reconstruction": "3D-R2N2"}


def page_context(
    metrics: Mapping[str, Any], data: SequenceDatasets, table: EvaluationTable, model: TrainedModel
) -> dict[str, Any]:
    """What the template asks for beside the title."""
    methods = metrics["methods"]
    curves = training_charts(model.history)
    return {
        "metrics": metrics,
        "names": NAMES,
        "cards": [_card(methods, measure, str(n)) for measure in ("iou", "fscore") for n in _ends(metrics["views"])],
        "charts": {
            "iou": lines_by_views({method: methods[method]["iou"] for method in METHODS}, NAMES, "IoU"),
            "fscore": lines_by_views({method: methods[method]["fscore"] for method in METHODS}, NAMES, "F-score"),
            **{f"training-{k}": chart for k, chart in enumerate(curves)},
        },
        "curve_count": len(curves),
        "facts": model.facts,
        "terms": data_terms(data.renders),
        "examples": _examples(metrics, data, table),
    }


def _ends(numbers: list[int]) -> list[int]:
    return sorted({numbers[0], numbers[-1]})


def _card(methods: Mapping[str, Any], measure: str, number: str) -> dict[str, Any]:
    values = {NAMES[method]: methods[method][measure][number] for method in METHODS}
    label = {"iou": "IoU", "fscore": "F-score"}[measure]
    found = bars(values)
    return {"name": f"{label} from {number} image{'' if number == '1' else 's'}", "value": found[0]["text"],
            "bars": found}  # fmt: skip


def _examples(metrics: Mapping[str, Any], data: SequenceDatasets, table: EvaluationTable) -> list[dict[str, Any]]:
    """Some test objects, evenly: their images, the shapes after one image and after all, the truth."""
    threshold = metrics["methods"]["reconstruction"]["threshold"]
    iou = table.values("reconstruction", "iou")
    ids = list(dict.fromkeys(sample_id for sample_id, _ in iou))
    shown = []
    for sample_id in ids[:: max(1, -(-len(ids) // MAX_EXAMPLES))]:
        numbers, order = used_views(data.reconstructions, sample_id)
        made = occupied_at(data.reconstructions.read(sample_id, "probability"), threshold)
        rgba = data.renders.read(sample_id, "rgba")[order[:MAX_IMAGES]]
        truth = true_grid(data.voxels, sample_id, metrics["resolution"])
        shown.append({
            "id": sample_id,
            "images": [_on_paper(Image.fromarray(image)) for image in rgba],
            "shapes": [
                {"label": f"from {numbers[k]}, IoU {iou[sample_id, numbers[k]]:.2f}",
                 "picture": thumbnail_uri(Image.fromarray(render_occupancy(made[k], PICTURE)), PICTURE)}
                for k in sorted({0, len(numbers) - 1})
            ],
            "truth": thumbnail_uri(Image.fromarray(render_occupancy(truth, PICTURE)), PICTURE),
        })  # fmt: skip
    return shown


def _on_paper(image: Image.Image) -> str:
    """An RGBA image composited on the background that shapes are drawn on."""
    paper = Image.new("RGBA", image.size, tuple(round(255 * c) for c in (*BACKGROUND.tolist(), 1.0)))
    return thumbnail_uri(Image.alpha_composite(paper, image).convert("RGB"), PICTURE)
