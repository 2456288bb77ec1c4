"""A file in a folder or in a bucket, whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from shapeyard.sources.s3 import S3Source
from shapeyard.sources.stored_file import StoredFile


@pytest.mark.parametrize("in_bucket", [False, True])
def test_written_read_replaced_removed(tmp_path: Path, bucket: str, in_bucket: bool) -> None:
    folder = f"{bucket}/some" if in_bucket else str(tmp_path / "some")
    if in_bucket:
        S3Source(bucket).ensure_bucket()
    file = StoredFile(folder + "/", "state.bin")
    assert file.uri == f"{folder}/state.bin"
    with file.to_read() as path:
        assert path is None
    for content in (b"first", b"second"):
        with file.to_write() as path:
            path.write_bytes(content)
        with file.to_read() as found:
            assert found and found.read_bytes() == content
    with pytest.raises(KeyboardInterrupt), file.to_write() as path:
        path.write_bytes(b"half")
        raise KeyboardInterrupt
    with StoredFile(folder, "state.bin").to_read() as found:
        assert found and found.read_bytes() == b"second"
    for _ in range(2):
        file.remove()
        with file.to_read() as found:
            assert found is None
