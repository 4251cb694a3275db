"""Right answers to 0.5 in other styles than our solutions; all must pass."""

import einops
from einops.layers.torch import Rearrange
from part2_cnns import solutions as cnns

# %% functional encoder in modules of its own
class Autoencoder(nn.Module):
    def __init__(self, latent_dim_size, hidden_dim_size):
        super().__init__()
        self.latent_dim_size, self.hidden_dim_size = latent_dim_size, hidden_dim_size

        class Down(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv1 = nn.Conv2d(1, 16, (4, 4), 2, 1, bias=False)
                self.conv2 = nn.Conv2d(16, 32, (4, 4), 2, 1, bias=False)
                self.first = nn.Linear(7 * 7 * 32, hidden_dim_size)
                self.second = nn.Linear(hidden_dim_size, latent_dim_size)

            def forward(self, x):
                x = self.conv2(self.conv1(x).relu()).relu()
                return self.second(self.first(x.reshape(len(x), -1)).relu())

        self.encoder = Down()
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim_size, hidden_dim_size), nn.ReLU(inplace=True),
            nn.Linear(hidden_dim_size, 1568), nn.ReLU(), Rearrange("b (c h w) -> b c h w", c=32, h=7),
            nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False), nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 4, 2, 1, bias=False),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))

# %% the layers of 0.2
class Autoencoder(nn.Module):
    def __init__(self, latent_dim_size, hidden_dim_size):
        from part2_cnns.solutions import Conv2d, Flatten, Linear, ReLU

        super().__init__()
        self.latent_dim_size, self.hidden_dim_size = latent_dim_size, hidden_dim_size
        self.encoder = nn.Sequential(
            Conv2d(1, 16, 4, 2, 1), ReLU(), Conv2d(16, 32, 4, 2, 1), ReLU(), Flatten(),
            Linear(1568, hidden_dim_size), ReLU(), Linear(hidden_dim_size, latent_dim_size))
        self.decoder = nn.Sequential(
            Linear(latent_dim_size, hidden_dim_size), ReLU(), Linear(hidden_dim_size, 1568), ReLU(),
            nn.Unflatten(1, (32, 7, 7)), nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False), ReLU(),
            nn.ConvTranspose2d(16, 1, 4, 2, 1, bias=False))

    def forward(self, x):
        return self.decoder(self.encoder(x))

# %% squares by hand, the loss as a number, labels by index
class AutoencoderTrainer(AutoencoderTrainer):
    def training_step(self, img):
        self.optimizer.zero_grad()
        loss = ((img - self.model(img)) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

# %% a while loop, modulus turned round
class AutoencoderTrainer(AutoencoderTrainer):
    def train(self):
        with self.run:
            epoch = 0
            while epoch < self.args.epochs:
                for batch in self.trainloader:
                    loss = self.training_step(batch[0])
                    self.step = self.step + 1
                    if not self.step % self.args.log_every_n_steps:
                        self.log_samples()
                    self.run.log(loss=loss.item())
                epoch += 1
            self.log_samples()
        return self.model

# %% rsample of a distribution
class VAE(VAE):
    def sample_latent_vector(self, x):
        mu, logsigma = self.encoder(x).unbind(0)
        return torch.distributions.Normal(mu, logsigma.exp()).rsample(), mu, logsigma

# %% interleaved outputs, noise from torch.randn
class VAE(VAE):
    def __init__(self, latent_dim_size, hidden_dim_size):
        super().__init__(latent_dim_size, hidden_dim_size)
        self.encoder[-1] = Rearrange("b (l two) -> two b l", two=2)

    def sample_latent_vector(self, x):
        code = self.encoder(x)
        noise = torch.randn(code[0].shape)
        return code[0] + torch.exp(code[1]) * noise, code[0], code[1]

# %% by torch.distributions
def kl_divergence(mu, logsigma):
    q = torch.distributions.Normal(mu, logsigma.exp())
    return torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).mean()

# %% loops
def kl_divergence(mu, logsigma):
    total = 0
    for m, s in zip(mu.flatten(), logsigma.flatten()):
        total = total + 0.5 * (m * m + s.exp() ** 2) - 0.5 - s
    return total / mu.numel()

# %% everything in one function
class VAETrainer(VAETrainer):
    def training_step(self, img):
        self.model.zero_grad()
        out, mu, logsigma = self.model(img)
        kl = -0.5 * (1 + 2 * logsigma - mu.pow(2) - logsigma.exp().pow(2)).mean()
        loss = nn.MSELoss()(out, img) + kl * self.args.beta_kl
        loss.backward()
        self.optimizer.step()
        return loss.detach()

# %% the loop over zip
class VAETrainer(VAETrainer):
    def train(self):
        with self.run:
            for epoch in range(1, self.args.epochs + 1):
                for i, (images, labels) in enumerate(self.trainloader):
                    self.run.log(loss=self.training_step(images))
                    self.step += 1
                    if self.step % self.args.log_every_n_steps == 0:
                        self.log_samples()
            self.log_samples()
        return self.model

# %% two stable halves
class Tanh(nn.Module):
    def forward(self, x):
        a = (-2 * x.abs()).exp()
        return torch.where(x >= 0, 1 - a, a - 1) / (1 + a)

# %% torch's
class Tanh(nn.Module):
    def forward(self, x):
        return torch.tanh(x)

# %% maximum and minimum
class LeakyReLU(nn.Module):
    def __init__(self, negative_slope=0.01):
        super().__init__()
        self.slope = negative_slope
    def forward(self, x):
        return x.clamp(min=0) + self.slope * x.clamp(max=0)
    def extra_repr(self):
        return f"{self.slope}"

# %% torch's
class LeakyReLU(nn.LeakyReLU):
    pass

# %% by tanh
class Sigmoid(nn.Module):
    def forward(self, x):
        return (1 + torch.tanh(x / 2)) / 2

# %% torch's
class Sigmoid(nn.Sigmoid):
    pass

# %% own layers, a loop in forward
class Generator(nn.Module):
    def __init__(self, latent_dim_size=100, img_size=64, img_channels=3, hidden_channels=[128, 256, 512]):
        super().__init__()
        n = len(hidden_channels)
        assert img_size % 2**n == 0
        s = img_size // 2**n
        c = hidden_channels[-1]
        self.project_and_reshape = nn.ModuleList([
            cnns.Linear(latent_dim_size, c * s * s, bias=False),
            Rearrange("b (c h w) -> b c h w", c=c, h=s), cnns.BatchNorm2d(c), cnns.ReLU()])
        outs = [img_channels, *hidden_channels[:-1]]
        self.hidden_layers = nn.ModuleList()
        for i in reversed(range(n)):
            self.hidden_layers.append(ConvTranspose2d(hidden_channels[i], outs[i], 4, 2, 1))
            if i:
                self.hidden_layers += [cnns.BatchNorm2d(outs[i]), cnns.ReLU()]
        self.hidden_layers.append(nn.Tanh())
    def forward(self, x):
        for layer in [*self.project_and_reshape, *self.hidden_layers]:
            x = layer(x)
        return x

# %% flat, with indexing instead of squeeze
class Discriminator(nn.Module):
    def __init__(self, img_size=64, img_channels=3, hidden_channels=[128, 256, 512]):
        super().__init__()
        if img_size % 2 ** len(hidden_channels):
            raise ValueError("size")
        layers, before = [], img_channels
        for c in hidden_channels:
            layers.append(nn.Conv2d(before, c, 4, 2, 1, bias=False))
            if before != img_channels or layers[1:]:
                layers.append(nn.BatchNorm2d(c))
            layers.append(nn.LeakyReLU(0.2))
            before = c
        self.hidden_layers = nn.Sequential(*layers)
        s = img_size // 2 ** len(hidden_channels)
        self.classifier = nn.Linear(before * s * s, 1, bias=False)
    def forward(self, x):
        return torch.sigmoid(self.classifier(self.hidden_layers(x).flatten(1))[:, 0])

# %% the last part first
class Generator(nn.Module):
    def __init__(self, latent_dim_size=100, img_size=64, img_channels=3, hidden_channels=[128, 256, 512]):
        super().__init__()
        s, deepest = smallest_size(img_size, len(hidden_channels)), hidden_channels[-1]
        channels, layers = [*hidden_channels[::-1], img_channels], []
        for n_in, n_out in pairwise(channels):
            layers += [nn.ConvTranspose2d(n_in, n_out, 4, 2, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
        self.hidden_layers = nn.Sequential(*layers[:-2], nn.Tanh())
        self.project_and_reshape = nn.Sequential(
            nn.Linear(latent_dim_size, deepest * s * s, bias=False),
            nn.Unflatten(1, (deepest, s, s)), nn.BatchNorm2d(deepest), nn.ReLU())
    def forward(self, x):
        return self.hidden_layers(self.project_and_reshape(x))

# %% the classifier first
class Discriminator(nn.Module):
    def __init__(self, img_size=64, img_channels=3, hidden_channels=[128, 256, 512]):
        super().__init__()
        s = smallest_size(img_size, len(hidden_channels))
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(hidden_channels[-1] * s * s, 1, bias=False), nn.Sigmoid(), nn.Flatten(0))
        layers = []
        for i, (n_in, n_out) in enumerate(pairwise([img_channels, *hidden_channels])):
            norm = [nn.BatchNorm2d(n_out)] if i else []
            layers += [nn.Conv2d(n_in, n_out, 4, 2, 1, bias=False), *norm, nn.LeakyReLU(0.2)]
        self.hidden_layers = nn.Sequential(*layers)
    def forward(self, x):
        return self.classifier(self.hidden_layers(x))

# %% no_grad and names of parameters
def initialize_weights(model):
    with torch.no_grad():
        for m in model.modules():
            for name, value in m.named_parameters(recurse=False):
                if name == "bias":
                    value.zero_()
                else:
                    value.normal_(1.0 if hasattr(m, "running_mean") else 0.0, 0.02)

# %% apply
def initialize_weights(model):
    def start(m):
        if isinstance(m, (nn.BatchNorm2d, cnns.BatchNorm2d)):
            m.weight.data.normal_(1, 0.02)
            m.bias.data.fill_(0)
        elif isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, cnns.Linear, cnns.Conv2d, ConvTranspose2d)):
            m.weight.data.normal_(0, 0.02)
            if hasattr(m, "bias") and m.bias is not None:
                m.bias.data.fill_(0)
    model.apply(start)

# %% logs by hand, clamped; detaches in the step too; half the loss
class DCGANTrainer(DCGANTrainer):
    def training_step_discriminator(self, img_real, img_fake):
        self.optD.zero_grad(set_to_none=False)
        p, q = self.model.netD(img_real), self.model.netD(img_fake.detach())
        loss = -(p.clamp(min=1e-9).log().mean() + (1 - q).clamp(min=1e-9).log().mean()) / 2
        loss.backward()
        if self.args.clip_grad_norm:
            torch.nn.utils.clip_grad_norm_(self.model.netD.parameters(), self.args.clip_grad_norm)
        self.optD.step()
        return loss
    def training_step_generator(self, img_fake):
        self.optG.zero_grad()
        loss = -self.model.netD(img_fake).clamp(min=1e-9).log().mean()
        loss.backward()
        if self.args.clip_grad_norm:
            torch.nn.utils.clip_grad_norm_(self.model.netG.parameters(), self.args.clip_grad_norm)
        self.optG.step()
        return loss

# %% attached fakes handed over, detached in the step; gives numbers; fresh fakes for the generator
class DCGANTrainer(DCGANTrainer):
    def training_step_discriminator(self, img_real, img_fake):
        return super().training_step_discriminator(img_real, img_fake.detach())
    def train(self):
        args = self.args
        with self.run:
            for _ in range(args.epochs):
                for img_real, _ in self.trainloader:
                    noise = torch.randn(img_real.shape[0], args.latent_dim_size).to(img_real.device)
                    d = self.training_step_discriminator(img_real, self.model.netG(noise))
                    g = self.training_step_generator(self.model.netG(torch.randn_like(noise)))
                    self.run.log(loss_D=d.item(), loss_G=g.item())
                    self.step = self.step + 1
                    if self.step % args.log_every_n_steps == 0:
                        self.log_samples()
            self.log_samples()
        return self.model

# %% logs
def mended_generator_step(model, optG, img_fake):
    optG.zero_grad()
    loss = -model.netD(img_fake).clamp(min=1e-9).log().mean()
    loss.backward()
    nn.utils.clip_grad_norm_(model.netG.parameters(), 1.0)
    optG.step()
    return loss

# %% a number comes back
def mended_generator_step(model, optG, img_fake):
    probs = model.netD(img_fake)
    loss = F.binary_cross_entropy(probs, torch.ones_like(probs))
    model.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.netG.parameters(), 1.0)
    optG.step()
    return loss.item()

# %% a list
def mended_optimizers(model, lr, betas):
    return [torch.optim.Adam(net.parameters(), lr=lr, betas=betas) for net in (model.netG, model.netD)]

# %% AdamW without decay
def mended_optimizers(model, lr, betas):
    make = lambda net: torch.optim.AdamW(list(net.parameters()), lr, betas, weight_decay=0.0)
    return make(model.netG), make(model.netD)

# %% logs
def mended_discriminator_step(model, optD, img_real, img_fake):
    p, q = model.netD(img_real), model.netD(img_fake.detach())
    loss = -p.clamp(min=1e-9).log().mean() - (1 - q).clamp(min=1e-9).log().mean()
    optD.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.netD.parameters(), 1.0)
    optD.step()
    return loss

# %% one batch of both, a number comes back
def mended_discriminator_step(model, optD, img_real, img_fake):
    probs = torch.cat([model.netD(img_real), model.netD(img_fake.detach())])
    real, fake = probs.split([len(img_real), len(img_fake)])
    losses = nn.BCELoss()(real, torch.ones(len(real))), nn.BCELoss()(fake, torch.zeros(len(fake)))
    optD.zero_grad(set_to_none=False)
    sum(losses).backward()
    nn.utils.clip_grad_norm_(model.netD.parameters(), 1.0)
    optD.step()
    return sum(losses).item()

# %% the mean of both losses
def mended_discriminator_step(model, optD, img_real, img_fake):
    p, q = model.netD(img_real), model.netD(img_fake.detach())
    loss = (F.binary_cross_entropy(p, torch.ones_like(p)) + F.binary_cross_entropy(q, torch.zeros_like(q))) / 2
    optD.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.netD.parameters(), 1.0)
    optD.step()
    return loss.detach()

# %% torch's, by its gradient
def conv_transpose1d_minimal(x, weights):
    out = x.new_zeros(len(x), weights.shape[1], x.shape[2] + weights.shape[2] - 1)
    for i in range(x.shape[2]):
        out[..., i : i + weights.shape[2]] += einops.einsum(x[..., i], weights, "b i, i o k -> b o k")
    return out

# %% torch's
def conv_transpose1d_minimal(x, weights):
    return F.conv_transpose1d(x, weights)

# %% a loop
def fractional_stride_1d(x, stride=1):
    columns = []
    for i in range(x.shape[2]):
        columns += [x[..., i]] + [torch.zeros_like(x[..., 0])] * (stride - 1)
    return torch.stack(columns[: len(columns) - stride + 1], dim=2)

# %% pad and cut
def fractional_stride_1d(x, stride=1):
    wide = F.pad(x[..., None], (0, stride - 1)).flatten(2)
    return wide[..., : wide.shape[2] - stride + 1]

# %% cut at the end
def conv_transpose1d(x, weights, stride=1, padding=0):
    out = conv_transpose1d_minimal(fractional_stride_1d(x, stride), weights)
    return out[..., padding : out.shape[2] - padding]

# %% by rows and columns
def fractional_stride_2d(x, stride_h, stride_w):
    wide = F.pad(x[..., None], (0, stride_w - 1)).flatten(3)[..., : stride_w * (x.shape[3] - 1) + 1]
    high = wide.new_zeros(*x.shape[:2], stride_h * (x.shape[2] - 1) + 1, wide.shape[3])
    high[:, :, ::stride_h] = wide
    return high

# %% copies added up
def conv_transpose2d(x, weights, stride=1, padding=0):
    (sh, sw), (ph, pw) = force_pair(stride), force_pair(padding)
    _, o, kh, kw = weights.shape
    h, w = (x.shape[2] - 1) * sh + kh, (x.shape[3] - 1) * sw + kw
    out = x.new_zeros(len(x), o, h, w)
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            copy = einops.einsum(x[:, :, i, j], weights, "b i, i o h w -> b o h w")
            out[:, :, i * sh : i * sh + kh, j * sw : j * sw + kw] += copy
    return out[:, :, ph : h - ph, pw : w - pw]

# %% torch's function
class ConvTranspose2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__()
        self.settings = (in_channels, out_channels, kernel_size, stride, padding)
        kh, kw = force_pair(kernel_size)
        bound = 1 / math.sqrt(out_channels * kh * kw)
        self.weight = nn.Parameter((2 * torch.rand(in_channels, out_channels, kh, kw) - 1) * bound)
    def forward(self, x):
        return F.conv_transpose2d(x, self.weight, stride=self.settings[3], padding=self.settings[4])
    def extra_repr(self):
        return ", ".join(map(str, self.settings))

# %% uniform_ in place, the function of the exercise before
class ConvTranspose2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super().__init__()
        self.size, self.stride, self.padding = force_pair(kernel_size), stride, padding
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels, *self.size))
        bound = (out_channels * self.size[0] * self.size[1]) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
    def forward(self, x):
        return conv_transpose2d(x, self.weight, self.stride, self.padding)
    def extra_repr(self):
        ins, outs = self.weight.shape[:2]
        return f"{ins}, {outs}, kernel_size={self.size}, stride={self.stride}, padding={self.padding}"

# %% eigenvectors of the covariance
def pca_of_latents(latents, n_components=2):
    centred = latents - latents.mean(dim=0, keepdim=True)
    values, vectors = torch.linalg.eigh(centred.T @ centred / (len(latents) - 1))
    order = values.argsort(descending=True)[:n_components]
    return vectors[:, order].T, values[order], centred @ vectors[:, order]

# %% torch.pca_lowrank
def pca_of_latents(latents, n_components=2):
    _, s, v = torch.pca_lowrank(latents, q=latents.shape[1], niter=8)
    return [v.T[:n_components], s[:n_components] ** 2 / (len(latents) - 1),
            (latents - latents.mean(0)) @ v[:, :n_components]]

# %% a list comprehension
def kl_per_dimension(mu, logsigma):
    return torch.stack([kl_divergence(mu[:, [i]], logsigma[:, [i]]) for i in range(mu.shape[1])])

# %% by torch.distributions
def kl_per_dimension(mu, logsigma):
    q = torch.distributions.Normal(mu, logsigma.exp())
    return torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).mean(dim=0)

# %% torch.normal for the noise
class DenoisingTrainer(DenoisingTrainer):
    def training_step(self, img):
        noise = torch.normal(0.0, self.args.noise, img.shape)
        self.optimizer.zero_grad()
        loss = (self.model(img + noise) - img).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        return loss

# %% torch.normal around the pictures
class DenoisingTrainer(DenoisingTrainer):
    def training_step(self, img):
        made = self.model(torch.normal(img, self.args.noise))
        loss = F.mse_loss(made, img)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

# %% the norm of the code
class SparseTrainer(SparseTrainer):
    def training_step(self, img):
        code = self.model.encoder(img)
        penalty = torch.norm(code, p=1) / code.numel()
        loss = F.mse_loss(self.model.decoder(code), img) + self.args.l1 * penalty
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

# %% no abs: after the ReLU no latent is negative
class SparseTrainer(SparseTrainer):
    def training_step(self, img):
        code = self.model.encoder(img)
        loss = F.mse_loss(self.model.decoder(code), img) + self.args.l1 * code.mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

# %% both terms apart
class SparseTrainer(SparseTrainer):
    def training_step(self, img):
        self.optimizer.zero_grad()
        code = self.model.encoder(img)
        (self.args.l1 * F.l1_loss(code, torch.zeros_like(code))).backward(retain_graph=True)
        mse = F.mse_loss(self.model.decoder(code), img)
        mse.backward()
        self.optimizer.step()
        return mse.item() + self.args.l1 * code.abs().mean().item()

# %% by torch.distributions
def kl_between(mu_q, logsigma_q, mu_p, logsigma_p):
    q = torch.distributions.Normal(mu_q, torch.exp(logsigma_q))
    p = torch.distributions.Normal(mu_p, torch.exp(logsigma_p))
    return torch.mean(torch.distributions.kl.kl_divergence(q, p))

# %% variances by name
def kl_between(mu_q, logsigma_q, mu_p, logsigma_p):
    var_q, var_p = logsigma_q.exp().square(), logsigma_p.exp().square()
    return 0.5 * (torch.log(var_p / var_q) + (var_q + (mu_q - mu_p).square()) / var_p - 1).mean()

# %% modules written out
class HierarchicalVAE(HierarchicalVAE):
    def __init__(self, latent_dim_size, hidden_dim_size, top_dim_size=2):
        super().__init__(latent_dim_size, hidden_dim_size, top_dim_size)

        class Both(nn.Module):
            def __init__(self, n_in, n_out):
                super().__init__()
                self.a, self.b = nn.Linear(n_in, hidden_dim_size), nn.Linear(hidden_dim_size, 2 * n_out)

            def forward(self, x):
                return torch.stack(self.b(self.a(x).relu()).chunk(2, dim=-1))

        self.top_encoder = Both(latent_dim_size, top_dim_size)
        self.prior = Both(top_dim_size, latent_dim_size)

# %% rsample on both levels
class HierarchicalVAE(HierarchicalVAE):
    def forward(self, x):
        Normal, kl = torch.distributions.Normal, torch.distributions.kl_divergence
        mu, logsigma = self.encoder(x)
        q = Normal(mu, logsigma.exp())
        z = q.rsample()
        mu_top, logsigma_top = self.top_encoder(z)
        q_top = Normal(mu_top, logsigma_top.exp())
        mu_p, logsigma_p = self.prior(q_top.rsample())
        return (self.decoder(z), kl(q, Normal(mu_p, logsigma_p.exp())).mean(),
                kl(q_top, Normal(0.0, 1.0)).mean())
