"""A proxy in front of an object store that counts requests and misbehaves, as a network or a server does."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class MisbehavingStore(ThreadingHTTPServer):
    """Passes all requests on.

    Attributes:
        served: how often each path was answered to a GET as a whole, by its path; of a range what came after it.
        started: how often each path's GET was let through.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, endpoint: str, *, seed: int = 0) -> None:
        self.behind = urlsplit(endpoint).netloc
        self.fail, self.stall, self.cut, self.latency_s, self.stall_s = 0.0, 0.0, 0.0, 0.0, 3.0
        """shares of requests that get a 500, no answer for `stall_s`, or an answer that ends in the middle"""
        self.broken: set[str] = set()
        """endings of paths that always get a 500"""
        self.served: Counter[str] = Counter()
        self.started: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.random = random.Random(seed)
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none."""


@contextmanager
def misbehaving_store(endpoint: str) -> Iterator[MisbehavingStore]:
    """Run one in front of `endpoint`."""
    with MisbehavingStore(endpoint) as store:
        threading.Thread(target=store.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield store
        finally:
            store.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: MisbehavingStore

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Nothing is said."""

    def do_GET(self) -> None:
        store, path = self.server, self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with store.lock:
            chance = store.random.random()
            store.started[path] += 1
        time.sleep(store.latency_s)
        if chance < store.fail or any(path.endswith(end) for end in store.broken):
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        chance -= store.fail
        if 0 <= chance < store.stall:
            time.sleep(store.stall_s)
            self.close_connection = True
            return
        connection = HTTPConnection(store.behind, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length or 0))
        self.end_headers()
        chance -= store.stall
        if 0 <= chance < store.cut:
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        self.wfile.write(content)
        with store.lock:
            store.served[path] += self.command == "GET" and answer.status in (200, 206)

    do_PUT = do_HEAD = do_POST = do_DELETE = do_GET  # noqa: N815 - the base's names
