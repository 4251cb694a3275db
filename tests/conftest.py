"""A small course to try the engine on, made anew for each test that asks for it."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from arena_lab import catalogue, isolation, paths, starters

# Some tests fork children, others of the same process compute with torch.
isolation.one_thread()

PAGE = """\
---
section: "9.1"
title: Toys
exercises: {package}
summary: A section to try the engine on.
---
Welcome.

# First

::::{{exercise}} double
:difficulty: 1
:importance: 2
:minutes: 5

Write it.

:::{{hint}}
Twice what?
:::
::::

::::{{exercise}} halve, half_of_double
:difficulty: 2
:importance: 2
:minutes: 5

Write both.
::::

# Second

::::{{exercise}} triple
:difficulty: 1
:importance: 1
:minutes: 5
:optional:

Write it if you like.
::::
"""

SOLUTIONS = '''\
# %%
import numpy as np

import {package}.tests as tests

MAIN = __name__ == "__main__"


# %%
def double(x: np.ndarray) -> np.ndarray:
    """Give twice `x`."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


# %%
def halve(x: np.ndarray) -> np.ndarray:
    """Give half of `x`."""
    ### BEGIN SOLUTION
    return x / 2
    ### END SOLUTION


def half_of_double(x: np.ndarray) -> np.ndarray:
    """Give `x` again."""
    ### BEGIN SOLUTION
    return halve(double(x))
    ### END SOLUTION


# %%
def triple(x: np.ndarray) -> np.ndarray:
    """Give three times `x`."""
    ### BEGIN SOLUTION
    return 3 * x
    ### END SOLUTION
'''

TESTS = """\
import numpy as np

from arena_lab.checks import call, checks

X = np.array([1.0, 3.0])


@checks("double", timeout=2)
def test_double(double):
    call(double, X).gives(2 * X, mistakes={{"this is the square": X**2}})


@checks("halve", timeout=2)
def test_halve(halve):
    call(halve, X).gives(X / 2)


@checks("half_of_double", timeout=2)
def test_half_of_double(half_of_double):
    call(half_of_double, X).gives(X)


@checks("triple", timeout=2)
def test_triple(triple):
    call(triple, X).gives(3 * X)
"""

_numbers = itertools.count()


@pytest.fixture
def section(tmp_path: Path) -> catalogue.Section:
    """A section of three exercises with its starter as answers.py."""
    package = f"toys_{next(_numbers)}"
    pages = tmp_path / "chapter9_toys/instructions/pages"
    folder = tmp_path / "chapter9_toys/exercises" / package
    pages.mkdir(parents=True)
    folder.mkdir(parents=True)
    (pages / "91_[9.1]_Toys.md").write_text(PAGE.format(package=package))
    (folder / "solutions.py").write_text(SOLUTIONS.format(package=package))
    (folder / "tests.py").write_text(TESTS.format(package=package))
    (section,) = catalogue.sections(tmp_path)
    section.answers.write_text(starters.starter(section))
    return section


@pytest.fixture
def write_answer(section: catalogue.Section) -> Callable[..., None]:
    """Put code in the place of a function of the section's answers.py."""

    def write(code: str, name: str = "double") -> None:
        from arena_lab.cells import definitions

        text = section.answers.read_text()
        found = definitions(text)[name]
        lines = text.splitlines()
        lines[found.first - 1 : found.last] = textwrap.dedent(code).strip().splitlines()
        section.answers.write_text("\n".join(lines) + "\n")

    return write


@pytest.fixture
def other_answers(section: catalogue.Section) -> Path:
    """The answers of a second section, 9.2, that is like the first."""
    package = f"{section.package}_more"
    folder = section.folder.with_name(package)
    shutil.copytree(section.folder, folder)
    page = section.page.read_text().replace(section.package, package).replace('"9.1"', '"9.2"')
    section.page.with_name("92_[9.2]_Toys.md").write_text(page)
    for path in folder.glob("*.py"):
        path.write_text(path.read_text().replace(section.package, package))
    return folder / section.answers.name


@dataclass
class Lab:
    """A lab that is served, and what it printed when it was ready."""

    root: Path
    url: str
    token: str
    printed: str
    process: "subprocess.Popen[str]"


@pytest.fixture(scope="session")
def start_lab() -> Iterator[Callable[[Path], Lab]]:
    """Start labs the way a learner does, on a folder with a small course."""
    started: list[subprocess.Popen[str]] = []

    def start(root: Path) -> Lab:
        folder = root / "chapter9_toys/exercises/toys"
        pages = root / "chapter9_toys/instructions/pages"
        folder.mkdir(parents=True)
        pages.mkdir(parents=True)
        (root / "home").mkdir()
        (folder / "tests.py").write_text(TESTS.format(package="toys"))
        (folder / "utils.py").write_text("LUCK = 7\n")
        solutions = SOLUTIONS.format(package="toys")
        (folder / "solutions.py").write_text(solutions)
        # A first cell without a marker, a Markdown cell, and a test under its answer.
        (folder / "answers.py").write_text(
            '"""My answers."""\n\n# %% [markdown]\n# ## Twice\n#\n# Write $2x$.\n\n'
            + solutions
            + "\n# %%\nif MAIN:\n    tests.test_double(double)\n    print(6 * 7)\n"
        )
        (pages / "91_[9.1]_Toys.md").write_text(PAGE.format(package="toys"))
        home = next(paths.ROOT.glob("chapter0*/instructions"))
        shutil.copy(home / "Home.py", pages.parent)
        shutil.copytree(home / ".streamlit", pages.parent / ".streamlit")
        shutil.copy(paths.ROOT / "jupytext.toml", root)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "invoke", "--search-root", str(paths.ROOT), "lab"]
        process = subprocess.Popen(
            [*command, "--no-browser", f"--port={port}"],
            env={**os.environ, "ARENA_LAB_ROOT": str(root), "HOME": str(root / "home")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        assert process.stdout
        printed = process.stdout.readline()
        token = printed.rpartition("token=")[2].strip()
        assert token, printed + (process.stdout.read() if process.poll() is not None else "")
        return Lab(root, f"http://127.0.0.1:{port}", token, printed, process)

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


@pytest.fixture(scope="session")
def lab(start_lab: Callable[[Path], Lab], tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A lab that many tests share."""
    return start_lab(tmp_path_factory.mktemp("lab"))
