"""The typed spec of `train_deepsdf`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/train-deepsdf:0.2.0", install_kfp_package=False)
def train_deepsdf(
    sdf: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    steps: int = 100_000,
    batch_size: int = 64,
    samples_per_scene: int = 16_384,
    learning_rate: float = 0.0005,
    code_learning_rate: float = 0.001,
    schedule: str = "halving",
    network: str = "deepsdf",
    code_length: int = 256,
    width: int = 512,
    dropout: float = 0.2,
    plane_features: int = 16,
    plane_resolution: int = 64,
    code_regularization: float = 0.0001,
    refit_steps: int = 0,
    val_objects: int = 8,
    validate_every: int = 2000,
    patience: int = 0,
    checkpoints: str = "",
    checkpoint_minutes: float = 5.0,
    seed: int = 0,
    workers: int = 0,
) -> None:
    """Train a network that holds shapes as codes, DeepSDF's or a tri-plane decoder, from samples of signed distances.

    Args:
        sdf: Datasets of kind sdf.
        model: The decoder with the codes of the training split.
        metrics: Error on train and val, throughput.
        steps: Batches to train on.
        batch_size: Scenes (shapes) in a batch, of all GPUs together.
        samples_per_scene: Samples of each of them, half outside and half inside.
        learning_rate: Of the decoder, at its peak.
        code_learning_rate: Of the codes, at its peak.
        schedule: halving (the paper's: half of both rates after each quarter of the steps) or cosine.
        network: deepsdf (the paper's decoder) or triplane (codes decoded into three planes of features).
        code_length: Numbers that hold a shape.
        width: Of the hidden layers; for triplane of the finest level, a multiple of 8.
        dropout: Of deepsdf's hidden units.
        plane_features: Channels of each of triplane's planes.
        plane_resolution: Cells along a side of triplane's planes.
        code_regularization: Weight of the codes' length in the loss; it rises from 0 over the first twentieth of the
            steps.
        refit_steps: Steps in which each code of the training is found once more, for the decoder as it ended; 0 for
            none.
        val_objects: Objects of the validation split whose codes are found at a validation.
        validate_every: Steps from one validation to the next.
        patience: Validations in a row without a better one after which the training stops; 0 for never.
        checkpoints: Folder or s3://bucket/prefix for what is needed to resume after an interruption; empty for none. A
            pipeline's preset or --param may say auto: shapeyard-checkpoints in the source's bucket, none for another
            source.
        checkpoint_minutes: Minutes from one checkpoint to the next.
        seed: Of the first weights, the order of the examples and the augmentation.
        workers: Threads; 0 for all cores.
    """
    from components.train_deepsdf import TrainDeepsdfSettings
    from components.train_deepsdf.train_deepsdf import train_deepsdf as work
    from shapeyard.contracts.measures import log_metrics
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import datasets_of

    with stage("train_deepsdf"):
        settings = TrainDeepsdfSettings(
            steps=steps,
            batch_size=batch_size,
            samples_per_scene=samples_per_scene,
            learning_rate=learning_rate,
            code_learning_rate=code_learning_rate,
            schedule=schedule,
            network=network,
            code_length=code_length,
            width=width,
            dropout=dropout,
            plane_features=plane_features,
            plane_resolution=plane_resolution,
            code_regularization=code_regularization,
            refit_steps=refit_steps,
            val_objects=val_objects,
            validate_every=validate_every,
            patience=patience,
            checkpoints=checkpoints,
            checkpoint_minutes=checkpoint_minutes,
            seed=seed,
            workers=workers,
        )
        found = work(datasets_of(sdf), model.path, settings)
        log_metrics(metrics, found.figures)
