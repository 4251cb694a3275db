"""Plan a cluster for a class: nodes, memory, storage, pulls, and what a learner's hour costs.

    python deploy/kubernetes/plan.py --learners 100
    python deploy/kubernetes/plan.py --learners 5000 --share 0.3 --node-cores 32 --node-memory 128

It is arithmetic on the requests of `values.yaml` and on one measured learner; docs/cluster.md says
where each number comes from. Needs nothing but Python.
"""

import argparse
import math
from dataclasses import dataclass, fields

# What Kubernetes keeps of a node for itself, its pods of every node and the image puller.
RESERVED_CORES = 0.5
RESERVED_GIB = 2.0
RESERVED_PODS = 10
# The image, unpacked on a node's disk and as it travels.
IMAGE_GB = 7.6
IMAGE_PULLED_GB = 3.6
# What a node pulls from a registry in the same region, MB a second.
PULL_MB_S = 100


@dataclass(frozen=True)
class Plan:
    """A class, the nodes it would run on, and their price.

    `learners` have an account, `share` of them sit in the lab at the same time. Memory is in GiB,
    disks in GB, `price` is of one node for an hour, in any currency.
    """

    learners: int = 100
    share: float = 0.5
    memory: float = 1.0  # requested for a learner: values.yaml
    cores: float = 0.25
    disk: int = 5
    node_cores: int = 16
    node_memory: int = 64
    node_pods: int = 110
    node_volumes: int = 64
    price: float = 0.8
    disk_price: float = 0.1  # of one GB for a month

    @property
    def at_once(self) -> int:
        """Give how many learners have a server at the busiest time."""
        return math.ceil(self.learners * self.share)

    @property
    def on_a_node(self) -> dict[str, int]:
        """Give how many learners fit on a node, by what fills up."""
        return {
            "memory": int((self.node_memory - RESERVED_GIB) / self.memory),
            "cores": int((self.node_cores - RESERVED_CORES) / self.cores),
            "pods": self.node_pods - RESERVED_PODS,
            "volumes": self.node_volumes,
        }

    @property
    def nodes(self) -> int:
        """Give how many nodes hold everybody who is there at once."""
        return math.ceil(self.at_once / min(self.on_a_node.values()))

    def rows(self) -> list[tuple[str, str]]:
        """Give the plan, a line for each thing to provide."""
        fills, fit = min(self.on_a_node.items(), key=lambda item: item[1])
        pulled = self.nodes * IMAGE_PULLED_GB
        hour = self.nodes * self.price / self.at_once
        return [
            ("learners, at once", f"{self.learners:,}, {self.at_once:,}"),
            ("learners on a node", f"{fit}, limited by {fills}"),
            ("nodes", f"{self.nodes} of {self.node_cores} cores, {self.node_memory} GiB"),
            ("memory requested", f"{self.at_once * self.memory:,.0f} GiB"),
            ("volumes", f"{self.learners:,} of {self.disk} GB: {self.learners * self.disk:,} GB"),
            (
                "image",
                f"{IMAGE_GB} GB on each node; {pulled:,.0f} GB from the registry, "
                f"{IMAGE_PULLED_GB * 1000 / PULL_MB_S:.0f} s for a new node",
            ),
            ("a learner's hour", f"{hour:.3f} at the busiest time"),
            ("a learner's month of disk", f"{self.disk * self.disk_price:.2f}"),
        ]


def table(plan: Plan) -> str:
    """Write a plan as a table in Markdown."""
    lines = ["| what | how much |", "|---|---|"]
    return "\n".join(lines + [f"| {what} | {much} |" for what, much in plan.rows()])


def main() -> None:
    """Print the plan that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for field in fields(Plan):
        kind = type(field.default)
        name = "--" + field.name.replace("_", "-")
        parser.add_argument(name, type=kind, default=field.default, help=f"{field.default}")
    plan = Plan(**vars(parser.parse_args()))
    wrong = [field.name for field in fields(Plan) if getattr(plan, field.name) <= 0]
    if wrong:
        parser.error(f"must be more than 0: {', '.join(wrong)}")
    if min(plan.on_a_node.values()) < 1:
        parser.error("not one learner fits on such a node")
    print(table(plan))


if __name__ == "__main__":
    main()
