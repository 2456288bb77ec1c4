"""The typed spec of `recognize`."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("recognize"), install_kfp_package=False)
def recognize(
    model: dsl.Input[dsl.Model],
    reconstructions: dsl.Input[dsl.Dataset],
    predictions: dsl.Output[dsl.Dataset],
    threshold: float = 0.0,
    workers: int = 0,
) -> None:
    """Show the classifier the shapes that were reconstructed.

    Args:
        model: The classifier, of train-classifier.
        reconstructions: Dataset of kind reconstructions.
        predictions: Dataset of kind predictions: every view of the val and test samples.
        threshold: Probability from which a voxel is occupied, above 0 and below 1; 0 for the best one on val.
        workers: Threads; 0 for all cores.
    """
    from components.recognize.recognize import recognize as show
    from shapeyard.contracts.progress import stage

    with stage("recognize"):
        show(model.path, reconstructions.path, predictions.path, threshold=threshold, workers=workers)
