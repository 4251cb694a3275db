"""Given: plots of surfaces and of what walks down on them, small loaders, several processes."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from part2_cnns.utils import Pictures
    from torch import Tensor, nn

Range = tuple[float, float]

COLOURS = ("#d9711a", "#2563b8", "#0f8a7d", "#b0357a", "#8a6d00")
# Pale, so that paths stand out: low ground is white.
_GROUND_COLOURS = [[0, "#ffffff"], [0.25, "#dfe6ee"], [1, "#8497ad"]]
_N_POINTS = 81  # along each axis of a surface


# --- surfaces and paths -----------------------------------------------------------------------


def plot_fn(
    fn: Callable[..., Any], x_range: Range, y_range: Range, log_scale: bool = False
) -> "go.Figure":
    """Show a surface from the side and from above; see `plot_fn_with_points`."""
    return plot_fn_with_points(fn, {}, x_range, y_range, log_scale=log_scale)


def plot_fn_with_points(
    fn: Callable[..., Any],
    paths: Mapping[str, Any],
    x_range: Range,
    y_range: Range,
    log_scale: bool = False,
) -> "go.Figure":
    """Show a surface from the side and from above, with the paths of optimizers on it.

    Args:
        fn: Height at x and y, tensors or arrays of one shape.
        paths: Points (n, 2) by the name of what walked there.
        x_range: From, to.
        y_range: From, to.
        log_scale: Colour and height by log(1 + height), for surfaces that rise very high.
    """
    from plotly.subplots import make_subplots

    figure = make_subplots(
        1,
        2,
        specs=[[{"type": "scene"}, {"type": "xy"}]],
        column_widths=[0.55, 0.45],
        horizontal_spacing=0.08,
    )
    for trace in surface_traces(fn, x_range, y_range, log_scale):
        figure.add_trace(trace, 1, 1 if trace.type == "surface" else 2)
    for trace in path_traces(fn, paths, x_range, y_range, log_scale):
        figure.add_trace(trace, 1, 1 if trace.type == "scatter3d" else 2)
    figure.update_layout(
        height=440,
        margin={"t": 40, "b": 40, "l": 10, "r": 10},
        legend={"orientation": "h", "y": 1.12},
        scene={
            "aspectmode": "cube",
            "camera": {
                "eye": {"x": 1.3, "y": 1.6, "z": 1.0},
                "center": {"x": 0, "y": 0, "z": -0.2},
            },
            "zaxis": {"title": "log(1 + height)" if log_scale else "height"},
        },
    )
    figure.update_xaxes(title="x", range=x_range)
    figure.update_yaxes(title="y", range=y_range)
    return figure


def surface_traces(
    fn: Callable[..., Any], x_range: Range, y_range: Range, log_scale: bool
) -> list[Any]:
    """Draw a surface in space, and its contours."""
    import plotly.graph_objects as go

    x, y = np.linspace(*x_range, _N_POINTS), np.linspace(*y_range, _N_POINTS)
    z = heights(fn, *np.meshgrid(x, y), log_scale).round(4)
    shown = {"x": x.round(4), "y": y.round(4), "z": z, "colorscale": _GROUND_COLOURS}
    shown |= {"showscale": False, "hoverinfo": "skip"}
    line = {"width": 0.6, "color": "#75869a"}
    return [go.Surface(**shown, opacity=0.85), go.Contour(**shown, ncontours=24, line=line)]


def path_traces(
    fn: Callable[..., Any],
    paths: Mapping[str, Any],
    x_range: Range,
    y_range: Range,
    log_scale: bool,
) -> list[Any]:
    """Draw each path in space and on the contours; what leaves the picture is left out."""
    import plotly.graph_objects as go

    traces: list[Any] = []
    for i, (name, path) in enumerate(paths.items()):
        x, y = np.asarray(path.detach() if hasattr(path, "detach") else path, float).T
        outside = (x < x_range[0]) | (x > x_range[1]) | (y < y_range[0]) | (y > y_range[1])
        x, y = np.where(outside, np.nan, x).round(4), np.where(outside, np.nan, y).round(4)
        z = (heights(fn, x, y, log_scale) + 0.01).round(4)
        style = {"color": COLOURS[i % len(COLOURS)], "width": 3}
        kept = {"name": name, "legendgroup": name, "mode": "lines+markers", "line": style}
        steps = {"text": [f"point {n}" for n in range(len(x))], "hoverinfo": "text+name"}
        traces += [
            go.Scatter3d(x=x, y=y, z=z, marker={"size": 2}, showlegend=False, **kept, **steps),
            go.Scatter(x=x, y=y, marker={"size": 4}, **kept, **steps),
        ]
    return traces


def heights(fn: Callable[..., Any], x: np.ndarray, y: np.ndarray, log_scale: bool) -> np.ndarray:
    """Compute heights at points; a function of tensors gets tensors."""
    import sys

    if "torch" in sys.modules:
        tensors = (sys.modules["torch"].from_numpy(np.ascontiguousarray(a)) for a in (x, y))
        z = np.asarray(fn(*tensors))
    else:
        z = np.asarray(fn(x, y))
    return np.log1p(z - min(0.0, float(np.nanmin(z)))) if log_scale else z


def plot_learning_rates(rates: Mapping[str, Sequence[float]]) -> "go.Figure":
    """Show the learning rate of each epoch, by the name of the scheduler."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for i, (name, values) in enumerate(rates.items()):
        line = {"shape": "hv", "color": COLOURS[i]}
        figure.add_trace(go.Scatter(y=list(values), name=name, line=line))
    figure.update_layout(
        xaxis_title="epoch", yaxis_title="learning rate", legend={"orientation": "h", "y": 1.15}
    )
    return figure


def plot_power_law(sizes: "Tensor", losses: "Tensor", a: float, b: float) -> "go.Figure":
    """Show losses against sizes, both by their logarithms, and the line a · size^(-b)."""
    import plotly.graph_objects as go

    x = sizes.tolist()
    figure = go.Figure(go.Scatter(x=x, y=losses.tolist(), mode="markers", name="trained"))
    line = [a * size**-b for size in x]
    figure.add_trace(go.Scatter(x=x, y=line, name="power law", line={"dash": "dash"}))
    figure.update_xaxes(type="log", title="parameters")
    figure.update_yaxes(type="log", title="test loss")
    return figure


# --- data -------------------------------------------------------------------------------------


def digits_as_rows(n_train: int) -> tuple["Tensor", "Tensor", "Tensor", "Tensor"]:
    """Give digits that come with the lab as rows of 784 numbers: to train on, and to test with."""
    import torch

    from arena_lab.data import digits

    data = digits(subset=True)
    images = [
        torch.from_numpy(part.reshape(-1, 784)).float().div(255).sub(0.1307).div(0.3081)
        for part in (data.train_images[:n_train], data.test_images)
    ]
    labels = [torch.from_numpy(part) for part in (data.train_labels[:n_train], data.test_labels)]
    return images[0], labels[0], images[1], labels[1]


def sample_captions(pictures: Any, predicted: Sequence[int]) -> list[tuple["Tensor", str]]:
    """Give the first pictures, (channels, height, width) from 0 to 255, each with a caption."""
    names = list(pictures.names)
    names += [f"class {i}" for i in range(len(names), max(predicted, default=0) + 1)]
    labels = pictures.labels[: len(predicted)].tolist()
    return [
        (pixels, names[p] if p == label else f"{names[p]}, but is {names[label]}")
        for pixels, p, label in zip(pictures.pixels.cpu(), predicted, labels, strict=False)
    ]


# --- several processes ------------------------------------------------------------------------


def launch(function: Callable[..., Any], world_size: int, *args: Any) -> list[Any]:
    """Call `function(rank, world_size, *args)` in `world_size` processes of this machine.

    They are joined by torch.distributed (gloo, on the processor), and end together. Works the same
    in a notebook and in a script.

    Returns:
        What each rank returned, in their order.
    """
    from arena_lab import ranks

    return ranks.run(function, world_size, *args)


def load_small_pictures() -> tuple["Pictures", "Pictures"]:
    """Give the first pictures of CIFAR-10 at their own size, or what stands in for it."""
    import torch
    from part2_cnns.utils import load_cifar

    n_train, n_test = (50_000, 10_000) if torch.cuda.is_available() else (1_024, 300)
    trainset, testset = (replace(pictures, size=None) for pictures in load_cifar())
    return trainset[:n_train], testset[:n_test]


@dataclass(frozen=True)
class StepTime:
    """How long a step of training takes, and how much of it is left to be waited for."""

    name: str
    step_s: float
    n_messages: int


def compare_with_ddp(
    rank: int,
    world_size: int,
    all_reduce: Callable[..., None],
    make_model: Callable[[int], "nn.Module"],
    n_steps: int = 4,
    batch_size: int = 8,
) -> list[StepTime]:
    """Take the same steps with an all-reduce for each parameter and with torch's DDP; compare.

    Prints on rank 0 the time per step, the fastest of `n_steps`, and how far the weights differ
    at the end.
    """
    import torch
    from torch.nn.parallel import DistributedDataParallel

    from arena_lab.rank import messages

    def average(model: "nn.Module") -> None:
        for param in model.parameters():
            all_reduce(param.grad, rank, world_size, op="mean")

    torch.manual_seed(0)
    mine, theirs, alone = (make_model(10) for _ in range(3))
    for model in (theirs, alone):
        model.load_state_dict(mine.state_dict())
    results = []
    for name, model, after_backward in (
        ("no averaging", alone, lambda model: None),
        (all_reduce.__name__, mine, average),
        ("DistributedDataParallel", DistributedDataParallel(theirs), lambda model: None),
    ):
        before = len(messages())
        step_s = _time_steps(model, after_backward, rank, n_steps, batch_size)
        results.append(StepTime(name, step_s, (len(messages()) - before) // (n_steps + 1)))
    if rank == 0:
        for result in results:
            print(f"{result.name:<24} {1000 * result.step_s:7.0f} ms a step")
        pairs = zip(mine.parameters(), theirs.parameters(), strict=True)
        difference = max((a - b).abs().max().item() for a, b in pairs)
        print(f"the weights of the last two differ by at most {difference:.1e}")
    return results


def _time_steps(
    model: "nn.Module",
    after_backward: Callable[["nn.Module"], None],
    rank: int,
    n_steps: int,
    batch_size: int,
) -> float:
    import torch
    import torch.nn.functional as F

    generator = torch.Generator().manual_seed(rank)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    times = []
    for _ in range(n_steps + 1):  # the first one warms up
        images = torch.randn(batch_size, 3, 32, 32, generator=generator)
        labels = torch.randint(10, (batch_size,), generator=generator)
        start = time.perf_counter()
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        after_backward(model)
        optimizer.step()
        times.append(time.perf_counter() - start)
    return min(times[1:])


# --- the page's interactive figures: numpy alone, for the site holds no torch -------------------


@dataclass(frozen=True)
class Ground:
    """A surface of the page: its height, where to start, what to show."""

    fn: Callable[[np.ndarray, np.ndarray], np.ndarray]
    start: tuple[float, float]
    x_range: Range
    y_range: Range
    log_scale: bool = False
    n_points: int = 100


def _ravine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (1 + 25 * x**2) ** 0.5 - 1 + 0.2 * ((1 + y**2) ** 0.5 - 1)


def _banana(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def _three_wells(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    wells = ((1, 1.0, 1.0, 0.3), (0.7, -1.1, 0.5, 0.35), (0.8, 0.3, -1.0, 0.5))
    z = 0.0 * x
    for depth, x0, y0, sig in wells:
        scaled = ((x - x0) / sig) ** 2 + ((y - y0) / sig) ** 2
        z = z - depth * math.e ** (-scaled / 2) / (2 * math.pi * sig**2)
    return z


GROUNDS = {
    "ravine": Ground(_ravine, (1.5, 4.0), (-2, 2), (-4.5, 4.5)),
    "banana": Ground(_banana, (-1.5, 2.5), (-2, 2), (-1, 3), log_scale=True, n_points=400),
    "three wells": Ground(_three_wells, (0.2, 0.4), (-2, 2), (-2, 2)),
}


def gradient(fn: Callable[..., Any], xy: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """Compute the slope at a point by central differences."""
    steps = np.eye(2) * h
    return np.array([(fn(*(xy + s)) - fn(*(xy - s))) / (2 * h) for s in steps])


def walk(
    ground: Ground, rule: str, n: int = 100, lr: float = 0.01, **settings: float
) -> np.ndarray:
    """Walk down a surface by `sgd`, `rmsprop` or `adam`, and give n points, (n, 2)."""
    xy = np.array(ground.start)
    first, second = np.zeros(2), np.zeros(2)
    points = [xy]
    for t in range(1, n):
        grad = gradient(ground.fn, xy)
        if rule == "sgd":
            first = settings.get("momentum", 0.0) * first + grad
            step = first
        elif rule == "rmsprop":
            second = settings["alpha"] * second + (1 - settings["alpha"]) * grad**2
            step = grad / (second**0.5 + 1e-8)
        else:
            beta1, beta2 = settings["beta1"], settings["beta2"]
            first = beta1 * first + (1 - beta1) * grad
            second = beta2 * second + (1 - beta2) * grad**2
            step = first / (1 - beta1**t) / ((second / (1 - beta2**t)) ** 0.5 + 1e-8)
        xy = xy - lr * step
        points.append(xy)
    return np.stack(points)


RUNNERS: dict[str, dict[str, Any]] = {
    "SGD, no momentum": {"rule": "sgd"},
    "SGD, momentum 0.9": {"rule": "sgd", "momentum": 0.9},
    "RMSprop": {"rule": "rmsprop", "alpha": 0.99},
    "Adam": {"rule": "adam", "beta1": 0.9, "beta2": 0.99},
}
RATES = {
    "ravine": (0.03, 0.03, 0.03, 0.2),
    "banana": (0.001, 0.0006, 0.02, 0.1),
    "three wells": (0.02, 0.02, 0.02, 0.2),
}


def race_paths(name: str) -> dict[str, np.ndarray]:
    """Give a hundred points of the path of each optimizer on a surface of the page."""
    ground = GROUNDS[name]
    return {
        label: walk(ground, n=ground.n_points, lr=lr, **runner)[:: ground.n_points // 100]
        for (label, runner), lr in zip(RUNNERS.items(), RATES[name], strict=True)
    }


def race() -> "go.Figure":
    """Show four optimizers on one of three surfaces, from the side and from above."""
    figures = {}
    for name, g in GROUNDS.items():
        paths = race_paths(name)
        figures[name] = plot_fn_with_points(g.fn, paths, g.x_range, g.y_range, g.log_scale)
    figure = next(iter(figures.values()))
    n_traces = len(figure.data)
    for other in list(figures.values())[1:]:
        for trace in other.data:
            figure.add_trace(trace)
            figure.data[-1].visible = False
    buttons = []
    for i, (name, g) in enumerate(GROUNDS.items()):
        visible = [i * n_traces <= j < (i + 1) * n_traces for j in range(len(figure.data))]
        axes = {"xaxis.range": list(g.x_range), "yaxis.range": list(g.y_range)}
        buttons.append({"label": name, "method": "update", "args": [{"visible": visible}, axes]})
    menu = {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.22, "yanchor": "top"}
    figure.update_layout(updatemenus=[menu], height=480, margin={"t": 90}, scene_zaxis_title="")
    figure.update_layout(legend={"y": -0.12, "yanchor": "top"})
    return figure


def try_momentum() -> "go.Figure":
    """Show the path on the ravine for a momentum that a slider chooses."""
    import plotly.graph_objects as go

    ground = GROUNDS["ravine"]
    traces = surface_traces(ground.fn, ground.x_range, ground.y_range, False)[1:]
    choices = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
    for momentum in choices:
        path = walk(ground, "sgd", lr=0.03, momentum=momentum)
        name = f"momentum {momentum:g}"
        traces.append(
            path_traces(ground.fn, {name: path}, ground.x_range, ground.y_range, False)[1]
        )
        traces[-1].visible = momentum == 0.0
    steps = [
        {
            "label": f"{momentum:g}",
            "method": "restyle",
            "args": [{"visible": [True, *(j == i for j in range(len(choices)))]}],
        }
        for i, momentum in enumerate(choices)
    ]
    slider = {"steps": steps, "currentvalue": {"prefix": "momentum "}, "pad": {"t": 40}}
    figure = go.Figure(traces)
    figure.update_layout(sliders=[slider], height=460, showlegend=False, margin={"t": 20, "b": 10})
    figure.update_xaxes(title="x", range=ground.x_range)
    figure.update_yaxes(title="y", range=ground.y_range)
    return figure
