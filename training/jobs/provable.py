"""What so many items of a benchmark can prove under a rule: the one answer for everybody.

The editor promises it, saving refuses what it forbids, and a weighing holds a rule that came
without the editor to the same (gate-methods, section 4). It is a property of the rule, looks
included, at the level of a proposal's first attempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from typing import Any

from hub.errors import BadInputError
from training.jobs.benchmarks import PinnedBenchmark
from training.jobs.looks import shares_of
from training.specs.gate import GateBenchmark, GateConfig
from training.statistics import planning
from training.statistics.comparison import MINIMUM_CLUSTERS, MINIMUM_ITEMS
from training.statistics.metrics import METRICS, Kind, Metric
from training.statistics.planning import Plan
from training.statistics.verdicts import Direction

MOST_DOUBLINGS = 20


@dataclass(frozen=True)
class Items:
    """How many items of a benchmark are asked, and in how many clusters; None: in none."""

    n: int
    clusters: int | None = None


@dataclass(frozen=True)
class Provable:
    """The smallest margin that the items prove, the items that a margin needs (never fewer than a
    gate takes), the chance that an
    equal model passes; each None where it is not known, or where there is none. `problem` says why
    nothing can be decided."""

    margin: float | None = None
    needed: int | None = None
    chance: float | None = None
    problem: str = ""


def provable(
    pinned: PinnedBenchmark,
    wanted: GateBenchmark,
    items: Items,
    margin: float | None,
    *,
    gate: GateConfig,
    alpha: float,
) -> Provable:
    """What the items prove. `margin` is absolute, in score units; None while it is not known."""
    if items.n < MINIMUM_ITEMS:
        few = f"{wanted.reference} has {items.n} items and cannot decide: it needs at least "
        return Provable(chance=0.0, problem=f"{few}{MINIMUM_ITEMS} items.")
    problem = _out_of_range(wanted, METRICS[pinned.metric], margin)
    expected = expectation(pinned, wanted)
    if expected is None:
        return Provable(problem=problem)
    how: dict[str, Any] = {
        "alpha": alpha, "shares": tuple(shares_of(gate.looks, items.n)), "spending": gate.spending,
        "two_sided": pinned.measured.direction is Direction.TARGET, **expected,
    }  # fmt: skip
    smallest = planning.plan(items.n, power=gate.power, clusters=items.clusters, **how)
    least = smallest if isfinite(smallest) else None
    if margin is None:
        return Provable(least, problem=problem)
    enough = _needed(margin, items, gate.power, how)
    enough = None if enough is None else max(enough, _fewest(items))
    chance = Plan(clusters=items.clusters, **how).chance_of_passing(items.n, margin)
    if not problem and margin < smallest:
        problem = _undecidable(wanted, items.n, margin, least, enough)
    return Provable(least, enough, chance, problem)


def require_provable(found: Provable) -> None:
    """Refuse a rule that its items cannot decide. Raises: BadInputError."""
    if found.problem:
        raise BadInputError(found.problem)


def expectation(pinned: PinnedBenchmark, wanted: GateBenchmark) -> dict[str, float | None] | None:
    """What is expected of one item's difference, as `planning` takes it; None if nothing is.

    Right/wrong items differ on a share of them. Other shares between 0 and 1 vary no more than
    right/wrong ones would. Of all other scores somebody has to say how much they vary.
    """
    if wanted.spread is not None:
        return {"discordance": None, "spread": wanted.spread}
    metric = METRICS[pinned.metric]
    if metric.binary:
        return {"discordance": wanted.discordance}
    if metric.kind is Kind.MEAN and metric.unit == "share":
        return {"discordance": None, "spread": sqrt(wanted.discordance)}
    return None


def widest(metric: Metric) -> float | None:
    """The most that a score can get worse by; None where there is no end to it.

    A score with a target lies in the middle of its range when it is best.
    """
    if metric.spread is None or metric.target is None:
        return metric.spread
    return metric.spread / 2


def _out_of_range(wanted: GateBenchmark, metric: Metric, margin: float | None) -> str:
    most = widest(metric)
    if margin is None or most is None or margin < most:
        return ""
    return (
        f"{wanted.reference} cannot decide a margin of {margin:g}: {metric.name} cannot get worse "
        f"by more than {most:g}, so that any loss would pass. Write a smaller one; 0.02 of an "
        "accuracy is 2 points."
    )


def _undecidable(
    wanted: GateBenchmark, n: int, margin: float, least: float | None, enough: int | None
) -> str:
    """Why the items cannot prove the margin, with what would be enough."""
    ways = [f"{enough} items"] if enough else []
    if least is not None:
        ways.append(f"a margin of at least {ceil(least * 1000) / 1000:g}")
    told = f"{wanted.reference} cannot decide a margin of {margin:g} with {n} items"
    return f"{told}: it needs {', or '.join(ways)}." if ways else f"{told}."


def _fewest(items: Items) -> int:
    """The fewest items that a gate takes at all (gate-methods, section 2)."""
    if not items.clusters:
        return MINIMUM_ITEMS
    return max(MINIMUM_ITEMS, ceil(MINIMUM_CLUSTERS * items.n / items.clusters))


def _needed(margin: float, items: Items, power: float, how: dict[str, Any]) -> int | None:
    """The items that a margin needs. More items of a clustered benchmark are more clusters."""
    if items.clusters is None:
        return planning.needed(margin, power=power, **how)

    def proves(n: int) -> bool:
        clusters = max(2, round(n * (items.clusters or 0) / items.n))
        return planning.plan(n, power=power, clusters=clusters, **how) <= margin

    low, high = 1, MINIMUM_ITEMS
    for _doubling in range(MOST_DOUBLINGS):
        if proves(high):
            break
        low, high = high, 2 * high
    else:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proves(middle) else (middle, high)
    return high
