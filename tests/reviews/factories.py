"""Pull requests for tests."""

from __future__ import annotations

from typing import Any

from hub.gitstore import AddFile
from hub.models import Access, Membership, Repository, User
from reviews.actions.pull_requests import open_pull_request
from reviews.actions.weights import request_comparison, sides_of
from reviews.changes import change_of
from reviews.jobs.comparing import carry_out
from reviews.models import Discussion
from tests.factories import TESTER, make_repository, make_user


def make_pull_request(
    repository: Repository | None = None,
    *,
    author: User | None = None,
    files: dict[str, bytes] | None = None,
    target_branch: str = "main",
    **overrides: Any,
) -> Discussion:
    """An open pull request that adds `files` to the head of the target branch."""
    repository = repository or make_repository()
    head_oid = propose_commit(repository, files or {"notes.txt": b"better\n"}, target_branch)
    opened = open_pull_request(
        repository,
        by=author or make_user(),
        title="Raise the rank",
        description="",
        head_oid=head_oid,
        target_branch=target_branch,
        **overrides,
    )
    row = Discussion.objects.get(repository=repository, number=opened.number)
    row.repository = repository
    return row


def propose_commit(repository: Repository, files: dict[str, bytes], branch: str = "main") -> str:
    """A commit on top of `branch` that no ref names yet."""
    store = repository.store()
    parent = store.resolve(branch)
    operations = [AddFile(path, content) for path, content in files.items()]
    tree = store.write_tree_on(parent, operations)
    return store.commit_tree(tree, parents=[parent], message="Propose", author=TESTER)


def push(pull_request: Discussion, files: dict[str, bytes]) -> str:
    """Move the head of a pull request, as git does, and let the hub hear of it."""
    from reviews.jobs.pushes import record_push

    repository = pull_request.repository
    store = repository.store()
    old = store.resolve(pull_request.ref)
    operations = [AddFile(path, content) for path, content in files.items()]
    head = store.commit(
        ref=pull_request.ref,
        parent=old,
        operations=operations,
        message="More",
        author=TESTER,
        expect=old,
    )
    record_push(repository, pull_request.number, by=pull_request.author)
    pull_request.refresh_from_db(fields=["head_oid"])
    return head


def make_maintainer(repository: Repository, access: Access = Access.WRITE) -> User:
    user = make_user()
    Membership.objects.create(namespace=repository.namespace, user=user, access=access)
    return user


def read_weights(pull_request: Discussion) -> None:
    """What a worker does on its own: the weights of a proposal are read and compared."""
    sides = sides_of(pull_request.repository, change_of(pull_request))
    if sides is not None:
        carry_out(request_comparison(*sides).pk)
