"""The typed spec of `voxelize`."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("voxelize"), install_kfp_package=False)
def voxelize(
    meshes: dsl.Input[dsl.Dataset],
    voxels: dsl.Output[dsl.Dataset],
    resolution: int = 64,
    mode: str = "solid",
    workers: int = 0,
    max_skipped: float = 0.5,
) -> None:
    """Turn meshes into occupancy grids.

    Args:
        meshes: Dataset of kind meshes.
        voxels: Dataset of kind voxels.
        resolution: Voxels along the cube's side, 8 to 256.
        mode: solid (what a mesh encloses, as binvox carves it) or surface (what its triangles touch).
        workers: Threads; 0 for all cores that the process may use.
        max_skipped: Share of the objects that may be skipped, 0 to 1.
    """
    from components.voxelize.voxelize import voxelize_meshes
    from shapeyard.contracts.progress import stage

    with stage("voxelize"):
        voxelize_meshes(
            meshes.path, voxels.path, resolution=resolution, mode=mode, workers=workers, max_skipped=max_skipped
        )
