"""Right answers to the distributed part of 0.3 in other styles: requests, trees, flat gradients."""


def shift(sent, to, received, source):
    """Send and receive at the same time."""
    for request in dist.batch_isend_irecv(
        [dist.P2POp(dist.isend, sent, to), dist.P2POp(dist.irecv, received, source)]
    ):
        request.wait()


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
