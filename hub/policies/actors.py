"""Who asks: a person, with the token they sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AnonymousUser

from hub.errors import ForbiddenError, NotFoundError, UnauthenticatedError
from hub.models import Access, AccessToken, TokenScope, User

if TYPE_CHECKING:
    from hub.models.repositories import Person


@dataclass(frozen=True)
class Actor:
    """Who asks: a person, and the token they sent, whose scope and list limit them."""

    user: Person
    token: AccessToken | None = None

    @property
    def is_signed_in(self) -> bool:
        return bool(self.user.is_authenticated)

    @property
    def person(self) -> User | None:
        """The signed-in person."""
        return self.user if isinstance(self.user, User) else None

    @property
    def ceiling(self) -> Access:
        """The most that it may do to a repository; see decision 11."""
        return Access.ADMIN if self.token is None else self.token.ceiling

    @property
    def is_limited(self) -> bool:
        """Whether the token is for some repositories only: it creates and governs nothing."""
        return self.token is not None and self.token.is_for_some_only

    def has_scope(self, scope: TokenScope) -> bool:
        """Whether the token reaches this far; a browser reaches as far as its person."""
        return self.token is None or TokenScope(self.token.scope).includes(scope)


ANONYMOUS = Actor(AnonymousUser())


def keys_of(actor: Actor) -> dict[str, int]:
    """All that a query of what `actor` may see depends on, for `models.prepared`."""
    if actor.person is None:
        return {}
    if actor.token is None or not actor.is_limited:
        return {"person": actor.person.pk}
    return {"person": actor.person.pk, "token": actor.token.pk}


def asker(person: int | None = None, token: int | None = None) -> Actor:
    """One of whom only `keys_of` is known: good for queries and nothing else."""
    if person is None:
        return ANONYMOUS
    if token is None:
        return Actor(User(pk=person))
    limited = AccessToken(pk=token)
    limited.has_list = True  # type: ignore[attr-defined]
    return Actor(User(pk=person), limited)


def require_person(actor: Actor, *, scope: TokenScope = TokenScope.READ) -> Any:
    """The signed-in person, acting with a token of at least `scope` or in the browser.

    Raises: UnauthenticatedError, ForbiddenError.
    """
    if not actor.is_signed_in:
        raise UnauthenticatedError("Sign in first: this needs an account on this server.")
    require_scope(actor, scope)
    return actor.user


def require_operator(actor: Actor) -> Any:
    """The person who runs this hub, in the browser; for everybody else there is nothing here.

    Raises: UnauthenticatedError, NotFoundError.
    """
    person = require_person(actor)
    if actor.token is not None or not person.is_staff:
        raise NotFoundError("There is nothing at this address, or you may not see it.")
    return person


def require_scope(actor: Actor, scope: TokenScope) -> None:
    """Refuse a token whose scope is too small. Raises: ForbiddenError."""
    if not actor.has_scope(scope):
        raise ForbiddenError(f"This needs a token with {scope.label} scope.")
