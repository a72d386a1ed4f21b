"""What machines wrote of a benchmark before it was hidden, written anew in coarse steps.

Records, statuses and comments that name its scores; what people wrote, and what git holds, stays.
Each row is one transaction and is locked while it is rewritten: a worker that is killed is
followed by one that finds nothing to change in what is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import override

from hub.extensions import registries
from hub.models import CommitStatus
from training.jobs import culprits
from training.jobs.disclosure import coarse_progress, without_numbers
from training.jobs.sentences import sentence_of
from training.models import Benchmark, GateRecord, HiddenFile, Run, RunKind

BATCH = 200
DESCRIPTION_LIMIT = 300


def due() -> list[int]:
    """The keys of hidden files of which something may still say too much."""
    rows = HiddenFile.objects.filter(done_at=None).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:BATCH])


def tell_less(pk: int) -> None:
    """Write anew what names scores of a hidden file: everywhere, or in its model's repository."""
    hidden = HiddenFile.objects.filter(pk=pk, done_at=None).first()
    if hidden is None:
        return
    where = {} if hidden.model_id is None else {"repository": hidden.model_id}
    records, runs = GateRecord.objects.filter(**where), Run.objects.filter(**where)
    digests = Benchmark.objects.at(hidden.repository_id, hidden.path)
    with override("en"):  # as runs write it
        for benchmark in digests.values_list("pk", flat=True):
            for key in _keys(records.filter(results__contains=[{"benchmark": benchmark}])):
                _weighed(key, benchmark)
            for key in _keys(runs.filter(kind=RunKind.BISECT, result__benchmark=benchmark)):
                _searched(key)
    # Unless it was asked for again meanwhile.
    HiddenFile.objects.filter(pk=pk, asked_at=hidden.asked_at).update(done_at=timezone.now())


def _keys(rows: QuerySet[Any]) -> Iterator[int]:
    """The keys of rows, asked for a batch at a time."""
    last = 0
    while keys := list(
        rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]
    ):
        yield from keys
        last = keys[-1]


@transaction.atomic
def _weighed(pk: int, benchmark: int) -> None:
    """The verdict stands; its sentence is made anew of results that are hidden."""
    rows = GateRecord.objects.select_for_update(of=("self", "run")).select_related("run")
    record = rows.filter(pk=pk).first()
    if record is None:
        return
    before = sentence_of(record.verdict, record.results, record.sentence)
    record.results = [
        each | {"hidden": True} if each.get("benchmark") == benchmark else each
        for each in record.results
    ]
    record.save(update_fields=["results"])
    after, run = sentence_of(record.verdict, record.results, record.sentence), record.run
    hidden = [each["key"] for each in record.results if each.get("hidden")]
    run.result = run.result | {"sentence": after}
    run.progress = coarse_progress(run.progress, hidden)
    run.save(update_fields=["result", "progress"])
    _describe(run, before, after)


@transaction.atomic
def _searched(pk: int) -> None:
    """What was found stands, without scores: on the run, its commit and its pull request."""
    rows = Run.objects.select_for_update(of=("self",))
    run = rows.select_related("repository__namespace", "created_by").filter(pk=pk).first()
    if run is None or run.result.get("hidden"):
        return
    before, found = run.result, without_numbers(run.result)
    said = culprits.sentence_of(found)
    run.result = found | {"sentence": said}
    run.progress = {key: value for key, value in run.progress.items() if key != "search"}
    run.save(update_fields=["result", "progress"])
    _describe(run, culprits.sentence_of(before), said)
    number = (found.get("culprit") or {}).get("pull_request")
    if number is not None:
        old, new = (culprits.comment_of(run, each) for each in (before, found))
        registries.comment_rewriter(run.repository, number, old, new)


def _describe(run: Run, before: str, after: str) -> None:
    """On the commit, unless something else is said there by now."""
    CommitStatus.objects.filter(
        repository=run.repository_id,
        target_path=run.get_absolute_url(),
        description=before[:DESCRIPTION_LIMIT],
    ).update(description=after[:DESCRIPTION_LIMIT])
