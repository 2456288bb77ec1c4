import time
from pathlib import Path

import pytest

from shapeyard.errors import SourceError
from shapeyard.sources.copying import copy_files
from shapeyard.sources.s3 import S3Source
from shapeyard.sources.schemes import open_source
from shapeyard.sources.source import SourceFile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cup/a.stl", "cup/ü.stl", "bed/deep/b.stl"):
        path = tmp_path / "meshes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 10)
    return tmp_path / "meshes"


def test_copy_list_download(folder: Path, bucket: str, tmp_path: Path) -> None:
    uri = f"{bucket}/some/prefix"
    assert copy_files(str(folder), uri, lambda done, total: None).sent == 3
    source = open_source(uri)
    files = source.list_files()
    assert [file.key for file in files] == ["bed/deep/b.stl", "cup/a.stl", "cup/ü.stl"]
    for file in files:
        source.download(file, tmp_path / "back" / file.key)
        assert (tmp_path / "back" / file.key).read_bytes() == (folder / file.key).read_bytes()
    assert copy_files(str(folder), uri, lambda done, total: None).sent == 0  # all there already
    (folder / "cup/a.stl").write_bytes(b"cup/A.stl" * 10)  # as long, but changed
    assert copy_files(str(folder), uri, lambda done, total: None).sent == 1


def test_a_changed_object_is_not_taken_for_the_listed_one(folder: Path, bucket: str, tmp_path: Path) -> None:
    copy_files(str(folder), bucket, lambda done, total: None)
    source = S3Source(bucket)
    file = source.list_files()[0]
    wrong = SourceFile(file.key, file.size, "0" * 32)
    with pytest.raises(SourceError, match="changed since it was listed"):
        source.download(wrong, tmp_path / "x.stl")
    assert not (tmp_path / "x.stl").exists()
    with pytest.raises(SourceError, match="bytes"):
        source.download(SourceFile(file.key, file.size + 1, file.etag), tmp_path / "x.stl")
    assert not (tmp_path / "x.stl").exists()


def test_a_bucket_that_is_not_there(bucket: str) -> None:
    with pytest.raises(SourceError, match="no such bucket"):
        open_source(bucket).list_files()


def test_wrong_credentials(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    S3Source(bucket).ensure_bucket()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(SourceError, match=r"secret key is wrong|access denied"):
        open_source(bucket).list_files()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "unknown")
    with pytest.raises(SourceError, match=r"not known|access denied"):
        open_source(bucket).list_files()


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(SourceError, match="no credentials"):
        open_source("s3://any").list_files()


def test_an_endpoint_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    started = time.monotonic()
    with pytest.raises(SourceError, match="does not answer"):
        open_source("s3://any").list_files()
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("uri", ["ftp://x/y", "s3://", "/no/such/folder", ""])
def test_no_source(uri: str) -> None:
    with pytest.raises(SourceError, match="expected"):
        open_source(uri)


@pytest.mark.parametrize("query", ["objects=0", "objects=x", "colour=red", "classes=unicorn"])
def test_a_catalogue_that_is_none(query: str) -> None:
    with pytest.raises(SourceError, match="expected"):
        open_source(f"procedural://?{query}")


def test_variables_of_our_own_go_before_boto3s(store, bucket, monkeypatch):
    """On a cluster boto3's are KFP's launcher's, which stores artifacts somewhere else."""
    names = {"AWS_ENDPOINT_URL": "ENDPOINT_URL", "AWS_ACCESS_KEY_ID": "ACCESS_KEY_ID",
             "AWS_SECRET_ACCESS_KEY": "SECRET_ACCESS_KEY"}  # fmt: skip
    for name, ending in names.items():
        monkeypatch.setenv(f"SHAPEYARD_S3_{ending}", store[name])
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("SHAPEYARD_S3_REGION", "us-west-2")
    source = S3Source(bucket)
    source.ensure_bucket()
    assert source.list_files() == []
    assert source._session.region_name == "us-west-2"
    with pytest.raises(SourceError):
        S3Source(bucket, "SHAPEYARD_OTHER").list_files()
