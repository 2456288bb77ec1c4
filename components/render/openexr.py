"""Reading the one kind of OpenEXR file that Blender is told to write here.

The layout is OpenEXR's (https://openexr.com/en/latest/OpenEXRFileLayout.html): a single part of scan lines, not
compressed, 32-bit floats. The wheel's own OpenImageIO reads it too, but isn't on Python's path and takes longer.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapeyard.errors import FormatError

MAGIC = b"\x76\x2f\x31\x01"
SINGLE_PART_SCAN_LINES = 2
"""The version field, flags included, but for the flag that allows long names."""
LONG_NAMES = 0x400
FLOAT = 2
NO_COMPRESSION = b"\0"


def read_passes(path: Path) -> dict[str, NDArray[np.float32]]:
    """Every channel of the file by its name, such as `ViewLayer.Combined.R` → (H,W) float32.

    Raises:
        FormatError: for a file of another layout, or one that is cut off.
    """
    content = path.read_bytes()
    version = int.from_bytes(content[4:8], "little")
    if content[:4] != MAGIC or version & ~LONG_NAMES != SINGLE_PART_SCAN_LINES:
        raise FormatError(f"{path}: expected an OpenEXR file of scan lines, got one that starts with {content[:8]!r}")
    attributes, position = _header(content)
    names = _channel_names(attributes["channels"])
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    height, width = bottom - top + 1, right - left + 1
    if attributes["compression"] != NO_COMPRESSION:
        raise FormatError(f"{path}: expected no compression, got {attributes['compression']!r}")
    offsets, line = 8 * height, 2 + len(names) * width  # a line starts with its number and its size
    if len(content) != position + offsets + 4 * height * line:
        raise FormatError(f"{path}: expected {len(names)} float channels of {width}×{height}, got {len(content)} bytes")
    lines = np.frombuffer(content, "<f4", height * line, position + offsets).reshape(height, line)
    planes = lines[:, 2:].reshape(height, len(names), width)
    return {name: planes[:, index] for index, name in enumerate(names)}


def _header(content: bytes) -> tuple[dict[str, bytes], int]:
    """The attributes by name, and where the table of line offsets starts."""
    attributes: dict[str, bytes] = {}
    position = 8
    while content[position : position + 1] not in (b"\0", b""):
        name_end = content.index(b"\0", position)
        type_end = content.index(b"\0", name_end + 1)
        start = type_end + 5
        size = int.from_bytes(content[type_end + 1 : start], "little")
        attributes[content[position:name_end].decode()] = content[start : start + size]
        position = start + size
    return attributes, position + 1


def _channel_names(channels: bytes) -> list[str]:
    names = []
    position = 0
    while channels[position : position + 1] != b"\0":
        end = channels.index(b"\0", position)
        pixel_type = int.from_bytes(channels[end + 1 : end + 5], "little")
        if pixel_type != FLOAT:
            raise FormatError(f"expected channels of 32-bit floats, got type {pixel_type}")
        names.append(channels[position:end].decode())
        position = end + 17  # type, linearity, and the sampling of both axes
    return names
