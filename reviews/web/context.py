"""What the pull request page shows, gathered once for all its tabs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from hub.actions.file_texts import FileTexts
from hub.errors import RevisionNotFoundError
from hub.extensions import Change, RequirementState, Tab, registries
from hub.gitstore import FileDiff
from hub.http.authentication import actor_of
from hub.http.listening import listening
from hub.http.pages import frame
from hub.models import Access
from reviews.actions.requirements import Checklist, checklist, reviewed_heads
from reviews.changes import change_of
from reviews.models import Discussion, DiscussionStatus, Review
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
        return store.diff(start, change.head_oid, text_of=FileTexts(row.repository))
    except RevisionNotFoundError:
        return []
