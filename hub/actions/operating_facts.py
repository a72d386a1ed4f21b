"""What the operator is told: how much there is, how full the disk is, how the work goes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Now
from django.utils import timezone

from hub.models import Namespace, NamespaceKind, Repository, StoredObject, User
from hub.models.leases import Leased

WEEK = timedelta(days=7)
FAILURES_SHOWN = 20
NAMESPACES_SHOWN = 10


@dataclass(frozen=True)
class Amounts:
    """Counts, and sizes in bytes."""

    people: int
    deactivated: int
    organizations: int
    repositories: int
    large_files: int
    large_bytes: int
    database_bytes: int
    disk_bytes: int
    disk_free_bytes: int


@dataclass(frozen=True)
class WorkLine:
    """One kind of work: rows that wait, that a worker holds, whose worker is gone, that failed."""

    title: Any
    waiting: int
    running: int
    lost: int
    failed: int

    @property
    def tells(self) -> bool:
        return any((self.waiting, self.running, self.lost, self.failed))


@dataclass(frozen=True)
class Failure:
    title: Any
    number: int
    at: datetime
    why: str


def amounts() -> Amounts:
    """How much there is now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        (database_bytes,) = cursor.fetchone()
    stored = StoredObject.objects.aggregate(count=Count("pk"), size=Sum("size_bytes"))
    active = Count("pk", filter=Q(is_active=True))
    accounts = people().aggregate(active=active, all=Count("pk"))
    disk = shutil.disk_usage(settings.DATA_DIR)
    return Amounts(
        people=accounts["active"],
        deactivated=accounts["all"] - accounts["active"],
        organizations=Namespace.objects.filter(kind=NamespaceKind.ORGANIZATION).count(),
        repositories=Repository.objects.count(),
        large_files=stored["count"],
        large_bytes=stored["size"] or 0,
        database_bytes=database_bytes,
        disk_bytes=disk.total,
        disk_free_bytes=disk.free,
    )


def people() -> QuerySet[User]:
    """Accounts that their people have not deleted."""
    return User.objects.filter(namespace__isnull=False)


def largest_namespaces() -> list[dict[str, Any]]:
    """Whose repositories take most: slug, count and total_bytes."""
    rows = Repository.objects.values("namespace__slug").annotate(
        count=Count("pk"), total_bytes=Sum("size_bytes")
    )
    largest = rows.filter(total_bytes__gt=0).order_by("-total_bytes")[:NAMESPACES_SHOWN]
    return [dict(row) for row in largest]


def work_lines() -> list[WorkLine]:
    """Every kind of work that workers carry out; failures are those of the last week."""
    return [_line(model) for model in _kinds()]


def _kinds() -> Iterator[type[Leased]]:
    return (model for model in apps.get_models() if issubclass(model, Leased))


def _line(model: type[Leased]) -> WorkLine:
    failed = _failed(model)
    rows: Any = model._default_manager
    counted = rows.filter(model.LIVE | failed).aggregate(
        waiting=Count("pk", filter=model.LIVE & Q(lease_ends_at=None)),
        running=Count("pk", filter=model.LIVE & Q(lease_ends_at__gt=Now())),
        lost=Count("pk", filter=model.LIVE & Q(lease_ends_at__lte=Now())),
        failed=Count("pk", filter=failed),
    )
    return WorkLine(model.TITLE, **counted)


def _failed(model: type[Leased]) -> Q:
    if model.FAILED is None:
        return Q(pk__in=[])
    return model.FAILED & Q(**{f"{model.ENDED}__gte": timezone.now() - WEEK})


def failures() -> list[Failure]:
    """The newest failures of all kinds, within the last week."""
    found: list[Failure] = []
    for model in _kinds():
        if model.FAILED is not None:
            found += _failures_of(model)
    return sorted(found, key=lambda one: one.at, reverse=True)[:FAILURES_SHOWN]


def _failures_of(model: type[Leased]) -> Iterator[Failure]:
    rows: Any = model._default_manager
    newest = rows.filter(_failed(model)).order_by(f"-{model.ENDED}")
    columns = ("pk", model.ENDED, model.REASON)
    for number, at, reason in newest.values_list(*columns)[:FAILURES_SHOWN]:
        why = reason.get("code", "") if isinstance(reason, dict) else reason
        yield Failure(model.TITLE, number, at, str(why))
