"""`./inv grade`: collect, run what has not been run, keep each result at once, report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from arena_lab import catalogue, classes, cores
from arena_lab.catalogue import Section
from arena_lab.errors import LabError
from arena_lab.grading import cluster, report, submissions
from arena_lab.grading.report import Graded
from arena_lab.grading.sandbox import AUTOMATIC, CHOICES, MEANING, same
from arena_lab.grading.store import Result, Store, course_hash, key_of
from arena_lab.grading.submissions import Submission
from arena_lab.grading.warden import Setting

Advance = Callable[[], None]


@dataclass(frozen=True)
class Options:
    """How to grade; `minutes` and `memory` in MB bound each submission as a whole."""

    section: str = ""
    workers: int = 0
    scheduler: str = ""
    sandbox: str = "auto"
    tests: str = ""
    minutes: float = 10.0
    memory: int = 4096


def grade(console: Console, folder: Path, to: Path, options: Options) -> list[Path]:
    """Grade a folder of submissions, and give the files of the report.

    After an interrupt or a crash the same call goes on with what is left.

    Raises:
        LabError: There is nothing to grade, nowhere to run it, or nowhere to write to.
    """
    if options.sandbox not in CHOICES:
        raise LabError(f"there is no sandbox {options.sandbox!r}; there are {', '.join(CHOICES)}")
    everything = catalogue.every_section()
    taken = catalogue.sections()
    wanted = [catalogue.find_section(options.section)] if options.section else taken
    chosen = [section.number for section in wanted]
    if options.tests and len(chosen) > 1:
        raise LabError("--tests is for one section: say --section")
    found = submissions.collect(folder, everything, chosen)
    for bad in (each for each in found if each.problem):
        console.print(_line(bad, bad.problem), style="yellow", soft_wrap=True)
    run = _Run(Store(to / "results"), options)
    try:
        run.everything(console, [each for each in found if not each.problem])
    finally:  # an interrupt, too, leaves a report of what is done
        written = {each.section for each in found}
        sections = [s for s in everything if s.number in written]
        files = report.write(to, _summary(sections, found, run))
    return files


def _summary(sections: list[Section], found: list[Submission], run: "_Run") -> dict[str, object]:
    graded = [Graded(each, run.result_of(each)) for each in found]
    return report.summary(sections, graded, classes.plan().due)


def _line(submission: Submission, what: str) -> str:
    return escape(f"{submission.learner}: {what}")


def is_final(result: Result | None, sandbox: str) -> bool:
    """Tell whether another run would give the same: more time or another sandbox may not."""
    if result is None or result.get("problem") or result.get("cut"):
        return False
    return sandbox == AUTOMATIC or same(sandbox, str(result.get("sandbox", "")))


class _Run:
    """The results that are there, and the running of those that are not."""

    def __init__(self, store: Store, options: Options) -> None:
        self._store, self._options = store, options

    def result_of(self, submission: Submission) -> Result | None:
        """Give what came of a submission, or None where it was not run."""
        return None if submission.problem else self._store.get(self._key(submission))

    def everything(self, console: Console, found: Sequence[Submission]) -> None:
        """Run what has no result yet; the same text is run once, whoever handed it in."""
        # A sandbox is one section's: it is not started anew for each learner.
        waiting = {
            self._key(each): each
            for each in sorted(found, key=lambda each: each.section)
            if not is_final(self.result_of(each), self._options.sandbox)
        }
        done = len(found) - sum(self._key(each) in waiting for each in found)
        if done:
            console.print(f"{done} of {len(found)} were graded before")
        if not waiting:
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
            step = bar.add_task("grading", total=len(waiting))
            self._run(console, waiting, lambda: bar.advance(step))

    def _run(self, console: Console, waiting: Mapping[str, Submission], advance: Advance) -> None:
        workers, scheduler = self._options.workers or cores.usable(), self._options.scheduler
        orders = {key: self._order(each) for key, each in waiting.items()}
        said = ""
        for key, result in cluster.run_all(orders, workers=workers, scheduler=scheduler):
            way = result.get("sandbox", "")
            if way and way != said:
                console.print(f"Submissions run {MEANING[way]}", style="dim", soft_wrap=True)
                said = way
            self._store.put(key, result)
            if problem := result.get("problem"):
                console.print(_line(waiting[key], problem), style="yellow", soft_wrap=True)
            advance()

    def _order(self, submission: Submission) -> cluster.Order:
        options = self._options
        setting = Setting(
            section=submission.section,
            way=options.sandbox,
            seconds=60 * options.minutes,
            memory=options.memory << 20,
            tests=options.tests,
        )
        return cluster.Order(setting, submission.text, course_hash())

    def _key(self, submission: Submission) -> str:
        options = self._options
        return key_of(submission.section, submission.text, options.tests, options.memory)


def read_tests(path: Path) -> str:
    """Give the text of a teacher's own tests.

    Raises:
        LabError: The file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{path} cannot be read: {error}") from None
