"""What every template knows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

THEMES = ("auto", "light", "dark")


def hub(request: HttpRequest) -> dict[str, Any]:
    theme = request.COOKIES.get("theme", "auto")
    return {
        "hub_version": settings.VERSION,
        "public_url": settings.PUBLIC_URL,
        "theme": theme if theme in THEMES else "auto",
    }
