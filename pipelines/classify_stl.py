"""`classify_stl`: printed things in, STL files or ZIPs of them; a classifier of things out, measured and reported."""

from typing import NamedTuple

from kfp import dsl

from components.describe.component import describe
from components.fetch.component import fetch
from components.plan.component import plan
from components.report_classifier.component import report_classifier
from components.train_classifier.component import train_classifier
from pipelines.resources import ask_for_accelerators, ask_for_resources


class Outputs(NamedTuple):
    """What a run leaves: the report, the figures, what the network answered, the network."""

    report: dsl.HTML
    evaluation: dsl.Artifact
    predictions: dsl.Dataset
    classifier: dsl.Model


@dsl.pipeline(name="classify-stl", description="From printable files to a measured classifier of things.")
def classify_stl(
    source: str,
    layout: str,
    classes: str,
    max_per_class: int,
    up_axis: str,
    shards: int,
    max_megabytes: int,
    max_triangles: int,
    max_skipped: float,
    feature_set: str,
    network: str,
    resolution: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    label_smoothing: float,
    balance: float,
    average: float,
    keep_best: bool,
    shift: int,
    stretch: float,
    turned: bool,
    noise: float,
    members: int,
    folds: int,
    fold: int,
    duplicate_iou: float,
    unlike_share: float,
    checkpoints: str,
    seed: int,
    shard_workers: int,
    workers: int,
    accelerator_type: str,
    accelerators: int,
    title: str,
) -> Outputs:
    """Every value comes from a preset; see pipelines/presets/classify_stl."""
    planned = plan(
        source=source, layout=layout, classes=classes, max_per_class=max_per_class, up_axis=up_axis, shards=shards
    ).set_caching_options(False)  # a source is always looked at anew; its shards' fingerprints decide what is reused

    with dsl.ParallelFor(planned.output) as shard:
        fetched = fetch(shard=shard, max_megabytes=max_megabytes, max_triangles=max_triangles, max_skipped=max_skipped)
        described = describe(
            meshes=fetched.outputs["meshes"],
            feature_set=feature_set,
            resolution=resolution,
            max_triangles=max_triangles,
            seed=seed,
            workers=shard_workers,
            max_skipped=max_skipped,
        )

    trained = train_classifier(
        dataset=dsl.Collected(described.outputs["features"]),
        network=network,
        resolution=resolution,
        padding=0,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        balance=balance,
        average=average,
        keep_best=keep_best,
        shift=shift,
        stretch=stretch,
        spoiled=0.0,
        turned=turned,
        noise=noise,
        members=members,
        folds=folds,
        fold=fold,
        duplicate_iou=duplicate_iou,
        unlike_share=unlike_share,
        checkpoints=checkpoints,
        seed=seed,
        workers=workers,
    )
    ask_for_accelerators(trained, accelerator_type=accelerator_type, count=accelerators)
    reported = report_classifier(
        dataset=dsl.Collected(described.outputs["features"]),
        predictions=trained.outputs["predictions"],
        model=trained.outputs["model"],
        title=title,
    )
    ask_for_resources(planned, fetched, described, trained, reported)
    return Outputs(
        report=reported.outputs["page"],
        evaluation=reported.outputs["evaluation"],
        predictions=trained.outputs["predictions"],
        classifier=trained.outputs["model"],
    )
