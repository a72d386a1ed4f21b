"""Scores of one model on one benchmark: computed once, kept for ever, found again by digest."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from hub.actions import large_files
from training.jobs.benchmarks import Benchmark
from training.jobs.items import Item, read_items, write_items
from training.models import Evaluation, Run


@dataclass(frozen=True)
class Side:
    """One of the two models of a gate run; `revision` is the commit or tree it is read from."""

    name: str
    digest: str
    revision: str


def find(
    repository_id: int, side: Side, benchmark: Benchmark, settings_digest: str
) -> Evaluation | None:
    return Evaluation.objects.filter(
        repository=repository_id,
        model_digest=side.digest,
        benchmark_digest=benchmark.digest,
        settings_digest=settings_digest,
    ).first()


@transaction.atomic
def keep(
    run: Run, side: Side, benchmark: Benchmark, items: list[Item], seconds: float | None
) -> Evaluation:
    """Store item results and their row; the one that is there already wins."""
    blob = write_items(run.repository.blobs(), items)
    large_files.link(run.repository, blob)
    evaluation, _created = Evaluation.objects.get_or_create(
        repository=run.repository,
        model_digest=side.digest,
        benchmark_digest=benchmark.digest,
        settings_digest=run.spec["settings_digest"],
        defaults={
            "benchmark_name": benchmark.label,
            "revision": side.revision,
            "items_sha256": blob.sha256,
            "item_count": len(items),
            "score": sum(item.score for item in items) / len(items),
            "seconds": seconds,
            "run": run,
        },
    )
    return evaluation


def items_of(run: Run, evaluation: Evaluation) -> list[Item]:
    return read_items(run.repository.blobs(), evaluation.items_sha256)
