"""What section 0.2 promises to someone without a network."""

import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
import requests
import torch
import torchvision

from arena_lab import data
from arena_lab.catalogue import find_section, make_importable

make_importable(find_section("0.2"))

from part2_cnns import solutions, utils  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("ARENA_LAB_OFFLINE", "1")
    monkeypatch.setattr(data, "CACHE", tmp_path)
    utils._imagenet_weights.cache_clear()
    yield
    utils._imagenet_weights.cache_clear()


@pytest.fixture
def n_trainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how often the stand-in is made, and make it without training."""
    made: list[int] = []

    def state() -> dict[str, torch.Tensor]:
        made.append(1)
        torch.manual_seed(0)
        return torchvision.models.resnet34().state_dict()

    monkeypatch.setattr(utils, "_train_stand_in", state)
    return made


def test_mlp_reads_more_than_91_percent_of_new_digits() -> None:
    torch.manual_seed(0)
    _, accuracies, _ = solutions.train(solutions.SimpleMLPTrainingArgs(epochs=15))
    assert accuracies[-1] > 0.91


def test_copied_network_predicts_what_the_original_does(n_trainings: list[int]) -> None:
    original = solutions.pretrained_resnet34()
    copy = solutions.copy_weights(solutions.ResNet34(), original)
    images = solutions.pretrained_pictures().images
    for mine, theirs in zip(
        solutions.predict(copy, images), solutions.predict(original, images), strict=True
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=0)


def test_stand_in_is_made_once_and_anew_where_it_is_damaged(n_trainings: list[int]) -> None:
    utils.pretrained_resnet34()
    utils.pretrained_resnet34()
    assert len(n_trainings) == 1
    (data.CACHE / "resnet34" / "stand_in.pth").write_bytes(b"half a fi")
    utils.pretrained_resnet34()
    assert len(n_trainings) == 2


def test_stand_in_runs_out_and_is_said_again(
    n_trainings: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ARENA_LAB_OFFLINE")
    monkeypatch.setattr("requests.get", Mock(side_effect=requests.ConnectionError))
    assert utils.pretrained_is_stand_in()
    utils.pretrained_resnet34()
    assert capsys.readouterr().out.count("A ResNet34 stands in") == 1
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    utils.pretrained_resnet34()
    assert capsys.readouterr().out.count("A ResNet34 stands in") == 1
    weights = data.CACHE / "weights.pth"
    torch.save(torchvision.models.resnet34().state_dict(), weights)
    monkeypatch.setattr(data, "resnet34_weights", lambda: weights)
    monkeypatch.setattr(time, "monotonic", lambda: now + 120)
    n_before = len(n_trainings)
    utils.pretrained_resnet34()
    assert not utils.pretrained_is_stand_in()
    assert len(n_trainings) == n_before


def test_last_layer_learns_small_colour_pictures(
    n_trainings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainset, testset = solutions.get_cifar()
    assert trainset.pixels.shape == (1000, 3, 32, 32)
    monkeypatch.setattr(solutions, "get_cifar_subset", lambda: (trainset[:400], testset[:100]))
    torch.manual_seed(0)
    losses, _, _ = solutions.train_resnet(solutions.ResNetTrainingArgs(epochs=2))
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])


def test_plot_in_a_notebook_is_updated_and_not_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    updates: list[int] = []

    class Handle:
        def update(self, bundle: dict, raw: bool) -> None:
            updates.append(len(bundle["application/vnd.plotly.v1+json"]["data"][0]["y"]))

    monkeypatch.setattr(utils, "_in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda *args, **kwargs: Handle())
    plot = utils.LivePlot()
    plot.update([2.0], [])
    plot.update([2.0, 1.0], [])  # too soon
    plot.update([2.0, 1.0, 0.5], [0.5])
    assert updates == [3]
