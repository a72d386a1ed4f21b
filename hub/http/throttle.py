"""Counting guesses: by account, by code and by address."""

from __future__ import annotations

from contextlib import suppress

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

TRIES = 10
TRIES_WINDOW_SECONDS = 5 * 60


def client_address(request: HttpRequest) -> str:
    """Where a request comes from; nothing that a client can write itself is believed."""
    if settings.FRONT == "nginx":  # it replaces this header, and comes by a socket itself
        return str(request.headers.get("X-Forwarded-For", ""))
    return str(request.META.get("REMOTE_ADDR", ""))


def count_try(key: str, *, window_seconds: int = TRIES_WINDOW_SECONDS) -> int:
    """Count one more try under `key`; the sum of those in the running window."""
    cache.add(key, 0, window_seconds)
    try:
        return cache.incr(key)
    except ValueError:  # it has just run out
        return 1


def forgive_try(key: str) -> None:
    """The last one was no guess."""
    with suppress(ValueError):
        cache.decr(key)
