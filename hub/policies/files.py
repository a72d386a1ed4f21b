"""Files of gated repositories: who gets them, and what the others are told."""

from __future__ import annotations

from enum import StrEnum

from hub.errors import GatedRepositoryError
from hub.models import Access, AccessRequest, Repository
from hub.policies.actors import Actor
from hub.policies.people import is_member


class FileAccess(StrEnum):
    """Where somebody stands with the files of a repository that they may see."""

    OPEN = "open"  # not gated, or theirs as a member of the namespace
    ACCEPTED = "accepted"
    SIGN_IN = "sign in"
    ASK = "ask"
    PENDING = "pending"
    REJECTED = "rejected"

    @property
    def allows(self) -> bool:
        return self in {FileAccess.OPEN, FileAccess.ACCEPTED}


def file_access(actor: Actor, repository: Repository) -> FileAccess:
    """Where `actor` stands with the files now: asked afresh, so that a decision acts at once."""
    if not repository.gated or repository.access > Access.READ:
        return FileAccess.OPEN
    if not actor.is_signed_in:
        return FileAccess.SIGN_IN
    if is_member(actor.user, repository):
        return FileAccess.OPEN
    asked = AccessRequest.objects.filter(repository=repository, user=actor.user.pk)
    status = asked.values_list("status", flat=True).first()
    return FileAccess(status) if status else FileAccess.ASK


# The sentences of the public Hub: clients show them, and some look for a part of them.
_CLOSED = {
    FileAccess.SIGN_IN: "Access to {it} is restricted. You must have access to it and be "
    "authenticated to access it. Please log in.",
    FileAccess.ASK: "Access to {it} is restricted and you are not in the authorized list. "
    "Visit {page} to ask for access.",
    FileAccess.PENDING: "Your request to access {it} is awaiting a review from the repo authors. "
    "Access to {it} is restricted and you are not in the authorized list.",
    FileAccess.REJECTED: "Your request to access {it} has been rejected by the repo's authors. "
    "Access to {it} is restricted and you are not in the authorized list.",
}


def require_files(actor: Actor, repository: Repository) -> None:
    """Refuse the files of a gated repository to all but its namespace and those it accepted.

    Raises: GatedRepositoryError.
    """
    standing = file_access(actor, repository)
    if standing.allows:
        return
    it, page = f"{repository.kind} {repository.repo_id}", repository.public_url()
    ask_path = f"/{repository.path}/access"
    raise GatedRepositoryError(_CLOSED[standing].format(it=it, page=page), ask_path=ask_path)
