"""What the site shows from a section's `solutions.py`: signatures and solutions."""

import ast
import functools
from dataclasses import dataclass
from pathlib import Path

from arena_lab.catalogue import Exercise, Section
from arena_lab.cells import BEGIN, END, definitions
from arena_lab.errors import LabError
from arena_lab.starters import cut


@dataclass(frozen=True)
class Code:
    """The code of one exercise: what is asked for, and what we wrote."""

    signature: str
    solution: str


def code_of(section: Section, exercise: Exercise) -> Code:
    """Give the code of an exercise; read once as long as `solutions.py` stays the same.

    Raises:
        LabError: The file is missing or broken, or does not define one of the names.
    """
    path = section.solutions
    try:
        stat = path.stat()
        return _code(path, exercise.names, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise LabError(f"{path}: {error.strerror}") from None
    except SyntaxError as error:
        raise LabError(f"{path}:{error.lineno}: {error.msg}") from None


@functools.lru_cache(maxsize=512)
def _code(path: Path, names: tuple[str, ...], mtime: int, size: int) -> Code:
    found = _definitions(path, mtime, size)
    for name in names:
        if name not in found:
            raise LabError(f"{path}: nothing here defines `{name}`, which the page asks for")
    sources = [found[name] for name in names]
    return Code(
        signature="\n\n".join(_signature(source, path) for source in sources),
        solution="\n\n".join(_solution(source) for source in sources),
    )


@functools.lru_cache(maxsize=8)
def _definitions(path: Path, _mtime: int, _size: int) -> dict[str, str]:
    text = path.read_text(encoding="utf-8")
    return {name: found.source for name, found in definitions(text).items()}


def _signature(source: str, path: Path) -> str:
    """Give a function up to its docstring; anything else as the starter has it."""
    node = ast.parse(source).body[0]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        last = node.body[0].lineno - 1
        if ast.get_docstring(node, clean=False) is not None:
            last = node.body[0].end_lineno or last
        while last > 1 and source.splitlines()[last - 1].strip().startswith("#"):
            last -= 1
        return "\n".join(source.splitlines()[:last])
    if source.count(BEGIN) > source.count(END):
        source += f"\n{END}"  # a comment after the last statement does not belong to it
    stub = cut(source, path).rstrip()
    return stub.replace("raise NotImplementedError()", "...").replace("# Your code here", "...")


def _solution(source: str) -> str:
    """Give the code without its markers, and a function without its docstring."""
    lines: list[str | None] = list(source.splitlines())
    node = ast.parse(source).body[0]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and len(node.body) > 1:
        first = node.body[0]
        if isinstance(first, ast.Expr) and ast.get_docstring(node) is not None:
            for i in range(first.lineno - 1, first.end_lineno or first.lineno):
                lines[i] = None
    return "\n".join(x for x in lines if x is not None and x.strip() not in (BEGIN, END))
