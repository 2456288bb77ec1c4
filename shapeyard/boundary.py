"""Where content that others made comes in: whatever a parser raises leaves as one error of ours that names the file.

Parsers are other people's or have surprises of their own: a broken file gives `IndexError`, `zlib.error`,
`RecursionError`, `MemoryError` and a dozen more. So every function that reads such content is a `reader`, and
`tests/test_readers.py` feeds broken files to all of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from shapeyard.errors import FormatError, ShapeyardError, one_line

P = ParamSpec("P")
R = TypeVar("R")
MESSAGE_LENGTH = 200
"""A parser's message may quote all of a broken file."""
SHOWN_LENGTH = 4096
"""Of what says which file it is: the longest path."""
READERS: dict[str, Callable[..., object]] = {}
"""Module and name → the function, of all modules that were imported."""


@contextmanager
def foreign(where: object, error: type[ShapeyardError] = FormatError, kind: str = "") -> Iterator[None]:
    """Raise `error`, in one line with `where` in front, for anything but an error of ours that is raised inside.

    Args:
        where: which file it is.
        error: of which type.
        kind: as what it should have been readable, such as ZIP.
    """
    try:
        yield
    except ShapeyardError:
        raise
    except Exception as fault:  # parsers raise anything at all
        raise error(f"{where}: not readable{kind and f' as {kind}'}: {_reason(fault)}") from fault


def reader(error: type[ShapeyardError], where: str = "path") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a function that reads what others made.

    Args:
        error: what leaves it in place of anything that is no error of ours.
        where: its parameter that says which file it is, with attributes behind dots.
    """
    name, *attributes = where.split(".")

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        position = list(inspect.signature(function).parameters).index(name)

        @wraps(function)
        def read(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except ShapeyardError:
                raise
            except Exception as fault:  # parsers raise anything at all
                value = kwargs[name] if name in kwargs else args[position]
                for attribute in attributes:
                    value = getattr(value, attribute)
                if isinstance(value, list | tuple):
                    value = ", ".join(map(str, value))
                shown = text if len(text := str(value)) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"
                raise error(f"{shown}: not readable: {_reason(fault)}") from fault

        READERS[f"{function.__module__}.{function.__qualname__}"] = read
        return read

    return decorate


def _reason(fault: Exception) -> str:
    if isinstance(fault, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(fault, RecursionError):
        return "it is nested too deeply"
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    return one_line(fault)[:MESSAGE_LENGTH]
