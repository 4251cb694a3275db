"""Run functions in forked children, so that whatever they do costs only their own result.

The parent holds the imported libraries and never runs a learner's code; a child starts in
milliseconds and may loop, crash, exit, eat memory or flood its output.
"""

import contextlib
import functools
import json
import os
import selectors
import time
import webbrowser
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from arena_lab.errors import LabError
from arena_lab.processes import Job, Pipes, Process, orphans_adopted, stack_text
from arena_lab.processes import Spare as Spare
from arena_lab.processes import Step as Step

_OUTPUT_LIMIT = 20_000
_REPORT_LIMIT = 10_000_000
_GRACE = 0.3


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
    spare: Spare | None = None,
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
        spare: Takes the first job, if it is ready; then its functions must be ones to pickle.

    Raises:
        LabError: There is no room for a single child.
    """
    waiting = deque((key, steps, 0) for key, steps in jobs if steps)
    children: dict[Any, _Child] = {}
    with (
        orphans_adopted() as end_orphans,
        selectors.DefaultSelector() as selector,
        contextlib.ExitStack() as cleanup,
    ):
        cleanup.callback(lambda: [*map(_Child.kill, children.values())])
        while waiting or children:
            while waiting and len(children) < workers:
                key, steps, first = waiting[0]
                try:
                    children[key] = _Child(steps, first, memory, selector, enter, spare)
                except OSError as error:
                    if not children:
                        raise _no_room(error) from None
                    break  # the end of another one makes room
                waiting.popleft()
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
                    end_orphans()
                    if child.next_step < len(child.steps):
                        waiting.appendleft((key, child.steps, child.next_step))


def _no_room(error: OSError) -> LabError:
    return LabError(
        f"there is no room for another process here ({error.strerror}): end notebooks or programs "
        "that you do not need, then try again"
    )


def one_thread() -> None:
    """Keep numpy and torch to one thread; call it before either is imported.

    Children run side by side, a core each, and one hangs whose parent had a pool of threads. So it
    holds, too, where the learner's own programs are told to take more.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def no_windows() -> None:
    """Let figures that an answer shows open no window: they would for each test, on each save.

    Call it before plotly and matplotlib are imported.
    """
    os.environ["MPLBACKEND"] = "Agg"
    # Without a browser plotly shows nothing; all that it writes instead takes seconds.
    os.environ.pop("PLOTLY_RENDERER", None)
    webbrowser.get = _no_browser


def _no_browser(using: str | None = None) -> webbrowser.BaseBrowser:
    raise webbrowser.Error("a test opens no browser")


def _begin(enter: Callable[[], None], job: Job, _: Pipes) -> Job:
    enter()
    return job


class _Child:
    """A process that runs `steps` from `next_step` on, seen from its parent."""

    def __init__(
        self,
        steps: Sequence[Step],
        first: int,
        memory: int,
        selector: selectors.BaseSelector,
        enter: Callable[[], None],
        spare: Spare | None = None,
    ) -> None:
        self.steps, self.next_step, self.ended = steps, first, False
        self._selector = selector
        self._report, self._output = bytearray(), bytearray()
        self._begin_step()
        # What else is written into the pipe does not know it.
        self._seal = os.urandom(16).hex().encode()
        job = Job(steps[first:], memory, self._seal)
        process = spare.take(job) if spare else None
        self._process = process or Process(functools.partial(_begin, enter, job))
        pipes = self._process.pipes
        for fd in (pipes.report, pipes.output, pipes.stack):
            os.set_blocking(fd, False)
        selector.register(pipes.report, selectors.EVENT_READ, self._read_report)
        selector.register(pipes.output, selectors.EVENT_READ, self._read_output)

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """Give the steps that ended since the last call, and notice the end of the child."""
        status = self._process.poll()
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
        for fd in self._process.pipes:
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
        self._process.end()
        self.ended = True

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
            return stack_text(os.read(self._process.pipes.stack, 1 << 16))
        return ""

    def _read_report(self) -> bool:
        return self._read(self._process.pipes.report, self._report, _REPORT_LIMIT)

    def _read_output(self) -> bool:
        return self._read(self._process.pipes.output, self._output, _OUTPUT_LIMIT)

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
