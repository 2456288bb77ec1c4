"""`averages`: meshes in, a mean shape of each class out."""

from pipelines.parts import Stages, collected, pipeline


@pipeline(
    "From meshes to a mean shape of each class.",
    stages={"plan": "", "fetch": "", "voxelize": "voxelize_", "average_voxels": ""},
    outputs={"mean_shapes": "average_voxels.mean_shapes"},
)
def averages(stage: Stages) -> None:
    """Only voxels are needed."""
    with stage.shards() as fetched:
        voxelized = stage("voxelize", meshes=fetched.outputs["meshes"])
    stage("average_voxels", voxels=collected(voxelized, "voxels"))
