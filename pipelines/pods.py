"""What a task asks of a cluster: processor time, memory, a deadline, retries, accelerators, and what its pod is given.

Local runs leave all of it aside: KFP's local runners know neither resources nor secrets, and retries are dropped. The
figures that stages declare are those of the `paper` preset as limits, with requests that a node of 4 cores and 8 GB can
hold, so that the smaller presets run on a development cluster; k8s/ has a quota that throttles the shards.
"""

from __future__ import annotations

from kfp import dsl, kubernetes

from shapeyard.contracts.stage import Resources, Stage

SECRET = "shapeyard-s3"  # noqa: S105 - the name of the secret, no secret
SECRET_KEYS = ("SHAPEYARD_S3_ACCESS_KEY_ID", "SHAPEYARD_S3_SECRET_ACCESS_KEY")
CONFIG_MAP = "shapeyard-s3"
CONFIG_MAP_KEYS = ("SHAPEYARD_S3_ENDPOINT_URL", "SHAPEYARD_S3_REGION")
"""The secret with the source's credentials and the config map with its address; the keys are `S3Source`'s variables.

Not boto3's: KFP's launcher runs in the same container, reads those, and would upload artifacts to the source's store.
"""

ARTIFACTS_SECRET = "mlpipeline-minio-artifact"  # noqa: S105
ARTIFACTS_SECRET_KEYS = {
    "accesskey": "SHAPEYARD_ARTIFACTS_ACCESS_KEY_ID",
    "secretkey": "SHAPEYARD_ARTIFACTS_SECRET_ACCESS_KEY",
}
"""KFP's own secret for its artifact store, there in every namespace that it runs in → the stage's variables."""
ARTIFACTS_KEYS = ("SHAPEYARD_ARTIFACTS_ENDPOINT_URL", "SHAPEYARD_ARTIFACTS_REGION")
"""In the config map: where that store is."""

ACCELERATOR_TAINTS = ("nvidia.com/gpu", "amd.com/gpu")
"""Nodes with accelerators are by convention tainted with the accelerator's resource name."""

HOUR_S = 3600
FIRST_BACKOFF_S = 60
QUEUE_S = 24 * HOUR_S
"""How long all attempts of a task together may wait for a node."""


def ask_for_resources(task: dsl.PipelineTask, stage: Stage) -> None:
    """Put what a stage declares into its task."""
    resources = stage.resources
    task.set_cpu_request(resources.cpu[0]).set_cpu_limit(resources.cpu[1])
    task.set_memory_request(resources.memory[0]).set_memory_limit(resources.memory[1])
    kubernetes.set_timeout(task, timeout_s(resources))
    _retry(task, resources)
    # The user is the image's, whose number Kubernetes checks: a fixed one would be refused by OpenShift.
    kubernetes.set_security_context(task, run_as_non_root=True)
    if resources.shared_memory:
        kubernetes.empty_dir_mount(
            task, "shared-memory", "/dev/shm", medium="Memory", size_limit=resources.shared_memory  # noqa: S108
        )  # fmt: skip
    # Optional, all: a store may be public, need no address (AWS), or trust the pod's service account.
    settings: list[str] = []
    if stage.uses_bucket:
        kubernetes.use_secret_as_env(task, SECRET, {key: key for key in SECRET_KEYS}, optional=True)
        settings += CONFIG_MAP_KEYS
    if stage.reads_shards:
        kubernetes.use_secret_as_env(task, ARTIFACTS_SECRET, ARTIFACTS_SECRET_KEYS, optional=True)
        settings += ARTIFACTS_KEYS
    if settings:
        kubernetes.use_config_map_as_env(task, CONFIG_MAP, {key: key for key in settings}, optional=True)


def ask_for_accelerators(task: dsl.PipelineTask, accelerator_type: str, count: str) -> None:
    """Ask for `count` accelerators, and tolerate the taint of the nodes that have them.

    The request alone leads to such a node: its resource name is `accelerator_type`. With a count of 0 the pod asks
    for 0 of them, which every node can give.
    """
    task.set_accelerator_type(accelerator_type).set_accelerator_limit(count)
    for taint in ACCELERATOR_TAINTS:
        kubernetes.add_toleration(task, key=taint, operator="Exists", effect="NoSchedule")


def timeout_s(resources: Resources) -> int:
    """The deadline of one attempt in seconds."""
    return round(resources.hours * HOUR_S)


def _retry(task: dsl.PipelineTask, resources: Resources) -> None:
    """Try again after 1, 2, 4 … minutes.

    Argo's `maxDuration` is a deadline for all attempts together, waiting for a node included, and ends the attempt
    that runs when it comes. KFP's default of an hour would end a training's second attempt.
    """
    window_s = (resources.retries + 1) * timeout_s(resources) + QUEUE_S
    task.set_retry(
        resources.retries,
        backoff_duration=f"{FIRST_BACKOFF_S}s",
        backoff_factor=2.0,
        backoff_max_duration=f"{window_s}s",
    )
