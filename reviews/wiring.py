"""Fills the hub's registries and listens to its events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from hub import events
from hub.extensions import Change, FileReader, Finding, PullRequestHit, Tab, registries
from hub.models import Repository, User
from hub.models.prepared import Prepared, counted
from hub.policies import Actor, seen_repositories
from reviews.actions import queue_step
from reviews.actions.pull_requests import open_pull_request
from reviews.actions.tensor_reading import tensor_statistics
from reviews.actions.timeline import add_comment
from reviews.actions.weights import request_comparison, sides_of
from reviews.actions.weights_checks import patch_requirement, weights_requirement
from reviews.actions.weights_said import header_sentence
from reviews.changes import change_of
from reviews.extensions import registries as own_registries
from reviews.jobs.pushes import record_push
from reviews.jobs.queue import follow_head
from reviews.jobs.threads import FOLDER, NOTABLE, THREADS
from reviews.models import Comment, Discussion, DiscussionStatus, QueueEntry
from reviews.policies import may_push
from reviews.tasks import ring_queues
from reviews.web.audit_words import AUDIT_SENTENCES
from reviews.web.full_weights import PANEL
from reviews.web.model_merge_pages import lineage_actions
from reviews.web.own import own_pull_requests
from reviews.web.weights_compared import PANEL as WEIGHTS_PANEL
from reviews.web.weights_pages import TAB
from reviews.weights.gguf_head import read_gguf_head

PULL_REQUESTS_NAMED = 100
# A GGUF header holds its vocabulary, all of which has to be passed.
GGUF_AT_ONCE_BYTES = 64 * 1024 * 1024


def connect() -> None:
    """Called once, when Django has loaded every app."""
    registries.proposer = open_pull_request
    registries.may_push_proposal = may_push
    registries.find_change = find_change
    registries.open_pull_requests = open_pull_requests
    registries.merged_by = merged_by
    registries.my_pull_requests = my_pull_requests
    registries.commenter = say
    registries.comment_rewriter = say_instead
    registries.count_discussions = count_discussions
    registries.own_pull_requests = own_pull_requests
    registries.notable |= NOTABLE
    registries.audit_sentences |= AUDIT_SENTENCES
    registries.threads[FOLDER] = THREADS
    registries.integrity_checks.append(merged_stand)
    registries.repository_tabs.append(community_tab)
    registries.repository_numbers["open_discussions"] = open_discussions
    registries.pull_request_tabs.append(TAB)
    registries.lineage_actions.append(lineage_actions)
    registries.requirements.extend([weights_requirement, patch_requirement])
    registries.repository_panels.append(PANEL)
    registries.file_readers["gguf"] = FileReader(
        read_gguf_head, 2, GGUF_AT_ONCE_BYTES, header_sentence
    )
    registries.tensor_statistics = tensor_statistics
    registries.comparison_panels.append(WEIGHTS_PANEL)
    own_registries.queue_step = queue_step.step
    events.revision_pushed.connect(follow_ref, dispatch_uid="reviews.follow_ref")
    events.change_proposed.connect(compare, dispatch_uid="reviews.compare")
    events.change_proposed.connect(follow_change, dispatch_uid="reviews.follow_change")
    events.change_merged.connect(ring_queue, dispatch_uid="reviews.ring_queue.merged")
    events.status_changed.connect(ring_queue, dispatch_uid="reviews.ring_queue.status")


def count_discussions(user: User, repositories: QuerySet[Repository]) -> int:
    """How many discussions and pull requests `user` opened in `repositories`."""
    rows = Discussion.objects.filter(author=user, repository__in=repositories.values("pk"))
    return rows.count()


_OPEN_PULL_REQUESTS = Prepared(
    lambda repository: (
        Discussion.objects.pull_requests()
        .open()
        .filter(repository=repository)
        .order_by("-number")
        .values_list("number", "title")[:PULL_REQUESTS_NAMED]
    )
)


def community_tab(repository: Repository) -> Iterable[Tab]:
    """Discussions and pull requests, with how many are open."""
    url = f"{repository.get_absolute_url()}/discussions"
    yield Tab("discussions", _("Community"), url, repository.number_of("open_discussions"))


def open_discussions() -> Subquery:
    """How many are undecided, pull requests among them."""
    return Subquery(counted(Discussion.objects.filter(repository=OuterRef("pk")).open()))


def find_change(repository: Repository, number: int) -> Change | None:
    """The undecided pull request `number` as exact oids."""
    rows = Discussion.objects.pull_requests().open().filter(repository=repository, number=number)
    row = rows.select_related("author").first()
    if row is None:
        return None
    row.repository = repository
    return change_of(row)


def open_pull_requests(repository: Repository) -> list[tuple[int, str]]:
    """Number and title of the undecided pull requests, the newest first."""
    return _OPEN_PULL_REQUESTS(repository=repository.pk)


def my_pull_requests(actor: Actor, text: str, most: int) -> list[PullRequestHit]:
    """Undecided pull requests that `actor` opened and still sees, the newest first."""
    rows = Discussion.objects.pull_requests().open().filter(author=actor.user.pk)
    rows = rows.filter(title__icontains=text) if text else rows
    rows = rows.filter(repository__in=seen_repositories(actor).values("pk"))
    rows = rows.select_related("repository__namespace").order_by("-pk")[:most]
    return [
        PullRequestHit(f"#{row.number} {row.title}", row.repository.repo_id, row.get_absolute_url())
        for row in rows
    ]


def merged_by(repository: Repository, oids: Iterable[str]) -> dict[str, int]:
    """The pull requests that made commits of a branch, by the oid of the merge."""
    rows = Discussion.objects.filter(repository=repository, merge_oid__in=list(oids))
    return dict(rows.values_list("merge_oid", "number"))


def say(repository: Repository, number: int, by: User, text: str) -> None:
    """A comment by `by`, who may read the repository; nothing where there is no such number."""
    row = Discussion.objects.filter(repository=repository, number=number).first()
    if row is None:
        return
    row.repository = repository
    add_comment(row, Actor(by), text)


def say_instead(repository: Repository, number: int, before: str, after: str) -> None:
    """Put `after` where a comment is, or once was, exactly `before`."""
    place = {"event__discussion__repository": repository, "event__discussion__number": number}
    said = Q(body=before) | Q(history__contains=[before])
    for row in Comment.objects.select_for_update(of=("self",)).filter(said, **place):
        row.body = after if row.body == before else row.body
        row.history = [after if each == before else each for each in row.history]
        row.save(update_fields=["body", "history"])


def merged_stand(repository: Repository, deep: bool) -> Iterable[Finding]:
    """Every merged pull request has its merge commit on its branch, and its head is kept."""
    store = repository.store()
    for row in Discussion.objects.pull_requests().filter(repository=repository):
        subject = f"{repository.repo_id}#{row.number}"
        if store.ref_oid(row.ref) is None:
            yield Finding("pull requests", subject, f"{row.ref} is gone")
        if row.status != DiscussionStatus.MERGED:
            continue
        head = store.branch_head(row.target_branch)
        if head is None or not store.is_ancestor(row.merge_oid, head):
            problem = f"its merge commit {row.merge_oid[:8]} is not on {row.target_branch}"
            yield Finding("pull requests", subject, problem)


def follow_ref(sender: Any, repository: Repository, ref: str, actor: Any, **_more: Any) -> None:
    """A push to `refs/pr/N` is a new patch set; one to a branch moves what its queue builds on."""
    number = ref.removeprefix("refs/pr/")
    if ref.startswith("refs/pr/") and number.isdecimal():
        record_push(repository, int(number), by=actor)
    elif ref.startswith("refs/heads/"):
        ring_queues([repository.pk])


def compare(sender: Any, repository: Repository, change: Change, **_more: Any) -> None:
    """A proposal's weights are compared before anybody looks."""
    if (sides := sides_of(repository, change)) is not None:
        request_comparison(*sides)


def follow_change(sender: Any, repository: Repository, change: Change, **_more: Any) -> None:
    """A proposal in the merge queue has a new head: the queue's own, or it loses its place."""
    rows = Discussion.objects.filter(repository=repository, number=change.number)
    for row in rows.filter(queue_entries__in=QueueEntry.objects.live()):
        row.repository = repository
        follow_head(row)
    ring_queues([repository.pk])


def ring_queue(sender: Any, repository: Repository, **_more: Any) -> None:
    """What a merge queue waits for may have come."""
    ring_queues([repository.pk])
