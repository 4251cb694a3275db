"""Checks of 0.5 VAEs & GANs: expected values come from torch, from draws, or are worked by hand."""

import contextlib
import functools
import io
import tempfile
from pathlib import Path
from unittest.mock import patch

import torch

# Optimizers import this when they are first used, in seconds: here it is done once for all
# children that the runner forks.
import torch._dynamo
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from arena_lab.checks import call, checks, expect, fail, require

# --- helpers of the autoencoders --------------------------------------------------------------


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
    loss = result.detach().cpu() if isinstance(result, torch.Tensor) else result
    expect(loss, right.item(), of="the loss that training_step returns", mistakes={
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
    images, logged = [], []

    def step(img):
        images.append(img)
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
        losses = [float(trainer.training_step(img)) for _ in range(40)]
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
    img, model = strokes(8), PlainAutoencoder()
    with kept_aside(strokes(24)):
        trainer = trainer_of(DenoisingTrainer, DenoisingArgs, model, noise=0.5)
        torch.manual_seed(0)
        with torch.no_grad():
            before = [value.clone() for value in model.parameters()]
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
    expect(float(result), right.item(), of="the loss that training_step returns", mistakes={
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
        trainer = trainer_of(SparseTrainer, SparseArgs, PlainAutoencoder(), l1=0.3)
        expect_step(trainer, img, {
            "": with_penalty(lambda z: 0.3 * z.abs().mean()),
            "the penalty is missing": with_penalty(lambda z: 0),
            "args.l1 is not used": with_penalty(lambda z: z.abs().mean()),
            "the squares of the latents are penalised; take their sizes, by abs":
                with_penalty(lambda z: 0.3 * z.square().mean()),
            "the latents themselves are penalised, which wants them negative; take abs first":
                with_penalty(lambda z: 0.3 * z.mean()),
            "the size of the mean is penalised; take abs before the mean":
                with_penalty(lambda z: 0.3 * z.mean().abs()),
            "the sizes are summed; take their mean": with_penalty(lambda z: 0.3 * z.abs().sum()),
            "the sizes of a picture are summed; take the mean over both axes":
                with_penalty(lambda z: 0.3 * z.abs().sum(1).mean()),
            "the penalty has the wrong sign": with_penalty(lambda z: -0.3 * z.abs().mean()),
        }, of="SparseTrainer")  # fmt: skip


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
        result = model(strokes(2))
        if not isinstance(result, tuple | list) or len(result) != 3:
            fail("forward must give pictures and two KL divergences")
        shapes = [tuple(getattr(value, "shape", ())) for value in result]
        require(shapes == [(2, 1, 28, 28), (), ()], "forward must give pictures (batch, 1, 28, 28) "
                f"and two numbers; the shapes are {shapes}")  # fmt: skip
        shape = tuple(model.sample(torch.zeros(3, top)).shape)
        require(shape == (3, 1, 28, 28), f"sample gives {shape}; expected (3, 1, 28, 28)")


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


# --- end of the autoencoders ------------------------------------------------------------------
