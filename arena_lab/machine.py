"""What `doctor` makes of a machine's answers; `asking` gets them.

Each check is a function of what was found, so that recorded answers of other machines test it.
Standard library only, and Python 3.9 or later: this runs before there is a lab.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from arena_lab import gpu, image
from arena_lab.errors import LabError
from arena_lab.paths import STATE
from arena_lab.programs import Output

PASS, WARN, FAIL = "PASS", "WARN", "FAIL"

_NOT_THERE = Output(127, "")
_NO_GPU = gpu.Evidence(_NOT_THERE, _NOT_THERE)

_VENV_GB, _IMAGE_GB, _WORK_GB = 8, 20, 1
_LEAST_MEMORY_GB, _GOOD_MEMORY_GB = 3.5, 7.5
_OLDEST_DOCKER = 23
_SKEW_S = 300
_SLOW = {"9p", "drvfs", "fuse.sshfs", "cifs", "smb3", "nfs", "nfs4"}
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
SETTINGS = (*_PROXIES, "ARENA_LAB_PORT")


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: What was looked at.
        status: "PASS"; "WARN" where the lab works all the same; "FAIL" where it cannot.
        reason: One line.
        mend: The command, or the sentence, that mends it; empty where nothing is to be done.
        fix: The same as an argument list, where `--fix` may run it by itself.
    """

    name: str
    status: str
    reason: str
    mend: str = ""
    fix: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machine:
    """What the machine answered.

    Attributes:
        system: `uname -s`; `arch`: `uname -m`; `kernel`: `uname -r`.
        pythons: The versions of the Pythons on the path, such as "3.11.2".
        venv: "ready", "outdated", "unfinished" or "none".
        free_gb: Free space where the checkout is; `memory_gb`: all memory.
        writable: Whether the checkout can be written, and `owner` whose it is.
        mounts: /proc/mounts.
        docker: `docker info --format '{{json .}}'`; `version`, `compose`, `buildx`: what
            `docker --version`, `docker compose version` and `docker buildx version` said.
        port: Where the lab would be served, and `holder` who has it: empty where it is free.
        settings: Proxies and the like, of the environment and .env; `certificates`: what is wrong
            with those that are named there.
        reached: Why a host could not be reached, by what it is for; empty where it answered.
        skew_s: This clock less that of a host, in seconds; None where none told its time.
        docker_free_gb: Free space where Docker keeps images; None where it keeps them elsewhere.
        missing: Sections whose answers.py is not there; `token_mode`: of .lab/token, if there.
    """

    system: str = "Linux"
    arch: str = "x86_64"
    kernel: str = ""
    pythons: tuple[str, ...] = ()
    venv: str = "none"
    free_gb: float = 100.0
    memory_gb: float = 16.0
    writable: bool = True
    owner: int = 1000
    root: str = "/home/you/arena-lab"
    mounts: str = ""
    docker: Output = _NOT_THERE
    version: Output = _NOT_THERE
    compose: Output = _NOT_THERE
    buildx: Output = _NOT_THERE
    port: int = 8888
    holder: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    certificates: str = ""
    reached: Mapping[str, str] = field(default_factory=dict)
    skew_s: float | None = None
    docker_free_gb: float | None = None
    missing: tuple[str, ...] = ()
    token_mode: int | None = None
    gpu: gpu.Evidence = _NO_GPU


def examine(machine: Machine) -> Iterator[Finding]:
    """Give what each check finds."""
    for check in (
        _system,
        _python,
        _folder,
        _disk,
        _memory,
        _environment,
        _answers,
        _token,
        _engine,
        _compose,
        _builder,
        _limits,
        _docker_disk,
        _gpu,
        _gpu_in_container,
        _port,
        _proxies,
        _certificates,
        _network,
        _clock,
    ):
        if finding := check(machine):
            yield finding


def _system(machine: Machine) -> Finding | None:
    name = f"{machine.system} {machine.kernel} on {machine.arch}".replace("  ", " ")
    if machine.system == "Darwin" and machine.arch == "x86_64":
        return Finding(
            "system", WARN, f"{name}: torch has no wheels for it", "work in the container: ./inv up"
        )
    if machine.system not in ("Linux", "Darwin"):
        return Finding("system", FAIL, f"{name}: the lab needs Linux, macOS or WSL 2")
    if machine.arch in ("arm64", "aarch64"):
        return Finding("system", PASS, f"{name}: in the lock, though nobody has tested it yet")
    return Finding("system", PASS, name + (" (WSL 2)" if _is_wsl(machine) else ""))


def _python(machine: Machine) -> Finding:
    found = ", ".join(machine.pythons) or "none"
    if any(version.startswith("3.11.") for version in machine.pythons):
        version = next(v for v in machine.pythons if v.startswith("3.11."))
        return Finding("Python", PASS, f"{version} is there")
    docker = machine.docker.status == 0
    return Finding(
        "Python",
        WARN if docker else FAIL,
        f"the lab needs 3.11 outside of the container; found {found}",
        "./inv up (the container brings its own)" if docker else _get_python(machine),
    )


def _get_python(machine: Machine) -> str:
    return "brew install python@3.11" if machine.system == "Darwin" else "uv python install 3.11"


def _folder(machine: Machine) -> Finding:
    if not machine.writable:
        return Finding(
            "folder",
            FAIL,
            f"{machine.root} belongs to user {machine.owner} and cannot be written",
            f"sudo chown -R $(id -u) {machine.root}",
        )
    kind = _filesystem(machine)
    if kind in _SLOW:
        place = "Windows' disk" if kind in ("9p", "drvfs") else f"a network disk ({kind})"
        return Finding(
            "folder",
            WARN,
            f"{machine.root} is on {place}: every start takes many times as long",
            "mv the folder to your home folder" + (" in WSL" if _is_wsl(machine) else ""),
        )
    return Finding("folder", PASS, f"{machine.root} can be written ({kind or 'local disk'})")


def _filesystem(machine: Machine) -> str:
    """Give the kind of file system that the checkout is on: the longest mount point above it."""
    best = ("", "")
    for line in machine.mounts.splitlines():
        _, point, kind, *_ = [*line.split(" "), "", "", ""]
        point = point.replace("\\040", " ")
        inside = machine.root == point or machine.root.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


def _disk(machine: Machine) -> Finding:
    needed = _WORK_GB if machine.venv in ("ready", "outdated") else _VENV_GB
    free = f"{machine.free_gb:.0f} GB free"
    if machine.free_gb < needed:
        return Finding(
            "disk", FAIL, f"{free}, and the lab needs {needed} here", "make room, or move the lab"
        )
    return Finding("disk", PASS, free)


def _memory(machine: Machine) -> Finding:
    have = f"{machine.memory_gb:.0f} GB"
    if machine.memory_gb < _LEAST_MEMORY_GB:
        return Finding("memory", FAIL, f"{have}; torch and JupyterLab need 4", "close programs")
    if machine.memory_gb < _GOOD_MEMORY_GB:
        return Finding("memory", WARN, f"{have}: training runs need 8 to be at ease")
    return Finding("memory", PASS, have)


def _environment(machine: Machine) -> Finding:
    if machine.venv == "unfinished":
        return Finding(
            ".venv", WARN, "its installation broke off", "./inv --list", fix=("./inv", "--list")
        )
    if machine.venv == "outdated":
        reason = "was made of another lock, or at another place"
        return Finding(".venv", WARN, reason, "./inv --list", fix=("./inv", "--list"))
    said = "holds the lock" if machine.venv == "ready" else "not made yet; ./inv lab makes it"
    return Finding(".venv", PASS, said)


def _answers(machine: Machine) -> Finding:
    if not machine.missing:
        return Finding("answers", PASS, "every section has its answers.py")
    names = ", ".join(machine.missing)
    return Finding(
        "answers", WARN, f"no answers.py in {names}", "./inv starters", fix=("./inv", "starters")
    )


def _token(machine: Machine) -> Finding | None:
    if machine.token_mode is None:
        return None
    if machine.token_mode & 0o077:
        path = str(STATE / "token")
        return Finding(
            "token",
            WARN,
            f"others on this machine can read it (mode {machine.token_mode:o})",
            f"chmod 600 {path}",
            fix=("chmod", "600", path),
        )
    return Finding("token", PASS, "readable by you alone")


def _engine(machine: Machine) -> Finding:
    try:
        info = image.engine(machine.docker)
    except LabError as error:
        needed = any(v.startswith("3.11.") for v in machine.pythons)
        reason, _, mend = str(error).partition("; ")
        if machine.docker.status == 127:
            reason, _, mend = str(error).partition(": ")
        return Finding("Docker", WARN if needed else FAIL, reason, mend)
    if _is_podman(machine):
        return Finding(
            "Docker",
            WARN,
            f"docker is Podman {info.get('ServerVersion', '')} here, whose builder drops the"
            " health check",
            "export BUILDAH_FORMAT=docker",
        )
    version = str(info.get("ServerVersion", ""))
    if version.split(".")[0].isdecimal() and int(version.split(".")[0]) < _OLDEST_DOCKER:
        return Finding(
            "Docker", WARN, f"version {version}; {_OLDEST_DOCKER} or later is tested", "update it"
        )
    rootless = ", rootless" if _is_rootless(info) else ""
    return Finding("Docker", PASS, f"version {version}{rootless}")


def _compose(machine: Machine) -> Finding | None:
    if machine.docker.status:
        return None
    if machine.compose.status:
        return Finding("Compose", WARN, "not there", "sudo apt install docker-compose-plugin")
    version = _version(machine.compose.text)
    if version.startswith("1."):
        return Finding(
            "Compose",
            WARN,
            f"version {version} is the old one",
            "sudo apt install docker-compose-plugin",
        )
    return Finding("Compose", PASS, f"version {version}")


def _builder(machine: Machine) -> Finding | None:
    if machine.docker.status or _is_podman(machine):
        return None
    if machine.buildx.status:
        return Finding(
            "builder", WARN, "buildx is not there", "sudo apt install docker-buildx-plugin"
        )
    return Finding("builder", PASS, f"buildx {_version(machine.buildx.text)}")


def _limits(machine: Machine) -> Finding | None:
    try:
        info = image.engine(machine.docker)
    except LabError:
        return None
    version = str(info.get("CgroupVersion", ""))
    if info.get("MemoryLimit") is False:
        return Finding(
            "limits",
            WARN,
            f"this Docker cannot limit memory (cgroup {version}): a runaway cell may take all",
            "boot with systemd.unified_cgroup_hierarchy=1",
        )
    total = int(info.get("MemTotal") or 0) / 2**30
    if 0 < total < _LEAST_MEMORY_GB:
        return Finding(
            "limits",
            WARN,
            f"Docker has {total:.1f} GB of memory",
            "give it 8 GB: Docker Desktop, Settings, Resources",
        )
    return Finding("limits", PASS, f"{total:.0f} GB of memory for Docker, cgroup {version or '?'}")


def _docker_disk(machine: Machine) -> Finding | None:
    if machine.docker.status or machine.docker_free_gb is None:
        return None
    free = f"{machine.docker_free_gb:.0f} GB free for images"
    if machine.docker_free_gb < _IMAGE_GB:
        return Finding(
            "Docker's disk",
            WARN,
            f"{free}; the first build needs {_IMAGE_GB}",
            "docker system prune",
        )
    return Finding("Docker's disk", PASS, free)


def _gpu(machine: Machine) -> Finding:
    found = machine.gpu.gpus
    if verdict := gpu.unusable(machine.gpu):
        idle = "though Docker is set up" in verdict.reason
        absent = found.status == 127 or not verdict.advice
        status = PASS if absent and not idle else WARN
        return Finding("GPU", status, f"{verdict.reason}: the CPU computes", verdict.advice)
    name, driver = gpu.first(found.text) or ("a GPU", "?")
    return Finding("GPU", PASS, f"{name}, driver {driver}: torch can use it")


def _gpu_in_container(machine: Machine) -> Finding | None:
    if machine.docker.status or machine.system == "Darwin" or gpu.unusable(machine.gpu):
        return None
    verdict = gpu.decide(machine.gpu)
    status = PASS if verdict.flavour == "gpu" else WARN
    return Finding("GPU in the container", status, verdict.reason, verdict.advice)


def port_of(settings: Mapping[str, str]) -> int | None:
    """Give the port that the lab would be served on; None where what is set is none."""
    said = settings.get("ARENA_LAB_PORT") or "8888"
    return int(said) if said.isdecimal() and 0 < int(said) < 65536 else None


def _port(machine: Machine) -> Finding:
    if port_of(machine.settings) is None:
        said = f"{machine.settings['ARENA_LAB_PORT']} is not a port"
        return Finding("port", FAIL, said, "set ARENA_LAB_PORT to a number up to 65535")
    if not machine.holder:
        return Finding("port", PASS, f"{machine.port} is free")
    if machine.holder == "the lab":
        return Finding("port", PASS, f"{machine.port} serves the lab already")
    return Finding("port", WARN, machine.holder, f"./inv lab --port {machine.port + 2}")


def _proxies(machine: Machine) -> Finding | None:
    proxies = {n: machine.settings.get(n) or machine.settings.get(n.lower(), "") for n in _PROXIES}
    exempt = proxies.pop("NO_PROXY")
    if not any(proxies.values()):
        return None
    if not re.search(r"localhost|127\.|\*", exempt):
        return Finding(
            "proxy",
            WARN,
            "a proxy is set for this machine's own addresses too",
            "export NO_PROXY=localhost,127.0.0.1",
        )
    return Finding("proxy", PASS, "set, and not used for this machine itself")


def _certificates(machine: Machine) -> Finding | None:
    if not machine.certificates:
        return None
    mend = "name a file that is there, in PEM form: ARENA_LAB_CA, or pip's cert"
    return Finding("certificates", WARN, machine.certificates, mend)


def _network(machine: Machine) -> Finding | None:
    if not machine.reached:
        return None
    silent = {what: why for what, why in machine.reached.items() if why}
    if not silent:
        return Finding("network", PASS, f"reached: {', '.join(machine.reached)}")
    said = "not reached: " + ", ".join(f"{what} ({why})" for what, why in silent.items())
    if "packages" in silent and machine.venv != "ready" and machine.docker.status:
        return Finding("network", FAIL, said, "connect, or set a mirror (README, other ways in)")
    return Finding("network", WARN, f"{said}; smaller sets stand in", "set a mirror: .env.example")


def _clock(machine: Machine) -> Finding | None:
    if machine.skew_s is None:
        return None
    if abs(machine.skew_s) > _SKEW_S:
        way = "ahead" if machine.skew_s > 0 else "behind"
        return Finding(
            "clock",
            WARN,
            f"{abs(machine.skew_s) / 60:.0f} minutes {way}: certificates will not be trusted",
            "sudo hwclock -s" if _is_wsl(machine) else "sudo timedatectl set-ntp true",
        )
    return Finding("clock", PASS, "right")


def _is_wsl(machine: Machine) -> bool:
    return "microsoft" in machine.kernel.lower()


def _is_podman(machine: Machine) -> bool:
    return "podman" in machine.version.text.lower()


def _is_rootless(info: Mapping[str, object]) -> bool:
    options = info.get("SecurityOptions")
    return isinstance(options, list) and "name=rootless" in options


def _version(text: str) -> str:
    found = re.search(r"\d+\.\d+(?:\.\d+)*", text)
    return found[0] if found else "?"
