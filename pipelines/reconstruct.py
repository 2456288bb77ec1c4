"""`reconstruct`: meshes in; a depth estimator, two reconstructors and a classifier out, measured and reported."""

from pipelines.parts import Stages, collected, pipeline


@pipeline(
    "From meshes to a measured single-image 3D reconstructor.",
    stages={
        "plan": "", "fetch": "", "render": "render_", "voxelize": "voxelize_", "train_depth": "depth_",
        "train_recgan": "recgan_", "train_occupancy": "occupancy_", "train_classifier": "classifier_",
        "classify_reconstructions": "classify_", "evaluate": "", "report": "",
    },
    hidden={"train_recgan": ("pairs",), "train_classifier": ("folds", "fold")},
    fixed={"plan": {"min_classes": 1}, "train_classifier": {"one_class": "leave-out"}},
    outputs={
        "report": "report.page",
        "evaluation": "evaluate.evaluation",
        "depths": "train_depth.depths",
        "reconstructions": "train_recgan.reconstructions",
        "occupancy_reconstructions": "train_occupancy.reconstructions",
        "depth_model": "train_depth.model",
        "recgan_model": "train_recgan.model",
        "occupancy_model": "train_occupancy.model",
        "classifier": "train_classifier.model",
    },
)  # fmt: skip
def reconstruct(stage: Stages) -> None:
    """All are trained on the same views, both reconstructors in the same cubes; all is measured on the test split."""
    with stage.shards() as fetched:
        rendered = stage("render", meshes=fetched.outputs["meshes"])
        voxelized = stage("voxelize", meshes=fetched.outputs["meshes"])

    depth = stage("train_depth", renders=collected(rendered, "renders"))
    recgan = stage(
        "train_recgan",
        renders=collected(rendered, "renders"),
        depths=depth.outputs["depths"],
        voxels=collected(voxelized, "voxels"),
    )
    occupancy = stage(
        "train_occupancy",
        renders=collected(rendered, "renders"),
        voxels=collected(voxelized, "voxels"),
        depths=depth.outputs["depths"],
    )
    classifier = stage("train_classifier", dataset=collected(voxelized, "voxels"))
    classified = stage(
        "classify_reconstructions",
        model=classifier.outputs["model"],
        reconstructions=occupancy.outputs["reconstructions"],
    )
    evaluated = stage(
        "evaluate",
        meshes=collected(fetched, "meshes"),
        renders=collected(rendered, "renders"),
        voxels=collected(voxelized, "voxels"),
        depths=depth.outputs["depths"],
        reconstructions=recgan.outputs["reconstructions"],
        occupancy_reconstructions=occupancy.outputs["reconstructions"],
        class_predictions=classifier.outputs["predictions"],
        reconstruction_predictions=classified.outputs["predictions"],
    )
    stage(
        "report",
        meshes=collected(fetched, "meshes"),
        renders=collected(rendered, "renders"),
        voxels=collected(voxelized, "voxels"),
        depths=depth.outputs["depths"],
        reconstructions=recgan.outputs["reconstructions"],
        occupancy_reconstructions=occupancy.outputs["reconstructions"],
        depth_model=depth.outputs["model"],
        recgan_model=recgan.outputs["model"],
        occupancy_model=occupancy.outputs["model"],
        classifier=classifier.outputs["model"],
        evaluation=evaluated.outputs["evaluation"],
    )
