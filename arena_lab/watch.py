"""Watch answers: each save is checked at once, with the libraries already imported."""

import contextlib
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from arena_lab import checking, progress, report
from arena_lab.answers import read_source
from arena_lab.catalogue import Exercise, Section
from arena_lab.errors import LabError
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
        self._current = section.exercises[0] if section.exercises else None

    def saved(self) -> list[checking.Verdict]:
        """Check the exercises that the newest save concerns, and give their verdicts.

        The next save ends what still runs; what it does not concern itself is checked after it.
        """
        script = self._read()
        changed = script.changed_since(self._script) if script and self._script else None
        if script is None:
            return []
        concerned = [
            e
            for e in self.section.exercises
            if e in self._unchecked or self._concerns(script, e, changed)
        ]
        # What was written first, then what uses it.
        concerned.sort(key=lambda e: changed is not None and not changed & {*e.names})
        self._script = script
        return self.check(concerned) if concerned else []

    def check(self, exercises: list[Exercise]) -> list[checking.Verdict]:
        """Check exercises, print each verdict as it comes, explain the first failure."""
        verdicts = []
        try:
            for verdict in checking.run(
                self.section, exercises, interrupted=lambda: self._state() != self._seen
            ):
                verdicts.append(verdict)
                if verdict.status != checking.NOT_STARTED:
                    self._print(verdict)
        except LabError as error:
            self.console.print(Text(str(error), "red"))
            return []
        self._unchecked = exercises[len(verdicts) :]
        failed = next((v for v in verdicts if v.status == checking.FAILED and v.failure), None)
        if failed and failed.failure:
            self.console.print()
            self.console.print(report.explanation(self.section, failed, failed.failure))
            self._current = self.section.find(failed.name)
        for note in report.notes(verdicts):
            self.console.print(Text(f"Note: {note}", "yellow"))
        with contextlib.suppress(LabError):
            progress.store(self.section, verdicts)
        return verdicts

    def key(self, key: str) -> bool:
        """Do what a key asks for; tell whether to go on."""
        from arena_lab import guide

        if key == "q":
            return False
        if key == "a":
            self.check(list(self.section.exercises))
        elif key == "n":
            self._current = guide.next_exercise(self.section)
            if self._current:
                self.console.print(guide.pointer(self.section, self._current))
            else:
                self.console.print(f"All of {self.section.number} is passed.")
        elif key in "hs" and self._current:
            show = guide.next_hint if key == "h" else guide.solution
            try:
                self.console.print(show(self.section, self._current))
            except LabError as error:
                self.console.print(Text(str(error), "yellow"))
        return True

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

    def _concerns(self, script: Script, exercise: Exercise, changed: set[str] | None) -> bool:
        if changed is None:
            return True
        taken = {
            name
            for check in checking.find_checks(self.section)
            if check.exercise == exercise
            for name in check.parameters
        }
        return bool(changed & script.reach({*exercise.names, *taken}))

    def _print(self, verdict: checking.Verdict) -> None:
        mark, title, status, message = report.row(verdict)
        seconds = sum(test.seconds for test in verdict.tests)
        self.console.print(
            Text.assemble(mark, " ", title, "  ", status, f"  {1000 * seconds:.0f} ms  ", message)
        )


def watch(sections: Sequence[Section], console: Console) -> None:
    """Watch until the learner presses q or Ctrl-C; the keys are about the section saved last."""
    import watchfiles

    newest = _saved_last(sections)
    checking.prepare(newest)  # another is prepared with its first save
    watchers = {str(s.answers): Watch(s, console) for s in sections if s.folder.is_dir()}
    current = watchers[str(newest.answers)]
    keys = ", ".join(f"{key} {meaning}" for key, meaning in _KEYS.items())
    console.print(f"Watching {_what(sections)}. Keys: {keys}", style="dim")
    with _single_keys() as pressed:
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
            for path in {path for _, path in changes}:
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
        while select.select([sys.stdin], [], [], 0)[0]:
            found += sys.stdin.read(1)
        return found

    try:
        tty.setcbreak(descriptor)
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
