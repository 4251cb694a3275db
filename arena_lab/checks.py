"""What a section's `tests.py` is written with: call an answer, compare, and say what is wrong.

A message is for a person who is stuck. It opens with one sentence that names the mistake, or the
property that does not hold, then shows the call, what came back, and what was expected.
"""

import functools
import html
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

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
_VALUE = "margin: 0; background: none; color: inherit; white-space: pre-wrap"


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
            try:
                test(*args, **kwargs)
            except WrongAnswer as wrong:
                if by_hand:
                    wrong.details += _where_to_look(test.__module__, exercise)
                raise
            if by_hand:
                print(f"✓ {test.__name__} passed")

        run.check_info = CheckInfo(exercise, timeout)  # type: ignore[attr-defined]
        return run

    return decorate


def _where_to_look(module: str, exercise: str) -> list[tuple[str, str]]:
    """Name the place on the page, where the test belongs to a section of the course."""
    from arena_lab import catalogue, report
    from arena_lab.errors import LabError

    try:
        package = module.rpartition(".")[0]
        section = next(s for s in catalogue.sections() if s.package == package)
        return [("look at", report.where_to_look(section, section.find(exercise)))]
    except (StopIteration, LabError, OSError):
        return []


class Call:
    """One call of an answer: the value that came back and the text of the call."""

    def __init__(self, function: Callable, args: tuple, kwargs: dict[str, Any]) -> None:
        __tracebackhide__ = True
        self.name = getattr(function, "__name__", type(function).__name__)
        self.text = _text_of_call(self.name, function, args, kwargs)
        before = [_snapshot(arg) for arg in (*args, *kwargs.values())]
        try:
            self.value = function(*args, **kwargs)
        except Exception as error:
            error.add_note(f"in the call {self.text}")
            raise
        names = _parameter_names(function, args, kwargs)
        for name, arg, copy in zip(names, (*args, *kwargs.values()), before, strict=True):
            if copy is not None and not _same(_as_array(arg), copy):
                raise WrongAnswer(
                    f"{self.name} changed its argument {name} in place; work on a copy or build "
                    "a new array",
                    ("called", self.text),
                    ("was", describe(copy)),
                    ("is now", describe(arg)),
                )

    def gives(
        self,
        expected: Any,
        *,
        mistakes: Mapping[str, Any] | None = None,
        rtol: float = 1e-4,
        atol: float = 1e-6,
        dtype: bool = False,
    ) -> "Call":
        """Fail unless the call gave `expected`; see `expect`."""
        __tracebackhide__ = True
        _compare(
            self.value, expected, self.name, ("called", self.text), mistakes, rtol, atol, dtype
        )
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
    """
    __tracebackhide__ = True
    _compare(actual, expected, of, None, mistakes, rtol, atol, dtype)


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


def raises(
    expected: type[BaseException] | tuple[type[BaseException], ...],
    function: Callable,
    *args: Any,
    because: str,
    **kwargs: Any,
) -> BaseException:
    """Fail unless the call raises `expected`, and return what it raised.

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
    text = _text_of_call(name, function, args, kwargs)
    try:
        value = function(*args, **kwargs)
    except kinds as error:
        # A stub raises NotImplementedError; that is no answer even where any error would do.
        if isinstance(error, NotImplementedError) and NotImplementedError not in kinds:
            raise
        return error
    raise WrongAnswer(
        f"{name} must raise {wanted}: {because}", ("called", text), ("returned", describe(value))
    )


# --- showing values ---------------------------------------------------------------------------


def brief(value: Any) -> str:
    """Show an argument in the text of a call: its values if few, else its shape."""
    array = _as_array(value)
    if array is not None and array.ndim > 0:
        return f"array{list(array.shape)}" if array.size > 8 else _digits(array)
    if isinstance(value, list | tuple):
        inner = ", ".join(brief(item) for item in value[:6]) + (", …" if len(value) > 6 else "")
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    return _shorten(repr(value) if not callable(value) else getattr(value, "__name__", repr(value)))


def _text_of_call(name: str, function: Callable, args: tuple, kwargs: dict[str, Any]) -> str:
    shown = [brief(arg) for arg in args] + [f"{k}={brief(v)}" for k, v in kwargs.items()]
    text = f"{name}({', '.join(shown)})"
    if len(text) <= 80 and "\n" not in text:
        return text
    # A line for each argument, with its name.
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    for i, parameter in enumerate(parameters[: len(args)]):
        if parameter.kind is parameter.VAR_POSITIONAL:
            break
        shown[i] = f"{parameter.name}={shown[i]}"
    lines = []
    for part in shown:
        hanging = "\n" + " " * (4 + part.find("=") + 1)
        lines.append("    " + part.replace("\n", hanging))
    return f"{name}(\n" + ",\n".join(lines) + ",\n)"


def describe(value: Any) -> str:
    """Show a value in full: shape and dtype first, then the values, shortened if many."""
    array = _as_array(value)
    if array is None:
        return _shorten(repr(value), 400)
    if array.ndim == 0 and isinstance(value, bool | int | float | complex | np.generic):
        return f"{value!r} ({type(value).__name__})"
    kind = "array" if isinstance(value, np.ndarray) else _type_name(value)
    values = _digits(array)
    return f"{kind} of shape {tuple(array.shape)}, {array.dtype}" + (
        f": {values}" if "\n" not in values else f":\n{values}"
    )


def _digits(array: np.ndarray) -> str:
    # 0.0 - x and -0.0 look like a sign error and are none.
    shown = array + 0.0 if array.dtype.kind == "f" else array
    return np.array2string(shown, precision=4, threshold=24, edgeitems=2, separator=", ")


def _shorten(text: str, length: int = 80) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


# --- comparing --------------------------------------------------------------------------------


def _compare(
    actual: Any,
    expected: Any,
    name: str,
    source: tuple[str, str] | None,
    mistakes: Mapping[str, Any] | None,
    rtol: float,
    atol: float,
    dtype: bool,
) -> None:
    __tracebackhide__ = True
    problem = _difference(actual, expected, rtol, atol, dtype)
    close = functools.partial(_difference, rtol=rtol, atol=atol, dtype=False)
    if problem is None:
        for sentence, value in (mistakes or {}).items():
            if close(value, expected) is None and not dtype:
                raise ValueError(f"the test's mistake {sentence!r} is the right result")
        return
    sentence, where = problem
    for known, value in (mistakes or {}).items():
        if close(actual, value) is None:
            sentence = known
            break
    details = [source] if source else []
    verb = "returned" if source else "is"
    details += [(verb, describe(actual)), ("expected", describe(expected))]
    if where:
        details.append(("differs", where))
    raise WrongAnswer(f"{name}: {sentence}", *details)


def _difference(
    actual: Any, expected: Any, rtol: float, atol: float, dtype: bool
) -> tuple[str, str] | None:
    """Give a sentence and a place where the two differ, or None where they are equal."""
    if isinstance(expected, list | tuple) and _as_array(expected) is None:
        return _sequence_difference(actual, expected, rtol, atol, dtype)
    want, have = _as_array(expected), _as_array(actual)
    if want is None:
        same = actual is expected or (type(actual) is type(expected) and actual == expected)
        return None if same else ("this is not the expected value", "")
    if actual is None:
        return "the result is None: is a return statement missing?", ""
    if have is None:
        return f"the result is a {_type_name(actual)}, not {_article(expected)}", ""
    if want.ndim and not _same_family(actual, expected):
        return f"the result is a {_type_name(actual)}, not {_article(expected)}", ""
    return (
        _shape_difference(have, want)
        or _dtype_difference(have, want, dtype)
        or _value_difference(have, want, rtol, atol)
    )


def _sequence_difference(
    actual: Any, expected: list | tuple, rtol: float, atol: float, dtype: bool
) -> tuple[str, str] | None:
    if not isinstance(actual, list | tuple):
        wanted = f"{len(expected)} values in a {type(expected).__name__}"
        return f"the result is a {_type_name(actual)}; expected {wanted}", ""
    if len(actual) != len(expected):
        return f"the result holds {len(actual)} values; expected {len(expected)}", ""
    for i, (have, want) in enumerate(zip(actual, expected, strict=True)):
        problem = _difference(have, want, rtol, atol, dtype)
        if problem:
            return f"value {i} of the result: {problem[0]}", problem[1]
    return None


def _shape_difference(have: np.ndarray, want: np.ndarray) -> tuple[str, str] | None:
    if have.shape == want.shape:
        return None
    sentence = f"the shape is {have.shape}; it must be {want.shape}"
    if have.ndim > 1 and have.shape == want.shape[::-1]:
        sentence += " (the axes are swapped)"
    elif have.ndim != want.ndim and have.squeeze().shape == want.squeeze().shape:
        extra = (
            "an axis of size 1 too many"
            if have.ndim > want.ndim
            else "an axis of size 1 is missing"
        )
        sentence += f" ({extra})"
    elif have.ndim == 0:
        sentence += " (everything was reduced to one number)"
    return sentence, ""


def _dtype_difference(have: np.ndarray, want: np.ndarray, exact: bool) -> tuple[str, str] | None:
    if exact and have.dtype != want.dtype:
        return f"the dtype is {have.dtype}; it must be {want.dtype}", ""
    kinds = {"f": "floating-point", "i": "integer", "u": "integer", "b": "boolean", "c": "complex"}
    have_kind, want_kind = kinds.get(have.dtype.kind), kinds.get(want.dtype.kind)
    if have_kind != want_kind:
        return f"the values are {have_kind} ({have.dtype}); they must be {want_kind}", ""
    return None


def _value_difference(
    have: np.ndarray, want: np.ndarray, rtol: float, atol: float
) -> tuple[str, str] | None:
    if want.dtype.kind not in "fc":
        wrong = have != want
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            wrong = ~np.isclose(have, want, rtol=rtol, atol=atol, equal_nan=True)
    if not wrong.any():
        return None
    return _guess(have, want, wrong, rtol, atol), _place(have, want, wrong)


def _guess(have: np.ndarray, want: np.ndarray, wrong: np.ndarray, rtol: float, atol: float) -> str:
    """Name a mistake that shows in the numbers alone."""

    def close(a: np.ndarray, b: np.ndarray) -> bool:
        return a.shape == b.shape and bool(np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True))

    if want.dtype.kind == "f":
        for test, word in ((np.isnan, "NaN"), (np.isinf, "infinite")):
            strange = test(have) & ~test(want)
            if strange.any():
                return f"{_count(strange)} {word} where a finite number is expected"
    if not have.any() and want.any():
        return "every value is zero"
    if want.dtype.kind in "fi" and want.size > 1:
        if close(have, -want):
            return "the sign is the wrong way round"
        nonzero = np.isfinite(want) & (want != 0)
        if nonzero.any():
            ratio = have[nonzero].ravel()[0] / want[nonzero].ravel()[0]
            if ratio and close(have, want * ratio):
                return f"every value is {ratio:.4g} times the expected one"
        if want.ndim == 2 and close(have, want.T):
            return "the result is transposed"
        if close(np.sort(have, axis=None), np.sort(want, axis=None)):
            return "the values are right but stand in the wrong places"
    return f"{_count(wrong)} wrong" if want.size > 1 else "the value is wrong"


def _count(mask: np.ndarray) -> str:
    n = int(mask.sum())
    verb = "is" if n == 1 else "are"
    return f"{n} of {mask.size} values {verb}" if mask.size > 1 else "the value is"


def _place(have: np.ndarray, want: np.ndarray, wrong: np.ndarray) -> str:
    if want.ndim == 0:
        return ""
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    at = ", ".join(map(str, index))
    return f"first at [{at}]: {have[index]:.6g} instead of {want[index]:.6g}"


def _same(a: np.ndarray | None, b: np.ndarray) -> bool:
    return (
        a is not None
        and a.shape == b.shape
        and np.array_equal(a, b, equal_nan=b.dtype.kind in "fc")
    )


def _snapshot(value: Any) -> np.ndarray | None:
    array = _as_array(value)
    return array.copy() if array is not None and array.ndim else None


def _parameter_names(function: Callable, args: tuple, kwargs: dict[str, Any]) -> list[str]:
    try:
        names = list(inspect.signature(function).parameters)[: len(args)]
    except (TypeError, ValueError):
        names = []
    names += [f"number {i + 1}" for i in range(len(names), len(args))]
    return [*names, *kwargs]


def _article(value: Any) -> str:
    name = "a numpy array" if isinstance(value, np.ndarray) else f"a {_type_name(value)}"
    return "a number" if isinstance(value, int | float | np.generic) else name


def _same_family(actual: Any, expected: Any) -> bool:
    torch = sys.modules.get("torch")
    tensor = getattr(torch, "Tensor", ())
    return isinstance(actual, tensor) == isinstance(expected, tensor)


def _as_array(value: Any) -> np.ndarray | None:
    """Give an array, a tensor or a number as a numpy array; None for anything else."""
    if isinstance(value, np.ndarray | np.generic | bool | int | float | complex):
        array = np.asarray(value)
        return array if array.dtype.kind in "fiubc" else None
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        tensor = value.detach().cpu()
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).resolve_neg().numpy()
    return None
