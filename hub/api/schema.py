"""The OpenAPI document: every operation with the refusals that all of them share."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes

REFUSALS = {
    "400": "The request is not as it should be.",
    "401": "No account, a token that is not valid, or a repository that is not public.",
    "403": "The access or the token's scope is too small, or the branch is protected.",
    "404": "Not there, or not visible to the caller.",
    "409": "It exists already, or something stands in the way.",
    "412": "The branch is not where the caller believed.",
    "413": "Above a limit of this server.",
    "422": "A path, a hash or a length is wrong.",
}
ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string", "description": "One sentence: cause and remedy."}},
    "required": ["error"],
}


class HubSchema(AutoSchema):
    """Bodies are plain JSON objects unless a view says more; refusals are always listed."""

    def get_request_serializer(self) -> Any:
        return OpenApiTypes.OBJECT

    def get_response_serializers(self) -> Any:
        return OpenApiTypes.OBJECT

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status, description in REFUSALS.items():
            bodies.setdefault(status, _refusal(description))
        return bodies


def _refusal(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {
            name: {"schema": {"type": "string"}} for name in ("X-Error-Code", "X-Error-Message")
        },
        "content": {"application/json": {"schema": ERROR}},
    }
