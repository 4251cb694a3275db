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
c.FileContentsManager.preferred_dir = str(home().parent.parent / "exercises")

c.LabApp.app_settings_dir = str(HERE / "settings")
c.LabApp.extra_labextensions_path = [str(HERE / "labextensions")]
# Nothing is fetched from other hosts.
c.LabApp.extension_manager = "readonly"
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.handlers.announcements.NeverCheckForUpdate"

# The instruction site: behind the same port and token, on a socket that only this user can open.
c.ServerProxy.servers = {
    "site": {
        "command": [sys.executable, "-m", "arena_lab.jupyter.site_server", "{unix_socket}"],
        "environment": {"ARENA_LAB_JUPYTER": "{base_url}"},
        "unix_socket": True,
        "timeout": 60.0,
        "launcher_entry": {
            "title": "Instructions",
            "icon_path": str(HERE / "instructions.svg"),
        },
    }
}
