"""The course as one reader sees it: every section with its page, in the language of the reader."""

from dataclasses import dataclass, field
from datetime import datetime

from arena_lab import catalogue, classes, pages, paths, progress, translations
from arena_lab.catalogue import Section
from arena_lab.errors import LabError
from arena_lab.pages import Page
from arena_lab.site import links, status
from arena_lab.site.languages import say
from arena_lab.site.outline import Part, cut, plain
from arena_lab.site.render import shown


@dataclass(frozen=True)
class Lesson:
    """A section, its page as it is read, and the newest verdicts.

    `source` is the English page, by which places are named; `text` the same in what is read.
    """

    section: Section
    source: Page
    text: Page
    verdicts: status.Verdicts
    due: datetime | None = None

    @property
    def number(self) -> str:
        """The number of the section."""
        return self.section.number

    @property
    def title(self) -> str:
        """The title of the section."""
        return str(self.text.meta["title"])

    @property
    def summary(self) -> str:
        """What the section is about."""
        return str(self.text.meta["summary"])

    @property
    def slugs(self) -> list[str]:
        """The parts of the sub-pages' addresses."""
        return links.slugs(self.source)

    @property
    def progress(self) -> status.Progress:
        """How far the learner has come."""
        return status.progress_of(self.section, self.verdicts)

    @property
    def subpages(self) -> list[tuple[str, str]]:
        """The address and the title of each sub-page; the first is the section's home."""
        titles = [subpage.title for subpage in self.text.subpages]
        return [
            (links.to(self.number, part), plain(title))
            for part, title in zip(self.slugs, titles, strict=True)
        ]

    @property
    def questions(self) -> dict[int, str]:
        """What the reader's own answers are kept by: the English question, by the line here."""
        pairs = zip(
            self.source.directives("question"), self.text.directives("question"), strict=True
        )
        return {theirs.line: links.slug(ours.argument) for ours, theirs in pairs}

    def parts(self, index: int) -> list[Part]:
        """Give what a sub-page holds."""
        return cut(self.text.subpages[index], self.source.subpages[index])


@dataclass
class Course:
    """All lessons, and what a reader is told of files that are broken."""

    lessons: list[Lesson] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def find(self, number: str) -> Lesson | None:
        """Give the lesson with this number, if there is one."""
        return next((lesson for lesson in self.lessons if lesson.number == number), None)


def load(language: str) -> Course:
    """Read what is on disk; files that did not change are not parsed again."""
    course, read = Course(), []
    for path in catalogue.page_paths(paths.ROOT):
        try:
            section, page = catalogue.section_of(path), pages.parse(path)
            read.append((section, page, translations.read(page, language)))
        except LabError as error:
            course.faults.append(_left_out(_without_root(error)))
        except (OSError, UnicodeDecodeError) as error:
            course.faults.append(_left_out(f"{shown(path)}: {error}"))
    read.sort(key=lambda each: [int(part) for part in each[0].number.split(".")])
    plan = classes.Plan()
    try:
        said = classes.plan(paths.ROOT)
        if not course.faults:  # a page that is left out may be the one that the plan names
            classes.require_known(said, [section.number for section, *_ in read], paths.ROOT)
        plan = said
    except LabError as error:
        fault = _without_root(error)
        course.faults.append(
            say("Every section is shown, for the plan is broken: {fault}", fault=fault)
        )
    for section, page, text in read:
        if plan.takes(section.number):
            due = plan.due.get(section.number)
            course.lessons.append(Lesson(section, page, text, status.read(section), due))
    return course


def stamp() -> tuple[tuple[str, int], ...]:
    """Give what changes when any file of the course or a verdict does, by their times alone."""
    sources = catalogue.page_paths(paths.ROOT)
    files = [
        *sources,
        *(each for page in sources for each in translations.paths_of(page)),
        *paths.ROOT.glob("chapter*/exercises/*/solutions.py"),
        *progress.folder().glob("*.json"),
        paths.ROOT / classes.FILE,
    ]
    return tuple((str(file), file.stat().st_mtime_ns) for file in files if file.exists())


def _left_out(fault: str) -> str:
    return say("This page is left out until it is mended: {fault}", fault=fault)


def _without_root(error: LabError) -> str:
    return str(error).replace(f"{paths.ROOT}/", "")
