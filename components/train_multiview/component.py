"""The typed spec of `train_multiview`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/train-multiview:0.2.0", install_kfp_package=False)
def train_multiview(
    renders: dsl.Input[dsl.Dataset],
    voxels: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    reconstructions: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    steps: int = 60_000,
    batch_size: int = 24,
    learning_rate: float = 0.0001,
    crop_size: int = 127,
    width: int = 96,
    encoder: str = "residual",
    recurrent_unit: str = "gru",
    kernel: int = 3,
    decoder: str = "residual",
    detach: bool = False,
    min_views: int = 1,
    max_views: int = 5,
    augment: bool = True,
    background: str = "random",
    validate_every: int = 2000,
    patience: int = 0,
    checkpoints: str = "",
    checkpoint_minutes: float = 5.0,
    seed: int = 0,
    workers: int = 0,
) -> None:
    """Train 3D-R2N2 from one or several images of an object to its shape, and reconstruct val and test.

    Args:
        renders: Datasets of kind renders, or external renderings (layout r2n2).
        voxels: Datasets of kind voxels: the truth, at 32 voxels a side or a multiple of it.
        model: The network: weights, config, history, metrics.
        reconstructions: Dataset of kind reconstructions: the val and test samples after 1, 2, 3, 5 and 12 views.
        metrics: IoU on val by number of views, its threshold, throughput.
        steps: Batches to train on.
        batch_size: Examples in a batch, of all GPUs together.
        learning_rate: Peak of the schedule: a linear rise over the first steps, then half a cosine down to 0.
        crop_size: Pixels along the part of an image that the network sees; plain encoders take 64 and more.
        width: Channels of the encoder's first level, a multiple of 12; all others change with it.
        encoder: plain (six convolutions) or residual (twelve, with residual connections).
        recurrent_unit: lstm or gru.
        kernel: 3 if the recurrent unit's cells see their neighbours, 1 if not.
        decoder: plain (without nonlinearities, as a reimplementation has it) or residual.
        detach: Cut the gradient between views, as a reimplementation did, to compare.
        min_views: The fewest views that a step shows.
        max_views: The most; each step draws a number.
        augment: Show any part of the image and mirror half of the objects; false for the middle, as it is.
        background: Behind transparent images: white, or random (a colour for each image).
        validate_every: Steps from one validation to the next.
        patience: Validations in a row without a better one after which the training stops; 0 for never.
        checkpoints: Folder or s3://bucket/prefix for what is needed to resume after an interruption; empty for none. A
            pipeline's preset or --param may say auto: shapeyard-checkpoints in the source's bucket, none for another
            source.
        checkpoint_minutes: Minutes from one checkpoint to the next.
        seed: Of the first weights, the order of the examples and the augmentation.
        workers: Threads; 0 for all cores.
    """
    from components.train_multiview import TrainMultiviewSettings
    from components.train_multiview.train_multiview import train_multiview as work
    from shapeyard.contracts.measures import log_metrics
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import datasets_of

    with stage("train_multiview"):
        settings = TrainMultiviewSettings(
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            crop_size=crop_size,
            width=width,
            encoder=encoder,
            recurrent_unit=recurrent_unit,
            kernel=kernel,
            decoder=decoder,
            detach=detach,
            min_views=min_views,
            max_views=max_views,
            augment=augment,
            background=background,
            validate_every=validate_every,
            patience=patience,
            checkpoints=checkpoints,
            checkpoint_minutes=checkpoint_minutes,
            seed=seed,
            workers=workers,
        )
        found = work(datasets_of(renders), datasets_of(voxels), model.path, reconstructions.path, settings)
        log_metrics(metrics, found.figures)
