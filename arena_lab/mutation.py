"""Try mutants of the solutions: does a test notice?

A mutant that passes every test of its exercise has survived: a test is missing, or the change
makes no difference. Those of the second kind are listed with the reason in
`tests/mutants/PACKAGE/equal.toml`, by the changed text, so that an edit elsewhere moves nothing.
"""

import functools
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from arena_lab import checking, checks, isolation
from arena_lab.answers import compiled, read_source
from arena_lab.catalogue import Section
from arena_lab.errors import LabError
from arena_lab.mutants import Mutant
from arena_lab.paths import ROOT, write_atomically

GOAL = 0.95

# A mutant may take this many times what the solution takes, and never less than the seconds.
_PATIENCE, _PATIENCE_S = 10, 3.0
_MEMORY = 4 << 30


@dataclass(frozen=True)
class Score:
    """How the mutants of a section ended."""

    section: Section
    killed: tuple[Mutant, ...]
    equal: tuple[tuple[Mutant, str], ...]  # survived, with the reason why none can tell them
    survived: tuple[Mutant, ...]

    @property
    def share(self) -> float:
        """How many are killed, of those that differ from the solution."""
        return len(self.killed) / max(len(self.killed) + len(self.survived), 1)

    @property
    def mislisted(self) -> list[Mutant]:
        """The mutants that are listed as equal, though a test kills them."""
        listed = reasons(self.section)
        return [mutant for mutant in self.killed if mutant.key in listed]


# --- trying them ------------------------------------------------------------------------------


def score(
    section: Section,
    chosen: Sequence[Mutant],
    *,
    workers: int = 2,
    tried: Callable[[], None] = lambda: None,
) -> Score:
    """Run the tests of each mutant's exercise, and tell who survives.

    Raises:
        LabError: The solutions themselves do not pass.
    """
    checking.prepare(section)
    checks.by_hand = False
    _loaded(section)  # what each child would compile and import for itself
    equal = reasons(section)
    limits = _limits(section, {mutant.name for mutant in chosen}, workers)
    jobs = [(m, [isolation.Step(_trial(section, m.name, m), limits[m.name])]) for m in chosen]
    ended = {}
    for mutant, _, outcome in isolation.run_all(jobs, workers=workers, memory=_MEMORY):
        ended[mutant] = outcome.kind == "result" and outcome.result is None
        tried()
    survivors = [mutant for mutant in chosen if ended[mutant]]
    return Score(
        section,
        tuple(mutant for mutant in chosen if not ended[mutant]),
        tuple((m, equal[m.key]) for m in survivors if m.key in equal),
        tuple(m for m in survivors if m.key not in equal),
    )


def _limits(section: Section, names: set[str], workers: int) -> dict[str, float]:
    """Give the seconds that a mutant of each definition may take."""
    jobs = [(name, [isolation.Step(_trial(section, name), 120)]) for name in names]
    ended = {name: o for name, _, o in isolation.run_all(jobs, workers=workers, memory=_MEMORY)}
    for name, outcome in sorted(ended.items()):
        if outcome.kind != "result" or outcome.result is not None:
            raise LabError(f"our {name} does not pass its own tests: {outcome.result}")
    return {name: max(_PATIENCE_S, _PATIENCE * o.seconds) for name, o in ended.items()}


def _trial(section: Section, name: str, mutant: Mutant | None = None) -> Callable[[], str | None]:
    return functools.partial(_first_complaint, section, name, mutant)


def _first_complaint(section: Section, name: str, mutant: Mutant | None) -> str | None:
    """Be in the child: load the solutions, a mutant in its place, and run the tests of `name`."""
    names = _loaded(section, mutant)
    for check in checking.find_checks(section):
        if name in check.exercise.names:
            try:
                check.function(*(names[parameter] for parameter in check.parameters))
            except BaseException as error:  # a mutant may raise anything
                return f"{type(error).__name__}: {error}"
    return None


def _loaded(section: Section, mutant: Mutant | None = None) -> dict[str, Any]:
    path = section.solutions
    module = ModuleType(f"{section.package}.solutions")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    for step in compiled(path, read_source(path)):
        code = step.code
        if mutant and step.line == mutant.line:
            code = compile(mutant.source, str(path), "exec")
        if code:
            exec(code, module.__dict__)
    return vars(module)


# --- what is known of them --------------------------------------------------------------------


def folder(section: Section) -> Path:
    """Give where the section's list of equal mutants and its score are kept."""
    return ROOT / "tests/mutants" / section.package


def reasons(section: Section) -> dict[tuple[str, str, str, int], str]:
    """Give why each mutant that is listed as equal cannot be told from the solution."""
    path = folder(section) / "equal.toml"
    if not path.exists():
        return {}
    try:
        listed = tomllib.loads(path.read_text(encoding="utf-8"))["equal"]
        return {
            (entry["name"], entry["before"], entry["after"], entry.get("nth", 1)): entry["reason"]
            for entry in listed
        }
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise LabError(f"{path}: {error}; each [[equal]] has name, before, after, reason") from None


def write_score(score: Score) -> Path:
    """Write the score of all the section's mutants, and the list of those that survive."""
    path = folder(score.section) / "score.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, as_markdown(score))
    return path


def as_markdown(score: Score) -> str:
    """Give the score and the survivors as the page that is kept in the repository."""
    section = score.section
    counts = (len(score.killed), len(score.equal), len(score.survived))
    lines = [
        f"# Mutants of {section.number} {section.title}",
        "",
        f"Written by `./inv mutate --section {section.number} --all`; not edited by hand.",
        "",
        "| mutants | killed | equal | survived | score |",
        "|--:|--:|--:|--:|--:|",
        f"| {sum(counts)} | {' | '.join(map(str, counts))} | {100 * score.share:.1f} % |",
    ]
    if score.survived:
        lines += ["", "## Survived", ""]
        lines += [f"- {mutant}" for mutant in score.survived]
    if score.equal:
        lines += ["", "## Equal", ""]
        lines += [f"- {mutant}  \n  {reason}" for mutant, reason in score.equal]
    return "\n".join(lines) + "\n"
