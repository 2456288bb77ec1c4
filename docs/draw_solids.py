"""Draw docs/solids.png: the middle slices of analytic shapes in every mode of `voxelize`, their meshes in red.

python docs/draw_solids.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from components.voxelize.modes import MODES

RESOLUTION, TILE, GAP, LABELS = 48, 96, 6, 128
SHOWN = ("surface", "solid", "carving", "carving-parity", "parity", "flood", "winding")
PAPER, VOXEL, MESH, INK = (255, 255, 255), (120, 150, 190), (210, 40, 40), (40, 40, 40)


def main() -> None:
    """A row a shape, a column a mode; each slice is that at the middle of the third axis, the second axis up."""
    shapes = make_shapes()
    size = (LABELS + len(SHOWN) * (TILE + GAP), 20 + len(shapes) * (TILE + GAP))
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, mode in enumerate(SHOWN):
        draw.text((LABELS + column * (TILE + GAP), 4), mode, INK)
    for row, (name, mesh) in enumerate(shapes.items()):
        top = 20 + row * (TILE + GAP)
        draw.multiline_text((4, top + TILE // 3), name, INK)
        for column, mode in enumerate(SHOWN):
            vertices, faces = np.array(mesh.vertices), np.array(mesh.faces)
            grid = MODES[mode].occupancy(vertices, faces, RESOLUTION, (-0.5, -0.5, -0.5), 1.0)
            sheet.paste(tile(grid[:, :, RESOLUTION // 2], mesh), (LABELS + column * (TILE + GAP), top))
    sheet.quantize(16).save(Path(__file__).with_name("solids.png"), optimize=True)


def tile(slice_: NDArray[np.bool_], mesh: trimesh.Trimesh) -> Image.Image:
    """A slice (D,D) of a grid, and where the middle of its voxels cuts the mesh."""
    colours = np.where(np.flipud(slice_.T)[..., None], VOXEL, (242, 242, 242)).astype(np.uint8)
    picture = Image.fromarray(colours).resize((TILE, TILE), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(picture)
    lines = trimesh.intersections.mesh_plane(mesh, [0, 0, 1], [0, 0, 0.5 / RESOLUTION])
    for start, end in (lines[:, :, :2] * [1, -1] + 0.5) * TILE:
        draw.line([*start, *end], fill=MESH)
    return picture


def make_shapes() -> dict[str, trimesh.Trimesh]:
    """Closed and open, thick and without thickness."""
    moved = trimesh.transformations.translation_matrix
    turned = trimesh.transformations.rotation_matrix
    ball = trimesh.creation.icosphere(4, 0.42)
    outline = [(0, -0.4), (0.3, -0.4), (0.3, 0.4), (0.2, 0.4), (0.2, -0.28), (0, -0.28)]
    upright = turned(-np.pi / 2, [1, 0, 0])
    cup = trimesh.creation.revolve(outline, sections=64, transform=upright)
    leaning = cup.copy()
    leaning.apply_transform(turned(0.5, [0, 0, 1]))
    wall = trimesh.creation.cylinder(0.35, 0.8, sections=64, transform=upright)
    hole = (ball.triangles_center[:, 1] < 0.36) | (np.abs(ball.triangles_center[:, 0]) > 0.3)
    boxes = [
        trimesh.creation.box((0.5, 0.5, 0.6), moved([-0.15, -0.1, 0])),
        trimesh.creation.box((0.5, 0.5, 0.6), moved([0.15, 0.1, 0])),
    ]
    nested = [trimesh.creation.box((0.8, 0.8, 0.8)), trimesh.creation.box((0.4, 0.4, 0.4))]
    seat = sheet([[-0.35, -0.1, -0.4], [0.3, -0.1, -0.4], [0.3, -0.1, 0.4], [-0.35, -0.1, 0.4]])
    back = sheet([[0.3, -0.1, -0.4], [0.42, 0.42, -0.4], [0.42, 0.42, 0.4], [0.3, -0.1, 0.4]])
    leg = sheet([[-0.3, -0.45, -0.4], [-0.3, -0.1, -0.4], [-0.3, -0.1, 0.4], [-0.3, -0.45, 0.4]])
    return {
        "closed": ball,
        "closed,\nopen hollow": cup,
        "the same,\nleaning": leaning,
        "a wall without\nthickness,\nno lid": without(wall, wall.face_normals[:, 1] < 0.5),
        "a ball\nwith a hole": without(ball, hole),
        "two boxes,\noverlapping": trimesh.util.concatenate(boxes),
        "a box\nin a box": trimesh.util.concatenate(nested),
        "sheets": trimesh.util.concatenate([seat, back, leg]),
    }


def without(mesh: trimesh.Trimesh, kept: NDArray[np.bool_]) -> trimesh.Trimesh:
    """A mesh of the faces (M,) that are kept."""
    return trimesh.Trimesh(mesh.vertices, mesh.faces[kept], process=False)


def sheet(corners: list[list[float]]) -> trimesh.Trimesh:
    """A quadrangle of two triangles."""
    return trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False)


if __name__ == "__main__":
    main()
