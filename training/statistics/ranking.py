"""Rank groups instead of false precision: models that the items cannot tell apart share a rank."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import inf

import numpy as np
import numpy.typing as npt

from training.statistics.binary import mcnemar
from training.statistics.bootstrap import influences
from training.statistics.formulas import Array
from training.statistics.metrics import Kind, Metric, metric_named
from training.statistics.multiplicity import holm
from training.statistics.quantiles import t_cdf
from training.statistics.verdicts import Direction, sign_of

Score = float | Sequence[float]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RankGroup:
    """Models next to each other of which no two are told apart, best first.

    Every rank from `rank_low` to `rank_high` is possible for some model of the group: a model's
    lowest is 1 plus the models shown to be better, its highest all but those shown to be worse.
    """

    models: tuple[str, ...]
    rank_low: int
    rank_high: int

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"models": list(self.models)}


def rank_groups(
    scores_by_model: Mapping[str, Mapping[str, Score]],
    alpha: float = 0.05,
    *,
    metric: str = "acc",
    direction: Direction = Direction.HIGHER,
    target: float | None = None,
    clusters: Mapping[str, Hashable] | None = None,
) -> list[RankGroup]:
    """Models in groups, best first, from two-sided paired tests of all pairs with Holm.

    A pair is compared on the items that both models have. By item id there are scores for metrics
    of the kind mean and vectors of sums for the others. Right/wrong items take McNemar's exact
    test, other means the paired t test, sums the t test of the delta method. `clusters` names the
    cluster of an item id: then all take the cluster-robust t test.

    Raises: ValueError for scores that are not finite.
    """
    models = sorted(scores_by_model)
    board = read_board(models, scores_by_model, metric_named(metric), clusters)
    board = oriented(board, direction, target)
    return groups_of(models, board.values, shown_better(list(_pairs(board)), alpha, len(models)))


def paired_test(
    first: Mapping[str, Score],
    second: Mapping[str, Score],
    *,
    metric: str = "acc",
    direction: Direction = Direction.HIGHER,
    target: float | None = None,
    clusters: Mapping[str, Hashable] | None = None,
) -> tuple[float, float]:
    """By how much the second of two models is better, and the two-sided p-value: the test of a
    pair as `rank_groups` makes it."""
    given = {"first": first, "second": second}
    board = read_board(["second", "first"], given, metric_named(metric), clusters)
    ((leads, p_values),) = _pairs(oriented(board, direction, target))
    return float(leads[0]), float(p_values[0])


def groups_of(models: Sequence[str], values: Array, better: Flags) -> list[RankGroup]:
    """Models in groups, best first. `values` [M] are oriented so that higher is better, `better`
    [M, M] says of which pairs the row's model is shown to be better than the column's."""
    low, high = 1 + better.sum(axis=0), len(models) - better.sum(axis=1)
    return [
        RankGroup(tuple(models[m] for m in group), int(low[group].min()), int(high[group].max()))
        for group in _grouped(values, better)
    ]


@dataclass(frozen=True, slots=True)
class Board:
    """Models' values [M] and their scores [M, n], whose means these are; 0 where `has` is false.

    The items are sorted by cluster; `starts` are the first places of the clusters, None without.
    """

    values: Array
    scores: Array
    has: Flags
    starts: npt.NDArray[np.intp] | None
    binary: bool


def read_board(
    models: list[str],
    given: Mapping[str, Mapping[str, Score]],
    metric: Metric,
    clusters: Mapping[str, Hashable] | None,
) -> Board:
    """The scores of `models`, in their order. Raises: ValueError for ones that are not finite."""
    ids = sorted({item_id for model in models for item_id in given[model]})
    starts = None
    if clusters is not None:
        codes: dict[Hashable, int] = {}
        numbers = {key: codes.setdefault(clusters[key], len(codes)) for key in ids}
        ids.sort(key=numbers.__getitem__)
        _codes, starts = np.unique([numbers[key] for key in ids], return_index=True)
    places = {item_id: place for place, item_id in enumerate(ids)}
    values, scores = np.zeros(len(models)), np.zeros((len(models), len(ids)))
    has = np.zeros(scores.shape, dtype=np.bool_)
    for row, model in enumerate(models):
        columns = [places[item_id] for item_id in given[model]]
        own = np.array(list(given[model].values()), dtype=np.float64)
        if not np.isfinite(own).all():
            raise ValueError(f"{model} has scores that are not finite.")
        if columns and metric.kind is not Kind.MEAN:
            own = float(metric.value(own.sum(axis=0))) + influences(metric, own)
        scores[row, columns], has[row, columns] = own, True
        values[row] = own.mean() if columns else -inf
    binary = metric.kind is Kind.MEAN and bool(((scores == 0.0) | (scores == 1.0)).all())
    return Board(values, scores, has, starts, binary and starts is None)


def oriented(board: Board, direction: Direction, target: float | None) -> Board:
    """The same board with higher for better: of a target, the negated distance, linearised."""
    if target is None:
        sign = sign_of(direction)
        # Of right/wrong items the wrong ones are counted, so that they stay 0 and 1.
        shift = 1.0 if board.binary and sign < 0.0 else 0.0
        values = np.where(np.isfinite(board.values), shift + sign * board.values, -inf)
        scores = np.where(board.has, shift + sign * board.scores, 0.0)
        return Board(values, scores, board.has, board.starts, board.binary)
    side = np.where(board.values >= target, -1.0, 1.0)
    scores = np.where(board.has, side[:, np.newaxis] * (board.scores - target), 0.0)
    values = np.where(np.isfinite(board.values), side * (board.values - target), -inf)
    return Board(values, scores, board.has, board.starts, binary=False)


def shown_better(rows: Sequence[tuple[Array, Array]], alpha: float, count: int) -> Flags:
    """[M, M]: whether the row's model is shown to be better than the column's.

    `rows` has for every model but the last its leads over the later ones, and their p-values.
    """
    better = np.zeros((count, count), dtype=np.bool_)
    firsts, seconds = np.triu_indices(count, 1)
    if not len(firsts):
        return better
    gaps = np.concatenate([gap for gap, _p in rows])
    shown = np.array(holm(np.concatenate([p for _gap, p in rows]))) <= alpha
    better[firsts, seconds] = shown & (gaps > 0.0)
    better[seconds, firsts] = shown & (gaps < 0.0)
    return better


def _pairs(board: Board) -> Iterator[tuple[Array, Array]]:
    """For each model, its mean lead over every later one, and the two-sided p-values."""
    for row in range(len(board.values) - 1):
        shared = board.has[row] & board.has[row + 1 :]
        leads = np.where(shared, board.scores[row] - board.scores[row + 1 :], 0.0)
        counts = np.maximum(shared.sum(axis=1), 1)
        means = leads.sum(axis=1) / counts
        if board.binary:
            wins, defeats = (leads > 0.0).sum(axis=1), (leads < 0.0).sum(axis=1)
            yield (
                means,
                np.array([_exact(int(w), int(d)) for w, d in zip(wins, defeats, strict=True)]),
            )
            continue
        residuals = np.where(shared, leads - means[:, np.newaxis], 0.0)
        yield means, _student(means * counts, residuals, shared, board.starts)


@lru_cache(maxsize=65536)
def _exact(wins: int, defeats: int) -> float:
    return mcnemar(wins, defeats).two_sided


def _student(
    totals: Array, residuals: Array, shared: Flags, starts: npt.NDArray[np.intp] | None
) -> Array:
    """p-values of the sums of leads [P] from residuals [P, n], cluster-robust with `starts`."""
    if starts is not None:
        residuals = np.add.reduceat(residuals, starts, axis=1)
        shared = np.logical_or.reduceat(shared, starts, axis=1)
    units = shared.sum(axis=1)
    spread = (residuals**2).sum(axis=1)
    found = []
    for total, count, square in zip(totals, units.tolist(), spread, strict=True):
        if count < 2 or total == 0.0:
            found.append(1.0)
        elif square <= 1e-24 * total**2:
            found.append(2.0 * 0.5**count)  # no spread seen: the sign test still counts the units
        else:
            error = (count / (count - 1) * square) ** 0.5
            found.append(2.0 * t_cdf(-abs(total) / error, count - 1))
    return np.array(found)


def _grouped(values: Array, better: Flags) -> list[list[int]]:
    """Places of models, best first, cut before each that is told apart from one of its group."""
    groups: list[list[int]] = []
    for place in sorted(range(len(values)), key=lambda m: (-values[m], m)):
        together = groups and not (better[groups[-1], place] | better[place, groups[-1]]).any()
        if together:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups
