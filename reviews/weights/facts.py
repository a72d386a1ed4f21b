"""Facts about changed tensors: one by one where a change keeps to a block, else put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from reviews.weights.adapters import AdaptedTensor
from reviews.weights.diff import TensorChange
from reviews.weights.heads import Heads
from reviews.weights.patches import PatchedTensor
from reviews.weights.places import layer_ranges, place_of
from reviews.weights.tensor_stats import TensorStats
from reviews.weights.tensors import Tensor

NAMED = 50
# Reasons of an undecidable rank that are rounding's: no direction lies above what it may make.
_HIDDEN = {"below_rounding", "nothing_above"}


@dataclass(frozen=True)
class Fact:
    """A `code` and what belongs into its sentence, as JSON."""

    code: str
    parameters: dict[str, Any]


def of_patch(tensors: Mapping[str, Tensor]) -> Iterator[Fact]:
    """How many elements a sparse patch replaces, of how many, in which tensors."""
    parts = [part for each in tensors.values() for part in (each, *each.made_of)]
    patched = [each for each in parts if isinstance(each, PatchedTensor)]
    if patched:
        told = {
            "tensors": [each.name for each in patched][:NAMED],
            "count": len(patched),
            "replaced": sum(each.places.count for each in patched),
            "elements": sum(each.count for each in tensors.values()),
        }
        yield Fact("patched", told)


def idle_adapter(changes: Iterable[TensorChange], tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The tensors that an adapter leaves as they were: its product is zero, or too small."""
    return tuple(
        change.name
        for change in changes
        if change.kind == "changed"
        and isinstance(tensors.get(change.name), AdaptedTensor)
        and change.stats is not None
        and not change.stats.changed
    )


def of_adapter(idle: Sequence[str], tensors: Mapping[str, Tensor]) -> Iterator[Fact]:
    """That an adapter changes nothing, at all or in some of its tensors."""
    if idle:
        adapted = sum(isinstance(each, AdaptedTensor) for each in tensors.values())
        code = "adapter_idle" if len(idle) == adapted else "adapter_idle_in"
        yield Fact(code, {"count": len(idle), "tensors": list(idle[:NAMED])})


def of_block(change: TensorChange, heads: Heads | None) -> Fact | None:
    """The fact of a tensor whose change keeps to heads, rows, columns, or scales or clears it."""
    stats = change.stats
    if stats is None or stats.block is None or stats.is_cast:
        return None
    block, place = stats.block, place_of(change.name)
    is_vector = len(stats.shape) < 2
    if is_vector and block.effect == "changed":
        return None
    told: dict[str, Any] = {
        "tensor": change.name, "layer": place.layer, "module": place.module,
        "relative": stats.relative,
    }  # fmt: skip
    if block.effect == "scaled":
        told["factor"] = block.factor
    if block.axis == "all":
        return Fact(f"tensor_{block.effect}", told)
    covered = heads.of_block(place, block) if heads and not is_vector else None
    if covered is not None:
        return Fact(f"head_{block.effect}", told | {"heads": covered})
    axis = "elements" if is_vector else block.axis
    ranges = [list(bounds) for bounds in block.ranges]
    return Fact(f"{axis}_{block.effect}", told | {"ranges": ranges, "count": block.count})


def grouped(changes: Iterable[TensorChange]) -> Iterator[Fact]:
    """Facts of spread changes: modules that changed in one way, in the same layers, together."""
    by_module: dict[tuple[str, str], list[TensorChange]] = defaultdict(list)
    for change in changes:
        if change.stats is not None and change.stats.changed and not change.stats.is_cast:
            by_module[_code(change), place_of(change.name).module].append(change)
    by_layers: dict[tuple[Any, ...], list[tuple[str, list[TensorChange]]]] = defaultdict(list)
    for (code, module), held in by_module.items():
        ranks = [change.spectrum.rank or 0 for change in held if change.spectrum]
        rank = max(ranks) if code == "low_rank_change" else None
        layers = tuple(sorted({place_of(change.name).layer or 0 for change in held}))
        outside = place_of(held[0].name).layer is None
        by_layers[code, rank, outside, layers].append((module, held))
    for (code, rank, outside, layers), members in by_layers.items():
        held = [change for _, some in members for change in some]
        told: dict[str, Any] = {
            "modules": [module for module, _ in members],
            "layers": [] if outside else layer_ranges(layers),
            "tensors": [change.name for change in held],
            "relative": _relative([change.stats for change in held if change.stats]),
        }
        if rank is not None:
            told["rank"] = rank
            told["rank_min"] = min(each.spectrum.rank or 0 for each in held if each.spectrum)
        yield Fact(code, told)


def _code(change: TensorChange) -> str:
    found = change.spectrum
    if found is None or found.undecidable in {"unknown_rounding", "not_finite"}:
        return "changed"
    if found.undecidable in _HIDDEN:
        return "change_below_rounding"
    if found.undecidable == "more_than" or not found.low_rank:
        return "dense_change"
    return "low_rank_change"


def _relative(stats: Sequence[TensorStats]) -> float | None:
    base = sqrt(sum(found.base.norm**2 for found in stats))
    return sqrt(sum(found.change_norm**2 for found in stats)) / base if base else None


def reshaped(changes: Iterable[TensorChange]) -> Iterator[Fact]:
    """Facts of tensors of another shape: one alone by its name, else modules that changed from one
    shape to another, or by as many rows, in the same layers, together."""
    by_module: dict[tuple[Any, ...], list[TensorChange]] = defaultdict(list)
    for change in changes:
        place = place_of(change.name)
        is_outside = place.layer is None
        by_module[*_of_shape(change), is_outside, place.module].append(change)
    by_layers: dict[tuple[Any, ...], list[tuple[str, list[TensorChange]]]] = defaultdict(list)
    for (*what, is_outside, module), held in by_module.items():
        layers = tuple(sorted({place_of(change.name).layer or 0 for change in held}))
        by_layers[*what, is_outside, layers].append((module, held))
    for (code, before, after, is_outside, layers), members in by_layers.items():
        tensors = [change.name for _, held in members for change in held]
        told: dict[str, Any] = {"before": before, "after": after}
        if code != "reshaped":
            told = {"count": abs(after - before)}
        if len(tensors) == 1:
            yield Fact(code, {"tensor": tensors[0], **told})
            continue
        told["modules"] = [module for module, _ in members]
        told["layers"] = [] if is_outside else layer_ranges(layers)
        yield Fact(f"modules_{code}", {**told, "tensors": tensors[:NAMED]})


def _of_shape(change: TensorChange) -> tuple[str, Any, Any]:
    """What became of the shape: by how many rows it differs, where that is all."""
    before, after = change.shapes
    if change.rows_added is None:
        return "reshaped", before, after
    return ("rows_added" if change.rows_added > 0 else "rows_removed"), 0, change.rows_added
