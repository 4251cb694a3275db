"""The figures of 0.1 Ray Tracing: blue is rays, orange what they meet, green what comes out."""

import math

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from part1_ray_tracing.mesh.make import duck as duck_mesh

from .theme import Board, Draw, Point, Theme


def _polygon(
    board: Board,
    points: list[Point],
    color: str = "back",
    fill: str | None = None,
    width: float = 1.6,
    dashed: bool = False,
) -> None:
    """Draw a closed shape; without a fill only its outline."""
    style = {"fc": board.theme[fill] if fill else "none", "ec": board.theme[color], "lw": width}
    line = "--" if dashed else "-"
    board.axes.add_patch(Polygon(points, ls=line, joinstyle="round", zorder=2, **style))


def _dot(board: Board, x: float, y: float, color: str = "ink", size: float = 6) -> None:
    board.axes.plot([x], [y], "o", color=board.theme[color], ms=size, mec="none", zorder=4)


def _dashed(board: Board, points: list[Point], color: str = "quiet", width: float = 1.3) -> None:
    style = {"color": board.theme[color], "lw": width, "ls": (0, (2.5, 2))}
    board.axes.plot(*zip(*points, strict=True), zorder=2, **style)


# --- The page's home --------------------------------------------------------------------------


def duck(theme: Theme) -> Figure:
    board = Board(theme, 5.2, 2.75)
    triangles = _turned(duck_mesh(), math.radians(125), math.radians(12))
    for x, is_lit in ((1.3, False), (3.95, True)):
        _draw_mesh(board, triangles, (x, 1.42), 1.0, is_lit)
    board.text(1.3, 0.16, "616 triangles", "quiet", 10.5)
    board.text(3.95, 0.16, "what you make of them", "quiet", 10.5)
    return board.figure


def _turned(triangles: np.ndarray, turn: float, tilt: float) -> np.ndarray:
    c, s, ct, st = math.cos(turn), math.sin(turn), math.cos(tilt), math.sin(tilt)
    about_y = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    about_z = np.array([[ct, -st, 0], [st, ct, 0], [0, 0, 1]])
    return triangles @ about_y.T @ about_z.T


def _draw_mesh(board: Board, triangles: np.ndarray, at: Point, scale: float, is_lit: bool) -> None:
    """Paint the triangles that are seen along x from far to near, lit or as a net."""
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    is_seen = normals[:, 0] < 0
    order = np.argsort(-triangles[is_seen].mean(1)[:, 0])
    seen, n = triangles[is_seen][order], normals[is_seen][order]
    shapes = scale * seen[:, :, [2, 1]] + np.array(at)
    theme = board.theme
    if is_lit:
        light = np.array([0.55, -0.7, 0.45])
        shade = (0.18 + 0.82 * np.clip(-(n @ light / np.linalg.norm(light)), 0, 1))[:, None]
        dark, bright = np.array(to_rgb("#2a1a06")), np.array(to_rgb("#ffc83d"))
        colours = dark + shade * (bright - dark)
        style = {"facecolors": colours, "edgecolors": colours, "linewidths": 0.3}
    else:
        style = {"facecolors": theme.paper, "edgecolors": theme.forward, "linewidths": 0.5}
    board.axes.add_collection(PolyCollection(list(shapes), zorder=2, **style))


# --- Rays and segments ------------------------------------------------------------------------


def ray(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.75)
    origin, step = np.array([1.35, 0.92]), np.array([1.35, 0.58])

    def at(u: float) -> Point:
        x, y = origin + u * step
        return float(x), float(y)

    _dashed(board, [at(-0.95), at(0)], "quiet", 1.6)
    board.line([at(0), at(2.6)], "forward", 2)
    board.arrow(at(0), at(1), "forward", gap=0.02, width=3)
    for u, label in ((0, "$u = 0$"), (1, "$u = 1$"), (2, "$u = 2$"), (-0.7, "$u = -0.7$")):
        color = "forward" if u >= 0 else "quiet"
        _dot(board, *at(u), color, 8)
        board.text(at(u)[0] + 0.12, at(u)[1] - 0.22, label, color, 12, ha="left")
    board.text(at(0)[0] - 0.08, at(0)[1] + 0.24, "$O$", "ink", 15)
    board.text(at(1)[0] - 0.2, at(1)[1] + 0.26, "$O + D$", "ink", 14)
    board.text(at(0.5)[0] - 0.12, at(0.5)[1] + 0.26, "$D$", "forward", 15)
    return board.figure


def fan(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.9)
    middle, unit = 1.45, 1.5
    camera, screen = 0.5, 0.5 + unit
    board.line([(screen, 0.2), (screen, 2.75)], "ink", 2.2)
    for i, y in enumerate((-1.0, -0.5, 0.0, 0.5, 1.0)):
        end = (camera + 2.6 * unit, middle + y * 1.1 * 2.6)
        clip = min(1.0, 1.38 / max(abs(end[1] - middle), 1e-9))
        reach = (camera + clip * (end[0] - camera), middle + clip * (end[1] - middle))
        board.arrow((camera, middle), reach, "forward", gap=0.0)
        _dot(board, screen, middle + 1.1 * y, "back", 9)
        label = {0: r"$y = -$y_limit", 4: "$y =$ y_limit"}.get(i)
        if label:
            above = 0.17 if i else -0.17
            board.text(screen - 0.12, middle + 1.1 * y + above, label, "back", 10.5, ha="right")
    _dot(board, camera, middle, "ink", 9)
    board.text(camera, middle - 0.26, "camera", "ink", 10.5)
    board.text(camera, middle - 0.48, "(0, 0, 0)", "quiet", 10)
    board.text(screen + 0.15, 1.66, "screen, $x = 1$", "ink", 10.5, ha="left")
    return board.figure


def four_cases(theme: Theme) -> Figure:
    board = Board(theme, 5.2, 3.9)
    cases = [
        ("hit", "$u > 0$, $0 < v < 1$", 0.0, (1.35, 0.15), (1.75, 1.15), "accent"),
        ("behind the ray", "$u < 0$", 0.0, (0.17, 0.0), (0.42, 0.98), "back"),
        ("beyond the end", "$v > 1$", 0.0, (1.2, -0.08), (1.42, 0.42), "back"),
        ("parallel", "no solution", 0.0, (0.75, -0.05), (2.0, 0.19), "back"),
    ]
    for i, (title, bounds, _, start, end, color) in enumerate(cases):
        x, y = 0.15 + 2.6 * (i % 2), 2.3 - 2.0 * (i // 2)
        board.box(x + 1.15, y + 0.65, 2.3, 1.75, "", "line", "paper")
        board.text(x + 0.15, y + 1.32, title, color, 11.5, ha="left", bold=True)
        board.text(x + 2.15, y + 1.32, bounds, "quiet", 10.5, ha="right")
        origin = (x + 0.62, y + 0.33)
        tip = (x + 2.15, y + (0.9 if i != 3 else 0.63))
        slope = (tip[1] - origin[1]) / (tip[0] - origin[0])
        _dashed(board, [(x + 0.1, origin[1] - 0.52 * slope), origin], "quiet", 1.4)
        board.arrow(origin, tip, "forward", gap=0.0, width=2)
        _dot(board, *origin, "forward", 8)
        a, b = (x + start[0], y + start[1]), (x + end[0], y + end[1])
        if i == 3:
            a, b = (x + 0.5, y + 0.05), (x + 1.7, y + 0.05 + 1.2 * slope)
        board.line([a, b], "ink", 2.6)
        for point in (a, b):
            _dot(board, *point, "ink", 5)
        crossing = _crossing(origin, slope, a, b)
        if crossing:
            if i == 2:
                _dashed(board, [b, crossing], "quiet", 1.4)
            _dot(board, *crossing, color, 9)
    return board.figure


def _crossing(origin: Point, slope: float, a: Point, b: Point) -> Point | None:
    (x0, y0), (xa, ya), (xb, yb) = origin, a, b
    across = (yb - ya) - slope * (xb - xa)
    if abs(across) < 1e-9:
        return None
    t = (y0 + slope * (xa - x0) - ya) / across
    return xa + t * (xb - xa), ya + t * (yb - ya)


# --- Batched operations -----------------------------------------------------------------------


def pairs(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.35)
    hits = ["101", "010", "000", "110", "001"]
    size, left, top = 0.42, 1.5, 2.6
    for i, row in enumerate(hits):
        y = top - (i + 0.5) * size
        board.arrow((0.55, y - 0.08), (1.25, y + 0.08), "forward", gap=0)
        board.text(0.35, y, f"{i}", "forward", 11)
        for j, hit in enumerate(row):
            color = "accent" if hit == "1" else "line"
            fill = "accent_fill" if hit == "1" else "paper"
            board.cells(left + j * size, y + size / 2, [["✓" if hit == "1" else ""]], color, fill)
        found = "1" in row
        board.cells(
            3.85,
            y + size / 2,
            [["✓" if found else ""]],
            "accent" if found else "line",
            "accent_fill" if found else "paper",
        )
    for j, tilt in enumerate((0.1, -0.08, 0.0)):
        x = left + (j + 0.5) * size
        board.line([(x - tilt, top + 0.1), (x + tilt, top + 0.42)], "back", 2.6)
    board.text(left + 1.5 * size, top + 0.6, "segments", "back", 11)
    board.text(0.35, top + 0.16, "rays", "forward", 11, ha="left")
    board.arrow((left + 3 * size, 1.55), (3.85, 1.55), "accent", gap=0.12)
    board.text(3.3, 1.8, "any(dim=1)", "accent", 9.5, code=True)
    board.text(left + 1.5 * size, 0.3, "(rays, segments)", "quiet", 10)
    board.text(4.06, 0.3, "(rays,)", "quiet", 10)
    return board.figure


def grid(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.6)
    size, left, bottom = 0.58, 1.25, 0.55
    for row in range(3):
        for column in range(4):
            x, y = left + column * size, bottom + row * size
            fill = "forward_fill" if row % 2 == 0 else "paper"
            board.axes.add_patch(
                Rectangle((x, y), size, size, fc=theme[fill], ec=theme.forward, lw=1.1, zorder=2)
            )
            board.text(x + size / 2, y + size / 2, f"{4 * row + column}", "forward", 12)
    board.arrow((1.05, bottom), (1.05, bottom + 3 * size), "back", gap=0)
    board.text(0.82, bottom + 1.5 * size, "$y$", "back", 15)
    board.text(0.55, bottom + 1.5 * size - 0.3, "slow", "quiet", 10)
    board.arrow((left, 0.38), (left + 4 * size, 0.38), "back", gap=0)
    board.text(left + 2 * size, 0.2, "$z$", "back", 15)
    board.text(left + 2 * size + 0.4, 0.18, "fast", "quiet", 10)
    for i, text in enumerate(("rays 8 to 11", "rays 4 to 7", "rays 0 to 3")):
        board.text(left + 4 * size + 0.2, bottom + (2.5 - i) * size, text, "ink", 10.5, ha="left")
    return board.figure


# --- Triangles --------------------------------------------------------------------------------


def barycentric(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.3)
    a, e1, e2 = np.array([1.15, 0.72]), np.array([2.5, 0.35]), np.array([0.55, 1.75])

    def at(u: float, v: float) -> Point:
        x, y = a + u * e1 + v * e2
        return float(x), float(y)

    _polygon(board, [at(0, 0), at(1, 0), at(0, 1)], "back", "back_fill", 2)
    for k in (0.25, 0.5, 0.75):
        board.line([at(k, 0), at(k, 1 - k)], "back", 0.8)
        board.line([at(0, k), at(1 - k, k)], "back", 0.8)
    _dashed(board, [at(1, 0), at(1, 1), at(0, 1)], "quiet", 1.3)
    _dashed(board, [at(-0.3, 0), at(1.3, 0)], "quiet", 1)
    _dashed(board, [at(0, -0.3), at(0, 1.25)], "quiet", 1)
    board.arrow(at(0, 0), at(1, 0), "back", gap=0.02, width=2.4)
    board.arrow(at(0, 0), at(0, 1), "back", gap=0.02, width=2.4)
    for point, label, dx, dy in (
        ((0, 0), "$A$", -0.2, -0.16),
        ((1, 0), "$B$", 0.22, -0.14),
        ((0, 1), "$C$", -0.2, 0.14),
    ):
        _dot(board, *at(*point), "back", 8)
        board.text(at(*point)[0] + dx, at(*point)[1] + dy, label, "back", 16)
    _dot(board, *at(0.5, 0.25), "accent", 9)
    _dashed(board, [at(0.5, 0.25), at(0.98, 0.42)], "accent", 1.2)
    label = at(1.0, 0.43)
    board.text(label[0] + 0.1, label[1] + 0.14, r"$u = \frac{1}{2}$", "accent", 14, ha="left")
    board.text(label[0] + 0.1, label[1] - 0.2, r"$v = \frac{1}{4}$", "accent", 14, ha="left")
    board.text(*at(-0.26, 0.85), "$u < 0$", "quiet", 13)
    board.text(*at(0.75, -0.2), "$v < 0$", "quiet", 13)
    board.text(*at(0.72, 0.8), "$u + v > 1$", "quiet", 13)
    board.text(at(0.5, 0)[0] - 0.2, at(0.5, 0)[1] - 0.2, "$u$", "back", 14)
    board.text(at(0, 0.5)[0] - 0.17, at(0, 0.5)[1] + 0.05, "$v$", "back", 14)
    return board.figure


# --- Meshes -----------------------------------------------------------------------------------


def nearest(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.75)
    camera, slope = (0.35, 1.35), 0.16

    def on_ray(x: float) -> Point:
        return x, camera[1] + slope * (x - camera[0])

    board.arrow(camera, on_ray(4.95), "forward", gap=0.0, width=2)
    _dot(board, *camera, "ink", 9)
    board.text(camera[0], camera[1] - 0.24, "camera", "ink", 10)
    walls = [((1.5, 0.95), (1.8, 2.25)), ((2.55, 0.75), (3.0, 1.45)), ((3.9, 1.3), (4.15, 2.5))]
    for (a, b), label in zip(walls, ("2", "∞", "5"), strict=True):
        is_hit = label != "∞"
        color = "back" if is_hit else "quiet"
        board.line([a, b], color, 4)
        crossing = _crossing(camera, slope, a, b)
        if is_hit and crossing:
            _dot(board, *crossing, "back", 10)
            board.text(
                crossing[0] + 0.14, crossing[1] - 0.2, f"$s = {label}$", "back", 13, ha="left"
            )
        elif crossing:
            board.text(b[0] - 0.05, a[1] + 0.22, "missed", "quiet", 10, ha="left")
    board.cells(1.6, 0.52, [["2", "∞", "5"]], "back", "back_fill")
    board.text(1.5, 0.31, "$s$ of the ray:", "ink", 11, ha="right")
    board.arrow((2.86, 0.31), (3.86, 0.31), "accent", gap=0.08)
    board.text(3.36, 0.47, "amin", "accent", 9.5, code=True)
    board.cells(3.86, 0.52, [["2"]], "accent", "accent_fill")
    return board.figure


def depth(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 2.75)
    camera, wall = (0.55, 0.75), 4.1
    top = 2.5
    board.line([(wall, 0.35), (wall, 2.65)], "back", 4)
    board.arrow(camera, (wall, camera[1]), "forward", gap=(0.0, 0.03), width=2)
    board.arrow(camera, (wall, top), "forward", gap=(0.0, 0.03), width=2)
    _dashed(board, [(camera[0], top), (wall, top)], "accent", 1.6)
    _dashed(board, [camera, (camera[0], top)], "quiet", 1)
    _dot(board, *camera, "ink", 9)
    _dot(board, wall, top, "back", 9)
    _dot(board, wall, camera[1], "back", 9)
    board.text(camera[0], camera[1] - 0.24, "camera", "ink", 10.5)
    board.text(2.3, top - 0.17, "$s\\,D_x$", "accent", 14)
    board.text(3.05, 1.42, "$s\\,|D|$, longer", "forward", 13)
    board.text(2.4, camera[1] - 0.2, "$s\\,D_x$, the same", "accent", 13)
    board.text(wall + 0.14, 1.55, "wall", "back", 11, ha="left")
    return board.figure


def chunks(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 3.1)
    left, top, width, height = 0.75, 2.75, 1.6, 2.2
    for i in range(5):
        y = top - (i + 1) * height / 5
        active = i == 1
        board.axes.add_patch(
            Rectangle(
                (left, y),
                width,
                height / 5,
                fc=theme["forward_fill" if active else "paper"],
                ec=theme["forward" if active else "line"],
                lw=2 if active else 1,
                ls="-" if active else "--",
                zorder=3 if active else 2,
            )
        )
    board.text(left + width / 2, top + 0.17, "triangles", "back", 11)
    board.text(0.4, top - height / 2, "rays", "forward", 11)
    y = top - 1.5 * height / 5
    board.text(left + width / 2, y, "a chunk", "forward", 11, bold=True)
    board.arrow((left + width, y), (3.15, y), "forward", gap=0.06)
    for k in (2, 1, 0):
        corner = (3.18 + 0.07 * k, y - 0.3 + 0.07 * k)
        square = Rectangle(corner, 0.5, 0.5, fc=theme.back_fill, ec=theme.back, lw=1, zorder=3)
        board.axes.add_patch(square)
    board.text(3.43, y - 0.06, "3×3", "back", 10)
    board.text(3.5, y - 0.5, "solve", "ink", 10)
    board.arrow((3.85, y), (4.45, y), "accent", gap=0.04)
    board.text(4.1, y + 0.2, "amin", "accent", 9.5, code=True)
    for i in range(5):
        low = top - (i + 1) * height / 5
        done = i <= 1
        fill, edge = ("accent_fill", "accent") if done else ("paper", "line")
        cell = Rectangle(
            (4.5, low), 0.3, height / 5, fc=theme[fill], ec=theme[edge], lw=1, zorder=2
        )
        board.axes.add_patch(cell)
    board.text(4.65, top + 0.17, "depths", "accent", 11)
    board.text(left + width / 2, 0.3, "never all there at once", "quiet", 10)
    return board.figure


def turn(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.0)
    middle, unit, theta = (1.75, 0.95), 1.5, math.radians(32)
    c, s = math.cos(theta), math.sin(theta)
    # To the right is z, upward is x.
    board.arrow(middle, (middle[0] + unit, middle[1]), "quiet", gap=0)
    board.arrow(middle, (middle[0], middle[1] + unit), "quiet", gap=0)
    z_end = (middle[0] + unit * c, middle[1] + unit * s)
    x_end = (middle[0] - unit * s, middle[1] + unit * c)
    board.arrow(middle, z_end, "forward", gap=0, width=2.4)
    board.arrow(middle, x_end, "back", gap=0, width=2.4)
    arc = [
        (middle[0] + 0.62 * math.cos(t), middle[1] + 0.62 * math.sin(t))
        for t in np.linspace(0, theta, 20)
    ]
    board.line(arc, "accent", 1.8)
    board.text(middle[0] + 0.78, middle[1] + 0.2, r"$\theta$", "accent", 15)
    _dot(board, *middle, "ink", 8)
    board.text(middle[0] - 0.12, middle[1] - 0.25, "$y$ points at you", "quiet", 10.5)
    board.text(middle[0] + unit + 0.15, middle[1] - 0.02, "$z$", "quiet", 15)
    board.text(middle[0] + 0.02, middle[1] + unit + 0.17, "$x$", "quiet", 15)
    board.text(
        z_end[0] + 0.12,
        z_end[1] + 0.12,
        r"$(\sin\theta,\ 0,\ \cos\theta)$",
        "forward",
        13,
        ha="left",
    )
    board.text(x_end[0] - 0.1, x_end[1] + 0.24, r"$(\cos\theta,\ 0,\ -\sin\theta)$", "back", 13)
    return board.figure


# --- Light ------------------------------------------------------------------------------------


def lambert(theme: Theme) -> Figure:
    board = Board(theme, 5.2, 2.7)
    for x, degrees, text, shade in (
        (0.9, 0, "all of it", 1.0),
        (2.6, 60, "half of it", 0.5),
        (4.35, 150, "nothing", 0.0),
    ):
        tilt = math.radians(degrees)
        along = np.array([math.cos(tilt), math.sin(tilt)])
        normal = np.array([-math.sin(tilt), math.cos(tilt)])
        middle = np.array([x, 0.95])
        half = 0.36 / max(abs(math.cos(tilt)), 0.5)
        for offset in (-0.3, -0.1, 0.1, 0.3):
            reach = offset / math.cos(tilt)
            end = middle + reach * along
            board.arrow((x + offset, 2.5), tuple(end), "accent", gap=(0, 0.04), width=1.3)
        dark, bright = np.array(to_rgb("#2a1a06")), np.array(to_rgb("#ffc83d"))
        colour = tuple(dark + (0.15 + 0.85 * shade) * (bright - dark))
        ends = [tuple(middle - half * along), tuple(middle + half * along)]
        board.axes.plot(*zip(*ends, strict=True), color=theme.ink, lw=8, zorder=2)
        board.axes.plot(*zip(*ends, strict=True), color=colour, lw=6, zorder=2)
        board.arrow(tuple(middle), tuple(middle + 0.62 * normal), "back", gap=(0.06, 0), width=2.2)
        tip = middle + 0.78 * normal
        board.text(
            tip[0] + 0.0,
            tip[1],
            "$n$",
            "back",
            14,
        )
        board.text(x, 0.1, text, "ink", 11)
    board.text(0.36, 2.3, r"$\ell$", "accent", 15)
    return board.figure


# --- How fast can it go? ----------------------------------------------------------------------


def layout(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.35)
    size, left = 0.4, 0.15
    colours = {"x": "forward", "y": "back", "z": "accent"}
    for y, order, title in (
        (1.75, "xyz" * 4, "coordinates last"),
        (0.68, "xxxxyyyyzzzz", "coordinates first"),
    ):
        counts = dict.fromkeys("xyz", 0)
        for i, name in enumerate(order):
            label = f"${name}_{counts[name]}$"
            counts[name] += 1
            color = colours[name]
            board.cells(left + i * size, y, [[label]], color, f"{color}_fill", size, 12)
        board.text(left, y + 0.38, title, "ink", 11, ha="left", bold=True)
        places = [i for i, name in enumerate(order) if name == "x"]
        for i in places:
            middle = left + (i + 0.5) * size
            board.arrow((middle, y + 0.22), (middle, y), "forward", gap=0.0, width=1.3)
        ends = [left + (places[0] + 0.5) * size, left + (places[-1] + 0.5) * size]
        board.line([(ends[0], y + 0.22), (ends[1], y + 0.22)], "forward", 1.3)
    return board.figure


def pyramid(theme: Theme) -> Figure:
    board = Board(theme, 5.1, 2.95)
    o, a, b, c = (0.45, 1.0), (3.55, 0.35), (4.6, 1.5), (3.0, 2.6)
    _polygon(board, [o, a, b], "forward", "forward_fill", 1.2)
    _polygon(board, [o, b, c], "forward", "forward_fill", 1.2)
    _polygon(board, [a, b, c], "back", "back_fill", 2)
    for corner in (a, b, c):
        board.line([o, corner], "forward", 1.2)
    inside = (3.75, 1.45)
    board.arrow(o, (inside[0] + 0.72, inside[1] + 0.1), "accent", gap=0.0, width=2)
    _dot(board, *inside, "accent", 8)
    board.text(inside[0] - 0.1, inside[1] + 0.24, "$s\\,D$", "accent", 14)
    _dot(board, *o, "ink", 9)
    board.text(o[0], o[1] - 0.26, "camera", "ink", 10.5)
    board.text(a[0] + 0.06, a[1] - 0.19, "$A$", "back", 15)
    board.text(b[0] + 0.2, b[1], "$B$", "back", 15)
    board.text(c[0] - 0.06, c[1] + 0.18, "$C$", "back", 15)
    board.arrow((1.95, 0.68), (2.1, 1.02), "forward", gap=0.0, width=1.8)
    board.text(1.75, 0.42, r"$A \times B$", "forward", 13)
    board.arrow((1.75, 1.81), (1.98, 1.5), "forward", gap=0.0, width=1.8)
    board.text(1.55, 2.02, r"$C \times A$", "forward", 13)
    board.text(4.05, 2.3, r"$B \times C$", "forward", 13)
    board.arrow((3.72, 2.14), (3.5, 1.88), "forward", gap=0.0, width=1.8)
    return board.figure


def fused(theme: Theme) -> Figure:
    board = Board(theme, 5.2, 3.2)
    board.text(0.12, 3.03, "one operation after the other", "back", 11, ha="left", bold=True)
    names = ["cross", "dot", "compare", "min"]
    for i, name in enumerate(names):
        x = 0.75 + 1.23 * i
        board.box(x, 2.62, 0.95, 0.36, name, "back", "back_fill", size=10.5)
        board.arrow((x - 0.22, 1.98), (x - 0.22, 2.44), "back", gap=0.01, width=2)
        board.arrow((x + 0.22, 2.44), (x + 0.22, 1.98), "back", gap=0.01, width=2)
    board.box(2.6, 1.82, 4.9, 0.3, "memory", "ink", "paper", size=10.5)
    board.text(0.12, 1.34, "one kernel", "accent", 11, ha="left", bold=True)
    board.box(
        2.6, 0.96, 3.6, 0.4, "cross · dot · compare · min", "accent", "accent_fill", size=10.5
    )
    board.box(2.6, 0.22, 4.9, 0.3, "memory", "ink", "paper", size=10.5)
    board.arrow((1.2, 0.37), (1.2, 0.76), "accent", gap=0.01, width=2)
    board.arrow((4.0, 0.76), (4.0, 0.37), "accent", gap=0.01, width=2)
    return board.figure


def hierarchy(theme: Theme) -> Figure:
    board = Board(theme, 5.2, 3.3)
    shapes = [(0.45, 0.5), (0.9, 1.0), (0.55, 1.75), (1.0, 2.25)]
    shapes += [(1.72, 0.55), (2.2, 1.05), (1.77, 1.9), (2.25, 2.4)]
    triangles = [
        [(x + 0.17 * math.cos(t + i), y + 0.17 * math.sin(t + i)) for t in (0, 2.1, 4.2)]
        for i, (x, y) in enumerate(shapes)
    ]
    boxes = {
        "root": range(8),
        "0": (0, 1, 2, 3),
        "1": (4, 5, 6, 7),
        "00": (0, 1),
        "01": (2, 3),
        "10": (4, 5),
        "11": (6, 7),
    }
    entered = {"root", "0", "1", "00", "10"}
    for name, members in boxes.items():
        corners = np.array([p for i in members for p in triangles[i]])
        room = {"root": 0.15, "0": 0.09, "1": 0.09}.get(name, 0.03)
        low, high = corners.min(0) - room, corners.max(0) + room
        color = "accent" if name in entered else "line"
        size = high - low
        box = Rectangle(
            tuple(low),
            *size,
            fc="none",
            ec=theme[color],
            lw=1.6 if name in entered else 1.1,
            zorder=2,
        )
        board.axes.add_patch(box)
    for triangle in triangles:
        _polygon(board, triangle, "back", "back_fill", 1.2)
    board.arrow((0.05, 0.28), (2.72, 1.24), "forward", gap=0.0, width=2)
    places = {
        "root": (4.0, 2.9),
        "0": (3.4, 2.05),
        "1": (4.6, 2.05),
        "00": (3.1, 1.2),
        "01": (3.7, 1.2),
        "10": (4.3, 1.2),
        "11": (4.9, 1.2),
    }
    for name, (x, y) in places.items():
        color = "accent" if name in entered else "line"
        if name != "root":
            parent = "root" if len(name) == 1 else name[0]
            board.line([places[parent], (x, y)], color, 1.6)
    for name, (x, y) in places.items():
        color, fill = ("accent", "accent_fill") if name in entered else ("line", "paper")
        board.box(x, y, 0.42, 0.34, "", color, fill)
        if name in ("00", "10"):
            for shift in (-0.13, 0.13):
                triangle = [
                    (x + shift + 0.1 * math.cos(t), 0.62 + 0.1 * math.sin(t))
                    for t in (0.5, 2.6, 4.7)
                ]
                _polygon(board, triangle, "back", "back_fill", 1.2)
            board.line([(x, y - 0.17), (x, 0.76)], "accent", 1.3)
    board.text(1.25, 3.12, "boxes in boxes", "quiet", 10.5)
    board.text(4.0, 0.25, "only these are looked at", "quiet", 10.5)
    return board.figure


def slabs(theme: Theme) -> Figure:
    board = Board(theme, 5.0, 3.3)
    low, high = (1.9, 1.3), (3.4, 2.35)
    start, slope = (0.35, 0.75), 0.42

    def y_at(x: float) -> float:
        return start[1] + slope * (x - start[0])

    def x_at(y: float) -> float:
        return start[0] + (y - start[1]) / slope

    board.box(
        (low[0] + high[0]) / 2,
        (low[1] + high[1]) / 2,
        high[0] - low[0],
        high[1] - low[1],
        "",
        "ink",
        "paper",
    )
    for x in (low[0], high[0]):
        _dashed(board, [(x, 0.62), (x, 3.15)], "back", 1.4)
    for y in (low[1], high[1]):
        _dashed(board, [(0.2, y), (4.85, y)], "forward", 1.4)
    board.arrow(start, (4.85, y_at(4.85)), "ink", gap=0.0, width=1.8)
    _dot(board, *start, "ink", 8)
    intervals = [
        (low[0], high[0], "back", "$x$ planes"),
        (x_at(low[1]), x_at(high[1]), "forward", "$y$ planes"),
        (max(low[0], x_at(low[1])), min(high[0], x_at(high[1])), "accent", "both"),
    ]
    inside = intervals[-1]
    board.line([(inside[0], y_at(inside[0])), (inside[1], y_at(inside[1]))], "accent", 5)
    for i, (a, b, color, text) in enumerate(intervals):
        y = 0.5 - 0.19 * i
        board.line([(a, y), (min(b, 4.85), y)], color, 4)
        board.text(1.5, y, text, color, 10, ha="right")
    board.text(low[0] + 0.02, 3.22, "low", "back", 10)
    board.text(high[0] + 0.02, 3.22, "high", "back", 10)
    board.text(0.12, low[1] + 0.11, "low", "forward", 10, ha="left")
    board.text(0.12, high[1] + 0.11, "high", "forward", 10, ha="left")
    return board.figure


# benchmarks/raytracing.py, milliseconds for 616 and for 11,440 triangles.
TIMES = {
    "linear solve": (1270, 26636),
    "Möller-Trumbore": (216, 7532),
    "matrix product": (26.5, 525),
    "compiled kernel": (10.7, 107),
    "hierarchy": (12.5, 21.7),
    "Embree": (0.9, 1.3),
}


def speed(theme: Theme) -> Figure:
    board = Board(theme, 5.2, 3.75)
    left, unit, top = 1.5, 0.72, 3.1

    def at(ms: float) -> float:
        return left + unit * (math.log10(ms) + 0.45)

    for power, label in enumerate(("1 ms", "10", "100", "1 s", "10 s")):
        board.line([(at(10**power), 0.2), (at(10**power), top + 0.12)], "line", 0.8)
        board.text(at(10**power), top + 0.27, label, "quiet", 10)
    for i, (name, times) in enumerate(TIMES.items()):
        y = top - 0.27 - 0.49 * i
        board.text(left - 0.08, y, name, "ink", 10.5, ha="right")
        for ms, color, shift in zip(times, ("forward", "back"), (0.1, -0.1), strict=True):
            width = at(ms) - left
            bar = Rectangle(
                (left, y + shift - 0.085), width, 0.17, fc=theme[f"{color}_fill"], ec=theme[color],
                lw=1.1, zorder=3,
            )  # fmt: skip
            board.axes.add_patch(bar)
    board.text(left, 3.6, "616 triangles", "forward", 10.5, ha="left", bold=True)
    board.text(left + 1.35, 3.6, "11,440 triangles", "back", 10.5, ha="left", bold=True)
    return board.figure


FIGURES: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        duck,
        ray,
        fan,
        four_cases,
        pairs,
        grid,
        barycentric,
        nearest,
        depth,
        chunks,
        turn,
        lambert,
        layout,
        pyramid,
        fused,
        hierarchy,
        slabs,
        speed,
    )
}
