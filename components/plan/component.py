"""The typed spec of `plan`, derived from the package by `shapeyard compile`: do not edit."""

from typing import List  # noqa: UP035 - kfp reads the annotations

from kfp import dsl


@dsl.component(base_image="shapeyard/plan:0.2.0", install_kfp_package=False)
def plan(
    source: str,
    layout: str = "auto",
    classes: str = "",
    max_per_class: int = 0,
    up_axis: str = "auto",
    shards: int = 4,
    licenses: str = "",
    license: str = "",
    min_classes: int = 0,
) -> List[dict]:  # type: ignore[type-arg]  # noqa: UP006
    """List a source, give every object its id and its split, and cut the list into shards.

    Args:
        source: s3://bucket/prefix, a folder, an .npz of voxel grids, furniture:// or an .sh3f, or
            procedural://?objects=480&seed=0&classes=chair,lamp.
        layout: auto, shapenet, modelnet, r2n2 (ShapeNetRendering and ShapeNetVox32), classes (one folder a class) or
            things (the same, of STL folders and ZIPs).
        classes: The classes to take, with commas between; empty for all.
        max_per_class: Objects of a class at the most; 0 for all.
        up_axis: The axis that points up in the files: auto, y or z.
        shards: Shards to cut the list into, 1 to 64; empty ones are left out.
        licenses: The licences to take, with commas between (SPDX identifiers, or families such as cc0,cc-by; unknown
            only where it is named); empty for all.
        license: The licence of objects of which the source says nothing, as an SPDX identifier; empty for unknown.
        min_classes: Classes that must have objects to train on; from 1 on there must be some to test on, too. 0 for any
            source.
    """
    from components.plan.plan import plan as work
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.selection import Selection

    with stage("plan"):
        settings = Selection(
            source=source,
            layout=layout,
            classes=classes,
            max_per_class=max_per_class,
            up_axis=up_axis,
            shards=shards,
            licenses=licenses,
            license=license,
            min_classes=min_classes,
        )
        return work(settings)
