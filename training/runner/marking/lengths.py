"""Marks of a text that a model reads: its log-likelihood by byte and by word."""

import math
import re

from training.runner.definitions import Definition
from training.runner.errors import BadBenchmarkError
from training.runner.marking.marks import Marks

ROLLING = ("bits_per_byte", "byte_perplexity", "word_perplexity")
CONTINUING = ("acc", "perplexity")
LARGEST_EXPONENT = 700.0


def check_metrics(definition: Definition, known: tuple[str, ...]) -> list[str]:
    """The names of the metrics. Raises BadBenchmarkError when one is not among `known`."""
    names = [str(metric.get("name")) for metric in definition.metrics]
    if wrong := [name for name in names if name not in known]:
        raise BadBenchmarkError(
            f"The benchmark {definition.name} has the metric {wrong[0]}, which does not fit "
            f"{definition.output_type}; use one of {', '.join(known)}."
        )
    return names


def rolling_marks(names: list[str], nll: float, text: str) -> Marks:
    """Of a text whose tokens have the negative log-likelihood `nll`, in nats.

    Bytes and words are those of the text, whatever the tokenizer: so models compare. Words as
    lm-evaluation-harness counts them.
    """
    units = {
        "bits_per_byte": math.log(2) * len(text.encode()),
        "byte_perplexity": float(len(text.encode())),
        "word_perplexity": float(len(re.split(r"\s+", text))),
    }
    marks = Marks()
    for name in names:
        value = nll / units[name] if units[name] else None
        if value is not None and name != "bits_per_byte":
            value = perplexity(value)
        marks.add(name, value, [nll, units[name]])
    return marks


def continuing_marks(names: list[str], nll: float, *, greedy: bool) -> Marks:
    """Of a continuation. Perplexity is that of a whole one, as lm-evaluation-harness has it."""
    marks = Marks()
    for name in names:
        if name == "acc":
            marks.add(name, float(greedy))
        else:
            marks.add(name, perplexity(nll), [nll, 1.0])
    return marks


def perplexity(nats: float) -> float:
    """e to the power of `nats`, bounded."""
    return math.exp(min(nats, LARGEST_EXPONENT))
