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

# %% [markdown]
# ### ReLU
#
# 0.2 · Modules · difficulty 2/5, importance 3/5, about 10 minutes

# %%
class ReLU(nn.Module):
    """Replace negative numbers by zero, and leave the others."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Compute max(x, 0) of each element."""
        raise NotImplementedError()

# %%
if MAIN:
    tests.test_relu(ReLU)
    tests.test_relu_takes_any_tensor(ReLU)
    tests.test_relu_gradient(ReLU)

# %% [markdown]
# ### Linear
#
# 0.2 · Modules · difficulty 2/5, importance 4/5, about 15 minutes

# %%
class Linear(nn.Module):
    """An affine map of the last axis: y = x Wᵀ + b."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        """Make `weight` (out_features, in_features) and `bias` (out_features,), or bias = None.

        Both are parameters, and start uniform between ±1 / √in_features.
        """
        super().__init__()
        raise NotImplementedError()

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        """Apply the map to the last axis; any axes may stand before it."""
        raise NotImplementedError()

    def extra_repr(self) -> str:
        """Say what stands between the parentheses when the layer is printed."""
        raise NotImplementedError()

# %%
if MAIN:
    tests.test_linear_parameters(Linear)
    tests.test_linear_parameters_with_bias(Linear)
    tests.test_linear_forward(Linear)
    tests.test_linear_forward_with_bias(Linear)
    tests.test_linear_no_bias(Linear)
    tests.test_linear_gradients_and_repr(Linear)

# %% [markdown]
# ### Flatten
#
# 0.2 · Modules · difficulty 2/5, importance 2/5, about 10 minutes

# %%
class Flatten(nn.Module):
    """Join the axes from `start_dim` to `end_dim`, both included, into one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """Give the same numbers in fewer axes; a negative axis counts from the end."""
        raise NotImplementedError()

    def extra_repr(self) -> str:
        """Say which axes are joined."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"

# %%
if MAIN:
    tests.test_flatten(Flatten)
    tests.test_flatten_takes_any_tensor(Flatten)

# %% [markdown]
# ### SimpleMLP
#
# 0.2 · Modules · difficulty 3/5, importance 4/5, about 15 minutes

# %%
class SimpleMLP(nn.Module):
    """784 pixels to 100 hidden numbers to 10 logits, with one ReLU between."""

    def __init__(self) -> None:
        """Make the layers; 79,510 parameters in all."""
        super().__init__()
        raise NotImplementedError()

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch 10"]:
        """Give ten logits for each picture of (28, 28) or (1, 28, 28)."""
        raise NotImplementedError()

# %%
if MAIN:
    tests.test_mlp_module(SimpleMLP)
    tests.test_mlp_forward(SimpleMLP)
    tests.test_mlp_gradients(SimpleMLP)

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

# %% [markdown]
# ### evaluate
#
# 0.2 · Training · difficulty 2/5, importance 4/5, about 15 minutes

# %%
def evaluate(model: nn.Module, loader: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Give the share of pictures, from 0 to 1, whose largest logit is that of the true label.

    The model is put into evaluation mode, and nothing is recorded for gradients.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_evaluate(evaluate)
    tests.test_evaluate_switches_modes(evaluate)

# %% [markdown]
# ### train
#
# 0.2 · Training · difficulty 3/5, importance 5/5, about 25 minutes

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
        raise NotImplementedError()
        plot.update(losses, accuracies)
    return losses, accuracies, model


if MAIN:
    torch.manual_seed(0)
    losses, accuracies, mlp = train(SimpleMLPTrainingArgs(epochs=15))
    print(f"Right on {accuracies[-1]:.1%} of the test digits")

# %%
if MAIN:
    tests.test_train(train, SimpleMLPTrainingArgs)

# %% [markdown]
# ### Conv2d
#
# 0.2 · Convolutions · difficulty 2/5, importance 4/5, about 20 minutes

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
        raise NotImplementedError()

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels out_height out_width"]:
        """Convolve, by torch.nn.functional.conv2d."""
        raise NotImplementedError()

    def extra_repr(self) -> str:
        """Say the channels, the kernel's size, and how it moves."""
        raise NotImplementedError()

# %%
if MAIN:
    tests.test_conv2d_parameters(Conv2d)
    tests.test_conv2d_module(Conv2d)
    tests.test_conv2d_gradients_and_repr(Conv2d)

# %% [markdown]
# ### MaxPool2d
#
# 0.2 · Convolutions · difficulty 2/5, importance 2/5, about 10 minutes

# %%
class MaxPool2d(nn.Module):
    """Give the largest number of each window of each channel."""

    def __init__(self, kernel_size: int, stride: int | None = None, padding: int = 0) -> None:
        """Remember the settings; `stride` None means that windows lie side by side."""
        super().__init__()
        self.kernel_size, self.padding = kernel_size, padding
        raise NotImplementedError()

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels out_height out_width"]:
        """Pool, by torch.nn.functional.max_pool2d."""
        raise NotImplementedError()

    def extra_repr(self) -> str:
        """Say the window's size, and how it moves."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"

# %%
if MAIN:
    tests.test_maxpool2d_module(MaxPool2d)

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

# %% [markdown]
# ### BatchNorm2d
#
# 0.2 · ResNets · difficulty 3/5, importance 4/5, about 35 minutes

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
        raise NotImplementedError()

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Normalise; in training mode also move the running statistics.

        The batch is normalised by the variance with n in the denominator; the running variance
        follows the one with n - 1, where n is the count of numbers in a channel.
        """
        raise NotImplementedError()

    def extra_repr(self) -> str:
        """Say the number of channels, eps and momentum."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"

# %%
if MAIN:
    tests.test_batchnorm2d_module(BatchNorm2d)
    tests.test_batchnorm2d_forward(BatchNorm2d)
    tests.test_batchnorm2d_running_mean(BatchNorm2d)
    tests.test_batchnorm2d_running_statistics_settle(BatchNorm2d)
    tests.test_batchnorm2d_evaluation(BatchNorm2d)
    tests.test_batchnorm2d_gradient(BatchNorm2d)

# %% [markdown]
# ### AveragePool
#
# 0.2 · ResNets · difficulty 1/5, importance 3/5, about 5 minutes

# %%
class AveragePool(nn.Module):
    """Replace each channel by its mean."""

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Average over height and width."""
        raise NotImplementedError()

# %%
if MAIN:
    tests.test_averagepool(AveragePool)

# %% [markdown]
# ### ResidualBlock
#
# 0.2 · ResNets · difficulty 4/5, importance 4/5, about 30 minutes

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
        raise NotImplementedError()

    def forward(
        self, x: Float[Tensor, "batch in_feats height width"]
    ) -> Float[Tensor, "batch out_feats out_height out_width"]:
        """Add the two branches, then apply ReLU to the sum."""
        raise NotImplementedError()

# %%
if MAIN:
    tests.test_residual_block(ResidualBlock)
    tests.test_residual_block_forward(ResidualBlock)
    tests.test_residual_block_gradients(ResidualBlock)
    tests.test_residual_block_hands_gradients_back(ResidualBlock)

# %% [markdown]
# ### BlockGroup
#
# 0.2 · ResNets · difficulty 3/5, importance 3/5, about 15 minutes

# %%
class BlockGroup(nn.Module):
    """Residual blocks in a row; only the first may change the shape."""

    def __init__(self, n_blocks: int, in_feats: int, out_feats: int, first_stride: int = 1) -> None:
        """Make the blocks: the first from `in_feats` with `first_stride`, the others as it goes."""
        super().__init__()
        raise NotImplementedError()

    def forward(
        self, x: Float[Tensor, "batch in_feats height width"]
    ) -> Float[Tensor, "batch out_feats out_height out_width"]:
        """Run the blocks one after the other."""
        raise NotImplementedError()

# %%
if MAIN:
    tests.test_block_group(BlockGroup)
    tests.test_block_group_forward(BlockGroup)

# %% [markdown]
# ### ResNet34
#
# 0.2 · ResNets · difficulty 4/5, importance 4/5, about 45 minutes

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
        raise NotImplementedError()

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """Give the logits of each picture."""
        raise NotImplementedError()


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
if MAIN:
    tests.test_resnet34_with_other_settings(ResNet34)
    tests.test_resnet34_gradients_and_modes(ResNet34)
    tests.test_resnet34_equals_torchvision(ResNet34, copy_weights)

# %% [markdown]
# ### predict
#
# 0.2 · ResNets · difficulty 2/5, importance 3/5, about 10 minutes

# %%
def predict(
    model: nn.Module, images: Float[Tensor, "batch 3 height width"]
) -> tuple[Float[Tensor, " batch"], Int[Tensor, " batch"]]:
    """Give the most probable class of each picture.

    Returns:
        The probability of that class, and its number.
    """
    raise NotImplementedError()


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
if MAIN:
    tests.test_predict(predict)
    tests.test_predict_switches_modes(predict)

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

# %% [markdown]
# ### find_first_nan
#
# 0.2 · ResNets · difficulty 3/5, importance 2/5, about 25 minutes, optional

# %%
def find_first_nan(model: nn.Module, *inputs: Tensor) -> str | None:
    """Run a model, and give the name of the first module inside it that makes a NaN.

    That is the module whose output holds NaN although no tensor that it was called with does; of
    a module and the one inside it that is to blame, the inner. Whatever happens, no hook of ours
    stays on the model.

    Returns:
        The name as `model.named_modules()` gives it ("" for the model itself), or None.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_find_first_nan(find_first_nan)
    tests.test_find_first_nan_finds_none(find_first_nan)
    tests.test_find_first_nan_leaves_no_hooks(find_first_nan)
    tests.test_find_first_nan_watches_every_module(find_first_nan)
    tests.test_find_first_nan_leaves_no_hooks_after_an_error(find_first_nan)

# %% [markdown]
# ### get_resnet_for_feature_extraction
#
# 0.2 · Bonus: feature extraction · difficulty 3/5, importance 3/5, about 20 minutes, optional

# %%
def get_resnet_for_feature_extraction(n_classes: int) -> ResNet34:
    """Give a ResNet34 with pretrained weights, all frozen but a new last layer.

    Args:
        n_classes: Outputs of the new layer.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_get_resnet_for_feature_extraction(get_resnet_for_feature_extraction, ResNet34)

# %% [markdown]
# ### train_resnet
#
# 0.2 · Bonus: feature extraction · difficulty 3/5, importance 3/5, about 25 minutes, optional

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
    raise NotImplementedError()
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
    tests.test_train_resnet(train_resnet, ResNet34, ResNetTrainingArgs)

# %% [markdown]
# ### as_strided_arguments
#
# 0.2 · Bonus: convolutions from scratch · difficulty 4/5, importance 3/5, about 30 minutes, optional

# %%
if MAIN:
    test_input = torch.arange(20.0).reshape(4, 5)
    print(test_input, test_input.stride())


def as_strided_arguments() -> list[tuple[tuple[int, ...], tuple[int, ...]] | None]:
    """Give size and stride for nine views of `test_input`, in the order of the page.

    `test_input.as_strided(size, stride)` shall give the view; put None for one that you have
    not found yet.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_as_strided_arguments(as_strided_arguments)

# %% [markdown]
# ### as_strided_trace
#
# 0.2 · Bonus: convolutions from scratch · difficulty 2/5, importance 3/5, about 15 minutes, optional

# %%
def as_strided_trace(mat: Shaped[Tensor, "n n"]) -> Shaped[Tensor, ""]:
    """Add up the diagonal of a square matrix, with `as_strided` and `sum`."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_trace(as_strided_trace)

# %% [markdown]
# ### as_strided_mv
#
# 0.2 · Bonus: convolutions from scratch · difficulty 3/5, importance 3/5, about 20 minutes, optional

# %%
def as_strided_mv(mat: Shaped[Tensor, "i j"], vec: Shaped[Tensor, " j"]) -> Shaped[Tensor, " i"]:
    """Multiply a matrix with a vector, with `as_strided`, `*` and `sum`."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_mv(as_strided_mv)
    tests.test_mv2(as_strided_mv)

# %% [markdown]
# ### as_strided_mm
#
# 0.2 · Bonus: convolutions from scratch · difficulty 4/5, importance 3/5, about 25 minutes, optional

# %%
def as_strided_mm(
    matA: Shaped[Tensor, "i j"], matB: Shaped[Tensor, "j k"]
) -> Shaped[Tensor, "i k"]:
    """Multiply two matrices, with `as_strided`, `*` and `sum`."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_mm(as_strided_mm)
    tests.test_mm2(as_strided_mm)

# %% [markdown]
# ### conv1d_minimal_simple
#
# 0.2 · Bonus: convolutions from scratch · difficulty 4/5, importance 3/5, about 20 minutes, optional

# %%
def conv1d_minimal_simple(
    x: Float[Tensor, " width"], weights: Float[Tensor, " kernel_width"]
) -> Float[Tensor, " out_width"]:
    """Slide one kernel along one row, and give the dot products."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_conv1d_minimal_simple(conv1d_minimal_simple)

# %% [markdown]
# ### conv1d_minimal
#
# 0.2 · Bonus: convolutions from scratch · difficulty 4/5, importance 3/5, about 25 minutes, optional

# %%
def conv1d_minimal(
    x: Float[Tensor, "batch in_channels width"],
    weights: Float[Tensor, "out_channels in_channels kernel_width"],
) -> Float[Tensor, "batch out_channels out_width"]:
    """Convolve rows of several channels: no padding, stride 1."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_conv1d_minimal(conv1d_minimal)

# %% [markdown]
# ### conv2d_minimal
#
# 0.2 · Bonus: convolutions from scratch · difficulty 4/5, importance 3/5, about 30 minutes, optional

# %%
def conv2d_minimal(
    x: Float[Tensor, "batch in_channels height width"],
    weights: Float[Tensor, "out_channels in_channels kernel_height kernel_width"],
) -> Float[Tensor, "batch out_channels out_height out_width"]:
    """Convolve pictures of several channels: no padding, stride 1."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_conv2d_minimal(conv2d_minimal)

# %% [markdown]
# ### pad1d, pad2d
#
# 0.2 · Bonus: convolutions from scratch · difficulty 3/5, importance 2/5, about 20 minutes, optional

# %%
def pad1d(
    x: Shaped[Tensor, "batch channels width"], left: int, right: int, pad_value: float | int
) -> Shaped[Tensor, "batch channels padded_width"]:
    """Put `left` and `right` numbers `pad_value` at the two ends of each row, in a new tensor."""
    raise NotImplementedError()


def pad2d(
    x: Shaped[Tensor, "batch channels height width"],
    left: int,
    right: int,
    top: int,
    bottom: int,
    pad_value: float | int,
) -> Shaped[Tensor, "batch channels padded_height padded_width"]:
    """Put a frame of `pad_value` around each picture, in a new tensor."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_pad1d(pad1d)
    tests.test_pad1d_multi_channel(pad1d)
    tests.test_pad2d(pad2d)
    tests.test_pad2d_multi_channel(pad2d)

# %% [markdown]
# ### conv1d
#
# 0.2 · Bonus: convolutions from scratch · difficulty 4/5, importance 2/5, about 25 minutes, optional

# %%
def conv1d(
    x: Float[Tensor, "batch in_channels width"],
    weights: Float[Tensor, "out_channels in_channels kernel_width"],
    stride: int = 1,
    padding: int = 0,
) -> Float[Tensor, "batch out_channels out_width"]:
    """Convolve rows of several channels, padded with zeros at both ends."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_conv1d(conv1d)

# %% [markdown]
# ### conv2d
#
# 0.2 · Bonus: convolutions from scratch · difficulty 4/5, importance 2/5, about 30 minutes, optional

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
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_conv2d(conv2d)

# %% [markdown]
# ### maxpool2d
#
# 0.2 · Bonus: convolutions from scratch · difficulty 3/5, importance 2/5, about 20 minutes, optional

# %%
def maxpool2d(
    x: Float[Tensor, "batch channels height width"],
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
) -> Float[Tensor, "batch channels out_height out_width"]:
    """Give the largest number of each window; what is padded never wins."""
    raise NotImplementedError()


my_maxpool2d = maxpool2d  # what the tests call it, beside torch's


if MAIN:
    x, kernels = torch.randn(8, 3, 32, 32), torch.randn(16, 3, 3, 3)
    mine, torchs = conv2d(x, kernels, 2, 1), F.conv2d(x, kernels, stride=2, padding=1)
    torch.testing.assert_close(mine, torchs, atol=1e-4, rtol=1e-4)
    print(f"Your conv2d and torch's agree on {mine.numel():,} numbers")

# %%
if MAIN:
    tests.test_maxpool2d(my_maxpool2d)
