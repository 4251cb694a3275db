"""Show verdicts: a table for a terminal with one failure explained, or JSON for a program."""

import json
from typing import Any

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from arena_lab.catalogue import Exercise, Section
from arena_lab.checking import FAILED, NOT_STARTED, PASSED, WAITING, TestVerdict, Verdict, now
from arena_lab.mutation import GOAL, Score
from arena_lab.paths import short

MARKS = {
    PASSED: ("✓", "green"),
    FAILED: ("✗", "red"),
    NOT_STARTED: ("·", "dim"),
    WAITING: ("…", "yellow"),
}


def row(verdict: Verdict) -> tuple[Text, ...]:
    """Give one line of the table: mark, exercise, status, the first sentence of the failure."""
    mark, style = MARKS[verdict.status]
    title = verdict.title + (" (optional)" if verdict.optional else "")
    message = verdict.failure.sentence if verdict.failure else ""
    for name in verdict.names:  # it stands in the line already
        message = message.removeprefix(f"{name}: ")
    return (
        Text(mark, style),
        Text(title, "" if verdict.status != NOT_STARTED else "dim"),
        Text(verdict.status, style),
        Text(message),
    )


def table(verdicts: list[Verdict]) -> Table:
    """Give the table of verdicts, which wraps at the terminal's width."""
    shown = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    shown.add_column(width=1)
    shown.add_column(ratio=2, overflow="fold")
    shown.add_column(no_wrap=True)
    shown.add_column(ratio=3, overflow="fold")
    for verdict in verdicts:
        shown.add_row(*row(verdict))
    return shown


def summary(verdicts: list[Verdict]) -> Text:
    """Give one line with how many passed, failed, and are to be written."""
    counts = {status: sum(v.status == status for v in verdicts) for status in MARKS}
    parts = [
        Text(f"{counts[status]} {status}", style)
        for status, (_, style) in MARKS.items()
        if counts[status] or status in (PASSED, FAILED)
    ]
    return Text(", ").join(parts)


def explanation(section: Section, verdict: Verdict, test: TestVerdict) -> Group:
    """Explain one failure in full: sentence, call, values, the learner's lines, where to look."""
    head = Text.assemble((verdict.title, "bold"), "  ", (test.name, "dim"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in test.details:
        grid.add_row(label, Text(text))
    for i, line in enumerate(test.where):
        grid.add_row("your code" if i == 0 else "", Text(line))
    if test.printed:
        grid.add_row("printed", Text(test.printed))
    grid.add_row("look at", Text(where_to_look(section, section.find(verdict.name))))
    return Group(head, Text(test.sentence, "red"), Text(""), Padding(grid, (0, 0, 0, 2)))


def where_to_look(section: Section, exercise: Exercise) -> str:
    """Name the place on the page that helps with an exercise."""
    place = f"page {section.number}, {exercise.subpage}: {exercise.title}"
    return f"{place} · ./inv hint {exercise.name}" if exercise.n_hints else place


def notes(verdicts: list[Verdict]) -> list[str]:
    """Name the lines outside of all functions that could not be run, each once."""
    return list(dict.fromkeys(n for v in verdicts for test in v.tests for n in test.left_out))


def show(console: Console, section: Section, verdicts: list[Verdict], *, every: bool) -> None:
    """Print table, explained failure and summary."""
    console.print(Text.assemble(f"{section.number} {section.title}", style="bold"))
    console.print(table(verdicts))
    failed = [v for v in verdicts if v.status in (FAILED, WAITING) and v.failure is not None]
    failed.sort(key=lambda verdict: verdict.status != FAILED)
    for verdict in failed if every else failed[:1]:
        # A cell that does not load fails all of its tests alike.
        unlike: dict[Any, TestVerdict] = {}
        for test in verdict.tests:
            if test.status != PASSED:
                unlike.setdefault((test.sentence, test.details), test)
        for test in list(unlike.values())[: None if every else 1]:
            console.print()
            console.print(explanation(section, verdict, test))
    console.print()
    for note in notes(verdicts):
        console.print(Text(f"Note: {note}", "yellow"))
    console.print(summary(verdicts), end="")
    rest = len(failed) - 1
    more = f"  (--all explains the other {rest} too)" if rest > 0 and not every else ""
    console.print(Text(more, "dim"))


def is_success(verdicts: list[Verdict]) -> bool:
    """Tell whether every exercise that is not optional passed."""
    return all(v.status == PASSED for v in verdicts if not v.optional) and not any(
        v.status == FAILED for v in verdicts if not v.optional
    )


def as_json(section: Section, verdicts: list[Verdict], *, solutions: bool) -> str:
    """Give a run's verdicts as JSON text, paths relative to the checkout."""
    counts: dict[str, int] = {status: sum(v.status == status for v in verdicts) for status in MARKS}
    data: dict[str, Any] = {
        "section": section.number,
        "file": str(short(section.solutions if solutions else section.answers)),
        "time": now(),
        "success": is_success(verdicts),
        "counts": counts,
        "notes": notes(verdicts),
        "exercises": [
            {**v.as_json(), "look_at": where_to_look(section, section.find(v.name))}
            for v in verdicts
        ],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def score_table(scores: list[Score]) -> Table:
    """Give how many mutants of each section were killed."""
    table = Table(box=None, pad_edge=False)
    table.add_column("section")
    for heading in ("mutants", "killed", "equal", "survived", "score"):
        table.add_column(heading, justify="right")
    for score in scores:
        counts = [len(score.killed), len(score.equal), len(score.survived)]
        style = "green" if score.share >= GOAL else "red"
        share = f"[{style}]{100 * score.share:.1f} %[/]"
        table.add_row(score.section.number, *map(str, [sum(counts), *counts]), share)
    return table


def show_survivors(console: Console, score: Score) -> None:
    """Print the mutants that no test noticed, as a list of equal ones would name them.

    Those that it names and a test noticed nevertheless follow.
    """
    for mutant in score.survived:
        console.print(Text(f"{score.section.number} {mutant.name}", "bold"))
        rows = [("before", mutant.before), ("after", mutant.after)]
        rows += [("nth", str(mutant.nth))] if mutant.nth > 1 else []
        for label, value in rows:
            console.print(Text.assemble((f"  {label:<7}", "dim"), value), soft_wrap=True)
    for mutant in score.mislisted:
        console.print(Text(f"killed, though listed as equal: {mutant}", "red"), soft_wrap=True)
