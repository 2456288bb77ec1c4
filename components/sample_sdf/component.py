"""The typed spec of `sample_sdf`."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("sample_sdf"), install_kfp_package=False)
def sample_sdf(
    meshes: dsl.Input[dsl.Dataset],
    sdf: dsl.Output[dsl.Dataset],
    samples: int = 500_000,
    near_surface: float = 0.94,
    variance: float = 0.005,
    fine_variance: float = 0.0005,
    max_two_sided: float = 0.1,
    max_triangles: int = 2_000_000,
    seed: int = 0,
    workers: int = 0,
    max_skipped: float = 0.5,
) -> None:
    """Sample the signed distance to meshes, as DeepSDF does.

    Args:
        meshes: Dataset of kind meshes.
        sdf: Dataset of kind sdf.
        samples: Points an object, in the unit sphere around it.
        near_surface: Share of the points near the surface, 0 to 1; the rest is uniform.
        variance: Of the distance from the surface along each axis, for half of the points near it.
        fine_variance: The same for the other half.
        max_two_sided: Share of the visible surface that may be seen from both sides; a more open mesh is skipped.
        max_triangles: A mesh of more triangles is skipped.
        seed: Of all that is drawn.
        workers: Processes; 0 for one a core that the process may use.
        max_skipped: Share of the objects that may be skipped, 0 to 1.
    """
    from components.sample_sdf.sample_sdf import Sampling, sample_meshes
    from shapeyard.contracts.progress import stage

    with stage("sample_sdf"):
        sampling = Sampling(samples, near_surface, variance, fine_variance, max_two_sided, max_triangles, seed)
        sample_meshes(meshes.path, sdf.path, sampling, workers=workers, max_skipped=max_skipped)
