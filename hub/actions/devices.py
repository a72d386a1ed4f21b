"""Sign-in from devices: a program asks, a person decides in the browser, the program collects."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from hub.actions import audit, tokens
from hub.errors import AlreadyDecidedError, BadInputError, ForbiddenError, OAuthError
from hub.models import DeviceLogin, DeviceLoginState, DeviceSession, RefreshToken, TokenScope
from hub.models.devices import digest_of_code, new_user_code
from hub.models.tokens import digest_of

if TYPE_CHECKING:
    from hub.policies import Actor

# Requests that are under way with the token of before must not fail at its renewal.
GRACE = timedelta(minutes=10)
SCOPES = (TokenScope.READ, TokenScope.WRITE)


@dataclass(frozen=True)
class Asked:
    """What a program gets for its wish; the person compares `user_code`."""

    device_code: str
    user_code: str
    login: DeviceLogin


@dataclass(frozen=True)
class Granted:
    """What an approved program gets, shown this once only."""

    access_token: str
    refresh_token: str
    expires_in_seconds: int
    scope: str


def ask(*, client_name: str, address: str, scope: str) -> Asked:
    """Write down that a program wants to act for somebody."""
    device_code, user_code = secrets.token_urlsafe(32), new_user_code()
    login = DeviceLogin.objects.create(
        device_digest=digest_of(device_code),
        user_code_digest=digest_of_code(user_code),
        client_name=client_name,
        address=address[:64],
        scope=scope,
        expires_at=timezone.now() + settings.DEVICE_LOGIN_LIFETIME,
    )
    return Asked(device_code, user_code, login)


@transaction.atomic
def decide(login: DeviceLogin, by: Actor, *, approve: bool, name: str, scope: str) -> None:
    """Let a waiting program in as `by`, with this scope and a name for its token, or refuse it.

    Raises: ForbiddenError for a token (only a person in the browser decides), BadInputError,
    AlreadyDecidedError when somebody did or its time ran out.
    """
    if by.token is not None or by.person is None:
        raise ForbiddenError("A token cannot create tokens: do this signed in, in the browser.")
    if scope not in SCOPES:
        raise BadInputError(f"A device gets one of the scopes {', '.join(SCOPES)}.")
    if not name.strip() or len(name) > 96:
        raise BadInputError("Give the token a name of 1 to 96 characters.")
    state = DeviceLoginState.APPROVED if approve else DeviceLoginState.DENIED
    if not DeviceLogin.objects.decide(login.pk, state, by.person, name=name.strip(), scope=scope):
        raise AlreadyDecidedError("This request has ended: start again on the device.")
    audit.record(by, f"device.{state}", f"{by.person.username}: {name}", new=login.address)


def collect(device_code: str) -> Granted:
    """What `device_code` is worth now: the tokens, once, after a person approved.

    Raises: OAuthError that says whether to ask again.
    """
    with transaction.atomic():
        found = _collect(device_code)
    if isinstance(found, OAuthError):  # raised only now: what it wrote down stays
        raise found
    return found


def _collect(device_code: str) -> Granted | OAuthError:
    now = timezone.now()
    rows = DeviceLogin.objects.select_for_update(of=("self",)).select_related("user")
    login = rows.filter(device_digest=digest_of(device_code)).first()
    if login is None or login.state == DeviceLoginState.USED:
        return OAuthError("invalid_grant", "This device code is unknown or was used already.")
    if login.state == DeviceLoginState.DENIED:
        return OAuthError("access_denied", "The request was denied in the browser.")
    if login.expires_at <= now:
        return OAuthError("expired_token", "The code has expired: start again.")
    if login.user is None:
        return _wait(login, now)
    if not login.user.is_active:
        return OAuthError("access_denied", "This account is closed.")
    login.state = DeviceLoginState.USED
    login.save(update_fields=["state"])
    session = DeviceSession.objects.create(
        user=login.user, name=login.name, scope=login.scope, address=login.address
    )
    return _grant(session, now)


def _wait(login: DeviceLogin, now: datetime) -> OAuthError:
    too_often = login.asks_too_often(now)
    DeviceLogin.objects.filter(pk=login.pk).update(last_polled_at=now)
    if too_often:
        DeviceLogin.objects.slow_down(login.pk)
        return OAuthError("slow_down", "Wait five seconds longer between requests.")
    return OAuthError("authorization_pending", "Nobody has approved this in the browser yet.")


def _grant(session: DeviceSession, now: datetime) -> Granted:
    expires_at = now + settings.DEVICE_TOKEN_LIFETIME
    _token, secret = tokens.issue_token(
        session.user,
        name=session.name,
        scope=session.scope,
        expires_at=expires_at,
        session=session,
    )
    refresh = RefreshToken.objects.issue(session, expires_at=now + settings.TOKEN_LIFETIME)
    return Granted(
        secret, refresh, int(settings.DEVICE_TOKEN_LIFETIME.total_seconds()), session.scope
    )


def renew(refresh_token: str) -> Granted:
    """New tokens for an unused refresh token. A used one ends the whole sign-in: it was stolen.

    Raises: OAuthError `invalid_grant`.
    """
    with transaction.atomic():
        granted = _renew(refresh_token)
    if granted is None:
        raise OAuthError("invalid_grant", "This sign-in has ended: sign in again.")
    return granted


def _renew(refresh_token: str) -> Granted | None:
    now = timezone.now()
    found = RefreshToken.objects.filter(digest=digest_of(refresh_token)).first()
    if found is None:
        return None
    rows = DeviceSession.objects.select_for_update(of=("self",)).select_related("user")
    session = rows.get(pk=found.session_id)
    if session.ended_at is not None or found.expires_at <= now or not session.user.is_active:
        return None
    fresh = RefreshToken.objects.filter(pk=found.pk, used_at__isnull=True)
    if not fresh.update(used_at=now):
        tokens.end_session(session)
        audit.record(None, "device.reuse", f"{session.user.username}: {session.name}")
        return None
    old = session.access_tokens.filter(expires_at__gt=now + GRACE, revoked_at__isnull=True)
    old.update(expires_at=now + GRACE)
    return _grant(session, now)
