"""A class on one server: `python3 -m arena_lab.classroom up|build|down|status|add|reset|collect`.

Runs on the host before there is an environment, so: standard library only, Python 3.9 or later.
The hub and its proxy are Compose's (deploy/server); the learners' containers are the hub's.
"""

from __future__ import annotations

import argparse
import functools
import http.client
import os
import secrets
import ssl
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from arena_lab import accounts, class_settings, collecting, compose, image, ports
from arena_lab.accounts import Account
from arena_lab.errors import LabError, exit_code_of
from arena_lab.image import capture
from arena_lab.paths import ROOT, write_atomically

SERVER = ROOT / "deploy" / "server"
LEARNERS = SERVER / "learners.txt"
ENV = SERVER / ".env"

_COURSE, _HUB, _LEARNER = "arena-lab:course", "arena-lab:hub", "arena-lab:learner"
_SECONDS_TO_START = 120


def up() -> None:
    """Build the images, start the hub, and print its address.

    Raises:
        LabError: Docker is missing or refuses, a setting or the list of learners is wrong, the
            port is taken, a build failed, or the hub does not start.
    """
    command = compose.command()
    image.docker_info()
    settings = class_settings.read(ENV)
    known = accounts.read(LEARNERS)
    if not known:
        raise LabError(f"{LEARNERS} names nobody: a name a line, or ./inv class add NAME ...")
    _check_port(settings)
    _build()
    compose.write_env(_findings(settings), ENV)
    _start(command)
    url = class_settings.url(settings)
    _await(settings)
    if not settings.is_private and not settings.has_tls:
        print("Passwords cross the network in the open: set a certificate (docs/class.md).")
    print(f"{len(known)} may log in. Each sets a password at the first login.")
    print(url, flush=True)


def build() -> None:
    """Build the images, for a registry from which another machine or a cluster takes them.

    Raises:
        LabError: Docker is missing or refuses, or a build failed.
    """
    image.docker_info()
    _build()
    print(f"{_LEARNER} is what learners run, {_HUB} the hub and its proxy.")


def down() -> None:
    """Stop the hub and every learner's server; files, accounts and passwords stay.

    Raises:
        LabError: Docker is missing or refuses.
    """
    command = compose.command()
    image.docker_info()
    if ENV.exists():
        done = capture([*command, *_project(), "down"])
        if done.returncode:
            raise LabError(f"the hub could not be stopped: {compose.last_line(done)}")
    running = _learners()
    if running:
        capture(["docker", "stop", *running.values()])
    networks = capture(["docker", "network", "ls", "-q", "--filter", _ours()]).stdout.split()
    if networks:
        capture(["docker", "network", "rm", *networks])
    print(f"Stopped. The files of {len(volumes())} learners stay in their volumes.")


def status() -> None:
    """Print where the hub is, and who works with how much memory.

    Raises:
        LabError: Docker is missing or refuses, or the list of learners is wrong.
    """
    image.docker_info()
    known = accounts.read(LEARNERS)
    health = capture(["docker", "inspect", "--format={{.State.Health.Status}}", f"{name()}-hub"])
    where = class_settings.url(class_settings.read(ENV))
    print(f"hub: {health.stdout.strip() + ', ' + where if not health.returncode else 'stopped'}")
    running, stored = _learners(), volumes()
    used = _usage(list(running.values()))
    width = max((len(learner) for learner in known), default=0)
    for learner in [*known, *sorted(running.keys() - known.keys())]:
        state = used.get(running.get(learner, ""), "")
        state = state or ("not running" if learner in stored else "never came")
        role = "" if learner in known else ", not in the list"
        role = ", teacher" if learner in known and known[learner].is_teacher else role
        print(f"  {learner:{width}}  {state}{role}")


def add(names: Sequence[str], *, teacher: bool = False) -> None:
    """Write names into the list; the hub knows them at once.

    Raises:
        LabError: A name cannot be one, or is there already; then none is written.
    """
    text = image.read(LEARNERS)
    known = dict(accounts.parse(text, str(LEARNERS)))
    for given in names:
        new = accounts.check_name(given.lower())
        if new in known:
            raise LabError(f"{new} is in {LEARNERS} already")
        known[new] = Account(new, is_teacher=teacher)
        text += "" if not text or text.endswith("\n") else "\n"
        text += f"{new} teacher\n" if teacher else f"{new}\n"
    try:
        write_atomically(LEARNERS, text)
        image.give_to_owner(LEARNERS)
    except OSError as error:
        raise LabError(f"cannot write {LEARNERS}: {error.strerror}") from None
    print(f"{len(known)} may log in.")


def reset(learner: str) -> None:
    """Forget a password; the next login sets a new one.

    Raises:
        LabError: There is no such learner, or the hub does not run.
    """
    if learner not in accounts.read(LEARNERS):
        raise LabError(f"{learner} is not in {LEARNERS}")
    program = (
        "import dbm, sys\n"
        "with dbm.open('/data/passwords', 'c', 0o600) as passwords:\n"
        "    known = sys.argv[1].encode() in passwords\n"
        "    if known: del passwords[sys.argv[1].encode()]\n"
        "print('forgotten' if known else 'there was none')\n"
    )
    done = capture(["docker", "exec", f"{name()}-hub", "python3", "-c", program, learner])
    if done.returncode:
        raise LabError(f"the hub does not answer ({compose.last_line(done)}): ./inv class up")
    print(f"The password of {learner}: {done.stdout.strip()}. The next login sets a new one.")


def collect(folder: Path) -> None:
    """Copy every learner's answers to FOLDER/LEARNER/PACKAGE/answers.py.

    Raises:
        LabError: The folder holds files, or cannot be written; or Docker refuses.
    """
    image.docker_info()
    stored = volumes()
    if not stored:
        raise LabError("nobody has begun: there are no learners' volumes of this class")
    n_files = collecting.collect(stored, folder, _LEARNER)
    print(f"{n_files} answers.py of {len(stored)} learners: {folder}")


def name() -> str:
    """Give what everything of this class begins with in Docker."""
    # Once there are volumes, their names count: the folder may be moved.
    known = dict(image.assignments(image.read(ENV))).get("COMPOSE_PROJECT_NAME")
    return known or f"arena-class-{zlib.crc32(os.fsencode(ROOT)):08x}"


def volumes() -> dict[str, str]:
    """Give the volume of each learner who has one."""
    form = '{{.Label "arena-lab.learner"}} {{.Name}}'
    done = capture(["docker", "volume", "ls", "--filter", _ours(), "--format", form])
    return dict(sorted(line.split(" ") for line in done.stdout.splitlines()))


def _learners() -> dict[str, str]:
    """Give the container of each learner whose server runs."""
    form = '{{.Label "arena-lab.learner"}} {{.ID}}'
    done = capture(["docker", "ps", "--filter", _ours(), "--format", form])
    return dict(line.split(" ") for line in done.stdout.splitlines())


def _ours() -> str:
    return f"label=arena-lab.class={name()}"


def _usage(containers: list[str]) -> dict[str, str]:
    """Give what containers use now."""
    if not containers:
        return {}
    form = "{{.ID}}\t{{.MemUsage}}, {{.CPUPerc}} of a core"
    done = capture(["docker", "stats", "--no-stream", "--format", form, *containers])
    return dict(line.split("\t") for line in done.stdout.splitlines())


def _project() -> list[str]:
    file = SERVER / "docker-compose.yml"
    return ["--file", str(file), "--env-file", str(ENV), "--project-name", name()]


def _check_port(settings: class_settings.Settings) -> None:
    published = capture(["docker", "port", f"{name()}-proxy", "8000/tcp"]).stdout
    is_ours = f":{settings.port}" in published
    if not is_ours and not ports.is_free(settings.port, settings.bind):
        who = ports.who_has(settings.port)
        raise LabError(f"{who}; set another as ARENA_LAB_CLASS_PORT in {ENV}")


def _build() -> None:
    image.build(_COURSE)
    file = f"--file={SERVER / 'Dockerfile'}"
    image.make(_HUB, file, "--target=hub")
    image.make(_LEARNER, file, "--target=learner", f"--build-arg=LAB_IMAGE={_COURSE}")


def _findings(settings: class_settings.Settings) -> dict[str, str]:
    """Choose what Compose and the hub read beside the teacher's lines."""
    before = dict(image.assignments(image.read(ENV)))
    return {
        "COMPOSE_PROJECT_NAME": name(),
        "CONFIGPROXY_AUTH_TOKEN": before.get("CONFIGPROXY_AUTH_TOKEN") or secrets.token_hex(32),
        "ARENA_LAB_CLASS_SOCKET": _socket(),
        "ARENA_LAB_CLASS_PROXY_USER": settings.key_owner,
        **settings.values,
    }


def _socket() -> str:
    """Give the path of the engine's socket, which the hub uses."""
    form = "--format={{.Endpoints.docker.Host}}"
    host = capture(["docker", "context", "inspect", form]).stdout.strip()
    if not host.startswith("unix://"):
        raise LabError(f"the hub needs Docker's engine on this machine; docker's is at {host}")
    path = host[len("unix://") :]
    # Docker Desktop's is outside of the machine in which containers run.
    return path if not path.endswith("/.docker/run/docker.sock") else "/var/run/docker.sock"


def _start(command: list[str]) -> None:
    asked = ["docker", "ps", "--quiet", "--filter", f"name=^{name()}-hub$"]
    before = capture(asked).stdout
    done = capture([*command, *_project(), "up", "--detach", "--no-build", "--remove-orphans"])
    if done.returncode:
        raise LabError(f"the hub could not be started: {compose.last_line(done)}")
    if before and before == capture(asked).stdout:
        # It goes on as it was, and what it read from this folder at its start may be another.
        capture(["docker", "restart", f"{name()}-hub"])


def _await(settings: class_settings.Settings) -> None:
    """Wait until the hub answers through the proxy."""
    deadline = time.monotonic() + _SECONDS_TO_START
    while not _answers(settings):
        state = "--format={{.State.Status}} {{.RestartCount}}"
        said = capture(["docker", "inspect", state, f"{name()}-hub"]).stdout.split()
        if said[1:] not in (["0"], []) or time.monotonic() > deadline:
            logs = capture(["docker", "logs", "--tail=20", f"{name()}-hub"])
            lines = "\n".join(f"  {line}" for line in (logs.stdout + logs.stderr).splitlines())
            raise LabError(f"the hub did not start:\n{lines}")
        time.sleep(0.5)


def _answers(settings: class_settings.Settings) -> bool:
    host = "127.0.0.1" if settings.bind == "0.0.0.0" else settings.bind
    connection: http.client.HTTPConnection
    if settings.has_tls:
        # Whether it is up is asked here, not whose it is.
        trusting = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(host, settings.port, timeout=5, context=trusting)
    else:
        connection = http.client.HTTPConnection(host, settings.port, timeout=5)
    try:
        connection.request("GET", "/hub/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


_COMMANDS: Mapping[str, Callable[..., None]] = {
    "up": up,
    "build": build,
    "down": down,
    "status": status,
    "add": add,
    "reset": reset,
    "collect": collect,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; an expected fault is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="./inv class", description="A class on this server.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="build the images, start the hub, and print its address")
    commands.add_parser("build", help="only build the images")
    commands.add_parser("down", help="stop the hub and the learners' servers; files stay")
    commands.add_parser("status", help="who works, and with how much memory")
    adding = commands.add_parser("add", help="let somebody in")
    adding.add_argument("names", nargs="+", metavar="NAME")
    adding.add_argument("--teacher", action="store_true", help="with the hub's admin page")
    resetting = commands.add_parser("reset", help="let somebody set a new password")
    resetting.add_argument("learner", metavar="NAME")
    taking = commands.add_parser("collect", help="copy every learner's answers.py out")
    taking.add_argument("folder", type=Path, metavar="FOLDER")
    given = vars(parser.parse_args(arguments))
    if os.environ.get("ARENA_LAB_CONTAINER") == "1":
        print(
            "this is inside the container; ./inv class is for the server outside", file=sys.stderr
        )
        return 2
    return exit_code_of(functools.partial(_COMMANDS[given.pop("command")], **given))


if __name__ == "__main__":
    sys.exit(main())
