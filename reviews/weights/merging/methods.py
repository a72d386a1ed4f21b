"""The ways of merging a tensor, and what each needs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Method(StrEnum):
    """As recipes write them."""

    OURS = "ours"
    THEIRS = "theirs"
    BASE = "base"
    LINEAR = "linear"
    TASK_ARITHMETIC = "task_arithmetic"
    TIES = "ties"
    DARE_LINEAR = "dare_linear"
    DARE_TIES = "dare_ties"
    SLERP = "slerp"
    MODEL_STOCK = "model_stock"


@dataclass(frozen=True, slots=True)
class Facts:
    """`least` and `most` models, whether tensors are taken as they are (`copies`), whether the
    weights are made to sum to 1 unless `normalize` says otherwise."""

    least: int = 1
    most: int = 16
    copies: bool = False
    normalizes: bool = False


MAX_MODELS = 16
METHODS: dict[Method, Facts] = {
    Method.OURS: Facts(copies=True),
    Method.THEIRS: Facts(least=2, most=2, copies=True),
    Method.BASE: Facts(copies=True),
    Method.LINEAR: Facts(normalizes=True),
    Method.TASK_ARITHMETIC: Facts(),
    Method.TIES: Facts(normalizes=True),
    Method.DARE_LINEAR: Facts(),
    Method.DARE_TIES: Facts(),
    Method.SLERP: Facts(least=2, most=2),
    Method.MODEL_STOCK: Facts(least=2),
}
# By its name in a recipe, the name of a dtype in safetensors.
DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}
