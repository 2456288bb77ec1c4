"""`shapeyard duplicates`: which files of a folder or bucket hold the same shape."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from shapeyard.sources.duplicate_files import Duplicates

BROKEN_SHOWN = 20


@click.command()
@click.argument("source")
@click.option("--leaks", "leaks_only", is_flag=True,
              help="Show what stands in more than one split (the source's own, or that of `plan`), and exit with 1 if "
                   "anything does.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with pictures there, too.")
@click.option("--workers", type=click.IntRange(min=0), default=0, help="Processes; 0 for all cores.")
def duplicates(source: str, leaks_only: bool, as_json: bool, page: Path | None, workers: int) -> None:
    """Find the files of SOURCE (a folder, s3://…) that hold the same shape, and say how they differ.

    Exact copies, re-exports, scaled, turned, mirrored, remeshed ones, and plates of several.
    """
    import json

    from shapeyard.contracts.progress import Reporting, reporting
    from shapeyard.sources.duplicate_files import find_duplicates
    from shapeyard.sources.split_leaks import leaks, splits_of_files

    splits = splits_of_files(source) if leaks_only else {}  # first, since it may be refused
    with reporting(Reporting("duplicates", None)):
        found = find_duplicates(source, workers)
        if leaks_only:
            found = leaks(found, splits)
        if page:
            from shapeyard.pages.duplicates_page import write_duplicates_page

            write_duplicates_page(page, found, splits)
    if as_json:
        click.echo(json.dumps(found.as_json(splits), indent=1, ensure_ascii=False))
    else:
        _print_table(found, splits)
    if page:
        click.echo(page, err=as_json)
    if leaks_only and found.groups:
        raise SystemExit(1)


def _print_table(found: Duplicates, splits: dict[str, str]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    console = Console(highlight=False)
    table = Table(Column("file", overflow="fold"), *(["split"] if splits else []), "how it differs from the first")
    for group in found.groups:
        for place, member in enumerate(group):
            split = [splits.get(member.file, "")] if splits else []
            table.add_row(escape(member.file), *split, ", ".join(member.differs) if place else "")
        table.add_section()
    if found.groups:
        console.print(table)
    for file, copies in found.plates.items():
        console.print(f"{file}: {copies} copies of one part", markup=False)
    for number, reason in enumerate(found.broken.values()):
        if number < BROKEN_SHOWN:
            click.echo(f"not compared: {reason}", err=True)
    if len(found.broken) > BROKEN_SHOWN:
        click.echo(f"not compared: {len(found.broken) - BROKEN_SHOWN} more; --json lists all", err=True)
    others = sum(len(group) - 1 for group in found.groups)
    where = " in more than one split" if splits else ""
    click.echo(
        f"{found.files} files compared: {len(found.groups)} groups{where}, {others} files more than shapes in them"
    )
