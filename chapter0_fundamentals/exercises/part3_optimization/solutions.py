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
    ### BEGIN SOLUTION
    xy = xy.detach().clone().requires_grad_()
    optimizer = torch.optim.SGD([xy], lr=lr, momentum=momentum)
    points = [xy.detach().clone()]
    for _ in range(n_iters - 1):
        optimizer.zero_grad()
        fn(xy[0], xy[1]).backward()
        optimizer.step()
        points.append(xy.detach().clone())
    return torch.stack(points)
    ### END SOLUTION


if MAIN:
    start = torch.tensor([1.5, 4.0])
    paths = {
        f"momentum {momentum}": opt_fn_with_sgd(pathological_curve_loss, start, 0.04, momentum)
        for momentum in (0.0, 0.5, 0.9)
    }
    plot_fn_with_points(pathological_curve_loss, paths, (-2, 2), (-4.5, 4.5)).show()


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
        ### BEGIN SOLUTION
        self.params = list(params)
        self.velocities = [torch.zeros_like(p) for p in self.params]
        ### END SOLUTION

    def zero_grad(self) -> None:
        """Forget all gradients."""
        ### BEGIN SOLUTION
        for p in self.params:
            p.grad = None
        ### END SOLUTION

    @torch.inference_mode()
    def step(self) -> None:
        """Move each parameter that has a gradient, in place; the gradient stays as it is."""
        ### BEGIN SOLUTION
        for p, velocity in zip(self.params, self.velocities, strict=True):
            if p.grad is not None:
                grad = p.grad + self.weight_decay * p
                velocity.mul_(self.momentum).add_(grad)
                p -= self.lr * velocity
        ### END SOLUTION

    def __repr__(self) -> str:
        return f"SGD(lr={self.lr}, momentum={self.momentum}, weight_decay={self.weight_decay})"


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
        ### BEGIN SOLUTION
        self.params = list(params)
        self.squares = [torch.zeros_like(p) for p in self.params]
        self.velocities = [torch.zeros_like(p) for p in self.params]
        ### END SOLUTION

    def zero_grad(self) -> None:
        """Forget all gradients."""
        ### BEGIN SOLUTION
        for p in self.params:
            p.grad = None
        ### END SOLUTION

    @torch.inference_mode()
    def step(self) -> None:
        """Move each parameter that has a gradient, in place; the gradient stays as it is."""
        ### BEGIN SOLUTION
        for p, square, velocity in zip(self.params, self.squares, self.velocities, strict=True):
            if p.grad is not None:
                grad = p.grad + self.weight_decay * p
                square.mul_(self.alpha).add_((1 - self.alpha) * grad**2)
                velocity.mul_(self.momentum).add_(grad / (square.sqrt() + self.eps))
                p -= self.lr * velocity
        ### END SOLUTION

    def __repr__(self) -> str:
        return (
            f"RMSprop(lr={self.lr}, alpha={self.alpha}, eps={self.eps}, "
            f"weight_decay={self.weight_decay}, momentum={self.momentum})"
        )


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
        ### BEGIN SOLUTION
        self.params = list(params)
        self.means = [torch.zeros_like(p) for p in self.params]
        self.squares = [torch.zeros_like(p) for p in self.params]
        self.t = 0
        ### END SOLUTION

    def zero_grad(self) -> None:
        """Forget all gradients."""
        ### BEGIN SOLUTION
        for p in self.params:
            p.grad = None
        ### END SOLUTION

    @torch.inference_mode()
    def step(self) -> None:
        """Move each parameter that has a gradient, in place; the gradient stays as it is."""
        ### BEGIN SOLUTION
        beta1, beta2 = self.betas
        self.t += 1
        for p, mean, square in zip(self.params, self.means, self.squares, strict=True):
            if p.grad is not None:
                grad = p.grad + self.weight_decay * p
                mean.mul_(beta1).add_((1 - beta1) * grad)
                square.mul_(beta2).add_((1 - beta2) * grad**2)
                mean_hat = mean / (1 - beta1**self.t)
                square_hat = square / (1 - beta2**self.t)
                p -= self.lr * mean_hat / (square_hat.sqrt() + self.eps)
        ### END SOLUTION

    def __repr__(self) -> str:
        return (
            f"Adam(lr={self.lr}, betas={self.betas}, eps={self.eps}, "
            f"weight_decay={self.weight_decay})"
        )


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
        ### BEGIN SOLUTION
        self.params = list(params)
        self.means = [torch.zeros_like(p) for p in self.params]
        self.squares = [torch.zeros_like(p) for p in self.params]
        self.t = 0
        ### END SOLUTION

    def zero_grad(self) -> None:
        """Forget all gradients."""
        ### BEGIN SOLUTION
        for p in self.params:
            p.grad = None
        ### END SOLUTION

    @torch.inference_mode()
    def step(self) -> None:
        """Shrink, then move each parameter that has a gradient; the gradient stays as it is."""
        ### BEGIN SOLUTION
        beta1, beta2 = self.betas
        self.t += 1
        for p, mean, square in zip(self.params, self.means, self.squares, strict=True):
            if p.grad is not None:
                p *= 1 - self.lr * self.weight_decay
                mean.mul_(beta1).add_((1 - beta1) * p.grad)
                square.mul_(beta2).add_((1 - beta2) * p.grad**2)
                mean_hat = mean / (1 - beta1**self.t)
                square_hat = square / (1 - beta2**self.t)
                p -= self.lr * mean_hat / (square_hat.sqrt() + self.eps)
        ### END SOLUTION

    def __repr__(self) -> str:
        return (
            f"AdamW(lr={self.lr}, betas={self.betas}, eps={self.eps}, "
            f"weight_decay={self.weight_decay})"
        )


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
        ### BEGIN SOLUTION
        super().pre_training_setup()
        wandb.init(
            project=self.args.wandb_project, name=self.args.wandb_name, config=vars(self.args)
        )
        ### END SOLUTION

    def training_step(
        self, imgs: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """Learn from one batch, log its loss, and give it."""
        ### BEGIN SOLUTION
        loss = super().training_step(imgs, labels)
        wandb.log({"loss": loss.item()}, step=self.examples_seen)
        return loss
        ### END SOLUTION

    def evaluate(self) -> float:
        """Give the share of test pictures that are told right, and log it."""
        ### BEGIN SOLUTION
        accuracy = super().evaluate()
        wandb.log({"accuracy": accuracy}, step=self.examples_seen)
        return accuracy
        ### END SOLUTION

    def train(self) -> dict[str, list[float]]:
        """Train, log some pictures with what the model takes them for, and end the run."""
        ### BEGIN SOLUTION
        logged = super().train()
        pictures = [
            wandb.Image(image, caption=caption) for image, caption in self.sample_pictures()
        ]
        wandb.log({"examples": pictures}, step=self.examples_seen)
        wandb.finish()
        return logged
        ### END SOLUTION


if MAIN:
    torch.manual_seed(0)
    for learning_rate in (1e-3, 1e-2):
        name = f"lr {learning_rate}"
        WandbResNetFinetuner(
            WandbResNetFinetuningArgs(epochs=3, learning_rate=learning_rate, wandb_name=name)
        ).train()
    print("JupyterLab's launcher shows the runs: tile Runs")


# %%
sweep_config = {
    ### BEGIN SOLUTION
    "method": "random",
    "metric": {"name": "accuracy", "goal": "maximize"},
    "parameters": {
        "learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-1},
        "batch_size": {"values": [32, 64, 128, 256]},
        "weight_decay": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2},
        "weight_decay_on": {"values": [True, False]},
    },
    ### END SOLUTION
}


# %%
def update_args(
    args: WandbResNetFinetuningArgs, sampled_parameters: Mapping[str, Any]
) -> WandbResNetFinetuningArgs:
    """Put what was drawn from your `sweep_config` into the settings.

    Args:
        args: The settings; those that are not searched over stay.
        sampled_parameters: A value for each name in `sweep_config["parameters"]`.
    """
    ### BEGIN SOLUTION
    is_on = sampled_parameters["weight_decay_on"]
    return replace(
        args,
        learning_rate=sampled_parameters["learning_rate"],
        batch_size=sampled_parameters["batch_size"],
        weight_decay=sampled_parameters["weight_decay"] if is_on else 0.0,
    )
    ### END SOLUTION


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
    wandb_project: str = "day3-resnet-dist-training"
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
        together the ranks test each picture once. Rank 0 begins a run.
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
        if self.rank == 0:
            wandb.init(project=args.wandb_project, name=args.wandb_name, config=vars(args))
        ### END SOLUTION

    def training_step(
        self, imgs: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        """Take one step on this rank's part of the batch, together with all ranks.

        Notes the loss in `logged_variables`, rank 0 also in its run, and adds the pictures of
        all ranks to `examples_seen`.

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
        if self.rank == 0:
            wandb.log({"loss": mean_loss.item()}, step=self.examples_seen)
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
        if self.rank == 0:
            wandb.log({"accuracy": accuracy}, step=self.examples_seen)
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
        if self.rank == 0:
            wandb.finish()
        ### END SOLUTION


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
        ### BEGIN SOLUTION
        groups = list(params)
        if not groups or not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"momentum": 0.0, "weight_decay": 0.0, **kwargs}
        self.param_groups = [
            {**defaults, **group, "params": list(group["params"])} for group in groups
        ]
        if any("lr" not in group for group in self.param_groups):
            raise ValueError("a group of parameters has no lr, and there is none for all groups")
        everything = [id(p) for group in self.param_groups for p in group["params"]]
        if len(set(everything)) < len(everything):
            raise ValueError("a parameter comes more than once")
        self.velocities = [
            [torch.zeros_like(p) for p in group["params"]] for group in self.param_groups
        ]
        ### END SOLUTION

    def zero_grad(self) -> None:
        """Forget all gradients."""
        ### BEGIN SOLUTION
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None
        ### END SOLUTION

    @torch.inference_mode()
    def step(self) -> None:
        """Move each parameter that has a gradient by the settings of its group, in place."""
        ### BEGIN SOLUTION
        for group, velocities in zip(self.param_groups, self.velocities, strict=True):
            for p, velocity in zip(group["params"], velocities, strict=True):
                if p.grad is not None:
                    grad = p.grad + group["weight_decay"] * p
                    velocity.mul_(group["momentum"]).add_(grad)
                    p -= group["lr"] * velocity
        ### END SOLUTION


# %%
class ExponentialLR:
    """Multiply the learning rate by the same factor after every epoch."""

    def __init__(self, optimizer: SGD, gamma: float) -> None:
        """Remember the optimizer, whose `lr` will change, and the factor."""
        self.optimizer, self.gamma = optimizer, gamma

    def step(self) -> None:
        """End an epoch."""
        ### BEGIN SOLUTION
        self.optimizer.lr *= self.gamma
        ### END SOLUTION

    def __repr__(self) -> str:
        return f"ExponentialLR(gamma={self.gamma})"


# %%
class StepLR:
    """Multiply the learning rate by a factor after every so many epochs."""

    def __init__(self, optimizer: SGD, step_size: int, gamma: float = 0.1) -> None:
        """Remember the settings, and that no epoch has ended yet."""
        self.optimizer, self.step_size, self.gamma = optimizer, step_size, gamma
        self.n_epochs = 0

    def step(self) -> None:
        """End an epoch."""
        ### BEGIN SOLUTION
        self.n_epochs += 1
        if self.n_epochs % self.step_size == 0:
            self.optimizer.lr *= self.gamma
        ### END SOLUTION

    def __repr__(self) -> str:
        return f"StepLR(step_size={self.step_size}, gamma={self.gamma})"


# %%
class MultiStepLR:
    """Multiply the learning rate by a factor after given epochs."""

    def __init__(self, optimizer: SGD, milestones: list[int], gamma: float = 0.1) -> None:
        """Remember the settings, and that no epoch has ended yet."""
        self.optimizer, self.milestones, self.gamma = optimizer, milestones, gamma
        self.n_epochs = 0

    def step(self) -> None:
        """End an epoch; where a milestone is listed twice, its factor counts twice."""
        ### BEGIN SOLUTION
        self.n_epochs += 1
        self.optimizer.lr *= self.gamma ** self.milestones.count(self.n_epochs)
        ### END SOLUTION

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
def newton_schulz(
    matrix: Float[Tensor, "rows cols"], n_steps: int = 5
) -> Float[Tensor, "rows cols"]:
    """Bring all singular values of a matrix near 1, and leave its directions as they are.

    Source: Keller Jordan, Muon (2024): X ← aX + b(XXᵀ)X + c(XXᵀ)²X, from X = M / ‖M‖, with
    a, b, c = 3.4445, -4.775, 2.0315.
    """
    a, b, c = 3.4445, -4.775, 2.0315
    ### BEGIN SOLUTION
    x = matrix / (matrix.norm() + 1e-7)
    if matrix.shape[0] > matrix.shape[1]:
        x = x.T
    for _ in range(n_steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x
    ### END SOLUTION


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
        ### BEGIN SOLUTION
        self.params = list(params)
        if any(p.ndim != 2 for p in self.params):
            raise ValueError("Muon is for matrices; give the other parameters to AdamW")
        self.velocities = [torch.zeros_like(p) for p in self.params]
        ### END SOLUTION

    def zero_grad(self) -> None:
        """Forget all gradients."""
        ### BEGIN SOLUTION
        for p in self.params:
            p.grad = None
        ### END SOLUTION

    @torch.inference_mode()
    def step(self) -> None:
        """Shrink each matrix as AdamW does, then move it."""
        ### BEGIN SOLUTION
        for p, velocity in zip(self.params, self.velocities, strict=True):
            if p.grad is not None:
                velocity.mul_(self.momentum).add_(p.grad)
                scale = max(1.0, p.shape[0] / p.shape[1]) ** 0.5
                p *= 1 - self.lr * self.weight_decay
                p -= self.lr * scale * newton_schulz(velocity)
        ### END SOLUTION

    def __repr__(self) -> str:
        return f"Muon(lr={self.lr}, momentum={self.momentum}, weight_decay={self.weight_decay})"


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
    ### BEGIN SOLUTION
    x, y = sizes.log(), losses.log()
    b = -((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return (y.mean() + b * x.mean()).exp().item(), b.item()
    ### END SOLUTION


if MAIN:
    points = [best_test_loss(width, n_epochs=10) for width in (2, 3, 4, 5, 6, 8, 12, 16, 32, 64)]
    sizes, losses = torch.tensor(points, dtype=torch.float64).T
    a, b = fit_power_law(sizes[:6], losses[:6])
    print(f"From 2 to 8 hidden units: loss ≈ {a:.1f} · parameters^(-{b:.2f})")
    plot_power_law(sizes, losses, a, b).show()


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
