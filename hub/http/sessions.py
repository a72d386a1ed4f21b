"""When each signed-in browser was last seen, written every few minutes at most."""

from __future__ import annotations

import time

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from hub.http.middleware import Handler
from hub.http.throttle import client_address
from hub.models import BrowserSession

SEEN = "seen_at"
EVERY_SECONDS = 5 * 60


class SeenMiddleware:
    """Notes that a browser was here. Programs, which send no cookie, cost nothing."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.session.accessed:
            _note(request)
        return response


def _note(request: HttpRequest) -> None:
    seen_at = request.session.get(SEEN)
    if seen_at is None or time.time() - seen_at < EVERY_SECONDS:
        return
    request.session[SEEN] = time.time()
    rows = BrowserSession.objects.filter(session_key=request.session.session_key)
    rows.update(last_seen_at=timezone.now(), address=client_address(request)[:64])


def begin(request: HttpRequest, user_pk: int) -> None:
    """A browser has just signed in: its person is told of it from now on."""
    request.session[SEEN] = time.time()
    if request.session.session_key is None:  # somebody else was signed in until now
        request.session.save()
    BrowserSession.objects.update_or_create(
        session_key=request.session.session_key,
        defaults={
            "user_id": user_pk,
            "agent": request.headers.get("User-Agent", "")[:200],
            "address": client_address(request)[:64],
            "last_seen_at": timezone.now(),
        },
    )


def end(request: HttpRequest) -> None:
    """The browser signs out."""
    BrowserSession.objects.filter(session_key=request.session.session_key).delete()
