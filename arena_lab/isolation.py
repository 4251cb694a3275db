"""Run functions in forked children, so that whatever they do costs only their own result.

The parent holds the imported libraries and never runs a learner's code; a child starts in
milliseconds and may loop, crash, exit, eat memory or flood its output.
"""

import contextlib
import ctypes
import faulthandler
import glob
import json
import os
import resource
import selectors
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_OUTPUT_LIMIT = 20_000
_REPORT_LIMIT = 10_000_000
_GRACE = 0.3
# From linux/prctl.h
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


@dataclass(frozen=True)
class Step:
    """A function that returns something JSON can hold, and the seconds it may take."""

    function: Callable[[], Any]
    timeout: float


@dataclass(frozen=True)
class Outcome:
    """How a step ended.

    `kind` is "result" (it returned), "timeout", "exit" (its process ended without a report),
    "signal", or "skipped" behind a step of its job that ran out of time; `stack` is where it stood
    when it crashed or its time was over, innermost call first.
    """

    kind: str
    result: Any = None
    code: int = 0
    output: str = ""
    stack: str = ""
    seconds: float = 0.0


def run_all(
    jobs: Iterable[tuple[Any, Sequence[Step]]],
    *,
    workers: int,
    memory: int,
    interrupted: Callable[[], bool] = lambda: False,
    enter: Callable[[], None] = lambda: None,
) -> Generator[tuple[Any, int, Outcome], None, None]:
    """Run each job in a child of its own, some at a time, and give each step's outcome as it comes.

    A job's steps run in one child, one after the other; where one of them ends the child, the
    rest get a new one, and where one runs out of time they are left out.

    Args:
        jobs: Key and steps of each.
        workers: How many children at a time.
        memory: Bytes that a child may allocate beyond what it starts with.
        interrupted: Asked many times a second; once it says yes, the children are ended.
        enter: What each child does first, to give up what it must not have.
    """
    waiting = ((key, steps) for key, steps in jobs if steps)
    children: dict[Any, _Child] = {}
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as cleanup:
        cleanup.callback(lambda: [*map(_Child.kill, children.values())])
        while True:
            while len(children) < workers and (job := next(waiting, None)):
                children[job[0]] = _Child(job[1], 0, memory, selector, enter)
            if not children:
                return
            patience = min(child.deadline for child in children.values()) - time.monotonic()
            for event, _ in selector.select(min(max(patience, 0.0), 0.02)):
                event.data()
            if interrupted():
                return
            for key, child in list(children.items()):
                for number, outcome in child.outcomes():
                    yield key, number, outcome
                if child.ended:
                    del children[key]
                    if child.next_step < len(child.steps):
                        steps, first = child.steps, child.next_step
                        children[key] = _Child(steps, first, memory, selector, enter)


def one_thread() -> None:
    """Keep numpy and torch to one thread; call it before either is imported.

    Children run side by side, a core each, and one hangs whose parent had a pool of threads.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def available_memory() -> int:
    """Give the bytes that a machine or its container has left, as far as they can be told."""
    import psutil

    free = psutil.virtual_memory().available
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError), open(name) as file:
            free = min(free, int(file.read()))
    return free


class _Child:
    """A process that runs `steps` from `next_step` on, seen from its parent."""

    def __init__(
        self,
        steps: Sequence[Step],
        first: int,
        memory: int,
        selector: selectors.BaseSelector,
        enter: Callable[[], None],
    ) -> None:
        self.steps, self.next_step, self.ended = steps, first, False
        self._selector = selector
        self._report, self._output = bytearray(), bytearray()
        report_read, report_write = os.pipe()
        output_read, output_write = os.pipe()
        stack_read, stack_write = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._begin_step()
        # What else writes into the pipe does not know it.
        self._seal = os.urandom(16).hex().encode()
        self.pid = os.fork()
        if self.pid == 0:
            for fd in (report_read, output_read, stack_read):
                os.close(fd)
            fds = (report_write, output_write, stack_write)
            _live(steps[first:], memory, enter, self._seal, *fds)
        for fd in (report_write, output_write, stack_write):
            os.close(fd)
        self._fds = (report_read, output_read, stack_read)
        os.set_blocking(stack_read, False)
        for fd, read in ((report_read, self._read_report), (output_read, self._read_output)):
            os.set_blocking(fd, False)
            selector.register(fd, selectors.EVENT_READ, read)

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """Give the steps that ended since the last call, and notice the end of the child."""
        status = self._poll()
        if status is not None:
            while self._read_report():
                pass
        yield from self._reported()
        if self.next_step == len(self.steps):  # it waits to be ended
            self.kill()
            return
        late = time.monotonic() > self.deadline
        if status is None and not late:
            return
        code = os.waitstatus_to_exitcode(status) if status is not None else 0
        kind = "timeout" if status is None else "signal" if code < 0 else "exit"
        yield self._finish_step(kind, None, abs(code))
        self.kill()
        if kind == "timeout":  # the steps behind it would be waited for just as long
            for number in range(self.next_step, len(self.steps)):
                yield number, Outcome("skipped")
            self.next_step = len(self.steps)

    def kill(self) -> None:
        """End the child and what it started, and free what it held; once more does nothing."""
        if self.ended:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGSTOP)  # what forks without end leaves no time to look
        started = descendants(self.pid)
        for end, pid in ((os.killpg, self.pid), *((os.kill, pid) for pid in (self.pid, *started))):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                end(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        for fd in self._fds:
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
            os.close(fd)
        self.ended = True

    def _poll(self) -> int | None:
        # Not reaped yet: until `kill` the number must not belong to another process.
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return None
        exited = found.si_code == os.CLD_EXITED
        return found.si_status << 8 if exited else found.si_status & 0x7F

    def _begin_step(self) -> None:
        self._started = time.monotonic()
        timeout = self.steps[self.next_step].timeout if self.next_step < len(self.steps) else 0
        self.deadline = self._started + timeout + _GRACE

    def _reported(self) -> Iterator[tuple[int, Outcome]]:
        while self.next_step < len(self.steps) and b"\n" in self._report:
            line, _, rest = self._report.partition(b"\n")
            self._report[:] = rest
            _, sealed, report = line.partition(self._seal)
            if sealed:
                yield self._finish_step("result", json.loads(report), 0)

    def _finish_step(self, kind: str, result: Any, code: int) -> tuple[int, Outcome]:
        while self._read_output():
            pass
        stack = self._read_stack() if kind != "result" else ""
        output = self._output.decode("utf-8", "replace")
        self._output.clear()
        seconds = time.monotonic() - self._started
        number = self.next_step
        self.next_step += 1
        self._begin_step()
        return number, Outcome(kind, result, code, output, stack, seconds)

    def _read_stack(self) -> str:
        with contextlib.suppress(BlockingIOError):
            return os.read(self._fds[2], 1 << 16).decode("utf-8", "replace")
        return ""

    def _read_report(self) -> bool:
        return self._read(self._fds[0], self._report, _REPORT_LIMIT)

    def _read_output(self) -> bool:
        return self._read(self._fds[1], self._output, _OUTPUT_LIMIT)

    def _read(self, fd: int, buffer: bytearray, limit: int) -> bool:
        """Read what is there, keep what fits, and tell whether more of use may come."""
        try:
            data = os.read(fd, 1 << 16)
        except BlockingIOError:
            return False
        if not data and fd in self._selector.get_map():
            self._selector.unregister(fd)
        buffer += data[: max(0, limit - len(buffer))]
        return bool(data) and len(buffer) < limit


def _live(
    steps: Sequence[Step],
    memory: int,
    enter: Callable[[], None],
    seal: bytes,
    report: int,
    output: int,
    stack: int,
) -> None:
    """Be the child: set the limits, run, report, and wait to be ended."""
    code, me = 1, os.getpid()
    try:
        os.setsid()
        enter()
        _adopt_orphans()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", closefd=False, errors="replace")  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False, errors="replace")  # noqa: SIM115
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _limit_memory(memory)
        faulthandler.enable(stack, all_threads=False)
        for step in steps:
            faulthandler.dump_traceback_later(step.timeout, file=stack, exit=False)
            data = seal + json.dumps(step.function()).encode() + b"\n"
            if os.getpid() != me:  # an answer forked: there is one report
                return
            faulthandler.cancel_dump_traceback_later()
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            while data:
                data = data[os.write(report, data) :]
        code = 0
        if sys.platform == "linux":  # what it started stays below it until then
            signal.pause()
    finally:
        os._exit(code)


def _adopt_orphans() -> None:
    """Keep what an answer leaves behind below this process, and end with the parent."""
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def descendants(pid: int) -> list[int]:
    """Give the processes below one, also those with a session of their own; on Linux alone."""
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError), open(path) as file:
            for child in map(int, file.read().split()):
                found += [child, *descendants(child)]
    return found


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
