"""Requests that are paced, tried again, and never carry a secret to where it does not belong."""

from __future__ import annotations

import email.utils
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
import urllib3
from requests.auth import AuthBase

from shapeyard import __version__
from shapeyard.errors import ParameterError, SourceError
from shapeyard.harvest.pacing import Pacer

T = TypeVar("T")
ATTEMPTS = 6
FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 120.0
"""Between attempts: twice as long each time, with as much again by chance at the most."""
SILENCE_S = 30.0
"""Where a service says that it was too much and not when to come back."""
LONGEST_SILENCE_S = 3600.0
"""A service that asks for more is taken for one that is down."""
TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524))
TIMEOUT_S = (10.0, 30.0)
"""To connect, and without a byte."""
ANSWER_S, DOWNLOAD_S = 120.0, 1800.0
"""For an answer and for a file, or a service that sends a byte now and then would be listened to for ever."""
MAX_JSON_BYTES = 32_000_000
OTHER_SERVERS = (6000, 60.0)
"""Requests in so many seconds to a server whose limit nobody knows: what it refuses is waited for."""
REDIRECTS = 5
LOOPBACK = ("127.0.0.1", "localhost", "::1")
BLOCK = 1 << 18


class WebError(SourceError):
    """A request that was answered with something else than what was asked for."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class _TransientError(WebError):
    """One that another attempt may mend."""


class _Bearer(AuthBase):
    """An object and not a header, which would follow a redirect, and give way to a .netrc file."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Session(requests.Session):
    """One that leaves redirects alone: to know where they lead it would read all that comes with them."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        return None


class Web:
    """An API with its token, and whatever other servers it sends one to. May be used from several threads."""

    def __init__(self, api: str, token: str, pacer: Pacer) -> None:
        """Raises `ParameterError` for an API that is neither https nor on this machine.

        Args:
            api: the URL that its paths are relative to; empty if only files are fetched.
            token: for the API alone; empty for none.
            pacer: of the API's requests.
        """
        parts = urlsplit(api)
        if api and parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ParameterError(f"api {without_secrets(api)}: expected an address that starts with https://")
        self.api = api.rstrip("/")
        self.clock = pacer.clock
        self._auth = _Bearer(token) if token else _no_auth
        self._pacers = {_origin(api): pacer}
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._local = threading.local()

    def get_json(self, path: str, **parameters: Any) -> Any:
        """What the API answers.

        Raises:
            WebError: for an answer that is none, with the status; for a redirect to another server.
        """
        return self._again(lambda: self._json(f"{self.api}{path}", parameters))

    def download(self, url: str, target: Path, max_bytes: int) -> None:
        """Bring a file, whole or not at all; where a connection broke, it goes on from there if the server can.

        Raises:
            WebError: for a status that is an error, more than `max_bytes`, an address that is not https though the
                API's is.
        """
        validator: list[str] = []
        target.unlink(missing_ok=True)
        try:
            self._again(lambda: self._file(url, target, max_bytes, validator))
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _again(self, attempt: Callable[[], T]) -> T:
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_random_exponential(FIRST_WAIT_S, LONGEST_WAIT_S) + tenacity.wait_fixed(FIRST_WAIT_S),
            retry=tenacity.retry_if_exception_type(_TransientError),
            sleep=self.clock.sleep,
            reraise=True,
        )
        return retrying(attempt)

    def _json(self, url: str, parameters: dict[str, Any]) -> Any:
        for _ in range(REDIRECTS):
            with self._get(url, params=parameters, auth=self._auth) as response:
                if not response.is_redirect:
                    return self._parsed(response)
                target = _joined(url, response)
            if _origin(target) != _origin(self.api):
                raise WebError(
                    f"{without_secrets(url)}: expected an answer, got a redirect to {without_secrets(target)}"
                )
            url, parameters = target, {}
        raise WebError(f"{without_secrets(url)}: expected an answer, got one redirect after the other")

    def _parsed(self, response: requests.Response) -> Any:
        content = bytearray()
        for block in self._blocks(response, MAX_JSON_BYTES, ANSWER_S):
            content += block
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            kind = response.headers.get("Content-Type", "").partition(";")[0] or "something else"
            raise _TransientError(f"{without_secrets(response.url)}: expected JSON, got {kind}") from error

    def _file(self, url: str, target: Path, max_bytes: int, validator: list[str]) -> None:
        """One attempt; `validator` remembers which version of the file the part in `target` is of."""
        there = target.stat().st_size if validator and target.is_file() else 0
        headers = {"Range": f"bytes={there}-", "If-Range": validator[0]} if there else {}
        headers["Accept-Encoding"] = "identity"
        with self._follow(url, headers) as response:
            if response.status_code != 206 or not response.headers.get("Content-Range", "").startswith(
                f"bytes {there}-"
            ):
                there = 0
            validator[:] = [tag] if (tag := response.headers.get("ETag")) and not tag.startswith("W/") else []
            expected = int(length) if (length := response.headers.get("Content-Length", "")).isdigit() else None
            size = 0
            with target.open("ab" if there else "wb") as file:
                for block in self._blocks(response, max_bytes - there, DOWNLOAD_S):
                    size += len(block)
                    file.write(block)
            if expected is not None and size != expected:
                raise _TransientError(f"{without_secrets(url)}: expected {expected} bytes, got {size}")

    def _blocks(self, response: requests.Response, max_bytes: int, seconds: float) -> Iterator[bytes]:
        """What comes, as soon as it comes, so that what was sent before a connection broke is kept."""
        deadline, size, where = time.monotonic() + seconds, 0, without_secrets(response.url)
        while True:
            self.clock.sleep(0)  # raises if all work is to end
            with _errors(response.url):
                block = response.raw.read1(BLOCK, decode_content=True)
            if not block:
                return
            size += len(block)
            if size > max_bytes:
                raise WebError(f"{where}: expected at most {max_bytes} bytes, got more")
            if time.monotonic() > deadline:
                raise WebError(f"{where}: expected all within {seconds:.0f} s, got {size} bytes")
            yield block

    @contextmanager
    def _follow(self, url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        """Redirects, with the token where the API itself is asked and nowhere else."""
        for _ in range(REDIRECTS):
            if not url.startswith(("https://",) if self.api.startswith("https:") else ("https://", "http://")):
                raise WebError(f"{without_secrets(url)}: expected an address that starts with https://")
            auth = self._auth if _origin(url) == _origin(self.api) else _no_auth
            with self._get(url, headers=headers, auth=auth) as response:
                if not response.is_redirect:
                    yield response
                    return
                url = _joined(url, response)
        raise WebError(f"{without_secrets(url)}: expected a file, got one redirect after the other")

    @contextmanager
    def _get(self, url: str, **options: Any) -> Iterator[requests.Response]:
        """One request when it is due; a status that is an error is raised as one.

        The API is asked one question after the other, so that none is on its way when it asks for silence.
        """
        with self._turn if _origin(url) == _origin(self.api) else nullcontext():
            self._pacer(url).wait()
            with _errors(url):
                response = self._session().get(url, stream=True, allow_redirects=False, timeout=TIMEOUT_S, **options)
            status, wait_s = response.status_code, _retry_after(response)
            if status == 429 or (status == 503 and wait_s is not None):
                self._be_silent(url, SILENCE_S if wait_s is None else wait_s)
        with response:
            if status >= 400:
                kind = _TransientError if status in TRANSIENT else WebError
                raise kind(
                    f"{without_secrets(url)}: {urlsplit(url).hostname} answered {status} ({_reason(status)})", status
                )
            yield response

    def _session(self) -> requests.Session:
        """One a thread, which keeps its connections."""
        if not hasattr(self._local, "session"):
            self._local.session = _Session()
            self._local.session.headers["User-Agent"] = f"shapeyard/{__version__}"
        return cast("requests.Session", self._local.session)

    def _be_silent(self, url: str, seconds: float) -> None:
        if seconds > LONGEST_SILENCE_S:
            raise WebError(
                f"{without_secrets(url)}: expected an answer, was asked to come back in {seconds:.0f} s", 429
            )
        self._pacer(url).be_silent(seconds)

    def _pacer(self, url: str) -> Pacer:
        """Of the server that an address leads to."""
        with self._lock:
            return self._pacers.setdefault(_origin(url), Pacer(*OTHER_SERVERS, self.clock))


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """So that no .netrc file is asked either."""
    return request


@contextmanager
def _errors(url: str) -> Iterator[None]:
    """What a connection raises, without its text: that may hold an address with a signature."""
    try:
        yield
    except ValueError as error:
        raise WebError(f"{without_secrets(url)}: expected an address, got one that is none") from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise _TransientError(f"{without_secrets(url)}: no answer within {TIMEOUT_S[1]:.0f} s") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _TransientError(f"{without_secrets(url)}: the connection failed ({type(error).__name__})") from error


def _retry_after(response: requests.Response) -> float | None:
    """Seconds, which the header gives as such or as a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _reason(status: int) -> str:
    if status == 401:
        return "the token is not accepted"
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return "an error"


def _joined(url: str, response: requests.Response) -> str:
    """Where a redirect leads to."""
    try:
        return urljoin(url, response.headers["Location"])
    except ValueError as error:
        raise WebError(f"{without_secrets(url)}: expected a redirect to an address") from error


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host, port; raises `WebError` for an address that is none: servers say where others are."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError as error:
        raise WebError("expected an address, got one that is none") from error


def without_secrets(url: str) -> str:
    """An address without what may be secret in it: user, query, fragment."""
    scheme, host, port = _origin(url)
    shown = f":{port}" if port and port != {"http": 80, "https": 443}.get(scheme) else ""
    return f"{scheme}://{host}{shown}{urlsplit(url).path}"
