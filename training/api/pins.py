"""Pinned examples over the API."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from training.actions.pins import pin_item, pins_of, unpin
from training.api.verdict_shapes import DoneShape, PinSerializer, PinShape, PinsShape, pin_shape


class PinListView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/pins"""

    @extend_schema(summary=_("Pinned examples of a repository"), responses=PinsShape)
    def get(self, request: Request, **path: Any) -> Response:
        """Items that no later change may lose, the newest first."""
        pins, unseen = pins_of(self.repository, self.actor)
        return Response({"pins": [pin_shape(pin) for pin in pins], "unseen": unseen})


class PinView(RepositoryView):
    """DELETE /api/{kind}s/{namespace}/{name}/pins/{pk}"""

    @extend_schema(summary=_("Unpin an example"), responses=DoneShape)
    def delete(self, request: Request, pk: int, **path: Any) -> Response:
        unpin(self.repository, self.actor, pk)
        return Response({"success": True})


class ExamplePinView(RepositoryView):
    """POST /api/{kind}s/{namespace}/{name}/discussions/{number}/pins"""

    parser_classes = [AnyJSONParser]

    @extend_schema(
        summary=_("Pin an example as a regression test"),
        request=PinSerializer,
        responses={201: PinShape},
    )
    def post(self, request: Request, number: int, **path: Any) -> Response:
        """An item of the newest verdict, which no later change may lose."""
        form = PinSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        pin = pin_item(self.repository, number, self.actor, **form.validated_data)
        return Response(pin_shape(pin), status=201)
