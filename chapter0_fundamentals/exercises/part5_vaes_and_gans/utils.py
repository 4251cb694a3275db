"""Given: digits as tensors, runs that can be stopped and resumed, pictures, and plots."""

import base64
import contextlib
import csv
import dataclasses
import functools
import io
import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from part2_cnns.utils import MNIST_STATISTICS, Pictures, pick_device

from arena_lab.fetch import held, kept
from arena_lab.paths import STATE, short

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from torch import Tensor, nn

    from arena_lab.data import Digits, PicturesWithoutLabels

RUNS = STATE / "trainings"  # a folder for each project, and in it one for each run

_SAVED_EVERY_S = 10.0
_DRAWN_EVERY_S = 1.0
_CHECKPOINT = "checkpoint.pt"
# What two runs may differ in, and be the same run all the same.
_NOT_SETTINGS = {"resume", "epochs", "use_wandb", "wandb_name", "log_every_n_steps"}


# --- data -------------------------------------------------------------------------------------


@kept
def load_digits(train: bool = True) -> Pictures:
    """Give handwritten digits, normalised, (1, 28, 28) each; `digits[i]` is picture and label.

    MNIST where it can be had, else 4,000 real digits of it to train on and 1,000 others.
    """
    import torch

    data = _digits()
    images, labels = (
        (data.train_images, data.train_labels) if train else (data.test_images, data.test_labels)
    )
    pixels = torch.from_numpy(np.ascontiguousarray(images[:, None]))
    names = [str(digit) for digit in range(10)]
    return Pictures(pixels, torch.from_numpy(labels), MNIST_STATISTICS, names)


@kept
def _digits() -> "Digits":
    from arena_lab.data import digits

    return digits()


@kept
def holdout_digits() -> "Tensor":
    """Give the first picture of each digit among those that nothing is trained on."""
    import torch

    testset = load_digits(train=False)
    return torch.stack([testset.images[testset.labels == digit][0] for digit in range(10)])


def load_dataset(dataset: str, train: bool = True) -> Pictures:
    """Give what an autoencoder of this section is trained on, or tested with.

    "MNIST": handwritten digits. "CELEB": photographs of faces or what stands in for them, as
    `load_pictures` says, normalised like digits: mean 0 and deviation 1 over pixels and colours.

    Raises:
        ValueError: There is no such set.
    """
    if dataset == "MNIST":
        return load_digits(train=train)
    some = load_pictures(dataset).pixels[:10_000] / 255
    statistics = ((some.mean().item(),) * 3, (some.std().item(),) * 3)
    return dataclasses.replace(load_pictures(dataset, train), statistics=statistics)


def holdout_pictures(dataset: str) -> "Tensor":
    """Give ten pictures that nothing is trained on: of digits one of each."""
    if dataset == "MNIST":
        return holdout_digits()
    return load_dataset(dataset, train=False)[:10].images


def grey_levels(
    images: "Tensor", statistics: tuple[tuple[float, ...], tuple[float, ...]] = MNIST_STATISTICS
) -> "Tensor":
    """Give normalised pictures as numbers from 0, black, to 1, white or full colour.

    Args:
        images: (n, channels, height, width).
        statistics: Mean and deviation of each channel that they were normalised with.
    """
    mean, std = (images.new_tensor(values)[:, None, None] for values in statistics)
    return (images * std + mean).clamp(0, 1)


def fit_to_pictures(model: "nn.Module", pictures: Pictures) -> "nn.Module":
    """Give an autoencoder of digits other layers, if it is to be trained on other pictures.

    They are of the same kinds in the same order, but begin with as many channels as the pictures
    have, and halve them down to 4 × 4: one convolution for each halving, with twice the channels of
    the one before. The code between encoder and decoder, and how a VAE draws, stay as they were.
    The same model is given back.
    """
    import torch

    channels, side = pictures.pixels.shape[1:3]
    if (channels, side) == (1, 28):
        return model
    # A VAE's gives two numbers for each of the code's, one upon the other.
    n_each = 2 if model.encoder(torch.zeros(1, 1, 28, 28)).ndim == 3 else 1
    sizes = (channels, side, model.hidden_dim_size, model.latent_dim_size)
    model.encoder = _encoder(*sizes, n_each)
    model.decoder = _decoder(*sizes)
    return model


def _channels(n_channels: int, side: int) -> list[int]:
    """Give the channels of a picture and after each halving down to 4 × 4: (3, 32), 3 32 64 128."""
    return [n_channels, *(32 * 2**i for i in range((side // 4).bit_length() - 1))]


def _encoder(n_channels: int, side: int, hidden: int, latent: int, n_each: int) -> "nn.Module":
    from einops.layers.torch import Rearrange
    from torch import nn

    channels = _channels(n_channels, side)
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(channels):
        layers += [nn.Conv2d(n_in, n_out, 4, stride=2, padding=1, bias=False), nn.ReLU()]
    layers += [nn.Flatten(), nn.Linear(16 * channels[-1], hidden), nn.ReLU()]
    layers += [nn.Linear(hidden, n_each * latent)]
    if n_each == 2:
        layers += [Rearrange("batch (two latent) -> two batch latent", two=2)]
    return nn.Sequential(*layers)


def _decoder(n_channels: int, side: int, hidden: int, latent: int) -> "nn.Module":
    from torch import nn

    channels = _channels(n_channels, side)[::-1]
    layers: list[nn.Module] = [nn.Linear(latent, hidden), nn.ReLU()]
    layers += [nn.Linear(hidden, 16 * channels[0]), nn.Unflatten(1, (channels[0], 4, 4))]
    for n_in, n_out in itertools.pairwise(channels):
        conv = nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1, bias=False)
        layers += [nn.ReLU(), conv]
    return nn.Sequential(*layers)


_FOR_COLOURS = {"latent_dim_size": 32, "hidden_dim_size": 256, "beta_kl": 0.02}


def fit_sizes(args: Any, n_pictures: int, n_expected: int = 60_000) -> Any:
    """Give settings with sizes that fit the pictures; a line says what was chosen.

    With fewer pictures than expected batches get smaller and epochs more, or a network would take
    too few steps to learn anything; who has set one of the two to another value than its default
    gets what was set. Colour pictures get a longer code, and each of its settings stays if it was
    set.

    Args:
        args: A dataclass with `batch_size` and `epochs`.
        n_pictures: How many there are to train on.
        n_expected: For how many the defaults were chosen.
    """
    untouched = {f.name for f in dataclasses.fields(args) if getattr(args, f.name) == f.default}
    of_digits = getattr(args, "dataset", "MNIST") == "MNIST"
    chosen = {} if of_digits else {n: v for n, v in _FOR_COLOURS.items() if n in untouched}
    if n_pictures < n_expected and {"batch_size", "epochs"} <= untouched:
        batch_size, times = (128, 2) if of_digits else (64, 4)
        chosen["batch_size"] = min(args.batch_size, batch_size)
        chosen["epochs"] = times * args.epochs
    if not chosen:
        return args
    why = f"{n_pictures:,} pictures" + ("" if of_digits else " in colour")
    texts = [f"{name}={value} instead of {getattr(args, name)}" for name, value in chosen.items()]
    print(f"There are {why}, not {n_expected:,} digits: {', '.join(texts)}.")
    return dataclasses.replace(args, **chosen)


# --- runs -------------------------------------------------------------------------------------


class Run:
    """One training that is kept in a folder: its settings, losses, pictures, and a checkpoint.

    A trainer makes it first, for it sets the seed; then hands over what changes in training, and
    takes its loader:

        self.run = Run(args)
        self.model = ...
        self.optimizer = ...
        self.run.keep(model=self.model, optimizer=self.optimizer)
        self.trainloader = self.run.batches(trainset, args.batch_size)
        self.step = self.run.step

    and trains with an ordinary loop over epochs and batches under `with self.run:`. Ctrl-C, or the
    stop button of a notebook, ends it after the step that is being taken. With `args.resume` the
    last run of the same settings goes on: epochs that are done give no batches, and the one that
    was broken off gives those that are missing, so that it ends with the same weights as a run
    that was never stopped.

    Args:
        args: A dataclass with `epochs`, and, where the defaults do not do, `seed`, `resume`,
            `use_wandb`, `wandb_project` and `wandb_name`.
    """

    def __init__(self, args: Any) -> None:
        import torch

        self.args = args
        self.seed: int = getattr(args, "seed", 0)
        self.step = 0  # batches done
        self.now = 0  # the one that is being done, or the last
        self.history: dict[str, list[tuple[int, float]]] = {}
        self._kept: dict[str, Any] = {}
        self._state: dict[str, Any] = {}
        self._started = self._stop = False
        self._saved = time.monotonic()
        self._total = 0
        self._bar: Any = None
        self._tracker: Any = None
        self._live = Live()
        self._inside = contextlib.ExitStack()
        self.folder = self._find_folder()
        torch.manual_seed(self.seed)

    @property
    def _settings(self) -> dict[str, Any]:
        settings = {"kind": type(self.args).__name__, **dataclasses.asdict(self.args)}
        return json.loads(json.dumps(settings, default=str))

    @property
    def project(self) -> Path:
        """The folder of all runs of the project."""
        return RUNS / getattr(self.args, "wandb_project", "runs")

    def _find_folder(self) -> Path:
        if getattr(self.args, "resume", False):
            for folder in sorted(self.project.glob("*/"), key=_age):
                if self._is_the_same(folder):
                    return folder
            print(f"No run of these settings in {short(self.project)}; a new one begins.")
        name = getattr(self.args, "wandb_name", None) or time.strftime("%Y-%m-%d_%H-%M-%S")
        folder, n = self.project / name, 1
        while folder.exists():
            n += 1
            folder = self.project / f"{name}_{n}"
        return folder

    def _is_the_same(self, folder: Path) -> bool:
        try:
            settings = json.loads((folder / "args.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        mine = self._settings
        same = {name for name in mine if settings.get(name) == mine[name]}
        return (folder / _CHECKPOINT).exists() and set(mine) - _NOT_SETTINGS <= same

    def keep(self, **parts: Any) -> None:
        """Say what a checkpoint holds: modules and optimizers, each under a name.

        Where the run is resumed they get the state of the checkpoint.
        """
        import torch

        self._kept = parts
        path = self.folder / _CHECKPOINT
        if not (getattr(self.args, "resume", False) and path.exists()):
            return
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # what pickle and zip raise for damaged bytes
            raise ValueError(
                f"{short(path)} is damaged; remove its folder, and the run before it is resumed"
            ) from error
        for name, part in parts.items():
            part.load_state_dict(state["parts"][name])
        self._state = state
        self.step = self.now = state["step"]
        self.history = {name: [(s, v) for s, v in row] for name, row in state["history"].items()}
        print(f"The run in {short(self.folder)} goes on after step {self.step:,}.")

    def batches(self, pictures: Any, batch_size: int, *, shuffle: bool = True) -> "KeptBatches":
        """Give a loader; it counts steps, and keeps the run.

        Args:
            pictures: `pictures[indices]` with a tensor of numbers gives (images, labels).
            batch_size: The last batch of an epoch may be smaller.
            shuffle: In a new order each epoch, which depends on the seed and the epoch alone.
        """
        return KeptBatches(self, pictures, batch_size, shuffle)

    def log(self, **values: Any) -> None:
        """Note numbers of this step, such as losses: stored, drawn, and sent to the tracker."""
        step = self.now
        numbers = {n: float(v.detach() if hasattr(v, "detach") else v) for n, v in values.items()}
        for name, number in numbers.items():
            self.history.setdefault(name, []).append((step, number))
        if self._bar is not None:
            self._bar.set_postfix({n: f"{v:.4g}" for n, v in numbers.items()}, refresh=False)
        if self._tracker is not None:
            self._tracker.log(numbers, step=step)
        self._live.figure("losses", lambda: plot_history(self.history), at_most_every=True)

    def pictures(self, name: str, images: "Tensor", n_cols: int = 10) -> None:
        """Store pictures of this step side by side as a PNG, and show them where there is a place.

        Args:
            name: What they are: the newest of a name replaces the one before on the screen.
            images: (n, channels, height, width), numbers from 0 to 1.
            n_cols: Pictures in a row.
        """
        png = as_png(sheet(images, n_cols))
        path = self.folder / "pictures" / f"{name}_{self.now:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)
        self._live.picture(name, png)
        if self._tracker is not None:
            from arena_lab import tracking

            self._tracker.log({name: tracking.Image(sheet(images, n_cols))}, step=self.now)

    def figure(self, name: str, figure: "go.Figure") -> None:
        """Store a figure as a page that needs no network, and show it where there is a place."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_page(figure, self.folder / f"{name}.html")
        self._live.figure(name, lambda: figure)

    def save(self) -> None:
        """Write the checkpoint and the losses; a crash meanwhile leaves those of before."""
        import torch

        self.folder.mkdir(parents=True, exist_ok=True)
        state = {
            "parts": {name: part.state_dict() for name, part in self._kept.items()},
            "step": self.step,
            "history": self.history,
            "random": _random_state(),
        }
        half = self.folder / f"{_CHECKPOINT}.part"
        torch.save(state, half)
        settings = json.dumps(self._settings, indent=1)
        (self.folder / "args.json").write_text(settings, encoding="utf-8")
        with open(self.folder / "losses.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "name", "value"])
            for name, row in self.history.items():
                writer.writerows([step, name, value] for step, value in row)
        os.replace(half, self.folder / _CHECKPOINT)
        self._saved = time.monotonic()

    def __enter__(self) -> Self:
        self._stop = False
        self._on_interrupt = None
        if threading.current_thread() is threading.main_thread():
            self._on_interrupt = signal.signal(signal.SIGINT, self._ask_to_stop)
        if getattr(self.args, "use_wandb", False):
            from arena_lab import tracking

            # On W&B where there is a key, else in the local store.
            self._tracker = tracking.init(
                project=self.project.name, name=self.folder.name, config=self._settings
            )
        self._inside.enter_context(held())  # no set changes, and no host is asked, meanwhile
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._inside.close()
        if self._on_interrupt is not None:
            signal.signal(signal.SIGINT, self._on_interrupt)
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._tracker is not None:
            self._tracker.finish()
            self._tracker = None
        if kind is None and self.step:
            self.save()
            self.figure("losses", plot_history(self.history))
            print(f"Losses, pictures and weights are in {short(self.folder)}")
        elif kind is KeyboardInterrupt and (self.folder / _CHECKPOINT).exists():
            again = f"{type(self.args).__name__}(…, resume=True)"
            print(f"Stopped; {again} goes on from the checkpoint in {short(self.folder)}")

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self._stop:  # asked twice: at once
            raise KeyboardInterrupt
        self._stop = True

    def begin(self, n_batches: int) -> None:
        """Set the random state of the first step; called by the loader."""
        import torch
        from tqdm.auto import tqdm

        if not self._started:
            self._started = True
            torch.manual_seed(self.seed)
            if "random" in self._state:
                _set_random_state(self._state["random"])
        self._total = max(getattr(self.args, "epochs", 1) * n_batches, self.step)
        if self._bar is None:
            self._bar = tqdm(total=self._total, initial=self.step, desc="training", unit="step")

    def after_step(self) -> None:
        """Count a step, and save now and then; called by the loader."""
        self.step = self.now
        if self._bar is not None:
            self._bar.update()
        if self._stop or time.monotonic() - self._saved > _SAVED_EVERY_S:
            self.save()
        if self._stop:
            raise KeyboardInterrupt


class KeptBatches:
    """A loader whose run knows how far it is: a loop over it is one epoch, or the rest of one."""

    def __init__(self, run: Run, pictures: Any, batch_size: int, shuffle: bool) -> None:
        self.run, self.pictures = run, pictures
        self.batch_size, self.shuffle = batch_size, shuffle
        self.epoch = 0  # the next one

    def __len__(self) -> int:
        """Give the number of batches of a whole epoch."""
        return -(-len(self.pictures) // self.batch_size)

    def __iter__(self) -> Iterator[tuple["Tensor", "Tensor"]]:
        """Yield the batches of the next epoch that the run has not done yet."""
        n_done = min(max(self.run.step - self.epoch * len(self), 0), len(self))
        order = self._order(self.epoch)
        self.epoch += 1
        if n_done == len(self):
            return
        self.run.begin(len(self))
        device = pick_device()
        for chosen in order.split(self.batch_size)[n_done:]:
            images, labels = self.pictures[chosen]
            self.run.now = self.run.step + 1
            yield images.to(device), labels.to(device)
            self.run.after_step()

    def _order(self, epoch: int) -> "Tensor":
        import torch

        n = len(self.pictures)
        if not self.shuffle:
            return torch.arange(n)
        generator = torch.Generator().manual_seed(1_000_003 * self.run.seed + epoch)
        return torch.randperm(n, generator=generator)


def _age(folder: Path) -> float:
    return -folder.stat().st_mtime


def _random_state() -> dict[str, Any]:
    import torch

    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _set_random_state(state: Mapping[str, Any]) -> None:
    import torch

    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


class Live:
    """Pictures and figures in a notebook, each drawn anew in its place; elsewhere nothing."""

    def __init__(self) -> None:
        self._handles: dict[str, Any] = {}
        self._drawn: dict[str, float] = {}

    def picture(self, name: str, png: bytes) -> None:
        """Show a picture under a name."""
        if in_notebook():
            self._show(name, {"image/png": base64.b64encode(png).decode()})

    def figure(self, name: str, draw: Any, *, at_most_every: bool = False) -> None:
        """Show the figure that `draw()` gives; `at_most_every` second, where that is asked."""
        now = time.monotonic()
        waits = at_most_every and now - self._drawn.get(name, -1e9) < _DRAWN_EVERY_S
        if waits or not in_notebook():
            return
        self._drawn[name] = now
        # Not the figure itself: it would display itself anew instead of being updated.
        self._show(name, {"application/vnd.plotly.v1+json": json.loads(draw().to_json())})

    def _show(self, name: str, bundle: dict[str, Any]) -> None:
        from IPython.display import display

        if name in self._handles:
            self._handles[name].update(bundle, raw=True)
        else:
            self._handles[name] = display(bundle, raw=True, display_id=True)


def in_notebook() -> bool:
    """Tell whether there is a notebook to draw in."""
    import sys

    shell = sys.modules.get("IPython")
    shell = shell and shell.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


@contextlib.contextmanager
def looking_at(model: "nn.Module") -> Iterator[None]:
    """Use a model without training it: no gradients, and no trace left in the random numbers."""
    import torch

    was_training = model.training
    with torch.random.fork_rng(), torch.inference_mode():
        model.eval()
        try:
            yield
        finally:
            model.train(was_training)


def prepare(model: "nn.Module", *, own_layers: bool = False) -> "nn.Module":
    """Bring a model to the device that trains it; by choice with the learner's own layers.

    torch's may be faster where the channels of a pixel lie side by side in memory; what that makes,
    and what own layers cost, `compare_layers` and `compare_layers_of_vae` measure.
    """
    import torch

    if own_layers:
        return with_own_layers(model).to(pick_device())
    return model.to(pick_device(), memory_format=torch.channels_last)


# --- the learner's own layers -----------------------------------------------------------------


def with_own_layers(model: "nn.Module") -> "nn.Module":
    """Replace torch's layers inside a model by those that the learner wrote, weights and all.

    Those of 0.2 and of this section; a layer that is not written yet, or not right, is taken from
    our solutions, and a line says so. The same model is given back.

    Raises:
        ValueError: A convolution has a bias; those of the course have none.
    """
    for name in dict.fromkeys(_replace_layers(model)):
        print(f"Your own {name} is not written, or does not do what torch's does: ours is used.")
    return model


def _replace_layers(model: "nn.Module") -> list[str]:
    """Replace the layers inside a model, and name each that is ours."""
    from torch import nn

    makers: dict[type, Any] = {
        nn.Conv2d: ("part2_cnns", _convolution),
        nn.ConvTranspose2d: ("part5_vaes_and_gans", _convolution),
        nn.Linear: ("part2_cnns", _linear),
        nn.BatchNorm2d: ("part2_cnns", _batch_norm),
        nn.ReLU: ("part2_cnns", lambda layer: ((), {}, (2, 3))),
    }
    ours: list[str] = []
    for name, child in list(model.named_children()):
        if type(child) in makers:
            package, describe = makers[type(child)]
            layer, is_ours = _own_layer(package, child, *describe(child))
            setattr(model, name, layer)
            ours += [type(child).__name__] * is_ours
        else:
            ours += _replace_layers(child)
    return ours


# What each kind of layer is made with, and the shape of a small input.


def _convolution(layer: Any) -> tuple[tuple, dict, tuple]:
    if layer.bias is not None:
        raise ValueError(f"your own convolutions have no bias: make {layer} with bias=False")
    sizes = (layer.in_channels, layer.out_channels, layer.kernel_size[0])
    side = layer.kernel_size[0] + 2
    settings = {"stride": layer.stride[0], "padding": layer.padding[0]}
    return sizes, settings, (1, layer.in_channels, side, side)


def _linear(layer: Any) -> tuple[tuple, dict, tuple]:
    sizes = (layer.in_features, layer.out_features)
    return sizes, {"bias": layer.bias is not None}, (2, layer.in_features)


def _batch_norm(layer: Any) -> tuple[tuple, dict, tuple]:
    settings = {"eps": layer.eps, "momentum": layer.momentum}
    return (layer.num_features,), settings, (2, layer.num_features, 2, 2)


def _own_layer(
    package: str, like: "nn.Module", args: tuple, settings: dict, shape: tuple
) -> tuple["nn.Module", bool]:
    """Give a layer like torch's, and whether it is ours."""
    import importlib

    from arena_lab.catalogue import sections

    (path,) = (section.answers for section in sections() if section.package == package)
    mine = _made(_answers(package, path, path.stat().st_mtime_ns), like, args, settings, shape)
    if mine is not None:
        return mine, False
    solutions = importlib.import_module(f"{package}.solutions")
    ours = _made(solutions, like, args, settings, shape)
    if ours is None:
        raise ValueError(f"there is no layer of the course like {like}")
    return ours, True


def _made(source: Any, like: "nn.Module", args: tuple, settings: dict, shape: tuple) -> Any:
    """Give the layer that a module of the course makes, or None if it is not like torch's."""
    import copy

    import torch

    x = torch.linspace(-1, 1, int(np.prod(shape))).reshape(shape)
    try:
        layer = getattr(source, type(like).__name__)(*args, **settings)
        layer.load_state_dict(like.state_dict())
        layer.train(like.training)  # batch norm computes something else in evaluation
        # Copies: batch norm moves its running statistics.
        mine, torchs = copy.deepcopy(layer)(x), copy.deepcopy(like)(x)
    except Exception:  # what a learner has written may raise anything
        return None
    return layer if torch.allclose(mine, torchs, 1e-3, 1e-4) else None


@functools.lru_cache(maxsize=2)
def _answers(package: str, path: Path, saved: int) -> Any:
    """Give what a learner has saved for a section; cells that do not run are left out."""
    from arena_lab.answers import load

    return load(path, f"{package}.own_answers").module


# --- pictures and plots -----------------------------------------------------------------------


def sheet(images: "Tensor", n_cols: int = 10, gap: int = 2) -> np.ndarray:
    """Lay pictures side by side on one sheet.

    Args:
        images: (n, channels, height, width), numbers from 0 to 1; one channel or three.
        n_cols: Pictures in a row.
        gap: Pixels between them.

    Returns:
        uint8, (height, width, 3) of the sheet.
    """
    pixels = (images.detach().float().cpu().clamp(0, 1) * 255).round().byte().numpy()
    n, channels, height, width = pixels.shape
    n_rows = -(-n // n_cols)
    paper = np.full((n_rows * (height + gap) + gap, n_cols * (width + gap) + gap, 3), 128, np.uint8)
    for i, picture in enumerate(pixels):
        top, left = gap + i // n_cols * (height + gap), gap + i % n_cols * (width + gap)
        colours = np.repeat(picture, 3, axis=0) if channels == 1 else picture
        paper[top : top + height, left : left + width] = colours.transpose(1, 2, 0)
    return paper


def as_png(pixels: np.ndarray, scale: int = 2) -> bytes:
    """Give a picture, uint8 (height, width, 3), as the bytes of a PNG, enlarged."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels.repeat(scale, axis=0).repeat(scale, axis=1)).save(file, "PNG")
    return file.getvalue()


def write_page(figure: "go.Figure", path: Path) -> None:
    """Write a figure as a page; plotly's code lies once beside all runs, else in the page."""
    from plotly.offline import get_plotlyjs

    if not path.resolve().is_relative_to(RUNS.resolve()):
        figure.write_html(path)
        return
    script = RUNS / "plotly.min.js"
    if not script.exists():
        script.write_text(get_plotlyjs(), encoding="utf-8")
    figure.write_html(path, include_plotlyjs=os.path.relpath(script, path.parent))


def plot_history(history: Mapping[str, Sequence[tuple[int, float]]]) -> "go.Figure":
    """Show the numbers that a run has logged, over its steps."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for name, row in history.items():
        steps, values = zip(*row, strict=True)
        figure.add_trace(go.Scatter(x=steps, y=values, name=name, opacity=0.8))
    figure.update_layout(xaxis_title="step", hovermode="x unified", height=320)
    figure.update_layout(legend={"orientation": "h", "y": 1.15}, margin={"t": 30, "b": 40})
    return figure


def _figure_of_sheet(pixels: np.ndarray, title: str) -> "go.Figure":
    import plotly.graph_objects as go

    png = base64.b64encode(as_png(pixels, 3)).decode()
    figure = go.Figure(go.Image(source=f"data:image/png;base64,{png}", hoverinfo="skip"))
    figure.update_layout(title=title or None, margin={"t": 50 if title else 10, "b": 10, "l": 10})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def plot_values(
    values: Mapping[str, Sequence[float]], x: str, y: str, title: str = ""
) -> "go.Figure":
    """Show rows of numbers, each with a name, as bars side by side."""
    import plotly.graph_objects as go

    figure = go.Figure([go.Bar(y=list(row), name=name) for name, row in values.items()])
    figure.update_layout(xaxis_title=x, yaxis_title=y, title=title or None, height=360)
    figure.update_layout(xaxis={"dtick": 1}, margin={"t": 50})
    return figure


def plot_counts(counts: Sequence[int], x: str, title: str = "") -> "go.Figure":
    """Show how often each count occurs."""
    import plotly.graph_objects as go

    figure = go.Figure(go.Histogram(x=list(counts), xbins={"size": 1}))
    figure.update_layout(xaxis_title=x, yaxis_title="pictures", title=title or None, height=300)
    return figure


def display_data(x: "Tensor", nrows: int, title: str = "") -> None:
    """Show pictures in so many rows; the smallest number is black, the largest white.

    Args:
        x: (n, channels, height, width), one channel or three; any range.
        nrows: Rows of pictures.
        title: Above them.
    """
    low, high = x.min(), x.max()
    images = (x - low) / (high - low).clamp(min=1e-9)
    _figure_of_sheet(sheet(images, -(-len(x) // nrows)), title).show()


def visualise_output(
    output: "Tensor", grid_latent: "Tensor", title: str = "", filename: str | Path | None = None
) -> "go.Figure":
    """Show what a decoder makes of a grid of latent vectors, with the two numbers that vary.

    Args:
        output: (n · n, 1, height, width), in the order of the grid.
        grid_latent: (n · n, latent).
        title: Above the picture.
        filename: Where to write it as a page, too.
    """
    n = round(len(output) ** 0.5)
    spread = grid_latent.max(0).values - grid_latent.min(0).values
    across, down = (int(i) for i in spread.topk(2).indices.sort().values)
    figure = _figure_of_sheet(sheet(grey_levels(output), n), title)
    pitch = 3 * (output.shape[-1] + 2)
    places = [pitch * (i + 0.5) for i in range(n)]
    latents = grid_latent.reshape(n, n, -1).cpu()
    xs, ys = latents[0, :, across].tolist(), latents[:, 0, down].tolist()
    ticks = {"visible": True, "tickvals": places, "showgrid": False}
    figure.update_xaxes(title=f"latent {across}", ticktext=[f"{v:.2g}" for v in xs], **ticks)
    figure.update_yaxes(title=f"latent {down}", ticktext=[f"{v:.2g}" for v in ys], **ticks)
    figure.update_layout(width=620, height=640, margin={"l": 60, "b": 60})
    if filename is not None:
        write_page(figure, Path(filename))
    return figure


def visualise_input(
    latent_vectors: "Tensor",
    labels: "Tensor",
    holdout_latent_vectors: "Tensor | None" = None,
    HOLDOUT_DATA: "Tensor | None" = None,
    filename: str | Path | None = None,
    statistics: tuple[tuple[float, ...], tuple[float, ...]] = MNIST_STATISTICS,
) -> "go.Figure":
    """Show where pictures lie in the first two latent dimensions, coloured by digit.

    Args:
        latent_vectors: (n, latent).
        labels: (n,), digits; all 0 where there are no labels.
        holdout_latent_vectors: (10, latent), where the pictures of HOLDOUT_DATA lie.
        HOLDOUT_DATA: (10, channels, height, width), drawn small at their places.
        filename: Where to write it as a page, too.
        statistics: Mean and deviation of each channel of HOLDOUT_DATA.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for digit in range(10):
        chosen = latent_vectors[labels == digit][:, :2].detach().cpu()
        marker = {"size": 4, "opacity": 0.5, "color": DIGIT_COLOURS[digit]}
        figure.add_trace(
            go.Scattergl(
                x=chosen[:, 0].tolist(),
                y=chosen[:, 1].tolist(),
                mode="markers",
                marker=marker,
                name=str(digit),
            )
        )
    if holdout_latent_vectors is not None and HOLDOUT_DATA is not None:
        points = latent_vectors[:, :2].detach().cpu()
        widths = (points.max(0).values - points.min(0).values) / 12
        for place, image in zip(holdout_latent_vectors[:, :2].tolist(), HOLDOUT_DATA, strict=True):
            png = as_png(sheet(grey_levels(image[None], statistics), 1, gap=0), 1)
            source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
            where = {"xref": "x", "yref": "y", "xanchor": "center", "yanchor": "middle"}
            size = {"sizex": float(widths[0]), "sizey": float(widths[1])}
            figure.add_layout_image(source=source, x=place[0], y=place[1], **where, **size)
    figure.update_layout(width=700, height=600, xaxis_title="latent 0", yaxis_title="latent 1")
    figure.update_layout(legend={"title": "digit", "itemsizing": "constant"}, margin={"t": 30})
    figure.update_layout(showlegend=bool(labels.any()))
    if filename is not None:
        write_page(figure, Path(filename))
    return figure


DIGIT_COLOURS = [  # Paul Tol's, which stay apart for most eyes
    *("#332288", "#88ccee", "#44aa99", "#117733", "#999933"),
    *("#ddcc77", "#cc6677", "#882255", "#aa4499", "#777777"),
]


# --- GANs -------------------------------------------------------------------------------------

_HALVES = ((0.5,), (0.5,))  # brings pixels from 0 to 1 to numbers from −1 to 1, as Tanh gives
_STEPS_ON_A_CPU = 2_000


def load_pictures(dataset: str, train: bool = True) -> Pictures:
    """Give "MNIST", handwritten digits, or "CELEB", small colour photographs without labels.

    Faces where there is a GPU and they can be fetched, else galaxies; a line says what stands in.

    Raises:
        ValueError: There is no such set.
    """
    if dataset == "MNIST":
        return load_digits(train)
    if dataset != "CELEB":
        raise ValueError(f"dataset must be 'MNIST' or 'CELEB', not {dataset!r}")
    return _photographs()[0 if train else 1]


@kept
def _photographs() -> tuple[Pictures, Pictures]:
    """Give those to train on and those to test with, loaded once, so that the line comes once."""
    import torch

    data = _faces()
    found = []
    for images in (data.train_images, data.test_images):
        pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        labels = torch.zeros(len(pixels), dtype=torch.int64)
        found.append(Pictures(pixels, labels, (_HALVES[0] * 3, _HALVES[1] * 3), [data.source]))
    return found[0], found[1]


def _faces() -> "PicturesWithoutLabels":
    from arena_lab.data import faces

    if has_no_gpu := pick_device().type == "cpu":
        print("No GPU here to train on faces in time: photographs of galaxies stand in for CelebA.")
    return faces(subset=has_no_gpu)


def pictures_to_draw(pictures: Pictures, n_halvings: int) -> Pictures:
    """Give pictures with numbers from −1 to 1, of a size that can be halved so many times."""
    unit = 2**n_halvings
    size = -(-pictures.pixels.shape[-1] // unit) * unit
    n_channels = pictures.pixels.shape[1]
    statistics = (_HALVES[0] * n_channels, _HALVES[1] * n_channels)
    return dataclasses.replace(pictures, statistics=statistics, size=size)


def smallest_size(img_size: int, n_halvings: int) -> int:
    """Give the size of a picture that was halved so many times.

    Raises:
        ValueError: It cannot be halved so many times, or none was asked for.
    """
    if n_halvings < 1:
        raise ValueError("hidden_channels is empty: it needs one number for each halving")
    if img_size % 2**n_halvings:
        raise ValueError(
            f"a picture of {img_size} × {img_size} can't be halved {n_halvings} times, once for "
            f"each of hidden_channels: take a multiple of {2**n_halvings}, or fewer channels"
        )
    return img_size // 2**n_halvings


def fit_gan_sizes(args: Any, n_pictures: int) -> Any:
    """Give settings with which a GAN learns in minutes without a GPU; a line says what was chosen.

    Of channels, epochs and learning rate those are kept that somebody has set to other values than
    the defaults.

    Args:
        args: DCGANArgs.
        n_pictures: How many there are to train on.
    """
    defaults = type(args)()
    of_digits = args.dataset == "MNIST"
    sizes = {
        "hidden_channels": [16, 32] if of_digits else [32, 64, 128],
        "epochs": -(-_STEPS_ON_A_CPU // -(-n_pictures // args.batch_size)),
        "lr": 1e-3 if of_digits else 5e-4,
    }
    chosen = {n: v for n, v in sizes.items() if getattr(args, n) == getattr(defaults, n)}
    if not chosen or pick_device().type != "cpu":
        return args
    texts = [f"{name}={value} instead of {getattr(args, name)}" for name, value in chosen.items()]
    print(f"No GPU here: {', '.join(texts)}, so that it takes minutes.")
    return dataclasses.replace(args, **chosen)


# Right parts of a short training; each may be replaced by one that is to be tried.


def _optimizers(model: Any, lr: float, betas: tuple[float, float]) -> tuple[Any, Any]:
    import torch

    nets = (model.netG, model.netD)
    optG, optD = (torch.optim.Adam(net.parameters(), lr=lr, betas=betas) for net in nets)
    return optG, optD


def _step_of_generator(model: Any, optG: Any, img_fake: "Tensor") -> "Tensor":
    probs = model.netD(img_fake)
    return _descend(_cross_entropy(probs, 1.0), optG, model.netG)


def _step_of_discriminator(
    model: Any, optD: Any, img_real: "Tensor", img_fake: "Tensor"
) -> "Tensor":
    loss = _cross_entropy(model.netD(img_real), 1.0)
    loss = loss + _cross_entropy(model.netD(img_fake.detach()), 0.0)
    return _descend(loss, optD, model.netD)


def _cross_entropy(probs: "Tensor", target: float) -> "Tensor":
    import torch
    import torch.nn.functional as F

    return F.binary_cross_entropy(probs, torch.full_like(probs, target))


def _descend(loss: "Tensor", optimizer: Any, net: "nn.Module") -> "Tensor":
    from torch.nn.utils import clip_grad_norm_

    optimizer.zero_grad()
    loss.backward()
    clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    return loss.detach()


@dataclasses.dataclass
class ShortTraining:
    """What came of a short training: after each step, and forty pictures at its end."""

    loss_D: list[float]
    loss_G: list[float]
    said_of_real: list[float]  # mean of D over the real pictures, from 0 to 1
    said_of_fake: list[float]
    samples: "Tensor"  # (40, 1, 28, 28), from −1 to 1
    model: Any


def short_gan_training(
    make_model: Any,
    *,
    n_steps: int = 400,
    optimizers: Any = _optimizers,
    step_of_generator: Any = _step_of_generator,
    step_of_discriminator: Any = _step_of_discriminator,
    show: bool = True,
) -> ShortTraining:
    """Train a small GAN on digits, with one of its parts replaced, and show what came of it.

    Args:
        make_model: The class DCGAN.
        n_steps: A minute or less without a GPU.
        optimizers: Gives those of generator and discriminator, from model, lr and betas.
        step_of_generator: Takes model, optimizer and fakes; gives the loss.
        step_of_discriminator: Takes model, optimizer, real pictures and fakes; gives the loss.
        show: Draw the figure.
    """
    import torch
    from tqdm.auto import tqdm

    torch.manual_seed(0)
    device, digits = pick_device(), pictures_to_draw(load_digits(), 2)
    model = make_model(100, 28, 1, [16, 32])
    _start_as_dcgan(model)
    model.to(device)
    optG, optD = optimizers(model, 1e-3, (0.5, 0.999))
    found = ShortTraining([], [], [], [], torch.empty(0), model)
    for _ in tqdm(range(n_steps), desc="short training"):
        img_real = digits[torch.randint(len(digits), (64,))][0].to(device)
        img_fake = model.netG(torch.randn(64, 100, device=device))
        with torch.no_grad():
            found.said_of_real.append(model.netD(img_real).mean().item())
            found.said_of_fake.append(model.netD(img_fake).mean().item())
        found.loss_D.append(float(step_of_discriminator(model, optD, img_real, img_fake)))
        found.loss_G.append(float(step_of_generator(model, optG, img_fake)))
    latents = torch.randn(40, 100, generator=torch.Generator().manual_seed(0))
    with looking_at(model):
        found.samples = model.netG(latents.to(device)).cpu()
    if show:
        show_short_training(found)
    return found


def _start_as_dcgan(model: "nn.Module") -> None:
    from torch import nn

    for value in model.modules():
        if isinstance(value, nn.BatchNorm2d):
            nn.init.normal_(value.weight, 1.0, 0.02)
        elif isinstance(value, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(value.weight, 0.0, 0.02)


def show_short_training(found: ShortTraining) -> None:
    """Show losses, verdicts of the discriminator, and pictures."""
    import plotly.graph_objects as go

    figure = go.Figure()
    rows = {"loss of D": found.loss_D, "loss of G": found.loss_G}
    rows |= {"D of real pictures": found.said_of_real, "D of fakes": found.said_of_fake}
    for name, values in rows.items():
        figure.add_trace(go.Scatter(y=values, name=name, opacity=0.8))
    figure.update_layout(xaxis_title="step", height=320, hovermode="x unified", margin={"t": 30})
    figure.show()
    display_data(found.samples, nrows=4, title="What the generator makes at the end")


def compare_layers(
    make_model: Any,
    n_steps: int = 5,
    batch: int = 32,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Time a step of a small DCGAN: torch's layers, channels last or first, and the learner's own.

    Args:
        make_model: The class DCGAN.
        n_steps: Of which the fastest counts.
        batch: Pictures in a batch, 32 × 32 in three colours.
        clock: Tells seconds; `time.process_time` leaves out what other programs take, and holds for
            one thread without a GPU.

    Returns:
        Milliseconds of one step of discriminator and generator.
    """
    import torch

    img_real = torch.rand(batch, 3, 32, 32, device=pick_device())

    def stepper(model: Any) -> Callable[[], "Tensor"]:
        optG, optD = _optimizers(model, 1e-3, (0.5, 0.999))

        def step() -> "Tensor":
            img_fake = model.netG(torch.randn(batch, 100, device=img_real.device))
            loss = _step_of_discriminator(model, optD, img_real, img_fake)
            return loss + _step_of_generator(model, optG, img_fake)

        return step

    make = functools.partial(make_model, 100, 32, 3, [32, 64, 128])
    return _time_layers("DCGAN", make, stepper, n_steps, clock)


def compare_layers_of_vae(
    make_model: Any,
    n_steps: int = 5,
    batch: int = 128,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Time a step of a VAE as `compare_layers` does that of a DCGAN.

    Args:
        make_model: The class VAE.
        n_steps: Of which the fastest counts.
        batch: Digits in a batch.
        clock: As there.

    Returns:
        Milliseconds of one step.
    """
    import torch

    img = torch.rand(batch, 1, 28, 28, device=pick_device())

    def stepper(model: Any) -> Callable[[], "Tensor"]:
        optimizer = torch.optim.Adam(model.parameters())

        def step() -> "Tensor":
            made, mu, logsigma = model(img)
            kl = ((mu**2 + (2 * logsigma).exp() - 1) / 2 - logsigma).mean()
            loss = (made - img).square().mean() + 0.1 * kl
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step

    make = functools.partial(make_model, 5, 128)
    return _time_layers("VAE", make, stepper, n_steps, clock)


def _time_layers(
    what: str,
    make_model: Callable[[], "nn.Module"],
    stepper: Callable[[Any], Callable[[], "Tensor"]],
    n_steps: int,
    clock: Callable[[], float],
) -> dict[str, float]:
    import torch

    makers = {
        "torch, channels last": lambda model: model.to(memory_format=torch.channels_last),
        "torch, channels first": lambda model: model,
        "your own": with_own_layers,
    }
    found = {}
    for name, change in makers.items():
        step = stepper(change(make_model()).to(pick_device()))
        times = []
        for _ in range(n_steps):
            start = clock()
            step().item()  # waits for a GPU
            times.append(1000 * (clock() - start))
        found[name] = min(times)
        print(f"{what}, {name:>22}: {found[name]:6.1f} ms a step")
    return found
