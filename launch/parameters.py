"""The parameters of a pipeline: declared by its stages, changed by a preset, and by what a person gives."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pipelines
from pipelines.parts import Pipeline
from shapeyard.contracts.stage import required
from shapeyard.errors import ParameterError

FOLDER = Path(pipelines.__file__).resolve().parent
EXTENDS = "extends"
AUTO = "auto"
CHECKPOINTS = "shapeyard-checkpoints"
"""The prefix in the source's bucket that the parameter `checkpoints` means by `auto`."""


def pipeline_names() -> list[str]:
    """The pipelines, sorted: each has a folder of presets."""
    return sorted(path.name for path in (FOLDER / "presets").iterdir() if path.is_dir())


def load_pipeline(name: str) -> Pipeline:
    """A pipeline as it was declared.

    Raises:
        ParameterError: if there is no such pipeline.
    """
    if name not in pipeline_names():
        raise ParameterError(f"pipeline: expected one of {', '.join(pipeline_names())}, got {name}")
    declared: Pipeline = getattr(importlib.import_module(f"pipelines.{name}"), name)
    return declared


def preset_names(pipeline: str) -> list[str]:
    """The presets of a pipeline, sorted."""
    return sorted(path.stem for path in (FOLDER / "presets" / pipeline).glob("*.yaml"))


def preset(pipeline: str, name: str) -> dict[str, Any]:
    """All parameters as a preset has them: what its file says, on top of what it extends or of the declared defaults.

    Raises:
        ParameterError: if there is no such preset, or its file names something that is no parameter.
    """
    if name not in preset_names(pipeline):
        there = ", ".join(preset_names(pipeline)) or "none at all, not even small.yaml"
        raise ParameterError(f"preset of {pipeline}: expected one of {there}, got {name}")
    import yaml

    text = (FOLDER / "presets" / pipeline / f"{name}.yaml").read_text(encoding="utf-8")
    said: dict[str, Any] = yaml.safe_load(text)
    declared = load_pipeline(pipeline).parameters()
    unknown = sorted(said.keys() - declared.keys() - {EXTENDS})
    if unknown:
        raise ParameterError(f"preset {name}: expected parameters of {pipeline}, got {', '.join(unknown)}")
    if EXTENDS in said:
        return {**preset(pipeline, said.pop(EXTENDS)), **said}
    defaults = {key: one.setting.default for key, one in declared.items() if not required(one.setting)}
    return {key: {**defaults, **said}[key] for key in declared}


def arguments(pipeline: str, preset_name: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The values of all parameters, checked as the stages will check them.

    Args:
        pipeline: its name.
        preset_name: where values come from that are not given.
        given: parameters as text.

    Raises:
        ParameterError: for an unknown pipeline, preset or parameter, or a value that a stage would refuse.
    """
    declared = load_pipeline(pipeline)
    values = preset(pipeline, preset_name)
    for name, text in given.items():
        if name not in values:
            raise ParameterError(f"--param {name}: expected one of {', '.join(sorted(values))}")
        values[name] = _parsed(name, declared.parameters()[name].setting.type, text)
    if values.get("checkpoints") == AUTO:
        values["checkpoints"] = _beside(values["source"])
    declared.check(values)
    return values


def _beside(source: str) -> str:
    """Where checkpoints go that are to lie in the source's bucket; nowhere for a source that is none."""
    scheme, separator, rest = source.partition("://")
    return f"s3://{rest.partition('/')[0]}/{CHECKPOINTS}" if separator and scheme == "s3" else ""


def _parsed(name: str, kind: type, text: str) -> Any:
    words = {"true": True, "false": False}
    try:
        return words[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError):
        raise ParameterError(f"--param {name}: expected a value of type {kind.__name__}, got {text!r}") from None
