"""The typed spec of `train_recgan`, derived from the package by `shapeyard compile`: do not edit."""

from typing import Optional

from kfp import dsl


@dsl.component(base_image="shapeyard/train-recgan:0.2.0", install_kfp_package=False)
def train_recgan(
    model: dsl.Output[dsl.Model],
    reconstructions: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    renders: Optional[dsl.Input[dsl.Dataset]] = None,  # noqa: UP045
    depths: Optional[dsl.Input[dsl.Dataset]] = None,  # noqa: UP045
    voxels: Optional[dsl.Input[dsl.Dataset]] = None,  # noqa: UP045
    batch_size: int = 4,
    learning_rate: float = 0.0001,
    pairs: str = "",
    depth_source: str = "predicted",
    input_resolution: int = 64,
    width: int = 64,
    bottleneck: int = 2000,
    accumulate: int = 1,
    recompute: bool = False,
    discriminator_learning_rate: float = 5e-05,
    occupied_weight: float = 0.85,
    floor: float = 0.01,
    adversarial: float = 0.2,
    discriminator: str = "scaled",
    discriminator_start: int = 0,
    gradient_penalty: float = 10.0,
    mirror: bool = True,
    views_per_object: int = 0,
    cache_megabytes: int = 2000,
    steps: int = 50_000,
    validate_every: int = 2000,
    patience: int = 0,
    checkpoints: str = "",
    checkpoint_minutes: float = 5.0,
    seed: int = 0,
    workers: int = 0,
) -> None:
    """Train 3D-RecGAN++ from the 2.5D grid of one view to the whole shape, and reconstruct val and test.

    Args:
        renders: Datasets of kind renders: the cameras and the true depth.
        depths: Dataset of kind depths: the predicted ones.
        voxels: Datasets of kind voxels: the truth.
        model: The generator: weights, config, history, metrics.
        reconstructions: Dataset of kind reconstructions: views of the val and test samples.
        metrics: IoU on val in the camera-frame cube, its threshold, throughput.
        batch_size: Examples in a batch, of all GPUs together.
        learning_rate: Peak of the schedule: a linear rise over the first steps, then half a cosine down to 0.
        pairs: Folder of the pairs that 3D-RecGAN++ was published with, to train on instead of renders, depths, voxels.
        depth_source: The depth that training grids are lifted by: predicted, true, or both (a grid from each).
        input_resolution: Voxels along the 2.5D grid, a power of two from 8 on; shapes have four times as many.
        width: Channels of the encoder's first level.
        bottleneck: Units of the dense layer in the middle.
        accumulate: Parts that a batch goes through the networks in, for less memory.
        recompute: Keep each layer's input alone for the backward pass, for less memory and more time.
        discriminator_learning_rate: The discriminator's, constant.
        occupied_weight: Weight of occupied voxels in the cross entropy; empty ones have the rest to 1.
        floor: The least probability in the cross entropy; 0.01 in the paper's code.
        adversarial: The discriminator's share of the generator's loss, 0 to below 1; 0 for training without a
            discriminator.
        discriminator: Form of the discriminator: scaled, or paper to the letter.
        discriminator_start: Steps before the discriminator joins in; with it a step takes three times as long.
        gradient_penalty: Weight of the gradient penalty in the discriminator's loss.
        mirror: Show every other pair as its mirror image.
        views_per_object: Views of a val or test sample that are validated and reconstructed; 0 for all.
        cache_megabytes: Training pairs that take no more, at a bit a voxel, stay in memory once made.
        steps: Batches to train on.
        validate_every: Steps from one validation to the next.
        patience: Validations in a row without a better one after which the training stops; 0 for never.
        checkpoints: Folder or s3://bucket/prefix for what is needed to resume after an interruption; empty for none. A
            pipeline's preset or --param may say auto: shapeyard-checkpoints in the source's bucket, none for another
            source.
        checkpoint_minutes: Minutes from one checkpoint to the next.
        seed: Of the first weights, the order of the examples and the augmentation.
        workers: Threads; 0 for all cores.
    """
    from components.train_recgan import TrainRecganSettings
    from components.train_recgan.train_recgan import train_recgan as work
    from shapeyard.contracts.measures import log_metrics
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import datasets_of

    with stage("train_recgan"):
        settings = TrainRecganSettings(
            batch_size=batch_size,
            learning_rate=learning_rate,
            pairs=pairs,
            depth_source=depth_source,
            input_resolution=input_resolution,
            width=width,
            bottleneck=bottleneck,
            accumulate=accumulate,
            recompute=recompute,
            discriminator_learning_rate=discriminator_learning_rate,
            occupied_weight=occupied_weight,
            floor=floor,
            adversarial=adversarial,
            discriminator=discriminator,
            discriminator_start=discriminator_start,
            gradient_penalty=gradient_penalty,
            mirror=mirror,
            views_per_object=views_per_object,
            cache_megabytes=cache_megabytes,
            steps=steps,
            validate_every=validate_every,
            patience=patience,
            checkpoints=checkpoints,
            checkpoint_minutes=checkpoint_minutes,
            seed=seed,
            workers=workers,
        )
        found = work(
            datasets_of(renders),
            depths and depths.path,
            datasets_of(voxels),
            model.path,
            reconstructions.path,
            settings,
        )
        log_metrics(metrics, found.figures)
