"""copy, verify, changes: what they print, their exit status, and that no secret is in it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.misbehaving_store import misbehaving_store
from launch.cli import shapeyard
from shapeyard.sources import s3
from shapeyard.sources.s3 import S3Source


@pytest.fixture
def harvest(tmp_path: Path) -> Path:
    """A set of one object."""
    folder = tmp_path / "set"
    (folder / "cup").mkdir(parents=True)
    (folder / "cup/a.stl").write_bytes(b"mesh")
    file = {"key": "cup/a.stl", "size": 4, "sha256": hashlib.sha256(b"mesh").hexdigest()}
    (folder / "samples.jsonl").write_text(json.dumps({"id": "cup/a", "files": [file]}) + "\n")
    return folder


def test_copied_and_verified(harvest: Path, bucket: str, tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(shapeyard, ["copy", str(harvest), bucket]).exit_code == 0
    assert "0 files sent" in run(shapeyard, ["copy", str(harvest), bucket]).output
    assert run(shapeyard, ["verify", bucket]).exit_code == 0
    (harvest / "cup/a.stl").write_bytes(b"Mesh")
    result = run(shapeyard, ["verify", str(harvest)])
    assert result.exit_code == 1 and result.output.startswith("changed  cup/a.stl: expected SHA-256 ")
    assert run(shapeyard, ["verify", str(harvest), "--quick"]).exit_code == 0
    result = run(shapeyard, ["verify", str(harvest), "--json"])
    assert result.exit_code == 1 and json.loads(result.output)["changed"][0][0] == "cup/a.stl"
    result = run(shapeyard, ["changes", bucket, str(harvest)])
    assert result.exit_code == 0 and result.output == "0 new, 0 gone, 0 changed, 1 the same\n"


def test_a_gap_is_never_silent_and_no_secret_is_shown(
    harvest: Path, bucket: str, store: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = CliRunner().invoke
    said = run(shapeyard, ["copy", str(harvest), bucket]).output
    monkeypatch.setattr(s3, "ATTEMPTS", 2)
    with misbehaving_store(store["AWS_ENDPOINT_URL"]) as server:
        server.broken = {"a.stl"}
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        result = run(shapeyard, ["copy", bucket, str(tmp_path / "back")])
        assert result.exit_code == 1 and result.output.startswith("missing  cup/a.stl: ")
        said += result.output
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret-key")
        for command in (["copy", bucket, str(tmp_path / "other")], ["verify", bucket], ["plan", "--source", bucket]):
            result = run(shapeyard, command)
            assert result.exit_code
            said += f"{result.output} {result.exception}"
    for secret in ("planted-secret-key", store["AWS_SECRET_ACCESS_KEY"]):
        assert secret not in said
        for path in (tmp_path / "back").rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes()


def test_without_credentials(harvest: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store wants some, and says so: the request that it refuses is one without."""
    S3Source(bucket).ensure_bucket()
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    result = CliRunner().invoke(shapeyard, ["verify", bucket])
    assert "access denied" in str(result.exception)


def test_a_profile(harvest: Path, bucket: str, store: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Endpoint, region, path-style and credentials from a profile alone."""
    assert CliRunner().invoke(shapeyard, ["copy", str(harvest), bucket]).exit_code == 0
    (tmp_path / "config").write_text(
        f"[profile shapes]\nregion = eu-central-1\nendpoint_url = {store['AWS_ENDPOINT_URL']}\n"
        f"aws_access_key_id = {store['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = {store['AWS_SECRET_ACCESS_KEY']}\n"
        "s3 =\n  addressing_style = path\n"
    )
    for name in store:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "shapes")
    assert CliRunner().invoke(shapeyard, ["verify", bucket]).exit_code == 0
