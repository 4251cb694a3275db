"""Checks of 0.3 Optimization: expected values come from torch.optim, or are worked out by hand."""

import contextlib
import inspect
import io
import itertools
import math
from collections import Counter
from dataclasses import dataclass, replace
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from part2_cnns.utils import Pictures
from torch import nn

from arena_lab import rank as own_rank
from arena_lab import ranks
from arena_lab.checks import checks, expect, fail, raises, require

N_STEPS = 50
# Seconds without any message: an answer that computes longer on these sizes has gone wrong.
PATIENCE = 5.0

# Optimizers import it when they are first used, in seconds: the runner does it once for all tests.
IMPORTED_AHEAD = ("torch._dynamo",)
OF_A_TRAINER = {"patience": PATIENCE, "ahead": IMPORTED_AHEAD}

# --- helpers ----------------------------------------------------------------------------------


@contextlib.contextmanager
def replaced(cls, **values):
    """Give other values to names that the methods of a class use, inherited ones too."""
    methods = [f for base in cls.__mro__ for f in vars(base).values() if inspect.isfunction(f)]
    spaces = {id(f.__globals__): f.__globals__ for f in map(inspect.unwrap, methods)}
    # Modules of libraries are left alone: they have none of these names.
    changed = [names for names in spaces.values() if values.keys() & names.keys()]
    before = [{name: names[name] for name in values if name in names} for names in changed]
    for names in changed:
        names.update(values)
    try:
        yield
    finally:
        for names, old in zip(changed, before, strict=True):
            for name in values:
                names.pop(name)
            names.update(old)


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator)


SHAPES = {
    "two of one shape": [(3,), (3,)],
    "several shapes": [(), (4,), (2, 3), (2, 1, 2)],
}


def parameters(shapes, seed=0):
    """Make parameters of these shapes, the same each time.

    In double precision: where a gradient passes zero, adaptive steps magnify rounding.
    """
    return [nn.Parameter(normal(*shape, seed=seed + i).double()) for i, shape in enumerate(shapes)]


def set_gradients(params):
    """Give each parameter the gradient of a bowl that is bent differently for each number."""
    for i, p in enumerate(params):
        with torch.no_grad():
            bend = torch.linspace(0.3, 1.5 + i, p.numel(), dtype=p.dtype).reshape(p.shape)
            p.grad = bend * (p - 0.5) + 0.1 * i


def walked(optimizer, params, n_steps=N_STEPS):
    """Give the values of all parameters, in one row, after each of so many steps."""
    rows = []
    for _ in range(n_steps):
        set_gradients(params)
        optimizer.step()
        rows.append(torch.cat([p.detach().flatten() for p in params]).clone())
    return torch.stack(rows)


class Simulated:
    """An optimizer with one mistake: `rule(p, grad, state, t)` gives what is subtracted."""

    def __init__(self, params, rule, shared=False, count_parameters=False):
        self.params, self.rule, self.count_parameters = params, rule, count_parameters
        # Its numbers may stand for more than one parameter: then they are those of the first.
        states = [SimpleNamespace(a=0.0, b=0.0, c=0.0) for _ in params]
        self.states = [states[0]] * len(params) if shared else states
        self.t = 0

    @torch.no_grad()
    def step(self):
        self.t += not self.count_parameters
        for p, state in zip(self.params, self.states, strict=True):
            self.t += self.count_parameters
            p -= self.rule(p.detach().clone(), p.grad, state, self.t)


def settings_text(settings):
    return ", ".join(f"{key}={value}" for key, value in settings.items())


def compare(mine, torchs, mistakes, settings, shapes, n_steps=N_STEPS):
    """Compare an optimizer with torch's after each step, and name the mistake if there is one."""
    params, theirs = parameters(shapes), parameters(shapes)
    expected = walked(torchs(theirs, **settings), theirs, n_steps)
    call = f"{mine.__name__}(params, {settings_text(settings)})"
    with explained(call):
        optimizer = mine(params, **settings)
        got = walked(optimizer, params, n_steps)
    if torch.allclose(got, expected, rtol=1e-4, atol=1e-5):
        return
    first = (~torch.isclose(got, expected, rtol=1e-4, atol=1e-5)).any(dim=1).nonzero()[0].item()
    sentence = f"after step {first + 1} the parameters differ from torch's"
    if torch.equal(got[0], torch.cat([p.detach().flatten() for p in parameters(shapes)])):
        sentence = "a step leaves the parameters as they are: change each one in place"
    for known, make in mistakes(settings).items():
        others = parameters(shapes)
        # All steps that are still numbers: some mistakes run away.
        other = walked(make(others), others, n_steps)
        close = torch.allclose(got, other, rtol=1e-3, atol=1e-5, equal_nan=True)
        if close and not torch.allclose(other, expected, rtol=1e-3, atol=1e-5):
            sentence = known
            break
    fail(
        f"{mine.__name__}: {sentence}",
        made_as=call,
        shapes=", ".join(map(str, shapes)),
        after_step=str(first + 1),
        parameters=got[first],
        expected=expected[first],
    )


@contextlib.contextmanager
def explained(call):
    """Say what errors mean that torch raises for common mistakes."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if "leaf Variable that requires grad" in text:
            fail(
                "the graph is kept: a parameter is changed in place while autograd watches; "
                "put torch.inference_mode() or torch.no_grad() around the step",
                made_as=call,
                raised=text.splitlines()[0],
            )
        if "must match the size" in text or "doesn't match the broadcast shape" in text:
            fail(
                "state is shared between parameters: each needs numbers of its own, in its shape",
                made_as=call,
                raised=text.splitlines()[0],
            )
        raise


def grids(**choices):
    """Give all combinations of settings."""
    return [
        dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())
    ]


def simulate(rule, **options):
    return lambda params: Simulated(params, rule, **options)


SHARED = "state is shared between parameters: each needs numbers of its own"
UPHILL = "the parameters move uphill: the step is subtracted"


def expect_behaviour(Optimizer, **settings):
    """Check what holds for every optimizer besides its formula."""
    name = Optimizer.__name__
    expect_generator(Optimizer, settings)
    params = parameters([(3,), (2,)])
    optimizer = Optimizer(params, **settings)
    set_gradients(params)
    params[1].grad = None
    before = [p.detach().clone() for p in params]
    gradient = params[0].grad.clone()
    try:
        optimizer.step()
    except TypeError as error:
        fail(f"{name}: a parameter without a gradient (grad is None) must be skipped",
             raised=str(error).splitlines()[0])  # fmt: skip
    require(
        torch.equal(params[1], before[1]),
        f"{name}: a parameter without a gradient moved; it must be skipped",
    )
    require(
        not torch.equal(params[0], before[0]),
        f"{name}: a step leaves the parameters as they are: change each one in place",
    )
    require(
        params[0].grad is not None and torch.equal(params[0].grad, gradient),
        f"{name}: the step changes p.grad itself; work on a new tensor",
        was=gradient,
        is_now=params[0].grad,
    )
    expect_no_graph(optimizer, params, name)
    optimizer.zero_grad()
    for p in params:
        require(
            p.grad is None or not p.grad.any(),
            f"{name}: zero_grad leaves gradients as they are; set each p.grad to None or zeros",
        )


def expect_generator(Optimizer, settings):
    """Check that parameters from a generator are still there at the second step."""
    params = parameters([(3,), (2,)])
    optimizer = Optimizer((p for p in params), **settings)
    for i in range(2):
        set_gradients(params)
        before = [p.detach().clone() for p in params]
        optimizer.zero_grad()
        set_gradients(params)
        optimizer.step()
        require(
            not any(torch.equal(p, b) for p, b in zip(params, before, strict=True)),
            f"{Optimizer.__name__}: parameters given as a generator are gone after the first "
            "use; keep list(params)",
            at_step=str(i + 1),
        )


def expect_no_graph(optimizer, params, name):
    """Check that neither the parameters nor what an optimizer keeps hang on a graph."""
    own = {id(p) for p in params}
    require(
        all(p.requires_grad and p.is_leaf for p in params),
        f"{name}: after a step a parameter is no leaf that requires a gradient any more",
    )
    waiting = list(vars(optimizer).values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, torch.Tensor) and id(value) not in own:
            require(
                not value.requires_grad,
                f"{name}: the graph is kept: a tensor that the optimizer keeps requires a "
                "gradient, so each step hangs on all before; step under torch.inference_mode()",
            )


# --- gradient descent -------------------------------------------------------------------------


def bowl(x, y):
    return x**2 + 3 * y**2 + x * y


def bowl_path(start, lr, momentum, n):
    """Walk down the bowl by its gradient, which is worked out by hand."""
    (x, y), vx, vy = start, 0.0, 0.0
    points = [(x, y)]
    for _ in range(n - 1):
        vx, vy = momentum * vx + 2 * x + y, momentum * vy + 6 * y + x
        x, y = x - lr * vx, y - lr * vy
        points.append((x, y))
    return torch.tensor(points)


@checks("opt_fn_with_sgd")
def test_opt_fn_with_sgd(opt_fn_with_sgd):
    for lr, momentum, n in ((0.1, 0.0, 5), (0.05, 0.9, 12), (0.1, 0.5, 1)):
        start = torch.tensor([1.0, -2.0])
        got = opt_fn_with_sgd(bowl, start, lr=lr, momentum=momentum, n_iters=n)
        call = f"opt_fn_with_sgd(fn, xy, lr={lr}, momentum={momentum}, n_iters={n})"
        require(
            torch.equal(start, torch.tensor([1.0, -2.0])),
            "the input tensor xy is changed; walk on a copy of it",
            called=call,
        )
        require(
            isinstance(got, torch.Tensor) and got.ndim == 2 and got.shape[1] == 2,
            f"{call}: the result must be a tensor of points, (n_iters, 2)",
            returned=got,
        )
        # One point more is accepted: n_iters steps and the start.
        expected = bowl_path((1.0, -2.0), lr, momentum, n + 1)
        if got.shape[0] != n + 1:
            expected = expected[:-1]
        elif torch.allclose(got.detach(), expected, rtol=1e-4, atol=1e-5):
            expected = got.detach()
        expect_path(got.detach(), expected, call, lr, momentum, n)


def expect_path(got, expected, call, lr, momentum, n):
    if n > 1 and len(got) == n:
        require(
            not torch.equal(got[0], got[-1]),
            f"{call}: all points are the same: append a copy, not the tensor that keeps moving",
            returned=got,
        )
    longer = bowl_path((1.0, -2.0), lr, momentum, n + 1)
    mistakes = {
        "the start is missing: it is the first point": longer[1 : n + 1],
        "momentum is not used": bowl_path((1.0, -2.0), lr, 0.0, n),
        "gradients pile up: call zero_grad before each backward": piled_up(lr, momentum, n),
    }
    different = {
        k: v
        for k, v in mistakes.items()
        if v.shape != expected.shape or not torch.allclose(v, expected)
    }
    expect(got, expected, of=call, mistakes=different, rtol=1e-3, atol=1e-4)


def piled_up(lr, momentum, n):
    (x, y), vx, vy, gx, gy = (1.0, -2.0), 0.0, 0.0, 0.0, 0.0
    points = [(x, y)]
    for _ in range(n - 1):
        gx, gy = gx + 2 * x + y, gy + 6 * y + x
        vx, vy = momentum * vx + gx, momentum * vy + gy
        x, y = x - lr * vx, y - lr * vy
        points.append((x, y))
    return torch.tensor(points)


@checks("opt_fn_with_sgd")
def test_opt_fn_with_sgd_leaves_no_graph(opt_fn_with_sgd):
    start = torch.tensor([1.0, -2.0], requires_grad=True)
    got = opt_fn_with_sgd(bowl, start, 0.1, 0.0, 4)
    require(
        torch.equal(start.detach(), torch.tensor([1.0, -2.0])),
        "an input that requires a gradient is changed; walk on a detached copy of it",
    )
    require(
        not got.requires_grad,
        "the points require a gradient: append xy.detach().clone() on the way",
    )


# --- optimizers -------------------------------------------------------------------------------


def sgd_mistakes(s):
    lr, mu, wd = s["lr"], s.get("momentum", 0.0), s.get("weight_decay", 0.0)

    def rule(before=True, momentum=mu, decay=wd, damp=1.0, late=False, sign=1.0):
        def step(p, g, state, t):
            old = state.a
            state.a = momentum * old + damp * (g + decay * p if before else g)
            move = old if late else state.a
            return sign * lr * (move if before else move + decay * p)

        return step

    return {
        "weight decay is added after momentum; it belongs to the gradient, before it": simulate(
            rule(before=False)
        ),
        "weight decay is not used": simulate(rule(decay=0.0)),
        "weight decay has the wrong sign": simulate(rule(decay=-wd)),
        "weight decay is multiplied by 2 (or counted twice)": simulate(rule(decay=2 * wd)),
        "momentum is not used": simulate(rule(momentum=0.0)),
        "the gradient is multiplied by 1 - momentum; torch adds all of it": simulate(
            rule(damp=1 - mu)
        ),
        "the step is taken with the velocity of the step before; update it first": simulate(
            rule(late=True)
        ),
        UPHILL: simulate(rule(sign=-1.0)),
        SHARED: simulate(rule(), shared=True),
    }


@checks("SGD")
def test_sgd(SGD):
    for settings in grids(lr=[0.05], momentum=[0.0, 0.9], weight_decay=[0.0, 0.2]):
        for shapes in SHAPES.values():
            compare(SGD, torch.optim.SGD, sgd_mistakes, settings, shapes)
    compare(SGD, torch.optim.SGD, sgd_mistakes, {"lr": 0.1}, [(2, 2)])


@checks("SGD")
def test_sgd_behaviour(SGD):
    expect_behaviour(SGD, lr=0.1, momentum=0.9, weight_decay=0.1)


def rmsprop_mistakes(s):
    lr, alpha, eps = s["lr"], s["alpha"], s["eps"]
    mu, wd = s["momentum"], s["weight_decay"]

    def rule(before=True, momentum=mu, decay=wd, keep=alpha, inside=False, square=True,
             corrected=False, first=False, root=True, sign=1.0):  # fmt: skip
        def step(p, g, state, t):
            g = g + decay * p if before else g
            new = keep * state.a + (1 - keep) * (g**2 if square else g)
            used = state.a if first and t > 1 else new
            state.a = new
            used = used / (1 - keep**t) if corrected else used
            size = (used + eps) ** 0.5 if inside else (used**0.5 if root else used) + eps
            state.b = momentum * state.b + g / size
            return sign * lr * (state.b if before else state.b + decay * p)

        return step

    return {
        "eps is added inside the root; it is added to the root": simulate(rule(inside=True)),
        "weight decay is added after the scaling; it belongs to the gradient": simulate(
            rule(before=False)
        ),
        "weight decay is not used": simulate(rule(decay=0.0)),
        "momentum is not used": simulate(rule(momentum=0.0)),
        "alpha is the share of the past; the new square gets 1 - alpha": simulate(
            rule(keep=1 - alpha)
        ),
        "the running mean is of the gradient; it must be of its square": simulate(
            rule(square=False)
        ),
        "the root of the running mean is missing": simulate(rule(root=False)),
        "the mean is corrected for its start at zero, as in Adam; RMSprop does not": simulate(
            rule(corrected=True)
        ),
        UPHILL: simulate(rule(sign=-1.0)),
        SHARED: simulate(rule(), shared=True),
    }


@checks("RMSprop")
def test_rmsprop(RMSprop):
    for settings in grids(
        lr=[0.02], alpha=[0.99, 0.8], eps=[1e-8, 0.1], weight_decay=[0.0, 0.3], momentum=[0.0, 0.8]
    ):
        compare(
            RMSprop, torch.optim.RMSprop, rmsprop_mistakes, settings, SHAPES["two of one shape"]
        )
    everything = {"lr": 0.02, "alpha": 0.9, "eps": 0.01, "weight_decay": 0.1, "momentum": 0.5}
    compare(RMSprop, torch.optim.RMSprop, rmsprop_mistakes, everything, SHAPES["several shapes"])
    expect_defaults(RMSprop, torch.optim.RMSprop)


def expect_defaults(mine, torchs):
    """Check that an optimizer is torch's where no settings are given."""
    params, theirs = parameters([(3,)]), parameters([(3,)])
    got = walked(mine(params), params, 3)
    expected = walked(torchs(theirs), theirs, 3)
    expect(got, expected, of=f"{mine.__name__}(params) with its defaults, after three steps")


@checks("RMSprop")
def test_rmsprop_behaviour(RMSprop):
    expect_behaviour(RMSprop, lr=0.1, momentum=0.9, weight_decay=0.1)


def adam_rule(settings, decoupled):
    """Give a function that makes Adam's rule, or AdamW's, with mistakes by their names."""
    lr, (beta1, beta2), eps, wd = (settings[key] for key in ("lr", "betas", "eps", "weight_decay"))

    def rule(b1=beta1, b2=beta2, decay=wd, apart=decoupled, shift=0, fix=(True, True),
             inside=False, early_eps=False, scaled=True, late=False, square=True,
             sign=1.0):  # fmt: skip
        def step(p, g, state, t):
            t = t + shift
            kept = (lr if scaled else 1) * decay * p if apart else 0.0 * p
            g = g if apart else g + decay * p
            state.a = b1 * state.a + (1 - b1) * g
            state.b = b2 * state.b + (1 - b2) * (g**2 if square else g)
            c1 = 1 - b1**t if fix[0] else 1.0
            c2 = 1 - b2**t if fix[1] else 1.0
            mean = state.a / c1 if c1 else state.a * math.inf
            square_hat = state.b / c2 if c2 else state.b * math.inf
            size = (square_hat + eps) ** 0.5 if inside else square_hat**0.5 + eps
            size = (state.b**0.5 + eps) / c2**0.5 if early_eps and c2 else size
            move = lr * mean / size
            return sign * (move + (kept - lr * decay * move if late else kept))

        return step

    return rule


def adam_mistakes(s, decoupled=False):
    rule, (beta1, beta2) = adam_rule(s, decoupled), s["betas"]
    other = "coupled: it went into the gradient; in AdamW it shrinks the parameter beside it"
    if not decoupled:
        other = "decoupled, as in AdamW: in Adam it is added to the gradient"
    return {
        "bias correction is missing: divide the means by 1 - beta^t": simulate(
            rule(fix=(False, False))
        ),
        "bias correction is off by one step: t is 1 in the first step, not 2": simulate(
            rule(shift=1)
        ),
        "bias correction is off by one step: t is 1 in the first step, not 0": simulate(
            rule(shift=-1)
        ),
        "the mean of squares is not corrected": simulate(rule(fix=(True, False))),
        "the mean of gradients is not corrected": simulate(rule(fix=(False, True))),
        "t counts parameters; it counts steps, so add 1 once a step": simulate(
            rule(), count_parameters=True
        ),
        "eps is added inside the root; it is added to the root": simulate(rule(inside=True)),
        "eps is added before the correction; it is added to the root of the corrected mean": (
            simulate(rule(early_eps=True))
        ),
        "weight decay is " + other: simulate(rule(apart=not decoupled)),
        "weight decay is not used": simulate(rule(decay=0.0)),
        "weight decay is not multiplied by the learning rate": simulate(rule(scaled=False)),
        "weight decay is applied after the step; torch shrinks the parameter before it": simulate(
            rule(late=True)
        ),
        "the two betas are swapped": simulate(rule(b1=beta2, b2=beta1)),
        "the second running mean is of the gradient; it must be of its square": simulate(
            rule(square=False)
        ),
        UPHILL: simulate(rule(sign=-1.0)),
        SHARED: simulate(rule(), shared=True),
    }


ADAM_GRID = grids(
    lr=[0.1], betas=[(0.9, 0.999), (0.5, 0.8)], eps=[1e-8, 0.1], weight_decay=[0.0, 0.5]
)


@checks("Adam")
def test_adam(Adam):
    for settings in ADAM_GRID:
        compare(Adam, torch.optim.Adam, adam_mistakes, settings, SHAPES["two of one shape"])
    everything = {"lr": 0.05, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.1}
    compare(Adam, torch.optim.Adam, adam_mistakes, everything, SHAPES["several shapes"])
    expect_defaults(Adam, torch.optim.Adam)


@checks("Adam")
def test_adam_behaviour(Adam):
    expect_behaviour(Adam, lr=0.1, weight_decay=0.1)


@checks("AdamW")
def test_adamw(AdamW):
    def mistakes(settings):
        return adam_mistakes(settings, decoupled=True)

    def torchs(params, weight_decay=0.0, **settings):
        return torch.optim.AdamW(params, weight_decay=weight_decay, **settings)

    for settings in ADAM_GRID:
        compare(AdamW, torchs, mistakes, settings, SHAPES["two of one shape"])
    everything = {"lr": 0.05, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.1}
    compare(AdamW, torchs, mistakes, everything, SHAPES["several shapes"])
    expect_defaults(AdamW, torchs)  # this course's default of weight_decay is 0


@checks("AdamW")
def test_adamw_behaviour(AdamW):
    expect_behaviour(AdamW, lr=0.1, weight_decay=0.1)


# --- experiments ------------------------------------------------------------------------------


class Image:
    """What stands for `wandb.Image` in a test."""

    def __init__(self, data, caption=None, **_):
        self.data, self.caption = data, caption


class FakeTracker(SimpleNamespace):
    """Notes what is called, in the place of `wandb`."""

    def __init__(self):
        super().__init__(calls=[], config={}, run=None, Image=Image)

    def init(self, project=None, name=None, config=None, **_):
        self.calls.append(("init", {"project": project, "name": name, "config": config}))
        self.run = self
        return self

    def log(self, metrics, step=None, **_):
        self.calls.append(("log", {"metrics": dict(metrics), "step": step}))

    def finish(self, *_, **__):
        self.calls.append(("finish", {}))

    def watch(self, *_, **__):
        self.calls.append(("watch", {}))

    def names(self):
        return [name for name, _ in self.calls]

    def logged(self, key):
        return logged(self.calls, key)


def logged(calls, key):
    return [c for n, c in calls if n == "log" and key in c["metrics"]]


class FewPictures:
    """A small set with what `Batches` and `sample_captions` ask of one."""

    def __init__(self, n):
        self.pixels = (
            torch.rand(n, 3, 4, 4, generator=torch.Generator().manual_seed(n)) * 255
        ).byte()
        self.labels = torch.arange(n) % 3
        self.names = ["cat", "dog", "cup"]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.pixels[index].float() / 255, self.labels[index]

    def to(self, device):
        return self


class Small(nn.Module):
    """A model whose last layer is found as that of ResNet34 is."""

    def __init__(self, n_classes):
        super().__init__()
        self.out_layers = nn.Sequential(nn.Flatten(), nn.Linear(48, n_classes))

    def forward(self, x):
        return self.out_layers(x)


@contextlib.contextmanager
def small_world(trainer):
    """Let a trainer run on a small model and few pictures, and note what it logs."""
    tracker = FakeTracker()
    silent = SimpleNamespace(update=lambda *_: None)
    with replaced(
        trainer,
        wandb=tracker,
        get_cifar=lambda: (FewPictures(10), FewPictures(6)),
        get_resnet_for_feature_extraction=lambda n_classes: Small(n_classes),
        pick_device=lambda: torch.device("cpu"),
        LivePlot=lambda: silent,
        tqdm=QuietProgress,
    ):
        yield tracker


class QuietProgress:
    def __init__(self, items, **_):
        self.items = items

    def __iter__(self):
        return iter(self.items)

    def __len__(self):
        return len(self.items)

    def set_postfix(self, **_):
        pass

    set_description = set_postfix_str = lambda self, *_, **__: None


def tracked_training(Trainer, Args, **settings):
    """Train in the small world; give the trainer, what it returned, and what it logged."""
    torch.manual_seed(0)
    args = Args(n_classes=3, batch_size=4, epochs=2, wandb_name="one", **settings)
    trainer = Trainer(args)
    with small_world(Trainer) as tracker:
        result = trainer.train()
    return trainer, result, tracker


@checks("WandbResNetFinetuner")
def test_wandb_finetuner_runs(WandbResNetFinetuner, WandbResNetFinetuningArgs):
    _, _, tracker = tracked_training(WandbResNetFinetuner, WandbResNetFinetuningArgs)
    expect_one_run(tracker.calls, project="day3-resnet", name="one")


def expect_one_run(calls, *, project, name):
    """Check that a run is begun once, with its settings, and ended when all is logged."""
    names = [called for called, _ in calls]
    counts = Counter(names)
    require(
        counts["init"] == 1,
        f"wandb.init was called {counts['init']} times; once, in pre_training_setup",
    )
    before = names[: names.index("init")]
    require("log" not in before, "something is logged before wandb.init: begin the run first")
    begun = calls[names.index("init")][1]
    require(
        begun["project"] == project,
        "the run's project must be self.args.wandb_project",
        project=str(begun["project"]),
    )
    require(
        begun["name"] == name,
        "the run's name must be self.args.wandb_name",
        name=str(begun["name"]),
    )
    config = settings_of(begun["config"])
    require(
        "batch_size" in config and "learning_rate" in config,
        "the run does not know its settings: give init config=self.args, or vars(self.args)",
        config=str(config),
    )
    require(
        counts["finish"] == 1, f"wandb.finish was called {counts['finish']} times; once, at the end"
    )
    require(names[-1] == "finish", f"wandb.{names[-1]} is called after wandb.finish; finish last")


def settings_of(config):
    """Give what wandb.init got as its config, a dict or an object, as a dict."""
    return config if isinstance(config, dict) else vars(config) if config else {}


@checks("WandbResNetFinetuner")
def test_wandb_finetuner_logs(WandbResNetFinetuner, WandbResNetFinetuningArgs):
    trainer, result, tracker = tracked_training(WandbResNetFinetuner, WandbResNetFinetuningArgs)
    losses, accuracies = tracker.logged("loss"), tracker.logged("accuracy")
    # Ten pictures in batches of four: three steps an epoch, the last of two pictures.
    require(
        len(losses) == 6,
        f"the loss was logged {len(losses)} times in 6 training steps; once in each",
    )
    steps = [entry["step"] for entry in losses]
    if steps != [4, 8, 10, 14, 18, 20]:
        hint = "give log step=self.examples_seen"
        if steps == [8, 16, 20, 28, 36, 40]:
            hint = (
                "examples_seen is counted twice: the parent's training_step adds the batch already"
            )
        elif steps == [0, 4, 8, 10, 14, 18]:
            hint = "log after the step, when the batch has been counted"
        fail(
            f"the loss is logged at the wrong steps, which count pictures: {hint}",
            logged_at=str(steps),
            expected="[4, 8, 10, 14, 18, 20]",
        )
    require(
        len(accuracies) == 3,
        f"the accuracy was logged {len(accuracies)} times; once before training, and after each "
        "of 2 epochs",
    )
    places = [entry["step"] for entry in accuracies]
    require(
        places == [0, 10, 20],
        "the accuracy is logged at the wrong steps; give log step=self.examples_seen",
        logged_at=str(places),
        expected="[0, 10, 20]",
    )
    expect_same_training(trainer, result, losses, accuracies)
    expect_examples(tracker.logged("examples"), trainer)


def expect_same_training(trainer, result, losses, accuracies):
    """Check that what is logged is what happened, and that the parent's training is unchanged."""
    for kept in (*losses, *accuracies):
        for value in kept["metrics"].values():
            require(
                not (isinstance(value, torch.Tensor) and value.requires_grad),
                "a loss with its graph is logged; log the number, loss.item()",
            )
    require(
        isinstance(result, dict) and {"loss", "accuracy"} <= set(result),
        "train must still return what the parent's train returns",
        returned=result,
    )
    logged = [float(entry["metrics"]["loss"]) for entry in losses]
    expect(logged, [float(x) for x in result["loss"]], of="the logged losses", atol=1e-5)
    logged = [float(entry["metrics"]["accuracy"]) for entry in accuracies]
    expect(logged, [float(x) for x in result["accuracy"]], of="the logged accuracies", atol=1e-5)
    require(trainer.examples_seen == 20, "examples_seen must be 20 after two epochs of 10 pictures")


def expect_examples(entries, trainer):
    require(
        len(entries) > 0,
        'no pictures are logged: after training, log {"examples": [wandb.Image(…), …]}',
    )
    pictures = entries[-1]["metrics"]["examples"]
    pictures = list(pictures) if isinstance(pictures, list | tuple) else [pictures]
    require(
        all(isinstance(p, Image) for p in pictures),
        "the pictures are logged as they are; wrap each one in wandb.Image(image, caption=caption)",
    )
    captions = [caption for _, caption in trainer.sample_pictures()]
    require(
        [p.caption for p in pictures] == captions,
        "the pictures have not the captions that sample_pictures gives at the end of training",
        captions=str([p.caption for p in pictures]),
        expected=str(captions),
    )


@checks("WandbResNetFinetuner")
def test_wandb_finetuner_step_returns_the_loss(WandbResNetFinetuner, WandbResNetFinetuningArgs):
    trainer = WandbResNetFinetuner(WandbResNetFinetuningArgs(n_classes=3, batch_size=4))
    with small_world(WandbResNetFinetuner):
        trainer.pre_training_setup()
        images, labels = next(iter(trainer.train_loader))
        with torch.no_grad():
            expected = F.cross_entropy(trainer.model(images), labels)
        loss = trainer.training_step(images, labels)
        accuracy = trainer.evaluate()
    require(loss is not None, "training_step must return the loss, as the parent's does")
    expect(loss, expected, of="training_step(imgs, labels)")
    require(accuracy is not None, "evaluate must return the accuracy, as the parent's does")
    require(
        0 <= float(accuracy) <= 1, "evaluate must return a share from 0 to 1", returned=accuracy
    )


# --- random search ----------------------------------------------------------------------------

KNOWN = ("values", "value", "min", "max", "distribution", "probabilities")
DISTRIBUTIONS = (
    "uniform", "int_uniform", "log_uniform", "log_uniform_values", "categorical", "constant",
)  # fmt: skip


def drawn(parameter, generator):
    """Draw one value for a description of W&B's kind."""
    u = torch.rand((), generator=generator).item()
    if "value" in parameter:
        return parameter["value"]
    if "values" in parameter:
        values = list(parameter["values"])
        weights = torch.tensor(parameter.get("probabilities") or [1.0] * len(values))
        return values[torch.multinomial(weights, 1, generator=generator).item()]
    low, high = parameter["min"], parameter["max"]
    kind = parameter.get("distribution", "uniform")
    if kind == "log_uniform_values":
        return math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
    if kind == "log_uniform":
        return math.exp(low + u * (high - low))
    if kind in ("int_uniform",):
        return low + int(u * (high - low + 1))
    return low + u * (high - low)


def samples(config, n=2_000):
    generator = torch.Generator().manual_seed(0)
    return [
        {name: drawn(p, generator) for name, p in config["parameters"].items()} for _ in range(n)
    ]


def require_written(sweep_config):
    if not isinstance(sweep_config, dict) or not sweep_config:
        fail("sweep_config is not written yet: it must be a dict that describes the search")


def find(config, part, *exclude):
    """Give names and descriptions of the parameters whose names hold a word."""
    return {
        name: p
        for name, p in config["parameters"].items()
        if part in name.lower().replace(" ", "_") and not any(word in name for word in exclude)
    }


@checks("sweep_config")
def test_sweep_config(sweep_config):
    require_written(sweep_config)
    for key in ("method", "metric", "parameters"):
        require(key in sweep_config, f"sweep_config has no {key!r}", keys=str(list(sweep_config)))
    require(
        sweep_config["method"] == "random",
        f"the method is {sweep_config['method']!r}; it must be 'random'",
    )
    metric = sweep_config["metric"]
    require(
        isinstance(metric, dict) and metric.get("name") == "accuracy",
        "the metric's name must be 'accuracy', which is what your trainer logs",
        metric=str(metric),
    )
    require(
        metric.get("goal") == "maximize",
        "the metric's goal must be 'maximize': more is better (the default is minimize)",
        metric=str(metric),
    )
    for name, parameter in sweep_config["parameters"].items():
        require(
            isinstance(parameter, dict)
            and ({"min", "max"} <= set(parameter) or {"values", "value"} & set(parameter)),
            f"parameter {name!r} says no value, values, or min and max",
            is_now=str(parameter),
        )
        unknown = set(parameter) - set(KNOWN)
        require(not unknown, f"parameter {name!r} has unknown keys: {', '.join(sorted(unknown))}")
        expect_search(name, parameter)
    expect_batch_sizes(sweep_config)
    expect_log_uniform(sweep_config, "learning_rate", "lr", low=1e-4, high=1e-1)


def expect_search(name, parameter):
    """Check that a parameter is drawn in a way that exists, and not always the same."""
    kind = parameter.get("distribution", "uniform")
    require(
        kind in DISTRIBUTIONS,
        f"parameter {name!r} has the distribution {kind!r}, which does not exist; these do: "
        + ", ".join(DISTRIBUTIONS),
    )
    values = parameter.get("values", ())
    require(
        len(values) < 2 or any(value != values[0] for value in values),
        f"parameter {name!r} is {values and values[0]!r} in every trial: its values are all the "
        "same",
        is_now=str(parameter),
    )


def expect_batch_sizes(config):
    found = find(config, "batch")
    require(len(found) > 0, "no parameter of sweep_config has batch_size in its name")
    values = next(iter(found.values())).get("values", ())
    require(
        sorted(values) == [32, 64, 128, 256],
        "the batch size must be one of 32, 64, 128 and 256",
        values=str(values),
    )


def expect_log_uniform(config, *words, low, high):
    found = next((found for word in words if (found := find(config, word))), {})
    require(len(found) > 0, f"no parameter of sweep_config has {words[0]} in its name")
    name, parameter = next(iter(found.items()))
    kind = parameter.get("distribution")
    if kind == "log_uniform" and math.isclose(parameter.get("min", 0), low):
        fail(f"{name}: log_uniform takes exponents of e; for the values themselves it is "
             "log_uniform_values")  # fmt: skip
    require(
        kind in ("log_uniform_values", "log_uniform"),
        f"{name} must be drawn log-uniformly, so that each power of ten is as likely: "
        "distribution log_uniform_values",
        is_now=str(parameter),
    )
    bounds = [parameter["min"], parameter["max"]]
    bounds = [math.exp(b) for b in bounds] if kind == "log_uniform" else bounds
    expect(bounds, [low, high], of=f"min and max of {name}", rtol=1e-3)


@checks("update_args")
def test_update_args(update_args, sweep_config):
    require_written(sweep_config)
    Args = settings_class(update_args)
    args = Args(epochs=7, wandb_name="kept")
    before = vars(args).copy()
    rows = []
    for sampled in samples(sweep_config):
        copy = dict(sampled)
        new = update_args(Args(**before), copy)
        require(new is not None, "update_args must return the settings", called_with=str(sampled))
        require(copy == sampled, "update_args changes the dict that it is given")
        require(
            new.epochs == 7 and new.wandb_name == "kept",
            "a setting that is not searched over has changed",
            epochs=str(new.epochs),
        )
        rows.append((sampled, new))
    expect_choices(rows, sweep_config)
    expect_weight_decay([new.weight_decay for _, new in rows])


def settings_class(update_args):
    """Give the learner's WandbResNetFinetuningArgs, or one like it."""
    found = inspect.unwrap(update_args).__globals__.get("WandbResNetFinetuningArgs")
    return found or SimpleNamespace


def expect_choices(rows, config):
    """Check that learning rate and batch size are those that were drawn."""
    for words, field in ((("learning_rate", "lr"), "learning_rate"), (("batch",), "batch_size")):
        name = next(iter(next(found for word in words if (found := find(config, word)))))
        for sampled, new in rows:
            have = getattr(new, field)
            if have != sampled[name]:
                unchanged = len({getattr(n, field) for _, n in rows}) == 1
                why = "it is never changed" if unchanged else "it is not what was drawn"
                fail(f"{field}: {why}", called_with=str(sampled), gives=str(have))


def expect_weight_decay(values):
    zeros = sum(value == 0 for value in values) / len(values)
    require(len(set(values)) > 1, "weight_decay is never changed", is_now=str(values[0]))
    require(zeros > 0, "weight_decay is never 0; half of the time it must be")
    require(
        0.42 < zeros < 0.58,
        f"weight_decay is 0 in {zeros:.0%} of the draws; half of the time it must be",
    )
    others = [value for value in values if value != 0]
    require(
        all(isinstance(v, int | float) and not isinstance(v, bool) for v in others),
        "weight_decay must be a number",
    )
    require(
        all(1e-4 * 0.999 <= value <= 1e-2 * 1.001 for value in others),
        "where it is not 0, weight_decay must lie between 1e-4 and 1e-2",
        smallest=f"{min(others):.3g}",
        largest=f"{max(others):.3g}",
    )
    below = sum(value < 1e-3 for value in others) / len(others)
    require(
        0.42 < below < 0.58,
        f"{below:.0%} of the weight decays that are not 0 lie below 1e-3; drawn log-uniformly from "
        "1e-4 to 1e-2 it is half of them",
    )


# --- messages ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """What each rank holds, the settings of the call, and a text that says which it is."""

    tensors: tuple
    settings: dict

    def text(self, function):
        settings = "".join(f", {key}={value!r}" for key, value in self.settings.items())
        return f"{function.__name__}(tensor, rank, world_size={len(self.tensors)}{settings})"


def use(rank, world_size, function, cases):
    """Be one rank: call the answer for each case, and give what became of the tensor."""
    results = []
    for case in cases:
        tensor = case.tensors[rank].clone()
        own_rank.step(case.text(function))
        returned = function(tensor, rank, world_size, **case.settings)
        sent = [(m.peer, m.n_bytes) for m in own_rank.messages() if m.kind == "send"]
        results.append((tensor, returned, sent))
    return results


def try_out(function, world_size, cases):
    """Run all cases in one group of ranks; give for each case what each rank gave."""
    found = ranks.run(use, world_size, function, cases, patience=PATIENCE, only_messages=True)
    return list(zip(*found, strict=True))


def tensors_of(world_size, *shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        torch.randint(-9, 10, shape, generator=generator).to(dtype) for _ in range(world_size)
    )


def known(world_size):
    """Give what each rank holds in the first case; no likely mistake gives the same as another."""
    held = [[3.0, 5.0], [1.0, 2.0], [10.0, 20.0], [7.0, -4.0]]
    return tuple(torch.tensor(held[rank % 4]) for rank in range(world_size))


def expect_in_place(actual, expected, case, function, rank, mistakes):
    held = case.tensors[rank]
    if torch.equal(actual, held) and not torch.equal(expected, held):
        mistakes = {
            f"the tensor of rank {rank} is as it was; change it in place (recv into it, copy_, "
            "+=), as a new tensor under the same name is lost when the function returns": held,
            **mistakes,
        }
    mistakes = {k: v for k, v in mistakes.items() if not torch.equal(v, expected)}
    expect(
        actual,
        expected,
        of=f"the tensor of rank {rank} after {case.text(function)}",
        mistakes=mistakes,
        dtype=True,
    )


@checks("broadcast", timeout=30)
def test_broadcast(broadcast, world_size=3):  # noqa: PT028
    for size in (world_size, 2, 1):
        cases = [Case(known(size), {}), Case(known(size), {"src": size - 1})]
        cases += [
            Case(tensors_of(size, 2, 3, seed=src), {"src": src}) for src in reversed(range(size))
        ]
        cases += [Case(tensors_of(size, seed=1, dtype=torch.int64), {"src": size // 2})]
        for case, given in zip(cases, try_out(broadcast, size, cases), strict=True):
            src = case.settings.get("src", 0)
            for rank in (src, *range(size)):
                mistakes = {
                    f"this is the tensor of rank {other}, not that of src={src}": value
                    for other, value in enumerate(case.tensors)
                    if other not in (src, rank)
                }
                mistakes["the tensors are added up; they are to be copied"] = sum(case.tensors)
                expect_in_place(given[rank][0], case.tensors[src], case, broadcast, rank, mistakes)


def combined(case):
    """Give the right result of a reduction, and what likely mistakes give."""
    size, op = len(case.tensors), case.settings.get("op", "sum")
    total = torch.stack(case.tensors).sum(dim=0)
    mean = total / size
    right = total if op == "sum" else mean
    mistakes = {
        'op="mean" gives the sum; divide by world_size': total,
        'op="sum" gives the mean; divide only for op="mean"': mean,
        "divided by world_size twice": mean / size,
        "divided by the number of other ranks; the own tensor counts too": total / max(size - 1, 1),
        "the product is formed; op is the sum or the mean": torch.stack(case.tensors).prod(dim=0),
    }
    return right, mistakes


def without_one(case, rank):
    """Give what comes out where one rank is left out or counts twice."""
    right = combined(case)[0]
    size = len(case.tensors) if case.settings.get("op") == "mean" else 1
    found = {}
    for other, value in enumerate(case.tensors):
        if value.any():
            found[f"the tensor of rank {other} is missing in it"] = right - value / size
            found[f"the tensor of rank {other} counts twice"] = right + value / size
    found["the own tensor is overwritten by the last one that was received"] = case.tensors[
        len(case.tensors) - 1 - (rank == len(case.tensors) - 1)
    ]
    return found


def reduction_cases(size, **settings):
    both = [{**settings, "op": op} for op in ("sum", "mean")]
    return [
        Case(known(size), settings),
        *(Case(known(size), each) for each in both),
        *(Case(tensors_of(size, 3, 2, seed=i), each) for i, each in enumerate(both)),
        Case(tensors_of(size, seed=2), both[1]),
    ]


def expect_combined(function, case, rank, given):
    right, mistakes = combined(case)
    expect_in_place(given, right, case, function, rank, {**without_one(case, rank), **mistakes})


@checks("reduce", timeout=30)
def test_reduce(reduce, world_size=3):  # noqa: PT028
    for size in (world_size, 2, 1):
        cases = reduction_cases(size)
        if size > 1:
            cases += reduction_cases(size, dst=size - 1)
        for case, given in zip(cases, try_out(reduce, size, cases), strict=True):
            dst = case.settings.get("dst", 0)
            right = combined(case)[0]
            elsewhere = [r for r in range(size) if torch.equal(given[r][0], right)]
            require(
                torch.equal(given[dst][0], right) or not elsewhere or right.ndim == 0,
                f"the result is on rank {elsewhere[:1] and elsewhere[0]}; it must be on dst={dst}",
                called=case.text(reduce),
            )
            expect_combined(reduce, case, dst, given[dst][0])


def expect_all_reduce(all_reduce, size):
    cases = reduction_cases(size)
    results = try_out(all_reduce, size, cases)
    for case, given in zip(cases, results, strict=True):
        right = combined(case)[0]
        have = [rank for rank in range(size) if torch.allclose(given[rank][0], right)]
        lack = [rank for rank in range(size) if rank not in have]
        # Whole numbers far from each other: only what was never sent is as it was.
        as_it_was = [r for r in lack if torch.equal(given[r][0], case.tensors[r])]
        require(
            not have or as_it_was != lack or not lack,
            f"only rank {', '.join(map(str, have))} has the result; every rank must",
            called=case.text(all_reduce),
            **{f"rank {r} has": given[r][0] for r in range(size)},
        )
        for rank in range(size):
            expect_combined(all_reduce, case, rank, given[rank][0])
    return cases, results


@checks("all_reduce", timeout=30)
def test_all_reduce(all_reduce, world_size=3):  # noqa: PT028
    for size in (world_size, 2, 1):
        expect_all_reduce(all_reduce, size)


@checks("gather", timeout=30)
def test_gather(gather, world_size=3):  # noqa: PT028
    for size in (world_size, 1):
        cases = [Case(known(size), {}), Case(tensors_of(size, 2, 2), {"dst": size - 1})]
        for case, given in zip(cases, try_out(gather, size, cases), strict=True):
            dst = case.settings.get("dst", 0)
            for rank, (tensor, returned, _) in enumerate(given):
                name = f"{case.text(gather)} on rank {rank}"
                expect(tensor, case.tensors[rank], of=f"the tensor handed to {name}")
                if rank != dst:
                    require(returned is None, f"{name} returned something; only dst={dst} collects")
            expect_collected(
                given[dst][1], list(case.tensors), f"{case.text(gather)} on rank {dst}"
            )


def expect_collected(have, tensors, name):
    require(
        isinstance(have, list | tuple),
        f"{name} must return a list of tensors",
        returned=repr(have),
    )
    if len(have) == len(tensors) > 1:
        require(
            not all(torch.equal(value, have[0]) for value in have),
            "all places of the list hold the same tensor: receive each into one of its own",
        )
        require(
            not all(torch.equal(a, b) for a, b in zip(have, tensors[::-1], strict=True)),
            "the tensors stand in the wrong order; place r is for rank r",
        )
    expect(list(have), tensors, of=name)


# --- the trainer ------------------------------------------------------------------------------

N_CLASSES = 12
ON_THE_TEST_SET = (1, 1, 1, 0, 0, 1, 0)  # which of its pictures the model gets right


def pictures(labels, shown):
    """Give pictures that show a number as the place of one bright dot."""
    pixels = torch.zeros(len(labels), N_CLASSES, dtype=torch.uint8)
    pixels[torch.arange(len(labels)), torch.as_tensor(shown)] = 255
    names = [str(i) for i in range(N_CLASSES)]
    statistics = ((0.0,) * 3, (1.0,) * 3)
    return Pictures(pixels.reshape(-1, 3, 2, 2), torch.as_tensor(labels), statistics, names)


def tiny_pictures():
    """Give twelve pictures to train on, and seven to test with, some labelled wrongly."""
    right = [i if ok else i + 1 for i, ok in enumerate(ON_THE_TEST_SET)]
    return pictures(range(N_CLASSES), range(N_CLASSES)), pictures(right, range(len(right)))


def tiny_model(n_classes):
    """Give a network of random weights, with a hidden layer and no batch norm."""
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, n_classes))


def reading_model(n_classes):
    """Give a network that reads the bright dot's place."""
    layer = nn.Linear(12, n_classes, bias=False)
    nn.init.eye_(layer.weight)
    return nn.Sequential(nn.Flatten(), layer)


def reading_model_with_buffers(n_classes):
    """Give a network that does the same, with running statistics."""
    return nn.Sequential(nn.BatchNorm2d(3), reading_model(n_classes))


def batches(n_steps, size, world_size):
    """Give the pictures and labels of each step for all ranks together."""
    generator = torch.Generator().manual_seed(0)
    return [
        (
            torch.randn(size * world_size, 3, 2, 2, generator=generator),
            torch.randint(N_CLASSES, (size * world_size,), generator=generator),
        )
        for _ in range(n_steps)
    ]


def copies(model):
    return [param.detach().clone() for param in model.parameters()]


def take_steps(rank, world_size, trainer_class, args, steps):
    """Be one rank: set up, take the steps on this rank's part, and give all that is to check."""
    torch.manual_seed(rank)  # as different processes would begin
    made = []

    def make_model(n_classes):
        model = args.make_model(n_classes)
        made[:] = copies(model)
        return model

    trainer = trainer_class(replace(args, make_model=make_model), rank)
    with replaced(trainer_class, wandb=FakeTracker()):
        trainer.pre_training_setup()
        start, losses = copies(trainer.model), []
        for imgs, labels in steps:
            part = slice(rank * args.batch_size, (rank + 1) * args.batch_size)
            loss = trainer.training_step(imgs[part], labels[part])
            losses.append(torch.as_tensor(loss).detach())
    return start, copies(trainer.model), losses, trainer.examples_seen, made


def alone(start, steps, args, chosen=slice(None), scale=1.0):
    """Take the same steps in one process on the joined batches, with torch's own SGD."""
    model = args.make_model(args.n_classes)
    with torch.no_grad():
        for param, value in zip(model.parameters(), start, strict=True):
            param.copy_(value)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=args.learning_rate * scale, weight_decay=args.weight_decay / scale
    )
    losses = []
    for imgs, labels in steps:
        loss = F.cross_entropy(model(imgs[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return copies(model), losses


def settings(args_class, world_size, **more):
    given = {"make_optimizer": torch.optim.SGD, "load_data": tiny_pictures, "batch_size": 2}
    return args_class(n_classes=N_CLASSES, world_size=world_size, **{**given, **more})


@checks("DistResNetTrainer", timeout=30)
def test_dist_resnet_trainer_is_one_process_on_the_joined_batch(
    DistResNetTrainer, DistResNetTrainingArgs
):
    for size in (2, 3):
        args = settings(
            DistResNetTrainingArgs,
            size,
            make_model=tiny_model,
            learning_rate=0.5,
            weight_decay=0.01,
        )
        steps = batches(3, args.batch_size, size)
        given = ranks.run(take_steps, size, DistResNetTrainer, args, steps, **OF_A_TRAINER)
        expect_same_start(given)
        expect_same_weights(given, steps, args)
        require(
            all(rank[3] == 3 * size * args.batch_size for rank in given),
            f"examples_seen is {given[0][3]} after 3 steps of {size} ranks with "
            f"{args.batch_size} pictures each; all ranks' pictures count: "
            f"{3 * size * args.batch_size}",
        )


def expect_same_start(given):
    for rank, (start, *_) in enumerate(given):
        if not all(torch.equal(a, b) for a, b in zip(start, given[0][0], strict=True)):
            fail(
                f"rank {rank} begins with other weights than rank 0: broadcast the weights in "
                "pre_training_setup",
                rank_0=given[0][0][0],
                **{f"rank {rank}": start[0]},
            )
    start, made = given[0][0], given[0][-1]
    if not all(torch.equal(a, b) for a, b in zip(start, made, strict=True)):
        fail(
            "the weights at the start are not those that rank 0 made: broadcast them from rank 0",
            rank_0_made=made[0],
            it_starts_with=start[0],
        )


def same(found, expected):
    return all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found, expected, strict=True))


def expect_same_weights(given, steps, args):
    size = len(given)
    right, losses = alone(given[0][0], steps, args)
    parts = [slice(r * args.batch_size, (r + 1) * args.batch_size) for r in range(size)]
    for rank, (start, weights, *_) in enumerate(given):
        require(not same(weights, start), "training_step does not change the weights")
        if same(weights, alone(start, steps, args, chosen=parts[rank])[0]):
            fail(f"rank {rank} stepped by its own gradient alone: average the gradients first")
        if same(weights, alone(start, steps, args, scale=size)[0]):
            fail('the gradients are added up and not averaged: op="mean"')
        if not same(weights, right):
            fail(
                f"after {len(steps)} steps of {size} ranks the weights of rank {rank} are not "
                "those of one process on the joined batches",
                first_weight_differs_by=max(
                    (a - b).abs().max() for a, b in zip(weights, right, strict=True)
                ).item(),
            )
    for rank, (_, _, found, *_) in enumerate(given):
        for one, expected in zip(found, losses, strict=True):
            if not torch.allclose(one, expected, atol=1e-5):
                fail(
                    "training_step must return the mean loss over all ranks, which is the loss "
                    "of the joined batch",
                    **{f"rank {rank} returned": one, "expected": expected},
                )


def evaluate_and_count(rank, world_size, trainer_class, args):
    """Be one rank: set up, evaluate, and give the accuracy and the number of pictures tested."""
    trainer = trainer_class(args, rank)
    with replaced(trainer_class, wandb=FakeTracker()):
        trainer.pre_training_setup()
        tested = []
        trainer.model.register_forward_hook(
            lambda module, args, out: tested.append((len(args[0]), module.training))
        )
        trainer.model.train()
        accuracy = trainer.evaluate()
    return accuracy, sum(n for n, _ in tested), any(training for _, training in tested)


@checks("DistResNetTrainer", timeout=30)
def test_dist_resnet_trainer_evaluates_every_picture_once(
    DistResNetTrainer, DistResNetTrainingArgs
):
    args = settings(DistResNetTrainingArgs, 3, make_model=reading_model_with_buffers)
    given = ranks.run(evaluate_and_count, 3, DistResNetTrainer, args, **OF_A_TRAINER)
    n_right, n = sum(ON_THE_TEST_SET), len(ON_THE_TEST_SET)
    tested = [count for _, count, _ in given]
    require(tested != [n] * 3, "every rank tests the whole test set; each is to take its share")
    require(
        sum(tested) == n,
        f"the ranks tested {sum(tested)} pictures together, but the test set has {n}: a "
        "DistributedSampler fills up with pictures that then count twice",
        rank_by_rank=str(tested),
    )
    shares = [ON_THE_TEST_SET[rank::3] for rank in range(3)]
    means = [sum(share) / len(share) for share in shares]
    for rank, (accuracy, _, training) in enumerate(given):
        expect(
            accuracy,
            n_right / n,
            of=f"evaluate() on rank {rank}",
            mistakes={
                "this is the accuracy on this rank's share alone; add up over the ranks": means[
                    rank
                ],
                "the mean of the ranks' accuracies is not the accuracy: their shares differ in "
                "size. Add up right answers and pictures, then divide": sum(means) / 3,
                "this is the number of right answers, not their share": float(n_right),
            },
        )
        require(not training, "evaluate tests in training mode: call model.eval() before")


def train_and_note(rank, world_size, trainer_class, args):
    """Be one rank: train, and give all that is to check."""
    seen, modes = [], []

    class Noting(trainer_class):
        def training_step(self, imgs, labels):
            seen.append(labels.tolist())
            loss = super().training_step(imgs, labels)
            modes.append(self.model.training)
            return loss

    trainer, tracker = Noting(args, rank), FakeTracker()
    with replaced(Noting, wandb=tracker), contextlib.redirect_stdout(io.StringIO()) as printed:
        trainer.train()
    return SimpleNamespace(
        seen=seen,
        modes=modes,
        noted=trainer.logged_variables,
        printed=printed.getvalue(),
        calls=[(name, plain(given)) for name, given in tracker.calls],
    )


def plain(given):
    """Give the arguments of a call of wandb as what can be sent to another process."""
    if "metrics" in given:
        metrics = given["metrics"].items()
        return {
            **given,
            "metrics": {k: float(v) for k, v in metrics if torch.as_tensor(v).numel() == 1},
        }
    if "config" in given:
        return {**given, "config": {k: str(v) for k, v in settings_of(given["config"]).items()}}
    return given


@checks("DistResNetTrainer", timeout=30)
def test_dist_resnet_trainer_shares_the_training_set(DistResNetTrainer, DistResNetTrainingArgs):
    args = settings(DistResNetTrainingArgs, 3, make_model=reading_model, epochs=2, wandb_name="one")
    given = ranks.run(train_and_note, 3, DistResNetTrainer, args, **OF_A_TRAINER)
    shares = [[label for step in rank.seen for label in step] for rank in given]
    for rank, share in enumerate(shares):
        require(
            len(share) == 2 * N_CLASSES // 3,
            f"rank {rank} trained on {len(share)} pictures in 2 epochs; its share of "
            f"{N_CLASSES} among 3 ranks is {N_CLASSES // 3} an epoch"
            + (": the sampler is not used" if len(share) == 2 * N_CLASSES else ""),
        )
    epochs = [[share[:4] for share in shares], [share[4:] for share in shares]]
    for epoch in epochs:
        require(
            sorted(label for share in epoch for label in share) == list(range(N_CLASSES)),
            "two ranks trained on the same pictures: each needs a sampler with its own rank, "
            "and all the same seed",
            **{f"rank {rank}": str(share) for rank, share in enumerate(epoch)},
        )
    require(
        epochs[0] != epochs[1],
        "both epochs have the same order: call train_sampler.set_epoch(epoch) before each",
        first_epoch=str(epochs[0]),
    )
    sizes = [len(step) for rank in given for step in rank.seen]
    require(
        set(sizes) == {args.batch_size},
        f"a step gets {sizes[0]} of a rank's pictures; hand args.batch_size, here "
        f"{args.batch_size}, to the train_loader",
    )
    require(
        all(mode for rank in given for mode in rank.modes),
        "training_step runs in evaluation mode after an evaluation: call model.train() before",
    )
    expect_reports(given, args)


def expect_reports(given, args):
    """Check what the ranks note, print and log while they train for 2 epochs."""
    n = len(given[0].noted["accuracy"])
    require(
        all(len(rank.noted["accuracy"]) == 2 for rank in given),
        f"train noted {n} accuracies in 2 epochs: evaluate after each epoch, on every rank, and "
        "note it in logged_variables",
    )
    for number, rank in enumerate(given[1:], start=1):
        require(
            not rank.calls,
            f"rank {number} logs too: only rank 0 is to begin a run and log to it",
            calls=", ".join(f"wandb.{name}" for name in dict(rank.calls)),
        )
        require(
            not rank.printed.strip(),
            f"rank {number} prints too: only rank 0 is to",
            printed=rank.printed,
        )
    if given[0].calls:  # the exercise asks for a run, but can be done without
        expect_one_run(given[0].calls, project=args.wandb_project, name=args.wandb_name)
        for key, steps in (("loss", [6, 12, 18, 24]), ("accuracy", [12, 24])):
            entries = logged(given[0].calls, key)
            expect(
                [entry["metrics"][key] for entry in entries],
                [float(value) for value in given[0].noted[key]],
                of=f"what rank 0 logs as {key!r}, beside its logged_variables",
                rtol=1e-3,
            )
            require(
                [entry["step"] for entry in entries] == steps,
                f"rank 0 logs its {key} at the wrong steps, which count the pictures of all ranks; "
                "give log step=self.examples_seen",
                logged_at=str([entry["step"] for entry in entries]),
                expected=str(steps),
            )


# --- the ring ---------------------------------------------------------------------------------


@checks("ring_all_reduce", timeout=30)
def test_ring_all_reduce(ring_all_reduce, world_size=3):  # noqa: PT028
    for size in (world_size, 2, 1):
        expect_all_reduce(ring_all_reduce, size)


@checks("ring_all_reduce", timeout=30)
def test_ring_all_reduce_spreads_the_work(ring_all_reduce, world_size=4):  # noqa: PT028
    n = 3 * world_size
    tensors = tensors_of(world_size, n)
    case = Case(tensors, {})
    (given,) = try_out(ring_all_reduce, world_size, [case])
    for rank, (tensor, _, sent) in enumerate(given):
        expect_combined(ring_all_reduce, case, rank, tensor)
        peers = {peer for peer, _ in sent}
        require(
            peers <= {(rank + 1) % world_size} or peers <= {(rank - 1) % world_size},
            f"rank {rank} sends to {sorted(peers)}; in a ring it sends to one neighbour only",
        )
        n_sent = sum(n_bytes for _, n_bytes in sent) // 4
        expect_share(rank, n_sent, 2 * (world_size - 1) * n // world_size, n)


def expect_share(rank, n_sent, allowed, n):
    require(
        n_sent <= allowed,
        f"rank {rank} sends {n_sent} numbers to reduce a tensor of {n}; a ring needs only "
        f"2 (world_size - 1) / world_size times its size, {allowed}: send one chunk at a time",
    )


# --- bonus ------------------------------------------------------------------------------------


class GroupsAsTorch:
    """torch.optim.SGD with groups, made as `ParamGroupSGD` is."""

    def __new__(cls, params, **kwargs):
        return torch.optim.SGD(params, **kwargs)


def grouped(shapes, *own):
    """Give parameters and groups of them with settings of their own, one for each of `own`."""
    params = parameters(shapes)
    groups = [{"params": [], **settings} for settings in own]
    for i, p in enumerate(params):
        groups[i % len(groups)]["params"].append(p)
    return params, groups


@checks("ParamGroupSGD")
def test_sgd_param_groups(ParamGroupSGD):
    shapes = [(3,), (3,), (2, 2), ()]
    cases = [
        ([{"lr": 0.1}, {"lr": 0.02}], {}),
        ([{}, {"lr": 0.02}], {"lr": 0.1, "momentum": 0.5}),
        ([{"momentum": 0.9}, {"weight_decay": 0.3}], {"lr": 0.05}),
        ([{"momentum": 0.0}, {}], {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}),
    ]
    for own, common in cases:
        params, groups = grouped(shapes, *own)
        theirs, torch_groups = grouped(shapes, *own)
        got = walked(ParamGroupSGD(groups, **common), params)
        expected = walked(GroupsAsTorch(torch_groups, **common), theirs)
        if not torch.allclose(got, expected, rtol=1e-4, atol=1e-5):
            explain_groups(got, expected, shapes, own, common)


def explain_groups(got, expected, shapes, own, common):
    """Say which mistake gives what came out."""
    both = "a group's own settings are not used: they win over those of all groups"
    guesses = {
        both: [{"lr": 0.0} | common] * len(own),
        "all groups have the settings of the first": [own[0]] * len(own),
        "all groups have the settings of the last": [own[-1]] * len(own),
        "the settings of all groups are not used where a group says nothing": [
            {"lr": 0.0} | settings for settings in own
        ],
    }
    sentence = "the parameters differ from torch's"
    for known, settings in guesses.items():
        with contextlib.suppress(ValueError):
            params, groups = grouped(shapes, *settings)
            rest = {} if known.endswith("nothing") else common
            other = walked(GroupsAsTorch(groups, **rest), params)
            if torch.allclose(got, other, rtol=1e-3, atol=1e-5) and not torch.allclose(
                other, expected, rtol=1e-3, atol=1e-5
            ):
                sentence = known
                break
    text = "[" + ", ".join(f"{{params, {settings_text(s)}}}" for s in own) + "]"
    fail(
        f"ParamGroupSGD: {sentence}",
        made_as=f"ParamGroupSGD({text}, {settings_text(common)})",
        parameters=got[-1],
        expected=expected[-1],
    )


@checks("ParamGroupSGD")
def test_param_groups_are_kept(ParamGroupSGD):
    params = parameters([(3,), (2,)])
    optimizer = ParamGroupSGD((p for p in params), lr=0.1, momentum=0.9)
    walked(optimizer, params, 2)
    require(
        len(optimizer.param_groups) == 1 and len(list(optimizer.param_groups[0]["params"])) == 2,
        "parameters that are given without groups must make one group",
    )
    first, second = parameters([(3,), (2,)])
    given = [{"params": (p for p in [first])}, {"params": [second], "lr": 0.5}]
    optimizer = ParamGroupSGD(given, lr=0.1)
    before = first.detach().clone()
    walked(optimizer, [first, second], 2)
    require(
        not torch.equal(first, before), "a group's parameters may come as a generator; keep a list"
    )
    optimizer.param_groups[1]["lr"] = 0.0
    before = second.detach().clone()
    walked(optimizer, [first, second], 1)
    require(
        torch.equal(second, before),
        "a change of param_groups[1]['lr'] has no effect: step must read the settings there",
    )


@checks("ParamGroupSGD")
def test_param_groups_refuse_mistakes(ParamGroupSGD):
    (p,) = parameters([(3,)])
    for groups in ([{"params": [p]}, {"params": [p]}], [{"params": [p, p]}]):
        raises(ValueError, ParamGroupSGD, groups, lr=0.1, because="a parameter comes twice")
    raises(ValueError, ParamGroupSGD, [{"params": [p]}], because="there is no lr")
    raises(ValueError, ParamGroupSGD, [p], momentum=0.9, because="there is no lr")
    (q,) = parameters([(2,)])
    groups = [{"params": [p], "lr": 0.1}, {"params": [q]}]
    raises(ValueError, ParamGroupSGD, groups, because="the second group has no lr")
    expect_behaviour(ParamGroupSGD, lr=0.1, momentum=0.9, weight_decay=0.1)


def expect_rates(make, SGD, expected, text, mistakes):
    """Compare the learning rate before the first epoch and after each with a list by hand."""
    optimizer = SGD([nn.Parameter(torch.zeros(2))], lr=1.0, momentum=0.5)
    scheduler = make(optimizer)
    rates = [float(optimizer.lr)]
    for _ in range(len(expected) - 1):
        scheduler.step()
        rates.append(float(optimizer.lr))
    require(len(set(rates)) > 1, f"{text}: the learning rate never changes: set self.optimizer.lr")
    expect(
        rates, expected, of=f"{text}, optimizer.lr before and after each epoch", mistakes=mistakes
    )
    require(optimizer.momentum == 0.5, f"{text}: a scheduler changes lr and nothing else")


@checks("ExponentialLR")
def test_ExponentialLR(ExponentialLR, SGD):
    expect_rates(
        lambda optimizer: ExponentialLR(optimizer, gamma=0.5),
        SGD,
        [1.0, 0.5, 0.25, 0.125, 0.0625],
        "ExponentialLR(optimizer, gamma=0.5)",
        {
            "the factor grows: multiply the rate by gamma, not by a power of it": [
                1.0, 0.5, 0.125, 0.015625, 0.0009765625],
            "gamma is subtracted; the rate is multiplied by it": [1.0, 0.5, 0.0, -0.5, -1.0],
            "the rate is divided by gamma": [1.0, 2.0, 4.0, 8.0, 16.0],
            "e^-gamma is the factor; it is gamma itself": [math.exp(-0.5 * n) for n in range(5)],
            "the rate is set to gamma": [1.0, 0.5, 0.5, 0.5, 0.5],
        },
    )  # fmt: skip


@checks("StepLR")
def test_StepLR(StepLR, SGD):
    expect_rates(
        lambda optimizer: StepLR(optimizer, step_size=3, gamma=0.5),
        SGD,
        [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25],
        "StepLR(optimizer, step_size=3, gamma=0.5)",
        {
            "the rate falls one epoch too early": [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25],
            "the rate falls one epoch too late": [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25],
            "the rate falls after the first epoch already": [
                1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125],
            "the rate falls after every epoch; step_size is not used": [0.5**n for n in range(8)],
            "the rate falls once and never again": [1.0, 1.0, 1.0, *[0.5] * 5],
        },
    )  # fmt: skip
    expect_rates(
        lambda optimizer: StepLR(optimizer, 2, gamma=0.5),
        SGD,
        [1.0, 1.0, 0.5, 0.5, 0.25],
        "StepLR(optimizer, 2, gamma=0.5)",
        {"an epoch is counted twice": [1.0, 0.5, 0.25, 0.125, 0.0625]},
    )
    expect_rates(
        lambda optimizer: StepLR(optimizer, 1),
        SGD,
        [1.0, 0.1, 0.01],
        "StepLR(optimizer, 1)",
        {},
    )


@checks("MultiStepLR")
def test_MultiStepLR(MultiStepLR, SGD):
    expect_rates(
        lambda optimizer: MultiStepLR(optimizer, milestones=[2, 5], gamma=0.5),
        SGD,
        [1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25],
        "MultiStepLR(optimizer, milestones=[2, 5], gamma=0.5)",
        {
            "the rate falls one epoch too early": [1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25],
            "the rate falls one epoch too late": [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25],
            "the rate falls in every epoch from a milestone on": [
                1.0, 1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125],
            "only the first milestone counts": [1.0, 1.0, *[0.5] * 5],
            "milestones are taken for distances": [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5],
        },
    )  # fmt: skip
    expect_rates(
        lambda optimizer: MultiStepLR(optimizer, [3, 1, 1], 0.5),
        SGD,
        [1.0, 0.25, 0.25, 0.125],
        "MultiStepLR(optimizer, [3, 1, 1], 0.5)",
        {
            "a milestone that is listed twice counts twice": [1.0, 0.5, 0.5, 0.25],
            "the milestones need not be sorted": [1.0, 0.5, 0.5, 0.5],
        },
    )


COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalised(matrix, n_steps=5, coefficients=COEFFICIENTS, norm=None):
    """Do on singular values what the iteration does on the matrix, by their decomposition."""
    a, b, c = coefficients
    u, s, vt = torch.linalg.svd(matrix.double(), full_matrices=False)
    s = s / (torch.linalg.norm(matrix.double()) if norm is None else norm)
    for _ in range(n_steps):
        s = a * s + b * s**3 + c * s**5
    return (u @ torch.diag(s) @ vt).float()


@checks("newton_schulz")
def test_newton_schulz(newton_schulz):
    for shape in ((3, 3), (2, 5), (5, 2), (1, 4)):
        matrix = normal(*shape) * 3
        before = matrix.clone()
        for n_steps in (5, 1):
            got = newton_schulz(matrix, n_steps)
            right = orthogonalised(matrix, n_steps)
            mistakes = {
                "the matrix is not divided by its norm first": orthogonalised(
                    matrix, n_steps, norm=1.0
                ),
                "the number of steps is not used": orthogonalised(matrix, 5 if n_steps == 1 else 1),
                "the last term, c(XXᵀ)²X, is missing": orthogonalised(
                    matrix, n_steps, (*COEFFICIENTS[:2], 0.0)
                ),
                "divided by the largest singular value; the norm is the root of the sum of all "
                "squares": orthogonalised(
                    matrix, n_steps, norm=torch.linalg.matrix_norm(matrix.double(), 2)
                ),
            }
            expect(
                got.float(),
                right,
                of=f"newton_schulz(matrix{list(shape)}, n_steps={n_steps})",
                mistakes={
                    k: v for k, v in mistakes.items() if not torch.allclose(v, right, atol=0.05)
                },
                rtol=0.02,
                atol=0.02,  # an answer in bfloat16 is right, too
            )
        require(torch.equal(matrix, before), "newton_schulz changes its argument in place")


def muon_mistakes(s):
    lr, mu, wd = s["lr"], s["momentum"], s["weight_decay"]

    def rule(ortho=True, scale=True, momentum=mu, decay=wd, coupled=False, turned=False, sign=1.0):
        def step(p, g, state, t):
            state.a = momentum * state.a + (g + decay * p if coupled else g)
            sizes = p.shape[::-1] if turned else p.shape
            factor = max(1.0, sizes[0] / sizes[1]) ** 0.5 if scale else 1.0
            move = factor * (orthogonalised(state.a) if ortho else state.a)
            return lr * (sign * move + (0.0 if coupled else decay * p))

        return step

    return {
        "the velocity is not made orthogonal: put newton_schulz around it": simulate(
            rule(ortho=False)
        ),
        "the factor √max(1, rows / cols) is missing": simulate(rule(scale=False)),
        "the factor is that of cols / rows; it is √max(1, rows / cols)": simulate(
            rule(turned=True)
        ),
        "momentum is not used": simulate(rule(momentum=0.0)),
        "weight decay is not used": simulate(rule(decay=0.0)),
        "weight decay is coupled: it went into the gradient": simulate(rule(coupled=True)),
        UPHILL: simulate(rule(sign=-1.0)),
    }


@checks("Muon")
def test_muon(Muon):
    for settings in grids(lr=[0.4], momentum=[0.0, 0.9], weight_decay=[0.0, 0.3]):
        compare_muon(Muon, settings, [(3, 3), (5, 2), (2, 4)])


def compare_muon(Muon, settings, shapes, n_steps=6):
    def right(params, lr, momentum, weight_decay):
        def rule(p, g, state, t):
            state.a = momentum * state.a + g
            factor = max(1.0, p.shape[0] / p.shape[1]) ** 0.5
            return lr * (factor * orthogonalised(state.a) + weight_decay * p)

        return Simulated(params, rule)

    params, theirs = parameters(shapes), parameters(shapes)
    expected = walked(right(theirs, **settings), theirs, n_steps)
    with explained("Muon"):
        got = walked(Muon(params, **settings), params, n_steps)
    if torch.allclose(got, expected, atol=0.02, rtol=0.02):
        return
    sentence = "the parameters are not where they should be"
    for known, make in muon_mistakes(settings).items():
        others = parameters(shapes)
        other = walked(make(others), others, n_steps)
        if torch.allclose(got, other, atol=0.01, rtol=0.01) and not torch.allclose(
            other, expected, atol=0.02, rtol=0.02
        ):
            sentence = known
            break
    fail(
        f"Muon: {sentence}",
        made_as=f"Muon(params, {settings_text(settings)})",
        shapes=", ".join(map(str, shapes)),
        parameters=got[-1],
        expected=expected[-1],
    )


@checks("Muon")
def test_muon_takes_matrices_alone(Muon):
    raises(ValueError, Muon, parameters([(3, 2), (3,)]), because="a parameter has one axis")
    params = parameters([(3, 2), (2, 2)])
    optimizer = Muon((p for p in params), lr=0.1)
    for _ in range(2):
        set_gradients(params)
        params[1].grad = None
        before = [p.detach().clone() for p in params]
        optimizer.step()
        require(
            not torch.equal(params[0], before[0]),
            "Muon: parameters given as a generator are gone after the first use; keep list(params)",
        )
        require(torch.equal(params[1], before[1]), "Muon: a matrix without a gradient moved")
    expect_no_graph(optimizer, params, "Muon")
    optimizer.zero_grad()
    require(
        all(p.grad is None or not p.grad.any() for p in params),
        "Muon: zero_grad leaves gradients as they are; set each p.grad to None or zeros",
    )


@checks("fit_power_law")
def test_fit_power_law(fit_power_law):
    sizes = torch.tensor([10.0, 100.0, 1000.0, 4000.0], dtype=torch.float64)
    for a, b in ((5.0, 0.5), (0.3, 0.07)):
        got = fit_power_law(sizes, a * sizes**-b)
        expect(
            tuple(float(x) for x in got),
            (a, b),
            of=f"fit_power_law(sizes, {a} · sizes^-{b})",
            mistakes={
                "the sign of b: a falling line has a positive b": (a, -b),
                "a is still a logarithm: take exp of it": (math.log(a), b),
                "a and b are swapped": (b, a),
                "log10 for the fit, but exp for a": (math.exp(math.log10(a)), b),
            },
        )
    # Least squares: worked out for three points that lie on no line.
    x = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    got = fit_power_law(x.exp(), torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64).exp())
    expect(
        tuple(float(v) for v in got),
        (math.exp(-1 / 3), 0.0),
        of="fit_power_law for points that lie on no line",
        mistakes={"drawn through the first and last point; fit all by least squares": (1.0, 0.0)},
        atol=1e-6,
    )
