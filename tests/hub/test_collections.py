"""Collections: the API's answers, who sees what, and order under races."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
from django.test import Client

from hub.actions import collections
from hub.models import Access, Collection, CollectionItem, Namespace, User, Visibility
from hub.policies import Actor
from tests.factories import make_member, make_organization, make_repository, make_token, make_user
from tests.hub.wire import send_json
from tests.races import at_once

pytestmark = pytest.mark.django_db
URL = "/api/collections"


def make_collection(user: User, title: str = "Good ones", **more: Any) -> Collection:
    owner = more.pop("owner", user.username)
    return collections.create_collection(Actor(user), owner, title=title, **more)


def api(user: User | None = None, **token: Any) -> Client:
    if user is None:
        return Client()
    return Client(headers={"authorization": f"Bearer {make_token(user, **token)}"})


def url_of(collection: Collection, rest: str = "") -> str:
    return f"{URL}/{collection.slug}{rest}"


def add(client: Client, collection: Collection, thing: Any, **more: Any) -> Any:
    kind = "collection" if isinstance(thing, Collection) else thing.kind
    name = thing.slug if isinstance(thing, Collection) else thing.repo_id
    return send_json(
        client, "POST", url_of(collection, "/items"), {"item": {"id": name, "type": kind}} | more
    )


def ids(answer: Any) -> list[str]:
    return [item["id"] for item in answer.json()["items"]]


def test_a_collection_is_made_filled_changed_and_deleted():
    user = make_user("ada")
    client = api(user)
    made = send_json(client, "POST", URL, {"title": "Good ones", "description": "Small."}).json()
    assert made["slug"].startswith("ada/good-ones-")
    assert (made["position"], made["private"], made["items"]) == (0, False, [])
    assert (made["owner"]["name"], made["description"]) == ("ada", "Small.")
    model, dataset = make_repository(), make_repository(kind="dataset")
    collection = Collection.objects.get()
    assert add(client, collection, model, note="Try *it*.").status_code == 200
    answer = add(client, collection, dataset)
    assert [(one["id"], one["type"], one["position"]) for one in answer.json()["items"]] == [
        (model.repo_id, "model", 0),
        (dataset.repo_id, "dataset", 1),
    ]
    first, second = answer.json()["items"]
    assert first["note"] == {"text": "Try *it*."} and "note" not in second
    item_url = url_of(collection, f"/items/{second['_id']}")
    assert send_json(client, "PATCH", item_url, {"position": 0, "note": "Rows"}).status_code == 200
    answer = client.get(url_of(collection))
    assert ids(answer) == [dataset.repo_id, model.repo_id]
    assert answer.json()["items"][0]["note"] == {"text": "Rows"}
    assert send_json(client, "DELETE", item_url).status_code == 200
    assert send_json(client, "DELETE", item_url).status_code == 404
    change = {"title": "Better ones", "theme": "green", "private": True, "position": 0}
    changed = send_json(client, "PATCH", url_of(collection), change).json()["data"]
    assert (changed["theme"], changed["private"]) == ("green", True)
    assert changed["slug"] == f"ada/better-ones-{collection.key}"
    for old in (f"ada/good-ones-{collection.key}", f"nobody/x-{collection.key}"):
        assert client.get(f"{URL}/{old}").json()["title"] == "Better ones"
    assert send_json(client, "DELETE", url_of(collection)).status_code == 200
    assert client.get(url_of(collection)).status_code == 404
    assert not CollectionItem.objects.exists()


def test_the_same_title_and_the_same_item_are_conflicts_that_clients_can_accept():
    user, model = make_user(), make_repository()
    client, collection = api(user), make_collection(user)
    again = send_json(client, "POST", URL, {"title": "GOOD ones"})
    assert (again.status_code, again.json()["slug"]) == (409, collection.slug)
    assert add(client, collection, model).status_code == 200
    assert add(client, collection, model).status_code == 409
    other = make_collection(user, "Other")
    renamed = send_json(client, "PATCH", url_of(other), {"title": "Good ones"})
    assert (renamed.status_code, renamed.json()["slug"]) == (409, collection.slug)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": ""},
        {"title": "x" * 61},
        {"title": "x", "description": "x" * 151},
        {"title": ["x"]},
        [],
        {"title": "x", "private": "perhaps"},
    ],
)
def test_malformed_collections_are_refused(body):
    assert send_json(api(make_user()), "POST", URL, body).status_code == 400
    assert not Collection.objects.exists()


@pytest.mark.parametrize(
    ("item", "status"),
    [
        ({"id": "nobody/none", "type": "model"}, 404),
        ({"id": "2307.09288", "type": "paper"}, 404),
        ({"id": "a/b", "type": "bucket"}, 404),
        ({"id": "a/b", "type": "spell"}, 400),
        ({"id": "ab", "type": "model"}, 400),
        ({"id": "x", "type": "collection"}, 404),
        ("a/b", 400),
        (None, 400),
    ],
)
def test_what_is_not_here_cannot_be_added(item, status):
    user = make_user()
    collection = make_collection(user)
    url = url_of(collection, "/items")
    assert send_json(api(user), "POST", url, {"item": item}).status_code == status
    assert not collection.items.exists()


def test_limits_of_notes_themes_and_places():
    user, model = make_user(), make_repository()
    client, collection = api(user), make_collection(user)
    assert add(client, collection, model, note="x" * 501).status_code == 400
    assert add(client, collection, model, note="x" * 500).status_code == 200
    assert add(client, collection, collection).status_code == 400
    key = collection.items.get().key
    for body in ({"position": -1}, {"position": "x"}, {"note": "x" * 501}, {"note": ["x"]}):
        url = url_of(collection, f"/items/{key}")
        answer = send_json(client, "PATCH", url, body)
        assert answer.status_code == 400, body
    assert send_json(client, "PATCH", url_of(collection), {"theme": "plaid"}).status_code == 400


def test_a_collection_holds_collections_and_names_them_by_slug():
    user = make_user()
    outer, inner = make_collection(user), make_collection(user, "Inner")
    item = add(api(user), outer, inner).json()["items"][0]
    assert (item["type"], item["slug"], item["id"]) == ("collection", inner.slug, inner.key)
    collections.update_collection(inner, Actor(user), private=True)
    assert ids(api(user).get(url_of(outer))) == [inner.key]
    assert ids(Client().get(url_of(outer))) == []


def test_hidden_repositories_are_in_no_answer_and_no_count():
    owner, stranger = make_user(), make_user()
    hidden = make_repository(owner.namespace, visibility=Visibility.PRIVATE)
    public = make_repository()
    collection, client = make_collection(owner), api(owner)
    add(client, collection, hidden)
    add(client, collection, public)
    assert ids(client.get(url_of(collection))) == [hidden.repo_id, public.repo_id]
    for reader in (Client(), api(stranger)):
        answer = reader.get(url_of(collection))
        assert [(one["id"], one["position"]) for one in answer.json()["items"]] == [
            (public.repo_id, 0)
        ]
        assert reader.get(URL).json()[0]["numItems"] == 1
        assert hidden.name not in answer.content.decode()
        assert reader.get(f"{URL}?item=models/{hidden.repo_id}").json() == []
        assert len(reader.get(f"{URL}?item=models/{public.repo_id}").json()) == 1
    # A token for another repository sees the hidden one nowhere either.
    limited = make_token(owner)
    token = owner.access_tokens.latest("pk")
    token.repositories.add(public)
    reader = Client(headers={"authorization": f"Bearer {limited}"})
    assert ids(reader.get(url_of(collection))) == [public.repo_id]
    assert send_json(reader, "PATCH", url_of(collection), {"title": "x"}).status_code == 403


def test_private_collections_are_hidden_from_everyone_else():
    owner, stranger = make_user(), make_user()
    private = make_collection(owner, private=True)
    public = make_collection(owner, "Public")
    for reader in (Client(), api(stranger)):
        assert reader.get(url_of(private)).status_code == 404
        assert [one["slug"] for one in reader.get(URL).json()] == [public.slug]
        assert reader.get(url_of(public)).json()["position"] == 0
        assert send_json(reader, "DELETE", url_of(private)).status_code == 404
    assert api(owner).get(url_of(public)).json()["position"] == 1
    assert len(api(owner).get(f"{URL}?owner={owner.username}").json()) == 2


@pytest.mark.parametrize(
    ("held", "status"),
    [(None, 403), (Access.READ, 403), (Access.CONTRIBUTE, 403), (Access.WRITE, 200)],
)
def test_collections_of_organisations_are_kept_by_those_who_write_there(held, status):
    organization = make_organization()
    admin = make_member(organization, access=Access.ADMIN)
    collection = make_collection(admin, owner=organization.slug)
    person, model = make_member(organization, access=held), make_repository()
    client = api(person)
    assert add(client, collection, model).status_code == status
    made = send_json(client, "POST", URL, {"title": "New", "namespace": organization.slug})
    assert made.status_code == status
    assert send_json(client, "PATCH", url_of(collection), {"title": "x"}).status_code == status
    assert send_json(client, "DELETE", url_of(collection)).status_code == status


def test_changing_needs_a_token_that_writes():
    user, model = make_user(), make_repository()
    collection = make_collection(user)
    reader = api(user, scope="read")
    assert add(reader, collection, model).status_code == 403
    assert send_json(reader, "POST", URL, {"title": "x"}).status_code == 403
    assert send_json(reader, "POST", url_of(collection, "/upvote")).status_code == 403
    assert send_json(Client(), "POST", url_of(collection, "/upvote")).status_code == 401
    assert send_json(Client(), "PATCH", url_of(collection), {"title": "x"}).status_code == 401


def test_the_list_filters_sorts_and_pages():
    ada, bob = make_user(), make_user()
    first, second = make_collection(ada, "First"), make_collection(ada, "Second")
    third = make_collection(bob, "Third", description="fast")
    model = make_repository()
    for collection, owner in ((first, ada), (third, bob)):
        add(api(owner), collection, model)

    def slugs(query: str) -> list[str]:
        answer = Client().get(f"{URL}?{query}")
        assert answer.status_code == 200, answer.content
        assert all("position" not in one for one in answer.json())
        return [one["slug"] for one in answer.json()]

    assert slugs("sort=lastModified") == [third.slug, first.slug, second.slug]
    for _again in range(2):
        send_json(api(bob), "POST", url_of(second, "/upvote"))
    assert Client().get(url_of(second)).json()["upvotes"] == 1
    assert slugs("sort=upvotes")[0] == slugs("sort=trending")[0] == slugs("")[0] == second.slug
    assert slugs(f"owner={ada.username}&owner={bob.username}&q=fast") == [third.slug]
    assert slugs(f"item=models/{model.repo_id}&owner={ada.username}") == [first.slug]
    assert slugs("item=models/no/such") == slugs("item=papers/1") == slugs("item=") == []
    assert send_json(api(bob), "DELETE", url_of(second, "/upvote")).json() == {"upvotes": 0}
    seen, url = [], f"{URL}?limit=1&sort=lastModified&owner={ada.username}"
    while url:
        answer = Client().get(url)
        seen += [one["slug"] for one in answer.json()]
        found = re.search(r"<https?://[^/]+(/[^>]+)>", answer.headers.get("Link", ""))
        url = found[1] if found else ""
    assert seen == [first.slug, second.slug]
    for wrong in ("sort=x", "limit=x", "p=x", "&".join(["owner=x"] * 21)):
        assert Client().get(f"{URL}?{wrong}").status_code == 400


def test_the_list_shows_four_items_of_each(django_assert_max_num_queries):
    user = make_user()
    collection = make_collection(user)
    things = [make_repository() for _each in range(5)]
    for thing in things:
        collections.add_item(collection, Actor(user), thing)
    with django_assert_max_num_queries(4):
        line = Client().get(URL).json()[0]
    assert [one["id"] for one in line["items"]] == [thing.repo_id for thing in things[:4]]
    assert line["numItems"] == 5


def test_moving_leaves_what_the_mover_cannot_see_where_it_was():
    organization, ada = make_organization(), make_user()
    organization.memberships.create(user=ada, access=Access.WRITE)
    bob = make_member(organization, access=Access.WRITE)
    collection = make_collection(ada, owner=organization.slug)
    hidden = make_repository(ada.namespace, visibility=Visibility.PRIVATE)
    things = [make_repository(name=name) for name in ("a", "b", "c")]
    for thing in (things[0], hidden, things[1], things[2]):
        collections.add_item(collection, Actor(ada), thing)

    def names(user: User) -> str:
        answer = api(user).get(url_of(collection)).json()["items"]
        return "".join("h" if one["private"] else one["id"][-1] for one in answer)

    key = collection.items.get(repository=things[2]).key
    collections.update_item(collection, Actor(bob), key, position=0)
    assert (names(bob), names(ada)) == ("cab", "cahb")
    collections.update_item(collection, Actor(bob), key, position=99)
    assert (names(bob), names(ada)) == ("abc", "ahbc")
    collections.update_item(collection, Actor(bob), key, position=1)
    assert (names(bob), names(ada)) == ("acb", "ahcb")


def test_collections_of_an_owner_have_an_order_too():
    user = make_user()
    rows = [make_collection(user, title) for title in ("a", "b", "c")]
    collections.update_collection(rows[2], Actor(user), position=0)
    order = Collection.objects.order_by("position").values_list("title", flat=True)
    assert list(order) == ["c", "a", "b"]


def test_what_goes_leaves_every_collection():
    user, model = make_user(), make_repository()
    collection = make_collection(user)
    collections.add_item(collection, Actor(user), model)
    model.delete()
    assert ids(Client().get(url_of(collection))) == []


@pytest.mark.django_db(transaction=True)
def test_order_and_uniqueness_hold_when_many_write_at_once():
    user = make_user()
    collection = make_collection(user)
    things = [make_repository() for _each in range(4)]

    def work(number: int) -> str:
        try:
            if number < 4:  # every thing is added by two at once
                collections.add_item(collection, Actor(user), things[number])
                return "added"
            collections.add_item(collection, Actor(user), things[number - 4])
            key = collection.items.get(repository=things[number - 4]).key
            collections.update_item(collection, Actor(user), key, position=0)
            return "added"
        except collections.ConflictError:
            return "there"

    answers = at_once(*(partial(work, number) for number in range(8)))
    assert sorted(answers) == ["added"] * 4 + ["there"] * 4
    positions = list(collection.items.values_list("position", flat=True))
    assert len(set(positions)) == len(positions) == 4
    assert Namespace.objects.filter(pk=collection.namespace_id).exists()
