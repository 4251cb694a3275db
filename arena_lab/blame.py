"""Which other exercises an answer uses: where one of them is wrong, the search begins there."""

import ast
import functools
from collections.abc import Iterable

from arena_lab import cells


def used(text: str, names: Iterable[str]) -> set[str]:
    """Give the functions and classes that some definitions of a script call by name.

    Through functions it goes on to what they call. A class is not looked into: it mentions what
    its other methods need.
    """
    definitions = _definitions(text)
    own, found, waiting = set(names), set[str](), list(names)
    while waiting:
        name = waiting.pop()
        is_class, mentioned = definitions.get(name, (False, frozenset()))
        if is_class and name not in own:
            continue
        new = (mentioned & definitions.keys()) - found - own
        waiting += new
        found |= new
    return found


def _definitions(text: str) -> dict[str, tuple[bool, frozenset[str]]]:
    found: dict[str, tuple[bool, frozenset[str]]] = {}
    for cell in cells.split(text):
        found |= _of_cell(cell.text)
    return found


@functools.lru_cache(maxsize=2048)
def _of_cell(text: str) -> dict[str, tuple[bool, frozenset[str]]]:
    """Give what a cell defines: whether it is a class, and the names that it mentions."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return {}
    return {
        node.name: (
            isinstance(node, ast.ClassDef),
            frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name)),
        )
        for node in body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
