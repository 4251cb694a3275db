"""Checks of 0.5 VAEs & GANs: expected values come from torch, from draws, or are worked by hand."""

import contextlib
import functools
import inspect
import io
import itertools
import tempfile
from pathlib import Path
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from arena_lab.checks import call, checks, expect, fail, raises, require

# Optimizers import it when they are first used, in seconds: the runner does it once for all tests.
IMPORTED_AHEAD = ("torch._dynamo",)

# --- helpers of the autoencoders --------------------------------------------------------------


def number(loss):
    """Give a loss as a number, whether it hangs on a graph or is one already."""
    return torch.as_tensor(loss).detach().item()


def strokes(n, seed=0):
    """Make pictures like normalised digits: dark, with some bright blocks, the same each time."""
    generator = torch.Generator().manual_seed(seed)
    coarse = (torch.rand(n, 1, 7, 7, generator=generator) > 0.7).float()
    return (coarse.repeat_interleave(4, 2).repeat_interleave(4, 3) - 0.3) * 2


def gaussians(batch=6, latent=3, seed=0):
    """Make means and log-deviations of normal variables."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, batch, latent, generator=generator).mul(0.7).unbind()


def named_forward(function, name):
    """Give a function a name for messages."""

    def forward(*args):
        return function(*args)

    forward.__name__ = name
    return forward


def part_of(model, name, made):
    """Give a part of a model that the exercise names."""
    part = getattr(model, name, None)
    if not isinstance(part, nn.Module):
        fail(f"{made} has no module called {name}", it_is=repr(part))
    return part


def expect_part(model, name, wanted, *, made):
    """Check the shapes of a part's parameters, in their order."""
    have = [tuple(value.shape) for value in part_of(model, name, made).state_dict().values()]
    if have == wanted:
        return
    n_kernels = sum(len(shape) == 4 for shape in have)
    n_biases = sum(len(shape) == 1 for shape in have)
    if n_kernels == 2 and n_biases > 2:
        fail(f"{made}: a convolution of the {name} has a bias; make it with bias=False")
    if n_biases < 2 and n_kernels == 2:
        fail(f"{made}: a linear map of the {name} has no bias, or is missing")
    if any(len(shape) == 4 and shape[2:] != (4, 4) for shape in have):
        fail(f"{made}: a kernel of the {name} is not 4 × 4")
    if sorted(have) == sorted(wanted):
        fail(f"{made}: the layers of the {name} stand in the wrong order", shapes=repr(have))
    fail(f"{made}: parameters of the {name} are wrong", they_are=repr(have), expected=repr(wanted))


def encoder_shapes(n_out, hidden):
    return [(16, 1, 4, 4), (32, 16, 4, 4), (hidden, 1568), (hidden,), (n_out, hidden), (n_out,)]


def decoder_shapes(latent, hidden):
    ends = [(hidden, latent), (hidden,), (1568, hidden), (1568,)]
    return [*ends, (32, 16, 4, 4), (16, 1, 4, 4)]


def reference_encode(values, x, without=-1, relu_at_end=False):
    """Encode with a part's parameters; `without` leaves out a ReLU."""
    for i, kernel in enumerate(values[:2]):
        x = F.conv2d(x, kernel, stride=2, padding=1)
        x = x if i == without else x.relu()
    x = F.linear(x.flatten(1), *values[2:4])
    x = F.linear(x if without == 2 else x.relu(), *values[4:])
    return x.relu() if relu_at_end else x


def reference_decode(values, z, without=-1, relu_at_end=False):
    """Decode with a part's parameters; `without` leaves out a ReLU."""
    x = F.linear(z, *values[:2])
    x = F.linear(x if without == 0 else x.relu(), *values[2:4]).reshape(-1, 32, 7, 7)
    x = F.conv_transpose2d(x if without == 1 else x.relu(), values[4], stride=2, padding=1)
    x = F.conv_transpose2d(x if without == 2 else x.relu(), values[5], stride=2, padding=1)
    return x.relu() if relu_at_end else x


def expect_layers(model, name, x, reference, reshape=lambda out: out, *, made):
    """Compare a part with the layers that it should have, and tell where a ReLU is wrong."""
    part = part_of(model, name, made)
    values = [value.detach() for value in part.state_dict().values()]
    right = reshape(reference(values, x))
    mistakes = {
        f"a ReLU of the {name} is missing, the one before layer {i + 2} of 4": reshape(
            reference(values, x, without=i)
        )
        for i in range(3)
    }
    ends = {
        "encoder": "there is a ReLU after the encoder's last layer: latents may be negative",
        "decoder": "there is a ReLU after the decoder's last layer: pixels may be negative",
    }
    mistakes[ends[name]] = reshape(reference(values, x, relu_at_end=True))
    with torch.no_grad():
        call(named_forward(part, f"{made}.{name}"), x).gives(right, mistakes=mistakes, atol=1e-5)


def scaled_up(model):
    """Draw larger weights, so that each layer shows in what comes out."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in model.parameters():
            fan_in = max(value[0].numel(), 1) if value.ndim > 1 else 4
            value.copy_(torch.randn(value.shape, generator=generator) * (2 / fan_in) ** 0.5)
    return model


@contextlib.contextmanager
def kept_aside(pictures):
    """Train on a few pictures, write into a folder that is thrown away, and say nothing."""
    from part2_cnns.utils import Pictures

    from part5_vaes_and_gans import utils

    pixels = ((pictures.clamp(-0.4, 2.8) * 0.3081 + 0.1307) * 255).clamp(0, 255).byte()
    names = [str(digit) for digit in range(10)]
    few = Pictures(pixels, torch.zeros(len(pictures), dtype=torch.int64), ((0.1307,), (0.3081,)),
                   names)  # fmt: skip
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(utils, "RUNS", Path(folder)),
        patch.object(utils.Run, "figure"),
        patch.object(utils, "in_notebook", lambda: False),
        patch("tqdm.auto.tqdm", functools.partial(tqdm, disable=True)),
        patch.object(utils, "load_digits", lambda train=True: few),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield


class PlainAutoencoder(nn.Module):
    """A small linear autoencoder, which notes what it was called with."""

    latent_dim_size = 3

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 3))
        self.decoder = nn.Sequential(nn.Linear(3, 784), nn.Unflatten(1, (1, 28, 28)))
        self.seen = []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return self.decoder(self.encoder(x))


class PlainVAE(nn.Module):
    """A small linear VAE whose noise is zero."""

    latent_dim_size = 3

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 6), nn.Unflatten(1, (2, 3)))
        self.decoder = nn.Sequential(nn.Linear(3, 784), nn.Unflatten(1, (1, 28, 28)))

    def sample_latent_vector(self, x):
        mu, logsigma = self.encoder(x).unbind(1)
        return mu, mu, logsigma

    def forward(self, x):
        z, mu, logsigma = self.sample_latent_vector(x)
        return self.decoder(z), mu, logsigma


LR = 0.05


def trainer_of(Trainer, Args, model, n=24, **settings):
    """Make a trainer, and give it a small model and plain gradient descent."""
    args = Args(use_wandb=False, batch_size=8, epochs=3, **settings)
    trainer = Trainer(args)
    trainer.model = model
    trainer.optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    return trainer


def expect_step(trainer, img, losses, *, of):
    """Check the loss of a step, then what the step changes.

    `losses` are functions of the model: the right one under "", and each mistake's.
    """
    model = trainer.model
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    values = {sentence: loss(model).detach() for sentence, loss in losses.items()}
    (gradients,) = [torch.autograd.grad(losses[""](model), list(model.parameters()))]
    for value in model.parameters():
        value.grad = torch.full_like(value, 3.0)  # as if left over from the step before
    result = call(named_forward(trainer.training_step, f"{of}.training_step"), img).value
    if result is None:
        fail("training_step returns nothing: return the loss")
    right = values.pop("")
    mistakes = {s: v for s, v in values.items() if not torch.isclose(v, right, rtol=1e-3)}
    expect(number(result), right.item(), of="the loss that training_step returns", mistakes={
        sentence: value.item() for sentence, value in mistakes.items()
    }, rtol=1e-3)  # fmt: skip
    expect_descent(model, before, gradients)


def expect_descent(model, before, gradients):
    """Check that each parameter has gone one step of plain gradient descent."""
    for (name, value), gradient in zip(model.named_parameters(), gradients, strict=True):
        moved = before[name] - value.detach()
        if torch.allclose(moved, LR * gradient, 1e-3, 1e-5):
            continue
        if not moved.any():
            fail("the step changes no parameter: optimizer.step() is missing")
        if torch.allclose(moved, torch.full_like(moved, 3 * LR)):
            fail("no gradient is computed: loss.backward() is missing")
        if torch.allclose(moved, LR * (gradient + 3), 1e-3, 1e-4):
            fail(
                "the gradients of the step before are added to those of this one: call "
                "optimizer.zero_grad() before loss.backward()"
            )
        if torch.allclose(moved, 2 * LR * gradient, 1e-3, 1e-5):
            fail("the step is taken twice")
        fail(f"{name} changes by something else than its gradient of the loss", by=moved,
             expected=LR * gradient)  # fmt: skip


def expect_loop(Trainer, Args, model, *, of):
    """Check the loop of `train` with a step that only notes what it gets."""
    images, logged, modes = [], [], []

    def step(img):
        images.append(img)
        modes.append(trainer.model.training)
        return torch.tensor(1.0 / len(images), requires_grad=True)

    with kept_aside(strokes(20)):
        trainer = trainer_of(Trainer, Args, model, log_every_n_steps=2)
        trainer.training_step = step
        trainer.log_samples = lambda: logged.append(trainer.step)
        trainer.train()
        n_noted = len(trainer.run.history.get("loss", []))
    n_wanted = 9  # three batches, three epochs
    require(len(images) > 0, f"{of}.train never calls training_step")
    if not isinstance(images[0], torch.Tensor) or tuple(images[0].shape) != (8, 1, 28, 28):
        fail("training_step must get the pictures alone, (batch, 1, 28, 28); the loader gives "
             "(pictures, labels)", it_got=repr(type(images[0])))  # fmt: skip
    if len(images) == 3:
        fail("the loop runs for one epoch; it must run for args.epochs, here 3")
    if len(images) != n_wanted:
        fail(f"3 epochs of 3 batches took {len(images)} steps; expected {n_wanted}")
    require(all(modes), "the model trains in evaluation mode: call model.train() before the loop")
    if trainer.step != n_wanted:
        fail(f"after 9 batches trainer.step is {trainer.step}: count one for each batch")
    if n_noted != n_wanted:
        fail(f"run.log(loss=...) noted {n_noted} losses of 9: call it after each step")
    *within, last = logged
    if not within:
        fail("log_samples is never called inside the loop: call it every log_every_n_steps steps")
    if within != [2, 4, 6, 8]:
        fail(
            "log_samples must be called every log_every_n_steps steps, here after steps 2, 4, 6, 8",
            called_after_steps=repr(within),
        )
    require(last == 9, "what stands after the loop in train must stay")


def expect_overfitting(Trainer, args, *, of, factor):
    """Check that a trainer learns one batch by heart, nearly."""
    img = strokes(8)
    with kept_aside(img):
        torch.manual_seed(0)
        trainer = Trainer(args)
        losses = [number(trainer.training_step(img)) for _ in range(40)]
    first, last = sum(losses[:3]) / 3, sum(losses[-3:]) / 3
    if not last < factor * first:
        fail(f"{of} does not learn eight pictures by heart in 40 steps", loss_at_first=first,
             loss_at_last=last)  # fmt: skip


# --- Autoencoders -----------------------------------------------------------------------------

SIZES = [(5, 128), (2, 10)]


def expect_shapes(model, latent, *, made):
    """Check that pictures become latents and pictures again."""
    for name, want in (("latent_dim_size", latent),):
        have = getattr(model, name, None)
        require(have == want, f"{made}.{name} is {have!r}; it must be {want}")
    decoder = part_of(model, "decoder", made)
    for batch in (1, 3):
        with torch.no_grad():
            out = call(named_forward(decoder, f"{made}.decoder"), torch.zeros(batch, latent)).value
        shape, want = tuple(out.shape), (batch, 1, 28, 28)
        if shape != want:
            fail(f"the decoder gives {shape} for {batch} latent vectors; it must be {want}")


@checks("Autoencoder")
def test_autoencoder(Autoencoder):
    for latent, hidden in SIZES:
        made = f"Autoencoder({latent}, {hidden})"
        model = Autoencoder(latent, hidden)
        encoder = part_of(model, "encoder", made)
        for batch in (1, 3):
            with torch.no_grad():
                code = encoder(strokes(batch))
            shape, want = tuple(code.shape), (batch, latent)
            require(shape == want, f"{made}.encoder gives {shape}; it must be {want}")
            expect_shapes(model, latent, made=made)
            with torch.no_grad():
                out = call(named_forward(model, made), strokes(batch)).value
            if not isinstance(out, torch.Tensor):
                fail("forward must return the pictures alone", returned=repr(type(out)))
            shape, want = tuple(out.shape), (batch, 1, 28, 28)
            require(shape == want, f"{made} gives {shape}; it must be {want}")


@checks("Autoencoder")
def test_autoencoder_layers(Autoencoder):
    for latent, hidden in SIZES:
        made = f"Autoencoder({latent}, {hidden})"
        model = scaled_up(Autoencoder(latent, hidden))
        expect_part(model, "encoder", encoder_shapes(latent, hidden), made=made)
        expect_part(model, "decoder", decoder_shapes(latent, hidden), made=made)
        expect_layers(model, "encoder", strokes(2), reference_encode, made=made)
        z, _ = gaussians(2, latent)
        expect_layers(model, "decoder", z, reference_decode, made=made)
        x = strokes(2)
        with torch.no_grad():
            right = model.decoder(model.encoder(x))
            call(named_forward(model, made), x).gives(right, mistakes={
                "forward gives the pictures back as they are": x
            }, atol=1e-5)  # fmt: skip


@checks("AutoencoderTrainer")
def test_autoencoder_training_step(AutoencoderTrainer, AutoencoderArgs):
    img = strokes(8)
    with kept_aside(strokes(24)):
        torch.manual_seed(0)
        trainer = trainer_of(AutoencoderTrainer, AutoencoderArgs, PlainAutoencoder())
        expect_step(trainer, img, {
            "": lambda m: F.mse_loss(m(img), img),
            "the squares are summed; take the mean": lambda m: (m(img) - img).square().sum(),
            "the squares of a picture are summed; take the mean over its pixels too":
                lambda m: (m(img) - img).square().sum((1, 2, 3)).mean(),
            "the mean of absolute differences is taken; square them":
                lambda m: (m(img) - img).abs().mean(),
            "the root of the mean is taken; leave it": lambda m: F.mse_loss(m(img), img).sqrt(),
            "the squares of what the model makes are taken; subtract the pictures":
                lambda m: m(img).square().mean(),
            "the loss has the wrong sign": lambda m: -F.mse_loss(m(img), img),
        }, of="AutoencoderTrainer")  # fmt: skip


@checks("AutoencoderTrainer")
def test_autoencoder_train(AutoencoderTrainer, AutoencoderArgs):
    expect_loop(AutoencoderTrainer, AutoencoderArgs, PlainAutoencoder(), of="AutoencoderTrainer")


@checks("AutoencoderTrainer")
def test_autoencoder_overfits(AutoencoderTrainer, AutoencoderArgs, Autoencoder):
    args = AutoencoderArgs(5, 64, batch_size=8, epochs=1, lr=5e-3, use_wandb=False)
    expect_overfitting(AutoencoderTrainer, args, of="AutoencoderTrainer", factor=0.7)


# --- VAEs -------------------------------------------------------------------------------------


@checks("VAE")
def test_vae(VAE):
    for latent, hidden in SIZES:
        made = f"VAE({latent}, {hidden})"
        model = scaled_up(VAE(latent, hidden))
        x = strokes(3)
        with torch.no_grad():
            code = part_of(model, "encoder", made)(x)
        want = (2, 3, latent)
        if isinstance(code, torch.Tensor) and tuple(code.shape) in ((3, 2 * latent),
                                                                     (3, 2, latent)):  # fmt: skip
            fail(f"the encoder gives {tuple(code.shape)}: means and log-deviations must be stacked "
                 f"in front, {want}")  # fmt: skip
        shape = tuple(getattr(code, "shape", ()))
        require(shape == want, f"{made}.encoder gives {shape or type(code)}; it must be {want}")
        expect_shapes(model, latent, made=made)
        expect_part(model, "encoder", encoder_shapes(2 * latent, hidden), made=made)
        expect_part(model, "decoder", decoder_shapes(latent, hidden), made=made)
        expect_layers(model, "decoder", gaussians(2, latent)[0], reference_decode, made=made)
        for method, n in (("sample_latent_vector", 3), ("forward", 3)):
            result = getattr(model, method)(x)
            if not isinstance(result, tuple | list) or len(result) != n:
                fail(f"{method} must give three tensors", returned=repr(type(result)))


@checks("VAE")
def test_vae_encoder_halves(VAE):
    model = scaled_up(VAE(2, 10))
    halves = {
        "means and log-deviations are interleaved; the first half of the outputs are the means":
            lambda out: out.unflatten(1, (2, 2)).permute(2, 0, 1),
        "pictures and halves are mixed by a reshape; use rearrange, or permute the axes":
            lambda out: out.reshape(2, 2, 2),
    }  # fmt: skip
    x = strokes(2)
    values = [value.detach() for value in model.encoder.state_dict().values()]
    out = reference_encode(values, x)
    mistakes = {sentence: split(out) for sentence, split in halves.items()}
    with torch.no_grad():
        encoded = model.encoder(x)
    # Either split is a right one as long as no picture's numbers go to another picture.
    right = out.unflatten(1, (2, 2)).transpose(0, 1)
    interleaved = mistakes.pop(next(iter(mistakes)))
    if torch.allclose(encoded, interleaved, 1e-3, 1e-4):
        return
    for i in range(3):
        mistakes[f"a ReLU of the encoder is missing, the one before layer {i + 2} of 4"] = (
            reference_encode(values, x, without=i).unflatten(1, (2, 2)).transpose(0, 1)
        )
    expect(encoded, right, of="VAE(2, 10).encoder(x)", mistakes=mistakes, atol=1e-4)


class FixedEncoder(nn.Module):
    """An encoder that gives the same means and log-deviations for any pictures."""

    def __init__(self, code):
        super().__init__()
        self.code = code

    def forward(self, x):
        return self.code


def vae_with(VAE, n, mu, logsigma):
    """Make a VAE whose encoder gives these for each of n pictures."""
    model = VAE(len(mu), 10)
    code = torch.stack([mu, logsigma])[:, None].repeat(1, n, 1).requires_grad_()
    model.encoder = FixedEncoder(code)
    return model, code, torch.zeros(n, 1, 28, 28)


MU, LOGSIGMA = torch.tensor([2.0, -1.0, 0.0]), torch.tensor([-0.5, 0.4, 1.0])


@checks("VAE")
def test_vae_sample(VAE):
    n = 6000
    model, code, x = vae_with(VAE, n, MU, LOGSIGMA)
    torch.manual_seed(0)
    z, mu, logsigma = model.sample_latent_vector(x)
    of = "sample_latent_vector(x)"
    shape, want = tuple(z.shape), (n, 3)
    require(shape == want, f"{of}: the latent vectors have the shape {shape}; expected {want}")
    if torch.equal(mu, z) and not torch.equal(mu, code[0]):
        fail(f"{of} must give the latent vectors first, then means and log-deviations")
    expect(mu, code[0], of=f"the means that {of} gives")
    expect(logsigma, code[1], of=f"the log-deviations that {of} gives", mistakes={
        "the deviations come back; give their logarithms, as the encoder does": code[1].exp()
    })  # fmt: skip
    expect_drawn(z.detach(), of)


def expect_drawn(z, of):
    """Check mean and deviation of draws, and that each is a draw of its own."""
    noise = z - MU
    if not noise.any():
        fail(f"{of} gives the means themselves: nothing is drawn")
    deviations = z.std(0)
    if (deviations < 1e-3).any():
        fail("all pictures of a batch get the same noise; draw some for each, as large as the mean")
    sigma = LOGSIGMA.exp()
    expect(deviations, sigma, of="the deviation of 6,000 draws", rtol=0.06, mistakes={
        "sigma is taken for the variance: scale by exp(logsigma), not by its root":
            sigma.sqrt(),
        "the variance scales the noise; scale it by sigma = exp(logsigma)": sigma**2,
        "logsigma scales the noise; take its exponential": LOGSIGMA.abs(),
        "the noise is not scaled": torch.ones(3),
        "the noise is uniform; it must be normal (randn_like, not rand_like)": sigma / 12**0.5,
    })  # fmt: skip
    expect(z.mean(0), MU, of="the mean of 6,000 draws", atol=0.12, rtol=0, mistakes={
        "the mean is not added": 0 * MU,
    })  # fmt: skip
    scaled = noise / sigma
    if (torch.corrcoef(scaled.T) - torch.eye(3)).abs().max() > 0.1:
        fail("all dimensions of a picture get the same noise; draw some for each")


@checks("VAE")
def test_vae_gradient_path(VAE):
    model, code, x = vae_with(VAE, 50, MU, LOGSIGMA)
    torch.manual_seed(0)
    z = model.sample_latent_vector(x)[0]
    if not z.requires_grad:
        fail(
            "no gradient goes from the latent vectors to the encoder: draw noise first, then scale "
            "it and add the mean, outside of no_grad and without detach"
        )
    z.sum().backward()
    wanted = torch.stack([torch.ones(50, 3), (z - code[0]).detach()])
    names = ("mean", "log-deviation")
    for name, gradient, want in zip(names, code.grad, wanted, strict=True):
        if not gradient.any():
            fail(f"no gradient goes from the latent vectors to the {name}; detach nothing")
        expect(gradient, want, of=f"the gradient of z.sum() for the {name}", atol=1e-4)


@checks("VAE")
def test_vae_forward(VAE):
    model, code, x = vae_with(VAE, 400, MU, LOGSIGMA)
    seen = []

    class Seen(nn.Module):
        def forward(self, z):
            seen.append(z.detach())
            return z.sum(1)[:, None, None, None].expand(-1, 1, 28, 28) * torch.ones(1, 1, 28, 28)

    model.decoder = Seen()
    torch.manual_seed(0)
    out, mu, logsigma = model(x)
    require(len(seen) == 1, f"forward runs the decoder {len(seen)} times; once is enough")
    if torch.equal(seen[0], code[0].detach()):
        fail("the decoder gets the means; it must get the latent vectors that were drawn")
    shape = tuple(out.shape)
    require(shape == (400, 1, 28, 28), f"forward must give the pictures first; it gives {shape}")
    expect(mu, code[0], of="the means that forward gives")
    expect(logsigma, code[1], of="the log-deviations that forward gives")


def kl_mistakes(mu, logsigma, reduce):
    """Compute what likely mistakes in the KL divergence give."""
    sigma = logsigma.exp()
    right = (mu**2 + sigma**2 - 1) / 2 - logsigma
    return {
        "sigma is taken for the variance; it is squared: exp(2 · logsigma)":
            reduce((mu**2 + sigma - 1) / 2 - logsigma),
        "logsigma is taken for the logarithm of the variance; that is 2 · logsigma":
            reduce((mu**2 + sigma - 1 - logsigma) / 2),
        "the KL has the wrong sign": reduce(-right),
        "the KL is twice too large: the factor 1/2 is missing": reduce(2 * right),
        "the mean is not squared": reduce((mu + sigma**2 - 1) / 2 - logsigma),
        "the sign of logsigma is wrong; it is subtracted":
            reduce((mu**2 + sigma**2 - 1) / 2 + logsigma),
        "the 1 is missing: the KL of N(0, 1) from itself must be 0":
            reduce((mu**2 + sigma**2) / 2 - logsigma),
        "logsigma is used where sigma belongs": reduce((mu**2 + logsigma**2 - 1) / 2 - logsigma),
    }  # fmt: skip


@checks("kl_divergence")
def test_kl_divergence(kl_divergence):
    mu, logsigma = gaussians()
    each = (mu**2 + (2 * logsigma).exp() - 1) / 2 - logsigma
    sums = {
        "the KL is summed over batch and dimensions; take the mean over both": each.sum(),
        "the KL is summed over the dimensions; take the mean over both axes": each.sum(1).mean(),
        "the KL is summed over the batch; take the mean over both axes": each.sum(0).mean(),
        "there is a KL for each number; take the mean of all": each,
        "there is a KL for each picture; take the mean of all": each.mean(1),
    }
    mistakes = kl_mistakes(mu, logsigma, torch.mean) | sums
    expect_kl(kl_divergence, mu, logsigma, each.mean(), mistakes)
    zero = torch.zeros(4, 3)
    # Worked by hand: (1 + 1 - 1) / 2, and (4 - 1) / 2 - log 2.
    for mu, logsigma, right in ((zero, zero, 0.0), (zero + 1, zero, 0.5),
                                (zero, zero + 0.6931472, 0.8068528)):  # fmt: skip
        mistakes = kl_mistakes(mu, logsigma, torch.mean)
        expect_kl(kl_divergence, mu, logsigma, torch.tensor(right), mistakes)


def expect_kl(kl_divergence, mu, logsigma, right, mistakes):
    known = {
        sentence: value
        for sentence, value in mistakes.items()
        if value.shape != right.shape or not torch.isclose(value, right, atol=1e-4)
    }
    call(kl_divergence, mu, logsigma).gives(right, mistakes=known, atol=1e-5)


@checks("kl_divergence")
def test_kl_divergence_is_the_mean_of_draws(kl_divergence):
    mu, logsigma = gaussians(4, 2, seed=1)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(40_000, 4, 2, generator=generator)
    z = mu + logsigma.exp() * noise
    drawn = ((z**2 - noise**2) / 2 - logsigma).mean()  # log q(z) - log p(z)
    value = float(call(kl_divergence, mu, logsigma).value)
    if abs(value - drawn) > 0.02:
        fail(
            "the KL is not what draws give: the mean of log q(z) - log p(z) over 40,000 of them",
            returned=value,
            draws_give=drawn,
        )


def kl_of(mu, logsigma):
    return ((mu**2 + (2 * logsigma).exp() - 1) / 2 - logsigma).mean()


def vae_losses(img, beta):
    """Give the loss of a VAE, under "", and those of likely mistakes, as functions of it."""

    def with_kl(kl, squares=torch.mean):
        def loss(model):
            out, mu, logsigma = model(img)
            return squares((out - img) ** 2) + kl(mu, logsigma)

        return loss

    kinds = list(kl_mistakes(*gaussians(), torch.mean))
    wrong_kl = {
        kind: with_kl(lambda m, s, kind=kind: beta * kl_mistakes(m, s, torch.mean)[kind])
        for kind in kinds
    }
    wrong_kl["the KL has the wrong sign: it is added to the loss"] = wrong_kl.pop(
        "the KL has the wrong sign"
    )
    n = img.shape[0]
    return {"": with_kl(lambda m, s: beta * kl_of(m, s))} | wrong_kl | {
        "the KL is missing": with_kl(lambda m, s: 0),
        "beta_kl is not used": with_kl(kl_of),
        "the KL is summed over the dimensions; take the mean over both axes":
            with_kl(lambda m, s: beta * m.shape[1] * kl_of(m, s)),
        "the KL is summed over batch and dimensions; take the mean over both":
            with_kl(lambda m, s: beta * m.numel() * kl_of(m, s)),
        "the squares are summed; take the mean": with_kl(lambda m, s: beta * kl_of(m, s),
                                                         torch.sum),
        "the squares of a picture are summed; take the mean over its pixels too":
            with_kl(lambda m, s: beta * kl_of(m, s), lambda squares: squares.sum() / n),
    }  # fmt: skip


@checks("VAETrainer")
def test_vae_training_step(VAETrainer, VAEArgs):
    img = strokes(8)
    with kept_aside(strokes(24)):
        torch.manual_seed(0)
        trainer = trainer_of(VAETrainer, VAEArgs, PlainVAE(), beta_kl=0.4)
        expect_step(trainer, img, vae_losses(img, 0.4), of="VAETrainer")


@checks("VAETrainer")
def test_vae_train(VAETrainer, VAEArgs):
    expect_loop(VAETrainer, VAEArgs, PlainVAE(), of="VAETrainer")


@checks("VAETrainer")
def test_vae_overfits(VAETrainer, VAEArgs, VAE, kl_divergence):
    args = VAEArgs(5, 64, batch_size=8, epochs=1, lr=5e-3, use_wandb=False, beta_kl=0.01)
    expect_overfitting(VAETrainer, args, of="VAETrainer", factor=0.8)


# --- helpers of the GANs ----------------------------------------------------------------------


def draws(*shape, seed=0):
    """Make numbers of both signs, the same each time."""
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator)


def shown_as(made, function):
    """Give a function a name for messages."""

    def forward(*args):
        return function(*args)

    forward.__name__ = made
    return forward


def other_than(right, mistakes):
    """Leave out mistakes that give the right result for these arguments."""

    def same(value):
        return value.shape == right.shape and torch.allclose(value, right, 1e-3, 1e-5)

    return {sentence: value for sentence, value in mistakes.items() if not same(value)}


def expect_same_gradient(module, reference, made):
    """Compare a module's derivative with that of torch's function, at numbers of any size."""
    x = torch.tensor([-1000.0, -100.0, -3.0, 0.5, 2.0, 100.0, 1000.0])
    slopes = []
    for function in (module, reference):
        leaf = x.clone().requires_grad_()
        out = function(leaf)
        require(out.requires_grad, f"{made}(x) is cut off from x: compute it with torch alone")
        out.sum().backward()
        slopes.append(leaf.grad)
    if slopes[0].isnan().any():
        fail(
            f"{made}: the gradient is NaN for large numbers: a power of e becomes infinite on the "
            "way, even if the result does not show it",
            x=x,
            gradient=slopes[0],
        )
    expect(slopes[0], slopes[1], of=f"the gradient of {made}()(x)", atol=1e-5)


@checks("Tanh")
def test_Tanh(Tanh):
    x = torch.tensor([[-2.0, -0.5, 0.0], [0.1, 1.0, 3.0]])
    mistakes = {
        "this is the sigmoid; tanh goes from −1 to 1": x.sigmoid(),
        "this is the hyperbolic sine; divide by exp(x) + exp(−x)": x.sinh(),
        "the sign in the exponent is missing: this is tanh(−x)": -x.tanh(),
        "the exponent needs a factor 2: this is tanh(x / 2)": (x / 2).tanh(),
        "this is its inverse, exp(x) + exp(−x) over exp(x) − exp(−x)": 1 / x.tanh(),
    }
    call(shown_as("Tanh()", Tanh()), x).gives(x.tanh(), mistakes=mistakes)


@checks("Tanh")
def test_Tanh_of_large_numbers(Tanh):
    x = torch.tensor([-1000.0, -100.0, -50.0, 50.0, 100.0, 1000.0])
    sentence = "large numbers give NaN: exp overflows, and infinity over infinity is no number"
    have = Tanh()(x)
    require(not have.isnan().any(), f"Tanh: {sentence}", x=x, returned=have)
    call(shown_as("Tanh()", Tanh()), x).gives(x.tanh())
    expect_same_gradient(Tanh(), torch.tanh, "Tanh")


@checks("LeakyReLU")
def test_LeakyReLU(LeakyReLU):
    x = torch.tensor([-4.0, -0.5, 0.0, 0.5, 3.0])
    for slope in (0.01, 0.2, 0.7):
        made = f"LeakyReLU({slope})"
        mistakes = {
            "this is ReLU: negative numbers must leak through": x.relu(),
            "the slope is that of the default; use the one that was given": F.leaky_relu(x, 0.01),
            "the slope is subtracted; multiply by it": torch.where(x > 0, x, x - slope),
            "the positive numbers are scaled, and the negative ones kept": torch.where(
                x > 0, slope * x, x
            ),
            "the sign of the negative numbers is lost": torch.where(x > 0, x, -slope * x),
            "negative numbers become the slope itself; multiply": torch.where(
                x > 0, x, torch.tensor(slope)
            ),
        }
        right = F.leaky_relu(x, slope)
        call(shown_as(made, LeakyReLU(slope)), x).gives(right, mistakes=other_than(right, mistakes))
    right = F.leaky_relu(x, 0.01)
    call(shown_as("LeakyReLU()", LeakyReLU()), x).gives(right)


@checks("LeakyReLU")
def test_LeakyReLU_gradient_and_repr(LeakyReLU):
    expect_same_gradient(LeakyReLU(0.3), lambda x: F.leaky_relu(x, 0.3), "LeakyReLU")
    text = repr(LeakyReLU(0.25))
    if "0.25" not in text:
        fail("LeakyReLU prints without its slope: extra_repr must return it", printed=text)


@checks("Sigmoid")
def test_Sigmoid(Sigmoid):
    x = torch.tensor([[-2.0, -0.5, 0.0], [0.1, 1.0, 3.0]])
    mistakes = {
        "this is tanh; a sigmoid goes from 0 to 1": x.tanh(),
        "the sign in the exponent is wrong: this is sigmoid(−x)": (-x).sigmoid(),
        "this is softmax: each number must be on its own": x.softmax(-1),
        "this is exp(−x) + 1; give 1 over it": 1 + (-x).exp(),
        "the 1 in the denominator is missing: this is exp(x)": x.exp(),
    }
    call(shown_as("Sigmoid()", Sigmoid()), x).gives(x.sigmoid(), mistakes=mistakes)


@checks("Sigmoid")
def test_Sigmoid_of_large_numbers(Sigmoid):
    x = torch.tensor([-1000.0, -100.0, -50.0, 50.0, 100.0, 1000.0])
    have = Sigmoid()(x)
    sentence = "large numbers give NaN: exp overflows, and infinity over infinity is no number"
    require(not have.isnan().any(), f"Sigmoid: {sentence}", x=x, returned=have)
    call(shown_as("Sigmoid()", Sigmoid()), x).gives(x.sigmoid())
    expect_same_gradient(Sigmoid(), torch.sigmoid, "Sigmoid")


# --- the two networks -------------------------------------------------------------------------

# latent, size, channels of the picture, hidden channels
GAN_CASES = ((5, 8, 1, [3]), (4, 16, 3, [4, 6]), (3, 24, 2, [2, 4, 5]))


def gan_part(model, name, made):
    part = getattr(model, name, None)
    if not isinstance(part, nn.Module):
        fail(f"{made} has no module called {name}", it_is=repr(part))
    return part


def ordered(model):
    """Give the parameters in the order of their use, whichever part was set first."""
    names = ("project_and_reshape", "hidden_layers", "classifier")
    parts = [getattr(model, name) for name in names if hasattr(model, name)]
    values = [value for part in parts for value in part.parameters()]
    outside = len(list(model.parameters())) - len(values)
    name = type(model).__name__
    require(not outside, f"{name} has parameters outside of its two parts", there_are=str(outside))
    return values


def expect_gan_parameters(model, wanted, *, made, hidden):
    """Check shapes of parameters in their order, and name what is wrong."""
    have = [tuple(value.shape) for value in ordered(model)]
    if have == wanted:
        return
    details = {"they_are": repr(have), "expected": repr(wanted)}
    kernels = [shape for shape in have if len(shape) == 4]
    matrices = [shape for shape in have if len(shape) == 2]
    n_norms = sum(len(s) == 1 for s in wanted) // 2
    n_vectors = sum(len(shape) == 1 for shape in have)
    if any(shape[2:] != (4, 4) for shape in kernels):
        fail(f"{made}: a kernel is not 4 × 4", **details)
    if len(kernels) != len(hidden):
        fail(
            f"{made}: there must be {len(hidden)} convolutions, one for each hidden channel",
            there_are=str(len(kernels)),
            **details,
        )
    if len(matrices) != 1:
        fail(f"{made}: there must be one linear map", there_are=str(len(matrices)), **details)
    biased = [
        type(m).__name__
        for m in model.modules()
        if getattr(m, "bias", None) is not None and hasattr(m, "weight") and m.weight.ndim > 1
    ]
    if biased:
        fail(f"{made}: a layer has a bias and must have none ({biased[0]}): bias=False", **details)
    if n_vectors > 2 * n_norms:
        where = {"Generator": "in the last block, before Tanh", "Discriminator": "in the first"}
        place = next(text for name, text in where.items() if made.startswith(name))
        fail(f"{made}: there is a batch norm too many; none belongs {place}", **details)
    if n_vectors < 2 * n_norms:
        fail(f"{made}: a batch norm is missing; {n_norms} belong here", **details)
    if sorted(have) == sorted(wanted):
        fail(f"{made}: the layers stand in the wrong order", **details)
    if [s for s in have if len(s) > 1] == [s for s in wanted if len(s) > 1]:
        but = "the last" if made.startswith("Generator") else "the first"
        fail(f"{made}: batch norm stands on the wrong layer; it belongs after each convolution but "
             f"{but}", **details)  # fmt: skip
    if [s for s in have if len(s) == 4] == [s for s in wanted if len(s) == 4][::-1]:
        fail(f"{made}: the convolutions stand in the reverse order", **details)
    fail(f"{made}: a layer has the wrong number of channels or features", **details)


def generator_shapes(latent, size, channels, hidden):
    deepest, start = hidden[-1], size // 2 ** len(hidden)
    found = [(deepest * start**2, latent), (deepest,), (deepest,)]
    for n_in, n_out in zip(hidden[::-1], [*hidden[-2::-1], channels], strict=True):
        found += [(n_in, n_out, 4, 4), (n_out,), (n_out,)]
    return found[:-2]


def discriminator_shapes(size, channels, hidden):
    found = []
    for n_in, n_out in zip([channels, *hidden[:-1]], hidden, strict=True):
        found += [(n_out, n_in, 4, 4), (n_out,), (n_out,)]
    del found[1:3]
    return [*found, (1, hidden[-1] * (size // 2 ** len(hidden)) ** 2)]


def redrawn(model):
    """Draw larger weights, so that each layer shows in what comes out."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in ordered(model):
            spread = value[0].numel() ** -0.5 if value.ndim > 1 else 0.5
            shift = 0.3 if value.ndim == 1 else 0.0
            value.copy_(torch.randn(value.shape, generator=generator) * 1.5 * spread + shift)
    return model


def normed(x, weight, bias):
    return F.batch_norm(x, None, None, weight, bias, training=True)


def reference_generator(values, z, size, act=F.relu, first=F.relu, end=torch.tanh):
    """Run a generator's parameters; the activations may be others."""
    first_map, *rest = values
    start = round((first_map.shape[0] // rest[0].shape[0]) ** 0.5)
    x = F.linear(z, first_map).reshape(len(z), -1, start, start)
    while len(rest) > 1:
        weight, bias, kernel, *rest = rest
        x = (first if x.shape[2] == start else act)(normed(x, weight, bias))
        x = F.conv_transpose2d(x, kernel, stride=2, padding=1)
    return end(x)


def reference_discriminator(
    values, x, act=lambda x: F.leaky_relu(x, 0.2), end=torch.sigmoid, first=None
):
    """Run a discriminator's parameters; the activations may be others."""
    kernel, *rest = values
    x = (first or act)(F.conv2d(x, kernel, stride=2, padding=1))
    while len(rest) > 1:
        kernel, weight, bias, *rest = rest
        x = act(normed(F.conv2d(x, kernel, stride=2, padding=1), weight, bias))
    return end(F.linear(x.flatten(1), rest[0])).squeeze(1)


@checks("Generator")
def test_generator_shapes(Generator):
    for latent, size, channels, hidden in GAN_CASES:
        made = f"Generator({latent}, {size}, {channels}, {hidden})"
        for batch in (3, 1):
            model = Generator(latent, size, channels, hidden)
            for name in ("project_and_reshape", "hidden_layers"):
                gan_part(model, name, made)
            if batch == 1:
                model.eval()
            out = call(shown_as(made, model), draws(batch, latent)).value
            wanted = (batch, channels, size, size)
            if tuple(out.shape) != wanted:
                fail(
                    f"{made} gives pictures of the wrong shape",
                    shape_is=str(tuple(out.shape)),
                    expected=str(wanted),
                )


@checks("Generator")
def test_generator_parameters(Generator):
    for latent, size, channels, hidden in GAN_CASES:
        made = f"Generator({latent}, {size}, {channels}, {hidden})"
        model = Generator(latent, size, channels, hidden)
        wanted = generator_shapes(latent, size, channels, hidden)
        expect_gan_parameters(model, wanted, made=made, hidden=hidden)
    with torch.device("meta"):
        n = sum(value.numel() for value in Generator().parameters())
    require(n == 5_906_176, f"Generator() has {n:,} parameters; it must have 5,906,176")


@checks("Generator")
def test_generator_layers(Generator):
    for latent, size, channels, hidden in GAN_CASES:
        made = f"Generator({latent}, {size}, {channels}, {hidden})"
        model, z = redrawn(Generator(latent, size, channels, hidden)), draws(6, latent)
        values = [value.detach() for value in ordered(model)]
        run = functools.partial(reference_generator, values, z, size)
        leaky, same = lambda x: F.leaky_relu(x, 0.2), lambda x: x
        right = run()
        mistakes = {
            "there is no Tanh at the end": run(end=same),
            "the last activation is Sigmoid; it must be Tanh, for pixels go from −1 to 1": run(
                end=torch.sigmoid
            ),
            "there is a ReLU at the end; it must be Tanh": run(end=F.relu),
            "the ReLU after the linear map's batch norm is missing": run(first=same),
            "a ReLU between the transposed convolutions is missing": run(act=same),
            "no ReLU is left: they belong after each batch norm": run(first=same, act=same),
            "LeakyReLU is for the discriminator; the generator has ReLU": run(
                first=leaky, act=leaky
            ),
        }
        with torch.no_grad():
            call(shown_as(made, model), z).gives(
                right, mistakes=other_than(right, mistakes), atol=1e-4
            )


@checks("Generator")
def test_networks_refuse_sizes_that_cannot_be_halved(Generator, Discriminator):
    why = "10 can be halved once, not twice"
    errors = (ValueError, AssertionError)
    raises(errors, Generator, 4, 10, 1, [2, 3], because=why)
    raises(errors, Discriminator, 10, 1, [2, 3], because=why)


@checks("Generator")
def test_discriminator_shapes(Discriminator):
    for _, size, channels, hidden in GAN_CASES:
        made = f"Discriminator({size}, {channels}, {hidden})"
        for batch in (3, 1):
            model = Discriminator(size, channels, hidden)
            for name in ("hidden_layers", "classifier"):
                gan_part(model, name, made)
            out = call(shown_as(made, model), draws(batch, channels, size, size)).value
            if batch == 1 and out.ndim == 0:
                fail(f"{made} gives a number without axes for a batch of one: squeeze only axis 1")
            if tuple(out.shape) != (batch,):
                fail(
                    f"{made} gives one number for each picture, in the shape (batch,)",
                    shape_is=str(tuple(out.shape)),
                    expected=f"({batch},)",
                )


@checks("Generator")
def test_discriminator_parameters(Discriminator):
    for _, size, channels, hidden in GAN_CASES:
        made = f"Discriminator({size}, {channels}, {hidden})"
        wanted = discriminator_shapes(size, channels, hidden)
        model = Discriminator(size, channels, hidden)
        expect_gan_parameters(model, wanted, made=made, hidden=hidden)
    with torch.device("meta"):
        n = sum(value.numel() for value in Discriminator().parameters())
    require(n == 2_661_888, f"Discriminator() has {n:,} parameters; it must have 2,661,888")


@checks("Generator")
def test_discriminator_layers(Discriminator):
    for _, size, channels, hidden in GAN_CASES:
        made = f"Discriminator({size}, {channels}, {hidden})"
        model, x = redrawn(Discriminator(size, channels, hidden)), draws(6, channels, size, size)
        values = [value.detach() for value in ordered(model)]
        run = functools.partial(reference_discriminator, values, x)
        right = run()
        mistakes = {
            "there is no Sigmoid at the end: these are logits": run(end=lambda x: x),
            "the last activation is Tanh; a probability needs Sigmoid": run(end=torch.tanh),
            "the slope is 0.01; DCGAN wants LeakyReLU(0.2)": run(
                act=lambda x: F.leaky_relu(x, 0.01)
            ),
            "ReLU is for the generator; the discriminator has LeakyReLU(0.2)": run(act=F.relu),
            "the activation of the first block is missing": run(first=lambda x: x),
            "the activations are missing": run(act=lambda x: x),
        }
        with torch.no_grad():
            call(shown_as(made, model), x).gives(
                right, mistakes=other_than(right, mistakes), atol=1e-4
            )


# --- starting weights -------------------------------------------------------------------------


def own_transposed(initialize_weights):
    """Make the learner's ConvTranspose2d, which has no bias, whether it is written yet or not."""
    own = inspect.unwrap(initialize_weights).__globals__.get("ConvTranspose2d")
    if not (isinstance(own, type) and issubclass(own, nn.Module)):
        own = type("ConvTranspose2d", (nn.Module,), {})
    layer = own.__new__(own)
    nn.Module.__init__(layer)
    layer.weight = nn.Parameter(torch.rand(20, 20, 5, 5))
    return layer


@checks("initialize_weights")
def test_initialize_weights(
    initialize_weights,
    ConvTranspose2d=nn.ConvTranspose2d,  # noqa: PT028 (by hand, with layers of one's own)
    Conv2d=nn.Conv2d,  # noqa: PT028
    Linear=nn.Linear,  # noqa: PT028
    BatchNorm2d=nn.BatchNorm2d,  # noqa: PT028
):
    torch.manual_seed(0)
    layers = [
        ConvTranspose2d(20, 20, 5),
        Conv2d(20, 20, 5),
        Linear(100, 100),
        BatchNorm2d(5000),
    ]
    model = nn.Sequential(nn.Sequential(*layers[:2]), nn.ReLU(), *layers[2:])
    before = dict(model.named_parameters())
    result = initialize_weights(model)
    if result is not None:
        fail("initialize_weights changes the model in place and returns nothing")
    for layer in layers:
        expect_start(layer)
    for name, value in model.named_parameters():
        if value is not before[name]:
            fail(
                f"initialize_weights put a new tensor in the place of {name}: an optimizer "
                "that holds the old one would not see it. Write into it: nn.init.normal_"
            )


def expect_start(layer):
    """Check mean and deviation of a layer's new weights."""
    name = type(layer).__name__
    is_norm = name == "BatchNorm2d"
    mean, std = layer.weight.mean().item(), layer.weight.std().item()
    shown = {"mean": f"{mean:.4f}", "standard_deviation": f"{std:.4f}"}
    if not is_norm and abs(mean - 1) < 0.01:
        fail(f"the weight of {name} has mean 1; that is for batch norm alone", **shown)
    if is_norm and abs(mean) < 0.01:
        fail("the weight of BatchNorm2d has mean 0: nothing would pass. It must be 1", **shown)
    wanted = 1 if is_norm else 0
    require(abs(mean - wanted) < 0.005, f"the weight of {name} must have mean {wanted}", **shown)
    if is_norm and std < 1e-6:
        fail("the weight of BatchNorm2d is not drawn: it is still 1 everywhere", **shown)
    if abs(std - 0.02**0.5) < 0.01:
        fail(f"{name}: 0.02 is the standard deviation of the weight, not its variance", **shown)
    if abs(std - 0.02) > 0.002:
        fail(f"the weight of {name} must have standard deviation 0.02", **shown)
    if layer.weight.abs().max() < 0.04:
        fail(f"the weight of {name} is spread evenly; it must be drawn from a normal", **shown)
    if getattr(layer, "bias", None) is not None and layer.bias.any():
        fail(f"the bias of {name} must be zero", it_is=layer.bias)


@checks("initialize_weights")
def test_initialize_weights_zeroes_biases(initialize_weights):
    norm = nn.BatchNorm2d(4)
    nn.init.ones_(norm.bias)
    initialize_weights(nn.Sequential(nn.Sequential(norm)))
    require(not norm.bias.any(), "the bias of BatchNorm2d must be zero", it_is=norm.bias)


@checks("initialize_weights")
def test_initialize_weights_of_layers_without_bias(initialize_weights):
    torch.manual_seed(0)
    own = own_transposed(initialize_weights)
    start = own.weight.detach().clone()
    layers = [nn.Linear(100, 100, bias=False), nn.Conv2d(20, 20, 5, bias=False), own]
    try:
        initialize_weights(nn.Sequential(*layers))
    except (AttributeError, TypeError) as error:
        fail(
            "initialize_weights stops at a layer without a bias: its bias is None, or there is no "
            "such attribute; look before you set it to zero",
            raised=str(error),
        )
    if torch.equal(own.weight, start):
        fail(
            "a layer of the course, ConvTranspose2d, is passed over: isinstance knows torch's "
            "alone; go by type(module).__name__"
        )
    for layer in layers:
        expect_start(layer)


# --- training ---------------------------------------------------------------------------------


class TinyGan(nn.Module):
    """A GAN of linear maps, for pictures of 8 × 8."""

    def __init__(self, latent_dim_size=30, img_size=8, img_channels=1, hidden_channels=(4,)):
        super().__init__()
        torch.manual_seed(2)
        self.latent_dim_size, self.img_size = latent_dim_size, img_size
        self.img_channels, self.hidden_channels = img_channels, list(hidden_channels)
        self.netG = nn.Sequential(
            nn.Linear(latent_dim_size, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8))
        )
        self.netD = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64, 16),
            nn.LeakyReLU(0.2),
            nn.Linear(16, 1),
            nn.Sigmoid(),
            nn.Flatten(0),
        )
        with torch.no_grad():  # away from ½, where swapped labels would not show
            self.netD[3].bias.fill_(0.7)
            self.netD[3].weight.mul_(2)


def bright_pictures(n, seed=0):
    """Make pictures that are bright on the left, dark on the right, with some noise."""
    sides = torch.tensor([0.8, -0.8]).repeat_interleave(4).expand(1, 8, 8)
    return (sides + 0.15 * draws(n, 1, 8, 8, seed=seed)).clamp(-1, 1)


@contextlib.contextmanager
def gan_aside(Trainer, n=12):
    """Train tiny networks on a few pictures, write to a folder that is thrown away, in silence."""
    from part2_cnns.utils import Pictures

    from part5_vaes_and_gans import utils

    pixels = ((bright_pictures(n) + 1) * 127.5).byte()
    pictures = Pictures(pixels, torch.zeros(n, dtype=torch.int64), ((0.5,), (0.5,)), ["thing"])
    names = inspect.unwrap(Trainer.__init__).__globals__
    given = {
        "get_dataset": lambda dataset, train=True: pictures,
        "DCGAN": TinyGan,
        "initialize_weights": lambda model: None,
        "pick_device": lambda: torch.device("cpu"),
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(names, given),
        patch.object(utils, "RUNS", Path(folder)),
        patch.object(utils, "pick_device", lambda: torch.device("cpu")),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield


def gan_args(Args, **settings):
    """Give settings that nothing adjusts to the machine."""
    return Args(
        **{
            "hidden_channels": [4],
            "latent_dim_size": 30,
            "batch_size": 5,
            "clip_grad_norm": 1e9,
            "lr": 1e-3,
            **settings,
        }
    )


def sgd_trainer(Trainer, Args, **settings):
    """Give a trainer whose optimizers go exactly against the gradient, so that it shows."""
    trainer = Trainer(gan_args(Args, **settings))
    model = trainer.model
    trainer.optG = torch.optim.SGD(model.netG.parameters(), lr=1.0)
    trainer.optD = torch.optim.SGD(model.netD.parameters(), lr=1.0)
    return trainer


def copies(net):
    return [value.detach().clone() for value in net.parameters()]


def moved(net, before):
    """Give by how much a network's parameters went, as one row."""
    return torch.cat([(new - old).flatten() for new, old in zip(copies(net), before, strict=True)])


def gradient_of(net, loss):
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, [*net.parameters()])])


def stale(net):
    """Leave a gradient in each parameter, as a step before would."""
    for value in net.parameters():
        value.grad = torch.full_like(value, 7.0)


def expect_gan_loss(have, rights, mistakes, *, of):
    """Check a loss; any of `rights` will do."""
    if not isinstance(have, torch.Tensor | float):
        fail(f"{of} returns the loss; this is a {type(have).__name__}")
    value = torch.as_tensor(have).detach()
    if any(value.shape == right.shape and torch.allclose(value, right, 1e-3) for right in rights):
        return
    expect(
        value,
        rights[0].detach(),
        of=f"the loss of {of}",
        rtol=1e-3,
        mistakes={
            k: v.detach()
            for k, v in mistakes.items()
            if not any(torch.allclose(v, right, 1e-3) for right in rights)
        },
    )


def expect_against(change, gradients, *, of, net):
    """Check that a step went against a gradient; any of `gradients` will do."""
    if any(torch.allclose(change, -gradient, 1e-3, 1e-5) for gradient in gradients):
        return
    if not change.any():
        fail(f"{of} does not change {net}: is there backward, and a step of its optimizer?")
    if torch.allclose(change, gradients[0], 1e-3, 1e-5):
        fail(f"{of} moves {net} the wrong way: the loss grows")
    rest = -change - gradients[0]
    if torch.allclose(rest, torch.full_like(rest, 7.0), 1e-3, 1e-3):
        fail(f"{of} adds to the gradient of the step before: zero_grad is missing")
    if torch.allclose(-change, torch.full_like(change, 7.0), 1e-3, 1e-3):
        fail(
            f"{of} takes the step of the gradient before: zero_grad, backward, step, in this order"
        )
    ratio = (change.norm() / gradients[0].norm()).item()
    fail(
        f"{of} does not move {net} against the gradient of its loss",
        step_over_gradient=f"{ratio:.3g}",
    )


@checks("DCGANTrainer")
def test_training_step_discriminator(DCGANTrainer, DCGANArgs):
    of = "training_step_discriminator"
    with gan_aside(DCGANTrainer):
        trainer = sgd_trainer(DCGANTrainer, DCGANArgs)
        model, real, fake = trainer.model, bright_pictures(5, seed=3), draws(5, 1, 8, 8).tanh()
        p, q = model.netD(real), model.netD(fake)
        right = -p.log().mean() - (1 - q).log().mean()
        gradient = gradient_of(model.netD, right)
        before_D, before_G = copies(model.netD), copies(model.netG)
        stale(model.netD)
        loss = trainer.training_step_discriminator(real, fake)
    mistakes = {
        "the real pictures are left out": -(1 - q).log().mean(),
        "the fakes are left out": -p.log().mean(),
        "real and fake are swapped: D shall say 1 to real pictures": -(1 - p).log().mean()
        - q.log().mean(),
        "the sign is wrong: log-likelihood is to grow, so the loss is minus it": -right,
        "summed over the batch; take the mean": 5 * right,
        "the logarithm of the mean; take the mean of the logarithms": -p.mean().log()
        - (1 - q.mean()).log(),
        "there are no logarithms": (1 - p).mean() + q.mean(),
        "the fakes are to be called fake, 1 − D": -p.log().mean() - q.log().mean(),
        "this is the squared error": ((1 - p) ** 2).mean() + (q**2).mean(),
    }
    expect_gan_loss(loss, (right, right / 2), mistakes, of=of)
    change = moved(model.netD, before_D)
    expect_against(change, (gradient, gradient / 2), of=of, net="the discriminator")
    if moved(model.netG, before_G).any():
        fail(f"{of} changes the generator: step with optD alone")


@checks("DCGANTrainer")
def test_training_step_generator(DCGANTrainer, DCGANArgs):
    of = "training_step_generator"
    with gan_aside(DCGANTrainer):
        trainer = sgd_trainer(DCGANTrainer, DCGANArgs)
        model, z = trainer.model, draws(5, 30)
        q = model.netD(model.netG(z))
        right = -q.log().mean()
        gradient = gradient_of(model.netG, right)
        before_D, before_G = copies(model.netD), copies(model.netG)
        stale(model.netG)
        loss = trainer.training_step_generator(model.netG(z))
    q = q.detach()
    mistakes = {
        "this is the minimax loss, mean log(1 − D): it saturates. Take −mean log D": (1 - q)
        .log()
        .mean(),
        "the sign is wrong: this would make fakes worse": -right,
        "this teaches the generator to be found out: the label of its fakes is 1": -(1 - q)
        .log()
        .mean(),
        "summed over the batch; take the mean": 5 * right,
        "the logarithm of the mean; take the mean of the logarithms": -q.mean().log(),
        "there is no logarithm": (1 - q).mean(),
    }
    expect_gan_loss(loss, (right,), mistakes, of=of)
    if moved(model.netD, before_D).any():
        fail(f"{of} changes the discriminator: step with optG alone")
    expect_against(moved(model.netG, before_G), (gradient,), of=of, net="the generator")


@checks("DCGANTrainer")
def test_gradients_are_clipped(DCGANTrainer, DCGANArgs):
    with gan_aside(DCGANTrainer):
        trainer = sgd_trainer(DCGANTrainer, DCGANArgs, clip_grad_norm=1e-3)
        model, real = trainer.model, bright_pictures(5, seed=3)
        before_D, before_G = copies(model.netD), copies(model.netG)
        trainer.training_step_discriminator(real, draws(5, 1, 8, 8).tanh())
        step_D = moved(model.netD, before_D).norm().item()
        trainer.training_step_generator(model.netG(draws(5, 30)))
        step_G = moved(model.netG, before_G).norm().item()
    for norm, name in ((step_D, "discriminator"), (step_G, "generator")):
        if norm > 2e-3:
            fail(
                f"the {name}'s gradient is not clipped to args.clip_grad_norm before the step",
                norm=f"{norm:.4g}",
                clip_grad_norm="0.001",
            )
        require(
            norm > 5e-4,
            f"the {name}'s gradient is clipped to less than clip_grad_norm",
            norm=f"{norm:.4g}",
            clip_grad_norm="0.001",
        )


@checks("DCGANTrainer")
def test_gradients_are_not_clipped_without_a_norm(DCGANTrainer, DCGANArgs):
    with gan_aside(DCGANTrainer):
        trainer = sgd_trainer(DCGANTrainer, DCGANArgs, clip_grad_norm=None)
        model, real, fake = trainer.model, bright_pictures(5, seed=3), draws(5, 1, 8, 8).tanh()
        p, q = model.netD(real), model.netD(fake)
        gradient = gradient_of(model.netD, -p.log().mean() - (1 - q).log().mean())
        before = copies(model.netD)
        try:
            trainer.training_step_discriminator(real, fake)
        except TypeError as error:
            fail(
                "args.clip_grad_norm may be None: then gradients are not clipped",
                raised=str(error),
            )
    change = moved(model.netD, before)
    of = "training_step_discriminator, with clip_grad_norm None,"
    expect_against(change, (gradient, gradient / 2), of=of, net="the discriminator")


@checks("DCGANTrainer")
def test_losses_of_a_certain_discriminator_are_finite(DCGANTrainer, DCGANArgs):
    with gan_aside(DCGANTrainer):
        trainer = sgd_trainer(DCGANTrainer, DCGANArgs, clip_grad_norm=1.0)
        model = trainer.model
        with torch.no_grad():
            for value in model.netD[3].parameters():
                value.mul_(1e6)  # then D is exactly 0 or 1
        real = bright_pictures(5, seed=3)
        losses = {
            "training_step_generator": trainer.training_step_generator(model.netG(draws(5, 30))),
            "training_step_discriminator": trainer.training_step_discriminator(real, -real),
        }
    for name, loss in losses.items():
        finite = bool(torch.as_tensor(loss).isfinite())
        require(
            finite,
            f"{name}: the loss is not finite where D is exactly 0 or 1: "
            "log(0) is minus infinity. Clamp it",
        )
    values = torch.cat([value.flatten() for value in model.parameters()])
    require(bool(values.isfinite().all()), "a step where D is exactly 0 or 1 makes weights NaN")


class Watched:
    """Steps of a trainer, noted as they come."""

    def __init__(self, trainer):
        self.trainer, self.order, self.latents = trainer, [], []
        self.fakes, self.samples = [], []
        self.real_step_D = trainer.training_step_discriminator
        self.real_step_G = trainer.training_step_generator
        trainer.training_step_discriminator = self.step_D
        trainer.training_step_generator = self.step_G
        trainer.log_samples = lambda: self.samples.append(len(self.order))
        trainer.model.netG.register_forward_pre_hook(lambda _, args: self.latents.append(args[0]))

    def step_D(self, img_real, img_fake):
        self.order.append("D")
        self.fakes.append(img_fake.detach())
        if img_real.shape != img_fake.shape:
            fail(
                "train hands over as many fakes as real pictures, in the same shape",
                real=str(tuple(img_real.shape)),
                fake=str(tuple(img_fake.shape)),
            )
        left, right = img_real.chunk(2, dim=-1)
        if not (left - right).mean() > 1:
            fail(
                "the discriminator's step gets something else than the loader's pictures as "
                "img_real, which comes first; then img_fake"
            )
        if not self.trainer.model.training:
            fail("the networks train in evaluation mode: call model.train() before the loop")
        for value in self.trainer.model.netG.parameters():
            value.grad = None
        loss = self.real_step_D(img_real, img_fake)
        if any(value.grad is not None for value in self.trainer.model.netG.parameters()):
            fail(
                "the step of the discriminator reaches back into the generator: hand over "
                "img_fake.detach()"
            )
        return loss

    def step_G(self, img_fake):
        self.order.append("G")
        if not img_fake.requires_grad:
            fail(
                "the generator's step gets fakes that are cut off from it: it can't learn. "
                "Detach them for the discriminator alone"
            )
        return self.real_step_G(img_fake)


def expect_normal_latents(batches):
    """Check what the generator was given, batch by batch."""
    latents = torch.cat(batches)
    require(
        latents.shape[1] == 30,
        "latents have args.latent_dim_size numbers",
        shape=str(tuple(latents.shape)),
    )
    if latents.min() >= 0:
        fail("latents are drawn between 0 and 1; they must be normal: torch.randn, not rand")
    if not 0.85 < latents.std() < 1.15 or abs(latents.mean()) > 0.15:
        fail(
            "latents must be standard normal",
            mean=f"{latents.mean():.3f}",
            standard_deviation=f"{latents.std():.3f}",
        )
    if torch.equal(batches[0][:2], batches[-1][:2]):
        fail("every step draws the same latents: draw new ones for each batch")


@checks("DCGANTrainer")
def test_train(DCGANTrainer, DCGANArgs):
    with gan_aside(DCGANTrainer):
        trainer = DCGANTrainer(gan_args(DCGANArgs, epochs=2, log_every_n_steps=2))
        watched = Watched(trainer)
        try:
            result = trainer.train()
        except RuntimeError as error:
            if "second time" in str(error):
                fail(
                    "the generator's graph is used up when its turn comes: the step of the "
                    "discriminator went back through the fakes. Hand over img_fake.detach()"
                )
            raise
    if watched.order != ["D", "G"] * 6:
        fail(
            "train takes one step of the discriminator, then one of the generator, for each "
            "batch of each epoch",
            order=" ".join(watched.order),
            expected="D G, six times",
        )
    expect_normal_latents(watched.latents)
    require(result is not None, "train gives the networks back")
    require(trainer.step == 6, "step counts the steps: add 1 after each batch", step=trainer.step)
    require(
        watched.samples[:3] == [4, 8, 12],
        "log_samples is called every args.log_every_n_steps steps, after counting the step",
        after_steps=str([n // 2 for n in watched.samples]),
        expected="[2, 4, 6, 6]",
    )
    missing = {"loss_D", "loss_G"} - set(trainer.run.history)
    if missing:
        fail(f"run.log must note {', '.join(sorted(missing))} at each step")
    if len(trainer.run.history["loss_D"]) != 6:
        fail("run.log must be called once for each step")


@checks("DCGANTrainer")
def test_trainer_learns_one_batch(DCGANTrainer, DCGANArgs):
    with gan_aside(DCGANTrainer):
        trainer = DCGANTrainer(gan_args(DCGANArgs, lr=0.01, clip_grad_norm=1.0))
        real, z = bright_pictures(5, seed=3), draws(5, 30)
        fake = trainer.model.netG(z).detach()
        losses = [number(trainer.training_step_discriminator(real, fake)) for _ in range(25)]
        if losses[-1] > losses[0] / 3:
            fail(
                "25 steps on one batch do not teach the discriminator to tell it",
                first_loss=f"{losses[0]:.3f}",
                last_loss=f"{losses[-1]:.3f}",
            )
        for _ in range(40):
            last = trainer.training_step_generator(trainer.model.netG(z))
        first = -trainer.model.netD(fake).log().mean()
        if number(last) > number(first) / 2:
            fail(
                "40 steps on one batch do not teach the generator to fool a fixed discriminator",
                first_loss=f"{number(first):.3f}",
                last_loss=f"{number(last):.3f}",
            )


# --- three broken trainings -------------------------------------------------------------------


def tiny_training(optimizers=None, step_of_generator=None, step_of_discriminator=None):
    """Train a tiny GAN on bright pictures; give how far its pictures are from these at the end."""
    from part5_vaes_and_gans import utils

    model = TinyGan()
    with torch.no_grad():  # an even start
        model.netD[3].bias.zero_()
        model.netD[3].weight.mul_(0.5)
    optG, optD = (optimizers or utils._optimizers)(model, 0.02, (0.5, 0.999))
    step_G = step_of_generator or utils._step_of_generator
    step_D = step_of_discriminator or utils._step_of_discriminator
    torch.manual_seed(0)
    for i in range(100):
        img_fake = model.netG(torch.randn(16, 30))
        step_D(model, optD, bright_pictures(16, seed=i), img_fake)
        step_G(model, optG, img_fake)
    with torch.no_grad():
        made = model.netG(torch.randn(100, 30)).mean(0)
    return (made - bright_pictures(100).mean(0)).abs().mean().item()


def expect_learnt(distance):
    if not distance < 0.35:
        fail(
            "with it a small GAN does not learn: its pictures stay far from the real ones",
            mean_difference_of_pixels=f"{distance:.2f}",
            expected="less than 0.35",
        )


@checks("mended_generator_step")
def test_mended_generator_step(mended_generator_step):
    model = TinyGan()
    with torch.no_grad():
        model.netD[3].weight.mul_(10)  # so that clipping shows
    z = draws(5, 30)
    right = -model.netD(model.netG(z)).log().mean()
    gradient = gradient_of(model.netG, right)
    unclipped = gradient.norm().item()
    gradient = gradient / unclipped
    before_G, before_D = copies(model.netG), copies(model.netD)
    stale(model.netG)
    optG = torch.optim.SGD(model.netG.parameters(), lr=1.0)
    loss = mended_generator_step(model, optG, model.netG(z))
    change = moved(model.netG, before_G)
    if not change.any():
        fail("the generator still does not move: no gradient reaches it")
    expect_gan_loss(loss, (right,), {"the sign is wrong": -right}, of="mended_generator_step")
    if moved(model.netD, before_D).any():
        fail("mended_generator_step changes the discriminator too")
    if torch.allclose(change, -unclipped * gradient, 1e-3, 1e-5):
        fail("the gradient is no longer clipped: keep that line")
    left_over = unclipped * gradient + 7.0
    if torch.allclose(change, -left_over / left_over.norm(), 1e-3, 1e-5):
        fail("the gradient of the step before is added to that of this one: keep zero_grad")
    expect_against(change, (gradient,), of="mended_generator_step", net="the generator")


@checks("mended_generator_step")
def test_mended_generator_step_learns(mended_generator_step):
    expect_learnt(tiny_training(step_of_generator=mended_generator_step))


@checks("mended_optimizers")
def test_mended_optimizers(mended_optimizers):
    model = TinyGan()
    result = mended_optimizers(model, 0.02, (0.6, 0.99))
    require(
        isinstance(result, tuple | list) and len(result) == 2,
        "mended_optimizers gives two optimizers, of the generator and of the discriminator",
    )
    held = [{id(p) for group in opt.param_groups for p in group["params"]} for opt in result]
    of_G, of_D = ({id(p) for p in net.parameters()} for net in (model.netG, model.netD))
    if held == [of_D, of_G]:
        fail("the optimizers are swapped: that of the generator comes first")
    for name, params, own, other in (
        ("generator", held[0], of_G, of_D),
        ("discriminator", held[1], of_D, of_G),
    ):
        if params & other:
            fail(f"the optimizer of the {name} still holds weights of the other network")
        require(params == own, f"the optimizer of the {name} holds no weight of it, or not all")
    for opt in result:
        group = opt.param_groups[0]
        require(group["lr"] == 0.02, "lr is not handed on to the optimizers", lr=group["lr"])
        betas = tuple(group.get("betas", ()))
        require(betas == (0.6, 0.99), "betas are not handed on to Adam", betas=str(betas))


@checks("mended_optimizers")
def test_mended_optimizers_learn(mended_optimizers):
    expect_learnt(tiny_training(optimizers=mended_optimizers))


def clipped(gradient):
    """Shorten a gradient to length 1, if it is longer."""
    return gradient / gradient.norm().clamp(min=1)


@checks("mended_discriminator_step")
def test_mended_discriminator_step(mended_discriminator_step):
    model, of = TinyGan(), "mended_discriminator_step"
    with torch.no_grad():
        model.netD[3].weight.mul_(10)  # so that clipping shows
    real, img_fake = bright_pictures(5), model.netG(draws(5, 30))
    p, q = model.netD(real), model.netD(img_fake.detach())
    right = -p.log().mean() - (1 - q).log().mean()
    gradient = gradient_of(model.netD, right)
    before_D = copies(model.netD)
    optD = torch.optim.SGD(model.netD.parameters(), lr=1.0)
    (-model.netD(img_fake).log().mean()).backward(retain_graph=True)  # the generator's turn
    left = torch.cat([value.grad.flatten() for value in model.netD.parameters()])
    for value in model.netG.parameters():
        value.grad = None
    loss = mended_discriminator_step(model, optD, real, img_fake)
    p, q = p.detach(), q.detach()
    mistakes = {
        "the fakes are still called real: their label is 0": -p.log().mean() - q.log().mean(),
        "real and fake are swapped": -(1 - p).log().mean() - q.log().mean(),
        "the sign is wrong": -right,
    }
    expect_gan_loss(loss, (right, right / 2), mistakes, of=of)
    if any(value.grad is not None for value in model.netG.parameters()):
        fail(f"{of} reaches back into the generator: detach the fakes")
    change = moved(model.netD, before_D)
    require(
        bool(change.any()),
        f"{of} does not move the discriminator: zero_grad must come before backward, not after",
    )
    for full in (gradient, gradient / 2):  # the halves of a mean of both losses
        if torch.allclose(change, -full, 1e-3, 1e-5):
            fail("the gradient is no longer clipped: keep that line")
        if torch.allclose(change, -clipped(full + left), 1e-3, 1e-5):
            fail(f"{of} steps along what the generator's turn has left in the gradients: zero_grad")
    wanted = clipped(gradient), clipped(gradient / 2)
    expect_against(change, wanted, of=of, net="the discriminator")


@checks("mended_discriminator_step")
def test_mended_discriminator_step_learns(mended_discriminator_step):
    expect_learnt(tiny_training(step_of_discriminator=mended_discriminator_step))


# --- transposed convolutions ------------------------------------------------------------------


def transposed_mistakes(x, weights, function, n_axes=1):
    """Give what others than a transposed convolution make of rows or pictures."""
    axes = tuple(range(2, 2 + n_axes))
    found = {"the kernels are not turned round: flip them": function(x, weights.flip(*axes))}
    if weights.shape[0] == weights.shape[1] > 1:
        swapped = weights.transpose(0, 1)
        found["in and out channels of the kernels are swapped"] = function(x, swapped)
    return found


@checks("conv_transpose1d_minimal")
def test_conv_transpose1d_minimal(conv_transpose1d_minimal, n_tests=20):  # noqa: PT028
    x, weights = torch.tensor([[[1.0, 2.0, 0.0]]]), torch.tensor([[[1.0, 0.0, 3.0]]])
    right = torch.tensor([[[1.0, 2.0, 3.0, 6.0, 0.0]]])
    mistakes = transposed_mistakes(x, weights, F.conv_transpose1d)
    mistakes["no padding: the first and last numbers of the output are missing"] = right[..., 2:3]
    call(conv_transpose1d_minimal, x, weights).gives(right, mistakes=mistakes)
    for i in range(n_tests):
        x, weights = draws(1 + i % 3, 2, 3 + i % 4, seed=i), draws(2, 1 + i % 3, 1 + i % 4, seed=i)
        right = F.conv_transpose1d(x, weights)
        mistakes = transposed_mistakes(x, weights, F.conv_transpose1d)
        call(conv_transpose1d_minimal, x, weights).gives(
            right, mistakes=other_than(right, mistakes), atol=1e-4
        )


@checks("fractional_stride_1d")
def test_fractional_stride_1d(fractional_stride_1d):
    x = torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    call(fractional_stride_1d, x, 1).gives(x, mistakes={})
    right = torch.tensor([[[1.0, 0, 2, 0, 3], [4, 0, 5, 0, 6]]])
    mistakes = {
        "zeros also stand after the last number": F.pad(right, (0, 1)),
        "the numbers are repeated; put zeros between them": x.repeat_interleave(2, 2)[..., :5],
        "the zeros stand at the end": F.pad(x, (0, 2)),
        "one zero too many between neighbours: stride − 1": torch.tensor(
            [[[1.0, 0, 0, 2, 0, 0, 3], [4, 0, 0, 5, 0, 0, 6]]]
        ),
    }
    call(fractional_stride_1d, x, 2).gives(right, mistakes=mistakes)
    right = torch.tensor([[[1.0, 0, 0, 0, 2]]])
    call(fractional_stride_1d, torch.tensor([[[1.0, 2.0]]]), 4).gives(right)
    call(fractional_stride_1d, torch.tensor([[[3.0]]]), 3).gives(torch.tensor([[[3.0]]]))


@checks("fractional_stride_1d")
def test_conv_transpose1d(conv_transpose1d, n_tests=10):  # noqa: PT028
    for i in range(n_tests):
        kernel, stride = 2 + i % 3, 1 + i % 4
        padding = i % kernel
        n = 2 if i % 2 else 3
        x, weights = draws(2, 2, 5 + i % 3, seed=i), draws(2, n, kernel, seed=i)
        right = F.conv_transpose1d(x, weights, stride=stride, padding=padding)
        mistakes = transposed_mistakes(
            x, weights, lambda x, w, s=stride, p=padding: F.conv_transpose1d(x, w, None, s, p)
        )
        mistakes["padding is not taken away"] = F.conv_transpose1d(x, weights, None, stride)
        mistakes["the stride is not used"] = F.conv_transpose1d(x, weights, None, 1, padding)
        call(conv_transpose1d, x, weights, stride, padding).gives(
            right, mistakes=other_than(right, mistakes), atol=1e-4
        )
    x, weights = draws(1, 1, 4), draws(1, 1, 3)
    call(conv_transpose1d, x, weights).gives(F.conv_transpose1d(x, weights), atol=1e-4)


@checks("fractional_stride_2d")
def test_fractional_stride_2d(fractional_stride_2d):
    cases = itertools.product(
        (torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), draws(3, 2, 2, 3)),
        ((1, 1), (2, 2), (1, 3), (3, 2)),
    )
    for x, (stride_h, stride_w) in cases:
        height, width = x.shape[2:]
        right = x.new_zeros(*x.shape[:2], stride_h * (height - 1) + 1, stride_w * (width - 1) + 1)
        right[..., ::stride_h, ::stride_w] = x
        swapped = x.new_zeros(*x.shape[:2], stride_w * (height - 1) + 1, stride_h * (width - 1) + 1)
        swapped[..., ::stride_w, ::stride_h] = x
        mistakes = {
            "stride_h and stride_w are swapped": swapped,
            "zeros also stand after the last row and column": F.pad(
                right, (0, stride_w - 1, 0, stride_h - 1)
            ),
        }
        call(fractional_stride_2d, x, stride_h, stride_w).gives(
            right, mistakes=other_than(right, mistakes)
        )


@checks("fractional_stride_2d")
def test_conv_transpose2d(conv_transpose2d, n_tests=5):  # noqa: PT028
    settings = [(1, 0), (2, 1), ((2, 1), (0, 1)), ((1, 3), (1, 0)), (3, (1, 2))]
    for i in range(n_tests):
        stride, padding = settings[i % len(settings)]
        n = 2 if i % 2 else 3
        x, weights = draws(2, 2, 3, 4, seed=i), draws(2, n, 3, 4, seed=i)
        right = F.conv_transpose2d(x, weights, None, stride, padding)
        mistakes = transposed_mistakes(
            x, weights, lambda x, w, s=stride, p=padding: F.conv_transpose2d(x, w, None, s, p), 2
        )
        mistakes |= {
            "padding is not taken away": F.conv_transpose2d(x, weights, None, stride),
            "the stride is not used": F.conv_transpose2d(x, weights, None, 1, padding),
            "only the rows of the kernels are turned round; both axes must be": F.conv_transpose2d(
                x, weights.flip(3), None, stride, padding
            ),
            "only the columns of the kernels are turned round; both axes must be": (
                F.conv_transpose2d(x, weights.flip(2), None, stride, padding)
            ),
        }
        if isinstance(stride, tuple):
            other = F.conv_transpose2d(x, weights, None, stride[::-1], padding)
            mistakes["the strides of height and width are swapped"] = other
        if isinstance(padding, tuple):
            other = F.conv_transpose2d(x, weights, None, stride, padding[::-1])
            mistakes["the paddings of height and width are swapped"] = other
        call(conv_transpose2d, x, weights, stride, padding).gives(
            right, mistakes=other_than(right, mistakes), atol=1e-4
        )


@checks("ConvTranspose2d")
def test_ConvTranspose2d(ConvTranspose2d, n_tests=5):  # noqa: PT028
    settings = [(4, 2, 1), (3, 1, 0), ((2, 3), (1, 2), (0, 1)), (4, 2, 0), (2, 2, 0)]
    for i in range(n_tests):
        kernel, stride, padding = settings[i % len(settings)]
        made = f"ConvTranspose2d(2, 3, {kernel}, {stride}, {padding})"
        layer = ConvTranspose2d(2, 3, kernel, stride, padding)
        weight = getattr(layer, "weight", None)
        if not isinstance(weight, nn.Parameter):
            fail(f"{made} has no parameter called weight: wrap the tensor in nn.Parameter")
        size = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        if tuple(weight.shape) != (2, 3, *size):
            hint = " (in and out channels are swapped)" if weight.shape[:2] == (3, 2) else ""
            fail(f"{made}.weight has shape {tuple(weight.shape)}; it must be {(2, 3, *size)}{hint}")
        require(len([*layer.parameters()]) == 1, f"{made} has other parameters than weight")
        x = draws(2, 2, 3, 4, seed=i)
        right = F.conv_transpose2d(x, weight.detach(), None, stride, padding)
        mistakes = {
            "the stride is not handed on": F.conv_transpose2d(x, weight, None, 1, padding),
            "the padding is not handed on": F.conv_transpose2d(x, weight, None, stride),
        }
        mistakes = {name: value.detach() for name, value in mistakes.items()}
        with torch.no_grad():
            call(shown_as(made, layer), x).gives(
                right, mistakes=other_than(right, mistakes), atol=1e-4
            )


@checks("ConvTranspose2d")
def test_ConvTranspose2d_start_and_repr(ConvTranspose2d):
    torch.manual_seed(0)
    layer = ConvTranspose2d(30, 8, (2, 5))
    bound, largest = 80**-0.5, layer.weight.abs().max().item()
    shown = {"largest": f"{largest:.4g}", "bound": f"{bound:.4g}"}
    for other, sentence in (
        (300**-0.5, "n counts in_channels; it must be out_channels · kernel size"),
        (1 / 80, "the bound is 1/n; the square root is missing"),
        (8**-0.5, "the kernel's size is not counted in n"),
        (1.0, "the bound is 1; it must be 1/√n"),
    ):
        if abs(largest / other - 1) < 0.03:
            fail(f"ConvTranspose2d's weight: {sentence}", **shown)
    if not 0.97 * bound < largest <= 1.001 * bound:
        fail("ConvTranspose2d's weight must be uniform between ±1/√n", **shown)
    if layer.weight.min() >= 0:
        fail("ConvTranspose2d's weight is never negative; it must be between ±1/√n")
    expect(layer.weight.std().item(), bound / 3**0.5, of="the weight's deviation", rtol=0.05)
    text = repr(ConvTranspose2d(11, 13, 7, 5, 4))
    if not all(part in text for part in ("11", "13", "7", "5", "4")):
        fail("ConvTranspose2d prints without its settings: extra_repr returns them", printed=text)


# --- Bonus: more autoencoders -----------------------------------------------------------------


def cloud(n=200):
    """Make vectors with variances of about 9, 1 and 0.04 along turned axes, far from zero."""
    generator = torch.Generator().manual_seed(0)
    axes, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator))
    points = torch.randn(n, 3, generator=generator) * torch.tensor([3.0, 1.0, 0.2])
    return points @ axes + torch.tensor([5.0, -4.0, 3.0])


@checks("pca_of_latents")
def test_pca_of_latents(pca_of_latents):
    latents = cloud()
    covariance = torch.cov(latents.T)
    values, vectors = torch.linalg.eigh(covariance)  # smallest first
    result = call(pca_of_latents, latents, 2).value
    if not isinstance(result, tuple | list) or len(result) != 3:
        fail("three tensors are expected: directions, variances, coordinates")
    components, variances, coordinates = result
    if tuple(components.shape) == (3, 2):
        fail("the directions are columns; each must be a row, (components, latent)")
    shapes = [tuple(t.shape) for t in result]
    require(shapes == [(2, 3), (2,), (200, 2)], f"the shapes are {shapes}; expected (2, 3), (2,) "
            "and (200, 2)")  # fmt: skip
    mean_square = torch.linalg.eigvalsh(latents.T @ latents).flip(0)[:2]
    expect(variances, values.flip(0)[:2], of="the variances", mistakes={
        "the smallest come first": values[:2],
        "the mean is not subtracted first": mean_square / 199,
        "the squares of the singular values are not divided by n - 1": 199 * values.flip(0)[:2],
        "they are divided by n; divide by n - 1": 199 / 200 * values.flip(0)[:2],
        "these are deviations; square them": values.flip(0)[:2].sqrt(),
        "these are singular values; square them and divide by n - 1":
            (199 * values.flip(0)[:2]).sqrt(),
    }, rtol=1e-3)  # fmt: skip
    right = vectors.T.flip(0)[:2]
    signs = (components * right).sum(1).sign()  # a direction has no sign of its own
    expect(components * signs[:, None], right, of="the directions, up to sign", atol=1e-3)
    along = (latents - latents.mean(0)) @ components.T
    expect(coordinates, along, of="the coordinates", mistakes={
        "the mean is not subtracted": latents @ components.T
    }, atol=1e-3)  # fmt: skip


@checks("kl_per_dimension")
def test_kl_per_dimension(kl_per_dimension):
    mu, logsigma = gaussians()
    each = (mu**2 + (2 * logsigma).exp() - 1) / 2 - logsigma
    mistakes = kl_mistakes(mu, logsigma, lambda kl: kl.mean(0)) | {
        "this is the mean over dimensions; take it over the batch, axis 0": each.mean(1),
        "everything is averaged; keep the dimensions apart": each.mean(),
        "it is summed over the batch; take the mean": each.sum(0),
        "there is a KL for each picture still; take the mean over the batch": each,
    }
    call(kl_per_dimension, mu, logsigma).gives(each.mean(0), mistakes=mistakes, atol=1e-5)


@checks("DenoisingTrainer")
def test_denoising_training_step(DenoisingTrainer, DenoisingArgs):
    torch.manual_seed(0)  # with some starts a mistake gives nearly the right loss
    img, model = strokes(8), PlainAutoencoder()
    with kept_aside(strokes(24)):
        trainer = trainer_of(DenoisingTrainer, DenoisingArgs, model, noise=0.5)
        torch.manual_seed(0)
        with torch.no_grad():
            before = [value.clone() for value in model.parameters()]
        for value in model.parameters():
            value.grad = torch.full_like(value, 3.0)  # as if left over from the step before
        result = call(named_forward(trainer.training_step, "training_step"), img).value
        after = [value.detach().clone() for value in model.parameters()]
        trainer.training_step(img)
    require(result is not None, "training_step returns nothing: return the loss")
    require(len(model.seen) >= 2, "the model is not called: use self.model(...)")
    expect_noise(model.seen[0] - img, model.seen[1] - img)
    noisy = model.seen[0]
    twin = PlainAutoencoder()
    with torch.no_grad():
        for value, old in zip(twin.parameters(), before, strict=True):
            value.copy_(old)
    right = F.mse_loss(twin(noisy), img)
    expect(number(result), right.item(), of="the loss that training_step returns", mistakes={
        "the loss compares with the noisy pictures; compare with the clean ones":
            F.mse_loss(twin(noisy), noisy).item(),
        "the loss is that of clean pictures; show the noisy ones to the model":
            F.mse_loss(twin(img), img).item(),
        "the squares are summed; take the mean": 8 * 784 * right.item(),
        "the model's output is compared with the noise alone":
            F.mse_loss(twin(noisy), noisy - img).item(),
    }, rtol=1e-3)  # fmt: skip
    gradients = torch.autograd.grad(right, list(twin.parameters()))
    for old, new, gradient in zip(before, after, gradients, strict=True):
        if not torch.allclose(old - new, LR * gradient, 1e-3, 1e-5):
            fail("the step changes the parameters by something else than the loss's gradient: "
                 "zero_grad, backward and step belong together")  # fmt: skip


@checks("DenoisingTrainer")
def test_denoising_overfits(DenoisingTrainer, DenoisingArgs, Autoencoder):
    sizes = {"batch_size": 8, "epochs": 1, "lr": 5e-3, "use_wandb": False, "noise": 0.2}
    args = DenoisingArgs(5, 64, **sizes)
    expect_overfitting(DenoisingTrainer, args, of="DenoisingTrainer", factor=0.7)


def expect_noise(first, second):
    """Check the noise of two steps: normal, with deviation 0.5, new each time."""
    if not first.any():
        fail("the model sees the clean pictures: add noise to what it gets")
    if torch.allclose(first, second):
        fail("the noise is the same in both steps: draw it anew in each")
    if (first.std(0) < 1e-4).all():
        fail("all pictures of a batch get the same noise")
    if abs(float(first.mean())) > 0.1:
        fail("the noise has a mean: draw it normal, by randn_like", mean=float(first.mean()))
    expect(float(first.std()), 0.5, of="the deviation of the noise, with noise=0.5", rtol=0.1,
           mistakes={
               "noise is not used; scale by it": 1.0,
               "noise is taken for the variance; it is the deviation": 0.5**0.5,
               "noise is squared; it is the deviation": 0.25,
           })  # fmt: skip


@checks("SparseTrainer")
def test_sparse_training_step(SparseTrainer, SparseArgs):
    img = strokes(8)

    def with_penalty(penalty):
        def loss(model):
            code = model.encoder(img)
            return F.mse_loss(model.decoder(code), img) + penalty(code)

        return loss

    with kept_aside(strokes(24)):
        torch.manual_seed(0)
        model = PlainAutoencoder()
        model.encoder.append(nn.ReLU())  # as make_model does
        trainer = trainer_of(SparseTrainer, SparseArgs, model, l1=0.3)
        expect_step(trainer, img, {
            "": with_penalty(lambda z: 0.3 * z.abs().mean()),
            "the penalty is missing": with_penalty(lambda z: 0),
            "args.l1 is not used": with_penalty(lambda z: z.abs().mean()),
            "the squares of the latents are penalised; take their sizes, by abs":
                with_penalty(lambda z: 0.3 * z.square().mean()),
            "the sizes are summed; take their mean": with_penalty(lambda z: 0.3 * z.abs().sum()),
            "the sizes of a picture are summed; take the mean over both axes":
                with_penalty(lambda z: 0.3 * z.abs().sum(1).mean()),
            "the penalty has the wrong sign": with_penalty(lambda z: -0.3 * z.abs().mean()),
        }, of="SparseTrainer")  # fmt: skip


@checks("SparseTrainer")
def test_sparse_overfits(SparseTrainer, SparseArgs, Autoencoder):
    sizes = {"batch_size": 8, "epochs": 1, "lr": 5e-3, "use_wandb": False, "l1": 0.01}
    expect_overfitting(SparseTrainer, SparseArgs(32, 64, **sizes), of="SparseTrainer", factor=0.8)


@checks("kl_between")
def test_kl_between(kl_between):
    mu_q, logsigma_q = gaussians(seed=2)
    mu_p, logsigma_p = gaussians(seed=3)
    q = torch.distributions.Normal(mu_q, logsigma_q.exp())
    p = torch.distributions.Normal(mu_p, logsigma_p.exp())
    each = torch.distributions.kl_divergence(q, p)
    ratio = (logsigma_q - logsigma_p).exp()
    far = (mu_q - mu_p) ** 2
    mistakes = {
        "the two are swapped: this is KL(p ‖ q)": torch.distributions.kl_divergence(p, q).mean(),
        "the prior is not used: this is the KL from N(0, 1)": kl_of(mu_q, logsigma_q),
        "it is summed over the dimensions; take the mean over both axes": each.sum(1).mean(),
        "it is summed over batch and dimensions; take the mean over both": each.sum(),
        "there is a KL for each number; take the mean of all": each,
        "the sign is the wrong way round": -each.mean(),
        "sigma is taken for the variance; square it": (
            logsigma_p - logsigma_q + (logsigma_q.exp() + far) / (2 * logsigma_p.exp()) - 0.5
        ).mean(),
        "the distance of the means is not divided by the prior's variance": (
            logsigma_p - logsigma_q + ratio**2 / 2 + far / 2 - 0.5
        ).mean(),
        "the logarithms have the wrong sign: it is logsigma_p - logsigma_q": (
            logsigma_q - logsigma_p + (ratio**2 + far / (2 * logsigma_p).exp()) / 2 - 0.5
        ).mean(),
    }
    call(kl_between, mu_q, logsigma_q, mu_p, logsigma_p).gives(
        each.mean(), mistakes=mistakes, atol=1e-5
    )
    same = call(kl_between, mu_q, logsigma_q, mu_q, logsigma_q).value
    require(abs(float(same)) < 1e-5, "the KL of a normal variable from itself must be 0")


@checks("HierarchicalVAE")
def test_hierarchical_vae(HierarchicalVAE):
    for latent, hidden, top in ((5, 16, 2), (4, 8, 3)):
        made = f"HierarchicalVAE({latent}, {hidden}, {top})"
        model = HierarchicalVAE(latent, hidden, top)
        for name, n_in, n_out in (("top_encoder", latent, top), ("prior", top, latent)):
            part = part_of(model, name, made)
            shape = tuple(part(torch.zeros(3, n_in)).shape)
            want = (2, 3, n_out)
            require(shape == want, f"{made}.{name} gives {shape}; it must be {want}")
            shapes = [tuple(value.shape) for value in part.state_dict().values()]
            wanted = [(hidden, n_in), (hidden,), (2 * n_out, hidden), (2 * n_out,)]
            require(shapes == wanted, f"{made}.{name} has parameters {shapes}; expected {wanted}")
            expect_two_maps(scaled_up(part), n_in, n_out, of=f"{made}.{name}")
        result = model(strokes(2))
        if not isinstance(result, tuple | list) or len(result) != 3:
            fail("forward must give pictures and two KL divergences")
        shapes = [tuple(getattr(value, "shape", ())) for value in result]
        require(shapes == [(2, 1, 28, 28), (), ()], "forward must give pictures (batch, 1, 28, 28) "
                f"and two numbers; the shapes are {shapes}")  # fmt: skip
        shape = tuple(model.sample(torch.zeros(3, top)).shape)
        require(shape == (3, 1, 28, 28), f"sample gives {shape}; expected (3, 1, 28, 28)")


def expect_two_maps(part, n_in, n_out, *, of):
    """Check that a part is two linear maps with a ReLU between."""
    x = draws(3, n_in)
    values = [value.detach() for value in part.parameters()]
    first, second = values[:2], values[2:]
    between = F.linear(F.linear(x, *first).relu(), *second)
    none = F.linear(F.linear(x, *first), *second)
    before = F.linear(F.linear(x.relu(), *first), *second)
    with torch.no_grad():
        made = part(x)
    # Either split into means and log-deviations is a right one.
    halves = [out.unflatten(1, (2, n_out)).transpose(0, 1) for out in (between, none, before)]
    turns = [out.unflatten(1, (n_out, 2)).permute(2, 0, 1) for out in (between, none, before)]
    if torch.allclose(made, turns[0], 1e-3, 1e-4):
        return
    expect(made, halves[0], of=f"what {of} gives", atol=1e-4, mistakes={
        f"there is no ReLU between the linear maps of {of}": halves[1],
        f"the ReLU of {of} stands before both linear maps; it belongs between them": halves[2],
    })  # fmt: skip


def quiet_hierarchy(HierarchicalVAE):
    """Make a hierarchy of fixed parts, with next to no noise."""
    model, _, x = vae_with(HierarchicalVAE, 4, MU, torch.full((3,), -9.0))

    class Top(nn.Module):
        def forward(self, z):
            return torch.stack([z[:, :2] + 1, torch.full((len(z), 2), -8.0)])

    class Prior(nn.Module):
        def forward(self, top):
            mu = torch.cat([top, top[:, :1]], 1)
            return torch.stack([mu, torch.full_like(mu, -1.0)])

    model.top_encoder, model.prior = Top(), Prior()
    return model, x


@checks("HierarchicalVAE")
def test_hierarchical_vae_levels(HierarchicalVAE, kl_between, kl_divergence):
    model, x = quiet_hierarchy(HierarchicalVAE)
    torch.manual_seed(0)
    with torch.no_grad():
        out, latent_kl, top_kl = model(x)
    top = MU[:2] + 1
    want_out = model.decoder(MU[None]).detach().expand(4, -1, -1, -1)
    means = torch.cat([top, top[:1]])
    q = torch.distributions.Normal(MU, torch.full((3,), -9.0).exp())
    p = torch.distributions.Normal(means, torch.full((3,), -1.0).exp())
    of_standard = torch.distributions.Normal(torch.zeros(3), torch.ones(3))
    kl = torch.distributions.kl_divergence
    expect(out, want_out, of="the pictures, with next to no noise", atol=1e-2, rtol=1e-2)
    right = kl(q, p).mean()
    expect(latent_kl, right, of="the KL of the latents", rtol=1e-2, mistakes={
        "the latents are compared with N(0, 1); compare them with what prior gives":
            kl(q, of_standard).mean(),
        "prior and encoder are swapped in the KL of the latents": kl(p, q).mean(),
        "the KL of the latents is summed over dimensions": kl(q, p).sum(),
    })  # fmt: skip
    right_top = ((top**2 + 1e-7 - 1) / 2 + 8).mean()
    expect(top_kl, right_top, of="the KL of the top", rtol=1e-2, mistakes={
        "the two KLs are swapped": right,
    })  # fmt: skip
    made = torch.stack([model.sample(torch.zeros(1, 2)).detach() for _ in range(8)])
    if not made.std(0).any():
        fail("sample draws nothing: latents are drawn with the deviation that prior gives")


class Noted(nn.Module):
    """A part that notes what it gets, and gives the same for all."""

    def __init__(self, out):
        super().__init__()
        self.out, self.got = out, None

    def forward(self, x):
        self.got = x.detach()
        return self.out


@checks("HierarchicalVAE")
def test_hierarchical_vae_draws(HierarchicalVAE, kl_between, kl_divergence):
    n = 4000
    model, _, x = vae_with(HierarchicalVAE, n, MU, LOGSIGMA)
    top = torch.stack([MU[:2], LOGSIGMA[:2]])[:, None].expand(-1, n, -1)
    prior = torch.stack([MU, LOGSIGMA])[:, None].expand(-1, n, -1)
    model.top_encoder, model.prior = Noted(top), Noted(prior)
    model.decoder = Noted(torch.zeros(n, 1, 28, 28))
    torch.manual_seed(0)
    with torch.no_grad():
        model(x)
        for name in ("top_encoder", "decoder"):
            got = getattr(model, name).got
            expect_normal(got, MU, LOGSIGMA, f"forward hands to {name}")
        require(
            torch.equal(model.top_encoder.got, model.decoder.got),
            "forward hands one draw to top_encoder and another to decoder: both get the same z",
        )
        expect_normal(model.prior.got, *top[:, 0], "forward hands to prior")
        model.sample(torch.zeros(n, 2))
        expect_normal(model.decoder.got, *prior[:, 0], "sample hands to the decoder")


def expect_normal(drawn, mu, logsigma, what):
    """Check mean and deviation of draws."""
    sigma = logsigma.exp()
    expect(drawn.std(0), sigma, of=f"the deviation of what {what}", rtol=0.08, mistakes={
        "logsigma scales the noise; take its exponential": logsigma.abs(),
        "sigma is taken for the variance: scale by exp(logsigma), not by its root": sigma.sqrt(),
        "the variance scales the noise; scale it by sigma = exp(logsigma)": sigma**2,
        "the noise is not scaled": torch.ones_like(sigma),
        "nothing is drawn": 0 * sigma,
    })  # fmt: skip
    expect(drawn.mean(0), mu, of=f"the mean of what {what}", atol=0.15, rtol=0, mistakes={
        "the mean is not added": 0 * mu,
    })  # fmt: skip


@checks("HierarchicalVAE")
def test_hierarchical_vae_overfits(HierarchicalVAETrainer, VAEArgs, HierarchicalVAE):
    sizes = {"batch_size": 8, "epochs": 1, "lr": 5e-3, "use_wandb": False, "beta_kl": 0.01}
    args = VAEArgs(5, 64, **sizes)
    of = "HierarchicalVAETrainer with your HierarchicalVAE"
    expect_overfitting(HierarchicalVAETrainer, args, of=of, factor=0.8)
