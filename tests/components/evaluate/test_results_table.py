"""The table of results: text by hand, and from a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console
from synthetic_run import write_run

from components.evaluate.evaluate import Inputs, evaluate_models
from components.evaluate.table import markdown_table, metrics_table
from shapeyard.metrics.figures import Figure, figures

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
from results import main


@pytest.mark.parametrize(
    ("measured", "better", "kept"),
    [
        (0.6, "higher", True),
        (0.45, "higher", False),
        (0.3, "lower", True),
        (0.45, "lower", False),
        (None, "lower", None),
    ],
)
def test_kept_against_every_baseline(measured: float | None, better: str, kept: bool | None) -> None:
    assert Figure("x", measured, (("a", 0.5), ("b", 0.4), ("c", None)), better, False).kept is kept


def test_cells_by_hand() -> None:
    figure = Figure("Accuracy", 0.875, (("guessing", 0.25),), "higher", True)
    assert figure.cells() == ("Accuracy", "87.5 %", "25.0 % (guessing)", "–", "higher than the baseline", "yes")
    assert Figure("RMSE", None, (), "lower", False).cells() == ("RMSE", "–", "–", "–", "–", "–")


def test_a_baseline_that_is_better_is_told() -> None:
    others = (("mean shape", 0.25), ("nearest neighbour", 0.625))
    figure = Figure("IoU", 0.5, others, "higher", False, intervals=((0.25, 0.2, 0.3), (-0.125, -0.2, 0.0625)))
    assert figure.cells() == (
        "IoU", "0.500", "0.250 (mean shape), 0.625 (nearest neighbour)",
        "+0.250 [+0.200, +0.300], -0.125 [-0.200, +0.062]", "higher than all of them", "no",
    )  # fmt: skip


def test_from_a_run(tmp_path: Path) -> None:
    run = write_run(tmp_path, views=1)
    evaluate_models(Inputs(**run.shards, **run.outputs), tmp_path / "evaluation")
    metrics = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    assert "| Reconstruction IoU at 24³ | 1.000 |" in markdown_table(metrics)
    console = Console(width=200, record=True, quiet=True)
    console.print(metrics_table(metrics))
    assert len(figures(metrics)) == 12

    printed = CliRunner().invoke(main, [str(tmp_path)])
    assert printed.exit_code == 0 and printed.output.strip() == markdown_table(metrics)
    assert CliRunner().invoke(main, [str(tmp_path / "evaluation"), "--rich"]).exit_code == 0
    missing = CliRunner().invoke(main, [str(run.outputs["depths"])])
    assert missing.exit_code == 1 and "found neither" in missing.output
