"""What the lab adds to Jupyter's server; its settings are in jupyter_server_config.py."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from arena_lab.errors import LabError
from arena_lab.paths import ROOT

# Called once the server answers.
when_ready: list[Callable[[], None]] = []


def home() -> Path:
    """Give the script of the instruction site."""
    for path in sorted(ROOT.glob("chapter*/instructions/Home.py")):
        return path
    raise LabError(f"there is no chapter*/instructions/Home.py in {ROOT}: the copy is incomplete")


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "arena_lab.jupyter"}]


def _load_jupyter_server_extension(app: Any) -> None:
    app.io_loop.add_callback(_ready, app)


async def _ready(app: Any) -> None:
    _stop_on_ctrl_c(app)
    for function in when_ready:
        function()
    # In a class it waits for the first who asks: a hundred would start in the same minute.
    if "JUPYTERHUB_API_TOKEN" not in os.environ:
        await _start_site(app)


def _stop_on_ctrl_c(app: Any) -> None:
    """Stop at the first Ctrl-C; a second one interrupts the cleaning up.

    Without a terminal Jupyter leaves Ctrl-C to Python, which raises an exception wherever the
    program stands; in a finalizer it would be lost.
    """
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        app.stop()

    loop.add_signal_handler(signal.SIGINT, stop)


async def _start_site(app: Any) -> None:
    """Start the instruction site before somebody asks for it, by asking for it."""
    # Not Tornado's client: it looks the address up in a thread, which a Ctrl-C during the start
    # leaves behind and the end of the process then waits for.
    from aiohttp import ClientError, ClientSession, ClientTimeout

    host = app.ip if app.ip not in ("", "0.0.0.0") else "127.0.0.1"
    url = f"http://{host}:{app.port}{app.base_url}site/"
    headers = {"Authorization": f"token {app.identity_provider.token}"}
    try:
        async with (
            ClientSession(headers=headers, timeout=ClientTimeout(120)) as session,
            session.get(url) as answer,
        ):
            answer.raise_for_status()
    except (ClientError, OSError) as error:
        app.log.error("the instruction site did not start: %s", error)
