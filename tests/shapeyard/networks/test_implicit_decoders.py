"""The decoders of codes: sizes by hand, and that a few shapes can be overfitted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from shapeyard.contracts.model import finish_model, start_model
from shapeyard.inference.onnx_export import export_onnx
from shapeyard.networks.code_decoder import CodeDecoder
from shapeyard.networks.deepsdf import DeepSDF
from shapeyard.networks.triplane import Triplane


def test_the_papers_decoder_by_hand() -> None:
    wide, narrow = 512 * 512 + 2 * 512, 512 * 253 + 2 * 253  # weights, a length for each row of them, biases
    expected = 259 * 512 + 2 * 512 + 2 * wide + narrow + 4 * wide + 512 + 1
    assert sum(parameter.numel() for parameter in DeepSDF().parameters()) == expected
    assert expected == 1_843_195


DECODERS = {"deepsdf": {"dropout": 0.0}, "triplane": {"features": 4, "resolution": 16}}


def small(name: str) -> CodeDecoder:
    torch.manual_seed(0)
    return {"deepsdf": DeepSDF, "triplane": Triplane}[name](code_length=4, width=16, **DECODERS[name])


@pytest.mark.parametrize("name", DECODERS)
def test_two_balls_are_overfitted(name: str) -> None:
    decoder = small(name)
    codes = torch.nn.Parameter(torch.randn(2, 4))
    radii = torch.tensor([[0.3], [0.7]])
    optimizer = torch.optim.Adam([*decoder.parameters(), codes], lr=5e-3)
    for _ in range(300):
        points = torch.rand(2, 256, 3) * 2 - 1
        distance = points.norm(dim=2) - radii
        error = (decoder(codes, points).clamp(-0.1, 0.1) - distance.clamp(-0.1, 0.1)).abs().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    assert error.item() < 0.025  # 0.08 if they knew nothing


def test_points_of_one_shape_do_not_depend_on_the_others() -> None:
    for name in DECODERS:
        decoder = small(name).eval()
        codes, points = torch.randn(3, 4), torch.rand(3, 50, 3) * 2 - 1
        together = decoder(codes, points)
        for number in range(3):
            alone = decoder(codes[number : number + 1], points[number : number + 1, :20])
            torch.testing.assert_close(alone[0], together[number, :20], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", DECODERS)
def test_onnx_says_the_same(name: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    decoder = small(name).eval()
    start_model(tmp_path / "model", {"network": name, "code_length": 4, "width": 16, **DECODERS[name]})
    save_file(decoder.state_dict(), tmp_path / "model" / "model.safetensors")
    finish_model(tmp_path / "model", [], {}, [])
    export_onnx(tmp_path / "model", tmp_path / "network.onnx")
    session = runtime.InferenceSession(str(tmp_path / "network.onnx"), providers=["CPUExecutionProvider"])
    codes, points = torch.randn(3, 4), torch.rand(3, 70, 3) * 2 - 1
    rows = torch.cat([codes[:, None].expand(-1, 70, -1), points], dim=2)
    (distance,) = session.run(["distance"], {"code_and_point": rows.numpy()})
    torch.testing.assert_close(torch.from_numpy(distance), decoder(codes, points), rtol=1e-3, atol=1e-5)
