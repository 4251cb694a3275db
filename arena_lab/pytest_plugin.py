"""Let pytest run a section's `tests.py`: it hands in the learner's objects by parameter name.

`pytest -p arena_lab.pytest_plugin chapter0_fundamentals/exercises/PART/tests.py` checks
`answers.py`; with `--solutions` it checks ours. Each test runs in a child process, as under
`invoke test`, and an exercise that was not started is skipped.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from arena_lab import catalogue, isolation

isolation.one_thread()

from arena_lab import checking, report  # noqa: E402 (they import numpy)
from arena_lab.checks import WrongAnswer  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--solutions`."""
    parser.addoption(
        "--solutions", action="store_true", help="check solutions.py instead of answers.py"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take over the `tests.py` of a section."""
    for section in catalogue.every_section():
        if file_path == section.tests:
            return SectionFile.from_parent(parent, path=file_path, section=section)
    return None


class SectionFile(pytest.File):
    """The tests of one section; each exercise is one item."""

    def __init__(self, *, section: catalogue.Section, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.section = section

    def collect(self) -> Iterable[pytest.Item]:
        """Give an item for each exercise."""
        for exercise in self.section.exercises:
            yield ExerciseItem.from_parent(self, name=exercise.name, exercise=exercise)


class ExerciseItem(pytest.Item):
    """One exercise with all its tests."""

    parent: SectionFile

    def __init__(self, *, exercise: catalogue.Exercise, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.exercise = exercise

    def runtest(self) -> None:
        """Check the exercise."""
        solutions = bool(self.config.getoption("--solutions"))
        (verdict,) = checking.run(self.parent.section, [self.exercise], solutions=solutions)
        if verdict.status == checking.NOT_STARTED:
            pytest.skip("not started")
        if verdict.failure is not None:
            raise _Failure(verdict)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """Show the explanation, without a traceback of ours."""
        if not isinstance(excinfo.value, _Failure):
            return str(super().repr_failure(excinfo, style))
        test = excinfo.value.verdict.failure
        assert test is not None
        wrong = WrongAnswer(
            test.sentence,
            *test.details,
            *(("your code", line) for line in test.where),
            ("look at", report.where_to_look(self.parent.section, self.exercise)),
        )
        return "\n".join([str(wrong), *report.notes([excinfo.value.verdict])])

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Tell where the exercise stands on the page."""
        return self.parent.section.page, self.exercise.line - 1, self.name


class _Failure(Exception):
    def __init__(self, verdict: checking.Verdict) -> None:
        super().__init__(verdict.name)
        self.verdict = verdict
