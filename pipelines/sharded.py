"""How every pipeline begins: a source is listed and cut into shards, and each shard's meshes are fetched."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kfp import dsl

from components.fetch.component import fetch
from components.plan.component import plan
from components.voxelize.component import voxelize
from pipelines.resources import ask_for_resources


@contextmanager
def fetched_shards(
    *, max_megabytes: Any, max_triangles: Any, max_skipped: Any, **selection: Any
) -> Iterator[dsl.PipelineTask]:
    """Tasks that are added below stand in the loop over the shards; gives the task whose `meshes` are a shard's.

    `selection` is what `plan` takes. As for every task, each value is one of the pipeline's parameters or a constant.
    """
    planned = plan(**selection)
    # a source is always looked at anew; its shards' fingerprints decide what is reused
    planned.set_caching_options(False)
    with dsl.ParallelFor(planned.output) as shard:
        fetched = fetch(shard=shard, max_megabytes=max_megabytes, max_triangles=max_triangles, max_skipped=max_skipped)
        ask_for_resources(planned, fetched)
        yield fetched


def voxelized_shard(fetched: dsl.PipelineTask, **settings: Any) -> dsl.PipelineTask:
    """The task whose `voxels` are those of a shard's meshes, centred and filling the grid."""
    voxelized = voxelize(
        meshes=fetched.outputs["meshes"], padding=0, centered=True, remove_internal=False, engine="numba", **settings
    )
    ask_for_resources(voxelized)
    return voxelized


def collected(task: dsl.PipelineTask, output: str) -> dsl.Collected:
    """A shard stage's output from all shards; made anew for each taker, since the compiler rewrites it in place."""
    return dsl.Collected(task.outputs[output])
