"""Evaluations made elsewhere: kept as what somebody says, beside and never among our own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import transaction
from django.db.models import QuerySet

from hub.actions import large_files
from hub.errors import BadInputError, ForbiddenError, NotFoundError
from hub.models import Kind, Repository, User
from hub.policies import Actor, seen_repositories
from training.actions.models import model_input
from training.actions.pinning import pin_benchmark
from training.actions.reported_answers import checked
from training.actions.reported_items import NAMES, asked_alike, filter_of, items_of, pair
from training.actions.reported_numbers import (
    interval_of,
    require_equal,
    require_in_range,
    require_one_task,
)
from training.jobs.benchmarks import PinnedBenchmark
from training.jobs.hiding import hide_by_rule
from training.jobs.items import Item, check_items, write_items
from training.jobs.summaries import scores_with_intervals
from training.models import Benchmark, Evaluation, Origin
from training.policies import require_maintainer
from training.specs.gate import parse_reference
from training.specs.lm_eval_results import (
    RESULTS_LIMIT_BYTES,
    TaskResults,
    read_results,
)
from training.specs.lm_eval_samples import (
    SAMPLES_LIMIT_BYTES,
    Stream,
    read_samples,
)
from training.specs.schema import digest_of
from training.statistics.metrics import METRICS

log = structlog.get_logger(__name__)
REPORTS_LIMIT = 50  # of one model on one benchmark file
BODY_LIMIT_BYTES = RESULTS_LIMIT_BYTES + SAMPLES_LIMIT_BYTES + 64 * 1024  # one body with both files


@dataclass(frozen=True)
class Report:
    """What was sent, read and matched: `items` is empty where no samples came."""

    results: TaskResults
    items: tuple[Item, ...]
    metrics: tuple[str, ...]
    scores: dict[str, Any]
    asked: str


def require_report(actor: Actor, repository: Repository) -> User:
    """The person who may speak for a model: whoever may write to it.

    Raises: UnauthenticatedError, ForbiddenError.
    """
    user = require_maintainer(actor, repository, "Reporting results")
    if repository.kind != Kind.MODEL:
        raise ForbiddenError("Results are reported for models: open one and report there.")
    return user


def report_evaluation(
    repository: Repository,
    actor: Actor,
    *,
    benchmark: str,
    results: bytes,
    samples: Stream | None = None,
    revision: str = "",
    task: str = "",
) -> Evaluation:
    """Keep what lm-evaluation-harness wrote about `revision` of a model as self-reported.

    `benchmark` is written `namespace/name:path.yaml`; `task` names the one meant where the results
    hold several. With `samples` every item is paired by the hash of its row, or all is refused.
    The same results reported again are the row that is there; others make a row of their own.
    Raises:
        UnauthenticatedError, ForbiddenError: see `require_report`.
        BadInputError, TooLargeError and the not-found errors, each naming what is wrong.
    """
    user = require_report(actor, repository)
    pinned, _inputs = pin_benchmark(parse_reference(benchmark.strip(), "benchmark"), actor)
    told = read_results(results, task=task.strip())
    oid = repository.store().resolve(revision.strip() or repository.default_branch)
    model, digest = model_input("model", repository, oid)
    if not any(file["path"].endswith(".safetensors") for file in model["files"]):
        raise BadInputError(
            f"{repository.repo_id} has no safetensors weights at {oid[:7]}: upload them first."
        )
    issued = pinned.items()
    with transaction.atomic():  # a refusal leaves no row of a benchmark that nobody measured
        row = pinned.row(issued)
        report = _read(pinned, row, issued, told, samples)
        return _keep(repository, user, row, digest, oid, report)


def _read(
    pinned: PinnedBenchmark,
    row: Benchmark,
    issued: Sequence[Any],
    told: TaskResults,
    samples: Stream | None,
) -> Report:
    metrics = pinned.definition.metrics
    if samples is None:
        scores = _scores(row, told, pinned, (), [])
        require_one_task(pinned, told, ())
        return Report(told, (), (), scores, "unknown")
    lines = read_samples(samples, pinned.definition.output_type)
    paired = checked(pinned, row, issued, pair(pinned, issued, lines))
    unordered, names = items_of(metrics, paired)
    items = check_items(unordered, issued)
    scores = _scores(row, told, pinned, items, names)
    require_one_task(pinned, told, lines)
    if any(sample.is_tie for sample in paired.values()):
        unordered, names = items_of(metrics, paired, ties_as_here=True)
        items = check_items(unordered, issued)
        scores |= scores_with_intervals(items, _measured(row, names))
    asked = asked_alike(pinned, row, paired, told.source.get("num_fewshot"))
    return Report(told, tuple(items), tuple(names), scores, asked)


def _scores(
    row: Benchmark,
    told: TaskResults,
    pinned: PinnedBenchmark,
    items: Sequence[Item],
    names: Sequence[str],
) -> dict[str, Any]:
    """{"acc": {"value", "lower", "upper"}}: of the items where they tell, else as it was said."""
    scores = scores_with_intervals(items, _measured(row, names))
    for metric in pinned.definition.metrics:
        said = told.value_of(NAMES.get(metric.name, metric.name), filter_of(pinned))
        if metric.name in scores:
            require_equal(metric.name, scores[metric.name]["value"], said)
        elif said is not None:
            scores[metric.name] = interval_of(said, METRICS[metric.name])
    for name, found in scores.items():
        require_in_range(name, found["value"])
    if pinned.definition.metric not in scores:
        known = ", ".join(sorted({name for name, _filter in told.values}))
        raise BadInputError(
            f"The results of {told.task} hold no number for {pinned.definition.metric}, which the "
            f"benchmark measures: they have {known[:200]}."
        )
    return scores


def _measured(row: Benchmark, names: Sequence[str]) -> Benchmark:
    """The benchmark with those of its metrics that the samples give."""
    return Benchmark(metrics=[metric for metric in row.metrics if metric["name"] in names])


def _keep(
    repository: Repository, user: User, row: Benchmark, digest: str, oid: str, report: Report
) -> Evaluation:
    Repository.objects.select_for_update(no_key=True).only("pk").get(pk=repository.pk)
    source = report.results.source
    settings = _settings(source)
    named: dict[str, Any] = {
        "repository": repository,
        "model_digest": digest,
        "benchmark_digest": row.digest,
        "settings_digest": digest_of(["reported", source.get("task"), settings]),
    }
    earlier = Evaluation.objects.filter(
        repository=repository, benchmark__path=row.path, origin=Origin.REPORTED
    )
    if earlier.count() >= REPORTS_LIMIT:
        raise BadInputError(
            f"{repository.repo_id} has {REPORTS_LIMIT} reports for {row.reference}: remove one."
        )
    items_sha256 = ""
    if report.items:
        blob = write_items(repository.blobs(), report.items)
        large_files.link(repository, blob)
        items_sha256 = blob.sha256
    unlike_precision = {k: v for k, v in settings.items() if k not in ("dtype", "batch_size")}
    values: dict[str, Any] = {
        "benchmark": row,
        "protocol_digest": digest_of(["reported", unlike_precision]),
        "settings": settings,
        "origin": Origin.REPORTED,
        "revision": oid,
        "items_sha256": items_sha256,
        "item_count": len(report.items) or report.results.count or 0,
        "score": report.scores[row.metric]["value"],
        "scores": report.scores,
        "source": source | {"paired_metrics": list(report.metrics), "asked": report.asked},
        "reported_by": user,
        "run": None,
    }
    hide_by_rule(repository)
    if (known := _reported_already(named, values)) is not None:
        return known
    again = Evaluation.objects.filter(repository=repository, origin=Origin.REPORTED)
    for number in range(again.count() + 1):
        if number:
            named["settings_digest"] = digest_of(["reported", source.get("task"), settings, number])
        if not Evaluation.objects.filter(**named).exists():
            break
    kept = Evaluation.objects.create(**named, **values)
    log.info("evaluation.reported", repository_id=repository.pk, benchmark_id=row.pk)
    return kept


def _reported_already(named: dict[str, Any], values: dict[str, Any]) -> Evaluation | None:
    """The report of the same model that says exactly this, if there is one."""
    same = ("settings", "items_sha256", "item_count", "scores", "source")
    rows = Evaluation.objects.filter(
        repository=named["repository"],
        model_digest=named["model_digest"],
        benchmark_digest=named["benchmark_digest"],
        origin=Origin.REPORTED,
    )
    return next(
        (row for row in rows if all(getattr(row, name) == values[name] for name in same)), None
    )


def _settings(source: dict[str, Any]) -> dict[str, Any]:
    """What the scores depend on, as far as the file says."""
    config = source.get("config", {})
    precision = str(config.get("dtype") or config.get("model_dtype") or "")
    said = {
        "harness": " ".join(filter(None, ("lm_eval", source.get("version")))),
        "dtype": precision.removeprefix("torch."),
        "batch_size": config.get("batch_size"),
        "device": config.get("device"),
        "num_fewshot": source.get("num_fewshot"),
        "chat_template_sha": source.get("chat_template_sha"),
        "gen_kwargs": config.get("gen_kwargs"),
    }
    return {key: value for key, value in said.items() if value not in (None, "", {})}


def reports_of(repository: Repository) -> QuerySet[Evaluation]:
    """What has been reported for a model, the newest first."""
    rows = Evaluation.objects.filter(repository=repository.pk, origin=Origin.REPORTED)
    related = ("benchmark__repository__namespace", "reported_by")
    return rows.select_related(*related).order_by("-updated_at", "-pk")


def visible_reports(actor: Actor, repository: Repository) -> QuerySet[Evaluation]:
    """Those on benchmarks of data sets that `actor` sees."""
    seen = seen_repositories(actor).values("pk")
    return reports_of(repository).filter(benchmark__repository__in=seen)


def remove_report(repository: Repository, actor: Actor, key: int) -> None:
    """Take back what was reported. Raises: NotFoundError and what `require_report` raises."""
    require_report(actor, repository)
    rows = Evaluation.objects.filter(repository=repository.pk, origin=Origin.REPORTED)
    gone, _rows = rows.filter(pk=key).delete()
    if not gone:
        raise NotFoundError("There is no such report here.")
