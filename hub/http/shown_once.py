"""A secret that the next page shows, once: it travels with the browser and lies nowhere here.

The answer to a form leads to that page, so that a reload repeats nothing. Sealed under a key of
SECRET_KEY, for one person and two minutes (threats A1).
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.http import HttpRequest, HttpResponse

LIFETIME_SECONDS = 120


@cache
def _box(secret_key: str) -> Fernet:
    digest = hashlib.sha256(b"shown once\0" + secret_key.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def _name(path: str) -> str:
    what = path.strip("/-").replace("/", "-")
    return f"__Secure-once-{what}" if settings.SECURE else f"once-{what}-{settings.HUB_PORT}"


def hand_over(request: HttpRequest, response: HttpResponse, path: str, **said: str) -> None:
    """Let the page at `path` show `said` to the person of `request` when it is asked for next."""
    sealed = _box(settings.SECRET_KEY).encrypt(json.dumps([request.user.pk, path, said]).encode())
    response.set_cookie(
        _name(path),
        sealed.decode(),
        max_age=LIFETIME_SECONDS,
        path=path,
        secure=settings.SECURE,
        httponly=True,
        samesite="Strict",
    )


def handed_over(request: HttpRequest) -> dict[str, str]:
    """What the page that is asked for was to show; nothing when it was shown or is not theirs."""
    sealed = request.COOKIES.get(_name(request.path), "")
    try:
        opened = _box(settings.SECRET_KEY).decrypt(sealed.encode(), ttl=LIFETIME_SECONDS)
    except InvalidToken:
        return {}
    person, path, said = json.loads(opened)
    return dict(said) if (person, path) == (request.user.pk, request.path) else {}


def forget(request: HttpRequest, response: HttpResponse) -> None:
    """Call it on the answer that shows it."""
    name = _name(request.path)
    if name in request.COOKIES:
        response.set_cookie(
            name,
            max_age=0,
            path=request.path,
            secure=settings.SECURE,
            httponly=True,
            samesite="Strict",
        )
