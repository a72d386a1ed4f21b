"""GET /api/schema: what the API offers, as OpenAPI 3."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.views import HubView
from hub.http.openapi import document


class SchemaView(HubView):
    """GET /api/schema"""

    authentication_classes = []

    @extend_schema(summary=_("This description"), responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response(document())
