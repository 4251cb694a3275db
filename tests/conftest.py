"""A small course to try the engine on, made anew for each test that asks for it."""

import itertools
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from arena_lab import catalogue, starters

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
