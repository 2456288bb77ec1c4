"""Copying a source into a bucket."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from shapeyard.sources.s3 import S3Source
from shapeyard.sources.source import open_source

UPLOADS = 8


def copy_to_bucket(source_uri: str, target_uri: str, progress: Callable[[int, int], None]) -> int:
    """Copy all files of a source to s3://bucket/prefix, making the bucket if need be; returns how many were sent.

    A file whose object is already there with the same size is left alone; where the source knows no sizes (the
    procedural catalogue), all files are sent, and the same content keeps its tag.
    `progress` is called with (done, total).
    """
    source = open_source(source_uri)
    target = S3Source(target_uri)
    target.ensure_bucket()
    there = {file.key: file.size for file in target.list_files()}
    files = [file for file in source.list_files() if there.get(file.key) != file.size]
    with tempfile.TemporaryDirectory(prefix="shapeyard-copy-") as scratch, ThreadPoolExecutor(UPLOADS) as pool:

        def send(number: int) -> None:
            path = Path(scratch) / str(number) / Path(files[number].key).name
            source.download(files[number], path)
            target.upload(path, files[number].key)
            path.unlink()

        tasks = [pool.submit(send, number) for number in range(len(files))]
        for done, task in enumerate(as_completed(tasks), start=1):
            task.result()
            progress(done, len(files))
    return len(files)
