"""Frames for programs that read what anybody wrote: without our origin, cookies or network.

The one script that may run is the one that the frame holds; what it is to read, and the library
that reads it, are handed to it by the page over a message's port.
"""

from __future__ import annotations

import base64
import hashlib

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from hub.http.middleware import Handler


def sealed_frame(
    title: str, body: str, *, style: str, script: str, workers: bool = False
) -> Handler:
    """A view of such a frame; `workers`: its script may start some of its own.

    Code that the page hands over runs from `blob:` addresses, which nobody else can name.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}' blob:; "
        f"{'worker-src blob:; ' if workers else ''}style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
    )
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style>{body}<script>{script}</script></html>"
    )

    @require_safe
    @xframe_options_exempt
    @cache_control(public=True, max_age=3600)
    def frame(request: HttpRequest) -> HttpResponse:
        return HttpResponse(page, headers={"Content-Security-Policy": policy})

    return frame
