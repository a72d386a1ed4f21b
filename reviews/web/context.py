"""What the pull request page shows, gathered once for all its tabs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from hub.errors import RevisionNotFoundError
from hub.extensions import Change, RequirementState, Tab, registries
from hub.gitstore import FileDiff
from hub.http.authentication import actor_of
from hub.http.listening import listening
from hub.http.mentions import render_all
from hub.http.pages import frame
from hub.models import Access, Event
from reviews.actions.queue_said import reason_sentence
from reviews.actions.requirements import Checklist, checklist, reviewed_heads
from reviews.changes import change_of
from reviews.models import Discussion, DiscussionStatus, Review, TimelineEvent, TimelineKind
from reviews.policies import may_approve, may_steward
from reviews.web.queue import queue_box

# The component's word for each state of a requirement.
MARKS = {
    RequirementState.MET: "pass",
    RequirementState.UNMET: "not-run",
    RequirementState.RUNNING: "running",
    RequirementState.FAILED: "fail",
    RequirementState.STALE: "stale",
}


@dataclass(frozen=True)
class TimelineRow:
    """One line of the conversation, ready to show."""

    pk: int | str
    kind: str
    actor: str
    at: Any
    html: str = ""
    data: dict[str, Any] = field(default_factory=dict)


def timeline_rows(row: Discussion) -> list[TimelineRow]:
    """The conversation in order; hidden comments keep their place without their text."""
    rows = gate_lines(row)
    lines = list(row.timeline.select_related("actor", "comment"))
    for event, html in zip(lines, render_all(map(_body, lines)), strict=True):
        data = event.data
        if event.kind == TimelineKind.QUEUE:
            data = data | {"reason": reason_sentence(data.get("why", {}))}
        rows.append(
            TimelineRow(
                pk=event.pk,
                kind=event.kind,
                actor=event.actor.username if event.actor else "ghost",
                at=event.created_at,
                html=html,
                data=data,
            )
        )
    return sorted(rows, key=lambda each: each.at)


def _body(event: TimelineEvent) -> str:
    """What somebody wrote there; nothing where it is hidden."""
    if event.kind == TimelineKind.COMMENT and not event.comment.hidden_at:
        return event.comment.body
    return str(event.data.get("body", "")) if event.kind == TimelineKind.REVIEW else ""


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
            actor=event.actor.username if event.actor else "ghost",
            at=event.created_at,
            data=event.data,
        )
        for event in found.select_related("actor")
    ]


def pull_request_context(request: HttpRequest, row: Discussion, tab: str) -> dict[str, Any]:
    """Header, verdict, checklist, tabs and merge box."""
    repository, change = row.repository, change_of(row)
    found = None if row.is_decided else checklist(row, change)
    verdict = next(
        filter(None, (source(repository, change) for source in registries.verdicts)), None
    )
    user = request.user
    return frame(repository, "discussions") | {
        "pull_request": row,
        "change": change,
        "checklist": found,
        "requirements": _requirement_rows(found),
        "verdict": verdict,
        "is_live": found is not None
        and any(line.state is RequirementState.RUNNING for line in found.lines),
        "tabs_of_pull_request": _tabs(row, change),
        "current_pull_request_tab": tab,
        "patch_set_count": row.patch_sets.count(),
        "may_review": not row.is_decided and may_approve(user, row),
        "may_comment": user.is_authenticated,
        "thread_listening": listening(actor_of(request), repository, f"discussions/{row.number}"),
        "may_merge": not row.is_decided and repository.may(Access.WRITE),
        "may_rename": may_steward(user, row),
        "may_steward": row.status != DiscussionStatus.MERGED and may_steward(user, row),
        "reviews": _review_rows(row),
        "asked": row.review_requests.select_related("person").order_by("pk"),
        "queue": queue_box(request, row, found),
    }


def _requirement_rows(found: Checklist | None) -> list[dict[str, Any]]:
    return [
        {
            "state": MARKS[line.state],
            "title": line.label,
            "detail": line.detail,
            "url": line.action_path,
            "action": line.action_label,
            "is_post": line.action_is_post,
        }
        for line in (found.lines if found else [])
    ]


def _review_rows(row: Discussion) -> list[dict[str, Any]]:
    """The newest review of each person; stale when it names an earlier head."""
    newest: dict[int, Review] = {}
    rows = Review.objects.filter(pull_request=row).select_related("reviewer")
    for review in rows.order_by("updated_at"):
        newest[review.reviewer_id] = review
    heads = reviewed_heads(row, row.head_oid) if newest else []
    marks = {"approve": "pass", "request_changes": "fail", "comment": "not-run"}
    return [
        {
            "name": review.reviewer.username,
            "word": review.get_verdict_display(),
            "state": marks[review.verdict] if review.head_oid in heads else "stale",
        }
        for review in newest.values()
    ]


def _tabs(row: Discussion, change: Change) -> list[Tab]:
    url = row.get_absolute_url()
    tabs = [
        Tab("conversation", _("Conversation"), url, row.timeline.count()),
        Tab("files", _("Files"), f"{url}/files"),
    ]
    for extra in registries.pull_request_tabs:
        if not extra.is_shown(row.repository, change):
            continue
        count = extra.count(row.repository, change)
        tabs.append(Tab(extra.key, extra.label, f"{url}/{extra.key}", count))
    tabs.append(Tab("commits", _("Commits"), f"{url}/commits"))
    return tabs


def diffs_of(row: Discussion, change: Change) -> list[FileDiff]:
    """The files that the proposal changes since it left the target branch."""
    store = row.repository.store()
    try:
        start = store.merge_base(change.base_oid, change.head_oid) or change.base_oid
        return store.diff(start, change.head_oid)
    except RevisionNotFoundError:
        return []
