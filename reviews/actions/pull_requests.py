"""Opening pull requests."""

from __future__ import annotations

from typing import Any

import structlog
from django.db import transaction

from hub.errors import BadInputError, RevisionNotFoundError
from hub.extensions import Proposal
from hub.models import Event, Repository
from hub.policies import Actor, require_proposer
from reviews.actions.timeline import check_title, write_comment
from reviews.jobs.pushes import announce, record_commit
from reviews.jobs.telling import tell
from reviews.models import (
    Discussion,
    DiscussionStatus,
    PatchSet,
)

log = structlog.get_logger(__name__)


def open_pull_request(
    repository: Repository,
    *,
    by: Any,
    title: str,
    description: str,
    head_oid: str,
    target_branch: str,
    draft: bool = False,
) -> Proposal:
    """Open a pull request whose head is a commit that is already in the repository.

    The row comes first and the ref last: when git refuses, the row rolls back. A crash before
    the commit leaves a ref whose number the next request takes over.
    """
    store = repository.store()
    base_oid = store.branch_head(target_branch)
    if base_oid is None:
        raise RevisionNotFoundError(f"{repository.repo_id} has no branch “{target_branch}”.")
    with transaction.atomic():
        number = Repository.objects.next_number(repository.pk, "last_discussion_number")
        pull_request = Discussion.objects.create(
            repository=repository,
            number=number,
            title=check_title(title),
            status=DiscussionStatus.DRAFT if draft else DiscussionStatus.OPEN,
            author=by,
            is_pull_request=True,
            target_branch=target_branch,
            head_oid=head_oid,
            opened_on_oid=base_oid,
        )
        PatchSet.objects.create(
            pull_request=pull_request, number=1, head_oid=head_oid, pushed_by=by
        )
        comment = None
        if description.strip():
            comment = write_comment(pull_request, by, description.strip()[: 64 * 1024])
        tell(pull_request, "create", by, comment=comment)
        if head_oid != base_oid:
            record_commit(pull_request, head_oid, by)
        Event.objects.create(
            repository=repository,
            actor=by,
            kind="pull_request.opened",
            path=pull_request.get_absolute_url(),
            data={"number": number, "title": pull_request.title},
        )
        # Without a row, a ref of this number is what a crash left of a request like this one.
        store.move_ref(pull_request.ref, new=head_oid, old=store.ref_oid(pull_request.ref))
    log.info("pull_request.opened", number=number, **repository.as_facts())
    announce(pull_request, by)
    return Proposal(number, pull_request.get_absolute_url(), pull_request.ref)


def open_draft(repository: Repository, actor: Actor, *, title: str, description: str) -> Discussion:
    """Open an empty draft: `refs/pr/N` starts at the head of the default branch."""
    require_proposer(actor, repository)
    head_oid = repository.store().branch_head(repository.default_branch)
    if head_oid is None:
        raise BadInputError("The repository is empty: commit something to its branch first.")
    proposal = open_pull_request(
        repository,
        by=actor.user,
        title=title,
        description=description,
        head_oid=head_oid,
        target_branch=repository.default_branch,
        draft=True,
    )
    return Discussion.objects.get(repository=repository, number=proposal.number)
