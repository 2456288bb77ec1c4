"""How fast the catalogue behind `procedural://` makes objects, whether they are watertight, and what they look like.

python benchmarks/catalogue.py [--objects 100] [--classes chair,cup] [--sheet sheet.png] [--columns 10] [--size 150]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image

from shapeyard.sources.procedural import CLASSES, ProceduralMesh, make_object

LIGHTS = ((np.array([0.45, 0.75, -0.5]), 0.75), (np.array([-0.8, 0.3, -0.4]), 0.3))
AMBIENT = 0.22


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100, help="objects a class")
    parser.add_argument("--classes", default=",".join(CLASSES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="picture with the first objects of each class, a row a class")
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--size", type=int, default=150, help="pixels of an object in the sheet")
    arguments = parser.parse_args()
    classes = arguments.classes.split(",")
    print(f"{'class':<10}{'objects/s':>10}{'watertight':>12}{'triangles':>11}")
    rates = [measured(name, arguments.objects, arguments.seed) for name in classes]
    print(f"{'all':<10}{len(rates) / sum(1 / rate for rate in rates):>10.0f}")
    if arguments.sheet:
        rows = [
            np.hstack([picture(make_object(c, i, arguments.seed), arguments.size) for i in range(arguments.columns)])
            for c in classes
        ]
        Image.fromarray(np.vstack(rows)).save(arguments.sheet)


def measured(class_name: str, count: int, seed: int) -> float:
    make_object(class_name, 0, seed)
    start = time.process_time()
    meshes = [make_object(class_name, index, seed) for index in range(count)]
    rate = count / (time.process_time() - start)
    whole = [trimesh.Trimesh(mesh.vertices, mesh.faces).is_volume for mesh in meshes]
    triangles = np.mean([len(mesh.faces) for mesh in meshes])
    print(f"{class_name:<10}{rate:>10.0f}{np.mean(whole):>12.1%}{triangles:>11.0f}", flush=True)
    return rate


def picture(mesh: ProceduralMesh, size: int, azimuth: float = 35, elevation: float = 22) -> NDArray[np.uint8]:
    """A flat-shaded orthographic view (size,size,3) from the front left, two pixels a side averaged into one."""
    fine = 2 * size
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    points = (mesh.vertices - (low + high) / 2) / np.linalg.norm(high - low) * 0.98
    yaw, tilt = np.radians(azimuth), np.radians(elevation)
    right = np.array([-np.cos(yaw), 0, np.sin(yaw)])
    towards = np.array([-np.sin(yaw) * np.cos(tilt), np.sin(tilt), -np.cos(yaw) * np.cos(tilt)])
    up = np.cross(towards, right)
    screen = np.stack([(0.5 + points @ right) * fine, (0.5 - points @ up) * fine, points @ towards], axis=1)
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    light = AMBIENT + sum(power * np.clip(normals @ (way / np.linalg.norm(way)), 0, None) for way, power in LIGHTS)
    colour = np.array([m.rgb for m in mesh.materials])[mesh.face_materials] * light[:, None]
    image = np.full((fine, fine, 3), 0.85)
    nearest = np.full((fine, fine), -np.inf)
    for triangle, shade in zip(screen[mesh.faces][normals @ towards > 0], colour[normals @ towards > 0], strict=True):
        _draw(image, nearest, triangle, shade)
    srgb = np.clip(image.reshape(size, 2, size, 2, 3).mean(axis=(1, 3)), 0, 1) ** (1 / 2.2)
    return np.asarray(srgb * 255, dtype=np.uint8)


def _draw(
    image: NDArray[np.float64], nearest: NDArray[np.float64], triangle: NDArray[np.float64], shade: NDArray[np.float64]
) -> None:
    """Fill one triangle (3,3) of column, row, nearness where it is in front."""
    (x0, y0), (x1, y1) = (
        np.floor(triangle[:, :2].min(axis=0)).astype(int),
        np.ceil(triangle[:, :2].max(axis=0)).astype(int),
    )
    u, v = np.meshgrid(np.arange(x0, x1 + 1) + 0.5, np.arange(y0, y1 + 1) + 0.5)
    a, b, c = triangle
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    if abs(area) < 1e-9:
        return
    wb = ((u - a[0]) * (c[1] - a[1]) - (v - a[1]) * (c[0] - a[0])) / area
    wc = ((b[0] - a[0]) * (v - a[1]) - (b[1] - a[1]) * (u - a[0])) / area
    depth = a[2] + wb * (b[2] - a[2]) + wc * (c[2] - a[2])
    inside = (wb >= -1e-6) & (wc >= -1e-6) & (wb + wc <= 1 + 1e-6)
    window = np.s_[y0 : y1 + 1, x0 : x1 + 1]
    front = inside & (depth > nearest[window])
    nearest[window][front] = depth[front]
    image[window][front] = shade


if __name__ == "__main__":
    main()
