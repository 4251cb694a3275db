"""A save is checked at once, and only what it concerns."""

import os
import pty
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from arena_lab import progress, watch
from arena_lab.catalogue import Section
from arena_lab.checking import FAILED, PASSED
from arena_lab.paths import ROOT
from arena_lab.uses import Script

Write = Callable[..., None]

LOOKUP = """\
# %%
table = dict()

def register(key, value):
    table[key] = value

def f(x):
    return 2 * x

def g(x):
    return x

def h(x):
    return f(x) + 1

def look(key):
    return table[key]

register("g", g)
"""


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("return 2 * x", "return 3 * x", {"f"}),
        ("return 2 * x", "return 2 * x  # twice", set()),
        ("def f(x):", "def f(x: float) -> float:", set()),
        ("def f(x):", "def k(x):", {"f", "k"}),
    ],
)
def test_change_is_what_does_something_else(old: str, new: str, changed: set[str]) -> None:
    assert Script(LOOKUP.replace(old, new)).changed_since(Script(LOOKUP)) == changed


def test_changed_import_concerns_everything() -> None:
    assert "h" in Script("import math\n" + LOOKUP).changed_since(Script(LOOKUP))


def test_reach_follows_calls_and_tables() -> None:
    script = Script(LOOKUP)
    assert "f" in script.reach(["h"])
    assert "g" not in script.reach(["h"])
    assert "g" in script.reach(["look"])


@pytest.fixture
def watcher(section: Section, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> watch.Watch:
    monkeypatch.setattr(progress, "STATE", tmp_path / ".lab")
    return watch.Watch(section, Console(file=open(os.devnull, "w")))


def statuses(watcher: watch.Watch) -> dict[str, str]:
    return {verdict.name: verdict.status for verdict in watcher.saved()}


def test_save_is_checked(watcher: watch.Watch, write_answer: Write) -> None:
    write_answer("def double(x):\n    return 2 * x")
    assert statuses(watcher)["double"] == PASSED


def test_unconcerned_exercises_are_left_alone(watcher: watch.Watch, write_answer: Write) -> None:
    write_answer("def triple(x):\n    return 3 * x", "triple")
    assert statuses(watcher) == {"triple": PASSED}


def test_users_of_what_changed_are_checked_too(watcher: watch.Watch, write_answer: Write) -> None:
    write_answer("def half_of_double(x):\n    return halve(double(x))", "half_of_double")
    watcher.saved()
    write_answer("def double(x):\n    return 2 * x")
    assert set(statuses(watcher)) == {"double", "halve"}


def test_save_that_changes_nothing_checks_nothing(watcher: watch.Watch, section: Section) -> None:
    section.answers.write_text(section.answers.read_text() + "# a thought\n")
    assert statuses(watcher) == {}


def test_next_save_ends_what_still_runs(
    watcher: watch.Watch, write_answer: Write, section: Section
) -> None:
    write_answer("def triple(x):\n    return 3 * x", "triple")
    watcher.saved()
    write_answer("def triple(x):\n    return x", "triple")
    write_answer(
        "def double(x):\n"
        f"    with open({str(section.answers)!r}, 'a') as file:\n"
        "        file.write('# saved again')\n"
        "    while True: pass"
    )
    assert statuses(watcher) == {}
    write_answer("def double(x):\n    return 2 * x")
    assert statuses(watcher) == {"double": PASSED, "triple": FAILED}


def test_syntax_error_is_a_verdict_and_then_forgotten(
    watcher: watch.Watch, write_answer: Write, section: Section
) -> None:
    good = section.answers.read_text()
    write_answer("def double(x:\n    return 2 * x")
    assert statuses(watcher)["double"] == FAILED
    section.answers.write_text(
        good.replace("    raise NotImplementedError()", "    return 2 * x", 1)
    )
    assert statuses(watcher)["double"] == PASSED


def test_file_that_vanishes_for_a_moment_is_waited_for(
    watcher: watch.Watch, section: Section
) -> None:
    section.answers.unlink()
    assert watcher.saved() == []


def test_watch_in_a_terminal(section: Section, write_answer: Write, tmp_path: Path) -> None:
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "watch", "--section", "9.1"],
        cwd=ROOT,
        env={**os.environ, "ARENA_LAB_ROOT": str(tmp_path), "COLUMNS": "100"},
        stdin=inside,
        stdout=inside,
        stderr=inside,
    )
    try:
        read_until(terminal, "Keys:")
        time.sleep(0.3)  # the watcher of the file system needs a moment after the line
        write_answer("def double(x):\n    return x * x")
        assert "this is the square" in read_until(terminal, "look at")
        os.write(terminal, b"h")
        assert "Twice what?" in read_until(terminal, "Twice")
        os.write(terminal, b"q")
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(inside)


def test_watch_without_a_section_takes_the_one_that_is_saved(
    section: Section, tmp_path: Path, write_answer: Write
) -> None:
    other = copied(section, tmp_path, "9.2")
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "watch"],
        cwd=ROOT,
        env={**os.environ, "ARENA_LAB_ROOT": str(tmp_path), "COLUMNS": "100"},
        stdin=inside,
        stdout=inside,
        stderr=inside,
    )
    try:
        assert "of 9.1, 9.2. Keys:" in read_until(terminal, "quit")
        time.sleep(0.3)
        replace = other.read_text().replace(
            "    raise NotImplementedError()", "    return x * x", 1
        )
        other.with_name("answers.py~").write_text(replace)
        os.replace(other.with_name("answers.py~"), other)  # as editors do
        assert "9.2 Toys" in read_until(terminal, "look at")
        write_answer("def double(x):\n    return x * x")
        assert "9.1 Toys" in read_until(terminal, "look at")
        os.write(terminal, b"q")
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(inside)


def copied(section: Section, root: Path, number: str) -> Path:
    """Give the answers of a second section that is like the first."""
    package = f"{section.package}_more"
    shutil.copytree(section.folder, section.folder.with_name(package))
    page = (
        section.page.read_text().replace(section.package, package).replace('"9.1"', f'"{number}"')
    )
    section.page.with_name(f"92_[{number}]_Toys.md").write_text(page)
    for path in section.folder.with_name(package).glob("*.py"):
        path.write_text(path.read_text().replace(section.package, package))
    return section.folder.with_name(package) / "answers.py"


def read_until(terminal: int, text: str) -> str:
    found = ""
    os.set_blocking(terminal, False)
    deadline = time.monotonic() + 20
    while text not in found and time.monotonic() < deadline:
        try:
            found += os.read(terminal, 4096).decode(errors="replace")
        except BlockingIOError:
            time.sleep(0.02)
    assert text in found, found
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", found)
