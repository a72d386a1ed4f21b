"""Joining the item scores of two models by item id. Nothing is ever dropped silently."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.statistics.formulas import Array
from training.statistics.metrics import METRICS, Kind, Metric


@dataclass(frozen=True, slots=True)
class ItemScore:
    """What one model scored on one item.

    `cluster` names the passage or dialogue the item belongs to. `sums` is the item's vector for
    metrics of the kinds ratio and corpus; `score`, the item's own value, is then only shown, and
    may be None.
    """

    item_id: str
    score: float | None
    cluster: str | None = None
    sums: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Paired:
    """The scores of base and candidate on the same n items, in the order of their ids.

    `clusters` numbers the clusters from 0. `base_sums` and `candidate_sums` are [n, k] and empty
    for the kind mean; for the other kinds `base` and `candidate` may hold NaN.
    """

    ids: list[str]
    base: Array
    candidate: Array
    clusters: npt.NDArray[np.intp] | None
    base_sums: Array
    candidate_sums: Array

    @property
    def n(self) -> int:
        return len(self.ids)

    def taken(self, places: npt.NDArray[np.intp]) -> "Paired":
        """The pairs at these places, their clusters numbered anew."""
        clusters = self.clusters
        if clusters is not None:
            _names, clusters = np.unique(clusters[places], return_inverse=True)
        return Paired(
            [self.ids[place] for place in places],
            self.base[places],
            self.candidate[places],
            clusters,
            self.base_sums[places],
            self.candidate_sums[places],
        )

    @property
    def changed(self) -> npt.NDArray[np.bool_]:
        """Which items the two models did not do alike, [n]."""
        if self.base_sums.size:
            return (self.base_sums != self.candidate_sums).any(axis=1)
        return self.base != self.candidate

    @property
    def changed_items(self) -> int:
        return int(self.changed.sum())

    @property
    def cluster_count(self) -> int | None:
        return None if self.clusters is None else int(self.clusters.max()) + 1


class PairingError(Exception):
    """The two sides cannot be compared. `code` and `parameters` say why."""

    def __init__(self, code: str, parameters: dict[str, object]) -> None:
        super().__init__(f"{code}: {parameters}")
        self.code = code
        self.parameters = parameters


def pair_items(
    base: Iterable[ItemScore], candidate: Iterable[ItemScore], metric: Metric = METRICS["acc"]
) -> Paired:
    """Both scores of every item, ordered by item id.

    Raises:
        PairingError: `no_items`, `duplicate_items`, `scores_not_finite`, `unmatched_items`,
            `sums_malformed` (a vector has not the length that the metric takes),
            `items_differ` (an item's cluster, or what of its vector depends on the item alone, is
            not the same on both sides) or `clusters_incomplete` (some items have none).
    """
    left, right = _by_id(base, "base"), _by_id(candidate, "candidate")
    unmatched = sorted(left.keys() ^ right.keys())
    if unmatched:
        raise PairingError("unmatched_items", _named(unmatched))
    if not left:
        raise PairingError("no_items", {})
    ids = sorted(left)
    lefts, rights = [left[key] for key in ids], [right[key] for key in ids]
    clusters = _clusters(ids, lefts, rights)
    base_scores, base_sums = _columns(ids, lefts, "base", metric)
    candidate_scores, candidate_sums = _columns(ids, rights, "candidate", metric)
    _require_same_items(ids, base_sums, candidate_sums, metric)
    return Paired(ids, base_scores, candidate_scores, clusters, base_sums, candidate_sums)


def _by_id(scores: Iterable[ItemScore], side: str) -> dict[str, ItemScore]:
    listed = list(scores)
    found = {score.item_id: score for score in listed}
    if len(found) < len(listed):
        counts = Counter(score.item_id for score in listed)
        repeated = sorted(key for key, count in counts.items() if count > 1)
        raise PairingError("duplicate_items", {"side": side, **_named(repeated)})
    return found


def _clusters(
    ids: list[str], lefts: list[ItemScore], rights: list[ItemScore]
) -> npt.NDArray[np.intp] | None:
    names = [score.cluster for score in lefts]
    theirs = [score.cluster for score in rights]
    if names != theirs:
        differing = [key for key, a, b in zip(ids, names, theirs, strict=True) if a != b]
        raise PairingError("items_differ", _named(differing))
    missing = names.count(None)
    if missing == len(names):
        return None
    if missing:
        raise PairingError("clusters_incomplete", {"count": missing})
    codes: dict[str | None, int] = {}
    return np.array([codes.setdefault(name, len(codes)) for name in names], dtype=np.intp)


def _columns(
    ids: list[str], scores: list[ItemScore], side: str, metric: Metric
) -> tuple[Array, Array]:
    """The scores [n] and the vectors [n, k] of one side."""
    values = np.array([score.score for score in scores], dtype=np.float64)
    if metric.kind is Kind.MEAN:
        _refuse(ids, ~np.isfinite(values), "scores_not_finite", side)
        return values, np.empty((len(ids), 0))
    widths = np.array([len(score.sums) for score in scores])
    wanted = widths[0] if metric.accepts(int(widths[0])) else -1
    _refuse(ids, widths != wanted, "sums_malformed", side)
    sums = np.array([score.sums for score in scores], dtype=np.float64)
    broken = ~np.isfinite(sums).all(axis=1)
    if metric.spread is None:
        broken |= sums[:, 1] <= 0.0  # bytes or words: a text has some
    _refuse(ids, broken, "scores_not_finite", side)
    return values, sums


def _require_same_items(ids: list[str], base: Array, candidate: Array, metric: Metric) -> None:
    if base.shape != candidate.shape:
        raise PairingError("items_differ", _named(ids))
    if metric.shared is not None and base.size:
        gaps = np.abs(base[:, metric.shared] - candidate[:, metric.shared])
        _refuse(ids, gaps.max(axis=1) > 0.0, "items_differ", None)


def _refuse(ids: list[str], broken: npt.ArrayLike, code: str, side: str | None) -> None:
    places = np.flatnonzero(broken)
    if places.size:
        named = _named([ids[index] for index in places])
        raise PairingError(code, named if side is None else {"side": side, **named})


def _named(item_ids: list[str]) -> dict[str, object]:
    return {"count": len(item_ids), "examples": item_ids[:5]}
