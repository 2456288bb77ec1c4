"""Networks that describe themselves, and models that name one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from shapeyard import networks
from shapeyard.contracts.model import finish_model, start_model
from shapeyard.errors import DatasetError
from shapeyard.inference.models import find_models, load_torch, network_module, title_of, torch_networks
from shapeyard.inference.onnx_export import export_onnx

DOUBLE = """
from torch import nn
from shapeyard.networks.onnx_interface import OnnxInterface

class Double(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(nn.Linear(1, size).weight.detach())

    def forward(self, x):
        return 2 * x + 0 * self.weight[0]

TITLE = "twice as much"
NETWORK = Double

def onnx_interface(network, config, views):
    return OnnxInterface(network, "numbers", (config["size"],), {}, "doubled")
"""


@pytest.fixture
def of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a network that nothing else knows: a module beside the others."""
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / "double.py").write_text(DOUBLE)
    monkeypatch.setattr(networks, "__path__", [*networks.__path__, str(tmp_path / "networks")])
    torch_networks.cache_clear()
    yield "double"
    sys.modules.pop("shapeyard.networks.double", None)
    torch_networks.cache_clear()


def write_model(folder: Path, config: dict[str, Any], weights: dict[str, torch.Tensor]) -> Path:
    start_model(folder, config)
    save_file(weights, folder / "model.safetensors")
    finish_model(folder, [], {}, [])
    return folder


def test_every_network_describes_itself() -> None:
    assert torch_networks() == {
        "deepsdf": "DeepSDF", "pixel_aligned": "pixel-aligned occupancy network", "r2n2": "3D-R2N2",
        "recgan": "3D-RecGAN++", "triplane": "tri-plane decoder", "unet": "U-Net",
    }  # fmt: skip
    assert title_of("unet") == "U-Net" and title_of("xu2016") == "a classifier"


def test_a_new_network_is_a_new_module(of_its_own: str, tmp_path: Path) -> None:
    model = write_model(tmp_path / "run" / "model", {"network": of_its_own, "size": 3}, {"weight": torch.ones(3, 1)})
    assert find_models([tmp_path / "run"]) == {"double": model} and title_of("double") == "twice as much"
    network, config = load_torch(model)
    assert network(torch.ones(3)).tolist() == [2, 2, 2] and config["size"] == 3 and not network.training
    runtime = pytest.importorskip("onnxruntime")
    export_onnx(model, tmp_path / "double.onnx")
    session = runtime.InferenceSession(str(tmp_path / "double.onnx"), providers=["CPUExecutionProvider"])
    (doubled,) = session.run(["doubled"], {"numbers": torch.ones(3).numpy()})
    assert doubled.tolist() == [2, 2, 2]


@pytest.mark.parametrize("name", ["antigravity", "onnx_interface", "../unet", "unet.UNet", "", None, ["unet"], 3])
def test_a_name_of_nothing_is_refused_and_nothing_imported(name: object, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", {"network": name, "width": 4}, {"weight": torch.ones(1)})
    before = set(sys.modules)
    for refused in (load_torch, network_module):
        with pytest.raises(
            DatasetError, match=r"model: expected a model of DeepSDF, .*, 3D-R2N2, .*, U-Net, got "
        ) as caught:
            refused(model)
        assert "\n" not in str(caught.value)
    assert "antigravity" not in sys.modules and not {m for m in set(sys.modules) - before if m.startswith("shapeyard")}
    assert find_models([model]) == {"classifier": model}
    assert json.loads((model / "config.json").read_text())["network"] == name
