"""The classes of the catalogue and how an object of one is made."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

from shapeyard.errors import require
from shapeyard.sources.procedural.assembly import Part, ProceduralMesh, assemble
from shapeyard.sources.procedural.bathroom import bathtub, toilet
from shapeyard.sources.procedural.beds import bed
from shapeyard.sources.procedural.chairs import chair, stool
from shapeyard.sources.procedural.devices import clock, monitor
from shapeyard.sources.procedural.lamps import lamp
from shapeyard.sources.procedural.plants import plant
from shapeyard.sources.procedural.pottery import teapot, vase
from shapeyard.sources.procedural.shelves import shelf
from shapeyard.sources.procedural.sofas import bench, sofa
from shapeyard.sources.procedural.tables import desk, table
from shapeyard.sources.procedural.vessels import bottle, cup

_BUILDERS: dict[str, Callable[[np.random.Generator], list[Part]]] = {
    builder.__name__: builder
    for builder in (
        bathtub,
        bed,
        bench,
        bottle,
        chair,
        clock,
        cup,
        desk,
        lamp,
        monitor,
        plant,
        shelf,
        sofa,
        stool,
        table,
        teapot,
        toilet,
        vase,
    )
}
CLASSES: tuple[str, ...] = tuple(sorted(_BUILDERS))


def make_object(class_name: str, index: int, seed: int = 0) -> ProceduralMesh:
    """Object number `index` of a class: the same for the same seed, however many others are made.

    Raises:
        ParameterError: for a class that is not in `CLASSES`, or a negative index or seed.
    """
    require(class_name in _BUILDERS, f"expected a class of {', '.join(CLASSES)}; got {class_name!r}")
    require(index >= 0 and seed >= 0, f"expected an index and a seed of at least 0, got {index} and {seed}")
    rng = np.random.default_rng([seed, zlib.crc32(class_name.encode()), index])
    return assemble(class_name, f"{class_name}-{index:06d}", _BUILDERS[class_name](rng))
