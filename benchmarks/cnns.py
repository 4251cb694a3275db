"""What 0.2 states on its page: loading, digits, depth, and features; minutes without a GPU."""

import contextlib
import io
import os
import statistics
import time
from dataclasses import replace
from unittest.mock import patch

os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is imported

import torch
import torch.nn.functional as F
from part2_cnns import solutions as ours
from part2_cnns import utils
from table import Row, show
from torch import Tensor, nn

_N_SEEDS = 3
_LAYERS = [5, 9, 17, 33, 65]


class Block(nn.Module):
    """Two convolutions with batch norm, with or without the way past them."""

    def __init__(self, channels: int, has_way_past: bool) -> None:
        super().__init__()
        self.left = nn.Sequential(
            ours.Conv2d(channels, channels, 3, padding=1),
            ours.BatchNorm2d(channels),
            ours.ReLU(),
            ours.Conv2d(channels, channels, 3, padding=1),
            ours.BatchNorm2d(channels),
        )
        self.has_way_past = has_way_past

    def forward(self, x: Tensor) -> Tensor:
        """Add what comes past, where there is a way, before the last ReLU."""
        return F.relu(self.left(x) + x if self.has_way_past else self.left(x))


def loading() -> list[Row]:
    trainset, _ = ours.get_mnist(60_000)
    n_times = 60_000 // len(trainset)
    pixels, labels = trainset.pixels.repeat(n_times, 1, 1, 1), trainset.labels.repeat(n_times)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = utils.time_loading(replace(trainset, pixels=pixels, labels=labels))
    torch.set_num_threads(threads)
    slow, fast = seconds["transforms"], seconds["tensors"]
    measured = f"{slow:.1f} s, {fast:.2f} s: {slow / fast:.0f}×"
    return [Row(f"loading {len(labels):,} digits, from transforms and tensors", measured, "")]


def digits() -> list[Row]:
    """Train the page's network on the digits of the lab, or on all where they are here."""
    n_train = len(ours.get_mnist(60_000, 10_000)[0])
    args = ours.SimpleMLPTrainingArgs(epochs=15, trainset_size=n_train, testset_size=10_000)
    accuracies, seconds = [], []
    for seed in range(_N_SEEDS):
        torch.manual_seed(seed)
        start = time.perf_counter()
        accuracies.append(ours.train(args)[1][-1])
        seconds.append(time.perf_counter() - start)
    found = ", ".join(f"{accuracy:.1%}" for accuracy in sorted(accuracies))
    goal = "≥ 97 %" if n_train == 60_000 else "≥ 91 %"
    took = f"{statistics.median(seconds):.1f} s"
    return [Row(f"new digits read after 15 epochs of {n_train:,}, in {took}", found, goal)]


def depth() -> list[Row]:
    trainset, _ = ours.get_mnist()
    images = F.avg_pool2d(trainset.images[:4_000], 2)
    rows = []
    for name, has_way_past in (("without", False), ("with", True)):
        losses = [
            statistics.mean(
                third_epoch(images, trainset.labels, n, has_way_past, seed) for seed in range(2)
            )
            for n in _LAYERS
        ]
        measured = ", ".join(f"{loss:.3f}" for loss in losses)
        layers = ", ".join(map(str, _LAYERS))
        rows.append(Row(f"loss of {layers} layers {name} the way past", measured, ""))
    return rows


def third_epoch(
    images: Tensor, labels: Tensor, n_layers: int, has_way_past: bool, seed: int
) -> float:
    """Give the mean training loss of the third epoch."""
    torch.manual_seed(seed)
    blocks = [Block(12, has_way_past) for _ in range((n_layers - 1) // 2)]
    stem = ours.Conv2d(1, 12, 3, padding=1), ours.BatchNorm2d(12), ours.ReLU()
    network = nn.Sequential(*stem, *blocks, ours.AveragePool(), ours.Linear(12, 10))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(3):
        losses = []
        for chosen in torch.randperm(len(labels)).split(64):
            loss = F.cross_entropy(network(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return statistics.mean(losses)


def features() -> list[Row]:
    """Train a new last layer on the pretrained network, and on one that knows nothing."""
    torch.manual_seed(0)
    nothing = ours.ResNet34().eval()
    start = time.perf_counter()
    utils.pretrained_resnet34()
    what = "stand-in" if utils.pretrained_is_stand_in() else "ImageNet's weights"
    rows = [Row(f"{what}: loaded, or trained once", f"{time.perf_counter() - start:.0f} s", "")]
    for name, network in ((what, utils.pretrained_resnet34()), ("untrained network", nothing)):
        torch.manual_seed(0)
        start = time.perf_counter()
        with patch.object(ours, "pretrained_resnet34", lambda network=network: network):
            accuracies = ours.train_resnet(ours.ResNetTrainingArgs())[1]
        measured = ", ".join(f"{accuracy:.1%}" for accuracy in accuracies)
        took = f"{time.perf_counter() - start:.0f} s"
        rows.append(Row(f"new last layer on {name}, in {took}", measured, ""))
    return rows


if __name__ == "__main__":
    for title, measure in (
        ("One epoch of loading, one thread", loading),
        (f"Two linear layers, {_N_SEEDS} seeds", digits),
        ("Training loss in the third epoch, mean of two seeds", depth),
        ("Test accuracy after each epoch", features),
    ):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            rows = measure()
        print(*dict.fromkeys(said.getvalue().splitlines()), sep="\n")
        show(title, rows)
