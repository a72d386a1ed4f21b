"""Log-likelihoods of continuations: batches by token budget, float32 log-softmax."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch

from training.runner.answering.backbone import Backbone
from training.runner.answering.caches import SharedLayer
from training.runner.answering.packing import Rows, pack
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

    def __init__(self, backbone: Backbone, fixed: str = "") -> None:
        self.backbone = backbone
        self.prefix: Ids = ()
        self.layers: list[SharedLayer] | None = None
        if fixed and backbone.branching:
            self._lend(tuple(backbone.encoder.encode([fixed])[fixed][:-MELTING]))

    def _lend(self, prefix: Ids) -> None:
        if not LEAST_PREFIX <= len(prefix) < self.backbone.length:
            return
        with torch.inference_mode():
            self.layers = self.backbone.prefix(prefix)
        self.prefix = prefix if self.layers is not None else ()

    def ask(self, number: int, requests: Sequence[Request]) -> Ask:
        cut = tuple(truncated(request, self.backbone.length) for request in requests)
        branching = self.backbone.branching
        pieces = pieces_of(cut, branching=branching, prefix=self.prefix)
        if any(not piece.skipped for piece in pieces):
            pieces = pieces_of(cut, branching=branching)
        return Ask(number, cut, tuple(pieces))

    def score(self, batch: Sequence[Ask]) -> list[list[Likelihood]]:
        """One list an ask, one likelihood a request."""
        skipped = batch[0].skipped
        pieces = [piece for ask in batch for piece in ask.pieces]
        rows = pack(pieces, prefix=len(self.prefix) if skipped else 0, dtype=self.backbone.dtype)
        requests = [request for ask in batch for request in ask.requests]
        table = torch.tensor(sorted(_targets(batch, rows.places)), dtype=torch.long).reshape(-1, 4)
        with torch.inference_mode():
            values, greedy = self._sums(
                rows, table, len(requests), self.layers if skipped else None
            )
        found = [
            Likelihood(value, sure, request.scored, request.truncated)
            for value, sure, request in zip(values, greedy, requests, strict=True)
        ]
        ends = list(accumulate(len(ask.requests) for ask in batch))
        return [found[end - len(ask.requests) : end] for end, ask in zip(ends, batch, strict=True)]

    def _sums(
        self, rows: Rows, table: torch.Tensor, count: int, layers: list[SharedLayer] | None
    ) -> tuple[list[float], list[bool]]:
        """By request: the sum of its tokens' log-probabilities, and whether all were greedy.

        Shape: table [targets, 4], each row, column, token and request, in the order of places.
        """
        device, width = self.backbone.device, rows.ids.shape[1]
        places, which = torch.unique(table[:, 0] * width + table[:, 1], return_inverse=True)
        where = (places // width).to(device), (places % width).to(device)
        tokens, which = table[:, 2].to(device), which.to(device)
        sums = torch.zeros(count, dtype=torch.float64, device=device)
        misses = torch.zeros(count, dtype=torch.long, device=device)
        start = 0
        for logits in self.backbone.read(rows, where, layers) if len(table) else ():
            low, high = torch.searchsorted(which, torch.tensor([start, start + len(logits)]))
            mine, wanted, owners = which[low:high] - start, tokens[low:high], table[low:high, 3]
            chosen = logits[mine, wanted]
            best, first = logits.max(dim=1)
            total = best + logits.sub_(best[:, None]).exp_().sum(dim=1).log_()
            sums.index_add_(0, owners.to(device), (chosen - total[mine]).double())
            misses.index_add_(0, owners.to(device), (first[mine] != wanted).long())
            start += len(logits)
        return sums.tolist(), (misses == 0).tolist()


def _targets(
    batch: Sequence[Ask], places: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int, int, int]]:
    """Row, column, token and request of all that is scored."""
    place, request = iter(places), 0
    for ask in batch:
        for piece in ask.pieces:
            row, column = next(place)
            for target in piece.targets:
                at = column + target.node - piece.skipped
                yield row, at, target.token, request + target.request
        request += len(ask.requests)
