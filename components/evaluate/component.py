"""The typed spec of `evaluate`, derived from the package by `shapeyard compile`: do not edit."""

from typing import Optional

from kfp import dsl


@dsl.component(base_image="shapeyard/evaluate:0.2.0", install_kfp_package=False)
def evaluate(
    meshes: dsl.Input[dsl.Dataset],
    renders: dsl.Input[dsl.Dataset],
    voxels: dsl.Input[dsl.Dataset],
    depths: dsl.Input[dsl.Dataset],
    reconstructions: dsl.Input[dsl.Dataset],
    class_predictions: dsl.Input[dsl.Dataset],
    reconstruction_predictions: dsl.Input[dsl.Dataset],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    confusion: dsl.Output[dsl.ClassificationMetrics],
    occupancy_reconstructions: Optional[dsl.Input[dsl.Dataset]] = None,  # noqa: UP045
) -> None:
    """Measure depth, reconstruction and classification on the test split, beside baselines without a network.

    Args:
        meshes: Datasets of kind meshes: what perfect voxels are held against.
        renders: Datasets of kind renders: the true depth and the cameras.
        voxels: Datasets of kind voxels: the true shapes.
        depths: Dataset of kind depths: the predicted depth.
        reconstructions: Dataset of kind reconstructions, val and test: 3D-RecGAN++'s.
        occupancy_reconstructions: The same by the pixel-aligned occupancy network, in the same cubes.
        class_predictions: Dataset of kind predictions: the classifier on the true shapes.
        reconstruction_predictions: Dataset of kind predictions: the classifier on the reconstructed shapes.
        evaluation: Folder with metrics.json and rows.csv.
        metrics: The key figures.
        confusion: The confusion matrix of the classifier on the true shapes.
    """
    from components.evaluate.evaluate import evaluate as work
    from shapeyard.contracts.measures import log_confusion, log_metrics
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import datasets_of

    with stage("evaluate"):
        found = work(
            datasets_of(meshes),
            datasets_of(renders),
            datasets_of(voxels),
            depths.path,
            reconstructions.path,
            occupancy_reconstructions and occupancy_reconstructions.path,
            class_predictions.path,
            reconstruction_predictions.path,
            evaluation.path,
        )
        log_metrics(metrics, found.figures)
        log_confusion(confusion, found.classes, found.confusion)
