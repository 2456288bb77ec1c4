"""Pages of every part in a real browser: no error, charts drawn, nothing wider than the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from browser import BROWSER, NO_GL, opened
from selenium.webdriver.common.by import By

from shapeyard.metrics.calibration import ReliabilityBin
from shapeyard.pages.charts import class_bars, lines_by_views, reliability_chart, training_charts
from shapeyard.pages.page import write_page

pytestmark = pytest.mark.skipif(not BROWSER, reason="NO BROWSER: chromium and chromedriver are needed to see a page")
TEMPLATE = """{% extends "base.html.jinja" %}
{% from "parts.html.jinja" import card, chart, confusion_matrix, curves %}
{% block main %}
{% set bar = {"name": "a", "text": "0.500", "share": 0.5} %}
<section class="cards">{{ card("IoU", "0.500", [bar, bar], met=true) }}</section>
{% for name in names %}{{ chart(name, name) }}{% endfor %}
{{ curves("training", 1, "a curve") }}
{{ confusion_matrix(classes, matrix, "confusion") }}
<button type="button">press</button>
{% endblock %}"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "some.html.jinja").write_text(TEMPLATE)
    (folder / "own.js").write_text("document.querySelector('button').onclick = () => { document.title = 'pressed'; };")
    lines = {"reconstruction": {"1": 0.2, "12": 0.8}}
    figures = {
        "bars": class_bars({"reconstruction": {"chair": 0.5, "table": 0.25}, "mean_shape": {"chair": 0.1}}),
        "lines": lines_by_views(lines, {"reconstruction": "3D-R2N2"}, "IoU"),
        "reliability": reliability_chart([ReliabilityBin(0.5, 0.25, 4)]),
    }
    (curve,) = training_charts([{"epoch": float(k), "train_loss": 1 / k} for k in range(1, 9)])
    classes = [f"{main}__kitchen_dining_{i:02}" for main in ("art", "household", "toys") for i in range(22)]
    write_page(
        folder / "page.html", folder / "some.html.jinja", title="Parts", scripts=[folder / "own.js"],
        names=list(figures), charts={**figures, "training-0": curve}, classes=classes,
        matrix=np.ones((66, 66), int).tolist(),
    )  # fmt: skip
    return folder / "page.html"


@pytest.mark.parametrize("width", [1280, 390])
def test_parts_are_drawn_and_fit(page: Path, tmp_path: Path, width: int) -> None:
    with opened(page, tmp_path, NO_GL, width=width) as driver:
        assert driver.get_log("browser") == []
        charts = driver.find_elements(By.CSS_SELECTOR, "[data-chart]")
        assert len(charts) == 4 and all(one.find_elements(By.CSS_SELECTOR, "svg.main-svg") for one in charts)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width, "no scrolling sideways"
        table = driver.find_element(By.CSS_SELECTOR, "table.confusion")
        assert 800 < table.size["width"] < 1120, "66 classes fit the page"
        driver.find_element(By.TAG_NAME, "button").click()
        assert driver.title == "pressed"


def test_bars_are_as_long_as_their_shares(page: Path, tmp_path: Path) -> None:
    with opened(page, tmp_path, NO_GL) as driver:
        bar = driver.find_element(By.CSS_SELECTOR, ".bars i")
        whole = driver.execute_script(
            "return parseFloat(getComputedStyle(arguments[0].parentElement).gridTemplateColumns)", bar
        )
        assert bar.size["width"] == pytest.approx(whole / 2, abs=1)
