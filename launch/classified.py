"""What `shapeyard classify` prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

OUT_OF_DISTRIBUTION = "out-of-distribution: unlike anything it was trained on"


def print_answers(answers: Sequence[dict[str, Any]], as_json: bool, console: Console) -> None:
    """As JSON, or as a table; errors go to standard error, one line each."""
    if as_json:
        print(json.dumps(answers, indent=1, ensure_ascii=False))  # noqa: T201
        return
    table = Table(Column("file", overflow="fold"), Column("class", no_wrap=True), Column("probability", no_wrap=True))
    for answer in answers:
        if "error" in answer:
            print(f"shapeyard: {answer['error']}", file=sys.stderr)  # noqa: T201
            continue
        names = [one["class"] for one in answer["classes"]]
        shares = [f"{100 * one['probability']:.1f} %" for one in answer["classes"]]
        if answer["ood"]:
            names, shares = [OUT_OF_DISTRIBUTION, *(f"({name})" for name in names)], ["", *shares]
        table.add_row(escape(answer["file"]), escape("\n".join(names)), "\n".join(shares))
    if table.row_count:
        console.print(table)
