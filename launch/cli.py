"""The command `shapeyard`: every stage, and the pipelines made of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from components import stages as all_stages
from components import what_it_does
from components.reconstruct_surfaces import RESOLUTIONS
from launch.duplicates import duplicates
from launch.export_command import export
from launch.harvest_commands import harvest
from launch.remote_paths import InputPath, OutputPath, shown
from launch.stage_commands import StageGroup
from launch.verify_commands import changes, copy, verify
from shapeyard import __version__
from shapeyard.errors import ParameterError, ShapeyardError, one_line
from shapeyard.geometry.up_axis import UP_CHOICES

if TYPE_CHECKING:
    from rich.console import Console

MAX_PARAMETER_BYTES = 100_000
"""All that a stage is told is one argument of its command, which may have 128 KiB on Linux."""
FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
INPUT_FOLDER, INPUT_FILE = InputPath(file_okay=False, path_type=Path), InputPath(dir_okay=False, path_type=Path)
OUTPUT = OutputPath(path_type=Path)
_UP = click.option("--up", type=click.Choice(UP_CHOICES), default="auto", show_default=True,
                   help="The axis that points up; auto: z in STL and ZIP, else y.")  # fmt: skip


@click.group(cls=StageGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def shapeyard() -> None:
    """3D meshes in, trained and measured models out.

    `shapeyard run reconstruct` trains and measures networks; `shapeyard predict` and `shapeyard classify` use them.
    Every stage is a command of its own as well.
    """


@shapeyard.command()
@click.argument("pipeline")
@click.option("--preset", "preset_name", default="small", show_default=True, help="A file of pipelines/presets.")
@click.option(
    "--param",
    "-p",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="Replaces a value of the preset; @FILE for a file's content.",
)
@click.option(
    "--runner",
    type=click.Choice(["process", "docker"]),
    default="process",
    show_default=True,
    help="A process or a container a stage.",
)
@click.option("--network", default="", help="For containers: the engine's network that they join.")
@click.option("--out", type=FOLDER, default=Path("runs"), show_default=True, help="Where runs and the cache live.")
def run(pipeline: str, preset_name: str, params: tuple[str, ...], runner: str, network: str, out: Path) -> None:
    """Run a pipeline on this machine and show where the report is."""
    from launch.run import run_pipeline

    given = dict(_name_and_value("--param", text) for text in params)
    try:
        console = _console(stderr=True)
        folder = run_pipeline(pipeline, preset_name, given, out, console, runner=runner, network=network)
    except KeyboardInterrupt:
        _fail("interrupted; the next run goes on from the last whole stage", 130)
    report = folder / "report.html"
    shown = report if report.is_file() else folder
    click.echo(os.path.relpath(shown) if shown.is_relative_to(Path.cwd()) else shown)


@shapeyard.command()
@click.argument("pipeline")
@click.option("--preset", "preset_name", default="small", show_default=True, help="A file of pipelines/presets.")
@click.option("--param", "-p", "params", multiple=True, metavar="NAME=VALUE", help="Replaces a value of the preset.")
@click.option(
    "--endpoint",
    metavar="URL",
    envvar=["KF_PIPELINES_ENDPOINT", "KFP_ENDPOINT"],
    show_envvar=True,
    help="Of Kubeflow Pipelines.  [default: the cluster that kubectl is set to]",
)
@click.option(
    "--token", envvar="KFP_EXISTING_TOKEN", show_envvar=True, help="A bearer token; others see it less in the variable."
)
@click.option("--namespace", envvar="KFP_NAMESPACE", show_envvar=True, help="Yours, where several people share it.")
@click.option("--experiment", default="Default", show_default=True, help="The experiment that the run belongs to.")
@click.option("--create-experiment", is_flag=True, help="Make the experiment if it does not exist.")
@click.option("--run-name", help="What the run is called.  [default: pipeline, preset and time]")
@click.option("--service-account", metavar="NAME", help="What the stages run as.  [default: the deployment's]")
@click.option("--images", "lock", type=FILE, help="Take the images by the digests that `make images` wrote.")
@click.option("--wait", is_flag=True, help="Stay until the run ends; exit with 1 unless it succeeded.")
def submit(
    pipeline: str, preset_name: str, params: tuple[str, ...], lock: Path | None, wait: bool, **where: Any
) -> None:
    """Run a pipeline on a cluster and show the run's id and page."""
    from launch.image_lock import locked_images
    from launch.submit import submit as submit_pipeline

    given = dict(_name_and_value("--param", text) for text in params)
    image_of_stage = locked_images(lock) if lock else None
    run = submit_pipeline(pipeline, preset_name, given, image_of_stage=image_of_stage, **where)
    click.echo(f"{run.id} {run.url}")
    if wait:
        try:
            run.wait(_console(stderr=True))
        except KeyboardInterrupt:
            _fail("interrupted; the run goes on", 130)


@shapeyard.command("compile")
@click.argument("pipelines", nargs=-1, metavar="[PIPELINE]...")
@click.option("--out", type=FOLDER, help="Where the YAML goes.  [default: pipelines/compiled]")
@click.option("--images", "lock", type=FILE, help="Take the images by the digests that `make images` wrote.")
@click.option("--node", "nodes", multiple=True, metavar="LABEL=VALUE", help="Train on nodes with this label.")
@click.option("--check", is_flag=True, help="Write nothing; say what a cluster would stumble over.")
def compile_command(
    pipelines: tuple[str, ...], out: Path | None, lock: Path | None, nodes: tuple[str, ...], check: bool
) -> None:
    """Compile pipelines to KFP's YAML; all of them if none is named, and then all else that is derived as well.

    That is every stage's component.py, docker/compose*.yaml, docs/reference/, docs/benchmarks.md, docs/index.md, and
    the figures in the documents.
    """
    from launch.component_files import write_component_files
    from launch.compose import write_compose_files
    from launch.docs import write_docs
    from launch.image_lock import locked_images
    from launch.images import release_image
    from launch.ir import COMPILED, IR, compile_pipeline, dump, on_accelerator_nodes, with_images
    from launch.lint import findings
    from launch.parameters import pipeline_names

    image_of_stage = locked_images(lock) if lock else release_image
    labels = dict(_name_and_value("--node", text) for text in nodes)

    def compiled(name: str) -> IR:
        ir = with_images(compile_pipeline(name), image_of_stage)
        return on_accelerator_nodes(ir, labels) if labels else ir

    if check:
        found = [f"{name}: {line}" for name in pipelines or pipeline_names() for line in findings(compiled(name))]
        for line in found:
            click.echo(line)
        raise SystemExit(1 if found else 0)
    folder = out or COMPILED
    if not pipelines and not out:
        for path in write_component_files():
            click.echo(path)
    folder.mkdir(parents=True, exist_ok=True)
    for name in pipelines or pipeline_names():
        path = folder / f"{name}.yaml"
        path.write_text(dump(compiled(name)), encoding="utf-8")
        click.echo(path)
    if not pipelines and not out:
        for path in (*write_compose_files(), *write_docs()):
            click.echo(path)


@shapeyard.command()
@click.argument("stages", nargs=-1, metavar="[STAGE]...")
@click.option("--gpu", is_flag=True, help="With the GPU builds of torch and TensorFlow.")
@click.option("--base", help="The image to start from.  [default: python:3.11-slim-bookworm]")
@click.option("--torch-index", help="Where torch's CPU build is found.  [default: in docker/wheels, or PyTorch's own]")
@click.option("--registry", help="Where to push the images, such as registry.example.org/team.")
@click.option("--lock", type=FILE, default=Path("images.lock.yaml"), show_default=True, help="Where the digests go.")
def images(stages: tuple[str, ...], lock: Path, **settings: Any) -> None:
    """Build the stages' images, all of them if none is named, and write their digests down."""
    from launch.build import build_images, print_images
    from launch.image_lock import write_lock

    names = [stage.replace("-", "_") for stage in stages]
    if unknown := [name for name in names if name not in all_stages()]:
        raise ParameterError(f"stage: expected some of {', '.join(all_stages())}, got {', '.join(unknown)}")
    built = build_images(names or list(all_stages()), **{k: v for k, v in settings.items() if v is not None})
    write_lock(lock, built)
    print_images(built, _console())


@shapeyard.command("list")
def list_command() -> None:
    """List the pipelines with their presets, and the stages."""
    from rich.table import Table

    from launch.parameters import load_pipeline, pipeline_names, preset_names

    console = _console()
    table = Table("pipeline", "presets", "stages")
    for name in pipeline_names():
        table.add_row(name, ", ".join(preset_names(name)), " → ".join(load_pipeline(name).prefixes))
    console.print(table)
    stages = Table("stage", "stack", "what it does")
    for name, stage in all_stages().items():
        stages.add_row(name, stage.stack, what_it_does(name))
    console.print(stages)


@shapeyard.command()
@click.option("--older-than", "days", type=click.FloatRange(min=0), required=True, help="Days since the last change.")
@click.option("--out", type=FOLDER, default=Path("runs"), show_default=True, help="Where runs and the cache live.")
@click.option("--remove", is_flag=True, help="Remove it; else it is only listed.")
def clean(days: float, out: Path, remove: bool) -> None:
    """List old runs, and outputs that no younger run or entry of the cache needs, with their sizes; or remove them.

    The latest run stays with its outputs.
    """
    from launch.clean import clean as clean_runs

    found = clean_runs(out.resolve(), days * 86_400, remove=remove)
    for old in found:
        click.echo(f"{old.size / 1e6:10.1f} MB  {old.path}")
    what = "removed" if remove else "would be removed by --remove"
    click.echo(f"{sum(old.size for old in found) / 1e6:10.1f} MB in {len(found)} folders {what}", err=True)


@shapeyard.command()
@click.argument("folder", type=INPUT_FOLDER)
def inspect(folder: Path) -> None:
    """Print what is in a dataset: kind, classes, splits, sizes, what was skipped and why."""
    from launch.inspection import print_dataset

    print_dataset(folder, _console())


@shapeyard.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=InputPath(path_type=Path))
@click.option("--model", type=INPUT_FOLDER, required=True, help="A classifier, e.g. runs/latest/classifier.")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="Classes to show of each object.")
@_UP
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def classify(files: tuple[Path, ...], model: Path, top: int, up: str, as_json: bool) -> None:
    """Name the class of meshes: files of any format, ZIPs of a thing's STL files, folders of both."""
    from launch.classified import print_answers
    from shapeyard.inference.classify import classify_files

    answers = [{**answer, "file": shown(Path(answer["file"]))} for answer in classify_files(files, model, top, up)]
    print_answers(answers, as_json, _console())
    if any("error" in answer for answer in answers):
        raise SystemExit(1)


@shapeyard.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...", type=INPUT_FILE)
@click.option("--models", multiple=True, required=True, type=INPUT_FOLDER,
              help="A run's folder, e.g. runs/latest, or a model's; several may be given.")  # fmt: skip
@click.option("--out", required=True, type=OUTPUT, help="Where the files go.")
@click.option("--fov", "fov_degrees", type=float, help="The camera's horizontal field of view.  [default: 49.1]")
@click.option("--elevation", "elevation_degrees", type=float, default=30.0, show_default=True,
              help="Degrees from which the camera looked down.")  # fmt: skip
@click.option("--tolerance", type=int, default=24, show_default=True,
              help="What a plain background's channels may differ from its colour, of 255.")  # fmt: skip
def predict(images: tuple[Path, ...], models: tuple[Path, ...], out: Path, **settings: Any) -> None:
    """Predict depth, shape and class of the object in one or several photographs with a plain background."""
    from shapeyard.inference.reconstruct_images import reconstruct_images

    result = reconstruct_images(images, models, out, **settings)
    likely = ", ".join(f"{one['class']} {100 * one['probability']:.1f} %" for one in result["classes"][:3])
    click.echo(f"{shown(out / 'index.html')}{': ' + likely if likely else ''}")


def _shape_options(command: Any) -> Any:
    """What both commands that find codes take."""
    for option in (
        click.option("--models", multiple=True, required=True, type=INPUT_FOLDER,
                     help="A run's folder, e.g. runs/latest, or a model's; several may be given."),
        click.option("--out", required=True, type=OUTPUT, help="Where the files go."),
        _UP,
        click.option("--unit-sphere", is_flag=True,
                     help="The coordinates are the unit sphere's already, as those of a part of a shape must be."),
        click.option("--elevation", "elevation_degrees", type=float, default=30.0, show_default=True,
                     help="Degrees from which an image's camera looked down."),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all that is drawn."),
    ):  # fmt: skip
        command = option(command)
    return command


@shapeyard.command()
@click.argument("file", metavar="FILE", type=INPUT_FILE)
@click.option("--resolution", type=click.Choice([str(cells) for cells in RESOLUTIONS]), default="256",
              show_default=True, help="Cells along a side of the grid that the surface is extracted from.")  # fmt: skip
@click.option("--centre", type=float, nargs=3, metavar="X Y Z",
              help="The middle of the whole shape's bounds, in FILE's frame; for a part, with --radius.")  # fmt: skip
@click.option("--radius", type=float, help="The distance of the whole shape's farthest point from there.")
@_shape_options
def reconstruct(file: Path, models: tuple[Path, ...], out: Path, resolution: str, **settings: Any) -> None:
    """Reconstruct a shape by its code, from a mesh, a cloud with normals (.ply, .xyz, .npz) or a photograph."""
    from shapeyard.inference.reconstruct_shapes import reconstruct_shape

    result = reconstruct_shape(file, models, out, resolution=int(resolution), **settings)
    _warn(result["warning"])
    click.echo(f"{shown(out / 'shape.glb')}: error {result['error']:.4f}")


@shapeyard.command()
@click.argument("first", metavar="A", type=INPUT_FILE)
@click.argument("second", metavar="B", type=INPUT_FILE)
@click.option("--frames", type=click.IntRange(min=3), default=24, show_default=True, help="Shapes on the way.")
@_shape_options
def interpolate(first: Path, second: Path, models: tuple[Path, ...], out: Path, **settings: Any) -> None:
    """Show the shapes between two: an animation of the surfaces between their codes."""
    from shapeyard.inference.reconstruct_shapes import interpolate_shapes

    _warn(*interpolate_shapes((first, second), models, out, **settings))
    click.echo(shown(out / "animation.gif"))


@shapeyard.command(context_settings={"ignore_unknown_options": True})
@click.option("--data", type=FOLDER, default=Path("runs/.store"), show_default=True, help="Where the objects live.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def store(data: Path, command: tuple[str, ...]) -> None:
    """Run COMMAND with an object store of its own, which boto3 finds through the environment."""
    from launch.object_store import object_store
    from launch.processes import signal_with_parent

    with object_store(data.resolve()) as environment:
        child = subprocess.Popen(
            command, env={**os.environ, **environment}, preexec_fn=lambda: signal_with_parent(signal.SIGTERM)
        )
        # Ctrl-C reaches the command as well: it ends itself, and then the store goes.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        status = child.wait()
    raise SystemExit(status if status >= 0 else 128 - status)


for _command in (changes, copy, duplicates, export, harvest, verify):
    shapeyard.add_command(_command)


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def _warn(*warnings: str | None) -> None:
    for warning in filter(None, warnings):
        click.echo(f"shapeyard: warning: {warning}", err=True)


def _name_and_value(option: str, text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise ParameterError(f"{option} {text}: expected NAME=VALUE")
    if not value.startswith("@"):
        return name, value
    # A file's content, since a cache would not see that a file behind a name has changed, and a cluster not the file.
    content = Path(value[1:]).read_text(encoding="utf-8")
    size = len(content.encode())
    if size > MAX_PARAMETER_BYTES:
        raise ParameterError(f"{option} {name}: expected a file of at most {MAX_PARAMETER_BYTES} bytes, got {size}")
    return name, content


def main() -> None:
    """Run the command line: one line for an expected error and status 1, status 130 after Ctrl-C."""
    try:
        status = shapeyard(standalone_mode=False, prog_name="shapeyard")
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
