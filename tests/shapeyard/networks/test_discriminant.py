"""The linear discriminant as a layer."""

from __future__ import annotations

import numpy as np

from shapeyard.networks.backend import keras
from shapeyard.networks.discriminant import NEVER, fit_discriminant, linear_discriminant, standardized


def test_it_tells_classes_apart_and_never_names_one_that_it_did_not_see() -> None:
    inputs = {"measures": keras.layers.Input((2,), name="measures")}
    network = keras.Model(inputs, linear_discriminant(standardized(inputs["measures"]), 3))
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 2], 50)  # class 1 is not there; the second measure is noise, and large
    measures = np.stack([rng.normal(4 * (labels == 2), 1), rng.normal(0, 100, 100)], axis=1).astype(np.float32)
    fit_discriminant(network, {"measures": measures}, labels)
    logits = network.predict_on_batch({"measures": measures})
    assert (logits.argmax(axis=1) == labels).mean() > 0.95
    np.testing.assert_allclose(logits[:, 1], NEVER)
    kernel, _ = network.get_layer("discriminant").get_weights()
    assert abs(kernel[0, 2]) > 10 * abs(kernel[1, 2])
    np.testing.assert_allclose(kernel[:, 0], -kernel[:, 2], rtol=1e-3, atol=1e-4)  # means of both classes around 0
