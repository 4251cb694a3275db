"""A bundle carried to a machine without a network: an engine of its own, behind no route at all."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from arena_lab import image
from arena_lab.paths import ROOT

# The whole way with the real image takes minutes and 25 GB of disk: set this to go it.
REAL = "REAL_BUNDLE"

# What takes the image's place otherwise: it starts as quickly as it is packed.
STAND_IN = """
FROM {base}
RUN printf '#!/bin/sh\\nexit 0\\n' > /usr/bin/invoke && chmod +x /usr/bin/invoke \\
    && mkdir -m 1777 /home/learner
WORKDIR /home/learner
HEALTHCHECK --interval=1s CMD ["true"]
CMD ["sh", "-c", "touch api; exec python3 -m http.server 8888"]
"""


@dataclass
class Offline:
    """A machine whose one network interface is its loopback, with an empty engine."""

    folder: Path
    process: "subprocess.Popen[bytes]"

    def run(self, *command: str | Path, cwd: Path | None = None) -> str:
        """Run a command on it, and give what it printed."""
        inside = ["nsenter", f"--net=/proc/{self.process.pid}/ns/net", *command]
        given = {k: v for k, v in os.environ.items() if not k.startswith("ARENA_LAB")}
        environment = {**given, "DOCKER_HOST": f"unix://{self.folder}/docker.sock"}
        done = subprocess.run(inside, cwd=cwd, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def offline() -> Iterator[Offline]:
    if os.getuid() != 0 or not shutil.which("dockerd") or not shutil.which("nsenter"):
        pytest.skip("only root, with dockerd and nsenter, can make a machine without a network")
    folder = Path(tempfile.mkdtemp(prefix="offline-"))  # short, for the path of a socket
    engine = (
        f"ip link set lo up; exec dockerd -H unix://{folder}/docker.sock --data-root {folder}/data"
        f" --exec-root {folder}/exec --pidfile {folder}/pid"
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", engine], stdout=log, stderr=log, start_new_session=True
        )
    machine = Offline(folder, process)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "docker.sock").exists():
            assert time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
            time.sleep(0.1)
        yield machine
    finally:
        with contextlib.suppress(AssertionError):
            machine.run("sh", "-c", "docker ps -aq | xargs -r docker rm -f")
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(folder)


@pytest.fixture
def packed_image(request, docker, image_name, tmp_path) -> Iterator[str]:
    """The real image, or one that takes its place."""
    if request.param == "real image":
        yield image_name
        return
    name, given = "arena-lab-test:bundle", []
    for setting in ("BASE_IMAGE", "APT_MIRROR"):
        given += [f"--build-arg={setting}"] if image.setting(setting) else []
    base = f"{name}-base"
    docker("build", "--quiet", "--target=base", f"--tag={base}", *given, str(ROOT))
    (tmp_path / "Dockerfile").write_text(STAND_IN.format(base=base))
    docker("build", "--quiet", f"--tag={name}", str(tmp_path))
    yield name
    docker("image", "rm", name, base)


WAYS = [
    "small image",
    pytest.param(
        "real image",
        marks=pytest.mark.skipif(not os.environ.get(REAL), reason=f"{REAL} is not set"),
    ),
]


@pytest.mark.parametrize("packed_image", WAYS, indirect=True)
def test_bundle_starts_on_a_machine_without_a_network(
    packed_image, offline, make_checkout, tmp_path
):
    checkout = make_checkout(4242)
    for command in (["init", "-q"], ["add", "."]):
        git = ["git", "-c", f"safe.directory={checkout.folder}", *command]
        subprocess.run(git, cwd=checkout.folder, check=True)
    (checkout.folder / ".lab" / "data").mkdir(parents=True)
    (checkout.folder / ".lab" / "data" / "digits.gz").write_text("digits")
    bundle = tmp_path / "bundle.zip"
    began = time.monotonic()
    done = checkout.inv("bundle", "--no-fetch", str(bundle), ARENA_LAB_IMAGE=packed_image)
    assert done.returncode == 0, done.stderr
    packed = time.monotonic()

    there = tmp_path / "there"
    with zipfile.ZipFile(bundle) as archive:
        for member in archive.namelist():
            if member.startswith("arena-lab/"):
                archive.extract(member, there)
    course = there / "arena-lab"
    (course / "inv").chmod(0o755)
    subprocess.run(["chown", "--recursive", "4242:4242", there], check=True)
    assert offline.run("ip", "route", "show", "default") == ""
    said = offline.run("./inv", "unbundle", bundle, cwd=course)
    assert f"Loaded {packed_image}, and 1 files of data." in said
    loaded = time.monotonic()
    offline.run("docker", "compose", "up", "--detach", "--wait", cwd=course)
    asked = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8888/api').status)"
    assert offline.run(sys.executable, "-c", asked) == "200\n"
    assert (course / ".lab" / "data" / "digits.gz").read_text() == "digits"
    assert offline.run("docker", "compose", "exec", "-T", "lab", "id", "-u", cwd=course) == "4242\n"
    assert "building" not in offline.run("./inv", "up", cwd=course)
    print(
        f"{bundle.stat().st_size / 1e9:.2f} GB, packed in {packed - began:.0f} s,"
        f" loaded in {loaded - packed:.0f} s, up in {time.monotonic() - loaded:.0f} s"
    )
