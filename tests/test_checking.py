"""A verdict is right, says what happened, and costs no other exercise its own."""

import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch  # noqa: F401 (as `invoke test` has it, before a child starts)

from arena_lab import answers, checking, isolation
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
    "closed pipes": ("import os; os.closerange(0, 100)", "ended the Python interpreter"),
    "base exception": ("raise BaseException('no')", "raised BaseException: no"),
    "error that cannot be told": (
        "class E(Exception):\n        def __str__(self): raise ValueError\n    raise E",
        "raised E",
    ),
    "import that does not exist": ("import not_a_package", "No module named 'not_a_package'"),
    "warning as error": (
        "import warnings; warnings.simplefilter('error'); warnings.warn('old')",
        "raised UserWarning: old",
    ),
    "reading the solutions": (
        "from pathlib import Path; return Path(__file__).with_name('solutions.py').read_text()",
        "reads our solutions.py: write your own",
    ),
    "importing the solutions": (
        "import importlib; return importlib.import_module("
        "__name__.replace('answers', 'solutions')).double(x)",
        "reads our solutions.py: write your own",
    ),
    "memory piece by piece": (
        "kept = []\n    while True: kept.append(bytearray(10**8))",
        "asked for more memory",
    ),
}


@pytest.mark.parametrize(("body", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_answer_costs_only_its_own_verdict(
    section: Section,
    write_answer: Write,
    body: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARENA_LAB_TEST_MEMORY_MB", "600")
    write_answer("def triple(x):\n    return x * 3", "triple")
    write_answer(f"def double(x):\n    {body}")
    found = verdicts(section)
    assert found["double"].status == FAILED
    assert expected in message(found["double"])
    assert found["triple"].status == PASSED


def test_what_stands_behind_an_endless_test_is_not_waited_for() -> None:
    def endless() -> None:
        while True:
            pass

    steps = [isolation.Step(lambda: "before", 5), isolation.Step(endless, 0.1)]
    steps += [isolation.Step(lambda: "behind", 5)]
    found = isolation.run_all([("job", steps)], workers=1, memory=1 << 30)
    assert [(n, outcome.kind) for _, n, outcome in found] == [
        (0, "result"),
        (1, "timeout"),
        (2, "skipped"),
    ]


def test_flood_of_output_is_cut(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    for _ in range(1000): print('x' * 10**6)\n    return x")
    failure = verdicts(section)["double"].failure
    assert failure is not None
    assert len(failure.printed) < 2000


def test_timeout_names_the_line_that_runs(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    while True:\n        x = x + 1")
    failure = verdicts(section)["double"].failure
    assert failure is not None
    assert any("in double" in line for line in failure.where)


CHANGES = {
    "numpy": "np.ones = None; np.array = None",
    "torch": "import torch; torch.tensor = None; torch.Tensor.sum = None",
    "time": "import time; time.time = time.monotonic = time.sleep = None",
    "builtins": "import builtins; builtins.len = lambda x: 0",
    "default dtype": "import torch; torch.set_default_dtype(torch.float64)",
    "seed": "import torch; torch.manual_seed(1); np.random.seed(1)",
    "gradients": "import torch; torch.set_grad_enabled(False)",
    "folder": "import os; os.chdir('/')",
    "environment": "import os; os.environ.clear()",
    "numpy's errors": "np.seterr(all='raise')",
    "recursion limit": "import sys; sys.setrecursionlimit(60)",
    "warnings": "import warnings; warnings.simplefilter('error')",
    "closed output": "import sys; sys.stdout.close(); sys.stderr.close()",
    "replaced output": "import sys; sys.stdout = sys.stderr = None",
    "thread": "import threading, time; threading.Thread(target=time.sleep, args=[60]).start()",
    "fork": "import os; os.fork()",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_global_state_stays_in_its_child(
    section: Section, write_answer: Write, change: str
) -> None:
    before = os.getcwd(), dict(os.environ)
    write_answer(f"def double(x):\n    {change}\n    return 2 * x")
    write_answer("def triple(x):\n    return x * 3", "triple")
    found = verdicts(section)
    assert found["triple"].status == PASSED
    assert len(found["double"].tests) == 1
    assert before == (os.getcwd(), dict(os.environ))


@pytest.mark.parametrize("change", list(CHANGES)[4:12])
def test_state_changed_by_a_stray_line_is_taken_back(
    section: Section, write_answer: Write, change: str
) -> None:
    write_answer(f"{CHANGES[change]}\n\ndef double(x):\n    return 2 * x")
    assert verdicts(section)["double"].status == PASSED


@pytest.mark.parametrize(
    "line", ["while True: pass", "import time; time.sleep(60)", "raise SystemExit", "exit()"]
)
def test_stray_line_that_never_ends_costs_no_verdict(
    section: Section, write_answer: Write, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "LOADING_S", 0.2)
    write_answer(f"def double(x):\n    return 2 * x\n\n{line}")
    assert verdicts(section)["double"].status == PASSED


def test_name_whose_line_failed_says_so(section: Section, write_answer: Write) -> None:
    write_answer("import not_a_package as nap\n\ndef double(x):\n    return nap.double(x)")
    said = message(verdicts(section)["double"])
    assert said.startswith("double needs nap, which failed to load: ModuleNotFoundError")


def test_deleted_temporary_files_cost_nothing(
    section: Section, write_answer: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    write_answer(
        "def double(x):\n    import shutil, tempfile\n"
        "    shutil.rmtree(tempfile.gettempdir())\n    return 2 * x"
    )
    write_answer("def triple(x):\n    return x * 3", "triple")
    found = verdicts(section)
    assert not folder.exists()
    assert (found["double"].status, found["triple"].status) == (PASSED, PASSED)


def test_mixed_tabs_cost_their_own_cell_only(section: Section, write_answer: Write) -> None:
    write_answer("def triple(x):\n\treturn x * 3", "triple")
    write_answer("def double(x):\n    y = x\n\treturn 2 * y")
    found = verdicts(section)
    assert "double could not be loaded" in message(found["double"])
    assert found["triple"].status == PASSED


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


def test_undecodable_byte_costs_its_own_cell_only(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    return x + x  # caf@")
    write_answer("def triple(x):\n    return x * 3", "triple")
    section.answers.write_bytes(section.answers.read_bytes().replace(b"@", b"\xe9"))
    found = verdicts(section)
    assert re.search(r"line \d+ holds a byte that is not UTF-8", message(found["double"]))
    assert found["triple"].status == PASSED


def test_unknown_encoding_is_told(section: Section) -> None:
    section.answers.write_bytes(b"# coding: nonsense\n" + section.answers.read_bytes())
    with pytest.raises(LabError, match=r"answers\.py cannot be read: unknown encoding"):
        verdicts(section)


def test_missing_answers_file_says_how_to_get_one(section: Section) -> None:
    section.answers.unlink()
    with pytest.raises(LabError, match=r"invoke starters --section 9\.1"):
        verdicts(section)


@pytest.mark.parametrize("own_session", [False, True], ids=["same session", "session of its own"])
def test_children_left_behind_are_ended(
    section: Section, write_answer: Write, tmp_path: Path, own_session: bool
) -> None:
    note = tmp_path / "pid"
    write_answer(
        "def double(x):\n"
        "    import subprocess\n"
        "    child = subprocess.Popen(['sleep', '60'], "
        f"start_new_session={own_session}, stdout=subprocess.DEVNULL)\n"
        f"    open({str(note)!r}, 'w').write(str(child.pid))\n"
        "    return 2 * x"
    )
    assert verdicts(section)["double"].status == PASSED
    deadline = time.monotonic() + 5
    while _is_alive(int(note.read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(int(note.read_text()))


def _is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_last_exercise_that_loops_leaves_its_other_tests_out(
    section: Section, write_answer: Write
) -> None:
    write_answer("def halve(x):\n    while True: pass", "halve")
    (verdict,) = checking.run(section, [section.find("halve")])
    assert [test.sentence for test in verdict.tests][1:] == [
        "not run, for another test of halve did not finish"
    ]
