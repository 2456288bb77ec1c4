"""What reaches a terminal of what others wrote."""

from __future__ import annotations

import pytest

from shapeyard.errors import FormatError, SourceError, one_line, printable


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (FormatError("a\x1b[2Jb\u202ec"), r"a\x1b[2Jb\u202ec"),
        (FormatError("a\nb\u2028c\x85d"), "a b c d"),
        (ValueError("caf\udce9"), r"ValueError: caf\udce9"),
        (FormatError(), "FormatError"),
        (SourceError("https://me:word@host/b: https://host/@c"), "https://…@host/b: https://host/@c"),
    ],
)
def test_messages_are_safe_on_a_terminal(error: Exception, shown: str) -> None:
    assert one_line(error) == shown


def test_names_stay_as_they_are_where_they_can_be_shown() -> None:
    assert printable("Größe №1 椅子 🪑 [b]") == "Größe №1 椅子 🪑 [b]"
