"""Show values in a message: numbers, arrays, tensors, and the call that they were handed to."""

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

# What is shown in full: numbers of a value, its lines; and characters on a line,
# where a label stands before it or a name.
_MANY, _TALL, _WIDE, _NARROW = 24, 8, 80, 54
_WINDOW = 6


def as_array(value: Any) -> np.ndarray | None:
    """Give an array, a tensor or a number as a numpy array; None for anything else."""
    if isinstance(value, np.ndarray | np.generic | bool | int | float | complex):
        array = np.asarray(value)
        return array if array.dtype.kind in "fiubc" else None
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        tensor = value.detach().cpu()
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).resolve_neg().numpy()
    return None


def same_values(a: np.ndarray | None, b: np.ndarray) -> bool:
    """Tell whether two arrays hold the same, NaN in the same places included."""
    return (
        a is not None
        and a.shape == b.shape
        and np.array_equal(a, b, equal_nan=b.dtype.kind in "fc")
    )


def is_tensor(value: Any) -> bool:
    """Tell whether this is one of torch's tensors, without importing torch."""
    return isinstance(value, getattr(sys.modules.get("torch"), "Tensor", ()))


def type_name(value: Any) -> str:
    """Name a value's type as a learner writes it."""
    kind = type(value)
    prefix = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return shorten(prefix + kind.__name__)


def describe(value: Any, at: tuple[int, ...] | None = None) -> str:
    """Show a value: shape and dtype first, then the numbers.

    Args:
        value: Anything.
        at: Of many numbers show those around this place; without it none, or of a single axis
            the first and the last.
    """
    array = as_array(value)
    if array is None and isinstance(value, list | tuple) and _holds_arrays(value):
        return "\n".join(f"[{i}] {describe(item)}" for i, item in enumerate(value))
    if array is None:
        return shorten(repr(value), 400)
    if array.ndim == 0 and isinstance(value, bool | int | float | complex | np.generic):
        plain = value.item() if isinstance(value, np.generic) else value
        return f"{plain!r} ({type_name(value)})"
    kind = "array" if isinstance(value, np.ndarray) else type_name(value)
    head = f"{kind} of shape {tuple(array.shape)}, {array.dtype}"
    if at is not None and len(at) == array.ndim and not _is_small(array):
        row, place = _around(array, at)
        return f"{head}; at {place}: {_digits(row)}"
    if array.ndim > 1 and not _is_small(array):
        return head
    values = _digits(array)
    is_short = "\n" not in values and len(head) + len(values) <= _WIDE
    return f"{head}: {values}" if is_short else f"{head}:\n{values}"


def number(value: Any, digits: int = 6) -> str:
    """Show one element of an array."""
    if value.dtype.kind == "f":
        return f"{value + 0.0:.{digits}g}"  # -0.0 looks like a sign error and is none
    return str(value)


def text_of_call(name: str, function: Callable, args: tuple, kwargs: Mapping[str, Any]) -> str:
    """Show a call on one line, or with a line for each argument and its name."""
    shown = [brief(arg) for arg in args] + [f"{k}={brief(v)}" for k, v in kwargs.items()]
    text = f"{name}({', '.join(shown)})"
    if len(text) <= _WIDE and "\n" not in text:
        return text
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


def brief(value: Any) -> str:
    """Show an argument in the text of a call: its numbers if few, else its shape."""
    array = as_array(value)
    if array is not None and array.ndim > 0:
        if array.size and _is_small(array):
            return _digits(array)
        return f"<{'tensor' if is_tensor(value) else 'array'} of shape {tuple(array.shape)}>"
    if isinstance(value, list | tuple):
        inner = ", ".join(brief(item) for item in value[:6]) + (", …" if len(value) > 6 else "")
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    return shorten(repr(value) if not callable(value) else getattr(value, "__name__", repr(value)))


def parameter_names(function: Callable, args: tuple, kwargs: Mapping[str, Any]) -> list[str]:
    """Name each argument of a call, by its place where the function has no name for it."""
    try:
        names = list(inspect.signature(function).parameters)[: len(args)]
    except (TypeError, ValueError):
        names = []
    names += [f"number {i + 1}" for i in range(len(names), len(args))]
    return [*names, *kwargs]


def shorten(text: str, length: int = 80) -> str:
    """Cut a text that is too long."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _holds_arrays(values: list | tuple) -> bool:
    arrays = (as_array(value) for value in values[:_TALL])
    return len(values) <= _TALL and any(a is not None and a.ndim for a in arrays)


def _is_small(array: np.ndarray) -> bool:
    return array.size <= _MANY and _digits(array).count("\n") < _TALL


def _digits(array: np.ndarray) -> str:
    shown = array + 0.0 if array.dtype.kind == "f" else array
    text = np.array2string(
        shown, precision=4, threshold=_MANY, edgeitems=2, separator=", ", max_line_width=_NARROW
    )
    return re.sub(r"\n\s*\n", "\n", text)


def _around(array: np.ndarray, at: tuple[int, ...]) -> tuple[np.ndarray, str]:
    """Give the numbers beside a place along the last axis, and what to write for them."""
    row = at[:-1]
    start = max(0, min(at[-1] - _WINDOW // 2, array.shape[-1] - _WINDOW))
    stop = min(start + _WINDOW, array.shape[-1])
    return array[row][start:stop], f"[{', '.join([*map(str, row), f'{start}:{stop}'])}]"
