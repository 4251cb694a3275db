"""How soon a save has its verdict: `python benchmarks/watch.py [SECTION]`.

Each exercise of a solved copy is changed and saved twenty times under `invoke watch`; the time is
from the file's close to the line of its verdict. A cold pytest of the same exercise stands beside.
"""

import ast
import os
import pty
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from table import Row, command, median_seconds, show

from arena_lab import catalogue
from arena_lab.catalogue import Exercise, Section
from arena_lab.checks import DEFAULT_TIMEOUT
from arena_lab.paths import ROOT

_N_SAVES = 20
_N_COLD = 3
_PATIENCE_S = 120


def touched(text: str, name: str, mark: int) -> str:
    """Add a statement without effect to a definition."""
    node = next(n for n in ast.parse(text).body if getattr(n, "name", None) == name)
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    after = node.body[0].end_lineno if ast.get_docstring(node) else node.body[0].lineno - 1
    lines = text.split("\n")
    lines.insert(after or 0, " " * node.body[0].col_offset + f"_ = {mark}")
    return "\n".join(lines)


class Watched:
    """A solved copy of a section with `invoke watch` running on it."""

    def __init__(self, section: Section, folder: Path) -> None:
        chapter = section.page.parents[2]
        shutil.copytree(chapter, folder / chapter.name, ignore=shutil.ignore_patterns("media"))
        self.root = folder
        self.answers = folder / section.answers.relative_to(ROOT)
        self.text = section.solutions.read_text(encoding="utf-8")
        self.answers.write_text(self.text, encoding="utf-8")
        self._terminal, inside = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "invoke", "watch", "--section", section.number],
            cwd=ROOT,
            env={**os.environ, "ARENA_LAB_ROOT": str(folder), "COLUMNS": "200"},
            stdin=inside,
            stdout=inside,
            stderr=inside,
        )
        self.wait_for("Keys:")
        time.sleep(1)

    def wait_for(self, text: str) -> None:
        """Read until `text` is printed."""
        found, deadline = b"", time.monotonic() + _PATIENCE_S
        while text.encode() not in found:
            if not select.select([self._terminal], [], [], deadline - time.monotonic())[0]:
                raise TimeoutError(f"no {text!r} in {found.decode()!r}")
            found += os.read(self._terminal, 1 << 16)

    def drain(self) -> None:
        """Read what else is printed, users of what changed, until nothing comes for a while."""
        os.set_blocking(self._terminal, False)
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < 0.05:
            try:
                os.read(self._terminal, 1 << 16)
                quiet_since = time.monotonic()
            except BlockingIOError:
                time.sleep(0.01)
        os.set_blocking(self._terminal, True)

    def seconds_to_verdict(self, exercise: Exercise, mark: int) -> float:
        """Save a change of the exercise; give the seconds until its verdict is printed."""
        text = touched(self.text, exercise.name, mark)
        self.answers.write_text(text, encoding="utf-8")
        start = time.perf_counter()
        self.wait_for(f"{exercise.title}")
        seconds = time.perf_counter() - start
        self.drain()
        return seconds


def rows(section: Section) -> list[Row]:
    light = [
        e
        for e in section.exercises
        if e.name not in _with_training(section) and e.names[0].isidentifier()
    ]
    with tempfile.TemporaryDirectory() as folder:
        watched = Watched(section, Path(folder))
        times = {
            e.name: [watched.seconds_to_verdict(e, mark) for mark in range(_N_SAVES)] for e in light
        }
        watched.process.terminate()
        watched.process.wait()
    every = sorted(t for found in times.values() for t in found)
    median, late = statistics.median(every), every[int(0.95 * len(every))]
    slowest = max(times, key=lambda name: statistics.median(times[name]))
    sample = light[:: max(1, len(light) // 5)]
    cold = statistics.median(
        median_seconds(
            command(
                *(sys.executable, "-m", "pytest", "-q", "-p", "arena_lab.pytest_plugin"),
                *("--solutions", str(section.tests), "-k", e.name),
            ),
            _N_COLD,
        )
        for e in sample
    )
    return [
        Row(f"{section.number} save → verdict, median", f"{1000 * median:.0f} ms", "≤ 100 ms"),
        Row(f"{section.number} save → verdict, 95 %", f"{1000 * late:.0f} ms", "≤ 500 ms"),
        Row(
            f"{section.number} slowest exercise, {slowest}",
            f"{1000 * statistics.median(times[slowest]):.0f} ms",
            "",
        ),
        Row(
            f"{section.number} cold pytest of one exercise",
            f"{cold:.2f} s, {cold / median:.0f}× the watch",
            "≥ 30×",
        ),
    ]


def _with_training(section: Section) -> set[str]:
    """Give the exercises with a test that is allowed more time than the others."""
    from arena_lab.checking import find_checks

    return {c.exercise.name for c in find_checks(section) if c.timeout > DEFAULT_TIMEOUT}


if __name__ == "__main__":
    chosen = sys.argv[1:]
    sections = [s for s in catalogue.sections() if not chosen or s.number in chosen]
    show(f"Watch, {_N_SAVES} saves an exercise", [row for s in sections for row in rows(s)])
