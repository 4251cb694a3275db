"""What happens inside one of several processes that send each other tensors.

`arena_lab.ranks` forks such a process and reads what it reports: each message that is posted, each
wait, the end. That is how a deadlock is noticed at once, and told with the lines that wait.
"""

import contextlib
import datetime
import faulthandler
import functools
import linecache
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import IO, Any

from arena_lab.checks import WrongAnswer
from arena_lab.processes import be_killed_first

_COLLECTIVES = (
    "broadcast", "reduce", "all_reduce", "gather", "all_gather", "scatter", "reduce_scatter",
    "all_to_all", "broadcast_object_list", "all_gather_object", "gather_object",
    "scatter_object_list", "all_gather_into_tensor", "reduce_scatter_tensor",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A line that a process stands at."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        code = linecache.getline(self.file, self.line).strip()
        return f"line {self.line}, in {self.function}" + (f": {code}" if code else "")


@dataclass(frozen=True)
class Message:
    """One side of a message: who it comes from or goes to, and how large it is."""

    kind: str  # "send" or "recv"
    peer: int | None  # None: from whoever sends first
    tag: int
    n_bytes: int
    shape: tuple[int, ...]
    place: Place | None

    def __str__(self) -> str:
        settings = [] if self.peer is None else [f"{self.side}={self.peer}"]
        settings += [f"tag={self.tag}"] if self.tag else []
        return f"{self.kind}({', '.join(settings)})"

    @property
    def side(self) -> str:
        """The name of the argument that holds the peer."""
        return "dst" if self.kind == "send" else "src"


class Reporter:
    """A rank's line to its parent: tells what happens, and waits where the parent says so."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._go = threading.Semaphore(0)
        self._posted = 0
        self._open: dict[int, Message] = {}
        self.messages: list[Message] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def tell(self, *event: Any) -> None:
        """Send an event to the parent."""
        self._connection.send_bytes(pickle.dumps(event))

    def step(self, text: str) -> None:
        """Wait until every rank has come to this step; the requests of the last must be over."""
        self.require_all_waited()
        self.messages.clear()
        self.tell("step", text)
        self._go.acquire()

    def hold(self) -> None:
        """Stay until the parent ends this process: its connections must outlive its work."""
        self._go.acquire()

    def require_all_waited(self) -> None:
        """Fail where a request was posted and never waited for.

        Raises:
            WrongAnswer: There is one.
        """
        for message in self._open.values():
            raise WrongAnswer(
                f"i{message} was posted and never waited for: call wait() on what it returns, "
                "before the tensor is used again",
                *([("posted", str(message.place))] if message.place else []),
            )

    def post(self, message: Message) -> int:
        """Report a message that was posted, and give its number."""
        self._posted += 1
        self._open[self._posted] = message
        self.messages.append(message)
        self.tell("post", self._posted, message)
        return self._posted

    def close(self, number: int) -> None:
        """Note that a request was looked after."""
        self._open.pop(number, None)

    def _listen(self) -> None:
        # A rank whose parent is gone must not stay, wherever it waits.
        with contextlib.suppress(EOFError, OSError):
            while self._connection.recv_bytes():
                self._go.release()
        os._exit(1)


_reporter: Reporter | None = None


def step(text: str) -> None:
    """Say what this rank does next, and wait until all ranks have come so far.

    Messages of one step can then not be taken for those of the next. Does nothing in a process
    that `ranks.run` did not start.
    """
    if _reporter is not None:
        _reporter.step(text)


def messages() -> list[Message]:
    """Give the messages that this rank has posted since its last step."""
    return list(_reporter.messages) if _reporter is not None else []


class Request:
    """A message under way, as `isend` and `irecv` give it."""

    def __init__(self, work: Any, number: int, reporter: Reporter, message: Message) -> None:
        self._work, self._number, self._reporter = work, number, reporter
        self._message, self._is_over = message, False

    def wait(self, *args: Any, **kwargs: Any) -> Any:
        """Wait until it has arrived.

        Raises:
            WrongAnswer: It was waited for before; gloo would wait for ever.
        """
        if self._is_over:
            raise WrongAnswer(
                f"wait() was called twice for i{self._message}: the second one would wait for "
                "another message, which never comes"
            )
        self._reporter.tell("wait", self._number, place())
        result = self._work.wait(*args, **kwargs)
        self._is_over = True
        self._reporter.tell("over", self._number)
        self._reporter.close(self._number)
        return result

    def is_completed(self) -> bool:
        """Tell whether it has arrived, without waiting."""
        self._reporter.close(self._number)
        return self._work.is_completed()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)


def place() -> Place | None:
    """Give the innermost line that is neither ours nor a library's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _is_own(frame.f_code.co_filename):
            return Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back
    return None


def _is_own(file: str) -> bool:
    library = os.sep + "site-packages" + os.sep in file or file.startswith((_STDLIB, "<frozen"))
    return not library and Path(file).parent != _HERE


_HERE = Path(__file__).parent
_STDLIB = str(Path(os.__file__).parent)


def live(
    connection: Connection,
    stack: IO[bytes],
    number: int,
    world_size: int,
    store: str,
    work: Callable[[], Any],
    only_messages: bool,
) -> None:
    """Be rank `number`: join the others, work, report, and stay until the parent ends it."""
    global _reporter
    _reporter = reporter = Reporter(connection)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    be_killed_first()
    # Line by line: what several ranks print at once must not be mixed within a line.
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(line_buffering=True, write_through=False)  # type: ignore[union-attr]
    faulthandler.register(signal.SIGUSR1, stack, all_threads=True)
    try:
        _join(number, world_size, store)
        _watch_messages(reporter)
        if only_messages:
            _forbid_collectives()
        reporter.tell("ready")
        value = work()
        reporter.require_all_waited()
        _flush()
        reporter.tell("result", value)
    except BaseException as error:  # the learner's code may raise anything
        _flush()
        reporter.tell("raised", *packed(error))
    reporter.hold()


def packed(error: BaseException) -> tuple[BaseException, list[tuple[str, int, str]]]:
    """Give an exception that survives pickling, and the lines that it came through."""
    frames = [
        (f.filename, f.lineno or 1, f.name)
        for f in traceback.extract_tb(error.__traceback__)
        if _is_own(f.filename)
    ]
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    return error, frames


def _join(number: int, world_size: int, store: str) -> None:
    import torch
    import torch.distributed as dist

    # A pool of threads does not survive a fork; and each rank shall have a core of its own.
    torch.set_num_threads(1)
    # No port is asked for: the ranks find each other by a file, and the kernel chooses the rest.
    os.environ["GLOO_SOCKET_IFNAME"] = "lo" if sys.platform == "linux" else "lo0"
    with _silence():
        dist.init_process_group(
            "gloo",
            store=dist.FileStore(store, world_size),  # type: ignore[attr-defined]
            rank=number,
            world_size=world_size,
            timeout=datetime.timedelta(days=1),  # the parent has its eye on the time
        )


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Leave out what gloo prints when it connects."""
    _flush()
    null, kept = os.open(os.devnull, os.O_WRONLY), [os.dup(1), os.dup(2)]
    try:
        for fd in (1, 2):
            os.dup2(null, fd)
        yield
    finally:
        for fd, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, fd)
            os.close(copy)
        os.close(null)


def _flush() -> None:
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()


def _watch_messages(reporter: Reporter) -> None:
    """Report what `isend` and `irecv` post; `send`, `recv` and the batched ones call these."""
    import torch.distributed as dist
    from torch.distributed import distributed_c10d

    def watched(original: Callable, kind: str) -> Callable:
        side = "dst" if kind == "send" else "src"

        @functools.wraps(original)
        def post(
            tensor: Any, peer: int | None = None, group: Any = None, tag: int = 0, **more: Any
        ) -> Any:
            peer = more.pop(side, peer)
            whom = more.get(f"group_{side}")
            whom = peer if whom is None else whom
            n_bytes = tensor.numel() * tensor.element_size()
            message = Message(kind, whom, tag, n_bytes, tuple(tensor.shape), place())
            number = reporter.post(message)
            return Request(original(tensor, peer, group, tag, **more), number, reporter, message)

        return post

    for name in ("isend", "irecv"):
        post = watched(getattr(distributed_c10d, name), name[1:])
        for module in (dist, distributed_c10d):
            setattr(module, name, post)


def _forbid_collectives() -> None:
    import torch.distributed as dist

    def forbid(name: str) -> Callable:
        def refuse(*args: Any, **kwargs: Any) -> None:
            raise WrongAnswer(
                f"dist.{name} does the work here; use only messages from one rank to another, "
                "dist.send and dist.recv (or isend and irecv)"
            )

        return refuse

    for name in _COLLECTIVES:
        setattr(dist, name, forbid(name))
