"""A year of what somebody did, a square a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils import timezone

from hub.models import Event, User
from hub.policies import Actor, seen_repositories

WEEKS, CELL = 53, 13
LEVELS = (1, 3, 6, 12)  # the least of each shade


@dataclass(frozen=True)
class Day:
    """One square: where it stands, how dark it is, and what it says."""

    on: date
    count: int
    x: int
    y: int

    @property
    def level(self) -> int:
        return sum(self.count >= least for least in LEVELS)


def calendar_of(actor: Actor, person: User) -> dict[str, Any]:
    """Days of the last year with how much the person did where the reader may see it."""
    today = timezone.now().date()
    first = today - timedelta(days=today.weekday(), weeks=WEEKS - 1)
    rows = Event.objects.filter(
        actor=person,
        created_at__gte=datetime(first.year, first.month, first.day, tzinfo=UTC),
        repository__in=seen_repositories(actor).values("pk"),
    )
    # Whether something is in a collection that the reader may not see is not even counted.
    rows = rows.exclude(kind="collection.added")
    per_day = rows.annotate(day=TruncDate("created_at")).values("day").order_by()
    counts = dict(per_day.annotate(count=Count("pk")).values_list("day", "count"))
    days = []
    for place in range((today - first).days + 1):
        on = first + timedelta(days=place)
        days.append(Day(on, counts.get(on, 0), place // 7 * CELL, place % 7 * CELL))
    months = [(day.on, day.x) for day in days if day.on.day <= 7 and day.y == 0]
    return {
        "days": days,
        "months": months,
        "total": sum(counts.values()),
        "width": WEEKS * CELL,
        "height": 7 * CELL + 14,
        "size": CELL - 3,
    }
