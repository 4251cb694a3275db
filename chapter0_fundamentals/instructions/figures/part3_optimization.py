"""The figures of 0.3 Optimization."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .theme import Board, Draw, Theme

# Measured with solutions.py: best_test_loss of 2, 3, 4, 5, 6, 8, 12, 16, 32 and 64 hidden units.
WIDTHS = [2, 3, 4, 5, 6, 8, 12, 16, 32, 64]
TEST_LOSS = [1.463, 1.130, 0.913, 0.713, 0.630, 0.470, 0.383, 0.355, 0.304, 0.286]
N_ON_THE_LINE = 6

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


# Helpers


def _plot(
    theme: Theme, width: float, height: float, *boxes: tuple[float, float, float, float]
) -> tuple[Board, list[Axes]]:
    """Give a board that holds plots, with `boxes` as their places."""
    board = Board(theme, width, height)
    board.figure.delaxes(board.axes)
    return board, [_axes(board, box) for box in boxes]


def _axes(board: Board, box: tuple[float, float, float, float]) -> Axes:
    axes, theme = board.figure.add_axes(box), board.theme
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(theme.line)
    axes.tick_params(colors=theme.quiet, labelsize=9.5, length=3)
    return axes


def _label(axes: Axes, theme: Theme, x: str, y: str = "") -> None:
    axes.set_xlabel(x, color=theme.quiet, fontsize=10)
    axes.set_ylabel(y, color=theme.quiet, fontsize=10)


def _words(axes: Axes, x: float, y: float, text: str, color: str, ha: str = "left") -> None:
    axes.text(x, y, text, color=color, fontsize=10, ha=ha, va="center")


# Home and optimizers


def overview(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.05)
    layers = [
        ("optimizers", "SGD, RMSprop, Adam, AdamW", "forward"),
        ("experiments", "a trainer in parts, runs, random search", "accent"),
        ("distributed training", "collectives, gradients averaged", "back"),
        ("bonus", "groups, schedules, Muon, scaling, the curse", "ink"),
    ]
    for i, (name, what, color) in enumerate(layers):
        y = 0.4 + 0.74 * i
        fill = "paper" if color == "ink" else f"{color}_fill"
        board.box(2.5, y, 4.7, 0.62, color=color, fill=fill)
        board.text(0.35, y + 0.12, name, color, 12, ha="left", bold=True)
        board.text(0.35, y - 0.13, what, "ink", 10, ha="left")
    return board.figure


def _height(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (1 + 25 * x**2) ** 0.5 - 1 + 0.2 * ((1 + y**2) ** 0.5 - 1)


def _descent(lr: float, n: int = 60) -> np.ndarray:
    """Walk down the ravine of the page by its gradient."""
    x, y = 1.5, 4.0
    points = [(x, y)]
    for _ in range(n):
        slope_x = 25 * x / (1 + 25 * x**2) ** 0.5
        slope_y = 0.2 * y / (1 + y**2) ** 0.5
        x, y = x - lr * slope_x, y - lr * slope_y
        points.append((x, y))
    return np.array(points)


def ravine(theme: Theme) -> Figure:
    board, plots = _plot(theme, 5.1, 2.9, (0.08, 0.16, 0.41, 0.72), (0.57, 0.16, 0.41, 0.72))
    x, y = np.meshgrid(np.linspace(-2, 2, 101), np.linspace(-1.5, 4.7, 101))
    for axes, lr in zip(plots, (0.03, 0.3), strict=True):
        axes.contour(x, y, _height(x, y), levels=14, colors=[theme.line], linewidths=0.7)
        path = _descent(lr)
        axes.plot(*path.T, "o-", color=theme.back, lw=1.3, ms=2.6)
        axes.plot(0, 0, "*", color=theme.accent, ms=11)
        axes.set_title(f"learning rate {lr:g}", color=theme.ink, fontsize=10.5)
        _label(axes, theme, "x")
    return board.figure


def sgd_step(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.75)
    board.box(0.85, 2.35, 1.4, 0.44, "gradient", "back", "back_fill")
    board.box(0.85, 1.55, 1.4, 0.44, r"$\lambda\,\theta$", "back", "back_fill")
    board.box(0.85, 0.45, 1.4, 0.44, r"$\mu\, v$  (old)", "accent", "accent_fill")
    board.node(2.15, 1.95, "+")
    board.node(2.95, 1.2, "+")
    board.text(2.62, 1.86, "$g$", "back", 12)
    board.arrow((1.55, 2.3), (2.15, 1.95), "back", gap=(0.02, 0.3))
    board.arrow((1.55, 1.6), (2.15, 1.95), "back", gap=(0.02, 0.3))
    board.arrow((2.15, 1.95), (2.95, 1.2), "back", gap=0.3)
    board.arrow((1.55, 0.5), (2.95, 1.2), "accent", gap=(0.02, 0.3))
    board.box(4.15, 1.2, 1.3, 0.44, "$v$  (new)", "accent", "accent_fill")
    board.arrow((2.95, 1.2), (3.5, 1.2), "accent", gap=(0.3, 0.03))
    board.box(4.15, 0.3, 1.6, 0.44, r"$\theta - \eta\, v$", "forward", "forward_fill")
    board.arrow((4.15, 0.98), (4.15, 0.52), "forward", gap=0.03)
    board.text(4.3, 2.3, "weight decay joins\nthe gradient first", "quiet", 10)
    return board.figure


def adaptive(theme: Theme) -> Figure:
    board, plots = _plot(theme, 5.1, 2.5, (0.1, 0.16, 0.38, 0.68), (0.58, 0.16, 0.38, 0.68))
    rng = np.random.default_rng(0)
    sizes = np.array([2.0, 0.2, 0.02, 0.7])
    grads = sizes[:, None] * rng.normal(size=(4, 6))
    scaled = grads / (grads**2).mean(axis=1, keepdims=True) ** 0.5
    titles = ("gradients", "divided by their size")
    for axes, values, title, color in zip(
        plots, (grads, scaled), titles, (theme.back, theme.forward), strict=True
    ):
        for i, row in enumerate(values):
            axes.bar(i + np.linspace(-0.32, 0.32, 6), row, 0.1, color=color)
        axes.axhline(0, color=theme.line, lw=0.8)
        axes.set_xticks(range(4), [rf"$\theta_{i}$" for i in range(4)])
        axes.set_title(title, color=theme.ink, fontsize=10.5)
    return board.figure


def bias_correction(theme: Theme) -> Figure:
    board, (axes,) = _plot(theme, 5.1, 2.6, (0.11, 0.2, 0.85, 0.74))
    t = np.arange(0, 61)
    axes.plot(t[1:], np.ones(60), color=theme.forward, lw=2.2)
    axes.plot(t, 1 - 0.9**t, color=theme.back, lw=1.8)
    axes.plot(t, 1 - 0.99**t, color=theme.accent, lw=1.8)
    _words(axes, 22, 1.07, "corrected: 1 from the first step on", theme.forward)
    _words(axes, 13, 0.63, r"$\beta = 0.9$", theme.back)
    _words(axes, 42, 0.25, r"$\beta = 0.99$", theme.accent)
    axes.set_ylim(0, 1.15)
    _label(axes, theme, "step", "running mean")
    return board.figure


# Experiments


def trainer(theme: Theme) -> Figure:
    board = Board(theme, 5.2, 3.1)
    board.text(1.35, 2.92, "ResNetFinetuner", "forward", 10.5, bold=True, code=True)
    board.text(4.1, 2.92, "your subclass adds", "accent", 10.5, bold=True)
    parts = [
        ("train", "pictures, finish"),
        ("pre_training_setup", "init"),
        ("training_step", "log loss"),
        ("evaluate", "log accuracy"),
    ]
    for i, (name, adds) in enumerate(parts):
        y, x = 2.48 - 0.68 * i, 1.05 if i == 0 else 1.65
        board.box(x, y, 1.85, 0.44, name, "forward", "forward_fill", size=10, code=True)
        board.box(4.1, y, 1.7, 0.44, adds, "accent", "accent_fill", size=10)
        board.arrow((x + 0.93, y), (3.25, y), "accent", gap=0.06, width=1.1)
    board.line([(0.32, 2.26), (0.32, 0.44)], "back", 1.4)
    for i in range(1, 4):
        y = 2.48 - 0.68 * i
        board.arrow((0.32, y), (0.72, y), "back", gap=0.01, width=1.4)
    board.text(0.62, 2.14, "calls", "back", 9.5)
    return board.figure


def random_search(theme: Theme) -> Figure:
    boxes = ((0.07, 0.12, 0.38, 0.56), (0.57, 0.12, 0.38, 0.56))
    tops = ((0.07, 0.7, 0.38, 0.22), (0.57, 0.7, 0.38, 0.22))
    board, plots = _plot(theme, 5.1, 3.0, *boxes, *tops)
    rng = np.random.default_rng(3)
    side = np.linspace(0.2, 0.8, 3)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    points = np.stack(
        [(np.arange(9) + rng.uniform(0.2, 0.8, 9)) / 9, rng.uniform(0.08, 0.92, 9)], 1
    )
    x = np.linspace(0, 1, 200)

    def good(values: np.ndarray) -> np.ndarray:
        return np.exp(-(((values - 0.36) / 0.09) ** 2))

    for i, (chosen, title) in enumerate(((grid, "a grid"), (points, "at random"))):
        axes, top = plots[i], plots[i + 2]
        axes.plot(*chosen.T, "o", color=theme.forward, ms=6)
        axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
        _label(axes, theme, "the setting that matters", "another" if i == 0 else "")
        top.plot(x, good(x), color=theme.back, lw=1.4)
        tried = np.unique(chosen[:, 0].round(6))
        top.plot(tried, good(tried), "o", color=theme.back, ms=4.5)
        top.set(xlim=(0, 1), ylim=(-0.1, 1.15), xticks=[], yticks=[])
        top.set_title(title, color=theme.ink, fontsize=10.5)
    return board.figure


# Bonus


def schedules(theme: Theme) -> Figure:
    board, (axes,) = _plot(theme, 5.1, 2.6, (0.13, 0.2, 0.83, 0.74))
    epochs = np.arange(31)
    exponential = 0.1 * 0.9**epochs
    stairs = 0.1 * 0.3 ** (epochs // 8)
    multi = 0.1 * 0.3 ** ((epochs >= 5).astype(int) + (epochs >= 20))
    axes.step(epochs, exponential, where="post", color=theme.forward, lw=1.8)
    axes.step(epochs, stairs, where="post", color=theme.back, lw=1.8)
    axes.step(epochs, multi, where="post", color=theme.accent, lw=1.8)
    _words(axes, 8.6, 0.095, "StepLR, every 8 epochs", theme.back)
    _words(axes, 8.6, 0.075, "ExponentialLR, 0.9", theme.forward)
    _words(axes, 8.6, 0.055, "MultiStepLR, at 5 and 20", theme.accent)
    axes.set_ylim(0, 0.107)
    _label(axes, theme, "epoch", "learning rate")
    return board.figure


def newton_schulz(theme: Theme) -> Figure:
    board, (axes,) = _plot(theme, 5.1, 2.5, (0.11, 0.21, 0.85, 0.74))
    start = np.linspace(0, 1, 1500)
    s, (a, b, c) = start, NEWTON_SCHULZ
    for _ in range(5):
        s = a * s + b * s**3 + c * s**5
    axes.axhspan(0.68, 1.14, color=theme.forward_fill, zorder=0)
    axes.plot(start, start, color=theme.line, lw=1.2, ls="--")
    axes.plot(start, s, color=theme.forward, lw=1.6)
    _words(axes, 0.6, 0.5, "as it was", theme.quiet)
    _words(axes, 0.08, 1.24, "after five rounds", theme.forward)
    axes.set(xlim=(0, 1), ylim=(0, 1.35))
    _label(axes, theme, "singular value before", "after")
    return board.figure


def scaling(theme: Theme) -> Figure:
    board, (axes,) = _plot(theme, 5.1, 2.8, (0.13, 0.2, 0.83, 0.75))
    sizes = np.array([795 * width + 10 for width in WIDTHS])
    n = N_ON_THE_LINE
    slope, offset = np.polyfit(np.log(sizes[:n]), np.log(TEST_LOSS[:n]), 1)
    line = np.exp(offset) * sizes**slope
    axes.loglog(sizes, line, "--", color=theme.back, lw=1.4)
    axes.loglog(sizes, TEST_LOSS, "o", color=theme.forward, ms=6)
    _words(axes, 1900, 1.62, rf"$L \approx a\,N^{{{slope:.2f}}}$", theme.back)
    _words(axes, 12500, 0.47, "the data are what is short", theme.forward)
    axes.set(ylim=(0.17, 2.2), xlim=(1300, 65000))
    axes.set_yticks([0.2, 0.5, 1, 2], ["0.2", "0.5", "1", "2"])
    axes.set_xticks([2_000, 10_000, 50_000], ["2,000", "10,000", "50,000"])
    axes.minorticks_off()
    _label(axes, theme, "parameters", "test loss")
    return board.figure


def _best(n_settings: int, n_pictures: int) -> tuple[float, float]:
    """Do the experiment of `measured_and_true` with numpy, 1,000 times."""
    rng = np.random.default_rng(0)
    true = 0.8 + 0.01 * rng.normal(size=(1_000, n_settings))
    measured = true + np.sqrt(true * (1 - true) / n_pictures) * rng.normal(size=true.shape)
    best = measured.argmax(axis=1)[:, None]
    return (
        float(np.take_along_axis(measured, best, 1).mean()),
        float(np.take_along_axis(true, best, 1).mean()),
    )


def curse(theme: Theme) -> Figure:
    board, plots = _plot(theme, 5.1, 2.8, (0.12, 0.2, 0.38, 0.68), (0.58, 0.2, 0.38, 0.68))
    counts = [1, 3, 10, 30, 100, 300, 1000]
    for axes, n_pictures in zip(plots, (300, 10_000), strict=True):
        measured, true = np.array([_best(n, n_pictures) for n in counts]).T
        axes.semilogx(counts, 100 * measured, "o-", color=theme.back, lw=1.6, ms=4)
        axes.semilogx(counts, 100 * true, "o-", color=theme.forward, lw=1.6, ms=4)
        axes.set(ylim=(79, 89))
        axes.set_title(f"{n_pictures:,} test pictures", color=theme.ink, fontsize=10.5)
        _label(axes, theme, "settings tried", "accuracy, %" if n_pictures == 300 else "")
    _words(plots[0], 1.3, 86.6, "measured", theme.back)
    _words(plots[0], 60, 79.9, "true", theme.forward)
    return board.figure


def _layers(board: Board, x: float, owners: list[tuple[str, ...]], heads: list[str]) -> None:
    """Draw a network's four layers from below; each is cut into parts of the given colours."""
    for i, parts in enumerate(owners):
        width = 1.1 / len(parts)
        for j, color in enumerate(parts):
            board.axes.add_patch(
                Rectangle(
                    (x + j * width, 0.62 + 0.36 * i),
                    width - 0.04,
                    0.29,
                    fc=board.theme[f"{color}_fill"],
                    ec=board.theme[color],
                    lw=1.2,
                )
            )
    for i, head in enumerate(heads):
        board.text(x + 0.53, 2.58 - 0.23 * i, head, "ink", 10.5, bold=i == 0)


def parallelism(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.8)
    whole = [("forward",)] * 4
    _layers(board, 0.1, whole, [])
    _layers(board, 1.25, [("back",)] * 4, [])
    board.text(1.2, 2.58, "data", "ink", 10.5, bold=True)
    board.text(0.63, 0.35, "half the batch", "forward", 10)
    board.text(1.78, 0.35, "other half", "back", 10)
    _layers(board, 2.7, [("forward",), ("forward",), ("back",), ("back",)], ["pipeline"])
    board.text(3.23, 0.35, "half the layers", "ink", 10)
    _layers(board, 3.95, [("forward", "back")] * 4, ["tensor"])
    board.text(4.48, 0.35, "half of each", "ink", 10)
    board.text(1.2, 2.3, "the network twice", "quiet", 10)
    board.text(3.85, 2.3, "the network once", "quiet", 10)
    return board.figure


def _ranks(board: Board, left: float, right: float, top: float, bottom: float) -> None:
    for x, rank, color in ((left, 0, "forward"), (right, 1, "back")):
        board.text(x, top + 0.22, f"rank {rank}", color, 11, bold=True)
        board.line([(x, top), (x, bottom)], color, 1.6)


def messages(theme: Theme) -> Figure:
    board = Board(theme, 4.6, 2.9)
    for x, rank, color in ((1.2, 0, "forward"), (3.4, 1, "back")):
        board.text(x, 2.72, f"rank {rank}", color, 11, bold=True)
    board.line([(1.2, 2.5), (1.2, 2.0)], "forward", 1.6)
    board.axes.plot([1.2, 1.2], [2.0, 1.05], color=theme.forward, lw=1.6, ls=(0, (2, 2)))
    board.line([(1.2, 1.05), (1.2, 0.15)], "forward", 1.6)
    board.line([(3.4, 2.5), (3.4, 0.15)], "back", 1.6)
    board.text(1.05, 2.0, "send(dst=1)", "forward", 10.5, ha="right", code=True)
    board.text(1.05, 1.52, "waits", "quiet", 10.5, ha="right")
    board.text(3.55, 1.05, "recv(src=0)", "back", 10.5, ha="left", code=True)
    board.arrow((1.2, 1.05), (3.4, 1.05), "accent", gap=(0.06, 0.06))
    board.text(2.3, 1.25, "tensor", "accent", 10.5)
    board.text(1.05, 0.55, "goes on", "ink", 10.5, ha="right")
    board.text(3.55, 0.55, "goes on", "ink", 10.5, ha="left")
    board.text(3.55, 1.9, "computes", "ink", 10.5, ha="left")
    board.text(2.3, 2.2, "time ↓", "quiet", 10)
    return board.figure


def deadlock(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.5)
    for x, good in ((0.75, False), (3.3, True)):
        left, right = x, x + 1.2
        _ranks(board, left, right, 2.02, 0.5)
        first = "isend" if good else "send"
        for rank_x, side in ((left, "right"), (right, "left")):
            out = -0.08 if side == "right" else 0.08
            board.text(rank_x + out, 1.75, first, "ink", 10, ha=side, code=True)
            second = "irecv" if good else "waits"
            board.text(
                rank_x + out, 1.4, second, "ink" if good else "quiet", 10, ha=side, code=good
            )
            if good:
                board.text(rank_x + out, 0.75, "wait", "ink", 10, ha=side, code=True)
        if good:
            board.arrow((left, 1.7), (right, 1.0), "forward", gap=(0.05, 0.05))
            board.arrow((right, 1.7), (left, 1.0), "back", gap=(0.05, 0.05))
        else:
            board.arrow((left, 1.75), (left + 0.62, 1.75), "forward", gap=(0.05, 0.05))
            board.arrow((right, 1.4), (right - 0.62, 1.4), "back", gap=(0.05, 0.05))
            board.text(left + 0.6, 0.9, "nobody\nreceives", "quiet", 10)
        board.text(
            x + 0.6, 0.22, "both arrive" if good else "deadlock", "accent" if good else "back", 11,
            bold=True,
        )  # fmt: skip
    return board.figure


def collectives(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.6)
    columns = {
        "before": [(0, 0), (1, 10), (2, 20)],
        "broadcast": [(0, 0)] * 3,
        "reduce": [(3, 30), ("?", "?"), ("?", "?")],
        "all_reduce": [(3, 30)] * 3,
    }
    for rank in range(3):
        board.text(0.08, 1.72 - 0.65 * rank, f"rank {rank}", "ink", 10.5, ha="left")
    for i, (name, rows) in enumerate(columns.items()):
        x = 0.78 + 1.12 * i
        board.text(x + 0.42, 2.35, name, "ink", 10, bold=i == 0, code=i > 0)
        for rank, row in enumerate(rows):
            new = i > 0 and row[0] != "?" and not (name == "broadcast" and rank == 0)
            color = "back" if new else "forward" if row[0] != "?" else "quiet"
            fill = f"{color}_fill" if color != "quiet" else "paper"
            board.cells(x, 1.93 - 0.65 * rank, [row], color, fill, size=0.42, font=10.5)
    return board.figure


def data_parallel(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 4.3)
    for x, rank, color in ((1.2, 0, "forward"), (3.8, 1, "back")):
        board.text(x, 4.1, f"rank {rank}", color, 11, bold=True)
        steps = ["its part of the batch", "forward", "backward", None, "step", "same weights"]
        for i, step in enumerate(steps):
            y = 3.67 - 0.67 * i
            if step:
                fill = "paper" if i in (0, 5) else f"{color}_fill"
                board.box(x, y, 2.0, 0.42, step, "ink" if i in (0, 5) else color, fill, 10.5)
            if i < 5:
                board.arrow((x, y - 0.21), (x, y - 0.46), color, gap=(0.01, 0.01))
    board.box(2.5, 1.66, 4.6, 0.42, "all_reduce: the mean gradient", "accent", "accent_fill", 10.5)
    return board.figure


def ring(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 3.5)
    # Which ranks' numbers are in each chunk of each rank, after 0, 2 and 4 steps.
    stages = {
        "start": [["0", "0", "0"], ["1", "1", "1"], ["2", "2", "2"]],
        "first round": [["0", "all", "0+2"], ["0+1", "1", "all"], ["all", "1+2", "2"]],
        "second round": [["all"] * 3] * 3,
    }
    for i, (name, ranks) in enumerate(stages.items()):
        x = 0.1 + (0, 1.45, 3.52)[i]
        size = (0.34, 0.6, 0.45)[i]
        board.text(x + 1.5 * size, 3.25, name, "ink", 10.5, bold=True)
        for rank, chunks in enumerate(ranks):
            y = 2.85 - 0.95 * rank
            board.text(x + 1.5 * size, y + 0.08, f"rank {rank}", "quiet", 9.5)
            for j, chunk in enumerate(chunks):
                done = chunk == "all"
                color = "back" if done else "forward"
                board.axes.add_patch(
                    Rectangle(
                        (x + j * size, y - 0.47),
                        size - 0.03,
                        0.4,
                        fc=theme[f"{color}_fill"],
                        ec=theme[color],
                        lw=1.1,
                    )
                )
                board.text(x + (j + 0.5) * size - 0.015, y - 0.28, chunk, color, 10)
    board.text(2.5, 0.2, "In each cell: whose numbers are added up in it.", "quiet", 10)
    return board.figure


FIGURES: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        overview,
        ravine,
        sgd_step,
        adaptive,
        bias_correction,
        trainer,
        random_search,
        parallelism,
        messages,
        deadlock,
        collectives,
        data_parallel,
        ring,
        schedules,
        newton_schulz,
        scaling,
        curse,
    )
}
