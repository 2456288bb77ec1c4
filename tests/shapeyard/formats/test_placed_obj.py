import numpy as np
import pytest

from shapeyard.errors import MeshError
from shapeyard.formats.placed_obj import place_obj

BOX = b"""# a box of 1 x 2 x 4, and a vertex that nothing uses
mtllib a.mtl
v 0 0 0 0.5 0.25 1
v 1 0 0
v 1 2 0
v 0 2 4
v 99 99 99
vn 0 0.6 0.8
vt 0.5 0.5
usemtl wood
f 1/1/1 2/1/1 3/1/1
f -5//1 -3//1 -2//1
"""
TURN = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])  # about y: x becomes −z, z becomes x


def test_the_box_has_the_size_and_all_else_stays() -> None:
    lines = place_obj(BOX, TURN, [8, 2, 3]).decode().splitlines()
    assert lines[2] == "v -4 0 1.5 0.5 0.25 1", "centred, on the ground, with its colour"
    assert lines[3:6] == ["v -4 0 -1.5", "v -4 2 -1.5", "v 4 2 1.5"]
    normal = np.array([float(word) for word in lines[7].split()[1:]])
    expected = np.array([0.8 / 2, 0.6, 0])  # x was stretched to twice its length
    assert np.allclose(normal, expected / np.linalg.norm(expected), atol=1e-7)
    kept = BOX.decode().splitlines()
    assert [lines[k] for k in (0, 1, 8, 9, 10, 11)] == [kept[k] for k in (0, 1, 8, 9, 10, 11)]


def test_what_is_flat_stays_flat_and_windows_lines_are_read() -> None:
    flat = b"v 0 0 0\r\nv 1 0 0\r\nv 1 0 2\r\nf 1 2 3\r\n"
    assert place_obj(flat, np.eye(3), [2, 5, 2]).split(b"\n")[:3] == [b"v -1 0 -1", b"v 1 0 -1", b"v 1 0 1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "expected faces, got none"), (b"v 0 0 0\n", "expected faces, got none"),
     (b"v 0 0\nf 1 1 1", "expected three numbers after each v: "),
     (b"v a b c\nf 1 1 1", "expected three numbers after each v: "),
     (b"v 0 0 0\nf 1 2 3", "expected faces of the 1 vertices, got one of vertex 3"),
     (b"v 0 0 0\nf 0 1 1", "expected faces of the 1 vertices"), (b"v 0 0 0\nf x y z", "expected whole numbers after"),
     (b"v nan 0 0\nf 1 1 1", "expected finite numbers after each v"),
     (b"vn 0 0 inf\nf 1 1 1", "expected finite numbers")],
)  # fmt: skip
def test_what_is_no_mesh(content: bytes, message: str) -> None:
    with pytest.raises(MeshError, match=f"^{message}"):
        place_obj(content, np.eye(3), [1, 1, 1])
