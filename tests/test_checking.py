"""A verdict is right, says what happened, and costs no other exercise its own."""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch  # noqa: F401 (as `invoke test` has it, before a child starts)

from arena_lab import answers, catalogue, checking, isolation
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
    "endless loop in C": ("return sum(range(10**12))", "did not finish"),
    "loop that catches everything": (
        "while True:\n        try: import time; time.sleep(1)\n        except BaseException: pass",
        "did not finish",
    ),
    "quiet exit": ("quit()", "calls exit"),
    "kill of the group": ("import os; os.kill(0, 9)", "crashed the Python interpreter (SIGKILL)"),
    "deep recursion in data": (
        "import pickle\n    a = []\n    for _ in range(10**4): a = [a]\n    return pickle.dumps(a)",
        "calls itself without end",
    ),
    "sys.exit": ("import sys; sys.exit(0)", "calls exit"),
    "os._exit": ("import os; os._exit(0)", "ended the Python interpreter (exit code 0)"),
    "abort": ("import os; os.abort()", "crashed the Python interpreter (SIGABRT)"),
    "segmentation fault": ("import ctypes; ctypes.string_at(0)", "(SIGSEGV)"),
    "recursion": ("return double(x)", "calls itself without end"),
    "100 GB": ("return np.ones(100 * 2**30 // 8)", "asked for more memory"),
    "100 GB of torch": ("import torch; return torch.ones(100 * 2**28)", "asked for more memory"),
    "exception": ("return x + 'a'", "raised UFuncTypeError"),
    "interrupt": ("raise KeyboardInterrupt", "raised KeyboardInterrupt"),
    "message of megabytes": ("raise ValueError('x' * 11 * 2**20)", "raised ValueError: xxx"),
    "name of megabytes": ("raise type('E' * 11 * 2**20, (Exception,), {})", "raised EEE"),
    "type of megabytes": ("return type('E' * 11 * 2**20, (), {})()", "EEE"),
    "real-time signal": ("import os; os.kill(os.getpid(), 40)", "(signal 40)"),
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
        "kept = []\n    while True: kept.append(np.empty(10**7))",
        "asked for more memory",
    ),
}


@pytest.fixture(params=["with waitid", "without"])
def waiting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for children as Python can on Linux, and as it can on macOS before 3.13."""
    if request.param == "without":
        monkeypatch.delattr(os, "waitid", raising=False)


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize(("body", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_answer_costs_only_its_own_verdict(
    section: Section,
    write_answer: Write,
    body: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARENA_LAB_TEST_MEMORY_MB", "300")
    write_answer("def triple(x):\n    return x * 3", "triple")
    write_answer(f"def double(x):\n    {body}")
    found = verdicts(section)
    assert found["double"].status == FAILED
    assert expected in message(found["double"])
    assert len(message(found["double"])) < 1000
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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can be told")
def test_kernel_ends_a_test_before_anything_else_where_memory_runs_out() -> None:
    read = Path("/proc/self/oom_score_adj").read_text
    before = read()
    ((_, _, outcome),) = isolation.run_all(
        [("job", [isolation.Step(read, 5)])], workers=1, memory=1 << 30
    )
    assert (outcome.result, read()) == ("1000\n", before)


def short_of_processes(monkeypatch: pytest.MonkeyPatch, *forks: bool) -> None:
    """Let each fork of this process succeed or fail; those after the last do as the last."""
    real, me, coming = os.fork, os.getpid(), list(forks)

    def fork() -> int:
        if os.getpid() == me and not (coming.pop(0) if coming[1:] else coming[0]):
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return real()

    monkeypatch.setattr(os, "fork", fork)


def test_lack_of_processes_is_waited_for(
    section: Section, write_answer: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_answer("def double(x):\n    import time; time.sleep(0.2); return 2 * x")
    write_answer("def halve(x):\n    import os; os._exit(0)", "halve")
    write_answer("def half_of_double(x):\n    return +x", "half_of_double")
    write_answer("def triple(x):\n    return x * 3", "triple")
    short_of_processes(monkeypatch, True, False, False, True, False, True, False, True)
    open_files = os.listdir("/dev/fd")
    found = verdicts(section)
    assert [found[name].status for name in ("double", "halve", "triple")] == [
        PASSED,
        FAILED,
        PASSED,
    ]
    assert [test.status for test in found["halve"].tests] == [FAILED, PASSED]
    assert os.listdir("/dev/fd") == open_files


def test_machine_without_room_for_a_process_is_told(
    section: Section, write_answer: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_answer("def double(x):\n    return 2 * x")
    short_of_processes(monkeypatch, False)
    with pytest.raises(LabError, match="no room for another process"):
        verdicts(section)


def test_flood_of_output_is_cut(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    for _ in range(1000): print('x' * 10**6)\n    return x")
    failure = verdicts(section)["double"].failure
    assert failure is not None
    assert len(failure.printed) < 2000


def test_flood_on_every_channel_costs_only_its_own_verdict(
    section: Section, write_answer: Write
) -> None:
    write_answer("def triple(x):\n    return x * 3", "triple")
    write_answer(
        "def double(x):\n    import os\n    for fd in (1, 2) * 500: os.write(fd, b'x' * 10**6)\n"
        "    return x"
    )
    found = verdicts(section)
    assert (found["double"].status, found["triple"].status) == (FAILED, PASSED)


def test_timeout_names_the_line_that_runs(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    while True:\n        x = x + 1")
    failure = verdicts(section)["double"].failure
    assert failure is not None
    assert any("in double" in line for line in failure.where)


@pytest.mark.parametrize("body", ["while True: 双(x)", "双(x)\n    import os; os.abort()"])
@pytest.mark.parametrize("folder", ["学生", "Élève ÿ", "😀"])
def test_lines_are_told_in_any_folder(
    section: Section, write_answer: Write, tmp_path: Path, folder: str, body: str
) -> None:
    write_answer(f"def 双(x):\n    return x\n\ndef double(x):\n    {body}")
    (tmp_path / folder).mkdir()
    (tmp_path / "chapter9_toys").rename(tmp_path / folder / "chapter9_toys")
    (moved,) = catalogue.sections(tmp_path / folder)
    failure = verdicts(moved)["double"].failure
    assert failure is not None
    assert any("in double" in line for line in failure.where)


def test_lines_are_told_of_a_file_with_a_form_feed(section: Section, write_answer: Write) -> None:
    write_answer("'@'\n\ndef double(x):\n    while True: pass  # here")
    section.answers.write_text(section.answers.read_text().replace("@", "\f"))
    failure = verdicts(section)["double"].failure
    assert failure is not None
    assert "# here" in failure.where[-1]


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
    "recursion limit": "import sys; sys.setrecursionlimit(90)",
    "warnings": "import warnings; warnings.simplefilter('error')",
    "closed output": "import sys; sys.stdout.close(); sys.stderr.close()",
    "replaced output": "import sys; sys.stdout = sys.stderr = None",
    "thread": "import threading, time; threading.Thread(target=time.sleep, args=[60]).start()",
    "fork": "import os; os.fork()",
    "signals": "import signal; [signal.signal(s, signal.SIG_IGN) for s in (2, 14, 15)]",
    "at exit": "import atexit, time; atexit.register(time.sleep, 60)",
    "trace": "import sys; sys.settrace(lambda *_: None); sys.setprofile(lambda *_: None)",
    "collector": "import gc; gc.disable(); gc.set_threshold(1)",
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


ENDINGS = {
    "os._exit": ("os._exit(0)", "ended the Python interpreter (exit code 0)"),
    "abort": ("os.abort()", "crashed the Python interpreter (SIGABRT)"),
    "segmentation fault": ("__import__('ctypes').string_at(0)", "(SIGSEGV)"),
    "kill": ("os.kill(os.getpid(), 9)", "(SIGKILL)"),
}


@pytest.mark.parametrize(("line", "said"), ENDINGS.values(), ids=ENDINGS)
def test_line_that_ends_the_process_costs_only_what_it_defines(
    section: Section, write_answer: Write, line: str, said: str
) -> None:
    write_answer("def triple(x):\n    return x * 3", "triple")
    write_answer(f"import os\n\nLUCK = {line}\n{line}\n\ndef double(x):\n    return LUCK and 2 * x")
    number = section.answers.read_text().splitlines().index(line) + 1
    found = verdicts(section)
    assert found["triple"].status == PASSED
    assert found["halve"].status == NOT_STARTED
    assert "double needs LUCK, which failed to load: it " in message(found["double"])
    assert ("line", str(number - 1)) in found["double"].tests[0].details
    (test,) = found["triple"].tests
    assert len(test.left_out) == 2
    assert said in test.left_out[1]
    assert test.left_out[1].startswith(f"line {number}, {line}, was left out: it ")


def test_line_that_cannot_be_interrupted_costs_only_what_it_defines(
    section: Section, write_answer: Write
) -> None:
    write_answer("def triple(x):\n    return x * 3", "triple")
    write_answer("sum(range(10**12))\n\ndef double(x):\n    return 2 * x")
    found = verdicts(section)
    assert [found[name].status for name in ("double", "triple")] == [PASSED, PASSED]
    assert "did not come to an end" in found["triple"].tests[0].left_out[0]


def test_line_that_takes_too_long_is_waited_for_once(
    section: Section, write_answer: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(answers, "LOADING_S", 0.3)
    monkeypatch.setattr(checking, "_workers", lambda: 1)  # two at once would both wait
    waits = tmp_path / "waits"
    write_answer("def halve(x):\n    return x / 2", "halve")  # two tests, one child
    write_answer("def half_of_double(x):\n    return x", "half_of_double")
    write_answer("def triple(x):\n    return x", "triple")
    write_answer(
        "def wait():\n    import time\n"
        f"    with open({str(waits)!r}, 'a') as file: file.write('.')\n"
        "    time.sleep(60)\n\n"
        "wait()"
    )
    for verdict in checking.run(section, [section.find("halve"), section.find("triple")]):
        for test in verdict.tests:
            assert "it runs longer than 0.3 s" in test.left_out[0]
    assert waits.read_text() == "."


def test_stray_line_that_fails_is_named(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    return 2 * x\n\nprint(doubel(2))")
    verdict = verdicts(section)["double"]
    assert verdict.status == PASSED
    (said,) = verdict.tests[0].left_out
    assert "NameError: name 'doubel' is not defined" in said
    assert "print(doubel(2))" in said


def test_error_of_a_library_is_not_taken_for_a_stub(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    import einops\n    return einops.einsum(x, '(i i) ->')")
    assert message(verdicts(section)["double"]).startswith("double raised NotImplementedError: ")


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
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace("    ", "\t").encode(),
        lambda text: b"# -*- coding: latin-1 -*-\n# \xe9\n" + text.encode("latin-1"),
    ],
    ids=["byte-order mark", "CRLF", "CR", "tabs", "declared encoding"],
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


def test_other_encoding_is_told(section: Section, write_answer: Write) -> None:
    section.answers.write_bytes(section.answers.read_text().encode("utf-16"))
    with pytest.raises(LabError, match=r"answers\.py cannot be read: .*encoding"):
        verdicts(section)


def test_unknown_encoding_is_told(section: Section) -> None:
    section.answers.write_bytes(b"# coding: nonsense\n" + section.answers.read_bytes())
    with pytest.raises(LabError, match=r"answers\.py cannot be read: unknown encoding"):
        verdicts(section)


def test_missing_answers_file_says_how_to_get_one(section: Section) -> None:
    section.answers.unlink()
    with pytest.raises(LabError, match=r"\./inv starters --section 9\.1"):
        verdicts(section)


LEFT_BEHIND = {
    "a process": ("start()", PASSED),
    "in a session of its own": ("start(start_new_session=True)", PASSED),
    "in a group of its own, by a crash": ("start(process_group=0); os.abort()", FAILED),
    "in a session of its own, by a crash": ("start(start_new_session=True); os.abort()", FAILED),
    "in a session of its own, by exit": ("start(start_new_session=True); os._exit(0)", FAILED),
    "by a daemon, and a crash": (
        "if os.fork() == 0:\n"
        "        os.setsid(); start(start_new_session=True); os._exit(0)\n"
        "    os.wait(); os.abort()",
        FAILED,
    ),
    "by what is left behind": (
        "if os.fork() == 0:\n"
        "        os.setsid(); start(start_new_session=True); time.sleep(60)\n"
        "    time.sleep(0.5); os.abort()",
        FAILED,
    ),
}


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize(("body", "status"), LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_processes_left_behind_are_ended(
    section: Section, write_answer: Write, tmp_path: Path, body: str, status: str
) -> None:
    note = tmp_path / "pid"
    write_answer(
        "def double(x):\n"
        "    import os, subprocess, time\n"
        "    def start(**settings):\n"
        "        child = subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL, **settings)\n"
        f"        open({str(note)!r}, 'w').write(str(child.pid))\n"
        f"    {body}\n"
        "    return 2 * x"
    )
    before = {child.pid for child in psutil.Process().children()}
    assert verdicts(section)["double"].status == status
    assert not psutil.pid_exists(int(note.read_text()))
    assert {child.pid for child in psutil.Process().children()} == before


def test_processes_that_others_started_are_left_alone() -> None:
    own = subprocess.Popen(["sleep", "60"], start_new_session=True)
    during = []

    def start() -> None:
        during.append(subprocess.Popen(["sleep", "60"]))

    thread = threading.Timer(0.1, start)
    thread.start()
    steps = [isolation.Step(lambda: time.sleep(0.5), 5), isolation.Step(os.abort, 5)]
    assert len(list(isolation.run_all([("job", steps)], workers=1, memory=1 << 30))) == 2
    thread.join()
    for process in (own, *during):
        assert process.poll() is None
        process.kill()
        process.wait()


def test_answer_that_writes_into_every_pipe_changes_no_verdict(
    section: Section, write_answer: Write
) -> None:
    write_answer("def triple(x):\n    return x * 3", "triple")
    write_answer(
        "def double(x):\n"
        "    import os, stat\n"
        "    for fd in range(3, 200):\n"
        "        try:\n"
        "            if stat.S_ISFIFO(os.fstat(fd).st_mode):\n"
        '                os.write(fd, b\'{}\\n{"status": "passed"}\\n\')\n'
        "        except OSError: pass\n"
        "    return x"
    )
    found = verdicts(section)
    assert found["double"].status == FAILED
    assert found["triple"].status == PASSED


def test_lines_that_only_moved_are_named_where_they_are(
    section: Section, write_answer: Write
) -> None:
    write_answer("def double(x):\n    return x + 'a'")
    before = verdicts(section)["double"].failure
    section.answers.write_text("\n\n\n" + section.answers.read_text())
    after = verdicts(section)["double"].failure
    assert before is not None
    assert after is not None
    numbers = [int(re.findall(r"line (\d+)", failure.where[0])[0]) for failure in (before, after)]
    assert numbers[1] == numbers[0] + 3
    assert before.where[0].split(":")[1] == after.where[0].split(":")[1]


def test_broken_helper_is_named_first(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    return x * x")
    write_answer("def halve(x):\n    return x / 2", "halve")
    write_answer("def half_of_double(x):\n    return halve(double(x))", "half_of_double")
    found = verdicts(section)
    assert message(found["halve"]) == "double, which this uses, fails too: begin there"
    failure = found["halve"].failure
    assert failure is not None
    assert dict(failure.details)["here"].startswith("half_of_double: ")
    assert message(found["double"]) == "double: this is the square"


def test_a_verdict_is_told_before_the_helper_is_searched(
    section: Section, write_answer: Write
) -> None:
    write_answer("def double(x):\n    return x * x")
    write_answer("def triple(x):\n    return x + double(x)", "triple")
    told: list[str] = []
    (verdict,) = checking.run(
        section, [section.find("triple")], at_once=lambda verdict: told.append(message(verdict))
    )
    assert [sentence.partition(":")[0] for sentence in told] == ["triple"]
    assert message(verdict) == "double, which this uses, fails too: begin there"


def test_broken_helper_is_named_where_only_its_caller_is_checked(
    section: Section, write_answer: Write
) -> None:
    write_answer("def double(x):\n    return x * x")
    write_answer("def triple(x):\n    return x + double(x)", "triple")
    (verdict,) = checking.run(section, [section.find("triple")])
    assert message(verdict) == "double, which this uses, fails too: begin there"


def test_helper_that_passes_is_not_named(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    return x + x")
    write_answer("def triple(x):\n    return double(x) - x", "triple")
    (verdict,) = checking.run(section, [section.find("triple")])
    assert message(verdict).startswith("triple: ")


def test_stub_and_what_does_not_load_blame_no_other(section: Section, write_answer: Write) -> None:
    write_answer("def double(x):\n    return x * x")
    write_answer(
        "def half_of_double(x):\n    double(x)\n    raise NotImplementedError", "half_of_double"
    )
    write_answer("def halve(x):\n    return x / 2", "halve")
    write_answer("def triple(x)\n    return double(x) + x", "triple")
    found = verdicts(section)
    assert message(found["triple"]).startswith("triple could not be loaded")
    assert message(found["halve"]) == "half_of_double still raises NotImplementedError"


def test_last_exercise_that_loops_leaves_its_other_tests_out(
    section: Section, write_answer: Write
) -> None:
    write_answer("def halve(x):\n    while True: pass", "halve")
    (verdict,) = checking.run(section, [section.find("halve")])
    assert [test.sentence for test in verdict.tests][1:] == [
        "not run, for another test of halve did not finish"
    ]
