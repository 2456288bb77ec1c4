"""The typed spec of `fetch`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/fetch:0.2.0", install_kfp_package=False)
def fetch(
    shard: dict,  # type: ignore[type-arg]
    meshes: dsl.Output[dsl.Dataset],
    max_megabytes: int = 256,
    max_triangles: int = 2_000_000,
    max_skipped: float = 0.5,
) -> str:
    """Bring the meshes of one shard with their materials and textures, and leave out what cannot be used.

    Args:
        shard: An item of plan.
        meshes: Dataset of kind meshes.
        max_megabytes: Objects whose files are larger than this together are skipped.
        max_triangles: Triangles of an object above which it is skipped.
        max_skipped: Share of the objects that may be skipped before the stage fails, 0 to 1.
    """
    from components.fetch import FetchSettings
    from components.fetch.fetch import fetch as work
    from shapeyard.contracts.progress import stage
    from shapeyard.sources.shard_places import place_of

    with stage("fetch"):
        settings = FetchSettings(
            max_megabytes=max_megabytes,
            max_triangles=max_triangles,
            max_skipped=max_skipped,
        )
        work(shard, meshes.path, settings)
        return place_of(meshes.uri, meshes.path)
