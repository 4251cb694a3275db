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


# %% the dicts that are given are changed
class ParamGroupSGD(ParamGroupSGD):
    def __init__(self, params, **kwargs):
        params = list(params)
        super().__init__(params, **kwargs)
        if params and isinstance(params[0], dict):
            for given, group in zip(params, self.param_groups):
                given.update(group)


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
