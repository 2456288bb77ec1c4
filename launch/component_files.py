"""`component.py` of every stage, derived from what its package declares.

KFP reads a component's interface and body from the source of a function, so there has to be one; it only hands plain
paths and the settings over to the stage's work.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from components import FOLDER, stages, what_it_does
from launch.images import release_image
from shapeyard.contracts.stage import Artifact, Setting, Stage, required, settings_of

FIGURES = ("Metrics", "ClassificationMetrics")
"""The outputs that are made of what the work returns; all others the work writes itself."""
VALUES = ("dict", "list")
"""Inputs that are no artifacts."""
WIDTH = 120


def write_component_files() -> list[Path]:
    """Write the file of every stage; returns those that changed."""
    written = []
    for name, stage in stages().items():
        path, source = FOLDER / name / "component.py", component_source(name, stage)
        if not path.is_file() or path.read_text(encoding="utf-8") != source:
            path.write_text(source, encoding="utf-8")
            written.append(path)
    return written


def component_source(name: str, stage: Stage) -> str:
    """The content of `component.py`."""
    typing_names = _typing_names(stage)
    why = "  # noqa: UP035 - kfp reads the annotations" if "List" in typing_names else ""
    imported = f"from typing import {', '.join(typing_names)}{why}\n\n"
    returns = "List[dict]" if stage.gives_items else "str" if stage.in_loop else "None"
    ignored = "  # type: ignore[type-arg]  # noqa: UP006" if stage.gives_items else ""
    return (
        f'"""The typed spec of `{name}`, derived from the package by `shapeyard compile`: do not edit."""\n\n'
        f"{imported if typing_names else ''}"
        "from kfp import dsl\n\n\n"
        f'@dsl.component(base_image="{release_image(name)}", install_kfp_package=False)\n'
        f"def {name}(\n{''.join(_parameters(stage))}) -> {returns}:{ignored}\n"
        f"{_docstring(name, stage)}"
        f"{''.join(_body(name, stage))}"
    )


def _typing_names(stage: Stage) -> list[str]:
    inputs = stage.inputs.values()
    used = {"List": stage.gives_items, "Optional": any(i.optional for i in inputs)}
    return [name for name, needed in used.items() if needed]


def _parameters(stage: Stage) -> Iterator[str]:
    """A line each; what has no default comes first, as Python wants it."""
    settings = list(settings_of(stage.settings).values())
    for name, artifact in stage.inputs.items():
        if not artifact.optional:
            yield _input(name, artifact)
    for setting in settings:
        if required(setting):
            yield f"    {setting.name}: {setting.type.__name__},\n"
    for name, artifact in stage.outputs.items():
        yield f"    {name}: dsl.Output[dsl.{artifact.schema}],\n"
    for name, artifact in stage.inputs.items():
        if artifact.optional:
            yield _input(name, artifact)
    for setting in settings:
        if not required(setting):
            yield f"    {setting.name}: {setting.type.__name__} = {_literal(setting)},\n"


def _input(name: str, artifact: Artifact) -> str:
    if artifact.schema in VALUES:
        return f"    {name}: {artifact.schema},  # type: ignore[type-arg]\n"
    kind = f"dsl.Input[dsl.{artifact.schema}]"
    comment = ""
    if artifact.optional:
        kind, comment = f"Optional[{kind}]", "  # noqa: UP045"
    return f"    {name}: {kind}{' = None' if artifact.optional else ''},{comment}\n"


def _literal(setting: Setting) -> str:
    value = setting.default
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, int) and not isinstance(value, bool) and value >= 10_000:
        return f"{value:_}"
    return repr(float(value)) if setting.type is float else repr(value)


def _docstring(name: str, stage: Stage) -> str:
    texts = {name: one.text for name, one in stage.inputs.items()}
    texts |= {name: one.text for name, one in stage.outputs.items()}
    texts |= {name: one.text for name, one in settings_of(stage.settings).items()}
    lines = textwrap.wrap(what_it_does(name), WIDTH, initial_indent='    """', subsequent_indent="    ")
    arguments = [
        line
        for argument, text in texts.items()
        for line in textwrap.wrap(f"{argument}: {text}", WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 12)
    ]
    return "\n".join([*lines, "", "    Args:", *arguments, '    """', ""])


def _body(name: str, stage: Stage) -> Iterator[str]:
    settings = settings_of(stage.settings)
    figures = {schema: next((n for n, o in stage.outputs.items() if o.schema == schema), "") for schema in FIGURES}
    logs = [f for f, name in zip(("log_metrics", "log_confusion"), figures.values(), strict=True) if name]
    imports = [f"    from components.{name}.{name} import {name} as work\n"]
    imports.append("    from shapeyard.contracts.progress import stage\n")
    if settings:
        imports.append(f"    from {stage.settings.__module__} import {stage.settings.__name__}\n")
    places = [name for name, used in (("datasets_of", stage.reads_shards), ("place_of", stage.in_loop)) if used]
    if places:
        imports.append(f"    from shapeyard.sources.shard_places import {', '.join(places)}\n")
    if logs:
        imports.append(f"    from shapeyard.contracts.measures import {', '.join(sorted(logs))}\n")
    yield from sorted(imports)
    yield "\n"
    yield f'    with stage("{name}"):\n'
    if settings:
        yield f"        settings = {stage.settings.__name__}(\n"
        yield from (f"            {one}={one},\n" for one in settings)
        yield "        )\n"
    arguments = [_path(n, one) for n, one in stage.inputs.items()]
    arguments += [f"{n}.path" for n, one in stage.outputs.items() if one.schema not in FIGURES]
    arguments += ["settings"] if settings else []
    result = "return " if stage.gives_items else "found = " if logs else ""
    call = f"        {result}work({', '.join(arguments)})\n"
    if len(call) <= WIDTH + 1:
        yield call
    else:
        yield f"        {result}work(\n"
        yield from (f"            {argument},\n" for argument in arguments)
        yield "        )\n"
    if stage.in_loop:
        (output,) = stage.outputs
        yield f"        return place_of({output}.uri, {output}.path)\n"
    if figures["Metrics"]:
        yield f"        log_metrics({figures['Metrics']}, found.figures)\n"
    if figures["ClassificationMetrics"]:
        yield f"        log_confusion({figures['ClassificationMetrics']}, found.classes, found.confusion)\n"


def _path(name: str, artifact: Artifact) -> str:
    if artifact.schema in VALUES:
        return name
    if artifact.many:
        return f"datasets_of({name})"
    return f"{name} and {name}.path" if artifact.optional else f"{name}.path"
