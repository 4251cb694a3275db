"""Checks of 0.2 CNNs & ResNets: expected values come from torch, torchvision, or worked by hand."""

import contextlib
import functools
import inspect
import math
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from arena_lab.checks import call, checks, expect, fail, require

# Optimizers import it when they are first used, in seconds: the runner does it once for all tests.
IMPORTED_AHEAD = ("torch._dynamo",)

# --- helpers ----------------------------------------------------------------------------------


def normal(*shape, seed=0, dtype=torch.float32):
    """Make numbers of both signs, the same each time."""
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator, dtype=dtype)


def transposed(*shape, seed=0):
    """Make numbers that do not lie in memory in the order of their axes."""
    return normal(*shape[::-1], seed=seed).permute(*range(len(shape))[::-1])


def sliced(*shape, seed=0):
    """Make numbers that are every second along each axis of a larger tensor, from an offset on."""
    large = normal(*(2 * n + 1 for n in shape), seed=seed)
    return large[tuple(slice(1, 2 * n + 1, 2) for n in shape)]


def wrong(expected, mistakes):
    """Leave out mistakes that give the right result for these arguments."""

    expected = torch.as_tensor(expected)

    def same(value):
        value = torch.as_tensor(value)
        return value.shape == expected.shape and torch.allclose(value, expected, 1e-3, 1e-5)

    return {sentence: value for sentence, value in mistakes.items() if not same(value)}


@contextlib.contextmanager
def blaming(sentences):
    """Explain torch's errors: part of what it says, to the mistake behind it."""
    try:
        yield
    except (RuntimeError, TypeError) as error:
        for part, sentence in sentences.items():
            if part in str(error) and not isinstance(error, NotImplementedError):
                fail(sentence, torch_says=str(error).splitlines()[0])
        raise


def applied(module, made):
    """Wrap a module so that messages show how it was made."""

    def forward(x):
        return module(x)

    forward.__name__ = made
    return forward


def randint(rng, low, high):
    return int(rng.integers(low, high + 1))


@contextlib.contextmanager
def replaced(function, **values):
    """Give other values to names that the learner's module uses."""
    names = inspect.unwrap(function).__globals__
    before = {name: names[name] for name in values if name in names}
    names.update(values)
    try:
        yield
    finally:
        names.update(before)


def expect_parameter(module, name, shape, *, made):
    """Check that a module holds a parameter of this name and shape."""
    value = getattr(module, name, None)
    if not isinstance(value, nn.Parameter):
        if isinstance(value, torch.Tensor):
            fail(
                f"{made}.{name} is a plain tensor, so no optimizer will find it: "
                "wrap it in nn.Parameter"
            )
        if isinstance(value, bool):
            fail(f"{made}.{name} is the flag {value}; it must be a parameter, or None")
        fail(f"{made} has no parameter called {name}", parameters=names_of(module))
    if tuple(value.shape) != shape:
        hint = " (the axes are swapped)" if tuple(value.shape) == shape[::-1] else ""
        fail(f"{made}.{name} has shape {tuple(value.shape)}; it must be {shape}{hint}")
    require(value.requires_grad, f"{made}.{name} must require a gradient")


def names_of(module):
    shapes = {name: tuple(value.shape) for name, value in module.named_parameters()}
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "none"


def expect_only(module, wanted, *, made):
    """Check that a module holds these parameters and no other."""
    have = {name for name, _ in module.named_parameters()}
    if have - wanted:
        fail(f"{made} has parameters that it must not have: {', '.join(sorted(have - wanted))}")


def expect_uniform(values, bound, *, of, others):
    """Check numbers that are drawn uniformly between ±bound; `others` are bounds of mistakes."""
    numbers = values.detach().flatten()
    low, high = numbers.min().item(), numbers.max().item()
    shown = {"smallest": f"{low:.4g}", "largest": f"{high:.4g}", "bound": f"±{bound:.4g}"}
    require(math.isfinite(low + high), f"{of}: some values are not finite: fill torch.empty")
    if low == high:
        fail(f"{of}: every value is {low:g}; they must be drawn at random", **shown)
    if low >= 0:
        fail(f"{of}: no value is negative; the range must be symmetric around 0", **shown)
    if not (0.93 * bound < high <= 1.001 * bound and 0.93 * bound < -low <= 1.001 * bound):
        for sentence, other in others.items():
            if 0.93 * other < high <= 1.001 * other and 0.93 * other < -low <= 1.001 * other:
                fail(f"{of}: {sentence}", **shown)
        # The fourth moment tells apart what is flat (1.8) and what has tails (3).
        if (numbers**4).mean() > 2.5 * (numbers**2).mean() ** 2:
            fail(f"{of}: drawn from a normal distribution; it must be uniform", **shown)
        wide = high > 1.001 * bound or -low > 1.001 * bound
        width = "reach beyond" if wide else "do not fill"
        fail(f"{of}: the values {width} the range that they must be uniform in", **shown)
    spread = numbers.std().item() / (bound / math.sqrt(3))
    if not 0.9 < spread < 1.1 or abs(numbers.mean().item()) > 0.1 * bound:
        fail(
            f"{of}: the range is right, but the values are not spread evenly over it",
            standard_deviation=f"{numbers.std().item():.4g}",
            of_a_uniform_one=f"{bound / math.sqrt(3):.4g}",
        )


def expect_gradients(module, x, *, made):
    """Check that a gradient reaches every parameter."""
    out = module(x)
    if not out.requires_grad:
        fail(f"{made}: the graph is cut, so no parameter gets a gradient; use self.weight itself")
    (out**2).sum().backward()
    for name, value in module.named_parameters():
        if value.grad is None:
            fail(f"{made}: no gradient reaches {name}; is it used, and is the graph not cut?")
        if not value.grad.any():
            fail(f"{made}: the gradient of {name} is zero everywhere")


def expect_repr(module, parts, *, made):
    """Check that the printed form names the settings."""
    text = repr(module)
    missing = [part for part in parts if part not in text]
    if missing:
        fail(
            f"{made} prints without its settings ({', '.join(missing)}): extra_repr must return "
            "them as a string",
            printed=text,
        )


# --- Modules ----------------------------------------------------------------------------------


@checks("ReLU")
def test_relu(ReLU):
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 3.0])
    call(applied(ReLU(), "ReLU()"), x).gives(
        torch.tensor([0.0, 0.0, 0.0, 0.5, 3.0]),
        mistakes={
            "the input comes out unchanged": x,
            "the negative numbers are kept, and the positive ones lost": x.clamp(max=0.0),
            "this is the absolute value": x.abs(),
            "this says where x is positive; give x itself there": (x > 0).float(),
            "a small part of the negative numbers is kept": torch.where(x > 0, x, 0.01 * x),
            "numbers above 1 are cut off, too": x.clamp(0, 1),
            "the negative numbers are taken out; put a zero in their place": x[x >= 0],
        },
    )


@checks("ReLU")
def test_relu_takes_any_tensor(ReLU):
    for x in (transposed(3, 4), sliced(2, 3, 4), normal(2, 3, dtype=torch.float64)):
        call(applied(ReLU(), "ReLU()"), x).gives(x.clamp(min=0.0), dtype=True)


@checks("ReLU")
def test_relu_gradient(ReLU):
    x = torch.tensor([-2.0, 3.0], requires_grad=True)
    out = ReLU()(x)
    require(out.requires_grad, "ReLU()(x) is cut off from x: compute it with torch's operations")
    (out * torch.tensor([5.0, 7.0])).sum().backward()
    expect(x.grad, torch.tensor([0.0, 7.0]), of="the gradient of x")


def check_linear_parameters(Linear, bias):
    made = f"Linear(100, 2000, bias={bias})"
    torch.manual_seed(0)
    layer = Linear(100, 2000, bias=bias)
    expect_parameter(layer, "weight", (2000, 100), made=made)
    others = {
        "the bound is 1/√out_features; it must be 1/√in_features": 2000**-0.5,
        "the bound is 1/in_features; the square root is missing": 1 / 100,
        "the bound is 1": 1.0,
        "the bound is √in_features; it must be 1 over that": 10.0,
        "the bound is √(1/(3 in)), that is a standard deviation of 1/3√in": 300**-0.5,
        "this is Xavier's range, √(6/(in + out)); it must be 1/√in_features": (6 / 2100) ** 0.5,
        "this is He's range, √(6/in); it must be 1/√in_features": 0.06**0.5,
    }
    expect_uniform(layer.weight, 0.1, of=f"{made}.weight", others=others)
    if not bias:
        require(hasattr(layer, "bias"), f"{made} has no attribute bias; it must be None")
        require(layer.bias is None, f"{made}.bias must be None", is_now=layer.bias)
        expect_only(layer, {"weight"}, made=made)
        return
    if getattr(layer, "bias", None) is None:
        fail(f"{made}.bias is None: the bias is forgotten")
    expect_parameter(layer, "bias", (2000,), made=made)
    expect_uniform(layer.bias, 0.1, of=f"{made}.bias", others=others)
    expect_only(layer, {"weight", "bias"}, made=made)


def check_linear_forward(Linear, bias):
    for n_in, n_out, x in (
        (4, 4, normal(3, 4)),
        (5, 3, normal(1, 5)),
        (5, 3, normal(5)),
        (3, 6, transposed(2, 4, 3)),
    ):
        made = f"Linear({n_in}, {n_out}, bias={bias})"
        layer = Linear(n_in, n_out, bias=bias)
        layer.weight.data = weight = normal(n_out, n_in, seed=1)
        if bias:
            layer.bias.data = shift = normal(n_out, seed=2)
        right = F.linear(x, weight, shift if bias else None)
        mistakes = {"the bias is not added": F.linear(x, weight)}
        if bias:
            mistakes["the bias is subtracted; it must be added"] = F.linear(x, weight, -shift)
        if n_in == n_out:
            mistakes["multiplied with the weight as it is; it must be transposed: x Wᵀ"] = F.linear(
                x, weight.T, shift if bias else None
            )
        axes = "any axes may stand before the last one, or none"
        with blaming({"": f"{made} fails for {x.ndim} axes; {axes}"} if x.ndim != 2 else {}):
            result = call(applied(layer, made), x)
        result.gives(right, mistakes=wrong(right, mistakes), atol=1e-5)


@checks("Linear")
def test_linear_parameters(Linear, bias=False):  # noqa: PT028
    check_linear_parameters(Linear, bias)


@checks("Linear")
def test_linear_parameters_with_bias(Linear):
    check_linear_parameters(Linear, True)


@checks("Linear")
def test_linear_forward(Linear, bias=False):  # noqa: PT028
    check_linear_forward(Linear, bias)


@checks("Linear")
def test_linear_forward_with_bias(Linear):
    check_linear_forward(Linear, True)


@checks("Linear")
def test_linear_no_bias(Linear):
    layer = Linear(3, 2, bias=False)
    zero = torch.zeros(4, 3)
    call(applied(layer, "Linear(3, 2, bias=False)"), zero).gives(torch.zeros(4, 2))
    require(
        getattr(Linear(3, 2), "bias", None) is not None,
        "Linear(3, 2) has no bias; without a third argument there must be one",
    )


@checks("Linear")
def test_linear_gradients_and_repr(Linear):
    layer = Linear(7, 5)
    expect_gradients(layer, normal(3, 7), made="Linear(7, 5)")
    expect_repr(layer, ["7", "5"], made="Linear(7, 5)")
    for has, hasnt in ((True, False), (False, True)):
        text = repr(Linear(7, 5, bias=has))
        require(
            f"bias={hasnt}" not in text,
            f"Linear(7, 5, bias={has}) says bias={hasnt} when it is printed",
            printed=text,
        )


@checks("Flatten")
def test_flatten(Flatten):
    x = normal(2, 3, 4, 5)
    whole = "with end_dim=-1, shape[end_dim + 1:] is the whole shape; make it ≥ 0 first"
    length = "the joined axis has the wrong length: start_dim to end_dim, both included"
    with blaming({", 2, 3, 4, 5]' is invalid": whole, "invalid for input": length}):
        result = call(applied(Flatten(), "Flatten()"), x)
    result.gives(
        x.reshape(2, 60),
        mistakes={
            "everything is joined, the batch too: start at start_dim": x.reshape(120),
            "the last axis is left out: end_dim belongs to what is joined": x.reshape(2, 12, 5),
        },
    )
    for start, end, shape in (
        (0, -1, (120,)),
        (0, 1, (6, 4, 5)),
        (1, 2, (2, 12, 5)),
        (2, -1, (2, 3, 20)),
        (-3, -2, (2, 12, 5)),
        (1, 1, (2, 3, 4, 5)),
        (-1, -1, (2, 3, 4, 5)),
    ):
        right, positive = x.reshape(shape), end % 4
        mistakes = {"end_dim is not used": x.flatten(start)}
        if positive:
            mistakes["start_dim is not used"] = x.flatten(1, positive)
        call(applied(Flatten(start, end), f"Flatten({start}, {end})"), x).gives(
            right, mistakes=wrong(right, mistakes)
        )


@checks("Flatten")
def test_flatten_takes_any_tensor(Flatten):
    for x in (transposed(1, 2, 3), sliced(2, 3, 2), torch.arange(6).reshape(1, 1, 6)):
        call(applied(Flatten(), "Flatten()"), x).gives(x.flatten(1))


@checks("SimpleMLP")
def test_mlp_module(SimpleMLP):
    mlp = SimpleMLP()
    n = sum(value.numel() for value in mlp.parameters())
    shown = {"parameters": names_of(mlp)}
    if n == 0:
        fail("SimpleMLP has no parameters: assign its layers to attributes in __init__", **shown)
    if n == 79_400:
        fail("SimpleMLP has 79,400 parameters, not 79,510: both biases are missing", **shown)
    if n in (78_500, 1_010):
        fail(
            f"SimpleMLP has {n:,} parameters, not 79,510: one of the two linear layers is not "
            "found. Is it an attribute of its own, and no list?",
            **shown,
        )
    if n == 7_850:
        fail("SimpleMLP has 7,850 parameters, not 79,510: a linear layer is missing", **shown)
    require(n == 79_510, f"SimpleMLP has {n:,} parameters; it must have 79,510", **shown)
    shapes = sorted(tuple(value.shape) for value in mlp.parameters())
    wanted = sorted([(100, 784), (100,), (10, 100), (10,)])
    require(shapes == wanted, "SimpleMLP's parameters have other shapes than it needs", **shown)


@checks("SimpleMLP")
def test_mlp_forward(SimpleMLP):
    mlp = SimpleMLP()
    values = {tuple(value.shape): value.data for value in mlp.parameters()}
    shapes = (100, 784), (100,), (10, 100), (10,)
    w1, b1, w2, b2 = (values[shape].copy_(normal(*shape)) for shape in shapes)
    for x in (normal(3, 1, 28, 28), normal(1, 28, 28), transposed(2, 28, 28)):
        flat = x.flatten(1)
        hidden = F.linear(flat, w1, b1)
        right = F.linear(hidden.relu(), w2, b2)
        with blaming(
            {
                f"1x{x.numel()} ": "the whole batch is flattened into one row; keep its axis",
                f"{len(x)}x784 and": "the first linear layer that runs does not take 784 numbers: "
                "the order is Linear(784, 100), ReLU, Linear(100, 10)",
                "mat1 and mat2": "the pictures are not flattened before the first linear layer",
            }
        ):
            result = call(applied(mlp, "SimpleMLP()"), x)
        result.gives(
            right,
            mistakes={
                "there is no ReLU between the two linear layers": F.linear(hidden, w2, b2),
                "there is an activation at the end; give the logits as they are": right.relu(),
                "there is a softmax at the end; give the logits as they are": right.softmax(-1),
                "the ReLU stands before the first linear layer": F.linear(
                    F.linear(flat.relu(), w1, b1), w2, b2
                ),
            },
            atol=1e-2,
        )


@checks("SimpleMLP")
def test_mlp_gradients(SimpleMLP):
    torch.manual_seed(0)
    expect_gradients(SimpleMLP(), normal(4, 28, 28), made="SimpleMLP()")


# --- Training ---------------------------------------------------------------------------------


class Echo(nn.Module):
    """A network whose logits are its input; it notes in which mode it is called."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.seen = []

    def forward(self, x):
        self.seen.append((self.training, torch.is_grad_enabled()))
        return x * self.scale


@checks("evaluate")
def test_evaluate(evaluate):
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 5.0], [1.0, 2.0, 0.0]])
    labels = torch.tensor([0, 2, 1])  # all right
    last = torch.tensor([[1.0, 4.0, 2.0]]), torch.tensor([0])  # wrong
    value = call(evaluate, Echo(), [(logits, labels), last]).value
    expect(
        float(value) if isinstance(value, torch.Tensor) and value.ndim == 0 else value,
        0.75,
        of="the accuracy of 3 right ones in a batch of 3 and a batch of 1",
        mistakes={
            "the mean of the two batches' accuracies; a small batch must count less": 0.5,
            "the count of right ones; divide by the count of pictures": 3,
            "the share of wrong ones": 0.25,
            "in percent; give a share from 0 to 1": 75.0,
            "the right ones divided by the count of batches": 1.5,
            "only the last batch is counted": 0.0,
            "only the first batch is counted": 1.0,
            "argmax goes over the pictures; it must go over the classes, the last axis": 1.25,
        },
    )


@checks("evaluate")
def test_evaluate_switches_modes(evaluate):
    model = Echo().train()
    evaluate(model, [(normal(2, 3), torch.tensor([0, 1]))])
    training, tracked = model.seen[0]
    require(not training, "the model is in training mode while it is tested: call model.eval()")
    require(
        not tracked,
        "gradients are recorded while the model is tested: use torch.inference_mode()",
    )
    require(torch.is_grad_enabled(), "after evaluate, gradients are still switched off")
    require(
        model.scale.requires_grad, "evaluate must leave requires_grad of the parameters as it is"
    )


class Spy:
    """Watch a training: what optimizers step on, and in which mode networks run."""

    def __init__(self):
        self.parameters, self.stale, self.in_eval, self.n_steps, self.n_backward = {}, 0, 0, 0, 0
        self.n_probabilities, self.n_empty, self.n_reached, self.rates = 0, 0, 0, set()

    def __enter__(self):
        from torch.nn.modules.module import register_module_forward_pre_hook
        from torch.optim.optimizer import register_optimizer_step_pre_hook

        self.backward = torch.Tensor.backward
        spy = self

        @functools.wraps(self.backward)
        def backward(tensor, *args, **kwargs):
            grads = [p.grad for p in spy.parameters.values() if p.grad is not None]
            spy.stale += any(bool(grad.any()) for grad in grads)
            spy.n_backward += 1
            spy.backward(tensor, *args, **kwargs)
            spy.n_reached += any(p.grad is not None for p in spy.parameters.values())

        self.cross_entropy = F.cross_entropy

        @functools.wraps(self.cross_entropy)
        def cross_entropy(logits, *args, **kwargs):
            sums = logits.detach().sum(-1)
            spy.n_probabilities += bool((logits >= 0).all() and ((sums - 1).abs() < 1e-3).all())
            return spy.cross_entropy(logits, *args, **kwargs)

        torch.Tensor.backward, F.cross_entropy = backward, cross_entropy
        self.handles = [
            register_optimizer_step_pre_hook(self.on_step),
            register_module_forward_pre_hook(self.on_forward),
        ]
        return self

    def on_step(self, optimizer, args, kwargs):
        self.n_steps += 1
        for group in optimizer.param_groups:
            self.parameters.update({id(p): p for p in group["params"]})
            self.rates.add(float(group["lr"]))
        grads = [p.grad for p in self.parameters.values() if p.grad is not None]
        self.n_empty += not any(bool(grad.any()) for grad in grads)

    def on_forward(self, module, args):
        if torch.is_grad_enabled() and not module.training:
            self.in_eval += 1

    def __exit__(self, *error):
        torch.Tensor.backward, F.cross_entropy = self.backward, self.cross_entropy
        for handle in self.handles:
            handle.remove()


def easy_pictures(n_train, n_test, channels, side):
    """Make pictures that a network learns in seconds; some test labels are wrong."""
    from part2_cnns.utils import Pictures

    generator = torch.Generator().manual_seed(0)
    blocks = torch.randint(0, 200, (10, channels, 4, 4), generator=generator)
    patterns = blocks.repeat_interleave(side // 4, 2).repeat_interleave(side // 4, 3)
    parts = []
    for n in (n_train, n_test):
        labels = torch.arange(n) % 10
        noise = torch.randint(0, 56, (n, channels, side, side), generator=generator)
        pixels = (patterns[labels] + noise).to(torch.uint8)
        shift = (torch.arange(n) // 10 % 3 == 0) if n == n_test else 0
        statistics = ((0.45,) * channels, (0.23,) * channels)
        names = [str(i) for i in range(10)]
        parts.append(Pictures(pixels, (labels + shift) % 10, statistics, names))
    return parts


def own_accuracy(model, pictures):
    model.eval()
    with torch.inference_mode():
        return (model(pictures.images).argmax(-1) == pictures.labels).float().mean().item()


def expect_steps(spy):
    """Check that each batch was followed by one step along its own gradient."""
    if spy.n_steps == 0:
        fail("the optimizer never made a step: call optimizer.step() for each batch")
    require(spy.n_backward > 0, "loss.backward() was never called")
    if spy.n_empty == spy.n_steps:
        if spy.n_reached:
            fail("no gradient is left for the step: zero_grad stands between backward and step")
        fail("no gradient of the loss reaches what the optimizer steps on: is it the same model?")
    if spy.n_probabilities:
        fail("F.cross_entropy gets probabilities; it wants the logits, and does softmax itself")
    if spy.stale:
        fail("gradients of earlier batches are still there: call optimizer.zero_grad() each time")


def expect_training(result, spy, *, n_batches, n_epochs, testset, trainset):
    """Check what a training returns, and what was seen of it."""
    if not isinstance(result, tuple | list) or len(result) != 3:
        fail("it must return three things: losses, accuracies and the model", returned=repr(result))
    losses, accuracies, model = result
    expect_steps(spy)
    n = n_batches * n_epochs
    sentence = f"losses holds {len(losses)} numbers for {n_epochs} epochs of {n_batches} batches"
    require(len(losses) == n, f"{sentence}; append the loss of every batch")
    if any(isinstance(x, torch.Tensor) and x.requires_grad for x in losses):
        fail("losses holds tensors with their graphs, which fills the memory: use loss.item()")
    first, last = (float(np.mean([float(x) for x in part])) for part in (losses[:5], losses[-5:]))
    require(
        last < 0.9 * first,
        "the loss does not fall: is the gradient of this loss what the optimizer steps on?",
        mean_of_the_first_five=f"{first:.4f}",
        mean_of_the_last_five=f"{last:.4f}",
    )
    sentence = f"accuracies holds {len(accuracies)} numbers for {n_epochs} epochs"
    require(len(accuracies) == n_epochs, f"{sentence}; test after every epoch")
    right = own_accuracy(model, testset)
    mistakes = {
        "this is the accuracy on the training set": own_accuracy(model, trainset),
        "in percent; give a share from 0 to 1": 100 * right,
        "the share of wrong ones": 1 - right,
    }
    expect(
        float(accuracies[-1]),
        right,
        of="the last accuracy, for the returned model on the test set",
        mistakes=wrong(right, mistakes),  # by chance half of them may be right
        atol=1e-4,
    )
    require(
        not spy.in_eval,
        "the model trains in evaluation mode: call model.train() at the start of each epoch, for "
        "testing switched it over",
    )


def quiet(device="cpu"):
    """Give what makes a training in a test small and silent."""
    from tqdm import tqdm

    return {
        "tqdm": functools.partial(tqdm, disable=True),
        "pick_device": lambda: torch.device(device),
    }


@checks("train", timeout=60)
def test_train(train, SimpleMLPTrainingArgs):
    trainset, testset = easy_pictures(320, 100, 1, 28)
    torch.manual_seed(0)
    args = SimpleMLPTrainingArgs(batch_size=32, epochs=3)
    with replaced(train, get_mnist=lambda *a, **k: (trainset, testset), **quiet()), Spy() as spy:
        result = call(train, args).value
    expect_training(result, spy, n_batches=10, n_epochs=3, testset=testset, trainset=trainset)


# --- Convolutions -----------------------------------------------------------------------------


def random_settings(rng, tuples):
    """Draw a kernel's size, a stride and a padding that fit each other."""
    if tuples:
        kernel = (randint(rng, 1, 4), randint(rng, 1, 4))
        stride = (randint(rng, 1, 3), randint(rng, 1, 3))
        return kernel, stride, (randint(rng, 0, kernel[0] // 2), randint(rng, 0, kernel[1] // 2))
    kernel = randint(rng, 1, 4)
    return kernel, randint(rng, 1, 3), randint(rng, 0, kernel // 2)


@checks("Conv2d")
def test_conv2d_parameters(Conv2d):
    made = "Conv2d(20, 40, 3)"
    torch.manual_seed(0)
    layer = Conv2d(20, 40, 3)
    weight = getattr(layer, "weight", None)
    if isinstance(weight, nn.Parameter) and tuple(weight.shape) == (20, 40, 3, 3):
        fail(f"{made}.weight is (in, out, 3, 3); out_channels must come first: (40, 20, 3, 3)")
    expect_parameter(layer, "weight", (40, 20, 3, 3), made=made)
    if getattr(layer, "bias", None) is not None:
        fail(f"{made} has a bias; this layer must have none")
    expect_only(layer, {"weight"}, made=made)
    n = 20 * 9
    expect_uniform(
        layer.weight,
        n**-0.5,
        of=f"{made}.weight",
        others={
            "the bound is 1/√in_channels; the kernel's area is missing": 20**-0.5,
            "the bound is 1/kernel_size; in_channels is missing": 1 / 3,
            "the bound is 1/√(in_channels · kernel_size); the kernel has two sides": 60**-0.5,
            "the bound is made with out_channels; it must be in_channels": 360**-0.5,
            "the bound is 1/(in_channels · kernel_size²); the root is missing": 1 / n,
            "the bound is 1": 1.0,
        },
    )


THIRD_IS_BIAS = "the third argument of F.conv2d is the bias; name yours: stride=…, padding=…"


@checks("Conv2d")
def test_conv2d_module(Conv2d, n_tests=5, tuples=False):  # noqa: PT028
    rng = np.random.default_rng(0)
    for i in range(n_tests):
        n_in, n_out = randint(rng, 1, 4), randint(rng, 1, 5)
        kernel, stride, padding = random_settings(rng, tuples)
        shape = (randint(rng, 1, 3), n_in, randint(rng, 5, 12), randint(rng, 5, 12))
        x = (normal, transposed, sliced)[i % 3](*shape)
        layer = Conv2d(n_in, n_out, kernel, stride=stride, padding=padding)
        weight = layer.weight.data
        right = F.conv2d(x, weight, stride=stride, padding=padding)
        swapped = "stride and padding are swapped; name them: stride=…, padding=…"
        with blaming({"invalid combination": THIRD_IS_BIAS, "non-positive stride": swapped}):
            result = call(
                applied(layer, f"Conv2d({n_in}, {n_out}, {kernel}, {stride}, {padding})"), x
            )
        result.gives(
            right,
            mistakes=wrong(
                right,
                {
                    "the stride is not used": F.conv2d(x, weight, padding=padding),
                    "the padding is not used": F.conv2d(x, weight, stride=stride),
                    "neither stride nor padding is used": F.conv2d(x, weight),
                    "the kernel is turned round; F.conv2d does not turn it": F.conv2d(
                        x, weight.flip(2, 3), stride=stride, padding=padding
                    ),
                },
            ),
            atol=1e-5,
        )


@checks("Conv2d")
def test_conv2d_gradients_and_repr(Conv2d):
    layer = Conv2d(2, 7, 3, stride=4, padding=5)
    expect_gradients(layer, normal(1, 2, 9, 9), made="Conv2d(2, 7, 3, 4, 5)")
    expect_repr(layer, ["2", "7", "3", "4", "5"], made="Conv2d(2, 7, 3, stride=4, padding=5)")


@checks("MaxPool2d")
def test_maxpool2d_module(MaxPool2d, n_tests=20, tuples=False):  # noqa: PT028
    rng = np.random.default_rng(1)
    for i in range(n_tests):
        kernel, stride, padding = random_settings(rng, tuples)
        x = (normal, transposed, sliced)[i % 3](randint(rng, 1, 3), 2, randint(rng, 5, 12), 9) - 3
        stride = None if i % 2 else stride
        right = F.max_pool2d(x, kernel, stride=stride, padding=padding)
        zeros = F.pad(x, (padding,) * 4) if not tuples else x
        layer = MaxPool2d(kernel, stride=stride, padding=padding)
        call(applied(layer, f"MaxPool2d({kernel}, {stride}, {padding})"), x).gives(
            right,
            mistakes=wrong(
                right,
                {
                    "with stride None, windows must lie side by side: stride = kernel_size": (
                        F.max_pool2d(x, kernel, stride=1, padding=padding)
                    ),
                    "the padding is not used": F.max_pool2d(x, kernel, stride=stride),
                    "zeros are padded, and win over negative numbers; pad with -inf": (
                        F.max_pool2d(zeros, kernel, stride=stride)
                    ),
                    "this is the mean of each window": F.avg_pool2d(x, kernel, stride, padding),
                    "this is the smallest number of each window": -F.max_pool2d(
                        -x, kernel, stride, padding
                    ),
                    "the stride is not used; it is kernel_size only where stride is None": (
                        F.max_pool2d(x, kernel, padding=padding)
                    ),
                },
            ),
        )


# --- ResNets ----------------------------------------------------------------------------------

BUFFERS = ["running_mean", "running_var", "num_batches_tracked"]


@checks("BatchNorm2d")
def test_batchnorm2d_module(BatchNorm2d):
    norm, made = BatchNorm2d(3), "BatchNorm2d(3)"
    for name, value in (("weight", torch.ones(3)), ("bias", torch.zeros(3))):
        expect_parameter(norm, name, (3,), made=made)
        starts = getattr(norm, name).data
        require(
            torch.equal(starts, value),
            f"{made}.{name} must start at {value[0]:g}",
            starts_at=starts,
        )
    expect_only(norm, {"weight", "bias"}, made=made)
    buffers = dict(norm.named_buffers())
    for name in BUFFERS:
        if name not in buffers and hasattr(norm, name):
            fail(
                f"{made}.{name} is a plain attribute, so it is not saved and not moved to a GPU "
                f'with the module: self.register_buffer("{name}", …)'
            )
        require(name in buffers, f"{made} has no buffer called {name}", buffers=", ".join(buffers))
    order = [name for name in buffers if name in BUFFERS]
    require(
        order == BUFFERS,
        f"{made}: the buffers must be registered in the order {', '.join(BUFFERS)}",
        order=", ".join(order),
    )
    expect(buffers["running_mean"], torch.zeros(3), of=f"{made}.running_mean")
    expect(
        buffers["running_var"],
        torch.ones(3),
        of=f"{made}.running_var",
        mistakes={"it starts at 0; a variance must start at 1": torch.zeros(3)},
    )
    expect(buffers["num_batches_tracked"], torch.tensor(0), of=f"{made}.num_batches_tracked")
    keys, torchs = list(norm.state_dict()), list(nn.BatchNorm2d(3).state_dict())
    require(keys == torchs, f"the state dict of {made} has other keys than torch's", keys=keys)


def normed(x, mean, var, weight, bias, eps):
    """Normalise with statistics of any shape that fits x."""
    return (x - mean) / (var + eps).sqrt() * weight[:, None, None] + bias[:, None, None]


def channel_statistics(x):
    mean = x.mean((0, 2, 3), keepdim=True)
    var = x.var((0, 2, 3), keepdim=True, unbiased=False)
    return mean, var


def batchnorm(BatchNorm2d, channels, eps=1e-5, momentum=0.1):
    """Make a batch norm whose parameters are not those that it starts with."""
    norm = BatchNorm2d(channels, eps=eps, momentum=momentum)
    norm.weight.data = weight = normal(channels, seed=3).abs() + 0.5
    norm.bias.data = bias = normal(channels, seed=4)
    return norm, weight, bias


@checks("BatchNorm2d")
def test_batchnorm2d_forward(BatchNorm2d):
    for x in (3 * normal(2, 3, 2, 2) + 5, transposed(4, 2, 3, 1), sliced(1, 2, 2, 3)):
        eps = 0.5  # so large that it shows where it is added
        norm, weight, bias = batchnorm(BatchNorm2d, x.shape[1], eps)
        mean, var = channel_statistics(x)
        right = normed(x, mean, var, weight, bias, eps)
        one, zero = torch.ones_like(weight), torch.zeros_like(bias)
        over = {axes: (x.mean(axes, True), x.var(axes, False, keepdim=True)) for axes in AXES}
        unbiased = x.var((0, 2, 3), keepdim=True)
        mistakes = {
            "normalised by the variance with n - 1; use the one with n (unbiased=False)": normed(
                x, mean, unbiased, weight, bias, eps
            ),
            "the running statistics are used; in training mode use those of the batch": normed(
                x, 0 * mean, 1 + 0 * var, weight, bias, eps
            ),
            "divided by the variance; it must be its square root": normed(
                x, mean, (var + eps) ** 2, weight, bias, 0
            ),
            "eps is added outside the root; it belongs to the variance": normed(
                x, mean, (var.sqrt() + eps) ** 2, weight, bias, 0
            ),
            "eps is not used": normed(x, mean, var, weight, bias, 1e-5),
            "weight is not used": normed(x, mean, var, one, bias, eps),
            "bias is not used": normed(x, mean, var, weight, zero, eps),
            "neither weight nor bias is used": normed(x, mean, var, one, zero, eps),
            "the mean is not subtracted": normed(x, 0 * mean, var, weight, bias, eps),
        }
        for axes, what in AXES.items():
            mistakes[f"mean and variance are taken {what}; take them for each channel"] = normed(
                x, *over[axes], weight, bias, eps
            )
        made = f"BatchNorm2d({x.shape[1]}, eps=0.5)"
        call(applied(norm.train(), made), x).gives(right, mistakes=wrong(right, mistakes))


AXES = {
    (0,): "over the batch alone, pixel by pixel",
    (2, 3): "over height and width alone, picture by picture",
    (0, 1, 2, 3): "over everything at once",
    (1, 2, 3): "over the channels of each picture",
}


@checks("BatchNorm2d")
def test_batchnorm2d_running_mean(BatchNorm2d):
    x, momentum = normal(2, 3, 2, 1) * 2 + 4, 0.3
    norm, _, _ = batchnorm(BatchNorm2d, 3, momentum=momentum)
    norm.train()(x)
    mean = x.mean((0, 2, 3))
    var, biased = x.var((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
    of = "after one batch with momentum=0.3, "
    expect(
        norm.running_mean,
        momentum * mean,
        of=f"{of}running_mean",
        mistakes={
            "momentum is the wrong way round; it is the share of the new batch": 0.7 * mean,
            "it did not move: update it in training mode": torch.zeros(3),
            "it is the mean of this batch alone; mix it with the old one": mean,
            "the default momentum, 0.1, is used; use self.momentum": 0.1 * mean,
        },
    )
    expect(
        norm.running_var,
        0.7 + momentum * var,
        of=f"{of}running_var",
        mistakes={
            "it follows the variance with n; it must follow the one with n - 1": 0.7
            + momentum * biased,
            "momentum is the wrong way round; it is the share of the new batch": 0.3 + 0.7 * var,
            "momentum is the wrong way round, and n - 1 missing": 0.3 + 0.7 * biased,
            "it did not move: update it in training mode": torch.ones(3),
            "it is the variance of this batch alone; mix it with the old one": var,
            "the standard deviation is tracked; it must be the variance": 0.7
            + momentum * var.sqrt(),
            "the old one is not weighted with 1 - momentum": 1 + momentum * var,
        },
    )
    expect(
        norm.num_batches_tracked,
        torch.tensor(1),
        of=f"{of}num_batches_tracked",
        mistakes={"it does not count; add 1 for each batch in training mode": torch.tensor(0)},
    )


@checks("BatchNorm2d")
def test_batchnorm2d_running_statistics_settle(BatchNorm2d):
    x = normal(2, 3, 2, 1) * 2 + 4
    norm, _, _ = batchnorm(BatchNorm2d, 3, momentum=0.3)
    norm.train()(x)
    for name in BUFFERS:
        buffer = dict(norm.named_buffers()).get(name)
        require(buffer is not None, f"{name} is no longer a buffer after one batch")
        if buffer.requires_grad:
            fail(f"{name} keeps the graph of every batch alive: update it under torch.no_grad()")
    for _ in range(29):
        norm(x)
    mean, var, of = x.mean((0, 2, 3)), x.var((0, 2, 3)), "after 30 equal batches, "
    expect(norm.running_mean, mean, of=f"{of}running_mean", rtol=1e-3)
    expect(norm.running_var, var, of=f"{of}running_var", rtol=1e-3)
    expect(norm.num_batches_tracked, torch.tensor(30), of=f"{of}num_batches_tracked")


@checks("BatchNorm2d")
def test_batchnorm2d_evaluation(BatchNorm2d):
    norm, weight, bias = batchnorm(BatchNorm2d, 2)
    norm.running_mean.copy_(torch.tensor([1.0, -2.0]))
    norm.running_var.copy_(torch.tensor([4.0, 0.25]))
    mean, var = norm.running_mean.clone(), norm.running_var.clone()
    x = normal(1, 2, 3, 3)
    right = normed(x, mean[:, None, None], var[:, None, None], weight, bias, 1e-5)
    call(applied(norm.eval(), "BatchNorm2d(2).eval()"), x).gives(
        right,
        mistakes={
            "in evaluation mode the batch's own statistics are used; use the running ones": normed(
                x, *channel_statistics(x), weight, bias, 1e-5
            ),
            "divided by the running variance; it must be its square root": normed(
                x, mean[:, None, None], var[:, None, None] ** 2, weight, bias, 1e-5
            ),
        },
    )
    same = torch.equal(mean, norm.running_mean) and torch.equal(var, norm.running_var)
    require(same, "the running statistics move in evaluation mode; they must stay as they are")
    count = int(norm.num_batches_tracked)
    require(count == 0, f"num_batches_tracked counts in evaluation mode: {count}")


@checks("BatchNorm2d")
def test_batchnorm2d_gradient(BatchNorm2d):
    norm, weight, bias = batchnorm(BatchNorm2d, 2)
    x = normal(3, 2, 2, 2).requires_grad_()
    grad_out = normal(3, 2, 2, 2, seed=9)
    (norm.train()(x) * grad_out).sum().backward()
    twin = x.detach().clone().requires_grad_()
    (F.batch_norm(twin, None, None, weight, bias, training=True) * grad_out).sum().backward()
    scale = weight[:, None, None] / (channel_statistics(x.detach())[1] + 1e-5).sqrt()
    if x.grad is None:
        fail("no gradient goes back through the batch norm to x")
    expect(
        x.grad,
        twin.grad,
        of="the gradient of x",
        mistakes={
            "mean and variance are cut off from the graph; they depend on x": grad_out * scale
        },
        atol=1e-5,
    )
    require(norm.weight.grad is not None, "no gradient reaches weight")
    require(norm.bias.grad is not None, "no gradient reaches bias")


@checks("AveragePool")
def test_averagepool(AveragePool):
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    call(applied(AveragePool(), "AveragePool()"), x).gives(
        torch.tensor([[5.5, 17.5]]),
        mistakes={
            "this is the largest number of each channel; take the mean": x.amax((2, 3)),
            "this is the sum; take the mean": x.sum((2, 3)),
            "the axes of height and width are still there, with length 1": x.mean((2, 3), True),
            "the mean is taken over the channels too": x.mean((1, 2, 3)),
            "the mean is taken over the channels; take it over height and width": x.mean(1),
            "the mean is taken over height alone": x.mean(2),
            "the mean is taken over width alone": x.mean(3),
            "the mean is taken over everything; take it for each channel": x.mean(),
        },
    )
    for x in (transposed(2, 3, 4, 1), sliced(1, 2, 3, 3), normal(2, 1, 1, 1)):
        call(applied(AveragePool(), "AveragePool()"), x).gives(x.mean((2, 3)), atol=1e-5)


# A block as torch.nn.functional computes it, from the values of a state dict in their order.


def take_conv(values, x, stride, padding):
    return F.conv2d(x, values.pop(0), stride=stride, padding=padding)


def take_norm(values, x):
    weight, bias, mean, var, _ = (values.pop(0) for _ in range(5))
    return F.batch_norm(x, mean, var, weight, bias)


def block_values(block):
    return [value.detach().clone() for value in block.state_dict().values()]


def reference_block(values, x, stride, mistake=""):
    """Compute a block in evaluation mode; `mistake` computes it with that mistake."""
    first, second = (1, stride) if mistake == "stride" else (stride, 1)
    has_right = stride != 1 or values[0].shape[0] != x.shape[1]
    left = take_norm(values, take_conv(values, x, first, 1))
    left = left if mistake == "inner relu" else left.relu()
    left = take_norm(values, take_conv(values, left, second, 1))
    right = x.detach() if mistake == "right cut" else x
    if has_right:
        right = take_norm(values, take_conv(values, right, stride, 0))
    results = {
        "outer relu": left + right,
        "skip": left.relu(),
        "relu before": left.relu() + right,
        "both relu": left.relu() + right.relu(),
        "product": (left * right).relu(),
    }
    return results.get(mistake, (left + right).relu())


BLOCK_MISTAKES = {
    "outer relu": "the ReLU after the sum is missing",
    "inner relu": "the ReLU between the two convolutions is missing",
    "stride": "the stride is on the second 3×3 convolution; it belongs to the first",
    "skip": "the right branch is not added",
    "relu before": "the ReLU is applied to the left branch alone; apply it to the sum",
    "both relu": "each branch gets a ReLU; apply one to the sum",
    "product": "the branches are multiplied; add them",
}


def block_shapes(in_feats, out_feats, stride):
    """List the shapes of a block's state dict, in its order."""
    norm = [(out_feats,)] * 4 + [()]
    shapes = [(out_feats, in_feats, 3, 3), *norm, (out_feats, out_feats, 3, 3), *norm]
    if stride != 1 or in_feats != out_feats:
        shapes += [(out_feats, in_feats, 1, 1), *norm]
    return shapes


def expect_no_sharing(module, sentence):
    """Check that no module stands in two places."""
    n_distinct = len({id(value) for value in module.parameters()})
    n_named = sum(1 for _ in module.named_parameters(remove_duplicate=False))
    require(n_distinct == n_named, f"{sentence}; make a new one each time")


def expect_block_shapes(module, wanted, *, made):
    """Compare the shapes of a state dict with those that are wanted, and tell likely mistakes."""
    state = module.state_dict()
    have = [tuple(value.shape) for value in state.values()]
    if have == wanted:
        return
    shown = {"holds": ", ".join(f"{name} {tuple(v.shape)}" for name, v in state.items())[:700]}
    n_have = sum(value.numel() for value in module.parameters())
    kernels = [shape for shape in have if len(shape) == 4]
    wanted_kernels = [shape for shape in wanted if len(shape) == 4]
    if sorted(have) == sorted(wanted) and kernels and kernels[0][2:] == (1, 1):
        fail(f"{made}: the right branch comes first; make left before right in __init__", **shown)
    if sorted(have) == sorted(wanted):
        fail(f"{made}: the right tensors in another order; make them in the given one", **shown)
    weights = {name: state.get(name.replace("bias", "weight")) for name in state if "bias" in name}
    if any(weight is not None and weight.ndim == 4 for weight in weights.values()):
        fail(f"{made}: a convolution has a bias; here they have none", **shown)
    if len(kernels) < len(wanted_kernels):
        missing = [k for k in wanted_kernels if k not in kernels]
        if missing and all(k[2:] == (1, 1) for k in missing):
            fail(f"{made}: the 1×1 convolution of the right branch is missing", **shown)
        first = next(
            (a, b) for a, b in zip([*kernels, None], wanted_kernels, strict=False) if a != b
        )
        fail(
            f"{made}: {len(kernels)} convolutions instead of {len(wanted_kernels)}; first "
            f"{first[0] or 'none'} stands where {first[1]} is expected",
            **shown,
        )
    if len(kernels) > len(wanted_kernels):
        sentence = f"{len(kernels)} convolutions instead of {len(wanted_kernels)}"
        if any(k[2:] == (1, 1) for k in kernels) and not any(
            k[2:] == (1, 1) for k in wanted_kernels
        ):
            sentence += "; where the shape stays, the right branch is nothing at all"
        fail(f"{made}: {sentence}", **shown)
    if kernels != wanted_kernels:
        pair = next((a, b) for a, b in zip(kernels, wanted_kernels, strict=True) if a != b)
        fail(f"{made}: a kernel of shape {pair[0]} stands where {pair[1]} is expected", **shown)
    fail(f"{made}: a batch norm is missing or too many ({n_have:,} parameters)", **shown)


def randomised(module):
    """Give every parameter and buffer values that do not hide a mistake."""
    with torch.no_grad():
        for i, (name, value) in enumerate(module.state_dict().items()):
            if value.dtype == torch.float32:
                spread = 0.2 if value.ndim > 1 else 1.0
                new = normal(*value.shape, seed=i) * spread
                value.copy_(new.abs() + 0.5 if "var" in name else new)
    return module


BLOCKS = [(3, 3, 1), (3, 4, 2), (3, 4, 1), (4, 4, 2)]


@checks("ResidualBlock")
def test_residual_block(ResidualBlock):
    for in_feats, out_feats, stride in BLOCKS:
        made = f"ResidualBlock({in_feats}, {out_feats}, first_stride={stride})"
        block = ResidualBlock(in_feats, out_feats, first_stride=stride)
        expect_block_shapes(block, block_shapes(in_feats, out_feats, stride), made=made)
        expect_no_sharing(block, f"{made}: the same layer stands in two places")
        x = normal(1, in_feats, 9, 7)
        side = (9, 7) if stride == 1 else (5, 4)
        try:
            shape = tuple(call(applied(block, made), x).value.shape)
        except RuntimeError as error:
            if "must match the size" not in str(error):
                raise
            fail(
                f"{made}: the two branches give different shapes. Do both have the stride, once, "
                "and the 3×3 convolutions padding=1?",
                torch_says=str(error),
            )
        want = (1, out_feats, *side)
        require(
            shape == want, f"{made}: an input of {tuple(x.shape)} gives {shape}; it must be {want}"
        )


@checks("ResidualBlock")
def test_residual_block_forward(ResidualBlock):
    for in_feats, out_feats, stride in BLOCKS:
        made = f"ResidualBlock({in_feats}, {out_feats}, first_stride={stride})"
        block = randomised(ResidualBlock(in_feats, out_feats, first_stride=stride)).eval()
        expect_block_shapes(block, block_shapes(in_feats, out_feats, stride), made=made)
        x = normal(2, in_feats, 6, 7)
        right = reference_block(block_values(block), x, stride)
        mistakes = {
            sentence: reference_block(block_values(block), x, stride, mistake)
            for mistake, sentence in BLOCK_MISTAKES.items()
        }
        call(applied(block, f"{made}.eval()"), x).gives(
            right, mistakes=wrong(right, mistakes), rtol=1e-3, atol=1e-4
        )


@checks("ResidualBlock")
def test_residual_block_gradients(ResidualBlock):
    torch.manual_seed(0)
    made = "ResidualBlock(2, 3, first_stride=2)"
    expect_gradients(ResidualBlock(2, 3, first_stride=2), normal(2, 2, 6, 6), made=made)


@checks("ResidualBlock")
def test_residual_block_hands_gradients_back(ResidualBlock):
    for in_feats, out_feats, stride in BLOCKS[:2]:
        block = randomised(ResidualBlock(in_feats, out_feats, first_stride=stride)).eval()

        def gradient(forward):
            x = normal(1, 3, 4, 5).requires_grad_()
            forward(x).sum().backward()
            return x.grad

        def reference(x, stride=stride, block=block, mistake=""):
            return reference_block(block_values(block), x, stride, mistake)

        right = gradient(reference)
        cut = gradient(functools.partial(reference, mistake="right cut"))
        expect(
            gradient(block),
            right,
            of="the gradient of x",
            mistakes={"none comes back through the right branch; do not cut it off": cut},
            rtol=1e-3,
            atol=1e-4,
        )


GROUPS = [(2, 4, 4, 2), (2, 3, 3, 1), (2, 3, 4, 2), (3, 4, 2, 1), (1, 2, 3, 2)]


def group_shapes(n_blocks, in_feats, out_feats, stride):
    first, other = block_shapes(in_feats, out_feats, stride), block_shapes(out_feats, out_feats, 1)
    return first + other * (n_blocks - 1)


def group_mistakes(n_blocks, in_feats, out_feats, stride):
    """List the shapes that a group has when it is put together wrongly."""
    first, other = block_shapes(in_feats, out_feats, stride), block_shapes(out_feats, out_feats, 1)
    strided = block_shapes(out_feats, out_feats, stride)
    unstrided = block_shapes(in_feats, out_feats, 1)
    return {
        "no block is found; a plain list is not looked into": [],
        "every block has the stride; only the first one may": first + strided * (n_blocks - 1),
        "the stride is on the last block; it belongs to the first": (
            unstrided + other * (n_blocks - 2) + strided
        ),
        "there is a block too many; the first one counts, too": first + other * n_blocks,
        "a block is missing: n_blocks - 1 come after the first": first + other * (n_blocks - 2),
    }


def reference_group(values, x, n_blocks, stride):
    for i in range(n_blocks):
        x = reference_block(values, x, stride if i == 0 else 1)
    return x


@checks("BlockGroup")
def test_block_group(BlockGroup):
    for n_blocks, in_feats, out_feats, stride in GROUPS:
        made = f"BlockGroup({n_blocks}, {in_feats}, {out_feats}, first_stride={stride})"
        group = BlockGroup(n_blocks, in_feats, out_feats, first_stride=stride)
        expect_no_sharing(group, f"{made}: the same block stands there several times")
        wanted = group_shapes(n_blocks, in_feats, out_feats, stride)
        have = [tuple(value.shape) for value in group.state_dict().values()]
        for sentence, shapes in group_mistakes(n_blocks, in_feats, out_feats, stride).items():
            if have == shapes != wanted:
                fail(f"{made}: {sentence}", parameters=names_of(group)[:700])
        expect_block_shapes(group, wanted, made=made)
        side = 8 if stride == 1 else 4
        shape = tuple(group(normal(1, in_feats, 8, 8)).shape)
        want = (1, out_feats, side, side)
        require(shape == want, f"{made}: an input of side 8 gives {shape}; it must be {want}")


@checks("BlockGroup")
def test_block_group_forward(BlockGroup):
    for n_blocks, in_feats, out_feats, stride in GROUPS[:4]:
        made = f"BlockGroup({n_blocks}, {in_feats}, {out_feats}, first_stride={stride})"
        group = randomised(BlockGroup(n_blocks, in_feats, out_feats, first_stride=stride)).eval()
        x = normal(1, in_feats, 5, 6)
        right = reference_group(block_values(group), x, n_blocks, stride)
        mistakes = {
            "only the first block is run": reference_group(block_values(group), x, 1, stride)
        }
        if right.shape == x.shape:
            mistakes["the input is added once more; the blocks do that already"] = right + x
        call(applied(group, f"{made}.eval()"), x).gives(
            right, mistakes=wrong(right, mistakes), rtol=1e-3, atol=1e-4
        )


SMALL = {
    "n_blocks_per_group": [1, 2],
    "out_features_per_group": [4, 6],
    "first_strides_per_group": [1, 2],
    "n_classes": 5,
}


def small_shapes():
    norm = [(64,)] * 4 + [()]
    groups = group_shapes(1, 64, 4, 1) + group_shapes(2, 4, 6, 2)
    return [(64, 3, 7, 7), *norm, *groups, (5, 6), (5,)]


def reference_small(values, x, mistake=""):
    """Compute the small network in evaluation mode; `mistake` computes it with that mistake."""
    stride, padding = 1 if mistake == "first stride" else 2, 0 if mistake == "padding" else 3
    x = take_norm(values, take_conv(values, x, stride, padding))
    if mistake != "relu":
        x = x.relu()
    pools = {"window": (2, 2, 0), "pool padding": (3, 2, 0), "pool stride": (3, 3, 1)}
    if mistake != "pool":
        x = F.max_pool2d(x, *pools.get(mistake, (3, 2, 1)))
    x = reference_group(values, x, 1, 1)
    x = reference_group(values, x, 2, 2).mean((2, 3))
    logits = F.linear(x, *values[:2])
    return {"softmax": logits.softmax(-1), "relu at the end": logits.relu()}.get(mistake, logits)


NETWORK_MISTAKES = {
    "relu": "the ReLU after the first batch norm is missing",
    "pool": "the max pooling of the first layers is missing",
    "first stride": "the first convolution has stride 1; it must be 2",
    "padding": "the first convolution has padding 0; it must be 3",
    "pool stride": "the max pooling has stride 3; it must be 2",
    "window": "the max pooling has windows of 2; they must be 3, with stride 2 and padding 1",
    "pool padding": "the max pooling has no padding; it must be 1",
    "softmax": "there is a softmax at the end; give the logits as they are",
    "relu at the end": "there is an activation at the end; give the logits as they are",
}


@checks("ResNet34")
def test_resnet34_with_other_settings(ResNet34):
    made = "ResNet34([1, 2], [4, 6], [1, 2], n_classes=5)"
    network = randomised(ResNet34(**SMALL)).eval()
    shapes = [tuple(value.shape) for value in network.state_dict().values()]
    require(shapes != small_shapes()[:-1], f"{made}: the last layer has no bias")
    if shapes[:-2] == small_shapes()[:-2] and shapes[-2] != (5, 6):
        fail(
            f"{made}: the last layer's weight has shape {shapes[-2]}; it must be (5, 6)",
            hint="its inputs are the channels of the last group, its outputs n_classes",
        )
    expect_block_shapes(network, small_shapes(), made=made)
    try:
        last = network.out_layers[-1]
    except (AttributeError, TypeError, IndexError):
        fail(
            f"{made} has no out_layers[-1]; out_layers must be a Sequential with Linear at its end"
        )
    if tuple(getattr(last, "weight", torch.empty(0)).shape) != (5, 6):
        fail(f"{made}: out_layers[-1] is {last}; it must be the linear layer")
    x = normal(2, 3, 33, 40)
    right = reference_small(block_values(network), x)
    mistakes = {
        sentence: reference_small(block_values(network), x, mistake)
        for mistake, sentence in NETWORK_MISTAKES.items()
    }
    call(applied(network, f"{made}.eval()"), x).gives(
        right, mistakes=wrong(right, mistakes), rtol=1e-3, atol=1e-3
    )


@checks("ResNet34")
def test_resnet34_gradients_and_modes(ResNet34):
    torch.manual_seed(0)
    made = "ResNet34([1, 2], [4, 6], [1, 2], n_classes=5)"
    network, x = ResNet34(**SMALL), normal(4, 3, 32, 32)
    before = {name: value.clone() for name, value in network.named_buffers()}
    expect_gradients(network.train(), x, made=made)
    for name, value in network.named_buffers():
        if torch.equal(value, before[name]):
            fail(f"{made}: in training mode the buffer {name} does not move")
    network.eval()
    with torch.inference_mode():
        together, alone = network(x)[:1], network(x[:1])
    if not torch.allclose(together, alone, 1e-3, 1e-4):
        fail(
            f"{made}.eval(): what a picture gives depends on the others in its batch",
            with_the_others=together,
            alone=alone,
        )


@checks("ResNet34", timeout=30)
def test_resnet34_equals_torchvision(ResNet34, copy_weights):
    from torchvision.models import resnet34

    mine = ResNet34()
    n = sum(value.numel() for value in mine.parameters())
    with torch.device("meta"):
        theirs = resnet34()
    shapes = [tuple(value.shape) for value in theirs.state_dict().values()]
    expect_block_shapes(mine, shapes, made="ResNet34()")
    require(n == 21_797_672, f"ResNet34() has {n:,} parameters; it must have 21,797,672")
    generator = torch.Generator().manual_seed(0)
    values = {}
    for name, value in theirs.state_dict().items():
        # Kernels of the size that keeps the numbers of a deep network neither large nor small.
        fan_in = value[0].numel() if value.ndim > 1 else 1
        new = torch.empty(value.shape).uniform_(-1, 1, generator=generator)
        values[name] = new * (2 / fan_in) ** 0.5 if value.ndim > 1 else 1 + 0.2 * new
        if value.ndim == 0:
            values[name] = torch.tensor(7)
    theirs.load_state_dict(values, assign=True)
    copy_weights(mine, theirs)
    x = normal(1, 3, 47, 40)
    with torch.inference_mode():
        want = theirs.eval()(x)
        call(applied(mine.eval(), "ResNet34().eval()"), x).gives(
            want, rtol=1e-5, atol=1e-5 * want.abs().max().item()
        )


class Head(nn.Module):
    """A small classifier with a batch norm, so that its mode shows."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.norm.running_mean.copy_(torch.tensor([0.5, -1.0, 0.2]))

    def forward(self, x):
        return self.norm(x).sum((2, 3)) * torch.tensor([1.0, 0.5, 2.0])


@checks("predict")
def test_predict(predict):
    model, images = Head().eval(), normal(5, 3, 2, 2)
    with torch.inference_mode():
        logits = model(images)
    top, classes = logits.softmax(-1).max(-1)
    value = call(predict, model, images).value
    if isinstance(value, tuple | list) and len(value) == 2:
        value = tuple(value)
        first = value[0]
        if isinstance(first, torch.Tensor) and first.dtype == torch.int64:
            fail("the classes come first; give (probabilities, classes)", returned=value[0])
    expect(
        value,
        (top, classes),
        of="predict(model, images)",
        mistakes={
            "the first are the largest logits; give probabilities": (logits.max(-1)[0], classes),
            "softmax is taken over the batch; take it over the classes": tuple(
                logits.softmax(0).max(-1)
            ),
            "the first are all the probabilities; give that of the class alone": (
                logits.softmax(-1),
                classes,
            ),
            "the first are the logarithms of the probabilities": (top.log(), classes),
            "sigmoid is no softmax: the probabilities of all classes must add up to 1": (
                logits.max(-1)[0].sigmoid(),
                classes,
            ),
            "softmax is taken twice": (logits.softmax(-1).softmax(-1).max(-1)[0], classes),
        },
    )


@checks("predict")
def test_predict_switches_modes(predict):
    model, images = Head(), normal(5, 3, 2, 2)
    with torch.inference_mode():
        top, classes = model.eval()(images).softmax(-1).max(-1)
    before = model.norm.running_mean.clone()
    probs, found = predict(model.train(), images)
    if not torch.equal(model.norm.running_mean, before):
        fail("predict moves the running statistics: put the model into evaluation mode first")
    expect((probs, found), (top, classes), of="predict of a model that was in training mode")
    require(not probs.requires_grad, "predict records gradients: use torch.inference_mode()")
    alone = predict(model, images[:1])
    expect(tuple(alone), (top[:1], classes[:1]), of="predict of a single picture")


class Spoil(nn.Module):
    """A layer that divides by zero where its input is zero."""

    def forward(self, x):
        return x / x


class Nested(nn.Module):
    """Two layers one after the other, the second of which spoils zeros."""

    def __init__(self):
        super().__init__()
        self.first = nn.ReLU()
        self.second = nn.Sequential(nn.Identity(), Spoil(), nn.Identity())
        self.third = Spoil()

    def forward(self, x):
        return self.third(self.second(self.first(x)) + 0)


@checks("find_first_nan")
def test_find_first_nan(find_first_nan):
    x = torch.tensor([[1.0, -2.0, 3.0]])
    try:
        found = call(find_first_nan, Nested(), x).value
    except ValueError as error:
        fail("an error is raised at the first NaN; note the name instead", raised=str(error))
    if isinstance(found, nn.Module):
        fail("it returns a module; it must be the module's name, a text", returned=repr(found))
    if found == "second":
        fail("second holds the module that is to blame; name the inner one", returned=found)
    if found == "third":
        fail(
            "the last module is named: a hook made in a loop sees the last name only; let a "
            "function make it",
            returned=found,
            expected="second.1",
        )
    if found in ("second.2", "second.0"):
        fail("this module got the NaN already or makes none", returned=found, expected="second.1")
    if found == "":
        fail("the whole model is named; name the inner module", returned="''", expected="second.1")
    require(
        found == "second.1",
        "the first module that makes a NaN is second.1",
        returned=repr(found),
    )


@checks("find_first_nan")
def test_find_first_nan_finds_none(find_first_nan):
    found = call(find_first_nan, Nested(), torch.tensor([[1.0, 2.0]])).value
    require(found is None, "there is no NaN in this run; it must return None", returned=repr(found))
    spoilt = torch.tensor([[1.0, float("nan")]])
    found = call(find_first_nan, nn.Sequential(nn.ReLU(), nn.Identity()), spoilt).value
    require(
        found is None,
        "the NaN stands in the input already, and no module makes one; it must return None",
        returned=repr(found),
    )
    found = call(find_first_nan, Adds(), spoilt, torch.ones(1, 2)).value
    require(
        found is None,
        "one of the module's inputs holds a NaN already, so it makes none; look at all inputs",
        returned=repr(found),
    )
    found = call(find_first_nan, Spoil(), torch.zeros(1)).value
    require(found == "", "the model itself makes the NaN; its name is ''", returned=repr(found))


@checks("find_first_nan")
def test_find_first_nan_leaves_no_hooks(find_first_nan):
    kept = []
    model = Nested()
    model.first.register_forward_hook(lambda *args: kept.append(1))
    find_first_nan(model, torch.tensor([[-1.0]]))
    kept.clear()
    n_hooks = sum(len(module._forward_hooks) for module in model.modules())
    if n_hooks > 1:
        fail(f"{n_hooks - 1} hooks stay on the model: remove each one when the run is over")
    require(n_hooks == 1, "a hook that was on the model before is gone; remove only your own")


class Adds(nn.Module):
    """A module with two inputs."""

    def forward(self, x, y):
        return x + y


class Breaks(nn.Module):
    """A module that makes a NaN itself, beside one that it holds; then it may raise an error."""

    def __init__(self, error=None):
        super().__init__()
        self.inner, self.error = nn.ReLU(), error

    def forward(self, x):
        out = self.inner(x) / x
        if self.error:
            raise self.error
        return out


@checks("find_first_nan")
def test_find_first_nan_watches_every_module(find_first_nan):
    found = call(find_first_nan, nn.Sequential(Breaks()), torch.zeros(2)).value
    require(
        found == "0",
        "a module that holds others can make a NaN itself: hang a hook on every one",
        returned=repr(found),
        expected="0",
    )


@checks("find_first_nan")
def test_find_first_nan_leaves_no_hooks_after_an_error(find_first_nan):
    model = Breaks(ArithmeticError("this module raises an error"))
    with contextlib.suppress(ArithmeticError):
        find_first_nan(model, torch.zeros(2))
    n_hooks = sum(len(module._forward_hooks) for module in model.modules())
    if n_hooks:
        fail("hooks stay on the model where it raises an error: remove them in a `finally:`")


# --- Feature extraction -----------------------------------------------------------------------


def pretrained(ResNet34):
    """Make a network with weights and running statistics from a seed, as if it were trained."""
    torch.manual_seed(1)
    network = ResNet34()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if "running" in name:
                value.uniform_(0.5, 1.5)
    return network.eval()


@checks("get_resnet_for_feature_extraction", timeout=30)
def test_get_resnet_for_feature_extraction(get_resnet_for_feature_extraction, ResNet34):
    source, given = pretrained(ResNet34), get_resnet_for_feature_extraction
    # Whoever asks torchvision itself shall not wait for a network either.
    torchvisions = patch("torchvision.models.resnet34", lambda *a, **k: source)
    with torchvisions, replaced(given, pretrained_resnet34=lambda: source):
        network = call(get_resnet_for_feature_extraction, 7).value
    if not isinstance(network, nn.Module):
        fail("it must return the network", returned=repr(network))
    *frozen, weight, bias = network.parameters()
    if tuple(weight.shape) == (7, 1000):
        fail("the new layer stands behind the old one; put it in its place")
    for name, value, shape in (("weight", weight, (7, 512)), ("bias", bias, (7,))):
        if tuple(value.shape) != shape:
            fail(f"the new layer's {name} has shape {tuple(value.shape)}; it must be {shape}")
        require(value.requires_grad, f"the new layer's {name} is frozen; freeze before you add it")
    n_free = sum(value.requires_grad for value in frozen)
    if n_free == len(frozen):
        fail("nothing is frozen: all parameters but the new layer's must not require a gradient")
    require(n_free == 0, f"{n_free} parameters beside the new layer's still require a gradient")
    wanted, have = list(source.state_dict().values())[:-2], list(network.state_dict().values())
    for i, (want, value) in enumerate(zip(wanted, have, strict=False)):
        if not torch.equal(want, value):
            name = list(network.state_dict())[i]
            fail(
                f"{name} is not the pretrained one: copy the weights before you change the network"
            )
    if torch.equal(weight, list(source.parameters())[-2][:7]):
        fail("the new layer holds rows of the old one; make a new Linear")


def small_network(ResNet34, images):
    """Make a small network in place of the pretrained one: frozen but for its last layer."""
    torch.manual_seed(0)
    network = ResNet34([1], [32], [1], n_classes=10).train()
    with torch.no_grad():
        for _ in range(20):
            network(images)  # the running statistics follow
    network.requires_grad_(False)
    for value in list(network.parameters())[-2:]:
        value.requires_grad_(True)
    return network


@checks("train_resnet", timeout=60)
def test_train_resnet(train_resnet, ResNet34, ResNetTrainingArgs):
    trainset, testset = easy_pictures(96, 50, 3, 16)
    network = small_network(ResNet34, trainset.images)
    before = [value.clone() for value in network.parameters()]
    torch.manual_seed(0)
    given = {
        "get_resnet_for_feature_extraction": lambda n_classes: network,
        "get_cifar_subset": lambda *a, **k: (trainset, testset),
        **quiet(),
    }
    args = ResNetTrainingArgs(batch_size=16, epochs=3, learning_rate=2e-2)
    with replaced(train_resnet, **given), Spy() as spy:
        result = call(train_resnet, args).value
    *frozen, weight, _ = zip(before, network.parameters(), strict=True)
    if any(not torch.equal(old, new) for old, new in frozen):
        fail("frozen weights have changed; only the last layer may learn")
    if spy.n_steps and torch.equal(*weight):
        fail("the last layer has not changed: hand its parameters to the optimizer")
    require(
        not spy.rates or spy.rates == {args.learning_rate},
        "args.learning_rate is not used: hand it to the optimizer as lr",
        lr_of_the_optimizer=spy.rates,
    )
    spy.in_eval = 0  # a frozen network may well run in evaluation mode
    expect_training(result, spy, n_batches=6, n_epochs=3, testset=testset, trainset=trainset)


# --- Convolutions from scratch ----------------------------------------------------------------


def strided_views():
    """List what the nine views of the page show, by ordinary indexing."""
    x = torch.arange(20.0).reshape(4, 5)
    return [
        ("the first row", x[0]),
        ("the first column", x[:, 0]),
        ("the diagonal", x.diagonal()),
        ("the corner", x[:2, :3]),
        ("every second row and column", x[::2, ::2]),
        ("the transpose", x.T),
        ("three times the same row", x[0, :4].expand(3, 4)),
        ("the windows of a row", x[0].unfold(0, 3, 1)),
        ("the windows of the picture", x.unfold(0, 2, 1).unfold(1, 2, 1)),
    ]


@checks("as_strided_arguments")
def test_as_strided_arguments(as_strided_arguments):
    x, views = torch.arange(20.0).reshape(4, 5), strided_views()
    given = list(call(as_strided_arguments).value)
    require(len(given) == 9, f"there are {len(given)} entries; there must be nine, or None")
    right = []
    for i, (pair, (what, want)) in enumerate(zip(given, views, strict=True), start=1):
        if pair is None:
            continue
        try:
            size, stride = map(tuple, pair)
        except (TypeError, ValueError):
            fail(f"view {i} ({what}): write size and stride as tuples, ((5,), (1,))", is_now=pair)
        if tuple(size) != tuple(want.shape):
            fail(f"view {i} ({what}): size {tuple(size)}; it must be {tuple(want.shape)}")
        if len(stride) != len(size):
            wanted = f"it must have {len(size)}, one for each axis"
            fail(f"view {i} ({what}): stride {stride} has {len(stride)} entries; {wanted}")
        reach = sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if not 0 <= reach < 20:
            fail(f"view {i} ({what}): with stride {tuple(stride)} it leaves the 20 numbers")
        view = x.as_strided(size, stride)
        if not torch.equal(view, want):
            sentence = f"view {i} ({what}): size {tuple(size)} is right, stride {tuple(stride)} not"
            fail(sentence, it_shows=view, expected=want)
        right.append(i)
    missing = [str(i) for i in range(1, 10) if i not in right]
    if missing:
        done = f"{len(right)} of 9 are right so far" if right else "none is filled in yet"
        fail(f"{done}; still None: {', '.join(missing)}")


def layouts(*shape, seed=0):
    """Make tensors of a shape that lie in memory in different ways."""
    yield normal(*shape, seed=seed)
    yield transposed(*shape, seed=seed)
    yield sliced(*shape, seed=seed)
    yield normal(*shape[:-1], 1, seed=seed).expand(*shape)


LEAVES = {
    "out of bounds for storage": (
        "as_strided leaves the memory of its tensor: a size is too large, or a stride, or they "
        "are those of another tensor"
    )
}
NO_STRIDES = "strides of a contiguous tensor are assumed; ask the tensor for its stride()"


def trace_mistakes(mat):
    diagonal = mat.diagonal()
    mistakes = {
        "this is the diagonal; it must be summed": diagonal,
        "this is the product of the diagonal": diagonal.prod(),
        "the last element of the diagonal is missing": diagonal[:-1].sum(),
    }
    if len(mat):
        mistakes["this is the sum of the first column"] = mat[:, 0].sum()
        mistakes["this is the sum of the first row"] = mat[0].sum()
    return mistakes


@checks("as_strided_trace")
def test_trace(as_strided_trace):
    for n in range(10):
        for mat in (torch.arange(n * n).reshape(n, n), torch.eye(n).int(), torch.zeros(n, n)):
            right = mat.trace()
            call(as_strided_trace, mat).gives(right, mistakes=wrong(right, trace_mistakes(mat)))
    for mat in layouts(3, 3):
        assumed = mat.contiguous().new_zeros(())
        with contextlib.suppress(RuntimeError):
            assumed = mat.as_strided((3,), (4,)).sum()
        right = mat.trace()
        call(as_strided_trace, mat).gives(
            right, mistakes=wrong(right, {NO_STRIDES: assumed}), atol=1e-5
        )


def expect_products(product, pairs):
    """Compare products of tensors that lie in memory in many ways with torch's own."""
    for a, b in pairs:
        right, products = a @ b, a[:, :, None] * b if b.ndim == 2 else a * b
        known = {
            "the products are not summed": products,
            "the sum goes over another axis; it must go over j, that both have": products.sum(-1),
            "the sum goes over the rows; it must go over j, that both have": products.sum(0),
            "only the first column of the second matrix is used": (a @ b[:, :1]).expand_as(right)
            if b.ndim == 2
            else products,
            "only the first element of the vector is used": (a * b[0]).sum(1)
            if b.ndim == 1
            else products,
        }
        for whose, is_assumed in (
            ("", (1, 1)),
            (" (the first's)", (1, 0)),
            (" (the second's)", (0, 1)),
        ):
            with contextlib.suppress(RuntimeError):
                p, q = (
                    as_if_contiguous(x) if assumed else x
                    for x, assumed in zip((a, b), is_assumed, strict=True)
                )
                known[NO_STRIDES + whose] = p @ q
        with blaming(LEAVES):
            result = call(product, a, b)
        result.gives(right, mistakes=wrong(right, known), atol=1e-5)


@checks("as_strided_mv")
def test_mv(as_strided_mv):
    pairs = [(normal(i, j), normal(j)) for i, j in ((3, 4), (1, 5), (5, 1), (2, 2))]
    pairs.append((torch.arange(6).reshape(2, 3), torch.arange(3)))
    expect_products(as_strided_mv, pairs)


@checks("as_strided_mv")
def test_mv2(as_strided_mv):
    pairs = [(mat, vec) for mat in layouts(3, 4) for vec in layouts(4, seed=5)]
    # A vector from the middle of a column: its numbers lie ten apart.
    pairs.append((normal(3, 4), normal(6, 10)[1:5, 3]))
    expect_products(as_strided_mv, pairs)


@checks("as_strided_mm")
def test_mm(as_strided_mm):
    pairs = [(normal(i, j), normal(j, k)) for i, j, k in ((2, 3, 4), (1, 4, 2), (3, 1, 3))]
    pairs.append((torch.arange(6).reshape(2, 3), torch.arange(12).reshape(3, 4)))
    expect_products(as_strided_mm, pairs)


@checks("as_strided_mm")
def test_mm2(as_strided_mm):
    pairs = [(a, b) for a in layouts(2, 3) for b in layouts(3, 4, seed=5)]
    expect_products(as_strided_mm, pairs)


TURNED = "the kernel is turned round; torch's convolution does not turn it"


def one_dimensional(x, weights):
    """Convolve one row with one kernel, by torch."""
    return F.conv1d(x[None, None], weights[None, None])[0, 0]


@checks("conv1d_minimal_simple")
def test_conv1d_minimal_simple(conv1d_minimal_simple, n_tests=5):  # noqa: PT028
    x, weights = torch.tensor([1.0, 2.0, 4.0, 8.0]), torch.tensor([10.0, 1.0])
    call(conv1d_minimal_simple, x, weights).gives(
        torch.tensor([12.0, 24.0, 48.0]),
        mistakes={
            TURNED: torch.tensor([21.0, 42.0, 84.0]),
            "the windows do not overlap; they move by one": torch.tensor([12.0, 48.0]),
            "the last window is missing: there are width - kernel_width + 1": torch.tensor(
                [12.0, 24.0]
            ),
            "there are as many windows as numbers; there are width - kernel_width + 1": (
                torch.tensor([12.0, 24.0, 48.0, 80.0])
            ),
            "this is the sum of each window; multiply with the kernel": torch.tensor(
                [3.0, 6.0, 12.0]
            ),
            "the products are not summed": torch.tensor([[10.0, 2.0], [20.0, 4.0], [40.0, 8.0]]),
        },
    )
    rng = np.random.default_rng(0)
    for _ in range(n_tests):
        width = randint(rng, 5, 12)
        weights = sliced(randint(rng, 1, 5), seed=1)
        for x in layouts(width):
            right = one_dimensional(x, weights)
            mistakes = {TURNED: one_dimensional(x, weights.flip(0))}
            with contextlib.suppress(RuntimeError):
                mistakes[NO_STRIDES] = one_dimensional(as_if_contiguous(x), weights)
            call(conv1d_minimal_simple, x, weights).gives(
                right, mistakes=wrong(right, mistakes), atol=1e-5
            )


def as_if_contiguous(x):
    """Read the memory of a tensor with the strides that a contiguous one would have."""
    return x.as_strided(x.shape, torch.empty(x.shape).stride())


def conv_mistakes(conv, x, weights, **settings):
    """Compute what likely mistakes of a convolution give, with torch's own."""
    n = weights.ndim - 2
    right = conv(x, weights, **settings)
    count = "are both sides padded, and is 1 added to the count after the division?"
    found = {
        TURNED: conv(x, weights.flip(tuple(range(2, n + 2))), **settings),
        f"the last window is missing: {count}": right[(..., *(slice(-1),) * n)],
        "out_channels comes before the batch": right.transpose(0, 1),
        "the channels come last; they must come after the batch": right.movedim(1, -1),
        "only the first of the input channels is used": conv(x[:, :1], weights[:, :1], **settings),
        "every input channel gets the same kernel; each has its own": conv(
            x, weights[:, :1].expand_as(weights), **settings
        ),
    }
    later = dict(_mistakes_of_settings(conv, x, weights, n, settings))
    if n == 2:
        found["height and width of the result are swapped"] = right.transpose(2, 3)
        with contextlib.suppress(RuntimeError):
            found["height and width are swapped in the kernel"] = conv(
                x, weights.transpose(2, 3), **settings
            )
    with contextlib.suppress(RuntimeError):
        found[NO_STRIDES] = conv(as_if_contiguous(x), weights, **settings)
    return found | later


def _mistakes_of_settings(conv, x, weights, n, settings):
    """Yield what a convolution gives if stride and padding are used wrongly."""

    def results(**changed):
        with contextlib.suppress(RuntimeError):
            return conv(x, weights, **changed)

    for name, value in settings.items():
        others = {key: other for key, other in settings.items() if key != name}
        yield f"the {name} is not used", results(**others)
        if isinstance(value, tuple):
            sentence = f"height and width are swapped in the {name}; a pair is (height, width)"
            yield sentence, results(**others, **{name: value[::-1]})
    if any(isinstance(value, tuple) for value in settings.values()):
        swapped = {
            key: value[::-1] if isinstance(value, tuple) else value
            for key, value in settings.items()
        }
        yield "height and width are swapped in a pair; it is (height, width)", results(**swapped)
    stride, padding = (settings.get(name, 0) for name in ("stride", "padding"))
    if stride:
        sentence = "the stride is applied inside the windows; it goes from window to window"
        dilated = results(padding=padding, dilation=stride)
        if dilated is not None:
            size = conv(x, weights, **settings).shape[2:]
            yield sentence, dilated[(..., *(slice(length) for length in size))]
    if isinstance(padding, int):
        padding = (padding,) * n
    frame = [side for pad in padding[::-1] for side in (pad, pad)]
    if any(padding):
        others = {"stride": stride or 1}
        one_side = F.pad(x, [pad if i % 2 == 0 else 0 for i, pad in enumerate(frame)])
        padded, infinite = F.pad(x, frame), F.pad(x, frame, value=-math.inf)
        yield "only one side is padded", conv(one_side, weights, **others)
        yield "padded with something else than zeros", conv(infinite, weights, **others)
        with contextlib.suppress(RuntimeError):
            stale = padded.as_strided(padded.shape, x.stride())
            yield "strides of x before it was padded are used", conv(stale, weights, **others)


def expect_convolution(mine, conv, x, weights, atol=1e-4, **settings):
    """Compare a convolution with torch's."""
    right = conv(x, weights, **settings)
    known = conv_mistakes(conv, x, weights, **settings)
    known = {sentence: value for sentence, value in known.items() if value is not None}
    with blaming(LEAVES):
        result = call(mine, x, weights, **settings)
    result.gives(right, mistakes=wrong(right, known), rtol=1e-4, atol=atol)


@checks("conv1d_minimal")
def test_conv1d_minimal(conv1d_minimal, n_tests=20):  # noqa: PT028
    rng = np.random.default_rng(0)
    for i in range(n_tests):
        batch, n_in, n_out = (randint(rng, 1, 4) for _ in range(3))
        kernel = randint(rng, 1, 5)
        make = (normal, transposed, sliced)[i % 3]
        x = make(batch, n_in, randint(rng, kernel, 12))
        weights = (normal, transposed)[i % 2](n_out, n_in, kernel, seed=1)
        expect_convolution(conv1d_minimal, F.conv1d, x, weights)


@checks("conv2d_minimal")
def test_conv2d_minimal(conv2d_minimal, n_tests=4):  # noqa: PT028
    rng = np.random.default_rng(0)
    for _ in range(n_tests):
        batch, n_in, n_out = (randint(rng, 1, 3) for _ in range(3))
        kernel = (randint(rng, 1, 4), randint(rng, 1, 4))
        weights = normal(n_out, n_in, *kernel, seed=1)
        for x in layouts(batch, n_in, randint(rng, 4, 8), randint(rng, 4, 8)):
            expect_convolution(conv2d_minimal, F.conv2d, x, weights)
    x, weights = normal(1, 2, 4, 5, dtype=torch.float64), normal(1, 2, 2, 3, dtype=torch.float64)
    expect_convolution(conv2d_minimal, F.conv2d, x, weights)


def expect_padding(pad, x, frame, value):
    """Compare padding with torch's; `frame` is left, right and so on, as torch takes it."""
    right = F.pad(x, frame, value=value)
    swapped = tuple(n for pair in zip(frame[1::2], frame[::2], strict=True) for n in pair)
    mistakes = {
        "pad_value is not used": F.pad(x, frame, value=0),
        "left and right (or top and bottom) are swapped": F.pad(x, swapped, value=value),
    }
    mistakes["only one side is padded"] = F.pad(
        x, tuple(n * (i % 2 == 0) for i, n in enumerate(frame)), value=value
    )
    if len(frame) == 4:
        mistakes["the height is not padded"] = F.pad(x, frame[:2], value=value)
        mistakes["the width is not padded"] = F.pad(x, (0, 0, *frame[2:]), value=value)
        turned = F.pad(x, (*frame[2:], *frame[:2]), value=value)
        mistakes["width is padded by top and bottom, height by left and right"] = turned
    try:
        result = call(pad, x, *frame, value).value
    except RuntimeError as error:
        if "Sizes of tensors must match" in str(error):
            fail(
                "an input of more than one row fails: what is joined to x must have its batch and "
                "channels",
                called=f"{pad.__name__}(<tensor of shape {tuple(x.shape)}>, …)",
            )
        if "must match the existing size" not in str(error):
            raise
        fail(
            "x does not fit into the place that is kept for it; where the padding is 0, a slice "
            "such as left:-right is empty",
            called=f"{pad.__name__}(<tensor of shape {tuple(x.shape)}>, "
            f"{', '.join(map(str, frame))}, {value})",
        )
    if isinstance(result, torch.Tensor) and result.dtype != x.dtype:
        fail(f"the result is {result.dtype}, x is {x.dtype}: make it like x, by x.new_full")
    expect(result, right, of=f"{pad.__name__} by {frame}", mistakes=wrong(right, mistakes))


@checks("pad1d")
def test_pad1d(pad1d):
    x = torch.arange(4.0).reshape(1, 1, 4)
    expect_padding(pad1d, x, (1, 3), -2.0)
    expect_padding(pad1d, x, (1, 0), -2.0)
    expect_padding(pad1d, x, (0, 1), 0.5)
    expect_padding(pad1d, x, (0, 0), 1.0)


@checks("pad1d")
def test_pad1d_multi_channel(pad1d):
    for x in (normal(2, 3, 4), transposed(1, 2, 3), sliced(2, 2, 3)):
        expect_padding(pad1d, x, (2, 1), -math.inf)
    expect_padding(pad1d, torch.arange(12).reshape(2, 2, 3), (1, 2), 7)


@checks("pad1d")
def test_pad2d(pad2d):
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    for frame in ((0, 1, 2, 3), (1, 0, 0, 0), (0, 0, 0, 2), (0, 0, 0, 0)):
        expect_padding(pad2d, x, frame, -2.0)


@checks("pad1d")
def test_pad2d_multi_channel(pad2d):
    for x in (normal(2, 3, 2, 4), transposed(1, 2, 3, 2), sliced(2, 2, 1, 3)):
        expect_padding(pad2d, x, (1, 2, 3, 0), -math.inf)
    expect_padding(pad2d, torch.arange(12).reshape(1, 2, 2, 3), (1, 0, 2, 1), 7)


@checks("conv1d")
def test_conv1d(conv1d, n_tests=10):  # noqa: PT028
    x, weights = normal(2, 2, 7), normal(3, 2, 3)
    for settings in ({}, {"stride": 2}, {"padding": 1}):
        expect_convolution(conv1d, F.conv1d, x, weights, **settings)
    rng = np.random.default_rng(0)
    for i in range(n_tests):
        batch, n_in, n_out = (randint(rng, 1, 4) for _ in range(3))
        kernel, stride, padding = random_settings(rng, False)
        x = (normal, transposed, sliced)[i % 3](batch, n_in, randint(rng, 5, 13))
        weights = normal(n_out, n_in, kernel, seed=1)
        expect_convolution(conv1d, F.conv1d, x, weights, stride=stride, padding=padding)


@checks("conv2d")
def test_conv2d(conv2d, n_tests=5):  # noqa: PT028
    x, weights = normal(2, 2, 7, 8), normal(3, 2, 3, 2)
    pairs = {"stride": (3, 1), "padding": (1, 0)}
    for settings in ({}, {"stride": 2}, {"padding": 1}, {"stride": 2, "padding": 1}, pairs):
        expect_convolution(conv2d, F.conv2d, x, weights, **settings)
    rng = np.random.default_rng(0)
    for i in range(n_tests):
        n_in, n_out = randint(rng, 1, 3), randint(rng, 1, 3)
        kernel, stride, padding = random_settings(rng, True)
        make = (normal, transposed, sliced)[i % 3]
        x = make(randint(rng, 1, 3), n_in, randint(rng, 6, 11), randint(rng, 6, 11)).double()
        weights = normal(n_out, n_in, *kernel, seed=1, dtype=torch.float64)
        expect_convolution(conv2d, F.conv2d, x, weights, stride=stride, padding=padding)


@checks("maxpool2d")
def test_maxpool2d(my_maxpool2d, n_tests=20):  # noqa: PT028
    rng = np.random.default_rng(0)
    for i in range(n_tests):
        kernel, stride, padding = random_settings(rng, i % 3 > 0)
        stride = None if i % 2 else stride
        make = (normal, transposed, sliced)[i % 3]
        # All negative: padded zeros would win.
        x = make(randint(rng, 1, 3), 2, randint(rng, 5, 10), 9) - 5
        settings = {"stride": stride, "padding": padding}
        right = F.max_pool2d(x, kernel, **settings)
        pad_h, pad_w = padding if isinstance(padding, tuple) else (padding, padding)
        zeros = F.pad(x, (pad_w, pad_w, pad_h, pad_h))
        mistakes = {
            "padded with zeros, which win over negative numbers; pad with -inf": F.max_pool2d(
                zeros, kernel, stride
            ),
            "with stride None, windows lie side by side: the stride is kernel_size": F.max_pool2d(
                x, kernel, 1, padding
            ),
            "the padding is not used": F.max_pool2d(x, kernel, stride),
            "the stride is not used": F.max_pool2d(x, kernel, None, padding),
            "this is the mean of each window; take the maximum": F.avg_pool2d(
                x, kernel, stride, padding
            ),
        }
        (rows, cols), (step_h, step_w) = (
            v if isinstance(v, tuple) else (v, v) for v in (kernel, stride or kernel)
        )
        frame = F.pad(x, (pad_w, pad_w, pad_h, pad_h), value=-math.inf)
        windows = frame.unfold(2, rows, step_h).unfold(3, cols, step_w)
        mistakes["the maximum is taken over one axis of the window alone"] = windows.amax(-1)
        if isinstance(kernel, tuple):
            with contextlib.suppress(RuntimeError):
                mistakes["height and width are swapped in a pair; it is (height, width)"] = (
                    F.max_pool2d(x, kernel[::-1], stride and stride[::-1], padding[::-1])
                )
        with blaming(LEAVES):
            result = call(my_maxpool2d, x, kernel, **settings)
        result.gives(right, mistakes=wrong(right, mistakes))
