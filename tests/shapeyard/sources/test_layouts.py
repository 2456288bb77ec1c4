import pytest

from shapeyard.errors import SourceError
from shapeyard.sources.layouts import detect_layout, group_objects
from shapeyard.sources.source import SourceFile
from shapeyard.sources.thingiverse import CATEGORIES, CLASS_OF_CATEGORY


def files(*keys: str) -> list[SourceFile]:
    return [SourceFile(key, 1, "t") for key in keys]


def test_shapenet() -> None:
    found = files(
        "03001627/abc/images/texture0.jpg", "03001627/abc/models/model_normalized.mtl",
        "03001627/abc/models/model_normalized.obj", "03001627/abc/models/model_normalized.solid.binvox",
        "bench/def/models/model_normalized.obj",
    )  # fmt: skip
    assert detect_layout(found) == "shapenet"
    bench, chair = group_objects(found, "shapenet")
    assert (bench.id, chair.id) == ("bench/def", "chair/abc")
    assert chair.up_axis == "y"
    assert len(chair.own_files) == 4


def test_modelnet() -> None:
    found = files("bathtub/train/bathtub_0001.off", "bathtub/test/bathtub_0107.OFF", "README.txt")
    assert detect_layout(found) == "modelnet"
    train, test = group_objects(found, "modelnet")
    assert (test.id, test.source_split, test.up_axis) == ("bathtub/bathtub_0107", "test", "z")
    assert train.source_split == "train"


def test_r2n2() -> None:
    found = files(
        "ShapeNetRendering/03001627/abc/rendering/00.png", "ShapeNetRendering/03001627/abc/rendering/renderings.txt",
        "ShapeNetRendering/03001627/abc/rendering/rendering_metadata.txt",
        "ShapeNetRendering/03001627/def/rendering/rendering_metadata.txt",
        "ShapeNetRendering/03001627/no-metadata/rendering/00.png",
        "ShapeNetVox32/03001627/abc/model.binvox", "ShapeNetVox32/03001627/no-images/model.binvox",
    )  # fmt: skip
    assert detect_layout(found) == "r2n2"
    both, images = group_objects(found, "r2n2")
    assert (both.id, both.main.key, both.up_axis) == ("chair/abc", "ShapeNetVox32/03001627/abc/model.binvox", "y")
    assert len(both.own_files) == 4
    assert len(both.images) == 3
    assert (images.id, images.main.key.rpartition("/")[2]) == ("chair/def", "rendering_metadata.txt")


def test_one_folder_a_class() -> None:
    found = files("keycap/a.stl", "keycap/b.STL", "cup/x/y.obj", "cup/x/y.mtl", "loose.ply", "keycap/notes.txt")
    assert detect_layout(found) == "classes"
    objects = {o.id: o for o in group_objects(found, "classes")}
    assert set(objects) == {"keycap/a", "keycap/b", "cup/x-y", "unsorted/loose"}
    assert objects["keycap/b"].up_axis == "z"
    assert objects["cup/x-y"].up_axis == "y"
    assert {f.key for f in objects["cup/x-y"].own_files} == {"cup/x/y.obj", "cup/x/y.mtl"}


def test_what_meshes_share_belongs_to_each_of_them() -> None:
    found = files("cup/a.obj", "cup/a.mtl", "cup/b.obj", "cup/textures/wood.png", "bed/c.obj", "all.mtl")
    own = {o.id: {f.key for f in o.own_files} for o in group_objects(found, "classes")}
    assert own["cup/a"] == {"cup/a.obj", "cup/a.mtl", "cup/textures/wood.png"}
    assert own["cup/b"] == {"cup/b.obj", "cup/textures/wood.png"}
    assert own["bed/c"] == {"bed/c.obj"}


def test_the_same_name_with_two_endings_makes_two_objects() -> None:
    objects = group_objects(files("cup/a.obj", "cup/a.stl"), "classes")
    assert len({o.id for o in objects}) == 2


def test_no_meshes() -> None:
    with pytest.raises(SourceError, match="expected meshes"):
        detect_layout(files("a.txt", "b/c.png"))


def test_two_objects_of_one_id() -> None:
    with pytest.raises(SourceError, match="expected ids that differ"):
        group_objects(files("bed/train/bed_1.off", "bed/test/bed_1.off"), "modelnet")


def test_things() -> None:
    found = files(
        "82/wrist/a.STL", "82/wrist/sub/b.stl", "82/wrist/photo.png", "82/band.zip", "toys__dice/d6.stl",
        "toys__dice/d8.obj",
        "loose.zip",
    )  # fmt: skip
    assert detect_layout(found) == "things"
    objects = {o.id: o for o in group_objects(found, "things")}
    assert set(objects) == {
        "fashion__bracelets/wrist", "fashion__bracelets/band", "toys__dice/d6", "toys__dice/d8", "unsorted/loose",
    }  # fmt: skip
    assert [p.key for p in objects["fashion__bracelets/wrist"].parts] == ["82/wrist/a.STL", "82/wrist/sub/b.stl"]
    assert objects["fashion__bracelets/band"].parts == () and objects["toys__dice/d8"].up_axis == "y"


def test_the_categories_of_thingiverse() -> None:
    assert len(CATEGORIES) == 10 and sum(map(len, CATEGORIES.values())) == 66 == len(CLASS_OF_CATEGORY)
    assert CATEGORIES["household"]["kitchen_dining"] == 100 and CLASS_OF_CATEGORY["149"] == "toys__accessories"
