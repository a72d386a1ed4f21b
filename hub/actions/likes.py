"""Liking repositories, following people and organisations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.db.models import F

from hub.errors import BadInputError, ForbiddenError
from hub.models import Event, Follow, Like, Namespace, Repository, TokenScope
from hub.policies import require_person

if TYPE_CHECKING:
    from hub.policies import Actor

LIKED = "repository.liked"


@transaction.atomic
def set_like(repository: Repository, actor: Actor, *, liked: bool) -> int:
    """Like a repository or take it back; doing it again changes nothing. The count afterwards.

    The activity tells of it as long as it holds.
    """
    user = require_person(actor, scope=TokenScope.WRITE)
    Repository.objects.only("pk").locked(repository.pk)
    if liked:
        step = int(_is_new(Like(repository=repository, user=user)))
    else:
        step = -Like.objects.filter(repository=repository, user=user).delete()[0]
    if step > 0:
        Event.objects.create(repository=repository, actor=user, kind=LIKED)
    elif step < 0:
        Event.objects.filter(repository=repository, actor=user, kind=LIKED).delete()
    if step:
        Repository.objects.filter(pk=repository.pk).update(likes=F("likes") + step)
    repository.refresh_from_db(fields=["likes"])
    return repository.likes


@transaction.atomic
def set_follow(namespace: Namespace, actor: Actor, *, following: bool) -> None:
    """Follow a person or an organisation, or stop.

    Raises: BadInputError for oneself, ForbiddenError for a token of some repositories.
    """
    user = require_person(actor, scope=TokenScope.WRITE)
    if namespace.owner_id == user.pk:
        raise BadInputError("Nobody follows themselves: open the page of somebody else.")
    if actor.is_limited:
        raise ForbiddenError("This token is limited to some repositories and follows nobody.")
    if following:
        _is_new(Follow(follower=user, namespace=namespace))
    else:
        Follow.objects.filter(follower=user, namespace=namespace).delete()


def _is_new(row: Like | Follow) -> bool:
    """Save `row`; False when it is there already, whoever was quicker."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return False
    return True
