"""The typed spec of `train_occupancy`, derived from the package by `shapeyard compile`: do not edit."""

from typing import Optional

from kfp import dsl


@dsl.component(base_image="shapeyard/train-occupancy:0.2.0", install_kfp_package=False)
def train_occupancy(
    renders: dsl.Input[dsl.Dataset],
    voxels: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    reconstructions: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    depths: Optional[dsl.Input[dsl.Dataset]] = None,  # noqa: UP045
    learning_rate: float = 0.002,
    width: int = 16,
    hidden: int = 160,
    points: int = 1024,
    depth_weight: float = 0.3,
    ema_decay: float = 0.998,
    resolution: int = 64,
    views_per_object: int = 0,
    steps: int = 50_000,
    batch_size: int = 8,
    validate_every: int = 2000,
    patience: int = 0,
    checkpoints: str = "",
    checkpoint_minutes: float = 5.0,
    seed: int = 0,
    workers: int = 0,
) -> None:
    """Train the pixel-aligned occupancy network from one image to the whole shape, and reconstruct val and test.

    Args:
        renders: Datasets of kind renders.
        voxels: Datasets of kind voxels: the truth.
        depths: Dataset of kind depths: what the cubes of the reconstructions are put around; without it the network's
            own depth.
        model: The network: weights, config, history, metrics.
        reconstructions: Dataset of kind reconstructions: views of the val and test samples.
        metrics: IoU on val in the camera-frame cube, its threshold, throughput.
        learning_rate: Peak of the schedule: a linear rise over the first steps, then half a cosine down to 0.
        width: Channels of the encoder's first level; the last ones have eight times as many.
        hidden: Features of a pixel, and units of the perceptron that reads them at a point.
        points: Points of a view that a step asks about.
        depth_weight: Weight of the error of the visible surface's depth beside the cross entropy.
        ema_decay: Decay of the exponential moving average of the weights, which is what is validated and kept.
        resolution: Voxels along a side of what is reconstructed.
        views_per_object: Views of a val or test sample that are reconstructed; 0 for all.
        steps: Batches to train on.
        batch_size: Examples in a batch, of all GPUs together.
        validate_every: Steps from one validation to the next.
        patience: Validations in a row without a better one after which the training stops; 0 for never.
        checkpoints: Folder or s3://bucket/prefix for what is needed to resume after an interruption; empty for none. A
            pipeline's preset or --param may say auto: shapeyard-checkpoints in the source's bucket, none for another
            source.
        checkpoint_minutes: Minutes from one checkpoint to the next.
        seed: Of the first weights, the order of the examples and the augmentation.
        workers: Threads; 0 for all cores.
    """
    from components.train_occupancy import TrainOccupancySettings
    from components.train_occupancy.train_occupancy import train_occupancy as work
    from shapeyard.contracts.measures import log_metrics
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import datasets_of

    with stage("train_occupancy"):
        settings = TrainOccupancySettings(
            learning_rate=learning_rate,
            width=width,
            hidden=hidden,
            points=points,
            depth_weight=depth_weight,
            ema_decay=ema_decay,
            resolution=resolution,
            views_per_object=views_per_object,
            steps=steps,
            batch_size=batch_size,
            validate_every=validate_every,
            patience=patience,
            checkpoints=checkpoints,
            checkpoint_minutes=checkpoint_minutes,
            seed=seed,
            workers=workers,
        )
        found = work(
            datasets_of(renders),
            datasets_of(voxels),
            depths and depths.path,
            model.path,
            reconstructions.path,
            settings,
        )
        log_metrics(metrics, found.figures)
