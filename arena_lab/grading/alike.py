"""Which submissions look alike: a hint to a person, never a verdict.

Each function that a learner wrote is brought to a form without names of variables, layout and
comments; of its runs of tokens a sample is kept that does not hang on where they stand (winnowing:
Schleimer, Wilkerson and Aiken, SIGMOD 2003). What the starter or our solutions hold is left out,
and what many learners wrote: there are only so many ways to write a short function.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

# How many tokens make a run, and one of how many runs is kept.
_RUN, _WINDOW = 12, 4
# Runs in which two must be able to agree before that says anything, and the share that is listed.
_ENOUGH, _SHARE = 40, 0.5
# A run that so many learners have, or this share of them, belongs to the exercise.
_MANY, _SHARE_OF_MANY = 5, 0.2

_NAMES = re.compile(r"(id|arg)='\w+'")
_TOKENS = re.compile(r"\w+")
# Of Python's syntax tree these say nothing about how a thing was written.
_EMPTY = {"ctx", "Load", "Store", "Del", "id", "arg", "args", "keywords", "Name", "value", "body"}


@dataclass(frozen=True)
class Pair:
    """Two learners, and the share of the shorter one's own code that stands in the other's too."""

    first: str
    second: str
    share: float


def runs(shape: str) -> list[int]:
    """Give the hash of each run of tokens in a definition's shape (see `cells.Statement`)."""
    tokens = [t for t in _TOKENS.findall(_NAMES.sub("name", shape)) if t not in _EMPTY]
    starts = range(len(tokens) - _RUN + 1)
    return [zlib.crc32(" ".join(tokens[i : i + _RUN]).encode()) for i in starts]


def fingerprints(shapes: Iterable[str], given: frozenset[int]) -> list[int]:
    """Give the fingerprints of definitions, without the runs that were given to all."""
    return sorted({run for shape in shapes for run in _winnowed(shape, given)})


def _winnowed(shape: str, given: frozenset[int]) -> Iterator[int]:
    own = [run for run in runs(shape) if run not in given]
    if own and len(own) < _WINDOW:
        yield min(own)
    for i in range(len(own) - _WINDOW + 1):
        yield min(own[i : i + _WINDOW])


def pairs(learners: Mapping[str, Iterable[int]]) -> list[Pair]:
    """Give the learners whose code looks alike, the most alike first."""
    prints = {name: frozenset(found) for name, found in learners.items()}
    spread = Counter(run for found in prints.values() for run in found)
    many = max(_MANY, _SHARE_OF_MANY * len(prints))
    own = {name: {run for run in found if spread[run] <= many} for name, found in prints.items()}
    found = []
    for (first, a), (second, b) in combinations(prints.items(), 2):
        if a == b and len(a) >= _ENOUGH:
            found.append(Pair(first, second, 1.0))
        elif min(len(own[first]), len(own[second])) >= _ENOUGH:
            shared = len(own[first] & own[second])
            share = shared / min(len(own[first]), len(own[second]))
            found += [Pair(first, second, share)] if share >= _SHARE else []
    return sorted(found, key=lambda pair: -pair.share)
