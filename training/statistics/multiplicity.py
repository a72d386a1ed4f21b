"""Claims out of many looks: p-values adjusted for how many there were."""

from collections.abc import Sequence

import numpy as np

from training.statistics.formulas import Array


def holm(p_values: Sequence[float] | Array) -> list[float]:
    """Adjusted p-values that keep the chance of any false claim at the level (Holm 1979).

    For flags: what is claimed because *some* benchmark showed it. Passing needs none of it.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    return _placed(np.minimum(np.maximum.accumulate(steps), 1.0), order)


def benjamini_hochberg(p_values: Sequence[float] | Array) -> list[float]:
    """Adjusted p-values that keep the share of false claims at the level.

    For slices that are looked through. Source: Benjamini & Hochberg 1995.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = values[order] * len(values) / np.arange(1, len(values) + 1)
    falling = np.minimum.accumulate(steps[::-1])[::-1]
    return _placed(np.minimum(falling, 1.0), order)


def _placed(adjusted: Array, order: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> list[float]:
    """Adjusted values of sorted p-values, back at the places these came from."""
    out = np.empty(len(adjusted))
    out[order] = adjusted
    return [float(value) for value in out]
