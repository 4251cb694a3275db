"""What section 0.3 promises to someone without an account and without a network."""

import math
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena_lab import sweeps, tracking
from arena_lab.catalogue import find_section, make_importable
from arena_lab.errors import LabError
from arena_lab.paths import ROOT

make_importable(find_section("0.3"))

pytestmark = pytest.mark.slow

SEARCH: dict[str, Any] = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {
        "rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-1},
        "size": {"values": [1, 2, 4]},
        "depth": {"value": 3},
    },
}


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Keep runs in a folder of the test's own, without a key."""
    import trackio  # noqa: F401

    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setattr(tracking, "STORE", tmp_path)
    # It reads its folder once, at import, and each of its modules keeps a copy.
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "trackio":
            for key, folder in (("TRACKIO_DIR", tmp_path), ("MEDIA_DIR", tmp_path / "media")):
                if hasattr(module, key):
                    monkeypatch.setattr(module, key, folder)
    yield tmp_path
    tracking.finish()


# Runs


def test_run_is_kept_with_config_metrics_and_pictures(store: Path) -> None:
    tracking.init(project="p", name="one", config={"rate": 0.1})
    tracking.log({"loss": np.float32(0.5)}, step=4)
    images = [tracking.Image(np.zeros((3, 8, 8)), caption=text) for text in ("dark", "too")]
    tracking.log({"examples": images, "loss": 0.25}, step=8)
    tracking.finish()
    (run,) = tracking.runs("p")
    assert (run["name"], run["config"]) == ("one", {"rate": 0.1})
    assert [(entry["step"], entry["loss"]) for entry in run["logs"]] == [(4, 0.5), (8, 0.25)]
    assert run["logs"][1]["examples/1"]["caption"] == "too"
    assert len(list(store.rglob("*.png"))) == 2


def test_new_run_ends_the_one_that_is_open() -> None:
    tracking.init(project="p", name="one")
    tracking.init(project="p", name="two")
    tracking.log({"x": 1})
    tracking.finish()
    assert {run["name"] for run in tracking.runs("p") if run["logs"]} == {"two"}


def test_log_without_a_run_says_what_to_do() -> None:
    with pytest.raises(LabError, match="call init before log"):
        tracking.log({"x": 1})


def test_watch_notes_gradients_until_the_run_ends() -> None:
    import torch

    model = torch.nn.Linear(2, 1)
    tracking.init(project="p")
    tracking.watch(model, log_freq=2)
    for step in range(3):
        model(torch.ones(1, 2)).sum().backward()
        tracking.log({"loss": 0.0}, step=step)
    tracking.finish()
    model(torch.ones(1, 2)).sum().backward()
    (run,) = tracking.runs("p")
    assert ["gradients/weight" in entry for entry in run["logs"]] == [True, False, True]


@pytest.mark.parametrize(
    ("data", "pixel"),
    [
        (np.full((4, 4), 0.5), 127),
        (np.full((1, 4, 4), 1.0), 255),
        (np.full((4, 4, 3), 7, np.uint8), [7, 7, 7]),
        (np.stack([np.full((4, 4), v) for v in (-1.0, 0.0, 1.0)]), [0, 127, 255]),
    ],
)
def test_image_takes_what_tensors_and_arrays_hold(data: np.ndarray, pixel: Any) -> None:
    assert tracking._pixels(data)[0, 0].tolist() == pixel


def test_image_of_another_shape_is_refused() -> None:
    with pytest.raises(LabError, match="an image has two axes"):
        tracking.Image(np.zeros((2, 3, 4, 5)))


def test_with_a_key_every_call_goes_to_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    class Wandb:
        def __init__(self) -> None:
            self.config = {"rate": 1}

        def __getattr__(self, name: str) -> Any:
            return lambda *args, **kwargs: called.append(name)

    monkeypatch.setenv("WANDB_API_KEY", "key")
    monkeypatch.setattr(tracking, "_wandb", Wandb)
    tracking.init(project="p")
    tracking.log({"x": 1}, step=1)
    tracking.Image(np.zeros((2, 2)))
    tracking.sweep(SEARCH)
    tracking.agent("id", lambda: None, count=1)
    tracking.finish()
    assert called == ["init", "log", "Image", "sweep", "agent", "finish"]
    assert tracking.config == {"rate": 1}


def test_offline_wins_over_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "key")
    monkeypatch.setenv("ARENA_LAB_OFFLINE", "1")
    assert not tracking.uses_wandb()


def test_run_and_search_ask_no_network(tmp_path: Path) -> None:
    code = f"""
        import socket

        def refused(*args):
            raise SystemExit(f"asks the network: {{args[1:]}}")

        socket.socket.connect = socket.socket.connect_ex = refused
        socket.getaddrinfo = lambda *args, **kwargs: refused(None, *args)
        from arena_lab import sweeps, tracking

        def trial():
            tracking.init(project="p")
            tracking.log({{"score": tracking.config["rate"]}}, step=1)
            tracking.finish()

        tracking.agent(tracking.sweep({SEARCH!r}, project="p"), trial, count=2)
        assert len(tracking.runs("p")) == 2
    """
    env = {k: v for k, v in os.environ.items() if k != "WANDB_API_KEY"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**env, "ARENA_LAB_STATE": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "p.db").exists()


# Searches


def trial_that_fails_at(number: int, error: type[BaseException], seen: list[Any]) -> Any:
    """Make a trial that logs its rate as its score, and raises an error once."""

    def trial() -> None:
        tracking.init(project="p", config={"own": 1})
        seen.append(dict(tracking.config))
        if len(seen) == number:
            raise error
        tracking.log({"score": tracking.config["rate"]}, step=1)
        tracking.finish()

    return trial


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_search_goes_on_after_an_interrupt(error: type[BaseException]) -> None:
    whole: list[Any] = []
    tracking.agent(tracking.sweep(SEARCH, "whole"), trial_that_fails_at(0, error, whole), count=4)
    seen: list[Any] = []
    trial = trial_that_fails_at(3, error, seen)
    with pytest.raises(error):
        tracking.agent(tracking.sweep(SEARCH, "p"), trial, count=4)
    tracking.agent(tracking.sweep(SEARCH, "p"), trial, count=4)
    assert len(seen) == 5
    assert seen[3] == seen[2]  # the one that was cut short, once more
    assert len({run["rate"] for run in seen}) == 4
    assert len(sweeps.results(tracking.sweep(SEARCH, "p"))) == 4


def test_search_that_is_done_runs_nothing_more() -> None:
    seen: list[Any] = []
    sweep_id = tracking.sweep(SEARCH, "p")
    for _ in range(2):
        tracking.agent(sweep_id, trial_that_fails_at(0, ValueError, seen), count=2)
    assert len(seen) == 2


def test_trial_of_a_kernel_that_died_is_run_again() -> None:
    sweep_id = tracking.sweep(SEARCH, "p")
    study = sweeps.study_of(sweep_id)
    cut_short = study.ask(
        {
            name: d
            for name, p in SEARCH["parameters"].items()
            if (d := sweeps._distribution(name, p))
        }
    )
    cut_short.set_user_attr("process", [2**22 + 1, 1.0])
    seen: list[Any] = []
    tracking.agent(sweep_id, trial_that_fails_at(0, ValueError, seen), count=1)
    assert seen[0]["rate"] == cut_short.params["rate"]


def test_choices_win_over_the_config_and_constants_are_among_them() -> None:
    seen: list[Any] = []
    tracking.agent(tracking.sweep(SEARCH, "p"), trial_that_fails_at(0, ValueError, seen), count=1)
    assert seen[0]["depth"] == 3
    assert seen[0]["own"] == 1
    assert 1e-4 <= seen[0]["rate"] <= 1e-1


def test_results_are_sorted_and_plotted() -> None:
    sweep_id = tracking.sweep(SEARCH, "p")
    tracking.agent(sweep_id, trial_that_fails_at(0, ValueError, []), count=3)
    scores = [result["score"] for result in sweeps.results(sweep_id)]
    assert scores == sorted(scores, reverse=True)
    figure = sweeps.show(sweep_id)
    assert figure is not None
    assert len(figure.data[0].x) == 3


def test_best_settings_are_shown_where_some_are_words(capsys: pytest.CaptureFixture[str]) -> None:
    rate = {"distribution": "log_uniform", "min": math.log(1e-4), "max": math.log(1e-1)}
    words = {"optimizer": {"values": ["sgd", "adam"]}, "schedule": {"value": None}, "rate": rate}
    sweep_id = tracking.sweep({**SEARCH, "parameters": words}, "p")
    seen: list[Any] = []
    tracking.agent(sweep_id, trial_that_fails_at(0, ValueError, seen), count=3)
    assert all(1e-4 <= run["rate"] <= 1e-1 for run in seen)
    sweeps.show(sweep_id)
    best = max(seen, key=lambda run: run["rate"])
    line = f"Best: score {best['rate']:.4g}, optimizer {best['optimizer']}, schedule None"
    assert line in capsys.readouterr().out


def test_trial_that_logs_no_result_is_explained() -> None:
    def trial() -> None:
        tracking.init(project="p")
        tracking.log({"loss": 1.0})
        tracking.finish()

    with pytest.raises(LabError, match="is about 'score', but its run logged loss"):
        tracking.agent(tracking.sweep(SEARCH, "p"), trial, count=1)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"method": "grid"}, "'grid' is not for this machine"),
        ({"metric": {"name": "score", "goal": "up"}}, "goal is minimize or maximize"),
        ({"parameters": {"rate": {"min": 1}}}, "rate: give value, values, or min and max"),
        ({"parameters": {"rate": {"values": []}}}, "rate: values is empty"),
        (
            {"parameters": {"rate": {"min": 0, "max": 1e4, "distribution": "log_uniform"}}},
            "rate: math range error",
        ),
        (
            {"parameters": {"rate": {"min": 1, "max": 2, "distribution": "q_normal"}}},
            "'q_normal' needs W&B",
        ),
    ],
)
def test_description_that_is_wrong_is_refused(change: dict, complaint: str) -> None:
    with pytest.raises(LabError, match=complaint):
        tracking.sweep({**SEARCH, **change}, "p")


# The course


def test_surfaces_of_the_page_are_those_of_the_exercises() -> None:
    from part3_optimization import solutions, utils

    x, y = np.random.default_rng(0).uniform(-2, 2, (2, 20))
    theirs = {
        "ravine": solutions.pathological_curve_loss,
        "banana": solutions.rosenbrocks_banana_func,
        "three wells": solutions.neg_trimodal_func,
    }
    assert list(theirs) == list(utils.GROUNDS)
    for name, ground in utils.GROUNDS.items():
        np.testing.assert_allclose(ground.fn(x, y), np.asarray(theirs[name](x, y)), rtol=1e-6)


def test_optimizers_of_the_page_walk_as_those_of_the_exercises() -> None:
    import torch
    from part3_optimization import solutions, utils

    ground = utils.GROUNDS["ravine"]
    start = torch.tensor(ground.start, dtype=torch.float64)
    settings = {"lr": 0.2, "betas": (0.9, 0.99)}
    theirs = solutions.opt_fn(
        solutions.pathological_curve_loss, start, solutions.Adam, settings, 30
    )
    ours = utils.walk(ground, "adam", n=30, lr=0.2, beta1=0.9, beta2=0.99)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_tracked_training_lands_in_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from part3_optimization import solutions, tests

    few = (tests.FewPictures(10), tests.FewPictures(6))
    monkeypatch.setattr(solutions, "get_cifar", lambda: few)
    monkeypatch.setattr(solutions, "get_resnet_for_feature_extraction", tests.Small)
    monkeypatch.setattr(solutions, "pick_device", lambda: torch.device("cpu"))
    args = solutions.WandbResNetFinetuningArgs(n_classes=3, batch_size=4, epochs=1)
    solutions.WandbResNetFinetuner(args).train()
    (run,) = tracking.runs("day3-resnet")
    assert run["config"]["batch_size"] == 4
    keys = {key.partition("/")[0] for entry in run["logs"] for key in entry}
    assert {"loss", "accuracy", "examples"} <= keys
