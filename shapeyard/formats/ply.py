"""PLY files, ASCII and binary: vertices and polygons of any number of corners.

Format: Greg Turk, "The PLY Polygon File Format", 1994, https://paulbourke.net/dataformats/ply. An own reader, since
trimesh's refuses binary files that mix triangles with larger polygons, and takes a text that was cut off for less.
"""

from __future__ import annotations

import re
from array import array
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapeyard.errors import MeshError
from shapeyard.formats.polygons import BYTE_ORDER_MARK, Polygons

TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float": "f4", "double": "f8", "float32": "f4", "float64": "f8",
}  # fmt: skip
BYTE_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
MAX_FOREIGN_ROWS = 500_000
"""Of elements that are passed over, where each row's length must be looked at."""
COLORS = ("red", "green", "blue")
INDEX_LISTS = ("vertex_indices", "vertex_index")


class _Property(NamedTuple):
    name: str
    kind: str
    """numpy's type of its values"""
    count_kind: str
    """of a list: numpy's type of its length, else empty"""


class _Element(NamedTuple):
    name: str
    rows: int
    properties: list[_Property]


def parse_ply(content: bytes) -> Polygons:
    """A PLY file's vertices and faces; all else is passed over.

    Raises:
        ValueError, MeshError: as `parse_colored_ply`.
    """
    return parse_colored_ply(content)[0]


def parse_colored_ply(content: bytes) -> tuple[Polygons, NDArray[np.float32] | None]:
    """A PLY file's vertices and faces, and the vertices' colours (N,3) in sRGB, 0 to 1, where it has them.

    Raises:
        ValueError: for numbers that are none.
        MeshError: for a header that is not PLY's, or a file that is shorter than it claims.
    """
    elements, byte_order, body = _read_header(content)
    source: _Source = _Binary(body, byte_order) if byte_order else _Text(body)
    vertices, colors = np.zeros((0, 3)), None
    corners, sizes = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for element in elements:
        columns = _read_rows(element, source) if element.properties and element.rows else {}
        with np.errstate(invalid="ignore"):  # what isn't finite is refused later
            if element.name == "vertex" and columns:
                if not {"x", "y", "z"} <= columns.keys():
                    raise MeshError("the PLY vertices have no x, y and z")
                vertices = np.stack([columns[name].values for name in "xyz"], axis=1).astype(np.float64)
                colors = _colors(element, columns)
            for name in INDEX_LISTS:
                if element.name == "face" and name in columns:
                    corners, sizes = columns[name].values.astype(np.int64), columns[name].lengths.astype(np.int64)
    return Polygons(vertices, corners, sizes), colors


def _colors(element: _Element, columns: dict[str, _Column]) -> NDArray[np.float32] | None:
    kinds = {item.name: np.dtype(item.kind) for item in element.properties}
    if not set(COLORS) <= columns.keys():
        return None
    highest = [1.0 if kinds[name].kind == "f" else float(np.iinfo(kinds[name]).max) for name in COLORS]
    values = np.stack([columns[name].values for name in COLORS], axis=1) / highest
    return np.asarray(np.nan_to_num(np.clip(values, 0, 1)), np.float32)


def parse_ply_vertices(content: bytes) -> dict[str, NDArray[np.float64]]:
    """What a PLY file says of its vertices: the name of each property → its values (N,), such as x, y, z, nx, ny, nz.

    Raises:
        ValueError, MeshError: as `parse_ply`.
    """
    elements, byte_order, body = _read_header(content)
    source: _Source = _Binary(body, byte_order) if byte_order else _Text(body)
    for element in elements:
        columns = _read_rows(element, source) if element.properties and element.rows else {}
        if element.name == "vertex":
            return {name: column.values.astype(np.float64) for name, column in columns.items()}
    return {}


def claimed_by_ply(content: bytes) -> tuple[int, int]:
    """How many faces and vertices the header claims; raises `MeshError` before anything is allocated."""
    elements, _, body = _read_header(content)
    for element in elements:
        _expect(element.rows <= len(body) or not element.properties, element)
    claims = [sum(element.rows for element in elements if element.name == name) for name in ("face", "vertex")]
    return claims[0], claims[1]


def _read_header(content: bytes) -> tuple[list[_Element], str, bytes]:
    """The elements, the byte order (empty for text), and what follows the header."""
    content = content.removeprefix(BYTE_ORDER_MARK)
    match = re.match(rb"ply\s(.*?)(?<=[\r\n])end_header[ \t]*(?:\r\n|\n|\r)", content[:65536], re.DOTALL)
    if match is None:
        raise MeshError("expected a PLY file with a header")
    elements: list[_Element] = []
    byte_order = None
    for line in match[1].decode("ascii", "replace").splitlines():
        words = line.split()
        try:
            if words[:1] == ["format"]:
                byte_order = BYTE_ORDERS[words[1]]
            elif words[:1] == ["element"]:
                elements.append(_Element(words[1], int(words[2]), []))
            elif words[:2] == ["property", "list"]:
                elements[-1].properties.append(_Property(words[4], TYPES[words[3]], TYPES[words[2]]))
            elif words[:1] == ["property"]:
                elements[-1].properties.append(_Property(words[2], TYPES[words[1]], ""))
        except (KeyError, IndexError, ValueError) as error:
            raise MeshError(f"not a line of a PLY header: {line.strip()[:80]}") from error
    if byte_order is None or any(element.rows < 0 for element in elements):
        raise MeshError("expected a PLY header with a format and counts of elements")
    return elements, byte_order, content[match.end() :]


class _Column(NamedTuple):
    values: NDArray[Any]
    """row after row"""
    lengths: NDArray[Any]
    """how many of them each row has"""


class _Text:
    """The numbers of an ASCII file, read from front to back."""

    def __init__(self, body: bytes) -> None:
        self.numbers = np.fromiter((float(match[0]) for match in re.finditer(rb"\S+", body)), np.float64)
        self.position = 0

    def take(self, _: str, count: int) -> NDArray[Any] | None:
        """The next `count` numbers, None if there are fewer; in a text all are of one kind."""
        start, end = self.position, self.position + count
        if count < 0 or end > len(self.numbers):
            return None
        self.position = end
        return self.numbers[start:end]

    def take_table(self, columns: list[tuple[str, int]], count: int) -> list[NDArray[Any]] | None:
        """The next `count` rows of columns of one kind and width each, None if there are fewer."""
        table = self.take("", count * sum(width for _, width in columns))
        ends = np.cumsum([width for _, width in columns])[:-1]
        return None if table is None else np.split(table.reshape(count, -1), ends, axis=1)


class _Binary:
    """The bytes of a binary file, read from front to back."""

    def __init__(self, body: bytes, byte_order: str) -> None:
        self.body = body
        self.byte_order = byte_order
        self.position = 0

    def take(self, kind: str, count: int) -> NDArray[Any] | None:
        """The next `count` numbers of a kind, None if there are fewer."""
        dtype = np.dtype(self.byte_order + kind)
        start, end = self.position, self.position + count * dtype.itemsize
        if count < 0 or end > len(self.body):
            return None
        self.position = end
        return np.frombuffer(self.body, dtype, count, start) if count else np.zeros(0, dtype)

    def take_table(self, columns: list[tuple[str, int]], count: int) -> list[NDArray[Any]] | None:
        """The next `count` rows of columns of one kind and width each, None if there are fewer."""
        width = sum(int(kind[1]) * width for kind, width in columns)
        if width * count > len(self.body) - self.position:
            return None
        fields = [(str(index), self.byte_order + kind, (width,)) for index, (kind, width) in enumerate(columns)]
        table = np.frombuffer(self.body, np.dtype(fields), count, self.position)
        self.position += width * count
        return [table[str(index)] for index in range(len(columns))]


_Source = _Text | _Binary


def _read_rows(element: _Element, source: _Source) -> dict[str, _Column]:
    """The columns of an element: at once if its lists are all as long as those of the first row, else row by row."""
    start = source.position
    first = [values.size for values in _read_row(element, source)]
    source.position = start
    layout: list[tuple[str, int]] = []
    for item, length in zip(element.properties, first, strict=True):
        layout += [(item.count_kind, 1)] if item.count_kind else []
        layout.append((item.kind, length))
    table = source.take_table(layout, element.rows)
    columns: dict[str, _Column] = {}
    if table is not None:
        for item, length in zip(element.properties, first, strict=True):
            lengths = table.pop(0)[:, 0] if item.count_kind else np.ones(element.rows)
            columns[item.name] = _Column(table.pop(0).reshape(-1), lengths)
            if (lengths != length).any():
                break
        else:
            return columns
    source.position = start
    return _read_uneven_rows(element, source)


def _read_uneven_rows(element: _Element, source: _Source) -> dict[str, _Column]:
    """One after the other, which takes microseconds each; kept as bare numbers: arrays take ten times as much."""
    kept = element.name in ("vertex", "face")
    if not kept and element.rows > MAX_FOREIGN_ROWS:
        raise MeshError(f"expected at most {MAX_FOREIGN_ROWS} uneven rows of {element.name}, got {element.rows}")
    cells: list[tuple[array[float], array[int]]] = [(array("d"), array("q")) for _ in element.properties]
    for _ in range(element.rows):
        row = _read_row(element, source)
        if kept:
            for (values, lengths), cell in zip(cells, row, strict=True):
                values.extend(cell.tolist())
                lengths.append(cell.size)
    return {
        item.name: _Column(np.array(values), np.array(lengths))
        for item, (values, lengths) in zip(element.properties, cells, strict=True)
    }


def _read_row(element: _Element, source: _Source) -> list[NDArray[Any]]:
    """One row: the values of each property."""
    row: list[NDArray[Any]] = []
    for item in element.properties:
        count = source.take(item.count_kind, 1) if item.count_kind else np.ones(1)
        values = None if count is None else source.take(item.kind, int(count[0]))
        if values is None:
            _expect(False, element)
        else:
            row.append(values)
    return row


def _expect(enough: bool, element: _Element) -> None:
    if not enough:
        raise MeshError(f"the PLY header claims {element.rows} of {element.name}, more than the file holds")
