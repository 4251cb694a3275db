"""The sections and their exercises, found from the pages: nothing else lists them."""

import difflib
import functools
import sys
from dataclasses import dataclass
from pathlib import Path

from arena_lab import classes, pages
from arena_lab.errors import LabError
from arena_lab.paths import ROOT


@dataclass(frozen=True)
class Exercise:
    """One exercise directive: what the learner writes, and how hard it is."""

    names: tuple[str, ...]
    title: str
    difficulty: int
    importance: int
    minutes: int
    optional: bool
    subpage: str
    n_hints: int
    line: int

    @property
    def name(self) -> str:
        """The first name, by which the exercise is stored and asked for."""
        return self.names[0]

    @property
    def listed(self) -> str:
        """The title, with the names by which it is asked for where the title has others."""
        names = ", ".join(self.names)
        return self.title if self.title == names else f"{self.title}: {names}"


@dataclass(frozen=True)
class Section:
    """One page and the folder of its exercises."""

    number: str
    title: str
    summary: str
    page: Path
    folder: Path
    exercises: tuple[Exercise, ...]

    @property
    def package(self) -> str:
        """The folder's name, as it is imported."""
        return self.folder.name

    @property
    def answers(self) -> Path:
        """The learner's file."""
        return self.folder / "answers.py"

    @property
    def solutions(self) -> Path:
        """Our file."""
        return self.folder / "solutions.py"

    @property
    def tests(self) -> Path:
        """The checks of this section."""
        return self.folder / "tests.py"

    @property
    def hours(self) -> float:
        """The time for the exercises that are not optional."""
        return sum(exercise.minutes for exercise in self.exercises if not exercise.optional) / 60

    def find(self, name: str) -> Exercise:
        """Give the exercise that has `name` among its names.

        Raises:
            LabError: There is none; the message suggests the nearest names.
        """
        for exercise in self.exercises:
            if name in exercise.names:
                return exercise
        names = [n for exercise in self.exercises for n in exercise.names]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(names)}."
        raise LabError(f"Section {self.number} has no exercise {name!r}. {hint}")


def page_paths(root: Path = ROOT) -> list[Path]:
    """Give the files of all pages, whether they parse or not."""
    return sorted(root.glob("chapter*/instructions/pages/*.md"))


def sections(root: Path = ROOT) -> list[Section]:
    """Give the sections that are taken: all, unless a teacher's class.toml names some.

    Raises:
        LabError: The file is broken, or names a section that does not exist.
    """
    plan, everything = classes.plan(root), every_section(root)
    classes.require_known(plan, [section.number for section in everything], root)
    return [section for section in everything if plan.takes(section.number)]


def every_section(root: Path = ROOT) -> list[Section]:
    """Find every section of every chapter, in the order of their numbers."""
    found = [section_of(page) for page in page_paths(root)]
    return sorted(found, key=lambda section: [int(part) for part in section.number.split(".")])


def find_section(number: str, root: Path = ROOT) -> Section:
    """Give the section with this number.

    Raises:
        LabError: There is none; the message lists those that exist.
    """
    everything = every_section(root)
    for section in everything:
        if section.number == number.strip():
            return section
    known = "\n".join(f"  {section.number}  {section.title}" for section in everything)
    raise LabError(f"There is no section {number!r}. The sections are:\n{known}")


def make_importable(section: Section) -> None:
    """Let Python find the section's folder as a package, where the checkout is not installed."""
    folder = str(section.folder.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)


def section_of(path: Path) -> Section:
    """Give the section of one page; read once as long as the file stays the same."""
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=64)
def _read(path: Path, _mtime: int, _size: int) -> Section:
    page = pages.parse(path)
    exercises = tuple(
        _exercise(page.path, subpage.title, block)
        for subpage in page.subpages
        for block in subpage.walk()
        if isinstance(block, pages.Directive) and block.name == "exercise"
    )
    return Section(
        number=str(page.meta["section"]),
        title=str(page.meta["title"]),
        summary=str(page.meta["summary"]),
        page=path,
        folder=path.parents[2] / "exercises" / str(page.meta["exercises"]),
        exercises=exercises,
    )


def _exercise(path: Path, subpage: str, directive: pages.Directive) -> Exercise:
    names = tuple(name.strip() for name in directive.argument.split(","))
    options = directive.options

    def number(key: str, low: int, high: int) -> int:
        text = options[key]
        if not text.isdigit() or not low <= int(text) <= high:
            raise pages.PageError(
                f"{path}:{directive.line}: `{key}` must be a whole number from {low} to {high}, "
                f"not {text!r}"
            )
        return int(text)

    return Exercise(
        names=names,
        title=options.get("title") or ", ".join(names),
        difficulty=number("difficulty", 0, 5),
        importance=number("importance", 0, 5),
        minutes=number("minutes", 1, 600),
        optional="optional" in options,
        subpage=subpage,
        n_hints=len(directive.children("hint")),
        line=directive.line,
    )
