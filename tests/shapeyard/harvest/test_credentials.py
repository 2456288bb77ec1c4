"""Where a token is kept, and how a person gets one."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from shapeyard.errors import ParameterError, SourceError
from shapeyard.harvest.credentials import read_token, write_token
from shapeyard.harvest.login import log_in

TOKEN, SECRET = "planted-token-77", "planted-secret-88"


def test_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THINGIVERSE_TOKEN", raising=False)
    with pytest.raises(ParameterError, match=r"THINGIVERSE_TOKEN: expected an app token .* found neither"):
        read_token(tmp_path / "config")
    path = write_token(tmp_path / "config", f" {TOKEN}\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_token(tmp_path / "config") == TOKEN
    monkeypatch.setenv("THINGIVERSE_TOKEN", "other")
    assert read_token(tmp_path / "config") == "other"


@pytest.mark.parametrize("content", ["", "[]", '{"access_token": 3}', '{"access_token": "planted-token-77\\nX: y"}'])
def test_a_file_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.delenv("THINGIVERSE_TOKEN", raising=False)
    path = write_token(tmp_path, TOKEN)
    path.write_text(content)
    with pytest.raises(ParameterError, match=r"thingiverse\.json: expected a token") as caught:
        read_token(tmp_path)
    assert TOKEN not in str(caught.value)


def test_a_file_that_others_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THINGIVERSE_TOKEN", raising=False)
    write_token(tmp_path, TOKEN).chmod(0o640)
    with pytest.raises(ParameterError, match=r"you alone can read \(mode 600\), got mode 640"):
        read_token(tmp_path)


class Exchange(BaseHTTPRequestHandler):
    """Gives a token for a code, as Thingiverse does: a form and no JSON."""

    asked: ClassVar[dict[str, list[str]]] = {}
    answer = f"access_token={TOKEN}&token_type=Bearer"

    def do_POST(self) -> None:
        type(self).asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        body = self.answer.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # the stand-in has no certificate
    with HTTPServer(("127.0.0.1", 0), Exchange) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/token"
        server.shutdown()
        thread.join()


class Browser:
    """A person who says yes or no in a browser, after another page tried the callback."""

    def __init__(self, **says: str) -> None:
        self.says = says
        self.question: dict[str, list[str]] = {}

    def __call__(self, url: str) -> None:
        self.question = parse_qs(urlsplit(url).query)
        threading.Thread(target=self.answer).start()

    def answer(self) -> None:
        callback = self.question["redirect_uri"][0]
        for state in ("wrong", self.question["state"][0]):
            query = "&".join(f"{name}={value}" for name, value in {**self.says, "state": state}.items())
            try:
                urllib.request.urlopen(f"{callback}?{query}", timeout=10).close()
            except urllib.error.HTTPError as error:
                assert state == "wrong"
                error.close()


def test_a_person_logs_in(exchange: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    browser = Browser(code="planted-code-99")
    path = log_in("my-app", SECRET, tmp_path, browser, authorize="http://127.0.0.1:1/authorize", exchange=exchange)
    assert json.loads(path.read_text()) == {"access_token": TOKEN}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    asked = {name: values[0] for name, values in Exchange.asked.items()}
    assert (asked["client_id"], asked["client_secret"], asked["code"]) == ("my-app", SECRET, "planted-code-99")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(asked["code_verifier"].encode()).digest()).rstrip(b"=")
    assert browser.question["code_challenge"] == [challenge.decode()]
    assert browser.question["response_type"] == ["code"]
    assert "planted" not in "".join(capfd.readouterr())


def test_a_person_says_no(exchange: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="expected permission, it was refused"):
        log_in("my-app", SECRET, tmp_path, Browser(error="access_denied"), exchange=exchange)
    assert list(tmp_path.iterdir()) == []


def test_no_token_comes(exchange: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Exchange, "answer", "error=incorrect_client_credentials")
    with pytest.raises(SourceError, match="/token: expected a token, got") as caught:
        log_in("my-app", SECRET, tmp_path, Browser(code="planted-code-99"), exchange=exchange)
    assert "planted" not in str(caught.value)
