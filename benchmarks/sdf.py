"""The speed of `sample_sdf` against targets and trimesh, and how its signs and those of others agree with binvox.

python benchmarks/sdf.py FOLDER      every model_normalized.obj below it that has a .solid.binvox

Speed: an object is sampled by one process on one core, as the stage does it, reading, writing and the preview left out.
Two cores sample two objects at a time, so an object takes half its processor time; the time on the clock says the same
on a machine that has nothing else to do. trimesh (with `rtree` and embreex) answers for a part of the points of some
objects, which is scaled up; it uses one core as well, and its processor time stands against ours.

Signs: of points as the stage draws them, at least two of binvox's voxels away from the surface.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from components.sample_sdf import SampleSdfSettings
from components.sample_sdf.sample_sdf import sample_mesh, use_one_core
from shapeyard.errors import MeshError
from shapeyard.formats.binvox import read_binvox
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.frames import transform
from shapeyard.geometry.sdf_samples import canonical_from_sphere, draw_points
from shapeyard.geometry.signed_distance import SignedDistance
from shapeyard.geometry.triangle_mesh import Mesh

SETTINGS = SampleSdfSettings(max_two_sided=1)
PEER_POINTS, PEER_EVERY = 4000, 3
SIGN_POINTS = 10_000
LARGE_SUBDIVISIONS = 8  # an icosphere of 1,310,720 triangles
SECONDS_TARGET, TIMES_TARGET, GIGABYTES_TARGET = 1.5, 50, 2

Points = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed, memory and signs of the SDF sampler over ShapeNet models.")
    parser.add_argument("folder", type=Path, help="a folder of ShapeNetCore v2 models with their binvox files")
    folder = parser.parse_args().folder
    paths = [path for path in sorted(folder.rglob("*.obj")) if path.with_suffix(".solid.binvox").is_file()]
    if not paths:
        parser.error(f"{folder}: no .obj with a .solid.binvox beside it")
    print(f"{len(paths)} models, {SETTINGS.samples} samples each")
    print_speed(paths)
    print_memory()
    print_signs(paths)


def print_speed(paths: list[Path]) -> None:
    with ProcessPoolExecutor(2, get_context("spawn"), use_one_core) as pool:
        list(pool.map(sample_timed, paths[:2]))  # imports
        started = time.perf_counter()
        seconds = list(pool.map(sample_timed, paths))
        together = (time.perf_counter() - started) / len(paths)
    median = float(np.median(seconds))
    print(f"\n{'':44}{'measured':>10}{'target':>10}")
    print(f"{'s of processor time an object, median':44}{median:10.2f}{2 * SECONDS_TARGET:10.2f}")
    print(f"{'s an object on two cores, median (half of it)':44}{median / 2:9.2f}{SECONDS_TARGET:10.2f}")
    print(f"{'s an object, all on the clock, two processes':44}{together:10.2f}{'':>10}")
    if importlib.util.find_spec("rtree") is None:
        print("trimesh: rtree is not installed")
        return
    factors = [trimesh_timed(path) / own for path, own in list(zip(paths, seconds, strict=True))[::PEER_EVERY]]
    times = f"trimesh over ours, core for core, {len(factors)} objects"
    print(f"{times:44}{np.median(factors):10.0f}{TIMES_TARGET:10}    {min(factors):.0f} to {max(factors):.0f}")


def sample_timed(path: Path) -> float:
    mesh = read_mesh(path)
    started = time.process_time()
    try:
        sample_mesh(mesh.vertices, mesh.faces, SETTINGS, np.random.default_rng(0))
    except MeshError as error:  # an object without an inside was measured all the same
        print(f"{path.parts[-4]}: {error}")
    return time.process_time() - started


def trimesh_timed(path: Path) -> float:
    """Seconds of processor time that trimesh's signed distance would take for all the samples."""
    import trimesh

    mesh, field = in_sphere(read_mesh(path))
    peer = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    points = draw(field, PEER_POINTS)
    peer.nearest.signed_distance(points[:1])
    started = time.process_time()
    with np.errstate(all="ignore"):  # it divides by the area of triangles that have none
        peer.nearest.signed_distance(points)
    return (time.process_time() - started) * SETTINGS.samples / PEER_POINTS


def print_memory() -> None:
    with ProcessPoolExecutor(1, get_context("spawn"), use_one_core) as pool:
        triangles, seconds, gigabytes = pool.submit(sample_large).result()
    print(f"{f'GB for a mesh of {triangles} triangles, {seconds:.0f} s':44}{gigabytes:10.2f}{GIGABYTES_TARGET:10}")


def sample_large() -> tuple[int, float, float]:
    import trimesh

    ball = trimesh.creation.icosphere(LARGE_SUBDIVISIONS)
    vertices, faces = np.array(ball.vertices), np.concatenate([ball.faces, ball.faces[: len(ball.faces) // 2]])
    del ball
    started = time.perf_counter()
    sample_mesh(vertices, faces, SETTINGS, np.random.default_rng(0))
    return len(faces), time.perf_counter() - started, getrusage(RUSAGE_SELF).ru_maxrss / 1e6


def print_signs(paths: list[Path]) -> None:
    shares: dict[str, list[float]] = defaultdict(list)
    for path in paths:
        truth, minimum, side = read_binvox(path.with_suffix(".solid.binvox"))
        file_mesh = read_mesh(path)
        frame = canonical_from_sphere(file_mesh.vertices)
        mesh, field = in_sphere(file_mesh)
        points = draw(field, SIGN_POINTS)
        distance = field(points)
        voxel = (transform(frame, points) - minimum) / side * truth.shape[0]
        far = np.abs(distance) > 2 * side / truth.shape[0] / frame[0, 0]
        kept = far & ((voxel >= 0) & (voxel < truth.shape[0])).all(axis=1)
        occupied = truth[tuple(voxel[kept].astype(int).T)]
        for name, inside in METHODS.items():
            shares[name].append(float((inside(mesh, field, points[kept]) == occupied).mean()))
        shares["none is inside"].append(float((~occupied).mean()))
    print(f"\n{'sign as binvox has it, share of the samples':44}{'median':>10}{'mean':>10}{'worst':>10}")
    for name, values in shares.items():
        print(f"{name:44}{np.median(values):10.4f}{np.mean(values):10.4f}{min(values):10.4f}")


def by_sight(_: Mesh, field: SignedDistance, points: Points) -> NDArray[np.bool_]:
    return field(points) < 0


def by_votes(_: Mesh, field: SignedDistance, points: Points) -> NDArray[np.bool_]:
    """DeepSDF's: the 11 nearest of the surface points that 100 cameras see, by their normals.

    A majority decides, where DeepSDF drops a point without unanimity; 4,000 rays a camera, not 160,000 pixels.
    """
    rng = np.random.default_rng(0)
    seen, normals = [], []
    for towards in rng.normal(size=(100, 3)):
        towards = towards / np.linalg.norm(towards)
        across = np.linalg.svd(towards[None])[2][1:]
        origins = (rng.uniform(-1, 1, (4000, 2)) @ across - 2 * towards).astype(np.float32)
        ray = field._scene.run(origins, towards[None].astype(np.float32), query="INTERSECT", output=1)
        hit = ray["primID"] >= 0
        normal = ray["Ng"][hit] * -np.sign(ray["Ng"][hit] @ towards)[:, None]
        seen.append(origins[hit] + ray["tfar"][hit, None] * towards)
        normals.append(normal)
    nearest = cKDTree(np.concatenate(seen)).query(points, 11)[1]
    to_points = points[:, None] - np.concatenate(seen)[nearest]
    return np.asarray((np.einsum("nkc,nkc->nk", to_points, np.concatenate(normals)[nearest]) < 0).sum(axis=1) > 5)


def by_winding_number(mesh: Mesh, _: SignedDistance, points: Points) -> NDArray[np.bool_]:
    import igl

    return np.asarray(np.abs(igl.fast_winding_number(mesh.vertices, mesh.faces, points)) > 0.5)


def by_turned_winding_number(mesh: Mesh, _: SignedDistance, points: Points) -> NDArray[np.bool_]:
    """After each triangle was turned to the side that is seen more (Takayama et al. 2014)."""
    import igl.embree

    turned = igl.embree.reorient_facets_raycast(mesh.vertices, mesh.faces, facet_wise=True)[0]
    faces = np.where(turned[:, None], mesh.faces[:, ::-1], mesh.faces)
    return np.asarray(np.abs(igl.fast_winding_number(mesh.vertices, faces, points)) > 0.5)


METHODS: dict[str, Callable[[Mesh, SignedDistance, Points], NDArray[np.bool_]]] = {
    "sight (the default)": by_sight,
    "votes of seen points (DeepSDF)": by_votes,
    "winding number": by_winding_number,
    "winding number, triangles turned outwards": by_turned_winding_number,
}


def in_sphere(mesh: Mesh) -> tuple[Mesh, SignedDistance]:
    vertices = transform(np.linalg.inv(canonical_from_sphere(mesh.vertices)), mesh.vertices)
    return Mesh(np.ascontiguousarray(vertices), mesh.faces), SignedDistance(vertices, mesh.faces)


def draw(field: SignedDistance, count: int) -> Points:
    variances = (SETTINGS.variance, SETTINGS.fine_variance)
    return draw_points(field, count, SETTINGS.near_surface, variances, np.random.default_rng(0))


if __name__ == "__main__":
    main()
