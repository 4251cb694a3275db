"""Right answers to 0.3 Optimization in other styles."""


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
