"""What a cluster carries for so many shards, as docs/scale.md says."""

from __future__ import annotations

import pytest

from benchmarks.scale import ARGUMENT_BYTES, WORKFLOW_BYTES, plan_objects, sizes
from launch.parameters import pipeline_names
from shapeyard.sources.selection import MAX_SHARDS


@pytest.mark.parametrize("name", pipeline_names())
def test_as_many_shards_as_may_be_asked_for_fit(name: str) -> None:
    found = sizes(name, MAX_SHARDS)
    assert found.executor_input < ARGUMENT_BYTES / 2
    assert found.template < ARGUMENT_BYTES / 2
    assert found.workflow < 0.75 * WORKFLOW_BYTES


def test_what_comes_first_of_all_limits() -> None:
    """Not a task's command line nor its template, but the workflow, which knows every pod of the loop."""
    few, some, many = sizes("reconstruct", 1), sizes("reconstruct", 32), sizes("reconstruct", 256)
    assert few.executor_input < some.executor_input < many.executor_input < ARGUMENT_BYTES
    assert few.template <= some.template < many.template < ARGUMENT_BYTES
    assert few.workflow < some.workflow < WORKFLOW_BYTES < many.workflow


def test_lists_of_artifacts_would_not_fit() -> None:
    assert sizes("reconstruct", 64, lists=True).template > ARGUMENT_BYTES


def test_planning_keeps_every_object() -> None:
    _, gigabytes, shards = plan_objects(3000)
    assert shards == 64
    assert gigabytes > 0
