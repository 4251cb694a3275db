"""Which exercises a change of a script concerns: those whose code, or code they use, changed."""

from collections.abc import Iterable

from arena_lab import cells

# What stands at the top level and defines nothing: imports and the like concern everything.
_EVERYTHING = "<top level>"


class Script:
    """A script's definitions, compared by what they do, and what each uses."""

    def __init__(self, text: str) -> None:
        self.shapes: dict[str, str] = {}
        self._uses: dict[str, set[str]] = {}
        self._holders: set[str] = set()
        self._statements: list[tuple[int, cells.Statement]] = []
        calls = []
        for cell in cells.split(text):
            try:
                found = cells.statements(cell.text)
            except (SyntaxError, ValueError):
                self.shapes |= dict.fromkeys(cell.names, cell.text)
                continue
            for statement in (s for s in found if not s.is_by_hand):
                self._statements.append((cell.line - 1 + statement.first, statement))
                for name in statement.names or [_EVERYTHING]:
                    self.shapes[name] = self.shapes.get(name, "") + statement.shape
                    self._uses.setdefault(name, set()).update(statement.uses)
                if statement.is_call:
                    self._holders.update(statement.names)
                    calls += [] if statement.names else [statement.uses]
        for uses in calls:
            self._join(uses)

    def changed_since(self, before: "Script") -> set[str]:
        """Give the names whose definition differs, is new, or is gone."""
        names = self.shapes.keys() | before.shapes.keys()
        changed = {name for name in names if self.shapes.get(name) != before.shapes.get(name)}
        return set(names) if _EVERYTHING in changed else changed

    def reach(self, names: Iterable[str]) -> set[str]:
        """Give `names` and everything that they use, directly or not."""
        found = new = set(names)
        while new:
            new = set().union(*(self._uses.get(name, ()) for name in new)) - found
            found |= new
        return found

    def users(self, names: Iterable[str]) -> set[str]:
        """Give `names` and everything that uses them, directly or not."""
        found = set(names)
        while new := {
            n for n, u in self._uses.items() if n not in found and not u.isdisjoint(found)
        }:
            found |= new
        return found

    def meanings(self) -> dict[int, str]:
        """Give what each statement does, with all that it uses, by its line."""
        return {
            line: "\n".join(
                [statement.shape]
                + [self.shapes.get(n, "") for n in sorted(self.reach(statement.uses))]
                + [self.shapes.get(_EVERYTHING, "")]
            )
            for line, statement in self._statements
        }

    def _join(self, handed: frozenset[str]) -> None:
        """Count what a call is given as used by the variables that the call reaches.

        `register(np.exp, exp_back)` fills a table: whoever reads the table uses `exp_back`.
        """
        named = handed & self.shapes.keys()
        for name in self.reach(named) & self._holders:
            self._uses[name] |= named
