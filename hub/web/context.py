"""What every template knows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from hub.web.inbox import unread

THEMES = ("auto", "light", "dark")


def hub(request: HttpRequest) -> dict[str, Any]:
    theme = request.COOKIES.get("theme", "auto")
    return {
        "hub_version": settings.VERSION,
        "public_url": settings.PUBLIC_URL,
        "unread": SimpleLazyObject(lambda: unread(request)),  # asked where it is shown
        "theme": theme if theme in THEMES else "auto",
    }
