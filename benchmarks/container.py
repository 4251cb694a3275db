"""How big the image is, how soon it serves and is built again: `python benchmarks/container.py`.

Needs a Docker engine; builds the image where it is not there. A copy of the checkout is started by
Compose as a learner's is, five times, and each time is from the call of `docker compose up`.
"""

import http.client
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import websocket
from packaging.requirements import Requirement
from table import Row, show

from arena_lab.image import IMAGE
from arena_lab.paths import ROOT

_N_STARTS = 5
_N_BUILDS = 3
_PATIENCE_S = 120
_TAG = "arena-lab:bench"
# Nothing that runs here needs these, and each makes the packages' layer anew when its lines go.
_LEAVES = ("trimesh", "pooch", "hatchling")


def installed_size(*names: str) -> int:
    """Give the bytes of packages and all that they need, as installed here, without byte code."""
    sizes: dict[str, int] = {}

    def visit(name: str) -> None:
        package = metadata.distribution(name)
        key = package.metadata["Name"].lower()
        if key in sizes:
            return
        files = [Path(str(file.locate())) for file in package.files or []]
        kept = [file for file in files if file.suffix != ".pyc" and file.is_file()]
        sizes[key] = sum(file.stat().st_size for file in kept)
        for line in package.requires or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                visit(needed.name)

    for name in names:
        visit(name)
    return sum(sizes.values())


def copy_checkout(folder: Path) -> None:
    """Copy what git knows of this checkout, edits included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


class Kernel:
    """A kernel of a running lab, spoken to as a notebook does."""

    def __init__(self, port: int, token: str, base: str = "") -> None:
        """Start one.

        Args:
            port: Where the lab is published.
            token: Opens it.
            base: The path below which it is, in a class.
        """
        self._port, self._path = port, f"{base}/api/kernels"
        self._headers = {"Authorization": f"token {token}"}
        self.id: str = json.loads(self._ask("POST", "", {"name": "python3"}))["id"]

    def open(self, session: str) -> websocket.WebSocket:
        """Open a socket, as a page does; a page that was cut off comes back as the same session."""
        return websocket.create_connection(
            f"ws://127.0.0.1:{self._port}{self._path}/{self.id}/channels?session_id={session}",
            header=self._headers,
            timeout=_PATIENCE_S,
        )

    def send(self, page: websocket.WebSocket, session: str, code: str) -> str:
        """Send a cell, and give the number by which its answers name it."""
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": session}
        message = {
            "header": {**header, "username": "", "version": "5.3", "date": ""},
            "parent_header": {},
            "metadata": {},
            "content": {
                "code": code, "silent": False, "store_history": False, "allow_stdin": False,
            },
            "channel": "shell",
        }  # fmt: skip
        page.send(json.dumps(message))
        return header["msg_id"]

    def run(self, code: str) -> str:
        """Run a cell on a page of its own, and give what it printed."""
        session = uuid.uuid4().hex
        page = self.open(session)
        printed = "".join(printed_by(page, self.send(page, session, code)))
        page.close()
        return printed.strip()

    def end(self) -> None:
        """End it, and forget its variables."""
        self._ask("DELETE", f"/{self.id}")

    def _ask(self, method: str, path: str, body: object = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE_S)
        connection.request(method, self._path + path, json.dumps(body), self._headers)
        return connection.getresponse().read()


def run_cell(port: int, token: str, code: str, base: str = "") -> str:
    """Run code in a new kernel, as a notebook does, and give what it printed."""
    kernel = Kernel(port, token, base)
    printed = kernel.run(code)
    kernel.end()
    return printed


def printed_by(page: websocket.WebSocket, cell: str) -> Iterator[str]:
    """Give what a cell prints until its kernel is idle; a reply may overtake what was printed."""
    while True:
        answer = json.loads(page.recv())
        content = answer.get("content", {})
        state = content.get("execution_state") if answer["msg_type"] == "status" else None
        if state == "restarting":
            yield "the kernel died"
            return
        if answer["parent_header"].get("msg_id") != cell:
            continue
        if answer["msg_type"] == "stream":
            yield content["text"]
        elif answer["msg_type"] == "error":
            yield "\n".join(content["traceback"])
        elif state == "idle":
            return


def run(folder: Path, *words: str) -> str:
    """Run a command in a checkout and give what it printed."""
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def inspect(name: str) -> dict[str, Any]:
    """Give what Docker knows of an image or a container."""
    found: dict[str, Any] = json.loads(run(ROOT, "docker", "inspect", name))[0]
    return found


@contextmanager
def checkout() -> Iterator[Path]:
    """Give a copy of the checkout, with its image built and its .env written."""
    with tempfile.TemporaryDirectory(prefix="arena-lab-") as name:
        folder = Path(name, "arena")
        folder.mkdir()
        copy_checkout(folder)
        run(folder, "./inv", "build")
        yield folder


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit(f"no answer within {_PATIENCE_S} s")
        time.sleep(0.02)


def start(folder: Path) -> dict[str, float]:
    """Start the lab and stop it; give the seconds until it answered, ran a cell, was healthy."""
    env = (folder / ".env").read_text()
    port = int(re.findall(r"^ARENA_LAB_PORT=(\d+)", env, re.M)[0])
    token = (folder / ".lab/token").read_text()

    def answers() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/lab", headers={"Authorization": f"token {token}"})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    began, date = time.perf_counter(), datetime.now(UTC)
    run(folder, "docker", "compose", "up", "--detach", "--no-build")
    _wait(answers)
    seconds = {"/lab": time.perf_counter() - began}
    said = run_cell(port, token, "import torch; print(torch.__version__)")
    seconds["cell"] = time.perf_counter() - began
    if not re.fullmatch(r"\d+\.\d+\.\d+\S*", said):
        raise SystemExit(f"the first cell said: {said}")
    name = run(folder, "docker", "compose", "ps", "--quiet", "lab").strip()
    _wait(lambda: bool(_first_health(name)))
    seconds["health"] = (_first_health(name)[0] - date).total_seconds()
    command = ("docker", "compose", "exec", "-T", "lab", "python", "-c", "import torch")
    again = time.perf_counter()
    run(folder, *command)
    seconds["import"] = time.perf_counter() - again
    run(folder, "docker", "compose", "down")
    return seconds


def _first_health(name: str) -> list[datetime]:
    """Give when the health check passed."""
    log = inspect(name)["State"]["Health"]["Log"] or []
    return [datetime.fromisoformat(entry["End"]) for entry in log if entry["ExitCode"] == 0]


def built(folder: Path, change: Callable[[int], None]) -> float:
    """Change something and build the image with the course; give the median seconds."""
    seconds = []
    for turn in range(_N_BUILDS):
        change(turn)
        began = time.perf_counter()
        run(folder, "./inv", "build", "--tag", _TAG)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def course_layer() -> int:
    """Give the bytes of the layer that holds the course."""
    lines = run(
        ROOT, "docker", "history", "--human=false", "--no-trunc", "--format={{json .}}", _TAG
    )
    layers = map(json.loads, lines.splitlines())
    return sum(int(layer["Size"]) for layer in layers if "COPY --chown" in layer["CreatedBy"])


def rebuilds(folder: Path) -> list[Row]:
    """Measure the image with the course, where the lock or a page changed."""
    page = next(folder.glob("chapter*/instructions/pages/*.md"))
    lock = folder / "requirements.txt"

    def write(turn: int) -> None:
        page.write_text(f"{page.read_text()}\nA line more, the {turn}th.\n")

    def drop(turn: int) -> None:
        text = lock.read_text()
        lock.write_text(re.sub(rf"^{_LEAVES[turn]}==(.|\n)+?(?=^\S)", "", text, flags=re.M))
        if lock.read_text() == text:
            raise SystemExit(f"{_LEAVES[turn]} is not in the lock")

    run(folder, "./inv", "build", "--tag", _TAG)
    text = built(folder, write)
    size = course_layer()
    packages = built(folder, drop)
    run(folder, "docker", "image", "rm", _TAG)
    return [
        Row("rebuild, a page changed", f"{text:.1f} s, {size / 1e6:.1f} MB", "≤ 5 s, ≤ 20 MB"),
        Row("rebuild, a requirement changed", f"{packages:.1f} s", "≤ 20 s"),
    ]


def rows() -> Iterator[Row]:
    with checkout() as folder:
        size, torch = inspect(IMAGE)["Size"], installed_size("torch", "torchvision")
        yield Row(
            "image, against torch and torchvision",
            f"{size / torch:.3f}× ({size / 1e9:.2f} of {torch / 1e9:.2f} GB)",
            "≤ 1.05×",
        )
        starts = [start(folder) for _ in range(_N_STARTS)]
        median = {key: statistics.median(each[key] for each in starts) for key in starts[0]}
        yield Row("start → /lab answers", f"{median['/lab']:.1f} s", "≤ 4 s")
        ratio = median["cell"] / median["import"]
        yield Row(
            "start → first cell ran import torch",
            f"{median['cell']:.1f} s, {ratio:.1f}× import torch",
            "≤ 8 s",
        )
        yield Row("start → healthy, asked every 5 s", f"{median['health']:.1f} s", "")
        yield Row("python -c 'import torch' inside", f"{median['import']:.1f} s", "")
        yield from rebuilds(folder)


if __name__ == "__main__":
    if subprocess.run(["docker", "info"], capture_output=True).returncode:
        sys.exit('no Docker engine answers; eval "$(.ci/engine start)" brings one to a bare Debian')
    show(f"Container, medians of {_N_STARTS} starts and {_N_BUILDS} builds", list(rows()))
