"""What 0.4's own framework learns of handwritten digits, and how long it takes."""

import os
import statistics
import time

os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is imported

from part4_backprop import solutions as ours
from part4_backprop.utils import DigitLoader, get_mnist
from table import Row, show

_N_STARTS = 5


def rows() -> list[Row]:
    train_loader, test_loader = get_mnist()
    n_train, n_test = len(train_loader.labels), len(test_loader.labels)
    is_full = n_train == 60_000
    n_epochs = 3 if is_full else 10
    trained = [train(train_loader, test_loader, n_epochs) for _ in range(_N_STARTS)]
    accuracies, seconds = zip(*trained, strict=True)
    return [
        Row(
            f"0.4: {n_test:,} held-out digits after {n_epochs} epochs of {n_train:,}",
            f"{statistics.median(accuracies):.1%} right (lowest {min(accuracies):.1%})",
            "≥ 97 %" if is_full else "≥ 92 %",
        ),
        Row("0.4: training and testing", f"{statistics.median(seconds):.1f} s", "≤ 60 s"),
    ]


def train(
    train_loader: DigitLoader, test_loader: DigitLoader, n_epochs: int
) -> tuple[float, float]:
    """Train a network from a new random start as the page does; give accuracy and seconds."""
    start = time.perf_counter()
    model = ours.MLP()
    optimizer = ours.SGD(model.parameters(), lr=0.1)
    accuracy = 0.0
    for epoch in range(n_epochs):
        ours.train(model, train_loader, optimizer, epoch)
        optimizer.lr *= 0.8
        accuracy = ours.test(model, test_loader)
    return accuracy, time.perf_counter() - start


if __name__ == "__main__":
    show(f"Digits with our own framework on numpy, median of {_N_STARTS} starts", rows())
