"""Offering a repository to a namespace where one may not create: its people accept or decline."""

from __future__ import annotations

from django.db import transaction

from hub.actions import audit, moving
from hub.errors import BadInputError, ConflictError, NotFoundError
from hub.models import (
    Access,
    Kind,
    Membership,
    Namespace,
    RepoId,
    Repository,
    RepositoryTransfer,
)
from hub.policies import Actor, access_of, require_person


@transaction.atomic
def offer_repository(repository: Repository, actor: Actor, slug: str) -> RepositoryTransfer:
    """Offer a repository to the namespace `slug`; a later offer takes the place of an earlier one.

    The caller may administer it. Raises: NotFoundError, BadInputError (it is there already).
    """
    target = Namespace.objects.filter(slug__iexact=slug.strip()).first()
    if target is None:
        raise NotFoundError(f"There is no person or organisation “{slug.strip()[:96]}” here.")
    if target.pk == repository.namespace_id:
        raise BadInputError(f"It belongs to {target.slug} already.")
    Repository.objects.locked(repository.pk)
    made, _new = RepositoryTransfer.objects.update_or_create(
        repository=repository, defaults={"target": target, "offered_by": require_person(actor)}
    )
    subject = f"{repository.named_by} → {target.slug}"
    audit.record(actor, "repository.offer", subject, about=repository)
    return made


@transaction.atomic
def withdraw_offer(repository: Repository, actor: Actor) -> None:
    """Take an offer back; none is no fault."""
    if RepositoryTransfer.objects.filter(repository=repository).delete()[0]:
        audit.record(actor, "repository.offer_end", str(repository.named_by), about=repository)


@transaction.atomic
def decline_repository(actor: Actor, pk: int) -> None:
    """Refuse what was offered. Raises: NotFoundError."""
    found = _offered(actor, pk)
    audit.record(
        actor, "repository.offer_end", str(found.repository.named_by), about=found.repository
    )
    found.delete()


@transaction.atomic
def accept_repository(actor: Actor, pk: int) -> Repository:
    """Take what was offered into the namespace it was offered to, under its own name.

    Raises: NotFoundError (answered or withdrawn), ConflictError (the name is taken there, or who
    offered it may no longer give it away).
    """
    found = _offered(actor, pk)
    repository = found.repository
    if access_of(found.offered_by, repository) < Access.ADMIN:
        raise ConflictError(f"{found.offered_by.username} may no longer give it away: ask again.")
    found.delete()
    to = RepoId(Kind(repository.kind), found.target.slug, repository.name)
    return moving.move_repository(repository, actor, to)


def _offered(actor: Actor, pk: int) -> RepositoryTransfer:
    """The offer, for somebody who may create in the namespace it was made to."""
    mine = Membership.objects.filter(user=actor.user.pk, access__gte=Access.WRITE)
    rows = RepositoryTransfer.objects.filter(pk=pk, target__in=mine.values("namespace"))
    # The repository is locked first, as by those who offer it.
    key = rows.values_list("repository", flat=True).first()
    if key is not None:
        Repository.objects.locked(key)
    rows = rows.select_for_update(of=("self",))
    found = rows.select_related("repository__namespace", "target", "offered_by").first()
    if found is None:
        raise NotFoundError("There is no such offer: it was answered or withdrawn.")
    return found
