"""POST /api/validate-yaml: what is wrong with a README before it is committed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from hub.api import shapes
from hub.api.parsers import AnyJSONParser
from hub.api.views import HubView, body_of, text_of
from hub.formats.card import validate_card
from hub.http import rates
from hub.models import Kind


class ValidateYamlView(HubView):
    """POST /api/validate-yaml"""

    rate_of_changes = rates.API
    parser_classes = [AnyJSONParser]

    @extend_schema(
        summary=_("Check the metadata of a card"),
        request=shapes.CardShape,
        responses={200: shapes.CardProblemsShape, 400: shapes.CardRefusalShape},
    )
    def post(self, request: Request) -> HttpResponse:
        body = body_of(request)
        kind = text_of(body, "repoType", default=Kind.MODEL, most=16)
        content = text_of(body, "content", most=settings.CARD_LIMIT_BYTES)
        # Cards of kinds that this server does not hold are read as a model's.
        found = validate_card(content, kind if kind in Kind.values else Kind.MODEL)
        errors, warnings = found
        status = 400 if errors else 200
        if request.headers.get("Accept", "").startswith("text/plain"):
            said = _as_text(errors, warnings)
            return _marked(HttpResponse(said, "text/plain; charset=utf-8", status))
        answer: dict[str, Any] = {
            "errors": [{"message": message} for message in errors],
            "warnings": [{"message": message} for message in warnings],
        }
        if errors:
            answer["error"] = "Invalid metadata in the card."
        return _marked(JsonResponse(answer, status=status))


def _marked(response: HttpResponse) -> HttpResponse:
    """With the headers of every refusal, if it is one: nobody recodes its body then."""
    if response.status_code >= 400:
        response["X-Error-Code"] = "BadRequest"
        response["X-Error-Message"] = "Invalid metadata in the card."
    return response


def _as_text(errors: list[str], warnings: list[str]) -> str:
    lines = [f"- Error: {message}" for message in errors]
    return "\n".join([*lines, *(f"- Warning: {message}" for message in warnings)])
