"""The course in other languages: `pages/<language>/` holds pages of the same names and structure.

The English page is the source: what differs from it, apart from its words, is a fault.
"""

import functools
import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from markdown_it.token import Token

from arena_lab import pages
from arena_lab.errors import LabError
from arena_lab.pages import Block, Directive, Markdown, Page
from arena_lab.paths import write_atomically

SOURCE = "en"
LANGUAGES = {SOURCE: "English", "zh": "中文"}

_TRANSLATED_OPTIONS = frozenset({"alt", "title"})
_SAME_ARGUMENT = frozenset({"exercise", "figure", "interactive"})
_HAN = r"[\u4e00-\u9fff]"
_HALF_WIDTH = re.compile(rf"{_HAN}[,;:!?]|{_HAN}\.(?=\s|$)|{_HAN}\(|\){_HAN}")
_QUOTED = re.compile(r"“[^”]*”|《[^》]*》")
_LEFT_IN_ENGLISH = re.compile(r"(?:\b[A-Za-z][a-z'’]*\b[ ,]+){9,}")


def path_of(page: Path, language: str) -> Path:
    """Give the file of an English page in another language, whether it exists or not."""
    return page.parent / language / page.name


def paths_of(page: Path) -> list[Path]:
    """Give the files of an English page in every other language."""
    return [path_of(page, language) for language in LANGUAGES if language != SOURCE]


def stamp(page: Path) -> str:
    """Give what a translation notes of the English page that it was made from."""
    return hashlib.sha256(page.read_bytes()).hexdigest()[:12]


def is_current(page: Path, translated: Page) -> bool:
    """Tell whether the English page is still the one that was translated."""
    return str(translated.meta.get("translates", "")) == stamp(page)


def set_stamp(translated: Path, page: Path) -> None:
    """Note in a translation that it says what the English page says now."""
    pages.parse(translated)  # there is front matter
    _, front, body = translated.read_text(encoding="utf-8").split("---\n", 2)
    kept = "".join(line for line in front.splitlines(True) if not line.startswith("translates:"))
    write_atomically(translated, f'---\n{kept}translates: "{stamp(page)}"\n---\n{body}')


def faults(page: Path) -> list[str]:
    """Give all that is wrong with the translations of an English page, with file and line."""
    found = []
    for translated in paths_of(page):
        if not translated.is_file():
            found.append(f"{translated}: missing; it translates {page}")
            continue
        differs = differences(page, translated)
        found += differs
        if not differs and not is_current(page, pages.parse(translated)):
            found.append(
                f"{translated}:1: {page.name} has changed since; bring this up to date, then run "
                f"./inv translations --stamp {pages.parse(page).meta['section']}"
            )
    return found


def differences(page: Path, translated: Path) -> list[str]:
    """Give where a translation differs from its page in more than words, with file and line."""
    try:
        ours, theirs = pages.parse(page), pages.parse(translated)
    except LabError as error:
        return [str(error)]
    found = [
        f"{translated}:1: `{key}` must be {ours.meta[key]!r}"
        for key in ("section", "exercises")
        if theirs.meta[key] != ours.meta[key]
    ]
    if len(ours.subpages) != len(theirs.subpages):
        titles = [subpage.title for subpage in ours.subpages[1:]]
        return [*found, f"{translated}:1: the headings of the first level must be {titles}"]
    for mine, other in zip(ours.subpages, theirs.subpages, strict=True):
        found += _compare(mine.blocks, other.blocks, translated, other.line)
    return found


def read(page: Page, language: str) -> Page:
    """Give a page in another language, or the page itself where there is none that fits it.

    One that fits has the same headings and directives: an address leads to the same place in both.
    """
    path = path_of(page.path, language)
    if language == SOURCE or not path.is_file():
        return page
    stamps = tuple(each.stat().st_mtime_ns for each in (page.path, path))
    return _read(page.path, path, stamps) or page


@functools.lru_cache(maxsize=64)
def _read(page: Path, path: Path, _stamps: tuple[int, ...]) -> Page | None:
    try:
        ours, theirs = pages.parse(page), pages.parse(path)
    except (LabError, OSError, UnicodeDecodeError):
        return None
    return theirs if _skeleton(ours) == _skeleton(theirs) else None


def _skeleton(page: Page) -> list[object]:
    return [_shape(subpage.blocks) for subpage in page.subpages]


def _shape(blocks: Sequence[Block]) -> list[object]:
    shape: list[object] = []
    for block in blocks:
        if isinstance(block, Directive):
            argument = block.argument if block.name in _SAME_ARGUMENT else bool(block.argument)
            shape.append((block.name, argument, _shape(block.blocks)))
        else:
            shape += pages.headings(block.text)
    return shape


def _compare(
    ours: Sequence[Block], theirs: Sequence[Block], path: Path, line: int
) -> Iterator[str]:
    for mine, other in itertools.zip_longest(ours, theirs):
        if other is None:
            yield f"{path}:{line}: after this, {_named(mine)} of line {mine.line} is missing"
            return
        line = other.line
        if mine is None or _named(mine) != _named(other):
            wanted = "nothing" if mine is None else f"{_named(mine)} of line {mine.line}"
            yield f"{path}:{line}: {_named(other)}, where the English page has {wanted}"
            return
        where = f"{path}:{line}"
        if isinstance(mine, Directive) and isinstance(other, Directive):
            yield from _compare_directives(mine, other, where)
            yield from _compare(mine.blocks, other.blocks, path, line)
        elif isinstance(mine, Markdown) and isinstance(other, Markdown):
            yield from _compare_prose(mine.text, other.text, where)


def _named(block: Block) -> str:
    return f"`{block.name}`" if isinstance(block, Directive) else "prose"


def _compare_directives(mine: Directive, other: Directive, where: str) -> Iterator[str]:
    same = mine.name in _SAME_ARGUMENT
    if mine.argument != other.argument if same else bool(mine.argument) != bool(other.argument):
        yield f"{where}: the argument of `{mine.name}` must be {mine.argument!r}"
    for key in sorted(set(mine.options) | set(other.options)):
        value = mine.options.get(key)
        if key not in other.options or value is None:
            yield f"{where}: `{mine.name}` must have the same options: {key}"
        elif key not in _TRANSLATED_OPTIONS and value != other.options[key]:
            yield f"{where}: the option `{key}` must be {value!r}"
    # The arguments of `reading` are works, with the titles that they have.
    argument = "" if same or other.name == "reading" else other.argument
    for text in (argument, other.options.get("alt", ""), other.options.get("title", "")):
        yield from _faults(text, where)


def _compare_prose(mine: str, other: str, where: str) -> Iterator[str]:
    for what, ours, theirs in zip(_KINDS, _content(mine), _content(other), strict=True):
        if ours != theirs:
            missing, added = _minus(ours, theirs), _minus(theirs, ours)
            yield f"{where}: {what} differ: missing {missing}, added {added}"
    yield from _faults(other, where)


_KINDS = ("headings, lists, tables and code blocks", "code in the text", "formulas", "links")


def _content(text: str) -> tuple[list[str], list[str], list[str], list[str]]:
    tokens = _parser().parse(text)
    structure = [
        f"{token.tag or token.type} {token.info}{token.content}".strip()
        for token in tokens
        if token.type in ("heading_open", "fence", "list_item_open", "tr_open", "td_open")
        or token.type == "blockquote_open"
    ]
    inside = [child for token in tokens for child in token.children or []]
    code = {child.content for child in inside if child.type == "code_inline"}
    formulas = {
        _formula(token.content) for token in [*tokens, *inside] if token.type.startswith("math_")
    }
    links = {
        str(child.attrs.get("href") or child.attrs.get("src"))
        for child in inside
        if child.type in ("link_open", "image")
    }
    return structure, sorted(code), sorted(formulas), sorted(links)


def _formula(tex: str) -> str:
    """Give a formula without its words, and without the marks that end its sentence."""
    return re.sub(r"\\text\{[^}]*\}|\s", "", tex).rstrip(".,;")


def _minus(some: Sequence[str], others: Sequence[str]) -> list[str]:
    left = list(some)
    for each in others:
        if each in left:
            left.remove(each)
    return left


def _faults(text: str, where: str) -> Iterator[str]:
    """Give what a reader of the translation would stumble over."""
    for words in _words(text):
        if "**" in words or re.search(rf"\*{_HAN}|{_HAN}\*", words):
            yield f"{where}: the stars are not read as emphasis in {words!r}"
        if found := _HALF_WIDTH.search(words):
            yield f"{where}: a mark of half width, {found[0]!r}, in {words!r}"
        if found := re.search(rf"{_HAN}\n{_HAN}", words):
            yield f"{where}: a line break, which shows as a space, in {found[0]!r}"
        if found := _LEFT_IN_ENGLISH.search(_QUOTED.sub(" — ", words)):
            yield f"{where}: left in English: {found[0]!r}"


def _words(text: str) -> Iterator[str]:
    """Give the prose of each paragraph, with a space for each piece of code or formula."""
    for token in _parser().parse(text):
        if token.type == "inline":
            yield "".join(map(_plain, token.children or []))


def _plain(token: Token) -> str:
    return {"text": token.content, "softbreak": "\n"}.get(token.type, "" if token.nesting else " ")


# The same as shows it: what it reads here is what a reader sees.
_parser = functools.cache(pages.prose_parser)
