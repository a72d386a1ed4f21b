"""The audit trail: who did what, with which token, and what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.models import AuditEntry, Event, Repository

if TYPE_CHECKING:
    from hub.models import Namespace
    from hub.policies import Actor

OPERATOR = "(operator)"


def record(
    actor: Actor | None,
    action: str,
    subject: str,
    *,
    old: str = "",
    new: str = "",
    about: Repository | Namespace | None = None,
) -> None:
    """Add a line that nobody can change afterwards. `actor` None is the operator's command line.

    `about`: whose administrators read it on their page.
    """
    namespace_number = repository_number = None
    if isinstance(about, Repository):
        namespace_number, repository_number = about.namespace_id, about.pk
    elif about is not None:
        namespace_number = about.pk
    AuditEntry.objects.create(
        actor_name=actor.user.get_username() if actor and actor.is_signed_in else OPERATOR,
        token_hint=actor.token.hint if actor and actor.token else "",
        action=action,
        subject=subject[:300],
        old=old,
        new=new,
        namespace_number=namespace_number,
        repository_number=repository_number,
    )


def announce(
    repository: Repository, actor: Actor | None, kind: str, *, path: str = "", **data: Any
) -> None:
    """Add a line to what people read on the repository's activity."""
    user = actor.person if actor else None
    Event.objects.create(repository=repository, actor=user, kind=kind, path=path[:300], data=data)
