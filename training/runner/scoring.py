"""Log-likelihoods of continuations: batches by token budget, float32 log-softmax."""

import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.runner.encoding import Request

if TYPE_CHECKING:
    import torch

ROWS_A_BATCH = 64


@dataclass(frozen=True)
class Ask:
    """All requests of one question; `number` is its place in the benchmark."""

    number: int
    requests: tuple[Request, ...]

    @property
    def inputs(self) -> tuple[tuple[int, ...], ...]:
        """What the model has to read: the last token is only predicted, so it is left out.

        Choices of one token after one prompt are read once for all.
        """
        return tuple(dict.fromkeys(request.ids[:-1] for request in self.requests))

    @property
    def length(self) -> int:
        return max(len(ids) for ids in self.inputs)


def batches(asks: Iterable[Ask], batch_tokens: int) -> Iterator[list[Ask]]:
    """`asks` in batches of at most `batch_tokens` padded tokens, longest first.

    The split depends on the questions and the budget alone: a resumed run and both sides of a
    comparison meet the same batches, hence the same rounding.
    """
    batch: list[Ask] = []
    rows = longest = 0
    for ask in sorted(asks, key=lambda ask: (-ask.length, ask.number)):
        full = (rows + len(ask.inputs)) * max(longest, ask.length) > batch_tokens
        if batch and (full or rows + len(ask.inputs) > ROWS_A_BATCH):
            yield batch
            batch, rows, longest = [], 0, 0
        batch.append(ask)
        rows += len(ask.inputs)
        longest = max(longest, ask.length)
    if batch:
        yield batch


class Scorer:
    """Scores batches with one model, which stays in evaluation mode on one device."""

    def __init__(self, model: Any, device: str = "cpu") -> None:
        self.model = _with_float32_head(model).to(device)
        accepted = inspect.signature(model.forward).parameters
        self.keeps_some_logits = "logits_to_keep" in accepted

    def score(self, batch: Sequence[Ask]) -> list[list[tuple[float, bool]]]:
        """Sums of token log-probabilities, one list an ask, one pair a request.

        The second of a pair says whether each of its tokens was the model's own first choice.
        """
        import torch

        inputs = list(dict.fromkeys(ids for ask in batch for ids in ask.inputs))
        needed = _positions(batch)
        with torch.inference_mode():
            logits = self._logits(inputs, needed)
            place = {ids: row for row, ids in enumerate(inputs)}
            return [
                [_log_likelihood(logits[place[r.ids[:-1]]], needed[0], r) for r in ask.requests]
                for ask in batch
            ]

    def _logits(self, inputs: Sequence[tuple[int, ...]], needed: range) -> "torch.Tensor":
        """Logits [rows, needed positions, vocabulary].

        Rows are padded on the right. A causal model's earlier positions never see the padding,
        so no attention mask is given and the fast attention kernel runs.
        """
        import torch

        width = max(len(ids) for ids in inputs)
        padded = torch.tensor(
            [[*ids, *([ids[-1]] * (width - len(ids)))] for ids in inputs], device=self.model.device
        )
        if not self.keeps_some_logits:
            return self.model(input_ids=padded, use_cache=False).logits[:, needed[0] :]
        keep = torch.tensor(list(needed), device=self.model.device)
        return self.model(input_ids=padded, use_cache=False, logits_to_keep=keep).logits


def _with_float32_head(model: Any) -> Any:
    """`model`, its output layer in float32: bfloat16 logits near 20 lie 0.125 apart and tie."""
    import torch

    head = model.get_output_embeddings()
    if not isinstance(head, torch.nn.Linear) or head.weight.dtype == torch.float32:
        return model
    # A copy: the weight may be tied to the input embedding, which keeps its dtype.
    wide = torch.nn.Linear(head.in_features, head.out_features, head.bias is not None, "meta")
    wide.load_state_dict({k: v.float() for k, v in head.state_dict().items()}, assign=True)
    wide.register_forward_pre_hook(lambda module, given: (given[0].float(),))
    model.set_output_embeddings(wide)
    return model


def _positions(batch: Sequence[Ask]) -> range:
    """Positions whose logits predict a scored token, over all requests of `batch`."""
    requests = [request for ask in batch for request in ask.requests]
    first = min(len(request.ids) - 1 - request.scored for request in requests)
    return range(first, max(len(request.ids) - 1 for request in requests))


def _log_likelihood(logits: "torch.Tensor", first: int, request: Request) -> tuple[float, bool]:
    """Sum of the log-probabilities of the scored tokens, from logits [positions, vocabulary]."""
    import torch

    end = len(request.ids) - 1 - first
    rows = logits[end - request.scored : end].float()
    tokens = torch.tensor(request.ids[-request.scored :], device=rows.device)
    chosen = rows.gather(1, tokens[:, None]).squeeze(1)
    greedy = bool((rows.argmax(dim=1) == tokens).all())
    return float((chosen - torch.logsumexp(rows, dim=1)).sum(dtype=torch.float64)), greedy
