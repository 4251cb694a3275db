"""A teacher's class.toml chooses sections and sets dates; a mistake in it is one clear line."""

import datetime as dt
import shutil
from pathlib import Path

import pytest

from arena_lab import catalogue, classes
from arena_lab.catalogue import Section
from arena_lab.errors import LabError


def plan(root: Path, text: str) -> classes.Plan:
    (root / "class.toml").write_text(text)
    return classes.plan(root)


@pytest.fixture
def two(section: Section, tmp_path: Path) -> Path:
    """A course of two sections."""
    other = section.page.with_name("92_[9.2]_Toys.md")
    shutil.copy(section.page, other)
    other.write_text(other.read_text().replace('"9.1"', '"9.2"'))
    return tmp_path


def test_without_the_file_all_sections_are_taken(two: Path) -> None:
    assert [section.number for section in catalogue.sections(two)] == ["9.1", "9.2"]


def test_chosen_sections_are_taken(two: Path) -> None:
    plan(two, 'sections = ["9.2"]')
    assert [section.number for section in catalogue.sections(two)] == ["9.2"]


@pytest.mark.parametrize("text", ['sections = ["9.2", "9.3"]', '[due]\n"9.3" = 2026-10-12'])
def test_section_that_does_not_exist_is_named(two: Path, text: str) -> None:
    plan(two, text)
    with pytest.raises(LabError, match=r"class.toml: there is no section 9.3; there are 9.1, 9.2"):
        catalogue.sections(two)


def test_section_that_is_not_taken_can_be_asked_for(two: Path) -> None:
    plan(two, 'sections = ["9.2"]')
    assert catalogue.find_section("9.1", two).number == "9.1"


def test_moment_has_a_zone(tmp_path: Path) -> None:
    due = plan(tmp_path, '[due]\n"9.1" = 2026-10-12T18:00:00+02:00').due["9.1"]
    assert due == dt.datetime(2026, 10, 12, 16, tzinfo=dt.UTC)


def test_a_date_is_told_in_the_zone_that_it_was_written_in(tmp_path: Path) -> None:
    found = plan(tmp_path, '[due]\n"9.1" = 2026-10-12T18:00:00-05:00')
    assert found.due_text("9.1") == "due 2026-10-12 18:00 UTC-05:00"


def test_day_ends_at_its_end(tmp_path: Path) -> None:
    found = plan(tmp_path, '[due]\n"9.1" = 2026-10-12')
    assert found.due_text("9.1") == f"due 2026-10-12 23:59 {found.due['9.1']:%Z}"
    assert found.due_text("9.2") == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sections = [", "cannot be read"),
        ("sections = []", "must be a list such as"),
        ("sections = [0.4]", "must be a list such as"),
        ("dates = 1", "dates is unknown"),
        ("due = 2026-10-12", "must have lines such as"),
        ('[due]\n"9.1" = "2026-10-12"', "without quotes"),
    ],
)
def test_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LabError, match=said):
        plan(tmp_path, text)
