"""Train the networks of the figure `depth` in 0.2, with and without a way past their blocks.

`python -m chapter0_fundamentals.instructions.figures.depth` writes `depth.json`, from which the
figure is drawn. It trains on the digits that come with the lab and takes minutes.
"""

import json
import statistics
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from arena_lab import data

FILE = Path(__file__).with_name("depth.json")

N_BLOCKS = [2, 4, 8, 16, 32]  # of two convolutions each, behind a first one
N_CHANNELS, N_SEEDS, N_EPOCHS, BATCH_SIZE, LR = 12, 2, 3, 64, 0.003


class Block(nn.Module):
    """Two convolutions, with or without a way past them."""

    def __init__(self, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        layers: list[nn.Module] = []
        for _ in range(2):
            convolution = nn.Conv2d(N_CHANNELS, N_CHANNELS, 3, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(N_CHANNELS), nn.ReLU()]
        self.left = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Transform, and add what came in."""
        return F.relu(self.left(x) + x if self.residual else self.left(x))


def loss_after_training(n_blocks: int, residual: bool, seed: int) -> float:
    """Train a network on the lab's digits, and give the mean training loss of the last epoch."""
    torch.manual_seed(seed)
    digits = data.digits(subset=True)
    images = torch.tensor(digits.train_images)[:, None] / 255
    images = (F.avg_pool2d(images, 2) - 0.13) / 0.3
    labels = torch.tensor(digits.train_labels)
    net = nn.Sequential(
        nn.Conv2d(1, N_CHANNELS, 3, padding=1, bias=False),
        nn.BatchNorm2d(N_CHANNELS),
        nn.ReLU(),
        *(Block(residual) for _ in range(n_blocks)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(N_CHANNELS, 10),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=LR)
    losses: list[float] = []
    for _ in range(N_EPOCHS):
        losses.clear()
        for batch in torch.randperm(len(labels)).split(BATCH_SIZE):
            loss = F.cross_entropy(net(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return statistics.fmean(losses)


def main() -> None:
    found = {"layers": [1 + 2 * n for n in N_BLOCKS]}
    for name, residual in (("plain", False), ("residual", True)):
        found[name] = [
            round(statistics.fmean(loss_after_training(n, residual, s) for s in range(N_SEEDS)), 3)
            for n in N_BLOCKS
        ]
        print(name, found[name], flush=True)
    FILE.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
