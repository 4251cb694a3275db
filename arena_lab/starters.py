"""Make a section's `answers.py`: its solutions with what the learner writes cut out."""

import contextlib
import importlib
import inspect
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from arena_lab.answers import encoded_like
from arena_lab.catalogue import Exercise, Section, make_importable
from arena_lab.cells import BEGIN, END, Cell, split
from arena_lab.errors import LabError
from arena_lab.paths import STATE, write_atomically


@dataclass(frozen=True)
class Calls:
    """The calls of an exercise's tests, as they stand under it."""

    lines: tuple[str, ...]
    takes: frozenset[str]

    @property
    def text(self) -> str:
        """A cell that runs them when the script itself is run."""
        return "# %%\nif MAIN:\n" + "".join(f"    {line}\n" for line in self.lines)


def starter(section: Section) -> str:
    """Give the text of the section's starter, the same for the same sources.

    Raises:
        LabError: The markers of a solution do not alternate, or a test names no exercise.
    """
    parts = []
    for piece in pieces(section):
        if isinstance(piece, Exercise):
            parts.append(_announcement(section, piece))
        elif isinstance(piece, Calls):
            parts.append(piece.text)
        else:
            parts.append(cut(piece.text, section.solutions, piece.line))
    return "".join(part.rstrip("\n") + "\n\n" for part in parts).rstrip("\n") + "\n"


def pieces(section: Section) -> Iterator[Exercise | Cell | Calls]:
    """Give the cells of the solutions in their order, exercises before what the learner writes.

    The calls of an exercise's tests come after the last cell of it, and after all that they take.

    Raises:
        LabError: A test names no exercise.
    """
    tests = _tests_of(section)
    waiting = {name: exercise for exercise in section.exercises for name in exercise.names}
    announced: set[str] = set()
    defined: set[str] = set()
    due: list[Calls] = []
    for cell in split(section.solutions.read_text(encoding="utf-8")):
        here = [waiting[name] for name in _written_names(cell) if name in waiting]
        for exercise in dict.fromkeys(here):
            if exercise.name not in announced:
                announced.add(exercise.name)
                yield exercise
        yield cell
        defined.update(cell.names)
        for exercise in dict.fromkeys(here):
            for name in exercise.names:
                if name in cell.names:
                    waiting.pop(name)
            if not any(name in waiting for name in exercise.names) and exercise.name in tests:
                due.append(tests[exercise.name])
        yield from (calls for calls in due if calls.takes <= defined)
        due = [calls for calls in due if not calls.takes <= defined]


def cut(text: str, path: Path, line: int = 1) -> str:
    """Replace each solution region of `text` by a stub."""
    kept: list[str] = []
    indent: str | None = None
    for number, row in enumerate(text.splitlines(), start=line):
        marker = row.strip()
        if marker == BEGIN:
            if indent is not None:
                raise LabError(f"{path}:{number}: a solution begins inside another")
            indent = row[: len(row) - len(row.lstrip())]
            within = kept[-1].rstrip().endswith(("(", "[", "{")) if kept else False
            stub = "raise NotImplementedError()" if indent and not within else "# Your code here"
            kept.append(indent + stub)
        elif marker == END:
            if indent is None:
                raise LabError(f"{path}:{number}: a solution ends that did not begin")
            indent = None
        elif indent is None:
            kept.append(row)
    if indent is not None:
        raise LabError(f"{path}:{line}: a solution in this cell has no {END}")
    return "\n".join(kept) + "\n"


def without_markers(text: str) -> str:
    """Give solutions as plain code."""
    return "".join(r for r in text.splitlines(keepends=True) if r.strip() not in (BEGIN, END))


def replace_answers(path: Path, text: str) -> Path | None:
    """Write a new `answers.py`; give the path of the copy kept of the old one, if there was one.

    Raises:
        LabError: A file cannot be written; the answers are as they were.
    """
    try:
        if not path.exists():
            write_atomically(path, text)
            return None
        before = path.read_bytes()
        content = encoded_like(before, text)
        kept = keep(before, STATE / "backups" / path.parent.name, path.name)
        write_atomically(path, content)
    except OSError as error:
        raise LabError(f"{error.filename or path} cannot be written: {error.strerror}") from None
    except UnicodeEncodeError as error:
        raise LabError(f"{path} cannot hold the new text in {error.encoding}") from None
    return kept


def write(section: Section, text: str) -> Path | None:
    """Write a section's starter as `replace_answers` does, and know it again."""
    kept = replace_answers(section.answers, text)
    remember(section)
    return kept


def remember(section: Section) -> None:
    """Keep what stands in `answers.py` as a starter."""
    record = _record(section)
    with contextlib.suppress(OSError):  # then a newer one is not written over it
        record.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(record, section.answers.read_bytes())


def is_untouched(section: Section) -> bool:
    """Whether `answers.py` is to the byte a starter that was kept."""
    record = _record(section)
    return record.exists() and record.read_bytes() == section.answers.read_bytes()


def _record(section: Section) -> Path:
    return STATE / "starters" / section.package / section.answers.name


def keep(content: bytes, folder: Path, name: str) -> Path:
    """Write a copy under the time of day, and never over another copy."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = time.strftime("%Y-%m-%d_%H-%M-%S")
    names = (f"{stem}{f'_{n}' if n else ''}_{name}" for n in itertools.count())
    copy = next(path for path in map(folder.joinpath, names) if not path.exists())
    write_atomically(copy, content)
    return copy


def _written_names(cell: Cell) -> list[str]:
    """Give the names that a cell defines, if the learner writes a part of it."""
    return cell.names if BEGIN in cell.text else []


def _announcement(section: Section, exercise: Exercise) -> str:
    dots = f"difficulty {exercise.difficulty}/5, importance {exercise.importance}/5"
    optional = ", optional" if exercise.optional else ""
    return (
        "# %% [markdown]\n"
        f"# ### {exercise.title}\n"
        "#\n"
        f"# {section.number} · {exercise.subpage} · {dots}, about {exercise.minutes} "
        f"minutes{optional}\n"
    )


def _tests_of(section: Section) -> dict[str, Calls]:
    """Give the calls of each exercise's tests, by the exercise's name."""
    make_importable(section)
    module = importlib.import_module(f"{section.package}.tests")
    tests: dict[str, Calls] = {}
    for name, function in vars(module).items():
        info = getattr(function, "check_info", None)
        if info is None:
            continue
        exercise = section.find(info.exercise)
        parameters = inspect.signature(function).parameters.values()
        takes = [p.name for p in parameters if p.default is p.empty]
        before = tests.get(exercise.name, Calls((), frozenset()))
        line = f"tests.{name}({', '.join(takes)})"
        tests[exercise.name] = Calls((*before.lines, line), before.takes.union(takes))
    return tests
