"""A starter is the solutions without what the learner writes, with prose and tests around it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from arena_lab import paths, starters
from arena_lab.catalogue import Section
from arena_lab.errors import LabError


def test_region_in_a_function_becomes_a_stub() -> None:
    text = "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\n"
    assert starters.cut(text, Path("s.py")) == "def f(x):\n    raise NotImplementedError()\n"


def test_region_at_module_level_becomes_a_comment() -> None:
    text = "### BEGIN SOLUTION\nanswer = 42\n### END SOLUTION\n"
    assert starters.cut(text, Path("s.py")) == "# Your code here\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("### BEGIN SOLUTION\n### BEGIN SOLUTION\n", "s.py:2: a solution begins inside another"),
        ("x = 1\n### END SOLUTION\n", "s.py:2: a solution ends that did not begin"),
        ("### BEGIN SOLUTION\n", "has no ### END SOLUTION"),
    ],
)
def test_markers_that_do_not_alternate_are_named(text: str, fault: str) -> None:
    with pytest.raises(LabError, match=fault):
        starters.cut(text, Path("s.py"))


def test_starter_holds_no_solution(section: Section) -> None:
    text = starters.starter(section)
    assert "SOLUTION" not in text
    assert "return 2 * x" not in text
    assert text.count("raise NotImplementedError()") == 4


def test_each_exercise_is_announced_before_and_tested_after(section: Section) -> None:
    text = starters.starter(section)
    places = [
        text.index(part)
        for part in (
            "# ### double\n",
            "def double(",
            "    tests.test_double(double)\n",
            "# ### halve, half_of_double\n",
            "def halve(",
            "def half_of_double(",
            "    tests.test_halve(halve)\n    tests.test_half_of_double(half_of_double)\n",
            "# ### triple\n",
            "tests.test_triple(triple)",
        )
    ]
    assert places == sorted(places)


def test_optional_exercise_says_so(section: Section) -> None:
    assert "# 9.1 · Second · difficulty 1/5, importance 1/5, about 5 minutes, optional" in (
        starters.starter(section)
    )


def test_test_calls_stand_under_main(section: Section) -> None:
    rows = starters.starter(section).splitlines()
    assert rows[rows.index("    tests.test_double(double)") - 1] == "if MAIN:"


def test_starter_is_a_script_that_does_nothing_when_imported(section: Section) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {section.package}.answers"],
        cwd=section.folder.parent,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_same_sources_give_the_same_bytes(section: Section) -> None:
    assert starters.starter(section) == starters.starter(section)


def test_a_file_that_is_written_keeps_who_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    before = os.umask(0o027)
    paths.write_atomically(path, "new")
    os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640
    path.chmod(0o604)
    paths.write_atomically(path, "newer")
    assert path.stat().st_mode & 0o777 == 0o604
