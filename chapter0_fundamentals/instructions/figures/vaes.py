"""Train the networks of 0.5's autoencoders and keep what the figures show in `vaes.npz`.

Run as a module to write it anew: `python -m chapter0_fundamentals.instructions.figures.vaes`. It
trains on the digits and galaxies that come with the lab and takes minutes. With names of parts
(`digits`, `others`, `galaxies`) it renews these alone.
"""

import os
import sys
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "vaes.npz"
BETAS = (0.01, 0.1, 1.0)
L1 = (0.0, 0.3)
N_POINTS = 400  # of the scatter plots


def levels(images) -> np.ndarray:
    """Give normalised digits as whole numbers from 0 to 255, (n, 28, 28)."""
    from part5_vaes_and_gans.utils import grey_levels

    return (grey_levels(images.detach().cpu())[:, 0] * 255).round().byte().numpy()


def train_both() -> dict[str, np.ndarray]:
    """Train the autoencoder and the VAE of the page."""
    import torch
    from part5_vaes_and_gans import solutions as ours
    from part5_vaes_and_gans.utils import holdout_digits, load_digits

    holdout, testset = holdout_digits(), load_digits(train=False)
    found = {"holdout": levels(holdout), "labels": testset.labels[:N_POINTS].numpy()}
    trainers = {
        "ae": ours.AutoencoderTrainer(ours.AutoencoderArgs(use_wandb=False)),
        "vae": ours.VAETrainer(ours.VAEArgs(use_wandb=False)),
    }
    for name, trainer in trainers.items():
        model = trainer.train()
        for row, values in trainer.run.history.items():
            found[f"{name}_{row}"] = np.array([value for _, value in values], np.float32)
        with ours.looking_at(model):
            torch.manual_seed(0)
            z = torch.randn(16, 5)
            grid = ours.create_grid_of_latents(model, (-2, 2), n_points=7)
            made = model(holdout)
            found[f"{name}_made"] = levels(made if name == "ae" else made[0])
            found[f"{name}_grid"] = levels(model.decoder(grid))
            found[f"{name}_samples"] = levels(model.decoder(z))
            latents = ours.latents_of(model, testset.images)
        found[f"{name}_latents"] = latents[:N_POINTS].numpy().astype(np.float32)
        _, variances, coordinates = ours.pca_of_latents(latents, 5)
        found[f"{name}_variances"] = variances.numpy()
        found[f"{name}_coordinates"] = coordinates[:N_POINTS, :2].numpy()
    return found


def train_others() -> dict[str, np.ndarray]:
    """Train what the bonus shows."""
    import torch
    from part2_cnns.utils import pick_device
    from part5_vaes_and_gans import solutions as ours
    from part5_vaes_and_gans.utils import holdout_digits

    sizes = {"epochs": 12, "batch_size": 128, "use_wandb": False}
    found = {"nats": np.array(list(ours.compare_betas(list(BETAS)).values()))}
    denoiser = ours.DenoisingTrainer(ours.DenoisingArgs(latent_dim_size=20, **sizes)).train()
    torch.manual_seed(0)
    holdout = holdout_digits()
    with ours.looking_at(denoiser):
        noisy = holdout + torch.randn_like(holdout)
        found |= {"noisy": levels(noisy), "denoised": levels(denoiser(noisy))}
    for l1 in L1:
        sparse = ours.SparseTrainer(ours.SparseArgs(l1=l1, **sizes)).train()
        found[f"in_use_{l1}"] = np.array(ours.n_in_use(sparse), np.uint8)
    args = ours.VAEArgs(latent_dim_size=10, **sizes)
    hierarchical = ours.HierarchicalVAETrainer(args).train()
    with ours.looking_at(hierarchical):
        values = torch.linspace(-1.5, 1.5, 6)
        top = torch.cartesian_prod(values.flip(0), values).flip(1)  # right and up
        torch.manual_seed(0)
        found["hierarchical"] = levels(hierarchical.sample(top.to(pick_device())))
    return found


def train_on_galaxies() -> dict[str, np.ndarray]:
    """Train a VAE on galaxies, and keep what it makes of held-out ones and of random numbers."""
    import torch
    from part5_vaes_and_gans import solutions as ours
    from part5_vaes_and_gans.utils import grey_levels, holdout_pictures

    trainer = ours.VAETrainer(ours.VAEArgs(dataset="CELEB", use_wandb=False))
    model, holdout = trainer.train(), holdout_pictures("CELEB")[:8]

    def colours(images) -> np.ndarray:
        shown = grey_levels(images, trainer.trainset.statistics)
        return (shown * 255).round().byte().permute(0, 2, 3, 1).numpy()

    with ours.looking_at(model):
        torch.manual_seed(0)
        made, drawn = (
            model(holdout)[0],
            model.decoder(torch.randn(16, trainer.args.latent_dim_size)),
        )
    found = {"holdout": holdout, "made": made, "samples": drawn}
    return {f"galaxies_{name}": colours(images) for name, images in found.items()}


PARTS = {"digits": train_both, "others": train_others, "galaxies": train_on_galaxies}


def main(names: list[str]) -> None:
    for name in names or PARTS:
        found = PARTS[name]()
        if FILE.exists():
            with np.load(FILE) as file:
                found = dict(file) | found
        np.savez_compressed(FILE, **found)
        print(f"{name}: {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    os.environ["ARENA_LAB_OFFLINE"] = "1"  # the same pictures everywhere
    main(sys.argv[1:])
