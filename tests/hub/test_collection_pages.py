"""The pages of collections, without JavaScript."""

from __future__ import annotations

from typing import Any

import pytest

from hub.actions import collections
from hub.models import Access, Collection, User, Visibility
from hub.policies import Actor
from tests.factories import make_member, make_organization, make_repository, make_user

pytestmark = pytest.mark.django_db


def make_collection(user: User, *things: Any, title: str = "Good ones", **more: Any) -> Collection:
    made = collections.create_collection(Actor(user), user.username, title=title, **more)
    for thing in things:
        collections.add_item(made, Actor(user), thing)
    return made


def names(collection: Collection) -> list[str]:
    rows = collection.items.order_by("position").select_related("repository")
    return [row.repository.name for row in rows if row.repository]


def test_a_collection_is_made_from_a_repository_and_kept_by_buttons(client_for):
    user, first, second = make_user(), make_repository(), make_repository(kind="dataset")
    browser = client_for(user)
    new = f"/-/collections/new?kind=model&name={first.repo_id}"
    form = {"owner": user.username, "title": "Mine", "description": "", "theme": "green"}
    url = browser.post(new, form)["Location"]
    collection = Collection.objects.get()
    assert url == collection.get_absolute_url() and names(collection) == [first.name]
    browser.post(url, {"do": "add", "thing": f"datasets/{second.repo_id}", "note": "Rows."})
    page = browser.get(url).content.decode()
    assert "Rows." in page and second.repo_id in page
    key = collection.items.get(repository=second).key
    moved = browser.post(url, {"do": "up", "item": key})
    assert moved["Location"] == f"{url}#item-{key}"
    assert names(collection) == [second.name, first.name]
    browser.post(url, {"do": "down", "item": key})
    assert names(collection) == [first.name, second.name]
    browser.post(url, {"do": "note", "item": key, "note": "<b>Bold</b>"})
    assert "&lt;b&gt;Bold&lt;/b&gt;" in browser.get(url).content.decode()
    browser.post(url, {"do": "remove", "item": key})
    assert names(collection) == [first.name]
    browser.post(url, {"do": "upvote"})
    assert 'aria-pressed="true"' in browser.get(url).content.decode()
    again = browser.post(url, {"do": "add", "thing": first.repo_id}, follow=True)
    assert "in the collection already" in again.content.decode()


def test_a_collection_is_edited_found_by_its_old_address_and_deleted(client_for):
    user = make_user()
    collection, browser = make_collection(user, make_repository()), client_for(user)
    old = collection.get_absolute_url()
    make_collection(user, title="Taken")
    form = {"title": "taken", "description": "", "theme": "pink"}
    assert browser.post(f"{old}/edit", form).status_code == 422
    new = browser.post(f"{old}/edit", form | {"title": "Renamed", "private": "on"})["Location"]
    assert new != old and browser.get(old)["Location"] == new
    assert client_for(None).get(new).status_code == 404
    listed = browser.get(f"/{user.username}?view=collections").content.decode()
    assert "Renamed" in listed and "Taken" in listed
    assert "Renamed" not in client_for(None).get("/collections").content.decode()
    assert browser.post(f"{new}/edit", {"do": "delete"}).status_code == 302
    assert browser.get(new).status_code == 404


def test_the_page_of_a_repository_names_its_collections_and_takes_it_into_more(client_for):
    user, model = make_user(), make_repository()
    collection = make_collection(user)
    make_collection(make_user(), model, title="Secret", private=True)
    browser, url = client_for(user), f"{model.get_absolute_url()}/collections"
    assert "Add to Good ones" in browser.get(url).content.decode()
    browser.post(url, {"do": "add", "collection": collection.slug})
    assert "Remove from Good ones" in browser.get(url).content.decode()
    page = client_for(None).get(model.get_absolute_url()).content.decode()
    assert "Good ones" in page and "Secret" not in page
    browser.post(url, {"do": "remove", "collection": collection.slug})
    assert names(collection) == []


def test_strangers_see_no_tools_and_no_hidden_items(client_for):
    user = make_user()
    hidden = make_repository(user.namespace, visibility=Visibility.PRIVATE)
    shown = make_repository()
    collection = make_collection(user, hidden, shown)
    for reader in (None, make_user()):
        page = client_for(reader).get(collection.get_absolute_url()).content.decode()
        assert shown.repo_id in page and hidden.name not in page
        assert "1 entry" in page and 'value="remove"' not in page
    other = client_for(make_user())
    key = collection.items.get(repository=shown).key
    other.post(collection.get_absolute_url(), {"do": "remove", "item": key})
    assert len(names(collection)) == 2


@pytest.mark.parametrize(("held", "status"), [(Access.READ, 403), (Access.WRITE, 200)])
def test_members_edit_collections_of_their_organisation(client_for, held, status):
    organization = make_organization()
    admin = make_member(organization, access=Access.ADMIN)
    made = collections.create_collection(Actor(admin), organization.slug, title="Ours")
    browser = client_for(make_member(organization, access=held))
    assert browser.get(f"{made.get_absolute_url()}/edit").status_code == status
