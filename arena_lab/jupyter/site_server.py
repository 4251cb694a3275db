"""Serve the instruction site on a Unix socket: `python -m arena_lab.jupyter.site_server SOCKET`.

`streamlit run` listens on TCP alone, where every user of the machine could read the site without
a token; a socket in a folder of mode 0700 is for this user.
"""

import importlib
import logging
import os
import sys
import threading
import time

SETTINGS = {
    "STREAMLIT_SERVER_HEADLESS": "true",
    "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none",
    # It would look up this machine's address at another host.
    "STREAMLIT_BROWSER_SERVER_ADDRESS": "localhost",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
}


def serve(socket: str) -> None:
    """Serve until the process that started this one ends."""
    os.environ.update(SETTINGS)
    # The terminal belongs to the lab's link; errors are still shown.
    logging.disable(logging.WARNING)
    threading.Thread(target=follow_parent, daemon=True).start()
    import streamlit
    import uvicorn

    from arena_lab.jupyter import home

    # What a page needs, so that the first one does not wait for it.
    importlib.import_module("arena_lab.site.app")
    uvicorn.run(streamlit.App(home()), uds=socket)


def follow_parent() -> None:
    """End this process when the one that started it has ended."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
