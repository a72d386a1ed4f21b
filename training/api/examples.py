"""Examples of a verdict over the API: page by page, with the filters of the page for people."""

from __future__ import annotations

from math import ceil
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.views import RepositoryView
from hub.errors import BadInputError
from training.actions.disclosure import disclose
from training.actions.examples import LENGTHS, Query, find_examples
from training.actions.notes import talk_of
from training.actions.standing import records_of
from training.api.verdict_shapes import (
    DIRECTION_NAMES,
    REMARK_NAMES,
    ExamplesShape,
    example_shape,
)

PAGE_LIMIT, PAGE_SIZE = 100, 20
_WORDS = {"direction": DIRECTION_NAMES, "length": tuple(LENGTHS), "remark": REMARK_NAMES}


class ExamplesView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/discussions/{number}/examples"""

    @extend_schema(
        summary=_("Examples of a verdict, flipped ones first"),
        parameters=[
            OpenApiParameter("benchmark", str, description="A benchmark's key in the gate."),
            OpenApiParameter("direction", str, enum=DIRECTION_NAMES),
            OpenApiParameter("group", str),
            OpenApiParameter("length", str, enum=_WORDS["length"]),
            OpenApiParameter("item", str, description="The beginning of an item's id."),
            OpenApiParameter("remark", str, enum=REMARK_NAMES),
            OpenApiParameter("page", int, description="From 1."),
            OpenApiParameter("limit", int, description=f"At most {PAGE_LIMIT}."),
        ],
        responses=ExamplesShape,
    )
    def get(self, request: Request, number: int, **path: Any) -> Response:
        """Without a direction: those that changed. What you may not see is not there."""
        given = {name: str(value)[:200] for name, value in request.query_params.items()}
        page, limit = _number(given, "page", 1, 10**6), _number(given, "limit", PAGE_SIZE, 100)
        for name, known in _WORDS.items():
            if given.get(name, "") not in ("", *known):
                raise BadInputError(f"{name} must be one of {', '.join(known)}.")
        record = records_of(self.repository, number).first()
        if record is None:
            return Response(_nothing(page))
        told = disclose(record, self.actor)
        talk = talk_of(self.repository, number, told)
        names = ("benchmark", "direction", "group", "length", "item")
        remark = given.get("remark", "")
        found = find_examples(
            self.repository,
            record,
            self.actor,
            Query(
                **{name: given.get(name, "") for name in names},
                items=talk.items(remark) if remark else None,
            ),
            start=(page - 1) * limit,
            count=limit,
            told=told,
        )
        return Response(
            {
                "examples": [example_shape(e, talk.on(e.key, e.item)) for e in found.examples],
                "total": found.total,
                "page": page,
                "pages": max(1, ceil(found.total / limit)),
                "counts": found.counts,
                "groups": found.groups,
                "hidden": found.hidden,
            }
        )


def _nothing(page: int) -> dict[str, Any]:
    return {
        "examples": [], "total": 0, "page": page, "pages": 1, "counts": {}, "groups": [],
        "hidden": [],
    }  # fmt: skip


def _number(given: dict[str, str], name: str, default: int, most: int) -> int:
    text = given.get(name) or str(default)
    if not text.isdecimal() or not text.isascii() or not 1 <= int(text[:9]) <= most:
        raise BadInputError(f"{name} must be a number from 1 to {most}.")
    return int(text)
