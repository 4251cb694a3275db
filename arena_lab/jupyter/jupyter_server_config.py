"""What holds for every JupyterLab of this course, on a laptop, in the container and in a class.

Found by JUPYTER_CONFIG_PATH; what belongs to one start (address, token) is in arena_lab/lab.py.
"""

import sys
import warnings
from pathlib import Path

from arena_lab.jupyter import home
from arena_lab.paths import ROOT

HERE = Path(__file__).parent

# About handlers of packages, which the setting below protects.
warnings.filterwarnings("ignore", message=".*Extension endpoints without.*")

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.ServerApp.root_dir = str(ROOT)
c.ServerApp.allow_unauthenticated_access = False
c.ServerApp.jpserver_extensions = {"arena_lab.jupyter": True, "jupyter_lsp": False}
# Ctrl-C stops without a question: everything that is worth saving is on disk.
c.ServerApp.answer_yes = True
# Other users of the machine can reach a kernel's ports.
c.KernelManager.transport_encryption = "auto"
c.ServerApp.contents_manager_class = "arena_lab.jupyter.contents.Contents"
c.ServerApp.kernel_websocket_connection_class = "arena_lab.jupyter.kernels.Connection"
c.FileContentsManager.preferred_dir = str(home().parent.parent / "exercises")

c.LabApp.app_settings_dir = str(HERE / "settings")
c.LabApp.extra_labextensions_path = [str(HERE / "labextensions")]
# Nothing is fetched from other hosts.
c.LabApp.extension_manager = "readonly"
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.handlers.announcements.NeverCheckForUpdate"


def _served(module: str, title: str, icon: str) -> dict[str, object]:
    """Describe a server of the lab: behind Jupyter's port and token, on this user's socket."""
    return {
        "command": [sys.executable, "-m", module, "{unix_socket}"],
        "environment": {"ARENA_LAB_JUPYTER": "{base_url}"},
        "unix_socket": True,
        # Of a class on a busy server, all start theirs at once.
        "timeout": 120.0,
        "launcher_entry": {"title": title, "icon_path": str(HERE / icon)},
    }


c.ServerProxy.servers = {
    "site": _served("arena_lab.jupyter.site_server", "Instructions", "instructions.svg"),
    "runs": _served("arena_lab.jupyter.runs_server", "Runs", "runs.svg"),
}
