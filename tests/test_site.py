"""The instruction site, as far as it goes without a browser."""

import ast
import json
import re
import textwrap
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from arena_lab import catalogue, classes, pages, paths, progress, translations
from arena_lab.catalogue import Section
from arena_lab.site import app, course, languages, links, outline, search, status, typeset
from arena_lab.site.code import code_of

HOME = paths.ROOT / "chapter0_fundamentals/instructions/Home.py"

Open = Callable[..., AppTest]


@pytest.fixture
def visit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open a place of the site on the course in `tmp_path`."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(progress, "STATE", tmp_path / ".lab")
    monkeypatch.delenv("ARENA_LAB_JUPYTER", raising=False)
    monkeypatch.delenv("ARENA_LAB_REPOSITORY", raising=False)
    links.repository.cache_clear()
    return _visit


def _visit(**query: str) -> AppTest:
    app = AppTest.from_file(str(HOME), default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def text(app: AppTest) -> str:
    return unescape(html(app))


def card(app: AppTest, exercise: str) -> str:
    cards = html(app).split('<section class="lab-exercise">')[1:]
    found = next(each for each in cards if f'data-exercise="{exercise}"' in each)
    return found.partition("</section>")[0]


def verdict_of(app: AppTest, exercise: str) -> str:
    """Give what the script puts into the card of an exercise."""
    _, _, after = html(app).partition(f'<div data-of="{exercise}"')
    return after.partition("</div>")[0]


def store(section: Section, **verdicts: dict[str, str]) -> None:
    path = progress.path_of(section)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"section": section.number, "exercises": verdicts}))


def add_to_page(section: Section, source: str) -> None:
    with section.page.open("a") as page:
        page.write("\n" + textwrap.dedent(source))


def everywhere() -> list[tuple[str, str]]:
    return [
        (section.number, part)
        for section in catalogue.sections()
        for part in links.slugs(pages.parse(section.page))
    ]


@pytest.mark.parametrize("language", translations.LANGUAGES)
@pytest.mark.parametrize(("number", "part"), everywhere())
def test_every_page_of_the_course_shows_without_a_fault(number: str, part: str, language: str):
    app = _visit(section=number, page=part, lang=language)

    assert not app.exception
    assert 'class="lab-trouble"' not in html(app)


def test_home_lists_each_section_with_minutes_and_progress(section: Section, visit: Open):
    store(section, double={"status": "passed"})

    shown = text(visit())

    assert "Toys" in shown
    assert "A section to try the engine on." in shown
    assert "1 of 2 exercises passed · 10 min · 5 min left" in shown


def test_home_goes_on_with_the_first_exercise_that_has_not_passed(section: Section, visit: Open):
    store(section, double={"status": "passed"}, halve={"status": "failed"})

    shown = text(visit())

    assert "<b>Go on</b> halve, half_of_double" in shown
    assert 'href="?section=9.1&page=first#exercise-halve"' in shown


def test_home_says_when_everything_has_passed(section: Section, visit: Open):
    store(section, double={"status": "passed"}, halve={"status": "passed"})

    assert "Every exercise has passed." in text(visit())


def test_a_section_opens_on_what_stands_before_its_first_heading(section: Section, visit: Open):
    app = visit(section="9.1")

    assert "<h1>9.1 Toys</h1>" in html(app)
    assert "<p>Welcome.</p>" in html(app)


def test_a_sub_page_holds_its_own_heading_only(section: Section, visit: Open):
    app = visit(section="9.1", page="second")

    assert "<h1>Second</h1>" in html(app)
    assert 'data-anchor="exercise-triple">triple<' in html(app)
    assert "exercise-double" not in html(app)


def test_a_sub_page_leads_to_its_neighbours(section: Section, visit: Open):
    shown = text(visit(section="9.1", page="first"))

    assert 'rel="prev" href="?section=9.1"' in shown
    assert 'rel="next" href="?section=9.1&page=second"' in shown


def test_the_last_page_of_a_section_leads_to_the_next_section(section: Section, visit: Open):
    after = section.page.with_name("92_[9.2]_More.md")
    after.write_text(section.page.read_text().replace("9.1", "9.2").replace("Toys", "More"))

    last, first = text(visit(section="9.1", page="second")), text(visit(section="9.2"))

    assert 'rel="next" href="?section=9.2"' in last
    assert "<b>9.2 More</b>" in last
    assert 'rel="prev" href="?section=9.1&page=second"' in first


def test_cards_and_headings_leave_no_level_out(section: Section, visit: Open):
    add_to_page(section, "    # Third\n\n    ## Part\n")
    card_of_triple = section.page.read_text().split("::::{exercise} triple")[1].split("# Third")[0]
    with section.page.open("a") as page:
        page.write("\n::::{exercise} triple" + card_of_triple)

    under_the_title = card(visit(section="9.1", page="second"), "triple")
    under_a_heading = card(visit(section="9.1", page="third"), "triple")

    assert '<h2 data-anchor="exercise-triple">' in under_the_title
    assert '<h3 data-anchor="exercise-triple">' in under_a_heading


def test_a_card_shows_signature_and_docstring_without_the_solution(section: Section, visit: Open):
    shown, _, folded = card(visit(section="9.1", page="first"), "double").partition("<details")

    words = re.sub("<[^>]*>", "", unescape(shown))
    assert 'Write it.\ndef double(x: np.ndarray) -> np.ndarray:\n    """Give twice `x`."""' in words
    assert "return" not in shown
    assert "return" in folded


def test_hints_are_folded_one_by_one(section: Section, visit: Open):
    shown = card(visit(section="9.1", page="first"), "double")

    hint = '<details class="lab-hint"><summary>Hint</summary><p>Twice what?</p>\n</details>'
    assert hint in shown


@pytest.mark.parametrize(
    ("verdict", "shown"),
    [
        (None, "not started"),
        ({"status": "not started"}, "not started"),
        ({"status": "passed"}, "passed"),
        ({"status": "failed", "message": "the sum is 3, not 4"}, "the sum is 3, not 4"),
        ({"status": "waiting", "message": "waits for halve"}, "waits for halve"),
        ({"status": "nonsense"}, "not started"),
        ("nonsense", "not started"),
    ],
    ids=["no verdict", "not started", "passed", "failed", "waiting", "unknown", "not a verdict"],
)
def test_a_card_shows_the_newest_verdict(section: Section, visit: Open, verdict, shown: str):
    if verdict:
        store(section, double=verdict)

    app = visit(section="9.1", page="first")

    assert not app.exception
    assert shown in verdict_of(app, "double")


def test_a_message_cannot_put_html_into_the_page(section: Section, visit: Open):
    store(section, double={"status": "failed", "message": "<img src=x onerror=alert(1)>"})

    shown = html(visit(section="9.1", page="first"))

    assert "<img" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown


def test_a_file_of_verdicts_that_is_broken_counts_as_none(section: Section, visit: Open):
    store(section)
    progress.path_of(section).write_text("{")

    app = visit(section="9.1", page="first")

    assert not app.exception
    assert "not started" in text(app)


def test_the_answers_file_is_named_where_there_is_no_jupyterlab(section: Section, visit: Open):
    shown = text(visit(section="9.1", page="first"))

    assert f"chapter9_toys/exercises/{section.package}/answers.py" in shown
    assert "open in JupyterLab" not in shown


def test_a_card_opens_its_notebook_where_there_is_jupyterlab(
    section: Section, visit: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ARENA_LAB_JUPYTER", "/user/ada/")

    shown = text(visit(section="9.1", page="first"))

    path = f"/user/ada/lab/tree/chapter9_toys/exercises/{section.package}/answers.py#double"
    assert f'href="{path}"' in shown


@pytest.mark.parametrize(
    ("remote", "page"),
    [
        ("git@github.com:ada/lab.git", "https://github.com/ada/lab"),
        ("ssh://git@example.org/ada/lab", "https://example.org/ada/lab"),
        ("https://ada:secret@example.org/ada/lab.git", "https://example.org/ada/lab"),
        ("http://git.school:3000/ada/lab", "http://git.school:3000/ada/lab"),
    ],
)
def test_a_page_links_to_its_source(
    section: Section, visit: Open, monkeypatch: pytest.MonkeyPatch, remote: str, page: str
):
    monkeypatch.setenv("ARENA_LAB_REPOSITORY", remote)

    shown = text(visit(section="9.1", page="second"))

    assert f'href="{page}/blob/HEAD/chapter9_toys/instructions/pages/' in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("remote", "fork"),
    [
        ("git@github.com:ada/lab.git", "https://github.com/ada/lab/fork"),
        ("https://gitlab.com/ada/lab", "https://gitlab.com/ada/lab/-/forks/new"),
    ],
)
def test_every_page_links_to_a_fork(
    section: Section, visit: Open, monkeypatch: pytest.MonkeyPatch, remote: str, fork: str
):
    monkeypatch.setenv("ARENA_LAB_REPOSITORY", remote)

    assert f'href="{fork}"' in text(visit())
    assert f'href="{fork}"' in text(visit(section="9.1", page="second"))


@pytest.mark.parametrize("remote", ["/srv/lab.git", "file:///srv/lab.git"])
def test_no_source_is_linked_where_no_web_page_is_known(
    section: Section, visit: Open, monkeypatch: pytest.MonkeyPatch, remote: str
):
    monkeypatch.setenv("ARENA_LAB_REPOSITORY", remote)

    assert "↗" not in text(visit(section="9.1"))


@pytest.mark.parametrize(
    ("words", "address", "excerpt"),
    [
        ("TWICE what", "?section=9.1&page=first#exercise-double", "<mark>Twice</mark> <mark>what"),
        ("triple", "?section=9.1&page=second#exercise-triple", ""),
        ("welcome", "?section=9.1", "<mark>Welcome</mark>."),
        ("half_of_double", "?section=9.1&page=first#exercise-halve", "<mark>half_of_double</mark>"),
        ("again np.ndarray", "?section=9.1&page=first#exercise-halve", "<mark>again</mark>."),
    ],
    ids=["a hint", "a title", "prose", "a name", "a docstring"],
)
def test_search_finds_words_in_any_place(
    section: Section, visit: Open, words: str, address: str, excerpt: str
):
    shown = text(visit(search=words))

    assert f'<a href="{address}">' in shown
    assert excerpt in shown


def test_search_shows_no_commands_of_tex() -> None:
    shown = [each.excerpt for each in search.find("gradient", course.load("en").lessons)]
    assert len(shown) > 20
    assert [text for text in shown if re.search(r"\\[a-z]|\$", text)] == []


def test_search_for_what_is_nowhere_says_so(section: Section, visit: Open):
    assert "Nothing holds “<b>zebra”." in text(visit(search="<b>zebra"))


def test_places_with_the_words_in_their_title_come_first(section: Section, visit: Open):
    add_to_page(section, "    ## Roots\n\n    Of trees.\n\n    ## Trees\n\n    With roots.\n")

    found = search.find("trees", course.load("en").lessons)

    assert [each.place.title for each in found] == ["Trees", "Roots"]


def test_a_search_that_finds_much_shows_the_first_places_and_their_number(
    section: Section, visit: Open
):
    add_to_page(section, "".join(f"    ## Tree {number}\n\n    Green.\n\n" for number in range(50)))

    shown = text(visit(search="green"))

    assert "50 places with “green”. The first 40:" in shown
    assert "Tree 39" in shown
    assert "Tree 40" not in shown


def test_an_unknown_section_is_answered_with_those_that_exist(section: Section, visit: Open):
    shown = text(visit(section="9.7<b>"))

    assert "There is no section '9.7<b>'." in shown
    assert '<a href="?section=9.1">9.1 Toys</a>' in shown


def test_an_unknown_page_is_answered_with_those_that_exist(section: Section, visit: Open):
    shown = text(visit(section="9.1", page="third"))

    assert "Section 9.1 has no page 'third'." in shown
    assert '<a href="?section=9.1&page=second">Second</a>' in shown


def test_a_broken_page_is_named_with_its_line_and_the_others_stay(section: Section, visit: Open):
    broken = section.page.with_name("92_[9.2]_Broken.md")
    broken.write_text(section.page.read_text().replace("9.1", "9.2") + "\n:::{nonsense}\n:::\n")

    app = visit()

    assert not app.exception
    line = broken.read_text().split("\n").index(":::{nonsense}") + 1
    assert f"92_[9.2]_Broken.md:{line}: unknown directive" in text(app)
    assert "Toys" in text(app)


def test_a_drawing_that_is_missing_is_named_with_what_it_shows(section: Section, visit: Open):
    add_to_page(section, "    :::{figure} tree\n    :alt: A tree.\n    The caption.\n    :::\n")

    shown = text(visit(section="9.1", page="second"))

    assert "chapter9_toys/instructions/media/9.1/tree.light.svg" in shown
    assert "It shows: A tree." in shown


def test_a_figure_comes_in_both_themes_with_its_words(section: Section, visit: Open):
    add_to_page(section, "    :::{figure} tree\n    :alt: A <tree>.\n    The caption.\n    :::\n")
    media = section.page.parents[1] / "media" / "9.1"
    media.mkdir(parents=True)
    for theme in ("light", "dark"):
        (media / f"tree.{theme}.svg").write_text('<svg viewBox="0 0 30 60"/>')

    app = visit(section="9.1", page="second")

    for theme in ("light", "dark"):
        assert re.search(rf'class="lab-figure lab-{theme}" src="[^"]+\.svg"', html(app))
    assert 'alt="A &lt;tree&gt;." width="40" height="80"' in html(app)
    assert "<figcaption><p>The caption.</p>\n</figcaption>" in html(app)


def test_a_figure_that_cannot_be_drawn_is_named(section: Section, visit: Open):
    (section.folder / "utils.py").write_text("def wave():\n    raise ValueError('no sea')\n")
    add_to_page(section, "    :::{interactive} wave\n    :alt: A wave.\n    :::\n")

    app = visit(section="9.1", page="second")

    assert not app.exception
    assert "utils.py: wave() cannot draw its figure: no sea" in text(app)


def test_an_interactive_figure_is_drawn(section: Section, visit: Open):
    (section.folder / "utils.py").write_text(
        "import plotly.graph_objects as go\n\ndef wave():\n    return go.Figure()\n"
    )
    add_to_page(section, "    :::{interactive} wave\n    :alt: A wave.\n    :::\n")

    app = visit(section="9.1", page="second")

    assert len(app.get("plotly_chart")) == 1


def test_a_name_that_no_solution_defines_is_named(section: Section, visit: Open):
    source = section.solutions.read_text()
    section.solutions.write_text(source.replace("def double(", "def twice("))

    app = visit(section="9.1", page="first")

    assert not app.exception
    assert "nothing here defines `double`" in text(app)


def test_each_directive_shows_its_words(section: Section, visit: Open):
    add_to_page(
        section,
        """
        :::{objectives}
        - An aim.
        :::
        :::{note}
        An aside.
        :::
        :::{warning} A `trap`
        A pit.
        :::
        :::{reading} A text
        :minutes: 7
        :url: https://example.org/a?b&c
        The gist.
        :::
        :::{details} More
        The rest.
        :::
        ::::{question} Why?
        :::{answer}
        Because.
        :::
        ::::
        """,
    )

    app = visit(section="9.1", page="second")

    assert not app.exception
    for words in ("<li>An aim.</li>", "An aside.", "A pit.", "The gist.", "The rest.", "Because."):
        assert words in text(app)
    link = '<a href="https://example.org/a?b&c" target="_blank" rel="noopener noreferrer">A text ↗'
    assert f"{link}</a> · 7 min" in text(app)
    for label in ("More", "Answer"):
        assert f"<summary>{label}</summary>" in html(app)


def test_a_new_verdict_leaves_the_page_as_it_is(section: Section, visit: Open):
    before = card(visit(section="9.1", page="first"), "double")
    store(section, double={"status": "failed", "message": "the sum is 3, not 4"})
    after = card(visit(section="9.1", page="first"), "double")

    assert before == after


def test_formulas_stay_tex_for_the_browser_and_dollars_in_code_stay_dollars():
    shown = typeset.blocks("If $a<b$, then\n\n$$\n\\frac{a}{b} < 1\n$$\n\nin `$HOME`.")

    assert '<span class="lab-tex">a&lt;b</span>' in shown
    assert '<div class="lab-tex lab-display">\\frac{a}{b} &lt; 1</div>' in shown
    assert "<code>$HOME</code>" in shown


def test_a_full_stop_stays_on_the_line_of_its_formula():
    shown = typeset.blocks("So $x$. And $y$ (or $z$), **$w$**")

    for kept in ("x</span>.</span> And", "y</span></span> (or", "z</span>),</span>", "w</span></s"):
        assert kept in shown


def test_code_keeps_every_character_under_its_colours():
    source = 'def f(x):\n    """A < B & C."""\n\n    return x["<b>"]  # twice\n'

    shown = re.sub("<[^>]*>", "", typeset.code(source).partition("<button")[0])

    assert unescape(shown) == source


@pytest.mark.parametrize("language", ["", "nonsense", "text"])
def test_code_of_an_unknown_language_is_shown_plain(language: str):
    assert "<code>if &lt;b&gt;</code>" in typeset.blocks(f"```{language}\nif <b>\n```")


@pytest.mark.parametrize("name", ["script.js", "style.css"])
def test_script_and_style_hold_nothing_that_streamlit_takes_for_markup(name: str):
    # DOMPurify drops a script or a style with a tag in it, without a word.
    source = Path(status.__file__).with_name(name).read_text()

    assert re.findall(r"<[/\w!]", source) == []


def test_streamlit_brings_the_katex_that_its_style_sheet_is_for():
    folder = Path(streamlit.__file__).parent / "static"
    version = re.compile(r'version(?::after\{content)?:[`"](0\.\d+\.\d+)')

    (of_script,) = set(version.findall((folder / app.katex()).read_text()))
    sheets = "".join(sheet.read_text() for sheet in folder.glob("static/css/index.*.css"))

    assert of_script in version.findall(sheets)


def test_headings_become_anchors_and_code_does_not(section: Section):
    add_to_page(
        section, "    ## The $x$\n\n    ```\n    ## no heading\n    ```\n\n    ## The $x$\n"
    )
    second = pages.parse(section.page).subpages[2]

    found = outline.outline(outline.cut(second))

    assert [(h.text, h.anchor) for h in found] == [
        ("triple", "exercise-triple"),
        ("The $x$", "the-x"),
        ("The $x$", "the-x-2"),
    ]


def test_two_sub_pages_of_one_title_have_two_addresses(section: Section):
    add_to_page(section, "    # Second\n")

    assert links.slugs(pages.parse(section.page)) == ["", "first", "second", "second-2"]


def test_the_address_of_a_page_in_another_script_keeps_its_letters():
    assert links.slug("反向传播: $y = \\log x$") == "反向传播-y-log-x"


def test_a_solution_is_shown_without_markers_and_docstring(section: Section):
    code = code_of(section, section.find("halve"))

    assert code.solution == (
        "def halve(x: np.ndarray) -> np.ndarray:\n    return x / 2\n\n"
        "def half_of_double(x: np.ndarray) -> np.ndarray:\n    return halve(double(x))"
    )


def test_a_class_is_shown_with_its_methods_and_without_their_bodies(section: Section):
    with section.solutions.open("a") as file:
        file.write(
            "\n\n# %%\nclass Doubler:\n    def __call__(self, x: float) -> float:\n"
            "        ### BEGIN SOLUTION\n        return 2 * x\n        ### END SOLUTION\n"
        )
    add_to_page(
        section,
        """
        ::::{exercise} Doubler
        :difficulty: 1
        :importance: 1
        :minutes: 1
        ::::
        """,
    )
    section = catalogue.section_of(section.page)

    code = code_of(section, section.find("Doubler"))

    assert code.signature == (
        "class Doubler:\n    def __call__(self, x: float) -> float:\n        ..."
    )


def test_code_is_read_again_when_it_changed(section: Section):
    code_of(section, section.find("double"))
    source = section.solutions.read_text()
    section.solutions.write_text(source.replace("return 2 * x", "return x + x  # twice"))

    assert "return x + x  # twice" in code_of(section, section.find("double")).solution


def test_the_stamp_changes_with_a_verdict_and_with_a_page(section: Section, visit: Open):
    before = course.stamp()
    store(section, double={"status": "passed"})
    after_verdict = course.stamp()
    add_to_page(section, "    More.\n")
    after_page = course.stamp()

    assert len({before, after_verdict, after_page}) == 3


CHINESE = """\
---
section: "9.1"
title: 玩具
exercises: {package}
summary: 用来试引擎的章节。
---

欢迎。

# 第一部分

::::{{exercise}} double
:difficulty: 1
:importance: 2
:minutes: 5

写出它。

:::{{hint}}
谁的两倍？
:::
::::

::::{{exercise}} halve, half_of_double
:difficulty: 2
:importance: 2
:minutes: 5

两个都写。
::::

# 第二部分

::::{{exercise}} triple
:difficulty: 1
:importance: 1
:minutes: 5
:optional:

想写就写。
::::
"""


@pytest.fixture
def chinese(section: Section) -> Path:
    """A translation of the section's page, as it is now."""
    path = translations.path_of(section.page, "zh")
    path.parent.mkdir()
    path.write_text(CHINESE.format(package=section.package))
    translations.set_stamp(path, section.page)
    return path


def test_a_page_is_read_in_the_language_that_the_address_names(chinese: Path, visit: Open):
    shown = text(visit(section="9.1", page="first", lang="zh"))

    assert "写出它。" in shown
    assert "Write it." not in shown
    assert "<summary>提示</summary>" in shown
    assert "未开始" in shown


def test_addresses_and_code_are_the_same_in_every_language(chinese: Path, visit: Open):
    shown = text(visit(section="9.1", page="second", lang="zh"))

    assert '<a href="?section=9.1&page=first">第一部分</a>' in shown
    assert "def triple" in re.sub(r"<[^>]+>", "", shown)


def test_a_page_leads_to_itself_in_the_other_language(chinese: Path, visit: Open):
    english = text(visit(section="9.1", page="second"))
    assert 'href="?section=9.1&page=second&lang=zh" lang="zh" hreflang="zh">中文</a>' in english

    there = text(visit(section="9.1", page="second", lang="zh"))
    assert 'href="?section=9.1&page=second&lang=en" lang="en" hreflang="en">English</a>' in there


def test_a_language_that_is_unknown_is_not_spoken(chinese: Path, visit: Open):
    assert "Welcome" in text(visit(section="9.1", lang="tlh"))


def test_a_choice_of_language_holds_for_the_next_page(chinese: Path, visit: Open):
    app = visit(section="9.1", lang="zh")
    del app.query_params["lang"]
    app.query_params["page"] = "first"

    assert "写出它。" in text(app.run())


def test_search_reads_the_translation(chinese: Path, visit: Open):
    shown = text(visit(search="想写", lang="zh"))

    assert '<a href="?section=9.1&page=second#exercise-triple">triple</a>' in shown
    assert "有 1 处含“想写”。" in shown


def test_a_translation_that_is_older_than_its_page_says_so(
    section: Section, chinese: Path, visit: Open
):
    section.page.write_text(section.page.read_text().replace("Write it.", "Write it now."))

    shown = text(visit(section="9.1", page="first", lang="zh"))

    assert "写出它。" in shown
    assert "英文版在翻译之后有过改动" in shown


def test_english_is_shown_where_no_translation_fits(section: Section, chinese: Path, visit: Open):
    add_to_page(section, "    ## New\n\n    More.\n")

    shown = text(visit(section="9.1", page="second", lang="zh"))

    assert "More." in shown
    assert "此页是英文版" in shown


@pytest.mark.parametrize("file", ["class.toml", "chapter9_toys/instructions/pages/92_New.md"])
def test_a_new_file_is_seen_by_an_open_page(section: Section, visit: Open, file: str):
    seen = course.stamp()
    (paths.ROOT / file).touch()

    assert course.stamp() != seen


def test_a_page_that_is_mended_is_seen_by_an_open_page(section: Section, visit: Open):
    good = section.page.read_text()
    section.page.write_text(good.replace("{hint}", "{tip}"))
    seen = course.stamp()
    section.page.write_text(good)

    assert course.stamp() != seen


def test_a_new_translation_is_seen_by_an_open_page(section: Section, visit: Open, chinese: Path):
    seen = course.stamp()
    chinese.unlink()

    assert course.stamp() != seen


def test_an_own_answer_is_kept_by_one_name_in_every_language(
    section: Section, chinese: Path, visit: Open
):
    question = "\n::::{{question}} {}\n:::{{answer}}\n{}\n:::\n::::\n"
    section.page.write_text(section.page.read_text() + question.format("Why?", "Because."))
    chinese.write_text(chinese.read_text() + question.format("为什么？", "因为。"))

    for language in translations.LANGUAGES:
        shown = text(visit(section="9.1", page="second", lang=language))
        assert 'data-key="9.1 why"' in shown


def test_english_that_a_chinese_reader_is_shown_is_marked_as_english(
    section: Section, chinese: Path, visit: Open
):
    assert '<div class="lab-text" lang="zh">' in text(visit(section="9.1", lang="zh"))
    chinese.unlink()

    shown = text(visit(section="9.1", lang="zh"))

    assert '<div class="lab-text" lang="en">' in shown
    assert '<p class="lab-quiet" role="note" lang="zh">' in shown


def test_what_the_site_says_it_says_in_every_language():
    said = set(status.MARKS)
    for path in Path(languages.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say":
                said |= {each.value for each in node.args if isinstance(each, ast.Constant)}

    for language in translations.LANGUAGES:
        known = languages.words(language)
        assert known.keys() == (said if language != translations.SOURCE else set())
        for english, other in known.items():
            assert set(re.findall(r"{\w+}", other)) == set(re.findall(r"{\w+}", english))


def test_a_class_reads_its_own_sections_with_their_dates(other_answers: Path, visit: Open):
    (paths.ROOT / "class.toml").write_text('sections = ["9.1"]\n[due]\n"9.1" = 2026-10-12\n')
    shown = text(visit())
    assert f"due {classes.moment(classes.plan(paths.ROOT).due['9.1'])}" in shown
    assert "9.2" not in shown

    (paths.ROOT / "class.toml").write_text('sections = ["9.2"]\n')
    shown = text(visit())
    assert "9.2" in shown
    assert "9.1" not in shown


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("sections = 9\n", "class.toml: `sections` must be a list"),
        ('sections = ["9.2"]\n', "class.toml: there is no section 9.2; there are 9.1"),
        ('[due]\n"9.2" = 2026-10-12\n', "class.toml: there is no section 9.2; there are 9.1"),
    ],
)
def test_a_plan_that_is_broken_is_named_and_hides_nothing(
    section: Section, visit: Open, plan: str, said: str
):
    (paths.ROOT / "class.toml").write_text(plan)

    shown = text(visit())

    assert said in shown
    assert "Toys" in shown


def test_a_page_that_is_left_out_breaks_no_plan(section: Section, other_answers: Path, visit: Open):
    (paths.ROOT / "class.toml").write_text('sections = ["9.1", "9.2"]\n')
    page = section.page.with_name("92_[9.2]_Toys.md")
    page.write_text(page.read_text().replace(":minutes: 5", ":minutes: soon"))

    shown = text(visit())

    assert "This page is left out until it is mended" in shown
    assert "the plan is broken" not in shown
