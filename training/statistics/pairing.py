"""Joining the item scores of two models by item id. Nothing is ever dropped silently."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True, slots=True)
class ItemScore:
    """What one model scored on one item.

    `cluster` names the passage or dialogue the item belongs to. `weight` is set for ratio metrics
    only: `score` is then a sum (nats) and `weight` its denominator (ln 2 times bytes).
    """

    item_id: str
    score: float
    cluster: str | None = None
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """The scores of base and candidate on the same item."""

    item_id: str
    base: float
    candidate: float
    cluster: str | None
    weight: float | None


class PairingError(Exception):
    """The two sides cannot be compared. `code` and `parameters` say why."""

    def __init__(self, code: str, parameters: dict[str, object]) -> None:
        super().__init__(f"{code}: {parameters}")
        self.code = code
        self.parameters = parameters


def pair_items(base: Iterable[ItemScore], candidate: Iterable[ItemScore]) -> list[Pair]:
    """Both scores of every item, ordered by item id.

    Raises:
        PairingError: `no_items`, `duplicate_items`, `scores_not_finite`, `unmatched_items`,
            `items_differ` (cluster or weight of an item is not the same on both sides) or
            `clusters_incomplete`, `weights_incomplete` (some items have one, some have none).
    """
    left, right = _by_id(base, "base"), _by_id(candidate, "candidate")
    unmatched = sorted(left.keys() ^ right.keys())
    if unmatched:
        raise PairingError("unmatched_items", _named(unmatched))
    if not left:
        raise PairingError("no_items", {})
    differing = [key for key, score in left.items() if _kind(score) != _kind(right[key])]
    if differing:
        raise PairingError("items_differ", _named(sorted(differing)))
    pairs = [_pair(left[key], right[key]) for key in sorted(left)]
    _require_all_or_none([pair.cluster for pair in pairs], "clusters_incomplete")
    _require_all_or_none([pair.weight for pair in pairs], "weights_incomplete")
    return pairs


def _by_id(scores: Iterable[ItemScore], side: str) -> dict[str, ItemScore]:
    found: dict[str, ItemScore] = {}
    duplicates, broken = [], []
    for score in scores:
        if score.item_id in found:
            duplicates.append(score.item_id)
        if not isfinite(score.score) or not _usable_weight(score.weight):
            broken.append(score.item_id)
        found[score.item_id] = score
    if duplicates:
        raise PairingError("duplicate_items", {"side": side, **_named(duplicates)})
    if broken:
        raise PairingError("scores_not_finite", {"side": side, **_named(broken)})
    return found


def _usable_weight(weight: float | None) -> bool:
    return weight is None or (isfinite(weight) and weight > 0.0)


def _kind(score: ItemScore) -> tuple[str | None, float | None]:
    return score.cluster, score.weight


def _pair(base: ItemScore, candidate: ItemScore) -> Pair:
    return Pair(base.item_id, base.score, candidate.score, base.cluster, base.weight)


def _require_all_or_none(values: Sequence[object], code: str) -> None:
    missing = sum(value is None for value in values)
    if 0 < missing < len(values):
        raise PairingError(code, {"count": missing})


def _named(item_ids: list[str]) -> dict[str, object]:
    return {"count": len(item_ids), "examples": item_ids[:5]}
