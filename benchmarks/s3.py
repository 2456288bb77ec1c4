"""Transfers from an object store on this machine beside `aws s3 sync`, plans of many keys, and what goes wrong.

python benchmarks/s3.py transfer AWS [--objects 5000] [--record]    AWS: the command of PyPI's awscli, 100 kB an object
python benchmarks/s3.py plan [--keys 1000000] [--record]            a listing of so many keys, in a process of its own
python benchmarks/s3.py faults [--objects 500] [--record]           killed ten times; 20 % of requests fail; some stall
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.misbehaving_store import misbehaving_store
from benchmarks.record import record
from launch.object_store import object_store

SIZE = 100_000
BUCKET = "objects"
GROUP = "data"
COPY = [sys.executable, "-m", "launch.cli", "copy", f"s3://{BUCKET}/set"]


def fill(count: int) -> dict[str, str]:
    """Put objects into the bucket; key → MD5."""
    import boto3

    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    noise = secrets.token_bytes(SIZE)

    def put(number: int) -> tuple[str, str]:
        body = number.to_bytes(8, "big") + noise[8:]
        key = f"class{number % 8}/{number:06d}.stl"
        client.put_object(Bucket=BUCKET, Key=f"set/{key}", Body=body)
        return key, hashlib.md5(body).hexdigest()

    with ThreadPoolExecutor(8) as pool:
        return dict(pool.map(put, range(count)))


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.stl")
    }


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def transfer(aws: str, count: int, work: Path) -> list[tuple[str, str, str, str, str, bool]]:
    import boto3

    expected = fill(count)
    client = boto3.client("s3")

    def one_after_the_other() -> None:
        for key in sorted(expected)[: count // 5]:
            path = work / "sequential" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(client.get_object(Bucket=BUCKET, Key=f"set/{key}")["Body"].read())

    def run(command: list[str]) -> float:
        return timed(lambda: subprocess.run(command, check=True, stderr=subprocess.DEVNULL))

    sync = [aws, "s3", "sync", f"s3://{BUCKET}/set", str(work / "aws"), "--only-show-errors"]
    sequential = timed(one_after_the_other) / (count // 5)
    theirs, ours = run(sync), run([*COPY, str(work / "ours")])
    again, theirs_again = run([*COPY, str(work / "ours")]), run(sync)
    assert digests(work / "ours") == digests(work / "aws") == expected
    what = f"{count} objects of 100 kB from an object store on the same machine"
    rate, times = theirs / ours, sequential * count / ours
    return [
        ("s3-throughput", f"Throughput of `shapeyard copy`, {what}", f"{count / ours:.0f} objects/s",
         f"`aws s3 sync` {count / theirs:.0f}, one request after the other (boto3) {1 / sequential:.0f}",
         "at least 80 % of `aws s3 sync`, 6 times one after the other", rate >= 0.8 and times >= 6),
        ("s3-second-run", f"`shapeyard copy` again, {what}, none changed", f"{again:.2f} s",
         f"`aws s3 sync` {theirs_again:.2f} s", "under 3 s", again < 3),
    ]  # fmt: skip


def plan_keys(count: int) -> None:
    """Plan a listing of generated keys, with tags as a bucket has them; prints seconds and megabytes."""
    import components.plan.plan as stage
    from shapeyard.sources.selection import Selection
    from shapeyard.sources.source import SourceFile

    class Listing:
        license = ""

        def list_files(self) -> list[SourceFile]:
            keys = sorted(f"class{number % 55:02d}/{number:08d}.stl" for number in range(count))
            return [SourceFile(key, SIZE, hashlib.md5(key.encode()).hexdigest()) for key in keys]

    stage.open_source = lambda _: Listing()  # type: ignore[assignment,return-value]
    clock = time.process_time()
    stage.plan(Selection("s3://stand-in", shards=64))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"{time.process_time() - clock:.1f} {peak:.0f}")


def plan(count: int) -> list[tuple[str, str, str, str, str, bool]]:
    command = [sys.executable, __file__, "plan-keys", "--keys", str(count)]
    seconds, megabytes = map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    limit_s, limit_mb = (10, 400) if count <= 20_000 else (120, 1000)
    return [
        (f"s3-plan-{count}", f"`plan` of {count} keys in 55 classes, from a listing that is in memory",
         f"{seconds:.1f} s of one core, {megabytes:.0f} MB", "", f"under {limit_s} s and {limit_mb} MB",
         seconds < limit_s and megabytes < limit_mb),
    ]  # fmt: skip


def faults(count: int, work: Path) -> list[tuple[str, str, str, str, str, bool]]:
    from shapeyard.sources.s3 import CONNECTIONS

    expected = fill(count)
    with misbehaving_store(os.environ["AWS_ENDPOINT_URL"]) as server:
        environment = {**os.environ, "AWS_ENDPOINT_URL": server.endpoint}
        server.latency_s = 0.1
        numbers = random.Random(0)
        for _ in range(10):
            process = subprocess.Popen([*COPY, str(work / "killed")], env=environment, stderr=subprocess.DEVNULL)
            goal = sum(server.started.values()) + numbers.randrange(1, count // 11)
            while sum(server.started.values()) < goal and process.poll() is None:
                time.sleep(0.002)
            process.kill()
            process.wait()
        server.latency_s = 0.0
        subprocess.run([*COPY, str(work / "killed")], env=environment, check=True)
        twice = sum(started - 1 for path, started in server.started.items() if path.endswith(".stl"))
        whole = digests(work / "killed") == expected
        server.fail, server.stall, server.stall_s = 0.2, 0.005, 35.0
        status = subprocess.run([*COPY, str(work / "failing")], env=environment).returncode
        failing = digests(work / "failing")
    missing = len(expected) - len(failing)
    honest = failing == expected if status == 0 else missing > 0
    return [
        ("s3-killed", f"`shapeyard copy` of {count} objects, killed ten times at random moments",
         f"{'whole' if whole else 'not whole'}, {twice} objects asked for twice", "",
         f"whole, at most {10 * CONNECTIONS} (what was in flight) twice", whole and twice <= 10 * CONNECTIONS),
        ("s3-failing", f"`shapeyard copy` of {count} objects; 20 % of the requests fail, 0.5 % stall",
         f"{missing} missing, exit status {status}", "", "whole, or a list of what is missing and exit status 1",
         honest),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["transfer", "plan", "plan-keys", "faults"])
    parser.add_argument("aws", nargs="?", default="aws")
    parser.add_argument("--objects", type=int)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    command = f"python benchmarks/s3.py {given.part}"
    if given.part == "plan-keys":
        plan_keys(given.keys)
        return
    if given.part == "plan":
        figures, command = plan(given.keys), f"{command} --keys {given.keys}"
    else:
        with tempfile.TemporaryDirectory() as scratch, object_store(Path(scratch) / "store") as environment:
            os.environ.update(environment)
            if given.part == "transfer":
                figures, command = transfer(given.aws, given.objects or 5000, Path(scratch)), f"{command} AWS"
            else:
                figures = faults(given.objects or 500, Path(scratch))
    for name, figure_of, measured, compared_with, target, met in figures:
        print(f"{figure_of}: {measured}; {compared_with or '-'}; {'met' if met else 'MISSED'}: {target}")
        if given.record:
            record(name, GROUP, figure_of, measured, command=command, compared_with=compared_with, target=target,
                   met=met)  # fmt: skip


if __name__ == "__main__":
    main()
