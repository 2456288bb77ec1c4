"""Objects to draw, and geometry worked out by hand to compare with."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image

from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample

Files = dict[str, bytes | str]
IDENTITY = np.eye(4)
RED, GREEN, BLUE = (0.8, 0.02, 0.02), (0.02, 0.8, 0.02), (0.02, 0.02, 0.8)


def write_meshes(path: Path, samples: dict[str, tuple[str, Files, NDArray[np.float64]]]) -> Path:
    with DatasetWriter(path, "meshes", "test", {}) as writer:
        for number, (name, (main, files, canonical_from_file)) in enumerate(samples.items()):
            folder = path.parent / f"{path.name}-files" / str(number)
            for file, content in files.items():
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.encode() if isinstance(content, str) else content)
            rows = tuple(tuple(row) for row in canonical_from_file.tolist())
            writer.add_files(
                Sample(name, name.split("/")[0], "train", f"test://{name}", canonical_from_file=rows), folder, main
            )
    return path


def exported(mesh: trimesh.Trimesh, ending: str) -> bytes:
    content = mesh.export(file_type=ending)
    return content.encode() if isinstance(content, str) else content


def painted(parts: list[tuple[trimesh.Trimesh, tuple[float, float, float]]], main: str = "part.obj") -> Files:
    """An OBJ with a colour a part, and its MTL."""
    stem = Path(main).stem
    obj, mtl, offset = [f"mtllib {stem}.mtl"], [], 1
    for number, (mesh, color) in enumerate(parts):
        mtl += [f"newmtl m{number}", "Kd {} {} {}".format(*color)]
        obj += [f"usemtl m{number}", *("v {} {} {}".format(*v) for v in mesh.vertices)]
        obj += ["f {} {} {}".format(*(face + offset)) for face in mesh.faces]
        offset += len(mesh.vertices)
    return {main: "\n".join(obj) + "\n", str(Path(main).with_name(f"{stem}.mtl")): "\n".join(mtl) + "\n"}


def textured_square(map_kd: str = "tex.png", mtl: str = "square.mtl") -> Files:
    """A square across the z axis; the texture is red at the left of +Z's view, blue at the right."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, :4, 0], pixels[:, 4:, 2] = 220, 220
    png = BytesIO()
    Image.fromarray(pixels).save(png, "png")
    obj = f"""mtllib {mtl}\nusemtl picture
v -0.5 -0.5 0\nv 0.5 -0.5 0\nv 0.5 0.5 0\nv -0.5 0.5 0
vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nf 1/1 2/2 3/3 4/4\n"""
    return {"square.obj": obj, "square.mtl": f"newmtl picture\nKd 1 1 1\nmap_Kd {map_kd}\n", "tex.png": png.getvalue()}


def box_at(center: tuple[float, float, float], size: float = 0.2) -> trimesh.Trimesh:
    return trimesh.creation.box((size,) * 3, trimesh.transformations.translation_matrix(center))


def rays(renders: Dataset, name: str, view: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Camera position (3,) and ray directions (H,W,3) in the world, one unit along the optical axis each."""
    camera, intrinsics = renders.read(name, "world_from_camera")[view], renders.read(name, "intrinsics")
    size = renders.read(name, "depth", view).shape[0]
    row, column = np.indices((size, size)) + 0.5
    x, y = (column - intrinsics[0, 2]) / intrinsics[0, 0], (row - intrinsics[1, 2]) / intrinsics[1, 1]
    return camera[:3, 3], np.stack([x, y, np.ones_like(x)], axis=-1) @ camera[:3, :3].T


def depth_of_box(
    origin: NDArray[np.float64], directions: NDArray[np.float64], half: list[float]
) -> NDArray[np.float64]:
    """Slabs: where the ray is inside all three."""
    near = (-np.sign(directions) * half - origin) / directions
    far = (np.sign(directions) * half - origin) / directions
    entry, leave = near.max(axis=-1), far.min(axis=-1)
    return np.where(entry < leave, entry, np.inf)


def depth_of_triangles(
    origin: NDArray[np.float64], directions: NDArray[np.float64], triangles: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Every ray against every triangle (Möller and Trumbore 1997): slow and obvious."""
    a, b, c = triangles.transpose(1, 0, 2)
    nearest = np.full(directions.shape[:2], np.inf)
    for corner, first, second in zip(a, b - a, c - a, strict=True):
        across = np.cross(directions, second)
        determinant = across @ first
        u = across @ (origin - corner) / determinant
        other = np.cross(origin - corner, first)
        v = directions @ other / determinant
        inside = (u >= 0) & (v >= 0) & (u + v <= 1)
        nearest = np.where(inside, np.minimum(nearest, second @ other / determinant), nearest)
    return nearest


def edges(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels with a neighbour of the other kind: a ray that grazes may go either way."""
    grown = np.pad(mask, 1, mode="edge")
    shifts = [grown[1 + dr : grown.shape[0] - 1 + dr, 1 + dc : grown.shape[1] - 1 + dc]
              for dr in (-1, 0, 1) for dc in (-1, 0, 1)]  # fmt: skip
    return np.any(shifts, axis=0) & ~np.all(shifts, axis=0)


def mean_color(renders: Dataset, name: str, view: int, columns: slice = slice(None)) -> NDArray[np.float64]:
    """Of the object's pixels, in these columns of the image."""
    rgba, depth = renders.read(name, "rgba", view)[:, columns], renders.read(name, "depth", view)[:, columns]
    return np.asarray(rgba[np.isfinite(depth)][:, :3].mean(axis=0))
