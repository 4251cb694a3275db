"""What a section's `tests.py` is written with: call an answer, compare, and say what is wrong.

A message is for a person who is stuck. It opens with one sentence that names the mistake, or the
property that does not hold, then shows the call, what came back, and what was expected.
"""

import contextlib
import functools
import html
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from arena_lab.comparing import Tolerance, difference, known_mistake, wrong_type
from arena_lab.telling import CALL, calls_in, sentence_of
from arena_lab.values import as_array, describe, parameter_names, same_values, text_of_call

# The pytest plugin switches this off: it tells the verdict itself.
by_hand = True

DEFAULT_TIMEOUT = 10.0


@dataclass(frozen=True)
class CheckInfo:
    """Which exercise a test belongs to, and how many seconds it may take."""

    exercise: str
    timeout: float


class WrongAnswer(AssertionError):
    """An answer was called and is wrong; the parts of the explanation in reading order."""

    def __init__(self, sentence: str, *details: tuple[str, str]) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details = list(details)
        self._is_shown = False

    def __str__(self) -> str:
        width = max((len(label) for label, _ in self.details), default=0)
        lines = [self.sentence]
        for label, text in self.details:
            indented = text.replace("\n", "\n" + " " * (width + 4))
            lines.append(f"  {label:<{width}}  {indented}")
        return "\n".join(lines)

    def _render_traceback_(self) -> list[str]:
        """Show a learner in a notebook the explanation alone (IPython asks for this)."""
        if not _shows_html():
            return [f"Wrong answer: {self}"]
        from IPython.display import display

        # A frontend takes the richest form that it knows; the error itself stays one line. The
        # kernel asks for that twice.
        if not self._is_shown:
            self._is_shown = True
            display({"text/html": self._repr_html_(), "text/plain": str(self)}, raw=True)  # type: ignore[no-untyped-call]
        return [f"Wrong answer: {self.sentence}"]

    def _repr_html_(self) -> str:
        """Give the explanation for a notebook; its colours are those of the theme."""
        rows = "".join(
            f'<tr style="background: none"><th style="{_LABEL}">{html.escape(label)}</th>'
            f'<td style="text-align: left"><pre style="{_VALUE}">{html.escape(text)}</pre></td>'
            "</tr>"
            for label, text in self.details
        )
        return (
            f'<div role="alert" style="{_BOX}"><strong>✗ {html.escape(self.sentence)}</strong>'
            f'<table style="{_TABLE}">{rows}</table></div>'
        )


_BOX = "border-left: 4px solid var(--jp-error-color1, #d32f2f); padding: 0.4em 0.8em"
_TABLE = "margin: 0.5em 0 0; border: none; color: inherit; font-size: inherit"
_LABEL = "text-align: left; vertical-align: top; font-weight: normal; opacity: 0.7"
_VALUE = (
    "margin: 0; background: none; color: inherit; white-space: pre-wrap; "
    "font-family: var(--jp-code-font-family, monospace)"
)


def _shows_html() -> bool:
    """Tell whether this is a notebook's kernel; a terminal shows text alone."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")


def checks(exercise: str, *, timeout: float = DEFAULT_TIMEOUT) -> Callable[[Callable], Callable]:
    """Mark a function as a test of `exercise`; called by hand it prints one line when it passes.

    Args:
        exercise: Any name of the exercise, as in its directive on the page.
        timeout: Seconds after which the runner ends the test.
    """

    def decorate(test: Callable) -> Callable:
        @functools.wraps(test)
        def run(*args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            for name, answer in zip(inspect.signature(test).parameters, args, strict=False):
                _give_name(answer, name)
            try:
                test(*args, **kwargs)
            except WrongAnswer as wrong:
                if by_hand:
                    wrong.details += _where_to_look(test.__module__, exercise)
                raise
            except Exception as error:
                if by_hand:
                    _show_alone(error, test, exercise)
                raise
            if by_hand:
                print(f"✓ {test.__name__} passed")

        run.check_info = CheckInfo(exercise, timeout)  # type: ignore[attr-defined]
        return run

    return decorate


def _show_alone(error: Exception, test: Callable, exercise: str) -> None:
    """Let a notebook show the learner's own lines instead of ours; a debugger still finds all."""
    ours = Path(__file__).parent, Path(os.__file__).parent
    beside = Path(test.__code__.co_filename).parent
    lines = []
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        is_answer = path.parent != beside or path.name in ("answers.py", "solutions.py")
        is_library = any(path.is_relative_to(f) for f in ours) or "site-packages" in path.parts
        if is_answer and not is_library:
            lines.append(f"line {frame.lineno}, in {frame.name}: {frame.line}")
    look = _where_to_look(test.__module__, exercise)
    if isinstance(error, NotImplementedError) and lines and not str(error):
        told = WrongAnswer(f"{exercise} is not written yet", *look)
    else:
        own = [("your code", "\n".join(lines))] if lines else []
        told = WrongAnswer(sentence_of(exercise, error), *calls_in(error), *own, *look)
    error._render_traceback_ = told._render_traceback_  # type: ignore[attr-defined]


def _give_name(answer: Any, name: str) -> None:
    """Let a lambda, a partial and an object that can be called go by the name of the exercise."""
    if callable(answer) and getattr(answer, "__name__", "<lambda>") == "<lambda>":
        with contextlib.suppress(AttributeError, TypeError):
            answer.__name__ = name


def _where_to_look(module: str, exercise: str) -> list[tuple[str, str]]:
    """Name the place on the page, where the test belongs to a section of the course."""
    from arena_lab import catalogue, report
    from arena_lab.errors import LabError

    try:
        package = module.rpartition(".")[0]
        section = next(s for s in catalogue.every_section() if s.package == package)
        return [("look at", report.where_to_look(section, section.find(exercise)))]
    except (StopIteration, LabError, OSError):
        return []


class Call:
    """One call of an answer: the value that came back and the text of the call."""

    def __init__(self, function: Callable, args: tuple, kwargs: dict[str, Any]) -> None:
        __tracebackhide__ = True
        self.name = getattr(function, "__name__", type(function).__name__)
        self._made_of = function, args, kwargs
        before = [_snapshot(arg) for arg in (*args, *kwargs.values())]
        try:
            self.value = function(*args, **kwargs)
        except Exception as error:
            error.add_note(f"{CALL}{self.text}")
            raise
        for i, (arg, copy) in enumerate(zip((*args, *kwargs.values()), before, strict=True)):
            if copy is not None and not same_values(as_array(arg), copy):
                name = parameter_names(function, args, kwargs)[i]
                given = [a if c is None else c for a, c in zip(args, before, strict=False)]
                self._made_of = function, tuple(given), kwargs
                raise WrongAnswer(
                    f"{self.name} changed its argument {name} in place; work on a copy or build "
                    "a new array",
                    ("called", self.text),
                    ("was", describe(copy)),
                    ("is now", describe(arg)),
                )

    @functools.cached_property
    def text(self) -> str:
        """The call as it is written; made where it is shown, for most calls never fail."""
        return text_of_call(self.name, *self._made_of)

    def gives(
        self,
        expected: Any,
        *,
        mistakes: Mapping[str, Any] | None = None,
        rtol: float = 1e-4,
        atol: float = 1e-6,
        dtype: bool = False,
        returns: type | None = None,
    ) -> "Call":
        """Fail unless the call gave `expected`; see `expect`."""
        __tracebackhide__ = True
        compared = _Compared(self.value, expected, Tolerance(rtol, atol, dtype), mistakes, returns)
        compared.demand(self.name, self)
        return self


def call(function: Callable, *args: Any, **kwargs: Any) -> Call:
    """Call an answer, and fail if it changes one of its arguments in place."""
    __tracebackhide__ = True
    return Call(function, args, kwargs)


def expect(
    actual: Any,
    expected: Any,
    *,
    of: str,
    mistakes: Mapping[str, Any] | None = None,
    rtol: float = 1e-4,
    atol: float = 1e-6,
    dtype: bool = False,
    returns: type | None = None,
) -> None:
    """Fail unless `actual` equals `expected` in type, shape, dtype and values, in this order.

    Args:
        actual: Array, tensor, number, string, None, or a tuple or list of these.
        expected: The same; a 0-d array or tensor passes for a number.
        of: What this is the value of, for the message, e.g. `a.grad after c.backward()`.
        mistakes: Diagnosis to the value that this mistake would give.
        rtol: Relative tolerance of floating-point values.
        atol: Absolute tolerance of floating-point values.
        dtype: Ask for the very dtype; otherwise only for its kind (float, integer, boolean).
        returns: The type that the signature promises, where a number and a tensor without axes
            are not the same to who asks: `float`, `torch.Tensor`.
    """
    __tracebackhide__ = True
    _Compared(actual, expected, Tolerance(rtol, atol, dtype), mistakes, returns).demand(of)


@dataclass(frozen=True)
class _Compared:
    """What came back beside what was expected."""

    actual: Any
    expected: Any
    within: Tolerance
    mistakes: Mapping[str, Any] | None
    returns: type | None

    def demand(self, name: str, source: Call | None = None) -> None:
        """Fail with the mistake and both values where they differ."""
        __tracebackhide__ = True
        found = difference(self.actual, self.expected, self.within)
        known = known_mistake(self.actual, self.expected, self.mistakes or {}, self.within)
        other_type = wrong_type(self.actual, self.returns) if self.returns else None
        sentence = known or (found.sentence if found else other_type)
        if sentence is None:
            return
        at = found.at if found else None
        details = [
            *([("called", source.text)] if source else []),
            ("returned" if source else "is", describe(self.actual, at)),
            ("expected", describe(self.expected, at)),
        ]
        if found and found.place:
            details.append(("differs", found.place))
        raise WrongAnswer(f"{name}: {sentence}", *details)


def require(condition: bool, sentence: str, **details: Any) -> None:
    """Fail with `sentence` unless `condition` holds; `details` are shown below it."""
    __tracebackhide__ = True
    if not condition:
        fail(sentence, **details)


def fail(sentence: str, **details: Any) -> NoReturn:
    """Fail with `sentence`; `details` are shown below it."""
    __tracebackhide__ = True
    raise WrongAnswer(
        sentence,
        *(
            (k.replace("_", " "), v if isinstance(v, str) else describe(v))
            for k, v in details.items()
        ),
    )


def names_called(function: Callable, *args: Any) -> set[str]:
    """Call an answer, and give the names of all functions that ran, those of libraries too."""
    names = set()

    def note(frame: Any, event: str, builtin: Any) -> None:
        if event == "call":
            names.add(frame.f_code.co_name)
        elif event == "c_call":
            names.add(getattr(builtin, "__name__", ""))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        function(*args)
    finally:
        sys.setprofile(before)
    return names


def raises(
    expected: type[BaseException] | tuple[type[BaseException], ...],
    function: Callable,
    *args: Any,
    because: str,
    **kwargs: Any,
) -> BaseException:
    """Fail unless the call raises `expected` and nothing else, and return what it raised.

    Args:
        expected: The exception's type, or several.
        function: The answer to call.
        *args: Its arguments.
        because: Why it must raise, as half a sentence: "the graph has a cycle".
        **kwargs: Its keyword arguments.
    """
    __tracebackhide__ = True
    kinds = expected if isinstance(expected, tuple) else (expected,)
    wanted = " or ".join(kind.__name__ for kind in kinds)
    name = getattr(function, "__name__", type(function).__name__)
    try:
        value = function(*args, **kwargs)
    except kinds as error:
        # A stub raises NotImplementedError; that is no answer even where any error would do.
        if isinstance(error, NotImplementedError) and NotImplementedError not in kinds:
            raise
        return error
    except (WrongAnswer, NotImplementedError):
        raise
    except Exception as error:
        other = f"{type(error).__name__}: {error}"
        raise WrongAnswer(
            f"{name} must raise {wanted}, not {type(error).__name__}: {because}",
            ("called", text_of_call(name, function, args, kwargs)),
            ("raised", other),
        ).with_traceback(error.__traceback__) from None
    raise WrongAnswer(
        f"{name} must raise {wanted}: {because}",
        ("called", text_of_call(name, function, args, kwargs)),
        ("returned", describe(value)),
    )


def _snapshot(value: Any) -> Any:
    array = as_array(value)
    return array.copy() if array is not None and array.ndim else None
