"""A trained classifier as it is saved."""

from __future__ import annotations

import numpy as np

from shapeyard.networks.calibrated_ensemble import calibrated_ensemble
from shapeyard.networks.classifiers import build_network


def test_ood_score_of_measures_by_hand() -> None:
    network = build_network("measures_net", {"occupancy": (32, 32, 32, 1), "measures": (2,)}, 3)
    known = np.array([[0, 0], [2, 4]], np.float32)  # deviations 1 and 2
    classifier = calibrated_ensemble([network], 2.0, known)
    shown = {"occupancy": np.zeros((3, 32, 32, 32, 1), np.float32),
             "measures": np.array([[2, 4], [3, 4], [0, -8]], np.float32)}  # fmt: skip
    answers = classifier.predict_on_batch(shown)
    np.testing.assert_allclose(answers["ood_score"], [0, np.sqrt(1 / 2), np.sqrt(16 / 2)], atol=2e-3)
    np.testing.assert_allclose(answers["probabilities"].sum(axis=1), 1, rtol=1e-5)
