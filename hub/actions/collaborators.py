"""People who hold access on one repository only."""

from __future__ import annotations

from django.db import transaction

from hub.actions import audit
from hub.actions.organizations import role_name
from hub.errors import BadInputError, ConflictError
from hub.models import Access, Collaborator, Repository, TokenScope, User
from hub.policies import Actor, require_scope

LIMIT = 200


@transaction.atomic
def set_collaborator(
    repository: Repository, user: User, access: Access, *, by: Actor
) -> Collaborator:
    """Give a person this access on a repository, whatever they held on it before.

    Raises: BadInputError (no role, the owner), ConflictError (too many), ForbiddenError (scope).
    """
    require_scope(by, TokenScope.ADMIN)  # it governs others (decision 11)
    if access <= Access.NONE:
        raise BadInputError("Choose a role.")
    if repository.namespace.owner_id == user.pk:
        raise BadInputError(f"{repository.repo_id} is theirs already.")
    Repository.objects.locked(repository.pk)
    rows = repository.collaborators.all()
    held = rows.filter(user=user).values_list("access", flat=True).first()
    if held is None and rows.count() >= LIMIT:
        raise ConflictError(f"{LIMIT} people are the most: make an organisation for more.")
    row, _new = Collaborator.objects.update_or_create(
        repository=repository, user=user, defaults={"access": access}
    )
    subject = f"{repository.kind} {repository.repo_id}: {user.username}"
    old, new = role_name(held), role_name(access)
    audit.record(by, "collaborator.set", subject, old=old, new=new, about=repository)
    return row


@transaction.atomic
def remove_collaborator(repository: Repository, user: User, *, by: Actor) -> None:
    """End what a person holds on this repository alone; nothing held is no fault.

    Raises: ForbiddenError (token's scope).
    """
    if by.person != user:  # everybody may leave
        require_scope(by, TokenScope.ADMIN)
    removed, _by_model = repository.collaborators.filter(user=user).delete()
    if removed:
        subject = f"{repository.kind} {repository.repo_id}: {user.username}"
        audit.record(by, "collaborator.remove", subject, about=repository)
