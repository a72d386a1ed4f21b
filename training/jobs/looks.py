"""Deciding while the items come: what each benchmark says at every look (gate-methods, section 5).

A benchmark that has passed or failed at a look needs no more items; one failure decides the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.jobs.items import scores_of
from training.jobs.scoring import Asked, Decision, Look
from training.specs.gate import GateBenchmark, GateConfig
from training.statistics import looks
from training.statistics.comparison import Comparison, compare
from training.statistics.verdicts import Verdict

# With fewer items a look says next to nothing, and the t interval is not to be trusted.
ITEMS_AT_FIRST_LOOK = 50


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
    """The group-sequential test of a gate over all its benchmarks."""

    def __init__(
        self,
        gate: GateConfig,
        asked: Sequence[Asked],
        *,
        alpha: float,
        excluded: dict[str, frozenset[str]],
    ) -> None:
        self.gate, self.asked = gate, {each.key: each for each in asked}
        self.wanted = {e.key: w for e, w in zip(asked, gate.benchmarks, strict=True)}
        self.alpha, self.excluded = alpha, excluded
        self.shares = _shares(gate.looks, [each.count for each in asked])
        self.critical = looks.boundaries(self.shares, alpha, gate.spending)
        self.weighed: dict[str, Weighed] = {}
        self.history: list[dict[str, Any]] = []

    @property
    def stages(self) -> list[dict[str, int]]:
        """By look, how many items of each benchmark's order it looks at."""
        counts = {key: looks.counts(e.count, self.shares) for key, e in self.asked.items()}
        return [{key: counts[key][number] for key in counts} for number in range(len(self.shares))]

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

    def _is_settled(self, key: str) -> bool:
        found = self.weighed.get(key)
        return found is not None and found.comparison.verdict is not Verdict.INCONCLUSIVE

    def _weigh(self, key: str, look: Look) -> Weighed:
        asked, wanted = self.asked[key], self.wanted[key]
        critical = self.critical[look.number - 1]
        out = self.excluded.get(key, frozenset())
        count = self.stages[look.number - 1][key]
        ids = [item.id for item in asked.order[:count] if item.id not in out]
        sides = [
            scores_of((look.items[side, key][item_id] for item_id in ids), asked.pinned.metric)
            for side in ("base", "candidate")
        ]
        rule = asked.pinned.rule(wanted, alpha=looks.level(critical), final=look.last)
        comparison = compare(*sides, rule)
        return Weighed(asked, wanted, comparison, look.number, critical, count - len(ids))

    def _told(self, number: int) -> dict[str, Any]:
        """This look for the record: everything its verdicts were made of."""
        return {
            "number": number,
            "of": len(self.shares),
            "share": self.shares[number - 1],
            "critical": self.critical[number - 1],
            "alpha": looks.level(self.critical[number - 1]),
            "benchmarks": {
                key: {
                    "verdict": each.comparison.verdict.value,
                    "n": each.comparison.n,
                    "delta": each.comparison.delta,
                    "lower": each.comparison.lower,
                    "upper": each.comparison.upper,
                }
                for key, each in self.weighed.items()
                if each.look == number
            },
        }


def _shares(wanted: Sequence[float], counts: Sequence[int]) -> list[float]:
    """The looks' shares, without those at which some benchmark would have too few items."""
    least = min(counts)
    kept = [share for share in wanted if share == 1.0 or share * least >= ITEMS_AT_FIRST_LOOK]
    return kept or [1.0]
