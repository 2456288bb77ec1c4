"""`classify_stl`: printable objects in, STL files or ZIPs of them; a classifier of them out, measured and reported."""

from pipelines.classify_voxels import OUTPUTS
from pipelines.parts import Stages, pipeline, train_and_report_classifier


@pipeline(
    "From printable files to a measured classifier of printable objects.",
    stages={"plan": "", "fetch": "", "extract_features": "", "train_classifier": "", "report_classifier": ""},
    outputs=OUTPUTS,
    fixed={"plan": {"min_classes": 2}},
)
def classify_stl(stage: Stages) -> None:
    """The classifier sees a grid and measures."""
    with stage.shards() as fetched:
        features = stage("extract_features", meshes=fetched.outputs["meshes"])
    train_and_report_classifier(stage, features, "features")
