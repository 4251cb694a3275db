"""Find the submissions in a folder: whose each is, of which section, and what is wrong with it.

A learner is a folder (with `answers.py` in the folders of the sections, anywhere below, or a lone
file) or a file `NAME.py` or `NAME.ipynb`. Whatever is odd costs its own submission alone.
"""

import ast
import contextlib
import os
import stat
import symtable
import time
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from arena_lab import cells
from arena_lab.answers import decoded
from arena_lab.catalogue import Section
from arena_lab.errors import LabError

# Of a checkout that was handed in whole, these are no answers.
_SKIPPED = {"__MACOSX", "__pycache__", "node_modules"}
_OURS = {"solutions.py", "tests.py", "utils.py", "__init__.py"}
_ENGINE = "arena_lab"  # as a package: a checkout, too, may be called so
_SUFFIXES = {".py", ".ipynb"}

_NOTEBOOK_LIMIT, _TEXT_LIMIT = 64 << 20, 2 << 20
_LINK = "is a link to elsewhere: hand in the file itself"


class _OtherSection(Exception):
    """A file is of a section that is not graded now."""


@dataclass(frozen=True)
class Submission:
    """One learner's answers of one section; with a `problem` they cannot be graded.

    `note` says what is odd with answers that are graded all the same; `saved` is when the file was
    last changed, in seconds since 1970.
    """

    learner: str
    path: Path
    section: str = ""
    text: bytes = b""
    problem: str = ""
    note: str = ""
    saved: float = 0.0


@dataclass(frozen=True)
class _Course:
    """All sections, by which a file is known, and those of them that are graded."""

    sections: Sequence[Section]
    chosen: frozenset[str]

    @property
    def wanted(self) -> str:
        return ", ".join(sorted(self.chosen))


def collect(folder: Path, sections: Sequence[Section], chosen: Iterable[str]) -> list[Submission]:
    """Give every submission of the chosen sections, in the order of the learners' names.

    Raises:
        LabError: The folder cannot be read, or there is nothing in it.
    """
    course = _Course(sections, frozenset(chosen))
    try:
        entries = sorted(folder.iterdir(), key=lambda path: (path.name.casefold(), path.name))
    except OSError as error:
        raise LabError(f"{folder} cannot be read: {error.strerror}") from None
    found = [submission for path in entries for submission in _of_learner(path, course)]
    if not found:
        raise LabError(
            f"{folder} holds no submissions: a folder for each learner, or NAME.py or NAME.ipynb"
        )
    if len(course.chosen) == 1:
        found = [replace(submission, section=min(course.chosen)) for submission in found]
    return list(_without_doubles(found, folder))


def _of_learner(path: Path, course: _Course) -> Iterator[Submission]:
    name = _shown(path.name)
    if path.name.startswith(".") or path.name in _SKIPPED:
        return
    if path.is_symlink():
        yield Submission(name, path, problem=_LINK)
    elif path.is_dir():
        yield from _of_folder(name, path, course)
    elif path.suffix in _SUFFIXES:
        try:
            yield _read(_shown(path.stem), path, course)
        except _OtherSection as other:
            problem = f"is of {other}, not of {course.wanted}"
            yield Submission(_shown(path.stem), path, problem=problem)


def _shown(name: str) -> str:
    """Give a name that can be written: in one form of Unicode, and with no stray bytes."""
    return unicodedata.normalize("NFC", name).encode("utf-8", "replace").decode()


def _of_folder(name: str, folder: Path, course: _Course) -> Iterator[Submission]:
    files = sorted(_files_below(folder))
    answers = [file for file in files if file.name == "answers.py"]
    read = []
    for file in answers or files:
        with contextlib.suppress(_OtherSection):
            read.append(_read(name, file, course))
    # Beside a lone file there may be others, which are nobody's answers.
    good = [submission for submission in read if not submission.problem]
    if read:
        yield from read if answers else good or read[:1]
    else:
        yield Submission(name, folder, problem=f"holds no answers of {course.wanted}")


def _files_below(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        if Path(where).name == _ENGINE and "__init__.py" in files:
            folders.clear()
            continue
        folders[:] = [f for f in folders if not f.startswith(".") and f not in _SKIPPED]
        for name in files:
            path = Path(where, name)
            if path.suffix in _SUFFIXES and name not in _OURS and not name.startswith("."):
                yield path


def _read(learner: str, path: Path, course: _Course) -> Submission:
    """Read one file; nothing that it holds is run.

    Raises:
        _OtherSection: It is of a section that is not to be graded.
    """
    found = Submission(learner, path)
    try:
        data, found = _bytes_of(path), replace(found, saved=_saved(path))
        if path.suffix == ".ipynb":
            data = _script_of(data)
        if len(data) > _TEXT_LIMIT:
            raise LabError(f"is longer than {_TEXT_LIMIT >> 20} MB")
        text = _text_of(data)
        section = _section_of(path, text, course)
    except LabError as problem:
        return replace(found, problem=str(problem))
    if path.suffix == ".ipynb":
        data = _without_runs(text, section).encode("utf-8", "surrogateescape")
    return replace(found, section=section.number, text=data, note=_note_on(text))


def _saved(path: Path) -> float:
    # A file can claim any time; none is before 1970 or still to come.
    return max(0.0, min(path.lstat().st_mtime, time.time()))


def _bytes_of(path: Path) -> bytes:
    try:
        # Not through a link, and without waiting for the other end of a pipe.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise LabError("is no ordinary file")
            if status.st_size > _NOTEBOOK_LIMIT:
                raise LabError(f"is larger than {_NOTEBOOK_LIMIT >> 20} MB")
            return file.read(_NOTEBOOK_LIMIT)
    except OSError as error:
        if path.is_symlink():
            raise LabError(_LINK) from None
        raise LabError(f"cannot be read: {error.strerror}") from None


def _script_of(notebook: bytes) -> bytes:
    import jupytext

    try:
        with warnings.catch_warnings(action="ignore"):
            read = jupytext.reads(notebook.decode("utf-8"), fmt="ipynb")
            script = jupytext.writes(read, fmt="py:percent")
    except Exception as error:  # whatever a broken notebook does to its reader
        raise LabError(f"is no notebook: {type(error).__name__}") from None
    return script.encode("utf-8", "surrogateescape")


def _text_of(data: bytes) -> str:
    try:
        return decoded(data)
    except SyntaxError as error:
        raise LabError(f"is no text in UTF-8: {error.msg}") from None


def _section_of(path: Path, text: str, course: _Course) -> Section:
    """Tell the section by the folder, else by what the file defines.

    Raises:
        LabError: It is none, or could be more than one.
        _OtherSection: It is none of those that are graded.
    """
    likely = [s for s in course.sections if s.package == path.parent.name]
    if not likely:
        defined = {name for cell in cells.split(text) for name in cell.names}
        shares = {s.number: _share(defined, s) for s in course.sections}
        likely = [s for s in course.sections if 0 < shares[s.number] == max(shares.values())]
    if not likely:
        raise LabError("defines no exercise of any section")
    chosen = [section for section in likely if section.number in course.chosen]
    if not chosen:
        raise _OtherSection(" or ".join(section.number for section in likely))
    if len(chosen) > 1:
        raise LabError(f"may be of {' or '.join(s.number for s in chosen)}: say --section")
    return chosen[0]


def _share(defined: set[str], section: Section) -> float:
    names = {name for exercise in section.exercises for name in exercise.names}
    return len(names & defined) / max(len(names), 1)


def _without_runs(text: str, section: Section) -> str:
    """Leave out of a notebook what only runs: its tests and trainings would run with each load.

    What a function takes from elsewhere stays, and what changes a thing that stays.
    """
    solved = cells.split(section.solutions.read_text("utf-8"))
    wanted, made = {name for cell in solved for name in cell.names}, set[str]()
    left = [_Code.of(cell) for cell in cells.split(text)]
    kept: list[_Code] = []
    while more := [c for c in left if c.is_kept or c.binds & wanted or c.changes & made]:
        kept += more
        left = [code for code in left if code not in more]
        wanted = wanted.union(*(code.asks_for for code in more))
        made = made.union(*(code.binds for code in more))
    return "\n".join(c.cell.text for c in sorted(kept, key=lambda code: code.cell.line))


@dataclass(frozen=True)
class _Code:
    """A cell, and the names by which it hangs together with others."""

    cell: cells.Cell
    is_kept: bool
    binds: Set[str] = frozenset()
    changes: Set[str] = frozenset()
    asks_for: Set[str] = frozenset()

    @classmethod
    def of(cls, cell: cells.Cell) -> "_Code":
        try:
            body = ast.parse(cell.text).body
            table = symtable.symtable(cell.text, "answers", "exec")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return cls(cell, is_kept=True)  # its own fault is to be told
        defines = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
        symbols = table.get_symbols()
        return cls(
            cell,
            is_kept=any(isinstance(node, defines) for node in body),
            binds={s.get_name() for s in symbols if s.is_assigned() or s.is_imported()},
            changes=set(_changed(body)),
            asks_for=set(_asked_for(table)),
        )


def _changed(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Give the names that stand in front where an attribute or an element is set."""
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            inner = target
            while isinstance(inner, ast.Attribute | ast.Subscript):
                inner = inner.value
            if inner is not target and isinstance(inner, ast.Name):
                yield inner.id


def _asked_for(table: symtable.SymbolTable) -> Iterator[str]:
    """Give what a cell, or a function in it, takes from outside of all functions."""
    is_cell = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (is_cell or symbol.is_global()):
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _asked_for(inner)


def _note_on(text: str) -> str:
    """Say which cell does not compile; the exercises of the others are graded."""
    for cell in cells.split(text):
        try:
            ast.parse("\n" * (cell.line - 1) + cell.text)
        except SyntaxError as error:
            return f"line {error.lineno} does not compile: {error.msg}"
        except (ValueError, RecursionError, MemoryError) as error:
            what = "a byte that is not UTF-8" if isinstance(error, UnicodeError) else str(error)
            return f"the cell at line {cell.line} does not compile: {what}"
    return ""


def _without_doubles(found: Iterable[Submission], folder: Path) -> Iterator[Submission]:
    """Refuse to choose between two files of one learner for one section."""
    groups: dict[tuple[str, str], list[Submission]] = defaultdict(list)
    for submission in found:
        groups[submission.learner, submission.section].append(submission)
    for (learner, section), group in groups.items():
        if len(group) == 1 or not section:
            yield from group
        else:
            paths = ", ".join(str(each.path.relative_to(folder)) for each in group)
            problem = f"is there more than once, leave one: {paths}"
            yield Submission(learner, group[0].path, section, problem=problem)
