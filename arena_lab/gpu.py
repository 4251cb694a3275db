"""Find out whether the container can use an NVIDIA GPU, from what the machine's own tools say.

Standard library only, and Python 3.9 or later: this runs on the host, before there is a lab.
"""

from __future__ import annotations

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arena_lab.programs import Output, ask

# What the locked torch's wheels were built for: CUDA 12.8, sm_70 to sm_120.
# Source: https://docs.nvidia.com/deploy/cuda-compatibility (CUDA 12.x: driver 525 or later).
OLDEST_DRIVER = 525
OLDEST_CAPABILITY = 7.0

_TOOLKIT = (
    "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html"
)
_REGISTER = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
_ALL_CDI = "nvidia.com/gpu=all"


@dataclass(frozen=True)
class Evidence:
    """All that the verdict rests on.

    Attributes:
        gpus: `nvidia-smi --query-gpu=name,driver_version --format=csv,noheader`.
        capabilities: `nvidia-smi --query-gpu=compute_cap --format=csv,noheader`; drivers older
            than 510 refuse the question.
        docker: `docker info --format '{{json .}}'`, parsed.
        cdi: The text of each specification found where the engine looks for them.
        has_hook: `nvidia-container-runtime-hook` is on the path.
        system: `uname -s`: Linux, Darwin.
    """

    gpus: Output
    capabilities: Output
    docker: dict[str, Any] = field(default_factory=dict)
    cdi: tuple[str, ...] = ()
    has_hook: bool = False
    system: str = "Linux"


@dataclass(frozen=True)
class Verdict:
    """Which way the container starts, and why.

    Attributes:
        flavour: "gpu" or "cpu".
        reason: One line.
        advice: What would give the container the GPU; empty where there is nothing to do.
        driver: The device driver that Docker is asked for: "nvidia" or "cdi".
        devices: Which devices of that driver.
    """

    flavour: str
    reason: str
    advice: str = ""
    driver: str = "nvidia"
    devices: str = "all"


def decide(evidence: Evidence) -> Verdict:
    """Tell whether the container gets a GPU."""
    if evidence.system == "Darwin":
        return Verdict("cpu", "Docker on macOS has no GPU")
    return unusable(evidence) or _way_in(evidence)


def look(docker: dict[str, Any], patience_s: float = 30) -> Evidence:
    """Ask this machine's tools.

    Args:
        docker: What `docker info` said.
        patience_s: How long nvidia-smi is waited for.
    """
    import platform

    with ThreadPoolExecutor() as pool:
        gpus = pool.submit(_ask, "name,driver_version", patience_s)
        capabilities = pool.submit(_ask, "compute_cap", patience_s)
    return Evidence(
        gpus=gpus.result(),
        capabilities=capabilities.result(),
        docker=docker,
        cdi=specifications(docker),
        has_hook=shutil.which("nvidia-container-runtime-hook") is not None,
        system=platform.system(),
    )


def unusable(evidence: Evidence) -> Verdict | None:
    """Say why there is no GPU that torch could use, if so."""
    status, text = evidence.gpus.status, evidence.gpus.text.strip()
    if status == 127:
        return Verdict("cpu", "no NVIDIA driver here (there is no nvidia-smi)" + _idle(evidence))
    if "No devices were found" in text or (status == 0 and not text):
        return Verdict("cpu", "nvidia-smi finds no GPU" + _idle(evidence))
    if status:
        said = next(iter(text.splitlines()), f"exit status {status}").rstrip(".")
        mismatch = "mismatch" in said
        advice = "Restart the machine" if mismatch else "Reinstall NVIDIA's driver, then restart"
        return Verdict("cpu", f"nvidia-smi failed: {said}", advice + ", and run ./inv up again.")
    gpu = first(text)
    if gpu is None:
        return Verdict("cpu", f"nvidia-smi names no driver's version ({text.splitlines()[0]})")
    name, driver = gpu
    if int(driver.split(".")[0]) < OLDEST_DRIVER:
        return Verdict(
            "cpu",
            f"the driver of the {name} is {driver}, and torch needs {OLDEST_DRIVER} or later",
            "Install a newer driver of NVIDIA's, restart, and run ./inv up again.",
        )
    capabilities = re.findall(r"^\s*(\d+\.\d+)\s*$", evidence.capabilities.text, re.M)
    best = max(map(float, capabilities), default=OLDEST_CAPABILITY)
    if best < OLDEST_CAPABILITY:
        return Verdict(
            "cpu",
            f"the {name} has compute capability {best}, and torch needs {OLDEST_CAPABILITY}",
        )
    return None


def _way_in(evidence: Evidence) -> Verdict:
    """Choose how Docker hands the GPU out."""
    info = evidence.docker
    found = ", driver ".join(first(evidence.gpus.text) or ())
    if "nvidia" in (info.get("Runtimes") or {}):
        return Verdict("gpu", f"{found}, through Docker's runtime nvidia")
    listed = {device.get("ID") for device in info.get("DiscoveredDevices") or []}
    specified = any(_is_nvidia(text) for text in evidence.cdi)
    if _ALL_CDI in listed or (specified and info.get("CDISpecDirs")):
        return Verdict("gpu", f"{found}, through CDI", driver="cdi", devices=_ALL_CDI)
    on_wsl = "microsoft" in info.get("KernelVersion", "").lower()
    if info.get("OperatingSystem") == "Docker Desktop" and on_wsl:
        return Verdict("gpu", f"{found}, through Docker Desktop")
    if evidence.has_hook:
        return Verdict("gpu", f"{found}, through the NVIDIA Container Toolkit")
    if specified:
        return Verdict(
            "cpu",
            f"{found}, described for CDI, which this Docker does not use",
            f"Run: {_REGISTER}; then ./inv up again.",
        )
    return Verdict(
        "cpu",
        f"{found}, but Docker cannot hand it out",
        f"Install NVIDIA's Container Toolkit ({_TOOLKIT}), run: {_REGISTER}; then ./inv up again.",
    )


def first(text: str) -> tuple[str, str] | None:
    """Give name and driver's version; nvidia-smi writes warnings between its lines."""
    match = re.search(r"^\s*(.+?), (\d+(?:\.\d+)*)\s*$", text, re.M)
    return (match[1], match[2]) if match else None


def _idle(evidence: Evidence) -> str:
    has_toolkit = evidence.has_hook or "nvidia" in (evidence.docker.get("Runtimes") or {})
    return ", though Docker is set up for one" if has_toolkit else ""


def _is_nvidia(specification: str) -> bool:
    """Tell whether a CDI specification, YAML or JSON, describes NVIDIA's GPUs."""
    return bool(re.search(r"""["']?kind["']?\s*:\s*["']?nvidia\.com/gpu\b""", specification))


def _ask(fields: str, patience_s: float) -> Output:
    """Query nvidia-smi; under WSL it is not always on the path."""
    program = shutil.which("nvidia-smi") or shutil.which("/usr/lib/wsl/lib/nvidia-smi")
    if program is None:
        return Output(127, "")
    return ask([program, f"--query-gpu={fields}", "--format=csv,noheader"], patience_s)


def specifications(docker: dict[str, Any]) -> tuple[str, ...]:
    """Give the text of each CDI specification, from where Docker looks for them."""
    found = []
    for folder in {*(docker.get("CDISpecDirs") or []), "/etc/cdi", "/var/run/cdi"}:
        for path in sorted(Path(folder).glob("*")):
            if path.suffix in {".yaml", ".yml", ".json"}:
                try:
                    found.append(path.read_text(encoding="utf-8", errors="replace"))
                except OSError:
                    continue
    return tuple(found)


def parse_info(text: str) -> dict[str, Any]:
    """Read `docker info --format '{{json .}}'`; an answer that is none gives nothing.

    Where docker is Podman, what it says is given under Docker's names.
    """
    try:
        info = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(info, dict):
        return {}
    return _of_podman(info) if "host" in info else info


def _of_podman(info: dict[str, Any]) -> dict[str, Any]:
    host = info["host"]
    is_rootless = (host.get("security") or {}).get("rootless")
    return {
        "ServerVersion": (info.get("version") or {}).get("Version", ""),
        "MemTotal": host.get("memTotal"),
        "MemoryLimit": "memory" in (host.get("cgroupControllers") or []),
        "CgroupVersion": str(host.get("cgroupVersion", "")).lstrip("v"),
        "SecurityOptions": ["name=rootless"] if is_rootless else [],
        "DockerRootDir": (info.get("store") or {}).get("graphRoot", ""),
    }
