"""Answers that learners write, wrong and right, and what the tests of each section say to them.

`bank/PACKAGE/wrong.py` holds wrong answers, each in a cell whose title must be part of the verdict;
`right.py` holds right ones in other styles, which must pass. A section with a bank is found here.
"""

import ast
import functools
import importlib
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

from arena_lab import cells, checking, checks, fresh
from arena_lab.catalogue import Section, every_section, make_importable
from arena_lab.telling import one_line

pytestmark = pytest.mark.slow

BANK = Path(__file__).parent / "bank"
SECTIONS = [section for section in every_section() if (BANK / section.package).is_dir()]
by_number = pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.number)


@pytest.fixture(autouse=True)
def gradients() -> Iterator[None]:
    """Record gradients again after an answer that has switched that off."""
    import torch

    with torch.enable_grad():
        yield


def answers(section: Section, file: str) -> list[tuple[str, str, str]]:
    """Give each answer of a bank: the exercise's name, its cell's title, its code.

    What stands before the first cell is at hand in each.
    """
    exercises = {name for exercise in section.exercises for name in exercise.names}
    first, *others = cells.split((BANK / section.package / file).read_text(encoding="utf-8"))
    return [
        (
            next(name for name in cell.names if name in exercises),
            cell.text.partition("\n")[0].removeprefix("# %% "),
            f"{first.text}\n{cell.text}",
        )
        for cell in others
    ]


def bank(file: str) -> list[object]:
    """Give what parametrizes a test by all answers of a kind."""
    return [
        pytest.param(section, name, title, code, id=f"{section.number}-{name}-{title}")
        for section in SECTIONS
        for name, title, code in answers(section, file)
    ]


@functools.cache
def steps(section: Section) -> list[tuple[tuple[str, ...], CodeType]]:
    """Give the statements of our solutions: what each defines, and its compiled code."""
    body = ast.parse(section.solutions.read_text(encoding="utf-8")).body
    return [
        (tuple(cells.defined_names(node)), compile(ast.Module([node], []), "solutions", "exec"))
        for node in body
    ]


def handed_in(section: Section, code: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Run our solutions with an answer after what it replaces, as a module.

    What comes after it sees the answer, as in a learner's file. The answer itself may use all of
    our solutions, what it replaces too, and those of later exercises.
    """
    module = ModuleType(f"{section.package}.handed_in")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # classes and tests look it up
    names: dict[str, Any] = vars(module)
    names |= vars(importlib.import_module(f"{section.package}.solutions")) | names
    answer = compile(code, "answer", "exec")
    written = set(cells.definitions(code))
    replaced = [i for i, (defined, _) in enumerate(steps(section)) if written & set(defined)]
    for i, (_, step) in enumerate(steps(section)):
        exec(step, names)
        if i == replaced[-1]:
            exec(answer, names)
    return module


def verdict(section: Section, name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Give the first complaint about an answer, or None where every test passes."""
    monkeypatch.setattr(checks, "by_hand", False)
    # A fresh process could not import what is made here; other tests' idle threads do no harm.
    monkeypatch.setattr(fresh, "is_called_for", lambda *work: False)
    make_importable(section)
    module = handed_in(section, code, monkeypatch)
    for check in checking.find_checks(section):
        if name in check.exercise.names:
            try:
                check.function(*(getattr(module, answer) for answer in check.parameters))
            except checks.WrongAnswer as wrong:
                return wrong.sentence
            except Exception as error:
                return one_line(error)
    return None


@pytest.mark.parametrize(("section", "name", "title", "code"), bank("wrong.py"))
def test_wrong_answer_is_told_what_is_wrong(
    section: Section, name: str, title: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert title in (verdict(section, name, code, monkeypatch) or "every test passes")


@pytest.mark.parametrize(("section", "name", "title", "code"), bank("right.py"))
def test_right_answer_in_another_style_passes(
    section: Section, name: str, title: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verdict(section, name, code, monkeypatch) is None, title


def scarce(section: Section, file: str, enough: int) -> dict[str, int]:
    """Give the exercises with fewer answers in a bank than there should be, and their number."""
    written = Counter(name for name, _, _ in answers(section, file))
    counts = {e.name: sum(written[name] for name in e.names) for e in section.exercises}
    return {name: count for name, count in counts.items() if count < enough}


@by_number
def test_every_exercise_has_five_wrong_answers_in_the_bank(section: Section) -> None:
    assert scarce(section, "wrong.py", 5) == {}


@by_number
def test_every_exercise_has_two_right_answers_in_the_bank(section: Section) -> None:
    assert scarce(section, "right.py", 2) == {}
