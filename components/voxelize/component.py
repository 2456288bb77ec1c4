"""The typed spec of `voxelize`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/voxelize:0.2.0", install_kfp_package=False)
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
) -> str:
    """Turn meshes into occupancy grids.

    Args:
        meshes: Dataset of kind meshes.
        voxels: Dataset of kind voxels.
        resolution: Voxels along the object's longest side (binvox -d); with the padding 8 to 256.
        mode: solid (as ShapeNet's files: binvox -c -aw -dc -down, oblique sheets kept), auto (parity where the mesh
            bounds a volume, else solid; each sample's attribute mode says which), surface (what triangles touch: -e),
            carving (what cannot be seen from six sides: -c), dilated-carving (-c -dc), parity (odd crossings, exact
            volumes: -v), carving-parity (both, as ModelNet's grids: binvox without -c and -v), flood (what a flood from
            outside does not reach) or winding (winding number over one half).
        padding: Empty voxels on each side; ModelNet's 30 are a resolution of 24 and a padding of 3.
        centered: Centre the object in the cube (binvox -cb), as everything here expects it; false: start the cube at
            the bounding box's minimum corner, as ShapeNet's files do, for other tools.
        remove_internal: Keep only voxels with an empty neighbour (binvox -ri).
        engine: numba (ours) or binvox (the program of that name on the PATH, off screen: -pb).
        max_triangles: Triangles of an object above which it is skipped.
        workers: Cores to work on; 0 for all that the process may use.
        max_skipped: Share of the objects that may be skipped before the stage fails, 0 to 1.
    """
    from components.voxelize import VoxelizeSettings
    from components.voxelize.voxelize import voxelize as work
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import place_of

    with stage("voxelize"):
        settings = VoxelizeSettings(
            resolution=resolution,
            mode=mode,
            padding=padding,
            centered=centered,
            remove_internal=remove_internal,
            engine=engine,
            max_triangles=max_triangles,
            workers=workers,
            max_skipped=max_skipped,
        )
        work(meshes.path, voxels.path, settings)
        return place_of(voxels.uri, voxels.path)
