"""Collections and what of them somebody may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber

from hub.errors import ForbiddenError, NotFoundError
from hub.models import Access, Collection, CollectionItem, TokenScope
from hub.models.collections import key_of
from hub.policies.actors import Actor, require_person
from hub.policies.repositories import seen_repositories

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet

    from hub.models.collections import CollectionQuerySet


def visible_collections(actor: Actor) -> CollectionQuerySet:
    """Every collection that `actor` may read, each with its `access`.

    A token that is limited to some repositories reads what everybody does.
    """
    user = AnonymousUser() if actor.is_limited else actor.user
    return Collection.objects.visible_to(user).select_related("namespace")


def get_collection(actor: Actor, slug: str, *, need: Access = Access.READ) -> Collection:
    """The collection whose id ends `slug`, for an actor who holds at least `need` on it.

    Raises:
        NotFoundError: hidden and missing read alike.
        UnauthenticatedError, ForbiddenError: it is visible, but more is needed.
    """
    key = key_of(slug)
    found = visible_collections(actor).with_upvotes().filter(key=key).first() if key else None
    if found is None:
        raise NotFoundError("There is no such collection, or you may not see it.")
    if need > Access.READ:
        require_person(actor, scope=TokenScope.WRITE)
        if not found.may(need):
            raise ForbiddenError(f"This needs {Access(need).label.lower()} access to {found.slug}.")
    return found


def visible_items(actor: Actor) -> QuerySet[CollectionItem]:
    """Items of any collection whose thing `actor` may see."""
    seen = Q(repository__in=seen_repositories(actor).values("pk"))
    seen |= Q(target__in=visible_collections(actor).values("pk"))
    return CollectionItem.objects.filter(seen)


def with_items(
    actor: Actor, collections: Sequence[Collection], *, most: int | None = None
) -> Sequence[Collection]:
    """`collections`, each with `shown`, its first visible items, and their `shown_count`."""
    found = {one.pk: one for one in collections}
    items = visible_items(actor).filter(collection__in=found)
    counts = items.values("collection").annotate(count=Count("pk"))
    counted = dict(counts.values_list("collection", "count"))
    for one in collections:
        one.shown, one.shown_count = [], counted.get(one.pk, 0)
    place = Window(RowNumber(), partition_by=F("collection"), order_by="position")
    placed = items.annotate(**{"place": place - 1}).order_by("position")
    placed = placed.select_related("repository__namespace", "target__namespace")
    for item in placed if most is None else placed.filter(**{"place__lt": most}):
        found[item.collection_id].shown.append(item)
    return collections
