"""The typed spec of `gather`, derived from the package by `shapeyard compile`: do not edit."""

from kfp import dsl


@dsl.component(base_image="shapeyard/gather:0.2.0", install_kfp_package=False)
def gather(
    places: list,  # type: ignore[type-arg]
    datasets: dsl.Output[dsl.Dataset],
) -> None:
    """Write down where the datasets of all shards are, so that what comes behind takes one artifact and no list.

    Args:
        places: Where each shard's dataset is, as the stages of the loop return it.
        datasets: File of JSON: the datasets' addresses, counts and hashes.
    """
    from components.gather.gather import gather as work
    from shapeyard.contracts.progress import stage

    with stage("gather"):
        work(places, datasets.path)
