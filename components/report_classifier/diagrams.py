"""Diagrams as SVG: the confusion matrix, the reliability diagram, the training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from components.report_classifier.measures import main_category
from shapeyard.metrics.calibration import ReliabilityBin

MATRIX = 640
"""Pixels that the cells of a confusion matrix share, as far as a cell stays within its bounds."""
SMALLEST_CELL, LARGEST_CELL = 12, 44
CELL_WITH_NUMBER = 20
LETTER = 0.56
"""A letter's width by its height."""
PLOT, LEFT, BELOW = 300, 44, 34


def confusion_svg(classes: Sequence[str], matrix: NDArray[np.integer[Any]]) -> Markup:
    """Rows are the true classes, columns the answers; a cell is as dark as its share of the row.

    Cells grow smaller with more classes, and numbers go where they no longer fit: each cell tells its own to the mouse.
    Lines part the main categories, or the classes where there are none.
    """
    cell = min(max(MATRIX // max(len(classes), 1), SMALLEST_CELL), LARGEST_CELL)
    font = min(12, cell - 2)
    margin = round(max(len(name) for name in classes) * font * LETTER) + 10
    side = margin + cell * len(classes) + 4
    parts = []
    for i, name in enumerate(classes):
        middle = margin + cell * (i + 0.5)
        parts.append(f'<text x="{margin - 6}" y="{middle:.1f}" class="end" dy="0.35em">{escape(name)}</text>')
        parts.append(f'<text transform="translate({middle:.1f} {margin - 6}) rotate(-90)" dy="0.35em">'
                     f"{escape(name)}</text>")  # fmt: skip
    for i, row in enumerate(matrix):
        for j, count in enumerate(row):
            if count or i == j:
                share = float(count / max(row.sum(), 1))
                parts.append(_cell(margin + cell * j, margin + cell * i, cell, share, int(count), i == j,
                                   f"{classes[i]} taken for {classes[j]}: {count} of {row.sum()}"))  # fmt: skip
    length = cell * len(classes)
    starts = [i for i in range(1, len(classes)) if main_category(classes[i]) != main_category(classes[i - 1])]
    lines = "".join(f"M{margin} {margin + cell * i}h{length}M{margin + cell * i} {margin}v{length}" for i in starts)
    frame = f'<rect class="frame" x="{margin}" y="{margin}" width="{length}" height="{length}"/>'
    frame += f'<path class="frame" d="{lines}"/>' if lines else ""
    return Markup(  # noqa: S704 - every name in it is escaped
        f'<svg class="confusion" width="{side}" height="{side}" viewBox="0 0 {side} {side}" font-size="{font}" '
        f'role="img" aria-label="Confusion matrix; its numbers are in metrics.json">{frame}{"".join(parts)}</svg>'
    )


def reliability_svg(bins: Sequence[ReliabilityBin]) -> Markup:
    """Share right over mean confidence, a dot a bin; on the diagonal the probabilities can be trusted."""
    dots = [
        f'<line class="gap" x1="{_x(b.confidence):.1f}" y1="{_y(b.accuracy):.1f}" x2="{_x(b.confidence):.1f}" '
        f'y2="{_y(b.confidence):.1f}"/><circle cx="{_x(b.confidence):.1f}" cy="{_y(b.accuracy):.1f}" r="5">'
        f"<title>{b.samples} answers: confidence {b.confidence:.3f}, right {b.accuracy:.3f}</title></circle>"
        for b in bins
    ]
    diagonal = f'<line class="ideal" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>'
    return _plot(diagonal + "".join(dots), "confidence", "share right", "Reliability diagram")


def history_svg(history: Sequence[Mapping[str, float]]) -> Markup:
    """Accuracy on training and validation samples over the epochs."""
    lines = []
    last = max(len(history) - 1, 1)
    for column in ("train_accuracy", "val_accuracy"):
        points = [f"{_x(k / last):.1f},{_y(row[column]):.1f}" for k, row in enumerate(history) if column in row]
        lines.append(f'<polyline class="{column}" points="{" ".join(points)}"/>' if points else "")
    return _plot("".join(lines), f"epoch 1 to {len(history)}", "accuracy", "Training curves", ends=False)


def _cell(x: int, y: int, size: int, share: float, count: int, right: bool, title: str) -> str:
    number = ""
    if size >= CELL_WITH_NUMBER and count:
        strong = ' class="middle strong"' if share > 0.55 else ' class="middle"'
        number = f'<text x="{x + size / 2}" y="{y + size / 2}" dy="0.35em"{strong}>{count}</text>'
    kind = "right" if right else "wrong"
    return (
        f'<g><title>{escape(title)}</title><rect class="{kind}" x="{x}" y="{y}" width="{size}" height="{size}" '
        f'fill-opacity="{0.08 + 0.92 * share if count else 0:.3f}"/>{number}</g>'
    )


def _x(share: float) -> float:
    return LEFT + PLOT * share


def _y(share: float) -> float:
    return 10 + PLOT * (1 - share)


def _plot(content: str, across: str, up: str, name: str, ends: bool = True) -> Markup:
    width, height = LEFT + PLOT + 16, PLOT + 10 + BELOW
    ticks = "".join(
        f'<text class="end" x="{LEFT - 6}" y="{_y(t)}" dy="0.35em">{t:g}</text>'
        + (f'<text class="middle" x="{_x(t)}" y="{_y(0) + 15}">{t:g}</text>' if ends else "")
        for t in (0, 0.5, 1)
    )
    return Markup(  # noqa: S704 - nothing in it comes from the data but numbers
        f'<svg class="plot" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-size="11" role="img" '
        f'aria-label="{name}; its numbers are in the run’s files"><rect class="frame" x="{LEFT}" y="10" width="{PLOT}" '
        f'height="{PLOT}"/>{ticks}{content}<text class="middle" x="{_x(0.5)}" y="{height - 4}">{across}</text>'
        f'<text class="middle" transform="translate(12 {_y(0.5)}) rotate(-90)">{up}</text></svg>'
    )
