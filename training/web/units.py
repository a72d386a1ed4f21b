"""Differences and scores of metrics in the scale in which people read them."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import Any

from django.utils.translation import gettext_lazy as _

from hub.templatetags.hub_format import ABSENT, MINUS


@dataclass(frozen=True)
class Scale:
    """`factor` takes a metric's own units to those shown; `word` names them on an axis.

    `decimals` of a score; None: by its size.
    """

    word: Any
    factor: float = 1.0
    suffix: str = ""
    decimals: int | None = None

    def shown(self, value: float | None) -> float | None:
        return None if value is None else self.factor * value

    def digits(self, margin: float | None) -> int:
        """Decimals in which a difference near the margin has two digits to read."""
        size = abs(self.factor * (margin or 0.0))
        if not size:
            return 1
        return min(6, max(1, 1 - floor(log10(size)))) if size < 1 else 1

    def score(self, value: float | None) -> str:
        """A score: 95.5 %, 27.3, 1.0109."""
        if value is None:
            return ABSENT
        size = abs(self.factor * value)
        digits = self.decimals
        if digits is None:
            digits = 1 if size >= 20 else 2 if size >= 10 else 4
        return f"{self.factor * value:.{digits}f}{self.suffix}".replace("-", MINUS)


SCALES = {
    "share": Scale(_("points"), 100.0, "\N{NO-BREAK SPACE}%", decimals=1),
    "score100": Scale(_("points of 100"), decimals=1),
    "bits": Scale(_("bits per byte")),
    "nats": Scale(_("nats")),
    "perplexity": Scale(_("perplexity")),
    "plain": Scale(_("score units")),
}


def scale_of(unit: str | None) -> Scale:
    """The scale of a metric's unit."""
    return SCALES.get(unit or "share", SCALES["plain"])
