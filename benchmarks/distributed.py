"""What averaging gradients costs in 0.3: `python benchmarks/distributed.py [--ranks N]`.

A ResNet34 in several processes of this machine, one thread each: the all-reduce of the solutions,
their ring, and torch's DistributedDataParallel, as times the step that averages nothing.
"""

import argparse

from part3_optimization import solutions
from part3_optimization.utils import StepTime, compare_with_ddp, launch
from table import Row, show

_N_STEPS = 6


def rows(world_size: int) -> list[Row]:
    found: dict[str, StepTime] = {}
    for all_reduce in (solutions.all_reduce, solutions.ring_all_reduce):
        made = solutions.get_untrained_resnet
        results = launch(compare_with_ddp, world_size, all_reduce, made, _N_STEPS)
        found |= {result.name: result for result in results[0] if result.name not in found}
    alone = found["no averaging"].step_s
    return [
        Row(
            name,
            f"{1000 * result.step_s:.0f} ms, {result.step_s / alone:.2f}×, "
            f"{result.n_messages} sends and receives of rank 0",
            "",
        )
        for name, result in found.items()
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, default=2, help="processes")
    n_ranks = parser.parse_args().ranks
    show(f"one step of a ResNet34, {n_ranks} processes, fastest of {_N_STEPS}", rows(n_ranks))
