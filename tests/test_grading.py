"""Grading a folder: every submission has a line, none stops the rest, and a later run goes on."""

import csv
import datetime as dt
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jupytext
import pytest
from rich.console import Console

from arena_lab import starters
from arena_lab.catalogue import Section
from arena_lab.errors import LabError
from arena_lab.grading import alike, grade, report, submissions
from arena_lab.grading.report import Graded
from arena_lab.grading.store import Store
from arena_lab.grading.submissions import Submission
from arena_lab.paths import ROOT

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "handed in"
    made.mkdir()
    return made


@pytest.fixture
def solved(section: Section) -> str:
    return starters.without_markers(section.solutions.read_text())


def collected(folder: Path, *sections: Section) -> dict[str, Submission]:
    numbers = [section.number for section in sections]
    return {s.learner: s for s in submissions.collect(folder, sections, numbers)}


# --- what is found ----------------------------------------------------------------------------


def test_answers_are_found_in_the_folder_of_a_section(
    folder: Path, section: Section, solved: str
) -> None:
    path = folder / "ann" / section.package / "answers.py"
    path.parent.mkdir(parents=True)
    path.write_text(solved)
    found = collected(folder, section)["ann"]
    assert (found.section, found.text.decode(), found.problem) == ("9.1", solved, "")


def test_answers_are_found_in_a_whole_checkout(
    folder: Path, section: Section, solved: str, tmp_path: Path
) -> None:
    shutil.copytree(tmp_path / "chapter9_toys", folder / "ann/lab/chapter9_toys")
    (folder / "ann/lab/.venv").mkdir()
    (folder / "ann/lab/.venv/answers.py").write_text("x = 1")
    (folder / "ann/lab/arena_lab").mkdir()
    for name in ("__init__.py", "answers.py"):
        (folder / "ann/lab/arena_lab" / name).write_text("x = 1")
    (found,) = submissions.collect(folder, [section], ["9.1"])
    assert (found.text, found.problem) == (section.answers.read_bytes(), "")


def test_checkout_may_be_called_as_the_engine_is(
    folder: Path, section: Section, tmp_path: Path
) -> None:
    shutil.copytree(tmp_path / "chapter9_toys", folder / "ann/arena_lab/chapter9_toys")
    assert collected(folder, section)["ann"].text == section.answers.read_bytes()


@pytest.mark.parametrize("name", ["ann.py", "Zoë Müller.py", "李 明.py", "o'neil & co.py"])
def test_lone_file_is_known_by_its_name(
    folder: Path, section: Section, solved: str, name: str
) -> None:
    (folder / name).write_text(solved)
    assert collected(folder, section)[Path(name).stem].section == "9.1"


def test_lone_file_in_a_folder_may_have_any_name(
    folder: Path, section: Section, solved: str
) -> None:
    (folder / "ann").mkdir()
    (folder / "ann/my work (2).py").write_text(solved)
    (folder / "ann/notes.py").write_text("print('nothing of the course')")
    assert collected(folder, section)["ann"].text.decode() == solved


def test_notebook_is_read_without_what_only_runs(
    folder: Path, section: Section, solved: str
) -> None:
    runs = "\n# %%\ntests.test_double(double)\n\n# %%\n%timeit double(3)\nlosses = train()\n"
    notebook = jupytext.reads(solved + runs, fmt="py:percent")
    jupytext.write(notebook, folder / "ann.ipynb")
    text = collected(folder, section)["ann"].text.decode()
    assert "def double" in text
    assert "import numpy" in text
    assert "test_double" not in text
    assert "train()" not in text


NOTEBOOK = """
# %%
SMALL = 1e-12

# %%
EPS, OTHER = 2 * SMALL, 3

# %%
def double(x, losses=None):
    return helper(x) + EPS

# %%
losses = train()

# %%
if OTHER:
    helper = lambda x: 2 * x

# %%
double.calls = 0

# %%
losses[0] = 1
"""


def test_notebook_keeps_what_a_function_takes_from_other_cells(
    folder: Path, section: Section
) -> None:
    jupytext.write(jupytext.reads(NOTEBOOK, fmt="py:percent"), folder / "ann.ipynb")
    text = collected(folder, section)["ann"].text.decode()
    kept = ["SMALL = ", "EPS, OTHER = ", "def double", "helper = lambda", "double.calls = "]
    assert sorted(kept, key=text.index) == kept
    assert "losses = train()" not in text
    assert "losses[0]" not in text


def bad(path: Path) -> None:
    path.write_text("x = 1")


PROBLEMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "ann.py": (bad, "defines no exercise of any section"),
    "link.py": (lambda p: p.symlink_to("/etc/passwd"), "is a link to elsewhere"),
    "pipe.py": (os.mkfifo, "is no ordinary file"),
    "utf16.py": (lambda p: p.write_bytes("x = 1".encode("utf-16")), "is no text in UTF-8"),
    "notebook.ipynb": (lambda p: p.write_text('{"cells": 3}'), "is no notebook"),
    "no json.ipynb": (lambda p: p.write_text("def double"), "is no notebook"),
    "deep.ipynb": (lambda p: p.write_text("[" * 100_000), "is no notebook"),
    "long.py": (lambda p: p.write_text("#" * (3 << 20)), "is longer than 2 MB"),
    "huge.py": (lambda p: os.truncate(os.open(p, os.O_CREAT | os.O_RDWR), 65 << 20), "larger than"),
    "empty": (Path.mkdir, "holds no answers of 9.1"),
    "linked folder": (lambda p: p.symlink_to("/etc"), "is a link to elsewhere"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_bad_submission_is_told_what_is_wrong(folder: Path, section: Section, name: str) -> None:
    make, problem = PROBLEMS[name]
    make(folder / name)
    (found,) = submissions.collect(folder, [section], ["9.1"])
    assert problem in found.problem


def test_syntax_error_is_noted_and_graded(folder: Path, section: Section, solved: str) -> None:
    (folder / "ann.py").write_text(solved + "\n# %%\ndef broken(:\n")
    found = collected(folder, section)["ann"]
    assert not found.problem
    assert re.fullmatch(r"line \d+ does not compile: .+", found.note)


def test_other_section_is_named(folder: Path, section: Section, solved: str) -> None:
    (folder / "ann.py").write_text(solved)
    (found,) = submissions.collect(folder, [section], ["9.2"])
    assert found.problem == "is of 9.1, not of 9.2"


def test_two_files_of_one_learner_are_not_chosen_from(
    folder: Path, section: Section, solved: str
) -> None:
    for name in ("ann.py", "ann.ipynb"):
        jupytext.write(jupytext.reads(solved, fmt="py:percent"), folder / name)
    assert "leave one: ann.ipynb, ann.py" in collected(folder, section)["ann"].problem


def test_names_that_look_the_same_are_the_same(folder: Path, section: Section, solved: str) -> None:
    for name in ("Zoe\u0308.py", "Zoë.ipynb"):
        jupytext.write(jupytext.reads(solved, fmt="py:percent"), folder / name)
    assert len(collected(folder, section)) == 1


# --- what looks alike -------------------------------------------------------------------------

LONG = """
def topological(node, get_children):
    order, seen, open_nodes = [], set(), set()
    def visit(current):
        if current in open_nodes:
            raise ValueError("a cycle")
        if current not in seen:
            open_nodes.add(current)
            for child in get_children(current):
                visit(child)
            open_nodes.remove(current)
            seen.add(current)
            order.append(current)
    visit(node)
    return order
"""
OTHER = """
def topological(node, get_children):
    result = []
    stack = [(node, iter(get_children(node)))]
    path = {node}
    while stack:
        here, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            stack.pop()
            path.discard(here)
            result.append(here)
        elif following in path:
            raise ValueError("there is a cycle through " + repr(following))
        elif following not in result:
            path.add(following)
            stack.append((following, iter(get_children(following))))
    return result
"""


def prints(code: str, given: str = "") -> list[int]:
    from arena_lab.cells import definitions

    known = [run for d in definitions(given).values() for run in alike.runs(d.shape)]
    return alike.fingerprints([d.shape for d in definitions(code).values()], frozenset(known))


def test_renamed_copy_is_listed() -> None:
    copy = LONG.replace("current", "n").replace("order", "out").replace("seen", "done")
    copy = copy.replace("visit(node)", "visit(node)  # start")
    (pair,) = alike.pairs({"ann": prints(LONG), "bob": prints(copy), "eve": prints(OTHER)})
    assert (pair.first, pair.second) == ("ann", "bob")
    assert pair.share == 1.0


def test_copy_with_a_changed_line_is_listed() -> None:
    copy = LONG.replace('raise ValueError("a cycle")', 'raise RuntimeError("a circle of nodes")')
    (pair,) = alike.pairs({"ann": prints(LONG), "bob": prints(copy)})
    assert 0.5 < pair.share < 1


def test_what_was_given_to_all_is_not_listed() -> None:
    assert alike.pairs({"ann": prints(LONG, LONG), "bob": prints(LONG, LONG)}) == []


def test_short_functions_are_not_listed() -> None:
    short = "def double(x):\n    return x + x"
    assert alike.pairs({"ann": prints(short), "bob": prints(short)}) == []


# --- the report -------------------------------------------------------------------------------


def graded(section: Section, learner: str, message: str = "", saved: float = 0.0) -> Graded:
    names = [exercise.name for exercise in section.exercises]
    verdicts = [{"name": n, "status": "passed", "message": "", "tests": []} for n in names]
    if message:
        verdicts[0] |= {"status": "failed", "message": message}
    found = Submission(learner, Path(f"{learner}.py"), section.number, saved=saved)
    return Graded(found, {"verdicts": verdicts, "sandbox": "container", "seconds": 1.0})


def test_commonest_failure_comes_first(section: Section) -> None:
    messages = {"ann": "is None", "bob": "wrong shape", "eve": "wrong shape", "joe": ""}
    data = report.summary([section], [graded(section, n, m) for n, m in messages.items()], {})
    double = data["sections"][0]["exercises"][0]
    assert double["failures"][0] == {"message": "wrong shape", "learners": ["bob", "eve"]}
    assert double["counts"] == {"failed": 3, "passed": 1}


def test_late_is_after_the_date(section: Section) -> None:
    due = dt.datetime(2026, 10, 12, 18, tzinfo=dt.UTC)
    moments = {"in time": -1, "late": +1}
    found = [graded(section, n, saved=due.timestamp() + s) for n, s in moments.items()]
    data = report.summary([section], found, {"9.1": due})
    assert {x["learner"]: x["late"] for x in data["sections"][0]["learners"]} == {
        "in time": False,
        "late": True,
    }


@pytest.mark.parametrize("claimed", [10**12, -(10**12)])
def test_date_that_cannot_be_is_not_believed(
    folder: Path, section: Section, solved: str, claimed: int
) -> None:
    # Of the year 33658, where the file system can hold it, no report could be written.
    (folder / "ann.py").write_text(solved)
    os.utime(folder / "ann.py", (claimed, claimed))
    assert 0 <= collected(folder, section)["ann"].saved <= time.time()


def test_exercise_that_time_did_not_reach_is_told(section: Section) -> None:
    one = graded(section, "ann")
    assert one.result is not None
    one.result["verdicts"].pop()
    data = report.summary([section], [one], {})
    assert data["sections"][0]["learners"][0]["exercises"]["triple"]["status"] == "not run"


def test_table_holds_no_formula(section: Section) -> None:
    data = report.summary([section], [graded(section, "=HYPERLINK(1)")], {})
    (row,) = csv.DictReader(report.table(data["sections"][0]).splitlines())
    assert row["learner"] == "'=HYPERLINK(1)"


def test_page_shows_what_a_learner_wrote_as_text(section: Section) -> None:
    data = report.summary([section], [graded(section, "<b>ann", "<script>alert(1)</script>")], {})
    page = report.page(data)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;b&gt;ann" in page


def test_page_needs_nothing_from_elsewhere(section: Section) -> None:
    page = report.page(report.summary([section], [graded(section, "ann", "wrong")], {}))
    assert not re.search(r"\b(src|href)=|url\(", page)


# --- the command ------------------------------------------------------------------------------


class Class:
    """A checkout with the small course, and a folder of submissions for it."""

    def __init__(self, root: Path, folder: Path, solved: str) -> None:
        self.root, self.folder, self.solved = root, folder, solved
        self.to = folder.with_name(f"{folder.name}-grades")

    def hand_in(self, learner: str, double: str = "return 2 * x") -> None:
        text = self.solved.replace("return 2 * x", double) + f"\n# {learner}\n"
        (self.folder / f"{learner}.py").write_text(text)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "invoke", "grade", str(self.folder), *words]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "ARENA_LAB_ROOT": str(self.root), "COLUMNS": "120"}

    def grade(self, *words: str) -> Done:
        words = (*words, "--sandbox=namespaces") if os.getuid() == 0 else words
        done = subprocess.run(
            self.command(*words),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        if "submissions cannot run here" in done.stderr:
            pytest.skip(done.stderr)
        return done

    @property
    def data(self) -> dict[str, Any]:
        return json.loads((self.to / "grades.json").read_text())["sections"][0]

    def statuses(self) -> dict[str, str]:
        return {x["learner"]: x["exercises"]["double"]["status"] for x in self.data["learners"]}

    def results(self) -> set[str]:
        return {path.name for path in (self.to / "results").glob("*.json")}


@pytest.fixture
def class_(section: Section, tmp_path: Path, folder: Path, solved: str) -> Class:
    return Class(tmp_path, folder, solved)


@pytest.mark.slow
def test_class_is_graded_with_a_line_for_each_bad_submission(class_: Class) -> None:
    class_.hand_in("ann")
    class_.hand_in("bob", "return x * x")
    class_.hand_in("eve", "import os; os._exit(0)")
    (class_.folder / "joe.py").write_text("x = 1")
    done = class_.grade("--section=9.1")
    assert done.returncode == 0, done.stderr
    assert "joe: defines no exercise of any section\n" in done.stdout
    assert class_.statuses() == {"ann": "passed", "bob": "failed", "eve": "failed"}
    names = {path.name for path in class_.to.iterdir()}
    assert names == {"index.html", "grades.json", "grades-9.1.csv", "results"}


@pytest.mark.slow
def test_same_run_again_runs_nothing_but_what_is_new(class_: Class) -> None:
    class_.hand_in("ann")
    class_.hand_in("bob")
    class_.grade()
    first = class_.results()
    class_.hand_in("bob", "return x * x")
    done = class_.grade()
    assert "1 of 2 were graded before" in done.stdout
    assert class_.statuses() == {"ann": "passed", "bob": "failed"}
    assert len(first) == 2
    assert len(class_.results() - first) == 1


@pytest.mark.parametrize(
    ("result", "sandbox", "final"),
    [
        (None, "auto", False),
        ({"sandbox": "container"}, "auto", True),
        ({"sandbox": "container", "cut": True}, "auto", False),
        ({"sandbox": "container", "problem": "it took too much"}, "auto", False),
        ({"sandbox": "container"}, "container", True),
        ({"sandbox": "process"}, "container", False),
        ({"sandbox": "user"}, "process", True),
    ],
)
def test_result_is_final_unless_another_run_may_give_another(
    result: dict[str, Any] | None, sandbox: str, final: bool
) -> None:
    assert grade.is_final(result and {"verdicts": [], **result}, sandbox) == final


@pytest.mark.slow
def test_what_time_did_not_reach_is_reached_with_more_of_it(class_: Class) -> None:
    class_.hand_in("ann")
    class_.hand_in("bob", "while True: pass")
    class_.grade("--minutes=0.01")
    assert class_.statuses()["bob"] == "not run"
    assert "1 of 2 were graded before" in class_.grade().stdout
    assert class_.statuses() == {"ann": "passed", "bob": "failed"}


@pytest.mark.slow
def test_other_memory_grades_anew(class_: Class) -> None:
    class_.hand_in("ann", "return 2 * x * len(bytes(300 << 20)) / (300 << 20)")
    class_.grade("--memory=256")
    assert class_.statuses() == {"ann": "failed"}
    class_.grade()
    assert class_.statuses() == {"ann": "passed"}


def test_submissions_of_a_section_run_one_after_the_other(
    folder: Path, section: Section, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def run_all(orders: dict[str, Any], **_: object) -> Iterator[tuple[str, dict[str, Any]]]:
        ran.extend(order.setting.section for order in orders.values())
        yield from ()

    monkeypatch.setattr(grade.cluster, "run_all", run_all)
    found = [
        Submission(who, Path(), number, f"{who} {number}".encode())
        for who in ("ann", "bob")
        for number in ("9.1", "9.2")
    ]
    run = grade._Run(Store(folder / "results"), grade.Options())
    run.everything(Console(quiet=True), found)
    assert ran == ["9.1", "9.1", "9.2", "9.2"]


def test_own_tests_are_for_one_section(folder: Path, tmp_path: Path) -> None:
    options = grade.Options(tests="def test(): pass")
    with pytest.raises(LabError, match="say --section"):
        grade.grade(Console(quiet=True), folder, tmp_path / "to", options)


def test_sandbox_that_is_not_known_runs_nothing(
    folder: Path, solved: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "ann.py").write_text(solved)
    monkeypatch.setattr(grade.cluster, "run_all", lambda *_, **__: pytest.fail("it ran"))
    with pytest.raises(LabError, match="no sandbox 'contaner'; there are auto, container, name"):
        grade.grade(Console(quiet=True), folder, tmp_path / "to", grade.Options(sandbox="contaner"))


@pytest.mark.slow
def test_changed_test_grades_anew(class_: Class, section: Section) -> None:
    class_.hand_in("ann")
    class_.grade()
    section.tests.write_text(section.tests.read_text().replace("gives(2 * X", "gives(3 * X"))
    class_.grade()
    assert class_.statuses() == {"ann": "failed"}


@pytest.mark.slow
def test_own_tests_of_a_file_count_too(class_: Class, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "from arena_lab.checks import call, checks\n\n\n@checks('double')\n"
        "def test_seven(double):\n    call(double, 7).gives(15)\n"
    )
    class_.hand_in("ann")
    class_.grade(f"--tests={own}")
    assert class_.statuses() == {"ann": "failed"}


@pytest.mark.slow
def test_own_tests_beside_ours_count_too(class_: Class, section: Section) -> None:
    (section.folder / "tests_ours.py").write_text(
        "from arena_lab.checks import call, checks\n\n\n@checks('double')\n"
        "def test_seven(double):\n    call(double, 7).gives(15)\n"
    )
    class_.hand_in("ann")
    class_.grade()
    assert class_.statuses() == {"ann": "failed"}


@pytest.mark.slow
def test_interrupt_keeps_what_is_done(class_: Class) -> None:
    for name in ("ann", "bob"):
        class_.hand_in(name)
    class_.hand_in("zoe", "while True: pass")
    process = subprocess.Popen(
        class_.command("--workers=1", "--sandbox=namespaces"),
        cwd=ROOT,
        env=class_.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(class_.results()) < 2 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    if "cannot run here" in said:
        pytest.skip(said)
    assert process.returncode == 130
    assert "the same command goes on with what is left" in said
    assert class_.statuses() == {"ann": "passed", "bob": "passed"}
    assert class_.data["problems"][0]["problem"] == "not graded yet"
    assert "2 of 3 were graded before" in class_.grade().stdout


@pytest.mark.slow
def test_folder_that_is_not_there_is_named(class_: Class) -> None:
    class_.folder.rmdir()
    done = class_.grade()
    assert done.returncode == 2
    assert done.stderr == f"{class_.folder} cannot be read: No such file or directory\n"


@pytest.mark.slow
def test_scheduler_that_is_not_there_is_named(class_: Class) -> None:
    class_.hand_in("ann")
    done = class_.grade("--scheduler=tcp://127.0.0.1:9")
    assert done.returncode == 2
    assert "the scheduler tcp://127.0.0.1:9 cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def scheduler(class_: Class) -> Iterator[str]:
    """A Dask scheduler with two workers, each a process, as on other machines."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    dask = [sys.executable, "-m", "dask"]
    options = ["--host=127.0.0.1", "--no-dashboard"]
    started = [
        subprocess.Popen(
            [*dask, *words],
            env=class_.environment,
            cwd=class_.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for words in (
            ["scheduler", "--port", address.rpartition(":")[2], *options],
            *[["worker", address, "--nthreads=1", "--no-nanny", *options]] * 2,
        )
    ]
    yield address
    for process in reversed(started):
        process.terminate()
    for process in started:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_workers_of_a_scheduler_do_the_same(class_: Class, scheduler: str) -> None:
    for i in range(4):
        class_.hand_in(f"learner {i}", random.Random(i).choice(["return 2 * x", "return x * x"]))
    done = class_.grade(f"--scheduler={scheduler}")
    assert done.returncode == 0, done.stderr
    there = class_.statuses()
    shutil.rmtree(class_.to)
    class_.grade()
    assert class_.statuses() == there
    assert set(there.values()) == {"passed", "failed"}


@pytest.mark.slow
def test_worker_with_another_course_stops_the_run(
    class_: Class, scheduler: str, section: Section
) -> None:
    for name in ("ann", "ben", "cleo", "dan", "eve", "finn"):  # for both workers
        class_.hand_in(name)
    class_.grade(f"--scheduler={scheduler}")
    section.tests.write_text(section.tests.read_text() + "\n# newer\n")
    done = class_.grade(f"--scheduler={scheduler}")
    assert done.returncode == 2
    assert "a worker has another course" in done.stderr
