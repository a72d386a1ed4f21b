"""When averaging weights means something: what is looked at before it is offered.

A condition states a fact; what to make of one that does not hold is for the caller. Only those
of CONFIRMABLE may be waived, by the person who proposes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import combinations
from math import isfinite
from typing import Any, Protocol

import numpy as np

from reviews.weights.dtypes import FLOATS
from reviews.weights.merging.formulas import Products
from reviews.weights.merging.merged import same_codes
from reviews.weights.pieces import keep_heap
from reviews.weights.tensors import Tensor

CONFIRMABLE = frozenset({"task_vectors_agree"})
# How many names a condition carries as examples; `count` has them all.
EXAMPLES = 5
# Tensors that are kept for the model, not learned by it.
_KEPT = re.compile(
    r"(^|\.)(position_ids|token_type_ids|running_mean|running_var|num_batches_tracked|inv_freq"
    r"|masked_bias|h\.\d+\.attn\.bias)$"
)
# What tools write into a config about themselves, and the dtype, which the tensors show better.
_ABOUT_TOOLS = frozenset(
    {"_name_or_path", "_commit_hash", "transformers_version", "torch_dtype", "dtype", "use_cache"}
)


class Model(Protocol):
    """What is asked of an opened checkpoint."""

    @property
    def tensors(self) -> Mapping[str, Tensor]: ...
    @property
    def config(self) -> dict[str, Any] | None: ...
    @property
    def tokens(self) -> Sequence[str] | None: ...


@dataclass(frozen=True)
class Condition:
    """`parameters` are values of JSON that say why it holds or not."""

    code: str
    holds: bool
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def confirmable(self) -> bool:
        return self.code in CONFIRMABLE

    def to_dict(self) -> dict[str, Any]:
        return {"code": self.code, "holds": self.holds, "parameters": dict(self.parameters)}


def left_as_is(tensor: Tensor) -> bool:
    """Whether a tensor is never averaged: codes and counters, quantised values, tables."""
    return tensor.dtype not in FLOATS or _KEPT.search(tensor.name) is not None


def conditions(
    base: Model,
    models: Sequence[Model],
    *,
    same_ancestor: bool,
    threads: int = 2,
    keep: Callable[[], None] = lambda: None,
) -> list[Condition]:
    """Everything that averaging `models`, which started from `base`, asks for.

    `same_ancestor`: whether the hub has recorded that all of them come from `base`. The task
    vectors are read through for their cosines, and `keep` is called after each; the rest looks at
    headers.
    """
    return [
        Condition("same_ancestor", same_ancestor),
        _same_names(base, models),
        _same_shapes(base, models),
        _same_dtypes(base, models),
        _same_config(base, models),
        _same_tokenizer(base, models),
        _only_learned(base, models),
        _task_vectors_agree(base, models, threads, keep),
    ]


def _same_names(base: Model, models: Sequence[Model]) -> Condition:
    apart = sorted(
        {name for model in models for name in base.tensors.keys() ^ model.tensors.keys()}
    )
    return _condition("same_names", apart)


def _same_shapes(base: Model, models: Sequence[Model]) -> Condition:
    apart = [
        b.name for b, others in _shared(base, models) if any(b.shape != o.shape for o in others)
    ]
    return _condition("same_shapes", apart)


def _same_dtypes(base: Model, models: Sequence[Model]) -> Condition:
    apart = [
        b.name for b, others in _shared(base, models) if any(b.dtype != o.dtype for o in others)
    ]
    return _condition("same_dtypes", apart)


def _same_config(base: Model, models: Sequence[Model]) -> Condition:
    """Unknown where none of them has a config; a model without one differs from one with it."""
    configs = [each.config for each in (base, *models)]
    if all(config is None for config in configs):
        return Condition("same_config", True, {"known": False})
    told = [
        {key: value for key, value in (config or {}).items() if key not in _ABOUT_TOOLS}
        for config in configs
    ]
    keys = sorted({key for each in told for key in each})
    apart = [key for key in keys if any(each.get(key) != told[0].get(key) for each in told)]
    return _condition("same_config", apart)


def _same_tokenizer(base: Model, models: Sequence[Model]) -> Condition:
    tokens = [each.tokens for each in (base, *models)]
    if all(each is None for each in tokens):
        return Condition("same_tokenizer", True, {"known": False})
    first = list(tokens[0] or ())
    for at, each in enumerate(tokens[1:]):
        listed = list(each or ())
        if listed == first:
            continue
        pairs = enumerate(zip(first, listed, strict=False))
        id_ = next((at for at, pair in pairs if pair[0] != pair[1]), min(len(first), len(listed)))
        sizes = [len(first), len(listed)]
        return Condition("same_tokenizer", False, {"model": at, "token": id_, "sizes": sizes})
    return Condition("same_tokenizer", True, {"known": True})


def _only_learned(base: Model, models: Sequence[Model]) -> Condition:
    """Tensors that no mean exists of are copied from the base, so all models must have them so."""
    found = [pair for pair in _shared(base, models) if any(map(left_as_is, (pair[0], *pair[1])))]
    apart = [b.name for b, others in found if not all(same_codes(b, other) for other in others)]
    return _condition("only_learned_tensors_differ", apart, copied=len(found) - len(apart))


def _task_vectors_agree(
    base: Model, models: Sequence[Model], threads: int, keep: Callable[[], None]
) -> Condition:
    """Whether every two task vectors point to one side: their cosine is above 0.

    A model that changed nothing has no direction, and agrees with all; one that holds NaN with
    none. Both have no cosine.
    """
    pairs = [
        (tensor, others)
        for tensor, others in _shared(base, models)
        if all(each.shape == tensor.shape for each in others)
        and not any(map(left_as_is, (tensor, *others)))
    ]
    keep_heap()
    with ThreadPoolExecutor(threads) as pool:
        tables = []
        for table in pool.map(lambda pair: _products(*pair).table, pairs):
            tables.append(table)
            keep()
    products = Products(np.sum(tables, axis=0) if tables else np.zeros((len(models),) * 2))
    cosines = products.cosines()
    told = [
        {"models": list(pair), "cosine": cosine if isfinite(cosine or 0) else None}
        for pair, cosine in zip(combinations(range(len(models)), 2), cosines, strict=True)
    ]
    holds = all(cosine is None or cosine > 0 for cosine in cosines)
    return Condition("task_vectors_agree", holds, {"cosines": told})


def _products(base: Tensor, models: Sequence[Tensor]) -> Products:
    products = Products.none(len(models))
    with np.errstate(invalid="ignore", over="ignore"):
        for start, stop in base.pieces():
            whole = base.values(start, stop)
            products.add([model.values(start, stop) - whole for model in models])
    return products


def _shared(base: Model, models: Sequence[Model]) -> Iterator[tuple[Tensor, list[Tensor]]]:
    """Tensors that the base and all models have."""
    for name, tensor in base.tensors.items():
        if all(name in model.tensors for model in models):
            yield tensor, [model.tensors[name] for model in models]


def _condition(code: str, apart: Sequence[str], **more: object) -> Condition:
    told = {"count": len(apart), "examples": list(apart[:EXAMPLES]), **more}
    return Condition(code, not apart, told)
