"""Write a section as notebooks that stand alone: all prose, all drawings, and the code.

The exercises' notebook has the stubs, the solutions' one our code; both run here, on Colab and on
Kaggle. They are made from the page and `solutions.py` each time, and never committed.
"""

import functools
import importlib
import os
import re
import tempfile
import textwrap
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena_lab import cells, pages, starters
from arena_lab.catalogue import Exercise, Section
from arena_lab.errors import LabError
from arena_lab.pages import Block, Directive, Markdown
from arena_lab.paths import ROOT, write_atomically
from arena_lab.site import links
from arena_lab.site.code import code_of

if TYPE_CHECKING:
    from nbformat import NotebookNode

# What the exercises and their tests import beyond what Colab and Kaggle have.
PACKAGES = (
    "einops embreex jaxtyping markdown-it-py mdit-py-plugins optuna pooch rich trackio trimesh"
)

# For one cell: a training takes minutes on two cores.
_PATIENCE_S = 1800

_SETUP = """\
# Anywhere but in the lab's own environment, this fetches the exercises' helpers and tests.
import importlib.util
import subprocess
import sys
from pathlib import Path

REPOSITORY = "{repository}"

if importlib.util.find_spec("arena_lab") is None:
    lab = Path("arena-lab").resolve()
    if not lab.exists():
        if not REPOSITORY:
            raise SystemExit("Write the address to clone the lab from into REPOSITORY above")
        subprocess.run(["git", "clone", "--quiet", "--depth=1", REPOSITORY, lab], check=True)
    install = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, *"{packages}".split()], check=True)
    sys.path[:0] = [str(lab), str(lab / "{exercises}")]
"""


def write(section: Section, folder: Path, *, run: bool = False) -> list[Path]:
    """Write both notebooks of a section; with `run`, the solutions' one with what its cells print.

    Raises:
        LabError: The folder cannot be written, or a cell of the solutions fails.
    """
    name = f"{section.number}_{re.sub(r'[^A-Za-z0-9]+', '_', section.title).strip('_')}"
    written = []
    for kind in ("exercises", "solutions"):
        notebook = build(section, solutions=kind == "solutions")
        if run and kind == "solutions":
            execute(notebook, section)
        path = folder / f"{name}_{kind}.ipynb"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, _text_of(notebook))
        except OSError as error:
            raise LabError(f"{path} cannot be written: {error.strerror}") from None
        written.append(path)
    return written


def build(section: Section, *, solutions: bool) -> "NotebookNode":
    """Give a section as a notebook without outputs, the same for the same sources.

    Raises:
        LabError: The page or the solutions break their form.
    """
    from nbformat.v4 import new_notebook

    page = pages.parse(section.page)
    writer = _Writer(section, solutions=solutions)
    writer.prose(f"# {section.number} {section.title}\n\n{section.summary}")
    writer.setup()
    writer.code_up_to(None)
    for subpage in page.subpages:
        if subpage is not page.subpages[0]:
            writer.prose(f"# {subpage.title}")
        for block in subpage.blocks:
            writer.block(block)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=writer.cells, metadata={"kernelspec": kernel})
    notebook.nbformat_minor = 5
    return notebook


def execute(notebook: "NotebookNode", section: Section) -> list[float]:
    """Run a notebook from top to bottom, and keep what its cells print and show.

    Returns:
        How many seconds each cell took, 0 for those of prose.

    Raises:
        LabError: A cell fails, or an output names a path of this machine.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError
    from rich.text import Text
    from traitlets.config import Config

    with tempfile.TemporaryDirectory(prefix="arena-") as sockets:
        # Not by TCP, which every user of this machine could listen to.
        manager = {"transport": "ipc", "ip": f"{sockets}/kernel"}
        client = NotebookClient(
            notebook,
            timeout=_PATIENCE_S,
            resources={"metadata": {"path": str(section.folder)}},
            config=Config(KernelManager=manager),
        )
        path = os.pathsep.join([str(section.folder.parent), os.environ.get("PYTHONPATH", "")])
        try:
            client.execute(env={**os.environ, "PYTHONPATH": path})
        except (CellExecutionError, CellTimeoutError) as error:
            said = Text.from_ansi(str(error)).plain
            raise LabError(f"{section.number}: a cell of the solutions fails:\n{said}") from None
    times = [_seconds(cell.metadata.pop("execution", {})) for cell in notebook.cells]
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", ()):
            _check(str(output), f"{section.number}: the output of cell {number}")
    return times


def _seconds(execution: Mapping[str, str]) -> float:
    """Give how long a cell ran, from when the kernel said that it began and had ended."""
    if "shell.execute_reply" not in execution:
        return 0.0
    begin, end = (
        datetime.fromisoformat(execution[name])
        for name in ("iopub.execute_input", "shell.execute_reply")
    )
    return (end - begin).total_seconds()


def _check(text: str, what: str) -> None:
    for path in (str(ROOT), str(Path.home())):
        if path != "/" and path in text:
            raise LabError(f"{what} names a path of this machine, {path}")


class _Writer:
    """Collects the cells of one notebook: the page's prose, and the code that belongs between."""

    def __init__(self, section: Section, *, solutions: bool) -> None:
        self.section = section
        self.solutions = solutions
        self.cells: list[NotebookNode] = []
        self._pieces = list(starters.pieces(section))

    def prose(self, text: str) -> None:
        from nbformat.v4 import new_markdown_cell

        self.cells.append(new_markdown_cell(text, id=self._id()))

    def code(self, text: str, *, folded: bool = False) -> None:
        from nbformat.v4 import new_code_cell

        # The first key folds it in JupyterLab, the second on Colab.
        metadata = {"jupyter": {"source_hidden": True}, "cellView": "form"} if folded else {}
        self.cells.append(new_code_cell(text, id=self._id(), metadata=metadata))

    def setup(self) -> None:
        exercises = "/".join(self.section.folder.parent.parts[-2:])
        repository = links.repository() or ""
        self.code(
            _SETUP.format(repository=repository, packages=PACKAGES, exercises=exercises),
            folded=bool(repository),
        )

    def block(self, block: Block) -> None:
        if isinstance(block, Markdown):
            self.prose(block.text)
        elif block.name == "exercise":
            self._exercise(block)
        elif block.name == "interactive":
            self._interactive(block)
        else:
            self.prose(self._text(block))

    def code_up_to(self, exercise: Exercise | None) -> None:
        """Write the code before an exercise's announcement; of None, before the first."""
        if exercise is not None:
            while self._pieces and self._pieces[0] != exercise:
                self._code_of(self._pieces.pop(0))
            self._pieces = self._pieces[1:]
        while self._pieces and not isinstance(self._pieces[0], Exercise):
            self._code_of(self._pieces.pop(0))

    def _code_of(self, piece: "cells.Cell | starters.Calls | Exercise") -> None:
        if isinstance(piece, Exercise):
            raise LabError(
                f"{self.section.solutions}: {piece.name} stands elsewhere than on the page"
            )
        if isinstance(piece, starters.Calls):
            self.code("\n".join(piece.lines))
            return
        text = (
            starters.without_markers(piece.text)
            if self.solutions
            else starters.cut(piece.text, self.section.solutions, piece.line)
        )
        marker, _, code = text.partition("\n")
        if marker.startswith("# %%"):
            self.code(_plain(code))

    def _exercise(self, directive: Directive) -> None:
        exercise = self.section.find(directive.argument.split(",")[0].strip())
        facts = [
            f"difficulty {'🔴' * exercise.difficulty}{'⚪' * (5 - exercise.difficulty)}",
            f"importance {'🔵' * exercise.importance}{'⚪' * (5 - exercise.importance)}",
            f"{exercise.minutes} minutes",
            *(["optional"] if exercise.optional else []),
        ]
        body = [b for b in directive.blocks if not _is(b, "hint")]
        hints = directive.children("hint")
        parts = [f"### Exercise: {exercise.title}", " · ".join(facts), self._inside(body)]
        for number, hint in enumerate(hints, start=1):
            label = f"Hint {number} of {len(hints)}" if len(hints) > 1 else "Hint"
            parts.append(_folded(label, self._inside(hint.blocks)))
        if not self.solutions:
            code = code_of(self.section, exercise).solution
            parts.append(_folded("Solution", f"```python\n{code}\n```"))
        self.prose("\n\n".join(part for part in parts if part))
        self.code_up_to(exercise)

    def _interactive(self, directive: Directive) -> None:
        name = directive.argument
        self.code(f"from {self.section.package}.utils import {name}\n\n{name}()", folded=True)
        caption = self._inside(directive.blocks)
        if caption:
            self.prose(caption)

    def _text(self, block: Block) -> str:
        """Give a directive as Markdown that every notebook shows."""
        if isinstance(block, Markdown):
            return block.text
        title = block.argument
        asked = [b for b in block.blocks if not _is(b, "answer")]
        inside = self._inside(asked)
        match block.name:
            case "figure":
                alt = re.sub(r"[\[\]]", "", block.options["alt"])
                return f"![{alt}]({self._address_of(title)})\n\n{inside}".rstrip()
            case "question":
                answers = [
                    _folded("Answer", self._inside(answer.blocks))
                    for answer in block.children("answer")
                ]
                parts = [f"**Question.** {title}", inside, *answers]
                return "\n\n".join(part for part in parts if part)
            case "objectives":
                return f"**What you will be able to do**\n\n{inside}"
            case "note" | "warning":
                label = title or {"note": "Note", "warning": "Watch out"}[block.name]
                return textwrap.indent(f"**{label}**\n\n{inside}", "> ", lambda line: True)
            case "reading":
                url = block.options.get("url")
                minutes = block.options.get("minutes")
                label = f"[{title}]({url})" if url else title
                label += f" · {minutes} min" if minutes else ""
                return f"**Reading:** {label}\n\n{inside}"
            case "details":
                return _folded(title, inside)
        raise LabError(f"{self.section.page}:{block.line}: `{block.name}` has no form here")

    def _inside(self, blocks: Sequence[Block]) -> str:
        return "\n\n".join(self._text(block) for block in blocks)

    def _address_of(self, drawing: str) -> str:
        png = _draw(self.section.page.parents[2].name, self.section.package, drawing)
        return f"data:image/png;base64,{b64encode(png).decode()}"

    def _id(self) -> str:
        return f"cell-{len(self.cells):03d}"


@functools.cache
def _draw(chapter: str, package: str, name: str) -> bytes:
    """Give a drawing as PNG, for Colab shows neither SVG nor attachments."""
    try:
        theme: Any = importlib.import_module(f"{chapter}.instructions.figures.theme")
    except ModuleNotFoundError as error:
        raise LabError(
            f"the drawings of notebooks need {error.name}, which the container leaves out: "
            "run ./inv notebooks on the host"
        ) from None
    figures = importlib.import_module(f"{chapter}.instructions.figures.{package}").FIGURES
    return theme.as_png(figures[name], theme.LIGHT)


def _is(block: Block, name: str) -> bool:
    return isinstance(block, Directive) and block.name == name


def _folded(label: str, text: str) -> str:
    return f"<details>\n<summary>{_html(label)}</summary>\n\n{text}\n\n</details>"


def _html(label: str) -> str:
    """Give a label's code and emphasis as HTML, for in a summary Markdown is not read."""
    label = re.sub(r"`([^`]*)`", r"<code>\1</code>", label)
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", label)


def _plain(code: str) -> str:
    """Take off what only linters read, and the `if MAIN:` around a whole cell."""
    code = re.sub(r"  # noqa.*$", "", code.strip("\n"), flags=re.M)
    head, _, body = code.partition("\n")
    if head == "if MAIN:" and all(not line or line.startswith("    ") for line in body.split("\n")):
        return textwrap.dedent(body)
    return code


def _text_of(notebook: "NotebookNode") -> str:
    import nbformat

    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"
