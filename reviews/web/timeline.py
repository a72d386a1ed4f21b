"""The conversation of a discussion, ready to show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hub.http.mentions import render_all
from hub.models import Event, Repository
from hub.policies import Actor
from reviews.actions.queue_said import reason_sentence
from reviews.models import Discussion, TimelineEvent, TimelineKind
from reviews.policies import may_change_comment
from reviews.web.numbers import addresses_of_numbers

NOBODY = "ghost"


@dataclass(frozen=True)
class TimelineRow:
    """One line of the conversation. `has_profile`: the actor's name leads somewhere.

    `picture`: the key of the actor's picture, if they have chosen one.
    """

    pk: int | str
    kind: str
    actor: str
    at: Any
    has_profile: bool = False
    picture: str | None = None
    html: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    edited_at: Any = None
    is_hidden: bool = False
    may_change: bool = False


def timeline_rows(row: Discussion, actor: Actor) -> list[TimelineRow]:
    """The conversation in order; hidden comments keep their place without their text."""
    lines = list(row.timeline.select_related("actor", "comment"))
    rows = comment_rows(row.repository, lines, actor) + gate_lines(row)
    return sorted(rows, key=lambda each: each.at)


def comment_rows(
    repository: Repository, lines: list[TimelineEvent], actor: Actor
) -> list[TimelineRow]:
    """Lines of discussions of `repository` with what people wrote there as HTML."""
    texts = [_body(line) for line in lines]
    bodies = render_all(texts, numbers=addresses_of_numbers(texts, repository, actor))
    return [_shown(repository, line, html, actor) for line, html in zip(lines, bodies, strict=True)]


def _shown(repository: Repository, line: TimelineEvent, html: str, actor: Actor) -> TimelineRow:
    data = line.data
    if line.kind == TimelineKind.QUEUE:
        data = data | {"reason": reason_sentence(data.get("why", {}))}
    said = line.comment if line.kind == TimelineKind.COMMENT else None
    is_hidden = said is not None and said.hidden_at is not None
    return TimelineRow(
        pk=line.pk,
        kind=line.kind,
        **_actor(line.actor),
        at=line.created_at,
        html=html,
        data=data,
        edited_at=None if said is None else said.edited_at,
        is_hidden=is_hidden,
        may_change=said is not None
        and not is_hidden
        and may_change_comment(actor.user, repository, line),
    )


def _body(event: TimelineEvent) -> str:
    """What somebody wrote there; nothing where it is hidden."""
    if event.kind == TimelineKind.COMMENT and not event.comment.hidden_at:
        return event.comment.body
    return str(event.data.get("body", "")) if event.kind == TimelineKind.REVIEW else ""


def _actor(user: Any) -> dict[str, Any]:
    if user is None:
        return {"actor": NOBODY}
    return {
        "actor": user.username,
        "has_profile": user.is_active,
        "picture": user.picture_id,
    }


def gate_lines(row: Discussion) -> list[TimelineRow]:
    """What the activity says of this pull request's gate: verdicts, overrides, remarks."""
    if not row.is_pull_request:
        return []
    found = Event.objects.filter(
        repository=row.repository_id,
        created_at__gte=row.created_at,
        kind__startswith="gate.",
        data__number=row.number,
    )
    return [
        TimelineRow(
            pk=f"gate-{event.pk}",
            kind=event.kind.replace(".", "-"),
            **_actor(event.actor),
            at=event.created_at,
            data=event.data,
        )
        for event in found.select_related("actor")
    ]
