"""What 0.2 states on its page: loading, digits, and features; minutes without a GPU."""

import contextlib
import io
import os
import statistics
import time
from dataclasses import replace
from unittest.mock import patch

os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is imported

import torch
from part2_cnns import solutions as ours
from part2_cnns import utils
from table import Row, show

_N_SEEDS = 3


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
        ("Test accuracy after each epoch", features),
    ):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            rows = measure()
        print(*dict.fromkeys(said.getvalue().splitlines()), sep="\n")
        show(title, rows)
