"""The original binvox (Patrick Min, https://www.patrickmin.com/binvox), where it is installed.

It draws with OpenGL: off screen (-pb), and where there is no display, in a virtual one (xvfb-run, if it is there).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.voxelize.modes import Mode
from shapeyard.errors import MeshError, ParameterError
from shapeyard.formats.binvox import read_binvox

TIMEOUT_S = 300.0
MESSAGE_LENGTH = 200


def find_binvox() -> str:
    """The path of the program.

    Raises:
        ParameterError: if there is none on the PATH.
    """
    program = shutil.which("binvox")
    if program is None:
        raise ParameterError(
            "engine: expected a program binvox on the PATH, found none (https://www.patrickmin.com/binvox)"
        )
    return program


def run_binvox(
    program: str, vertices: NDArray[np.float64], faces: NDArray[np.int64], resolution: int, mode: Mode
) -> NDArray[np.bool_]:
    """Voxelize a mesh that lies in the canonical cube.

    Args:
        program: binvox's path.
        vertices: (N,3), canonical.
        faces: (M,3) vertex indices.
        resolution: D, voxels along the cube's side.
        mode: one that binvox has.

    Returns:
        (D,D,D) bool, index order x, y, z; the cube is [−½, ½]³.

    Raises:
        MeshError: if binvox fails, takes too long, or writes another grid than was asked for.
    """
    size = resolution * (2 if mode.downsampled else 1)
    cube = ["-bb", "-0.5", "-0.5", "-0.5", "0.5", "0.5", "0.5"]
    options = ["-d", str(size), *(mode.binvox or ()), *cube, *([] if "-e" in (mode.binvox or ()) else ["-pb"])]
    screen = shutil.which("xvfb-run") if not os.environ.get("DISPLAY") else None
    with tempfile.TemporaryDirectory(prefix="shapeyard-binvox-") as folder:
        _write_off(Path(folder, "mesh.off"), vertices, faces)
        command = [*([screen, "-a"] if screen else []), program, *options, "mesh.off"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise MeshError(f"binvox took more than {TIMEOUT_S:g} s") from error
        path = Path(folder, "mesh.binvox")
        if done.returncode or not path.is_file():
            said = " ".join((done.stderr or done.stdout).split())[-MESSAGE_LENGTH:]
            raise MeshError(
                f"binvox ended with code {done.returncode} and {'a' if path.is_file() else 'no'} grid: {said}"
            )
        occupancy = read_binvox(path).occupancy
    if occupancy.shape[0] != resolution:
        raise MeshError(f"expected {resolution}³ voxels of binvox, got {occupancy.shape[0]}³")
    return occupancy


def _write_off(path: Path, vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> None:
    with path.open("w", encoding="ascii") as file:
        file.write(f"OFF\n{len(vertices)} {len(faces)} 0\n")
        np.savetxt(file, vertices, fmt="%.17g")
        np.savetxt(file, np.insert(faces, 0, 3, axis=1), fmt="%d")
