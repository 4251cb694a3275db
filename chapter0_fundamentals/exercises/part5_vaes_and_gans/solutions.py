"""0.5 VAEs & GANs: networks that draw pictures, and how two of them train each other."""

# %%
import math
from dataclasses import dataclass, field
from itertools import pairwise

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from part2_cnns.solutions import (
    IntOrPair,
    conv1d_minimal,
    conv2d_minimal,
    force_pair,
    pad1d,
    pad2d,
)
from part2_cnns.utils import Pictures, pick_device, print_param_count
from torch import Tensor, nn

import part5_vaes_and_gans.tests as tests  # noqa: F401
from part5_vaes_and_gans.utils import (
    Run,
    compare_layers,
    display_data,
    fit_gan_sizes,
    load_pictures,
    looking_at,
    pictures_to_draw,
    prepare,
    short_gan_training,
    smallest_size,
)

MAIN = __name__ == "__main__"


# %%
class Tanh(nn.Module):
    """Squash numbers between −1 and 1: (exp(x) − exp(−x)) / (exp(x) + exp(−x))."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Compute tanh of each element; result and gradient are finite for numbers of any size."""
        ### BEGIN SOLUTION
        shrunk = (-2 * x.clamp(min=-40)).exp()  # beyond that tanh is −1 to the last digit
        return (1 - shrunk) / (1 + shrunk)
        ### END SOLUTION


# %%
class LeakyReLU(nn.Module):
    """Leave positive numbers, and multiply negative ones by a small slope."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.negative_slope = negative_slope
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Give x where it is positive, else negative_slope · x."""
        ### BEGIN SOLUTION
        return torch.where(x > 0, x, self.negative_slope * x)
        ### END SOLUTION

    def extra_repr(self) -> str:
        """Say the slope."""
        ### BEGIN SOLUTION
        return f"negative_slope={self.negative_slope}"
        ### END SOLUTION


# %%
class Sigmoid(nn.Module):
    """Turn any number into a probability: 1 / (1 + exp(−x))."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Compute it for each element; result and gradient are finite for numbers of any size."""
        ### BEGIN SOLUTION
        return 1 / (1 + (-x.clamp(min=-80)).exp())  # exp(88.8) is too large for float32
        ### END SOLUTION


# %%
class Generator(nn.Module):
    """Make pictures from latent vectors: a linear map, then transposed convolutions.

    Each transposed convolution doubles height and width. `hidden_channels` are the channels near
    the picture first, so the linear map ends in the last of them.
    """

    def __init__(
        self,
        latent_dim_size: int = 100,
        img_size: int = 64,
        img_channels: int = 3,
        hidden_channels: list[int] = [128, 256, 512],  # noqa: B006
    ) -> None:
        """Make `project_and_reshape` and `hidden_layers`.

        project_and_reshape: linear map without bias, reshape, batch norm, ReLU.
        hidden_layers: one block for each entry of `hidden_channels`; a block is a transposed
        convolution (kernel 4, stride 2, padding 1, no bias), batch norm and ReLU, and in the last
        block a transposed convolution and Tanh.

        Raises:
            ValueError: The picture cannot be halved so many times.
        """
        super().__init__()
        ### BEGIN SOLUTION
        smallest = smallest_size(img_size, len(hidden_channels))
        deepest = hidden_channels[-1]
        self.project_and_reshape = nn.Sequential(
            nn.Linear(latent_dim_size, deepest * smallest**2, bias=False),
            nn.Unflatten(1, (deepest, smallest, smallest)),
            nn.BatchNorm2d(deepest),
            nn.ReLU(),
        )
        channels = [*reversed(hidden_channels), img_channels]
        self.hidden_layers = nn.Sequential()
        for i, (n_in, n_out) in enumerate(pairwise(channels)):
            is_last = i == len(hidden_channels) - 1
            conv = nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1, bias=False)
            after = [Tanh()] if is_last else [nn.BatchNorm2d(n_out), nn.ReLU()]
            self.hidden_layers.append(nn.Sequential(conv, *after))
        ### END SOLUTION

    def forward(
        self, x: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Give one picture, with numbers from −1 to 1, for each latent vector."""
        ### BEGIN SOLUTION
        return self.hidden_layers(self.project_and_reshape(x))
        ### END SOLUTION


class Discriminator(nn.Module):
    """Tell how probable it is that pictures are real: convolutions, then a linear map."""

    def __init__(
        self,
        img_size: int = 64,
        img_channels: int = 3,
        hidden_channels: list[int] = [128, 256, 512],  # noqa: B006
    ) -> None:
        """Make `hidden_layers` and `classifier`.

        hidden_layers: one block for each entry of `hidden_channels`; a block is a convolution
        (kernel 4, stride 2, padding 1, no bias), batch norm (not in the first block) and
        LeakyReLU with slope 0.2.
        classifier: flatten, a linear map to one number without bias, Sigmoid.

        Raises:
            ValueError: The picture cannot be halved so many times.
        """
        super().__init__()
        ### BEGIN SOLUTION
        smallest = smallest_size(img_size, len(hidden_channels))
        channels = [img_channels, *hidden_channels]
        self.hidden_layers = nn.Sequential()
        for i, (n_in, n_out) in enumerate(pairwise(channels)):
            conv = nn.Conv2d(n_in, n_out, 4, stride=2, padding=1, bias=False)
            norm = [nn.BatchNorm2d(n_out)] if i > 0 else []
            self.hidden_layers.append(nn.Sequential(conv, *norm, LeakyReLU(0.2)))
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(hidden_channels[-1] * smallest**2, 1, bias=False), Sigmoid()
        )
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, " batch"]:
        """Give the probability that each picture is real."""
        ### BEGIN SOLUTION
        return self.classifier(self.hidden_layers(x)).squeeze(1)  # batch
        ### END SOLUTION


# %%
class DCGAN(nn.Module):
    """A generator `netG` and the discriminator `netD` that it learns from."""

    netD: Discriminator
    netG: Generator

    def __init__(
        self,
        latent_dim_size: int = 100,
        img_size: int = 64,
        img_channels: int = 3,
        hidden_channels: list[int] = [128, 256, 512],  # noqa: B006
    ) -> None:
        super().__init__()
        self.latent_dim_size = latent_dim_size
        self.img_size, self.img_channels = img_size, img_channels
        self.hidden_channels = hidden_channels
        self.netD = Discriminator(img_size, img_channels, hidden_channels)
        self.netG = Generator(latent_dim_size, img_size, img_channels, hidden_channels)


if MAIN:
    print_param_count(Generator())  # 5,906,176 numbers
    print_param_count(Discriminator())  # 2,661,888 numbers


# %%
def initialize_weights(model: nn.Module) -> None:
    """Draw a network's weights anew, in place, as DCGAN wants them.

    Weights of linear maps, convolutions and transposed convolutions: normal, mean 0, standard
    deviation 0.02. Weights of batch norm: normal, mean 1, standard deviation 0.02. Biases: zero.
    It goes by the kind of a layer, torch's or one of this course's.
    """
    ### BEGIN SOLUTION
    for module in model.modules():
        kind = type(module).__name__
        if kind in ("Linear", "Conv2d", "ConvTranspose2d", "BatchNorm2d"):
            nn.init.normal_(module.weight, mean=1.0 if kind == "BatchNorm2d" else 0.0, std=0.02)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)
    ### END SOLUTION


# %%
def get_dataset(dataset: str, train: bool = True) -> Pictures:
    """Give pictures to train on, or to test with.

    "MNIST": handwritten digits, (1, 28, 28). "CELEB": photographs of faces, (3, 64, 64), where
    there is a GPU to train on and they can be fetched; else galaxies, (3, 32, 32), that come with
    the lab. A line says what stands in.

    Raises:
        ValueError: There is no such set.
    """
    return load_pictures(dataset, train)


if MAIN:
    galaxies = get_dataset("CELEB")
    display_data(galaxies[torch.arange(40)][0], nrows=4, title="What the generator shall imitate")


# %%
@dataclass
class DCGANArgs:
    """Settings of a DCGANTrainer."""

    latent_dim_size: int = 100
    hidden_channels: list[int] = field(default_factory=lambda: [128, 256, 512])
    dataset: str = "CELEB"
    batch_size: int = 64
    epochs: int = 3
    lr: float = 0.0002
    betas: tuple[float, float] = (0.5, 0.999)
    clip_grad_norm: float | None = 1.0  # None: gradients are not clipped
    use_wandb: bool = False
    wandb_project: str = "day5-gan"
    wandb_name: str | None = None
    log_every_n_steps: int = 250
    seed: int = 0
    resume: bool = False  # go on with the last run of these settings
    own_layers: bool = False  # yours of 0.2 and of this section instead of torch's


class DCGANTrainer:
    """Train a generator and a discriminator against each other."""

    def __init__(self, args: DCGANArgs) -> None:
        """Get data, networks, optimizers and loader; `run` keeps what comes of it."""
        trainset = get_dataset(args.dataset)
        self.args = args = fit_gan_sizes(args, len(trainset))
        self.run = Run(args)
        self.trainset = pictures_to_draw(trainset, len(args.hidden_channels))
        img_channels, img_size = self.trainset[0][0].shape[:2]
        model = DCGAN(args.latent_dim_size, img_size, img_channels, args.hidden_channels)
        initialize_weights(model)
        self.model = prepare(model, own_layers=args.own_layers)
        self.optG = torch.optim.Adam(self.model.netG.parameters(), lr=args.lr, betas=args.betas)
        self.optD = torch.optim.Adam(self.model.netD.parameters(), lr=args.lr, betas=args.betas)
        self.run.keep(model=self.model, optG=self.optG, optD=self.optD)
        self.trainloader = self.run.batches(self.trainset, args.batch_size)
        self.step = self.run.step

    def training_step_discriminator(
        self,
        img_real: Float[Tensor, "batch channels height width"],
        img_fake: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, ""]:
        """Take one step of `optD` towards telling real pictures from fakes.

        The loss is −mean log D(real) − mean log(1 − D(fake)), finite for a D of exactly 0 or 1.
        Where `args.clip_grad_norm` is a number, the gradient is clipped to that norm. The
        generator is not touched, and gets no gradient.

        Args:
            img_real: From the data.
            img_fake: From the generator, cut off from it.

        Returns:
            The loss as it was before the step.
        """
        ### BEGIN SOLUTION
        probs_real, probs_fake = self.model.netD(img_real), self.model.netD(img_fake)
        # torch clamps the logarithms at −100.
        loss = F.binary_cross_entropy(probs_real, torch.ones_like(probs_real))
        loss = loss + F.binary_cross_entropy(probs_fake, torch.zeros_like(probs_fake))
        self._descend(loss, self.optD, self.model.netD)
        return loss.detach()
        ### END SOLUTION

    def training_step_generator(
        self, img_fake: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, ""]:
        """Take one step of `optG` towards fakes that the discriminator takes for real.

        The loss is −mean log D(fake), finite for a D of exactly 0; clipped as above. The weights
        of the discriminator are not changed.

        Args:
            img_fake: From the generator, not cut off.

        Returns:
            The loss as it was before the step.
        """
        ### BEGIN SOLUTION
        probs_fake = self.model.netD(img_fake)
        loss = F.binary_cross_entropy(probs_fake, torch.ones_like(probs_fake))
        self._descend(loss, self.optG, self.model.netG)
        return loss.detach()

    def _descend(self, loss: Tensor, optimizer: torch.optim.Optimizer, net: nn.Module) -> None:
        optimizer.zero_grad()
        loss.backward()
        if self.args.clip_grad_norm is not None:
            nn.utils.clip_grad_norm_(net.parameters(), self.args.clip_grad_norm)
        optimizer.step()
        ### END SOLUTION

    def log_samples(self) -> None:
        """Store and show what the generator makes of forty latent vectors, always the same."""
        latents = torch.randn(40, self.args.latent_dim_size, generator=torch.Generator())
        with looking_at(self.model):
            samples = self.model.netG(latents.to(pick_device()))
        self.run.pictures("samples", (samples + 1) / 2)

    def train(self) -> nn.Module:
        """Train for `args.epochs` epochs, and give the networks.

        For each batch of real pictures, make as many fakes from latent vectors of standard normal
        numbers; take a step of the discriminator, then one of the generator. After that `step`
        counts it and `run.log(loss_D=..., loss_G=...)` notes the losses; every
        `args.log_every_n_steps` steps `log_samples` is called.
        """
        with self.run:
            ### BEGIN SOLUTION
            self.model.train()
            for _ in range(self.args.epochs):
                for img_real, _label in self.trainloader:
                    size = (len(img_real), self.args.latent_dim_size)
                    img_fake = self.model.netG(torch.randn(size, device=img_real.device))
                    loss_D = self.training_step_discriminator(img_real, img_fake.detach())
                    loss_G = self.training_step_generator(img_fake)
                    self.step += 1
                    self.run.log(loss_D=loss_D, loss_G=loss_G)
                    if self.step % self.args.log_every_n_steps == 0:
                        self.log_samples()
            ### END SOLUTION
            self.log_samples()
        return self.model


if MAIN:
    digit_gan = DCGANTrainer(DCGANArgs(dataset="MNIST", log_every_n_steps=100)).train()


# %%
if MAIN:
    picture_gan = DCGANTrainer(DCGANArgs(dataset="CELEB")).train()


# %%
def path_of_latents(
    start: Float[Tensor, " latent"], end: Float[Tensor, " latent"], n_points: int
) -> Float[Tensor, "n_points latent"]:
    """Give latent vectors on the arc from one to another, all about as long as these.

    Source: spherical interpolation, (sin((1 − t)ω) · start + sin(tω) · end) / sin ω, where ω is
    the angle between the two.
    """
    angle = torch.acos(F.cosine_similarity(start, end, dim=0).clamp(-1 + 1e-6, 1 - 1e-6))
    t = torch.linspace(0, 1, n_points, device=start.device)[:, None]
    return (((1 - t) * angle).sin() * start + (t * angle).sin() * end) / angle.sin()


if MAIN:
    ends = torch.randn(4, 2, digit_gan.latent_dim_size, device=pick_device())
    paths = torch.cat([path_of_latents(start, end, 10) for start, end in ends])
    with looking_at(digit_gan):
        display_data(digit_gan.netG(paths), nrows=4, title="From one digit to another")


# %%
def broken_generator_step(
    model: nn.Module, optG: torch.optim.Optimizer, img_fake: Float[Tensor, "batch c h w"]
) -> Float[Tensor, ""]:
    """Take a step of the generator. Something is wrong here."""
    img_fake = img_fake.detach()
    probs_fake = model.netD(img_fake)
    loss = F.binary_cross_entropy(probs_fake, torch.ones_like(probs_fake))
    optG.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.netG.parameters(), 1.0)
    optG.step()
    return loss.detach()


def mended_generator_step(
    model: nn.Module, optG: torch.optim.Optimizer, img_fake: Float[Tensor, "batch c h w"]
) -> Float[Tensor, ""]:
    """Take a step of the generator, as `broken_generator_step` should."""
    ### BEGIN SOLUTION
    probs_fake = model.netD(img_fake)
    loss = F.binary_cross_entropy(probs_fake, torch.ones_like(probs_fake))
    optG.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.netG.parameters(), 1.0)
    optG.step()
    return loss.detach()
    ### END SOLUTION


if MAIN:
    short_gan_training(DCGAN, step_of_generator=broken_generator_step)


# %%
def broken_optimizers(
    model: nn.Module, lr: float, betas: tuple[float, float]
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Give the optimizers of the generator and of the discriminator. Something is wrong here."""
    optG = torch.optim.Adam(model.parameters(), lr=lr, betas=betas)
    optD = torch.optim.Adam(model.netD.parameters(), lr=lr, betas=betas)
    return optG, optD


def mended_optimizers(
    model: nn.Module, lr: float, betas: tuple[float, float]
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Give the optimizers of the generator and of the discriminator, in this order."""
    ### BEGIN SOLUTION
    optG = torch.optim.Adam(model.netG.parameters(), lr=lr, betas=betas)
    optD = torch.optim.Adam(model.netD.parameters(), lr=lr, betas=betas)
    return optG, optD
    ### END SOLUTION


if MAIN:
    short_gan_training(DCGAN, optimizers=broken_optimizers)


# %%
def broken_discriminator_step(
    model: nn.Module,
    optD: torch.optim.Optimizer,
    img_real: Float[Tensor, "batch c h w"],
    img_fake: Float[Tensor, "batch c h w"],
) -> Float[Tensor, ""]:
    """Take a step of the discriminator. Something is wrong here."""
    probs_real, probs_fake = model.netD(img_real), model.netD(img_fake.detach())
    loss = F.binary_cross_entropy(probs_real, torch.ones_like(probs_real))
    loss = loss + F.binary_cross_entropy(probs_fake, torch.ones_like(probs_fake))
    optD.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.netD.parameters(), 1.0)
    optD.step()
    return loss.detach()


def mended_discriminator_step(
    model: nn.Module,
    optD: torch.optim.Optimizer,
    img_real: Float[Tensor, "batch c h w"],
    img_fake: Float[Tensor, "batch c h w"],
) -> Float[Tensor, ""]:
    """Take a step of the discriminator, as `broken_discriminator_step` should."""
    ### BEGIN SOLUTION
    probs_real, probs_fake = model.netD(img_real), model.netD(img_fake.detach())
    loss = F.binary_cross_entropy(probs_real, torch.ones_like(probs_real))
    loss = loss + F.binary_cross_entropy(probs_fake, torch.zeros_like(probs_fake))
    optD.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.netD.parameters(), 1.0)
    optD.step()
    return loss.detach()
    ### END SOLUTION


if MAIN:
    short_gan_training(DCGAN, step_of_discriminator=broken_discriminator_step)


# %%
def conv_transpose1d_minimal(
    x: Float[Tensor, "batch in_channels width"],
    weights: Float[Tensor, "in_channels out_channels kernel_width"],
) -> Float[Tensor, "batch out_channels out_width"]:
    """Convolve rows transposed: each number adds a copy of the kernel, times it, to the output.

    No padding, stride 1; out_width = width + kernel_width − 1.
    """
    ### BEGIN SOLUTION
    n = weights.shape[2] - 1
    kernels = rearrange(weights.flip(2), "ic oc kw -> oc ic kw")
    return conv1d_minimal(pad1d(x, n, n, 0.0), kernels)
    ### END SOLUTION


# %%
def fractional_stride_1d(
    x: Float[Tensor, "batch channels width"], stride: int = 1
) -> Float[Tensor, "batch channels out_width"]:
    """Put stride − 1 zeros between neighbours; out_width = width + (stride − 1)(width − 1)."""
    ### BEGIN SOLUTION
    batch, channels, width = x.shape
    out = x.new_zeros(batch, channels, width + (stride - 1) * (width - 1))
    out[..., ::stride] = x
    return out
    ### END SOLUTION


def conv_transpose1d(
    x: Float[Tensor, "batch in_channels width"],
    weights: Float[Tensor, "in_channels out_channels kernel_width"],
    stride: int = 1,
    padding: int = 0,
) -> Float[Tensor, "batch out_channels out_width"]:
    """Convolve rows transposed, as torch.nn.functional.conv_transpose1d does.

    Args:
        x: The rows.
        weights: The kernels.
        stride: How far apart neighbours put their copies of the kernel.
        padding: How many numbers are left away at both ends; less than kernel_width.
    """
    ### BEGIN SOLUTION
    n = weights.shape[2] - 1 - padding
    kernels = rearrange(weights.flip(2), "ic oc kw -> oc ic kw")
    return conv1d_minimal(pad1d(fractional_stride_1d(x, stride), n, n, 0.0), kernels)
    ### END SOLUTION


# %%
def fractional_stride_2d(
    x: Float[Tensor, "batch channels height width"], stride_h: int, stride_w: int
) -> Float[Tensor, "batch channels out_height out_width"]:
    """Put stride_h − 1 rows and stride_w − 1 columns of zeros between neighbours."""
    ### BEGIN SOLUTION
    batch, channels, height, width = x.shape
    size = (height + (stride_h - 1) * (height - 1), width + (stride_w - 1) * (width - 1))
    out = x.new_zeros(batch, channels, *size)
    out[..., ::stride_h, ::stride_w] = x
    return out
    ### END SOLUTION


def conv_transpose2d(
    x: Float[Tensor, "batch in_channels height width"],
    weights: Float[Tensor, "in_channels out_channels kernel_height kernel_width"],
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
) -> Float[Tensor, "batch out_channels out_height out_width"]:
    """Convolve pictures transposed, as torch.nn.functional.conv_transpose2d does.

    Args:
        x: The pictures.
        weights: The kernels.
        stride: One number, or two for height and width.
        padding: Left away at each side, one number or two; less than the kernel's size.
    """
    ### BEGIN SOLUTION
    (stride_h, stride_w), (pad_h, pad_w) = force_pair(stride), force_pair(padding)
    rows, cols = weights.shape[2] - 1 - pad_h, weights.shape[3] - 1 - pad_w
    spread = pad2d(fractional_stride_2d(x, stride_h, stride_w), cols, cols, rows, rows, 0.0)
    return conv2d_minimal(spread, rearrange(weights.flip(2, 3), "ic oc kh kw -> oc ic kh kw"))
    ### END SOLUTION


# %%
class ConvTranspose2d(nn.Module):
    """Paint kernels side by side, each times a number of the input; no bias."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair = 1,
        padding: IntOrPair = 0,
    ) -> None:
        """Make `weight` (in_channels, out_channels, kernel_height, kernel_width).

        It starts uniform between ±1 / √n, n = out_channels · kernel_height · kernel_width.
        """
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        ### BEGIN SOLUTION
        size = force_pair(kernel_size)
        bound = (out_channels * math.prod(size)) ** -0.5
        weight = torch.empty(in_channels, out_channels, *size).uniform_(-bound, bound)
        self.weight = nn.Parameter(weight)
        ### END SOLUTION

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels out_height out_width"]:
        """Convolve transposed, by `conv_transpose2d`."""
        ### BEGIN SOLUTION
        return conv_transpose2d(x, self.weight, self.stride, self.padding)
        ### END SOLUTION

    def extra_repr(self) -> str:
        """Say the channels, the kernel's size, and how it moves."""
        ### BEGIN SOLUTION
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}, padding={self.padding}"
        )
        ### END SOLUTION


if MAIN:
    compare_layers(DCGAN)
