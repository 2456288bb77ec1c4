import pytest

from shapeyard.errors import SourceError
from shapeyard.sources.layouts import detect_layout, group_objects
from shapeyard.sources.selection import Layout
from shapeyard.sources.source import SourceFile
from shapeyard.sources.thingiverse import CATEGORIES, CLASS_OF_CATEGORY
from shapeyard.sources.unused_files import unused_files


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


def test_one_object_in_two_formats_is_one_object() -> None:
    found = files(
        "cup/a.obj", "cup/a.stl", "cup/a.binvox", "cup/stl/b.stl", "cup/off/b.off", "stl/bed/c.stl", "obj/bed/c.obj"
    )
    listed = {o.id: o.main.key for o in group_objects(found, "classes")}
    assert listed == {"cup/a": "cup/a.obj", "cup/b": "cup/off/b.off", "bed/c": "obj/bed/c.obj"}
    found = files("bed/train/b.off", "bed/train/b.binvox", "bed/test/c.binvox")
    listed = {o.id: o.main.key for o in group_objects(found, "modelnet")}
    assert listed == {"bed/b": "bed/train/b.off", "bed/c": "bed/test/c.binvox"}
    found = files("dice/a.zip", "dice/a.stl", "dice/b.obj", "dice/b.stl", "dice/c/x.stl", "dice/c.zip")
    listed = {o.id: o.main.key for o in group_objects(found, "things")}
    assert listed == {"dice/a": "dice/a.zip", "dice/b": "dice/b.stl", "dice/c": "dice/c/x.stl"}


def test_shapenet_v1() -> None:
    found = files(
        "03001627/a1/model.binvox", "03001627/a1/model.mtl", "03001627/a1/model.obj", "02691156/b/model.binvox"
    )
    assert detect_layout(found) == "shapenet"
    airplane, chair = group_objects(found, "shapenet")
    assert (airplane.id, chair.id, chair.class_name) == ("airplane/b", "chair/a1", "chair")
    assert chair.main.key == "03001627/a1/model.obj" and len(chair.own_files) == 3


@pytest.mark.parametrize(
    ("layout", "keys"),
    [
        ("modelnet", ("bed/train/b.off", "bed/test/c.off")),
        ("shapenet", ("03001627/a/models/model_normalized.obj", "03001627/a/images/x.png")),
        (
            "r2n2",
            ("ShapeNetRendering/03001627/a/rendering/rendering_metadata.txt", "ShapeNetVox32/03001627/a/model.binvox"),
        ),
    ],
)
def test_a_root_one_level_too_high_is_found(layout: Layout, keys: tuple[str, ...]) -> None:
    right = group_objects(files(*keys), layout)
    high = files(
        "__MACOSX/X/._X", *(f"X/{key}" for key in keys), *(f"__MACOSX/X/{key}" for key in keys), "X/README.txt"
    )
    assert detect_layout(high) == layout
    found = group_objects(high, layout)
    assert [(o.id, o.class_name, o.source_split) for o in found] == [
        (o.id, o.class_name, o.source_split) for o in right
    ]
    assert [[f.key for f in o.own_files] for o in found] == [[f"X/{f.key}" for f in o.own_files] for o in right]


def test_two_roots_are_refused_by_name() -> None:
    found = files("ModelNet10/bed/train/b.off", "ModelNet40/bed/train/b.off")
    with pytest.raises(SourceError, match="several to choose from: ModelNet10, ModelNet40"):
        group_objects(found, "modelnet")


def test_folders_in_one_folder_may_be_classes_or_one_class() -> None:
    with pytest.raises(SourceError, match=r"all meshes in folders of data \(bed, cup\): name data in the source"):
        detect_layout(files("data/bed/a.obj", "data/bed/b.obj", "data/cup/c.obj"))
    assert detect_layout(files("cup/1/model.obj", "cup/2/model.obj")) == "classes"  # a folder an object


def test_a_zip_among_meshes_makes_no_things() -> None:
    found = files("cup/a.obj", "cup/textures.zip", "bed/set/b.stl", "all.zip")
    assert detect_layout(found) == "classes"
    assert [o.id for o in group_objects(found, "classes")] == ["bed/set-b", "cup/a"]
    assert detect_layout(files("dice/a.zip", "dice/b.zip", "dice/c.stl")) == "things"


def test_hidden_files_are_no_objects() -> None:
    found = files("cup/._a.stl", "cup/.cache/b.stl", "cup/a.stl", "__MACOSX/cup/a.stl", ".DS_Store")
    assert [o.id for o in group_objects(found, "classes")] == ["cup/a"]


def test_unused_files_are_told_with_a_reason() -> None:
    found = files(
        "cup/a.obj", "cup/a.blend", "cup/b.STP", "cup/c.zip", "cup/._d.step", "cup/photo.png", "bed/train/x.off"
    )  # fmt: skip
    told = dict(unused_files(found, group_objects(found, "modelnet"), "modelnet"))
    assert told == {
        "cup/a.obj": "not where the layout modelnet has its objects",
        "cup/a.blend": "a Blender file, which is not read: export it as STL, OBJ or GLB",
        "cup/b.STP": "a STEP file, which is not read: export it as STL, OBJ or GLB",
        "cup/c.zip": "a ZIP archive, which is not opened: only the layout things reads it",
    }
    told = dict(unused_files(found, group_objects(found, "classes"), "classes"))
    assert told.keys() == {"cup/b.STP", "cup/c.zip"}  # a.blend is the object a in another format


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
