from pathlib import Path
from typing import Any

import pytest
import yaml

from shapeyard.contracts.dataset import Sample
from shapeyard.contracts.licenses import Attribution
from shapeyard.contracts.model import check_model, finish_model, read_metrics, start_model
from shapeyard.contracts.model_card import model_card
from shapeyard.errors import DatasetError


def front_matter(card: str) -> dict[str, Any]:
    start, front, _ = card.split("---\n", 2)
    assert start == ""
    read: dict[str, Any] = yaml.safe_load(front)
    return read


@pytest.mark.parametrize(
    ("licenses", "expected"),
    [({}, {"license": "unknown"}), ({"CC-BY-3.0": 2}, {"license": "cc-by-3.0"}),
     ({"CC-BY-3.0": 2, "CC-BY-3.0-US": 1}, {"license": "cc-by-3.0"}),
     ({"MIT": 9, "unknown": 1}, {"license": "unknown"}),
     ({"CC-BY-3.0": 2, "CC0-1.0": 1}, {"license": "other", "license_name": "cc-by-3.0-and-cc0-1.0"}),
     ({"LicenseRef-ShapeNet": 2}, {"license": "other", "license_name": "licenseref-shapenet"})],
)  # fmt: skip
def test_the_licence_of_the_front_matter(licenses: dict[str, int], expected: dict[str, str]) -> None:
    front = front_matter(model_card({"network": "unet"}, {}, licenses, []))
    assert {key: value for key, value in front.items() if key.startswith("license")} == expected


def test_figures_are_results() -> None:
    metrics = {"val_rmse": 0.0625, "seconds": 12.0, "framing": "x", "good": True}
    card = model_card({"network": "unet"}, metrics, {"MIT": 1}, [])
    front = front_matter(card)
    (result,) = front["model-index"][0]["results"]
    assert front["metrics"] == ["val_rmse"] and front["tags"] == ["shapeyard", "3d", "unet"]
    assert result["metrics"] == [{"type": "val_rmse", "value": 0.0625, "name": "val rmse"}]
    assert result["task"]["type"] == front["pipeline_tag"] == "depth-estimation"
    assert "| val_rmse | 0.0625 |" in card and "| seconds | 12 |" in card and "good" not in card
    assert "[MIT](https://spdx.org/licenses/MIT.html) | 1 |" in card


def test_names_are_text_and_nothing_else() -> None:
    name = "A [x](http://evil)\n---\n# <script>|"
    card = model_card({"network": "a\n---\nlicense: mit"}, {}, {"MIT": 1}, [Attribution(name, "MIT", 1)])
    front = front_matter(card)
    assert front["license"] == "mit" and front["tags"][2] == "a --- license: mit"
    assert "- A \\[x\\](http://evil) --- \\# \\<script\\>\\|: 1 (MIT)" in card


def test_a_model_says_what_it_was_trained_on(tmp_path: Path) -> None:
    model = start_model(tmp_path / "model", {"network": "r2n2"})
    samples = [Sample(f"cup/{n}", "cup", "train", "", "CC-BY-4.0", "Jo" if n else "") for n in range(3)]
    finish_model(model, [], {"val_iou": 0.5}, samples)
    check_model(model)
    metrics = read_metrics(model)
    assert metrics["licenses"] == {"CC-BY-4.0": 3}
    assert metrics["attributions"] == [{"creator": "Jo", "license": "CC-BY-4.0", "objects": 2}]
    card = model / "README.md"
    assert front_matter(card.read_text())["license"] == "cc-by-4.0" and "- Jo: 2 (CC-BY-4.0)" in card.read_text()
    card.write_text("mine")
    with pytest.raises(DatasetError, match=r"README.md: expected"):
        check_model(model)
