"""Models of decoders of codes."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from shapeyard.boundary import reader
from shapeyard.contracts.model import read_config
from shapeyard.errors import DatasetError
from shapeyard.inference.implicit import CODES_FILE
from shapeyard.inference.weights import load_network
from shapeyard.networks import deepsdf, triplane
from shapeyard.networks.code_decoder import CodeDecoder
from shapeyard.networks.deepsdf import DeepSDF
from shapeyard.networks.triplane import Triplane

DECODERS: dict[str, type[CodeDecoder]] = {"deepsdf": DeepSDF, "triplane": Triplane}
"""By what config.json and the setting `network` call them."""
TITLES = {"deepsdf": deepsdf.TITLE, "triplane": triplane.TITLE}


@reader(DatasetError, "model")
def load_decoder(model: Path) -> tuple[CodeDecoder, dict[str, Tensor]]:
    """A trained decoder, and the codes (C,) of what it was trained on by the objects' ids.

    Raises:
        DatasetError: for a model that is missing, broken or of another kind.
    """
    name = str(read_config(model).get("network"))
    if name not in DECODERS:
        raise DatasetError(f"{model}: expected a decoder of codes ({', '.join(DECODERS)}), got {name}")
    network, config = load_network(model, DECODERS[name])
    return network, dict(zip(config["ids"], load_file(model / CODES_FILE)["codes"], strict=True))
