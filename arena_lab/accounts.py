"""Who is in a class: a file with one name a line, which the teacher writes.

Read by `./inv class` and by the hub: standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from arena_lab.errors import LabError

# Folders, volumes and addresses are named after them.
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


@dataclass(frozen=True)
class Account:
    """One who may log in."""

    name: str
    is_teacher: bool


def parse(text: str, where: str) -> dict[str, Account]:
    """Read the text of the file.

    Args:
        text: A name a line, with the word `teacher` behind it for a teacher; `#` begins a comment.
        where: The file's name, for a message.

    Raises:
        LabError: A line is no name, or one stands there twice.
    """
    found: dict[str, Account] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        name = check_name(words[0].lower(), f"{where}:{number}: ")
        if words[1:] not in ([], ["teacher"]):
            raise LabError(f"{where}:{number}: behind {name} may stand only the word teacher")
        if name in found:
            raise LabError(f"{where}:{number}: {name} stands there twice")
        found[name] = Account(name, is_teacher=words[1:] == ["teacher"])
    return found


def check_name(name: str, where: str = "") -> str:
    """Give a name that can be an account's.

    Raises:
        LabError: It cannot.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise LabError(
            f"{where}{name!r} cannot be a name: small letters, digits and . _ @ + - are allowed,"
            " 64 at most, the first a letter or digit"
        )
    return name


def read(path: Path) -> dict[str, Account]:
    """Read the file.

    Raises:
        LabError: It is not there or cannot be read, or a line is wrong.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise LabError(
            f"there is no {path}: write it, a name a line, or run: ./inv class add NAME ..."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"cannot read {path}: {error}") from None
