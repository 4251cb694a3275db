"""Watch answers: each save is checked at once, with the libraries already imported."""

import contextlib
import functools
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from arena_lab import checking, progress, report, trial
from arena_lab.answers import read_source
from arena_lab.catalogue import Exercise, Section
from arena_lab.checking import FAILED
from arena_lab.errors import LabError
from arena_lab.isolation import Spare
from arena_lab.loading import LeftOut
from arena_lab.uses import Script

_KEYS = {"a": "check all", "n": "next", "h": "hint", "s": "solution", "q": "quit"}
_POLL_MS = 50


class Watch:
    """Checks what a save concerns, and answers keys."""

    def __init__(self, section: Section, console: Console) -> None:
        self.section = section
        self.console = console
        self._seen: tuple[int, ...] = ()
        self._script = self._read()
        self._unchecked: list[Exercise] = []
        self._unloaded: set[str] = set()  # nobody knows what mends these: each save may
        self._left_out = LeftOut()
        self._current = next(iter(section.exercises), None)
        self._spare: Spare | None = None

    def prepare(self) -> None:
        """Import what checks need, and fork a child ahead of the next save."""
        checking.prepare(self.section)
        if self._current and (self._spare is None or self._spare.is_taken):
            self._spare = checking.ahead(self.section, self._current)

    def close(self) -> None:
        """End the child that waits for the next save."""
        if self._spare:
            self._spare.close()

    def is_behind(self) -> bool:
        """Whether the file is another than the one read last: some mounts tell of no save."""
        return self._state() not in (self._seen, ())

    def saved(self) -> list[checking.Verdict]:
        """Check the exercises that the newest save concerns, and give their verdicts.

        What was written comes first, then what uses it. The next save ends what still runs; what
        it does not concern itself is checked after it.
        """
        script = self._read()
        if script is None:  # the check says why
            return self.check([self._current] if self._current else [])
        written, others = self._concerned(script)
        self._script, self._unchecked = script, others
        self._current = next(iter(written), self._current)
        verdicts = self.check(written)
        if self._state() == self._seen:
            verdicts += self.check(others, explain=all(v.status != FAILED for v in verdicts))
        with contextlib.suppress(LabError, OSError):  # the next save does without
            self.prepare()
        return verdicts

    def check(self, exercises: list[Exercise], *, explain: bool = True) -> list[checking.Verdict]:
        """Check exercises, print each verdict as it comes, explain the first failure."""
        verdicts = []
        self._unchecked = [*exercises, *(e for e in self._unchecked if e not in exercises)]
        try:
            for verdict in self._run(exercises) if exercises else ():
                verdicts.append(verdict)
                self._unchecked = [e for e in self._unchecked if e.name != verdict.name]
                self._unloaded -= {*verdict.names}
                self._unloaded.update(verdict.names if _did_not_load(verdict) else ())
        except LabError as error:
            self.console.print(Text(str(error), "red"))
            return []
        failed = next((v for v in verdicts if v.status == FAILED and v.failure), None)
        if explain and failed and failed.failure:
            self.console.print()
            self.console.print(report.explanation(self.section, failed, failed.failure))
            self.console.print()
            self._current = self.section.find(failed.name)
        for note in report.notes(verdicts):
            self.console.print(Text(f"Note: {note}", "yellow"))
        if verdicts:  # to store none would begin the learner's time anew
            with contextlib.suppress(LabError):
                progress.store(self.section, verdicts)
        return verdicts

    def key(self, key: str) -> bool:
        """Do what a key asks for; tell whether to go on."""
        if key == "q":
            return False
        try:
            self._do(key)
        except LabError as error:
            self.console.print(Text(str(error), "yellow"))
        return True

    def _do(self, key: str) -> None:
        from arena_lab import guide

        if key == "a":
            self._left_out = LeftOut()
            self.console.print(report.summary(self.check(list(self.section.exercises))))
        elif key == "n":
            self._current = guide.next_exercise(self.section)
            if self._current:
                self.console.print(guide.pointer(self.section, self._current))
            else:
                self.console.print(f"All of {self.section.number} is passed.")
        elif key in "hs" and self._current:
            show = guide.next_hint if key == "h" else guide.solution
            self.console.print(show(self.section, self._current))

    def _read(self) -> Script | None:
        # An editor may save by replacing: for a moment the file is gone or empty.
        for _ in range(20):
            self._seen = self._state()
            try:
                text = read_source(self.section.answers)
            except (OSError, SyntaxError):
                text = ""
            if text:
                return Script(text)
            time.sleep(0.01)
        return None

    def _state(self) -> tuple[int, ...]:
        try:
            found = self.section.answers.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _run(self, exercises: list[Exercise]) -> Iterator[checking.Verdict]:
        return checking.run(
            self.section,
            exercises,
            interrupted=lambda: self._state() != self._seen,
            at_once=self._print,
            spare=self._spare,
            left_out=self._left_out,
        )

    def _concerned(self, script: Script) -> tuple[list[Exercise], list[Exercise]]:
        """Give the exercises that were changed since the last save, and those that use them."""
        if self._script is None:
            return list(self.section.exercises), []
        changed = script.changed_since(self._script)
        users = script.users(changed | self._unloaded)
        written, others = [], []
        for e in self.section.exercises:
            if not changed.isdisjoint(e.names):
                written.append(e)
            elif e in self._unchecked or not users.isdisjoint(self._taken[e.name]):
                others.append(e)
        return written, others

    @functools.cached_property
    def _taken(self) -> dict[str, set[str]]:
        """What the tests of each exercise take, and the exercise's own names."""
        taken = {e.name: {*e.names} for e in self.section.exercises}
        for check in checking.find_checks(self.section):
            taken[check.exercise.name].update(check.parameters)
        return taken

    def _print(self, verdict: checking.Verdict) -> None:
        mark, title, status, message = report.row(verdict)
        seconds = sum(test.seconds for test in verdict.tests)
        self.console.print(
            Text.assemble(mark, " ", title, "  ", status, f"  {1000 * seconds:.0f} ms  ", message)
        )


def _did_not_load(verdict: checking.Verdict) -> bool:
    said = verdict.failure.sentence if verdict.failure else ""
    return trial.UNLOADED in said or trial.NEEDS_UNLOADED in said


def watch(sections: Sequence[Section], console: Console) -> None:
    """Watch until the learner presses q or Ctrl-C; the keys are about the section saved last."""
    import watchfiles

    watchers = {str(s.answers): Watch(s, console) for s in sections if s.folder.is_dir()}
    current = watchers[str(_saved_last(sections).answers)]
    current.prepare()  # another is prepared with its first save
    keys = ", ".join(f"{key} {meaning}" for key, meaning in _KEYS.items())
    console.print(f"Watching {_what(sections)}. Keys: {keys}", style="dim", highlight=False)
    with _single_keys() as pressed, contextlib.ExitStack() as cleanup:
        for watcher in watchers.values():
            cleanup.callback(watcher.close)
        for changes in watchfiles.watch(
            *(s.folder for s in sections if s.folder.is_dir()),
            watch_filter=lambda _, path: path in watchers,
            debounce=10,
            step=1,
            rust_timeout=_POLL_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=False,
        ):
            told = {path for _, path in changes}
            for path in (p for p, w in watchers.items() if p in told or w.is_behind()):
                current = watchers[path]
                if len(sections) > 1:
                    console.print(f"{current.section.number} {current.section.title}", style="dim")
                current.saved()
            for key in pressed():
                if not current.key(key):
                    return


def _what(sections: Sequence[Section]) -> str:
    numbers = ", ".join(section.number for section in sections)
    return f"{sections[0].answers.name} of {numbers}"


def _saved_last(sections: Sequence[Section]) -> Section:
    there = [section for section in sections if section.answers.exists()]
    return max(there or sections, key=lambda s: s.answers.stat().st_mtime if there else 0)


@contextlib.contextmanager
def _single_keys() -> Iterator[Callable[[], str]]:
    """Give a function that returns the keys pressed since its last call, without Enter."""
    if not sys.stdin.isatty():
        yield lambda: ""
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed() -> str:
        found = ""
        while select.select([descriptor], [], [], 0)[0]:
            found += os.read(descriptor, 64).decode(errors="ignore")
        return found

    try:
        tty.setcbreak(descriptor)
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
