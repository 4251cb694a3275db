"""Answers that learners write, wrong and right, and what the tests of each section say to them.

`bank/PACKAGE/wrong.py` holds wrong answers, each in a cell whose title must be part of the verdict;
`right.py` holds right ones in other styles, which must pass. A section with a bank is found here.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena_lab import cells, checking, checks
from arena_lab.catalogue import Section, make_importable, sections

pytestmark = pytest.mark.slow

BANK = Path(__file__).parent / "bank"
SECTIONS = [section for section in sections() if (BANK / section.package).is_dir()]
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


def verdict(section: Section, name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Give the first complaint about an answer, or None where every test passes."""
    monkeypatch.setattr(checks, "by_hand", False)
    make_importable(section)
    around = dict(vars(importlib.import_module(f"{section.package}.solutions")))
    exec(compile(code, name, "exec"), around)
    for check in checking.find_checks(section):
        if name in check.exercise.names:
            try:
                check.function(*(around[name] for name in check.parameters))
            except checks.WrongAnswer as wrong:
                return wrong.sentence
            except Exception as error:
                return str(error).splitlines()[0]
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


@by_number
def test_every_exercise_has_wrong_answers_in_the_bank(section: Section) -> None:
    written = {name for name, _, _ in answers(section, "wrong.py")}
    assert [e.name for e in section.exercises if not written & set(e.names)] == []
