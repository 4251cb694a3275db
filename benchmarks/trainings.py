"""Time the trainings of 0.5: their steps alone, and all cells of a section's solutions for real.

`python benchmarks/trainings.py` takes a few steps of each training on one thread, and says what all
of its steps cost: processor time, which other programs do not lengthen. Drawing comes on top.

`python benchmarks/trainings.py --whole [--section 0.5] [--at-least 10] [--to FILE.ipynb]` runs the
solutions as a notebook, in one fresh kernel from top to bottom, with nothing made smaller. Each
cell that takes longer than so many seconds is a row, named by what it defines or begins with.

The data are those that come with the lab, and what is kept of trainings is thrown away.
"""

import argparse
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from table import Row, show

N_STEPS = 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whole", action="store_true", help="run all cells of the solutions")
    parser.add_argument("--section", default="0.5")
    parser.add_argument("--at-least", type=float, default=10, help="seconds of a row")
    parser.add_argument("--to", type=Path, help="where to keep the notebook that was run")
    arguments = parser.parse_args()
    os.environ["ARENA_LAB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as state:
        os.environ["ARENA_LAB_STATE"] = state
        if arguments.whole:
            whole(arguments.section, arguments.at_least, arguments.to)
        else:
            show("All steps of a training, one thread", steps())


def whole(number: str, at_least: float, to: Path | None) -> None:
    """Run the notebook of a section's solutions, and show what took long."""
    from arena_lab import notebooks
    from arena_lab.catalogue import find_section

    section = find_section(number)
    notebook = notebooks.build(section, solutions=True)
    times = notebooks.execute(notebook, section)
    if to:
        nbformat.write(notebook, to)
    rows = [
        Row(_name(cell.source), f"{seconds:.0f} s", "")
        for cell, seconds in zip(notebook.cells, times, strict=True)
        if seconds >= at_least
    ]
    show(f"Solutions of {number}", [*rows, Row("the whole notebook", f"{sum(times):.0f} s", "")])


def _name(code: str) -> str:
    defined = re.search(r"^(?:class|def) \w+", code, re.M)
    return defined[0] if defined else code.strip().splitlines()[0]


def steps() -> list[Row]:
    """Take some steps of each training, and give what all of them cost."""
    import torch

    from arena_lab.catalogue import find_section, make_importable

    make_importable(find_section("0.5"))
    torch.set_num_threads(1)
    from part5_vaes_and_gans import solutions as ours

    quiet = {"use_wandb": False}
    autoencoders = [
        ("autoencoder, digits", ours.AutoencoderTrainer(ours.AutoencoderArgs(**quiet))),
        ("VAE, digits", ours.VAETrainer(ours.VAEArgs(**quiet))),
        ("VAE, galaxies", ours.VAETrainer(ours.VAEArgs(dataset="CELEB", **quiet))),
    ]
    gans = [
        ("DCGAN, digits", ours.DCGANTrainer(ours.DCGANArgs(dataset="MNIST"))),
        ("DCGAN, galaxies", ours.DCGANTrainer(ours.DCGANArgs(dataset="CELEB"))),
    ]
    rows = [_row(what, trainer, trainer.training_step) for what, trainer in autoencoders]
    return rows + [_row(what, trainer, _both_steps(trainer)) for what, trainer in gans]


def _both_steps(trainer: Any) -> Callable[[Any], None]:
    import torch

    def step(img_real: Any) -> None:
        img_fake = trainer.model.netG(torch.randn(len(img_real), trainer.args.latent_dim_size))
        trainer.training_step_discriminator(img_real, img_fake.detach())
        trainer.training_step_generator(img_fake)

    return step


def _row(what: str, trainer: Any, step: Callable[[Any], Any]) -> Row:
    times = []
    batches = iter(trainer.trainloader)
    for _ in range(N_STEPS):
        start = time.process_time()
        step(next(batches)[0])
        times.append(time.process_time() - start)
    n_steps = trainer.args.epochs * len(trainer.trainloader)
    each = statistics.median(times)
    return Row(
        what, f"{n_steps:,} steps of {1000 * each:.0f} ms: {each * n_steps:.0f} s", "minutes"
    )


if __name__ == "__main__":
    main()
