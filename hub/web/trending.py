"""What many people liked lately: worked out now and then, shown to everybody."""

from __future__ import annotations

from datetime import timedelta

from django.core.cache import cache
from django.db.models import Count
from django.utils import timezone

from hub.models import Like, Repository, Visibility
from hub.policies import Actor, visible_repositories

LATELY = timedelta(days=14)
KEPT_SECONDS = 300
COUNT = 6


def trending(actor: Actor, kind: str) -> list[Repository]:
    """The public ones with the most likes of late, then those with the most likes at all."""
    places = {pk: place for place, pk in enumerate(_keys(kind))}
    rows = visible_repositories(actor).filter(pk__in=places)
    return sorted(rows, key=lambda row: places[row.pk])[:COUNT]


def _keys(kind: str) -> list[int]:
    key = f"trending:{kind}"
    kept: list[int] | None = cache.get(key)
    if kept is None:
        kept = _worked_out(kind)
        cache.set(key, kept, KEPT_SECONDS)
    return kept


def _worked_out(kind: str) -> list[int]:
    public = Repository.objects.filter(kind=kind, visibility=Visibility.PUBLIC)
    lately = Like.objects.filter(created_at__gt=timezone.now() - LATELY)
    lately = lately.filter(repository__kind=kind, repository__visibility=Visibility.PUBLIC)
    counted = lately.values("repository").annotate(count=Count("pk")).order_by("-count")
    found = [row["repository"] for row in counted[: 2 * COUNT]]
    most = public.order_by("-likes", "-pk").values_list("pk", flat=True)[: 2 * COUNT]
    return list(dict.fromkeys([*found, *most]))
