"""Right answers to 0.3 Optimization in other styles."""


def shift(sent, to, received, source):
    """Send and receive at the same time."""
    for request in dist.batch_isend_irecv(
        [dist.P2POp(dist.isend, sent, to), dist.P2POp(dist.irecv, received, source)]
    ):
        request.wait()


# %% one point more, without momentum's name
def opt_fn_with_sgd(fn, xy, lr=0.001, momentum=0.98, n_iters=100):
    point = torch.nn.Parameter(xy.detach().clone())
    optimizer = torch.optim.SGD([point], lr, momentum)
    path = torch.zeros(n_iters + 1, 2)
    for i in range(n_iters + 1):
        path[i] = point.data
        loss = fn(point[0], point[1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return path


# %% by hand
def opt_fn_with_sgd(fn, xy, lr=0.001, momentum=0.98, n_iters=100):
    xy, v, path = xy.detach().clone(), torch.zeros(2), []
    for _ in range(n_iters):
        path.append(xy)
        leaf = xy.clone().requires_grad_()
        (g,) = torch.autograd.grad(fn(*leaf), leaf)
        v = momentum * v + g
        xy = xy - lr * v
    return torch.stack(path)


# %% dicts, and data
class SGD:
    def __init__(self, params, lr, momentum=0.0, weight_decay=0.0):
        self.ps = tuple(params)
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self.v = {}

    def zero_grad(self):
        for p in self.ps:
            if p.grad is not None:
                p.grad.zero_()

    def step(self):
        for p in self.ps:
            if p.grad is None:
                continue
            g = p.grad.data + self.weight_decay * p.data
            if self.momentum:
                g = self.v[p] = self.momentum * self.v.get(p, torch.zeros_like(g)) + g
            p.data -= self.lr * g


# %% the rate inside the velocity
class SGD:
    def __init__(self, params, lr, momentum=0.0, weight_decay=0.0):
        self.params = list(params)
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self.v = [0.0] * len(self.params)

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    @torch.no_grad()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.v[i] = self.momentum * self.v[i] - self.lr * (p.grad + self.weight_decay * p)
                p.copy_(p + self.v[i])


# %% functional, with cases
class RMSprop:
    def __init__(self, params, lr=0.01, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0):
        self.params = list(params)
        self.lr, self.alpha, self.eps, self.lmda, self.mu = lr, alpha, eps, weight_decay, momentum
        self.v = [torch.zeros(p.shape, dtype=p.dtype) for p in self.params]
        self.b = [torch.zeros(p.shape, dtype=p.dtype) for p in self.params]

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is None:
                continue
            g = p.grad
            if self.lmda != 0:
                g = g + self.lmda * p
            self.v[i] = self.alpha * self.v[i] + (1 - self.alpha) * g.pow(2)
            if self.mu > 0:
                self.b[i] = self.mu * self.b[i] + g / (self.v[i].sqrt() + self.eps)
                p -= self.lr * self.b[i]
            else:
                p -= self.lr * g / (self.v[i].sqrt() + self.eps)


# %% torch's in-place operations
class RMSprop:
    def __init__(self, params, lr=0.01, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0):
        self.state = [(p, torch.zeros_like(p), torch.zeros_like(p)) for p in params]
        self.s = (lr, alpha, eps, weight_decay, momentum)

    def zero_grad(self):
        for p, _, _ in self.state:
            p.grad = None

    @torch.no_grad()
    def step(self):
        lr, alpha, eps, wd, mu = self.s
        for p, v, b in self.state:
            if p.grad is not None:
                g = p.grad.add(p, alpha=wd)
                v.mul_(alpha).addcmul_(g, g, value=1 - alpha)
                b.mul_(mu).addcdiv_(g, v.sqrt().add_(eps))
                p.add_(b, alpha=-lr)


# %% a counter for each parameter
class Adam:
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        self.params = list(params)
        self.lr, (self.b1, self.b2), self.eps, self.wd = lr, betas, eps, weight_decay
        self.state = [[0, 0.0, 0.0] for _ in self.params]

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    @torch.inference_mode()
    def step(self):
        for p, state in zip(self.params, self.state):
            if p.grad is None:
                continue
            g = p.grad + self.wd * p
            state[0] += 1
            state[1] = self.b1 * state[1] + (1 - self.b1) * g
            state[2] = self.b2 * state[2] + (1 - self.b2) * g * g
            m, v = state[1] / (1 - self.b1 ** state[0]), state[2] / (1 - self.b2 ** state[0])
            p.sub_(self.lr * m / (torch.sqrt(v) + self.eps))


# %% t from 0, raised at the end
class Adam:
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        self.params, self.t = list(params), 0
        self.lr, self.betas, self.eps, self.wd = lr, betas, eps, weight_decay
        self.m = [torch.zeros_like(p, requires_grad=False) for p in self.params]
        self.v = [torch.zeros_like(p, requires_grad=False) for p in self.params]

    def zero_grad(self):
        for p in self.params:
            p.grad = None if p.grad is None else torch.zeros_like(p.grad)

    def step(self):
        with torch.no_grad():
            for i, p in enumerate(self.params):
                if p.grad is not None:
                    g = p.grad + self.wd * p
                    self.m[i].lerp_(g, 1 - self.betas[0])
                    self.v[i].lerp_(g.square(), 1 - self.betas[1])
                    c1, c2 = (1 - b ** (self.t + 1) for b in self.betas)
                    p -= self.lr / c1 * self.m[i] / ((self.v[i] / c2).sqrt() + self.eps)
            self.t += 1


# %% all at once
class AdamW:
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        self.params, self.t = list(params), 0
        self.lr, self.betas, self.eps, self.wd = lr, betas, eps, weight_decay
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    @torch.inference_mode()
    def step(self):
        self.t += 1
        b1, b2 = self.betas
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.m[i] = b1 * self.m[i] + (1 - b1) * p.grad
                self.v[i] = b2 * self.v[i] + (1 - b2) * p.grad**2
                move = self.m[i] / (1 - b1**self.t) / ((self.v[i] / (1 - b2**self.t)).sqrt() + self.eps)
                p -= self.lr * (move + self.wd * p)


# %% by torch's own
class AdamW:
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        self.inner = torch.optim.AdamW(params, lr, betas, eps, weight_decay)

    def zero_grad(self):
        self.inner.zero_grad()

    def step(self):
        self.inner.step()


# %% without super().train, config by hand
class WandbResNetFinetuner(ResNetFinetuner):
    def pre_training_setup(self):
        super().pre_training_setup()
        run = wandb.init(
            project=self.args.wandb_project,
            name=self.args.wandb_name,
            config={"learning_rate": self.args.learning_rate, "batch_size": self.args.batch_size},
        )
        wandb.watch(self.model.out_layers[-1], log="all", log_freq=50)

    def training_step(self, imgs, labels):
        loss = super().training_step(imgs, labels)
        wandb.log({"loss": loss.detach(), "rate": self.args.learning_rate}, step=self.examples_seen)
        return loss

    def evaluate(self):
        accuracy = super().evaluate()
        wandb.log({"accuracy": accuracy}, step=self.examples_seen)
        return accuracy

    def train(self):
        self.pre_training_setup()
        self.evaluate()
        for _ in range(self.args.epochs):
            self.model.eval()
            for imgs, labels in self.train_loader:
                self.training_step(imgs, labels)
            self.evaluate()
        examples = []
        for image, caption in self.sample_pictures():
            examples.append(wandb.Image(image, caption=caption))
        wandb.log({"examples": examples}, step=self.examples_seen)
        wandb.finish()
        return self.logged_variables


# %% the run first, and everything by its own hand
class WandbResNetFinetuner(ResNetFinetuner):
    examples_seen = 0

    def pre_training_setup(self):
        wandb.init(project=self.args.wandb_project, name=self.args.wandb_name, config=self.args)
        super().pre_training_setup()

    def training_step(self, imgs, labels):
        loss = F.cross_entropy(self.model(imgs), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.examples_seen += imgs.shape[0]
        self.logged_variables["loss"].append(loss.item())
        wandb.log({"loss": loss.item()}, step=self.examples_seen)
        return loss

    @torch.inference_mode()
    def evaluate(self):
        accuracy = super().evaluate()
        wandb.log({"accuracy": accuracy}, self.examples_seen)
        return accuracy

    def train(self):
        result = super().train()
        wandb.log({"examples": [wandb.Image(i, caption=c) for i, c in self.sample_pictures()]})
        wandb.finish()
        return result


# %% exponents of e, other names
sweep_config = dict(
    method="random",
    metric=dict(name="accuracy", goal="maximize"),
    parameters=dict(
        lr=dict(distribution="log_uniform", min=math.log(1e-4), max=math.log(1e-1)),
        batch_size=dict(values=[256, 128, 64, 32]),
        wd_log=dict(min=-4.0, max=-2.0),
        use_wd=dict(values=[0, 1]),
    ),
)


# %% equal probabilities
sweep_config = {
    "method": "random",
    "metric": {"goal": "maximize", "name": "accuracy"},
    "parameters": {
        "learning_rate": {"min": 1e-4, "max": 1e-1, "distribution": "log_uniform_values"},
        "batch_size": {"values": [32, 64, 128, 256], "distribution": "categorical"},
        "weight_decay": {"min": 1e-4, "max": 1e-2, "distribution": "log_uniform_values"},
        "weight_decay_bool": {"values": [True, False], "probabilities": [0.5, 0.5]},
    },
}


# %% in place
def update_args(args, sampled_parameters):
    args.learning_rate = sampled_parameters["learning_rate"]
    args.batch_size = sampled_parameters["batch_size"]
    args.weight_decay = sampled_parameters["weight_decay"] * sampled_parameters["weight_decay_on"]
    return args


# %% a new object
def update_args(args, sampled_parameters):
    drawn = dict(sampled_parameters)
    if not drawn.pop("weight_decay_on"):
        drawn["weight_decay"] = 0.0
    return WandbResNetFinetuningArgs(**{**vars(args), **drawn})


# %% state in a dict
class ParamGroupSGD:
    def __init__(self, params, **kwargs):
        params = list(params)
        if not isinstance(params[0], dict):
            params = [dict(params=params)]
        self.param_groups, seen = [], set()
        for given in params:
            group = dict(lr=None, momentum=0.0, weight_decay=0.0)
            group.update(kwargs)
            group.update(given)
            group["params"] = list(given["params"])
            if group["lr"] is None:
                raise ValueError("lr")
            for p in group["params"]:
                if p in seen:
                    raise ValueError("twice")
                seen.add(p)
            self.param_groups.append(group)
        self.v = {}

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.v[p] = group["momentum"] * self.v.get(p, 0) + p.grad + group["weight_decay"] * p
                    p -= group["lr"] * self.v[p]


# %% settings are put into the given dicts, as torch does
class ParamGroupSGD(ParamGroupSGD):
    def __init__(self, params, **kwargs):
        groups = list(params)
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            group["params"] = list(group["params"])
            for key, value in {"momentum": 0.0, "weight_decay": 0.0, **kwargs}.items():
                group.setdefault(key, value)
        super().__init__(groups, **kwargs)
        self.param_groups = groups


# %% by torch's own
class ParamGroupSGD:
    def __init__(self, params, **kwargs):
        groups = [dict(g) if isinstance(g, dict) else g for g in params]
        if "lr" not in kwargs and not all(isinstance(g, dict) and "lr" in g for g in groups):
            raise ValueError("lr")
        groups = [{**g, "params": list(g["params"])} if isinstance(g, dict) else g for g in groups]
        every = [p for g in groups for p in (g["params"] if isinstance(g, dict) else [g])]
        if len({id(p) for p in every}) < len(every):
            raise ValueError("twice")
        self.inner = torch.optim.SGD(groups, **kwargs)
        self.param_groups = self.inner.param_groups

    def zero_grad(self):
        self.inner.zero_grad()

    def step(self):
        self.inner.step()


# %% from the first rate
class ExponentialLR(ExponentialLR):
    def __init__(self, optimizer, gamma):
        super().__init__(optimizer, gamma)
        self.first, self.n = optimizer.lr, 0

    def step(self):
        self.n += 1
        self.optimizer.lr = self.first * self.gamma**self.n


# %% spelt out
class ExponentialLR(ExponentialLR):
    def step(self):
        self.optimizer.lr = self.optimizer.lr * self.gamma


# %% from the first rate
class StepLR(StepLR):
    def __init__(self, optimizer, step_size, gamma=0.1):
        super().__init__(optimizer, step_size, gamma)
        self.first = optimizer.lr

    def step(self):
        self.n_epochs += 1
        self.optimizer.lr = self.first * self.gamma ** (self.n_epochs // self.step_size)


# %% counted down
class StepLR:
    def __init__(self, optimizer, step_size, gamma=0.1):
        self.o, self.size, self.gamma, self.left = optimizer, step_size, gamma, step_size

    def step(self):
        self.left -= 1
        if not self.left:
            self.o.lr, self.left = self.o.lr * self.gamma, self.size


# %% a loop
class MultiStepLR(MultiStepLR):
    def step(self):
        self.n_epochs += 1
        for milestone in self.milestones:
            if milestone == self.n_epochs:
                self.optimizer.lr *= self.gamma


# %% from the first rate
class MultiStepLR(MultiStepLR):
    def __init__(self, optimizer, milestones, gamma=0.1):
        super().__init__(optimizer, milestones, gamma)
        self.first = optimizer.lr

    def step(self):
        self.n_epochs += 1
        self.optimizer.lr = self.first * self.gamma ** sum(m <= self.n_epochs for m in self.milestones)


# %% in float32, as the original but for its precision
def newton_schulz(matrix, n_steps=5):
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.float()
    x = x / (x.norm() + 1e-7)
    if x.shape[0] > x.shape[1]:
        x = x.mT
    for _ in range(n_steps):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x.mT.to(matrix.dtype) if matrix.shape[0] > matrix.shape[1] else x.to(matrix.dtype)


# %% from the other side
def newton_schulz(matrix, n_steps=5):
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / matrix.square().sum().sqrt()
    for _ in range(n_steps):
        s = x.T @ x
        x = a * x + b * x @ s + c * x @ s @ s
    return x


# %% a running mean instead of a sum: its scale does not matter
class Muon(Muon):
    @torch.no_grad()
    def step(self):
        for p, v in zip(self.params, self.velocities):
            if p.grad is not None:
                v.lerp_(p.grad, 1 - self.momentum)
                p.mul_(1 - self.lr * self.weight_decay)
                p.sub_(newton_schulz(v), alpha=self.lr * max(1, p.shape[0] / p.shape[1]) ** 0.5)


# %% both at once
class Muon(Muon):
    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.velocities[i] = self.momentum * self.velocities[i] + p.grad
                scale = math.sqrt(max(1, p.size(0) / p.size(1)))
                p -= self.lr * (scale * newton_schulz(self.velocities[i]) + self.weight_decay * p)


# %% lstsq
def fit_power_law(sizes, losses):
    design = torch.stack([torch.ones_like(sizes), sizes.log()], dim=1)
    (log_a, slope) = torch.linalg.lstsq(design, losses.log()[:, None]).solution[:, 0]
    return torch.exp(log_a), -slope


# %% log10 throughout
def fit_power_law(sizes, losses):
    x, y = sizes.log10(), losses.log10()
    b = -(((x - x.mean()) * y).sum() / ((x - x.mean()) ** 2).sum()).item()
    return 10 ** (y.mean() + b * x.mean()).item(), b


# %% requests
def broadcast(tensor, rank, world_size, src=0):
    if rank == src:
        requests = [dist.isend(tensor, dst) for dst in range(world_size) if dst != src]
    else:
        requests = [dist.irecv(tensor, src)]
    for request in requests:
        request.wait()

# %% a chain
def broadcast(tensor, rank, world_size, src=0):
    place = (rank - src) % world_size
    if place > 0:
        dist.recv(tensor, src=(rank - 1) % world_size)
    if place < world_size - 1:
        dist.send(tensor, dst=(rank + 1) % world_size)

# %% a tree
def broadcast(tensor, rank, world_size, src=0):
    place, reach = (rank - src) % world_size, 1
    while reach < world_size:
        if place < reach and place + reach < world_size:
            dist.send(tensor, dst=(place + reach + src) % world_size)
        elif reach <= place < 2 * reach:
            dist.recv(tensor, src=(place - reach + src) % world_size)
        reach *= 2

# %% received apart
def broadcast(tensor, rank, world_size, src=0):
    if rank == src:
        for other in set(range(world_size)) - {src}:
            dist.send(tensor=tensor, dst=other, tag=7)
    else:
        buffer = torch.zeros_like(tensor)
        dist.recv(tensor=buffer, src=src, tag=7)
        tensor[...] = buffer

# %% requests
def reduce(tensor, rank, world_size, dst=0, op="sum"):
    if rank != dst:
        dist.isend(tensor, dst).wait()
        return
    others = [r for r in range(world_size) if r != dst]
    received = [torch.zeros_like(tensor) for _ in others]
    for request in [dist.irecv(t, r) for t, r in zip(received, others)]:
        request.wait()
    for value in received:
        tensor.add_(value)
    if op == "mean":
        tensor.div_(world_size)

# %% a chain that changes what is on the way
def reduce(tensor, rank, world_size, dst=0, op="sum"):
    place = (rank - dst) % world_size
    if place < world_size - 1:
        received = torch.empty_like(tensor)
        dist.recv(received, (rank + 1) % world_size)
        tensor += received
    if place > 0:
        dist.send(tensor, (rank - 1) % world_size)
    elif op == "mean":
        tensor /= world_size

# %% from whoever comes first
def reduce(tensor, rank, world_size, dst=0, op="sum"):
    if rank == dst:
        for _ in range(world_size - 1):
            received = torch.empty_like(tensor)
            dist.recv(received)
            tensor += received
        tensor *= 1 / world_size if op == "mean" else 1
    else:
        dist.send(tensor, dst)

# %% divided after
def all_reduce(tensor, rank, world_size, op="sum"):
    reduce(tensor, rank, world_size)
    broadcast(tensor, rank, world_size)
    if op == "mean":
        tensor /= world_size

# %% everybody to everybody
def all_reduce(tensor, rank, world_size, op="sum"):
    others = [r for r in range(world_size) if r != rank]
    own, received = tensor.clone(), [torch.empty_like(tensor) for _ in others]
    requests = [dist.isend(own, r) for r in others]
    requests += [dist.irecv(t, r) for t, r in zip(received, others)]
    for request in requests:
        request.wait()
    tensor.copy_(sum(received, own))
    if op == "mean":
        tensor.div_(world_size)

# %% the ring of whole tensors
def all_reduce(tensor, rank, world_size, op="sum"):
    on_the_way = tensor.clone()
    for _ in range(world_size - 1):
        received = torch.empty_like(tensor)
        shift(on_the_way, (rank + 1) % world_size, received, (rank - 1) % world_size)
        on_the_way = received
        tensor += received
    if op == "mean":
        tensor /= world_size

# %% one tensor for all
def gather(tensor, rank, world_size, dst=0):
    if rank == dst:
        places = torch.zeros(world_size, *tensor.shape, dtype=tensor.dtype)
        for src in range(world_size):
            if src == dst:
                places[src] = tensor
            else:
                dist.recv(places[src], src)
        return list(places)
    dist.send(tensor, dst)

# %% a dictionary
def gather(tensor, rank, world_size, dst=0):
    if rank != dst:
        return dist.send(tensor, dst)
    found = {dst: tensor}
    for src in range(world_size):
        if src not in found:
            found[src] = torch.empty_like(tensor)
            dist.recv(found[src], src)
    return [found[r] for r in range(world_size)]

# %% flat gradients, torch's own all-reduce
class DistResNetTrainer:
    def __init__(self, args, rank):
        self.args, self.rank, self.examples_seen = args, rank, 0
        self.logged_variables = {"loss": [], "accuracy": []}

    def pre_training_setup(self):
        a = self.args
        self.model = a.make_model(a.n_classes)
        with torch.no_grad():
            for p in self.model.parameters():
                dist.broadcast(p, src=0)
        self.optimizer = a.make_optimizer(
            self.model.parameters(), lr=a.learning_rate, weight_decay=a.weight_decay)
        train, test = a.load_data()
        self.train_sampler = DistributedSampler(train, num_replicas=a.world_size, rank=self.rank)
        self.train_loader = DataLoader(train, batch_size=a.batch_size, sampler=self.train_sampler)
        mine = torch.utils.data.Subset(test, list(range(self.rank, len(test), a.world_size)))
        self.test_loader = DataLoader(mine, batch_size=a.batch_size)

    def training_step(self, imgs, labels):
        self.model.train()
        loss = F.cross_entropy(self.model(imgs), labels)
        loss.backward()
        grads = [p.grad for p in self.model.parameters()]
        flat = torch.cat([g.reshape(-1) for g in grads] + [loss.detach().reshape(1)])
        dist.all_reduce(flat)
        flat /= self.args.world_size
        for g, part in zip(grads, flat[:-1].split([g.numel() for g in grads])):
            g.copy_(part.view_as(g))
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.examples_seen += self.args.world_size * len(labels)
        self.logged_variables["loss"].append(flat[-1].item())
        return flat[-1].item()

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        right = torch.tensor(0.0)
        n = torch.tensor(0.0)
        for imgs, labels in self.test_loader:
            right += (self.model(imgs).argmax(1) == labels).sum()
            n += len(imgs)
        all_reduce(right, self.rank, self.args.world_size)
        all_reduce(n, self.rank, self.args.world_size)
        self.logged_variables["accuracy"].append(float(right / n))
        return float(right / n)

    def train(self):
        self.pre_training_setup()
        for epoch in range(self.args.epochs):
            self.train_sampler.set_epoch(epoch + 1)
            for imgs, labels in self.train_loader:
                self.training_step(imgs, labels)
            self.evaluate()

# %% averaged weights of the start, contiguous shares of the test
class DistResNetTrainer(DistResNetTrainer):
    def pre_training_setup(self):
        super().pre_training_setup()
        n, ranks = len(self.args.load_data()[1]), self.args.world_size
        first, last = n * self.rank // ranks, n * (self.rank + 1) // ranks
        self.test_loader = Batches(self.args.load_data()[1][first:last], 1)

# %% a seed of its own
class DistResNetTrainer(DistResNetTrainer):
    def pre_training_setup(self):
        torch.manual_seed(5)
        super().pre_training_setup()

# %% the mode is set by train, and evaluate puts it back
class DistResNetTrainer(DistResNetTrainer):
    def training_step(self, imgs, labels):
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(imgs), labels)
        loss.backward()
        for p in self.model.parameters():
            all_reduce(p.grad, self.rank, self.args.world_size, "mean")
        self.optimizer.step()
        loss = loss.detach()
        all_reduce(loss, self.rank, self.args.world_size, "mean")
        self.examples_seen += len(imgs) * self.args.world_size
        self.logged_variables["loss"].append(loss)
        if self.rank == 0:
            wandb.log({"loss": loss}, step=self.examples_seen)
        return loss

    def evaluate(self):
        accuracy = super().evaluate()
        self.model.train()
        return accuracy

    def train(self):
        self.pre_training_setup()
        self.model.train()
        for epoch in range(self.args.epochs):
            self.train_sampler.set_epoch(epoch)
            for batch in self.train_loader:
                self.training_step(*batch)
            accuracy = self.evaluate()
            if self.rank == 0:
                print(epoch, accuracy)
        if self.rank == 0:
            wandb.finish()

# %% two loops
def ring_all_reduce(tensor, rank, world_size, op="sum"):
    flat = tensor.view(-1)
    size = -(-len(flat) // world_size)
    chunks = [flat[i * size:(i + 1) * size] for i in range(world_size)]
    right, left = (rank + 1) % world_size, (rank - 1) % world_size
    for s in range(world_size - 1):
        received = torch.zeros_like(chunks[(rank - s - 1) % world_size])
        shift(chunks[(rank - s) % world_size].clone(), right, received, left)
        chunks[(rank - s - 1) % world_size].add_(received)
    if op == "mean":
        chunks[(rank + 1) % world_size].div_(world_size)
    for s in range(world_size - 1):
        received = torch.zeros_like(chunks[(rank - s) % world_size])
        shift(chunks[(rank + 1 - s) % world_size].clone(), right, received, left)
        chunks[(rank - s) % world_size].copy_(received)

# %% the other way round, even ranks send first
def ring_all_reduce(tensor, rank, world_size, op="sum"):
    if world_size == 1:
        return
    chunks = tensor.view(-1).tensor_split(world_size)
    to, source = (rank - 1) % world_size, (rank + 1) % world_size
    for step in range(2 * (world_size - 1)):
        sent, place = chunks[(rank + step) % world_size], chunks[(rank + step + 1) % world_size]
        received = torch.empty_like(place)
        if rank == 0:
            dist.send(sent, to)
            dist.recv(received, source)
        else:
            own = sent.clone()
            dist.recv(received, source)
            dist.send(own, to)
        if step < world_size - 1:
            place.add_(received)
        else:
            place.copy_(received)
    if op == "mean":
        tensor.div_(world_size)
