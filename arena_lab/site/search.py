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
from arena_lab.site.outline import Heading, cut, plain

_MOST = 40
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


def find(words: str, sections: Sequence[Section]) -> list[Found]:
    """Give the places that hold every word, those with a word in their title first."""
    wanted = words.casefold().split()
    if not wanted:
        return []
    found = []
    for place in (place for section in sections for place in _places(section)):
        title, text = place.title.casefold(), place.text.casefold()
        if all(word in title or word in text for word in wanted):
            in_title = sum(word in title for word in wanted)
            found.append((-in_title, Found(place, _excerpt(place.text, wanted))))
    found.sort(key=lambda pair: pair[0])
    return [each for _, each in found[:_MOST]]


def _places(section: Section) -> tuple[Place, ...]:
    files = (section.page, section.solutions)
    return _read(section.page, tuple(f.stat().st_mtime_ns for f in files if f.exists()))


@functools.lru_cache(maxsize=64)
def _read(path: Path, _stamps: tuple[int, ...]) -> tuple[Place, ...]:
    section, page = catalogue.section_of(path), pages.parse(path)
    places: list[Place] = []
    for subpage, part in zip(page.subpages, links.slugs(page), strict=True):
        trail = f"{section.number} {section.title}"
        title, anchor, texts = plain(subpage.title), "", [section.summary] if not part else []

        def close(
            title: str, anchor: str, texts: Iterable[str], trail: str = trail, part: str = part
        ) -> None:
            text = " ".join(" ".join(texts).split())
            address = links.to(section.number, part, anchor)
            places.append(Place(address, trail, title, text))

        for block in cut(subpage):
            if isinstance(block, Heading):
                close(title, anchor, texts)
                title, anchor, texts = plain(block.text), block.anchor, []
            elif isinstance(block, Directive) and block.name == "exercise":
                exercise = section.find(block.argument.split(",")[0].strip())
                words = [*_words(block.blocks), _asked(section, exercise)]
                close(plain(exercise.title), links.anchor_of(exercise.name), words)
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
