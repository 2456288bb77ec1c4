"""Files by a list of addresses and checksums."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from thingiverse_server import StandIn, box, running

from shapeyard.errors import FormatError
from shapeyard.harvest.collect import Outcome
from shapeyard.harvest.listed_files import harvest_list
from shapeyard.harvest.pacing import Clock
from shapeyard.harvest.target import Target
from shapeyard.sources.layouts import detect_layout, group_objects
from shapeyard.sources.schemes import open_source


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
        assert harvest_list(tmp_path / "list.csv", target, clock=Clock(1000)) == Outcome(3, {})
        assert server.asked["/file/1/1"] == 1
    rows = [json.loads(line) for line in (tmp_path / "set" / "samples.jsonl").read_text().splitlines()]
    assert [(row["id"], len(row["files"])) for row in rows] == [("chair/one", 1), ("chair/two", 2), ("lamp/x", 1)]
    assert rows[0]["license"] == "CC0-1.0"
    files = open_source(str(tmp_path / "set")).list_files()
    assert [item.id for item in group_objects(files, detect_layout(files))] == [row["id"] for row in rows]
    assert "planted" not in (tmp_path / "set" / "harvest.json").read_text()


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
