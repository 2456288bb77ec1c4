"""The typed spec of `evaluate_implicit`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/evaluate-implicit:0.2.0", install_kfp_package=False)
def evaluate_implicit(
    meshes: dsl.Input[dsl.Dataset],
    sdf: dsl.Input[dsl.Dataset],
    surfaces: dsl.Input[dsl.Dataset],
    interpolations: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    page: dsl.Output[dsl.HTML],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    iou_points: int = 100_000,
    title: str = "Shapes from codes",
) -> None:
    """Measure surfaces reconstructed from codes, known shapes and unseen ones, beside retrieval, on one page.

    Args:
        meshes: Datasets of kind meshes: the true volumes.
        sdf: Datasets of kind sdf: the true surfaces.
        surfaces: Dataset of kind surfaces, of reconstruct-surfaces.
        interpolations: Dataset of kind surfaces, of reconstruct-surfaces.
        model: The decoder.
        page: The page, one HTML file.
        evaluation: Folder with metrics.json and rows.csv.
        metrics: The key figures.
        iou_points: Points, uniform in the unit sphere, by which volumes are compared.
        title: The page's headline.
    """
    from components.evaluate_implicit import EvaluateImplicitSettings
    from components.evaluate_implicit.evaluate_implicit import evaluate_implicit as work
    from shapeyard.contracts.measures import log_metrics
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import datasets_of

    with stage("evaluate_implicit"):
        settings = EvaluateImplicitSettings(
            iou_points=iou_points,
            title=title,
        )
        found = work(
            datasets_of(meshes),
            datasets_of(sdf),
            surfaces.path,
            interpolations.path,
            model.path,
            page.path,
            evaluation.path,
            settings,
        )
        log_metrics(metrics, found.figures)
