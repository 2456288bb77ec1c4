"""What pipelines are made of: stages that bring their settings along, shards, and outputs.

A pipeline names its stages, each with the prefix that its settings have among the parameters, and calls them:

    @pipeline("From meshes to voxels.", stages={"plan": "", "fetch": "", "voxelize": "voxelize_"}, outputs={…})
    def voxels(stage: Stages) -> None:
        with stage.shards() as fetched:
            stage("voxelize", meshes=fetched.outputs["meshes"])

Settings of the same name after prefixing are one parameter, and so are those of `SHARED` whatever the prefix.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from weakref import WeakKeyDictionary

from components import stages as all_stages
from shapeyard.contracts.stage import NO_EFFECT, Setting, Settings, required, settings_of
from shapeyard.errors import ParameterError, require

if TYPE_CHECKING:
    from kfp import dsl

SHARED = ("seed", "workers", "checkpoints", "checkpoint_minutes", "max_skipped", "max_triangles", "title")
"""Settings that mean the same in every stage."""
GATHER = "gather"
"""The stage between the loop and what takes its results."""
_GATHERED: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""Task in the loop → the task that gathers its output."""
SHARD_WORKERS = "shard_workers"
"""The name of the setting `workers` for stages in the loop over the shards: two iterations run side by side."""


@dataclass(frozen=True)
class PlacementSettings(Settings):
    """Where trainings run on a cluster."""

    accelerator_type: Annotated[str, NO_EFFECT] = "nvidia.com/gpu"
    """Resource name of the accelerators that trainings ask for."""
    accelerators: Annotated[str, NO_EFFECT] = "0"
    """How many of them, a whole number as a string: KFP's driver takes no other type for it."""

    def check(self) -> None:
        """Raise `ParameterError` for what is no whole number."""
        number = self.accelerators
        require(
            number.isascii() and number.isdecimal(),
            f"accelerators: expected a whole number of 0 or more, such as 1, got {number}",
        )


class Parameter(NamedTuple):
    """A parameter of a pipeline."""

    setting: Setting
    stages: tuple[str, ...]
    """those whose setting it is; none for the placement of trainings"""


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as it was declared."""

    name: str
    description: str
    build: Callable[[Stages], None]
    prefixes: Mapping[str, str]
    hidden: Mapping[str, Sequence[str]] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def parameters(self) -> dict[str, Parameter]:
        """The pipeline's parameters by their names; what has no default comes first."""
        found: dict[str, Parameter] = {}
        for stage in self.prefixes:
            for name, setting in self.exposed_settings(stage).items():
                there = found.get(name)
                found[name] = Parameter(setting, (*(there.stages if there else ()), stage))
                if there:
                    found[name] = found[name]._replace(setting=there.setting)
        for setting in settings_of(PlacementSettings).values():
            found[setting.name] = Parameter(setting, ())
        return dict(sorted(found.items(), key=lambda one: not required(one[1].setting)))

    def exposed_settings(self, stage: str) -> dict[str, Setting]:
        """The settings of a stage that the pipeline exposes, by the names of the pipeline's parameters."""
        declared, hidden = all_stages()[stage], {*self.hidden.get(stage, ()), *self.fixed.get(stage, {})}
        return {
            _exposed_name(declared.in_loop, self.prefixes[stage], name): setting
            for name, setting in settings_of(declared.settings).items()
            if name not in hidden
        }

    def settings_of(self, stage: str, values: Mapping[str, Any]) -> Settings:
        """The settings of a stage, of what the pipeline does not expose the defaults.

        Args:
            stage: one of the pipeline's.
            values: of all parameters of the pipeline.

        Raises:
            ParameterError: for values that the stage refuses.
        """
        exposed = self.exposed_settings(stage)
        given = {one.name: values[name] for name, one in exposed.items()}
        return all_stages()[stage].settings(**given, **self.fixed.get(stage, {}))

    def check(self, values: Mapping[str, Any]) -> None:
        """Check all parameters as the stages will do it, before the first of them starts.

        Raises:
            ParameterError: for a value that a stage would refuse; names the parameter, or the stage.
        """
        for name, (setting, _) in self.parameters().items():
            replace(setting, name=name).check(values[name])
        PlacementSettings(**{name: values[name] for name in settings_of(PlacementSettings)})
        for stage in self.prefixes:
            try:
                self.settings_of(stage, values)
            except ParameterError as error:
                raise ParameterError(self._named_by_parameter(stage, str(error))) from error

    def _named_by_parameter(self, stage: str, message: str) -> str:
        """What a stage says of a setting, said of the pipeline's parameter."""
        setting, _, said = message.partition(": ")
        names = {one.name: name for name, one in self.exposed_settings(stage).items()}
        return f"{names[setting]}: {said}" if setting in names else f"{stage}: {message}"

    def compiled(self) -> Any:
        """The pipeline as kfp's graph component."""
        from kfp import dsl

        parameters = self.parameters()

        def run(*channels: Any) -> Any:
            made = Stages(self, dict(zip(parameters, channels, strict=True)))
            self.build(made)
            return returned(**{name: made.output(place) for name, place in self.outputs.items()})

        schemas = {name: self._schema(place) for name, place in self.outputs.items()}
        returned: Any = NamedTuple(f"{self.name}_outputs", list(schemas.items()))  # type: ignore[misc]
        kind = inspect.Parameter.KEYWORD_ONLY
        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, kind, annotation=one.setting.type) for name, one in parameters.items()],
            return_annotation=returned,
        )
        return dsl.pipeline(run, name=self.name.replace("_", "-"), description=self.description)

    def _schema(self, place: str) -> Any:
        from kfp import dsl

        stage, output = place.split(".")
        return getattr(dsl, all_stages()[stage].outputs[output].schema)


def pipeline(
    description: str,
    *,
    stages: Mapping[str, str],
    outputs: Mapping[str, str],
    hidden: Mapping[str, Sequence[str]] | None = None,
    fixed: Mapping[str, Mapping[str, Any]] | None = None,
) -> Callable[[Callable[[Stages], None]], Pipeline]:
    """Declare a pipeline.

    Args:
        description: one sentence.
        stages: stage → the prefix of its settings among the parameters, in the order in which they are called.
        outputs: what a run shows: name → `stage.output`.
        hidden: stage → settings that are no parameters of the pipeline and keep their defaults.
        fixed: stage → settings that are no parameters either, with the values that they have in this pipeline.
    """
    inside = [name for name in stages if name == "plan" or all_stages()[name].in_loop]
    ordered = {**{name: stages[name] for name in inside}, GATHER: "", **stages}  # it follows from the loop
    return lambda build: Pipeline(build.__name__, description, build, ordered, hidden or {}, outputs, fixed or {})


class Stages:
    """Makes tasks of a pipeline that is being compiled, each with its settings, resources and accelerators."""

    def __init__(self, declared: Pipeline, channels: Mapping[str, Any]) -> None:
        self._pipeline, self._channels = declared, channels
        self._tasks: dict[str, Any] = {}

    def __call__(self, name: str, **inputs: Any) -> dsl.PipelineTask:
        """The task of a stage; every setting is given, since the server fails on a default that was left out."""
        from pipelines.pods import ask_for_accelerators, ask_for_resources

        stage = all_stages()[name]
        component = getattr(importlib.import_module(f"components.{name}.component"), name)
        exposed = {one.name: channel for channel, one in self._pipeline.exposed_settings(name).items()}
        fixed = self._pipeline.fixed.get(name, {})
        settings = {
            setting.name: self._channels[exposed[setting.name]]
            if setting.name in exposed
            else fixed.get(setting.name, setting.default)
            for setting in settings_of(stage.settings).values()
        }
        task = component(**inputs, **settings)
        ask_for_resources(task, stage)
        if stage.uses_accelerator:
            ask_for_accelerators(task, self._channels["accelerator_type"], self._channels["accelerators"])
        self._tasks[name] = task
        return task

    @contextmanager
    def shards(self) -> Iterator[dsl.PipelineTask]:
        """Tasks that are made below stand in the loop over the shards; gives the task whose `meshes` are a shard's."""
        from kfp import dsl

        planned = self("plan")
        # a source is always looked at anew; its shards' fingerprints decide what is reused
        planned.set_caching_options(False)
        with dsl.ParallelFor(planned.output) as shard:
            yield self("fetch", shard=shard)

    def output(self, place: str) -> Any:
        """The output `stage.name` of a task outside the loop."""
        stage, name = place.split(".")
        return self._tasks[stage].outputs[name]


def collected(task: dsl.PipelineTask, output: str) -> Any:
    """A shard stage's output from all shards, as one artifact for all who take it: see `gather`.

    Args:
        task: in the loop.
        output: the only one that its stage has.
    """
    from kfp import dsl

    from pipelines.pods import ask_for_resources

    if task not in _GATHERED:
        places = dsl.Collected(task.outputs["Output"])
        _GATHERED[task] = getattr(importlib.import_module(f"components.{GATHER}.component"), GATHER)(places=places)
        ask_for_resources(_GATHERED[task], all_stages()[GATHER])
    require(output in task.outputs, f"{task.name}: expected one of its outputs, got {output}")
    return _GATHERED[task].outputs["datasets"]


def train_and_report_classifier(stage: Stages, shards: dsl.PipelineTask, output: str) -> None:
    """How both pipelines for classifiers end: one is trained on all shards, measured and reported."""
    trained = stage("train_classifier", dataset=collected(shards, output))
    stage(
        "report_classifier",
        dataset=collected(shards, output),
        predictions=trained.outputs["predictions"],
        model=trained.outputs["model"],
    )


def _exposed_name(in_loop: bool, prefix: str, setting: str) -> str:
    if setting == "workers" and in_loop:
        return SHARD_WORKERS
    return setting if setting in SHARED else f"{prefix}{setting}"
