"""The API for people: what each operation takes and answers, read from its OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.text import slugify
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from hub.errors import NotFoundError
from hub.http.openapi import document

Facts = dict[str, Any]
REF = "#/components/schemas/"
MODES = {
    "application/json": "",
    "application/x-ndjson": _("one JSON object a line"),
    "application/octet-stream": _("bytes"),
    "text/plain": _("text"),
    "*/*": _("bytes"),
}


@dataclass(frozen=True)
class Value:
    """A parameter, or a key of a body."""

    name: str
    kind: str
    note: str
    is_required: bool
    inner: list[Value] = field(default_factory=list)


@dataclass(frozen=True)
class Body:
    """What is sent or answered: its keys, or a word for what is no object."""

    word: str
    values: list[Value]


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    method: str
    path: str
    summary: str
    parameters: list[Value]
    request: Body | None
    answer: Body | None
    status: str
    curl: str

    @property
    def anchor(self) -> str:
        return slugify(f"{self.method} {self.path}")


@dataclass(frozen=True)
class Section:
    """Operations about one thing."""

    name: str
    operations: list[Operation]

    @property
    def slug(self) -> str:
        return slugify(self.name)

    @property
    def title(self) -> str:
        return gettext(self.name)


class Reader:
    """Reads an OpenAPI document into sections."""

    def __init__(self, spec: Facts) -> None:
        self._spec = spec
        self._shapes: Facts = spec["components"]["schemas"]

    def sections(self) -> list[Section]:
        found: dict[str, list[Operation]] = {}
        for path, methods in self._spec["paths"].items():
            for method, facts in methods.items():
                one = self._operation(method.upper(), path, facts)
                found.setdefault(facts["tags"][0], []).append(one)
        order = [one["name"] for one in self._spec["tags"]]
        return [Section(title, found[title]) for title in order]

    def _operation(self, method: str, path: str, facts: Facts) -> Operation:
        status, answer = next(iter(facts["responses"].items()))
        request = self._body(facts.get("requestBody", {}).get("content", {}))
        return Operation(
            method=method,
            path=path,
            summary=facts.get("summary", ""),
            parameters=[self._parameter(one) for one in facts.get("parameters", [])],
            request=request,
            answer=self._body(answer.get("content", {})),
            status=status,
            curl=_curl(method, path, request),
        )

    def _parameter(self, one: Facts) -> Value:
        needed = one.get("required", False)
        return Value(one["name"], self._kind(one["schema"]), one.get("description", ""), needed)

    def _body(self, content: Facts) -> Body | None:
        for media, facts in content.items():
            schema = facts["schema"]
            word = str(MODES.get(media, media)) or self._kind(schema)
            return Body(word, self._values(schema))
        return None

    def _kind(self, schema: Facts) -> str:
        schema = self._resolved(schema)
        if schema.get("type") == "array":
            return f"{self._kind(schema['items'])}[]"
        if choices := schema.get("enum"):
            return " | ".join(f"“{choice}”" for choice in choices)
        return str(schema.get("type", "any"))

    def _values(self, schema: Facts, depth: int = 0) -> list[Value]:
        schema = self._resolved(schema)
        if schema.get("type") == "array":
            return self._values(schema["items"], depth)
        needed = schema.get("required", [])
        return [
            Value(
                name=name,
                kind=self._kind(one),
                note=self._resolved(one).get("description", one.get("description", "")),
                is_required=name in needed,
                inner=self._values(one, depth + 1) if depth < 2 else [],
            )
            for name, one in schema.get("properties", {}).items()
        ]

    def _resolved(self, schema: Facts) -> Facts:
        for one in (schema, *schema.get("allOf", []), *schema.get("oneOf", [])):
            if "$ref" in one:
                return dict(self._shapes[one["$ref"].removeprefix(REF)])
        return schema


def _curl(method: str, path: str, request: Body | None) -> str:
    """A command to start from; names in braces are to be filled in."""
    parts = ["curl", "-H", '"Authorization: Bearer $HF_TOKEN"']
    if method not in {"GET"}:
        parts += ["-X", method]
    if request is not None and request.values:
        keys = ", ".join(f'"{one.name}": …' for one in request.values if one.is_required)
        parts += ["-H", '"Content-Type: application/json"', "-d", f"'{{{keys}}}'"]
    return " ".join([*parts, f"{settings.PUBLIC_URL}{path}"])


def api_index(request: HttpRequest) -> HttpResponse:
    """Every operation by name."""
    return render(request, "hub/api_index.html", {"sections": _sections()})


def api_section(request: HttpRequest, slug: str) -> HttpResponse:
    """The operations about one thing, in full."""
    sections = _sections()
    section = next((one for one in sections if one.slug == slug), None)
    if section is None:
        raise NotFoundError("The API has no such section.")
    return render(request, "hub/api_section.html", {"sections": sections, "section": section})


def _sections() -> list[Section]:
    return Reader(document(get_language() or "en")).sections()
