"""A command for every stage, derived from its typed spec."""

from __future__ import annotations

import importlib
import inspect
import itertools
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import docstring_parser
from kfp import dsl

from components.images import STACK_OF_STAGE
from shapeyard.errors import require

PARAMETER_TYPES = {"String": str, "Integer": int, "Float": float, "Boolean": bool}
"""KFP's types; any other (Dict, List) is given as JSON."""
FIGURES = ("system.Metrics", "system.ClassificationMetrics")
"""Outputs whose content is in their metadata; the command line asks for a file for them only if one wants it."""

FOLDERS = ("source", "pairs", "checkpoints")
"""Parameters that name a folder of the user's, or a URI."""


def load_stage(stage: str) -> Any:
    """The KFP component of a stage."""
    return getattr(importlib.import_module(f"components.{stage}.component"), stage)


def stage_command(stage: str) -> click.Command:
    """The command of a stage: an option for each parameter and artifact of its spec."""
    component = load_stage(stage)
    spec = component.component_spec
    docstring = docstring_parser.parse(inspect.getdoc(component.python_func) or "")
    texts = {parameter.arg_name: parameter.description or "" for parameter in docstring.params}
    options: list[click.Parameter] = [
        _input_option(name, value, texts.get(name, "")) for name, value in (spec.inputs or {}).items()
    ]
    outputs = {name: value.type for name, value in (spec.outputs or {}).items() if name != "Output"}
    options += [_output_option(name, schema, texts.get(name, "")) for name, schema in outputs.items()]
    return click.Command(
        stage.replace("_", "-"),
        params=options,
        callback=_caller(component, outputs),
        help="\n\n".join(text for text in (docstring.short_description, docstring.long_description) if text),
    )


def _input_option(name: str, spec: Any, text: str) -> click.Option:
    flag = _flag(name)
    if _is_artifact(spec.type):
        several = bool(getattr(spec, "is_artifact_list", False))
        folder = click.Path(exists=True, path_type=Path)
        note = " Give the option several times for several." if several else ""
        return click.Option(
            [flag, name], type=_Artifact(folder), multiple=several, required=not spec.optional, help=text + note
        )
    kind: Any = PARAMETER_TYPES.get(spec.type) or _Json()
    if not spec.optional:
        return click.Option([flag, name], type=kind, required=True, help=text)
    return click.Option([flag, name], type=kind, default=spec.default, show_default=True, help=text)


def _output_option(name: str, schema: str, text: str) -> click.Option:
    flag = _flag(name)
    required = not schema.startswith(FIGURES)
    return click.Option([flag, name], type=_Artifact(click.Path(path_type=Path)), required=required, help=text)


class _Artifact(click.ParamType[Path]):
    """A local path; a URI with a scheme is refused, since a stage reads and writes files."""

    name = "path"

    def __init__(self, path: click.Path) -> None:
        self.path = path

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, unless it is a URI."""
        if "://" in str(value):
            self.fail(f"expected a local path, got the URI {value}", param, ctx)
        return self.path.convert(value, param, ctx)


class _Json(click.ParamType[Any]):
    """A value written as JSON."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse, or refuse in one line."""
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(f"expected JSON: {error}", param, ctx)


def _caller(component: Any, outputs: dict[str, str]) -> Callable[..., None]:
    inputs = component.component_spec.inputs or {}

    def call(**values: Any) -> None:
        with TemporaryDirectory(prefix="shapeyard-figures-") as scratch:
            _require_apart(values, set(outputs))
            arguments: dict[str, Any] = {}
            for name, value in values.items():
                if name in outputs:
                    path = value or Path(scratch) / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    # The last part as it is: a symbolic link is refused, where its target would be emptied.
                    arguments[name] = _artifact(path.parent.resolve() / path.name, outputs[name])
                elif _is_artifact(inputs[name].type):
                    several = isinstance(value, tuple)
                    paths = value if several else () if value is None else (value,)
                    made = [_artifact(path.resolve(), inputs[name].type) for path in paths]
                    arguments[name] = made if several else next(iter(made), None)
                else:
                    arguments[name] = value
            result = component.python_func(**arguments)
        for item in result or ():  # what a loop runs over, a line each
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
    kind = schema.partition("@")[0].partition(".")[2]
    artifact = getattr(dsl, kind)(name=path.name, uri=str(path))
    artifact.path = str(path)
    return artifact


def _is_artifact(kind: Any) -> bool:
    return isinstance(kind, str) and kind.startswith("system.")


class StageGroup(click.Group):
    """A group whose stage commands are made when they are asked for: importing all specs takes a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The other commands, then the stages."""
        return [*super().list_commands(ctx), *(stage.replace("_", "-") for stage in STACK_OF_STAGE)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command; a stage's name may be written with `_` or `-`."""
        stage = cmd_name.replace("-", "_")
        return super().get_command(ctx, cmd_name) or (stage_command(stage) if stage in STACK_OF_STAGE else None)


if not sys.warnoptions:
    import warnings

    warnings.filterwarnings("ignore", category=FutureWarning, module="kfp")  # says that Python 3.11 will go one day
