"""How soon a save has its verdict: `python benchmarks/watch.py [SECTION …] [--saves N]`.

Each exercise without training, in a solved copy of a section, is changed and saved under `invoke
watch`; the time is from the file's close to the line of its verdict. Then some wrong answers of the
bank are saved in its place. Of six exercises a cold pytest is timed behind their saves: the ratio
compares what ran in the same minute.
"""

import argparse
import ast
import os
import pty
import re
import select
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from table import Row, command, seconds, show

from arena_lab import catalogue
from arena_lab.catalogue import Exercise, Section
from arena_lab.cells import defined_names, definitions, split
from arena_lab.checks import DEFAULT_TIMEOUT
from arena_lab.paths import ROOT

_N_SAVES = 20
_N_COLD = 6  # exercises, from the whole page
_N_WRONG = 3  # answers of each exercise
_PATIENCE_S = 120
# Who saves again while the users of the last change are still checked does not wait for them.
_PAUSE_S = 5


def touched(text: str, name: str, mark: int) -> str:
    """Add a statement without effect to a definition, or change the one that was added."""
    lines = text.split("\n")
    node = next(n for n in ast.parse(text).body if name in defined_names(n))
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        after = node.body[0].end_lineno if ast.get_docstring(node) else node.body[0].lineno - 1
        line = " " * node.body[0].col_offset + f"_ = {mark}"
    else:
        after, line = node.end_lineno, f"{name} = ({mark}, {name})[1]"
    if mark:
        lines.pop(after or 0)
    lines.insert(after or 0, line)
    return "\n".join(lines)


def wrong_answers(section: Section) -> dict[str, list[str]]:
    """Give each exercise's wrong answers from the bank, as code."""
    file = ROOT / "tests/bank" / section.package / "wrong.py"
    given, *cells = split(file.read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for cell in cells:
        found.setdefault(section.find(cell.names[-1]).name, []).append(f"{given.text}\n{cell.text}")
    return found


def with_answer(text: str, answer: str) -> str:
    """Put an answer in the place of the last definition that it replaces."""
    lines, known = text.split("\n"), definitions(text)
    replaced = [known[name] for name in definitions(answer) if name in known]
    last = max(replaced, key=lambda statement: statement.last)
    lines[last.first - 1 : last.last] = answer.split("\n")
    return "\n".join(lines)


class Watched:
    """A solved copy of a section with `invoke watch` running on it."""

    def __init__(self, section: Section, folder: Path) -> None:
        chapter = section.page.parents[2]
        shutil.copytree(chapter, folder / chapter.name, ignore=shutil.ignore_patterns("media"))
        self.answers = folder / section.answers.relative_to(ROOT)
        self.answers.write_bytes(section.solutions.read_bytes())
        self._terminal, inside = pty.openpty()
        self.process = psutil.Popen(
            [sys.executable, "-m", "invoke", "watch", "--section", section.number],
            cwd=ROOT,
            env={**os.environ, "ARENA_LAB_ROOT": str(folder), "COLUMNS": "200"},
            stdin=inside,
            stdout=inside,
            stderr=inside,
        )
        self._wait_for("Keys: ")
        time.sleep(1)
        self._wait_until_idle()

    def seconds_to_verdict(self, text: str, exercise: Exercise, expected: str) -> float:
        """Save answers; give the seconds until the exercise's verdict is printed."""
        self.answers.write_text(text, encoding="utf-8")
        start = time.perf_counter()
        verdict = self._wait_for(rf"[✓✗…] {re.escape(exercise.title)}( \(optional\))?  (\w+)")
        taken = time.perf_counter() - start
        if verdict[2] != expected:
            raise RuntimeError(f"{exercise.name}: {verdict[2]} instead of {expected}")
        self._wait_until_idle()
        return taken

    def _wait_for(self, pattern: str) -> re.Match[str]:
        """Read until a line that is like `pattern` is printed."""
        raw, deadline = b"", time.monotonic() + _PATIENCE_S
        while True:
            text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", raw.decode(errors="ignore"))
            if found := re.search(pattern, text):
                return found
            if not select.select([self._terminal], [], [], deadline - time.monotonic())[0]:
                raise TimeoutError(f"no {pattern!r} in {text!r}")
            raw += os.read(self._terminal, 1 << 16)

    def _wait_until_idle(self) -> None:
        """Read what else is printed until every process of the watch sleeps, or for a while."""
        deadline, quiet = time.monotonic() + _PAUSE_S, 0
        while quiet < 3 and time.monotonic() < deadline:
            while select.select([self._terminal], [], [], 0.02)[0]:
                os.read(self._terminal, 1 << 16)
            children = self.process.children()
            quiet = quiet + 1 if all(_sleeps(child) for child in children) else 0


def _sleeps(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_SLEEPING)
    except psutil.NoSuchProcess:
        return True


@contextmanager
def watched(section: Section) -> Iterator[Watched]:
    with tempfile.TemporaryDirectory() as folder:
        found = Watched(section, Path(folder))
        try:
            yield found
        finally:
            found.process.terminate()
            found.process.wait()


def cold_pytest(section: Section, exercise: Exercise) -> Callable[[], object]:
    words = (sys.executable, "-m", "pytest", "-q", "-p", "arena_lab.pytest_plugin", "--solutions")
    return command(*words, f"{section.tests}::{exercise.name}")


def light(section: Section) -> list[Exercise]:
    """Give the exercises without training: no test of theirs may take longer than the others."""
    from arena_lab.checking import find_checks

    heavy = {c.exercise.name for c in find_checks(section) if c.timeout > DEFAULT_TIMEOUT}
    return [e for e in section.exercises if e.name not in heavy]


def rows(section: Section, exercises: list[Exercise], n_saves: int) -> list[Row]:
    times: dict[str, list[float]] = {}
    wrong: list[float] = []
    cold: dict[str, float] = {}
    bank = wrong_answers(section)
    compared = exercises[:: max(1, len(exercises) // _N_COLD)][:_N_COLD]
    with watched(section) as watch:
        cold_pytest(section, exercises[0])()  # its files are read from the disk once
        for e in exercises:
            text = watch.answers.read_text(encoding="utf-8")
            times[e.name] = []
            for mark in range(n_saves):
                text = touched(text, e.name, mark)
                times[e.name].append(watch.seconds_to_verdict(text, e, "passed"))
            for answer in bank[e.name][:_N_WRONG]:
                wrong.append(watch.seconds_to_verdict(with_answer(text, answer), e, "failed"))
            watch.seconds_to_verdict(text, e, "passed")
            if e in compared:
                cold[e.name] = seconds(cold_pytest(section, e))
    every, wrong = sorted(t for found in times.values() for t in found), sorted(wrong)
    medians = {name: statistics.median(found) for name, found in times.items()}
    slowest = max(medians, key=lambda name: medians[name])
    ratio = statistics.median(cold[name] / medians[name] for name in cold)
    return [
        Row("save → verdict, median", _ms(statistics.median(every)), "≤ 100 ms"),
        Row("save → verdict, 95 %", _ms(every[int(0.95 * len(every))]), "≤ 500 ms"),
        Row(f"slowest exercise, {slowest}", _ms(medians[slowest]), ""),
        Row(f"{len(wrong)} wrong answers, median", _ms(statistics.median(wrong)), "≤ 100 ms"),
        Row(
            f"{len(wrong)} wrong answers, 95 %",
            _ms(wrong[int(0.95 * len(wrong))]),
            "≤ 500 ms",
        ),
        Row(
            f"cold pytest of the same tests, {len(cold)} exercises",
            f"{statistics.median(cold.values()):.2f} s, {ratio:.0f}× the watch",
            "≥ 30×",
        ),
    ]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("sections", nargs="*", help="all by default")
    parser.add_argument("--saves", type=int, default=_N_SAVES, help="of each exercise")
    chosen = parser.parse_args()
    for section in catalogue.sections():
        if not chosen.sections or section.number in chosen.sections:
            exercises = light(section)
            title = f"Watch, {section.number} {section.title}: {len(exercises)} exercises, "
            title += f"{chosen.saves} saves each"
            show(title, rows(section, exercises, chosen.saves))
            print(f"Load average {os.getloadavg()[0]:.1f}\n", flush=True)


if __name__ == "__main__":
    main()
