"""A bucket as a source and as a place to copy meshes to."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

from shapeyard.errors import SourceError
from shapeyard.sources.source import SourceFile

CONNECTIONS = 16
MD5_ETAG = re.compile(r"[0-9a-f]{32}")
"""The tag of an object that was uploaded in one part is its MD5; with several parts it has a `-N` behind it."""
MESSAGES = {
    "NoSuchBucket": "there is no such bucket",
    "404": "there is no such bucket or object",
    "NoSuchKey": "there is no such object",
    "InvalidAccessKeyId": "the access key is not known there",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "AccessDenied": "access denied with these credentials",
    "403": "access denied with these credentials",
}


class S3Source:
    """The objects below a prefix.

    Endpoint, region and credentials come from where boto3 looks: `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`,
    `AWS_SECRET_ACCESS_KEY`, profiles, instance roles.
    """

    def __init__(self, uri: str) -> None:
        """`uri`: s3://bucket or s3://bucket/prefix; raises `SourceError` for any other form."""
        match = re.fullmatch(r"s3://([^/]+)/?(.*)", uri)
        if not match:
            raise SourceError(f"source {uri}: expected s3://bucket/prefix")
        self.uri = uri.rstrip("/")
        self.bucket, prefix = match.groups()
        self.prefix = prefix.rstrip("/") + "/" if prefix else ""
        with self._errors():
            self._client: Any = boto3.session.Session().client("s3", config=_config())

    def list_files(self) -> list[SourceFile]:
        """All objects below the prefix, sorted by key."""
        files = []
        with self._errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
            for page in pages:
                for item in page.get("Contents", ()):
                    key = item["Key"][len(self.prefix) :]
                    if key and not key.endswith("/"):
                        files.append(SourceFile(key, item["Size"], item["ETag"].strip('"')))
        return sorted(files, key=lambda file: file.key)

    def download(self, file: SourceFile, target: Path) -> None:
        """Bring one object; its length and, where the tag is one, its MD5 must be those of the listing."""
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{secrets.token_hex(8)}.part")  # the longest names have no room for an ending
        with self._errors(file.key):
            self._client.download_file(self.bucket, self.prefix + file.key, str(part))
        actual = part.stat().st_size
        if actual != file.size:
            raise SourceError(f"{self.uri}/{file.key}: expected {file.size} bytes, got {actual}")
        if MD5_ETAG.fullmatch(file.etag) and md5(part) != file.etag:
            raise SourceError(f"{self.uri}/{file.key}: checksum differs from the object's tag {file.etag}")
        part.replace(target)

    def upload(self, path: Path, key: str) -> None:
        """Put a file at `key` below the prefix."""
        with self._errors(key):
            self._client.upload_file(str(path), self.bucket, self.prefix + key)

    def remove(self, key: str) -> None:
        """Remove the object at `key` below the prefix, if there is one."""
        with self._errors(key):
            self._client.delete_object(Bucket=self.bucket, Key=self.prefix + key)

    def ensure_bucket(self) -> None:
        """Make the bucket unless it is there."""
        with self._errors():
            try:
                self._client.head_bucket(Bucket=self.bucket)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                    raise
                self._client.create_bucket(Bucket=self.bucket)

    def read_range(self, file: SourceFile, start: int, size: int) -> bytes:
        """So many bytes of an object from a position on, fewer at its end; only of the object that was listed."""
        if start >= file.size:
            return b""
        with self._errors(file.key):
            answer = self._client.get_object(
                Bucket=self.bucket, Key=self.prefix + file.key, Range=f"bytes={start}-{start + size - 1}",
                IfMatch=f'"{file.etag}"',
            )  # fmt: skip
            return bytes(answer["Body"].read())

    @contextmanager
    def _errors(self, key: str = "") -> Iterator[None]:
        """Turn what boto3 raises into a `SourceError` that says where."""
        where = f"{self.uri}/{key}" if key else self.uri
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise SourceError(f"{where}: {MESSAGES.get(code, str(error))}") from error
        except NoCredentialsError as error:
            raise SourceError(f"{where}: no credentials found (AWS_ACCESS_KEY_ID, a profile or a role)") from error
        except EndpointConnectionError as error:
            raise SourceError(f"{where}: the endpoint does not answer: {error}") from error
        except (BotoCoreError, Boto3Error, ValueError) as error:  # ValueError: an endpoint that is no URL
            raise SourceError(f"{where}: {error}") from error


def _config() -> Config:
    return Config(
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard", "max_attempts": 4},
        max_pool_connections=CONNECTIONS,
    )


def md5(path: Path) -> str:
    """A file's MD5 in hexadecimal, which is what an object's tag is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
