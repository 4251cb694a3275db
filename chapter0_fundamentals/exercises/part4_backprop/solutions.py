"""0.4 Backprop: our own autograd on numpy, and a network that learns to read digits with it."""

# %%
import contextlib
import functools
import inspect
import textwrap
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from tqdm import tqdm

import part4_backprop.tests as tests  # noqa: F401
from part4_backprop.utils import get_mnist, plot_training, visualize

Arr = np.ndarray | np.generic  # numpy gives a number where an array would have no axes
Number = int | float

MAIN = __name__ == "__main__"


# %%
def log_back(
    grad_out: Float[Arr, "*shape"], out: Float[Arr, "*shape"], x: Float[Arr, "*shape"]
) -> Float[Arr, "*shape"]:
    """Carry the gradient of a loss back through `out = log(x)`.

    Args:
        grad_out: Gradient of the loss with respect to `out`.
        out: What the forward function gave.
        x: What the forward function was called with.

    Returns:
        Gradient of the loss with respect to `x`.
    """
    ### BEGIN SOLUTION
    return grad_out / x
    ### END SOLUTION


# %%
def unbroadcast(
    broadcasted: Float[Arr, "*broadcast"], original: Shaped[Arr, "*shape"]
) -> Float[Arr, "*shape"]:
    """Sum an array over the axes along which broadcasting copied `original`.

    Args:
        broadcasted: Usually a gradient, of a shape that `original` broadcasts to.
        original: Only its shape matters.
    """
    ### BEGIN SOLUTION
    n_prepended = broadcasted.ndim - original.ndim
    stretched = [n_prepended + axis for axis, length in enumerate(original.shape) if length == 1]
    summed = broadcasted.sum(axis=(*range(n_prepended), *stretched), keepdims=True)
    return summed.reshape(original.shape)
    ### END SOLUTION


# %%
def multiply_back0(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"],
    y: Float[Arr, "*y"] | Number,
) -> Float[Arr, "*x"]:
    """Carry the gradient of a loss back through `out = x * y` to `x`."""
    ### BEGIN SOLUTION
    return unbroadcast(grad_out * y, x)
    ### END SOLUTION


def multiply_back1(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"] | Number,
    y: Float[Arr, "*y"],
) -> Float[Arr, "*y"]:
    """Carry the gradient of a loss back through `out = x * y` to `y`."""
    ### BEGIN SOLUTION
    return unbroadcast(grad_out * x, y)
    ### END SOLUTION


# %%
def forward_and_back(
    a: Float[Arr, "*a"], b: Float[Arr, "*b"], c: Float[Arr, "*c"]
) -> tuple[Float[Arr, "*a"], Float[Arr, "*b"], Float[Arr, "*c"]]:
    """Compute g = log(a * b * log(c)) one step at a time, then walk back through the steps.

    The steps are d = a * b, e = log(c), f = d * e, g = log(f); the loss is the sum of g.

    Returns:
        The gradients of the loss with respect to `a`, `b` and `c`.
    """
    ### BEGIN SOLUTION
    d = a * b
    e = np.log(c)
    f = d * e
    g = np.log(f)

    grad_g = np.ones_like(g)
    grad_f = log_back(grad_g, g, f)
    grad_d = multiply_back0(grad_f, f, d, e)
    grad_e = multiply_back1(grad_f, f, d, e)
    grad_a = multiply_back0(grad_d, d, a, b)
    grad_b = multiply_back1(grad_d, d, a, b)
    grad_c = log_back(grad_e, e, c)
    return grad_a, grad_b, grad_c
    ### END SOLUTION


# %%
@dataclass(frozen=True)
class Recipe:
    """How a tensor was computed: `func(*args, **kwargs)`, all in numpy arrays and numbers."""

    func: Callable[..., Arr]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    parents: dict[int, "Tensor"]
    """The arguments that came as tensors, by their position among `args`."""


# %%
grad_tracking_enabled = True  # NoGrad, at the end of this file, switches it off


class Tensor:
    """A numpy array that remembers how it was computed, and gets a gradient."""

    __array_ufunc__ = None  # numpy leaves `array * tensor` to Tensor.__rmul__

    def __init__(self, array: Arr | Sequence | Number, requires_grad: bool = False) -> None:
        """Wrap `array`, without a copy where it can.

        Args:
            array: Numbers. float64 becomes float32, and so do integers that require a gradient.
            requires_grad: Whether `backward` shall leave a gradient in `grad`.
        """
        self.array = array if isinstance(array, np.ndarray) else np.array(array)
        if self.array.dtype.kind not in "fiub":
            raise TypeError(f"a tensor holds numbers, not {type(array).__name__}")
        if self.array.dtype == np.float64 or (requires_grad and self.array.dtype.kind != "f"):
            self.array = self.array.astype(np.float32)
        self.requires_grad = requires_grad
        self.grad: Tensor | None = None
        self.recipe: Recipe | None = None

    def __neg__(self) -> "Tensor":
        return negative(self)

    def __add__(self, other: "Tensor | Arr | Number") -> "Tensor":
        return add(self, other)

    def __radd__(self, other: "Arr | Number") -> "Tensor":
        return add(other, self)

    def __sub__(self, other: "Tensor | Arr | Number") -> "Tensor":
        return subtract(self, other)

    def __rsub__(self, other: "Arr | Number") -> "Tensor":
        return subtract(other, self)

    def __mul__(self, other: "Tensor | Arr | Number") -> "Tensor":
        return multiply(self, other)

    def __rmul__(self, other: "Arr | Number") -> "Tensor":
        return multiply(other, self)

    def __truediv__(self, other: "Tensor | Arr | Number") -> "Tensor":
        return true_divide(self, other)

    def __rtruediv__(self, other: "Arr | Number") -> "Tensor":
        return true_divide(other, self)

    def __matmul__(self, other: "Tensor | Arr") -> "Tensor":
        return matmul(self, other)

    def __rmatmul__(self, other: Arr) -> "Tensor":
        return matmul(other, self)

    def __eq__(self, other: object) -> "Tensor":
        return eq(self, other)

    def __repr__(self) -> str:
        flag = ", requires_grad=True" if self.requires_grad else ""
        values = np.array2string(self.array, separator=", ", prefix="Tensor(", threshold=100)
        return f"Tensor({values}{flag})"

    def __len__(self) -> int:
        return len(self.array)

    def __hash__(self) -> int:
        return id(self)  # two tensors with the same values are two nodes of a graph

    def __getitem__(self, index: Any) -> "Tensor":
        return getitem(self, index)

    def add_(self, other: "Tensor | Arr | Number", alpha: Number = 1.0) -> "Tensor":
        """Add `alpha * other` in place; no graph learns of it."""
        return add_(self, other, alpha)

    def sub_(self, other: "Tensor | Arr | Number", alpha: Number = 1.0) -> "Tensor":
        """Subtract `alpha * other` in place; no graph learns of it."""
        return sub_(self, other, alpha)

    def __iadd__(self, other: "Tensor | Arr | Number") -> "Tensor":
        return self.add_(other)

    def __isub__(self, other: "Tensor | Arr | Number") -> "Tensor":
        return self.sub_(other)

    @property
    def T(self) -> "Tensor":
        """The tensor with its axes in reverse order."""
        return permute(self, tuple(range(self.ndim))[::-1])

    def item(self) -> Number:
        """Give the only element as a Python number."""
        return self.array.item()

    def sum(self, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> "Tensor":
        """Sum over one axis, several, or all of them."""
        return tensor_sum(self, dim=dim, keepdim=keepdim)

    def log(self) -> "Tensor":
        """Take the natural logarithm of each element."""
        return log(self)

    def exp(self) -> "Tensor":
        """Raise e to each element."""
        return exp(self)

    def reshape(self, new_shape: int | tuple[int, ...]) -> "Tensor":
        """Give the same elements, in the same order, another shape."""
        return reshape(self, new_shape)

    def permute(self, dims: tuple[int, ...]) -> "Tensor":
        """Put the axes into another order."""
        return permute(self, dims)

    def expand(self, new_shape: tuple[int, ...]) -> "Tensor":
        """Broadcast to a shape; -1 keeps the length of an axis."""
        return expand(self, new_shape)

    def maximum(self, other: "Tensor | Arr | Number") -> "Tensor":
        """Take the larger of two elements, for each pair of them."""
        return maximum(self, other)

    def relu(self) -> "Tensor":
        """Replace negative elements by zero."""
        return relu(self)

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> "Tensor":
        """Give the index of the largest element, of all or along an axis."""
        return argmax(self, dim=dim, keepdim=keepdim)

    def uniform_(self, low: Number, high: Number) -> "Tensor":
        """Fill in place with random numbers from [low, high)."""
        self.array[...] = np.random.uniform(low, high, self.shape)
        return self

    def backward(self, end_grad: "Tensor | Arr | Number | None" = None) -> None:
        """Add the gradient of this tensor to the `grad` of every leaf that it was computed from.

        Args:
            end_grad: Gradient of the loss with respect to this tensor; 1 if this is the loss.

        Raises:
            RuntimeError: This tensor does not require a gradient.
            ValueError: `end_grad` has another shape, or is missing for more than one number.
        """
        if not self.requires_grad:
            raise RuntimeError("backward() of a tensor that depends on nothing with requires_grad")
        if end_grad is None and self.array.size != 1:
            raise ValueError(f"backward() of shape {self.shape} needs end_grad; or sum() it first")
        if end_grad is not None:
            given = end_grad.array if isinstance(end_grad, Tensor) else end_grad
            end_grad = Tensor(np.asarray(given, dtype=self.array.dtype))
            if end_grad.shape != self.shape:
                raise ValueError(f"end_grad has shape {end_grad.shape}; it needs {self.shape}")
        backprop(self, end_grad)

    def size(self, dim: int | None = None) -> int | tuple[int, ...]:
        """Give the shape, or the length of one axis."""
        return self.shape if dim is None else self.shape[dim]

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self.array.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    @property
    def dtype(self) -> np.dtype:
        """The type of each element."""
        return self.array.dtype

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor came from outside: no operation that is tracked computed it."""
        return self.recipe is None or not self.recipe.parents

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise ValueError(f"a tensor of shape {self.shape} is neither true nor false")
        return bool(self.item())


# %%
def empty(*shape: int) -> Tensor:
    """Make a tensor of whatever the memory held."""
    return Tensor(np.empty(shape, np.float32))


def zeros(*shape: int) -> Tensor:
    """Make a tensor of zeros."""
    return Tensor(np.zeros(shape, np.float32))


def arange(start: int, end: int, step: int = 1) -> Tensor:
    """Make a tensor that counts from `start` up to, and not including, `end`."""
    return Tensor(np.arange(start, end, step))


def tensor(array: Arr | Sequence | Number, requires_grad: bool = False) -> Tensor:
    """Make a tensor, as the class itself does."""
    return Tensor(array, requires_grad)


# %%
BackFunc = Callable[..., Arr]


class BackwardFuncLookup:
    """Which function carries the gradient back, for each argument of each forward function."""

    def __init__(self) -> None:
        self.back_funcs: dict[Any, Any] = {}

    def add_back_func(
        self, forward_fn: Callable[..., Arr], arg_position: int, back_fn: BackFunc
    ) -> None:
        """Store the backward function for one argument of `forward_fn`."""
        ### BEGIN SOLUTION
        self.back_funcs[forward_fn, arg_position] = back_fn
        ### END SOLUTION

    def get_back_func(self, forward_fn: Callable[..., Arr], arg_position: int) -> BackFunc:
        """Give the backward function that was stored for this argument of `forward_fn`."""
        ### BEGIN SOLUTION
        return self.back_funcs[forward_fn, arg_position]
        ### END SOLUTION


BACK_FUNCS = BackwardFuncLookup()


def register(forward_fn: Callable[..., Arr], *back_fns: BackFunc) -> None:
    """Store the backward function of each argument, in the order of the arguments."""
    with contextlib.suppress(NotImplementedError):  # until add_back_func is written
        for arg_position, back_fn in enumerate(back_fns):
            BACK_FUNCS.add_back_func(forward_fn, arg_position, back_fn)


register(np.log, log_back)
register(np.multiply, multiply_back0, multiply_back1)


# %%
def log_forward(x: Tensor) -> Tensor:
    """Compute log(x), with a recipe if a gradient will be wanted."""
    ### BEGIN SOLUTION
    out = Tensor(np.log(x.array), grad_tracking_enabled and x.requires_grad)
    if out.requires_grad:
        out.recipe = Recipe(np.log, (x.array,), {}, {0: x})
    return out
    ### END SOLUTION


# %%
def multiply_forward(a: Tensor | Number, b: Tensor | Number) -> Tensor:
    """Compute a * b, with a recipe if a gradient will be wanted.

    Args:
        a: A tensor or a number; at least one of the two is a tensor.
        b: A tensor or a number.
    """
    ### BEGIN SOLUTION
    parents = {i: arg for i, arg in enumerate((a, b)) if isinstance(arg, Tensor)}
    args = tuple(arg.array if isinstance(arg, Tensor) else arg for arg in (a, b))
    needs_grad = any(parent.requires_grad for parent in parents.values())
    out = Tensor(np.multiply(*args), grad_tracking_enabled and needs_grad)
    if out.requires_grad:
        out.recipe = Recipe(np.multiply, args, {}, parents)
    return out
    ### END SOLUTION


# %%
def wrap_forward_fn(
    numpy_func: Callable[..., Arr], is_differentiable: bool = True
) -> Callable[..., Tensor]:
    """Turn a function of numpy arrays into one of tensors that leaves a recipe.

    Args:
        numpy_func: Takes arrays and anything else; gives one array.
        is_differentiable: If not, the result never requires a gradient.
    """

    @functools.wraps(numpy_func)  # so that it has the name and the help of numpy's
    def tensor_func(*args: Any, **kwargs: Any) -> Tensor:
        ### BEGIN SOLUTION
        parents = {i: arg for i, arg in enumerate(args) if isinstance(arg, Tensor)}
        arrays = tuple(arg.array if isinstance(arg, Tensor) else arg for arg in args)
        needs_grad = is_differentiable and any(p.requires_grad for p in parents.values())
        out = Tensor(numpy_func(*arrays, **kwargs), grad_tracking_enabled and needs_grad)
        if out.requires_grad:
            out.recipe = Recipe(numpy_func, arrays, kwargs, parents)
        return out
        ### END SOLUTION

    return tensor_func


def _sum(x: Arr, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Arr:
    return np.sum(x, axis=dim, keepdims=keepdim)


log = wrap_forward_fn(np.log)
multiply = wrap_forward_fn(np.multiply)
tensor_sum = wrap_forward_fn(_sum)  # not `sum`: that is Python's own
eq = wrap_forward_fn(np.equal, is_differentiable=False)


# %%
def topological_sort(
    node: Hashable, get_children: Callable[[Any], Iterable[Hashable]]
) -> list[Hashable]:
    """List `node` and all that can be reached from it, each after all of its children.

    Args:
        node: Where to start; it comes last in the list.
        get_children: Gives the children of a node.

    Raises:
        ValueError: The graph has a cycle.

    Source: depth-first search, a node is listed when its last child has been visited.
    """
    ### BEGIN SOLUTION
    result: list[Hashable] = []
    finished: set[Hashable] = set()
    on_path: set[Hashable] = set()

    def visit(current: Hashable) -> None:
        if current in finished:
            return
        if current in on_path:
            raise ValueError("the graph has a cycle")
        on_path.add(current)
        for child in get_children(current):
            visit(child)
        finished.add(current)
        result.append(current)

    visit(node)
    return result
    ### END SOLUTION


# %%
def get_children(node: Tensor) -> list[Tensor]:
    """List the tensors that `node` was computed from."""
    return [] if node.recipe is None else list(node.recipe.parents.values())


def sorted_computational_graph(tensor: Tensor) -> list[Tensor]:
    """List `tensor` and all that it was computed from, each before what it was computed from."""
    ### BEGIN SOLUTION
    return topological_sort(tensor, get_children)[::-1]
    ### END SOLUTION


# %%
def backprop(end_node: Tensor, end_grad: Tensor | None = None) -> None:
    """Add to `grad` of every leaf that requires one the gradient of the loss.

    Args:
        end_node: The last tensor of the graph, usually the loss.
        end_grad: Gradient of the loss with respect to `end_node`; all ones if None.
    """
    ### BEGIN SOLUTION
    first = np.ones_like(end_node.array) if end_grad is None else end_grad.array
    grads: dict[Tensor, Arr] = {end_node: first}
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        grad_out = grads.pop(node)
        if node.is_leaf:
            # A sum, or a copy: two leaves never share the memory of their gradients.
            node.grad = Tensor(grad_out + (0.0 if node.grad is None else node.grad.array))
            continue
        recipe = node.recipe
        for position, parent in recipe.parents.items():
            if parent.requires_grad:
                back_fn = BACK_FUNCS.get_back_func(recipe.func, position)
                grad = back_fn(grad_out, node.array, *recipe.args, **recipe.kwargs)
                grads[parent] = grads[parent] + grad if parent in grads else grad
    ### END SOLUTION


# %%
def negative_back(
    grad_out: Float[Arr, "*shape"], out: Float[Arr, "*shape"], x: Float[Arr, "*shape"]
) -> Float[Arr, "*shape"]:
    """Carry the gradient of a loss back through `out = -x`."""
    ### BEGIN SOLUTION
    return -grad_out
    ### END SOLUTION


negative = wrap_forward_fn(np.negative)
register(np.negative, negative_back)


# %%
def exp_back(
    grad_out: Float[Arr, "*shape"], out: Float[Arr, "*shape"], x: Float[Arr, "*shape"]
) -> Float[Arr, "*shape"]:
    """Carry the gradient of a loss back through `out = exp(x)`."""
    ### BEGIN SOLUTION
    return grad_out * out
    ### END SOLUTION


exp = wrap_forward_fn(np.exp)
register(np.exp, exp_back)


# %%
def reshape_back(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"],
    new_shape: int | tuple[int, ...],
) -> Float[Arr, "*x"]:
    """Carry the gradient of a loss back through `out = reshape(x, new_shape)`."""
    ### BEGIN SOLUTION
    return grad_out.reshape(x.shape)
    ### END SOLUTION


reshape = wrap_forward_fn(np.reshape)
register(np.reshape, reshape_back)


# %%
def permute_back(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"],
    axes: tuple[int, ...],
) -> Float[Arr, "*x"]:
    """Carry the gradient of a loss back through `out = transpose(x, axes)`.

    Args:
        grad_out: Gradient of the loss with respect to `out`.
        out: What the forward function gave.
        x: What the forward function was called with.
        axes: Axis i of `out` is axis axes[i] of `x`; -1 is the last axis of `x`.
    """
    ### BEGIN SOLUTION
    return grad_out.transpose(np.argsort([axis % x.ndim for axis in axes]))
    ### END SOLUTION


permute = wrap_forward_fn(np.transpose)
register(np.transpose, permute_back)


# %%
def sum_back(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"],
    dim: int | tuple[int, ...] | None = None,
    keepdim: bool = False,
) -> Float[Arr, "*x"]:
    """Carry the gradient of a loss back through `out = x.sum(dim, keepdim)`."""
    ### BEGIN SOLUTION
    if dim is not None and not keepdim:
        grad_out = np.expand_dims(grad_out, dim)
    return np.broadcast_to(grad_out, x.shape)
    ### END SOLUTION


register(_sum, sum_back)


# %%
def _expand(x: Arr, new_shape: tuple[int, ...]) -> Arr:
    n_prepended = len(new_shape) - x.ndim
    own = (*[1] * n_prepended, *x.shape)
    shape = tuple(have if want == -1 else want for have, want in zip(own, new_shape, strict=True))
    return np.broadcast_to(x, shape)


def expand_back(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"],
    new_shape: tuple[int, ...],
) -> Float[Arr, "*x"]:
    """Carry the gradient of a loss back through `out = x.expand(new_shape)`."""
    ### BEGIN SOLUTION
    return unbroadcast(grad_out, x)
    ### END SOLUTION


expand = wrap_forward_fn(_expand)
register(_expand, expand_back)


# %%
def add_back0(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"],
    y: Float[Arr, "*y"] | Number,
) -> Float[Arr, "*x"]:
    """Carry the gradient of a loss back through `out = x + y` to `x`."""
    ### BEGIN SOLUTION
    return unbroadcast(grad_out, x)
    ### END SOLUTION


def add_back1(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"] | Number,
    y: Float[Arr, "*y"],
) -> Float[Arr, "*y"]:
    """Carry the gradient of a loss back through `out = x + y` to `y`."""
    ### BEGIN SOLUTION
    return unbroadcast(grad_out, y)
    ### END SOLUTION


def subtract_back0(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"],
    y: Float[Arr, "*y"] | Number,
) -> Float[Arr, "*x"]:
    """Carry the gradient of a loss back through `out = x - y` to `x`."""
    ### BEGIN SOLUTION
    return unbroadcast(grad_out, x)
    ### END SOLUTION


def subtract_back1(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"] | Number,
    y: Float[Arr, "*y"],
) -> Float[Arr, "*y"]:
    """Carry the gradient of a loss back through `out = x - y` to `y`."""
    ### BEGIN SOLUTION
    return unbroadcast(-grad_out, y)
    ### END SOLUTION


def true_divide_back0(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"],
    y: Float[Arr, "*y"] | Number,
) -> Float[Arr, "*x"]:
    """Carry the gradient of a loss back through `out = x / y` to `x`."""
    ### BEGIN SOLUTION
    return unbroadcast(grad_out / y, x)
    ### END SOLUTION


def true_divide_back1(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"] | Number,
    y: Float[Arr, "*y"],
) -> Float[Arr, "*y"]:
    """Carry the gradient of a loss back through `out = x / y` to `y`."""
    ### BEGIN SOLUTION
    return unbroadcast(-grad_out * out / y, y)
    ### END SOLUTION


add = wrap_forward_fn(np.add)
subtract = wrap_forward_fn(np.subtract)
true_divide = wrap_forward_fn(np.true_divide)

register(np.add, add_back0, add_back1)
register(np.subtract, subtract_back0, subtract_back1)
register(np.true_divide, true_divide_back0, true_divide_back1)

# %%
Part = int | slice | EllipsisType | Arr | Tensor | None
Index = Part | tuple[Part, ...]


def coerce_index(index: Index) -> Index:
    """Put its array in the place of each tensor in an index."""
    ### BEGIN SOLUTION
    if isinstance(index, tuple):
        return tuple(coerce_index(part) for part in index)
    return index.array if isinstance(index, Tensor) else index
    ### END SOLUTION


def _getitem(x: Arr, index: Index) -> Arr:
    return x[coerce_index(index)]


def getitem_back(
    grad_out: Float[Arr, "*out"], out: Float[Arr, "*out"], x: Float[Arr, "*x"], index: Index
) -> Float[Arr, "*x"]:
    """Carry the gradient of a loss back through `out = x[index]`.

    Args:
        grad_out: Gradient of the loss with respect to `out`.
        out: What the forward function gave.
        x: What the forward function was called with.
        index: May hold tensors, and may name the same element of `x` more than once.
    """
    ### BEGIN SOLUTION
    grad = np.zeros_like(x)
    np.add.at(grad, coerce_index(index), grad_out)
    return grad
    ### END SOLUTION


getitem = wrap_forward_fn(_getitem)
register(_getitem, getitem_back)


# %%
def add_(x: Tensor, other: Tensor | Arr | Number, alpha: Number = 1.0) -> Tensor:
    """Add `alpha * other` to `x` in place; no graph learns of it."""
    x.array += alpha * (other.array if isinstance(other, Tensor) else other)
    return x


def sub_(x: Tensor, other: Tensor | Arr | Number, alpha: Number = 1.0) -> Tensor:
    """Subtract `alpha * other` from `x` in place; no graph learns of it."""
    return add_(x, other, -alpha)


def _argmax(x: Arr, dim: int | None = None, keepdim: bool = False) -> Arr:
    return np.argmax(x, axis=dim, keepdims=keepdim)


argmax = wrap_forward_fn(_argmax, is_differentiable=False)

if MAIN:
    w = Tensor([2.0, 3.0], requires_grad=True)
    x = Tensor([1.0, 1.0])
    x += 4.0  # safe: no graph holds x yet
    out = (w * x).sum()
    out.backward()
    print("x changed before it was used: ", w.grad)

    w.grad = None
    out = (w * x).sum()
    x += 100.0  # unsafe: the recipe of w * x holds this very array
    out.backward()
    print("x changed after it was used:  ", w.grad, "where the gradient is [5, 5]")


# %%
def maximum_back0(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"],
    y: Float[Arr, "*y"] | Number,
) -> Float[Arr, "*x"]:
    """Carry the gradient of a loss back through `out = maximum(x, y)` to `x`.

    Where both are equal, each gets half of the gradient.
    """
    ### BEGIN SOLUTION
    return unbroadcast(np.where(x > y, grad_out, np.where(x == y, grad_out / 2, 0.0)), x)
    ### END SOLUTION


def maximum_back1(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"] | Number,
    y: Float[Arr, "*y"],
) -> Float[Arr, "*y"]:
    """Carry the gradient of a loss back through `out = maximum(x, y)` to `y`.

    Where both are equal, each gets half of the gradient.
    """
    ### BEGIN SOLUTION
    return unbroadcast(np.where(y > x, grad_out, np.where(x == y, grad_out / 2, 0.0)), y)
    ### END SOLUTION


maximum = wrap_forward_fn(np.maximum)
register(np.maximum, maximum_back0, maximum_back1)


# %%
def relu(x: Tensor) -> Tensor:
    """Replace negative elements by zero."""
    ### BEGIN SOLUTION
    return maximum(x, 0.0)
    ### END SOLUTION


# %%
def _matmul2d(x: Float[Arr, "rows inner"], y: Float[Arr, "inner cols"]) -> Float[Arr, "rows cols"]:
    if x.ndim != 2 or y.ndim != 2:
        raise ValueError(f"matmul takes two matrices, not shapes {x.shape} and {y.shape}")
    return x @ y


def matmul2d_back0(
    grad_out: Float[Arr, "rows cols"],
    out: Float[Arr, "rows cols"],
    x: Float[Arr, "rows inner"],
    y: Float[Arr, "inner cols"],
) -> Float[Arr, "rows inner"]:
    """Carry the gradient of a loss back through `out = x @ y` to `x`."""
    ### BEGIN SOLUTION
    return grad_out @ y.T
    ### END SOLUTION


def matmul2d_back1(
    grad_out: Float[Arr, "rows cols"],
    out: Float[Arr, "rows cols"],
    x: Float[Arr, "rows inner"],
    y: Float[Arr, "inner cols"],
) -> Float[Arr, "inner cols"]:
    """Carry the gradient of a loss back through `out = x @ y` to `y`."""
    ### BEGIN SOLUTION
    return x.T @ grad_out
    ### END SOLUTION


matmul = wrap_forward_fn(_matmul2d)
register(_matmul2d, matmul2d_back0, matmul2d_back1)


# %%
class Parameter(Tensor):
    """A tensor that a module owns and an optimizer changes."""

    def __init__(self, tensor: Tensor, requires_grad: bool = True) -> None:
        """Share the array of `tensor`."""
        super().__init__(tensor.array, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


# %%
class Module:
    """A part of a network: it finds its parameters, and those of the modules inside it."""

    def __init__(self) -> None:
        self._modules: dict[str, Module] = {}
        self._parameters: dict[str, Parameter] = {}

    def modules(self) -> Iterator["Module"]:
        """Give the modules directly inside this one, in the order in which they were set."""
        ### BEGIN SOLUTION
        yield from self._modules.values()
        ### END SOLUTION

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Give this module's own parameters, then those of the modules inside it.

        Args:
            recurse: Whether to look inside, at every depth.
        """
        ### BEGIN SOLUTION
        yield from self._parameters.values()
        if recurse:
            for module in self.modules():
                yield from module.parameters()
        ### END SOLUTION

    def __setattr__(self, key: str, val: Any) -> None:
        """Set an attribute, and note it if it is a parameter or a module."""
        ### BEGIN SOLUTION
        if isinstance(val, Parameter):
            self._parameters[key] = val
        elif isinstance(val, Module):
            self._modules[key] = val
        super().__setattr__(key, val)
        ### END SOLUTION

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`."""
        return self.forward(*args, **kwargs)

    def forward(self) -> Tensor:
        """Compute the output; each kind of module writes its own."""
        raise TypeError(f"{type(self).__name__} has no forward")

    def extra_repr(self) -> str:
        """Say what matters about this module itself, on one line."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({key}): {module!r}" for key, module in self._modules.items()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return f"{type(self).__name__}(\n{textwrap.indent(chr(10).join(lines), '  ')}\n)"


# %%
class Linear(Module):
    """A layer that gives each row x of its input the output x @ weight.T + bias."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        """Draw `weight` and `bias` uniformly from ±1 / √in_features.

        Args:
            in_features: Length of an input row.
            out_features: Length of an output row.
            bias: Whether to add one; if not, the attribute `bias` is None.
        """
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        ### BEGIN SOLUTION
        bound = in_features**-0.5
        self.weight = Parameter(empty(out_features, in_features).uniform_(-bound, bound))
        self.bias = Parameter(empty(out_features).uniform_(-bound, bound)) if bias else None
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "batch d_in"]) -> Float[Tensor, "batch d_out"]:
        """Apply the layer to each row."""
        ### BEGIN SOLUTION
        out = x @ self.weight.T
        return out if self.bias is None else out + self.bias
        ### END SOLUTION

    def extra_repr(self) -> str:
        """Say the two lengths, and whether there is a bias."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"


# %%
class ReLU(Module):
    """The function relu as a module."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Replace negative elements by zero."""
        ### BEGIN SOLUTION
        return x.relu()
        ### END SOLUTION


class MLP(Module):
    """A classifier of 28 × 28 pictures: 784 → 64 → 64 → 10, with a ReLU after the first two."""

    def __init__(self) -> None:
        """Make the modules linear1, relu1, linear2, relu2, output."""
        super().__init__()
        ### BEGIN SOLUTION
        self.linear1 = Linear(28 * 28, 64)
        self.relu1 = ReLU()
        self.linear2 = Linear(64, 64)
        self.relu2 = ReLU()
        self.output = Linear(64, 10)
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch 10"]:
        """Give the logits of the ten classes for each picture."""
        ### BEGIN SOLUTION
        x = x.reshape((x.shape[0], 28 * 28))
        x = self.relu1(self.linear1(x))
        x = self.relu2(self.linear2(x))
        return self.output(x)
        ### END SOLUTION


# %%
def cross_entropy(
    logits: Float[Tensor, "batch classes"], true_labels: Int[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """Give the loss -log softmax(logits)[true label] of each row.

    Source: log softmax(z) = z - m - log Σ exp(z - m) for any m; with m = max z no exp overflows.
    """
    ### BEGIN SOLUTION
    shifted = logits - logits.array.max(axis=1, keepdims=True)
    log_total = shifted.exp().sum(1).log()
    return log_total - shifted[arange(0, len(logits)), true_labels]
    ### END SOLUTION


# %%
class NoGrad:
    """Context manager: what is computed inside leaves no recipes."""

    was_enabled: bool

    def __enter__(self) -> None:
        """Switch grad_tracking_enabled off, and remember what it was."""
        ### BEGIN SOLUTION
        global grad_tracking_enabled
        self.was_enabled = grad_tracking_enabled
        grad_tracking_enabled = False
        ### END SOLUTION

    def __exit__(self, type: Any, value: Any, traceback: Any) -> None:
        """Put grad_tracking_enabled back to what it was, after an exception too."""
        ### BEGIN SOLUTION
        global grad_tracking_enabled
        grad_tracking_enabled = self.was_enabled
        ### END SOLUTION


# %%
class SGD:
    """Stochastic gradient descent without momentum."""

    def __init__(self, params: Iterable[Parameter], lr: float) -> None:
        """Take the parameters to change, and the length of a step."""
        self.params = list(params)
        self.lr = lr

    def zero_grad(self) -> None:
        """Forget the gradients of the last step."""
        ### BEGIN SOLUTION
        for param in self.params:
            param.grad = None
        ### END SOLUTION

    def step(self) -> None:
        """Take a step against the gradient, in place, where there is one."""
        ### BEGIN SOLUTION
        with NoGrad():
            for param in self.params:
                if param.grad is not None:
                    param.sub_(param.grad, self.lr)
        ### END SOLUTION


# %%
# Pictures and labels; the length of a batch has no name, for the last one may be smaller.
Loader = Iterable[tuple[Float[Arr, "_ ..."], Int[Arr, " _"]]]


def train(
    model: Module,
    train_loader: Loader,
    optimizer: SGD,
    epoch: int,
    train_loss_list: list[float] | None = None,
) -> None:
    """Go once through the training set: a step on the mean loss of each batch.

    Args:
        model: Gives logits for a batch of pictures.
        train_loader: Yields pictures and labels, as numpy arrays.
        optimizer: Holds the parameters of `model`.
        epoch: Its number, for the progress bar.
        train_loss_list: The loss of each batch is appended to it.
    """
    progress = tqdm(train_loader, desc=f"Epoch {epoch}", ncols=80)
    ### BEGIN SOLUTION
    for images, labels in progress:
        optimizer.zero_grad()
        loss = cross_entropy(model(Tensor(images)), Tensor(labels)).sum() / len(labels)
        loss.backward()
        optimizer.step()
        progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
        if train_loss_list is not None:
            train_loss_list.append(loss.item())
    ### END SOLUTION


def test(
    model: Module, test_loader: Loader, test_accuracy_list: list[float] | None = None
) -> float:
    """Give the share of pictures for which the largest logit is the one of the label.

    Nothing is tracked meanwhile.

    Args:
        model: Gives logits for a batch of pictures.
        test_loader: Yields pictures and labels, as numpy arrays.
        test_accuracy_list: The share is appended to it.
    """
    ### BEGIN SOLUTION
    n_correct = n_pictures = 0
    with NoGrad():
        for images, labels in test_loader:
            predicted = model(Tensor(images)).argmax(1)
            n_correct += (predicted == Tensor(labels)).sum().item()
            n_pictures += len(labels)
    accuracy = n_correct / n_pictures
    if test_accuracy_list is not None:
        test_accuracy_list.append(accuracy)
    return accuracy
    ### END SOLUTION


# %%
if MAIN:
    train_loader, test_loader = get_mnist()
    visualize(train_loader).show()

    model = MLP()
    optimizer = SGD(model.parameters(), lr=0.1)
    train_loss_list: list[float] = []
    test_accuracy_list: list[float] = []
    for epoch in range(10):
        train(model, train_loader, optimizer, epoch, train_loss_list)
        optimizer.lr *= 0.8  # long steps at first, short ones to settle
        accuracy = test(model, test_loader, test_accuracy_list)
        print(f"Accuracy after epoch {epoch}: {accuracy:.1%}")
    plot_training(train_loss_list, test_accuracy_list).show()


# %%
def numerical_gradient(
    fn: Callable[[Tensor], Tensor], x: Float[Arr, "*shape"], eps: float = 1e-2
) -> Float[Arr, "*shape"]:
    """Estimate the gradient of the sum of fn(x) with respect to `x`, one element at a time.

    Source: f'(x) ≈ (f(x + eps) - f(x - eps)) / (2 eps); in float32 a smaller eps is no better.
    """
    ### BEGIN SOLUTION
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = eps
        difference = fn(Tensor(x + step)).array - fn(Tensor(x - step)).array
        grad[index] = difference.sum() / (2 * eps)
    return grad
    ### END SOLUTION


def gradcheck(
    fn: Callable[[Tensor], Tensor], x: Float[Arr, "*shape"], tolerance: float = 1e-2
) -> bool:
    """Tell whether `backward` through `fn` agrees with the numerical gradient at `x`."""
    ### BEGIN SOLUTION
    leaf = Tensor(x.copy(), requires_grad=True)
    fn(leaf).sum().backward()
    return np.allclose(leaf.grad.array, numerical_gradient(fn, x), tolerance, tolerance)
    ### END SOLUTION


# %%
def stale_nodes(end_node: Tensor) -> list[Tensor]:
    """List the tensors of a graph that are no longer what their recipe gives.

    That is so where a tensor, or an array that its recipe holds, was changed in place.
    """
    ### BEGIN SOLUTION
    stale = []
    for node in sorted_computational_graph(end_node):
        if node.recipe is not None:
            again = Tensor(node.recipe.func(*node.recipe.args, **node.recipe.kwargs))
            if not np.array_equal(again.array, node.array, equal_nan=True):
                stale.append(node)
    return stale
    ### END SOLUTION


def careful_backprop(end_node: Tensor, end_grad: Tensor | None = None) -> None:
    """Do what `backprop` does, after one warning if a tensor of the graph is stale."""
    ### BEGIN SOLUTION
    if stale := stale_nodes(end_node):
        shapes = ", ".join(f"{node.recipe.func.__name__} {node.shape}" for node in stale)
        warnings.warn(f"changed in place since the forward pass: {shapes}", stacklevel=2)
    backprop(end_node, end_grad)
    ### END SOLUTION


# %%
def relu_inplace(x: Float[Arr, "*shape"]) -> Float[Arr, "*shape"]:
    """Replace negative elements of `x` itself by zero, and return `x`."""
    ### BEGIN SOLUTION
    return np.maximum(x, 0.0, out=x)
    ### END SOLUTION


def relu_inplace_back(
    grad_out: Float[Arr, "*shape"], out: Float[Arr, "*shape"], x: Float[Arr, "*shape"]
) -> Float[Arr, "*shape"]:
    """Carry the gradient of a loss back through `relu_inplace`; 0 where the output is 0.

    Args:
        grad_out: Gradient of the loss with respect to `out`.
        out: What the forward function gave.
        x: The same array as `out`: what the input was is lost.
    """
    ### BEGIN SOLUTION
    return grad_out * (out > 0)
    ### END SOLUTION


relu_ = wrap_forward_fn(relu_inplace)
register(relu_inplace, relu_inplace_back)


# %%
def einsum_back(
    position: int, grad_out: Float[Arr, "*out"], out: Float[Arr, "*out"], subscripts: str, *operands
) -> Float[Arr, "*operand"]:
    """Carry the gradient of a loss back through an einsum to one of its operands.

    Args:
        position: Which operand, counted from 0.
        grad_out: Gradient of the loss with respect to `out`.
        out: What the forward function gave.
        subscripts: With an arrow; no letter twice in one operand, e.g. "ij, jk -> ik".
        *operands: What the forward function was called with.
    """
    ### BEGIN SOLUTION
    inputs, output = subscripts.replace(" ", "").split("->")
    names = inputs.split(",")
    target, operand = names.pop(position), operands[position]
    others = [*operands[:position], *operands[position + 1 :]]
    # A letter that stands nowhere else was summed here: the gradient is the same along it.
    alone = [letter for letter in target if letter not in output + "".join(names)]
    ones = np.ones([operand.shape[target.index(letter)] for letter in alone], grad_out.dtype)
    terms = ",".join([output, *names, "".join(alone)])
    return np.einsum(f"{terms}->{target}", grad_out, *others, ones, optimize=True)
    ### END SOLUTION


def _einsum(subscripts: str, *operands: Arr) -> Arr:
    return np.einsum(subscripts, *operands, optimize=True)


def einsum(subscripts: str, *operands: Tensor | Arr) -> Tensor:
    """Compute an einsum of any number of tensors."""
    for i in range(len(operands)):
        BACK_FUNCS.add_back_func(_einsum, i + 1, functools.partial(einsum_back, i))
    return wrap_forward_fn(_einsum)(subscripts, *operands)


# %%
def unique_parameters(module: Module) -> list[Parameter]:
    """List every parameter in a module once, though it may be reached by several paths."""
    ### BEGIN SOLUTION
    return list(dict.fromkeys(module.parameters()))  # a dict tells tensors apart by identity
    ### END SOLUTION


# %%
def detach(x: Tensor) -> Tensor:
    """Give a tensor that shares the array of `x` and has no history."""
    ### BEGIN SOLUTION
    return Tensor(x.array)
    ### END SOLUTION


round_half_even = wrap_forward_fn(np.round, is_differentiable=False)


def round_straight_through(x: Tensor) -> Tensor:
    """Round each element, with the gradient of the identity.

    Source: the straight-through estimator of Bengio et al. 2013, arXiv:1308.3432.
    """
    ### BEGIN SOLUTION
    return x + detach(round_half_even(x) - x)
    ### END SOLUTION


# %%
def wrap_with_keywords(
    numpy_func: Callable[..., Arr], is_differentiable: bool = True
) -> Callable[..., Tensor]:
    """Wrap a function as `wrap_forward_fn` does; a tensor may also come by keyword.

    Args:
        numpy_func: A Python function, so that `inspect.signature` knows its parameters.
        is_differentiable: If not, the result never requires a gradient.
    """
    ### BEGIN SOLUTION
    signature = inspect.signature(numpy_func)
    forward = wrap_forward_fn(numpy_func, is_differentiable)

    def tensor_func(*args: Any, **kwargs: Any) -> Tensor:
        bound = signature.bind(*args, **kwargs)
        return forward(*bound.args, **bound.kwargs)

    return tensor_func
    ### END SOLUTION


# %%
def stack_back(
    position: int,
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    *arrays: Float[Arr, "*shape"],
    dim: int = 0,
) -> Float[Arr, "*shape"]:
    """Carry the gradient of a loss back through `out = stack(arrays, dim)` to one array."""
    ### BEGIN SOLUTION
    return np.take(grad_out, position, axis=dim)
    ### END SOLUTION


def _stack(*arrays: Arr, dim: int = 0) -> Arr:
    return np.stack(arrays, axis=dim)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis `dim`."""
    for i in range(len(tensors)):
        BACK_FUNCS.add_back_func(_stack, i, functools.partial(stack_back, i))
    return wrap_forward_fn(_stack)(*tensors, dim=dim)


# %%
def sliding_windows(
    x: Float[Arr, "*batch height width"], kernel_height: int, kernel_width: int, stride: int = 1
) -> Float[Arr, "*batch out_height out_width {kernel_height} {kernel_width}"]:
    """Show every window of each picture, as a view that copies nothing.

    Args:
        x: Pictures of any strides.
        kernel_height: Rows of a window.
        kernel_width: Columns of a window.
        stride: Pixels between one window and the next, both ways.
    """
    ### BEGIN SOLUTION
    *batch, height, width = x.shape
    *batch_steps, row_step, col_step = x.strides
    out_height = (height - kernel_height) // stride + 1
    out_width = (width - kernel_width) // stride + 1
    return np.lib.stride_tricks.as_strided(
        x,
        (*batch, out_height, out_width, kernel_height, kernel_width),
        (*batch_steps, stride * row_step, stride * col_step, row_step, col_step),
        writeable=False,
    )
    ### END SOLUTION


def sliding_windows_back(
    grad_out: Float[Arr, "*batch out_height out_width kernel_height kernel_width"],
    out: Float[Arr, "*batch out_height out_width kernel_height kernel_width"],
    x: Float[Arr, "*batch height width"],
    kernel_height: int,
    kernel_width: int,
    stride: int = 1,
) -> Float[Arr, "*batch height width"]:
    """Carry the gradient back through `sliding_windows`: add up where windows overlap."""
    ### BEGIN SOLUTION
    grad = np.zeros_like(x)
    out_height, out_width = grad_out.shape[-4:-2]
    for row, col in np.ndindex(kernel_height, kernel_width):
        rows = slice(row, row + stride * out_height, stride)
        cols = slice(col, col + stride * out_width, stride)
        grad[..., rows, cols] += grad_out[..., row, col]
    return grad
    ### END SOLUTION


windows = wrap_forward_fn(sliding_windows)
register(sliding_windows, sliding_windows_back)


# %%
def _pad2d(x: Arr, pad_height: int, pad_width: int) -> Arr:
    before = [(0, 0)] * (x.ndim - 2)
    return np.pad(x, [*before, (pad_height, pad_height), (pad_width, pad_width)])


def _pad2d_back(grad_out: Arr, out: Arr, x: Arr, pad_height: int, pad_width: int) -> Arr:
    height, width = x.shape[-2:]
    return grad_out[..., pad_height : pad_height + height, pad_width : pad_width + width]


pad2d = wrap_forward_fn(_pad2d)
register(_pad2d, _pad2d_back)


def conv1d(
    x: Float[Tensor, "batch in_channels width"],
    weight: Float[Tensor, "out_channels in_channels kernel_width"],
    stride: int = 1,
    padding: int = 0,
) -> Float[Tensor, "batch out_channels out_width"]:
    """Slide each kernel along each row and give the dot products (no kernel is turned round)."""
    ### BEGIN SOLUTION
    (batch, in_channels, width), (out_channels, _, kernel_width) = x.shape, weight.shape
    padded = pad2d(x.reshape((batch, in_channels, 1, width)), 0, padding)
    kernels = weight.reshape((out_channels, in_channels, 1, kernel_width))
    return conv2d(padded, kernels, stride).reshape((batch, out_channels, -1))
    ### END SOLUTION


def conv2d(
    x: Float[Tensor, "batch in_channels height width"],
    weight: Float[Tensor, "out_channels in_channels kernel_height kernel_width"],
    stride: int = 1,
    padding: int = 0,
) -> Float[Tensor, "batch out_channels out_height out_width"]:
    """Slide each kernel over each picture and give the dot products, as conv1d does."""
    ### BEGIN SOLUTION
    patches = windows(pad2d(x, padding, padding), *weight.shape[2:], stride)
    return einsum("b c i j h w, o c h w -> b o i j", patches, weight)
    ### END SOLUTION


# %%
def _amax(x: Arr, dim: int | tuple[int, ...]) -> Arr:
    return np.max(x, axis=dim)


def amax_back(
    grad_out: Float[Arr, "*out"],
    out: Float[Arr, "*out"],
    x: Float[Arr, "*x"],
    dim: int | tuple[int, ...],
) -> Float[Arr, "*x"]:
    """Carry the gradient of a loss back through `out = x.max(dim)`; ties share it equally."""
    ### BEGIN SOLUTION
    is_max = x == np.expand_dims(out, dim)
    n_ties = is_max.sum(axis=dim)
    return is_max * np.expand_dims(grad_out / n_ties.astype(x.dtype), dim)
    ### END SOLUTION


amax = wrap_forward_fn(_amax)
register(_amax, amax_back)


def max_pool2d(
    x: Float[Tensor, "batch channels height width"], kernel_size: int, stride: int | None = None
) -> Float[Tensor, "batch channels out_height out_width"]:
    """Give the largest element of each window; windows lie side by side unless `stride` says."""
    ### BEGIN SOLUTION
    patches = windows(x, kernel_size, kernel_size, kernel_size if stride is None else stride)
    return amax(patches, (-2, -1))
    ### END SOLUTION


# %%
class Sequential(Module):
    """Modules that run one after the other."""

    def __init__(self, *modules: Module) -> None:
        super().__init__()
        for i, module in enumerate(modules):
            setattr(self, str(i), module)

    def forward(self, x: Tensor) -> Tensor:
        """Hand the output of each module to the next."""
        for module in self.modules():
            x = module(x)
        return x


class Conv2d(Module):
    """The function conv2d as a module without bias, weights from ±1 / √(inputs of a kernel)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.stride, self.padding = stride, padding
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        bound = (in_channels * kernel_size**2) ** -0.5
        self.weight = Parameter(empty(*shape).uniform_(-bound, bound))

    def forward(self, x: Float[Tensor, "batch in_channels height width"]) -> Tensor:
        """Convolve."""
        return conv2d(x, self.weight, self.stride, self.padding)

    def extra_repr(self) -> str:
        """Say the shape of the weights, and how they move."""
        return f"{self.weight.shape}, stride={self.stride}, padding={self.padding}"


class BatchNorm2d(Module):
    """Bring each channel to mean 0 and variance 1, then scale and shift it.

    `weight` and `bias` are parameters, `running_mean` and `running_var` plain arrays, each of one
    number a channel. While `training` is true (set it to False to evaluate) the statistics are
    those of the batch, and the running ones move towards them.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        """Start with weight 1, bias 0, running mean 0 and running variance 1.

        Args:
            num_features: Number of channels.
            eps: Added to the variance.
            momentum: Share of the batch in the new running statistics; its variance counts there
                with n - 1 in the denominator, and with n where it normalises.
        """
        super().__init__()
        self.eps, self.momentum, self.training = eps, momentum, True
        ### BEGIN SOLUTION
        self.weight = Parameter(Tensor(np.ones(num_features)))
        self.bias = Parameter(Tensor(np.zeros(num_features)))
        self.running_mean = np.zeros(num_features, np.float32)
        self.running_var = np.ones(num_features, np.float32)
        ### END SOLUTION

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Normalise each channel."""
        ### BEGIN SOLUTION
        shape = (1, x.shape[1], 1, 1)
        mean = Tensor(self.running_mean.reshape(shape))
        var = Tensor(self.running_var.reshape(shape))
        if self.training:
            n = x.array.size // x.shape[1]
            mean = x.sum((0, 2, 3), keepdim=True) / n
            var = ((x - mean) * (x - mean)).sum((0, 2, 3), keepdim=True) / n
            self._follow(mean.array.ravel(), var.array.ravel() * n / (n - 1))
        normed = (x - mean) * ((var + self.eps).log() * -0.5).exp()  # exp(-½ log v) is 1 / √v
        return normed * self.weight.reshape(shape) + self.bias.reshape(shape)

    def _follow(self, mean: Float[Arr, " channels"], var: Float[Arr, " channels"]) -> None:
        self.running_mean = self.running_mean + self.momentum * (mean - self.running_mean)
        self.running_var = self.running_var + self.momentum * (var - self.running_var)
        ### END SOLUTION


# %%
class AveragePool(Module):
    """Replace each channel by its mean."""

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels"]:
        """Average over height and width."""
        ### BEGIN SOLUTION
        return x.sum((2, 3)) / (x.shape[2] * x.shape[3])
        ### END SOLUTION


class ResidualBlock(Module):
    """Two convolutions, and a way past them: relu(left(x) + right(x)).

    left: 3×3 convolution (stride first_stride), batch norm, ReLU, 3×3 convolution, batch norm.
    right: nothing where the shape stays; else 1×1 convolution (stride first_stride), batch norm.
    """

    def __init__(self, in_feats: int, out_feats: int, first_stride: int = 1) -> None:
        """Make both branches.

        Args:
            in_feats: Channels of the input.
            out_feats: Channels of the output.
            first_stride: 2 halves height and width.
        """
        super().__init__()
        ### BEGIN SOLUTION
        self.left = Sequential(
            Conv2d(in_feats, out_feats, 3, first_stride, padding=1),
            BatchNorm2d(out_feats),
            ReLU(),
            Conv2d(out_feats, out_feats, 3, padding=1),
            BatchNorm2d(out_feats),
        )
        self.right = Sequential()
        if first_stride > 1 or in_feats != out_feats:
            self.right = Sequential(
                Conv2d(in_feats, out_feats, 1, first_stride), BatchNorm2d(out_feats)
            )
        ### END SOLUTION

    def forward(
        self, x: Float[Tensor, "batch in_feats height width"]
    ) -> Float[Tensor, "batch out_feats out_height out_width"]:
        """Add the two branches."""
        ### BEGIN SOLUTION
        return (self.left(x) + self.right(x)).relu()
        ### END SOLUTION


# %%
def set_training(module: Module, training: bool) -> None:
    """Switch every batch norm inside a module to training or to evaluation."""
    if isinstance(module, BatchNorm2d):
        module.training = training
    for child in module.modules():
        set_training(child, training)


if MAIN:
    train_loader, test_loader = get_mnist()
    resnet = Sequential(
        Conv2d(1, 8, 3, stride=2, padding=1),
        BatchNorm2d(8),
        ReLU(),
        ResidualBlock(8, 16, first_stride=2),
        ResidualBlock(16, 32, first_stride=2),
        AveragePool(),
        Linear(32, 10),
    )
    optimizer = SGD(resnet.parameters(), lr=0.1)
    for epoch in range(3):
        set_training(resnet, True)
        train(resnet, train_loader, optimizer, epoch)
        set_training(resnet, False)
        print(f"Accuracy after epoch {epoch}: {test(resnet, test_loader):.1%}")
