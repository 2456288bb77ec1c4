"""The typed spec of `voxelize`."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("voxelize"), install_kfp_package=False)
def voxelize(
    meshes: dsl.Input[dsl.Dataset],
    voxels: dsl.Output[dsl.Dataset],
    resolution: int = 64,
    mode: str = "solid",
    padding: int = 0,
    centered: bool = True,
    remove_internal: bool = False,
    engine: str = "numba",
    max_triangles: int = 2_000_000,
    workers: int = 0,
    max_skipped: float = 0.5,
) -> None:
    """Turn meshes into occupancy grids.

    Args:
        meshes: Dataset of kind meshes.
        voxels: Dataset of kind voxels.
        resolution: Voxels along the object's longest side (binvox -d); with the padding 8 to 256.
        mode: solid (as ShapeNet's files: binvox -c -aw -dc -down, oblique sheets kept), surface (what triangles touch:
            -e), carving (what cannot be seen from six sides: -c), dilated-carving (-c -dc), parity (odd crossings,
            exact volumes: -v), carving-parity (both, as ModelNet's grids: binvox without -c and -v), flood (what a
            flood from outside does not reach) or winding (winding number over one half).
        padding: Empty voxels on each side; ModelNet's 30 are a resolution of 24 and a padding of 3.
        centered: Centre the object in the cube (binvox -cb), as everything here expects it; false: start the cube at
            the bounding box's minimum corner, as ShapeNet's files do, for other tools.
        remove_internal: Keep only voxels with an empty neighbour (binvox -ri).
        engine: numba (ours) or binvox (the program of that name on the PATH, off screen: -pb).
        max_triangles: Meshes above this are skipped.
        workers: Threads; 0 for all cores that the process may use.
        max_skipped: Share of the objects that may be skipped, 0 to 1.
    """
    from components.voxelize.voxelize import voxelize_meshes
    from shapeyard.contracts.progress import stage

    with stage("voxelize"):
        voxelize_meshes(
            meshes.path, voxels.path, resolution=resolution, mode=mode, padding=padding, centered=centered,
            remove_internal=remove_internal, engine=engine, max_triangles=max_triangles, workers=workers,
            max_skipped=max_skipped,
        )  # fmt: skip
