"""How near voxels come to ShapeNet's and ModelNet's own files and to true volumes, how long they take, beside peers.

python benchmarks/voxelization.py FOLDER [--peers 5] [--record]

FOLDER holds `shapenet_v2` (models with a .solid.binvox beside each) and `modelnet10` (`off/`, `modelnet10_dev.npz`);
what is missing is left out. Milliseconds are processor time of one core, the best of three runs, so that what else
runs on the machine counts little. Peers are trimesh and, where it is installed, Open3D, on the same meshes in this run.
ModelNet's recipe was chosen on the very models that measure it here: its figure is a fit, no test.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import trimesh
from record import record_figures
from tables import print_figures

from components.voxelize.modes import MODES
from shapeyard.formats.binvox import read_binvox
from shapeyard.formats.mesh import read_mesh
from shapeyard.geometry.carving import carved_occupancy
from shapeyard.geometry.triangle_mesh import Mesh
from shapeyard.geometry.voxelization import solid_occupancy, surface_occupancy

REPEATS = 3
OPEN3D_MS = 28.0
"""Open3D's surface voxelizer on the same 33 models at 128³, measured once where it could be installed."""
WITHOUT_THICKNESS = "the same without thickness"
COMMAND = "python benchmarks/voxelization.py DATA"
RECORDED = {
    "IoU with ShapeNet's .solid.binvox, mode solid, *": "voxels-shapenet",
    "mode solid, 128³*": "voxels-speed-128",
    "mode solid, 256³*": "voxels-speed-256",
    "mode solid, 128³, against trimesh*": "voxels-trimesh",
    "ModelNet's grids found again, mode carving-parity*": "voxels-modelnet",
    "volumes of analytic shapes at 128³, mode solid": "voxels-volume-solid",
    "volumes of analytic shapes at 128³, mode parity": "voxels-volume-parity",
    "peak memory of mode solid, 256³, *.stl": "voxels-memory",
}
"""The figures that are written to benchmarks/results, as patterns of their names, and the files."""
Figure = tuple[str, str, str, bool]


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--peers", default=5, show_default=True, help="Models that trimesh voxelizes too, at some 10 s each.")
@click.option("--winding", is_flag=True, help="Also the winding number, at some seconds a model.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to benchmarks/results, too.")
def main(folder: Path, peers: int, winding: bool, keep: bool) -> None:
    """Print tables of figures, their targets, and whether these are met."""
    shapenet = folder / "shapenet_v2" if (folder / "shapenet_v2").is_dir() else folder
    paths = [path for path in sorted(shapenet.rglob("*.obj")) if path.with_suffix(".solid.binvox").is_file()]
    compile_all()
    modes = [mode for mode in MODES if winding or mode != "winding"]
    parts = [partial(iou_with_shapenet, paths, modes), partial(speed, paths, peers)] if paths else []
    if (folder / "modelnet10").is_dir():
        parts.append(partial(modelnet, folder / "modelnet10"))
    for part in (*parts, partial(volumes, modes), memory):
        figures = part()
        print_figures(figures)
        print()
        if keep:
            record_figures(figures, RECORDED, "voxels", COMMAND)


def compile_all() -> None:
    """Let numba do its work before the clock starts."""
    started = time.perf_counter()
    for name, mode in MODES.items():
        if name != "winding":
            mode.occupancy(np.eye(3) * 0.3, np.array([[0, 1, 2]]), 8, (-0.5, -0.5, -0.5), 1.0)
    print(f"first calls (compiling, or loading what was compiled): {time.perf_counter() - started:.2f} s\n")


def iou_with_shapenet(paths: list[Path], modes: list[str]) -> list[Figure]:
    """IoU with ShapeNet's own files, mode by mode; the first is the default."""
    overlaps: dict[str, list[float]] = {}
    for path in paths:
        truth, minimum, side = read_binvox(path.with_suffix(".solid.binvox"))
        vertices, faces = read_mesh(path)
        voxelizers = {mode: MODES[mode].occupancy for mode in modes}
        voxelizers["solid without sheets"] = partial(solid_occupancy, keep_sheets=False)
        for name, occupancy in voxelizers.items():
            grid = occupancy(vertices, faces, truth.shape[0], minimum, side)
            overlaps.setdefault(name, []).append(float((grid & truth).sum() / (grid | truth).sum()))
    figures: list[Figure] = []
    for name, values in overlaps.items():
        median, mean = float(np.median(values)), float(np.mean(values))
        target = "median >= 0.97, mean >= 0.94" if name == "solid" else "-"
        met = name != "solid" or (median >= 0.97 and mean >= 0.94)
        measured = f"median {median:.4f}, mean {mean:.4f}, worst {min(values):.4f}"
        figures.append((f"IoU with ShapeNet's .solid.binvox, mode {name}, {len(paths)} models", measured, target, met))
    return figures


def speed(paths: list[Path], peers: int) -> list[Figure]:
    """Milliseconds a model on one core, and how many times as long others take."""
    times: dict[str, list[float]] = {}
    for path in paths:
        _, minimum, side = read_binvox(path.with_suffix(".solid.binvox"))
        vertices, faces = read_mesh(path)
        times.setdefault("read OBJ", []).append(measure(partial(read_mesh, path)))
        for resolution in (64, 128, 256):
            for name, function in (("solid", solid_occupancy), ("surface", surface_occupancy)):
                call = partial(function, vertices, faces, resolution, minimum, side)
                times.setdefault(f"mode {name}, {resolution}³, one core", []).append(measure(call))
    medians = {name: float(np.median(values)) for name, values in times.items()}
    limits = {"mode solid, 128³, one core": OPEN3D_MS, "mode solid, 256³, one core": 120.0}
    figures: list[Figure] = []
    for name, values in times.items():
        limit = limits.get(name)
        target = f"< {limit:g} ms" if limit else "-"
        text = f"median {medians[name]:.1f} ms, most {max(values):.1f} ms"
        figures.append((name, text, target, limit is None or medians[name] < limit))
    open3d = open3d_milliseconds(paths)
    figures.append(("peer: Open3D, surface 128³", f"{open3d:.1f} ms" if open3d else "not installed", "-", True))
    ratios = []
    for path in paths[:: max(1, len(paths) // peers)][:peers] if peers else []:
        mesh = read_mesh(path)
        minimum, side = mesh.vertices.min(axis=0), float(np.ptp(mesh.vertices, axis=0).max())
        own = measure(partial(solid_occupancy, *mesh, 128, minimum, side))
        started = time.thread_time()
        trimesh.Trimesh(*mesh, process=False).voxelized(side / 128).fill()
        other = (time.thread_time() - started) * 1000
        ratios.append(other / own)
        name = f"peer: trimesh voxelized().fill() 128³, {len(mesh.faces)} triangles"
        figures.append((name, f"{other:.0f} ms, {ratios[-1]:.0f} times as long", "-", True))
    if ratios:
        ratio = float(np.median(ratios))
        name = f"mode solid, 128³, against trimesh's voxelized().fill(), median of {len(ratios)} models"
        figures.append((name, f"{ratio:.0f} times as fast", ">= 500", ratio >= 500))
    return figures


def open3d_milliseconds(paths: list[Path]) -> float | None:
    """The median of Open3D's surface voxelizer, None where it can't be imported."""
    try:
        import open3d
    except (ImportError, OSError):
        return None
    times = []
    for path in paths:
        mesh = read_mesh(path)
        theirs = open3d.geometry.TriangleMesh(
            open3d.utility.Vector3dVector(mesh.vertices), open3d.utility.Vector3iVector(mesh.faces.astype(np.int32))
        )
        pitch = float(np.ptp(mesh.vertices, axis=0).max()) / 128
        times.append(measure(partial(open3d.geometry.VoxelGrid.create_from_triangle_mesh, theirs, pitch)))
    return float(np.median(times))


def modelnet(folder: Path) -> list[Figure]:
    """The nearest of ModelNet's own grids to each .off file, voxelized by its recipe: 24³ centred in 30³.

    How carving and parity are combined, and how finely, was chosen on these files; see `shapeyard.geometry.carving`.
    """
    stored = np.load(folder / "modelnet10_dev.npz")
    grids = np.concatenate([stored["X_train"], stored["X_test"]]).reshape(-1, 27000).astype(np.float32)
    sizes = grids.sum(axis=1)
    figures: list[Figure] = []
    for name, voxelize in (("carving-parity", partial(carved_occupancy, or_odd=True)), ("solid", solid_occupancy)):
        nearest = []
        for path in sorted((folder / "off").rglob("*.off")):
            vertices, faces = read_mesh(path)
            lower, upper = vertices.min(axis=0), vertices.max(axis=0)
            side = float((upper - lower).max())
            own = np.pad(voxelize(vertices, faces, 24, (lower + upper - side) / 2, side), 3).reshape(-1)
            both = grids @ own.astype(np.float32)
            nearest.append(float((both / (sizes + own.sum() - both)).max()))
        high, fair = sum(iou >= 0.95 for iou in nearest), sum(iou >= 0.80 for iou in nearest)
        of_all = f"{high} of {len(nearest)} >= 0.95, {fair} >= 0.80; lowest {min(nearest):.2f}"
        recipe = name == "carving-parity"
        target = "6 and 9" if recipe else "-"
        figures.append(
            (
                f"ModelNet's grids found again, mode {name}{' (chosen on them)' * recipe}",
                of_all,
                target,
                not recipe or (high >= 6 and fair >= 9),
            )
        )
    return figures


def volumes(modes: list[str]) -> list[Figure]:
    """Errors of the volume at 128³, mode by mode; the longest side fills the grid, as the stage has it."""
    shapes = analytic_shapes()
    print(f"{'error of the volume at 128³, %':30}" + "".join(f"{mode:>17}" for mode in modes))
    worst = dict.fromkeys(modes, 0.0)
    same = dict.fromkeys(modes, True)
    for name, (mesh, volume) in shapes.items():
        vertices, faces = np.array(mesh.vertices), np.array(mesh.faces)
        random = np.random.default_rng(0)
        flipped = np.where(random.random((len(faces), 1)) < 0.5, faces, faces[:, ::-1])
        corrupted = random.permutation(np.concatenate([flipped, faces]))
        row = f"{name:30}"
        for mode in modes:
            grid = MODES[mode].occupancy(vertices, faces, 128, (-0.5, -0.5, -0.5), 1.0)
            error = float(grid.mean() / volume - 1) * 100
            if name != WITHOUT_THICKNESS or mode == "parity":  # to the others a sheet is a sheet
                worst[mode] = max(worst[mode], abs(error))
            row += f"{error:17.2f}"
            if mode != "winding":
                other = MODES[mode].occupancy(vertices, corrupted, 128, (-0.5, -0.5, -0.5), 1.0)
                same[mode] &= bool((grid == other).all())
        print(row, flush=True)
    print(
        f"{'as it is, faces corrupted':30}"
        + "".join(f"{'same' if same[mode] else 'other':>17}" for mode in modes)
        + "\n"
    )
    # binvox's walls are half a voxel thicker, so `solid` can't have both its grids and the true volume.
    return [
        (
            f"volumes of analytic shapes at 128³, mode {mode}",
            f"within {worst[mode]:.2f} %",
            "within 1 %",
            worst[mode] < 1,
        )
        for mode in ("solid", "parity")
        if mode in modes
    ]


def analytic_shapes() -> dict[str, tuple[trimesh.Trimesh, float]]:
    """Meshes and the volumes of what they stand for."""
    outline = [(0, -0.5), (0.4, -0.5), (0.4, 0.5), (0.3, 0.5), (0.3, -0.3), (0, -0.3)]
    cylinder = trimesh.creation.cylinder(0.4, 1.0, sections=256)
    open_wall = trimesh.Trimesh(cylinder.vertices, cylinder.faces[cylinder.face_normals[:, 2] < 0.5], process=False)
    return {
        "sphere": (trimesh.creation.icosphere(5, 0.5), 4 / 3 * math.pi * 0.5**3),
        "box": (trimesh.creation.box((1, 0.6, 0.4)), 0.24),
        "torus": (trimesh.creation.torus(0.35, 0.15, 192, 96), 2 * math.pi**2 * 0.35 * 0.15**2),
        "tube with one open end": (trimesh.creation.revolve(outline, sections=256), math.pi * (0.16 - 0.09 * 0.8)),
        WITHOUT_THICKNESS: (open_wall, math.pi * 0.16),
    }


def memory() -> list[Figure]:
    """The peak of a process that reads two million triangles and voxelizes them at 256³."""
    torus = trimesh.creation.torus(0.35, 0.15, 1000, 1000)
    with tempfile.TemporaryDirectory() as folder:
        torus.export(Path(folder, "torus.stl"))
        with Path(folder, "torus.obj").open("w") as file:
            np.savetxt(file, torus.vertices, fmt="v %.6f %.6f %.6f")
            np.savetxt(file, torus.faces + 1, fmt="f %d %d %d")
        figures: list[Figure] = []
        for suffix, mode in (("stl", "solid"), ("obj", "solid"), ("obj", "carving-parity")):
            command = [sys.executable, __file__, "--peak-of", f"{folder}/torus.{suffix}", mode]
            megabytes = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            name = f"peak memory of mode {mode}, 256³, {len(torus.faces)} triangles, .{suffix}"
            figures.append((name, f"{megabytes} MB", "< 2000 MB", megabytes < 2000))
    return figures


def peak_of(path: str, mode: str) -> None:
    """Voxelize a file at 256³ and print this process's peak in megabytes (Linux)."""
    mesh: Mesh = read_mesh(path)
    MODES[mode].occupancy(*mesh, 256, mesh.vertices.min(axis=0), float(np.ptp(mesh.vertices, axis=0).max()))
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) // 1024)


def measure(call: Callable[[], Any]) -> float:
    """The best of some runs in milliseconds of this thread."""
    best = float("inf")
    for _ in range(REPEATS):
        started = time.thread_time()
        call()
        best = min(best, time.thread_time() - started)
    return best * 1000


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak-of"]:
        peak_of(*sys.argv[2:])
    else:
        main()
