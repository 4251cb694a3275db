"""Say whether this container is fit to work in: `python container/check.py [CHECK ...]`, inside.

An editor runs it once after it made the container. One line a check; where one fails, the line
says what to do, and the exit status is 1.
"""

import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 60


class Unfit(Exception):
    """What is wrong, and what to do."""


def saving() -> str:
    """Whether what is saved belongs to the owner of the checkout."""
    owner = ROOT.stat().st_uid
    try:
        with tempfile.NamedTemporaryFile(dir=ROOT, prefix=".check.") as file:
            made = os.stat(file.name).st_uid
    except OSError as error:
        raise Unfit(
            f"{ROOT} belongs to user {owner} and cannot be written ({error.strerror}):"
            " on the host, run ./inv up"
        ) from None
    # Engines of a desktop map owners by themselves; then both are the same.
    if made != owner:
        raise Unfit(f"a new file belongs to user {made}, not to {owner}: on the host, run ./inv up")
    return f"{ROOT} can be written; files belong to user {owner}"


def packages() -> str:
    """Whether the image holds what the checkout's lock asks for."""
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    lines = map(Requirement, re.findall(r"^\w[^\\\n]+", lock, re.M))
    locked = {
        (plain(line.name), str(line.specifier).removeprefix("=="))
        for line in lines
        if line.marker is None or line.marker.evaluate()
    }
    present = {(plain(d.metadata["Name"]), d.version) for d in distributions()}
    if strange := locked ^ present:
        names = ", ".join(sorted({name for name, _ in strange})[:5])
        raise Unfit(f"the image is not of this lock ({names}): on the host, run ./inv build")
    return f"{len(present)} packages, as locked"


def plain(name: str) -> str:
    """Write a package's name as the lock does."""
    return re.sub(r"[-_.]+", "-", name).lower()


def torch() -> str:
    """Whether torch can be used, and what it computes on."""
    import torch

    if float(torch.ones(3, 3) @ torch.ones(3) @ torch.ones(3)) != 9:
        raise Unfit("torch miscounts on the CPU")
    device = "the CPU"
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
        torch.ones(1, device="cuda").sum().item()
    elif Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists():
        raise Unfit("the container has a GPU, but torch cannot use it: run nvidia-smi")
    return f"torch {torch.__version__} on {device}"


def tasks() -> str:
    """Whether the tasks find the course."""
    done = subprocess.run(["invoke", "list"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise Unfit(f"invoke list failed: {(done.stderr.strip() or '?').splitlines()[-1]}")
    return "invoke list finds the sections"


def lab() -> str:
    """Whether JupyterLab answers."""
    port = int(os.environ.get("ARENA_LAB_PORT_INSIDE") or 8888)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/api")
            if connection.getresponse().status == 200:
                break
        except OSError:
            pass
        finally:
            connection.close()
        if time.monotonic() > deadline:
            raise Unfit(f"nothing answers on port {port}: on the host, run docker compose logs")
        time.sleep(0.2)
    token = (ROOT / ".lab" / "token").read_text(encoding="utf-8").strip()
    shown = os.environ.get("ARENA_LAB_PORT") or port
    return f"JupyterLab answers: http://127.0.0.1:{shown}/lab?token={token}"


def run(checks: list[Callable[[], str]]) -> Iterator[tuple[bool, str]]:
    """Give what each check says, and whether it passed."""
    for check in checks:
        try:
            yield True, check()
        except Unfit as unfit:
            yield False, str(unfit)
        except Exception as error:
            yield False, f"{check.__name__}: {error!r}"


if __name__ == "__main__":
    fit = True
    checks = [saving, packages, torch, tasks, lab]
    wanted = sys.argv[1:] or [check.__name__ for check in checks]
    for passed, said in run([check for check in checks if check.__name__ in wanted]):
        print("ok   " if passed else "FAILS", said, flush=True)
        fit &= passed
    sys.exit(0 if fit else 1)
