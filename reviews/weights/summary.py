"""What happened to a model, in facts: each has a code and parameters, worded elsewhere.

Codes of facts, by what they are about:

- of an adapter: adapter_idle (it changes nothing), adapter_idle_in (`tensors`, `count`)
- of the whole: patched (`replaced` of `elements`, `count` of tensors), no_change, files_moved,
  cast_only, no_nan, embeddings_untouched, ties_broken, ties_made (`tensor`)
- of many tensors (`modules`, `layers` as runs, `tensors`, `relative`): low_rank_change (`rank`,
  `rank_min`), dense_change, change_below_rounding, changed (its rank is not known, or it has none),
  cast, dtype_changed (`before`, `after`; the second is no rounding alone, or not known yet)
- of one tensor (`tensor`, `layer`, `module`): head_scaled, head_zeroed, head_changed (`heads`);
  rows_…, columns_…, elements_… (`ranges`, `count`); tensor_scaled, tensor_zeroed; `factor` of the
  scaled ones; rows_zeroed_among_changes (`count`); outlier (`z`, `times`); nan, inf (`count`);
  reshaped (`before`, `after`); swapped (`other`)
- of tensors that came and went: tokens_added, tokens_removed (`count`), rows_added, rows_removed
  (`tensor`, `count`), added, removed, renamed (`tensors`, `count`)
- of modules (`modules`, `layers` as runs, `tensors`): modules_reshaped (`before`, `after`),
  modules_rows_added, modules_rows_removed (`count` of rows in each)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod, sqrt
from typing import Any

from reviews.weights.diff import TensorChange
from reviews.weights.errors import WeightsError
from reviews.weights.facts import (
    NAMED,
    Fact,
    grouped,
    idle_adapter,
    of_adapter,
    of_block,
    of_patch,
    reshaped,
)
from reviews.weights.heads import Heads
from reviews.weights.outliers import outlying
from reviews.weights.places import layer_ranges, place_of
from reviews.weights.tensor_stats import VERSION
from reviews.weights.tensors import Tensor
from reviews.weights.ties import TieChange

# Facts that a reviewer must have seen: the model may be broken, or is another than it seems.
ALARMS = frozenset(
    {
        "nan", "inf", "swapped", "removed", "reshaped", "outlier", "head_zeroed", "rows_zeroed",
        "columns_zeroed", "elements_zeroed", "tensor_zeroed", "rows_zeroed_among_changes",
        "tokens_removed", "rows_removed", "ties_broken", "modules_reshaped",
        "modules_rows_removed",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """`layers`: runs of layers in which anything changed. `relative`: ‖D‖ / ‖W0‖ over the tensors
    whose values changed (None: no values did). Counts are of tensors and of elements."""

    facts: tuple[Fact, ...]
    layers: list[list[int]]
    relative: float | None
    tensors: int
    touched: int
    elements: int
    changed_elements: int

    @property
    def alarms(self) -> tuple[Fact, ...]:
        return tuple(fact for fact in self.facts if fact.code in ALARMS)

    @property
    def is_safe(self) -> bool:
        """Whether nothing in the facts asks for a second look."""
        return not self.alarms

    def to_dict(self) -> dict[str, Any]:
        """JSON with VERSION inside."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Summary:
        """Raises: WeightsError "another_version" for what an older or newer program wrote."""
        if told.get("version") != VERSION:
            raise WeightsError("another_version", version=told.get("version"))
        known = {key: value for key, value in told.items() if key != "version"}
        return cls(**known | {"facts": tuple(Fact(**fact) for fact in known["facts"])})


def summarise(
    changes: Sequence[TensorChange],
    config: Mapping[str, Any] | None = None,
    tensors: Mapping[str, Tensor] | None = None,
    tie: TieChange | None = None,
) -> Summary:
    """The facts of a whole diff; what is not computed yet is told as merely changed.

    `config` is the model's config.json: it says how projections fall into heads. `tensors` are the
    candidate's: they tell of a sparse patch and an adapter. `tie` is what became of tied
    embeddings.
    """
    held = tensors or {}
    idle = idle_adapter(changes, held)
    touched = [change for change in changes if change.is_touched and change.name not in set(idle)]
    layers = [place.layer for change in touched if (place := place_of(change.name))]
    stats = [change.stats for change in changes if change.stats]
    base = sqrt(sum(found.base.norm**2 for found in stats if found.changed))
    moved = sqrt(sum(found.change_norm**2 for found in stats))
    return Summary(
        facts=(
            *of_patch(held),
            *of_adapter(idle, held),
            *_facts(changes, touched, Heads.of_config(config)),
            *(
                [Fact(f"ties_{tie.what}", {"tensor": tie.output, "other": tie.source})]
                if tie
                else []
            ),
        ),
        layers=layer_ranges(layer for layer in layers if layer is not None),
        relative=moved / base if base else None,
        tensors=len(changes),
        touched=len(touched),
        elements=sum(prod(change.shapes[1] or ()) for change in changes if change.shapes[1]),
        changed_elements=sum(found.changed for found in stats if not found.is_cast),
    )


def _facts(
    changes: Sequence[TensorChange], touched: Sequence[TensorChange], heads: Heads | None
) -> Iterator[Fact]:
    yield from _whole(changes, touched)
    yield from _casts(changes)
    rest = []
    for change in touched:
        found = of_block(change, heads)
        if found is not None:
            yield found
        else:
            rest.append(change)
    yield from grouped(rest)
    yield from _came_and_went(changes)
    yield from _embeddings(changes, touched)
    yield from _alarming(changes)


def _whole(changes: Sequence[TensorChange], touched: Sequence[TensorChange]) -> Iterator[Fact]:
    quiet = not touched and not any(map(_is_renamed, changes))
    if quiet and all(change.kind != "unread" for change in changes):
        yield Fact("no_change", {"tensors": len(changes)})
    if moved := sum(change.moved_file for change in changes):
        yield Fact("files_moved", {"tensors": moved})


def _casts(changes: Sequence[TensorChange]) -> Iterator[Fact]:
    """Tensors that only got another dtype, whether that is all that happened, and other dtypes."""
    cast = [change for change in changes if change.stats and change.stats.is_cast]
    only = len(cast) == sum(change.is_touched for change in changes)
    yield from _by_dtypes("cast_only" if only else "cast", cast)
    proven = {change.name for change in cast}
    others = [each for each in changes if each.kind == "dtype" and each.name not in proven]
    yield from _by_dtypes("dtype_changed", others)


def _by_dtypes(code: str, changes: Sequence[TensorChange]) -> Iterator[Fact]:
    names: dict[tuple[str | None, str | None], list[str]] = {}
    for change in changes:
        names.setdefault(change.dtypes, []).append(change.name)
    for (before, after), held in names.items():
        told = {"before": before, "after": after, "count": len(held), "tensors": held[:NAMED]}
        yield Fact(code, told)


def _is_renamed(change: TensorChange) -> bool:
    """Whether the tensor is an old one under another name: equal, or its name got a prefix."""
    old, new = change.renamed_from, change.name
    if old is None or change.swapped_with:
        return False
    return change.kind == "renamed" or new.endswith(f".{old}") or old.endswith(f".{new}")


def _came_and_went(changes: Sequence[TensorChange]) -> Iterator[Fact]:
    named = {
        "added": [change.name for change in changes if change.kind == "added"],
        "removed": [change.name for change in changes if change.kind == "removed"],
        "renamed": [change.name for change in changes if _is_renamed(change)],
    }
    for code, names in named.items():
        if names:
            yield Fact(code, {"count": len(names), "tensors": names[:NAMED]})
    tokens, others = set(), []
    for change in changes:
        if change.swapped_with and change.name < change.swapped_with:
            yield Fact("swapped", {"tensor": change.name, "other": change.swapped_with})
        if change.kind != "reshaped":
            continue
        if change.rows_added and place_of(change.name).role in {"embedding", "head"}:
            tokens.add(change.rows_added)
        else:
            others.append(change)
    yield from reshaped(others)
    for count in sorted(tokens):
        yield Fact("tokens_added" if count > 0 else "tokens_removed", {"count": abs(count)})


def _embeddings(changes: Sequence[TensorChange], touched: Sequence[TensorChange]) -> Iterator[Fact]:
    """Told where something else changed: that the embeddings did not is worth a word then. Those
    that lost tokens are not untouched."""
    held = [change for change in changes if place_of(change.name).role == "embedding"]
    same = all(
        (change.kind == "same" or (change.stats is not None and change.stats.changed == 0))
        and (change.rows_added or 0) >= 0
        for change in held
    )
    if held and same and touched:
        yield Fact("embeddings_untouched", {"tensors": [change.name for change in held]})


def _alarming(changes: Sequence[TensorChange]) -> Iterator[Fact]:
    sizes = []
    looked_at = unseen = broken = 0
    for change in changes:
        if change.not_finite is not None:
            looked_at += 1
            for code, count in change.not_finite.items():
                if count:
                    broken += 1
                    yield Fact(code, {"tensor": change.name, "count": count})
        elif change.kind in {"added", "reshaped", "unread"}:
            unseen += 1
        if change.stats is None:
            continue
        if change.stats.zeroed_rows and change.stats.block is None:
            told = {"tensor": change.name, "count": change.stats.zeroed_rows}
            yield Fact("rows_zeroed_among_changes", told)
        if not change.stats.is_cast:
            kind = place_of(change.name).kind
            sizes.append((change.name, kind, change.stats.relative or 0.0))
    for found in outlying(sizes):
        yield Fact("outlier", {"tensor": found.name, "z": found.z, "times": found.times})
    if looked_at and not broken and not unseen:
        yield Fact("no_nan", {"tensors": looked_at})
