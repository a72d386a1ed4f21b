"""Whether item results that somebody reports agree with themselves and with the benchmark.

A score that follows from log-likelihoods is worked out again from those that stand beside it, and
the right answer is the benchmark's own: what differs is refused with its line and item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose

from hub.errors import BadInputError
from training.jobs.benchmarks import PinnedBenchmark
from training.jobs.questions import question_columns
from training.models import Benchmark
from training.specs.benchmark_metrics import CHOICES, ROLLING
from training.specs.items import Item as IssuedItem
from training.specs.lm_eval_samples import TEXT_LIMIT, Sample
from training.specs.plain_targets import plain_choices, plain_targets

ROUNDING = 1e-6
LIKELIHOODS = (CHOICES, "loglikelihood", ROLLING)
FROM_CHOICES = ("acc", "acc_norm", "acc_bytes", "pct_stereotype")
# The whole line's log-likelihood, by itself or before the length of its text.
FROM_ONE = ("perplexity", "bits_per_byte", "byte_perplexity", "word_perplexity")


@dataclass(frozen=True, slots=True)
class Known:
    """What the benchmark says of an item. `choices`: None where nothing tells them here, and so
    with `targets`; `is_whole`: the choices are not cut, so that their lengths are known."""

    choices: tuple[str, ...] | None = None
    targets: frozenset[int] | None = None
    is_whole: bool = False


def checked(
    pinned: PinnedBenchmark,
    row: Benchmark,
    issued: Sequence[IssuedItem],
    paired: Mapping[str, Sample],
) -> dict[str, Sample]:
    """The samples with the benchmark's own right answers.

    Raises: BadInputError, naming the line and the item that contradicts itself or the benchmark.
    """
    if pinned.definition.output_type not in LIKELIHOODS:
        return dict(paired)
    names = [metric.name for metric in pinned.definition.metrics]
    known = _known(pinned, row, issued) if pinned.definition.output_type == CHOICES else {}
    found = {}
    for item_id, sample in paired.items():
        if any(number > ROUNDING for number in sample.loglikelihoods):
            raise _wrong(sample, item_id, "it has a log-likelihood above 0")
        if pinned.definition.output_type == CHOICES:
            sample = _chosen(sample, item_id, known.get(item_id, Known()), names, pinned)
        else:
            _require_one(sample, item_id, names)
        found[item_id] = sample
    return found


def _known(
    pinned: PinnedBenchmark, row: Benchmark, issued: Sequence[IssuedItem]
) -> dict[str, Known]:
    """From the rows where they tell, else from what the runner asked, once it has."""
    columns = question_columns(row, ["id", "choices", "expected"])
    rows = zip(columns["id"], columns["choices"], columns["expected"], strict=True)
    asked = {item_id: (tuple(choices or ()), expected) for item_id, choices, expected in rows}
    found = {}
    for item in issued:
        choices = plain_choices(pinned.definition, item.doc)
        told, expected = asked.get(item.id, ((), ""))
        if choices is not None:
            targets = plain_targets(pinned.definition, item.doc, choices)
            found[item.id] = Known(choices, targets or _places(expected, told), is_whole=True)
        elif told:
            whole = all(len(choice) < TEXT_LIMIT for choice in told)
            found[item.id] = Known(told, _places(expected, told), is_whole=whole)
    return found


def _places(expected: str, choices: Sequence[str]) -> frozenset[int] | None:
    """Where the first right answer stands, which is all that is kept of several."""
    found = frozenset(place for place, choice in enumerate(choices) if choice == expected)
    return found if expected and len(expected) < TEXT_LIMIT and len(found) == 1 else None


def _chosen(
    sample: Sample, item_id: str, known: Known, names: Sequence[str], pinned: PinnedBenchmark
) -> Sample:
    """The sample with the right answer of the benchmark, where its scores agree with both."""
    count = len(sample.loglikelihoods)
    if count < 2 or (known.choices and count != len(known.choices)):
        wanted = len(known.choices) if known.choices else "several"
        raise _wrong(sample, item_id, f"it has {count} log-likelihoods for {wanted} choices")
    if known.targets is not None:
        _require_target(sample, item_id, known)
        if sample.target not in known.targets or _fills_gaps(sample):
            sample = replace(sample, target=min(known.targets))
    right = known.targets or (frozenset() if sample.target is None else {sample.target})
    for name in FROM_CHOICES if right else ():
        given = sample.metrics.get(name) if name in names else None
        numbers = _numbers(name, sample, known, pinned)
        if numbers is None or not isinstance(given, float):
            continue
        allowed = scores_of(name, numbers, frozenset(right))
        if given not in allowed:
            raise _wrong(
                sample,
                item_id,
                f"{name} is {given:g} and its own log-likelihoods give {allowed[0]:g}",
            )
    return sample


def _fills_gaps(sample: Sample) -> bool:
    """Whether the choices are prompts, as in Winogrande: then the harness logs what follows all of
    them in place of the right one."""
    return len(set(sample.prompts)) > 1


def _require_target(sample: Sample, item_id: str, known: Known) -> None:
    choices, targets = known.choices or (), known.targets or frozenset()
    told = sample.target_texts
    if not told or _fills_gaps(sample):
        return
    texts = {choices[place] for place in targets}
    for each in told:
        place = int(each) if each.isdecimal() and len(each) <= 4 else None
        is_right = each in texts or (
            place is not None and place < len(choices) and choices[place] in texts
        )
        if not is_right:
            right = ", ".join(map(str, sorted(targets)))
            raise _wrong(
                sample, item_id, f"its target is {each[:80]!r}, and the benchmark's is {right}"
            )


def _numbers(
    name: str, sample: Sample, known: Known, pinned: PinnedBenchmark
) -> list[float] | None:
    """The numbers whose greatest is the answer; None where the lengths are not known."""
    numbers = list(sample.loglikelihoods)
    if name in ("acc", "pct_stereotype"):
        return numbers
    choices: Sequence[str] = ()
    if known.choices is not None:
        choices = known.choices if known.is_whole else ()
    elif not _fills_gaps(sample):
        delimiter = pinned.definition.delimiter
        choices = [text.removeprefix(delimiter) for text in sample.continuations]
    if len(choices) != len(numbers) or not all(choices):
        return None
    lengths = [len(c.encode()) if name == "acc_bytes" else len(c) for c in choices]
    return [number / length for number, length in zip(numbers, lengths, strict=True)]


def scores_of(name: str, numbers: Sequence[float], targets: frozenset[int]) -> list[float]:
    """The scores that a line may give, our own first.

    At a tie of the best no choice is taken, and of two sentences each counts a half; the harness
    takes the first one, and the file says what it took.
    """
    best = max(numbers)
    tied = {place for place, number in enumerate(numbers) if number == best}
    near = {place for place, number in enumerate(numbers) if isclose(number, best, rel_tol=1e-9)}
    if len(tied) == 1:
        own = float(bool(tied & targets))
    else:
        own = 0.5 if name == "pct_stereotype" and tied & targets else 0.0
    return [own, 0.0, 1.0] if len(near) > 1 and near & targets else [own]


def _require_one(sample: Sample, item_id: str, names: Sequence[str]) -> None:
    """Of answers with one log-likelihood: that the scores are made of it."""
    if not sample.loglikelihoods:
        return
    (number, *_more) = sample.loglikelihoods
    for name in names:
        given = sample.metrics.get(name)
        if name == "acc" and sample.is_greedy is not None and given != float(sample.is_greedy):
            raise _wrong(sample, item_id, "acc is not what its own answer says")
        told = given[0] if isinstance(given, tuple) else given
        if name in FROM_ONE and told is not None and not isclose(told, number, rel_tol=ROUNDING):
            raise _wrong(
                sample, item_id, f"{name} is made of {told:g} and its log-likelihood is {number:g}"
            )


def _wrong(sample: Sample, item_id: str, what: str) -> BadInputError:
    return BadInputError(
        f"Line {sample.line} of the samples contradicts itself or the benchmark (item "
        f"{item_id[:12]}): {what}. Send what lm_eval wrote about exactly these items."
    )
