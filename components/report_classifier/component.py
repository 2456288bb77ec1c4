"""The typed spec of `report_classifier`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/report-classifier:0.2.0", install_kfp_package=False)
def report_classifier(
    dataset: dsl.Input[dsl.Dataset],
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
        dataset: Datasets of kind voxels or features: what the classifier was trained on.
        predictions: Dataset of kind predictions, of train-classifier.
        model: The classifier.
        page: The page, one HTML file.
        evaluation: Folder with metrics.json and rows.csv.
        metrics: The key figures.
        confusion: The confusion matrix of the test split.
        title: The page's headline.
    """
    from components.report_classifier import ReportClassifierSettings
    from components.report_classifier.report_classifier import report_classifier as work
    from shapeyard.contracts.measures import log_confusion, log_metrics
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import datasets_of

    with stage("report_classifier"):
        settings = ReportClassifierSettings(
            title=title,
        )
        found = work(datasets_of(dataset), predictions.path, model.path, page.path, evaluation.path, settings)
        log_metrics(metrics, found.figures)
        log_confusion(confusion, found.classes, found.confusion)
