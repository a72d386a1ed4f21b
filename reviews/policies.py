"""Who may do what on a discussion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.errors import ForbiddenError, NotFoundError
from hub.models import Access, Repository, TokenScope
from hub.policies import Actor, access_of, proposing_needs, require_person
from reviews.models import Comment, Discussion, TimelineEvent

if TYPE_CHECKING:
    from hub.models.repositories import Person


def get_discussion(repository: Repository, number: int, *, lock: bool = False) -> Discussion:
    """The discussion or pull request with `number` in a repository already fetched for someone."""
    rows = Discussion.objects.select_related("repository__namespace", "author")
    if lock:
        rows = rows.select_for_update(of=("self",))
    found = rows.filter(repository=repository, number=number).first()
    if found is None:
        raise NotFoundError(f"{repository.repo_id} has no discussion number {number}.")
    found.repository = repository
    return found


def get_pull_request(repository: Repository, number: int, *, lock: bool = False) -> Discussion:
    """Like `get_discussion`, for pull requests only."""
    found = get_discussion(repository, number, lock=lock)
    if not found.is_pull_request:
        raise NotFoundError(f"Number {number} in {repository.repo_id} is no pull request.")
    return found


def require_commenter(actor: Actor) -> Any:
    """Anyone who reads the repository and is signed in may comment."""
    return require_person(actor, scope=TokenScope.WRITE)


def get_comment(
    discussion: Discussion, actor: Actor, event_id: int, *, lock: bool = False
) -> Comment:
    """The comment that `event_id` names, for somebody who may edit and hide it."""
    user = require_commenter(actor)
    rows = Comment.objects.select_related("event__actor")
    if lock:
        rows = rows.select_for_update(of=("self",))
    comment = rows.filter(event=event_id, event__discussion=discussion).first()
    if comment is None:
        raise NotFoundError("There is no such comment in this discussion.")
    if not may_change_comment(user, discussion.repository, comment.event):
        raise ForbiddenError("Only the person who wrote a comment may change it.")
    return comment


def may_change_comment(user: Person, repository: Repository, event: TimelineEvent) -> bool:
    """Who wrote it, and those who administer the repository, which was fetched for `user`."""
    if not user.is_authenticated:
        return False
    return event.actor_id == user.pk or repository.may(Access.ADMIN)


def require_steward(actor: Actor, discussion: Discussion) -> Any:
    """The author, or a maintainer: may rename, close, reopen and publish."""
    user = require_commenter(actor)
    if not may_steward(user, discussion):
        raise ForbiddenError("Only its author and people with write access may change this.")
    return user


def may_steward(user: Person, discussion: Discussion) -> bool:
    """Whether `user`, for whom the repository was fetched, may rename, close and reopen."""
    return user.pk == discussion.author_id or discussion.repository.may(Access.WRITE)


def require_merger(actor: Actor, repository: Repository) -> Any:
    """The person who may merge here, now or by the queue: one with write access."""
    user = require_commenter(actor)
    if not repository.may(Access.WRITE):
        raise ForbiddenError(f"Merging needs write access to {repository.repo_id}.")
    return user


def require_push(repository: Repository, number: int, user: Person) -> None:
    """The right to move `refs/pr/number` now, for what somebody asked for a while ago.

    Raises: ForbiddenError.
    """
    if not user.is_active or not may_push(repository, number, user):
        raise ForbiddenError(f"{user.username} may change pull request {number} no more.")


def may_push(repository: Repository, number: int, user: Person) -> bool:
    """Whether `user` may move `refs/pr/number` while it is open: maintainers, and its author as
    long as they may propose."""
    row = Discussion.objects.pull_requests().filter(repository=repository, number=number).first()
    if row is None or row.is_decided:
        return False
    need = proposing_needs(repository) if row.author_id == user.pk else Access.WRITE
    return access_of(user, repository) >= need


def may_approve(user: Person, discussion: Discussion) -> bool:
    """A maintainer other than the author, at this moment (threats M1)."""
    return (
        user.pk != discussion.author_id and access_of(user, discussion.repository) >= Access.WRITE
    )
