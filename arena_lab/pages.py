"""Parse a page of the course: front matter, sub-pages, and MyST directives in their places.

Prose stays Markdown source, for each reader (site, notebook) renders it in its own way; only the
directives of docs/writing-a-section.md are taken apart. A fault names file and line.
"""

import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

from arena_lab.errors import LabError


@dataclass(frozen=True)
class Form:
    """What a directive takes: whether an argument, which options, what it may hold."""

    argument: bool | None = None  # None: may have one
    options: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()


_ASIDES = frozenset({"figure", "note", "warning", "details", "question"})
FORMS = {
    "exercise": Form(
        argument=True,
        options=frozenset({"difficulty", "importance", "minutes", "optional", "title"}),
        required=frozenset({"difficulty", "importance", "minutes"}),
        children=_ASIDES | {"hint"},
    ),
    "hint": Form(children=_ASIDES),
    "question": Form(argument=True, children=_ASIDES | {"answer"}),
    "answer": Form(argument=False, children=_ASIDES),
    "objectives": Form(argument=False),
    "figure": Form(argument=True, options=frozenset({"alt"}), required=frozenset({"alt"})),
    "interactive": Form(argument=True, options=frozenset({"alt"}), required=frozenset({"alt"})),
    "note": Form(children=_ASIDES),
    "warning": Form(children=_ASIDES),
    "reading": Form(argument=True, options=frozenset({"minutes", "url"})),
    "details": Form(argument=True, children=_ASIDES | {"reading"}),
}
_TOP_LEVEL = frozenset(FORMS) - {"hint", "answer"}


class PageError(LabError):
    """A page breaks the form of docs/writing-a-section.md."""


@dataclass(frozen=True)
class Markdown:
    """Prose between directives, as Markdown source."""

    text: str
    line: int


@dataclass(frozen=True)
class Directive:
    """One directive; `blocks` is its body, with the directives inside it."""

    name: str
    argument: str
    options: dict[str, str]
    blocks: tuple["Markdown | Directive", ...]
    line: int

    def children(self, name: str) -> list["Directive"]:
        """Give the directives called `name` that stand directly inside this one."""
        return [b for b in self.blocks if isinstance(b, Directive) and b.name == name]

    @property
    def text(self) -> str:
        """The prose directly inside, without the directives."""
        parts = [b.text for b in self.blocks if isinstance(b, Markdown)]
        return "\n\n".join(part.strip() for part in parts if part.strip())


Block = Markdown | Directive


@dataclass(frozen=True)
class SubPage:
    """What stands under one heading of the first level; the first one is the section's home."""

    title: str
    blocks: tuple[Block, ...]
    line: int

    def walk(self) -> Iterator[Block]:
        """Give every block, the nested ones too, in the order of the page."""
        yield from _walk(self.blocks)


@dataclass(frozen=True)
class Page:
    """A whole page with its front matter."""

    path: Path
    meta: dict[str, Any]
    subpages: tuple[SubPage, ...] = field(default=())

    def directives(self, name: str) -> list[Directive]:
        """Give every directive called `name`, in the order of the page."""
        blocks = (block for subpage in self.subpages for block in subpage.walk())
        return [b for b in blocks if isinstance(b, Directive) and b.name == name]


def parse(path: Path) -> Page:
    """Parse the page at `path`; parsed once as long as the file stays the same.

    Raises:
        PageError: The page breaks the form; the message starts with file and line.
    """
    stat = path.stat()
    return _parse(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=64)
def _parse(path: Path, _mtime: int, _size: int) -> Page:
    text = path.read_text(encoding="utf-8")
    meta, blocks, headings = _split(path, text)
    subpages: list[SubPage] = []
    current: list[Block] = []
    title, start = str(meta["title"]), 1
    for block in blocks:
        if isinstance(block, Markdown) and block.line in headings:
            subpages.append(SubPage(title, tuple(current), start))
            title, start, current = headings[block.line], block.line, []
        else:
            current.append(block)
    subpages.append(SubPage(title, tuple(current), start))
    return Page(path, meta, tuple(subpages))


def headings(text: str) -> list[str]:
    """Give the tags of the headings in prose, such as `h2`."""
    return [token.tag for token in _parser().parse(text) if token.type == "heading_open"]


def prose_parser() -> MarkdownIt:
    """Make the parser of what stands between directives, for who shows it and who compares it."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return parser.use(dollarmath_plugin, allow_labels=False, double_inline=True)


@functools.cache
def _parser() -> MarkdownIt:
    # Only what decides where prose ends: code blocks, headings, directives.
    parser = MarkdownIt("zero").enable(["fence", "heading"])
    return parser.use(colon_fence_plugin).use(front_matter_plugin)


def _split(path: Path, text: str) -> tuple[dict[str, Any], list[Block], dict[int, str]]:
    tokens = _parser().parse(text)
    if not tokens or tokens[0].type != "front_matter":
        raise PageError(f"{path}:1: the page must start with front matter between lines of ---")
    try:
        meta = yaml.safe_load(tokens[0].content) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 1
        raise PageError(f"{path}:{line}: the front matter is not YAML: {error}") from None
    for key in ("section", "title", "exercises", "summary"):
        if not meta.get(key):
            raise PageError(f"{path}:1: the front matter needs `{key}`")
    if not re.fullmatch(r"\d+(\.\d+)*", str(meta["section"])):
        raise PageError(f'{path}:1: `section` must be a number such as "0.4"')
    headings = {
        token.map[0] + 1: tokens[i + 1].content.strip()
        for i, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h1" and token.level == 0 and token.map
    }
    body_start = tokens[0].map[1] if tokens[0].map else 0
    # A heading of the first level is a block of its own, that prose after it keeps its line.
    cuts = {*headings, *(line + 1 for line in headings)}
    blocks = list(_blocks(path, text, 0, _TOP_LEVEL, "the page", body_start, cuts))
    return meta, blocks, headings


def _blocks(
    path: Path,
    text: str,
    offset: int,
    allowed: frozenset[str],
    parent: str,
    start: int = 0,
    cuts: set[int] | None = None,
) -> Iterator[Block]:
    """Cut `text` into prose and directives; `offset` is the file's line before its first."""
    lines = text.split("\n")
    fences = [t for t in _parser().parse(text) if t.type == "colon_fence" and t.map]
    position = start
    for token in fences:
        begin, end = token.map  # type: ignore[misc]
        yield from _prose(lines, position, begin, offset, cuts or set())
        yield _directive(path, token.info, token.content, offset + begin + 1, allowed, parent)
        if lines[end - 1].strip() != token.markup:
            raise PageError(
                f"{path}:{offset + begin + 1}: this directive is not closed by {token.markup}"
            )
        position = end
    yield from _prose(lines, position, len(lines), offset, cuts or set())


def _prose(
    lines: list[str], begin: int, end: int, offset: int, cuts: set[int]
) -> Iterator[Markdown]:
    edges = [begin, *(cut - 1 for cut in sorted(cuts) if begin < cut - 1 < end), end]
    for first, last in itertools.pairwise(edges):
        while first < last and not lines[first].strip():
            first += 1
        text = "\n".join(lines[first:last]).rstrip()
        if text:
            yield Markdown(text, offset + first + 1)


def _directive(
    path: Path, info: str, content: str, line: int, allowed: frozenset[str], parent: str
) -> Directive:
    where = f"{path}:{line}"
    head, _, argument = info.strip().partition(" ")
    name, argument = head.strip("{}"), argument.strip()
    if head != f"{{{name}}}" or name not in FORMS:
        known = ", ".join(sorted(FORMS))
        raise PageError(f"{where}: unknown directive `{head}`; the directives are {known}")
    if name not in allowed:
        raise PageError(f"{where}: `{name}` may not stand inside {parent}")
    form = FORMS[name]
    if form.argument is True and not argument:
        raise PageError(f"{where}: `{name}` needs an argument")
    if form.argument is False and argument:
        raise PageError(f"{where}: `{name}` takes no argument, but has {argument!r}")
    options, n_lines = _options(where, name, content, form)
    body = "\n".join(content.split("\n")[n_lines:])
    blocks = tuple(_blocks(path, body, line + n_lines, form.children, f"`{name}`"))
    return Directive(name, argument, options, blocks, line)


def _options(where: str, name: str, content: str, form: Form) -> tuple[dict[str, str], int]:
    options: dict[str, str] = {}
    n_lines = 0
    for text in content.split("\n"):
        if not text.startswith(":") or ":" not in text[1:] or text.startswith(":::"):
            break
        key, value = text[1:].split(":", 1)
        if key not in form.options:
            known = ", ".join(sorted(form.options)) or "none"
            raise PageError(f"{where}: `{name}` has no option `{key}`; its options: {known}")
        options[key] = value.strip()
        n_lines += 1
    for key in sorted(form.required - set(options)):
        raise PageError(f"{where}: `{name}` needs the option `{key}`")
    return options, n_lines


def _walk(blocks: tuple[Block, ...]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Directive):
            yield from _walk(block.blocks)
