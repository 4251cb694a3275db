"""0.3 Optimization: optimizers, experiments that are tracked, training in several processes."""

# %%
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from part2_cnns.solutions import ResNet34, get_cifar_subset, get_resnet_for_feature_extraction
from part2_cnns.utils import Batches, LivePlot, Pictures, pick_device
from torch import Tensor, nn
from torch.utils.data import DataLoader, DistributedSampler
from tqdm import tqdm

import part3_optimization.tests as tests  # noqa: F401
from arena_lab import sweeps
from arena_lab import tracking as wandb
from part3_optimization.utils import (
    compare_with_ddp,
    digits_as_rows,
    launch,
    load_small_pictures,
    plot_fn,
    plot_fn_with_points,
    plot_learning_rates,
    plot_power_law,
    sample_captions,
)

Surface = Callable[[Tensor, Tensor], Tensor]
Op = Literal["sum", "mean"]

MAIN = __name__ == "__main__"

# %%
def pathological_curve_loss(
    x: Float[Tensor, "*shape"], y: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Give the height of a ravine: steep walls along x, a floor that slopes gently to y = 0."""
    walls = (1 + 25 * x**2) ** 0.5 - 1
    floor = 0.2 * ((1 + y**2) ** 0.5 - 1)
    return walls + floor


def rosenbrocks_banana_func(
    x: Float[Tensor, "*shape"], y: Float[Tensor, "*shape"], a: float = 1.0, b: float = 100.0
) -> Float[Tensor, "*shape"]:
    """Give the height of a bent valley, with its only minimum, 0, at (a, a²).

    Source: Rosenbrock (1960), (a - x)² + b (y - x²)².
    """
    return (a - x) ** 2 + b * (y - x**2) ** 2


def bivariate_gaussian(
    x: Float[Tensor, "*shape"],
    y: Float[Tensor, "*shape"],
    x_mean: float = 0.0,
    y_mean: float = 0.0,
    x_sig: float = 1.0,
    y_sig: float = 1.0,
) -> Float[Tensor, "*shape"]:
    """Give the density of two independent normal numbers."""
    scaled = ((x - x_mean) / x_sig) ** 2 + ((y - y_mean) / y_sig) ** 2
    return math.e ** (-scaled / 2) / (2 * math.pi * x_sig * y_sig)


def neg_trimodal_func(
    x: Float[Tensor, "*shape"], y: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Give a plain with three wells; the one at (1, 1) is the deepest."""
    deepest = bivariate_gaussian(x, y, 1.0, 1.0, 0.3, 0.3)
    middle = 0.7 * bivariate_gaussian(x, y, -1.1, 0.5, 0.35, 0.35)
    shallow = 0.8 * bivariate_gaussian(x, y, 0.3, -1.0, 0.5, 0.5)
    return -(deepest + middle + shallow)


if MAIN:
    plot_fn(pathological_curve_loss, (-2, 2), (-4.5, 4.5)).show()

# %% [markdown]
# ### opt_fn_with_sgd
#
# 0.3 · Optimizers · difficulty 3/5, importance 4/5, about 20 minutes

# %%
def opt_fn_with_sgd(
    fn: Surface,
    xy: Float[Tensor, "2"],
    lr: float = 0.001,
    momentum: float = 0.98,
    n_iters: int = 100,
) -> Float[Tensor, "n_points 2"]:
    """Walk down a surface with `torch.optim.SGD`, and give the points on the way.

    Args:
        fn: Height at (x, y); takes the two numbers one by one.
        xy: Where to start. It stays as it is.
        lr: Learning rate.
        momentum: Of SGD.
        n_iters: How many points to give, the start among them.

    Returns:
        The points in order; no gradient hangs on them.
    """
    raise NotImplementedError()


if MAIN:
    start = torch.tensor([1.5, 4.0])
    paths = {
        f"momentum {momentum}": opt_fn_with_sgd(pathological_curve_loss, start, 0.04, momentum)
        for momentum in (0.0, 0.5, 0.9)
    }
    plot_fn_with_points(pathological_curve_loss, paths, (-2, 2), (-4.5, 4.5)).show()

# %%
if MAIN:
    tests.test_opt_fn_with_sgd(opt_fn_with_sgd)
    tests.test_opt_fn_with_sgd_leaves_no_graph(opt_fn_with_sgd)

# %% [markdown]
# ### SGD
#
# 0.3 · Optimizers · difficulty 3/5, importance 4/5, about 30 minutes

# %%
class SGD:
    """Gradient descent with momentum and weight decay, as torch.optim.SGD."""

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        """Remember the parameters, which may come as a generator, and make a velocity for each."""
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        raise NotImplementedError()

    def zero_grad(self) -> None:
        """Forget all gradients."""
        raise NotImplementedError()

    @torch.inference_mode()
    def step(self) -> None:
        """Move each parameter that has a gradient, in place; the gradient stays as it is."""
        raise NotImplementedError()

    def __repr__(self) -> str:
        return f"SGD(lr={self.lr}, momentum={self.momentum}, weight_decay={self.weight_decay})"

# %%
if MAIN:
    tests.test_sgd(SGD)
    tests.test_sgd_behaviour(SGD)

# %% [markdown]
# ### RMSprop
#
# 0.3 · Optimizers · difficulty 3/5, importance 3/5, about 20 minutes

# %%
class RMSprop:
    """Steps divided by a running size of the gradient, as torch.optim.RMSprop."""

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        """Remember the parameters, and make for each what must be kept between steps.

        Args:
            params: Parameters, perhaps as a generator.
            lr: Learning rate.
            alpha: The share of the past in the running mean of squares.
            eps: Added to the root, so that nothing is divided by zero.
            weight_decay: Times the parameter, added to the gradient.
            momentum: Of the scaled gradient.
        """
        self.lr, self.alpha, self.eps = lr, alpha, eps
        self.weight_decay, self.momentum = weight_decay, momentum
        raise NotImplementedError()

    def zero_grad(self) -> None:
        """Forget all gradients."""
        raise NotImplementedError()

    @torch.inference_mode()
    def step(self) -> None:
        """Move each parameter that has a gradient, in place; the gradient stays as it is."""
        raise NotImplementedError()

    def __repr__(self) -> str:
        return (
            f"RMSprop(lr={self.lr}, alpha={self.alpha}, eps={self.eps}, "
            f"weight_decay={self.weight_decay}, momentum={self.momentum})"
        )

# %%
if MAIN:
    tests.test_rmsprop(RMSprop)
    tests.test_rmsprop_behaviour(RMSprop)

# %% [markdown]
# ### Adam
#
# 0.3 · Optimizers · difficulty 4/5, importance 4/5, about 25 minutes

# %%
class Adam:
    """Momentum divided by a running size, both freed of their zero start, as torch.optim.Adam."""

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        """Remember the parameters, and make for each what must be kept between steps.

        Args:
            params: Parameters, perhaps as a generator.
            lr: Learning rate.
            betas: The shares of the past in the running mean of gradients and of their squares.
            eps: Added to the root.
            weight_decay: Times the parameter, added to the gradient.
        """
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        raise NotImplementedError()

    def zero_grad(self) -> None:
        """Forget all gradients."""
        raise NotImplementedError()

    @torch.inference_mode()
    def step(self) -> None:
        """Move each parameter that has a gradient, in place; the gradient stays as it is."""
        raise NotImplementedError()

    def __repr__(self) -> str:
        return (
            f"Adam(lr={self.lr}, betas={self.betas}, eps={self.eps}, "
            f"weight_decay={self.weight_decay})"
        )

# %%
if MAIN:
    tests.test_adam(Adam)
    tests.test_adam_behaviour(Adam)

# %% [markdown]
# ### AdamW
#
# 0.3 · Optimizers · difficulty 2/5, importance 4/5, about 10 minutes

# %%
class AdamW:
    """Adam with weight decay beside the gradient instead of in it, as torch.optim.AdamW."""

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        """Remember the parameters, and make for each what must be kept between steps.

        Args:
            params: Parameters, perhaps as a generator.
            lr: Learning rate.
            betas: The shares of the past in the running mean of gradients and of their squares.
            eps: Added to the root.
            weight_decay: Each step takes lr × weight_decay of a parameter away.
        """
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        raise NotImplementedError()

    def zero_grad(self) -> None:
        """Forget all gradients."""
        raise NotImplementedError()

    @torch.inference_mode()
    def step(self) -> None:
        """Shrink, then move each parameter that has a gradient; the gradient stays as it is."""
        raise NotImplementedError()

    def __repr__(self) -> str:
        return (
            f"AdamW(lr={self.lr}, betas={self.betas}, eps={self.eps}, "
            f"weight_decay={self.weight_decay})"
        )

# %%
if MAIN:
    tests.test_adamw(AdamW)
    tests.test_adamw_behaviour(AdamW)

# %%
def opt_fn(
    fn: Surface,
    xy: Float[Tensor, "2"],
    optimizer_class: type,
    optimizer_hyperparams: Mapping[str, Any],
    n_iters: int = 100,
) -> Float[Tensor, "n_points 2"]:
    """Walk down a surface with any optimizer, and give the points on the way.

    Args:
        fn: Height at (x, y); takes the two numbers one by one.
        xy: Where to start. It stays as it is.
        optimizer_class: Of yours or of torch.optim.
        optimizer_hyperparams: Its settings by name.
        n_iters: How many points to give, the start among them.
    """
    xy = xy.detach().clone().requires_grad_()
    optimizer = optimizer_class([xy], **optimizer_hyperparams)
    points = [xy.detach().clone()]
    for _ in range(n_iters - 1):
        optimizer.zero_grad()
        fn(xy[0], xy[1]).backward()
        optimizer.step()
        points.append(xy.detach().clone())
    return torch.stack(points)


if MAIN:
    # Change the settings, and say what you expect before you run the cell.
    settings: dict[str, tuple[type, dict[str, Any]]] = {
        "SGD": (SGD, {"lr": 0.0006, "momentum": 0.9}),
        "RMSprop": (RMSprop, {"lr": 0.02, "alpha": 0.99}),
        "Adam": (Adam, {"lr": 0.1, "betas": (0.9, 0.99)}),
    }
    surfaces: dict[str, tuple[Surface, tuple[float, float], tuple, tuple, bool]] = {
        "banana": (rosenbrocks_banana_func, (-1.5, 2.5), (-2, 2), (-1, 3), True),
        "ravine": (pathological_curve_loss, (1.5, 4.0), (-2, 2), (-4.5, 4.5), False),
        "three wells": (neg_trimodal_func, (0.2, 0.4), (-2, 2), (-2, 2), False),
    }
    for name, (fn, start_xy, x_range, y_range, log_scale) in surfaces.items():
        start = torch.tensor(start_xy)
        paths = {key: opt_fn(fn, start, *setting, 400) for key, setting in settings.items()}
        print(name, {key: f"{fn(*path[-1]).item():.4f}" for key, path in paths.items()})
        plot_fn_with_points(fn, paths, x_range, y_range, log_scale=log_scale).show()

# %%
def get_cifar() -> tuple[Pictures, Pictures]:
    """Give small colour pictures to train on and to test with; fewer where there is no GPU.

    CIFAR-10, or crops of photographs that come with the lab; a line says which.
    """
    return get_cifar_subset()


@dataclass
class ResNetFinetuningArgs:
    """Settings of `ResNetFinetuner`."""

    n_classes: int = 10
    batch_size: int = 128
    epochs: int = 3
    learning_rate: float = 1e-3
    weight_decay: float = 0.0


class ResNetFinetuner:
    """Trains the last layer of a pretrained ResNet34, in four parts that can be changed alone."""

    def __init__(self, args: ResNetFinetuningArgs) -> None:
        self.args = args

    def pre_training_setup(self) -> None:
        """Make the model, its optimizer, the loaders, and what is noted on the way."""
        self.device = pick_device()
        self.model = get_resnet_for_feature_extraction(self.args.n_classes).to(self.device)
        self.optimizer = torch.optim.AdamW(
            self.model.out_layers[-1].parameters(),
            lr=self.args.learning_rate,
            weight_decay=self.args.weight_decay,
        )
        trainset, self.testset = get_cifar()
        self.train_loader = Batches(trainset.to(self.device), self.args.batch_size, shuffle=True)
        self.test_loader = Batches(self.testset.to(self.device), self.args.batch_size)
        self.logged_variables: dict[str, list[float]] = {"loss": [], "accuracy": []}
        self.examples_seen = 0

    def training_step(
        self, imgs: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """Learn from one batch, and give its loss."""
        loss = F.cross_entropy(self.model(imgs), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.examples_seen += len(imgs)
        self.logged_variables["loss"].append(loss.item())
        return loss

    @torch.inference_mode()
    def evaluate(self) -> float:
        """Give the share of test pictures, from 0 to 1, that are told right."""
        self.model.eval()
        n_right = sum(
            (self.model(imgs).argmax(dim=-1) == labels).sum().item()
            for imgs, labels in self.test_loader
        )
        accuracy = n_right / len(self.testset)
        self.logged_variables["accuracy"].append(accuracy)
        return accuracy

    @torch.inference_mode()
    def sample_pictures(self, n: int = 8) -> list[tuple[Tensor, str]]:
        """Give the first test pictures, each with a line that says what the model takes it for."""
        self.model.eval()
        imgs = self.testset[torch.arange(min(n, len(self.testset)))][0].to(self.device)
        return sample_captions(self.testset, self.model(imgs).argmax(dim=-1).tolist())

    def train(self) -> dict[str, list[float]]:
        """Train for all epochs, and test before the first and after each."""
        self.pre_training_setup()
        plot = LivePlot()
        accuracy = self.evaluate()
        for epoch in range(self.args.epochs):
            self.model.eval()  # frozen layers keep their running statistics
            progress = tqdm(self.train_loader, desc=f"epoch {epoch + 1}, accuracy {accuracy:.3f}")
            for imgs, labels in progress:
                loss = self.training_step(imgs, labels)
                progress.set_postfix(loss=f"{loss.item():.3f}")
            accuracy = self.evaluate()
            plot.update(self.logged_variables["loss"], self.logged_variables["accuracy"][1:])
        return self.logged_variables


if MAIN:
    torch.manual_seed(0)
    logged = ResNetFinetuner(ResNetFinetuningArgs(epochs=3)).train()
    print(f"Right on {logged['accuracy'][-1]:.1%} of the test pictures")

# %% [markdown]
# ### WandbResNetFinetuner
#
# 0.3 · Experiments · difficulty 2/5, importance 4/5, about 25 minutes

# %%
@dataclass
class WandbResNetFinetuningArgs(ResNetFinetuningArgs):
    """Settings of `WandbResNetFinetuner`: where its runs belong, and what this one is called."""

    wandb_project: str = "day3-resnet"
    wandb_name: str | None = None


class WandbResNetFinetuner(ResNetFinetuner):
    """The same trainer; what happens is logged as a run."""

    args: WandbResNetFinetuningArgs  # for type checkers: no longer the parent's
    examples_seen: int = 0

    def pre_training_setup(self) -> None:
        """Do what the parent does, and begin a run that knows the settings."""
        raise NotImplementedError()

    def training_step(
        self, imgs: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """Learn from one batch, log its loss, and give it."""
        raise NotImplementedError()

    def evaluate(self) -> float:
        """Give the share of test pictures that are told right, and log it."""
        raise NotImplementedError()

    def train(self) -> dict[str, list[float]]:
        """Train, log some pictures with what the model takes them for, and end the run."""
        raise NotImplementedError()


if MAIN:
    torch.manual_seed(0)
    for learning_rate in (1e-3, 1e-2):
        name = f"lr {learning_rate}"
        WandbResNetFinetuner(
            WandbResNetFinetuningArgs(epochs=3, learning_rate=learning_rate, wandb_name=name)
        ).train()
    print("JupyterLab's launcher shows the runs: tile Runs")

# %%
if MAIN:
    tests.test_wandb_finetuner_runs(WandbResNetFinetuner, WandbResNetFinetuningArgs)
    tests.test_wandb_finetuner_logs(WandbResNetFinetuner, WandbResNetFinetuningArgs)
    tests.test_wandb_finetuner_step_returns_the_loss(WandbResNetFinetuner, WandbResNetFinetuningArgs)

# %% [markdown]
# ### sweep_config
#
# 0.3 · Experiments · difficulty 2/5, importance 3/5, about 10 minutes

# %%
sweep_config = {
    # Your code here
}

# %%
if MAIN:
    tests.test_sweep_config(sweep_config)

# %% [markdown]
# ### update_args
#
# 0.3 · Experiments · difficulty 2/5, importance 3/5, about 10 minutes

# %%
def update_args(
    args: WandbResNetFinetuningArgs, sampled_parameters: Mapping[str, Any]
) -> WandbResNetFinetuningArgs:
    """Put what was drawn from your `sweep_config` into the settings.

    Args:
        args: The settings; those that are not searched over stay.
        sampled_parameters: A value for each name in `sweep_config["parameters"]`.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_update_args(update_args, sweep_config)

# %%
def train() -> None:
    """Run one trial of the search: settings come in through `wandb.config`."""
    args = WandbResNetFinetuningArgs(epochs=1)
    wandb.init(project=args.wandb_project)
    args = update_args(args, dict(wandb.config))
    torch.manual_seed(0)
    WandbResNetFinetuner(args).train()


if MAIN:
    # Interrupt it and run the cell again: it goes on where it stopped.
    sweep_id = wandb.sweep(sweep_config, project="day3-resnet-search")
    wandb.agent(sweep_id, function=train, count=6)
    if figure := sweeps.show(sweep_id):
        figure.show()

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
    wandb_project: str = "day3-resnet-dist-training"
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
        together the ranks test each picture once. Rank 0 begins a run.
        """
        raise NotImplementedError()

    def training_step(
        self, imgs: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """Take one step on this rank's part of the batch, together with all ranks.

        Notes the loss in `logged_variables`, rank 0 also in its run, and adds the pictures of
        all ranks to `examples_seen`.

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
    tests.test_dist_resnet_trainer_evaluates_every_picture_once(DistResNetTrainer, DistResNetTrainingArgs)
    tests.test_dist_resnet_trainer_shares_the_training_set(DistResNetTrainer, DistResNetTrainingArgs)

# %%
def dist_train_resnet_from_scratch(rank: int, world_size: int) -> None:
    """Train a ResNet34 as one of several ranks, from random weights."""
    args = DistResNetTrainingArgs(epochs=3, batch_size=128 // world_size, world_size=world_size)
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

# %% [markdown]
# ### ParamGroupSGD
#
# 0.3 · Bonus: more about optimization · difficulty 4/5, importance 1/5, about 40 minutes, optional

# %%
class ParamGroupSGD:
    """SGD that takes groups of parameters, each with settings of its own."""

    def __init__(
        self, params: Iterable[nn.Parameter] | Iterable[dict[str, Any]], **kwargs: Any
    ) -> None:
        """Make the list `param_groups`: a dict for each group, with all of its settings.

        Args:
            params: Parameters, which make one group; or dicts, each with `params` and settings of
                this group alone.
            **kwargs: Settings of all groups that say nothing else: `lr`, which has no default,
                `momentum` and `weight_decay`, which are 0 by default.

        Raises:
            ValueError: A group has no lr, or a parameter comes twice.
        """
        raise NotImplementedError()

    def zero_grad(self) -> None:
        """Forget all gradients."""
        raise NotImplementedError()

    @torch.inference_mode()
    def step(self) -> None:
        """Move each parameter that has a gradient by the settings of its group, in place."""
        raise NotImplementedError()

# %%
if MAIN:
    tests.test_sgd_param_groups(ParamGroupSGD)
    tests.test_param_groups_are_kept(ParamGroupSGD)
    tests.test_param_groups_refuse_mistakes(ParamGroupSGD)

# %% [markdown]
# ### ExponentialLR
#
# 0.3 · Bonus: more about optimization · difficulty 1/5, importance 2/5, about 5 minutes, optional

# %%
class ExponentialLR:
    """Multiply the learning rate by the same factor after every epoch."""

    def __init__(self, optimizer: SGD, gamma: float) -> None:
        """Remember the optimizer, whose `lr` will change, and the factor."""
        self.optimizer, self.gamma = optimizer, gamma

    def step(self) -> None:
        """End an epoch."""
        raise NotImplementedError()

    def __repr__(self) -> str:
        return f"ExponentialLR(gamma={self.gamma})"

# %%
if MAIN:
    tests.test_ExponentialLR(ExponentialLR, SGD)

# %% [markdown]
# ### StepLR
#
# 0.3 · Bonus: more about optimization · difficulty 2/5, importance 2/5, about 8 minutes, optional

# %%
class StepLR:
    """Multiply the learning rate by a factor after every so many epochs."""

    def __init__(self, optimizer: SGD, step_size: int, gamma: float = 0.1) -> None:
        """Remember the settings, and that no epoch has ended yet."""
        self.optimizer, self.step_size, self.gamma = optimizer, step_size, gamma
        self.n_epochs = 0

    def step(self) -> None:
        """End an epoch."""
        raise NotImplementedError()

    def __repr__(self) -> str:
        return f"StepLR(step_size={self.step_size}, gamma={self.gamma})"

# %%
if MAIN:
    tests.test_StepLR(StepLR, SGD)

# %% [markdown]
# ### MultiStepLR
#
# 0.3 · Bonus: more about optimization · difficulty 2/5, importance 2/5, about 8 minutes, optional

# %%
class MultiStepLR:
    """Multiply the learning rate by a factor after given epochs."""

    def __init__(self, optimizer: SGD, milestones: list[int], gamma: float = 0.1) -> None:
        """Remember the settings, and that no epoch has ended yet."""
        self.optimizer, self.milestones, self.gamma = optimizer, milestones, gamma
        self.n_epochs = 0

    def step(self) -> None:
        """End an epoch; where a milestone is listed twice, its factor counts twice."""
        raise NotImplementedError()

    def __repr__(self) -> str:
        return f"MultiStepLR(milestones={self.milestones}, gamma={self.gamma})"


if MAIN:
    rates: dict[str, list[float]] = {}
    for make in (
        lambda optimizer: ExponentialLR(optimizer, 0.9),
        lambda optimizer: StepLR(optimizer, 8, 0.3),
        lambda optimizer: MultiStepLR(optimizer, [5, 20], 0.3),
    ):
        optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
        scheduler = make(optimizer)
        rates[repr(scheduler)] = []
        for _ in range(30):
            rates[repr(scheduler)].append(optimizer.lr)
            scheduler.step()
    plot_learning_rates(rates).show()

# %%
if MAIN:
    tests.test_MultiStepLR(MultiStepLR, SGD)

# %% [markdown]
# ### newton_schulz
#
# 0.3 · Bonus: more about optimization · difficulty 3/5, importance 2/5, about 20 minutes, optional

# %%
def newton_schulz(
    matrix: Float[Tensor, "rows cols"], n_steps: int = 5
) -> Float[Tensor, "rows cols"]:
    """Bring all singular values of a matrix near 1, and leave its directions as they are.

    Source: Keller Jordan, Muon (2024): X ← aX + b(XXᵀ)X + c(XXᵀ)²X, from X = M / ‖M‖, with
    a, b, c = 3.4445, -4.775, 2.0315.
    """
    a, b, c = 3.4445, -4.775, 2.0315
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_newton_schulz(newton_schulz)

# %% [markdown]
# ### Muon
#
# 0.3 · Bonus: more about optimization · difficulty 3/5, importance 2/5, about 20 minutes, optional

# %%
class Muon:
    """Momentum whose matrix is made orthogonal before each step; for matrices only."""

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        """Remember the matrices, and make a velocity for each.

        Raises:
            ValueError: A parameter has not two axes.
        """
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        raise NotImplementedError()

    def zero_grad(self) -> None:
        """Forget all gradients."""
        raise NotImplementedError()

    @torch.inference_mode()
    def step(self) -> None:
        """Shrink each matrix as AdamW does, then move it."""
        raise NotImplementedError()

    def __repr__(self) -> str:
        return f"Muon(lr={self.lr}, momentum={self.momentum}, weight_decay={self.weight_decay})"

# %%
if MAIN:
    tests.test_muon(Muon)
    tests.test_muon_takes_matrices_alone(Muon)

# %% [markdown]
# ### fit_power_law
#
# 0.3 · Bonus: more about optimization · difficulty 2/5, importance 2/5, about 10 minutes, optional

# %%
def best_test_loss(width: int, n_epochs: int = 10, n_train: int = 4_000) -> tuple[int, float]:
    """Train a network of one hidden layer on digits; give its parameters and its best test loss.

    The best over the epochs, for a wide network begins to learn its training set by heart.
    """
    train_x, train_y, test_x, test_y = digits_as_rows(n_train)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, width), nn.Tanh(), nn.Linear(width, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    best = math.inf
    for _ in range(n_epochs):
        for chosen in torch.randperm(len(train_x)).split(64):
            loss = F.cross_entropy(model(train_x[chosen]), train_y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.inference_mode():
            best = min(best, F.cross_entropy(model(test_x), test_y).item())
    return sum(p.numel() for p in model.parameters()), best


def fit_power_law(sizes: Float[Tensor, " n"], losses: Float[Tensor, " n"]) -> tuple[float, float]:
    """Fit loss = a · size^(-b), a straight line in the logarithms, by least squares.

    Returns:
        a and b.
    """
    raise NotImplementedError()


if MAIN:
    points = [best_test_loss(width, n_epochs=10) for width in (2, 3, 4, 5, 6, 8, 12, 16, 32, 64)]
    sizes, losses = torch.tensor(points, dtype=torch.float64).T
    a, b = fit_power_law(sizes[:6], losses[:6])
    print(f"From 2 to 8 hidden units: loss ≈ {a:.1f} · parameters^(-{b:.2f})")
    plot_power_law(sizes, losses, a, b).show()

# %%
if MAIN:
    tests.test_fit_power_law(fit_power_law)

# %%
def measured_and_true(
    n_settings: int, n_pictures: int, spread: float = 0.01, n_repeats: int = 2_000
) -> tuple[float, float]:
    """Choose the best of many settings by their accuracy on the same few pictures.

    The true accuracies lie around 0.8; each is measured on so many pictures.

    Returns:
        Of the one that is chosen, the accuracy that was measured and the true one, on average.
    """
    generator = torch.Generator().manual_seed(0)
    true = 0.8 + spread * torch.randn(n_repeats, n_settings, generator=generator)
    noise = (true * (1 - true) / n_pictures).sqrt()
    measured = true + noise * torch.randn(n_repeats, n_settings, generator=generator)
    best = measured.argmax(dim=1, keepdim=True)
    return measured.gather(1, best).mean().item(), true.gather(1, best).mean().item()


if MAIN:
    for n_pictures in (300, 10_000):
        print(f"{n_pictures:,} test pictures")
        for n_settings in (1, 10, 100):
            measured, true = measured_and_true(n_settings, n_pictures)
            print(f"  best of {n_settings:>3}: measured {measured:.1%}, truly {true:.1%}")
