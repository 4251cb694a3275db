"""Markdown to HTML on the server, once for each text: Streamlit would do it in the browser, anew
for each page that one turns to.

Formulas stay TeX, as `<span class="lab-tex">`; script.js sets them with Streamlit's own KaTeX.
"""

import functools
import itertools
import re
from collections.abc import Sequence
from html import escape
from typing import Any

import pygments
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Literal, Name, _TokenType
from pygments.util import ClassNotFound

from arena_lab.pages import prose_parser

# A formula in a line of so many characters of TeX is not broken; on a phone there is room for it.
_SHORT = 24

# Few colours are calm, and few elements are fast.
_COLOURS = {
    Comment: "comment",
    Keyword: "keyword",
    Name.Builtin: "keyword",
    Name.Function: "name",
    Name.Class: "name",
    Name.Decorator: "name",
    Literal.String: "string",
    Literal.Number: "number",
}


@functools.lru_cache(maxsize=2048)
def blocks(text: str) -> str:
    """Give the HTML of Markdown with paragraphs, lists, tables, code, formulas and HTML."""
    return str(_parser().render(text))


@functools.lru_cache(maxsize=1024)
def inline(text: str) -> str:
    """Give the HTML of one line of Markdown, such as a heading."""
    return str(_parser().renderInline(text))


@functools.lru_cache(maxsize=1024)
def code(source: str, language: str = "python") -> str:
    """Give code with colours and a button that copies it."""
    return (
        f'<div class="lab-code" lang="en"><pre><code>{_coloured(source, language)}</code></pre>'
        '<button type="button" class="lab-copy"></button></div>\n'
    )


def _coloured(source: str, language: str) -> str:
    try:
        lexer = get_lexer_by_name(language or "text", stripnl=False, ensurenl=False)
    except ClassNotFound:
        return escape(source, quote=False)
    tokens = ((_colour(kind), text) for kind, text in pygments.lex(source, lexer))
    parts = []
    for colour, group in itertools.groupby(tokens, lambda token: token[0]):
        text = escape("".join(text for _, text in group), quote=False)
        parts.append(f'<span class="lab-{colour}">{text}</span>' if colour else text)
    return "".join(parts)


@functools.cache
def _colour(kind: _TokenType) -> str:
    return next((colour for base, colour in _COLOURS.items() if kind in base), "")


@functools.cache
def _parser() -> MarkdownIt:
    parser = prose_parser()
    for name in ("math_inline", "math_inline_double", "math_block"):
        parser.add_render_rule(name, _formula)
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("link_open", _link)
    return parser


def _formula(_: Any, tokens: Sequence[Token], at: int, *__: Any) -> str:
    tex = tokens[at].content.strip()
    if tokens[at].type == "math_block":
        return f'<div class="lab-tex lab-display">{escape(tex, quote=False)}</div>'
    html = f'<span class="lab-tex">{escape(tex, quote=False)}</span>'
    if len(tex) > _SHORT:
        return html
    return f'<span class="lab-short">{html}{_take_mark(tokens[at + 1 :])}</span>'


def _take_mark(following: Sequence[Token]) -> str:
    """Take the mark behind a formula, which a browser would put at the start of the next line."""
    if not following or following[0].type != "text":
        return ""
    text = following[0].content
    following[0].content = text.lstrip(".,;:!?)")
    return text.removesuffix(following[0].content)


def _fence(_: Any, tokens: Sequence[Token], at: int, *__: Any) -> str:
    token = tokens[at]
    return code(token.content.removesuffix("\n"), token.info.strip().partition(" ")[0])


def _link(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    token = tokens[at]
    if re.match(r"https?:", str(token.attrs.get("href", ""))):
        token.attrSet("target", "_blank")
        token.attrSet("rel", "noopener noreferrer")
    return str(renderer.renderToken(tokens, at, options, env))
