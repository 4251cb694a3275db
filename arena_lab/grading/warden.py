"""The process that runs submissions: `python -m arena_lab.grading.warden`, asked through a pipe.

It imports a section's tests once and runs nobody's code itself. For each submission it forks a
checker, shut in as far as the machine allows; the checker forks a child for each exercise, and the
child gives up every right before it loads the answers. So one submission reaches neither another
nor the process that writes its verdicts down.

Lines of JSON come in and go out: first the setting, answered by the way in which submissions are
shut in, then one submission after the other, each answered by what came of it.
"""

import base64
import contextlib
import functools
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from arena_lab import catalogue, checking, isolation, processes
from arena_lab.answers import read_source
from arena_lab.catalogue import Section
from arena_lab.errors import LabError
from arena_lab.grading import alike, kernel
from arena_lab.grading.store import course_files
from arena_lab.starters import starter

# How submissions are shut in.
CONTAINER, NAMESPACES, USER, PROCESS = "container", "namespaces", "user", "process"

# Beyond what this many processes, files and bytes are needed for, something has gone wrong.
_PROCESSES, _FILE_SIZE, _FOLDER_SIZE = 128, 64 << 20, 256 << 20
_ANSWER_LIMIT = 32 << 20
# What systemd, too, takes for users that come and go.
_USERS = range(61_184, 65_520)
_WATCH_S, _GRACE_S = 0.1, 15.0


@dataclass(frozen=True)
class Setting:
    """What a warden is told first.

    `seconds` and `memory` in bytes bound a submission as a whole; `tests` is the text of a
    teacher's own; `number` sets wardens apart that run side by side.
    """

    section: str
    way: str
    seconds: float
    memory: int
    tests: str = ""
    number: int = 0


@dataclass
class Cell:
    """What the children of one submission live in: a root, a folder of their own, a user."""

    way: str
    root: Path
    folder: Path
    user: int


def main() -> None:
    """Serve until the other side closes the pipe."""
    requests, answers = _take_the_pipes()
    setting = Setting(**json.loads(requests.readline()))
    try:
        section, checks = _made_ready(setting)
    except LabError as error:
        _say(answers, {"problem": str(error), "of_section": True})
        return
    try:
        warden = _Warden(setting, section, checks)
    except (LabError, OSError) as error:
        _say(answers, {"problem": str(error)})
        return
    _say(answers, {"way": warden.way})
    for line in requests:
        _say(answers, warden.grade(base64.b64decode(line)))


def _take_the_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes for this process alone: what a submission reads and prints is not for them."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return requests, answers


def _say(answers: BinaryIO, what: dict[str, Any]) -> None:
    answers.write(json.dumps(what).encode() + b"\n")
    answers.flush()


def _made_ready(setting: Setting) -> tuple[Section, list[checking.Check]]:
    """Give the section with its tests, and what it imports imported.

    Raises:
        LabError: There is no such section, or a test belongs to none of its exercises.
    """
    section = catalogue.find_section(setting.section)
    checking.prepare(section)
    checks = list(checking.find_checks(section))
    if setting.tests:
        checks += checking.checks_in(_module_of(setting.tests), section)
    return section, checks


class _Warden:
    """A section made ready, and the way in which its submissions are shut in."""

    def __init__(self, setting: Setting, section: Section, checks: list[checking.Check]) -> None:
        self.way = setting.way
        self._setting, self._section, self._checks = setting, section, checks
        self._stubs = checking.shapes_of_stubs(self._section)
        given = (starter(self._section), self._section.solutions.read_text(encoding="utf-8"))
        shapes = [shape for text in given for shape in checking.shapes(text).values()]
        self._given = frozenset(run for shape in shapes for run in alike.runs(shape))
        self._home = Path(tempfile.mkdtemp())
        self._home.chmod(0o755)
        first = setting.number % len(_USERS)
        self._users = itertools.cycle([*_USERS[first:], *_USERS[:first]])
        self._processes = _PROCESSES + (_running() if self.way == PROCESS else 0)
        kernel.adopt_orphans()
        if self.way == NAMESPACES:
            self._make_root()
        if self.way == CONTAINER:  # it has been read, and is this container's own
            self._section.solutions.unlink()
        tried = self._run(self._try)
        if "user" not in tried:
            raise LabError(tried["problem"])

    def grade(self, answers: bytes) -> dict[str, Any]:
        """Run one submission, and give its verdicts or the problem that there was."""
        started = time.monotonic()
        found = self._run(functools.partial(self._check, answers))
        return {"verdicts": [], **found, "seconds": round(time.monotonic() - started, 3)}

    def _try(self, cell: Cell) -> dict[str, Any]:
        """Find out, as a checker, whether a learner's process can be had at all."""
        steps = [isolation.Step(_who_reads, _GRACE_S)]
        enter = functools.partial(_give_up_rights, cell, self._processes)
        outcomes = isolation.run_all(
            [("try", steps)], workers=1, memory=self._setting.memory, enter=enter
        )
        for _, _, outcome in outcomes:
            if isinstance(outcome.result, dict):
                return outcome.result
        return {"problem": "a process without rights did not start"}

    def _make_root(self) -> None:
        """Make the small machine that submissions see: the course without any answers."""
        if os.getuid():
            kernel.become_root_of_own()
        kernel.unshare(kernel.CLONE_NEWNS)
        root = self._home / "root"
        root.mkdir()
        package = Path(checking.__file__).parent
        installed = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        visible = [sys.base_prefix, sys.prefix, *installed, str(package)]
        kernel.build_root(root, map(Path, visible), _FOLDER_SIZE)
        for path in course_files():
            if path != self._section.solutions and not path.is_relative_to(package):
                there = root / path.relative_to("/")
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, there)
        kernel.make_read_only(root)

    # --- one submission -----------------------------------------------------------------------

    def _run(self, work: Callable[[Cell], dict[str, Any]]) -> dict[str, Any]:
        """Call `work` in a process that is shut in, and give what it gave."""
        cell = self._make_cell()
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.closerange(3, write)
            os.closerange(write + 1, 1024)
            _be_shut_in(cell, functools.partial(_report, work, cell, write))
        os.close(write)
        try:
            return self._watch(pid, read)
        finally:
            os.close(read)
            self._sweep(pid, cell)

    def _make_cell(self) -> Cell:
        user = next(self._users)
        if self.way == NAMESPACES:
            return Cell(self.way, self._home / "root", Path("/run/submission"), user)
        folder = Path(tempfile.mkdtemp(dir=self._home))
        return Cell(self.way, Path("/"), folder, user)

    def _check(self, answers: bytes, cell: Cell) -> dict[str, Any]:
        """Be the checker: run the tests on the answers, in the order of the page."""
        path = cell.folder / "answers.py"
        path.write_bytes(answers)
        path.chmod(0o644)
        if cell.way in (CONTAINER, USER):
            os.chown(cell.folder, cell.user, cell.user)
        os.environ |= {"HOME": str(cell.folder), "TMPDIR": str(cell.folder)}
        tempfile.tempdir = None
        end = time.monotonic() + self._setting.seconds
        foreign = checking.Foreign(
            path,
            self._stubs,
            self._checks,
            self._setting.memory,
            functools.partial(_give_up_rights, cell, self._processes),
        )
        late = functools.partial(_is_past, end)
        verdicts = checking.run(self._section, interrupted=late, foreign=foreign)
        done = []
        for verdict in verdicts:
            done.append(verdict.as_json())
            _end_what_is_left(cell)
        cut = len(done) < len(self._section.exercises)
        return {"verdicts": done, "fingerprints": self._fingerprints(path), "cut": cut}

    def _fingerprints(self, path: Path) -> list[int]:
        written = checking.shapes(read_source(path))
        own = [written[n] for n, stub in self._stubs.items() if written.get(n, stub) != stub]
        return alike.fingerprints(own, self._given)

    def _watch(self, pid: int, read: int) -> dict[str, Any]:
        """Wait for the answer of a checker; give it, or what was too much of it."""
        data = bytearray()
        deadline = time.monotonic() + self._setting.seconds + _GRACE_S
        while len(data) < _ANSWER_LIMIT:
            if select.select([read], [], [], _WATCH_S)[0]:
                more = os.read(read, 1 << 20)
                data += more
                if not more:
                    return _parsed(data)
            elif time.monotonic() > deadline:
                return {"problem": "it could not be ended in time"}
            # A container is bounded by its engine, exactly.
            elif self.way != CONTAINER and _memory_of(pid) > self._setting.memory:
                megabytes = self._setting.memory >> 20
                return {"problem": f"its processes took more than {megabytes} MB together"}
        return {"problem": "its verdicts are too long"}

    def _sweep(self, pid: int, cell: Cell) -> None:
        """End what is left of a submission, and remove what it wrote."""
        if cell.way in (CONTAINER, USER):
            _kill_all_of(cell.user)
        _kill(pid, *processes.descendants(pid))
        os.waitpid(pid, 0)
        while left := processes.descendants(os.getpid()):  # what was left behind came to us
            _kill(*left)
            _reap()
        if cell.way != NAMESPACES:
            _remove([str(cell.folder)])
        if cell.way in (CONTAINER, USER):
            _remove(_files_of(cell.user))
            _as_user(cell.user, kernel.remove_shared_memory)


def _parsed(data: bytearray) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {"problem": "the process that checks it ended without a result"}
    return found


def _kill(*processes: int) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _kill_all_of(user: int) -> None:
    """End every process of a user at once, faster than they could start new ones."""
    _as_user(user, lambda: os.kill(-1, signal.SIGKILL))


def _as_user(user: int, do: Callable[[], None]) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            kernel.become(user)
            do()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def _is_past(end: float) -> bool:
    return time.monotonic() > end


def _module_of(text: str) -> ModuleType:
    module = ModuleType("arena_lab_own_tests")
    try:
        exec(compile(text, "the tests of --tests", "exec"), module.__dict__)
    except Exception as error:
        raise LabError(f"--tests: {type(error).__name__}: {error}") from None
    return module


# --- in the forked processes ------------------------------------------------------------------


def _be_shut_in(cell: Cell, then: Callable[[], None]) -> None:
    """Go where nothing can be harmed, do what is to be done, and end."""
    code = 1
    try:
        os.setsid()
        kernel.end_with_parent()
        processes.be_killed_first()
        if cell.way == NAMESPACES:
            kernel.unshare(
                kernel.CLONE_NEWPID
                | kernel.CLONE_NEWNS
                | kernel.CLONE_NEWNET
                | kernel.CLONE_NEWIPC
                | kernel.CLONE_NEWUTS
            )
            if first := os.fork():
                code = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
                return
            kernel.end_with_parent()
            kernel.processes(cell.root / "proc")
            for name in ("run/submission", "tmp", "dev/shm"):
                if not os.listdir(cell.root / name):  # the course itself may lie there
                    kernel.temporary(cell.root / name, _FOLDER_SIZE)
            kernel.loopback()
            os.chroot(cell.root)
            os.chdir(cell.folder)
        kernel.keep_out_others()
        kernel.adopt_orphans()
        then()
        code = 0
    finally:
        os._exit(code)


def _report(work: Callable[[Cell], dict[str, Any]], cell: Cell, write: int) -> None:
    """Write down what `work` gives; the processes that are forked from here close the pipe."""
    global _pipe
    _pipe = write
    try:
        found = work(cell)
    except LabError as error:
        found = {"problem": str(error).replace(str(cell.folder / "answers.py"), "the file")}
    except Exception as error:  # a text that our own parsers stumble over
        found = {"problem": f"it cannot be read: {type(error).__name__}: {error}"[:300]}
    data = json.dumps(found).encode()
    while data:
        data = data[os.write(write, data) :]


_pipe = -1


def _end_what_is_left(cell: Cell) -> None:
    """End what an exercise left running, before the next one begins; its own child is done."""
    for _ in range(50):
        left = processes.descendants(os.getpid())
        if not left:
            return
        if os.getuid() == 0 and len(left) > 1:
            _kill_all_of(cell.user)
        _kill(*left)
        _reap()


def _who_reads() -> dict[str, Any]:
    """Give the user of this process, who must be able to import what is not yet."""
    unreadable = [p for p in (os.__file__, checking.__file__) if not os.access(p, os.R_OK)]
    if unreadable:
        return {"problem": f"another user cannot read {unreadable[0]}"}
    return {"user": os.getuid()}


def _give_up_rights(cell: Cell, processes: int) -> None:
    """Be a learner's process: another user, with limits, and no way to write the verdicts."""
    os.close(_pipe)
    kernel.limit(processes=processes, file_size=_FILE_SIZE)
    os.chdir(cell.folder)
    if os.getuid() == 0:
        kernel.become(cell.user)
    elif cell.way == NAMESPACES:
        kernel.drop_capabilities()
    else:
        kernel.no_new_privileges()


# --- what a submission takes ------------------------------------------------------------------


def _memory_of(pid: int) -> int:
    """Give the bytes that a process and those below it hold for themselves."""
    below = [pid, *processes.descendants(pid)]
    rough = sum(_counted(each, "status", ("RssAnon:", "RssShmem:")) for each in below)
    if rough < 256 << 20:
        return rough
    # What forked processes share was counted for each of them; counting it right takes longer, and
    # is not everywhere allowed.
    exact = sum(_counted(each, "smaps_rollup", ("Pss_Anon:", "Pss_Shmem:")) for each in below)
    return exact or rough


def _counted(pid: int, file: str, labels: tuple[str, ...]) -> int:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/{file}") as rows:
        return sum(int(row.split()[1]) << 10 for row in rows if row.startswith(labels))
    return 0


def _running() -> int:
    """Count the threads of this user, whose number the kernel limits all together."""
    import psutil

    mine = (p.info for p in psutil.process_iter(["uids", "num_threads"]))
    return sum(p["num_threads"] or 0 for p in mine if p["uids"] and p["uids"].real == os.getuid())


def _files_of(user: int) -> list[str]:
    """Give what a user left where everybody may write."""
    found = []
    for folder in ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue"):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_uid == user:
                        found.append(entry.path)
    return found


def _remove(paths: list[str]) -> None:
    # Folders may be nested deeper than Python can follow, and more than a command line holds.
    for start in range(0, len(paths), 1000):
        command = ["rm", "-rf", "--", *paths[start : start + 1000]]
        subprocess.run(command, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
