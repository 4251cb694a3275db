"""Find words anywhere in the course: in headings, prose, exercises, hints and answers."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from arena_lab.catalogue import Section
from arena_lab.pages import Block, Directive, Markdown, Page
from arena_lab.site import links
from arena_lab.site.outline import Heading, cut, plain

_MOST = 40
_AROUND = 70  # characters of text on each side of a found word


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


def find(words: str, course: Sequence[tuple[Section, Page]]) -> list[Found]:
    """Give the places that hold every word, those with a word in their title first."""
    wanted = words.casefold().split()
    if not wanted:
        return []
    found = []
    for place in (place for section, page in course for place in _places(section, page)):
        title, text = place.title.casefold(), place.text.casefold()
        if all(word in title or word in text for word in wanted):
            in_title = sum(word in title for word in wanted)
            found.append((-in_title, Found(place, _excerpt(place.text, wanted))))
    found.sort(key=lambda pair: pair[0])
    return [each for _, each in found[:_MOST]]


def _places(section: Section, page: Page) -> tuple[Place, ...]:
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
                close(plain(exercise.title), links.anchor_of(exercise.name), _words(block.blocks))
            else:
                texts += _words([block])
        close(title, anchor, texts)
    return tuple(places)


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
    return [re.sub(r"[`*|$]|^#+ |^>|^- |-{3,}", "", text, flags=re.M) for text in texts]


def _excerpt(text: str, wanted: list[str]) -> str:
    at = min((i for word in wanted if (i := text.casefold().find(word)) >= 0), default=0)
    begin, end = max(0, at - _AROUND), at + 2 * _AROUND
    cut_out = ("…" if begin else "") + text[begin:end] + ("…" if end < len(text) else "")
    pattern = "|".join(re.escape(word) for word in sorted(wanted, key=len, reverse=True))
    parts = re.split(f"({pattern})", cut_out, flags=re.I)
    return "".join(
        f"<mark>{escape(part)}</mark>" if i % 2 else escape(part) for i, part in enumerate(parts)
    )
