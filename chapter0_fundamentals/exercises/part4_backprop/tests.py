"""Checks of 0.4 Backprop: expected values come from numbers worked out by hand and from numpy."""

import contextlib
import sys
import warnings

import numpy as np

from arena_lab.checks import call, checks, expect, fail, require

LOG2 = 0.6931472


# --- helpers ----------------------------------------------------------------------------------


def floats(values):
    return np.array(values, dtype=np.float32)


def numbers(*shape):
    """Make distinct numbers between 0.5 and 2, the same each time."""
    rng = np.random.default_rng(sum(shape))
    return rng.uniform(0.5, 2.0, shape).astype(np.float32)


def leaf(Tensor, values):
    return Tensor(floats(values), requires_grad=True)


def expect_tensor(actual, expected, *, of, mistakes=None):
    """Compare the array of a result that must be a tensor."""
    if isinstance(actual, np.ndarray | np.generic):
        fail(f"{of} is a numpy array; wrap it in a Tensor", result=actual)
    expect(getattr(actual, "array", actual), expected, of=of, mistakes=mistakes)


def expect_grad(tensor, expected, *, of, mistakes=None):
    """Compare the gradient of a leaf."""
    if tensor.grad is None:
        fail(f"{of} is None: the gradient never arrived at this leaf", expected=expected)
    shape = getattr(tensor.grad, "shape", tensor.shape)
    if shape != tensor.shape and len(shape) >= tensor.ndim:
        fail(
            f"{of} has the shape {shape}, its tensor {tensor.shape}: a gradient must have the "
            "shape of its tensor (unbroadcast it)",
            expected=expected,
        )
    expect_tensor(tensor.grad, expected, of=of, mistakes=mistakes)


def forward(function, *args, **kwargs):
    """Call a function of tensors, and explain numpy's error for a tensor."""
    try:
        return call(function, *args, **kwargs).value
    except TypeError as error:
        if "__array_ufunc__" not in str(error):
            raise
        fail(
            f"{function.__name__}: numpy got a Tensor; hand it the tensor's array, "
            "or use a function of tensors",
            raised=str(error),
        )


def expect_no_history(out, *, of, because):
    sentence = f"{of} must not require a gradient: {because}"
    require(not out.requires_grad, sentence)
    require(out.recipe is None, f"{of} must have no recipe: {because}", recipe=repr(out.recipe))


def expect_recipe(out, func, args, parents, kwargs=None, *, of):
    """Check what a result remembers; arrays and tensors are compared by identity."""
    require(
        bool(out.requires_grad),
        f"{of} does not require a gradient, though a tensor that it is computed from does",
    )
    recipe = out.recipe
    if recipe is None:
        fail(f"{of} has no recipe, though a tensor that it is computed from requires a gradient")
    shown = {"recipe": repr(recipe)}
    if recipe.func is not func:
        name = getattr(func, "__name__", repr(func))
        fail(f"{of}: recipe.func must be the function of numpy arrays, {name}", **shown)
    require(isinstance(recipe.args, tuple), f"{of}: recipe.args must be a tuple", **shown)
    require(
        len(recipe.args) == len(args),
        f"{of}: recipe.args holds {len(recipe.args)} arguments, not {len(args)}",
        **shown,
    )
    for i, (have, want) in enumerate(zip(recipe.args, args, strict=True)):
        if hasattr(have, "array"):
            fail(f"{of}: recipe.args[{i}] is a Tensor; it must be the tensor's array", **shown)
        same = have is want if isinstance(want, np.ndarray) else have == want
        require(same, f"{of}: recipe.args[{i}] is not argument {i} itself, or its array", **shown)
    require(
        recipe.kwargs == (kwargs or {}),
        f"{of}: recipe.kwargs must be {kwargs or {}}, the keyword arguments of the call",
        **shown,
    )
    expect_parents(recipe, args, parents, of=of)


def expect_parents(recipe, args, parents, *, of):
    shown = {"recipe.parents": repr(recipe.parents)}
    require(
        isinstance(recipe.parents, dict),
        f"{of}: recipe.parents must be a dict from the position of an argument to its tensor",
        **shown,
    )
    for position, parent in parents.items():
        if recipe.parents.get(position) is not parent:
            fail(
                f"{of}: recipe.parents[{position}] must be the tensor that is argument {position}",
                **shown,
            )
    for position, parent in recipe.parents.items():
        if position not in range(len(args)) or not hasattr(parent, "array"):
            fail(f"{of}: recipe.parents[{position}] is not a tensor among the arguments", **shown)


@contextlib.contextmanager
def tracking_off(Tensor):
    """Switch the flag of the learner's module off, as NoGrad will."""
    names = vars(sys.modules[Tensor.__module__])
    before = names["grad_tracking_enabled"]
    names["grad_tracking_enabled"] = False
    try:
        yield
    finally:
        names["grad_tracking_enabled"] = before


# --- Introduction -----------------------------------------------------------------------------


@checks("log_back")
def test_log_back(log_back):
    grad_out, x = np.array([2.0, 3.0]), np.array([0.5, 4.0])
    call(log_back, grad_out, np.log(x), x).gives(
        [4.0, 0.75] * np.ones(2),
        mistakes={
            "grad_out is not used: this is the derivative alone, 1/x": 1 / x,
            "the gradient is divided by out = log(x); divide by x": grad_out / np.log(x),
            "the gradient is multiplied by x; the derivative of log(x) is 1/x": grad_out * x,
            "the fraction is upside down: divide grad_out by x": x / grad_out,
            "this is the forward function: log(x)": np.log(x),
        },
    )


@checks("log_back")
def test_log_back_takes_any_shape(log_back):
    x = numbers(3, 4).T  # not contiguous
    call(log_back, 2 * np.ones_like(x), np.log(x), x).gives(2 / x)
    x = np.array(4.0)
    call(log_back, np.array(2.0), np.log(x), x).gives(0.5)


@checks("unbroadcast")
def test_unbroadcast(unbroadcast):
    grad = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    call(unbroadcast, grad, np.zeros(3)).gives(
        np.array([11.0, 22.0, 33.0]),
        mistakes={
            "one of the copies is taken; the gradients of all copies must be added": grad[0],
            "the mean over the copies is taken; they must be added": grad.mean(0),
            "summed along the last axis; broadcasting prepends axes at the front": grad.sum(1),
            "nothing was summed: the axis that was prepended is still there": grad,
        },
    )


@checks("unbroadcast")
def test_unbroadcast_two_prepended_axes(unbroadcast):
    grad = numbers(3, 3, 3)
    call(unbroadcast, grad, np.zeros(3)).gives(
        grad.sum((0, 1)),
        mistakes={
            "only one of the two prepended axes was summed": grad.sum(0),
            "a sum without keepdims moves the axes behind it one place forward: sum axis 0 each "
            "time, or all at once": grad.sum(0).sum(1),
        },
    )


@checks("unbroadcast")
def test_unbroadcast_stretched(unbroadcast):
    grad = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    call(unbroadcast, grad, np.zeros((2, 1))).gives(
        np.array([[6.0], [60.0]]),
        mistakes={
            "the stretched axis is gone; sum with keepdims=True": np.array([6.0, 60.0]),
            "one of the copies is taken; the gradients of all copies must be added": grad[:, :1],
            "nothing was summed: the stretched axis still has its long length": grad,
        },
    )


@checks("unbroadcast")
def test_unbroadcast_prepended_and_stretched(unbroadcast):
    grad = numbers(5, 2, 3, 4)
    stretched_only = grad.sum(axis=2, keepdims=True)
    call(unbroadcast, grad, np.zeros((2, 1, 4))).gives(
        grad.sum(axis=0).sum(axis=1, keepdims=True),
        mistakes={
            "the stretched axis was summed but not the prepended one": stretched_only,
            "the prepended axis was summed but not the stretched one": grad.sum(axis=0),
            "the wrong axis is summed: axis 1 of the original is axis 2 here, behind the one that "
            "was prepended": grad.sum(axis=1, keepdims=True).sum(axis=0),
        },
    )


@checks("unbroadcast")
def test_unbroadcast_special_shapes(unbroadcast):
    ones = np.ones((2, 3, 4))
    call(unbroadcast, ones, np.zeros((2, 3, 4))).gives(ones)
    call(unbroadcast, ones, np.zeros((1, 4))).gives(6 * np.ones((1, 4)))
    call(unbroadcast, ones, np.zeros((1, 1, 1))).gives(24 * np.ones((1, 1, 1)))
    call(unbroadcast, np.array([1.0, 2.0, 4.0]), np.array(0.0)).gives(7.0)
    call(unbroadcast, np.array(3.0), np.array(0.0)).gives(3.0)
    call(unbroadcast, np.ones((2, 1, 3)), np.zeros((1, 3))).gives(2 * np.ones((1, 3)))
    call(unbroadcast, np.ones((0, 3)), np.ones((1, 3))).gives(np.zeros((1, 3)))


@checks("multiply_back0")
def test_multiply_back(multiply_back0, multiply_back1):
    grad_out, x, y = np.array([3.0, 2.0]), np.array([1.0, 5.0]), np.array([10.0, 7.0])
    for back, right, wrong, other in (
        (multiply_back0, y, x, "y"),
        (multiply_back1, x, y, "x"),
    ):
        call(back, grad_out, x * y, x, y).gives(
            grad_out * right,
            mistakes={
                f"multiply grad_out by the other argument, {other}": grad_out * wrong,
                "grad_out is not used: this is the derivative alone": right,
                "grad_out is multiplied by out": grad_out * x * y,
                f"grad_out is divided by {other}; multiply": grad_out / right,
            },
        )


@checks("multiply_back0")
def test_multiply_back_broadcasted(multiply_back0, multiply_back1):
    x, y = numbers(2, 3), numbers(3)
    grad_out = numbers(2, 3) + 1
    call(multiply_back0, grad_out, x * y, x, y).gives(grad_out * y)
    call(multiply_back1, grad_out, x * y, x, y).gives(
        (grad_out * x).sum(0),
        mistakes={
            "the result has the shape of out; unbroadcast it to the shape of y": grad_out * x,
            "unbroadcast after the product, not before: (grad_out * x), summed": grad_out.sum(0)
            * x.sum(0),
        },
    )
    x, y = numbers(1, 3), numbers(2, 1)
    call(multiply_back0, grad_out, x * y, x, y).gives(
        (grad_out * y).sum(0, keepdims=True),
        mistakes={
            "the result has the shape of out; unbroadcast it to the shape of x": grad_out * y
        },
    )
    call(multiply_back1, grad_out, x * y, x, y).gives((grad_out * x).sum(1, keepdims=True))


@checks("multiply_back0")
def test_multiply_back_float(multiply_back0, multiply_back1):
    grad_out, array = floats([3.0, 2.0]), floats([1.0, 5.0])
    call(multiply_back0, grad_out, array * 4.0, array, 4.0).gives(4 * grad_out)
    call(multiply_back1, grad_out, 4.0 * array, 4.0, array).gives(4 * grad_out)


@checks("forward_and_back")
def test_forward_and_back(forward_and_back):
    a, b, c = np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 1.0]), np.array([10.0])
    # g = log a + log b + log(log c), and each of the three elements of g holds c.
    dc = 1 / (10 * np.log(10.0))
    log_c = np.log(10.0)
    g = np.log(a * b * log_c)
    call(forward_and_back, a, b, c).gives(
        (1 / a, 1 / b, np.array([3 * dc])),
        mistakes={
            "the gradient of c is not the sum over its three copies": (
                1 / a,
                1 / b,
                np.array([dc]),
            ),
            "the gradient of c stops at e: go on through e = log(c)": (
                1 / a,
                1 / b,
                np.array([3 / np.log(10.0)]),
            ),
            "the gradients of a and b are swapped": (1 / b, 1 / a, np.array([3 * dc])),
            "start from ones, the gradient of the loss with respect to g, not from g itself": (
                g / a,
                g / b,
                np.array([g.sum() * dc]),
            ),
            "the loss is the sum of g, not its mean": (1 / a / 3, 1 / b / 3, np.array([dc])),
            "log_back(grad_g, g, f) divides by its third argument, f; here it was g": (
                b * log_c / g,
                a * log_c / g,
                np.array([(a * b / g).sum() / 10]),
            ),
        },
    )


@checks("forward_and_back")
def test_forward_and_back_without_broadcasting(forward_and_back):
    a, b, c = numbers(2, 2), numbers(2, 2) + 1, numbers(2, 2) + 2
    call(forward_and_back, a, b, c).gives((1 / a, 1 / b, 1 / (c * np.log(c))))


# --- Autograd ---------------------------------------------------------------------------------


@checks("BackwardFuncLookup")
def test_backward_func_lookup(BackwardFuncLookup):
    def back_a(): ...
    def back_b(): ...
    def back_c(): ...

    lookup = BackwardFuncLookup()
    lookup.add_back_func(np.log, 0, back_a)
    lookup.add_back_func(np.multiply, 0, back_b)
    lookup.add_back_func(np.multiply, 1, back_c)
    wanted = {(np.log, 0): back_a, (np.multiply, 0): back_b, (np.multiply, 1): back_c}
    for (function, position), back in wanted.items():
        text = f"get_back_func({function.__name__}, {position})"
        try:
            found = lookup.get_back_func(function, position)
        except KeyError as error:
            fail(
                f"{text} finds nothing, though a function was added: the next one took its place",
                raised=f"KeyError: {error}",
            )
        if found is None:
            fail(f"{text} returned None: is a return statement missing?")
        if found is back_c and back is back_b:
            fail("one position overwrites the other: store a function for each position")
        if found is back_b and back is back_a:
            fail("one function overwrites another: store by the forward function too")
        require(found is back, f"{text} is not the function that was added", returned=repr(found))


@checks("BackwardFuncLookup")
def test_backward_func_lookup_replaces(BackwardFuncLookup):
    lookup, other = BackwardFuncLookup(), BackwardFuncLookup()
    lookup.add_back_func(np.log, 0, abs)
    lookup.add_back_func(np.log, 0, max)
    require(lookup.get_back_func(np.log, 0) is max, "a function added again must replace the first")
    try:
        found = other.get_back_func(np.log, 0)
    except Exception:
        found = None
    require(found is not max, "two lookups share one dict: make a new one in __init__")
    require(found is None, "nothing was added to this lookup, only to another one", returned=found)


@checks("log_forward")
def test_log(Tensor, log_forward):
    x = leaf(Tensor, [1.0, 2.0, 4.0])
    out = forward(log_forward, x)
    expect_tensor(out, [0.0, LOG2, 2 * LOG2] * np.ones(3), of="log_forward(x)")
    expect_recipe(out, np.log, (x.array,), {0: x}, of="log_forward(x)")
    require(out.grad is None, "out.grad must stay None: only backprop writes gradients")
    require(x.recipe is None, "x came from outside: log_forward must not give x a recipe")


@checks("log_forward")
def test_log_scalar(Tensor, log_forward):
    x = leaf(Tensor, 2.0)
    out = forward(log_forward, x)
    expect_tensor(out, np.array(LOG2, np.float32), of="log_forward of a tensor without axes")
    expect_recipe(out, np.log, (x.array,), {0: x}, of="log_forward of a tensor without axes")


@checks("log_forward")
def test_log_no_grad(Tensor, log_forward):
    out = forward(log_forward, Tensor(floats([1.0, 2.0])))
    expect_tensor(out, floats([0.0, LOG2]), of="log_forward(x)")
    expect_no_history(out, of="log_forward(x)", because="x does not require a gradient")


@checks("log_forward")
def test_log_tracking_off(Tensor, log_forward):
    with tracking_off(Tensor):
        out = forward(log_forward, leaf(Tensor, [1.0, 2.0]))
    expect_tensor(out, floats([0.0, LOG2]), of="log_forward(x)")
    expect_no_history(out, of="log_forward(x)", because="grad_tracking_enabled is False")


def check_multiply(Tensor, multiply):
    a, b = leaf(Tensor, [1.0, 2.0, 3.0]), leaf(Tensor, [[2.0], [10.0]])
    of = f"{multiply.__name__}(a, b)"
    out = forward(multiply, a, b)
    expect_tensor(out, a.array * b.array, of=of)
    expect_recipe(out, np.multiply, (a.array, b.array), {0: a, 1: b}, of=of)


def check_multiply_no_grad(Tensor, multiply):
    a, b = Tensor(floats([2.0, 3.0])), Tensor(floats([4.0, 5.0]))
    of = f"{multiply.__name__}(a, b)"
    out = forward(multiply, a, b)
    expect_tensor(out, floats([8.0, 15.0]), of=of)
    expect_no_history(out, of=of, because="neither a nor b requires a gradient")
    a, b = Tensor(floats([2.0, 3.0])), leaf(Tensor, [4.0, 5.0])
    for args, position in (((a, b), 1), ((b, a), 0)):
        out = forward(multiply, *args)
        arrays = tuple(arg.array for arg in args)
        only = f"{of}, where only {'ab'[position]} requires a gradient,"
        expect_recipe(out, np.multiply, arrays, {position: b}, of=only)


def check_multiply_float(Tensor, multiply):
    a, name = leaf(Tensor, [2.0, 3.0]), multiply.__name__
    for number in (5.0, 5):
        out = forward(multiply, a, number)
        expect_tensor(out, floats([10.0, 15.0]), of=f"{name}(a, {number})")
        expect_recipe(out, np.multiply, (a.array, number), {0: a}, of=f"{name}(a, {number})")
        out = forward(multiply, number, a)
        expect_tensor(out, floats([10.0, 15.0]), of=f"{name}({number}, a)")
        expect_recipe(out, np.multiply, (number, a.array), {1: a}, of=f"{name}({number}, a)")
    out = forward(multiply, Tensor(floats([2.0])), 3.0)
    expect_no_history(out, of=f"{name}(a, 3.0)", because="a does not require a gradient")


def check_multiply_tracking_off(Tensor, multiply):
    with tracking_off(Tensor):
        out = forward(multiply, leaf(Tensor, [2.0]), leaf(Tensor, [3.0]))
    expect_tensor(out, floats([6.0]), of=f"{multiply.__name__}(a, b)")
    expect_no_history(out, of="the product", because="grad_tracking_enabled is False")


@checks("multiply_forward")
def test_multiply_forward(Tensor, multiply_forward):
    check_multiply(Tensor, multiply_forward)


@checks("multiply_forward")
def test_multiply_forward_no_grad(Tensor, multiply_forward):
    check_multiply_no_grad(Tensor, multiply_forward)
    check_multiply_tracking_off(Tensor, multiply_forward)


@checks("multiply_forward")
def test_multiply_forward_float(Tensor, multiply_forward):
    check_multiply_float(Tensor, multiply_forward)


@checks("wrap_forward_fn")
def test_wrap_forward_fn(Tensor, wrap_forward_fn):
    def scale(x, y, z, factor=1.0):
        return (x + y * z) * factor

    x, z = leaf(Tensor, [1.0, 2.0]), Tensor(floats([3.0, 4.0]))
    wrapped = wrap_forward_fn(scale)
    require(callable(wrapped), "wrap_forward_fn must return a function", returned=repr(wrapped))
    out = forward(wrapped, x, 10.0, z, factor=2.0)
    expect_tensor(
        out,
        floats([62.0, 84.0]),
        of="wrapped(x, 10.0, z, factor=2.0)",
        mistakes={"the keyword arguments are not passed on to numpy_func": floats([31.0, 42.0])},
    )
    args, of = (x.array, 10.0, z.array), "wrapped(x, 10.0, z, factor=2.0)"
    expect_recipe(out, scale, args, {0: x}, {"factor": 2.0}, of=of)


@checks("wrap_forward_fn")
def test_wrap_forward_fn_keeps_functions_apart(Tensor, wrap_forward_fn):
    log, square = wrap_forward_fn(np.log), wrap_forward_fn(np.square)
    x = leaf(Tensor, [2.0])
    expect_tensor(forward(log, x), floats([LOG2]), of="wrap_forward_fn(np.log)(x)")
    expect_tensor(square(x), floats([4.0]), of="wrap_forward_fn(np.square)(x)")
    of = "wrap_forward_fn(np.square)(x)"
    expect_recipe(square(x), np.square, (x.array,), {0: x}, of=of)


@checks("wrap_forward_fn")
def test_wrap_forward_fn_no_history(Tensor, wrap_forward_fn):
    x = leaf(Tensor, [1.4, 2.6])
    rounded = wrap_forward_fn(np.round, is_differentiable=False)(x)
    expect_tensor(rounded, floats([1.0, 3.0]), of="wrap_forward_fn(np.round, ...)(x)")
    expect_no_history(rounded, of="the result", because="is_differentiable is False")
    out = wrap_forward_fn(np.log)(Tensor([1.0]))
    expect_no_history(out, of="the result", because="its input does not")
    log = wrap_forward_fn(np.log)
    with tracking_off(Tensor):
        out = log(x)
    because = "grad_tracking_enabled is False when it is called"
    expect_no_history(out, of="the result", because=because)


@checks("wrap_forward_fn")
def test_multiply(Tensor, multiply):
    check_multiply(Tensor, multiply)


@checks("wrap_forward_fn")
def test_multiply_no_grad(Tensor, multiply):
    check_multiply_no_grad(Tensor, multiply)


@checks("wrap_forward_fn")
def test_multiply_float(Tensor, multiply):
    check_multiply_float(Tensor, multiply)


@checks("wrap_forward_fn")
def test_eq(Tensor, eq):
    a, b = leaf(Tensor, [1.0, 2.0, 3.0]), Tensor(floats([1.0, 0.0, 3.0]))
    out = eq(a, b)
    expect_tensor(out, np.array([True, False, True]), of="eq(a, b)")
    expect_no_history(out, of="eq(a, b)", because="eq is not differentiable")
    expect_tensor(a == 2.0, np.array([False, True, False]), of="a == 2.0")


@checks("wrap_forward_fn")
def test_sum(Tensor):
    x = leaf(Tensor, [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    out = x.sum()
    expect_tensor(out, np.array(66.0, np.float32), of="x.sum()")
    require(out.recipe is not None, "x.sum() has no recipe, though x requires a gradient")
    expect_parents(out.recipe, (x.array,), {0: x}, of="x.sum()")
    out = x.sum(1, keepdim=True)
    expect_tensor(
        out,
        floats([[6.0], [60.0]]),
        of="x.sum(1, keepdim=True)",
        mistakes={"the keyword arguments are lost on the way to numpy": floats(66.0)},
    )
    require(
        out.recipe.kwargs == {"dim": 1, "keepdim": True},
        "recipe.kwargs must hold the keyword arguments of the call: sum's backward needs them",
        **{"recipe.kwargs": repr(out.recipe.kwargs)},
    )


class Node:
    """A node of a small graph."""

    def __init__(self, name, *children):
        self.name, self.children = name, list(children)

    def __repr__(self):
        return self.name


def children_of(node):
    return node.children


def check_sorted(result, node, nodes):
    """Check a list of nodes: all of them, once each, children before parents, `node` last."""
    require(
        isinstance(result, list | tuple),
        "topological_sort must return a list",
        returned=repr(result),
    )
    result = list(result)
    shown = {"returned": repr(result)}
    for wanted in nodes:
        count = sum(found is wanted for found in result)
        require(count > 0, f"node {wanted} is missing from the list", **shown)
        require(count == 1, f"node {wanted} is in the list {count} times", **shown)
    require(len(result) == len(nodes), "the list holds what is not a node of the graph", **shown)
    position = {id(found): i for i, found in enumerate(result)}
    backwards = result[0] is node and len(nodes) > 1
    for parent in nodes:
        for child in parent.children:
            if position[id(child)] > position[id(parent)]:
                hint = ": the order is the wrong way round" if backwards else ""
                fail(f"{child}, a child of {parent}, must come before {parent}{hint}", **shown)
    require(result[-1] is node, "the node itself must come last", **shown)


@checks("topological_sort")
def test_topological_sort_linked_list(topological_sort):
    z = Node("z")
    y = Node("y", z)
    x = Node("x", y)
    check_sorted(call(topological_sort, x, children_of).value, x, [x, y, z])
    check_sorted(call(topological_sort, z, children_of).value, z, [z])


@checks("topological_sort")
def test_topological_sort_branching(topological_sort):
    z, y, w = Node("z"), Node("y"), Node("w")
    x = Node("x", y, z)
    root = Node("root", w, x)
    check_sorted(call(topological_sort, root, children_of).value, root, [root, w, x, y, z])


@checks("topological_sort")
def test_topological_sort_rejoining(topological_sort):
    z = Node("z")
    y = Node("y", z)
    w = Node("w", z, y)
    x = Node("x", z, w, y, y)
    try:
        result = topological_sort(x, children_of)
    except NotImplementedError:
        raise
    except Exception as error:
        fail(
            "topological_sort raised an error for a graph without a cycle: a node that is reached "
            "by two paths is no cycle, only one that is reached from itself",
            graph="x → z, w, y, y;  w → z, y;  y → z",
            raised=repr(error),
        )
    check_sorted(result, x, [x, y, z, w])


@checks("topological_sort")
def test_topological_sort_cyclic(topological_sort):
    a, b, c, loop = Node("a"), Node("b"), Node("c"), Node("loop")
    a.children, b.children, c.children, loop.children = [b], [c], [b], [loop]
    for start, cycle in ((b, "b → c → b"), (a, "a → b → c → b"), (loop, "loop → loop")):
        try:
            result = topological_sort(start, children_of)
        except NotImplementedError:
            raise
        except RecursionError:
            fail(
                "topological_sort runs round a cycle until Python's stack is full: notice a node "
                "that is met again while its own children are still being visited",
                graph=cycle,
            )
        except Exception:  # any error will do
            continue
        fail("topological_sort must raise an error for a cycle", graph=cycle, returned=repr(result))


@checks("topological_sort")
def test_topological_sort_visits_a_node_once(topological_sort):
    calls = 0

    def counted(node):
        nonlocal calls
        calls += 1
        require(
            calls < 5000,
            "topological_sort walks through a node again on every path to it, 2⁴⁰ in this graph: "
            "remember which nodes are finished",
        )
        return node.children

    nodes = [Node("0")]
    for i in range(1, 41):
        nodes.append(Node(str(i), nodes[-1], nodes[-1]))
    check_sorted(topological_sort(nodes[-1], counted), nodes[-1], nodes)


@checks("topological_sort")
def test_topological_sort_deep(topological_sort):
    nodes = [Node("0")]
    for i in range(1, 500):
        nodes.append(Node(str(i), nodes[-1]))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)  # a recursive answer with several frames a node is fine
    try:
        check_sorted(topological_sort(nodes[-1], children_of), nodes[-1], nodes)
    finally:
        sys.setrecursionlimit(limit)


@checks("sorted_computational_graph")
def test_sorted_computational_graph(Tensor, sorted_computational_graph):
    a, b = leaf(Tensor, [1.0]), leaf(Tensor, [1.0])  # equal, and yet two nodes
    c = a * b
    d = c.log()
    e = d * c
    names = {id(t): name for t, name in ((a, "a"), (b, "b"), (c, "c"), (d, "d"), (e, "e"))}
    result = call(sorted_computational_graph, e).value
    require(
        isinstance(result, list | tuple),
        "sorted_computational_graph must return a list",
        returned=repr(result),
    )
    order = [names.get(id(node), "?") for node in result]
    shown = {"graph": "c = a * b, d = c.log(), e = d * c", "returned": ", ".join(order)}
    if "b" not in order and "a" in order:
        fail(
            "b is missing: it has the same values as a, and yet is another node. (`b in [a]` is "
            "true where a == b; a set or a dict tells tensors apart)",
            **shown,
        )
    missing = [name for name in "abcde" if name not in order]
    require(missing != ["a", "b"], "a and b are missing: leaves belong to the graph too", **shown)
    require("e" not in missing, "e is missing: the tensor itself belongs to the graph", **shown)
    require(not missing, f"{', '.join(missing)} missing: follow each path to its end", **shown)
    require(sorted(order) == list("abcde"), "each of a, b, c, d, e must be there once", **shown)
    require(order[0] != order[-1] and order[-1] != "e", "e must come first: reverse it", **shown)
    for node, source in ("ed", "ec", "dc", "ca", "cb"):
        require(
            order.index(node) < order.index(source),
            f"{node} must come before {source}, from which it was computed",
            **shown,
        )
    require(
        [id(node) for node in sorted_computational_graph(a)] == [id(a)],
        "the graph of a leaf is the leaf alone",
    )


@checks("sorted_computational_graph")
def test_sorted_computational_graph_long_way(Tensor, sorted_computational_graph):
    a = leaf(Tensor, [1.0])
    b = a.log()
    c = a * b
    ids = [id(node) for node in sorted_computational_graph(c)]
    require(
        ids.index(id(b)) < ids.index(id(a)),
        "a comes before b, which was computed from it: the distance to the end is not enough, for "
        "there is a short way to a and a long one; sort with topological_sort",
        graph="b = a.log(), c = a * b",
    )


@checks("backprop")
def test_backprop(Tensor):
    a = leaf(Tensor, [np.e, np.e**np.e])
    b = a.log()
    c = b.log()
    try:
        c.backward(end_grad=floats([1.0, 1.0]))
    except KeyError as error:
        if not isinstance(error.args[0], Tensor):
            raise
        fail(
            "backprop asks for the gradient of a tensor to which none has come yet: start at the "
            "end node, and go to a tensor after all that were computed from it",
            graph="b = a.log(), c = b.log(), c.backward(ones)",
            raised=f"KeyError: {error}",
        )
    expect_grad(
        a,
        1 / (a.array * np.log(a.array)),
        of="a.grad after b = a.log(); c = b.log(); c.backward(ones)",
        mistakes={
            "only the last step is done: this is the gradient with respect to b": 1 / b.array,
            "only the first step is done: this is the gradient of b": 1 / a.array,
            "this is end_grad itself": floats([1.0, 1.0]),
        },
    )
    require(b.grad is None, "b.grad must stay None: only leaves keep a gradient")
    require(c.grad is None, "c.grad must stay None: only leaves keep a gradient")
    expect_no_history(a.grad, of="a.grad", because="a gradient is no part of the graph")


@checks("backprop")
def test_backprop_uses_end_grad(Tensor):
    a = leaf(Tensor, [1.0, 2.0, 4.0])
    a.log().backward(end_grad=Tensor(floats([2.0, 2.0, 20.0])))
    expect_grad(
        a,
        floats([2.0, 1.0, 5.0]),
        of="a.grad after a.log().backward(end_grad)",
        mistakes={"end_grad is not used": floats([1.0, 0.5, 0.25])},
    )
    a = leaf(Tensor, 4.0)
    a.log().backward()
    expect_grad(a, 0.25, of="a.grad after a.log().backward(), a single number")


@checks("backprop")
def test_backprop_without_end_grad(Tensor, backprop):
    a = leaf(Tensor, [1.0, 2.0])
    backprop(a.log())
    expect_grad(
        a, floats([1.0, 0.5]), of="a.grad after backprop(a.log()), where end_grad is all ones"
    )


@checks("backprop")
def test_backprop_branching(Tensor):
    a, b = leaf(Tensor, [1.0, 2.0, 3.0]), leaf(Tensor, [1.0, 2.0, 4.0])
    c = a * b
    c.backward(end_grad=floats([10.0, 10.0, 10.0]))
    expect_grad(a, 10 * b.array, of="a.grad after c = a * b")
    expect_grad(
        b,
        10 * a.array,
        of="b.grad after c = a * b",
        mistakes={
            "this is the gradient of a: look the function up by the argument's own position": 10
            * b.array
        },
    )


@checks("backprop")
def test_backprop_requires_grad_sum(Tensor):
    a, b = leaf(Tensor, [[1.0, 2.0], [3.0, 4.0]]), leaf(Tensor, [10.0, 20.0])
    c = a * b  # b is broadcast, so its gradients are summed
    c.backward(end_grad=np.ones((2, 2)))
    expect_grad(a, floats([[10.0, 20.0], [10.0, 20.0]]), of="a.grad")
    expect_grad(b, floats([4.0, 6.0]), of="b.grad")


@checks("backprop")
def test_backprop_requires_grad_false(Tensor):
    for text, compute in (
        ("a * b", lambda a, b: a * b),
        ("a.log() * b", lambda a, b: a.log() * b),
        ("b * a", lambda a, b: b * a),
    ):
        a, b = Tensor(floats([1.0, 2.0, 3.0])), leaf(Tensor, [1.0, 2.0, 4.0])
        compute(a, b).backward(end_grad=np.ones(3))
        require(a.grad is None, f"a does not require a gradient, yet it got one from {text}")
        require(b.grad is not None, f"b.grad is None after ({text}).backward()")
    expect_grad(b, a.array, of="b.grad after (b * a).backward()")


@checks("backprop")
def test_backprop_float_arg(Tensor):
    a = leaf(Tensor, [1.0, 2.0])
    (a * 4.0).backward(end_grad=floats([1.0, 1.0]))
    expect_grad(a, floats([4.0, 4.0]), of="a.grad after a * 4.0")
    a = leaf(Tensor, [1.0, 2.0])
    (5 * (4.0 * a)).backward(end_grad=floats([1.0, 1.0]))
    expect_grad(a, floats([20.0, 20.0]), of="a.grad after 5 * (4.0 * a)")
    a = leaf(Tensor, [1.0, 2.0])
    (floats([2.0, 3.0]) * a).backward(end_grad=floats([1.0, 1.0]))
    expect_grad(a, floats([2.0, 3.0]), of="a.grad after array * a")


@checks("backprop")
def test_backprop_shared_parent(Tensor):
    a = leaf(Tensor, [2.0, 3.0])
    (a * a).backward(end_grad=np.ones(2))
    expect_grad(
        a,
        floats([4.0, 6.0]),
        of="a.grad after (a * a).backward()",
        mistakes={"only one of its two uses counts: add up what arrives": floats([2.0, 3.0])},
    )


@checks("backprop")
def test_backprop_diamond(Tensor):
    a = leaf(Tensor, [2.0, 3.0])
    b = a * 2.0
    c = b * b
    (c * b).backward(end_grad=np.ones(2))  # 8 a³
    expect_grad(
        a,
        24 * a.array**2,
        of="a.grad after b = 2a; c = b * b; (c * b).backward()",
        mistakes={
            "b passes on its gradient before all of it arrived, or only a part of it": 8
            * a.array**2,
            "b passes on only what came through c": 16 * a.array**2,
            "what arrived first is passed on once more": 32 * a.array**2,
        },
    )


@checks("backprop")
def test_backprop_accumulates(Tensor):
    a, once = leaf(Tensor, [1.0, 2.0]), floats([3.0, 6.0])
    end_grad = Tensor(floats([1.0, 2.0]))
    out = a * 3.0
    out.backward(end_grad=end_grad)
    first = a.grad
    out.backward(end_grad=end_grad)
    expect_grad(
        a,
        2 * once,
        of="a.grad after two calls of backward",
        mistakes={
            "the second call replaced the gradient of the first; add to it": once,
            "the second call did not start afresh: the gradients inside the graph stayed": 3 * once,
        },
    )
    expect_no_history(a.grad, of="a.grad", because="a gradient is no part of the graph")
    expect(end_grad.array, floats([1.0, 2.0]), of="end_grad after two calls of backward")
    require(first.shape == (2,), "the first gradient lost its shape")


@checks("backprop")
def test_backprop_adds_out_of_place(Tensor, wrap_forward_fn, register):
    def plus(x, y):
        return x + y

    def plus_back(grad_out, out, x, y):
        return grad_out  # the very array, for both arguments

    register(plus, plus_back, plus_back)
    a, end_grad = leaf(Tensor, [1.0, 2.0]), Tensor(floats([1.0, 10.0]))
    wrap_forward_fn(plus)(a * 3.0, a).backward(end_grad=end_grad)
    expect_grad(a, floats([4.0, 40.0]), of="a.grad after plus(a * 3.0, a).backward([1, 10])")
    expect(
        end_grad.array,
        floats([1.0, 10.0]),
        of="end_grad afterwards (+= writes into an array that is another tensor's gradient too; "
        "write grads[parent] + grad)",
    )


@checks("backprop")
def test_backprop_from_a_leaf(Tensor):
    a = leaf(Tensor, [1.0, 2.0])
    end_grad = Tensor(floats([5.0, 7.0]))
    a.backward(end_grad=end_grad)
    expect_grad(a, floats([5.0, 7.0]), of="a.grad after a.backward(end_grad)")
    a.backward(end_grad=end_grad)
    expect_grad(a, floats([10.0, 14.0]), of="a.grad after a.backward(end_grad) twice")
    expect(
        end_grad.array, floats([5.0, 7.0]), of="end_grad afterwards (a.grad must not share memory)"
    )


@checks("backprop")
def test_backprop_calls_the_backward_function(Tensor, wrap_forward_fn, register):
    def pick(x, index, scale=1.0):
        return scale * x[index]

    def pick_back(grad_out, out, x, index, scale=1.0):
        for name, value in (("grad_out", grad_out), ("out", out), ("x", x), ("index", index)):
            if isinstance(value, Tensor):
                fail(f"the backward function got {name} as a Tensor; it takes arrays")
        require(
            scale == 2.0, "the backward function did not get the keyword arguments", scale=scale
        )
        expect(out, floats([6.0, 10.0]), of="`out` in the backward function")
        grad = np.zeros_like(x)
        grad[index] = grad_out * scale
        return grad

    register(pick, pick_back)  # for x alone: an index has no gradient
    x, index = leaf(Tensor, [1.0, 3.0, 5.0]), Tensor(np.array([1, 2]))
    out = wrap_forward_fn(pick)(x, index, scale=2.0)
    try:
        out.backward(end_grad=floats([10.0, 100.0]))
    except KeyError as error:
        fail(
            "backprop looks for a backward function of an argument that requires no gradient; "
            "go only to parents that require one",
            raised=f"KeyError: {error}",
        )
    expect_grad(x, floats([0.0, 20.0, 200.0]), of="x.grad after pick(x, index, scale=2.0)")


@checks("backprop")
def test_backprop_walks_each_node_once(Tensor, wrap_forward_fn, register):
    calls = 0

    def mean(x, y):
        return (x + y) / 2

    def mean_back(grad_out, out, x, y):
        nonlocal calls
        calls += 1
        require(
            calls < 2000,
            "backprop walks through a node again on every path to it, 2⁴⁰ in this graph: first add "
            "up all that arrives at a node, then go on from it once",
        )
        return grad_out / 2

    register(mean, mean_back, mean_back)
    x = out = leaf(Tensor, [1.0])
    for _ in range(40):
        out = wrap_forward_fn(mean)(out, out)
    out.backward(end_grad=floats([3.0]))
    expect_grad(x, floats([3.0]), of="x.grad after 40 means of a tensor with itself")


# --- More functions ---------------------------------------------------------------------------


@checks("negative_back")
def test_negative_back_values(negative_back):
    grad_out, x = floats([1.0, -2.0]), floats([3.0, 5.0])
    call(negative_back, grad_out, -x, x).gives(
        floats([-1.0, 2.0]),
        mistakes={
            "this is -x, the forward function; the gradient is -grad_out": -x,
            "grad_out is not used: this is the derivative alone, -1": floats([-1.0, -1.0]),
            "grad_out is multiplied by out; the derivative of -x is -1": grad_out * -x,
        },
    )


@checks("negative_back")
def test_negative_back(Tensor):
    a = leaf(Tensor, [-1.0, 0.0, 1.0])
    (-a).backward(end_grad=floats([1.0, 2.0, 3.0]))
    expect_grad(a, floats([-1.0, -2.0, -3.0]), of="a.grad after (-a).backward([1, 2, 3])")


@checks("exp_back")
def test_exp_back_values(exp_back):
    grad_out, x = floats([1.0, -2.0]), floats([3.0, 0.5])
    call(exp_back, grad_out, np.exp(x), x).gives(
        grad_out * np.exp(x),
        mistakes={
            "out is already exp(x): multiply by out itself, not by exp(out)": grad_out
            * np.exp(np.exp(x)),
            "grad_out is multiplied by x; the derivative of exp(x) is exp(x)": grad_out * x,
            "grad_out is not used: this is the derivative alone, exp(x)": np.exp(x),
            "grad_out is divided by out; the derivative of exp(x) is exp(x)": grad_out / np.exp(x),
            "this is the rule for a power of x; the derivative of exp(x) is exp(x)": grad_out
            * x
            * np.exp(x - 1),
        },
    )


@checks("exp_back")
def test_exp_back(Tensor):
    a = leaf(Tensor, [-1.0, 0.0, 1.0])
    a.exp().backward(end_grad=floats([1.0, 1.0, 2.0]))
    expect_grad(a, floats([1 / np.e, 1.0, 2 * np.e]), of="a.grad after a.exp().backward([1, 1, 2])")


@checks("reshape_back")
def test_reshape_back_values(reshape_back):
    x, grad_out = numbers(2, 3), floats([[1, 2], [3, 4], [5, 6]])
    call(reshape_back, grad_out, x.reshape(3, 2), x, (3, 2)).gives(
        floats([[1, 2, 3], [4, 5, 6]]),
        mistakes={
            "this has the shape of out; the gradient must have the shape of x": grad_out,
            "this is a transpose; reshape keeps the order of the elements": grad_out.T,
        },
    )
    for shape, new_shape in (((2, 3), 6), ((2, 3), (3, -1)), ((4,), (2, 1, 2)), ((1,), ())):
        x, grad_out = numbers(*shape), numbers(*shape) + 1
        out = x.reshape(new_shape)
        call(reshape_back, grad_out.reshape(out.shape), out, x, new_shape).gives(grad_out)


@checks("reshape_back")
def test_reshape_back(Tensor):
    a = leaf(Tensor, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    a.reshape((3, 2)).backward(end_grad=floats([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    expect_grad(
        a,
        floats([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        of="a.grad after a.reshape((3, 2)).backward(...)",
        mistakes={
            "this is a transpose; reshape keeps the order of the elements": floats(
                [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]
            )
        },
    )


@checks("permute_back")
def test_permute_back_values(permute_back):
    x, axes = numbers(3, 3, 3), (1, 2, 0)
    grad_out = numbers(3, 3, 3) + 1
    call(permute_back, grad_out, x.transpose(axes), x, axes).gives(
        grad_out.transpose(2, 0, 1),
        mistakes={
            "the axes are permuted once more; undo it with the inverse permutation, "
            "np.argsort(axes)": grad_out.transpose(axes),
            "the axes are only reversed: that undoes .T, not every permutation": grad_out.T,
            "axes read from the back is not its inverse; np.argsort(axes) is": grad_out.transpose(
                axes[::-1]
            ),
            "the axes are as they were in out; undo the permutation": grad_out,
        },
    )


@checks("permute_back")
def test_permute_back_negative_axes(permute_back):
    x, axes = numbers(2, 3, 4), (-1, 0, 1)
    grad_out = numbers(4, 2, 3)
    call(permute_back, grad_out, x.transpose(axes), x, axes).gives(
        grad_out.transpose(1, 2, 0),
        mistakes={
            "negative axes sort before the others; take them modulo x.ndim first": grad_out,
        },
    )
    call(permute_back, np.array(2.0), np.array(1.0), np.array(1.0), ()).gives(2.0)


@checks("permute_back")
def test_permute_back(Tensor):
    a = Tensor(numbers(2, 3, 4), requires_grad=True)
    out = a.permute((2, 0, 1))
    grad_out = numbers(4, 2, 3)
    out.backward(end_grad=grad_out)
    expect_grad(a, np.moveaxis(grad_out, 0, 2), of="a.grad after a.permute((2, 0, 1))")


@checks("sum_back")
def test_sum_back_values(sum_back):
    x, grad_out = numbers(3, 3), floats([1.0, 10.0, 100.0])
    wanted = np.repeat(grad_out[:, None], 3, axis=1)
    mistakes = {
        "grad_out is spread along the axis that was kept; first put the summed axis back in its "
        "place, with length 1 (np.expand_dims)": np.tile(grad_out, (3, 1)),
        "grad_out is not used": np.ones((3, 3), np.float32),
        "grad_out is shared out; each element of x gets all of it": wanted / 3,
        "the result has the shape of out; it must have the shape of x": grad_out,
        "grad_out is multiplied by x; the derivative of a sum is 1": wanted * x,
    }
    call(sum_back, grad_out, x.sum(1), x, dim=1).gives(wanted, mistakes=mistakes)
    kept = grad_out[:, None]
    try:
        call(sum_back, kept, x.sum(1, keepdims=True), x, dim=1, keepdim=True).gives(wanted)
    except ValueError as error:
        fail(
            "with keepdim=True the summed axis is still there: do not put it back a second time",
            raised=repr(error),
        )
    call(sum_back, np.float32(2.0), x.sum(), x).gives(2 * np.ones((3, 3)))


@checks("sum_back")
def test_sum_back_axes(sum_back):
    x = numbers(2, 3, 4)
    for dim in (0, 1, 2, -1, -3, (0, 2), (-1, 0), (1, 0), (0, 1, 2)):
        kept = x.sum(axis=dim, keepdims=True)
        grad_out = np.arange(1.0, kept.size + 1, dtype=np.float32).reshape(kept.shape)
        wanted = np.zeros_like(x) + grad_out
        flat = grad_out.squeeze(axis=dim)
        call(sum_back, flat, x.sum(axis=dim), x, dim=dim).gives(wanted)
        call(sum_back, grad_out, kept, x, dim=dim, keepdim=True).gives(wanted)


@checks("sum_back")
def test_sum_back_size_one(sum_back):
    x = numbers(1, 3)
    call(sum_back, floats([2.0, 3.0, 4.0]), x.sum(0), x, 0).gives(floats([[2.0, 3.0, 4.0]]))
    call(sum_back, np.float32(5.0), np.float32(0.7), np.array(0.7, np.float32)).gives(5.0)
    x = np.zeros((0, 3), np.float32)
    call(sum_back, floats([1.0, 2.0, 3.0]), x.sum(0), x, 0).gives(x)


@checks("sum_back")
def test_sum_keepdim_false(Tensor):
    a = leaf(Tensor, np.arange(10.0).reshape(5, 2))
    a.sum(0).backward(end_grad=floats([2.0, 3.0]))
    expect_grad(a, np.tile(floats([2.0, 3.0]), (5, 1)), of="a.grad after a.sum(0).backward([2, 3])")


@checks("sum_back")
def test_sum_keepdim_true(Tensor):
    a = leaf(Tensor, np.arange(10.0).reshape(5, 2))
    a.sum(dim=0, keepdim=True).backward(end_grad=floats([[2.0, 3.0]]))
    expect_grad(
        a, np.tile(floats([2.0, 3.0]), (5, 1)), of="a.grad after a.sum(dim=0, keepdim=True)"
    )


@checks("sum_back")
def test_sum_dim_none(Tensor):
    a = leaf(Tensor, np.arange(10.0).reshape(5, 2))
    a.sum().backward()
    expect_grad(a, np.ones((5, 2), np.float32), of="a.grad after a.sum().backward()")
    a.grad = None
    a.sum(keepdim=True).backward(end_grad=floats([[3.0]]))
    expect_grad(a, 3 * np.ones((5, 2), np.float32), of="a.grad after a.sum(keepdim=True)")


@checks("sum_back")
def test_sum_nonscalar_grad_out(Tensor):
    a = Tensor(numbers(3, 3), requires_grad=True)
    weights = floats([1.0, 10.0, 100.0])
    (a.sum(1) * weights).backward(end_grad=np.ones(3))
    expect_grad(
        a,
        np.repeat(weights[:, None], 3, axis=1),
        of="a.grad after (a.sum(1) * [1, 10, 100]).backward(ones)",
        mistakes={
            "grad_out is spread along the axis that was kept; put the summed axis back in its "
            "place first (np.expand_dims)": np.tile(weights, (3, 1)),
            "grad_out is not used": np.ones((3, 3), np.float32),
        },
    )


@checks("expand_back")
def test_expand_back_values(expand_back):
    x, grad_out = floats([[1.0], [2.0]]), floats([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    out = np.broadcast_to(x, (2, 3))
    call(expand_back, grad_out, out, x, (2, 3)).gives(
        floats([[6.0], [60.0]]),
        mistakes={
            "the result has the shape of out; unbroadcast it to the shape of x": grad_out,
            "one of the copies is taken; the gradients of all copies must be added": grad_out[
                :, :1
            ],
            "the mean over the copies is taken; they must be added": grad_out.mean(
                1, keepdims=True
            ),
            "out was summed, not grad_out": 3 * x,
        },
    )


@checks("expand_back")
def test_expand(Tensor):
    a = Tensor(np.ones((2, 1, 3)), requires_grad=True)
    out = a.expand((5, 1, 2, 4, 3))
    expect(out.shape, (5, 1, 2, 4, 3), of="the shape of a.expand((5, 1, 2, 4, 3))")
    out.backward(end_grad=np.ones(out.shape))
    expect_grad(
        a,
        np.full((2, 1, 3), 20.0, np.float32),
        of="a.grad after a.expand((5, 1, 2, 4, 3)).backward(ones)",
    )


@checks("expand_back")
def test_expand_negative_length(Tensor):
    a = Tensor(np.ones((2, 1, 3)), requires_grad=True)
    out = a.expand((4, -1, 5, -1))
    expect(out.shape, (4, 2, 5, 3), of="the shape of a.expand((4, -1, 5, -1))")
    out.backward(end_grad=np.ones(out.shape))
    expect_grad(a, np.full((2, 1, 3), 20.0, np.float32), of="a.grad after a.expand((4, -1, 5, -1))")


@checks("add_back0")
def test_add_subtract_divide_backs(
    add_back0, add_back1, subtract_back0, subtract_back1, true_divide_back0, true_divide_back1
):
    x, y, grad_out = floats([2.0, 6.0]), floats([4.0, 8.0]), floats([1.0, 16.0])
    product = "this is the rule of a product; a sum passes grad_out on as it is"
    call(add_back0, grad_out, x + y, x, y).gives(grad_out, mistakes={product: grad_out * y})
    call(add_back1, grad_out, x + y, x, y).gives(grad_out, mistakes={product: grad_out * x})
    call(subtract_back0, grad_out, x - y, x, y).gives(grad_out)
    call(subtract_back1, grad_out, x - y, x, y).gives(
        -grad_out, mistakes={"the sign is wrong: y is subtracted": grad_out}
    )
    call(true_divide_back0, grad_out, x / y, x, y).gives(
        floats([0.25, 2.0]),
        mistakes={"this is the gradient of a product; divide by y": grad_out * y},
    )
    call(true_divide_back1, grad_out, x / y, x, y).gives(
        floats([-0.125, -1.5]),
        mistakes={
            "the sign is wrong: the derivative of 1/y is -1/y²": floats([0.125, 1.5]),
            "x is missing: the derivative of x/y is -x/y²": -grad_out / y**2,
            "y must be squared: the derivative of x/y is -x/y²": -grad_out * x / y,
        },
    )


@checks("add_back0")
def test_add_broadcasted(Tensor):
    a, b = leaf(Tensor, [[1.0], [2.0], [3.0]]), leaf(Tensor, [10.0, 20.0])
    grad_out = floats([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    (a + b).backward(end_grad=grad_out)
    expect_grad(a, grad_out.sum(1, keepdims=True), of="a.grad after (a + b).backward(...)")
    expect_grad(b, grad_out.sum(0), of="b.grad after (a + b).backward(...)")


@checks("add_back0")
def test_subtract_broadcasted(Tensor):
    a, b = leaf(Tensor, [[1.0], [2.0], [3.0]]), leaf(Tensor, [10.0, 20.0])
    grad_out = floats([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    (a - b).backward(end_grad=grad_out)
    expect_grad(a, grad_out.sum(1, keepdims=True), of="a.grad after (a - b).backward(...)")
    expect_grad(
        b,
        -grad_out.sum(0),
        of="b.grad after (a - b).backward(...)",
        mistakes={"the sign is wrong: b is subtracted": grad_out.sum(0)},
    )


@checks("add_back0")
def test_truedivide_broadcasted(Tensor):
    a, b = leaf(Tensor, [[6.0], [12.0], [18.0]]), leaf(Tensor, [1.0, 2.0])
    (a / b).backward(end_grad=np.ones((3, 2)))
    expect_grad(a, np.full((3, 1), 1.5, np.float32), of="a.grad after (a / b).backward(ones)")
    expect_grad(b, floats([-36.0, -9.0]), of="b.grad after (a / b).backward(ones)")


@checks("add_back0")
def test_add_subtract_divide_floats(Tensor):
    for text, compute, wanted in (
        ("(a + 3)", lambda a: a + 3, [1.0, 1.0]),
        ("(3.0 + a)", lambda a: 3.0 + a, [1.0, 1.0]),
        ("(a - 3)", lambda a: a - 3, [1.0, 1.0]),
        ("(3 - a)", lambda a: 3 - a, [-1.0, -1.0]),
        ("(a / 4)", lambda a: a / 4, [0.25, 0.25]),
        ("(4.0 / a)", lambda a: 4.0 / a, [-1.0, -4.0]),
    ):
        a = leaf(Tensor, [2.0, 1.0])
        compute(a).backward(end_grad=floats([1.0, 1.0]))
        expect_grad(a, floats(wanted), of=f"a.grad after {text}.backward(ones)")


@checks("coerce_index")
def test_coerce_index(coerce_index, Tensor):
    rows, cols = np.array([0, 2]), np.array([1, 1])
    for index in (1, -1, slice(0, 2), None, ..., (0, slice(None)), ()):
        found = call(coerce_index, index).value
        if isinstance(index, tuple) and not isinstance(found, tuple):
            fail(
                f"a tuple must come back as a tuple, not as a {type(found).__name__}, which numpy "
                "does not read as one index an axis",
                returned=repr(found),
            )
        require(
            type(found) is type(index) and found == index,
            f"{index!r} holds no tensor, so it must come back as it is",
            returned=repr(found),
        )
    require(coerce_index(rows) is rows, "a numpy array must come back as it is")
    expect(coerce_index(Tensor(rows)), rows, of="coerce_index(Tensor([0, 2]))")
    found = call(coerce_index, (Tensor(rows), Tensor(cols))).value
    if isinstance(found, tuple) and any(hasattr(part, "array") for part in found):
        fail("a tensor inside a tuple is still a tensor: look at each part", returned=repr(found))
    require(
        isinstance(found, tuple),
        f"an index of two tensors must come back as a tuple, not a {type(found).__name__}: "
        "numpy reads a list as one index",
        returned=repr(found),
    )
    expect(found, (rows, cols), of="coerce_index((Tensor([0, 2]), Tensor([1, 1])))")
    found = call(coerce_index, (Tensor(rows), 1)).value
    expect(found, (rows, 1), of="coerce_index((Tensor([0, 2]), 1))")


@checks("coerce_index")
def test_getitem_back_values(getitem_back, Tensor):
    x = numbers(5)
    index, grad_out = np.array([3, 0, 3, 3]), floats([1.0, 10.0, 100.0, 1000.0])
    wanted = floats([10.0, 0.0, 0.0, 1101.0, 0.0])
    call(getitem_back, grad_out, x[index], x, index).gives(
        wanted,
        mistakes={
            "an element that was taken several times must get all its gradients: np.add.at": floats(
                [10.0, 0.0, 0.0, 1000.0, 0.0]
            ),
            "grad_out is added to x itself; start from zeros": x + wanted,
            "the result has the shape of out; start from zeros in the shape of x": grad_out,
            "grad_out is indexed; it must go to the places in x that index names": grad_out[index],
        },
    )
    x = x[:4]
    call(getitem_back, floats([5.0, 6.0]), x[-2:], x, slice(-2, None)).gives(floats([0, 0, 5, 6]))
    mask = np.array([True, False, False, True])
    call(getitem_back, floats([5.0, 6.0]), x[mask], x, mask).gives(floats([5, 0, 0, 6]))
    index = (Tensor(np.array([1, 1])),)
    try:
        call(getitem_back, floats([5.0, 6.0]), x[[1, 1]], x, index).gives(floats([0, 11, 0, 0]))
    except (IndexError, TypeError) as error:
        fail("the index may hold tensors: use coerce_index here too", raised=repr(error))


@checks("coerce_index")
def test_getitem_int(Tensor):
    x = leaf(Tensor, [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    out = x[1]
    expect_tensor(out, floats([3.0, 4.0, 5.0]), of="x[1]")
    out.backward(end_grad=floats([10.0, 20.0, 30.0]))
    expect_grad(x, floats([[0, 0, 0], [10, 20, 30]]), of="x.grad after x[1].backward(...)")


@checks("coerce_index")
def test_getitem_tuple(Tensor):
    x = leaf(Tensor, [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    out = x[1, 2]
    expect_tensor(out, np.array(5.0, np.float32), of="x[1, 2]")
    out.backward(end_grad=10.0)
    expect_grad(x, floats([[0, 0, 0], [0, 0, 10]]), of="x.grad after x[1, 2].backward(10)")
    x.grad = None
    x[:, 1:].sum().backward()
    expect_grad(x, floats([[0, 1, 1], [0, 1, 1]]), of="x.grad after x[:, 1:].sum().backward()")


@checks("coerce_index")
def test_getitem_integer_array(Tensor):
    x = leaf(Tensor, [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    out = x[np.array([0, 1, 0, 1, 0]), np.array([0, 0, 1, 2, 0])]
    expect_tensor(out, floats([0, 3, 1, 5, 0]), of="x[rows, cols]")
    out.backward(end_grad=np.array([10.0, 10.0, 10.0, 10.0, 10.0]))
    expect_grad(
        x,
        floats([[20, 10, 0], [10, 0, 10]]),
        of="x.grad where x[0, 0] was taken twice",
        mistakes={
            "an element that was taken twice must get both gradients; grad[index] += ... adds "
            "only one of them": floats([[10, 10, 0], [10, 0, 10]])
        },
    )


@checks("coerce_index")
def test_getitem_integer_tensor(Tensor):
    x = leaf(Tensor, [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    rows, cols = Tensor(np.array([0, 1, 0])), Tensor(np.array([0, 2, 0]))
    out = x[rows, cols]
    expect_tensor(out, floats([0, 5, 0]), of="x[rows, cols], both tensors")
    out.backward(end_grad=np.array([10.0, 10.0, 10.0]))
    expect_grad(x, floats([[20, 0, 0], [0, 0, 10]]), of="x.grad after x[rows, cols]")
    x.grad = None
    x[cols[:1]].sum().backward()
    expect_grad(x, floats([[1, 1, 1], [0, 0, 0]]), of="x.grad after x[Tensor([0])].sum()")


@checks("maximum_back0")
def test_maximum_back_values(maximum_back0, maximum_back1):
    x, y, grad_out = floats([1.0, 5.0, 3.0]), floats([2.0, 4.0, 3.0]), floats([1.0, 10.0, 100.0])
    out = np.maximum(x, y)
    first, second = floats([0.0, 10.0, 50.0]), floats([1.0, 0.0, 50.0])
    for back, wanted, other in ((maximum_back0, first, second), (maximum_back1, second, first)):
        call(back, grad_out, out, x, y).gives(
            wanted,
            mistakes={
                "this is the gradient of the other argument": other,
                "where both are equal, each gets half of the gradient, not all": np.where(
                    wanted == 50, 100, wanted
                ).astype(np.float32),
                "where both are equal, each gets half of the gradient, not nothing": np.where(
                    wanted == 50, 0, wanted
                ).astype(np.float32),
                "grad_out is not used": wanted / grad_out,
                "only where both are equal is the gradient halved": np.where(
                    wanted == 50, 50, wanted / 2
                ).astype(np.float32),
            },
        )
    call(maximum_back0, grad_out, np.maximum(x, 3.0), x, 3.0).gives(floats([0.0, 10.0, 50.0]))
    call(maximum_back1, grad_out, np.maximum(3.0, x), 3.0, x).gives(floats([0.0, 10.0, 50.0]))


@checks("maximum_back0")
def test_maximum(Tensor):
    a, b = leaf(Tensor, [0.0, 1.0, 2.0]), leaf(Tensor, [-1.0, 1.0, 3.0])
    out = a.maximum(b)
    expect_tensor(out, floats([0.0, 1.0, 3.0]), of="a.maximum(b)")
    out.backward(end_grad=floats([1.0, 10.0, 100.0]))
    expect_grad(
        a,
        floats([1.0, 5.0, 0.0]),
        of="a.grad for a = [0, 1, 2], b = [-1, 1, 3], end_grad = [1, 10, 100]",
        mistakes={
            "where both are equal, a gets all of the gradient; it must get half": floats([1, 10, 0])
        },
    )
    expect_grad(b, floats([0.0, 5.0, 100.0]), of="b.grad in the same case")


@checks("maximum_back0")
def test_maximum_broadcasted(Tensor):
    a, b = leaf(Tensor, [[0.0], [2.0]]), leaf(Tensor, [1.0, 2.0, 3.0])
    out = a.maximum(b)
    expect_tensor(out, floats([[1, 2, 3], [2, 2, 3]]), of="a.maximum(b)")
    out.backward(end_grad=np.ones((2, 3)))
    expect_grad(a, floats([[0.0], [1.5]]), of="a.grad, where a is broadcast along a row")
    expect_grad(b, floats([1.0, 1.5, 2.0]), of="b.grad, where b is broadcast along a column")


@checks("relu")
def test_relu_leaves_its_input(Tensor, relu):
    a = leaf(Tensor, [[-1.0, 3.0]])
    out = forward(relu, a)
    expect_tensor(
        out,
        floats([[0.0, 3.0]]),
        of="relu(a)",
        mistakes={
            "this is the absolute value; negative elements become 0": floats([[1.0, 3.0]]),
            "the positive elements are replaced, not the negative ones": floats([[-1.0, 0.0]]),
        },
    )
    expect(
        a.array,
        floats([[-1.0, 3.0]]),
        of="a after relu(a)",
        mistakes={"relu changed its input in place; make a new tensor": floats([[0.0, 3.0]])},
    )
    if not out.requires_grad:
        fail("relu(a) has lost its history: compute it from functions of tensors, like maximum")


@checks("relu")
def test_relu(Tensor):
    a = leaf(Tensor, [-1.0, 0.0, 1.0])
    out = a.relu()
    expect_tensor(out, floats([0.0, 0.0, 1.0]), of="a.relu()")
    out.backward(end_grad=floats([2.0, 2.0, 2.0]))
    expect_grad(
        a,
        floats([0.0, 1.0, 2.0]),
        of="a.grad for a = [-1, 0, 1], end_grad = [2, 2, 2]",
        mistakes={
            "at 0 the gradient shall be half, which maximum(x, 0.0) gives by itself": floats(
                [0, 0, 2]
            ),
            "at 0 the gradient shall be half, not all of it": floats([0, 2, 2]),
        },
    )


@checks("matmul2d_back0")
def test_matmul2d_back_values(matmul2d_back0, matmul2d_back1):
    x, y = floats([[1.0, 2.0], [3.0, 4.0]]), floats([[5.0, 6.0], [7.0, 8.0]])
    grad_out = floats([[1.0, 0.0], [10.0, 100.0]])
    call(matmul2d_back0, grad_out, x @ y, x, y).gives(
        floats([[5.0, 7.0], [650.0, 870.0]]),
        mistakes={
            "y must be transposed: the shapes (rows, cols) and (cols, inner) fit": grad_out @ y,
            "the order of the product is wrong: grad_out @ y.T": y.T @ grad_out,
            "this is the elementwise product; use @": grad_out * y,
            "this is the gradient with respect to y": x.T @ grad_out,
            "grad_out is not used": np.ones((2, 2), np.float32) @ y.T,
        },
    )
    call(matmul2d_back1, grad_out, x @ y, x, y).gives(
        floats([[31.0, 300.0], [42.0, 400.0]]),
        mistakes={
            "x must be transposed: the shapes (inner, rows) and (rows, cols) fit": x @ grad_out,
            "the order of the product is wrong: x.T @ grad_out": grad_out @ x.T,
            "this is the gradient with respect to x": grad_out @ y.T,
        },
    )


@checks("matmul2d_back0")
def test_matmul2d(Tensor):
    a, b = Tensor(numbers(3, 4), requires_grad=True), Tensor(numbers(4, 2), requires_grad=True)
    out = a @ b
    expect_tensor(out, a.array @ b.array, of="a @ b")
    out.backward(end_grad=np.ones((3, 2)))
    expect_grad(a, np.tile(b.array.sum(1), (3, 1)), of="a.grad after (a @ b).backward(ones)")
    expect_grad(
        b, np.tile(a.array.sum(0)[:, None], (1, 2)), of="b.grad after (a @ b).backward(ones)"
    )


# --- Training ---------------------------------------------------------------------------------


def parts(Module, Parameter, Tensor):
    """Make three modules inside each other with their parameters."""

    class Inner(Module):
        def __init__(self):
            super().__init__()
            self.scale = Parameter(Tensor([1.0]))

    class Middle(Module):
        def __init__(self):
            super().__init__()
            self.inner = Inner()
            self.shift = Parameter(Tensor([2.0]))

    class Outer(Module):
        def __init__(self):
            super().__init__()
            self.weight = Parameter(Tensor([3.0]))
            self.middle = Middle()
            self.bias = Parameter(Tensor([4.0]))
            self.count = 5
            self.plain = Tensor([6.0])
            self.nothing = None

    outer = Outer()
    for name in ("weight", "middle", "bias", "count", "plain", "nothing"):
        if not hasattr(outer, name):
            fail(
                f"the attribute {name} was set but cannot be read: __setattr__ must still set it, "
                "with super().__setattr__(key, val)"
            )
    names = {
        "weight": outer.weight,
        "bias": outer.bias,
        "middle.shift": outer.middle.shift,
        "middle.inner.scale": outer.middle.inner.scale,
    }
    return outer, names


def expect_objects(found, wanted, *, of):
    """Compare a collection with named objects by identity, in any order."""
    try:
        found = list(found)
    except TypeError:
        fail(f"{of} must give something to loop over", returned=repr(found))
    if found and all(isinstance(item, str) for item in found):
        fail(f"{of} gives the names {found}; it must give the objects")
    for name, item in wanted.items():
        require(any(other is item for other in found), f"{of} misses {name}")
    for item in found:
        if not any(item is other for other in wanted.values()):
            fail(f"{of} gives something that it must not", extra=repr(item))
    require(len(found) == len(wanted), f"{of} gives {len(found)} objects, not {len(wanted)}")


@checks("Module")
def test_module_keeps_attributes(Module, Parameter, Tensor):
    outer, _ = parts(Module, Parameter, Tensor)
    expect(outer.count, 5, of="an ordinary attribute, set to 5")
    require(outer.nothing is None, "an attribute that was set to None must be None")
    outer.count = 7
    expect(outer.count, 7, of="an ordinary attribute, set again to 7")


@checks("Module")
def test_module_modules(Module, Parameter, Tensor):
    outer, _ = parts(Module, Parameter, Tensor)
    found = list(call(outer.modules).value)
    if any(item is outer.middle.inner for item in found):
        fail("modules() gives a module inside a module; only those directly inside are wanted")
    if any(item is outer for item in found):
        fail("modules() gives the module itself; only those inside it are wanted")
    expect_objects(found, {"middle": outer.middle}, of="outer.modules()")
    expect_objects(Module().modules(), {}, of="modules() of an empty module")


@checks("Module")
def test_module_parameters(Module, Parameter, Tensor):
    outer, names = parts(Module, Parameter, Tensor)
    own = {key: names[key] for key in ("weight", "bias")}
    expect_objects(outer.parameters(recurse=False), own, of="outer.parameters(recurse=False)")
    expect_objects(
        outer.middle.inner.parameters(),
        {"scale": outer.middle.inner.scale},
        of="parameters() of the innermost module",
    )
    expect_objects(outer.parameters(), names, of="outer.parameters()")
    expect_objects(outer.parameters(), names, of="outer.parameters(), called again,")


@checks("Module")
def test_module_replaces(Module, Parameter, Tensor):
    outer, names = parts(Module, Parameter, Tensor)
    new = Parameter(Tensor([10.0]))
    outer.weight = new
    expect_objects(
        outer.parameters(), names | {"weight": new}, of="parameters() after outer.weight = new"
    )
    require(outer.weight is new, "outer.weight is still the old parameter")


@checks("Module")
def test_module_shows_what_is_inside(Module, Parameter, Tensor):
    outer, _ = parts(Module, Parameter, Tensor)
    text = repr(outer)
    wanted = "Outer(\n  (middle): Middle(\n    (inner): Inner()\n  )\n)"
    if text != wanted:
        fail(
            "repr(outer) does not show the modules: __setattr__ must note each in _modules",
            shown=text,
            expected=wanted,
        )


@checks("Linear")
def test_linear_parameters(Linear, Parameter):
    layer = Linear(3, 5)
    for name, shape in (("weight", (5, 3)), ("bias", (5,))):
        found = getattr(layer, name, None)
        if not isinstance(found, Parameter):
            fail(f"Linear(3, 5).{name} must be a Parameter", **{"is": repr(found)})
        sentence = f"Linear(3, 5).{name} has shape {found.shape}; it must be {shape}"
        if found.shape == (3, 5):
            sentence += " (out_features first)"
        require(found.shape == shape, sentence)
        require(bool(found.requires_grad), f"{name} must require a gradient")
    expect_objects(
        layer.parameters(), {"weight": layer.weight, "bias": layer.bias}, of="layer.parameters()"
    )
    layer = Linear(3, 5, bias=False)
    require(layer.bias is None, "Linear(3, 5, bias=False).bias must be None")
    expect_objects(
        layer.parameters(), {"weight": layer.weight}, of="parameters() of a layer without a bias"
    )


@checks("Linear")
def test_linear_initialisation(Linear):
    layer, again = Linear(100, 400), Linear(100, 400)
    for name, size in (("weight", 40_000), ("bias", 400)):
        values = getattr(layer, name).array
        largest, spread = float(np.abs(values).max()), float(values.std())
        shown = {"smallest": float(values.min()), "largest": float(values.max())}
        if not largest < 100:
            fail(f"{name} holds what the memory held: empty() leaves it to you to fill it", **shown)
        require(largest > 0, f"{name} is all zeros; draw it from ±1/√in_features", **shown)
        if values.min() >= 0:
            fail(
                f"{name} has no negative values; draw it from -0.1 to 0.1 (is it filled?)", **shown
            )
        if 0.045 < largest <= 0.0501:
            fail(f"{name} is drawn from ±1/√out_features; take in_features", **shown)
        if largest > 0.1001:
            fail(f"for 100 inputs {name} must lie within ±1/√100 = ±0.1", **shown)
        # The standard deviation of a uniform distribution; the bounds are 6 of its own errors.
        error = 6 * 0.0577 * 0.45 / np.sqrt(size)
        if abs(spread - 0.0577) > error:
            fail(f"{name} is not uniform on ±1/√in_features = ±0.1", **shown, spread=spread)
        mean = abs(float(values.mean()))
        require(mean < 6 * 0.0577 / np.sqrt(size), f"{name} is not centred on 0", **shown)
    same = np.array_equal(layer.weight.array, again.weight.array)
    require(not same, "two layers have the same weights: draw new ones for each layer")


@checks("Linear")
def test_linear_forward(Linear, Tensor):
    layer = Linear(3, 2)
    layer.weight.array[...] = [[1.0, 2.0, 3.0], [0.0, 0.0, 10.0]]
    layer.bias.array[...] = [100.0, 200.0]
    x = floats([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0]])
    out = layer(Tensor(x))
    expect_tensor(
        out,
        floats([[106.0, 210.0], [98.0, 190.0]]),
        of="layer(x)",
        mistakes={"the bias is not added": floats([[6.0, 10.0], [-2.0, -10.0]])},
    )
    out.backward(end_grad=np.ones((2, 2)))
    expect_grad(layer.weight, floats([[2, 1, 0], [2, 1, 0]]), of="layer.weight.grad")
    expect_grad(layer.bias, floats([2.0, 2.0]), of="layer.bias.grad")
    layer = Linear(3, 2, bias=False)
    expect_tensor(layer(Tensor(x)), x @ layer.weight.array.T, of="layer(x) without a bias")


@checks("ReLU")
def test_relu_module(ReLU, Tensor):
    x = leaf(Tensor, [[-1.0, 2.0], [3.0, -4.0]])
    out = ReLU()(x)
    expect_tensor(out, floats([[0.0, 2.0], [3.0, 0.0]]), of="ReLU()(x)")
    require(x.array.min() < 0, "ReLU changed its input in place; make a new tensor")
    require(bool(out.requires_grad), "ReLU()(x) has lost its history: use x.relu()")
    out.sum().backward()
    expect_grad(x, floats([[0.0, 1.0], [1.0, 0.0]]), of="x.grad after ReLU()(x).sum().backward()")


@checks("ReLU")
def test_mlp_parameters(MLP):
    shapes = sorted(p.shape for p in MLP().parameters())
    wanted = sorted([(64, 784), (64,), (64, 64), (64,), (10, 64), (10,)])
    if shapes != wanted:
        fail(
            "the MLP's parameters must be those of Linear(784, 64), Linear(64, 64), Linear(64, 10)",
            shapes=str(shapes),
            expected=str(wanted),
        )
    named = ("linear1", "relu1", "linear2", "relu2", "output")
    missing = [name for name in named if not hasattr(MLP(), name)]
    require(not missing, f"the modules are to be called {', '.join(named)}; missing: {missing}")


@checks("ReLU")
def test_mlp_forward(MLP, Tensor):
    model, x = MLP(), numbers(3, 1, 28, 28) - 1
    layers = [
        (layer.weight.array, layer.bias.array)
        for layer in (model.linear1, model.linear2, model.output)
    ]

    def run(relu_after):
        out = x.reshape(3, 784)
        for i, (weight, bias) in enumerate(layers):
            out = out @ weight.T + bias
            out = np.maximum(out, 0) if i in relu_after else out
        return out

    logits = run({0, 1})
    expect_tensor(
        model(Tensor(x)),
        logits,
        of="model(x)",
        mistakes={
            "this is a softmax; give the logits themselves": np.exp(logits)
            / np.exp(logits).sum(1, keepdims=True),
            "there is no ReLU: three linear layers alone are one linear layer": run(set()),
            "the ReLU after the first layer is missing": run({1}),
            "the ReLU after the second layer is missing": run({0}),
            "there is a ReLU after the last layer: logits may be negative": run({0, 1, 2}),
        },
    )
    expect_tensor(model(Tensor(x[:, 0])), run({0, 1}), of="model(x) for x of shape (3, 28, 28)")
    model(Tensor(x)).sum().backward()
    for parameter in model.parameters():
        require(parameter.grad is not None, "a parameter of the MLP got no gradient")


@checks("cross_entropy")
def test_cross_entropy(Tensor, cross_entropy):
    logits = np.log(floats([[1.0, 1.0, 2.0], [1.0, 2.0, 2.0], [2.0, 0.5, 0.5]]))
    labels = np.array([2, 0, 0])
    losses = np.log(floats([4 / 2, 5 / 1, 3 / 2]))
    log_total = np.log(floats([4.0, 5.0, 3.0]))
    call(cross_entropy, Tensor(logits), Tensor(labels))
    expect_tensor(
        cross_entropy(Tensor(logits), Tensor(labels)),
        losses,
        of="cross_entropy(logits, true_labels)",
        mistakes={
            "the sign is wrong: the loss is minus the log of the probability": -losses,
            "the mean is taken; give the loss of each row": losses.mean(),
            "the sum is taken; give the loss of each row": losses.sum(),
            "this is the probability, not minus its logarithm": np.exp(-losses),
            "the logits are used as they are: subtract the log of the summed exponentials": -logits[
                np.arange(3), labels
            ],
            "[:, true_labels] takes all labels from each row; index with the numbers of the rows "
            "too": log_total - logits[:, labels],
            "[true_labels] takes whole rows; index with the numbers of the rows first": log_total
            - logits[labels],
            "the exponentials of the whole batch are summed; sum those of each row": np.log(12.0)
            - logits[np.arange(3), labels],
            "the exponentials are summed over the rows; sum over the classes": np.log(
                np.exp(logits).sum(0)
            )
            - logits[np.arange(3), labels],
        },
    )


@checks("cross_entropy")
def test_cross_entropy_gradient(Tensor, cross_entropy):
    logits = leaf(Tensor, np.log([[1.0, 1.0, 2.0], [1.0, 3.0, 4.0]]))
    cross_entropy(logits, Tensor(np.array([2, 0]))).sum().backward()
    # softmax minus one at the label
    expect_grad(
        logits,
        floats([[0.25, 0.25, -0.5], [-0.875, 0.375, 0.5]]),
        of="logits.grad after cross_entropy(...).sum().backward()",
    )


@checks("cross_entropy")
def test_cross_entropy_is_stable(Tensor, cross_entropy):
    logits = leaf(Tensor, [[1000.0, 0.0], [-1000.0, -1000.0], [0.0, 1000.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        losses = cross_entropy(logits, Tensor(np.array([0, 1, 0])))
    wanted = floats([0.0, LOG2, 1000.0])
    for finite, why in zip(
        np.isfinite(losses.array),
        (
            "exp(1000) is too large for a float. Subtract the largest logit of each row before "
            "exp; the loss stays the same",
            "with the largest logit of the batch every exp of a row may be 0, and log(0) is -inf. "
            "Subtract from each row its own largest",
            "a probability of exp(-1000) is 0 to a float, and log(0) is -inf. Never take the log "
            "of a probability: log p = z - log Σ exp z",
        ),
        strict=True,
    ):
        if not finite:
            sentence = f"a logit of ±1000 gives inf or nan: {why}"
            fail(sentence, returned=losses.array, expected=wanted)
    expect_tensor(losses, wanted, of="the losses of rows [1000, 0], [-1000, -1000], [0, 1000]")
    losses.sum().backward()
    expect_grad(logits, floats([[0, 0], [0.5, -0.5], [-1, 1]]), of="the gradient of these logits")


def is_tracked(Tensor):
    return bool((leaf(Tensor, [1.0]) * 2.0).requires_grad)


@checks("NoGrad")
def test_no_grad(Tensor, NoGrad):
    x, guard = leaf(Tensor, [1.0, 2.0]), NoGrad()
    require(is_tracked(Tensor), "NoGrad() alone switches nothing off: that is for __enter__")
    with guard:
        out = x * 2.0
    expect_no_history(out, of="x * 2.0", because="it was computed inside NoGrad")
    require(bool(x.requires_grad), "x itself must still require a gradient")
    require(is_tracked(Tensor), "after the block gradients must be tracked again")
    with NoGrad():
        pass
    require(is_tracked(Tensor), "after an empty block gradients must be tracked again")


@checks("NoGrad")
def test_no_grad_nested(Tensor, NoGrad):
    with NoGrad():
        with NoGrad():
            require(not is_tracked(Tensor), "gradients are tracked inside two NoGrad blocks")
        require(
            not is_tracked(Tensor),
            "leaving the inner block switched tracking on inside the outer one: put back what it "
            "was on entry (was_enabled), not True",
        )
    require(is_tracked(Tensor), "after both blocks gradients must be tracked again")


@checks("NoGrad")
def test_no_grad_exception(Tensor, NoGrad):
    arrived = False
    try:
        with NoGrad():
            raise KeyError("an error inside the block")
    except KeyError:
        arrived = True
    require(
        is_tracked(Tensor),
        "an error inside the block left tracking switched off: __exit__ must put it back",
    )
    require(arrived, "NoGrad swallows errors: __exit__ must not return True")


@checks("SGD")
def test_sgd(Parameter, Tensor, SGD):
    first, second = Parameter(Tensor([10.0, 20.0])), Parameter(Tensor([[1.0]]))
    optimizer = SGD([first, second], lr=0.1)
    first.grad, second.grad = Tensor([1.0, -2.0]), Tensor([[30.0]])
    optimizer.step()
    expect(
        first.array,
        floats([9.9, 20.2]),
        of="a parameter [10, 20] with gradient [1, -2] after a step of lr 0.1",
        mistakes={
            "the parameter did not change: change it in place (sub_, or its array)": floats(
                [10, 20]
            ),
            "the step goes uphill: subtract the gradient": floats([10.1, 19.8]),
            "the learning rate is not used": floats([9.0, 22.0]),
        },
    )
    expect(
        second.array,
        floats([[-2.0]]),
        of="the second parameter, [[1]] with gradient [[30]], after a step",
        mistakes={"it did not change: take a step for each parameter": floats([[1.0]])},
    )
    for parameter in (first, second):
        require(parameter.recipe is None, "the step left a recipe on a parameter: use NoGrad")
        require(bool(parameter.requires_grad), "a parameter no longer requires a gradient")
    require(is_tracked(Tensor), "after step() gradients must be tracked again")
    if first.grad is None:
        fail("step() threw the gradient away; that is for zero_grad()")
    expect_tensor(first.grad, floats([1.0, -2.0]), of="first.grad after step(), before zero_grad()")
    optimizer.step()
    expect(
        first.array,
        floats([9.8, 20.4]),
        of="the first parameter after a second step with the same gradient",
        mistakes={"the step holds the gradient of the last step too": floats([9.7, 20.6])},
    )


@checks("SGD")
def test_sgd_zero_grad(Parameter, Tensor, SGD):
    x = Parameter(Tensor([1.0, 2.0]))
    optimizer = SGD([x], lr=0.1)
    try:
        optimizer.zero_grad()
    except (TypeError, AttributeError) as error:
        fail("zero_grad() must pass over a parameter whose grad is None", raised=repr(error))
    if x.grad is not None and not isinstance(x.grad, Tensor):
        kind = type(x.grad).__name__
        fail(f"zero_grad() set the gradient to a {kind}; it must be None or a tensor of zeros")
    (x * 3.0).backward(end_grad=np.ones(2))
    optimizer.zero_grad()
    expect(
        x.array,
        floats([1.0, 2.0]),
        of="the parameter after zero_grad()",
        mistakes={"it was set to zero itself; only its gradient shall be": floats([0.0, 0.0])},
    )
    empty = x.grad is None or not x.grad.array.any()
    require(empty, "after zero_grad() the gradient must be None or zero", x_grad=repr(x.grad))
    optimizer.zero_grad()
    (x * 5.0).backward(end_grad=np.ones(2))
    expect_grad(x, floats([5.0, 5.0]), of="x.grad of the next backward()")


@checks("SGD")
def test_sgd_leaves_parameters_without_gradient(Parameter, Tensor, SGD):
    used, unused = Parameter(Tensor([1.0])), Parameter(Tensor([2.0]))
    used.grad = Tensor([1.0])
    optimizer = SGD(iter([unused, used]), lr=0.5)
    try:
        optimizer.step()
    except (TypeError, AttributeError) as error:
        fail("step() must pass over a parameter whose grad is None", raised=repr(error))
    expect(unused.array, floats([2.0]), of="a parameter whose grad is None after step()")
    expect(
        used.array,
        floats([0.5]),
        of="the parameter after it, with a gradient",
        mistakes={"step() stops at a parameter without a gradient; go on": floats([1.0])},
    )


def batches_of_three():
    """Make two batches: five pictures of three pixels in two classes."""
    images = numbers(5, 3) - 1
    labels = np.array([0, 1, 1, 0, 1])
    return [(images[:3], labels[:3]), (images[3:], labels[3:])]


def scores_model(Module, Parameter, Tensor):
    class Scores(Module):
        def __init__(self):
            super().__init__()
            self.weight = Parameter(Tensor(floats([[1.0, 2.0, 3.0], [-1.0, 0.0, 1.0]])))

        def forward(self, x):
            return x @ self.weight.T

    return Scores()


def train_by_hand(weight, lr, divisor=len, keep=False, n_batches=2):
    """Do what `train` must do in plain numpy; give the weights and the loss of each batch."""
    weight, losses, total = weight.copy(), [], 0.0
    for x, labels in batches_of_three()[:n_batches]:
        probs = np.exp(x @ weight.T)
        probs /= probs.sum(1, keepdims=True)
        losses.append(-np.log(probs[np.arange(len(x)), labels]).sum() / divisor(x))
        grad = (probs - np.eye(2)[labels]).T @ x / divisor(x)
        total = total * keep + grad
        weight = weight - lr * total
    return weight.astype(np.float32), losses


@checks("train")
def test_train(Module, Parameter, Tensor, SGD, train):
    model = scores_model(Module, Parameter, Tensor)
    start = model.weight.array.copy()
    losses = []
    train(model, batches_of_three(), SGD(model.parameters(), lr=0.5), 0, losses)
    weight, wanted = train_by_hand(start, 0.5)
    expect(
        model.weight.array,
        weight,
        of="the weights after train() on two batches",
        mistakes={
            "the weights did not change: call optimizer.step() after backward(), and zero_grad() "
            "not between them": start,
            "only the first batch was used": train_by_hand(start, 0.5, n_batches=1)[0],
            "the gradients of the batches add up: call zero_grad() for each batch": train_by_hand(
                start, 0.5, keep=True
            )[0],
            "the loss of a batch is the mean over its pictures, not the sum": train_by_hand(
                start, 0.5, divisor=lambda x: 1
            )[0],
            "the last batch is smaller: divide by its own len(labels)": train_by_hand(
                start, 0.5, divisor=lambda x: 3
            )[0],
            "the step goes uphill": train_by_hand(start, -0.5)[0],
        },
    )
    require(len(losses) == 2, f"train_loss_list must get a loss a batch, 2; it got {len(losses)}")
    values = [getattr(loss, "array", loss) for loss in losses]
    expect(values, [np.float32(loss) for loss in wanted], of="train_loss_list")
    if any(hasattr(loss, "array") for loss in losses):
        fail("train_loss_list holds tensors, which keep whole graphs alive; append loss.item()")


@checks("train")
def test_train_without_a_list(Module, Parameter, Tensor, SGD, train):
    model = scores_model(Module, Parameter, Tensor)
    start = model.weight.array.copy()
    train(model, batches_of_three(), SGD(model.parameters(), lr=0.5), 1)
    expect(model.weight.array, train_by_hand(start, 0.5)[0], of="the weights without a list")


@checks("train")
def test_accuracy(Module, Tensor, test):
    weight, tracked = leaf(Tensor, [1.0, 1.0]), []

    class Identity(Module):
        def forward(self, x):
            tracked.append((weight * x).requires_grad)
            return x  # the pictures of this test are their own logits

    model = Identity()
    loader = [
        (floats([[0, 5], [0, 4]]), np.array([1, 1])),
        (floats([[0, 5], [5, 0]]), np.array([1, 1])),
        (floats([[5, 0]]), np.array([1])),
    ]
    accuracies = [0.25]
    returned = test(model, loader, accuracies)
    if isinstance(returned, int | np.integer):
        returned = float(returned)
    mistakes = {
        "the mean over batches is taken; the last batch may be smaller: count pictures": 0.5,
        "this is the number of right answers; divide by the number of pictures": 3.0,
        "this is in percent; give a number from 0 to 1": 60.0,
        "divide by the number of pictures, not of batches": 1.0,
        "the largest logit is looked for among pictures; look along the classes, argmax(1)": 0.2,
        "this is the share of wrong answers": 0.4,
    }
    expect(returned, 0.6, of="test(...), with 3 of 5 right", mistakes=mistakes)
    require(len(accuracies) == 2, "test_accuracy_list must get one more number")
    require(isinstance(accuracies[1], int | float), "append a number to test_accuracy_list")
    expect(accuracies[1], 0.6, of="the number appended to test_accuracy_list", mistakes=mistakes)
    expect(test(model, loader), 0.6, of="test(...) without a list")
    require(not any(tracked), "test tracks gradients that nobody takes: with NoGrad()")


@checks("train", timeout=60)
def test_training_on_digits(MLP, Tensor, SGD, train, test):
    from arena_lab.data import digits

    data = digits(subset=True)
    images = ((data.train_images[:2400, None] / 255 - 0.13) / 0.31).astype(np.float32)
    labels = data.train_labels[:2400]
    loader = [(images[i : i + 32], labels[i : i + 32]) for i in range(0, 2400, 32)]
    test_images = ((data.test_images[:, None] / 255 - 0.13) / 0.31).astype(np.float32)
    model, losses = MLP(), []
    train(model, loader, SGD(model.parameters(), lr=0.1), 0, losses)
    accuracy = test(model, [(test_images, data.test_labels)])
    require(
        accuracy > 0.65,
        f"after 2,400 real digits the network reads {accuracy:.0%} of 1,000 others; it should be "
        "about 83 %",
        first_losses=np.array(losses[:3]),
        last_losses=np.array(losses[-3:]),
    )
    require(is_tracked(Tensor), "after test() gradients must be tracked again")


# --- Bonus ------------------------------------------------------------------------------------


@checks("numerical_gradient")
def test_numerical_gradient(numerical_gradient):
    x = floats([[0.5, 1.0], [2.0, 3.0]])
    # d/dx (x² + 3 x) = 2 x + 3, and the first two elements of the sum share x[0, 0]
    call(numerical_gradient, lambda t: t * t + t * 3.0, x).gives(
        2 * x + 3,
        rtol=1e-2,
        mistakes={
            "every value is twice the gradient: the two points are 2 eps apart": 2 * (2 * x + 3),
            "the sign is wrong: f(x + eps) - f(x - eps)": -(2 * x + 3),
            "half the gradient: f(x + eps) - f(x) is a step of eps, not 2 eps": (2 * x + 3.01) / 2,
            "all elements moved at once; move one at a time": np.full((2, 2), 25.0, np.float32),
            "nothing moved: to a float32 with its 7 digits a step far below 0.01 is none": 0 * x,
        },
    )
    call(numerical_gradient, lambda t: t.log(), np.array(2.0, np.float32)).gives(0.5, rtol=1e-2)


@checks("numerical_gradient")
def test_numerical_gradient_sums_the_output(numerical_gradient):
    x = floats([1.0, 2.0])
    call(numerical_gradient, lambda t: t * floats([[1.0, 1.0], [10.0, 100.0]]), x).gives(
        floats([11.0, 101.0]), rtol=1e-2
    )


@checks("numerical_gradient")
def test_gradcheck(gradcheck, Tensor):
    x = numbers(2, 3)
    for name, fn in (
        ("x * x", lambda t: t * t),
        ("log(x) * 3", lambda t: t.log() * 3.0),
        ("x", lambda t: t * 1.0),
    ):
        found = call(gradcheck, fn, x).value
        require(bool(found), f"gradcheck says False for {name}, whose gradient is right")
    # At 0 the gradient is 0, and the numerical one eps² = 1e-4, for a tenth of the tolerance.
    require(
        bool(call(gradcheck, lambda t: t * t * t, floats([0.0, 1.0])).value),
        "gradcheck says False for x³ at 0, where the gradient is 0: a share of 0 is no tolerance, "
        "so allow an absolute difference too",
    )
    # One factor is cut off the graph: backward gives x, the true gradient is 2 x.
    wrong = call(gradcheck, lambda t: t * t.array, x).value
    require(not wrong, "gradcheck says True for a function whose backward gives half the gradient")


@checks("stale_nodes")
def test_stale_nodes(Tensor, stale_nodes):
    w, x = leaf(Tensor, [2.0, 3.0]), Tensor(floats([1.0, 1.0]))
    x += 4.0
    product = w * x
    out = product.log()
    require(list(stale_nodes(out)) == [], "x was changed before it was used: nothing is stale")
    x += 100.0
    found = list(stale_nodes(out))
    require(
        any(node is product for node in found),
        "w * x was computed with the old x, yet it is not reported",
        found=repr(found),
    )
    require(all(node is product for node in found), "only w * x is stale", found=repr(found))


@checks("stale_nodes")
def test_stale_nodes_changed_result(Tensor, stale_nodes):
    a = leaf(Tensor, [1.0, 2.0])
    doubled = a * 2.0
    out = doubled.log()
    doubled.add_(1.0)
    found = list(stale_nodes(out))
    require(
        any(node is doubled for node in found),
        "a * 2 was itself changed in place, yet it is not reported",
        found=repr(found),
    )
    require(len(found) == 2, "log(a * 2), computed from the old value, is stale too")
    require(list(stale_nodes(leaf(Tensor, [1.0]))) == [], "a leaf has no recipe: it is not stale")
    rows = leaf(Tensor, [[1.0, 2.0], [3.0, 4.0]]).sum(dim=0)
    require(
        list(stale_nodes(rows)) == [],
        "x.sum(dim=0) is reported, though nothing was changed: a recipe's keyword arguments belong "
        "to it",
    )
    nan = leaf(Tensor, [float("nan"), 1.0]) * 2.0
    require(list(stale_nodes(nan)) == [], "nan is equal to itself here: nothing was changed")


@checks("stale_nodes")
def test_careful_backprop(Tensor, careful_backprop):
    w, x = leaf(Tensor, [2.0, 3.0]), Tensor(floats([1.0, 1.0]))
    out = w * x
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        careful_backprop(out)
        require(not caught, "there is a warning, though nothing was changed in place")
        expect_grad(w, floats([1.0, 1.0]), of="w.grad after careful_backprop(w * x)")
        x += 1.0
        w.grad = None
        try:
            careful_backprop(out, Tensor(floats([1.0, 10.0])))
        except NotImplementedError:
            raise
        except Exception as error:
            fail("careful_backprop must warn and go on, not raise", raised=repr(error))
        require(len(caught) == 1, f"there must be one warning, not {len(caught)}")
    expect_grad(
        w,
        floats([2.0, 20.0]),
        of="w.grad after careful_backprop(w * x, [1, 10])",
        mistakes={"end_grad is not passed on to backprop": floats([2.0, 2.0])},
    )


@checks("relu_inplace")
def test_relu_inplace(relu_inplace):
    x = floats([-1.0, 0.0, 2.0])
    out = relu_inplace(x)
    expect(out, floats([0.0, 0.0, 2.0]), of="relu_inplace([-1, 0, 2])")
    expect(
        x,
        floats([0.0, 0.0, 2.0]),
        of="x afterwards",
        mistakes={"x itself did not change: write into it": floats([-1.0, 0.0, 2.0])},
    )
    require(out is x, "relu_inplace must return x itself, not a copy")


@checks("relu_inplace")
def test_relu_inplace_back(relu_inplace_back):
    out = floats([0.0, 0.0, 2.0, 0.5])
    call(relu_inplace_back, floats([3.0, 5.0, 7.0, 1.0]), out, out).gives(
        floats([0.0, 0.0, 7.0, 1.0]),
        mistakes={
            "the input is lost, so where out is 0 the gradient shall be 0": floats(
                [3.0, 5.0, 7.0, 1.0]
            ),
            "grad_out is multiplied by out; only its sign matters": floats([0.0, 0.0, 14.0, 0.5]),
            "grad_out is not used": floats([0.0, 0.0, 1.0, 1.0]),
            "half the gradient is passed on where out is 0; it shall be none": floats(
                [1.5, 2.5, 7.0, 1.0]
            ),
            "the gradient passes wherever out is above 0, not above 1": floats(
                [0.0, 0.0, 7.0, 0.0]
            ),
        },
    )


@checks("relu_inplace")
def test_relu_inplace_in_a_graph(Tensor, relu_):
    a = leaf(Tensor, [-1.0, 2.0])
    scaled = a * 3.0
    out = relu_(scaled)
    require(out.array is scaled.array, "relu_(x) must share the memory of x")
    out.backward(end_grad=floats([1.0, 10.0]))
    expect_grad(a, floats([0.0, 30.0]), of="a.grad after relu_(a * 3.0)")


def check_einsum(einsum_back, subscripts, *operands):
    """Compare with the definition: each element moves the output by its own partial einsum."""
    out = np.einsum(subscripts, *operands)
    grad_out = np.arange(2.0, out.size + 2, dtype=np.float32).reshape(out.shape)
    for position, operand in enumerate(operands):
        wanted = np.zeros_like(operand)
        each = []
        for index in np.ndindex(operand.shape):
            one = np.zeros_like(operand)
            one[index] = 1.0  # an einsum is linear in each operand
            moved = [*operands[:position], one, *operands[position + 1 :]]
            each.append(np.einsum(subscripts, *moved))
            wanted[index] = (grad_out * each[-1]).sum()
        ones = np.ones_like(grad_out)
        mistakes = {}
        if "," in subscripts:
            mistakes = {
                "the operand itself takes part; only the others do": wanted * operand,
                "grad_out is not used": np.stack([(ones * part).sum() for part in each]).reshape(
                    operand.shape
                ),
            }
        call(einsum_back, position, grad_out, out, subscripts, *operands).gives(
            wanted, rtol=1e-3, mistakes=mistakes
        )


@checks("einsum_back")
def test_einsum_back(einsum_back):
    check_einsum(einsum_back, "ij,jk->ik", numbers(2, 3), numbers(3, 2))
    check_einsum(einsum_back, "i, j -> j i", numbers(2), numbers(3))
    check_einsum(einsum_back, "i, j->ji", numbers(2), numbers(3))
    check_einsum(einsum_back, "bi,bi->b", numbers(2, 3), numbers(2, 3) + 1)
    check_einsum(einsum_back, "ij,jk,k->i", numbers(2, 3), numbers(3, 2), numbers(2))


@checks("einsum_back")
def test_einsum_back_summed_alone(einsum_back):
    check_einsum(einsum_back, "ij->ji", numbers(2, 3))
    try:
        check_einsum(einsum_back, "ij->j", numbers(2, 3))
        check_einsum(einsum_back, "ij->i", numbers(2, 3))
        check_einsum(einsum_back, "ij,k->", numbers(2, 3), numbers(2))
    except ValueError as error:
        fail(
            "a letter that stands in one operand alone is summed there; its gradient is the same "
            "along that axis, which einsum cannot make from nothing: hand it ones",
            raised=repr(error),
        )


@checks("einsum_back")
def test_einsum_in_a_graph(Tensor, einsum):
    a, b = leaf(Tensor, [[1.0, 2.0], [3.0, 4.0]]), leaf(Tensor, [10.0, 1.0])
    out = einsum("ij,j->i", a, b)
    expect_tensor(out, floats([12.0, 34.0]), of='einsum("ij,j->i", a, b)')
    out.backward(end_grad=floats([1.0, 2.0]))
    expect_grad(a, floats([[10.0, 1.0], [20.0, 2.0]]), of="a.grad")
    expect_grad(b, floats([7.0, 10.0]), of="b.grad")


@checks("unique_parameters")
def test_unique_parameters(Module, Parameter, Tensor, unique_parameters):
    outer, names = parts(Module, Parameter, Tensor)
    outer.again = outer.middle
    outer.tied = outer.weight
    equal = Parameter(Tensor([1.0]))  # equal to middle.inner.scale, and yet another one
    outer.equal = equal
    try:
        found = list(unique_parameters(outer))
    except ValueError as error:
        fail(
            "`in` compares tensors with ==, element by element; compare by identity",
            raised=repr(error),
        )
    if not all(isinstance(item, Parameter) for item in found):
        fail("unique_parameters must list the parameters themselves", returned=repr(found))
    if len({id(item) for item in found}) < len(found):
        fail("a parameter that is reached by several paths is there more than once")
    names |= {"equal": equal}
    missing = [name for name, item in names.items() if not any(item is x for x in found)]
    if missing in (["equal"], ["middle.inner.scale"]):
        fail(
            "of two parameters with equal values one is missing: compare by identity (`is`, a set, "
            "a dict), not with == as `in` does for a list",
            missing=", ".join(missing),
        )
    expect_objects(found, names, of="unique_parameters(outer)")


@checks("unique_parameters")
def test_unique_parameters_step_once(Module, Parameter, Tensor, SGD, unique_parameters):
    outer, _ = parts(Module, Parameter, Tensor)
    outer.again = outer.middle
    for parameter in unique_parameters(outer):
        parameter.grad = Tensor([1.0])
    SGD(unique_parameters(outer), lr=1.0).step()
    expect(outer.middle.shift.array, floats([1.0]), of="a shared parameter 2.0 after a step of 1.0")


@checks("detach")
def test_detach(Tensor, detach):
    a = leaf(Tensor, [2.0, 3.0])
    cut = call(detach, a * 1.0).value
    expect_tensor(cut, floats([2.0, 3.0]), of="detach(a * 1.0)")
    expect_no_history(cut, of="detach(a * 1.0)", because="detach cuts the graph")
    require(detach(a).array is a.array, "detach must share the array, not copy it")
    require(bool(a.requires_grad), "detach must make a new tensor; a itself keeps its gradient")
    (a * detach(a)).backward(end_grad=floats([1.0, 1.0]))
    expect_grad(
        a,
        floats([2.0, 3.0]),
        of="a.grad after (a * detach(a)).backward(ones)",
        mistakes={"the gradient flows through detach(a) too": floats([4.0, 6.0])},
    )


@checks("detach")
def test_round_straight_through(Tensor, round_straight_through):
    x = leaf(Tensor, [0.4, 1.6, -2.7])
    out = call(round_straight_through, x).value
    rounded = floats([0.0, 2.0, -3.0])
    expect(
        x.array,
        floats([0.4, 1.6, -2.7]),
        of="x itself after round_straight_through(x)",
        mistakes={"it was rounded in place; make a new tensor": rounded},
    )
    expect_tensor(
        out,
        rounded,
        of="round_straight_through(x)",
        mistakes={
            "the sign is wrong: to x add round(x) - x": 2 * x.array - rounded,
            "to x add the difference round(x) - x, not round(x) itself": x.array + rounded,
            "the digits are cut off; round to the nearest": np.trunc(x.array),
        },
    )
    require(bool(out.requires_grad), "the result does not require a gradient, though x does")
    (out * out).backward(end_grad=np.ones(3))
    expect_grad(
        x,
        floats([0.0, 4.0, -6.0]),
        of="x.grad after out = round(x); (out * out).backward(ones)",
        mistakes={
            "the square sees x itself, not the rounded values": floats([0.8, 3.2, -5.4]),
            "round(x) - x is not detached: its gradient takes that of x away again": 0 * x.array,
        },
    )


@checks("wrap_with_keywords")
def test_wrap_with_keywords(Tensor, wrap_with_keywords, register):
    def power(base, exponent, scale=1.0):
        return scale * base**exponent

    def back_base(grad_out, out, base, exponent, scale=1.0):
        return grad_out * exponent * out / base

    def back_exponent(grad_out, out, base, exponent, scale=1.0):
        return grad_out * out * np.log(base)

    register(power, back_base, back_exponent)
    wrapped = wrap_with_keywords(power)
    for text, compute in (
        ("power(base, exponent)", lambda b, e: wrapped(b, e)),
        ("power(base, exponent=exponent)", lambda b, e: wrapped(b, exponent=e)),
        ("power(exponent=exponent, base=base)", lambda b, e: wrapped(exponent=e, base=b)),
    ):
        base, exponent = leaf(Tensor, [2.0, 3.0]), leaf(Tensor, [3.0, 2.0])
        out = compute(base, exponent)
        expect_tensor(out, floats([8.0, 9.0]), of=text)
        out.backward(end_grad=np.ones(2))
        expect_grad(
            base,
            floats([12.0, 6.0]),
            of=f"base.grad after {text}",
            mistakes={
                "this is the gradient of exponent: a parent's position is that of its parameter, "
                "not its place in the call": floats([8 * LOG2, 9 * np.log(3)])
            },
        )
        expect_grad(exponent, floats([8 * LOG2, 9 * np.log(3)]), of=f"exponent.grad after {text}")
    out = wrapped(leaf(Tensor, [2.0]), 3.0, scale=10.0)
    expect_tensor(
        out,
        floats([80.0]),
        of="power(base, 3.0, scale=10.0)",
        mistakes={"a keyword that holds no tensor is lost": floats([8.0])},
    )
    out = wrap_with_keywords(power, is_differentiable=False)(leaf(Tensor, [2.0]), exponent=3.0)
    expect_no_history(out, of="the result", because="is_differentiable is False")


@checks("stack_back")
def test_stack_back(stack_back):
    a, b = numbers(2, 3), numbers(2, 3) + 1
    for dim in (0, 1, 2, -1):
        out = np.stack([a, b], axis=dim)
        grad_out = np.arange(12, dtype=np.float32).reshape(out.shape)
        for position in (0, 1):
            parts = np.moveaxis(grad_out, dim, 0)
            mistakes = {
                "this is the gradient of another array": parts[1 - position],
                "the parts of grad_out are added up; take the one at position": parts.sum(0),
                "this is the array itself; take its part of grad_out": (a, b)[position],
            }
            if dim:
                mistakes["dim is not used: this is a part along axis 0"] = grad_out[position]
            call(stack_back, position, grad_out, out, a, b, dim=dim).gives(
                parts[position], mistakes=mistakes
            )


@checks("stack_back")
def test_stack_in_a_graph(Tensor, stack):
    tensors = [leaf(Tensor, [1.0, 2.0]), leaf(Tensor, [3.0, 4.0]), leaf(Tensor, [5.0, 6.0])]
    out = stack(tensors, dim=1)
    expect_tensor(out, floats([[1, 3, 5], [2, 4, 6]]), of="stack(tensors, dim=1)")
    out.backward(end_grad=floats([[1, 2, 3], [4, 5, 6]]))
    for i, tensor in enumerate(tensors):
        expect_grad(tensor, floats([1 + i, 4 + i]), of=f"tensors[{i}].grad")


@checks("sliding_windows")
def test_sliding_windows(sliding_windows):
    x = np.arange(20, dtype=np.float32).reshape(1, 4, 5)
    out = call(sliding_windows, x, 2, 3).value
    expect(
        getattr(out, "shape", None),
        (1, 3, 3, 2, 3),
        of="the shape of sliding_windows(x, 2, 3)",
        mistakes={
            "one window too few each way: (height - kernel_height) // stride + 1": (1, 2, 2, 2, 3),
            "the kernel's height and width are swapped": (1, 2, 4, 3, 2),
        },
    )
    expect(out[0, 0, 0], floats([[0, 1, 2], [5, 6, 7]]), of="the first window")
    expect(out[0, 0, 1], floats([[1, 2, 3], [6, 7, 8]]), of="the window to its right")
    expect(out[0, 1, 0], floats([[5, 6, 7], [10, 11, 12]]), of="the window below")
    require(np.shares_memory(out, x), "the result is a copy; make a view with as_strided")


@checks("sliding_windows")
def test_sliding_windows_stride(sliding_windows):
    x = np.arange(2 * 7 * 9, dtype=np.float32).reshape(2, 7, 9)
    every = np.lib.stride_tricks.sliding_window_view(x, (2, 3), axis=(1, 2))
    for stride in (2, 3):
        wanted = every[:, ::stride, ::stride]
        rows, cols = wanted.shape[1:3]
        call(sliding_windows, x, 2, 3, stride).gives(
            wanted,
            mistakes={
                "the windows move by one pixel: multiply the steps between them by stride": every[
                    :, :rows, :cols
                ]
            },
        )


@checks("sliding_windows")
def test_sliding_windows_of_a_view(sliding_windows):
    big = np.arange(2 * 7 * 9, dtype=np.float32).reshape(2, 7, 9)
    for x, text in ((big.transpose(0, 2, 1), "a transposed array"), (big[:, ::2, 1:], "a slice")):
        wanted = np.lib.stride_tricks.sliding_window_view(x, (2, 3), axis=(1, 2))
        expect(
            sliding_windows(x, 2, 3), wanted, of=f"sliding_windows of {text} (use its own strides)"
        )


@checks("sliding_windows")
def test_sliding_windows_back(sliding_windows_back):
    x = np.zeros((1, 3, 3), np.float32)
    ones = np.ones((1, 2, 2, 2, 2), np.float32)
    call(sliding_windows_back, ones, ones, x, 2, 2).gives(
        floats([[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]),
        mistakes={
            "a pixel that lies in several windows must get the sum of their gradients": np.ones(
                (1, 3, 3), np.float32
            )
        },
    )
    x = np.zeros((2, 5, 6), np.float32)
    for stride in (1, 2, 3):
        view = np.lib.stride_tricks.sliding_window_view(x, (2, 3), axis=(1, 2))
        shape = view[:, ::stride, ::stride].shape
        grad_out = np.arange(1.0, np.prod(shape) + 1, dtype=np.float32).reshape(shape)
        wanted, unmoved = np.zeros_like(x), np.zeros_like(x)
        for b, i, j, row, col in np.ndindex(shape):
            wanted[b, i * stride + row, j * stride + col] += grad_out[b, i, j, row, col]
            unmoved[b, i + row, j + col] += grad_out[b, i, j, row, col]
        mistakes = {"the windows move by one pixel, not by stride": unmoved} if stride > 1 else {}
        call(sliding_windows_back, grad_out, grad_out, x, 2, 3, stride).gives(
            wanted, mistakes=mistakes
        )


def convolve(x, weight, stride, padding):
    """Convolve in plain loops."""
    x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    height, width = weight.shape[2:]
    rows = range(0, x.shape[2] - height + 1, stride)
    cols = range(0, x.shape[3] - width + 1, stride)
    out = np.zeros((len(x), len(weight), len(rows), len(cols)), np.float32)
    for i, row in enumerate(rows):
        for j, col in enumerate(cols):
            patch = x[:, None, :, row : row + height, col : col + width]
            out[:, :, i, j] = (patch * weight).sum((2, 3, 4))
    return out


@checks("conv1d")
def test_conv2d(Tensor, conv2d):
    x, weight = numbers(2, 3, 6, 5), numbers(4, 3, 3, 2) - 1
    turned = weight[:, :, ::-1, ::-1]
    for stride, padding in ((1, 0), (2, 0), (1, 2), (3, 1)):
        expect_tensor(
            conv2d(Tensor(x), Tensor(weight), stride, padding),
            convolve(x, weight, stride, padding),
            of=f"conv2d(x, weight, stride={stride}, padding={padding})",
            mistakes={
                "the kernels are turned round; slide them as they are": convolve(
                    x, turned, stride, padding
                )
            },
        )


@checks("conv1d")
def test_conv1d(Tensor, conv1d):
    x, weight = floats([[[1.0, 2.0, 3.0, 4.0, 5.0]]]), floats([[[1.0, 10.0]]])
    for stride, padding, wanted in (
        (1, 0, [21, 32, 43, 54]),
        (2, 0, [21, 43]),
        (1, 1, [10, 21, 32, 43, 54, 5]),
        (3, 1, [10, 43]),
    ):
        expect_tensor(
            conv1d(Tensor(x), Tensor(weight), stride, padding),
            floats([[wanted]]),
            of=f"conv1d([1, 2, 3, 4, 5], [1, 10], stride={stride}, padding={padding})",
        )
    x, weight = numbers(2, 3, 7), numbers(4, 3, 3)
    wanted = convolve(x[:, :, None], weight[:, :, None], 1, 0)[:, :, 0]
    expect_tensor(conv1d(Tensor(x), Tensor(weight)), wanted, of="conv1d with several channels")


@checks("conv1d")
def test_conv2d_gradient(Tensor, conv2d):
    x, weight = Tensor(numbers(1, 1, 3, 3), True), leaf(Tensor, [[[[1.0, 2.0], [3.0, 4.0]]]])
    conv2d(x, weight).backward(end_grad=np.ones((1, 1, 2, 2)))
    expect_grad(x, floats([[[[1, 3, 2], [4, 10, 6], [3, 7, 4]]]]), of="x.grad after conv2d")
    a = x.array[0, 0]
    sums = [[a[i : i + 2, j : j + 2].sum() for j in (0, 1)] for i in (0, 1)]
    expect_grad(weight, floats([[sums]]), of="weight.grad after conv2d")


@checks("amax_back")
def test_amax_back(amax_back):
    x = floats([[1.0, 3.0, 3.0], [4.0, 0.0, 2.0]])
    call(amax_back, floats([10.0, 100.0]), x.max(1), x, 1).gives(
        floats([[0, 5, 5], [100, 0, 0]]),
        mistakes={
            "ties share the gradient: two elements that are largest get half each": floats(
                [[0, 10, 10], [100, 0, 0]]
            ),
            "ties share the gradient: not only the first of them gets it": floats(
                [[0, 10, 0], [100, 0, 0]]
            ),
            "this is the largest of the whole array; each row has its own": floats(
                [[0, 0, 0], [100, 0, 0]]
            ),
            "the ties are counted in the whole array; count those of each row": floats(
                [[0, 10, 10], [100, 0, 0]]
            )
            / 3,
            "grad_out is not used": floats([[0, 0.5, 0.5], [1, 0, 0]]),
        },
    )
    call(amax_back, floats([1.0, 2.0, 3.0]), x.max(-2), x, -2).gives(floats([[0, 2, 3], [1, 0, 0]]))
    x = numbers(2, 3, 4)
    wanted = 7 * (x == x.max((0, 2), keepdims=True)).astype(np.float32)
    call(amax_back, floats([7.0, 7.0, 7.0]), x.max((0, 2)), x, (0, 2)).gives(wanted)


@checks("amax_back")
def test_max_pool2d(Tensor, max_pool2d):
    x = leaf(Tensor, np.arange(25.0).reshape(1, 1, 5, 5) * 7 % 25)
    out = max_pool2d(x, 2)
    expect_tensor(out, floats([[[[17, 24], [20, 19]]]]), of="max_pool2d(x, 2)")
    out.backward(end_grad=floats([[[[1, 2], [3, 4]]]]))
    grad = np.zeros((1, 1, 5, 5), np.float32)
    grad[0, 0, [1, 1, 2, 3], [1, 2, 0, 2]] = [1, 2, 3, 4]
    expect_grad(x, grad, of="x.grad after max_pool2d(x, 2)")
    overlapping = max_pool2d(x, 3, 2)
    expect_tensor(overlapping, floats([[[[24, 24], [22, 23]]]]), of="max_pool2d(x, 3, stride=2)")


@checks("BatchNorm2d")
def test_batch_norm(BatchNorm2d, Tensor):
    norm, x = BatchNorm2d(3), numbers(4, 3, 2, 5) * floats([1, 10, 100]).reshape(1, 3, 1, 1)
    for name in ("weight", "bias"):
        require(getattr(norm, name).shape == (3,), f"{name} must hold one number a channel")
    require(len(list(norm.parameters())) == 2, "only weight and bias are parameters")
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    wanted = (x - mean) / np.sqrt(var + 1e-5)
    unbiased = (x - mean) / np.sqrt(var * 40 / 39 + 1e-5)
    per_picture = x - x.mean((2, 3), keepdims=True)
    per_picture /= np.sqrt(x.var((2, 3), keepdims=True) + 1e-5)
    expect_tensor(
        norm(Tensor(x)),
        wanted,
        of="norm(x) while training",
        mistakes={
            "divide by the standard deviation, the root of the variance": (x - mean) / (var + 1e-5),
            "the mean is not subtracted": x / np.sqrt(var + 1e-5),
            "each picture has its own statistics; take them over the batch too": per_picture,
            "here the variance is the mean of squares: divide by n, not n - 1": unbiased,
            "the running statistics are used; while training take those of the batch": x
            / np.sqrt(1 + 1e-5),
        },
    )
    norm.weight.array[...], norm.bias.array[...] = [1, 2, 3], [10, 20, 30]
    scaled = wanted * floats([1, 2, 3]).reshape(1, 3, 1, 1) + floats([10, 20, 30]).reshape(
        1, 3, 1, 1
    )
    expect_tensor(
        norm(Tensor(x)),
        scaled,
        of="norm(x) with weight [1, 2, 3], bias [10, 20, 30]",
        mistakes={"weight and bias are not used": wanted},
    )


@checks("BatchNorm2d")
def test_batch_norm_eps(BatchNorm2d, Tensor):
    x = numbers(4, 3, 2, 5)
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    expect_tensor(
        BatchNorm2d(3, eps=0.5)(Tensor(x)),
        (x - mean) / np.sqrt(var + 0.5),
        of="BatchNorm2d(3, eps=0.5)(x) while training",
        mistakes={
            "eps is not used": (x - mean) / np.sqrt(var),
            "eps is added to the root; add it to the variance": (x - mean) / (np.sqrt(var) + 0.5),
        },
    )


@checks("BatchNorm2d")
def test_batch_norm_running_statistics(BatchNorm2d, Tensor):
    norm, x = BatchNorm2d(2, momentum=0.25), numbers(3, 2, 2, 2) + 3
    norm(Tensor(x, requires_grad=True))
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), ddof=1)
    expect(
        norm.running_mean,
        0.25 * mean,
        of="running_mean after a batch, with momentum 0.25",
        mistakes={
            "momentum is the share of the batch, not of the old value": 0.75 * mean,
            "it is replaced; it must move towards the batch by the share momentum": mean,
            "it did not move": np.zeros(2, np.float32),
        },
    )
    expect(
        norm.running_var,
        0.75 + 0.25 * var,
        of="running_var after a batch, with momentum 0.25",
        mistakes={
            "for the running variance divide by n - 1, not n": 0.75 + 0.25 * x.var((0, 2, 3)),
            "momentum is the share of the batch, not of the old value": 0.25 + 0.75 * var,
            "it must start at 1, not at 0": 0.25 * var,
        },
    )
    norm(Tensor(x, requires_grad=True))
    expect(
        norm.running_mean,
        (0.25 + 0.75 * 0.25) * mean,
        of="running_mean after the same batch once more",
        mistakes={
            "the old mean is not kept in part": 0.25 * mean,
            "the old mean must shrink by the share momentum": 0.5 * mean,
            "the old mean is added to that of the batch; subtract it": 0.5625 * mean,
        },
    )


@checks("BatchNorm2d")
def test_batch_norm_evaluation(BatchNorm2d, Tensor):
    norm, x = BatchNorm2d(2), numbers(3, 2, 2, 2)
    norm.running_mean, norm.running_var = floats([1.0, 2.0]), floats([4.0, 9.0])
    norm.training = False
    mean, std = floats([1, 2]).reshape(1, 2, 1, 1), floats([2, 3]).reshape(1, 2, 1, 1)
    of_batch = (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(
        x.var((0, 2, 3), keepdims=True) + 1e-5
    )
    expect_tensor(
        norm(Tensor(x)),
        (x - mean) / std,
        of="norm(x) with training = False",
        mistakes={"here the running statistics are to be used, not those of the batch": of_batch},
    )
    expect(norm.running_mean, floats([1.0, 2.0]), of="running_mean after an evaluation")


@checks("BatchNorm2d")
def test_batch_norm_gradient(BatchNorm2d, Tensor):
    norm, x = BatchNorm2d(1), leaf(Tensor, [[[[1.0, 2.0, 3.0]]]])
    norm(x).backward(end_grad=floats([[[[1.0, 0.0, 0.0]]]]))
    # (g - mean g - normed * mean(g normed)) / std with normed = (-√1.5, 0, √1.5), std = √(2/3)
    expect_grad(
        x,
        floats([[[[1 / 6, -1 / 3, 1 / 6]]]]) / np.float32(np.sqrt(2 / 3)),
        of="x.grad for x = [1, 2, 3] and end_grad = [1, 0, 0]",
        mistakes={
            "mean and variance depend on x too, and pass a gradient on": floats([[[[1, 0, 0]]]])
            / np.float32(np.sqrt(2 / 3)),
        },
    )
    expect_grad(norm.bias, floats([1.0]), of="bias.grad")


@checks("AveragePool")
def test_average_pool(AveragePool, Tensor):
    x = Tensor(numbers(2, 3, 4, 5), requires_grad=True)
    out = AveragePool()(x)
    expect_tensor(
        out,
        x.array.mean((2, 3)),
        of="AveragePool()(x)",
        mistakes={"this is the sum; divide by height times width": x.array.sum((2, 3))},
    )
    out.backward(end_grad=np.ones((2, 3)))
    expect_grad(x, np.full((2, 3, 4, 5), 1 / 20, np.float32), of="x.grad")


@checks("AveragePool")
def test_residual_block_shapes(ResidualBlock, Tensor):
    x = Tensor(numbers(2, 4, 6, 6))
    for args, shape, n_parameters in (
        ((4, 4), (2, 4, 6, 6), 6),
        ((4, 8), (2, 8, 6, 6), 9),
        ((4, 8, 2), (2, 8, 3, 3), 9),
        ((4, 4, 2), (2, 4, 3, 3), 9),
    ):
        block = ResidualBlock(*args)
        text = f"ResidualBlock({', '.join(map(str, args))})"
        out = block(x)
        expect(out.shape, shape, of=f"the shape that {text} gives for (2, 4, 6, 6)")
        found = len(list(block.parameters()))
        require(
            found == n_parameters,
            f"{text} has {found} parameters, not {n_parameters}: two 3×3 convolutions with batch "
            "norm on the left, and a 1×1 convolution with batch norm on the right only where the "
            "shape changes",
        )
        require(bool((out.array >= 0).all()), f"{text}: the last step must be a ReLU")
        out.sum().backward()


@checks("AveragePool")
def test_residual_block_passes_its_input(ResidualBlock, Tensor):
    block, x = ResidualBlock(2, 2), numbers(2, 2, 4, 4) - 1
    for parameter in block.parameters():
        if parameter.ndim == 1:
            parameter.array[...] = 0.0  # both batch norms give 0: the left branch is silent
    relu_x = np.maximum(x, 0)
    expect_tensor(
        block(Tensor(x)),
        relu_x,
        of="block(x) where the left branch gives 0",
        mistakes={
            "the input does not reach the sum: relu(left(x) + x)": np.zeros_like(x),
            "the ReLU comes after the sum, not before": x,
        },
    )


@checks("AveragePool")
def test_residual_block_adds_before_the_relu(ResidualBlock, Tensor):
    block, x = ResidualBlock(2, 2), numbers(2, 2, 4, 4)
    for parameter in block.parameters():
        if parameter.ndim == 1:  # each batch norm gives its bias, -1
            is_bias = not parameter.array.any()
            parameter.array[...] = -1.0 if is_bias else 0.0
    expect_tensor(
        block(Tensor(x)),
        np.maximum(x - 1, 0),
        of="block(x) where the left branch gives -1",
        mistakes={
            "the left branch ends in a ReLU; the only one after a batch norm there is in "
            "the middle": x
        },
    )
