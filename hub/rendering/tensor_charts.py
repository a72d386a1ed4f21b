"""Where the marks of a tensor's charts stand: overlaid histograms and the spectrum of a change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hub.rendering.charts import Tick

HEIGHT = 120


@dataclass(frozen=True)
class Histograms:
    """`areas` are polygons' points, one a series, in a box of 100 by HEIGHT; all on one scale."""

    areas: tuple[str, ...]
    ticks: tuple[Tick, ...]


def histograms(series: Sequence[Sequence[int]], low: float, high: float) -> Histograms:
    """Counts of equal bins from `low` to `high` as steps, the highest bin of all at the top.

    Heights grow with the square root of the count, so that tails can be seen.
    """
    largest = max((count for counts in series for count in counts), default=0) or 1
    middle = (low + high) / 2
    ticks = (Tick(low, 0.0), Tick(middle, 50.0), Tick(high, 100.0))
    return Histograms(tuple(_steps(counts, largest) for counts in series), ticks)


def _steps(counts: Sequence[int], largest: int) -> str:
    width = 100 / max(1, len(counts))
    points = [(0.0, float(HEIGHT))]
    for index, count in enumerate(counts):
        top = HEIGHT * (1 - math.sqrt(count / largest))
        points += [(index * width, top), ((index + 1) * width, top)]
    points.append((100.0, float(HEIGHT)))
    return " ".join(f"{x:.2f},{y:.1f}" for x, y in points)


@dataclass(frozen=True)
class Spectrum:
    """Singular values as points (per cent, height), on a scale of powers of ten."""

    points: tuple[tuple[float, float], ...]
    path: str
    edge: float | None
    ticks: tuple[Tick, ...]

    @property
    def noise_height(self) -> float:
        return round(HEIGHT - (self.edge or 0.0), 1)


def spectrum(sigma: Sequence[float], edge: float | None) -> Spectrum | None:
    """The positive ones of `sigma`, the largest first; `edge` is where rounding noise begins."""
    values = [value for value in sigma if value > 0]
    if not values:
        return None
    shown = [*values, edge] if edge else values
    top = math.ceil(math.log10(max(shown)) + 1e-9)
    bottom = min(math.floor(math.log10(max(min(shown), max(shown) * 1e-9))), top - 1)

    def place(value: float) -> float:
        share = (math.log10(max(value, 10.0**bottom)) - bottom) / (top - bottom)
        return round(HEIGHT * (1 - share), 1)

    step = 100 / max(1, len(values) - 1)
    points = tuple((round(index * step, 2), place(value)) for index, value in enumerate(values))
    every = max(1, (top - bottom) // 4)
    ticks = tuple(Tick(10.0**power, place(10.0**power)) for power in range(bottom, top + 1, every))
    path = " ".join(f"{x},{y}" for x, y in points)
    return Spectrum(points, path, place(edge) if edge else None, ticks)
