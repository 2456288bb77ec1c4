"""Depth from a view, inside the window that the network was trained on and outside."""

from __future__ import annotations

import numpy as np

from shapeyard.inference.depth import DepthEstimator, Standardization, Window, predict_depth, stack
from shapeyard.networks.unet import UNet


def test_views_are_cut_to_what_is_visible() -> None:
    rgba, depth = np.zeros((32, 40, 4), np.uint8), np.full((32, 40), np.inf, np.float32)
    first, second = (rgba.copy(), depth.copy()), (rgba.copy(), depth.copy())
    first[1][9, 17], second[1][15, 25], second[0][15, 25] = 2.0, 3.0, 255
    window = Window.around(np.isfinite([first[1], second[1]]))
    assert window == (8, 16, 8, 32)  # the mirror images of columns 17 and 25 are 22 and 14
    images, depths = stack([Window(8, 16, 16, 32).cut(view) for view in (first, second)])
    assert images.shape == (2, 4, 8, 16) and depths[0, 1, 1] == 2.0 and depths[1, 7, 9] == 3.0
    assert images[1, :, 7, 9].tolist() == [1.0] * 4
    estimator = DepthEstimator(UNet(4), Standardization(2.0, 0.3), window, half=False)
    assert predict_depth(estimator, [first])[0, 9, 17] < np.inf
    beyond = rgba.copy(), depth.copy()
    beyond[1][31, 39] = 2.0
    assert np.isfinite(predict_depth(estimator, [beyond])[0]).sum() == 1  # outside the window that was trained on
    nothing = predict_depth(estimator, [(rgba, depth)])
    assert nothing.shape == (1, 32, 40) and np.isinf(nothing).all()
