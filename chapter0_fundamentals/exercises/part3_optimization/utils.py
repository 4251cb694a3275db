"""Given: several processes, small pictures, and a race against DistributedDataParallel."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from part2_cnns.utils import Pictures
    from torch import nn


def launch(function: Callable[..., Any], world_size: int, *args: Any) -> list[Any]:
    """Call `function(rank, world_size, *args)` in `world_size` processes of this machine.

    They are joined by torch.distributed (gloo, on the processor), and end together. Works the same
    in a notebook and in a script.

    Returns:
        What each rank returned, in their order.
    """
    from arena_lab import ranks

    return ranks.run(function, world_size, *args)


def load_small_pictures() -> tuple["Pictures", "Pictures"]:
    """Give the first pictures of CIFAR-10 at their own size, or what stands in for it."""
    import torch
    from part2_cnns.utils import load_cifar

    n_train, n_test = (50_000, 10_000) if torch.cuda.is_available() else (1_024, 300)
    trainset, testset = (replace(pictures, size=None) for pictures in load_cifar())
    return trainset[:n_train], testset[:n_test]


@dataclass(frozen=True)
class StepTime:
    """How long a step of training takes, and how much of it is left to be waited for."""

    name: str
    step_s: float
    n_messages: int


def compare_with_ddp(
    rank: int,
    world_size: int,
    all_reduce: Callable[..., None],
    make_model: Callable[[int], "nn.Module"],
    n_steps: int = 4,
    batch_size: int = 8,
) -> list[StepTime]:
    """Take the same steps with an all-reduce for each parameter and with torch's DDP; compare.

    Prints on rank 0 the time per step, the fastest of `n_steps`, and how far the weights differ
    at the end.
    """
    import torch
    from torch.nn.parallel import DistributedDataParallel

    from arena_lab.rank import messages

    def average(model: "nn.Module") -> None:
        for param in model.parameters():
            all_reduce(param.grad, rank, world_size, op="mean")

    torch.manual_seed(0)
    mine, theirs, alone = (make_model(10) for _ in range(3))
    for model in (theirs, alone):
        model.load_state_dict(mine.state_dict())
    results = []
    for name, model, after_backward in (
        ("no averaging", alone, lambda model: None),
        (all_reduce.__name__, mine, average),
        ("DistributedDataParallel", DistributedDataParallel(theirs), lambda model: None),
    ):
        before = len(messages())
        step_s = _time_steps(model, after_backward, rank, n_steps, batch_size)
        results.append(StepTime(name, step_s, (len(messages()) - before) // (n_steps + 1)))
    if rank == 0:
        for result in results:
            print(f"{result.name:<24} {1000 * result.step_s:7.0f} ms a step")
        pairs = zip(mine.parameters(), theirs.parameters(), strict=True)
        difference = max((a - b).abs().max().item() for a, b in pairs)
        print(f"the weights of the last two differ by at most {difference:.1e}")
    return results


def _time_steps(
    model: "nn.Module",
    after_backward: Callable[["nn.Module"], None],
    rank: int,
    n_steps: int,
    batch_size: int,
) -> float:
    import torch
    import torch.nn.functional as F

    generator = torch.Generator().manual_seed(rank)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    times = []
    for _ in range(n_steps + 1):  # the first one warms up
        images = torch.randn(batch_size, 3, 32, 32, generator=generator)
        labels = torch.randint(10, (batch_size,), generator=generator)
        start = time.perf_counter()
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        after_backward(model)
        optimizer.step()
        times.append(time.perf_counter() - start)
    return min(times[1:])
