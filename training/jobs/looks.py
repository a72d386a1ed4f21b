"""Deciding while the items come: what each benchmark says at every look (gate-methods, section 5).

A benchmark that has passed or failed at a look needs no more items; one failure decides the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from training.jobs.items import scores_of
from training.jobs.scoring import Asked, Decision, Look
from training.specs.gate import GateBenchmark, GateConfig
from training.statistics import looks
from training.statistics.comparison import MINIMUM_ITEMS, Comparison, compare
from training.statistics.verdicts import Verdict


@dataclass(frozen=True)
class Weighed:
    """One benchmark at its last look: what it says, at which look, of how many items."""

    asked: Asked
    wanted: GateBenchmark
    comparison: Comparison
    look: int
    critical: float
    excluded: int


class Sequential:
    """The group-sequential test of a gate over all its benchmarks.

    Contaminated items are left out of both sides: a look counts the others, in the gate's order.
    """

    def __init__(
        self,
        gate: GateConfig,
        asked: Sequence[Asked],
        *,
        alpha: float,
        excluded: Mapping[str, frozenset[str]],
    ) -> None:
        self.asked = {each.key: each for each in asked}
        self.wanted = {e.key: w for e, w in zip(asked, gate.benchmarks, strict=True)}
        self.excluded = dict(excluded)
        self.clean = {each.key: self._clean(each) for each in asked}
        self.plans = {
            key: looks.plan(
                max(1, len(places)),
                # As planned: how many looks there are tells nobody how many items were found.
                shares_of(gate.looks, self.asked[key].count),
                alpha=alpha,
                spending=gate.spending,
            )
            for key, places in self.clean.items()
        }
        self.weighed: dict[str, Weighed] = {}
        self.history: list[dict[str, Any]] = []

    def _clean(self, asked: Asked) -> list[int]:
        """The places in the order whose items count."""
        out = self.excluded.get(asked.key, frozenset())
        return [n for n, item in enumerate(asked.order[: asked.count]) if item.id not in out]

    @property
    def stages(self) -> list[dict[str, int]]:
        """By look, how many items of each benchmark's order it needs."""
        return [
            {key: self._needs(key, number) for key in self.asked}
            for number in range(max(map(len, self.plans.values())))
        ]

    def _needs(self, key: str, number: int) -> int:
        plan, places = self.plans[key], self.clean[key]
        count = plan[min(number, len(plan) - 1)].count
        return places[count - 1] + 1 if places else 0

    def decide(self, look: Look) -> Decision:
        """Weigh what is still open at this look, and say what needs no more items."""
        for key in self.asked:
            if not self._is_settled(key):
                self.weighed[key] = self._weigh(key, look)
        self.history.append(self._told(look.number))
        settled = frozenset(key for key in self.asked if self._is_settled(key))
        failed = any(
            each.comparison.verdict in (Verdict.FAIL, Verdict.ERROR)
            for each in self.weighed.values()
        )
        return Decision(settled, is_final=failed or look.last or len(settled) == len(self.asked))

    def results(self) -> list[Weighed]:
        """What every benchmark said last, in the order of the rule."""
        return [self.weighed[key] for key in self.asked]

    def counted(self, key: str) -> list[str]:
        """The ids that a benchmark's last word was made of, in the gate's order."""
        return self._ids(key, self.weighed[key].look)

    def _ids(self, key: str, number: int) -> list[str]:
        plan = self.plans[key]
        count = plan[min(number, len(plan)) - 1].count
        order = self.asked[key].order
        return [order[place].id for place in self.clean[key][:count]]

    def _is_settled(self, key: str) -> bool:
        found = self.weighed.get(key)
        return found is not None and found.comparison.verdict is not Verdict.INCONCLUSIVE

    def _weigh(self, key: str, look: Look) -> Weighed:
        asked, wanted, plan = self.asked[key], self.wanted[key], self.plans[key]
        planned = plan[min(look.number, len(plan)) - 1]
        ids = self._ids(key, look.number)
        base, candidate = (
            scores_of((look.items[side, key][item_id] for item_id in ids), asked.pinned.metric)
            for side in ("base", "candidate")
        )
        rule = asked.pinned.rule(wanted, alpha=planned.alpha, final=look.last)
        excluded = self._needs(key, look.number - 1) - len(ids)
        comparison = compare(base, candidate, rule)
        return Weighed(asked, wanted, comparison, look.number, planned.boundary, excluded)

    def _told(self, number: int) -> dict[str, Any]:
        """This look for the record: everything its verdicts were made of."""
        return {
            "number": number,
            "of": len(self.stages),
            "benchmarks": {
                key: {
                    "verdict": each.comparison.verdict.value,
                    "n": each.comparison.n,
                    "critical": each.critical,
                    "alpha": each.comparison.alpha,
                    "delta": each.comparison.delta,
                    "lower": each.comparison.lower,
                    "upper": each.comparison.upper,
                }
                for key, each in self.weighed.items()
                if each.look == number
            },
        }


def shares_of(wanted: Sequence[float], count: int) -> list[float]:
    """The shares at which a benchmark of so many items is looked at, of those that a rule wants.

    A look at fewer items than a verdict needs could decide nothing, and would spend error.
    """
    kept = [
        share for share in wanted if share == 1.0 or ceil(share * count - 1e-9) >= MINIMUM_ITEMS
    ]
    return kept or [1.0]
