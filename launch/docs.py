"""Documents that follow from the code and from what the benchmarks wrote: the reference, the figures, the front page.

A figure stands in a document between `<!-- figure: NAME -->` and `<!-- /figure -->`; NAME is a file of
benchmarks/results, and what is between is replaced. docs/index.md is the README with links as the site needs them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from components import stages, what_it_does
from launch.benchmark_results import GROUPS, BenchmarkResult, read_results
from launch.parameters import FOLDER, load_pipeline, pipeline_names, preset, preset_names
from shapeyard.contracts.stage import Artifact, Setting, Stage, required, settings_of
from shapeyard.errors import FormatError

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = "https://github.com/shapeyard/shapeyard/blob/main"
"""Where the site's links to what is no page of it lead."""
READMES = ("README.md", "docker/README.md", "k8s/README.md")
DERIVED = ("docs/reference/stages.md", "docs/reference/pipelines.md", "docs/benchmarks.md", "docs/index.md")
FIGURE = re.compile(r"<!-- figure: (?P<name>[a-z0-9-]+) -->.*?<!-- /figure -->", re.DOTALL)
LINK = re.compile(r"(?<=\]\()(?!https?:|#)[^)]+(?=\))")
NOTE = "<!-- Derived by `shapeyard compile`: do not edit. -->\n"
NONE = "–"


def write_docs() -> list[Path]:
    """Write every document that is derived, or holds a figure; returns those that changed."""
    written = []
    for path, text in derived_documents().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def derived_documents() -> dict[Path, str]:
    """Every document that is derived, or holds a figure, and what it has to say.

    Raises:
        FormatError: for a figure that nothing measured.
    """
    results = read_results()
    by_hand = [*(ROOT / name for name in READMES), *sorted((ROOT / "docs").glob("*.md"))]
    documents = {
        path: with_figures(path.read_text(encoding="utf-8"), results, str(path.relative_to(ROOT)))
        for path in by_hand
        if str(path.relative_to(ROOT)) not in DERIVED
    }
    pages = (
        stage_reference(),
        pipeline_reference(),
        benchmark_page(results),
        front_page(documents[ROOT / "README.md"]),
    )
    return documents | {ROOT / name: page for name, page in zip(DERIVED, pages, strict=True)}


def with_figures(text: str, results: Mapping[str, BenchmarkResult], where: str) -> str:
    """A document with every figure as it was measured last.

    Raises:
        FormatError: for a figure that nothing measured; names it and `where`.
    """

    def measured(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in results:
            raise FormatError(f"{where}: expected a figure of benchmarks/results, got {name}")
        return f"<!-- figure: {name} -->{_cell(results[name].text())}<!-- /figure -->"

    return FIGURE.sub(measured, text)


def front_page(readme: str) -> str:
    """The README as the site's first page."""

    def target(link: re.Match[str]) -> str:
        inside = link[0].startswith("docs/")
        return link[0].removeprefix("docs/") if inside else f"{REPOSITORY}/{link[0]}"

    return NOTE + LINK.sub(target, readme)


def benchmark_page(results: Mapping[str, BenchmarkResult]) -> str:
    """docs/benchmarks.md: all figures, group by group."""
    lines = [
        "# Benchmarks", "", NOTE,
        "What was measured, each with its target; a missed one is shown like one that was met. Every figure is a",
        "file of `benchmarks/results` that a benchmark writes (`record` in `benchmarks/record.py`); this page and",
        "the figures in all other documents are made of these files by `shapeyard compile`. How the measures are",
        "defined: [measures.md](measures.md). Data in capitals are yours to supply.", "",
    ]  # fmt: skip
    for group, heading in GROUPS.items():
        of_group = [result for result in results.values() if result.group == group]
        rows = [_result_row(result) for result in of_group]
        processors = sorted({result.processor for result in of_group} - {""})
        if of_group:
            where = [f"Measured on {'; '.join(processors)}.", ""] if processors else []
            heads = ("figure", "measured", "compared with", "target", "command, when")
            lines += [f"## {heading}", "", *where, *_table(heads, rows), ""]
    return "\n".join(lines)


def _result_row(result: BenchmarkResult) -> tuple[str, ...]:
    measured = "; ".join(filter(None, (result.measured, result.details)))
    target = f"{result.target}: {'met' if result.met else '**missed**'}" if result.target else ""
    when = f"`{result.command}` {result.date}, commit `{result.commit}`"
    return result.figure_of, measured, result.compared_with, target, when


def stage_reference() -> str:
    """docs/reference/stages.md: every stage, its artifacts and its settings."""
    rows = [(f"[`{name}`](#{name})", stage.stack, what_it_does(name)) for name, stage in stages().items()]
    lines = [
        "# Stages", "", NOTE,
        "Each is a command (`shapeyard voxelize --help`; options are written with `-`) and a component of the",
        "[pipelines](pipelines.md).", "",
        *_table(("stage", "stack", "what it does"), rows), "",
    ]  # fmt: skip
    for name, stage in stages().items():
        lines += [f"## {name}", "", what_it_does(name), "", _requests(stage), ""]
        for heading, artifacts in (("input", stage.inputs), ("output", stage.outputs)):
            if artifacts:
                lines += [*_table((heading, "type", "what it is"), _artifact_rows(artifacts)), ""]
        settings = settings_of(stage.settings)
        if settings:
            lines += [
                *_table(("setting", "type", "default", "allowed", "what it does"), map(_row, settings.values())),
                "",
            ]
    return "\n".join(lines)


def pipeline_reference() -> str:
    """docs/reference/pipelines.md: every pipeline, its presets and its parameters."""
    lines = [
        "# Pipelines", "", NOTE,
        "`shapeyard run PIPELINE --preset PRESET --param NAME=VALUE`. A parameter is a setting of one or several",
        "[stages](stages.md), with a prefix where stages have settings of the same name. A preset says only what",
        "differs from the defaults; `small` is taken if none is named.", "",
    ]  # fmt: skip
    for name in pipeline_names():
        declared = load_pipeline(name)
        presets = sorted(preset_names(name), key=lambda one: (one != "small", one))
        lines += [
            f"## {name}", "", declared.description, "",
            f"Stages: {' → '.join(f'[`{stage}`](stages.md#{stage})' for stage in declared.prefixes)}.", "",
            f"Outputs in a run's folder: {', '.join(f'`{output}`' for output in declared.outputs)}.", "",
            *_table(("preset", "what it is for"), [(f"`{one}`", _what_for(name, one)) for one in presets]), "",
        ]  # fmt: skip
        values = {one: preset(name, one) for one in presets}
        rows = []
        for parameter, (setting, of) in declared.parameters().items():
            default = None if required(setting) else setting.default
            there = {one: value[parameter] for one, value in values.items() if value.get(parameter, default) != default}
            differs = "; ".join(f"{one}: {_code(value)}" for one, value in there.items())
            where = f"({', '.join(f'`{stage}`' for stage in of)})" if of else ""
            rows.append((f"`{parameter}`", _default(setting), differs, f"{setting.text} {where}"))
        lines += [*_table(("parameter", "default", "presets", "what it does"), rows), ""]
    return "\n".join(lines)


def _what_for(pipeline: str, name: str) -> str:
    """The comment at the head of a preset's file."""
    text = (FOLDER / "presets" / pipeline / f"{name}.yaml").read_text(encoding="utf-8")
    head = re.match(r"(?:#.*\n)*", text)
    return " ".join(line.removeprefix("#").strip() for line in (head[0] if head else "").splitlines())


def _requests(stage: Stage) -> str:
    asked = stage.resources
    return (
        f"Stack `{stage.stack}`. On a cluster: {asked.cpu[0]} to {asked.cpu[1]} CPU, {asked.memory[0]} to "
        f"{asked.memory[1]} of memory, {asked.hours:g} h an attempt, {asked.retries} retries"
        f"{', accelerators where asked for' if stage.uses_accelerator else ''}."
    )


def _artifact_rows(artifacts: Mapping[str, Artifact]) -> Iterator[tuple[str, ...]]:
    for name, artifact in artifacts.items():
        kind = "an item of `plan`" if artifact.schema == "dict" else artifact.schema
        notes = [word for word, holds in (("several", artifact.many), ("optional", artifact.optional)) if holds]
        yield f"`{name}`", ", ".join((kind, *notes)), artifact.text


def _row(setting: Setting) -> tuple[str, ...]:
    allowed = "" if setting.allowed is None else str(setting.allowed)
    note = "" if setting.has_effect else " (No effect on the result.)"
    return f"`{setting.name}`", setting.type.__name__, _default(setting), allowed, setting.text + note


def _default(setting: Setting) -> str:
    return "required" if required(setting) else _code(setting.default)


def _code(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`" if text else "empty"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [[_cell(cell) or NONE for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *cells)]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
