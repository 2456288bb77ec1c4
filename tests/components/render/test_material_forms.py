"""Materials and coordinates as people's files have them, from the source folder to the image."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenes import IDENTITY, mean_color, textured_square, write_meshes

from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from components.render import RenderSettings
from components.render.render import render
from shapeyard.contracts.dataset import Dataset
from shapeyard.sources.selection import Selection

RED_PNG = BytesIO()
Image.new("RGB", (4, 4), (200, 10, 10)).save(RED_PNG, "png")
SQUARE = textured_square()["square.obj"].partition("usemtl")[2]
assert isinstance(SQUARE, str)
FORMS: dict[str, tuple[str, str, str]] = {
    "plain": ("mtllib m.mtl\n", "newmtl picture\nKd 1 1 1\nmap_Kd red.png\n", "red.png"),
    "quoted": ("mtllib m.mtl\n", 'newmtl picture\nKd 1 1 1\nmap_Kd "red paint.png"\n', "red paint.png"),
    "tabs": ("mtllib\tm.mtl\n", "newmtl\tpicture\nKd\t1 1 1\nmap_Kd\tred.png\n", "red.png"),
    "short-options": ("mtllib m.mtl\n", "newmtl picture\nmap_Kd -s 2 2 -o 0.5 red.png\n", "red.png"),
    "capitals": ("MTLLIB m.mtl\n", "NEWMTL picture\nKD 1 1 1\nMAP_KD red.png\n", "red.png"),
    "small": ("mtllib m.mtl\n", "newmtl picture\nkd 1 1 1\nmap_kd red.png\n", "red.png"),
    "unix": ("mtllib m.mtl\n", "newmtl picture\nmap_Kd /home/bob/models/red.png\n", "red.png"),
    "windows": ("mtllib C:\\models\\m.mtl\n", "newmtl picture\nmap_Kd C:\\models\\red.png\n", "red.png"),
    "other-folder": ("mtllib m.mtl\n", "newmtl picture\nmap_Kd ../x/red.png\n", "images/Red.PNG"),
    "byte-order-mark": ("\ufeffmtllib m.mtl\n", "\ufeffnewmtl picture\nmap_Kd red.png\n", "red.png"),
    "not-mentioned": ("", "newmtl picture\nmap_Kd red.png\n", "red.png"),
    "missing-others": (
        "mtllib m.mtl\n",
        "newmtl picture\nmap_Kd red.png\nmap_Bump no.png\nmap_d no.png\nmap_Ns no.png\nmap_Ks no.png\n",
        "red.png",
    ),
    "colour-alone": ("mtllib m.mtl\n", "newmtl picture\nKd 0.6 0.01 0.01\nbump no.png\n", "unused.png"),
    "carriage-returns": ("mtllib m.mtl\r", "newmtl picture\rmap_Kd red.png\r", "red.png"),
}


@pytest.fixture(scope="module")
def renders(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """All forms, fetched and rendered as the pipelines do it."""
    import bpy  # noqa: F401 once for all tests, not in a process for each

    folder = tmp_path_factory.mktemp("forms")
    for name, (start, materials, texture) in FORMS.items():
        own = folder / "in" / name / "object"
        (own / texture).parent.mkdir(parents=True)
        (own / texture).write_bytes(RED_PNG.getvalue())
        body = f"{start}usemtl{SQUARE}"
        body = body.replace("\n", "\r") if name == "carriage-returns" else body
        body = body.replace("usemtl", "USEMTL") if name == "capitals" else body
        (own / "m.obj").write_bytes(body.encode())
        (own / "m.mtl").write_bytes(materials.encode())
    (item,) = plan(Selection(str(folder / "in"), shards=1, layout="classes"))
    fetch(item, folder / "meshes", FetchSettings(max_skipped=0.0))
    render(folder / "meshes", folder / "renders", RenderSettings(views=2, image_size=32, samples=1, workers=1))
    return Dataset([folder / "renders"], "renders")


@pytest.mark.parametrize("name", FORMS)
def test_a_material_is_shown_in_its_colour(renders: Dataset, name: str) -> None:
    red, green, blue = mean_color(renders, f"{name}/object-m", 0)
    assert red > 3 * green and red > 3 * blue


@pytest.mark.parametrize("ending", ["obj", "off", "stl", "ply"])
def test_far_from_the_origin_the_same_is_seen(tmp_path: Path, ending: str) -> None:
    import bpy  # noqa: F401
    import trimesh

    steps = trimesh.util.concatenate(
        [trimesh.creation.box((0.5, 0.1, 0.1), trimesh.transformations.translation_matrix((0, y, y))) for y in
         np.linspace(-0.45, 0.45, 7)]
    )  # fmt: skip
    shift = np.array([458231.25, 112.5, 5428817.5])
    lines = {}
    for name, by in (("near", np.zeros(3)), ("far", shift)):
        vertices = steps.vertices + by
        if ending == "obj":
            text = "".join(f"v {x!r} {y!r} {z!r} 0.1\n" for x, y, z in vertices.tolist())
            lines[name] = text + "".join("f {} {} {}\n".format(*(face + 1)) for face in steps.faces)
        elif ending == "off":
            text = "".join(f"{x!r} {y!r} {z!r}\n" for x, y, z in vertices.tolist())
            faces = "".join("3 {} {} {}\n".format(*face) for face in steps.faces)
            lines[name] = f"OFF\n{len(vertices)} {len(steps.faces)} 0\n{text}{faces}"
        elif ending == "ply":
            text = "".join(f"{x!r} {y!r} {z!r}\n" for x, y, z in vertices.tolist())
            faces = "".join("3 {} {} {}\n".format(*face) for face in steps.faces)
            lines[name] = (
                f"ply\nformat ascii 1.0\nelement vertex {len(vertices)}\nproperty double x\nproperty double y\n"
                f"property double z\nelement face {len(steps.faces)}\nproperty list uchar int vertex_indices\n"
                f"end_header\n{text}{faces}"
            )
        else:
            corners = vertices[steps.faces].tolist()
            facets = ("".join(f"vertex {x!r} {y!r} {z!r}\n" for x, y, z in facet) for facet in corners)
            body = "".join(f"facet normal 0 0 1\nouter loop\n{one}endloop\nendfacet\n" for one in facets)
            lines[name] = f"solid s\n{body}endsolid s\n"
    away = IDENTITY.copy()
    away[:3, 3] = -shift
    drawn = []
    for name, canonical_from_file in (("near", IDENTITY), ("far", away)):  # of one id, so from the same cameras
        files = {f"m.{ending}": lines[name]}
        meshes = write_meshes(tmp_path / f"{name}-meshes", {"s/s": (f"m.{ending}", files, canonical_from_file)})
        render(meshes, tmp_path / name, RenderSettings(views=2, image_size=64, samples=1, workers=1))
        drawn.append(Dataset([tmp_path / name], "renders").read("s/s", "depth"))
    near, far = drawn
    both = np.isfinite(near) & np.isfinite(far)
    assert both.sum() > 500 and both.sum() >= 0.99 * np.isfinite(near).sum()
    assert np.quantile(np.abs(near[both] - far[both]), 0.99) < 1e-3
