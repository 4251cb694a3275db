"""Bring a course's new starter into a learner's file, cell by cell.

What the learner did not touch becomes as it is in the new starter; what they wrote stays, to the
byte; what is new comes in at its place. Nothing is decided by line numbers.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from arena_lab import cells
from arena_lab.cells import Cell, Statement
from arena_lab.errors import LabError

_STUB = re.compile(r"raise NotImplementedError\(\)|# Your code here")
_CONFLICT = re.compile(r"^(<{7}|>{7}) ", re.M)


@dataclass
class Merged:
    """The new text of a learner's file, and which definitions fared how."""

    text: str
    added: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)  # not begun: the new stub stands there
    kept: list[str] = field(default_factory=list)  # written, and the course has changed it
    gone: list[str] = field(default_factory=list)  # written, and no longer in the course
    removed: list[str] = field(default_factory=list)  # not begun, and no longer in the course
    renamed: dict[str, str] = field(default_factory=dict)  # a new name to the old one


def merge(mine: str, old: str, new: str) -> Merged:
    """Give a learner's file with what changed between two starters.

    Args:
        mine: The learner's file, begun from the old starter.
        old: The starter that it was begun from; may be empty where nobody knows it.
        new: The starter of the new course.

    Raises:
        LabError: The file holds the marks of a merge that was never finished.
    """
    if _CONFLICT.search(mine):
        raise LabError("it holds the marks of an unfinished merge (<<<<<<<): mend these lines")
    before, after = _Starter(old), _Starter(new)
    result = Merged("")
    kept = [text for cell in _labelled(mine) for text in _brought_up(cell, before, after, result)]
    texts = _with_new_cells(kept, {x for _, x in _pairs(mine)}, before, after, result)
    result.text = _joined(texts, mine)
    known = {name: stub.docstring for name, stub in before.stubs.items() if stub.docstring}
    for name in result.added:
        found = [old for old, text in known.items() if text == after.stubs[name].docstring]
        if len(found) == 1 and found[0] in (*result.gone, *result.removed):
            result.renamed[name] = found[0]
    return result


@dataclass(frozen=True)
class _Stub:
    docstring: str


class _Starter:
    """A starter's cells, found by what they hold."""

    def __init__(self, text: str) -> None:
        self.cells = _labelled(text)
        self.by_label = {label: cell for cell, labels in self.cells for label in labels}
        self.definitions = cells.definitions(text)

    def find(self, labels: list[str]) -> Cell | None:
        return next((self.by_label[label] for label in labels if label in self.by_label), None)

    @cached_property
    def stubs(self) -> dict[str, _Stub]:
        """What the learner is to write."""
        return {
            name: _Stub(_docstring(found.source))
            for name, found in self.definitions.items()
            if _STUB.search(found.source)
        }


def _docstring(source: str) -> str:
    found = re.search(r'"""(.*?)"""', source, re.S)
    return found[1].strip() if found else ""


def _labelled(text: str) -> list[tuple[Cell, list[str]]]:
    """Give each cell with what it is known by: what it defines, tests or says first."""
    seen: Counter[str] = Counter()
    found = []
    for cell in cells.split(text):
        labels = []
        for label in _labels(cell):
            seen[label] += 1
            labels.append(f"{label} {seen[label]}")
        found.append((cell, labels))
    return found


def _pairs(text: str) -> list[tuple[Cell, str]]:
    return [(cell, label) for cell, labels in _labelled(text) for label in labels]


def _labels(cell: Cell) -> list[str]:
    rows = [row for row in cell.text.split("\n") if row.strip(" #")]
    if cell.text.startswith("# %%"):
        rows = rows[1:]
    if cell.is_markdown:
        return [f"text {rows[0]}"] if rows else []
    if cell.names:
        return [f"names {name}" for name in dict.fromkeys(cell.names)]
    tests = re.findall(r"^ *tests\.(test_\w+)\(", cell.text, re.M)
    return [f"tests {name}" for name in tests] or ([f"code {rows[:2]}"] if rows else [])


def _brought_up(
    labelled: tuple[Cell, list[str]], before: _Starter, after: _Starter, result: Merged
) -> list[str]:
    """Give the new text of a learner's cell; none where it has left the course untouched."""
    cell, labels = labelled
    was, now = before.find(labels), after.find(labels)
    if was is None or (now and _is_same(cell, now)):
        return [cell.text]
    stubs = [name for name in cell.names if name in before.stubs]
    if not _is_same(cell, was):
        return [_with_new_statements(cell, was, now, before, after, result)]
    if now is None:
        result.removed += stubs
        return []
    if not _is_same(was, now):
        result.renewed += [name for name in stubs if name in after.stubs]
        return [_apart(now.text)]
    return [cell.text]


def _apart(text: str) -> str:
    return text.rstrip() + "\n\n"


def _is_same(a: Cell, b: Cell) -> bool:
    return a.text.rstrip() == b.text.rstrip()


def _with_new_statements(
    cell: Cell, was: Cell, now: Cell | None, before: _Starter, after: _Starter, result: Merged
) -> str:
    """Renew what is untouched in a cell that the learner wrote in, and add what is new to it."""
    result.gone += [n for n in cell.names if n in before.stubs and n not in after.definitions]
    try:
        mine = cells.statements(cell.text)
    except (SyntaxError, ValueError):  # its parts cannot be told apart
        result.kept += [n for n in cell.names if _differs(n, before, after)]
        return cell.text
    lines = cell.text.split("\n")
    for statement in reversed(mine):
        names = [name for name in statement.names if _differs(name, before, after)]
        if names and statement.source == before.definitions[names[0]].source:
            new = after.definitions[names[0]].source
            lines[statement.first - 1 : statement.last] = new.split("\n")
            result.renewed += [name for name in names if name in after.stubs]
        else:
            result.kept += [n for n in names if statement.source != after.definitions[n].source]
    if now is None:
        return "\n".join(lines)
    return _added(lines, cell, _new_in(now, was, mine), result)


def _differs(name: str, before: _Starter, after: _Starter) -> bool:
    old, new = before.definitions.get(name), after.definitions.get(name)
    return bool(old and new and old.source != new.source)


def _new_in(now: Cell, was: Cell, mine: tuple[Statement, ...]) -> list[Statement]:
    """Give the imports and definitions that the course has added to a cell."""
    old = {statement.shape for statement in cells.statements(was.text)}
    have = {statement.shape for statement in mine}
    names = {name for statement in (*mine, *cells.statements(was.text)) for name in statement.names}
    return [
        statement
        for statement in cells.statements(now.text)
        if statement.shape not in old | have
        and ("Import" in statement.kind.__name__ or statement.names)
        and not names & {*statement.names}
    ]


def _added(lines: list[str], cell: Cell, new: list[Statement], result: Merged) -> str:
    imports = [s.source for s in new if not s.names]
    if imports:
        ends = [i for i, row in enumerate(lines) if re.match(r"import |from .* import [^(]*$", row)]
        at = ends[-1] + 1 if ends else (1 if cell.text.startswith("# %%") else 0)
        lines[at:at] = imports
    text = "\n".join(lines)
    for statement in new:
        if statement.names:
            code = text.rstrip()
            text = f"{code}\n\n\n{statement.source}{text[len(code) :]}"
            result.added += [n for n in statement.names if _STUB.search(statement.source)]
    return text


def _with_new_cells(
    texts: list[str], mine: set[str], before: _Starter, after: _Starter, result: Merged
) -> list[str]:
    """Put each new cell before the one that follows it in the new starter."""
    here = _labelled("".join(_closed(text) for text in texts))
    placed = {label for _, labels in here for label in labels}
    at = len(texts)
    for cell, labels in reversed(after.cells):
        if placed & {*labels}:
            at = next(i for i, (_, found) in enumerate(here) if {*found} & {*labels})
        elif labels and not _was_deleted(labels, mine, before):
            if at:
                texts[at - 1] = _closed(texts[at - 1])
                texts[at - 1] += "" if texts[at - 1].endswith("\n\n") else "\n"
            texts.insert(at, _apart(cell.text))
            here.insert(at, (cell, labels))
            result.added[:0] = [name for name in cell.names if name in after.stubs]
    return texts


def _was_deleted(labels: list[str], mine: set[str], before: _Starter) -> bool:
    return bool({*labels} & before.by_label.keys()) and not {*labels} & mine


def _closed(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _joined(texts: list[str], mine: str) -> str:
    """Put cells together; the last ends with one line end, unless nothing has changed."""
    joined = "".join(_closed(text) for text in texts[:-1]) + "".join(texts[-1:])
    return mine if joined == mine else joined.rstrip("\n") + "\n"
