"""Log-likelihoods of continuations: batches by token budget, float32 log-softmax."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import torch

from training.runner.answering.backbone import Backbone
from training.runner.answering.caches import SharedLayer
from training.runner.answering.packing import pack
from training.runner.answering.pieces import Ids, Piece, pieces_of
from training.runner.encoding import Request, truncated

ASKS_A_BATCH = 256
# A prefix shorter than this is read again each time: lending it costs as much.
LEAST_PREFIX = 16
# The last tokens of a common text may melt into what follows it.
MELTING = 2


@dataclass(frozen=True)
class Likelihood:
    """Of one continuation. `greedy`: each of its tokens was the model's own first choice."""

    value: float
    greedy: bool
    tokens: int
    truncated: bool


@dataclass(frozen=True)
class Ask:
    """All requests of one question; `number` is its place in its chunk."""

    number: int
    requests: tuple[Request, ...]
    pieces: tuple[Piece, ...]

    @cached_property
    def size(self) -> int:
        return sum(piece.size for piece in self.pieces)

    @property
    def skipped(self) -> bool:
        """Whether all of it comes after the prefix that the model has read."""
        return all(piece.skipped for piece in self.pieces)


def batches(asks: Iterable[Ask], batch_tokens: int) -> Iterator[list[Ask]]:
    """`asks` in batches of at most `batch_tokens` tokens to read, longest first.

    The split depends on the questions and the budget alone: a resumed run and both sides of a
    comparison meet the same batches, hence the same rounding.
    """
    batch: list[Ask] = []
    size = 0
    for ask in sorted(asks, key=lambda ask: (ask.skipped, -ask.size, ask.number)):
        full = size + ask.size > batch_tokens or len(batch) >= ASKS_A_BATCH
        if batch and (full or batch[0].skipped != ask.skipped):
            yield batch
            batch, size = [], 0
        batch.append(ask)
        size += ask.size
    if batch:
        yield batch


class Scorer:
    """Scores batches with one model; `fixed` is the text that every prompt begins with."""

    def __init__(self, backbone: Backbone, fixed: str = "", batch_tokens: int = 2048) -> None:
        self.backbone, self.batch_tokens = backbone, batch_tokens
        self.prefix: Ids = ()
        self.layers: list[SharedLayer] | None = None
        if fixed and backbone.branching:
            self._lend(tuple(backbone.encoder.encode([fixed])[fixed][:-MELTING]))

    def _lend(self, prefix: Ids) -> None:
        if len(prefix) < LEAST_PREFIX or not self.backbone.branches(len(prefix) + 1):
            return
        with torch.inference_mode():
            self.layers = self.backbone.prefix(prefix)
        self.prefix = prefix if self.layers is not None else ()

    def ask(self, number: int, requests: Sequence[Request]) -> Ask:
        cut = tuple(truncated(request, self.backbone.length) for request in requests)
        branching = self.backbone.branches(max((len(request.ids) for request in cut), default=0))
        pieces = pieces_of(cut, branching=branching, prefix=self.prefix if branching else ())
        if any(not piece.skipped for piece in pieces):
            pieces = pieces_of(cut, branching=branching)
        return Ask(number, cut, tuple(pieces))

    def score(self, batch: Sequence[Ask]) -> list[list[Likelihood]]:
        """One list an ask, one likelihood a request."""
        requests = [request for ask in batch for request in ask.requests]
        starts = accumulate((len(ask.requests) for ask in batch), initial=0)
        owned = [
            (piece, start)
            for ask, start in zip(batch, starts, strict=False)
            for piece in ask.pieces
        ]
        sums = Sums(len(requests), self.backbone.device)
        with torch.inference_mode():
            for part in _parts(owned, self.batch_tokens):
                self._read(part, sums, lent=batch[0].skipped)
        found = [
            Likelihood(value, missed == 0, request.scored, request.truncated)
            for value, missed, request in zip(*sums.lists(), requests, strict=True)
        ]
        ends = list(accumulate(len(ask.requests) for ask in batch))
        return [found[end - len(ask.requests) : end] for end, ask in zip(ends, batch, strict=True)]

    def _read(self, part: Sequence[tuple[Piece, int]], sums: "Sums", *, lent: bool) -> None:
        """Read pieces, each with the number of its ask's first request, and add up."""
        prefix = len(self.prefix) if lent else 0
        rows = pack([piece for piece, _ in part], prefix=prefix, dtype=self.backbone.dtype)
        targets = sorted(_targets(part, rows.places))
        if not targets:
            return
        table = torch.tensor(targets, dtype=torch.long)
        width = rows.ids.shape[1]
        places, which = torch.unique(table[:, 0] * width + table[:, 1], return_inverse=True)
        where = (places // width).to(sums.device), (places % width).to(sums.device)
        start = 0
        for logits in self.backbone.read(rows, where, self.layers if lent else None):
            low, high = torch.searchsorted(which, torch.tensor([start, start + len(logits)]))
            mine = (which[low:high] - start, table[low:high, 2], table[low:high, 3])
            sums.add(logits, *(part.to(sums.device) for part in mine))
            start += len(logits)


class Sums:
    """By request: the sum of its tokens' log-probabilities, how many were not the first choice."""

    def __init__(self, count: int, device: Any) -> None:
        self.device = device
        self.values = torch.zeros(count, dtype=torch.float64, device=device)
        self.misses = torch.zeros(count, dtype=torch.long, device=device)

    def add(
        self,
        logits: torch.Tensor,
        places: torch.Tensor,
        tokens: torch.Tensor,
        owners: torch.Tensor,
    ) -> None:
        """Take in scored tokens [n]: their rows in `logits`, which is used up, and their requests.

        Float32 throughout: log-softmax is the logit less the logarithm of the sum of all e^logit.
        """
        chosen = logits[places, tokens]
        best, first = logits.max(dim=1)
        total = best + logits.sub_(best[:, None]).exp_().sum(dim=1).log_()
        self.values.index_add_(0, owners, (chosen - total[places]).double())
        self.misses.index_add_(0, owners, (first[places] != tokens).long())

    def lists(self) -> tuple[list[float], list[int]]:
        return self.values.tolist(), self.misses.tolist()


def _parts(owned: Sequence[tuple[Piece, int]], most: int) -> Iterator[list[tuple[Piece, int]]]:
    """Pieces in parts of at most `most` tokens: one long text has more windows than a batch."""
    part: list[tuple[Piece, int]] = []
    size = 0
    for piece, start in owned:
        if part and size + piece.size > most:
            yield part
            part, size = [], 0
        part.append((piece, start))
        size += piece.size
    if part:
        yield part


def _targets(
    part: Sequence[tuple[Piece, int]], places: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int, int, int]]:
    """Row, column, token and request of all that is scored."""
    for (piece, start), (row, column) in zip(part, places, strict=True):
        for target in piece.targets:
            at = column + target.node - piece.skipped
            yield row, at, target.token, start + target.request
