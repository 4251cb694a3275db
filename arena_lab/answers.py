"""Load a learner's file cell by cell: a broken cell costs what it defines, and nothing else."""

import __future__

import ast
import contextlib
import functools
import io
import linecache
import re
import signal
import sys
import tokenize
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType

from arena_lab.cells import Cell, defined_names, split

# What a statement at the top level may take.
LOADING_S = 2.0


@dataclass(frozen=True)
class Broken:
    """A statement or cell that could not be run, and the names it would have defined."""

    names: tuple[str, ...]
    line: int
    error: BaseException


class EndedProcess(Exception):
    """A statement was left out, for it has ended the process that ran it, or took too long."""


class TakesTooLong(TimeoutError):
    """A statement was ended that ran for too long."""


@dataclass
class Answers:
    """What a file defines, and what of it is broken."""

    module: ModuleType
    broken: list[Broken] = field(default_factory=list)

    def why_missing(self, name: str) -> Broken | None:
        """Give the broken cell that would have defined `name`, or None."""
        return next((b for b in self.broken if name in b.names), None)


def read_source(path: Path) -> str:
    """Read a script as Python does: encoding declaration, byte-order mark, any line ends.

    A byte that is not in the encoding becomes a lone surrogate: it spoils its own cell alone.

    Raises:
        SyntaxError: There is no such encoding, or the first lines are not in it.
    """
    return decoded(path.read_bytes())


def decoded(data: bytes) -> str:
    """Give the text of a script that was read, as `read_source` does.

    Raises:
        SyntaxError: There is no such encoding, or the first lines are not in it.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    text = data.decode(encoding, "surrogateescape")
    return io.IncrementalNewlineDecoder(None, translate=True).decode(text)


def encoded_like(before: bytes, text: str) -> bytes:
    """Give a script's new text with the encoding, byte-order mark and line ends it had before.

    Raises:
        UnicodeEncodeError: The encoding that the script declares cannot hold the text.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(before).readline)
    return text.replace("\n", "\r\n" if b"\r\n" in before else "\n").encode(
        encoding, "surrogateescape"
    )


@dataclass(frozen=True)
class Step:
    """One statement of a script, ready to run, or the error that it does not compile with."""

    names: tuple[str, ...]
    line: int
    code: CodeType | None
    error: Exception | None = None
    limit: float = 0.0  # seconds; none for what imports or defines

    def moved(self, lines: int) -> "Step":
        """Give the step as it is some lines further down."""
        code = self.code and _moved(self.code, lines)
        return Step(self.names, self.line + lines, code, self.error, self.limit)


def compiled(path: Path, text: str) -> list[Step]:
    """Compile a script statement by statement; compiling runs none of it."""
    steps: list[Step] = []
    flags = 0
    for cell in split(text):
        if not cell.is_markdown:
            new, flags = _compile_cell(path, cell, flags)
            steps += new
    return steps


# A save changes one cell: the others are compiled already, though their lines may have moved.
@functools.lru_cache(maxsize=2048)
def _compile_cell(path: Path, cell: Cell, flags: int) -> tuple[tuple[Step, ...], int]:
    steps, new_flags = _compile_at(path, Cell(cell.text, 1), flags)
    if any(step.error for step in steps):  # an error names a line of the whole file
        return _compile_at(path, cell, flags)
    return tuple(step.moved(cell.line - 1) for step in steps), new_flags


@functools.lru_cache(maxsize=2048)
def _compile_at(path: Path, cell: Cell, flags: int) -> tuple[tuple[Step, ...], int]:
    try:
        _require_decoded(cell)
        # Empty lines before it: the line numbers must be those of the whole file.
        body = ast.parse("\n" * (cell.line - 1) + cell.text, filename=str(path)).body
    except Exception as error:  # also ValueError for a null byte, MemoryError for deep nesting
        return (Step(tuple(cell.names), cell.line, None, error),), flags
    steps = []
    for node in body:
        flags |= _future_flags(node)
        steps.append(_step(node, path, flags))
    return tuple(steps), flags


def _moved(code: CodeType, lines: int) -> CodeType:
    inner = (_moved(c, lines) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_firstlineno=code.co_firstlineno + lines, co_consts=tuple(inner))


def _require_decoded(cell: Cell) -> None:
    stray = re.search("[\ud800-\udfff]", cell.text)
    if stray:
        line = cell.line + cell.text[: stray.start()].count("\n")
        raise SyntaxError(f"line {line} holds a byte that is not UTF-8; save the file as UTF-8")


def load(
    path: Path,
    module_name: str,
    *,
    left_out: Mapping[int, str] | None = None,
    reached: Callable[[int], None] = lambda line: None,
) -> Answers:
    """Run a script's statements one by one as the module `module_name`; broken ones are noted.

    Args:
        path: The script.
        module_name: What it is called in `sys.modules`.
        left_out: Lines of statements that are not run, and what they did to a process before.
        reached: Called with the line of each statement before it runs, and with 0 at the end.

    Raises:
        SyntaxError: The file cannot be read as text at all.
        OSError: The file is missing or may not be read.
    """
    text = read_source(path)
    module = ModuleType(module_name)
    module.__file__ = str(path)
    sys.modules[module_name] = module
    linecache.cache[str(path)] = (len(text), None, text.splitlines(keepends=True), str(path))
    answers = Answers(module)
    for step in compiled(path, text):
        try:
            reached(step.line)
            if step.error:
                raise step.error
            if left_out and step.line in left_out:
                raise EndedProcess(left_out[step.line])
            if step.code:
                with _within(step.limit) if step.limit else contextlib.nullcontext():
                    exec(step.code, module.__dict__)
        except BaseException as error:  # a learner's cell may raise anything, SystemExit too
            answers.broken.append(Broken(step.names, step.line, error))
    reached(0)
    return answers


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    """End what takes longer: a cell that trains would cost each test of the file its time."""

    def end(*_: object) -> None:
        raise TakesTooLong(f"it runs longer than {seconds:g} s; put it under `if MAIN:`")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _step(node: ast.stmt, path: Path, flags: int) -> Step:
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and type(n.ctx) is ast.Store}
    names.update(defined_names(node))
    if isinstance(node, ast.Import | ast.ImportFrom):
        names.update((a.asname or a.name).partition(".")[0] for a in node.names)
    try:
        code = compile(ast.Module([node], []), str(path), "exec", flags, dont_inherit=True)
    except Exception as error:
        return Step(tuple(names), node.lineno, None, error)
    quick = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
    return Step(
        tuple(names), node.lineno, code, limit=0.0 if isinstance(node, quick) else LOADING_S
    )


def _future_flags(node: ast.stmt) -> int:
    if not isinstance(node, ast.ImportFrom) or node.module != "__future__":
        return 0
    features = (getattr(__future__, alias.name, None) for alias in node.names)
    return sum(feature.compiler_flag for feature in features if feature)
