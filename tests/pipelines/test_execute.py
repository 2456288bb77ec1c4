from pathlib import Path

from kfp import dsl, local

from pipelines.execute import MovableCache


def key(root: Path, output: str) -> str:
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root), workspace_root=str(root / "workspace"))
    meshes = dsl.Dataset(name="meshes", uri=str(root / "run" / "fetch" / output), metadata={})
    cache = MovableCache(str(root / "cache"))
    return cache.compute_key(
        component_name="render", image="render:1", full_command=["run"], env_vars={}, custom_cache_key=None,
        arguments={"meshes": [meshes], "model": meshes, "views": 4},
    )  # fmt: skip


def test_a_key_does_not_tell_where_the_root_lies(tmp_path: Path) -> None:
    assert key(tmp_path / "runs", "meshes") == key(tmp_path / "elsewhere", "meshes")
    assert key(tmp_path / "runs", "meshes") != key(tmp_path / "runs", "meshes-2")
