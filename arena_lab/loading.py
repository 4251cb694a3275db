"""Check answers although a line of theirs, outside of any function, ends each process that loads
them: which one it was is found out, and then they are loaded without it."""

import contextlib
import functools
import mmap
import signal
import struct
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from arena_lab import isolation
from arena_lab.telling import end_of_process
from arena_lab.uses import Script

_LINE = struct.Struct("q")
# A file with more such lines than this is not worth waiting for.
_ROUNDS = 20
# Made before any child is forked, so that one which waits for its job has it, too.
_SHARED = mmap.mmap(-1, _LINE.size * 4096)


class Loading:
    """The line that each child is at while it loads, in memory that it shares with its parent.

    All have that memory in common: the children of one `Loading` end before the next is made.
    """

    def __init__(self, left_out: dict[int, str]) -> None:
        self.left_out = left_out
        _SHARED[:] = bytes(len(_SHARED))

    def reached(self, child: int, line: int) -> None:
        """Note where a child is; 0 is behind the last line."""
        _LINE.pack_into(_SHARED, _LINE.size * child, line)

    def line_of(self, child: int) -> int:
        """Give the line where a child is or ended, and 0 once it has loaded everything."""
        return int(_LINE.unpack_from(_SHARED, _LINE.size * child)[0])


class LeftOut:
    """What was left out, known again in a newer file by what it does and uses."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def lines_of(self, text: str) -> dict[int, str]:
        """Give the lines of a script that need not be tried again, and why."""
        known = _meanings(text).items() if self._reasons else ()
        return {line: self._reasons[what] for line, what in known if what in self._reasons}

    def keep(self, text: str, lines: Mapping[int, str]) -> None:
        """Remember why lines of a script were left out."""
        for line, reason in lines.items():
            if what := _meanings(text).get(line):
                self._reasons[what] = reason


@functools.lru_cache(maxsize=2)
def _meanings(text: str) -> dict[int, str]:
    return Script(text).meanings()


def outcomes(
    jobs: Sequence[tuple[str, Sequence[isolation.Step]]],
    loading: Loading,
    *,
    workers: int,
    memory: int,
    interrupted: Callable[[], bool],
    enter: Callable[[], None] = lambda: None,
    spare: isolation.Spare | None = None,
) -> Generator[tuple[str, int, isolation.Outcome], None, None]:
    """Give each step's outcome as `isolation.run_all` does; child i of `loading` runs job i.

    A step whose process ended while it loaded is run again, without the line that ended it.
    """
    slots = {key: slot for slot, (key, _) in enumerate(jobs)}
    steps = dict(jobs)
    waiting = {key: list(range(len(steps[key]))) for key, _ in jobs}
    for turn in range(_ROUNDS):
        again: dict[str, list[int]] = {}
        running = [(key, [steps[key][n] for n in numbers]) for key, numbers in waiting.items()]
        children = isolation.run_all(
            running,
            workers=workers,
            memory=memory,
            interrupted=interrupted,
            enter=enter,
            spare=spare,
        )
        with contextlib.closing(children):
            for key, place, outcome in children:
                line = loading.line_of(slots[key])
                if line and outcome.kind in ("exit", "signal", "timeout"):
                    loading.left_out[line] = f"it {how_it_ended(outcome)}"
                    loading.reached(slots[key], 0)
                elif outcome.kind != "skipped" or key not in again:
                    loading.left_out |= _slow_lines(outcome)
                    yield key, waiting[key][place], outcome
                    continue
                if turn == _ROUNDS - 1:
                    yield key, waiting[key][place], outcome
                else:
                    again.setdefault(key, []).append(waiting[key][place])
        if not again:
            return
        waiting = again


def _slow_lines(outcome: isolation.Outcome) -> dict[int, str]:
    """Give the lines that each child would wait for in vain, as the first one did."""
    slow = outcome.result.get("slow", {}) if isinstance(outcome.result, dict) else {}
    return {int(line): reason for line, reason in slow.items()}


def how_it_ended(outcome: isolation.Outcome) -> str:
    """Say what became of a process that gave no result."""
    if outcome.kind == "timeout":
        return "did not come to an end"
    if outcome.kind == "exit":
        return end_of_process(outcome.code)
    killed = outcome.code == signal.SIGKILL
    reason = ", most likely because the machine ran out of memory" if killed else ""
    return end_of_process(-outcome.code) + reason


def tracked(loading: Loading, child: int) -> dict[str, Any]:
    """Give the options of `answers.load` that keep `loading` up to date."""
    return {
        "left_out": loading.left_out,
        "reached": lambda line: loading.reached(child, line),
    }
