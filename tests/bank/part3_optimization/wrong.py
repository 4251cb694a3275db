"""Wrong answers to the distributed part of 0.3; each cell's title is what its verdict contains."""


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
