"""The typed spec of `train_classifier`."""

from typing import List  # noqa: UP035 - kfp reads the annotation

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("train_classifier"), install_kfp_package=False)
def train_classifier(
    dataset: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    model: dsl.Output[dsl.Model],
    predictions: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    network: str = "xu2016",
    resolution: int = 32,
    padding: int = 0,
    epochs: int = 30,
    batch_size: int = 32,
    learning_rate: float = 0.001,
    weight_decay: float = 0.0,
    label_smoothing: float = 0.1,
    balance: float = 0.0,
    average: float = 0.0,
    keep_best: bool = True,
    shift: int = 2,
    stretch: float = 0.15,
    spoiled: float = 0.5,
    turned: bool = False,
    noise: float = 0.0,
    members: int = 1,
    folds: int = 0,
    fold: int = 0,
    duplicate_iou: float = 1.0,
    unlike_share: float = 0.05,
    checkpoints: str = "",
    seed: int = 0,
    workers: int = 0,
) -> None:
    """Train a network that names the class of an object, from its voxel grid or its features.

    Args:
        dataset: Datasets of kind voxels or features, whose grids' sides are multiples of the resolution.
        model: The classifier; its probabilities are calibrated on val.
        predictions: Dataset of kind predictions: every val and test sample.
        metrics: Accuracy and calibration on val, seconds, and more.
        network: xu2016, shapeyard, solid or points256.
        resolution: Side of the grids that the network sees, without the padding.
        padding: Empty voxels around the grid, on every side; xu2016 needs 30 voxels with them.
        epochs: Passes over the training split.
        batch_size: Samples in a batch.
        learning_rate: AdamW's at its height; it falls to 0.
        weight_decay: AdamW's.
        label_smoothing: Share of a label that is spread over all classes, 0 to 1.
        balance: How far classes of few samples are made up for, 0 (not at all) to 1 (every class weighs the same).
        average: Momentum of the moving average of the weights, which is what is kept; 0 for none.
        keep_best: Keep the epoch that is best on val instead of the last one.
        shift: Voxels by which a training grid is moved along each axis, at the most.
        stretch: Share by which a training grid is stretched along each axis, at the most.
        spoiled: Share of the training grids that is spoiled as reconstructions are, 0 to 1.
        turned: Turn training grids by right angles about the axis that points up, and mirror them.
        noise: Deviations of noise that is added to measures in training.
        members: Networks whose answers are averaged; each is validated on its own share of train and val.
        folds: Cut the samples anew into so many folds for cross-validation; 0 for the dataset's own splits.
        fold: Which fold is the test split.
        duplicate_iou: Samples this close to a held-out one are left out, 0 to 1; 1 for exact copies alone.
        unlike_share: Share of val that may be called unlike anything learned, 0 to 1.
        checkpoints: Folder or s3://bucket/prefix for what is needed to go on after an interruption; empty for none.
        seed: Of the first weights, the order and the augmentation.
        workers: Threads; 0 for all cores.
    """
    from components.train_classifier import train
    from shapeyard.contracts.measures import log_metrics
    from shapeyard.contracts.progress import stage

    with stage("train_classifier"):
        values = train.train_classifier(
            [part.path for part in dataset], model.path, predictions.path, network=network, resolution=resolution,
            padding=padding, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate,
            weight_decay=weight_decay, label_smoothing=label_smoothing, balance=balance, average=average,
            keep_best=keep_best, shift=shift, stretch=stretch, spoiled=spoiled, turned=turned, noise=noise,
            members=members, folds=folds, fold=fold, duplicate_iou=duplicate_iou, unlike_share=unlike_share,
            checkpoints=checkpoints, seed=seed, workers=workers,
        )  # fmt: skip
        log_metrics(metrics, values)
