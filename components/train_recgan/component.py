"""The typed spec of `train_recgan`."""

from typing import List  # noqa: UP035 - kfp reads the annotation

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("train_recgan"), install_kfp_package=False)
def train_recgan(
    renders: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    depths: dsl.Input[dsl.Dataset],
    voxels: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    model: dsl.Output[dsl.Model],
    reconstructions: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    input_resolution: int = 64,
    width: int = 64,
    bottleneck: int = 2000,
    steps: int = 50_000,
    batch_size: int = 4,
    learning_rate: float = 1e-4,
    critic_learning_rate: float = 5e-5,
    adversarial: float = 0.2,
    critic_start: int = 0,
    validate_every: int = 2000,
    seed: int = 0,
    workers: int = 0,
) -> None:
    """Train 3D-RecGAN++ from the 2.5D grid of one view to the whole shape, and reconstruct val and test.

    Args:
        renders: Datasets of kind renders.
        depths: Dataset of kind depths: the predicted ones.
        voxels: Datasets of kind voxels: the truth.
        model: The generator: weights, config, history, metrics.
        reconstructions: Dataset of kind reconstructions, all views of the val and test samples.
        metrics: IoU on val in the camera-frame cube, its threshold, throughput.
        input_resolution: Voxels along the 2.5D grid, a power of two from 8 on; shapes have four times as many.
        width: Channels of the encoder's first level.
        bottleneck: Units of the dense layer in the middle.
        steps: Batches to train on.
        batch_size: Views in a batch.
        learning_rate: Peak of the generator's schedule.
        critic_learning_rate: The discriminator's, constant.
        adversarial: The discriminator's share of the generator's loss, 0 to 1; 0 for none.
        critic_start: Steps before the discriminator joins in; with it a step takes three times as long.
        validate_every: Steps from one validation to the next.
        seed: Of the first weights and of the order.
        workers: Threads; 0 for all cores.
    """
    from components.train_recgan.train import train_recgan as train
    from shapeyard.contracts.measures import log_metrics
    from shapeyard.contracts.progress import stage

    with stage("train_recgan"):
        figures = train(
            [r.path for r in renders], depths.path, [v.path for v in voxels], model.path, reconstructions.path,
            input_resolution=input_resolution, width=width, bottleneck=bottleneck, steps=steps, batch_size=batch_size,
            learning_rate=learning_rate, critic_learning_rate=critic_learning_rate, adversarial=adversarial,
            critic_start=critic_start, validate_every=validate_every, seed=seed, workers=workers,
        )  # fmt: skip
        log_metrics(metrics, figures)
