"""Numbers that somebody reports: of the right task, of possible size, and those of the samples."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isclose

from hub.errors import BadInputError
from training.jobs.benchmarks import PinnedBenchmark
from training.specs.lm_eval_results import TaskResults, Value
from training.specs.lm_eval_samples import Sample, task_hash
from training.statistics.metrics import METRICS, Metric
from training.statistics.quantiles import normal_quantile

TOLERANCE = 1e-6
_Z_95 = normal_quantile(0.975)


def require_one_task(pinned: PinnedBenchmark, told: TaskResults, lines: Sequence[Sample]) -> None:
    """Refuse results of another task than the benchmark's, or than the samples are of.

    The harness writes a hash of all lines of a task beside its results: where they agree, a task
    may have any name.
    """
    own, named = pinned.definition.task, told.task
    found = task_hash(lines) if lines and told.samples_hash else ""
    if found == told.samples_hash != "":
        return
    is_whole = told.count is not None and len(lines) == told.count * len(told.filters)
    if found and is_whole:
        raise BadInputError(
            f"The samples are not those of the task {named} of the results: send the two files of "
            "one run and name its task."
        )
    if named != own:
        raise BadInputError(
            f"The results are of the task {named[:80]}, and the benchmark is {own[:80]}: name the "
            "task that is meant, or send the samples with it."
        )


def interval_of(value: Value, metric: Metric) -> dict[str, float | None]:
    """A number with the interval of the standard error that stands beside it, if any, as far as
    the metric can have such values."""
    if value.stderr is None:
        return {"value": value.value, "lower": None, "upper": None}
    low, high = bounds_of(metric)
    lower, upper = value.value - _Z_95 * value.stderr, value.value + _Z_95 * value.stderr
    return {"value": value.value, "lower": max(lower, low), "upper": min(upper, high)}


def bounds_of(metric: Metric) -> tuple[float, float]:
    """The least and the greatest value that a metric can have."""
    if metric.unit == "score100":
        return 0.0, 100.0
    if metric.unit == "perplexity":
        return 1.0, inf
    if metric.spread is None:
        return 0.0, inf
    return (
        (-1.0, 1.0) if metric.unit == "plain" and metric.name != "brier" else (0.0, metric.spread)
    )


def require_in_range(name: str, value: float) -> None:
    low, high = bounds_of(METRICS[name])
    if not low - TOLERANCE <= value <= high + TOLERANCE:
        most = "and has no upper end" if high == inf else f"to {high:g}"
        raise BadInputError(
            f"The results say that {name} is {value:.6g}, which it cannot be: it runs from {low:g} "
            f"{most}."
        )


def require_equal(name: str, found: float, said: Value | None) -> None:
    if said is None or isclose(found, said.value, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
        return
    raise BadInputError(
        f"The results say that {name} is {said.value:.6g}, the samples give {found:.6g}: send the "
        "two files of one run."
    )


def lies_outside(value: float | None, lower: float | None, upper: float | None) -> bool:
    """Whether a reported value contradicts a measured interval; never where one of them is open."""
    if value is None or lower is None or upper is None:
        return False
    return not lower - TOLERANCE <= value <= upper + TOLERANCE
