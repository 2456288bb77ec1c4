"""The manifests of k8s/: they build, Kubernetes' own schemas accept them, and they agree with the pipelines."""

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import stages
from launch.images import release_image
from launch.ir import compile_pipeline
from launch.parameters import pipeline_names
from pipelines.pods import (
    ACCELERATOR_TAINTS,
    ARTIFACTS_KEYS,
    ARTIFACTS_SECRET,
    CONFIG_MAP,
    CONFIG_MAP_KEYS,
    SECRET,
    SECRET_KEYS,
)

FOLDER = Path(__file__).parents[2] / "k8s"
OVERLAYS = sorted(path.name for path in (FOLDER / "overlays").iterdir())
VERSIONS = ("1.28", "1.35", "1.36", "1.37")
"""The oldest that is promised, and the newest three."""
FROM_OUTSIDE = {("Secret", SECRET), ("Secret", "shapeyard-registry"), ("Secret", ARTIFACTS_SECRET)}
"""What is made by hand, as k8s/README.md says, or by KFP."""

Manifest = dict[str, Any]


def kubectl() -> str:
    path = shutil.which("kubectl")
    if not path:
        pytest.skip("no kubectl here, which builds the manifests")
    version = subprocess.run([path, "version", "--client", "--output=json"], capture_output=True, text=True)
    minor = int(re.match(r"\d+", json.loads(version.stdout)["clientVersion"]["minor"])[0])  # type: ignore[index]
    if minor < 22:
        pytest.skip(f"expected kubectl 1.22 or newer, whose kustomize knows `labels`, got 1.{minor}")
    return path


def build(folder: Path) -> list[Manifest]:
    built = subprocess.run([kubectl(), "kustomize", str(folder)], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert not built.stderr, "a deprecated field"
    return list(yaml.safe_load_all(built.stdout))


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return build(FOLDER / "overlays" / request.param)


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    return found


def pod_specs(manifests: list[Manifest]) -> Iterator[Manifest]:
    for manifest in manifests:
        if "template" in manifest.get("spec", {}):
            yield manifest["spec"]["template"]["spec"]


def quantity(text: str | int | float) -> float:
    """500m, 2, 4Gi, 2Ti as a number."""
    number, unit = re.fullmatch(r"([\d.]+)(\w*)", str(text)).groups()  # type: ignore[union-attr]
    return float(number) * {"": 1, "m": 1e-3, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}[unit]


def test_overlays() -> None:
    assert OVERLAYS == ["dev", "gpu"]


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_accepts_every_object(manifests: list[Manifest], version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="requirements/dev.txt is not installed")
    assert manifests
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_everything_is_in_the_namespace(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        namespace = manifest["metadata"].get("namespace")
        assert namespace == (None if manifest["kind"] == "Namespace" else "shapeyard"), manifest["metadata"]["name"]


def test_no_secret_is_written_down(manifests: list[Manifest]) -> None:
    assert not [manifest for manifest in manifests if manifest["kind"] == "Secret"]
    for line in (FOLDER / "s3.env.example").read_text().splitlines():
        assert line.endswith("="), "an example has no values"
    assert (FOLDER / "s3.env.example").read_text().replace("=", "").split() == list(SECRET_KEYS)


def test_pods_keep_to_the_restricted_standard(manifests: list[Manifest]) -> None:
    """Pod Security Standards, profile `restricted`, and a read-only root filesystem on top."""
    specs = list(pod_specs(manifests))
    assert specs
    for spec in specs:
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"].get("runAsUser") != 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert spec["automountServiceAccountToken"] is False
        assert all({"emptyDir", "persistentVolumeClaim"} & set(volume) for volume in spec["volumes"])
        for container in itertools.chain(spec["containers"], spec.get("initContainers", ())):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            for kind in ("requests", "limits"):
                assert {"cpu", "memory"} <= set(container["resources"][kind])


def test_every_reference_is_there(manifests: list[Manifest]) -> None:
    there = {(m["kind"], m["metadata"]["name"]) for m in manifests} | FROM_OUTSIDE
    for spec in pod_specs(manifests):
        if "serviceAccountName" in spec:
            assert ("ServiceAccount", spec["serviceAccountName"]) in there
        for volume in spec["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in there
        for container in spec["containers"]:
            for variable in container.get("env", ()):
                reference = variable["valueFrom"]["secretKeyRef"]
                assert ("Secret", reference["name"]) in there
                assert reference["key"] in SECRET_KEYS
    for binding in (m for m in manifests if m["kind"] == "RoleBinding"):
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in there
        assert all((subject["kind"], subject["name"]) in there for subject in binding["subjects"])
    for account in (m for m in manifests if m["kind"] == "ServiceAccount"):
        assert all(("Secret", secret["name"]) in there for secret in account["imagePullSecrets"])


@pytest.mark.parametrize("name", pipeline_names())
def test_what_a_pipeline_refers_to_is_there(manifests: list[Manifest], name: str) -> None:
    (platform,) = compile_pipeline(name)[1:]
    there = {(m["kind"], m["metadata"]["name"]) for m in manifests} | FROM_OUTSIDE
    for executor in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
        for secret in executor.get("secretAsEnv", ()):
            assert ("Secret", secret["secretName"]) in there
        for settings in executor.get("configMapAsEnv", ()):
            assert ("ConfigMap", settings["configMapName"]) in there
        for mount in executor.get("pvcMount", ()):
            assert ("PersistentVolumeClaim", mount["constant"]) in there


def test_the_settings_are_those_that_stages_read(manifests: list[Manifest]) -> None:
    assert set(named(manifests, "ConfigMap", CONFIG_MAP)["data"]) <= {*CONFIG_MAP_KEYS, *ARTIFACTS_KEYS}


def test_the_store_of_dev_is_where_its_settings_say() -> None:
    manifests = build(FOLDER / "overlays" / "dev")
    service = named(manifests, "Service", "seaweedfs")
    port = service["spec"]["ports"][0]["port"]
    assert named(manifests, "ConfigMap", CONFIG_MAP)["data"]["SHAPEYARD_S3_ENDPOINT_URL"] == f"http://seaweedfs:{port}"
    store = named(manifests, "Deployment", "seaweedfs")["spec"]
    labels = store["template"]["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= labels
    assert store["selector"]["matchLabels"].items() <= labels
    (container,) = store["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "s3", "containerPort": port}]
    assert f"-s3.port={port}" in container["args"]


def test_the_account_may_do_little(manifests: list[Manifest]) -> None:
    assert not [m for m in manifests if m["kind"].startswith("Cluster")]
    for rule in named(manifests, "Role", "shapeyard-run")["rules"]:
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
        if {"secrets", "configmaps"} & set(rule["resources"]):
            assert rule["resourceNames"]
            assert rule["verbs"] == ["get"]


def test_the_quota_holds_every_stage(manifests: list[Manifest]) -> None:
    hard = named(manifests, "ResourceQuota", "shapeyard")["spec"]["hard"]
    used = [container["resources"] for spec in pod_specs(manifests) for container in spec["containers"]]
    for number, kind in enumerate(("requests", "limits")):
        for resource in ("cpu", "memory"):
            most = max(quantity(getattr(stage.resources, resource)[number]) for stage in stages().values())
            others = sum(quantity(resources[kind][resource]) for resources in used)
            assert quantity(hard[f"{kind}.{resource}"]) >= most + others
    claims = [m["spec"]["resources"]["requests"]["storage"] for m in manifests if m["kind"] == "PersistentVolumeClaim"]
    assert quantity(hard["requests.storage"]) >= sum(map(quantity, claims))
    assert quantity(hard["persistentvolumeclaims"]) >= len(claims)


def with_component(folder: Path, component: str, *resources: Path | str) -> list[Manifest]:
    """Resources with a component of ours, as somebody's own kustomization would name them."""
    names = [str(one) if isinstance(one, str) else os.path.relpath(one, folder) for one in resources]
    content = {"resources": names, "components": [os.path.relpath(FOLDER / "components" / component, folder)]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return build(folder)


def test_a_stage_that_failed_is_tried_again_by_argo(tmp_path: Path) -> None:
    """A stock install merges `OnError` under each template, which leaves out what ended with an error."""
    stock = {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "workflow-controller-configmap", "namespace": "kubeflow"},
        "data": {"executor": "imagePullPolicy: IfNotPresent\n",
                 "workflowDefaults": "spec:\n  templateDefaults:\n    retryStrategy:\n      retryPolicy: OnError\n"},
    }  # fmt: skip
    (tmp_path / "stock.yaml").write_text(yaml.safe_dump(stock))
    (made,) = with_component(tmp_path, "retries", "stock.yaml")
    assert made["data"]["executor"] == stock["data"]["executor"]  # type: ignore[index]
    defaults = yaml.safe_load(made["data"]["workflowDefaults"])["spec"]["templateDefaults"]
    retries = {task["retryPolicy"]["maxRetryCount"] for name in pipeline_names() for task in tasks_of(name)}
    assert min(retries) >= 1
    assert defaults["retryStrategy"]["retryPolicy"] == "Always"


def tasks_of(pipeline: str) -> Iterator[dict[str, Any]]:
    spec = compile_pipeline(pipeline)[0]
    for component in (spec["root"], *spec["components"].values()):
        yield from (task for task in component.get("dag", {}).get("tasks", {}).values() if "retryPolicy" in task)


CLOUDS = {"eks-pod-identity": "169.254.170.23/32", "gke-workload-identity": "169.254.169.252/32", "openshift": 5353}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_clouds_own_way_is_open_where_its_component_is(cloud: str, tmp_path: Path) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="requirements/dev.txt is not installed")
    made = with_component(tmp_path, cloud, FOLDER / "overlays" / "gpu")
    policies = [one for one in made if one["kind"] == "NetworkPolicy"]
    (added,) = [one for one in policies if one["metadata"]["name"] != "shapeyard"]
    kubernetes_validate.validate(added, VERSIONS[-1], strict=True)
    (rule, *_) = added["spec"]["egress"]
    blocks = [peer["ipBlock"]["cidr"] for peer in rule["to"] if "ipBlock" in peer]
    assert CLOUDS[cloud] in (*blocks, *(port["port"] for port in rule["ports"]))
    assert added["spec"]["policyTypes"] == ["Egress"], "it opens one way, and closes none"


def test_no_sidecar_where_one_would_hold_a_pod_up(manifests: list[Manifest]) -> None:
    """The job would never end, and the stages' pods, which have none, could not talk to a store with one."""
    for one in manifests:
        if one["kind"] in ("Job", "Deployment"):
            assert one["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"


def test_accelerators_only_in_gpu() -> None:
    for overlay in OVERLAYS:
        hard = named(build(FOLDER / "overlays" / overlay), "ResourceQuota", "shapeyard")["spec"]["hard"]
        assert all((quantity(hard[f"requests.{taint}"]) > 0) == (overlay == "gpu") for taint in ACCELERATOR_TAINTS)


def test_the_check_takes_a_trainings_way() -> None:
    spec = named(build(FOLDER / "overlays" / "gpu"), "Job", "gpu-check")["spec"]["template"]["spec"]
    assert spec["tolerations"] == [
        {"key": taint, "operator": "Exists", "effect": "NoSchedule"} for taint in ACCELERATOR_TAINTS
    ]
    (container,) = spec["containers"]
    assert container["image"] == release_image("train_depth")
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
