"""How much memory there is, and whether it ran out, as the kernel's control groups say."""

import contextlib
import os
import re
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_VMSTAT = Path("/proc/vmstat")
# What holds the limit, and what counts the processes that it ended: of version 2, then of 1.
_FILES = (
    ("memory.max", "memory.events"),
    ("memory/memory.limit_in_bytes", "memory/memory.oom_control"),
)
# What is in use, and which part of it are files that can be read again.
_USE = (
    ("memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)
# Version 1 writes "no limit" as the most that fits.
_NO_LIMIT = 1 << 50


def limit() -> int | None:
    """Give the most bytes that the container takes; None where nothing limits it."""
    for file, _ in _FILES:
        text = _read(_CGROUP / file)
        if text.isdecimal() and int(text) < _NO_LIMIT:
            return int(text)
    return None


def available() -> int:
    """Give the bytes that the machine or the container has left, as far as they can be told."""
    import psutil

    free: int = psutil.virtual_memory().available
    most = limit()
    return free if most is None else min(free, max(0, most - _used()))


def kills() -> int:
    """Count the processes that were ended so far for want of memory: here, or on the machine."""
    files = [_CGROUP / file for _, file in _FILES] if limit() else [_VMSTAT]
    counts = re.findall(r"^oom_kill (\d+)$", "\n".join(map(_read, files)), re.M)
    return sum(map(int, counts))


def story(what: str) -> str:
    """Say that something was ended because memory ran out, and what helps."""
    most = limit()
    if most is None:
        return f"{what} was ended: this machine ran out of memory. Close programs, or ask for less."
    if "JUPYTERHUB_API_TOKEN" in os.environ:  # a class
        return (
            f"{what} was ended: it wanted more memory than a learner may take here, which is"
            f" {most / 2**30:.1f} GB.\nAsk for less (a smaller batch, fewer open notebooks); your"
            " teacher sets the limit."
        )
    return (
        f"{what} was ended: it wanted more memory than the container may take, which is"
        f" {most / 2**30:.1f} GB.\nAsk for less (a smaller batch, fewer open notebooks), or give it"
        " more on the host:\na line ARENA_LAB_MEMORY=12g in .env, then ./inv up."
    )


def _used() -> int:
    for file, stat, label in _USE:
        text = _read(_CGROUP / file)
        if text.isdecimal():
            again = re.search(rf"^{label} (\d+)$", _read(_CGROUP / stat), re.M)
            return int(text) - (int(again[1]) if again else 0)
    return 0


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text().strip()
    return ""
