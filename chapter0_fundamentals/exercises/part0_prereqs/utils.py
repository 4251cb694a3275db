"""Given: the digits, pictures of arrays, and the interactive figures of the page."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    import plotly.graph_objects as go

Arr = np.ndarray


def load_digits() -> Float[Arr, "6 3 150 150"]:
    """Give coloured pictures of the digits 0 to 5, channels first, values from 0 to 1."""
    with np.load(Path(__file__).parent / "digits.npz") as stored:
        return stored["digits"] / np.float32(255)


def einops_target(number: int, arr: Float[Arr, "6 3 height width"]) -> Arr:
    """Give what an einops figure shall be, from slices and copies in plain numpy."""
    first, second = arr[0], arr[1]
    sheet = np.block([list(arr[:3]), list(arr[3:])])

    def pooled(picture: Arr, size: int) -> Arr:
        """Give the pixels of each square of size × size as the first axis of several pictures."""
        return np.stack([picture[..., y::size, x::size] for y in range(size) for x in range(size)])

    targets: dict[int, Callable[[], Arr]] = {
        1: lambda: np.concatenate(list(arr), axis=1),
        2: lambda: np.concatenate([first, first], axis=1),
        3: lambda: np.block([[first, first], [second, second]]),
        4: lambda: np.repeat(first, 2, axis=1),
        5: lambda: np.concatenate(list(first), axis=1),
        6: lambda: sheet,
        7: lambda: np.swapaxes(second, 1, 2),
        8: lambda: pooled(sheet, 2).max(axis=0),
        9: lambda: arr.max(axis=0),
        10: lambda: np.concatenate(list(arr.max(axis=1)), axis=1),
        11: lambda: np.repeat(np.repeat(first, 2, axis=1), 2, axis=2),
        12: lambda: np.concatenate(list(pooled(arr, 10).mean(axis=0)), axis=2),
    }
    return targets[number]()


def display_array_as_img(img_array: Arr, filename: str | None = None) -> "go.Figure":
    """Show an array as a picture; write it as a page to `filename` if given.

    Args:
        img_array: (height, width) in grey or (3, height, width) in colour; floats from 0 to 1, or
            whole numbers from 0 to 255.
        filename: Where to write.

    Raises:
        ValueError: The array has another shape.
    """
    figure = _side_by_side({"": img_array})
    if filename:
        figure.write_html(filename)
    return figure


def display_soln_array_as_img(i: int) -> "go.Figure":
    """Show what einops figure `i` shall be."""
    return display_array_as_img(einops_target(i, load_digits()))


def show_einops_figure(number: int, function: Callable[[Arr], Arr]) -> "go.Figure":
    """Show what an einops figure shall be, and beside it what your function gives."""
    arr = load_digits()
    target = einops_target(number, arr)
    try:
        result = function(arr.copy())
    except NotImplementedError:
        return _side_by_side({"target": target, "yours": "not written yet"})
    yours = np.asarray(result) if result is not None else "None: is a return missing?"
    if not isinstance(yours, str) and not _is_picture(yours):
        yours = f"no picture: shape {yours.shape}"
    return _side_by_side({"target": target, "yours": yours})


def _side_by_side(pictures: dict[str, Arr | str]) -> "go.Figure":
    """Show pictures in a row at one scale, each with its name and shape; a text stands for none."""
    import plotly.express as px
    from plotly.subplots import make_subplots

    arrays = {name: p for name, p in pictures.items() if not isinstance(p, str)}
    shown = {name: _pixels(array) for name, array in arrays.items()}
    titles = [f"{name} {arrays[name].shape if name in arrays else ''}".strip() for name in pictures]
    figure = make_subplots(rows=1, cols=len(pictures), subplot_titles=titles)
    for col, (name, picture) in enumerate(pictures.items(), start=1):
        if name in shown:
            png = px.imshow(shown[name], binary_string=True).data[0].source
            figure.add_image(source=png, hoverinfo="skip", row=1, col=col)
        else:
            figure.add_annotation(text=str(picture), showarrow=False, row=1, col=col)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    height, width = np.max([pixels.shape[:2] for pixels in shown.values()], axis=0)
    scale = min(360 / width, 560 / height)  # pixels on the screen for one of the largest picture
    figure.update_layout(
        width=len(pictures) * max(scale * width + 40, 220) + 40,
        height=max(scale * height, 60) + 70,
        margin={"t": 40, "b": 20, "l": 20, "r": 20},
        plot_bgcolor="white",
    )
    return figure


def _pixels(array: Arr) -> Arr:
    """Give a picture as Plotly wants it: (height, width, 3), whole numbers from 0 to 255."""
    if not _is_picture(array):
        raise ValueError(
            f"an array of shape {array.shape} is no picture; it must be (height, width) in grey "
            "or (3, height, width) in colour"
        )
    if array.ndim == 2:
        array = np.stack([array] * 3)
    if array.dtype.kind == "f":
        array = array * 255
    return np.moveaxis(np.clip(np.round(array), 0, 255).astype(np.uint8), 0, 2)


def _is_picture(array: Arr) -> bool:
    in_colour = array.ndim == 3 and array.shape[0] == 3
    return (array.ndim == 2 or in_colour) and array.size > 0 and array.dtype.kind in "fiu"


def descent_by_learning_rate() -> "go.Figure":
    """Show 20 steps of gradient descent on x² + 10y², with a slider for the learning rate."""
    import plotly.graph_objects as go

    rates = [0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.09, 0.095, 0.099, 0.1, 0.101, 0.105, 0.11]
    first = rates.index(0.04)
    figure = go.Figure(_valley())
    steps = []
    for i, rate in enumerate(rates):
        factors = (1 - rate * np.array([2.0, 20.0])) ** np.arange(21)[:, None]  # steps xy
        x, y = (np.array([4.0, 1.0]) * factors).T
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines+markers",
            marker={"size": 5, "color": "#2f7fd6"},
            visible=i == first,
            hovertemplate="step %{pointNumber}: (%{x:.3f}, %{y:.3f})<extra></extra>",
        )
        only = {"visible": [True, *(i == k for k in range(len(rates)))]}
        steps.append({"label": f"{rate:g}", "method": "update", "args": [only]})
    slider = {
        "active": first,
        "currentvalue": {"prefix": "learning rate "},
        "steps": steps,
        "pad": {"t": 30},
    }
    figure.update_layout(
        sliders=[slider], showlegend=False, height=430, margin={"t": 20, "l": 30, "r": 20}
    )
    figure.update_xaxes(range=[-5, 5], constrain="domain", showgrid=False, zeroline=False)
    figure.update_yaxes(range=[-3, 3], scaleanchor="x", showgrid=False, zeroline=False)
    return figure


def _valley() -> "go.Contour":
    """Give lines of equal height of x² + 10y²."""
    import plotly.graph_objects as go

    x, y = np.linspace(-5, 5, 61), np.linspace(-3, 3, 41)
    return go.Contour(
        x=x,
        y=y,
        z=x**2 + 10 * y[:, None] ** 2,
        contours={"coloring": "lines", "start": 2, "end": 90, "size": 8},
        colorscale=[[0, "#8a8f98"], [1, "#8a8f98"]],
        showscale=False,
        hoverinfo="skip",
    )
