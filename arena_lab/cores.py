"""How many cores there are to work with."""

import contextlib
import math
import os
import sys
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def usable() -> int:
    """Count the cores that this process may keep busy, in a container with a part of them too."""
    seen = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(seen, math.ceil(_share() or seen)))


def _share() -> float | None:
    """Give the cores' worth of time that the container takes; None where nothing limits it."""
    # Version 2 of control groups writes both numbers into one file, version 1 into two.
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        with contextlib.suppress(OSError, ValueError):
            quota, period = " ".join((_CGROUP / file).read_text() for file in files).split()
            return int(quota) / int(period) if int(quota) > 0 else None
    return None
