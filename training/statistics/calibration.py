"""Whether a model is right as often as it is sure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of a confidence above `low` up to `high`. Means are None where there are none."""

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


def bins(confidences: Sequence[float], correct: Sequence[float], n_bins: int = 10) -> list[Bin]:
    """Equal-width bins from 0 to 1; a confidence of 0 belongs to the first.

    Raises: ValueError for lists of different length or a confidence outside of [0, 1].
    """
    sure, right = np.asarray(confidences, np.float64), np.asarray(correct, np.float64)
    if sure.shape != right.shape or n_bins < 1:
        raise ValueError("Calibration needs one answer for every confidence, and a bin.")
    if not ((sure >= 0.0) & (sure <= 1.0)).all():
        raise ValueError("A confidence lies between 0 and 1.")
    places = np.clip(np.ceil(sure * n_bins - 1e-12).astype(np.intp) - 1, 0, n_bins - 1)
    counts = np.bincount(places, minlength=n_bins)
    totals = np.bincount(places, weights=sure, minlength=n_bins)
    hits = np.bincount(places, weights=right, minlength=n_bins)
    return [
        Bin(
            low=i / n_bins,
            high=(i + 1) / n_bins,
            n=int(counts[i]),
            confidence=float(totals[i] / counts[i]) if counts[i] else None,
            accuracy=float(hits[i] / counts[i]) if counts[i] else None,
        )
        for i in range(n_bins)
    ]


def ece(confidences: Sequence[float], correct: Sequence[float], n_bins: int = 10) -> float:
    """The expected calibration error: the mean gap between confidence and accuracy of the bins.

    0 without answers. Source: Guo et al. 2017, arXiv:1706.04599.
    """
    filled = [each for each in bins(confidences, correct, n_bins) if each.n]
    gaps = [each.n * abs((each.confidence or 0.0) - (each.accuracy or 0.0)) for each in filled]
    return sum(gaps) / max(1, len(confidences))
