"""The image that the container runs: its build, and what the build needs of this machine.

Runs on the host before there is an environment, so: standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from arena_lab import gpu
from arena_lab.errors import LabError
from arena_lab.paths import CONTAINERS_STATE, ROOT
from arena_lab.programs import Output

IMAGE = "arena-lab:local"
ENV = ROOT / ".env"
LOG = CONTAINERS_STATE / "build.log"

# The image is 8 GB, what its build keeps for the next one another 8.
_FREE_GB = 20

# What a step of the build is about, by a part of its command.
_STEPS = {
    "ca-certificates python3": "Debian's packages",
    "/opt/install /locks/torch.txt": "torch and CUDA, 3 GB to fetch the first time",
    "/opt/install /locks/requirements.txt": "the other packages",
    "COPY --chown": "the course",
    "npm ci": "the hub and its proxy",
}

# What went wrong, by what the build said.
_CAUSES = {
    r"no space left|disk quota": "the disk is full; docker system prune makes room",
    r"buildx component is missing": (
        "Docker's builder is missing; run: sudo apt install docker-buildx"
        " (docker-buildx-plugin from Docker's own packages)"
    ),
    r"certificate verify failed|UnknownIssuer|invalid peer certificate": (
        "a certificate is not trusted; name your network's in ARENA_LAB_CA (.env.example)"
    ),
    r"failed to resolve source metadata|pull access denied": (
        "Docker Hub cannot be reached; connect, or name another Debian 12 in BASE_IMAGE"
    ),
    r"could not resolve|temporary failure|failed to fetch|timed out|dns error|connect": (
        "a package could not be fetched; connect and run it again, or set a mirror (.env.example)"
    ),
}


def build(tag: str | None = None, *, cache: bool = True) -> None:
    """Build the image; what the build says goes into .lab/build.log.

    pip's settings of this machine (index, certificate) reach it as secrets: no layer keeps them.

    Args:
        tag: A name for an image with the course inside, for a class; by default the one without,
            which runs with this checkout.
        cache: Take the steps that an earlier build made.

    Raises:
        LabError: The disk is too full, or the build failed.
    """
    check_disk(docker_info(), tag or IMAGE)
    target = () if tag else ("--target=environment",)
    make(tag or IMAGE, *target, *(() if cache else ("--no-cache",)))


def make(tag: str, *options: str) -> None:
    """Run one build of Docker's, with what it needs of this machine.

    Args:
        tag: The image's name.
        options: Further ones of `docker build`.

    Raises:
        LabError: The build failed.
    """
    CONTAINERS_STATE.mkdir(exist_ok=True)
    command = ["docker", "build", "--progress=plain", "--tag", tag, *options]
    for name in ("BASE_IMAGE", "APT_MIRROR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        if value := setting(name):
            command += ["--build-arg", f"{name}={value}"]
    with tempfile.TemporaryDirectory() as folder, open(LOG, "w", encoding="utf-8") as log:
        for name, path in secrets(Path(folder)).items():
            command += ["--secret", f"id={name},src={path}"]
        process = subprocess.Popen(
            [*command, "."],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        last = _follow(process, log)
    if process.returncode:
        said = "\n".join(last)
        cause = next((why for part, why in _CAUSES.items() if re.search(part, said, re.I)), "")
        tail = "\n".join(f"  {line}" for line in last[-12:] if line.strip())
        raise LabError(f"the image could not be built: {cause}\n{tail}\nThe whole log: {LOG}")


def docker_info() -> dict[str, Any]:
    """Ask the engine about itself.

    Raises:
        LabError: There is no Docker, it does not run, or this user may not use it.
    """
    if shutil.which("docker") is None:
        return engine(Output(127, ""))
    done = capture(["docker", "info", "--format", "{{json .}}"])
    return engine(Output(done.returncode, done.stdout + done.stderr))


def engine(said: Output) -> dict[str, Any]:
    """Read what `docker info --format '{{json .}}'` said.

    Raises:
        LabError: As for `docker_info`.
    """
    if said.status == 127:
        raise LabError("Docker is not installed: https://docs.docker.com/get-started/get-docker/")
    # Docker's is one line, Podman's many; what went wrong may stand around it.
    answer = re.search(r"^\{.*\}$", said.text, re.M | re.S)
    info = gpu.parse_info(answer[0] if answer else "")
    rest = said.text.replace(answer[0], "") if answer else said.text
    problem = "\n".join(info.get("ServerErrors") or ([rest] if said.status else []))
    if "permission denied" in problem.lower():
        raise LabError(
            'you may not use Docker; run "sudo usermod -aG docker $USER", log out and in again'
        )
    if re.search("cannot connect|daemon running|no such file", problem, re.I):
        raise LabError(
            "Docker does not run; open Docker Desktop, or run: sudo systemctl start docker"
        )
    if problem:
        raise LabError(f"Docker does not answer ({problem.strip().splitlines()[-1]}); restart it")
    return info


def answers(said: Output) -> bool:
    """Tell whether `docker info` got an answer, and more can be asked."""
    try:
        engine(said)
    except LabError:
        return False
    return True


def check_disk(info: Mapping[str, Any], name: str = IMAGE) -> None:
    """Refuse a first build that the disk could not hold; Docker Desktop's disk is its own."""
    if capture(["docker", "image", "inspect", name]).returncode == 0:
        return
    folder = str(info.get("DockerRootDir", ""))
    try:
        free = shutil.disk_usage(folder).free / 1e9
    except OSError:
        return
    if free < _FREE_GB:
        raise LabError(
            f"{folder} has {free:.0f} GB free, and the first build needs {_FREE_GB}; make room"
            " (docker system prune removes what no container uses)"
        )


def secrets(folder: Path) -> dict[str, Path]:
    """Write into a folder what the build needs to reach packages as this machine's pip does.

    Returns:
        The file of each of the Dockerfile's secrets; none where pip has no settings.

    Raises:
        LabError: The file of certificates is not there.
    """
    found: dict[str, Path] = {}
    config = pip_config()
    certificates = setting("ARENA_LAB_CA") or config.pop("cert", "") or setting("SSL_CERT_FILE")
    if config:
        found["pip_conf"] = folder / "pip.conf"
        lines = [f"{key} = {value}\n" for key, value in config.items()]
        found["pip_conf"].write_text("[global]\n" + "".join(lines), encoding="utf-8")
    if registry := setting("NPM_CONFIG_REGISTRY"):
        found["npmrc"] = folder / "npmrc"
        found["npmrc"].write_text(f"registry={registry}\n", encoding="utf-8")
    if certificates:
        found["ca"] = Path(certificates).expanduser().resolve()
        if not found["ca"].is_file():
            raise LabError(f"there are no certificates at {certificates} (ARENA_LAB_CA names them)")
    return found


def setting(name: str) -> str:
    """Look a setting up as Compose does: in the environment, then in .env; else it is empty."""
    return os.environ.get(name) or dict(assignments(read(ENV))).get(name, "")


def assignments(text: str) -> Iterator[tuple[str, str]]:
    """Give the variables of a .env file."""
    for line in text.splitlines():
        if match := re.match(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$", line):
            quoted = re.match(r"""(["'])(.*?)\1""", match[2])
            yield match[1], quoted[2] if quoted else match[2].partition(" #")[0].rstrip()


def read(path: Path) -> str:
    """Give a file's text; nothing where there is no file.

    Raises:
        LabError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"cannot read {path}: {error}") from None


def owner() -> tuple[int, int]:
    """Give user and group of the checkout: whoever calls, answers are to belong to them."""
    found = ROOT.stat()
    return found.st_uid, found.st_gid


def user(info: Mapping[str, Any]) -> tuple[int, int]:
    """Give user and group for a container that writes into the checkout.

    Args:
        info: What `docker info` said.
    """
    # A rootless engine's root is whoever runs it, and every other user is nobody on this machine.
    return (0, 0) if "name=rootless" in (info.get("SecurityOptions") or []) else owner()


def give_to_owner(*paths: Path) -> None:
    """Hand over what root wrote: with sudo, the checkout is somebody else's."""
    if os.getuid() == 0:
        for path in paths:
            os.chown(path, *owner(), follow_symlinks=False)


def environment() -> dict[str, str]:
    """Give the environment for Docker: before version 23 it builds the old way unless told."""
    return {**os.environ, "DOCKER_BUILDKIT": "1", "COMPOSE_DOCKER_CLI_BUILD": "1"}


def capture(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout and keep what it writes."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )


def pip_config() -> dict[str, str]:
    """Read what pip would of its files and variables, as far as a container can use it."""
    home = Path.home()
    files = [
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        home / "Library/Application Support/pip/pip.conf",
        home / ".pip/pip.conf",
        home / ".config/pip/pip.conf",
        Path(os.environ.get("PIP_CONFIG_FILE") or os.devnull),
    ]
    parser = configparser.RawConfigParser(strict=False)
    with contextlib.suppress(configparser.Error, UnicodeDecodeError):
        parser.read(files, encoding="utf-8")
    config = {}
    for key in ("index-url", "extra-index-url", "trusted-host", "cert"):
        given = [setting("PIP_" + key.upper().replace("-", "_"))]
        given += [parser.get(section, key, fallback="") for section in ("install", "global")]
        value = next(filter(None, given), "")
        # A folder of this machine is not there in the build.
        words = [word for word in value.split() if not word.startswith("file:")]
        if words:
            config[key] = " ".join(words)
    return config


def _follow(process: subprocess.Popen[str], log: TextIO) -> list[str]:
    """Copy the build's output to the log, say which step it has come to, and give its end."""
    assert process.stdout is not None
    names: dict[str, str] = {}
    last: deque[str] = deque(maxlen=200)
    for line in process.stdout:
        log.write(line)
        log.flush()
        last.append(line.rstrip())
        number, _, rest = line.partition(" ")
        if rest.startswith("["):
            if label := next((label for part, label in _STEPS.items() if part in rest), None):
                names[number] = label
        elif number in names and not rest.startswith(("CACHED", "DONE")):
            print(f"  building: {names.pop(number)}", flush=True)
    process.wait()
    return list(last)
