"""BLEU and chrF as sums over segments: sacrebleu's statistics, one vector a text."""

from collections.abc import Iterable, Sequence
from typing import Any

from training.runner.marking.words import is_unspaced

# A share of texts in a script without spaces above which BLEU splits by character.
MOSTLY = 0.5


class Translation:
    """sacrebleu's sums of one text, and the score of this text alone."""

    def __init__(self, metric: Any) -> None:
        self.metric = metric

    def __call__(self, text: str, expected: Sequence[str]) -> tuple[float, list[float]]:
        (sums,) = self.metric._extract_corpus_statistics([text], [[right] for right in expected])
        return float(self.metric._compute_score_from_stats(sums).score), [float(n) for n in sums]


def translation_mark(
    name: str, metric: dict[str, Any], references: Iterable[str]
) -> Translation | None:
    """The mark called `name`, or None where it is neither of the two.

    BLEU splits Chinese by character where the definition does not say otherwise: by white space a
    perfect translation would score 0.
    """
    if name not in ("bleu", "chrf"):
        return None
    # Imported here: sacrebleu brings 0.3 s of libraries that most benchmarks do without.
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    if name == "chrf":
        return Translation(CHRF())
    texts = list(references)
    chinese = sum(map(is_unspaced, texts)) > MOSTLY * len(texts)
    return Translation(BLEU(tokenize=metric.get("tokenize") or ("zh" if chinese else "13a")))
