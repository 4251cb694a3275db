"""The container: `python3 -m arena_lab.compose up|down|shell|build|bundle|unbundle`.

Runs on the host before there is an environment, so: standard library only, Python 3.9 or later.
`up`, `build` and `unbundle` leave their findings in .env; `docker compose up` then does the same.
"""

from __future__ import annotations

import argparse
import functools
import http.client
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from arena_lab import bundle, gpu, image
from arena_lab.errors import LabError, exit_code_of
from arena_lab.image import ENV, assignments, capture, read, setting
from arena_lab.lab import token
from arena_lab.paths import CONTAINERS_STATE, ROOT
from arena_lab.ports import PORT, containers, is_free, next_free, running, who_has

_SECONDS_TO_START = 120

_BEGIN = "# Written by ./inv up and build; a line of yours outside of this block wins.\n"
_END = "# End of what ./inv wrote.\n"


def up(flavour: str | None = None, port: int | None = None) -> None:
    """Build the image, start the container, and print the link that opens the lab.

    Args:
        flavour: "cpu" or "gpu"; by default what is there.
        port: Where the lab is served on this machine; by default one that is free.

    Raises:
        LabError: Docker is missing or refuses, the disk is too full, the port is taken, the build
            failed, or the lab does not start.
    """
    compose = command()
    info, verdict, chosen = _prepare(flavour, port)
    try:
        _start(compose, chosen)
    except _NoDevice as error:
        print(f"Docker could not hand the GPU out ({error}): starting without.", flush=True)
        verdict = gpu.Verdict("cpu", str(error))
        write_env(settings(info, verdict, chosen))
        _start(compose, chosen)
    _await(compose, chosen)
    if verdict.flavour == "gpu":
        _confirm_gpu(compose)
    print(f"http://127.0.0.1:{chosen}/lab?token={token(CONTAINERS_STATE)}", flush=True)


def build(tag: str | None = None, *, cache: bool = True) -> None:
    """Build the image and write .env: all of `up` but the start.

    Args:
        tag: A name for an image with the course inside, for a class; .env then stays as it is.
        cache: Take the steps that an earlier build made.

    Raises:
        LabError: As for `up`.
    """
    started = time.monotonic()
    if tag:
        image.build(tag, cache=cache)
    else:
        command()
        _prepare(None, None, cache=cache)
    name = tag or setting("ARENA_LAB_IMAGE") or image.IMAGE
    size = int(capture(["docker", "image", "inspect", "--format={{.Size}}", name]).stdout or 0)
    print(f"{name}: {size / 1e9:.2f} GB, in {time.monotonic() - started:.0f} s", flush=True)


def down() -> None:
    """Stop the container and remove it; answers and data stay.

    Raises:
        LabError: Docker is missing or refuses.
    """
    compose = command()
    image.docker_info()
    # As the containers know it: somebody may have removed .env, and with it the project's name.
    projects = {container.project for container in containers()}
    for project in sorted(projects):
        done = capture([*compose, "--project-name", project, "down"])
        if done.returncode:
            raise LabError(f"the lab could not be stopped: {last_line(done)}")
    print(f"Stopped; answers and data are in {ROOT}." if projects else "The lab is not running.")


def shell() -> None:
    """Open a shell in the running container."""
    command()
    image.docker_info()
    found = running()
    if not found:
        raise LabError("the lab is not running; start it with: ./inv up")
    terminal = "-it" if sys.stdin.isatty() and sys.stdout.isatty() else "-i"
    sys.exit(subprocess.run(["docker", "exec", terminal, found[0].name, "bash"]).returncode)


def unbundle(path: Path) -> None:
    """Load the image and the data of a bundle, and write .env: all of `up` but the start.

    Raises:
        LabError: The file is no bundle or damaged, or as for `up`.
    """
    command()
    image.docker_info()
    name, n_data = bundle.unpack(path)
    # Without this line ./inv up would build an image, which takes a network.
    others = re.sub(r"^\s*(export\s+)?ARENA_LAB_IMAGE\s*=.*\n?", "", read(ENV), flags=re.M)
    _write(f"ARENA_LAB_IMAGE={name}\n{others}", ENV.resolve())
    info, _, _ = _prepare(None, None)
    bundle.make_starters(info, name)
    print(f"Loaded {name}, and {n_data} files of data. Now: docker compose up")


def settings(info: Mapping[str, Any], verdict: gpu.Verdict, port: int) -> dict[str, str]:
    """Choose what Compose reads from .env.

    Args:
        info: What `docker info` said.
        verdict: Whether there is a GPU.
        port: Where the lab is served on this machine.
    """
    user, group = image.user(info)
    total = int(info.get("MemTotal") or 0) >> 20
    values = {
        "COMPOSE_FILE": "docker-compose.yml",
        # One engine may serve many people, whose folders have the same name.
        "COMPOSE_PROJECT_NAME": f"arena-lab-{zlib.crc32(os.fsencode(ROOT)):08x}",
        "ARENA_LAB_UID": str(user),
        "ARENA_LAB_GID": str(group),
        "ARENA_LAB_PORT": str(port),
        # A runaway cell ends alone; it does not take the machine along.
        "ARENA_LAB_MEMORY": f"{max(total * 3 // 4, 2048)}m",
    }
    if verdict.flavour == "gpu":
        values["COMPOSE_FILE"] += ":docker-compose.gpu.yml"
        values["ARENA_LAB_GPU_DRIVER"] = verdict.driver
        values["ARENA_LAB_GPUS"] = verdict.devices
    if setting("ARENA_LAB_CA"):
        values["ARENA_LAB_CA_INSIDE"] = _hand_over_certificates()
    return values


def write_env(values: Mapping[str, str], path: Path = ENV) -> None:
    """Put values into .env, beside the lines that somebody else wrote there."""
    path = path.resolve()
    theirs = others_lines(path)
    taken = {key for key, value in assignments(theirs) if value}
    ours = [f"{key}={value}\n" for key, value in values.items() if key not in taken]
    if theirs and not theirs.endswith("\n"):
        theirs += "\n"
    _write("".join([theirs, _BEGIN, *ours, _END]), path)


def _write(text: str, path: Path) -> None:
    """Write a .env file whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".env.")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        # Mirrors may have passwords in their addresses.
        os.chmod(name, 0o600)
        image.give_to_owner(Path(name))
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _prepare(
    flavour: str | None, port: int | None, *, cache: bool = True
) -> tuple[dict[str, Any], gpu.Verdict, int]:
    """Choose how the lab starts, see to its image, and write .env."""
    info = image.docker_info()
    verdict = _choose_flavour(flavour, gpu.decide(gpu.look(info)))
    chosen = _choose_port(port)
    if setting("ARENA_LAB_IMAGE"):
        _fetch(setting("ARENA_LAB_IMAGE"))
    else:
        image.build(cache=cache)
    token(CONTAINERS_STATE)
    image.give_to_owner(CONTAINERS_STATE, *CONTAINERS_STATE.iterdir())
    write_env(settings(info, verdict, chosen))
    return info, verdict, chosen


class _NoDevice(Exception):
    """Docker refuses to start the container with a GPU."""


def _choose_flavour(asked: str | None, verdict: gpu.Verdict) -> gpu.Verdict:
    """Say which way the container starts and why."""
    if asked == "gpu" and verdict.flavour == "cpu":
        raise LabError(f"no GPU for the container: {verdict.reason}. {verdict.advice}".strip())
    if asked == "cpu" and verdict.flavour == "gpu":
        verdict = gpu.Verdict("cpu", f"as asked for; there would be a GPU ({verdict.reason})")
    print(f"{verdict.flavour.upper()}: {verdict.reason}. {verdict.advice}".rstrip(), flush=True)
    return verdict


def command() -> list[str]:
    """Give the command of Compose, whichever version is there.

    Raises:
        LabError: There is none, or this is inside the container.
    """
    if os.environ.get("ARENA_LAB_CONTAINER") == "1":
        raise LabError(
            "this is inside the container; ./inv up, down, shell and build are for outside"
        )
    if shutil.which("docker") is None:
        raise LabError("Docker is not installed: https://docs.docker.com/get-started/get-docker/")
    for words in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(words[0]) and capture([*words, "version"]).returncode == 0:
            return words
    raise LabError(
        "Docker is here, but Compose is not; run: sudo apt install docker-compose-plugin"
        " (docker-compose-v2 on Ubuntu, docker-compose on Debian)"
    )


def others_lines(path: Path) -> str:
    """Give what of a .env file is not `write_env`'s."""
    block = rf"{re.escape(_BEGIN)}(?:\w+=.*\n)*{re.escape(_END)}"
    return re.sub(block, "", read(path)).replace(_BEGIN, "").replace(_END, "")


def _hand_over_certificates() -> str:
    """Copy the network's certificates, beside this machine's own, to where the container reads."""
    own = ssl.get_default_verify_paths().cafile
    paths = [Path(setting("ARENA_LAB_CA")).expanduser(), *([Path(own)] if own else [])]
    (CONTAINERS_STATE / "ca.pem").write_text("\n".join(map(read, paths)), encoding="utf-8")
    return "/lab/.lab/ca.pem"


def _fetch(name: str) -> None:
    """Get a ready image, where it is not here."""
    if capture(["docker", "image", "inspect", name]).returncode:
        pull = ["docker", "pull", name]
        if subprocess.run(pull, cwd=ROOT, env=image.environment()).returncode:
            raise LabError(f"{name}, which ARENA_LAB_IMAGE names, could not be fetched")


def _choose_port(asked: int | None) -> int:
    """Give the port to serve on: the one asked for, the running lab's own, or one that is free."""
    ours = next((container.port for container in running() if container.port), None)
    theirs = dict(assignments(others_lines(ENV))).get("ARENA_LAB_PORT")
    if asked and theirs and str(asked) != theirs:
        raise LabError(f"{ENV} has a line ARENA_LAB_PORT={theirs}; change it there")
    wanted = str(asked or os.environ.get("ARENA_LAB_PORT") or theirs or "")
    if wanted and (not wanted.isdecimal() or not 0 < int(wanted) < 65536):
        raise LabError(
            f"{wanted} is not a port; --port and ARENA_LAB_PORT take a number up to 65535"
        )
    before = setting("ARENA_LAB_PORT")
    port = int(wanted or ours or (before if before.isdecimal() else PORT))
    if port == ours or is_free(port):
        return port
    free = next_free(port)
    if wanted:
        raise LabError(f"{who_has(port)}; take another: ./inv up --port {free}")
    print(f"{who_has(port)}; taking {free}.".capitalize(), flush=True)
    return free


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Give what a command said last, which is where Docker says what is wrong."""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[-1] if lines else f"status {done.returncode}"


def _start(compose: list[str], port: int) -> None:
    before = running()
    if any(container.opened for container in before):
        # Compose would make the container anew, for it knows nothing of what the editor added.
        print("It runs already, opened by an editor.", flush=True)
        return
    # By another name of this folder, Compose would make anew what runs, and end its kernels.
    where = [f"--project-directory={container.folder}" for container in before[:1]]
    done = capture([*compose, *where, "up", "--detach", "--no-build", "--remove-orphans"])
    if done.returncode == 0:
        return
    said = done.stdout + done.stderr
    if refused := re.search(
        r"could not select device driver|nvidia-container-cli|CDI device.*", said
    ):
        raise _NoDevice(refused[0])
    if re.search(r"port is already allocated|address already in use", said):
        raise LabError(f"{who_has(port)}; take another: ./inv up --port {next_free(port)}")
    raise LabError(f"the container could not be started: {last_line(done)}")


def _await(compose: list[str], port: int) -> None:
    """Wait until the lab answers."""
    deadline = time.monotonic() + _SECONDS_TO_START
    while not _answers(port):
        if any(each.state == "exited" for each in containers()) or time.monotonic() > deadline:
            logs = capture([*compose, "logs", "--no-color", "--tail=20", "lab"]).stdout
            lines = [re.sub(r"^\S+\s+\| ?", "", line) for line in logs.splitlines()]
            said = "\n".join(f"  {line}" for line in lines if " | " not in line[:3])
            raise LabError(f"the lab did not start:\n{said}")
        time.sleep(0.2)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/api")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _confirm_gpu(compose: list[str]) -> None:
    """Say whether torch in the container sees the GPU."""
    program = (
        "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    )
    done = capture([*compose, "exec", "-T", "lab", "python", "-c", program])
    if name := done.stdout.strip():
        print(f"torch sees the {name.splitlines()[-1]}.", flush=True)
    else:
        print("The container has the GPU, but torch cannot use it: ./inv shell, then nvidia-smi.")


_COMMANDS: Mapping[str, Callable[..., None]] = {
    "up": up,
    "down": down,
    "shell": shell,
    "build": build,
    "bundle": bundle.bundle,
    "unbundle": unbundle,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; an expected fault is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="./inv", description="The lab in a container.")
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("up", help="build and start the lab, and print its link")
    choice = starting.add_mutually_exclusive_group()
    choice.add_argument(
        "--cpu", dest="flavour", action="store_const", const="cpu", help="leave a GPU alone"
    )
    choice.add_argument(
        "--gpu", dest="flavour", action="store_const", const="gpu", help="insist on a GPU"
    )
    starting.add_argument(
        "--port", type=int, help="where to serve; by default a free one from 8888 on"
    )
    commands.add_parser("down", help="stop the lab")
    commands.add_parser("shell", help="open a shell in the running lab")
    building = commands.add_parser("build", help="build the image, and write .env")
    building.add_argument("--tag", help="with the course inside, for a class, under this name")
    building.add_argument(
        "--no-cache", dest="cache", action="store_false", help="take no step of an earlier build"
    )
    packing = commands.add_parser("bundle", help="write all that a machine offline needs")
    packing.add_argument("path", nargs="?", type=Path, default=Path(bundle.NAME))
    packing.add_argument(
        "--no-fetch", dest="fetch", action="store_false", help="take only the data that is here"
    )
    unpacking = commands.add_parser("unbundle", help="load what bundle wrote")
    unpacking.add_argument("path", type=Path)
    given = vars(parser.parse_args(arguments))
    return exit_code_of(functools.partial(_COMMANDS[given.pop("command")], **given))


if __name__ == "__main__":
    sys.exit(main())
