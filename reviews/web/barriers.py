"""The loss on the line between two models, as a small drawing and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, EDGE = 240, 72, 8


@dataclass(frozen=True)
class Line:
    """`points` are (share of the proposal, loss, x, y); `path` joins them, `chord` their ends."""

    label: str
    unit: str
    barrier: float
    points: Sequence[tuple[float, float, float, float]]
    path: str
    chord: str
    width: int = WIDTH
    height: int = HEIGHT


def drawn(label: str, unit: str, losses: Mapping[float, float], barrier: float) -> Line:
    """The drawing of a line whose ends are known."""
    lowest, highest = min(losses.values()), max(losses.values())
    reach = (highest - lowest) or 1.0
    points = [
        (
            alpha,
            loss,
            round(EDGE + alpha * (WIDTH - 2 * EDGE), 1),
            round(HEIGHT - EDGE - (loss - lowest) / reach * (HEIGHT - 2 * EDGE), 1),
        )
        for alpha, loss in sorted(losses.items())
    ]
    places = [f"{x},{y}" for _alpha, _loss, x, y in points]
    return Line(label, unit, barrier, points, " ".join(places), f"{places[0]} {places[-1]}")
