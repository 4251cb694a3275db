"""Where things are: the checkout, and what the lab keeps beside it.

Runs on the host before there is an environment, so: standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

ROOT = Path(os.environ.get("ARENA_LAB_ROOT") or Path(__file__).resolve().parent.parent)

# Everything the lab writes and git ignores: token, verdicts, logs, data sets.
STATE = Path(os.environ.get("ARENA_LAB_STATE") or ROOT / ".lab")

# The same of the container, which sees the checkout alone and obeys no ARENA_LAB_STATE.
CONTAINERS_STATE = ROOT / ".lab"


def short(path: Path) -> Path:
    """Give a path as one reads it from the checkout; one that lies elsewhere stays whole."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader, a crash or a full disk finds the old one or the new one.

    Who may read and write it stays as it was; a new one is as open as the umask lets it be.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fchmod(file.fileno(), _mode_of(path))
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _mode_of(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask
