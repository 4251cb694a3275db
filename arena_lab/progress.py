"""The newest verdict of each exercise, kept in `.lab/verdicts/` for the site and the learner."""

import contextlib
import fcntl
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from arena_lab.catalogue import Section
from arena_lab.checking import NOT_STARTED, PASSED, Verdict, now
from arena_lab.errors import LabError
from arena_lab.paths import STATE, write_atomically

# Longer without a verdict is a pause, or reading: then a try counts as these minutes.
_PAUSE_MIN, _TRY_MIN = 30.0, 5.0


def folder() -> Path:
    """Give the folder of all verdicts; it may not exist yet."""
    return STATE / "verdicts"


def path_of(section: Section) -> Path:
    """Give the file that holds the section's verdicts; it may not exist yet."""
    return folder() / f"{section.number}.json"


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
            moment = now()
            minutes = _with_time_since(path, exercises, verdicts)
            exercises |= {
                v.name: {**v.as_json(), "time": moment, "minutes": minutes.get(v.name, 0.0)}
                for v in verdicts
            }
            known = {exercise.name for exercise in section.exercises}
            kept = {name: value for name, value in exercises.items() if name in known}
            write_atomically(path, json.dumps({"section": section.number, "exercises": kept}))
    except OSError as error:
        raise LabError(f"the verdicts could not be kept in {path}: {error.strerror}") from None


def minutes_spent(section: Section) -> dict[str, float]:
    """Give the minutes spent on each exercise that was begun."""
    spent = {name: verdict.get("minutes") for name, verdict in read(section).items()}
    return {name: float(m) for name, m in spent.items() if isinstance(m, int | float) and m}


def _with_time_since(
    path: Path, before: dict[str, dict[str, Any]], verdicts: list[Verdict]
) -> dict[str, float]:
    """Add the time since the last verdicts to the exercise that was worked on in it.

    That is the first that fails or passes in another way than before, else the first that still
    does not pass. What has passed before takes no more time.
    """
    minutes = {name: float(found.get("minutes") or 0) for name, found in before.items()}
    tried = [
        v
        for v in verdicts
        if v.status != NOT_STARTED and before.get(v.name, {}).get("status") != PASSED
    ]
    if tried:
        worked_on = min(tried, key=lambda v: _is_as_before(v, before.get(v.name, {}))).name
        since = (time.time() - path.stat().st_mtime) / 60 if path.exists() else _PAUSE_MIN
        more = since if since < _PAUSE_MIN else _TRY_MIN
        minutes[worked_on] = round(minutes.get(worked_on, 0.0) + more, 2)
    return minutes


def _is_as_before(verdict: Verdict, before: dict[str, Any]) -> bool:
    new = verdict.as_json()
    return all(new[key] == before.get(key) for key in ("status", "message"))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
