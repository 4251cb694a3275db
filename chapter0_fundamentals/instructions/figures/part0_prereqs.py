"""The figures of 0.0 Prerequisites."""

import functools
import itertools

import numpy as np
from contourpy import contour_generator
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, PathPatch, Polygon, Rectangle
from matplotlib.path import Path
from part0_prereqs.utils import einops_target, load_digits

from .theme import Board, Draw, Theme

Rows = list[tuple[str, tuple[int, ...]]]


def overview(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 4.15)
    # 2: cannot do without it; 1: comes up.
    topics: Rows = [
        ("arrays and einops", (2, 2, 2, 2, 2)),
        ("Python", (1, 2, 2, 2, 2)),
        ("linear algebra", (2, 1, 1, 2, 1)),
        ("neural networks", (0, 2, 2, 2, 2)),
        ("calculus", (0, 1, 2, 2, 1)),
        ("probability", (0, 1, 1, 1, 2)),
        ("information theory", (0, 2, 1, 2, 2)),
        ("plots", (2, 1, 2, 1, 2)),
        ("git, shell, editor", (1, 1, 1, 1, 1)),
    ]
    sections = ["rays", "CNNs", "SGD", "backprop", "VAEs"]
    left, step, top = 2.0, 0.66, 3.45
    for j, name in enumerate(sections):
        x = left + j * step
        board.text(x, 3.98, f"0.{j + 1}", "ink", 11, bold=True)
        board.text(x, 3.76, name, "quiet", 10)
    for i, (topic, uses) in enumerate(topics):
        y = top - 0.4 * i
        board.line([(0.1, y - 0.2), (4.98, y - 0.2)], "line", 0.6)
        board.text(0.1, y, topic, "ink", 11, ha="left")
        for j, use in enumerate(uses):
            if use:
                color = "accent" if use == 2 else "forward"
                board.node(left + j * step, y, "", color, f"{color}_fill", 0.05 + 0.045 * use)
    return board.figure


# Mathematics


def network(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.0)
    columns = [
        [(0.45, y) for y in (2.35, 1.55, 0.75)],
        [(2.3, y) for y in (2.7, 1.95, 1.2, 0.45)],
        [(4.1, y) for y in (1.95, 1.2)],
    ]
    marked = columns[1][1]
    for left, right in itertools.pairwise(columns):
        for start in left:
            for end in right:
                if end != marked:
                    board.line([start, end], "line", 0.9)
    for k, start in enumerate(columns[0], start=1):
        board.arrow(start, marked, "back", gap=(0.27, 0.25), width=1.8)
        x, y = start[0] + 0.62, start[1] + 0.34 * (marked[1] - start[1]) + 0.17
        board.text(x, y, f"$w_{k}$", "back", 13)
    for k, (x, y) in enumerate(columns[0], start=1):
        board.node(x, y, f"$x_{k}$", "forward", "forward_fill", 0.24, 13)
    for x, y in columns[1]:
        color = "back" if (x, y) == marked else "ink"
        board.node(x, y, "$a$" if color == "back" else "", color, _fill(color), 0.22, 13)
    for k, (x, y) in enumerate(columns[2], start=1):
        board.node(x, y, f"$y_{k}$", "forward", "forward_fill", 0.24, 13)
    for x, name in ((0.45, "input"), (2.3, "hidden"), (4.1, "output")):
        board.text(x, 0.1, name, "quiet", 10.5)
    return board.figure


def _fill(color: str) -> str:
    return "paper" if color in ("ink", "quiet", "line") else f"{color}_fill"


def xor(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.75)
    unit = 0.84
    points = {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 0}
    places = {(0, 0): (0, 0), (0, 1): (1, 0), (1, 0): (1, 0), (1, 1): (2, 1)}
    for x0, title, names in (
        (0.75, "the inputs", ("$x_1$", "$x_2$")),
        (2.85, "the hidden neurons", ("$h_1$", "$h_2$")),
    ):
        across = 1.3 if x0 < 1 else 2.05
        board.text(x0 + across / 2, 2.6, title, "ink", 11, bold=True)
        board.arrow((x0 - 0.25, 0.6), (x0 + across, 0.6), "quiet", gap=0, width=1)
        board.arrow((x0, 0.35), (x0, 2.25), "quiet", gap=0, width=1)
        board.text(x0 + across - 0.02, 0.4, names[0], "quiet", 12)
        board.text(x0 - 0.22, 2.15, names[1], "quiet", 12)
    for (a, b), kind in points.items():
        color = "back" if kind else "forward"
        board.node(0.75 + unit * a, 0.6 + unit * b, f"{kind}", color, f"{color}_fill", 0.16, 11)
        h1, h2 = places[a, b]
        x, y = 2.85 + unit * h1, 0.6 + unit * h2
        board.node(x, y, f"{kind}", color, f"{color}_fill", 0.16, 11)
    board.text(3.95, 0.24, "two points in one", "quiet", 10)
    # h₁ − 2h₂ = ½: where the output is halfway.
    board.line([(2.85 + unit * (0.5 + 2 * h), 0.6 + unit * h) for h in (-0.3, 0.97)], "accent", 2)
    return board.figure


def matrix_product(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.75)
    size = 0.44
    left, right = [[1, 0, 2], [3, 1, 1]], [[4, 2], [1, 5], [0, 1]]
    out = (np.array(left) @ np.array(right)).tolist()
    board.cells(0.1, 1.2, left, "line", "paper", size)
    board.cells(0.1, 1.2, left[:1], "forward", "forward_fill", size)
    board.cells(1.85, 2.65, right, "line", "paper", size)
    board.cells(1.85 + size, 2.65, [[row[1]] for row in right], "back", "back_fill", size)
    board.cells(1.85, 1.2, out, "line", "paper", size)
    board.cells(1.85 + size, 1.2, [[out[0][1]]], "accent", "accent_fill", size)
    board.text(0.76, 0.14, "(2, 3)", "quiet", 10.5)
    board.text(1.42, 2.0, "(3, 2)", "quiet", 10.5)
    board.text(2.29, 0.14, "(2, 2)", "quiet", 10.5)
    board.text(3.02, 1.28, "1 · 2", "ink", 11.5, ha="left")
    board.text(3.02, 1.02, "+ 0 · 5", "ink", 11.5, ha="left")
    board.text(3.02, 0.76, "+ 2 · 1  =  4", "ink", 11.5, ha="left")
    board.text(3.02, 1.6, "row meets column", "ink", 11, ha="left", bold=True)
    return board.figure


def linear_map(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.7)
    matrix = np.array([[1.5, -0.5], [0.5, 1.0]])
    unit = 0.47
    for origin, m, names in (
        ((0.72, 0.72), np.eye(2), ("(1, 0)", "(0, 1)")),
        ((3.3, 0.78), matrix, ("(1.5, 0.5)", "(−0.5, 1)")),
    ):
        here = functools.partial(_mapped, np.array(origin), unit * m)
        for k in (-1, 0, 1, 2):
            board.line([here(k, -1), here(k, 2)], "line", 0.9)
            board.line([here(-1, k), here(2, k)], "line", 0.9)
        square = [here(0, 0), here(1, 0), here(1, 1), here(0, 1)]
        board.axes.add_patch(Polygon(square, fc=theme.accent_fill, ec="none", zorder=1))
        board.arrow(here(0, 0), here(1, 0), "forward", gap=0, width=2)
        board.arrow(here(0, 0), here(0, 1), "back", gap=0, width=2)
        area = abs(np.linalg.det(m))
        board.text(*here(0.5, 0.5), f"{area:.4g}", "accent", 11, bold=True)
        x, y = here(1, 0)
        board.text(x + 0.04, y - 0.17, names[0], "forward", 10, ha="left")
        x, y = here(0, 1)
        board.text(x - 0.06, y + 0.13, names[1], "back", 10, ha="right")
    board.arrow((1.65, 2.25), (2.25, 2.25), "ink", gap=0)
    board.text(1.95, 2.45, "$W$", "ink", 13)
    return board.figure


def _mapped(origin: np.ndarray, m: np.ndarray, x: float, y: float) -> tuple[float, float]:
    across, up = origin + m @ np.array([x, y])
    return float(across), float(up)


def mean_of_n(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.4)
    board.figure.delaxes(board.axes)
    one = np.full(6, 1 / 6)
    for i, n in enumerate((1, 2, 16)):
        axes = board.figure.add_axes((0.17, 0.71 - 0.29 * i, 0.8, 0.24))
        probs = functools.reduce(np.convolve, [one] * n)
        means = np.arange(n, 6 * n + 1) / n
        axes.bar(means, probs, width=0.82 / n, color=theme.forward_fill, ec=theme.forward, lw=0.9)
        sd = (35 / 12 / n) ** 0.5
        axes.plot([3.5 - sd, 3.5 + sd], [0, 0], color=theme.back, lw=4, clip_on=False, zorder=4)
        axes.set(xlim=(0.4, 6.6), ylim=(0, 1.3 * probs.max()), yticks=[], xticks=range(1, 7))
        axes.set_ylabel(
            f"n = {n}", color=theme.ink, fontsize=11, rotation=0, ha="right", va="center"
        )
        text = f"std {sd:.2f}"
        axes.text(1, 0.9, text, color=theme.back, fontsize=11, transform=axes.transAxes, ha="right")
        _plain(axes, theme)
        axes.spines["left"].set_visible(False)
        if i < 2:
            axes.set_xticklabels([])
    return board.figure


def _plain(axes: Axes, theme: Theme) -> None:
    """Take what is not needed from a plot's axes."""
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(theme.line)
    axes.tick_params(colors=theme.quiet, labelsize=9.5, length=3)


def descent(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 3.1)
    board.figure.delaxes(board.axes)
    axes = board.figure.add_axes((0.01, 0.12, 0.98, 0.87))
    x, y = np.meshgrid(np.linspace(-1.4, 4.9, 200), np.linspace(-1.45, 1.85, 120))
    axes.contour(
        x, y, x**2 + 10 * y**2, [0.5, 2, 5, 10, 17, 26, 37], colors=theme.line, linewidths=0.9
    )
    for lr, color, mark, label, place in (
        (0.1, "back", "s", "■ 0.1 jumps", 0.62),
        (0.01, "quiet", "^", "▲ 0.01 creeps", 0.02),
        (0.08, "forward", "o", "● 0.08 arrives", 0.32),
    ):
        path = [np.array([4.0, 1.0])]
        for _ in range(20):
            path.append(path[-1] - lr * np.array([2.0, 20.0]) * path[-1])
        axes.plot(*np.transpose(path), f"{mark}-", color=theme[color], ms=3.2, lw=1.2)
        board.figure.text(place, 0.045, label, color=theme[color], fontsize=11)
    arrow = FancyArrowPatch(
        (4.0, 1.0),
        (4.0 - 0.8 * 0.371, 1.0 - 0.8 * 0.928),
        arrowstyle="-|>,head_length=0.45,head_width=0.22",
        mutation_scale=14,
        lw=2,
        color=theme.accent,
        shrinkA=0,
        shrinkB=0,
        zorder=5,
    )
    axes.add_patch(arrow)
    axes.text(4.06, 1.1, "start", color=theme.ink, fontsize=10.5)
    axes.text(3.83, 0.15, r"$-\nabla f$", color=theme.accent, fontsize=13)
    axes.plot([0], [0], "+", color=theme.ink, ms=9)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return board.figure


def surprise(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.7)
    board.figure.delaxes(board.axes)
    axes = board.figure.add_axes((0.11, 0.2, 0.86, 0.7))
    p = np.linspace(0.0045, 1, 400)
    axes.plot(p, -np.log(p), color=theme.forward, lw=2)
    for value in (0.01, 0.1, 0.5, 0.9):
        y = -np.log(value)
        axes.plot([value], [y], "o", color=theme.back, ms=5)
        text = f"{y:.2f}" + (" at 0.01" if value == 0.01 else "")
        axes.text(value + 0.025, y + 0.22, text, color=theme.back, fontsize=11)
    axes.set(xlim=(0, 1.02), ylim=(0, 5.4), xticks=[0, 0.1, 0.5, 0.9, 1], yticks=[0, 2, 4])
    axes.set_xticklabels(["0", "0.1", "0.5", "0.9", "1"])
    axes.set_xlabel("probability $p$ that you gave it", color=theme.ink, fontsize=11)
    axes.set_title(r"surprise, $-\log p$", color=theme.ink, fontsize=11, loc="left")
    _plain(axes, theme)
    return board.figure


def kl(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.75)
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0.1, 0.45, 0.45])
    terms = p * np.log(p / q)
    for i in range(3):
        x = 0.35 + 1.25 * i
        for k, (value, color) in enumerate(((p[i], "forward"), (q[i], "back"))):
            left, height = x + 0.42 * k, 2.9 * value
            bar = Rectangle(
                (left, 0.85), 0.36, height, fc=theme[f"{color}_fill"], ec=theme[color], lw=1.3
            )
            board.axes.add_patch(bar)
            board.text(left + 0.18, 0.98 + height, f"{value:.2f}", color, 10)
        board.text(x + 0.39, 0.68, f"outcome {i}", "quiet", 9.5)
        sign = "+" if terms[i] > 0 else "−"
        board.text(x + 0.39, 0.3, f"{sign} {abs(terms[i]):.3f}", "accent", 12)
    board.line([(0.2, 0.85), (3.95, 0.85)], "quiet", 1)
    board.text(4.42, 0.3, f"= {terms.sum():.3f}", "accent", 12, bold=True)
    board.text(4.05, 2.35, "$p$  true", "forward", 12, ha="left")
    board.text(4.05, 2.05, "$q$  believed", "back", 12, ha="left")
    board.text(4.05, 0.62, r"$p\,\log(p/q)$", "accent", 11, ha="left")
    return board.figure


# Programming


def names(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.5)
    cases = [
        (0.1, "b = a", [("a", 0), ("b", 0)], [[1, 2, 3]]),
        (1.75, "b += [4]", [("a", 0), ("b", 0)], [[1, 2, 3, 4]]),
        (3.55, "b = b + [4]", [("a", 0), ("b", 1)], [[1, 2, 3], [1, 2, 3, 4]]),
    ]
    for x, code, labels, objects in cases:
        board.text(x, 2.33, code, "ink", 11, ha="left", code=True)
        tops = [1.1] if len(objects) == 1 else [1.1, 0.5]
        for top, values in zip(tops, objects, strict=True):
            board.cells(x, top, [values], "forward", "forward_fill", size=0.34, font=10.5)
        for name, target in labels:
            left = x + 0.26 + 0.66 * (name == "b")
            board.box(left, 1.82, 0.4, 0.34, name, "back", "back_fill", code=True)
            if target == 0:
                board.arrow((left, 1.65), (left, 1.1), "back", gap=(0, 0.02))
            else:
                around = x + 1.28
                board.line([(left + 0.2, 1.82), (around, 1.82), (around, 0.53)], "back", 1.6)
                board.arrow((around, 0.7), (around, 0.5), "back", gap=(0, 0.02))
    board.text(2.42, 0.36, "a sees it too", "quiet", 10)
    board.text(0.62, 0.36, "one object", "quiet", 10)
    return board.figure


def storage(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.75)
    size = 0.44
    board.text(0.1, 2.58, "x", "forward", 12, ha="left", code=True)
    board.cells(0.1, 2.38, [[0, 1, 2], [3, 4, 5]], "forward", "forward_fill", size)
    board.text(1.6, 2.18, "shape (2, 3)", "ink", 10.5, ha="left")
    board.text(1.6, 1.92, "stride (3, 1)", "forward", 10.5, ha="left")
    board.text(3.0, 2.58, "x.T", "back", 12, ha="left", code=True)
    board.cells(3.0, 2.38, [[0, 3], [1, 4], [2, 5]], "back", "back_fill", size)
    board.text(4.02, 2.05, "shape\n(3, 2)", "ink", 10.5, ha="left")
    board.text(4.02, 1.5, "stride\n(1, 3)", "back", 10.5, ha="left")
    board.cells(1.0, 0.66, [[0, 1, 2, 3, 4, 5]], "ink", "paper", size)
    board.text(0.88, 0.44, "memory", "quiet", 10.5, ha="right")
    board.arrow((1.22, 0.7), (2.54, 0.7), "forward", bend=-0.25, gap=0.02)
    board.text(1.75, 1.1, "next row of x: 3 further", "forward", 10)
    board.arrow((1.22, 0.19), (1.66, 0.19), "back", bend=0.5, gap=0.02)
    board.text(2.0, 0.1, "next row of x.T: 1 further", "back", 10, ha="left")
    return board.figure


def broadcast(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.8)
    size = 0.4
    board.text(0.1, 2.62, "shapes, aligned right", "ink", 11, ha="left", bold=True)
    for y, text, sizes, color in (
        (2.15, "a", "3   1", "forward"),
        (1.8, "b", "     4", "back"),
        (1.3, "a + b", "3   4", "accent"),
    ):
        board.text(0.1, y, text, color, 11.5, ha="left", code=True)
        board.text(1.75, y, sizes, color, 11.5, ha="right", code=True)
    board.line([(0.1, 1.55), (1.85, 1.55)], "quiet", 1)
    board.text(0.1, 0.75, "1 is stretched,\nmissing is read as 1", "quiet", 10, ha="left")
    column, row = [[0], [10], [20]], [[1, 2, 3, 4]]
    board.cells(2.3, 1.75, column, "forward", "forward_fill", size)
    board.cells(3.0, 2.4, row, "back", "back_fill", size)
    table = [[a[0] + b for b in row[0]] for a in column]
    board.cells(3.0, 1.75, table, "accent", "accent_fill", size)
    board.text(2.5, 2.2, "+", "ink", 15)
    board.text(2.5, 0.36, "(3, 1)", "forward", 10.5)
    board.text(4.85, 2.2, "(4,)", "back", 10.5)
    board.text(3.8, 0.36, "(3, 4)", "accent", 10.5)
    return board.figure


def pattern(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.35)
    before = [("(rows cols)", 0.72, "accent"), ("c h w", 1.66, "ink")]
    after = [("c", 2.66, "ink"), ("(rows h)", 3.34, "forward"), ("(cols w)", 4.32, "back")]
    for text, x, color in before + after:
        board.text(x, 1.2, text, color, 11.5, code=True)
    board.text(2.29, 1.2, "->", "ink", 11.5, code=True)
    board.text(0.72, 1.72, "6", "quiet", 11)
    board.text(1.68, 1.72, "3 150 150", "quiet", 10)
    for x, size in ((2.66, "3"), (3.34, "300"), (4.32, "450")):
        board.text(x, 1.72, size, "quiet", 11)
    board.text(0.72, 2.15, "split: 6 = 2 · 3", "accent", 10.5)
    board.text(3.85, 2.15, "merge: 2 · 150, 3 · 150", "ink", 10.5)
    for x, color in ((0.72, "accent"), (3.34, "forward"), (4.32, "back")):
        board.line([(x, 1.85), (x, 2.0)], color, 1.2)
        board.line([(x, 1.4), (x, 1.58)], color, 1.2)
    for x, width in ((0.72, 1.1), (3.34, 0.85), (4.32, 0.85)):
        board.line([(x - width / 2, 0.98), (x + width / 2, 0.98)], "line", 1)
    board.text(0.72, 0.74, "cols is faster", "quiet", 9.5)
    board.text(3.3, 0.74, "h is faster", "quiet", 9.5)
    board.text(4.36, 0.74, "w is faster", "quiet", 9.5)
    board.text(2.55, 0.3, "in parentheses, the name on the right varies fastest", "ink", 10.5)
    return board.figure


# Workplace


def kernel(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.95)
    cells = [("[1]", "x = 1"), ("[3]", "x = x + 10"), ("[2]", "print(x)")]
    for i, (number, code) in enumerate(cells):
        y = 2.45 - 0.6 * i
        board.text(0.12, y, number, "forward", 10.5, ha="left", code=True)
        board.box(1.5, y, 1.9, 0.44, code, "forward", "forward_fill", size=10.5, code=True)
        board.arrow((2.45, y), (3.4, 1.75 + 0.16 * (1 - i)), "forward", gap=(0.03, 0.03), width=1.3)
    board.box(1.5, 0.62, 1.9, 0.44, "y = 5", "quiet", size=10.5, code=True, dashed=True)
    board.text(1.5, 0.22, "a cell that was deleted", "quiet", 10)
    board.box(4.15, 1.75, 1.5, 1.3, "", "back", "back_fill")
    board.text(4.15, 2.2, "kernel", "back", 11.5, bold=True)
    board.text(4.15, 1.8, "x = 11", "ink", 11, code=True)
    board.text(4.15, 1.45, "y = 5", "ink", 11, code=True)
    board.arrow((4.15, 0.62), (4.15, 1.1), "quiet", gap=0, width=1.2)
    board.text(4.15, 0.48, "still there", "quiet", 10)
    board.text(1.5, 2.82, "the page", "forward", 11.5, bold=True)
    return board.figure


def git_areas(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.35)
    places = [
        (0.6, "working\nfolder", "ink"),
        (1.9, "staging\narea", "accent"),
        (3.2, "local\nhistory", "forward"),
        (4.5, "remote", "back"),
    ]
    for x, name, color in places:
        board.box(x, 1.4, 0.98, 0.7, name, color, _fill(color), size=10.5)
    for (x, _, _), (next_x, _, color), command in zip(
        places[:-1], places[1:], ("add", "commit", "push"), strict=True
    ):
        board.arrow((x + 0.2, 1.79), (next_x - 0.2, 1.79), color, bend=-0.5, gap=0)
        board.text((x + next_x) / 2, 2.2, command, color, 10.5, code=True)
    board.line([(4.5, 1.05), (4.5, 0.42), (0.72, 0.42)], "back", 1.6)
    board.arrow((0.72, 0.41), (0.72, 1.05), "back", gap=(0, 0.02))
    board.text(2.6, 0.24, "pull", "back", 10.5, code=True)
    board.line([(3.2, 1.05), (3.2, 0.78), (0.45, 0.78)], "forward", 1.6)
    board.arrow((0.45, 0.77), (0.45, 1.05), "forward", gap=(0, 0.02))
    board.text(2.0, 0.61, "restore, switch", "forward", 10.5, code=True)
    return board.figure


def environments(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.8)
    for x, name, version, color in (
        (1.25, "project-a/", "2.10", "forward"),
        (3.75, "project-b/", "1.13", "back"),
    ):
        board.box(x, 1.85, 2.3, 1.75, "", color)
        board.text(x - 1.05, 2.54, name, color, 11, ha="left", code=True)
        board.box(x + 0.08, 1.6, 1.9, 1.05, "", color, f"{color}_fill", dashed=True)
        board.text(x - 0.75, 1.94, ".venv/", color, 10.5, ha="left", code=True)
        board.text(x - 0.75, 1.6, "bin/python", "ink", 10.5, ha="left", code=True)
        board.text(x - 0.75, 1.28, f"torch {version}", "ink", 10.5, ha="left", code=True)
    board.box(2.5, 0.4, 4.8, 0.5, "", "quiet")
    board.text(2.5, 0.4, "/usr/bin/python3  of the operating system", "quiet", 10.5)
    return board.figure


def pipe(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 1.5)
    steps = [
        (0.53, "log.txt", "quiet", 0.9),
        (1.6, "grep", "forward", 0.72),
        (2.5, "sort", "forward", 0.72),
        (3.43, "uniq -c", "forward", 0.84),
        (4.53, "counts.txt", "quiet", 1.05),
    ]
    for x, name, color, width in steps:
        board.box(x, 0.8, width, 0.5, name, color, _fill(color), size=10, code=True)
    for (x, _, _, width), (next_x, _, color, next_width) in itertools.pairwise(steps):
        ends = (x + width / 2, 0.8), (next_x - next_width / 2, 0.8)
        board.arrow(*ends, "back" if color == "quiet" else "forward", gap=0.01, width=1.4)
    board.text(0.53, 0.33, "a file", "quiet", 10)
    board.text(2.5, 0.33, "programs, joined by pipes", "forward", 10)
    board.text(4.53, 0.33, "a file", "quiet", 10)
    board.text(4.0, 1.22, ">", "back", 12, code=True)
    for x in (2.05, 2.95):
        board.text(x, 1.22, "|", "forward", 12, code=True)
    return board.figure


# Pictures


def digits(theme: Theme) -> Figure:
    return _picture(np.concatenate(list(load_digits()), axis=2), theme, 5.0)


def _target(number: int, theme: Theme) -> Figure:
    target = einops_target(number, load_digits())
    height, width = target.shape[-2:]
    # All at one scale, but for the longest and for the coarse one.
    inches = {1: 0.62, 9: 1.6, 10: 5.0, 12: 5.0}.get(number, width / 150)
    assert height * inches / width < 4
    return _picture(target, theme, inches, squares=number == 12)


def _picture(array: np.ndarray, theme: Theme, inches: float, squares: bool = False) -> Figure:
    """Draw a picture of few flat colours as shapes, or each pixel as a square."""
    pixels = np.round(255 * np.broadcast_to(array, (3, *array.shape[-2:]))).astype(np.int64)
    height, width = pixels.shape[1:]
    board = Board(theme, inches, inches * height / width)
    board.axes.set(xlim=(0, width), ylim=(height, 0))
    codes = (pixels * np.array([65536, 256, 1])[:, None, None]).sum(0)
    flat, counts = np.unique(codes, return_counts=True)
    if not squares:
        codes = _nearest(codes, flat[counts >= 60])
    ground = int(flat[counts.argmax()])
    board.axes.add_patch(Rectangle((0, 0), width, height, fc=_hex(ground), ec="none"))
    for code in np.unique(codes):
        if code == ground:
            continue
        mask = codes == code
        shape = _runs(mask) if squares else _outline(mask)
        colour, edge = _hex(int(code)), 0.0 if squares else 0.5  # an edge, that no gap shows
        board.axes.add_patch(
            PathPatch(shape, fc=colour, ec=colour, lw=edge, joinstyle="round", zorder=2)
        )
    return board.figure


def _nearest(codes: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Replace each colour by the nearest of those that fill areas: soft edges become sharp."""
    shifts = np.array([16, 8, 0])
    rgb, flat_rgb = (codes[..., None] >> shifts) & 255, (flat[:, None] >> shifts) & 255
    distances = ((rgb[..., None, :] - flat_rgb) ** 2).sum(-1)
    return flat[distances.argmin(-1)]


def _hex(code: int) -> str:
    return f"#{code:06x}"


def _runs(mask: np.ndarray) -> Path:
    """Give the pixels of a mask as rectangles, those in a row joined."""
    parts = []
    for y, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
        for start, end in edges.reshape(-1, 2):
            corners = [(start, y), (end, y), (end, y + 1), (start, y + 1), (start, y)]
            parts.append(Path(corners, closed=True))
    return Path.make_compound_path(*parts)


def _outline(mask: np.ndarray) -> Path:
    """Give the outline of a mask, holes included, with as few points as it needs."""
    padded = np.pad(mask.astype(float), 1)
    # A mean with the neighbours turns the stairs of the pixels into slopes.
    soft = sum(np.roll(padded, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)) / 9
    # The centre of pixel 0 lies at 0.5, and the padding shifts by one.
    axes = [np.arange(n) - 0.5 for n in padded.shape]
    polygons, offsets = contour_generator(axes[1], axes[0], soft).filled(0.5, 2.0)
    rings = [
        ring
        for points, cuts in zip(polygons, offsets, strict=True)
        for ring in np.split(points, cuts[1:-1])
    ]
    return Path.make_compound_path(*[Path(_simplified(r).round(1), closed=True) for r in rings])


def _simplified(ring: np.ndarray, tolerance: float = 0.3) -> np.ndarray:
    """Leave out points that lie on the line between others (Douglas and Peucker)."""
    half = len(ring) // 2
    first, second = _thinned(ring[: half + 1], tolerance), _thinned(ring[half:], tolerance)
    return np.concatenate([first[:-1], second])


def _thinned(points: np.ndarray, tolerance: float) -> np.ndarray:
    if len(points) < 3:
        return points
    start, along = points[0], points[-1] - points[0]
    length = max(float(np.hypot(*along)), 1e-9)
    off = np.abs((points - start) @ np.array([-along[1], along[0]])) / length
    worst = int(off.argmax())
    if off[worst] <= tolerance:
        return points[[0, -1]]
    left, right = _thinned(points[: worst + 1], tolerance), _thinned(points[worst:], tolerance)
    return np.concatenate([left[:-1], right])


# Tensors


def weeks(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 3.2)
    days = [12, 14, 13, 17, 16, 19, 21, 8, 5, 7, 9, 10, 4, 6]
    small = 0.35
    board.cells(0.1, 3.1, [days], "forward", "forward_fill", small, 9.5)
    board.arrow((1.35, 2.75), (1.35, 2.38), "ink", gap=0.02)
    board.text(1.5, 2.57, "split:  (weeks days)", "ink", 10.5, ha="left")
    board.cells(0.1, 2.35, [days[:7], days[7:]], "forward", "forward_fill", 0.36, 9.5)
    board.arrow((2.65, 1.99), (3.35, 1.99), "ink", gap=0.04)
    board.text(3.0, 2.2, "mean", "ink", 10.5)
    board.cells(3.4, 2.35, [[16], [7]], "back", "back_fill", 0.36, 10)
    board.line([(3.58, 1.6), (3.58, 1.3), (2.55, 1.3)], "back", 1.6)
    board.arrow((2.55, 1.31), (2.55, 0.98), "back", gap=(0, 0.02))
    board.text(2.4, 1.28, "repeat:  (weeks 7)", "back", 10.5, ha="right")
    board.cells(0.1, 0.95, [[16] * 7 + [7] * 7], "back", "back_fill", small, 9.5)
    board.text(0.1, 0.3, "as long as the days again, and each day has its own week's mean", "quiet",
               10, ha="left")  # fmt: skip
    return board.figure


def sampling(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 1.95)
    probs, left, length = [0.1, 0.4, 0.2, 0.3], 0.2, 4.7
    edges = np.cumsum([0.0, *probs])
    for k, (start, end) in enumerate(itertools.pairwise(edges)):
        color = "accent" if k == 2 else "forward"
        x, width = left + length * start, length * (end - start)
        board.axes.add_patch(
            Rectangle((x, 0.7), width, 0.45, fc=theme[f"{color}_fill"], ec=theme[color], lw=1.3)
        )
        board.text(x + width / 2, 0.92, f"{k}", color, 12, bold=True)
    for edge in edges:
        board.text(left + length * edge, 0.52, f"{edge:.2g}", "quiet", 10.5)
    x = left + length * 0.62
    board.arrow((x, 1.7), (x, 1.15), "back", gap=(0, 0.02), width=2)
    board.text(x, 1.82, "0.62", "back", 11.5, bold=True)
    for edge in edges[1:3]:
        board.line([(left + length * edge, 0.7), (left + length * edge, 1.32)], "back", 2)
    board.text(left + length * 0.25, 1.48, "two edges passed", "back", 10.5)
    board.text(2.55, 0.18, "probs.cumsum(0)", "quiet", 10.5, code=True)
    return board.figure


def indexing(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.6)
    m = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    size = 0.42
    cases = [
        (0.1, "m[[2, 0]]", [(2, 0), (2, 1), (2, 2), (0, 0), (0, 1), (0, 2)], "7 8 9\n1 2 3"),
        (1.9, "m[[0, 1, 2],\n  [1, 0, 2]]", [(0, 1), (1, 0), (2, 2)], "2 4 9"),
        (3.7, "m.gather(1, i)", None, "2 1\n6 6\n7 8"),
    ]
    colors = ["accent", "forward", "back"]
    for (x, code, places, out), color in zip(cases, colors, strict=True):
        chosen = places or [(0, 1), (0, 0), (1, 2), (2, 0), (2, 1)]
        board.text(x, 2.38, code, "ink", 10, ha="left", code=True)
        board.cells(x, 2.08, m, "line", "paper", size)
        for i, j in chosen:
            left, top = x + j * size, 2.08 - i * size
            board.cells(left, top, [[m[i][j]]], color, f"{color}_fill", size)
        board.text(x + (0.63 if places else 1.0), 0.36, out, color, 11, code=True)
    board.text(3.86, 0.36, "i\n=", "quiet", 11, code=True)
    board.text(4.2, 0.36, "1 0\n2 2\n0 1", "quiet", 11, code=True)
    return board.figure


def softmax_shift(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 3.0)
    for k, (before, after, exp) in enumerate((("998", "−3", "0.05"), ("1000", "−1", "0.37"),
                                               ("1001", "0", "1"))):  # fmt: skip
        height = (1.3, 1.7, 1.9)[k]
        x = 0.35 + 0.55 * k
        board.axes.add_patch(
            Rectangle((x, 0.55), 0.4, height, fc=theme.back_fill, ec=theme.back, lw=1.3)
        )
        board.text(x + 0.2, 0.7 + height, before, "back", 10.5)
        y, depth = 2.1, (0.6, 0.2, 0.015)[k]
        x = 3.15 + 0.62 * k
        board.axes.add_patch(
            Rectangle((x, y - depth), 0.4, depth, fc=theme.forward_fill, ec=theme.forward, lw=1.3)
        )
        board.text(x + 0.2, y + 0.16, after, "forward", 11)
        board.text(x + 0.2, 1.18, exp, "accent", 11)
    board.line([(0.2, 0.55), (2.1, 0.55)], "quiet", 1)
    board.line([(0.2, 0.72), (2.1, 0.72)], "ink", 1.6)
    board.text(2.16, 0.72, "88", "ink", 10.5, ha="left")
    board.text(0.2, 0.3, "above 88, exp is inf", "back", 10.5, ha="left")
    board.line([(3.0, 2.1), (4.95, 2.1)], "quiet", 1)
    board.arrow((2.2, 1.7), (2.95, 1.7), "ink", gap=0.05)
    board.text(2.58, 1.92, "− 1001", "ink", 10.5)
    board.text(2.98, 1.18, "exp", "accent", 10.5, ha="right")
    board.text(3.97, 0.8, "sum 1.42, softmax", "quiet", 10.5)
    for k, value in enumerate(("0.04", "0.26", "0.71")):
        board.text(3.35 + 0.62 * k, 0.45, value, "accent", 11, bold=True)
    board.text(0.2, 2.85, "a row", "back", 11, ha="left", bold=True)
    board.text(3.0, 2.85, "less its largest", "forward", 11, ha="left", bold=True)
    return board.figure


# Einsum


def einsum(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.75)
    parts = [
        ("i", 1.0, "forward"), ("j", 1.3, "back"), ("j", 1.8, "back"),
        ("k", 2.1, "accent"), ("->", 2.6, "ink"), ("i", 3.1, "forward"), ("k", 3.4, "accent"),
    ]  # fmt: skip
    for text, x, color in parts:
        board.text(x, 2.5, text, color, 15, code=True, bold=True)
    board.text(1.5, 2.43, ",", "ink", 15, code=True, bold=True)
    board.text(3.75, 2.5, "no j: summed", "back", 10.5, ha="left")
    size = 0.4
    board.cells(0.4, 1.75, [[""] * 3] * 2, "line", "paper", size)
    board.cells(0.4, 1.75, [[""] * 3], "back", "back_fill", size)
    board.cells(2.35, 1.95, [[""] * 2] * 3, "line", "paper", size)
    board.cells(2.35 + size, 1.95, [[""]] * 3, "back", "back_fill", size)
    board.cells(4.1, 1.75, [[""] * 2] * 2, "line", "paper", size)
    board.cells(4.1 + size, 1.75, [[""]], "accent", "accent_fill", size)
    board.text(1.8, 1.35, "·", "ink", 20)
    board.text(3.5, 1.35, "=", "ink", 15)
    for x, y, text, color in (
        (0.2, 1.55, "i", "forward"), (1.0, 1.92, "j", "back"), (2.17, 1.35, "j", "back"),
        (2.95, 2.12, "k", "accent"), (3.9, 1.55, "i", "forward"), (4.7, 1.92, "k", "accent"),
    ):  # fmt: skip
        board.text(x, y, text, color, 12, code=True)
    formula = r"$C_{ik} = \sum_j A_{ij}\,B_{jk}$"
    board.text(2.55, 0.32, formula, "ink", 14)
    return board.figure


FIGURES: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        overview,
        network,
        xor,
        matrix_product,
        linear_map,
        mean_of_n,
        descent,
        surprise,
        kl,
        names,
        storage,
        broadcast,
        pattern,
        kernel,
        git_areas,
        environments,
        pipe,
        digits,
        weeks,
        sampling,
        indexing,
        softmax_shift,
        einsum,
    )
}
FIGURES |= {f"einops_{number}": functools.partial(_target, number) for number in range(1, 13)}
