"""The stages reconstruct_surfaces and evaluate_implicit, one after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from boxes_sdf import train_on_boxes
from browser import BROWSER, SOFTWARE_GL, opened, until
from scipy.spatial import cKDTree
from selenium.webdriver.common.by import By

from components.evaluate_implicit import EvaluateImplicitSettings
from components.evaluate_implicit.evaluate_implicit import evaluate_implicit
from components.evaluate_implicit.retrieval import known_points
from components.reconstruct_surfaces import ReconstructSurfacesSettings
from components.reconstruct_surfaces.reconstruct_surfaces import reconstruct_surfaces
from shapeyard.contracts.dataset import Dataset
from shapeyard.errors import DatasetError
from shapeyard.evaluation.output import read_evaluation
from shapeyard.geometry.sdf_observations import FARTHEST_OFFSET
from shapeyard.inference.observations import observe
from shapeyard.inference.surfaces import read_surface

RECONSTRUCTION = ReconstructSurfacesSettings(
    search_steps=60, search_samples=512, search_learning_rate=0.02, resolution=64, known_objects=2, pairs=1, workers=2
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("implicit")
    train_on_boxes(folder)
    reconstruct_surfaces(
        [folder / "sdf"], folder / "model", folder / "surfaces", folder / "interpolations", RECONSTRUCTION
    )
    return folder


def test_surfaces_of_every_input(made: Path) -> None:
    surfaces = Dataset([made / "surfaces"], "surfaces")
    assert {sample.id: sample.attributes["inputs"] for sample in surfaces.samples} == {
        **{f"box/train{number}": ["code"] for number in (0, 3)},
        **{f"box/{name}": ["samples", "half_cloud", "view"] for name in ("val0", "val1", "test0", "test1", "test2")},
    }
    mesh = read_surface(surfaces, "box/test1", 0)
    assert len(mesh.faces) and mesh.faces.max() < len(mesh.vertices)
    between = Dataset([made / "interpolations"], "surfaces")
    (sample,) = between.samples
    assert sample.id == "box/test0" and sample.attributes["inputs"][-1] == "1.000 box/test1"
    codes = between.read(sample.id, "codes")
    assert codes[4] == pytest.approx((codes[0] + codes[-1]) / 2, abs=1e-6)
    surfaces.close()
    between.close()


def test_they_are_measured_and_shown(made: Path) -> None:
    figures = evaluate_implicit(
        [made / "meshes"], [made / "sdf"], made / "surfaces", made / "interpolations", made / "model",
        made / "page.html", made / "evaluation", EvaluateImplicitSettings(iou_points=5000),
    ).figures  # fmt: skip
    assert figures["code_median_chamfer"] < 5 and figures["samples_iou"] > 0.8
    metrics, table = read_evaluation(made / "evaluation")
    assert metrics["methods"]["view"]["objects"] == 3 and metrics["over_nearest"]["samples"]["chamfer"]["objects"] == 3
    assert metrics["surface_points"] == 2000  # of each surface: the dataset has no more
    row = next(row for row in table.rows("samples", "chamfer_file"))
    same = next(one for one in table.rows("samples", "chamfer") if one.id == row.id)
    assert row.value == pytest.approx(same.value * (1.03 * np.linalg.norm([1, 0.4, 0.5]) / 2) ** 2, rel=1e-3)
    page = (made / "page.html").read_text(encoding="utf-8")
    assert page.strip().endswith("</html>") and "box/test0" in page and "of 2,000 points" in page


def test_retrieval_sees_the_half_that_the_decoder_saw(made: Path) -> None:
    truth = Dataset([made / "sdf"], "sdf")
    for seed in (0, 1):
        seen = observe(truth, "box/test0", "half_cloud", seed)
        near = cKDTree(known_points(truth, "box/test0", "half_cloud", seed)).query(seen.points)[0]
        assert near.max() <= FARTHEST_OFFSET + 1e-6
    halves = [known_points(truth, "box/test0", "half_cloud", seed) for seed in (0, 1)]
    assert not np.array_equal(*halves)
    truth.close()


@pytest.mark.skipif(not BROWSER, reason="NO BROWSER: chromium and chromedriver are needed to see a page")
def test_the_page_opens_without_an_error_and_draws_everything(made: Path, tmp_path: Path) -> None:
    if not (made / "page.html").is_file():
        test_they_are_measured_and_shown(made)
    with opened(made / "page.html", tmp_path, SOFTWARE_GL) as driver:
        charts = driver.find_elements(By.CSS_SELECTOR, "[data-chart]")
        assert len(charts) > 3
        until(lambda: all(chart.find_elements(By.CSS_SELECTOR, "svg.main-svg, canvas") for chart in charts))
        assert [line for line in driver.get_log("browser") if line["level"] == "SEVERE"] == []


def test_a_model_of_another_kind(made: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"expected a model, found no metrics\.json"):
        reconstruct_surfaces([made / "sdf"], tmp_path, tmp_path / "s", tmp_path / "i", RECONSTRUCTION)
