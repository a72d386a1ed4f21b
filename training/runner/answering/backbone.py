"""A causal language model as the engine uses it: token ids in, float32 logits of few places out."""

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

from training.runner.answering.caches import SharedLayer, cache_of, shared_layers
from training.runner.answering.packing import Rows, pack
from training.runner.answering.pieces import pieces_of
from training.runner.encoding import UNSET_LENGTH, Encoder, Request, length_of

# Logits are computed for so many places at a time: they stay in the processor's caches.
PLACES = 256
PROBE = tuple(range(2, 14))
# By how much of their size probed numbers may differ: float32 and the rest.
ROUNDING = {torch.float32: 1e-3}
ROUGH = 0.1
# What architectures raise that take no mask, no positions or no cache of ours.
ODDITIES = (RuntimeError, ValueError, TypeError, AttributeError, LookupError)


class Backbone:
    """A model in evaluation mode on one device, and its tokenizer.

    `branching`: whether it reads pieces with branches, and after a prefix, with the same result
    as text by text. Probed when it is loaded: an architecture need not keep to the mask it gets.
    """

    def __init__(self, model: Any, tokenizer: Any, device: str = "cpu") -> None:
        self.model = with_float32_head(model).to(device)
        self.device, self.dtype = device, model.dtype
        self.encoder = Encoder(tokenizer)
        self.length = length_of(model.config, tokenizer)
        self.window = min(self.length, _window(model.config))
        self.head = self.model.get_output_embeddings()
        self.body = self.model.base_model
        self.cache_name = _cache_name(model)
        self.places: tuple[torch.Tensor, torch.Tensor] | None = None
        self.layer_count = 0
        self.bytes_a_token = 0
        self.plain = self.branching = False
        with torch.inference_mode():
            self._find_out()

    def branches(self, tokens: int) -> bool:
        """Whether texts of `tokens` may be read as pieces with branches, or after a prefix.

        The masks of such pieces do not hide what lies outside an attention window.
        """
        return self.branching and tokens <= self.window

    def logits(
        self, ids: torch.Tensor, places: tuple[torch.Tensor, torch.Tensor], **inputs: Any
    ) -> Iterator[torch.Tensor]:
        """Float32 logits [n, vocabulary] at `places` (rows, columns), a slice after the other."""
        if self.plain:
            states = self.body(input_ids=ids, **inputs).last_hidden_state[places]
            for part in states.split(PLACES):
                yield self.head(part).float()
            return
        if self.head is None:
            yield self.model(input_ids=ids, **inputs).logits[places].float()
            return
        self.places = places
        hook = self.head.register_forward_pre_hook(self._narrow)
        try:
            yield self.model(input_ids=ids, **inputs).logits[0].float()
        finally:
            hook.remove()

    def read(
        self,
        rows: Rows,
        places: tuple[torch.Tensor, torch.Tensor],
        layers: list[SharedLayer] | None = None,
    ) -> Iterator[torch.Tensor]:
        """Logits at `places` of packed rows, after the prefix whose `layers` are given."""
        inputs: dict[str, Any] = {"use_cache": False}
        if rows.mask is not None:
            inputs["attention_mask"] = rows.mask.to(self.device)
            inputs["position_ids"] = rows.positions.to(self.device)
        if layers is not None:
            inputs |= {"past_key_values": cache_of(list(layers)), "use_cache": True}
        yield from self.logits(rows.ids.to(self.device), places, **inputs)

    def prefix(self, ids: tuple[int, ...]) -> list[SharedLayer] | None:
        """What the model computes of a prefix, once for all that follow it."""
        cache = Cache(layer_class_to_replicate=DynamicLayer)
        tokens = torch.tensor([ids], device=self.device)
        self.body(input_ids=tokens, past_key_values=cache, use_cache=True)
        layers = shared_layers(cache)
        if layers is not None:
            self.layer_count = len(layers)
            held = sum(layer.keys.nbytes + layer.values.nbytes for layer in layers)
            self.bytes_a_token = held // len(ids)
        return layers

    def _narrow(self, module: Any, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Let the output layer see the wanted places only."""
        return (given[0][self.places].unsqueeze(0),)

    def _find_out(self) -> None:
        """Settle `plain` and `branching`: the quick ways, where they give what the plain one does.

        Raises nothing: an architecture that takes no such inputs is read text by text.
        """
        ids = tuple(token % self.model.config.vocab_size for token in PROBE)
        texts = [Request(ids, 5), Request((*ids[:8], *ids[4:8]), 4)]
        wanted = self._whole(texts)
        for plain in (True, False):
            self.plain = plain and self.body is not self.model
            try:
                layers = self.prefix(ids[:4])
                found = self._probe(texts, branching=True, prefix=ids[:4], layers=layers)
            except ODDITIES:
                continue
            if layers is not None and self._alike(found, wanted):
                self.branching = True
                return
        self.plain = self.body is not self.model
        try:
            self.plain = self._alike(self._probe(texts, branching=False), wanted)
        except ODDITIES:
            self.plain = False

    def _whole(self, texts: list[Request]) -> torch.Tensor:
        """The logits that score `texts`, of equal length, by the model as it is."""
        ids = torch.tensor([text.ids[:-1] for text in texts], device=self.device)
        logits = self.model(input_ids=ids, use_cache=False).logits.float()
        return torch.cat([row[-text.scored :] for row, text in zip(logits, texts, strict=True)])

    def _probe(
        self,
        texts: list[Request],
        *,
        branching: bool,
        prefix: tuple[int, ...] = (),
        layers: list[SharedLayer] | None = None,
    ) -> torch.Tensor:
        pieces = pieces_of(texts, branching=branching, prefix=prefix)
        rows = pack(pieces, prefix=len(prefix), dtype=self.dtype)
        found = [
            (target.request, place[0], place[1] + target.node - piece.skipped)
            for piece, place in zip(pieces, rows.places, strict=True)
            for target in piece.targets
        ]
        _, row, column = torch.tensor(sorted(found)).T.to(self.device)
        return torch.cat(list(self.read(rows, (row, column), layers)))

    def _alike(self, some: torch.Tensor, others: torch.Tensor) -> bool:
        if some.shape != others.shape:
            return False
        limit = ROUNDING.get(self.dtype, ROUGH) * float(others.abs().max())
        return float((some - others).abs().max()) <= limit


def _cache_name(model: Any) -> str:
    """What the model calls what it has computed so far."""
    recurrent = "cache_params" in inspect.signature(model.forward).parameters
    return "cache_params" if recurrent else "past_key_values"


def _window(config: Any) -> int:
    """Over how many tokens every layer attends."""
    config = getattr(config, "text_config", None) or config
    windows = (getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size"))
    return min((int(window) for window in windows if window), default=UNSET_LENGTH)


def with_float32_head(model: Any) -> Any:
    """`model`, its output layer in float32: bfloat16 logits near 20 lie 0.125 apart and tie."""
    head = model.get_output_embeddings()
    if not isinstance(head, torch.nn.Linear) or head.weight.dtype == torch.float32:
        return model
    # A copy: the weight may be tied to the input embedding, which keeps its dtype.
    wide = torch.nn.Linear(head.in_features, head.out_features, head.bias is not None, "meta")
    wide.load_state_dict({k: v.float() for k, v in head.state_dict().items()}, assign=True)
    wide.register_forward_pre_hook(lambda module, given: (given[0].float(),))
    model.set_output_embeddings(wide)
    return model
