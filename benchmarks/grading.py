"""What grading a class takes: `python benchmarks/grading.py [50 100 200]`.

The submissions of 0.4 are made from our solutions and the bank: whole ones and half ones, some
answers in other styles, some wrong, some stubs, and one in forty hostile.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from table import Row, show

from arena_lab import catalogue, cells, starters
from arena_lab.catalogue import Section
from arena_lab.paths import ROOT

SECTION = "0.4"
BANK = ROOT / "tests/bank"

HOSTILE = (
    "    while True: pass",
    "    import os; os._exit(0)",
    "    import os; os.kill(os.getppid(), 9)",
    "    while True: __import__('os').fork()",
    "    return [0] * (1 << 40)",
)
NAMES = ("Ada", "Ben", "Chloé", "Dmitri", "Elif", "Femi", "Grace", "Hana", "Igor", "Lucía", "Mei")


@dataclass(frozen=True)
class Measured:
    """One run: its time, the sum of the tests' own times, and the most memory of all processes."""

    n: int
    seconds: float
    own: float
    memory: int


def make(folder: Path, n: int, seed: int = 0) -> None:
    """Write n submissions, no two the same."""
    section = catalogue.find_section(SECTION)
    chance = random.Random(seed)
    for i in range(n):
        name = f"{NAMES[i % len(NAMES)]} {i // len(NAMES) + 1}"
        learner = folder / name / section.package
        learner.mkdir(parents=True)
        text = submission(section, chance, hostile=i % 40 == 39)
        (learner / "answers.py").write_text(f"# {name}\n{text}", encoding="utf-8")


def submission(section: Section, chance: random.Random, *, hostile: bool) -> str:
    """Give a text: what was written up to some exercise, with other and wrong answers in it."""
    names = [name for exercise in section.exercises for name in exercise.names]
    written = set(names[: round(len(names) * chance.choice([0, 0.3, 0.7, 1, 1, 1]))])
    solutions = starters.without_markers(section.solutions.read_text(encoding="utf-8"))
    ours, bodies = cells.definitions(solutions), {}
    for file, share in (("right.py", 0.3), ("wrong.py", 0.1)):
        others = dict(bank(section, file))
        bodies |= {name: others[name] for name in others if chance.random() < share}
    if hostile:
        name = chance.choice(sorted(written) or names)
        bodies[name], written = f"def {name}(*args):\n{chance.choice(HOSTILE)}", written | {name}
    text = starters.starter(section)
    stubs = cells.definitions(text)
    rows = text.split("\n")
    for name in sorted(written & stubs.keys() & ours.keys(), key=lambda n: -stubs[n].first):
        code = bodies.get(name, ours[name].source)
        rows[stubs[name].first - 1 : stubs[name].last] = code.split("\n")
    return "\n".join(rows)


def bank(section: Section, file: str) -> Iterator[tuple[str, str]]:
    """Give the bank's answers: the name of each, and its code without what it needs beside."""
    first, *others = cells.split((BANK / section.package / file).read_text(encoding="utf-8"))
    helpers = set(cells.definitions(first.text))
    for cell in others:
        found = cells.definitions(cell.text)
        for name, definition in found.items():
            alone = len(cells.statements(cell.text)) == 1  # without imports, which would be missing
            if alone and not helpers & definition.uses:
                yield name, definition.source


def measure(submissions: Path, to: Path, n: int, options: list[str]) -> Measured:
    """Grade a folder as a teacher does, and watch what that takes."""
    command = [sys.executable, "-m", "invoke", "grade", str(submissions), f"--to={to}"]
    started = time.perf_counter()
    process = subprocess.Popen([*command, f"--section={SECTION}", *options], cwd=ROOT)
    most, done = [0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, most, done))
    watcher.start()
    try:
        if process.wait():
            raise SystemExit(f"grading failed with exit code {process.returncode}")
        seconds = time.perf_counter() - started
    finally:
        done.set()
        watcher.join()
    (section,) = json.loads((to / "grades.json").read_text())["sections"]
    tests = [t for x in section["learners"] for e in x["exercises"].values() for t in e["tests"]]
    return Measured(n, seconds, sum(test["seconds"] for test in tests), most[0])


def _watch(pid: int, most: list[int], done: threading.Event) -> None:
    """Note the most memory that all processes hold together; what they share counts once."""
    while not done.wait(0.5):
        most[0] = max(most[0], sum(map(_held, _below(pid))))


def _below(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _held(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except (psutil.Error, OSError):
        return 0


def rows(found: list[Measured], cores: int) -> list[Row]:
    """Compare the time with that of the tests, and larger classes with the smallest."""
    result = []
    for each in found:
        ratio = cores * each.seconds / each.own
        grown = each.seconds / each.n / (found[0].seconds / found[0].n)
        result += [
            Row(f"{each.n} submissions of {SECTION}, {cores} workers", f"{each.seconds:.0f} s", ""),
            Row("  workers' time against the tests' own", f"{ratio:.2f}×", "≤ 1.5×"),
            Row("  all processes, the most at once", f"{each.memory / 1e6:.0f} MB", ""),
            Row(f"  time for each, against {found[0].n}", f"{grown:.2f}×", "≤ 1.1×"),
        ]
    return result


def main() -> None:
    """Grade classes of growing size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[50, 100, 200])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sandbox", default="namespaces")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    options = [f"--workers={given.workers}", f"--sandbox={given.sandbox}"]
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        base = given.keep or Path(temporary)
        for n in given.sizes:
            make(base / str(n), n)
            found.append(measure(base / str(n), base / f"{n}-grades", n, options))
    show(f"Grading, sandbox: {given.sandbox}", rows(found, given.workers))


if __name__ == "__main__":
    main()
