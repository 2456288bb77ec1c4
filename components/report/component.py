"""The typed spec of `report`."""

from typing import List  # noqa: UP035 - kfp reads the annotation

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("report"), install_kfp_package=False)
def report(
    meshes: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    renders: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    voxels: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    depths: dsl.Input[dsl.Dataset],
    reconstructions: dsl.Input[dsl.Dataset],
    depth_model: dsl.Input[dsl.Model],
    recgan_model: dsl.Input[dsl.Model],
    classifier: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
    title: str = "Shapeyard",
) -> None:
    """Put a run on one page that needs nothing but a browser.

    Args:
        meshes: Datasets of kind meshes.
        renders: Datasets of kind renders.
        voxels: Datasets of kind voxels.
        depths: Dataset of kind depths.
        reconstructions: Dataset of kind reconstructions.
        depth_model: The depth estimator.
        recgan_model: The voxel reconstructor.
        classifier: The voxel classifier.
        evaluation: The folder that `evaluate` wrote.
        page: The page, one HTML file.
        title: The page's headline.
    """
    from components.report.report import write_report
    from components.report.run import RunArtifacts
    from shapeyard.contracts.progress import stage

    with stage("report"):
        shards = {"meshes": meshes, "renders": renders, "voxels": voxels}
        artifacts = RunArtifacts(
            **{name: [shard.path for shard in datasets] for name, datasets in shards.items()},
            depths=depths.path, reconstructions=reconstructions.path, depth_model=depth_model.path,
            recgan_model=recgan_model.path, classifier=classifier.path, evaluation=evaluation.path,
        )  # fmt: skip
        write_report(artifacts, page.path, title=title)
