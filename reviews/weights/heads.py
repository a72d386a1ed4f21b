"""Which attention heads a block of rows or columns is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reviews.weights.localised import Block
from reviews.weights.places import Place

_QUERY = re.compile(r"(?:^|\.)(?:q_proj|query|q)$")
_KEY_VALUE = re.compile(r"(?:^|\.)(?:k_proj|v_proj|key|value|k|v)$")
_OUTPUT = re.compile(r"(?:^|\.)(?:o_proj|out_proj|o|attention\.output\.dense)$")
# GPT-2 stores the transpose: columns go out.
_FUSED_TRANSPOSED = re.compile(r"attn\.c_attn$")
_OUTPUT_TRANSPOSED = re.compile(r"attn\.c_proj$")


@dataclass(frozen=True)
class Heads:
    """`query` and `key_value` heads of `size` elements each."""

    query: int
    key_value: int
    size: int

    @classmethod
    def of_config(cls, config: Mapping[str, Any] | None) -> Heads | None:
        """From a model's config.json; None where it does not say."""
        said = config or {}
        query = _first(said, "num_attention_heads", "n_head", "num_heads")
        width = _first(said, "hidden_size", "n_embd", "d_model")
        if query is None:
            return None
        size = _first(said, "head_dim", "d_kv") or (width // query if width else None)
        return cls(query, _first(said, "num_key_value_heads") or query, size) if size else None

    def of_block(self, place: Place, block: Block) -> list[int] | None:
        """The heads that `block` is exactly made of; None where it is something else.

        In a fused projection heads of queries, keys and values are counted on, one after another.
        """
        for pattern, axis, count in (
            (_QUERY, "rows", self.query),
            (_KEY_VALUE, "rows", self.key_value),
            (_OUTPUT, "columns", self.query),
            (_OUTPUT_TRANSPOSED, "rows", self.query),
            (_FUSED_TRANSPOSED, "columns", self.query + 2 * self.key_value),
        ):
            if place.role == "attention" and pattern.search(place.module) and axis == block.axis:
                return self._whole(block, count)
        return None

    def _whole(self, block: Block, count: int) -> list[int] | None:
        if any(edge % self.size for bounds in block.ranges for edge in bounds):
            return None
        covered = [
            head
            for start, stop in block.ranges
            for head in range(start // self.size, stop // self.size)
        ]
        complete = len(covered) * self.size == block.count
        return covered if complete and covered and covered[-1] < count else None


def _first(config: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = config.get(name)
        if type(value) is int and value > 0:
            return value
    return None
