"""The typed spec of `reconstruct_surfaces`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/reconstruct-surfaces:0.2.0", install_kfp_package=False)
def reconstruct_surfaces(
    sdf: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    surfaces: dsl.Output[dsl.Dataset],
    interpolations: dsl.Output[dsl.Dataset],
    search_steps: int = 800,
    search_samples: int = 8000,
    search_learning_rate: float = 0.005,
    search_regularization: float = 0.0001,
    batch_size: int = 8,
    resolution: int = 256,
    known_objects: int = 32,
    pairs: int = 4,
    seed: int = 0,
    workers: int = 0,
) -> None:
    """Reconstruct shapes from what is known of them, by their codes: the samples, half a cloud, one depth map.

    Args:
        sdf: Datasets of kind sdf.
        model: The decoder, of train-deepsdf.
        surfaces: Dataset of kind surfaces: val and test from each input, some of train.
        interpolations: Dataset of kind surfaces: from one test object to another.
        search_steps: Steps in which a code is found.
        search_samples: Samples of a shape in each of them.
        search_learning_rate: A tenth of it from the half of the steps on.
        search_regularization: Weight of a code's mean square.
        batch_size: Shapes whose codes are found at a time.
        resolution: Cells along a side of the grid that a surface is extracted from, [−1, 1]³.
        known_objects: Objects of the training split that are extracted from the codes of the training.
        pairs: Pairs of test objects between which is interpolated.
        seed: Of what is drawn.
        workers: Threads; 0 for all cores.
    """
    from components.reconstruct_surfaces import ReconstructSurfacesSettings
    from components.reconstruct_surfaces.reconstruct_surfaces import reconstruct_surfaces as work
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import datasets_of

    with stage("reconstruct_surfaces"):
        settings = ReconstructSurfacesSettings(
            search_steps=search_steps,
            search_samples=search_samples,
            search_learning_rate=search_learning_rate,
            search_regularization=search_regularization,
            batch_size=batch_size,
            resolution=resolution,
            known_objects=known_objects,
            pairs=pairs,
            seed=seed,
            workers=workers,
        )
        work(datasets_of(sdf), model.path, surfaces.path, interpolations.path, settings)
