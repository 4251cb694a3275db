"""0.5 VAEs & GANs: networks that squeeze pictures into a few numbers, and make pictures of them."""

# %%
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from einops.layers.torch import Rearrange
from jaxtyping import Float
from part2_cnns.utils import pick_device, print_param_count
from torch import Tensor, nn

import part5_vaes_and_gans.tests as tests  # noqa: F401
from part5_vaes_and_gans.utils import (
    Run,
    display_data,
    fit_sizes,
    grey_levels,
    holdout_digits,
    load_dataset,
    load_digits,
    looking_at,
    plot_counts,
    plot_values,
    prepare,
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
    dataset: str = "MNIST"
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
        return Autoencoder(self.args.latent_dim_size, self.args.hidden_dim_size)

    def training_step(self, img: Float[Tensor, "batch 1 28 28"]) -> Float[Tensor, ""]:
        """Take one step of the optimizer on a batch.

        Returns:
            The mean squared difference between the pictures and what the model makes of them,
            as it was before the step.
        """
        raise NotImplementedError()

    def log_samples(self) -> None:
        """Store and show held-out digits, what the model makes of them, and its latent space."""
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
    holdout, testset = holdout_digits(), load_digits(train=False)
    device = next(model.parameters()).device
    with looking_at(model):
        made = reconstruct(holdout.to(device)).cpu()
        grid = create_grid_of_latents(model, (-scale, scale))
        run.pictures("reconstructions", grey_levels(torch.cat([holdout, made])), n_cols=10)
        run.pictures("latent_grid", grey_levels(model.decoder(grid)), n_cols=11)
        latents = latents_of(model, testset.images[:1000])
        places = latents_of(model, holdout)
        run.figure("latents", visualise_input(latents, testset.labels[:1000], places, holdout))


if MAIN:
    autoencoder = AutoencoderTrainer(AutoencoderArgs()).train()

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
        return VAE(self.args.latent_dim_size, self.args.hidden_dim_size)

    def training_step(self, img: Float[Tensor, "batch 1 28 28"]) -> Float[Tensor, ""]:
        """Take one step of the optimizer on a batch.

        Returns:
            The mean squared difference plus `args.beta_kl` times the mean KL divergence, as it was
            before the step.
        """
        raise NotImplementedError()

    def log_samples(self) -> None:
        """Store and show reconstructions, new digits, and the latent space."""
        with looking_at(self.model):
            device = next(self.model.parameters()).device
            z = torch.randn(20, self.args.latent_dim_size, device=device)
            self.run.pictures("samples", grey_levels(self.model.decoder(z)), n_cols=10)
        log_pictures(self.run, self.model, lambda img: self.model(img)[0], scale=2.0)

    def train(self) -> nn.Module:
        """Train for `args.epochs` epochs, and give the model; steps as in AutoencoderTrainer."""
        with self.run:
            raise NotImplementedError()
            self.log_samples()
        return self.model


if MAIN:
    vae = VAETrainer(VAEArgs()).train()

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
    nats = compare_betas([0.01, 0.1, 1.0])
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
        """Store and show held-out digits with noise, and what the model makes of them."""
        img = holdout_digits()
        with looking_at(self.model):
            noisy = img + self.args.noise * torch.randn_like(img)
            made = self.model(noisy.to(next(self.model.parameters()).device)).cpu()
        rows = torch.cat([img, noisy, made])
        self.run.pictures("denoised", grey_levels(rows), n_cols=10)


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
    sizes = {"latent_dim_size": 10, "epochs": 12, "batch_size": 128}
    args = VAEArgs(wandb_project="day5-hierarchical-vae", **sizes)
    hierarchical = HierarchicalVAETrainer(args).train()
    with torch.inference_mode():
        new_digits = hierarchical.sample(torch.randn(20, 2, device=pick_device()))
    display_data(new_digits, nrows=2, title="From two numbers at the top")

# %%
if MAIN:
    tests.test_hierarchical_vae(HierarchicalVAE)
    tests.test_hierarchical_vae_levels(HierarchicalVAE, kl_between, kl_divergence)
