"""Right answers to 0.5 in other styles than our solutions; all must pass."""

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
