"""What `doctor` tries in the container: what a day in the lab needs, each once for real."""

import contextlib
import http.cookiejar
import json
import os
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement

from arena_lab import memory as available
from arena_lab.machine import FAIL, PASS, WARN, Finding
from arena_lab.paths import ROOT, STATE

_PATIENCE_S = 60
_LEAST_SHM_MB = 512
_LEAST_MEMORY_GB = 3.5
_UP, _BUILD = "on the host: ./inv up", "on the host: ./inv build"

# Set by the hub in a class: where the server is, and what opens it.
_PREFIX = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")
_HUBS_TOKEN = os.environ.get("JUPYTERHUB_API_TOKEN", "")


class _Unfit(Exception):
    """What is wrong, and what mends it."""

    def __init__(self, reason: str, mend: str, status: str = FAIL) -> None:
        super().__init__(reason)
        self.mend, self.status = mend, status


def examine() -> Iterator[Finding]:
    """Give what each check finds."""
    for name, check in CHECKS.items():
        try:
            yield Finding(name, PASS, check())
        except _Unfit as unfit:
            yield Finding(name, unfit.status, str(unfit), unfit.mend)
        except Exception as error:  # whatever else is wrong, the other checks go on
            yield Finding(name, FAIL, repr(error), _BUILD)


def folder() -> str:
    """Whether what is saved belongs to the owner of the checkout."""
    owner = ROOT.stat().st_uid
    try:
        with tempfile.NamedTemporaryFile(dir=ROOT, prefix=".check.") as file:
            made = os.stat(file.name).st_uid
    except OSError as error:
        reason = f"{ROOT} belongs to user {owner} and cannot be written ({error.strerror})"
        raise _Unfit(reason, _UP) from None
    # Engines of a desktop map owners by themselves; then both are the same.
    if made != owner:
        raise _Unfit(f"a new file belongs to user {made}, not to {owner}", _UP)
    return f"{ROOT} can be written; files belong to user {owner}"


def token() -> str:
    """Whether the token is there, and for this user alone."""
    if _HUBS_TOKEN:
        return "none of its own: the hub says who gets in"
    path = STATE / "token"
    if not path.exists() or not path.stat().st_size:
        raise _Unfit(f"{path} is missing, and nobody could log in", _UP)
    if path.stat().st_mode & 0o077:
        mode = path.stat().st_mode & 0o777
        raise _Unfit(f"others can read {path} (mode {mode:o})", f"chmod 600 {path}", WARN)
    return "readable by you alone"


def packages() -> str:
    """Whether the image holds what the checkout's lock asks for."""
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    lines = map(Requirement, re.findall(r"^\w[^\\\n]+", lock, re.M))
    locked = {
        (_plain(line.name), str(line.specifier).removeprefix("=="))
        for line in lines
        if line.marker is None or line.marker.evaluate()
    }
    present = {(_plain(d.metadata["Name"]), d.version) for d in distributions()}
    if strange := locked ^ present:
        names = ", ".join(sorted({name for name, _ in strange})[:5])
        raise _Unfit(f"the image is not of this lock ({names})", _BUILD)
    return f"{len(present)}, as locked"


def _plain(name: str) -> str:
    """Write a package's name as the lock does."""
    return re.sub(r"[-_.]+", "-", name).lower()


def memory() -> str:
    """Whether a runaway cell is stopped before the machine is full."""
    limit = available.limit()
    if limit is None:
        raise _Unfit("no limit: a runaway cell may take all of the machine's", _UP, WARN)
    gb = limit / 2**30
    if gb < _LEAST_MEMORY_GB:
        raise _Unfit(f"{gb:.1f} GB is little for torch", "ARENA_LAB_MEMORY=8g in .env", WARN)
    return f"{gb:.0f} GB at most"


def shared_memory() -> str:
    """Whether batches have room on their way between a loader's workers."""
    found = os.statvfs("/dev/shm")
    mb = found.f_blocks * found.f_frsize >> 20
    if mb < _LEAST_SHM_MB:
        raise _Unfit(f"/dev/shm has {mb} MB", "start by Compose, which gives it 2 GB", WARN)
    return f"{mb} MB in /dev/shm"


def torch() -> str:
    """Whether torch can be used, and what it computes on."""
    import torch

    if float(torch.ones(3, 3) @ torch.ones(3) @ torch.ones(3)) != 9:
        raise _Unfit("torch miscounts on the CPU", _BUILD)
    device = "the CPU"
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
        ones = torch.ones(3, 3, device="cuda")
        if (ones @ ones).sum().item() != 27:
            raise _Unfit(f"torch miscounts on the {device}", "nvidia-smi")
    elif Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists():
        raise _Unfit("the container has a GPU, but torch cannot use it", "nvidia-smi")
    return f"{torch.__version__} on {device}"


def tasks() -> str:
    """Whether the tasks find the course."""
    done = subprocess.run(["invoke", "list"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip() or "?").splitlines()[-1]
        raise _Unfit(f"invoke list failed: {said}", _BUILD)
    return "invoke list finds the sections"


def kernel() -> str:
    """Whether a notebook's kernel computes."""
    from jupyter_client.manager import run_kernel

    said: list[str] = []

    def note(message: dict) -> None:
        content = message["content"]
        said.extend(content["data"].values() if message["msg_type"] == "execute_result" else [])

    # What a kernel writes to its terminal is not for this one.
    quiet = {"stderr": subprocess.DEVNULL, "startup_timeout": _PATIENCE_S}
    with run_kernel(kernel_name="python3", **quiet) as client:
        client.execute_interactive(  # type: ignore[attr-defined]
            "1 + 1", timeout=_PATIENCE_S, output_hook=note
        )
    if said != ["2"]:
        raise _Unfit(f"a kernel says that 1 + 1 is {' '.join(said) or 'nothing'}", _BUILD)
    return "1 + 1 is 2"


class _Browser:
    """Asks the lab as a browser does: with the cookies that it was given."""

    def __init__(self) -> None:
        self.jar = http.cookiejar.CookieJar()
        cookies = urllib.request.HTTPCookieProcessor(self.jar)
        # Never through a proxy: it is this machine.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)
        port = int(os.environ.get("ARENA_LAB_PORT_INSIDE") or 8888)
        self.url = f"http://127.0.0.1:{port}{_PREFIX.rstrip('/')}"

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        headers = {"Content-Type": "application/json"}
        if _HUBS_TOKEN:
            headers["Authorization"] = f"token {_HUBS_TOKEN}"
        for cookie in self.jar:
            if cookie.name == "_xsrf" and cookie.value:
                headers["X-XSRFToken"] = cookie.value
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with self.opener.open(request, timeout=_PATIENCE_S) as answer:
            content: bytes = answer.read()
            return content

    def log_in(self) -> None:
        if _HUBS_TOKEN:
            return
        try:
            secret = (STATE / "token").read_text(encoding="utf-8").strip()
            self.ask("GET", f"/lab?token={secret}")
        except OSError as error:
            raise _Unfit(f"nobody can log in: {error}", _UP) from None


def lab() -> str:
    """Whether JupyterLab answers, and by which link."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        with contextlib.suppress(OSError):
            _Browser().ask("GET", "/api")
            break
        if time.monotonic() > deadline:
            raise _Unfit("JupyterLab does not answer", "on the host: docker compose logs")
        time.sleep(0.2)
    if _HUBS_TOKEN:
        return f"{_PREFIX}lab, behind the hub"
    secret = (STATE / "token").read_text(encoding="utf-8").strip()
    shown = os.environ.get("ARENA_LAB_PORT") or os.environ.get("ARENA_LAB_PORT_INSIDE") or 8888
    return f"http://127.0.0.1:{shown}/lab?token={secret}"


def notebooks() -> str:
    """Whether JupyterLab opens answers.py as a notebook."""
    browser = _Browser()
    browser.log_in()
    answers = next(iter(sorted(ROOT.glob("chapter*/exercises/*/answers.py"))), None)
    if answers is None:
        raise _Unfit("there is no answers.py", "./inv starters")
    path = urllib.parse.quote(str(answers.relative_to(ROOT)))
    model = json.loads(browser.ask("GET", f"/api/contents/{path}?type=notebook"))
    n_cells = len(model["content"]["cells"])
    return f"{answers.parent.name}/answers.py opens with {n_cells} cells"


def site() -> str:
    """Whether the instructions open, and a file can be saved after that."""
    browser = _Browser()
    browser.log_in()
    browser.ask("GET", "/site/_stcore/health")
    name = f"check-{os.getpid()}.txt"
    model = {"type": "file", "format": "text", "content": "saved\n"}
    try:
        browser.ask("PUT", f"/api/contents/{name}", model)
        saved = (ROOT / name).read_text(encoding="utf-8")
    finally:
        (ROOT / name).unlink(missing_ok=True)
    if saved != model["content"]:
        raise _Unfit("what JupyterLab saved is not what it was given", _BUILD)
    return "the instructions answer, and saving works after that"


CHECKS: dict[str, Callable[[], str]] = {
    "folder": folder,
    "token": token,
    "packages": packages,
    "memory": memory,
    "shared memory": shared_memory,
    "torch": torch,
    "tasks": tasks,
    "kernel": kernel,
    "JupyterLab": lab,
    "notebooks": notebooks,
    "instructions": site,
}
