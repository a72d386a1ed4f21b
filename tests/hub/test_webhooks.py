"""Webhooks: who hears of what, and who does not."""

from __future__ import annotations

import json

import pytest
from django.conf import settings
from huggingface_hub import WebhookPayload

from hub.actions import moving, refs, repositories
from hub.jobs import webhooks as jobs
from hub.models import (
    Access,
    DeliveryState,
    Kind,
    Membership,
    RepoId,
    Visibility,
    WebhookDelivery,
)
from hub.policies import Actor, get_repository
from reviews.actions import discussions, merging, pull_requests, timeline
from tests.factories import (
    commit_files,
    make_member,
    make_organization,
    make_repository,
    make_user,
)
from tests.hub.webhook_making import watching

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann():
    return make_user("ann")


@pytest.fixture
def model(ann):
    return make_repository(ann.namespace, name="model")


def told(webhook):
    """What a webhook is owed or was sent, as the client reads it."""
    rows = WebhookDelivery.objects.filter(webhook=webhook).order_by("pk")
    return [WebhookPayload.model_validate_json(row.body) for row in rows]


def scopes(webhook):
    return [(one.event.scope, one.event.action) for one in told(webhook)]


def fetched(user, repository):
    repo = RepoId(Kind(repository.kind), repository.namespace.slug, repository.name)
    return get_repository(Actor(user), repo)


def test_a_push_is_told_as_the_client_reads_it(ann, model, receiver):
    webhook = watching(ann, receiver.url, "model:ANN/Model")
    old = model.head_oid
    refs.create_branch(model, Actor(ann), "dev")
    new = commit_files(model, {"a.txt": b"a"})
    refs.pushed(model, Actor(ann), [refs.RefChange("refs/heads/main", old, new)])
    branch, push = told(webhook)
    assert (push.event.action, push.event.scope) == ("update", "repo.content")
    assert branch.updatedRefs[0].model_dump() == {
        "ref": "refs/heads/dev",
        "oldSha": None,
        "newSha": old,
    }
    assert push.updatedRefs[0].model_dump() == {
        "ref": "refs/heads/main",
        "oldSha": old,
        "newSha": new,
    }
    assert (push.repo.name, push.repo.type, push.repo.private) == ("ann/model", "model", False)
    assert push.repo.url.web == f"{settings.PUBLIC_URL}/ann/model"
    assert push.repo.url.api == f"{settings.PUBLIC_URL}/api/models/ann/model"
    assert (push.webhook.id, push.webhook.version) == (f"{webhook.pk:024x}", 3)
    body = json.loads(WebhookDelivery.objects.latest("pk").body)
    assert body["repo"]["headSha"] == new


def test_a_repository_is_told_from_its_creation_to_its_end(ann, receiver):
    of_user = watching(ann, receiver.url, "user:ann")
    later = watching(ann, receiver.url, "dataset:ann/data", "model:ann/data")
    actor = Actor(ann)
    made = repositories.create_repository(actor, RepoId(Kind.DATASET, "ann", "data"))
    repositories.update_settings(made, actor, visibility="private")
    repositories.delete_repository(made, actor)
    wanted = [("repo", "create"), ("repo.config", "update"), ("repo", "delete")]
    assert scopes(of_user) == scopes(later) == wanted
    assert told(later)[2].repo.name == "ann/data"


def test_a_move_is_told_to_those_who_watch_either_name(ann, model, receiver):
    organization = make_organization("org")
    Membership.objects.create(namespace=organization, user=ann, access=Access.ADMIN)
    names = ("model:ann/model", "user:ann", "model:org/new", "org:org")
    old, former, new, owner = (watching(ann, receiver.url, name) for name in names)
    moved = moving.move_repository(model, Actor(ann), RepoId(Kind.MODEL, "org", "new"))
    for webhook in (old, former, new, owner):
        (payload,) = told(webhook)
        assert (payload.event.action, payload.event.scope) == ("move", "repo")
        assert (payload.repo.name, payload.movedTo.name) == ("ann/model", "org/new")
        assert payload.movedTo.owner.id == str(organization.pk)
    refs.create_branch(moved, Actor(ann), "dev")
    heard = [len(told(webhook)) for webhook in (old, former, new, owner)]
    assert heard == [2, 1, 2, 2]  # the old name leads to it; its former owner has it no more


def test_discussions_and_comments_are_told(ann, model, receiver):
    webhook = watching(ann, receiver.url, "model:ann/model")
    row = fetched(ann, model)
    actor = Actor(ann)
    discussion = discussions.open_discussion(row, actor, title="Why?", description="Because.")
    said = timeline.add_comment(discussion, actor, "More.")
    timeline.edit_comment(discussion, actor, said.pk, "Much more.")
    timeline.hide_comment(discussion, actor, said.pk)
    discussions.rename(discussion, actor, "Why not?")
    discussions.change_status(discussion, actor, "closed", comment="Done.")
    assert scopes(webhook) == [
        ("discussion", "create"),
        ("discussion.comment", "create"),
        ("discussion.comment", "update"),
        ("discussion.comment", "update"),
        ("discussion", "update"),
        ("discussion", "update"),
        ("discussion.comment", "create"),
    ]
    opened, _written, edited, hidden, renamed, closed, _last = told(webhook)
    assert (opened.discussion.num, opened.comment.content) == (discussion.number, "Because.")
    assert (edited.comment.content, edited.comment.hidden) == ("Much more.", False)
    assert (hidden.comment.content, hidden.comment.hidden) == (None, True)
    assert (renamed.discussion.title, closed.discussion.status) == ("Why not?", "closed")
    assert opened.discussion.author.id == str(ann.pk)


def test_a_pull_request_is_told_until_it_is_merged(ann, model, receiver):
    webhook = watching(ann, receiver.url, "user:ann")
    row = fetched(ann, model)
    oid = commit_files(model, {"b.txt": b"b"}, ref="refs/heads/main")
    row.store().move_ref("refs/heads/main", new=model.head_oid, old=oid)
    proposal = pull_requests.open_pull_request(
        row, by=ann, title="Add b", description="", head_oid=oid, target_branch="main"
    )
    pull_request = row.discussions.get(number=proposal.number)
    pull_request.repository = row
    merged = merging.merge_pull_request(pull_request, Actor(ann))
    opened, pushed, settled = told(webhook)
    assert (opened.event.scope, opened.event.action) == ("discussion", "create")
    assert opened.discussion.isPullRequest
    assert opened.discussion.changes.base == "refs/heads/main"
    assert pushed.updatedRefs[0].newSha == merged
    assert (settled.discussion.status, settled.discussion.changes.mergeCommitId) == (
        "merged",
        merged,
    )


def test_domains_and_names_choose(ann, model, receiver):
    talk = watching(ann, receiver.url, "model:ann/model", domains=["discussion"])
    other = watching(ann, receiver.url, "model:ann/other", "dataset:ann/model", "org:ann-x")
    refs.create_branch(model, Actor(ann), "dev")
    discussions.open_discussion(fetched(ann, model), Actor(ann), title="Hi", description="")
    assert (scopes(talk), scopes(other)) == ([("discussion", "create")], [])


def test_a_change_that_is_rolled_back_is_told_to_nobody(ann, model, receiver):
    webhook = watching(ann, receiver.url, "user:ann")
    with pytest.raises(repositories.ConflictError):
        refs.move_ref(model, Actor(ann), "refs/heads/main", old="1" * 40, new=model.head_oid)
    assert told(webhook) == []


# Who may hear (threat D6) -----------------------------------------------------------------------


def test_private_repositories_are_told_to_their_readers_only(receiver):
    organization = make_organization("org")
    reader = make_member(organization, access=Access.READ)
    stranger = make_user()
    hidden = make_repository(organization, name="secret", visibility=Visibility.PRIVATE)
    mine = watching(reader, receiver.url, "org:org", "model:org/secret")
    theirs = watching(stranger, receiver.url, "org:org", "model:org/secret")
    refs.create_branch(hidden, Actor(make_member(organization, access=Access.WRITE)), "dev")
    assert (len(told(mine)), told(theirs)) == (1, [])


@pytest.mark.parametrize("then", ["left", "private", "deleted", "private deleted"])
def test_what_an_owner_may_no_longer_read_is_withheld(receiver, then, client_for):
    organization = make_organization("org")
    owner = make_member(organization, access=Access.READ)
    first = Visibility.PUBLIC if "private" in then else Visibility.PRIVATE
    repository = make_repository(organization, name="model", visibility=first)
    writer = Actor(make_member(organization, access=Access.WRITE))
    webhook = watching(owner, receiver.url, "org:org")
    refs.create_branch(repository, writer, "dev")
    Membership.objects.filter(user=owner, namespace=organization).delete()
    if "private" in then:
        repositories.update_settings(repository, writer, visibility="private")
    if "deleted" in then:
        repositories.delete_repository(repository, writer)
    jobs.deliver(webhook.pk)
    row = WebhookDelivery.objects.filter(webhook=webhook).earliest("pk")
    assert (receiver.requests, row.state) == ([], DeliveryState.WITHHELD)
    page = client_for(owner).get(f"{webhook.get_absolute_url()}/deliveries/{row.pk}")
    assert page.status_code == 200
    assert "refs/heads/dev" not in page.content.decode()
