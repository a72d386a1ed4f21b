"""Access tokens: made by a person in the browser or by the operator, never by a token."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from hub.actions import audit
from hub.errors import BadInputError, ForbiddenError, NotFoundError
from hub.models import AccessToken, DeviceSession, Repository, TokenScope, User

if TYPE_CHECKING:
    from hub.policies import Actor


@transaction.atomic
def issue_token(
    user: User,
    *,
    name: str,
    scope: str,
    repositories: Iterable[Repository] = (),
    expires_at: datetime | None = None,
    session: DeviceSession | None = None,
    by: Actor | None = None,
) -> tuple[AccessToken, str]:
    """Create a token and return it with its secret, which nobody can read again.

    `repositories` limits it to those; none given means all that its person may reach.
    Raises: BadInputError, ForbiddenError when a token asks for another token.
    """
    if by is not None and by.token is not None:
        raise ForbiddenError("A token cannot create tokens: do this signed in, in the browser.")
    if scope not in TokenScope.values:
        raise BadInputError(f"There is no scope “{scope}”: use {', '.join(TokenScope.values)}.")
    if not name.strip() or len(name) > 96:
        raise BadInputError("Give the token a name of 1 to 96 characters.")
    if expires_at is not None and expires_at <= timezone.now():
        raise BadInputError("That moment is past: let the token end later.")
    token, secret = AccessToken.objects.issue(
        user, name=name.strip(), scope=scope, expires_at=expires_at, session=session
    )
    token.repositories.set(repositories)
    audit.record(by, "token.create", f"{user.username}: {name}", new=token.hint)
    return token, secret


@transaction.atomic
def revoke_token(user: User, pk: int, *, by: Actor | None = None) -> None:
    """End one of a person's tokens at once; ending it twice is no fault.

    With the token of a device ends its sign-in: nothing renews it.

    Raises: NotFoundError when it is nobody's or somebody else's.
    """
    mine = AccessToken.objects.filter(user=user, pk=pk)
    token = mine.first()
    if token is None:
        raise NotFoundError("There is no such token among yours.")
    if mine.filter(revoked_at__isnull=True).update(revoked_at=timezone.now()):
        audit.record(by, "token.revoke", f"{user.username}: {token.name}", old=token.hint)
    if token.session is not None:
        end_session(token.session)


def end_session(session: DeviceSession) -> None:
    """End a sign-in from a device: none of its tokens, old or new, is good for anything."""
    now = timezone.now()
    DeviceSession.objects.filter(pk=session.pk, ended_at__isnull=True).update(ended_at=now)
    session.access_tokens.filter(revoked_at__isnull=True).update(revoked_at=now)


@transaction.atomic
def end_tokens_limited_to(repository: Repository, by: Actor | None = None) -> None:
    """Revoke the tokens that reach nothing but `repository`, which is about to go.

    Without its last repository a token's list would be empty, which means no limit at all.
    """
    # No list gains this repository meanwhile, and of two that leave a list the later one sees it.
    Repository.objects.select_for_update().only("pk").filter(pk=repository.pk).first()
    listed = AccessToken.objects.filter(repositories=repository, revoked_at__isnull=True)
    limited = list(
        listed.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True)
    )
    counted = AccessToken.objects.filter(pk__in=limited).annotate(reach=Count("repositories"))
    for token in counted.filter(reach=1).select_related("user"):
        revoke_token(token.user, token.pk, by=by)
