"""Load a learner's file cell by cell: a broken cell costs what it defines, and nothing else."""

import __future__

import ast
import io
import linecache
import sys
import tokenize
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from arena_lab.cells import split


@dataclass(frozen=True)
class Broken:
    """A statement or cell that could not be run, and the names it would have defined."""

    names: tuple[str, ...]
    line: int
    error: BaseException


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

    Raises:
        SyntaxError: The bytes are not in the encoding that they should be in.
    """
    data = path.read_bytes()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    try:
        return io.IncrementalNewlineDecoder(None, translate=True).decode(data.decode(encoding))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SyntaxError(
            f"line {line} holds a byte that is not {encoding}; save the file as UTF-8"
        ) from None


def load(path: Path, module_name: str) -> Answers:
    """Run a script's cells one by one as the module `module_name`; broken ones are noted.

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
    flags = 0
    for cell in split(text):
        if cell.is_markdown:
            continue
        try:
            # A string, not a file: the line numbers must be those of the whole file.
            tree = ast.parse("\n" * (cell.line - 1) + cell.text, filename=str(path))
        except (SyntaxError, ValueError) as error:
            answers.broken.append(Broken(tuple(cell.names), cell.line, error))
            continue
        for statement in tree.body:
            flags |= _future_flags(statement)
            _run(statement, path, answers, flags)
    return answers


def _future_flags(statement: ast.stmt) -> int:
    if not isinstance(statement, ast.ImportFrom) or statement.module != "__future__":
        return 0
    features = (getattr(__future__, alias.name, None) for alias in statement.names)
    return sum(feature.compiler_flag for feature in features if feature)


def _run(statement: ast.stmt, path: Path, answers: Answers, flags: int) -> None:
    try:
        tree = ast.Module([statement], [])
        code = compile(tree, str(path), "exec", flags, dont_inherit=True)
        exec(code, answers.module.__dict__)
    except BaseException as error:  # a learner's cell may raise anything, SystemExit too
        names = tuple(
            node.name if isinstance(node, ast.FunctionDef | ast.ClassDef) else node.id
            for node in ast.walk(statement)
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
        )
        answers.broken.append(Broken(names, statement.lineno, error))
