"""Who likes what, as far as somebody may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.models import Like, Repository, User
from hub.models.prepared import Prepared
from hub.policies.actors import Actor
from hub.policies.repositories import seen_repositories

if TYPE_CHECKING:
    from django.db.models import QuerySet


def visible_likes(actor: Actor, user: User) -> QuerySet[Like]:
    """What `user` likes among the repositories that `actor` may see."""
    seen = seen_repositories(actor).values("pk")
    return Like.objects.filter(user=user, repository__in=seen)


def visible_likers(repository: Repository) -> QuerySet[Like]:
    """Who likes a repository: people who may still sign in."""
    return Like.objects.filter(repository=repository, user__is_active=True)


_LIKES = Prepared(
    lambda repository, person: (
        Like.objects.filter(repository=repository, user=person)
        .order_by()
        .values_list("pk", flat=True)
    )
)


def has_liked(actor: Actor, repository: Repository) -> bool:
    """Whether the one who looks likes it."""
    if actor.person is None:
        return False
    return bool(_LIKES(repository=repository.pk, person=actor.person.pk))
