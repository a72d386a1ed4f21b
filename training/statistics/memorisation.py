"""Signs that a model has seen a benchmark's items, and how scores are shown to those who try."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

import numpy as np

from training.statistics.intervals import standard_error
from training.statistics.quantiles import t_cdf


def min_k(logprobs: Sequence[float], k: float = 0.2) -> float:
    """The mean of the lowest share `k` of token log-probabilities, at least one of them.

    Higher on texts that a model was trained on. Raises: ValueError without tokens.
    Source: Shi et al. 2023, arXiv:2310.16789 (Min-k% Prob).
    """
    if not logprobs or not 0.0 < k <= 1.0:
        raise ValueError("Min-k needs log-probabilities and a share between 0 and 1.")
    count = max(1, floor(k * len(logprobs) + 1e-9))
    return float(np.mean(np.sort(np.asarray(logprobs, dtype=np.float64))[:count]))


@dataclass(frozen=True, slots=True)
class Jump:
    """How much more a score rose on public items than on fresh ones. Only a flag for reviewers."""

    excess: float
    p_value: float
    flagged: bool


def memorised_jump(public: Sequence[float], fresh: Sequence[float], *, alpha: float = 0.05) -> Jump:
    """Whether candidate minus base, item by item, is higher on public items than on fresh ones.

    Welch's one-sided t test. Raises: ValueError for fewer than 2 items of either kind.
    """
    if min(len(public), len(fresh)) < 2:
        raise ValueError("A jump needs at least 2 public and 2 fresh items.")
    one, other = standard_error(public) ** 2, standard_error(fresh) ** 2
    excess = float(np.mean(public)) - float(np.mean(fresh))
    if one + other == 0.0:
        return Jump(excess, 1.0, False)
    parts = one**2 / (len(public) - 1) + other**2 / (len(fresh) - 1)
    freedom = max(1, floor((one + other) ** 2 / parts))
    p_value = t_cdf(-excess / (one + other) ** 0.5, freedom)
    return Jump(excess, p_value, p_value <= alpha)


def shown_score(score: float, margin: float) -> float:
    """A score rounded to half the margin, so that repeated tries learn little from it.

    Source: Blum & Hardt 2015, arXiv:1502.04585 (the Ladder).
    """
    step = margin / 2.0
    return round(score / step) * step
