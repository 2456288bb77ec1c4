"""3D Net's pictures."""

import numpy as np

from shapeyard.geometry.point_images import point_image, resize_lanczos
from shapeyard.geometry.triangle_mesh import Mesh


def test_a_picture_of_the_right_size_whatever_the_mesh() -> None:
    rng = np.random.default_rng(0)
    for triangles in (1, 50, 9000):
        mesh = Mesh(rng.normal(size=(3 * triangles, 3)), np.arange(3 * triangles).reshape(-1, 3))
        first, again, other = (point_image([mesh], np.random.default_rng(seed)) for seed in (1, 1, 2))
        assert first.shape == (256, 256, 3) and first.dtype == np.uint8
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


def test_resizing_against_a_plain_loop() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    resized = resize_lanczos(image, 11)

    def row_weights(size: int, place: int) -> np.ndarray:
        centre, weights = (place + 0.5) * size / 11 - 0.5, np.zeros(size)
        for tap in range(int(np.floor(centre)) - 3, int(np.floor(centre)) + 5):
            distance = tap - centre
            weights[min(max(tap, 0), size - 1)] += np.sinc(distance) * np.sinc(distance / 4)
        return weights / weights.sum()

    for i in range(11):
        for j in range(11):
            exact = np.einsum("i,j,ijc->c", row_weights(5, i), row_weights(7, j), image.astype(float))
            np.testing.assert_allclose(resized[i, j], np.clip(np.rint(exact), 0, 255), atol=1)


def test_the_same_size_stays_as_it_is() -> None:
    image = np.random.default_rng(1).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    np.testing.assert_array_equal(resize_lanczos(image, 16), image)
