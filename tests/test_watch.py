"""A save is checked at once, and only what it concerns."""

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from arena_lab import answers, checking, guide, progress, watch
from arena_lab.catalogue import Section
from arena_lab.checking import FAILED, PASSED
from arena_lab.paths import ROOT
from arena_lab.processes import Process
from arena_lab.uses import Script

Write = Callable[..., None]

LOOKUP = """\
# %%
table = dict()

def register(key, value):
    table[key] = value

def f(x):
    return 2 * x

def g(x):
    return x

def h(x):
    return f(x) + 1

def look(key):
    return table[key]

register("g", g)
"""


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("return 2 * x", "return 3 * x", {"f"}),
        ("return 2 * x", "return 2 * x  # twice", set()),
        ("def f(x):", "def f(x: float) -> float:", set()),
        ("def f(x):", "def k(x):", {"f", "k"}),
    ],
)
def test_change_is_what_does_something_else(old: str, new: str, changed: set[str]) -> None:
    assert Script(LOOKUP.replace(old, new)).changed_since(Script(LOOKUP)) == changed


def test_changed_import_concerns_everything() -> None:
    assert "h" in Script("import math\n" + LOOKUP).changed_since(Script(LOOKUP))


@pytest.mark.parametrize("guard", ["if MAIN:", 'if __name__ == "__main__":'])
def test_what_runs_by_hand_alone_concerns_nothing(guard: str) -> None:
    script = LOOKUP + f"\n# %%\n{guard}\n    print(1)\n"
    assert Script(script).changed_since(Script(LOOKUP)) == set()
    assert "h" in Script(f"{script}else:\n    f = g\n").changed_since(Script(script))


def test_reach_follows_calls_and_tables() -> None:
    script = Script(LOOKUP)
    assert "f" in script.reach(["h"])
    assert "g" not in script.reach(["h"])
    assert "g" in script.reach(["look"])


def test_users_are_those_that_reach_it() -> None:
    script = Script(LOOKUP)
    assert script.users(["f"]) == {"f", "h"}
    assert "look" in script.users(["g"])


@pytest.fixture
def watcher(
    section: Section, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[watch.Watch]:
    monkeypatch.setattr(progress, "STATE", tmp_path / ".lab")
    monkeypatch.setattr(guide, "STATE", tmp_path / ".lab")
    found = watch.Watch(section, Console(file=io.StringIO(), width=100))
    yield found
    found.close()


def printed(watcher: watch.Watch) -> str:
    assert isinstance(watcher.console.file, io.StringIO)
    return watcher.console.file.getvalue()


def statuses(watcher: watch.Watch) -> dict[str, str]:
    return {verdict.name: verdict.status for verdict in watcher.saved()}


def test_save_is_checked(watcher: watch.Watch, write_answer: Write) -> None:
    write_answer("def double(x):\n    return 2 * x")
    assert statuses(watcher)["double"] == PASSED


def test_unconcerned_exercises_are_left_alone(watcher: watch.Watch, write_answer: Write) -> None:
    write_answer("def triple(x):\n    return 3 * x", "triple")
    assert statuses(watcher) == {"triple": PASSED}


def test_users_of_what_changed_are_checked_too(watcher: watch.Watch, write_answer: Write) -> None:
    write_answer("def half_of_double(x):\n    return halve(double(x))", "half_of_double")
    watcher.saved()
    write_answer("def double(x):\n    return 2 * x")
    assert set(statuses(watcher)) == {"double", "halve"}


def test_save_that_changes_nothing_checks_nothing(watcher: watch.Watch, section: Section) -> None:
    section.answers.write_text(section.answers.read_text() + "# a thought\n")
    assert statuses(watcher) == {}


def test_save_of_a_cell_that_plays_checks_nothing(
    watcher: watch.Watch, section: Section, write_answer: Write
) -> None:
    write_answer("def triple(x):\n    return 3 * x", "triple")
    watcher.saved()
    text = section.answers.read_text()
    section.answers.write_text(text + "\n\n# %%\nif MAIN:\n    print(triple(2))\n")
    assert statuses(watcher) == {}
    watcher.key("h")
    assert "triple has no hint" in printed(watcher)


def test_save_of_a_comment_takes_no_minutes(
    watcher: watch.Watch, section: Section, write_answer: Write
) -> None:
    write_answer("def double(x):\n    return x")
    watcher.saved()
    path = progress.path_of(section)
    then = path.stat().st_mtime - 60 * 10
    os.utime(path, (then, then))
    section.answers.write_text(section.answers.read_text() + "# a thought\n")
    watcher.saved()
    assert path.stat().st_mtime == pytest.approx(then)
    write_answer("def double(x):\n    return 2 * x")
    watcher.saved()
    assert progress.minutes_spent(section)["double"] >= 10


def test_mended_annotation_is_checked(watcher: watch.Watch, write_answer: Write) -> None:
    write_answer("def halve(x):\n    return x / 2", "halve")
    write_answer("def half_of_double(x):\n    return halve(double(x))", "half_of_double")
    write_answer("def double(x: np.ndaray):\n    return 2 * x")
    assert statuses(watcher) == {"double": FAILED, "halve": FAILED}
    write_answer("def double(x: np.ndarray):\n    return 2 * x")
    assert statuses(watcher) == {"double": PASSED, "halve": PASSED}
    write_answer("def double(x: np.ndarray) -> np.ndarray:\n    return 2 * x")
    assert statuses(watcher) == {}


def test_slow_line_is_waited_for_again_only_where_it_may_have_changed(
    watcher: watch.Watch, write_answer: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(answers, "LOADING_S", 0.2)
    monkeypatch.setattr(checking, "_workers", lambda: 1)
    waits = tmp_path / "waits"
    waiting = (
        "def wait():\n    import time\n"
        f"    with open({str(waits)!r}, 'a') as file: file.write('.')\n"
        "    time.sleep(60)"
    )
    write_answer(f"{waiting}\n\ndef double(x):\n    return 2 * x\n\nluck = wait()")
    assert statuses(watcher) == {"double": PASSED}
    assert waits.read_text() == "."
    write_answer("def triple(x):\n    # the line is another one now\n    return 3 * x", "triple")
    write_answer("def double(x):\n    return x")
    assert statuses(watcher) == {"double": FAILED, "triple": PASSED}
    assert waits.read_text() == "."
    write_answer(waiting.replace("60", "50"), "wait")
    write_answer("def double(x):\n    return x + 0")
    watcher.saved()
    assert waits.read_text() == ".."
    watcher.key("a")
    assert waits.read_text() == "..."


def test_next_save_ends_what_still_runs(
    watcher: watch.Watch, write_answer: Write, section: Section
) -> None:
    write_answer("def triple(x):\n    return 3 * x", "triple")
    watcher.saved()
    write_answer("def triple(x):\n    return x", "triple")
    write_answer(
        "def double(x):\n"
        f"    with open({str(section.answers)!r}, 'a') as file:\n"
        "        file.write('# saved again')\n"
        "    while True: pass"
    )
    assert statuses(watcher) == {}
    write_answer("def double(x):\n    return 2 * x")
    assert statuses(watcher) == {"double": PASSED, "triple": FAILED}


def test_syntax_error_is_a_verdict_and_then_forgotten(
    watcher: watch.Watch, write_answer: Write, section: Section
) -> None:
    good = section.answers.read_text()
    write_answer("def double(x:\n    return 2 * x")
    assert statuses(watcher)["double"] == FAILED
    section.answers.write_text(
        good.replace("    raise NotImplementedError()", "    return 2 * x", 1)
    )
    assert statuses(watcher)["double"] == PASSED


def test_what_was_written_is_explained_before_its_users_are_checked(
    watcher: watch.Watch, write_answer: Write
) -> None:
    write_answer("def double(x):\n    return 2 * x")
    write_answer("def halve(x):\n    return x / 2", "halve")
    write_answer("def half_of_double(x):\n    return halve(double(x))", "half_of_double")
    watcher.saved()
    write_answer("def double(x):\n    return x * x")
    assert list(statuses(watcher)) == ["double", "halve"]
    assert re.search(r"✗ double .* look at .*✗ halve", printed(watcher), re.S)
    assert printed(watcher).count("look at") == 1


def test_file_that_vanishes_for_a_moment_is_waited_for(
    watcher: watch.Watch, write_answer: Write, section: Section
) -> None:
    write_answer("def double(x):\n    return 2 * x")
    aside = section.answers.with_name("aside")
    section.answers.rename(aside)
    back = threading.Timer(0.05, aside.rename, [section.answers])
    back.start()
    assert statuses(watcher) == {"double": PASSED}
    back.join()


def test_file_that_is_gone_is_checked_when_it_is_back(
    watcher: watch.Watch, write_answer: Write, section: Section
) -> None:
    write_answer("def double(x):\n    return 2 * x")
    text = section.answers.read_text()
    section.answers.unlink()
    assert statuses(watcher) == {}
    assert "answers.py is missing" in printed(watcher).replace("\n", "")
    assert not watcher.is_behind()
    section.answers.write_text(text)
    assert watcher.is_behind()
    assert statuses(watcher) == {"double": PASSED}


def test_file_that_cannot_be_read_is_told(watcher: watch.Watch, section: Section) -> None:
    section.answers.write_bytes(b"# coding: nonsense\n" + section.answers.read_bytes())
    assert statuses(watcher) == {}
    assert "cannot be read: unknown encoding" in printed(watcher).replace("\n", "")


def wait_until_warm(watcher: watch.Watch) -> Process:
    assert watcher._spare is not None
    process = watcher._spare._process
    assert process is not None
    assert select.select([process.pipes.report], [], [], 20)[0]
    return process


def test_save_is_checked_by_the_child_forked_ahead(
    watcher: watch.Watch, write_answer: Write
) -> None:
    watcher.prepare()
    ahead = wait_until_warm(watcher)
    write_answer("def double(x):\n    import os\n    raise ValueError(os.getpid())")
    assert statuses(watcher)["double"] == FAILED
    assert str(ahead.pid) in printed(watcher)
    assert wait_until_warm(watcher).pid != ahead.pid


def test_each_check_has_a_child_that_has_seen_no_other_answer(
    watcher: watch.Watch, write_answer: Write
) -> None:
    watcher.prepare()
    wait_until_warm(watcher)
    write_answer("def double(x):\n    np.array = None\n    import os; os._exit(3)")
    assert statuses(watcher)["double"] == FAILED
    wait_until_warm(watcher)
    write_answer("def double(x):\n    return np.array(2 * x)")
    assert statuses(watcher)["double"] == PASSED


def test_save_does_not_wait_for_a_child_that_is_not_warm(
    watcher: watch.Watch, write_answer: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "_rehearse", lambda *_: time.sleep(60))
    watcher.prepare()
    write_answer("def double(x):\n    return 2 * x")
    assert statuses(watcher)["double"] == PASSED


@pytest.mark.parametrize("when", ["before it is warm", "after"])
def test_child_that_dies_ahead_of_the_save_is_replaced(
    watcher: watch.Watch, write_answer: Write, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if when == "before it is warm":
        monkeypatch.setattr(checking, "_rehearse", lambda *_: os._exit(1))
    watcher.prepare()
    process = wait_until_warm(watcher)
    os.kill(process.pid, signal.SIGKILL)
    while process.poll() is None:
        time.sleep(0.01)
    write_answer("def double(x):\n    return 2 * x")
    assert statuses(watcher)["double"] == PASSED
    assert watcher._spare is not None
    assert not watcher._spare.is_taken


def test_rehearsed_solution_is_hidden_from_the_answer(
    watcher: watch.Watch, write_answer: Write
) -> None:
    watcher.prepare()
    wait_until_warm(watcher)
    write_answer(
        "def double(x):\n    import sys\n"
        "    return sys.modules[__name__.replace('answers', 'solutions')].double(x)"
    )
    assert statuses(watcher)["double"] == FAILED
    assert "KeyError" in printed(watcher)


def test_child_ahead_ends_with_the_watch(watcher: watch.Watch) -> None:
    watcher.prepare()
    process = wait_until_warm(watcher)
    watcher.close()
    assert not psutil.pid_exists(process.pid)


CUDA_PROBE = """\
import sys, torch
torch.cuda._device_count_nvml = lambda: 1  # the driver's own tool finds a GPU
from arena_lab import catalogue, watch
from rich.console import Console
(section,) = catalogue.sections()
watcher = watch.Watch(section, Console(file=sys.stderr, width=200))
watcher.prepare()
section.answers.write_text(section.answers.read_text().replace(
    "raise NotImplementedError()",
    "import os, torch; assert not torch.cuda._is_in_bad_fork(); "
    "assert 'PYTORCH_NVML_BASED_CUDA_CHECK' not in os.environ; return 2 * x",
    1,
))
print(*(verdict.status for verdict in watcher.saved() if verdict.name == "double"))
watcher.close()
print(torch.cuda.is_initialized())
"""


def test_answers_can_use_cuda_though_an_import_of_ours_asked_for_it(
    section: Section, tmp_path: Path
) -> None:
    asking = "import torch\nassert torch.cuda.is_available()\n"
    section.tests.write_text(asking + section.tests.read_text())
    done = subprocess.run(
        [sys.executable, "-c", CUDA_PROBE],
        cwd=ROOT,
        env={**os.environ, "ARENA_LAB_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["passed", "False"], done.stderr


def test_key_n_tells_where_to_go_on(watcher: watch.Watch) -> None:
    assert watcher.key("n")
    assert "double" in printed(watcher)
    assert "about 5 minutes" in printed(watcher)


def test_key_n_tells_where_the_file_is_gone(watcher: watch.Watch, section: Section) -> None:
    section.answers.unlink()
    assert watcher.key("n")
    assert "answers.py is missing" in printed(watcher).replace("\n", "")


def test_key_n_tells_when_all_is_passed(
    watcher: watch.Watch, section: Section, write_answer: Write
) -> None:
    section.answers.write_text(section.solutions.read_text())
    watcher.saved()
    watcher.key("n")
    assert "All of 9.1 is passed." in printed(watcher)


def test_key_a_checks_what_no_save_concerned(watcher: watch.Watch, section: Section) -> None:
    section.answers.write_text(section.solutions.read_text())
    watcher.saved()
    before = len(printed(watcher))
    watcher.key("a")
    assert re.findall("✓ (\\w+)", printed(watcher)[before:]) == ["double", "halve", "triple"]
    assert "3 passed, 0 failed" in printed(watcher)


def test_key_s_shows_the_solution_after_a_try(watcher: watch.Watch, write_answer: Write) -> None:
    watcher.key("s")
    assert "return 2 * x" not in printed(watcher)
    write_answer("def double(x):\n    return x")
    watcher.saved()
    watcher.key("s")
    assert "return 2 * x" in printed(watcher)


def test_key_h_is_about_what_was_written_last(watcher: watch.Watch, write_answer: Write) -> None:
    write_answer("def triple(x):\n    return 3 * x", "triple")
    watcher.saved()
    watcher.key("h")
    assert "triple has no hint" in printed(watcher)


def test_key_that_means_nothing_is_let_pass(watcher: watch.Watch) -> None:
    assert watcher.key("x")
    assert printed(watcher) == ""


def test_watch_in_a_terminal(section: Section, write_answer: Write, tmp_path: Path) -> None:
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "watch", "--section", "9.1"],
        cwd=ROOT,
        env={**os.environ, "ARENA_LAB_ROOT": str(tmp_path), "COLUMNS": "100"},
        stdin=inside,
        stdout=inside,
        stderr=inside,
    )
    try:
        read_until(terminal, "Keys:")
        write_answer("def double(x):\n    return x * x")
        assert "this is the square" in read_until(terminal, "look at")
        os.write(terminal, b"h")
        assert "Twice what?" in read_until(terminal, "Twice")
        os.write(terminal, b"naq")  # in one go
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(inside)


def test_watch_without_a_section_takes_the_one_that_is_saved(
    tmp_path: Path, write_answer: Write, other_answers: Path
) -> None:
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "watch"],
        cwd=ROOT,
        env={**os.environ, "ARENA_LAB_ROOT": str(tmp_path), "COLUMNS": "100"},
        stdin=inside,
        stdout=inside,
        stderr=inside,
    )
    try:
        assert "of 9.1, 9.2. Keys:" in read_until(terminal, "quit")
        replace = other_answers.read_text().replace(
            "    raise NotImplementedError()", "    return x * x", 1
        )
        other_answers.with_name("answers.py~").write_text(replace)
        os.replace(other_answers.with_name("answers.py~"), other_answers)  # as editors do
        assert "9.2 Toys" in read_until(terminal, "look at")
        write_answer("def double(x):\n    return x * x")
        assert "9.1 Toys" in read_until(terminal, "look at")
        os.write(terminal, b"q")
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
        os.close(inside)


def read_until(terminal: int, text: str) -> str:
    found = ""
    os.set_blocking(terminal, False)
    deadline = time.monotonic() + 20
    while text not in found and time.monotonic() < deadline:
        try:
            found += os.read(terminal, 4096).decode(errors="replace")
        except BlockingIOError:
            time.sleep(0.02)
    assert text in found, found
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", found)
