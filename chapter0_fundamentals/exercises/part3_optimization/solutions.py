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
    ### BEGIN SOLUTION
    if rank != src:
        dist.recv(tensor, src)
        return
    for dst in range(world_size):
        if dst != src:
            dist.send(tensor, dst)
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    if rank != dst:
        dist.send(tensor, dst)
        return
    received = torch.empty_like(tensor)
    for src in range(world_size):
        if src != dst:
            dist.recv(received, src)
            tensor += received
    if op == "mean":
        tensor /= world_size
    ### END SOLUTION


# %%
def all_reduce(tensor: Float[Tensor, "*shape"], rank: int, world_size: int, op: Op = "sum") -> None:
    """Combine the tensors of all ranks, and give all of them the result, in place.

    Args:
        tensor: Of the same shape on every rank, contiguous in memory.
        rank: The number of the rank that calls.
        world_size: How many ranks there are.
        op: Add the tensors up, or average them.
    """
    ### BEGIN SOLUTION
    reduce(tensor, rank, world_size, dst=0, op=op)
    broadcast(tensor, rank, world_size, src=0)
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    if rank != dst:
        dist.send(tensor, dst)
        return None
    collected = [torch.empty_like(tensor) for _ in range(world_size)]
    for src, place in enumerate(collected):
        if src == dst:
            place.copy_(tensor)
        else:
            dist.recv(place, src)
    return collected
    ### END SOLUTION


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
        ### BEGIN SOLUTION
        args = self.args
        self.model = args.make_model(args.n_classes)
        for tensor in self.model.state_dict().values():
            broadcast(tensor, self.rank, args.world_size)
        self.optimizer = args.make_optimizer(
            self.model.parameters(), lr=args.learning_rate, weight_decay=args.weight_decay
        )
        trainset, testset = args.load_data()
        self.train_sampler = DistributedSampler(trainset, args.world_size, self.rank)
        self.train_loader = DataLoader(trainset, args.batch_size, sampler=self.train_sampler)
        # A DistributedSampler would fill up with pictures that are counted twice.
        self.test_loader = Batches(testset[self.rank :: args.world_size], args.batch_size)
        ### END SOLUTION

    def training_step(
        self, imgs: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """Take one step on this rank's part of the batch, together with all ranks.

        Notes the loss in `logged_variables`, and adds the pictures of all ranks to
        `examples_seen`.

        Returns:
            The mean loss over all ranks.
        """
        ### BEGIN SOLUTION
        self.model.train()
        loss = F.cross_entropy(self.model(imgs), labels)
        self.optimizer.zero_grad()
        loss.backward()
        for param in self.model.parameters():
            all_reduce(param.grad, self.rank, self.args.world_size, op="mean")
        self.optimizer.step()
        mean_loss = loss.detach().clone()
        all_reduce(mean_loss, self.rank, self.args.world_size, op="mean")
        self.examples_seen += len(imgs) * self.args.world_size
        self.logged_variables["loss"].append(mean_loss.item())
        return mean_loss
        ### END SOLUTION

    def evaluate(self) -> float:
        """Give the share of right answers on the whole test set, the same on every rank."""
        ### BEGIN SOLUTION
        for buffer in self.model.buffers():  # each rank has seen other pictures
            broadcast(buffer, self.rank, self.args.world_size)
        self.model.eval()
        counts = torch.zeros(2)
        with torch.inference_mode():
            for imgs, labels in self.test_loader:
                n_right = (self.model(imgs).argmax(dim=-1) == labels).sum().item()
                counts += torch.tensor([n_right, len(labels)])
        all_reduce(counts, self.rank, self.args.world_size)
        accuracy = (counts[0] / counts[1]).item()
        self.logged_variables["accuracy"].append(accuracy)
        return accuracy
        ### END SOLUTION

    def train(self) -> None:
        """Set up, then for each epoch train on all batches and evaluate; rank 0 reports."""
        ### BEGIN SOLUTION
        self.pre_training_setup()
        for epoch in range(self.args.epochs):
            self.train_sampler.set_epoch(epoch)
            for imgs, labels in self.train_loader:
                self.training_step(imgs, labels)
            accuracy = self.evaluate()
            if self.rank == 0:
                loss = self.logged_variables["loss"][-1]
                print(f"epoch {epoch + 1}: loss {loss:.3f}, accuracy {accuracy:.1%}")
        ### END SOLUTION


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
    ### BEGIN SOLUTION
    chunks = tensor.view(-1).tensor_split(world_size)
    right, left = (rank + 1) % world_size, (rank - 1) % world_size
    for step in range(2 * (world_size - 1)):
        sent, place = chunks[(rank - step) % world_size], chunks[(rank - step - 1) % world_size]
        received = torch.empty_like(place)
        requests = [dist.isend(sent, right), dist.irecv(received, left)]
        for request in requests:
            request.wait()
        # In the first round sums grow; in the second, finished ones are handed on.
        if step < world_size - 1:
            place += received
        else:
            place.copy_(received)
    if op == "mean":
        tensor /= world_size
    ### END SOLUTION


# %%
if MAIN:
    launch(compare_with_ddp, 2, ring_all_reduce, get_untrained_resnet)
