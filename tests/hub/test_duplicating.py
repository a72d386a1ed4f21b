"""Copies of repositories: what they hold, who may make them, what a broken off one leaves."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from hub.actions import duplicating, large_files
from hub.gitstore.pointers import format_pointer
from hub.jobs import tidy
from hub.models import Access, Kind, ObjectLink, RepoId, Repository, Visibility
from tests.factories import (
    actor,
    commit_files,
    make_member,
    make_organization,
    make_repository,
    make_user,
)
from tests.hub.wire import body_of, send_json, stored

CARD = b"---\nlicense: mit\ntags: [tiny]\n---\n# Tiny\n"


def make_source(**overrides: Any) -> Repository:
    """A repository with a large file on `main`, another on a tag, a third in a proposal."""
    source = make_repository(**overrides)
    store = source.store()
    for place, content in (("main", b"weights"), ("v1", b"older"), ("pr", b"proposed")):
        sha256 = stored(source, content).sha256
        files = {"README.md": CARD, "w.bin": format_pointer(sha256, len(content))}
        if place == "main":
            commit_files(source, files)
            continue
        ref = "refs/heads/aside" if place == "v1" else "refs/pr/1"
        store.move_ref(ref, new=store.resolve("main"), old=None)
        head = commit_files(source, files, ref=ref)
        if place == "v1":
            store.move_ref("refs/tags/v1", new=head, old=None)
            store.delete_ref("refs/heads/aside", old=head)
    stored(source, b"sent but never committed")
    store.move_ref("refs/heads/dev", new=store.resolve("main"), old=None)
    return source


def duplicate(client: Client, source: Repository, to: str, **body: Any) -> Any:
    path = f"/{source.api_path}/duplicate"
    return send_json(client, "POST", path, {"repository": to, **body})


@pytest.mark.django_db
class TestACopy:
    @pytest.mark.parametrize("private", [True, False])
    def test_has_branches_tags_and_their_large_files_and_nothing_else(
        self, api_for, settings, private
    ):
        source = make_source(visibility=Visibility.PRIVATE)
        person = make_member(source.namespace, access=Access.READ, username="ada")
        client = api_for(person)
        answer = duplicate(client, source, "ada/mine", private=private)
        assert (answer.status_code, answer.json()) == (
            200,
            {"url": f"{settings.PUBLIC_URL}/ada/mine"},
        )
        copy = Repository.objects.get(name="mine")
        names = [ref.name for ref in copy.store().refs()]
        assert names == ["refs/heads/dev", "refs/heads/main", "refs/tags/v1"]
        assert copy.store().resolve("main") == source.store().resolve("main") == copy.head_oid
        assert (copy.is_private, copy.card_data) == (private, {"license": "mit", "tags": ["tiny"]})
        for revision, content in (("main", b"weights"), ("v1", b"older")):
            answer = client.get(f"/ada/mine/resolve/{revision}/w.bin")
            assert body_of(answer) == content
        assert copy.object_links.count() == 2  # neither the proposal's nor what nobody committed
        assert large_files.links(copy, [stored(source, b"proposed").sha256]) == {}

    def test_is_as_visible_and_as_gated_as_its_source(self, api_for):
        source = make_source(visibility=Visibility.PRIVATE, gated="manual", kind=Kind.DATASET)
        person = make_member(source.namespace, access=Access.READ, username="ada")
        assert duplicate(api_for(person), source, "copy").status_code == 200
        copy = Repository.objects.get(namespace__slug="ada")
        assert (copy.kind, copy.visibility, copy.gated) == ("dataset", "private", "manual")

    @pytest.mark.parametrize("source", [Visibility.PUBLIC, Visibility.PRIVATE])
    @pytest.mark.parametrize("settled", [True, False])
    @pytest.mark.parametrize("door", ["browser", "api"])
    def test_is_private_where_its_source_is_or_its_owner_says_so(
        self, client_for, api_for, source, settled, door
    ):
        found = make_source(visibility=source)
        person = make_member(found.namespace, access=Access.READ, username="ada")
        person.namespace.private_by_default = settled
        person.namespace.save()
        if door == "api":
            duplicate(api_for(person), found, "ada/mine")
        else:
            form = {"owner": "ada", "name": "mine", "visibility": "default"}
            client_for(person).post(f"/{found.path}/duplicate", form)
        copy = Repository.objects.get(name="mine")
        assert copy.is_private == (settled or source == Visibility.PRIVATE)

    def test_costs_no_second_copy_of_a_large_file(self, api_for):
        source = make_source()
        links = ObjectLink.objects.count()
        assert duplicate(api_for(make_user("ada")), source, "ada/mine").status_code == 200
        assert ObjectLink.objects.count() == links + 2
        rows = ObjectLink.objects.filter(repository__name="mine")
        assert {row.stored_object.links.count() for row in rows} == {2}

    def test_is_refused_where_the_name_is_taken(self, api_for):
        source, taken = make_source(), make_repository(name="taken")
        member = make_member(taken.namespace, access=Access.WRITE)
        answer = duplicate(api_for(member), source, taken.repo_id)
        assert (answer.status_code, answer.json()["url"]) == (409, taken.public_url())

    @pytest.mark.parametrize(("access", "status"), [(None, 403), (Access.READ, 403)])
    def test_needs_the_right_to_create_there(self, api_for, access, status):
        source, target = make_source(), make_organization()
        member = make_member(target, access=access)
        answer = duplicate(api_for(member), source, f"{target.slug}/copy")
        assert answer.status_code == status

    def test_is_only_for_those_who_read_the_files(self, api_for):
        gated = make_source(gated="manual")
        hidden = make_source(visibility=Visibility.PRIVATE)
        client = api_for(make_user("ada"))
        refused = duplicate(client, gated, "ada/copy")
        assert (refused.status_code, refused["X-Error-Code"]) == (403, "GatedRepo")
        assert duplicate(client, hidden, "ada/copy").status_code == 404
        assert not Repository.objects.filter(namespace__slug="ada").exists()

    @pytest.mark.parametrize("body", [{"repository": 7}, {"repository": "a/b/c"}, {}])
    def test_needs_a_name(self, api_for, body):
        source = make_source()
        client = api_for(make_user("ada"))
        path = f"/{source.api_path}/duplicate"
        assert send_json(client, "POST", path, body).status_code == 400

    def test_is_made_in_the_browser_too(self, client_for):
        source = make_source(name="tiny")
        browser = client_for(make_user("ada"))
        assert f'href="/{source.path}/duplicate"' in browser.get(f"/{source.path}").content.decode()
        page = browser.get(f"/{source.path}/duplicate").content.decode()
        assert 'value="tiny"' in page
        form = {"owner": "ada", "name": "mine", "visibility": "private"}
        answer = browser.post(f"/{source.path}/duplicate", form)
        assert (answer.status_code, answer["Location"]) == (302, "/ada/mine")
        again = browser.post(f"/{source.path}/duplicate", form)
        assert (again.status_code, "already have" in again.content.decode()) == (422, True)


@pytest.mark.django_db(transaction=True)
def test_a_copy_that_is_killed_half_way_leaves_nothing_to_see(settings, monkeypatch):
    source, person = make_source(), make_user("ada")
    to = RepoId(Kind.MODEL, "ada", "mine")
    links = ObjectLink.objects.count()
    connection.close()
    child = os.fork()
    if child == 0:  # the folder is there by then, and the transaction is open
        monkeypatch.setattr(
            large_files, "copy_link", lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        )
        duplicating.duplicate_repository(source, actor(person), to)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert not Repository.objects.named(to).exists()
    assert ObjectLink.objects.count() == links
    monkeypatch.setattr(tidy, "KEEP", -tidy.KEEP)
    tidy.remove_stray_folders()
    assert duplicating.duplicate_repository(source, actor(person), to).repo_id == "ada/mine"
    folders = {folder.name for folder in settings.REPOSITORIES_DIR.iterdir()}
    rows = {f"{pk}.git" for pk in Repository.objects.values_list("pk", flat=True)}
    assert rows <= folders
