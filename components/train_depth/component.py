"""The typed spec of `train_depth`."""

from typing import List  # noqa: UP035 - kfp reads the annotation

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("train_depth"), install_kfp_package=False)
def train_depth(
    renders: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    model: dsl.Output[dsl.Model],
    depths: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    width: int = 64,
    steps: int = 20_000,
    batch_size: int = 8,
    learning_rate: float = 1e-3,
    scale_invariant: float = 0.0,
    color_jitter: float = 0.0,
    random_background: float = 0.0,
    random_crop: float = 0.0,
    compiled: bool = False,
    validate_every: int = 1000,
    patience: int = 0,
    checkpoints: str = "",
    checkpoint_minutes: float = 10.0,
    seed: int = 0,
    workers: int = 0,
) -> None:
    """Train the U-Net that estimates depth from one image, and predict the depth of every view.

    Args:
        renders: Datasets of kind renders; image sizes divide by 8.
        model: The network: weights, config, history, metrics.
        depths: Dataset of kind depths, every view of every sample.
        metrics: RMSE on val in canonical units, throughput.
        width: Channels of the first of the four levels; each further one doubles them.
        steps: Batches to train on.
        batch_size: Views in a batch, of all GPUs together.
        learning_rate: Peak of the schedule.
        scale_invariant: Weight of the scale-invariant error beside the squared one; 0 for none.
        color_jitter: Share by which a training view's colours change at the most, 0 to 1.
        random_background: Share of the training views whose edges hold some of a background, 0 to 1.
        random_crop: Share by which training views are smaller in height and width, 0 to below 1.
        compiled: Let torch compile the network; needs a C++ compiler on the machine.
        validate_every: Steps from one validation to the next.
        patience: Validations in a row without a better one after which it stops; 0 for never.
        checkpoints: Folder or s3://bucket/prefix for what is needed to go on after an interruption; empty for none.
        checkpoint_minutes: From one checkpoint to the next.
        seed: Of the first weights, the order and the augmentation.
        workers: Threads; 0 for all cores.
    """
    from components.train_depth.train import train_depth as train
    from shapeyard.contracts.measures import log_metrics
    from shapeyard.contracts.progress import stage

    with stage("train_depth"):
        figures = train(
            [r.path for r in renders], model.path, depths.path, width=width, steps=steps, batch_size=batch_size,
            learning_rate=learning_rate, scale_invariant=scale_invariant, color_jitter=color_jitter,
            random_background=random_background, random_crop=random_crop, compiled=compiled,
            validate_every=validate_every, patience=patience, checkpoints=checkpoints,
            checkpoint_minutes=checkpoint_minutes, seed=seed, workers=workers,
        )  # fmt: skip
        log_metrics(metrics, figures)
