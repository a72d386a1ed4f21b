"""What every template knows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from hub.web.inbox import unread

THEMES = ("auto", "light", "dark")
# What the header leads to: there it says where the reader is.
TOP_PAGES = frozenset({"/-/explore", "/-/benchmarks", "/-/runs", "/-/new"})
EXPLORE = "/-/explore"


def hub(request: HttpRequest) -> dict[str, Any]:
    theme = request.COOKIES.get("theme", "auto")
    return {
        "hub_version": settings.VERSION,
        "public_url": settings.PUBLIC_URL,
        "own_picture": lambda: getattr(getattr(request, "user", None), "picture_id", None),
        "unread": lambda: unread(request),  # asked where it is shown
        "top_page": request.path if request.path in TOP_PAGES else "",
        "searched": request.GET.get("q", "") if request.path == EXPLORE else "",
        "theme": theme if theme in THEMES else "auto",
    }
