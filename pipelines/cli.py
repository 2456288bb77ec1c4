"""The command `shapeyard`: every stage, and the pipelines made of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.table import Table

from components.cli import StageGroup, load_stage
from components.images import STACK_OF_STAGE
from shapeyard import __version__
from shapeyard.errors import ParameterError, ShapeyardError, one_line

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(cls=StageGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def shapeyard() -> None:
    """3D meshes in, trained and measured models out.

    `shapeyard run reconstruct` runs a whole pipeline; every stage is a command of its own as well.
    """


@shapeyard.command()
@click.argument("pipeline")
@click.option("--preset", "preset_name", default="small", show_default=True, help="A file of pipelines/presets.")
@click.option("--param", "-p", "params", multiple=True, metavar="NAME=VALUE", help="Replaces a value of the preset.")
@click.option("--runner", type=click.Choice(["process"]), default="process", show_default=True, help="What runs it.")
@click.option("--out", type=FOLDER, default=Path("runs"), show_default=True, help="Where runs and the cache live.")
def run(pipeline: str, preset_name: str, params: tuple[str, ...], runner: str, out: Path) -> None:  # noqa: ARG001
    """Run a pipeline on this machine and show where the report is."""
    from pipelines.run import run_pipeline

    given = dict(_name_and_value(text) for text in params)
    try:
        folder = run_pipeline(pipeline, preset_name, given, out, Console(stderr=True, highlight=False))
    except KeyboardInterrupt:
        _fail("interrupted; the next run goes on from the last whole stage", 130)
    report = folder / "report.html"
    click.echo(os.path.relpath(report) if report.is_relative_to(Path.cwd()) else report)


@shapeyard.command("compile")
@click.argument("pipelines", nargs=-1, metavar="[PIPELINE]...")
@click.option("--out", type=FOLDER, help="Where the YAML goes.  [default: pipelines/compiled]")
def compile_command(pipelines: tuple[str, ...], out: Path | None) -> None:
    """Compile pipelines to KFP's YAML; all of them if none is named."""
    from pipelines.ir import FOLDER as PIPELINES
    from pipelines.ir import compile_pipeline, dump, pipeline_names

    out = out or PIPELINES / "compiled"
    out.mkdir(parents=True, exist_ok=True)
    for name in pipelines or pipeline_names():
        path = out / f"{name}.yaml"
        path.write_text(dump(compile_pipeline(name)), encoding="utf-8")
        click.echo(path)


@shapeyard.command("list")
def list_command() -> None:
    """List the pipelines with their presets, and the stages."""
    from pipelines.ir import FOLDER as PIPELINES
    from pipelines.ir import compile_pipeline, pipeline_names, stages_of

    console = Console(highlight=False)
    table = Table("pipeline", "presets", "stages")
    for name in pipeline_names():
        presets = sorted(path.stem for path in (PIPELINES / "presets" / name).glob("*.yaml"))
        table.add_row(name, ", ".join(presets), " → ".join(stages_of(compile_pipeline(name))))
    console.print(table)
    stages = Table("stage", "stack", "what it does")
    for name, stack in STACK_OF_STAGE.items():
        stages.add_row(name, stack, (load_stage(name).description or "").partition("\n")[0])
    console.print(stages)


@shapeyard.command()
@click.argument("folder", type=FOLDER)
def inspect(folder: Path) -> None:
    """Print what is in a dataset: kind, classes, splits, sizes, what was skipped and why."""
    from pipelines.inspection import print_dataset

    print_dataset(folder, Console(highlight=False))


@shapeyard.command()
@click.argument("source")
@click.argument("target")
def copy(source: str, target: str) -> None:
    """Copy the files of SOURCE (a folder, s3://…, procedural://…) to the bucket TARGET (s3://bucket/prefix)."""
    from rich.progress import Progress

    from shapeyard.sources.copying import copy_to_bucket

    console = Console(stderr=True, highlight=False)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task(f"{source} → {target}", total=None)
        sent = copy_to_bucket(source, target, lambda done, total: progress.update(bar, completed=done, total=total))
    console.print(f"{sent} files sent to {target}", markup=False)


@shapeyard.command()
@click.argument("voxels", type=FOLDER)
@click.argument("folder", type=FOLDER)
def export(voxels: Path, folder: Path) -> None:
    """Write the grids of the dataset VOXELS as .binvox files into FOLDER."""
    from shapeyard.formats.export import export_voxels

    click.echo(f"{export_voxels(voxels, folder)} files in {folder}")


@shapeyard.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--model", type=FOLDER, required=True, help="A classifier, e.g. runs/latest/classifier.")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="Classes to show of each object.")
@click.option("--up", type=click.Choice(["auto", "y", "z"]), default="auto", show_default=True,
              help="The axis that points up; auto: z in STL and ZIP, else y.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def classify(files: tuple[Path, ...], model: Path, top: int, up: str, as_json: bool) -> None:
    """Name the class of meshes: files of any format, ZIPs of a thing's STL files, folders of both."""
    from pipelines.classify import classify_files, print_answers

    answers = classify_files(files, model, top, up)
    print_answers(answers, as_json, Console(highlight=False))
    if any("error" in answer for answer in answers):
        raise SystemExit(1)


@shapeyard.command(context_settings={"ignore_unknown_options": True})
@click.option("--data", type=FOLDER, default=Path("runs/.store"), show_default=True, help="Where the objects live.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def store(data: Path, command: tuple[str, ...]) -> None:
    """Run COMMAND with an object store of its own, which boto3 finds through the environment."""
    from pipelines.object_store import object_store
    from pipelines.processes import signal_with_parent

    with object_store(data.resolve()) as environment:
        child = subprocess.Popen(
            command, env={**os.environ, **environment}, preexec_fn=lambda: signal_with_parent(signal.SIGTERM)
        )
        # Ctrl-C reaches the command as well: it ends itself, and then the store goes.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        status = child.wait()
    raise SystemExit(status if status >= 0 else 128 - status)


def _name_and_value(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise ParameterError(f"--param {text}: expected NAME=VALUE")
    return name, value


def main() -> None:
    """Run the command line: one line for an expected error and status 1, status 130 after Ctrl-C."""
    try:
        status = shapeyard(standalone_mode=False)
    except ShapeyardError as error:
        _fail(one_line(error), 1)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted", 130)
    except OSError as error:
        _fail(one_line(error), 1)
    sys.exit(status or 0)


def _fail(message: str, status: int) -> NoReturn:
    click.echo(f"shapeyard: {message}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
