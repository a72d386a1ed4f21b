"""Pictures of people and organisations: chosen in a form, shown wherever they are named."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from hub.actions import closing, pictures
from hub.errors import BadInputError
from hub.models import Access, AuditEntry, Namespace, Picture, User
from hub.policies import Actor
from tests.factories import make_member, make_organization, make_user
from tests.races import at_once

pytestmark = pytest.mark.django_db
OWN = "/-/settings/picture"


def drawn(colour: str = "red", kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 60), colour).save(out, kind)
    return out.getvalue()


def send(browser: Client, path: str = OWN, data: bytes = b"", do: str = "save") -> Any:
    files = {"picture": SimpleUploadedFile("me.png", data)} if data else {}
    return browser.post(path, {"do": do, **files}, follow=True)


def shown(page: Any) -> list[str]:
    return re.findall(r'src="(/-/pictures/[0-9a-f]{64}\.webp)"', page.text)


class TestOfAPerson:
    def test_it_is_saved_shown_and_served(self, client_for, client):
        user = make_user("ada")
        browser = client_for(user)
        page = send(browser, data=drawn())
        assert "The picture is saved." in page.text and 'enctype="multipart/form-data"' in page.text
        [address] = set(shown(page))
        assert address in client.get("/ada").text
        answer = client.get(address)
        assert answer["Content-Type"] == "image/webp"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "immutable" in answer["Cache-Control"] and "Set-Cookie" not in answer.headers
        assert Image.open(io.BytesIO(answer.content)).size == (128, 128)
        api = client.get("/api/users/ada/overview").json()
        assert api["avatarUrl"].endswith(address)
        assert [row.action for row in AuditEntry.objects.all()] == ["person.picture"]

    def test_it_is_removed_for_good_and_twice_is_once(self, client_for, client):
        browser = client_for(make_user("ada"))
        [address] = set(shown(send(browser, data=drawn())))
        for _again in range(2):
            page = send(browser, do="remove")
            assert "The picture is removed." in page.text and not shown(page)
        assert client.get(address).status_code == 404
        assert not Picture.objects.exists()
        assert AuditEntry.objects.count() == 2

    def test_another_takes_its_place_and_the_same_of_two_people_stays(self, client_for):
        ada, ben = client_for(make_user("ada")), client_for(make_user("ben"))
        for browser in (ada, ben):
            send(browser, data=drawn("red"))
        assert Picture.objects.count() == 1
        send(ada, data=drawn("blue"))
        assert Picture.objects.count() == 2
        send(ben, do="remove")
        assert Picture.objects.count() == 1

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"", "Choose a picture first."),
            (b"<svg/>", "This is no picture that can be read"),
            (b"\x89PNG\r\n\x1a\n" + bytes(5 * 1024 * 1024), "at most 4 MB"),
        ],
    )
    def test_what_is_refused_changes_nothing(self, client_for, data, said):
        browser = client_for(make_user("ada"))
        send(browser, data=drawn())
        page = send(browser, data=data)
        assert said in page.text and len(set(shown(page))) == 1

    def test_tries_are_counted(self, client_for):
        browser = client_for(make_user("ada"))
        pages = [send(browser, data=b"no picture").text for _ in range(11)]
        assert "Too many tries" in pages[-1] and "Too many tries" not in pages[0]

    def test_it_goes_with_the_account(self, client_for):
        user = make_user("ada")
        send(client_for(user), data=drawn())
        closing.close_account(User.objects.get(pk=user.pk), Actor(user))
        assert not Picture.objects.exists()


class TestOfAnOrganisation:
    def test_its_admins_choose_it(self, client_for, client):
        acme = make_organization("acme")
        path = "/-/organizations/acme/picture"
        writer = client_for(make_member(acme, access=Access.WRITE))
        assert writer.post(path, {"do": "remove"}).status_code == 403
        page = send(client_for(make_member(acme, access=Access.ADMIN)), path, drawn("green"))
        [address] = set(shown(page))
        assert address in client.get("/acme").text
        assert address in client.get("/-/explore?kind=organizations").text
        closing.delete_organization(Namespace.objects.get(pk=acme.pk), Actor(make_user()))
        assert not Picture.objects.exists()


def test_rows_need_no_question_for_their_pictures(client_for, django_assert_num_queries):
    acme, admin = make_organization("acme"), None
    for number in range(5):
        admin = make_member(acme, access=Access.ADMIN)
        pictures.choose_picture(
            admin.namespace, drawn(f"#{number}0{number}0{number}0"), by=Actor(admin)
        )
    browser = client_for(User.objects.get(pk=admin.pk))
    browser.get("/-/organizations/acme/members")
    with django_assert_num_queries(6):
        page = browser.get("/-/organizations/acme/members")
    assert len(set(shown(page))) == 5


@pytest.mark.django_db(transaction=True)
def test_one_who_chooses_what_another_removes_keeps_it():
    ada, ben = make_user("ada"), make_user("ben")
    for _round in range(4):
        pictures.choose_picture(ada.namespace, drawn(), by=Actor(ada))
        at_once(
            lambda: pictures.remove_picture(ada.namespace, by=Actor(ada)),
            lambda: pictures.choose_picture(ben.namespace, drawn(), by=Actor(ben)),
        )
        key = Namespace.objects.get(owner=ben).picture_id
        assert key == User.objects.get(pk=ben.pk).picture_id
        assert Picture.objects.filter(pk=key).count() == 1
        pictures.remove_picture(ben.namespace, by=Actor(ben))
        assert not Picture.objects.exists()


def test_what_is_no_picture_is_refused_in_words():
    user = make_user()
    with pytest.raises(BadInputError, match="PNG, JPEG or WebP"):
        pictures.choose_picture(user.namespace, b"GIF89a", by=Actor(user))
