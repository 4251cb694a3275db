"""Find words anywhere in the course: headings, prose, exercises with their docstrings, hints."""

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from arena_lab import catalogue, pages
from arena_lab.catalogue import Exercise, Section
from arena_lab.errors import LabError
from arena_lab.pages import Block, Directive, Markdown
from arena_lab.site import links
from arena_lab.site.code import code_of
from arena_lab.site.course import Lesson
from arena_lab.site.outline import Heading, plain

_AROUND = 70  # characters of text on each side of a found word
_FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]+\$", re.S)


@dataclass(frozen=True)
class Place:
    """What stands under one heading, or in one exercise."""

    address: str
    trail: str
    title: str
    text: str


@dataclass(frozen=True)
class Found:
    """A place that has all the words, with some of its text as HTML, the words marked."""

    place: Place
    excerpt: str


def find(words: str, lessons: Sequence[Lesson]) -> list[Found]:
    """Give the places that hold every word, those with a word in their title first."""
    wanted = words.casefold().split()
    if not wanted:
        return []
    found = []
    for place in (place for lesson in lessons for place in _places(lesson)):
        title, text = place.title.casefold(), place.text.casefold()
        if all(word in title or word in text for word in wanted):
            in_title = sum(word in title for word in wanted)
            found.append((-in_title, Found(place, _excerpt(place.text, wanted))))
    found.sort(key=lambda pair: pair[0])
    return [each for _, each in found]


def _places(lesson: Lesson) -> tuple[Place, ...]:
    files = (lesson.source.path, lesson.text.path, lesson.section.solutions)
    stamps = tuple(file.stat().st_mtime_ns for file in files if file.exists())
    return _read(lesson.source.path, lesson.text.path, stamps)


@functools.lru_cache(maxsize=64)
def _read(source: Path, text: Path, _stamps: tuple[int, ...]) -> tuple[Place, ...]:
    lesson = Lesson(catalogue.section_of(source), pages.parse(source), pages.parse(text), {})
    section = lesson.section
    places: list[Place] = []
    for index, (part, (_, title)) in enumerate(zip(lesson.slugs, lesson.subpages, strict=True)):
        trail = f"{section.number} {lesson.title}"
        anchor, texts = "", [] if part else [lesson.summary]

        def close(
            title: str, anchor: str, texts: Iterable[str], trail: str = trail, part: str = part
        ) -> None:
            text = " ".join(" ".join(texts).split())
            address = links.to(section.number, part, anchor)
            places.append(Place(address, trail, title, text))

        for block in lesson.parts(index):
            if isinstance(block, Heading):
                close(title, anchor, texts)
                title, anchor, texts = plain(block.text), block.anchor, []
            elif isinstance(block, Directive) and block.name == "exercise":
                exercise = section.find(block.argument.split(",")[0].strip())
                name = block.options.get("title") or exercise.title
                words = [*_words(block.blocks), _asked(section, exercise)]
                close(plain(name), links.anchor_of(exercise.name), words)
            else:
                texts += _words([block])
        close(title, anchor, texts)
    return tuple(places)


def _asked(section: Section, exercise: Exercise) -> str:
    try:
        return code_of(section, exercise).signature
    except LabError:  # said on the card itself
        return ""


def _words(blocks: Iterable[Block]) -> list[str]:
    """Give the readable text of blocks, without Markdown's marks."""
    texts = []
    for block in blocks:
        if isinstance(block, Markdown):
            texts.append(block.text)
        else:
            if block.name not in ("figure", "interactive"):
                texts.append(block.argument)
            texts += [block.options.get("alt", ""), *_words(block.blocks)]
    texts = [_FORMULA.sub(_readable, text) for text in texts]
    return [re.sub(r"[`*|$]|^#+ |^>|^- |-{3,}", "", text, flags=re.M) for text in texts]


def _readable(formula: re.Match[str]) -> str:
    return "…" if "\\" in formula[0] else formula[0]


def _excerpt(text: str, wanted: list[str]) -> str:
    at = min((i for word in wanted if (i := text.casefold().find(word)) >= 0), default=0)
    begin, end = max(0, at - _AROUND), at + 2 * _AROUND
    cut_out = ("…" if begin else "") + text[begin:end] + ("…" if end < len(text) else "")
    pattern = "|".join(re.escape(word) for word in sorted(wanted, key=len, reverse=True))
    parts = re.split(f"({pattern})", cut_out, flags=re.I)
    return "".join(
        f"<mark>{escape(part)}</mark>" if i % 2 else escape(part) for i, part in enumerate(parts)
    )
