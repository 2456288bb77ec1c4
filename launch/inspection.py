"""What is in a dataset directory, as a person reads it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from launch.remote_paths import shown
from shapeyard.contracts.dataset import SPLITS, read_info, read_samples
from shapeyard.contracts.licenses import count_licenses

SKIPPED_SHOWN = 20


def print_dataset(path: Path, console: Console) -> None:
    """Print kind, origin, classes by split, sizes, and what was skipped and why.

    Raises:
        DatasetError: if the directory is no whole dataset.
    """
    info = read_info(path, content=True)
    samples = read_samples(path)
    made_by = info["made_by"]
    size = sum(file.stat().st_size for file in path.iterdir())
    console.print(f"[bold]{info['kind']}[/]  {len(samples)} samples  {size / 1e6:.1f} MB  {escape(shown(path))}")
    console.print(f"made by {made_by['stage']} {made_by['version']} in {made_by['seconds']} s")
    for name, value in made_by["parameters"].items():
        console.print(f"  [dim]{name}[/] {escape(str(value))}", highlight=False)
    table = Table("class", *SPLITS, "all", title="samples by class and split", title_justify="left")
    counts = Counter((sample.class_name, sample.split) for sample in samples)
    for name in info["counts"]["classes"]:
        row = [counts[name, split] for split in SPLITS]
        table.add_row(escape(name), *map(str, row), str(sum(row)))
    totals = [sum(counts[name, split] for name in info["counts"]["classes"]) for split in SPLITS]
    table.add_section()
    table.add_row("all", *map(str, totals), str(sum(totals)))
    console.print(table)
    licenses = ", ".join(f"{name} ({count})" for name, count in count_licenses(samples).items())
    people = len({sample.creator for sample in samples if sample.creator})
    console.print(f"licences: {escape(licenses)}" + (f"; creators to name: {people}" if people else ""))
    for name, value in info["attributes"].items():
        console.print(f"  [dim]{name}[/] {escape(str(value))}", highlight=False)
    if info["skipped"]:
        skipped = Table("sample", "reason", title=f"{len(info['skipped'])} skipped", title_justify="left")
        for entry in info["skipped"][:SKIPPED_SHOWN]:
            skipped.add_row(escape(entry["id"]), escape(entry["reason"]))
        console.print(skipped)
