"""`classify_voxels`: meshes, or an .npz of voxel grids, in; a classifier out, measured and reported."""

from kfp import dsl

from pipelines.measured_classifier import Outputs, measured_classifier
from pipelines.sharded import fetched_shards, voxelized_shard


@dsl.pipeline(name="classify-voxels", description="From meshes or voxel grids to a measured classifier of shapes.")
def classify_voxels(
    source: str,
    layout: str,
    classes: str,
    max_per_class: int,
    up_axis: str,
    shards: int,
    max_megabytes: int,
    max_triangles: int,
    max_skipped: float,
    voxel_resolution: int,
    voxel_mode: str,
    network: str,
    resolution: int,
    padding: int,
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
    spoiled: float,
    turned: bool,
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
    """Every value comes from a preset; see pipelines/presets/classify_voxels."""
    with fetched_shards(
        source=source, layout=layout, classes=classes, max_per_class=max_per_class, up_axis=up_axis, shards=shards,
        max_megabytes=max_megabytes, max_triangles=max_triangles, max_skipped=max_skipped,
    ) as fetched:  # fmt: skip
        voxelized = voxelized_shard(
            fetched, resolution=voxel_resolution, mode=voxel_mode, max_triangles=max_triangles, workers=shard_workers,
            max_skipped=max_skipped,
        )  # fmt: skip

    return measured_classifier(
        voxelized,
        "voxels",
        network=network,
        resolution=resolution,
        padding=padding,
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
        spoiled=spoiled,
        turned=turned,
        noise=0.0,
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
