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
    """Print the figures of a run's folder, or of an evaluation alone."""
    metrics = _read(next((f for f in (folder / "evaluation", folder) if (f / "metrics.json").is_file()), folder))
    if for_terminal:
        Console().print(metrics_table(metrics))
    else:
        click.echo(markdown_table(metrics))
    if (folder / "run.json").is_file():
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        stages = ", ".join(f"{name} {seconds:.0f}" for name, seconds in run["stages"].items())
        click.echo(f"\n{run['pipeline']}, preset {run['preset']}: {run['seconds']:.0f} s ({stages})")


def _read(folder: Path) -> dict[str, Any]:
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    if not isinstance(metrics, dict) or metrics.get("stage") != "evaluate":
        raise click.ClickException(f"{folder}: expected a run's folder or an evaluation, found neither")
    return metrics


if __name__ == "__main__":
    main()
