"""Run submissions side by side: by Dask, on this machine or on all that a scheduler has.

A worker is a thread that waits for a sandbox, which is a process of its own. Here the threads are
in this process; with a scheduler they are in those of `dask worker`, and the code is the same.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arena_lab.errors import LabError
from arena_lab.grading.sandbox import Sandbox, open_sandbox
from arena_lab.grading.store import Result, course_hash
from arena_lab.grading.warden import Setting

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_S, _WORKERS_S = 10, 30


@dataclass(frozen=True)
class Order:
    """A submission to be run, and the course for which it is to be."""

    setting: Setting
    answers: bytes
    course: str


# Each thread's sandbox, and for what it was started.
_open: dict[int, tuple[Setting, Sandbox]] = {}
_is_closing = threading.Event()


def run(order: Order) -> Result:
    """Run one submission where this is called; a sandbox that ended is started once more.

    Raises:
        LabError: There is another course here, or no way to shut submissions in.
    """
    if order.course != course_hash():
        raise LabError("a worker has another course: bring it up to date and start it anew")
    problem = ""
    for _ in range(2):
        sandbox = _sandbox(order.setting)
        try:
            return {**sandbox.grade(order.answers), "sandbox": sandbox.way}
        except LabError as error:
            problem = str(error)
            del _open[threading.get_ident()]
    return {"verdicts": [], "problem": problem, "sandbox": sandbox.way}


def _sandbox(setting: Setting) -> Sandbox:
    me = threading.get_ident()
    if me in _open and _open[me][0] != setting:
        _open.pop(me)[1].close()
    if _is_closing.is_set():
        raise LabError("stopped")
    if me not in _open:
        _open[me] = setting, open_sandbox(setting)
    return _open[me][1]


def close_sandboxes() -> None:
    """End every sandbox of this process, also those that run something."""
    _is_closing.set()
    for _, sandbox in list(_open.values()):
        sandbox.kill()
        sandbox.close()
    _open.clear()
    _is_closing.clear()


def run_all(
    orders: Mapping[str, Order], *, workers: int, scheduler: str
) -> Iterator[tuple[str, Result]]:
    """Run submissions, and give what came of each as it comes, by its key.

    Raises:
        LabError: The scheduler cannot be reached, or has no workers, or theirs is another course.
    """
    from distributed import as_completed

    with _client(workers, scheduler) as client:
        futures = {client.submit(run, order, pure=False): key for key, order in orders.items()}
        try:
            for future in as_completed(futures):
                yield futures.pop(future), _result(future)
                future.release()
        finally:
            for future in futures:
                future.cancel()
            client.run(close_sandboxes)


@contextlib.contextmanager
def _client(workers: int, scheduler: str) -> Iterator["Client"]:
    from distributed import Client, LocalCluster

    if scheduler:
        try:
            client = Client(scheduler, timeout=_CONNECT_S)
        except (OSError, ValueError) as error:
            raise LabError(f"the scheduler {scheduler} cannot be reached: {error}") from None
        with client:
            try:
                client.wait_for_workers(1, timeout=_WORKERS_S)
            except TimeoutError:
                raise LabError(
                    f"no worker has joined {scheduler}; in a checkout on each machine: "
                    f".venv/bin/dask worker {scheduler} --no-dashboard"
                ) from None
            yield client
        return
    cluster = LocalCluster(
        n_workers=1,
        threads_per_worker=workers,
        processes=False,
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    )
    with cluster, Client(cluster) as client:
        yield client


def _result(future: Any) -> Result:
    try:
        result: Result = future.result()
    except LabError:
        raise
    except Exception as error:  # a worker that was lost, for example
        problem = f"not graded: {type(error).__name__}: {error}".splitlines()[0]
        return {"verdicts": [], "problem": problem, "sandbox": ""}
    return result
