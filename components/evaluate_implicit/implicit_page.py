"""What the page shows: measures, shapes to turn with their error, interpolations, the codes as a map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

from components.evaluate_implicit.truth import TrueMeshes
from shapeyard.contracts.dataset import Dataset, Sample
from shapeyard.evaluation.measuring import evenly
from shapeyard.evaluation.table import EvaluationTable
from shapeyard.geometry.mesh_preview import coarsened, render_mesh
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.inference.observations import INPUTS, KNOWN
from shapeyard.inference.surfaces import read_surface
from shapeyard.pages.charts import code_map, surface_with_error, training_charts
from shapeyard.pages.facts import TrainedModel, data_terms
from shapeyard.pages.page import bars
from shapeyard.pages.pictures import thumbnail_uri

MAX_EXAMPLES, MAX_TO_TURN, MAX_ON_MAP, PICTURE, MAP_PICTURE, CELLS = 12, 4, 48, 150, 64, 56
"""A browser has room for some 16 scenes to turn."""
NAMES = {
    KNOWN: "known shapes, from their codes", "samples": "unseen, from samples",
    "half_cloud": "unseen, from half a cloud",
    "view": "unseen, from one depth map",
}  # fmt: skip


def page_context(
    metrics: Mapping[str, Any], truth: Dataset, meshes: TrueMeshes, made: Dataset, between: Dataset,
    table: EvaluationTable, model: TrainedModel,
) -> dict[str, Any]:  # fmt: skip
    """What the template asks for beside the title."""
    curves = training_charts(model.history)
    shown = evenly(made.of_split("test"), MAX_EXAMPLES)
    to_turn = [sample.id for sample in shown[:MAX_TO_TURN]]
    return {
        "metrics": metrics,
        "network": str(model.config.get("title")),
        "names": NAMES,
        "cards": [_card(metrics, name) for name in NAMES],
        "charts": {
            **{f"training-{k}": chart for k, chart in enumerate(curves)},
            **{f"turn-{k}": _to_turn(truth, made, name) for k, name in enumerate(to_turn)},
            "codes": _code_map(made),
        },
        "curve_count": len(curves),
        "turned": to_turn,
        "facts": model.facts,
        "terms": data_terms(truth),
        "examples": [_example(meshes, made, table, sample) for sample in shown],
        "strips": [_strip(between, sample.id) for sample in between.samples],
    }


def _card(metrics: Mapping[str, Any], name: str) -> dict[str, Any]:
    methods = metrics["methods"]
    values = {"median Chamfer × 1000": methods[name]["median_chamfer"]}
    if name in INPUTS:
        values["nearest training shape"] = methods[f"nearest_{name}"]["median_chamfer"]
    found = bars({key: None if value != value else value for key, value in values.items()}, end=None)
    return {"name": NAMES[name], "value": found[0]["text"] if found else "–", "bars": found,
            "note": "lower is better"}  # fmt: skip


def _to_turn(truth: Dataset, made: Dataset, sample_id: str) -> dict[str, Any]:
    mesh = coarsened(read_surface(made, sample_id, made[sample_id].attributes["inputs"].index("samples")), CELLS)
    true = cKDTree(truth.read(sample_id, "surface")[:, :3])
    error = true.query(mesh.vertices)[0] if len(mesh.vertices) else np.zeros(0)
    return surface_with_error(mesh.vertices, mesh.faces, error)


def _code_map(made: Dataset) -> dict[str, Any]:
    """Every object by the two principal axes of its code: that of the training, or that found from its samples."""
    rows = []
    for sample in made.samples:
        names = made[sample.id].attributes["inputs"]
        place = names.index(KNOWN if KNOWN in names else "samples")
        rows.append((sample.id, sample.class_name, made.read(sample.id, "codes")[place], place))
    codes = np.array([code for _, _, code, _ in rows], np.float64)
    centred = codes - codes.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    places = centred @ axes.T
    shown = {
        number: _picture(read_surface(made, rows[number][0], rows[number][3]), MAP_PICTURE)
        for number in np.linspace(0, len(rows) - 1, min(MAX_ON_MAP, len(rows))).round().astype(int).tolist()
    }
    return code_map([row[0] for row in rows], [row[1] for row in rows], places, shown)


def _example(meshes: TrueMeshes, made: Dataset, table: EvaluationTable, sample: Sample) -> dict[str, Any]:
    names = sample.attributes["inputs"]
    return {
        "id": sample.id,
        "shapes": [
            {"label": "the true shape", "picture": _picture(meshes.read(sample))},
            *({"label": f"{NAMES[name]}: {table.values(name, 'chamfer').get((sample.id, None), float('nan')):.2f}",
             "picture": _picture(read_surface(made, sample.id, number))}
            for number, name in enumerate(names)),
        ],
    }  # fmt: skip


def _strip(between: Dataset, sample_id: str) -> dict[str, Any]:
    names = between[sample_id].attributes["inputs"]
    _, _, other = str(names[-1]).partition(" ")
    pictures = [_picture(read_surface(between, sample_id, number)) for number in range(len(names))]
    return {"first": sample_id, "second": other, "pictures": pictures}


def _picture(mesh: Mesh, size: int = 2 * PICTURE) -> str:
    return thumbnail_uri(Image.fromarray(render_mesh(mesh, size)), size)
