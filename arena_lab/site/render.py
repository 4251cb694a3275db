"""Show the parts of a sub-page as HTML: prose, and each directive in its own way."""

import functools
import importlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime import get_instance

from arena_lab import paths
from arena_lab.catalogue import Exercise, Section, make_importable
from arena_lab.errors import LabError
from arena_lab.pages import Block, Directive, Markdown
from arena_lab.site import links
from arena_lab.site.code import code_of
from arena_lab.site.languages import say
from arena_lab.site.outline import Heading, Part, plain
from arena_lab.site.typeset import blocks, code, inline


@dataclass
class Renderer:
    """Shows the parts of one sub-page, in as few of Streamlit's elements as it takes.

    Each element costs the browser milliseconds, so all of a page is one, but for the figures that
    need plotly. It holds no verdict: a new one changes nothing here, and what a reader unfolded
    stays so. Script.js puts the verdicts in, from the sidebar.

    `slow` holds what may take long (importing a section's `utils`): the caller does it last, when
    the rest of the page is there to be read.
    """

    section: Section
    questions: dict[int, str]  # by their lines: what own answers are kept by
    language: str
    slow: list[Callable[[], None]] = field(default_factory=list)
    _waiting: list[str] = field(default_factory=list)
    _has_headings: bool = False

    def add(self, html: str) -> None:
        """Show HTML, together with what comes before and after it."""
        self._waiting.append(html)

    def show(self, parts: Sequence[Part]) -> None:
        """Show parts one after the other."""
        for part in parts:
            if isinstance(part, Directive) and part.name == "interactive":
                self.close()
                self._interactive(part)
            else:
                self.add(self._html(part))

    def close(self) -> None:
        """Send what was added."""
        if self._waiting:
            html = "".join(self._waiting)
            st.html(f'<div class="lab-text" lang="{self.language}">{html}</div>')
            self._waiting.clear()

    def _html(self, part: Part) -> str:
        if isinstance(part, Heading):
            self._has_headings = True
            tag = f"h{part.level}"
            return f'<{tag} data-anchor="{escape(part.anchor)}">{inline(part.text)}</{tag}>'
        if isinstance(part, Markdown):
            return blocks(part.text)
        return str(getattr(self, f"_{part.name}")(part))

    def _inside(self, parts: Iterable[Block]) -> str:
        return "".join(self._html(part) for part in parts)

    def _exercise(self, directive: Directive) -> str:
        exercise = self.section.find(directive.argument.split(",")[0].strip())
        body = [block for block in directive.blocks if not _is(block, "hint")]
        hints = directive.children("hint")
        labels = (
            [
                say("Hint {number} of {count}", number=number, count=len(hints))
                for number in range(1, len(hints) + 1)
            ]
            if len(hints) > 1
            else [say("Hint")]
        )
        title = directive.options.get("title") or exercise.title
        parts = [self._head(exercise, title), self._inside(body)]
        folded = [
            _folded("hint", label, self._inside(hint.blocks))
            for label, hint in zip(labels, hints, strict=False)
        ]
        try:
            found = code_of(self.section, exercise)
        except LabError as error:
            fault = say("The code of this exercise cannot be shown: {fault}", fault=error)
            parts.append(_trouble(fault))
        else:
            parts.append(code(found.signature))
            folded.append(_solution(found.solution))
        return f'<section class="lab-exercise">{"".join(parts + folded)}</section>'

    def _head(self, exercise: Exercise, title: str) -> str:
        facts = [
            _dots(say("difficulty"), exercise.difficulty, "red"),
            _dots(say("importance"), exercise.importance, "blue"),
            f"<span>{say('{count} min', count=exercise.minutes)}</span>",
        ]
        if exercise.optional:
            facts.append(f'<span class="lab-optional">{say("optional")}</span>')
        notebook = links.in_jupyter(self.section.answers, exercise.title)
        if notebook:
            opens = say("open in JupyterLab")
            facts.append(f'<a href="{escape(notebook)}" target="_blank">{opens} ↗</a>')
        else:
            facts.append(f"<code>{escape(shown(self.section.answers))}</code>")
        anchor = escape(links.anchor_of(exercise.name))
        # No level of headings is left out: under the page's title alone, a card is of the second.
        tag = "h3" if self._has_headings else "h2"
        return (
            f'<{tag} data-anchor="{anchor}">{escape(plain(title))}</{tag}>'
            f'<div class="lab-facts">{"".join(facts)}</div>'
            f'<div class="lab-verdict" role="status" data-exercise="{escape(exercise.name)}"></div>'
        )

    def _question(self, directive: Directive) -> str:
        asked = [block for block in directive.blocks if not _is(block, "answer")]
        answers = [
            _folded("answer", say("Answer"), self._inside(answer.blocks))
            for answer in directive.children("answer")
        ]
        key = f"{self.section.number} {self.questions[directive.line]}"
        own = (
            f'<textarea class="lab-own" data-key="{escape(key)}" rows="2" '
            f'aria-label="{say("Your own answer")}" '
            f'placeholder="{say("Your own answer first. It stays in this browser.")}"></textarea>'
        )
        words = f"<p><strong>{inline(directive.argument)}</strong></p>{self._inside(asked)}{own}"
        return _box("question", say("Question"), words + "".join(answers))

    def _objectives(self, directive: Directive) -> str:
        return _box(
            "objectives", say("What you will be able to do"), self._inside(directive.blocks)
        )

    def _note(self, directive: Directive) -> str:
        return _box("note", directive.argument or say("Note"), self._inside(directive.blocks))

    def _warning(self, directive: Directive) -> str:
        return _box(
            "warning", directive.argument or say("Watch out"), self._inside(directive.blocks)
        )

    def _reading(self, directive: Directive) -> str:
        title, url = directive.argument, directive.options.get("url", "")
        if re.match(r"https?://[^\s<>]+$", url):
            title = f"[{title} ↗](<{url}>)"
        minutes = directive.options.get("minutes")
        label = say("Reading: {title}", title=title)
        if minutes:
            label += f" · {say('{count} min', count=minutes)}"
        return _box("reading", label, self._inside(directive.blocks))

    def _details(self, directive: Directive) -> str:
        return _folded("details", directive.argument, self._inside(directive.blocks))

    def _figure(self, directive: Directive) -> str:
        folder = self.section.page.parents[1] / "media" / self.section.number
        files = [folder / f"{directive.argument}.{theme}.svg" for theme in ("light", "dark")]
        alt = directive.options["alt"]
        missing = [shown(file) for file in files if not file.is_file()]
        drawing = (
            _trouble(say("No drawing {files}. It shows: {alt}", files=", ".join(missing), alt=alt))
            if missing
            else "".join(_image(file, alt) for file in files)
        )
        caption = self._inside(directive.blocks)
        if caption:
            caption = f"<figcaption>{caption}</figcaption>"
        return f'<figure class="lab-drawing">{drawing}{caption}</figure>'

    def _interactive(self, directive: Directive) -> None:
        key = f"interactive-{self.section.number.replace('.', '-')}-{directive.line}"
        with st.container(key=key):
            st.html(f'<p class="lab-hidden">{escape(directive.options["alt"])}</p>')
            slot = st.empty()
            slot.html(f'<p class="lab-quiet">{say("The figure is being drawn…")}</p>')
            if directive.blocks:
                caption = self._inside(directive.blocks)
                text = f'<div class="lab-text lab-caption" lang="{self.language}">{caption}</div>'
                st.html(text)

        def draw() -> None:
            try:
                figure = _plot(self.section, directive.argument)
            except Exception as error:  # whatever the section's own code raises
                with slot:
                    file = shown(self.section.folder / "utils.py")
                    place = f"{file}: {directive.argument}()"
                    fault = say("{place} cannot draw its figure: {fault}", place=place, fault=error)
                    trouble(fault)
                return
            slot.plotly_chart(figure, key=f"{key}-plot", config={"displaylogo": False})

        self.slow.append(draw)


def _box(name: str, label: str, html: str) -> str:
    return (
        f'<div class="lab-box lab-{name}"><div class="lab-label">{inline(label)}</div>{html}</div>'
    )


def _folded(name: str, label: str, html: str) -> str:
    return f'<details class="lab-{name}"><summary>{inline(label)}</summary>{html}</details>'


def _solution(source: str) -> str:
    """Give our code; before the first try the page warns, and a click more shows it."""
    warning = say(
        "You have not tried this one yet. A try of your own, even a wrong one, teaches more "
        "than reading ours: look at the hints first."
    )
    anyway = _folded("anyway", say("Show the solution anyway"), code(source))
    return _folded("solution", say("Solution"), f'<p class="lab-untried">{warning}</p>{anyway}')


def trouble(text: str) -> None:
    """Show a fault of the course on its page, as text."""
    st.html(_trouble(text))


def _trouble(text: str) -> str:
    return f'<div class="lab-trouble" role="alert">{escape(" ".join(text.split()))}</div>'


def shown(path: Path) -> str:
    """Give a path as a person looks for it: from the root of the checkout."""
    return str(path.relative_to(paths.ROOT)) if path.is_relative_to(paths.ROOT) else str(path)


def _is(block: Block, name: str) -> bool:
    return isinstance(block, Directive) and block.name == name


def _dots(label: str, number: int, colour: str) -> str:
    of_five = say("{number} of 5", number=number)
    return (
        f'<span>{label} <span class="lab-dots lab-{colour}" role="img" '
        f'aria-label="{of_five}" title="{of_five}">{"●" * number}'
        f'<span class="lab-off">{"●" * (5 - number)}</span></span></span>'
    )


def _image(file: Path, alt: str) -> str:
    theme = file.suffixes[-2].strip(".")
    data, width, height = _drawing(file, file.stat().st_mtime_ns)
    size = f' width="{width}" height="{height}"' if width else ""
    # Served by Streamlit as long as the page is open, and kept by the browser; inside the page it
    # would be sent, cleaned and decoded again with every turn of the pages.
    source = get_instance().media_file_mgr.add(data, "image/svg+xml", str(file)).lstrip("/")
    return (
        f'<img class="lab-figure lab-{theme}" src="{source}" loading="lazy" '
        f'alt="{escape(alt)}"{size}>'
    )


@functools.lru_cache(maxsize=256)
def _drawing(file: Path, _mtime: int) -> tuple[bytes, int, int]:
    """Give a drawing with its size in pixels (0 where it has no view box)."""
    data = file.read_bytes()
    box = re.search(rb'viewBox="[\d.-]+[ ,]+[\d.-]+[ ,]+([\d.]+)[ ,]+([\d.]+)"', data)
    # Points to pixels, as browsers do.
    width, height = (round(float(side) * 4 / 3) for side in box.groups()) if box else (0, 0)
    return data, width, height


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
