"""LoRA adapters of one base merged into one adapter: the products are averaged, and exactly.

The sum of shares of products B_i A_i is the product of [share_1 B_1, share_2 B_2, …] and the A_i
one under the other, of rank r_1 + r_2 + … (`formulas.join_factors`). Only methods that are such
sums go this way; for the others the adapters are put into their base (`with_adapter` of
`reviews.weights.adapters`) and whole weights are merged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import frexp
from pathlib import Path
from typing import Any

import numpy as np

from reviews.weights.adapter_config import CONFIG, WEIGHTS
from reviews.weights.adapters import sorted_out
from reviews.weights.checkpoint import Checkpoint
from reviews.weights.dtypes import Codes, Floats, decode, encode
from reviews.weights.errors import WeightsError
from reviews.weights.merging.carry_out import MergedFiles
from reviews.weights.merging.methods import Method
from reviews.weights.merging.recipe import Choice, MergeRecipe
from reviews.weights.tensors import Tensor
from reviews.weights.writer import write_checkpoint

SUMS = frozenset(
    {Method.LINEAR, Method.TASK_ARITHMETIC, Method.OURS, Method.THEIRS, Method.BASE}
)  # fmt: skip

# A, B, whether of an embedding.
Pair = tuple[Tensor, Tensor, bool]


@dataclass(frozen=True)
class JoinedTensor(Tensor):
    """Matrices times their shares, side by side (`axis` 1) or one under the other (0)."""

    name: str
    dtype: str
    parts: tuple[tuple[Tensor, float], ...]
    axis: int
    file: str = WEIGHTS

    def __post_init__(self) -> None:
        sizes = [tensor.shape for tensor, _ in self.parts]
        joined = sum(size[self.axis] for size in sizes)
        shape = (joined, sizes[0][1]) if self.axis == 0 else (sizes[0][0], joined)
        object.__setattr__(self, "shape", shape)

    @property
    def has_codes(self) -> bool:
        return True

    def codes(self, start: int, stop: int) -> Codes:
        found = [encode(each, self.dtype) for each in self._pieces(start, stop)]
        if self.axis == 0:
            return np.concatenate(found)
        columns, first = self.shape[1], start // self.shape[1]
        return np.concatenate(found, axis=1).reshape(-1)[start - first * columns :][: stop - start]

    def values(self, start: int, stop: int) -> Floats:
        return decode(self.codes(start, stop), self.dtype)

    def _pieces(self, start: int, stop: int) -> list[Floats]:
        """Of each part, the elements in these bounds, or the rows that hold them."""
        found = []
        if self.axis == 1:
            columns = self.shape[1]
            first, last = start // columns, -(-stop // columns)
            return [tensor.rows(first, last) * share for tensor, share in self.parts]
        for tensor, share in self.parts:
            low, high = max(start, 0), min(stop, tensor.count)
            found.append(tensor.values(min(low, high), high) * share)
            start, stop = start - tensor.count, stop - tensor.count
        return found


def merge_adapters(
    recipe: MergeRecipe,
    adapters: Sequence[Checkpoint],
    folder: Path,
    *,
    settings: Mapping[str, Any],
    threads: int = 2,
) -> MergedFiles:
    """One adapter with the effect of `adapters`, opened in the recipe's order, below `folder`.

    `settings` are those of ours (its adapter_config.json), taken over but for rank, scale and
    modules. Rules are asked with the name of the weight that a module adapts.

    Raises: WeightsError: adapter_not_exact (with the reason: merge whole weights instead),
        no_adapter, models_missing, adapter_not_supported, or one of a tensor's own.
    """
    if len(adapters) != len(recipe.models):
        raise WeightsError("models_missing", named=len(recipe.models), given=len(adapters))
    sides = [_pairs(adapter) for adapter in adapters]
    _require_one_orientation(adapters)
    tensors: list[Tensor] = []
    ranks: dict[str, int] = {}
    methods: dict[str, Method] = {}
    for module in dict.fromkeys(name for side in sides for name in side):
        choice = recipe.choose(f"{module}.weight", WEIGHTS)
        methods[module] = choice.method
        parts = [
            (side[module], share * adapter.adapter.config.scaling(module, side[module][0].shape[0]))
            for side, adapter, share in zip(sides, adapters, _shares(choice), strict=True)
            if module in side and share and adapter.adapter is not None
        ]
        if parts:
            tensors += _joined(module, parts, recipe.stored_dtype)
            ranks[module] = tensors[-1].shape[0]
    if not ranks:
        raise WeightsError("adapter_not_exact", reason="nothing_left")
    files = write_checkpoint({WEIGHTS: tensors}, folder, threads=threads)
    files[CONFIG] = folder / CONFIG
    text = json.dumps(dict(settings) | _settings(ranks), indent=2, ensure_ascii=False)
    files[CONFIG].write_text(text + "\n")
    return MergedFiles(files, methods, recipe.digest)


def _pairs(adapter: Checkpoint) -> dict[str, Pair]:
    """The factors of an adapter by the module that they adapt."""
    if adapter.adapter is None:
        raise WeightsError("no_adapter")
    if adapter.adapter.config.refused is not None:
        raise WeightsError("adapter_not_supported", reason=adapter.adapter.config.refused)
    pairs, whole = sorted_out(adapter.adapter.tensors)
    if whole:
        raise WeightsError("adapter_not_exact", reason="whole_tensors", tensor=min(whole))
    return pairs


def _require_one_orientation(adapters: Sequence[Checkpoint]) -> None:
    found = {each.adapter.config.fan_in_fan_out for each in adapters if each.adapter is not None}
    if len(found) > 1:
        raise WeightsError("adapter_not_exact", reason="fan_in_fan_out")


def _shares(choice: Choice) -> list[float]:
    """By how much each model's product counts."""
    count = len(choice.weights)
    if choice.method not in SUMS:
        raise WeightsError("adapter_not_exact", reason=choice.method.value)
    if choice.method == Method.BASE:
        return [0.0] * count
    if choice.method in {Method.OURS, Method.THEIRS}:
        taken = 0 if choice.method == Method.OURS else 1
        return [float(at == taken) for at in range(count)]
    whole = sum(choice.weights)
    by = whole if choice.normalize and abs(whole) > 1e-8 else 1.0
    scale = 1.0 if choice.method == Method.LINEAR else choice.scale
    return [scale * weight / by for weight in choice.weights]


def _joined(module: str, parts: Sequence[tuple[Pair, float]], dtype: str | None) -> list[Tensor]:
    """B and then A of one module. Factors keep their dtype where that rounds nothing."""
    shapes = {(a.shape[1], b.shape[0], embedding) for (a, b, embedding), _ in parts}
    if len(shapes) > 1:
        raise WeightsError("shapes_differ", tensor=module, shapes=sorted(map(str, shapes)))
    exact = all(abs(frexp(share)[0]) == 0.5 for _, share in parts)  # powers of two
    kind = "lora_embedding_{}" if parts[0][0][2] else "lora_{}.weight"
    name = f"base_model.model.{module}.{kind}"
    ups = tuple((b, share) for (_, b, _), share in parts)
    downs = tuple((a, 1.0) for (a, _, _), _ in parts)
    return [
        JoinedTensor(name.format("B"), dtype or _dtype(ups, exact=exact), ups, 1),
        JoinedTensor(name.format("A"), dtype or _dtype(downs, exact=True), downs, 0),
    ]


def _dtype(parts: Sequence[tuple[Tensor, float]], *, exact: bool) -> str:
    dtypes = {tensor.dtype for tensor, _ in parts}
    return dtypes.pop() if exact and len(dtypes) == 1 else "F32"


def _settings(ranks: Mapping[str, int]) -> dict[str, Any]:
    """Rank, scale and modules of the joined adapter; the shares are in B already: scaling 1."""
    usual = max(ranks.values(), key=list(ranks.values()).count)
    others = {module: rank for module, rank in ranks.items() if rank != usual}
    return {
        "peft_type": "LORA", "r": usual, "lora_alpha": usual, "use_rslora": False,
        "target_modules": sorted(ranks), "rank_pattern": others, "alpha_pattern": others,
        "layers_to_transform": None, "layers_pattern": None, "exclude_modules": None,
        "init_lora_weights": True, "lora_dropout": 0.0, "inference_mode": True, "bias": "none",
    }  # fmt: skip
