"""A bucket as a source and as a place to copy files to.

boto3 knows who one is and where the bucket is: environment, profiles, web identity, instance roles; endpoint, region,
path-style. It lists and uploads. obstore downloads, with what boto3 found out: most of the time of an object of 100 kB
is Python's in boto3, a quarter of it is left there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

from shapeyard.errors import SourceError
from shapeyard.sources.source import SourceFile

CONNECTIONS = 16
"""Transfers side by side."""
ATTEMPTS = 8
"""Of a request, with a growing pause between them, until a server that fails is given up."""
READ_TIMEOUT_S = 30
"""Without a byte, until a server that stalls is asked anew."""
BLOCK = 8 << 20
"""Bytes: what is in memory of an object at the most; above it an upload is in parts of it, and a download resumed."""
ANONYMOUS = "AWS_NO_SIGN_REQUEST"
"""The environment variable, YES for requests without credentials; GDAL and rasterio have it too."""
OWN_VARIABLES = {
    "endpoint_url": "ENDPOINT_URL",
    "region_name": "REGION",
    "aws_access_key_id": "ACCESS_KEY_ID",
    "aws_secret_access_key": "SECRET_ACCESS_KEY",
}
"""boto3's arguments → the endings of the environment variables that go before boto3's own: SHAPEYARD_S3_REGION, …"""
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
    "ExpiredToken": "the session token has expired",
}
REASONS = {
    "PermissionDeniedError": MESSAGES["AccessDenied"],
    "UnauthenticatedError": MESSAGES["AccessDenied"],
    "PreconditionError": "changed since it was listed: its tag is another",
}
"""What obstore raises → how a message ends."""
_threads_of: set[int] = set()
"""Processes in which obstore has begun its threads. They do not live in a forked one, where using them crashes it."""


class S3Source:
    """The objects below a prefix.

    Endpoint, region and credentials come from where boto3 looks: `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`,
    `AWS_SECRET_ACCESS_KEY`, profiles, web identity, instance roles; with `AWS_NO_SIGN_REQUEST=YES` there are none. The
    variables of `OWN_VARIABLES` go before them: for where another program in the same container reads boto3's, as
    KFP's launcher does.
    """

    def __init__(self, uri: str, variables: str = "SHAPEYARD_S3") -> None:
        """Raises `SourceError` for a URI of another form.

        Args:
            uri: s3://bucket or s3://bucket/prefix.
            variables: what the names of `OWN_VARIABLES` begin with.
        """
        match = re.fullmatch(r"s3://([^/]+)/?(.*)", uri)
        if not match:
            raise SourceError(f"source {uri}: expected s3://bucket/prefix")
        self.uri = uri.rstrip("/")
        self.bucket, prefix = match.groups()
        self.prefix = prefix.rstrip("/") + "/" if prefix else ""
        self.anonymous = os.environ.get(ANONYMOUS, "").lower() in ("1", "yes", "true")
        with self._errors():
            own: dict[str, Any] = {
                name: os.environ.get(f"{variables}_{ending}") or None for name, ending in OWN_VARIABLES.items()
            }
            endpoint_url = own.pop("endpoint_url")
            self._session: Any = boto3.session.Session(**own)
            # The time of an object's last change is not used, and reading a million of them takes minutes.
            parsers = self._session._session.get_component("response_parser_factory")
            parsers.set_parser_defaults(timestamp_parser=lambda text: text)
            self._client: Any = self._session.client("s3", endpoint_url=endpoint_url, config=_config(self.anonymous))
        self._lock = Lock()

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
        files.sort(key=lambda file: file.key)
        return files

    def find(self, key: str) -> SourceFile | None:
        """The object at `key` below the prefix, or None."""
        with self._errors(key):
            try:
                found = self._client.head_object(Bucket=self.bucket, Key=self.prefix + key)
            except ClientError as error:
                if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                    return None
                raise
        return SourceFile(key, found["ContentLength"], found["ETag"].strip('"'))

    def read(self, file: SourceFile, start: int = 0) -> Iterator[memoryview]:
        """The bytes of an object from `start` on, in blocks; only of the object that was listed, which its tag says.

        What breaks off or stalls goes on where it was.

        Raises:
            SourceError: if it can't be read, is another by now, or is not as long as it was listed.
        """
        if _threads_of - {os.getpid()}:  # forked from a process that had used obstore
            for position in range(start, file.size, BLOCK):
                yield memoryview(self.read_range(file, position, BLOCK))
            return
        from obstore.exceptions import BaseError, GenericError

        where, position, attempt = f"{self.uri}/{file.key}", start, 0
        while True:
            options: Any = {"if_match": f'"{file.etag}"'} if file.etag else {}
            if position:
                options["range"] = {"offset": position}
            before, fault = position, "the answer ended too early"
            try:
                result = self._store.get(self.prefix + file.key, options=options)
                if result.meta["size"] != file.size:
                    raise SourceError(f"{where}: expected {file.size} bytes, got {result.meta['size']}")
                for block in result.stream(min_chunk_size=BLOCK):
                    position += len(block)
                    if position > file.size:
                        raise SourceError(f"{where}: expected {file.size} bytes, got more")
                    yield memoryview(block)
            except GenericError as error:
                fault = _reason(error)
            except FileNotFoundError as error:
                raise SourceError(f"{where}: {MESSAGES['NoSuchKey']}") from error
            except BaseError as error:
                raise SourceError(f"{where}: {REASONS.get(type(error).__name__, _reason(error))}") from error
            if position >= file.size:
                return
            attempt = attempt + 1 if position == before else 0
            if attempt >= ATTEMPTS // 2:  # each of them was several
                raise SourceError(f"{where}: {fault}")
            time.sleep(0.1 * 2**attempt)

    def download(self, file: SourceFile, target: Path) -> None:
        """Bring one object; its length and, where the tag is one, its MD5 must be those of the listing.

        A large one that was broken off, by whatever, goes on where it was when it is downloaded again to `target`.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        # The longest names have no room for an ending.
        name = hashlib.sha256(f"{file.key}\0{file.etag}".encode("utf-8", "surrogateescape")).hexdigest()[:24]
        part = target.with_name(f".{name}.part")
        with part.open("a+b") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise SourceError(f"{target}: expected one download of it at a time") from error
            opened.seek(0)
            digest = hashlib.md5(usedforsecurity=False)
            while block := opened.read(BLOCK):
                digest.update(block)
            start = opened.tell()
            for piece in self.read(file, start) if start < file.size or not file.size else ():
                opened.write(piece)
                digest.update(piece)
            if MD5_ETAG.fullmatch(file.etag) and digest.hexdigest() != file.etag:
                part.unlink()
                raise SourceError(f"{self.uri}/{file.key}: checksum differs from the object's tag {file.etag}")
            opened.flush()
            part.replace(target)

    def upload(self, path: Path, key: str) -> None:
        """Put a file at `key` below the prefix."""
        with self._errors(key):
            if path.stat().st_size <= BLOCK:  # a transfer manager for each would take several times as long
                self._client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=path.read_bytes())
            else:
                parts = TransferConfig(multipart_threshold=BLOCK, multipart_chunksize=BLOCK)
                self._client.upload_file(str(path), self.bucket, self.prefix + key, Config=parts)

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

    @property
    def _store(self) -> Any:
        """Reads objects, from where and as whom `_client` would."""
        with self._lock:
            return self._made_store

    @cached_property
    def _made_store(self) -> Any:
        from obstore.auth.boto3 import Boto3CredentialProvider
        from obstore.store import S3Store

        with self._errors():
            # Path-style or not: as the client has it.
            url = urlsplit(self._client.generate_presigned_url("get_object", {"Bucket": self.bucket, "Key": "x"}))
            region = self._client.meta.region_name
            authorities = self._session._session.get_config_variable("ca_bundle")
            trusted = {"root_certificate": Path(authorities).read_bytes()} if authorities else {}
            if self.anonymous:
                who: dict[str, Any] = {"skip_signature": True}
            else:
                who = {"credential_provider": Boto3CredentialProvider(self._session, ttl=timedelta(minutes=5))}
        options: Any = {
            "endpoint": f"{url.scheme}://{url.netloc}",
            "region": region or "us-east-1",
            "virtual_hosted_style_request": not url.path.startswith(f"/{self.bucket}/"),
            "client_options": {
                "allow_http": True, "connect_timeout": "5s", "read_timeout": timedelta(seconds=READ_TIMEOUT_S),
                "timeout": "1h", "pool_max_idle_per_host": str(CONNECTIONS), **trusted,
            },
            "retry_config": {"max_retries": ATTEMPTS, "retry_timeout": timedelta(minutes=3)},
        }  # fmt: skip
        _threads_of.add(os.getpid())
        return S3Store(self.bucket, **who, **options)

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
            raise SourceError(
                f"{where}: no credentials found (AWS_ACCESS_KEY_ID, a profile or a role; {ANONYMOUS}=YES for none)"
            ) from error
        except EndpointConnectionError as error:
            raise SourceError(f"{where}: the endpoint does not answer: {error}") from error
        except (BotoCoreError, Boto3Error, ValueError) as error:  # ValueError: an endpoint that is no URL
            raise SourceError(f"{where}: {error}") from error


def _config(anonymous: bool) -> Config:
    return Config(
        connect_timeout=5,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "adaptive", "max_attempts": ATTEMPTS},
        max_pool_connections=CONNECTIONS,
        **({"signature_version": UNSIGNED} if anonymous else {}),
    )


def _reason(error: Exception) -> str:
    """The first sentence of a message, which goes on with the request's inner life."""
    return str(error).split("\n")[0].split(". ")[0][:300]


def md5(path: Path) -> str:
    """A file's MD5 in hexadecimal, which is what an object's tag is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def has_etag(path: Path, etag: str) -> bool:
    """Whether a file is what an object with this tag is: its MD5, or that of the MD5s of parts as `upload` makes them.

    False also for the tag of an object that was encrypted by a key, or uploaded in other parts.
    """
    if MD5_ETAG.fullmatch(etag):
        return md5(path) == etag
    digests = []
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digests.append(hashlib.md5(block, usedforsecurity=False).digest())
    return etag == f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"
