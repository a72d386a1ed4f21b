"""Style sheets and scripts where no proxy stands in front (FRONT=none)."""

from __future__ import annotations

import re

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from django.views.static import serve

_HASHED = re.compile(r"\.[0-9a-f]{8,}\.[a-z0-9.]+$")


@require_safe
def static_file(request: HttpRequest, path: str) -> HttpResponseBase:
    """A collected file; one whose name holds a hash of its content may be kept for ever."""
    response = serve(request, path, document_root=str(settings.STATIC_ROOT))
    kept = "public, max-age=31536000, immutable" if _HASHED.search(path) else "no-cache"
    response["Cache-Control"] = kept
    return response
