"""Run a function as several processes, its ranks, and tell each one's story where it goes wrong.

The ranks are forked from here and joined by torch.distributed (gloo, on the processor). They report
each message and each wait, so that a deadlock is no matter of patience: when every rank waits, and
for nothing that was sent, nothing will ever happen.

`torchrun … -m arena_lab.ranks FILE FUNCTION` calls a function of a script in cells as the rank
that torchrun says, on one machine or on several.
"""

import contextlib
import functools
import importlib
import os
import pickle
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

from arena_lab import fresh
from arena_lab.checks import WrongAnswer
from arena_lab.processes import stack_text
from arena_lab.rank import Message, Place, live
from arena_lab.telling import end_of_process, one_line

# When all wait for what nobody has sent, a message that is on its way gets this long to show up.
_SETTLE_S = 0.2
# A rank that is asked where it stands answers at once, unless it is stopped.
_ANSWER_S = 0.5

_STDLIB = os.path.dirname(os.__file__)


class Failed(WrongAnswer):
    """The ranks did not come to an end by themselves; the details are each one's story."""


def run(
    function: Callable[..., Any],
    world_size: int,
    *args: Any,
    patience: float | None = None,
    only_messages: bool = False,
    ahead: Sequence[str] = (),
) -> list[Any]:
    """Call `function(rank, world_size, *args)` in `world_size` processes, and give what each gave.

    No process is left behind, however it ends. From a notebook or a script that runs, where forking
    is not safe, the ranks are forked from a fresh Python that knows the same functions.

    Args:
        function: What each rank runs.
        world_size: How many ranks.
        *args: Handed to each.
        patience: Seconds without a message, after which the ranks are given up; None: no limit.
        only_messages: Refuse what torch has for whole groups, such as `dist.all_reduce`.
        ahead: Modules to import once, before the ranks begin, instead of in each.

    Raises:
        Failed: The ranks wait for each other, one of them ended, or their time is over.
        BaseException: What one of the ranks raised, with the other ranks' stories as notes.
    """
    if fresh.is_called_for(function, args):
        return fresh.call(_run, function, world_size, args, patience, only_messages, ahead)
    return _run(function, world_size, args, patience, only_messages, ahead)


def _run(
    function: Callable[..., Any],
    world_size: int,
    args: tuple,
    patience: float | None,
    only_messages: bool,
    ahead: Sequence[str],
) -> list[Any]:
    for name in ahead:
        importlib.import_module(name)
    ranks: list[_Rank] = []
    with tempfile.TemporaryDirectory(prefix="arena-lab-ranks-") as folder:
        try:
            for number in range(world_size):
                work = functools.partial(function, number, world_size, *args)
                store = str(Path(folder) / "store")
                ranks.append(_Rank(number, world_size, store, work, only_messages, ranks))
            _listen(ranks, patience)
            return [rank.value for rank in ranks]
        finally:
            for rank in ranks:
                rank.end()


class _Rank:
    """A rank seen from its parent: what it has posted, what it waits for, how it ended."""

    def __init__(
        self,
        number: int,
        world_size: int,
        store: str,
        work: Callable[[], Any],
        only_messages: bool,
        others: Sequence["_Rank"],
    ) -> None:
        self.number = number
        self.doing = self._next = ""
        self.state = "runs"  # "waits", "has come to a step", "has finished", "raised", "died"
        self.posted: dict[int, Message] = {}  # and not over
        self.unmet: dict[int, Message] = {}  # posted, while the other side is not known to be
        self.waits_for: Message | None = None
        self.waits_at: Place | None = None
        self.value: Any = None
        self.error: BaseException | None = None
        self.frames: list[tuple[str, int, str]] = []
        self.exit_code = 0
        self._stack = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the rank)
        self.connection, theirs = Pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                # The end of these lines must be the end of their parent.
                for line in (self.connection, *(other.connection for other in others)):
                    line.close()
                live(theirs, self._stack, number, world_size, store, work, only_messages)
            finally:
                os._exit(1)
        theirs.close()

    @property
    def is_over(self) -> bool:
        """Whether it does nothing more by itself."""
        return self.state in ("has finished", "raised", "died", "lost its connection")

    def take(self, ranks: Sequence["_Rank"]) -> None:
        """Take one event in.

        Raises:
            Failed: A message does not fit into the tensor that is to receive it.
        """
        try:
            kind, *rest = pickle.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            self.state = "died"
            self.exit_code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            return
        if kind == "post":
            self._post(rest[0], rest[1], ranks)
        elif kind == "wait":
            self.state = "waits"
            number, self.waits_at = rest
            self.waits_for = self.posted[number]
        elif kind == "over":
            self.state = "runs"
            self.posted.pop(rest[0])
        elif kind == "ready":
            self.state = "runs"
        elif kind == "step":
            self.state, self._next = "has come to a step", rest[0]
        elif kind == "result":
            self.state, (self.value,) = "has finished", rest
        else:
            self.state, (self.error, self.frames) = "raised", rest
            if "gloo" in str(self.error) and "by peer" in str(self.error):
                self.state = "lost its connection"  # to one that ended, which is the cause

    def _post(self, number: int, message: Message, ranks: Sequence["_Rank"]) -> None:
        self.posted[number] = self.unmet[number] = message
        for other in ranks:
            for their_number, theirs in other.unmet.items():
                if self._is_for(message, other, theirs):
                    del self.unmet[number], other.unmet[their_number]
                    _require_equal_sizes(ranks, (self, message), (other, theirs))
                    return

    def _is_for(self, mine: Message, other: "_Rank", theirs: Message) -> bool:
        """Tell whether a message of another rank is the other side of one of this rank."""
        return (
            mine.kind != theirs.kind
            and mine.tag == theirs.tag
            and mine.peer in (None, other.number)
            and theirs.peer in (None, self.number)
        )

    def go_on(self) -> None:
        """Let it begin the step that it has come to."""
        self.state, self.doing = "runs", self._next
        self.connection.send_bytes(b"go")

    def stands_at(self) -> list[str]:
        """Ask a rank that runs where it is; innermost line first."""
        self._stack.seek(0)
        self._stack.truncate()
        os.kill(self.pid, signal.SIGUSR1)
        deadline = time.monotonic() + _ANSWER_S
        text = ""
        while not text.endswith("\n") and time.monotonic() < deadline:
            time.sleep(0.01)
            self._stack.seek(0)
            text = stack_text(self._stack.read())
        return _own_lines(text)

    def end(self) -> None:
        """End the process if it is there, and free what it held."""
        if self.state != "died":
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        self.connection.close()
        self._stack.close()

    def story(self) -> str:
        """Tell in a few words how it stands with this rank."""
        if self.state == "waits":
            return f"waits in {self.waits_for}" + (f", {self.waits_at}" if self.waits_at else "")
        if self.state == "raised":
            return f"raised {one_line(self.error)}" if self.error else self.state
        if self.state == "died":
            return end_of_process(self.exit_code)
        if self.state == "runs":
            lines = self.stands_at()
            return "still computes" + (f", {lines[0]}" if lines else "")
        return "has finished" if self.state == "has come to a step" else self.state


def _own_lines(stack: str) -> list[str]:
    """Read the lines of a learner from what faulthandler wrote, innermost first."""
    here, found = str(Path(__file__).parent), []
    for row in stack.splitlines():
        file, _, rest = row.strip().removeprefix('File "').partition('", line ')
        number, _, function = rest.partition(" in ")
        library = f"{os.sep}site-packages{os.sep}" in file or file.startswith((here, _STDLIB))
        if number.isdigit() and not library:
            found.append(str(Place(file, int(number), function)))
    return found


def _listen(ranks: Sequence[_Rank], patience: float | None) -> None:
    """Take the ranks' events until all have finished; raise where they will not."""
    while not all(rank.state == "has finished" for rank in ranks):
        lines: dict[Any, _Rank] = {r.connection: r for r in ranks if not r.is_over}
        stuck = _are_stuck(ranks)
        # Where all are over, and one has lost its connection, nobody is left to listen to.
        ready = wait(list(lines), _SETTLE_S if stuck else patience) if lines else []
        for line in ready:
            if isinstance(line, Connection):
                lines[line].take(ranks)
        _raise_what_a_rank_raised(ranks, also_lost=not ready)
        if not ready:
            raise _failure(ranks, _why_stuck(ranks) if stuck else _out_of_time(ranks, patience))
        if all(rank.state == "has come to a step" for rank in ranks):
            for rank in ranks:
                rank.go_on()


def _are_stuck(ranks: Sequence[_Rank]) -> bool:
    """Tell whether somebody waits, and nobody can do anything about it."""
    waiting = [rank for rank in ranks if rank.state == "waits"]
    return (
        bool(waiting)
        and all(rank.state != "runs" for rank in ranks)
        and all(any(m is rank.waits_for for m in rank.unmet.values()) for rank in waiting)
    )


def _raise_what_a_rank_raised(ranks: Sequence[_Rank], also_lost: bool) -> None:
    for rank in ranks:
        if rank.state == "died":
            raise _failure(ranks, f"rank {rank.number} {rank.story()}")
    if any(rank.state == "raised" for rank in ranks):
        _let_the_others_come_to_a_stop(ranks)
    for rank in ranks:
        if rank.error is None or (rank.state == "lost its connection" and not also_lost):
            continue
        if isinstance(rank.error, SystemExit | KeyboardInterrupt):
            sentence = f"rank {rank.number} calls exit: it must return, not end the program"
            raise _failure(ranks, sentence)
        if not isinstance(rank.error, WrongAnswer):
            others = [f"rank {r.number} {r.story()}" for r in ranks if r is not rank]
            rank.error.add_note(f"as rank {rank.number}{', ' * bool(rank.doing)}{rank.doing}")
            rank.error.add_note("; ".join(others))
        raise _with_frames(rank.error, rank.frames)


def _let_the_others_come_to_a_stop(ranks: Sequence[_Rank]) -> None:
    """Listen a moment longer: where they wait is a part of the story."""
    deadline = time.monotonic() + _SETTLE_S
    while running := [rank for rank in ranks if rank.state == "runs"]:
        ready = wait([rank.connection for rank in running], max(0, deadline - time.monotonic()))
        if not ready:
            return
        for rank in running:
            if rank.connection in ready:
                rank.take(ranks)


def _require_equal_sizes(
    ranks: Sequence[_Rank], one: tuple[_Rank, Message], other: tuple[_Rank, Message]
) -> None:
    """Fail where a message does not fit: gloo would end both processes."""
    (sender, sent), (receiver, into) = sorted((one, other), key=lambda side: side[1].kind == "recv")
    if sent.n_bytes != into.n_bytes:
        raise _failure(
            ranks,
            f"rank {sender.number} sends a tensor of shape {sent.shape} ({sent.n_bytes} bytes), "
            f"but rank {receiver.number} receives it into one of shape {into.shape} "
            f"({into.n_bytes} bytes)",
        )


def _why_stuck(ranks: Sequence[_Rank]) -> str:
    waiting = [(r, m) for r in ranks if r.state == "waits" and (m := r.waits_for) is not None]
    for rank, message in waiting:
        for other in ranks[message.peer].unmet.values() if message.peer is not None else ():
            if other.kind != message.kind and other.peer == rank.number:
                does = "sends" if other.kind == "send" else "receives"
                return (
                    f"the tags differ: rank {rank.number} waits in {message.kind} with tag "
                    f"{message.tag}, rank {message.peer} {does} with tag {other.tag}"
                )
    for rank, message in waiting:
        peer = ranks[message.peer] if message.peer is not None else None
        if peer is None or peer.state != "waits":
            lacks = "nobody sends" if message.kind == "recv" else "nobody receives"
            return (
                f"rank {rank.number} waits in {message}"
                + (f"; rank {peer.number} has finished" if peer else "")
                + f": {lacks}"
            )
    kinds = {message.kind for _, message in waiting}
    together = ", ".join(f"rank {rank.number} waits in {message}" for rank, message in waiting)
    if kinds == {"send"}:
        return f"{together}: each waits until its message is taken, and nobody receives"
    if kinds == {"recv"}:
        return f"{together}: each waits for another to send first"
    return f"{together}: no send meets the receive that it is for"


def _out_of_time(ranks: Sequence[_Rank], patience: float | None) -> str:
    at_work = " and ".join(f"rank {r.number}" for r in ranks if r.state == "runs")
    return f"nothing happened for {patience:g} seconds: {at_work or 'a message'} did not finish"


def _failure(ranks: Sequence[_Rank], sentence: str) -> Failed:
    doing = next((rank.doing for rank in ranks if rank.doing), "")
    stories = [(f"rank {rank.number}", rank.story()) for rank in ranks]
    return Failed(sentence, *([("in", doing)] if doing else []), *stories)


def _with_frames(error: BaseException, frames: list[tuple[str, int, str]]) -> BaseException:
    """Give an exception of another process the lines that it came through there."""
    trace = None
    for file, line, function in reversed(frames):
        code = compile("\n" * (line - 1) + "raise error", file, "exec").replace(co_name=function)
        try:
            exec(code, {"error": error.with_traceback(trace)})
        except BaseException as raised:
            trace = raised.__traceback__ and raised.__traceback__.tb_next
    return error.with_traceback(trace)


def _as_torchrun_says(file: str, name: str) -> None:
    """Call a function of a script as one rank of a group that torchrun starts."""
    import torch.distributed as dist

    from arena_lab import answers

    path = Path(file).resolve()
    loaded = answers.load(path, f"{path.parent.name}.{path.stem}")
    if not hasattr(loaded.module, name):
        broken = loaded.why_missing(name)
        raise SystemExit(f"{path} defines no {name}" + (f": {broken.error}" if broken else ""))
    dist.init_process_group("gloo")
    try:
        getattr(loaded.module, name)(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: torchrun [OPTIONS] -m arena_lab.ranks FILE FUNCTION")
    _as_torchrun_says(*sys.argv[1:])
