"""GET /api/schema: what the API offers, as OpenAPI 3."""

from __future__ import annotations

from drf_spectacular.views import SpectacularAPIView
from rest_framework.renderers import JSONRenderer

from hub.api.views import OneLanguage


class SchemaView(SpectacularAPIView):
    """GET /api/schema"""

    renderer_classes = [JSONRenderer]
    authentication_classes = []
    content_negotiation_class = OneLanguage
