"""Serve the dashboard of tracked runs on a Unix socket: `python -m … SOCKET`.

It is trackio's, over the runs in `.lab/runs`. Its own `trackio show` listens on TCP, where every
user of the machine could read them.
"""

import os
import sys
import threading

from arena_lab import tracking
from arena_lab.jupyter.site_server import follow_parent


def serve(socket: str) -> None:
    """Serve until the process that started this one ends."""
    # All of the dashboard is here; what it could ask of a hub is of no use to it.
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    os.environ["TRACKIO_DIR"] = str(tracking.STORE)
    prefix = os.environ.get("ARENA_LAB_JUPYTER", "/").rstrip("/") + "/runs"
    for theme in ("light", "dark"):  # by default without the prefix
        logo = f"{prefix}/static/trackio/trackio_logo_type_{theme}_transparent.png"
        os.environ[f"TRACKIO_LOGO_{theme.upper()}_URL"] = logo
    tracking.STORE.mkdir(parents=True, exist_ok=True)
    threading.Thread(target=follow_parent, daemon=True).start()
    import uvicorn
    from trackio.server import build_starlette_app_only

    app, _ = build_starlette_app_only()
    uvicorn.run(app, uds=socket, root_path=prefix, log_level="warning")


if __name__ == "__main__":
    serve(sys.argv[1])
