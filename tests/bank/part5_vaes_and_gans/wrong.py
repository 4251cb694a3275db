"""Wrong answers that learners of 0.5 write; each cell's title is what its verdict must contain."""

# --- helpers of the autoencoders ---

def down(bias=False, kernel=4, channels=(16, 32)):
    return [nn.Conv2d(1, channels[0], kernel, 2, 1, bias=bias), nn.ReLU(),
            nn.Conv2d(channels[0], channels[1], kernel, 2, 1, bias=bias), nn.ReLU(), nn.Flatten()]


def up(latent, hidden):
    return [nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, 1568), nn.Unflatten(1, (32, 7, 7)),
            nn.ReLU(), nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False), nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 4, 2, 1, bias=False)]


class AE(nn.Module):
    def make(self, latent, hidden, encoder=None, decoder=None):
        self.latent_dim_size, self.hidden_dim_size = latent, hidden
        self.encoder = nn.Sequential(*(encoder or [
            *down(), nn.Linear(1568, hidden), nn.ReLU(), nn.Linear(hidden, latent)]))
        self.decoder = nn.Sequential(*(decoder or up(latent, hidden)))

    def forward(self, x):
        return self.decoder(self.encoder(x))


class V(AE):
    def make(self, latent, hidden, encoder=None, decoder=None):
        super().make(latent, hidden, encoder or [
            *down(), nn.Linear(1568, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent),
            Rearrange("b (two l) -> two b l", two=2)], decoder)

    def __init__(self, latent_dim_size, hidden_dim_size):
        super().__init__()
        self.make(latent_dim_size, hidden_dim_size)

    def sample_latent_vector(self, x):
        mu, logsigma = self.encoder(x)
        return mu + logsigma.exp() * torch.randn_like(mu), mu, logsigma

    def forward(self, x):
        z, mu, logsigma = self.sample_latent_vector(x)
        return self.decoder(z), mu, logsigma


def kl_each(mu, logsigma):
    return (mu**2 + (2 * logsigma).exp() - 1) / 2 - logsigma


class Steps:
    def take(self, loss):
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def train(self):
        with self.run:
            for _ in range(self.args.epochs):
                for img, _ in self.trainloader:
                    loss = self.training_step(img)
                    self.step += 1
                    self.run.log(loss=loss)
                    if self.step % self.args.log_every_n_steps == 0:
                        self.log_samples()
            self.log_samples()
        return self.model


AEBase, VAEBase = AutoencoderTrainer, VAETrainer
HBase = HierarchicalVAE

# %% a convolution of the encoder has a bias
class Autoencoder(AE):
    def __init__(self, latent_dim_size, hidden_dim_size):
        super().__init__()
        l, h = latent_dim_size, hidden_dim_size
        self.make(l, h, [*down(bias=True), nn.Linear(1568, h), nn.ReLU(), nn.Linear(h, l)])

# %% a ReLU of the encoder is missing, the one before layer 4
class Autoencoder(AE):
    def __init__(self, latent_dim_size, hidden_dim_size):
        super().__init__()
        l, h = latent_dim_size, hidden_dim_size
        self.make(l, h, [*down(), nn.Linear(1568, h), nn.Linear(h, l)])

# %% there is a ReLU after the encoder's last layer
class Autoencoder(AE):
    def __init__(self, latent_dim_size, hidden_dim_size):
        super().__init__()
        l, h = latent_dim_size, hidden_dim_size
        self.make(l, h, [*down(), nn.Linear(1568, h), nn.ReLU(), nn.Linear(h, l), nn.ReLU()])

# %% a ReLU of the decoder is missing, the one before layer 3
class Autoencoder(AE):
    def __init__(self, latent_dim_size, hidden_dim_size):
        super().__init__()
        layers = up(latent_dim_size, hidden_dim_size)
        self.make(latent_dim_size, hidden_dim_size, None, layers[:4] + layers[5:])

# %% there is a ReLU after the decoder's last layer
class Autoencoder(AE):
    def __init__(self, latent_dim_size, hidden_dim_size):
        super().__init__()
        self.make(latent_dim_size, hidden_dim_size, None, [*up(latent_dim_size, hidden_dim_size), nn.ReLU()])

# %% forward gives the pictures back as they are
class Autoencoder(AE):
    def __init__(self, latent_dim_size, hidden_dim_size):
        super().__init__()
        self.make(latent_dim_size, hidden_dim_size)

    def forward(self, x):
        return x

# %% it must be (1, 5)
class Autoencoder(AE):
    def __init__(self, latent_dim_size, hidden_dim_size):
        super().__init__()
        l, h = latent_dim_size, hidden_dim_size
        self.make(l, h, [*down(), nn.Linear(1568, h), nn.ReLU(), nn.Linear(h, 2 * l)])

# %% parameters of the encoder are wrong
class Autoencoder(AE):
    def __init__(self, latent_dim_size, hidden_dim_size):
        super().__init__()
        l, h = latent_dim_size, hidden_dim_size
        self.make(l, h, [*down(channels=(8, 32)), nn.Linear(1568, h), nn.ReLU(), nn.Linear(h, l)])

# %% has no module called decoder
class Autoencoder(AE):
    def __init__(self, latent_dim_size, hidden_dim_size):
        super().__init__()
        self.make(latent_dim_size, hidden_dim_size)
        self.dec = self.decoder
        del self.decoder

    def forward(self, x):
        return self.dec(self.encoder(x))

# %% the squares are summed; take the mean
class AutoencoderTrainer(Steps, AEBase):
    def training_step(self, img):
        return self.take(((self.model(img) - img) ** 2).sum())

# %% the mean of absolute differences is taken
class AutoencoderTrainer(Steps, AEBase):
    def training_step(self, img):
        return self.take(F.l1_loss(self.model(img), img))

# %% the squares of a picture are summed
class AutoencoderTrainer(Steps, AEBase):
    def training_step(self, img):
        return self.take(((self.model(img) - img) ** 2).sum((1, 2, 3)).mean())

# %% call optimizer.zero_grad() before loss.backward()
class AutoencoderTrainer(Steps, AEBase):
    def training_step(self, img):
        loss = F.mse_loss(self.model(img), img)
        loss.backward()
        self.optimizer.step()
        return loss

# %% optimizer.step() is missing
class AutoencoderTrainer(Steps, AEBase):
    def training_step(self, img):
        loss = F.mse_loss(self.model(img), img)
        self.optimizer.zero_grad()
        loss.backward()
        return loss

# %% training_step returns nothing
class AutoencoderTrainer(Steps, AEBase):
    def training_step(self, img):
        self.take(F.mse_loss(self.model(img), img))

# %% the loop runs for one epoch
class AutoencoderTrainer(Steps, AEBase):
    def train(self):
        with self.run:
            for img, _ in self.trainloader:
                loss = self.training_step(img)
                self.step += 1
                self.run.log(loss=loss)
            self.log_samples()
        return self.model

# %% count one for each batch
class AutoencoderTrainer(Steps, AEBase):
    def train(self):
        with self.run:
            for _ in range(self.args.epochs):
                for img, _ in self.trainloader:
                    self.run.log(loss=self.training_step(img))
                self.step += 1
            self.log_samples()
        return self.model

# %% must get the pictures alone
class AutoencoderTrainer(Steps, AEBase):
    def train(self):
        with self.run:
            for _ in range(self.args.epochs):
                for batch in self.trainloader:
                    self.training_step(batch)
                    self.step += 1
        return self.model

# %% log_samples must be called every log_every_n_steps steps
class AutoencoderTrainer(Steps, AEBase):
    def train(self):
        with self.run:
            for _ in range(self.args.epochs):
                for img, _ in self.trainloader:
                    if self.step % self.args.log_every_n_steps == 0:
                        self.log_samples()
                    loss = self.training_step(img)
                    self.step += 1
                    self.run.log(loss=loss)
            self.log_samples()
        return self.model

# %% sigma is taken for the variance: scale by exp(logsigma)
class VAE(V):
    def sample_latent_vector(self, x):
        mu, logsigma = self.encoder(x)
        return mu + logsigma.exp().sqrt() * torch.randn_like(mu), mu, logsigma

# %% the variance scales the noise
class VAE(V):
    def sample_latent_vector(self, x):
        mu, logsigma = self.encoder(x)
        return mu + (2 * logsigma).exp() * torch.randn_like(mu), mu, logsigma

# %% logsigma scales the noise
class VAE(V):
    def sample_latent_vector(self, x):
        mu, logsigma = self.encoder(x)
        return mu + logsigma * torch.randn_like(mu), mu, logsigma

# %% the noise is uniform
class VAE(V):
    def sample_latent_vector(self, x):
        mu, logsigma = self.encoder(x)
        return mu + logsigma.exp() * torch.rand_like(mu), mu, logsigma

# %% all pictures of a batch get the same noise
class VAE(V):
    def sample_latent_vector(self, x):
        mu, logsigma = self.encoder(x)
        return mu + logsigma.exp() * torch.randn(mu.shape[1]), mu, logsigma

# %% all dimensions of a picture get the same noise
class VAE(V):
    def sample_latent_vector(self, x):
        mu, logsigma = self.encoder(x)
        return mu + logsigma.exp() * torch.randn(len(mu), 1), mu, logsigma

# %% no gradient goes from the latent vectors to the encoder
class VAE(V):
    def sample_latent_vector(self, x):
        mu, logsigma = self.encoder(x)
        with torch.no_grad():
            z = torch.normal(mu, logsigma.exp())
        return z, mu, logsigma

# %% no gradient goes from the latent vectors to the log-deviation
class VAE(V):
    def sample_latent_vector(self, x):
        mu, logsigma = self.encoder(x)
        return mu + logsigma.exp().detach() * torch.randn_like(mu), mu, logsigma

# %% nothing is drawn
class VAE(V):
    def sample_latent_vector(self, x):
        mu, logsigma = self.encoder(x)
        return mu, mu, logsigma

# %% the decoder gets the means
class VAE(V):
    def forward(self, x):
        z, mu, logsigma = self.sample_latent_vector(x)
        return self.decoder(mu), mu, logsigma

# %% the deviations come back
class VAE(V):
    def sample_latent_vector(self, x):
        mu, logsigma = self.encoder(x)
        sigma = logsigma.exp()
        return mu + sigma * torch.randn_like(mu), mu, sigma

# %% must be stacked in front
class VAE(V):
    def __init__(self, latent_dim_size, hidden_dim_size):
        nn.Module.__init__(self)
        l, h = latent_dim_size, hidden_dim_size
        self.make(l, h, [*down(), nn.Linear(1568, h), nn.ReLU(), nn.Linear(h, 2 * l)])

# %% pictures and halves are mixed by a reshape
class VAE(V):
    def __init__(self, latent_dim_size, hidden_dim_size):
        nn.Module.__init__(self)
        l, h = latent_dim_size, hidden_dim_size

        class Halves(nn.Module):
            def forward(self, x):
                return x.reshape(2, -1, l)

        self.make(l, h, [*down(), nn.Linear(1568, h), nn.ReLU(), nn.Linear(h, 2 * l), Halves()])

# %% sigma is taken for the variance
def kl_divergence(mu, logsigma):
    return ((mu**2 + logsigma.exp() - 1) / 2 - logsigma).mean()

# %% logsigma is taken for the logarithm of the variance
def kl_divergence(mu, logsigma):
    return -0.5 * (1 + logsigma - mu**2 - logsigma.exp()).mean()

# %% the KL has the wrong sign
def kl_divergence(mu, logsigma):
    return -kl_each(mu, logsigma).mean()

# %% summed over batch and dimensions
def kl_divergence(mu, logsigma):
    return kl_each(mu, logsigma).sum()

# %% summed over the dimensions
def kl_divergence(mu, logsigma):
    return kl_each(mu, logsigma).sum(1).mean()

# %% the factor 1/2 is missing
def kl_divergence(mu, logsigma):
    return (mu**2 + (2 * logsigma).exp() - 1 - 2 * logsigma).mean()

# %% the mean is not squared
def kl_divergence(mu, logsigma):
    return ((mu + (2 * logsigma).exp() - 1) / 2 - logsigma).mean()

# %% the 1 is missing
def kl_divergence(mu, logsigma):
    return ((mu**2 + (2 * logsigma).exp()) / 2 - logsigma).mean()

# %% there is a KL for each picture
def kl_divergence(mu, logsigma):
    return kl_each(mu, logsigma).mean(1)

# %% the KL has the wrong sign: it is added to the loss
class VAETrainer(Steps, VAEBase):
    def training_step(self, img):
        out, mu, logsigma = self.model(img)
        return self.take(F.mse_loss(out, img) - self.args.beta_kl * kl_each(mu, logsigma).mean())

# %% beta_kl is not used
class VAETrainer(Steps, VAEBase):
    def training_step(self, img):
        out, mu, logsigma = self.model(img)
        return self.take(F.mse_loss(out, img) + kl_each(mu, logsigma).mean())

# %% the KL is missing
class VAETrainer(Steps, VAEBase):
    def training_step(self, img):
        out, mu, logsigma = self.model(img)
        return self.take(F.mse_loss(out, img))

# %% the KL is summed over batch and dimensions
class VAETrainer(Steps, VAEBase):
    def training_step(self, img):
        out, mu, logsigma = self.model(img)
        return self.take(F.mse_loss(out, img) + self.args.beta_kl * kl_each(mu, logsigma).sum())

# %% sigma is taken for the variance
class VAETrainer(Steps, VAEBase):
    def training_step(self, img):
        out, mu, logsigma = self.model(img)
        kl = ((mu**2 + logsigma.exp() - 1) / 2 - logsigma).mean()
        return self.take(F.mse_loss(out, img) + self.args.beta_kl * kl)

# %% logsigma is taken for the logarithm of the variance
class VAETrainer(Steps, VAEBase):
    def training_step(self, img):
        out, mu, logsigma = self.model(img)
        kl = -0.5 * (1 + logsigma - mu**2 - logsigma.exp()).mean()
        return self.take(F.mse_loss(out, img) + self.args.beta_kl * kl)

# %% the squares are summed; take the mean
class VAETrainer(Steps, VAEBase):
    def training_step(self, img):
        out, mu, logsigma = self.model(img)
        loss = F.mse_loss(out, img, reduction="sum")
        return self.take(loss + self.args.beta_kl * kl_each(mu, logsigma).mean())

# %% gradients of the step before are added
class VAETrainer(Steps, VAEBase):
    def training_step(self, img):
        out, mu, logsigma = self.model(img)
        loss = F.mse_loss(out, img) + self.args.beta_kl * kl_each(mu, logsigma).mean()
        loss.backward()
        self.optimizer.step()
        return loss

# %% the loop runs for one epoch
class VAETrainer(Steps, VAEBase):
    def train(self):
        with self.run:
            for img, _ in self.trainloader:
                loss = self.training_step(img)
                self.step += 1
                self.run.log(loss=loss)
            self.log_samples()
        return self.model

# %% the mean is not subtracted first
def pca_of_latents(latents, n_components=2):
    _, s, vh = torch.linalg.svd(latents, full_matrices=False)
    return vh[:n_components], s[:n_components] ** 2 / (len(latents) - 1), latents @ vh[:n_components].T

# %% the smallest come first
def pca_of_latents(latents, n_components=2):
    values, vectors = torch.linalg.eigh(torch.cov(latents.T))
    components = vectors.T[:n_components]
    return components, values[:n_components], (latents - latents.mean(0)) @ components.T

# %% the directions are columns
def pca_of_latents(latents, n_components=2):
    values, vectors = torch.linalg.eigh(torch.cov(latents.T))
    components = vectors.flip(1)[:, :n_components]
    return components, values.flip(0)[:n_components], (latents - latents.mean(0)) @ components

# %% these are singular values
def pca_of_latents(latents, n_components=2):
    centred = latents - latents.mean(0)
    _, s, vh = torch.linalg.svd(centred, full_matrices=False)
    return vh[:n_components], s[:n_components], centred @ vh[:n_components].T

# %% they are divided by n
def pca_of_latents(latents, n_components=2):
    centred = latents - latents.mean(0)
    _, s, vh = torch.linalg.svd(centred, full_matrices=False)
    return vh[:n_components], s[:n_components] ** 2 / len(latents), centred @ vh[:n_components].T

# %% the mean is not subtracted
def pca_of_latents(latents, n_components=2):
    _, s, vh = torch.linalg.svd(latents - latents.mean(0), full_matrices=False)
    return vh[:n_components], s[:n_components] ** 2 / (len(latents) - 1), latents @ vh[:n_components].T

# %% this is the mean over dimensions
def kl_per_dimension(mu, logsigma):
    return kl_each(mu, logsigma).mean(1)

# %% everything is averaged
def kl_per_dimension(mu, logsigma):
    return kl_each(mu, logsigma).mean()

# %% summed over the batch
def kl_per_dimension(mu, logsigma):
    return kl_each(mu, logsigma).sum(0)

# %% there is a KL for each picture still
def kl_per_dimension(mu, logsigma):
    return kl_each(mu, logsigma)

# %% sigma is taken for the variance
def kl_per_dimension(mu, logsigma):
    return ((mu**2 + logsigma.exp() - 1) / 2 - logsigma).mean(0)

# %% compares with the noisy pictures
class DenoisingTrainer(Steps, AEBase):
    def training_step(self, img):
        noisy = img + self.args.noise * torch.randn_like(img)
        return self.take(F.mse_loss(self.model(noisy), noisy))

# %% the model sees the clean pictures
class DenoisingTrainer(Steps, AEBase):
    def training_step(self, img):
        noisy = img + self.args.noise * torch.randn_like(img)
        return self.take(F.mse_loss(self.model(img), noisy))

# %% noise is not used
class DenoisingTrainer(Steps, AEBase):
    def training_step(self, img):
        return self.take(F.mse_loss(self.model(img + torch.randn_like(img)), img))

# %% the noise has a mean
class DenoisingTrainer(Steps, AEBase):
    def training_step(self, img):
        return self.take(F.mse_loss(self.model(img + self.args.noise * torch.rand_like(img)), img))

# %% noise is taken for the variance
class DenoisingTrainer(Steps, AEBase):
    def training_step(self, img):
        noisy = img + self.args.noise**0.5 * torch.randn_like(img)
        return self.take(F.mse_loss(self.model(noisy), img))

# %% all pictures of a batch get the same noise
class DenoisingTrainer(Steps, AEBase):
    def training_step(self, img):
        noisy = img + self.args.noise * torch.randn(1, 28, 28)
        return self.take(F.mse_loss(self.model(noisy), img))

# %% changed its argument
class DenoisingTrainer(Steps, AEBase):
    def training_step(self, img):
        clean = img.clone()
        img += self.args.noise * torch.randn_like(img)
        return self.take(F.mse_loss(self.model(img), clean))

# %% the penalty is missing
class SparseTrainer(Steps, AEBase):
    def training_step(self, img):
        return self.take(F.mse_loss(self.model(img), img))

# %% args.l1 is not used
class SparseTrainer(Steps, AEBase):
    def training_step(self, img):
        code = self.model.encoder(img)
        return self.take(F.mse_loss(self.model.decoder(code), img) + code.abs().mean())

# %% the squares of the latents are penalised
class SparseTrainer(Steps, AEBase):
    def training_step(self, img):
        code = self.model.encoder(img)
        return self.take(F.mse_loss(self.model.decoder(code), img) + self.args.l1 * (code**2).mean())

# %% the latents themselves are penalised
class SparseTrainer(Steps, AEBase):
    def training_step(self, img):
        code = self.model.encoder(img)
        return self.take(F.mse_loss(self.model.decoder(code), img) + self.args.l1 * code.mean())

# %% the sizes are summed
class SparseTrainer(Steps, AEBase):
    def training_step(self, img):
        code = self.model.encoder(img)
        return self.take(F.mse_loss(self.model.decoder(code), img) + self.args.l1 * code.abs().sum())

# %% the penalty has the wrong sign
class SparseTrainer(Steps, AEBase):
    def training_step(self, img):
        code = self.model.encoder(img)
        return self.take(F.mse_loss(self.model.decoder(code), img) - self.args.l1 * code.abs().mean())

# %% the two are swapped
def kl_between(mu_q, logsigma_q, mu_p, logsigma_p):
    q, p = (torch.distributions.Normal(m, s.exp()) for m, s in ((mu_q, logsigma_q), (mu_p, logsigma_p)))
    return torch.distributions.kl_divergence(p, q).mean()

# %% the prior is not used
def kl_between(mu_q, logsigma_q, mu_p, logsigma_p):
    return kl_each(mu_q, logsigma_q).mean()

# %% summed over batch and dimensions
def kl_between(mu_q, logsigma_q, mu_p, logsigma_p):
    q, p = (torch.distributions.Normal(m, s.exp()) for m, s in ((mu_q, logsigma_q), (mu_p, logsigma_p)))
    return torch.distributions.kl_divergence(q, p).sum()

# %% sigma is taken for the variance
def kl_between(mu_q, logsigma_q, mu_p, logsigma_p):
    squares = logsigma_q.exp() + (mu_q - mu_p) ** 2
    return (logsigma_p - logsigma_q + squares / (2 * logsigma_p.exp()) - 0.5).mean()

# %% not divided by the prior's variance
def kl_between(mu_q, logsigma_q, mu_p, logsigma_p):
    ratio = (2 * (logsigma_q - logsigma_p)).exp()
    return (logsigma_p - logsigma_q + ratio / 2 + (mu_q - mu_p) ** 2 / 2 - 0.5).mean()

# %% the logarithms have the wrong sign
def kl_between(mu_q, logsigma_q, mu_p, logsigma_p):
    squares = (2 * logsigma_q).exp() + (mu_q - mu_p) ** 2
    return (logsigma_q - logsigma_p + squares / (2 * (2 * logsigma_p).exp()) - 0.5).mean()

# %% the latents are compared with N(0, 1)
class HierarchicalVAE(HBase):
    def forward(self, x):
        z, mu, logsigma = self.sample_latent_vector(x)
        mu_top, logsigma_top = self.top_encoder(z)
        return self.decoder(z), kl_divergence(mu, logsigma), kl_divergence(mu_top, logsigma_top)

# %% prior and encoder are swapped
class HierarchicalVAE(HBase):
    def forward(self, x):
        z, mu, logsigma = self.sample_latent_vector(x)
        mu_top, logsigma_top = self.top_encoder(z)
        top = mu_top + logsigma_top.exp() * torch.randn_like(mu_top)
        kl = kl_between(*self.prior(top), mu, logsigma)
        return self.decoder(z), kl, kl_divergence(mu_top, logsigma_top)

# %% sample draws nothing
class HierarchicalVAE(HBase):
    def sample(self, top):
        return self.decoder(self.prior(top)[0])

# %% forward must give pictures (batch, 1, 28, 28) and two numbers
class HierarchicalVAE(HBase):
    def forward(self, x):
        z, mu, logsigma = self.sample_latent_vector(x)
        mu_top, logsigma_top = self.top_encoder(z)
        return self.decoder(z), mu, logsigma

# %% top_encoder gives (3, 4); it must be (2, 3, 2)
class HierarchicalVAE(HBase):
    def __init__(self, latent_dim_size, hidden_dim_size, top_dim_size=2):
        super().__init__(latent_dim_size, hidden_dim_size, top_dim_size)
        self.top_encoder = self.top_encoder[:-1]

# %% prior has parameters
class HierarchicalVAE(HBase):
    def __init__(self, latent_dim_size, hidden_dim_size, top_dim_size=2):
        super().__init__(latent_dim_size, hidden_dim_size, top_dim_size)
        self.prior = nn.Sequential(nn.Linear(top_dim_size, 2 * latent_dim_size),
                                   Rearrange("b (two l) -> two b l", two=2))
