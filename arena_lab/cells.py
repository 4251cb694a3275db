"""A percent-format script as cells: where each starts, and what it defines."""

import ast
import re
from dataclasses import dataclass

BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"

_CELL = re.compile(r"^# %%")
_DEFINITION = re.compile(r"^(?:(?:async )?def|class) +(\w+)|^(\w+)(?: *:[^=]+)? *=(?!=)", re.M)


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


def split(text: str) -> list[Cell]:
    """Cut a script at its `# %%` lines; what stands before the first is a cell of its own."""
    lines = text.splitlines(keepends=True)
    starts = [i for i, line in enumerate(lines) if _CELL.match(line)]
    if not starts or starts[0] != 0:
        starts.insert(0, 0)
    ends = [*starts[1:], len(lines)]
    return [Cell("".join(lines[a:b]), a + 1) for a, b in zip(starts, ends, strict=True) if b > a]


@dataclass(frozen=True)
class Definition:
    """A function, class or value at the top level of a script."""

    name: str
    source: str
    first: int
    last: int


def definitions(text: str) -> dict[str, Definition]:
    """Give what a script defines at its top level, by name, with its lines and decorators.

    Raises:
        SyntaxError: The script does not compile.
    """
    lines = text.splitlines()
    found = {}
    for node in ast.parse(text).body:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        source = "\n".join(lines[first - 1 : node.end_lineno])
        for name in defined_names(node):
            found[name] = Definition(name, source, first, node.end_lineno or first)
    return found


def defined_names(node: ast.stmt) -> list[str]:
    """Give the names that one statement defines at its level."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []
