"""The power calculator: what a rule can show with the items that there are (gate-methods 4 to 6).

Every number is a promise about the rule as a whole, looks included: how small a loss so many
items can rule out, how many items a margin needs, how often an equally good model passes, and how
long it takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf, prod, sqrt
from typing import Any

from django.core.cache import cache

from hub.errors import BadInputError, HubError
from hub.models import Repository
from hub.policies import Actor
from training.actions.pinning import pin_benchmark
from training.jobs.benchmarks import PinnedBenchmark
from training.jobs.disclosure import readable_benchmarks, told_score
from training.jobs.looks import shares_of
from training.jobs.provable import Items, provable
from training.models import Benchmark, Evaluation, GateRecord
from training.specs.gate import GateBenchmark, GateConfig
from training.statistics.comparison import MINIMUM_ITEMS
from training.statistics.looks import strict_alpha

COUNT_LIMIT_BYTES = 64 * 1024**2
RECORDS_LOOKED_AT = 30
EVALUATIONS_LOOKED_AT = 500
_KEPT_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True)
class Observed:
    """How much two versions of this model differed on a benchmark, in an earlier verdict.

    `discordance` of right/wrong items, else `spread`, the standard deviation of one difference.
    """

    pull_request_number: int
    n: int
    discordance: float | None = None
    spread: float | None = None


@dataclass(frozen=True)
class BenchmarkPower:
    """What one benchmark of a rule can show.

    `n` of its `items` would be asked. `margin` is absolute, in score units; None for a share of a
    base score that nobody has measured. `provable` is the smallest margin that n items prove at
    the rule's power, `needed` the items for `margin`, `chance` that an equal model passes. They
    are None where the expected difference is not known. `problem` says why it cannot be asked, or
    cannot decide. `seconds` is what one side takes.
    """

    wanted: GateBenchmark
    pinned: PinnedBenchmark | None = None
    items: int | None = None
    clusters: int | None = None
    margin: float | None = None
    is_own_margin: bool = False
    provable: float | None = None
    needed: int | None = None
    chance: float | None = None
    problem: str = ""
    observed: Observed | None = None
    base_score: float | None = None
    seconds: float | None = None

    @property
    def n(self) -> int | None:
        if self.items is None or self.wanted.limit is None:
            return self.items
        return min(self.items, self.wanted.limit)

    @property
    def unit(self) -> str:
        return self.pinned.measured.unit if self.pinned else "share"

    @property
    def label(self) -> str:
        return self.pinned.label if self.pinned else str(self.wanted.reference)


@dataclass(frozen=True)
class RulePower:
    """What the whole rule can show. `alpha` is one-sided, of the first attempt."""

    config: GateConfig
    alpha: float
    shares: tuple[float, ...]
    benchmarks: list[BenchmarkPower] = field(default_factory=list)

    @property
    def chance(self) -> float | None:
        """That an equally good model passes all of them, if they err independently."""
        known = [each.chance for each in self.benchmarks if each.chance is not None]
        return prod(known) if len(known) == len(self.benchmarks) and known else None

    @property
    def seconds(self) -> float | None:
        """What one side takes."""
        known = [each.seconds for each in self.benchmarks if each.seconds is not None]
        return sum(known) if len(known) == len(self.benchmarks) and known else None

    @property
    def problems(self) -> list[str]:
        return [each.problem for each in self.benchmarks if each.problem]


def power_of(
    repository: Repository, config: GateConfig, actor: Actor, *, is_protected: bool
) -> RulePower:
    """What the rule `config` of `repository` can show, asked by somebody who may set it."""
    level = config.level(is_protected=is_protected)
    alpha = strict_alpha(level, 1) if config.strict else level
    known = Known(repository, actor)
    found = [_asked(repository, wanted, actor, known) for wanted in config.benchmarks]
    shares = [tuple(shares_of(config.looks, each.n)) for each in found if each.n]
    return RulePower(
        config,
        alpha,
        max(shares, key=len, default=(1.0,)),
        [_planned(each, config, alpha) for each in found],
    )


def require_decided(power: RulePower) -> None:
    """Refuse a rule that cannot be asked or cannot decide. Raises: BadInputError."""
    if power.problems:
        raise BadInputError(" ".join(power.problems))


def _asked(
    repository: Repository, wanted: GateBenchmark, actor: Actor, known: Known
) -> BenchmarkPower:
    """The benchmark as it is now: its items, its margin, what is known of it."""
    try:
        pinned, _inputs = pin_benchmark(
            wanted.reference, actor, metric=wanted.metric, named_by=repository
        )
    except HubError as error:
        return BenchmarkPower(wanted, problem=str(error))
    if not pinned.definition.metrics:
        return BenchmarkPower(wanted, pinned, problem=f"{wanted.reference} has no metric to gate.")
    margin, score = pinned.margin(wanted), known.score(pinned)
    absolute = None if margin.relative and score is None else margin.value
    if margin.relative and score is not None:
        absolute = margin.value * abs(score)
    counted = _count(pinned)
    found = BenchmarkPower(
        wanted=wanted,
        pinned=pinned,
        items=counted.n if counted else None,
        clusters=counted.clusters if counted else None,
        margin=absolute or None,
        is_own_margin=wanted.margin is None,
        observed=known.observed(wanted, pinned.measured.name),
        base_score=score,
    )
    pace = known.pace(pinned)
    return replace(found, seconds=pace * found.n if pace and found.n else None)


def count_items(pinned: PinnedBenchmark) -> int | None:
    """How many items a benchmark has; None for a file too large to be read for that alone."""
    counted = _count(pinned)
    return None if counted is None else counted.n


def _count(pinned: PinnedBenchmark) -> Items | None:
    row = Benchmark.objects.filter(digest=pinned.digest)
    if (count := row.values_list("item_count", "cluster_count").first()) is not None:
        return Items(*count)
    name = f"benchmark-counts:{pinned.digest}"
    kept: tuple[int, int | None] | None = cache.get(name)
    if kept is None and pinned.items_file.size_bytes <= COUNT_LIMIT_BYTES:
        items = pinned.items()
        clusters = {item.cluster for item in items} - {None}
        kept = len(items), len(clusters) or None
        cache.set(name, kept, _KEPT_SECONDS)
    return None if kept is None else Items(*kept)


def _planned(found: BenchmarkPower, config: GateConfig, alpha: float) -> BenchmarkPower:
    """`found` with what its items prove under the rule's looks."""
    n, pinned = found.n, found.pinned
    if found.problem or n is None or pinned is None:
        return found
    items = Items(n, found.clusters if n == found.items else None)
    told = provable(pinned, found.wanted, items, found.margin, gate=config, alpha=alpha)
    return replace(
        found,
        provable=told.margin,
        needed=told.needed,
        chance=told.chance,
        problem=told.problem,
    )


class Known:
    """What earlier runs of one model tell `actor` about benchmarks: read once for a whole rule."""

    def __init__(self, repository: Repository, actor: Actor) -> None:
        self.repository, self.actor = repository, actor

    @cached_property
    def _evaluations(self) -> list[Evaluation]:
        rows = Evaluation.objects.verified().filter(repository=self.repository.pk)
        rows = rows.select_related("benchmark").defer("benchmark__spec")
        return list(rows.order_by("-pk")[:EVALUATIONS_LOOKED_AT])

    @cached_property
    def _records(self) -> list[GateRecord]:
        rows = GateRecord.objects.filter(repository=self.repository.pk).order_by("-pk")
        return list(rows.only("results", "pull_request_number")[:RECORDS_LOOKED_AT])

    def score(self, pinned: PinnedBenchmark) -> float | None:
        """What the newest measured version scored, as exactly as the reader may know it."""
        for row in self._evaluations:
            if row.benchmark_digest == pinned.digest:
                may_read = row.benchmark_id in readable_benchmarks(
                    self.actor, [row.benchmark], within=self.repository.pk
                )
                value = told_score(row, pinned.metric, may_read=may_read).get("value")
                return None if value is None else float(value)
        return None

    def pace(self, pinned: PinnedBenchmark) -> float | None:
        """Seconds an item takes: on this benchmark, else on answers of its kind."""
        kind = pinned.definition.output_type
        timed = [row for row in self._evaluations if row.seconds and row.item_count]
        same = [row for row in timed if row.benchmark_digest == pinned.digest]
        alike = [row for row in timed if row.benchmark.output_type == kind]
        for row in (*same, *alike):
            return float(row.seconds or 0.0) / row.item_count
        return None

    def observed(self, wanted: GateBenchmark, metric: str) -> Observed | None:
        """How much the sides of the newest verdict on this benchmark differed."""
        for record in self._records:
            for result in record.results:
                if _is_same(result, wanted, metric) and (seen := _observed(record, result)):
                    return seen
        return None


def _is_same(result: dict[str, Any], wanted: GateBenchmark, metric: str) -> bool:
    reference = f"{wanted.reference.repo_id}:{wanted.reference.path}".lower()
    named = str(result.get("reference", "")).partition("@")[0].lower()
    return named == reference and result.get("metric") == metric and not result.get("hidden")


def _observed(record: GateRecord, result: dict[str, Any]) -> Observed | None:
    """None where the sides did not differ at all, which says nothing of the next proposal."""
    n = result.get("n") or 0
    error = (result.get("parameters") or {}).get("standard_error") or 0.0
    if n < MINIMUM_ITEMS:
        return None
    number = record.pull_request_number
    if result.get("method") == "tango":
        changed = (result.get("gains") or 0) + (result.get("losses") or 0)
        return Observed(number, n, discordance=round(changed / n, 4)) if changed else None
    spread = error * sqrt(n)
    return Observed(number, n, spread=float(f"{spread:.4g}")) if 0.0 < spread < inf else None
