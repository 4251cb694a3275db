"""A learner's pod on Kubernetes, made by the hub's spawner from the values that we ship."""

import asyncio
import functools
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest
import yaml

from arena_lab.paths import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
VALUES: dict[str, Any] = yaml.safe_load((FOLDER / "values.yaml").read_text())
SINGLEUSER: dict[str, Any] = VALUES["singleuser"]

# Which trait of the spawner the chart hands each value to (its reference of `singleuser`).
PASSED_ON = {
    ("startTimeout",): "start_timeout",
    ("image", "pullPolicy"): "image_pull_policy",
    ("uid",): "uid",
    ("fsGid",): "fs_gid",
    ("allowPrivilegeEscalation",): "allow_privilege_escalation",
    ("cmd",): "cmd",
    ("cpu", "guarantee"): "cpu_guarantee",
    ("cpu", "limit"): "cpu_limit",
    ("memory", "guarantee"): "mem_guarantee",
    ("memory", "limit"): "mem_limit",
    ("extraEnv",): "environment",
    ("extraPodConfig",): "extra_pod_config",
    ("initContainers",): "init_containers",
}


def value_at(path: tuple[str, ...]) -> Any:
    found: Any = SINGLEUSER
    for key in path:
        found = found.get(key, {})
    return found


def traits() -> dict[str, Any]:
    """Give what the chart's hub sets on its spawner, from our values."""
    image, storage = SINGLEUSER["image"], SINGLEUSER["storage"]
    passed = {name: value_at(path) for path, name in PASSED_ON.items() if value_at(path) != {}}
    volume = {"name": "home", "persistentVolumeClaim": {"claimName": "claim-{username}"}}
    mount = {"name": "home", "mountPath": storage["homeMountPath"]}
    return {
        **passed,
        **VALUES["hub"]["config"]["KubeSpawner"],
        "image": f"{image['name']}:{image['tag']}",
        "volumes": [volume, *storage["extraVolumes"]],
        "volume_mounts": [mount, *storage["extraVolumeMounts"]],
    }


@functools.cache
def pod_of(profile: str) -> dict[str, Any]:
    """Give the pod of a learner who chose a profile, as it is sent to Kubernetes."""
    from kubernetes_asyncio.client import ApiClient
    from kubespawner import KubeSpawner, spawner

    spawner.load_config = lambda **settings: None  # it would look for a cluster

    async def make() -> Any:
        spawner = KubeSpawner(_mock=True, **traits())
        spawner.profile_list = SINGLEUSER["profileList"]
        spawner.user_options = {"profile": profile}
        await spawner.load_user_options()
        return ApiClient().sanitize_for_serialization(await spawner.get_pod_manifest())

    pod: dict[str, Any] = asyncio.run(make())
    return pod


PROFILES = [profile["slug"] for profile in SINGLEUSER["profileList"]]


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) for name in PROFILES])
def pod(request: pytest.FixtureRequest) -> dict[str, Any]:
    return pod_of(request.param)


def test_every_value_of_a_learner_is_one_that_the_chart_hands_on() -> None:
    elsewhere = {"image", "storage", "networkPolicy", "cloudMetadata", "profileList"}
    known = {path[0] for path in PASSED_ON} | elsewhere
    assert set(SINGLEUSER) - known == set()


@pytest.mark.slow
def test_profiles_override_traits_that_the_spawner_has() -> None:
    from kubespawner import KubeSpawner

    overridden = {
        name for p in SINGLEUSER["profileList"] for name in p.get("kubespawner_override", {})
    }
    assert overridden - set(KubeSpawner.class_trait_names()) == set()


@pytest.mark.slow
def test_settings_of_the_hub_are_ones_that_it_knows() -> None:
    from jupyterhub.app import JupyterHub
    from jupyterhub.auth import Authenticator
    from kubespawner import KubeSpawner

    given = {name: set(settings) for name, settings in VALUES["hub"]["config"].items()}
    for kind in (JupyterHub, Authenticator, KubeSpawner):
        assert given.pop(kind.__name__) - set(kind.class_trait_names(config=True)) == set()
    # Of the package that is in the hub's image alone: tests/container.
    assert set(given) == {"FirstUseAuthenticator"}


def test_torch_takes_no_more_threads_than_there_are_cores(pod: dict[str, Any]) -> None:
    (container,) = pod["spec"]["containers"]
    variables = {v["name"]: v.get("value") for v in container["env"]}
    assert float(variables["OMP_NUM_THREADS"]) == float(container["resources"]["limits"]["cpu"])


def test_pod_is_one_that_kubernetes_accepts(pod: dict[str, Any]) -> None:
    import kubernetes_validate

    kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)


def test_pod_can_do_no_more_than_the_container_of_one_learner(pod: dict[str, Any]) -> None:
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"] == {
        "runAsUser": 1000,
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert "initContainers" not in pod["spec"]


def test_what_is_written_goes_to_a_volume(pod: dict[str, Any]) -> None:
    mounts = {m["mountPath"]: m["name"] for m in pod["spec"]["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    assert sorted(mounts) == ["/dev/shm", "/home/learner", "/lab", "/tmp"]
    assert "persistentVolumeClaim" in volumes[mounts["/lab"]]
    assert volumes[mounts["/dev/shm"]]["emptyDir"]["medium"] == "Memory"


@pytest.mark.slow
def test_only_the_gpu_profile_takes_a_gpu() -> None:
    limits = {
        name: pod_of(name)["spec"]["containers"][0]["resources"]["limits"] for name in PROFILES
    }
    assert {n: resources.get("nvidia.com/gpu") for n, resources in limits.items()} == {
        "cpu": None,
        "gpu": "1",
    }


def test_learners_reach_the_world_and_not_each_other() -> None:
    policy = SINGLEUSER["networkPolicy"]
    assert policy["enabled"]
    assert "ingress" not in policy  # beside the proxy, which the chart lets in
    assert policy["egressAllowRules"]["privateIPs"] is False
    assert policy["egressAllowRules"]["cloudMetadataServer"] is False


# The chart itself


@pytest.mark.slow
def test_chart_takes_the_values() -> None:
    """Needs Helm, and the chart: from its repository, or a file of it in deploy/kubernetes."""
    if not shutil.which("helm"):
        pytest.skip("needs helm")
    there = sorted(FOLDER.glob("jupyterhub-*.tgz"))
    where = there[-1:] or ["jupyterhub", "--repo", "https://hub.jupyter.org/helm-chart/"]
    if not there and subprocess.run(["helm", "show", "chart", *where]).returncode:
        pytest.skip("needs the chart: its repository does not answer")
    command = ["helm", "template", "class", *where, "--values", FOLDER / "values.yaml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "kind: NetworkPolicy" in done.stdout


# The plan


def plan(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "plan.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_page_shows_what_the_plan_prints() -> None:
    page = (ROOT / "docs" / "cluster.md").read_text()
    shown = re.findall(r"```\npython deploy/kubernetes/plan.py (.*)\n```\n\n((?:\|.*\n)+)", page)
    assert len(shown) == 2
    for arguments, table in shown:
        assert plan(*arguments.split()).stdout == table


def test_plan_asks_for_what_the_values_ask_for() -> None:
    sys.path.append(str(FOLDER))
    from plan import Plan

    memory, cores = SINGLEUSER["memory"]["guarantee"], SINGLEUSER["cpu"]["guarantee"]
    assert (f"{Plan().memory:g}G", Plan().cores) == (memory, cores)
    assert f"{Plan().disk}Gi" == SINGLEUSER["storage"]["capacity"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--learners", "0"], "must be more than 0: learners"),
        (["--node-memory", "2"], "not one learner fits on such a node"),
        (["--learners", "many"], "invalid int value: 'many'"),
    ],
)
def test_plan_that_cannot_be_is_refused(arguments: list[str], said: str) -> None:
    done = plan(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert not done.stdout


def test_twice_the_learners_take_twice_the_nodes() -> None:
    sys.path.append(str(FOLDER))
    from plan import Plan

    one, two = Plan(learners=1240, share=1), Plan(learners=2480, share=1)
    assert (one.nodes, two.nodes) == (20, 40)
