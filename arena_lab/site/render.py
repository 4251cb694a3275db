"""Show the parts of a sub-page with Streamlit: prose, and each directive in its own way."""

import functools
import importlib
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from arena_lab import paths
from arena_lab.catalogue import Exercise, Section, make_importable
from arena_lab.errors import LabError
from arena_lab.pages import Block, Directive, Markdown
from arena_lab.site import links, status
from arena_lab.site.code import code_of
from arena_lab.site.outline import Heading, Part, plain


@dataclass
class Renderer:
    """Shows the parts of one sub-page.

    `slow` holds what may take long (importing a section's `utils`): the caller does it last, when
    the rest of the page is there to be read.
    """

    section: Section
    verdicts: status.Verdicts
    slow: list[Callable[[], None]] = field(default_factory=list)

    def show(self, parts: Sequence[Part | Block]) -> None:
        """Show parts one after the other."""
        for part in parts:
            if isinstance(part, Heading):
                heading = st.header if part.level == 2 else st.subheader
                heading(part.text, anchor=part.anchor)
            elif isinstance(part, Markdown):
                st.markdown(part.text)
            else:
                getattr(self, f"_{part.name}")(part)

    def _show_between(self, first: str, blocks: Sequence[Block], last: str = "") -> None:
        """Show blocks with Markdown before and after, in as few elements as it takes.

        Each element costs the browser milliseconds, so prose takes its neighbours along.
        """
        blocks = list(blocks)
        if first and blocks and isinstance(blocks[0], Markdown):
            first = f"{first}\n\n{blocks.pop(0).text}"
        if last and blocks and isinstance(blocks[-1], Markdown):
            last = f"{blocks.pop().text}\n\n{last}"
        if not blocks and first and last:
            first, last = f"{first}\n\n{last}", ""
        if first:
            st.markdown(first)
        self.show(blocks)
        if last:
            st.markdown(last)

    def _key(self, directive: Directive, kind: str = "") -> str:
        number = self.section.number.replace(".", "-")
        return f"{kind or directive.name}-{number}-{directive.line}"

    def _exercise(self, directive: Directive) -> None:
        exercise = self.section.find(directive.argument.split(",")[0].strip())
        try:
            code, fault = code_of(self.section, exercise), None
        except LabError as error:
            code, fault = None, f"The code of this exercise cannot be shown: {error}"
        with st.container(key=self._key(directive), border=True):
            st.html(self._head(exercise))
            body = [block for block in directive.blocks if not _is(block, "hint")]
            self._show_between("", body, f"```python\n{code.signature}\n```" if code else "")
            if fault:
                trouble(fault)
            hints = directive.children("hint")
            for number, hint in enumerate(hints, start=1):
                label = f"Hint {number} of {len(hints)}" if len(hints) > 1 else "Hint"
                with st.expander(label, key=self._key(hint)):
                    self.show(hint.blocks)
            if code:
                self._solution(directive, exercise, code.solution)

    def _head(self, exercise: Exercise) -> str:
        facts = [
            _dots("difficulty", exercise.difficulty, "red"),
            _dots("importance", exercise.importance, "blue"),
            f"<span>{exercise.minutes} min</span>",
        ]
        if exercise.optional:
            facts.append('<span class="lab-optional">optional</span>')
        notebook = links.in_jupyter(self.section.answers, exercise.title)
        if notebook:
            facts.append(f'<a href="{escape(notebook)}" target="_blank">open in JupyterLab ↗</a>')
        else:
            facts.append(f"<code>{escape(shown(self.section.answers))}</code>")
        anchor = escape(links.anchor_of(exercise.name))
        return (
            f'<h3 id="{anchor}">{escape(plain(exercise.title))}</h3>'
            f'<div class="lab-facts">{"".join(facts)}</div>'
            f'<div class="lab-verdict" role="status" data-exercise="{escape(exercise.name)}">'
            f"{status.badge(self.verdicts, exercise.name)}</div>"
        )

    def _solution(self, directive: Directive, exercise: Exercise, solution: str) -> None:
        key = self._key(directive, "solution")
        # The code is sent only when asked for: most pages are read with every solution folded.
        with st.expander("Solution", key=key, on_change="rerun") as folded:
            if not folded.open:
                return
            if not status.is_tried(self.verdicts, exercise):
                st.warning(
                    "You have not tried this one yet. A try of your own, even a wrong one, "
                    "teaches more than reading ours: look at the hints first."
                )
                if not st.toggle("Show the solution anyway", key=f"{key}-anyway"):
                    return
            st.code(solution, language="python")

    def _question(self, directive: Directive) -> None:
        with st.container(key=self._key(directive)):
            asked = [block for block in directive.blocks if not _is(block, "answer")]
            self._show_between(f"Question\n\n**{directive.argument}**", asked)
            for answer in directive.children("answer"):
                with st.expander("Answer", key=self._key(answer)):
                    self.show(answer.blocks)

    def _objectives(self, directive: Directive) -> None:
        self._box(directive, "What you will be able to do")

    def _note(self, directive: Directive) -> None:
        self._box(directive, directive.argument or "Note")

    def _warning(self, directive: Directive) -> None:
        self._box(directive, directive.argument or "Watch out")

    def _reading(self, directive: Directive) -> None:
        title, url = directive.argument, directive.options.get("url", "")
        if re.match(r"https?://[^\s<>]+$", url):
            title = f"[{title} ↗](<{url}>)"
        minutes = directive.options.get("minutes")
        self._box(directive, f"Reading: {title}" + (f" · {minutes} min" if minutes else ""))

    def _box(self, directive: Directive, label: str) -> None:
        # The first paragraph of a box is its label, by style.css.
        with st.container(key=self._key(directive)):
            self._show_between(label, directive.blocks)

    def _details(self, directive: Directive) -> None:
        with st.expander(directive.argument, key=self._key(directive)):
            self.show(directive.blocks)

    def _figure(self, directive: Directive) -> None:
        folder = self.section.page.parents[1] / "media" / self.section.number
        files = [folder / f"{directive.argument}.{theme}.svg" for theme in ("light", "dark")]
        alt = directive.options["alt"]
        missing = [shown(file) for file in files if not file.is_file()]
        with st.container(key=self._key(directive)):
            if missing:
                trouble(f"The drawing {' and '.join(missing)} is missing. It shows: {alt}")
            else:
                st.html("".join(_image(file, alt) for file in files))
            for block in directive.blocks:
                if isinstance(block, Markdown):
                    st.caption(block.text)

    def _interactive(self, directive: Directive) -> None:
        key = self._key(directive)
        with st.container(key=key):
            st.html(f'<p class="lab-hidden">{escape(directive.options["alt"])}</p>')
            slot = st.empty()
            slot.html('<p class="lab-quiet">The figure is being drawn…</p>')
            for block in directive.blocks:
                if isinstance(block, Markdown):
                    st.caption(block.text)

        def draw() -> None:
            try:
                figure = _plot(self.section, directive.argument)
            except Exception as error:  # whatever the section's own code raises
                with slot:
                    where = f"{shown(self.section.folder / 'utils.py')}: {directive.argument}()"
                    trouble(f"The figure of {where} cannot be drawn: {error}")
                return
            slot.plotly_chart(figure, key=f"{key}-plot", config={"displaylogo": False})

        self.slow.append(draw)


def trouble(text: str) -> None:
    """Show a fault of the course on its page, as text."""
    st.html(f'<p class="lab-trouble" role="alert">{escape(text)}</p>')


def shown(path: Path) -> str:
    """Give a path as a person looks for it: from the root of the checkout."""
    return str(path.relative_to(paths.ROOT)) if path.is_relative_to(paths.ROOT) else str(path)


def _is(block: Block, name: str) -> bool:
    return isinstance(block, Directive) and block.name == name


def _dots(label: str, number: int, colour: str) -> str:
    return (
        f'<span>{label} <span class="lab-dots lab-{colour}" role="img" '
        f'aria-label="{number} of 5" title="{number} of 5">{"●" * number}'
        f'<span class="lab-off">{"●" * (5 - number)}</span></span></span>'
    )


def _image(file: Path, alt: str) -> str:
    theme = file.suffixes[-2].strip(".")
    source, width, height = _data_uri(file, file.stat().st_mtime_ns)
    size = f' width="{width}" height="{height}"' if width else ""
    return f'<img class="lab-figure lab-{theme}" src="{source}" alt="{escape(alt)}"{size}>'


@functools.lru_cache(maxsize=256)
def _data_uri(file: Path, _mtime: int) -> tuple[str, int, int]:
    """Give a drawing as an address, with its size in pixels (0 where it has no view box)."""
    data = file.read_bytes()
    box = re.search(rb'viewBox="[\d.-]+[ ,]+[\d.-]+[ ,]+([\d.]+)[ ,]+([\d.]+)"', data)
    # Points to pixels, as browsers do.
    width, height = (round(float(side) * 4 / 3) for side in box.groups()) if box else (0, 0)
    return f"data:image/svg+xml;base64,{b64encode(data).decode()}", width, height


def _plot(section: Section, name: str) -> Any:
    make_importable(section)
    return _plot_of(section.package, name, (section.folder / "utils.py").stat().st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _plot_of(package: str, name: str, mtime: int) -> Any:
    module = importlib.import_module(f"{package}.utils")
    if _loaded.get(package) not in (None, mtime):
        module = importlib.reload(module)
    _loaded[package] = mtime
    return getattr(module, name)()


_loaded: dict[str, int] = {}
