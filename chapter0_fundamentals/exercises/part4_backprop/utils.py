"""Given: the digits in batches, and plots of them and of a training."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    import plotly.graph_objects as go

Arr = np.ndarray

# Mean and standard deviation of MNIST's training pixels, as numbers from 0 to 1.
MEAN, STD = 0.1307, 0.3081


@dataclass
class DigitLoader:
    """Pictures and labels in batches, in a new random order each time it is gone through."""

    images: Float[Arr, "n 1 28 28"]
    labels: Int[Arr, " n"]
    batch_size: int = 16
    shuffle: bool = True
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __len__(self) -> int:
        """Give the number of batches; the last may be smaller."""
        return -(-len(self.labels) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Float[Arr, "batch 1 28 28"], Int[Arr, " batch"]]]:
        """Yield the batches."""
        n = len(self.labels)
        order = self.rng.permutation(n) if self.shuffle else np.arange(n)
        for start in range(0, n, self.batch_size):
            chosen = order[start : start + self.batch_size]
            yield self.images[chosen], self.labels[chosen]


def get_mnist(
    subsample: int | None = None, batch_size: int = 16
) -> tuple[DigitLoader, DigitLoader]:
    """Give loaders of the training and the test digits: pixels normalised, labels 0 to 9.

    Args:
        subsample: Keep every subsample-th training digit, to try something quickly.
        batch_size: Digits in a training batch.
    """
    from arena_lab.data import digits

    data = digits()
    train = _normalise(data.train_images[::subsample]), data.train_labels[::subsample]
    test = _normalise(data.test_images), data.test_labels
    return (
        DigitLoader(*(np.ascontiguousarray(part) for part in train), batch_size=batch_size),
        DigitLoader(*test, batch_size=1000, shuffle=False),
    )


def _normalise(images: Int[Arr, "n 28 28"]) -> Float[Arr, "n 1 28 28"]:
    return ((images[:, None] / np.float32(255) - MEAN) / STD).astype(np.float32)


def visualize(dataloader: DigitLoader, filename: str | None = None) -> "go.Figure":
    """Show ten digits with their labels; write them as a page to `filename` if given."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    images, labels = next(iter(dataloader))
    figure = make_subplots(rows=1, cols=10, subplot_titles=[str(label) for label in labels[:10]])
    for col, image in enumerate(images[:10, 0], start=1):
        heatmap = go.Heatmap(z=image[::-1], colorscale="gray", showscale=False, hoverinfo="skip")
        figure.add_trace(heatmap, row=1, col=col)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_layout(width=900, height=140, margin={"t": 30, "b": 10, "l": 10, "r": 10})
    if filename:
        figure.write_html(filename)
    return figure


def plot_training(train_loss_list: list[float], test_accuracy_list: list[float]) -> "go.Figure":
    """Show the loss of each step and, on an axis of its own, the accuracy after each epoch."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    n_steps = len(train_loss_list)
    epoch_ends = [
        n_steps * (epoch + 1) / len(test_accuracy_list) for epoch in range(len(test_accuracy_list))
    ]
    figure = make_subplots(specs=[[{"secondary_y": True}]])
    figure.add_trace(go.Scatter(y=train_loss_list, name="training loss", opacity=0.7))
    figure.add_trace(
        go.Scatter(x=epoch_ends, y=test_accuracy_list, name="test accuracy", mode="lines+markers"),
        secondary_y=True,
    )
    figure.update_layout(
        xaxis_title="step",
        legend={"orientation": "h", "y": 1.1},
        hovermode="x unified",
        margin={"t": 40},
    )
    figure.update_yaxes(title_text="loss", rangemode="tozero", secondary_y=False)
    figure.update_yaxes(title_text="accuracy", tickformat=".0%", secondary_y=True, showgrid=False)
    return figure
