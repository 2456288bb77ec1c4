"""Blender in processes of its own: silent, ended when it should be, and what crashes one costs its object alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scenes import IDENTITY, exported, write_meshes

from components.render import RenderSettings
from components.render.render import render
from shapeyard.contracts.dataset import Dataset

HOSTILE = sorted((Path(__file__).parents[2] / "cases" / "hostile").glob("min-crash-*"))
assert [path.suffix for path in HOSTILE] == [".ply", ".obj"]
"""Blender's importers write outside their memory when they read them as they are, which mostly ends the process."""


def test_blender_keeps_silent(draw, capfd):
    draw({"a/1": ("b.obj", {"b.obj": "mtllib gone.mtl\n" + exported(trimesh.creation.box(), "obj").decode()}, IDENTITY),
          "a/2": ("b.ply", {"b.ply": "no header"}, IDENTITY)})  # fmt: skip
    assert capfd.readouterr() == ("", "")


def test_the_stage_ends_as_a_process_should(tmp_path):
    """Status 0 with Blender loaded, the images those of a single process, and SIGTERM ends it at once."""
    box = {"b.obj": exported(trimesh.creation.box(), "obj")}
    meshes = write_meshes(tmp_path / "meshes", {f"a/{n}": ("b.obj", box, IDENTITY) for n in range(3)})
    code = (
        "import sys; from kfp import dsl; from components.render.component import render;"
        "render.python_func(dsl.Dataset(uri=sys.argv[1]), dsl.Dataset(uri=sys.argv[2]),"
        " views=int(sys.argv[3]), image_size=64, samples=1)"
    )
    command = [sys.executable, "-c", code, str(meshes), str(tmp_path / "renders")]
    whole = subprocess.run([*command, "1"], capture_output=True, text=True, timeout=300)
    assert (whole.returncode, whole.stdout, whole.stderr) == (0, "", "")
    there = Dataset([tmp_path / "renders"], "renders")
    settings = RenderSettings(views=1, image_size=64, samples=1)
    render(meshes, tmp_path / "here", settings)  # Blender is loaded: in this process
    here = Dataset([tmp_path / "here"], "renders")
    assert [sample.id for sample in there.samples] == [sample.id for sample in here.samples] == ["a/0", "a/1", "a/2"]
    for sample in here.samples:
        for name in ("rgba", "depth"):
            assert (there.read(sample.id, name) == here.read(sample.id, name)).all()
    there.close()
    running = subprocess.Popen([*command, "200"], stderr=subprocess.DEVNULL)
    while (tmp_path / "renders" / "dataset.json").exists():  # until the stage empties its output
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=60) == -signal.SIGTERM


@pytest.mark.parametrize("workers", [1, 2])
def test_what_crashed_blender_is_drawn_without_what_it_cannot_read(draw, tmp_path, workers):
    """In the processes that a user has; a culprit's own faces are seen, and all others are as ever."""
    crashing = {f"crash/{path.suffix[1:]}": (path.name, {path.name: path.read_bytes()}, IDENTITY) for path in HOSTILE}
    good = {"good/box": ("m.ply", {"m.ply": exported(trimesh.creation.box((1.0, 0.6, 0.3)), "ply")}, IDENTITY)}
    meshes = write_meshes(tmp_path / "meshes", crashing | good)
    (tmp_path / "scratch").mkdir()
    whole = run_stage(meshes, tmp_path, workers)
    assert (whole.returncode, whole.stdout, whole.stderr) == (0, "", "")
    assert not list((tmp_path / "scratch").iterdir())
    renders, expected = Dataset([tmp_path / "renders"], "renders"), draw(good, "expected")
    assert not renders.skipped
    assert [sample.id for sample in renders.samples] == ["crash/ply", "crash/obj", "good/box"]
    for sample in renders.samples:
        assert np.isfinite(renders.read(sample.id, "depth")).any()
    for name in ("rgba", "depth", "world_from_camera", "intrinsics"):
        assert np.array_equal(renders.read("good/box", name), expected.read("good/box", name))


def test_an_object_that_takes_too_long_or_too_much_is_skipped_by_name(tmp_path):
    """Both limits are settings; what is left of the object goes with its process."""
    ball = trimesh.creation.icosphere(subdivisions=6)
    meshes = write_meshes(tmp_path / "meshes", {"a/1": ("b.obj", {"b.obj": exported(ball, "obj")}, IDENTITY)})
    (tmp_path / "scratch").mkdir()
    for option, reason in (
        ({"object-seconds": 1e-3}, r"expected to be done in 0\.\d+ s, took longer"),
        ({"object-gigabytes": 1e-3}, r"expected to need at most 0\.001 GB of memory, took more"),
    ):
        ended = run_stage(meshes, tmp_path, 1, **option)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert re.fullmatch(rf"render: 1 of 1 samples skipped, .* first: a/1: {reason}\n", ended.stderr), ended.stderr
        assert not list((tmp_path / "scratch").iterdir())


def test_a_process_that_is_killed_costs_no_object(draw, tmp_path):
    """As when memory is short; the object that it worked on is drawn again."""
    box = {"b.obj": exported(trimesh.creation.box(), "obj")}
    objects = {f"a/{number}": ("b.obj", box, IDENTITY) for number in range(3)}
    (tmp_path / "scratch").mkdir()
    running = start_stage(write_meshes(tmp_path / "meshes", objects), tmp_path, workers=1, views=40)
    while not list((tmp_path / "scratch").glob("shapeyard-*/tmp*")):  # until an object is drawn
        assert running.poll() is None
        time.sleep(0.01)
    os.kill(int(Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text()), signal.SIGKILL)
    assert (*running.communicate(timeout=300), running.returncode) == ("", "", 0)
    renders, expected = Dataset([tmp_path / "renders"], "renders"), draw(objects, "expected", views=40)
    assert [sample.id for sample in renders.samples] == ["a/0", "a/1", "a/2"] and not renders.skipped
    for sample in renders.samples:
        assert np.array_equal(renders.read(sample.id, "rgba"), expected.read(sample.id, "rgba"))


def start_stage(meshes: Path, folder: Path, workers: int, views: int = 2, **more: float) -> subprocess.Popen[str]:
    """The stage as a command, into `folder`/renders; `folder`/scratch is where it puts what it needs for a while."""
    options = {"meshes": meshes, "renders": folder / "renders", "views": views, "image-size": 64, "samples": 1, **more}
    words = [text for name, value in {**options, "workers": workers}.items() for text in (f"--{name}", str(value))]
    environment = {**os.environ, "TMPDIR": str(folder / "scratch")}
    return subprocess.Popen(
        [sys.executable, "-m", "launch", "render", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def run_stage(meshes: Path, folder: Path, workers: int, **more: float) -> subprocess.CompletedProcess[str]:
    running = start_stage(meshes, folder, workers, **more)
    output, errors = running.communicate(timeout=300)
    return subprocess.CompletedProcess(running.args, running.returncode, output, errors)
