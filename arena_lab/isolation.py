"""Run a function in a forked child, so that whatever it does costs only its own result.

The parent holds the imported libraries and never runs a learner's code; a child starts in
milliseconds and may loop, crash, exit, eat memory or flood its output.
"""

import contextlib
import faulthandler
import json
import os
import resource
import selectors
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

OUTPUT_LIMIT = 20_000
_GRACE = 0.3


@dataclass(frozen=True)
class Outcome:
    """How a child ended.

    `kind` is "result" (it reported), "timeout", "exit" (it ended without a report) or "signal";
    `stack` is where a child stood when it crashed or its time was over, innermost call first.
    """

    kind: str
    result: Any = None
    code: int = 0
    output: str = ""
    stack: str = ""
    seconds: float = 0.0


def run_all(
    jobs: Iterable[tuple[Any, Callable[[], Any], float]], *, workers: int, memory: int
) -> Iterator[tuple[Any, Outcome]]:
    """Run jobs in children of their own, some at a time, and give each outcome as it comes.

    Args:
        jobs: Key, function that returns something JSON can hold, and timeout in seconds.
        workers: How many children at a time.
        memory: Bytes that a child may allocate beyond what it starts with.
    """
    waiting = iter(jobs)
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as running:
        children: dict[Any, _Child] = {}
        running.callback(lambda: [*map(_Child.kill, children.values())])

        def start_next() -> None:
            for key, function, timeout in waiting:
                children[key] = _Child(function, timeout, memory, selector)
                return

        for _ in range(workers):
            start_next()
        while children:
            timeout = min(child.deadline for child in children.values()) - time.monotonic()
            for event, _ in selector.select(min(max(timeout, 0.0), 0.02)):
                event.data()
            for key, child in list(children.items()):
                outcome = child.outcome()
                if outcome is not None:
                    del children[key]
                    start_next()
                    yield key, outcome


def available_memory() -> int:
    """Give the bytes that a machine or its container has left, as far as they can be told."""
    import psutil

    free = psutil.virtual_memory().available
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError), open(name) as file:
            free = min(free, int(file.read()))
    return free


class _Child:
    def __init__(
        self,
        function: Callable[[], Any],
        timeout: float,
        memory: int,
        selector: selectors.BaseSelector,
    ) -> None:
        self._selector = selector
        self._report, self._output = bytearray(), bytearray()
        self._status: int | None = None
        self._stack = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the child)
        report_read, report_write = os.pipe()
        output_read, output_write = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.started = time.monotonic()
        self.deadline = self.started + timeout + _GRACE
        self.pid = os.fork()
        if self.pid == 0:
            os.close(report_read)
            os.close(output_read)
            _live(function, timeout, memory, report_write, output_write, self._stack)
        os.close(report_write)
        os.close(output_write)
        self._fds = (report_read, output_read)
        for fd, buffer, limit in (
            (report_read, self._report, 10**7),
            (output_read, self._output, OUTPUT_LIMIT),
        ):
            os.set_blocking(fd, False)
            selector.register(
                fd, selectors.EVENT_READ, lambda f=fd, b=buffer, n=limit: self._read(f, b, n)
            )

    def _read(self, fd: int, buffer: bytearray, limit: int) -> None:
        try:
            data = os.read(fd, 1 << 16)
        except BlockingIOError:
            return
        if data:
            buffer += data[: max(0, limit - len(buffer))]
        elif fd in self._selector.get_map():
            self._selector.unregister(fd)

    def outcome(self) -> Outcome | None:
        """Give how the child ended, or None while it runs."""
        late = time.monotonic() > self.deadline
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid == 0 and not late:
                return None
            self._status = status if pid else None
        seconds = time.monotonic() - self.started
        timed_out = self._status is None
        code = os.waitstatus_to_exitcode(self._status) if self._status is not None else 0
        self._stack.seek(0)
        stack = self._stack.read().decode("utf-8", "replace")
        self._drain()
        self.kill()
        output = self._output.decode("utf-8", "replace")
        if timed_out:
            return Outcome("timeout", None, 0, output, stack, seconds)
        with contextlib.suppress(ValueError):
            result = json.loads(self._report)
            return Outcome("result", result, code, output, stack, seconds)
        kind = "signal" if code < 0 else "exit"
        return Outcome(kind, None, abs(code), output, stack, seconds)

    def _drain(self) -> None:
        for fd, buffer, limit in zip(
            self._fds, (self._report, self._output), (10**7, OUTPUT_LIMIT), strict=True
        ):
            for _ in range(200):
                before = len(buffer)
                self._read(fd, buffer, limit)
                if len(buffer) == before:
                    break

    def kill(self) -> None:
        """End the child and what it started, and free what it held."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            self._status = 0
        for fd in self._fds:
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
            with contextlib.suppress(OSError):
                os.close(fd)
        self._stack.close()


def _live(
    function: Callable[[], Any],
    timeout: float,
    memory: int,
    report: int,
    output: int,
    stack: IO[bytes],
) -> None:
    """Be the child: set the limits, run, report, and end without the parent's clean-up."""
    code = 1
    try:
        os.setsid()
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
        faulthandler.dump_traceback_later(timeout, file=stack, exit=False)
        data = json.dumps(function()).encode()
        faulthandler.cancel_dump_traceback_later()
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        while data:
            data = data[os.write(report, data) :]
        code = 0
    finally:
        os._exit(code)


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
