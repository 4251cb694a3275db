"""The figures of 0.5 VAEs & GANs."""

import functools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path as Outline

from . import vaes
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


def _digit(board: Board, x: float, y: float, size: float, image: np.ndarray) -> None:
    """Draw a digit with its upper left corner at (x, y), as two shades."""
    places = (np.arange(28) + 0.5) * size / 28
    if image.max() < 20:
        return
    board.axes.contourf(
        x + places,
        y - places,
        image.astype(float),
        levels=[55, 130, 256],
        colors=[board.theme.ink],
        alpha=1.0,
        zorder=3,
    ).set_alpha([0.35, 0.95])


def _pixels(board: Board, x: float, y: float, size: float, image: np.ndarray) -> None:
    """Draw a picture that is too rough for outlines, pixel by pixel in two shades."""
    from matplotlib.patches import PathPatch

    side = size / 28
    square = np.array([(0, 0), (1, 0), (1, -1), (0, -1), (0, 0)]) * side
    codes = [Outline.MOVETO, *[Outline.LINETO] * 3, Outline.CLOSEPOLY]
    for low, high, alpha in ((70, 170, 0.4), (170, 256, 0.9)):
        cells = np.argwhere((image >= low) & (image < high))
        if len(cells):
            corners = np.stack([x + cells[:, 1] * side, y - cells[:, 0] * side], axis=1)
            points = (square + corners[:, None]).reshape(-1, 2)
            shade = PathPatch(Outline(points, codes * len(cells)), fc=board.theme.ink, lw=0,
                              alpha=alpha, zorder=3)  # fmt: skip
            board.axes.add_patch(shade)


def _digit_rows(
    board: Board, x: float, y: float, size: float, images: np.ndarray, n_cols: int
) -> None:
    for i, image in enumerate(images):
        _digit(board, x + i % n_cols * size, y - i // n_cols * size, size, image)


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
    _digit(board, 0.05, y + 0.4, 0.8, data["holdout"][2])
    _digit(board, 4.25, y + 0.4, 0.8, data["ae_made"][2])
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
        _digit_rows(board, 1.0, y, 0.405, data[name], 10)
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
        _digit_rows(board, 0.1, y - 0.2, 0.61, data[f"{name}_samples"], 8)
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
    _digit_rows(board, 0.5, 4.25, 0.53, data["vae_grid"], 7)
    for i, value in enumerate(np.linspace(-2, 2, 7)):
        label = f"{value:.1f}".replace("-", "−")
        board.text(0.77 + 0.53 * i, 0.4, label, "quiet", 9.5)
        board.text(0.42, 0.8 + 0.53 * i, label, "quiet", 9.5, ha="right")
    board.text(2.35, 0.13, "first latent number", "quiet", 10)
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
        for j in range(6):
            draw = _pixels if name == "noisy" else _digit
            draw(board, 0.9 + 0.7 * j, y, 0.66, data[name][j])
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
    _digit_rows(board, 2.42, 2.9, 0.44, data["hierarchical"], 6)
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
        pca,
        betas,
        denoised,
        sparse,
        hierarchy,
    )
}
