"""What is on its way to a board: queued and running measurements, each with why it waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hub.policies import Actor, seen_repositories
from training.models import Run, RunKind, RunStatus

QUEUE_SHOWN = 30


@dataclass(frozen=True)
class Waiting:
    """One run. `position` counts from 1 over all that wait on this hub; None while it runs."""

    run: Run
    position: int | None
    reason: str


def queue_of(actor: Actor, places: Iterable[tuple[int, str]]) -> list[Waiting]:
    """The live measurements with benchmarks at `places`, (data set, path), the oldest first.

    Only runs of models that `actor` may see; those before them are counted, whoever's they are.
    """
    named = Q()
    for repository, path in places:
        named |= Q(spec__benchmarks__contains=[{"repository_id": repository, "path": path}])
    if not named:
        return []
    models = seen_repositories(actor).values("pk")
    rows = Run.objects.live().filter(named, kind=RunKind.EVALUATE, repository__in=models)
    related = ("repository__namespace", "created_by")
    runs = list(rows.defer("spec").select_related(*related).order_by("created_at", "pk"))
    order = list(Run.objects.waiting().values_list("pk", flat=True)) if runs else []
    people = {run.created_by_id for run in runs if run.status == RunStatus.QUEUED}
    busy = _busy(people)
    return [_waiting(run, order, busy) for run in runs[:QUEUE_SHOWN]]


def _busy(people: Iterable[int]) -> dict[int, int]:
    """How many runs each of them has at work."""
    running = Run.objects.filter(created_by__in=people, status=RunStatus.RUNNING)
    told = running.order_by().values("created_by").annotate(count=Count("pk"))
    return dict(told.values_list("created_by", "count"))


def _waiting(run: Run, order: list[int], busy: dict[int, int]) -> Waiting:
    if run.status == RunStatus.RUNNING or run.pk not in order:
        return Waiting(run, None, _progress(run))
    before = order.index(run.pk)
    most = settings.RUN_RUNNING_LIMIT_PER_USER
    if busy.get(run.created_by_id, 0) >= most:
        told = _("%(name)s has %(count)d runs at work, as many as one may have at a time.")
        reason = told % {"name": run.created_by.username, "count": busy[run.created_by_id]}
    elif before:
        told = ngettext("%d run waits before it.", "%d runs wait before it.", before)
        reason = told % before
    else:
        reason = _("It is next: a worker takes it when one is free.")
    return Waiting(run, before + 1, reason)


def _progress(run: Run) -> str:
    done, total = run.progress.get("done"), run.progress.get("total")
    if not total:
        return _("Preparing.")
    return _("%(done)d of %(total)d items.") % {"done": done, "total": total}
