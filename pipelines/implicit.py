"""`implicit`: meshes in; a network that holds shapes as codes out, with what it makes of known and unseen ones."""

from pipelines.parts import Stages, collected, pipeline


@pipeline(
    "From meshes to measured implicit surfaces: DeepSDF.",
    stages={
        "plan": "", "fetch": "", "sample_sdf": "sdf_", "train_deepsdf": "", "reconstruct_surfaces": "surfaces_",
        "evaluate_implicit": "",
    },
    fixed={"plan": {"min_classes": 1}},
    outputs={
        "report": "evaluate_implicit.page",
        "evaluation": "evaluate_implicit.evaluation",
        "surfaces": "reconstruct_surfaces.surfaces",
        "interpolations": "reconstruct_surfaces.interpolations",
        "model": "train_deepsdf.model",
    },
)  # fmt: skip
def implicit(stage: Stages) -> None:
    """Samples of the signed distance are all that the network sees of a mesh."""
    with stage.shards() as fetched:
        sampled = stage("sample_sdf", meshes=fetched.outputs["meshes"])

    trained = stage("train_deepsdf", sdf=collected(sampled, "sdf"))
    made = stage("reconstruct_surfaces", sdf=collected(sampled, "sdf"), model=trained.outputs["model"])
    stage(
        "evaluate_implicit",
        meshes=collected(fetched, "meshes"),
        sdf=collected(sampled, "sdf"),
        surfaces=made.outputs["surfaces"],
        interpolations=made.outputs["interpolations"],
        model=trained.outputs["model"],
    )
