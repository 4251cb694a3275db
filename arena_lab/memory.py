"""How much memory there is, and whether it ran out, as the kernel's control groups say."""

import contextlib
import re
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_VMSTAT = Path("/proc/vmstat")
# What holds the limit, and what counts the processes that it ended: of version 2, then of 1.
_FILES = (
    ("memory.max", "memory.events"),
    ("memory/memory.limit_in_bytes", "memory/memory.oom_control"),
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
    return min(free, limit() or free)


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
    return (
        f"{what} was ended: it wanted more memory than the container may take, which is"
        f" {most / 2**30:.1f} GB.\nAsk for less (a smaller batch, fewer open notebooks), or give it"
        " more on the host:\na line ARENA_LAB_MEMORY=12g in .env, then ./inv up."
    )


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text().strip()
    return ""
