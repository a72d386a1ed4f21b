"""How notifications look on the wire."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.fields import CharField, ChoiceField, DictField, IntegerField, ListField

from hub.actions.inbox import CHANGES, VIEWS
from hub.api.people_shapes import PersonShape, person
from hub.api.shapes import Moment, Shape
from hub.api.wire import moment
from hub.models import Notification, NotificationState, Reason


def notification(row: Notification) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": str(row.pk),
        "state": row.state,
        "reason": row.reason,
        "event": row.kind,
        "title": row.title,
        "thread": row.thread or None,
        "actor": person(row.actor) if row.actor and row.actor.is_active else None,
        "url": f"{settings.PUBLIC_URL}{row.get_absolute_url()}",
        "updatedAt": moment(row.told_at),
        "repo": None,
        "organization": None,
    }
    if row.repository is not None:
        shown["repo"] = {"name": row.repository.repo_id, "type": row.repository.kind}
    elif row.namespace is not None:
        shown["organization"] = row.namespace.slug
    return shown


class NotificationShape(Shape[Any]):
    id = CharField()
    state = ChoiceField(choices=NotificationState.choices)
    reason = ChoiceField(choices=Reason.choices)
    event = CharField(help_text="What happened, as `comment.created`.")
    title = CharField(allow_blank=True)
    thread = CharField(allow_null=True, help_text="As `discussions/7`.")
    actor = PersonShape(allow_null=True)
    url = CharField()
    updatedAt = Moment()
    repo = DictField(allow_null=True, help_text="`name` and `type`.")
    organization = CharField(allow_null=True)


class MarkShape(Shape[Any]):
    """Some by `ids`; or all of a `view` that were told before `until`."""

    state = ChoiceField(choices=[(name, name) for name in CHANGES])
    ids = ListField(child=CharField(), required=False)
    view = ChoiceField(choices=[(name, name) for name in VIEWS], required=False)
    repo = CharField(required=False)
    until = Moment(required=False, help_text="Needed without `ids`: when the list was read.")


class MarkedShape(Shape[Any]):
    marked = IntegerField()
