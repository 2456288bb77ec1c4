"""Getting a person's token for Thingiverse by OAuth 2.0: authorization code, PKCE, a callback on this machine.

RFC 6749, 7636 and 8252. A service that knows nothing of PKCE ignores its parameters.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from oauthlib.oauth2 import OAuth2Error
from requests_oauthlib import OAuth2Session

from shapeyard.errors import SourceError
from shapeyard.harvest.credentials import write_token

AUTHORIZE = "https://www.thingiverse.com/login/oauth/authorize"
EXCHANGE = "https://www.thingiverse.com/login/oauth/access_token"
PATH = "/callback"
TIMEOUT_S = 300.0
CONNECTION_TIMEOUT_S = 10.0
"""For one connection to the callback: another program on this machine may open one and say nothing."""


def log_in(
    client_id: str,
    client_secret: str,
    folder: Path,
    show: Callable[[str], Any],
    *,
    port: int = 0,
    authorize: str = AUTHORIZE,
    exchange: str = EXCHANGE,
) -> Path:
    """Have a person allow the app in a browser, and keep the token.

    Args:
        client_id: of an app at https://www.thingiverse.com/apps.
        client_secret: of the same app.
        folder: the user's configuration of this program.
        show: gets the address to open; it may open it.
        port: of the callback http://127.0.0.1:PORT/callback, which the app has to be registered with; 0 for any.
        authorize: where the person is asked.
        exchange: where the code is exchanged for a token.

    Returns:
        The file with the token, of mode 600.

    Raises:
        SourceError: if the person says no, nobody answers within five minutes, or no token comes. No message holds the
            code, the secret or the token.
    """
    try:
        server = _Callback(("127.0.0.1", port), _Handler)
    except OSError as error:
        raise SourceError(f"port {port}: expected a free port for the callback: {error.strerror}") from error
    with server:
        session = OAuth2Session(client_id, redirect_uri=f"http://127.0.0.1:{server.server_port}{PATH}", pkce="S256")
        url, server.state = session.authorization_url(authorize)
        show(url)
        deadline = time.monotonic() + TIMEOUT_S
        while server.answer is None:
            if (left := deadline - time.monotonic()) <= 0:
                raise SourceError(f"{authorize}: expected an answer within {TIMEOUT_S:.0f} s, got none")
            server.timeout = left
            server.handle_request()
    if "code" not in server.answer:
        raise SourceError(f"{authorize}: expected permission, it was refused")
    try:
        token = session.fetch_token(
            exchange, code=server.answer["code"][0], client_secret=client_secret, include_client_id=True, timeout=60
        )
        return write_token(folder, str(token["access_token"]))
    except (OAuth2Error, requests.RequestException, ValueError, KeyError) as error:
        raise SourceError(f"{exchange}: expected a token, got {type(error).__name__}") from None


class _Callback(HTTPServer):
    state = ""
    answer: dict[str, list[str]] | None = None


class _Handler(BaseHTTPRequestHandler):
    timeout = CONNECTION_TIMEOUT_S
    server: _Callback

    def do_GET(self) -> None:
        """Take the answer that has the state which the question had; any other page may have sent the browser here."""
        parts = urlsplit(self.path)
        answer = parse_qs(parts.query)
        state = answer.get("state", [""])[0]
        right = parts.path == PATH and hmac.compare_digest(state.encode(), self.server.state.encode())
        if right:
            self.server.answer = answer
        text = b"You may close this page." if right else b"Not what was asked for."
        self.send_response(200 if right else 404)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the line would hold the code."""
