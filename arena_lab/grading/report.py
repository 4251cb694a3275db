"""The results of a class: as JSON, as a table for each section (CSV), and as one page.

The page needs nothing from elsewhere and no script; it and the tables are made from the JSON.
"""

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from arena_lab.catalogue import Exercise, Section
from arena_lab.checking import FAILED, NOT_STARTED, PASSED, WAITING, now
from arena_lab.errors import LabError
from arena_lab.grading import alike
from arena_lab.grading.sandbox import MEANING
from arena_lab.grading.store import Result
from arena_lab.grading.submissions import Submission
from arena_lab.paths import write_atomically

NOT_RUN = "not run"

# What stands in a cell of the heat map: a shape that needs no colour to be told.
MARKS = {PASSED: "✓", FAILED: "✗", WAITING: "…", NOT_STARTED: "·", NOT_RUN: "?"}


@dataclass(frozen=True)
class Graded:
    """A submission, and what came of it; nothing yet where it cannot or could not be run."""

    submission: Submission
    result: Result | None = None

    @property
    def problem(self) -> str:
        """Why there are no verdicts."""
        late = "not graded yet" if self.result is None else str(self.result.get("problem", ""))
        return self.submission.problem or late


def summary(
    sections: Sequence[Section], graded: Sequence[Graded], due: Mapping[str, datetime]
) -> dict[str, Any]:
    """Give all results as what JSON can hold."""
    ways = Counter(str(g.result["sandbox"]) for g in graded if g.result and not g.problem)
    return {
        "time": now(),
        "sandboxes": {way: MEANING[way] for way in ways if way in MEANING},
        "sections": [
            _section(s, [g for g in graded if g.submission.section == s.number], due.get(s.number))
            for s in sections
        ],
        "unclear": [_line(g) for g in graded if not g.submission.section],
    }


def _section(section: Section, graded: list[Graded], due: datetime | None) -> dict[str, Any]:
    learners = [_learner(section, g, due) for g in graded if not g.problem]
    prints = {
        g.submission.learner: g.result.get("fingerprints", ())
        for g in graded
        if g.result and not g.problem
    }
    return {
        "section": section.number,
        "title": section.title,
        "due": due.isoformat() if due else "",
        "exercises": [_exercise(exercise, learners) for exercise in section.exercises],
        "learners": learners,
        "problems": [_line(g) for g in graded if g.problem],
        "alike": [vars(pair) for pair in alike.pairs(prints)],
    }


def _line(graded: Graded) -> dict[str, Any]:
    return {
        "learner": graded.submission.learner,
        "file": str(graded.submission.path),
        "problem": graded.problem,
    }


def _learner(section: Section, graded: Graded, due: datetime | None) -> dict[str, Any]:
    assert graded.result is not None
    verdicts = {v["name"]: v for v in graded.result["verdicts"]}
    exercises = {}
    for exercise in section.exercises:
        verdict = verdicts.get(exercise.name, _LEFT_OUT)
        exercises[exercise.name] = {k: verdict[k] for k in ("status", "message", "tests")}
    required = [e.name for e in section.exercises if not e.optional]
    saved = datetime.fromtimestamp(graded.submission.saved).astimezone()
    return {
        "learner": graded.submission.learner,
        "file": str(graded.submission.path),
        "saved": saved.isoformat(timespec="seconds"),
        "late": bool(due and saved > due),
        "note": graded.submission.note,
        "passed": sum(exercises[name]["status"] == PASSED for name in required),
        "required": len(required),
        "seconds": graded.result.get("seconds", 0.0),
        "sandbox": graded.result.get("sandbox", ""),
        "exercises": exercises,
    }


_LEFT_OUT = {
    "status": NOT_RUN,
    "message": "the time for the whole submission was over",
    "tests": [],
}


def _exercise(exercise: Exercise, learners: list[dict[str, Any]]) -> dict[str, Any]:
    """Give how an exercise went, and its failures, the commonest first."""
    verdicts = {each["learner"]: each["exercises"][exercise.name] for each in learners}
    failures: dict[str, list[str]] = defaultdict(list)
    for learner, verdict in verdicts.items():
        if verdict["status"] == FAILED:
            failures[verdict["message"]].append(learner)
    commonest = sorted(failures.items(), key=lambda item: -len(item[1]))
    return {
        "name": exercise.name,
        "title": exercise.title,
        "optional": exercise.optional,
        "counts": dict(Counter(verdict["status"] for verdict in verdicts.values())),
        "failures": [{"message": message, "learners": who} for message, who in commonest],
    }


def write(folder: Path, data: Mapping[str, Any]) -> list[Path]:
    """Write the report into a folder; give its files, the page first.

    Raises:
        LabError: It cannot be written.
    """
    files = {"index.html": page(data), "grades.json": json.dumps(data, indent=1) + "\n"}
    # With a mark at the start, without which spreadsheets take UTF-8 for something else.
    files |= {f"grades-{s['section']}.csv": "\ufeff" + table(s) for s in data["sections"]}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomically(folder / name, text.encode("utf-8", "replace"))
    except OSError as error:
        raise LabError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
    return [folder / name for name in files]


def table(section: Mapping[str, Any]) -> str:
    """Give a section as CSV: a row for each learner, a column for each exercise."""
    written = io.StringIO()
    rows = csv.writer(written)
    names = [exercise["name"] for exercise in section["exercises"]]
    rows.writerow(["learner", "passed", "required", "saved", "late", "remark", "file", *names])
    for each in section["learners"]:
        about = [each["passed"], each["required"], each["saved"], "late" if each["late"] else ""]
        statuses = [each["exercises"][name]["status"] for name in names]
        row = [each["learner"], *about, each["note"], each["file"], *statuses]
        rows.writerow(map(_plain, row))
    for each in section["problems"]:
        row = [each["learner"], 0, "", "", "", f"not graded: {each['problem']}", each["file"]]
        rows.writerow(map(_plain, row))
    return written.getvalue()


def _plain(value: object) -> object:
    """Keep a spreadsheet from taking what a learner wrote for a formula."""
    risky = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if risky else value


def page(data: Mapping[str, Any]) -> str:
    """Give the results as a page."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = resources.files("arena_lab.grading").joinpath("page.html").read_text(encoding="utf-8")
    return environment.from_string(text).render(**data, marks=MARKS)
