"""All furniture of Debian's sweethome3d-furniture, planned and fetched: how much of it can be used, and in which size.

python benchmarks/furniture.py [--source furniture://] [--record]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from record import record

from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from shapeyard.contracts.dataset import Dataset, read_info
from shapeyard.formats.things import read_thing
from shapeyard.sources.provenance import ROWS
from shapeyard.sources.schemes import open_source
from shapeyard.sources.selection import Selection
from shapeyard.sources.source import SourceFile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="furniture://")
    parser.add_argument("--record", action="store_true", help="write the figure down")
    arguments = parser.parse_args()
    start = time.process_time()
    (item,) = plan(Selection(arguments.source, shards=1))
    planned = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        fetch(item, Path(folder, "meshes"), FetchSettings())
        fetched = time.process_time() - start
        data = Dataset([Path(folder, "meshes")], "meshes")
        sizes = true_sizes(arguments.source, Path(folder))
        worst, textured = 0.0, 0
        for sample in data.samples:
            place = Path(folder, "one", sample.id)
            path = data.extract(sample.id, place)
            textured += any(file.suffix.lower() in (".jpg", ".jpeg", ".png") for file in path.parent.iterdir())
            corners = np.concatenate([mesh.vertices for mesh in read_thing(path)])
            worst = max(worst, np.abs(np.ptp(corners, axis=0) / sizes[sample.id] - 1).max())
        counts = read_info(Path(folder, "meshes"))["counts"]
    for skipped in data.skipped:
        print(f"skipped {skipped.id}: {skipped.reason}")
    licenses = ", ".join(f"{count} {name}" for name, count in counts["licenses"].items())
    print(f"{licenses}\n{len(counts['classes'])} classes, {textured} with textures; largest relative error {worst:.1e}")
    print(f"{planned:.1f} s planned, {fetched:.1f} s fetched (one core)")
    if arguments.record:
        record(
            "furniture", "data",
            f"Pieces of Debian's sweethome3d-furniture that are fetched whole ({item['objects']} in its catalogues)",
            f"{len(data.samples)}",
            command="python benchmarks/furniture.py",
            details=f"{licenses}; {textured} have textures; largest relative deviation from the catalogue's size "
            f"{worst:.0e}; {planned:.1f} s to plan and {fetched:.0f} s to fetch on one core",
        )  # fmt: skip


def true_sizes(source: str, folder: Path) -> dict[str, np.ndarray]:
    """Metres along x, y, z of each object, as the catalogue gives them."""
    opened = open_source(source)
    rows = next(file for file in opened.list_files() if file.key == ROWS)
    opened.download(SourceFile(rows.key, rows.size, rows.etag), folder / ROWS)
    lines = (folder / ROWS).read_text(encoding="utf-8").splitlines()
    return {row["id"]: np.array(row["size_cm"]) / 100 for row in map(json.loads, lines)}


if __name__ == "__main__":
    main()
