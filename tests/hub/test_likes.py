"""Likes, follows, and the overviews that count them; nothing hidden is told."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
from django.test import Client

from hub.jobs.integrity import check
from hub.models import Access, Follow, Like, Membership, Repository, Visibility
from tests.factories import make_member, make_organization, make_repository, make_token, make_user
from tests.hub.wire import send_json
from tests.races import at_once
from tests.reviews.factories import make_pull_request

pytestmark = pytest.mark.django_db


def like(client: Client, repository: Repository, method: str = "POST") -> Any:
    return send_json(client, method, f"/{repository.api_path}/like")


def follow(client: Client, path: str, method: str = "POST") -> int:
    return send_json(client, method, f"/api/{path}/follow").status_code


def names(response: Any) -> list[str]:
    return [one["user"] for one in response.json()]


class TestLikes:
    def test_the_count_follows_the_likes(self, api_for, client):
        repository = make_repository()
        ada, ben = api_for(make_user("ada", full_name="Ada L.")), api_for(make_user("ben"))
        counts = [like(one, repository).json()["likes"] for one in (ada, ada, ben)]
        assert counts == [1, 1, 2]
        likers = client.get(f"/{repository.api_path}/likers").json()
        assert [one["user"] for one in likers] == ["ben", "ada"]
        assert likers[1]["fullname"] == "Ada L."
        assert likers[1]["avatarUrl"].endswith("/-/avatars/ada")
        assert like(ada, repository, "DELETE").json()["likes"] == 1
        assert like(ada, repository, "DELETE").json()["likes"] == 1
        assert client.get(f"/{repository.api_path}").json()["likes"] == 1

    def test_who_may_like(self, api_for, client):
        repository = make_repository()
        hidden = make_repository(visibility=Visibility.PRIVATE)
        person = make_user()
        assert like(client, repository).status_code == 401
        assert like(api_for(person, scope="read"), repository).status_code == 403
        assert like(api_for(person), hidden).status_code == 404
        assert client.get(f"/{hidden.api_path}/likers").status_code == 401

    def test_likes_tell_nothing_of_what_the_caller_may_not_see(self, api_for, client):
        repository = make_repository(make_organization("acme"), kind="dataset", name="open")
        hidden = make_repository(repository.namespace, name="hidden")
        ada = make_member(repository.namespace, access=Access.READ, username="ada")
        for one in (repository, hidden):
            like(api_for(ada), one)
        Repository.objects.filter(pk=hidden.pk).update(visibility=Visibility.PRIVATE)
        told = client.get("/api/users/ada/likes").json()
        assert [one["repo"] for one in told] == [{"name": "acme/open", "type": "dataset"}]
        assert told[0]["createdAt"].endswith("Z")
        own = api_for(ada).get("/api/users/ada/likes").json()
        assert [one["repo"]["name"] for one in own] == ["acme/hidden", "acme/open"]
        assert client.get("/api/users/ada/overview").json()["numLikes"] == 1
        assert api_for(ada).get("/api/users/ada/overview").json()["numLikes"] == 2

    def test_a_wrong_count_is_found(self, api_for):
        repository = make_repository()
        like(api_for(make_user()), repository)
        assert not [one for one in check() if one.check == "likes"]
        Repository.objects.update(likes=7)
        (found,) = [one for one in check() if one.check == "likes"]
        assert found.problem == "the row says 7, 1 people like it"

    def test_likes_end_with_the_repository(self, api_for):
        repository = make_repository()
        like(api_for(make_user()), repository)
        repository.delete()
        assert not Like.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_count_is_right_after_a_race():
    repository = make_repository()
    people = [make_user() for _ in range(4)]
    headers = [{"authorization": f"Bearer {make_token(one)}"} for one in people for _ in range(2)]
    clients, statuses = [Client(headers=one) for one in headers], []

    def play(client: Client) -> None:
        for method in ("POST", "DELETE", "POST", "DELETE", "POST"):
            statuses.append(like(client, repository, method).status_code)

    at_once(*(partial(play, client) for client in clients))
    assert set(statuses) == {200} and len(statuses) == 40
    repository.refresh_from_db()
    assert repository.likes == Like.objects.filter(repository=repository).count() <= 4


class TestFollows:
    def test_people_and_organisations_are_followed(self, api_for, client):
        ada, ben = make_user("ada"), make_user("ben")
        make_organization("acme")
        adas = api_for(ada)
        for _ in range(2):
            assert follow(adas, "users/BEN") == 200
            assert follow(adas, "organizations/acme") == 200
        assert Follow.objects.count() == 2
        assert names(client.get("/api/users/ben/followers")) == ["ada"]
        assert names(client.get("/api/organizations/acme/followers")) == ["ada"]
        assert names(client.get("/api/users/ada/following")) == ["ben"]
        told = adas.get("/api/users/ben/overview").json()
        assert (told["isFollowing"], told["numFollowers"]) == (True, 1)
        assert client.get("/api/users/ben/overview").json()["isFollowing"] is False
        assert client.get("/api/users/ada/overview").json()["numFollowing"] == 1
        told = adas.get("/api/organizations/acme/overview").json()
        assert (told["isFollowing"], told["numFollowers"]) == (True, 1)
        assert follow(adas, "users/ben", "DELETE") == follow(adas, "users/ben", "DELETE") == 200
        assert names(client.get("/api/users/ben/followers")) == []
        ben.is_active = False
        ben.save()
        assert names(client.get("/api/users/ada/following")) == []

    def test_what_cannot_be_followed(self, api_for, client):
        ada = make_user("ada")
        make_organization("acme")
        make_user("ben")
        assert follow(api_for(ada), "users/ada") == 400
        assert follow(api_for(ada), "users/nobody") == 404
        assert follow(api_for(ada), "users/acme") == 404
        assert follow(client, "users/ben") == 401
        assert follow(api_for(ada, scope="read"), "users/ben") == 403
        assert not Follow.objects.exists()

    def test_followers_come_a_page_at_a_time(self, api_for, client):
        make_user("ada")
        people = [make_user() for _ in range(5)]
        for one in people:
            follow(api_for(one), "users/ada")
        found, path = [], "/api/users/ada/followers?limit=2"
        while path:
            response = client.get(path)
            found += names(response)
            link = re.fullmatch(
                r'<https?://[^/]+(/.+)>; rel="next"', response.headers.get("Link", "")
            )
            path = link[1] if link else ""
        assert found == [one.username for one in people[::-1]]


class TestOverviews:
    def test_a_person(self, api_for, client):
        ada = make_user("ada", full_name="Ada L.")
        ada.namespace.full_name = "Ada L."
        ada.namespace.save()
        acme = make_organization("acme", full_name="Acme")
        Membership.objects.create(namespace=acme, user=ada, access=Access.ADMIN)
        make_repository(ada.namespace)
        make_repository(ada.namespace, kind="dataset", visibility=Visibility.PRIVATE)
        make_pull_request(make_repository(), author=ada)
        make_pull_request(make_repository(acme, visibility=Visibility.PRIVATE), author=ada)
        told = client.get("/api/users/ADA/overview").json()
        wanted = {
            "user": "ada", "fullname": "Ada L.", "type": "user", "isPro": False,
            "numModels": 1, "numDatasets": 0, "numSpaces": 0, "numDiscussions": 1,
            "numLikes": 0, "numFollowing": 0, "numFollowers": 0, "numUpvotes": 0, "numPapers": 0,
        }  # fmt: skip
        assert told | wanted == told
        assert [(one["name"], one["fullname"]) for one in told["orgs"]] == [("acme", "Acme")]
        own = api_for(ada).get("/api/users/ada/overview").json()
        assert (own["numDatasets"], own["numDiscussions"]) == (1, 2)
        assert "email" not in told

    def test_an_organisation_and_its_members(self, api_for, client):
        acme = make_organization("acme")
        admin = make_member(acme, access=Access.ADMIN, username="admin1")
        make_member(acme, access=Access.READ, username="reader1")
        told = client.get("/api/organizations/acme/overview").json()
        assert (told["name"], told["numUsers"]) == ("acme", 2)
        members = client.get("/api/organizations/acme/members").json()
        assert [one["user"] for one in members] == ["reader1", "admin1"]
        assert not any("role" in one for one in members)
        inside = api_for(admin).get("/api/organizations/acme/members").json()
        assert [one["role"] for one in inside] == ["read", "admin"]

    def test_the_number_of_queries_does_not_grow(self, client, django_assert_max_num_queries):
        acme = make_organization("acme")
        for _ in range(6):
            make_member(acme, access=Access.READ)
        with django_assert_max_num_queries(4):
            client.get("/api/organizations/acme/members")


class TestAvatars:
    def test_a_picture_follows_from_the_name_alone(self, client, django_assert_num_queries):
        with django_assert_num_queries(0):
            response = client.get("/-/avatars/ada")
        assert response["Content-Type"] == "image/svg+xml"
        assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "max-age" in response["Cache-Control"]
        assert "Set-Cookie" not in response.headers
        assert response.content == client.get("/-/avatars/ada").content
        assert b">A</text>" in response.content
        assert response.content != client.get("/-/avatars/ben").content
