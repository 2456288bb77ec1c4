"""Harvests of a stand-in for Thingiverse: what comes, what is missing and why, and what was asked for."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from thingiverse_server import SIGNATURE, TOKEN, StandIn, box, packed, running

from shapeyard.errors import ParameterError, ShapeyardError, SourceError
from shapeyard.harvest.collect import Outcome
from shapeyard.harvest.pacing import Clock
from shapeyard.harvest.target import Target
from shapeyard.harvest.thingiverse_harvest import ThingsRequest, harvest_thingiverse
from shapeyard.sources.layouts import detect_layout, group_objects
from shapeyard.sources.schemes import open_source
from shapeyard.sources.set_versions import Changes
from shapeyard.sources.thingiverse import find_categories

SPEED = 3000
PETS, PEOPLE = 103, 112
CHILD = """
import sys
from pathlib import Path
from shapeyard.harvest.pacing import Clock
from shapeyard.harvest.target import Target
from shapeyard.harvest.thingiverse_harvest import ThingsRequest, harvest_thingiverse
api, token, target, state, speed = sys.argv[1:]
harvest_thingiverse(ThingsRequest("pets,people"), Target(target, Path(state)), token, api, Clock(float(speed)))
"""


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with running(StandIn(speed=SPEED)) as server:
        yield server


def harvest(server: StandIn, folder: Path, categories: str = "pets", **settings: Any) -> Outcome:
    request = ThingsRequest(categories, **settings)
    return harvest_thingiverse(request, Target(str(folder), folder), TOKEN, server.api, Clock(server.speed))


def read_set(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().split("\n")[:-1]]
    return rows, json.loads((folder / "harvest.json").read_text())


def meshes(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".harvest" not in path.parts and path.suffix not in (".json", ".jsonl")
    }


def test_a_set_is_whole_and_planned(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.add(PETS, 15)
    stand_in.add(PEOPLE, 5, first=1013)  # of which two are in both
    outcome = harvest(stand_in, tmp_path / "set", "household/pets, models__people", per_page=6)
    assert outcome.objects == 18 and not outcome.missing
    rows, summary = read_set(tmp_path / "set")
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert rows[0] == {
        "id": "household__pets/1000", "class": "household__pets",
        "files": [
            {"key": "household__pets/1000/files/part 1000.stl", "size": 284, "sha256": sha256(box(1000)).hexdigest()}
        ],
        "license": "CC-BY-4.0", "license_as_given": "Creative Commons - Attribution", "creator": "Ada",
        "title": "Thing 1000", "tags": ["box"], "url": "https://www.thingiverse.com/thing:1000",
        "date": "2020-05-01T10:00:00Z",
    }  # fmt: skip
    assert summary["complete"] is True
    assert summary["counts"]["classes"] == {"household__pets": 15, "models__people": 3}
    files = open_source(str(tmp_path / "set")).list_files()
    objects = group_objects(files, detect_layout(files))
    assert [item.id for item in objects] == [row["id"] for row in rows]
    assert stand_in.tokens_elsewhere == 0
    before = sum(stand_in.asked.values())
    again = harvest(stand_in, tmp_path / "set", "pets,people", per_page=6)
    assert (again.version, again.changes) == (outcome.version, Changes([], [], [], 18))
    assert sum(stand_in.asked.values()) == before
    assert read_set(tmp_path / "set")[0] == rows


def test_what_a_thing_may_come_as(stand_in: StandIn, tmp_path: Path) -> None:
    """Several ZIPs; no ZIP, and files one by one; OBJ and 3MF; nothing of use; an archive that is not to be trusted."""
    stand_in.categories[PETS] = [1, 2, 3, 4, 5, 6, 7]
    stand_in.zips = {
        1: [packed(**{"a.stl": box(1)}), packed(**{"a.stl": box(2), "__MACOSX/._a.stl": b"junk"})],
        3: [packed(**{"x.OBJ": b"v 0 0 0", "x.3mf": b"PK", "images/x.png": b"png"})],
        4: [packed(**{"readme.txt": b"a", "model.scad": b"cube();"})],
        5: [packed(**{"../../evil.stl": box(1)})],
        6: [packed(**{"bomb.stl": bytes(30_000_000), "good.stl": box(6)})],
        7: [b"<html>"],
    }
    stand_in.files = {2: {"lid.STL": box(1), "notes.pdf": b"pdf"}}
    stand_in.licenses = {1: "GNU - GPL", 3: "creative commons - Public Domain Dedication", 6: "Beerware"}
    outcome = harvest(stand_in, tmp_path / "set")
    rows, summary = read_set(tmp_path / "set")
    kept = meshes(tmp_path / "set")
    assert set(kept) == {f"household__pets/{name}" for name in
                         ("1/1/a.stl", "1/2/a.stl", "2/lid.STL", "3/x.OBJ", "3/x.3mf", "6/good.stl")}  # fmt: skip
    assert kept["household__pets/1/2/a.stl"] == box(2)
    assert [row["license"] for row in rows] == ["GPL-1.0-or-later", "LicenseRef-CC-BY", "CC0-1.0", "unknown"]
    assert set(outcome.missing) == {"household__pets/5", "household__pets/7"}
    assert "expected members inside the archive" in outcome.missing["household__pets/5"]
    assert "not readable as ZIP" in outcome.missing["household__pets/7"]
    assert [entry["id"] for entry in summary["missing"]] == sorted(outcome.missing)
    assert [entry["id"] for entry in summary["skipped"]] == ["household__pets/4"]
    assert summary["left_out"][0]["file"] == "bomb.stl"
    assert "200 times its packed size" in summary["left_out"][0]["reason"]
    assert not summary["complete"]
    assert list(tmp_path.iterdir()) == [tmp_path / "set"]
    assert harvest(stand_in, tmp_path / "set").missing.keys() == outcome.missing.keys()
    assert stand_in.asked["/things/4"] == 1
    assert stand_in.asked["/things/5"] == 2


def test_a_service_that_misbehaves_now_and_then(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.add(PETS, 8)
    large = bytes(80) + random.Random(0).randbytes(2_000_000)  # more than one block comes before the connection breaks
    stand_in.zips[1003] = [packed(**{"a.stl": large})]
    stand_in.faults = {
        "/search/": ["500", "html"], "/things/1000": ["429:60"], "/things/1001": ["html", "503"],
        "/things/1002/package-url": ["500", "429:90", "500"], "/zip/1003/0": ["break", "break"], "/zip/1004/0": ["500"],
        "/zip/1005/0": ["429"],
    }  # fmt: skip
    outcome = harvest(stand_in, tmp_path / "set")
    assert outcome.objects == 8 and not outcome.missing
    assert stand_in.too_early == 0
    assert stand_in.asked["ranges"] == 2
    assert meshes(tmp_path / "set")["household__pets/1003/a.stl"] == large
    assert stand_in.asked["/things/1006"] == stand_in.asked["/zip/1006/0"] == 1


def test_what_does_not_come_is_listed(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.add(PETS, 9)
    stand_in.faults = {
        "/things/1000": ["404!"], "/things/1001": ["403!"], "/things/1002": ["500!"], "/things/1003": ["html!"],
        "/things/1004": ["redirect!"], "/zip/1005/0": ["break!"], "/zip/1006/0": ["404!"],
        "/zip/1007/0": ["nowhere!"],
    }  # fmt: skip
    outcome = harvest(stand_in, tmp_path / "set", max_megabytes=1)
    assert outcome.objects == 1
    why = {name[-4:]: reason for name, reason in outcome.missing.items()}
    api, cdn = stand_in.api, stand_in.cdn
    assert why["1000"] == f"{api}/things/1000: 127.0.0.1 answered 404 (not found)"
    assert why["1001"] == f"{api}/things/1001: 127.0.0.1 answered 403 (forbidden)"
    assert why["1002"] == f"{api}/things/1002: 127.0.0.1 answered 500 (internal server error)"
    assert why["1003"] == f"{api}/things/1003: expected JSON, got text/html"
    assert why["1004"] == f"{api}/things/1004: expected an answer, got a redirect to {cdn}/things/1004"
    assert why["1005"].startswith(f"{cdn}/zip/1005/0: the connection failed")
    assert why["1006"] == f"{cdn}/zip/1006/0: 127.0.0.1 answered 404 (not found)"
    assert stand_in.tokens_elsewhere == 0
    assert stand_in.asked["/things/1000"] == 1
    assert why["1007"] == f"{cdn}/zip/1007/0: expected a redirect to an address"
    stand_in.faults = {}
    outcome = harvest(stand_in, tmp_path / "set")
    assert outcome.objects == 9 and not outcome.missing


def test_a_listing_that_breaks_off_is_no_silent_gap(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.add(PETS, 9)
    stand_in.faults = {"/search/": ["", *["500"] * 6]}
    outcome = harvest(stand_in, tmp_path / "set", per_page=5)
    assert (outcome.objects, list(outcome.missing)) == (5, ["household__pets/page-2-and-later"])
    outcome = harvest(stand_in, tmp_path / "set", per_page=5)
    assert outcome.objects == 9 and not outcome.missing


def test_a_token_that_is_not_accepted_ends_it(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.add(PETS, 20)
    stand_in.faults = {"/things/1010": ["401!"]}
    with pytest.raises(SourceError, match=r"/things/1010: 127\.0\.0\.1 answered 401 \(the token is not accepted\)"):
        harvest(stand_in, tmp_path / "set")
    rows, summary = read_set(tmp_path / "set")
    assert summary["stopped_by"].endswith("(the token is not accepted)")
    assert len(rows) + len(summary["missing"]) == 20
    stand_in.faults = {}
    outcome = harvest(stand_in, tmp_path / "set")
    assert outcome.objects == 20 and not outcome.missing


def test_a_service_that_is_down_is_not_asked_for_ever(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.add(PETS, 60)
    stand_in.faults = {f"/things/{number}": ["403!"] for number in range(1000, 1060)}
    with pytest.raises(SourceError, match=r"25 objects failed one after the other, the last by: .* 403"):
        harvest(stand_in, tmp_path / "set")
    assert len(read_set(tmp_path / "set")[1]["missing"]) == 60


def test_killed_again_and_again(tmp_path: Path) -> None:
    """Nothing is fetched twice but what was in flight, and the set is the same, byte for byte."""
    kills, in_flight = 4, 8
    with running(StandIn(speed=300, latency_s=5.0)) as server:
        server.add(PETS, 20)
        server.add(PEOPLE, 20, first=2000)
        arguments = [server.api, TOKEN, str(tmp_path / "set"), str(tmp_path / "state"), "300"]
        for number in range(kills + 1):
            child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stderr=subprocess.PIPE, text=True)
            journal = tmp_path / "set" / ".harvest" / "journal.jsonl"
            goal = (number + 1) * 7
            while number < kills and child.poll() is None:
                if journal.exists() and journal.read_bytes().count(b'"row"') >= goal:
                    os.kill(child.pid, signal.SIGKILL)
                    break
                time.sleep(0.002)
            said = child.communicate()[1]
            assert child.returncode == (-signal.SIGKILL if number < kills else 0), said
        expected = {f"household__pets/{i}/files/part {i}.stl": box(i) for i in range(1000, 1020)}
        expected |= {f"models__people/{i}/files/part {i}.stl": box(i) for i in range(2000, 2020)}
        assert meshes(tmp_path / "set") == expected
        assert len(read_set(tmp_path / "set")[0]) == 40
        downloads = [count for path, count in server.asked.items() if path.startswith("/zip")]
        assert sum(downloads) - 40 <= kills * in_flight
        assert server.asked["/search/"] <= 4 + kills
        assert list((tmp_path / "set" / ".harvest").iterdir()) == [tmp_path / "set" / ".harvest" / "journal.jsonl"]


def test_what_a_killed_harvest_left_of_a_thing_goes_and_what_was_lost_comes_again(
    stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.add(PETS, 3)
    folder = tmp_path / "set"
    harvest(stand_in, folder)
    (folder / "household__pets/1001/files/other.stl").write_bytes(box(9))
    (folder / "household__pets/1001/mine.stl").write_bytes(box(5))
    with (folder / ".harvest/journal.jsonl").open("a") as journal:
        journal.write('{"putting":["household__pets/1001/files/other.stl"]}\n')
    (folder / "household__pets/1002/files/part 1002.stl").write_bytes(b"half")
    (folder / "mine.stl").write_bytes(box(5))
    outcome = harvest(stand_in, folder)
    assert outcome.objects == 3 and not outcome.missing
    assert set(meshes(folder)) == {"mine.stl", "household__pets/1001/mine.stl"} | {
        f"household__pets/{i}/files/part {i}.stl" for i in (1000, 1001, 1002)
    }
    assert meshes(folder)["household__pets/1002/files/part 1002.stl"] == box(1002)
    assert stand_in.asked["/zip/1000/0"] == 1


def test_into_a_bucket(stand_in: StandIn, bucket: str, tmp_path: Path) -> None:
    stand_in.add(PETS, 6)
    stand_in.faults = {"/things/1004": ["404!"]}
    uri = f"{bucket}/things"
    request = ThingsRequest("pets")
    first = harvest_thingiverse(request, Target(uri, tmp_path / "a"), TOKEN, stand_in.api, Clock(SPEED))
    assert first.objects == 5
    stand_in.faults = {}
    # Another machine has no journal: the set itself says what is there.
    second = harvest_thingiverse(request, Target(uri, tmp_path / "b"), TOKEN, stand_in.api, Clock(SPEED))
    assert second.objects == 6 and not second.missing
    assert stand_in.asked["/zip/1000/0"] == 1
    files = open_source(uri).list_files()
    assert len(group_objects(files, detect_layout(files))) == 6


def test_no_secret_anywhere(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.add(PETS, 6)
    stand_in.faults = {"/zip/1001/0": ["500!"], "/zip/1002/0": ["break!"], "/things/1003": ["redirect!"],
                       "/zip/1004/0": ["403!"]}  # fmt: skip
    outcome = harvest(stand_in, tmp_path / "set")
    stand_in.faults = {"/search/": ["401!"]}
    with pytest.raises(ShapeyardError) as caught:
        harvest(stand_in, tmp_path / "set", "people")
    said = [str(caught.value), str(outcome.missing)]
    said += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert len(outcome.missing) == 4
    assert not any(secret in text for text in said for secret in (TOKEN, SIGNATURE))


def test_a_token_is_sent_by_https_alone(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"api http://example\.org: expected an address that starts with https://"):
        harvest_thingiverse(ThingsRequest("pets"), Target(str(tmp_path), tmp_path), TOKEN, "http://u:p@example.org")


def test_categories() -> None:
    assert find_categories("pets") == {"household__pets": 103} == find_categories("103")
    assert len(find_categories("all")) == 66
    assert list(find_categories("learning,Household/Pets")) == [
        "learning__biology", "learning__engineering", "learning__math", "learning__physics_astronomy",
        "household__pets",
    ]  # fmt: skip
    for names, message in (
        ("math", "may be art__math or learning__math"), ("cars", "got cars"), (" , ", "got none"),
    ):  # fmt: skip
        with pytest.raises(ParameterError, match=message):
            find_categories(names)
