"""The page that all pages extend: what is written, what may run, and numbers as text."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from pathlib import Path

import numpy as np
import pytest
from jinja2 import UndefinedError

from shapeyard import __version__
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.errors import DatasetError
from shapeyard.pages.charts import training_charts
from shapeyard.pages.facts import TrainedModel, class_counts
from shapeyard.pages.page import bars, duration, fixed, percent, plain, render_page, signed, write_page

IMPORTS = "card, chart, confusion_matrix, counts_table, definitions, interval, skipped_list"


def template(folder: Path, main: str) -> Path:
    path = folder / "some.html.jinja"
    path.write_text(
        f'{{% extends "base.html.jinja" %}}{{% from "parts.html.jinja" import {IMPORTS} %}}'
        f"{{% block main %}}{main}{{% endblock %}}"
    )
    return path


def test_a_page_is_whole_or_not_there(tmp_path: Path) -> None:
    page = tmp_path / "folder" / "page.html"
    with pytest.raises(UndefinedError, match="missing"):
        write_page(page, template(tmp_path, "{{ missing }}"), title="A page")
    assert not page.parent.exists()
    write_page(page, template(tmp_path, "{{ name }}"), title="A <page>", name="<b>")
    text = page.read_text()
    assert "<title>A &lt;page&gt;</title>" in text and "&lt;b&gt;" in text and f"Shapeyard {__version__}" in text
    assert [file.name for file in page.parent.iterdir()] == ["page.html"] and page.stat().st_mode & 0o777 == 0o644


def test_only_its_own_scripts_run(tmp_path: Path) -> None:
    script = tmp_path / "own.js"
    script.write_text("document.title = 'run';")
    charts = dict(enumerate(training_charts([{"step": 1.0, "train_loss": 0.5}])))
    text = render_page(
        template(tmp_path, '{{ chart("0", "a chart") }}'), title="A page", charts=charts, scripts=[script]
    )
    run = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() for source in run]
    assert re.findall(r"'sha256-(.*?)'", text) == hashes and len(run) == 3, "plotly, what draws, its own"
    assert "default-src 'none'" in text and 'data-chart="chart-0"' in text and 'id="chart-0"' in text


def test_without_scripts_none_may_run(tmp_path: Path) -> None:
    text = render_page(template(tmp_path, "nothing"), title="A page")
    assert "<script" not in text and "script-src" not in text and "default-src 'none'" in text


def test_a_card_says_whether_the_baselines_are_beaten(tmp_path: Path) -> None:
    found = bars({"ours": 0.5, "theirs": 0.25, "nobody's": None})
    assert [(bar["name"], bar["text"], bar["share"]) for bar in found] == [
        ("ours", "0.500", 0.5),
        ("theirs", "0.250", 0.25),
    ]
    assert [bar["share"] for bar in bars({"a": 2.0, "b": 4.0}, end=None)] == [0.5, 1]
    page = template(tmp_path, '{{ card("IoU", "0.500", found, met) }}')
    assert "beats the baseline" in render_page(page, title="x", found=found, met=True)
    assert "does not beat the baseline" in render_page(page, title="x", found=found, met=False)
    assert "beat the" not in render_page(page, title="x", found=found, met=None)


def test_an_interval_is_strong_where_it_is_clear(tmp_path: Path) -> None:
    page = template(tmp_path, "{{ interval(found) }}")

    def text(low: float | None, high: float | None) -> str:
        return render_page(page, title="x", found={"difference": low, "low": low, "high": high})

    assert 'class="clear"' in text(0.1, 0.2) and "+0.100" in text(0.1, 0.2)
    for unclear in (text(-0.1, 0.2), text(0.1, 0.1), text(None, None)):
        assert 'class="clear"' not in unclear


def test_a_confusion_matrix_tells_each_cell(tmp_path: Path) -> None:
    classes = [f"{main}__kitchen_dining_{i:02}" for main in ("art", "household", "toys") for i in range(22)]
    matrix = np.random.default_rng(0).integers(0, 3, (66, 66))
    matrix[3, 5], matrix[7] = 2, 0
    page = template(tmp_path, '{{ confusion_matrix(classes, matrix, "all <of> them") }}')
    text = render_page(page, title="x", classes=classes, matrix=matrix.tolist())
    shown = matrix[[k for k in range(66) if k != 7]]
    on_diagonal = sum(matrix[k, k] == 0 for k in range(66) if k != 7)
    assert text.count(" title=") == np.count_nonzero(shown) + on_diagonal, "a class without a sample has no row"
    assert f"{classes[3]} predicted as {classes[5]}: 2 of {matrix[3].sum()}" in text and "all &lt;of&gt; them" in text
    assert 'class="confusion many" style="--cell: 12px"' in text and text.count('<tr class="below">') == 2
    few = render_page(page, title="x", classes=["<b>", "c"], matrix=[[3, 1], [0, 0]])
    assert few.count('scope="row"') == 1 and "&lt;b&gt; predicted as c: 1 of 4" in few and "--cell: 40px" in few
    assert '--part: 0.750" class="right strong"' in few


def test_numbers_as_text() -> None:
    assert (fixed(0.12345), fixed(2, 1), fixed(None), fixed(math.nan)) == ("0.123", "2.0", "–", "–")
    assert (percent(0.125), percent(None), signed(-0.5), signed(None)) == ("12.5 %", "–", "-0.500", "–")
    assert (plain(0.123456), plain(3), plain("<a>"), plain([1, "b"]), plain(True)) == (
        "0.1235",
        "3",
        "<a>",
        '[1, "b"]',
        "true",
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7530, "2 h 5 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_facts_of_a_model(tmp_path: Path) -> None:
    folder = start_model(tmp_path / "m", {"network": "r2n2", "classes": ["a", "b"]})
    finish_model(folder, [{"step": 1, "train_loss": 0.5}], {"seconds": 3.5}, [])
    model = TrainedModel.read(folder)
    assert model.history == [{"step": 1, "train_loss": 0.5}]
    assert model.facts == {"settings": {"network": "r2n2"}, "figures": {"seconds": 3.5}}, "no lists"
    (folder / "history.csv").write_text("step\nx\n")
    with pytest.raises(DatasetError, match=r"history\.csv: not readable"):
        TrainedModel.read(folder)


def test_classes_are_counted_by_split(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "d", "depths", "test", {}) as writer:
        for name, split in (("b/0", "train"), ("b/1", "train"), ("a/0", "test")):
            writer.add(Sample(name, name[0], split, ""), {"depth": np.zeros((1, 2, 2), np.float32)})  # type: ignore[arg-type]
    assert class_counts(Dataset([tmp_path / "d"], "depths")) == [
        {"class": "a", "train": 0, "val": 0, "test": 1}, {"class": "b", "train": 2, "val": 0, "test": 0},
    ]  # fmt: skip
