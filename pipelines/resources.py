"""What every stage asks of a cluster: processor time, memory, a deadline, retries, and what its pod is given.

Local runs leave all of it aside: KFP's local runners know neither resources nor secrets, and `pipelines.ir` drops the
retries. The figures are those of the `paper` preset as limits, with requests that a node of 4 cores and 8 GB can hold,
so that the smaller presets run on a development cluster; k8s/ has a quota that throttles the shards.
"""

from __future__ import annotations

from dataclasses import dataclass

from kfp import dsl, kubernetes

SECRET = "shapeyard-s3"  # noqa: S105 - the name of the secret, no secret
SECRET_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
SETTINGS = "shapeyard-s3"
SETTINGS_KEYS = ("AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION")
"""The secret with the source's credentials and the config map with its address; the keys are boto3's variables."""

ACCELERATOR_TAINTS = ("nvidia.com/gpu", "amd.com/gpu")
"""Nodes with accelerators are by convention tainted with the accelerator's resource name."""

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
QUEUE_S = DAY_S
"""How long all attempts of a task together may wait for a node."""


@dataclass(frozen=True)
class Resources:
    """What a stage asks for, in Kubernetes' quantities."""

    cpu: tuple[str, str]
    """Request and limit, in cores."""
    memory: tuple[str, str]
    """Request and limit. What lies in shared memory counts as well."""
    timeout_s: int
    """Seconds that one attempt may take once it has a node."""
    retries: int = 2
    """Attempts after the first."""
    shared_memory: str = ""
    """Size of /dev/shm, for the processes that load a training's examples; empty: the runtime's 64 MB."""
    uses_bucket: bool = False
    """Whether it talks to a bucket: the one that the meshes come from, or that checkpoints go to."""


RESOURCES = {
    "plan": Resources(cpu=("500m", "2"), memory=("1Gi", "4Gi"), timeout_s=HOUR_S, retries=3, uses_bucket=True),
    "fetch": Resources(cpu=("500m", "2"), memory=("1Gi", "4Gi"), timeout_s=4 * HOUR_S, retries=3, uses_bucket=True),
    "render": Resources(cpu=("1", "4"), memory=("2Gi", "8Gi"), timeout_s=12 * HOUR_S),
    "voxelize": Resources(cpu=("1", "4"), memory=("2Gi", "8Gi"), timeout_s=4 * HOUR_S),
    "describe": Resources(cpu=("1", "4"), memory=("2Gi", "8Gi"), timeout_s=12 * HOUR_S),
    "sample_sdf": Resources(cpu=("1", "4"), memory=("2Gi", "8Gi"), timeout_s=12 * HOUR_S),
    "train_depth": Resources(
        cpu=("2", "8"), memory=("4Gi", "24Gi"), timeout_s=3 * DAY_S, shared_memory="4Gi", uses_bucket=True
    ),
    "train_recgan": Resources(
        cpu=("2", "8"), memory=("4Gi", "48Gi"), timeout_s=7 * DAY_S, shared_memory="4Gi", uses_bucket=True
    ),
    "train_multiview": Resources(
        cpu=("2", "8"), memory=("4Gi", "24Gi"), timeout_s=3 * DAY_S, retries=1, shared_memory="4Gi", uses_bucket=True
    ),
    "train_classifier": Resources(
        cpu=("2", "8"), memory=("4Gi", "24Gi"), timeout_s=DAY_S, retries=1, shared_memory="2Gi", uses_bucket=True
    ),
    "recognize": Resources(cpu=("1", "4"), memory=("2Gi", "8Gi"), timeout_s=4 * HOUR_S),
    "evaluate": Resources(cpu=("1", "4"), memory=("2Gi", "16Gi"), timeout_s=12 * HOUR_S),
    "evaluate_multiview": Resources(cpu=("1", "4"), memory=("2Gi", "16Gi"), timeout_s=12 * HOUR_S),
    "report": Resources(cpu=("500m", "2"), memory=("1Gi", "8Gi"), timeout_s=2 * HOUR_S),
    "report_classifier": Resources(cpu=("500m", "2"), memory=("1Gi", "8Gi"), timeout_s=2 * HOUR_S),
}


def ask_for_resources(*tasks: dsl.PipelineTask) -> None:
    """Put what `RESOURCES` says of each task's stage into the task."""
    for task in tasks:
        stage = task.component_spec.name.replace("-", "_")
        resources = RESOURCES[stage]
        task.set_cpu_request(resources.cpu[0]).set_cpu_limit(resources.cpu[1])
        task.set_memory_request(resources.memory[0]).set_memory_limit(resources.memory[1])
        kubernetes.set_timeout(task, resources.timeout_s)
        _retry(task, resources)
        # The user is the image's, whose number Kubernetes checks: a fixed one would be refused by OpenShift.
        kubernetes.set_security_context(task, run_as_non_root=True)
        if resources.shared_memory:
            kubernetes.empty_dir_mount(
                task, "shared-memory", "/dev/shm", medium="Memory", size_limit=resources.shared_memory  # noqa: S108
            )  # fmt: skip
        if resources.uses_bucket:
            # Optional, both: a source may be public, need no address (AWS), or trust the pod's service account.
            kubernetes.use_secret_as_env(task, SECRET, {key: key for key in SECRET_KEYS}, optional=True)
            kubernetes.use_config_map_as_env(task, SETTINGS, {key: key for key in SETTINGS_KEYS}, optional=True)


def ask_for_accelerators(
    *tasks: dsl.PipelineTask, accelerator_type: dsl.PipelineParameterChannel, count: dsl.PipelineParameterChannel
) -> None:
    """Ask for `count` accelerators a task, and tolerate the taint of the nodes that have them.

    The request alone leads to such a node: its resource name is `accelerator_type`. With a count of "0" the pod asks
    for 0 of them, which every node can give. The count is a parameter of type string: KFP 2.17's driver takes a number
    for an empty string, and leaves the request out without a word.
    """
    for task in tasks:
        task.set_accelerator_type(accelerator_type).set_accelerator_limit(count)
        for taint in ACCELERATOR_TAINTS:
            kubernetes.add_toleration(task, key=taint, operator="Exists", effect="NoSchedule")


def _retry(task: dsl.PipelineTask, resources: Resources) -> None:
    """Try again after 1, 2, 4 … minutes.

    Argo's `maxDuration` is a deadline for all attempts together, waiting for a node included, and ends the attempt
    that runs when it comes. KFP's default of an hour would end a training's second attempt.
    """
    attempts = resources.retries + 1
    window_s = attempts * resources.timeout_s + QUEUE_S
    task.set_retry(
        resources.retries, backoff_duration=f"{MINUTE_S}s", backoff_factor=2.0, backoff_max_duration=f"{window_s}s"
    )
