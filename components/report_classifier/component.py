"""The typed spec of `report_classifier`."""

from typing import List  # noqa: UP035 - kfp reads the annotation

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("report_classifier"), install_kfp_package=False)
def report_classifier(
    dataset: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    predictions: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    page: dsl.Output[dsl.HTML],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    confusion: dsl.Output[dsl.ClassificationMetrics],
    title: str = "Classification",
) -> None:
    """Measure a classifier on its test split and put it on one page that needs nothing but a browser.

    Args:
        dataset: Datasets of kind voxels or features: what the classifier learned from.
        predictions: Dataset of kind predictions, of train-classifier.
        model: The classifier.
        page: The page, one HTML file.
        evaluation: Folder with metrics.json and per_sample.csv.
        metrics: The key figures.
        confusion: The confusion matrix of the test split.
        title: The page's headline.
    """
    from components.report_classifier.report_classifier import report_classifier as write
    from shapeyard.contracts.measures import log_confusion, log_metrics
    from shapeyard.contracts.progress import stage

    with stage("report_classifier"):
        measured = write([d.path for d in dataset], predictions.path, model.path, page.path, evaluation.path, title)
        log_metrics(metrics, measured.figures())
        log_confusion(confusion, measured.classes, measured.matrix.tolist())
