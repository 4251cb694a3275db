"""What the learner's tasks do: find, run, show, and end with an exit code."""

import difflib
import functools
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

from invoke.exceptions import Exit
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from arena_lab import catalogue, classes, isolation
from arena_lab.answers import read_source
from arena_lab.errors import LabError
from arena_lab.paths import ROOT, short

P = ParamSpec("P")


def command(function: Callable[P, None]) -> Callable[P, None]:
    """Turn an expected fault into one line and exit code 2."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except LabError as error:
            raise Exit(str(error), code=2) from None

    return run


def number(text: str, flag: str, *, low: float, kind: type[int] | type[float] = int) -> Any:
    """Read the number behind a flag.

    Raises:
        LabError: It is none, or less than `low`.
    """
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not low <= value < math.inf:
        whole = "whole " if kind is int else ""
        raise LabError(f"--{flag} must be a {whole}number, at least {low}, not {text!r}")
    return value


@command
def test(
    section_number: str | None,
    exercise_name: str | None,
    *,
    solutions: bool,
    json_file: str | None,
    every: bool,
) -> None:
    """Check a section; exit code 0 only if all exercises that are not optional pass."""
    if section_number:
        section = catalogue.find_section(section_number)
        exercises = [section.find(exercise_name)] if exercise_name else list(section.exercises)
    elif exercise_name:
        section, exercise = _find_anywhere(exercise_name)
        exercises = [exercise]
    else:
        raise LabError("which section? ./inv test --section 0.4, for example; ./inv list has all")
    console = Console(stderr=json_file == "-")

    isolation.one_thread()
    from arena_lab import checking, progress, report

    verdicts = []
    with _bar(console) as bar:
        step = bar.add_task(f"{section.number} {section.title}", total=len(exercises))
        for verdict in checking.run(section, exercises, solutions=solutions):
            verdicts.append(verdict)
            bar.advance(step)
    report.show(console, section, verdicts, every=every)
    if json_file:
        text = report.as_json(section, verdicts, solutions=solutions)
        if json_file == "-":
            sys.stdout.write(text)
        else:
            _write(Path(json_file), text)
    if not solutions:
        try:
            progress.store(section, verdicts)
        except LabError as error:
            console.print(f"Note: {error}", style="yellow")
    if not report.is_success(verdicts):
        raise Exit(code=1)


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, transient=True)


@command
def list_sections(section_number: str | None) -> None:
    """Print the sections, or the exercises of one with their minutes."""
    console = Console()
    table = Table(box=None, pad_edge=False)
    if section_number is None:
        for heading in ("section", "title", "exercises", "hours", ""):
            table.add_column(
                heading, justify="right" if heading in ("exercises", "hours") else "left"
            )
        due = classes.plan().due_text
        for section in catalogue.sections():
            counts = (str(len(section.exercises)), f"{section.hours:.1f}")
            table.add_row(section.number, section.title, *counts, due(section.number))
    else:
        for heading in ("exercise", "difficulty", "importance", "minutes", ""):
            table.add_column(heading)
        for exercise in catalogue.find_section(section_number).exercises:
            table.add_row(
                exercise.listed,
                "●" * exercise.difficulty + "○" * (5 - exercise.difficulty),
                "●" * exercise.importance + "○" * (5 - exercise.importance),
                str(exercise.minutes),
                "optional" if exercise.optional else "",
            )
    console.print(table)


@command
def progress() -> None:
    """Print a bar for each section, and the minutes spent on what was begun."""
    from arena_lab import progress as stored

    console = Console()
    table = Table(box=None, pad_edge=False, show_header=False)
    for section in catalogue.sections():
        verdicts = stored.read(section)
        required = [e for e in section.exercises if not e.optional]
        passed = sum(verdicts.get(e.name, {}).get("status") == "passed" for e in required)
        filled = round(20 * passed / max(len(required), 1))
        bar = f"[green]{'━' * filled}[/][dim]{'━' * (20 - filled)}[/]"
        spent = stored.minutes_spent(section)
        planned = sum(e.minutes for e in section.exercises if e.name in spent)
        time = f"{sum(spent.values()):.0f} of about {planned} minutes" if spent else ""
        due = classes.plan().due_text(section.number)
        table.add_row(section.number, section.title, bar, f"{passed} of {len(required)}", time, due)
    console.print(table)


@command
def starters(section_number: str | None, *, check: bool) -> None:
    """Write the starters where nobody has written in one; with `check` only compare."""
    from arena_lab.checking import require_file
    from arena_lab.starters import is_untouched, remember, starter, write

    chosen = [catalogue.find_section(section_number)] if section_number else catalogue.sections()
    stale = []
    for section in chosen:
        name = str(section.answers.relative_to(ROOT))
        text = starter(section)
        if exists := section.answers.exists():
            require_file(section, section.answers)
            if read_source(section.answers) == text:
                remember(section)
                continue
        stale.append(name)
        if check:
            continue
        if exists and not is_untouched(section):
            left = f"{name} may hold what somebody wrote: left as it is"
            if section_number:
                raise LabError(f"{left}. Move it elsewhere for a new starter")
            print(left)
            continue
        kept = write(section, text)
        print(f"wrote {name}" + (f"; the old one is {short(kept)}" if kept else ""))
    if check and stale:
        raise Exit(f"out of date: {', '.join(stale)}. Run: ./inv starters", code=1)


@command
def translations(stamp: str | None) -> None:
    """Print what is wrong with the pages in other languages; those of `stamp` are now current."""
    from arena_lab.translations import differences, faults, paths_of, set_stamp

    found = catalogue.page_paths()
    if stamp:
        page = catalogue.find_section(stamp).page
        for translated in paths_of(page):
            if translated.is_file() and not differences(page, translated):
                set_stamp(translated, page)
    wrong = [fault.replace(f"{ROOT}/", "") for page in found for fault in faults(page)]
    if wrong:
        raise Exit("\n".join(wrong), code=1)
    print("Every page is there in every language.")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise LabError(f"{path} cannot be written: {error.strerror}") from None


@command
def watch(section_number: str | None) -> None:
    """Check on every save, until the learner quits."""
    chosen = [catalogue.find_section(section_number)] if section_number else catalogue.sections()
    isolation.one_thread()
    from arena_lab.watch import watch as run

    run(chosen, Console())


@command
def hint(name: str) -> None:
    """Print the next hint of an exercise."""
    from arena_lab import guide

    Console().print(guide.next_hint(*_find_anywhere(name)))


@command
def solution(name: str, *, now: bool) -> None:
    """Print our code of an exercise, after a try."""
    from arena_lab import guide

    Console().print(guide.solution(*_find_anywhere(name), now=now))


@command
def next_exercise(section_number: str | None) -> None:
    """Print where to go on."""
    from arena_lab import guide

    chosen = [catalogue.find_section(section_number)] if section_number else catalogue.sections()
    for section in chosen:
        exercise = guide.next_exercise(section)
        if exercise is not None and (section_number or not exercise.optional):
            Console().print(guide.pointer(section, exercise))
            return
    Console().print("Every exercise is passed.")


@command
def reset(name: str) -> None:
    """Put an exercise's stub back; the old file is kept."""
    from arena_lab import guide

    section, exercise = _find_anywhere(name)
    kept = guide.reset(section, exercise)
    copy = f"; the file before is {short(kept)}" if kept else ""
    print(f"{exercise.title} is as at the start{copy}")


@command
def update(source: str | None, *, check: bool) -> None:
    """Bring the course up to date, and say what came of each exercise."""
    from arena_lab.update import update as run

    done = run(ROOT, source, check=check)
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, merged in done.answers.items():
        for said, names in (
            ("is new", [n for n in merged.added if n not in merged.renamed]),
            ("has a new stub; it was not begun", merged.renewed),
            ("changed in the course; yours is kept, compare it with the page", merged.kept),
            ("is no longer in the course; what you wrote is kept", merged.gone),
            ("is no longer in the course; it was not begun", merged.removed),
        ):
            for exercise in names:
                table.add_row(Path(name).parent.name, exercise, said)
        for exercise, before in merged.renamed.items():
            table.add_row(Path(name).parent.name, exercise, f"is the new name of {before}")
    console = Console()
    console.print(table)
    what = "would change" if check else "brought up to date"
    print(f"{len(done.answers)} answers.py, {len(done.files)} other files {what}")
    for path in done.backups[:1]:
        print(f"{len(done.backups)} copies of what stood there: {path.parent.parent}")
    if done.merged_commits:
        print("Your branch has commits of its own: they and the course are joined by a new one")
    if done.files and not check and os.environ.get("ARENA_LAB_CONTAINER") == "1":
        print("Now start the lab on it, on your machine: ./inv down && ./inv up")


@command
def lock(*, upgrade: bool) -> None:
    """Compile both locks."""
    from arena_lab.lock import compile_locks

    compile_locks(upgrade=upgrade)


@command
def sbom(path: Path, image_name: str | None) -> None:
    """Write the list of the image's packages."""
    from arena_lab import bundle
    from arena_lab.sbom import write

    name = image_name or bundle.image_name()
    print(f"{path}: {write(path, name)} packages of {name}")


@command
def audit() -> None:
    """Print what is known against the packages of the lock."""
    from arena_lab.audit import advisories

    table = Table("package", "advisory", "mended in", box=None, pad_edge=False)
    for row in advisories(ROOT / "requirements.txt"):
        table.add_row(*row)
    if table.rows:
        Console().print(table)
    print(f"{table.row_count} advisories about the packages of requirements.txt.")


def _find_anywhere(name: str) -> tuple[catalogue.Section, catalogue.Exercise]:
    """Find an exercise by any of its names; `0.4:Linear` where sections share a name."""
    number, _, short = name.rpartition(":")
    chosen = [catalogue.find_section(number)] if number else catalogue.sections()
    found = [(s, e) for s in chosen for e in s.exercises if short in e.names]
    if len(found) == 1:
        return found[0]
    if found:
        choices = " or ".join(f"{section.number}:{short}" for section, _ in found)
        raise LabError(f"{short} is in more than one section: say {choices}")
    names = [n for section in chosen for e in section.exercises for n in e.names]
    near = difflib.get_close_matches(short, names, n=3, cutoff=0.4)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise LabError(f"There is no exercise {short!r}.{hint} `./inv list --section 0.4` lists them")


@command
def notebooks(section_number: str | None, folder: Path, *, run: bool) -> None:
    """Write the notebooks of a section, or of all."""
    from arena_lab.notebooks import write

    chosen = [catalogue.find_section(section_number)] if section_number else catalogue.sections()
    for section in chosen:
        for path in write(section, folder, run=run):
            print(path, flush=True)


@command
def mutate(
    section_number: str | None,
    exercise_name: str | None,
    *,
    size: str | None,
    seed: str,
    workers: str,
) -> None:
    """Try mutants of the solutions; exit code 0 only if enough are killed in every section."""
    if exercise_name and not section_number:
        raise LabError("--exercise needs --section: which of them?")
    n_mutants = None if size is None else number(size, "sample", low=1)
    which, n_workers = number(seed, "seed", low=0), number(workers, "workers", low=1)
    isolation.one_thread()
    from arena_lab import mutants, mutation, report

    console = Console()
    chosen = [catalogue.find_section(section_number)] if section_number else catalogue.sections()
    scores = []
    for section in chosen:
        names = section.find(exercise_name).names if exercise_name else ()
        every = [m for m in mutants.of(section) if not names or m.name in names]
        some = every if n_mutants is None else mutants.sample(every, n_mutants, which)
        with _bar(console) as bar:
            step = bar.add_task(f"{section.number} {section.title}", total=len(some))
            tried = functools.partial(bar.advance, step)
            scores.append(mutation.score(section, some, workers=n_workers, tried=tried))
        report.show_survivors(console, scores[-1])
        if size is None and not exercise_name:
            print(f"wrote {mutation.write_score(scores[-1]).relative_to(ROOT)}")
    console.print(report.score_table(scores))
    if any(score.share < mutation.GOAL for score in scores):
        raise Exit(code=1)


@command
def grade(folder: Path, to: Path | None, tests: Path | None, options: dict[str, Any]) -> None:
    """Grade a folder of submissions; Ctrl-C keeps what is done, and exits with 130."""
    from arena_lab.grading import grade as grading

    console = Console()
    options["workers"] = number(options["workers"], "workers", low=0)
    options["memory"] = number(options["memory"], "memory", low=1)
    options["minutes"] = number(options["minutes"], "minutes", low=0.01, kind=float)
    to = to or folder.with_name(f"{folder.resolve().name}-grades")
    own = grading.read_tests(tests) if tests else ""
    try:
        files = grading.grade(console, folder, to, grading.Options(tests=own, **options))
    except KeyboardInterrupt:
        raise Exit("\nstopped; the same command goes on with what is left", code=130) from None
    for path in files:
        print(path)
