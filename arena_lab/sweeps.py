"""Searches over settings on this machine, described as W&B describes its sweeps, run by Optuna.

The study lies in a file beside the runs. One that is interrupted goes on where it broke off: the
trial that was cut short is run again, and those that are done are not.
"""

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from arena_lab import tracking
from arena_lab.errors import LabError

if TYPE_CHECKING:
    import optuna
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Trial:
    """The settings that are tried now, and the project to which their run belongs."""

    params: dict[str, Any]
    project: str
    logged: dict[str, float] = field(default_factory=dict)  # the last value of each number


_running: Trial | None = None


def running() -> Trial | None:
    """Give the trial inside which we are, if any."""
    return _running


@contextlib.contextmanager
def under_wandb() -> Iterator[None]:
    """Let `init` know that W&B's agent has begun the run."""
    with _inside(Trial({}, "")):
        yield


def create(config: Mapping[str, Any], project: str) -> str:
    """Set a study up, and give its id: the same for the same description and project.

    Raises:
        LabError: The description is none that W&B would take, or needs W&B.
    """
    described = check(config)
    text = json.dumps([described, project], sort_keys=True)
    sweep_id = f"{project}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    goal = described["metric"].get("goal", "minimize")
    study = _load(sweep_id, direction=goal, load_if_exists=True)
    study.set_user_attr("config", described)
    study.set_user_attr("project", project)
    n_done = len(_done(study))
    print(f"Search {sweep_id!r}: {n_done} trials are done." if n_done else f"Search {sweep_id!r}.")
    return sweep_id


def run(sweep_id: str, function: Callable[[], object], count: int) -> None:
    """Call `function` with one choice of settings after the other, until `count` have a result.

    Raises:
        LabError: The function finishes a run without the number that the search is about.
    """
    study = study_of(sweep_id)
    _queue_what_was_cut_short(study)
    while (n_done := len(_done(study))) < count:
        print(f"\nTrial {n_done + 1} of {count}")
        _run_one(study, function)
    print(f"{count} trials are done; a higher count runs more.")


def study_of(sweep_id: str) -> "optuna.Study":
    """Give Optuna's study of a search that was set up on this machine."""
    try:
        return _load(sweep_id)
    except KeyError:
        raise LabError(f"there is no search {sweep_id!r} here; set it up by sweep(…)") from None


def results(sweep_id: str) -> list[dict[str, Any]]:
    """Give settings and result of each finished trial, the best first."""
    study = study_of(sweep_id)
    name = study.user_attrs["config"]["metric"]["name"]
    is_max = study.direction.name == "MAXIMIZE"
    done = sorted(_done(study), key=lambda t: t.value or 0.0, reverse=is_max)
    return [{name: trial.value, **_params(study, trial)} for trial in done]


def show(sweep_id: str) -> "go.Figure | None":
    """Plot the result of each trial against each setting; with W&B, say where its page is."""
    if tracking.uses_wandb():
        print(f"The results are on W&B's page of the sweep {sweep_id}.")
        return None
    import optuna

    study = study_of(sweep_id)
    if not _done(study):
        raise LabError(f"no trial of {sweep_id!r} is done yet")
    best = results(sweep_id)[0]
    print("Best: " + ", ".join(f"{name} {_text(value)}" for name, value in best.items()))
    name = study.user_attrs["config"]["metric"]["name"]
    return optuna.visualization.plot_slice(study, target_name=name)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def check(config: Mapping[str, Any]) -> dict[str, Any]:
    """Give a description of a search if it is complete.

    Raises:
        LabError: Something is missing or unknown; says what.
    """
    missing = [key for key in ("method", "metric", "parameters") if key not in config]
    if missing:
        raise LabError(f"the description of the search has no {', '.join(missing)}")
    if config["method"] not in ("random", "bayes"):
        raise LabError(f"method {config['method']!r} is not for this machine: random, or bayes")
    if config["metric"].get("goal", "minimize") not in ("minimize", "maximize"):
        raise LabError("the metric's goal is minimize or maximize")
    for name, parameter in config["parameters"].items():
        _distribution(name, parameter)
    return json.loads(json.dumps(config))


# --- one trial --------------------------------------------------------------------------------


def _run_one(study: "optuna.Study", function: Callable[[], object]) -> None:
    import optuna

    config = study.user_attrs["config"]
    # A choice depends on its number alone, so that an interrupt does not change the later ones.
    seed = int(hashlib.sha256(study.study_name.encode()).hexdigest()[:6], 16)
    n_chosen = sum(not trial.system_attrs.get("fixed_params") for trial in study.trials)
    kinds = {"random": optuna.samplers.RandomSampler, "bayes": optuna.samplers.TPESampler}
    study.sampler = kinds[config["method"]](seed=seed + n_chosen)
    trial = study.ask(
        {name: d for name, p in config["parameters"].items() if (d := _distribution(name, p))}
    )
    trial.set_user_attr("process", _process(os.getpid()))
    current = Trial(_params(study, trial), study.user_attrs["project"])
    try:
        with _inside(current):
            function()
            tracking.finish()
        value = _result(study, current.logged)
    except BaseException:
        tracking.finish()
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(trial.params)
        raise
    study.tell(trial, value)


def _result(study: "optuna.Study", logged: Mapping[str, float]) -> float:
    metric = study.user_attrs["config"]["metric"]["name"]
    if metric not in logged:
        have = ", ".join(logged) or "nothing"
        raise LabError(f"the search is about {metric!r}, but its run logged {have}")
    value = float(logged[metric])
    worst = -math.inf if study.direction.name == "MAXIMIZE" else math.inf
    return worst if math.isnan(value) else value


@contextlib.contextmanager
def _inside(trial: Trial) -> Iterator[None]:
    global _running
    before, _running = _running, trial
    try:
        yield
    finally:
        _running = before


def _params(study: "optuna.Study", trial: Any) -> dict[str, Any]:
    """Give the settings of a trial, those that never change among them."""
    described = study.user_attrs["config"]["parameters"]
    return {
        name: trial.params[name] if name in trial.params else _constant(parameter)
        for name, parameter in described.items()
    }


# --- the study --------------------------------------------------------------------------------


def _load(sweep_id: str, **options: Any) -> "optuna.Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    tracking.STORE.mkdir(parents=True, exist_ok=True)
    # Not *.db: trackio takes each file of that name for a project.
    storage = f"sqlite:///{tracking.STORE / 'searches.sqlite'}"
    if options:
        return optuna.create_study(study_name=sweep_id, storage=storage, **options)
    return optuna.load_study(study_name=sweep_id, storage=storage)


def _done(study: "optuna.Study") -> list[Any]:
    import optuna

    return study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])


def _queue_what_was_cut_short(study: "optuna.Study") -> None:
    """Put trials whose process is gone in line again: a kernel that died says no goodbye."""
    import optuna

    for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
        pid, _ = process = trial.user_attrs.get("process", [0, 0.0])
        if pid == os.getpid() or _process(pid) != process:
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            study.enqueue_trial(trial.params)


def _process(pid: int) -> list[float]:
    """Give a process's number and start, which no other process shares."""
    import psutil

    try:
        return [pid, psutil.Process(pid).create_time()]
    except psutil.Error:
        return [pid, 0.0]


def _constant(parameter: Mapping[str, Any]) -> Any:
    return parameter["value"] if "value" in parameter else parameter["values"][0]


def _distribution(name: str, parameter: Mapping[str, Any]) -> Any:
    """Give Optuna's distribution for W&B's description of a setting; None for a constant.

    Raises:
        LabError: The description is none that we know.
    """
    from optuna import distributions

    if "value" in parameter:
        return None
    if "values" in parameter:
        if not parameter["values"]:
            raise LabError(f"{name}: values is empty")
        return distributions.CategoricalDistribution(list(parameter["values"]))
    try:
        low, high = parameter["min"], parameter["max"]
    except KeyError:
        raise LabError(f"{name}: give value, values, or min and max") from None
    whole = isinstance(low, int) and isinstance(high, int)
    kind = parameter.get("distribution", "int_uniform" if whole else "uniform")
    if kind not in ("int_uniform", "uniform", "log_uniform", "log_uniform_values"):
        raise LabError(f"{name}: the distribution {kind!r} needs W&B; here there are int_uniform, "
                       "uniform, log_uniform and log_uniform_values")  # fmt: skip
    try:
        if kind == "log_uniform":  # W&B's takes exponents of e
            return distributions.FloatDistribution(math.exp(low), math.exp(high), log=True)
        if kind == "int_uniform":
            return distributions.IntDistribution(low, high)
        return distributions.FloatDistribution(low, high, log=kind == "log_uniform_values")
    except (ValueError, OverflowError) as error:
        raise LabError(f"{name}: {error}") from None
