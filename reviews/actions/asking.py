"""Asking somebody for a review."""

from __future__ import annotations

from django.db import transaction

from hub.errors import AlreadyDecidedError, BadInputError
from hub.models import Access, Event, User
from hub.policies import Actor, access_of
from reviews.models import Discussion, ReviewRequest
from reviews.policies import require_steward

REQUESTS_LIMIT = 20


@transaction.atomic
def ask_for_review(pull_request: Discussion, actor: Actor, username: str) -> ReviewRequest:
    """Ask a person, who is told of it; asking again changes nothing.

    Raises:
        ForbiddenError: only the author and people with write access ask.
        BadInputError: nobody of that name reads this, or it is the author's own.
    """
    user = require_steward(actor, pull_request)
    row = Discussion.objects.select_for_update().get(pk=pull_request.pk)
    if row.is_decided:
        raise AlreadyDecidedError(f"Number {row.number} is already {row.status}.")
    name = username.strip().removeprefix("@")[:150]
    person = User.objects.filter(username__iexact=name, is_active=True).first()
    if person is None or access_of(person, pull_request.repository) < Access.READ:
        raise BadInputError(f"There is nobody called “{name}” who may read this.")
    if person.pk == row.author_id:
        raise BadInputError("The author reviews nothing of their own: ask somebody else.")
    if row.review_requests.count() >= REQUESTS_LIMIT:
        raise BadInputError(f"A pull request waits for at most {REQUESTS_LIMIT} people.")
    request, is_new = ReviewRequest.objects.get_or_create(
        pull_request=row, person=person, defaults={"by": user}
    )
    if is_new:
        Event.objects.create(
            repository=pull_request.repository,
            actor=user,
            kind="review.asked",
            path=pull_request.get_absolute_url(),
            data={"number": row.number, "person": person.pk},
        )
    return request


def take_back(pull_request: Discussion, actor: Actor, username: str) -> None:
    """Wait for somebody no more. Raises: ForbiddenError."""
    require_steward(actor, pull_request)
    pull_request.review_requests.filter(person__username__iexact=username[:150]).delete()
