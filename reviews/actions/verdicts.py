"""Reviews: approve, request changes, comment, on one exact head."""

from __future__ import annotations

from django.db import transaction

from hub.errors import AlreadyDecidedError, BadInputError, BranchMovedError, ForbiddenError
from hub.models import Event
from hub.policies import Actor
from reviews.actions.timeline import check_text
from reviews.models import Discussion, Review, ReviewVerdict, TimelineEvent, TimelineKind
from reviews.policies import may_approve, require_commenter


@transaction.atomic
def submit_review(
    pull_request: Discussion, actor: Actor, *, head_oid: str, verdict: str, body: str = ""
) -> Review:
    """Record one person's verdict on the head they have seen.

    Raises:
        BranchMovedError: the proposal has a newer head than the reviewer looked at.
        ForbiddenError: approval by the author, or without write access.
    """
    user = require_commenter(actor)
    if verdict not in ReviewVerdict.values:
        raise BadInputError(f"“{verdict}” is no verdict: use {', '.join(ReviewVerdict.values)}.")
    row = Discussion.objects.select_for_update().get(pk=pull_request.pk)
    if row.is_decided:
        raise AlreadyDecidedError(f"Number {row.number} is already {row.status}.")
    if row.head_oid != head_oid:
        raise BranchMovedError(
            "The proposal was updated since you opened this page. Look at the new version first."
        )
    if verdict != ReviewVerdict.COMMENT and not may_approve(user, pull_request):
        raise ForbiddenError(
            "A verdict counts from people with write access other than the author; you may comment."
        )
    if body.strip():
        body = check_text(body, "review")
    review, _created = Review.objects.update_or_create(
        pull_request=row,
        reviewer=user,
        head_oid=head_oid,
        defaults={"verdict": verdict, "body": body},
    )
    row.review_requests.filter(person=user).delete()
    line = TimelineEvent.objects.record(
        pull_request, TimelineKind.REVIEW, user, verdict=str(verdict), oid=head_oid, body=body
    )
    Event.objects.create(
        repository=pull_request.repository,
        actor=user,
        kind=f"pull_request.{verdict}",
        path=pull_request.get_absolute_url(),
        data={"number": row.number, "head_oid": head_oid, "review": line.pk},
    )
    return review
