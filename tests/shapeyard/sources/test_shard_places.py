"""Where the datasets of shards are: written by one stage, read by another, on this machine and in a bucket."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from kfp import dsl

from components.gather.gather import gather
from shapeyard.contracts.dataset import Dataset, DatasetWriter, Sample
from shapeyard.errors import DatasetError
from shapeyard.sources.s3 import S3Source
from shapeyard.sources.shard_places import Place, datasets_of, place_of


def shard(path: Path, *names: str) -> Path:
    with DatasetWriter(path, "sdf", "sample_sdf", {}) as writer:
        for name in names:
            points = np.full((2, 4), len(name), np.float32)
            writer.add(Sample(name, "chair", "train", "x"), {"positive": points, "negative": points})
    return path


def test_places_are_read_as_they_were_written(tmp_path: Path) -> None:
    folders = [shard(tmp_path / "run 1" / f"shard {n}", *(f"chair/{n}{k}" for k in range(n + 1))) for n in range(3)]
    places = [place_of(str(folder), folder) for folder in folders]
    assert [Place.parse(place).samples for place in places] == [1, 2, 3]
    assert str(Place.parse(places[1])) == places[1]
    gather(places, tmp_path / "run 1" / "gather" / "datasets")
    moved = tmp_path / "elsewhere"
    shutil.move(tmp_path / "run 1", moved)
    found = datasets_of(dsl.Dataset(uri=str(moved / "gather" / "datasets")))
    assert found == [str(moved / f"shard {n}") for n in range(3)]
    assert len(Dataset(found, "sdf").samples) == 6


def test_what_is_given_without_a_file_of_places(tmp_path: Path) -> None:
    assert datasets_of(None) == []
    assert datasets_of([dsl.Dataset(uri="/a"), dsl.Dataset(uri="/b")]) == ["/a", "/b"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("nonsense", "expected the places of datasets"),
        ('{"datasets": [{"uri": "/a"}]}', "expected the places of datasets"),
        ('{"datasets": [{"uri": "gs://a/b", "samples": 1, "sha256": ""}]}', "expected addresses of s3:// or minio://"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "datasets").write_text(content)
    with pytest.raises(DatasetError, match=said):
        datasets_of(dsl.Dataset(uri=str(tmp_path / "datasets")))


def test_no_places_and_no_place(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="at least one dataset"):
        gather([], tmp_path / "datasets")
    with pytest.raises(DatasetError, match="expected the place of a dataset"):
        gather(["/somewhere"], tmp_path / "datasets")
    assert not (tmp_path / "datasets").exists()


@pytest.mark.parametrize("scheme", ["minio", "s3"])
def test_datasets_in_the_store_of_artifacts_are_brought(
    tmp_path: Path, store: dict[str, str], bucket: str, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """As on a cluster: KFP's launcher has put them there, and boto3's own variables lead somewhere else."""
    names = {"AWS_ENDPOINT_URL": "ENDPOINT_URL", "AWS_ACCESS_KEY_ID": "ACCESS_KEY_ID",
             "AWS_SECRET_ACCESS_KEY": "SECRET_ACCESS_KEY"}  # fmt: skip
    for name, ending in names.items():
        monkeypatch.setenv(f"SHAPEYARD_ARTIFACTS_{ending}", store[name])
    S3Source(bucket).ensure_bucket()
    places = []
    for number in range(2):
        folder, root = shard(tmp_path / f"made-{number}", f"chair/{number}"), f"v2/artifacts/{number}"
        target = S3Source(f"{bucket}/{root}")
        for file in sorted(folder.iterdir()):
            target.upload(file, file.name)
        places.append(place_of(f"{bucket.replace('s3', scheme)}/{root}", folder))
    for name in names:
        monkeypatch.delenv(name)
    gather(places, tmp_path / "datasets")
    found = datasets_of(dsl.Dataset(uri=str(tmp_path / "datasets")))
    assert [sample.id for sample in Dataset(found, "sdf").samples] == ["chair/0", "chair/1"]
    assert not [path for path in found if Path(path).is_relative_to(tmp_path)]

    rows = json.loads((tmp_path / "datasets").read_text())
    rows["datasets"][1]["sha256"] = "0" * 16
    (tmp_path / "datasets").write_text(json.dumps(rows))
    with pytest.raises(DatasetError, match="is not the dataset that the shard's stage wrote"):
        datasets_of(dsl.Dataset(uri=str(tmp_path / "datasets")))


def test_samples_are_in_the_same_order_however_they_were_cut(tmp_path: Path) -> None:
    """What a training draws, and so what it learns, depends on it."""
    names = [f"chair/{letter}" for letter in "abcdef"]
    orders = []
    for cut in (1, 2, 4):
        parts = [names[number::cut] for number in range(cut)]
        folders = [shard(tmp_path / str(cut) / str(number), *part) for number, part in enumerate(parts)]
        orders.append([sample.id for sample in Dataset(folders, "sdf").samples])
    assert orders == [names] * 3
