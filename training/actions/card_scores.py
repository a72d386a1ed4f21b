"""The scores of a gate as a card tells them: every metric of every benchmark that it measured.

Of a hidden benchmark only the metric of the gate is told, rounded to half its margin: repeated
proposals learn no more of its items than that (gate-methods, section 7).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils import timezone

from hub.formats.eval_results import EvalResultEntry
from hub.formats.model_index import ModelIndexResult
from hub.models import Repository
from training.jobs.disclosure import rounded, step_of
from training.jobs.evaluations import items_of
from training.jobs.items import open_table
from training.jobs.summaries import scores_with_intervals
from training.models import Evaluation, GateRecord

SOURCE = "Weighbridge gate"
DIGITS = 6
# What huggingface_hub and the libraries behind it call our metrics; the others keep their names.
METRIC_TYPES = {
    **dict.fromkeys(("acc", "acc_norm", "acc_bytes"), "accuracy"),
    **dict.fromkeys(("f1", "macro_f1"), "f1"),
    **dict.fromkeys(("rouge1", "rouge2", "rougeL"), "rouge"),
    **dict.fromkeys(("byte_perplexity", "word_perplexity"), "perplexity"),
    "mcc": "matthews_correlation",
    "brier": "brier_score",
    "pass_at_k": "pass@k",
}
TASK_TYPES = {"classification": "text-classification", "embedding": "sentence-similarity"}
Result = dict[str, Any]


@dataclass(frozen=True)
class CardScore:
    """One metric of one benchmark. `value` is in the metric's own unit, a share as a fraction.

    `n` of `total` items were measured. `lower` and `upper` bound it two-sidedly at 95 %.
    """

    dataset: str
    label: str
    reference: str
    output_type: str
    metric: str
    metric_label: str
    is_primary: bool
    value: float
    n: int
    total: int
    lower: float | None = None
    upper: float | None = None
    split: str = ""
    revision: str = ""
    is_hidden: bool = False
    model_digest: str = ""


def card_scores(record: GateRecord) -> list[CardScore]:
    """What is known of the candidate of `record`, the gate's own metric of each benchmark first.

    A gate may decide before it has seen every item that was measured; a card tells all of them.
    """
    found: list[CardScore] = []
    for result, row, decided in _decided(record):
        if row is None or decided.is_hidden:
            found.append(decided)
        else:
            found += _whole(record, result, row, decided)
    return found


def decided_scores(record: GateRecord) -> list[CardScore]:
    """The gate's own metric of each benchmark, over the items that its verdict was made of."""
    return [decided for _result, _row, decided in _decided(record)]


def _decided(record: GateRecord) -> Iterator[tuple[Result, Evaluation | None, CardScore]]:
    measured = [result for result in record.results if result.get("candidate_score") is not None]
    names = _data_sets(measured)
    rows = Evaluation.objects.select_related("benchmark", "repository").in_bulk(
        {result["candidate_evaluation"] for result in measured if "candidate_evaluation" in result}
    )
    for result in measured:
        row = rows.get(result.get("candidate_evaluation"))
        yield result, row, _primary(result, row, names)


def _data_sets(results: Sequence[Result]) -> dict[int, str]:
    """The data sets that hold the items, by key."""
    rows = Repository.objects.filter(pk__in={r["items_repository_id"] for r in results})
    return {row.pk: row.repo_id for row in rows.select_related("namespace")}


def _primary(result: Result, row: Evaluation | None, names: dict[int, str]) -> CardScore:
    """The gate's own metric, over the items that its verdict was made of."""
    hidden = bool(result.get("hidden"))
    value = float(result["candidate_score"])
    # The data set of hidden items is named as the rule names it, which is there for all to read.
    dataset = str(result["reference"]).partition(":")[0]
    if not hidden:
        dataset = names.get(result["items_repository_id"], dataset)
    told = {} if row is None or hidden else row.score_of(result["metric"])
    whole = row is not None and row.item_count == result["n"]
    return CardScore(
        dataset=dataset,
        label=result["label_text"],
        reference=str(result["reference"]),
        output_type=row.benchmark.output_type if row else "",
        metric=result["metric"],
        metric_label=result.get("metric_label") or result["metric"],
        is_primary=True,
        value=round(rounded(value, step_of(result)) if hidden else value, DIGITS),
        n=result["n"],
        total=row.benchmark.item_count if row else result["n"],
        lower=told.get("lower") if whole else None,
        upper=told.get("upper") if whole else None,
        split="" if hidden else _split(result),
        revision="" if hidden else result["items_commit"],
        is_hidden=hidden,
        model_digest=row.model_digest if row else "",
    )


def _split(result: Result) -> str:
    return str(result["split"]).rpartition("/")[2].partition(".")[0]


def _whole(
    record: GateRecord, result: Result, row: Evaluation, decided: CardScore
) -> Iterator[CardScore]:
    """The benchmark's metrics over all items at hand that no training data holds."""
    scores, n = row.scores, row.item_count
    if result.get("excluded"):
        out = _excluded(record, result)
        clean = [item for item in items_of(row) if item.id not in out]
        scores, n = scores_with_intervals(clean, row.benchmark), len(clean)
    others = [each for each in row.benchmark.metrics if each["name"] != result["metric"]]
    told = scores.get(result["metric"]) or {}
    yield decided if told.get("value") is None else _over(decided, told, n)
    for metric in others:
        told = scores.get(metric["name"]) or {}
        if told.get("value") is not None:
            label = metric.get("label") or metric["name"]
            other = replace(decided, metric=metric["name"], metric_label=label, is_primary=False)
            yield _over(other, told, n)


def _over(score: CardScore, told: Result, n: int) -> CardScore:
    """`score` with the value and the bounds that `told` has over `n` items."""
    value, bounds = round(told["value"], DIGITS), (told.get("lower"), told.get("upper"))
    return replace(score, value=value, n=n, lower=bounds[0], upper=bounds[1])


def _excluded(record: GateRecord, result: Result) -> set[str]:
    """The items of one benchmark that stand in the proposal's training data."""
    blobs = record.repository.blobs()
    with open_table(blobs, record.comparison_sha256) as file:
        rows = file.read(["benchmark", "item", "excluded"]).to_pylist()
    return {row["item"] for row in rows if row["excluded"] and row["benchmark"] == result["key"]}


def model_index_result(score: CardScore, *, url: str) -> ModelIndexResult:
    """The score as `model-index` has it."""
    return ModelIndexResult(
        task_type=TASK_TYPES.get(score.output_type, "text-generation"),
        dataset_type=score.dataset,
        dataset_name=score.label,
        dataset_split=score.split,
        dataset_revision=score.revision or None,
        metric_type=METRIC_TYPES.get(score.metric, score.metric),
        metric_name=score.metric_label,
        metric_value=score.value,
        metric_args={"rounded": True} if score.is_hidden else None,
        source_name=SOURCE,
        source_url=url,
    )


def eval_result_entry(score: CardScore, record: GateRecord, *, url: str) -> EvalResultEntry:
    """The score as `.eval_results` has it: the benchmark's task, further metrics beside it."""
    return EvalResultEntry(
        dataset_id=score.dataset,
        task_id=score.label if score.is_primary else f"{score.label}/{score.metric_label}",
        value=score.value,
        dataset_revision=score.revision or None,
        date=timezone.localdate(record.created_at).isoformat(),
        source_url=url,
        source_name=SOURCE,
        notes=_notes(score, record),
    )


def _notes(score: CardScore, record: GateRecord) -> str:
    """How it was measured, for people and in one line."""
    items = f"n={score.n}" if score.n == score.total else f"n={score.n} of {score.total}"
    parts = [score.metric_label, items]
    if score.lower is not None and score.upper is not None:
        parts.append(f"95% interval {score.lower:.4g} to {score.upper:.4g}")
    if score.is_hidden:
        parts.append("hidden items, rounded to half the margin")
    return ", ".join([*parts, f"pull request {record.pull_request_number}"])
