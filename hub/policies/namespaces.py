"""Namespaces that somebody belongs to."""

from __future__ import annotations

from hub.errors import ForbiddenError
from hub.models import Access, Membership, Namespace, TokenScope
from hub.policies.actors import Actor, require_person


def get_namespace(actor: Actor, slug: str, *, need: Access) -> Namespace:
    """The namespace `slug`, for an actor who holds `need` in it.

    Administering one needs a token with admin scope, what is less one with write scope.
    Raises: UnauthenticatedError, ForbiddenError (also when there is no such namespace).
    """
    scope = TokenScope.ADMIN if need >= Access.ADMIN else TokenScope.WRITE
    user = require_person(actor, scope=scope)
    if scope is TokenScope.ADMIN and actor.is_limited:
        raise ForbiddenError("This token is limited to some repositories.")
    held = Membership.objects.filter(namespace__slug__iexact=slug, user=user.pk, access__gte=need)
    membership = held.select_related("namespace").first()
    if membership is None:
        raise ForbiddenError(f"You have no {Access(need).label.lower()} access to “{slug}”.")
    return membership.namespace


def get_shared_namespace(actor: Actor, slug: str) -> Namespace:
    """The namespace `slug`, for somebody who belongs to it.

    Raises: UnauthenticatedError, ForbiddenError (also when there is no such namespace).
    """
    user = require_person(actor)
    held = Membership.objects.filter(namespace__slug__iexact=slug, user=user.pk)
    membership = held.filter(access__gte=Access.READ).select_related("namespace").first()
    if membership is None:
        raise ForbiddenError(f"You do not belong to “{slug}”.")
    return membership.namespace
