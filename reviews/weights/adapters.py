"""What an adapter makes of its base: W + scaling B A, worked out row by row when it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from reviews.weights.checkpoint import Checkpoint
from reviews.weights.dtypes import FLOATS, Codes, Floats
from reviews.weights.errors import WeightsError
from reviews.weights.keeping import LastUsed
from reviews.weights.tensors import Tensor
from reviews.weights.ties import stand_in

Matrix = npt.NDArray[np.float32]

_FACTORS_KEPT = 4
_PREFIX = "base_model.model."
_FACTOR = re.compile(r"(?P<module>.+)\.lora_(?P<embedding>embedding_)?(?P<side>[AB])(?:\.weight)?")
# Modules of a whole model that a model without its head, or under another head, names without.
_OUTER = ("model.", "transformer.", "bert.")


@dataclass(frozen=True)
class AdaptedTensor(Tensor):
    """W + scaling B A with W [out, in], B [out, r], A [r, in]; the product transposed if so said.

    `dtype` is that of the base, in which a merged file would hold it; values are not rounded to it.
    """

    inner: Tensor
    a: Tensor
    b: Tensor
    scaling: float
    transposed: bool
    name: str
    kept: LastUsed[tuple[Matrix, Matrix]]

    def __post_init__(self) -> None:
        for each in ("dtype", "shape", "file"):
            object.__setattr__(self, each, getattr(self.inner, each))

    @property
    def has_codes(self) -> bool:
        return False

    @property
    def made_of(self) -> tuple[Tensor, ...]:
        return self.inner, self.a, self.b

    @property
    def recipe(self) -> str:
        return f"lora {self.scaling!r} {self.transposed}"

    @property
    def delta_factors(self) -> tuple[Matrix, Matrix, float]:
        """Left [rows, r], right [r, columns] and the scaling: their product is the whole change."""
        left, right = self.kept.get(self.name, self._factors)
        return left, right, self.scaling

    def _factors(self) -> tuple[Matrix, Matrix]:
        a, b = _matrix(self.a), _matrix(self.b)
        left, right = (a.T, b.T) if self.transposed else (b, a)
        return np.ascontiguousarray(left), np.ascontiguousarray(right)

    def codes(self, start: int, stop: int) -> Codes:
        raise WeightsError("no_codes", tensor=self.name)

    def values(self, start: int, stop: int) -> Floats:
        if stop <= start:
            return self.inner.values(start, start)
        left, right, scaling = self.delta_factors
        columns = self.shape[1]
        first, last = start // columns, -(-stop // columns)
        delta = (left[first:last] @ right).reshape(-1)
        skipped = start - first * columns
        change = np.float32(scaling) * delta[skipped : skipped + stop - start]
        found: Floats = self.inner.values(start, stop) + change
        return found


def with_adapter(base: Checkpoint, adapter: Checkpoint) -> Checkpoint:
    """The checkpoint that `base` becomes under the adapter of `adapter`; both stay open for it.

    Raises: WeightsError: adapter_not_supported (with the reason), adapter_does_not_fit (with the
        tensor), no_adapter.
    """
    if adapter.adapter is None:
        raise WeightsError("no_adapter")
    settings = adapter.adapter.config
    if settings.refused is not None:
        raise WeightsError("adapter_not_supported", reason=settings.refused)
    factors, whole = sorted_out(adapter.adapter.tensors)
    tensors = dict(base.tensors)
    kept: LastUsed[tuple[Matrix, Matrix]] = LastUsed(_FACTORS_KEPT)
    for name, tensor in whole.items():
        target = _target(name, tensors) or name
        tensors[target] = _renamed(tensor, target)
    for module, (a, b, embedding) in factors.items():
        name, inner = _adapted(module, base, tensors)
        if a.shape[:1] != (settings.rank(module),):
            raise WeightsError("adapter_does_not_fit", tensor=name, reason="rank")
        scaling = settings.scaling(module, a.shape[0])
        transposed = _is_transposed(inner, a, b, settings.fan_in_fan_out or embedding)
        tensors[name] = AdaptedTensor(inner, a, b, scaling, transposed, name, kept)
    return replace(base, tensors=tensors, adapter=None, _kept=ExitStack())


def sorted_out(
    tensors: Mapping[str, Tensor],
) -> tuple[dict[str, tuple[Tensor, Tensor, bool]], dict[str, Tensor]]:
    """The pairs (A, B, whether of an embedding) by module, and tensors stored whole by name."""
    sides: dict[str, dict[str, Tensor]] = {}
    embeddings, whole = set(), {}
    for stored, tensor in tensors.items():
        name = stored.removeprefix(_PREFIX)
        found = _FACTOR.fullmatch(name)
        if found is None:
            if "lora_" in name or "trainable_tokens" in name:
                raise WeightsError("adapter_not_supported", reason="factor", tensor=name[-80:])
            whole[name.replace(".base_layer.", ".").replace(".modules_to_save.", ".")] = tensor
            continue
        sides.setdefault(found["module"], {})[found["side"]] = tensor
        if found["embedding"]:
            embeddings.add(found["module"])
    for module, pair in sides.items():
        if pair.keys() != {"A", "B"}:
            raise WeightsError("adapter_does_not_fit", tensor=module, reason="half_missing")
    pairs = {each: (pair["A"], pair["B"], each in embeddings) for each, pair in sides.items()}
    return pairs, whole


def _adapted(module: str, base: Checkpoint, tensors: Mapping[str, Tensor]) -> tuple[str, Tensor]:
    """The name of a module's weight and the tensor; a tied output is the input embedding."""
    wanted = f"{module}.weight"
    name = _target(wanted, tensors)
    if name is not None:
        return name, tensors[name]
    tied = stand_in(base, wanted)
    if tied is None:
        raise WeightsError("adapter_does_not_fit", tensor=wanted, reason="not_in_base")
    return wanted, tied


def _target(name: str, tensors: Mapping[str, Tensor]) -> str | None:
    """The base's name for the adapter's: equal, or with or without the model's outer name."""
    names = [name]
    names += [outer + name for outer in _OUTER]
    names += [name.removeprefix(outer) for outer in _OUTER]
    return next((each for each in names if each in tensors), None)


def _is_transposed(inner: Tensor, a: Tensor, b: Tensor, expected: bool) -> bool:
    """Whether the product lies across the weight; a square one is decided by the settings."""
    if len(inner.shape) != 2 or len(a.shape) != 2 or len(b.shape) != 2:
        raise WeightsError("adapter_not_supported", reason="shape", tensor=inner.name)
    if a.shape[0] != b.shape[1] or not a.shape[0]:
        raise WeightsError("adapter_does_not_fit", tensor=inner.name, reason="rank")
    if {a.dtype, b.dtype} - FLOATS:
        raise WeightsError("adapter_not_supported", reason="dtype", tensor=inner.name)
    plain = (b.shape[0], a.shape[1])
    if inner.shape not in (plain, plain[::-1]):
        raise WeightsError("adapter_does_not_fit", tensor=inner.name, reason="shape")
    return expected if plain[0] == plain[1] else inner.shape != plain


def _matrix(tensor: Tensor) -> Matrix:
    return tensor.rows(0, tensor.shape[0]).astype(np.float32, copy=False)


def _renamed(tensor: Tensor, name: str) -> Tensor:
    changed: dict[str, Any] = {"name": name}
    return replace(tensor, **changed)  # type: ignore[type-var]
