"""Hints come one by one, the solution after a try, and a reset keeps what was written."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from arena_lab import checking, guide, progress, starters
from arena_lab.catalogue import Section
from arena_lab.errors import LabError

Write = Callable[..., None]


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / ".lab"
    for module in (guide, progress, starters):
        monkeypatch.setattr(module, "STATE", folder)
    return folder


def shown(renderable: object) -> str:
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(renderable)
    return console.export_text()


def check(section: Section) -> None:
    progress.store(section, list(checking.run(section)))


def test_next_is_the_first_that_has_not_passed(section: Section, write_answer: Write) -> None:
    assert guide.next_exercise(section) == section.find("double")
    write_answer("def double(x):\n    return x + x")
    check(section)
    assert guide.next_exercise(section) == section.find("halve")


def test_optional_exercises_come_last(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    return x + x")
    write_answer("def halve(x):\n    return x / 2", "halve")
    write_answer("def half_of_double(x):\n    return +x", "half_of_double")
    check(section)
    assert guide.next_exercise(section) == section.find("triple")


def test_pointer_names_page_and_line(section: Section) -> None:
    line = section.answers.read_text().split("\n").index("def double(x: np.ndarray) -> np.ndarray:")
    text = shown(guide.pointer(section, section.find("double")))
    assert f"page 9.1, First · answers.py, line {line + 1}" in text


def test_hint_is_shown(section: Section) -> None:
    text = shown(guide.next_hint(section, section.find("double")))
    assert "Hint 1 of 1" in text
    assert "Twice what?" in text


def test_hints_come_all_at_once_where_none_can_be_remembered(
    section: Section, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = section.page.read_text()
    section.page.write_text(
        page.replace("Twice what?\n:::", "Twice what?\n:::\n:::{hint}\nTwice `x`.\n:::")
    )
    (tmp_path / "file").touch()
    monkeypatch.setattr(guide, "STATE", tmp_path / "file")
    text = shown(guide.next_hint(section, section.find("double")))
    assert "Hint 2 of 2" in text
    assert "All hints at once" in text


def test_exercise_without_hint_says_so(section: Section) -> None:
    with pytest.raises(LabError, match="triple has no hint"):
        guide.next_hint(section, section.find("triple"))


def test_solution_wants_a_try_first(section: Section, write_answer: Write) -> None:
    with pytest.raises(LabError, match=r"\./inv solution double --now"):
        guide.solution(section, section.find("double"))
    write_answer("def double(x):\n    return x")
    check(section)
    assert "return 2 * x" in shown(guide.solution(section, section.find("double")))


def test_solution_is_shown_at_once_on_demand(section: Section) -> None:
    text = shown(guide.solution(section, section.find("halve"), now=True))
    assert "return x / 2" in text
    assert "return halve(double(x))" in text
    assert "SOLUTION" not in text


def test_reset_gives_the_stub_back_and_leaves_the_rest(
    section: Section, write_answer: Write
) -> None:
    starter = section.answers.read_text()
    write_answer("def triple(x):\n    return 3 * x", "triple")
    with_triple = section.answers.read_text()
    write_answer('def double(x):\n    """Mine."""\n\n    y = x\n    return y + y')
    written = section.answers.read_text()
    kept = guide.reset(section, section.find("double"))
    assert section.answers.read_text() == with_triple
    assert kept is not None
    assert kept.read_text() == written
    guide.reset(section, section.find("triple"))
    assert section.answers.read_text() == starter


def test_reset_refuses_in_doubt(section: Section, write_answer: Write) -> None:
    write_answer("def double(x:\n    return x")
    before = section.answers.read_bytes()
    with pytest.raises(LabError, match="does not compile"):
        guide.reset(section, section.find("double"))
    assert section.answers.read_bytes() == before


def test_reset_refuses_where_the_definition_that_counts_does_not_compile(
    section: Section, write_answer: Write
) -> None:
    write_answer("def double(x):\n    return x + x")
    broken = "\n\n# %%\ndef double(x):\n    return x +\n"
    section.answers.write_text(section.answers.read_text() + broken)
    before = section.answers.read_bytes()
    with pytest.raises(LabError, match="does not compile"):
        guide.reset(section, section.find("double"))
    assert section.answers.read_bytes() == before


def test_reset_takes_the_verdict_back(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    return x + x")
    check(section)
    guide.reset(section, section.find("double"))
    assert progress.read(section)["double"]["status"] == checking.NOT_STARTED
    assert guide.next_exercise(section) == section.find("double")


@pytest.mark.parametrize("do", [guide.pointer, guide.reset])
def test_missing_answers_are_told(section: Section, do: Callable[..., object]) -> None:
    section.answers.unlink()
    with pytest.raises(LabError, match=r"answers\.py is missing"):
        do(section, section.find("double"))


def test_full_disk_leaves_the_answers(
    section: Section, write_answer: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_answer("def double(x):\n    return x + x")
    before = section.answers.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(LabError, match="No space left on device"):
        guide.reset(section, section.find("double"))
    assert section.answers.read_bytes() == before
    assert [path.name for path in section.folder.glob(".*")] == []


def test_minutes_since_the_last_verdict_count_for_what_was_tried(
    section: Section, write_answer: Write
) -> None:
    write_answer("def double(x):\n    return x")
    check(section)
    assert set(progress.minutes_spent(section)) == {"double"}
    before = progress.minutes_spent(section)["double"]
    minutes_pass(section, 12)
    write_answer("def double(x):\n    return x + x")
    check(section)
    assert progress.minutes_spent(section)["double"] == pytest.approx(before + 12, abs=0.1)
    minutes_pass(section, 7)
    write_answer("def triple(x):\n    return x", "triple")
    check(section)
    assert progress.minutes_spent(section)["double"] == pytest.approx(before + 12, abs=0.1)
    assert progress.minutes_spent(section)["triple"] == pytest.approx(7, abs=0.1)


def test_a_pause_is_no_work(section: Section, write_answer: Write) -> None:
    check(section)
    minutes_pass(section, 600)
    write_answer("def double(x):\n    return x")
    check(section)
    assert progress.minutes_spent(section)["double"] < 30


def minutes_pass(section: Section, minutes: float) -> None:
    path = progress.path_of(section)
    then = path.stat().st_mtime - 60 * minutes
    os.utime(path, (then, then))


def test_reset_keeps_encoding_and_line_ends(section: Section, write_answer: Write) -> None:
    starter = section.answers.read_text().replace("\n", "\r\n").encode("utf-8-sig")
    write_answer("def double(x):\n    return x")
    text = section.answers.read_text()
    section.answers.write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    guide.reset(section, section.find("double"))
    assert section.answers.read_bytes() == starter


def test_copies_of_one_second_stand_beside_each_other(
    section: Section, write_answer: Write
) -> None:
    kept = set()
    for _ in range(3):
        write_answer("def double(x):\n    return x")
        kept.add(guide.reset(section, section.find("double")))
    assert len(kept) == 3
