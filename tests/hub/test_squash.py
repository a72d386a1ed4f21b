"""POST …/super-squash: one commit afterwards, and nobody's work lost on the way."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.test import Client

from hub import events
from hub.models import Access, AuditEntry, BranchProtection, Repository
from tests.factories import commit_files, make_member, make_repository, make_token, make_user
from tests.hub.wire import commit, file, send_json
from tests.races import at_once
from tests.reviews.factories import make_pull_request

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository() -> Repository:
    return make_repository(files={"a.txt": b"a", "folder/b.txt": b"b"})


def squash(client: Client, repository: Repository, revision: str = "main", **body: Any) -> Any:
    path = f"/{repository.api_path}/super-squash/{revision}"
    return send_json(client, "POST", path, {"message": "All of it"} | body)


def titles(repository: Repository, revision: str = "main") -> list[str]:
    store = repository.store()
    return [one.subject for one in store.commits(store.resolve(revision))]


def test_a_squashed_branch_is_one_commit_of_the_same_files(
    api_for, repository, django_capture_on_commit_callbacks
):
    store = repository.store()
    before = store.resolve("main")
    store.move_ref("refs/tags/v1", new=before, old=None)
    told: list[dict[str, Any]] = []

    def listen(**kwargs: Any) -> None:
        told.append(kwargs)

    writer = make_member(repository.namespace, access=Access.WRITE)
    events.revision_pushed.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            answer = squash(api_for(writer), repository)
    finally:
        events.revision_pushed.disconnect(listen)
    assert answer.status_code == 200, answer.content
    after = repository.store().resolve("main")
    assert answer.json() == {"commitOid": after}
    assert titles(repository) == ["All of it"]
    assert repository.store().tree_oid(after) == store.tree_oid(before)
    assert repository.store().resolve("v1") == before
    assert [(one["ref"], one["old"], one["new"]) for one in told] == [
        ("refs/heads/main", before, after)
    ]
    assert AuditEntry.objects.get(action="ref.move").new == after
    repository.refresh_from_db()
    assert repository.head_oid == after


def test_a_proposal_is_squashed_by_its_author_and_keeps_its_commits(api_for, repository):
    pull_request = make_pull_request(repository)
    author = api_for(pull_request.author)
    assert commit(author, repository, file("c", b"c"), revision="refs%2Fpr%2F1").status_code == 200
    head = repository.store().ref_oid(pull_request.ref)
    assert squash(api_for(make_user()), repository, "refs%2Fpr%2F1").status_code == 403
    assert squash(author, repository, "refs%2Fpr%2F1").status_code == 200
    assert titles(repository, "refs/pr/1") == ["All of it"]
    assert len(titles(repository)) > 1
    assert repository.store().resolve(head) == head  # an earlier patch set can still be read


def test_open_proposals_keep_their_heads_when_their_branch_is_squashed(api_for, repository):
    pull_request = make_pull_request(repository)
    writer = api_for(make_member(repository.namespace, access=Access.WRITE))
    assert squash(writer, repository).status_code == 200
    store = repository.store()
    assert store.ref_oid(pull_request.ref) == pull_request.head_oid
    assert len(titles(repository, "refs/pr/1")) > 1
    page = Client().get(pull_request.get_absolute_url())
    assert page.status_code == 200
    details = writer.get(f"/{repository.api_path}/discussions/1?diff=1")
    assert details.status_code == 200


@pytest.mark.parametrize(
    ("revision", "body", "status", "code"),
    [
        ("nope", {}, 404, "RevisionNotFound"),
        ("v1", {}, 404, "RevisionNotFound"),
        ("refs%2Ftags%2Fv1", {}, 404, "RevisionNotFound"),
        ("main%5E%7Btree%7D", {}, 404, "RevisionNotFound"),
        ("--all", {}, 404, "RevisionNotFound"),
        ("main", {"message": " "}, 400, "BadRequest"),
        ("main", {"message": 1}, 400, "BadRequest"),
        ("main", {"message": "a\0b"}, 400, "BadRequest"),
        ("kept", {}, 403, "Forbidden"),
    ],
)
def test_what_cannot_be_squashed_stays(api_for, repository, revision, body, status, code):
    store = repository.store()
    head = store.resolve("main")
    store.move_ref("refs/tags/v1", new=head, old=None)
    store.move_ref("refs/heads/kept", new=head, old=None)
    BranchProtection.objects.create(repository=repository, branch="kept")
    before = [(ref.name, ref.oid) for ref in store.refs()]
    writer = api_for(make_member(repository.namespace, access=Access.ADMIN), scope="admin")
    answer = squash(writer, repository, revision, **body)
    assert (answer.status_code, answer["X-Error-Code"]) == (status, code), answer.content
    assert answer["X-Error-Message"]
    assert [(ref.name, ref.oid) for ref in repository.store().refs()] == before


@pytest.mark.django_db(transaction=True)
def test_no_commit_is_lost_to_a_squash_that_races_it():
    repository = make_repository()
    user = make_member(repository.namespace, access=Access.WRITE)
    secrets = [make_token(user) for _ in range(6)]

    def act(number: int) -> Any:
        client = Client(headers={"authorization": f"Bearer {secrets[number]}"})
        if number % 2:
            return squash(client, repository, message=f"Squash {number}")
        return commit(client, repository, file(f"{number}.txt", b"x"))

    answers = at_once(*(partial(act, number) for number in range(len(secrets))))
    assert {answer.status_code for answer in answers} <= {200, 412}
    assert any(answer.status_code == 200 for answer in answers)
    store = repository.store()
    names = {entry.path for entry in store.tree(store.resolve("main"))}
    landed = {f"{n}.txt" for n in range(0, 6, 2) if answers[n].status_code == 200}
    assert landed <= names
    assert {f"{n}.txt" for n in range(0, 6, 2)} & names == landed
    repository.refresh_from_db()
    assert repository.head_oid == store.resolve("main")


def test_squashing_again_says_the_new_message(api_for, repository):
    commit_files(repository, {"c.txt": b"c"})
    writer = api_for(make_member(repository.namespace, access=Access.WRITE))
    assert squash(writer, repository).status_code == 200
    assert squash(writer, repository, message="Again").status_code == 200
    assert titles(repository) == ["Again"]
