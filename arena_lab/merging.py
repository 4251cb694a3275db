"""Bring a course's new starter into a learner's file, cell by cell.

What the learner did not touch becomes as it is in the new starter; what they wrote stays, to the
byte; what is new comes in at its place. Nothing is decided by line numbers.
"""

import re
from collections import Counter
from collections.abc import Iterable
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
        LabError: The file holds the marks of a merge that was never finished, or an exercise would
            stand in it twice.
    """
    if _CONFLICT.search(mine):
        raise LabError("it holds the marks of an unfinished merge (<<<<<<<): mend these lines")
    before, after = _Starter(old), _Starter(new)
    result = Merged("")
    parts = _parts(mine, before, after)
    alone = _left_alone(parts)
    texts: list[str] = []
    for part in parts:
        bring_up = _renewed if part in alone else _with_new_statements
        texts += bring_up(part, parts, before, after, result)
    result.text = _joined(_with_new_cells(texts, parts, before, after), mine)
    had, has = _names(mine), _names(result.text)
    result.added = [name for name in after.stubs if has[name] and not had[name]]
    if twice := [name for name in after.stubs if has[name] > max(1, had[name])]:
        raise LabError(f"{', '.join(twice)} would stand in it twice")
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
        self.by_name = {name: cell for cell, _ in self.cells for name in cell.names}
        self.definitions = cells.definitions(text)

    def find(self, labels: Iterable[str]) -> list[Cell]:
        return [*dict.fromkeys(self.by_label[x] for x in labels if x in self.by_label)]

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


def _names(text: str) -> Counter[str]:
    return Counter(name for cell in cells.split(text) for name in cell.names)


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


@dataclass(frozen=True)
class _Part:
    """A cell of the learner's, and the cells of both starters that it belongs to."""

    cell: Cell
    labels: tuple[str, ...]
    was: tuple[Cell, ...]
    now: tuple[Cell, ...]
    shares: frozenset[Cell]  # `now`, and those that define a name of it which stands here again

    @property
    def is_untouched(self) -> bool:
        return bool(self.was) and _is_same(self.cell, self.was[0])


def _parts(mine: str, before: _Starter, after: _Starter) -> list[_Part]:
    parts = []
    for cell, labels in _labelled(mine):
        now = after.find(labels)
        named = [after.by_name[name] for name in cell.names if name in after.by_name]
        was = before.find(labels)
        parts.append(_Part(cell, (*labels,), (*was,), (*now,), frozenset([*now, *named])))
    return parts


def _left_alone(parts: list[_Part]) -> set[_Part]:
    """Give what is untouched, and shares no new cell with what is not, by any way round."""
    alone = {part for part in parts if part.is_untouched}
    while True:
        written = {cell for part in parts if part not in alone for cell in part.shares}
        fewer = {part for part in alone if not part.shares & written}
        if fewer == alone:
            return alone
        alone = fewer


def _renewed(
    part: _Part, parts: list[_Part], before: _Starter, after: _Starter, result: Merged
) -> list[str]:
    """Give the new text of an untouched cell; none where it is gone, or to be placed anew."""
    if part.now and _is_same(part.cell, part.now[0]):
        return [part.cell.text]
    stubs = [name for name in part.cell.names if name in before.stubs]
    result.renewed += [name for name in stubs if name in after.stubs]
    result.removed += [name for name in stubs if name not in after.definitions]
    if len(part.now) == 1 and not any(part.shares & x.shares for x in parts if x != part):
        return [_apart(part.now[0].text)]
    return []  # where definitions have moved between cells, the new ones come in as wholes


def _apart(text: str) -> str:
    return text.rstrip() + "\n\n"


def _is_same(a: Cell, b: Cell) -> bool:
    return a.text.rstrip() == b.text.rstrip()


def _with_new_statements(
    part: _Part, parts: list[_Part], before: _Starter, after: _Starter, result: Merged
) -> list[str]:
    """Renew what is untouched in a cell that the learner wrote in, and add what is new to it."""
    cell = part.cell
    if part.was:
        result.gone += [n for n in cell.names if n in before.stubs and n not in after.definitions]
    try:
        mine = cells.statements(cell.text)
    except (SyntaxError, ValueError):  # its parts cannot be told apart
        result.kept += [n for n in cell.names if _differs(n, before, after)]
        text = "".join(each.cell.text for each in parts)
        new = [s for s in _new_in(part, parts, (), before) if f"{s.source}\n" not in text]
        return [_spaced(cell.text), _apart(_added("# %%", new))] if new else [cell.text]
    edits = []
    for statement in mine:
        names = [name for name in statement.names if _differs(name, before, after)]
        if names and statement.source == before.definitions[names[0]].source:
            source = after.definitions[names[0]].source
            edits.append((statement.first - 1, statement.last, source.split("\n")))
            result.renewed += [name for name in names if name in after.stubs]
        else:
            result.kept += [n for n in names if statement.source != after.definitions[n].source]
    new = _new_in(part, parts, mine, before)
    ends = [statement.last for statement in mine if _is_import(statement)]
    at = ends[-1] if ends else int(cell.text.startswith("# %%"))
    edits.append((at, at, [s.source for s in new if _is_import(s)]))
    lines = cell.text.split("\n")
    for first, last, rows in sorted(edits, reverse=True):
        lines[first:last] = rows
    return [_added("\n".join(lines), [s for s in new if not _is_import(s)])]


def _differs(name: str, before: _Starter, after: _Starter) -> bool:
    old, new = before.definitions.get(name), after.definitions.get(name)
    return bool(old and new and old.source != new.source)


def _is_import(statement: Statement) -> bool:
    return "Import" in statement.kind.__name__


def _new_in(
    part: _Part, parts: list[_Part], mine: tuple[Statement, ...], before: _Starter
) -> list[Statement]:
    """Give the imports and definitions that the course has added to a cell.

    Where the learner has cut the cell into several, the last of them gets these.
    """
    here = [s for cell in part.was for s in cells.statements(cell.text)]
    have = {statement.shape for statement in (*mine, *here)}
    names = {name for each in parts for name in each.cell.names} | before.definitions.keys()
    return [
        statement
        for cell in part.now
        if part == [each for each in parts if cell in each.now][-1]
        for statement in cells.statements(cell.text)
        if statement.shape not in have
        and (_is_import(statement) or statement.names)
        and not names & {*statement.names}
    ]


def _added(text: str, new: list[Statement]) -> str:
    for statement in new:
        code = text.rstrip()
        gap = "\n" if _is_import(statement) or code == "# %%" else "\n\n\n"
        text = f"{code}{gap}{statement.source}{text[len(code) :]}"
    return text


def _with_new_cells(
    texts: list[str], parts: list[_Part], before: _Starter, after: _Starter
) -> list[str]:
    """Put each new cell before the one that follows it in the new starter."""
    here = _labelled("".join(_closed(text) for text in texts))
    placed = {label for _, labels in here for label in labels}
    mine = {label for part in parts for label in part.labels}
    at = len(texts)
    for cell, labels in reversed(after.cells):
        if placed & {*labels}:
            at = next(i for i, (_, found) in enumerate(here) if {*found} & {*labels})
        elif labels and not _was_deleted(labels, mine, before):
            if at:
                texts[at - 1] = _spaced(texts[at - 1])
            texts.insert(at, _apart(cell.text))
            here.insert(at, (cell, labels))
    return texts


def _was_deleted(labels: list[str], mine: set[str], before: _Starter) -> bool:
    return {*labels} <= before.by_label.keys() and not {*labels} & mine


def _closed(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _spaced(text: str) -> str:
    return text if text.endswith("\n\n") else _closed(text) + "\n"


def _joined(texts: list[str], mine: str) -> str:
    """Put cells together; the last ends with one line end, unless nothing has changed."""
    joined = "".join(_closed(text) for text in texts[:-1]) + "".join(texts[-1:])
    return mine if joined == mine else joined.rstrip("\n") + "\n"
