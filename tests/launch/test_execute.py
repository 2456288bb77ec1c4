"""What `kfp.local` is given for a cache."""

from pathlib import Path

from kfp import dsl, local

from launch.execute import MovableCache


def key(root: Path, output: str) -> str:
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), workspace_root=str(root / "workspace"))
    meshes = dsl.Dataset(name="meshes", uri=str(root / "run" / "fetch" / output), metadata={})
    cache = MovableCache(str(root / "cache"))
    return cache.compute_key(
        component_name="render", image="render:1", full_command=["run"], env_vars={}, custom_cache_key=None,
        arguments={"meshes": [meshes], "model": meshes, "views": 4, "places": [f"1 {'0' * 16} {meshes.uri}"]},
    )  # fmt: skip


def test_a_key_does_not_tell_where_the_root_lies(tmp_path: Path) -> None:
    assert key(tmp_path / "runs", "meshes") == key(tmp_path / "elsewhere", "meshes")
    assert key(tmp_path / "runs", "meshes") != key(tmp_path / "runs", "meshes-2")


def test_outputs_of_a_loop_are_found_by_the_shard_that_they_come_from(tmp_path: Path) -> None:
    """In whatever order the tasks come, and whether they were carried out or answered."""

    def task(cache: MovableCache, stage: str, output: str, **arguments: object) -> dsl.Dataset:
        key = cache.compute_key(component_name=stage, image=stage, full_command=["run"], arguments=arguments)
        if (known := cache.get(key)) is not None:
            return known[output]
        path = tmp_path / f"{stage}-{len(list(tmp_path.iterdir()))}"
        path.mkdir()
        cache.put(key, {output: dsl.Dataset(name=output, uri=str(path)), "count": 3})
        return dsl.Dataset(name=output, uri=str(path))

    def run(cache: MovableCache) -> dict[str, dict[int, str]]:
        meshes = [task(cache, "fetch", "meshes", shard={"shard": number, "objects": "2"}) for number in ("3", "0")]
        voxels = [task(cache, "voxelize", "voxels", meshes=one, resolution=32) for one in reversed(meshes)]
        task(cache, "train", "model", voxels=voxels, steps=3)
        assert cache.outputs_by_shard() == {
            "meshes": {3: meshes[0].path, 0: meshes[1].path}, "voxels": {0: voxels[0].path, 3: voxels[1].path},
        }  # fmt: skip
        return cache.outputs_by_shard()

    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path), workspace_root=str(tmp_path / "w"))
    first = run(MovableCache(str(tmp_path / "cache")))
    again = MovableCache(str(tmp_path / "cache"))
    assert run(again) == first
    assert MovableCache(str(tmp_path / "cache")).outputs_by_shard() == {}
