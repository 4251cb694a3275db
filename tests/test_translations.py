"""Pages in other languages: complete, current, and the same but for their words."""

import shutil
from pathlib import Path

import pytest

from arena_lab import catalogue, pages, translations

ENGLISH = """\
---
section: "9.1"
title: Toys
exercises: toys
summary: A section to try the engine on.
---

Welcome to `numpy`, where $y = 2x \\text{ for all } x$.

# First part

## Trees

- one
- two

```python
x = 1  # stays
```

See [trees](#trees).

::::{exercise} double
:difficulty: 1
:importance: 2
:minutes: 5

Write it.

:::{hint}
Twice what?
:::
::::

:::{figure} tree
:alt: A tree.
The leaves.
:::
"""

CHINESE = """\
---
section: "9.1"
title: 玩具
exercises: toys
summary: 用来试引擎的章节。
---

欢迎使用 `numpy`，其中 $y = 2x \\text{ 对所有 } x$。

# 第一部分

## 树

- 一
- 二

```python
x = 1  # stays
```

参见[树](#trees)。

::::{exercise} double
:difficulty: 1
:importance: 2
:minutes: 5

写出它。

:::{hint}
谁的两倍？
:::
::::

:::{figure} tree
:alt: 一棵树。
树叶。
:::
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """An English page whose translation is as it should be."""
    path = tmp_path / "chapter9/instructions/pages/91_Toys.md"
    path.parent.mkdir(parents=True)
    path.write_text(ENGLISH)
    chinese = translations.path_of(path, "zh")
    chinese.parent.mkdir()
    chinese.write_text(CHINESE)
    translations.set_stamp(chinese, path)
    return path


def change(page: Path, old: str, new: str) -> Path:
    chinese = translations.path_of(page, "zh")
    text = chinese.read_text()
    assert old in text
    chinese.write_text(text.replace(old, new))
    return chinese


@pytest.mark.parametrize("path", catalogue.page_paths(), ids=lambda path: path.stem[:2])
def test_every_page_is_there_in_every_language_and_current(path: Path):
    assert translations.faults(path) == []


def test_no_translation_outlives_its_page():
    known = {each for path in catalogue.page_paths() for each in translations.paths_of(path)}
    assert {each for path in known for each in path.parent.iterdir()} == known


def test_a_translation_that_says_the_same_has_no_fault(page: Path):
    assert translations.faults(page) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('section: "9.1"', 'section: "9.2"', ":1: `section` must be '9.1'"),
        ("# 第一部分\n", "", ":1: the headings of the first level must be ['First part']"),
        ("## 树\n", "", "differ: missing ['h2']"),
        ("- 二\n", "", "differ: missing ['li']"),
        ("# stays", "# 留下", "code blocks differ"),
        ("`numpy`", "numpy", "code in the text differ: missing ['numpy']"),
        ("2x", "3x", "formulas differ: missing ['y=2xx'], added ['y=3xx']"),
        ("(#trees)", "(#树)", "links differ"),
        ("exercise} double", "exercise} halve", "the argument of `exercise` must be 'double'"),
        (":minutes: 5", ":minutes: 9", "the option `minutes` must be '5'"),
        (":minutes: 5\n", ":minutes: 5\n:optional:\n", "must have the same options: optional"),
        (":::{hint}\n谁的两倍？\n:::\n", "", "after this, `hint` of line 30 is missing"),
        ("- 一\n", ":::{note}\n多\n:::\n- 一\n", "`note`, where the English page has `exercise`"),
        ("写出它。", "写出**“它”**吧。", "the stars are not read as emphasis"),
        ("写出它。", "写出它, 快", "a mark of half width"),
        ("写出它。", "write it as soon as you can and do not wait", "left in English"),
        ("写出它。", "写出\n它。", "a line break, which shows as a space"),
        (":alt: 一棵树。", ":alt: 一棵树,叶子", "a mark of half width"),
    ],
)
def test_what_differs_in_more_than_words_is_named(page: Path, old: str, new: str, fault: str):
    chinese = change(page, old, new)

    found = translations.faults(page)

    assert all(each.startswith(f"{chinese}:") for each in found)
    assert any(fault in each for each in found), found


def test_a_translation_that_breaks_the_form_is_named_with_its_line(page: Path):
    chinese = change(page, "{hint}", "{tip}")

    (found,) = translations.faults(page)

    assert found.startswith(f"{chinese}:31: unknown directive `{{tip}}`")


def test_a_missing_translation_is_named(page: Path):
    shutil.rmtree(page.parent / "zh")

    assert translations.faults(page) == [
        f"{translations.path_of(page, 'zh')}: missing; it translates {page}"
    ]


def test_a_changed_page_makes_its_translation_old_until_it_is_stamped(page: Path):
    chinese = translations.path_of(page, "zh")
    page.write_text(ENGLISH.replace("Write it.", "Write it soon."))

    (found,) = translations.faults(page)
    assert "has changed since" in found
    translations.set_stamp(chinese, page)

    assert translations.faults(page) == []
    assert chinese.read_text().count("translates:") == 1


def test_a_translation_is_read_where_it_fits(page: Path):
    source = pages.parse(page)

    assert translations.read(source, "zh").meta["title"] == "玩具"
    assert translations.read(source, "en") is source


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# 第一部分", "第一部分"),
        ("## 树", "树"),
        ("{figure} tree", "{figure} bush"),
        ("{hint}", "{"),
    ],
    ids=["a sub-page less", "a heading less", "another figure", "broken"],
)
def test_the_english_page_is_read_where_its_translation_does_not_fit(
    page: Path, old: str, new: str
):
    change(page, old, new)
    source = pages.parse(page)

    assert translations.read(source, "zh") is source


def test_a_stamp_keeps_every_word(page: Path):
    chinese = translations.path_of(page, "zh")
    without = "".join(
        line for line in chinese.read_text().splitlines(True) if not line.startswith("translates:")
    )

    assert without == CHINESE


@pytest.fixture
def task(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task sees a course of one page."""
    monkeypatch.setattr(catalogue, "page_paths", lambda *_: [page])


def test_the_task_names_every_fault_and_fails(task: None, page: Path):
    from invoke import Exit

    from arena_lab import commands

    change(page, "# stays", "# 留下")

    with pytest.raises(Exit, match="code blocks differ"):
        commands.translations(None)


def test_the_task_is_content_with_pages_that_fit(
    task: None, page: Path, capsys: pytest.CaptureFixture[str]
):
    from arena_lab import commands

    page.write_text(ENGLISH.replace("Write it.", "Write it soon."))

    commands.translations("9.1")

    assert capsys.readouterr().out == "Every page is there in every language.\n"


def test_a_translation_that_differs_is_not_called_current(task: None, page: Path):
    from invoke import Exit

    from arena_lab import commands

    page.write_text(ENGLISH.replace("Write it.", "Write it soon."))
    change(page, "# stays", "# 留下")
    with pytest.raises(Exit, match="code blocks differ"):
        commands.translations("9.1")
    change(page, "# 留下", "# stays")

    with pytest.raises(Exit, match="has changed since"):
        commands.translations(None)
