"""The typed spec of `fetch`."""

from kfp import dsl

from components.images import image


@dsl.component(base_image=image("fetch"), install_kfp_package=False)
def fetch(
    shard: dict,  # type: ignore[type-arg]
    meshes: dsl.Output[dsl.Dataset],
    max_megabytes: int = 256,
    max_triangles: int = 2_000_000,
    max_skipped: float = 0.5,
) -> None:
    """Bring the meshes of one shard with their materials and textures, and leave out what cannot be used.

    Args:
        shard: An item of plan.
        meshes: Dataset of kind meshes.
        max_megabytes: Files above this are skipped.
        max_triangles: Meshes above this are skipped.
        max_skipped: The share of skipped samples above which the stage fails, 0 to 1.
    """
    from components.fetch.fetch import fetch_shard
    from shapeyard.contracts.progress import stage

    with stage("fetch"):
        fetch_shard(shard, meshes.path, max_megabytes, max_triangles, max_skipped)
