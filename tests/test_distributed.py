"""Several processes for one answer: they end by themselves, and tell what went wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch
import torch.distributed as dist

from arena_lab import answers, fresh, ranks
from arena_lab import rank as own_rank
from arena_lab.checks import WrongAnswer
from arena_lab.paths import ROOT

SOLUTIONS = ROOT / "chapter0_fundamentals/exercises/part3_optimization/solutions.py"


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    after = psutil.Process().children(recursive=True)
    assert [child for child in after if child.pid not in before] == []


def run(function: Callable, world_size: int = 2, **settings: object) -> list:
    return ranks.run(function, world_size, patience=settings.pop("patience", 5.0), **settings)


def failure(function: Callable, world_size: int = 2, **settings: object) -> WrongAnswer:
    with pytest.raises(WrongAnswer) as caught:
        run(function, world_size, **settings)
    return caught.value


# --- what ranks can do ------------------------------------------------------------------------


def test_each_rank_gives_a_result() -> None:
    assert run(lambda rank, world_size: (rank, world_size), 3) == [(0, 3), (1, 3), (2, 3)]


def test_ranks_send_each_other_tensors() -> None:
    def work(rank: int, world_size: int) -> float:
        tensor = torch.full((2,), float(rank))
        if rank == 0:
            dist.send(tensor, 1)
        else:
            dist.recv(tensor, 0)
        return tensor.sum().item()

    assert run(work) == [0.0, 0.0]


def test_arguments_reach_each_rank() -> None:
    assert ranks.run(lambda rank, world_size, a, b: a + b + rank, 2, 10, 20) == [30, 31]


def test_batched_requests_are_followed() -> None:
    def work(rank: int, world_size: int) -> float:
        mine, theirs = torch.tensor([float(rank)]), torch.zeros(1)
        operations = [
            dist.P2POp(dist.isend, mine, 1 - rank),
            dist.P2POp(dist.irecv, theirs, 1 - rank),
        ]
        for request in dist.batch_isend_irecv(operations):
            request.wait()
        return theirs.item()

    assert run(work) == [1.0, 0.0]


def test_a_busy_port_is_no_failure() -> None:
    import socket

    with socket.socket() as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            busy.bind(("127.0.0.1", 29500))
            busy.listen()
        except OSError:  # somebody else keeps it busy for us
            pass
        assert run(lambda rank, world_size: rank) == [0, 1]


# --- what goes wrong --------------------------------------------------------------------------


def test_two_that_send_first_are_a_deadlock() -> None:
    def work(rank: int, world_size: int) -> None:
        dist.send(torch.zeros(1), 1 - rank)
        dist.recv(torch.zeros(1), 1 - rank)

    error = failure(work, patience=60.0)
    assert "rank 0 waits in send(dst=1), rank 1 waits in send(dst=0)" in error.sentence
    assert "nobody receives" in error.sentence


def test_each_rank_tells_its_line() -> None:
    def work(rank: int, world_size: int) -> None:
        if rank == 0:
            dist.recv(torch.zeros(1), 1)

    error = failure(work, patience=60.0)
    assert error.sentence == "rank 0 waits in recv(src=1); rank 1 has finished: nobody sends"
    stories = dict(error.details)
    assert "in work: dist.recv(torch.zeros(1), 1)" in stories["rank 0"]
    assert stories["rank 1"] == "has finished"


def test_tags_that_differ_are_named() -> None:
    def work(rank: int, world_size: int) -> None:
        if rank == 0:
            dist.send(torch.zeros(1), 1, tag=4)
        else:
            dist.recv(torch.zeros(1), 0)

    assert "the tags differ" in failure(work).sentence


def test_sizes_that_differ_are_named() -> None:
    def work(rank: int, world_size: int) -> None:
        if rank == 0:
            dist.send(torch.zeros(3), 1)
        else:
            dist.recv(torch.zeros(1), 0)

    assert "sends a tensor of shape (3,) (12 bytes)" in failure(work).sentence


def test_what_one_rank_raises_is_raised_with_its_lines_and_the_stories_of_others() -> None:
    def work(rank: int, world_size: int) -> None:
        if rank == 1:
            raise KeyError("mine")
        dist.recv(torch.zeros(1), 1)

    with pytest.raises(KeyError, match="mine") as caught:
        run(work, patience=60.0)
    assert any("rank 0 waits in recv(src=1)" in note for note in caught.value.__notes__)
    assert caught.traceback[-1].name == "work"


def test_an_exception_that_cannot_be_pickled_is_told_all_the_same() -> None:
    def work(rank: int, world_size: int) -> None:
        class Odd(Exception):
            pass

        raise Odd("quite")

    with pytest.raises(RuntimeError, match="Odd: quite"):
        run(work)


def test_a_rank_that_exits_is_named() -> None:
    def work(rank: int, world_size: int) -> None:
        if rank == 1:
            os._exit(3)
        dist.recv(torch.zeros(1), 1)

    expected = "rank 1 ended the Python interpreter (exit code 3)"
    assert failure(work).sentence == expected


def test_a_rank_that_crashes_is_named() -> None:
    def work(rank: int, world_size: int) -> None:
        if rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        dist.recv(torch.zeros(1), 1)

    assert "rank 1 crashed the Python interpreter (SIGKILL)" in failure(work).sentence


def test_lines_are_told_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "学生 é" / "script.py"
    path.parent.mkdir()
    # A process made anew could not import what is made here.
    monkeypatch.setattr(fresh, "is_called_for", lambda *work: False)
    path.write_text("def 双(rank, world_size):\n    while rank: pass\n")
    error = failure(answers.load(path, "script").module.双, patience=1.5)
    assert dict(error.details)["rank 1"] == "still computes, line 2, in 双: while rank: pass"


def test_a_rank_that_is_ended_by_a_real_time_signal_is_named() -> None:
    def work(rank: int, world_size: int) -> None:
        os.kill(os.getpid(), 40)

    assert "crashed the Python interpreter (signal 40)" in failure(work).sentence


def test_stories_of_ranks_are_short() -> None:
    def work(rank: int, world_size: int) -> None:
        raise ValueError("x" * 10**6)

    with pytest.raises(ValueError, match="xxx") as caught:
        run(work)
    assert "raised ValueError: xxx" in caught.value.__notes__[-1]
    assert len(caught.value.__notes__[-1]) < 1000


def test_an_endless_loop_is_ended_and_its_line_told() -> None:
    def work(rank: int, world_size: int) -> None:
        while rank == 1:
            pass

    error = failure(work, patience=1.5)
    assert error.sentence == "nothing happened for 1.5 seconds: rank 1 did not finish"
    assert "while rank == 1" in dict(error.details)["rank 1"]


def test_a_request_that_nobody_waits_for_is_a_mistake() -> None:
    def work(rank: int, world_size: int) -> None:
        if rank == 0:
            dist.send(torch.zeros(1), 1)
        else:
            dist.irecv(torch.zeros(1), 0)

    assert "irecv(src=0) was posted and never waited for" in failure(work).sentence


@pytest.mark.parametrize("patience", [None, 5.0])
def test_a_rank_that_leaves_the_group_too_early_ends_all(patience: float | None) -> None:
    def work(rank: int, world_size: int) -> None:
        if rank == 0:
            dist.destroy_process_group()
        else:
            dist.recv(torch.zeros(1), 0)

    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it hangs"))
    signal.alarm(30)
    with pytest.raises(RuntimeError, match="by peer") as caught:
        run(work, patience=patience)
    signal.alarm(0)
    assert caught.value.__notes__[-1] == "rank 0 has finished"
    assert caught.traceback[-1].name == "work"


@pytest.mark.parametrize("side", ["isend", "irecv"])
def test_a_request_that_is_waited_for_twice_is_named(side: str) -> None:
    def work(rank: int, world_size: int) -> None:
        request = dist.isend(torch.zeros(1), 1) if rank == 0 else dist.irecv(torch.zeros(1), 0)
        request.wait()
        if (side == "isend") == (rank == 0):
            request.wait()

    sentence = failure(work, patience=60.0).sentence
    assert sentence.startswith(
        "wait() was called twice for i" + ("send(dst=1)" if side == "isend" else "recv(src=0)")
    )


def test_messages_of_one_step_are_not_taken_for_those_of_the_next() -> None:
    def work(rank: int, world_size: int) -> None:
        for step in ("one", "two"):
            own_rank.step(step)
            if rank == 0:
                dist.send(torch.zeros(1), 1)
            elif step == "two":
                dist.recv(torch.zeros(1), 0)

    assert dict(failure(work).details)["in"] == "one"


def test_collectives_are_refused_where_they_are_the_exercise() -> None:
    error = failure(lambda rank, n: dist.all_reduce(torch.zeros(1)), only_messages=True)
    assert "dist.all_reduce does the work here" in error.sentence


def test_thousands_of_messages_are_no_trouble() -> None:
    def work(rank: int, world_size: int) -> None:
        tensor = torch.zeros(1)
        for _ in range(2_000):
            (dist.send if rank == 0 else dist.recv)(tensor, 1 - rank)

    run(work)


# --- from a notebook, from torchrun -----------------------------------------------------------

NOTEBOOK = """
import torch.distributed as dist, torch
from part3_optimization import tests
from part3_optimization.utils import launch
expensive = print("computed")
unrelated = 1 / 3
""", """
def helper(rank):
    return 10 * rank
def broadcast(tensor, rank, world_size, src=0):
    if rank != src:
        dist.recv(tensor, src)
        return
    for dst in range(world_size):
        if dst != src:
            dist.send(tensor, dst)
def broken(tensor, rank, world_size, src=0):
    if rank != src:
        dist.recv(tensor, src)
def work(rank, world_size):
    print("from rank", rank)
    return helper(rank)
""", """
print("gave", launch(work, 2))
tests.test_broadcast(broadcast)
"""  # fmt: skip


@pytest.mark.slow
def test_ranks_know_what_a_notebook_defined() -> None:
    kernel = KernelForTest()
    try:
        text = "".join(kernel.run(cell) for cell in NOTEBOOK)
        told = kernel.run("tests.test_broadcast(broken)")
    finally:
        kernel.stop()
    assert text.count("computed") == 1
    assert "from rank 0" in text
    assert "from rank 1" in text
    assert "gave [0, 10]" in text
    assert "test_broadcast passed" in text
    assert "nobody sends" in told
    assert "dist.recv(tensor, src)" in told


class KernelForTest:
    """A kernel of Jupyter, as JupyterLab starts one."""

    def __init__(self) -> None:
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(kernel_name="python3", startup_timeout=120)

    def run(self, code: str) -> str:
        heard: list[str] = []

        def hear(message: dict) -> None:
            content = message["content"]
            shown = [str(value) for value in content.get("data", {}).values()]
            heard.extend([content.get("text", ""), *content.get("traceback", []), *shown])

        self.client.execute_interactive(code, timeout=120, output_hook=hear)
        return "".join(heard)

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.mark.slow
def test_a_script_that_runs_may_use_ranks_after_backward(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
            import torch
            import torch.distributed as dist
            from part3_optimization.utils import launch

            SIZE = 300

            def work(rank: int, world_size: int) -> float:
                x = torch.ones(SIZE, SIZE, requires_grad=True)
                (x @ x).sum().backward()
                return x.grad.sum().item()

            if __name__ == "__main__":
                work(0, 1)  # the pool of threads is there now
                print(launch(work, 2))
        """)
    )
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.stdout == "[54000000.0, 54000000.0]\n", done.stderr


TORCHRUN = '''
# %%
import json
import os
import torch
import torch.distributed as dist
from part3_optimization.solutions import all_reduce


def work(rank: int, world_size: int) -> None:
    """Add up over all ranks."""
    tensor = torch.tensor([1.0, 10.0]) * rank
    all_reduce(tensor, rank, world_size)
    with open(f"{os.environ['FOUND']}.{rank}", "w") as file:
        json.dump([world_size, tensor.tolist()], file)


if __name__ == "__main__":
    raise SystemExit("cells do not run")
'''


def torchrun(folder: Path, *options: str) -> list[str]:
    (folder / "mine.py").write_text(TORCHRUN)
    module = [sys.executable, "-m", "torch.distributed.run", *options]
    return [*module, "-m", "arena_lab.ranks", str(folder / "mine.py"), "work"]


def require_found(folder: Path, world_size: int) -> None:
    expected = [world_size, [sum(range(world_size)) * k for k in (1.0, 10.0)]]
    for rank in range(world_size):
        assert json.loads((folder / f"found.{rank}").read_text()) == expected


@pytest.mark.slow
def test_torchrun_on_one_machine(tmp_path: Path) -> None:
    environment = {**os.environ, "FOUND": str(tmp_path / "found")}
    command = torchrun(tmp_path, "--standalone", "--nproc-per-node", "2")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    require_found(tmp_path, 2)


@pytest.fixture
def two_machines() -> Iterator[tuple[str, str]]:
    """Give two network namespaces, joined by a virtual cable: 10.231.0.1 and 10.231.0.2."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("network namespaces need Linux, root and iproute2")
    names = f"lab-{os.getpid()}-a", f"lab-{os.getpid()}-b"
    ends = f"va{os.getpid()}", f"vb{os.getpid()}"
    made = []
    try:
        for name in names:
            done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"no network namespace can be made: {done.stderr.strip()}")
            made.append(name)
        cable = ["ip", "link", "add", ends[0], "netns", names[0], "type", "veth"]
        cable += ["peer", "name", ends[1], "netns", names[1]]
        done = subprocess.run(cable, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no virtual cable can be made: {done.stderr.strip()}")
        for i, (name, end) in enumerate(zip(names, ends, strict=True), 1):
            inside = ["ip", "-n", name]
            subprocess.run([*inside, "addr", "add", f"10.231.0.{i}/24", "dev", end], check=True)
            for device in ("lo", end):
                subprocess.run([*inside, "link", "set", device, "up"], check=True)
        yield names
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=False)


@pytest.mark.slow
def test_torchrun_across_two_machines(tmp_path: Path, two_machines: tuple[str, str]) -> None:
    running = []
    try:
        for number, name in enumerate(two_machines):
            options = ["--nnodes", "2", "--node-rank", str(number), "--nproc-per-node", "1"]
            options += ["--master-addr", "10.231.0.1", "--master-port", "29500"]
            interface = ("va", "vb")[number] + str(os.getpid())
            environment = {
                **os.environ,
                "FOUND": str(tmp_path / "found"),
                "GLOO_SOCKET_IFNAME": interface,
            }
            command = ["ip", "netns", "exec", name, *torchrun(tmp_path, *options)]
            running.append(subprocess.Popen(command, env=environment, start_new_session=True))
        deadline = time.monotonic() + 180
        for process in running:
            assert process.wait(max(0, deadline - time.monotonic())) == 0
    finally:
        for process in running:
            process.kill()
            process.wait()
    require_found(tmp_path, 2)
