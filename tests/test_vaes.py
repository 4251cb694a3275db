"""What section 0.5 promises of its trainings: kept, stopped, resumed, and without a network."""

import functools
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import requests
import torch
from PIL import Image
from torch import nn

from arena_lab import data
from arena_lab.catalogue import find_section, make_importable

make_importable(find_section("0.5"))

from part2_cnns.utils import Pictures  # noqa: E402
from part5_vaes_and_gans import solutions, utils  # noqa: E402

pytestmark = pytest.mark.slow

SMALL = {"epochs": 3, "batch_size": 16, "use_wandb": False, "log_every_n_steps": 100}


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Keep trainings on few digits, without a network, in a folder of the test."""
    monkeypatch.setenv("ARENA_LAB_OFFLINE", "1")
    monkeypatch.setattr(data, "CACHE", tmp_path / "data")
    monkeypatch.setattr(utils, "RUNS", tmp_path / "trainings")
    for cached in (utils._digits, utils.holdout_digits, utils.load_digits):
        cached.cache_clear()
    monkeypatch.setattr(utils, "pick_device", lambda: torch.device("cpu"))
    monkeypatch.setattr(solutions, "pick_device", lambda: torch.device("cpu"))
    utils._photographs.cache_clear()
    load = utils.load_dataset
    few = functools.partial(few_of, load)
    monkeypatch.setattr(utils, "load_dataset", few)
    monkeypatch.setattr(solutions, "load_dataset", few)
    return tmp_path / "trainings"


def few_of(load: Callable[..., Pictures], dataset: str, train: bool = True) -> Pictures:
    """Give few pictures to train on, and all to test with."""
    return load(dataset, train)[:100] if train else load(dataset, train)


def stopped_after(trainer: solutions.AutoencoderTrainer, n_steps: int) -> None:
    """Train, and press Ctrl-C in the middle of a step."""
    step = trainer.training_step

    def interrupted(img: torch.Tensor) -> torch.Tensor:
        if trainer.step == n_steps - 1:
            trainer.run._ask_to_stop(2, None)
        return step(img)

    trainer.training_step = interrupted
    with pytest.raises(KeyboardInterrupt):
        trainer.train()


TRAINERS = [
    (solutions.AutoencoderTrainer, solutions.AutoencoderArgs),
    (solutions.VAETrainer, solutions.VAEArgs),
]


@pytest.mark.parametrize(("Trainer", "Args"), TRAINERS, ids=["autoencoder", "vae"])
@pytest.mark.parametrize("n_steps", [3, 7, 10], ids=["first epoch", "an epoch's end", "second"])
def test_resumed_run_ends_with_the_weights_of_one_that_was_not_stopped(
    Trainer: type, Args: type, n_steps: int
) -> None:
    whole = Trainer(Args(**SMALL))
    expected = whole.train().state_dict()
    stopped_after(Trainer(Args(**SMALL, wandb_name="stopped")), n_steps)
    torch.manual_seed(99)  # what happens meanwhile must not matter
    resumed = Trainer(Args(**SMALL, resume=True))
    assert resumed.step == n_steps
    for name, value in resumed.train().state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)
    assert resumed.run.history == whole.run.history


def test_seed_decides_everything() -> None:
    first, second, other = (
        solutions.VAETrainer(solutions.VAEArgs(**SMALL, seed=seed)) for seed in (1, 1, 2)
    )
    losses = [trainer.run.history for trainer in (first, second, other) if trainer.train()]
    assert losses[0] == losses[1] != losses[2]


def test_ctrl_c_ends_a_run_after_its_step_and_gives_the_signal_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import signal

    before = signal.getsignal(signal.SIGINT)
    stopped_after(solutions.AutoencoderTrainer(solutions.AutoencoderArgs(**SMALL)), 5)
    assert signal.getsignal(signal.SIGINT) is before
    assert "resume=True" in capsys.readouterr().out


def test_run_of_other_settings_is_not_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    solutions.VAETrainer(solutions.VAEArgs(**SMALL)).train()
    again = solutions.VAETrainer(solutions.VAEArgs(**SMALL, beta_kl=0.5, resume=True))
    assert again.step == 0
    assert "a new one begins" in capsys.readouterr().out


def test_more_epochs_go_on_where_a_finished_run_ended() -> None:
    solutions.VAETrainer(solutions.VAEArgs(**SMALL)).train()
    longer = solutions.VAETrainer(solutions.VAEArgs(**(SMALL | {"epochs": 4}), resume=True))
    assert longer.step == 21
    longer.train()
    assert longer.step == 28


def test_run_stores_settings_losses_pictures_and_figures(runs: Path) -> None:
    trainer = solutions.VAETrainer(solutions.VAEArgs(**(SMALL | {"log_every_n_steps": 10})))
    trainer.train()
    folder = trainer.run.folder
    assert folder.is_relative_to(runs)
    assert json.loads((folder / "args.json").read_text())["beta_kl"] == 0.1
    losses = (folder / "losses.csv").read_text().splitlines()
    assert losses[0] == "step,name,value"
    assert sum(",loss," in row for row in losses) == 21
    steps = {path.name for path in (folder / "pictures").glob("latent_grid_*.png")}
    assert steps == {f"latent_grid_{step:06}.png" for step in (10, 20, 21)}
    for name in ("losses", "latents"):
        page = (folder / f"{name}.html").read_text()
        assert 'src="../../plotly.min.js"' in page
    assert (runs / "plotly.min.js").exists()


def test_damaged_newest_run_is_told(runs: Path) -> None:
    trainer = solutions.VAETrainer(solutions.VAEArgs(**SMALL))
    trainer.train()
    (trainer.run.folder / "checkpoint.pt").write_bytes(b"half a fi")
    with pytest.raises(ValueError, match="damaged"):
        solutions.VAETrainer(solutions.VAEArgs(**SMALL, resume=True))


def test_figures_in_a_notebook_are_updated_and_not_drawn_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[str] = []
    updated: list[str] = []

    class Handle:
        def update(self, bundle: dict, raw: bool) -> None:
            updated.extend(bundle)

    def display(bundle: dict, **options: object) -> Handle:
        shown.extend(bundle)
        return Handle()

    monkeypatch.setattr(utils, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", display)
    solutions.VAETrainer(solutions.VAEArgs(**(SMALL | {"log_every_n_steps": 10}))).train()
    # Samples, reconstructions and latent grid as pictures; losses and latents as figures.
    assert sorted(shown) == ["application/vnd.plotly.v1+json"] * 2 + ["image/png"] * 3
    assert updated.count("image/png") == 6


def test_sizes_are_chosen_and_said_unless_they_are_set(capsys: pytest.CaptureFixture[str]) -> None:
    fitted = utils.fit_sizes(solutions.VAEArgs(), 4_000)
    assert (fitted.batch_size, fitted.epochs) == (128, 20)
    said = capsys.readouterr().out
    assert "4,000 pictures, not 60,000" in said
    assert "epochs=20 instead of 10" in said
    for args, n in ((solutions.VAEArgs(epochs=3), 4_000), (solutions.VAEArgs(), 60_000)):
        assert utils.fit_sizes(args, n) is args
    assert capsys.readouterr().out == ""


def test_held_out_digits_are_one_of_each_and_none_is_trained_on() -> None:
    holdout, trainset = utils.holdout_digits(), utils.load_digits()
    assert holdout.shape == (10, 1, 28, 28)
    testset = utils.load_digits(train=False)
    for digit, image in enumerate(holdout):
        assert torch.equal(image, testset.images[testset.labels == digit][0])
        assert not (trainset.images == image).flatten(1).all(1).any()


def test_unknown_data_are_refused() -> None:
    with pytest.raises(ValueError, match="must be 'MNIST' or 'CELEB', not 'FACES'"):
        solutions.VAETrainer(solutions.VAEArgs(dataset="FACES"))


COLOURS = SMALL | {"dataset": "CELEB", "log_every_n_steps": 10}


@pytest.mark.parametrize(
    ("Trainer", "Args"),
    [
        *TRAINERS,
        (solutions.DenoisingTrainer, solutions.DenoisingArgs),
        (solutions.SparseTrainer, solutions.SparseArgs),
    ],
)
def test_every_autoencoder_trains_on_galaxies_where_there_are_no_faces(
    Trainer: type, Args: type, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = Trainer(Args(**COLOURS))
    trainer.train()
    losses = [value for _, value in trainer.run.history["loss"]]
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
    assert capsys.readouterr().out.count("galaxies stand in for CelebA") == 1


def test_hierarchical_vae_refuses_what_it_does_not_learn() -> None:
    with pytest.raises(ValueError, match="takes digits"):
        solutions.HierarchicalVAETrainer(solutions.VAEArgs(**COLOURS))


def test_pictures_and_latents_of_galaxies_are_stored_with_the_run() -> None:
    trainer = solutions.VAETrainer(solutions.VAEArgs(**COLOURS))
    trainer.train()
    folder = trainer.run.folder
    made = {path.name for path in (folder / "pictures").glob("*_000020.png")}
    assert made == {f"{n}_000020.png" for n in ("samples", "reconstructions", "latent_grid")}
    pixels = np.asarray(Image.open(folder / "pictures" / "reconstructions_000020.png"))
    assert np.ptp(pixels.astype(int), axis=2).max() > 50  # in colour
    assert "base64," in (folder / "latents.html").read_text()


def test_faces_are_trained_on_in_their_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 64, 64, 3), np.uint8)
    found = data.PicturesWithoutLabels(pixels[:40], pixels[40:], "CelebA")
    monkeypatch.setattr(data, "faces", lambda subset: found)
    model = solutions.VAETrainer(solutions.VAEArgs(**COLOURS, latent_dim_size=7)).train()
    made, mu, logsigma = model(torch.zeros(2, 3, 64, 64))
    assert made.shape == (2, 3, 64, 64)
    assert mu.shape == logsigma.shape == (2, 7)


@pytest.mark.parametrize("side", [28, 32, 64])
def test_code_and_way_of_drawing_stay_whatever_the_pictures(side: int) -> None:
    pixels = torch.zeros(1, 1 if side == 28 else 3, side, side, dtype=torch.uint8)
    pictures = Pictures(pixels, torch.zeros(1), ((0.5,), (0.5,)), [""])
    for made in (solutions.Autoencoder(4, 10), solutions.VAE(4, 10)):
        digits = made.encoder(torch.zeros(2, 1, 28, 28)).shape
        model = utils.fit_to_pictures(made, pictures)
        assert model.encoder(pixels.float().repeat(2, 1, 1, 1)).shape == digits
        assert model.decoder(torch.zeros(2, 4)).shape[1:] == pixels.shape[1:]


def test_pictures_in_colour_get_a_longer_code_and_it_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fitted = utils.fit_sizes(solutions.VAEArgs(dataset="CELEB"), 2_056)
    assert (fitted.latent_dim_size, fitted.hidden_dim_size, fitted.beta_kl) == (32, 256, 0.02)
    assert (fitted.batch_size, fitted.epochs) == (64, 40)
    assert "latent_dim_size=32 instead of 5" in capsys.readouterr().out
    faces = utils.fit_sizes(solutions.AutoencoderArgs(dataset="CELEB", hidden_dim_size=99), 192_599)
    assert (faces.latent_dim_size, faces.hidden_dim_size, faces.epochs) == (32, 99, 10)


def test_own_layers_compute_what_torchs_do() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Sequential(nn.Flatten(), nn.Linear(4 * 14 * 14, 3)),
    )
    x = torch.randn(5, 1, 28, 28)
    expected = model(x)
    own = utils.with_own_layers(model)
    torch.testing.assert_close(own(x), expected, rtol=1e-4, atol=1e-5)
    kinds = [own[0], own[1], own[2], own[3][1]]
    assert {type(layer).__module__.split(".")[0] for layer in kinds} == {"part2_cnns"}


def test_own_layers_compute_what_torchs_do_in_evaluation_too() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 4, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    x = torch.randn(5, 3, 8, 8)
    model(2 * x + 1)  # moves the running statistics
    expected = model.eval()(x)
    own = utils.with_own_layers(model)
    torch.testing.assert_close(own(x), expected, rtol=1e-4, atol=1e-5)
    assert not any(layer.training for layer in own.modules())


def test_own_layers_refuse_a_bias_that_they_lack() -> None:
    with pytest.raises(ValueError, match="bias=False"):
        utils.with_own_layers(nn.Sequential(nn.Conv2d(1, 2, 3)))


def test_own_layers_are_those_last_saved_and_each_other_is_said_each_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = tmp_path / "answers.py"
    answers.write_text("")
    written = SimpleNamespace(package="part2_cnns", answers=answers)
    monkeypatch.setattr("arena_lab.catalogue.sections", lambda: [written])
    said = "Your own ReLU is not written, or does not do what torch's does: ours is used.\n"
    for _ in range(2):
        own = utils.with_own_layers(nn.Sequential(nn.ReLU(), nn.Sequential(nn.ReLU())))
        assert type(own[0]).__module__ == "part2_cnns.solutions"
        assert capsys.readouterr().out == said
    answers.write_text(
        "import torch\n\n\nclass ReLU(torch.nn.Module):\n"
        "    def forward(self, x):\n        return x.clamp(min=0)\n"
    )
    own = utils.with_own_layers(nn.Sequential(nn.ReLU()))
    assert type(own[0]).__module__ == "part2_cnns.own_answers"
    assert capsys.readouterr().out == ""


def test_page_beside_no_run_is_whole_and_alone(tmp_path: Path) -> None:
    figure = utils.plot_counts([1, 2], "ones")
    folder = tmp_path / "of mine" / "plots"
    folder.mkdir(parents=True)
    utils.write_page(figure, folder / "counts.html")
    assert [path.name for path in tmp_path.rglob("*.*")] == ["counts.html"]
    assert "src=" not in (folder / "counts.html").read_text().partition("</head>")[0]


def test_host_that_fails_is_not_asked_again_during_a_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ARENA_LAB_OFFLINE")
    monkeypatch.setattr("requests.get", Mock(side_effect=requests.ConnectionError))
    trainer = solutions.VAETrainer(solutions.VAEArgs(**(SMALL | {"log_every_n_steps": 5})))
    now = itertools.count(time.monotonic())
    monkeypatch.setattr(time, "monotonic", lambda: 40 * next(now))
    trainer.train()
    assert trainer.step == 21
    assert capsys.readouterr().out.count("MNIST is not here") == 1


def test_grid_of_latents_grows_to_the_right_and_upwards() -> None:
    model = solutions.VAE(5, 8)
    grid = solutions.create_grid_of_latents(model, (-2, 2), n_points=3, dims=(1, 3))
    assert grid.shape == (9, 5)
    assert grid[:, [0, 2, 4]].eq(0).all()
    np.testing.assert_array_equal(grid[:3, 1], [-2, 0, 2])
    np.testing.assert_array_equal(grid[::3, 3], [2, 0, -2])


def test_vae_learns_digits_and_draws_new_ones() -> None:
    trainer = solutions.VAETrainer(solutions.VAEArgs(**(SMALL | {"epochs": 20})))
    trainer.train()
    reconstruction = [value for _, value in trainer.run.history["reconstruction"]]
    assert np.mean(reconstruction[-7:]) < 0.75 * np.mean(reconstruction[:3])
