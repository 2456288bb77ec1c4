"""The parametric catalogue behind `procedural://`: furniture and household things for machines without a download."""

from shapeyard.sources.procedural.assembly import ProceduralMesh
from shapeyard.sources.procedural.catalogue import CLASSES, make_object
from shapeyard.sources.procedural.materials import Material
from shapeyard.sources.procedural.wavefront import write_obj

__all__ = ["CLASSES", "Material", "ProceduralMesh", "make_object", "write_obj"]
