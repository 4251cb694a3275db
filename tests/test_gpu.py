"""Which machines get a container with a GPU, and what the others are told."""

import json
import os
from pathlib import Path

import pytest

from arena_lab import gpu

MACHINES = Path(__file__).parent / "fixtures" / "gpu"


def evidence(name: str) -> gpu.Evidence:
    folder = MACHINES / name
    machine = json.loads((folder / "machine.json").read_text())

    def output(kind: str) -> gpu.Output:
        path = folder / f"{kind}.txt"
        return gpu.Output(machine[kind], path.read_text() if path.exists() else "")

    return gpu.Evidence(
        gpus=output("gpus"),
        capabilities=output("capabilities"),
        docker=json.loads((folder / "docker-info.json").read_text()),
        cdi=tuple(path.read_text() for path in folder.glob("cdi.*")),
        has_hook=machine.get("has_hook", False),
        system=machine.get("system", "Linux"),
    )


def decide(name: str) -> gpu.Verdict:
    return gpu.decide(evidence(name))


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ("none", "no NVIDIA driver here (there is no nvidia-smi)"),
        ("macos", "Docker on macOS has no GPU"),
        (
            "toolkit_without_gpu",
            "no NVIDIA driver here (there is no nvidia-smi), though Docker is set up for one",
        ),
        ("no_device", "nvidia-smi finds no GPU, though Docker is set up for one"),
    ],
)
def test_machine_without_a_gpu_starts_on_the_cpu_and_asks_for_nothing(machine, reason):
    assert decide(machine) == gpu.Verdict("cpu", reason)


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ("runtime", "NVIDIA GeForce RTX 4070, driver 570.133.20, through Docker's runtime nvidia"),
        ("two_gpus", "NVIDIA H100 80GB HBM3, driver 535.183.06, through Docker's runtime nvidia"),
        (
            "warning_between",
            "NVIDIA A100-SXM4-40GB, driver 550.127.05, through Docker's runtime nvidia",
        ),
        ("hook_only", "NVIDIA A10G, driver 535.183.06, through the NVIDIA Container Toolkit"),
        (
            "docker_desktop_wsl",
            "NVIDIA GeForce RTX 3060 Laptop GPU, driver 566.36, through Docker Desktop",
        ),
    ],
)
def test_machine_with_gpu_and_toolkit_gets_the_nvidia_driver(machine, reason):
    assert decide(machine) == gpu.Verdict("gpu", reason, driver="nvidia", devices="all")


@pytest.mark.parametrize("machine", ["cdi_only", "cdi_listed"])
def test_machine_with_cdi_alone_gets_the_cdi_driver(machine):
    assert decide(machine) == gpu.Verdict(
        "gpu",
        "NVIDIA L4, driver 570.133.20, through CDI",
        driver="cdi",
        devices="nvidia.com/gpu=all",
    )


@pytest.mark.parametrize(
    ("machine", "reason", "advice"),
    [
        (
            "no_toolkit",
            "NVIDIA GeForce GTX 1660 Ti, driver 550.144.03, but Docker cannot hand it out",
            "Install NVIDIA's Container Toolkit",
        ),
        (
            "cdi_switched_off",
            "NVIDIA L4, driver 570.133.20, described for CDI, which this Docker does not use",
            "sudo nvidia-ctk runtime configure --runtime=docker",
        ),
        (
            "old_driver",
            "the driver of the Tesla V100-SXM2-16GB is 470.256.02, and torch needs 525 or later",
            "Install a newer driver",
        ),
        (
            "driver_not_loaded",
            "nvidia-smi failed: NVIDIA-SMI has failed because it couldn't communicate with the"
            " NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running",
            "Reinstall NVIDIA's driver",
        ),
        (
            "driver_just_updated",
            "nvidia-smi failed: Failed to initialize NVML: Driver/library version mismatch",
            "Restart the machine",
        ),
    ],
)
def test_machine_whose_gpu_cannot_be_used_yet_is_told_what_to_do(machine, reason, advice):
    verdict = decide(machine)
    assert (verdict.flavour, verdict.reason) == ("cpu", reason)
    assert advice in verdict.advice
    assert "\n" not in verdict.reason + verdict.advice


def test_gpu_older_than_the_wheels_is_left_alone():
    verdict = decide("old_gpu")
    assert verdict.flavour == "cpu"
    assert verdict.reason == (
        "the NVIDIA GeForce GTX 1080 Ti has compute capability 6.1, and torch needs 7.0"
    )


def test_oldest_capability_is_the_oldest_that_torch_was_built_for():
    torch = pytest.importorskip("torch")
    if not torch.version.cuda:
        pytest.skip("this torch is built without CUDA")
    oldest = min(int(name.split("_")[1]) for name in torch._C._cuda_getArchFlags().split())
    assert oldest / 10 == gpu.OLDEST_CAPABILITY
    assert torch.version.cuda.startswith("12."), "another CUDA needs another oldest driver"


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A PATH that holds only what a test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def add(name: str, script: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    return add


def test_look_asks_the_tools_of_this_machine(tools, tmp_path):
    answers = MACHINES / "cdi_only"
    tools(
        "nvidia-smi",
        'while read -r line; do echo "$line"; done <'
        f' "{answers}/$(case $1 in *compute_cap*) echo capabilities;; *) echo gpus;; esac).txt"',
    )
    specifications = tmp_path / "cdi"
    specifications.mkdir()
    (specifications / "nvidia.yaml").write_text((answers / "cdi.yaml").read_text())
    info = {"Runtimes": {"runc": {}}, "CDISpecDirs": [str(specifications)]}
    assert gpu.decide(gpu.look(info)) == decide("cdi_only")


def test_look_reports_how_nvidia_smi_failed(tools):
    tools("nvidia-smi", "echo Failed to initialize NVML: Unknown Error >&2; exit 255")
    verdict = gpu.decide(gpu.look({}))
    assert verdict.reason == "nvidia-smi failed: Failed to initialize NVML: Unknown Error"


def test_look_does_not_wait_for_an_nvidia_smi_that_hangs(tools):
    tools("nvidia-smi", "trap '' TERM; /bin/sleep 60 & wait")
    assert gpu.look({}, patience_s=0.2).gpus == gpu.Output(124, "no answer within 0.2 s")


@pytest.mark.skipif(os.path.exists("/usr/lib/wsl/lib/nvidia-smi"), reason="WSL has it elsewhere")
def test_look_finds_nothing_where_there_is_nothing(tools):
    assert gpu.look({}).gpus.status == 127


@pytest.mark.parametrize("text", ["", "[]", "null", "permission denied", "{"])
def test_answer_that_is_no_information_is_taken_for_none(text):
    assert gpu.parse_info(text) == {}
