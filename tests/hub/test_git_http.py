"""git over HTTP with the real client: who may clone and push what."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.test import Client

from hub.gitstore.pointers import format_pointer
from hub.models import (
    Access,
    AuditEntry,
    BranchProtection,
    Event,
    Kind,
    Repository,
    TokenScope,
    User,
    Visibility,
)
from reviews.models import Discussion
from tests.factories import make_member, make_repository, make_token, make_user
from tests.gitstore.conftest import Client as Git
from tests.hub.transfers import upload
from tests.reviews.factories import make_pull_request

# The server of these tests answers in other threads: rows must be committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def repository() -> Repository:
    return make_repository()


@pytest.fixture
def writer(repository) -> User:
    return make_member(repository.namespace, access=Access.WRITE)


@pytest.fixture
def git(tmp_path, live_server) -> Git:
    return Git(tmp_path / "home", live_server.url)


def url_of(git: Git, repository: Repository, person: User | None = None, **token: Any) -> str:
    """The remote of a person, with a token in it."""
    url = f"{git.url}/{repository.path}"
    if person is None:
        return url
    return url.replace("://", f"://{person.username}:{make_token(person, **token)}@")


def cloned(git: Git, repository: Repository, person: User | None = None) -> str:
    work = git.home / "work"
    git("clone", "--quiet", url_of(git, repository, person), str(work))
    return str(work)


def push(git: Git, work: str, remote: str, refspec: str, *, ok: bool = True) -> str:
    """What the person sees, in one line."""
    done = git("-C", work, "push", remote, refspec, ok=ok)
    return " ".join(done.replace("remote: ", "").split())


def head(repository: Repository, ref: str = "refs/heads/main") -> str | None:
    return Repository.objects.get(pk=repository.pk).store().ref_oid(ref)


@pytest.mark.parametrize("ending", ["", ".git"])
@pytest.mark.parametrize("kind", Kind.values)
def test_anyone_clones_a_public_repository(git, kind, ending):
    repository = make_repository(kind=kind)
    git("clone", "--quiet", url_of(git, repository) + ending, str(git.home / "work"))
    assert (git.home / "work" / "README.md").exists()


def test_a_private_repository_asks_who_is_there(git, api_for):
    repository = make_repository(visibility=Visibility.PRIVATE)
    reader = make_member(repository.namespace, access=Access.READ)
    path = f"/{repository.path}.git/info/refs?service=git-upload-pack"
    anonymous = Client().get(path)
    assert anonymous.status_code == 401
    assert anonymous["WWW-Authenticate"].startswith("Basic")
    assert "could not read Username" in git("ls-remote", url_of(git, repository), ok=False)
    assert "not found" in git("ls-remote", url_of(git, repository, make_user()), ok=False)
    for scope in TokenScope.values:
        assert "refs/heads/main" in git("ls-remote", url_of(git, repository, reader, scope=scope))
    wrong = base64.b64encode(b"x:wb_nonsense").decode()
    assert Client().get(path, headers={"authorization": f"Basic {wrong}"}).status_code == 401


def test_a_gated_repository_is_cloned_by_members(git):
    repository = make_repository(gated="manual")
    assert "could not read Username" in git("ls-remote", url_of(git, repository), ok=False)
    said = git("ls-remote", url_of(git, repository, make_user()), ok=False)
    assert "restricted" in said or "403" in said
    member = make_member(repository.namespace, access=Access.READ)
    assert "refs/heads/main" in git("ls-remote", url_of(git, repository, member))


def test_a_push_moves_the_branch_and_all_that_follows(git, repository, writer):
    work = cloned(git, repository)
    card = b"---\nlicense: apache-2.0\ntags: [tiny]\n---\n# Better\n"
    oid = git.commit(git.home / "work", "README.md", card)
    push(git, work, url_of(git, repository, writer), "main")
    assert head(repository) == oid
    row = Repository.objects.get(pk=repository.pk)
    assert (row.head_oid, "tiny" in row.tags) == (oid, True)
    assert Event.objects.filter(repository=repository, kind="revision.pushed").count() == 1
    entry = AuditEntry.objects.get(action="ref.move")
    assert (entry.actor_name, entry.new) == (writer.username, oid)


@pytest.mark.parametrize("who", ["anonymous", "stranger", "read token", "protected"])
def test_who_may_not_push_is_told_and_nothing_moves(git, repository, writer, who):
    work, before = cloned(git, repository), head(repository)
    git.commit(git.home / "work", "a.txt", b"1")
    remotes = {
        "anonymous": url_of(git, repository),
        "stranger": url_of(git, repository, make_user()),
        "read token": url_of(git, repository, writer, scope=TokenScope.READ),
        "protected": url_of(git, repository, writer),
    }
    if who == "protected":
        BranchProtection.objects.create(repository=repository, branch="main")
    said = push(git, work, remotes[who], "main", ok=False)
    reasons = {
        "anonymous": "could not read Username",
        "stranger": "open a pull request instead",
        "read token": "token with write scope",
        "protected": "main is protected: open a pull request",
    }
    assert reasons[who] in said
    assert head(repository) == before


def test_the_author_of_a_pull_request_pushes_to_it_and_nobody_else(git, repository, writer):
    pull_request = make_pull_request(repository)
    author = pull_request.author
    work = cloned(git, repository)
    git("-C", work, "fetch", "--quiet", "origin", f"{pull_request.ref}:proposal")
    git("-C", work, "checkout", "--quiet", "proposal")
    oid = git.commit(git.home / "work", "more.txt", b"more")
    refspec = f"HEAD:{pull_request.ref}"
    stranger = url_of(git, repository, make_user())
    assert "only its author" in push(git, work, stranger, refspec, ok=False)
    push(git, work, url_of(git, repository, author), refspec)
    row = Discussion.objects.get(pk=pull_request.pk)
    assert (row.head_oid, row.patch_sets.count()) == (oid, 2)
    deleting = push(git, work, url_of(git, repository, writer), f":{pull_request.ref}", ok=False)
    assert "keep their heads" in deleting
    unknown = push(git, work, url_of(git, repository, writer), "HEAD:refs/pr/99", ok=False)
    assert "only its author" in unknown


@pytest.mark.parametrize("ref", ["refs/replace/" + "a" * 40, "refs/heads/HEAD", "refs/notes/x"])
def test_refs_that_no_rule_knows_are_refused_one_by_one(git, repository, writer, ref):
    work = cloned(git, repository)
    said = push(git, work, url_of(git, repository, writer), f"HEAD:{ref}", ok=False)
    assert "[remote rejected]" in said
    assert head(repository, "refs/heads/main")


def test_the_default_branch_is_not_pushed_away(git, repository, writer):
    work = cloned(git, repository)
    said = push(git, work, url_of(git, repository, writer), ":main", ok=False)
    assert "the default branch stays" in said
    assert head(repository)


def test_one_refused_ref_stops_the_others(git, repository, writer):
    BranchProtection.objects.create(repository=repository, branch="main")
    work = cloned(git, repository)
    git.commit(git.home / "work", "a.txt", b"1")
    remote = url_of(git, repository, writer)
    said = git("-C", work, "push", remote, "main", "HEAD:refs/heads/dev", ok=False)
    assert "refused with the others" in said
    assert head(repository, "refs/heads/dev") is None


def test_a_pointer_needs_its_bytes_here(git, repository, writer, api_for):
    content = b"weights" * 100
    other = make_repository(repository.namespace)
    file = upload(api_for(writer), other, content)
    work = cloned(git, repository)
    git.commit(git.home / "work", "w.safetensors", format_pointer(file.sha256, len(content)))
    remote = url_of(git, repository, writer)
    said = push(git, work, remote, "main", ok=False)
    assert "was never uploaded to this repository" in said
    assert "git lfs push --all" in said
    upload(api_for(writer), repository, content)
    push(git, work, remote, "main")
    git.commit(git.home / "work", "w.safetensors", format_pointer(file.sha256, 7))
    assert "bytes, not 7" in push(git, work, remote, "main", ok=False)


def test_a_broken_card_is_refused_as_the_commit_api_does(git, repository, writer):
    work, before = cloned(git, repository), head(repository)
    remote = url_of(git, repository, writer)
    git.commit(git.home / "work", "README.md", b"---\nlicense: [mit\n---\n")
    for refspec in ("main", "HEAD:refs/heads/dev"):
        said = push(git, work, remote, refspec, ok=False)
        assert "The metadata of README.md is invalid" in said
    git.commit(git.home / "work", "README.md", b"x" * (1024**2 + 1))
    assert "at most 1048576 bytes" in push(git, work, remote, "main", ok=False)
    assert head(repository) == before
    git.commit(git.home / "work", "README.md", b"---\nlicense: mit\n---\n")
    push(git, work, remote, "main")
    git("-C", work, "tag", "v1", "HEAD~1")
    push(git, work, remote, "v1")


def test_the_right_comes_from_the_path(repository, writer):
    reader = make_token(make_member(repository.namespace, access=Access.READ), scope="read")
    headers = {"authorization": f"Bearer {reader}"}
    path = f"/{repository.path}.git"
    for service in ("?service=git-upload-pack", ""):
        response = Client().post(
            f"{path}/git-receive-pack{service}",
            b"0000",
            content_type="application/x-git-upload-pack-request",
            headers=headers,
        )
        assert response.status_code == 403
    for service in ("git-receive-pack", "git-upload-archive", ""):
        refused = Client().get(f"{path}/info/refs?service={service}", headers=headers)
        assert refused.status_code == (403 if service == "git-receive-pack" else 400)
    assert Client().get(f"{path}/git-upload-pack").status_code == 405


@pytest.mark.parametrize("body", [b"", b"zzzz", b"0005x", b"ffff", b"0032" + b"0" * 46 + b"0000"])
def test_a_body_that_is_no_git_request_is_refused_plainly(repository, writer, body):
    headers = {"authorization": f"Bearer {make_token(writer)}"}
    response = Client().post(
        f"/{repository.path}.git/git-receive-pack",
        body,
        content_type="application/x-git-receive-pack-request",
        headers=headers,
    )
    assert response.status_code in {200, 400}
    if response.status_code == 400:
        assert response["Content-Type"].startswith("text/plain")
    else:
        response.getvalue()
    assert head(repository)


def test_a_commit_of_another_repository_cannot_be_fetched(git, repository, writer):
    private = make_repository(repository.namespace, visibility=Visibility.PRIVATE)
    work = cloned(git, private, writer)
    hidden = git.commit(git.home / "work", "secret.txt", b"secret")
    push(git, work, url_of(git, private, writer), "main")
    elsewhere = str(git.home / "elsewhere")
    git("init", "--quiet", elsewhere)
    git("-C", elsewhere, "fetch", "--quiet", url_of(git, private, writer), hidden)
    git("init", "--quiet", f"{elsewhere}2")
    said = git("-C", f"{elsewhere}2", "fetch", url_of(git, repository), hidden, ok=False)
    assert "not our ref" in said
