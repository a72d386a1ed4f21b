"""metric_list of a benchmark file: which numbers it gives, and which way each of them is better."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from hub.errors import BadInputError
from training.specs.patterns import FILTER_NAME, read_patterns
from training.specs.schema import Flag, Number, OneOf, read_map, refuse_unknown
from training.statistics.metrics import METRICS
from training.statistics.verdicts import Direction

MAX_METRICS = 10
MAX_K = 64
CHOICES, TEXTS, ROLLING = "multiple_choice", "generate_until", "loglikelihood_rolling"
OUTPUT_TYPES = (CHOICES, "loglikelihood", ROLLING, TEXTS, "classification", "embedding")

_LABELS = ("acc", "macro_f1", "mcc")
# What can be said of each kind of answer; the first one is meant where the file names none.
METRICS_OF = {
    CHOICES: ("acc", "acc_norm", "acc_bytes", "macro_f1", "mcc", "brier",
              "pct_stereotype", "bbq_bias_ambig", "bbq_bias_disambig"),
    "loglikelihood": ("acc", "perplexity"),
    ROLLING: ("bits_per_byte", "byte_perplexity", "word_perplexity"),
    TEXTS: ("exact_match", "f1", "bleu", "chrf", "rouge1", "rouge2", "rougeL",
            "pass_at_k", "toxicity"),
    "classification": _LABELS,
    "embedding": _LABELS,
}  # fmt: skip
NEEDS_CLASSES = ("macro_f1", "mcc")  # the same classes for every item
NEEDS_ROLES = ("bbq_bias_ambig", "bbq_bias_disambig")
# lm-evaluation-harness's names for how items become one number; "mean" for all others.
AGGREGATIONS = {
    "perplexity": "perplexity",
    "word_perplexity": "weighted_perplexity",
    "byte_perplexity": "weighted_perplexity",
    "bits_per_byte": "bits_per_byte",
    "bleu": "bleu",
    "chrf": "chrf",
    "mcc": "matthews_corrcoef",
}
TOKENIZERS = {
    "bleu": ("13a", "intl", "zh", "char", "none"),
    **dict.fromkeys(("f1", "rouge1", "rouge2", "rougeL"), ("word", "char")),
}
COMPARES_TEXT = ("exact_match", "pass_at_k")
_FLAGS = ("ignore_case", "ignore_punctuation", "ignore_numbers")
_KEYS = (
    "metric", "aggregation", "higher_is_better", "filter", "k", "tokenize", "ignore_case",
    "ignore_punctuation", "ignore_numbers", "regexes_to_ignore",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One number of a benchmark, and what counts as better.

    `target` is the ideal value of the direction target, None for the others. `filter` names the
    chain of filters it looks through, None for the first.
    """

    name: str
    direction: Direction
    target: float | None = None
    filter: str | None = None
    k: int | None = None
    tokenize: str | None = None
    ignore_case: bool = False
    ignore_punctuation: bool = False
    ignore_numbers: bool = False
    regexes_to_ignore: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """For people: pass@4, else the name."""
        return f"pass@{self.k}" if self.name == "pass_at_k" else self.name

    @property
    def unit(self) -> str:
        """share, bits, nats, perplexity, score100 or plain."""
        return str(METRICS[self.name].unit)

    def parameters(self) -> dict[str, Any]:
        """What the runner computes it with; nothing that only says how to judge it."""
        found: dict[str, Any] = {"name": self.name}
        found |= {} if self.k is None else {"k": self.k}
        found |= {} if self.tokenize is None else {"tokenize": self.tokenize}
        for flag in _FLAGS:
            found |= {flag: True} if getattr(self, flag) else {}
        if self.regexes_to_ignore:
            found["regexes_to_ignore"] = list(self.regexes_to_ignore)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            **self.parameters(),
            "label": self.label,
            "direction": self.direction.value,
            "target": self.target,
            "unit": self.unit,
            "filter": self.filter,
        }


def read_metrics(value: Any, output_type: str, place: str) -> tuple[MetricSpec, ...]:
    """The metrics of a file, the primary one first; the usual one where it names none.

    Raises:
        BadInputError: an unknown metric, one twice, or one that such answers cannot give.
    """
    if value is None:
        value = [{"metric": METRICS_OF[output_type][0]}]
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_METRICS:
        raise BadInputError(f"{place} needs a list of 1 to {MAX_METRICS} metrics.")
    found = tuple(_metric(each, output_type, f"{place}[{i}]") for i, each in enumerate(value))
    names = [metric.name for metric in found]
    for name in names:
        if names.count(name) > 1:
            raise BadInputError(f"{place} has {name} twice; keep one of them.")
    return found


def _metric(value: Any, output_type: str, place: str) -> MetricSpec:
    values = {k: v for k, v in read_map(value, place).items() if v is not None}
    refuse_unknown(values, _KEYS, place)
    name = _name(values.get("metric"), output_type, place)
    natural = AGGREGATIONS.get(name, "mean")
    OneOf((natural,)).read(values.get("aggregation", natural), f"{place}.aggregation")
    direction, target = _direction(name, values, place)
    patterns = values.get("regexes_to_ignore", [])
    return MetricSpec(
        name=name,
        direction=direction,
        target=target,
        filter=FILTER_NAME.read(values["filter"], f"{place}.filter")
        if "filter" in values
        else None,
        k=_k(name, values, place),
        tokenize=_tokenizer(name, values, place),
        ignore_case=_flag(name, values, "ignore_case", place),
        ignore_punctuation=_flag(name, values, "ignore_punctuation", place),
        ignore_numbers=_flag(name, values, "ignore_numbers", place),
        regexes_to_ignore=read_patterns(patterns, f"{place}.regexes_to_ignore")
        if _may(name, values, "regexes_to_ignore", COMPARES_TEXT, place)
        else (),
    )


def known_metrics(output_type: str) -> list[str]:
    """The metrics that such answers can give."""
    return [name for name in METRICS_OF[output_type] if name in METRICS]


def _name(name: Any, output_type: str, place: str) -> str:
    known = known_metrics(output_type)
    if isinstance(name, str) and name in known:
        return name
    if isinstance(name, str) and name in METRICS:
        raise BadInputError(
            f"{place}: {name} cannot be computed for {output_type}; it has {', '.join(known)}."
        )
    near = get_close_matches(str(name), list(METRICS), n=1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    raise BadInputError(
        f"{place}: {str(name)[:80]!r} is no metric of this hub.{meant} "
        f"{output_type} has {', '.join(known)}."
    )


def _direction(name: str, values: dict[str, Any], place: str) -> tuple[Direction, float | None]:
    metric = METRICS[name]
    natural = Direction.HIGHER if metric.higher_is_better else Direction.LOWER
    given = values.get("higher_is_better")
    if given is not None:
        given = Flag().read(given, f"{place}.higher_is_better")
    if metric.target is not None:  # higher_is_better cannot say what is meant by such a score
        return Direction.TARGET, metric.target
    if given is None:
        return natural, None
    return (Direction.HIGHER if given else Direction.LOWER), None


def _k(name: str, values: dict[str, Any], place: str) -> int | None:
    if not _may(name, values, "k", ("pass_at_k",), place):
        return 1 if name == "pass_at_k" else None
    k: int = Number(1, MAX_K, whole=True).read(values["k"], f"{place}.k")
    return k


def _tokenizer(name: str, values: dict[str, Any], place: str) -> str | None:
    if not _may(name, values, "tokenize", TOKENIZERS, place):
        return None
    word: str = OneOf(TOKENIZERS[name]).read(values["tokenize"], f"{place}.tokenize")
    return word


def _flag(name: str, values: dict[str, Any], key: str, place: str) -> bool:
    given = _may(name, values, key, COMPARES_TEXT, place)
    return given and bool(Flag().read(values[key], f"{place}.{key}"))


def _may(name: str, values: dict[str, Any], key: str, names: Any, place: str) -> bool:
    """Whether the key is given. Raises BadInputError when it means nothing to this metric."""
    if key in values and name not in names:
        raise BadInputError(f"{place}.{key} means nothing to {name}; it is for {', '.join(names)}.")
    return key in values
