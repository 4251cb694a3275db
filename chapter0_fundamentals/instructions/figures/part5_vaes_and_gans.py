"""The figures of 0.5 VAEs & GANs; what was trained for them comes from `gans.npz`."""

import functools
import itertools
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .theme import Board, Draw, Theme

# The figures of the GANs


@functools.cache
def _gans() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parent / "gans.npz") as file:
        return dict(file)


def _gan_axes(board: Board, box: tuple[float, float, float, float], title: str = "") -> Axes:
    axes, theme = board.figure.add_axes(box), board.theme
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(theme.line)
    axes.tick_params(colors=theme.quiet, labelsize=9.5, length=3)
    axes.grid(axis="y", color=theme.line, lw=0.5, alpha=0.6)
    axes.set_title(title, color=theme.ink, fontsize=10.5, loc="left")
    return axes


def _gan_label(axes: Axes, theme: Theme, x: float, y: float, text: str, color: str) -> None:
    axes.text(x, y, text, color=theme[color], fontsize=10, va="center")


def _pictures(
    board: Board, pictures: np.ndarray, n_cols: int, left: float, top: float, width: float
) -> None:
    """Draw pictures side by side, as one, with its upper left corner at a place."""
    n, height_of_one, width_of_one = pictures.shape[:3]
    n_rows = n // n_cols
    rows = pictures[: n_rows * n_cols].reshape(n_rows, n_cols, *pictures.shape[1:])
    sheet = rows.transpose(0, 2, 1, 3, 4).reshape(n_rows * height_of_one, n_cols * width_of_one, -1)
    height = width * sheet.shape[0] / sheet.shape[1]
    extent = (left, left + width, top - height, top)
    colours = np.repeat(sheet, 3, axis=2) if sheet.shape[2] == 1 else sheet
    board.axes.imshow(colours, extent=extent, interpolation="nearest", zorder=2, aspect="auto")


def _smooth(values: np.ndarray, n: int = 10) -> np.ndarray:
    """Give means of n neighbours, so that jitter does not cover the course."""
    values = values.astype(float)
    return values[: len(values) // n * n].reshape(-1, n).mean(axis=1)


def _course(board: Board, name: str, bottom: float, height: float) -> None:
    """Draw the losses of a training at the left, and the discriminator's answers at the right."""
    theme, data = board.theme, _gans()
    for left, title, rows in (
        (0.085, "losses", (("loss_D", "$L_D$", "forward"), ("loss_G", "$L_G$", "back"))),
        (
            0.58,
            "D says of",
            (("said_of_real", "real", "accent"), ("said_of_fake", "fakes", "back")),
        ),
    ):
        axes = _gan_axes(board, (left, bottom, 0.32, height), title)
        ends = []
        for row, label, color in rows:
            values = _smooth(data[f"{name}_{row}"])
            steps = 10 * np.arange(len(values)) + 5
            axes.plot(steps, values, color=theme[color], lw=1.4)
            ends.append((values[-4:].mean(), label, color, steps[-1]))
        if title != "losses":
            axes.set_ylim(-0.04, 1.04)
        else:
            axes.set_ylim(bottom=0)
        low, high = axes.get_ylim()
        least = 0.17 * (high - low)
        ends.sort()
        if ends[1][0] - ends[0][0] < least:
            middle = min(max((ends[0][0] + ends[1][0]) / 2, low + least / 2), high - least / 2)
            places = [middle - least / 2, middle + least / 2]
        else:
            places = [ends[0][0], ends[1][0]]
        for place, (_, label, color, last) in zip(places, ends, strict=True):
            _gan_label(axes, theme, last * 1.03, place, label, color)


def gan_game(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.9)
    board.box(0.55, 0.9, 0.8, 0.5, "z", "ink", size=12)
    board.text(0.55, 0.45, "random\nnumbers", "quiet", 9.5)
    board.box(1.85, 0.9, 0.95, 0.6, "G", "forward", "forward_fill", size=14, bold=True)
    board.box(3.1, 0.9, 0.8, 0.5, "fake", "ink", size=11)
    board.box(3.1, 2.2, 0.8, 0.5, "real", "accent", "accent_fill", size=11)
    board.box(4.45, 1.55, 0.95, 0.6, "D", "forward", "forward_fill", size=14, bold=True)
    board.text(4.45, 2.3, "probability", "quiet", 9.5)
    board.arrow((0.95, 0.98), (1.37, 0.98), gap=0.02)
    board.arrow((2.33, 0.98), (2.7, 0.98), gap=0.02)
    board.arrow((3.5, 1.0), (3.97, 1.42), gap=0.02)
    board.arrow((3.5, 2.15), (3.97, 1.72), gap=0.02)
    board.arrow((4.45, 1.25), (3.5, 0.72), "back", bend=-0.25, gap=0.03)
    board.arrow((2.7, 0.8), (2.33, 0.8), "back", gap=0.02)
    board.text(2.5, 0.3, "the generator's gradient", "back", 10)
    board.arrow((4.45, 1.86), (4.45, 2.16), "forward", gap=0.0)
    return board.figure


def _bell(x: np.ndarray, middle: float) -> np.ndarray:
    return np.exp(-((x - middle) ** 2) / 2) / np.sqrt(2 * np.pi)


def best_discriminator(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.6)
    axes = _gan_axes(board, (0.09, 0.12, 0.86, 0.78))
    x = np.linspace(-4, 6, 300)
    p, q = _bell(x, 0), _bell(x, 2)
    axes.fill_between(x, p, color=theme.accent, alpha=0.3, lw=0)
    axes.fill_between(x, q, color=theme.back, alpha=0.3, lw=0)
    axes.plot(x, p / (p + q), color=theme.forward, lw=2)
    _gan_label(axes, theme, -0.9, 0.12, "real $p$", "accent")
    _gan_label(axes, theme, 2.1, 0.12, "fake $q$", "back")
    _gan_label(axes, theme, -3.9, 0.9, "$D^*$", "forward")
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    return board.figure


def _js(distance: float) -> float:
    x = np.linspace(-12, 12 + distance, 6000)
    p, q = _bell(x, 0) + 1e-300, _bell(x, distance) + 1e-300
    m = (p + q) / 2
    return float(np.sum(p * np.log(p / m) + q * np.log(q / m)) * (x[1] - x[0]) / 2)


def jensen_shannon(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.4)
    axes = _gan_axes(board, (0.1, 0.2, 0.85, 0.66), "divergence")
    distances = np.linspace(0, 12, 60)
    axes.plot(distances, [_js(d) for d in distances], color=theme.forward, lw=2)
    axes.axhline(np.log(2), color=theme.quiet, lw=1, ls="--")
    _gan_label(axes, theme, 0.1, np.log(2) - 0.07, r"$\log 2$", "quiet")
    _gan_label(axes, theme, 7.3, 0.58, "no slope: no way to go", "back")
    axes.set_xlabel("distance of fakes from real pictures", color=theme.quiet, fontsize=10)
    axes.set_ylim(0, 0.75)
    return board.figure


def saturation(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.6)
    axes = _gan_axes(board, (0.09, 0.19, 0.86, 0.68), "size of the gradient")
    logit = np.linspace(-8, 4, 200)
    prob = 1 / (1 + np.exp(-logit))
    axes.plot(logit, prob, color=theme.back, lw=2)
    axes.plot(logit, 1 - prob, color=theme.forward, lw=2)
    _gan_label(axes, theme, -7.9, 0.88, r"$-\log D$", "forward")
    _gan_label(axes, theme, -7.9, 0.12, r"$\log(1 - D)$", "back")
    axes.set_xlabel("the discriminator's logit of a fake", color=theme.quiet, fontsize=10)
    return board.figure


def dcgan(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 3.7)
    sizes = [("100", 0.3), ("512\n8×8", 0.62), ("256\n16×16", 0.82), ("128\n32×32", 1.05)]
    sizes.append(("3\n64×64", 1.3))
    xs = [0.35, 1.2, 2.2, 3.3, 4.4]
    for top, color, ends in ((2.75, "forward", sizes), (0.95, "back", [("1", 0.3), *sizes[1:]])):
        for x, (text, height) in zip(xs, ends, strict=True):
            board.box(
                x, top, 0.78 if height > 0.3 else 0.5, height, text, color, f"{color}_fill", size=10
            )
    board.text(0.1, 3.5, "generator", "forward", 11, ha="left", bold=True)
    board.text(0.1, 1.95, "discriminator", "back", 11, ha="left", bold=True)
    for left, right in itertools.pairwise(xs):
        near = 0.27 if left == xs[0] else 0.41
        board.arrow((left + near, 2.75), (right - 0.41, 2.75), "forward", gap=0.01, width=1.3)
        board.arrow((right - 0.41, 0.95), (left + near, 0.95), "back", gap=0.01, width=1.3)
    board.text(2.55, 0.17, "no batch norm where a block touches the picture", "quiet", 9.5)
    return board.figure


def galaxies(theme: Theme) -> Figure:
    board, data = Board(theme, 5.1, 4.35), _gans()
    board.text(0.1, 4.2, "real", "accent", 11, ha="left", bold=True)
    _pictures(board, data["galaxies_real"], 8, 0.1, 4.05, 4.9)
    board.text(0.1, 2.05, "by the generator", "back", 11, ha="left", bold=True)
    _pictures(board, data["galaxies_samples"], 8, 0.1, 1.9, 4.9)
    return board.figure


def gan_training(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.1)
    _course(board, "good", 0.14, 0.7)
    return board.figure


def gan_digits(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.06)
    _pictures(board, _gans()["good_samples"], 10, 0.1, 1.99, 4.9)
    return board.figure


def layers_speed(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 1.8)
    axes = _gan_axes(board, (0.33, 0.08, 0.5, 0.84))
    axes.grid(False)
    rows = [("torch, channels last", "accent"), ("torch, channels first", "forward")]
    rows.append(("of the course", "back"))
    for y, ((_, color), ms) in enumerate(zip(rows, _gans()["layers_ms"], strict=True)):
        axes.barh(-y, ms, 0.55, color=theme[color])
        axes.annotate(
            f"{ms:.0f} ms",
            (ms, -y),
            (5, 0),
            textcoords="offset points",
            fontsize=11,
            color=theme[color],
            va="center",
            annotation_clip=False,
        )
    axes.set_yticks([0, -1, -2], [name for name, _ in rows])
    axes.set_xticks([])
    return board.figure


def _bug(theme: Theme, name: str) -> Figure:
    board = Board(theme, 5.1, 3.25)
    _course(board, name, 0.45, 0.45)
    _pictures(board, _gans()[f"{name}_samples"][:20], 10, 0.1, 1.05, 4.9)
    return board.figure


def bug_generator(theme: Theme) -> Figure:
    return _bug(theme, "generator")


def bug_optimizers(theme: Theme) -> Figure:
    return _bug(theme, "optimizers")


def bug_discriminator(theme: Theme) -> Figure:
    return _bug(theme, "discriminator")


def gan_paths(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 1.98)
    _pictures(board, _gans()["good_paths"], 8, 0.1, 1.9, 4.9)
    return board.figure


def scatter(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 3.3)
    size = 0.45
    board.text(0.1, 3.1, "input", "forward", 11, ha="left", bold=True)
    for i, (value, copy) in enumerate(((1, (1, 0, 3)), (2, (2, 0, 6)), (0, (0, 0, 0)))):
        y = 2.85 - 0.62 * i
        board.cells(0.1, y, [[value]], size=size)
        board.text(1.3, y - size / 2, f"{value} · (1, 0, 3)", "quiet", 10)
        board.cells(2.2 + size * i, y, [copy], "back", "back_fill", size=size)
    board.line([(2.1, 0.92), (4.6, 0.92)], "ink")
    board.text(0.1, 0.55, "output: the sum", "accent", 11, ha="left", bold=True)
    board.cells(2.2, 0.78, [[1, 2, 3, 6, 0]], "accent", "accent_fill", size=size)
    return board.figure


def fractional_stride(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 1.0)
    size = 0.45
    board.cells(0.1, 0.72, [[1, 2, 3]], size=size)
    board.arrow((1.5, 0.5), (2.3, 0.5), "ink", gap=0.05)
    board.cells(2.4, 0.72, [[1, "", 2, "", 3]], "accent", "accent_fill", size=size)
    for i in (1, 3):
        board.text(2.4 + size * (i + 0.5), 0.48, "0", "quiet", 11)
    return board.figure


FIGURES: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        gan_game,
        best_discriminator,
        jensen_shannon,
        saturation,
        dcgan,
        galaxies,
        gan_training,
        gan_digits,
        layers_speed,
        bug_generator,
        bug_optimizers,
        bug_discriminator,
        gan_paths,
        scatter,
        fractional_stride,
    )
}
