"""s3:// where a command takes a path: what is read is brought to this machine first, what was written goes there last.

A stage and a model read files at random positions, several times; so a bucket's objects are copied into a scratch
folder, which goes when the command ends.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import click

from shapeyard.errors import SourceError

SCHEME = "s3://"
NAMES = "shapeyard.uris"
"""In a command's context: paths on this machine, and the URIs that they stand for."""
WRITTEN_LAST = ("dataset.json", "metrics.json", "README.md")
"""Where one of these stands, an output is whole: they go to a bucket when all else is there."""


class InputPath(click.Path):
    """A path, or s3://bucket/key of an object, or s3://bucket/prefix of a folder, as the path of a copy."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path on this machine."""
        if str(value).startswith(SCHEME) and ctx:
            uri, value = str(value), ctx.with_resource(brought(str(value)))
            ctx.meta.setdefault(NAMES, {})[value] = uri.rstrip("/")
        _refuse_other_schemes(self, value, param, ctx)
        return super().convert(value, param, ctx)


class OutputPath(click.Path):
    """A path, or s3://bucket/prefix as the path of what is sent there when the command has ended well."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path on this machine."""
        if str(value).startswith(SCHEME) and ctx:
            uri, value = str(value), ctx.with_resource(sent(str(value)))
            ctx.meta.setdefault(NAMES, {})[value] = uri.rstrip("/")
        _refuse_other_schemes(self, value, param, ctx)
        return super().convert(value, param, ctx)


def shown(path: Path) -> str:
    """A path as a person called it, who may have given the URI that it stands for or lies in."""
    context = click.get_current_context(silent=True)
    for place, uri in (context.meta.get(NAMES, {}) if context else {}).items():
        if path.is_relative_to(place):
            return "/".join((uri, *path.relative_to(place).parts))
    return str(path)


@contextmanager
def brought(uri: str) -> Iterator[Path]:
    """A copy of an object, or of all below a prefix, for as long as the context lasts.

    Raises:
        SourceError: if there is neither, or anything could not be read.
    """
    from shapeyard.sources.s3 import S3Source

    with tempfile.TemporaryDirectory(prefix="shapeyard-s3-") as scratch:
        place = Path(scratch) / _last_part(uri)
        folder, _, name = uri.rstrip("/").rpartition("/")
        found = S3Source(folder).find(name) if len(folder) > len(SCHEME) else None  # else it is a whole bucket
        if found:
            S3Source(folder).download(found, place)
        else:
            _copy(uri, str(place))
            if not any(place.rglob("*")):
                raise SourceError(f"{uri}: expected an object or a prefix of objects, found none")
        yield place


@contextmanager
def sent(uri: str) -> Iterator[Path]:
    """A path whose file, or files, go to s3://bucket/prefix when the context ends without an error.

    Raises:
        SourceError: if anything could not be sent.
    """
    from shapeyard.sources.s3 import S3Source

    with tempfile.TemporaryDirectory(prefix="shapeyard-s3-") as scratch:
        place = Path(scratch) / _last_part(uri)
        yield place
        if place.is_file():
            folder, _, name = uri.rstrip("/").rpartition("/")
            S3Source(folder).ensure_bucket()
            S3Source(folder).upload(place, name)
            return
        if not place.is_dir():
            return
        target = S3Source(uri)
        target.ensure_bucket()
        last = [place / name for name in WRITTEN_LAST if (place / name).is_file()]
        for file in last:
            target.remove(file.name)
            shutil.move(file, Path(scratch) / f"last-{file.name}")
        _copy(str(place), uri)
        for file in last:
            target.upload(Path(scratch) / f"last-{file.name}", file.name)


def _copy(source: str, target: str) -> None:
    from shapeyard.contracts.progress import Reporting, report, reporting, reporting_on
    from shapeyard.sources.copying import JOURNAL, copy_files

    with nullcontext() if reporting_on() else reporting(Reporting("copy", None)):
        copied = copy_files(source, target, report)
    if copied.missing:
        key, reason = copied.missing[0]
        raise SourceError(f"{source}: {len(copied.missing)} files could not be copied; first: {key}: {reason}")
    if not target.startswith(SCHEME):
        (Path(target) / JOURNAL).unlink(missing_ok=True)


def _last_part(uri: str) -> str:
    """What the copy is called: what a path ends with says what it is (`chair.obj`)."""
    return uri.rstrip("/").rpartition("/")[2] or "bucket"


def _refuse_other_schemes(
    kind: click.ParamType[Any], value: Any, param: click.Parameter | None, ctx: click.Context | None
) -> None:
    if "://" in str(value):
        kind.fail(f"expected a path or {SCHEME}bucket/prefix, got {value}", param, ctx)
