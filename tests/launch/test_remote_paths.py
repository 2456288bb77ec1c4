"""Commands that read from and write into a bucket."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from launch.cli import shapeyard
from launch.remote_paths import InputPath, OutputPath, shown
from shapeyard.contracts.dataset import DatasetWriter, Sample
from shapeyard.sources.s3 import S3Source
from shapeyard.sources.verification import verify


@click.command()
@click.argument("source", type=InputPath(path_type=Path))
@click.argument("target", type=OutputPath(path_type=Path))
@click.option("--fail", is_flag=True)
def repeat(source: Path, target: Path, fail: bool) -> None:
    """Copy a file, or a folder that is a dataset."""
    click.echo(f"{shown(source)} {source.name} {shown(target / 'x')}")
    if source.is_file():
        target.write_bytes(source.read_bytes())
    else:
        target.mkdir()
        for file in source.iterdir():
            (target / file.name).write_bytes(file.read_bytes())
    if fail:
        raise click.ClickException("no")


def test_read_from_and_written_into_a_bucket(bucket: str, tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "depths", "depths", "test", {}) as writer:
        writer.add(Sample("cup/a", "cup", "train", "x"), {"depth": np.zeros((1, 4, 4), np.float32)})
    run = CliRunner().invoke
    assert run(repeat, [str(tmp_path / "depths"), f"{bucket}/a/depths", "--fail"]).exit_code == 1
    S3Source(bucket).ensure_bucket()
    assert not S3Source(bucket).list_files(), "nothing is sent of what failed"
    assert run(repeat, [str(tmp_path / "depths"), f"{bucket}/a/depths"]).exit_code == 0
    assert verify(f"{bucket}/a/depths").whole
    done = run(repeat, [f"{bucket}/a/depths/", f"{bucket}/b"])
    assert done.output.splitlines()[-1] == f"{bucket}/a/depths depths {bucket}/b/x"
    done = run(repeat, [f"{bucket}/b/dataset.json", f"{bucket}/one.json"])
    assert done.exit_code == 0 and f"{bucket}/b/dataset.json dataset.json" in done.output
    S3Source(bucket).download(
        next(one for one in S3Source(bucket).list_files() if one.key == "one.json"), tmp_path / "o"
    )
    assert (tmp_path / "o").read_bytes() == (tmp_path / "depths/dataset.json").read_bytes()
    done = run(shapeyard, ["inspect", f"{bucket}/b"])
    assert done.exit_code == 0 and "1 samples" in done.output and f"{bucket}/b" in done.output


@pytest.mark.parametrize("uri", ["", "/nothing", "/not/there.obj"])
def test_what_is_not_there(bucket: str, tmp_path: Path, uri: str) -> None:
    S3Source(bucket).ensure_bucket()
    done = CliRunner().invoke(repeat, [f"{bucket}{uri}", str(tmp_path / "x")])
    assert "expected an object or a prefix of objects, found none" in str(done.exception)
