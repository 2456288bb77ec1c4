"""Files by a list of addresses and checksums."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from thingiverse_server import StandIn, box, running

from shapeyard.errors import FormatError
from shapeyard.harvest.collect import Outcome
from shapeyard.harvest.listed_files import harvest_list
from shapeyard.harvest.pacing import Clock
from shapeyard.harvest.target import Target
from shapeyard.sources.layouts import detect_layout, group_objects
from shapeyard.sources.schemes import open_source
from shapeyard.sources.set_versions import Changes, identities, set_version
from shapeyard.sources.verification import verify


def test_files_with_their_checksums(tmp_path: Path) -> None:
    with running(StandIn(speed=1000)) as server:
        server.files = {1: {f"{i}.stl": box(i) for i in range(1, 6)}}
        server.faults = {"/file/1/0": ["503", "break"]}
        lines = ["path,url,sha256,license"]
        for number, key in enumerate(("chair/one.stl", "chair/two/seat.stl", "chair/two/leg.stl", "lamp/x.stl")):
            digest = hashlib.sha256(box(number + 1)).hexdigest()
            lines.append(f"{key},{server.cdn}/file/1/{number},{digest},CC0-1.0")
        lines.append(f"lamp/wrong.stl,{server.cdn}/file/1/4?sig=planted,{'0' * 64},")
        (tmp_path / "list.csv").write_text("\n".join(lines))
        target = Target(str(tmp_path / "set"), tmp_path)
        outcome = harvest_list(tmp_path / "list.csv", target, clock=Clock(1000))
        assert outcome.objects == 3
        assert "lamp/wrong.stl: expected a file with the SHA-256 000" in outcome.missing["lamp/wrong"]
        server.files[1]["5.stl"] = b"other"
        (tmp_path / "list.csv").write_text("\n".join(lines[:-1]))
        outcome = harvest_list(tmp_path / "list.csv", target, clock=Clock(1000))
        assert outcome.objects == 3 and not outcome.missing
        assert server.asked["/file/1/1"] == 1
    rows = [json.loads(line) for line in (tmp_path / "set" / "samples.jsonl").read_text().splitlines()]
    assert [(row["id"], len(row["files"])) for row in rows] == [("chair/one", 1), ("chair/two", 2), ("lamp/x", 1)]
    assert rows[0]["license"] == "CC0-1.0"
    files = open_source(str(tmp_path / "set")).list_files()
    assert [item.id for item in group_objects(files, detect_layout(files))] == [row["id"] for row in rows]
    assert "planted" not in (tmp_path / "set" / "harvest.json").read_text()


def test_a_second_harvest_says_what_changed(tmp_path: Path) -> None:
    folder = tmp_path / "set"

    def harvested(content: dict[str, bytes]) -> Outcome:
        server.files = {1: {f"{i}.stl": content[key] for i, key in enumerate(sorted(content))}}
        lines = [f"{key},{server.cdn}/file/1/{i},{hashlib.sha256(content[key]).hexdigest()}"
                 for i, key in enumerate(sorted(content))]  # fmt: skip
        (tmp_path / "list.csv").write_text("\n".join(["path,url,sha256", *lines]))
        return harvest_list(tmp_path / "list.csv", Target(str(folder), tmp_path), clock=Clock(1000))

    with running(StandIn(speed=1000)) as server:
        first = harvested({"cup/a.stl": box(1), "cup/b.stl": box(2), "cup/c.stl": box(3)})
        assert first.changes == Changes(["cup/a", "cup/b", "cup/c"], [], [], 0)
        (folder / "cup/c.stl").unlink()
        second = harvested({"cup/a.stl": box(1), "cup/b.stl": box(4), "cup/d.stl": box(5)})
    assert second.changes == Changes(["cup/d"], ["cup/c"], ["cup/b"], 1)
    assert (folder / "cup/b.stl").read_bytes() == box(4)
    summary = json.loads((folder / "harvest.json").read_text())
    assert summary["changes"] == {"since": first.version, "new": 1, "gone": 1, "changed": 1, "same": 1}
    assert summary["version"] == second.version != first.version
    assert verify(str(folder)).whole
    (folder / "samples.jsonl").write_text((folder / "samples.jsonl").read_text().replace("unknown", "CC0-1.0"))
    assert verify(str(folder)).changed == [
        ("samples.jsonl", f"expected version {second.version}, found {set_version(_rows(folder))}")
    ]


def _rows(folder: Path) -> dict[str, Any]:
    return identities(map(json.loads, (folder / "samples.jsonl").read_text().splitlines()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,url\n", "expected the columns path, url, sha256, got none named sha256"),
        ("path,url,sha256\n", "expected a line a file, got none"),
        (f"path,url,sha256\n../a.stl,https://x/a,{'0' * 64}", r"line 2: '\.\./a\.stl': expected a name of"),
        (f"path,url,sha256\na.stl,https://x/a,{'0' * 64}", "line 2: expected a path CLASS/NAME"),
        ("path,url,sha256\nc/a.stl,https://x/a,12", "line 2: expected a SHA-256 of 64 hexadecimal digits, got 12"),
        (f"path,url,sha256\nc/a.stl,file:///etc/passwd,{'0' * 64}", "expected an address that starts with https://"),
        ("path,url,sha256\n" + 2 * f"c/a.stl,https://x/a,{'0' * 64}\n", "line 3: expected paths that differ"),
        ("\xff\xfe", "expected CSV|expected the columns"),
    ],
)  # fmt: skip
def test_lists_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "list.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(FormatError, match=message):
        harvest_list(tmp_path / "list.csv", Target(str(tmp_path / "set"), tmp_path))
