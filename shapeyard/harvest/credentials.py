"""The token of a service: from the environment, or from a file of the user's that nobody else can read."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from shapeyard.errors import ParameterError

TOKEN_VARIABLE = "THINGIVERSE_TOKEN"  # noqa: S105
FILE = "thingiverse.json"


def read_token(folder: Path) -> str:
    """The token for Thingiverse's API.

    Args:
        folder: the user's configuration of this program.

    Raises:
        ParameterError: if there is none, or others can read the file. No message holds the token.
    """
    if token := os.environ.get(TOKEN_VARIABLE, "").strip():
        return _checked(token, TOKEN_VARIABLE)
    path = folder / FILE
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read()
    except FileNotFoundError as error:
        raise ParameterError(
            f"{TOKEN_VARIABLE}: expected an app token (https://www.thingiverse.com/apps/create), or one stored by "
            f"`shapeyard harvest login`; found neither the variable nor {path}"
        ) from error
    if mode & 0o077:
        raise ParameterError(f"{path}: expected a file that you alone can read (mode 600), got mode {mode:o}")
    try:
        return _checked(json.loads(content)["access_token"], str(path))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ParameterError(f"{path}: expected a token; run `shapeyard harvest login`") from None


def write_token(folder: Path, token: str) -> Path:
    """Keep a token in a file of mode 600; returns where. Raises `ParameterError` for what can be no token."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, part = folder / FILE, folder / f"{FILE}.part"
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump({"access_token": _checked(token, "token")}, file)
    part.replace(path)
    return path


def _checked(token: str, where: str) -> str:
    """A header has room for visible ASCII alone, and an error would show it."""
    if not token.strip() or not all("!" <= character <= "~" for character in token.strip()):
        raise ParameterError(f"{where}: expected a token of letters and digits")
    return token.strip()
