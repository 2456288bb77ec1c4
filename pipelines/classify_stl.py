"""`classify_stl`: printed things in, STL files or ZIPs of them; a classifier of things out, measured and reported."""

from kfp import dsl

from components.describe.component import describe
from pipelines.measured_classifier import Outputs, measured_classifier
from pipelines.resources import ask_for_resources
from pipelines.sharded import fetched_shards


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
    accelerators: str,
    title: str,
) -> Outputs:
    """Every value comes from a preset; see pipelines/presets/classify_stl."""
    with fetched_shards(
        source=source, layout=layout, classes=classes, max_per_class=max_per_class, up_axis=up_axis, shards=shards,
        max_megabytes=max_megabytes, max_triangles=max_triangles, max_skipped=max_skipped,
    ) as fetched:  # fmt: skip
        described = describe(
            meshes=fetched.outputs["meshes"],
            feature_set=feature_set,
            resolution=resolution,
            max_triangles=max_triangles,
            seed=seed,
            workers=shard_workers,
            max_skipped=max_skipped,
        )
        ask_for_resources(described)

    return measured_classifier(
        described,
        "features",
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
        accelerator_type=accelerator_type,
        accelerators=accelerators,
        title=title,
    )
