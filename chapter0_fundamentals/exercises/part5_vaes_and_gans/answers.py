"""0.5 VAEs & GANs: networks that squeeze pictures into a few numbers, and make pictures of them."""

# %%
import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from einops.layers.torch import Rearrange
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
    compare_layers_of_vae,
    display_data,
    fit_gan_sizes,
    fit_sizes,
    fit_to_pictures,
    grey_levels,
    holdout_digits,
    holdout_pictures,
    load_dataset,
    load_digits,
    load_pictures,
    looking_at,
    pictures_to_draw,
    plot_counts,
    plot_values,
    prepare,
    short_gan_training,
    smallest_size,
    visualise_input,
    visualise_output,
)

MAIN = __name__ == "__main__"

# %%
if MAIN:
    trainset = load_digits(train=True)
    HOLDOUT_DATA = holdout_digits()  # the first of each digit that nothing is trained on
    display_data(trainset.images[:20], nrows=2, title="Digits to train on")
    display_data(HOLDOUT_DATA, nrows=1, title="Ten that are held out")

# %% [markdown]
# ### Autoencoder
#
# 0.5 · Autoencoders · difficulty 3/5, importance 4/5, about 25 minutes

# %%
class Autoencoder(nn.Module):
    """Squeeze digits into a few numbers, and make digits of these again."""

    def __init__(self, latent_dim_size: int, hidden_dim_size: int) -> None:
        """Make `encoder`, (batch, 1, 28, 28) to (batch, latent), and `decoder`, the way back.

        encoder: convolution to 16 channels, ReLU, convolution to 32 channels, ReLU, flatten, linear
        map to `hidden_dim_size`, ReLU, linear map to `latent_dim_size`.
        decoder: the same from back to front, with transposed convolutions.
        Convolutions of both kinds have kernel 4, stride 2, padding 1, and no bias.
        """
        super().__init__()
        self.latent_dim_size = latent_dim_size
        self.hidden_dim_size = hidden_dim_size
        raise NotImplementedError()

    def forward(self, x: Float[Tensor, "batch 1 28 28"]) -> Float[Tensor, "batch 1 28 28"]:
        """Give the picture that is made of each picture's few numbers."""
        raise NotImplementedError()


if MAIN:
    print_param_count(Autoencoder(latent_dim_size=5, hidden_dim_size=128))

# %%
if MAIN:
    tests.test_autoencoder(Autoencoder)
    tests.test_autoencoder_layers(Autoencoder)

# %% [markdown]
# ### AutoencoderTrainer
#
# 0.5 · Autoencoders · difficulty 3/5, importance 4/5, about 25 minutes

# %%
@dataclass
class AutoencoderArgs:
    """Settings of an AutoencoderTrainer."""

    latent_dim_size: int = 5
    hidden_dim_size: int = 128
    dataset: str = "MNIST"  # or "CELEB": faces, or galaxies that stand in for them
    batch_size: int = 512
    epochs: int = 10
    lr: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.999)
    use_wandb: bool = True  # without a key runs stay on this machine
    wandb_project: str = "day5-autoencoder"
    wandb_name: str | None = None
    log_every_n_steps: int = 250
    seed: int = 0
    resume: bool = False  # go on with the last run of these settings
    own_layers: bool = False  # yours of 0.2 and of this section instead of torch's


class AutoencoderTrainer:
    """Train an Autoencoder to give back each digit as it was."""

    def __init__(self, args: AutoencoderArgs) -> None:
        """Get data, model, optimizer and loader; `run` keeps what comes of it."""
        self.trainset = load_dataset(args.dataset)
        self.args = fit_sizes(args, len(self.trainset))
        self.run = Run(self.args)
        self.model = prepare(self.make_model(), own_layers=args.own_layers)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=args.lr, betas=args.betas)
        self.run.keep(model=self.model, optimizer=self.optimizer)
        self.trainloader = self.run.batches(self.trainset, self.args.batch_size)
        self.step = self.run.step

    def make_model(self) -> nn.Module:
        """Give the model that is trained, with random weights."""
        model = Autoencoder(self.args.latent_dim_size, self.args.hidden_dim_size)
        return fit_to_pictures(model, self.trainset)

    def training_step(self, img: Float[Tensor, "batch 1 28 28"]) -> Float[Tensor, ""]:
        """Take one step of the optimizer on a batch.

        Returns:
            The mean squared difference between the pictures and what the model makes of them,
            as it was before the step.
        """
        raise NotImplementedError()

    def log_samples(self) -> None:
        """Store and show held-out pictures, what the model makes of them, and its latent space."""
        log_pictures(self.run, self.model, lambda img: self.model(img))

    def train(self) -> nn.Module:
        """Train for `args.epochs` epochs, and give the model.

        After each step `step` counts it and `run.log(loss=...)` notes the loss; every
        `args.log_every_n_steps` steps `log_samples` is called.
        """
        with self.run:
            raise NotImplementedError()
            self.log_samples()
        return self.model


def create_grid_of_latents(
    model: nn.Module,
    interpolation_range: tuple[float, float] = (-1, 1),
    n_points: int = 11,
    dims: tuple[int, int] = (0, 1),
) -> Float[Tensor, "n_points_squared latent"]:
    """Give latent vectors in a square grid: two numbers vary, the others are zero.

    Args:
        model: Its `latent_dim_size` is the length of a vector.
        interpolation_range: Smallest and largest value of the two.
        n_points: How many values of each.
        dims: Which two: the first grows from left to right, the second from bottom to top.
    """
    device = next(model.parameters()).device
    values = torch.linspace(*interpolation_range, n_points, device=device)
    grid = torch.zeros(n_points, n_points, model.latent_dim_size, device=device)
    grid[..., dims[0]] = values
    grid[..., dims[1]] = values.flip(0)[:, None]
    return grid.flatten(0, 1)


@torch.inference_mode()
def latents_of(model: nn.Module, images: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n latent"]:
    """Give the latent vector of each picture; of a VAE, the mean."""
    device = next(model.parameters()).device
    codes = [model.encoder(batch.to(device)) for batch in images.split(1000)]
    return torch.cat([code[0] if code.ndim == 3 else code for code in codes]).cpu()


def log_pictures(run: Run, model: nn.Module, reconstruct: Any, scale: float = 3.0) -> None:
    """Store and show what an autoencoder does at this step of its training.

    Args:
        run: Where to.
        model: With `encoder`, `decoder` and `latent_dim_size`.
        reconstruct: What makes pictures of pictures.
        scale: How far the grid of latents reaches.
    """
    dataset = run.args.dataset
    holdout, testset = holdout_pictures(dataset), load_dataset(dataset, train=False)[:1000]
    device, statistics = next(model.parameters()).device, testset.statistics
    with looking_at(model):
        made = reconstruct(holdout.to(device)).cpu()
        both = torch.cat([holdout, made])
        run.pictures("reconstructions", grey_levels(both, statistics), n_cols=10)
        grid = create_grid_of_latents(model, (-scale, scale))
        run.pictures("latent_grid", grey_levels(model.decoder(grid), statistics), n_cols=11)
        latents, places = latents_of(model, testset.images), latents_of(model, holdout)
        seen = {"holdout_latent_vectors": places, "HOLDOUT_DATA": holdout}
        figure = visualise_input(latents, testset.labels, **seen, statistics=statistics)
        run.figure("latents", figure)


if MAIN:
    autoencoder = AutoencoderTrainer(AutoencoderArgs(epochs=10)).train()

# %%
if MAIN:
    tests.test_autoencoder_training_step(AutoencoderTrainer, AutoencoderArgs)
    tests.test_autoencoder_train(AutoencoderTrainer, AutoencoderArgs)
    tests.test_autoencoder_overfits(AutoencoderTrainer, AutoencoderArgs, Autoencoder)

# %%
if MAIN:
    grid_latent = create_grid_of_latents(autoencoder, interpolation_range=(-3, 3))
    with torch.inference_mode():
        output = autoencoder.decoder(grid_latent)
    visualise_output(output, grid_latent, title="What the decoder makes of a grid").show()
    testset = load_digits(train=False)
    visualise_input(
        latents_of(autoencoder, testset.images[:1000]),
        testset.labels[:1000],
        latents_of(autoencoder, HOLDOUT_DATA),
        HOLDOUT_DATA,
    ).show()

# %% [markdown]
# ### VAE
#
# 0.5 · VAEs · difficulty 3/5, importance 5/5, about 25 minutes

# %%
class VAE(nn.Module):
    """An autoencoder whose encoder gives a place and a spread, from which it draws."""

    encoder: nn.Module
    decoder: nn.Module

    def __init__(self, latent_dim_size: int, hidden_dim_size: int) -> None:
        """Make `encoder`, (batch, 1, 28, 28) to (2, batch, latent), and `decoder`.

        Both as in `Autoencoder`, but the encoder's last linear map has twice as many outputs: for
        each latent number a mean and the logarithm of a standard deviation.
        """
        super().__init__()
        self.latent_dim_size = latent_dim_size
        self.hidden_dim_size = hidden_dim_size
        raise NotImplementedError()

    def sample_latent_vector(
        self, x: Float[Tensor, "batch 1 28 28"]
    ) -> tuple[
        Float[Tensor, "batch latent"], Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]
    ]:
        """Draw a latent vector for each picture, so that gradients reach the encoder.

        Returns:
            The vectors, and the means and the logarithms of the standard deviations that they were
            drawn with.
        """
        raise NotImplementedError()

    def forward(
        self, x: Float[Tensor, "batch 1 28 28"]
    ) -> tuple[
        Float[Tensor, "batch 1 28 28"], Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]
    ]:
        """Give what is made of a drawn latent vector, and the means and log-deviations."""
        raise NotImplementedError()


if MAIN:
    print_param_count(VAE(latent_dim_size=5, hidden_dim_size=128))

# %%
if MAIN:
    tests.test_vae(VAE)
    tests.test_vae_encoder_halves(VAE)
    tests.test_vae_sample(VAE)
    tests.test_vae_gradient_path(VAE)
    tests.test_vae_forward(VAE)

# %% [markdown]
# ### kl_divergence
#
# 0.5 · VAEs · difficulty 2/5, importance 4/5, about 10 minutes

# %%
def kl_divergence(
    mu: Float[Tensor, "batch latent"], logsigma: Float[Tensor, "batch latent"]
) -> Float[Tensor, ""]:
    """Give how far N(mu, sigma²) is from N(0, 1), in nats: the mean over batch and dimensions.

    Args:
        mu: Means.
        logsigma: Logarithms of the standard deviations.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_kl_divergence(kl_divergence)
    tests.test_kl_divergence_is_the_mean_of_draws(kl_divergence)

# %% [markdown]
# ### VAETrainer
#
# 0.5 · VAEs · difficulty 3/5, importance 4/5, about 25 minutes

# %%
@dataclass
class VAEArgs(AutoencoderArgs):
    """Settings of a VAETrainer."""

    wandb_project: str = "day5-vae-mnist"
    beta_kl: float = 0.1


class VAETrainer:
    """Train a VAE: digits shall come back, and their latents be spread like a normal variable."""

    def __init__(self, args: VAEArgs) -> None:
        """Get data, model, optimizer and loader; `run` keeps what comes of it."""
        self.trainset = load_dataset(args.dataset)
        self.args = fit_sizes(args, len(self.trainset))
        self.run = Run(self.args)
        self.model = prepare(self.make_model(), own_layers=args.own_layers)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=args.lr, betas=args.betas)
        self.run.keep(model=self.model, optimizer=self.optimizer)
        self.trainloader = self.run.batches(self.trainset, self.args.batch_size)
        self.step = self.run.step

    def make_model(self) -> nn.Module:
        """Give the model that is trained, with random weights."""
        model = VAE(self.args.latent_dim_size, self.args.hidden_dim_size)
        return fit_to_pictures(model, self.trainset)

    def training_step(self, img: Float[Tensor, "batch 1 28 28"]) -> Float[Tensor, ""]:
        """Take one step of the optimizer on a batch.

        Returns:
            The mean squared difference plus `args.beta_kl` times the mean KL divergence, as it was
            before the step.
        """
        raise NotImplementedError()

    def log_samples(self) -> None:
        """Store and show reconstructions, new pictures, and the latent space."""
        with looking_at(self.model):
            device = next(self.model.parameters()).device
            z = torch.randn(20, self.args.latent_dim_size, device=device)
            samples = grey_levels(self.model.decoder(z), self.trainset.statistics)
            self.run.pictures("samples", samples, n_cols=10)
        log_pictures(self.run, self.model, lambda img: self.model(img)[0], scale=2.0)

    def train(self) -> nn.Module:
        """Train for `args.epochs` epochs, and give the model; steps as in AutoencoderTrainer."""
        with self.run:
            raise NotImplementedError()
            self.log_samples()
        return self.model


if MAIN:
    vae = VAETrainer(VAEArgs(epochs=10)).train()

# %%
if MAIN:
    tests.test_vae_training_step(VAETrainer, VAEArgs)
    tests.test_vae_train(VAETrainer, VAEArgs)
    tests.test_vae_overfits(VAETrainer, VAEArgs, VAE, kl_divergence)

# %%
if MAIN:
    grid_latent = create_grid_of_latents(vae, interpolation_range=(-2, 2))
    with torch.inference_mode():
        output = vae.decoder(grid_latent)
        new_digits = vae.decoder(torch.randn(20, 5, device=grid_latent.device))
    visualise_output(output, grid_latent, title="What the VAE's decoder makes of a grid").show()
    display_data(new_digits, nrows=2, title="Digits that nobody has written")
    visualise_input(
        latents_of(vae, testset.images[:1000]),
        testset.labels[:1000],
        latents_of(vae, HOLDOUT_DATA),
        HOLDOUT_DATA,
    ).show()

# %% [markdown]
# ### Tanh
#
# 0.5 · GANs · difficulty 2/5, importance 2/5, about 10 minutes

# %%
class Tanh(nn.Module):
    """Squash numbers between −1 and 1: (exp(x) − exp(−x)) / (exp(x) + exp(−x))."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Compute tanh of each element; result and gradient are finite for numbers of any size."""
        raise NotImplementedError()

# %%
if MAIN:
    tests.test_Tanh(Tanh)
    tests.test_Tanh_of_large_numbers(Tanh)

# %% [markdown]
# ### LeakyReLU
#
# 0.5 · GANs · difficulty 1/5, importance 2/5, about 5 minutes

# %%
class LeakyReLU(nn.Module):
    """Leave positive numbers, and multiply negative ones by a small slope."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        raise NotImplementedError()

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Give x where it is positive, else negative_slope · x."""
        raise NotImplementedError()

    def extra_repr(self) -> str:
        """Say the slope."""
        raise NotImplementedError()

# %%
if MAIN:
    tests.test_LeakyReLU(LeakyReLU)
    tests.test_LeakyReLU_gradient_and_repr(LeakyReLU)

# %% [markdown]
# ### Sigmoid
#
# 0.5 · GANs · difficulty 2/5, importance 2/5, about 5 minutes

# %%
class Sigmoid(nn.Module):
    """Turn any number into a probability: 1 / (1 + exp(−x))."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Compute it for each element; result and gradient are finite for numbers of any size."""
        raise NotImplementedError()

# %%
if MAIN:
    tests.test_Sigmoid(Sigmoid)
    tests.test_Sigmoid_of_large_numbers(Sigmoid)

# %% [markdown]
# ### Generator, Discriminator
#
# 0.5 · GANs · difficulty 5/5, importance 4/5, about 50 minutes

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
        raise NotImplementedError()

    def forward(
        self, x: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Give one picture, with numbers from −1 to 1, for each latent vector."""
        raise NotImplementedError()


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
        raise NotImplementedError()

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, " batch"]:
        """Give the probability that each picture is real."""
        raise NotImplementedError()

# %%
if MAIN:
    tests.test_generator_shapes(Generator)
    tests.test_generator_parameters(Generator)
    tests.test_generator_layers(Generator)
    tests.test_networks_refuse_sizes_that_cannot_be_halved(Generator, Discriminator)
    tests.test_discriminator_shapes(Discriminator)
    tests.test_discriminator_parameters(Discriminator)
    tests.test_discriminator_layers(Discriminator)

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

# %% [markdown]
# ### initialize_weights
#
# 0.5 · GANs · difficulty 2/5, importance 2/5, about 15 minutes

# %%
def initialize_weights(model: nn.Module) -> None:
    """Draw a network's weights anew, in place, as DCGAN wants them.

    Weights of linear maps, convolutions and transposed convolutions: normal, mean 0, standard
    deviation 0.02. Weights of batch norm: normal, mean 1, standard deviation 0.02. Biases: zero.
    It goes by the kind of a layer, torch's or one of this course's.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_initialize_weights(initialize_weights)
    tests.test_initialize_weights_zeroes_biases(initialize_weights)
    tests.test_initialize_weights_of_layers_without_bias(initialize_weights)

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

# %% [markdown]
# ### DCGANTrainer
#
# 0.5 · GANs · difficulty 4/5, importance 4/5, about 45 minutes

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
        raise NotImplementedError()

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
        raise NotImplementedError()

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
            raise NotImplementedError()
            self.log_samples()
        return self.model


if MAIN:
    digit_gan = DCGANTrainer(DCGANArgs(dataset="MNIST", epochs=3, log_every_n_steps=100)).train()

# %%
if MAIN:
    tests.test_training_step_discriminator(DCGANTrainer, DCGANArgs)
    tests.test_training_step_generator(DCGANTrainer, DCGANArgs)
    tests.test_gradients_are_clipped(DCGANTrainer, DCGANArgs)
    tests.test_gradients_are_not_clipped_without_a_norm(DCGANTrainer, DCGANArgs)
    tests.test_losses_of_a_certain_discriminator_are_finite(DCGANTrainer, DCGANArgs)
    tests.test_train(DCGANTrainer, DCGANArgs)
    tests.test_trainer_learns_one_batch(DCGANTrainer, DCGANArgs)

# %%
if MAIN:
    picture_gan = DCGANTrainer(DCGANArgs(dataset="CELEB", epochs=3)).train()

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

# %% [markdown]
# ### mended_generator_step
#
# 0.5 · GANs · difficulty 2/5, importance 3/5, about 10 minutes

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
    raise NotImplementedError()


if MAIN:
    short_gan_training(DCGAN, n_steps=400, step_of_generator=broken_generator_step)

# %%
if MAIN:
    tests.test_mended_generator_step(mended_generator_step)
    tests.test_mended_generator_step_learns(mended_generator_step)

# %% [markdown]
# ### mended_optimizers
#
# 0.5 · GANs · difficulty 3/5, importance 3/5, about 10 minutes

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
    raise NotImplementedError()


if MAIN:
    short_gan_training(DCGAN, n_steps=400, optimizers=broken_optimizers)

# %%
if MAIN:
    tests.test_mended_optimizers(mended_optimizers)
    tests.test_mended_optimizers_learn(mended_optimizers)

# %% [markdown]
# ### mended_discriminator_step
#
# 0.5 · GANs · difficulty 2/5, importance 3/5, about 10 minutes

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
    raise NotImplementedError()


if MAIN:
    short_gan_training(DCGAN, n_steps=400, step_of_discriminator=broken_discriminator_step)

# %%
if MAIN:
    tests.test_mended_discriminator_step(mended_discriminator_step)
    tests.test_mended_discriminator_step_learns(mended_discriminator_step)

# %% [markdown]
# ### conv_transpose1d_minimal
#
# 0.5 · Bonus: transposed convolutions · difficulty 4/5, importance 2/5, about 20 minutes, optional

# %%
def conv_transpose1d_minimal(
    x: Float[Tensor, "batch in_channels width"],
    weights: Float[Tensor, "in_channels out_channels kernel_width"],
) -> Float[Tensor, "batch out_channels out_width"]:
    """Convolve rows transposed: each number adds a copy of the kernel, times it, to the output.

    No padding, stride 1; out_width = width + kernel_width − 1.
    """
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_conv_transpose1d_minimal(conv_transpose1d_minimal)

# %% [markdown]
# ### fractional_stride_1d, conv_transpose1d
#
# 0.5 · Bonus: transposed convolutions · difficulty 5/5, importance 2/5, about 35 minutes, optional

# %%
def fractional_stride_1d(
    x: Float[Tensor, "batch channels width"], stride: int = 1
) -> Float[Tensor, "batch channels out_width"]:
    """Put stride − 1 zeros between neighbours; out_width = width + (stride − 1)(width − 1)."""
    raise NotImplementedError()


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
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_fractional_stride_1d(fractional_stride_1d)
    tests.test_conv_transpose1d(conv_transpose1d)

# %% [markdown]
# ### fractional_stride_2d, conv_transpose2d
#
# 0.5 · Bonus: transposed convolutions · difficulty 4/5, importance 1/5, about 20 minutes, optional

# %%
def fractional_stride_2d(
    x: Float[Tensor, "batch channels height width"], stride_h: int, stride_w: int
) -> Float[Tensor, "batch channels out_height out_width"]:
    """Put stride_h − 1 rows and stride_w − 1 columns of zeros between neighbours."""
    raise NotImplementedError()


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
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_fractional_stride_2d(fractional_stride_2d)
    tests.test_conv_transpose2d(conv_transpose2d)

# %% [markdown]
# ### ConvTranspose2d
#
# 0.5 · Bonus: transposed convolutions · difficulty 2/5, importance 2/5, about 15 minutes, optional

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
        raise NotImplementedError()

    def forward(
        self, x: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch out_channels out_height out_width"]:
        """Convolve transposed, by `conv_transpose2d`."""
        raise NotImplementedError()

    def extra_repr(self) -> str:
        """Say the channels, the kernel's size, and how it moves."""
        raise NotImplementedError()


if MAIN:
    compare_layers(DCGAN)
    compare_layers_of_vae(VAE)

# %%
if MAIN:
    tests.test_ConvTranspose2d(ConvTranspose2d)
    tests.test_ConvTranspose2d_start_and_repr(ConvTranspose2d)

# %% [markdown]
# ### pca_of_latents
#
# 0.5 · Bonus: more autoencoders · difficulty 3/5, importance 2/5, about 20 minutes, optional

# %%
def pca_of_latents(
    latents: Float[Tensor, "n latent"], n_components: int = 2
) -> tuple[
    Float[Tensor, "components latent"], Float[Tensor, " components"], Float[Tensor, "n components"]
]:
    """Find the directions in which latent vectors vary most.

    Returns:
        Directions, of length 1 and at right angles to each other, the one with the largest variance
        first; the variances along them, with n - 1 in the denominator; and the coordinates of each
        vector along them, with the mean vector at zero.
    """
    raise NotImplementedError()


if MAIN:
    latents = latents_of(vae, testset.images)
    components, variances, coordinates = pca_of_latents(latents)
    share = variances.sum() / latents.var(0).sum()
    print(f"The first two directions hold {share:.0%} of the variance")
    visualise_input(coordinates, testset.labels).show()

# %%
if MAIN:
    tests.test_pca_of_latents(pca_of_latents)

# %% [markdown]
# ### kl_per_dimension
#
# 0.5 · Bonus: more autoencoders · difficulty 2/5, importance 2/5, about 10 minutes, optional

# %%
def kl_per_dimension(
    mu: Float[Tensor, "batch latent"], logsigma: Float[Tensor, "batch latent"]
) -> Float[Tensor, " latent"]:
    """Give the KL divergence from N(0, 1) of each latent dimension, the mean over the batch."""
    raise NotImplementedError()


def compare_betas(betas: list[float], epochs: int = 8) -> dict[str, list[float]]:
    """Train a VAE of ten dimensions for each weight of the KL, and give what each dimension holds.

    Returns:
        For each weight the nats of each dimension on the test digits, the largest first.
    """
    found = {}
    for beta in betas:
        sizes = {"epochs": epochs, "batch_size": 128}
        args = VAEArgs(latent_dim_size=10, beta_kl=beta, use_wandb=False, **sizes)
        model = VAETrainer(args).train()
        with looking_at(model):
            images = load_digits(train=False).images[:1000]
            mu, logsigma = model.encoder(images.to(next(model.parameters()).device))
            nats = kl_per_dimension(mu, logsigma).sort(descending=True).values
        found[f"beta_kl = {beta:g}"] = nats.tolist()
    return found


if MAIN:
    nats = compare_betas([0.01, 0.1, 1.0], epochs=8)
    plot_values(nats, x="latent dimension, sorted", y="KL divergence, nats").show()

# %%
if MAIN:
    tests.test_kl_per_dimension(kl_per_dimension)

# %% [markdown]
# ### DenoisingTrainer
#
# 0.5 · Bonus: more autoencoders · difficulty 2/5, importance 3/5, about 15 minutes, optional

# %%
@dataclass
class DenoisingArgs(AutoencoderArgs):
    """Settings of a DenoisingTrainer."""

    wandb_project: str = "day5-denoising"
    noise: float = 1.0  # standard deviation; that of the digits' pixels is 1


class DenoisingTrainer(AutoencoderTrainer):
    """Train an Autoencoder to take noise away."""

    def training_step(self, img: Float[Tensor, "batch 1 28 28"]) -> Float[Tensor, ""]:
        """Take one step on a batch that the model sees with normal noise added.

        The noise has the standard deviation `args.noise`, and is new for each pixel and each step.

        Returns:
            The mean squared difference between what the model gives and the clean pictures.
        """
        raise NotImplementedError()

    def log_samples(self) -> None:
        """Store and show held-out pictures with noise, and what the model makes of them."""
        img = holdout_pictures(self.args.dataset)
        with looking_at(self.model):
            noisy = img + self.args.noise * torch.randn_like(img)
            made = self.model(noisy.to(next(self.model.parameters()).device)).cpu()
        rows = grey_levels(torch.cat([img, noisy, made]), self.trainset.statistics)
        self.run.pictures("denoised", rows, n_cols=10)


if MAIN:
    denoiser = DenoisingTrainer(
        DenoisingArgs(latent_dim_size=20, epochs=12, batch_size=128)
    ).train()
    noisy = HOLDOUT_DATA + torch.randn_like(HOLDOUT_DATA)
    with torch.inference_mode():
        made = denoiser(noisy.to(pick_device())).cpu()
    display_data(torch.cat([HOLDOUT_DATA, noisy, made]), nrows=3, title="Clean, noisy, denoised")

# %%
if MAIN:
    tests.test_denoising_training_step(DenoisingTrainer, DenoisingArgs)
    tests.test_denoising_overfits(DenoisingTrainer, DenoisingArgs, Autoencoder)

# %% [markdown]
# ### SparseTrainer
#
# 0.5 · Bonus: more autoencoders · difficulty 2/5, importance 3/5, about 15 minutes, optional

# %%
@dataclass
class SparseArgs(AutoencoderArgs):
    """Settings of a SparseTrainer."""

    latent_dim_size: int = 64
    wandb_project: str = "day5-sparse"
    l1: float = 0.3


class SparseTrainer(AutoencoderTrainer):
    """Train an Autoencoder with many latent numbers, few of which shall be in use at a time.

    Its encoder ends in a ReLU, so that a number that is not in use is zero.
    """

    def make_model(self) -> nn.Module:
        """Give the model that is trained, with random weights."""
        model = super().make_model()
        model.encoder = nn.Sequential(model.encoder, nn.ReLU())
        return model

    def training_step(self, img: Float[Tensor, "batch 1 28 28"]) -> Float[Tensor, ""]:
        """Take one step on a batch.

        Returns:
            The mean squared difference plus `args.l1` times the mean absolute latent number.
        """
        raise NotImplementedError()


def n_in_use(model: nn.Module) -> list[int]:
    """Give how many latent numbers of each of 1,000 new digits are not zero."""
    latents = latents_of(model, load_digits(train=False).images[:1000])
    return (latents > 0).sum(1).tolist()


if MAIN:
    for l1 in (0.0, 0.3):
        sparse = SparseTrainer(SparseArgs(l1=l1, epochs=12, batch_size=128)).train()
        counts = n_in_use(sparse)
        print(f"l1 = {l1}: of 64 latent numbers a digit uses {sum(counts) / len(counts):.1f}")
        plot_counts(counts, x="latent numbers in use", title=f"l1 = {l1}").show()

# %%
if MAIN:
    tests.test_sparse_training_step(SparseTrainer, SparseArgs)
    tests.test_sparse_overfits(SparseTrainer, SparseArgs, Autoencoder)

# %%
if MAIN:
    galaxy_vae = VAETrainer(VAEArgs(dataset="CELEB", epochs=10)).train()

# %% [markdown]
# ### kl_between
#
# 0.5 · Bonus: more autoencoders · difficulty 3/5, importance 2/5, about 15 minutes, optional

# %%
def kl_between(
    mu_q: Float[Tensor, "batch latent"],
    logsigma_q: Float[Tensor, "batch latent"],
    mu_p: Float[Tensor, "batch latent"],
    logsigma_p: Float[Tensor, "batch latent"],
) -> Float[Tensor, ""]:
    """Give KL(q ‖ p) of two normal variables, the mean over batch and dimensions, in nats."""
    raise NotImplementedError()

# %%
if MAIN:
    tests.test_kl_between(kl_between)

# %% [markdown]
# ### HierarchicalVAE
#
# 0.5 · Bonus: more autoencoders · difficulty 4/5, importance 2/5, about 35 minutes, optional

# %%
class HierarchicalVAE(VAE):
    """A VAE whose prior is learnt: a few numbers at the top say where the latents will be."""

    def __init__(self, latent_dim_size: int, hidden_dim_size: int, top_dim_size: int = 2) -> None:
        """Make, beside what a VAE has, `top_encoder` and `prior`.

        top_encoder: (batch, latent) to (2, batch, top), a linear map to `hidden_dim_size`, ReLU,
        and a linear map; a mean and a log-deviation for each number at the top.
        prior: (batch, top) to (2, batch, latent), made in the same way.
        """
        super().__init__(latent_dim_size, hidden_dim_size)
        self.top_dim_size = top_dim_size
        raise NotImplementedError()

    def forward(
        self, x: Float[Tensor, "batch 1 28 28"]
    ) -> tuple[Float[Tensor, "batch 1 28 28"], Float[Tensor, ""], Float[Tensor, ""]]:
        """Draw latents of pictures, and the top of latents; decode the latents.

        Returns:
            Pictures; KL of the latents from what `prior` makes of the top; KL of the top from
            N(0, 1). Both as means over batch and dimensions.
        """
        raise NotImplementedError()

    def sample(self, top: Float[Tensor, "batch top"]) -> Float[Tensor, "batch 1 28 28"]:
        """Make pictures from the top down: latents are drawn from `prior`, then decoded."""
        raise NotImplementedError()


class HierarchicalVAETrainer(VAETrainer):
    """Train a HierarchicalVAE; `beta_kl` weighs each level by its number of dimensions."""

    def make_model(self) -> nn.Module:
        """Give the model that is trained, with random weights."""
        if self.args.dataset != "MNIST":
            raise ValueError("a HierarchicalVAE takes digits: leave dataset at 'MNIST'")
        return HierarchicalVAE(self.args.latent_dim_size, self.args.hidden_dim_size)

    def training_step(self, img: Float[Tensor, "batch 1 28 28"]) -> Float[Tensor, ""]:
        """Take one step of the optimizer on a batch, and give the loss before it."""
        made, latent_kl, top_kl = self.model(img)
        reconstruction = F.mse_loss(made, img)
        weight = self.model.top_dim_size / self.model.latent_dim_size
        loss = reconstruction + self.args.beta_kl * (latent_kl + weight * top_kl)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.run.log(reconstruction=reconstruction, latent_kl=latent_kl, top_kl=top_kl)
        return loss

    def log_samples(self) -> None:
        """Store and show what the model makes of the top."""
        with looking_at(self.model):
            top = torch.randn(20, self.model.top_dim_size).to(pick_device())
            self.run.pictures("samples", grey_levels(self.model.sample(top)), n_cols=10)


if MAIN:
    project = "day5-hierarchical-vae"
    args = VAEArgs(latent_dim_size=10, epochs=12, batch_size=128, wandb_project=project)
    hierarchical = HierarchicalVAETrainer(args).train()
    with torch.inference_mode():
        new_digits = hierarchical.sample(torch.randn(20, 2, device=pick_device()))
    display_data(new_digits, nrows=2, title="From two numbers at the top")

# %%
if MAIN:
    tests.test_hierarchical_vae(HierarchicalVAE)
    tests.test_hierarchical_vae_levels(HierarchicalVAE, kl_between, kl_divergence)
    tests.test_hierarchical_vae_draws(HierarchicalVAE, kl_between, kl_divergence)
    tests.test_hierarchical_vae_overfits(HierarchicalVAETrainer, VAEArgs, HierarchicalVAE)
