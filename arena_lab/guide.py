"""The way on: the next exercise, its hints one by one, its solution after a try, a fresh start."""

import contextlib
import json
from pathlib import Path

from rich.console import Group
from rich.markdown import Markdown
from rich.syntax import Syntax
from rich.text import Text

from arena_lab import cells, checking, pages, progress, starters
from arena_lab.answers import read_source
from arena_lab.catalogue import Exercise, Section
from arena_lab.errors import LabError
from arena_lab.paths import STATE, write_atomically


def next_exercise(section: Section) -> Exercise | None:
    """Give the first exercise that has not passed, required ones before optional ones."""
    verdicts = progress.read(section)
    open_ones = [e for e in section.exercises if verdicts.get(e.name, {}).get("status") != "passed"]
    return min(open_ones, key=lambda e: e.optional, default=None)


def pointer(section: Section, exercise: Exercise) -> Text:
    """Say where an exercise stands and how long it takes.

    Raises:
        LabError: There are no answers, or they cannot be read.
    """
    checking.require_file(section, section.answers)
    line = _place_of(read_source(section.answers), exercise.name)
    return Text.assemble(
        (exercise.listed, "bold"),
        f"  about {exercise.minutes} minutes · page {section.number}, {exercise.subpage}",
        f" · {section.answers.name}{f', line {line[0]}' if line else ''}",
    )


def next_hint(section: Section, exercise: Exercise) -> Group:
    """Give the exercise's hints up to the next one, and remember it.

    Raises:
        LabError: The exercise has no hint.
    """
    hints = _directive(section, exercise).children("hint")
    if not hints:
        raise LabError(f"{exercise.title} has no hint")
    shown = _shown_hints()
    key = f"{section.number} {exercise.name}"
    n = min(shown.get(key, 0) + 1, len(hints))
    trouble = _remember_hints({**shown, key: n})
    if trouble:  # or the first one would come for ever
        n = len(hints)
    parts = [
        part
        for i, hint in enumerate(hints[:n], start=1)
        for part in (Text(f"Hint {i} of {len(hints)}", "dim"), Markdown(hint.text))
    ]
    notes = [Text(trouble, "dim")] if trouble else []
    return Group(Text(exercise.title, "bold"), *parts, *notes)


def solution(section: Section, exercise: Exercise, *, now: bool = False) -> Syntax:
    """Give our code of an exercise.

    Raises:
        LabError: No try was made yet, and `now` is not set.
    """
    tried = progress.read(section).get(exercise.name, {}).get("status") in ("passed", "failed")
    if not (tried or now):
        raise LabError(
            f"Nothing was tried for {exercise.title} yet. `./inv hint {exercise.name}` helps; "
            f"`./inv solution {exercise.name} --now` shows it all the same"
        )
    text = starters.without_markers(section.solutions.read_text(encoding="utf-8"))
    found = cells.definitions(text)
    code = "\n\n\n".join(found[name].source for name in exercise.names)
    return Syntax(code, "python", background_color="default")


def reset(section: Section, exercise: Exercise) -> Path | None:
    """Put the stubs of one exercise back into `answers.py`; give the copy kept of the old file.

    Raises:
        LabError: A definition is missing or does not compile, so its place cannot be told.
    """
    checking.require_file(section, section.answers)
    text = read_source(section.answers)
    solutions = section.solutions.read_text(encoding="utf-8")
    stubs = cells.definitions(starters.cut(solutions, section.solutions))
    for name in exercise.names:
        place = _place_of(text, name)
        if place is None or name not in stubs:
            raise LabError(
                f"{name} cannot be found in {section.answers}, or its cell does not compile; "
                "mend the cell, or delete it and copy the stub from the page"
            )
        lines = text.split("\n")
        lines[place[0] - 1 : place[1]] = [stubs[name].source]
        text = "\n".join(lines)
    kept = starters.replace_answers(section.answers, text)
    with contextlib.suppress(LabError):  # the next check tells it, too
        progress.store(section, [checking.verdict_of(exercise, checking.NOT_STARTED)])
    return kept


def _place_of(text: str, name: str) -> tuple[int, int] | None:
    """Give the first and last line of a definition: the last one, for that one counts.

    None where there is none, or where the one that counts does not compile.
    """
    for cell in reversed(cells.split(text)):
        try:
            found = cells.definitions(cell.text)
        except (SyntaxError, ValueError):
            if name in cell.names:
                return None
            continue
        if name in found:
            return found[name].first + cell.line - 1, found[name].last + cell.line - 1
    return None


def _directive(section: Section, exercise: Exercise) -> pages.Directive:
    page = pages.parse(section.page)
    return next(d for d in page.directives("exercise") if d.line == exercise.line)


def _shown_hints() -> dict[str, int]:
    try:
        stored = json.loads((STATE / "hints.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _remember_hints(shown: dict[str, int]) -> str:
    """Keep how many hints were shown; give the reason where it cannot be kept."""
    try:
        STATE.mkdir(parents=True, exist_ok=True)
        write_atomically(STATE / "hints.json", json.dumps(shown))
    except OSError as error:
        return f"All hints at once, for {STATE} cannot be written: {error.strerror}"
    return ""
