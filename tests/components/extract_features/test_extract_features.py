"""From a folder of things to features: fetched, described, the broken ones skipped with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from kfp import dsl
from things import write_things

from components.extract_features import ExtractFeaturesSettings
from components.extract_features.component import extract_features as component
from components.extract_features.extract_features import FEATURE_SETS, extract_features
from components.fetch import FetchSettings
from components.fetch.fetch import fetch
from components.plan.plan import plan
from shapeyard.contracts.dataset import Dataset, read_info, read_occupancy
from shapeyard.contracts.stage import OneOf, settings_of
from shapeyard.errors import ParameterError, TooManySkippedError
from shapeyard.sources.selection import Selection


def fetch_things(source: Path, output: Path, max_skipped: float = 0.5) -> Path:
    (item,) = plan(Selection(str(source), layout="things", shards=1))
    fetch(item, output, FetchSettings(max_megabytes=100, max_triangles=100_000, max_skipped=max_skipped))
    return output


def test_things_of_all_forms(tmp_path: Path) -> None:
    meshes = fetch_things(write_things(tmp_path / "source", 3), tmp_path / "meshes")
    fetched = Dataset([meshes], "meshes")
    assert {s.id for s in fetched.samples} == {
        f"{c}/{i}" for c in ("toys__box", "toys__ring", "art__ball") for i in range(3)
    }
    assert fetched["art__ball/0"].attributes == {"main": "."} and fetched["toys__ring/0"].attributes == {
        "main": "0.zip"
    }
    assert len({s.sha256 for s in fetched.samples}) == 9
    features = dsl.Dataset(uri=str(tmp_path / "features"))
    component.python_func(dsl.Dataset(uri=str(meshes)), features, feature_set="points256", workers=1)
    data = Dataset([features.path], "features")
    names = data.attributes["measures"]
    assert data.attributes["arrays"] == ["measures", "points"]
    assert len(data.samples) == 9
    for sample in data.samples:
        measures = dict(zip(names, data.read(sample.id, "measures"), strict=True))
        assert np.exp(measures["log_parts"]) == pytest.approx(1 if sample.class_name == "toys__box" else 2)
        assert read_occupancy(data, sample.id).any() and data.read(sample.id, "points").shape == (256, 256, 3)
    assert data["toys__box/0"].sha256 == fetched["toys__box/0"].sha256
    assert (tmp_path / "features" / "preview.png").is_file()


def test_several_processes_give_the_same(tmp_path: Path) -> None:
    meshes = fetch_things(write_things(tmp_path / "source", 2), tmp_path / "meshes")
    extract_features(meshes, tmp_path / "one", ExtractFeaturesSettings(workers=1))
    extract_features(meshes, tmp_path / "two", ExtractFeaturesSettings(workers=2))
    one, two = (Dataset([tmp_path / name], "features") for name in ("one", "two"))
    assert [s.id for s in one.samples] == [s.id for s in two.samples]
    assert len(one.samples) == 6
    for sample in one.samples:
        for name in ("occupancy", "measures"):
            np.testing.assert_array_equal(one.read(sample.id, name), two.read(sample.id, name))


def test_y_up_meshes_are_measured_upright(tmp_path: Path) -> None:
    mesh = trimesh.creation.box((4, 9, 2))
    (tmp_path / "source" / "a").mkdir(parents=True)
    mesh.export(tmp_path / "source" / "a" / "standing.obj")
    meshes = fetch_things(tmp_path / "source", tmp_path / "meshes")
    extract_features(meshes, tmp_path / "features", ExtractFeaturesSettings(workers=1))
    data = Dataset([tmp_path / "features"], "features")
    measures = dict(zip(data.attributes["measures"], data.read("a/standing", "measures"), strict=True))
    assert np.exp([measures[f"log_{n}"] for n in ("length", "width", "height")]) == pytest.approx([4, 2, 9])


def test_broken_things_are_skipped_with_the_reason(tmp_path: Path) -> None:
    source = write_things(tmp_path / "source", 2)
    whole = (source / "toys__box" / "0.stl").read_bytes()
    (source / "toys__box" / "0.stl").write_bytes(whole[:200])
    (source / "toys__ring" / "1.zip").write_bytes(b"PK but no archive")
    (source / "art__ball" / "1" / "files" / "b.stl").write_bytes(b"")
    meshes = fetch_things(source, tmp_path / "meshes")
    extract_features(meshes, tmp_path / "features", ExtractFeaturesSettings(workers=1))
    reasons = {s["id"]: s["reason"] for s in read_info(tmp_path / "features")["skipped"]}
    assert set(reasons) == {"toys__box/0", "toys__ring/1"}
    assert "claims 12 triangles" in reasons["toys__box/0"] and "1.zip: not readable as ZIP" in reasons["toys__ring/1"]
    (part,) = Dataset([meshes], "meshes")["art__ball/1"].attributes["broken_parts"]
    assert "b.stl: the file is empty" in part
    assert not any(str(tmp_path) in reason for reason in reasons.values())
    with pytest.raises(TooManySkippedError, match=r"expected at most 20 triangles"):
        extract_features(
            meshes, tmp_path / "none", ExtractFeaturesSettings(max_triangles=20, max_skipped=0.1, workers=1)
        )


@pytest.mark.parametrize(
    ("values", "message"),
    [({"feature_set": "x"}, "feature_set: expected measures or points256, got x"),
     ({"resolution": 4}, "resolution: expected 8 to 256, got 4"),
     ({"max_triangles": 0}, "max_triangles: expected 1 or more, got 0"),
     ({"max_skipped": 2.0}, "max_skipped: expected 0 to 1, got 2.0"),
     ({"workers": -1}, "workers: expected 0 or more, got -1"), ({"seed": -1}, "seed: expected 0 or more, got -1")],
)  # fmt: skip
def test_parameters_out_of_range(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=f"^{message}$"):
        ExtractFeaturesSettings(**values)


def test_the_declared_feature_sets_are_those_that_there_are() -> None:
    declared = settings_of(ExtractFeaturesSettings)["feature_set"].allowed
    assert declared == OneOf(tuple(FEATURE_SETS))
