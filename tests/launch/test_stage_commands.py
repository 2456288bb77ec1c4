"""The command line: derived from the typed specs, errors in one line."""

import json
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trimesh
from click.testing import CliRunner

from components import stages
from launch.cli import _name_and_value, shapeyard
from launch.stage_commands import load_stage
from shapeyard.contracts.dataset import Dataset
from shapeyard.errors import ShapeyardError


def call(*words: str, module: str = "launch.cli") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", module, *words], capture_output=True, text=True, timeout=120)


@pytest.fixture
def meshes(tmp_path: Path) -> Path:
    for number in range(2):
        path = tmp_path / "meshes" / "box" / f"{number}.stl"
        path.parent.mkdir(parents=True, exist_ok=True)
        trimesh.creation.box((1, 2, 3 + number)).export(path)
    return tmp_path / "meshes"


@pytest.mark.parametrize("stage", stages())
def test_the_help_of_a_stage_has_every_option_and_its_text(stage: str) -> None:
    result = CliRunner().invoke(shapeyard, [stage.replace("_", "-"), "--help"], terminal_width=200)
    assert result.exit_code == 0, result.output
    spec = load_stage(stage).component_spec
    names = {*(spec.inputs or {}), *(name for name in (spec.outputs or {}) if name != "Output")}
    shown = {text.split()[0]: text.split() for text in re.split(r"^  (?=-)", result.output, flags=re.MULTILINE)[1:]}
    assert len(names) > 1
    for name in names:
        assert len(shown[f"--{name.replace('_', '-')}"]) > 3, f"{name} has no help"


def processor_seconds(*words: str) -> float:
    """Of a call, the least of three: other programs may be running."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert call(*words).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(3))


def test_help_and_list_come_at_once() -> None:
    assert processor_seconds("--help") < 0.4
    assert processor_seconds("list") < 1


def test_a_chain_of_single_stages(meshes: Path, tmp_path: Path) -> None:
    planned = call("plan", "--source", str(meshes), "--shards", "1")
    assert planned.returncode == 0, planned.stderr
    assert json.loads(planned.stdout)["objects"] == "2"
    fetched = call("fetch", "--shard", planned.stdout, "--meshes", str(tmp_path / "data/meshes"))
    assert fetched.returncode == 0, fetched.stderr
    made = call(
        "voxelize", "--meshes", str(tmp_path / "data/meshes"), "--voxels", str(tmp_path / "data/voxels"),
        "--resolution", "16", module="launch",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert len(Dataset([tmp_path / "data/voxels"], "voxels").samples) == 2
    shown = call("inspect", str(tmp_path / "data/voxels"))
    assert "2 samples" in shown.stdout
    exported = call("export", str(tmp_path / "data/voxels"), str(tmp_path / "binvox"))
    assert exported.returncode == 0, exported.stderr
    assert len(list((tmp_path / "binvox").rglob("*.binvox"))) == 2


def call_here(*words: str | Path) -> str:
    """Call within this process; returns what went wrong, or nothing."""
    result = CliRunner().invoke(shapeyard, [str(word) for word in words])
    if isinstance(result.exception, SystemExit):  # what a stage says itself
        return result.stderr
    assert result.exception is None or isinstance(result.exception, ShapeyardError), result.output
    return str(result.exception or "")


@pytest.fixture
def fetched(meshes: Path, tmp_path: Path) -> Path:
    """A dataset of kind meshes."""
    item = CliRunner().invoke(shapeyard, ["plan", "--source", str(meshes), "--shards", "1"]).stdout
    assert call_here("fetch", "--shard", item, "--meshes", tmp_path / "data" / "fetched") == ""
    return tmp_path / "data" / "fetched"


@pytest.mark.parametrize("output", ["data/fetched", "data/fetched/voxels", "data", "data/link"])
def test_an_output_lies_apart_from_the_inputs(fetched: Path, tmp_path: Path, output: str) -> None:
    (tmp_path / "data" / "link").symlink_to("fetched")
    refused = call_here("voxelize", "--meshes", fetched, "--voxels", tmp_path / output)
    assert "expected a path apart from all inputs" in refused
    assert f"--meshes {fetched}" in refused
    assert len(Dataset([fetched], "meshes").samples) == 2


@pytest.mark.parametrize("output", ["m/made", "m", "data"])
def test_an_output_lies_apart_from_other_outputs_and_from_folders(fetched: Path, tmp_path: Path, output: str) -> None:
    refused = call_here(
        "train-recgan", "--pairs", fetched, "--model", tmp_path / "m", "--reconstructions", tmp_path / output
    )
    assert (f"--pairs {fetched}" if output == "data" else f"{tmp_path}/m") in refused
    assert "expected a path apart from" in refused


def test_what_an_output_would_empty(fetched: Path, meshes: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    (results / "config.json").write_text("{}")
    (tmp_path / "link").symlink_to("data/fetched")
    item = CliRunner().invoke(shapeyard, ["plan", "--source", str(meshes), "--shards", "1"]).stdout
    for output, expected in (
        (results, "found other files"),
        (fetched / ".." / ".." / "results", "found other files"),
        (meshes, "found other files"),
        (tmp_path / "link", "found a symbolic link"),
    ):
        assert expected in call_here("fetch", "--shard", item, "--meshes", output)
    assert (results / "config.json").exists()
    assert len(list(meshes.rglob("*.stl"))) == 2
    assert call_here("fetch", "--shard", item, "--meshes", fetched) == "", "an earlier output is replaced"
    assert len(Dataset([fetched], "meshes").samples) == 2


@pytest.mark.parametrize(
    ("words", "status", "expected"),
    [
        (("voxelize",), 2, "Missing option '--meshes'"),
        (
            ("voxelize", "--meshes", "gs://b/x", "--voxels", "y"),
            2,
            "expected a path or s3://bucket/prefix, got gs://b/x",
        ),
        (("plan", "--source", "/nowhere"), 1, "expected a folder, found nothing"),
        (("plan", "--source", "x", "--shards", "99"), 1, "shards: expected 1 to 64, got 99"),
        (("fetch", "--shard", "{", "--meshes", "x"), 2, "expected JSON"),
        (("inspect", "/tmp"), 1, "expected a dataset, found no dataset.json"),
        (("run", "nonsense"), 1, "pipeline: expected one of"),
        (("run", "reconstruct", "--param", "render_views"), 1, "expected NAME=VALUE"),
        (("plan", "--source", ""), 1, "got nothing"),
        (("inspect", "/tmp/[/b]"), 1, "expected a dataset"),
        (("fetch", "--shard", "{}", "--meshes", "/etc/passwd/x"), 1, "/etc/passwd"),
        (("nonsense",), 2, "No such command 'nonsense'"),
    ],
)
def test_a_wrong_call_is_one_line(words: tuple[str, ...], status: int, expected: str) -> None:
    result = call(*words)
    assert result.returncode == status, result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert expected in last
    assert "Traceback" not in result.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 60 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_one_line(meshes: Path, small_disk: Path, tmp_path: Path) -> None:
    for number in range(3):
        trimesh.creation.icosphere(4, radius=1 + number).export(meshes / "box" / f"ball{number}.stl")
    item = call("plan", "--source", str(meshes), "--shards", "1").stdout
    made = call("fetch", "--shard", item, "--meshes", str(tmp_path / "fetched"))
    assert made.returncode == 0, made.stderr
    for words in (
        ("fetch", "--shard", item, "--meshes", str(small_disk / "meshes")),
        ("voxelize", "--meshes", str(tmp_path / "fetched"), "--voxels", str(small_disk / "voxels")),
        ("render", "--meshes", str(tmp_path / "fetched"), "--renders", str(small_disk / "renders"), "--views", "1"),
    ):
        result = call(*words)
        assert result.returncode == 1, result.stderr
        (line,) = result.stderr.strip().splitlines()
        assert "No space left on device" in line
        assert not list(small_disk.glob("*/dataset.json"))
        for folder in small_disk.iterdir():
            shutil.rmtree(folder)


def test_list_names_every_stage() -> None:
    result = CliRunner().invoke(shapeyard, ["list"])
    assert result.exit_code == 0
    assert all(stage in result.output for stage in stages())


def test_a_parameter_may_be_the_content_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "cameras.json").write_text('{"world_from_camera": []}', encoding="utf-8")
    assert _name_and_value("--param", f"cameras=@{tmp_path}/cameras.json") == ("cameras", '{"world_from_camera": []}')
    assert _name_and_value("--param", "title=a=b") == ("title", "a=b")
    missing = call("run", "reconstruct", "--param", f"render_cameras=@{tmp_path}/nowhere.json")
    assert missing.returncode == 1
    assert missing.stderr.count("\n") == 1
    assert "nowhere.json" in missing.stderr
