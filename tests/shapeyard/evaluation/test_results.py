"""The table of results: text by hand, and from a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from synthetic_run import write_run

from components.evaluate.evaluate import evaluate
from shapeyard.evaluation.results import ResultRow, markdown_table, result_rows

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
from results import main


@pytest.mark.parametrize(
    ("measured", "better", "met"),
    [
        (0.6, "higher", True),
        (0.45, "higher", False),
        (0.3, "lower", True),
        (0.45, "lower", False),
        (None, "lower", None),
    ],
)
def test_met_against_every_baseline(measured: float | None, better: str, met: bool | None) -> None:
    assert ResultRow("x", measured, (("a", 0.5), ("b", 0.4), ("c", None)), better, False).met is met


def test_cells_by_hand() -> None:
    figure = ResultRow("Accuracy", 0.875, (("guessing", 0.25),), "higher", True)
    assert figure.cells() == ("Accuracy", "87.5 %", "guessing 25.0 %", "–", "higher than the baseline", "yes")
    assert ResultRow("RMSE", None, (), "lower", False).cells() == ("RMSE", "–", "–", "–", "–", "–")


def test_a_baseline_that_is_better_is_told() -> None:
    others = (("mean shape", 0.25), ("nearest neighbour", 0.625))
    figure = ResultRow("IoU", 0.5, others, "higher", False, intervals=((0.25, 0.2, 0.3), (-0.125, -0.2, 0.0625)))
    assert figure.cells() == (
        "IoU", "0.500", "mean shape 0.250, nearest neighbour 0.625",
        "+0.250 [+0.200, +0.300], -0.125 [-0.200, +0.062]", "higher than all baselines", "no",
    )  # fmt: skip


def test_from_a_run(tmp_path: Path) -> None:
    run = write_run(tmp_path, views=1)
    evaluate(**run.shards, **run.outputs, evaluation=tmp_path / "evaluation")
    metrics = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    table = markdown_table(metrics)
    for title in ("pixel-aligned occupancy network", "U-Net + 3D-RecGAN++"):
        assert f"| IoU of {title} at 24³ | 1.000 |" in table
    rows = result_rows(metrics)
    assert len(rows) == 3 + 2 * 5 + 4
    headlines = [row for row in rows if row.headline and row.name.startswith("IoU")]
    assert [row.name for row in headlines] == ["IoU of pixel-aligned occupancy network at 24³"], "the best one alone"
    assert headlines[0].baselines[0][0] == "U-Net + 3D-RecGAN++", "beside the other one"

    printed = CliRunner().invoke(main, [str(tmp_path)])
    assert printed.exit_code == 0 and printed.output.strip() == markdown_table(metrics)
    assert CliRunner().invoke(main, [str(tmp_path / "evaluation"), "--rich"]).exit_code == 0
    missing = CliRunner().invoke(main, [str(run.outputs["depths"])])
    assert missing.exit_code == 1 and "found neither" in missing.output
