"""What a teacher sets for a class, in `class.toml` beside `inv`: which sections, and when due."""

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arena_lab.errors import LabError
from arena_lab.paths import ROOT

FILE = "class.toml"


@dataclass(frozen=True)
class Plan:
    """The numbers of the sections that are taken, None for all; and when they are due."""

    sections: frozenset[str] | None = None
    due: Mapping[str, dt.datetime] = field(default_factory=dict)

    def takes(self, number: str) -> bool:
        """Tell whether a section is taken."""
        return self.sections is None or number in self.sections

    def due_text(self, number: str) -> str:
        """Give when a section is due, to be read; nothing where it is not."""
        return f"due {moment(self.due[number])}" if number in self.due else ""


def require_known(said: Plan, numbers: Sequence[str], root: Path = ROOT) -> None:
    """Hold a plan to the sections that there are.

    Raises:
        LabError: It names another one.
    """
    if unknown := {*(said.sections or ()), *said.due} - {*numbers}:
        raise LabError(
            f"{root / FILE}: there is no section {min(unknown)}; there are {', '.join(numbers)}"
        )


def moment(when: dt.datetime) -> str:
    """Write a moment for a person, with its zone: a learner may live in another one."""
    return f"{when:%Y-%m-%d %H:%M %Z}"


def plan(root: Path = ROOT) -> Plan:
    """Give the plan of the class; all sections and no dates where there is no class.toml.

    Raises:
        LabError: The file cannot be read, or says something that is not understood.
    """
    path = root / FILE
    try:
        stat = path.stat()
    except FileNotFoundError:
        return Plan()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=8)
def _read(path: Path, _mtime: int, _size: int) -> Plan:
    import tomllib

    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"{path} cannot be read: {error}") from None
    if unknown := said.keys() - {"sections", "due"}:
        raise LabError(f"{path}: {min(unknown)} is unknown; there are `sections` and `[due]`")
    sections = said.get("sections")
    strings = isinstance(sections, list) and all(isinstance(s, str) for s in sections)
    if sections is not None and not (strings and sections):
        raise LabError(f'{path}: `sections` must be a list such as ["0.0", "0.4"]')
    due = said.get("due", {})
    if not isinstance(due, dict):
        raise LabError(f'{path}: `[due]` must have lines such as "0.4" = 2026-10-12T18:00:00')
    dates = {number: _moment(path, number, value) for number, value in due.items()}
    return Plan(frozenset(sections) if sections else None, dates)


def _moment(path: Path, number: str, value: Any) -> dt.datetime:
    """Give a moment in the zone that it names, else this machine's; of a day it is the end."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time(23, 59, 59))
    if not isinstance(value, dt.datetime):
        raise LabError(
            f"{path}: the date of {number} must be such as 2026-10-12 or 2026-10-12T18:00:00, "
            f"without quotes, not {value!r}"
        )
    return value if value.tzinfo else value.astimezone()
