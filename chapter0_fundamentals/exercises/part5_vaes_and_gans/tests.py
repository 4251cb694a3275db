"""Checks of 0.5 VAEs & GANs: expected values come from torch, from draws, or are worked by hand."""

import contextlib
import functools
import inspect
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

from arena_lab.checks import call, checks, expect, fail, raises, require

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


def shapes_of(model):
    return [tuple(value.shape) for value in model.parameters()]


def expect_gan_parameters(model, wanted, *, made, hidden):
    """Check shapes of parameters in their order, and name what is wrong."""
    have = shapes_of(model)
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
        for value in model.parameters():
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
        values = [value.detach() for value in model.parameters()]
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
        values = [value.detach() for value in model.parameters()]
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


def made_or_torchs(mine, torchs, *args):
    """Make a layer of the course, or torch's where that one is not given or not written yet."""
    try:
        return (mine or torchs)(*args)
    except NotImplementedError:
        return torchs(*args)


@checks("initialize_weights")
def test_initialize_weights(
    initialize_weights,
    ConvTranspose2d=None,  # noqa: PT028
    Conv2d=None,  # noqa: PT028
    Linear=None,  # noqa: PT028
    BatchNorm2d=None,  # noqa: PT028
):
    torch.manual_seed(0)
    for mine in ((None,) * 4, (ConvTranspose2d, Conv2d, Linear, BatchNorm2d)):
        layers = [
            made_or_torchs(mine[0], nn.ConvTranspose2d, 20, 20, 5),
            made_or_torchs(mine[1], nn.Conv2d, 20, 20, 5),
            made_or_torchs(mine[2], nn.Linear, 100, 100),
            made_or_torchs(mine[3], nn.BatchNorm2d, 5000),
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


def number(loss):
    """Give a loss as a number, whether it hangs on a graph or is one already."""
    return torch.as_tensor(loss).detach().item()


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
    z = draws(5, 30)
    right = -model.netD(model.netG(z)).log().mean()
    gradient = gradient_of(model.netG, right)
    gradient = gradient * min(1.0, 1 / gradient.norm().item())
    before_G, before_D = copies(model.netG), copies(model.netD)
    optG = torch.optim.SGD(model.netG.parameters(), lr=1.0)
    loss = mended_generator_step(model, optG, model.netG(z))
    change = moved(model.netG, before_G)
    if not change.any():
        fail("the generator still does not move: no gradient reaches it")
    expect_gan_loss(loss, (right,), {"the sign is wrong": -right}, of="mended_generator_step")
    if moved(model.netD, before_D).any():
        fail("mended_generator_step changes the discriminator too")
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


@checks("mended_discriminator_step")
def test_mended_discriminator_step(mended_discriminator_step):
    model, of = TinyGan(), "mended_discriminator_step"
    real, img_fake = bright_pictures(5), model.netG(draws(5, 30))
    p, q = model.netD(real), model.netD(img_fake.detach())
    right = -p.log().mean() - (1 - q).log().mean()
    gradient = gradient_of(model.netD, right)
    gradient = gradient * min(1.0, 1 / gradient.norm().item())
    before_D = copies(model.netD)
    optD = torch.optim.SGD(model.netD.parameters(), lr=1.0)
    (-model.netD(img_fake).log().mean()).backward(retain_graph=True)  # what the generator leaves
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
    if not torch.allclose(change, -gradient, 1e-3, 1e-5):
        fail(f"{of} steps along what the generator's turn has left in the gradients: zero_grad")


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
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    for stride_h, stride_w in ((1, 1), (2, 2), (1, 3), (3, 2)):
        right = x.new_zeros(1, 1, stride_h + 1, stride_w + 1)
        right[..., ::stride_h, ::stride_w] = x
        swapped = x.new_zeros(1, 1, stride_w + 1, stride_h + 1)
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
    text = repr(ConvTranspose2d(11, 12, 4, 2, 1))
    if not all(part in text for part in ("11", "12", "4", "2", "1")):
        fail("ConvTranspose2d prints without its settings: extra_repr returns them", printed=text)
