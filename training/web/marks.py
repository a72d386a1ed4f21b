"""Where the marks of a column of intervals stand, in per cent of its width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.rendering.charts import Tick, ticks

_EDGE = 2.0


@dataclass(frozen=True)
class Mark:
    """One score: its point, and the ends of its interval or None."""

    point: float
    left: float | None
    right: float | None


@dataclass(frozen=True)
class Scale:
    """A common scale of scores, `low` to `high`."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Sequence[float | None]) -> Scale:
        """The scale that holds all of `values`, with some air on both sides."""
        known = [value for value in values if value is not None]
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        air = 0.04 * (high - low) or max(0.05 * abs(high), 0.01)
        return cls(low - air, high + air)

    def place(self, value: float) -> float:
        """Per cent from the left."""
        share = (value - self.low) / (self.high - self.low)
        return round(_EDGE + (100 - 2 * _EDGE) * min(1.0, max(0.0, share)), 2)

    def mark(self, value: float | None, lower: float | None, upper: float | None) -> Mark | None:
        if value is None:
            return None
        left = None if lower is None else self.place(lower)
        right = None if upper is None else self.place(upper)
        return Mark(self.place(value), left, right)

    def ticks(self, most: int = 5, *, factor: float = 1.0) -> list[Tick]:
        """Round values along the scale, as they are shown: times `factor`."""
        found = ticks(self.low * factor, self.high * factor, most)
        return [Tick(value, self.place(value / factor)) for value in found]
