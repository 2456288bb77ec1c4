"""Tables of figures and their targets."""

from __future__ import annotations

from collections.abc import Sequence


def print_figures(figures: Sequence[tuple[str, str, str, bool]]) -> None:
    """Print a row for each figure: its name, what was measured, the target (-: none), and whether that is met."""
    rows = [
        (name, measured, target, "-" if target == "-" else "yes" if met else "NO")
        for name, measured, target, met in figures
    ]
    rows.insert(0, ("figure", "measured", "target", "met"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        first, *others = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join([first, *others]).rstrip(), flush=True)
