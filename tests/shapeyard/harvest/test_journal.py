"""The journal: whole lines survive, a torn one is dropped, and only one harvest writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shapeyard.errors import DatasetError
from shapeyard.harvest.journal import open_journal


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.jsonl"
    with open_journal(path) as journal:
        assert journal.entries == []
        journal.append({"row": 1})
        journal.append({"row": "ä\u2028"})
    path.write_bytes(path.read_bytes() + b'{"row": 3')
    with open_journal(path) as journal:
        assert journal.entries == [{"row": 1}, {"row": "ä\u2028"}]
        journal.append({"row": 4})
    with open_journal(path) as journal:
        assert [entry["row"] for entry in journal.entries] == [1, "ä\u2028", 4]


def test_one_at_a_time(tmp_path: Path) -> None:
    with (
        open_journal(tmp_path / "journal.jsonl"),
        pytest.raises(DatasetError, match=r"journal\.jsonl: expected one harvest at a time, another one is running"),
        open_journal(tmp_path / "journal.jsonl"),
    ):
        pass


def test_what_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_bytes(b"hello\n")
    with pytest.raises(DatasetError, match="expected a journal of a harvest"), open_journal(tmp_path / "journal.jsonl"):
        pass
    assert (tmp_path / "journal.jsonl").read_bytes() == b"hello\n"
