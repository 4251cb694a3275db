"""The real image, built and started the way a learner does it, in a checkout of somebody else's."""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from arena_lab import image
from arena_lab.paths import ROOT

sys.path.append(str(ROOT / "benchmarks"))
from container import copy_checkout, run_cell

# Somebody whom neither this machine nor the image knows by name.
STRANGER = 4242
# A harmless setting of pip's that the build is given, to be looked for in the layers afterwards.
MARKER = "arena-lab-test.invalid"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("container")


@pytest.fixture(scope="session")
def engine() -> dict[str, Any]:
    """What `docker info` says; without an engine there is nothing to test."""
    if shutil.which("docker") is None:
        pytest.skip("no Docker here: install it, or start an engine with .ci/engine")
    done = subprocess.run(
        ["docker", "info", "--format", "{{json .}}"], capture_output=True, text=True
    )
    info = json.loads(done.stdout or "{}")
    if done.returncode or not info.get("ServerVersion"):
        pytest.skip('no Docker engine answers: eval "$(.ci/engine start)"')
    return info


def _docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    assert not check or done.returncode == 0, f"docker {arguments}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def docker(engine: dict[str, Any]) -> Callable[..., str]:
    """Run docker and give what it printed, both ways."""
    return _docker


Done = subprocess.CompletedProcess[str]


@dataclass
class Lab:
    """A lab that ./inv up started, as its link tells."""

    port: int
    token: str

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Send a request to the published port; an empty token sends none."""
        sent = dict(headers or {})
        if token != "":
            sent["Authorization"] = f"token {token or self.token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def run_cell(self, code: str) -> str:
        """Run code in a new kernel, as a notebook does, and give what it printed."""
        return run_cell(self.port, self.token, code)


@dataclass
class Checkout:
    """A copy of the project, as a learner has it."""

    folder: Path
    user: int

    # What the build is given of this machine's pip, and must not keep.
    marker: str = MARKER

    def inv(self, *arguments: str, given: str | None = None, **environment: str) -> Done:
        """Run ./inv as on a machine without this project's environment."""
        inherited = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith("ARENA_LAB") and k not in ("VIRTUAL_ENV", "PYTHONPATH")
        }
        return subprocess.run(
            ["./inv", *arguments],
            cwd=self.folder,
            env={**inherited, "PIP_TRUSTED_HOST": MARKER, **environment},
            input=given,
            capture_output=True,
            text=True,
        )

    def up(self, *arguments: str, **environment: str) -> Lab:
        """Start the lab by ./inv up."""
        done = self.inv("up", *arguments, **environment)
        assert done.returncode == 0, done.stderr
        link = r"http://127\.0\.0\.1:(\d+)/lab\?token=(\w+)"
        found = re.fullmatch(link, done.stdout.splitlines()[-1])
        assert found, done.stdout
        return Lab(int(found[1]), found[2])

    def compose(self, *arguments: str, check: bool = True, **environment: str) -> Done:
        """Run Compose with nothing but what ./inv left in .env, and what a test says."""
        done = subprocess.run(
            ["docker", "compose", *arguments],
            cwd=self.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def shell(self, script: str, check: bool = True) -> str:
        """Run a script in the container, and give what it printed, both ways."""
        done = self.compose("exec", "-T", "lab", "bash", "-c", script, check=check)
        return (done.stdout + done.stderr).strip()

    def container(self) -> dict[str, Any]:
        """Give what Docker knows of the container; nothing where there is none."""
        name = self.compose("ps", "--all", "--quiet", "lab").stdout.strip()
        found: list[dict[str, Any]] = json.loads(_docker("inspect", name)) if name else [{}]
        return found[0]

    def owner(self, path: str) -> int:
        """Give whom a file belongs to, seen from outside."""
        return (self.folder / path).stat().st_uid


@pytest.fixture(scope="session")
def make_checkout(
    engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Checkout]]:
    """Copy the project for a user; what was started there is stopped in the end."""
    made: list[Checkout] = []

    def make(user: int, folder: Path | None = None) -> Checkout:
        folder = folder or tmp_path_factory.mktemp("arena")
        copy_checkout(folder)
        if os.getuid() == 0:  # Only root can give files away.
            subprocess.run(["chown", "-R", f"{user}:{user}", folder], check=True)
        made.append(Checkout(folder, folder.stat().st_uid))
        return made[-1]

    yield make
    for checkout in made:
        checkout.compose("down", "--volumes", check=False)


@pytest.fixture(scope="session")
def image_name(make_checkout: Callable[..., Checkout]) -> str:
    """The image that Compose runs, built by ./inv build."""
    done = make_checkout(STRANGER).inv("build")
    assert done.returncode == 0, done.stderr
    return image.IMAGE


@pytest.fixture(scope="session")
def checkout(make_checkout: Callable[..., Checkout], image_name: str) -> Checkout:
    """A stranger's checkout, whose lab many tests share."""
    return make_checkout(STRANGER)


@pytest.fixture(scope="session")
def lab(checkout: Checkout) -> Lab:
    """A lab that many tests share."""
    return checkout.up()


@pytest.fixture(scope="session")
def wait_for_lab() -> Callable[[int, Path], Lab]:
    """Wait until the lab of a checkout answers, and give it."""

    def wait(port: int, folder: Path) -> Lab:
        deadline = time.monotonic() + 60
        while True:
            try:
                lab = Lab(port, (folder / ".lab" / "token").read_text())
                if lab.ask("GET", "/api")[0] == 200:
                    return lab
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < deadline, "no lab answers"
                time.sleep(0.2)

    return wait


@pytest.fixture
def another(make_checkout: Callable[..., Checkout], image_name: str) -> Iterator[Checkout]:
    """A stranger's checkout for one test alone."""
    made = make_checkout(STRANGER)
    yield made
    made.compose("down", "--volumes", check=False)


@pytest.fixture(scope="session")
def in_image(image_name: str, docker: Callable[..., str]) -> Callable[..., str]:
    """Run a script in the image alone, hardened as Compose does."""

    def run(script: str, *options: str, check: bool = True) -> str:
        hardened = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
        return docker(
            *("run", "--rm", *hardened, "--tmpfs=/tmp:exec", *options),
            *("--entrypoint=bash", image_name, "-c", script),
            check=check,
        ).strip()

    return run
