"""What `shapeyard duplicates` finds of planted copies, and how long it takes.

    python benchmarks/duplicates.py planted DATA [--record]       DATA/stl, DATA/objects_obj
    python benchmarks/duplicates.py speed [--files 10000] [--record]

Copies are planted among the originals in random formats under random names. Limits were chosen by looking at DATA/stl;
DATA/objects_obj was measured afterwards.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.planted import KINDS, SUFFIXES, write_mesh
from benchmarks.printable import write_printable
from benchmarks.record import record
from shapeyard.formats.mesh import MESH_SUFFIXES, read_mesh
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.sources.duplicate_files import Duplicates, Member, find_duplicates

EXACT_KINDS = ("exact copy", "re-export", "scaled", "turned", "mirrored")
REMESHED_KINDS = ("subdivided", "decimated", "simplified")
SAME_ORIGINALS = {
    # One part under two names, and one that is turned about.
    ("voron0__stls_panel_mounting_left_top_front_panel_clip_x1",
     "voron0__stls_panel_mounting_right_top_rear_panel_clip_x1"),
    ("enable__cyborg_beast_stl_files_cyborg_hand_1.2_hex_sleeve_solo",
     "enable__cyborg_beast_stl_files_cyborg_hand_1.45_no_thumb_cb_hex_1.45"),
    # Two revisions of a keycap, nowhere more than 0.1 mm apart.
    ("keycaps__tamago324_rev0.3_stl_keycaps_r3", "keycaps__tamago324_rev0.4_stl_keycaps_r3"),
    # Two names of a chair and of a sofa, scaled and turned; two jets whose fins differ a little.
    ("nonwheelchair_d00512", "nonwheelchair_m814"), ("multiseat_d00329", "multiseat_m839"), ("jet_m1207", "jet_m1265"),
}  # fmt: skip
"""Originals that were looked at and are the same."""
MAX_MEMORY = 8_000_000_000
"""Of a process: what makes the copies are libraries of others'."""
PLANTED_SHARE = 0.1
"""Of the files that speed is measured with."""


class Planted(NamedTuple):
    """A file of the folder."""

    family: int
    kind: str
    mesh: Mesh | None
    """of the original"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    planted = commands.add_parser("planted")
    planted.add_argument("data", type=Path)
    planted.add_argument("--only", choices=["stl", "objects_obj"])
    speed = commands.add_parser("speed")
    speed.add_argument("--files", type=int, default=10_000)
    speed.add_argument("--megabytes", type=float, default=1.0)
    for command in (planted, speed):
        command.add_argument("--record", action="store_true")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    if options.command == "planted":
        for name in [options.only] if options.only else ["stl", "objects_obj"]:
            measure_planted(options.data / name, options.record)
    else:
        measure_speed(options.files, options.megabytes, options.record)


def measure_planted(originals: Path, keep: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="shapeyard-planted-") as folder:
        files = plant(originals, Path(folder))
        found = find_duplicates(folder)
    assert not found.broken, found.broken
    counts, hits = Counter(one.kind for one in files.values()), Counter(found_kinds(found, files))
    right, wrong = count_pairs(found, files)
    print(f"{originals}: {len(files)} files, {right} pairs found that are the same, {wrong} that are not", flush=True)
    del counts["original"]
    for kind, count in counts.items():
        print(f"  {kind:12} {hits[kind]:4} of {count:4} found", flush=True)
    shares = {}
    for name, kinds in (("exact", EXACT_KINDS), ("remeshed", REMESHED_KINDS), ("plate", ("plate",))):
        shares[name] = sum(hits[kind] for kind in kinds) / sum(counts[kind] for kind in kinds)
        print(f"  {name}: recall {shares[name]:.4f}", flush=True)
    precision = right / (right + wrong)
    print(f"  precision {precision:.4f}", flush=True)
    if keep:
        each = ", ".join(f"{kind} {hits[kind]} of {counts[kind]}" for kind in counts)
        of_what = "160 printed things" if originals.name == "stl" else "203 meshes of 13 classes, none looked at before"
        record(
            f"duplicates-{'printed' if originals.name == 'stl' else 'held-out'}", "duplicates",
            f"Copies planted among {of_what}, found by `shapeyard duplicates`",
            f"recall {shares['exact']:.3f} (remeshed {shares['remeshed']:.3f}, plates {shares['plate']:.3f}) at a "
            f"precision of {precision:.3f}",
            details=f"{each}; {right} pairs of files rightly found to be the same, {wrong} wrongly",
            target="recall 0.98, remeshed 0.9, at a precision of 0.98",
            met=shares["exact"] >= 0.98 and shares["remeshed"] >= 0.9 and precision >= 0.98,
            command="python benchmarks/duplicates.py planted DATA",
        )  # fmt: skip


def plant(originals: Path, folder: Path) -> dict[str, Planted]:
    """Write originals and copies of every kind into `folder`; what each file is, by its key."""
    paths = sorted(path for path in originals.glob("*/*") if path.suffix.lower() in MESH_SUFFIXES)
    stems = {path.stem: number for number, path in enumerate(paths)}
    families = list(range(len(paths)))
    for one, other in SAME_ORIGINALS:
        if one in stems and other in stems:
            families[stems[other]] = stems[one]
    names = np.random.default_rng(0).permutation(10 * len(paths)).tolist()
    files: dict[str, Planted] = {}
    for number, path in enumerate(paths):
        mesh = read_mesh(path)
        key = f"0/{number:04}{path.suffix}"
        (folder / "0").mkdir(exist_ok=True)
        shutil.copyfile(path, folder / key)
        files[key] = Planted(families[number], "original", mesh)
        key = f"1/{names.pop():05}{path.suffix}"
        (folder / "1").mkdir(exist_ok=True)
        shutil.copyfile(path, folder / key)
        files[key] = Planted(families[number], "exact copy", mesh)
        for place, (kind, change) in enumerate(KINDS.items()):
            rng = np.random.default_rng((number, place))
            copy = change(mesh, rng)
            if copy is not None:
                key = f"1/{names.pop():05}{rng.choice(SUFFIXES)}"
                write_mesh(copy, folder / key)
                files[key] = Planted(families[number], kind, mesh)
    return files


def found_kinds(found: Duplicates, files: dict[str, Planted]) -> list[str]:
    """The kind of every planted file that stands in a group with its original."""
    kinds = []
    for group in found.groups:
        originals = {files[one.file].family for one in group if files[one.file].kind == "original" and not one.copies}
        for member in group:
            planted = files[member.file]
            if planted.family in originals and (planted.kind == "plate") == bool(member.copies):
                kinds.append(planted.kind)
    return kinds


def count_pairs(found: Duplicates, files: dict[str, Planted]) -> tuple[int, int]:
    """Pairs of a group that are of one family, and that are not."""
    same = [
        files[one.file].family == files[other.file].family
        for group in found.groups
        for one, other in combinations(_once(group), 2)
    ]
    return sum(same), len(same) - sum(same)


def _once(group: list[Member]) -> list[Member]:
    return list({member.file: member for member in group}.values())


def measure_speed(count: int, megabytes: float, keep: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="shapeyard-speed-") as scratch:
        folder = Path(scratch)
        planted = int(PLANTED_SHARE * count)
        total = write_printable(folder, count - planted, megabytes)
        kinds = [KINDS[kind] for kind in ("re-export", "scaled", "turned", "mirrored", "decimated")]
        for number in range(planted):
            rng = np.random.default_rng((1, number))
            mesh = read_mesh(folder / f"{int(rng.integers(count - planted)):05}.stl")
            copy = kinds[number % len(kinds)](mesh, rng)
            copy = copy if copy is not None else mesh
            write_mesh(copy, folder / f"copy-{number:05}.stl")
            total += (folder / f"copy-{number:05}.stl").stat().st_size
        print(f"{count} files, {total / 1e6:.0f} MB written", flush=True)
        before, start = _processor_seconds(), time.perf_counter()
        found = find_duplicates(scratch, 2)
        wall, cpu = time.perf_counter() - start, _processor_seconds() - before
    again = sum(member.file.startswith("copy-") for group in found.groups for member in group)
    memory = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + 2 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    ) / 1e6
    text = f"{wall / 60:.1f} minutes, {cpu / 60:.1f} of one core, {memory:.1f} GB at the most"
    print(f"{text}; {again} of {planted} planted copies in {len(found.groups)} groups, {len(found.broken)} broken")
    if keep:
        record(
            "duplicates-speed", "duplicates",
            f"`shapeyard duplicates` over {count:,} STL of {megabytes:g} MB, one in ten of them a copy, two processes",
            text, details=f"{again} of {planted} copies found, every fifth of them decimated",
            target="10,000 under 10 minutes", met=wall * 10_000 / count < 600,
            command=f"python benchmarks/duplicates.py speed --files {count}",
        )  # fmt: skip


def _processor_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
