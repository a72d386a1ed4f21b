"""The marks of one item: a score by metric, and vectors to sum by those that are no mean."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Marks:
    """`metrics` is what a person reads of the item; `sums` is what a benchmark's value is made of.

    The vectors are those that training.statistics.formulas describes.
    """

    metrics: dict[str, float | None] = field(default_factory=dict)
    sums: dict[str, list[float]] = field(default_factory=dict)

    @classmethod
    def unknown(cls, names: Iterable[str]) -> "Marks":
        """Of an item whose numbers are not finite."""
        return cls(dict.fromkeys(names))

    def add(self, name: str, score: float | None, sums: list[float] | None = None) -> None:
        self.metrics[name] = score
        if sums is not None:
            self.sums[name] = sums
