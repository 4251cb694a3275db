"""What section 0.5 promises of its GANs: they learn without a network, and a run can go on."""

from pathlib import Path

import pytest
import torch

from arena_lab import data
from arena_lab.catalogue import find_section, make_importable
from arena_lab.checks import WrongAnswer

make_importable(find_section("0.5"))

from part5_vaes_and_gans import solutions, utils  # noqa: E402
from part5_vaes_and_gans import tests as section_tests  # noqa: E402


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Use what comes with the lab, on the processor, and write nowhere else."""
    monkeypatch.setenv("ARENA_LAB_OFFLINE", "1")
    monkeypatch.setattr(data, "CACHE", tmp_path / "data")
    monkeypatch.setattr(utils, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(utils, "pick_device", lambda: torch.device("cpu"))
    monkeypatch.setattr(solutions, "pick_device", lambda: torch.device("cpu"))
    utils._photographs.cache_clear()


def small(**settings: object) -> solutions.DCGANArgs:
    """Give settings of a training of a few steps on a few digits."""
    return solutions.DCGANArgs(
        **{"dataset": "MNIST", "hidden_channels": [4, 8], "epochs": 2, "lr": 1e-3} | settings
    )


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = utils.load_digits()[:40]
    monkeypatch.setattr(solutions, "get_dataset", lambda dataset, train=True: digits)


def test_galaxies_are_the_offline_pictures_in_colour(capsys: pytest.CaptureFixture[str]) -> None:
    train, test = (solutions.get_dataset("CELEB", is_train) for is_train in (True, False))
    assert train[0][0].shape == (3, 32, 32)
    assert len(train) == 2056
    assert len(test) == 224
    assert "galaxies stand in" in capsys.readouterr().out


def test_unknown_dataset_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 'MNIST' or 'CELEB'"):
        solutions.get_dataset("FACES")


@pytest.mark.parametrize(("n_halvings", "size"), [(1, 28), (2, 28), (3, 32), (4, 32)])
def test_pictures_get_a_size_that_can_be_halved(n_halvings: int, size: int) -> None:
    pictures = utils.pictures_to_draw(utils.load_digits()[:2], n_halvings)
    image = pictures[0][0]
    assert image.shape == (1, size, size)
    assert -1 <= image.min() < -0.9
    assert 0.5 < image.max() <= 1


def test_sizes_fit_a_machine_without_gpu_and_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    args = utils.fit_gan_sizes(solutions.DCGANArgs(dataset="MNIST"), 4000)
    assert args.hidden_channels == [16, 32]
    assert args.epochs * 63 >= 2000
    assert "No GPU here" in capsys.readouterr().out


def test_sizes_that_somebody_has_set_are_kept() -> None:
    args = small()
    assert utils.fit_gan_sizes(args, 4000) is args
    one = utils.fit_gan_sizes(solutions.DCGANArgs(dataset="MNIST", epochs=1), 4000)
    assert (one.epochs, one.hidden_channels, one.lr) == (1, [16, 32], 1e-3)


def test_run_that_was_stopped_ends_with_the_same_weights(few_digits: None) -> None:
    args = small(batch_size=16)
    whole = solutions.DCGANTrainer(args).train().state_dict()
    stopped = solutions.DCGANTrainer(small(batch_size=16, wandb_project="stopped"))
    log = stopped.run.log

    def stop_after_two_steps(**losses: object) -> None:
        log(**losses)
        stopped.run._stop = stopped.step == 2

    stopped.run.log = stop_after_two_steps
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    resumed = solutions.DCGANTrainer(small(batch_size=16, wandb_project="stopped", resume=True))
    assert resumed.step == 2
    ended = resumed.train().state_dict()
    assert all(torch.equal(ended[name], whole[name]) for name in whole)


def test_losses_and_samples_are_stored_with_the_run(few_digits: None) -> None:
    trainer = solutions.DCGANTrainer(small(log_every_n_steps=1))
    trainer.train()
    assert len(trainer.run.history["loss_G"]) == 2
    assert list((trainer.run.folder / "pictures").glob("samples_*.png"))
    assert "loss_D" in (trainer.run.folder / "losses.csv").read_text()


def test_gan_of_own_layers_gives_the_same_pictures() -> None:
    torch.manual_seed(0)
    model = solutions.DCGAN(10, 16, 1, [4, 8])
    latents = torch.randn(3, 10)
    with torch.no_grad():
        before = model.netG(latents)
        after = utils.with_own_layers(model).netG(latents)
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)


def test_steps_of_a_path_are_as_long_as_its_ends() -> None:
    start, end = torch.randn(2, 100, generator=torch.Generator().manual_seed(0))
    path = solutions.path_of_latents(start, end, 9)
    torch.testing.assert_close(path[0], start, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(path[-1], end, atol=1e-4, rtol=1e-3)
    assert path.norm(dim=1).min() > 0.9 * min(start.norm(), end.norm())


@pytest.mark.slow
def test_short_training_draws_dark_pictures_with_bright_strokes() -> None:
    found = utils.short_gan_training(solutions.DCGAN, n_steps=250, show=False)
    strokes = (found.samples > 0.3).float().mean().item()
    ground = (found.samples < -0.7).float().mean().item()
    # Digits are bright on 14 % of their pixels and dark on 80 %.
    assert 0.03 < strokes < 0.35
    assert ground > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "broken", "symptom"),
    [
        ("step_of_generator", "broken_generator_step", lambda run: run.loss_G[-1] > 4),
        ("optimizers", "broken_optimizers", lambda run: run.said_of_fake[-1] > 0.7),
        ("step_of_discriminator", "broken_discriminator_step", lambda run: run.loss_D[-1] < 0.1),
    ],
)
def test_broken_training_shows_its_symptom(part: str, broken: str, symptom: object) -> None:
    change = {part: getattr(solutions, broken)}
    run = utils.short_gan_training(solutions.DCGAN, n_steps=60, show=False, **change)
    assert symptom(run)


class ConvTranspose2d(torch.nn.Module):
    """The stub of a layer."""

    def __init__(self) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("layer", [ConvTranspose2d, solutions.ConvTranspose2d])
def test_verdict_on_starting_weights_does_not_wait_for_the_bonus(
    layer: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_torchs_classes(model: torch.nn.Module) -> None:
        for module in model.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                torch.nn.init.normal_(module.weight, std=0.02)

    monkeypatch.setitem(globals(), "ConvTranspose2d", layer)
    with pytest.raises(WrongAnswer, match="is passed over"):
        section_tests.test_initialize_weights_of_layers_without_bias(by_torchs_classes)
    monkeypatch.setattr(solutions, "ConvTranspose2d", layer)
    section_tests.test_initialize_weights_of_layers_without_bias(solutions.initialize_weights)
