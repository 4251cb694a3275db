"""Forked processes: their pipes, their limits, and the end of whatever they started."""

import contextlib
import ctypes
import faulthandler
import functools
import gc
import glob
import json
import os
import pickle
import re
import resource
import select
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

_READY = b"r"
# From linux/prctl.h
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 1, 36, 37


@dataclass(frozen=True)
class Step:
    """A function that returns something JSON can hold, and the seconds it may take."""

    function: Callable[[], Any]
    timeout: float


class Pipes(NamedTuple):
    """One side's ends of the pipes between a parent and its child."""

    report: int  # from the child, as are the next two
    output: int
    stack: int
    orders: int


class Job(NamedTuple):
    """What a child does; with `seal` before it a report is known to be one."""

    steps: Sequence[Step]
    memory: int
    seal: bytes


class Process:
    """A forked process, with the parent's ends of its pipes.

    Raises:
        OSError: There is no room for another process.
    """

    pid: int
    pipes: Pipes
    alive: ClassVar[list["Process"]] = []
    _status: int | None = None  # once its number is free for another process

    def __init__(self, take_job: Callable[[Pipes], Job]) -> None:
        report, output, stack, orders = (os.pipe() for _ in range(4))
        mine = Pipes(report[0], output[0], stack[0], orders[1])
        theirs = Pipes(report[1], output[1], stack[1], orders[0])
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            self.pid = os.fork()
        except OSError:  # as many run as may
            for fd in (*mine, *theirs):
                os.close(fd)
            raise
        if self.pid == 0:
            # It must not reach into the pipes of its siblings either.
            _live(take_job, theirs, [*mine, *(fd for p in self.alive for fd in p.pipes)])
        for fd in theirs:
            os.close(fd)
        self.pipes = mine
        self.alive.append(self)

    def poll(self) -> int | None:
        """Give the status that it ended with, as `os.waitpid` does; None while it runs."""
        if hasattr(os, "waitid"):
            # Not reaped: until `end` the number must not belong to another process.
            found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                return None
            exited = found.si_code == os.CLD_EXITED
            return found.si_status << 8 if exited else found.si_status & 0x7F
        if self._status is None:  # on macOS Python has no waitid before 3.13
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status

    def end(self) -> None:
        """End the process and what it started, and free what it held."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGSTOP)  # what forks without end leaves no time to look
        started = descendants(self.pid)
        mine = [self.pid] if self._status is None else []
        for end, pid in ((os.killpg, self.pid), *((os.kill, pid) for pid in (*mine, *started))):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                end(pid, signal.SIGKILL)
        for pid in mine:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        for fd in self.pipes:
            os.close(fd)
        self.alive.remove(self)


class Spare:
    """A child forked before its job is known, so that the job need not wait for it.

    Args:
        warm_up: What it runs until then, so that memory is touched and libraries have begun.
    """

    def __init__(self, warm_up: Callable[[], object]) -> None:
        self._process: Process | None = Process(functools.partial(_wait_for_orders, warm_up))

    def take(self, job: Job) -> Process | None:
        """Give the process with its job begun, or None if it is not warm yet, or gone."""
        process = self._process
        if process is None or not select.select([process.pipes.report], [], [], 0)[0]:
            return None
        orders = pickle.dumps(job)
        self._process = None
        try:
            if os.read(process.pipes.report, 1) == _READY:
                _write(process.pipes.orders, orders)
                return process
        except OSError:
            pass
        process.end()
        return None

    @property
    def is_taken(self) -> bool:
        """Whether it has had its job, or ended without one."""
        return self._process is None

    def close(self) -> None:
        """End it, if it is still waiting."""
        if self._process is not None:
            self._process.end()
            self._process = None


def stack_text(written: bytes) -> str:
    """Read what faulthandler wrote, which has escapes for all that is not ASCII."""
    escape = r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4})"
    text = written.decode("utf-8", "replace")
    return re.sub(escape, lambda found: chr(int(found[0][2:], 16)), text)


def _live(take_job: Callable[[Pipes], Job], pipes: Pipes, not_mine: Iterable[int]) -> None:
    """Be the child: take the job, set the limits, run, report, and wait to be ended."""
    code, me = 1, os.getpid()
    try:
        for fd in not_mine:
            os.close(fd)
        os.setsid()
        _tie_to_parent()
        be_killed_first()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        steps, memory, seal = take_job(pipes)
        _tie_to_parent()  # the kernel unties one that becomes another user
        _replace_streams(pipes.output)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _limit_memory(memory)
        faulthandler.enable(pipes.stack, all_threads=False)
        for step in steps:
            faulthandler.dump_traceback_later(step.timeout, file=pipes.stack, exit=False)
            data = seal + json.dumps(step.function()).encode() + b"\n"
            if os.getpid() != me:  # an answer forked: there is one report
                return
            faulthandler.cancel_dump_traceback_later()
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            _write(pipes.report, data)
        code = 0
        if sys.platform == "linux":  # what it started stays below it until then
            signal.pause()
    finally:
        os._exit(code)


def _tie_to_parent() -> None:
    """Keep what an answer leaves behind below this process, and end with the parent."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def be_killed_first() -> None:
    """Offer this process to the kernel where memory runs out, rather than a notebook's kernel."""
    # A checker's child may not write there, and has it from its parent.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def _wait_for_orders(warm_up: Callable[[], object], pipes: Pipes) -> Job:
    warm_up()
    gc.freeze()  # what is there now is not looked through again, nor copied by that
    os.write(pipes.report, _READY)
    with open(pipes.orders, "rb", closefd=False) as orders:
        job: Job = pickle.load(orders)
    return job


def _replace_streams(output: int) -> None:
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False, errors="replace")  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, errors="replace")  # noqa: SIM115


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


@contextlib.contextmanager
def orphans_adopted() -> Iterator[Callable[[], None]]:
    """Give a function that ends what children left behind when they ended before us.

    Until then it is below this process, on Linux; elsewhere it is lost to us.
    """
    if sys.platform != "linux":
        yield lambda: None
        return
    before, was_reaper = set(_children(os.getpid())), ctypes.c_int()
    _prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(was_reaper))
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield functools.partial(_end_orphans, before)
    finally:
        _end_orphans(before)
        _prctl(_PR_SET_CHILD_SUBREAPER, was_reaper.value)


def _end_orphans(before: set[int]) -> None:
    while found := set(_children(os.getpid())) - before - {p.pid for p in Process.alive}:
        # All of ours have a session of their own; another thread may start others in this one.
        before |= found
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError, ChildProcessError):
                if os.getsid(pid) != os.getsid(0):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)  # its children are ours then


def _children(pid: int) -> list[int]:
    """Give the processes that one has started or adopted; on Linux alone."""
    found: list[int] = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError), open(path) as file:
            found += map(int, file.read().split())
    return found


def descendants(pid: int) -> list[int]:
    """Give the processes below one, also those with a session of their own; on Linux alone."""
    return [found for child in _children(pid) for found in (child, *descendants(child))]


def _prctl(option: int, value: Any) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _limit_memory(memory: int) -> None:
    # RLIMIT_DATA counts what is written, not what is reserved: torch and CUDA reserve far more.
    if sys.platform != "linux":
        return
    with open("/proc/self/status") as file:
        used = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = used + memory
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
