"""Two evaluations of one benchmark, item by item: worked out once for each pair, then kept.

What is kept names items by their places alone; texts are read for whoever may see them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.core.cache import cache
from numpy.typing import NDArray

from hub.errors import EntryNotFoundError
from training.jobs.items import margin_of, open_table
from training.jobs.questions import question_columns
from training.models import Benchmark, Evaluation
from training.statistics.agreement import agreement, overlap
from training.statistics.binary import mcnemar
from training.statistics.bootstrap import influences
from training.statistics.calibration import bins, ece
from training.statistics.comparison import Rule, weigh
from training.statistics.intervals import clustered_estimate, paired_estimate
from training.statistics.metrics import METRICS, Kind
from training.statistics.pairing import ItemScore, Paired, PairingError, pair_items
from training.statistics.ranking import paired_test
from training.statistics.verdicts import Direction, Label, sign_of

ALPHA = 0.025  # on each side: intervals are two-sided 95 %
POINTS_DRAWN = 400
EXAMPLES_KEPT = 500  # of each kind
RESAMPLED_LIMIT = 5_000  # items; above, corpus metrics take the delta method
_VERSION = 3
_KEPT_SECONDS = 30 * 24 * 3600
_TEXTS = ("extracted", "output")
FIRST, SECOND, BOTH, NEITHER = "first", "second", "both", "neither"
KINDS = (FIRST, SECOND, BOTH, NEITHER)
Margins = tuple[float | None, float | None]  # how far the right choice is ahead, on both sides


class Unpairable(Exception):
    """Two evaluations cannot be compared; the text says why."""


@dataclass
class Columns:
    """One evaluation in the order of its file; `rows` has the place of every item id."""

    ids: list[str]
    scores: list[ItemScore]
    likelihoods: list[tuple[float, ...]]
    targets: list[int | None]
    answers: list[Any]
    rows: dict[str, int]


Read = Callable[[Evaluation, str], Columns]


def pair(
    benchmark: Benchmark,
    first: Evaluation,
    second: Evaluation,
    metric: dict[str, Any],
    read: Read | None = None,
) -> dict[str, Any]:
    """What two evaluations say of each other, as plain values; differences are second - first.

    Where one of them holds a part of the items, on those that both hold: `n` of `of`.

    {"n", "of", "first", "second", "delta", "lower", "upper", "better": "first" | "second" | "",
    "method", "gains", "losses", "mcnemar", "test", "overlap", "agreement", "scatter", "examples"}

    `test` is that of leaderboards, {"leader", "p"}: for Holm over several pairs. `read` is
    `read_columns`, or what remembers its answers.
    Raises: Unpairable.
    """
    names = [(row.pk, row.items_sha256) for row in (first, second)]
    key = f"compared:{_VERSION}:{benchmark.questions_sha256}:{names}:{metric['name']}"
    key += f":{metric['direction']}:{metric['target']}"
    return _kept(key, lambda: _pair(benchmark, first, second, metric, read or read_columns))


def summary(
    benchmark: Benchmark, first: Evaluation, second: Evaluation, metric: dict[str, Any]
) -> dict[str, Any]:
    """The difference alone, for lists of benchmarks. Raises: Unpairable."""
    return {k: v for k, v in pair(benchmark, first, second, metric).items() if k in _SHORT}


_SHORT = ("n", "of", "first", "second", "delta", "lower", "upper", "better", "method")


def calibration(evaluation: Evaluation) -> dict[str, Any] | None:
    """How often choices are right by how sure the model is of them; None for other answers.

    {"n", "ece", "bins": [{"low", "high", "n", "confidence", "accuracy"}]}
    """
    key = f"calibrated:{_VERSION}:{evaluation.pk}:{evaluation.items_sha256}"
    return _kept(key, lambda: _calibration(evaluation))


def _kept(key: str, work: Callable[[], Any]) -> Any:
    key = key.replace(" ", "")
    found = cache.get(key)
    if found is None:
        found = {"value": work()}
        cache.set(key, found, _KEPT_SECONDS)
    return found["value"]


# Reading ---------------------------------------------------------------------------------------


def read_columns(evaluation: Evaluation, metric: str) -> Columns:
    """The columns that comparing looks at. Raises: Unpairable."""
    score, vector = f"metric.{metric}", f"sums.{metric}"
    wanted = ("id", "cluster", "prediction", "target", "loglikelihoods", *_TEXTS, score, vector)
    if not evaluation.items_sha256:
        raise Unpairable("no_items")
    try:
        with open_table(evaluation.repository.blobs(), evaluation.items_sha256) as file:
            names = [name for name in wanted if name in set(file.schema_arrow.names)]
            table = file.read(names)
    except EntryNotFoundError:
        raise Unpairable("no_items") from None
    if score not in names:
        raise Unpairable("not_measured")
    told = {name: table.column(name).to_pylist() for name in names}
    nothing: list[Any] = [None] * table.num_rows
    rows = zip(told["id"], told["cluster"], told[score], told.get(vector, nothing), strict=True)
    scores = [
        ItemScore(item, value, cluster=cluster, sums=tuple(sums or ()))
        for item, cluster, value, sums in rows
    ]
    return Columns(
        ids=told["id"],
        scores=scores,
        likelihoods=[tuple(each or ()) for each in told["loglikelihoods"]],
        targets=told["target"],
        answers=_answers(told),
        rows={item: place for place, item in enumerate(told["id"])},
    )


def _answers(told: dict[str, list[Any]]) -> list[Any]:
    """What was answered: a choice, else the text; None where the metric reads no answer."""
    triples = zip(told["prediction"], told["extracted"], told["output"], strict=True)
    return [
        choice if choice is not None else (said if said is not None else output)
        for choice, said, output in triples
    ]


# Comparing -------------------------------------------------------------------------------------


def _pair(
    benchmark: Benchmark,
    first: Evaluation,
    second: Evaluation,
    metric: dict[str, Any],
    read: Read,
) -> dict[str, Any]:
    left, right = (read(each, metric["name"]) for each in (first, second))
    try:
        scores = _common(left, right) if _in_part(benchmark, first, second) else (
            left.scores, right.scores
        )  # fmt: skip
        pairs = pair_items(*scores, METRICS[metric["name"]])
        found = _difference(pairs, metric)
    except PairingError as error:
        raise Unpairable(error.code) from error
    places = [(left.rows[item], right.rows[item]) for item in pairs.ids]
    kinds = _kinds(pairs, metric)
    ahead = [(_margin(left, a), _margin(right, b)) for a, b in places]
    return found | {
        "of": benchmark.item_count,
        "test": _test(*scores, metric),
        "overlap": _overlap(pairs, metric),
        "agreement": _agreement(places, left, right),
        "scatter": _scatter(pairs, metric, kinds, ahead),
        "examples": _examples(benchmark, pairs, places, kinds, ahead),
    }


def _test(
    left: Sequence[ItemScore], right: Sequence[ItemScore], metric: dict[str, Any]
) -> dict[str, Any]:
    """Which side is ahead, and the two-sided p-value, as leaderboards test a pair."""
    is_mean = METRICS[metric["name"]].kind is Kind.MEAN
    first, second = (
        {item.item_id: (item.score or 0.0) if is_mean else item.sums for item in side}
        for side in (left, right)
    )
    clusters = {item.item_id: item.cluster for item in left if item.cluster is not None}
    lead, p_value = paired_test(
        first,
        second,
        metric=metric["name"],
        direction=Direction(metric["direction"]),
        target=metric["target"],
        clusters=clusters if len(clusters) == len(left) else None,
    )
    return {"leader": SECOND if lead > 0 else FIRST if lead < 0 else "", "p": p_value}


def _in_part(benchmark: Benchmark, *sides: Evaluation) -> bool:
    return any(side.item_count != benchmark.item_count for side in sides)


def _common(left: Columns, right: Columns) -> tuple[list[ItemScore], list[ItemScore]]:
    """The scores of the items that both have. Raises: Unpairable when there are none."""
    shared = left.rows.keys() & right.rows.keys()
    if not shared:
        raise Unpairable("nothing_shared")
    one, other = (
        [score for score in side.scores if score.item_id in shared] for side in (left, right)
    )
    return one, other


def _difference(pairs: Paired, metric: dict[str, Any]) -> dict[str, Any]:
    measured, direction = METRICS[metric["name"]], Direction(metric["direction"])
    rule = Rule(
        margin=1.0,  # none is judged here: the label does not look at it
        alpha=ALPHA,
        direction=direction,
        target=metric["target"],
        metric=metric["name"],
    )
    if measured.kind is Kind.CORPUS and pairs.n > RESAMPLED_LIMIT:
        return _by_delta_method(pairs, metric)
    told = weigh(pairs, rule)
    delta, lower, upper = told.delta, told.lower, told.upper
    if direction is Direction.LOWER:  # as measured: the second minus the first
        delta, lower, upper = -delta, -upper, -lower  # type: ignore[operator]
    sides = {Label.IMPROVED: SECOND, Label.REGRESSED: FIRST}
    better = sides.get(told.label, "") if told.label else ""
    test = None
    if measured.binary and told.gains is not None and told.losses is not None:
        exact = mcnemar(told.gains, told.losses)
        test = {"two_sided": exact.two_sided, "mid_p": exact.mid_p}
    return {
        "n": told.n,
        "first": told.base_score,
        "second": told.candidate_score,
        "delta": delta,
        "lower": lower,
        "upper": upper,
        "better": better,
        "method": told.method,
        "p_value": told.parameters.get("p_value"),
        "gains": told.gains,
        "losses": told.losses,
        "mcnemar": test,
    }


def _by_delta_method(pairs: Paired, metric: dict[str, Any]) -> dict[str, Any]:
    """The difference of a corpus metric over too many items to resample while somebody waits."""
    measured = METRICS[metric["name"]]
    sides = (pairs.base_sums, pairs.candidate_sums)
    first, second = (float(measured.value(sums.sum(axis=0))) for sums in sides)
    moved = influences(measured, pairs.candidate_sums) - influences(measured, pairs.base_sums)
    spread = (
        paired_estimate(moved)
        if pairs.clusters is None
        else clustered_estimate(moved, pairs.clusters)
    ).interval(ALPHA)
    delta = second - first
    lower, upper = delta + spread.lower - spread.delta, delta + spread.upper - spread.delta
    sign = sign_of(Direction(metric["direction"])) if metric["target"] is None else 0.0
    apart = sign * (1.0 if lower > 0 else -1.0 if upper < 0 else 0.0)
    return {
        "n": pairs.n,
        "first": first,
        "second": second,
        "delta": delta,
        "lower": lower,
        "upper": upper,
        "better": SECOND if apart > 0 else FIRST if apart < 0 else "",
        "method": "delta_method",
        "p_value": None,
        "gains": None,
        "losses": None,
        "mcnemar": None,
    }


def _overlap(pairs: Paired, metric: dict[str, Any]) -> dict[str, int] | None:
    """On how many items both, one, the other and neither are right."""
    if not _is_right_or_wrong(pairs, metric):
        return None
    table = overlap(pairs.base.tolist(), pairs.candidate.tolist())
    return {
        BOTH: table.both,
        FIRST: table.only_base,
        SECOND: table.only_candidate,
        NEITHER: table.neither,
    }


def _counts(kinds: Sequence[str]) -> dict[str, int]:
    found = Counter(kinds)
    return {kind: found[kind] for kind in KINDS}


def _is_right_or_wrong(pairs: Paired, metric: dict[str, Any]) -> bool:
    if not METRICS[metric["name"]].binary:
        return False
    both = np.concatenate((pairs.base, pairs.candidate))
    return bool(((both == 0.0) | (both == 1.0)).all())


def _agreement(
    places: Sequence[tuple[int, int]], left: Columns, right: Columns
) -> dict[str, Any] | None:
    """How often the answers are equal, and Cohen's kappa; None where there are no answers."""
    one = [left.answers[a] for a, _b in places]
    other = [right.answers[b] for _a, b in places]
    if any(answer is None for answer in (*one, *other)):
        return None
    found = agreement(one, other)
    return {"n": found.n, "share": found.share, "kappa": found.kappa}


def _kinds(pairs: Paired, metric: dict[str, Any]) -> list[str]:
    """Of every item who did it right: one, the other, both, neither; of other scores who did it
    better, or `both` where they are equal."""
    if _is_right_or_wrong(pairs, metric):
        ways = {(True, False): FIRST, (False, True): SECOND, (True, True): BOTH}
        told = zip(pairs.base > 0.5, pairs.candidate > 0.5, strict=True)
        return [ways.get((bool(a), bool(b)), NEITHER) for a, b in told]
    sign = -1.0 if metric["direction"] == "lower" else 1.0
    values = sign * (_own(pairs, metric, "candidate") - _own(pairs, metric, "base"))
    return [SECOND if v > 0 else FIRST if v < 0 else BOTH for v in np.nan_to_num(values)]


def _own(pairs: Paired, metric: dict[str, Any], side: str) -> NDArray[np.float64]:
    """Every item's own value: its score, or that of its vector alone."""
    values: NDArray[np.float64] = getattr(pairs, side)
    sums = getattr(pairs, f"{side}_sums")
    if sums.size and not np.isfinite(values).all():
        values = np.asarray(METRICS[metric["name"]].value(sums), dtype=np.float64)
    return values


def _scatter(
    pairs: Paired, metric: dict[str, Any], kinds: Sequence[str], ahead: Sequence[Margins]
) -> dict[str, Any] | None:
    """A point an item: how far the right choice is ahead, else the item's own value. Of many
    items those whose hashes come first are drawn: a random sample, the same every time."""
    by_margin = all(x is not None and y is not None for x, y in ahead)
    if by_margin:
        points = [(float(x or 0.0), float(y or 0.0)) for x, y in ahead]
    elif _is_right_or_wrong(pairs, metric):
        return None  # four places: the table of right and wrong says it all
    else:
        values = (_own(pairs, metric, side) for side in ("base", "candidate"))
        points = [(float(x), float(y)) for x, y in zip(*values, strict=True)]
    drawn = range(len(points))[:POINTS_DRAWN]  # ids are hashes, and pairs come in their order
    return {
        "by": "margin" if by_margin else "score",
        "n": len(points),
        "points": [
            [round(points[i][0], 5), round(points[i][1], 5), kinds[i], pairs.ids[i][:8]]
            for i in drawn
        ],
    }


def _margin(columns: Columns, row: int) -> float | None:
    return margin_of(columns.targets[row], columns.likelihoods[row])


def _examples(
    benchmark: Benchmark,
    pairs: Paired,
    places: Sequence[tuple[int, int]],
    kinds: Sequence[str],
    ahead: Sequence[Margins],
) -> dict[str, Any]:
    """Places of items by kind, [row in the first, in the second, in the questions], those with
    the largest difference first; and how many there are of each."""
    asked = {item: row for row, item in enumerate(question_columns(benchmark, ["id"])["id"])}
    gaps = [_gap(margins, pairs, i) for i, margins in enumerate(ahead)]
    found: dict[str, Any] = {"counts": _counts(kinds)}
    for kind in KINDS:
        own = [i for i, each in enumerate(kinds) if each == kind]
        own.sort(key=lambda i: (-gaps[i], pairs.ids[i]))
        found[kind] = [[*places[i], asked.get(pairs.ids[i], -1)] for i in own[:EXAMPLES_KEPT]]
    return found


def _gap(margins: Margins, pairs: Paired, i: int) -> float:
    """How differently two models did one item."""
    one, other = margins
    if one is not None and other is not None:
        return abs(one - other)
    gap = abs(float(pairs.base[i]) - float(pairs.candidate[i]))
    return gap if np.isfinite(gap) else 0.0


def _calibration(evaluation: Evaluation) -> dict[str, Any] | None:
    names = ["prediction", "target", "loglikelihoods"]
    if not evaluation.items_sha256:
        return None
    try:
        with open_table(evaluation.repository.blobs(), evaluation.items_sha256) as file:
            told = {name: c.to_pylist() for name, c in zip(names, file.read(names), strict=True)}
    except EntryNotFoundError:
        return None
    sure, right = [], []
    for taken, target, found in zip(*told.values(), strict=True):
        if taken is None or target is None or len(found or ()) < 2 or taken >= len(found):
            return None
        powers = np.exp(np.asarray(found, dtype=np.float64) - max(found))
        sure.append(float(powers[taken] / powers.sum()))
        right.append(float(taken == target))
    if not sure:
        return None
    rows = [
        {"low": each.low, "high": each.high, "n": each.n, "confidence": each.confidence,
         "accuracy": each.accuracy}
        for each in bins(sure, right)
    ]  # fmt: skip
    return {"n": len(sure), "ece": ece(sure, right), "bins": rows}
