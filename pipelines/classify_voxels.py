"""`classify_voxels`: meshes, or an .npz of voxel grids, in; a classifier out, measured and reported."""

from pipelines.parts import Stages, pipeline, train_and_report_classifier

OUTPUTS = {
    "report": "report_classifier.page",
    "evaluation": "report_classifier.evaluation",
    "predictions": "train_classifier.predictions",
    "classifier": "train_classifier.model",
}


@pipeline(
    "From meshes or voxel grids to a measured classifier of shapes.",
    stages={"plan": "", "fetch": "", "voxelize": "voxelize_", "train_classifier": "", "report_classifier": ""},
    outputs=OUTPUTS,
    fixed={"plan": {"min_classes": 2}},
)
def classify_voxels(stage: Stages) -> None:
    """The classifier sees the occupancy grids."""
    with stage.shards() as fetched:
        voxelized = stage("voxelize", meshes=fetched.outputs["meshes"])
    train_and_report_classifier(stage, voxelized, "voxels")
