"""A person's inbox for programs: the same rows, views and rules as its page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import inbox
from hub.api import inbox_shapes as shapes
from hub.api.parameters import CURSOR, LIMIT
from hub.api.shapes import EmptyShape
from hub.api.views import HubView, body_of, text_of
from hub.api.wire import linked, number
from hub.errors import BadInputError, ForbiddenError
from hub.models import TokenScope
from hub.models.inbox import NotificationQuerySet
from hub.policies import Actor, require_person

KEYS_LIMIT = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
VIEW = OpenApiParameter("view", OpenApiTypes.STR, enum=list(inbox.VIEWS), default="unread")
REPO = OpenApiParameter("repo", OpenApiTypes.STR, description="Of `namespace/name` only.")


class NotificationListView(HubView):
    """GET /api/notifications"""

    @extend_schema(
        summary=_("What I was told, the newest first"),
        parameters=[VIEW, REPO, LIMIT, CURSOR],
        responses=shapes.NotificationShape(many=True),
    )
    def get(self, request: Request) -> Response:
        require_person(self.actor)
        query = request.query_params
        rows = inbox.narrowed(self.actor, query.get("view", "unread"), query.get("repo", ""))
        page = number(request, "limit", default=50, most=200)
        listed = _behind(rows, query.get("cursor", ""))
        listed = listed.select_related("repository__namespace", "namespace", "actor")
        found = list(listed.order_by("-told_at", "-pk")[: page + 1])
        last = found[page - 1] if len(found) > page else None
        cursor = f"{(last.told_at - _EPOCH) // _MICROSECOND}-{last.pk}" if last else None
        return linked(request, [shapes.notification(row) for row in found[:page]], cursor=cursor)


def _behind(rows: NotificationQuerySet, cursor: str) -> NotificationQuerySet:
    """Those that a list shows after the one that `cursor` names. Raises: BadInputError."""
    if not cursor:
        return rows
    at, _dash, key = cursor.partition("-")
    if not (at.isdecimal() and key.isdecimal() and len(at) < 18 and len(key) < 19):
        raise BadInputError("This cursor is not one of ours: start from the first page.")
    told_at = _EPOCH + int(at) * _MICROSECOND
    return rows.filter(Q(told_at__lt=told_at) | Q(told_at=told_at, pk__lt=int(key)))


def _require_owner(actor: Actor) -> None:
    """Refuse whoever may only read here. Raises: UnauthenticatedError, ForbiddenError."""
    require_person(actor, scope=TokenScope.WRITE)
    if actor.is_limited:
        raise ForbiddenError("This token is limited to some repositories: it changes no inbox.")


class NotificationMarkView(HubView):
    """POST /api/notifications/mark"""

    @extend_schema(
        summary=_("Mark what I was told as read, unread or done"),
        request=shapes.MarkShape,
        responses={200: shapes.MarkedShape},
    )
    def post(self, request: Request) -> Response:
        _require_owner(self.actor)
        body = body_of(request)
        state = text_of(body, "state", most=16)
        if body.get("ids") is not None:
            return Response({"marked": inbox.mark(self.actor, _keys(body["ids"]), state)})
        view = text_of(body, "view", default="unread", most=16)
        rows = inbox.narrowed(self.actor, view, text_of(body, "repo", default="", most=200))
        until = _moment(text_of(body, "until", most=64))
        return Response({"marked": inbox.mark_all(rows, state, until=until)})


def _keys(value: Any) -> list[int]:
    if not isinstance(value, list) or len(value) > KEYS_LIMIT:
        raise BadInputError(f"“ids” must be a list of at most {KEYS_LIMIT} ids.")
    if not all(isinstance(one, str) and one.isdecimal() and len(one) < 19 for one in value):
        raise BadInputError("“ids” holds what is no id.")
    return [int(one) for one in value]


def _moment(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or not is_aware(found):
        raise BadInputError("“until” must be a moment, such as 2026-01-31T12:00:00.000Z.")
    return found


class NotificationMuteView(HubView):
    """POST /api/notifications/{id}/mute"""

    @extend_schema(
        summary=_("Mute the thread that one of my notifications tells of"),
        request=None,
        responses={200: EmptyShape},
    )
    def post(self, request: Request, pk: int) -> Response:
        _require_owner(self.actor)
        inbox.mute(self.actor, min(pk, 2**62))
        return Response({})
