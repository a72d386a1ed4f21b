"""Where a chart's marks stand. Horizontal places are per cents, so a chart fits every width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

EDGE = 1.5  # per cent kept free on both sides


@dataclass(frozen=True)
class Paired:
    """One benchmark: candidate minus base with its interval, all in one unit; None: not measured.

    `over` is a second strip that is still allowed, far on the better side: where a score that
    should come close to a target overshoots it.
    """

    delta: float | None
    lower: float | None
    upper: float | None
    margin: float
    over: tuple[float, float] | None = None


@dataclass(frozen=True)
class Tick:
    value: float
    at: float


@dataclass(frozen=True)
class Marks:
    """Per cents of the plot's width. `off` names the side on which the estimate lies outside."""

    point: float | None
    whisker: tuple[float, float] | None
    cut_left: bool
    cut_right: bool
    margin: tuple[float, float] | None
    over: tuple[float, float] | None = None

    @property
    def off(self) -> str:
        if self.point is not None and self.point <= EDGE:
            return "left"
        return "right" if self.point is not None and self.point >= 100 - EDGE else ""

    @property
    def margin_width(self) -> float:
        return round(self.margin[1] - self.margin[0], 2) if self.margin else 0

    @property
    def over_width(self) -> float:
        return round(self.over[1] - self.over[0], 2) if self.over else 0


@dataclass(frozen=True)
class Forest:
    ticks: list[Tick]
    zero: float
    rows: list[Marks]


def forest(rows: Sequence[Paired]) -> Forest:
    """The marks of a forest plot on one scale; a lone giant does not flatten the others."""
    low, high = _domain(rows)
    return Forest(
        ticks=[Tick(value, _place(value, low, high)) for value in ticks(low, high, 6)],
        zero=_place(0, low, high),
        rows=[_marks(row, low, high) for row in rows],
    )


def _known(row: Paired) -> list[float]:
    return [value for value in (row.delta, row.lower, row.upper) if value is not None]


def _domain(rows: Sequence[Paired]) -> tuple[float, float]:
    """The values shown: all of them, but no further than three times the usual reach."""
    known = [value for row in rows for value in _known(row)]
    reaches = [max(map(abs, _known(row))) for row in rows if _known(row)]
    margin = max((row.margin for row in rows), default=0)
    cap = max(2.5 * margin, 3 * median(reaches) if reaches else 0) or 1
    low = max(min([*known, -1.25 * margin, 0]), -cap)
    high = min(max([*known, 0.5 * margin, 0]), cap)
    pad = 0.06 * (high - low) or 1
    return low - pad, high + pad


def _place(value: float, low: float, high: float) -> float:
    return round(100 * (value - low) / (high - low), 2)


def _marks(row: Paired, low: float, high: float) -> Marks:
    def held(value: float) -> float:
        return min(max(_place(value, low, high), EDGE), 100 - EDGE)

    known = _known(row)
    edge = (held(-row.margin), _place(0, low, high)) if row.margin else None
    # A strip that begins outside of what is drawn says nothing here.
    over = (held(row.over[0]), held(row.over[1])) if row.over and row.over[0] < high else None
    return Marks(
        point=None if row.delta is None else held(row.delta),
        whisker=(held(min(known)), held(max(known))) if known else None,
        cut_left=bool(known) and min(known) < low,
        cut_right=bool(known) and max(known) > high,
        margin=edge,
        over=over,
    )


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round values between low and high."""
    scale = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (scale * nice for nice in (1, 2, 5, 10, 20, 50)):
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        if last - first < most:
            break
    return [round(index * step, 10) for index in range(first, last + 1)]


@dataclass(frozen=True)
class Score:
    """One version's score with its interval, in the benchmark's own unit; None: not measured."""

    score: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Dot:
    """`x` in per cent, the others in pixels from the top."""

    x: float
    y: float
    top: float
    bottom: float
    labelled: bool
    narrow: bool


@dataclass(frozen=True)
class Versions:
    """`band` and `path` are point lists in a box of 100 by `height`; `ideal` is the height of the
    score that would be best, where it is neither the highest nor the lowest."""

    ticks: list[Tick]
    dots: list[Dot | None]
    band: str
    path: str
    height: int
    ideal: float | None = None


def versions(scores: Sequence[Score], *, ideal: float | None = None, height: int = 170) -> Versions:
    """The marks of a chart of scores over versions, oldest first; `ideal` is always on it."""
    low, high = _score_domain(scores, ideal)

    def down(value: float) -> float:
        return round(height * (high - value) / (high - low), 1)

    wide, slim = max(1, math.ceil(len(scores) / 10)), max(1, math.ceil(len(scores) / 4))
    dots: list[Dot | None] = []
    for index, row in enumerate(scores):
        if row.score is None:
            dots.append(None)
            continue
        back = len(scores) - 1 - index
        x = 50.0 if len(scores) == 1 else round(4 + 92 * index / (len(scores) - 1), 2)
        top = row.score if row.upper is None else row.upper
        bottom = row.score if row.lower is None else row.lower
        dots.append(
            Dot(x, down(row.score), down(top), down(bottom), back % wide == 0, back % slim == 0)
        )
    drawn = [dot for dot in dots if dot]
    upper = [f"{dot.x},{dot.top}" for dot in drawn]
    under = [f"{dot.x},{dot.bottom}" for dot in reversed(drawn)]
    return Versions(
        ticks=[Tick(value, down(value)) for value in ticks(low, high, 6)],
        dots=dots,
        band=" ".join(upper + under),
        path=" ".join(f"{dot.x},{dot.y}" for dot in drawn),
        height=height,
        ideal=None if ideal is None else down(ideal),
    )


def _score_domain(scores: Sequence[Score], ideal: float | None) -> tuple[float, float]:
    told = [value for row in scores for value in (row.score, row.lower, row.upper)]
    known = [value for value in [*told, ideal] if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    pad = 0.08 * (high - low) or max(abs(high) * 0.05, 0.5)
    return low - pad, high + pad


# Pixels of one row of a heat map, of the cell in it, and below the last one for the headings.
HEAT_ROW, HEAT_CELL, HEAT_FOOT = 26, 24, 20


@dataclass(frozen=True)
class HeatMap:
    """Places of cells as they are written: `left`, `middle` and `width` in per cent of the drawing,
    `top` of rows and its whole `height` in pixels."""

    left: list[str]
    middle: list[str]
    width: str
    top: list[int]
    height: int
    cell: int = HEAT_CELL


def heat(rows: int, columns: int) -> HeatMap:
    """The grid of a heat map: as wide as there is room, cells with a gap of a tenth at most."""
    step = 100 / max(1, columns)
    width = step - min(0.1 * step, 0.3)
    return HeatMap(
        left=[f"{step * column:.4g}" for column in range(columns)],
        middle=[f"{step * column + width / 2:.4g}" for column in range(columns)],
        width=f"{width:.4g}",
        top=[HEAT_ROW * row for row in range(rows)],
        height=HEAT_ROW * rows + HEAT_FOOT,
    )


def heat_level(value: float | None, levels: int = 7) -> int:
    """0 for unchanged or unknown, else 1 to `levels` in equal steps of `value`, from 0 to 1."""
    if not value:
        return 0
    return max(1, min(levels, math.ceil(levels * value)))
