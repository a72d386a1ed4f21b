"""The metrics a benchmark can have: from item scores, or sums over items, to one value.

An item yields a plain score (kind `mean`) or a vector of sums (kinds `ratio` and `corpus`); the
value of a benchmark is a function of the element-wise sum of the vectors, so that a resample of
the items costs one product of matrices.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from math import comb

import numpy as np

from training.statistics import formulas
from training.statistics.formulas import Array


class Kind(StrEnum):
    MEAN = "mean"
    RATIO = "ratio"
    CORPUS = "corpus"


@dataclass(frozen=True, slots=True)
class Metric:
    """How one metric is computed and read.

    `formula` takes the summed vectors, one a row, and gives one value a row. `width` is the length
    of an item's vector; None: any positive multiple of three. `shared` are the entries that depend
    on the item alone, so that both models must agree on them. `spread` is the width of the range
    of values; None where values have no upper end.
    """

    name: str
    kind: Kind
    formula: Callable[[Array], Array] = field(repr=False, compare=False)
    higher_is_better: bool = True
    target: float | None = None
    unit: str = "share"
    binary: bool = False
    width: int | None = 2
    shared: slice | None = None
    spread: float | None = 1.0

    def value(self, sums: Array) -> float | Array:
        """The benchmark's value: of one summed vector [k], or of each row of a matrix [B, k].

        For the kind `mean` the sums are the sum of the scores and their number.
        """
        table = np.asarray(sums, dtype=np.float64)
        if table.ndim == 1:
            return float(self.formula(table[np.newaxis])[0])
        return self.formula(table)

    def accepts(self, width: int) -> bool:
        """Whether an item's vector may have this length."""
        return width > 0 and (width % 3 == 0 if self.width is None else width == self.width)


def _mean(name: str, **traits: object) -> Metric:
    return Metric(name, Kind.MEAN, formulas.ratio, **traits)  # type: ignore[arg-type]


def _corpus(name: str, formula: Callable[[Array], Array], **traits: object) -> Metric:
    return Metric(name, Kind.CORPUS, formula, **traits)  # type: ignore[arg-type]


_PER_TEXT = {"higher_is_better": False, "shared": slice(1, 2), "spread": None}
_PER_CLASS = {"width": None, "shared": slice(2, None, 3)}

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _mean("acc", binary=True),
        _mean("acc_norm", binary=True),
        _mean("acc_bytes", binary=True),
        _mean("exact_match", binary=True),
        _mean("f1"),
        _mean("rouge1"),
        _mean("rouge2"),
        _mean("rougeL"),
        _mean("pass_at_k"),
        _mean("pct_stereotype", target=0.5),
        _mean("toxicity", higher_is_better=False),
        _mean("brier", higher_is_better=False, unit="plain", spread=2.0),
        Metric("bits_per_byte", Kind.RATIO, formulas.ratio, unit="bits", **_PER_TEXT),  # type: ignore[arg-type]
        _corpus("byte_perplexity", formulas.perplexity, unit="perplexity", **_PER_TEXT),
        _corpus("word_perplexity", formulas.perplexity, unit="perplexity", **_PER_TEXT),
        _corpus("perplexity", formulas.perplexity, unit="perplexity", **_PER_TEXT),
        _corpus("macro_f1", formulas.macro_f1, **_PER_CLASS),
        _corpus("mcc", formulas.mcc, unit="plain", spread=2.0, **_PER_CLASS),
        _corpus("bleu", formulas.bleu, unit="score100", width=10, spread=100.0),
        _corpus("chrf", formulas.chrf, unit="score100", width=None, spread=100.0),
        _corpus(
            "bbq_bias_ambig", formulas.bbq_ambiguous, target=0.0, unit="plain", width=4, spread=2.0
        ),
        _corpus("bbq_bias_disambig", formulas.bbq_bias, target=0.0, unit="plain", spread=2.0),
    )
}


def metric_named(name: str) -> Metric:
    """The metric of this name.

    Raises: ValueError when there is none.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise ValueError(f"There is no metric {name}.") from None


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """The chance that at least one of `k` samples is right, when `correct` of `samples` were (M7).

    Raises: ValueError when fewer than `k` samples were drawn.
    Source: Chen et al. 2021, arXiv:2107.03374, equation 1.
    """
    if not 0 <= correct <= samples or not 1 <= k <= samples:
        raise ValueError("pass@k needs 1 <= k <= samples and 0 <= correct <= samples.")
    return 1.0 - comb(samples - correct, k) / comb(samples, k)
