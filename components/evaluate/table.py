"""The figures of an evaluation as a table, for a README or a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from shapeyard.metrics.figures import HEADINGS, NUMBERS, figures


def markdown_table(metrics: Mapping[str, Any]) -> str:
    """The table as Markdown, from the content of metrics.json."""
    rows = [
        HEADINGS,
        ["--:" if heading in NUMBERS else "---" for heading in HEADINGS],
        *(figure.cells() for figure in figures(metrics)),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def metrics_table(metrics: Mapping[str, Any]) -> Table:
    """The table for a terminal, from the content of metrics.json."""
    table = Table(title=f"Test split: {metrics['samples']['test']} objects")
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading in NUMBERS else "left")
    for figure in figures(metrics):
        table.add_row(*figure.cells())
    return table
