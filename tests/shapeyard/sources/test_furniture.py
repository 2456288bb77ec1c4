import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import trimesh

from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from shapeyard.contracts.dataset import Dataset
from shapeyard.errors import FormatError, SourceError
from shapeyard.sources.furniture import INSTALLED, FurnitureSource, class_of, sh3f_files
from shapeyard.sources.schemes import open_source
from shapeyard.sources.selection import Selection

OBJ = b"mtllib red.mtl\nv 0 0 0\nv 1 0 0\nv 1 0 1\nv 0 2 0\nvn 0 0 1\nusemtl red\nf 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 4\n"
MTL = b"newmtl red\nKd 1 0 0\nmap_Kd red.png\n"
CATALOG = """# made for a test
license=Creative Commons Attribution 3.0 license
id#1=Some#old_chair
name#1=Old chair
tags#1=Seat, H\\u00f4tel
category#1=Living room
model#1=/some/chair/chair.obj
icon#1=/some/chair.png
width#1=40
depth#1=80
height#1=120
creator#1=J\xf6
multiPartModel#1=true
name#2=Thing
category#2=Bits \\
  and pieces
model#2=/thing.obj
modelRotation#2=1 0 0 0 0 1 0 -1 0
width#2=10
depth#2=20
height#2=5
"""
ENTRIES = {
    "some/chair.png": b"icon", "some/chair/chair.obj": OBJ, "some/chair/red.mtl": MTL, "some/chair/red.png": b"red",
    "some/chair/other.txt": b"x", "thing.obj": OBJ, "thing.mtl": MTL, "LICENSE.TXT": b"see\nhttp://creativecommons.org/choose/zero/",
}  # fmt: skip


def sh3f(path: Path, entries: Mapping[str, bytes] = ENTRIES, catalog: str | None = CATALOG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        if catalog is not None:
            archive.writestr("PluginFurnitureCatalog.properties", catalog.encode("latin-1"))
    return path


def fetched(source: str, output: Path, **selection: object) -> Dataset:
    (item,) = plan(Selection(source, shards=1, **selection))  # type: ignore[arg-type]
    fetch(item, output, FetchSettings(max_skipped=0.9))
    return Dataset([output], "meshes")


def test_listing_of_an_archive(tmp_path: Path) -> None:
    source = open_source(str(sh3f(tmp_path / "My set.sh3f")))
    files = {file.key: file for file in source.list_files()}
    chair, thing = "chair/my-set-old-chair/models/", "bits_and_pieces/my-set-thing/models/"
    assert list(files) == [
        f"{thing}model_normalized.obj", f"{thing}thing.mtl", f"{chair}model_normalized.obj", f"{chair}red.mtl",
        f"{chair}red.png", "samples.jsonl",
    ]  # fmt: skip
    source.download(files["samples.jsonl"], tmp_path / "out" / "rows")
    rows = [json.loads(line) for line in (tmp_path / "out" / "rows").read_text(encoding="utf-8").splitlines()]
    assert rows[0] == {
        "id": "chair/my-set-old-chair", "license": "CC0-1.0", "creator": "Jö", "title": "Old chair",
        "tags": ["Seat", "Hôtel"], "category": "Living room", "size_cm": [40, 120, 80],
        "file": "My set.sh3f/some/chair/chair.obj",
    }  # fmt: skip
    assert [file.etag for file in open_source(str(tmp_path)).list_files()] == [file.etag for file in files.values()]


def test_pieces_have_their_true_size_their_front_and_their_materials(tmp_path: Path) -> None:
    data = fetched(f"furniture://{sh3f(tmp_path / 'a.sh3f').parent}", tmp_path / "out")
    assert [(one.id, one.license, one.creator) for one in data.samples] == [
        ("bits_and_pieces/a-thing", "CC0-1.0", ""), ("chair/a-old-chair", "CC0-1.0", "Jö"),
    ]  # fmt: skip
    assert data["chair/a-old-chair"].source.endswith(f"{tmp_path}/chair/a-old-chair/models/model_normalized.obj")
    path = data.extract("chair/a-old-chair", tmp_path / "chair")
    assert sorted(file.name for file in path.parent.iterdir()) == ["model_normalized.obj", "red.mtl", "red.png"]
    mesh = trimesh.load_mesh(path, process=False)
    assert np.allclose(mesh.bounds, [[-0.2, 0, -0.4], [0.2, 1.2, 0.4]])
    assert np.allclose(mesh.vertices[0], [0.2, 0, 0.4]), "turned about y: the catalogue has the front at +z"
    turned = trimesh.load_mesh(data.extract("bits_and_pieces/a-thing", tmp_path / "thing"), process=False)
    assert np.allclose(turned.extents, [0.1, 0.05, 0.2])
    scale = np.linalg.norm(np.array(data["chair/a-old-chair"].canonical_from_file)[0, :3])
    assert scale == pytest.approx(1 / 1.2)


@pytest.mark.parametrize(
    ("own", "of_all", "declared", "expected"),
    [("creativecommons.org/licenses/by/4.0", "choose/zero", "", "CC-BY-4.0"),
     ("creativecommons.org/publicdomain/zero", "licenses/by/3.0/us", "", "CC-BY-3.0-US"),
     ("?", "choose/zero", "", "CC0-1.0"),
     ("?", "?", "Creative Commons Attribution 3.0 license", "CC-BY-3.0"), ("MIT", "?", "?", "MIT"),
     ("?", "?", "?", "unknown")],
)  # fmt: skip
def test_an_authors_text_may_ask_for_more_and_not_for_less(
    tmp_path: Path, own: str, of_all: str, declared: str, expected: str
) -> None:
    texts = {
        "LICENSE.TXT": f"http://creativecommons.org/{of_all}/".encode(),
        "some/chair/7 - License.html": own.encode(),
    }
    catalog = CATALOG.replace("Creative Commons Attribution 3.0 license", declared)
    source = FurnitureSource(str(sh3f(tmp_path / "a.sh3f", {**ENTRIES, **texts}, catalog)))
    source.list_files()
    assert next(piece.license for piece, _ in source._pieces.values() if piece.title == "Old chair") == expected


@pytest.mark.parametrize(
    ("catalog", "entries", "message"),
    [(CATALOG.replace("width#1=40", "width#1=0"), ENTRIES, "expected width, height and depth above 0"),
     (CATALOG.replace("width#1=40", "width#1=wide"), ENTRIES, "expected width, height and depth above 0"),
     (CATALOG.replace("modelRotation#2=1", "modelRotation#1=2"), ENTRIES, "expected modelRotation to be a rotation"),
     (CATALOG.replace("modelRotation#2=1 0", "modelRotation#1=0"), ENTRIES, "expected modelRotation to be a rotation"),
     (CATALOG.replace("chair/chair.obj", "chair/chair.3ds"), ENTRIES, "some/chair/chair.3ds: "),
     (CATALOG.replace("chair/chair.obj", "chair/red.mtl"), ENTRIES, "expected an OBJ model"),
     (CATALOG, {**ENTRIES, "some/chair/chair.obj": b"v 0 0 0\n"}, "expected faces, got none")],
)  # fmt: skip
def test_a_piece_that_cannot_be_used_is_skipped_with_its_reason(
    tmp_path: Path, catalog: str, entries: dict[str, bytes], message: str
) -> None:
    data = fetched(str(sh3f(tmp_path / "a.sh3f", entries, catalog)), tmp_path / "out")
    assert [one.id for one in data.samples] == ["bits_and_pieces/a-thing"]
    (skipped,) = data.skipped
    assert skipped.id == "chair/a-old-chair" and message in skipped.reason


def test_an_encrypted_member_and_one_whose_name_leads_out(tmp_path: Path) -> None:
    entries = {**ENTRIES, "some/chair/../../../out.png": b"x"}
    path = sh3f(tmp_path / "a.sh3f", entries)
    assert len(fetched(str(path), tmp_path / "one").samples) == 2, "nothing refers to it"
    content = bytearray(path.read_bytes())
    for start in (content.index(b"PK\x03\x04") + 6, content.index(b"PK\x01\x02") + 8):
        content[start] |= 1  # the icon
    mark = content.index(b"some/chair/chair.obj") - 30
    content[mark + 6] |= 1
    mark = content.index(b"some/chair/chair.obj", content.index(b"PK\x01\x02")) - 46
    content[mark + 8] |= 1
    path.write_bytes(content)
    (skipped,) = fetched(str(path), tmp_path / "two").skipped
    assert "chair.obj: expected a readable member of a.sh3f: " in skipped.reason and "encrypted" in skipped.reason


def test_what_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"expected \.sh3f files at .*none\.sh3f, found none$"):
        open_source(str(tmp_path / "none.sh3f"))
    with pytest.raises(SourceError, match=r"^source furniture:///none: expected \.sh3f files at /none, found none$"):
        open_source("furniture:///none")
    (tmp_path / "a.sh3f").write_text("no ZIP")
    with pytest.raises(SourceError, match=r"a\.sh3f: expected an \.sh3f file, which is a ZIP: "):
        open_source(str(tmp_path)).list_files()
    for catalog in (None, "", "model=/a.obj\nname#1=A\n", "model#1=\\u00zz"):
        with pytest.raises(SourceError, match=r"a\.sh3f: expected "):
            open_source(str(sh3f(tmp_path / "a.sh3f", {}, catalog))).list_files()


def test_two_pieces_of_one_name_are_two(tmp_path: Path) -> None:
    double = CATALOG.replace("name#2=Thing", "name#2=Thing chair\nid#2=Other#old_chair")
    source = open_source(str(sh3f(tmp_path / "a.sh3f", catalog=double)))
    assert {file.key.split("/")[1] for file in source.list_files()[:-1]} == {"a-old-chair", "a-old-chair-2"}


@pytest.mark.parametrize(
    ("title", "tags", "category", "expected"),
    [("Bar chair", [], "Kitchen", "chair"), ("Desk lamp", [], "Office", "lamp"), ("Desk", ["Table"], "Office", "desk"),
     ("Wheelchair", [], "Miscellaneous", "miscellaneous"), ("Table tennis", ["Sport"], "Sport & game", "sport_game"),
     ("Pedestal vase lamp", [], "Lights", "lamp"), ("TV stand", ["Cabinet"], "Living room", "cabinet"),
     ("Ficus", ["Tree", "Plant"], "Exterior", "plant"), ("Futon", ["Bed", "Couch"], "Bedroom", "sofa"),
     ("Hammock", ["Bed"], "", "unsorted"), ("Plate, glass and cutlery", ["Fork"], "Kitchen", "kitchen")],
)  # fmt: skip
def test_classes(title: str, tags: list[str], category: str, expected: str) -> None:
    assert class_of(title, tags, category) == expected


def test_how_to_install_the_package() -> None:
    if sh3f_files(INSTALLED):
        assert len(FurnitureSource("furniture://").archives) >= 1
    else:
        with pytest.raises(SourceError, match=r"found none; on Debian: apt-get install sweethome3d-furniture$"):
            open_source("furniture://")


def test_the_installed_furniture(tmp_path: Path) -> None:
    if not sh3f_files(INSTALLED):
        pytest.skip("no furniture (Debian: apt-get install sweethome3d-furniture)")
    source = FurnitureSource("furniture://")
    source.list_files()
    pieces = {piece.id: piece for piece, _ in source._pieces.values()}
    assert len(pieces) >= 820 and not any(piece.license == "unknown" or not piece.creator for piece in pieces.values())
    data = fetched("furniture://", tmp_path / "out", classes="chair,lamp", max_per_class=2, licenses="cc0,cc-by")
    assert len(data.samples) == 4 and not data.skipped
    for sample in data.samples:
        mesh = trimesh.load_mesh(data.extract(sample.id, tmp_path / sample.id), process=True)
        assert np.allclose(mesh.extents, np.array(pieces[sample.id].size) / 100, rtol=1e-5), sample.id
        assert mesh.bounds[0][1] == pytest.approx(0, abs=1e-6)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    path = sh3f(tmp_path / "a.sh3f")
    source = open_source(str(path))
    files = source.list_files()
    sh3f(path, {})
    with pytest.raises(FormatError, match="expected a readable member"):
        source.download(files[0], tmp_path / "x")
