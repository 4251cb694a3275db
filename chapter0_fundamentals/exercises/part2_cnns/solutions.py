"""0.2 CNNs & ResNets: layers from tensors, networks from layers, and training them."""

# %%
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from tqdm import tqdm

import part2_cnns.tests as tests  # noqa: F401
from part2_cnns.utils import (
    Batches,
    LivePlot,
    Pictures,
    compare_loading,
    load_cifar,
    load_mnist,
    pick_device,
    pretrained_classes,
    pretrained_pictures,
    pretrained_resnet34,
    print_param_count,
    show_pictures,
    suggested_sizes,
)

IntOrPair = int | tuple[int, int]
Pair = tuple[int, int]

MAIN = __name__ == "__main__"


# %%
class ReLU(nn.Module):
    """Replace negative numbers by zero, and leave the others."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Compute max(x, 0) of each element."""
        ### BEGIN SOLUTION
        return torch.maximum(x, torch.zeros_like(x))
        ### END SOLUTION


# %%
class Linear(nn.Module):
    """An affine map of the last axis: y = x Wᵀ + b."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        """Make `weight` (out_features, in_features) and `bias` (out_features,), or bias = None.

        Both are parameters, and start uniform between ±1 / √in_features.
        """
        super().__init__()
        ### BEGIN SOLUTION
        self.in_features, self.out_features = in_features, out_features
        bound = in_features**-0.5
        self.weight = nn.Parameter(torch.empty(out_features, in_features).uniform_(-bound, bound))
        self.bias = (
            nn.Parameter(torch.empty(out_features).uniform_(-bound, bound)) if bias else None
        )
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        """Apply the map to the last axis; any axes may stand before it."""
        ### BEGIN SOLUTION
        out = x @ self.weight.T
        return out if self.bias is None else out + self.bias
        ### END SOLUTION

    def extra_repr(self) -> str:
        """Say what stands between the parentheses when the layer is printed."""
        ### BEGIN SOLUTION
        use_bias = self.bias is not None
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={use_bias}"
        ### END SOLUTION


# %%
class Flatten(nn.Module):
    """Join the axes from `start_dim` to `end_dim`, both included, into one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """Give the same numbers in fewer axes; a negative axis counts from the end."""
        ### BEGIN SOLUTION
        start, end = self.start_dim % input.ndim, self.end_dim % input.ndim
        before, joined, after = (
            input.shape[:start],
            input.shape[start : end + 1],
            input.shape[end + 1 :],
        )
        return input.reshape(*before, math.prod(joined), *after)
        ### END SOLUTION

    def extra_repr(self) -> str:
        """Say which axes are joined."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


# %%
class SimpleMLP(nn.Module):
    """784 pixels to 100 hidden numbers to 10 logits, with one ReLU between."""

    def __init__(self) -> None:
        """Make the layers; 79,510 parameters in all."""
        super().__init__()
        ### BEGIN SOLUTION
        self.flatten = Flatten()
        self.linear1 = Linear(28 * 28, 100)
        self.relu = ReLU()
        self.linear2 = Linear(100, 10)
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch 10"]:
        """Give ten logits for each picture of (28, 28) or (1, 28, 28)."""
        ### BEGIN SOLUTION
        return self.linear2(self.relu(self.linear1(self.flatten(x))))
        ### END SOLUTION


# %%
if MAIN:
    model = SimpleMLP()
    print(model)
    print_param_count(model)


# %%
def get_mnist(trainset_size: int = 10_000, testset_size: int = 1_000) -> tuple[Pictures, Pictures]:
    """Give the first so many digits of MNIST to train on and to test with, as tensors.

    Where the full set cannot be fetched, 4,000 and 1,000 real digits that come with the lab stand
    in, and a line says so.
    """
    return load_mnist(trainset_size, testset_size)


if MAIN:
    mnist_trainset, mnist_testset = get_mnist()
    show_pictures(mnist_trainset, n=20).show()
    compare_loading(mnist_trainset)


# %%
def evaluate(model: nn.Module, loader: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Give the share of pictures, from 0 to 1, whose largest logit is that of the true label.

    The model is put into evaluation mode, and nothing is recorded for gradients.
    """
    ### BEGIN SOLUTION
    model.eval()
    n_right = n_seen = 0
    with torch.inference_mode():
        for images, labels in loader:
            n_right += (model(images).argmax(dim=-1) == labels).sum().item()
            n_seen += len(labels)
    return n_right / n_seen
    ### END SOLUTION


# %%
@dataclass
class SimpleMLPTrainingArgs:
    """Settings of `train`."""

    batch_size: int = 64
    epochs: int = 3
    learning_rate: float = 1e-3
    trainset_size: int = 10_000
    testset_size: int = 1_000


def train(args: SimpleMLPTrainingArgs) -> tuple[list[float], list[float], SimpleMLP]:
    """Train a SimpleMLP on digits with Adam, and test it after every epoch.

    Returns:
        The loss of every batch, the test accuracy after every epoch, and the trained model.
    """
    device = pick_device()
    model = SimpleMLP().to(device)
    trainset, testset = get_mnist(args.trainset_size, args.testset_size)
    train_loader = Batches(trainset.to(device), args.batch_size, shuffle=True)
    test_loader = Batches(testset.to(device), batch_size=1_000)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate)
    losses: list[float] = []
    accuracies: list[float] = []
    plot = LivePlot()

    for epoch in range(args.epochs):
        progress = tqdm(train_loader, desc=f"epoch {epoch + 1}")
        ### BEGIN SOLUTION
        model.train()
        for images, labels in progress:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            progress.set_postfix(loss=f"{losses[-1]:.3f}")
        accuracies.append(evaluate(model, test_loader))
        ### END SOLUTION
        plot.update(losses, accuracies)
    return losses, accuracies, model


if MAIN:
    torch.manual_seed(0)
    losses, accuracies, mlp = train(SimpleMLPTrainingArgs(epochs=15))
    print(f"Right on {accuracies[-1]:.1%} of the test digits")


# %%
class Conv2d(nn.Module):
    """Slide kernels over a picture; no bias."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        """Make `weight` (out_channels, in_channels, kernel_size, kernel_size).

        It starts uniform between ±1 / √n, where n is how many numbers one output is made from.
        """
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        ### BEGIN SOLUTION
        bound = (in_channels * kernel_size**2) ** -0.5
        weight = torch.empty(out_channels, in_channels, kernel_size, kernel_size)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound))
        ### END SOLUTION

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels out_height out_width"]:
        """Convolve, by torch.nn.functional.conv2d."""
        ### BEGIN SOLUTION
        return F.conv2d(x, self.weight, stride=self.stride, padding=self.padding)
        ### END SOLUTION

    def extra_repr(self) -> str:
        """Say the channels, the kernel's size, and how it moves."""
        ### BEGIN SOLUTION
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding}"
        )
        ### END SOLUTION


# %%
class MaxPool2d(nn.Module):
    """Give the largest number of each window of each channel."""

    def __init__(self, kernel_size: int, stride: int | None = None, padding: int = 0) -> None:
        """Remember the settings; `stride` None means that windows lie side by side."""
        super().__init__()
        self.kernel_size, self.padding = kernel_size, padding
        ### BEGIN SOLUTION
        self.stride = kernel_size if stride is None else stride
        ### END SOLUTION

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels out_height out_width"]:
        """Pool, by torch.nn.functional.max_pool2d."""
        ### BEGIN SOLUTION
        return F.max_pool2d(x, self.kernel_size, stride=self.stride, padding=self.padding)
        ### END SOLUTION

    def extra_repr(self) -> str:
        """Say the window's size, and how it moves."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


# %%
class Sequential(nn.Module):
    """Modules that run one after the other; with none of them, the input comes out as it is."""

    _modules: dict[str, nn.Module]

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        for index, module in enumerate(modules):
            self._modules[str(index)] = module

    def __getitem__(self, index: int) -> nn.Module:
        return self._modules[self._key(index)]

    def __setitem__(self, index: int, module: nn.Module) -> None:
        self._modules[self._key(index)] = module

    def __len__(self) -> int:
        return len(self._modules)

    def _key(self, index: int) -> str:
        """Give the key of a position; a negative one counts from the end."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no module {index} among {len(self)}")
        return str(index % len(self))

    def forward(self, x: Tensor) -> Tensor:
        """Hand the output of each module to the next."""
        for module in self._modules.values():
            x = module(x)
        return x


# %%
class BatchNorm2d(nn.Module):
    """Bring each channel to mean 0 and variance 1, then scale and shift it.

    In training mode by the mean and variance of the batch; in evaluation mode by running ones,
    which training has followed.
    """

    running_mean: Float[Tensor, " channels"]
    running_var: Float[Tensor, " channels"]
    num_batches_tracked: Int[Tensor, ""]

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        """Make two parameters and three buffers.

        Parameters: `weight` of ones, `bias` of zeros. Buffers, in this order: `running_mean` of
        zeros, `running_var` of ones, `num_batches_tracked` the integer 0.

        Args:
            num_features: Number of channels.
            eps: Added to the variance under the root.
            momentum: The share of the new batch in the running statistics.
        """
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        ### BEGIN SOLUTION
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))
        ### END SOLUTION

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Normalise; in training mode also move the running statistics.

        The batch is normalised by the variance with n in the denominator; the running variance
        follows the one with n - 1, where n is the count of numbers in a channel.
        """
        ### BEGIN SOLUTION
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), unbiased=False)
            self._follow(mean.detach(), x.detach().var(dim=(0, 2, 3), unbiased=True))
        scale = self.weight / (var + self.eps).sqrt()
        return (x - mean[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]

    def _follow(self, mean: Tensor, var: Tensor) -> None:
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(var, self.momentum)
        self.num_batches_tracked += 1
        ### END SOLUTION

    def extra_repr(self) -> str:
        """Say the number of channels, eps and momentum."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


# %%
class AveragePool(nn.Module):
    """Replace each channel by its mean."""

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Average over height and width."""
        ### BEGIN SOLUTION
        return x.mean(dim=(2, 3))
        ### END SOLUTION


# %%
class ResidualBlock(nn.Module):
    """Two convolutions, and a way past them: relu(left(x) + right(x)).

    left: 3×3 convolution (stride `first_stride`), batch norm, ReLU, 3×3 convolution, batch norm.
    right: nothing where the shape stays as it is; otherwise 1×1 convolution (stride
    `first_stride`) and batch norm.
    """

    def __init__(self, in_feats: int, out_feats: int, first_stride: int = 1) -> None:
        """Make `left`, then `right`.

        Args:
            in_feats: Channels of the input.
            out_feats: Channels of the output.
            first_stride: Of the first convolution; 2 halves height and width.
        """
        super().__init__()
        ### BEGIN SOLUTION
        self.left = Sequential(
            Conv2d(in_feats, out_feats, 3, stride=first_stride, padding=1),
            BatchNorm2d(out_feats),
            ReLU(),
            Conv2d(out_feats, out_feats, 3, padding=1),
            BatchNorm2d(out_feats),
        )
        self.right = Sequential()
        if first_stride != 1 or in_feats != out_feats:
            self.right = Sequential(
                Conv2d(in_feats, out_feats, 1, stride=first_stride), BatchNorm2d(out_feats)
            )
        self.relu = ReLU()
        ### END SOLUTION

    def forward(
        self, x: Float[Tensor, "batch in_feats height width"]
    ) -> Float[Tensor, "batch out_feats out_height out_width"]:
        """Add the two branches, then apply ReLU to the sum."""
        ### BEGIN SOLUTION
        return self.relu(self.left(x) + self.right(x))
        ### END SOLUTION


# %%
class BlockGroup(nn.Module):
    """Residual blocks in a row; only the first may change the shape."""

    def __init__(self, n_blocks: int, in_feats: int, out_feats: int, first_stride: int = 1) -> None:
        """Make the blocks: the first from `in_feats` with `first_stride`, the others as it goes."""
        super().__init__()
        ### BEGIN SOLUTION
        first = ResidualBlock(in_feats, out_feats, first_stride)
        others = [ResidualBlock(out_feats, out_feats) for _ in range(n_blocks - 1)]
        self.blocks = Sequential(first, *others)
        ### END SOLUTION

    def forward(
        self, x: Float[Tensor, "batch in_feats height width"]
    ) -> Float[Tensor, "batch out_feats out_height out_width"]:
        """Run the blocks one after the other."""
        ### BEGIN SOLUTION
        return self.blocks(x)
        ### END SOLUTION


# %%
class ResNet34(nn.Module):
    """The network of He et al. with 34 layers of weights, for pictures of three channels."""

    def __init__(
        self,
        n_blocks_per_group: Sequence[int] = (3, 4, 6, 3),
        out_features_per_group: Sequence[int] = (64, 128, 256, 512),
        first_strides_per_group: Sequence[int] = (1, 2, 2, 2),
        n_classes: int = 1000,
    ) -> None:
        """Make `in_layers`, `residual_layers` and `out_layers`, in this order.

        Args:
            n_blocks_per_group: Residual blocks of each group.
            out_features_per_group: Channels that come out of each group; 64 go into the first.
            first_strides_per_group: Stride of the first block of each group.
            n_classes: Length of the output.
        """
        super().__init__()
        self.out_features_per_group = list(out_features_per_group)
        ### BEGIN SOLUTION
        self.in_layers = Sequential(
            Conv2d(3, 64, 7, stride=2, padding=3),
            BatchNorm2d(64),
            ReLU(),
            MaxPool2d(3, stride=2, padding=1),
        )
        in_features_per_group = [64, *out_features_per_group[:-1]]
        self.residual_layers = Sequential(
            *(
                BlockGroup(*settings)
                for settings in zip(
                    n_blocks_per_group,
                    in_features_per_group,
                    out_features_per_group,
                    first_strides_per_group,
                    strict=True,
                )
            )
        )
        self.out_layers = Sequential(AveragePool(), Linear(out_features_per_group[-1], n_classes))
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """Give the logits of each picture."""
        ### BEGIN SOLUTION
        return self.out_layers(self.residual_layers(self.in_layers(x)))
        ### END SOLUTION


if MAIN:
    my_resnet = ResNet34()
    print_param_count(my_resnet, pretrained_resnet34())


# %%
def copy_weights(my_resnet: ResNet34, pretrained_resnet: nn.Module) -> ResNet34:
    """Copy parameters and buffers of one network into another, matched by their order.

    Raises:
        ValueError: The networks do not hold the same shapes in the same order.
    """
    mine, theirs = my_resnet.state_dict(), pretrained_resnet.state_dict()
    for (my_name, my_value), (name, value) in zip(mine.items(), theirs.items(), strict=False):
        if my_value.shape != value.shape:
            raise ValueError(
                f"your {my_name} has shape {tuple(my_value.shape)}, but in its place stands "
                f"{name} of shape {tuple(value.shape)}: the order of your layers differs"
            )
    if len(mine) != len(theirs):
        raise ValueError(f"your network holds {len(mine)} tensors, the other one {len(theirs)}")
    my_resnet.load_state_dict(dict(zip(mine, theirs.values(), strict=True)))
    return my_resnet


# %%
def predict(
    model: nn.Module, images: Float[Tensor, "batch 3 height width"]
) -> tuple[Float[Tensor, " batch"], Int[Tensor, " batch"]]:
    """Give the most probable class of each picture.

    Returns:
        The probability of that class, and its number.
    """
    ### BEGIN SOLUTION
    model.eval()
    with torch.inference_mode():
        probs = model(images).softmax(dim=-1)
    top_probs, classes = probs.max(dim=-1)
    return top_probs, classes
    ### END SOLUTION


if MAIN:
    theirs = pretrained_resnet34()
    mine = copy_weights(ResNet34(), theirs)
    pictures = pretrained_pictures()
    my_probs, my_classes = predict(mine, pictures.images)
    their_probs, their_classes = predict(theirs, pictures.images)
    torch.testing.assert_close(my_probs, their_probs, atol=1e-5, rtol=0)
    torch.testing.assert_close(my_classes, their_classes)
    print("Your network and torchvision's agree on every picture")
    names = pretrained_classes()
    labels = [f"{names[c]} {p:.0%}" for p, c in zip(my_probs, my_classes, strict=True)]
    show_pictures(pictures, titles=labels).show()


# %%
class NanModule(nn.Module):
    """A broken layer: one number of its output is not a number."""

    def forward(self, x: Tensor) -> Tensor:
        """Copy the input and spoil its first element."""
        out = x.clone()
        out.view(-1)[0] = float("nan")
        return out


def hook_check_for_nan_output(module: nn.Module, args: tuple, output: Tensor) -> None:
    """Raise an error at the first module whose output holds NaN; PyTorch calls it after each."""
    if output.isnan().any():
        raise ValueError(f"NaN in the output of {module}")


def add_hook(module: nn.Module) -> None:
    """Watch one module; `model.apply(add_hook)` watches every one inside a model."""
    module.register_forward_hook(hook_check_for_nan_output)


def remove_hooks(module: nn.Module) -> None:
    """Take all forward hooks off a module."""
    module._forward_hooks.clear()


if MAIN:
    broken = nn.Sequential(nn.Conv2d(3, 4, 3), NanModule(), nn.ReLU(), nn.Flatten())
    broken.apply(add_hook)
    try:
        broken(torch.ones(1, 3, 8, 8))
    except ValueError as error:
        print(error)
    broken.apply(remove_hooks)


# %%
def find_first_nan(model: nn.Module, *inputs: Tensor) -> str | None:
    """Run a model, and give the name of the first module inside it that makes a NaN.

    That is the module whose output holds NaN although no tensor that it was called with does; of
    a module and the one inside it that is to blame, the inner. Whatever happens, no hook of ours
    stays on the model.

    Returns:
        The name as `model.named_modules()` gives it ("" for the model itself), or None.
    """
    ### BEGIN SOLUTION
    found: list[str] = []

    def watch(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def hook(module: nn.Module, args: tuple, output: Tensor) -> None:
            if output.isnan().any() and not any(arg.isnan().any() for arg in args):
                found.append(name)

        return module.register_forward_hook(hook)

    handles = [watch(name, module) for name, module in model.named_modules()]
    try:
        with torch.inference_mode():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    # An inner module returns, and so reports, before the one that it stands in.
    return found[0] if found else None
    ### END SOLUTION


# %%
def get_resnet_for_feature_extraction(n_classes: int) -> ResNet34:
    """Give a ResNet34 with pretrained weights, all frozen but a new last layer.

    Args:
        n_classes: Outputs of the new layer.
    """
    ### BEGIN SOLUTION
    resnet = copy_weights(ResNet34(), pretrained_resnet34())
    resnet.requires_grad_(False)
    resnet.out_layers[-1] = Linear(resnet.out_features_per_group[-1], n_classes)
    return resnet
    ### END SOLUTION


# %%
def get_cifar() -> tuple[Pictures, Pictures]:
    """Give CIFAR-10, 50,000 small colour pictures to train on and 10,000 to test with.

    Where it cannot be fetched, crops of photographs that come with the lab stand in, and a line
    says so.
    """
    return load_cifar()


@dataclass
class ResNetTrainingArgs:
    """Settings of `train_resnet`."""

    batch_size: int = 64
    epochs: int = 5
    learning_rate: float = 1e-3
    n_classes: int = 10


def get_cifar_subset(
    trainset_size: int = 10_000, testset_size: int = 1_000
) -> tuple[Pictures, Pictures]:
    """Give the first so many pictures of `get_cifar`; fewer where there is no GPU, and say so."""
    trainset, testset = get_cifar()
    trainset_size, testset_size = suggested_sizes(trainset_size, testset_size)
    return trainset[:trainset_size], testset[:testset_size]


def train_resnet(args: ResNetTrainingArgs) -> tuple[list[float], list[float], ResNet34]:
    """Train the last layer of a pretrained ResNet34 on small colour pictures with Adam.

    Returns:
        The loss of every batch, the test accuracy after every epoch, and the trained model.
    """
    device = pick_device()
    model = get_resnet_for_feature_extraction(args.n_classes).to(device)
    trainset, testset = get_cifar_subset()
    train_loader = Batches(trainset.to(device), args.batch_size, shuffle=True)
    test_loader = Batches(testset.to(device), args.batch_size)
    losses: list[float] = []
    accuracies: list[float] = []
    plot = LivePlot()
    ### BEGIN SOLUTION
    optimizer = torch.optim.Adam(model.out_layers[-1].parameters(), lr=args.learning_rate)
    for epoch in range(args.epochs):
        model.eval()  # the running statistics are as pretrained as the weights
        progress = tqdm(train_loader, desc=f"epoch {epoch + 1}")
        for images, labels in progress:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            progress.set_postfix(loss=f"{losses[-1]:.3f}")
            plot.update(losses, accuracies)
        accuracies.append(evaluate(model, test_loader))
        plot.update(losses, accuracies)
    ### END SOLUTION
    return losses, accuracies, model


if MAIN:
    torch.manual_seed(0)
    losses, accuracies, tuned = train_resnet(ResNetTrainingArgs())
    print(f"Right on {accuracies[-1]:.1%} of the test pictures")
    pictures = get_cifar_subset()[1][:20]
    names = pictures.names
    _, classes = predict(tuned.cpu(), pictures.images)
    show_pictures(pictures, titles=[names[c] for c in classes]).show()


# %%
if MAIN:
    test_input = torch.arange(20.0).reshape(4, 5)
    print(test_input, test_input.stride())


def as_strided_arguments() -> list[tuple[tuple[int, ...], tuple[int, ...]] | None]:
    """Give size and stride for nine views of `test_input`, in the order of the page.

    `test_input.as_strided(size, stride)` shall give the view; put None for one that you have
    not found yet.
    """
    ### BEGIN SOLUTION
    return [
        ((5,), (1,)),  # the first row
        ((4,), (5,)),  # the first column
        ((4,), (6,)),  # a diagonal
        ((2, 3), (5, 1)),  # a corner
        ((2, 3), (10, 2)),  # every second row, every second column
        ((5, 4), (1, 5)),  # the transpose
        ((3, 4), (0, 1)),  # the same row three times
        ((3, 3), (1, 1)),  # the windows of a row
        ((3, 4, 2, 2), (5, 1, 5, 1)),  # the windows of the whole picture
    ]
    ### END SOLUTION


# %%
def as_strided_trace(mat: Shaped[Tensor, "n n"]) -> Shaped[Tensor, ""]:
    """Add up the diagonal of a square matrix, with `as_strided` and `sum`."""
    ### BEGIN SOLUTION
    row_step, col_step = mat.stride()
    return mat.as_strided((len(mat),), (row_step + col_step,)).sum()
    ### END SOLUTION


# %%
def as_strided_mv(mat: Shaped[Tensor, "i j"], vec: Shaped[Tensor, " j"]) -> Shaped[Tensor, " i"]:
    """Multiply a matrix with a vector, with `as_strided`, `*` and `sum`."""
    ### BEGIN SOLUTION
    copies = vec.as_strided(mat.shape, (0, vec.stride(0)))  # i j
    return (mat * copies).sum(dim=1)
    ### END SOLUTION


# %%
def as_strided_mm(
    matA: Shaped[Tensor, "i j"], matB: Shaped[Tensor, "j k"]
) -> Shaped[Tensor, "i k"]:
    """Multiply two matrices, with `as_strided`, `*` and `sum`."""
    ### BEGIN SOLUTION
    size = (matA.shape[0], matA.shape[1], matB.shape[1])
    a = matA.as_strided(size, (matA.stride(0), matA.stride(1), 0))  # i j k
    b = matB.as_strided(size, (0, matB.stride(0), matB.stride(1)))  # i j k
    return (a * b).sum(dim=1)
    ### END SOLUTION


# %%
def conv1d_minimal_simple(
    x: Float[Tensor, " width"], weights: Float[Tensor, " kernel_width"]
) -> Float[Tensor, " out_width"]:
    """Slide one kernel along one row, and give the dot products."""
    ### BEGIN SOLUTION
    (step,), kernel_width = x.stride(), len(weights)
    windows = x.as_strided((len(x) - kernel_width + 1, kernel_width), (step, step))
    return windows @ weights
    ### END SOLUTION


# %%
def conv1d_minimal(
    x: Float[Tensor, "batch in_channels width"],
    weights: Float[Tensor, "out_channels in_channels kernel_width"],
) -> Float[Tensor, "batch out_channels out_width"]:
    """Convolve rows of several channels: no padding, stride 1."""
    ### BEGIN SOLUTION
    (batch, in_channels, width), kernel_width = x.shape, weights.shape[2]
    batch_step, channel_step, step = x.stride()
    windows = x.as_strided(
        (batch, in_channels, width - kernel_width + 1, kernel_width),
        (batch_step, channel_step, step, step),
    )
    return einsum(windows, weights, "b ic ow kw, oc ic kw -> b oc ow")
    ### END SOLUTION


# %%
def conv2d_minimal(
    x: Float[Tensor, "batch in_channels height width"],
    weights: Float[Tensor, "out_channels in_channels kernel_height kernel_width"],
) -> Float[Tensor, "batch out_channels out_height out_width"]:
    """Convolve pictures of several channels: no padding, stride 1."""
    ### BEGIN SOLUTION
    (batch, in_channels, height, width), (kernel_height, kernel_width) = x.shape, weights.shape[2:]
    batch_step, channel_step, row_step, col_step = x.stride()
    windows = x.as_strided(
        (
            batch,
            in_channels,
            height - kernel_height + 1,
            width - kernel_width + 1,
            kernel_height,
            kernel_width,
        ),
        (batch_step, channel_step, row_step, col_step, row_step, col_step),
    )
    return einsum(windows, weights, "b ic oh ow kh kw, oc ic kh kw -> b oc oh ow")
    ### END SOLUTION


# %%
def pad1d(
    x: Shaped[Tensor, "batch channels width"], left: int, right: int, pad_value: float | int
) -> Shaped[Tensor, "batch channels padded_width"]:
    """Put `left` and `right` numbers `pad_value` at the two ends of each row, in a new tensor."""
    ### BEGIN SOLUTION
    batch, channels, width = x.shape
    out = x.new_full((batch, channels, left + width + right), pad_value)
    out[..., left : left + width] = x
    return out
    ### END SOLUTION


def pad2d(
    x: Shaped[Tensor, "batch channels height width"],
    left: int,
    right: int,
    top: int,
    bottom: int,
    pad_value: float | int,
) -> Shaped[Tensor, "batch channels padded_height padded_width"]:
    """Put a frame of `pad_value` around each picture, in a new tensor."""
    ### BEGIN SOLUTION
    batch, channels, height, width = x.shape
    out = x.new_full((batch, channels, top + height + bottom, left + width + right), pad_value)
    out[..., top : top + height, left : left + width] = x
    return out
    ### END SOLUTION


# %%
def conv1d(
    x: Float[Tensor, "batch in_channels width"],
    weights: Float[Tensor, "out_channels in_channels kernel_width"],
    stride: int = 1,
    padding: int = 0,
) -> Float[Tensor, "batch out_channels out_width"]:
    """Convolve rows of several channels, padded with zeros at both ends."""
    ### BEGIN SOLUTION
    x = pad1d(x, padding, padding, 0.0)
    (batch, in_channels, width), kernel_width = x.shape, weights.shape[2]
    batch_step, channel_step, step = x.stride()
    windows = x.as_strided(
        (batch, in_channels, (width - kernel_width) // stride + 1, kernel_width),
        (batch_step, channel_step, stride * step, step),
    )
    return einsum(windows, weights, "b ic ow kw, oc ic kw -> b oc ow")
    ### END SOLUTION


# %%
def force_pair(v: IntOrPair) -> Pair:
    """Give (height, width) for a number or a pair of numbers."""
    if isinstance(v, tuple):
        if len(v) != 2:
            raise ValueError(f"one number or two, for height and width; not {v}")
        return int(v[0]), int(v[1])
    return int(v), int(v)


def conv2d(
    x: Float[Tensor, "batch in_channels height width"],
    weights: Float[Tensor, "out_channels in_channels kernel_height kernel_width"],
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
) -> Float[Tensor, "batch out_channels out_height out_width"]:
    """Convolve pictures of several channels, padded with zeros on all sides."""
    ### BEGIN SOLUTION
    (stride_h, stride_w), (pad_h, pad_w) = force_pair(stride), force_pair(padding)
    x = pad2d(x, pad_w, pad_w, pad_h, pad_h, 0.0)
    (batch, in_channels, height, width), (kernel_height, kernel_width) = x.shape, weights.shape[2:]
    batch_step, channel_step, row_step, col_step = x.stride()
    out_height = (height - kernel_height) // stride_h + 1
    out_width = (width - kernel_width) // stride_w + 1
    windows = x.as_strided(
        (batch, in_channels, out_height, out_width, kernel_height, kernel_width),
        (batch_step, channel_step, stride_h * row_step, stride_w * col_step, row_step, col_step),
    )
    return einsum(windows, weights, "b ic oh ow kh kw, oc ic kh kw -> b oc oh ow")
    ### END SOLUTION


# %%
def maxpool2d(
    x: Float[Tensor, "batch channels height width"],
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
) -> Float[Tensor, "batch channels out_height out_width"]:
    """Give the largest number of each window; what is padded never wins."""
    ### BEGIN SOLUTION
    kernel_height, kernel_width = force_pair(kernel_size)
    stride_h, stride_w = force_pair(kernel_size if stride is None else stride)
    pad_h, pad_w = force_pair(padding)
    x = pad2d(x, pad_w, pad_w, pad_h, pad_h, -math.inf)
    batch, channels, height, width = x.shape
    batch_step, channel_step, row_step, col_step = x.stride()
    out_height = (height - kernel_height) // stride_h + 1
    out_width = (width - kernel_width) // stride_w + 1
    windows = x.as_strided(
        (batch, channels, out_height, out_width, kernel_height, kernel_width),
        (batch_step, channel_step, stride_h * row_step, stride_w * col_step, row_step, col_step),
    )
    return windows.amax(dim=(-2, -1))
    ### END SOLUTION


my_maxpool2d = maxpool2d  # what the tests call it, beside torch's


if MAIN:
    x, kernels = torch.randn(8, 3, 32, 32), torch.randn(16, 3, 3, 3)
    mine, torchs = conv2d(x, kernels, 2, 1), F.conv2d(x, kernels, stride=2, padding=1)
    torch.testing.assert_close(mine, torchs, atol=1e-4, rtol=1e-4)
    print(f"Your conv2d and torch's agree on {mine.numel():,} numbers")
