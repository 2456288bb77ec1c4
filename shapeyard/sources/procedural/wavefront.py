"""Writing the catalogue's objects as Wavefront OBJ with their materials."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shapeyard.sources.procedural.assembly import ProceduralMesh
from shapeyard.sources.procedural.materials import Material


def write_obj(mesh: ProceduralMesh, folder: Path) -> Path:
    """Write <name>.obj and <name>.mtl into an existing folder; the same mesh gives the same bytes.

    Returns:
        The path of the OBJ file: vertices shared, no normals, faces grouped by material.
    """
    vertices = ("v %.7f %.7f %.7f\n" * len(mesh.vertices)) % tuple(mesh.vertices.ravel().tolist())
    lines = [f"mtllib {mesh.name}.mtl\no {mesh.name}\n", vertices]
    starts = np.searchsorted(mesh.face_materials, np.arange(len(mesh.materials) + 1))
    for material, first, last in zip(mesh.materials, starts, starts[1:], strict=False):
        if last > first:
            faces = (mesh.faces[first:last] + 1).ravel().tolist()
            lines.append(f"usemtl {material.name}\n" + ("f %d %d %d\n" * (last - first)) % tuple(faces))
    path = folder / f"{mesh.name}.obj"
    path.write_text("".join(lines), encoding="ascii", newline="\n")
    path.with_suffix(".mtl").write_text("\n".join(map(_entry, mesh.materials)), encoding="ascii", newline="\n")
    return path


def _entry(material: Material) -> str:
    """Kd linear; Ns as Blender reads it: roughness = 1 − √(Ns/1000)."""
    red, green, blue = material.rgb
    shine = 1000 * (1 - material.roughness) ** 2
    return f"newmtl {material.name}\nKd {red:.4f} {green:.4f} {blue:.4f}\nKs 0.5 0.5 0.5\nNs {shine:.1f}\nillum 2\n"
