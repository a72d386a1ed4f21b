"""Organisations ask people in; people accept or decline."""

from __future__ import annotations

from django.db import transaction

from hub.actions import audit
from hub.actions.organizations import require_organization, role_name
from hub.errors import BadInputError, ConflictError, NotFoundError
from hub.models import Access, Invitation, Membership, Namespace, User
from hub.policies import Actor

LIMIT = 200  # unanswered, an organisation


def person_named(username: str) -> User:
    """The person called `username`, in any case. Raises: NotFoundError."""
    found = User.objects.filter(username__iexact=username.strip(), is_active=True).first()
    if found is None:
        raise NotFoundError(f"There is no person “{username.strip()[:96]}” here.")
    return found


def invite(namespace: Namespace, user: User, access: Access, *, by: Actor) -> Invitation:
    """Ask a person into an organisation; asking again changes the role.

    Raises: BadInputError (no organisation, no role), ConflictError (a member already, too many).
    """
    require_organization(namespace)
    if access <= Access.NONE:
        raise BadInputError("Choose a role.")
    with transaction.atomic():
        Namespace.objects.select_for_update(no_key=True).get(pk=namespace.pk)
        if namespace.memberships.filter(user=user, access__gt=Access.NONE).exists():
            raise ConflictError(f"{user.username} is a member already: change their role.")
        others = namespace.invitations.exclude(user=user)
        if others.count() >= LIMIT:
            raise ConflictError(f"{LIMIT} people have not answered yet: withdraw some first.")
        made, _new = Invitation.objects.update_or_create(
            namespace=namespace, user=user, defaults={"access": access, "invited_by": by.person}
        )
        _record(by, "member.invite", made)
    return made


def withdraw(namespace: Namespace, pk: int, *, by: Actor) -> None:
    """Take an invitation back; one that is answered already is no fault."""
    with transaction.atomic():
        found = namespace.invitations.select_for_update().filter(pk=pk).first()
        if found is not None:
            _record(by, "member.invite_withdrawn", found)
            found.delete()


def accept(actor: Actor, pk: int) -> Namespace:
    """Become a member, once; a higher role that is held already stays.

    Raises: NotFoundError when it was answered or withdrawn, or is somebody else's.
    """
    with transaction.atomic():
        found = _mine(actor, pk)
        namespace = Namespace.objects.select_for_update(no_key=True).get(pk=found.namespace_id)
        held, _new = Membership.objects.get_or_create(
            namespace=namespace, user=found.user, defaults={"access": found.access}
        )
        if held.access < found.access:
            held.access = found.access
            held.save(update_fields=["access"])
        _record(actor, "member.joined", found)
        found.delete()
    return namespace


def decline(actor: Actor, pk: int) -> Namespace:
    """Refuse an invitation. Raises: see `accept`."""
    with transaction.atomic():
        found = _mine(actor, pk)
        _record(actor, "member.declined", found)
        found.delete()
    return found.namespace


def _mine(actor: Actor, pk: int) -> Invitation:
    rows = Invitation.objects.select_for_update(of=("self",)).select_related("namespace", "user")
    found = rows.filter(pk=pk, user=actor.person).first()
    if found is None:
        raise NotFoundError("There is no such invitation: it was answered or withdrawn.")
    return found


def _record(actor: Actor, action: str, row: Invitation) -> None:
    subject = f"{row.namespace.slug}: {row.user.username}"
    audit.record(actor, action, subject, new=role_name(row.access), about=row.namespace)
