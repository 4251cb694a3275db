"""Compile the locks: a learner's packages, the project's own, and those of a class's server."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

from arena_lab.errors import LabError
from arena_lab.paths import ROOT

_COURSE, _HUB = "requirements.txt", "deploy/server/hub.txt"

# Each lock, what it is compiled from, and what else it agrees with.
_LOCKS: dict[str, tuple[str, ...]] = {
    _COURSE: ("pyproject.toml",),
    "requirements-dev.txt": ("pyproject.toml", "--extra", "dev", "-c", _COURSE),
    _HUB: ("deploy/server/hub.in", "-c", _COURSE),
    "deploy/server/learner.txt": ("deploy/server/learner.in", "-c", _COURSE, "-c", _HUB),
}


def compile_locks(*, upgrade: bool) -> None:
    """Write all locks, from the package index alone.

    Args:
        upgrade: Take the newest versions instead of keeping those that are locked.

    Raises:
        LabError: uv could not resolve or fetch; its own message stands above.
    """
    # A folder of wheels in the environment would put files into the lock that nobody else has.
    ignored = ("PIP_FIND_LINKS", "UV_FIND_LINKS", "UV_EXTRA_INDEX_URL", "UV_INDEX")
    environment = {k: v for k, v in os.environ.items() if k not in ignored}
    for name, options in _LOCKS.items():
        command = [
            *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", *options),
            *("--universal", "--python-version", "3.11", "--generate-hashes"),
            *("--no-emit-index-url", "--no-annotate"),
            *("--custom-compile-command", "./inv lock", "--output-file", name),
            *(("--upgrade",) if upgrade else ()),
            *(_left_out() if "learner" in name else ()),
        ]
        if subprocess.run(command, cwd=ROOT, env=environment).returncode:
            raise LabError(f"{name} could not be compiled; the reason stands above")


def _left_out() -> Iterator[str]:
    """Give the options that leave out what a learner's image has already."""
    text = (ROOT / _COURSE).read_text(encoding="utf-8")
    for name in re.findall(r"^([\w.-]+)==", text, re.M):
        yield f"--no-emit-package={name}"
