"""`multiview`: meshes, or images with voxel grids, in; 3D-R2N2 out, measured by the number of images and reported."""

from typing import NamedTuple

from kfp import dsl

from components.evaluate_multiview.component import evaluate_multiview
from components.render.component import render
from components.train_multiview.component import train_multiview
from pipelines.resources import ask_for_accelerators, ask_for_resources
from pipelines.sharded import collected, fetched_shards, voxelized_shard


class Outputs(NamedTuple):
    """What a run leaves: the report, the figures, the shapes, the network."""

    report: dsl.HTML
    evaluation: dsl.Artifact
    reconstructions: dsl.Dataset
    model: dsl.Model


@dsl.pipeline(name="multiview", description="From meshes to a measured reconstructor of shapes from several images.")
def multiview(
    source: str,
    layout: str,
    classes: str,
    max_per_class: int,
    up_axis: str,
    shards: int,
    max_megabytes: int,
    max_triangles: int,
    max_skipped: float,
    cameras: str,
    views: int,
    image_size: int,
    samples: int,
    elevation_degrees: float,
    camera_distance: float,
    light: str,
    render_background: str,
    voxel_resolution: int,
    voxel_mode: str,
    crop_size: int,
    width: int,
    encoder: str,
    memory: str,
    kernel: int,
    decoder: str,
    detach: bool,
    min_views: int,
    max_views: int,
    augment: bool,
    background: str,
    steps: int,
    batch_size: int,
    learning_rate: float,
    validate_every: int,
    patience: int,
    checkpoints: str,
    checkpoint_minutes: float,
    seed: int,
    shard_workers: int,
    workers: int,
    accelerator_type: str,
    accelerators: str,
    title: str,
) -> Outputs:
    """Every value comes from a preset; see pipelines/presets/multiview."""
    with fetched_shards(
        source=source, layout=layout, classes=classes, max_per_class=max_per_class, up_axis=up_axis, shards=shards,
        max_megabytes=max_megabytes, max_triangles=max_triangles, max_skipped=max_skipped,
    ) as fetched:  # fmt: skip
        rendered = render(
            meshes=fetched.outputs["meshes"],
            cameras=cameras,
            views=views,
            image_size=image_size,
            samples=samples,
            elevation_degrees=elevation_degrees,
            distance=camera_distance,
            lens_mm=35.0,
            passes="",
            light=light,
            background=render_background,
            seed=seed,
            workers=shard_workers,
            max_skipped=max_skipped,
        )
        voxelized = voxelized_shard(
            fetched, resolution=voxel_resolution, mode=voxel_mode, max_triangles=max_triangles, workers=shard_workers,
            max_skipped=max_skipped,
        )  # fmt: skip

    trained = train_multiview(
        renders=collected(rendered, "renders"),
        voxels=collected(voxelized, "voxels"),
        image_size=crop_size,
        width=width,
        encoder=encoder,
        memory=memory,
        kernel=kernel,
        decoder=decoder,
        detach=detach,
        min_views=min_views,
        max_views=max_views,
        augment=augment,
        background=background,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        validate_every=validate_every,
        patience=patience,
        checkpoints=checkpoints,
        checkpoint_minutes=checkpoint_minutes,
        seed=seed,
        workers=workers,
    )
    ask_for_accelerators(trained, accelerator_type=accelerator_type, count=accelerators)
    evaluated = evaluate_multiview(
        meshes=collected(fetched, "meshes"),
        renders=collected(rendered, "renders"),
        voxels=collected(voxelized, "voxels"),
        reconstructions=trained.outputs["reconstructions"],
        model=trained.outputs["model"],
        title=title,
    )
    ask_for_resources(rendered, trained, evaluated)
    return Outputs(
        report=evaluated.outputs["page"],
        evaluation=evaluated.outputs["evaluation"],
        reconstructions=trained.outputs["reconstructions"],
        model=trained.outputs["model"],
    )
