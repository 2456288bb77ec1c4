"""A stand-in for Thingiverse: an API and a server of files that answer as documented, and misbehave as they are told.

It counts time as fast as it is told to, so that limits of minutes are tested in seconds.
"""

from __future__ import annotations

import io
import json
import random
import struct
import threading
import time
import zipfile
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "planted-token-c0ffee-0123456789"
LICENSE = b"under Creative Commons - Attribution: http://creativecommons.org/licenses/by/4.0/"
SIGNATURE = "planted-signature-5eed"


def box(size: float) -> bytes:
    """A binary STL of one tetrahedron, whose size makes it another file."""
    corners = [(0, 0, 0), (size, 0, 0), (0, size, 0), (0, 0, size)]
    faces = [(0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)]
    body = b"".join(struct.pack("<12fH", 0, 0, 0, *(c for i in face for c in corners[i]), 0) for face in faces)
    return bytes(80) + struct.pack("<I", len(faces)) + body


def packed(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


@dataclass
class StandIn:
    """What is there, what goes wrong, and what was asked for."""

    speed: float = 1.0
    """its seconds in one second"""
    latency_s: float = 0.0
    limit: tuple[int, float] = (10**9, 1.0)
    """requests in so many seconds; more are answered 429 with the time to wait"""
    categories: dict[int, list[int]] = field(default_factory=dict)
    zips: dict[int, list[bytes]] = field(default_factory=dict)
    """archives of a thing; one without has none, and its files are listed"""
    files: dict[int, dict[str, bytes]] = field(default_factory=dict)
    licenses: dict[int, str] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    """path → what goes wrong with the next requests of it; the last goes on for ever if it ends with `!`"""
    failing: float = 0.0
    """share of all requests that fail by chance, 0 to 1"""
    asked: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    """requests over the limit"""
    too_early: int = 0
    """requests in a time of silence"""
    tokens_elsewhere: int = 0
    api: str = ""
    cdn: str = ""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._chance = random.Random(0)
        self._times: deque[float] = deque()
        self._silent_until = 0.0

    def now(self) -> float:
        return time.monotonic() * self.speed

    def add(self, category: int, count: int, first: int = 1000) -> None:
        """Things of one ZIP with one mesh each."""
        for number in range(first, first + count):
            self.categories.setdefault(category, []).append(number)
            self.zips[number] = [packed(**{f"files/part {number}.stl": box(number), "LICENSE.txt": LICENSE})]

    def admit(self, path: str) -> tuple[str, float]:
        """What goes wrong with this request, and for how long silence is asked for (0: not at all)."""
        with self._lock:
            now = self.now()
            self.asked[path] += 1
            self.too_early += now < self._silent_until
            while self._times and self._times[0] <= now - self.limit[1]:
                self._times.popleft()
            if len(self._times) >= self.limit[0]:
                self.refused += 1
                wait_s = self._times[0] + self.limit[1] - now
                self._silent_until = now + wait_s
                return "429", wait_s
            self._times.append(now)
            fault = self.next_fault(path)
            if fault.startswith("429:"):
                self._silent_until = now + float(fault[4:])
                return "429", float(fault[4:])
            return fault, 0.0

    def next_fault(self, path: str) -> str:
        if self.failing and self._chance.random() < self.failing:
            return "500"
        waiting = self.faults.get(path) or [""]
        return waiting[0].removesuffix("!") if waiting[0].endswith("!") else waiting.pop(0)

    def answer(self, path: str, query: dict[str, list[str]]) -> Any:
        """What the API says; None for what is not there."""
        parts = path.strip("/").split("/")
        if parts == ["search"]:
            size, page = int(query["per_page"][0]), int(query["page"][0])
            things = self.categories.get(int(query["category_id"][0]), [])
            hits = things[(page - 1) * size : page * size]
            return {"total": len(things), "hits": [{"id": number, "name": f"Thing {number}"} for number in hits]}
        number = int(parts[1])
        if number not in self.zips and number not in self.files:
            return None
        if len(parts) == 2:
            return {
                "id": number, "name": f"Thing\n{number}", "creator": {"id": 7, "name": "Ada"},
                "license": self.licenses.get(number, "Creative Commons - Attribution"), "added": "2020-05-01T10:00:00Z",
                "tags": [{"name": "box", "tag": "box"}], "public_url": f"https://www.thingiverse.com/thing:{number}",
            }  # fmt: skip
        if parts[2] == "package-url" and number in self.zips:
            urls = [f"{self.cdn}/zip/{number}/{i}?sig={SIGNATURE}" for i in range(len(self.zips[number]))]
            return {"public_url": urls[0]} if len(urls) == 1 else [{"public_url": url} for url in urls]
        if parts[2] == "files" and number in self.files:
            return [
                {"id": i, "name": name, "download_url": f"{self.cdn}/file/{number}/{i}"}
                for i, name in enumerate(self.files[number])
            ]
        return None

    def content(self, path: str) -> bytes:
        kind, number, index = path.strip("/").split("/")
        if kind == "zip":
            return self.zips[int(number)][int(index)]
        return list(self.files[int(number)].values())[int(index)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand_in: StandIn
    is_api: bool

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        stand_in = self.stand_in
        if self.is_api:
            fault, wait_s = stand_in.admit(parts.path)
            if stand_in.latency_s:
                time.sleep(stand_in.latency_s / stand_in.speed)
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                fault = "401"
        else:
            stand_in.asked[parts.path] += 1
            stand_in.tokens_elsewhere += "Authorization" in self.headers
            fault, wait_s = stand_in.next_fault(parts.path), 0.0
        if fault.isdigit():
            self._send(int(fault), b"{}", {"Retry-After": str(int(wait_s + 1))} if wait_s else {})
        elif fault == "html":
            self._send(200, b"<!DOCTYPE html><title>Just a moment</title>", {"Content-Type": "text/html"})
        elif fault == "nowhere":
            self._send(302, b"", {"Location": "https://[nowhere:x/"})
        elif fault == "redirect":
            self._send(302, b"", {"Location": f"{stand_in.cdn}{self.path}"})
        elif self.is_api:
            answer = stand_in.answer(parts.path, parse_qs(parts.query))
            self._send(404 if answer is None else 200, json.dumps(answer).encode())
        else:
            self._send_file(stand_in.content(parts.path), fault)

    def _send_file(self, content: bytes, fault: str) -> None:
        first, headers = 0, {"ETag": f'"{hash(content):x}"'}
        asked = self.headers.get("Range")
        if asked and self.headers.get("If-Range") == headers["ETag"]:
            first = int(asked.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            self.stand_in.asked["ranges"] += 1
        rest = content[first:]
        if fault == "break":
            self.close_connection = True
            self._send(206 if first else 200, rest[: len(rest) // 2], headers, length=len(rest))
            return
        self._send(206 if first else 200, rest, headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Clients are killed here."""


@contextmanager
def running(stand_in: StandIn) -> Iterator[StandIn]:
    """The API and the server of files, each at a port of this machine."""
    servers = []
    for is_api in (True, False):
        handler = type("Handler", (_Handler,), {"stand_in": stand_in, "is_api": is_api})
        servers.append(_Server(("127.0.0.1", 0), handler))
    stand_in.api, stand_in.cdn = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
    try:
        for thread in threads:
            thread.start()
        yield stand_in
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()
