"""A command for every stage, derived from what its package declares."""

from __future__ import annotations

import importlib
import itertools
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from components import stages, what_it_does
from launch.component_files import FIGURES, VALUES
from launch.remote_paths import InputPath, OutputPath
from shapeyard.contracts.stage import Artifact, Setting, Stage, required, settings_of
from shapeyard.errors import require

FOLDERS = ("source", "pairs", "checkpoints")
"""Settings that name a folder of the user's, or a URI."""


def load_stage(stage: str) -> Any:
    """The KFP component of a stage."""
    return getattr(importlib.import_module(f"components.{stage}.component"), stage)


def stage_command(name: str) -> click.Command:
    """The command of a stage: an option for each artifact and setting that it declares."""
    stage = stages()[name]
    return _StageCommand(_word(name), stage, callback=_caller(name, stage), help=what_it_does(name))


class _StageCommand(click.Command):
    """Has its options made when they are asked for, since a list of all commands needs none."""

    def __init__(self, name: str, stage: Stage, **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self.stage = stage

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Options for inputs, outputs and settings."""
        if not self.params:
            self.params += [_input_option(name, artifact) for name, artifact in self.stage.inputs.items()]
            self.params += [_output_option(name, artifact) for name, artifact in self.stage.outputs.items()]
            self.params += [_setting_option(setting) for setting in settings_of(self.stage.settings).values()]
        return super().get_params(ctx)


def _input_option(name: str, artifact: Artifact) -> click.Option:
    if artifact.schema in VALUES:
        return click.Option([_flag(name), name], type=_Json(), required=True, help=artifact.text)
    note = " Give the option several times for several." if artifact.many else ""
    return click.Option(
        [_flag(name), name],
        type=InputPath(exists=True, path_type=Path),
        multiple=artifact.many,
        required=not artifact.optional,
        help=artifact.text + note,
    )


def _output_option(name: str, artifact: Artifact) -> click.Option:
    """Figures are asked for only if one wants their file: they are in the artifact's metadata."""
    path = OutputPath(path_type=Path)
    return click.Option([_flag(name), name], type=path, required=artifact.schema not in FIGURES, help=artifact.text)


def _setting_option(setting: Setting) -> click.Option:
    names = [_flag(setting.name), setting.name]
    if required(setting):
        return click.Option(names, type=setting.type, required=True, help=setting.text)
    return click.Option(names, type=setting.type, default=setting.default, show_default=True, help=setting.text)


class _Json(click.ParamType[Any]):
    """A value written as JSON."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse, or refuse in one line."""
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(f"expected JSON: {error}", param, ctx)


def _caller(name: str, stage: Stage) -> Callable[..., None]:
    def call(**values: Any) -> None:
        _require_apart(values, set(stage.outputs))
        component = load_stage(name)
        with TemporaryDirectory(prefix="shapeyard-figures-") as scratch:
            arguments: dict[str, Any] = {}
            for argument, value in values.items():
                if argument in stage.outputs:
                    path = value or Path(scratch) / argument
                    path.parent.mkdir(parents=True, exist_ok=True)
                    # The last part as it is: a symbolic link is refused, where its target would be emptied.
                    path = path.parent.resolve() / path.name
                    arguments[argument] = _artifact(path, stage.outputs[argument].schema)
                elif argument in stage.inputs and stage.inputs[argument].schema not in VALUES:
                    artifact = stage.inputs[argument]
                    paths = value if artifact.many else () if value is None else (value,)
                    made = [_artifact(path.resolve(), artifact.schema) for path in paths]
                    arguments[argument] = made if artifact.many else next(iter(made), None)
                else:
                    arguments[argument] = value
            result = component.python_func(**arguments)
        for item in result if stage.gives_items else ():  # what a loop runs over, a line each
            click.echo(json.dumps(item))

    return call


def _require_apart(values: Mapping[str, Any], outputs: set[str]) -> None:
    """Refuse an output that is, lies in or holds an input or another output: it would be emptied, or written into.

    Raises:
        ParameterError: naming both.
    """
    given = [
        (name, path.resolve())
        for name, value in values.items()
        for path in (value if isinstance(value, tuple) else (value,))
        if isinstance(path, Path)
    ]
    folders = [(name, Path(values[name].removeprefix("file://")).resolve()) for name in FOLDERS if values.get(name)]
    for (name, output), (other, path) in itertools.product(given, given + folders):
        if name not in outputs or name == other:
            continue
        within = output.is_relative_to(path) and other not in FOLDERS  # a user's folder may hold outputs
        require(
            not (within or path.is_relative_to(output)),
            f"{_flag(name)} {output}: expected a path apart from all inputs and other outputs, got one that is, "
            f"lies in or holds {_flag(other)} {path}",
        )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _artifact(path: Path, schema: str) -> Any:
    """A KFP artifact whose path is the given one, which is absolute."""
    from kfp import dsl

    artifact = getattr(dsl, schema)(name=path.name, uri=str(path))
    artifact.path = str(path)
    return artifact


def _word(stage: str) -> str:
    return stage.replace("_", "-")


class StageGroup(click.Group):
    """A group with a command for every stage."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The other commands, then the stages."""
        return [*super().list_commands(ctx), *map(_word, stages())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command; a stage's name may be written with `_` or `-`."""
        stage = cmd_name.replace("-", "_")
        return super().get_command(ctx, cmd_name) or (stage_command(stage) if stage in stages() else None)


if not sys.warnoptions:
    import warnings

    warnings.filterwarnings("ignore", category=FutureWarning, module="kfp")  # says that Python 3.11 will go one day
