"""The sidebar: sections, sub-pages, what is on the page, and how far the learner has come."""

from html import escape

import streamlit as st

from arena_lab.catalogue import Section
from arena_lab.checking import NOT_STARTED
from arena_lab.pages import Page
from arena_lab.site import links, status
from arena_lab.site.outline import Heading, plain


def show(
    sections: list[Section],
    verdicts: dict[str, status.Verdicts],
    section: Section | None = None,
    page: Page | None = None,
    index: int | None = None,
    outline: list[Heading] | None = None,
    words: str = "",
) -> None:
    """Show the sidebar for one place: the current section, sub-page and its outline, if any.

    `words` is what was searched for.
    """
    html = '<a class="lab-brand" href="?">ARENA Lab</a>'
    html += (
        f'<form class="lab-search" role="search"><input type="search" name="search" required '
        f'placeholder="Search" aria-label="Search the course" title="Search ( / )" '
        f'value="{escape(words)}"></form>'
    )
    html += _sections(sections, verdicts, section)
    if section and page:
        html += _subpages(section, page, index)
        if outline:
            html += _outline(outline, verdicts[section.number])
            html += _verdicts(outline, verdicts[section.number])
        so_far = status.progress_of(section, verdicts[section.number])
        html += (
            f'<div class="lab-progress"><span>{so_far.passed} of {so_far.required} passed'
            f"</span>{so_far.bar}</div>"
        )
    html += (
        '<p class="lab-keys"><kbd>/</kbd> search <kbd>n</kbd> next <kbd>p</kbd> previous '
        "<kbd>d</kbd> light or dark</p>"
    )
    with st.sidebar:
        st.html(f'<nav class="lab-nav" aria-label="Course">{html}</nav>')


def _sections(
    sections: list[Section], verdicts: dict[str, status.Verdicts], current: Section | None
) -> str:
    items = []
    for section in sections:
        so_far = status.progress_of(section, verdicts[section.number])
        mark = "✓" if so_far.required and so_far.passed == so_far.required else ""
        is_here = current is not None and section.number == current.number
        items.append(
            f'<li><a href="{escape(links.to(section.number))}"{_current(is_here)}>'
            f'<span class="lab-number">{section.number}</span>{escape(section.title)}'
            f'<span class="lab-mark">{mark}</span></a></li>'
        )
    return f'<ul class="lab-sections">{"".join(items)}</ul>'


def _subpages(section: Section, page: Page, index: int | None) -> str:
    items = []
    for i, (subpage, part) in enumerate(zip(page.subpages, links.slugs(page), strict=True)):
        title = plain(subpage.title) if i else "Overview"
        address = escape(links.to(section.number, part))
        items.append(f'<li><a href="{address}"{_current(i == index)}>{escape(title)}</a></li>')
    return f'<p>{escape(section.title)}</p><ul class="lab-subpages">{"".join(items)}</ul>'


def _outline(outline: list[Heading], verdicts: status.Verdicts) -> str:
    items = []
    for heading in outline:
        mark = ""
        if heading.exercise:
            state = status.of(verdicts, heading.exercise)
            mark = (
                f'<span class="lab-mark lab-{state.replace(" ", "-")}" title="{state}">'
                f'{status.MARKS[state] or "○"}<span class="lab-hidden"> {state}</span></span>'
            )
        title = escape(plain(heading.text))
        items.append(
            f'<li class="lab-level-{heading.level}"><a href="#{escape(heading.anchor)}">'
            f"<span>{title}</span>{mark}</a></li>"
        )
    return f'<p>On this page</p><ul class="lab-outline">{"".join(items)}</ul>'


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
