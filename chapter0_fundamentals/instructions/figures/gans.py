"""Train the GANs that the figures of 0.5 show, and keep what came of it in `gans.npz`.

Run as a module to write it anew: `python -m chapter0_fundamentals.instructions.figures.gans`. It
trains on the digits and galaxies that come with the lab and takes some minutes. With names of parts
(`good`, `generator`, `optimizers`, `discriminator`, `galaxies`, `layers`) it renews these alone.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "gans.npz"
N_STEPS = 400


def levels(images) -> np.ndarray:
    """Give pictures from −1 to 1 as whole numbers from 0 to 255, (n, height, width, channels)."""
    return ((images.detach().cpu() + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def kept(name: str, found) -> dict[str, np.ndarray]:
    rows = ("loss_D", "loss_G", "said_of_real", "said_of_fake")
    data = {f"{name}_{row}": np.array(getattr(found, row), np.float16) for row in rows}
    return data | {f"{name}_samples": levels(found.samples)}


def short(name: str) -> dict[str, np.ndarray]:
    """Train a small GAN on digits, whole or with one broken part."""
    import torch
    from part5_vaes_and_gans import solutions as ours
    from part5_vaes_and_gans.utils import looking_at, short_gan_training

    parts = {
        "good": {"n_steps": 3 * N_STEPS},
        "generator": {"step_of_generator": ours.broken_generator_step},
        "optimizers": {"optimizers": ours.broken_optimizers},
        "discriminator": {"step_of_discriminator": ours.broken_discriminator_step},
    }
    found = short_gan_training(ours.DCGAN, show=False, **{"n_steps": N_STEPS, **parts[name]})
    data = kept(name, found)
    if name == "good":
        ends = torch.randn(3, 2, 100, generator=torch.Generator().manual_seed(3))
        paths = torch.cat([ours.path_of_latents(start, end, 8) for start, end in ends])
        with looking_at(found.model):
            data["good_paths"] = levels(found.model.netG(paths))
    return data


def galaxies() -> dict[str, np.ndarray]:
    """Train on galaxies with the sizes of a machine without GPU, and keep real ones too."""
    import torch
    from part5_vaes_and_gans import solutions as ours
    from part5_vaes_and_gans.utils import looking_at

    # A training that was broken off goes on.
    trainer = ours.DCGANTrainer(ours.DCGANArgs(epochs=50, resume=True))
    real = trainer.trainset[torch.arange(0, 24 * 7, 7)][0]
    model = trainer.train()
    latents = torch.randn(24, 100, generator=torch.Generator().manual_seed(0))
    with looking_at(model):
        return {"galaxies_real": levels(real), "galaxies_samples": levels(model.netG(latents))}


def layers() -> dict[str, np.ndarray]:
    """Time torch's layers and those of the course, on one thread."""
    import torch
    from part5_vaes_and_gans import solutions as ours
    from part5_vaes_and_gans.utils import compare_layers, compare_layers_of_vae

    torch.set_num_threads(1)
    kept = {"n_steps": 15, "clock": time.process_time}  # other programs may be running
    of_gan, of_vae = compare_layers(ours.DCGAN, **kept), compare_layers_of_vae(ours.VAE, **kept)
    return {
        "layers_ms": np.array([*of_gan.values()]),
        "layers_vae_ms": np.array([*of_vae.values()]),
    }


def main(names: list[str]) -> None:
    for name in names or ["good", "generator", "optimizers", "discriminator", "galaxies", "layers"]:
        part = {"galaxies": galaxies, "layers": layers}.get(name, lambda name=name: short(name))
        data = part()
        if FILE.exists():
            with np.load(FILE) as file:
                data = dict(file) | data
        np.savez_compressed(FILE, **data)
        print(f"{name}: {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    os.environ["ARENA_LAB_OFFLINE"] = "1"  # the same pictures everywhere
    main(sys.argv[1:])
