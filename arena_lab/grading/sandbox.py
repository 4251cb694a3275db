"""Where submissions run: in a container, in namespaces, or else in a process with limits."""

import base64
import contextlib
import io
import json
import os
import random
import select
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from arena_lab import image
from arena_lab.errors import LabError
from arena_lab.grading import store, warden
from arena_lab.grading.warden import CONTAINER, NAMESPACES, PROCESS, USER, Setting
from arena_lab.paths import ROOT

AUTOMATIC = "auto"
# What may be asked for; a process becomes another user where it can.
CHOICES = (AUTOMATIC, CONTAINER, NAMESPACES, PROCESS)

# What each way means, as the report says it.
MEANING = {
    CONTAINER: "in a container without network, as another user",
    NAMESPACES: "each in namespaces of its own without network or your files, as another user",
    USER: "as another user with limits; the network was open",
    PROCESS: "as you, with limits alone: network and your files were open",
}


_START_S, _GRACE_S = 120.0, 60.0

# What root in the container needs to become a learner, and to clear away what a learner left.
_CAPABILITIES = ("SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE", "FOWNER")

# The course arrives through the pipe: nothing of this machine is mounted.
_BOOT = """\
import io, os, sys, tarfile
def take(size):
    parts = []
    while size:
        parts.append(os.read(0, min(size, 1 << 20)))
        size -= len(parts[-1])
    return b"".join(parts)
size = int.from_bytes(take(8), "big")
tarfile.open(fileobj=io.BytesIO(take(size))).extractall("/lab")
os.execv(sys.executable, [sys.executable, "-m", "arena_lab.grading.warden"])
"""


class SectionFault(LabError):
    """A section cannot be graded, however its submissions are shut in."""


class Sandbox:
    """A warden that waits for submissions."""

    def __init__(self, setting: Setting) -> None:
        """Start it.

        Raises:
            SectionFault: The section cannot be graded.
            LabError: Submissions cannot be shut in this way here.
        """
        self._limit = setting.seconds + _GRACE_S
        self._folder = tempfile.mkdtemp(prefix="arena-lab-grade-")
        os.chmod(self._folder, 0o755)
        container = setting.way == CONTAINER
        self._name = f"arena-lab-grade-{setting.number}" if container else ""
        self._process = subprocess.Popen(
            _in_container(setting, self._name) if container else _here(),
            env=image.environment() if container else _environment(self._folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the terminal's own process
        )
        if container:
            course = _course()
            self._write(len(course).to_bytes(8, "big") + course)
        self._write(json.dumps(asdict(setting)).encode() + b"\n")
        said = self._read(_START_S)
        if "way" not in said:
            problem = said.get("problem") or self._last_words()
            self.close()
            raise SectionFault(problem) if said.get("of_section") else LabError(problem)
        self.way: str = said["way"]

    def grade(self, answers: bytes) -> dict[str, Any]:
        """Run one submission; `problem` in what comes back says why there are no verdicts.

        Raises:
            LabError: The sandbox itself ended.
        """
        self._write(base64.b64encode(answers) + b"\n")
        found = self._read(self._limit)
        if not found:
            self.close()
            raise LabError("the sandbox ended while it ran")
        return found

    def close(self) -> None:
        """End the warden, and with it whatever still runs below it."""
        for end in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError, ValueError):
                end.close()  # type: ignore[union-attr]
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self) -> None:
        """End it at once, from another thread; whoever waits for it hears that it ended."""
        if self._name:  # the engine's, not a child of ours
            image.capture(["docker", "kill", self._name])
        self._process.kill()

    def _write(self, data: bytes) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # what it said last tells why
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def _read(self, seconds: float) -> dict[str, Any]:
        """Give the next line, or nothing where there is none in time."""
        assert self._process.stdout
        data, end = bytearray(), time.monotonic() + seconds
        while not data.endswith(b"\n"):
            left = max(0.0, end - time.monotonic())
            if not select.select([self._process.stdout], [], [], left)[0]:
                return {}
            more = os.read(self._process.stdout.fileno(), 1 << 20)
            if not more:
                return {}
            data += more
        found: dict[str, Any] = json.loads(data)
        return found

    def _last_words(self) -> str:
        self.kill()
        said = self._process.stderr.read() if self._process.stderr else b""
        lines = said.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it did not start"


def open_sandbox(setting: Setting) -> Sandbox:
    """Start the best sandbox that works here, or the one that is asked for.

    Raises:
        LabError: The section cannot be graded, or not in the way that was asked for.
    """
    wanted = setting.way
    ways = [CONTAINER, NAMESPACES, USER, PROCESS] if wanted == AUTOMATIC else [wanted]
    # Nothing of a learner's ever runs as root.
    impossible = PROCESS if os.getuid() == 0 else USER
    ways = [way for way in ways if way != impossible] or [USER, PROCESS][os.getuid() != 0 :][:1]
    setting = replace(setting, number=random.randrange(1 << 30))
    for way in ways:
        try:
            return Sandbox(replace(setting, way=way))
        except SectionFault:
            raise
        except LabError as error:
            problem = str(error)
    raise LabError(f"submissions cannot run here ({ways[-1]}): {problem}")


def same(one: str, other: str) -> bool:
    """Tell whether two ways are one: a process with limits becomes another user where it can."""
    return one == other or {one, other} == {PROCESS, USER}


def _here() -> list[str]:
    return [sys.executable, "-m", "arena_lab.grading.warden"]


def _environment(folder: str) -> dict[str, str]:
    """Give what programs need, and none of a teacher's keys and tokens."""
    return {
        **_SETTINGS,
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "ARENA_LAB_ROOT": str(ROOT),
        "ARENA_LAB_STATE": folder,
        "HOME": folder,
        "TMPDIR": folder,
    }


_SETTINGS = {
    "ARENA_LAB_OFFLINE": "1",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "USER": "learner",
    # One thread: with more a warden must not fork, and could not enter a user namespace.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}


def _in_container(setting: Setting, name: str) -> list[str]:
    """Give the command that starts a warden in the lab's image.

    Raises:
        LabError: There is no engine, or it does not have the image.
    """
    image.docker_info()
    lab = image.setting("ARENA_LAB_IMAGE") or image.IMAGE
    if image.capture(["docker", "image", "inspect", lab]).returncode:
        raise LabError(f"there is no image {lab}; ./inv build makes it")
    memory = (setting.memory >> 20) + 1024  # and the warden itself, with torch
    limits = (
        *("--network=none", "--read-only", "--user=0:0", "--cap-drop=ALL"),
        *(f"--cap-add={right}" for right in _CAPABILITIES),
        *("--security-opt=no-new-privileges", "--pids-limit=512", "--cpus=1"),
        *(f"--memory={memory}m", f"--memory-swap={memory}m", "--shm-size=256m"),
        *("--tmpfs=/tmp:exec,mode=1777,size=256m", "--tmpfs=/lab:mode=0755,size=64m"),
    )
    variables = [f"--env={key}={value}" for key, value in _SETTINGS.items()]
    options = ("--rm", "--interactive", f"--name={name}", "--no-healthcheck", "--env=HOME=/tmp")
    boot = ("--entrypoint=python", lab, "-c", _BOOT)
    return ["docker", "run", *options, *limits, *variables, *boot]


def _course() -> bytes:
    """Pack the course without anybody's answers."""
    packed = io.BytesIO()
    package = Path(warden.__file__).parents[1]
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in store.course_files():
            inside = package.parent if path.is_relative_to(package) else ROOT
            archive.add(path, str(path.relative_to(inside)), filter=_of_root)
    return packed.getvalue()


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid, member.gid, member.mode = 0, 0, 0o644
    return member
