"""Start JupyterLab with the instruction site, and print the link that opens it.

A page of the site links to a notebook by `$ARENA_LAB_JUPYTER/lab/tree/PATH`, where PATH is
relative to the checkout, quoted, and may end in `#HEADING` (a heading of a Markdown cell, spaces
as dashes). The variable is set for the site and holds the path of JupyterLab on the same host:
`/` here, `/user/NAME/` in a class. Where it is not set there is no JupyterLab to open.

`token` is also called before there is an environment: standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from arena_lab.errors import LabError
from arena_lab.paths import CONTAINERS_STATE, ROOT, STATE

if TYPE_CHECKING:
    import psutil

_JUPYTER = STATE / "jupyter"
_PORT = 8888
_PORTS_TO_TRY = 50


def start(port: int | str | None = None, *, browser: bool = True) -> None:
    """Serve JupyterLab until it is stopped.

    Args:
        port: Where to listen; by default ARENA_LAB_PORT, else 8888. In the container
            ARENA_LAB_PORT is the port on the host, and ARENA_LAB_PORT_INSIDE the one to listen on.
        browser: Open the link in the browser too, where there is a screen.

    Raises:
        LabError: The checkout cannot be written, or the port is taken.
    """
    in_container = os.environ.get("ARENA_LAB_CONTAINER") == "1"
    listen_on = _port("ARENA_LAB_PORT_INSIDE" if in_container else "ARENA_LAB_PORT", port)
    shown = _port("ARENA_LAB_PORT", listen_on) if in_container else listen_on
    ip = os.environ.get("ARENA_LAB_IP") or "127.0.0.1"
    link = f"http://127.0.0.1:{shown}/lab?token="
    if not _is_free(ip, listen_on):
        if state := _state_of(listen_on):
            print(f"The lab is running already: {link}{token(state)}")
            return
        raise LabError(f"{_taken(listen_on)}; try: ./inv lab --port {_next_free(ip, listen_on)}")
    link += token()
    prepare()
    _serve(ip, listen_on, link=link, browser=browser and not in_container and _has_screen())


def token(state: Path | None = None) -> str:
    """Give the token of this checkout's lab; the first call makes it.

    Args:
        state: Where it is kept; by default where the lab outside of the container has it.

    Raises:
        LabError: It cannot be written.
    """
    folder = state or STATE
    path = folder / "token"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (path.exists() and path.stat().st_size):
            new = folder / f"token.{os.getpid()}"
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                # No newline: Jupyter would take it for a part of the token.
                file.write(secrets.token_hex(24))
            path.unlink(missing_ok=True)
            try:
                os.link(new, path)
            except FileExistsError:
                pass  # Somebody else was faster; theirs holds.
            finally:
                new.unlink()
        path.chmod(0o600)
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise LabError(
            f"cannot write {error.filename or path} ({error.strerror}): answers could not be saved"
            f" either. Copy the lab to a folder of yours, or mend it: sudo chown -R $(id -u) {ROOT}"
        ) from None


def _port(variable: str, given: int | str | None) -> int:
    value = str(given or os.environ.get(variable) or _PORT)
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise LabError(f"{value} is not a port: --port and {variable} take a number up to 65535")
    return int(value)


def _is_free(ip: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, port))
        except PermissionError:
            raise LabError(f"port {port} is for root only; try: ./inv lab --port {_PORT}") from None
        except OSError:
            return False
    return True


def _next_free(ip: str, port: int) -> int:
    above = range(port + 1, min(port + _PORTS_TO_TRY, 65536))
    return next((other for other in above if _is_free(ip, other)), _PORT)


def _state_of(port: int) -> Path | None:
    """Give the state of the lab of this checkout that has a port; None where another program has.

    A link to another program would hand it the token.
    """
    import psutil

    from arena_lab import ports

    for file in _JUPYTER.glob("runtime/jpserver-*.json"):
        try:
            server = json.loads(file.read_text(encoding="utf-8"))
            process = psutil.Process(server["pid"])
            # A crash leaves the file behind, and its numbers may be another program's by now.
            has_written_it = process.create_time() <= file.stat().st_mtime
            if server["port"] == port and has_written_it and _listens(process, port):
                return STATE
        except (OSError, ValueError, KeyError, psutil.Error):
            continue
    in_container = port in {container.port for container in ports.running()}
    return CONTAINERS_STATE if in_container else None


def _listens(process: psutil.Process, port: int) -> bool:
    held = process.net_connections(kind="tcp")
    return any(c.status == "LISTEN" and c.laddr.port == port for c in held)


def _taken(port: int) -> str:
    """Say which process has a port."""
    import psutil

    for process in psutil.process_iter(["pid", "cmdline"]):
        try:
            if _listens(process, port):
                command = shlex.join(process.info["cmdline"] or [])
                return f"port {port} is taken by process {process.pid} ({command[:100]})"
        except psutil.Error:
            continue
    return f"port {port} is taken by a process of another user"


def _has_screen() -> bool:
    """Tell whether a browser could open a window; over SSH it would fill the terminal."""
    variables = ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")
    return sys.platform == "darwin" or any(map(os.environ.get, variables))


def prepare() -> None:
    """Point Jupyter to the lab's own settings and state, and kernels to the sections."""
    # jsonschema does without it. It checks formats that nothing here uses, and builds a grammar
    # at import that takes as long as all of JupyterLab.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    os.chdir(ROOT)
    (_JUPYTER / "ipython").mkdir(parents=True, exist_ok=True)
    os.environ.update(
        JUPYTER_CONFIG_DIR=str(_JUPYTER / "config"),
        JUPYTER_DATA_DIR=str(_JUPYTER / "data"),
        JUPYTER_RUNTIME_DIR=str(_JUPYTER / "runtime"),
        IPYTHONDIR=str(_JUPYTER / "ipython"),
        JUPYTER_TOKEN_FILE=str(STATE / "token"),
    )
    for name in ("JUPYTER_TOKEN", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"):
        os.environ.pop(name, None)
    _prepend("JUPYTER_CONFIG_PATH", Path(__file__).parent / "jupyter")
    _prepend("PYTHONPATH", Path(__file__).parent.parent, *sorted(ROOT.glob("chapter*/exercises")))


def _prepend(variable: str, *paths: Path) -> None:
    before = [path for path in os.environ.get(variable, "").split(os.pathsep) if path]
    added = [str(path) for path in paths if str(path) not in before]
    os.environ[variable] = os.pathsep.join([*added, *before])


def _serve(ip: str, port: int, *, link: str, browser: bool) -> None:
    from jupyterlab.labapp import LabApp

    from arena_lab import jupyter

    def announce() -> None:
        print(f"The lab is open at  {link}\nCtrl-C stops it.", flush=True)

    jupyter.when_ready.append(announce)
    LabApp.launch_instance(
        [
            "--ServerApp.log_level=ERROR",
            "--LabApp.log_level=ERROR",
            f"--ServerApp.ip={ip}",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.open_browser={browser}",
            # Many rented machines know no other user than root.
            "--ServerApp.allow_root=True",
            # The address 0.0.0.0 would switch the check of the Host header off.
            "--ServerApp.allow_remote_access=False",
        ]
    )
