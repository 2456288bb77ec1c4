"""The typed spec of `train_classifier`."""

from typing import List  # noqa: UP035 - kfp reads the annotation

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("train_classifier"), install_kfp_package=False)
def train_classifier(
    voxels: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    model: dsl.Output[dsl.Model],
    predictions: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    network: str = "xu2016",
    resolution: int = 32,
    epochs: int = 30,
    batch_size: int = 32,
    learning_rate: float = 0.001,
    label_smoothing: float = 0.1,
    shift: int = 2,
    stretch: float = 0.15,
    spoiled: float = 0.5,
    balanced: bool = False,
    duplicate_iou: float = 1.0,
    seed: int = 0,
    workers: int = 0,
) -> None:
    """Train a network that names the class of a voxel grid.

    Args:
        voxels: Datasets of kind voxels, whose sides are multiples of the resolution.
        model: The classifier.
        predictions: Dataset of kind predictions: every val and test sample.
        metrics: Accuracy on val, seconds, and more.
        network: xu2016.
        resolution: Side of the grids that the network sees, at least 30.
        epochs: Passes over the training split; the best one on val is kept.
        batch_size: Grids in a batch.
        learning_rate: Adam's at the start; it falls to 0.
        label_smoothing: Share of a label that is spread over all classes, 0 to 1.
        shift: Voxels by which a training grid is moved along each axis, at the most.
        stretch: Share by which a training grid is stretched along each axis, at the most.
        spoiled: Share of the training grids that is spoiled as reconstructions are, 0 to 1.
        balanced: Let every class weigh the same, however many samples it has.
        duplicate_iou: Training grids this close to a val or test grid are left out, 0 to 1; 1 for exact copies alone.
        seed: Of the first weights, the order and the augmentation.
        workers: Threads; 0 for all cores.
    """
    from components.train_classifier import train
    from shapeyard.contracts.measures import log_metrics
    from shapeyard.contracts.progress import stage

    with stage("train_classifier"):
        values = train.train_classifier(
            [dataset.path for dataset in voxels], model.path, predictions.path, network=network, resolution=resolution,
            epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, label_smoothing=label_smoothing,
            shift=shift, stretch=stretch, spoiled=spoiled, balanced=balanced, duplicate_iou=duplicate_iou,
            seed=seed, workers=workers,
        )  # fmt: skip
        log_metrics(metrics, values)
