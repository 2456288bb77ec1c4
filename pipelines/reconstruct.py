"""`reconstruct`: meshes in; a depth estimator, a voxel reconstructor and a classifier out, measured and reported."""

from typing import NamedTuple

from kfp import dsl

from components.evaluate.component import evaluate
from components.recognize.component import recognize
from components.render.component import render
from components.report.component import report
from components.train_classifier.component import train_classifier
from components.train_depth.component import train_depth
from components.train_recgan.component import train_recgan
from pipelines.resources import ask_for_accelerators, ask_for_resources
from pipelines.sharded import collected, fetched_shards, voxelized_shard


class Outputs(NamedTuple):
    """What a run leaves: the report, the figures, what the networks predicted, the networks."""

    report: dsl.HTML
    evaluation: dsl.Artifact
    depths: dsl.Dataset
    reconstructions: dsl.Dataset
    depth_model: dsl.Model
    recgan_model: dsl.Model
    classifier: dsl.Model


@dsl.pipeline(name="reconstruct", description="From meshes to a measured single-image 3D reconstructor.")
def reconstruct(
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
    background: str,
    voxel_resolution: int,
    voxel_mode: str,
    depth_width: int,
    depth_steps: int,
    depth_batch_size: int,
    depth_learning_rate: float,
    depth_scale_invariant: float,
    depth_color_jitter: float,
    depth_random_background: float,
    depth_random_crop: float,
    depth_compiled: bool,
    depth_validate_every: int,
    depth_patience: int,
    recgan_resolution: int,
    recgan_width: int,
    recgan_bottleneck: int,
    recgan_steps: int,
    recgan_batch_size: int,
    recgan_accumulate: int,
    recgan_recompute: bool,
    recgan_learning_rate: float,
    recgan_critic_learning_rate: float,
    recgan_occupied_weight: float,
    recgan_floor: float,
    recgan_adversarial: float,
    recgan_critic: str,
    recgan_critic_start: int,
    recgan_penalty: float,
    recgan_depth_source: str,
    recgan_mirror: bool,
    recgan_views_per_object: int,
    recgan_cache_megabytes: int,
    recgan_validate_every: int,
    recgan_patience: int,
    classifier_network: str,
    classifier_resolution: int,
    classifier_epochs: int,
    classifier_batch_size: int,
    classifier_learning_rate: float,
    classifier_label_smoothing: float,
    classifier_shift: int,
    classifier_stretch: float,
    classifier_spoiled: float,
    classifier_balance: float,
    classifier_duplicate_iou: float,
    recognize_threshold: float,
    checkpoints: str,
    checkpoint_minutes: float,
    seed: int,
    shard_workers: int,
    workers: int,
    accelerator_type: str,
    accelerators: str,
    title: str,
) -> Outputs:
    """Every value comes from a preset; see pipelines/presets/reconstruct."""
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
            background=background,
            seed=seed,
            workers=shard_workers,
            max_skipped=max_skipped,
        )
        voxelized = voxelized_shard(
            fetched, resolution=voxel_resolution, mode=voxel_mode, max_triangles=max_triangles, workers=shard_workers,
            max_skipped=max_skipped,
        )  # fmt: skip

    depth = train_depth(
        renders=collected(rendered, "renders"),
        width=depth_width,
        steps=depth_steps,
        batch_size=depth_batch_size,
        learning_rate=depth_learning_rate,
        scale_invariant=depth_scale_invariant,
        color_jitter=depth_color_jitter,
        random_background=depth_random_background,
        random_crop=depth_random_crop,
        compiled=depth_compiled,
        validate_every=depth_validate_every,
        patience=depth_patience,
        checkpoints=checkpoints,
        checkpoint_minutes=checkpoint_minutes,
        seed=seed,
        workers=workers,
    )
    recgan = train_recgan(
        renders=collected(rendered, "renders"),
        depths=depth.outputs["depths"],
        voxels=collected(voxelized, "voxels"),
        pairs="",
        depth_source=recgan_depth_source,
        input_resolution=recgan_resolution,
        width=recgan_width,
        bottleneck=recgan_bottleneck,
        steps=recgan_steps,
        batch_size=recgan_batch_size,
        accumulate=recgan_accumulate,
        recompute=recgan_recompute,
        learning_rate=recgan_learning_rate,
        critic_learning_rate=recgan_critic_learning_rate,
        occupied_weight=recgan_occupied_weight,
        floor=recgan_floor,
        adversarial=recgan_adversarial,
        critic=recgan_critic,
        critic_start=recgan_critic_start,
        penalty=recgan_penalty,
        mirror=recgan_mirror,
        views_per_object=recgan_views_per_object,
        cache_megabytes=recgan_cache_megabytes,
        validate_every=recgan_validate_every,
        patience=recgan_patience,
        checkpoints=checkpoints,
        checkpoint_minutes=checkpoint_minutes,
        seed=seed,
        workers=workers,
    )
    classifier = train_classifier(
        dataset=collected(voxelized, "voxels"),
        network=classifier_network,
        resolution=classifier_resolution,
        padding=0,
        epochs=classifier_epochs,
        batch_size=classifier_batch_size,
        learning_rate=classifier_learning_rate,
        weight_decay=0.0,
        label_smoothing=classifier_label_smoothing,
        average=0.0,
        keep_best=True,
        shift=classifier_shift,
        stretch=classifier_stretch,
        spoiled=classifier_spoiled,
        turned=False,
        noise=0.0,
        members=1,
        folds=0,
        fold=0,
        balance=classifier_balance,
        duplicate_iou=classifier_duplicate_iou,
        unlike_share=0.05,
        checkpoints="",
        seed=seed,
        workers=workers,
    )
    ask_for_accelerators(depth, recgan, classifier, accelerator_type=accelerator_type, count=accelerators)

    recognized = recognize(
        model=classifier.outputs["model"],
        reconstructions=recgan.outputs["reconstructions"],
        threshold=recognize_threshold,
        workers=workers,
    )
    evaluated = evaluate(
        meshes=collected(fetched, "meshes"),
        renders=collected(rendered, "renders"),
        voxels=collected(voxelized, "voxels"),
        depths=depth.outputs["depths"],
        reconstructions=recgan.outputs["reconstructions"],
        class_predictions=classifier.outputs["predictions"],
        recognized=recognized.outputs["predictions"],
    )
    reported = report(
        meshes=collected(fetched, "meshes"),
        renders=collected(rendered, "renders"),
        voxels=collected(voxelized, "voxels"),
        depths=depth.outputs["depths"],
        reconstructions=recgan.outputs["reconstructions"],
        depth_model=depth.outputs["model"],
        recgan_model=recgan.outputs["model"],
        classifier=classifier.outputs["model"],
        evaluation=evaluated.outputs["evaluation"],
        title=title,
    )
    ask_for_resources(rendered, depth, recgan, classifier, recognized, evaluated, reported)
    return Outputs(
        report=reported.outputs["page"],
        evaluation=evaluated.outputs["evaluation"],
        depths=depth.outputs["depths"],
        reconstructions=recgan.outputs["reconstructions"],
        depth_model=depth.outputs["model"],
        recgan_model=recgan.outputs["model"],
        classifier=classifier.outputs["model"],
    )
