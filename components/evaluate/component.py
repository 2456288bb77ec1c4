"""The typed spec of `evaluate`."""

from typing import List  # noqa: UP035 - kfp reads the annotation

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("evaluate"), install_kfp_package=False)
def evaluate(
    meshes: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    renders: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    voxels: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    depths: dsl.Input[dsl.Dataset],
    reconstructions: dsl.Input[dsl.Dataset],
    class_predictions: dsl.Input[dsl.Dataset],
    recognized: dsl.Input[dsl.Dataset],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    confusion: dsl.Output[dsl.ClassificationMetrics],
) -> None:
    """Measure depth, reconstruction and classification on the test split, beside baselines without a network.

    Args:
        meshes: Datasets of kind meshes: what perfect voxels are held against.
        renders: Datasets of kind renders: the true depth and the cameras.
        voxels: Datasets of kind voxels: the true shapes.
        depths: Dataset of kind depths: the predicted depth.
        reconstructions: Dataset of kind reconstructions, val and test samples.
        class_predictions: Dataset of kind predictions: the classifier on the true shapes.
        recognized: Dataset of kind predictions: the classifier on the reconstructed shapes.
        evaluation: Folder with metrics.json, per_class.csv, per_sample.csv and per_view.csv.
        metrics: The key figures.
        confusion: The confusion matrix of the classifier on the true shapes.
    """
    from components.evaluate.evaluate import Inputs, evaluate_models
    from shapeyard.contracts.measures import log_confusion, log_metrics
    from shapeyard.contracts.progress import stage

    with stage("evaluate"):
        shards = ([m.path for m in meshes], [r.path for r in renders], [v.path for v in voxels])
        inputs = Inputs(*shards, depths.path, reconstructions.path, class_predictions.path, recognized.path)
        result = evaluate_models(inputs, evaluation.path)
        log_metrics(metrics, result.figures)
        log_confusion(confusion, result.classes, result.confusion)
