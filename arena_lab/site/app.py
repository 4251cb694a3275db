"""The site: find the place that the address names, and show it with its surroundings."""

import functools
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import streamlit as st

from arena_lab import catalogue, pages, paths
from arena_lab.catalogue import Section
from arena_lab.errors import LabError
from arena_lab.pages import Page, SubPage
from arena_lab.site import links, search, sidebar, status
from arena_lab.site.outline import cut, outline, plain
from arena_lab.site.render import Renderer, shown, trouble
from arena_lab.site.typeset import inline

_HERE = Path(__file__).parent

# How often an open page asks whether a verdict is new; it costs a few calls of stat().
POLL_SECONDS = 1.0


@dataclass
class Course:
    """All sections with their pages and verdicts, and the pages that are broken."""

    sections: list[Section] = field(default_factory=list)
    pages: dict[str, Page] = field(default_factory=dict)
    verdicts: dict[str, status.Verdicts] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def find(self, number: str) -> Section | None:
        """Give the section with this number, if there is one."""
        return next((s for s in self.sections if s.number == number), None)


def load() -> Course:
    """Read what is on disk; files that did not change are not parsed again."""
    course = Course()
    for path in catalogue.page_paths(paths.ROOT):
        try:
            section = catalogue.section_of(path)
            course.pages[section.number] = pages.parse(path)
        except LabError as error:
            course.broken.append(str(error).replace(f"{paths.ROOT}/", ""))
        except (OSError, UnicodeDecodeError) as error:
            course.broken.append(f"{shown(path)}: {error}")
        else:
            course.sections.append(section)
            course.verdicts[section.number] = status.read(section)
    course.sections.sort(key=lambda section: [int(part) for part in section.number.split(".")])
    return course


def main() -> None:
    """Show the page that the address names."""
    course = load()
    seen = status.stamp(course.sections)
    number = st.query_params.get("section", "")
    words = st.query_params.get("search", "")
    part = st.query_params.get("page", "")
    section = None if words else course.find(number)
    page = course.pages[number] if section else None
    parts = links.slugs(page) if page else []

    title = "ARENA Lab"
    if section and page and part in parts:
        title = f"{plain(page.subpages[parts.index(part)].title)} · {section.number}"
    st.set_page_config(page_title=title, page_icon=_HERE / "icon.svg", menu_items={})
    st.html(_HERE / "style.css")
    _script()

    for message in course.broken:
        trouble(f"This page is left out until it is mended: {message}")
    if section and page and part in parts:
        _subpage(course, section, page, parts.index(part))
    else:
        sidebar.show(course.sections, course.verdicts, section, page, words=words)
        st.html(_tools(None) + _elsewhere(course, words, number, part))
    _watch(course.sections, seen)


def _elsewhere(course: Course, words: str, number: str, part: str) -> str:
    section = course.find(number)
    if words:
        return _found(course, words)
    if not number:
        return _home(course)
    if section is None:
        return _not_found(f"There is no section {number!r}.", course)
    return _not_found(f"Section {number} has no page {part!r}.", course, section)


def _script() -> None:
    script = f"window.arenaLabKatex = '{katex()}';\n{(_HERE / 'script.js').read_text()}"
    with st.container(key="lab-script"):
        st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)


@functools.cache
def katex() -> str:
    """Give the address of Streamlit's KaTeX, the one that its style sheet is for."""
    (file,) = (Path(st.__file__).parent / "static/static/js").glob("rehype-katex.*.js")
    return f"static/js/{file.name}"


@st.fragment(run_every=POLL_SECONDS)
def _watch(sections: list[Section], seen: tuple[int, ...]) -> None:
    """Show everything again as soon as a verdict or a page is new."""
    if status.stamp(sections) != seen:
        st.rerun()


def _home(course: Course) -> str:
    done = [
        (section, status.progress_of(section, course.verdicts[section.number]))
        for section in course.sections
    ]
    cards = "".join(_section_card(section, so_far) for section, so_far in done)
    return (
        '<div class="lab-home" data-here="?"><h1>Learn deep learning by writing it</h1>'
        '<p class="lab-lead">Read a page, write the missing function, get a verdict in a blink, '
        "and go on. Everything runs on this machine: the pages, your code, the checks.</p>"
        f"{_next_step(course)}"
        f'<h2>Sections</h2><div class="lab-cards">{cards}</div></div>'
    )


def _found(course: Course, words: str) -> str:
    found = search.find(words, course.sections)
    items = "".join(
        f'<li><a href="{escape(each.place.address)}">{escape(each.place.title)}</a> '
        f'<span class="lab-quiet">{escape(each.place.trail)}</span><p>{each.excerpt}</p></li>'
        for each in found
    )
    count = f"{len(found)} places" if len(found) != 1 else "1 place"
    text = f"{count} with “{escape(words)}”" if found else f"Nothing holds “{escape(words)}”"
    here = escape(links.to_search(words))
    return (
        f'<div class="lab-found" data-here="{here}"><h1>Search</h1><p role="status">{text}.</p>'
        f"<ul>{items}</ul></div>"
    )


def _next_step(course: Course) -> str:
    so_far = [(section, course.verdicts[section.number]) for section in course.sections]
    found = status.next_exercise(so_far)
    if found is None:
        text = "Every exercise has passed." if course.sections else "There are no sections yet."
        return f'<p class="lab-next">{text}</p>'
    section, exercise = found
    page = course.pages[section.number]
    if status.progress_of(section, course.verdicts[section.number]).passed or any(
        status.is_tried(course.verdicts[section.number], e) for e in section.exercises
    ):
        address, verb = links.to_exercise(section, page, exercise.name), "Go on"
        what = f"{escape(exercise.title)} <span>{exercise.minutes} min</span>"
    else:
        address, verb = links.to(section.number), "Start"
        what = f"{section.number} {escape(section.title)}"
    return f'<a class="lab-next" href="{escape(address)}"><b>{verb}</b> {what} →</a>'


def _section_card(section: Section, so_far: status.Progress) -> str:
    left = f", {status.hours(so_far.minutes_left)} left" if so_far.passed else ""
    facts = (
        f'<span class="lab-quiet">{so_far.passed} of {so_far.required} exercises passed · '
        f"{status.hours(so_far.minutes)}{left}</span>{so_far.bar}"
        if so_far.required
        else ""
    )
    return (
        f'<a class="lab-card" href="{escape(links.to(section.number))}">'
        f'<span class="lab-number">{section.number}</span>'
        f"<b>{escape(section.title)}</b>"
        f"<span>{escape(section.summary)}</span>"
        f"{facts}</a>"
    )


def _not_found(message: str, course: Course, section: Section | None = None) -> str:
    if section:
        page = course.pages[section.number]
        places = [
            (links.to(section.number, part), plain(subpage.title))
            for subpage, part in _subpages(page)
        ]
    else:
        places = [(links.to(s.number), f"{s.number} {s.title}") for s in course.sections]
    items = "".join(f'<li><a href="{escape(a)}">{escape(text)}</a></li>' for a, text in places)
    return (
        f'<h1>Not here</h1><p role="alert">{escape(message)} There are:</p><ul>{items}</ul>'
        f'<p><a href="?">Home</a></p>'
    )


def _subpage(course: Course, section: Section, page: Page, index: int) -> None:
    subpage = page.subpages[index]
    parts = cut(subpage)
    sidebar.show(course.sections, course.verdicts, section, page, index, outline(parts))
    renderer = Renderer(section)
    renderer.add(_tools(links.source_of(section.page, subpage.line)) + _top(section))
    if index:
        renderer.add(f"<h1>{inline(subpage.title)}</h1>")
    else:
        required = status.progress_of(section, {})
        renderer.add(
            f"<h1>{section.number} {escape(section.title)}</h1>"
            f'<p class="lab-lead">{escape(section.summary)}</p>'
            f'<p class="lab-quiet">{required.required} exercises · '
            f"{status.hours(required.minutes)}</p>"
        )
    renderer.show(parts)
    renderer.add(_neighbours(course, section, index))
    renderer.close()
    for draw in renderer.slow:
        draw()


def _tools(source: str | None) -> str:
    """Give what stands at the top right of every page; `source` is None where there is none."""
    found = [("source", source), ("fork", links.fork())]
    items = "".join(
        f'<a href="{escape(address)}" target="_blank" rel="noreferrer">{name} ↗</a>'
        for name, address in found
        if address
    )
    mode = (
        '<button type="button" class="lab-mode" title="Light or dark ( d )" '
        'aria-label="Light or dark">◐</button>'
    )
    return f'<div class="lab-tools">{items}{mode}</div>'


def _top(section: Section) -> str:
    address = escape(links.to(section.number))
    return (
        '<nav class="lab-top" aria-label="Above this page"><a href="?">Home</a> › '
        f'<a href="{address}">{section.number} {escape(section.title)}</a></nav>'
    )


def _neighbours(course: Course, section: Section, index: int) -> str:
    places = [
        (links.to(each.number, part), plain(subpage.title))
        if part
        else (links.to(each.number), f"{each.number} {each.title}")
        for each in course.sections
        for subpage, part in _subpages(course.pages[each.number])
    ]
    part = links.slugs(course.pages[section.number])[index]
    here = links.to(section.number, part)
    at = [address for address, _ in places].index(here)

    def link(at: int, label: str, css: str) -> str:
        if not 0 <= at < len(places):
            return "<span></span>"
        address, title = places[at]
        return (
            f'<a class="lab-{css}" rel="{css}" href="{escape(address)}" '
            f'title="{label} ( {css[0]} )"><span>{label}</span><b>{escape(title)}</b></a>'
        )

    return (
        '<nav class="lab-neighbours" aria-label="Previous and next page" '
        f'data-here="{escape(here)}">'
        f"{link(at - 1, '← Previous', 'prev')}{link(at + 1, 'Next →', 'next')}</nav>"
    )


def _subpages(page: Page) -> list[tuple[SubPage, str]]:
    return list(zip(page.subpages, links.slugs(page), strict=True))
