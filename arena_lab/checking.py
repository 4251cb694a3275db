"""Check a section's answers: each test in a child of its own, and a verdict for each exercise."""

import contextlib
import functools
import inspect
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from arena_lab import blame, cells, checks, cores, importing, isolation, loading, memory, trial
from arena_lab.answers import compiled, read_source
from arena_lab.catalogue import Exercise, Section, make_importable
from arena_lab.errors import LabError
from arena_lab.starters import cut

PASSED, FAILED, WAITING, NOT_STARTED = trial.PASSED, trial.FAILED, trial.WAITING, "not started"

# What a verdict says where the exercise itself is still to be written, or mended before it runs.
_UNWRITTEN = (trial.STUB, trial.UNLOADED, "is not written yet")

# Most of the machine's memory is the learner's; a test that needs more than this has gone wrong.
_MEMORY = 8 << 30
# A spare child is of use from then on; what it has not run by then is new to it.
_REHEARSAL_S = 0.5


@dataclass(frozen=True)
class TestVerdict:
    """One test of an exercise: how it ended, and the explanation if it did not pass."""

    name: str
    status: str
    sentence: str = ""
    details: tuple[tuple[str, str], ...] = ()
    where: tuple[str, ...] = ()  # the learner's own lines, outermost first
    printed: str = ""
    seconds: float = 0.0
    left_out: tuple[str, ...] = ()  # lines outside of all functions that could not be run


@dataclass(frozen=True)
class Verdict:
    """One exercise with all its tests."""

    name: str
    names: tuple[str, ...]
    title: str
    optional: bool
    status: str
    tests: tuple[TestVerdict, ...] = field(default=())

    @property
    def failure(self) -> TestVerdict | None:
        """The first test that did not pass."""
        return next((test for test in self.tests if test.status != PASSED), None)

    def as_json(self) -> dict[str, Any]:
        """Give the verdict as what JSON can hold."""
        return {**asdict(self), "message": self.failure.sentence if self.failure else ""}


@dataclass(frozen=True)
class Check:
    """A test function of a section's `tests.py`."""

    name: str
    exercise: Exercise
    function: Callable[..., None]
    timeout: float

    @property
    def parameters(self) -> list[str]:
        """The names of the answers that it takes; what has a default is a setting, no answer."""
        takes = inspect.signature(self.function).parameters.values()
        return [p.name for p in takes if p.default is p.empty]


@dataclass(frozen=True)
class Foreign:
    """Answers of somebody else: where they lie, and how what runs them is shut in.

    Nothing of the section is read again for them, for in there our solutions are out of reach.
    """

    path: Path
    stubs: Mapping[str, str | None]
    checks: Sequence[Check]
    memory: int
    enter: Callable[[], None]


def prepare(section: Section) -> None:
    """Import what the tests and the answers of a section use, before the first check."""
    find_checks(section)
    importing.import_what_answers_use(section)


@functools.cache
def find_checks(section: Section) -> list[Check]:
    """Give the tests of a section, in the order of the file.

    Raises:
        LabError: There is no `tests.py`, or a test belongs to no exercise of the page.
    """
    if not section.tests.exists():
        raise LabError(f"{section.tests} is missing; `git checkout -- {section.tests}` restores it")
    make_importable(section)
    isolation.no_windows()
    # A teacher's own stand in files beside ours: tests_*.py.
    names = ["tests", *sorted(path.stem for path in section.folder.glob("tests_*.py"))]
    modules = [importing.imported(f"{section.package}.{name}") for name in names]
    return [check for module in modules for check in checks_in(module, section)]


def checks_in(module: ModuleType, section: Section) -> list[Check]:
    """Give the tests that a module defines, in the order of the file.

    Raises:
        LabError: A test belongs to no exercise of the page.
    """
    return [
        Check(
            name, section.find(function.check_info.exercise), function, function.check_info.timeout
        )
        for name, function in vars(module).items()
        if hasattr(function, "check_info")
    ]


def run(
    section: Section,
    exercises: Iterable[Exercise] | None = None,
    *,
    solutions: bool = False,
    interrupted: Callable[[], bool] = lambda: False,
    at_once: Callable[[Verdict], None] = lambda _: None,
    spare: isolation.Spare | None = None,
    foreign: Foreign | None = None,
    left_out: loading.LeftOut | None = None,
) -> Iterator[Verdict]:
    """Check answers and give each exercise's verdict, in the order of the page.

    Args:
        section: The section.
        exercises: Which of its exercises; all by default.
        solutions: Check our `solutions.py` instead of the learner's `answers.py`.
        interrupted: Once it says yes, what runs is ended, and no more verdicts come.
        at_once: Told of each verdict as it comes, before the search for what else is to blame.
        spare: What `ahead` gave; it checks the first exercise that was started.
        foreign: Check these answers instead, after `prepare`, one test at a time.
        left_out: What earlier runs left out; this one does too, and adds to it.

    Raises:
        LabError: The file with the answers is missing or cannot be read.
    """
    path = section.solutions if solutions else foreign.path if foreign else section.answers
    require_file(section, path)
    chosen = list(exercises or section.exercises)
    unwritten = (
        set() if solutions else not_started(section, path, foreign.stubs if foreign else None)
    )
    begun = [e for e in chosen if not set(e.names) <= unwritten]
    trials = _Trials(section, path, begun, foreign, left_out or loading.LeftOut())
    with contextlib.closing(trials.start(interrupted, spare)):
        for exercise in chosen:
            if set(exercise.names) <= unwritten:
                yield verdict_of(exercise, NOT_STARTED)
                continue
            verdict = trials.verdict(exercise)
            if verdict is None:
                return
            at_once(verdict)
            yield verdict if solutions else trials.blame(verdict, unwritten)


def ahead(section: Section, exercise: Exercise) -> isolation.Spare:
    """Fork a child for the next check of a section, warm from our solution of an exercise."""
    prepare(section)
    return isolation.Spare(functools.partial(_rehearse, section, exercise))


def _rehearse(section: Section, exercise: Exercise) -> None:
    checks.by_hand = False
    name = f"{section.package}.{section.solutions.stem}"
    enough = time.monotonic() + _REHEARSAL_S
    with trial.state_kept():
        for check in find_checks(section):
            light = check.timeout <= checks.DEFAULT_TIMEOUT and time.monotonic() < enough
            if check.exercise == exercise and light:
                trial.run(check, section.solutions, name)
    compiled(section.answers, read_source(section.answers))


class _Trials:
    """The tests of some exercises, run side by side; verdicts are asked for one by one."""

    def __init__(
        self,
        section: Section,
        path: Path,
        begun: list[Exercise],
        foreign: Foreign | None,
        left_out: loading.LeftOut,
    ) -> None:
        self.section, self.path, self._foreign = section, path, foreign
        self._left_out = left_out
        found = foreign.checks if foreign else find_checks(section)
        self._tests = {e.name: [c for c in found if c.exercise == e] for e in begun}
        self._done: dict[str, dict[int, TestVerdict]] = {e.name: {} for e in begun}

    def start(
        self, interrupted: Callable[[], bool], spare: isolation.Spare | None = None
    ) -> Generator[tuple[str, int, isolation.Outcome], None, None]:
        """Give what the verdicts are taken from; it starts children, so close it."""
        shut_in: dict[str, Any] = {"workers": _workers(), "memory": _memory()}
        if foreign := self._foreign:
            shut_in = {"workers": 1, "memory": foreign.memory, "enter": foreign.enter}
        else:
            prepare(self.section)
        self._text = read_source(self.path)
        compiled(self.path, self._text)  # once here instead of in every child
        checks.by_hand = False
        self._interrupted = interrupted
        self._lines = lines = loading.Loading(self._left_out.lines_of(self._text))
        jobs = [
            (name, [_step(self.section, check, self.path, lines, child) for check in tests])
            for child, (name, tests) in enumerate(self._tests.items())
        ]
        self._outcomes = loading.outcomes(
            jobs, lines, interrupted=interrupted, spare=spare, **shut_in
        )
        return self._outcomes

    def verdict(self, exercise: Exercise) -> Verdict | None:
        """Wait for an exercise's tests; None where they were interrupted."""
        tests, done = self._tests[exercise.name], self._done[exercise.name]
        while len(done) < len(tests):
            ended = next(self._outcomes, None)
            if ended is None:
                return None
            self._left_out.keep(self._text, self._lines.left_out)
            name, number, outcome = ended
            check = self._tests[name][number]
            self._done[name][number] = _test_verdict(check, outcome, self.path)
        mine = [done[number] for number in sorted(done)]
        return verdict_of(exercise, _status(mine), mine)

    def blame(self, verdict: Verdict, unwritten: set[str]) -> Verdict:
        """Say in a failure which exercise that it uses fails too: there the search begins."""
        failure = verdict.failure
        if verdict.status != FAILED or failure is None:
            return verdict
        if any(said in failure.sentence for said in _UNWRITTEN):
            return verdict
        handed_in = {name for check in self._tests[verdict.name] for name in check.parameters}
        names = blame.used(read_source(self.path), verdict.names) | handed_in
        names -= {*verdict.names} | unwritten
        first = self._first_that_fails([e for e in self.section.exercises if names & {*e.names}])
        if first is None:
            return verdict
        sentence = f"{min(names & {*first.names})}, which this uses, fails too: begin there"
        details = (("here", failure.sentence), *failure.details)
        told = replace(failure, sentence=sentence, details=details)
        tests = tuple(told if test is failure else test for test in verdict.tests)
        return replace(verdict, tests=tests)

    def _first_that_fails(self, exercises: list[Exercise]) -> Exercise | None:
        new = [e for e in exercises if e.name not in self._tests]
        others = _Trials(self.section, self.path, new, self._foreign, self._left_out)
        with contextlib.ExitStack() as children:
            if new:
                for running in self._tests:  # one that is not listened to would seem too slow
                    self.verdict(self.section.find(running))
                children.enter_context(contextlib.closing(others.start(self._interrupted)))
            for exercise in exercises:
                of_new = exercise.name in others._tests
                verdict = others.verdict(exercise) if of_new else self.verdict(exercise)
                if verdict is None:
                    break
                if of_new:  # known from now on
                    self._tests[exercise.name] = others._tests.pop(exercise.name)
                    self._done[exercise.name] = others._done.pop(exercise.name)
                if verdict.status == FAILED:
                    return exercise
        return None


def _step(
    section: Section, check: Check, path: Path, lines: loading.Loading, child: int
) -> isolation.Step:
    # Each test gets the answers anew: what one changes in them is not there for the next.
    module_name = f"{section.package}.{path.stem}"
    trying = functools.partial(trial.run, check, path, module_name, lines, child)
    return isolation.Step(trying, check.timeout)


def not_started(
    section: Section, path: Path | None = None, stubs: Mapping[str, str | None] | None = None
) -> set[str]:
    """Give the names that stand in the answers as the starter has them, or do not stand there.

    Args:
        section: The section.
        path: The answers; by default its `answers.py`.
        stubs: What `shapes_of_stubs` gave for the section, where that was asked before.
    """
    stubs = shapes_of_stubs(section) if stubs is None else stubs
    have = shapes(read_source(path or section.answers))
    return {name for name, stub in stubs.items() if have.get(name) == stub}


def shapes_of_stubs(section: Section) -> dict[str, str | None]:
    """Give the shape of each name that a learner writes, as the starter has it."""
    stubs = _stubs(section.solutions, section.solutions.read_text(encoding="utf-8"))
    names = [name for exercise in section.exercises for name in exercise.names]
    return {name: stubs.get(name) for name in names}


@functools.lru_cache(maxsize=8)
def _stubs(path: Path, solutions: str) -> dict[str, str]:
    return {name: d.shape for name, d in cells.definitions(cut(solutions, path)).items()}


def shapes(text: str) -> dict[str, str]:
    """Give the shape of each definition; a cell that does not compile was written in."""
    found: dict[str, str] = {}
    for cell in cells.split(text):
        try:
            defined = cells.definitions(cell.text)
        except (SyntaxError, ValueError):
            found |= dict.fromkeys(cell.names, "broken")
        else:
            found |= {name: d.shape for name, d in defined.items()}
    return found


# --- in the parent ----------------------------------------------------------------------------


def require_file(section: Section, path: Path) -> None:
    """Refuse answers that are missing or cannot be read.

    Raises:
        LabError: They are; it says what to do.
    """
    if not path.exists():
        raise LabError(
            f"{path} is missing. `./inv starters --section {section.number}` writes a new "
            "starter; answers saved elsewhere can be copied back"
        )
    try:
        read_source(path)
    except (SyntaxError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.msg
        raise LabError(f"{path} cannot be read: {reason}") from None


# What a verdict holds of a text and of a list.
_LONGEST, _MOST = 4000, 50


def _test_verdict(check: Check, outcome: isolation.Outcome, path: Path) -> TestVerdict:
    if outcome.kind == "result" and isinstance(outcome.result, dict):
        report = outcome.result
    else:
        report = _ended_early(check, outcome, path)
    # An answer can raise anything as its mistake, and reports what it likes.
    said = {key: value for key, value in report.items() if isinstance(value, list)}
    pairs = [pair for pair in said.get("details", []) if isinstance(pair, list) and len(pair) == 2]
    status = report.get("status")
    status = status if status in (PASSED, FAILED, WAITING) else FAILED
    return TestVerdict(
        name=check.name,
        status=status,
        sentence=str(report.get("sentence", ""))[:_LONGEST],
        details=tuple((str(a)[:_LONGEST], str(b)[:_LONGEST]) for a, b in pairs[:_MOST]),
        where=tuple(str(line)[:_LONGEST] for line in said.get("where", [])[:_MOST]),
        printed="" if status == PASSED else _first_lines(outcome.output),
        seconds=round(outcome.seconds, 4),
        left_out=tuple(str(line)[:_LONGEST] for line in said.get("left_out", [])[:_MOST]),
    )


def _ended_early(check: Check, outcome: isolation.Outcome, path: Path) -> dict[str, Any]:
    what = check.exercise.name
    where = _lines_of_stack(outcome.stack, path)
    if outcome.kind == "timeout":
        sentence = f"{what} did not finish within {check.timeout:g} seconds: an endless loop?"
    elif outcome.kind == "skipped":
        sentence = f"not run, for another test of {what} did not finish"
    else:
        sentence = f"{what} {loading.how_it_ended(outcome)}"
    return {"status": FAILED, "sentence": sentence, "where": where}


def _lines_of_stack(stack: str, path: Path) -> list[str]:
    """Read the learner's lines from what faulthandler wrote, outermost first."""
    lines = read_source(path).split("\n")
    found = []
    for row in stack.splitlines():
        if f'"{path}"' in row and " line " in row:
            number, _, name = row.split(" line ", 1)[1].partition(" in ")
            if number.isdigit() and int(number) <= len(lines):
                found.append(f"line {number}, in {name}: {lines[int(number) - 1].strip()}")
    return found[::-1]


def _first_lines(text: str, n: int = 8) -> str:
    lines = text.rstrip().splitlines()
    more = [f"… {len(lines) - n} more lines"] if len(lines) > n else []
    return "\n".join([*(line[:200] for line in lines[:n]), *more])


def _status(tests: list[TestVerdict]) -> str:
    statuses = {test.status for test in tests}
    if FAILED in statuses:
        return FAILED
    return WAITING if WAITING in statuses else PASSED


def verdict_of(exercise: Exercise, status: str, tests: Sequence[TestVerdict] = ()) -> Verdict:
    """Give the verdict on an exercise."""
    return Verdict(
        exercise.name, exercise.names, exercise.title, exercise.optional, status, tuple(tests)
    )


def _workers() -> int:
    return min(cores.usable(), 8)


def _memory() -> int:
    setting = os.environ.get("ARENA_LAB_TEST_MEMORY_MB")
    if setting and setting.isdigit():
        return int(setting) << 20
    return max(1 << 30, min(_MEMORY, memory.available() // 2))


def now() -> str:
    """Give the time for a stored verdict, to the second, with its zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
