"""Scores of one model on one benchmark: computed once, kept for ever, found again by digest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from hub.actions import large_files
from hub.models import Repository, Visibility
from training.jobs.hiding import hide_as_asked
from training.jobs.items import Item, read_items, write_items
from training.jobs.summaries import scores_with_intervals
from training.models import Benchmark, Evaluation, Origin, Run
from training.specs.items import Item as IssuedItem
from training.specs.schema import digest_of


@dataclass(frozen=True)
class Side:
    """One model of a run; `revision` is the commit or tree it is read from."""

    name: str
    digest: str
    revision: str


def settings_digest(settings: dict[str, Any], versions: dict[str, str]) -> str:
    """Names all that a score depends on beside model and benchmark."""
    return digest_of([settings, versions])


def protocol_digest(settings: dict[str, Any], versions: dict[str, str]) -> str:
    """The same without the precision, which a leaderboard leaves to the model."""
    return digest_of([{k: v for k, v in settings.items() if k != "dtype"}, versions])


def find(
    repository: Repository, model_digest: str, benchmark: Benchmark, settings_digest: str
) -> Evaluation | None:
    """The scores of exactly these three: the repository's own, else a public model's of now.

    Equal digests mean equal files, so another repository's scores are these scores; a private
    one's are left alone, since that they exist would tell that it holds the same model.
    """
    rows = Evaluation.objects.verified().filter(
        model_digest=model_digest,
        benchmark_digest=benchmark.digest,
        settings_digest=settings_digest,
    )
    if (own := rows.filter(repository=repository).first()) is not None:
        return own
    public = rows.filter(repository__visibility=Visibility.PUBLIC, repository__gated="")
    other = public.select_related("repository").order_by("-item_count", "pk").first()
    return None if other is None else _taken_over(repository, benchmark, other)


@transaction.atomic
def _taken_over(repository: Repository, benchmark: Benchmark, other: Evaluation) -> Evaluation:
    """The evaluation of another repository as one of this repository's own."""
    if other.items_sha256 not in large_files.links(repository, [other.items_sha256]):
        large_files.copy_link(other.repository, repository, other.items_sha256)
    copied = (
        "settings", "protocol_digest", "revision", "items_sha256", "item_count", "score",
        "scores", "seconds",
    )  # fmt: skip
    row, _created = Evaluation.objects.get_or_create(
        repository=repository,
        model_digest=other.model_digest,
        benchmark_digest=other.benchmark_digest,
        settings_digest=other.settings_digest,
        defaults={name: getattr(other, name) for name in copied} | {"benchmark": benchmark},
    )
    return row


@dataclass(frozen=True)
class How:
    """The run that scored something, and with what."""

    run: Run
    settings: dict[str, Any]
    versions: dict[str, str]
    seconds: float | None = None


@transaction.atomic
def keep(
    how: How, side: Side, benchmark: Benchmark, issued: Sequence[IssuedItem], items: Iterable[Item]
) -> Evaluation:
    """Store item results and their row; results that are there already win, new ones join them.

    Args:
        issued: every item of the benchmark, in the order in which results are stored.
    """
    repository = how.run.repository
    Repository.objects.select_for_update(no_key=True).only("pk").get(pk=repository.pk)
    names: dict[str, Any] = {
        "repository": repository,
        "model_digest": side.digest,
        "benchmark_digest": benchmark.digest,
        "settings_digest": settings_digest(how.settings, how.versions),
    }
    row = Evaluation.objects.filter(**names).first()
    merged = {item.id: item for item in items}
    if row is not None:
        merged |= {item.id: item for item in items_of(row)}
        if len(merged) == row.item_count:
            return row
    ordered = [merged[each.id] for each in issued if each.id in merged]
    blob = write_items(repository.blobs(), ordered)
    large_files.link(repository, blob)
    scores = scores_with_intervals(ordered, benchmark)
    values = {
        "benchmark": benchmark,
        "protocol_digest": protocol_digest(how.settings, how.versions),
        "settings": how.settings,
        "origin": Origin.HERE,
        "revision": side.revision,
        "items_sha256": blob.sha256,
        "item_count": len(ordered),
        "score": (scores.get(benchmark.metric) or {}).get("value"),
        "scores": scores,
        "seconds": ((row.seconds or 0.0) if row else 0.0) + (how.seconds or 0.0),
        "run": how.run,
    }
    kept, _created = Evaluation.objects.update_or_create(**names, defaults=values)
    hide_as_asked(how.run)
    return kept


def items_of(evaluation: Evaluation) -> list[Item]:
    """The item results of an evaluation, in canonical order."""
    if not evaluation.items_sha256:
        return []
    return read_items(evaluation.repository.blobs(), evaluation.items_sha256)
