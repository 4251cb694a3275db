"""What happens in the child: load the answers, run one test on them, report what JSON can hold."""

import contextlib
import os
import random
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from arena_lab import cells, checks
from arena_lab.answers import Answers, Broken, EndedProcess, TakesTooLong, load, read_source
from arena_lab.loading import Loading, tracked
from arena_lab.telling import calls_in, one_line, sentence_of
from arena_lab.values import shorten

if TYPE_CHECKING:
    from arena_lab.checking import Check

PASSED, FAILED, WAITING = "passed", "failed", "waiting"

STUB, UNLOADED = "still raises NotImplementedError", "could not be loaded"
NEEDS_UNLOADED = "which failed to load"

_SOLUTIONS = "solutions.py"


def run(
    check: "Check", path: Path, module_name: str, loading: Loading | None = None, child: int = 0
) -> dict[str, Any]:
    """Load the answers, run one test on them, and report what JSON can hold.

    Args:
        check: The test.
        path: The answers.
        module_name: What they are called in `sys.modules`.
        loading: Where the lines are noted that a child has come to, and which are left out.
        child: Its place there.
    """
    if path.name != _SOLUTIONS:
        package = module_name.rpartition(".")[0]
        beside = getattr(sys.modules.get(f"{package}.tests"), "__file__", None) or path
        _hide(Path(beside).with_name(_SOLUTIONS), package)
    with state_kept():
        answers = load(path, module_name, **(tracked(loading, child) if loading else {}))
    slow = {b.line: str(b.error) for b in answers.broken if isinstance(b.error, TakesTooLong)}
    if loading:  # the next test of this child knows it
        loading.left_out |= slow
    return {**_tried(check, path, answers), "left_out": _left_out(answers, path), "slow": slow}


def _tried(check: "Check", path: Path, answers: Answers) -> dict[str, Any]:
    try:
        check.function(*(_hand_in(answers, name) for name in check.parameters))
    except checks.WrongAnswer as wrong:
        return _report(FAILED, wrong.sentence, wrong.details, wrong, path)
    except _Unavailable as missing:
        return _report(FAILED, str(missing), missing.details, None, path)
    except NotImplementedError as error:
        return _unwritten(check, error, path, answers)
    except BaseException as error:  # a learner's code may raise anything
        return _raised(check, error, path, answers)
    return {"status": PASSED}


def _left_out(answers: Answers, path: Path) -> list[str]:
    """Name the lines that were not run and that no verdict may ever mention."""
    lines = read_source(path).split("\n") if answers.broken else []
    return [
        f"line {b.line}, {shorten(lines[b.line - 1].strip())}, was left out: {one_line(b.error)}"
        for b in answers.broken
        if isinstance(b.error, EndedProcess)
        or not (b.names or isinstance(b.error, NotImplementedError))
    ]


@contextlib.contextmanager
def state_kept() -> Iterator[None]:
    """Take back what loading a file changes for all: a stray line must not cost every verdict."""
    torch = sys.modules.get("torch")
    folder, environment, limit = os.getcwd(), dict(os.environ), sys.getrecursionlimit()
    errors, numbers, np_numbers = np.geterr(), random.getstate(), np.random.get_state()
    if torch:
        dtype, grad, seed = torch.get_default_dtype(), torch.is_grad_enabled(), torch.initial_seed()
    with warnings.catch_warnings():
        yield
    os.chdir(folder)
    if os.environ != environment:
        os.environ.clear()
        os.environ.update(environment)
    sys.setrecursionlimit(limit)
    np.seterr(**errors)
    random.setstate(numbers)
    np.random.set_state(np_numbers)
    if torch:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        if torch.initial_seed() != seed:
            torch.manual_seed(seed)


class _ReadsSolutions(Exception):
    """An answer opened our solutions."""


_hidden: set[str] = set()


def _hide(solutions: Path, package: str) -> None:
    """Let nothing in this process read our solutions in place of an answer."""
    sys.modules.pop(f"{package}.{solutions.stem}", None)
    if hasattr(sys.modules.get(package), solutions.stem):
        delattr(sys.modules[package], solutions.stem)
    if not _hidden:
        sys.addaudithook(_refuse_hidden)
    _hidden.add(str(solutions))


def _refuse_hidden(event: str, arguments: tuple) -> None:
    path = arguments[0] if event == "open" else None
    if isinstance(path, str) and path.endswith(_SOLUTIONS) and os.path.abspath(path) in _hidden:
        raise _ReadsSolutions


class _Unavailable(Exception):
    """The test asks for a name that the answers do not define."""

    def __init__(self, sentence: str, *details: tuple[str, str]) -> None:
        super().__init__(sentence)
        self.details = list(details)


def _hand_in(answers: Answers, name: str) -> Any:
    if name in answers.module.__dict__:
        return answers.module.__dict__[name]
    broken = answers.why_missing(name)
    if broken is None:
        raise _Unavailable(f"{name} is not defined in {Path(answers.module.__file__ or '').name}")
    raise _Unavailable(f"{name} {UNLOADED}: {one_line(broken.error)}", *_place(broken))


def _place(broken: Broken) -> list[tuple[str, str]]:
    error = broken.error
    if isinstance(error, SyntaxError) and error.lineno:
        pointer = " " * max((error.offset or 1) - 1, 0) + "^"
        return [("line", f"{error.lineno}\n{(error.text or '').rstrip()}\n{pointer}")]
    return [("line", str(broken.line))]


def _unwritten(
    check: "Check", error: NotImplementedError, path: Path, answers: Answers
) -> dict[str, Any]:
    # Libraries raise it too, where they cannot do what was asked: that is no stub.
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or frames[-1].filename != str(path):
        return _raised(check, error, path, answers)
    where = _innermost_definition(path, frames[-1].lineno or 0)
    if where is None or where in check.exercise.names:
        name = where or check.exercise.name
        return _report(FAILED, f"{name} {STUB}", [], error, path)
    return _report(WAITING, f"this needs {where}, which is not written yet", [], None, path)


def _innermost_definition(path: Path, line: int) -> str | None:
    for cell in reversed(cells.split(read_source(path))):
        if cell.line <= line:
            found = cells.definitions("\n" * (cell.line - 1) + cell.text)
            return next((n for n, d in found.items() if d.first <= line <= d.last), None)
    return None


def _raised(check: "Check", error: BaseException, path: Path, answers: Answers) -> dict[str, Any]:
    what = check.exercise.name
    details = calls_in(error)
    missing = answers.why_missing(error.name or "") if isinstance(error, NameError) else None
    if missing and isinstance(error, NameError):
        sentence = f"{what} needs {error.name}, {NEEDS_UNLOADED}: {one_line(missing.error)}"
        details += _place(missing)
    elif isinstance(error, _ReadsSolutions):
        sentence = (
            f"{what} reads our {_SOLUTIONS}: write your own; "
            f"`./inv solution {what}` shows ours after a try"
        )
    else:
        sentence = sentence_of(what, error)
    return _report(FAILED, sentence, details, error, path)


def _report(
    status: str,
    sentence: str,
    details: list[tuple[str, str]],
    error: BaseException | None,
    path: Path,
) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    own = [f"line {f.lineno}, in {f.name}: {f.line}" for f in frames if f.filename == str(path)]
    return {
        "status": status,
        "sentence": sentence,
        "details": details,
        "where": own if len(own) <= 6 else [*own[:2], "…", *own[-3:]],
    }
