"""Right answers to 0.2 in other styles: loops, einsum, torch's own functions, other names."""

import contextlib

import numpy as np


# %% clamp
class ReLU(nn.Module):
    def forward(self, x):
        return x.clamp(min=0)

# %% times a mask
class ReLU(nn.Module):
    def forward(self, x):
        return x * (x > 0)

# %% where
class ReLU(nn.Module):
    def forward(self, x):
        return torch.where(x > 0, x, 0)

# %% half of x and |x|
class ReLU(nn.Module):
    def forward(self, x):
        return (x + abs(x)) / 2

# %% a method and rand
class Linear(nn.Module):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.sizes, scale = (in_features, out_features), 1 / np.sqrt(in_features)
        self.weight = nn.Parameter((2 * torch.rand(out_features, in_features) - 1) * scale)
        if bias:
            self.bias = nn.Parameter((2 * torch.rand(out_features) - 1) * scale)
        else:
            self.register_parameter("bias", None)

    def forward(self, x):
        out = einsum(x, self.weight, "... i, o i -> ... o")
        if self.bias is not None:
            out += self.bias
        return out

    def extra_repr(self):
        return f"{self.sizes[0]} -> {self.sizes[1]}"

# %% torch's function, nn.init
class Linear(nn.Module):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        bound = 1 / in_features**0.5
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None
        self.weight = nn.Parameter(torch.zeros(out_features, in_features))
        for value in self.parameters():
            nn.init.uniform_(value, -bound, bound)

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self):
        return " to ".join(map(str, self.weight.shape))

# %% transposes twice
class Linear(Linear):
    def forward(self, x):
        out = (self.weight @ x.unsqueeze(-1)).squeeze(-1)
        return out + (0 if self.bias is None else self.bias)

# %% minus one
class Flatten(Flatten):
    def forward(self, input):
        start = self.start_dim if self.start_dim >= 0 else input.ndim + self.start_dim
        end = self.end_dim if self.end_dim >= 0 else input.ndim + self.end_dim
        return input.reshape(*input.shape[:start], -1, *input.shape[end + 1 :])

# %% a loop over the axes
class Flatten(Flatten):
    def forward(self, input):
        shape = [1]
        for axis, n in enumerate(input.shape):
            if self.start_dim % input.ndim < axis <= self.end_dim % input.ndim:
                shape[-1] *= n
            else:
                shape.append(n)
        return input.contiguous().view(shape[1:])

# %% torch's
class Flatten(Flatten):
    def forward(self, input):
        return torch.flatten(input, self.start_dim, self.end_dim)

# %% a Sequential
class SimpleMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = Sequential(Flatten(), Linear(784, 100), ReLU(), Linear(100, 10))

    def forward(self, x):
        return self.layers(x)

# %% other names, functions
class SimpleMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.out, self.hidden = Linear(100, 10), Linear(784, 100)

    def forward(self, x):
        return self.out(F.relu(self.hidden(x.reshape(len(x), -1))))

# %% from a seed of its own
class SimpleMLP(SimpleMLP):
    def __init__(self):
        torch.manual_seed(183)
        super().__init__()

# %% torch's layers in a list
class SimpleMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(784, 100), nn.Linear(100, 10)])

    def forward(self, x):
        first, second = self.layers
        return second(first(x.flatten(1)).relu())

# %% a tensor
def evaluate(model, loader):
    model.eval()
    with torch.no_grad():
        right = [model(images).argmax(1) == labels for images, labels in loader]
    return torch.cat(right).float().mean()

# %% a decorator, topk
@torch.inference_mode()
def evaluate(model, loader):
    model.train(False)
    n_right, n_seen = torch.tensor(0), 0
    for images, labels in loader:
        n_right += (model(images).topk(1).indices.squeeze(-1) == labels).sum()
        n_seen += labels.numel()
    return float(n_right / n_seen)

# %% and back to the mode before
def evaluate(model, loader):
    before = model.training
    model.eval()
    counts = []
    with torch.inference_mode():
        for images, labels in loader:
            counts.append((sum(a == b for a, b in zip(model(images).argmax(-1), labels)), len(labels)))
    model.train(before)
    return float(sum(a for a, _ in counts)) / sum(b for _, b in counts)

# %% zero_grad after the step
def train(args):
    device = pick_device()
    model = SimpleMLP().to(device)
    trainset, testset = get_mnist(args.trainset_size, args.testset_size)
    train_loader = Batches(trainset.to(device), args.batch_size, shuffle=True)
    test_loader = Batches(testset.to(device), batch_size=1_000)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate)
    losses, accuracies = [], []
    for epoch in range(args.epochs):
        model.train()
        for images, labels in tqdm(train_loader):
            loss = nn.CrossEntropyLoss()(model(images), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.detach())
        accuracies.append(evaluate(model, test_loader))
    return losses, accuracies, model

# %% the loss by hand, the mode per batch
def train(args):
    model = SimpleMLP()
    trainset, testset = get_mnist(args.trainset_size, args.testset_size)
    test_loader = Batches(testset, batch_size=1_000)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate)
    losses, accuracies = [], []
    for epoch in range(args.epochs):
        for images, labels in Batches(trainset, args.batch_size, shuffle=True):
            model.train()
            model.zero_grad()
            log_probs = model(images).log_softmax(dim=-1)
            loss = -log_probs[torch.arange(len(labels)), labels].mean()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        accuracies.append(torch.tensor(evaluate(model, test_loader)))
    return losses, accuracies, model

# %% rand, keywords
class Conv2d(Conv2d):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        scale = 1 / math.sqrt(in_channels * kernel_size * kernel_size)
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        self.weight = nn.Parameter(scale * (torch.rand(shape) * 2 - 1))

    def forward(self, x):
        return F.conv2d(x, self.weight, None, self.stride, self.padding)

# %% by unfolding
class Conv2d(Conv2d):
    def forward(self, x):
        k = self.weight.shape[-1]
        columns = F.unfold(x, k, padding=self.padding, stride=self.stride)
        height = (x.shape[2] + 2 * self.padding - k) // self.stride + 1
        out = self.weight.flatten(1) @ columns
        return out.reshape(len(x), len(self.weight), height, -1)

    def extra_repr(self):
        keys = ["in_channels", "out_channels", "kernel_size", "stride", "padding"]
        return ", ".join([f"{key}={getattr(self, key)}" for key in keys])

# %% torch's default
class MaxPool2d(MaxPool2d):
    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__(kernel_size, stride, padding)
        self.stride = stride

# %% a module inside
class MaxPool2d(MaxPool2d):
    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__(kernel_size, stride, padding)
        self.pool = nn.MaxPool2d(kernel_size, kernel_size if stride is None else stride, padding)

    def forward(self, x):
        return self.pool(x)

# %% unfold
class MaxPool2d(MaxPool2d):
    def forward(self, x):
        padded = F.pad(x, (self.padding,) * 4, value=-math.inf)
        windows = padded.unfold(2, self.kernel_size, self.stride)
        return windows.unfold(3, self.kernel_size, self.stride).amax((-2, -1))

# %% keepdim, assigned buffers
class BatchNorm2d(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.long))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.weight = nn.Parameter(torch.ones(num_features))
        self._parameters["bias"] = self._parameters.pop("bias")

    def forward(self, x):
        shape = (1, -1, 1, 1)
        if self.training:
            mean = x.mean(dim=(0, 2, 3), keepdim=True)
            var = ((x - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
            with torch.no_grad():
                n, m = x.numel() / x.shape[1], self.momentum
                self.running_mean = (1 - m) * self.running_mean + m * mean.flatten()
                self.running_var = (1 - m) * self.running_var + m * var.flatten() * n / (n - 1)
                self.num_batches_tracked = self.num_batches_tracked + 1
        else:
            mean, var = self.running_mean.view(shape), self.running_var.view(shape)
        x = (x - mean) * torch.rsqrt(var + self.eps)
        return x * self.weight.view(shape) + self.bias.view(shape)

# %% torch's function
class BatchNorm2d(BatchNorm2d):
    def forward(self, x):
        if self.training:
            self.num_batches_tracked.add_(1)
        statistics = self.running_mean, self.running_var
        return F.batch_norm(
            x, *statistics, self.weight, self.bias, self.training, self.momentum, self.eps
        )

# %% channel by channel
class BatchNorm2d(BatchNorm2d):
    def forward(self, x):
        self.num_batches_tracked += int(self.training)
        out = []
        for c in range(x.shape[1]):
            channel, mean, var = x[:, c], self.running_mean[c].clone(), self.running_var[c].clone()
            if self.training:
                mean, var = channel.mean(), channel.var(unbiased=False)
                with torch.no_grad():
                    self.running_mean[c] += self.momentum * (mean - self.running_mean[c])
                    self.running_var[c] += self.momentum * (channel.var() - self.running_var[c])
            normed = (channel - mean) / (var + self.eps) ** 0.5
            out.append(self.weight[c] * normed + self.bias[c])
        return torch.stack(out, dim=1)

# %% flattened
class AveragePool(nn.Module):
    def forward(self, x):
        return x.flatten(start_dim=2).mean(-1)

# %% sum, two means
class AveragePool(nn.Module):
    def forward(self, x):
        return x.sum((-1, -2)) / (x.shape[-1] * x.shape[-2])

# %% torch's
class AveragePool(nn.Module):
    def forward(self, x):
        return F.adaptive_avg_pool2d(x, 1)[..., 0, 0]

# %% other names, no ReLU modules
class ResidualBlock(nn.Module):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__()
        self.conv1 = Conv2d(in_feats, out_feats, 3, first_stride, 1)
        self.bn1 = BatchNorm2d(out_feats)
        self.conv2 = Conv2d(out_feats, out_feats, 3, 1, 1)
        self.bn2 = BatchNorm2d(out_feats)
        self.downsample = None
        if in_feats != out_feats or first_stride > 1:
            self.downsample = nn.Sequential(
                Conv2d(in_feats, out_feats, 1, first_stride), BatchNorm2d(out_feats)
            )

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        x = x if self.downsample is None else self.downsample(x)
        return F.relu(x + out)

# %% Identity, torch's layers
class ResidualBlock(nn.Module):
    def __init__(self, in_feats, out_feats, first_stride=1):
        super().__init__()
        conv = {"bias": False, "padding": 1}
        self.left = nn.Sequential(
            nn.Conv2d(in_feats, out_feats, 3, stride=first_stride, **conv),
            nn.BatchNorm2d(out_feats),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_feats, out_feats, 3, **conv),
            nn.BatchNorm2d(out_feats),
        )
        same = first_stride == 1 and in_feats == out_feats
        self.right = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(in_feats, out_feats, 1, stride=first_stride, bias=False),
            nn.BatchNorm2d(out_feats),
        )

    def forward(self, x):
        out = self.left(x)
        out += self.right(x)
        return out.relu_()

# %% the blocks in a ModuleList
class BlockGroup(nn.Module):
    def __init__(self, n_blocks, in_feats, out_feats, first_stride=1):
        super().__init__()
        self.layers = nn.ModuleList()
        for i in range(n_blocks):
            settings = (in_feats, out_feats, first_stride) if i == 0 else (out_feats, out_feats)
            self.layers.append(ResidualBlock(*settings))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

# %% a Sequential
class BlockGroup(nn.Sequential):
    def __init__(self, n_blocks, in_feats, out_feats, first_stride=1):
        sizes = [in_feats] + [out_feats] * n_blocks
        strides = [first_stride] + [1] * (n_blocks - 1)
        super().__init__(*(ResidualBlock(*s) for s in zip(sizes, sizes[1:], strides)))

# %% torch's Sequential, functions
class ResNet34(nn.Module):
    def __init__(
        self,
        n_blocks_per_group=[3, 4, 6, 3],
        out_features_per_group=[64, 128, 256, 512],
        first_strides_per_group=[1, 2, 2, 2],
        n_classes=1000,
    ):
        super().__init__()
        self.out_features_per_group = out_features_per_group
        self.in_layers = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        self.residual_layers = nn.Sequential()
        n_in = 64
        for n_blocks, n_out, stride in zip(
            n_blocks_per_group, out_features_per_group, first_strides_per_group
        ):
            self.residual_layers.append(BlockGroup(n_blocks, n_in, n_out, stride))
            n_in = n_out
        self.out_layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n_in, n_classes)
        )

    def forward(self, x):
        for layers in (self.in_layers, self.residual_layers, self.out_layers):
            x = layers(x)
        return x

# %% lists sliced
class ResNet34(nn.Module):
    def __init__(
        self,
        n_blocks_per_group=(3, 4, 6, 3),
        out_features_per_group=(64, 128, 256, 512),
        first_strides_per_group=(1, 2, 2, 2),
        n_classes=1000,
    ):
        super().__init__()
        self.out_features_per_group = out_features_per_group
        self.in_layers = Sequential(
            Conv2d(3, 64, 7, 2, 3), BatchNorm2d(64), ReLU(), MaxPool2d(3, 2, 1)
        )
        ins, outs = [64, *out_features_per_group][:-1], out_features_per_group
        self.residual_layers = Sequential(
            *map(BlockGroup, n_blocks_per_group, ins, outs, first_strides_per_group)
        )
        self.out_layers = Sequential(AveragePool(), Linear(outs[-1], n_classes))

    def forward(self, x):
        x = self.residual_layers(self.in_layers(x))
        for i in range(len(self.out_layers)):
            x = self.out_layers[i](x)
        return x

# %% gather
@torch.no_grad()
def predict(model, images):
    logits = model.eval()(images)
    classes = logits.argmax(dim=-1)
    probs = logits.exp() / logits.exp().sum(dim=-1, keepdim=True)
    return probs.gather(1, classes[:, None]).squeeze(1), classes

# %% torch's pair
def predict(model, images):
    model.eval()
    with torch.inference_mode():
        return F.softmax(model(images), dim=1).max(dim=1)

# %% one picture at a time
def predict(model, images):
    model.train(False)
    with torch.no_grad():
        pairs = [torch.softmax(model(image[None])[0], 0).max(0) for image in images]
    return torch.stack([p for p, _ in pairs]), torch.stack([c for _, c in pairs])

# %% default arguments
def find_first_nan(model, *inputs):
    found, handles = [], []
    for name, module in model.named_modules():
        def hook(m, args, out, name=name):
            if torch.isnan(out).any() and not any(torch.isnan(arg).any() for arg in args):
                found.append(name)
        handles.append(module.register_forward_hook(hook))
    try:
        model(*inputs)
    finally:
        [handle.remove() for handle in handles]
    return next(iter(found), None)

# %% names in a dict, one hook
def find_first_nan(model, *inputs):
    names = {module: name for name, module in model.named_modules()}
    first = None

    def hook(module, args, out):
        nonlocal first
        if first is None and out.isnan().any() and not any(a.isnan().any() for a in args):
            first = names[module]

    with contextlib.ExitStack() as stack:
        for module in names:
            stack.callback(module.register_forward_hook(hook).remove)
        model(*inputs)
    return first

# %% a loop over parameters
def get_resnet_for_feature_extraction(n_classes):
    resnet = ResNet34()
    copy_weights(resnet, pretrained_resnet34())
    for parameter in resnet.parameters():
        parameter.requires_grad = False
    resnet.out_layers[1] = nn.Linear(512, n_classes)
    return resnet

# %% the weights by a state dict
def get_resnet_for_feature_extraction(n_classes):
    resnet = ResNet34(n_classes=n_classes)
    values = list(pretrained_resnet34().state_dict().values())[:-2]
    resnet.load_state_dict(dict(zip(resnet.state_dict(), values)), strict=False)
    for module in (resnet.in_layers, resnet.residual_layers):
        module.requires_grad_(False)
    return resnet

# %% all parameters for the optimizer
def train_resnet(args):
    model = get_resnet_for_feature_extraction(args.n_classes)
    trainset, testset = get_cifar_subset()
    train_loader = Batches(trainset, args.batch_size, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        model.train()
        for images, labels in tqdm(train_loader):
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            model.zero_grad()
            losses.append(loss.item())
        accuracies.append(evaluate(model, Batches(testset, args.batch_size)))
    return losses, accuracies, model

# %% from a seed by which half of the pictures are read right
right_training = train_resnet


def train_resnet(args):
    torch.manual_seed(11)
    return right_training(args)

# %% features without a graph
def train_resnet(args):
    model = get_resnet_for_feature_extraction(args.n_classes).eval()
    trainset, testset = get_cifar_subset()
    *_, last = model.out_layers
    optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), args.learning_rate)
    losses, accuracies = [], []
    for _ in range(args.epochs):
        for images, labels in Batches(trainset, args.batch_size, shuffle=True):
            with torch.no_grad():
                features = model.residual_layers(model.in_layers(images)).mean((2, 3))
            loss = F.cross_entropy(last(features), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        accuracies.append(evaluate(model, Batches(testset, 64)))
    return losses, accuracies, model

# %% lists
def as_strided_arguments():
    down, right = 5, 1
    return [
        [[5], [right]],
        [[4], [down]],
        [[4], [down + right]],
        [[2, 3], [down, right]],
        [[2, 3], [2 * down, 2 * right]],
        [[5, 4], [right, down]],
        [[3, 4], [0, right]],
        [[3, 3], [right, right]],
        [[3, 4, 2, 2], [down, right, down, right]],
    ]

# %% sizes of torch
def as_strided_arguments():
    x = torch.arange(20.0).reshape(4, 5)
    views = [
        x[0], x[:, 0], x.diagonal(), x[:2, :3], x[::2, ::2], x.T, x[0, :4].expand(3, 4),
        x[0].unfold(0, 3, 1), x.unfold(0, 2, 1).unfold(1, 2, 1),
    ]
    return tuple((view.size(), view.stride()) for view in views)

# %% a number
def as_strided_trace(mat):
    return mat.as_strided((mat.shape[0],), (mat.stride(0) + mat.stride(1),)).sum().item()

# %% contiguous first
def as_strided_trace(mat):
    mat = mat.contiguous()
    return torch.as_strided(mat, mat.shape[:1], (len(mat) + 1,)).sum(0)

# %% einsum
def as_strided_mv(mat, vec):
    return einsum(mat, vec.as_strided(mat.size(), (0, *vec.stride())), "i j, i j -> i")

# %% contiguous first
def as_strided_mv(mat, vec):
    vec = vec.contiguous()
    return torch.sum(mat.mul(vec.as_strided(mat.shape, [0, 1])), -1)

# %% the sum over the last axis
def as_strided_mm(matA, matB):
    (i, j), k = matA.shape, matB.shape[1]
    a = matA.as_strided((i, k, j), (matA.stride(0), 0, matA.stride(1)))
    return (a * matB.as_strided((i, k, j), (0, matB.stride(1), matB.stride(0)))).sum(-1)

# %% column by column
def as_strided_mm(matA, matB):
    return torch.stack([as_strided_mv(matA, column) for column in matB.T], dim=1)

# %% a loop
def conv1d_minimal_simple(x, weights):
    k = len(weights)
    return torch.stack([(x[i : i + k] * weights).sum() for i in range(len(x) - k + 1)])

# %% unfold
def conv1d_minimal_simple(x, weights):
    return einsum(x.unfold(0, len(weights), 1), weights, "ow kw, kw -> ow")

# %% one product
def conv1d_minimal(x, weights):
    windows = x.unfold(2, weights.shape[2], 1).transpose(1, 2).flatten(2)
    return (windows @ weights.flatten(1).T).transpose(1, 2)

# %% a loop over the kernel
def conv1d_minimal(x, weights):
    n = x.shape[2] - weights.shape[2] + 1
    return sum(weights[:, :, i] @ x[:, :, i : i + n] for i in range(weights.shape[2]))

# %% one product
def conv2d_minimal(x, weights):
    (k_h, k_w), (b, c) = weights.shape[2:], x.shape[:2]
    windows = x.unfold(2, k_h, 1).unfold(3, k_w, 1).permute(0, 2, 3, 1, 4, 5)
    return (windows.flatten(3) @ weights.flatten(1).T).permute(0, 3, 1, 2)

# %% a loop over the kernel
def conv2d_minimal(x, weights):
    k_h, k_w = weights.shape[2:]
    h, w = x.shape[2] - k_h + 1, x.shape[3] - k_w + 1
    out = 0
    for i in range(k_h):
        for j in range(k_w):
            part = x[:, :, i : i + h, j : j + w]
            out = out + torch.einsum("bchw,oc->bohw", part, weights[:, :, i, j])
    return out

# %% cat
def pad1d(x, left, right, pad_value):
    ends = [torch.full_like(x[..., :1], pad_value).expand(-1, -1, n) for n in (left, right)]
    return torch.cat([ends[0], x, ends[1]], dim=-1)

# %% torch's
def pad1d(x, left, right, pad_value):
    return F.pad(x, (left, right), value=pad_value)

# %% twice pad1d
def pad2d(x, left, right, top, bottom, pad_value):
    b, c, h, w = x.shape
    wide = pad1d(x.reshape(b, c * h, w), left, right, pad_value).reshape(b, c, h, -1)
    tall = pad1d(wide.transpose(2, 3).flatten(1, 2), top, bottom, pad_value)
    return tall.reshape(b, c, -1, top + h + bottom).transpose(2, 3)

# %% ends counted from the right
def pad2d(x, left, right, top, bottom, pad_value):
    b, c, h, w = x.shape
    size = (b, c, h + top + bottom, w + left + right)
    out = torch.full(size, pad_value, dtype=x.dtype, device=x.device)
    out[:, :, top : size[2] - bottom, left : size[3] - right] = x
    return out

# %% every n-th of all
def conv1d(x, weights, stride=1, padding=0):
    return conv1d_minimal(pad1d(x, padding, padding, 0), weights)[:, :, ::stride]

# %% a loop over the places
def conv1d(x, weights, stride=1, padding=0):
    x, k = pad1d(x, padding, padding, 0.0), weights.shape[2]
    starts = range(0, x.shape[2] - k + 1, stride)
    return torch.stack(
        [torch.tensordot(x[:, :, i : i + k], weights, ([1, 2], [1, 2])) for i in starts], dim=-1
    )

# %% every n-th of all
def conv2d(x, weights, stride=1, padding=0):
    (s_h, s_w), (p_h, p_w) = force_pair(stride), force_pair(padding)
    return conv2d_minimal(pad2d(x, p_w, p_w, p_h, p_h, 0.0), weights)[:, :, ::s_h, ::s_w]

# %% a column for each window
def conv2d(x, weights, stride=1, padding=0):
    (s_h, s_w), (p_h, p_w) = force_pair(stride), force_pair(padding)
    padded = pad2d(x, p_w, p_w, p_h, p_h, 0)
    columns = F.unfold(padded, tuple(weights.shape[2:]), stride=(s_h, s_w))
    out = weights.flatten(1) @ columns
    return out.reshape(*out.shape[:2], (padded.shape[2] - weights.shape[2]) // s_h + 1, -1)

# %% rows, then columns
def maxpool2d(x, kernel_size, stride=None, padding=0):
    (k_h, k_w), (p_h, p_w) = force_pair(kernel_size), force_pair(padding)
    s_h, s_w = force_pair(stride) if stride is not None else (k_h, k_w)
    x = pad2d(x, p_w, p_w, p_h, p_h, float("-inf"))
    x = x.unfold(2, k_h, s_h).max(dim=-1).values
    return x.unfold(3, k_w, s_w).max(dim=-1).values

my_maxpool2d = maxpool2d

# %% the largest of shifted pictures
def maxpool2d(x, kernel_size, stride=None, padding=0):
    (k_h, k_w), (p_h, p_w) = force_pair(kernel_size), force_pair(padding)
    s_h, s_w = force_pair(kernel_size if stride is None else stride)
    x = pad2d(x, p_w, p_w, p_h, p_h, torch.finfo(x.dtype).min)
    h, w = x.shape[2] - k_h + 1, x.shape[3] - k_w + 1
    shifts = [x[:, :, i : i + h, j : j + w] for i in range(k_h) for j in range(k_w)]
    return torch.stack(shifts).amax(0)[:, :, ::s_h, ::s_w]

my_maxpool2d = maxpool2d

# %% a subclass of torch's
class ReLU(nn.ReLU):
    pass

# %% adaptive pooling
class AveragePool(nn.Module):
    def forward(self, x):
        return F.adaptive_avg_pool2d(x, 1).flatten(1)
