"""Marks of one generated text against its right answers. A text with several is given the best."""

import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from training.runner.marking.patterns import Pattern
from training.runner.marking.words import rouge_words, squad_words

_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WITHOUT_DIGITS = str.maketrans("", "", string.digits)


class ExactMatch:
    """1 when a text is one of the right answers.

    Source: lm-evaluation-harness, exact_match_hf_evaluate.
    """

    def __init__(self, metric: dict[str, Any], name: str) -> None:
        sources = metric.get("regexes_to_ignore") or []
        place = f"regexes_to_ignore of {name}"
        self.patterns = [Pattern(str(source), place=place) for source in sources]
        self.metric = metric

    def __call__(self, text: str, expected: Sequence[str]) -> float:
        said = self._plain(text)
        return float(any(said == self._plain(right) for right in expected))

    def _plain(self, text: str) -> str:
        for pattern in self.patterns:
            text = pattern.replace("", text)
        if self.metric.get("ignore_case"):
            text = text.lower()
        if self.metric.get("ignore_punctuation"):
            text = text.translate(_WITHOUT_PUNCTUATION)
        if self.metric.get("ignore_numbers"):
            text = text.translate(_WITHOUT_DIGITS)
        return text


class Overlap:
    """The best F1 score of a text's words with those of a right answer."""

    def __init__(
        self,
        words: Callable[[str, str | None], list[str]],
        overlap: Callable[[list[str], list[str]], float],
        tokenize: str | None,
    ) -> None:
        self.words, self.overlap, self.tokenize = words, overlap, tokenize

    def __call__(self, text: str, expected: Sequence[str]) -> float:
        said = self.words(text, self.tokenize)
        return max(self.overlap(said, self.words(right, self.tokenize)) for right in expected)


def word_f1(said: list[str], right: list[str]) -> float:
    """SQuAD's F1 of two lists of words; two empty ones agree."""
    if not said or not right:
        return float(said == right)
    return _f1((Counter(said) & Counter(right)).total(), len(said), len(right))


def rouge_n(n: int) -> Callable[[list[str], list[str]], float]:
    """ROUGE-N of two lists of words. Source: Lin 2004, W04-1013; checked against rouge_score."""

    def score(said: list[str], right: list[str]) -> float:
        mine, wanted = _ngrams(said, n), _ngrams(right, n)
        return _f1((mine & wanted).total(), mine.total(), wanted.total())

    return score


def rouge_l(said: list[str], right: list[str]) -> float:
    """ROUGE-L of two lists of words: F1 of their longest common subsequence."""
    return _f1(_common_length(said, right), len(said), len(right))


def _f1(common: int, said: int, right: int) -> float:
    return 2 * common / (said + right) if common else 0.0


def _ngrams(words: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[start:] for start in range(n)), strict=False))


def _common_length(some: list[str], others: list[str]) -> int:
    """Length of the longest common subsequence, a row of the table a number of many bits.

    Source: Hyyrö 2004, Bit-parallel LCS-length computation revisited.
    """
    masks: dict[str, int] = {}
    for place, word in enumerate(some):
        masks[word] = masks.get(word, 0) | 1 << place
    everything = (1 << len(some)) - 1
    row = everything
    for word in others:
        matched = row & masks.get(word, 0)
        row = (row + matched | row - matched) & everything
    return len(some) - row.bit_count()


def text_mark(name: str, metric: dict[str, Any], benchmark: str) -> Any:
    """The mark called `name`, or None where it is none of a single text."""
    tokenize = metric.get("tokenize")
    marks: dict[str, Callable[[], Any]] = {
        "exact_match": lambda: ExactMatch(metric, benchmark),
        "f1": lambda: Overlap(squad_words, word_f1, tokenize),
        "rouge1": lambda: Overlap(rouge_words, rouge_n(1), tokenize),
        "rouge2": lambda: Overlap(rouge_words, rouge_n(2), tokenize),
        "rougeL": lambda: Overlap(rouge_words, rouge_l, tokenize),
    }
    return marks[name]() if name in marks else None
