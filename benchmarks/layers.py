"""What a step of 0.5's VAE costs with torch's layers, and with those that a learner has written."""

import time
from collections.abc import Callable

import torch
from part5_vaes_and_gans import solutions as ours
from part5_vaes_and_gans.utils import load_digits, with_own_layers
from table import Row, show
from torch import nn

_N_ROUNDS = 20


def rows() -> list[Row]:
    images = load_digits().images[:128]
    kinds: dict[str, Callable[[nn.Module], nn.Module]] = {
        "torch's layers": lambda model: model,
        "torch's, channels_last": lambda model: model.to(memory_format=torch.channels_last),
        "your own layers": with_own_layers,
    }
    models = {name: change(make_model()) for name, change in kinds.items()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(_N_ROUNDS + 1):  # the first warms up
        for name, model in models.items():
            seconds[name].append(step(model, images))
    # The fastest round: on a machine that others use too, it is disturbed least.
    fastest = {name: min(times[1:]) for name, times in seconds.items()}
    base = fastest["torch's layers"]
    return [
        Row(f"0.5: a VAE's step, 128 digits, {name}", f"{s * 1e3:.1f} ms, {s / base:.2f}×", "")
        for name, s in fastest.items()
    ]


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return ours.VAE(5, 128)


def step(model: nn.Module, images: torch.Tensor) -> float:
    """Time one step: forward, loss, backward. The optimizer's part is the same for all."""
    start = time.perf_counter()
    made, mu, logsigma = model(images)
    loss = nn.functional.mse_loss(made, images) + 0.1 * ours.kl_divergence(mu, logsigma)
    model.zero_grad()
    loss.backward()
    return time.perf_counter() - start


if __name__ == "__main__":
    torch.set_num_threads(1)
    show(f"Layers, one thread, fastest of {_N_ROUNDS} rounds", rows())
