"""The newest verdict of each exercise, kept in `.lab/verdicts/` for the site and the learner."""

import contextlib
import fcntl
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from arena_lab.catalogue import Section
from arena_lab.checking import Verdict, now
from arena_lab.errors import LabError
from arena_lab.paths import STATE, write_atomically


def path_of(section: Section) -> Path:
    """Give the file that holds the section's verdicts; it may not exist yet."""
    return STATE / "verdicts" / f"{section.number}.json"


def read(section: Section) -> dict[str, dict[str, Any]]:
    """Give the newest stored verdict of each exercise, by the exercise's name.

    A file that is missing or broken counts as no verdicts: they come again with the next run.
    """
    try:
        stored = json.loads(path_of(section).read_text(encoding="utf-8"))["exercises"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return stored if isinstance(stored, dict) else {}


def store(section: Section, verdicts: list[Verdict]) -> None:
    """Keep the verdicts as the newest ones; those of other exercises stay.

    Raises:
        LabError: The folder cannot be written.
    """
    path = path_of(section)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_suffix(".lock")):
            exercises = read(section)
            time = now()
            exercises |= {v.name: {**v.as_json(), "time": time} for v in verdicts}
            known = {exercise.name for exercise in section.exercises}
            kept = {name: value for name, value in exercises.items() if name in known}
            write_atomically(path, json.dumps({"section": section.number, "exercises": kept}))
    except OSError as error:
        raise LabError(f"the verdicts could not be kept in {path}: {error.strerror}") from None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
