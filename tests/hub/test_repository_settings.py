"""The settings of a repository, one page a subject."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from hub.actions import collaborators, refs, transfers
from hub.errors import ForbiddenError, HubError
from hub.gitstore import AddPointer
from hub.http.authentication import actor_for_secret
from hub.models import (
    Access,
    BranchProtection,
    Collaborator,
    Repository,
    RepositoryTransfer,
    Visibility,
)
from hub.policies import file_access, get_repository, maintainers_of
from tests.factories import (
    TESTER,
    actor,
    commit_files,
    make_member,
    make_organization,
    make_repository,
    make_token,
    make_user,
)
from tests.hub.wire import stored
from tests.races import at_once

pytestmark = pytest.mark.django_db


def store_file(repository: Repository, content: bytes, path: str) -> str:
    """A large file on `main`; its sha256."""
    sha256 = stored(repository, content).sha256
    store = repository.store()
    head = store.resolve("main")
    pointer = AddPointer(path, sha256, len(content))
    parts = {"parent": head, "operations": [pointer], "message": "More", "author": TESTER}
    store.commit(ref="refs/heads/main", expect=head, **parts)
    return sha256


def text(response: Any) -> str:
    return str(response.content.decode())


@pytest.fixture
def repository() -> Repository:
    return make_repository(make_organization("acme"), name="m", visibility=Visibility.PRIVATE)


@pytest.fixture
def admin(repository: Repository) -> Any:
    return make_member(repository.namespace, access=Access.ADMIN)


def send(browser: Client, repository: Repository, **form: Any) -> Any:
    return browser.post(f"/{repository.path}/settings", form, follow=True)


def test_who_may_read_it_when_private_is_said_of_its_owner(client_for, repository, admin):
    page = client_for(admin).get(f"/{repository.path}/settings")
    assert "Members of acme and collaborators" in text(page)
    ada = make_user("ada")
    own, browser = make_repository(ada.namespace), client_for(ada)
    assert "ada and collaborators" in text(browser.get(f"/{own.path}/settings"))
    assert "You and collaborators" in text(browser.get("/-/new"))


class TestCollaborators:
    @pytest.mark.parametrize(
        ("access", "statuses"),
        [
            (Access.READ, (200, 403, False)),
            (Access.WRITE, (200, 403, True)),
            (Access.ADMIN, (200, 200, True)),
        ],
    )
    def test_a_role_opens_what_it_says(self, client_for, repository, admin, access, statuses):
        person = make_user()
        browser = client_for(person)
        assert browser.get(f"/{repository.path}").status_code == 404
        send(client_for(admin), repository, form="collaborate", user=person, access=access)
        reads, settings, approves = statuses
        assert browser.get(f"/{repository.path}").status_code == reads
        assert browser.get(f"/{repository.path}/settings").status_code == settings
        assert (person in maintainers_of(repository)) is approves
        assert browser.get(f"/{repository.namespace.slug}").status_code == 200
        row = Collaborator.objects.get()
        send(client_for(admin), repository, form="uncollaborate", collaborator=row.pk)
        assert browser.get(f"/{repository.path}").status_code == 404

    def test_a_collaborator_passes_the_gate_and_the_highest_role_counts(self, repository):
        Repository.objects.update(visibility=Visibility.PUBLIC, gated="manual")
        person = make_member(repository.namespace, access=Access.WRITE)
        Collaborator.objects.create(repository=repository, user=person, access=Access.READ)
        got = get_repository(actor(person), repository.named_by)
        assert got.access == Access.WRITE
        reader = make_user()
        Collaborator.objects.create(repository=repository, user=reader, access=Access.READ)
        seen = get_repository(actor(reader), repository.named_by)
        assert file_access(actor(reader), seen).allows

    @pytest.mark.parametrize(
        ("form", "said"),
        [
            ({"form": "collaborate", "user": "nobody", "access": 30}, "no person"),
            ({"form": "collaborate", "user": "x", "access": 0}, "choose a role"),
            ({"form": "uncollaborate", "collaborator": 999}, "no collaborator any more"),
        ],
    )
    def test_refusals_say_why(self, client_for, repository, admin, form, said):
        assert said in text(send(client_for(admin), repository, **form))
        assert not Collaborator.objects.exists()

    def test_a_write_token_names_nobody(self, repository, admin):
        by = actor_for_secret(make_token(admin, scope="write"))
        with pytest.raises(ForbiddenError):
            collaborators.set_collaborator(repository, make_user(), Access.READ, by=by)

    def test_they_leave_by_themselves(self, client_for, repository):
        person = make_user()
        row = Collaborator.objects.create(repository=repository, user=person, access=Access.READ)
        browser = client_for(person)
        assert repository.repo_id in text(browser.get("/-/settings/organizations"))
        assert client_for(make_user()).post(f"/-/collaborations/{row.pk}/leave").status_code == 404
        browser.post(f"/-/collaborations/{row.pk}/leave")
        assert not Collaborator.objects.exists()


class TestBranches:
    def test_a_pattern_protects_what_it_names_and_the_exact_rule_wins(
        self, client_for, repository, admin
    ):
        browser = client_for(admin)
        send(browser, repository, form="protect", branch="release/*", required_approvals=2)
        send(browser, repository, form="protect", branch="release/1", required_approvals=0)
        rules = BranchProtection.objects

        def needed(branch: str) -> int | None:
            rule = rules.of_branch(repository, branch)
            return rule.required_approvals if rule else None

        found = [needed(name) for name in ("release/2", "release/1", "main", "release")]
        assert found == [2, 0, None, None]
        assert refs.is_protected(repository, "refs/heads/release/x")
        shown = text(browser.get(f"/{repository.path}/settings/branches"))
        assert "release/*" in shown and "2 approvals" in shown
        send(browser, repository, form="unprotect", branch="release/*")
        assert needed("release/2") is None

    @pytest.mark.parametrize("branch", ["a..b", "a b", "[x]*?", "-"])
    def test_what_no_branch_is_called_is_refused(self, client_for, repository, admin, branch):
        send(client_for(admin), repository, form="protect", branch=branch, required_approvals=1)
        rule = BranchProtection.objects.first()
        assert rule is None or branch == "-"


class TestStorage:
    def test_it_names_the_largest_files_and_what_each_version_brought(
        self, client_for, repository, admin
    ):
        sha256 = store_file(repository, b"x" * 5000, "big.bin")
        commit_files(repository, {"a.txt": b"a" * 100}, message="Small text")
        shown = text(client_for(admin).get(f"/{repository.path}/settings/storage"))
        assert "big.bin" in shown and sha256[:12] in shown and "Small text" in shown

    def test_files_go_for_good_once_the_name_is_typed(self, client_for, repository, admin):
        sha256 = store_file(repository, b"x" * 5000, "big.bin")
        browser = client_for(admin)
        form = {"form": "remove_files", "sha256": sha256, "rewrite_history": "on"}
        assert "exactly" in text(send(browser, repository, **form))
        assert repository.object_links.exists()
        del form["sha256"]
        assert "Choose the files" in text(send(browser, repository, **form))
        form |= {"sha256": sha256, "confirm": repository.repo_id}
        assert "deleted for good" in text(send(browser, repository, **form))
        assert not repository.object_links.exists()
        assert "No large files" in text(browser.get(f"/{repository.path}/settings/storage"))


class TestTransfer:
    def test_it_is_offered_and_accepted_by_who_may_create_there(
        self, client_for, repository, admin
    ):
        target = make_organization("globex")
        writer = make_member(target, access=Access.WRITE)
        reader = make_member(target, access=Access.READ)
        shown = text(send(client_for(admin), repository, form="offer", target="Globex"))
        assert "Offered to globex" in shown
        path = f"/-/offers/{RepositoryTransfer.objects.get().pk}"
        assert client_for(reader).post(path, {"answer": "accept"}).status_code == 404
        assert "acme/m" in text(client_for(writer).get("/-/settings/organizations"))
        client_for(writer).post(path, {"answer": "accept"})
        repository.refresh_from_db()
        assert repository.namespace == target and repository.scope == f"private-{target.pk}"
        assert client_for(writer).post(path, {"answer": "accept"}).status_code == 404

    def test_it_is_declined_withdrawn_or_void(self, client_for, repository, admin):
        person = make_user()
        browser, offers = client_for(admin), RepositoryTransfer.objects
        assert "no person or org" in text(send(browser, repository, form="offer", target="no"))
        assert "already" in text(send(browser, repository, form="offer", target="acme"))
        send(browser, repository, form="offer", target=person.username)
        client_for(person).post(f"/-/offers/{offers.get().pk}", {"answer": "decline"})
        assert not offers.exists()
        send(browser, repository, form="offer", target=person.username)
        send(browser, repository, form="withdraw")
        assert not offers.exists()
        send(browser, repository, form="offer", target=person.username)
        make_member(repository.namespace, access=Access.ADMIN)
        repository.namespace.memberships.filter(user=admin).update(access=Access.READ)
        answer = client_for(person).post(f"/-/offers/{offers.get().pk}", {"answer": "accept"})
        assert answer.status_code == 409
        repository.refresh_from_db()
        assert repository.namespace.slug == "acme"


class TestDanger:
    def test_deleting_says_what_goes(self, client_for, repository, admin):
        make_repository(repository.namespace, name="child", tags=["base_model:acme/m"])
        browser = client_for(admin)
        shown = text(browser.get(f"/{repository.path}/settings/danger"))
        assert "1 model here is made from it" in shown and "Versions" in shown
        assert "exactly" in text(send(browser, repository, form="delete", confirm="m"))
        send(browser, repository, form="delete", confirm="acme/m")
        assert not Repository.objects.filter(pk=repository.pk).exists()

    def test_the_trail_tells_who_did_what(self, client_for, repository, admin):
        browser = client_for(admin)
        send(browser, repository, form="visibility", visibility="public")
        shown = text(browser.get(f"/{repository.path}/settings/audit"))
        assert f"made {repository.repo_id} public" in shown


@pytest.mark.django_db(transaction=True)
def test_an_offer_is_accepted_once():
    repository = make_repository(make_organization())
    boss = make_member(repository.namespace, access=Access.ADMIN)
    target = make_organization()
    people = [make_member(target, access=Access.WRITE) for _ in range(2)]
    offer = transfers.offer_repository(repository, actor(boss), target.slug)
    answers = at_once(
        *(lambda who=who: transfers.accept_repository(actor(who), offer.pk) for who in people),
        lambda: transfers.withdraw_offer(repository, actor(boss)),
    )
    moved = [each for each in answers if isinstance(each, Repository)]
    assert sum(isinstance(each, HubError) for each in answers) + len(moved) == 2
    repository.refresh_from_db()
    assert (repository.namespace == target) is (len(moved) == 1)
