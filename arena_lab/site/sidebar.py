"""The sidebar: sections, sub-pages, what is on the page, and how far the learner has come."""

from html import escape

import streamlit as st

from arena_lab.checking import NOT_STARTED
from arena_lab.site import links, status
from arena_lab.site.course import Lesson
from arena_lab.site.languages import say
from arena_lab.site.outline import Heading, plain


def show(
    lessons: list[Lesson],
    lesson: Lesson | None = None,
    index: int | None = None,
    outline: list[Heading] | None = None,
    words: str = "",
) -> None:
    """Show the sidebar for one place: the current section, sub-page and its outline, if any.

    `words` is what was searched for.
    """
    html = '<a class="lab-brand" href="?">ARENA Lab</a>'
    html += (
        '<form class="lab-search" role="search"><input type="search" name="search" required '
        f'placeholder="{say("Search")}" aria-label="{say("Search the course")}" '
        f'title="{say("Search ( / )")}" value="{escape(words)}"></form>'
    )
    html += _sections(lessons, lesson)
    if lesson:
        html += _subpages(lesson, index)
        if outline:
            html += _outline(outline, lesson.verdicts)
            html += _verdicts(outline, lesson.verdicts)
        so_far = lesson.progress
        passed = say(
            "{passed} of {required} passed", passed=so_far.passed, required=so_far.required
        )
        html += f'<div class="lab-progress"><span>{passed}</span>{so_far.bar}</div>'
    keys = {"/": say("search"), "n": say("next"), "p": say("previous"), "d": say("light or dark")}
    shown = " ".join(f"<kbd>{key}</kbd> {what}" for key, what in keys.items())
    html += f'<p class="lab-keys">{shown}</p>'
    with st.sidebar:
        st.html(f'<nav class="lab-nav" aria-label="{say("Course")}">{html}</nav>')


def _sections(lessons: list[Lesson], current: Lesson | None) -> str:
    items = []
    for lesson in lessons:
        so_far = lesson.progress
        mark = "✓" if so_far.required and so_far.passed == so_far.required else ""
        items.append(
            f'<li><a href="{escape(links.to(lesson.number))}"{_current(lesson is current)}>'
            f'<span class="lab-number">{lesson.number}</span>{escape(lesson.title)}'
            f'<span class="lab-mark">{mark}</span></a></li>'
        )
    return f'<ul class="lab-sections">{"".join(items)}</ul>'


def _subpages(lesson: Lesson, index: int | None) -> str:
    items = []
    for i, (address, name) in enumerate(lesson.subpages):
        title = name if i else say("Overview")
        here = _current(i == index)
        items.append(f'<li><a href="{escape(address)}"{here}>{escape(title)}</a></li>')
    return f'<p>{escape(lesson.title)}</p><ul class="lab-subpages">{"".join(items)}</ul>'


def _outline(outline: list[Heading], verdicts: status.Verdicts) -> str:
    items = []
    for heading in outline:
        mark = ""
        if heading.exercise:
            state = status.of(verdicts, heading.exercise)
            mark = (
                f'<span class="lab-mark lab-{state.replace(" ", "-")}" title="{say(state)}">'
                f'{status.MARKS[state] or "○"}<span class="lab-hidden"> {say(state)}</span></span>'
            )
        title = escape(plain(heading.text))
        items.append(
            f'<li class="lab-level-{heading.level}"><a href="#{escape(heading.anchor)}">'
            f"<span>{title}</span>{mark}</a></li>"
        )
    return f'<p>{say("On this page")}</p><ul class="lab-outline">{"".join(items)}</ul>'


def _verdicts(outline: list[Heading], verdicts: status.Verdicts) -> str:
    """Give the verdicts of a page's cards, where script.js takes them from."""
    badges = "".join(
        f'<div data-of="{escape(each.exercise)}" '
        f'data-tried="{status.of(verdicts, each.exercise) != NOT_STARTED}">'
        f"{status.badge(verdicts, each.exercise)}</div>"
        for each in outline
        if each.exercise
    )
    return f'<div class="lab-verdicts">{badges}</div>'


def _current(is_here: bool) -> str:
    return ' aria-current="page"' if is_here else ""
