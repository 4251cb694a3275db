"""What a class takes on this machine: `python benchmarks/classroom.py [LEARNERS]`, ten by default.

Needs a Docker engine. A copy of the checkout is a server of its own: the real hub, its proxy, and
learners who log in at once by the hub's API. What is there already stays as it is.
"""

import contextlib
import json
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from table import Row, show

from container import copy_checkout, run, run_cell

_N_LEARNERS = 10
_PATIENCE_S = 600
_PASSWORD = "correct horse"

# Half a minute of the course's own work: a network on the digits that come with the lab.
_TRAIN = """
import time, torch
from arena_lab import data
digits = data.digits(subset=True)
images = torch.from_numpy(digits.train_images).float().reshape(-1, 784) / 255
labels = torch.from_numpy(digits.train_labels)
model = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
optimizer = torch.optim.Adam(model.parameters())
steps, end = 0, time.monotonic() + 20
while time.monotonic() < end:
    some = torch.randint(len(images), (64,))
    loss = torch.nn.functional.cross_entropy(model(images[some]), labels[some])
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    steps += 1
print(steps)
"""


@dataclass
class Learner:
    """One who uses the hub as a browser does, and its API."""

    name: str
    url: str
    password: str = _PASSWORD
    token: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def port(self) -> int:
        """Where the proxy listens."""
        return int(self.url.rpartition(":")[2])

    def _xsrf(self) -> str:
        found = [c.value for c in self.session.cookies if c.name == "_xsrf" and c.path == "/hub/"]
        return found[-1] or ""

    def log_in(self) -> requests.Response:
        """Send the login page's form; what comes back leads on where it was right."""
        self.session.get(f"{self.url}/hub/login", timeout=_PATIENCE_S)
        form = {"username": self.name, "password": self.password, "_xsrf": self._xsrf()}
        return self.session.post(
            f"{self.url}/hub/login", form, timeout=_PATIENCE_S, allow_redirects=False
        )

    def get_token(self) -> None:
        """Ask for a token, as on the hub's page."""
        headers = {"X-XSRFToken": self._xsrf(), "Referer": f"{self.url}/hub/token"}
        answer = self.session.post(
            f"{self.url}/hub/api/users/{self.name}/tokens", headers=headers, timeout=_PATIENCE_S
        )
        self.token = answer.json()["token"]

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        patience: float = _PATIENCE_S,
    ) -> requests.Response:
        """Send a request with the token, and nothing of the browser's."""
        headers = {"Authorization": f"token {self.token if token is None else token}"}
        return requests.request(
            method,
            self.url + path,
            json=body,
            headers=headers,
            timeout=patience,
            verify=self.session.verify,
        )

    def start(self) -> None:
        """Start the server, and wait until it is ready."""
        answer = self.ask("POST", f"/hub/api/users/{self.name}/server")
        if answer.status_code not in (201, 202):
            raise RuntimeError(f"{self.name}: {answer.status_code} {answer.text}")
        wait(self.is_ready)

    def is_ready(self) -> bool:
        """Tell whether the hub says that the server can be used."""
        servers = self.ask("GET", f"/hub/api/users/{self.name}").json()["servers"]
        return bool(servers and servers[""]["ready"])

    def run_cell(self, code: str) -> str:
        """Run code in a new kernel, as a notebook does, and give what it printed."""
        return run_cell(self.port, self.token, code, f"/user/{self.name}")

    def shell(self, command: str) -> str:
        """Run a command in a cell, as a learner does in a terminal, and give what it printed."""
        return self.run_cell(
            "import os, subprocess\n"
            # A kernel asks programs for colours.
            "os.environ.pop('FORCE_COLOR', None)\n"
            f"done = subprocess.run({command!r}, shell=True, capture_output=True, text=True)\n"
            "print(done.stdout + done.stderr)"
        )


def wait(done: Callable[[], bool]) -> None:
    """Wait until something is so; who does not answer yet may later."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            if done():
                return
        time.sleep(0.3)
    raise RuntimeError(f"not so within {_PATIENCE_S} s")


def free_port() -> int:
    """Give a port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def at_once(learners: list[Learner], do: Callable[[Learner], Any]) -> list[Any]:
    """Have all learners do the same at the same time, and give what each got."""
    with ThreadPoolExecutor(len(learners)) as pool:
        return list(pool.map(do, learners))


@contextlib.contextmanager
def server(names: list[str], **settings: str) -> Iterator[tuple[Path, list[Learner]]]:
    """Give a checkout whose class runs, and its learners; afterwards nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="arena-class-") as name:
        folder = Path(name, "arena")
        folder.mkdir()
        copy_checkout(folder)
        lines = {"ARENA_LAB_CLASS_PORT": str(free_port()), "ARENA_LAB_OFFLINE": "1", **settings}
        env = folder / "deploy" / "server" / ".env"
        env.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        run(folder, "./inv", "class", "add", *names)
        try:
            url = run(folder, "./inv", "class", "up").splitlines()[-1]
            yield folder, [Learner(name, url) for name in names]
        finally:
            remove(folder)


def remove(folder: Path) -> None:
    """Stop a class and remove what it keeps in Docker, its learners' files too."""
    env = (folder / "deploy" / "server" / ".env").read_text()
    (project,) = re.findall(r"^COMPOSE_PROJECT_NAME=(.+)", env, re.M) or [""]
    if not project:
        return
    run(folder, "./inv", "class", "down")
    wanted = ("--quiet", "--filter", f"label=arena-lab.class={project}")
    volumes = run(folder, "docker", "volume", "ls", *wanted).split()
    run(folder, "docker", "volume", "rm", "--force", f"{project}-hub", *volumes)


def memory(container: str) -> float:
    """Give the MiB that a container uses, without what the kernel could drop."""
    used = run(Path.cwd(), "docker", "stats", "--no-stream", "--format={{json .}}", container)
    number, unit = re.fullmatch(
        r"([\d.]+)([KMG])iB", json.loads(used)["MemUsage"].split(" / ")[0]
    ).groups()
    return float(number) * {"K": 1 / 1024, "M": 1, "G": 1024}[unit]


def processor(container: str) -> float:
    """Give the seconds of processor time that a container has used."""
    script = (
        "cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null ||"
        " awk '/usage_usec/ {print $2 * 1000}' /sys/fs/cgroup/cpu.stat"
    )
    said = run(Path.cwd(), "docker", "exec", container, "sh", "-c", script)
    return float(said) / 1e9


def watched(container: str, work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Give what some work gives, the most memory in MiB meanwhile, and the cores it took."""
    before, began = processor(container), time.monotonic()
    most = memory(container)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        while not done.done():
            most = max(most, memory(container))
    cores = (processor(container) - before) / (time.monotonic() - began)
    return done.result(), most, cores


def rows(n_learners: int) -> Iterator[Row]:
    names = [f"learner{n:02}" for n in range(n_learners)]
    with server(names) as (folder, learners):
        began = time.monotonic()

        def come(learner: Learner) -> tuple[float, float]:
            learner.log_in()
            learner.get_token()
            learner.start()
            ready = time.monotonic() - began
            said = learner.run_cell("import torch; print(torch.__version__)")
            if not re.fullmatch(r"\d+\.\d+\.\d+\S*", said):
                raise SystemExit(f"{learner.name}'s first cell said: {said}")
            return ready, time.monotonic() - began

        times = at_once(learners, come)
        for what, seconds in zip(
            ("log in → server ready", "log in → first cell ran import torch"),
            zip(*times, strict=True),
            strict=True,
        ):
            yield Row(
                f"{n_learners} learners at once, {what}",
                f"{statistics.median(seconds):.1f} s, the last {max(seconds):.1f} s",
                "",
            )
        yield from _one(folder, learners[0])


def _one(folder: Path, learner: Learner) -> Iterator[Row]:
    """Measure a learner's container, and the hub's."""
    env = (folder / "deploy" / "server" / ".env").read_text()
    (project,) = re.findall(r"^COMPOSE_PROJECT_NAME=(.+)", env, re.M)
    container = f"{project}-learner-{learner.name}"
    _, most, cores = watched(container, lambda: time.sleep(15))
    yield Row(
        "a learner idle, JupyterLab and instructions", f"{most:.0f} MiB, {cores:.2f} cores", ""
    )
    check = "invoke test --section 0.4 --solutions | tail -1"
    said, most, cores = watched(container, lambda: learner.shell(check))
    yield Row(f"testing 0.4 ({said.strip()})", f"{most:.0f} MiB, {cores:.2f} cores", "")
    steps, most, cores = watched(container, lambda: learner.run_cell(_TRAIN))
    yield Row(f"training for 20 s ({steps} steps)", f"{most:.0f} MiB, {cores:.2f} cores", "")
    for service in ("hub", "proxy"):
        yield Row(f"the {service}", f"{memory(f'{project}-{service}'):.0f} MiB", "")


if __name__ == "__main__":
    if subprocess.run(["docker", "info"], capture_output=True).returncode:
        sys.exit('no Docker engine answers; eval "$(.ci/engine start)" brings one to a bare Debian')
    show("A class on one server", list(rows(int(sys.argv[1] if sys.argv[1:] else _N_LEARNERS))))
