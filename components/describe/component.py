"""The typed spec of `describe`."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("describe"), install_kfp_package=False)
def describe(
    meshes: dsl.Input[dsl.Dataset],
    features: dsl.Output[dsl.Dataset],
    feature_set: str = "solid",
    resolution: int = 32,
    max_triangles: int = 2_000_000,
    seed: int = 0,
    workers: int = 0,
    max_skipped: float = 0.5,
) -> None:
    """Turn printed things into what is learned from: a grid, sizes, and shape in numbers.

    Args:
        meshes: Dataset of kind meshes.
        features: Dataset of kind features.
        feature_set: solid, or points256 for 3D Net's picture of shuffled coordinates besides.
        resolution: Voxels along the grid's side, 8 to 256.
        max_triangles: Things above this in all their parts are skipped.
        seed: Of the order of points256's coordinates.
        workers: Processes; 0 for all cores that the process may use.
        max_skipped: Share of the things that may be skipped, 0 to 1.
    """
    from components.describe.describe import describe_things
    from shapeyard.contracts.progress import stage

    with stage("describe"):
        describe_things(
            meshes.path, features.path, feature_set=feature_set, resolution=resolution, max_triangles=max_triangles,
            seed=seed, workers=workers, max_skipped=max_skipped,
        )  # fmt: skip
