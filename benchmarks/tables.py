"""Tables of figures beside what was promised."""

from __future__ import annotations

from collections.abc import Sequence


def print_figures(figures: Sequence[tuple[str, str, str, bool]]) -> None:
    """Print a row for each figure: its name, what was measured, what was promised (-: nothing), whether it is kept."""
    rows = [
        (name, measured, promise, "-" if promise == "-" else "yes" if kept else "NO")
        for name, measured, promise, kept in figures
    ]
    rows.insert(0, ("figure", "measured", "promise", "kept"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        first, *others = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join([first, *others]).rstrip(), flush=True)
