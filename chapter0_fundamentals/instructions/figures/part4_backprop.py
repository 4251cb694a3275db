"""The figures of 0.4 Backprop."""

import math

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .theme import Board, Draw, Theme

# Measured with the cell below `train, test` and the 4,000 digits of the lab, seed 0.
MEAN_LOSS_OF_EPOCH = [
    0.6957, 0.2416, 0.1384, 0.0801, 0.0528, 0.0317, 0.0230, 0.0176, 0.0148, 0.0128,
]  # fmt: skip
ACCURACY_AFTER_EPOCH = [
    0.116, 0.878, 0.907, 0.910, 0.923, 0.931, 0.924, 0.934, 0.932, 0.934, 0.935,
]  # fmt: skip

# |(log(1.5 + eps) - log(1.5 - eps)) / (2 eps) - 1/1.5|, relative, for eps = 1e-9, 1e-8, ..., 1.
ERROR_FLOAT32 = [1, 1, 0.106, 0.0612, 0.00583, 1.69e-5, 1.68e-5, 1.25e-5, 1.49e-3, 0.207]
ERROR_FLOAT64 = [
    8.3e-8, 4.7e-9, 3.1e-10, 6.8e-11, 2.3e-11, 1.5e-9, 1.5e-7, 1.5e-5, 1.49e-3, 0.207,
]  # fmt: skip


# Introduction


def overview(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.05)
    layers = [
        ("backward functions", "log, multiply, sum, matmul, …", "back"),
        ("tensors and recipes", "remember how each array was made", "forward"),
        ("backprop", "walks the graph back, in the right order", "back"),
        ("modules and training", "parameters, loss, SGD", "accent"),
    ]
    for i, (name, what, color) in enumerate(layers):
        y = 0.42 + 0.74 * i
        board.box(2.5, y, 4.7, 0.62, color=color, fill=f"{color}_fill")
        board.text(0.35, y + 0.11, name, color, 12, ha="left", bold=True)
        board.text(0.35, y - 0.13, what, "ink", 10, ha="left")
    return board.figure


def chain(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.0)
    labels = [
        ("$x$", "2", r"$1$"),
        ("$u$", "4", r"$\frac{1}{4}$"),
        ("$v$", "12", r"$\frac{1}{12}$"),
        ("$L$", "2.48", r"$1$"),
    ]
    xs = [0.42, 1.84, 3.26, 4.68]
    for x, (name, value, grad) in zip(xs, labels, strict=True):
        board.node(x, 1.0, name)
        board.text(x, 1.47, value, "forward", 11)
        board.text(x, 0.5, grad, "back", 13)
    steps = [("square", r"$\times\,2x$"), ("times 3", r"$\times\,3$"), ("log", r"$\times\,1/v$")]
    for left, right, (operation, factor) in zip(xs[:-1], xs[1:], steps, strict=True):
        board.arrow((left, 1.06), (right, 1.06), "forward", bend=-0.22)
        board.arrow((right, 0.94), (left, 0.94), "back", bend=-0.22)
        board.text((left + right) / 2, 1.42, operation, "forward", 10)
        board.text((left + right) / 2, 0.57, factor, "back", 12)
    board.text(0.12, 1.83, "values", "forward", 10, ha="left")
    board.text(0.12, 0.13, "gradients of $L$", "back", 10, ha="left")
    return board.figure


def backward_function(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.35)
    board.box(2.5, 1.2, 1.2, 1.5, "$f$", size=20)
    for y, name in ((1.62, "x"), (0.84, "y")):
        board.node(0.4, y, f"${name}$")
        board.arrow((0.4, y + 0.07), (1.9, y + 0.07), "forward", gap=(0.32, 0.04))
        board.arrow((1.9, y - 0.11), (0.4, y - 0.11), "back", gap=(0.04, 0.32))
        board.text(1.2, y - 0.28, rf"$\partial L/\partial {name}$", "back", 12)
    board.node(4.55, 1.23, "out", radius=0.32, size=11)
    board.arrow((3.1, 1.34), (4.55, 1.34), "forward", gap=(0.04, 0.34))
    board.arrow((4.55, 1.12), (3.1, 1.12), "back", gap=(0.34, 0.04))
    board.text(3.67, 0.9, "grad_out", "back", 10, code=True)
    board.text(2.5, 2.15, "one operation", "ink", 10)
    board.text(0.12, 2.15, "before", "quiet", 10, ha="left")
    board.text(4.88, 2.15, "later", "quiet", 10, ha="right")
    return board.figure


def broadcast(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.35)
    board.text(1.05, 2.15, "forward: copy", "forward", 11, bold=True)
    board.cells(0.42, 1.85, [[5, 6, 7]])
    board.arrow((1.05, 1.4), (1.05, 0.98), "forward", gap=0.03)
    board.cells(0.42, 0.95, [[5, 6, 7], [5, 6, 7]])
    board.text(0.18, 1.63, "$x$", "forward", 14)
    board.text(1.8, 1.63, "(3,)", "quiet", 10, ha="left")
    board.text(1.8, 0.53, "(2, 3)", "quiet", 10, ha="left")
    board.text(3.55, 2.15, "backward: sum", "back", 11, bold=True)
    board.cells(2.92, 1.85, [[11, 22, 33]], "back", "back_fill")
    board.arrow((3.55, 0.98), (3.55, 1.4), "back", gap=0.03)
    board.cells(2.92, 0.95, [[1, 2, 3], [10, 20, 30]], "back", "back_fill")
    board.text(3.74, 1.19, "+", "back", 13)
    board.text(4.3, 1.63, "(3,)", "quiet", 10, ha="left")
    board.text(4.3, 0.53, "(2, 3)", "quiet", 10, ha="left")
    return board.figure


def forward_and_back(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 3.0)
    at = {
        "a": (0.4, 2.62), "b": (0.4, 1.55), "c": (0.4, 0.4),
        "d": (1.95, 2.08), "e": (1.95, 0.4), "f": (3.4, 1.3), "g": (4.7, 1.3),
    }  # fmt: skip
    operations = {"d": r"$\times$", "e": "log", "f": r"$\times$", "g": "log"}
    for start, end in ("ad", "bd", "ce", "df", "ef", "fg"):
        board.arrow(at[start], at[end], "forward", bend=-0.1)
        board.arrow(at[end], at[start], "back", bend=-0.1)
    for name, (x, y) in at.items():
        board.node(x, y, f"${name}$", fill="forward_fill" if name in "abc" else "paper")
        if name in operations:
            board.text(x, y + 0.41, operations[name], "forward", 11)
    board.arrow((5.08, 0.78), (4.82, 1.1), "back", gap=(0, 0.02))
    board.text(4.98, 0.6, "starts with ones", "back", 10, ha="right")
    return board.figure


# Autograd


def recipe(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 3.88)
    flags = [("requires_grad", "True"), ("grad", "None")]
    of_out = [("array", "[6., 9.]"), *flags, ("recipe", "●")]
    of_recipe = [
        ("func", "np.multiply"),
        ("args", "([2., 3.], 3.0)"),
        ("kwargs", "{}"),
        ("parents", "{0: ●}"),
    ]
    of_a = [("array", "[2., 3.]"), *flags, ("recipe", "None")]
    _record(board, 0.1, 3.78, 2.3, "out: Tensor", of_out, "forward")
    _record(board, 2.42, 2.0, 2.58, "Recipe", of_recipe, "accent")
    _record(board, 0.1, 1.72, 2.0, "a: Tensor", of_a, "forward")
    board.line([(2.23, 2.37), (3.7, 2.37)], "accent", 1.6)
    board.arrow((3.7, 2.375), (3.7, 2.0), "accent", gap=(0.0, 0.02))
    board.line([(4.73, 0.52), (4.73, 0.2)], "accent", 1.6)
    board.arrow((4.738, 0.2), (2.1, 0.2), "accent", gap=(0.0, 0.02))
    return board.figure


def _record(
    board: Board,
    x: float,
    y: float,
    width: float,
    title: str,
    fields: list[tuple[str, str]],
    color: str,
) -> None:
    """Draw an object with its fields; its upper left corner is at (x, y)."""
    height = 0.36 + 0.3 * len(fields)
    board.box(x + width / 2, y - height / 2, width, height, "", color, f"{color}_fill")
    board.text(x + 0.12, y - 0.2, title, color, 11, ha="left", bold=True)
    for i, (name, value) in enumerate(fields):
        row = y - 0.5 - 0.3 * i
        board.text(x + 0.12, row, name, "quiet", 9.5, ha="left", code=True)
        board.text(x + width - 0.12, row, value, "ink", 9.5, ha="right", code=True)


def leaves(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.5)
    at = {"x": (0.45, 2.1), "w": (0.45, 1.25), "b": (0.45, 0.4), "u": (2.5, 1.7), "out": (4.3, 1.1)}
    for start, end in (("x", "u"), ("w", "u"), ("u", "out"), ("b", "out")):
        board.arrow(at[start], at[end], "forward")
    board.node(*at["x"], "$x$", "quiet")
    for name in "wb":
        board.node(*at[name], f"${name}$", "back", "back_fill")
    board.node(*at["u"], "$u$")
    board.node(*at["out"], "out", size=10)
    board.text(0.82, 2.3, "no gradient", "quiet", 10, ha="left")
    board.text(0.82, 1.08, "keeps grad", "back", 10, ha="left")
    board.text(0.82, 0.24, "keeps grad", "back", 10, ha="left")
    board.text(2.5, 2.12, r"$\times$", "forward", 12)
    board.text(4.3, 1.52, "+", "forward", 12)
    board.text(2.62, 1.29, "inner node", "quiet", 10)
    board.text(4.3, 0.69, "inner node", "quiet", 10)
    return board.figure


def wrap(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.6)
    for y, name in ((2.1, "$a$"), (1.35, "$b$")):
        board.node(0.66, y, name, "forward", "forward_fill")
        board.arrow((0.66, y), (2.2, y), "forward", gap=(0.32, 0.03))
        board.text(1.5, y + 0.16, ".array", "forward", 9.5, code=True)
        board.arrow((0.12, y), (0.66, y), "accent", gap=(0.0, 0.3))
    board.text(0.66, 0.68, "3.0", "ink", 11, code=True)
    board.arrow((0.66, 0.68), (2.2, 0.9), "forward", gap=(0.3, 0.03))
    board.text(1.62, 0.58, "as it is", "forward", 10)
    board.box(2.8, 1.5, 1.2, 1.6, "numpy_func", size=10, code=True)
    board.arrow((3.4, 1.5), (4.68, 1.5), "forward", gap=(0.04, 0.34))
    board.text(3.84, 1.69, "Tensor", "forward", 9.5, code=True)
    board.node(4.68, 1.5, "out", "forward", "forward_fill", radius=0.3, size=11)
    board.arrow((4.68, 1.5), (4.68, 0.45), "accent", gap=(0.32, 0.02))
    board.box(4.4, 0.24, 1.1, 0.4, "recipe", "accent", "accent_fill", size=11)
    board.line([(3.85, 0.24), (0.12, 0.24), (0.12, 2.1)], "accent", 1.6)
    board.text(2.2, 0.38, "parents", "accent", 10)
    return board.figure


def order(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.75)
    at = _diamond(board)
    for name, value in zip("abcde", (3, 6, 30, 36, 66), strict=True):
        x, y = at[name]
        board.node(x, y, f"${name}$")
        board.text(x, y + 0.41, f"{value}", "forward", 11)
    for start, end in ("ab", "bc", "bd", "ce", "de"):
        board.arrow(at[start], at[end], "forward", bend=-0.08)
        board.arrow(at[end], at[start], "back", bend=-0.08)
    board.text(1.06, 1.08, "34", "back", 11)
    board.text(2.55, 1.62, "5", "back", 11)
    board.text(2.2, 0.68, "12", "back", 11)
    board.text(3.75, 1.62, "1", "back", 11)
    board.text(4.05, 0.62, "1", "back", 11)
    board.text(1.3, 0.83, "5 + 12 = 17", "back", 11, bold=True)
    return board.figure


def _diamond(board: Board) -> dict[str, tuple[float, float]]:
    """Give the places of the graph b = 2a, c = 5b, d = b², e = c + d, with its operations."""
    board.text(1.06, 1.54, r"$\times\,2$", "forward", 11)
    board.text(2.2, 2.05, r"$\times\,5$", "forward", 11)
    board.text(2.62, 1.05, r"$b^2$", "forward", 12)
    board.text(4.2, 2.05, "+", "forward", 12)
    return {
        "a": (0.4, 1.3), "b": (1.72, 1.3), "c": (3.15, 2.15), "d": (3.15, 0.45), "e": (4.68, 1.3)
    }  # fmt: skip


def topological_order(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 3.1)
    at = {"a": (0.4, 1.7), "b": (1.72, 1.7), "c": (3.15, 2.5), "d": (3.15, 0.95), "e": (4.68, 1.7)}
    for start, end in ("ec", "cb", "ba", "ed"):
        board.arrow(at[start], at[end], "accent")
    board.arrow(at["d"], at["b"], "quiet", dashed=True)
    for number, (name, (x, y)) in enumerate(at.items(), start=1):
        board.node(x, y, f"${name}$")
        board.text(x, y + 0.42, f"{number}", "accent", 12, bold=True)
    board.text(2.15, 1.02, "finished already", "quiet", 10)
    board.text(0.12, 0.25, "list:", "quiet", 10.5, ha="left")
    board.cells(0.72, 0.46, [[f"${name}$" for name in at]], "accent", "accent_fill", font=13)
    board.arrow((4.6, 0.25), (2.95, 0.25), "back", gap=0)
    board.text(3.8, 0.44, "backward pass", "back", 10)
    return board.figure


# More functions


def permute(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.35)
    xs, axes = (1.55, 2.75, 3.95), (2, 0, 1)
    for i, (x, length) in enumerate(zip(xs, (2, 3, 4), strict=True)):
        board.box(x, 1.8, 0.62, 0.4, f"{length}", "forward", "forward_fill", size=12)
        board.text(x, 2.16, f"axis {i}", "quiet", 10)
    for k, (x, axis) in enumerate(zip(xs, axes, strict=True)):
        board.box(x, 0.55, 0.62, 0.4, f"{(2, 3, 4)[axis]}", "forward", "forward_fill", size=12)
        board.text(x, 0.17, f"axis {k}", "quiet", 10)
        board.arrow((xs[axis] + 0.05, 1.6), (x + 0.05, 0.75), "forward", gap=0.03)
        board.arrow((x - 0.09, 0.75), (xs[axis] - 0.09, 1.6), "back", gap=0.03, width=1.1)
    board.text(0.12, 1.8, "$x$", "ink", 15, ha="left")
    board.text(0.12, 0.55, "out", "ink", 12, ha="left")
    board.text(0.12, 1.3, "(2, 0, 1)", "forward", 10.5, ha="left")
    board.text(0.12, 1.05, "(1, 2, 0)", "back", 10.5, ha="left")
    return board.figure


def sum_back(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 1.75)
    board.text(1.15, 1.57, "forward: sum", "forward", 11, bold=True)
    board.cells(0.12, 1.2, [[1, 2, 3], [4, 5, 6]])
    board.arrow((1.42, 0.78), (1.86, 0.78), "forward", gap=0.02)
    board.cells(1.9, 1.2, [[6], [15]])
    board.text(0.75, 0.15, "(2, 3)", "quiet", 10)
    board.text(2.11, 0.15, "(2,)", "quiet", 10)
    board.text(3.95, 1.57, "backward: copy", "back", 11, bold=True)
    board.cells(2.86, 1.2, [[10] * 3, [20] * 3], "back", "back_fill")
    board.arrow((4.56, 0.78), (4.14, 0.78), "back", gap=0.02)
    board.cells(4.6, 1.2, [[10], [20]], "back", "back_fill")
    board.text(3.49, 0.15, "(2, 3)", "quiet", 10)
    board.text(4.81, 0.15, "(2,)", "quiet", 10)
    return board.figure


def getitem(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.65)
    for x0, color, top, bottom in (
        (0.12, "forward", (5, 6, 7, 8), (6, 8, 6)),
        (2.92, "back", (0, 40, 0, 20), (10, 20, 30)),
    ):
        board.cells(x0, 2.06, [top], color, f"{color}_fill", size=0.46)
        board.cells(x0 + 0.23, 0.8, [bottom], color, f"{color}_fill", size=0.46)
        for k, index in enumerate((1, 3, 1)):
            start, end = (x0 + 0.46 * (index + 0.5), 1.6), (x0 + 0.23 + 0.46 * (k + 0.5), 0.8)
            shift = 0.07 * (k - 1) if index == 1 else 0
            start = (start[0] + shift, start[1])
            if color == "back":
                start, end = end, start
            board.arrow(start, end, color, gap=0.03)
        for i in range(4):
            board.text(x0 + 0.46 * (i + 0.5), 2.18, f"{i}", "quiet", 9.5)
    board.text(0.12, 2.5, "forward: pick", "forward", 11, ha="left", bold=True)
    board.text(2.92, 2.5, "backward: put back", "back", 11, ha="left", bold=True)
    board.text(1.04, 0.15, "x[[1, 3, 1]]", "forward", 10, code=True)
    board.text(3.84, 0.15, "grad_out", "back", 10, code=True)
    return board.figure


def in_place(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.3)
    rows = [
        (2.62, "1  forward", "5", "forward", "recipe holds this array"),
        (1.57, "2  x += 100", "105", "ink", "recipe still holds it"),
        (0.52, "3  backward", "105", "back", "gradient of $w$: 105, not 5"),
    ]
    for y, step, value, color, note in rows:
        fill = f"{color}_fill" if color != "ink" else "paper"
        board.text(0.12, y, step, color, 11, ha="left", code=True)
        board.box(2.12, y, 0.7, 0.46, value, color, fill, size=13)
        board.text(2.12, y + 0.39, "$x$", color, 13)
        board.box(4.0, y, 1.55, 0.46, r"recipe of $w \cdot x$", "accent", "accent_fill", size=10.5)
        board.arrow((3.22, y), (2.47, y), "accent", gap=0.04)
        board.text(4.88, y - 0.41, note, color, 10, ha="right")
    return board.figure


def maximum(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.05)
    rows = [
        ("x", (1, 5, 3, 2), "forward"),
        ("y", (4, 2, 3, 2), "forward"),
        ("out", (4, 5, 3, 2), "forward"),
        ("grad_out", (10, 20, 30, 40), "back"),
        ("gradient of x", (0, 20, 15, 20), "back"),
        ("gradient of y", (10, 0, 15, 20), "back"),
    ]
    size, left = 0.44, 1.75
    for i, (name, values, color) in enumerate(rows):
        y = 2.95 - i * size - (0.14 if i > 2 else 0)
        board.cells(left, y, [values], color, f"{color}_fill", size=size)
        board.text(left - 0.15, y - size / 2, name, color, 10.5, ha="right")
    board.text(3.68, 2.95 - 1.5 * size, "forward", "forward", 10.5, ha="left")
    board.text(3.68, 2.81 - 4.5 * size, "backward:\nties give half", "back", 10.5, ha="left")
    return board.figure


def relu(theme: Theme) -> Figure:
    board = Board(theme, 4.6, 2.6)
    origin = (2.3, 0.75)
    board.arrow((0.2, 0.75), (4.5, 0.75), "line", gap=0, width=1)
    board.arrow((2.3, 0.2), (2.3, 2.55), "line", gap=0, width=1)
    for slope in (0.25, 0.5, 0.75):
        dx = 0.95 / math.hypot(1, slope)
        ends = [(origin[0] + s * dx, origin[1] + s * dx * slope) for s in (-1, 1)]
        thick = slope == 0.5
        board.line(ends, "back" if thick else "line", 2.0 if thick else 1.0)
    board.line([(0.3, 0.75), origin, (3.9, 2.35)], "forward", 2.4)
    board.text(4.42, 0.55, "$x$", "quiet", 13)
    board.text(2.05, 2.4, "relu$(x)$", "forward", 11, ha="right")
    board.text(0.95, 0.95, "slope 0", "forward", 10)
    board.text(3.02, 1.83, "slope 1", "forward", 10, ha="right")
    board.text(3.3, 1.05, "at 0: slope ½", "back", 10.5, ha="left")
    return board.figure


def matmul(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.85)
    length = {"n": 0.5, "m": 0.85, "p": 0.62}
    products = [
        (3.33, "forward", ("$x$", "nm"), ("$y$", "mp"), ("out", "np")),
        (
            2.06,
            "back",
            ("$G$", "np"),
            (r"$y^\mathsf{T}$", "pm"),
            (r"$\partial L/\partial x$", "nm"),
        ),
        (
            0.73,
            "back",
            (r"$x^\mathsf{T}$", "mn"),
            ("$G$", "np"),
            (r"$\partial L/\partial y$", "mp"),
        ),
    ]
    for y, color, *matrices in products:
        for x, (label, (rows, cols)) in zip((0.85, 2.35, 4.1), matrices, strict=True):
            width, height = length[cols], length[rows]
            board.box(x, y, width, height, label, color, f"{color}_fill", size=13)
            board.text(x, y - height / 2 - 0.13, f"${cols}$", "quiet", 12)
            board.text(x - width / 2 - 0.13, y, f"${rows}$", "quiet", 12)
        board.text(1.55, y, "@", color, 12)
        board.text(3.2, y, "=", color, 13)
    return board.figure


# MNIST from scratch


def mlp(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 4.3)
    layers = [
        ("784 pixels", 4.4, "ink", "", ""),
        ("linear1", 1.9, "forward", "784 × 64 + 64", "50,240"),
        ("relu1", 1.9, "accent", "", ""),
        ("linear2", 1.9, "forward", "64 × 64 + 64", "4,160"),
        ("relu2", 1.9, "accent", "", ""),
        ("output", 1.2, "forward", "64 × 10 + 10", "650"),
        ("10 logits", 1.2, "ink", "", ""),
    ]
    widths = [None, 64, None, 64, None, 10, None]
    for i, (name, width, color, product, count) in enumerate(layers):
        y = 4.05 - 0.63 * i
        x = 2.5 if i == 0 else 1.35
        fill = "paper" if color == "ink" else f"{color}_fill"
        board.box(x, y, width, 0.38, name, color, fill, size=11)
        if count:
            board.text(2.5, y, f"{product} = {count}", color, 10.5, ha="left")
        if i:
            board.arrow((1.35, y + 0.45), (1.35, y + 0.19), "forward", gap=0.01, width=1.3)
        if widths[i]:
            board.text(1.5, y - 0.3, f"{widths[i]}", "quiet", 9.5, ha="left")
    board.text(2.5, 0.27, "together 55,050 parameters", "ink", 10.5, ha="left")
    return board.figure


def module_tree(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 4.1)
    board.box(0.6, 2.05, 0.9, 0.46, "MLP", "accent", "accent_fill", bold=True)
    for i, name in enumerate(("linear1", "relu1", "linear2", "relu2", "output")):
        y = 3.69 - 0.82 * i
        board.line([(1.05, 2.05), (1.35, 2.05), (1.35, y), (1.6, y)], "line")
        board.box(2.12, y, 1.04, 0.42, name, "accent", "accent_fill", size=10.5)
        if name.startswith("relu"):
            board.text(2.85, y, "no parameters", "quiet", 10, ha="left")
            continue
        for part, dy in (("weight", 0.19), ("bias", -0.19)):
            board.line([(2.64, y), (2.9, y), (2.9, y + dy), (3.15, y + dy)], "line")
            board.box(3.62, y + dy, 0.94, 0.32, part, "back", "back_fill", size=10)
        shape = {"linear1": "(64, 784)", "linear2": "(64, 64)", "output": "(10, 64)"}[name]
        board.text(4.18, y + 0.19, shape, "quiet", 9.5, ha="left")
        board.text(4.18, y - 0.19, f"({shape[1:3]},)", "quiet", 9.5, ha="left")
    return board.figure


def softmax_gradient(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.6)
    exps = [math.exp(z) for z in (2.0, 1.0, 0.1)]
    probs = [value / sum(exps) for value in exps]
    grads = [p - (k == 1) for k, p in enumerate(probs)]
    for left, values, color, title in (
        (0.2, probs, "forward", "probabilities"),
        (2.75, grads, "back", "gradient"),
    ):
        board.text(left + 1.0, 2.45, title, color, 11, bold=True)
        board.line([(left, 1.15), (left + 2.05, 1.15)], "quiet", 1)
        for k, value in enumerate(values):
            x, height = left + 0.18 + 0.66 * k, 1.1 * value
            bar = Rectangle((x, 1.15), 0.42, height, fc=theme[f"{color}_fill"], ec=theme[color])
            board.axes.add_patch(bar)
            sign = math.copysign(1, value)
            text = f"{value:.2f}".replace("-", "−")
            board.text(x + 0.21, 1.15 + height + 0.14 * sign, text, color, 10.5)
            board.text(x + 0.21, 1.15 - 0.16 * sign, f"{k}", "quiet", 10.5)
    board.text(1.25, 0.42, "label 1\nis true", "ink", 10)
    board.arrow((1.25, 0.62), (1.25, 0.88), "quiet", gap=0.0, width=1)
    return board.figure


def training_loop(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.0)
    steps = [
        ("zero_grad", "accent"),
        ("forward", "forward"),
        ("loss", "forward"),
        ("backward", "back"),
        ("step", "accent"),
    ]
    center, (across, up) = (2.5, 1.38), (1.75, 1.3)
    angles = [math.radians(90 - 72 * i) for i in range(5)]
    places = [(center[0] + across * math.cos(a), center[1] + up * math.sin(a)) for a in angles]
    for (x, y), (name, color) in zip(places, steps, strict=True):
        board.box(x, y, 1.18, 0.42, name, color, f"{color}_fill", size=10.5, code=True)
    for (x, y), (next_x, next_y) in zip(places, [*places[1:], places[0]], strict=True):
        part_way = [(x + s * (next_x - x), y + s * (next_y - y)) for s in (0.36, 0.64)]
        board.arrow(*part_way, "quiet", bend=-0.1, gap=0, width=1.4)
    board.text(*center, "for each\nbatch", "ink", 11)
    return board.figure


def training_curve(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.9)
    board.figure.delaxes(board.axes)
    top = board.figure.add_axes((0.13, 0.59, 0.83, 0.34))
    bottom = board.figure.add_axes((0.13, 0.13, 0.83, 0.34))
    epochs = range(len(ACCURACY_AFTER_EPOCH))
    top.plot(list(epochs)[1:], MEAN_LOSS_OF_EPOCH, "o-", color=theme.forward, ms=4)
    top.plot([0], [2.3], "o", color=theme.forward, ms=4, mfc="none")
    top.annotate(
        "log 10, before training", (0, 2.3), (0.5, 2.3), color=theme.quiet, fontsize=10, va="center"
    )
    bottom.plot(epochs, ACCURACY_AFTER_EPOCH, "o-", color=theme.accent, ms=4)
    bottom.annotate("93.5 %", (10, 0.935), (10, 0.78), color=theme.accent, fontsize=10, ha="right")
    for axes, title, ticks in (
        (top, "mean training loss of each epoch", (0, 1, 2)),
        (bottom, "accuracy on 1,000 new digits", (0, 0.5, 1)),
    ):
        axes.set_title(title, color=theme.ink, fontsize=10.5, loc="left")
        axes.set_yticks(ticks)
        axes.set_ylim(0, 2.6 if ticks[-1] == 2 else 1.05)
        _plain(axes, theme)
    top.set_xticklabels([])
    bottom.set_yticklabels(["0", "50 %", "100 %"])
    bottom.set_xlabel("epochs", color=theme.quiet, fontsize=10, labelpad=1)
    return board.figure


def _plain(axes, theme: Theme) -> None:
    """Take what is not needed from a plot's axes."""
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(theme.line)
    axes.tick_params(colors=theme.quiet, labelsize=9.5, length=3)
    axes.grid(axis="y", color=theme.line, lw=0.5, alpha=0.6)


# Bonus


def epsilon(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.8)
    board.figure.delaxes(board.axes)
    axes = board.figure.add_axes((0.14, 0.18, 0.82, 0.72))
    steps = [10.0**k for k in range(-9, 1)]
    axes.loglog(steps, ERROR_FLOAT32, "o-", color=theme.back, ms=4)
    axes.loglog(steps, ERROR_FLOAT64, "s-", color=theme.forward, ms=4)
    axes.text(2e-6, 0.12, "float32", color=theme.back, fontsize=11, va="bottom")
    axes.text(1.4e-8, 1.2e-8, "float64", color=theme.forward, fontsize=11)
    axes.set_yticks([1e-10, 1e-5, 1])
    axes.set_xticks([1e-8, 1e-6, 1e-4, 1e-2, 1])
    axes.minorticks_off()
    axes.set_ylim(3e-12, 12)
    axes.set_title("relative error", color=theme.ink, fontsize=10.5, loc="left")
    axes.set_xlabel(r"$\varepsilon$", color=theme.ink, fontsize=13, labelpad=0)
    _plain(axes, theme)
    return board.figure


def windows(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.55)
    size = 0.48
    board.text(1.14, 2.38, "two of four windows", "forward", 10.5, bold=True)
    board.cells(0.18, 2.15, [[""] * 4] * 4, "line", "paper", size=size)
    for corner, color in (((0, 0), "forward"), ((1, 1), "accent")):
        x, y = 0.18 + corner[1] * size, 2.15 - corner[0] * size
        board.axes.add_patch(
            Rectangle(
                (x, y - 3 * size), 3 * size, 3 * size,
                fc=theme[color], ec="none", alpha=0.16, zorder=3,
            )
        )  # fmt: skip
        ring = [(0, 0), (3, 0), (3, -3), (0, -3), (0, 0)]
        board.line([(x + a * size, y + b * size) for a, b in ring], color, 2.2)
    counts = [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]
    board.text(3.86, 2.38, "windows that hold it", "back", 10.5, bold=True)
    board.cells(2.9, 2.15, counts, "back", "back_fill", size=size)
    return board.figure


def residual(theme: Theme) -> Figure:
    board = Board(theme, 4.4, 4.6)
    names = ["conv 3×3", "batch norm", "ReLU", "conv 3×3", "batch norm"]
    board.text(2.9, 4.43, "$x$", "ink", 15)
    board.line([(2.9, 4.28), (2.9, 4.12)], "forward", 1.6)
    board.line([(2.9, 4.12), (1.3, 4.12)], "forward", 1.6)
    board.arrow((1.3, 4.13), (1.3, 3.87), "forward", gap=0.0)
    for i, name in enumerate(names):
        y = 3.68 - 0.55 * i
        color = "accent" if name == "ReLU" else "forward"
        board.box(1.3, y, 1.6, 0.36, name, color, f"{color}_fill", size=10.5)
        if i:
            board.arrow((1.3, y + 0.37), (1.3, y + 0.18), "forward", gap=0.0, width=1.3)
    board.line([(1.3, 1.3), (1.3, 0.97)], "forward", 1.6)
    board.arrow((1.3, 0.97), (2.9, 0.97), "forward", gap=(0.0, 0.22))
    board.arrow((2.86, 4.12), (2.86, 0.97), "forward", gap=(0.0, 0.22))
    board.arrow((3.0, 0.97), (3.0, 4.28), "back", gap=(0.2, 0.0))
    board.text(3.12, 2.75, "the gradient's\nway past", "back", 10.5, ha="left")
    board.node(2.9, 0.97, "+", radius=0.2)
    board.arrow((2.9, 0.97), (2.9, 0.53), "forward", gap=(0.2, 0.01), width=1.3)
    board.box(2.9, 0.34, 1.0, 0.36, "ReLU", "accent", "accent_fill", size=10.5)
    return board.figure


FIGURES: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        overview,
        chain,
        backward_function,
        broadcast,
        forward_and_back,
        recipe,
        leaves,
        wrap,
        order,
        topological_order,
        permute,
        sum_back,
        getitem,
        in_place,
        maximum,
        relu,
        matmul,
        mlp,
        module_tree,
        softmax_gradient,
        training_loop,
        training_curve,
        epsilon,
        windows,
        residual,
    )
}
