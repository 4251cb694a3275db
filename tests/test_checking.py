"""A verdict is right, says what happened, and costs no other exercise its own."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from arena_lab import checking
from arena_lab.catalogue import Section
from arena_lab.checking import FAILED, NOT_STARTED, PASSED, WAITING, Verdict
from arena_lab.errors import LabError

Write = Callable[..., None]


def verdicts(section: Section, *, solutions: bool = False) -> dict[str, Verdict]:
    return {v.name: v for v in checking.run(section, solutions=solutions)}


def message(verdict: Verdict) -> str:
    assert verdict.failure is not None
    return verdict.failure.sentence


def test_solutions_pass(section: Section) -> None:
    assert {v.status for v in verdicts(section, solutions=True).values()} == {PASSED}


def test_starter_is_not_started(section: Section) -> None:
    assert {v.status for v in verdicts(section).values()} == {NOT_STARTED}


def test_comments_and_annotations_are_no_start(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    # later\n    raise NotImplementedError()")
    assert verdicts(section)["double"].status == NOT_STARTED


def test_right_answer_passes(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    return x + x")
    assert verdicts(section)["double"].status == PASSED


def test_known_mistake_is_named(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    return x * x")
    verdict = verdicts(section)["double"]
    assert verdict.status == FAILED
    assert message(verdict) == "double: this is the square"


def test_answer_that_needs_an_unwritten_one_waits(section: Section, write_answer: Write) -> None:
    write_answer("def half_of_double(x):\n    return halve(double(x))", "half_of_double")
    write_answer("def halve(x):\n    return x / 2", "halve")
    verdict = verdicts(section)["halve"]
    assert verdict.status == WAITING
    assert message(verdict) == "this needs double, which is not written yet"


def test_half_written_exercise_says_what_is_left(section: Section, write_answer: Write) -> None:
    write_answer("def halve(x):\n    return x / 2", "halve")
    assert message(verdicts(section)["halve"]) == "half_of_double still raises NotImplementedError"


HOSTILE = {
    "busy loop": ("while True: pass", "did not finish within 2 seconds"),
    "sleeping loop": ("import time\n    while True: time.sleep(1)", "did not finish"),
    "sys.exit": ("import sys; sys.exit(0)", "calls exit"),
    "os._exit": ("import os; os._exit(0)", "ended the Python interpreter (exit code 0)"),
    "abort": ("import os; os.abort()", "crashed the Python interpreter (SIGABRT)"),
    "segmentation fault": ("import ctypes; ctypes.string_at(0)", "(SIGSEGV)"),
    "recursion": ("return double(x)", "calls itself without end"),
    "memory": ("return np.ones(60 * 2**30 // 8)", "asked for more memory"),
    "exception": ("return x + 'a'", "raised UFuncTypeError"),
    "interrupt": ("raise KeyboardInterrupt", "raised KeyboardInterrupt"),
    "nothing": ("x * 2", "the result is None"),
    "in place": ("x *= 2; return x", "changed its argument x in place"),
    "closed output": ("import os; os.closerange(0, 100)", "ended the Python interpreter"),
}


@pytest.mark.parametrize(("body", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_answer_costs_only_its_own_verdict(
    section: Section, write_answer: Write, body: str, expected: str
) -> None:
    write_answer("def triple(x):\n    return x * 3", "triple")
    write_answer(f"def double(x):\n    {body}")
    found = verdicts(section)
    assert found["double"].status == FAILED
    assert expected in message(found["double"])
    assert found["triple"].status == PASSED


def test_flood_of_output_is_cut(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    for _ in range(10**6): print('x' * 80)\n    return x")
    failure = verdicts(section)["double"].failure
    assert failure is not None
    assert len(failure.printed) < 2000


def test_timeout_names_the_line_that_runs(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    while True:\n        x = x + 1")
    failure = verdicts(section)["double"].failure
    assert failure is not None
    assert any("in double" in line for line in failure.where)


@pytest.mark.parametrize(
    "change",
    [
        "np.ones = None; np.array = None",
        "import builtins; builtins.len = lambda x: 0",
        "import os; os.chdir('/')",
        "np.seterr(all='raise')",
        "import sys; sys.setrecursionlimit(60)",
    ],
)
def test_changed_global_state_stays_in_its_child(
    section: Section, write_answer: Write, change: str
) -> None:
    before = os.getcwd()
    write_answer(f"def double(x):\n    {change}\n    return 2 * x")
    write_answer("def triple(x):\n    return x * 3", "triple")
    assert verdicts(section)["triple"].status == PASSED
    assert os.getcwd() == before


def test_syntax_error_costs_its_own_cell_only(section: Section, write_answer: Write) -> None:
    write_answer("def triple(x):\n    return x * 3", "triple")
    write_answer("def double(x:\n    return 2 * x")
    found = verdicts(section)
    assert "double could not be loaded: SyntaxError" in message(found["double"])
    assert found["triple"].status == PASSED
    assert found["halve"].status == NOT_STARTED


def test_error_at_the_top_level_costs_what_needs_it(section: Section, write_answer: Write) -> None:
    write_answer("import not_a_package\n\ndef double(x):\n    return 2 * x")
    assert verdicts(section)["double"].status == PASSED


def test_deleted_definition_is_not_started(section: Section, write_answer: Write) -> None:
    write_answer("pass")
    verdict = verdicts(section)["double"]
    assert verdict.status == FAILED
    assert message(verdict) == "double is not defined in answers.py"


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: b"# -*- coding: latin-1 -*-\n# \xe9\n" + text.encode("latin-1"),
    ],
    ids=["byte-order mark", "CRLF", "declared encoding"],
)
def test_any_encoding_that_python_reads(
    section: Section, write_answer: Write, encode: Callable[[str], bytes]
) -> None:
    write_answer("def double(x):\n    return x + x")
    section.answers.write_bytes(encode(section.answers.read_text()))
    assert verdicts(section)["double"].status == PASSED


def test_undecodable_file_says_line(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    return x + x")
    section.answers.write_bytes(section.answers.read_bytes() + b"# \xff\n")
    with pytest.raises(LabError, match=r"answers\.py cannot be read: line \d+ .* UTF-8"):
        verdicts(section)


def test_missing_answers_file_says_how_to_get_one(section: Section) -> None:
    section.answers.unlink()
    with pytest.raises(LabError, match=r"invoke starters --section 9\.1"):
        verdicts(section)


def test_children_left_behind_are_ended(
    section: Section, write_answer: Write, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    write_answer(
        "def double(x):\n"
        "    import subprocess\n"
        f"    open({str(note)!r}, 'w').write(str(subprocess.Popen(['sleep', '60']).pid))\n"
        "    return 2 * x"
    )
    assert verdicts(section)["double"].status == PASSED
    deadline = time.monotonic() + 5
    while _is_alive(int(note.read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(int(note.read_text()))


def _is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
