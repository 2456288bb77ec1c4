"""The typed spec of `classify_reconstructions`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/classify-reconstructions:0.2.0", install_kfp_package=False)
def classify_reconstructions(
    model: dsl.Input[dsl.Model],
    reconstructions: dsl.Input[dsl.Dataset],
    predictions: dsl.Output[dsl.Dataset],
    threshold: float = 0.0,
    workers: int = 0,
) -> None:
    """Name the class of the shapes that were reconstructed, with a trained classifier.

    Args:
        model: The classifier, of train-classifier.
        reconstructions: Dataset of kind reconstructions.
        predictions: Dataset of kind predictions: every view of the val and test samples.
        threshold: Probability from which a voxel is occupied, above 0 and below 1; 0 for the best one on val.
        workers: Threads; 0 for all cores.
    """
    from components.classify_reconstructions import ClassifyReconstructionsSettings
    from components.classify_reconstructions.classify_reconstructions import classify_reconstructions as work
    from shapeyard.contracts.progress import stage

    with stage("classify_reconstructions"):
        settings = ClassifyReconstructionsSettings(
            threshold=threshold,
            workers=workers,
        )
        work(model.path, reconstructions.path, predictions.path, settings)
