"""`shapeyard export`: datasets, harvested sets and models for other tools."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from launch.remote_paths import SCHEME, OutputPath, brought, shown
from shapeyard.errors import ParameterError

if TYPE_CHECKING:
    from shapeyard.formats.mesh_folder import MeshFolderWriter

DATASET = "dataset.json"
OBJECTS_OF_SHARD = 500
"""At least, of a source: a shard of which nothing can be used ends an export."""
SHOWN = 20
"""Objects left out that are listed."""


@click.command()
@click.argument("source")
@click.argument("target", required=False, type=OutputPath(path_type=Path))
@click.option("--to", type=OutputPath(path_type=Path), metavar="URI", help="TARGET, by its name.")
@click.option("--format", "form", type=click.Choice(["files", "huggingface"]), default="files", show_default=True,
              help="huggingface: meshes for Hugging Face datasets, with a card and Croissant metadata.")  # fmt: skip
@click.option("--licenses", default="", help="For huggingface: the licences to take, with commas between: cc0,cc-by.")
@click.option("--name", help="For huggingface: what the card calls the set.  [default: the last part of SOURCE]")
@click.option("--views", type=click.IntRange(min=1), default=1, show_default=True, help="For a model of 3D-R2N2.")
def export(
    source: str, target: Path | None, to: Path | None, form: str, licenses: str, name: str | None, views: int
) -> None:
    """Write SOURCE for other tools, into TARGET; both may be s3://bucket/prefix.

    A dataset into a folder: voxels as .binvox, sdf as DeepSDF's .npz, renders as in ShapeNetRendering. A model of
    U-Net, 3D-RecGAN++ or 3D-R2N2 into a file, which is ONNX; the last for a fixed number of views. With --format
    huggingface a dataset of meshes, a harvested set or any other source of meshes into a folder to publish.
    """
    if (target is None) == (to is None):
        raise ParameterError("export: expected either TARGET or --to")
    place = target or to
    assert place is not None
    if form == "huggingface":
        _publish(source, place, licenses, name or source.rstrip("/").rpartition("/")[2] or "meshes")
        return
    with _here(source) as folder:
        _write_files(folder, place, views)


def _write_files(source: Path, target: Path, views: int) -> None:
    if not source.is_dir():
        raise ParameterError(f"export {source}: expected the folder of a dataset or of a model")
    if (source / "config.json").is_file():
        from shapeyard.inference.onnx_export import export_onnx

        export_onnx(source, target, views)
        click.echo(shown(target))
        return
    from shapeyard.formats.export import export_dataset

    click.echo(f"{export_dataset(source, target)} objects in {shown(target)}")


def _publish(source: str, target: Path, licenses: str, name: str) -> None:
    from shapeyard.contracts.progress import stage
    from shapeyard.formats.mesh_folder import MeshFolderWriter, Told
    from shapeyard.sources.verification import read_set_rows

    with stage("export"):
        if _is_dataset(source):
            if licenses:
                raise ParameterError("licenses: expected with a source of meshes alone, got a dataset")
            with MeshFolderWriter(target, name) as writer, _here(source) as folder:
                writer.add(folder)
        else:
            told = {
                str(row.get("id")): Told(str(row.get("title") or ""), str(row.get("url") or ""))
                for row in read_set_rows(source)
            }
            with MeshFolderWriter(target, name, told) as writer:
                _add_source(writer, source, licenses)
    for sample_id, reason in writer.skipped[:SHOWN]:
        click.echo(f"left out  {sample_id}: {reason}", err=True)
    left_out = f", {len(writer.skipped)} left out" if writer.skipped else ""
    click.echo(f"{writer.objects} objects in {shown(target)}{left_out}")


def _is_dataset(source: str) -> bool:
    if not source.startswith(SCHEME):
        return (Path(source) / DATASET).is_file()
    from shapeyard.sources.s3 import S3Source

    return S3Source(source).find(DATASET) is not None


def _here(source: str) -> AbstractContextManager[Path]:
    return brought(source) if source.startswith(SCHEME) else nullcontext(Path(source))


def _add_source(writer: MeshFolderWriter, source: str, licenses: str) -> None:
    """Plan and fetch as a pipeline would, a shard after the other, so that only a part of a large set is here twice."""
    from components.fetch import FetchSettings
    from components.fetch.fetch import fetch
    from components.plan.plan import plan
    from shapeyard.sources.selection import MAX_SHARDS, Selection

    (whole,) = plan(Selection(source, licenses=licenses, shards=1))
    shards = min(MAX_SHARDS, 1 + int(whole["objects"]) // OBJECTS_OF_SHARD)
    items = [whole] if shards == 1 else plan(Selection(source, licenses=licenses, shards=shards))
    with TemporaryDirectory(prefix="shapeyard-export-") as scratch:
        for item in items:
            meshes = Path(scratch) / "meshes"
            fetch(item, meshes, FetchSettings(max_skipped=1.0))
            writer.add(meshes)
            shutil.rmtree(meshes)
