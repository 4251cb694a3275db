"""What a hostile submission does costs its own verdict alone, and nothing of the teacher's."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from arena_lab import starters
from arena_lab.catalogue import Section
from arena_lab.cells import definitions
from arena_lab.errors import LabError
from arena_lab.grading import report, sandbox, store
from arena_lab.grading.report import Graded
from arena_lab.grading.sandbox import Sandbox
from arena_lab.grading.submissions import Submission
from arena_lab.grading.warden import CONTAINER, NAMESPACES, PROCESS, USER, Setting

pytestmark = pytest.mark.slow

RIGHT = "def double(x):\n    return 2 * x"
CLOSED = [NAMESPACES, pytest.param(CONTAINER, marks=pytest.mark.container)]

Answers = Callable[..., bytes]
Statuses = dict[str, str]


@pytest.fixture
def answers(section: Section) -> Answers:
    """Give our solutions with another `double`, as a submission."""

    def give(code: str = RIGHT) -> bytes:
        text = starters.without_markers(section.solutions.read_text())
        found = definitions(text)["double"]
        lines = text.splitlines()
        lines[found.first - 1 : found.last] = code.splitlines()
        return "\n".join(lines).encode()

    return give


@pytest.fixture
def opened(section: Section, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    """Open a sandbox, or skip where the machine has none of this kind."""
    # A container starts its imports cold, and a machine under test may be busy.
    section.tests.write_text(section.tests.read_text().replace("timeout=2", "timeout=5"))
    for module in (sandbox, store):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    made: list[Sandbox] = []

    def open_one(way: str, memory: int = 1 << 30, seconds: float = 60, tests: str = "") -> Sandbox:
        setting = Setting(section.number, way, seconds, memory, tests)
        try:
            made.append(sandbox.open_sandbox(setting))
        except LabError as error:
            pytest.skip(str(error))
        if made[-1].way != way:
            pytest.skip(f"{way} is not for this user")
        return made[-1]

    yield open_one
    for each in made:
        each.close()


@pytest.fixture(params=[*CLOSED, USER, PROCESS])
def any_box(request: pytest.FixtureRequest, opened: Callable) -> Sandbox:
    return opened(request.param)


@pytest.fixture(params=CLOSED)
def closed_box(request: pytest.FixtureRequest, opened: Callable) -> Sandbox:
    return opened(request.param)


def statuses(box: Sandbox, text: bytes) -> Statuses:
    return {v["name"]: v["status"] for v in box.grade(text)["verdicts"]}


def message(box: Sandbox, text: bytes) -> str:
    return str(next(v["message"] for v in box.grade(text)["verdicts"] if v["name"] == "double"))


ALL = {"double": "passed", "halve": "passed", "triple": "passed"}
OTHERS = {"double": "failed", "halve": "failed", "triple": "passed"}  # one of halve needs double


def test_right_answers_pass(any_box: Sandbox, answers: Answers) -> None:
    assert statuses(any_box, answers()) == ALL


def test_wrong_answer_is_told_its_mistake(any_box: Sandbox, answers: Answers) -> None:
    wrong = answers("def double(x):\n    return x * x")
    assert message(any_box, wrong) == "double: this is the square"


def test_starter_is_not_started(any_box: Sandbox, section: Section) -> None:
    found = statuses(any_box, section.answers.read_bytes())
    assert set(found.values()) == {"not started"}


def test_what_is_no_python_is_a_problem(any_box: Sandbox, answers: Answers) -> None:
    assert "cannot be read" in any_box.grade(b"\xff\xfe\x00")["problem"]
    assert statuses(any_box, answers()) == ALL


def test_own_tests_are_run_beside_ours(opened: Callable, answers: Answers) -> None:
    own = (
        "from arena_lab.checks import call, checks\n\n@checks('double')\n"
        "def test_double_of_zero(double):\n    call(double, 0).gives(1)\n"
    )
    box = opened(NAMESPACES, tests=own)
    found = box.grade(answers())["verdicts"][0]
    assert [test["name"] for test in found["tests"]] == ["test_double", "test_double_of_zero"]
    assert found["status"] == "failed"


HOSTILE = {
    "loops": "while True: pass",
    "exits": "import os; os._exit(0)",
    "crashes": "import ctypes; ctypes.string_at(0)",
    "takes memory": "return [0] * (1 << 40)",
    "kills its parent": "import os; os.kill(os.getppid(), 9); os._exit(0)",
    "kills the first process": "import os; os.kill(1, 9)",
    "kills all it may": "import os; os.kill(-1, 9)",
    "forks without end": "import os\n    while True: os.fork()",
    "fills the disk": (
        "import itertools\n    for n in itertools.count(): open(f'{n}', 'wb').write(bytes(1 << 24))"
    ),
    "floods its output": "while True: print('x' * 10_000)",
    "prints verdicts": (
        'import os\n    print(\'{"status": "passed"}\', flush=True)\n    os._exit(0)'
    ),
    "writes verdicts everywhere": (
        "import os\n"
        "    for fd in range(100):\n"
        '        try: os.write(fd, b\'{"status": "passed"}\\n\')\n'
        "        except OSError: pass\n"
        "    os._exit(0)"
    ),
    "writes into the pipes of others": (
        "import glob, os\n"
        "    for path in glob.glob('/proc/*/fd/*'):\n"
        "        try:\n"
        "            if os.path.realpath(path).startswith('/proc') and 'self' not in path:\n"
        "                open(path, 'wb').write(b'{\"verdicts\": []}\\n')\n"
        "        except OSError: pass\n"
        "    os._exit(0)"
    ),
    "says what is no sentence": (
        "import arena_lab.checks as c\n    raise c.WrongAnswer(['x'], [(1,), ({}, 'y' * 10**6)])"
    ),
    "says too much": "import arena_lab.checks as c\n    raise c.WrongAnswer('x' * 5_000_000)",
    "changes the course": (
        "import arena_lab.checking as c\n"
        "    open(c.__file__, 'a').write('raise SystemExit')\n    return 0"
    ),
}


@pytest.mark.parametrize("deed", HOSTILE.values(), ids=HOSTILE)
def test_hostile_answer_costs_itself_alone(
    closed_box: Sandbox, answers: Answers, section: Section, deed: str
) -> None:
    text = answers(f"def double(x):\n    {deed}")
    found = closed_box.grade(text)
    assert {v["name"]: v["status"] for v in found["verdicts"]} == OTHERS
    one = Graded(Submission("ann", Path("ann.py"), section.number), found | {"sandbox": ""})
    assert len(report.page(report.summary([section], [one], {}))) < 100_000
    assert statuses(closed_box, answers()) == ALL


def test_processes_that_take_too_much_together_are_ended(
    opened: Callable, answers: Answers
) -> None:
    box = opened(NAMESPACES, memory=400 << 20)
    hog = (
        "def double(x):\n    import os, time\n    for _ in range(3): os.fork()\n"
        "    held = b'x' * (150 << 20)\n    time.sleep(60)"
    )
    assert "took more than 400 MB together" in box.grade(answers(hog))["problem"]
    assert statuses(box, answers()) == ALL


def test_time_of_a_whole_submission_is_bounded(opened: Callable, answers: Answers) -> None:
    box = opened(NAMESPACES, seconds=1)
    slow = answers("def double(x):\n    while True: pass")
    found = box.grade(slow)
    assert (found["verdicts"], found["cut"]) == ([], True)
    assert not box.grade(answers())["cut"]


def reports(expression: str) -> str:
    """Give an answer whose verdict shows what an expression gave."""
    return (
        "def double(x):\n    import glob, os, socket, subprocess\n"
        f"    try: found = {expression}\n"
        "    except OSError as error: found = type(error).__name__\n"
        "    raise ValueError(f'found {found}')"
    )


def test_network_is_not_there(closed_box: Sandbox, answers: Answers) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = server.getsockname()
        said = message(closed_box, answers(reports(f"socket.create_connection({address}, 2)")))
        assert "found ConnectionRefusedError" in said
        said = message(closed_box, answers(reports("socket.create_connection(('1.1.1.1', 53), 2)")))
        assert "found OSError" in said
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_files_of_the_teacher_are_not_there(
    closed_box: Sandbox, answers: Answers, tmp_path: Path
) -> None:
    secret = tmp_path / "other submissions.py"
    secret.write_text("secret")
    said = message(closed_box, answers(reports(f"open({str(secret)!r}).read()")))
    assert "found FileNotFoundError" in said
    said = message(
        closed_box, answers(reports("sorted(os.listdir('/root')) + os.listdir('/home')"))
    )
    assert "secret" not in said


def test_solutions_are_not_there(
    closed_box: Sandbox, answers: Answers, section: Section, tmp_path: Path
) -> None:
    root = Path("/lab") if closed_box.way == CONTAINER else tmp_path
    folder = root / section.folder.relative_to(tmp_path)
    said = message(closed_box, answers(reports(f"subprocess.getoutput('ls {folder}')")))
    assert said.endswith("found tests.py")


def test_secrets_of_the_environment_are_not_handed_on(
    opened: Callable, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "hunter2")
    said = message(opened(NAMESPACES), answers(reports("dict(os.environ)")))
    assert "found {" in said
    assert "hunter2" not in said


def test_it_is_another_user_without_rights(closed_box: Sandbox, answers: Answers) -> None:
    shown = "os.getuid(), open('/proc/self/status').read().split('CapEff:')[1].split()[0]"
    said = message(closed_box, answers(reports(shown)))
    user, capabilities = said.partition("found (")[2].rstrip(")").split(", ")
    assert int(user) not in (0, os.getuid())
    assert capabilities == "'0000000000000000'"


def test_nothing_is_left_for_the_next_one(closed_box: Sandbox, answers: Answers) -> None:
    leave = "open('left', 'w').write('x'), open('/dev/shm/left', 'w').write('x')"
    assert "found (1, 1)" in message(closed_box, answers(reports(leave)))
    said = message(closed_box, answers(reports("glob.glob('left') + glob.glob('/dev/shm/*')")))
    assert "found []" in said


LEAVE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def left():
    rows = [open(f"/proc/sysvipc/{kind}").readlines()[1:] for kind in ("shm", "sem", "msg")]
    mine = [row for of_kind in rows for row in of_kind]
    files = [os.path.join(folder, name) for folder in ("/tmp", "/dev/shm", "/dev/mqueue")
             if os.path.isdir(folder) for name in os.listdir(folder)]
    return len(mine), sorted(f for f in files if os.path.basename(f).startswith((".left", "left")))
def leave():
    if os.path.lexists("/tmp/.left"):
        return
    for folder in ("/tmp", "/dev/shm"):
        open(f"{folder}/.left", "w").write("x")
    here = os.getcwd()
    os.chdir("/tmp")
    for _ in range(1500):
        os.mkdir(".left-folder")
        os.chdir(".left-folder")
    os.chdir(here)
    os.chmod("/tmp/.left-folder", 0)
    made = [libc.shmget(4711, 1 << 20, 0o1666), libc.semget(4711, 1, 0o1666)]
    made.append(libc.msgget(4711, 0o1666))
    if os.path.isdir("/dev/mqueue"):
        made.append(libc.mq_open(b"/left", 0o102, 0o666, None))
    assert min(made) >= 0, made
"""


# In namespaces all of it is a submission's own.
@pytest.mark.parametrize("way", [CLOSED[1], USER])
def test_nothing_hidden_is_left_for_the_next_one(
    opened: Callable, answers: Answers, way: str
) -> None:
    box = opened(way)
    do = "def double(x):\n    scope = {{}}\n    exec({!r}, scope)\n    {}"
    before = message(box, answers(do.format(LEAVE, "raise ValueError(scope['left']())")))
    leaves = answers(do.format(LEAVE, "scope['leave'](); return 2 * x"))
    assert message(box, leaves) == ""
    after = message(box, answers(do.format(LEAVE, "raise ValueError(scope['left']())")))
    assert after == before


def test_process_that_is_left_behind_is_ended(any_box: Sandbox, answers: Answers) -> None:
    leave = (
        "def double(x):\n    import subprocess, sys\n"
        "    command = [sys.executable, '-c', 'import time; time.sleep(777)', 'left-behind']\n"
        "    subprocess.Popen(command, start_new_session=True)\n    return 2 * x"
    )
    assert statuses(any_box, answers(leave)) == ALL
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if "left-behind" in (p.info["cmdline"] or [])
    ]


def test_checker_cannot_be_looked_into(closed_box: Sandbox, answers: Answers) -> None:
    said = message(closed_box, answers(reports("open(f'/proc/{os.getppid()}/mem', 'r+b')")))
    assert "found PermissionError" in said


def test_sandbox_that_is_ended_says_so(opened: Callable, answers: Answers) -> None:
    box = opened(NAMESPACES)
    box.kill()
    with pytest.raises(LabError, match="the sandbox ended"):
        box.grade(answers())


def test_closing_leaves_no_process_and_no_folder(opened: Callable) -> None:
    box = opened(NAMESPACES)
    box.close()
    assert box._process.returncode == 0
    assert not Path(box._folder).exists()


def test_section_that_cannot_be_graded_says_why(opened: Callable, section: Section) -> None:
    section.tests.write_text(
        "from arena_lab.checks import checks\n@checks('dubble')\ndef f(x): pass"
    )
    with pytest.raises(LabError, match="has no exercise 'dubble'") as raised:
        sandbox.open_sandbox(Setting(section.number, sandbox.AUTOMATIC, 60, 1 << 30))
    assert "cannot run here" not in str(raised.value)  # no other way would do


def test_own_test_of_no_exercise_says_why(opened: Callable, section: Section) -> None:
    own = "from arena_lab.checks import checks\n@checks('dubble')\ndef f(x): pass"
    with pytest.raises(sandbox.SectionFault, match="has no exercise 'dubble'"):
        sandbox.open_sandbox(Setting(section.number, NAMESPACES, 60, 1 << 30, own))


def test_start_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch, opened: Callable
) -> None:
    monkeypatch.setattr(sandbox, "_here", lambda: ["sleep", "1000"])
    monkeypatch.setattr(sandbox, "_START_S", 0.1)
    started = time.monotonic()
    with pytest.raises(LabError, match="did not start"):
        sandbox.open_sandbox(Setting("9.1", NAMESPACES, 60, 1 << 30))
    assert time.monotonic() - started < 10
