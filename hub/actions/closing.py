"""Ending an account or an organisation, and what goes with it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, Sum

from hub.actions import audit, organizations, pictures
from hub.actions.repositories import delete_repository
from hub.errors import ConflictError
from hub.models import (
    Access,
    Membership,
    Namespace,
    NamespaceKind,
    Repository,
    User,
)
from hub.policies import Actor


@dataclass(frozen=True)
class Losses:
    """What goes with a namespace."""

    repositories: list[Repository]
    count: int
    size_bytes: int
    collections: int


SHOWN = 20


def losses_of(namespace: Namespace) -> Losses:
    """What would go with a namespace now; of its repositories the largest are named."""
    rows = namespace.repositories.select_related("namespace").order_by("-size_bytes", "pk")
    return Losses(
        repositories=list(rows[:SHOWN]),
        count=rows.count(),
        size_bytes=rows.aggregate(total=Sum("size_bytes"))["total"] or 0,
        collections=namespace.collections.count(),
    )


def only_admin_of(user: User) -> list[Namespace]:
    """Organisations that would be left without an admin."""
    mine = Membership.objects.filter(user=user, access=Access.ADMIN)
    others = Membership.objects.filter(access=Access.ADMIN).exclude(user=user)
    rows = Namespace.objects.filter(
        kind=NamespaceKind.ORGANIZATION, pk__in=mine.values("namespace")
    )
    return list(rows.exclude(pk__in=others.values("namespace")).order_by("slug"))


@transaction.atomic
def delete_organization(namespace: Namespace, actor: Actor) -> None:
    """Remove an organisation with its repositories; the caller administers it.

    Raises: ConflictError when something that must be kept stands on one of them.
    """
    organizations.require_organization(namespace)
    row = Namespace.objects.select_for_update().get(pk=namespace.pk)
    _delete_repositories(row, actor)
    audit.record(actor, "organization.delete", row.slug, about=row)
    row.delete()
    pictures.drop_unused(row.picture_id)


@transaction.atomic
def close_account(user: User, actor: Actor) -> None:
    """Remove a person's namespace, access and sessions; what they said elsewhere stays, unnamed.

    Raises: ConflictError when an organisation would be left without an admin, or something that
    must be kept stands on one of their repositories.
    """
    row = User.objects.select_for_update().get(pk=user.pk)
    for alone in only_admin_of(row):
        raise ConflictError(
            f"“{alone.slug}” has no other admin: make somebody else one, or delete it first."
        )
    held = Membership.objects.filter(user=row, namespace__kind=NamespaceKind.ORGANIZATION)
    for membership in held.select_related("namespace").order_by("namespace"):
        organizations.remove_member(membership.namespace, row, by=actor)
    namespace = Namespace.objects.select_for_update().get(owner=row)
    _delete_repositories(namespace, actor)
    audit.record(actor, "person.close", row.username, about=namespace)
    picture = _forget(row)
    namespace.delete()
    pictures.drop_unused(picture)


def _delete_repositories(namespace: Namespace, actor: Actor) -> None:
    for repository in namespace.repositories.select_related("namespace").order_by("pk"):
        delete_repository(repository, actor)


def _forget(row: User) -> str | None:
    """Their rows of others' repositories keep an author, who has neither name nor way in.

    The key of the picture that they had.
    """
    Repository.objects.filter(like_rows__user=row).update(likes=F("likes") - 1)
    for theirs in _BELONGINGS:
        rows: Any = getattr(row, theirs)
        rows.all().delete()
    picture, row.picture = row.picture_id, None
    row.username = f"deleted-{row.pk}-{secrets.token_hex(3)}"
    row.email = row.full_name = row.language = ""
    row.is_active = row.is_staff = row.is_superuser = False
    row.set_unusable_password()
    row.save()
    return picture


_BELONGINGS = (
    "access_tokens",
    "device_sessions",
    "browser_sessions",
    "collaborations",
    "invitations",
    "access_requests",
    "follows",
    "likes",
    "collection_upvotes",
    "webhooks",
)
