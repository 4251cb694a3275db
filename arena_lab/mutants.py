"""Small changes of a section's solutions, one at a time, made in the syntax tree."""

import ast
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from arena_lab.catalogue import Section
from arena_lab.cells import BEGIN, END, defined_names

REMOVED = "(removed)"

_OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_PAIRS = (
    ("min", "max"),
    ("amin", "amax"),
    ("argmin", "argmax"),
    ("minimum", "maximum"),
    ("sum", "mean"),
    ("any", "all"),
    ("zeros", "ones"),
    ("zeros_like", "ones_like"),
    ("exp", "log"),
    ("sin", "cos"),
    ("floor", "ceil"),
    ("train", "eval"),
)
_OTHER_NAME = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])}
_REMOVABLE = (ast.Expr, ast.Assign, ast.AugAssign, ast.Raise, ast.Break, ast.Continue)


@dataclass(frozen=True)
class Mutant:
    """One change of one definition: the line before and after it, and the whole definition."""

    name: str
    before: str
    after: str
    nth: int  # which of several changes that read the same
    line: int  # of the definition
    source: str

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What the change is known by, wherever it stands in the file."""
        return self.name, self.before, self.after, self.nth

    def __str__(self) -> str:
        nth = f" ({self.nth})" if self.nth > 1 else ""
        before, after = (" ⏎ ".join(part.split("\n")) for part in (self.before, self.after))
        return f"{self.name}{nth}: `{before}` → `{after}`"


def of(section: Section) -> list[Mutant]:
    """Give every mutant of the section's solutions, in the order of the file."""
    text = section.solutions.read_text(encoding="utf-8")
    regions = _regions(text)
    wanted = {name for exercise in section.exercises for name in exercise.names}
    found = [
        mutant
        for node in ast.parse(text).body
        for name in defined_names(node)
        if name in wanted
        for mutant in _mutants_of(name, node, regions)
    ]
    seen: Counter[tuple[str, str, str, int]] = Counter()
    numbered = []
    for mutant in found:
        seen[mutant.key] += 1
        numbered.append(replace(mutant, nth=seen[mutant.key]))
    return numbered


def sample(everything: list[Mutant], size: int, seed: int) -> list[Mutant]:
    """Give some of the mutants, the same for the same seed, in the order of the file."""
    if size >= len(everything):
        return everything
    chosen = random.Random(seed).sample(range(len(everything)), size)
    return [everything[i] for i in sorted(chosen)]


def _regions(text: str) -> list[range]:
    rows = [row.strip() for row in text.splitlines()]
    begins = [i for i, row in enumerate(rows, 1) if row == BEGIN]
    ends = [i for i, row in enumerate(rows, 1) if row == END]
    return [range(a, b) for a, b in zip(begins, ends, strict=True)]


def _mutants_of(name: str, definition: ast.stmt, regions: list[range]) -> Iterator[Mutant]:
    places = _places(definition)
    original = ast.unparse(definition)
    for node in sorted(places, key=lambda n: (n.lineno, n.col_offset)):
        if not any(node.lineno in region for region in regions):
            continue
        statement = _statement_around(node, places)
        before = _line(statement)
        for new in _alternatives(node, places):
            with _swapped(node, new, places[node]):
                source = ast.unparse(definition)
                removed = isinstance(new, ast.Pass)
                after = REMOVED if removed else _line(new if node is statement else statement)
            if source != original:
                yield Mutant(name, before, after, 0, definition.lineno, source)


# The node that holds it, the field, and the place in the field where that is a list.
Place = tuple[ast.AST, str, int | None]


def _places(definition: ast.stmt) -> dict[Any, Place]:
    """Give where each statement and expression below a definition stands, annotations aside."""
    found: dict[Any, Place] = {}
    for holder in ast.walk(definition):
        if holder is not definition and holder not in found and hasattr(holder, "lineno"):
            continue  # below an annotation
        for field, value in ast.iter_fields(holder):
            if field in ("annotation", "returns", "decorator_list", "format_spec"):
                continue
            items = enumerate(value) if isinstance(value, list) else [(None, value)]
            for i, node in items:
                if isinstance(node, ast.stmt | ast.expr | ast.keyword | ast.excepthandler):
                    found[node] = holder, field, i
    return found


def _statement_around(node: ast.AST, places: dict[Any, Place]) -> ast.stmt:
    while not isinstance(node, ast.stmt):
        node = places[node][0] if node in places else _holder_of_part(node, places)
    return node


def _holder_of_part(part: ast.AST, places: dict[Any, Place]) -> ast.AST:
    """Find what holds a part that has no place of its own: a comprehension, arguments."""
    return next(n for n in places if part in ast.iter_child_nodes(n))


def _line(node: ast.AST) -> str:
    """Give a simple statement, or the first line of one that holds others."""
    text = ast.unparse(node)
    return text if not hasattr(node, "body") else text.split("\n")[0]


@contextlib.contextmanager
def _swapped(node: ast.AST, new: ast.AST, place: Place) -> Iterator[None]:
    holder, field, i = place

    def put(value: ast.AST) -> None:
        if i is None:
            setattr(holder, field, value)
        else:
            getattr(holder, field)[i] = value

    put(ast.copy_location(new, node))
    try:
        yield
    finally:
        put(node)


def _alternatives(node: ast.AST, places: dict[Any, Place]) -> Iterator[ast.AST]:
    """Give what may stand in the place of a node."""
    for kind, change in _CHANGES.items():
        if isinstance(node, kind):
            yield from change(node, places)
    if isinstance(node, _REMOVABLE) and not _is_docstring(node):
        yield ast.Pass()


def _operator(node: Any, _: object) -> Iterator[ast.AST]:
    if type(node.op) in _OPERATORS:
        yield _with(node, op=_OPERATORS[type(node.op)]())


def _comparison(node: ast.Compare, _: object) -> Iterator[ast.AST]:
    if len(node.ops) == 1:
        for other in _COMPARISONS[type(node.ops[0])]:
            yield _with(node, ops=[other()])


def _unary(node: ast.UnaryOp, _: object) -> Iterator[ast.AST]:
    yield node.operand


def _constant(node: ast.Constant, places: dict[Any, Place]) -> Iterator[ast.AST]:
    if _is_message(node, places):
        return
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
        if value > 0:
            yield ast.Constant(value - 1)
    elif isinstance(value, float):
        yield ast.Constant(value * 2 if value else 1.0)
    elif isinstance(value, str):
        yield ast.Constant(_other_pattern(value) or value + "?")


def _other_pattern(text: str) -> str | None:
    """Swap the first two axes behind the arrow of an einops or einsum pattern."""
    left, arrow, right = text.partition("->")
    words = right.split()
    if not arrow or len(right.strip()) < 2:
        return None
    if len(words) < 2:
        letters = right.strip()
        return f"{left}->{letters[1]}{letters[0]}{letters[2:]}" if letters.isalpha() else None
    if any(bracket in word for word in words[:2] for bracket in "()"):
        return None
    return f"{left}-> {' '.join([words[1], words[0], *words[2:]])}"


def _is_message(node: ast.AST, places: dict[Any, Place]) -> bool:
    """Tell whether a constant is a docstring, or part of an error's text."""
    while not isinstance(node, ast.stmt):
        node = places[node][0] if node in places else _holder_of_part(node, places)
        if isinstance(node, ast.JoinedStr):
            return True
    return isinstance(node, ast.Raise | ast.Assert) or _is_docstring(node)


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str | type(...))
    )


def _call(node: ast.Call, places: dict[Any, Place]) -> Iterator[ast.AST]:
    if isinstance(_statement_around(node, places), ast.Raise):
        return
    args = node.args
    if len(args) > 1:
        yield _with(node, args=args[:-1])
        if not any(isinstance(arg, ast.Starred) for arg in args[:2]):
            yield _with(node, args=[args[1], args[0], *args[2:]])
    for keyword in node.keywords:
        yield _with(node, keywords=[k for k in node.keywords if k is not keyword])
    if isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Name):
        yield node.func.value


def _name(node: Any, _: object) -> Iterator[ast.AST]:
    field = "attr" if isinstance(node, ast.Attribute) else "id"
    other = _OTHER_NAME.get(getattr(node, field))
    if other and isinstance(node.ctx, ast.Load):
        yield _with(node, **{field: other})


def _return(node: ast.Return, _: object) -> Iterator[ast.AST]:
    if isinstance(node.value, ast.Tuple) and len(node.value.elts) > 1:
        first, second, *others = node.value.elts
        yield ast.Return(ast.Tuple([second, first, *others], ast.Load()))
    if node.value is not None:
        yield ast.Return(None)


def _condition(node: Any, _: object) -> Iterator[ast.AST]:
    for value in (False,) if isinstance(node, ast.While) else (True, False):
        yield _with(node, test=ast.Constant(value))


def _slice(node: ast.Slice, _: object) -> Iterator[ast.AST]:
    for part in ("lower", "upper", "step"):
        if getattr(node, part) is not None:
            yield _with(node, **{part: None})


def _with(node: ast.AST, **changed: Any) -> ast.AST:
    return type(node)(**{**dict(ast.iter_fields(node)), **changed})


_CHANGES: dict[Any, Callable[[Any, Any], Iterator[ast.AST]]] = {
    ast.BinOp | ast.AugAssign | ast.BoolOp: _operator,
    ast.Compare: _comparison,
    ast.UnaryOp: _unary,
    ast.Constant: _constant,
    ast.Call: _call,
    ast.Name | ast.Attribute: _name,
    ast.Return: _return,
    ast.If | ast.IfExp | ast.While: _condition,
    ast.Slice: _slice,
}
