"""Given: meshes from files, pictures and turning pictures, and the interactive views of the page.

Plotly, torch and trimesh are imported where they are used: the page draws its views without torch.
"""

from __future__ import annotations  # Tensor is not there at run time

import contextlib
import functools
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from torch import Tensor

Arr = np.ndarray

MESH = Path(__file__).parent / "mesh"
FORMATS = (".stl", ".obj", ".ply", ".off")


class MeshError(Exception):
    """A file holds no mesh that can be used; one line says which and why."""

    def _render_traceback_(self) -> list[str]:
        """Show the line alone in a notebook (IPython asks for this)."""
        return [str(self)]


# --- meshes -------------------------------------------------------------------------------------


def load_mesh(path: str | Path) -> Float[Tensor, "triangles 3 3"]:
    """Load the triangles of a mesh: a tensor (.pt), or STL, OBJ, PLY or OFF through trimesh.

    Args:
        path: Polygons with more corners are cut into triangles; materials are ignored.

    Raises:
        MeshError: There is no such file, or no triangles in it.
    """
    import torch

    path = Path(path)
    if not path.is_file():
        raise MeshError(f"{path}: there is no such file")
    if path.suffix.lower() == ".pt":
        triangles = _load_tensor(path)
    elif path.suffix.lower() in FORMATS:
        triangles = _load_model(path)
    else:
        known = ", ".join((".pt", *FORMATS))
        raise MeshError(f"{path}: this ending is not known; use one of {known}")
    if triangles.shape[1:] != (3, 3) or len(triangles) == 0:
        raise MeshError(f"{path}: holds no triangles (its shape is {tuple(triangles.shape)})")
    if not torch.isfinite(triangles).all():
        raise MeshError(f"{path}: some corners are infinite or not a number")
    return triangles


def _load_tensor(path: Path) -> Tensor:
    import pickle

    import torch

    try:
        triangles = torch.load(path, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise MeshError(f"{path}: not a tensor saved by torch: {_first_line(error)}") from None
    if not isinstance(triangles, torch.Tensor):
        raise MeshError(f"{path}: holds a {type(triangles).__name__}, not a tensor")
    return triangles.float()


def _load_model(path: Path) -> Tensor:
    import torch
    import trimesh

    try:
        mesh = trimesh.load_mesh(path)
        triangles = np.asarray(mesh.triangles, dtype=np.float32).reshape(-1, 3, 3)
    except Exception as error:  # each of trimesh's readers raises errors of its own
        raise MeshError(f"{path}: trimesh cannot read it: {_first_line(error)}") from None
    return torch.from_numpy(triangles.copy())


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def centred(
    triangles: Float[Tensor, "triangles 3 3"], size: float = 2.0
) -> Float[Tensor, "triangles 3 3"]:
    """Move a mesh to the origin and scale its longest side to `size`, to fit before our camera."""
    corners = triangles.flatten(0, 1)
    low, high = corners.amin(0), corners.amax(0)
    return (triangles - (low + high) / 2) * (size / (high - low).max().clamp(min=1e-12))


# --- pictures -----------------------------------------------------------------------------------


def render_lines_with_plotly(
    lines: Float[Tensor, "lines 2 3"],
    bold_lines: Float[Tensor, "bold 2 3"] | None = None,
    filename: str | None = None,
) -> go.Figure:
    """Draw lines in space, each from its first point to its second.

    Args:
        lines: For rays too, whose second row is a direction: then from the origin, add it first.
        bold_lines: Drawn thicker, in another colour.
        filename: Write the figure as a page, too.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for group, colour, width in ((lines, "#2563b8", 2), (bold_lines, "#c8620e", 6)):
        if group is None or len(group) == 0:
            continue
        points = np.full((len(group), 3, 3), np.nan, np.float32)  # nan: the pen is lifted
        points[:, :2] = _numpy(group)
        x, y, z = points.reshape(-1, 3).T
        style = {"color": colour, "width": width}
        figure.add_trace(go.Scatter3d(x=x, y=y, z=z, mode="lines", line=style, hoverinfo="skip"))
    figure.update_layout(showlegend=False, height=480, margin=_NO_MARGIN, scene=_scene())
    if filename:
        figure.write_html(filename)
    return figure


def display_image(
    values: Float[Tensor, "y z"] | Bool[Tensor, "y z"], filename: str | None = None
) -> go.Figure:
    """Show a picture: what each ray of a grid found, infinite values dark.

    Args:
        values: First axis y, upward; second axis z, to the right.
        filename: Write the figure as a page, too.
    """
    import plotly.graph_objects as go

    image, (low, high), colours = _shades(_numpy(values))
    figure = go.Figure(go.Heatmap(z=image, zmin=low, zmax=high, colorscale=colours))
    _square(figure, image.shape)
    if filename:
        figure.write_html(filename)
    return figure


def display_video(distances: Float[Tensor, "frames y z"], filename: str | None = None) -> go.Figure:
    """Show depths as a turning picture with a slider: near is bright, no hit is dark."""
    return _video(_numpy(distances), filename)


def display_video_with_lighting(
    intensity: Float[Tensor, "frames y z"], filename: str | None = None
) -> go.Figure:
    """Show brightnesses from 0 to 1 as a turning picture with a slider."""
    return _video(_numpy(intensity), filename, limits=(0.0, 1.0))


def save_video(
    frames: Float[Tensor, "frames y z"], path: str | Path, frames_per_second: float = 15
) -> Path:
    """Write frames as an animated GIF that loops; depths become brightness as on screen.

    Args:
        frames: Depths (infinite where nothing is hit), or brightnesses from 0 to 1.
        path: Must end in .gif.
        frames_per_second: At most 50; browsers slow faster ones down.
    """
    from PIL import Image

    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise ValueError(f"{path}: the name must end in .gif")
    images, (low, high), colours = _shades(_numpy(frames))
    grey = np.nan_to_num((images - low) / (high - low), nan=0.0).clip(0, 1)
    if colours == _NEAR_IS_BRIGHT:
        grey = np.where(np.isnan(images), 0.0, 1 - 0.85 * grey)
    pages = [Image.fromarray(page) for page in (255 * grey[:, ::-1]).astype(np.uint8)]
    duration = max(20, round(1000 / frames_per_second))
    pages[0].save(path, save_all=True, append_images=pages[1:], duration=duration, loop=0)
    return path


_NO_MARGIN = {"t": 10, "b": 10, "l": 10, "r": 10}
_NEAR_IS_BRIGHT = "gray_r"


def _numpy(values: Any) -> Arr:
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)


def _shades(values: Arr) -> tuple[Arr, tuple[float, float], str]:
    """Give values to draw (nan: nothing), the range of their colours, and the colour scale.

    Depths are infinite somewhere or more than 2, brightnesses and masks are not.
    """
    values = values.astype(np.float32)
    if (values >= 0).all() and (values <= 2).all():
        return values.clip(0, 1), (0.0, 1.0), "gray"
    shown = np.where(np.isfinite(values), values, np.nan)
    finite = shown[np.isfinite(shown)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return shown, (low, high if high > low else low + 1), _NEAR_IS_BRIGHT


def _square(figure: go.Figure, shape: tuple[int, ...]) -> None:
    """Make pixels square, and what is not hit dark."""
    figure.update_traces(showscale=False, hovertemplate="row %{y}, column %{x}: %{z:.3f}", name="")
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, scaleanchor="x", constrain="domain")
    height = 60 + min(420, max(160, 420 * shape[-2] // max(1, shape[-1])))
    figure.update_layout(height=height, margin=_NO_MARGIN, plot_bgcolor="#101214")


def _video(
    frames: Arr, filename: str | None, limits: tuple[float, float] | None = None
) -> go.Figure:
    import plotly.graph_objects as go

    images, (low, high), colours = _shades(frames)
    if limits:
        (low, high), colours = limits, "gray"
    scale = (high - low) / 255
    with np.errstate(invalid="ignore"):  # whole numbers are a quarter of the size
        steps = np.nan_to_num((images - low) / scale, nan=256).clip(0, 256).astype(np.int16)
    scales = {"gray": "gray", _NEAR_IS_BRIGHT: [[0, "#fff"], [0.995, "#333"], [1, "#101214"]]}
    show = {"colorscale": scales[colours], "zmin": 0, "zmax": 256, "hoverinfo": "skip"}
    figure = go.Figure(go.Heatmap(z=steps[0], **show))
    _square(figure, frames.shape)
    figure.frames = [
        go.Frame(data=[go.Heatmap(z=step, **show, showscale=False)], name=str(i))
        for i, step in enumerate(steps)
    ]
    figure.update_traces(hovertemplate=None, hoverinfo="skip")
    figure.update_layout(**_player([str(i) for i in range(len(steps))]), height=520, margin_b=100)
    if filename:
        figure.write_html(filename)
    return figure


def _player(names: Sequence[str], label: str = "frame ") -> dict[str, Any]:
    """Give the layout of a play button, a pause button and a slider."""
    at_once = {"frame": {"duration": 0}, "mode": "immediate", "transition": {"duration": 0}}
    run = {"frame": {"duration": 70}, "fromcurrent": True, "transition": {"duration": 0}}
    buttons = [
        {"label": "▶", "method": "animate", "args": [None, run]},
        {"label": "❚❚", "method": "animate", "args": [[None], at_once]},
    ]
    menu = {
        "type": "buttons", "buttons": buttons, "direction": "left", "showactive": False,
        "x": 0, "y": 0, "xanchor": "left", "yanchor": "top", "pad": {"t": 30},
    }  # fmt: skip
    steps = [{"label": n, "method": "animate", "args": [[n], at_once]} for n in names]
    return {"updatemenus": [menu], "sliders": [slider(steps, label, x=0.3)]}


def slider(
    steps: Sequence[dict[str, Any]], label: str, x: float = 0.0, row: int = 0, active: int = 0
) -> dict[str, Any]:
    """Give the layout of a slider with its present value above it; rows go down from the figure."""
    return {
        "steps": list(steps), "active": active, "x": x, "y": 0, "len": 1 - x,
        "xanchor": "left", "yanchor": "top", "pad": {"t": 44 + 66 * row},
        "currentvalue": {
            "prefix": label, "xanchor": "left", "offset": 8,
            "font": {"size": 17, "color": "#787d86"},  # read on white and on black
        },
        # The labels of all steps would stand below the slider.
        "ticklen": 0, "minorticklen": 0, "font": {"color": "rgba(0,0,0,0)", "size": 1},
    }  # fmt: skip


def _scene(limits: float | None = None) -> dict[str, Any]:
    """Give the layout of a view in space: y points up, as it does in our pictures."""
    axis = {"range": [-limits, limits]} if limits else {}
    camera = {"up": {"x": 0, "y": 1, "z": 0}, "eye": {"x": -1.4, "y": 0.8, "z": -1.6}}
    return {
        "xaxis": axis, "yaxis": axis, "zaxis": axis, "aspectmode": "data", "camera": camera,
    }  # fmt: skip


# --- the views of the page ----------------------------------------------------------------------

_BLUE, _ORANGE, _GREEN, _GREY = (
    "#3f7fd0",
    "#d9731a",
    "#17907f",
    "#8a8f98",
)  # seen on black and white


def _plane(x: tuple[float, float], y: tuple[float, float], n_sliders: int = 1) -> go.Figure:
    """Give an empty figure of the plane in which both axes have the same scale."""
    import plotly.graph_objects as go

    figure = go.Figure()
    line = {"zeroline": False, "showgrid": True, "gridcolor": "rgba(138,143,152,0.25)"}
    figure.update_xaxes(range=x, constrain="domain", **line)
    figure.update_yaxes(range=y, scaleanchor="x", constrain="domain", **line)
    below = 50 + 68 * n_sliders
    figure.update_layout(
        showlegend=False, height=330 + below, margin={"t": 10, "b": below, "l": 10, "r": 10}
    )
    return figure


def _add(figure: go.Figure, points: Sequence[Sequence[float]], **style: Any) -> int:
    """Add points or lines to a figure of the plane; give the number of the trace."""
    x, y = zip(*points, strict=True)
    figure.add_scatter(x=x, y=y, hoverinfo="skip", **style)
    return len(figure.data) - 1


def _line(figure: go.Figure, points: Sequence[Arr], colour: str, width: float = 3) -> int:
    return _add(figure, points, mode="lines", line={"color": colour, "width": width})


def _dotted(figure: go.Figure, points: Sequence[Arr]) -> int:
    line = {"color": _GREY, "dash": "dot", "width": 2}
    return _add(figure, points, mode="lines", line=line)


def _named(figure: go.Figure, points: Mapping[str, Arr], colour: str, at: str | list[str]) -> int:
    """Add points with their names beside them."""
    font, marker = {"color": colour, "size": 15}, {"color": colour, "size": 9}
    style = {"mode": "markers+text", "textposition": at, "textfont": font, "marker": marker}
    return _add(figure, list(points.values()), text=list(points), **style)


def _moves(
    trace: int, places: Mapping[str, Sequence[float]], texts: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Give the steps of a slider that puts the point of a trace to another place at each."""
    steps = []
    for label, (x, y) in places.items():
        change = {"x": [[x]], "y": [[y]], "text": [[(texts or {}).get(label, "")]]}
        steps.append({"label": label, "method": "restyle", "args": [change, [trace]]})
    return steps


def _steps(first: float, last: float, n: int) -> list[float]:
    return [round(first + (last - first) * i / n, 10) for i in range(n + 1)]


def _label(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212")


def explore_ray() -> go.Figure:
    """Show a ray of the plane and a point on it, with a slider for u."""
    origin, direction = np.array([1.0, 0.5]), np.array([2.0, 1.0])
    figure = _plane((-4, 8), (-2.2, 4.4))
    _dotted(figure, [origin - 2 * direction, origin])
    _line(figure, [origin, origin + 3.4 * direction], _BLUE)
    _named(figure, {"O": origin, "O + D": origin + direction}, _BLUE, "bottom right")
    values = {_label(u): u for u in _steps(-1.5, 3, 45)}
    places = {label: origin + u * direction for label, u in values.items()}
    texts = {
        label: f"({_label(x)}, {_label(y)})" if values[label] >= 0 else "behind the ray"
        for label, (x, y) in places.items()
    }
    shown = _label(1.5)
    point = _named(figure, {texts[shown]: places[shown]}, _ORANGE, "top center")
    figure.data[point].marker.size = 15
    steps = _moves(point, places, texts)
    figure.update_layout(sliders=[slider(steps, "u = ", active=list(places).index(shown))])
    return figure


def explore_segment() -> go.Figure:
    """Show a ray and a segment, each with a point on it and a slider for the point."""
    origin, direction = np.array([0.0, 1.0]), np.array([2.0, 0.5])
    start, end = np.array([4.0, -0.5]), np.array([5.0, 4.5])
    along = end - start
    figure = _plane((-3, 9), (-2, 5.2), n_sliders=2)
    _dotted(figure, [origin - 1.4 * direction, origin])
    _line(figure, [origin, origin + 4.4 * direction], _BLUE)
    _dotted(figure, [start - 0.25 * along, end + 0.1 * along])
    _line(figure, [start, end], _GREEN, width=5)
    _named(figure, {"O": origin, "O + D": origin + direction}, _BLUE, "bottom right")
    _named(figure, {"L₁": start, "L₂": end}, _GREEN, "bottom right")
    sliders = []
    for row, (name, first, way, colour, values) in enumerate(
        [
            ("u", origin, direction, _BLUE, _steps(-1, 4, 50)),
            ("v", start, along, _GREEN, _steps(-0.2, 1.1, 26)),
        ]
    ):
        places = {_label(value): first + value * way for value in values}
        shown = _label(0.5)
        point = _named(figure, {"": places[shown]}, colour, "top center")
        figure.data[point].marker.update(size=17, line={"color": _ORANGE, "width": 3})
        active = list(places).index(shown)
        sliders.append(slider(_moves(point, places), f"{name} = ", row=row, active=active))
    figure.update_layout(sliders=sliders)
    return figure


_CORNERS = {"A": np.array([0.0, 0.0]), "B": np.array([4.0, 1.0]), "C": np.array([1.0, 3.0])}
_FRAME = ((-2.2, 6.4), (-1.6, 4.8))


def explore_triangle() -> go.Figure:
    """Show a triangle and a point with its barycentric coordinates, with a slider for each.

    One slider moves the point, the other one the axes that it is drawn on, so that both add up.
    """
    a, b, c = _CORNERS.values()
    figure = _plane(*_FRAME, n_sliders=2)
    fill = {"fill": "toself", "fillcolor": "rgba(63,127,208,0.18)"}
    _add(figure, [a, b, c, a], mode="lines", line={"color": _BLUE, "width": 3}, **fill)
    _dotted(figure, [b, b + c, c])
    _named(figure, _CORNERS, _BLUE, ["bottom left", "bottom right", "top left"])
    way = {"mode": "lines", "line": {"color": _ORANGE, "width": 3, "dash": "dash"}}
    moved = {"xaxis": "x2", "yaxis": "y2"}
    traces = [
        _add(figure, [a, 0.4 * b], **way),
        _dotted(figure, [0.4 * b - 2 * c, 0.4 * b + 2 * c]),
        _add(figure, [0.4 * b], mode="markers", marker={"color": _ORANGE, "size": 15}, **moved),
    ]
    first = _shifted(0.3)
    hidden = {"visible": False, "constrain": "domain", "overlaying": "x"}
    figure.update_layout(
        xaxis2={**hidden, "range": first["xaxis2.range"]},
        yaxis2={
            **hidden, "overlaying": "y", "range": first["yaxis2.range"], "scaleanchor": "x2",
        },
        sliders=[
            slider(_moves_along_b(traces), "u = ", active=14),
            slider(
                [
                    {"label": _label(v), "method": "relayout", "args": [_shifted(v)]}
                    for v in _steps(-0.3, 1.3, 32)
                ],
                "v = ",
                row=1,
                active=12,
            ),
        ],
    )  # fmt: skip
    return figure


def _shifted(v: float) -> dict[str, list[float]]:
    """Give the ranges of the second axes that move what is drawn on them by v (C - A)."""
    (x, y), c = _FRAME, _CORNERS["C"]
    return {
        "xaxis2.range": [end - v * c[0] for end in x],
        "yaxis2.range": [end - v * c[1] for end in y],
    }


def _moves_along_b(traces: list[int]) -> list[dict[str, Any]]:
    """Give the steps that move the way along B - A, the line of all v at its end, the point."""
    steps = []
    for u in _steps(-0.3, 1.3, 32):
        (x, y), c = u * _CORNERS["B"], _CORNERS["C"]
        change = {
            "x": [[0, x], [x - 2 * c[0], x + 2 * c[0]], [x]],
            "y": [[0, y], [y - 2 * c[1], y + 2 * c[1]], [y]],
        }
        steps.append({"label": _label(u), "method": "restyle", "args": [change, traces]})
    return steps


_ROOM = [(0, 4.4), (-1.1, 1.1), (-1.1, 1.1)]


def _xyz(points: Arr) -> dict[str, Arr]:
    return dict(zip("xyz", points.T.round(3), strict=True))


def explore_camera() -> go.Figure:
    """Show camera, screen, rays and a triangle in space, with a slider for its distance."""
    import plotly.graph_objects as go

    distances = [f"{1.6 + 0.2 * i:.1f}" for i in range(13)]
    camera = {"x": [0], "y": [0], "z": [0], "mode": "markers+text", "text": ["camera"]}
    style = {"marker": {"color": _BLUE, "size": 6}, "textfont": {"color": _BLUE, "size": 13}}
    figure = go.Figure([*_camera_traces(2.4), {"type": "scatter3d", **camera, **style}])
    figure.frames = [
        go.Frame(data=_camera_traces(float(d)), name=d, traces=[0, 1, 2]) for d in distances
    ]
    figure.update_traces(hoverinfo="skip")
    at_once = {"frame": {"duration": 0}, "mode": "immediate", "transition": {"duration": 0}}
    steps = [{"label": d, "method": "animate", "args": [[d], at_once]} for d in distances]
    limits = {f"{axis}axis": {"range": r} for axis, r in zip("xyz", _ROOM, strict=True)}
    figure.update_layout(
        showlegend=False,
        height=520,
        margin={"t": 0, "b": 110, "l": 0, "r": 0},
        scene={**_scene(), **limits},
        sliders=[slider(steps, "distance ", active=4)],
    )
    return figure


def _camera_traces(distance: float) -> list[dict[str, Any]]:
    """Give a triangle, the rays that meet it, and the pixels of the screen."""
    triangle = np.array([[0.0, -0.9, -0.7], [0.4, 0.2, 1.0], [-0.3, 1.0, -0.5]])
    triangle[:, 0] += distance
    y, z = np.meshgrid(*2 * [np.linspace(-0.45, 0.45, 9)], indexing="ij")
    screen = np.stack([np.ones(y.size), y.ravel(), z.ravel()], 1)
    a, b, c = (np.broadcast_to(corner, screen.shape) for corner in triangle)
    matrices = np.stack([-screen, b - a, c - a], axis=-1)
    s, u, v = np.linalg.solve(matrices, -a[..., None])[..., 0].T
    hit = (s >= 0) & (u >= 0) & (v >= 0) & (u + v <= 1)
    paths = np.full((hit.sum(), 3, 3), np.nan)
    paths[:, 0], paths[:, 1] = 0, screen[hit] * s[hit, None]
    colours = [_ORANGE if h else _GREY for h in hit]
    line, marker = {"color": _ORANGE, "width": 3}, {"color": colours, "size": 3}
    surface = {"i": [0], "j": [1], "k": [2], "color": _GREEN, "opacity": 0.6}
    return [
        {"type": "mesh3d", **_xyz(triangle), **surface},
        {"type": "scatter3d", **_xyz(paths.reshape(-1, 3)), "mode": "lines", "line": line},
        {"type": "scatter3d", **_xyz(screen), "mode": "markers", "marker": marker},
    ]


def turning_duck() -> go.Figure:
    """Show the depths of the duck while it makes a full turn, from a file beside the duck."""
    with np.load(MESH / "turning_duck.npz") as file:
        steps, near, far = file["steps"], file["near"], file["far"]
    return display_video(np.where(steps == 255, np.inf, near + steps / 254 * (far - near)))


# --- how fast -----------------------------------------------------------------------------------


class Missing(Exception):
    """What a tracer needs and this machine lacks, and how to get it, in one line."""

    def _render_traceback_(self) -> list[str]:
        """Show the line alone in a notebook (IPython asks for this)."""
        return [str(self)]


@functools.cache
def compiled(function: Callable) -> Callable:
    """Compile a function of tensors with torch.compile, once for each shape that it is called with.

    Raises:
        Missing: There is no C++ compiler on this machine.
    """
    import torch

    compiler = next((name for name in ("g++", "clang++", "c++") if shutil.which(name)), None)
    if compiler is None:
        advice = "xcode-select --install" if sys.platform == "darwin" else "apt install g++"
        raise Missing(f"no C++ compiler here, so no compiled kernel ({advice} brings one)")
    return torch.compile(function, dynamic=False)


def embree_scene(triangles: Float[Tensor, "triangles 3 3"]) -> Any:
    """Hand a mesh to Embree, which builds its own hierarchy.

    Raises:
        Missing: The package embreex is not installed; it exists for x86 machines only.
    """
    try:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene
    except ImportError:
        raise Missing("Embree is not installed here (pip install embreex, on x86 only)") from None
    scene = EmbreeScene()
    TriangleMesh(scene, np.ascontiguousarray(_numpy(triangles)))
    return scene


def raytrace_embree(rays: Float[Tensor, "rays 2 3"], scene: Any) -> Float[Tensor, " rays"]:
    """Find the depth of a mesh along each ray with Intel's Embree, on one core."""
    import torch

    origins, directions = (np.ascontiguousarray(rows) for rows in _numpy(rays).swapaxes(0, 1))
    s = torch.from_numpy(scene.run(origins, directions, query="DISTANCE"))
    return torch.where(s < 1e30, s * rays[:, 1, 0].cpu(), torch.inf)


@dataclass(frozen=True)
class Timing:
    """One tracer on one mesh; `missing` says why there are no numbers."""

    name: str
    prepare_s: float = 0.0
    trace_s: float = 0.0
    memory_mib: float = 0.0
    n_different: int = 0
    missing: str = ""


def time_tracers(
    tracers: Mapping[str, tuple[Callable | None, Callable]],
    rays: Float[Tensor, "rays 2 3"],
    triangles: Float[Tensor, "triangles 3 3"],
    n_runs: int = 20,
) -> list[Timing]:
    """Time tracers on the same rays and mesh, one after the other.

    Args:
        tracers: For each name a function that prepares the triangles (None: they stay as they are)
            and one that is called with the rays and what was prepared.
        rays: On the device that computes.
        triangles: On the same device.
        n_runs: The fastest counts, after one that warms up; slow tracers run fewer times.
    """
    timings: list[Timing] = []
    reference = None
    for name, (prepare, trace) in tracers.items():
        try:
            start = time.perf_counter()
            ready = prepare(triangles) if prepare else triangles
            prepare_s = time.perf_counter() - start
            depths = trace(rays, ready).cpu()  # warms up: a compiler may run
            trace_s, memory = _fastest(lambda trace=trace, ready=ready: trace(rays, ready), n_runs)
        except Missing as missing:
            timings.append(Timing(name, missing=str(missing)))
            continue
        reference = depths if reference is None else reference
        different = int((~np.isclose(depths, reference, rtol=1e-3, atol=1e-3)).sum())
        timings.append(Timing(name, prepare_s, trace_s, memory / 2**20, different))
    return timings


def compare_speed(
    tracers: Mapping[str, tuple[Callable | None, Callable]],
    rays: Float[Tensor, "rays 2 3"],
    triangles: Float[Tensor, "triangles 3 3"],
) -> None:
    """Print how fast tracers are beside the first of them, and how much memory they take."""
    timings = time_tracers(tracers, rays, triangles)
    print(f"{len(rays):,} rays, {len(triangles):,} triangles, on {rays.device}")
    print(f"{'':26}{'prepare':>10}{'trace':>12}{'times':>9}{'memory':>11}{'different':>11}")
    for t in timings:
        if t.missing:
            print(f"{t.name:26}{t.missing}")
            continue
        ratio = timings[0].trace_s / t.trace_s
        times = f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"
        print(
            f"{t.name:26}{1000 * t.prepare_s:7,.1f} ms{1000 * t.trace_s:9,.1f} ms{times:>8}×"
            f"{t.memory_mib:7,.0f} MiB{t.n_different:>11,}"
        )


def _fastest(run: Callable[[], Any], n_runs: int, budget_s: float = 4.0) -> tuple[float, float]:
    """Give the shortest of some runs in seconds, and the bytes that they take at their peak."""
    import torch

    best = float("inf")

    def runs() -> None:
        nonlocal best
        begin = time.perf_counter()
        for _ in range(n_runs):
            start = time.perf_counter()
            run()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - start)
            if time.perf_counter() - begin > budget_s:
                break

    memory = _peak_memory(runs)
    return best, memory


def _peak_memory(run: Callable[[], Any]) -> float:
    """Give the bytes that a run takes at its peak beyond what was taken before.

    On a GPU torch counts them, on Linux the kernel; elsewhere a thread looks each millisecond.
    """
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        on_gpu = torch.cuda.max_memory_allocated() - before
        if on_gpu:
            return on_gpu
    _give_memory_back()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak becomes what is taken now
        before = _status("VmRSS")
        run()
        return max(0, _status("VmHWM") - before)
    except OSError:
        return _sampled_memory(run)


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))


def _give_memory_back() -> None:
    """Have the C library return what is free, that it is not reused without being counted."""
    import ctypes
    import gc

    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _sampled_memory(run: Callable[[], Any]) -> float:
    import threading

    import psutil

    process, done = psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.001):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run()
    finally:
        done.set()
        watcher.join()
    return peak - before
