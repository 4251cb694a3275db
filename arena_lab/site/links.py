"""Addresses of the site, and of what it links to.

One path and a query, `?section=0.4&page=autograd#heading`: it survives a reload, needs no route in
a proxy, and lets the browser keep one choice of theme for all pages.
"""

import functools
import os
import re
import subprocess
from pathlib import Path
from urllib.parse import quote, urlencode

from arena_lab import paths
from arena_lab.catalogue import Section
from arena_lab.pages import Page


def slug(text: str) -> str:
    """Turn a heading into a part of an address; letters of any script stay."""
    return re.sub(r"[\W]+", "-", text.lower()).strip("-") or "part"


def unique(slugs: list[str]) -> list[str]:
    """Number those that come again."""
    seen: dict[str, int] = {}
    given = []
    for name in slugs:
        seen[name] = seen.get(name, 0) + 1
        given.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return given


def slugs(page: Page) -> list[str]:
    """Give the sub-pages' parts of the address; the first, the section's home, has none."""
    return ["", *unique([slug(subpage.title) for subpage in page.subpages[1:]])]


def to(section: str = "", page: str = "", anchor: str = "") -> str:
    """Give the relative address of a place on the site; without a section, of the home page."""
    query = urlencode({k: v for k, v in (("section", section), ("page", page)) if v})
    return f"?{query}" + (f"#{quote(anchor)}" if anchor else "")


def in_language(address: str, language: str) -> str:
    """Give a place's address in a language; without one it is in the language last chosen."""
    return f"{address}{'&' if len(address) > 1 else ''}lang={language}"


def to_search(words: str) -> str:
    """Give the relative address of what a search finds."""
    return f"?{urlencode({'search': words})}"


def to_exercise(section: Section, page: Page, name: str) -> str:
    """Give the address of an exercise's card."""
    exercise = section.find(name)
    for subpage, part in zip(page.subpages, slugs(page), strict=True):
        if any(getattr(block, "line", 0) == exercise.line for block in subpage.walk()):
            return to(section.number, part, anchor_of(exercise.name))
    return to(section.number)


def anchor_of(exercise: str) -> str:
    """Give the anchor of an exercise's card."""
    return f"exercise-{exercise}"


def in_jupyter(path: Path, heading: str) -> str | None:
    """Give the address of a notebook's heading in JupyterLab, or None where there is none.

    ARENA_LAB_JUPYTER holds JupyterLab's path on the same host, and is set by what starts both.
    """
    root = os.environ.get("ARENA_LAB_JUPYTER")
    if not root:
        return None
    file = quote(str(path.relative_to(paths.ROOT)))
    return f"{root.rstrip('/')}/lab/tree/{file}#{quote(heading.replace(' ', '-'))}"


@functools.cache
def repository() -> str | None:
    """Give the address of the repository's web page, or None if nobody knows one."""
    url = os.environ.get("ARENA_LAB_REPOSITORY")
    if not url:
        command = ["git", "-C", str(paths.ROOT), "remote", "get-url", "origin"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            return None
        url = done.stdout.strip()
    return _web_page(url)


def _web_page(remote: str) -> str | None:
    ssh = re.fullmatch(r"(?:ssh://)?git@([\w.-]+)[:/](.+?)(?:\.git)?/?", remote)
    if ssh:
        return f"https://{ssh[1]}/{ssh[2]}"
    # Without user and password, which a remote may carry.
    web = re.fullmatch(r"(https?://)(?:[^@/]+@)?([\w.:-]+/.+?)(?:\.git)?/?", remote)
    return f"{web[1]}{web[2]}" if web else None


def fork() -> str | None:
    """Give the address where the repository can be forked, if it has a web page."""
    root = repository()
    if root is None:
        return None
    return f"{root}/-/forks/new" if "gitlab" in root else f"{root}/fork"


def source_of(path: Path, line: int = 1) -> str | None:
    """Give the address of a file's source at the repository's web page, if there is one."""
    root = repository()
    if root is None:
        return None
    return f"{root}/blob/HEAD/{quote(str(path.relative_to(paths.ROOT)))}?plain=1#L{line}"
