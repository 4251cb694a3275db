"""Checks of 0.3: distributed training."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from part2_cnns.utils import Pictures
from torch import nn

from arena_lab import rank as ranks_own
from arena_lab import ranks
from arena_lab.checks import checks, expect, fail, require

# Seconds without any message: an answer that computes longer on these sizes has gone wrong.
PATIENCE = 5.0


# --- messages ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """What each rank holds, the settings of the call, and a text that says which it is."""

    tensors: tuple
    settings: dict

    def text(self, function):
        settings = "".join(f", {key}={value!r}" for key, value in self.settings.items())
        return f"{function.__name__}(tensor, rank, world_size={len(self.tensors)}{settings})"


def use(rank, world_size, function, cases):
    """Be one rank: call the answer for each case, and give what became of the tensor."""
    results = []
    for case in cases:
        tensor = case.tensors[rank].clone()
        ranks_own.step(case.text(function))
        returned = function(tensor, rank, world_size, **case.settings)
        sent = [(m.peer, m.n_bytes) for m in ranks_own.messages() if m.kind == "send"]
        results.append((tensor, returned, sent))
    return results


def try_out(function, world_size, cases):
    """Run all cases in one group of ranks; give for each case what each rank gave."""
    found = ranks.run(use, world_size, function, cases, patience=PATIENCE, only_messages=True)
    return list(zip(*found, strict=True))


def tensors_of(world_size, *shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        torch.randint(-9, 10, shape, generator=generator).to(dtype) for _ in range(world_size)
    )


def known(world_size):
    """Give what each rank holds in the first case; no likely mistake gives the same as another."""
    held = [[3.0, 5.0], [1.0, 2.0], [10.0, 20.0], [7.0, -4.0]]
    return tuple(torch.tensor(held[rank % 4]) for rank in range(world_size))


def expect_in_place(actual, expected, case, function, rank, mistakes):
    held = case.tensors[rank]
    if torch.equal(actual, held) and not torch.equal(expected, held):
        mistakes = {
            f"the tensor of rank {rank} is as it was; change it in place (recv into it, copy_, "
            "+=), as a new tensor under the same name is lost when the function returns": held,
            **mistakes,
        }
    mistakes = {k: v for k, v in mistakes.items() if not torch.equal(v, expected)}
    expect(
        actual,
        expected,
        of=f"the tensor of rank {rank} after {case.text(function)}",
        mistakes=mistakes,
        dtype=True,
    )


@checks("broadcast", timeout=30)
def test_broadcast(broadcast, world_size=3):  # noqa: PT028
    for size in (world_size, 2, 1):
        cases = [Case(known(size), {}), Case(known(size), {"src": size - 1})]
        cases += [
            Case(tensors_of(size, 2, 3, seed=src), {"src": src}) for src in reversed(range(size))
        ]
        cases += [Case(tensors_of(size, seed=1, dtype=torch.int64), {"src": size // 2})]
        for case, given in zip(cases, try_out(broadcast, size, cases), strict=True):
            src = case.settings.get("src", 0)
            for rank in (src, *range(size)):
                mistakes = {
                    f"this is the tensor of rank {other}, not that of src={src}": value
                    for other, value in enumerate(case.tensors)
                    if other not in (src, rank)
                }
                mistakes["the tensors are added up; they are to be copied"] = sum(case.tensors)
                expect_in_place(given[rank][0], case.tensors[src], case, broadcast, rank, mistakes)


def combined(case):
    """Give the right result of a reduction, and what likely mistakes give."""
    size, op = len(case.tensors), case.settings.get("op", "sum")
    total = torch.stack(case.tensors).sum(dim=0)
    mean = total / size
    right = total if op == "sum" else mean
    mistakes = {
        'op="mean" gives the sum; divide by world_size': total,
        'op="sum" gives the mean; divide only for op="mean"': mean,
        "divided by world_size twice": mean / size,
        "divided by the number of other ranks; the own tensor counts too": total / max(size - 1, 1),
        "the product is formed; op is the sum or the mean": torch.stack(case.tensors).prod(dim=0),
    }
    return right, mistakes


def without_one(case, rank):
    """Give what comes out where one rank is left out or counts twice."""
    right = combined(case)[0]
    size = len(case.tensors) if case.settings.get("op") == "mean" else 1
    found = {}
    for other, value in enumerate(case.tensors):
        if value.any():
            found[f"the tensor of rank {other} is missing in it"] = right - value / size
            found[f"the tensor of rank {other} counts twice"] = right + value / size
    found["the own tensor is overwritten by the last one that was received"] = case.tensors[
        len(case.tensors) - 1 - (rank == len(case.tensors) - 1)
    ]
    return found


def reduction_cases(size, **settings):
    both = [{**settings, "op": op} for op in ("sum", "mean")]
    return [
        Case(known(size), settings),
        *(Case(known(size), each) for each in both),
        *(Case(tensors_of(size, 3, 2, seed=i), each) for i, each in enumerate(both)),
        Case(tensors_of(size, seed=2), both[1]),
    ]


def expect_combined(function, case, rank, given):
    right, mistakes = combined(case)
    expect_in_place(given, right, case, function, rank, {**without_one(case, rank), **mistakes})


@checks("reduce", timeout=30)
def test_reduce(reduce, world_size=3):  # noqa: PT028
    for size in (world_size, 2, 1):
        cases = reduction_cases(size)
        if size > 1:
            cases += reduction_cases(size, dst=size - 1)
        for case, given in zip(cases, try_out(reduce, size, cases), strict=True):
            dst = case.settings.get("dst", 0)
            right = combined(case)[0]
            elsewhere = [r for r in range(size) if torch.equal(given[r][0], right)]
            require(
                torch.equal(given[dst][0], right) or not elsewhere or right.ndim == 0,
                f"the result is on rank {elsewhere[:1] and elsewhere[0]}; it must be on dst={dst}",
                called=case.text(reduce),
            )
            expect_combined(reduce, case, dst, given[dst][0])


def expect_all_reduce(all_reduce, size):
    cases = reduction_cases(size)
    results = try_out(all_reduce, size, cases)
    for case, given in zip(cases, results, strict=True):
        right = combined(case)[0]
        have = [rank for rank in range(size) if torch.allclose(given[rank][0], right)]
        lack = [rank for rank in range(size) if rank not in have]
        # Whole numbers far from each other: only what was never sent is as it was.
        as_it_was = [r for r in lack if torch.equal(given[r][0], case.tensors[r])]
        require(
            not have or as_it_was != lack or not lack,
            f"only rank {', '.join(map(str, have))} has the result; every rank must",
            called=case.text(all_reduce),
            **{f"rank {r} has": given[r][0] for r in range(size)},
        )
        for rank in range(size):
            expect_combined(all_reduce, case, rank, given[rank][0])
    return cases, results


@checks("all_reduce", timeout=30)
def test_all_reduce(all_reduce, world_size=3):  # noqa: PT028
    for size in (world_size, 2, 1):
        expect_all_reduce(all_reduce, size)


@checks("gather", timeout=30)
def test_gather(gather, world_size=3):  # noqa: PT028
    for size in (world_size, 1):
        cases = [Case(known(size), {}), Case(tensors_of(size, 2, 2), {"dst": size - 1})]
        for case, given in zip(cases, try_out(gather, size, cases), strict=True):
            dst = case.settings.get("dst", 0)
            for rank, (tensor, returned, _) in enumerate(given):
                name = f"{case.text(gather)} on rank {rank}"
                expect(tensor, case.tensors[rank], of=f"the tensor handed to {name}")
                if rank != dst:
                    require(returned is None, f"{name} returned something; only dst={dst} collects")
            expect_collected(
                given[dst][1], list(case.tensors), f"{case.text(gather)} on rank {dst}"
            )


def expect_collected(have, tensors, name):
    require(
        isinstance(have, list | tuple),
        f"{name} must return a list of tensors",
        returned=repr(have),
    )
    if len(have) == len(tensors) > 1:
        require(
            not all(torch.equal(value, have[0]) for value in have),
            "all places of the list hold the same tensor: receive each into one of its own",
        )
        require(
            not all(torch.equal(a, b) for a, b in zip(have, tensors[::-1], strict=True)),
            "the tensors stand in the wrong order; place r is for rank r",
        )
    expect(list(have), tensors, of=name)


# --- the trainer ------------------------------------------------------------------------------

N_CLASSES = 12
ON_THE_TEST_SET = (1, 1, 1, 0, 0, 1, 0)  # which of its pictures the model gets right


def pictures(labels, shown):
    """Give pictures that show a number as the place of one bright dot."""
    pixels = torch.zeros(len(labels), N_CLASSES, dtype=torch.uint8)
    pixels[torch.arange(len(labels)), torch.as_tensor(shown)] = 255
    names = [str(i) for i in range(N_CLASSES)]
    statistics = ((0.0,) * 3, (1.0,) * 3)
    return Pictures(pixels.reshape(-1, 3, 2, 2), torch.as_tensor(labels), statistics, names)


def tiny_pictures():
    """Give twelve pictures to train on, and seven to test with, some labelled wrongly."""
    right = [i if ok else i + 1 for i, ok in enumerate(ON_THE_TEST_SET)]
    return pictures(range(N_CLASSES), range(N_CLASSES)), pictures(right, range(len(right)))


def tiny_model(n_classes):
    """Give a network of random weights, with a hidden layer and no batch norm."""
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, n_classes))


def reading_model(n_classes):
    """Give a network that reads the bright dot's place."""
    layer = nn.Linear(12, n_classes, bias=False)
    nn.init.eye_(layer.weight)
    return nn.Sequential(nn.Flatten(), layer)


def batches(n_steps, size, world_size):
    """Give the pictures and labels of each step for all ranks together."""
    generator = torch.Generator().manual_seed(0)
    return [
        (
            torch.randn(size * world_size, 3, 2, 2, generator=generator),
            torch.randint(N_CLASSES, (size * world_size,), generator=generator),
        )
        for _ in range(n_steps)
    ]


def copies(model):
    return [param.detach().clone() for param in model.parameters()]


def take_steps(rank, world_size, trainer_class, args, steps):
    """Be one rank: set up, take the steps on this rank's part, and give all that is to check."""
    torch.manual_seed(rank)  # as different processes would begin
    trainer = trainer_class(args, rank)
    trainer.pre_training_setup()
    start, losses = copies(trainer.model), []
    for imgs, labels in steps:
        part = slice(rank * args.batch_size, (rank + 1) * args.batch_size)
        losses.append(torch.as_tensor(trainer.training_step(imgs[part], labels[part])).detach())
    return start, copies(trainer.model), losses, trainer.examples_seen


def alone(steps, args, chosen=slice(None), scale=1.0):
    """Take the same steps in one process on the joined batches, with torch's own SGD."""
    torch.manual_seed(0)
    model = args.make_model(args.n_classes)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=args.learning_rate * scale, weight_decay=args.weight_decay / scale
    )
    losses = []
    for imgs, labels in steps:
        loss = F.cross_entropy(model(imgs[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return copies(model), losses


def settings(args_class, world_size, **more):
    given = {"make_optimizer": torch.optim.SGD, "load_data": tiny_pictures, "batch_size": 2}
    return args_class(n_classes=N_CLASSES, world_size=world_size, **{**given, **more})


@checks("DistResNetTrainer", timeout=30)
def test_dist_resnet_trainer_is_one_process_on_the_joined_batch(
    DistResNetTrainer, DistResNetTrainingArgs
):
    for size in (2, 3):
        args = settings(
            DistResNetTrainingArgs,
            size,
            make_model=tiny_model,
            learning_rate=0.5,
            weight_decay=0.01,
        )
        steps = batches(3, args.batch_size, size)
        given = ranks.run(take_steps, size, DistResNetTrainer, args, steps, patience=PATIENCE)
        expect_same_start(given)
        expect_same_weights(given, steps, args)
        require(
            all(rank[3] == 3 * size * args.batch_size for rank in given),
            f"examples_seen is {given[0][3]} after 3 steps of {size} ranks with "
            f"{args.batch_size} pictures each; all ranks' pictures count: "
            f"{3 * size * args.batch_size}",
        )


def expect_same_start(given):
    for rank, (start, *_) in enumerate(given):
        if not all(torch.equal(a, b) for a, b in zip(start, given[0][0], strict=True)):
            fail(
                f"rank {rank} begins with other weights than rank 0: broadcast the weights in "
                "pre_training_setup",
                rank_0=given[0][0][0],
                **{f"rank {rank}": start[0]},
            )


def same(found, expected):
    return all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found, expected, strict=True))


def expect_same_weights(given, steps, args):
    size = len(given)
    right, losses = alone(steps, args)
    parts = [slice(r * args.batch_size, (r + 1) * args.batch_size) for r in range(size)]
    for rank, (start, weights, *_) in enumerate(given):
        require(not same(weights, start), "training_step does not change the weights")
        if same(weights, alone(steps, args, chosen=parts[rank])[0]):
            fail(f"rank {rank} stepped by its own gradient alone: average the gradients first")
        if same(weights, alone(steps, args, scale=size)[0]):
            fail('the gradients are added up and not averaged: op="mean"')
        if not same(weights, right):
            fail(
                f"after {len(steps)} steps of {size} ranks the weights of rank {rank} are not "
                "those of one process on the joined batches",
                first_weight_differs_by=max(
                    (a - b).abs().max() for a, b in zip(weights, right, strict=True)
                ).item(),
            )
    for rank, (_, _, found, _) in enumerate(given):
        for one, expected in zip(found, losses, strict=True):
            if not torch.allclose(one, expected, atol=1e-5):
                fail(
                    "training_step must return the mean loss over all ranks, which is the loss "
                    "of the joined batch",
                    **{f"rank {rank} returned": one, "expected": expected},
                )


def train_and_note(rank, world_size, trainer_class, args):
    """Be one rank: train, and give the labels of each step and the accuracy at the end."""
    seen = []

    class Noting(trainer_class):
        def training_step(self, imgs, labels):
            seen.append(labels.tolist())
            return super().training_step(imgs, labels)

    trainer = Noting(args, rank)
    trainer.train()
    return seen, len(trainer.logged_variables["accuracy"])


def evaluate_and_count(rank, world_size, trainer_class, args):
    """Be one rank: set up, evaluate, and give the accuracy and the number of pictures tested."""
    trainer = trainer_class(args, rank)
    trainer.pre_training_setup()
    tested = []
    trainer.model.register_forward_hook(lambda module, args, out: tested.append(len(args[0])))
    trainer.model.train()
    accuracy = trainer.evaluate()
    return accuracy, sum(tested), trainer.model.training


@checks("DistResNetTrainer", timeout=30)
def test_dist_resnet_trainer_shares_the_training_set(DistResNetTrainer, DistResNetTrainingArgs):
    args = settings(DistResNetTrainingArgs, 3, make_model=reading_model, epochs=2)
    given = ranks.run(train_and_note, 3, DistResNetTrainer, args, patience=PATIENCE)
    shares = [[label for step in seen for label in step] for seen, _ in given]
    for rank, share in enumerate(shares):
        require(
            len(share) == 2 * N_CLASSES // 3,
            f"rank {rank} trained on {len(share)} pictures in 2 epochs; its share of "
            f"{N_CLASSES} among 3 ranks is {N_CLASSES // 3} an epoch"
            + (": the sampler is not used" if len(share) == 2 * N_CLASSES else ""),
        )
    epochs = [[share[:4] for share in shares], [share[4:] for share in shares]]
    for epoch in epochs:
        require(
            sorted(label for share in epoch for label in share) == list(range(N_CLASSES)),
            "two ranks trained on the same pictures: each needs a sampler with its own rank, "
            "and all the same seed",
            **{f"rank {rank}": str(share) for rank, share in enumerate(epoch)},
        )
    require(
        epochs[0] != epochs[1],
        "both epochs have the same order: call train_sampler.set_epoch(epoch) before each",
        first_epoch=str(epochs[0]),
    )
    require(
        all(n == 2 for _, n in given),
        f"train noted {given[0][1]} accuracies in 2 epochs: evaluate after each epoch, on every "
        "rank, and note it in logged_variables",
    )


@checks("DistResNetTrainer", timeout=30)
def test_dist_resnet_trainer_evaluates_every_picture_once(
    DistResNetTrainer, DistResNetTrainingArgs
):
    args = settings(DistResNetTrainingArgs, 3, make_model=reading_model)
    given = ranks.run(evaluate_and_count, 3, DistResNetTrainer, args, patience=PATIENCE)
    n_right, n = sum(ON_THE_TEST_SET), len(ON_THE_TEST_SET)
    tested = [count for _, count, _ in given]
    require(tested != [n] * 3, "every rank tests the whole test set; each is to take its share")
    require(
        sum(tested) == n,
        f"the ranks tested {sum(tested)} pictures together, but the test set has {n}: a "
        "DistributedSampler fills up with pictures that then count twice",
        rank_by_rank=str(tested),
    )
    shares = [ON_THE_TEST_SET[rank::3] for rank in range(3)]
    means = [sum(share) / len(share) for share in shares]
    for rank, (accuracy, _, training) in enumerate(given):
        expect(
            accuracy,
            n_right / n,
            of=f"evaluate() on rank {rank}",
            mistakes={
                "this is the accuracy on this rank's share alone; add up over the ranks": means[
                    rank
                ],
                "the mean of the ranks' accuracies is not the accuracy: their shares differ in "
                "size. Add up right answers and pictures, then divide": sum(means) / 3,
                "this is the number of right answers, not their share": float(n_right),
            },
        )
        require(not training, "evaluate leaves the model in training mode: call model.eval()")


# --- the ring ---------------------------------------------------------------------------------


@checks("ring_all_reduce", timeout=30)
def test_ring_all_reduce(ring_all_reduce, world_size=3):  # noqa: PT028
    for size in (world_size, 2, 1):
        expect_all_reduce(ring_all_reduce, size)


@checks("ring_all_reduce", timeout=30)
def test_ring_all_reduce_spreads_the_work(ring_all_reduce, world_size=4):  # noqa: PT028
    n = 3 * world_size
    tensors = tensors_of(world_size, n)
    case = Case(tensors, {})
    (given,) = try_out(ring_all_reduce, world_size, [case])
    for rank, (tensor, _, sent) in enumerate(given):
        expect_combined(ring_all_reduce, case, rank, tensor)
        peers = {peer for peer, _ in sent}
        require(
            peers <= {(rank + 1) % world_size} or peers <= {(rank - 1) % world_size},
            f"rank {rank} sends to {sorted(peers)}; in a ring it sends to one neighbour only",
        )
        n_sent = sum(n_bytes for _, n_bytes in sent) // 4
        expect_share(rank, n_sent, 2 * (world_size - 1) * n // world_size, n)


def expect_share(rank, n_sent, allowed, n):
    require(
        n_sent <= allowed,
        f"rank {rank} sends {n_sent} numbers to reduce a tensor of {n}; a ring needs only "
        f"2 (world_size - 1) / world_size times its size, {allowed}: send one chunk at a time",
    )
