"""Copying a source into a bucket."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from shapeyard.sources.s3 import S3Source, md5
from shapeyard.sources.schemes import open_source

UPLOADS = 8


def copy_to_bucket(source_uri: str, target_uri: str, progress: Callable[[int, int], None]) -> int:
    """Copy all files of a source to s3://bucket/prefix, making the bucket if need be; returns how many were sent.

    An object that is already there with the same content (by its tag, the MD5) is left alone.
    `progress` is called with (done, total).
    """
    source = open_source(source_uri)
    target = S3Source(target_uri)
    target.ensure_bucket()
    there = {file.key: file.etag for file in target.list_files()}
    files = source.list_files()
    sent = 0
    with tempfile.TemporaryDirectory(prefix="shapeyard-copy-") as scratch, ThreadPoolExecutor(UPLOADS) as pool:

        def send(number: int) -> bool:
            path = Path(scratch) / str(number)  # never by a name that others chose
            source.download(files[number], path)
            new = there.get(files[number].key) != md5(path)
            if new:
                target.upload(path, files[number].key)
            path.unlink()
            return new

        tasks = [pool.submit(send, number) for number in range(len(files))]
        for done, task in enumerate(as_completed(tasks), start=1):
            sent += task.result()
            progress(done, len(files))
    return sent
