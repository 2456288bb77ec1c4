"""The typed spec of `extract_features`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/extract-features:0.2.0", install_kfp_package=False)
def extract_features(
    meshes: dsl.Input[dsl.Dataset],
    features: dsl.Output[dsl.Dataset],
    feature_set: str = "measures",
    resolution: int = 32,
    seed: int = 0,
    max_triangles: int = 2_000_000,
    workers: int = 0,
    max_skipped: float = 0.5,
    object_seconds: float = 120.0,
    object_gigabytes: float = 4.0,
) -> str:
    """Turn printable objects into features: a grid, sizes, and shape in numbers.

    Args:
        meshes: Dataset of kind meshes.
        features: Dataset of kind features.
        feature_set: measures (a grid and measures), or points256 for 3D Net's picture of shuffled coordinates besides.
        resolution: Voxels along the grid's side, 8 to 256.
        seed: Of the order of points256's coordinates.
        max_triangles: Triangles of an object above which it is skipped.
        workers: Cores to work on; 0 for all that the process may use.
        max_skipped: Share of the objects that may be skipped before the stage fails, 0 to 1.
        object_seconds: Seconds of work on an object after which it is skipped.
        object_gigabytes: Memory of the process that works on an object above which it is skipped, in GB.
    """
    from components.extract_features import ExtractFeaturesSettings
    from components.extract_features.extract_features import extract_features as work
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import place_of

    with stage("extract_features"):
        settings = ExtractFeaturesSettings(
            feature_set=feature_set,
            resolution=resolution,
            seed=seed,
            max_triangles=max_triangles,
            workers=workers,
            max_skipped=max_skipped,
            object_seconds=object_seconds,
            object_gigabytes=object_gigabytes,
        )
        work(meshes.path, features.path, settings)
        return place_of(features.uri, features.path)
