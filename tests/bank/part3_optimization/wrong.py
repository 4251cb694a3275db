"""Wrong answers to 0.3 Optimization; each cell's title must be part of what the learner reads."""


class Kept:
    """Keeps parameters and settings, with three numbers for each parameter."""

    def __init__(self, params, lr=0.01, **settings):
        self.params, self.lr, self.t = list(params), lr, 0
        defaults = {"momentum": 0.0, "weight_decay": 0.0, "alpha": 0.99, "eps": 1e-8, "betas": (0.9, 0.999)}
        self.__dict__.update({**defaults, **settings})
        self.a, self.b = ([torch.zeros_like(p) for p in self.params] for _ in range(2))

    def zero_grad(self):
        for p in self.params:
            p.grad = None


class AsAdam(Kept):
    """Adam with its parts to be replaced."""

    decoupled, wrong_decay, shift, fixed, inside = False, False, 0, (True, True), False

    def __init__(self, params, lr=0.001, **settings):
        super().__init__(params, lr, **settings)

    @torch.inference_mode()
    def step(self):
        b1, b2 = self.betas
        self.t += 1
        for i, p in enumerate(self.params):
            if p.grad is None:
                continue
            g = p.grad if self.decoupled else p.grad + self.weight_decay * p
            if self.decoupled:
                p *= 1 - (1 if self.wrong_decay else self.lr) * self.weight_decay
            self.a[i] = b1 * self.a[i] + (1 - b1) * g
            self.b[i] = b2 * self.b[i] + (1 - b2) * g**2
            t = self.t + self.shift
            m = self.a[i] / (1 - b1**t) if self.fixed[0] else self.a[i]
            s = self.b[i] / (1 - b2**t) if self.fixed[1] else self.b[i]
            size = (s + self.eps).sqrt() if self.inside else s.sqrt() + self.eps
            p -= self.lr * m / size


def star(tensor, rank, world_size, dst, op, tag=0, combine=lambda a, b: a.add_(b)):
    """Combine on rank dst; a part of it may be another one."""
    if rank != dst:
        dist.send(tensor, dst)
        return
    for src in range(world_size):
        if src != dst:
            received = torch.empty_like(tensor)
            dist.recv(received, src, tag=tag)
            combine(tensor, received)
    if op == "mean":
        tensor /= world_size


def ring(tensor, rank, world_size, op, offset=0, add=True, rounds=2, split=None):
    """Reduce in a ring; a part of it may be another one."""
    chunks = tensor.view(-1).tensor_split(split or world_size)
    right, left = (rank + 1) % world_size, (rank - 1) % world_size
    for step in range(rounds * (world_size - 1)):
        sent = chunks[(rank - step) % world_size]
        place = chunks[(rank - step - 1 + offset) % world_size]
        received = torch.empty_like(place)
        for request in [dist.isend(sent, right), dist.irecv(received, left)]:
            request.wait()
        if step < world_size - 1 and add:
            place += received
        else:
            place.copy_(received)
    if op == "mean":
        tensor /= world_size


class Trainer(DistResNetTrainer):
    """The solution, for others to change a part of."""

    start = steady = True

    def gradients(self):
        for param in self.model.parameters():
            all_reduce(param.grad, self.rank, self.args.world_size, op="mean")

    def training_step(self, imgs, labels):
        self.model.train()
        loss = F.cross_entropy(self.model(imgs), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.gradients()
        self.optimizer.step()
        self.examples_seen += len(imgs) * self.args.world_size
        return self.mean(loss.detach().clone())

    def mean(self, loss):
        all_reduce(loss, self.rank, self.args.world_size, op="mean")
        self.logged_variables["loss"].append(loss.item())
        return loss


# %% the input tensor xy is changed
def opt_fn_with_sgd(fn, xy, lr=0.001, momentum=0.98, n_iters=100):
    xy.requires_grad_()
    optimizer = torch.optim.SGD([xy], lr=lr, momentum=momentum)
    points = [xy.detach().clone()]
    for _ in range(n_iters - 1):
        optimizer.zero_grad()
        fn(*xy).backward()
        optimizer.step()
        points.append(xy.detach().clone())
    return torch.stack(points)


# %% the start is missing
def opt_fn_with_sgd(fn, xy, lr=0.001, momentum=0.98, n_iters=100):
    xy = xy.detach().clone().requires_grad_()
    optimizer = torch.optim.SGD([xy], lr=lr, momentum=momentum)
    points = []
    for _ in range(n_iters):
        optimizer.zero_grad()
        fn(*xy).backward()
        optimizer.step()
        points.append(xy.detach().clone())
    return torch.stack(points)


# %% all points are the same
def opt_fn_with_sgd(fn, xy, lr=0.001, momentum=0.98, n_iters=100):
    xy = xy.detach().clone().requires_grad_()
    optimizer = torch.optim.SGD([xy], lr=lr, momentum=momentum)
    points = [xy.detach()]
    for _ in range(n_iters - 1):
        optimizer.zero_grad()
        fn(*xy).backward()
        optimizer.step()
        points.append(xy.detach())
    return torch.stack(points)


# %% momentum is not used
def opt_fn_with_sgd(fn, xy, lr=0.001, momentum=0.98, n_iters=100):
    xy = xy.detach().clone().requires_grad_()
    optimizer = torch.optim.SGD([xy], lr=lr)
    points = [xy.detach().clone()]
    for _ in range(n_iters - 1):
        optimizer.zero_grad()
        fn(*xy).backward()
        optimizer.step()
        points.append(xy.detach().clone())
    return torch.stack(points)


# %% gradients pile up
def opt_fn_with_sgd(fn, xy, lr=0.001, momentum=0.98, n_iters=100):
    xy = xy.detach().clone().requires_grad_()
    optimizer = torch.optim.SGD([xy], lr=lr, momentum=momentum)
    points = [xy.detach().clone()]
    for _ in range(n_iters - 1):
        fn(*xy).backward()
        optimizer.step()
        points.append(xy.detach().clone())
    return torch.stack(points)


# %% the points require a gradient
def opt_fn_with_sgd(fn, xy, lr=0.001, momentum=0.98, n_iters=100):
    xy = xy.detach().clone().requires_grad_()
    optimizer = torch.optim.SGD([xy], lr=lr, momentum=momentum)
    points = [xy.clone()]
    for _ in range(n_iters - 1):
        optimizer.zero_grad()
        fn(*xy).backward()
        optimizer.step()
        points.append(xy.clone())
    return torch.stack(points)


# %% weight decay is added after momentum
class SGD(Kept):
    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.a[i] = self.momentum * self.a[i] + p.grad
                p -= self.lr * (self.a[i] + self.weight_decay * p)


# %% the gradient is multiplied by 1 - momentum
class SGD(Kept):
    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                g = p.grad + self.weight_decay * p
                self.a[i] = self.momentum * self.a[i] + (1 - self.momentum) * g
                p -= self.lr * self.a[i]


# %% momentum is not used
class SGD(Kept):
    @torch.inference_mode()
    def step(self):
        for p in self.params:
            if p.grad is not None:
                p -= self.lr * (p.grad + self.weight_decay * p)


# %% weight decay is not used
class SGD(Kept):
    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.a[i] = self.momentum * self.a[i] + p.grad
                p -= self.lr * self.a[i]


# %% state is shared between parameters
class SGD(Kept):
    @torch.inference_mode()
    def step(self):
        for p in self.params:
            if p.grad is not None:
                self.a[0] = self.momentum * self.a[0] + p.grad + self.weight_decay * p
                p -= self.lr * self.a[0]


# %% the parameters move uphill
class SGD(Kept):
    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.a[i] = self.momentum * self.a[i] + p.grad + self.weight_decay * p
                p += self.lr * self.a[i]


# %% the graph is kept
class SGD(Kept):
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.a[i] = self.momentum * self.a[i] + p.grad + self.weight_decay * p
                p -= self.lr * self.a[i]


# %% the graph is kept
class SGD(Kept):
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.a[i] = self.momentum * self.a[i] + p.grad + self.weight_decay * p
                p.data -= self.lr * self.a[i].data


# %% parameters given as a generator are gone
class SGD(Kept):
    def __init__(self, params, lr, momentum=0.0, weight_decay=0.0):
        self.params, self.lr, self.momentum, self.weight_decay = params, lr, momentum, weight_decay
        self.a = {}

    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.a[i] = self.momentum * self.a.get(i, 0) + p.grad + self.weight_decay * p
                p -= self.lr * self.a[i]


# %% the step changes p.grad itself
class SGD(Kept):
    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                g = p.grad
                g += self.weight_decay * p
                self.a[i] = self.momentum * self.a[i] + g
                p -= self.lr * self.a[i]


# %% a parameter without a gradient (grad is None) must be skipped
class SGD(Kept):
    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            g = p.grad + self.weight_decay * p
            self.a[i] = self.momentum * self.a[i] + g
            p -= self.lr * self.a[i]


# %% a step leaves the parameters as they are
class SGD(Kept):
    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.a[i] = self.momentum * self.a[i] + p.grad + self.weight_decay * p
                p = p - self.lr * self.a[i]


# %% zero_grad leaves gradients as they are
class SGD(Kept):
    def zero_grad(self):
        for p in self.params:
            grad = p.grad
            grad = None

    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.a[i] = self.momentum * self.a[i] + p.grad + self.weight_decay * p
                p -= self.lr * self.a[i]


# %% eps is added inside the root
class RMSprop(Kept):
    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                g = p.grad + self.weight_decay * p
                self.a[i] = self.alpha * self.a[i] + (1 - self.alpha) * g**2
                self.b[i] = self.momentum * self.b[i] + g / (self.a[i] + self.eps).sqrt()
                p -= self.lr * self.b[i]


# %% weight decay is added after the scaling
class RMSprop(Kept):
    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                g = p.grad
                self.a[i] = self.alpha * self.a[i] + (1 - self.alpha) * g**2
                self.b[i] = self.momentum * self.b[i] + g / (self.a[i].sqrt() + self.eps)
                p -= self.lr * (self.b[i] + self.weight_decay * p)


# %% alpha is the share of the past
class RMSprop(Kept):
    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                g = p.grad + self.weight_decay * p
                self.a[i] = (1 - self.alpha) * self.a[i] + self.alpha * g**2
                self.b[i] = self.momentum * self.b[i] + g / (self.a[i].sqrt() + self.eps)
                p -= self.lr * self.b[i]


# %% momentum is not used
class RMSprop(Kept):
    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                g = p.grad + self.weight_decay * p
                self.a[i] = self.alpha * self.a[i] + (1 - self.alpha) * g**2
                p -= self.lr * g / (self.a[i].sqrt() + self.eps)


# %% corrected for its start at zero, as in Adam
class RMSprop(Kept):
    @torch.inference_mode()
    def step(self):
        self.t += 1
        for i, p in enumerate(self.params):
            if p.grad is not None:
                g = p.grad + self.weight_decay * p
                self.a[i] = self.alpha * self.a[i] + (1 - self.alpha) * g**2
                size = (self.a[i] / (1 - self.alpha**self.t)).sqrt() + self.eps
                self.b[i] = self.momentum * self.b[i] + g / size
                p -= self.lr * self.b[i]


# %% the root of the running mean is missing
class RMSprop(Kept):
    @torch.inference_mode()
    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is not None:
                g = p.grad + self.weight_decay * p
                self.a[i] = self.alpha * self.a[i] + (1 - self.alpha) * g**2
                self.b[i] = self.momentum * self.b[i] + g / (self.a[i] + self.eps)
                p -= self.lr * self.b[i]


# %% state is shared between parameters
class RMSprop(Kept):
    @torch.inference_mode()
    def step(self):
        for p in self.params:
            if p.grad is not None:
                g = p.grad + self.weight_decay * p
                self.a[0] = self.alpha * self.a[0] + (1 - self.alpha) * g**2
                self.b[0] = self.momentum * self.b[0] + g / (self.a[0].sqrt() + self.eps)
                p -= self.lr * self.b[0]


# %% bias correction is missing
class Adam(AsAdam):
    fixed = (False, False)


# %% bias correction is off by one step: t is 1 in the first step, not 2
class Adam(AsAdam):
    shift = 1


# %% bias correction is off by one step: t is 1 in the first step, not 0
class Adam(AsAdam):
    shift = -1


# %% the mean of squares is not corrected
class Adam(AsAdam):
    fixed = (True, False)


# %% eps is added inside the root
class Adam(AsAdam):
    inside = True


# %% weight decay is decoupled, as in AdamW
class Adam(AsAdam):
    decoupled = True


# %% the two betas are swapped
class Adam(AsAdam):
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), **settings):
        super().__init__(params, lr, betas=betas[::-1], **settings)


# %% t counts parameters
class Adam(AsAdam):
    @torch.inference_mode()
    def step(self):
        b1, b2 = self.betas
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.t += 1
                g = p.grad + self.weight_decay * p
                self.a[i] = b1 * self.a[i] + (1 - b1) * g
                self.b[i] = b2 * self.b[i] + (1 - b2) * g**2
                m, s = self.a[i] / (1 - b1**self.t), self.b[i] / (1 - b2**self.t)
                p -= self.lr * m / (s.sqrt() + self.eps)


# %% eps is added before the correction
class Adam(AsAdam):
    @torch.inference_mode()
    def step(self):
        b1, b2 = self.betas
        self.t += 1
        for i, p in enumerate(self.params):
            if p.grad is not None:
                g = p.grad + self.weight_decay * p
                self.a[i] = b1 * self.a[i] + (1 - b1) * g
                self.b[i] = b2 * self.b[i] + (1 - b2) * g**2
                rate = self.lr * (1 - b2**self.t) ** 0.5 / (1 - b1**self.t)
                p -= rate * self.a[i] / (self.b[i].sqrt() + self.eps)


# %% state is shared between parameters
class Adam(AsAdam):
    def __init__(self, params, lr=0.001, **settings):
        super().__init__(params, lr, **settings)

    @torch.inference_mode()
    def step(self):
        b1, b2 = self.betas
        self.t += 1
        for p in self.params:
            if p.grad is not None:
                g = p.grad + self.weight_decay * p
                self.a[0] = b1 * self.a[0] + (1 - b1) * g
                self.b[0] = b2 * self.b[0] + (1 - b2) * g**2
                m, s = self.a[0] / (1 - b1**self.t), self.b[0] / (1 - b2**self.t)
                p -= self.lr * m / (s.sqrt() + self.eps)


# %% weight decay is coupled
class AdamW(AsAdam):
    pass


# %% weight decay is not multiplied by the learning rate
class AdamW(AsAdam):
    decoupled, wrong_decay = True, True


# %% weight decay is not used
class AdamW(AsAdam):
    decoupled = True

    def __init__(self, params, lr=0.001, weight_decay=0.0, **settings):
        super().__init__(params, lr, **settings)


# %% weight decay is applied after the step
class AdamW(AsAdam):
    @torch.inference_mode()
    def step(self):
        b1, b2 = self.betas
        self.t += 1
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.a[i] = b1 * self.a[i] + (1 - b1) * p.grad
                self.b[i] = b2 * self.b[i] + (1 - b2) * p.grad**2
                m, s = self.a[i] / (1 - b1**self.t), self.b[i] / (1 - b2**self.t)
                p -= self.lr * m / (s.sqrt() + self.eps)
                p *= 1 - self.lr * self.weight_decay


# %% bias correction is missing
class AdamW(AsAdam):
    decoupled, fixed = True, (False, False)


# %% eps is added inside the root
class AdamW(AsAdam):
    decoupled, inside = True, True


# %% something is logged before wandb.init
class WandbResNetFinetuner(WandbResNetFinetuner):
    def pre_training_setup(self):
        ResNetFinetuner.pre_training_setup(self)
        wandb.log({"loss": 0.0}, step=0)
        wandb.init(project=self.args.wandb_project, name=self.args.wandb_name, config=self.args)


# %% the run does not know its settings
class WandbResNetFinetuner(WandbResNetFinetuner):
    def pre_training_setup(self):
        ResNetFinetuner.pre_training_setup(self)
        wandb.init(project=self.args.wandb_project, name=self.args.wandb_name)


# %% the run's project must be self.args.wandb_project
class WandbResNetFinetuner(WandbResNetFinetuner):
    def pre_training_setup(self):
        ResNetFinetuner.pre_training_setup(self)
        wandb.init(name=self.args.wandb_name, config=self.args)


# %% wandb.finish was called 0 times
class WandbResNetFinetuner(WandbResNetFinetuner):
    def train(self):
        logged = ResNetFinetuner.train(self)
        pictures = [wandb.Image(image, caption=c) for image, c in self.sample_pictures()]
        wandb.log({"examples": pictures}, step=self.examples_seen)
        return logged


# %% give log step=self.examples_seen
class WandbResNetFinetuner(WandbResNetFinetuner):
    def training_step(self, imgs, labels):
        loss = ResNetFinetuner.training_step(self, imgs, labels)
        wandb.log({"loss": loss.item()})
        return loss


# %% examples_seen is counted twice
class WandbResNetFinetuner(WandbResNetFinetuner):
    def training_step(self, imgs, labels):
        loss = ResNetFinetuner.training_step(self, imgs, labels)
        self.examples_seen += len(imgs)
        wandb.log({"loss": loss.item()}, step=self.examples_seen)
        return loss


# %% a loss with its graph is logged
class WandbResNetFinetuner(WandbResNetFinetuner):
    def training_step(self, imgs, labels):
        loss = ResNetFinetuner.training_step(self, imgs, labels)
        wandb.log({"loss": loss}, step=self.examples_seen)
        return loss


# %% the accuracy was logged 0 times
class WandbResNetFinetuner(WandbResNetFinetuner):
    def evaluate(self):
        return ResNetFinetuner.evaluate(self)


# %% evaluate must return the accuracy
class WandbResNetFinetuner(WandbResNetFinetuner):
    def evaluate(self):
        accuracy = ResNetFinetuner.evaluate(self)
        wandb.log({"accuracy": accuracy}, step=self.examples_seen)

    def train(self):
        self.pre_training_setup()
        for _ in range(self.args.epochs):
            self.evaluate()
            for imgs, labels in self.train_loader:
                self.training_step(imgs, labels)
        self.evaluate()
        pictures = [wandb.Image(image, caption=c) for image, c in self.sample_pictures()]
        wandb.log({"examples": pictures}, step=self.examples_seen)
        wandb.finish()
        return self.logged_variables


# %% the pictures are logged as they are
class WandbResNetFinetuner(WandbResNetFinetuner):
    def train(self):
        logged = ResNetFinetuner.train(self)
        pictures = [image for image, _ in self.sample_pictures()]
        wandb.log({"examples": pictures}, step=self.examples_seen)
        wandb.finish()
        return logged


# %% no pictures are logged
class WandbResNetFinetuner(WandbResNetFinetuner):
    def train(self):
        logged = ResNetFinetuner.train(self)
        wandb.finish()
        return logged


# %% the metric's goal must be 'maximize'
sweep_config = {**sweep_config, "metric": {"name": "accuracy"}}


# %% the metric's name must be 'accuracy'
sweep_config = {**sweep_config, "metric": {"name": "loss", "goal": "maximize"}}


# %% it must be 'random'
sweep_config = {**sweep_config, "method": "grid"}


# %% the batch size must be one of
sweep_config = {**sweep_config, "parameters": {**sweep_config["parameters"], "batch_size": {"min": 32, "max": 256}}}


# %% must be drawn log-uniformly
sweep_config = {**sweep_config, "parameters": {**sweep_config["parameters"], "learning_rate": {"min": 1e-4, "max": 1e-1}}}


# %% log_uniform takes exponents
sweep_config = {**sweep_config, "parameters": {**sweep_config["parameters"], "learning_rate": {"distribution": "log_uniform", "min": 1e-4, "max": 1e-1}}}


# %% sweep_config has no 'metric'
sweep_config = {"method": "random", "parameters": sweep_config["parameters"]}


# %% which does not exist
sweep_config = {**sweep_config, "parameters": {**sweep_config["parameters"], "weight_decay": {"distribution": "log-uniform", "min": 1e-4, "max": 1e-2}}}


# %% its values are all the same
sweep_config = {**sweep_config, "parameters": {**sweep_config["parameters"], "weight_decay_on": {"values": [True, True]}}}


# %% weight_decay is never changed
def update_args(args, sampled_parameters):
    return replace(args, learning_rate=sampled_parameters["learning_rate"], batch_size=sampled_parameters["batch_size"])


# %% weight_decay is never 0
def update_args(args, sampled_parameters):
    chosen = {name: sampled_parameters[name] for name in ("learning_rate", "batch_size", "weight_decay")}
    return replace(args, **chosen)


# %% update_args must return the settings
def update_args(args, sampled_parameters):
    args.learning_rate = sampled_parameters["learning_rate"]
    args.batch_size = sampled_parameters["batch_size"]
    args.weight_decay = sampled_parameters["weight_decay"] * sampled_parameters["weight_decay_on"]


# %% learning_rate: it is never changed
def update_args(args, sampled_parameters):
    args.batch_size = sampled_parameters["batch_size"]
    args.weight_decay = sampled_parameters["weight_decay"] * sampled_parameters["weight_decay_on"]
    return args


# %% a setting that is not searched over has changed
def update_args(args, sampled_parameters):
    return WandbResNetFinetuningArgs(
        learning_rate=sampled_parameters["learning_rate"],
        batch_size=sampled_parameters["batch_size"],
        weight_decay=sampled_parameters["weight_decay"] * sampled_parameters["weight_decay_on"],
    )


# %% weight_decay must lie between 1e-4 and 1e-2
def update_args(args, sampled_parameters):
    is_on = sampled_parameters["weight_decay_on"]
    return replace(
        args,
        learning_rate=sampled_parameters["learning_rate"],
        batch_size=sampled_parameters["batch_size"],
        weight_decay=sampled_parameters["learning_rate"] if is_on else 0.0,
    )


# %% a group's own settings are not used
class ParamGroupSGD(ParamGroupSGD):
    def __init__(self, params, **kwargs):
        super().__init__(params, **kwargs)
        for group in self.param_groups:
            group.update({"lr": 0.0, **kwargs})
        if "lr" not in kwargs and isinstance(kwargs, dict):
            pass


# %% all groups have the settings of the first
class ParamGroupSGD(ParamGroupSGD):
    def __init__(self, params, **kwargs):
        super().__init__(params, **kwargs)
        first = {k: v for k, v in self.param_groups[0].items() if k != "params"}
        for group in self.param_groups:
            group.update(first)


# %% a parameter comes twice
class ParamGroupSGD(ParamGroupSGD):
    def __init__(self, params, **kwargs):
        groups = list(params)
        groups = groups if groups and isinstance(groups[0], dict) else [{"params": groups}]
        defaults = {"momentum": 0.0, "weight_decay": 0.0, **kwargs}
        self.param_groups = [{**defaults, **g, "params": list(g["params"])} for g in groups]
        self.velocities = [[torch.zeros_like(p) for p in g["params"]] for g in self.param_groups]


# %% there is no lr
class ParamGroupSGD(ParamGroupSGD):
    def __init__(self, params, lr=0.001, **kwargs):
        super().__init__(params, lr=lr, **kwargs)


# %% the second group has no lr
class ParamGroupSGD(ParamGroupSGD):
    def __init__(self, params, **kwargs):
        groups = list(params)
        groups = groups if groups and isinstance(groups[0], dict) else [{"params": groups}]
        if "lr" not in {**kwargs, **groups[0]}:
            raise ValueError("no lr")
        super().__init__(groups, **{"lr": groups[0].get("lr"), **kwargs})


# %% step must read the settings there
class ParamGroupSGD(ParamGroupSGD):
    def __init__(self, params, **kwargs):
        super().__init__(params, **kwargs)
        self.rates = [group["lr"] for group in self.param_groups]

    def step(self):
        now = [group["lr"] for group in self.param_groups]
        for group, rate in zip(self.param_groups, self.rates):
            group["lr"] = rate
        super().step()
        for group, rate in zip(self.param_groups, now):
            group["lr"] = rate


# %% the rate is set to gamma
class ExponentialLR(ExponentialLR):
    def step(self):
        self.optimizer.lr = self.gamma


# %% the rate is divided by gamma
class ExponentialLR(ExponentialLR):
    def step(self):
        self.optimizer.lr /= self.gamma


# %% gamma is subtracted
class ExponentialLR(ExponentialLR):
    def step(self):
        self.optimizer.lr -= self.gamma


# %% the factor grows
class ExponentialLR(ExponentialLR):
    n = 0

    def step(self):
        self.n += 1
        self.optimizer.lr *= self.gamma**self.n


# %% the learning rate never changes
class ExponentialLR(ExponentialLR):
    def step(self):
        lr = self.optimizer.lr
        lr *= self.gamma


# %% e^-gamma is the factor
class ExponentialLR(ExponentialLR):
    def step(self):
        self.optimizer.lr *= math.exp(-self.gamma)


# %% the rate falls one epoch too early
class StepLR(StepLR):
    def step(self):
        self.n_epochs += 1
        if (self.n_epochs + 1) % self.step_size == 0:
            self.optimizer.lr *= self.gamma


# %% the rate falls after the first epoch already
class StepLR(StepLR):
    def step(self):
        if self.n_epochs % self.step_size == 0:
            self.optimizer.lr *= self.gamma
        self.n_epochs += 1


# %% step_size is not used
class StepLR(StepLR):
    def step(self):
        self.optimizer.lr *= self.gamma


# %% an epoch is counted twice
class StepLR(StepLR):
    def step(self):
        self.n_epochs += 1
        super().step()


# %% the rate falls once and never again
class StepLR(StepLR):
    def step(self):
        self.n_epochs += 1
        if self.n_epochs == self.step_size:
            self.optimizer.lr *= self.gamma


# %% the rate falls one epoch too late
class StepLR(StepLR):
    def step(self):
        self.n_epochs += 1
        if self.n_epochs > 1 and (self.n_epochs - 1) % self.step_size == 0:
            self.optimizer.lr *= self.gamma


# %% the rate falls one epoch too late
class MultiStepLR(MultiStepLR):
    def step(self):
        if self.n_epochs in self.milestones:
            self.optimizer.lr *= self.gamma
        self.n_epochs += 1


# %% the rate falls one epoch too early
class MultiStepLR(MultiStepLR):
    def step(self):
        self.n_epochs += 1
        if self.n_epochs + 1 in self.milestones:
            self.optimizer.lr *= self.gamma


# %% the rate falls in every epoch from a milestone on
class MultiStepLR(MultiStepLR):
    def step(self):
        self.n_epochs += 1
        if self.n_epochs >= self.milestones[0]:
            self.optimizer.lr *= self.gamma


# %% only the first milestone counts
class MultiStepLR(MultiStepLR):
    def step(self):
        self.n_epochs += 1
        if self.n_epochs == self.milestones[0]:
            self.optimizer.lr *= self.gamma


# %% a milestone that is listed twice counts twice
class MultiStepLR(MultiStepLR):
    def step(self):
        self.n_epochs += 1
        if self.n_epochs in self.milestones:
            self.optimizer.lr *= self.gamma


# %% the matrix is not divided by its norm first
def newton_schulz(matrix, n_steps=5):
    a, b, c = 3.4445, -4.775, 2.0315
    x = matrix
    for _ in range(n_steps):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x


# %% the number of steps is not used
def newton_schulz(matrix, n_steps=5):
    a, b, c = 3.4445, -4.775, 2.0315
    x = matrix / matrix.norm()
    for _ in range(5):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x


# %% the last term, c(XXᵀ)²X, is missing
def newton_schulz(matrix, n_steps=5):
    a, b, _ = 3.4445, -4.775, 2.0315
    x = matrix / matrix.norm()
    for _ in range(n_steps):
        x = a * x + b * x @ x.T @ x
    return x


# %% divided by the largest singular value
def newton_schulz(matrix, n_steps=5):
    a, b, c = 3.4445, -4.775, 2.0315
    x = matrix / torch.linalg.matrix_norm(matrix, 2)
    for _ in range(n_steps):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x


# %% newton_schulz changes its argument in place
def newton_schulz(matrix, n_steps=5):
    a, b, c = 3.4445, -4.775, 2.0315
    norm = matrix.norm().item()
    x = matrix / norm
    for _ in range(n_steps):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    matrix /= norm
    return x


# %% the velocity is not made orthogonal
class Muon(Muon):
    @torch.inference_mode()
    def step(self):
        for p, v in zip(self.params, self.velocities):
            if p.grad is not None:
                v.mul_(self.momentum).add_(p.grad)
                p *= 1 - self.lr * self.weight_decay
                p -= self.lr * max(1.0, p.shape[0] / p.shape[1]) ** 0.5 * v


# %% the factor √max(1, rows / cols) is missing
class Muon(Muon):
    @torch.inference_mode()
    def step(self):
        for p, v in zip(self.params, self.velocities):
            if p.grad is not None:
                v.mul_(self.momentum).add_(p.grad)
                p *= 1 - self.lr * self.weight_decay
                p -= self.lr * newton_schulz(v)


# %% the factor is that of cols / rows
class Muon(Muon):
    @torch.inference_mode()
    def step(self):
        for p, v in zip(self.params, self.velocities):
            if p.grad is not None:
                v.mul_(self.momentum).add_(p.grad)
                p *= 1 - self.lr * self.weight_decay
                p -= self.lr * max(1.0, p.shape[1] / p.shape[0]) ** 0.5 * newton_schulz(v)


# %% momentum is not used
class Muon(Muon):
    @torch.inference_mode()
    def step(self):
        for p in self.params:
            if p.grad is not None:
                p *= 1 - self.lr * self.weight_decay
                p -= self.lr * max(1.0, p.shape[0] / p.shape[1]) ** 0.5 * newton_schulz(p.grad)


# %% weight decay is coupled
class Muon(Muon):
    @torch.inference_mode()
    def step(self):
        for p, v in zip(self.params, self.velocities):
            if p.grad is not None:
                v.mul_(self.momentum).add_(p.grad + self.weight_decay * p)
                p -= self.lr * max(1.0, p.shape[0] / p.shape[1]) ** 0.5 * newton_schulz(v)


# %% a parameter has one axis
class Muon(Muon):
    def __init__(self, params, lr=0.02, momentum=0.95, weight_decay=0.0):
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self.params = list(params)
        self.velocities = [torch.zeros_like(p) for p in self.params]


# %% the sign of b
def fit_power_law(sizes, losses):
    x, y = sizes.log(), losses.log()
    b = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return (y.mean() - b * x.mean()).exp().item(), b.item()


# %% a is still a logarithm
def fit_power_law(sizes, losses):
    x, y = sizes.log(), losses.log()
    b = -((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return (y.mean() + b * x.mean()).item(), b.item()


# %% a and b are swapped
def fit_power_law(sizes, losses):
    x, y = sizes.log(), losses.log()
    b = -((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return b.item(), (y.mean() + b * x.mean()).exp().item()


# %% drawn through the first and last point
def fit_power_law(sizes, losses):
    x, y = sizes.log(), losses.log()
    b = -(y[-1] - y[0]) / (x[-1] - x[0])
    return (y[0] + b * x[0]).exp().item(), b.item()


# %% log10 for the fit, but exp for a
def fit_power_law(sizes, losses):
    x, y = sizes.log10(), losses.log10()
    b = -((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return (y.mean() + b * x.mean()).exp().item(), b.item()


# %% rank 1 has finished: nobody receives
def broadcast(tensor, rank, world_size, src=0):
    if rank == src:
        for dst in range(world_size):
            if dst != src:
                dist.send(tensor, dst)

# %% has finished: nobody sends
def broadcast(tensor, rank, world_size, src=0):
    if rank == src:
        dist.send(tensor, (src + 1) % world_size)
    else:
        dist.recv(tensor, src)

# %% destination rank should not be the same
def broadcast(tensor, rank, world_size, src=0):
    if rank == src:
        for dst in range(world_size):
            dist.send(tensor, dst)
    else:
        dist.recv(tensor, src)

# %% this is the tensor of rank 0, not that of src=2
def broadcast(tensor, rank, world_size, src=0):
    if rank == 0:
        for dst in range(1, world_size):
            dist.send(tensor, dst)
    else:
        dist.recv(tensor, 0)

# %% is as it was; change it in place
def broadcast(tensor, rank, world_size, src=0):
    if rank == src:
        for dst in range(world_size):
            if dst != src:
                dist.send(tensor, dst)
    else:
        tensor = torch.zeros_like(tensor)
        dist.recv(tensor, src)

# %% the tags differ: rank 0 waits in send with tag 1, rank 1 receives with tag 0
def broadcast(tensor, rank, world_size, src=0):
    if rank == src:
        for dst in range(world_size):
            if dst != src:
                dist.send(tensor, dst, tag=dst)
    else:
        dist.recv(tensor, src)

# %% was posted and never waited for
def broadcast(tensor, rank, world_size, src=0):
    if rank == src:
        for dst in range(world_size):
            if dst != src:
                dist.send(tensor, dst)
    else:
        dist.irecv(tensor, src)

# %% dist.broadcast does the work here
def broadcast(tensor, rank, world_size, src=0):
    dist.broadcast(tensor, src)

# %% each waits until its message is taken, and nobody receives
def broadcast(tensor, rank, world_size, src=0):
    dist.send(tensor, (rank + 1) % world_size)
    dist.recv(tensor, (rank - 1) % world_size)

# %% receives it into one of shape
def broadcast(tensor, rank, world_size, src=0):
    if rank == src:
        for dst in range(world_size):
            if dst != src:
                dist.send(tensor, dst)
    else:
        received = torch.zeros(1)
        dist.recv(received, src)
        tensor.copy_(received)

# %% op="mean" gives the sum; divide by world_size
def reduce(tensor, rank, world_size, dst=0, op="sum"):
    star(tensor, rank, world_size, dst, "sum")

# %% op="sum" gives the mean; divide only for op="mean"
def reduce(tensor, rank, world_size, dst=0, op="sum"):
    star(tensor, rank, world_size, dst, "mean")

# %% the result is on rank 0; it must be on dst=2
def reduce(tensor, rank, world_size, dst=0, op="sum"):
    star(tensor, rank, world_size, 0, op)

# %% the own tensor is overwritten by the last one that was received
def reduce(tensor, rank, world_size, dst=0, op="sum"):
    star(tensor, rank, world_size, dst, "sum", combine=lambda a, b: a.copy_(b))

# %% divided by the number of other ranks
def reduce(tensor, rank, world_size, dst=0, op="sum"):
    star(tensor, rank, world_size, dst, "sum")
    if op == "mean" and world_size > 1:
        tensor /= world_size - 1

# %% the product is formed
def reduce(tensor, rank, world_size, dst=0, op="sum"):
    star(tensor, rank, world_size, dst, op, combine=lambda a, b: a.mul_(b))

# %% is as it was; change it in place
def reduce(tensor, rank, world_size, dst=0, op="sum"):
    star(tensor.clone(), rank, world_size, dst, op)

# %% the tags differ: rank 0 waits in recv with tag 5, rank 1 sends with tag 0
def reduce(tensor, rank, world_size, dst=0, op="sum"):
    star(tensor, rank, world_size, dst, op, tag=5)

# %% nobody receives
def reduce(tensor, rank, world_size, dst=0, op="sum"):
    if rank == dst:
        for src in range(dst):
            received = torch.empty_like(tensor)
            dist.recv(received, src)
            tensor += received
    else:
        dist.send(tensor, dst)

# %% each waits for another to send first
def reduce(tensor, rank, world_size, dst=0, op="sum"):
    received = torch.empty_like(tensor)
    dist.recv(received, (rank + 1) % world_size)
    dist.send(tensor, (rank + 1) % world_size)

# %% only rank 0 has the result; every rank must
def all_reduce(tensor, rank, world_size, op="sum"):
    reduce(tensor, rank, world_size, 0, op)

# %% divided by world_size twice
def all_reduce(tensor, rank, world_size, op="sum"):
    reduce(tensor, rank, world_size, 0, op)
    broadcast(tensor, rank, world_size)
    if op == "mean":
        tensor /= world_size

# %% op="mean" gives the sum; divide by world_size
def all_reduce(tensor, rank, world_size, op="sum"):
    reduce(tensor, rank, world_size)
    broadcast(tensor, rank, world_size)

# %% each waits until its message is taken, and nobody receives
def all_reduce(tensor, rank, world_size, op="sum"):
    received = torch.empty_like(tensor)
    for other in range(world_size):
        if other != rank:
            dist.send(tensor, other)
    for other in range(world_size):
        if other != rank:
            dist.recv(received, other)
            tensor += received

# %% dist.all_reduce does the work here
def all_reduce(tensor, rank, world_size, op="sum"):
    dist.all_reduce(tensor)
    if op == "mean":
        tensor /= world_size

# %% counts twice
def all_reduce(tensor, rank, world_size, op="sum"):
    own = tensor.clone()
    reduce(tensor, rank, world_size)
    broadcast(tensor, rank, world_size)
    tensor += own
    if op == "mean":
        tensor /= world_size

# %% must return a list of tensors
def gather(tensor, rank, world_size, dst=0):
    if rank != dst:
        dist.send(tensor, dst)
    else:
        for src in range(world_size):
            if src != dst:
                dist.recv(torch.empty_like(tensor), src)

# %% all places of the list hold the same tensor
def gather(tensor, rank, world_size, dst=0):
    if rank != dst:
        return dist.send(tensor, dst)
    found, received = [], tensor.clone()
    for src in range(world_size):
        if src != dst:
            dist.recv(received, src)
        found.append(received)
    return found

# %% the result holds 2 values; expected 3
def gather(tensor, rank, world_size, dst=0):
    if rank != dst:
        return dist.send(tensor, dst)
    found = []
    for src in range(world_size):
        if src != dst:
            found.append(torch.empty_like(tensor))
            dist.recv(found[-1], src)
    return found

# %% the tensors stand in the wrong order
def gather(tensor, rank, world_size, dst=0):
    if rank != dst:
        return dist.send(tensor, dst)
    found = []
    for src in range(world_size):
        found.insert(0, tensor.clone())
        if src != dst:
            dist.recv(found[0], src)
    return found

# %% only dst=0 collects
def gather(tensor, rank, world_size, dst=0):
    if rank != dst:
        dist.send(tensor, dst)
        return tensor
    found = [tensor.clone() for _ in range(world_size)]
    for src in range(world_size):
        if src != dst:
            dist.recv(found[src], src)
    return found

# %% stepped by its own gradient alone: average the gradients first
class DistResNetTrainer(Trainer):
    def gradients(self):
        pass

# %% the gradients are added up and not averaged
class DistResNetTrainer(Trainer):
    def gradients(self):
        for param in self.model.parameters():
            all_reduce(param.grad, self.rank, self.args.world_size)

# %% begins with other weights than rank 0: broadcast the weights
class DistResNetTrainer(Trainer):
    def pre_training_setup(self):
        super().pre_training_setup()
        self.model = self.args.make_model(self.args.n_classes)
        self.optimizer = self.args.make_optimizer(self.model.parameters(), lr=0.5)

# %% not those that rank 0 made: broadcast them from rank 0
class DistResNetTrainer(Trainer):
    def pre_training_setup(self):
        super().pre_training_setup()
        self.model = self.args.make_model(self.args.n_classes)
        for param in self.model.parameters():
            broadcast(param.data, self.rank, self.args.world_size, src=1)
        self.optimizer = self.args.make_optimizer(self.model.parameters(), lr=0.5)

# %% the weights of rank 0 are not those of one process
class DistResNetTrainer(Trainer):
    def gradients(self):
        for param in list(self.model.parameters())[:-1]:
            all_reduce(param.grad, self.rank, self.args.world_size, op="mean")

# %% must return the mean loss over all ranks
class DistResNetTrainer(Trainer):
    def mean(self, loss):
        return loss

# %% training_step does not change the weights
class DistResNetTrainer(Trainer):
    def pre_training_setup(self):
        super().pre_training_setup()
        self.optimizer = self.args.make_optimizer([torch.zeros(1, requires_grad=True)], lr=0.5)

# %% all ranks' pictures count
class DistResNetTrainer(Trainer):
    def training_step(self, imgs, labels):
        loss = super().training_step(imgs, labels)
        self.examples_seen -= len(imgs) * (self.args.world_size - 1)
        return loss

# %% only rank 0 is to begin a run
class DistResNetTrainer(Trainer):
    def pre_training_setup(self):
        super().pre_training_setup()
        if self.rank > 0:
            wandb.init(project=self.args.wandb_project, config=vars(self.args))

# %% the sampler is not used
class DistResNetTrainer(Trainer):
    def pre_training_setup(self):
        super().pre_training_setup()
        self.train_loader = DataLoader(self.args.load_data()[0], 2, shuffle=True)

# %% two ranks trained on the same pictures
class DistResNetTrainer(Trainer):
    def pre_training_setup(self):
        super().pre_training_setup()
        self.train_sampler = DistributedSampler(self.args.load_data()[0], 3, 0)
        self.train_loader = DataLoader(self.args.load_data()[0], 2, sampler=self.train_sampler)

# %% both epochs have the same order: call train_sampler.set_epoch(epoch)
class DistResNetTrainer(Trainer):
    def train(self):
        self.pre_training_setup()
        for epoch in range(self.args.epochs):
            for imgs, labels in self.train_loader:
                self.training_step(imgs, labels)
            self.evaluate()

# %% every rank tests the whole test set
class DistResNetTrainer(Trainer):
    def pre_training_setup(self):
        super().pre_training_setup()
        self.test_loader = Batches(self.args.load_data()[1], 2)

# %% a DistributedSampler fills up with pictures that then count twice
class DistResNetTrainer(Trainer):
    def pre_training_setup(self):
        super().pre_training_setup()
        testset = self.args.load_data()[1]
        sampler = DistributedSampler(testset, self.args.world_size, self.rank, shuffle=False)
        self.test_loader = DataLoader(testset, 2, sampler=sampler)

# %% this is the accuracy on this rank's share alone
class DistResNetTrainer(Trainer):
    def evaluate(self):
        self.model.eval()
        right = [(self.model(imgs).argmax(1) == labels) for imgs, labels in self.test_loader]
        self.logged_variables["accuracy"].append(torch.cat(right).float().mean().item())
        return self.logged_variables["accuracy"][-1]

# %% the mean of the ranks' accuracies is not the accuracy
class DistResNetTrainer(Trainer):
    def evaluate(self):
        self.model.eval()
        right = [(self.model(imgs).argmax(1) == labels) for imgs, labels in self.test_loader]
        accuracy = torch.cat(right).float().mean()
        all_reduce(accuracy, self.rank, self.args.world_size, op="mean")
        self.logged_variables["accuracy"].append(accuracy.item())
        return accuracy.item()

# %% training_step runs in evaluation mode after an evaluation
class DistResNetTrainer(DistResNetTrainer):
    def training_step(self, imgs, labels):
        loss = F.cross_entropy(self.model(imgs), labels)
        self.optimizer.zero_grad()
        loss.backward()
        for param in self.model.parameters():
            all_reduce(param.grad, self.rank, self.args.world_size, op="mean")
        self.optimizer.step()
        loss = loss.detach()
        all_reduce(loss, self.rank, self.args.world_size, op="mean")
        self.examples_seen += len(imgs) * self.args.world_size
        self.logged_variables["loss"].append(loss.item())
        return loss

# %% evaluate tests in training mode
class DistResNetTrainer(DistResNetTrainer):
    def evaluate(self):
        counts = torch.zeros(2)
        for imgs, labels in self.test_loader:
            counts[0] += (self.model(imgs).argmax(1) == labels).sum()
            counts[1] += len(labels)
        all_reduce(counts, self.rank, self.args.world_size)
        self.logged_variables["accuracy"].append((counts[0] / counts[1]).item())
        return self.logged_variables["accuracy"][-1]

# %% hand args.batch_size
class DistResNetTrainer(DistResNetTrainer):
    def pre_training_setup(self):
        super().pre_training_setup()
        self.train_loader = DataLoader(self.args.load_data()[0], sampler=self.train_sampler)

# %% rank 1 prints too: only rank 0 is to
class DistResNetTrainer(DistResNetTrainer):
    def evaluate(self):
        accuracy = super().evaluate()
        print(f"accuracy {accuracy:.1%}")
        return accuracy

# %% rank 0 logs its loss at the wrong steps
class DistResNetTrainer(Trainer):
    def mean(self, loss):
        loss = super().mean(loss)
        if self.rank == 0:
            wandb.log({"loss": loss.item()}, step=len(self.logged_variables["loss"]))
        return loss

# %% wandb.finish was called 0 times
class DistResNetTrainer(Trainer):
    def train(self):
        self.pre_training_setup()
        for epoch in range(self.args.epochs):
            self.train_sampler.set_epoch(epoch)
            for imgs, labels in self.train_loader:
                self.training_step(imgs, labels)
            self.evaluate()

# %% rank 0 waits in recv(src=1); rank 1 has finished: nobody sends
class DistResNetTrainer(Trainer):
    def training_step(self, imgs, labels):
        if self.rank == 0:
            return super().training_step(imgs, labels)
        return torch.tensor(0.0)

# %% receives it into one of shape
def ring_all_reduce(tensor, rank, world_size, op="sum"):
    ring(tensor, rank, world_size, op, offset=1)

# %% is wrong
def ring_all_reduce(tensor, rank, world_size, op="sum"):
    ring(tensor, rank, world_size, op, rounds=1)

# %% of 2 values
def ring_all_reduce(tensor, rank, world_size, op="sum"):
    ring(tensor, rank, world_size, op, add=False)

# %% op="mean" gives the sum; divide by world_size
def ring_all_reduce(tensor, rank, world_size, op="sum"):
    ring(tensor, rank, world_size, "sum")

# %% in a ring it sends to one neighbour only
def ring_all_reduce(tensor, rank, world_size, op="sum"):
    all_reduce(tensor, rank, world_size, op)

# %% send one chunk at a time
def ring_all_reduce(tensor, rank, world_size, op="sum"):
    own = tensor.clone()
    for _ in range(world_size - 1):
        received = torch.empty_like(tensor)
        for request in [dist.isend(own, (rank + 1) % world_size),
                        dist.irecv(received, (rank - 1) % world_size)]:
            request.wait()
        tensor += received
        own = received
    if op == "mean":
        tensor /= world_size

# %% each waits until its message is taken, and nobody receives
def ring_all_reduce(tensor, rank, world_size, op="sum"):
    chunks = tensor.view(-1).tensor_split(world_size)
    for step in range(2 * (world_size - 1)):
        dist.send(chunks[(rank - step) % world_size], (rank + 1) % world_size)
        dist.recv(chunks[(rank - step - 1) % world_size], (rank - 1) % world_size)
