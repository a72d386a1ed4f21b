"""From stored item results to the verdict: recomputable at any time, without running a model."""

from __future__ import annotations

from typing import Any

from training.jobs.benchmarks import Benchmark
from training.jobs.evaluations import items_of
from training.jobs.items import ItemsError, scores_of
from training.models import Evaluation, Run
from training.statistics.comparison import compare
from training.statistics.verdicts import Verdict, gate_verdict

Result = dict[str, Any]


def weigh(
    run: Run,
    benchmarks: list[Benchmark],
    evaluations: dict[tuple[str, str], Evaluation],
    alpha: float,
) -> list[Result]:
    """What each benchmark says of base and candidate."""
    results = []
    for benchmark in benchmarks:
        base = evaluations["base", benchmark.key]
        candidate = evaluations["candidate", benchmark.key]
        comparison = compare(
            scores_of(items_of(run, base)),
            scores_of(items_of(run, candidate)),
            benchmark.rule(alpha),
        )
        results.append(
            described(benchmark)
            | _plain(comparison.to_dict())
            | {"base_evaluation": base.pk, "candidate_evaluation": candidate.pk}
        )
    return results


def described(benchmark: Benchmark) -> Result:
    """What a result says of its benchmark."""
    return {
        "key": benchmark.key,
        "label_text": benchmark.label,
        "role": benchmark.role,
        "reference": benchmark.reference,
        "benchmark_digest": benchmark.digest,
        "items_repository_id": benchmark.items_repository_id,
        "items_commit": benchmark.items_commit,
        "split": benchmark.items_file.path,
        "metric": benchmark.definition.metric,
    }


def broken(benchmarks: list[Benchmark], error: ItemsError, alpha: float) -> list[Result]:
    """Results that say why there is none: nothing is shown of a run whose items do not add up."""
    return [
        described(benchmark)
        | {
            "verdict": Verdict.ERROR.value,
            "reason": error.code,
            "parameters": error.facts,
            "margin": benchmark.margin,
            "alpha": alpha,
        }
        for benchmark in benchmarks
    ]


def overall(results: list[Result]) -> str:
    return gate_verdict(Verdict(result["verdict"]) for result in results).value


def _plain(values: dict[str, object]) -> Result:
    """Enumerations as their words."""
    return {key: getattr(value, "value", value) for key, value in values.items()}
