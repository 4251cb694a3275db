"""A percent-format script as cells: where each starts, and what it defines."""

import ast
import functools
import re
from dataclasses import dataclass

BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"

_BY_HAND = ("MAIN", "__name__ == '__main__'")

_CELL = re.compile(r"^# %%")
_DEFINITION = re.compile(r"^(?:(?:async )?def|class) +(\w+)|^(\w+)(?: *:[^=\n]+)? *=(?!=)", re.M)


@dataclass(frozen=True)
class Cell:
    """One cell with its marker line; `line` is the marker's number in the file."""

    text: str
    line: int

    @property
    def is_markdown(self) -> bool:
        """Whether the cell holds prose."""
        return self.text.startswith(("# %% [markdown]", "# %% [md]"))

    @property
    def names(self) -> list[str]:
        """What the cell defines at its top level; also told where it does not compile."""
        return [a or b for a, b in _DEFINITION.findall(self.text)]


@functools.lru_cache(maxsize=16)
def split(text: str) -> tuple[Cell, ...]:
    """Cut a script at its `# %%` lines; what stands before the first is a cell of its own."""
    # Not splitlines: Python's line numbers know only line feeds.
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    starts = [i for i, line in enumerate(lines) if _CELL.match(line)]
    if not starts or starts[0] != 0:
        starts.insert(0, 0)
    ends = [*starts[1:], len(lines)]
    pairs = zip(starts, ends, strict=True)
    return tuple(Cell("".join(lines[a:b]), a + 1) for a, b in pairs if b > a)


@dataclass(frozen=True)
class Statement:
    """One statement at a script's top level.

    `names` is what it defines; `shape` is what it does, without comments, layout, docstrings and
    annotations; `uses` is every name that it mentions, attributes too: `x.log()` may end in `log`.
    """

    names: tuple[str, ...]
    shape: str
    uses: frozenset[str]
    source: str
    first: int
    last: int
    kind: type[ast.stmt]
    is_call: bool  # a call, or a variable that holds what a call gave
    is_by_hand: bool  # runs only where the script itself is run


@functools.lru_cache(maxsize=4096)
def statements(text: str) -> tuple[Statement, ...]:
    """Parse a script or a cell; lines count from 1. A text is parsed once.

    Raises:
        SyntaxError: It does not compile.
    """
    lines = text.split("\n")
    return tuple(_statement(node, lines) for node in ast.parse(text).body)


def definitions(text: str) -> dict[str, Statement]:
    """Give what a script defines at its top level, by name.

    Raises:
        SyntaxError: The script does not compile.
    """
    return {name: statement for statement in statements(text) for name in statement.names}


def defined_names(node: ast.stmt) -> list[str]:
    """Give the names that one statement defines at its level."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _statement(node: ast.stmt, lines: list[str]) -> Statement:
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    last = node.end_lineno or node.lineno
    is_guarded = isinstance(node, ast.If) and ast.unparse(node.test) in _BY_HAND
    _strip(node)
    nodes = list(ast.walk(node))
    uses = {n.id for n in nodes if isinstance(n, ast.Name)}
    uses |= {n.attr for n in nodes if isinstance(n, ast.Attribute)}
    return Statement(
        names=tuple(defined_names(node)),
        shape=ast.dump(node),
        uses=frozenset(uses),
        source="\n".join(lines[first - 1 : last]),
        first=first,
        last=last,
        kind=type(node),
        is_call=isinstance(getattr(node, "value", None), ast.Call),
        is_by_hand=is_guarded and not getattr(node, "orelse", None),
    )


def _strip(node: ast.stmt) -> None:
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            inner.returns = None
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and (
            ast.get_docstring(inner, clean=False) is not None
        ):
            inner.body = inner.body[1:]
        if isinstance(inner, ast.arg):
            inner.annotation = None
