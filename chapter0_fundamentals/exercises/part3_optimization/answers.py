"""0.3 Optimization: distributed training."""

# %%
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from part2_cnns.solutions import ResNet34
from part2_cnns.utils import Batches, Pictures
from torch import Tensor, nn
from torch.utils.data import DataLoader, DistributedSampler

import part3_optimization.tests as tests  # noqa: F401
from part3_optimization.utils import compare_with_ddp, launch, load_small_pictures

MAIN = __name__ == "__main__"

# %%
@dataclass
class WandbResNetFinetuningArgs:
    """Settings of a training run, and where it is logged."""

    n_classes: int = 10
    batch_size: int = 128
    epochs: int = 3
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    wandb_project: str | None = "day3-resnet"
    wandb_name: str | None = None

# %%
def send_receive(rank: int, world_size: int) -> None:
    """Send three numbers from rank 0 to rank 1; each rank runs this same function."""
    if rank == 0:
        tensor = torch.tensor([3.0, 1.0, 4.0])
        dist.send(tensor, dst=1)
        print(f"rank 0 of {world_size} has sent {tensor}")
    elif rank == 1:
        tensor = torch.zeros(3)
        dist.recv(tensor, src=0)
        print(f"rank 1 of {world_size} has received {tensor}")


if MAIN:
    launch(send_receive, world_size=2)

# %% [markdown]
# ### broadcast
#
# 0.3 · Distributed training · difficulty 3/5, importance 3/5, about 15 minutes

# %%
Op = Literal["sum", "mean"]


def broadcast(tensor: Shaped[Tensor, "*shape"], rank: int, world_size: int, src: int = 0) -> None:
    """Copy the tensor of rank `src` into the tensors of all others, in place.

    Every rank calls this with a tensor of the same shape and dtype, contiguous in memory.

    Args:
        tensor: On rank `src` what is copied; on the others what is overwritten.
        rank: The number of the rank that calls.
        world_size: How many ranks there are.
        src: The rank that has the values.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_broadcast(broadcast)

# %% [markdown]
# ### reduce
#
# 0.3 · Distributed training · difficulty 3/5, importance 3/5, about 15 minutes

# %%
def reduce(
    tensor: Float[Tensor, "*shape"], rank: int, world_size: int, dst: int = 0, op: Op = "sum"
) -> None:
    """Combine the tensors of all ranks into the one of rank `dst`, in place.

    What the other ranks' tensors hold afterwards is not promised.

    Args:
        tensor: Of the same shape on every rank, contiguous in memory.
        rank: The number of the rank that calls.
        world_size: How many ranks there are.
        dst: The rank that gets the result.
        op: Add the tensors up, or average them.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_reduce(reduce)

# %% [markdown]
# ### all_reduce
#
# 0.3 · Distributed training · difficulty 2/5, importance 4/5, about 10 minutes

# %%
def all_reduce(tensor: Float[Tensor, "*shape"], rank: int, world_size: int, op: Op = "sum") -> None:
    """Combine the tensors of all ranks, and give all of them the result, in place.

    Args:
        tensor: Of the same shape on every rank, contiguous in memory.
        rank: The number of the rank that calls.
        world_size: How many ranks there are.
        op: Add the tensors up, or average them.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_all_reduce(all_reduce)

# %% [markdown]
# ### gather
#
# 0.3 · Distributed training · difficulty 2/5, importance 1/5, about 10 minutes, optional

# %%
def gather(
    tensor: Shaped[Tensor, "*shape"], rank: int, world_size: int, dst: int = 0
) -> list[Tensor] | None:
    """Collect the tensors of all ranks on rank `dst`, without combining them.

    Args:
        tensor: Of the same shape on every rank, contiguous in memory; it is not changed.
        rank: The number of the rank that calls.
        world_size: How many ranks there are.
        dst: The rank that collects.

    Returns:
        On rank `dst` the tensors of all ranks, in their order; elsewhere None.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_gather(gather)

# %%
def get_untrained_resnet(n_classes: int) -> ResNet34:
    """Give a ResNet34 with random weights."""
    return ResNet34(n_classes=n_classes)


@dataclass
class DistResNetTrainingArgs(WandbResNetFinetuningArgs):
    """Settings of `DistResNetTrainer`; the batch size is that of one rank."""

    world_size: int = 1
    wandb_project: str | None = "day3-resnet-dist-training"
    make_model: Callable[[int], nn.Module] = get_untrained_resnet
    make_optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW
    load_data: Callable[[], tuple[Pictures, Pictures]] = load_small_pictures

# %% [markdown]
# ### DistResNetTrainer
#
# 0.3 · Distributed training · difficulty 5/5, importance 4/5, about 60 minutes

# %%
class DistResNetTrainer:
    """Train one network in several processes; each takes its share of the pictures."""

    args: DistResNetTrainingArgs

    def __init__(self, args: DistResNetTrainingArgs, rank: int) -> None:
        """Keep the settings; nothing is built before `pre_training_setup`."""
        self.args, self.rank = args, rank
        self.examples_seen = 0
        self.logged_variables: dict[str, list[float]] = {"loss": [], "accuracy": []}

    def pre_training_setup(self) -> None:
        """Make `model`, `optimizer`, `train_sampler`, `train_loader` and `test_loader`.

        Afterwards the model has the same weights on every rank, those of rank 0. The sampler
        gives this rank its share of the training set, the test loader its share of the test set:
        together the ranks test each picture once.
        """
        raise NotImplementedError()

    def training_step(
        self, imgs: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """Take one step on this rank's part of the batch, together with all ranks.

        Notes the loss in `logged_variables`, and adds the pictures of all ranks to
        `examples_seen`.

        Returns:
            The mean loss over all ranks.
        """
        raise NotImplementedError()

    def evaluate(self) -> float:
        """Give the share of right answers on the whole test set, the same on every rank."""
        raise NotImplementedError()

    def train(self) -> None:
        """Set up, then for each epoch train on all batches and evaluate; rank 0 reports."""
        raise NotImplementedError()

# %%
if MAIN:
    tests.test_dist_resnet_trainer_is_one_process_on_the_joined_batch(DistResNetTrainer, DistResNetTrainingArgs)
    tests.test_dist_resnet_trainer_shares_the_training_set(DistResNetTrainer, DistResNetTrainingArgs)
    tests.test_dist_resnet_trainer_evaluates_every_picture_once(DistResNetTrainer, DistResNetTrainingArgs)

# %%
def dist_train_resnet_from_scratch(rank: int, world_size: int) -> None:
    """Train a ResNet34 as one of several ranks, from random weights."""
    args = DistResNetTrainingArgs(batch_size=128 // world_size, world_size=world_size)
    DistResNetTrainer(args, rank).train()


if MAIN:
    load_small_pictures()  # here first, so that two ranks do not fetch the same files at once
    launch(dist_train_resnet_from_scratch, world_size=2)

# %%
if MAIN:
    launch(compare_with_ddp, 2, all_reduce, get_untrained_resnet)

# %% [markdown]
# ### ring_all_reduce
#
# 0.3 · Distributed training · difficulty 5/5, importance 2/5, about 60 minutes, optional

# %%
def ring_all_reduce(
    tensor: Float[Tensor, "*shape"], rank: int, world_size: int, op: Op = "sum"
) -> None:
    """Combine the tensors of all ranks as `all_reduce` does, by messages round a ring.

    Each rank sends to `rank + 1` only and receives from `rank - 1` only, a part of
    1 / world_size of the tensor at a time.

    Args:
        tensor: Of the same shape on every rank, contiguous in memory.
        rank: The number of the rank that calls.
        world_size: How many ranks there are.
        op: Add the tensors up, or average them.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_ring_all_reduce(ring_all_reduce)
    tests.test_ring_all_reduce_spreads_the_work(ring_all_reduce)

# %%
if MAIN:
    launch(compare_with_ddp, 2, ring_all_reduce, get_untrained_resnet)
