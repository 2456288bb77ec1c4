"""The typed spec of `sample_sdf`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/sample-sdf:0.2.0", install_kfp_package=False)
def sample_sdf(
    meshes: dsl.Input[dsl.Dataset],
    sdf: dsl.Output[dsl.Dataset],
    samples: int = 500_000,
    near_surface: float = 0.94,
    variance: float = 0.005,
    fine_variance: float = 0.0005,
    max_two_sided: float = 0.1,
    surface_points: int = 30_000,
    views: int = 1,
    view_size: int = 128,
    seed: int = 0,
    max_triangles: int = 2_000_000,
    workers: int = 0,
    max_skipped: float = 0.5,
    object_seconds: float = 120.0,
    object_gigabytes: float = 4.0,
) -> str:
    """Sample the signed distance to meshes, as DeepSDF does.

    Args:
        meshes: Dataset of kind meshes.
        sdf: Dataset of kind sdf.
        samples: Points an object, in the unit sphere around it.
        near_surface: Share of the points near the surface, 0 to 1; the rest is uniform.
        variance: Of the distance from the surface along each axis, for half of the points near it.
        fine_variance: The same for the other half.
        max_two_sided: Share of the visible surface that may be seen from both sides; a more open mesh is skipped.
        surface_points: Points of the visible surface with their normals, evenly by area.
        views: Depth maps an object, from all around.
        view_size: Pixels along a side of each.
        seed: Of all that is drawn.
        max_triangles: Triangles of an object above which it is skipped.
        workers: Cores to work on; 0 for all that the process may use.
        max_skipped: Share of the objects that may be skipped before the stage fails, 0 to 1.
        object_seconds: Seconds of work on an object after which it is skipped.
        object_gigabytes: Memory of the process that works on an object above which it is skipped, in GB.
    """
    from components.sample_sdf import SampleSdfSettings
    from components.sample_sdf.sample_sdf import sample_sdf as work
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import place_of

    with stage("sample_sdf"):
        settings = SampleSdfSettings(
            samples=samples,
            near_surface=near_surface,
            variance=variance,
            fine_variance=fine_variance,
            max_two_sided=max_two_sided,
            surface_points=surface_points,
            views=views,
            view_size=view_size,
            seed=seed,
            max_triangles=max_triangles,
            workers=workers,
            max_skipped=max_skipped,
            object_seconds=object_seconds,
            object_gigabytes=object_gigabytes,
        )
        work(meshes.path, sdf.path, settings)
        return place_of(sdf.uri, sdf.path)
