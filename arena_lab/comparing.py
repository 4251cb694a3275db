"""Compare what an answer gave with what was expected, and name the mistake that shows in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from arena_lab.values import as_array, is_tensor, number, type_name


@dataclass(frozen=True)
class Difference:
    """How two values differ: a sentence, and the first place where one can be named."""

    sentence: str
    place: str = ""
    at: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Tolerance:
    """How far two values may lie apart, and whether only the very dtype will do."""

    rtol: float
    atol: float
    dtype: bool = False
    tells: bool = True  # or only whether they differ: to name a mistake takes time


def difference(actual: Any, expected: Any, within: Tolerance) -> Difference | None:
    """Tell how two values differ in type, shape, dtype and values, or None where they do not."""
    if isinstance(expected, list | tuple) and as_array(expected) is None:
        return _sequence_difference(actual, expected, within)
    want, have = as_array(expected), as_array(actual)
    if want is None:
        same = actual is expected or (type(actual) is type(expected) and actual == expected)
        return None if same else Difference("this is not the expected value")
    if actual is None:
        return Difference("the result is None: is a return statement missing?")
    if have is None or (want.ndim and is_tensor(actual) != is_tensor(expected)):
        return Difference(f"the result is a {type_name(actual)}, not {_article(expected)}")
    return (
        _shape_difference(have, want)
        or _dtype_difference(have, want, within.dtype)
        or _value_difference(have, want, within)
    )


def known_mistake(
    actual: Any, expected: Any, mistakes: Mapping[str, Any], within: Tolerance
) -> str | None:
    """Give the diagnosis whose value this is, or None.

    Raises:
        ValueError: A mistake's value is the right result, which is a fault of the test.
    """
    loose = Tolerance(within.rtol, within.atol, tells=False)
    if difference(actual, expected, within) is None:
        for sentence, value in mistakes.items():
            if difference(value, expected, loose) is None and not within.dtype:
                raise ValueError(f"the test's mistake {sentence!r} is the right result")
        return None
    return next((s for s, v in mistakes.items() if difference(actual, v, loose) is None), None)


def wrong_type(actual: Any, wanted: type) -> str | None:
    """Say what is wrong where a number of Python is asked for and a tensor came, or the reverse."""
    if actual is None:
        return "the result is None: is a return statement missing?"
    # Where a float is asked for an int will do, as in Python's own hints.
    kinds = (int, float) if wanted is float else wanted
    if isinstance(actual, kinds):
        return None
    advice = ""
    if is_tensor(actual) and wanted in (int, float, bool) and actual.ndim == 0:
        advice = ": .item() makes a Python number of a tensor without axes"
    elif isinstance(actual, int | float) and wanted.__name__ == "Tensor":
        advice = ": leave out .item(), or float(...)"
    return f"the result is a {type_name(actual)}, and must be a {_name(wanted)}{advice}"


def _name(kind: type) -> str:
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _sequence_difference(
    actual: Any, expected: list | tuple, within: Tolerance
) -> Difference | None:
    if not isinstance(actual, list | tuple):
        wanted = f"{len(expected)} values in a {type(expected).__name__}"
        return Difference(f"the result is a {type_name(actual)}; expected {wanted}")
    if len(actual) != len(expected):
        return Difference(f"the result holds {len(actual)} values; expected {len(expected)}")
    for i, (have, want) in enumerate(zip(actual, expected, strict=True)):
        problem = difference(have, want, within)
        if problem:
            return Difference(f"in result[{i}], {problem.sentence}", problem.place)
    return None


def _shape_difference(have: np.ndarray, want: np.ndarray) -> Difference | None:
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
    return Difference(sentence)


def _dtype_difference(have: np.ndarray, want: np.ndarray, exact: bool) -> Difference | None:
    if exact and have.dtype != want.dtype:
        return Difference(f"the dtype is {have.dtype}; it must be {want.dtype}")
    kinds = {"f": "floating-point", "i": "integer", "u": "integer", "b": "boolean", "c": "complex"}
    have_kind, want_kind = kinds.get(have.dtype.kind), kinds.get(want.dtype.kind)
    if have_kind != want_kind:
        return Difference(f"the values are {have_kind} ({have.dtype}); they must be {want_kind}")
    return None


def _value_difference(have: np.ndarray, want: np.ndarray, within: Tolerance) -> Difference | None:
    is_exact = want.dtype.kind not in "fc"
    wrong = have != want if is_exact else ~_is_close(have, want, within)
    if not wrong.any():
        return None
    if not within.tells:
        return Difference("")
    sentence = _guess(have, want, within) or (
        f"{_count(wrong)} wrong" if want.size > 1 else "the value is wrong"
    )
    if want.ndim == 0:
        return Difference(sentence)
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return Difference(sentence, _place(have, want, at, int(wrong.sum())), at)


def _is_close(a: np.ndarray, b: np.ndarray, within: Tolerance) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.isclose(a, b, rtol=within.rtol, atol=within.atol, equal_nan=True)


def _guess(have: np.ndarray, want: np.ndarray, within: Tolerance) -> str | None:
    """Name a mistake that shows in the numbers alone, or None."""

    def close(a: np.ndarray, b: np.ndarray) -> bool:
        return a.shape == b.shape and bool(_is_close(a, b, within).all())

    if want.dtype.kind == "f":
        for test, word in ((np.isnan, "NaN"), (np.isinf, "infinite")):
            strange = test(have) & ~test(want)
            if strange.any():
                return f"{_count(strange)} {word} where a finite number is expected"
        finite = np.isinf(want) & np.isfinite(have)
        if finite.any():
            return f"{_count(finite)} finite where infinity is expected"
    if want.dtype.kind == "b" and want.size > 1 and close(have, ~want):
        return "True stands where False must stand, and False where True must"
    if not have.any() and want.any() and want.dtype.kind != "b":
        return "every value is zero"
    if want.size < 2 or want.dtype.kind not in "fi":
        return None
    if close(have, -want):
        return "the sign is the wrong way round"
    # Of whole numbers, counts or classes, and of equal ones a ratio says nothing.
    if want.dtype.kind == "f" and np.unique(want).size > 1:
        nonzero = np.isfinite(want) & (want != 0)
        ratio = have[nonzero].ravel()[0] / want[nonzero].ravel()[0] if nonzero.any() else 0
        if ratio and close(have, want * ratio):
            shown = next((s for n in (4, 6, 9) if abs(float(s := f"{ratio:.{n}g}")) != 1), None)
            if shown:
                return f"every value is {shown} times the expected one"
    if want.ndim == 2 and close(have, want.T):
        return "the result is transposed"
    is_telling = np.unique(want).size > (1 if want.dtype.kind == "f" else 2)
    if is_telling and close(np.sort(have, axis=None), np.sort(want, axis=None)):
        return "the values are right but stand in the wrong places"
    return None


def _count(mask: np.ndarray) -> str:
    n = int(mask.sum())
    verb = "is" if n == 1 else "are"
    return f"{n} of {mask.size} values {verb}" if mask.size > 1 else "the value is"


def _place(have: np.ndarray, want: np.ndarray, at: tuple[int, ...], n_wrong: int) -> str:
    shown = number(have[at]), number(want[at])
    if shown[0] == shown[1]:  # they differ in digits that are not shown
        shown = number(have[at], 12), number(want[at], 12)
    first = "first at" if n_wrong > 1 else "at"
    return f"{first} [{', '.join(map(str, at))}]: {shown[0]} instead of {shown[1]}"


def _article(value: Any) -> str:
    if isinstance(value, int | float | np.generic):
        return "a number"
    return "a numpy array" if isinstance(value, np.ndarray) else f"a {type_name(value)}"
