"""The description of the API, made once a process and language."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.utils import translation
from drf_spectacular.generators import SchemaGenerator


@cache
def document(language: str = "en") -> dict[str, Any]:
    """The OpenAPI 3 document; its summaries and notes are in `language`."""
    with translation.override(language):
        made: dict[str, Any] = SchemaGenerator().get_schema(public=True)
        return plain(made)


def plain(value: Any) -> Any:
    """`value` with every lazy text spoken in the language of the moment."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value if isinstance(value, bool | int | float | None) else str(value)
