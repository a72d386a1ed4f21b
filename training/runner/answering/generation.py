"""Generated answers, a batch at a time, with the keys and values of all tokens so far kept."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache

from training.runner.answering.backbone import Backbone
from training.runner.answering.caches import RoomyLayer, SharedLayer, cache_of
from training.runner.answering.pieces import Ids
from training.runner.answering.stops import Stops
from training.runner.errors import BadBenchmarkError
from training.runner.stopping import Stop

DEFAULT_NEW_TOKENS = 256  # lm-evaluation-harness's
# A batch goes on without the rows that have ended once they are this part of it.
ENDED_SHARE = 0.25


@dataclass
class Answer:
    """One row being generated: the draws of its own, and the tokens so far.

    `broken`: the model gave numbers that are not finite, from which no token follows.
    """

    draws: random.Random
    ids: list[int] = field(default_factory=list)
    ended: bool = False
    broken: bool = False


class Generator:
    """One model answering under one benchmark's `generation_kwargs`.

    Raises: BadBenchmarkError when the model reads no more than it is to write.
    """

    def __init__(self, backbone: Backbone, kwargs: dict[str, Any], stop: Stop) -> None:
        self.backbone, self.stop = backbone, stop
        self.new_tokens = int(kwargs.get("max_gen_toks") or DEFAULT_NEW_TOKENS)
        self.temperature = float(kwargs.get("temperature") or 0.0)
        sampled = bool(kwargs.get("do_sample", self.temperature > 0))
        self.temperature = (self.temperature or 1.0) if sampled else 0.0
        self.top_p = float(kwargs.get("top_p") or 1.0)
        until = kwargs.get("until") or []
        self.stops = Stops(backbone.encoder.tokenizer, [until] if isinstance(until, str) else until)
        self.ends = _end_tokens(backbone)
        self.room = backbone.length - self.new_tokens
        if self.room < 1:
            raise BadBenchmarkError(
                f"The benchmark asks for {self.new_tokens} new tokens and the model reads "
                f"{backbone.length} in all; lower max_gen_toks."
            )

    def generate(
        self,
        prompts: Sequence[Ids],
        answers: Sequence[Sequence[Answer]],
        prefix: Ids = (),
        layers: list[SharedLayer] | None = None,
    ) -> None:
        """Fill in the answers to each prompt; `prefix`, read already, begins all of them or none.

        Each prompt is read once, however many answers it has.
        """
        with torch.inference_mode():
            batch = Batch(self.backbone, prompts, len(prefix), layers, self.new_tokens)
            logits = batch.read_prompts()
            rows = [number for number, each in enumerate(answers) for _ in each]
            live = [answer for each in answers for answer in each]
            if rows != list(range(len(prompts))):
                batch.keep(rows)
                logits = logits[rows]
            while True:
                self.stop.check()
                tokens = self._choose(logits, live)
                self._take(live, tokens)
                if all(answer.ended for answer in live):
                    return
                live, tokens = self._without_ended(batch, live, tokens)
                logits = batch.step(tokens)

    def _choose(self, logits: torch.Tensor, live: Sequence[Answer]) -> list[int]:
        """The next token of each row, from logits [rows, vocabulary]."""
        best, first = logits.max(dim=1)
        for answer, sound in zip(live, best.isfinite().tolist(), strict=True):
            answer.broken = answer.broken or not sound
            answer.ended = answer.ended or answer.broken
        if not self.temperature:
            return first.tolist()
        shares = torch.softmax(logits.double() / self.temperature, dim=1)
        order = None
        if self.top_p < 1:
            shares, order = shares.sort(dim=1, descending=True, stable=True)
            before = shares.cumsum(dim=1) - shares
            shares = shares.masked_fill(before >= self.top_p, 0.0)
        sums = shares.cumsum(dim=1)
        drawn = torch.tensor([[a.draws.random()] for a in live], dtype=sums.dtype).to(sums.device)
        places = torch.searchsorted(sums, drawn * sums[:, -1:], right=True)
        places.clamp_(max=sums.shape[1] - 1)
        chosen = places if order is None else order.gather(1, places)
        return chosen.squeeze(1).tolist()

    def _take(self, live: Sequence[Answer], tokens: Sequence[int]) -> None:
        """Add a token to each answer that goes on, and see whether it ends there."""
        going = [(a, token) for a, token in zip(live, tokens, strict=True) if not a.ended]
        for answer, token in going:
            answer.ended = token in self.ends
            if not answer.ended:
                answer.ids.append(token)
        open_ones = [answer for answer, _ in going if not answer.ended]
        for answer, stop in zip(
            open_ones, self.stops.reached([answer.ids for answer in open_ones]), strict=True
        ):
            answer.ended = stop or len(answer.ids) >= self.new_tokens

    def _without_ended(
        self, batch: "Batch", live: list[Answer], tokens: list[int]
    ) -> tuple[list[Answer], list[int]]:
        kept = [row for row, answer in enumerate(live) if not answer.ended]
        if len(live) - len(kept) < ENDED_SHARE * len(live) or not batch.roomy:
            return live, tokens
        batch.keep(kept)
        return [live[row] for row in kept], [tokens[row] for row in kept]


class Batch:
    """Prompts padded on the left, and what the model has computed of them.

    A model that keeps to no mask of ours (see Backbone.branches) is given prompts of one length.
    """

    def __init__(
        self,
        backbone: Backbone,
        prompts: Sequence[Ids],
        prefix: int,
        layers: list[SharedLayer] | None,
        new_tokens: int,
    ) -> None:
        self.backbone = backbone
        lengths = torch.tensor([len(ids) for ids in prompts])
        self.width = int(lengths.max())
        self.ids = torch.tensor([[0] * (self.width - len(ids)) + list(ids) for ids in prompts])
        self.padding = self.width - lengths
        self.positions, self.padded = prefix + lengths, bool(self.padding.any())
        self.prefix, self.read = prefix, prefix + self.width
        capacity = self.read + new_tokens
        self.roomy = backbone.branches(capacity)
        self.cache: Cache = DynamicCache(config=backbone.model.config)
        if self.roomy:
            shared: list[Any] = list(layers) if layers else [None] * backbone.layer_count
            self.cache = cache_of([RoomyLayer(capacity, layer) for layer in shared])
        hidden = torch.arange(capacity)[None] - prefix
        hidden = (hidden >= 0) & (hidden < self.padding[:, None])
        least = torch.finfo(backbone.dtype).min
        self.mask = torch.zeros(hidden.shape, dtype=backbone.dtype).masked_fill_(hidden, least)
        self.mask = self.mask[:, None, None].to(backbone.device)

    def read_prompts(self) -> torch.Tensor:
        """Logits [prompts, vocabulary] after each prompt."""
        inputs: dict[str, Any] = {}
        if self.padded or self.prefix:
            places = torch.arange(self.width)
            causal = places[None] > places[:, None]
            later = torch.nn.functional.pad(causal, (self.prefix, 0))
            mask = self.mask[..., : self.read].expand(-1, 1, self.width, -1)
            least = torch.finfo(self.mask.dtype).min
            inputs["attention_mask"] = mask.masked_fill(later.to(mask.device), least)
            positions = (places[None] - self.padding[:, None]).clamp(min=0) + self.prefix
            inputs["position_ids"] = positions.to(self.backbone.device)
        return self._logits(self.ids, **inputs)

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """Logits [rows, vocabulary] after one more token in each row."""
        inputs: dict[str, Any] = {}
        if self.roomy:
            inputs["position_ids"] = self.positions[:, None].to(self.backbone.device)
        self.read += 1
        self.positions = self.positions + 1
        if self.padded:
            inputs["attention_mask"] = self.mask[..., : self.read]
        return self._logits(torch.tensor(tokens)[:, None], **inputs)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows, which may come several times."""
        chosen = torch.tensor(rows)
        self.mask, self.positions = self.mask[chosen.to(self.mask.device)], self.positions[chosen]
        for layer in self.cache.layers:
            layer.batch_select_indices(chosen.to(self.backbone.device))

    def _logits(self, ids: torch.Tensor, **inputs: Any) -> torch.Tensor:
        rows = torch.arange(len(ids), device=self.backbone.device)
        last = torch.full_like(rows, ids.shape[1] - 1)
        found = self.backbone.logits(
            ids.to(self.backbone.device), (rows, last),
            use_cache=True, **{self.backbone.cache_name: self.cache}, **inputs,
        )  # fmt: skip
        return torch.cat(list(found))


def _end_tokens(backbone: Backbone) -> set[int]:
    """Tokens that end a text, by the model's own account and its tokenizer's."""
    told = getattr(backbone.model.generation_config, "eos_token_id", None)
    ends = told if isinstance(told, list) else [told]
    return {int(end) for end in [*ends, backbone.encoder.tokenizer.eos_token_id] if end is not None}
