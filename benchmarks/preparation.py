"""What the benchmarks of trainings have in common: a preset's values, the datasets to train on, processor time."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from components.render import RenderSettings
from components.voxelize import VoxelizeSettings
from components.voxelize.voxelize import voxelize
from launch.parameters import arguments, load_pipeline
from shapeyard.contracts.stage import Settings
from shapeyard.sources.selection import Selection

CORES = 2
"""Of the machine that the targets on time are for."""
Declared = TypeVar("Declared", bound=Settings)


class PresetSettings:
    """The settings of a pipeline's stages as a preset has them, some of them changed."""

    def __init__(self, pipeline: str, preset: str, changes: Sequence[str] = ()) -> None:
        """`changes`: name=value of the pipeline's parameters; raises `ParameterError` for what a stage would refuse."""
        given = dict(change.split("=", 1) for change in changes)
        self.pipeline, self.values = load_pipeline(pipeline), arguments(pipeline, preset, given)

    def of(self, declared: type[Declared], **changed: Any) -> Declared:
        """The settings of the stage that declares them."""
        from components import stages

        stage = next(name for name in self.pipeline.prefixes if stages()[name].settings is declared)
        settings = self.pipeline.settings_of(stage, self.values)
        assert isinstance(settings, declared)
        return replace(settings, **changed)


def prepare(
    source: Selection, work: Path, render_settings: RenderSettings, voxelize_settings: VoxelizeSettings | None = None
) -> Path:
    """Write `meshes`, `renders` and, if they are wanted, `voxels` of a source to `work`, unless they are there."""
    from components.render.render import render

    if not (work / "renders" / "dataset.json").is_file():
        (item,) = plan(replace(source, shards=1))
        fetch(item, work / "meshes", FetchSettings())
        if voxelize_settings:
            voxelize(work / "meshes", work / "voxels", replace(voxelize_settings, workers=0))
        render(work / "meshes", work / "renders", replace(render_settings, workers=0))
    return work


def real_meshes(data: Path, work: Path, classes: str = "") -> dict[str, Selection]:
    """The sources of real meshes, each with one axis up.

    The names of one folder's files say it, _m… for +Y and _d… for +Z: two folders of copies are made.

    Args:
        data: the folder of real meshes.
        work: where the copies go.
        classes: with commas between; empty for all.
    """
    for path in sorted((data / "objects_obj").glob("*/*.obj")):
        axis = "z" if path.stem.rpartition("_")[2].startswith("d") else "y"
        target = work / f"files-{axis}" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return {
        "y": Selection(str(work / "files-y"), classes=classes, layout="classes", up_axis="y"),
        "z": Selection(str(work / "files-z"), classes=classes, layout="classes", up_axis="z"),
        "shapenet": Selection(str(data / "shapenet_v2"), classes=classes),
    }


class Clock:
    """Wall and processor time since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def seconds(self) -> float:
        """By the wall."""
        return time.perf_counter() - self._wall

    def cpu_seconds(self) -> float:
        """Of this process, all threads together."""
        return time.process_time() - self._cpu

    def minutes_of_two_cores(self) -> float:
        """What the wall's would be at the least, on two cores that do nothing else."""
        return self.cpu_seconds() / CORES / 60
