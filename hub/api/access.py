"""Gated repositories: who asks for the files, who is let in (hub-api section 8.2)."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import access_requests
from hub.api import people_shapes as shapes
from hub.api.paging import newest
from hub.api.parameters import CURSOR, LIMIT
from hub.api.parsers import BoundedFormParser, BoundedJSONParser
from hub.api.shapes import EmptyShape
from hub.api.views import RepositoryView, body_of, text_of
from hub.api.wire import linked
from hub.errors import BadInputError, NotFoundError
from hub.models import Access, RepoId, RequestStatus


class AccessRequestListView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/user-access-request/{status}"""

    need = Access.WRITE

    @extend_schema(
        summary=_("Who asked for the files of a gated repository"),
        parameters=[LIMIT, CURSOR],
        responses=shapes.AccessRequestShape(many=True),
    )
    def get(self, request: Request, repo: RepoId, status: str) -> Response:
        if status not in RequestStatus.values:
            raise NotFoundError(f"Access requests are {', '.join(RequestStatus.values)}.")
        if not self.repository.gated:
            raise BadInputError(f"{self.repository.repo_id} is not gated: nobody asks for access.")
        rows = self.repository.access_requests.filter(status=status)
        shown, cursor = newest(request, rows.select_related("user", "decided_by"))
        return linked(request, [shapes.access_request(row) for row in shown], cursor=cursor)


class HandleView(RepositoryView):
    """POST …/user-access-request/handle"""

    need = Access.WRITE

    @extend_schema(
        summary=_("Accept, reject or reopen an access request"),
        request=shapes.DecisionShape,
        responses=EmptyShape,
    )
    def post(self, request: Request, repo: RepoId) -> Response:
        body = body_of(request)
        access_requests.decide(
            self.repository,
            self.actor,
            status=text_of(body, "status"),
            user=_text_or_none(body, "user"),
            request_id=_text_or_none(body, "requestId"),
            reason=text_of(body, "rejectionReason", default=""),
        )
        return Response({})


class GrantView(RepositoryView):
    """POST …/user-access-request/grant"""

    need = Access.WRITE

    @extend_schema(
        summary=_("Let a person in who did not ask"),
        request=shapes.GrantShape,
        responses=shapes.AccessRequestShape,
    )
    def post(self, request: Request, repo: RepoId) -> Response:
        username = text_of(body_of(request), "user")
        row = access_requests.grant(self.repository, self.actor, username)
        return Response(shapes.access_request(row))


class AskView(RepositoryView):
    """POST /[datasets/]{namespace}/{name}/ask-access: as the public Hub's form sends it."""

    parser_classes = [BoundedJSONParser, BoundedFormParser]

    @extend_schema(
        summary=_("Ask for the files of a gated repository"),
        request=shapes.AskShape,
        responses=shapes.AccessRequestShape,
    )
    def post(self, request: Request, repo: RepoId) -> Response:
        body = body_of(request)
        given = body.get("fields")
        row = access_requests.ask(
            self.repository, self.actor, given if isinstance(given, dict) else body
        )
        return Response(shapes.access_request(row))


def _text_or_none(body: dict[str, Any], name: str) -> str | None:
    return None if body.get(name) is None else text_of(body, name)
