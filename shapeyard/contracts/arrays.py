"""The arrays that a sample of each kind may hold, and the type of each: sizes stay what the contract says.

What a sample of each kind holds (V views of H×W pixels, D voxels a side; all types: `DTYPES`):

    meshes            the source's own files, unchanged; attribute `main`: which of them is the mesh; where parts of a
                      thing could not be read, `broken_parts`: one line each
    renders           rgba (V,H,W,4) uint8, straight alpha; depth (V,H,W) float32: canonical units along the optical
                      axis, background inf; intrinsics (3,3) pixels; world_from_camera (V,4,4), OpenCV axes; where they
                      were asked for normals (V,H,W,3) float16: unit, canonical frame, towards the camera, and albedo
                      (V,H,W,3) uint8 sRGB, both 0 outside the object's mask; attribute diagonal: of the object's box.
                      External renderings have no depth (see `Dataset.has`): their mask is alpha ≥ 128
    depths            depth (V,H,W) float32: predicted, finite inside the object's mask, inf outside
    voxels            occupancy: bit-packed (D,D,D), index order x,y,z (see `pack_occupancy`), with the attributes
                      resolution, translate (3,) and scale as binvox has them, in the file's own frame; `mode` of auto
    reconstructions   probability (V,D,D,D) uint8, 0…255 for 0…1, index order x,y,z of the camera-frame cube (camera
                      axes); canonical_from_cube (V,4,4): the cube's unit coordinates [0,1]³ into the canonical frame.
                      Of several images (train_multiview) the cube is the canonical one, and each of the V shapes was
                      made of more views: attributes view_order, and views_used (V): the first so many of these
    predictions       probabilities (K,C) float32: a row for each of the K views (or the one grid) of the sample that
                      was shown to the classifier; the dataset's attribute `classes` names the C columns
    features          what a printed thing shows: occupancy as in voxels, turned about its upright axis; measures (F,)
                      float32, named in the dataset's attribute `measures`; where asked for, points (256,256,3) uint8
    sdf               positive, negative (N,4) float32: x, y, z, signed distance, negative inside, in random order;
                      surface (S,6) float32: points of the visible surface, unit normals that lead outside; depth
                      (V,H,W) float32 along the optical axis, inf for nothing, intrinsics (3,3) pixels and
                      sdf_from_camera (V,4,4). All in the frame of a unit sphere around the object, with the attributes
                      canonical_from_sdf (4,4) and two_sided: the share of the visible surface that can be seen from
                      both sides
    surfaces          V meshes in that frame, one after the other: vertices (ΣN,3) float32, faces (ΣM,3) int32, counts
                      (V,2) int64: the vertices and faces of each; codes (V,C) float32, of which they were extracted.
                      Attributes: inputs (V), what each was made from, and canonical_from_sdf
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from shapeyard.errors import DatasetError

DTYPES: Mapping[str, Mapping[str, str]] = {
    "renders": {
        "rgba": "uint8", "depth": "float32", "normals": "float16", "albedo": "uint8", "intrinsics": "float64",
        "world_from_camera": "float64",
    },
    "depths": {"depth": "float32"},
    "voxels": {"occupancy": "uint8"},
    "reconstructions": {"probability": "uint8", "canonical_from_cube": "float64"},
    "predictions": {"probabilities": "float32"},
    "features": {"occupancy": "uint8", "measures": "float32", "points": "uint8"},
    "sdf": {
        "positive": "float32", "negative": "float32", "surface": "float32", "depth": "float32",
        "intrinsics": "float64", "sdf_from_camera": "float64",
    },
    "surfaces": {"vertices": "float32", "faces": "int32", "counts": "int64", "codes": "float32"},
}  # fmt: skip
"""Kind → array → NumPy's name of its type; only matrices (cameras, frames) are float64. `meshes` holds files."""


def check_arrays(kind: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise `DatasetError` for an array that the kind does not have, or one of another type."""
    allowed = DTYPES.get(kind, {})
    for name, array in arrays.items():
        if name not in allowed:
            raise DatasetError(f"{name}: expected an array of kind {kind} ({', '.join(allowed) or 'none'})")
        if array.dtype != allowed[name]:
            raise DatasetError(f"{name}: expected {allowed[name]}, got {array.dtype}")
