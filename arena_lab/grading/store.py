"""What came of each submission, in a file of its own: an interrupted run goes on from there."""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from arena_lab import errors
from arena_lab.errors import LabError
from arena_lab.paths import ROOT, write_atomically

Result = dict[str, Any]


def course_files() -> list[Path]:
    """Give the files that grading is done with; nobody's answers are among them."""
    package = Path(errors.__file__).parent
    everything = (
        *package.rglob("*"),
        *ROOT.glob("chapter*/instructions/pages/*.md"),
        *ROOT.glob("chapter*/exercises/**/*"),
    )
    return sorted(path for path in everything if path.is_file() and _is_course(path))


def _is_course(path: Path) -> bool:
    written = path.parent.parent.name == "exercises" and path.name.startswith("answers")
    left = path.name.startswith(".") or path.suffix == ".ipynb" or "__pycache__" in path.parts
    return not written and not left and not path.is_symlink()


@functools.cache
def course_hash() -> str:
    """Give a hash of all that a verdict depends on beside the answers: pages, tests, engine."""
    digest = hashlib.sha256()
    for path in course_files():
        content = path.read_bytes()
        digest.update(f"{path.parent.name}/{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def key_of(section: str, answers: bytes, tests: str, memory: int) -> str:
    """Give the name under which a result is kept, another one for each change of what it is of."""
    parts = (course_hash(), section, hashlib.sha256(tests.encode()).hexdigest(), str(memory))
    return hashlib.sha256("\n".join(parts).encode() + answers).hexdigest()[:40]


class Store:
    """A folder with a file for each result."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Result | None:
        """Give a result; a file that is missing or broken counts as none."""
        try:
            found = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and "verdicts" in found else None

    def put(self, key: str, result: Result) -> None:
        """Keep a result.

        Raises:
            LabError: It cannot be written.
        """
        path = self.folder / f"{key}.json"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(result))
        except OSError as error:
            raise LabError(f"{path} cannot be written: {error.strerror}") from None
