"""0.5 VAEs & GANs: networks that squeeze pictures into a few numbers, and make pictures of them."""

# %%
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn

import part5_vaes_and_gans.tests as tests  # noqa: F401
from part2_cnns.utils import pick_device, print_param_count
from part5_vaes_and_gans.utils import (
    Run,
    display_data,
    fit_sizes,
    grey_levels,
    holdout_digits,
    load_digits,

    visualise_input,
    visualise_output,
    with_own_layers,
)

MAIN = __name__ == "__main__"


# %%
if MAIN:
    trainset = load_digits(train=True)
    HOLDOUT_DATA = holdout_digits()  # the first of each digit that nothing is trained on
    display_data(trainset.images[:20], nrows=2, title="Digits to train on")
    display_data(HOLDOUT_DATA, nrows=1, title="Ten that are held out")


# %%
class Autoencoder(nn.Module):
    """Squeeze digits into a few numbers, and make digits of these again."""

    def __init__(self, latent_dim_size: int, hidden_dim_size: int) -> None:
        """Make `encoder`, (batch, 1, 28, 28) to (batch, latent), and `decoder`, the way back.

        encoder: convolution to 16 channels, ReLU, convolution to 32 channels, ReLU, flatten, linear
        map to `hidden_dim_size`, ReLU, linear map to `latent_dim_size`.
        decoder: the same from back to front, with transposed convolutions.
        Convolutions of both kinds have kernel 4, stride 2, padding 1, and no bias.
        """
        super().__init__()
        self.latent_dim_size = latent_dim_size
        self.hidden_dim_size = hidden_dim_size
        ### BEGIN SOLUTION
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 4, stride=2, padding=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(16, 32, 4, stride=2, padding=1, bias=False),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, hidden_dim_size),
            nn.ReLU(),
            nn.Linear(hidden_dim_size, latent_dim_size),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim_size, hidden_dim_size),
            nn.ReLU(),
            nn.Linear(hidden_dim_size, 32 * 7 * 7),
            nn.Unflatten(1, (32, 7, 7)),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1, bias=False),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1, bias=False),
        )
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "batch 1 28 28"]) -> Float[Tensor, "batch 1 28 28"]:
        """Give the picture that is made of each picture's few numbers."""
        ### BEGIN SOLUTION
        return self.decoder(self.encoder(x))
        ### END SOLUTION


if MAIN:
    print_param_count(Autoencoder(latent_dim_size=5, hidden_dim_size=128))
