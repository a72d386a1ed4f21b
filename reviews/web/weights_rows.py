"""A row of the table of tensors, and which layers one looks at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from reviews.actions.weights_said import KINDS, UNKNOWN, shape_text


@dataclass
class TensorRow:
    """A row of the table. `told` is what the comparison's structure holds of it."""

    told: Mapping[str, Any]
    layer: int | None
    module: str
    comments: int = 0

    @property
    def name(self) -> str:
        return str(self.told["name"])

    @property
    def kind(self) -> Any:
        return KINDS[self.told["kind"]]

    @property
    def shape(self) -> str:
        before, after = self.told["shapes"]
        if before and after and before != after:
            return f"{shape_text(before)} → {shape_text(after)}"
        return shape_text(after or before)

    @property
    def dtype(self) -> str:
        before, after = self.told["dtypes"]
        return f"{before} → {after}" if before and after and before != after else after or before

    @property
    def outliers(self) -> tuple[float | None, float | None]:
        """The largest element against the usual one, before and after."""
        before, after = self.told.get("outliers") or (None, None)
        return before, after

    @property
    def rank(self) -> str:
        if self.told.get("rank") is not None:
            return str(self.told["rank"])
        code = self.told.get("undecidable")
        if code == "more_than":
            return f"> {self.told['at_least']}"
        return str(UNKNOWN) if code else ""


@dataclass(frozen=True)
class Layers:
    """Consecutive layers, both ends included: a column of the heat map, and `?layer=`."""

    first: int
    last: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """4 or 4-7; None for anything else."""
        first, _dash, last = text.partition("-")
        numbers = [part for part in (first, last or first) if part.isdecimal() and len(part) < 6]
        return cls(int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else None

    def __contains__(self, layer: int | None) -> bool:
        return layer is not None and self.first <= layer <= self.last

    @property
    def is_single(self) -> bool:
        return self.first == self.last

    @property
    def key(self) -> str:
        return str(self.first) if self.is_single else f"{self.first}-{self.last}"

    @property
    def label(self) -> str:
        return self.key.replace("-", "–")


def relative_of(rows: Sequence[TensorRow]) -> float | None:
    """The relative change of several tensors together; None where none was compared."""
    compared = [row.told for row in rows if row.told.get("change_norm") is not None]
    base = math.hypot(*(told["base_norm"] for told in compared))
    change = math.hypot(*(told["change_norm"] for told in compared))
    return change / base if base else None
