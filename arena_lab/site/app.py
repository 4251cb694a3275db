"""The site: find the place that the address names, and show it with its surroundings."""

import functools
import json
from html import escape
from pathlib import Path

import streamlit as st

from arena_lab import classes, translations
from arena_lab.site import links, search, sidebar, status
from arena_lab.site.course import Course, Lesson, load, stamp
from arena_lab.site.languages import COOKIE, choose, say
from arena_lab.site.outline import outline
from arena_lab.site.render import Renderer, trouble
from arena_lab.site.typeset import inline

_HERE = Path(__file__).parent

# How often an open page asks whether a verdict is new; it costs a few calls of stat().
POLL_SECONDS = 1.0

# How many places a search shows; who finds more adds a word.
_MOST = 40


def main() -> None:
    """Show the page that the address names."""
    language = choose()
    seen = stamp()  # first: what is written while the page is made shows after it
    course = load(language)
    number = st.query_params.get("section", "")
    words = st.query_params.get("search", "")
    part = st.query_params.get("page", "")
    lesson = None if words else course.find(number)
    index = lesson.slugs.index(part) if lesson and part in lesson.slugs else None

    title = "ARENA Lab"
    if lesson and index is not None:
        title = f"{lesson.subpages[index][1]} · {lesson.number}"
    st.set_page_config(page_title=title, page_icon=_HERE / "icon.svg", menu_items={})
    st.html(_HERE / "style.css")
    _script(language)

    for fault in course.faults:
        trouble(fault)
    if lesson and index is not None:
        _subpage(course, lesson, index, language)
    else:
        sidebar.show(course.lessons, lesson, words=words)
        here = links.to_search(words) if words else links.to(number, part)
        st.html(_tools(None, here, language) + _elsewhere(course, words, number, part))
    _watch(seen)


def _elsewhere(course: Course, words: str, number: str, part: str) -> str:
    lesson = course.find(number)
    if words:
        return _found(course, words)
    if not number:
        return _home(course)
    if lesson is None:
        places = [(links.to(each.number), f"{each.number} {each.title}") for each in course.lessons]
        fault = say("There is no section {number}.", number=repr(number))
    else:
        places = lesson.subpages
        fault = say("Section {number} has no page {part}.", number=number, part=repr(part))
    return _not_found(fault, places, links.to(number, part))


def _script(language: str) -> None:
    given = {"katex": katex(), "language": language, "cookie": COOKIE, "copy": say("Copy")}
    script = f"window.arenaLabGiven = {json.dumps(given)};\n{(_HERE / 'script.js').read_text()}"
    with st.container(key="lab-script"):
        st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)


@functools.cache
def katex() -> str:
    """Give the address of Streamlit's KaTeX, the one that its style sheet is for."""
    (file,) = (Path(st.__file__).parent / "static/static/js").glob("rehype-katex.*.js")
    return f"static/js/{file.name}"


@st.fragment(run_every=POLL_SECONDS)
def _watch(seen: tuple[tuple[str, int], ...]) -> None:
    """Show everything again as soon as a verdict or a page is new."""
    if stamp() != seen:
        st.rerun()


def _home(course: Course) -> str:
    cards = "".join(_section_card(lesson) for lesson in course.lessons)
    lead = say(
        "Read a page, write the missing function, get a verdict in a blink, and go on. Everything "
        "runs on this machine: the pages, your code, the checks."
    )
    return (
        f'<div class="lab-home" data-here="?"><h1>{say("Learn deep learning by writing it")}</h1>'
        f'<p class="lab-lead">{lead}</p>{_next_step(course)}'
        f'<h2>{say("Sections")}</h2><div class="lab-cards">{cards}</div></div>'
    )


def _found(course: Course, words: str) -> str:
    found = search.find(words, course.lessons)
    items = "".join(
        f'<li><a href="{escape(each.place.address)}">{escape(each.place.title)}</a> '
        f'<span class="lab-quiet">{escape(each.place.trail)}</span><p>{each.excerpt}</p></li>'
        for each in found[:_MOST]
    )
    shown = escape(words)
    if not found:
        text = say("Nothing holds “{words}”.", words=shown)
    elif len(found) == 1:
        text = say("1 place with “{words}”.", words=shown)
    else:
        text = say("{count} places with “{words}”.", count=len(found), words=shown)
    if len(found) > _MOST:
        text += " " + say("The first {count}:", count=_MOST)
    here = escape(links.to_search(words))
    return (
        f'<div class="lab-found" data-here="{here}"><h1>{say("Search")}</h1>'
        f'<p role="status">{text}</p><ul>{items}</ul></div>'
    )


def _next_step(course: Course) -> str:
    so_far = [(lesson.section, lesson.verdicts) for lesson in course.lessons]
    found = status.next_exercise(so_far)
    if found is None:
        none_left = say("Every exercise has passed.")
        text = none_left if course.lessons else say("There are no sections yet.")
        return f'<p class="lab-next">{text}</p>'
    section, exercise = found
    lesson = next(each for each in course.lessons if each.section is section)
    if lesson.progress.passed or any(
        status.is_tried(lesson.verdicts, each) for each in section.exercises
    ):
        address, verb = links.to_exercise(section, lesson.source, exercise.name), say("Go on")
        minutes = say("{count} min", count=exercise.minutes)
        what = f"{escape(exercise.title)} <span>{minutes}</span>"
    else:
        address, verb = links.to(section.number), say("Start")
        what = f"{section.number} {escape(lesson.title)}"
    return f'<a class="lab-next" href="{escape(address)}"><b>{verb}</b> {what} →</a>'


def _section_card(lesson: Lesson) -> str:
    so_far = lesson.progress
    facts = [so_far.words, status.hours(so_far.minutes)]
    if so_far.passed:
        facts.append(say("{time} left", time=status.hours(so_far.minutes_left)))
    if lesson.due:
        facts.append(say("due {when}", when=classes.moment(lesson.due)))
    return (
        f'<a class="lab-card" href="{escape(links.to(lesson.number))}">'
        f'<span class="lab-number">{lesson.number}</span>'
        f"<b>{escape(lesson.title)}</b>"
        f"<span>{escape(lesson.summary)}</span>"
        + (
            f'<span class="lab-quiet">{" · ".join(facts)}</span>{so_far.bar}'
            if so_far.required
            else ""
        )
        + "</a>"
    )


def _not_found(message: str, places: list[tuple[str, str]], here: str) -> str:
    items = "".join(f'<li><a href="{escape(a)}">{escape(text)}</a></li>' for a, text in places)
    return (
        f'<div data-here="{escape(here)}"><h1>{say("Not here")}</h1>'
        f'<p role="alert">{escape(message)} {say("There are:")}</p>'
        f'<ul>{items}</ul><p><a href="?">{say("Home")}</a></p></div>'
    )


def _subpage(course: Course, lesson: Lesson, index: int, language: str) -> None:
    parts = lesson.parts(index)
    subpage, address = lesson.text.subpages[index], lesson.subpages[index][0]
    sidebar.show(course.lessons, lesson, index, outline(parts))
    own = language if lesson.text is not lesson.source else translations.SOURCE
    renderer = Renderer(lesson.section, lesson.questions, own)
    source = links.source_of(lesson.text.path, subpage.line)
    renderer.add(_tools(source, address, language) + _top(lesson) + _age(lesson, language))
    if index:
        renderer.add(f"<h1>{inline(subpage.title)}</h1>")
    else:
        required = status.progress_of(lesson.section, {})
        facts = [
            say("{count} exercises", count=required.required),
            status.hours(required.minutes),
        ]
        renderer.add(
            f"<h1>{lesson.number} {escape(lesson.title)}</h1>"
            f'<p class="lab-lead">{escape(lesson.summary)}</p>'
            f'<p class="lab-quiet">{" · ".join(facts)}</p>'
        )
    renderer.show(parts)
    renderer.add(_neighbours(course, address))
    renderer.close()
    for draw in renderer.slow:
        draw()


def _age(lesson: Lesson, language: str) -> str:
    """Tell when a translation is missing or old."""
    if language == translations.SOURCE:
        return ""
    if lesson.text is lesson.source:
        text = say("This page is in English: no translation fits it.")
    elif not translations.is_current(lesson.source.path, lesson.text):
        text = say("The English page has changed since this was translated.")
    else:
        return ""
    return f'<p class="lab-quiet" role="note" lang="{language}">{text}</p>'


def _tools(source: str | None, here: str, language: str) -> str:
    """Give what stands at the top right of every page; `source` is None where there is none."""
    found = [(say("source"), source), (say("fork"), links.fork())]
    items = "".join(
        f'<a href="{escape(address)}" target="_blank" rel="noreferrer">{name} ↗</a>'
        for name, address in found
        if address
    )
    items += "".join(
        f'<a class="lab-language" href="{escape(links.in_language(here, each))}" lang="{each}" '
        f'hreflang="{each}">{name}</a>'
        for each, name in translations.LANGUAGES.items()
        if each != language
    )
    mode = (
        f'<button type="button" class="lab-mode" title="{say("Light or dark ( d )")}" '
        f'aria-label="{say("Light or dark")}">◐</button>'
    )
    return f'<div class="lab-tools">{items}{mode}</div>'


def _top(lesson: Lesson) -> str:
    address = escape(links.to(lesson.number))
    return (
        f'<nav class="lab-top" aria-label="{say("Above this page")}">'
        f'<a href="?">{say("Home")}</a> › '
        f'<a href="{address}">{lesson.number} {escape(lesson.title)}</a></nav>'
    )


def _neighbours(course: Course, here: str) -> str:
    places = [
        (address, title if at else f"{lesson.number} {lesson.title}")
        for lesson in course.lessons
        for at, (address, title) in enumerate(lesson.subpages)
    ]
    at = [address for address, _ in places].index(here)

    def link(at: int, label: str, css: str) -> str:
        if not 0 <= at < len(places):
            return "<span></span>"
        address, title = places[at]
        return (
            f'<a class="lab-{css}" rel="{css}" href="{escape(address)}" '
            f'title="{label} ( {css[0]} )"><span>{label}</span><b>{escape(title)}</b></a>'
        )

    both = link(at - 1, say("← Previous"), "prev") + link(at + 1, say("Next →"), "next")
    return (
        f'<nav class="lab-neighbours" aria-label="{say("Previous and next page")}" '
        f'data-here="{escape(here)}">{both}</nav>'
    )
