"""Every function that reads what others made gives an error of ours in one line for a broken file; none goes unseen.

Whole files that our own writers made, mutated at random: bits, numbers, pieces cut, doubled, swapped between formats.
Each reader gets `FILES` files, and more for `SHAPEYARD_FUZZ_SECONDS` where that is set; with `SHAPEYARD_FUZZ_SEED`
other files are made; `SHAPEYARD_FUZZ_KEEP` is a folder for those that were found.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import pkgutil
import random
import resource
import shutil
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

import shapeyard
from shapeyard.boundary import READERS, foreign, reader
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample, read_info, read_samples
from shapeyard.contracts.model import check_model, finish_model, read_config, read_history, start_model
from shapeyard.errors import DatasetError, FormatError, MeshError, ShapeyardError
from shapeyard.evaluation.output import read_evaluation, write_evaluation
from shapeyard.evaluation.table import EvaluationTable, Measurement
from shapeyard.formats.binvox import read_binvox, write_binvox
from shapeyard.formats.camera_file import read_camera_file
from shapeyard.formats.confined import confine_mesh
from shapeyard.formats.image_files import pixels_of_image, read_image
from shapeyard.formats.mesh import parse_mesh, read_mesh
from shapeyard.formats.npz_arrays import read_npz
from shapeyard.formats.photographs import read_photograph
from shapeyard.formats.point_clouds import read_points
from shapeyard.formats.recgan_pairs import PairFiles, read_recgan_pair
from shapeyard.formats.references import referenced_files
from shapeyard.formats.shapenet_rendering import read_renderings, write_renderings
from shapeyard.formats.things import read_parts
from shapeyard.geometry.cameras import cameras_for
from shapeyard.harvest.target import Target
from shapeyard.inference.weights import load_network
from shapeyard.networks.deepsdf import DeepSDF
from shapeyard.sources.furniture import FurnitureSource
from shapeyard.sources.npz import NpzSource
from shapeyard.sources.provenance import _read_rows
from shapeyard.training.checkpoints import CheckpointFile

SECONDS = float(os.environ.get("SHAPEYARD_FUZZ_SECONDS", "0"))
FILES = 60
SEED = int(os.environ.get("SHAPEYARD_FUZZ_SEED", "0"))
MORE_MEMORY = 1 << 30
"""Bytes that a reader may take beyond what the process has."""
LONGEST_S = 10
CASES = Path(__file__).parent / "cases" / "hostile"
ELSEWHERE = {
    "shapeyard.inference.classifier.load_classifier": "Keras reads it; tests/shapeyard/inference/test_classify.py",
    "shapeyard.inference.implicit_models.load_decoder": "beside `load_network`",
}
"""Readers that are not tried here, and why."""
PARSERS = {
    "np.load", "h5py.File", "Image.open", "zipfile.ZipFile", "load_file", "safe_open", "keras.saving.load_model",
}  # fmt: skip
OWN_FILES = {"components/report/report.py"}
"""Modules that call a parser on nothing but what the same run wrote."""


def write_meshes(folder: Path) -> None:
    box = trimesh.creation.box()
    for suffix in ("obj", "stl", "off", "ply", "glb"):
        box.export(folder / f"mesh.{suffix}")
    for name, content in box.export(file_type="gltf").items():
        (folder / name.replace("model", "mesh")).write_bytes(content)
    (folder / "mesh.mtl").write_text("newmtl a\nKd 1 0 0\nmap_Kd -s 1 1 1 a.png\n")
    Image.new("RGB", (4, 4), (255, 0, 0)).save(folder / "a.png")
    (folder / "mesh.obj").write_text("mtllib mesh.mtl\nusemtl a\n" + (folder / "mesh.obj").read_text())
    (folder / "curve.obj").write_text(
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\ncstype bspline\ndeg 3\ncurv 0 1 1 2 3\nf 1/1 2 3\n"
    )
    (folder / "colored.ply").write_bytes(next(CASES.glob("*.ply")).read_bytes())
    with zipfile.ZipFile(folder / "thing.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "mesh.stl", "a/mesh.stl")
        archive.writestr("__MACOSX/._mesh.stl", b"x")


def write_images(folder: Path) -> None:
    pixels = np.full((16, 16, 4), (255, 255, 255, 0), np.uint8)
    pixels[4:12, 4:12] = (200, 30, 30, 255)
    picture = Image.fromarray(pixels)
    for name in ("png", "webp", "tiff", "gif"):
        picture.save(folder / f"photo.{name}")
    for name in ("jpg", "bmp"):
        Image.alpha_composite(Image.new("RGBA", (16, 16), "white"), picture).convert("RGB").save(
            folder / f"photo.{name}"
        )


def write_arrays(folder: Path) -> None:
    grid = np.zeros((2, 8, 8, 8), np.uint8)
    grid[:, 2:6, 2:6, 2:6] = 1
    labels = np.array([0, 1])
    np.savez_compressed(folder / "set.npz", X_train=grid, y_train=labels, X_test=grid, y_test=labels)
    np.savez_compressed(folder / "pair.npz", grid[0])
    np.savez(folder / "points.npz", points=np.eye(3), normals=np.eye(3))
    (folder / "points.xyz").write_text("0 0 0 1 0 0\n0 1 0 1 0 0\n")
    (folder / "points.ply").write_text(
        "ply\nformat ascii 1.0\nelement vertex 2\n"
        + "".join(f"property float {name}\n" for name in ("x", "y", "z", "nx", "ny", "nz"))
        + "end_header\n0 0 0 1 0 0\n0 1 0 1 0 0\n"
    )
    write_binvox(folder / "grid.binvox", grid[0] > 0, (0, 0, 0), 1.0)


def write_artifacts(folder: Path) -> None:
    sample = Sample("cup/a", "cup", "train", "s3://b/a")
    with DatasetWriter(folder / "voxels", "voxels", "voxelize", {}) as writer:
        writer.add(sample, {"occupancy": np.zeros(8, np.uint8)}, {"resolution": 4})
    (folder / "files").mkdir()
    shutil.copy(folder / "mesh.stl", folder / "files" / "mesh.stl")
    with DatasetWriter(folder / "meshes", "meshes", "fetch", {}) as writer:
        writer.add_files(replace(sample), folder / "files", "mesh.stl")
    sizes = {"code_length": 4, "width": 16}
    model = start_model(folder / "model", {"network": "deepsdf", **sizes})
    from safetensors.numpy import save_file
    from safetensors.torch import save_file as save_torch

    save_torch(dict(DeepSDF(**sizes).state_dict()), model / "model.safetensors")
    finish_model(model, [{"step": 1, "loss": 0.5}], {"rmse": 0.1}, [sample])
    save_file({"a": np.zeros(4)}, folder / "state.safetensors", {"state": '{"step": 1}'})
    table = EvaluationTable([Measurement("cup/a", "cup", 0, "mean", "iou", 0.5)])
    write_evaluation(folder / "evaluation", "evaluate", table, {"iou": 0.5})
    rendering = folder / "rendering"
    cameras = cameras_for("cup/a", "orbit", 2, elevation_degrees=30.0, distance=2.1, diagonal=1.0, seed=0)
    write_renderings(rendering, np.full((2, 8, 8, 4), 255, np.uint8), cameras, 1.0)


def write_texts(folder: Path) -> None:
    camera = [[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2.1], [0, 0, 0, 1]]
    (folder / "cameras.json").write_text(json.dumps({"world_from_camera": [camera], "fov_degrees": 40}))
    row = {"id": "cup/a", "class": "cup", "files": [], "license": "CC0-1.0", "creator": "Ann"}
    (folder / "harvest").mkdir()
    for target in (folder, folder / "harvest"):
        (target / "samples.jsonl").write_text(json.dumps(row) + "\n")
    with zipfile.ZipFile(folder / "pieces.sh3f", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("PluginFurnitureCatalog.properties", (
            "id#1=a\nname#1=Cup\nmodel#1=/cup/cup.obj\nwidth#1=1\nheight#1=1\ndepth#1=1\ncategory#1=Kitchen\n"
        ))  # fmt: skip
        archive.write(folder / "mesh.obj", "cup/cup.obj")


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds")
    for write in (write_meshes, write_images, write_arrays, write_texts, write_artifacts):
        write(folder)
    return folder


def dataset(kind: Any, use: Callable[[Dataset], object]) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        opened = Dataset([path], kind)
        try:
            return use(opened)
        finally:
            opened.close()

    return read


def furniture(path: Path) -> object:
    source = FurnitureSource(str(path))
    for number, file in enumerate(source.list_files()):
        source.download(file, path.with_name(f"piece-{number}"))
    return source


def grids(path: Path) -> object:
    source = NpzSource(str(path))
    files = source.list_files()
    for number, file in enumerate(files[:3]):
        source.download(file, path.with_name(f"grid-{number}"))
    return files


MESHES = ("mesh.obj", "curve.obj", "mesh.stl", "mesh.off", "mesh.ply", "colored.ply", "mesh.glb", "mesh.gltf")
PHOTOS = ("photo.png", "photo.jpg", "photo.webp", "photo.bmp", "photo.tiff", "photo.gif")
F = "shapeyard.formats"
TRIED: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    f"{F}.mesh.read_mesh": (lambda path: read_mesh(path, 10_000), MESHES),
    f"{F}.mesh.parse_mesh": (lambda path: parse_mesh(path.read_bytes(), path, 10_000), MESHES),
    f"{F}.things.read_parts": (lambda path: read_parts(path, 10_000), ("thing.zip", "mesh.obj")),
    f"{F}.references.referenced_files": (referenced_files, ("mesh.obj", "mesh.mtl", "mesh.gltf")),
    f"{F}.confined.confine_mesh": (lambda path: confine_mesh(path, path.parent), MESHES),
    f"{F}.binvox.read_binvox": (read_binvox, ("grid.binvox",)),
    f"{F}.image_files.read_image": (read_image, PHOTOS),
    f"{F}.image_files.pixels_of_image": (pixels_of_image, PHOTOS),
    f"{F}.photographs.read_photograph": (read_photograph, PHOTOS),
    f"{F}.npz_arrays.read_npz": (read_npz, ("set.npz", "pair.npz", "points.npz")),
    f"{F}.point_clouds.read_points": (read_points, ("points.npz", "points.xyz", "points.ply")),
    f"{F}.recgan_pairs.read_recgan_pair": (
        lambda path: read_recgan_pair(PairFiles("cup", "train", "a", "0", path, path)), ("pair.npz",),
    ),
    f"{F}.shapenet_rendering.read_renderings": (read_renderings, ("rendering",)),
    f"{F}.camera_file.read_camera_file": (lambda path: read_camera_file(str(path)), ("cameras.json",)),
    "shapeyard.sources.npz.NpzSource.__init__": (lambda path: NpzSource(str(path)), ("set.npz",)),
    "shapeyard.sources.npz.NpzSource.download": (grids, ("set.npz",)),
    "shapeyard.sources.furniture._opened": (lambda path: FurnitureSource(str(path)).list_files(), ("pieces.sh3f",)),
    "shapeyard.sources.furniture._read_pieces": (
        lambda path: FurnitureSource(str(path)).list_files(), ("pieces.sh3f",),
    ),
    "shapeyard.sources.furniture.FurnitureSource.download": (furniture, ("pieces.sh3f",)),
    "shapeyard.sources.provenance._read_rows": (_read_rows, ("samples.jsonl",)),
    "shapeyard.harvest.target.Target.read_samples": (
        lambda path: Target(str(path), path.parent).read_samples(), ("harvest",),
    ),
    "shapeyard.contracts.dataset.read_info": (lambda path: read_info(path, content=True), ("voxels", "meshes")),
    "shapeyard.contracts.dataset.read_samples": (read_samples, ("voxels", "meshes")),
    "shapeyard.contracts.dataset.Dataset.__init__": (dataset("voxels", lambda d: d.samples), ("voxels",)),
    "shapeyard.contracts.dataset.Dataset.read": (
        dataset("voxels", lambda d: d.read("cup/a", "occupancy")), ("voxels",),
    ),
    "shapeyard.contracts.dataset.Dataset.shape": (
        dataset("voxels", lambda d: d.shape("cup/a", "occupancy")), ("voxels",),
    ),
    "shapeyard.contracts.dataset.Dataset.has": (dataset("voxels", lambda d: d.has("cup/a", "occupancy")), ("voxels",)),
    "shapeyard.contracts.dataset.Dataset.extract": (
        dataset("meshes", lambda d: d.extract("cup/a", d.paths[0].parent / "out")), ("meshes",),
    ),
    "shapeyard.contracts.model.check_model": (check_model, ("model",)),
    "shapeyard.contracts.model.read_history": (read_history, ("model",)),
    "shapeyard.contracts.model._read": (read_config, ("model",)),
    "shapeyard.inference.weights.load_network": (lambda path: load_network(path, DeepSDF), ("model",)),
    "shapeyard.evaluation.output.read_evaluation": (read_evaluation, ("evaluation",)),
    "shapeyard.training.checkpoints.CheckpointFile._load": (
        lambda path: CheckpointFile(str(path.parent), path.stem).read(), ("state.safetensors",),
    ),
}  # fmt: skip
"""Reader → how it is called with a path, and the whole files or folders that are broken for it."""


def test_no_reader_is_left_out() -> None:
    """Whoever adds one says here how it is tried."""
    for module in pkgutil.walk_packages(shapeyard.__path__, "shapeyard."):
        if not module.name.startswith("shapeyard.networks"):
            importlib.import_module(module.name)
    ours = {name for name in READERS if name.startswith("shapeyard.")}
    assert ours == TRIED.keys() | ELSEWHERE.keys()


def test_whoever_calls_a_parser_has_a_reader() -> None:
    root = Path(__file__).parents[1]
    for folder in ("shapeyard", "components", "pipelines", "launch"):
        for path in sorted((root / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)}
            if calls & PARSERS and str(path.relative_to(root)) not in OWN_FILES:
                assert "from shapeyard.boundary import" in text, f"{path}: {calls & PARSERS} without a reader"


@pytest.fixture(scope="module")
def bounded_memory() -> Iterator[None]:
    """What asks for more is refused it."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MORE_MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


NUMBERS = (b"0", b"-1", b"1e999", b"nan", b"4294967295", b"99999999999999999999", b"1000000000", b"\x00", b"\xff",
           b"\n", b"[" * 3000, b"../", b"/etc/passwd", "\u2028".encode(), b"\\", b'"', b"{}", b"null")  # fmt: skip


def mutated(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """The content with a few things broken."""
    made = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(made) + 1)
        match rng.randrange(8):
            case 0 if made:
                made[min(at, len(made) - 1)] ^= 1 << rng.randrange(8)
            case 1:
                del made[at : at + rng.choice((1, 2, 8, 64))]
            case 2:
                made[at:at] = rng.choice(NUMBERS)
            case 3:
                made[at : at + 4] = rng.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80"))
            case 4:
                made[at:at] = made[at : at + rng.choice((4, 32, 256))]
            case 5:
                del made[at:]
            case 6:
                other = rng.choice(others)
                start = rng.randrange(len(other) + 1)
                made[at : at + 16] = other[start : start + 16]
            case _:
                digits = [place for place, one in enumerate(made) if 48 <= one <= 57]
                if digits:
                    place = rng.choice(digits)
                    made[place : place + 1] = rng.choice(NUMBERS)
    return bytes(made)


def broken_copy(seed: Path, folder: Path, rng: random.Random, others: list[bytes]) -> Path:
    """A copy of a file, or of a folder with one of its files, broken; what lies beside a file lies beside the copy."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    copy = folder / seed.name
    if seed.is_dir():
        shutil.copytree(seed, copy)
        victim = rng.choice(sorted(path for path in copy.rglob("*") if path.is_file()))
        victim.write_bytes(mutated(victim.read_bytes(), rng, others))
        if rng.random() < 0.8:
            seal_again(copy)
    else:
        copy.write_bytes(mutated(seed.read_bytes(), rng, others))
        for beside in seed.parent.glob("*"):
            if seed.suffix == ".gltf" and beside.suffix == ".bin":
                shutil.copy(beside, folder)
    return copy


def seal_again(folder: Path) -> None:
    """Let sizes and hashes be those of the broken files, as somebody does who means it."""
    from shapeyard.contracts.files import describe_file

    for name in ("dataset.json", "metrics.json"):
        try:
            info = json.loads((folder / name).read_text())
            info["files"] = {file: describe_file(folder / file) for file in info["files"]}
            (folder / name).write_text(json.dumps(info))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue


@pytest.mark.parametrize("name", TRIED)
def test_a_broken_file_gives_one_line(name: str, seeds: Path, tmp_path: Path, bounded_memory: None) -> None:
    read, names = TRIED[name]
    others = [path.read_bytes() for path in sorted(seeds.glob("*.*")) if path.is_file()]
    for seed in names:
        shutil.rmtree(tmp_path / "whole", ignore_errors=True)
        (tmp_path / "whole").mkdir()
        shutil.copytree(seeds, tmp_path / "whole", dirs_exist_ok=True)
        read(tmp_path / "whole" / seed)  # as it was written it is read
    rng = random.Random(f"{name} {SEED}")
    begun, tried = time.monotonic(), 0
    while time.monotonic() - begun < SECONDS or tried < FILES:
        path = broken_copy(seeds / names[tried % len(names)], tmp_path / "broken", rng, others)
        tried += 1
        started = time.process_time()  # of this process: others may take its processor
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read(path)
        except ShapeyardError as error:
            assert "\n" not in str(error) and len(str(error)) < 6000, str(error)[:1000]
        except BaseException as error:
            kept = Path(os.environ.get("SHAPEYARD_FUZZ_KEEP", tmp_path / "kept"))
            kept.mkdir(parents=True, exist_ok=True)
            shutil.move(path, kept / f"{name.rpartition('.')[2]}-{tried}-{path.name}")
            raise AssertionError(f"{name}: {error!r}; the file is in {kept}") from error
        assert time.process_time() - started < LONGEST_S, path


def test_what_leaves_a_boundary(tmp_path: Path) -> None:
    @reader(MeshError)
    def read(path: Path, fault: BaseException) -> None:
        raise fault

    READERS.pop(f"{read.__module__}.{read.__qualname__}")
    for fault, said in (
        (IndexError("of\nrange"), "IndexError: of range"), (MemoryError(), "it asks for more memory than there is"),
        (RecursionError(), "it is nested too deeply"), (FileNotFoundError(2, "No such file"), "No such file"),
    ):  # fmt: skip
        with pytest.raises(MeshError, match=f"^a.obj: not readable: {said}$"):
            read(Path("a.obj"), fault)
        with pytest.raises(DatasetError, match=f"^here: not readable: {said}$"), foreign("here", DatasetError):
            raise fault
    with pytest.raises(FormatError, match=r"^ours$"):
        read(Path("a.obj"), FormatError("ours"))
    with pytest.raises(KeyboardInterrupt):
        read(Path("a.obj"), fault=KeyboardInterrupt())
