"""The typed spec of `train_depth`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/train-depth:0.2.0", install_kfp_package=False)
def train_depth(
    renders: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    depths: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    steps: int = 20_000,
    validate_every: int = 1000,
    width: int = 64,
    scale_invariant: float = 0.0,
    color_jitter: float = 0.0,
    random_background: float = 0.0,
    random_crop: float = 0.0,
    compiled: bool = False,
    batch_size: int = 8,
    learning_rate: float = 0.001,
    patience: int = 0,
    checkpoints: str = "",
    checkpoint_minutes: float = 5.0,
    seed: int = 0,
    workers: int = 0,
) -> None:
    """Train the U-Net that estimates depth from one image, and predict the depth of every view.

    Args:
        renders: Datasets of kind renders; image sizes divide by 8.
        model: The network: weights, config, history, metrics.
        depths: Dataset of kind depths, every view of every sample.
        metrics: RMSE on val in canonical units, throughput.
        steps: Batches to train on.
        validate_every: Steps from one validation to the next.
        width: Channels of the first of the four levels; each further one doubles them.
        scale_invariant: Weight of the scale-invariant error beside the squared one; 0 for none.
        color_jitter: Share by which a training view's colours change at the most, 0 to 1.
        random_background: Share of the training views whose edges hold some of a background, 0 to 1.
        random_crop: Share by which training views are smaller in height and width, 0 to below 1.
        compiled: Let torch compile the network; needs a C++ compiler on the machine.
        batch_size: Examples in a batch, of all GPUs together.
        learning_rate: Peak of the schedule: a linear rise over the first steps, then half a cosine down to 0.
        patience: Validations in a row without a better one after which the training stops; 0 for never.
        checkpoints: Folder or s3://bucket/prefix for what is needed to resume after an interruption; empty for none. A
            pipeline's preset or --param may say auto: shapeyard-checkpoints in the source's bucket, none for another
            source.
        checkpoint_minutes: Minutes from one checkpoint to the next.
        seed: Of the first weights, the order of the examples and the augmentation.
        workers: Threads; 0 for all cores.
    """
    from components.train_depth import TrainDepthSettings
    from components.train_depth.train_depth import train_depth as work
    from shapeyard.contracts.measures import log_metrics
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import datasets_of

    with stage("train_depth"):
        settings = TrainDepthSettings(
            steps=steps,
            validate_every=validate_every,
            width=width,
            scale_invariant=scale_invariant,
            color_jitter=color_jitter,
            random_background=random_background,
            random_crop=random_crop,
            compiled=compiled,
            batch_size=batch_size,
            learning_rate=learning_rate,
            patience=patience,
            checkpoints=checkpoints,
            checkpoint_minutes=checkpoint_minutes,
            seed=seed,
            workers=workers,
        )
        found = work(datasets_of(renders), model.path, depths.path, settings)
        log_metrics(metrics, found.figures)
