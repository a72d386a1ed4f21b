"""Organisations: namespaces that people share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from hub.actions import audit, names
from hub.actions.names import require_free_name
from hub.errors import BadInputError, ConflictError
from hub.jobs import inbox
from hub.models import Access, Membership, Namespace, NamespaceKind, Notification, Reason, User

if TYPE_CHECKING:
    from hub.policies import Actor

ROLES = {
    "read": Access.READ,
    "contribute": Access.CONTRIBUTE,
    "write": Access.WRITE,
    "admin": Access.ADMIN,
}


def role(name: str) -> Access:
    """The access that a role's name gives. Raises: BadInputError."""
    if name not in ROLES:
        raise BadInputError(f"There is no role “{name}”: use {', '.join(ROLES)}.")
    return ROLES[name]


def role_name(access: int | None) -> str:
    """The name of the role that gives `access`; empty for none."""
    return next((name for name, held in ROLES.items() if held == access), "")


def create_organization(
    slug: str, *, full_name: str = "", private_by_default: bool = False, by: Actor | None = None
) -> Namespace:
    """Create an organisation whose first admin is `by`; the operator's has no member yet.

    Raises: BadInputError, ConflictError (name taken).
    """
    require_free_name(slug)
    try:
        with transaction.atomic():
            namespace = Namespace.objects.create(
                slug=slug,
                kind=NamespaceKind.ORGANIZATION,
                full_name=full_name,
                private_by_default=private_by_default,
            )
            if by is not None and by.person is not None:
                Membership.objects.create(namespace=namespace, user=by.person, access=Access.ADMIN)
            audit.record(by, "organization.create", slug, about=namespace)
    except IntegrityError:
        raise ConflictError(f"The name “{slug}” is taken: choose another.") from None
    return namespace


@transaction.atomic
def update_organization(
    namespace: Namespace,
    *,
    full_name: str | None = None,
    private_by_default: bool | None = None,
    bio: str | None = None,
    link: str | None = None,
    by: Actor | None = None,
) -> Namespace:
    """Change what is given and leave the rest. Raises: BadInputError (the link)."""
    if full_name is not None:
        namespace.full_name = full_name
    if private_by_default is not None:
        namespace.private_by_default = private_by_default
    if bio is not None:
        namespace.bio = bio
    if link is not None:
        namespace.link = names.checked_link(link)
    namespace.save(update_fields=["full_name", "private_by_default", "bio", "link"])
    audit.record(by, "organization.update", namespace.slug, about=namespace)
    return namespace


@transaction.atomic
def set_member(
    namespace: Namespace, user: User, access: Access, *, by: Actor | None = None
) -> Membership:
    """Give a person this access in an organisation; they hold no other there.

    Raises: BadInputError for a person's own namespace, ConflictError when no admin would stay.
    """
    require_organization(namespace)
    held = _locked_members(namespace).get(user.pk)
    if held == Access.ADMIN and access < Access.ADMIN:
        _require_another_admin(namespace, user)
    membership, _created = Membership.objects.update_or_create(
        namespace=namespace, user=user, defaults={"access": access}
    )
    subject = f"{namespace.slug}: {user.username}"
    audit.record(
        by, "member.set", subject, old=role_name(held), new=role_name(access), about=namespace
    )
    if held is None and access and by is not None and by.person != user:
        inbox.tell_member(
            namespace,
            user,
            str(Reason.INVITATION),
            kind="member.added",
            actor=by.person,
            title=namespace.full_name or namespace.slug,
        )
    return membership


@transaction.atomic
def remove_member(namespace: Namespace, user: User, *, by: Actor | None = None) -> None:
    """End a membership; one that is not there is no fault. Raises: see `set_member`."""
    require_organization(namespace)
    held = _locked_members(namespace).get(user.pk)
    if held is None:
        return
    if held == Access.ADMIN:
        _require_another_admin(namespace, user)
    namespace.memberships.filter(user=user).delete()
    Notification.objects.filter(namespace=namespace, user=user).delete()
    subject = f"{namespace.slug}: {user.username}"
    audit.record(by, "member.remove", subject, old=role_name(held), about=namespace)


def _locked_members(namespace: Namespace) -> dict[int, int]:
    Namespace.objects.select_for_update(no_key=True).get(pk=namespace.pk)
    return dict(namespace.memberships.values_list("user_id", "access"))


def require_organization(namespace: Namespace) -> None:
    if namespace.kind != NamespaceKind.ORGANIZATION:
        raise BadInputError(f"“{namespace.slug}” is a person: only organisations have members.")


def _require_another_admin(namespace: Namespace, user: User) -> None:
    admins = namespace.memberships.filter(access=Access.ADMIN).exclude(user=user)
    if not admins.exists():
        raise ConflictError(f"“{namespace.slug}” needs an admin: make somebody else one first.")
