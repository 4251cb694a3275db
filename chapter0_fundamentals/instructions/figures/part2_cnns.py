"""The figures of 0.2 CNNs & ResNets."""

import json
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .theme import Board, Draw, Theme

# Measured with solutions.py: the lab's 4,000 digits, SimpleMLPTrainingArgs(epochs=15), seed 0.
MEAN_LOSS_OF_EPOCH = [
    0.8053, 0.3265, 0.2490, 0.1954, 0.1607, 0.1333, 0.1111, 0.0891,
    0.0739, 0.0583, 0.0477, 0.0387, 0.0304, 0.0257, 0.0207,
]  # fmt: skip
ACCURACY_AFTER_EPOCH = [
    0.858, 0.893, 0.897, 0.903, 0.908, 0.915, 0.911, 0.916,
    0.920, 0.921, 0.916, 0.925, 0.927, 0.913, 0.925,
]  # fmt: skip

# Seconds for one epoch of 60,000 digits by `compare_loading`, one thread.
SECONDS_TRANSFORMS, SECONDS_TENSORS = 8.7, 0.08

# Mean training loss of the third epoch, two seeds, by number of layers: figures/depth.py.
DEPTH = json.loads(Path(__file__).with_name("depth.json").read_text(encoding="utf-8"))

# Accuracy after each epoch of `train_resnet`, and the same with an untrained network below.
ACCURACY_FEATURES = [0.563, 0.573, 0.580, 0.607, 0.600]
ACCURACY_RANDOM = [0.273, 0.420, 0.520, 0.510, 0.537]


# Helpers


def _plot(
    theme: Theme, width: float, height: float, box: tuple[float, float, float, float]
) -> tuple[Board, Axes]:
    """Give a board that holds one plot, with `box` as its place."""
    board = Board(theme, width, height)
    board.figure.delaxes(board.axes)
    return board, _axes(board, box)


def _axes(board: Board, box: tuple[float, float, float, float]) -> Axes:
    axes, theme = board.figure.add_axes(box), board.theme
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(theme.line)
    axes.tick_params(colors=theme.quiet, labelsize=9.5, length=3)
    axes.grid(axis="y", color=theme.line, lw=0.5, alpha=0.6)
    return axes


def _ring(board: Board, x: float, y: float, width: float, height: float, color: str) -> None:
    """Draw a frame with its upper left corner at (x, y)."""
    corners = [(0, 0), (width, 0), (width, -height), (0, -height), (0, 0)]
    board.line([(x + a, y + b) for a, b in corners], color, 2.4)


def _shade(board: Board, x: float, y: float, size: float, fill: str, alpha: float = 1.0) -> None:
    """Draw one cell without a number, with its upper left corner at (x, y)."""
    theme = board.theme
    board.axes.add_patch(
        Rectangle((x, y - size), size, size, fc=fill, ec=theme.line, lw=0.5, alpha=alpha, zorder=2)
    )


def _blank(n_rows: int, n_cols: int) -> list[list[str]]:
    return [[""] * n_cols for _ in range(n_rows)]


# Home and modules


def overview(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.75)
    layers = [
        ("tensors", "given", "ink"),
        ("layers", "ReLU, Linear, Flatten", "forward"),
        ("training", "batches, loss, loop, test", "accent"),
        ("convolutions", "Conv2d, MaxPool2d, BatchNorm2d", "forward"),
        ("ResNet34", "blocks, groups, trained weights", "back"),
    ]
    for i, (name, what, color) in enumerate(layers):
        y = 0.4 + 0.73 * i
        fill = "paper" if color == "ink" else f"{color}_fill"
        board.box(2.5, y, 4.7, 0.61, color=color, fill=fill)
        board.text(0.35, y + 0.11, name, color, 12, ha="left", bold=True)
        board.text(0.35, y - 0.13, what, "ink", 10, ha="left")
    return board.figure


def module(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 3.3)
    board.box(0.85, 3.0, 1.4, 0.42, "SimpleMLP", "ink", size=10.5, code=True)
    board.box(3.62, 1.42, 2.86, 2.66, color="accent", fill="accent_fill")
    board.text(2.3, 2.5, "state dict", "accent", 11, ha="left", bold=True)
    shapes = {"linear1": ("(100, 784)", "(100,)"), "linear2": ("(10, 100)", "(10,)")}
    for i, name in enumerate(shapes):
        y = 2.4 - 1.22 * i
        board.line([(0.22, 2.79 if i == 0 else 2.4), (0.22, y), (0.32, y)])
        board.box(0.8, y, 0.96, 0.38, name, "forward", "forward_fill", size=10, code=True)
        for j, leaf in enumerate(("weight", "bias")):
            row = y - 0.42 - 0.37 * j
            board.line([(0.5, y - 0.19), (0.5, row), (0.66, row)])
            board.box(1.08, row, 0.84, 0.3, leaf, "back", "back_fill", size=9.5, code=True)
            board.arrow((1.5, row), (2.19, row), "accent", gap=(0.03, 0.03), width=1.1)
            board.text(2.3, row, f"{name}.{leaf}", "ink", 9.5, ha="left", code=True)
            board.text(4.96, row, shapes[name][j], "quiet", 9.5, ha="right", code=True)
    return board.figure


def linear(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.5)
    size = 0.3
    board.cells(0.1, 1.75, _blank(3, 4), size=size)
    board.text(0.7, 2.0, "$x$  (3, 4)", "forward", 11)
    board.text(1.5, 1.3, "×", "ink", 13)
    board.cells(1.7, 1.9, _blank(4, 2), "back", "back_fill", size=size)
    board.text(2.0, 2.15, r"$W^\top$  (4, 2)", "back", 11)
    board.text(2.5, 1.3, "+", "ink", 13)
    board.cells(2.7, 1.45, _blank(1, 2), "accent", "accent_fill", size=size)
    board.text(3.0, 1.72, "$b$  (2,)", "accent", 11)
    board.text(3.5, 1.3, "=", "ink", 13)
    board.cells(3.75, 1.75, _blank(3, 2), "ink", "paper", size=size)
    board.text(4.1, 2.0, "$y$  (3, 2)", "ink", 11)
    _ring(board, 0.1, 1.45, 4 * size, size, "forward")
    _ring(board, 1.7, 1.9, size, 4 * size, "back")
    _ring(board, 3.75, 1.45, size, size, "ink")
    board.text(2.55, 0.42, "one row of $x$ and one row of $W$ make one number of $y$", "quiet", 10)
    return board.figure


def init(theme: Theme) -> Figure:
    board, axes = _plot(theme, 5.0, 2.9, (0.15, 0.17, 0.6, 0.72))
    layers = np.arange(11)
    for bound, label, color in (
        (1.0, "bound 1", "back"),
        (0.1, r"bound $1/\sqrt{n}$", "forward"),
        (0.01, "bound $1/n$", "accent"),
    ):
        spread = (bound * np.sqrt(100 / 3)) ** layers
        axes.semilogy(layers, spread, "o-", color=theme[color], ms=3.5)
        axes.annotate(
            label,
            (10, spread[-1]),
            (10.4, spread[-1]),
            color=theme[color],
            fontsize=10.5,
            va="center",
            annotation_clip=False,
        )
    axes.set_yticks([1e-12, 1e-6, 1, 1e6])
    axes.set_title("spread of the numbers", color=theme.ink, fontsize=10.5, loc="left")
    axes.set_xlabel("after so many layers", color=theme.quiet, fontsize=10, labelpad=1)
    return board.figure


def mlp(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 1.75)
    xs = [0.5, 1.75, 3.2, 4.6]
    names = [("28 × 28", "picture"), ("784", "pixels"), ("100", "hidden"), ("10", "logits")]
    for x, (count, what) in zip(xs, names, strict=True):
        board.box(x, 0.95, 0.82, 0.62, color="forward", fill="forward_fill")
        board.text(x, 1.04, count, "forward", 11, bold=True)
        board.text(x, 0.82, what, "ink", 9.5)
    steps = [("Flatten", ""), ("Linear, ReLU", "78,500"), ("Linear", "1,010")]
    for left, right, (name, count) in zip(xs[:-1], xs[1:], steps, strict=True):
        board.arrow((left + 0.41, 0.95), (right - 0.41, 0.95), "forward", gap=0.03)
        board.text((left + right) / 2, 1.5, name, "ink", 10)
        board.text((left + right) / 2, 0.4, count, "back", 10)
    board.text(0.1, 0.14, "parameters", "back", 10, ha="left")
    return board.figure


# Training


def loading(theme: Theme) -> Figure:
    board, axes = _plot(theme, 5.0, 1.7, (0.22, 0.3, 0.6, 0.6))
    for y, seconds, color in ((1, SECONDS_TRANSFORMS, "back"), (0, SECONDS_TENSORS, "accent")):
        axes.barh(y, seconds, 0.55, color=theme[color], left=0)
        axes.annotate(
            f"{seconds:.2g} s",
            (seconds, y),
            (5, 0),
            textcoords="offset points",
            color=theme[color],
            fontsize=11,
            va="center",
            annotation_clip=False,
        )
    axes.set_xscale("log")
    axes.set_xlim(0.01, 15)
    axes.set_xticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10 s"])
    axes.set_yticks([0, 1], ["tensors", "transforms"])
    axes.minorticks_off()
    axes.grid(visible=False)
    return board.figure


def loop(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.9)
    steps = [
        ("forward, loss", 1.5, 2.45, 1.4, "forward"),
        ("zero_grad", 2.45, 1.55, 1.0, "forward"),
        ("backward", 1.5, 0.65, 0.95, "back"),
        ("step", 0.5, 1.55, 0.7, "forward"),
    ]
    for name, x, y, width, color in steps:
        board.box(x, y, width, 0.42, name, color, f"{color}_fill", size=10, code=True)
    for start, end in (
        ((2.05, 2.22), (2.4, 1.79)),
        ((2.4, 1.31), (1.99, 0.75)),
        ((1.0, 0.75), (0.55, 1.31)),
        ((0.55, 1.79), (0.95, 2.22)),
    ):
        board.arrow(start, end, "forward", bend=-0.2, gap=0.02)
    board.text(1.42, 1.55, "each\nbatch", "quiet", 10)
    board.arrow((2.2, 2.45), (3.65, 2.45), "accent", gap=0.04)
    board.text(2.92, 2.63, "each epoch", "quiet", 10)
    board.box(4.3, 2.45, 1.3, 0.42, "evaluate", "accent", "accent_fill", size=10, code=True)
    board.arrow((4.3, 2.24), (4.3, 1.71), "accent", gap=0.02)
    board.box(4.3, 1.5, 1.3, 0.42, "accuracy", "ink", size=10)
    board.text(4.3, 1.0, "in eval mode,\nwithout gradients", "quiet", 10)
    board.text(1.5, 0.2, "in training mode", "quiet", 10)
    return board.figure


def mlp_training(theme: Theme) -> Figure:
    board, top = _plot(theme, 5.0, 3.9, (0.13, 0.59, 0.83, 0.34))
    bottom = _axes(board, (0.13, 0.13, 0.83, 0.34))
    epochs = range(1, len(ACCURACY_AFTER_EPOCH) + 1)
    top.plot(epochs, MEAN_LOSS_OF_EPOCH, "o-", color=theme.forward, ms=4)
    top.plot([0], [2.3], "o", color=theme.forward, ms=4, mfc="none")
    top.annotate("log 10, knowing nothing", (0.5, 2.3), color=theme.quiet, fontsize=10, va="center")
    bottom.plot(epochs, ACCURACY_AFTER_EPOCH, "o-", color=theme.accent, ms=4)
    last = ACCURACY_AFTER_EPOCH[-1]
    bottom.annotate(f"{last:.1%}", (15, last - 0.02), color=theme.accent, fontsize=10, ha="right",
                    va="top")  # fmt: skip
    for axes, title, ticks in (
        (top, "mean training loss of each epoch", (0, 1, 2)),
        (bottom, "accuracy on 1,000 new digits", (0.8, 0.85, 0.9, 0.95)),
    ):
        axes.set_title(title, color=theme.ink, fontsize=10.5, loc="left")
        axes.set_yticks(ticks)
        axes.set_xlim(-0.5, 15.5)
    top.set_ylim(0, 2.6)
    bottom.set_ylim(0.8, 0.96)
    top.set_xticklabels([])
    bottom.set_yticklabels(["80 %", "85 %", "90 %", "95 %"])
    bottom.set_xlabel("epochs", color=theme.quiet, fontsize=10, labelpad=1)
    return board.figure


# Convolutions

PICTURE = np.array(
    [[2, 2, 2, 7, 7], [2, 2, 7, 7, 7], [2, 7, 7, 7, 2], [7, 7, 7, 2, 2], [7, 7, 2, 2, 2]]
)
KERNEL = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]])


def _signed(numbers: np.ndarray) -> list[list[str]]:
    return [[f"{n}".replace("-", "−") for n in row] for row in numbers]


def _correlate(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(picture, kernel.shape)
    return np.einsum("ijhw,hw->ij", windows, kernel)


def convolution(theme: Theme) -> Figure:
    board, size = Board(theme, 5.1, 2.7), 0.36
    out = _correlate(PICTURE, KERNEL)
    board.text(1.0, 2.5, "picture", "forward", 11, bold=True)
    board.cells(0.1, 2.25, PICTURE, size=size)
    _ring(board, 0.1 + 2 * size, 2.25 - size, 3 * size, 3 * size, "ink")
    board.text(2.08, 1.35, "∗", "ink", 15)
    board.text(2.8, 2.5, "kernel", "back", 11, bold=True)
    board.cells(2.26, 1.89, _signed(KERNEL), "back", "back_fill", size=size)
    board.text(3.56, 1.35, "=", "ink", 14)
    board.text(4.36, 2.5, "output", "accent", 11, bold=True)
    board.cells(3.82, 1.89, _signed(out), "accent", "accent_fill", size=size, font=9.5)
    _ring(board, 3.82 + 2 * size, 1.89 - size, size, size, "ink")
    window = PICTURE[1:4, 2:5]
    left, right = (" + ".join(map(str, window[:, i])) for i in (0, 2))
    board.text(2.55, 0.18, f"({left}) − ({right}) = {out[1, 2]}", "ink", 10.5)
    return board.figure


def _house() -> np.ndarray:
    """Draw a house of 20 × 22 pixels, dark on light."""
    picture = np.ones((20, 22))
    for row in range(3, 10):
        picture[row, 11 - (row - 2) : 11 + (row - 2)] = 0.0
    picture[10:18, 6:16] = 0.0
    picture[12:15, 8:11] = 0.75
    picture[13:18, 12:15] = 0.5
    return picture


def kernels(theme: Theme) -> Figure:
    board, size = Board(theme, 5.1, 5.0), 0.108
    house = _house()
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 4
    drawings = [
        ("the picture", None, house),
        ("vertical edges", sobel, _correlate(house, sobel)),
        ("horizontal edges", sobel.T, _correlate(house, sobel.T)),
        ("blur", np.ones((3, 3)) / 9, _correlate(house, np.ones((3, 3)) / 9)),
    ]
    for i, (name, kernel, result) in enumerate(drawings):
        x, y = 0.12 + 2.58 * (i % 2), 4.65 - 2.5 * (i // 2)
        board.text(x, y + 0.17, name, "ink", 10.5, ha="left", bold=True)
        shift = 0 if kernel is None else size
        for row, col in np.ndindex(*result.shape):
            value = float(result[row, col])
            color = theme.forward if value > 0 else theme.back
            strength = min(abs(value), 1.0)
            if name in ("the picture", "blur"):
                color, strength = theme.ink, 1 - value
            _shade(board, x + shift + col * size, y - shift - row * size, size, color, strength)
    return board.figure


def channels(theme: Theme) -> Figure:
    board, size = Board(theme, 5.1, 3.0), 0.2
    board.text(0.75, 2.8, "3 channels in", "forward", 10.5, bold=True)
    board.text(2.65, 2.8, "2 kernels", "back", 10.5, bold=True)
    board.text(4.4, 2.8, "2 channels out", "accent", 10.5, bold=True)
    for i in range(3):
        board.cells(0.1 + 0.13 * i, 2.2 - 0.13 * i, _blank(5, 5), size=size)
    for k, y in enumerate((2.4, 1.15)):
        for i in range(3):
            x = 2.2 + 0.13 * i
            board.cells(x, y - 0.13 * i, _blank(3, 3), "back", "back_fill", size=size)
        board.cells(4.1, y + 0.02, _blank(3, 3), "accent", "accent_fill", size=size)
        board.arrow((1.45, 1.65), (2.2, y - 0.42), "forward", gap=0.05, width=1.2)
        board.arrow((3.1, y - 0.42), (4.1, y - 0.3), "back", gap=0.06, width=1.2)
        board.text(4.4, y - 0.76, f"$o = {k}$", "quiet", 11)
    board.text(0.98, 0.62, "each kernel is as deep\nas the input", "quiet", 10)
    return board.figure


def stride_padding(theme: Theme) -> Figure:
    board, size = Board(theme, 5.0, 3.6), 0.42
    rows = [
        ("padding 0, stride 1:  3 windows", 0, 1),
        ("padding 1, stride 1:  5 windows", 1, 1),
        ("padding 1, stride 2:  3 windows", 1, 2),
    ]
    for i, (name, padding, stride) in enumerate(rows):
        y, x = 3.1 - 1.2 * i, 0.9
        board.text(0.2, y + 0.22, name, "ink", 10.5, ha="left", bold=True)
        board.cells(x, y, [[f"$x_{j}$" for j in range(5)]], size=size, font=11)
        for j in (-1, 5) if padding else ():
            board.box(x + (j + 0.5) * size, y - size / 2, size * 0.94, size * 0.94, "0", "quiet",
                      size=10, dashed=True)  # fmt: skip
        n_windows = (5 + 2 * padding - 3) // stride + 1
        for k in range(n_windows):
            left = x + (k * stride - padding) * size + 0.04
            level = y - size - 0.08 - 0.075 * (k % 3)
            board.line([(left, level), (left + 3 * size - 0.08, level)], "back", 2.6)
    return board.figure


def receptive_field(theme: Theme) -> Figure:
    board, size = Board(theme, 5.0, 2.6), 0.4
    names = ["input", "layer 1", "layer 2", "layer 3"]
    for level, name in enumerate(names):
        y = 0.5 + 0.6 * level
        board.text(0.15, y - size / 2 + 0.02, name, "quiet", 10, ha="left")
        seen = 7 - 2 * level
        for j in range(9):
            inside = abs(j - 4) <= seen // 2
            color, fill = ("back", "back_fill") if inside else ("line", "paper")
            board.cells(1.05 + j * size, y, [[""]], color, fill, size=size)
        if level:
            for side in (-1, 1):
                edge = 1.05 + (4.5 + side * seen / 2) * size
                board.line([(edge, y - size), (edge + side * size, y - 0.6)], "back", 1.2)
    return board.figure


def max_pool(theme: Theme) -> Figure:
    board, size = Board(theme, 5.0, 2.2), 0.44
    numbers = np.array([[1, 3, 0, 2], [5, 2, 4, 1], [0, 1, 7, 6], [2, 0, 3, 8]])
    colors = ["forward", "back", "accent", "ink"]
    board.text(1.2, 2.05, "4 × 4", "quiet", 10)
    board.text(4.0, 1.62, "2 × 2", "quiet", 10)
    for k, (i, j) in enumerate(np.ndindex(2, 2)):
        block = numbers[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        fill = "paper" if colors[k] == "ink" else f"{colors[k]}_fill"
        x, y = 0.3 + 2 * j * size, 1.9 - 2 * i * size
        board.cells(x, y, block, colors[k], fill, size=size)
        board.cells(3.55 + j * size, 1.46 - i * size, [[block.max()]], colors[k], fill, size=size)
    board.arrow((2.2, 1.02), (3.5, 1.02), "ink", gap=0.1)
    board.text(2.82, 1.22, "largest", "ink", 10.5)
    return board.figure


# ResNets


def batch_norm(theme: Theme) -> Figure:
    board, size = Board(theme, 5.0, 2.85), 0.22
    for n in range(3):
        x = 0.2 + 1.15 * n
        board.text(x + 0.42, 2.65, f"picture {n + 1}", "quiet", 10)
        board.cells(x, 2.4, _blank(4, 4), "forward", "forward_fill", size=size)
        board.cells(x, 1.3, _blank(4, 4), "back", "back_fill", size=size)
    for y, color, name in ((1.96, "forward", "0"), (0.86, "back", "1")):
        board.arrow((3.45, y), (3.85, y), color, gap=0.02)
        board.text(4.4, y + 0.2, f"channel {name}", color, 10.5, bold=True)
        board.text(4.4, y - 0.06, r"one $\mu$, one $\sigma^2$", color, 11)
    board.text(2.5, 0.17, "$n$ = batch × height × width = 48 numbers each", "quiet", 10)
    return board.figure


def running_statistics(theme: Theme) -> Figure:
    board, axes = _plot(theme, 5.0, 2.6, (0.09, 0.19, 0.87, 0.7))
    means = 5 + np.random.default_rng(0).normal(0, 0.8, 40)
    running = [0.0]
    for mean in means:
        running.append(0.9 * running[-1] + 0.1 * mean)
    axes.plot(range(1, 41), means, "o", color=theme.back, ms=3.5)
    axes.plot(range(41), running, "-", color=theme.forward, lw=2)
    axes.annotate("mean of each batch", (2, 6.9), color=theme.back, fontsize=10)
    axes.annotate("running mean", (12, 2.6), color=theme.forward, fontsize=10)
    axes.set_ylim(0, 7.8)
    axes.set_xlabel("batches", color=theme.quiet, fontsize=10, labelpad=1)
    return board.figure


def depth(theme: Theme) -> Figure:
    board, axes = _plot(theme, 5.0, 2.8, (0.1, 0.18, 0.86, 0.7))
    for losses, name, color, lift in (
        (DEPTH["plain"], "without the way past", "back", 0.09),
        (DEPTH["residual"], "with it", "forward", 0.07),
    ):
        axes.plot(DEPTH["layers"], losses, "o-", color=theme[color], ms=4)
        axes.annotate(name, (31, losses[3] + lift), color=theme[color], fontsize=10, ha="right")
    axes.set_ylim(0, None)
    axes.set_xticks(DEPTH["layers"])
    axes.set_title("training loss", color=theme.ink, fontsize=10.5, loc="left")
    axes.set_xlabel("layers", color=theme.quiet, fontsize=10, labelpad=1)
    return board.figure


def residual_block(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 4.75)
    left = [
        ("conv 3×3, first_stride", "forward"),
        ("batch norm", "forward"),
        ("ReLU", "accent"),
        ("conv 3×3", "forward"),
        ("batch norm", "forward"),
    ]
    board.text(2.6, 4.58, "$x$", "ink", 15)
    board.line([(2.6, 4.43), (2.6, 4.25)], "forward", 1.6)
    board.line([(1.35, 4.25), (3.85, 4.25)], "forward", 1.6)
    board.text(0.22, 4.4, "left", "quiet", 10.5, ha="left")
    board.text(4.8, 4.4, "right", "quiet", 10.5, ha="right")
    y = 3.85
    board.arrow((1.35, 4.25), (1.35, y + 0.19), "forward", gap=0.0)
    for i, (name, color) in enumerate(left):
        board.box(1.35, y - 0.58 * i, 2.3, 0.38, name, color, f"{color}_fill", size=10)
        if i:
            board.arrow((1.35, y - 0.58 * i + 0.39), (1.35, y - 0.58 * i + 0.19), gap=0.0)
    board.box(3.85, 2.98, 1.95, 0.38, "conv 1×1, stride", "back", "back_fill", 10, dashed=True)
    board.box(3.85, 2.4, 1.95, 0.38, "batch norm", "back", "back_fill", 10, dashed=True)
    board.text(3.85, 3.42, "only if the shape changes", "quiet", 9.5)
    board.line([(3.85, 4.25), (3.85, 3.55)], "forward", 1.6)
    board.arrow((3.85, 2.79), (3.85, 2.59), gap=0.0)
    board.line([(3.85, 2.21), (3.85, 0.97)], "forward", 1.6)
    board.line([(1.35, 1.34), (1.35, 0.97)], "forward", 1.6)
    board.arrow((1.35, 0.97), (2.6, 0.97), gap=(0.0, 0.22))
    board.arrow((3.85, 0.97), (2.6, 0.97), gap=(0.0, 0.22))
    board.node(2.6, 0.97, "+", radius=0.2)
    board.arrow((2.6, 0.97), (2.6, 0.53), gap=(0.2, 0.01))
    board.box(2.6, 0.34, 1.0, 0.36, "ReLU", "accent", "accent_fill", size=10.5)
    return board.figure


def resnet34(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 5.1)
    stages = [
        ("picture", "3 × 224 × 224", "ink"),
        ("conv 7×7 /2, batch norm, ReLU", "64 × 112 × 112", "forward"),
        ("max pool 3×3 /2", "64 × 56 × 56", "forward"),
        ("3 blocks", "64 × 56 × 56", "back"),
        ("4 blocks, the first /2", "128 × 28 × 28", "back"),
        ("6 blocks, the first /2", "256 × 14 × 14", "back"),
        ("3 blocks, the first /2", "512 × 7 × 7", "back"),
        ("average pool", "512", "accent"),
        ("linear", "1000", "accent"),
    ]
    for i, (name, shape, color) in enumerate(stages):
        y = 4.75 - 0.55 * i
        fill = "paper" if color == "ink" else f"{color}_fill"
        board.box(1.95, y, 2.9, 0.36, name, color, fill, size=10)
        board.text(3.55, y, shape, "quiet", 10, ha="left", code=True)
        if i:
            board.arrow((1.95, y + 0.37), (1.95, y + 0.18), "ink", gap=0.0, width=1.2)
    for top, bottom, name in ((1, 2, "in_layers"), (3, 6, "residual"), (7, 8, "out")):
        y0, y1 = 4.75 - 0.55 * top + 0.18, 4.75 - 0.55 * bottom - 0.18
        board.line([(0.42, y0), (0.34, y0), (0.34, y1), (0.42, y1)], "line", 1.6)
        board.axes.text(
            0.2, (y0 + y1) / 2, name, color=theme.quiet, fontsize=9.5, rotation=90, ha="center",
            va="center", family="DejaVu Sans Mono",
        )  # fmt: skip
    return board.figure


def nan_hunt(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 1.7)
    names = ["conv", "relu", "divide", "conv", "pool"]
    for i, name in enumerate(names):
        x = 0.5 + 1.02 * i
        color = "back" if i == 2 else "ink"
        fill = "back_fill" if i == 2 else "paper"
        board.box(x, 0.9, 0.7, 0.46, name, color, fill, size=10)
        spoilt = i >= 2
        end = x + 0.67 if i < 4 else x + 0.55
        board.arrow((x + 0.35, 0.9), (end, 0.9), "back" if spoilt else "forward", gap=0.01)
        board.text(x, 1.33, "nan" if spoilt else "fine", "back" if spoilt else "forward", 10)
    board.text(2.54, 0.42, "to blame", "back", 10.5, bold=True)
    board.text(0.15, 1.58, "output", "quiet", 10, ha="left")
    return board.figure


# Feature extraction


def transfer(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.5)
    board.box(0.45, 1.55, 0.7, 0.7, "picture", size=9.5)
    board.box(2.05, 1.55, 1.7, 1.1, color="forward", fill="forward_fill")
    board.text(2.05, 1.72, "34 layers\nminus one", "forward", 10.5)
    board.text(2.05, 1.24, "frozen", "forward", 10.5, bold=True)
    board.arrow((0.8, 1.55), (1.2, 1.55), gap=0.02)
    board.box(3.45, 1.55, 0.5, 1.1, "512", "forward", "paper", size=10)
    board.text(3.45, 2.3, "features", "quiet", 10)
    board.arrow((2.9, 1.55), (3.2, 1.55), gap=0.02)
    board.box(4.55, 1.95, 0.95, 0.44, "1000", "quiet", "paper", size=10, dashed=True)
    board.text(4.55, 2.3, "taken away", "quiet", 9.5)
    board.box(4.55, 1.1, 0.95, 0.44, "10", "back", "back_fill", size=11, bold=True)
    board.text(4.55, 0.72, "new, learns", "back", 10, bold=True)
    board.arrow((3.7, 1.45), (4.07, 1.14), "back", gap=0.02)
    board.text(2.05, 0.62, "21,284,672 parameters", "forward", 10)
    board.text(4.55, 0.45, "5,130", "back", 10)
    return board.figure


def feature_curve(theme: Theme) -> Figure:
    board, axes = _plot(theme, 5.0, 2.8, (0.13, 0.18, 0.83, 0.7))
    epochs = range(1, 6)
    axes.plot(epochs, ACCURACY_FEATURES, "o-", color=theme.forward, ms=4)
    axes.plot(epochs, ACCURACY_RANDOM, "o-", color=theme.back, ms=4)
    axes.axhline(0.2, color=theme.quiet, lw=1, ls="--")
    axes.annotate("features of other photographs", (1.1, 0.63), color=theme.forward, fontsize=10)
    axes.annotate("random features", (2.0, 0.36), color=theme.back, fontsize=10)
    axes.annotate("guessing", (4.55, 0.215), color=theme.quiet, fontsize=10)
    axes.set_ylim(0, 0.75)
    axes.set_yticks([0, 0.2, 0.4, 0.6], ["0", "20 %", "40 %", "60 %"])
    axes.set_xticks(list(epochs))
    axes.set_xlabel("epochs", color=theme.quiet, fontsize=10, labelpad=1)
    return board.figure


# Convolutions from scratch


def strides(theme: Theme) -> Figure:
    board, size = Board(theme, 5.1, 3.5), 0.38
    board.text(0.2, 3.3, "memory", "ink", 10.5, ha="left", bold=True)
    board.cells(0.2, 3.12, [range(12)], "ink", "paper", size=size)
    board.text(0.2, 2.35, "size (3, 4), stride (4, 1)", "forward", 10, ha="left")
    board.cells(0.45, 2.1, np.arange(12).reshape(3, 4), size=size)
    board.arrow((0.3, 2.0), (0.3, 1.4), "back", gap=0.02)
    board.text(0.13, 1.7, "4", "back", 11)
    board.arrow((0.55, 0.78), (1.15, 0.78), "back", gap=0.02)
    board.text(0.85, 0.6, "1", "back", 11)
    board.text(2.85, 2.35, "size (4, 3), stride (1, 4)", "accent", 10, ha="left")
    board.cells(3.1, 2.1, np.arange(12).reshape(3, 4).T, "accent", "accent_fill", size=size)
    board.arrow((2.95, 2.0), (2.95, 1.4), "back", gap=0.02)
    board.text(2.78, 1.7, "1", "back", 11)
    board.arrow((3.2, 0.4), (3.8, 0.4), "back", gap=0.02)
    board.text(3.5, 0.22, "4", "back", 11)
    board.text(1.2, 0.2, "contiguous", "quiet", 10)
    board.text(4.5, 0.22, "the transpose", "quiet", 10)
    return board.figure


def nine_views(theme: Theme) -> Figure:
    board, size = Board(theme, 5.1, 4.7), 0.26
    grid = [(i, j) for i in range(4) for j in range(5)]
    views: list[tuple[str, list[tuple[int, int]]]] = [
        ("first row", [(0, j) for j in range(5)]),
        ("first column", [(i, 0) for i in range(4)]),
        ("diagonal", [(i, i) for i in range(4)]),
        ("corner", [(i, j) for i in range(2) for j in range(3)]),
        ("every second", [(i, j) for i in (0, 2) for j in (0, 2, 4)]),
        ("transpose", grid),
        ("a row, 3 times", [(0, j) for j in range(4)]),
        ("windows of a row", [(0, j) for j in range(5)]),
        ("windows of 2 × 2", grid),
    ]
    for k, (name, shown) in enumerate(views):
        x, y = 0.2 + 1.68 * (k % 3), 4.3 - 1.55 * (k // 3)
        board.text(x, y + 0.16, f"{k + 1}", "back", 11, ha="left", bold=True)
        board.text(x + 0.2, y + 0.16, name, "ink", 9.5, ha="left")
        for i, j in grid:
            color, fill = ("forward", "forward_fill") if (i, j) in shown else ("quiet", "paper")
            corner = x + j * size, y - i * size
            board.cells(*corner, [[5 * i + j]], color, fill, size=size, font=8.5)
        if k == 7:
            _ring(board, x, y, 3 * size, size, "back")
            _ring(board, x + size, y, 3 * size, size, "accent")
        if k == 8:
            _ring(board, x, y, 2 * size, 2 * size, "back")
            _ring(board, x + size, y, 2 * size, 2 * size, "accent")
    return board.figure


def windows(theme: Theme) -> Figure:
    board, size = Board(theme, 5.0, 3.1), 0.4
    x, kernel = np.array([3, 1, 4, 1, 5, 9]), np.array([1, 0, 2])
    rows = np.lib.stride_tricks.sliding_window_view(x, 3)
    board.text(0.2, 2.8, "$x$", "forward", 13, ha="left")
    board.cells(0.5, 3.0, [x], size=size)
    board.cells(0.5, 2.1, rows, size=size)
    board.text(0.5, 0.34, "windows: size (4, 3),", "forward", 10, ha="left")
    board.text(0.5, 0.15, "stride (1, 1)", "forward", 10, ha="left")
    board.text(2.0, 1.3, "·", "ink", 20)
    board.cells(2.35, 1.9, kernel[:, None], "back", "back_fill", size=size)
    board.text(2.55, 0.5, "kernel", "back", 10)
    board.text(3.1, 1.3, "=", "ink", 14)
    board.cells(3.6, 2.1, (rows @ kernel)[:, None], "accent", "accent_fill", size=size)
    board.text(3.8, 0.25, "convolution", "accent", 10)
    return board.figure


def windows2d(theme: Theme) -> Figure:
    board, size = Board(theme, 5.0, 2.7), 0.5
    board.cells(0.3, 2.4, np.arange(16).reshape(4, 4), "quiet", "paper", size=size)
    _ring(board, 0.3, 2.4, 2 * size, 2 * size, "forward")
    board.arrow((0.55, 2.28), (1.05, 2.28), "back", gap=0.04, width=1.8)
    board.arrow((0.42, 2.15), (0.42, 1.65), "back", gap=0.04, width=1.8)
    board.arrow((1.34, 2.03), (1.84, 2.03), "forward", gap=0.04, width=1.8)
    board.arrow((0.93, 1.36), (0.93, 0.86), "forward", gap=0.04, width=1.8)
    rows = [
        ("window down", "4", "forward"),
        ("window right", "1", "forward"),
        ("inside, down", "4", "back"),
        ("inside, right", "1", "back"),
    ]
    board.text(2.75, 2.3, "strides of the view", "ink", 10.5, ha="left", bold=True)
    for i, (name, step, color) in enumerate(rows):
        board.text(2.75, 1.9 - 0.36 * i, name, color, 10.5, ha="left")
        board.text(4.6, 1.9 - 0.36 * i, step, color, 11, bold=True)
    board.text(2.75, 0.42, "size (3, 3, 2, 2)", "quiet", 10, ha="left", code=True)
    return board.figure


FIGURES: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        overview,
        module,
        linear,
        init,
        mlp,
        loading,
        loop,
        mlp_training,
        convolution,
        kernels,
        channels,
        stride_padding,
        receptive_field,
        max_pool,
        batch_norm,
        running_statistics,
        depth,
        residual_block,
        resnet34,
        nan_hunt,
        transfer,
        feature_curve,
        strides,
        nine_views,
        windows,
        windows2d,
    )
}
