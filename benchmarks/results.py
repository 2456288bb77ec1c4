"""Print the README's table of results: `python benchmarks/results.py EVALUATION_OR_RUN [--rich]`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from components.evaluate.table import markdown_table, metrics_table


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--rich", "for_terminal", is_flag=True, help="Draw it for the terminal instead of as Markdown.")
def main(folder: Path, for_terminal: bool) -> None:
    """Print the figures of an evaluation, or of the newest evaluation below a run's folder."""
    metrics = read_evaluation(folder)
    if for_terminal:
        Console().print(metrics_table(metrics))
    else:
        click.echo(markdown_table(metrics))


def read_evaluation(folder: Path) -> dict[str, Any]:
    """The metrics.json of an evaluation, or the newest one below `folder`."""
    files = sorted((f for f in folder.rglob("metrics.json") if _is_evaluation(f)), key=lambda f: f.stat().st_mtime)
    if not files:
        raise click.ClickException(f"{folder}: expected an evaluation's metrics.json here or below, found none")
    metrics: dict[str, Any] = json.loads(files[-1].read_text(encoding="utf-8"))
    return metrics


def _is_evaluation(file: Path) -> bool:
    value = json.loads(file.read_text(encoding="utf-8"))
    return isinstance(value, dict) and value.get("stage") == "evaluate"


if __name__ == "__main__":
    main()
