"""How both pipelines for classifiers end: one is trained on all shards, measured and reported."""

from typing import Any, NamedTuple

from kfp import dsl

from components.report_classifier.component import report_classifier
from components.train_classifier.component import train_classifier
from pipelines.resources import ask_for_accelerators, ask_for_resources
from pipelines.sharded import collected


class Outputs(NamedTuple):
    """What a run leaves: the report, the figures, what the network answered, the network."""

    report: dsl.HTML
    evaluation: dsl.Artifact
    predictions: dsl.Dataset
    classifier: dsl.Model


def measured_classifier(
    shards: dsl.PipelineTask, output: str, *, accelerator_type: Any, accelerators: Any, title: Any, **training: Any
) -> Outputs:
    """Train on that output of a shard stage; `training` is what `train_classifier` takes besides the dataset."""
    trained = train_classifier(dataset=collected(shards, output), **training)
    ask_for_accelerators(trained, accelerator_type=accelerator_type, count=accelerators)
    reported = report_classifier(
        dataset=collected(shards, output),
        predictions=trained.outputs["predictions"],
        model=trained.outputs["model"],
        title=title,
    )
    ask_for_resources(trained, reported)
    return Outputs(
        report=reported.outputs["page"],
        evaluation=reported.outputs["evaluation"],
        predictions=trained.outputs["predictions"],
        classifier=trained.outputs["model"],
    )
