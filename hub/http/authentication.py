"""Who sends an API request: a bearer token, or the session of a page with a CSRF token."""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from hub.errors import InvalidCredentialsError
from hub.http.throttle import client_address
from hub.models import AccessToken
from hub.policies import ANONYMOUS, Actor

_USE_RECORDED_EVERY = timedelta(minutes=5)


def actor_for_secret(secret: str, address: str = "") -> Actor:
    """The person and token behind a token's secret, sent from `address`.

    Raises: InvalidCredentialsError.
    """
    token = AccessToken.objects.for_secret(secret)
    if token is None:
        raise InvalidCredentialsError
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > _USE_RECORDED_EVERY:
        AccessToken.objects.filter(pk=token.pk).update(
            last_used_at=now, last_used_address=address[:64]
        )
    return Actor(token.user, token)


def actor_from_header(header: str, address: str = "") -> Actor | None:
    """Read an `Authorization` header: Bearer, or Basic with the token as password (git, LFS).

    None when there is no such header. Raises: InvalidCredentialsError.
    """
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return actor_for_secret(value.strip(), address)
    if scheme.lower() == "basic":
        try:
            _name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidCredentialsError from None
        return actor_for_secret(password or _name, address)
    return None


class BearerAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        actor = actor_from_header(request.headers.get("Authorization", ""), client_address(request))
        return None if actor is None else (actor.user, actor.token)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class PageAuthentication(SessionAuthentication):
    """The browser's session; Django's CSRF check applies to every change."""

    def enforce_csrf(self, request: Any) -> None:
        """Look for the token where no parser of the API is asked: bodies may be streams."""
        super().enforce_csrf(request._request)


def actor_of(request: HttpRequest | Request) -> Actor:
    """Who sends `request`, as policies want it."""
    if isinstance(request, Request):
        token = request.auth if isinstance(request.auth, AccessToken) else None
        return Actor(request.user, token)
    user = getattr(request, "user", None)
    return Actor(user) if user is not None else ANONYMOUS
