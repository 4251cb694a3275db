"""Wrong answers that learners of 0.4 write; each cell's title is what its verdict must contain."""


def remember(out, func, args, kwargs, parents):
    """Give an array as a tensor with a recipe where a parent requires a gradient."""
    out = Tensor(out, grad_tracking_enabled and any(p.requires_grad for p in parents.values()))
    if out.requires_grad:
        out.recipe = Recipe(func, args, kwargs, parents)
    return out


def arrays_of(args):
    """Give the arguments with an array in the place of each tensor."""
    return tuple(arg.array if isinstance(arg, Tensor) else arg for arg in args)


def tensors_of(args):
    """Give the tensors among the arguments by their positions."""
    return {i: arg for i, arg in enumerate(args) if isinstance(arg, Tensor)}


def pass_back(node, grad_out):
    """Give each parent that wants a gradient, with what arrives at it from a node."""
    recipe = node.recipe
    for position, parent in recipe.parents.items():
        if parent.requires_grad:
            back_fn = BACK_FUNCS.get_back_func(recipe.func, position)
            yield parent, back_fn(grad_out, node.array, *recipe.args, **recipe.kwargs)


def start(end_node, end_grad):
    """Give the gradient of the end node as an array."""
    return np.ones_like(end_node.array) if end_grad is None else end_grad.array


# %% grad_out is not used: this is the derivative alone, 1/x
def log_back(grad_out, out, x):
    return 1 / x

# %% the gradient is divided by out = log(x); divide by x
def log_back(grad_out, out, x):
    return grad_out / out

# %% the gradient is multiplied by x; the derivative of log(x) is 1/x
def log_back(grad_out, out, x):
    return grad_out * x

# %% this is the forward function: log(x)
def log_back(grad_out, out, x):
    return np.log(x)

# %% the result is None: is a return statement missing?
def log_back(grad_out, out, x):
    grad_out / x

# %% log_back changed its argument grad_out in place; work on a copy or build a new array
def log_back(grad_out, out, x):
    grad_out /= x
    return grad_out

# %% the fraction is upside down: divide grad_out by x
def log_back(grad_out, out, x):
    return x / grad_out

# %% iteration over a 0-d array
def log_back(grad_out, out, x):
    return np.array([g / v for g, v in zip(grad_out, x)])

# %% the shape is (); it must be (2,) (everything was reduced to one number)
def log_back(grad_out, out, x):
    return np.sum(grad_out / x)

# %% one of the copies is taken; the gradients of all copies must be added
def unbroadcast(broadcasted, original):
    while broadcasted.ndim > original.ndim:
        broadcasted = broadcasted[0]
    return broadcasted

# %% the mean over the copies is taken; they must be added
def unbroadcast(broadcasted, original):
    return broadcasted.mean(tuple(range(broadcasted.ndim - original.ndim)))

# %% summed along the last axis; broadcasting prepends axes at the front
def unbroadcast(broadcasted, original):
    while broadcasted.ndim > original.ndim:
        broadcasted = broadcasted.sum(-1)
    return broadcasted

# %% nothing was summed: the axis that was prepended is still there
def unbroadcast(broadcasted, original):
    return broadcasted

# %% the stretched axis is gone; sum with keepdims=True
def unbroadcast(broadcasted, original):
    out = broadcasted.sum(tuple(range(broadcasted.ndim - original.ndim)))
    stretched = tuple(i for i, n in enumerate(original.shape) if n == 1)
    return out.sum(axis=stretched)

# %% nothing was summed: the stretched axis still has its long length
def unbroadcast(broadcasted, original):
    return broadcasted.sum(tuple(range(broadcasted.ndim - original.ndim)))

# %% nothing was summed: the axis that was prepended is still there
def unbroadcast(broadcasted, original):
    stretched = tuple(i for i, n in enumerate(original.shape) if n == 1)
    return broadcasted.sum(axis=stretched, keepdims=True)

# %% the wrong axis is summed: axis 1 of the original is axis 2 here
def unbroadcast(broadcasted, original):
    n = broadcasted.ndim - original.ndim
    stretched = tuple(i for i, length in enumerate(original.shape) if length == 1)
    return broadcasted.sum(axis=stretched, keepdims=True).sum(axis=tuple(range(n)))

# %% only one of the two prepended axes was summed
def unbroadcast(broadcasted, original):
    if broadcasted.ndim > original.ndim:
        broadcasted = broadcasted.sum(0)
    for axis, length in enumerate(original.shape):
        if length == 1:
            broadcasted = broadcasted.sum(axis, keepdims=True)
    return broadcasted

# %% the shape is (0, 3); it must be (1, 3)
def unbroadcast(broadcasted, original):
    broadcasted = broadcasted.sum(tuple(range(broadcasted.ndim - original.ndim)))
    for axis, length in enumerate(original.shape):
        if broadcasted.shape[axis] > length:
            broadcasted = broadcasted.sum(axis, keepdims=True)
    return broadcasted

# %% a sum without keepdims moves the axes behind it one place forward
def unbroadcast(broadcasted, original):
    for axis in range(broadcasted.ndim - original.ndim):
        broadcasted = broadcasted.sum(axis)
    return broadcasted.sum(
        tuple(i for i, n in enumerate(original.shape) if n == 1), keepdims=True
    )

# %% cannot reshape array of size 6 into shape (3,)
def unbroadcast(broadcasted, original):
    return broadcasted.reshape(original.shape)

# %% the result has the shape of out; unbroadcast it to the shape of x
def multiply_back0(grad_out, out, x, y):
    return grad_out * y

# %% multiply grad_out by the other argument, y
def multiply_back0(grad_out, out, x, y):
    return unbroadcast(grad_out * x, x)

# %% multiply grad_out by the other argument, x
def multiply_back1(grad_out, out, x, y):
    return unbroadcast(grad_out * y, y)

# %% grad_out is not used: this is the derivative alone
def multiply_back0(grad_out, out, x, y):
    return y

# %% grad_out is multiplied by out
def multiply_back1(grad_out, out, x, y):
    return unbroadcast(grad_out * out, y)

# %% unbroadcast after the product, not before: (grad_out * x), summed
def multiply_back1(grad_out, out, x, y):
    return unbroadcast(grad_out, y) * unbroadcast(x, y)

# %% the result has the shape of out; unbroadcast it to the shape of y
def multiply_back1(grad_out, out, x, y):
    return unbroadcast(grad_out * x, x)

# %% 'float' object has no attribute 'reshape'
def multiply_back0(grad_out, out, x, y):
    return unbroadcast(grad_out * y.reshape(y.shape), x)

# %% multiply_back0 changed its argument grad_out in place
def multiply_back0(grad_out, out, x, y):
    grad_out *= y
    return unbroadcast(grad_out, x)

# %% grad_out is divided by x; multiply
def multiply_back1(grad_out, out, x, y):
    return unbroadcast(grad_out / x, y)

# %% the gradient of c is not the sum over its three copies
def forward_and_back(a, b, c):
    return 1 / a, 1 / b, np.full_like(c, 1) / (c * np.log(c))

# %% the gradient of c stops at e: go on through e = log(c)
def forward_and_back(a, b, c):
    e = np.log(c)
    d = a * b
    f = d * e
    grad_f = log_back(np.ones_like(f), np.log(f), f)
    grad_d = multiply_back0(grad_f, f, d, e)
    return multiply_back0(grad_d, d, a, b), multiply_back1(grad_d, d, a, b), multiply_back1(
        grad_f, f, d, e
    )

# %% start from ones, the gradient of the loss with respect to g, not from g itself
def forward_and_back(a, b, c):
    d, e = a * b, np.log(c)
    f = d * e
    g = np.log(f)
    grad_f = log_back(g, g, f)
    grad_d, grad_e = multiply_back0(grad_f, f, d, e), multiply_back1(grad_f, f, d, e)
    grad_a, grad_b = multiply_back0(grad_d, d, a, b), multiply_back1(grad_d, d, a, b)
    return grad_a, grad_b, log_back(grad_e, e, c)

# %% the gradients of a and b are swapped
def forward_and_back(a, b, c):
    d, e = a * b, np.log(c)
    f = d * e
    grad_f = 1 / f
    grad_d, grad_e = multiply_back0(grad_f, f, d, e), multiply_back1(grad_f, f, d, e)
    grad_a, grad_b = multiply_back1(grad_d, d, a, b), multiply_back0(grad_d, d, a, b)
    return grad_a, grad_b, log_back(grad_e, e, c)

# %% the loss is the sum of g, not its mean
def forward_and_back(a, b, c):
    d, e = a * b, np.log(c)
    f = d * e
    grad_f = log_back(np.full_like(f, 1 / f.size), None, f)
    grad_d, grad_e = multiply_back0(grad_f, f, d, e), multiply_back1(grad_f, f, d, e)
    grad_a, grad_b = multiply_back0(grad_d, d, a, b), multiply_back1(grad_d, d, a, b)
    return grad_a, grad_b, log_back(grad_e, e, c)

# %% the result is a numpy.ndarray; expected 3 values in a tuple
def forward_and_back(a, b, c):
    return np.log(a * b * np.log(c))

# %% log_back(grad_g, g, f) divides by its third argument, f; here it was g
def forward_and_back(a, b, c):
    d, e = a * b, np.log(c)
    f = d * e
    g = np.log(f)
    grad_f = log_back(np.ones_like(g), f, g)
    grad_d, grad_e = multiply_back0(grad_f, f, d, e), multiply_back1(grad_f, f, d, e)
    grad_a, grad_b = multiply_back0(grad_d, d, a, b), multiply_back1(grad_d, d, a, b)
    return grad_a, grad_b, log_back(grad_e, e, c)

# %% store a function for each position
class BackwardFuncLookup:
    def __init__(self):
        self.back_funcs = {}

    def add_back_func(self, forward_fn, arg_position, back_fn):
        self.back_funcs[forward_fn] = back_fn

    def get_back_func(self, forward_fn, arg_position):
        return self.back_funcs[forward_fn]

# %% store by the forward function too
class BackwardFuncLookup:
    def __init__(self):
        self.back_funcs = {}

    def add_back_func(self, forward_fn, arg_position, back_fn):
        self.back_funcs[arg_position] = back_fn

    def get_back_func(self, forward_fn, arg_position):
        return self.back_funcs[arg_position]

# %% make a new one in __init__
class BackwardFuncLookup:
    back_funcs = {}

    def add_back_func(self, forward_fn, arg_position, back_fn):
        self.back_funcs[forward_fn, arg_position] = back_fn

    def get_back_func(self, forward_fn, arg_position):
        return self.back_funcs[forward_fn, arg_position]

# %% nothing was added to this lookup, only to another one
class BackwardFuncLookup:
    def __init__(self):
        self.back_funcs = {}

    def add_back_func(self, forward_fn, arg_position, back_fn):
        self.back_funcs[forward_fn, arg_position] = back_fn

    def get_back_func(self, forward_fn, arg_position):
        return self.back_funcs.get((forward_fn, arg_position), lambda grad_out, *others: grad_out)

# %% is a return statement missing?
class BackwardFuncLookup:
    def __init__(self):
        self.back_funcs = {}

    def add_back_func(self, forward_fn, arg_position, back_fn):
        self.back_funcs[forward_fn, arg_position] = back_fn

    def get_back_func(self, forward_fn, arg_position):
        self.back_funcs[forward_fn, arg_position]

# %% the next one took its place
class BackwardFuncLookup:
    def __init__(self):
        self.back_funcs = {}

    def add_back_func(self, forward_fn, arg_position, back_fn):
        self.back_funcs[forward_fn] = {arg_position: back_fn}

    def get_back_func(self, forward_fn, arg_position):
        return self.back_funcs[forward_fn][arg_position]

# %% a function added again must replace the first
class BackwardFuncLookup:
    def __init__(self):
        self.back_funcs = {}

    def add_back_func(self, forward_fn, arg_position, back_fn):
        self.back_funcs.setdefault((forward_fn, arg_position), back_fn)

    def get_back_func(self, forward_fn, arg_position):
        return self.back_funcs[forward_fn, arg_position]

# %% get_back_func(log, 0) is not the function that was added
class BackwardFuncLookup:
    def __init__(self):
        self.back_funcs = {}

    def add_back_func(self, forward_fn, arg_position, back_fn):
        self.back_funcs.setdefault(forward_fn, []).append(back_fn)

    def get_back_func(self, forward_fn, arg_position):
        return self.back_funcs[forward_fn]

# %% numpy got a Tensor; hand it the tensor's array, or use a function of tensors
def log_forward(x):
    out = Tensor(np.log(x), x.requires_grad)
    out.recipe = Recipe(np.log, (x.array,), {}, {0: x})
    return out

# %% x does not require a gradient
def log_forward(x):
    out = Tensor(np.log(x.array), x.requires_grad)
    out.recipe = Recipe(np.log, (x.array,), {}, {0: x})
    return out

# %% grad_tracking_enabled is False
def log_forward(x):
    out = Tensor(np.log(x.array), x.requires_grad)
    if x.requires_grad:
        out.recipe = Recipe(np.log, (x.array,), {}, {0: x})
    return out

# %% grad_tracking_enabled is False
def log_forward(x):
    out = Tensor(np.log(x.array), x.requires_grad)
    if grad_tracking_enabled and x.requires_grad:
        out.recipe = Recipe(np.log, (x.array,), {}, {0: x})
    return out

# %% log_forward(x) does not require a gradient
def log_forward(x):
    out = Tensor(np.log(x.array))
    if grad_tracking_enabled and x.requires_grad:
        out.recipe = Recipe(np.log, (x.array,), {}, {0: x})
    return out

# %% x does not require a gradient
def log_forward(x):
    out = Tensor(np.log(x.array), grad_tracking_enabled)
    if out.requires_grad:
        out.recipe = Recipe(np.log, (x.array,), {}, {0: x})
    return out

# %% log_forward(x) has no recipe, though a tensor that it is computed from requires a
def log_forward(x):
    return Tensor(np.log(x.array), grad_tracking_enabled and x.requires_grad)

# %% recipe.args[0] is a Tensor; it must be the tensor's array
def log_forward(x):
    return remember(np.log(x.array), np.log, (x,), {}, {0: x})

# %% recipe.args must be a tuple
def log_forward(x):
    return remember(np.log(x.array), np.log, (x.array), {}, {0: x})

# %% recipe.func must be the function of numpy arrays, log
def log_forward(x):
    return remember(np.log(x.array), log_forward, (x.array,), {}, {0: x})

# %% recipe.parents[0] must be the tensor that is argument 0
def log_forward(x):
    out = Tensor(np.log(x.array), grad_tracking_enabled and x.requires_grad)
    if out.requires_grad:
        out.recipe = Recipe(np.log, (x.array,), {}, {0: x.array})
    return out

# %% recipe.parents must be a dict from the position of an argument to its tensor
def log_forward(x):
    out = Tensor(np.log(x.array), grad_tracking_enabled and x.requires_grad)
    if out.requires_grad:
        out.recipe = Recipe(np.log, (x.array,), {}, [x])
    return out

# %% log_forward must not give x a recipe
def log_forward(x):
    out = Tensor(np.log(x.array), grad_tracking_enabled and x.requires_grad)
    if out.requires_grad:
        x.recipe = out.recipe = Recipe(np.log, (x.array,), {}, {0: x})
    return out

# %% log_forward(x) is a numpy array; wrap it in a Tensor
def log_forward(x):
    return np.log(x.array)

# %% recipe.kwargs must be {}, the keyword arguments of the call
def log_forward(x):
    return remember(np.log(x.array), np.log, (x.array,), None, {0: x})

# %% recipe.args[0] is not argument 0 itself, or its array
def log_forward(x):
    return remember(np.log(x.array), np.log, (x.array.copy(),), {}, {0: x})

# %% 'float' object has no attribute 'array'
def multiply_forward(a, b):
    return remember(a.array * b.array, np.multiply, (a.array, b.array), {}, {0: a, 1: b})

# %% multiply_forward(a, b), where only b requires a gradient, does not require a gradient
def multiply_forward(a, b):
    args = arrays_of((a, b))
    out = Tensor(np.multiply(*args), all(p.requires_grad for p in tensors_of((a, b)).values()))
    if out.requires_grad:
        out.recipe = Recipe(np.multiply, args, {}, tensors_of((a, b)))
    return out

# %% recipe.parents[1] is not a tensor among the arguments
def multiply_forward(a, b):
    args = arrays_of((a, b))
    needs = any(p.requires_grad for p in tensors_of((a, b)).values())
    out = Tensor(np.multiply(*args), grad_tracking_enabled and needs)
    if out.requires_grad:
        out.recipe = Recipe(np.multiply, args, {}, {0: a, 1: b})
    return out

# %% recipe.parents[1] must be the tensor that is argument 1
def multiply_forward(a, b):
    tensors = [arg for arg in (a, b) if isinstance(arg, Tensor)]
    args = arrays_of((a, b))
    return remember(np.multiply(*args), np.multiply, args, {}, dict(enumerate(tensors)))

# %% multiply_forward(a, b), where only b requires a gradient, does not require a gradient
def multiply_forward(a, b):
    args = arrays_of((a, b))
    out = Tensor(np.multiply(*args), isinstance(a, Tensor) and a.requires_grad)
    if out.requires_grad:
        out.recipe = Recipe(np.multiply, args, {}, tensors_of((a, b)))
    return out

# %% recipe.args holds 1 arguments, not 2
def multiply_forward(a, b):
    tensors = tensors_of((a, b))
    args = tuple(t.array for t in tensors.values())
    return remember(np.multiply(*arrays_of((a, b))), np.multiply, args, {}, tensors)

# %% grad_tracking_enabled is False
def multiply_forward(a, b):
    tensors = tensors_of((a, b))
    args = arrays_of((a, b))
    out = Tensor(np.multiply(*args), any(t.requires_grad for t in tensors.values()))
    if out.requires_grad:
        out.recipe = Recipe(np.multiply, args, {}, tensors)
    return out

# %% 'int' object has no attribute 'array'
def multiply_forward(a, b):
    if isinstance(a, float):
        return remember(a * b.array, np.multiply, (a, b.array), {}, {1: b})
    if isinstance(b, float):
        return remember(a.array * b, np.multiply, (a.array, b), {}, {0: a})
    return remember(a.array * b.array, np.multiply, (a.array, b.array), {}, {0: a, 1: b})

# %% shapes (3,) and (2,1) not aligned
def multiply_forward(a, b):
    return remember(
        np.dot(*arrays_of((a, b))), np.multiply, arrays_of((a, b)), {}, tensors_of((a, b))
    )

# %% recipe.func must be the function of numpy arrays, multiply
def multiply_forward(a, b):
    args = arrays_of((a, b))
    return remember(args[0] * args[1], multiply_forward, args, {}, tensors_of((a, b)))

# %% the keyword arguments are not passed on to numpy_func
def wrap_forward_fn(numpy_func, is_differentiable=True):
    def tensor_func(*args, **kwargs):
        arrays = arrays_of(args)
        return remember(numpy_func(*arrays), numpy_func, arrays, kwargs, tensors_of(args))
    return tensor_func

# %% recipe.kwargs must be {'factor': 2.0}, the keyword arguments of the call
def wrap_forward_fn(numpy_func, is_differentiable=True):
    def tensor_func(*args, **kwargs):
        arrays = arrays_of(args)
        return remember(numpy_func(*arrays, **kwargs), numpy_func, arrays, {}, tensors_of(args))
    return tensor_func

# %% is_differentiable is False
def wrap_forward_fn(numpy_func, is_differentiable=True):
    def tensor_func(*args, **kwargs):
        arrays = arrays_of(args)
        return remember(
            numpy_func(*arrays, **kwargs), numpy_func, arrays, kwargs, tensors_of(args)
        )
    return tensor_func

# %% the result must not require a gradient: its input does not
def wrap_forward_fn(numpy_func, is_differentiable=True):
    def tensor_func(*args, **kwargs):
        out = Tensor(numpy_func(*arrays_of(args), **kwargs), is_differentiable)
        if out.requires_grad:
            out.recipe = Recipe(numpy_func, arrays_of(args), kwargs, tensors_of(args))
        return out
    return tensor_func

# %% wrap_forward_fn must return a function
def wrap_forward_fn(numpy_func, is_differentiable=True):
    def tensor_func(*args, **kwargs):
        arrays = arrays_of(args)
        return remember(
            numpy_func(*arrays, **kwargs), numpy_func, arrays, kwargs, tensors_of(args)
        )

# %% wrap_forward_fn.<locals>.tensor_func() takes 1 positional argument but 3 were given
def wrap_forward_fn(numpy_func, is_differentiable=True):
    def tensor_func(x, **kwargs):
        out = numpy_func(x.array, **kwargs)
        return remember(out, numpy_func, (x.array,), kwargs, {0: x})
    return tensor_func

# %% recipe.func must be the function of numpy arrays, scale
def wrap_forward_fn(numpy_func, is_differentiable=True):
    def tensor_func(*args, **kwargs):
        needs = is_differentiable and any(t.requires_grad for t in tensors_of(args).values())
        out = Tensor(numpy_func(*arrays_of(args), **kwargs), grad_tracking_enabled and needs)
        if out.requires_grad:
            out.recipe = Recipe(tensor_func, arrays_of(args), kwargs, tensors_of(args))
        return out
    return tensor_func

# %% recipe.args must be a tuple
def wrap_forward_fn(numpy_func, is_differentiable=True):
    def tensor_func(*args, **kwargs):
        needs = is_differentiable and any(t.requires_grad for t in tensors_of(args).values())
        arrays = [arg.array if isinstance(arg, Tensor) else arg for arg in args]
        out = Tensor(numpy_func(*arrays, **kwargs), grad_tracking_enabled and needs)
        if out.requires_grad:
            out.recipe = Recipe(numpy_func, arrays, kwargs, tensors_of(args))
        return out
    return tensor_func

# %% grad_tracking_enabled is False when it is called
def wrap_forward_fn(numpy_func, is_differentiable=True):
    tracked = is_differentiable and grad_tracking_enabled
    def tensor_func(*args, **kwargs):
        needs = tracked and any(t.requires_grad for t in tensors_of(args).values())
        out = Tensor(numpy_func(*arrays_of(args), **kwargs), needs)
        if out.requires_grad:
            out.recipe = Recipe(numpy_func, arrays_of(args), kwargs, tensors_of(args))
        return out
    return tensor_func

# %% recipe.parents[1] is not a tensor among the arguments
def wrap_forward_fn(numpy_func, is_differentiable=True):
    def tensor_func(*args, **kwargs):
        needs = is_differentiable and any(t.requires_grad for t in tensors_of(args).values())
        out = Tensor(numpy_func(*arrays_of(args), **kwargs), grad_tracking_enabled and needs)
        if out.requires_grad:
            out.recipe = Recipe(numpy_func, arrays_of(args), kwargs, dict(enumerate(args)))
        return out
    return tensor_func

# %% recipe.parents[1] must be the tensor that is argument 1
def wrap_forward_fn(numpy_func, is_differentiable=True):
    def tensor_func(*args, **kwargs):
        arrays = arrays_of(args)
        parents = dict(enumerate(arg for arg in args if isinstance(arg, Tensor)))
        if not is_differentiable:
            return Tensor(numpy_func(*arrays, **kwargs))
        return remember(numpy_func(*arrays, **kwargs), numpy_func, arrays, kwargs, parents)
    return tensor_func


# %% node z is missing from the list
def topological_sort(node, get_children):
    return [*get_children(node), node]

# %% node y is in the list 3 times
def topological_sort(node, get_children):
    result = []
    for child in get_children(node):
        result += topological_sort(child, get_children)
    return [*result, node]

# %% the order is the wrong way round
def topological_sort(node, get_children):
    result, seen = [], set()
    def visit(current):
        if current in seen:
            return
        seen.add(current)
        result.append(current)
        for child in get_children(current):
            visit(child)
    visit(node)
    return result

# %% the order is the wrong way round
def topological_sort(node, get_children):
    result, path = [], set()
    def visit(current):
        if current in result:
            return
        if current in path:
            raise ValueError("cycle")
        path.add(current)
        for child in get_children(current):
            visit(child)
        result.append(current)
    visit(node)
    return result[::-1]

# %% notice a node that is met again while its own children are still being visited
def topological_sort(node, get_children):
    result = []
    def visit(current):
        for child in get_children(current):
            if child not in result:
                visit(child)
        if current not in result:
            result.append(current)
    visit(node)
    return result

# %% topological_sort must raise an error for a cycle
def topological_sort(node, get_children):
    result, seen = [], set()
    def visit(current):
        if current in seen:
            return
        seen.add(current)
        for child in get_children(current):
            visit(child)
        result.append(current)
    visit(node)
    return result

# %% a node that is reached by two paths is no cycle, only one that is reached from itself
def topological_sort(node, get_children):
    result, seen = [], set()
    def visit(current):
        if current in seen:
            raise ValueError("cycle")
        seen.add(current)
        for child in get_children(current):
            visit(child)
        result.append(current)
    visit(node)
    return result

# %% remember which nodes are finished
def topological_sort(node, get_children):
    result = []
    def visit(current, path):
        if current in path:
            raise ValueError("cycle")
        for child in get_children(current):
            visit(child, path | {current})
        if current not in result:
            result.append(current)
    visit(node, frozenset())
    return result

# %% z, a child of y, must come before y
def topological_sort(node, get_children):
    result, queue = [], [node]
    while queue:
        current = queue.pop(0)
        if current not in result:
            result.append(current)
            queue += get_children(current)
        if len(queue) > 1000:
            raise ValueError("cycle")
    return result[::-1]

# %% the order is the wrong way round
def topological_sort(node, get_children):
    result, stack = [], [node]
    while stack:
        current = stack.pop()
        if current in result:
            continue
        result.append(current)
        stack += get_children(current)
    return result

# %% node x is missing from the list
def topological_sort(node, get_children):
    result = []
    def visit(current):
        for child in get_children(current):
            visit(child)
            if child not in result:
                result.append(child)
    visit(node)
    return result

# %% the list holds what is not a node of the graph
def topological_sort(node, get_children, result=[]):
    if node not in result:
        for child in get_children(node):
            topological_sort(child, get_children, result)
        result.append(node)
    return result

# %% topological_sort must return a list
def topological_sort(node, get_children):
    result = set()
    def visit(current):
        if current not in result:
            for child in get_children(current):
                visit(child)
            result.add(current)
    visit(node)
    return result

# %% e must come first: reverse it
def sorted_computational_graph(tensor):
    return topological_sort(tensor, get_children)

# %% sorted_computational_graph must return a list
def sorted_computational_graph(tensor):
    return topological_sort(tensor, get_children).reverse()

# %% sorted_computational_graph must return a list
def sorted_computational_graph(tensor):
    return reversed(topological_sort(tensor, get_children))

# %% leaves belong to the graph too
def sorted_computational_graph(tensor):
    return [tensor, *get_children(tensor)]

# %% it has the same values as a, and yet is another node. (`b in [a]` is true where a == b
def sorted_computational_graph(tensor):
    result = []
    def visit(node):
        for parent in get_children(node):
            if parent not in result:
                visit(parent)
        if node not in result:
            result.append(node)
    visit(tensor)
    return result[::-1]

# %% leaves belong to the graph too
def sorted_computational_graph(tensor):
    return [node for node in topological_sort(tensor, get_children)[::-1] if node.recipe]

# %% the tensor itself belongs to the graph
def sorted_computational_graph(tensor):
    return topological_sort(tensor, get_children)[-2::-1]

# %% the distance to the end is not enough, for there is a short way to a and a long one
def sorted_computational_graph(tensor):
    result, queue = [], [tensor]
    while queue:
        node = queue.pop(0)
        if not any(node is other for other in result):
            result.append(node)
            queue += get_children(node)
    return result

# %% 'NoneType' object has no attribute 'parents'
def sorted_computational_graph(tensor):
    return topological_sort(tensor, lambda t: list(t.recipe.parents.values()))[::-1]

# %% 'int' object has no attribute 'recipe'
def sorted_computational_graph(tensor):
    return topological_sort(tensor, lambda t: list(t.recipe.parents) if t.recipe else [])[::-1]

# %% the second call replaced the gradient of the first; add to it
def backprop(end_node, end_grad=None):
    grads = {end_node: start(end_node, end_grad)}
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        grad_out = grads.pop(node)
        if node.is_leaf:
            node.grad = Tensor(grad_out.copy())
            continue
        for parent, grad in pass_back(node, grad_out):
            grads[parent] = grads[parent] + grad if parent in grads else grad

# %% only one of its two uses counts: add up what arrives
def backprop(end_node, end_grad=None):
    grads = {end_node: start(end_node, end_grad)}
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        grad_out = grads.pop(node)
        if node.is_leaf:
            node.grad = Tensor(grad_out + (0 if node.grad is None else node.grad.array))
            continue
        for parent, grad in pass_back(node, grad_out):
            grads[parent] = grad

# %% end_grad is not used
def backprop(end_node, end_grad=None):
    grads = {end_node: np.ones_like(end_node.array)}
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        grad_out = grads.pop(node)
        if node.is_leaf:
            node.grad = Tensor(grad_out + (0 if node.grad is None else node.grad.array))
            continue
        for parent, grad in pass_back(node, grad_out):
            grads[parent] = grads[parent] + grad if parent in grads else grad

# %% 'NoneType' object has no attribute 'array'
def backprop(end_node, end_grad=None):
    grads = {end_node: end_grad.array}
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        grad_out = grads.pop(node)
        if node.is_leaf:
            node.grad = Tensor(grad_out + (0 if node.grad is None else node.grad.array))
            continue
        for parent, grad in pass_back(node, grad_out):
            grads[parent] = grads[parent] + grad if parent in grads else grad

# %% only leaves keep a gradient
def backprop(end_node, end_grad=None):
    grads = {end_node: start(end_node, end_grad)}
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        grad_out = grads.pop(node)
        node.grad = Tensor(grad_out + (0 if node.grad is None else node.grad.array))
        if node.is_leaf:
            continue
        for parent, grad in pass_back(node, grad_out):
            grads[parent] = grads[parent] + grad if parent in grads else grad

# %% every value is 2 times the expected one
def backprop(end_node, end_grad=None):
    grads = {end_node: start(end_node, end_grad)}
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        grad_out = grads.pop(node)
        if node.is_leaf:
            if node.grad is None:
                node.grad = Tensor(grad_out)
            else:
                node.grad.array += grad_out
            continue
        for parent, grad in pass_back(node, grad_out):
            grads[parent] = grads[parent] + grad if parent in grads else grad

# %% every value is 4 times the expected one
def backprop(end_node, end_grad=None):
    grads = {end_node: start(end_node, end_grad)}
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        grad_out = grads.pop(node)
        if node.is_leaf:
            node.grad = Tensor(grad_out + (0 if node.grad is None else node.grad.array))
            continue
        for parent, grad in pass_back(node, grad_out):
            if parent in grads:
                grads[parent] += grad
            else:
                grads[parent] = grad

# %% a does not require a gradient, yet it got one from a * b
def backprop(end_node, end_grad=None):
    grads = {end_node: start(end_node, end_grad)}
    for node in sorted_computational_graph(end_node):
        grad_out = grads.pop(node)
        if node.is_leaf:
            node.grad = Tensor(grad_out + (0 if node.grad is None else node.grad.array))
            continue
        for position, parent in node.recipe.parents.items():
            back_fn = BACK_FUNCS.get_back_func(node.recipe.func, position)
            grad = back_fn(grad_out, node.array, *node.recipe.args, **node.recipe.kwargs)
            grads[parent] = grads[parent] + grad if parent in grads else grad

# %% this is the gradient of a: look the function up by the argument's own position
def backprop(end_node, end_grad=None):
    grads = {end_node: start(end_node, end_grad)}
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        grad_out = grads.pop(node)
        if node.is_leaf:
            node.grad = Tensor(grad_out + (0 if node.grad is None else node.grad.array))
            continue
        recipe = node.recipe
        for parent in recipe.parents.values():
            if parent.requires_grad:
                back_fn = BACK_FUNCS.get_back_func(recipe.func, 0)
                grad = back_fn(grad_out, node.array, *recipe.args, **recipe.kwargs)
                grads[parent] = grads[parent] + grad if parent in grads else grad

# %% the backward function did not get the keyword arguments
def backprop(end_node, end_grad=None):
    grads = {end_node: start(end_node, end_grad)}
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        grad_out = grads.pop(node)
        if node.is_leaf:
            node.grad = Tensor(grad_out + (0 if node.grad is None else node.grad.array))
            continue
        recipe = node.recipe
        for position, parent in recipe.parents.items():
            if parent.requires_grad:
                back_fn = BACK_FUNCS.get_back_func(recipe.func, position)
                grad = back_fn(grad_out, node.array, *recipe.args)
                grads[parent] = grads[parent] + grad if parent in grads else grad

# %% the backward function got out as a Tensor; it takes arrays
def backprop(end_node, end_grad=None):
    grads = {end_node: start(end_node, end_grad)}
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        grad_out = grads.pop(node)
        if node.is_leaf:
            node.grad = Tensor(grad_out + (0 if node.grad is None else node.grad.array))
            continue
        recipe = node.recipe
        for position, parent in recipe.parents.items():
            if parent.requires_grad:
                back_fn = BACK_FUNCS.get_back_func(recipe.func, position)
                grad = back_fn(grad_out, node, *recipe.args, **recipe.kwargs)
                grads[parent] = grads[parent] + grad if parent in grads else grad

# %% first add up all that arrives at a node, then go on from it once
def backprop(end_node, end_grad=None):
    def visit(node, grad_out):
        if node.is_leaf:
            node.grad = Tensor(grad_out + (0 if node.grad is None else node.grad.array))
        else:
            for parent, grad in pass_back(node, grad_out):
                visit(parent, grad)
    visit(end_node, start(end_node, end_grad))

# %% start at the end node, and go to a tensor after all that were computed from it
def backprop(end_node, end_grad=None):
    grads = {end_node: start(end_node, end_grad)}
    for node in sorted_computational_graph(end_node)[::-1]:
        if not node.requires_grad:
            continue
        grad_out = grads.pop(node)
        if node.is_leaf:
            node.grad = Tensor(grad_out + (0 if node.grad is None else node.grad.array))
            continue
        for parent, grad in pass_back(node, grad_out):
            grads[parent] = grads[parent] + grad if parent in grads else grad

# %% a.grad after b = a.log(); c = b.log(); c.backward(ones) is a numpy array
def backprop(end_node, end_grad=None):
    grads = {end_node: start(end_node, end_grad)}
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        grad_out = grads.pop(node)
        if node.is_leaf:
            node.grad = grad_out if node.grad is None else node.grad + grad_out
            continue
        for parent, grad in pass_back(node, grad_out):
            grads[parent] = grads[parent] + grad if parent in grads else grad

# %% the second call did not start afresh: the gradients inside the graph stayed
KEPT = {}


def backprop(end_node, end_grad=None):
    KEPT[end_node] = KEPT.get(end_node, 0) + start(end_node, end_grad)
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        grad_out = KEPT[node]
        if node.is_leaf:
            node.grad = Tensor(grad_out.copy())
            continue
        for parent, grad in pass_back(node, grad_out):
            KEPT[parent] = KEPT.get(parent, 0) + grad

# %% a gradient is no part of the graph
def backprop(end_node, end_grad=None):
    grads = {end_node: start(end_node, end_grad)}
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        grad_out = grads.pop(node)
        if node.is_leaf:
            node.grad = Tensor(
                grad_out + (0 if node.grad is None else node.grad.array), requires_grad=True
            )
            continue
        for parent, grad in pass_back(node, grad_out):
            grads[parent] = grads[parent] + grad if parent in grads else grad

# %% this is -x, the forward function; the gradient is -grad_out
def negative_back(grad_out, out, x):
    return -x

# %% grad_out is not used: this is the derivative alone, -1
def negative_back(grad_out, out, x):
    return -np.ones_like(x)

# %% the sign is the wrong way round
def negative_back(grad_out, out, x):
    return grad_out

# %% negative_back changed its argument grad_out in place
def negative_back(grad_out, out, x):
    grad_out *= -1
    return grad_out

# %% the result is None: is a return statement missing?
def negative_back(grad_out, out, x):
    -grad_out

# %% grad_out is multiplied by out; the derivative of -x is -1
def negative_back(grad_out, out, x):
    return grad_out * out

# %% out is already exp(x): multiply by out itself, not by exp(out)
def exp_back(grad_out, out, x):
    return grad_out * np.exp(out)

# %% grad_out is multiplied by x; the derivative of exp(x) is exp(x)
def exp_back(grad_out, out, x):
    return grad_out * x

# %% grad_out is not used: this is the derivative alone, exp(x)
def exp_back(grad_out, out, x):
    return out

# %% grad_out is divided by out; the derivative of exp(x) is exp(x)
def exp_back(grad_out, out, x):
    return grad_out / out

# %% this is the rule for a power of x; the derivative of exp(x) is exp(x)
def exp_back(grad_out, out, x):
    return grad_out * x * np.exp(x - 1)

# %% exp_back changed its argument grad_out in place; work on a copy or build a new array
def exp_back(grad_out, out, x):
    grad_out *= out
    return grad_out

# %% this has the shape of out; the gradient must have the shape of x
def reshape_back(grad_out, out, x, new_shape):
    return grad_out

# %% this has the shape of out; the gradient must have the shape of x
def reshape_back(grad_out, out, x, new_shape):
    return grad_out.reshape(new_shape)

# %% this is a transpose; reshape keeps the order of the elements
def reshape_back(grad_out, out, x, new_shape):
    return grad_out.T

# %% reshape_back changed its argument grad_out in place; work on a copy or build a new array
def reshape_back(grad_out, out, x, new_shape):
    grad_out.shape = x.shape
    return grad_out

# %% the values are right but stand in the wrong places
def reshape_back(grad_out, out, x, new_shape):
    return grad_out.reshape(x.shape, order="F")

# %% the shape is (6,); it must be (2, 3)
def reshape_back(grad_out, out, x, new_shape):
    return grad_out.ravel()

# %% the shape is (4, 1); it must be (4,) (an axis of size 1 too many)
def reshape_back(grad_out, out, x, new_shape):
    return grad_out.reshape(x.shape[0], -1)

# %% the axes are permuted once more; undo it with the inverse permutation, np.argsort(axes)
def permute_back(grad_out, out, x, axes):
    return grad_out.transpose(axes)

# %% axes read from the back is not its inverse; np.argsort(axes) is
def permute_back(grad_out, out, x, axes):
    return grad_out.transpose(axes[::-1])

# %% the axes are only reversed: that undoes .T, not every permutation
def permute_back(grad_out, out, x, axes):
    return grad_out.T

# %% the axes are as they were in out; undo the permutation
def permute_back(grad_out, out, x, axes):
    return grad_out

# %% negative axes sort before the others; take them modulo x.ndim first
def permute_back(grad_out, out, x, axes):
    return grad_out.transpose(np.argsort(axes))

# %% the axes are as they were in out; undo the permutation
def permute_back(grad_out, out, x, axes):
    return grad_out.reshape(x.shape)

# %% tuple.index(x): x not in tuple
def permute_back(grad_out, out, x, axes):
    return grad_out.transpose([axes.index(i) for i in range(x.ndim)])

# %% the axes are as they were in out; undo the permutation
def permute_back(grad_out, out, x, axes):
    return grad_out.transpose(sorted(axes))

# %% grad_out is spread along the axis that was kept
def sum_back(grad_out, out, x, dim=None, keepdim=False):
    return np.broadcast_to(grad_out, x.shape)

# %% grad_out is not used
def sum_back(grad_out, out, x, dim=None, keepdim=False):
    return np.ones_like(x)

# %% grad_out is shared out; each element of x gets all of it
def sum_back(grad_out, out, x, dim=None, keepdim=False):
    if dim is not None and not keepdim:
        grad_out = np.expand_dims(grad_out, dim)
    return np.broadcast_to(grad_out, x.shape) * (out.size / x.size)

# %% the result has the shape of out; it must have the shape of x
def sum_back(grad_out, out, x, dim=None, keepdim=False):
    return grad_out

# %% do not put it back a second time
def sum_back(grad_out, out, x, dim=None, keepdim=False):
    if dim is not None:
        grad_out = np.expand_dims(grad_out, dim)
    return np.broadcast_to(grad_out, x.shape)

# %% 'NoneType' object cannot be interpreted as an integer
def sum_back(grad_out, out, x, dim=None, keepdim=False):
    if not keepdim:
        grad_out = np.expand_dims(grad_out, dim)
    return np.broadcast_to(grad_out, x.shape)

# %% tuple indices must be integers or slices, not tuple
def sum_back(grad_out, out, x, dim=None, keepdim=False):
    if dim is None or keepdim:
        return np.broadcast_to(grad_out, x.shape)
    return np.repeat(np.expand_dims(grad_out, dim), x.shape[dim], axis=dim)

# %% grad_out is multiplied by x; the derivative of a sum is 1
def sum_back(grad_out, out, x, dim=None, keepdim=False):
    if dim is not None and not keepdim:
        grad_out = np.expand_dims(grad_out, dim)
    return grad_out * x

# %% (3,4,1)  and requested shape (2,3,4)
def sum_back(grad_out, out, x, dim=None, keepdim=False):
    if dim is not None and not keepdim:
        grad_out = grad_out[..., None]
    return np.broadcast_to(grad_out, x.shape)

# %% (1,4,1)  and requested shape (2,3,4)
def sum_back(grad_out, out, x, dim=None, keepdim=False):
    if dim is not None and not keepdim:
        for axis in [dim] if isinstance(dim, int) else dim:
            grad_out = np.expand_dims(grad_out, axis)
    return np.broadcast_to(grad_out, x.shape)

# %% the result has the shape of out; unbroadcast it to the shape of x
def expand_back(grad_out, out, x, new_shape):
    return grad_out

# %% one of the copies is taken; the gradients of all copies must be added
def expand_back(grad_out, out, x, new_shape):
    return grad_out[..., :1]

# %% the result has the shape of out; unbroadcast it to the shape of x
def expand_back(grad_out, out, x, new_shape):
    return np.broadcast_to(grad_out, new_shape)

# %% the mean over the copies is taken; they must be added
def expand_back(grad_out, out, x, new_shape):
    return unbroadcast(grad_out, x) * x.size / out.size

# %% out was summed, not grad_out
def expand_back(grad_out, out, x, new_shape):
    return unbroadcast(out, x)

# %% a gradient must have the shape of its tensor (unbroadcast it)
def expand_back(grad_out, out, x, new_shape):
    stretched = tuple(i for i, n in enumerate(x.shape) if n == 1)
    return grad_out.sum(stretched, keepdims=True)

# %% the shape is (2,); it must be (2, 1) (an axis of size 1 is missing)
def expand_back(grad_out, out, x, new_shape):
    return grad_out.sum(tuple(i for i in range(x.ndim) if x.shape[i] != out.shape[i]))


# %% the sign is wrong: y is subtracted
def subtract_back1(grad_out, out, x, y):
    return unbroadcast(grad_out, y)

# %% a gradient must have the shape of its tensor (unbroadcast it)
def add_back1(grad_out, out, x, y):
    return grad_out

# %% a gradient must have the shape of its tensor (unbroadcast it)
def add_back0(grad_out, out, x, y):
    return grad_out

# %% a gradient must have the shape of its tensor (unbroadcast it)
def add_back1(grad_out, out, x, y):
    return unbroadcast(grad_out, x)

# %% 'int' object has no attribute 'sum'
def subtract_back0(grad_out, out, x, y):
    return unbroadcast(grad_out + 0 * y.sum(), x)

# %% this is the gradient of a product; divide by y
def true_divide_back0(grad_out, out, x, y):
    return unbroadcast(grad_out * y, x)

# %% the sign is wrong: the derivative of 1/y is -1/y²
def true_divide_back1(grad_out, out, x, y):
    return unbroadcast(grad_out * out / y, y)

# %% x is missing: the derivative of x/y is -x/y²
def true_divide_back1(grad_out, out, x, y):
    return unbroadcast(-grad_out / y**2, y)

# %% y must be squared: the derivative of x/y is -x/y²
def true_divide_back1(grad_out, out, x, y):
    return unbroadcast(-grad_out * x / y, y)

# %% this is the rule of a product; a sum passes grad_out on as it is
def add_back0(grad_out, out, x, y):
    return unbroadcast(grad_out * y, x)

# %% subtract_back1 changed its argument grad_out in place
def subtract_back1(grad_out, out, x, y):
    grad_out *= -1
    return unbroadcast(grad_out, y)

# %% the sign is the wrong way round
def subtract_back0(grad_out, out, x, y):
    return unbroadcast(-grad_out, x)

# %% an element that was taken several times must get all its gradients: np.add.at
def getitem_back(grad_out, out, x, index):
    grad = np.zeros_like(x)
    grad[coerce_index(index)] += grad_out
    return grad

# %% an element that was taken several times must get all its gradients: np.add.at
def getitem_back(grad_out, out, x, index):
    grad = np.zeros_like(x)
    grad[coerce_index(index)] = grad_out
    return grad

# %% getitem_back changed its argument x in place; work on a copy or build a new array
def getitem_back(grad_out, out, x, index):
    np.add.at(x, coerce_index(index), grad_out)
    return x

# %% grad_out is added to x itself; start from zeros
def getitem_back(grad_out, out, x, index):
    grad = x.copy()
    np.add.at(grad, coerce_index(index), grad_out)
    return grad

# %% use coerce_index here too
def getitem_back(grad_out, out, x, index):
    grad = np.zeros_like(x)
    np.add.at(grad, index, grad_out)
    return grad

# %% the result has the shape of out; start from zeros in the shape of x
def getitem_back(grad_out, out, x, index):
    return grad_out

# %% grad_out is indexed; it must go to the places in x that index names
def getitem_back(grad_out, out, x, index):
    return grad_out[coerce_index(index)]

# %% the result is None: is a return statement missing?
def getitem_back(grad_out, out, x, index):
    return np.add.at(np.zeros_like(x), coerce_index(index), grad_out)

# %% a tensor inside a tuple is still a tensor
def coerce_index(index):
    return index.array if isinstance(index, Tensor) else index

# %% a tuple must come back as a tuple, not as a list
def coerce_index(index):
    if isinstance(index, tuple):
        return [i.array if isinstance(i, Tensor) else i for i in index]
    return index.array if isinstance(index, Tensor) else index

# %% 1 holds no tensor, so it must come back as it is
def coerce_index(index):
    parts = index if isinstance(index, tuple) else (index,)
    return tuple(i.array if isinstance(i, Tensor) else i for i in parts)

# %% a tuple must come back as a tuple, not as a generator
def coerce_index(index):
    if isinstance(index, tuple):
        return (i.array if isinstance(i, Tensor) else i for i in index)
    return index.array if isinstance(index, Tensor) else index

# %% can only convert an array of size 1 to a Python scalar
def coerce_index(index):
    if isinstance(index, tuple):
        return tuple(i.item() if isinstance(i, Tensor) else i for i in index)
    return index.item() if isinstance(index, Tensor) else index

# %% 'int' object has no attribute 'array'
def coerce_index(index):
    if isinstance(index, tuple):
        return tuple(i.array for i in index)
    return index.array if isinstance(index, Tensor) else index

# %% where both are equal, each gets half of the gradient, not all
def maximum_back0(grad_out, out, x, y):
    return unbroadcast(grad_out * (x >= y), x)

# %% where both are equal, each gets half of the gradient, not nothing
def maximum_back0(grad_out, out, x, y):
    return unbroadcast(grad_out * (x > y), x)

# %% where both are equal, each gets half of the gradient, not nothing
def maximum_back1(grad_out, out, x, y):
    return unbroadcast(grad_out * (y > x), y)

# %% this is the gradient of the other argument
def maximum_back1(grad_out, out, x, y):
    return unbroadcast(np.where(x > y, grad_out, np.where(x == y, grad_out / 2, 0.0)), y)

# %% a gradient must have the shape of its tensor (unbroadcast it)
def maximum_back0(grad_out, out, x, y):
    return np.where(x > y, grad_out, np.where(x == y, grad_out / 2, 0.0))

# %% grad_out is not used
def maximum_back0(grad_out, out, x, y):
    return unbroadcast((x > y) + (x == y) / 2, x)

# %% maximum_back1 changed its argument grad_out in place
def maximum_back1(grad_out, out, x, y):
    grad_out[x > y] = 0
    grad_out[x == y] /= 2
    return unbroadcast(grad_out, y)

# %% only where both are equal is the gradient halved
def maximum_back0(grad_out, out, x, y):
    return unbroadcast(grad_out * (x >= y) / 2, x)

# %% where both are equal, each gets half of the gradient, not nothing
def maximum_back0(grad_out, out, x, y):
    return unbroadcast(grad_out * ((x > y) + (x == y) // 2), x)

# %% compute it from functions of tensors, like maximum
def relu(x):
    return Tensor(np.maximum(x.array, 0))

# %% relu changed its input in place; make a new tensor
def relu(x):
    x.array[x.array < 0] = 0
    return x

# %% numpy got a Tensor; hand it the tensor's array, or use a function of tensors
def relu(x):
    return np.maximum(x, 0)

# %% relu(a) is a numpy array; wrap it in a Tensor
def relu(x):
    return np.maximum(x.array, 0.0)

# %% this is the absolute value; negative elements become 0
def relu(x):
    return maximum(x, -x)

# %% the positive elements are replaced, not the negative ones
def relu(x):
    return -maximum(-x, 0.0)

# %% at 0 the gradient shall be half, which maximum(x, 0.0) gives by itself
def relu(x):
    return x * (x.array > 0).astype(np.float32)

# %% at 0 the gradient shall be half, not all of it
def relu(x):
    return x * (x.array >= 0).astype(np.float32)

# %% the order of the product is wrong: grad_out @ y.T
def matmul2d_back0(grad_out, out, x, y):
    return y.T @ grad_out

# %% y must be transposed: the shapes (rows, cols) and (cols, inner) fit
def matmul2d_back0(grad_out, out, x, y):
    return grad_out @ y

# %% this is the elementwise product; use @
def matmul2d_back0(grad_out, out, x, y):
    return grad_out * y

# %% this is the gradient with respect to y
def matmul2d_back0(grad_out, out, x, y):
    return x.T @ grad_out

# %% x must be transposed: the shapes (inner, rows) and (rows, cols) fit
def matmul2d_back1(grad_out, out, x, y):
    return x @ grad_out

# %% the order of the product is wrong: x.T @ grad_out
def matmul2d_back1(grad_out, out, x, y):
    return grad_out @ x.T

# %% this is the gradient with respect to x
def matmul2d_back1(grad_out, out, x, y):
    return grad_out @ y.T

# %% the result is transposed
def matmul2d_back1(grad_out, out, x, y):
    return grad_out.T @ x

# %% grad_out is not used
def matmul2d_back0(grad_out, out, x, y):
    return np.ones_like(out) @ y.T

# %% the result is transposed
def matmul2d_back0(grad_out, out, x, y):
    return y @ grad_out.T

# %% outer.parameters(recurse=False) gives the names ['weight', 'bias']
class Module(Module):
    def parameters(self, recurse=True):
        yield from self._parameters
        if recurse:
            for module in self.modules():
                yield from module.parameters()

# %% outer.parameters(recurse=False) gives something that it must not
class Module(Module):
    def parameters(self, recurse=True):
        yield from self._parameters.values()
        for module in self.modules():
            yield from module.parameters()

# %% outer.parameters() misses middle.inner.scale
class Module(Module):
    def parameters(self, recurse=True):
        yield from self._parameters.values()
        if recurse:
            for module in self.modules():
                yield from module.parameters(recurse=False)

# %% parameters() of the innermost module misses scale
class Module(Module):
    def parameters(self, recurse=True):
        if recurse:
            for module in self.modules():
                yield from module.parameters()
        else:
            yield from self._parameters.values()

# %% outer.parameters() misses middle.shift
class Module(Module):
    def parameters(self, recurse=True):
        yield from self._parameters.values()
        if recurse:
            for module in self.modules():
                yield module.parameters()

# %% __setattr__ must still set it, with super().__setattr__(key, val)
class Module(Module):
    def __setattr__(self, key, val):
        if isinstance(val, Parameter):
            self._parameters[key] = val
        elif isinstance(val, Module):
            self._modules[key] = val
        else:
            super().__setattr__(key, val)

# %% outer.modules() misses middle
class Module(Module):
    def __setattr__(self, key, val):
        object.__setattr__(self, key, val)

# %% maximum recursion depth exceeded
class Module(Module):
    def __setattr__(self, key, val):
        if isinstance(val, Parameter):
            self._parameters[key] = val
        elif isinstance(val, Module):
            self._modules[key] = val
        self.key = val

# %% outer.parameters(recurse=False) gives something that it must not
class Module(Module):
    def __setattr__(self, key, val):
        if isinstance(val, Tensor):
            self._parameters[key] = val
        elif isinstance(val, Module):
            self._modules[key] = val
        object.__setattr__(self, key, val)

# %% modules() gives a module inside a module; only those directly inside are wanted
class Module(Module):
    def modules(self):
        for module in self._modules.values():
            yield module
            yield from module.modules()

# %% modules() gives the module itself; only those inside it are wanted
class Module(Module):
    def modules(self):
        yield self
        yield from self._modules.values()

# %% outer.modules() gives the names ['middle']; it must give the objects
class Module(Module):
    def modules(self):
        yield from self._modules

# %% outer.parameters() misses weight
class Module(Module):
    def parameters(self, recurse=True):
        if not hasattr(self, "found"):
            object.__setattr__(self, "found", super().parameters(recurse))
        return self.found

# %% parameters() after outer.weight = new misses weight
class Module(Module):
    def __setattr__(self, key, val):
        if isinstance(val, Parameter):
            self._parameters.setdefault(key, val)
        elif isinstance(val, Module):
            self._modules.setdefault(key, val)
        object.__setattr__(self, key, val)

# %% Linear(3, 5).weight has shape (3, 5); it must be (5, 3) (out_features first)
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        bound = in_features**-0.5
        self.weight = Parameter(empty(in_features, out_features).uniform_(-bound, bound))

    def forward(self, x):
        return x @ self.weight + self.bias if self.bias is not None else x @ self.weight

# %% weight is drawn from ±1/√out_features; take in_features
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        self.weight.uniform_(-(out_features**-0.5), out_features**-0.5)

# %% for 100 inputs weight must lie within ±1/√100 = ±0.1
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        self.weight.array[...] = np.random.randn(out_features, in_features) * in_features**-0.5

# %% weight has no negative values; draw it from -0.1 to 0.1 (is it filled?)
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        self.weight.uniform_(0, in_features**-0.5)

# %% bias is all zeros; draw it from ±1/√in_features
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        self.bias = Parameter(zeros(out_features)) if bias else None

# %% weight is not uniform on ±1/√in_features = ±0.1
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        self.weight.uniform_(-1 / in_features, 1 / in_features)

# %% Linear(3, 5).weight must be a Parameter
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        Module.__init__(self)
        self.in_features, self.out_features = in_features, out_features
        bound = in_features**-0.5
        self.weight = empty(out_features, in_features).uniform_(-bound, bound)
        self.bias = Parameter(empty(out_features).uniform_(-bound, bound)) if bias else None

# %% Linear(3, 5, bias=False).bias must be None
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features)

# %% Linear(3, 5, bias=False).bias must be None
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features)
        if not bias:
            self.bias = Parameter(zeros(out_features), requires_grad=False)

# %% Linear(3, 5).bias has shape (1, 5); it must be (5,)
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        if bias:
            self.bias = Parameter(empty(1, out_features).uniform_(-0.1, 0.1))

# %% the bias is not added
class Linear(Linear):
    def forward(self, x):
        return x @ self.weight.T

# %% unsupported operand type(s) for +: 'float' and 'NoneType'
class Linear(Linear):
    def forward(self, x):
        return x @ self.weight.T + self.bias

# %% the gradient never arrived at this leaf
class Linear(Linear):
    def forward(self, x):
        out = x @ Tensor(self.weight.array.T)
        return out if self.bias is None else out + self.bias

# %% a tensor of shape (2,) is neither true nor false
class Linear(Linear):
    def forward(self, x):
        out = x @ self.weight.T
        return out + self.bias if self.bias else out

# %% draw new ones for each layer
SAME = np.random.uniform(-1, 1, 100_000)


class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        n = in_features * out_features
        self.weight.array[...] = SAME[:n].reshape(out_features, in_features) * in_features**-0.5

# %% there is no ReLU: three linear layers alone are one linear layer
class MLP(MLP):
    def forward(self, x):
        x = x.reshape((x.shape[0], 784))
        return self.output(self.linear2(self.linear1(x)))

# %% the ReLU after the first layer is missing
class MLP(MLP):
    def forward(self, x):
        x = x.reshape((x.shape[0], 784))
        return self.output(self.relu2(self.linear2(self.linear1(x))))

# %% the ReLU after the second layer is missing
class MLP(MLP):
    def forward(self, x):
        x = x.reshape((x.shape[0], 784))
        return self.output(self.linear2(self.relu1(self.linear1(x))))

# %% there is a ReLU after the last layer: logits may be negative
class MLP(MLP):
    def forward(self, x):
        return super().forward(x).relu()

# %% matmul takes two matrices, not shapes (3, 1, 28, 28) and (784, 64)
class MLP(MLP):
    def forward(self, x):
        return self.output(self.relu2(self.linear2(self.relu1(self.linear1(x)))))

# %% cannot reshape array of size 2352 into shape (16,784)
class MLP(MLP):
    def forward(self, x):
        x = x.reshape((16, 784))
        return self.output(self.relu2(self.linear2(self.relu1(self.linear1(x)))))

# %% the MLP's parameters must be those of Linear(784, 64), Linear(64, 64), Linear(64, 10)
class MLP(MLP):
    def __init__(self):
        super().__init__()
        self.linear1, self.linear2, self.output = Linear(784, 100), Linear(100, 64), Linear(64, 10)

# %% the MLP's parameters must be those of Linear(784, 64), Linear(64, 64), Linear(64, 10)
class MLP(MLP):
    def __init__(self):
        super().__init__()
        self.output = Linear(64, 10, bias=False)

# %% the MLP's parameters must be those of Linear(784, 64), Linear(64, 64), Linear(64, 10)
class MLP(Module):
    def __init__(self):
        super().__init__()
        self.layers = [Linear(784, 64), ReLU(), Linear(64, 64), ReLU(), Linear(64, 10)]

    def forward(self, x):
        x = x.reshape((x.shape[0], 784))
        for layer in self.layers:
            x = layer(x)
        return x

# %% ['linear1', 'relu1', 'linear2', 'relu2', 'output']
class MLP(Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = Linear(784, 64), Linear(64, 64), Linear(64, 10)

    def forward(self, x):
        return self.c(self.b(self.a(x.reshape((x.shape[0], 784))).relu()).relu())

# %% ReLU()(x) has lost its history
class ReLU(ReLU):
    def forward(self, x):
        return Tensor(np.maximum(x.array, 0))

# %% ReLU changed its input in place; make a new tensor
class ReLU(ReLU):
    def forward(self, x):
        x.array[x.array < 0] = 0
        return x

# %% the result is None: is a return statement missing?
class ReLU(ReLU):
    def forward(self, x):
        x.relu()

# %% this is a softmax; give the logits themselves
class MLP(MLP):
    def forward(self, x):
        out = super().forward(x).exp()
        return out / out.sum(1, keepdim=True)

# %% the mean is taken; give the loss of each row
def cross_entropy(logits, true_labels):
    log_total = logits.exp().sum(1).log()
    losses = log_total - logits[arange(0, len(logits)), true_labels]
    return losses.sum() / len(logits)

# %% exp(1000) is too large for a float. Subtract the largest logit of each row before exp
def cross_entropy(logits, true_labels):
    return logits.exp().sum(1).log() - logits[arange(0, len(logits)), true_labels]

# %% exp(1000) is too large for a float. Subtract the largest logit of each row before exp
def cross_entropy(logits, true_labels):
    exps = logits.exp()
    probs = exps / exps.sum(1, keepdim=True)
    return -probs[arange(0, len(logits)), true_labels].log()

# %% a probability of exp(-1000) is 0 to a float, and log(0) is -inf
def cross_entropy(logits, true_labels):
    exps = (logits - logits.array.max(axis=1, keepdims=True)).exp()
    probs = exps / exps.sum(1, keepdim=True)
    return -probs[arange(0, len(logits)), true_labels].log()

# %% with the largest logit of the batch every exp of a row may be 0, and log(0) is -inf
def cross_entropy(logits, true_labels):
    shifted = logits - logits.array.max()
    return shifted.exp().sum(1).log() - shifted[arange(0, len(logits)), true_labels]

# %% the sign is wrong: the loss is minus the log of the probability
def cross_entropy(logits, true_labels):
    shifted = logits - logits.array.max(axis=1, keepdims=True)
    return shifted[arange(0, len(logits)), true_labels] - shifted.exp().sum(1).log()

# %% this is the probability, not minus its logarithm
def cross_entropy(logits, true_labels):
    exps = logits.exp()
    return (exps / exps.sum(1, keepdim=True))[arange(0, len(logits)), true_labels]

# %% [:, true_labels] takes all labels from each row; index with the numbers of the rows too
def cross_entropy(logits, true_labels):
    return logits.exp().sum(1).log() - logits[:, true_labels]

# %% [true_labels] takes whole rows; index with the numbers of the rows first
def cross_entropy(logits, true_labels):
    return logits.exp().sum(1).log() - logits[true_labels]

# %% the exponentials are summed over the rows; sum over the classes
def cross_entropy(logits, true_labels):
    return logits.exp().sum(0).log() - logits[arange(0, len(logits)), true_labels]

# %% the exponentials of the whole batch are summed; sum those of each row
def cross_entropy(logits, true_labels):
    return logits.exp().sum().log() - logits[arange(0, len(logits)), true_labels]

# %% backward() of a tensor that depends on nothing with requires_grad
def cross_entropy(logits, true_labels):
    z = logits.array - logits.array.max(1, keepdims=True)
    return Tensor(np.log(np.exp(z).sum(1)) - z[np.arange(len(z)), true_labels.array])

# %% the logits are used as they are: subtract the log of the summed exponentials
def cross_entropy(logits, true_labels):
    return -logits[arange(0, len(logits)), true_labels]

# %% operands could not be broadcast together with shapes (2,3) (2,)
def cross_entropy(logits, true_labels):
    shifted = logits - logits.array.max(axis=1)
    return shifted.exp().sum(1).log() - shifted[arange(0, len(logits)), true_labels]

# %% operands could not be broadcast together with shapes (3,2) (3,3)
def cross_entropy(logits, true_labels):
    shifted = logits - logits.array.max(axis=1, keepdims=True)
    one_hot = np.eye(3, dtype=np.float32)[true_labels.array]
    return shifted.exp().sum(1).log() - (shifted * one_hot).sum(1)

# %% put back what it was on entry (was_enabled), not True
class NoGrad(NoGrad):
    def __exit__(self, type, value, traceback):
        global grad_tracking_enabled
        grad_tracking_enabled = True

# %% __exit__ must not return True
class NoGrad(NoGrad):
    def __exit__(self, type, value, traceback):
        super().__exit__(type, value, traceback)
        return True

# %% it was computed inside NoGrad
class NoGrad(NoGrad):
    def __enter__(self):
        self.was_enabled = grad_tracking_enabled_ = False

# %% after the block gradients must be tracked again
class NoGrad(NoGrad):
    def __exit__(self, type, value, traceback):
        pass

# %% __exit__ must put it back
class NoGrad(NoGrad):
    def __exit__(self, type, value, traceback):
        if type is None:
            super().__exit__(type, value, traceback)

# %% after both blocks gradients must be tracked again
class NoGrad(NoGrad):
    def __enter__(self):
        global grad_tracking_enabled
        NoGrad.was_enabled, grad_tracking_enabled = grad_tracking_enabled, False

# %% gradients are tracked inside two NoGrad blocks
class NoGrad(NoGrad):
    def __enter__(self):
        global grad_tracking_enabled
        grad_tracking_enabled = not grad_tracking_enabled

    def __exit__(self, type, value, traceback):
        global grad_tracking_enabled
        grad_tracking_enabled = not grad_tracking_enabled

# %% NoGrad() alone switches nothing off
class NoGrad:
    def __init__(self):
        global grad_tracking_enabled
        self.was_enabled, grad_tracking_enabled = grad_tracking_enabled, False

    def __enter__(self):
        pass

    def __exit__(self, type, value, traceback):
        global grad_tracking_enabled
        grad_tracking_enabled = self.was_enabled

# %% after the block gradients must be tracked again
class NoGrad(NoGrad):
    def __enter__(self):
        global grad_tracking_enabled
        grad_tracking_enabled = False
        self.was_enabled = grad_tracking_enabled

# %% the step goes uphill: subtract the gradient
class SGD(SGD):
    def step(self):
        for param in self.params:
            if param.grad is not None:
                param.add_(param.grad, self.lr)

# %% the learning rate is not used
class SGD(SGD):
    def step(self):
        for param in self.params:
            if param.grad is not None:
                param.sub_(param.grad)

# %% the parameter did not change: change it in place (sub_, or its array)
class SGD(SGD):
    def step(self):
        with NoGrad():
            for param in self.params:
                if param.grad is not None:
                    param = param - param.grad * self.lr

# %% step() must pass over a parameter whose grad is None
class SGD(SGD):
    def step(self):
        with NoGrad():
            for param in self.params:
                param.sub_(param.grad, self.lr)

# %% step() stops at a parameter without a gradient; go on
class SGD(SGD):
    def step(self):
        for param in self.params:
            if param.grad is None:
                return
            param.sub_(param.grad, self.lr)

# %% step() threw the gradient away; that is for zero_grad()
class SGD(SGD):
    def step(self):
        super().step()
        self.zero_grad()

# %% zero_grad() set the gradient to a int; it must be None or a tensor of zeros
class SGD(SGD):
    def zero_grad(self):
        for param in self.params:
            param.grad = 0

# %% after zero_grad() the gradient must be None or zero
class SGD(SGD):
    def zero_grad(self):
        for param in self.params:
            grad = param.grad
            grad = None

# %% zero_grad() must pass over a parameter whose grad is None
class SGD(SGD):
    def zero_grad(self):
        for param in self.params:
            param.grad.array[...] = 0

# %% it was set to zero itself; only its gradient shall be
class SGD(SGD):
    def zero_grad(self):
        for param in self.params:
            param.array[...] = 0
            param.grad = None

# %% the parameter did not change: change it in place (sub_, or its array)
class SGD(SGD):
    def step(self):
        for i, param in enumerate(self.params):
            if param.grad is not None:
                self.params[i] = param - param.grad * self.lr

# %% it did not change: take a step for each parameter
class SGD(SGD):
    def step(self):
        for param in self.params[:1]:
            param.sub_(param.grad, self.lr)

# %% the step holds the gradient of the last step too
class SGD(SGD):
    def step(self):
        self.total = getattr(self, "total", {})
        for param in self.params:
            if param.grad is not None:
                self.total[param] = self.total.get(param, 0) + param.grad.array
                param.array -= self.lr * self.total[param]

# %% the gradients of the batches add up: call zero_grad() for each batch
def train(model, train_loader, optimizer, epoch, train_loss_list=None):
    for images, labels in train_loader:
        loss = cross_entropy(model(Tensor(images)), Tensor(labels)).sum() / len(labels)
        loss.backward()
        optimizer.step()
        if train_loss_list is not None:
            train_loss_list.append(loss.item())

# %% the weights did not change: call optimizer.step() after backward()
def train(model, train_loader, optimizer, epoch, train_loss_list=None):
    for images, labels in train_loader:
        loss = cross_entropy(model(Tensor(images)), Tensor(labels)).sum() / len(labels)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        if train_loss_list is not None:
            train_loss_list.append(loss.item())

# %% the loss of a batch is the mean over its pictures, not the sum
def train(model, train_loader, optimizer, epoch, train_loss_list=None):
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = cross_entropy(model(Tensor(images)), Tensor(labels)).sum()
        loss.backward()
        optimizer.step()
        if train_loss_list is not None:
            train_loss_list.append(loss.item())

# %% backward() of shape (3,) needs end_grad; or sum() it first
def train(model, train_loader, optimizer, epoch, train_loss_list=None):
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = cross_entropy(model(Tensor(images)), Tensor(labels))
        loss.backward()
        optimizer.step()

# %% train_loss_list holds tensors, which keep whole graphs alive; append loss.item()
def train(model, train_loader, optimizer, epoch, train_loss_list=None):
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = cross_entropy(model(Tensor(images)), Tensor(labels)).sum() / len(labels)
        loss.backward()
        optimizer.step()
        if train_loss_list is not None:
            train_loss_list.append(loss)

# %% 'NoneType' object has no attribute 'append'
def train(model, train_loader, optimizer, epoch, train_loss_list=None):
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = cross_entropy(model(Tensor(images)), Tensor(labels)).sum() / len(labels)
        loss.backward()
        optimizer.step()
        train_loss_list.append(loss.item())

# %% train_loss_list must get a loss a batch, 2; it got 1
def train(model, train_loader, optimizer, epoch, train_loss_list=None):
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = cross_entropy(model(Tensor(images)), Tensor(labels)).sum() / len(labels)
        loss.backward()
        optimizer.step()
    if train_loss_list is not None:
        train_loss_list.append(loss.item())

# %% only the first batch was used
def train(model, train_loader, optimizer, epoch, train_loss_list=None):
    images, labels = next(iter(train_loader))
    optimizer.zero_grad()
    loss = cross_entropy(model(Tensor(images)), Tensor(labels)).sum() / len(labels)
    loss.backward()
    optimizer.step()
    if train_loss_list is not None:
        train_loss_list += [loss.item(), 0]

# %% backward() of a tensor that depends on nothing with requires_grad
def train(model, train_loader, optimizer, epoch, train_loss_list=None):
    with NoGrad():
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = cross_entropy(model(Tensor(images)), Tensor(labels)).sum() / len(labels)
            loss.backward()
            optimizer.step()

# %% the last batch is smaller: divide by its own len(labels)
def train(model, train_loader, optimizer, epoch, train_loss_list=None):
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = cross_entropy(model(Tensor(images)), Tensor(labels)).sum() / 3
        loss.backward()
        optimizer.step()
        if train_loss_list is not None:
            train_loss_list.append(loss.item())

# %% the mean over batches is taken; the last batch may be smaller: count pictures
def test(model, test_loader, test_accuracy_list=None):
    shares = []
    with NoGrad():
        for images, labels in test_loader:
            shares.append((model(Tensor(images)).array.argmax(1) == labels).mean())
    if test_accuracy_list is not None:
        test_accuracy_list.append(float(np.mean(shares)))
    return float(np.mean(shares))

# %% this is the number of right answers; divide by the number of pictures
def test(model, test_loader, test_accuracy_list=None):
    n = 0
    with NoGrad():
        for images, labels in test_loader:
            n += (model(Tensor(images)).array.argmax(1) == labels).sum()
    if test_accuracy_list is not None:
        test_accuracy_list.append(int(n))
    return n

# %% the largest logit is looked for among pictures; look along the classes, argmax(1)
def test(model, test_loader, test_accuracy_list=None):
    n = total = 0
    for images, labels in test_loader:
        n += (model(Tensor(images)).array.argmax(0) == labels[:2]).sum()
        total += len(labels)
    if test_accuracy_list is not None:
        test_accuracy_list.append(n / total)
    return n / total

# %% the result is None: is a return statement missing?
def test(model, test_loader, test_accuracy_list=None):
    n = total = 0
    for images, labels in test_loader:
        n += (model(Tensor(images)).array.argmax(1) == labels).sum()
        total += len(labels)
    if test_accuracy_list is not None:
        test_accuracy_list.append(n / total)

# %% test_accuracy_list must get one more number
def test(model, test_loader, test_accuracy_list=None):
    n = total = 0
    for images, labels in test_loader:
        n += int((model(Tensor(images)).array.argmax(1) == labels).sum())
        total += len(labels)
    return n / total

# %% this is in percent; give a number from 0 to 1
def test(model, test_loader, test_accuracy_list=None):
    n = total = 0
    for images, labels in test_loader:
        n += int((model(Tensor(images)).array.argmax(1) == labels).sum())
        total += len(labels)
    if test_accuracy_list is not None:
        test_accuracy_list.append(100 * n / total)
    return 100 * n / total

# %% tracks gradients that nobody takes
def test(model, test_loader, test_accuracy_list=None):
    n = total = 0
    for images, labels in test_loader:
        n += int((model(Tensor(images)).array.argmax(1) == labels).sum())
        total += len(labels)
    if test_accuracy_list is not None:
        test_accuracy_list.append(n / total)
    return n / total

# %% every value is twice the gradient: the two points are 2 eps apart
def numerical_gradient(fn, x, eps=1e-2):
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = eps
        grad[index] = (fn(Tensor(x + step)).array - fn(Tensor(x - step)).array).sum() / eps
    return grad

# %% the sign is wrong: f(x + eps) - f(x - eps)
def numerical_gradient(fn, x, eps=1e-2):
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = eps
        grad[index] = (fn(Tensor(x - step)).array - fn(Tensor(x + step)).array).sum() / (2 * eps)
    return grad

# %% half the gradient: f(x + eps) - f(x) is a step of eps, not 2 eps
def numerical_gradient(fn, x, eps=1e-2):
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = eps
        grad[index] = (fn(Tensor(x + step)).array - fn(Tensor(x)).array).sum() / (2 * eps)
    return grad

# %% all elements moved at once; move one at a time
def numerical_gradient(fn, x, eps=1e-2):
    difference = (fn(Tensor(x + eps)).array - fn(Tensor(x - eps)).array).sum()
    return np.full_like(x, difference / (2 * eps))

# %% the shape is (2, 2); it must be (2,)
def numerical_gradient(fn, x, eps=1e-2):
    return (fn(Tensor(x + eps)).array - fn(Tensor(x - eps)).array) / (2 * eps)

# %% numerical_gradient changed its argument x in place; work on a copy or build a new array
def numerical_gradient(fn, x, eps=1e-2):
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        x[index] += eps
        high = fn(Tensor(x)).array.sum()
        x[index] -= 2 * eps
        grad[index] = (high - fn(Tensor(x)).array.sum()) / (2 * eps)
    return grad

# %% nothing moved: to a float32 with its 7 digits a step far below 0.01 is none
def numerical_gradient(fn, x, eps=1e-2):
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = 1e-8
        grad[index] = (fn(Tensor(x + step)).array - fn(Tensor(x - step)).array).sum() / 2e-8
    return grad

# %% tuple index out of range
def numerical_gradient(fn, x, eps=1e-2):
    grad = np.zeros_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            step = np.zeros_like(x)
            step[i, j] = eps
            difference = fn(Tensor(x + step)).array - fn(Tensor(x - step)).array
            grad[i, j] = difference.sum() / (2 * eps)
    return grad

# %% a share of 0 is no tolerance
def gradcheck(fn, x, tolerance=1e-2):
    leaf = Tensor(x.copy(), requires_grad=True)
    fn(leaf).sum().backward()
    return np.allclose(leaf.grad.array, numerical_gradient(fn, x), rtol=tolerance)

# %% gradcheck says True for a function whose backward gives half the gradient
def gradcheck(fn, x, tolerance=1e-2):
    leaf = Tensor(x.copy(), requires_grad=True)
    fn(leaf).sum().backward()
    return leaf.grad is not None

# %% gradcheck says True for a function whose backward gives half the gradient
def gradcheck(fn, x, tolerance=1e-2):
    leaf = Tensor(x.copy(), requires_grad=True)
    fn(leaf).sum().backward()
    return np.allclose(leaf.grad.array, leaf.grad.array, tolerance, tolerance)

# %% gradcheck says False for x * x, whose gradient is right
def gradcheck(fn, x, tolerance=1e-2):
    leaf = Tensor(x.copy(), requires_grad=True)
    fn(leaf).sum().backward()
    return np.array_equal(leaf.grad.array, numerical_gradient(fn, x))

# %% The truth value of an array with more than one element is ambiguous
def gradcheck(fn, x, tolerance=1e-2):
    leaf = Tensor(x.copy(), requires_grad=True)
    fn(leaf).sum().backward()
    return np.isclose(leaf.grad.array, numerical_gradient(fn, x), tolerance, tolerance)

# %% backward() of shape (2, 3) needs end_grad; or sum() it first
def gradcheck(fn, x, tolerance=1e-2):
    leaf = Tensor(x.copy(), requires_grad=True)
    fn(leaf).backward()
    return np.allclose(leaf.grad.array, numerical_gradient(fn, x), tolerance, tolerance)

# %% a recipe's keyword arguments belong to it
def stale_nodes(end_node):
    return [
        node
        for node in sorted_computational_graph(end_node)
        if node.recipe is not None
        and not np.array_equal(
            Tensor(node.recipe.func(*node.recipe.args)).array, node.array, equal_nan=True
        )
    ]

# %% w * x was computed with the old x, yet it is not reported
def stale_nodes(end_node):
    return []

# %% 'NoneType' object has no attribute 'func'
def stale_nodes(end_node):
    return [
        node
        for node in sorted_computational_graph(end_node)
        if not np.array_equal(
            node.recipe.func(*node.recipe.args, **node.recipe.kwargs), node.array
        )
    ]

# %% w * x was computed with the old x, yet it is not reported
def stale_nodes(end_node):
    recipe = end_node.recipe
    if recipe is None or np.array_equal(recipe.func(*recipe.args, **recipe.kwargs), end_node.array):
        return []
    return [end_node]

# %% nan is equal to itself here
def stale_nodes(end_node):
    return [
        node
        for node in sorted_computational_graph(end_node)
        if node.recipe
        and (node.recipe.func(*node.recipe.args, **node.recipe.kwargs) != node.array).any()
    ]

# %% w * x was computed with the old x, yet it is not reported
def stale_nodes(end_node):
    return [
        parent
        for node in sorted_computational_graph(end_node)
        if node.recipe
        and not np.array_equal(
            node.recipe.func(*node.recipe.args, **node.recipe.kwargs), node.array
        )
        for parent in node.recipe.parents.values()
    ]

# %% only w * x is stale
def stale_nodes(end_node):
    found = set()
    for node in sorted_computational_graph(end_node)[::-1]:
        if recipe := node.recipe:
            again = recipe.func(*recipe.args, **recipe.kwargs)
            if found & set(get_children(node)) or not np.array_equal(again, node.array):
                found.add(node)
    return found

# %% there must be one warning, not 0
def careful_backprop(end_node, end_grad=None):
    stale_nodes(end_node)
    backprop(end_node, end_grad)

# %% there is a warning, though nothing was changed in place
def careful_backprop(end_node, end_grad=None):
    warnings.warn(f"{len(stale_nodes(end_node))} tensors are stale")
    backprop(end_node, end_grad)

# %% the gradient never arrived at this leaf
def careful_backprop(end_node, end_grad=None):
    if stale_nodes(end_node):
        warnings.warn("changed in place")

# %% careful_backprop must warn and go on, not raise
def careful_backprop(end_node, end_grad=None):
    if stale_nodes(end_node):
        raise RuntimeError("changed in place since the forward pass")
    backprop(end_node, end_grad)

# %% end_grad is not passed on to backprop
def careful_backprop(end_node, end_grad=None):
    if stale_nodes(end_node):
        warnings.warn("changed in place")
    backprop(end_node)

# %% x itself did not change: write into it
def relu_inplace(x):
    return np.maximum(x, 0.0)

# %% relu_inplace must return x itself, not a copy
def relu_inplace(x):
    x[x < 0] = 0
    return x.copy()

# %% the result is None: is a return statement missing?
def relu_inplace(x):
    x[x < 0] = 0

# %% x itself did not change: write into it
def relu_inplace(x):
    x = np.where(x > 0, x, 0)
    return x

# %% the gradient passes wherever out is above 0, not above 1
def relu_inplace_back(grad_out, out, x):
    return grad_out * (out >= 1)

# %% the input is lost, so where out is 0 the gradient shall be 0
def relu_inplace_back(grad_out, out, x):
    return grad_out * (x >= 0)

# %% grad_out is multiplied by out; only its sign matters
def relu_inplace_back(grad_out, out, x):
    return grad_out * out

# %% grad_out is not used
def relu_inplace_back(grad_out, out, x):
    return (out > 0).astype(out.dtype)

# %% relu_inplace_back changed its argument grad_out in place
def relu_inplace_back(grad_out, out, x):
    grad_out[out == 0] = 0
    return grad_out

# %% half the gradient is passed on where out is 0; it shall be none
def relu_inplace_back(grad_out, out, x):
    return np.where(out > 0, grad_out, grad_out / 2)

# %% operands could not be broadcast together with shapes (2,2) (2,3)
def einsum_back(position, grad_out, out, subscripts, *operands):
    return grad_out * operands[position]

# %% a letter that stands in one operand alone is summed there
def einsum_back(position, grad_out, out, subscripts, *operands):
    inputs, output = subscripts.replace(" ", "").split("->")
    names = inputs.split(",")
    target = names.pop(position)
    others = [*operands[:position], *operands[position + 1 :]]
    return np.einsum(",".join([output, *names]) + "->" + target, grad_out, *others)

# %% the operand itself takes part; only the others do
def einsum_back(position, grad_out, out, subscripts, *operands):
    inputs, output = subscripts.replace(" ", "").split("->")
    target = inputs.split(",")[position]
    return np.einsum(f"{output},{inputs}->{target}", grad_out, *operands)

# %% the shape is (3, 2); it must be (2, 3) (the axes are swapped)
def einsum_back(position, grad_out, out, subscripts, *operands):
    inputs, output = subscripts.replace(" ", "").split("->")
    names = inputs.split(",")
    target, operand = names.pop(-1 - position), operands[-1 - position]
    others = [o for o in operands if o is not operand]
    return np.einsum(",".join([output, *names]) + "->" + target, grad_out, *others)

# %% grad_out is not used
def einsum_back(position, grad_out, out, subscripts, *operands):
    inputs, output = subscripts.replace(" ", "").split("->")
    names = inputs.split(",")
    target = names.pop(position)
    others = [*operands[:position], *operands[position + 1 :]]
    return np.einsum(",".join([output, *names]) + "->" + target, np.ones_like(grad_out), *others)

# %% a letter that stands in one operand alone is summed there
def einsum_back(position, grad_out, out, subscripts, *operands):
    inputs, output = subscripts.replace(" ", "").split("->")
    names = inputs.split(",")
    target, operand = names.pop(position), operands[position]
    others = [*operands[:position], *operands[position + 1 :]]
    kept = "".join(c for c in target if c in output + "".join(names))
    grad = np.einsum(",".join([output, *names]) + "->" + kept, grad_out, *others)
    return np.broadcast_to(grad, operand.shape)

# %% a parameter that is reached by several paths is there more than once
def unique_parameters(module):
    return list(module.parameters())

# %% compare by identity (`is`, a set, a dict), not with == as `in` does for a list
def unique_parameters(module):
    found = []
    for parameter in module.parameters():
        if parameter not in found:
            found.append(parameter)
    return found

# %% compare by identity (`is`, a set, a dict), not with == as `in` does for a list
def unique_parameters(module):
    return list({p.array.tobytes(): p for p in module.parameters()}.values())

# %% unique_parameters must list the parameters themselves
def unique_parameters(module):
    return list({id(p) for p in module.parameters()})

# %% unique_parameters(outer) misses middle.shift
def unique_parameters(module):
    return list(dict.fromkeys(module.parameters(recurse=False)))

# %% unique_parameters(outer) misses weight
def unique_parameters(module):
    return list({p.shape: p for p in module.parameters()}.values())

# %% unique_parameters(outer) misses weight
def unique_parameters(module):
    return [Parameter(p) for p in dict.fromkeys(module.parameters())]

# %% detach cuts the graph
def detach(x):
    return x

# %% detach must share the array, not copy it
def detach(x):
    return Tensor(x.array.copy())

# %% detach must make a new tensor; a itself keeps its gradient
def detach(x):
    x.requires_grad = False
    x.recipe = None
    return x

# %% detach cuts the graph
def detach(x):
    return Tensor(x.array, x.requires_grad)

# %% detach(a * 1.0) is a numpy array; wrap it in a Tensor
def detach(x):
    return x.array

# %% detach cuts the graph
def detach(x):
    out = x * 1.0
    out.recipe = None
    return out

# %% the result does not require a gradient, though x does
def round_straight_through(x):
    return round_half_even(x)

# %% the sign is wrong: to x add round(x) - x
def round_straight_through(x):
    return detach(x - round_half_even(x)) + x

# %% round(x) - x is not detached: its gradient takes that of x away again
def round_straight_through(x):
    return x + (round_half_even(x) - x)

# %% to x add the difference round(x) - x, not round(x) itself
def round_straight_through(x):
    return x + detach(round_half_even(x))

# %% the digits are cut off; round to the nearest
def round_straight_through(x):
    return x + detach(Tensor(np.trunc(x.array)) - x)

# %% it was rounded in place; make a new tensor
def round_straight_through(x):
    np.round(x.array, out=x.array)
    return x * 1.0

# %% unsupported operand type(s) for ** or pow(): 'numpy.ndarray' and 'Tensor'
def wrap_with_keywords(numpy_func, is_differentiable=True):
    return wrap_forward_fn(numpy_func, is_differentiable)

# %% the gradient never arrived at this leaf
def wrap_with_keywords(numpy_func, is_differentiable=True):
    forward = wrap_forward_fn(numpy_func, is_differentiable)
    def tensor_func(*args, **kwargs):
        arrays = {k: v.array if isinstance(v, Tensor) else v for k, v in kwargs.items()}
        return forward(*args, **arrays)
    return tensor_func

# %% the values are right but stand in the wrong places
def wrap_with_keywords(numpy_func, is_differentiable=True):
    forward = wrap_forward_fn(numpy_func, is_differentiable)
    def tensor_func(*args, **kwargs):
        return forward(*args, *kwargs.values())
    return tensor_func

# %% is_differentiable is False
def wrap_with_keywords(numpy_func, is_differentiable=True):
    signature = inspect.signature(numpy_func)
    forward = wrap_forward_fn(numpy_func)
    def tensor_func(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        return forward(*bound.args, **bound.kwargs)
    return tensor_func

# %% a keyword that holds no tensor is lost
def wrap_with_keywords(numpy_func, is_differentiable=True):
    names = list(inspect.signature(numpy_func).parameters)
    forward = wrap_forward_fn(numpy_func, is_differentiable)
    def tensor_func(*args, **kwargs):
        tensors = [kwargs[n] for n in names[len(args) :] if isinstance(kwargs.get(n), Tensor)]
        return forward(*args, *tensors)
    return tensor_func

# %% unsupported operand type(s) for ** or pow(): 'Tensor' and 'Tensor'
def wrap_with_keywords(numpy_func, is_differentiable=True):
    def tensor_func(*args, **kwargs):
        return numpy_func(*args, **kwargs)
    return tensor_func

# %% this is the gradient of exponent
def wrap_with_keywords(numpy_func, is_differentiable=True):
    def tensor_func(*args, **kwargs):
        values = [*args, *kwargs.values()]
        parents = {i: v for i, v in enumerate(values) if isinstance(v, Tensor)}
        arrays = {k: v.array if isinstance(v, Tensor) else v for k, v in kwargs.items()}
        needs = is_differentiable and any(p.requires_grad for p in parents.values())
        out = Tensor(numpy_func(*arrays_of(args), **arrays), needs)
        if out.requires_grad:
            out.recipe = Recipe(numpy_func, arrays_of(args), arrays, parents)
        return out
    return tensor_func

# %% dim is not used: this is a part along axis 0
def stack_back(position, grad_out, out, *arrays, dim=0):
    return grad_out[position]

# %% the shape is (2, 2); it must be (2, 3)
def stack_back(position, grad_out, out, *arrays, dim=0):
    return grad_out[..., position]

# %% the shape is (1, 2, 3); it must be (2, 3) (an axis of size 1 too many)
def stack_back(position, grad_out, out, *arrays, dim=0):
    return np.split(grad_out, len(arrays), axis=dim)[position]

# %% the parts of grad_out are added up; take the one at position
def stack_back(position, grad_out, out, *arrays, dim=0):
    return grad_out.sum(axis=dim)

# %% this is the gradient of another array
def stack_back(position, grad_out, out, *arrays, dim=0):
    return np.take(grad_out, len(arrays) - 1 - position, axis=dim)

# %% the shape is (2, 2, 3); it must be (2, 3)
def stack_back(position, grad_out, out, *arrays, dim=0):
    return grad_out

# %% this is the array itself; take its part of grad_out
def stack_back(position, grad_out, out, *arrays, dim=0):
    return arrays[position]

# %% the shape is (2, 2, 3); it must be (2, 3)
def stack_back(position, grad_out, out, *arrays, dim=0):
    n = arrays[0].shape[dim]
    return np.take(grad_out, range(position * n, position * n + n), axis=dim)

# %% dim is not used: this is a part along axis 0
def stack_back(position, grad_out, out, *arrays, dim=0):
    return grad_out[(slice(None),) * dim + (position,)]

# %% the windows move by one pixel: multiply the steps between them by stride
def sliding_windows(x, kernel_height, kernel_width, stride=1):
    *batch, height, width = x.shape
    *steps, row, col = x.strides
    shape = (*batch, (height - kernel_height) // stride + 1, (width - kernel_width) // stride + 1)
    return np.lib.stride_tricks.as_strided(
        x, (*shape, kernel_height, kernel_width), (*steps, row, col, row, col)
    )

# %% the result is a copy; make a view with as_strided
def sliding_windows(x, kernel_height, kernel_width, stride=1):
    every = np.lib.stride_tricks.sliding_window_view(x, (kernel_height, kernel_width), (-2, -1))
    return every[..., ::stride, ::stride, :, :].copy()

# %% 464 of 480 values are wrong
def sliding_windows(x, kernel_height, kernel_width, stride=1):
    *batch, height, width = x.shape
    steps = np.cumprod([4, *x.shape[:0:-1]])[::-1]
    shape = (*batch, (height - kernel_height) // stride + 1, (width - kernel_width) // stride + 1)
    return np.lib.stride_tricks.as_strided(
        x,
        (*shape, kernel_height, kernel_width),
        (*steps[:-2], stride * steps[-2], stride * steps[-1], steps[-2], steps[-1]),
        writeable=False,
    )

# %% one window too few each way: (height - kernel_height) // stride + 1
def sliding_windows(x, kernel_height, kernel_width, stride=1):
    *batch, height, width = x.shape
    *steps, row, col = x.strides
    shape = (*batch, (height - kernel_height) // stride, (width - kernel_width) // stride)
    return np.lib.stride_tricks.as_strided(
        x, (*shape, kernel_height, kernel_width), (*steps, stride * row, stride * col, row, col)
    )

# %% the kernel's height and width are swapped
def sliding_windows(x, kernel_height, kernel_width, stride=1):
    every = np.lib.stride_tricks.sliding_window_view(x, (kernel_width, kernel_height), (-2, -1))
    return every[..., ::stride, ::stride, :, :]

# %% a pixel that lies in several windows must get the sum of their gradients
def sliding_windows_back(grad_out, out, x, kernel_height, kernel_width, stride=1):
    grad = np.zeros_like(x)
    for i, j in np.ndindex(grad_out.shape[-4:-2]):
        rows = slice(i * stride, i * stride + kernel_height)
        cols = slice(j * stride, j * stride + kernel_width)
        grad[..., rows, cols] = grad_out[..., i, j, :, :]
    return grad

# %% the windows move by one pixel, not by stride
def sliding_windows_back(grad_out, out, x, kernel_height, kernel_width, stride=1):
    grad = np.zeros_like(x)
    for i, j in np.ndindex(grad_out.shape[-4:-2]):
        grad[..., i : i + kernel_height, j : j + kernel_width] += grad_out[..., i, j, :, :]
    return grad

# %% a pixel that lies in several windows must get the sum of their gradients
def sliding_windows_back(grad_out, out, x, kernel_height, kernel_width, stride=1):
    grad = np.zeros_like(x)
    view = np.lib.stride_tricks.sliding_window_view(
        grad, (kernel_height, kernel_width), (-2, -1), writeable=True
    )
    view[..., ::stride, ::stride, :, :] += grad_out
    return grad

# %% the shape is (1, 2, 2); it must be (1, 3, 3)
def sliding_windows_back(grad_out, out, x, kernel_height, kernel_width, stride=1):
    return grad_out.sum((-2, -1))

# %% the shape is (2, 4, 4, 4); it must be (2, 4, 8, 8)
def conv2d(x, weight, stride=1, padding=0):
    patches = windows(x, *weight.shape[2:], stride)
    return einsum("b c i j h w, o c h w -> b o i j", patches, weight)

# %% the kernels are turned round; slide them as they are
def conv2d(x, weight, stride=1, padding=0):
    patches = windows(pad2d(x, padding, padding), *weight.shape[2:], stride)
    return einsum("b c i j h w, o c h w -> b o i j", patches, weight[:, :, ::-1, ::-1])

# %% the shape is (2, 4, 4, 4); it must be (2, 4, 2, 2)
def conv2d(x, weight, stride=1, padding=0):
    patches = windows(pad2d(x, padding, padding), *weight.shape[2:])
    return einsum("b c i j h w, o c h w -> b o i j", patches, weight)

# %% the values are right but stand in the wrong places
def conv2d(x, weight, stride=1, padding=0):
    patches = windows(pad2d(x, padding, padding), *weight.shape[2:], stride)
    return einsum("b c i j h w, o c h w -> b i j o", patches, weight)

# %% the shape is (2, 4, 5, 3); it must be (2, 4, 4, 4)
def conv2d(x, weight, stride=1, padding=0):
    patches = windows(pad2d(x, padding, padding), *weight.shape[:1:-1], stride)
    return einsum("b c i j h w, o c w h -> b o i j", patches, weight)

# %% the shape is (2, 4, 8, 4); it must be (2, 4, 8, 8)
def conv2d(x, weight, stride=1, padding=0):
    patches = windows(pad2d(x, padding, 0), *weight.shape[2:], stride)
    return einsum("b c i j h w, o c h w -> b o i j", patches, weight)

# %% backward() of a tensor that depends on nothing with requires_grad
def conv2d(x, weight, stride=1, padding=0):
    patches = windows(pad2d(x, padding, padding), *weight.shape[2:], stride)
    return Tensor(np.einsum("bcijhw,ochw->boij", patches.array, weight.array))

# %% the shape is (1, 1, 18); it must be (1, 1, 6)
def conv1d(x, weight, stride=1, padding=0):
    (batch, c, width), (o, _, k) = x.shape, weight.shape
    out = conv2d(x.reshape((batch, c, 1, width)), weight.reshape((o, c, 1, k)), stride, padding)
    return out.reshape((batch, o, -1))

# %% the shape is (1, 1, 1, 4); it must be (1, 1, 4) (an axis of size 1 too many)
def conv1d(x, weight, stride=1, padding=0):
    (batch, c, width), (o, _, k) = x.shape, weight.shape
    padded = pad2d(x.reshape((batch, c, 1, width)), 0, padding)
    return conv2d(padded, weight.reshape((o, c, 1, k)), stride)

# %% the shape is (1, 1, 4); it must be (1, 1, 2)
def conv1d(x, weight, stride=1, padding=0):
    (batch, c, width), (o, _, k) = x.shape, weight.shape
    padded = pad2d(x.reshape((batch, c, 1, width)), 0, padding)
    return conv2d(padded, weight.reshape((o, c, 1, k))).reshape((batch, o, -1))

# %% ties share the gradient: two elements that are largest get half each
def amax_back(grad_out, out, x, dim):
    return (x == np.expand_dims(out, dim)) * np.expand_dims(grad_out, dim)

# %% ties share the gradient: not only the first of them gets it
def amax_back(grad_out, out, x, dim):
    grad = np.zeros_like(x)
    first = np.expand_dims(x.argmax(dim), dim)
    np.put_along_axis(grad, first, np.expand_dims(grad_out, dim), dim)
    return grad

# %% operands could not be broadcast together with shapes (2,3) (2,)
def amax_back(grad_out, out, x, dim):
    return (x == out) * grad_out

# %% this is the largest of the whole array; each row has its own
def amax_back(grad_out, out, x, dim):
    return (x == x.max()) * np.expand_dims(grad_out, dim)

# %% the ties are counted in the whole array; count those of each row
def amax_back(grad_out, out, x, dim):
    is_max = x == np.expand_dims(out, dim)
    return is_max * np.expand_dims(grad_out, dim) / is_max.sum()

# %% grad_out is not used
def amax_back(grad_out, out, x, dim):
    is_max = x == np.expand_dims(out, dim)
    return is_max / is_max.sum(axis=dim, keepdims=True, dtype=np.float32)

# %% the shape is (1, 1, 4, 4); it must be (1, 1, 2, 2)
def max_pool2d(x, kernel_size, stride=None):
    return amax(windows(x, kernel_size, kernel_size, stride or 1), (-2, -1))

# %% the shape is (1, 1, 1, 1); it must be (1, 1, 2, 2)
def max_pool2d(x, kernel_size, stride=None):
    return amax(windows(x, kernel_size, kernel_size, kernel_size), (-2, -1))

# %% cannot reshape array of size 25 into shape (1,1,2,2,2,2)
def max_pool2d(x, kernel_size, stride=None):
    b, c, h, w = x.shape
    k = kernel_size
    return amax(x.reshape((b, c, h // k, k, w // k, k)), (3, 5))


# %% eps is not used
class BatchNorm2d(BatchNorm2d):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, momentum=momentum)
        self.eps = 0.0

# %% the old mean must shrink by the share momentum
class BatchNorm2d(BatchNorm2d):
    def _follow(self, mean, var):
        super()._follow(mean + self.running_mean, var)

# %% divide by the standard deviation, the root of the variance
class BatchNorm2d(BatchNorm2d):
    def forward(self, x):
        mean = x.sum((0, 2, 3), keepdim=True) / (x.array.size // x.shape[1])
        var = ((x - mean) * (x - mean)).sum((0, 2, 3), keepdim=True) / (x.array.size // x.shape[1])
        shape = (1, x.shape[1], 1, 1)
        return (x - mean) / (var + self.eps) * self.weight.reshape(shape) + self.bias.reshape(shape)

# %% here the variance is the mean of squares: divide by n, not n - 1
class BatchNorm2d(BatchNorm2d):
    def forward(self, x):
        n = x.array.size // x.shape[1]
        mean = x.sum((0, 2, 3), keepdim=True) / n
        var = ((x - mean) * (x - mean)).sum((0, 2, 3), keepdim=True) / (n - 1)
        shape = (1, x.shape[1], 1, 1)
        normed = (x - mean) * ((var + self.eps).log() * -0.5).exp()
        return normed * self.weight.reshape(shape) + self.bias.reshape(shape)

# %% momentum is the share of the batch, not of the old value
class BatchNorm2d(BatchNorm2d):
    def _follow(self, mean, var):
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var

# %% it is replaced; it must move towards the batch by the share momentum
class BatchNorm2d(BatchNorm2d):
    def _follow(self, mean, var):
        self.running_mean, self.running_var = mean, var

# %% it did not move
class BatchNorm2d(BatchNorm2d):
    def _follow(self, mean, var):
        pass

# %% for the running variance divide by n - 1, not n
class BatchNorm2d(BatchNorm2d):
    def forward(self, x):
        self.n = x.array.size // x.shape[1]
        return super().forward(x)

    def _follow(self, mean, var):
        super()._follow(mean, var * (self.n - 1) / self.n)

# %% here the running statistics are to be used, not those of the batch
class BatchNorm2d(BatchNorm2d):
    def forward(self, x):
        before, self.training = self.training, True
        out = super().forward(x)
        self.training = before
        return out

# %% the running statistics are used; while training take those of the batch
class BatchNorm2d(BatchNorm2d):
    def forward(self, x):
        before, self.training = self.training, False
        out = super().forward(x)
        self.training = before
        return out

# %% only weight and bias are parameters
class BatchNorm2d(BatchNorm2d):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        self.running_mean = Parameter(zeros(num_features))
        self.running_var = Parameter(Tensor(np.ones(num_features)))

# %% mean and variance depend on x too, and pass a gradient on
class BatchNorm2d(BatchNorm2d):
    def forward(self, x):
        self.training and super().forward(x)
        shape = (1, x.shape[1], 1, 1)
        if self.training:
            mean = x.array.mean((0, 2, 3), keepdims=True)
            var = x.array.var((0, 2, 3), keepdims=True)
        else:
            mean, var = self.running_mean.reshape(shape), self.running_var.reshape(shape)
        normed = (x - mean) / np.sqrt(var + self.eps)
        return normed * self.weight.reshape(shape) + self.bias.reshape(shape)

# %% each picture has its own statistics; take them over the batch too
class BatchNorm2d(BatchNorm2d):
    def forward(self, x):
        mean = x.array.mean((2, 3), keepdims=True)
        var = x.array.var((2, 3), keepdims=True)
        shape = (1, x.shape[1], 1, 1)
        normed = (x - mean) / np.sqrt(var + self.eps)
        return normed * self.weight.reshape(shape) + self.bias.reshape(shape)

# %% weight and bias are not used
class BatchNorm2d(BatchNorm2d):
    def forward(self, x):
        weight, bias = self.weight, self.bias
        self.weight = Parameter(Tensor(np.ones(x.shape[1])))
        self.bias = Parameter(zeros(x.shape[1]))
        out = super().forward(x)
        self.weight, self.bias = weight, bias
        return out

# %% weight must hold one number a channel
class BatchNorm2d(BatchNorm2d):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        self.weight = Parameter(Tensor(np.ones((1, num_features, 1, 1))))

# %% it must start at 1, not at 0
class BatchNorm2d(BatchNorm2d):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        self.running_var = np.zeros(num_features, np.float32)

# %% this is the sum; divide by height times width
class AveragePool(AveragePool):
    def forward(self, x):
        return x.sum((2, 3))

# %% the shape is (); it must be (2, 3) (everything was reduced to one number)
class AveragePool(AveragePool):
    def forward(self, x):
        return x.sum() / x.array.size

# %% the shape is (2, 3, 1, 1); it must be (2, 3) (an axis of size 1 too many)
class AveragePool(AveragePool):
    def forward(self, x):
        return x.sum((2, 3), keepdim=True) / (x.shape[2] * x.shape[3])

# %% the shape is (2, 3, 4); it must be (2, 3)
class AveragePool(AveragePool):
    def forward(self, x):
        return x.sum(3) / x.shape[3]

# %% backward() of a tensor that depends on nothing with requires_grad
class AveragePool(AveragePool):
    def forward(self, x):
        return Tensor(x.array.mean((2, 3)))

# %% the last step must be a ReLU
class ResidualBlock(ResidualBlock):
    def forward(self, x):
        return self.left(x) + self.right(x)

# %% the input does not reach the sum: relu(left(x) + x)
class ResidualBlock(ResidualBlock):
    def forward(self, x):
        return self.left(x).relu()

# %% the last step must be a ReLU
class ResidualBlock(ResidualBlock):
    def forward(self, x):
        return self.left(x).relu() + self.right(x)

# %% operands could not be broadcast together with shapes (2,8,2,2) (2,8,3,3)
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        self.left = Sequential(
            Conv2d(in_feats, out_feats, 3, first_stride, padding=1),
            BatchNorm2d(out_feats),
            ReLU(),
            Conv2d(out_feats, out_feats, 3, first_stride, padding=1),
            BatchNorm2d(out_feats),
        )

# %% two 3×3 convolutions with batch norm on the left
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        self.right = Sequential(
            Conv2d(in_feats, out_feats, 1, first_stride), BatchNorm2d(out_feats)
        )

# %% operands could not be broadcast together with shapes (2,8,6,6) (2,4,6,6)
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        if first_stride == 1:
            self.right = Sequential()

# %% the left branch ends in a ReLU; the only one after a batch norm there is in the middle
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        self.left = Sequential(self.left, ReLU())

# %% two 3×3 convolutions with batch norm on the left
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        if first_stride > 1 or in_feats != out_feats:
            self.right = Conv2d(in_feats, out_feats, 1, first_stride)

# %% operands could not be broadcast together with shapes (2,4,2,2) (2,4,6,6)
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        self.left = Sequential(
            Conv2d(in_feats, out_feats, 3, first_stride),
            BatchNorm2d(out_feats),
            ReLU(),
            Conv2d(out_feats, out_feats, 3),
            BatchNorm2d(out_feats),
        )
