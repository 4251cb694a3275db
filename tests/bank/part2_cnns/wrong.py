"""Wrong answers that learners of 0.2 write; each cell's title is what its verdict must contain.

Where only one method is wrong, the answer takes the others over from the right class.
"""

import contextlib

import numpy as np

solutions_resnet = ResNet34  # the right one, where a wrong one takes its name


def uniform(*shape, bound):
    """Make a parameter that starts between ±bound."""
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


def prepared(args):
    """Do what stands in `train` before its first epoch."""
    model = SimpleMLP()
    trainset, testset = get_mnist(args.trainset_size, args.testset_size)
    loaders = Batches(trainset, args.batch_size, shuffle=True), Batches(testset, 1_000)
    return model, *loaders, torch.optim.Adam(model.parameters(), lr=args.learning_rate)


def prepared_resnet(args):
    """Do what stands in `train_resnet` before its first epoch."""
    model = get_resnet_for_feature_extraction(args.n_classes)
    trainset, testset = get_cifar_subset()
    return model, Batches(trainset, args.batch_size, shuffle=True), Batches(testset, 64)


def step(model, optimizer, images, labels):
    """Make one step, and give its loss."""
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def windows1d(x, k, stride=1, n=None, steps=None):
    """Show all windows of rows: (batch, channels, out_width, k)."""
    n = (x.shape[2] - k) // stride + 1 if n is None else n
    b, c, w = x.stride() if steps is None else steps
    return x.as_strided((*x.shape[:2], n, k), (b, c, stride * w, w))


def windows2d(x, kernel, stride=(1, 1), steps=None):
    """Show all windows of pictures: (batch, channels, out_height, out_width, *kernel)."""
    out = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], kernel, stride)]
    b, c, h, w = x.stride() if steps is None else steps
    return x.as_strided((*x.shape[:2], *out, *kernel), (b, c, stride[0] * h, stride[1] * w, h, w))


def steps_of(shape):
    """Give the strides that a contiguous tensor of this shape has."""
    return torch.empty(shape).stride()


def hunt(model, inputs, to_blame, choose=lambda found: found[0] if found else None,
         modules=lambda model: model.named_modules(), clean=lambda model, handles: [
             handle.remove() for handle in handles]):
    """Hang hooks on modules, run the model, choose a name; each step of it may be another one."""
    found = []

    def watch(name, module):
        def hook(module, args, output):
            if to_blame(args, output):
                found.append(name)
        return module.register_forward_hook(hook)

    handles = [watch(name, module) for name, module in modules(model)]
    try:
        model(*inputs)
    finally:
        clean(model, handles)
    return choose(found)


def makes_nan(args, output):
    """Tell whether a module makes NaN of something without."""
    return output.isnan().any() and not any(arg.isnan().any() for arg in args)


class Norm(BatchNorm2d):
    """Batch norm; each step of it may be another one."""

    axes, follow_axes, biased, track_biased = (0, 2, 3), (0, 2, 3), True, False

    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(self.axes), x.var(self.axes, unbiased=not self.biased)
            self.move(x.detach())
        return self.normalise(x, mean, var)

    def move(self, x):
        self.follow(x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=not self.track_biased))

    def follow(self, mean, var):
        m = self.momentum
        self.running_mean = (1 - m) * self.running_mean + m * mean
        self.running_var = (1 - m) * self.running_var + m * var
        self.num_batches_tracked += 1

    def normalise(self, x, mean, var):
        root = (var + self.eps).sqrt()
        return (x - mean[:, None, None]) / root[:, None, None] * self.weight[
            :, None, None
        ] + self.bias[:, None, None]


# %% ReLU() changed its argument x in place
class ReLU(nn.Module):
    def forward(self, x):
        x[x < 0] = 0
        return x

# %% the positive ones lost
class ReLU(nn.Module):
    def forward(self, x):
        return torch.minimum(x, torch.zeros_like(x))

# %% this says where x is positive
class ReLU(nn.Module):
    def forward(self, x):
        return (x > 0).float()

# %% this is the absolute value
class ReLU(nn.Module):
    def forward(self, x):
        return torch.maximum(x, -x)

# %% is cut off from x
class ReLU(nn.Module):
    def forward(self, x):
        return torch.from_numpy(np.maximum(x.detach().numpy(), 0))

# %% Boolean value of Tensor with more than one value is ambiguous
class ReLU(nn.Module):
    def forward(self, x):
        return max(x, torch.tensor(0.0))

# %% every value is 2 times the expected one
class ReLU(nn.Module):
    def forward(self, x):
        return x + x.abs()

# %% a small part of the negative numbers is kept
class ReLU(nn.Module):
    def forward(self, x):
        return torch.where(x > 0, x, 0.01 * x)

# %% is a return statement missing
class ReLU(nn.Module):
    def forward(self, x):
        torch.maximum(x, torch.zeros_like(x))

# %% the dtype is float32; it must be float64
class ReLU(nn.Module):
    def forward(self, x):
        return torch.maximum(x.float(), torch.tensor(0.0))

# %% numbers above 1 are cut off, too
class ReLU(nn.Module):
    def forward(self, x):
        return x.clamp(0, 1)

# %% the negative numbers are taken out
class ReLU(nn.Module):
    def forward(self, x):
        return x[x >= 0]

# %% says bias=True when it is printed
class Linear(Linear):
    def extra_repr(self):
        return f"{self.in_features}, {self.out_features}, bias=True"

# %% the bias is not added
class Linear(Linear):
    def forward(self, x):
        return x @ self.weight.T

# %% it must be (2000, 100) (the axes are swapped)
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        self.weight = uniform(in_features, out_features, bound=in_features**-0.5)

# %% it must be transposed: x Wᵀ
class Linear(Linear):
    def forward(self, x):
        out = x @ self.weight
        return out if self.bias is None else out + self.bias

# %% no value is negative; the range must be symmetric around 0
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        self.weight = nn.Parameter(torch.rand(out_features, in_features) * in_features**-0.5)

# %% the bound is 1/√out_features
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        self.weight = uniform(out_features, in_features, bound=out_features**-0.5)

# %% the square root is missing
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        self.weight = uniform(out_features, in_features, bound=1 / in_features)

# %% the bound is √in_features; it must be 1 over that
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        self.weight = uniform(out_features, in_features, bound=in_features**0.5)

# %% drawn from a normal distribution
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        self.weight = nn.Parameter(torch.randn(out_features, in_features) * in_features**-0.5)

# %% .bias: every value is 0
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias)
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None

# %% wrap it in nn.Parameter
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        nn.Module.__init__(self)
        self.in_features, self.out_features = in_features, out_features
        bound = in_features**-0.5
        self.weight = torch.empty(out_features, in_features).uniform_(-bound, bound)
        self.bias = None

# %% .bias is None: the bias is forgotten
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias=False)

# %% .bias must be None
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias=True)

# %% .bias is the flag
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias=False)
        self.bias = bias or None

# %% .bias has shape (1, 2000); it must be (2000,)
class Linear(Linear):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__(in_features, out_features, bias=False)
        if bias:
            self.bias = uniform(1, out_features, bound=in_features**-0.5)

# %% the bias is subtracted; it must be added
class Linear(Linear):
    def forward(self, x):
        out = x @ self.weight.T
        return out if self.bias is None else out - self.bias

# %% the graph is cut
class Linear(Linear):
    def forward(self, x):
        out = x @ self.weight.data.T
        return out if self.bias is None else out + self.bias.data

# %% any axes may stand before the last one, or none
class Linear(Linear):
    def forward(self, x):
        out = torch.mm(x, self.weight.T)
        return out if self.bias is None else out + self.bias

# %% prints without its settings
class Linear(Linear):
    def extra_repr(self):
        return ""

# %% everything is joined, the batch too
class Flatten(Flatten):
    def forward(self, input):
        return input.reshape(-1)

# %% the last axis is left out
class Flatten(Flatten):
    def forward(self, input):
        start, end = self.start_dim % input.ndim, self.end_dim % input.ndim
        return input.reshape(*input.shape[:start], -1, *input.shape[end:])

# %% with end_dim=-1, shape[end_dim + 1:] is the whole shape
class Flatten(Flatten):
    def forward(self, input):
        shape = input.shape
        return input.reshape(*shape[: self.start_dim], -1, *shape[self.end_dim + 1 :])

# %% the joined axis has the wrong length: start_dim to end_dim, both included
class Flatten(Flatten):
    def forward(self, input):
        start, end = self.start_dim % input.ndim, self.end_dim % input.ndim
        shape = input.shape
        return input.reshape(*shape[:start], math.prod(shape[start:end]), *shape[end + 1 :])

# %% start_dim is not used
class Flatten(Flatten):
    def forward(self, input):
        end = self.end_dim % input.ndim
        return input.reshape(len(input), -1, *input.shape[end + 1 :])

# %% end_dim is not used
class Flatten(Flatten):
    def forward(self, input):
        return input.reshape(*input.shape[: self.start_dim], -1)

# %% view size is not compatible
class Flatten(Flatten):
    def forward(self, input):
        start, end = self.start_dim % input.ndim, self.end_dim % input.ndim
        return input.view(*input.shape[:start], -1, *input.shape[end + 1 :])

# %% the values are right but stand in the wrong places
class Flatten(Flatten):
    def forward(self, input):
        start, end = self.start_dim % input.ndim, self.end_dim % input.ndim
        turned = input.transpose(start, end)
        return turned.reshape(*input.shape[:start], -1, *input.shape[end + 1 :])

# %% Flatten(): the result is None: is a return statement missing
class Flatten(Flatten):
    def forward(self, input):
        start, end = self.start_dim % input.ndim, self.end_dim % input.ndim
        input.reshape(*input.shape[:start], -1, *input.shape[end + 1 :])

# %% a linear layer is missing
class SimpleMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = Linear(784, 10)

    def forward(self, x):
        return self.linear(x.flatten(1))

# %% assign its layers to attributes in __init__
class SimpleMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [Linear(784, 100), ReLU(), Linear(100, 10)]

    def forward(self, x):
        x = x.flatten(1)
        for layer in self.layers:
            x = layer(x)
        return x

# %% assign its layers to attributes
class SimpleMLP(nn.Module):
    def forward(self, x):
        return Linear(100, 10)(ReLU()(Linear(784, 100)(x.flatten(1))))

# %% there is no ReLU between the two linear layers
class SimpleMLP(SimpleMLP):
    def forward(self, x):
        return self.linear2(self.linear1(self.flatten(x)))

# %% there is a softmax at the end; give the logits as they are
class SimpleMLP(SimpleMLP):
    def forward(self, x):
        return super().forward(x).softmax(dim=-1)

# %% there is an activation at the end; give the logits as they are
class SimpleMLP(SimpleMLP):
    def forward(self, x):
        return super().forward(x).relu()

# %% both biases are missing
class SimpleMLP(SimpleMLP):
    def __init__(self):
        super().__init__()
        self.linear1, self.linear2 = Linear(784, 100, bias=False), Linear(100, 10, bias=False)

# %% 101,770 parameters; it must have 79,510
class SimpleMLP(SimpleMLP):
    def __init__(self):
        super().__init__()
        self.linear1, self.linear2 = Linear(784, 128), Linear(128, 10)

# %% the pictures are not flattened
class SimpleMLP(SimpleMLP):
    def forward(self, x):
        return self.linear2(self.relu(self.linear1(x)))

# %% the first linear layer that runs does not take 784 numbers
class SimpleMLP(SimpleMLP):
    def forward(self, x):
        return self.linear1(self.relu(self.linear2(self.flatten(x))))

# %% the whole batch is flattened into one row
class SimpleMLP(SimpleMLP):
    def forward(self, x):
        return self.linear2(self.relu(self.linear1(x.reshape(-1))))

# %% the ReLU stands before the first linear layer
class SimpleMLP(SimpleMLP):
    def forward(self, x):
        return self.linear2(self.linear1(self.relu(self.flatten(x))))

# %% before Module.__init__() call
class SimpleMLP(nn.Module):
    def __init__(self):
        self.linear1 = Linear(784, 100)
        self.linear2 = Linear(100, 10)

# %% the graph is cut
class SimpleMLP(SimpleMLP):
    def forward(self, x):
        with torch.no_grad():
            return super().forward(x)

# %% no gradient reaches linear1.weight
class SimpleMLP(SimpleMLP):
    def forward(self, x):
        return self.linear2(self.relu(self.linear1(self.flatten(x))).detach())

# %% a small batch must count less
def evaluate(model, loader):
    model.eval()
    with torch.inference_mode():
        shares = [(model(x).argmax(-1) == y).float().mean() for x, y in loader]
    return torch.stack(shares).mean().item()

# %% the count of right ones
def evaluate(model, loader):
    model.eval()
    with torch.inference_mode():
        return sum((model(x).argmax(-1) == y).sum().item() for x, y in loader)

# %% the share of wrong ones
def evaluate(model, loader):
    model.eval()
    with torch.inference_mode():
        n_wrong = sum((model(x).argmax(-1) != y).sum().item() for x, y in loader)
    return n_wrong / sum(len(y) for _, y in loader)

# %% in percent
def evaluate(model, loader):
    model.eval()
    n_right = n_seen = 0
    with torch.inference_mode():
        for images, labels in loader:
            n_right += (model(images).argmax(-1) == labels).sum().item()
            n_seen += len(labels)
    return 100 * n_right / n_seen

# %% divided by the count of batches
def evaluate(model, loader):
    model.eval()
    with torch.inference_mode():
        n_right = sum((model(x).argmax(-1) == y).sum().item() for x, y in loader)
    return n_right / len(loader)

# %% only the first batch is counted
def evaluate(model, loader):
    model.eval()
    n_right = n_seen = 0
    with torch.inference_mode():
        for images, labels in loader:
            n_right += (model(images).argmax(-1) == labels).sum().item()
            n_seen += len(labels)
            return n_right / n_seen

# %% only the last batch is counted
def evaluate(model, loader):
    model.eval()
    with torch.inference_mode():
        for images, labels in loader:
            share = (model(images).argmax(-1) == labels).float().mean().item()
    return share

# %% argmax goes over the pictures
def evaluate(model, loader):
    model.eval()
    n_right = n_seen = 0
    with torch.inference_mode():
        for images, labels in loader:
            n_right += (model(images).argmax(dim=0) == labels).sum().item()
            n_seen += len(labels)
    return n_right / n_seen

# %% call model.eval()
def evaluate(model, loader):
    n_right = n_seen = 0
    with torch.inference_mode():
        for images, labels in loader:
            n_right += (model(images).argmax(-1) == labels).sum().item()
            n_seen += len(labels)
    return n_right / n_seen

# %% use torch.inference_mode()
def evaluate(model, loader):
    model.eval()
    n_right = n_seen = 0
    for images, labels in loader:
        n_right += (model(images).argmax(-1) == labels).sum().item()
        n_seen += len(labels)
    return n_right / n_seen

# %% gradients are still switched off
def evaluate(model, loader):
    model.eval()
    torch.set_grad_enabled(False)
    n_right = n_seen = 0
    for images, labels in loader:
        n_right += (model(images).argmax(-1) == labels).sum().item()
        n_seen += len(labels)
    return n_right / n_seen

# %% requires_grad of the parameters
def evaluate(model, loader):
    model.eval().requires_grad_(False)
    n_right = n_seen = 0
    with torch.inference_mode():
        for images, labels in loader:
            n_right += (model(images).argmax(-1) == labels).sum().item()
            n_seen += len(labels)
    return n_right / n_seen

# %% call optimizer.zero_grad() each time
def train(args):
    model, train_loader, test_loader, optimizer = prepared(args)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.train()
        for images, labels in train_loader:
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% the optimizer never made a step
def train(args):
    model, train_loader, test_loader, optimizer = prepared(args)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.train()
        for images, labels in train_loader:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            losses.append(loss.item())
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% loss.backward() was never called
def train(args):
    model, train_loader, test_loader, optimizer = prepared(args)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.train()
        for images, labels in train_loader:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            optimizer.step()
            losses.append(loss.item())
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% zero_grad stands between backward and step
def train(args):
    model, train_loader, test_loader, optimizer = prepared(args)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.train()
        for images, labels in train_loader:
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.zero_grad()
            optimizer.step()
            losses.append(loss.item())
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% the model trains in evaluation mode
def train(args):
    model, train_loader, test_loader, optimizer = prepared(args)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        losses += [step(model, optimizer, *batch) for batch in train_loader]
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% use loss.item()
def train(args):
    model, train_loader, test_loader, optimizer = prepared(args)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.train()
        for images, labels in train_loader:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss)
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% this is the accuracy on the training set
def train(args):
    model, train_loader, test_loader, optimizer = prepared(args)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.train()
        losses += [step(model, optimizer, *batch) for batch in train_loader]
        accuracies.append(evaluate(model, train_loader))
    return losses, accuracies, model

# %% accuracies holds 30 numbers for 3 epochs; test after every epoch
def train(args):
    model, train_loader, test_loader, optimizer = prepared(args)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        for batch in train_loader:
            model.train()
            losses.append(step(model, optimizer, *batch))
            accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% losses holds 3 numbers for 3 epochs of 10 batches
def train(args):
    model, train_loader, test_loader, optimizer = prepared(args)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.train()
        for batch in train_loader:
            loss = step(model, optimizer, *batch)
        losses.append(loss)
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% F.cross_entropy gets probabilities
def train(args):
    model, train_loader, test_loader, optimizer = prepared(args)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.train()
        for images, labels in train_loader:
            loss = F.cross_entropy(model(images).softmax(dim=-1), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% the loss does not fall
def train(args):
    model, train_loader, test_loader, optimizer = prepared(args)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.train()
        for images, labels in train_loader:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            (-loss).backward()
            optimizer.step()
            losses.append(loss.item())
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% no gradient of the loss reaches what the optimizer steps on
def train(args):
    model, train_loader, test_loader, optimizer = prepared(args)
    model = SimpleMLP()
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.train()
        losses += [step(model, optimizer, *batch) for batch in train_loader]
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% it must return three things
def train(args):
    model, train_loader, test_loader, optimizer = prepared(args)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.train()
        losses += [step(model, optimizer, *batch) for batch in train_loader]
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies

# %% kernel's area is missing
class Conv2d(Conv2d):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        self.weight = uniform(*self.weight.shape, bound=in_channels**-0.5)

# %% the bound is made with out_channels
class Conv2d(Conv2d):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        self.weight = uniform(*self.weight.shape, bound=(out_channels * kernel_size**2) ** -0.5)

# %% the kernel has two sides
class Conv2d(Conv2d):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        self.weight = uniform(*self.weight.shape, bound=(in_channels * kernel_size) ** -0.5)

# %% the root is missing
class Conv2d(Conv2d):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        self.weight = uniform(*self.weight.shape, bound=1 / (in_channels * kernel_size**2))

# %% drawn from a normal distribution
class Conv2d(Conv2d):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        self.weight = nn.Parameter(torch.randn(self.weight.shape))

# %% out_channels must come first
class Conv2d(Conv2d):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        weight = torch.rand(in_channels, out_channels, kernel_size, kernel_size) * 2 - 1
        self.weight = nn.Parameter(weight * (in_channels * kernel_size**2) ** -0.5)

# %% has a bias; this layer must have none
class Conv2d(nn.Conv2d):
    pass

# %% wrap it in nn.Parameter
class Conv2d(Conv2d):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        weight = self.weight.data
        del self.weight
        self.weight = weight

# %% the stride is not used
class Conv2d(Conv2d):
    def forward(self, x):
        return F.conv2d(x, self.weight, padding=self.padding)

# %% the padding is not used
class Conv2d(Conv2d):
    def forward(self, x):
        return F.conv2d(x, self.weight, stride=self.stride)

# %% stride and padding are swapped
class Conv2d(Conv2d):
    def forward(self, x):
        return F.conv2d(x, self.weight, None, self.padding, self.stride)

# %% the third argument of F.conv2d is the bias
class Conv2d(Conv2d):
    def forward(self, x):
        return F.conv2d(x, self.weight, self.stride, self.padding)

# %% the graph is cut
class Conv2d(Conv2d):
    def forward(self, x):
        return F.conv2d(x, self.weight.detach(), stride=self.stride, padding=self.padding)

# %% prints without its settings
class Conv2d(Conv2d):
    def extra_repr(self):
        return f"{self.in_channels}, {self.out_channels}"

# %% windows must lie side by side: stride = kernel_size
class MaxPool2d(MaxPool2d):
    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__(kernel_size, stride, padding)
        self.stride = stride or 1

# %% the stride is not used
class MaxPool2d(MaxPool2d):
    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__(kernel_size, None, padding)

# %% the padding is not used
class MaxPool2d(MaxPool2d):
    def forward(self, x):
        return F.max_pool2d(x, self.kernel_size, stride=self.stride)

# %% zeros are padded, and win over negative numbers
class MaxPool2d(MaxPool2d):
    def forward(self, x):
        return F.max_pool2d(F.pad(x, (self.padding,) * 4), self.kernel_size, self.stride)

# %% this is the mean of each window
class MaxPool2d(MaxPool2d):
    def forward(self, x):
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding)

# %% this is the smallest number of each window
class MaxPool2d(MaxPool2d):
    def forward(self, x):
        return -F.max_pool2d(-x, self.kernel_size, self.stride, self.padding)

# %% is a return statement missing
class MaxPool2d(MaxPool2d):
    def forward(self, x):
        F.max_pool2d(x, self.kernel_size, self.stride, self.padding)

# %% use the one with n (unbiased=False)
class BatchNorm2d(Norm):
    biased = False

# %% it must follow the one with n - 1
class BatchNorm2d(Norm):
    track_biased = True

# %% running_mean: momentum is the wrong way round
class BatchNorm2d(Norm):
    def follow(self, mean, var):
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.num_batches_tracked += 1

# %% over the batch alone, pixel by pixel
class BatchNorm2d(Norm):
    def forward(self, x):
        mean, var = x.mean(0, keepdim=True), x.var(0, unbiased=False, keepdim=True)
        weight, bias = self.weight[:, None, None], self.bias[:, None, None]
        return (x - mean) / (var + self.eps).sqrt() * weight + bias

# %% over height and width alone, picture by picture
class BatchNorm2d(Norm):
    def forward(self, x):
        mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), unbiased=False, keepdim=True)
        weight, bias = self.weight[:, None, None], self.bias[:, None, None]
        return (x - mean) / (var + self.eps).sqrt() * weight + bias

# %% divided by the variance; it must be its square root
class BatchNorm2d(Norm):
    def normalise(self, x, mean, var):
        mean, var = mean[:, None, None], var[:, None, None]
        return (x - mean) / (var + self.eps) * self.weight[:, None, None] + self.bias[
            :, None, None
        ]

# %% eps is added outside the root
class BatchNorm2d(Norm):
    def normalise(self, x, mean, var):
        return super().normalise(x, mean, (var.sqrt() + self.eps) ** 2 - self.eps)

# %% eps is not used
class BatchNorm2d(Norm):
    def normalise(self, x, mean, var):
        return super().normalise(x, mean, var - self.eps)

# %% neither weight nor bias is used
class BatchNorm2d(Norm):
    def normalise(self, x, mean, var):
        return (x - mean[:, None, None]) / (var + self.eps).sqrt()[:, None, None]

# %% bias is not used
class BatchNorm2d(Norm):
    def normalise(self, x, mean, var):
        scale = self.weight / (var + self.eps).sqrt()
        return (x - mean[:, None, None]) * scale[:, None, None]

# %% the running statistics are used; in training mode use those of the batch
class BatchNorm2d(Norm):
    def forward(self, x):
        out = self.normalise(x, self.running_mean, self.running_var)
        self.move(x.detach())
        return out

# %% in evaluation mode the batch's own statistics are used
class BatchNorm2d(Norm):
    def forward(self, x):
        if self.training:
            self.move(x.detach())
        return self.normalise(x, x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False))

# %% the running statistics move in evaluation mode
class BatchNorm2d(Norm):
    def forward(self, x):
        out = super().forward(x)
        if not self.training:
            self.follow(x.detach().mean((0, 2, 3)), x.detach().var((0, 2, 3)))
        return out

# %% num_batches_tracked counts in evaluation mode
class BatchNorm2d(Norm):
    def forward(self, x):
        out = super().forward(x)
        if not self.training:
            self.num_batches_tracked += 1
        return out

# %% it does not count; add 1 for each batch
class BatchNorm2d(Norm):
    def follow(self, mean, var):
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(var, self.momentum)

# %% it is the mean of this batch alone; mix it with the old one
class BatchNorm2d(Norm):
    def follow(self, mean, var):
        self.running_mean, self.running_var = mean, var
        self.num_batches_tracked += 1

# %% running_mean: it did not move
class BatchNorm2d(Norm):
    def follow(self, mean, var):
        self.num_batches_tracked += 1

# %% the default momentum, 0.1, is used
class BatchNorm2d(Norm):
    def follow(self, mean, var):
        self.running_mean.lerp_(mean, 0.1)
        self.running_var.lerp_(var, 0.1)
        self.num_batches_tracked += 1

# %% the standard deviation is tracked
class BatchNorm2d(Norm):
    def follow(self, mean, var):
        super().follow(mean, var.sqrt())

# %% keeps the graph of every batch alive
class BatchNorm2d(Norm):
    def move(self, x):
        pass

    def forward(self, x):
        if self.training:
            self.follow(x.mean((0, 2, 3)) + 0 * self.weight, x.var((0, 2, 3)))
        return super().forward(x)

# %% mean and variance are cut off from the graph
class BatchNorm2d(Norm):
    def normalise(self, x, mean, var):
        return super().normalise(x, mean.detach(), var.detach())

# %% is a plain attribute, so it is not saved
class BatchNorm2d(Norm):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        del self.running_mean
        self.running_mean = torch.zeros(num_features)

# %% has parameters that it must not have: running_mean, running_var
class BatchNorm2d(Norm):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        del self.running_mean, self.running_var
        self.running_mean = nn.Parameter(torch.zeros(num_features))
        self.running_var = nn.Parameter(torch.ones(num_features))

# %% it starts at 0; a variance must start at 1
class BatchNorm2d(Norm):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        self.running_var = torch.zeros(num_features)

# %% must be registered in the order
class BatchNorm2d(Norm):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        mean = self.running_mean
        del self.running_mean
        self.register_buffer("running_mean", mean)

# %% weight must start at 1
class BatchNorm2d(Norm):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        self.weight = uniform(num_features, bound=num_features**-0.5)

# %% has no buffer called num_batches_tracked
class BatchNorm2d(Norm):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        del self.num_batches_tracked

# %% changed its argument x in place
class BatchNorm2d(Norm):
    def normalise(self, x, mean, var):
        x -= mean[:, None, None]
        x /= (var + self.eps).sqrt()[:, None, None]
        return x * self.weight[:, None, None] + self.bias[:, None, None]

# %% this is the largest number of each channel
class AveragePool(nn.Module):
    def forward(self, x):
        return x.amax(dim=(2, 3))

# %% this is the sum; take the mean
class AveragePool(nn.Module):
    def forward(self, x):
        return x.sum(dim=(2, 3))

# %% the axes of height and width are still there, with length 1
class AveragePool(nn.Module):
    def forward(self, x):
        return x.mean(dim=(2, 3), keepdim=True)

# %% the mean is taken over the channels too
class AveragePool(nn.Module):
    def forward(self, x):
        return x.mean(dim=(1, 2, 3))

# %% the mean is taken over the channels; take it over height and width
class AveragePool(nn.Module):
    def forward(self, x):
        return x.mean(dim=1)

# %% the mean is taken over height alone
class AveragePool(nn.Module):
    def forward(self, x):
        return x.mean(dim=2)

# %% the mean is taken over everything
class AveragePool(nn.Module):
    def forward(self, x):
        return x.mean()

# %% view size is not compatible
class AveragePool(nn.Module):
    def forward(self, x):
        return x.view(*x.shape[:2], -1).mean(dim=-1)

# %% every value is 0.2449 times the expected one
class AveragePool(nn.Module):
    def forward(self, x):
        return x.sum(dim=(2, 3)) / 49

# %% the ReLU after the sum is missing
class ResidualBlock(ResidualBlock):
    def forward(self, x):
        return self.left(x) + self.right(x)

# %% the ReLU between the two convolutions is missing
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        conv1, norm1, _, conv2, norm2 = (self.left[i] for i in range(5))
        self.left = Sequential(conv1, norm1, conv2, norm2)

# %% the stride is on the second 3×3 convolution
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        self.left[0].stride, self.left[3].stride = 1, first_stride

# %% the right branch is not added
class ResidualBlock(ResidualBlock):
    def forward(self, x):
        return self.relu(self.left(x))

# %% the ReLU is applied to the left branch alone
class ResidualBlock(ResidualBlock):
    def forward(self, x):
        return self.relu(self.left(x)) + self.right(x)

# %% each branch gets a ReLU; apply one to the sum
class ResidualBlock(ResidualBlock):
    def forward(self, x):
        return self.relu(self.left(x)) + self.relu(self.right(x))

# %% where the shape stays, the right branch is nothing at all
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        self.right = Sequential(
            Conv2d(in_feats, out_feats, 1, stride=first_stride), BatchNorm2d(out_feats)
        )

# %% the 1×1 convolution of the right branch is missing
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        if first_stride == 1:
            self.right = Sequential()

# %% a batch norm is missing
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        if len(self.right):
            self.right = Conv2d(in_feats, out_feats, 1, stride=first_stride)

# %% the right branch comes first
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        left = self.left
        del self.left
        self.left = left

# %% a convolution has a bias; here they have none
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        self.left[0] = nn.Conv2d(in_feats, out_feats, 3, first_stride, 1)

# %% the two branches give different shapes
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        self.left[3].padding = 0

# %% the two branches give different shapes
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        if len(self.right):
            self.right[0].stride = 1

# %% a kernel of shape (3, 3, 3, 3) stands where (4, 3, 3, 3) is expected
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        self.left[0] = Conv2d(in_feats, in_feats, 3, first_stride, 1)
        self.left[1] = BatchNorm2d(in_feats)
        self.left[3] = Conv2d(in_feats, out_feats, 3, 1, 1)

# %% the same layer stands in two places
class ResidualBlock(ResidualBlock):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__(in_feats, out_feats, first_stride)
        self.left[4] = self.left[1]

# %% none comes back through the right branch
class ResidualBlock(ResidualBlock):
    def forward(self, x):
        return self.relu(self.left(x) + self.right(x.detach()))

# %% changed its argument x in place
class ResidualBlock(ResidualBlock):
    def forward(self, x):
        left, right = self.left(x), self.right(x)
        right += left
        return self.relu(right)

# %% the same block stands there several times
class BlockGroup(BlockGroup):
    def __init__(self, n_blocks, in_feats, out_feats, first_stride=1):
        super().__init__(n_blocks, in_feats, out_feats, first_stride)
        first = ResidualBlock(in_feats, out_feats, first_stride)
        self.blocks = Sequential(first, *[ResidualBlock(out_feats, out_feats)] * (n_blocks - 1))

# %% every block has the stride
class BlockGroup(BlockGroup):
    def __init__(self, n_blocks, in_feats, out_feats, first_stride=1):
        super().__init__(n_blocks, in_feats, out_feats, first_stride)
        blocks = [ResidualBlock(out_feats, out_feats, first_stride) for _ in range(n_blocks - 1)]
        self.blocks = Sequential(ResidualBlock(in_feats, out_feats, first_stride), *blocks)

# %% there is a block too many
class BlockGroup(BlockGroup):
    def __init__(self, n_blocks, in_feats, out_feats, first_stride=1):
        super().__init__(n_blocks + 1, in_feats, out_feats, first_stride)

# %% a block is missing
class BlockGroup(BlockGroup):
    def __init__(self, n_blocks, in_feats, out_feats, first_stride=1):
        super().__init__(n_blocks, in_feats, out_feats, first_stride)
        self.blocks = Sequential(ResidualBlock(in_feats, out_feats, first_stride))

# %% an input of side 8 gives
class BlockGroup(BlockGroup):
    def __init__(self, n_blocks, in_feats, out_feats, first_stride=1):
        super().__init__(n_blocks, in_feats, out_feats, first_stride)
        if in_feats != out_feats and first_stride != 1:
            self.blocks[0] = ResidualBlock(in_feats, out_feats)

# %% no block is found; a plain list is not looked into
class BlockGroup(nn.Module):
    def __init__(self, n_blocks, in_feats, out_feats, first_stride=1):
        super().__init__()
        self.blocks = [ResidualBlock(in_feats, out_feats, first_stride)]
        self.blocks += [ResidualBlock(out_feats, out_feats) for _ in range(n_blocks - 1)]

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x

# %% only the first block is run
class BlockGroup(BlockGroup):
    def forward(self, x):
        return self.blocks[0](x)

# %% the stride is on the last block; it belongs to the first
class BlockGroup(BlockGroup):
    def __init__(self, n_blocks, in_feats, out_feats, first_stride=1):
        super().__init__(n_blocks, in_feats, out_feats, first_stride)
        blocks = [ResidualBlock(out_feats, out_feats) for _ in range(n_blocks - 2)]
        last = ResidualBlock(out_feats, out_feats, first_stride)
        first = ResidualBlock(in_feats, out_feats, 1 if n_blocks > 1 else first_stride)
        self.blocks = Sequential(first, *blocks, *[last] * (n_blocks > 1))

# %% the input is added once more
class BlockGroup(BlockGroup):
    def forward(self, x):
        out = self.blocks(x)
        return out + x if out.shape == x.shape else out

# %% the ReLU after the first batch norm is missing
class ResNet34(ResNet34):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        conv, norm, _, pool = (self.in_layers[i] for i in range(4))
        self.in_layers = Sequential(conv, norm, pool)

# %% the max pooling of the first layers is missing
class ResNet34(ResNet34):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.in_layers[3] = Sequential()

# %% the first convolution has stride 1; it must be 2
class ResNet34(ResNet34):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.in_layers[0].stride = 1

# %% the max pooling has windows of 2
class ResNet34(ResNet34):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.in_layers[3] = MaxPool2d(2, stride=2)

# %% the max pooling has no padding; it must be 1
class ResNet34(ResNet34):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.in_layers[3] = MaxPool2d(3, stride=2)

# %% the max pooling has stride 3; it must be 2
class ResNet34(ResNet34):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.in_layers[3] = MaxPool2d(3, padding=1)

# %% there is a softmax at the end
class ResNet34(ResNet34):
    def forward(self, x):
        return super().forward(x).softmax(dim=-1)

# %% there is an activation at the end
class ResNet34(ResNet34):
    def forward(self, x):
        return super().forward(x).relu()

# %% the first convolution has padding 0; it must be 3
class ResNet34(ResNet34):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.in_layers[0].padding = 0

# %% first (64, 64, 3, 3) stands where (4, 64, 3, 3) is expected
class ResNet34(ResNet34):
    def __init__(
        self,
        n_blocks_per_group=(3, 4, 6, 3),
        out_features_per_group=(64, 128, 256, 512),
        first_strides_per_group=(1, 2, 2, 2),
        n_classes=1000,
    ):
        n = len(n_blocks_per_group)
        sizes = (64, 128, 256, 512)[:n]
        super().__init__(n_blocks_per_group, sizes, first_strides_per_group, n_classes)

# %% the last layer's weight has shape (1000, 6); it must be (5, 6)
class ResNet34(ResNet34):
    def __init__(self, *args, n_classes=1000, **kwargs):
        super().__init__(*args, **kwargs)

# %% out_layers[-1] is
class ResNet34(nn.Module):
    def __init__(
        self,
        n_blocks_per_group=(3, 4, 6, 3),
        out_features_per_group=(64, 128, 256, 512),
        first_strides_per_group=(1, 2, 2, 2),
        n_classes=1000,
    ):
        super().__init__()
        self.network = solutions_resnet(
            n_blocks_per_group, out_features_per_group, first_strides_per_group, n_classes
        )
        self.in_layers, self.residual_layers = Sequential(), Sequential()
        self.out_layers = Sequential(AveragePool())

    def forward(self, x):
        return self.network(x)

# %% the right tensors in another order
class ResNet34(ResNet34):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        residual, out = self.residual_layers, self.out_layers
        del self.residual_layers, self.out_layers
        self.out_layers, self.residual_layers = out, residual

# %% the last layer has no bias
class ResNet34(ResNet34):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        last = self.out_layers[-1]
        self.out_layers[-1] = Linear(last.in_features, last.out_features, bias=False)

# %% the first are the largest logits; give probabilities
def predict(model, images):
    model.eval()
    with torch.inference_mode():
        return model(images).max(dim=-1)

# %% softmax is taken over the batch
def predict(model, images):
    model.eval()
    with torch.inference_mode():
        return model(images).softmax(dim=0).max(dim=-1)

# %% the first are all the probabilities
def predict(model, images):
    model.eval()
    with torch.inference_mode():
        probs = model(images).softmax(dim=-1)
    return probs, probs.argmax(dim=-1)

# %% the classes come first
def predict(model, images):
    model.eval()
    with torch.inference_mode():
        probs, classes = model(images).softmax(dim=-1).max(dim=-1)
    return classes, probs

# %% put the model into evaluation mode first
def predict(model, images):
    with torch.inference_mode():
        return model(images).softmax(dim=-1).max(dim=-1)

# %% use torch.inference_mode()
def predict(model, images):
    return model.eval()(images).softmax(dim=-1).max(dim=-1)

# %% the first are the logarithms of the probabilities
def predict(model, images):
    model.eval()
    with torch.inference_mode():
        return model(images).log_softmax(dim=-1).max(dim=-1)

# %% sigmoid is no softmax
def predict(model, images):
    model.eval()
    with torch.inference_mode():
        return model(images).sigmoid().max(dim=-1)

# %% an axis of size 1 too many
def predict(model, images):
    model.eval()
    with torch.inference_mode():
        return tuple(model(images).softmax(dim=-1).topk(1))

# %% expected 2 values in a tuple
def predict(model, images):
    model.eval()
    with torch.inference_mode():
        return model(images).argmax(dim=-1)

# %% softmax is taken twice
def predict(model, images):
    model.eval()
    with torch.inference_mode():
        return model(images).softmax(dim=-1).softmax(dim=-1).max(dim=-1)


# %% look at all inputs
def find_first_nan(model, *inputs):
    found = []
    def hook_for(name):
        def hook(m, args, out):
            if out.isnan().any() and not args[-1].isnan().any():
                found.append(name)
        return hook
    handles = [m.register_forward_hook(hook_for(name)) for name, m in model.named_modules()]
    try:
        model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None

# %% it must be the module's name, a text
def find_first_nan(model, *inputs):
    found = []
    for module in model.modules():
        module.register_forward_hook(
            lambda m, args, out: found.append(m)
            if out.isnan().any() and not args[0].isnan().any() else None
        )
    model(*inputs)
    return found[0] if found else None

# %% a hook made in a loop sees the last name only
def find_first_nan(model, *inputs):
    found, handles = [], []
    for name, module in model.named_modules():
        def hook(m, args, out):
            if out.isnan().any() and not any(a.isnan().any() for a in args):
                found.append(name)
        handles.append(module.register_forward_hook(hook))
    model(*inputs)
    for handle in handles:
        handle.remove()
    return found[0] if found else None

# %% the NaN stands in the input already, and no module makes one
def find_first_nan(model, *inputs):
    return hunt(model, inputs, lambda args, output: output.isnan().any())

# %% the whole model is named; name the inner module
def find_first_nan(model, *inputs):
    return hunt(model, inputs, makes_nan, lambda found: found[-1] if found else None)

# %% second holds the module that is to blame; name the inner one
def find_first_nan(model, *inputs):
    return hunt(model, inputs, makes_nan, modules=lambda model: model.named_children())

# %% hooks stay on the model: remove each one
def find_first_nan(model, *inputs):
    return hunt(model, inputs, makes_nan, clean=lambda model, handles: None)

# %% a hook that was on the model before is gone
def find_first_nan(model, *inputs):
    return hunt(model, inputs, makes_nan, clean=lambda model, handles: model.apply(remove_hooks))

# %% hooks stay on the model where it raises an error
def find_first_nan(model, *inputs):
    found, handles = [], []

    def watch(name, module):
        def hook(module, args, output):
            if makes_nan(args, output):
                found.append(name)
        return module.register_forward_hook(hook)

    handles = [watch(name, module) for name, module in model.named_modules()]
    model(*inputs)
    for handle in handles:
        handle.remove()
    return found[0] if found else None

# %% a module that holds others can make a NaN itself
def find_first_nan(model, *inputs):
    leaves = lambda model: [
        (name, module) for name, module in model.named_modules() if not list(module.children())
    ]
    return hunt(model, inputs, makes_nan, modules=leaves)

# %% there is no NaN in this run; it must return None
def find_first_nan(model, *inputs):
    return hunt(model, inputs, makes_nan, lambda found: found[0] if found else "")

# %% note the name instead
def find_first_nan(model, *inputs):
    model.apply(add_hook)
    model(*inputs)
    model.apply(remove_hooks)

# %% freeze before you add it
def get_resnet_for_feature_extraction(n_classes):
    resnet = copy_weights(ResNet34(), pretrained_resnet34())
    resnet.out_layers[-1] = Linear(resnet.out_features_per_group[-1], n_classes)
    return resnet.requires_grad_(False)

# %% nothing is frozen
def get_resnet_for_feature_extraction(n_classes):
    resnet = copy_weights(ResNet34(), pretrained_resnet34())
    resnet.out_layers[-1] = Linear(resnet.out_features_per_group[-1], n_classes)
    return resnet.eval()

# %% is not the pretrained one
def get_resnet_for_feature_extraction(n_classes):
    resnet = ResNet34().requires_grad_(False)
    resnet.out_layers[-1] = Linear(resnet.out_features_per_group[-1], n_classes)
    return resnet

# %% the order of your layers differs
def get_resnet_for_feature_extraction(n_classes):
    return copy_weights(ResNet34(n_classes=n_classes), pretrained_resnet34())

# %% still require a gradient
def get_resnet_for_feature_extraction(n_classes):
    resnet = copy_weights(ResNet34(), pretrained_resnet34())
    resnet.residual_layers.requires_grad_(False)
    resnet.out_layers[-1] = Linear(resnet.out_features_per_group[-1], n_classes)
    return resnet

# %% the new layer holds rows of the old one
def get_resnet_for_feature_extraction(n_classes):
    resnet = copy_weights(ResNet34(), pretrained_resnet34()).requires_grad_(False)
    old, new = resnet.out_layers[-1], Linear(512, n_classes)
    new.weight = nn.Parameter(old.weight[:n_classes].clone())
    resnet.out_layers[-1] = new
    return resnet

# %% the new layer stands behind the old one
def get_resnet_for_feature_extraction(n_classes):
    resnet = copy_weights(ResNet34(), pretrained_resnet34()).requires_grad_(False)
    resnet.out_layers = Sequential(AveragePool(), resnet.out_layers[-1], Linear(1000, n_classes))
    return resnet

# %% running_mean is not the pretrained one
def get_resnet_for_feature_extraction(n_classes):
    resnet = ResNet34()
    for mine, theirs in zip(resnet.parameters(), pretrained_resnet34().parameters()):
        mine.data.copy_(theirs)
    resnet.requires_grad_(False)
    resnet.out_layers[-1] = Linear(512, n_classes)
    return resnet

# %% it must return the network
def get_resnet_for_feature_extraction(n_classes):
    resnet = copy_weights(ResNet34(), pretrained_resnet34()).requires_grad_(False)
    resnet.out_layers[-1] = Linear(512, n_classes)

# %% has shape (10, 512); it must be (7, 512)
def get_resnet_for_feature_extraction(n_classes):
    resnet = copy_weights(ResNet34(), pretrained_resnet34()).requires_grad_(False)
    resnet.out_layers[-1] = Linear(512, 10)
    return resnet

# %% call optimizer.zero_grad() each time
def train_resnet(args):
    model, train_loader, test_loader = prepared_resnet(args)
    optimizer = torch.optim.Adam(model.out_layers[-1].parameters(), lr=args.learning_rate)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.eval()
        for images, labels in train_loader:
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% frozen weights have changed; only the last layer may learn
def train_resnet(args):
    model, train_loader, test_loader = prepared_resnet(args)
    model.requires_grad_(True)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.eval()
        losses += [step(model, optimizer, *batch) for batch in train_loader]
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% the last layer has not changed
def train_resnet(args):
    model, train_loader, test_loader = prepared_resnet(args)
    optimizer = torch.optim.Adam(model.residual_layers.parameters(), lr=args.learning_rate)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.eval()
        losses += [step(model, optimizer, *batch) for batch in train_loader]
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% this is the accuracy on the training set
def train_resnet(args):
    model, train_loader, test_loader = prepared_resnet(args)
    optimizer = torch.optim.Adam(model.out_layers[-1].parameters(), lr=args.learning_rate)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.eval()
        losses += [step(model, optimizer, *batch) for batch in train_loader]
        accuracies.append(evaluate(model, train_loader))
    return losses, accuracies, model

# %% the optimizer never made a step
def train_resnet(args):
    model, train_loader, test_loader = prepared_resnet(args)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.eval()
        for images, labels in train_loader:
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            losses.append(loss.item())
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% losses holds 3 numbers for 3 epochs of 6 batches
def train_resnet(args):
    model, train_loader, test_loader = prepared_resnet(args)
    optimizer = torch.optim.Adam(model.out_layers[-1].parameters(), lr=args.learning_rate)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.eval()
        losses.append(sum(step(model, optimizer, *batch) for batch in train_loader) / 6)
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% learning_rate is not used
def train_resnet(args):
    model, train_loader, test_loader = prepared_resnet(args)
    optimizer = torch.optim.Adam(model.out_layers[-1].parameters())
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.eval()
        losses += [step(model, optimizer, *batch) for batch in train_loader]
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% none is filled in yet
def as_strided_arguments():
    return [None] * 9

# %% view 4 (the corner): size (2, 3) is right, stride (1, 5) not
def as_strided_arguments():
    return [((5,), (1,)), ((4,), (5,)), ((4,), (6,)), ((2, 3), (1, 5)), *[None] * 5]

# %% view 6 (the transpose): size (4, 5); it must be (5, 4)
def as_strided_arguments():
    return [*[None] * 5, ((4, 5), (1, 5)), *[None] * 3]

# %% it leaves the 20 numbers
def as_strided_arguments():
    return [None, ((4,), (5,)), ((4,), (6,)), None, ((2, 3), (10, 5)), *[None] * 4]

# %% there are 8 entries
def as_strided_arguments():
    return [((5,), (1,)), ((4,), (5,)), ((4,), (6,)), *[None] * 5]

# %% 3 of 9 are right so far; still None: 4, 5, 6, 7, 8, 9
def as_strided_arguments():
    return [((5,), (1,)), ((4,), (5,)), ((4,), (6,)), *[None] * 6]

# %% view 7 (three times the same row): size (3, 4) is right, stride (4, 1) not
def as_strided_arguments():
    return [*[None] * 6, ((3, 4), (4, 1)), None, None]

# %% view 8 (the windows of a row): size (3, 3) is right, stride (3, 1) not
def as_strided_arguments():
    return [*[None] * 7, ((3, 3), (3, 1)), None]

# %% view 9 (the windows of the picture): stride (5, 1) has 2 entries; it must have 4
def as_strided_arguments():
    return [*[None] * 8, ((3, 4, 2, 2), (5, 1))]

# %% view 1 (the first row): write size and stride as tuples, ((5,), (1,))
def as_strided_arguments():
    return [(5, 1), *[None] * 8]

# %% strides of a contiguous tensor are assumed
def as_strided_trace(mat):
    return mat.as_strided((len(mat),), (len(mat) + 1,)).sum()

# %% this is the sum of the first column
def as_strided_trace(mat):
    return mat.as_strided((len(mat),), (mat.stride(0),)).sum()

# %% this is the sum of the first row
def as_strided_trace(mat):
    return mat.as_strided((len(mat),), (mat.stride(1),)).sum()

# %% this is the diagonal; it must be summed
def as_strided_trace(mat):
    return mat.as_strided((len(mat),), (sum(mat.stride()),))

# %% the last element of the diagonal is missing
def as_strided_trace(mat):
    return mat.as_strided((max(len(mat) - 1, 0),), (sum(mat.stride()),)).sum()

# %% the values are floating-point (float32); they must be integer
def as_strided_trace(mat):
    return mat.float().as_strided((len(mat),), (len(mat) + 1,)).sum()

# %% this is the product of the diagonal
def as_strided_trace(mat):
    return mat.as_strided((len(mat),), (sum(mat.stride()),)).prod()

# %% strides of a contiguous tensor are assumed
def as_strided_mv(mat, vec):
    return (mat * vec.as_strided(mat.shape, (0, 1))).sum(dim=1)

# %% strides of a contiguous tensor are assumed
def as_strided_mv(mat, vec):
    mat = mat.as_strided(mat.shape, (mat.shape[1], 1))
    return (mat * vec.as_strided(mat.shape, (0, vec.stride(0)))).sum(dim=1)

# %% the sum goes over the rows
def as_strided_mv(mat, vec):
    return (mat * vec.as_strided(mat.shape, (0, vec.stride(0)))).sum(dim=0)

# %% the products are not summed
def as_strided_mv(mat, vec):
    return mat * vec.as_strided(mat.shape, (0, vec.stride(0)))

# %% an axis of size 1 too many
def as_strided_mv(mat, vec):
    return (mat * vec.as_strided(mat.shape, (0, vec.stride(0)))).sum(dim=1, keepdim=True)

# %% everything was reduced to one number
def as_strided_mv(mat, vec):
    return (mat * vec.as_strided(mat.shape, (0, vec.stride(0)))).sum()

# %% only the first element of the vector is used
def as_strided_mv(mat, vec):
    return (mat * vec.as_strided(mat.shape, (0, 0))).sum(dim=1)

# %% strides of a contiguous tensor are assumed
def as_strided_mm(matA, matB):
    (i, j), k = matA.shape, matB.shape[1]
    a, b = matA.as_strided((i, j, k), (j, 1, 0)), matB.as_strided((i, j, k), (0, k, 1))
    return (a * b).sum(dim=1)

# %% strides of a contiguous tensor are assumed
def as_strided_mm(matA, matB):
    size = (*matA.shape, matB.shape[1])
    a = matA.as_strided(size, (*matA.stride(), 0))
    return (a * matB.as_strided(size, (0, matB.shape[1], 1))).sum(dim=1)

# %% the products are not summed
def as_strided_mm(matA, matB):
    size = (*matA.shape, matB.shape[1])
    return matA.as_strided(size, (*matA.stride(), 0)) * matB.as_strided(size, (0, *matB.stride()))

# %% the sum goes over another axis
def as_strided_mm(matA, matB):
    size = (*matA.shape, matB.shape[1])
    a, b = matA.as_strided(size, (*matA.stride(), 0)), matB.as_strided(size, (0, *matB.stride()))
    return (a * b).sum(dim=-1)

# %% (the axes are swapped)
def as_strided_mm(matA, matB):
    size = (*matA.shape, matB.shape[1])
    a, b = matA.as_strided(size, (*matA.stride(), 0)), matB.as_strided(size, (0, *matB.stride()))
    return (a * b).sum(dim=1).T.contiguous()

# %% as_strided leaves the memory of its tensor
def as_strided_mm(matA, matB):
    size = (*matA.shape, matB.shape[1])
    a = matA.as_strided(size, (*matA.stride(), 0))
    return (a * matB.as_strided(size, (0, *matB.stride()[::-1]))).sum(dim=1)

# %% only the first column of the second matrix is used
def as_strided_mm(matA, matB):
    size = (*matA.shape, matB.shape[1])
    a = matA.as_strided(size, (*matA.stride(), 0))
    return (a * matB.as_strided(size, (0, matB.stride(0), 0))).sum(dim=1)

# %% the kernel is turned round
def conv1d_minimal_simple(x, weights):
    n, k = len(x), len(weights)
    return x.as_strided((n - k + 1, k), (x.stride(0), x.stride(0))) @ weights.flip(0)

# %% the windows do not overlap
def conv1d_minimal_simple(x, weights):
    k, step = len(weights), x.stride(0)
    return x.as_strided((len(x) // k, k), (k * step, step)) @ weights

# %% the last window is missing
def conv1d_minimal_simple(x, weights):
    n, k = len(x), len(weights)
    return x.as_strided((n - k, k), (x.stride(0), x.stride(0))) @ weights

# %% strides of a contiguous tensor are assumed
def conv1d_minimal_simple(x, weights):
    n, k = len(x), len(weights)
    return x.as_strided((n - k + 1, k), (1, 1)) @ weights

# %% this is the sum of each window
def conv1d_minimal_simple(x, weights):
    n, k = len(x), len(weights)
    return x.as_strided((n - k + 1, k), (x.stride(0), x.stride(0))).sum(dim=1)

# %% everything was reduced to one number
def conv1d_minimal_simple(x, weights):
    n, k = len(x), len(weights)
    return (x.as_strided((n - k + 1, k), (x.stride(0), x.stride(0))) * weights).sum()

# %% the products are not summed
def conv1d_minimal_simple(x, weights):
    n, k = len(x), len(weights)
    return x.as_strided((n - k + 1, k), (x.stride(0), x.stride(0))) * weights

# %% there are as many windows as numbers
def conv1d_minimal_simple(x, weights):
    x = F.pad(x, (0, len(weights) - 1))
    return x.unfold(0, len(weights), 1) @ weights

# %% strides of a contiguous tensor are assumed
def conv1d_minimal(x, weights):
    windows = windows1d(x, weights.shape[2], steps=steps_of(x.shape))
    return einsum(windows, weights, "b ic ow kw, oc ic kw -> b oc ow")

# %% the kernel is turned round
def conv1d_minimal(x, weights):
    windows = windows1d(x, weights.shape[2])
    return einsum(windows, weights.flip(2), "b ic ow kw, oc ic kw -> b oc ow")

# %% the last window is missing
def conv1d_minimal(x, weights):
    windows = windows1d(x, weights.shape[2], n=x.shape[2] - weights.shape[2])
    return einsum(windows, weights, "b ic ow kw, oc ic kw -> b oc ow")

# %% out_channels comes before the batch
def conv1d_minimal(x, weights):
    windows = windows1d(x, weights.shape[2])
    return einsum(windows, weights, "b ic ow kw, oc ic kw -> oc b ow")

# %% the channels come last; they must come after the batch
def conv1d_minimal(x, weights):
    windows = windows1d(x, weights.shape[2])
    return einsum(windows, weights, "b ic ow kw, oc ic kw -> b ow oc")

# %% only the first of the input channels is used
def conv1d_minimal(x, weights):
    windows = windows1d(x, weights.shape[2])
    return einsum(windows[:, 0], weights[:, 0], "b ow kw, oc kw -> b oc ow")

# %% every input channel gets the same kernel
def conv1d_minimal(x, weights):
    windows = windows1d(x, weights.shape[2])
    return einsum(windows, weights[:, 0], "b ic ow kw, oc kw -> b oc ow")

# %% the last window is missing
def conv2d_minimal(x, weights):
    windows = windows2d(x, weights.shape[2:])[:, :, :-1, :-1]
    return einsum(windows, weights, "b ic oh ow kh kw, oc ic kh kw -> b oc oh ow")

# %% strides of a contiguous tensor are assumed
def conv2d_minimal(x, weights):
    windows = windows2d(x, weights.shape[2:], steps=steps_of(x.shape))
    return einsum(windows, weights, "b ic oh ow kh kw, oc ic kh kw -> b oc oh ow")

# %% the kernel is turned round
def conv2d_minimal(x, weights):
    windows = windows2d(x, weights.shape[2:])
    return einsum(windows, weights.flip(2, 3), "b ic oh ow kh kw, oc ic kh kw -> b oc oh ow")

# %% height and width are swapped in the kernel
def conv2d_minimal(x, weights):
    k_w, k_h = weights.shape[2:]
    windows = windows2d(x, (k_h, k_w))
    return einsum(windows, weights, "b ic oh ow kh kw, oc ic kw kh -> b oc oh ow")

# %% height and width of the result are swapped
def conv2d_minimal(x, weights):
    windows = windows2d(x, weights.shape[2:])
    return einsum(windows, weights, "b ic oh ow kh kw, oc ic kh kw -> b oc ow oh")

# %% every input channel gets the same kernel
def conv2d_minimal(x, weights):
    windows = windows2d(x, weights.shape[2:])
    return einsum(windows, weights[:, 0], "b ic oh ow kh kw, oc kh kw -> b oc oh ow")

# %% out_channels comes before the batch
def conv2d_minimal(x, weights):
    windows = windows2d(x, weights.shape[2:])
    return einsum(windows, weights, "b ic oh ow kh kw, oc ic kh kw -> oc b oh ow")

# %% pad_value is not used
def pad1d(x, left, right, pad_value):
    out = x.new_zeros(*x.shape[:2], left + x.shape[2] + right)
    out[..., left : left + x.shape[2]] = x
    return out

# %% left and right (or top and bottom) are swapped
def pad1d(x, left, right, pad_value):
    out = x.new_full((*x.shape[:2], left + x.shape[2] + right), pad_value)
    out[..., right : right + x.shape[2]] = x
    return out

# %% where the padding is 0, a slice such as left:-right is empty
def pad1d(x, left, right, pad_value):
    out = x.new_full((*x.shape[:2], left + x.shape[2] + right), pad_value)
    out[..., left:-right] = x
    return out

# %% make it like x, by x.new_full
def pad1d(x, left, right, pad_value):
    out = torch.full((*x.shape[:2], left + x.shape[2] + right), float(pad_value))
    out[..., left : left + x.shape[2]] = x
    return out

# %% an input of more than one row fails
def pad1d(x, left, right, pad_value):
    ends = [x.new_full((1, 1, n), pad_value) for n in (left, right)]
    return torch.cat([ends[0], x, ends[1]], dim=2)

# %% only one side is padded
def pad1d(x, left, right, pad_value):
    out = x.new_full((*x.shape[:2], left + x.shape[2]), pad_value)
    out[..., left:] = x
    return out

# %% width is padded by top and bottom, height by left and right
def pad2d(x, left, right, top, bottom, pad_value):
    b, c, h, w = x.shape
    out = x.new_full((b, c, left + h + right, top + w + bottom), pad_value)
    out[..., left : left + h, top : top + w] = x
    return out

# %% left and right (or top and bottom) are swapped
def pad2d(x, left, right, top, bottom, pad_value):
    b, c, h, w = x.shape
    out = x.new_full((b, c, top + h + bottom, left + w + right), pad_value)
    out[..., bottom : bottom + h, right : right + w] = x
    return out

# %% the height is not padded
def pad2d(x, left, right, top, bottom, pad_value):
    b, c, h, w = x.shape
    out = x.new_full((b, c, h, left + w + right), pad_value)
    out[..., left : left + w] = x
    return out

# %% pad_value is not used
def pad2d(x, left, right, top, bottom, pad_value):
    b, c, h, w = x.shape
    out = x.new_zeros(b, c, top + h + bottom, left + w + right)
    out[..., top : top + h, left : left + w] = x
    return out

# %% where the padding is 0, a slice such as left:-right is empty
def pad2d(x, left, right, top, bottom, pad_value):
    b, c, h, w = x.shape
    out = x.new_full((b, c, top + h + bottom, left + w + right), pad_value)
    out[..., top:-bottom, left:-right] = x
    return out

# %% the stride is not used
def conv1d(x, weights, stride=1, padding=0):
    windows = windows1d(pad1d(x, padding, padding, 0.0), weights.shape[2])
    return einsum(windows, weights, "b ic ow kw, oc ic kw -> b oc ow")

# %% the padding is not used
def conv1d(x, weights, stride=1, padding=0):
    windows = windows1d(x, weights.shape[2], stride)
    return einsum(windows, weights, "b ic ow kw, oc ic kw -> b oc ow")

# %% are both sides padded
def conv1d(x, weights, stride=1, padding=0):
    windows = windows1d(pad1d(x, padding, 0, 0.0), weights.shape[2], stride)
    return einsum(windows, weights, "b ic ow kw, oc ic kw -> b oc ow")

# %% the stride is applied inside the windows
def conv1d(x, weights, stride=1, padding=0):
    x = pad1d(x, padding, padding, 0.0)
    (b, c, w), k = x.stride(), weights.shape[2]
    n = (x.shape[2] - k) // stride + 1
    windows = x.as_strided((*x.shape[:2], n, k), (b, c, w, stride * w))
    return einsum(windows, weights, "b ic ow kw, oc ic kw -> b oc ow")

# %% strides of x before it was padded are used
def conv1d(x, weights, stride=1, padding=0):
    steps, x = x.stride(), pad1d(x, padding, padding, 0.0)
    windows = windows1d(x, weights.shape[2], stride, steps=steps)
    return einsum(windows, weights, "b ic ow kw, oc ic kw -> b oc ow")

# %% the kernel is turned round
def conv1d(x, weights, stride=1, padding=0):
    windows = windows1d(pad1d(x, padding, padding, 0.0), weights.shape[2], stride)
    return einsum(windows, weights.flip(2), "b ic ow kw, oc ic kw -> b oc ow")

# %% padded with something else than zeros
def conv1d(x, weights, stride=1, padding=0):
    windows = windows1d(pad1d(x, padding, padding, -math.inf), weights.shape[2], stride)
    return einsum(windows, weights, "b ic ow kw, oc ic kw -> b oc ow")

# %% the last window is missing
def conv1d(x, weights, stride=1, padding=0):
    x, k = pad1d(x, padding, padding, 0.0), weights.shape[2]
    windows = windows1d(x, k, stride, n=(x.shape[2] - k) // stride)
    return einsum(windows, weights, "b ic ow kw, oc ic kw -> b oc ow")

# %% the last window is missing
def conv1d(x, weights, stride=1, padding=0):
    x, k = pad1d(x, padding, padding, 0.0), weights.shape[2]
    windows = windows1d(x, k, stride, n=(x.shape[2] - k + 1) // stride)
    return einsum(windows, weights, "b ic ow kw, oc ic kw -> b oc ow")

# %% height and width are swapped in a pair; it is (height, width)
def conv2d(x, weights, stride=1, padding=0):
    (s_w, s_h), (p_w, p_h) = force_pair(stride), force_pair(padding)
    windows = windows2d(pad2d(x, p_w, p_w, p_h, p_h, 0.0), weights.shape[2:], (s_h, s_w))
    return einsum(windows, weights, "b ic oh ow kh kw, oc ic kh kw -> b oc oh ow")

# %% height and width are swapped in the padding
def conv2d(x, weights, stride=1, padding=0):
    stride, (p_h, p_w) = force_pair(stride), force_pair(padding)
    windows = windows2d(pad2d(x, p_h, p_h, p_w, p_w, 0.0), weights.shape[2:], stride)
    return einsum(windows, weights, "b ic oh ow kh kw, oc ic kh kw -> b oc oh ow")

# %% the padding is not used
def conv2d(x, weights, stride=1, padding=0):
    windows = windows2d(x, weights.shape[2:], force_pair(stride))
    return einsum(windows, weights, "b ic oh ow kh kw, oc ic kh kw -> b oc oh ow")

# %% the stride is not used
def conv2d(x, weights, stride=1, padding=0):
    p_h, p_w = force_pair(padding)
    windows = windows2d(pad2d(x, p_w, p_w, p_h, p_h, 0.0), weights.shape[2:])
    return einsum(windows, weights, "b ic oh ow kh kw, oc ic kh kw -> b oc oh ow")

# %% the kernel is turned round
def conv2d(x, weights, stride=1, padding=0):
    p_h, p_w = force_pair(padding)
    x = pad2d(x, p_w, p_w, p_h, p_h, 0.0)
    windows = windows2d(x, weights.shape[2:], force_pair(stride))
    return einsum(windows, weights.flip(2, 3), "b ic oh ow kh kw, oc ic kh kw -> b oc oh ow")

# %% cannot unpack non-iterable int object
def conv2d(x, weights, stride=1, padding=0):
    (s_h, s_w), (p_h, p_w) = stride, padding
    windows = windows2d(pad2d(x, p_w, p_w, p_h, p_h, 0.0), weights.shape[2:], (s_h, s_w))
    return einsum(windows, weights, "b ic oh ow kh kw, oc ic kh kw -> b oc oh ow")

# %% strides of x before it was padded are used
def conv2d(x, weights, stride=1, padding=0):
    (p_h, p_w), steps = force_pair(padding), x.stride()
    x = pad2d(x, p_w, p_w, p_h, p_h, 0.0)
    windows = windows2d(x, weights.shape[2:], force_pair(stride), steps)
    return einsum(windows, weights, "b ic oh ow kh kw, oc ic kh kw -> b oc oh ow")

# %% padded with zeros, which win over negative numbers
def maxpool2d(x, kernel_size, stride=None, padding=0):
    (p_h, p_w), kernel = force_pair(padding), force_pair(kernel_size)
    x = pad2d(x, p_w, p_w, p_h, p_h, 0.0)
    stride = force_pair(kernel_size if stride is None else stride)
    return windows2d(x, kernel, stride).amax(dim=(-2, -1))

my_maxpool2d = maxpool2d

# %% with stride None, windows lie side by side
def maxpool2d(x, kernel_size, stride=None, padding=0):
    (p_h, p_w), kernel = force_pair(padding), force_pair(kernel_size)
    x = pad2d(x, p_w, p_w, p_h, p_h, -math.inf)
    return windows2d(x, kernel, force_pair(stride or 1)).amax(dim=(-2, -1))

my_maxpool2d = maxpool2d

# %% the padding is not used
def maxpool2d(x, kernel_size, stride=None, padding=0):
    stride = force_pair(kernel_size if stride is None else stride)
    return windows2d(x, force_pair(kernel_size), stride).amax(dim=(-2, -1))

my_maxpool2d = maxpool2d

# %% height and width are swapped
def maxpool2d(x, kernel_size, stride=None, padding=0):
    p_w, p_h = force_pair(padding)
    x = pad2d(x, p_w, p_w, p_h, p_h, -math.inf)
    stride = force_pair(kernel_size if stride is None else stride)[::-1]
    return windows2d(x, force_pair(kernel_size)[::-1], stride).amax(dim=(-2, -1))

my_maxpool2d = maxpool2d

# %% this is the mean of each window
def maxpool2d(x, kernel_size, stride=None, padding=0):
    p_h, p_w = force_pair(padding)
    x = pad2d(x, p_w, p_w, p_h, p_h, 0.0)
    stride = force_pair(kernel_size if stride is None else stride)
    return windows2d(x, force_pair(kernel_size), stride).mean(dim=(-2, -1))

my_maxpool2d = maxpool2d

# %% the stride is not used
def maxpool2d(x, kernel_size, stride=None, padding=0):
    (p_h, p_w), kernel = force_pair(padding), force_pair(kernel_size)
    x = pad2d(x, p_w, p_w, p_h, p_h, -math.inf)
    return windows2d(x, kernel, kernel).amax(dim=(-2, -1))

my_maxpool2d = maxpool2d

# %% the maximum is taken over one axis of the window
def maxpool2d(x, kernel_size, stride=None, padding=0):
    (p_h, p_w), kernel = force_pair(padding), force_pair(kernel_size)
    x = pad2d(x, p_w, p_w, p_h, p_h, -math.inf)
    stride = force_pair(kernel_size if stride is None else stride)
    return windows2d(x, kernel, stride).amax(dim=-1)

my_maxpool2d = maxpool2d

# %% Module [AveragePool] is missing the required "forward" function
class AveragePool(nn.Module):
    def foward(self, x):
        return x.mean(dim=(2, 3))

# %% begin __init__ with super().__init__()
class Linear(nn.Module):
    def __init__(self, in_features, out_features, bias=True):
        self.weight = nn.Parameter(torch.rand(out_features, in_features))
        self.bias = None

    def forward(self, x):
        return x @ self.weight.T
