"""How the newest verdicts look on the site."""

from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from arena_lab import progress, translations
from arena_lab.catalogue import Exercise, Section
from arena_lab.checking import FAILED, NOT_STARTED, PASSED, WAITING
from arena_lab.site.languages import say

Verdicts = dict[str, dict[str, Any]]

MARKS = {PASSED: "✓", FAILED: "✗", NOT_STARTED: "", WAITING: "…"}


def read(section: Section) -> Verdicts:
    """Give a section's newest verdicts; a broken one counts as none."""
    stored = progress.read(section)
    return {
        name: verdict
        for name, verdict in stored.items()
        if isinstance(verdict, dict) and str(verdict.get("status")) in MARKS
    }


def of(verdicts: Verdicts, name: str) -> str:
    """Give an exercise's status."""
    return str(verdicts[name]["status"]) if name in verdicts else NOT_STARTED


def is_tried(verdicts: Verdicts, exercise: Exercise) -> bool:
    """Tell whether the learner has had an answer checked."""
    return of(verdicts, exercise.name) != NOT_STARTED


def badge(verdicts: Verdicts, name: str) -> str:
    """Give the status as HTML: a mark with its word, and the failure's first sentence."""
    status = of(verdicts, name)
    verdict = verdicts.get(name, {})
    css = status.replace(" ", "-")
    mark = f'<span aria-hidden="true">{MARKS[status]}</span> ' if MARKS[status] else ""
    when = _when(verdict.get("time"))
    checked = say("checked {when}", when=when)
    title = f' title="{checked}"' if when and status != NOT_STARTED else ""
    html = f'<span class="lab-status lab-{css}"{title}>{mark}{say(status)}</span>'
    message = str(verdict.get("message") or "")
    if status in (FAILED, WAITING) and message:
        message = escape(" ".join(message.split()))
        html += f'<span class="lab-message" lang="{translations.SOURCE}">{message}</span>'
    return html


@dataclass(frozen=True)
class Progress:
    """How far a section, or all of them, has come; counts what is not optional."""

    passed: int
    required: int
    minutes: int
    minutes_left: int

    def __add__(self, other: "Progress") -> "Progress":
        return Progress(
            self.passed + other.passed,
            self.required + other.required,
            self.minutes + other.minutes,
            self.minutes_left + other.minutes_left,
        )

    @property
    def bar(self) -> str:
        """The progress as an HTML bar with its words."""
        percent = round(100 * self.passed / self.required) if self.required else 0
        return (
            f'<span class="lab-bar" role="progressbar" aria-valuenow="{percent}" '
            f'aria-valuemin="0" aria-valuemax="100" aria-label="{self.words}">'
            f'<span style="width:{percent}%"></span></span>'
        )

    @property
    def words(self) -> str:
        """The progress in words."""
        return say(
            "{passed} of {required} exercises passed", passed=self.passed, required=self.required
        )


def progress_of(section: Section, verdicts: Verdicts) -> Progress:
    """Count what has passed in a section."""
    required = [exercise for exercise in section.exercises if not exercise.optional]
    open_ = [exercise for exercise in required if of(verdicts, exercise.name) != PASSED]
    return Progress(
        passed=len(required) - len(open_),
        required=len(required),
        minutes=sum(exercise.minutes for exercise in required),
        minutes_left=sum(exercise.minutes for exercise in open_),
    )


def next_exercise(sections: list[tuple[Section, Verdicts]]) -> tuple[Section, Exercise] | None:
    """Give what to do next: in the section last worked on, else in the first one left."""

    def last_checked(item: tuple[Section, Verdicts]) -> str:
        times = [verdict.get("time") for verdict in item[1].values()]
        return max((str(time) for time in times if time), default="")

    # Sorting keeps the order of the sections among those that nobody has begun.
    for section, verdicts in sorted(sections, key=last_checked, reverse=True):
        for exercise in section.exercises:
            if not exercise.optional and of(verdicts, exercise.name) != PASSED:
                return section, exercise
    return None


def hours(minutes: int) -> str:
    """Write a time for a person: `45 min`, `2 h`, `2½ h`."""
    if minutes < 60:
        return say("{count} min", count=minutes)
    halves = round(minutes / 30)
    return say("{count} h", count=f"{halves // 2}{'½' if halves % 2 else ''}")


def _when(time: Any) -> str:
    try:
        return f"{datetime.fromisoformat(str(time)).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return ""
