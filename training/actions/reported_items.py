"""Item results that somebody reports, in the shape of our own: no score is made up on the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import log

from hub.errors import BadInputError
from training.actions.reported_answers import scores_of
from training.jobs.benchmarks import PinnedBenchmark
from training.jobs.items import Item
from training.jobs.questions import question_columns
from training.models import Benchmark
from training.specs.benchmark_metrics import NEEDS_CLASSES, MetricSpec
from training.specs.items import Item as IssuedItem
from training.specs.items import lm_eval_doc_hash
from training.specs.lm_eval_samples import TEXT_LIMIT, Sample, matched, of_filter
from training.statistics.metrics import METRICS, Kind

# What lm-evaluation-harness calls some of our metrics.
NAMES = {"brier": "brier_score"}
ALIKE, OTHERWISE, UNKNOWN = "alike", "otherwise", "unknown"
Score = tuple[float | None, tuple[float, ...]]  # an item's score, and its vector of sums


def pair(
    pinned: PinnedBenchmark, issued: Sequence[IssuedItem], samples: Sequence[Sample]
) -> dict[str, Sample]:
    """The sample of every issued item, by id, under the filter that the benchmark looks through.

    Raises: BadInputError, naming what is foreign, doubled or missing.
    """
    by_hash: defaultdict[str, list[str]] = defaultdict(list)
    for item in issued:
        by_hash[lm_eval_doc_hash(item.doc)].append(item.id)
    return matched(of_filter(samples, filter_of(pinned)), by_hash)


def filter_of(pinned: PinnedBenchmark) -> str | None:
    """The filter that the benchmark's metrics look through, by name."""
    definition = pinned.definition
    first = definition.filters[0][0] if definition.filters else None
    return definition.primary.filter or first


def items_of(
    metrics: Sequence[MetricSpec], paired: Mapping[str, Sample], *, ties_as_here: bool = False
) -> tuple[list[Item], list[str]]:
    """An item result for every sample, and the metrics that the samples give a score for.

    Scores are those of the lines; `ties_as_here`: except at a tie, which counts as it does here.
    Raises: BadInputError where only some of them do, or a score is out of its range.
    """
    scores: dict[str, dict[str, Score]] = {}
    for metric in metrics:
        found = {
            item_id: _score(metric.name, sample, ties_as_here) for item_id, sample in paired.items()
        }
        known = {item_id: score for item_id, score in found.items() if score is not None}
        if known and len(known) < len(found):
            missing = next(paired[item_id] for item_id, score in found.items() if score is None)
            raise BadInputError(
                f"Line {missing.line} of the samples has no score for {metric.name}, which others "
                "have."
            )
        if known:
            scores[metric.name] = known
    return [_item(item_id, sample, scores) for item_id, sample in paired.items()], list(scores)


def _item(item_id: str, sample: Sample, scores: Mapping[str, Mapping[str, Score]]) -> Item:
    own = {name: found[item_id] for name, found in scores.items()}
    return Item(
        id=item_id,
        metrics={name: score for name, (score, _sums) in own.items()},
        sums={name: sums for name, (_score, sums) in own.items() if sums},
        prediction=sample.prediction,
        target=sample.target if sample.loglikelihoods else None,
        loglikelihoods=sample.loglikelihoods,
        tie=sample.is_tie,
        output=sample.output,
        extracted=sample.extracted,
    )


def _score(name: str, sample: Sample, ties_as_here: bool) -> Score | None:
    """The item's score and vector; None where the line does not say enough."""
    metric = METRICS[name]
    given = sample.metrics.get(NAMES.get(name, name))
    is_tie = ties_as_here and sample.is_tie
    if metric.kind is Kind.MEAN:
        if given is None:
            return None
        told = _in_range(name, given, sample)
        if is_tie and sample.target is not None and name in ("acc", "pct_stereotype"):
            told = scores_of(name, sample.loglikelihoods, frozenset([sample.target]))[0]
        return told, ()
    if name in NEEDS_CLASSES:
        return _classes(sample, None if is_tie else sample.prediction)
    if name == "perplexity" and isinstance(given, float):
        return None, (-given, 1.0)
    if metric.spread is None and isinstance(given, tuple) and len(given) == 2:
        nats, size = -given[0], given[1]
        if size <= 0:
            raise BadInputError(f"Line {sample.line} of the samples has a text without a length.")
        size *= log(2.0) if name == "bits_per_byte" else 1.0
        return None, (nats, size)
    return None


def _in_range(name: str, given: float | tuple[float, ...], sample: Sample) -> float:
    """The score of a metric that is a mean, if such an item can have it."""
    metric = METRICS[name]
    sound = isinstance(given, float) and (
        given in (0.0, 1.0) if metric.binary else 0.0 <= given <= (metric.spread or given)
    )
    if not sound:
        wanted = "0 or 1" if metric.binary else "in its range"
        raise BadInputError(f"Line {sample.line} of the samples: {name} is not {wanted}.")
    return float(given)  # type: ignore[arg-type]


def _classes(sample: Sample, taken: int | None) -> Score | None:
    """[hit, predicted, gold] of every class, from the choice that was taken and the right one."""
    count, target = len(sample.loglikelihoods), sample.target
    if target is None or sample.prediction is None or target >= count:
        return None
    places = range(count)
    vector = ((float(i == taken == target), float(i == taken), float(i == target)) for i in places)
    return None, tuple(part for three in vector for part in three)


def asked_alike(
    pinned: PinnedBenchmark, row: Benchmark, paired: Mapping[str, Sample], shots: int | None
) -> str:
    """Whether the samples were asked as the benchmark asks: the same prompts, examples, choices.

    `UNKNOWN` until the benchmark has been asked here once, which tells its prompts.
    """
    fewshot = pinned.definition.fewshot
    if shots is not None and shots != (fewshot.count if fewshot else 0):
        return OTHERWISE
    columns = question_columns(row, ["id", "prompt", "choices"])
    if not columns["id"]:
        return UNKNOWN
    rows = zip(columns["id"], columns["prompt"], columns["choices"], strict=True)
    alike = all(
        _is_alike(paired[item], prompt or "", choices or []) for item, prompt, choices in rows
    )
    return ALIKE if alike else OTHERWISE


def _is_alike(sample: Sample, prompt: str, choices: Sequence[str]) -> bool:
    """Whether a request ends with the item's prompt and goes on with its choices."""
    if not sample.prompts:
        return False
    told = prompt in sample.prompts[0] if len(prompt) >= TEXT_LIMIT else (
        sample.prompts[0].endswith(prompt)
    )  # fmt: skip
    if not told or len(sample.continuations) < 2:
        return told
    return len(sample.continuations) == len(choices) and all(
        given.endswith(choice) for given, choice in zip(sample.continuations, choices, strict=True)
    )
