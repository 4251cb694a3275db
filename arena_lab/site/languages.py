"""The language of the site: which one a reader gets, and what the site itself says in it.

What is said is written in English where it is said; `say` gives it in the reader's language, from
`words.<language>.yaml`. The pages' own words come from arena_lab/translations.py.
"""

import functools
from contextvars import ContextVar
from pathlib import Path

import streamlit as st
import yaml

from arena_lab.translations import LANGUAGES, SOURCE

# Written by script.js when a reader chooses, for the next visit.
COOKIE = "arena-lab-language"

_language: ContextVar[str] = ContextVar("language", default=SOURCE)


@functools.cache
def words(language: str) -> dict[str, str]:
    """Give what the site says in a language, by what it says in English."""
    path = Path(__file__).with_name(f"words.{language}.yaml")
    said = yaml.safe_load(path.read_text(encoding="utf-8")) if language != SOURCE else {}
    return dict(said)


def choose() -> str:
    """Find the reader's language, and let `say` speak it.

    It is the one that the address names, or was chosen before, or that the browser prefers.
    """
    asked = st.query_params.get("lang", "")
    if asked in LANGUAGES:
        st.session_state[COOKIE] = asked
    browser = (st.context.locale or "").partition("-")[0]
    candidates = (st.session_state.get(COOKIE), st.context.cookies.get(COOKIE), browser)
    language = next((each for each in candidates if each in LANGUAGES), SOURCE)
    _language.set(language)
    return language


def say(text: str, **values: object) -> str:
    """Give a text of the site in the reader's language, with its `{values}` put in."""
    return words(_language.get()).get(text, text).format(**values)
