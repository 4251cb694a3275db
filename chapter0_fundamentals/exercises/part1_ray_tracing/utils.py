"""Given: meshes from files, pictures and turning pictures, and the interactive views of the page.

Plotly, torch and trimesh are imported where they are used: the page draws its views without torch.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

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


def load_mesh(path: str | Path) -> Float["Tensor", "triangles 3 3"]:
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


def _load_tensor(path: Path) -> "Tensor":
    import pickle

    import torch

    try:
        triangles = torch.load(path, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise MeshError(f"{path}: not a tensor saved by torch: {_first_line(error)}") from None
    if not isinstance(triangles, torch.Tensor):
        raise MeshError(f"{path}: holds a {type(triangles).__name__}, not a tensor")
    return triangles.float()


def _load_model(path: Path) -> "Tensor":
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
    triangles: Float["Tensor", "triangles 3 3"], size: float = 2.0
) -> Float["Tensor", "triangles 3 3"]:
    """Move a mesh to the origin and scale its longest side to `size`, to fit before our camera."""
    corners = triangles.flatten(0, 1)
    low, high = corners.amin(0), corners.amax(0)
    return (triangles - (low + high) / 2) * (size / (high - low).max().clamp(min=1e-12))


# --- pictures -----------------------------------------------------------------------------------


def render_lines_with_plotly(
    lines: Float["Tensor", "lines 2 3"],
    bold_lines: Float["Tensor", "bold 2 3"] | None = None,
    filename: str | None = None,
) -> "go.Figure":
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
    values: Float["Tensor", "y z"] | Bool["Tensor", "y z"], filename: str | None = None
) -> "go.Figure":
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


def display_video(
    distances: Float["Tensor", "frames y z"], filename: str | None = None
) -> "go.Figure":
    """Show depths as a turning picture with a slider: near is bright, no hit is dark."""
    return _video(_numpy(distances), filename)


def display_video_with_lighting(
    intensity: Float["Tensor", "frames y z"], filename: str | None = None
) -> "go.Figure":
    """Show brightnesses from 0 to 1 as a turning picture with a slider."""
    return _video(_numpy(intensity), filename, limits=(0.0, 1.0))


def save_video(
    frames: Float["Tensor", "frames y z"], path: str | Path, frames_per_second: float = 15
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
    """Give values to draw (nan: nothing), the range of their colours, and the colour scale."""
    values = values.astype(np.float32)
    if not np.isinf(values).any() and (values >= 0).all() and (values <= 1.01).all():
        return values, (0.0, 1.0), "gray"
    shown = np.where(np.isfinite(values), values, np.nan)
    finite = shown[np.isfinite(shown)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return shown, (low, high if high > low else low + 1), _NEAR_IS_BRIGHT


def _square(figure: "go.Figure", shape: tuple[int, ...]) -> None:
    """Make pixels square, and what is not hit dark."""
    figure.update_traces(showscale=False, hovertemplate="row %{y}, column %{x}: %{z:.3f}", name="")
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, scaleanchor="x", constrain="domain")
    height = 60 + min(420, max(160, 420 * shape[-2] // max(1, shape[-1])))
    figure.update_layout(height=height, margin=_NO_MARGIN, plot_bgcolor="#101214")


def _video(
    frames: Arr, filename: str | None, limits: tuple[float, float] | None = None
) -> "go.Figure":
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
    figure.update_layout(**_player([str(i) for i in range(len(steps))]), height=520)
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
        "x": 0, "y": 0, "xanchor": "left", "yanchor": "top", "pad": {"t": 14},
    }  # fmt: skip
    steps = [{"label": n, "method": "animate", "args": [[n], at_once]} for n in names]
    return {"updatemenus": [menu], "sliders": [slider(steps, label, x=0.28)]}


def slider(
    steps: Sequence[dict[str, Any]], label: str, x: float = 0.0, y: float = 0.0, active: int = 0
) -> dict[str, Any]:
    """Give the layout of one slider, its present value written above it."""
    return {
        "steps": list(steps), "active": active, "x": x, "y": y, "len": 1 - x,
        "xanchor": "left", "yanchor": "top", "pad": {"t": 8, "b": 8},
        "currentvalue": {"prefix": label, "xanchor": "left", "offset": 6},
        "ticklen": 0, "minorticklen": 0, "font": {"color": "rgba(0,0,0,0)", "size": 1},
    }  # fmt: skip


def _scene(limits: float | None = None) -> dict[str, Any]:
    """Give the layout of a view in space: y points up, as it does in our pictures."""
    axis = {"range": [-limits, limits]} if limits else {}
    camera = {"up": {"x": 0, "y": 1, "z": 0}, "eye": {"x": -1.2, "y": 0.7, "z": -1.4}}
    return {
        "xaxis": axis, "yaxis": axis, "zaxis": axis, "aspectmode": "data", "camera": camera,
    }  # fmt: skip
