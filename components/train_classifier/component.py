"""The typed spec of `train_classifier`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/train-classifier:0.2.0", install_kfp_package=False)
def train_classifier(
    dataset: dsl.Input[dsl.Dataset],
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
    class_balance_exponent: float = 0.0,
    ema_decay: float = 0.0,
    restore_best: bool = True,
    shift: int = 2,
    stretch: float = 0.15,
    corruption_probability: float = 0.5,
    augment_rotation: bool = False,
    noise: float = 0.0,
    ensemble_members: int = 1,
    folds: int = 0,
    fold: int = 0,
    duplicate_iou: float = 1.0,
    ood_rate: float = 0.05,
    one_class: str = "refuse",
    checkpoints: str = "",
    checkpoint_minutes: float = 5.0,
    seed: int = 0,
    workers: int = 0,
) -> None:
    """Train a network that names the class of an object, from its voxel grid or its features.

    Args:
        dataset: Datasets of kind voxels or features, whose grids' sides are multiples of the resolution.
        model: The classifier; its probabilities are calibrated on val.
        predictions: Dataset of kind predictions: every val and test sample.
        metrics: Accuracy and calibration on val, seconds, and more.
        network: xu2016, projection_cnn, measures_net or points256.
        resolution: Side of the grids that the network sees, without the padding.
        padding: Empty voxels around the grid, on every side; xu2016 needs 30 voxels with them.
        epochs: Passes over the training split.
        batch_size: Samples in a batch.
        learning_rate: AdamW's at its height; it falls to 0.
        weight_decay: AdamW's.
        label_smoothing: Share of a label that is spread over all classes, 0 to 1.
        class_balance_exponent: How far classes of few samples weigh more, 0 (not at all) to 1 (every class weighs the
            same).
        ema_decay: Of the exponential moving average of the weights, which is what is kept; 0 for none.
        restore_best: Keep the epoch that is best on val instead of the last one.
        shift: Voxels by which a training grid is moved along each axis, at the most.
        stretch: Share by which a training grid is stretched along each axis, at the most.
        corruption_probability: Share of the training grids that is corrupted as reconstructions are, 0 to 1.
        augment_rotation: Show training grids rotated by right angles about the axis that points up, and flipped.
        noise: Standard deviations of noise that is added to measures in training.
        ensemble_members: Networks whose logits are averaged; each is validated on its own share of train and val.
        folds: Cut the samples anew into so many folds for cross-validation; 0 for the dataset's own splits.
        fold: Which fold is the test split.
        duplicate_iou: Samples this close to a held-out one are left out, 0 to 1; 1 for exact copies alone.
        ood_rate: Share of val that may be rejected as out-of-distribution, 0 to 1.
        one_class: Where there is but one class to train on: refuse it, or leave-out the classifier and say so.
        checkpoints: Folder or s3://bucket/prefix for what is needed to resume after an interruption; empty for none. A
            pipeline's preset or --param may say auto: shapeyard-checkpoints in the source's bucket, none for another
            source.
        checkpoint_minutes: Minutes from one checkpoint to the next.
        seed: Of the first weights, the order of the examples and the augmentation.
        workers: Threads; 0 for all cores.
    """
    from components.train_classifier import TrainClassifierSettings
    from components.train_classifier.train_classifier import train_classifier as work
    from shapeyard.contracts.measures import log_metrics
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import datasets_of

    with stage("train_classifier"):
        settings = TrainClassifierSettings(
            network=network,
            resolution=resolution,
            padding=padding,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            label_smoothing=label_smoothing,
            class_balance_exponent=class_balance_exponent,
            ema_decay=ema_decay,
            restore_best=restore_best,
            shift=shift,
            stretch=stretch,
            corruption_probability=corruption_probability,
            augment_rotation=augment_rotation,
            noise=noise,
            ensemble_members=ensemble_members,
            folds=folds,
            fold=fold,
            duplicate_iou=duplicate_iou,
            ood_rate=ood_rate,
            one_class=one_class,
            checkpoints=checkpoints,
            checkpoint_minutes=checkpoint_minutes,
            seed=seed,
            workers=workers,
        )
        found = work(datasets_of(dataset), model.path, predictions.path, settings)
        log_metrics(metrics, found.figures)
