"""Who has a port of this machine, and which containers are this checkout's.

Runs on the host before there is an environment, so: standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import json
import os
import re
import socket
from dataclasses import dataclass

from arena_lab.paths import ROOT, STATE
from arena_lab.programs import Output, ask

PORT = 8888
_PORTS_TO_TRY = 50
_PATIENCE_S = 3


def is_free(port: int, address: str = "127.0.0.1") -> bool:
    """Tell whether nobody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except PermissionError:
            # Docker may serve where this user may not; it says so itself where somebody does.
            return True
        except OSError:
            return False
    return True


def next_free(port: int) -> int:
    """Give a free port behind one that is taken."""
    above = range(port + 1, min(port + _PORTS_TO_TRY, 65536))
    return next((other for other in above if is_free(other)), PORT)


def who_has(port: int, *, docker: bool = True) -> str:
    """Say who serves a port: a container by its name, else what ss or lsof knows of a process.

    Args:
        port: Of this machine.
        docker: Ask Docker too.
    """
    published = ["docker", "ps", "--filter", f"publish={port}", "--format", "{{.Names}}"]
    said = ask(published, _PATIENCE_S) if docker else Output(127, "")
    if said.status == 0 and (names := said.text.split()):
        return f"port {port} is taken by the container {names[0]}"
    if found := _process_on(port):
        return f"port {port} is taken by process {found['pid']} ({found['name']})"
    return f"port {port} is taken by another program"


def _process_on(port: int) -> re.Match[str] | None:
    """Give pid and name of who listens on a port, as far as this user may see it."""
    for words, pattern in (
        (["ss", "-Hltnp", f"sport = :{port}"], r'\("(?P<name>[^"]+)",pid=(?P<pid>\d+)'),
        (["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"], r"p(?P<pid>\d+)\nc(?P<name>.+)"),
    ):
        if found := re.search(pattern, ask(words, _PATIENCE_S).text):
            return found
    return None


def serves_lab(port: int, *, docker: bool = True) -> bool:
    """Tell whether a lab of this checkout has a port: its container, or its JupyterLab.

    Args:
        port: Of this machine.
        docker: Ask Docker too.
    """
    if docker and port in {container.port for container in running()}:
        return True
    holder = _process_on(port)
    for file in (STATE / "jupyter" / "runtime").glob("jpserver-*.json"):
        try:
            server = json.loads(file.read_text(encoding="utf-8"))
            # A crash leaves the file behind.
            if holder and (server["pid"], server["port"]) == (int(holder["pid"]), port):
                return True
        except (OSError, ValueError, KeyError):
            continue
    return False


@dataclass(frozen=True)
class Container:
    """One that Compose made for this checkout.

    Attributes:
        name: What Docker calls it.
        state: "running", "exited" and others.
        port: Where it is published; None where it does not run.
        project: Its project's name.
        folder: The checkout, by the name under which Compose was called.
        opened: Whether an editor opened it.
    """

    name: str
    state: str
    port: int | None
    project: str
    folder: str
    opened: bool


def running() -> list[Container]:
    """Give the containers of this checkout that run; none where Docker does not say."""
    return [each for each in containers(_PATIENCE_S) if each.state == "running"]


def containers(patience_s: float | None = None) -> list[Container]:
    """Give the containers of this checkout.

    Args:
        patience_s: How long Docker is waited for.
    """
    labels = ("project", "project.working_dir")
    parts = ["{{.ID}}", "{{.State}}", "{{.Ports}}", '{{.Label "devcontainer.local_folder"}}']
    parts += [f'{{{{.Label "com.docker.compose.{label}"}}}}' for label in labels]
    service = ["--filter", "label=com.docker.compose.service=lab"]
    said = ask(["docker", "ps", "--all", *service, "--format", "\t".join(parts)], patience_s)
    found = []
    for line in said.text.splitlines() if said.status == 0 else ():
        name, state, ports, editors, project, folder = line.split("\t", 5)
        # A link may lead here, and Compose keeps the name that it was called by.
        if os.path.realpath(folder) == os.path.realpath(ROOT):
            port = re.search(r":(\d+)->8888/tcp", ports)
            published = int(port[1]) if port else None
            found.append(Container(name, state, published, project, folder, bool(editors)))
    return found
