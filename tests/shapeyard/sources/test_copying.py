"""Copying whole sets, from servers and in processes that do not behave."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.misbehaving_store import MisbehavingStore, misbehaving_store
from shapeyard.sources import s3
from shapeyard.sources.copying import JOURNAL, copy_files
from shapeyard.sources.s3 import BLOCK, S3Source

ROOT = Path(__file__).parents[3]
COUNT = 60


def nothing(done: int, total: int) -> None:
    """No progress is shown."""


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.fixture
def meshes(tmp_path: Path) -> Path:
    """60 files of up to 20 kB, and one of three parts."""
    numbers = random.Random(1)
    for number in range(COUNT):
        path = tmp_path / "meshes" / f"class{number % 3}" / f"{number:03d}.stl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(numbers.randbytes(numbers.randrange(20_000)))
    (tmp_path / "meshes" / "large.stl").write_bytes(numbers.randbytes(2 * BLOCK + 5))
    return tmp_path / "meshes"


@pytest.fixture
def copied(meshes: Path, bucket: str) -> str:
    assert copy_files(str(meshes), f"{bucket}/set", nothing).sent == COUNT + 1
    return f"{bucket}/set"


@pytest.fixture
def server(store: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[MisbehavingStore]:
    with misbehaving_store(store["AWS_ENDPOINT_URL"]) as running:
        yield running


def test_what_is_there_stays(meshes: Path, copied: str, tmp_path: Path) -> None:
    again = copy_files(str(meshes), copied, nothing)
    assert (again.sent, again.unchanged) == (0, COUNT + 1)  # the large one, too, whose tag is of its parts
    back = tmp_path / "back"
    assert copy_files(copied, str(back), nothing).sent == COUNT + 1
    assert contents(back) == contents(meshes)
    (back / "class0/000.stl").write_bytes(b"changed here")
    (back / "class1/001.stl").unlink()
    (tmp_path / "new").write_bytes(b"changed there")
    S3Source(copied).upload(tmp_path / "new", "class2/002.stl")
    assert copy_files(copied, str(back), nothing).sent == 3
    assert contents(back) == contents(meshes) | {"class2/002.stl": b"changed there"}
    other = f"{copied}-2"
    assert copy_files(copied, other, nothing).sent == COUNT + 1
    assert copy_files(copied, other, nothing).unchanged == COUNT + 1
    (back / JOURNAL).unlink()  # the content says the same
    with (back / JOURNAL).open("w") as journal:
        journal.write('{"half a')
    assert copy_files(copied, str(back), nothing).sent == 0


def test_a_server_that_fails_stalls_and_breaks_off(
    meshes: Path, copied: str, server: MisbehavingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    monkeypatch.setattr(s3, "READ_TIMEOUT_S", 1)
    server.fail, server.stall, server.cut = 0.2, 0.03, 0.1
    answer = copy_files(copied, str(tmp_path / "back"), nothing)
    assert not answer.missing
    assert contents(tmp_path / "back") == contents(meshes)
    assert sum(server.started.values()) > sum(server.served.values())


def test_what_can_not_be_had_is_listed(
    meshes: Path, copied: str, server: MisbehavingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "ATTEMPTS", 2)
    server.broken = {"/class1/004.stl"}
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    answer = copy_files(copied, str(tmp_path / "back"), nothing)
    ((key, reason),) = answer.missing
    assert key == "class1/004.stl" and "500" in reason
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in reason
    expected = contents(meshes)
    del expected["class1/004.stl"]
    assert contents(tmp_path / "back") == expected


def test_killed_again_and_again(
    meshes: Path, copied: str, server: MisbehavingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is fetched twice but what was in flight: one object a connection, each time."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    code = "import sys; from shapeyard.sources.copying import copy_files; copy_files(*sys.argv[1:], lambda *_: None)"
    command = [sys.executable, "-c", code, copied, str(tmp_path / "back")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    server.latency_s = 0.15
    kills = 0
    while kills < 3:
        before = sum(server.started.values())
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        while sum(server.started.values()) < before + 8 + 5 * kills and process.poll() is None:
            time.sleep(0.005)
        assert process.poll() is None
        process.kill()
        process.wait()
        kills += 1
    server.latency_s = 0.0
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    assert contents(tmp_path / "back") == contents(meshes)
    objects = {path: count for path, count in server.started.items() if path.endswith(".stl")}
    assert sum(count - 1 for count in objects.values()) <= kills * s3.CONNECTIONS
    assert not list((tmp_path / "back").rglob(".*.part"))


def test_a_large_object_goes_on_where_it_was(
    meshes: Path, copied: str, server: MisbehavingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = S3Source(copied)
    file = next(file for file in source.list_files() if file.key == "large.stl")
    blocks = source.read(file)
    first = bytes(next(blocks))
    blocks.close()
    rest = b"".join(source.read(file, len(first)))
    assert first + rest == (meshes / "large.stl").read_bytes() and len(first) >= BLOCK


def test_a_key_that_leads_out(bucket: str, tmp_path: Path) -> None:
    target = S3Source(bucket)
    target.ensure_bucket()
    (tmp_path / "file").write_bytes(b"x")
    for key in ("fine.stl", "a\nb.stl"):
        target.upload(tmp_path / "file", key)
    answer = copy_files(bucket, str(tmp_path / "back"), nothing)
    assert answer.sent == 1 and [key for key, _ in answer.missing] == ["a\nb.stl"]
    assert json.loads((tmp_path / "back" / JOURNAL).read_text().splitlines()[0])[0] == "fine.stl"
