"""Compile the lock from pyproject.toml: the learner's packages, and the project's own beside."""

import os
import subprocess
import sys

from arena_lab.errors import LabError
from arena_lab.paths import ROOT

_LOCKS = {
    "requirements.txt": (),
    "requirements-dev.txt": ("--extra", "dev", "-c", "requirements.txt"),
}


def compile_locks(*, upgrade: bool) -> None:
    """Write both locks, from the package index alone.

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
            *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "pyproject.toml"),
            *("--universal", "--python-version", "3.11", "--generate-hashes"),
            *("--no-emit-index-url", "--no-annotate"),
            *("--custom-compile-command", "./inv lock", "--output-file", name),
            *options,
            *(("--upgrade",) if upgrade else ()),
        ]
        if subprocess.run(command, cwd=ROOT, env=environment).returncode:
            raise LabError(f"{name} could not be compiled; the reason stands above")
