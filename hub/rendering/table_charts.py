"""Histograms of columns as one path each: small enough to stand over every column."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT = 100, 32


def bars(counts: Sequence[int]) -> str:
    """The path of bars in a box of WIDTH by HEIGHT, the highest one full; what is there is seen."""
    largest = max(counts, default=0)
    if not largest:
        return ""
    step = WIDTH / len(counts)
    wide = step * (0.86 if len(counts) > 1 else 0.2)
    parts = []
    for at, count in enumerate(counts):
        if count:
            tall = max(1.0, HEIGHT * count / largest)
            left = at * step + (step - wide) / 2
            parts.append(f"M{left:.1f} {HEIGHT}v-{tall:.1f}h{wide:.1f}v{tall:.1f}z")
    return "".join(parts)
