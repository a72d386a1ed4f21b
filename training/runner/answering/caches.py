"""Keys and values that a model has computed: of a prefix all prompts share, of answers so far."""

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer


class SharedLayer(DynamicLayer):
    """One layer's keys and values of a prefix [1, heads, prefix, dim], lent to every row.

    What is read after it is not kept.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()
        self.keys, self.values = keys, values
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        rows = key_states.shape[0]
        return (
            torch.cat([self.keys.expand(rows, -1, -1, -1), key_states], dim=-2),
            torch.cat([self.values.expand(rows, -1, -1, -1), value_states], dim=-2),
        )


class RoomyLayer(DynamicLayer):
    """One layer's keys and values, with room for `capacity` tokens from the start.

    A layer that grows by concatenation copies all it holds at every token.
    """

    def __init__(self, capacity: int, shared: SharedLayer | None) -> None:
        super().__init__()
        self.capacity, self.shared, self.length = capacity, shared, 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
        self.keys, self.values = (
            states.new_empty(*states.shape[:2], self.capacity, states.shape[3])
            for states in (key_states, value_states)
        )
        if self.shared is not None:
            self.length = self.shared.get_seq_length()
            self.keys[:, :, : self.length] = self.shared.keys
            self.values[:, :, : self.length] = self.shared.values

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, self.length = self.length, self.length + key_states.shape[-2]
        self.keys[:, :, start : self.length] = key_states
        self.values[:, :, start : self.length] = value_states
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def get_seq_length(self) -> int:
        if not self.is_initialized and self.shared is not None:
            return self.shared.get_seq_length()
        return self.length

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        self.keys, self.values = self.keys[indices], self.values[indices]


def cache_of(layers: list[Any]) -> Cache:
    return Cache(layers=layers)


def shared_layers(cache: Cache) -> list[SharedLayer] | None:
    """What a model computed of a prefix, to be lent; None where a layer is of another kind."""
    if any(type(layer) is not DynamicLayer for layer in cache.layers):
        return None
    return [SharedLayer(layer.keys, layer.values) for layer in cache.layers]
