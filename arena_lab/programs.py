"""What others say, programs of this machine or hosts, asked so that none can hold the lab up.

Runs on the host before there is an environment, so: standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True)
class Output:
    """What a command wrote, and its exit status; 127 where there is no such command."""

    status: int
    text: str


def ask(command: Sequence[str], patience_s: float | None = None) -> Output:
    """Run a command and keep what it writes, errors only where it failed.

    Args:
        command: With its arguments.
        patience_s: How long it is waited for; then the status is 124.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        return Output(127, "")
    except OSError as error:
        return Output(126, str(error.strerror))
    try:
        out, err = process.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        # Not waited for: what hangs in a driver outlives this, and its children hold the pipes.
        process.kill()
        return Output(124, f"no answer within {patience_s} s")
    return Output(process.returncode, out + (err if process.returncode else ""))


def in_time(call: Callable[[], _T], patience_s: float) -> _T | None:
    """Give what a call gives, which must raise nothing; None where it takes longer.

    What takes longer is left behind: nothing can end it, and no one waits for it.
    """
    given: SimpleQueue[_T] = SimpleQueue()
    threading.Thread(target=lambda: given.put(call()), daemon=True).start()
    try:
        return given.get(timeout=patience_s)
    except Empty:
        return None
