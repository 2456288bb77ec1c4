"""Names that others chose lead nowhere but below their folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shapeyard.errors import FormatError
from shapeyard.local_paths import is_regular_file_below, local_path


@pytest.mark.parametrize(
    "name",
    ["a.stl", "cups/a b/ü.obj", "椅子/№1 🪑.obj", "..a/b..", "...", "ab:c", "1:2", "~", "-rf", "$HOME", "é" * 127],
)
def test_names_that_are_fine(tmp_path: Path, name: str) -> None:
    assert local_path(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "an empty part"),
        ("a//b", "an empty part"),
        ("a/", "an empty part"),
        (".", r"the part '\.'"),
        ("./a", r"the part '\.'"),
        ("..", r"the part '\.\.'"),
        ("a/../../b", r"the part '\.\.'"),
        ("/etc/x.stl", "an absolute path"),
        ("//host/x", "an absolute path"),
        ("C:", "the drive letter C:"),
        ("a/c:/x.stl", "the drive letter c:"),
        ("C:\\x.stl", "a backslash"),
        ("..\\x.stl", "a backslash"),
        ("a\0.stl", "control characters"),
        ("a\n.stl", "control characters"),
        ("a\x7f", "control characters"),
        ("a\u0085b", "control characters"),
        ("a\u2028b", "line breaks"),
        ("a\u2029b", "line breaks"),
        ("a\udce9b", "bytes that are not UTF-8"),
        ("é" * 128, "a part of more than 255 bytes"),
        ("a" * 100_000, "a part of more than 255 bytes"),
    ],
)
def test_names_that_are_refused(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(FormatError, match=f"expected a name of a file inside its folder, got {reason}") as caught:
        local_path(tmp_path, name)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 400
    message.encode()


def test_links_are_followed_inside_the_folder_alone(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "there").symlink_to(folder / "sub")
    (folder / "away").symlink_to(tmp_path)
    (folder / "circle").symlink_to(folder / "circle")
    assert local_path(folder, "there/x") == folder / "there" / "x"
    for name in ("away/x", "circle/x"):
        with pytest.raises(FormatError, match="a symbolic link"):
            local_path(folder, name)
    os.mkfifo(folder / "pipe")
    (tmp_path / "secret").write_text("x")
    (folder / "sub" / "file").write_text("x")
    for name in ("sub/file", "there/file", "sub/../sub/file"):
        assert is_regular_file_below(folder, folder / name)
    for name in ("away/secret", "../secret", "pipe", "sub", "none", "circle", "a\0"):
        assert not is_regular_file_below(folder, folder / name)
