"""A page is cut into sub-pages and directives, and a fault in it names file and line."""

from pathlib import Path

import pytest

from arena_lab import pages

FRONT = '---\nsection: "9.1"\ntitle: Toys\nexercises: toys\nsummary: One sentence.\n---\n'
EXERCISE = ":difficulty: 1\n:importance: 2\n:minutes: 3\n"


def parse(tmp_path: Path, body: str, front: str = FRONT) -> pages.Page:
    path = tmp_path / "page.md"
    path.write_text(front + body, encoding="utf-8")
    return pages.parse(path)


def test_text_before_the_first_heading_is_the_home(tmp_path: Path) -> None:
    page = parse(tmp_path, "Welcome.\n\n# First\n\nText.\n")
    assert [subpage.title for subpage in page.subpages] == ["Toys", "First"]
    assert page.subpages[0].blocks == (pages.Markdown("Welcome.", 7),)


def test_headings_inside_code_do_not_cut(tmp_path: Path) -> None:
    page = parse(tmp_path, "# First\n\n```python\n# a comment\n```\n")
    assert [subpage.title for subpage in page.subpages] == ["Toys", "First"]


def test_prose_keeps_its_source_and_line(tmp_path: Path) -> None:
    page = parse(tmp_path, "# First\n\n## Sub\n\n$a_b$ and *c*\n")
    assert page.subpages[1].blocks == (pages.Markdown("## Sub\n\n$a_b$ and *c*", 9),)


def test_directives_nest(tmp_path: Path) -> None:
    hints = ":::{hint}\nOne\n:::\n:::{hint}\nTwo\n:::\n"
    body = f"::::{{exercise}} f, g\n{EXERCISE}\nWrite.\n\n{hints}::::\n"
    (exercise,) = parse(tmp_path, body).directives("exercise")
    assert exercise.argument == "f, g"
    assert exercise.options == {"difficulty": "1", "importance": "2", "minutes": "3"}
    assert exercise.text == "Write."
    assert [hint.text for hint in exercise.children("hint")] == ["One", "Two"]


def test_changed_page_is_parsed_again(tmp_path: Path) -> None:
    parse(tmp_path, "# First\n")
    assert parse(tmp_path, "# First\n\n# Second\n").subpages[-1].title == "Second"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (":::{exercis} f\n:::\n", "page.md:7: unknown directive `{exercis}`"),
        ("Text\n\n:::{hint}\nx\n:::\n", "page.md:9: `hint` may not stand inside the page"),
        (":::{exercise} f\n:minutes: 3\n:::\n", "page.md:7: `exercise` needs the option"),
        (f":::{{exercise}}\n{EXERCISE}:::\n", "page.md:7: `exercise` needs an argument"),
        (":::{objectives} x\n:::\n", "page.md:7: `objectives` takes no argument"),
        (":::{figure} f\n:alt: x\n:size: 3\n:::\n", "page.md:7: `figure` has no option `size`"),
        ("::::{question} Q\n:::{answer}\nA\n:::\n", "page.md:7: this directive is not closed"),
        (
            "::::{question} Q\n\n:::{hint}\nA\n:::\n::::\n",
            "page.md:9: `hint` may not stand inside `question`",
        ),
    ],
)
def test_fault_names_file_and_line(tmp_path: Path, body: str, fault: str) -> None:
    with pytest.raises(pages.PageError) as caught:
        parse(tmp_path, body)
    assert fault in str(caught.value)


@pytest.mark.parametrize("key", ["section", "title", "exercises", "summary"])
def test_front_matter_must_be_whole(tmp_path: Path, key: str) -> None:
    front = "".join(row for row in FRONT.splitlines(True) if not row.startswith(key))
    with pytest.raises(pages.PageError, match=f"front matter needs `{key}`"):
        parse(tmp_path, "Text\n", front)
