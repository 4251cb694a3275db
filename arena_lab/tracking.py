"""Runs by W&B's calls: kept on this machine, or sent to W&B where `WANDB_API_KEY` holds a key.

`from arena_lab import tracking as wandb` makes `wandb.init`, `log`, `Image`, `watch`, `finish`,
`config`, `sweep` and `agent` work in both cases. Without a key nothing leaves the machine: trackio
writes the runs to `.lab/runs`, and JupyterLab's launcher shows them under "Runs". Nothing heavy is
imported before the first run.
"""

import contextlib
import functools
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from arena_lab.errors import LabError
from arena_lab.paths import STATE, short

if TYPE_CHECKING:
    from torch import nn

STORE = STATE / "runs"


def uses_wandb() -> bool:
    """Tell whether runs are sent to W&B: a key is set, and the learner has not gone offline."""
    from arena_lab.fetch import is_offline

    return bool(os.environ.get("WANDB_API_KEY")) and not is_offline()


def init(project: str = "runs", name: str | None = None, config: Any = None, **options: Any) -> Any:
    """Begin a run; one that is still open is finished first, except inside a sweep.

    Args:
        project: What the run is compared with.
        name: Of the run; otherwise one is made up.
        config: Settings of the run, a mapping or a dataclass. In a sweep, its choices win.
        **options: Passed to W&B; without a key they say nothing.
    """
    from arena_lab import sweeps

    settings = _as_dict(config)
    if uses_wandb():
        options.setdefault("reinit", "return_previous" if sweeps.running() else "finish_previous")
        return _wandb().init(project=project, name=name, config=settings, **options)
    global _run
    trial = sweeps.running()
    if _run is not None:
        if trial:
            return _run
        finish()
    if trial:
        settings, project = settings | trial.params, trial.project
    _run = _start(project, name, settings)
    return _run


def log(metrics: Mapping[str, Any], step: int | None = None) -> None:
    """Note numbers, images or lists of images of the run that is open, at a step.

    Raises:
        LabError: No run is open.
    """
    if uses_wandb():
        _wandb().log(dict(metrics), step=step)
        return
    from arena_lab import sweeps

    run = _open_run("log")
    entries = {key: _loggable(value) for key, value in metrics.items()}
    if trial := sweeps.running():
        trial.logged.update({k: v for k, v in entries.items() if isinstance(v, int | float)})
    noted = run.pending | _flat(entries)
    run.pending = {}
    run.trackio_run.log(noted, step=step)


def finish() -> None:
    """End the run that is open, if there is one, once all is written."""
    global _run
    if uses_wandb():
        _wandb().finish()
        return
    if _run is not None:
        ended, _run = _run, None
        for handle in ended.handles:
            handle.remove()
        with contextlib.redirect_stdout(io.StringIO()):
            ended.trackio_run.finish()
            _trackio().context_vars.current_run.set(None)


def Image(data: Any, caption: str | None = None) -> Any:
    """Make an image to log: from a tensor, an array or a picture of Pillow.

    Args:
        data: (height, width), (height, width, 3), or as tensors are, (1 or 3, height, width).
            Floats from 0 to 1, integers from 0 to 255; other floats are stretched to this range.
        caption: Shown under it.
    """
    pixels = _pixels(data)
    if uses_wandb():
        return _wandb().Image(pixels, caption=caption)
    return _trackio().Image(pixels, caption=caption)


def watch(
    models: "nn.Module", criterion: Any = None, log: str = "gradients", log_freq: int = 100
) -> None:
    """Log a histogram of each parameter's gradient at every `log_freq`-th backward pass.

    It is noted with the next call of `log`. What else W&B's own can do needs a key.
    """
    if uses_wandb():
        _wandb().watch(models, criterion, log=log, log_freq=log_freq)
        return
    run = _open_run("watch")
    for name, parameter in models.named_parameters():
        if parameter.requires_grad:
            note = _note_gradients(run, f"gradients/{name}", log_freq)
            hang: Any = parameter.register_post_accumulate_grad_hook
            run.handles.append(hang(note))


def sweep(sweep: Mapping[str, Any], project: str = "runs") -> str:
    """Set a search over settings up, and give its id; see `arena_lab.sweeps`."""
    from arena_lab import sweeps

    if uses_wandb():
        return _wandb().sweep(dict(sweep), project=project)
    return sweeps.create(sweep, project)


def agent(
    sweep_id: str, function: Callable[[], object], count: int, project: str | None = None
) -> None:
    """Run `function` with settings of a search; without a key until there are `count` results."""
    from arena_lab import sweeps

    if uses_wandb():
        with sweeps.under_wandb():
            _wandb().agent(sweep_id, function=function, count=count, project=project)
        return
    sweeps.run(sweep_id, function, count)


def runs(project: str) -> list[dict[str, Any]]:
    """Give the runs of a project that are kept here: name, config, and everything logged, by step.

    Raises:
        LabError: There is no such project.
    """
    trackio = _trackio()
    storage = trackio.SQLiteStorage
    if not storage.get_project_db_path(project).exists():
        raise LabError(f"no run of a project {project!r} is kept in {STORE}")
    return [
        {
            "name": run.name,
            "config": {k: v for k, v in run.config.items() if not k.startswith("_")},
            "logs": storage.get_logs(project, run.name, run_id=run.id),
        }
        for run in trackio.Api().runs(project)
    ]


def __getattr__(name: str) -> Any:
    """Give `run` and `config` of the run that is open, as W&B's module does."""
    if name not in ("run", "config"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if uses_wandb():
        return getattr(_wandb(), name)
    return _run if name == "run" else _open_run("config").config


# --- the runs of this machine -----------------------------------------------------------------


@dataclass
class Run:
    """A run that is open on this machine."""

    project: str
    name: str
    config: dict[str, Any]
    trackio_run: Any
    pending: dict[str, Any] = field(default_factory=dict)  # noted with the next call of `log`
    handles: list[Any] = field(default_factory=list)

    def log(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Note numbers and images; see the function of this name."""
        log(metrics, step)

    def finish(self) -> None:
        """End the run."""
        finish()


_run: Run | None = None


def _start(project: str, name: str | None, config: dict[str, Any]) -> Run:
    trackio = _trackio()
    with contextlib.redirect_stdout(io.StringIO()):
        made = trackio.init(
            project=project,
            name=name,
            config=config,
            # The launcher's tile shows it, behind the lab's token: no port of its own.
            embed=False,
            auto_log_cpu=False,
            auto_log_gpu=False,
        )
    print(f"Run {made.name!r} of project {project!r} is kept in {short(STORE)}.")
    return Run(project, made.name, config, made)


def _open_run(call: str) -> Run:
    if _run is None:
        raise LabError(f"no run is open: call init before {call}")
    return _run


def _note_gradients(run: Run, name: str, log_freq: int) -> Callable[[Any], None]:
    n_passes = 0

    def note(parameter: Any) -> None:
        nonlocal n_passes
        if n_passes % log_freq == 0:
            gradient = parameter.grad.detach().float().cpu().numpy()
            run.pending[name] = _trackio().Histogram(gradient)
        n_passes += 1

    return note


def _as_dict(config: Any) -> dict[str, Any]:
    if config is None:
        return {}
    given = asdict(config) if is_dataclass(config) and not isinstance(config, type) else config
    # Functions and classes are told apart by their names.
    return {key: getattr(value, "__name__", value) for key, value in dict(given).items()}


def _loggable(value: Any) -> Any:
    """Give a tensor or array of one number as the number."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    return value


def _flat(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Give each image of a list an entry of its own, which is how trackio takes them."""
    flat: dict[str, Any] = {}
    for key, value in entries.items():
        if isinstance(value, Sequence) and value and isinstance(value[0], _trackio().Image):
            flat.update({f"{key}/{i}": image for i, image in enumerate(value)})
        else:
            flat[key] = value
    return flat


def _pixels(data: Any) -> np.ndarray:
    array = np.asarray(data.detach().cpu() if hasattr(data, "detach") else data)
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise LabError(f"an image has two axes, or three with 1 or 3 channels; not {array.shape}")
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if low < 0 or high > 1:
            array = (array - low) / max(high - low, 1e-12)
        array = array * 255
    return array.astype(np.uint8)


def _wandb() -> Any:
    import wandb

    return wandb


@functools.cache
def _trackio() -> Any:
    """Import trackio with its store in the lab's own folder."""
    STORE.mkdir(parents=True, exist_ok=True)
    if "trackio" not in sys.modules:
        os.environ.setdefault("TRACKIO_DIR", str(STORE))
    import trackio

    return trackio
