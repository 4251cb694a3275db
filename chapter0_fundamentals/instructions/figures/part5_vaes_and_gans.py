"""The figures of 0.5 VAEs & GANs."""

import functools
import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from . import gans, vaes
from .theme import Board, Draw, Theme

# Colours of the digits 0 to 9 that stand out from light and from dark paper.
DIGIT_COLOURS = [
    *("#3b7dd8", "#e07b1a", "#2f9e58", "#d1495b", "#8f6fd1"),
    *("#9c6b4f", "#d864b5", "#808080", "#a0a020", "#1aa0b0"),
]

# Helpers of the autoencoders


@functools.cache
def _trained() -> dict[str, np.ndarray]:
    with np.load(vaes.FILE) as file:
        return dict(file)


def _panel(board: Board, box: tuple[float, float, float, float]) -> Axes:
    """Put a plot on a board."""
    axes, theme = board.figure.add_axes(box), board.theme
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(theme.line)
    axes.tick_params(colors=theme.quiet, labelsize=9.5, length=3)
    return axes


def _digits(
    board: Board, x: float, y: float, size: float, images: np.ndarray, n_cols: int = 1
) -> None:
    """Draw digits in ink side by side; the upper left corner of the first is at (x, y)."""
    n_rows = -(-len(images) // n_cols)
    sheet = np.zeros((n_rows * n_cols, 28, 28))
    sheet[: len(images)] = images / 255
    sheet = sheet.reshape(n_rows, n_cols, 28, 28).swapaxes(1, 2).reshape(n_rows * 28, n_cols * 28)
    colours = np.empty((*sheet.shape, 4))
    colours[..., :3], colours[..., 3] = to_rgb(board.theme.ink), sheet
    _image(board, colours, (x, x + n_cols * size, y - n_rows * size, y))


def _image(board: Board, pixels: np.ndarray, extent: tuple[float, float, float, float]) -> None:
    """Put pixels in the drawing as they are; the browser makes them larger."""
    board.axes.imshow(pixels, extent=extent, interpolation="none", zorder=3, aspect="auto")


# Home


def overview(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.75)
    parts = [
        ("Autoencoder", "a picture, five numbers, the picture again", "forward"),
        ("VAE", "the five numbers become a place to draw from", "forward"),
        ("Generator and discriminator", "one makes pictures, the other tells them apart", "back"),
        ("DCGAN", "both at once, with convolutions", "back"),
        ("Bonus", "more autoencoders; transposed convolutions by hand", "accent"),
    ]
    for i, (name, what, color) in enumerate(parts):
        y = 3.35 - 0.73 * i
        board.box(2.5, y, 4.7, 0.61, color=color, fill=f"{color}_fill")
        board.text(0.35, y + 0.11, name, color, 12, ha="left", bold=True)
        board.text(0.35, y - 0.13, what, "ink", 10, ha="left")
    return board.figure


# Autoencoders


def _trapezium(board: Board, x: float, y: float, left: float, right: float, color: str) -> None:
    """Draw a network that gets narrower or wider from left to right."""
    width = 1.15
    corners = [(x, y + left / 2), (x + width, y + right / 2), (x + width, y - right / 2),
               (x, y - left / 2)]  # fmt: skip
    board.axes.fill(*zip(*corners, strict=True), fc=board.theme[f"{color}_fill"],
                    ec=board.theme[color], lw=1.3, zorder=2)  # fmt: skip


def autoencoder(theme: Theme) -> Figure:
    board, data = Board(theme, 5.1, 2.3), _trained()
    y = 1.3
    _digits(board, 0.05, y + 0.4, 0.8, data["holdout"][2:3])
    _digits(board, 4.25, y + 0.4, 0.8, data["ae_made"][2:3])
    _trapezium(board, 1.0, y, 1.6, 0.5, "forward")
    _trapezium(board, 2.95, y, 0.5, 1.6, "back")
    board.text(1.57, y, "encoder", "forward", 11)
    board.text(3.53, y, "decoder", "back", 11)
    board.box(2.55, y, 0.44, 1.0, color="accent", fill="accent_fill")
    code = data["ae_latents"][np.argmax(data["labels"] == 2)]  # of the held-out 2
    for i, number in enumerate(code):
        board.text(2.55, y + 0.36 - 0.18 * i, f"{number:.1f}".replace("-", "−"), "accent", 9)
    board.text(0.45, 0.3, "784 pixels", "quiet", 10)
    board.text(2.55, 0.3, "5 numbers:\nthe code", "accent", 10)
    board.text(4.65, 0.3, "784 pixels", "quiet", 10)
    return board.figure


def ae_layers(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 3.1)
    rows = [
        ("1 × 28 × 28", "picture"),
        ("16 × 14 × 14", "convolution, ReLU"),
        ("32 × 7 × 7", "convolution, ReLU"),
        ("128", "flatten, linear, ReLU"),
        ("5", "linear"),
    ]
    ways = {"forward": "encoder, downwards", "back": "decoder, upwards"}
    for side, color in enumerate(ways):
        x = 1.15 + 2.8 * side
        board.text(x, 2.92, ways[color], color, 11, bold=True)
        for i, (shape, _) in enumerate(rows):
            y = 2.52 - 0.55 * i
            board.box(x, y, 2.0 - 0.34 * i if i < 4 else 0.8, 0.34, shape, color, f"{color}_fill",
                      size=9.5)  # fmt: skip
            if i and side == 0:
                board.arrow((x, y + 0.55), (x, y), color, gap=(0.17, 0.17), width=1.2)
            elif i:
                board.arrow((x, y), (x, y + 0.55), color, gap=(0.17, 0.17), width=1.2)
    for i, name in enumerate(("conv", "conv", "linear", "linear")):
        board.text(2.55, 2.25 - 0.55 * i, name, "quiet", 10)
    return board.figure


def reconstructions(theme: Theme) -> Figure:
    board, data = Board(theme, 5.1, 1.75), _trained()
    for i, (name, label) in enumerate(
        (("holdout", "held out"), ("ae_made", "autoencoder"), ("vae_made", "VAE"))
    ):
        y = 1.68 - 0.55 * i
        board.text(0.9, y - 0.24, label, ("ink", "forward", "accent")[i], 10, ha="right")
        _digits(board, 1.0, y, 0.405, data[name], 10)
    return board.figure


def latent_spaces(theme: Theme) -> Figure:
    board, data = Board(theme, 5.1, 2.95), _trained()
    for i, (name, title) in enumerate((("ae", "autoencoder"), ("vae", "VAE"))):
        axes = _panel(board, (0.08 + 0.47 * i, 0.2, 0.4, 0.68))
        points = data[f"{name}_latents"]
        for digit, colour in enumerate(DIGIT_COLOURS):
            chosen = points[data["labels"] == digit]
            axes.scatter(chosen[:, 0], chosen[:, 1], s=7, c=colour, lw=0)
        limit = float(np.abs(points[:, :2]).max()) * 1.1
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit))
        axes.set_title(title, color=theme.ink, fontsize=10.5, loc="left")
    for digit, colour in enumerate(DIGIT_COLOURS):
        board.axes.text(0.9 + 0.37 * digit, 0.18, f"{digit}", color=colour, weight="bold",
                        fontsize=11, ha="center", va="center")  # fmt: skip
    return board.figure


def new_digits(theme: Theme) -> Figure:
    board, data = Board(theme, 5.1, 3.0), _trained()
    for i, (name, label) in enumerate((("ae", "autoencoder's decoder"), ("vae", "VAE's decoder"))):
        y = 2.93 - 1.5 * i
        board.text(0.1, y - 0.08, label, ("forward", "accent")[i], 10.5, ha="left", bold=True)
        _digits(board, 0.1, y - 0.2, 0.61, data[f"{name}_samples"], 8)
    return board.figure


# VAEs


def vae(theme: Theme) -> Figure:
    board, y = Board(theme, 5.1, 2.6), 1.45
    _trapezium(board, 0.55, y, 1.6, 0.8, "forward")
    _trapezium(board, 3.5, y, 0.5, 1.6, "back")
    board.text(1.1, y, "encoder", "forward", 11)
    board.text(4.1, y, "decoder", "back", 11)
    board.text(0.28, y, "$x$", "ink", 14)
    board.text(4.87, y, "$x'$", "ink", 14)
    board.node(2.15, y + 0.45, r"$\mu$", "forward", "forward_fill")
    board.node(2.15, y - 0.45, r"$\sigma$", "forward", "forward_fill")
    board.node(2.15, 0.32, r"$\varepsilon$", "ink", "paper")
    board.node(3.05, y, "$z$", "accent", "accent_fill")
    board.arrow((1.7, y + 0.3), (2.15, y + 0.45), "forward", gap=(0.02, 0.29))
    board.arrow((1.7, y - 0.3), (2.15, y - 0.45), "forward", gap=(0.02, 0.29))
    for start in ((2.15, y + 0.45), (2.15, y - 0.45)):
        board.arrow(start, (3.05, y), "forward", gap=0.29)
    board.arrow((2.15, 0.32), (3.05, y), "ink", gap=0.29, dashed=True)
    board.arrow((3.05, y), (3.5, y), "accent", gap=(0.29, 0.01))
    board.text(2.55, 0.3, "drawn from N(0, 1)", "quiet", 10, ha="left")
    return board.figure


def gaussian_kl(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.5)
    board.figure.delaxes(board.axes)
    x = np.linspace(-4, 4, 161)

    def bell(mean: float, sigma: float) -> np.ndarray:
        return np.exp(-((x - mean) ** 2) / (2 * sigma**2)) / sigma / np.sqrt(2 * np.pi)

    for i, (mean, sigma) in enumerate(((0, 1), (1.5, 1), (0, 0.3))):
        axes = _panel(board, (0.02 + 0.33 * i, 0.2, 0.3, 0.62))
        axes.fill_between(x, bell(0, 1), color=theme.line, alpha=0.5, lw=0)
        axes.plot(x, bell(mean, sigma), color=theme.forward, lw=2)
        axes.spines["left"].set_visible(False)
        axes.set(yticks=[], ylim=(0, 1.4), xticks=(-3, 0, 3))
        nats = (mean**2 + sigma**2 - 1) / 2 - np.log(sigma)
        title = f"$\\mu={mean}$, $\\sigma={sigma}$\nKL = {nats:.2f} nats"
        axes.set_title(title, color=theme.ink, fontsize=10.5)
    return board.figure


def elbo(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.3)
    board.box(2.55, 1.85, 4.8, 0.46, r"$\log p(x)$: fixed for a decoder", "ink", size=11)
    board.box(1.95, 1.25, 3.6, 0.46, "ELBO: what we can compute", "accent", "accent_fill", size=11)
    board.box(4.37, 1.25, 1.16, 0.46, "gap ≥ 0", "back", "back_fill", size=11)
    board.text(1.95, 0.72, "reconstruction − KL(q(z|x) ‖ p(z))", "accent", 10.5)
    board.text(4.37, 0.66, "KL(q(z|x)\n‖ p(z|x))", "back", 10)
    board.text(2.55, 0.17, "raise the ELBO: the bar grows, or the gap closes", "quiet", 10.5)
    return board.figure


def vae_training(theme: Theme) -> Figure:
    board, data = Board(theme, 5.1, 2.6), _trained()
    board.figure.delaxes(board.axes)
    for i, (row, title, colour) in enumerate(
        (("reconstruction", "mean squared difference", "forward"), ("kl", "KL, nats", "back"))
    ):
        axes = _panel(board, (0.08 + 0.48 * i, 0.2, 0.41, 0.66))
        axes.plot(data[f"vae_{row}"], color=theme[colour], lw=1)
        if i == 0:
            axes.plot(data["ae_loss"], color=theme.quiet, lw=1)
            axes.text(330, 0.17, "autoencoder", color=theme.quiet, fontsize=9.5)
            axes.text(330, 0.5, "VAE", color=theme.forward, fontsize=9.5)
        axes.set_ylim(bottom=0)
        axes.set_title(title, color=theme.ink, fontsize=10.5, loc="left")
        axes.set_xlabel("step", color=theme.quiet, fontsize=10, labelpad=1)
    return board.figure


def vae_grid(theme: Theme) -> Figure:
    board, data = Board(theme, 4.4, 4.3), _trained()
    _digits(board, 0.5, 4.25, 0.53, data["vae_grid"], 7)
    for i, value in enumerate(np.linspace(-2, 2, 7)):
        label = f"{value:.1f}".replace("-", "−")
        board.text(0.77 + 0.53 * i, 0.4, label, "quiet", 9.5)
        board.text(0.42, 0.8 + 0.53 * i, label, "quiet", 9.5, ha="right")
    board.text(2.35, 0.13, "first latent number", "quiet", 10)
    return board.figure


# GANs


@functools.cache
def _gans() -> dict[str, np.ndarray]:
    with np.load(gans.FILE) as file:
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
    _image(board, colours, extent)


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
    board = Board(theme, 5.1, 3.3)
    rows = [("torch, channels last", "accent"), ("torch, channels first", "forward")]
    rows.append(("of the course", "back"))
    for bottom, title, key in (
        (0.5, "DCGAN: 32 pictures of 3 × 32 × 32", "layers_ms"),
        (0.0, "VAE: 128 digits of 28 × 28", "layers_vae_ms"),
    ):
        axes = _gan_axes(board, (0.33, bottom + 0.03, 0.5, 0.35), title)
        axes.grid(False)
        for y, ((_, color), ms) in enumerate(zip(rows, _gans()[key], strict=True)):
            axes.barh(-y, ms, 0.55, color=theme[color])
            axes.annotate(f"{ms:.0f} ms", (ms, -y), (5, 0), textcoords="offset points", va="center",
                          fontsize=11, color=theme[color], annotation_clip=False)  # fmt: skip
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


# Bonus: more autoencoders


def pca(theme: Theme) -> Figure:
    board, data = Board(theme, 5.1, 2.9), _trained()
    axes = _panel(board, (0.08, 0.14, 0.5, 0.76))
    for digit, colour in enumerate(DIGIT_COLOURS):
        chosen = data["ae_coordinates"][data["labels"] == digit]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=7, c=colour, lw=0)
        board.axes.text(3.03, 2.55 - 0.22 * digit, f"{digit}", color=colour, weight="bold",
                        fontsize=10, ha="center", va="center")  # fmt: skip
    axes.set_title("along the first two directions", color=theme.ink, fontsize=10, loc="left")
    bars = _panel(board, (0.7, 0.14, 0.28, 0.76))
    for i, (name, colour) in enumerate((("ae", "forward"), ("vae", "accent"))):
        shares = data[f"{name}_variances"] / data[f"{name}_variances"].sum()
        bars.bar(np.arange(1, 6) + 0.4 * i - 0.2, shares, 0.38, color=theme[colour])
    bars.set_title("share of variance", color=theme.ink, fontsize=10, loc="left")
    bars.set(xticks=range(1, 6), yticks=(0, 0.1, 0.2, 0.3), ylim=(0, 0.37))
    bars.set_yticklabels(["0", "10 %", "20 %", "30 %"])
    bars.text(2.6, 0.33, "autoencoder", color=theme.forward, fontsize=9)
    bars.text(2.6, 0.3, "VAE", color=theme.accent, fontsize=9)
    return board.figure


def betas(theme: Theme) -> Figure:
    board, nats = Board(theme, 5.1, 2.5), _trained()["nats"]
    board.figure.delaxes(board.axes)
    axes = _panel(board, (0.1, 0.2, 0.87, 0.72))
    for i, (beta, colour) in enumerate(zip(vaes.BETAS, ("forward", "accent", "back"), strict=True)):
        places = np.arange(1, 11) + 0.27 * (i - 1)
        axes.bar(places, np.maximum(nats[i], 0.015), 0.25, color=theme[colour])
        axes.text(10.5, 3.0 - 0.3 * i, f"beta_kl = {beta:g}", color=theme[colour], fontsize=10,
                  ha="right")  # fmt: skip
    axes.set(xticks=range(1, 11), ylim=(0, 3.5))
    axes.set_ylabel("KL, nats", color=theme.quiet, fontsize=10)
    axes.set_xlabel("latent dimension, sorted", color=theme.quiet, fontsize=10, labelpad=1)
    return board.figure


def denoised(theme: Theme) -> Figure:
    board, data = Board(theme, 5.1, 2.3), _trained()
    for i, (name, label) in enumerate(
        (("holdout", "clean"), ("noisy", "seen"), ("denoised", "made"))
    ):
        y = 2.25 - 0.75 * i
        board.text(0.75, y - 0.35, label, ("quiet", "back", "forward")[i], 10.5, ha="right")
        _digits(board, 0.9, y, 0.7, data[name][:6], 6)
    return board.figure


def sparse(theme: Theme) -> Figure:
    board, data = Board(theme, 5.1, 2.3), _trained()
    board.figure.delaxes(board.axes)
    axes = _panel(board, (0.14, 0.22, 0.83, 0.7))
    for l1, colour in zip(vaes.L1, ("quiet", "forward"), strict=True):
        counts = data[f"in_use_{l1}"]
        axes.hist(counts, bins=np.arange(-0.5, 65.5), color=theme[colour], alpha=0.75)
        axes.text(counts.mean(), axes.get_ylim()[1], f"l1 = {l1:g}", color=theme[colour],
                  fontsize=10, ha="center", va="bottom")  # fmt: skip
    axes.set_ylim(top=axes.get_ylim()[1] * 1.12)
    axes.set_xlabel("latent numbers in use, of 64", color=theme.quiet, fontsize=10, labelpad=1)
    axes.set_ylabel("digits", color=theme.quiet, fontsize=10)
    return board.figure


def vae_galaxies(theme: Theme) -> Figure:
    board, data = Board(theme, 5.1, 3.45), _trained()
    for name, label, color, y in (
        ("holdout", "held out", "ink", 3.4),
        ("made", "made of 32 numbers each", "forward", 2.48),
        ("samples", "drawn: made of random numbers", "accent", 1.56),
    ):
        board.text(0.1, y - 0.1, label, color, 10.5, ha="left", bold=True)
        _pictures(board, data[f"galaxies_{name}"], 8, 0.1, y - 0.24, 4.9)
    return board.figure


def hierarchy(theme: Theme) -> Figure:
    board, data = Board(theme, 5.1, 3.1), _trained()
    for i, (label, color) in enumerate(
        (("top: 2 numbers", "back"), ("latents: 10 numbers", "accent"), ("picture", "ink"))
    ):
        y = 2.7 - 1.1 * i
        fill = "paper" if color == "ink" else f"{color}_fill"
        board.box(0.98, y, 1.8, 0.42, label, color, fill, size=10)
        if i < 2:
            board.arrow((0.6, y), (0.6, y - 1.1), "back", gap=0.22)
            board.arrow((1.5, y - 1.1), (1.5, y), "forward", gap=0.22)
            name = ("prior", "decoder")[i], ("top_encoder", "encoder")[i]
            board.text(0.68, y - 0.55, name[0], "back", 9, ha="left")
            board.text(1.58, y - 0.55, name[1], "forward", 9, ha="left")
    _digits(board, 2.42, 2.9, 0.44, data["hierarchical"], 6)
    return board.figure


FIGURES: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        overview,
        autoencoder,
        ae_layers,
        reconstructions,
        latent_spaces,
        new_digits,
        vae,
        elbo,
        gaussian_kl,
        vae_training,
        vae_grid,
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
        pca,
        betas,
        denoised,
        sparse,
        vae_galaxies,
        hierarchy,
    )
}
