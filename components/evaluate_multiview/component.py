"""The typed spec of `evaluate_multiview`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/evaluate-multiview:0.2.0", install_kfp_package=False)
def evaluate_multiview(
    meshes: dsl.Input[dsl.Dataset],
    renders: dsl.Input[dsl.Dataset],
    voxels: dsl.Input[dsl.Dataset],
    reconstructions: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    page: dsl.Output[dsl.HTML],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    title: str = "Reconstruction from several images",
) -> None:
    """Measure shapes reconstructed from one image and more on the test split, beside baselines, on one page.

    Args:
        meshes: Datasets of kind meshes: what perfect voxels are held against, where the source has meshes.
        renders: Datasets of kind renders: the images and their cameras.
        voxels: Datasets of kind voxels: the true shapes.
        reconstructions: Dataset of kind reconstructions, of train-multiview.
        model: The network.
        page: The page, one HTML file.
        evaluation: Folder with metrics.json and rows.csv.
        metrics: The key figures.
        title: The page's headline.
    """
    from components.evaluate_multiview import EvaluateMultiviewSettings
    from components.evaluate_multiview.evaluate_multiview import evaluate_multiview as work
    from shapeyard.contracts.measures import log_metrics
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import datasets_of

    with stage("evaluate_multiview"):
        settings = EvaluateMultiviewSettings(
            title=title,
        )
        found = work(
            datasets_of(meshes),
            datasets_of(renders),
            datasets_of(voxels),
            reconstructions.path,
            model.path,
            page.path,
            evaluation.path,
            settings,
        )
        log_metrics(metrics, found.figures)
