"""Given: pictures as tensors in batches, a pretrained ResNet34, and plots."""

import functools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from arena_lab.fetch import kept

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import torch
    from torch import Tensor, nn

# Mean and standard deviation of the training pixels, as numbers from 0 to 1.
MNIST_STATISTICS = ((0.1307,), (0.3081,))
IMAGENET_STATISTICS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

_SHOWN_EVERY_S = 0.5
_KEPT_BYTES = 1 << 28  # larger sets are normalised batch by batch


# --- pictures ---------------------------------------------------------------------------------


@dataclass
class Pictures:
    """Pictures and their labels, whole in memory; `pictures[i]` gives them normalised.

    An index may be a number, a slice (which gives Pictures), or a tensor of numbers: then all of
    them come at once, as one batch.
    """

    pixels: "Tensor"  # uint8, (n, channels, height, width)
    labels: "Tensor"  # int64, (n,)
    statistics: tuple[tuple[float, ...], tuple[float, ...]]
    names: Sequence[str]
    size: int | None = None  # height and width to which pictures are resized when they are read

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return replace(self, pixels=self.pixels[index], labels=self.labels[index])
        if self._normalised_once:
            return self.images[index], self.labels[index]
        return self._normalised(self.pixels[index]), self.labels[index]

    @functools.cached_property
    def images(self) -> "Tensor":
        """All pictures, normalised."""
        return self._normalised(self.pixels)

    @property
    def _normalised_once(self) -> bool:
        return self.size is None and 4 * self.pixels.numel() <= _KEPT_BYTES

    def to(self, device: "torch.device | str") -> "Pictures":
        """Give the same pictures in the memory of a device."""
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))

    def _normalised(self, pixels: "Tensor") -> "Tensor":
        import torch
        import torch.nn.functional as F

        mean, std = (pixels.new_tensor(s, dtype=torch.float32) for s in self.statistics)
        images = pixels.float().div_(255)
        if self.size is not None and images.shape[-1] != self.size:
            batch = images.reshape(-1, *images.shape[-3:])
            batch = F.interpolate(batch, (self.size, self.size), mode="bilinear", antialias=True)
            images = batch.reshape(*images.shape[:-2], self.size, self.size)
        return images.sub_(mean[:, None, None]).div_(std[:, None, None])


@dataclass
class Batches:
    """A loader: batches of pictures and labels, in a new random order each time if shuffled."""

    pictures: Pictures
    batch_size: int
    shuffle: bool = False

    def __len__(self) -> int:
        """Give the number of batches; the last may be smaller."""
        return -(-len(self.pictures) // self.batch_size)

    def __iter__(self) -> Iterator[tuple["Tensor", "Tensor"]]:
        """Yield the batches."""
        import torch

        n, device = len(self.pictures), self.pictures.labels.device
        order = torch.randperm(n).to(device) if self.shuffle else torch.arange(n, device=device)
        for chosen in order.split(self.batch_size):
            yield self.pictures[chosen]


def pick_device() -> "torch.device":
    """Give the GPU where there is one, else the processor."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def load_mnist(trainset_size: int, testset_size: int) -> tuple[Pictures, Pictures]:
    """Give the first so many digits to train on and to test with."""
    from arena_lab.data import digits

    data = digits()
    names = [str(digit) for digit in range(10)]
    trainset = _pictures(data.train_images[:, None], data.train_labels, MNIST_STATISTICS, names)
    testset = _pictures(data.test_images[:, None], data.test_labels, MNIST_STATISTICS, names)
    if len(trainset) < trainset_size or len(testset) < testset_size:
        print(f"There are {len(trainset):,} digits to train on and {len(testset):,} to test with.")
    return trainset[:trainset_size], testset[:testset_size]


def load_cifar() -> tuple[Pictures, Pictures]:
    """Give CIFAR-10, or crops of the photographs that come with the lab."""
    from arena_lab.data import colour_pictures

    data = colour_pictures()
    # The pretrained network has seen large pictures; with them, it is best. Not so the stand-in.
    size = None if pretrained_is_stand_in() else (224 if pick_device().type == "cuda" else 112)
    parts = ((data.train_images, data.train_labels), (data.test_images, data.test_labels))
    trainset, testset = (
        replace(
            _pictures(images.transpose(0, 3, 1, 2), labels, IMAGENET_STATISTICS, data.names),
            size=size,
        )
        for images, labels in parts
    )
    return trainset, testset


def suggested_sizes(trainset_size: int, testset_size: int) -> tuple[int, int]:
    """Give as many pictures as a ResNet34 gets through in minutes; says so where it gives fewer."""
    limit = (trainset_size, testset_size) if pick_device().type == "cuda" else (1_000, 300)
    sizes = min(trainset_size, limit[0]), min(testset_size, limit[1])
    if sizes != (trainset_size, testset_size):
        print(
            f"No GPU here: at most {sizes[0]:,} pictures to train on and {sizes[1]:,} to test "
            f"with, instead of {trainset_size:,} and {testset_size:,}, so that it takes minutes."
        )
    return sizes


def _pictures(images: Any, labels: Any, statistics: Any, names: Sequence[str]) -> Pictures:
    import torch

    pixels = torch.from_numpy(np.ascontiguousarray(images))
    return Pictures(pixels, torch.from_numpy(labels), statistics, names)


def compare_loading(pictures: Pictures) -> None:
    """Time one epoch of loading, through transforms picture by picture and from tensors."""
    for name, seconds in time_loading(pictures).items():
        print(f"One epoch of {len(pictures):,} pictures from {name}: {seconds:.2f} s")


def time_loading(pictures: Pictures) -> dict[str, float]:
    """Give the seconds of one epoch of loading, by how the pictures are loaded."""
    from PIL import Image
    from torch.utils.data import DataLoader
    from torchvision import transforms

    mean, std = pictures.statistics
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])

    class ThroughTransforms:
        def __len__(self) -> int:
            return len(pictures)

        def __getitem__(self, index: int) -> tuple["Tensor", int]:
            pixels = pictures.pixels[index, 0].numpy()
            return transform(Image.fromarray(pixels)), int(pictures.labels[index])

    loaders = {
        "transforms": DataLoader(ThroughTransforms(), batch_size=64, shuffle=True),  # type: ignore[arg-type]
        "tensors": Batches(pictures, 64, shuffle=True),
    }
    seconds = {}
    for name, loader in loaders.items():
        start = time.perf_counter()
        for _ in loader:
            pass
        seconds[name] = time.perf_counter() - start
    return seconds


# --- a pretrained network ---------------------------------------------------------------------


def pretrained_resnet34() -> "nn.Module":
    """Give torchvision's ResNet34 with ImageNet weights, in evaluation mode.

    Where the weights cannot be fetched, a stand-in is trained on this machine, once: the same
    network, which has learnt to tell four photographs apart by small crops. A line says so.
    """
    import torch
    import torchvision

    model = torchvision.models.resnet34()
    path = _imagenet_weights()
    if path is None:
        state = _stand_in_weights()
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state)
    return model.eval()


def pretrained_is_stand_in() -> bool:
    """Tell whether `pretrained_resnet34` has other weights than those of ImageNet."""
    return _imagenet_weights() is None


def pretrained_classes() -> list[str]:
    """Give the name of each class that `pretrained_resnet34` tells apart."""
    import torchvision

    from arena_lab.data import OTHER_PHOTOGRAPHS

    if pretrained_is_stand_in():
        return [*OTHER_PHOTOGRAPHS, *("(never seen)",) * (1000 - len(OTHER_PHOTOGRAPHS))]
    return torchvision.models.ResNet34_Weights.IMAGENET1K_V1.meta["categories"]


def pretrained_pictures() -> Pictures:
    """Give pictures that `pretrained_resnet34` has not seen, in the size that it expects."""
    from PIL import Image

    from arena_lab.data import OTHER_PHOTOGRAPHS, PHOTOGRAPHS, photograph_crops, photographs

    if pretrained_is_stand_in():
        crops = photograph_crops(OTHER_PHOTOGRAPHS)
        images, labels, names = crops.test_images[:10], crops.test_labels[:10], crops.names
    else:
        names = [*PHOTOGRAPHS, *OTHER_PHOTOGRAPHS]
        squares = [Image.fromarray(p).resize((224, 224)) for p in photographs(names)]
        images, labels = np.stack([np.asarray(s) for s in squares]), np.arange(len(names))
    return _pictures(images.transpose(0, 3, 1, 2), labels, IMAGENET_STATISTICS, names)


@kept
def _imagenet_weights() -> Path | None:
    from arena_lab.data import resnet34_weights

    path = resnet34_weights()
    if path is None:
        print("A ResNet34 stands in that this machine trains on crops of four photographs.")
    return path


def _stand_in_weights() -> dict[str, "Tensor"]:
    import torch

    from arena_lab.data import CACHE

    path = CACHE / "resnet34" / "stand_in.pth"
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError):  # not there, or half a file
        pass
    except Exception as error:  # what pickle raises for damaged bytes
        print(f"{path} is damaged ({error}); it is made anew.")
    state = _train_stand_in()
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    torch.save(state, half)
    half.replace(path)
    return state


def _train_stand_in(epochs: int = 6) -> dict[str, "Tensor"]:
    import torch
    import torch.nn.functional as F
    import torchvision
    from tqdm import tqdm

    from arena_lab.data import OTHER_PHOTOGRAPHS, photograph_crops

    print("The stand-in is trained now, once; that takes a minute or two without a GPU.")
    device = pick_device()
    crops = photograph_crops(OTHER_PHOTOGRAPHS, n_train=300)
    pictures = _pictures(
        crops.train_images.transpose(0, 3, 1, 2),
        crops.train_labels,
        IMAGENET_STATISTICS,
        crops.names,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torchvision.models.resnet34().to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
        loader = Batches(pictures.to(device), 64, shuffle=True)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
        for epoch in range(epochs):
            progress = tqdm(loader, desc=f"stand-in, epoch {epoch + 1}")
            for images, labels in progress:
                loss = F.cross_entropy(model(images), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                scheduler.step()
                progress.set_postfix(loss=f"{loss.item():.3f}")
    return {name: value.cpu() for name, value in model.state_dict().items()}


# --- plots ------------------------------------------------------------------------------------


class LivePlot:
    """A plot of losses and accuracies that grows while a network trains.

    In a notebook it is drawn anew as training goes on; elsewhere nothing is drawn.
    """

    def __init__(self) -> None:
        self._handle: Any = None
        self._drawn = 0.0
        self._n_epochs = 0

    def update(self, losses: list[float], accuracies: list[float]) -> None:
        """Show what there is so far; between epochs at most twice a second."""
        waits = time.monotonic() - self._drawn < _SHOWN_EVERY_S
        if not _in_notebook() or (waits and len(accuracies) == self._n_epochs):
            return
        from IPython.display import display

        # Not the figure itself: it would display itself anew instead of being updated.
        data = json.loads(plot_training(losses, accuracies).to_json())
        bundle = {"application/vnd.plotly.v1+json": data}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
        self._drawn, self._n_epochs = time.monotonic(), len(accuracies)


def _in_notebook() -> bool:
    import sys

    shell = sys.modules.get("IPython")
    shell = shell and shell.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def plot_training(losses: list[float], accuracies: list[float]) -> "go.Figure":
    """Show the loss of each batch and, on an axis of its own, the accuracy after each epoch."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    n_epochs = max(len(accuracies), 1)
    epoch_ends = [len(losses) * (epoch + 1) / n_epochs for epoch in range(len(accuracies))]
    figure = make_subplots(specs=[[{"secondary_y": True}]])
    figure.add_trace(go.Scatter(y=losses, name="training loss", opacity=0.7))
    figure.add_trace(
        go.Scatter(x=epoch_ends, y=accuracies, name="test accuracy", mode="lines+markers"),
        secondary_y=True,
    )
    figure.update_layout(
        xaxis_title="batch",
        legend={"orientation": "h", "y": 1.1},
        hovermode="x unified",
        margin={"t": 40},
    )
    figure.update_yaxes(title_text="loss", rangemode="tozero", secondary_y=False)
    figure.update_yaxes(title_text="accuracy", tickformat=".0%", secondary_y=True, showgrid=False)
    return figure


def show_pictures(
    pictures: Pictures, titles: Sequence[str] | None = None, n: int = 20, n_cols: int = 5
) -> "go.Figure":
    """Show pictures with titles, by default the names of their labels."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    n = min(n, len(pictures))
    if titles is None:
        titles = [pictures.names[label] for label in pictures.labels[:n].tolist()]
    n_rows = -(-n // n_cols)
    figure = make_subplots(n_rows, n_cols, subplot_titles=list(titles[:n]), horizontal_spacing=0.02)
    for i, image in enumerate(pictures.pixels[:n].cpu().numpy()):
        colours = np.repeat(image, 3, axis=0) if len(image) == 1 else image
        at = {"row": i // n_cols + 1, "col": i % n_cols + 1}
        figure.add_trace(go.Image(z=colours.transpose(1, 2, 0), hoverinfo="skip"), **at)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_layout(height=40 + 150 * n_rows, margin={"t": 40, "b": 10, "l": 10, "r": 10})
    figure.update_annotations(font_size=11)
    return figure


def print_param_count(
    *models: "nn.Module",
    display_df: bool = True,
    use_state_dict: bool = False,
    display_max_rows: int | None = None,
    filename: str | None = None,
) -> None:
    """Print the shapes of models' parameters side by side, and whether they match.

    Args:
        *models: One or more.
        display_df: Print the table, not only the sums.
        use_state_dict: Count the buffers too.
        display_max_rows: How many rows of the table at most.
        filename: Write what is printed there too.
    """
    from itertools import zip_longest

    from rich.console import Console
    from rich.table import Table

    columns = [
        list((m.state_dict() if use_state_dict else dict(m.named_parameters())).items())
        for m in models
    ]
    table = Table()
    for i in range(len(models)):
        table.add_column(f"model {i + 1}")
        table.add_column("shape", justify="right")
    rows = list(zip_longest(*columns, fillvalue=("", None)))
    for row in rows[:display_max_rows]:
        shapes = {tuple(value.shape) if value is not None else None for _, value in row}
        cells = [
            text
            for name, value in row
            for text in (name, "×".join(map(str, value.shape)) if value is not None else "–")
        ]
        table.add_row(*cells, style="red" if len(shapes) > 1 else None)
    console = Console(record=bool(filename))
    if display_df:
        console.print(table)
    for i, column in enumerate(columns):
        console.print(f"model {i + 1}: {sum(value.numel() for _, value in column):,} numbers")
    if len(models) > 1:
        shapes_of = [[tuple(value.shape) for _, value in column] for column in columns]
        match = all(shapes == shapes_of[0] for shapes in shapes_of)
        console.print("All shapes match, in order." if match else "The shapes do not match.")
    if filename:
        console.save_text(filename)


# --- the page's interactive figures -----------------------------------------------------------

_PICTURE = np.array(
    [
        [1, 1, 1, 5, 5, 5],
        [1, 1, 1, 5, 5, 5],
        [1, 1, 1, 5, 9, 5],
        [1, 1, 5, 5, 5, 5],
        [1, 5, 5, 5, 5, 5],
        [5, 5, 5, 5, 5, 5],
    ]
)
_EDGES = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])

KERNELS = {
    "as it is": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "blur": np.ones((5, 5)) / 25,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "vertical edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "horizontal edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "outline": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
}


def _correlate(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Slide a kernel over a picture of (height, width), without padding."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, np.shape(kernel))
    return np.einsum("ijhw,hw->ij", windows, kernel)


def slide_a_kernel() -> "go.Figure":
    """Show a window on its way over a picture, and the output that it fills."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(1, 2, subplot_titles=("picture", "output"), horizontal_spacing=0.06)
    figure.add_trace(_numbers(_PICTURE.tolist(), -4, 16), 1, 1)
    places = list(np.ndindex(4, 4))
    for i, trace in enumerate(_at_place(*places[0])):
        figure.add_trace(trace, 1, i + 1)
    titles = [{"text": _sum_of(*place), "font": {"size": 14}} for place in places]
    figure.frames = [
        go.Frame(data=_at_place(*place), traces=[1, 2], name=f"{i}", layout={"title": titles[i]})
        for i, place in enumerate(places)
    ]
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}}
    steps = [
        {"method": "animate", "args": [[f"{i}"], still], "label": ""} for i in range(len(places))
    ]
    slider = {"steps": steps, "currentvalue": {"visible": False}, "ticklen": 4, "pad": {"t": 10}}
    figure.update_layout(sliders=[slider], title=titles[0], showlegend=False, height=400)
    figure.update_layout(margin={"t": 80, "b": 10, "l": 10, "r": 10})
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, constrain="domain", range=[5.5, -0.5], scaleanchor="x")
    figure.update_yaxes(range=[3.5, -0.5], scaleanchor="x2", col=2)
    return figure


def _at_place(row: int, col: int) -> list[Any]:
    """Draw the window at a place, and the output up to there."""
    import plotly.graph_objects as go

    out = _correlate(_PICTURE, _EDGES)
    n_done = row * 4 + col + 1
    numbers: list[list[int | None]] = [
        [int(value) if 4 * i + j < n_done else None for j, value in enumerate(values)]
        for i, values in enumerate(out)
    ]
    x, y = np.array([0, 3, 3, 0, 0]) + col - 0.5, np.array([0, 0, 3, 3, 0]) + row - 0.5
    line = {"width": 4, "color": "#d9711a"}
    window = go.Scatter(x=x.tolist(), y=y.tolist(), mode="lines", line=line, hoverinfo="skip")
    return [window, _numbers(numbers, -10, 30)]


def _numbers(rows: list[list[int | None]], low: int, high: int) -> Any:
    import plotly.graph_objects as go

    text = [["" if v is None else f"{v}" for v in row] for row in rows]
    return go.Heatmap(
        z=[[low if v is None else v for v in row] for row in rows],
        text=text,
        texttemplate="%{text}",
        colorscale="Blues",
        zmin=low,
        zmax=high,
        showscale=False,
        hoverinfo="skip",
        xgap=1,
        ygap=1,
    )


def _sum_of(row: int, col: int) -> str:
    """Write out the sum of a place; the kernel is −1 in its left column, 1 in its right one."""
    window = _PICTURE[row : row + 3, col : col + 3]
    left, right = (" + ".join(map(str, window[:, i])) for i in (0, 2))
    return f"({right}) − ({left}) = {window[:, 2].sum() - window[:, 0].sum()}"


def try_a_kernel() -> "go.Figure":
    """Show a photograph after one of several kernels."""
    import plotly.graph_objects as go

    from arena_lab.data import photographs

    (cat,) = photographs(["cat"])
    grey = cat[::2, ::2].mean(axis=2)
    figure = go.Figure()
    for i, (name, kernel) in enumerate(KERNELS.items()):
        result = _correlate(grey, np.array(kernel))
        if np.sum(kernel) < 0.5:  # differences are around zero: show zero as grey
            result = result / 2 + 128
        source = _png(result.clip(0, 255).astype(np.uint8))
        figure.add_trace(go.Image(source=source, name=name, visible=i == 0, hoverinfo="skip"))
    buttons = [
        {"label": name, "method": "update", "args": [{"visible": [j == i for j in range(6)]}]}
        for i, name in enumerate(KERNELS)
    ]
    figure.update_layout(
        updatemenus=[{"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.12, "yanchor": "top"}],
        height=380,
        margin={"t": 50, "b": 10, "l": 10, "r": 10},
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def _png(grey: np.ndarray) -> str:
    """Give a picture as an address that holds it."""
    import base64
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
