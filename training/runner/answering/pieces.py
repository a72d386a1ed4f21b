"""Requests as pieces that a model reads: what several of them share is read once.

A piece is a stem and its branches: the prompt of a question and its choices. In a row of a batch
stem and branches follow each other; a mask keeps each branch from seeing the others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from training.runner.encoding import Request

Ids = tuple[int, ...]
# Branches that share less than this part of what they read are better read apart.
LEAST_SHARED = 0.1
# A row with branches has a mask of its size squared.
MOST_NODES = 2048


@dataclass(frozen=True)
class Target:
    """A token to be scored: the node that predicts it, and the request it belongs to."""

    node: int
    token: int
    request: int


@dataclass(frozen=True)
class Piece:
    """A stem, branches that each continue it, and what is to be scored.

    Nodes are numbered along the stem, then along each branch. The first `skipped` nodes of the
    stem are those of a prefix that the model has read already; no target lies there.
    """

    stem: Ids
    branches: tuple[Ids, ...]
    targets: tuple[Target, ...]
    skipped: int = 0

    @cached_property
    def size(self) -> int:
        """How many nodes there are to read."""
        return len(self.stem) - self.skipped + sum(map(len, self.branches))

    @property
    def ids(self) -> Ids:
        """The tokens to read."""
        return sum(self.branches, self.stem[self.skipped :])

    @property
    def positions(self) -> Iterator[int]:
        """The place of each of them in its own text."""
        yield from range(self.skipped, len(self.stem))
        for branch in self.branches:
            yield from range(len(self.stem), len(self.stem) + len(branch))


def pieces_of(requests: Sequence[Request], *, branching: bool, prefix: Ids = ()) -> list[Piece]:
    """The pieces that score `requests`: one with branches, or one for each different input.

    The last token of a request is only predicted, so it is no part of the input. Where `prefix`
    is given, a model has read it: pieces that begin with it skip it.
    """
    inputs = list(dict.fromkeys(request.ids[:-1] for request in requests))
    shared, total = _shared(inputs), sum(map(len, inputs))
    saved = shared * (len(inputs) - 1)
    if branching and saved and LEAST_SHARED * total <= saved >= total - MOST_NODES:
        groups = [(inputs[0][:shared], [ids[shared:] for ids in inputs if len(ids) > shared])]
    else:
        groups = [(ids, []) for ids in inputs]
    return [_piece(stem, branches, requests, prefix) for stem, branches in groups]


def _piece(stem: Ids, branches: list[Ids], requests: Sequence[Request], prefix: Ids) -> Piece:
    starts, place = {}, len(stem)
    for branch in branches:
        starts[branch] = place
        place += len(branch)
    targets = []
    for number, request in enumerate(requests):
        read = request.ids[:-1]
        tail = read[len(stem) :]
        if read[: len(stem)] != stem or (tail and tail not in starts):
            continue  # of another piece
        if not branches and tail:
            continue
        for node in range(len(read) - request.scored, len(read)):
            place = node if node < len(stem) else starts[tail] + node - len(stem)
            targets.append(Target(place, request.ids[node + 1], number))
    first = min((target.node for target in targets), default=0)
    skips = bool(prefix) and first >= len(prefix) and stem[: len(prefix)] == prefix
    return Piece(stem, tuple(branches), tuple(targets), len(prefix) if skips else 0)


def _shared(inputs: Sequence[Ids]) -> int:
    """How many tokens all of `inputs` begin with alike."""
    low, high = 0, min(map(len, inputs))
    first = inputs[0]
    while low < high:
        middle = (low + high + 1) // 2
        if all(ids[:middle] == first[:middle] for ids in inputs):
            low = middle
        else:
            high = middle - 1
    return low
