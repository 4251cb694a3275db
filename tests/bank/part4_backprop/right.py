"""Right answers to 0.4 in other styles: loops, einsum, stacks, closed forms, other names."""

import itertools
from collections import defaultdict


# %% times the derivative
def log_back(grad_out, out, x):
    derivative = np.reciprocal(x)
    return derivative * grad_out

# %% from the output
def log_back(grad_out, out, x):
    return grad_out * np.exp(-np.log(x))

# %% one axis after the other
def unbroadcast(broadcasted, original):
    while broadcasted.ndim > original.ndim:
        broadcasted = broadcasted.sum(axis=0)
    for axis, length in enumerate(original.shape):
        if length == 1:
            broadcasted = broadcasted.sum(axis=axis, keepdims=True)
    return broadcasted

# %% by recursion
def unbroadcast(broadcasted, original):
    if broadcasted.ndim > original.ndim:
        return unbroadcast(broadcasted.sum(0), original)
    for axis in range(original.ndim):
        if original.shape[axis] == 1 != broadcasted.shape[axis]:
            return unbroadcast(broadcasted.sum(axis, keepdims=True), original)
    return broadcasted

# %% each index of the original
def unbroadcast(broadcasted, original):
    result = np.zeros(original.shape, broadcasted.dtype)
    for index in np.ndindex(broadcasted.shape):
        own = index[len(index) - original.ndim :]
        result[tuple(min(i, n - 1) for i, n in zip(own, original.shape))] += broadcasted[index]
    return result

# %% one through the other
def multiply_back0(grad_out, out, x, y):
    return unbroadcast(np.multiply(y, grad_out), x)


def multiply_back1(grad_out, out, x, y):
    return multiply_back0(grad_out, out, y, x)

# %% broadcast first
def multiply_back1(grad_out, out, x, y):
    return unbroadcast(np.broadcast_to(x, out.shape) * grad_out, y)

# %% the closed form
def forward_and_back(a, b, c):
    ones = np.ones_like(a * b * c)
    return (
        unbroadcast(ones / a, a),
        unbroadcast(ones / b, b),
        unbroadcast(ones / (c * np.log(c)), c),
    )

# %% a list, other names
def forward_and_back(a, b, c):
    values = [a * b, np.log(c)]
    product = values[0] * values[1]
    back = log_back(np.ones(product.shape), np.log(product), product)
    left = multiply_back0(back, product, *values)
    right = multiply_back1(back, product, *values)
    return [
        multiply_back0(left, values[0], a, b),
        multiply_back1(left, values[0], a, b),
        log_back(right, values[1], c),
    ]

# %% a dict in a dict
class BackwardFuncLookup:
    def __init__(self):
        self.table = defaultdict(dict)

    def add_back_func(self, forward_fn, arg_position, back_fn):
        self.table[forward_fn][arg_position] = back_fn

    def get_back_func(self, forward_fn, arg_position):
        return self.table[forward_fn][arg_position]

# %% a list, the last first
class BackwardFuncLookup:
    def __init__(self):
        self.entries = []

    def add_back_func(self, forward_fn, arg_position, back_fn):
        self.entries.insert(0, (forward_fn, arg_position, back_fn))

    def get_back_func(self, forward_fn, arg_position):
        for function, position, back in self.entries:
            if function is forward_fn and position == arg_position:
                return back
        raise LookupError(f"no backward function for argument {arg_position} of {forward_fn}")

# %% None where there is none
class BackwardFuncLookup(BackwardFuncLookup):
    def get_back_func(self, forward_fn, arg_position):
        return self.back_funcs.get((forward_fn, arg_position))

# %% two returns
def log_forward(x):
    if not (x.requires_grad and grad_tracking_enabled):
        return Tensor(np.log(x.array))
    out = Tensor(np.log(x.array), requires_grad=True)
    out.recipe = Recipe(func=np.log, args=(x.array,), kwargs={}, parents={0: x})
    return out

# %% the flag set afterwards
def log_forward(x):
    out = tensor(np.log(x.array))
    if x.requires_grad and grad_tracking_enabled:
        out.requires_grad = True
        out.recipe = Recipe(np.log, (x.array,), dict(), dict([(0, x)]))
    return out

# %% a number becomes a tensor
def multiply_forward(a, b):
    a, b = (arg if isinstance(arg, Tensor) else Tensor(arg) for arg in (a, b))
    out = Tensor(a.array * b.array)
    if grad_tracking_enabled and (a.requires_grad or b.requires_grad):
        out.requires_grad = True
        out.recipe = Recipe(np.multiply, (a.array, b.array), {}, {0: a, 1: b})
    return out

# %% parents that want a gradient only
def multiply_forward(a, b):
    left = a.array if isinstance(a, Tensor) else a
    right = b.array if isinstance(b, Tensor) else b
    parents = {}
    if isinstance(a, Tensor) and a.requires_grad:
        parents[0] = a
    if isinstance(b, Tensor) and b.requires_grad:
        parents[1] = b
    out = Tensor(left * right, bool(parents) and grad_tracking_enabled)
    if out.requires_grad:
        out.recipe = Recipe(np.multiply, (left, right), {}, parents)
    return out

# %% parents that want a gradient only, in a loop
def wrap_forward_fn(numpy_func, is_differentiable=True):
    def tensor_func(*args, **kwargs):
        arrays, parents = [], {}
        for position, arg in enumerate(args):
            if isinstance(arg, Tensor):
                arrays.append(arg.array)
                if arg.requires_grad:
                    parents[position] = arg
            else:
                arrays.append(arg)
        out = Tensor(numpy_func(*arrays, **kwargs))
        if parents and is_differentiable and grad_tracking_enabled:
            out.requires_grad = True
            out.recipe = Recipe(numpy_func, tuple(arrays), kwargs, parents)
        return out

    return tensor_func

# %% an object that is called
class Forward:
    def __init__(self, function, is_differentiable):
        self.function, self.is_differentiable = function, is_differentiable
        self.__name__ = function.__name__

    def __call__(self, *args, **kwargs):
        raw = tuple(getattr(arg, "array", arg) for arg in args)
        out = Tensor(self.function(*raw, **kwargs))
        tensors = {i: arg for i, arg in enumerate(args) if hasattr(arg, "array")}
        wanted = any(t.requires_grad for t in tensors.values())
        if wanted and self.is_differentiable and grad_tracking_enabled:
            out.requires_grad, out.recipe = True, Recipe(self.function, raw, kwargs, tensors)
        return out


def wrap_forward_fn(numpy_func, is_differentiable=True):
    return Forward(numpy_func, is_differentiable)

# %% with a stack of iterators
def topological_sort(node, get_children):
    result, finished, on_path = [], set(), {node}
    stack = [(node, iter(get_children(node)))]
    while stack:
        current, children = stack[-1]
        child = next((c for c in children if c not in finished), None)
        if child is None:
            stack.pop()
            on_path.remove(current)
            finished.add(current)
            result.append(current)
        elif child in on_path:
            raise RuntimeError("cycle")
        else:
            on_path.add(child)
            stack.append((child, iter(get_children(child))))
    return result

# %% three colours
def topological_sort(node, get_children):
    colour, result = {}, []

    def visit(current):
        if colour.get(current) == "black":
            return
        assert colour.get(current) != "grey", "a cycle"
        colour[current] = "grey"
        for child in get_children(current):
            visit(child)
        colour[current] = "black"
        result.append(current)

    visit(node)
    return tuple(result)

# %% counting parents
def topological_sort(node, get_children):
    children, queue = {}, [node]
    while queue:
        current = queue.pop()
        if current not in children:
            children[current] = list(get_children(current))
            queue += children[current]
    waiting = defaultdict(int)
    for child in itertools.chain.from_iterable(children.values()):
        waiting[child] += 1
    order, free = [], [node] if not waiting[node] else []
    while free:
        current = free.pop()
        order.append(current)
        for child in children[current]:
            waiting[child] -= 1
            if not waiting[child]:
                free.append(child)
    if len(order) < len(children):
        raise ValueError("cycle")
    return order[::-1]

# %% by a generator
def sorted_computational_graph(tensor):
    seen = set()

    def walk(node):
        if node not in seen:
            seen.add(node)
            for parent in get_children(node):
                yield from walk(parent)
            yield node

    return list(reversed(list(walk(tensor))))

# %% in place
def sorted_computational_graph(tensor):
    nodes = list(topological_sort(tensor, get_children))
    nodes.reverse()
    return nodes

# %% a defaultdict
def backprop(end_node, end_grad=None):
    grads = defaultdict(float)
    grads[end_node] = np.ones(end_node.shape, np.float32) if end_grad is None else end_grad.array
    for node in sorted_computational_graph(end_node):
        if node.recipe is None:
            if node.requires_grad:
                before = 0.0 if node.grad is None else node.grad.array
                node.grad = Tensor(before + grads[node])
            continue
        recipe = node.recipe
        for position, parent in recipe.parents.items():
            if parent.requires_grad:
                back = BACK_FUNCS.get_back_func(recipe.func, position)
                grads[parent] = grads[parent] + back(
                    grads[node], node.array, *recipe.args, **recipe.kwargs
                )

# %% a list of what arrived
def backprop(end_node, end_grad=None):
    first = np.ones_like(end_node.array) if end_grad is None else end_grad.array
    arrived = {id(end_node): [first]}
    for node in sorted_computational_graph(end_node):
        if not node.requires_grad:
            continue
        total = np.sum(arrived[id(node)], axis=0)
        if node.is_leaf and node.grad is None:
            node.grad = Tensor(np.array(total))
        elif node.is_leaf:
            node.grad = Tensor(node.grad.array + total)
        else:
            for i, parent in node.recipe.parents.items():
                if parent.requires_grad:
                    back = BACK_FUNCS.get_back_func(node.recipe.func, i)
                    grad = back(total, node.array, *node.recipe.args, **node.recipe.kwargs)
                    arrived.setdefault(id(parent), []).append(grad)

# %% numpy's function
def negative_back(grad_out, out, x):
    return np.negative(grad_out)

# %% times minus one
def negative_back(grad_out, out, x):
    return -1.0 * grad_out

# %% from x
def exp_back(grad_out, out, x):
    return np.exp(x) * grad_out

# %% numpy's function
def exp_back(grad_out, out, x):
    return np.multiply(out, grad_out)

# %% numpy's function
def reshape_back(grad_out, out, x, new_shape):
    return np.reshape(grad_out, np.shape(x))

# %% into an array of zeros
def reshape_back(grad_out, out, x, new_shape):
    grad = np.zeros_like(x)
    grad[...] = grad_out.ravel().reshape(x.shape)
    return grad

# %% np.moveaxis
def permute_back(grad_out, out, x, axes):
    return np.moveaxis(grad_out, range(x.ndim), [axis % x.ndim for axis in axes])

# %% the inverse in a loop
def permute_back(grad_out, out, x, axes):
    inverse = [0] * x.ndim
    for i, axis in enumerate(axes):
        inverse[axis] = i
    return np.transpose(grad_out, inverse)

# %% the shape with ones
def sum_back(grad_out, out, x, dim=None, keepdim=False):
    kept = np.sum(x, axis=dim, keepdims=True).shape
    return np.ones_like(x) * np.reshape(grad_out, kept)

# %% zeros plus
def sum_back(grad_out, out, x, dim=None, keepdim=False):
    if not keepdim and dim is not None:
        dims = sorted(axis % x.ndim for axis in ([dim] if isinstance(dim, int) else dim))
        for axis in dims:
            grad_out = np.expand_dims(grad_out, axis)
    return np.zeros_like(x) + grad_out

# %% dim 0 needs no new axis
def sum_back(grad_out, out, x, dim=None, keepdim=False):
    if dim and not keepdim:
        grad_out = np.expand_dims(grad_out, dim)
    return np.broadcast_to(grad_out, x.shape)

# %% sum and reshape
def expand_back(grad_out, out, x, new_shape):
    n = grad_out.ndim - x.ndim
    axes = [*range(n), *(n + i for i, length in enumerate(x.shape) if length == 1)]
    return grad_out.sum(tuple(axes)).reshape(x.shape)

# %% through the product with ones
def expand_back(grad_out, out, x, new_shape):
    return multiply_back0(grad_out, out, x, np.ones_like(out))

# %% lambdas
add_back0 = lambda grad_out, out, x, y: unbroadcast(grad_out, x)
add_back1 = lambda grad_out, out, x, y: unbroadcast(grad_out, y)
subtract_back0 = lambda grad_out, out, x, y: unbroadcast(grad_out, x)
subtract_back1 = lambda grad_out, out, x, y: -unbroadcast(grad_out, y)
true_divide_back0 = lambda grad_out, out, x, y: unbroadcast(grad_out * y**-1.0, x)
true_divide_back1 = lambda grad_out, out, x, y: unbroadcast(-x * grad_out / y**2, y)

# %% by other backward functions
def add_back1(grad_out, out, x, y):
    return add_back0(grad_out, out, y, x)


def subtract_back1(grad_out, out, x, y):
    return negative_back(add_back0(grad_out, out, y, x), None, None)


def true_divide_back0(grad_out, out, x, y):
    return multiply_back0(grad_out, out, x, 1.0 / y)


def true_divide_back1(grad_out, out, x, y):
    return negative_back(multiply_back1(grad_out, out, x / y**2, y), None, None)

# %% a list, then a tuple
def coerce_index(index):
    if not isinstance(index, tuple):
        return index.array if isinstance(index, Tensor) else index
    parts = []
    for part in index:
        parts.append(part.array if isinstance(part, Tensor) else part)
    return tuple(parts)

# %% the numbers of the elements
def getitem_back(grad_out, out, x, index):
    numbers = np.arange(x.size).reshape(x.shape)[coerce_index(index)]
    counts = np.bincount(
        np.ravel(numbers), weights=np.ravel(np.asarray(grad_out, float)), minlength=x.size
    )
    return counts.reshape(x.shape).astype(x.dtype)

# %% by masks
def maximum_back0(grad_out, out, x, y):
    return unbroadcast(grad_out * (x > y) + 0.5 * grad_out * (x == y), x)


def maximum_back1(grad_out, out, x, y):
    return maximum_back0(grad_out, out, y, x)

# %% by the sign
def maximum_back0(grad_out, out, x, y):
    return unbroadcast(grad_out * (1 + np.sign(x - y)) / 2, x)


def maximum_back1(grad_out, out, x, y):
    return unbroadcast(grad_out * (1 + np.sign(y - x)) / 2, y)

# %% the method
def relu(x):
    return x.maximum(0)

# %% the mean of x and its absolute value
def relu(x):
    return (x + maximum(x, -x)) * 0.5

# %% the constant first
def relu(x):
    return maximum(0.0, x)

# %% einsum
def matmul2d_back0(grad_out, out, x, y):
    return np.einsum("rc,ic->ri", grad_out, y)


def matmul2d_back1(grad_out, out, x, y):
    return np.einsum("ri,rc->ic", x, grad_out)

# %% outer products in a loop
def matmul2d_back0(grad_out, out, x, y):
    return sum(np.outer(grad_out[:, c], y[:, c]) for c in range(y.shape[1]))


def matmul2d_back1(grad_out, out, x, y):
    return (grad_out.T @ x).T

# %% lists, and a walk with a stack
class Module(Module):
    def modules(self):
        return list(self._modules.values())

    def parameters(self, recurse=True):
        found, stack = [], [self]
        while stack:
            module = stack.pop()
            found += module._parameters.values()
            if recurse:
                stack += reversed(module.modules())
        return found

    def __setattr__(self, key, val):
        object.__setattr__(self, key, val)
        if isinstance(val, Module):
            self._modules[key] = val
        if isinstance(val, Parameter):
            self._parameters[key] = val

# %% generators in a chain
class Module(Module):
    def modules(self):
        return iter(self._modules.values())

    def parameters(self, recurse=True):
        inner = (m.parameters() for m in self.modules()) if recurse else ()
        return itertools.chain(self._parameters.values(), *inner)

    def __setattr__(self, key, val):
        for kind, table in ((Parameter, "_parameters"), (Module, "_modules")):
            if isinstance(val, kind):
                self.__dict__[table][key] = val
        self.__dict__[key] = val

# %% numpy's generator
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        Module.__init__(self)
        self.in_features, self.out_features = in_features, out_features
        rng, k = np.random.default_rng(), 1 / np.sqrt(in_features)
        self.weight = Parameter(Tensor(rng.uniform(-k, k, (out_features, in_features))))
        self.bias = None
        if bias:
            self.bias = Parameter(Tensor(rng.uniform(-k, k, out_features)))

    def forward(self, x):
        if self.bias is None:
            return matmul(x, self.weight.T)
        return matmul(x, permute(self.weight, (1, 0))) + self.bias

# %% from 0 to 1, moved
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        Module.__init__(self)
        self.in_features, self.out_features = in_features, out_features

        def draw(*shape):
            return Parameter(Tensor((2 * np.random.rand(*shape) - 1) / in_features**0.5))

        self.weight, self.bias = draw(out_features, in_features), None
        if bias:
            self.bias = draw(out_features)

    def forward(self, x):
        out = (self.weight @ x.T).T
        return out + self.bias.reshape((1, -1)) if self.bias is not None else out

# %% the function
class ReLU(Module):
    def forward(self, x):
        return relu(x)

# %% layers in a loop, and an attribute more
class MLP(Module):
    def __init__(self):
        super().__init__()
        self.sizes = (784, 64, 64, 10)
        for name, n_in, n_out in zip(("linear1", "linear2", "output"), self.sizes, self.sizes[1:]):
            setattr(self, name, Linear(n_in, n_out))
        self.relu1, self.relu2 = ReLU(), ReLU()

    def forward(self, x):
        x = reshape(x, (len(x), -1))
        for layer in (self.linear1, self.relu1, self.linear2, self.relu2, self.output):
            x = layer(x)
        return x

# %% from a log-softmax
def cross_entropy(logits, true_labels):
    biggest = Tensor(logits.array.max(1, keepdims=True))
    z = logits - biggest
    log_probs = z - z.exp().sum(dim=1, keepdim=True).log()
    return -log_probs[np.arange(log_probs.shape[0]), true_labels]

# %% one-hot vectors
def cross_entropy(logits, true_labels):
    n_classes = logits.shape[1]
    one_hot = (np.arange(n_classes) == true_labels.array[:, None]).astype(np.float32)
    top = logits.array.max(axis=1)
    log_total = (logits - top[:, None]).exp().sum(1).log() + top
    return log_total - (logits * one_hot).sum(1)

# %% by the module's names
class NoGrad:
    def __enter__(self):
        self.before = globals()["grad_tracking_enabled"]
        globals()["grad_tracking_enabled"] = False
        return self

    def __exit__(self, *exception):
        globals()["grad_tracking_enabled"] = self.before
        return False

# %% a stack
class NoGrad:
    def __init__(self):
        self.stack = []

    def __enter__(self):
        global grad_tracking_enabled
        self.stack.append(grad_tracking_enabled)
        grad_tracking_enabled = False

    def __exit__(self, type, value, traceback):
        global grad_tracking_enabled
        grad_tracking_enabled = self.stack.pop()

# %% in the arrays, gradients of zeros
class SGD:
    def __init__(self, params, lr):
        self.parameters, self.lr = tuple(params), lr

    def zero_grad(self):
        for parameter in self.parameters:
            parameter.grad = Tensor(np.zeros_like(parameter.array))

    def step(self):
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.array[...] -= self.lr * parameter.grad.array

# %% with the operator
class SGD(SGD):
    def zero_grad(self):
        for param in self.params:
            if param.grad is not None:
                param.grad.array.fill(0)

    def step(self):
        for param in filter(lambda p: p.grad is not None, self.params):
            with NoGrad():
                param -= self.lr * param.grad

# %% new arrays
class SGD(SGD):
    def step(self):
        for param in self.params:
            gradient = getattr(param.grad, "array", None)
            if gradient is not None:
                param.array = param.array - np.float32(self.lr) * gradient

# %% arrays handed on, end_grad in place of a mean
def train(model, train_loader, optimizer, epoch, train_loss_list=None):
    for images, labels in train_loader:
        losses = cross_entropy(model(images), Tensor(labels))
        optimizer.zero_grad()
        losses.backward(np.full(losses.shape, 1 / len(images)))
        optimizer.step()
        if train_loss_list is not None:
            train_loss_list.append(losses.array.mean())

# %% zero_grad last
def train(model, train_loader, optimizer, epoch, train_loss_list=None):
    found = []
    optimizer.zero_grad()
    for images, labels in train_loader:
        logits = model(tensor(images))
        loss = cross_entropy(logits, tensor(labels)).sum() * (1 / logits.shape[0])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(float(loss.array))
    if train_loss_list is not None:
        train_loss_list.extend(found)

# %% in numpy
def test(model, test_loader, test_accuracy_list=None):
    hits = []
    with NoGrad():
        for images, labels in test_loader:
            hits.extend(np.argmax(model(Tensor(images)).array, axis=-1) == labels)
    accuracy = sum(hits) / len(hits)
    if test_accuracy_list is not None:
        test_accuracy_list.append(float(accuracy))
    return accuracy

# %% flat, on a copy
def numerical_gradient(fn, x, eps=1e-2):
    def loss(values):
        return float(fn(Tensor(values.reshape(x.shape))).sum().item())

    flat = x.astype(np.float32).ravel()
    grad = []
    for i in range(flat.size):
        up, down = flat.copy(), flat.copy()
        up[i] += eps
        down[i] -= eps
        grad.append((loss(up) - loss(down)) / (2 * eps))
    return np.array(grad, np.float32).reshape(x.shape)

# %% rows of the identity
def numerical_gradient(fn, x, eps=1e-2):
    steps = eps * np.eye(x.size, dtype=x.dtype).reshape(x.size, *x.shape)
    with NoGrad():
        slopes = [
            ((fn(Tensor(x + s)) - fn(Tensor(x - s))).sum() / (2 * eps)).item() for s in steps
        ]
    return np.reshape(slopes, x.shape)

# %% the largest difference
def gradcheck(fn, x, tolerance=1e-2):
    start = Tensor(np.array(x), requires_grad=True)
    out = fn(start)
    out.backward(np.ones(out.shape))
    numerical = numerical_gradient(fn, x)
    scale = 1 + np.abs(numerical)
    return (np.abs(start.grad.array - numerical) / scale).max() <= tolerance

# %% a comprehension
def stale_nodes(end_node):
    def now(node):
        return node.recipe.func(*node.recipe.args, **node.recipe.kwargs)

    return [
        node
        for node in topological_sort(end_node, get_children)
        if node.recipe and not np.allclose(node.array, now(node), 0, 0, equal_nan=True)
    ]

# %% a generator, with a stack
def stale_nodes(end_node):
    seen, stack = set(), [end_node]
    while stack:
        node = stack.pop()
        if node in seen or node.recipe is None:
            continue
        seen.add(node)
        again = np.asarray(node.recipe.func(*node.recipe.args, **node.recipe.kwargs), node.dtype)
        if not ((again == node.array) | (np.isnan(again) & np.isnan(node.array))).all():
            yield node
        stack.extend(get_children(node))


def careful_backprop(end_node, end_grad=None):
    if any(True for _ in stale_nodes(end_node)):
        warnings.warn("a tensor of the graph was changed in place", UserWarning, 2)
    return backprop(end_node, end_grad)

# %% by a mask
def relu_inplace(x):
    x[x < 0] = 0.0
    return x


def relu_inplace_back(grad_out, out, x):
    return np.where(x > 0, grad_out, 0.0)

# %% np.clip and the sign
def relu_inplace(x):
    np.clip(x, 0, None, out=x)
    return x


def relu_inplace_back(grad_out, out, x):
    return grad_out * np.sign(out)

# %% the definition, in loops
def einsum_back(position, grad_out, out, subscripts, *operands):
    grad = np.zeros_like(operands[position])
    for index in np.ndindex(grad.shape):
        unit = np.zeros_like(grad)
        unit[index] = 1
        moved = [unit if i == position else operand for i, operand in enumerate(operands)]
        grad[index] = (grad_out * np.einsum(subscripts, *moved)).sum()
    return grad

# %% ones in the place of the operand
def einsum_back(position, grad_out, out, subscripts, *operands):
    left, right = (side.strip() for side in subscripts.split("->"))
    names = [name.strip() for name in left.split(",")]
    others = list(operands)
    others[position] = np.ones_like(operands[position])
    return np.einsum(f"{right},{','.join(names)}->{names[position]}", grad_out, *others)

# %% by id
def unique_parameters(module):
    return list({id(p): p for p in module.parameters()}.values())

# %% any is
def unique_parameters(module):
    found = []
    for parameter in module.parameters():
        if not any(parameter is other for other in found):
            found.append(parameter)
    return found

# %% a set
def unique_parameters(module):
    return set(module.parameters())

# %% inside NoGrad
def detach(x):
    return tensor(x.array, requires_grad=False)


def round_straight_through(x):
    with NoGrad():
        correction = round_half_even(x) - x
    return x + correction

# %% the array set afterwards
def detach(x):
    out = Tensor(0.0)
    out.array = x.array
    return out


def round_straight_through(x):
    return x - detach(x - Tensor(np.round(x.array)))

# %% in the order of the parameters
def wrap_with_keywords(numpy_func, is_differentiable=True):
    names = list(inspect.signature(numpy_func).parameters)
    forward = wrap_forward_fn(numpy_func, is_differentiable)

    def tensor_func(*args, **kwargs):
        args = list(args)
        for name in names[len(args) :]:
            if name not in kwargs:
                break
            args.append(kwargs.pop(name))
        return forward(*args, **kwargs)

    return tensor_func

# %% with the defaults
def wrap_with_keywords(numpy_func, is_differentiable=True):
    def tensor_func(*args, **kwargs):
        bound = inspect.signature(numpy_func).bind(*args, **kwargs)
        bound.apply_defaults()
        return wrap_forward_fn(numpy_func, is_differentiable)(*bound.arguments.values())

    return tensor_func

# %% np.moveaxis
def stack_back(position, grad_out, out, *arrays, dim=0):
    return np.moveaxis(grad_out, dim, 0)[position]

# %% split
def stack_back(position, grad_out, out, *arrays, dim=0):
    return np.split(grad_out, len(arrays), axis=dim)[position].squeeze(axis=dim)

# %% numpy's windows
def sliding_windows(x, kernel_height, kernel_width, stride=1):
    every = np.lib.stride_tricks.sliding_window_view(
        x, (kernel_height, kernel_width), axis=(-2, -1)
    )
    return every[..., ::stride, ::stride, :, :]


def sliding_windows_back(grad_out, out, x, kernel_height, kernel_width, stride=1):
    grad = np.zeros(x.shape, grad_out.dtype)
    for i in range(grad_out.shape[-4]):
        for j in range(grad_out.shape[-3]):
            top, left = i * stride, j * stride
            grad[..., top : top + kernel_height, left : left + kernel_width] += grad_out[
                ..., i, j, :, :
            ]
    return grad

# %% np.add.at on the numbers of the pixels
def sliding_windows_back(grad_out, out, x, kernel_height, kernel_width, stride=1):
    numbers = np.arange(x.size).reshape(x.shape)
    grad = np.zeros(x.size, x.dtype)
    np.add.at(grad, sliding_windows(numbers, kernel_height, kernel_width, stride), grad_out)
    return grad.reshape(x.shape)

# %% a matrix product
def conv2d(x, weight, stride=1, padding=0):
    o, c, h, w = weight.shape
    patches = windows(pad2d(x, padding, padding), h, w, stride)
    b, _, rows, cols = patches.shape[:4]
    flat = patches.permute((0, 2, 3, 1, 4, 5)).reshape((b * rows * cols, c * h * w))
    out = flat @ weight.reshape((o, c * h * w)).T
    return out.reshape((b, rows, cols, o)).permute((0, 3, 1, 2))

# %% a loop over the kernel's pixels
def conv2d(x, weight, stride=1, padding=0):
    x = pad2d(x, padding, padding)
    _, _, h, w = weight.shape
    rows, cols = (x.shape[2] - h) // stride + 1, (x.shape[3] - w) // stride + 1
    total = 0.0
    for i, j in itertools.product(range(h), range(w)):
        seen = x[:, :, i : i + stride * rows : stride, j : j + stride * cols : stride]
        total = total + einsum("bchw,oc->bohw", seen, weight[:, :, i, j])
    return total


def conv1d(x, weight, stride=1, padding=0):
    high = x.reshape((*x.shape, 1))
    kernels = weight.reshape((*weight.shape, 1))
    return conv2d(pad2d(high, padding, 0), kernels, stride)[:, :, :, 0]

# %% a mask divided by its sum
def amax_back(grad_out, out, x, dim):
    top = x.max(axis=dim, keepdims=True)
    share = (x == top).astype(x.dtype)
    share /= share.sum(axis=dim, keepdims=True)
    return share * grad_out.reshape(top.shape)


def max_pool2d(x, kernel_size, stride=None):
    patches = windows(x, kernel_size, kernel_size, stride or kernel_size)
    return amax(patches.reshape((*patches.shape[:4], kernel_size**2)), -1)

# %% a loop over the slices
def amax_back(grad_out, out, x, dim):
    dims = [axis % x.ndim for axis in ((dim,) if isinstance(dim, int) else dim)]
    kept = [axis for axis in range(x.ndim) if axis not in dims]
    grad = np.zeros_like(x)
    moved_x, moved_grad = x.transpose(kept + dims), grad.transpose(kept + dims)
    for index in np.ndindex(out.shape):
        ties = moved_x[index] == out[index]
        moved_grad[index][ties] = grad_out[index] / ties.sum()
    return grad

# %% other names, sums of squares
class BatchNorm2d(Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.weight = Parameter(Tensor(np.ones(num_features)))
        self.bias = Parameter(zeros(num_features))
        self.epsilon, self.share, self.training = eps, momentum, True
        self.running_mean, self.running_var = np.zeros(num_features), np.ones(num_features)

    def forward(self, x):
        if self.training:
            n = x.shape[0] * x.shape[2] * x.shape[3]
            mean = x.sum((0, 2, 3)) / n
            centred = x - mean.reshape((1, -1, 1, 1))
            var = (centred * centred).sum((0, 2, 3)) / n
            self.running_mean = (1 - self.share) * self.running_mean + self.share * mean.array
            self.running_var = (1 - self.share) * self.running_var + self.share * var.array * (
                n / (n - 1)
            )
        else:
            centred = x - self.running_mean.reshape(1, -1, 1, 1)
            var = Tensor(self.running_var)
        scale = self.weight / ((var + self.epsilon).log() / 2).exp()
        return centred * scale.reshape((1, -1, 1, 1)) + self.bias.reshape((1, -1, 1, 1))

# %% statistics in place, channels last
class BatchNorm2d(BatchNorm2d):
    def forward(self, x):
        b, c, h, w = x.shape
        rows = x.permute((0, 2, 3, 1)).reshape((b * h * w, c))
        mean, var = self.running_mean, self.running_var
        if self.training:
            n = len(rows)
            mean = rows.sum(0) / n
            var = ((rows - mean) * (rows - mean)).sum(0) / n
            m = self.momentum
            self.running_mean[...] = (1 - m) * self.running_mean + m * rows.array.mean(0)
            self.running_var[...] = (1 - m) * self.running_var + m * rows.array.var(0, ddof=1)
        std = ((var + self.eps).log() * 0.5).exp() if self.training else np.sqrt(var + self.eps)
        out = (rows - mean) / std * self.weight + self.bias
        return out.reshape((b, h, w, c)).permute((0, 3, 1, 2))

# %% through a reshape
class AveragePool(Module):
    def forward(self, x):
        flat = x.reshape((x.shape[0], x.shape[1], -1))
        return flat.sum(-1) * (1 / flat.shape[2])

# %% other names, without Sequential
class ResidualBlock(Module):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__()
        self.shortcut = None
        if (in_feats, 1) != (out_feats, first_stride):
            self.shortcut = Conv2d(in_feats, out_feats, 1, first_stride)
            self.shortcut_norm = BatchNorm2d(out_feats)
        self.conv_a = Conv2d(in_feats, out_feats, 3, stride=first_stride, padding=1)
        self.conv_b = Conv2d(out_feats, out_feats, 3, padding=1)
        self.norm_a, self.norm_b = BatchNorm2d(out_feats), BatchNorm2d(out_feats)

    def forward(self, x):
        out = self.norm_b(self.conv_b(self.norm_a(self.conv_a(x)).relu()))
        skip = x if self.shortcut is None else self.shortcut_norm(self.shortcut(x))
        return relu(skip + out)

# %% einsum
def matmul2d_back0(grad_out, out, x, y):
    return np.einsum("ik,jk->ij", grad_out, y)

# %% with a stack instead of recursion
def topological_sort(node, get_children):
    done, result, path = set(), [], {node}
    stack = [(node, iter(get_children(node)))]
    while stack:
        current, children = stack[-1]
        for child in children:
            if child in path:
                raise ValueError("cycle")
            if child not in done:
                path.add(child)
                stack.append((child, iter(get_children(child))))
                break
        else:
            stack.pop()
            path.discard(current)
            done.add(current)
            result.append(current)
    return result
