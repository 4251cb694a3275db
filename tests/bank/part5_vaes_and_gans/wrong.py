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


# --- helpers of the GANs ---

class AnyGenerator(nn.Module):
    """A generator, each part of which may be another one."""

    bias, norm_last, norms, kernel, flip, first, act, end = False, False, True, 4, False, nn.ReLU, nn.ReLU, nn.Tanh

    def __init__(self, latent_dim_size=100, img_size=64, img_channels=3, hidden_channels=[128, 256, 512]):
        super().__init__()
        smallest = smallest_size(img_size, len(hidden_channels))
        chans = [*hidden_channels[::-1], img_channels]
        self.project_and_reshape = nn.Sequential(
            nn.Linear(latent_dim_size, chans[0] * smallest**2, bias=self.bias),
            nn.Unflatten(1, (chans[0], smallest, smallest)), nn.BatchNorm2d(chans[0]), self.first())
        blocks, n = [], len(hidden_channels)
        for i in range(n):
            parts = [nn.ConvTranspose2d(chans[i], chans[i + 1], self.kernel, 2, self.kernel // 2 - 1, bias=False)]
            if (i < n - 1 and self.norms) or (i == n - 1 and self.norm_last):
                parts.append(nn.BatchNorm2d(chans[i + 1]))
            parts.append(self.act() if i < n - 1 else self.end())
            blocks.append(nn.Sequential(*parts))
        self.hidden_layers = nn.Sequential(*blocks)

    def forward(self, x):
        return self.hidden_layers(self.project_and_reshape(x))


class AnyDiscriminator(nn.Module):
    """A discriminator, each part of which may be another one."""

    bias, norm_first, norms, slope, end, squeeze, first = False, False, True, 0.2, nn.Sigmoid, (1,), True

    def __init__(self, img_size=64, img_channels=3, hidden_channels=[128, 256, 512]):
        super().__init__()
        smallest = smallest_size(img_size, len(hidden_channels))
        chans, blocks = [img_channels, *hidden_channels], []
        for i in range(len(hidden_channels)):
            parts = [nn.Conv2d(chans[i], chans[i + 1], 4, 2, 1, bias=self.bias)]
            if (i > 0 and self.norms) or (i == 0 and self.norm_first):
                parts.append(nn.BatchNorm2d(chans[i + 1]))
            if i > 0 or self.first:
                parts.append(nn.LeakyReLU(self.slope))
            blocks.append(nn.Sequential(*parts))
        self.hidden_layers = nn.Sequential(*blocks)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(chans[-1] * smallest**2, 1, bias=False), self.end())

    def forward(self, x):
        return self.classifier(self.hidden_layers(x)).squeeze(*self.squeeze)


class AnyTrainer(DCGANTrainer):
    """A trainer whose steps may be others."""

    def clip(self, net):
        if self.args.clip_grad_norm is not None:
            nn.utils.clip_grad_norm_(net.parameters(), self.args.clip_grad_norm)

    def loss_D(self, p, q):
        return F.binary_cross_entropy(p, torch.ones_like(p)) + F.binary_cross_entropy(q, torch.zeros_like(q))

    def loss_G(self, q):
        return F.binary_cross_entropy(q, torch.ones_like(q))

    def training_step_discriminator(self, img_real, img_fake):
        loss = self.loss_D(self.model.netD(img_real), self.model.netD(img_fake))
        self.optD.zero_grad()
        loss.backward()
        self.clip(self.model.netD)
        self.optD.step()
        return loss

    def training_step_generator(self, img_fake):
        loss = self.loss_G(self.model.netD(img_fake))
        self.optG.zero_grad()
        loss.backward()
        self.clip(self.model.netG)
        self.optG.step()
        return loss


def turned(x, weights, stride=1, padding=0, flip=True, swap=True):
    """Convolve a row transposed by an ordinary convolution; parts of it may be missing."""
    x = fractional_stride_1d(x, stride)
    n = weights.shape[2] - 1 - padding
    weights = weights.flip(2) if flip else weights
    return F.conv1d(F.pad(x, (n, n)), weights.transpose(0, 1) if swap else weights)

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

# %% the model trains in evaluation mode
class AutoencoderTrainer(Steps, AEBase):
    def training_step(self, img):
        return self.take(F.mse_loss(self.model(img), img))

    def train(self):
        self.model.eval()
        return super().train()

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

# %% large numbers give NaN
class Tanh(nn.Module):
    def forward(self, x):
        return (x.exp() - (-x).exp()) / (x.exp() + (-x).exp())

# %% this is the sigmoid
class Tanh(nn.Module):
    def forward(self, x):
        return 1 / (1 + (-x).exp())

# %% the exponent needs a factor 2
class Tanh(nn.Module):
    def forward(self, x):
        a = (-x.clamp(min=-40)).exp()
        return (1 - a) / (1 + a)

# %% this is tanh(−x)
class Tanh(nn.Module):
    def forward(self, x):
        a = (2 * x.clamp(max=40)).exp()
        return (1 - a) / (1 + a)

# %% this is the hyperbolic sine
class Tanh(nn.Module):
    def forward(self, x):
        return x.sinh()

# %% is cut off from x
class Tanh(nn.Module):
    def forward(self, x):
        return torch.tanh(x.detach())

# %% this is ReLU
class LeakyReLU(nn.Module):
    def __init__(self, negative_slope=0.01):
        super().__init__()
    def forward(self, x):
        return x.clamp(min=0)

# %% the slope is that of the default
class LeakyReLU(nn.Module):
    def __init__(self, negative_slope=0.01):
        super().__init__()
    def forward(self, x):
        return torch.where(x > 0, x, 0.01 * x)

# %% the positive numbers are scaled
class LeakyReLU(nn.Module):
    def __init__(self, negative_slope=0.01):
        super().__init__()
        self.negative_slope = negative_slope
    def forward(self, x):
        return torch.where(x < 0, x, self.negative_slope * x)

# %% the sign of the negative numbers is lost
class LeakyReLU(nn.Module):
    def __init__(self, negative_slope=0.01):
        super().__init__()
        self.negative_slope = negative_slope
    def forward(self, x):
        return torch.where(x > 0, x, self.negative_slope * x.abs())

# %% prints without its slope
class LeakyReLU(nn.Module):
    def __init__(self, negative_slope=0.01):
        super().__init__()
        self.negative_slope = negative_slope
    def forward(self, x):
        return torch.where(x > 0, x, self.negative_slope * x)

# %% negative numbers become the slope itself
class LeakyReLU(nn.Module):
    def __init__(self, negative_slope=0.01):
        super().__init__()
        self.negative_slope = negative_slope
    def forward(self, x):
        return x.where(x > 0, torch.tensor(self.negative_slope))

# %% the gradient is NaN for large numbers
class Sigmoid(nn.Module):
    def forward(self, x):
        return 1 / (1 + (-x).exp())

# %% large numbers give NaN
class Sigmoid(nn.Module):
    def forward(self, x):
        return x.exp() / (1 + x.exp())

# %% this is tanh
class Sigmoid(nn.Module):
    def forward(self, x):
        return x.tanh()

# %% this is sigmoid(−x)
class Sigmoid(nn.Module):
    def forward(self, x):
        return 1 / (1 + x.clamp(max=80).exp())

# %% this is softmax
class Sigmoid(nn.Module):
    def forward(self, x):
        return x.softmax(-1)

# %% there is no Tanh at the end
class Generator(AnyGenerator):
    end = nn.Identity

# %% the last activation is Sigmoid
class Generator(AnyGenerator):
    end = nn.Sigmoid

# %% there is a batch norm too many; none belongs in the last block, before Tanh
class Generator(AnyGenerator):
    norm_last = True

# %% a batch norm is missing
class Generator(AnyGenerator):
    norms = False

# %% a layer has a bias and must have none (Linear)
class Generator(AnyGenerator):
    bias = True

# %% LeakyReLU is for the discriminator
class Generator(AnyGenerator):
    first = act = lambda self: nn.LeakyReLU(0.2)

# %% the ReLU after the linear map's batch norm is missing
class Generator(AnyGenerator):
    first = nn.Identity

# %% a kernel is not 4 × 4
class Generator(AnyGenerator):
    kernel = 2

# %% there must be 2 convolutions
class Generator(AnyGenerator):
    def __init__(self, latent_dim_size=100, img_size=64, img_channels=3, hidden_channels=[128, 256, 512]):
        super().__init__(latent_dim_size, img_size, img_channels, hidden_channels)
        if len(hidden_channels) > 1:
            chans = img_channels
            self.hidden_layers.append(nn.Sequential(nn.ConvTranspose2d(chans, chans, 4, 1, 1, bias=False), nn.Upsample(size=img_size)))

# %% has no module called project_and_reshape
class Generator(AnyGenerator):
    def __init__(self, *args):
        super().__init__(*args)
        self.project = self.project_and_reshape
        del self.project_and_reshape
    def forward(self, x):
        return self.hidden_layers(self.project(x))

# %% gives a number without axes for a batch of one
class Discriminator(AnyDiscriminator):
    squeeze = ()

# %% in the shape (batch,)
class Discriminator(AnyDiscriminator):
    squeeze = (0,)

# %% these are logits
class Discriminator(AnyDiscriminator):
    end = nn.Identity

# %% the slope is 0.01
class Discriminator(AnyDiscriminator):
    slope = 0.01

# %% ReLU is for the generator
class Discriminator(AnyDiscriminator):
    slope = 0.0

# %% there is a batch norm too many; none belongs in the first
class Discriminator(AnyDiscriminator):
    norm_first = True

# %% a layer has a bias and must have none (Conv2d)
class Discriminator(AnyDiscriminator):
    bias = True

# %% a batch norm is missing
class Discriminator(AnyDiscriminator):
    norms = False

# %% batch norm stands on the wrong layer; it belongs after each convolution but the first
class Discriminator(AnyDiscriminator):
    def __init__(self, *args):
        super().__init__(*args)
        for block in self.hidden_layers[1:]:
            block[1] = nn.BatchNorm2d(block[0].in_channels)
            block.insert(0, block.pop(1))

# %% parameters outside of its two parts
class Discriminator(AnyDiscriminator):
    def __init__(self, *args):
        super().__init__(*args)
        self.scale = nn.Parameter(torch.ones(1))

# %% the activation of the first block is missing
class Discriminator(AnyDiscriminator):
    first = False

# %% not its variance
def initialize_weights(model):
    for m in model.modules():
        if hasattr(m, "weight"):
            nn.init.normal_(m.weight, float("BatchNorm" in type(m).__name__), 0.02**0.5)

# %% the weight of BatchNorm2d has mean 0
def initialize_weights(model):
    for m in model.modules():
        if hasattr(m, "weight"):
            nn.init.normal_(m.weight, 0.0, 0.02)
            if getattr(m, "bias", None) is not None:
                nn.init.zeros_(m.bias)

# %% the weight of BatchNorm2d is not drawn
def initialize_weights(model):
    for m in model.modules():
        if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) or type(m).__name__ in ("Linear", "Conv2d", "ConvTranspose2d"):
            nn.init.normal_(m.weight, 0.0, 0.02)
            if getattr(m, "bias", None) is not None:
                nn.init.zeros_(m.bias)

# %% must have standard deviation 0.02
def initialize_weights(model):
    for m in model.children():
        if hasattr(m, "weight"):
            nn.init.normal_(m.weight, float("BatchNorm" in type(m).__name__), 0.02)

# %% put a new tensor in the place of
def initialize_weights(model):
    for m in model.modules():
        if hasattr(m, "weight"):
            mean = float("BatchNorm" in type(m).__name__)
            m.weight = nn.Parameter(mean + 0.02 * torch.randn_like(m.weight))
            if getattr(m, "bias", None) is not None:
                nn.init.zeros_(m.bias)

# %% the bias of BatchNorm2d must be zero
def initialize_weights(model):
    for m in model.modules():
        if hasattr(m, "weight"):
            nn.init.normal_(m.weight, float("BatchNorm" in type(m).__name__), 0.02)
            if "BatchNorm" not in type(m).__name__ and getattr(m, "bias", None) is not None:
                nn.init.zeros_(m.bias)

# %% returns nothing
def initialize_weights(model):
    for m in model.modules():
        if hasattr(m, "weight"):
            nn.init.normal_(m.weight, float("BatchNorm" in type(m).__name__), 0.02)
            if getattr(m, "bias", None) is not None:
                nn.init.zeros_(m.bias)
    return model

# %% stops at a layer without a bias
def initialize_weights(model):
    for m in model.modules():
        if hasattr(m, "weight"):
            nn.init.normal_(m.weight, float("BatchNorm" in type(m).__name__), 0.02)
            nn.init.zeros_(m.bias)

# %% go by type(module).__name__
def initialize_weights(model):
    for m in model.modules():
        if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
            nn.init.normal_(m.weight, float(isinstance(m, nn.BatchNorm2d)), 0.02)
            if m.bias is not None:
                nn.init.zeros_(m.bias)

# %% it must be drawn from a normal
def initialize_weights(model):
    for m in model.modules():
        if hasattr(m, "weight"):
            mean = float("BatchNorm" in type(m).__name__)
            nn.init.uniform_(m.weight, mean - 0.03464, mean + 0.03464)

# %% this is the minimax loss
class DCGANTrainer(AnyTrainer):
    def loss_G(self, q):
        return (1 - q).log().mean()

# %% summed over the batch; take the mean
class DCGANTrainer(AnyTrainer):
    def loss_D(self, p, q):
        return -p.log().sum() - (1 - q).log().sum()

# %% the real pictures are left out
class DCGANTrainer(AnyTrainer):
    def loss_D(self, p, q):
        return -(1 - q).log().mean()

# %% real and fake are swapped
class DCGANTrainer(AnyTrainer):
    def loss_D(self, p, q):
        return super().loss_D(q, p)

# %% the fakes are to be called fake
class DCGANTrainer(AnyTrainer):
    def loss_D(self, p, q):
        return -p.log().mean() - q.log().mean()

# %% the sign is wrong
class DCGANTrainer(AnyTrainer):
    def loss_D(self, p, q):
        return p.log().mean() + (1 - q).log().mean()

# %% the logarithm of the mean
class DCGANTrainer(AnyTrainer):
    def loss_G(self, q):
        return -q.mean().log()

# %% log(0) is minus infinity
class DCGANTrainer(AnyTrainer):
    def loss_G(self, q):
        return -q.log().mean()
    def loss_D(self, p, q):
        return -p.log().mean() - (1 - q).log().mean()

# %% is not clipped to args.clip_grad_norm before the step
class DCGANTrainer(AnyTrainer):
    def clip(self, net):
        pass

# %% args.clip_grad_norm may be None
class DCGANTrainer(AnyTrainer):
    def clip(self, net):
        nn.utils.clip_grad_norm_(net.parameters(), self.args.clip_grad_norm)

# %% gets something else than the loader's pictures
class DCGANTrainer(AnyTrainer):
    def train(self):
        with self.run:
            for _ in range(self.args.epochs):
                for img, _ in self.trainloader:
                    fake = self.model.netG(torch.randn(len(img), self.args.latent_dim_size))
                    self.training_step_discriminator(fake.detach(), img), self.training_step_generator(fake)
        return self.model

# %% the networks train in evaluation mode
class DCGANTrainer(AnyTrainer):
    def train(self):
        self.model.eval()
        with self.run:
            for _ in range(self.args.epochs):
                for img, _ in self.trainloader:
                    fake = self.model.netG(torch.randn(len(img), self.args.latent_dim_size))
                    self.training_step_discriminator(img, fake.detach()), self.training_step_generator(fake)
        return self.model

# %% zero_grad is missing
class DCGANTrainer(AnyTrainer):
    def training_step_discriminator(self, img_real, img_fake):
        loss = self.loss_D(self.model.netD(img_real), self.model.netD(img_fake))
        loss.backward()
        self.clip(self.model.netD)
        self.optD.step()
        return loss

# %% training_step_generator changes the discriminator
class DCGANTrainer(AnyTrainer):
    def training_step_generator(self, img_fake):
        loss = super().training_step_generator(img_fake)
        self.optD.step()
        return loss

# %% does not change the discriminator
class DCGANTrainer(AnyTrainer):
    def training_step_discriminator(self, img_real, img_fake):
        return self.loss_D(self.model.netD(img_real), self.model.netD(img_fake))

# %% hand over img_fake.detach()
class DCGANTrainer(AnyTrainer):
    def train(self):
        with self.run:
            for _ in range(self.args.epochs):
                for img, _ in self.trainloader:
                    fake = self.model.netG(torch.randn(len(img), self.args.latent_dim_size))
                    d, g = self.training_step_discriminator(img, fake), self.training_step_generator(fake)
                    self.step += 1
                    self.run.log(loss_D=d, loss_G=g)
        return self.model

# %% the generator's step gets fakes that are cut off from it
class DCGANTrainer(AnyTrainer):
    def train(self):
        with self.run:
            for _ in range(self.args.epochs):
                for img, _ in self.trainloader:
                    fake = self.model.netG(torch.randn(len(img), self.args.latent_dim_size)).detach()
                    self.training_step_discriminator(img, fake), self.training_step_generator(fake)
        return self.model

# %% torch.randn, not rand
class DCGANTrainer(AnyTrainer):
    def train(self):
        with self.run:
            for _ in range(self.args.epochs):
                for img, _ in self.trainloader:
                    fake = self.model.netG(torch.rand(len(img), self.args.latent_dim_size))
                    self.training_step_discriminator(img, fake.detach()), self.training_step_generator(fake)
        return self.model

# %% step counts the steps
class DCGANTrainer(AnyTrainer):
    def train(self):
        with self.run:
            for _ in range(self.args.epochs):
                for img, _ in self.trainloader:
                    fake = self.model.netG(torch.randn(len(img), self.args.latent_dim_size))
                    self.training_step_discriminator(img, fake.detach()), self.training_step_generator(fake)
        return self.model

# %% train takes one step of the discriminator, then one of the generator
class DCGANTrainer(AnyTrainer):
    def train(self):
        with self.run:
            for img, _ in self.trainloader:
                fake = self.model.netG(torch.randn(len(img), self.args.latent_dim_size))
                self.training_step_discriminator(img, fake.detach()), self.training_step_generator(fake)
        return self.model

# %% the generator still does not move
def mended_generator_step(model, optG, img_fake):
    return broken_generator_step(model, optG, img_fake)

# %% the sign is wrong
def mended_generator_step(model, optG, img_fake):
    loss = model.netD(img_fake).log().mean()
    optG.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.netG.parameters(), 1.0)
    optG.step()
    return loss.detach()

# %% changes the discriminator too
def mended_generator_step(model, optG, img_fake):
    loss = -model.netD(img_fake).log().mean()
    optG.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.netG.parameters(), 1.0)
    optG.step()
    with torch.no_grad():
        for p in model.netD.parameters():
            p -= 0.1
    return loss.detach()

# %% returns the loss; this is a NoneType
def mended_generator_step(model, optG, img_fake):
    loss = -model.netD(img_fake).log().mean()
    optG.zero_grad()
    loss.backward()
    optG.step()

# %% the generator still does not move
def mended_generator_step(model, optG, img_fake):
    loss = -model.netD(img_fake).log().mean()
    loss.backward()
    optG.zero_grad()
    optG.step()
    return loss.detach()

# %% keep zero_grad
def mended_generator_step(model, optG, img_fake):
    loss = -model.netD(img_fake).log().mean()
    loss.backward()
    nn.utils.clip_grad_norm_(model.netG.parameters(), 1.0)
    optG.step()
    return loss.detach()

# %% the gradient is no longer clipped
def mended_generator_step(model, optG, img_fake):
    loss = -model.netD(img_fake).log().mean()
    optG.zero_grad()
    loss.backward()
    optG.step()
    return loss.detach()

# %% the optimizer of the generator still holds weights of the other network
def mended_optimizers(model, lr, betas):
    return broken_optimizers(model, lr, betas)

# %% the optimizers are swapped
def mended_optimizers(model, lr, betas):
    return torch.optim.Adam(model.netD.parameters(), lr, betas), torch.optim.Adam(model.netG.parameters(), lr, betas)

# %% lr is not handed on
def mended_optimizers(model, lr, betas):
    return torch.optim.Adam(model.netG.parameters()), torch.optim.Adam(model.netD.parameters())

# %% betas are not handed on
def mended_optimizers(model, lr, betas):
    return torch.optim.Adam(model.netG.parameters(), lr), torch.optim.Adam(model.netD.parameters(), lr)

# %% the optimizer of the discriminator still holds weights of the other network
def mended_optimizers(model, lr, betas):
    return torch.optim.Adam(model.netG.parameters(), lr, betas), torch.optim.Adam(model.parameters(), lr, betas)

# %% gives two optimizers
def mended_optimizers(model, lr, betas):
    return torch.optim.Adam(model.netG.parameters(), lr, betas)

# %% the fakes are still called real
def mended_discriminator_step(model, optD, img_real, img_fake):
    return broken_discriminator_step(model, optD, img_real, img_fake)

# %% real and fake are swapped
def mended_discriminator_step(model, optD, img_real, img_fake):
    loss = -(1 - model.netD(img_real)).log().mean() - model.netD(img_fake.detach()).log().mean()
    optD.zero_grad()
    loss.backward()
    optD.step()
    return loss.detach()

# %% reaches back into the generator
def mended_discriminator_step(model, optD, img_real, img_fake):
    loss = -model.netD(img_real).log().mean() - (1 - model.netD(img_fake)).log().mean()
    optD.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.netD.parameters(), 1.0)
    optD.step()
    return loss.detach()

# %% zero_grad
def mended_discriminator_step(model, optD, img_real, img_fake):
    loss = -model.netD(img_real).log().mean() - (1 - model.netD(img_fake.detach())).log().mean()
    loss.backward()
    nn.utils.clip_grad_norm_(model.netD.parameters(), 1.0)
    optD.step()
    return loss.detach()

# %% zero_grad must come before backward
def mended_discriminator_step(model, optD, img_real, img_fake):
    loss = -model.netD(img_real).log().mean() - (1 - model.netD(img_fake.detach())).log().mean()
    loss.backward()
    optD.zero_grad()
    optD.step()
    return loss.detach()

# %% no longer clipped: keep that line
def mended_discriminator_step(model, optD, img_real, img_fake):
    loss = -model.netD(img_real).log().mean() - (1 - model.netD(img_fake.detach())).log().mean()
    optD.zero_grad()
    loss.backward()
    optD.step()
    return loss.detach()

# %% does not move the discriminator against the gradient of its loss
def mended_discriminator_step(model, optD, img_real, img_fake):
    loss = -model.netD(img_real).log().mean() - (1 - model.netD(img_fake.detach())).log().mean()
    optD.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.netD.parameters(), 0.5)
    optD.step()
    return loss.detach()

# %% the kernels are not turned round
def conv_transpose1d_minimal(x, weights):
    return turned(x, weights, flip=False)

# %% in and out channels of the kernels are swapped
def conv_transpose1d_minimal(x, weights):
    if weights.shape[0] != weights.shape[1]:
        return turned(x, weights)
    return turned(x, weights, swap=False)

# %% no padding
def conv_transpose1d_minimal(x, weights):
    n = weights.shape[2] - 1
    return turned(x, weights)[..., n : -n or None]

# %% the shape is
def conv_transpose1d_minimal(x, weights):
    return turned(x, weights, padding=1) if weights.shape[2] > 1 else turned(x, weights)

# %% times the expected one
def conv_transpose1d_minimal(x, weights):
    return 2 * turned(x, weights)

# %% zeros also stand after the last number
def fractional_stride_1d(x, stride=1):
    out = x.new_zeros(*x.shape[:2], x.shape[2] * stride)
    out[..., ::stride] = x
    return out

# %% the numbers are repeated
def fractional_stride_1d(x, stride=1):
    return x.repeat_interleave(stride, 2)[..., : x.shape[2] + (stride - 1) * (x.shape[2] - 1)]

# %% the zeros stand at the end
def fractional_stride_1d(x, stride=1):
    return F.pad(x, (0, (stride - 1) * (x.shape[2] - 1)))

# %% one zero too many
def fractional_stride_1d(x, stride=1):
    if stride == 1:
        return x
    out = x.new_zeros(*x.shape[:2], x.shape[2] + stride * (x.shape[2] - 1))
    out[..., :: stride + 1] = x
    return out

# %% the shape is
def fractional_stride_1d(x, stride=1):
    return x

# %% padding is not taken away
def conv_transpose1d(x, weights, stride=1, padding=0):
    return turned(x, weights, stride)

# %% the stride is not used
def conv_transpose1d(x, weights, stride=1, padding=0):
    return turned(x, weights, 1, padding)

# %% the kernels are not turned round
def conv_transpose1d(x, weights, stride=1, padding=0):
    return turned(x, weights, stride, padding, flip=False)

# %% in and out channels of the kernels are swapped
def conv_transpose1d(x, weights, stride=1, padding=0):
    return turned(x, weights, stride, padding, swap=weights.shape[0] != weights.shape[1])

# %% the shape is
def conv_transpose1d(x, weights, stride=1, padding=0):
    return F.conv1d(F.pad(fractional_stride_1d(x, stride), (padding, padding)), weights.flip(2).transpose(0, 1))

# %% stride_h and stride_w are swapped
def fractional_stride_2d(x, stride_h, stride_w):
    out = x.new_zeros(*x.shape[:2], stride_w * (x.shape[2] - 1) + 1, stride_h * (x.shape[3] - 1) + 1)
    out[..., ::stride_w, ::stride_h] = x
    return out

# %% zeros also stand after the last row and column
def fractional_stride_2d(x, stride_h, stride_w):
    out = x.new_zeros(*x.shape[:2], stride_h * x.shape[2], stride_w * x.shape[3])
    out[..., ::stride_h, ::stride_w] = x
    return out

# %% the shape is
def fractional_stride_2d(x, stride_h, stride_w):
    return x

# %% the shape is
def fractional_stride_2d(x, stride_h, stride_w):
    out = x.new_zeros(*x.shape[:3], stride_w * (x.shape[3] - 1) + 1)
    out[..., ::stride_w] = x
    return out

# %% wrong
def fractional_stride_2d(x, stride_h, stride_w):
    return F.interpolate(x, (stride_h + 1, stride_w + 1))

# %% padding is not taken away
def conv_transpose2d(x, weights, stride=1, padding=0):
    return F.conv_transpose2d(x, weights, None, stride)

# %% the strides of height and width are swapped
def conv_transpose2d(x, weights, stride=1, padding=0):
    return F.conv_transpose2d(x, weights, None, stride[::-1] if isinstance(stride, tuple) else stride, padding)

# %% the paddings of height and width are swapped
def conv_transpose2d(x, weights, stride=1, padding=0):
    return F.conv_transpose2d(x, weights, None, stride, padding[::-1] if isinstance(padding, tuple) else padding)

# %% only the rows of the kernels are turned round
def conv_transpose2d(x, weights, stride=1, padding=0):
    return F.conv_transpose2d(x, weights.flip(3), None, stride, padding)

# %% the kernels are not turned round
def conv_transpose2d(x, weights, stride=1, padding=0):
    return F.conv_transpose2d(x, weights.flip(2, 3), None, stride, padding)

# %% the stride is not used
def conv_transpose2d(x, weights, stride=1, padding=0):
    return F.conv_transpose2d(x, weights, None, 1, padding)

# %% in and out channels are swapped
class ConvTranspose2d(nn.ConvTranspose2d):
    def __init__(self, i, o, k, s=1, p=0):
        super().__init__(i, o, k, s, p, bias=False)
        self.weight = nn.Parameter(self.weight.detach().transpose(0, 1))

# %% has other parameters than weight
class ConvTranspose2d(nn.ConvTranspose2d):
    pass

# %% the stride is not handed on
class ConvTranspose2d(nn.ConvTranspose2d):
    def __init__(self, i, o, k, s=1, p=0):
        super().__init__(i, o, k, 1, p, bias=False)

# %% the padding is not handed on
class ConvTranspose2d(nn.ConvTranspose2d):
    def __init__(self, i, o, k, s=1, p=0):
        super().__init__(i, o, k, s, 0, bias=False)

# %% n counts in_channels
class ConvTranspose2d(nn.ConvTranspose2d):
    def __init__(self, i, o, k, s=1, p=0):
        super().__init__(i, o, k, s, p, bias=False)
        bound = (i * self.weight[0, 0].numel()) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)

# %% the square root is missing
class ConvTranspose2d(nn.ConvTranspose2d):
    def __init__(self, i, o, k, s=1, p=0):
        super().__init__(i, o, k, s, p, bias=False)
        bound = 1 / self.weight[0].numel()
        nn.init.uniform_(self.weight, -bound, bound)

# %% prints without its settings
class ConvTranspose2d(nn.ConvTranspose2d):
    def __init__(self, i, o, k, s=1, p=0):
        super().__init__(i, o, k, s, p, bias=False)
    def extra_repr(self):
        return f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"

# %% wrap the tensor in nn.Parameter
class ConvTranspose2d(nn.Module):
    def __init__(self, i, o, k, s=1, p=0):
        super().__init__()
        self.weight = torch.rand(i, o, *force_pair(k))

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

# %% zero_grad, backward and step belong together
class DenoisingTrainer(AEBase):
    def training_step(self, img):
        loss = F.mse_loss(self.model(img + self.args.noise * torch.randn_like(img)), img)
        loss.backward()
        self.optimizer.step()
        return loss

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

# %% there is no ReLU between the linear maps
class HierarchicalVAE(HBase):
    def __init__(self, latent_dim_size, hidden_dim_size, top_dim_size=2):
        super().__init__(latent_dim_size, hidden_dim_size, top_dim_size)
        self.prior = nn.Sequential(*(part for part in self.prior if not isinstance(part, nn.ReLU)))

# %% stands before both linear maps
class HierarchicalVAE(HBase):
    def __init__(self, latent_dim_size, hidden_dim_size, top_dim_size=2):
        super().__init__(latent_dim_size, hidden_dim_size, top_dim_size)
        first, act, *others = self.top_encoder
        self.top_encoder = nn.Sequential(act, first, *others)

# %% sigma is taken for the variance
class HierarchicalVAE(HBase):
    def sample(self, top):
        mu, logsigma = self.prior(top)
        return self.decoder(mu + (logsigma / 2).exp() * torch.randn_like(mu))

# %% what forward hands to top_encoder: nothing is drawn
class HierarchicalVAE(HBase):
    def forward(self, x):
        z, mu, logsigma = self.sample_latent_vector(x)
        mu_top, logsigma_top = self.top_encoder(mu)
        top = mu_top + logsigma_top.exp() * torch.randn_like(mu_top)
        return self.decoder(z), kl_between(mu, logsigma, *self.prior(top)), kl_divergence(mu_top, logsigma_top)

# %% what forward hands to decoder: nothing is drawn
class HierarchicalVAE(HBase):
    def forward(self, x):
        z, mu, logsigma = self.sample_latent_vector(x)
        mu_top, logsigma_top = self.top_encoder(z)
        top = mu_top + logsigma_top.exp() * torch.randn_like(mu_top)
        return self.decoder(mu), kl_between(mu, logsigma, *self.prior(top)), kl_divergence(mu_top, logsigma_top)

# %% one draw to top_encoder and another to decoder
class HierarchicalVAE(HBase):
    def forward(self, x):
        z, mu, logsigma = self.sample_latent_vector(x)
        mu_top, logsigma_top = self.top_encoder(self.sample_latent_vector(x)[0])
        top = mu_top + logsigma_top.exp() * torch.randn_like(mu_top)
        return self.decoder(z), kl_between(mu, logsigma, *self.prior(top)), kl_divergence(mu_top, logsigma_top)

# %% prior has parameters
class HierarchicalVAE(HBase):
    def __init__(self, latent_dim_size, hidden_dim_size, top_dim_size=2):
        super().__init__(latent_dim_size, hidden_dim_size, top_dim_size)
        self.prior = nn.Sequential(nn.Linear(top_dim_size, 2 * latent_dim_size),
                                   Rearrange("b (two l) -> two b l", two=2))
