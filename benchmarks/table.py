"""What every benchmark prints: its rows beside their goals, and the machine they ran on."""

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One measured figure."""

    what: str
    measured: str
    goal: str


def show(title: str, rows: Sequence[Row]) -> None:
    """Print the rows as a table under the machine's line."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("what", "measured", "goal"):
        table.add_column(heading)
    for row in rows:
        table.add_row(row.what, row.measured, row.goal)
    console = Console()
    console.print(table)
    console.print(f"[dim]{machine()}[/]\n")


def machine() -> str:
    """Describe the machine in one line: processor, cores, memory, system, Python, GPU."""
    import psutil

    from arena_lab import gpu

    memory = psutil.virtual_memory().total / 2**30
    card = gpu.first(gpu.look({}).gpus.text)
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    ) + (f", {card[0]} with driver {card[1]}" if card else "")


def median_seconds(run: Callable[[], object], n: int) -> float:
    """Give the median time of `n` runs, in seconds, after one that does not count."""
    run()
    return statistics.median(seconds(run) for _ in range(n))


def command(*words: str) -> Callable[[], object]:
    """Give a function that runs a command, silently; its exit code must be 0 or 1."""

    def run() -> None:
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{' '.join(words)}: {done.stderr}")

    return run


def seconds(run: Callable[[], object]) -> float:
    """Give the time of one run, in seconds."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(row.split(":")[1].strip() for row in file if row.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"
