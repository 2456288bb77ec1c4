"""The typed spec of `report`, derived from the package by `shapeyard compile`: do not edit."""

from typing import Optional

from kfp import dsl


@dsl.component(base_image="shapeyard/report:0.2.0", install_kfp_package=False)
def report(
    meshes: dsl.Input[dsl.Dataset],
    renders: dsl.Input[dsl.Dataset],
    voxels: dsl.Input[dsl.Dataset],
    depths: dsl.Input[dsl.Dataset],
    reconstructions: dsl.Input[dsl.Dataset],
    depth_model: dsl.Input[dsl.Model],
    recgan_model: dsl.Input[dsl.Model],
    classifier: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
    occupancy_reconstructions: Optional[dsl.Input[dsl.Dataset]] = None,  # noqa: UP045
    occupancy_model: Optional[dsl.Input[dsl.Model]] = None,  # noqa: UP045
    title: str = "Reconstruction from one image",
) -> None:
    """Put a run on one page that needs nothing but a browser.

    Args:
        meshes: Datasets of kind meshes.
        renders: Datasets of kind renders.
        voxels: Datasets of kind voxels.
        depths: Dataset of kind depths.
        reconstructions: Dataset of kind reconstructions, of 3D-RecGAN++.
        occupancy_reconstructions: The same by the pixel-aligned occupancy network.
        depth_model: The depth estimator.
        recgan_model: 3D-RecGAN++.
        occupancy_model: The pixel-aligned occupancy network.
        classifier: The voxel classifier.
        evaluation: The folder that `evaluate` wrote.
        page: The page, one HTML file.
        title: The page's headline.
    """
    from components.report import ReportSettings
    from components.report.report import report as work
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import datasets_of

    with stage("report"):
        settings = ReportSettings(
            title=title,
        )
        work(
            datasets_of(meshes),
            datasets_of(renders),
            datasets_of(voxels),
            depths.path,
            reconstructions.path,
            occupancy_reconstructions and occupancy_reconstructions.path,
            depth_model.path,
            recgan_model.path,
            occupancy_model and occupancy_model.path,
            classifier.path,
            evaluation.path,
            page.path,
            settings,
        )
