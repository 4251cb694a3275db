"""Cut a sub-page at its headings, so that each has an anchor and a place in the outline."""

import functools
import itertools
import re
from dataclasses import dataclass

from markdown_it import MarkdownIt

from arena_lab.pages import Block, Directive, Markdown, SubPage
from arena_lab.site.links import anchor_of, slug, unique


@dataclass(frozen=True)
class Heading:
    """A heading of level 2 or 3 as Markdown, or an exercise (level 3) with its first name."""

    level: int
    text: str
    anchor: str
    exercise: str = ""


Part = Heading | Markdown | Directive


def cut(subpage: SubPage, source: SubPage | None = None) -> list[Part]:
    """Give headings, prose and directives in the order of the page.

    The anchors of a translation are those of its `source`, that addresses hold in every language.
    """
    parts = _parts(subpage)
    named = _parts(source) if source else parts
    anchors = iter(unique([part.anchor for part in named if isinstance(part, Heading)]))
    return [
        Heading(part.level, part.text, next(anchors)) if isinstance(part, Heading) else part
        for part in parts
    ]


def outline(parts: list[Part]) -> list[Heading]:
    """Give the headings and exercises among the parts, for the list of what is on the page."""
    found = []
    for at, part in enumerate(parts):
        if isinstance(part, Heading):
            found.append(part)
        elif isinstance(part, Directive) and part.name == "exercise":
            names = [name.strip() for name in part.argument.split(",")]
            title = part.options.get("title") or ", ".join(names)
            # Under no heading but the page's own, a card is as high as a heading.
            level = 3 if any(isinstance(each, Heading) for each in parts[:at]) else 2
            found.append(Heading(level, title, anchor_of(names[0]), names[0]))
    return found


def _parts(subpage: SubPage) -> list[Part]:
    return [part for block in subpage.blocks for part in _cut(block)]


def _cut(block: Block) -> list[Part]:
    if isinstance(block, Directive):
        return [block]
    lines = block.text.split("\n")
    parts: list[Part] = []
    start = 0
    tokens = _parser().parse(block.text)
    for token, inline in itertools.pairwise(tokens):
        if token.type != "heading_open" or token.tag not in ("h2", "h3") or not token.map:
            continue
        first, last = token.map
        parts += _prose(lines[start:first], block.line + start)
        parts.append(Heading(int(token.tag[1]), inline.content, slug(plain(inline.content))))
        start = last
    return parts + _prose(lines[start:], block.line + start)


def _prose(lines: list[str], line: int) -> list[Part]:
    text = "\n".join(lines).strip("\n")
    return [Markdown(text, line)] if text.strip() else []


def plain(text: str) -> str:
    """Take code, emphasis and dollars off a heading's Markdown."""
    return re.sub(r"[`*$\\{}]", "", text).strip()


@functools.cache
def _parser() -> MarkdownIt:
    return MarkdownIt("zero").enable(["fence", "heading"])
