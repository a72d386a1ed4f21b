"""What a measurement says, how it is printed, and how it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Bar:
    """What a row must hold: a limit on our number or on ours / peer."""

    subject: str  # "ours" or "ratio"
    sign: str  # "<=" or ">="
    limit: float

    def __str__(self) -> str:
        return f"{self.subject} {self.sign} {self.limit:g}"

    def holds(self, value: float) -> bool:
        return value <= self.limit if self.sign == "<=" else value >= self.limit


@dataclass(frozen=True)
class Row:
    """One number of ours beside a peer's. Without a peer the bar alone judges."""

    group: str
    name: str
    unit: str
    ours: float
    bar: Bar
    peer: float | None = None
    peer_name: str | None = None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None

    @property
    def met(self) -> bool:
        judged = self.ours if self.bar.subject == "ours" else self.ratio
        return judged is not None and self.bar.holds(judged)

    def to_dict(self) -> dict[str, Any]:
        return {
            "group": self.group,
            "name": self.name,
            "unit": self.unit,
            "ours": round(self.ours, 4),
            "peer": None if self.peer is None else round(self.peer, 4),
            "peer_name": self.peer_name,
            "ratio": None if self.ratio is None else round(self.ratio, 4),
            "bar": str(self.bar),
            "met": self.met,
        }


@dataclass(frozen=True)
class Absent:
    """A measurement that could not be taken here, and why."""

    group: str
    name: str
    reason: str


def table(rows: Iterable[Row]) -> str:
    """The rows as text in columns."""
    lines = [("group", "name", "ours", "peer", "ratio", "bar", "")]
    for row in rows:
        peer = "" if row.peer is None else f"{_number(row.peer)}  {row.peer_name}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        ours = f"{_number(row.ours)} {row.unit}"
        mark = "met" if row.met else "NOT MET"
        lines.append((row.group, row.name, ours, peer, ratio, str(row.bar), mark))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def write(rows: Iterable[Row], path: Path) -> None:
    path.write_text(json.dumps([row.to_dict() for row in rows], indent=1) + "\n")
