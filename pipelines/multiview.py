"""`multiview`: meshes, or images with voxel grids, in; 3D-R2N2 out, measured by the number of images and reported."""

from pipelines.parts import Stages, collected, pipeline


@pipeline(
    "From meshes to a measured reconstructor of shapes from several images.",
    stages={
        "plan": "", "fetch": "", "render": "render_", "voxelize": "voxelize_", "train_multiview": "",
        "evaluate_multiview": "",
    },
    fixed={"plan": {"min_classes": 1}},
    outputs={
        "report": "evaluate_multiview.page",
        "evaluation": "evaluate_multiview.evaluation",
        "reconstructions": "train_multiview.reconstructions",
        "model": "train_multiview.model",
    },
)  # fmt: skip
def multiview(stage: Stages) -> None:
    """All views of an object are rendered once; a step of the training shows some of them."""
    with stage.shards() as fetched:
        rendered = stage("render", meshes=fetched.outputs["meshes"])
        voxelized = stage("voxelize", meshes=fetched.outputs["meshes"])

    trained = stage("train_multiview", renders=collected(rendered, "renders"), voxels=collected(voxelized, "voxels"))
    stage(
        "evaluate_multiview",
        meshes=collected(fetched, "meshes"),
        renders=collected(rendered, "renders"),
        voxels=collected(voxelized, "voxels"),
        reconstructions=trained.outputs["reconstructions"],
        model=trained.outputs["model"],
    )
