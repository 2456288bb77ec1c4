"""The networks that turn what is known of an object into a class, a module each, of Keras.

A module has the name that the setting `network` calls it by, `INPUTS`, the arrays that it takes, and `build`, which
makes logits (B,C) of them. Nothing else knows the networks by name: a new one is a new module.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

from shapeyard.errors import require
from shapeyard.networks.backend import keras

Shapes = Mapping[str, tuple[int, ...]]
"""The shape of one example of each input; of `occupancy` with its one channel."""


def network_names() -> list[str]:
    """The networks, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def build_network(network: str, shapes: Shapes, classes: int, member: int = 0) -> keras.Model:
    """A network by its name, giving logits (B,C).

    Args:
        network: one of `network_names`.
        shapes: what the dataset has; the network's inputs are named as in it.
        classes: C.
        member: the network's number among the ensemble members, which is part of its name.

    Raises:
        ParameterError: for another name, a missing input, or a resolution that is too small.
    """
    names = network_names()
    require(network in names, f"network: expected {', '.join(names)}, got {network}")
    module = importlib.import_module(f"{__name__}.{network}")
    missing = [name for name in module.INPUTS if name not in shapes]
    require(not missing, f"network {network}: expected a dataset with {', '.join(missing)}, got {', '.join(shapes)}")
    inputs = {name: keras.layers.Input(shapes[name], name=name) for name in module.INPUTS}
    return keras.Model(inputs, module.build(inputs, classes), name=f"{network}_{member}")
