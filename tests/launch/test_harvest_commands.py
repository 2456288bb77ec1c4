"""The commands of `shapeyard harvest`, as a person calls them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from thingiverse_server import TOKEN, StandIn, running

from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from shapeyard.contracts.dataset import Dataset
from shapeyard.sources.selection import Selection

ROOT = Path(__file__).parents[2]


def shapeyard(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "launch.cli", "harvest", *arguments], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, cwd=ROOT,
    )  # fmt: skip


def test_from_thingiverse_to_meshes(tmp_path: Path) -> None:
    target = str(tmp_path / "set")
    with running(StandIn()) as server:
        server.add(103, 1)
        server.categories[103].append(1001)
        arguments = ("thingiverse", "--categories", "pets", "--api", server.api, "--to", target)
        done = shapeyard(*arguments, THINGIVERSE_TOKEN=TOKEN)
        assert done.returncode == 1
        version = re.fullmatch(
            rf"1 objects in {target}, version ([0-9a-f]{{16}}), 1 missing: see harvest.json there\n", done.stdout
        )
        assert version
        server.add(103, 0)
        del server.categories[103][1:]
        (tmp_path / "set" / ".harvest" / "journal.jsonl").unlink()
        done = shapeyard(*arguments, THINGIVERSE_TOKEN=TOKEN)
        same = "since the last harvest: 0 new, 0 gone, 0 changed, 1 the same\n"
        assert done.stdout == f"{same}1 objects in {target}, version {version[1]}\n", done.stderr
        refused = shapeyard(*arguments, "--per-category", "1", THINGIVERSE_TOKEN="planted-wrong")
        assert refused.returncode == 0, "nothing was left to ask for"
    assert json.loads((tmp_path / "set" / "harvest.json").read_text())["complete"]
    (item,) = plan(Selection(target, shards=1))
    fetch(item, tmp_path / "meshes", FetchSettings())
    (sample,) = Dataset([tmp_path / "meshes"], "meshes").samples
    assert sample.id == "household__pets/1000"


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    with running(StandIn()) as server:
        arguments = ("thingiverse", "--api", server.api, "--to", str(tmp_path / "set"), "--categories")
        nothing = {"XDG_CONFIG_HOME": str(tmp_path), "THINGIVERSE_TOKEN": ""}
        for done, message in (
            (shapeyard(*arguments, "pets", **nothing), "THINGIVERSE_TOKEN: expected an app token"),
            (shapeyard(*arguments, "cars", THINGIVERSE_TOKEN=TOKEN), "categories: expected all, some of 3d, art"),
            (shapeyard(*arguments, "pets", THINGIVERSE_TOKEN="planted-wrong"), "the token is not accepted"),
        ):
            assert done.returncode == 1
            assert message in done.stderr
            assert done.stderr.count("\n") == 1
            assert "planted" not in done.stderr + done.stdout
