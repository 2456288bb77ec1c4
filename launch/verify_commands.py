"""The commands on whole sets of files: copy them, check them, compare two."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from shapeyard.sources.set_versions import Changes

FEW = 20
"""Lines of a kind that are shown on a terminal."""


@click.command()
@click.argument("source")
@click.argument("target")
def copy(source: str, target: str) -> None:
    """Copy the files of SOURCE (a folder, s3://…, procedural://…) to TARGET (a folder or s3://bucket/prefix).

    What is there already and did not change stays as it is; a copy that was interrupted goes on. If files are missing
    in the end, they are listed with the reason, and the exit status is 1.
    """
    from shapeyard.contracts.progress import Reporting, report, reporting
    from shapeyard.sources.copying import copy_files

    with reporting(Reporting("copy", None)):
        copied = copy_files(source, target, report)
    _print_lines("missing", (f"{key}: {reason}" for key, reason in copied.missing))
    counts = f"{copied.sent} files sent to {target}, {copied.unchanged} unchanged"
    click.echo(counts + (f", {len(copied.missing)} missing" if copied.missing else ""), err=True)
    raise SystemExit(1 if copied.missing else 0)


@click.command()
@click.argument("uri")
@click.option("--quick", is_flag=True, help="Compare the files' sizes alone, not their content.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all that is wrong.")
def verify(uri: str, quick: bool, as_json: bool) -> None:
    """Check a harvested set or a dataset, a folder or s3://bucket/prefix, against its own list of files and hashes.

    Lists what is missing, changed, or there and not in the list, and then ends with exit status 1.
    """
    from shapeyard.contracts.progress import Reporting, reporting
    from shapeyard.sources.verification import verify as verify_set

    with reporting(Reporting("verify", None)):
        found = verify_set(uri, content=not quick)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=1, ensure_ascii=False))
    else:
        for name in ("missing", "changed", "extra"):
            _print_lines(name, (f"{key}: {fault}" for key, fault in getattr(found, name)))
        wrong = f"{len(found.missing)} missing, {len(found.changed)} changed, {len(found.extra)} extra"
        click.echo(f"{uri}: {found.files} files, {'whole' if found.whole else wrong}", err=True)
    raise SystemExit(0 if found.whole else 1)


@click.command()
@click.argument("before")
@click.argument("after")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the ids of all that differ.")
def changes(before: str, after: str, as_json: bool) -> None:
    """Show which objects are new, gone or changed in the set AFTER since the set BEFORE; folders or s3://bucket/prefix."""
    from shapeyard.sources.verification import compare_sets

    found = compare_sets(before, after)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=1, ensure_ascii=False))
        return
    print_changes(found)
    click.echo(found.counts, err=True)


def print_changes(found: Changes) -> None:
    """A line an object that is new, gone or changed."""
    for name in ("new", "gone", "changed"):
        _print_lines(name, getattr(found, name))


def _print_lines(name: str, lines: Iterable[str]) -> None:
    """All lines into a file or a pipe; on a terminal the first few and how many more there are."""
    shown = list(lines)
    limit = FEW if sys.stdout.isatty() else len(shown)
    for line in shown[:limit]:
        click.echo(f"{name}  {line.encode('utf-8', 'backslashreplace').decode()}")
    if len(shown) > limit:
        click.echo(f"{name}  … and {len(shown) - limit} more; all of them in a file: shapeyard … > FILE")
