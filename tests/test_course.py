"""The laws of docs/writing-a-section.md, held for every section of the course."""

import ast
import re
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from markdown_it import MarkdownIt

from arena_lab import cells, checking, pages, starters
from arena_lab.catalogue import Section, every_section, make_importable, section_of
from arena_lab.paths import ROOT
from arena_lab.site import links
from arena_lab.site.outline import cut, outline

SECTIONS = every_section()
each_section = pytest.mark.parametrize("section", SECTIONS, ids=[s.number for s in SECTIONS])

SECTION_FILES = {"__init__.py", "answers.py", "solutions.py", "tests.py", "utils.py"}
MAX_BODY_LINES = 40


def names_of(section: Section) -> list[str]:
    return [name for exercise in section.exercises for name in exercise.names]


def names_with_region(section: Section) -> list[str]:
    text = section.solutions.read_text(encoding="utf-8")
    begins = [i for i, row in enumerate(text.splitlines(), 1) if row.strip() == cells.BEGIN]
    return [
        name
        for name, found in cells.definitions(text).items()
        if any(found.first <= line <= found.last for line in begins)
    ]


def test_there_are_sections() -> None:
    assert SECTIONS


@each_section
def test_page_and_solutions_have_the_same_names_in_the_same_order(section: Section) -> None:
    assert without_counterpart(section) == []
    assert names_with_region(section) == names_of(section)


def without_counterpart(section: Section) -> list[str]:
    """Give file and line of each exercise without a card, and of each card without one."""
    page, solutions = section.page.name, section.solutions
    lines = {n: d.first for n, d in cells.definitions(solutions.read_text("utf-8")).items()}
    cards = {name: exercise.line for exercise in section.exercises for name in exercise.names}
    regions = names_with_region(section)
    return [
        *(f"{page}:{cards[name]}: no exercise `{name}`" for name in cards if name not in regions),
        *(f"{solutions}:{lines[n]}: `{n}` has no card" for n in regions if n not in cards),
    ]


def times(page: Path) -> dict[str, float]:
    """Give the minutes that the table of a page allows for each of its parts."""
    row = r"^\| ([^|]+) \| [^|]+ \| (\d*)([½¼¾]?) (hour|minute|小时|分钟)[^|]*\|$"
    parts = {"": 0.0, "¼": 0.25, "½": 0.5, "¾": 0.75}
    return {
        part: (int(whole or 0) + parts[fraction]) * (60 if unit in ("hour", "小时") else 1)
        for part, whole, fraction, unit in re.findall(row, page.read_text("utf-8"), flags=re.M)
    }


@each_section
def test_no_part_is_given_less_time_than_its_exercises(section: Section) -> None:
    allowed = times(section.page)
    for part, minutes in allowed.items():
        inside = [exercise for exercise in section.exercises if exercise.subpage == part]
        # What is optional counts where a part has nothing else.
        required = [exercise for exercise in inside if not exercise.optional] or inside
        assert sum(exercise.minutes for exercise in required) <= minutes, part
    translated = section.page.parent / "zh" / section.page.name
    assert list(times(translated).values()) == list(allowed.values())


def test_a_card_without_exercise_and_an_exercise_without_card_are_named(section: Section) -> None:
    page, solutions = section.page.read_text(), section.solutions.read_text()
    section.page.write_text(page.replace("{exercise} triple", "{exercise} thrice"))
    card = page[: page.index("{exercise} triple")].count("\n") + 1
    code = solutions[: solutions.index("def triple")].count("\n") + 1

    assert without_counterpart(section_of(section.page)) == [
        f"{section.page.name}:{card}: no exercise `thrice`",
        f"{section.solutions}:{code}: `triple` has no card",
    ]


@each_section
def test_tests_stand_in_the_order_of_the_page(section: Section) -> None:
    # What a class has beside ours may stand anywhere.
    ours = [c for c in checking.find_checks(section) if c.function.__module__.endswith(".tests")]
    order = [section.exercises.index(check.exercise) for check in ours]
    assert ours
    assert order == sorted(order)


@each_section
def test_tests_are_called_after_all_that_they_take(section: Section) -> None:
    defined: set[str] = set()
    for cell in cells.split(section.answers.read_text(encoding="utf-8")):
        for call in re.findall(r"^ +tests\.test_\w+\((.*)\)$", cell.text, re.M):
            assert defined.issuperset(filter(None, call.split(", "))), call
        defined.update(cell.names)


@each_section
def test_every_exercise_has_a_test(section: Section) -> None:
    tested = {check.exercise.name for check in checking.find_checks(section)}
    assert [e.name for e in section.exercises if e.name not in tested] == []


@each_section
def test_tests_take_names_that_the_solutions_define(section: Section) -> None:
    defined = set(cells.definitions(section.solutions.read_text(encoding="utf-8")))
    wanted = {name for check in checking.find_checks(section) for name in check.parameters}
    assert sorted(wanted - defined) == []


@each_section
@pytest.mark.parametrize("file", ["solutions.py", "tests.py"])
def test_every_name_is_defined_once(section: Section, file: str) -> None:
    tree = ast.parse((section.folder / file).read_text(encoding="utf-8"))
    counts = Counter(name for node in tree.body for name in cells.defined_names(node))
    assert [name for name, n in counts.items() if n > 1] == []


@each_section
def test_folder_holds_no_unexpected_script(section: Section) -> None:
    # A class may have tests of its own beside ours: docs/teaching.md.
    own = set(section.folder.glob("tests_*.py"))
    assert {path.name for path in {*section.folder.glob("*.py")} - own} <= SECTION_FILES


def test_scripts_of_a_class_are_held_to_no_style_of_ours() -> None:
    own = SECTIONS[0].folder / "tests_mine.py"
    ruff = (sys.executable, "-m", "ruff", "check", "--force-exclude", "--stdin-filename", str(own))
    text = "import sys\nimport os\ndef test(x): pass\n"
    done = subprocess.run((*ruff, "-"), cwd=ROOT, input=text, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout


@each_section
def test_answers_are_the_starter(section: Section) -> None:
    assert section.answers.read_text(encoding="utf-8") == starters.starter(section), (
        "out of date; run: ./inv starters. An answer that was written here fails this too"
    )


@pytest.mark.slow
@each_section
def test_starter_imports_without_doing_anything(section: Section) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import {section.package}.answers"],
        capture_output=True,
        text=True,
        cwd=section.folder.parent,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


@each_section
def test_solutions_pass(section: Section) -> None:
    failures = {
        verdict.name: verdict.failure.sentence
        for verdict in checking.run(section, solutions=True)
        if verdict.failure
    }
    assert failures == {}


@each_section
def test_every_exercise_of_the_starter_is_not_started(
    section: Section, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checking.not_started(section) == set(names_of(section))
    # The tests themselves must tell it too: in a notebook nobody compares with the starter.
    monkeypatch.setattr(checking, "not_started", lambda *_: set())
    for verdict in checking.run(section):
        sentences = [test.sentence for test in verdict.tests]
        unwritten = [
            "still raises NotImplementedError" in s or "is not written yet" in s for s in sentences
        ]
        assert any(unwritten), f"{verdict.name}: {sentences}"
        assert all(test.status != checking.PASSED for test in verdict.tests), verdict.name


@each_section
def test_cells_train_for_as_many_epochs_as_the_page_says(section: Section) -> None:
    page = section.page.read_text(encoding="utf-8")
    solutions = section.solutions.read_text(encoding="utf-8")
    for n in re.findall(r"The cell below[^.]*? for (\d+)\s+epochs", page):
        assert re.search(rf"\bepochs={n}\b|\bfor epoch in range\({n}\)", solutions), n


@pytest.mark.slow
@each_section
def test_solutions_keep_the_shapes_that_they_declare(section: Section) -> None:
    # In a process of its own: the hook holds for modules that are imported after it.
    make_importable(section)
    code = (
        "import jaxtyping\n"
        # What an exercise must refuse by an assertion, the hook refuses before it.
        "jaxtyping.TypeCheckError.__bases__ += (AssertionError,)\n"
        f"with jaxtyping.install_import_hook({section.package + '.solutions'!r},"
        " 'beartype.beartype'):\n"
        f"    import {section.package}.solutions as solutions\n"
        "from arena_lab import checking, checks, catalogue\n"
        "checks.by_hand = False\n"
        f"for check in checking.find_checks(catalogue.find_section({section.number!r})):\n"
        "    check.function(*(getattr(solutions, name) for name in check.parameters))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=section.folder.parent
    )
    assert done.returncode == 0, done.stderr[-3000:]


@each_section
def test_functions_are_short(section: Section) -> None:
    long = []
    for file in ("solutions.py", "utils.py", "tests.py"):
        path = section.folder / file
        if not path.exists():
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                n_lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                if n_lines > MAX_BODY_LINES:
                    long.append(f"{path.name}:{node.lineno} {node.name} has {n_lines} lines")
    assert long == []


@each_section
def test_exercises_are_documented_and_annotated(section: Section) -> None:
    tree = ast.parse(section.solutions.read_text(encoding="utf-8"))
    wanted = set(names_of(section))
    faults = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in wanted:
            if not ast.get_docstring(node):
                faults.append(f"{node.name} has no docstring")
            for function in ast.walk(node):
                if isinstance(function, ast.FunctionDef):
                    arguments = [*function.args.args, *function.args.kwonlyargs]
                    bare = [a.arg for a in arguments if not a.annotation and a.arg != "self"]
                    faults += [
                        f"{node.name}: {function.name}({arg}) is not annotated" for arg in bare
                    ]
    assert faults == []


@each_section
def test_every_exercise_has_graded_hints(section: Section) -> None:
    assert [e.name for e in section.exercises if e.n_hints < 2 and e.difficulty > 1] == []


@each_section
def test_figures_and_images_exist(section: Section) -> None:
    media = section.page.parents[1] / "media" / section.number
    assert missing_drawings(section) == []
    assert sorted(str(p) for p in set(media.glob("*.svg")) - set(drawings(section))) == [], "unused"


def drawings(section: Section) -> dict[Path, int]:
    """Give the drawings that a page asks for, each with the line."""
    media = section.page.parents[1] / "media" / section.number
    return {
        media / f"{figure.argument}.{theme}.svg": figure.line
        for figure in pages.parse(section.page).directives("figure")
        for theme in ("light", "dark")
    }


def missing_drawings(section: Section) -> list[str]:
    wanted = drawings(section).items()
    return [f"{section.page.name}:{line}: no {p.name}" for p, line in wanted if not p.exists()]


def test_a_missing_drawing_is_named(section: Section) -> None:
    text = section.page.read_text()
    section.page.write_text(f"{text}\n:::{{figure}} tree\n:alt: A tree.\n:::\n")
    line = text.count("\n") + 2

    assert missing_drawings(section) == [
        f"{section.page.name}:{line}: no tree.light.svg",
        f"{section.page.name}:{line}: no tree.dark.svg",
    ]


@each_section
def test_links_lead_somewhere(section: Section) -> None:
    assert dead_links(section, SECTIONS) == []


def dead_links(section: Section, course: list[Section]) -> list[str]:
    """Give file and line of each link that leads to no place of the site nor of the web."""
    places = {here: anchors for each in course for here, anchors in _places(each)}
    page = pages.parse(section.page)
    found = []
    for subpage, (here, _) in zip(page.subpages, _places(section), strict=True):
        for block in subpage.walk():
            found += [
                f"{section.page.name}:{line}: {target}"
                for line, target in _targets(block)
                if not _leads_somewhere(target, here, places)
            ]
    return found


def _places(section: Section) -> list[tuple[str, set[str]]]:
    page = pages.parse(section.page)
    return [
        (links.to(section.number, part), {h.anchor for h in outline(cut(subpage))})
        for subpage, part in zip(page.subpages, links.slugs(page), strict=True)
    ]


def _targets(block: pages.Block) -> Iterator[tuple[int, str]]:
    if isinstance(block, pages.Directive):
        if "url" in block.options:
            yield block.line, block.options["url"]
        return
    for token in MarkdownIt().parse(block.text):
        line = block.line + (token.map[0] if token.map else 0)
        for child in token.children or []:
            if child.type == "link_open":
                yield line, str(child.attrs["href"])
            elif child.type == "image" or re.match(r"<(img|a)\b", child.content):
                yield line, child.content or "an image"  # a drawing is a figure


def _leads_somewhere(target: str, here: str, places: dict[str, set[str]]) -> bool:
    parts = urlsplit(target)
    if parts.scheme in ("http", "https"):
        return "." in parts.netloc and " " not in target
    if parts.scheme or parts.path:
        return False
    place = links.to(**dict(parse_qsl(parts.query))) if parts.query else here
    return place in places and (not parts.fragment or parts.fragment in places[place])


@pytest.mark.parametrize(
    ("target", "is_alive"),
    [
        ("https://example.org/a", True),
        ("https://nowhere", False),
        ("#exercise-triple", True),
        ("#exercise-double", False),
        ("?section=9.1&page=first#exercise-double", True),
        ("?section=9.1&page=third", False),
        ("?section=9.2", False),
        ("../README.md", False),
    ],
)
def test_a_dead_link_is_named(section: Section, target: str, is_alive: bool) -> None:
    text = section.page.read_text()
    section.page.write_text(f"{text}\nA word, and\n[a link]({target}).\n")
    line = text.count("\n") + 2

    dead = [] if is_alive else [f"{section.page.name}:{line}: {target}"]
    assert dead_links(section, [section]) == dead


@each_section
def test_interactive_figures_are_functions_of_utils(section: Section) -> None:
    names = [d.argument for d in pages.parse(section.page).directives("interactive")]
    if names:
        text = (section.folder / "utils.py").read_text(encoding="utf-8")
        assert sorted(set(names) - set(cells.definitions(text))) == []


@each_section
def test_code_blocks_of_the_page_compile(section: Section) -> None:
    for block in _prose(section.page):
        for line, code in _python_blocks(block):
            try:
                compile(textwrap.dedent(code), str(section.page), "exec")
            except SyntaxError as error:
                pytest.fail(f"{section.page}:{line + (error.lineno or 1)}: {error.msg}")


def _prose(path: Path) -> list[pages.Markdown]:
    blocks = [b for subpage in pages.parse(path).subpages for b in subpage.walk()]
    return [b for b in blocks if isinstance(b, pages.Markdown)]


def _python_blocks(block: pages.Markdown) -> list[tuple[int, str]]:
    found, start, lines = [], None, block.text.splitlines()
    for i, row in enumerate(lines):
        if row.strip() == "```python":
            start = i + 1
        elif row.strip() == "```" and start is not None:
            found.append((block.line + start - 1, "\n".join(lines[start:i])))
            start = None
    return found


def test_sections_are_found_from_pages_alone() -> None:
    # The engine must work for a chapter that it has never heard of.
    for path in (ROOT / "arena_lab").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for section in SECTIONS:
            assert section.package not in text, f"{path} names {section.package}"
