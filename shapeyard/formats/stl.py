"""STL files of both forms: 3D Systems, https://www.fabbers.com/tech/STL_Format.

What a file claims is checked here, before anything is read. Of the binary form numpy-stl then takes the records. The
ASCII form is read here: numpy-stl rounds its coordinates to float32, takes the first solid alone, knows no lines that
end in CR alone, and reads a text that was cut off as a binary file.
"""

from __future__ import annotations

import re
from array import array
from io import BytesIO

import numpy as np

from shapeyard.errors import MeshError
from shapeyard.formats.polygons import Polygons

STL_HEADER_BYTES = 84
STL_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
"""A triangle of the binary form."""

_TEXT = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:solid|facet)", re.IGNORECASE)
_VERTEX = re.compile(rb"[\r\n][ \t]*vertex\s+(\S+)\s+(\S+)\s+(\S+)", re.IGNORECASE)


def parse_stl(content: bytes) -> Polygons:
    """An STL file of either form; the three corners of each triangle are vertices of their own, unmerged.

    Raises:
        ValueError: for numbers that are none.
        MeshError: if the file is shorter than its header claims, or neither form.
    """
    triangles = stl_triangle_count(content)
    if triangles is None:
        coordinates = array("d")
        for match in _VERTEX.finditer(content):
            coordinates.extend(map(float, match.groups()))
        vertices = np.array(coordinates).reshape(-1, 3)
        if b"endsolid" not in content[-1024:].lower() or len(vertices) % 3:
            raise MeshError("an ASCII STL that is cut off or is not made of triangles")
    else:
        import stl  # here: not every stage that reads a mesh is installed with it

        content = content[:80] + triangles.to_bytes(4, "little") + content[STL_HEADER_BYTES:]
        read = stl.Mesh.from_file("", calculate_normals=False, fh=BytesIO(content), mode=stl.Mode.BINARY)
        with np.errstate(invalid="ignore"):  # a signalling NaN; what isn't finite is refused later
            vertices = read.vectors.reshape(-1, 3).astype(np.float64)
    return Polygons(vertices, np.arange(len(vertices)), np.full(len(vertices) // 3, 3))


def stl_triangle_count(content: bytes) -> int | None:
    """How many triangles a binary STL has; None for the ASCII form.

    It is what the header claims, but of one that claims none what the file's length says: some programs never fill the
    number in.

    Raises:
        MeshError: if the file is shorter than that, mixes both forms, or is another text.
    """
    is_text = _TEXT.match(content) and b"\0" not in content[:4096]
    claimed = int.from_bytes(content[80:STL_HEADER_BYTES], "little")
    expected = STL_HEADER_BYTES + STL_RECORD.itemsize * claimed
    if is_text and len(content) != expected:
        return None
    if _TEXT.match(content, 80) or _TEXT.match(content, STL_HEADER_BYTES):
        raise MeshError("a binary STL header with the text of an ASCII STL behind it: expected one form or the other")
    if claimed == 0 and len(content) > STL_HEADER_BYTES:
        claimed, rest = divmod(len(content) - STL_HEADER_BYTES, STL_RECORD.itemsize)
        if rest:
            raise MeshError(f"the STL header claims no triangles, and {rest} bytes are left of {claimed} of them")
    elif len(content) < max(expected, STL_HEADER_BYTES):
        if b"\0" not in content[:4096]:
            raise MeshError("expected an STL file, which is binary or a text that begins with solid, got another text")
        raise MeshError(
            f"the STL header claims {claimed} triangles ({expected} bytes), the file has {len(content)} bytes"
        )
    return claimed
