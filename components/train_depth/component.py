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
    validate_every: int = 1000,
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
        batch_size: Views in a batch.
        learning_rate: Peak of the schedule.
        validate_every: Steps from one validation to the next.
        seed: Of the first weights and of the order.
        workers: Threads; 0 for all cores.
    """
    from components.train_depth.train import train_depth as train
    from shapeyard.contracts.measures import log_metrics
    from shapeyard.contracts.progress import stage

    with stage("train_depth"):
        figures = train(
            [r.path for r in renders], model.path, depths.path, width=width, steps=steps, batch_size=batch_size,
            learning_rate=learning_rate, validate_every=validate_every, seed=seed, workers=workers,
        )  # fmt: skip
        log_metrics(metrics, figures)
