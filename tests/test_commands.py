"""What a person types: tables, exit codes, and one clear line where something is wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from arena_lab.catalogue import Section
from arena_lab.paths import ROOT

RIGHT = "def double(x):\n    return x + x"


class Lab:
    """A checkout with the small course in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.verdicts = root / ".lab/verdicts/9.1.json"

    def invoke(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {"ARENA_LAB_ROOT": str(self.root), "COLUMNS": "110", **environment}
        return subprocess.run(
            [sys.executable, "-m", "invoke", *words],
            cwd=ROOT,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
        )


@pytest.fixture
def lab(section: Section, tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_unknown_section_lists_the_sections(lab: Lab) -> None:
    done = lab.invoke("test", "--section", "0.9")
    assert done.returncode == 2
    assert done.stderr == "There is no section '0.9'. The sections are:\n  9.1  Toys\n"


def test_unknown_exercise_suggests_the_nearest(lab: Lab) -> None:
    done = lab.invoke("test", "--section", "9.1", "--exercise", "dubble")
    assert done.returncode == 2
    assert done.stderr.startswith("Section 9.1 has no exercise 'dubble'. Did you mean double")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("test", "which section? ./inv test --section 0.4"),
        ("test --exercise dubble", "There is no exercise 'dubble'. Did you mean double"),
        ("translations --stamp 9.9", "There is no section '9.9'."),
        ("grade . --minutes abc", "--minutes must be a number, at least 0.01, not 'abc'"),
        ("grade . --minutes nan", "--minutes must be a number, at least 0.01, not 'nan'"),
        ("grade . --memory many", "--memory must be a whole number, at least 1, not 'many'"),
        ("grade . --workers -1", "--workers must be a whole number, at least 0, not '-1'"),
        ("mutate --sample x", "--sample must be a whole number, at least 1, not 'x'"),
        ("mutate --seed 1.5", "--seed must be a whole number, at least 0, not '1.5'"),
        ("mutate --workers 0", "--workers must be a whole number, at least 1, not '0'"),
        ("bench --only nosuch", "there is no benchmark 'nosuch'; there are class"),
    ],
)
def test_what_is_typed_wrong_is_one_line(lab: Lab, typed: str, said: str) -> None:
    done = lab.invoke(*typed.split())
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr


def test_exercise_is_found_in_any_section(lab: Lab) -> None:
    done = lab.invoke("test", "--exercise", "half_of_double", "--solutions")
    assert "halve, half_of_double" in done.stdout
    assert done.returncode == 0


def test_names_are_told_where_a_title_has_others(lab: Lab, section: Section) -> None:
    page = section.page.read_text()
    titled = page.replace("halve, half_of_double\n", "halve, half_of_double\n:title: Two\n")
    section.page.write_text(titled.replace("} double\n", "} double\n:title: One\n"))
    listed = lab.invoke("list", "--section", "9.1").stdout
    assert "One: double " in listed
    assert "Two: halve, half_of_double " in listed
    assert "One: double " in lab.invoke("next").stdout


def test_any_name_of_an_exercise_finds_it(lab: Lab) -> None:
    done = lab.invoke("test", "--section", "9.1", "--exercise", "half_of_double", "--solutions")
    assert "halve, half_of_double" in done.stdout
    assert done.returncode == 0


def test_update_in_the_container_says_how_the_lab_starts_on_it(lab: Lab, tmp_path: Path) -> None:
    new = tmp_path / "new"
    shutil.copytree(lab.root, new, ignore=lambda *_: ["new"])
    (new / "arena_lab").mkdir()
    (new / "arena_lab/engine.py").write_text("VERSION = 2\n")
    words = ("update", "--source", str(new))
    next_step = "on your machine: ./inv down && ./inv up\n"
    assert next_step not in lab.invoke(*words, "--check", ARENA_LAB_CONTAINER="1").stdout
    assert next_step in lab.invoke(*words, ARENA_LAB_CONTAINER="1").stdout
    (lab.root / "arena_lab/engine.py").unlink()
    assert next_step not in lab.invoke(*words).stdout


def test_solutions_succeed(lab: Lab) -> None:
    done = lab.invoke("test", "--section", "9.1", "--solutions")
    assert done.returncode == 0
    assert "3 passed, 0 failed" in done.stdout


def test_starter_is_no_success(lab: Lab) -> None:
    done = lab.invoke("test", "--section", "9.1")
    assert done.returncode == 1
    assert "0 passed, 0 failed, 3 not started" in done.stdout


def test_optional_exercises_are_not_needed(lab: Lab, write_answer: Callable[..., None]) -> None:
    write_answer(RIGHT)
    write_answer("def halve(x):\n    return x / 2", "halve")
    write_answer("def half_of_double(x):\n    return +x", "half_of_double")
    assert lab.invoke("test", "--section", "9.1").returncode == 0


@pytest.mark.parametrize("renderer", ["", "json"])
def test_figures_that_an_answer_shows_open_no_browser(
    lab: Lab, write_answer: Callable[..., None], tmp_path: Path, renderer: str
) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f"#!/bin/sh\necho $1 >> {opened}\ncurl -s $1 > {os.devnull}\n")
    browser.chmod(0o755)
    show = "import plotly.graph_objects as go\n\ngo.Figure().show()"
    write_answer(f"{show}\n\ndef double(x):\n    go.Figure().show()\n    return x + x")
    file = tmp_path / "verdicts.json"
    lab.invoke(
        *("test", "--section", "9.1", "--json", str(file)),
        **{"BROWSER": f"{browser} %s", "PLOTLY_RENDERER": renderer, "MPLBACKEND": "TkAgg"},
    )
    assert not opened.exists()
    (double, *_) = json.loads(file.read_text())["exercises"]
    assert double["status"] == "passed"
    (test,) = double["tests"]
    assert (test["left_out"], test["printed"]) == ([], "")


def test_first_failure_is_explained(lab: Lab, write_answer: Callable[..., None]) -> None:
    write_answer("def double(x):\n    return x * x")
    write_answer("def triple(x):\n    return x", "triple")
    out = lab.invoke("test", "--section", "9.1").stdout
    assert "this is the square" in out
    assert "double([1., 3.])" in out
    assert "page 9.1, First: double" in out
    assert "--all explains the other 1 too" in out
    assert "triple([1., 3.])" not in out


def test_all_failures_are_explained_on_demand(lab: Lab, write_answer: Callable[..., None]) -> None:
    write_answer("def double(x):\n    return x * x")
    write_answer("def triple(x):\n    return x", "triple")
    out = lab.invoke("test", "--section", "9.1", "--all").stdout
    assert "double([1., 3.])" in out
    assert "triple([1., 3.])" in out


def test_learner_sees_no_traceback_of_ours(lab: Lab, write_answer: Callable[..., None]) -> None:
    write_answer("def double(x):\n    return x.twice()")
    done = lab.invoke("test", "--section", "9.1")
    assert "AttributeError" in done.stdout
    assert "in double: return x.twice()" in done.stdout
    assert "arena_lab" not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_json_to_the_terminal_is_json_alone(lab: Lab) -> None:
    done = lab.invoke("test", "--section", "9.1", "--json", "-")
    data = json.loads(done.stdout)
    assert data["success"] is False
    assert data["counts"] == {"passed": 0, "failed": 0, "not started": 3, "waiting": 0}
    assert [e["name"] for e in data["exercises"]] == ["double", "halve", "triple"]


def test_json_file_that_cannot_be_written_is_named(lab: Lab) -> None:
    done = lab.invoke("test", "--section", "9.1", "--json", "no/such/folder.json")
    assert done.returncode == 2
    assert done.stderr == "no/such/folder.json cannot be written: No such file or directory\n"


def test_verdicts_are_kept_for_the_site(lab: Lab, write_answer: Callable[..., None]) -> None:
    write_answer("def double(x):\n    return x * x")
    lab.invoke("test", "--section", "9.1")
    kept = json.loads(lab.verdicts.read_text())["exercises"]
    assert kept["double"]["status"] == "failed"
    assert kept["double"]["message"] == "double: this is the square"
    assert kept["triple"]["status"] == "not started"


def test_checking_solutions_is_no_progress(lab: Lab) -> None:
    lab.invoke("test", "--section", "9.1", "--solutions")
    assert not lab.verdicts.exists()


def test_one_exercise_leaves_the_other_verdicts(
    lab: Lab, write_answer: Callable[..., None]
) -> None:
    lab.invoke("test", "--section", "9.1")
    write_answer(RIGHT)
    lab.invoke("test", "--section", "9.1", "--exercise", "double")
    kept = json.loads(lab.verdicts.read_text())["exercises"]
    assert {name: v["status"] for name, v in kept.items()} == {
        "double": "passed",
        "halve": "not started",
        "triple": "not started",
    }


def test_verdict_is_told_where_it_cannot_be_kept(lab: Lab) -> None:
    (lab.root / ".lab").write_text("in the way")
    done = lab.invoke("test", "--section", "9.1")
    assert "the verdicts could not be kept" in done.stdout
    assert "3 not started" in done.stdout


def test_two_runs_at_once_keep_both(lab: Lab, write_answer: Callable[..., None]) -> None:
    write_answer(RIGHT)
    names = ["double", "halve", "triple"] * 2
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: lab.invoke("test", "--section", "9.1", "--exercise", n), names))
    assert set(json.loads(lab.verdicts.read_text())["exercises"]) == set(names)


def test_missing_answers_file_says_what_to_do(lab: Lab, section: Section) -> None:
    section.answers.unlink()
    done = lab.invoke("test", "--section", "9.1")
    assert done.returncode == 2
    assert "`./inv starters --section 9.1` writes a new starter" in done.stderr
    assert lab.invoke("starters", "--section", "9.1").returncode == 0
    assert section.answers.exists()


def test_starters_never_overwrite_answers(
    lab: Lab, section: Section, write_answer: Callable[..., None]
) -> None:
    write_answer("def double(x):\n    return 'mine'")
    before = section.answers.read_bytes()
    done = lab.invoke("starters", "--section", "9.1")
    assert done.returncode == 2
    assert "answers.py may hold what somebody wrote: left as it is" in done.stderr
    assert section.answers.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# %%\n", "# %%\ndef helper(x):\n    return x\n\n\n# %%\n"),
        ("    raise", "    # twice, but how?\n    raise"),
        ("Give twice", "Give caf\xe9"),
    ],
    ids=["helper", "comment in a stub", "latin-1"],
)
def test_starters_leave_a_file_that_somebody_wrote_in(
    lab: Lab, section: Section, old: str, new: str
) -> None:
    lab.invoke("starters")  # finds it as it must be
    text = section.answers.read_text().replace(old, new, 1)
    section.answers.write_text(text, encoding="latin-1")
    before = section.answers.read_bytes()
    assert "left as it is" in lab.invoke("starters").stdout
    assert section.answers.read_bytes() == before


def test_starters_follow_each_change_of_the_solutions(lab: Lab, section: Section) -> None:
    lab.invoke("starters")
    for task in ("Give it two times", "Give it doubled"):
        solutions = section.solutions.read_text()
        section.solutions.write_text(re.sub("Give .* `x`", f"{task} `x`", solutions, count=1))
        assert "the old one is .lab/backups/" in lab.invoke("starters").stdout
        assert task in section.answers.read_text()


def test_starters_are_written_where_none_are_beside_begun_ones(
    lab: Lab, write_answer: Callable[..., None], other_answers: Path
) -> None:
    starter = other_answers.read_text()
    other_answers.unlink()
    write_answer(RIGHT)
    assert lab.invoke("starters").returncode == 0
    assert other_answers.read_text().replace("9.1", "9.2") == starter.replace("9.1", "9.2")


def test_copy_that_is_kept_elsewhere_is_named_whole(
    lab: Lab, section: Section, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    section.answers.write_text(section.answers.read_text() + "\n# a note of mine\n")
    done = lab.invoke("reset", "double", ARENA_LAB_STATE=str(elsewhere))
    (copy,) = (elsewhere / "backups").rglob("*.py")
    assert str(copy) in done.stdout
    assert done.returncode == 0


def test_starters_check_writes_nothing(lab: Lab, section: Section) -> None:
    section.answers.write_text(section.answers.read_text() + "\n# changed\n")
    before = section.answers.read_bytes()
    done = lab.invoke("starters", "--check")
    assert done.returncode == 1
    assert "Run: ./inv starters" in done.stderr
    assert section.answers.read_bytes() == before


def test_list_shows_sections_and_exercises(lab: Lab) -> None:
    assert "9.1" in lab.invoke("list").stdout
    out = lab.invoke("list", "--section", "9.1").stdout
    assert "triple" in out
    assert "optional" in out


def test_progress_counts_what_is_required(lab: Lab, write_answer: Callable[..., None]) -> None:
    write_answer(RIGHT)
    lab.invoke("test", "--section", "9.1")
    assert "1 of 2" in lab.invoke("progress").stdout
