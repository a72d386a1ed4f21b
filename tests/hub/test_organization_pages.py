"""Organisations in the browser: made, joined, governed, left, ended."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hub.actions import invitations, organizations
from hub.errors import HubError
from hub.models import Access, AuditEntry, Invitation, Membership, Namespace, Repository
from tests.factories import actor, make_member, make_organization, make_repository, make_user
from tests.races import at_once

pytestmark = pytest.mark.django_db


def text(response: Any) -> str:
    return str(response.content.decode())


def held(namespace: Namespace, user: Any) -> int | None:
    rows = Membership.objects.filter(namespace=namespace, user=user)
    return rows.values_list("access", flat=True).first()


@pytest.fixture
def acme() -> Namespace:
    return make_organization("acme")


@pytest.fixture
def admin(acme: Namespace) -> Any:
    return make_member(acme, access=Access.ADMIN)


def test_whoever_makes_one_is_its_admin(client_for):
    user = make_user()
    browser = client_for(user)
    made = browser.post("/-/new-organization", {"slug": "acme", "full_name": "Acme"})
    assert made["Location"] == "/-/organizations/acme/members"
    assert held(Namespace.objects.get(slug="acme"), user) == Access.ADMIN
    again = browser.post("/-/new-organization", {"slug": "ACME"})
    assert again.status_code == 422 and "is taken" in text(again)


def test_its_profile_is_what_everyone_reads(client_for, acme, admin):
    form = {"full_name": "Acme", "bio": "We <i>weigh</i>.", "link": "https://acme.example"}
    page = "/-/organizations/acme"
    client_for(admin).post(page, form | {"private_by_default": "on"})
    acme.refresh_from_db()
    assert (acme.full_name, acme.private_by_default) == ("Acme", True)
    assert "We &lt;i&gt;weigh" in text(client_for().get("/acme"))
    bad = client_for(admin).post(page, form | {"link": "javascript:x"})
    assert bad.status_code == 422


def test_an_invitation_is_accepted_or_declined(client_for, acme, admin):
    governed = client_for(admin)
    members = "/-/organizations/acme/members"
    for answer, expected in (("accept", Access.WRITE), ("decline", None)):
        person = make_user()
        governed.post(
            members, {"form": "invite", "user": person.username.upper(), "access": Access.WRITE}
        )
        browser = client_for(person)
        assert "acme" in text(browser.get("/-/settings/organizations"))
        row = Invitation.objects.get()
        # Nobody answers for another.
        path = f"/-/invitations/{row.pk}"
        assert client_for(make_user()).post(path, {"answer": "accept"}).status_code == 404
        browser.post(path, {"answer": answer})
        assert held(acme, person) == expected and not Invitation.objects.exists()
        assert browser.post(path, {"answer": "accept"}).status_code == 404


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"form": "invite", "user": "nobody", "access": "30"}, "no person"),
        ({"form": "invite", "user": "{member}", "access": "30"}, "a member already"),
        ({"form": "invite", "user": "", "access": "30"}, "Name a person"),
        ({"form": "invite", "user": "{member}", "access": "99"}, "choose a role"),
        ({"form": "role", "member": "{admin_pk}", "access": "10"}, "needs an admin"),
        ({"form": "remove", "member": "{admin_pk}"}, "needs an admin"),
        ({"form": "remove", "member": "999999"}, "no member any more"),
        ({"form": "role", "member": "x", "access": "10"}, "not known here"),
        ({"form": "nonsense"}, "not known here"),
    ],
)
def test_refusals_change_nothing_and_say_why(client_for, acme, admin, form, said):
    member = make_member(acme, access=Access.READ)
    names = {"member": member.username, "admin_pk": admin.pk}
    filled = {key: value.format(**names) for key, value in form.items()}
    answer = client_for(admin).post("/-/organizations/acme/members", filled, follow=True)
    assert said in text(answer)
    assert (held(acme, admin), held(acme, member)) == (Access.ADMIN, Access.READ)


def test_roles_change_and_members_leave(client_for, acme, admin):
    member = make_member(acme, access=Access.READ)
    governed = client_for(admin)
    form = {"form": "role", "member": member.pk, "access": Access.ADMIN}
    governed.post("/-/organizations/acme/members", form)
    assert held(acme, member) == Access.ADMIN
    governed.post("/-/organizations/acme/leave")
    assert held(acme, admin) is None
    last = client_for(member).post("/-/organizations/acme/leave", follow=True)
    assert "needs an admin" in text(last) and held(acme, member) == Access.ADMIN
    assert governed.get("/-/organizations/acme/members").status_code == 403
    trail = text(client_for(member).get("/-/organizations/acme/audit"))
    assert f"changed the role of {member.username} in acme from Read to Admin" in trail


def test_the_trail_is_of_this_organisation_alone(client_for, acme, admin):
    other = make_organization("acme-2")
    boss = make_member(other, access=Access.ADMIN)
    organizations.update_organization(other, bio="x", by=actor(boss))
    organizations.update_organization(acme, bio="y", by=actor(admin))
    rows = AuditEntry.objects.filter(namespace_number=acme.pk)
    assert [row.subject for row in rows] == ["acme"]
    assert "acme-2" not in text(client_for(admin).get("/-/organizations/acme/audit"))


def test_it_ends_with_its_repositories_once_its_name_is_typed(client_for, acme, admin):
    model = make_repository(acme)
    browser = client_for(admin)
    page = "/-/organizations/acme/delete"
    assert model.repo_id in text(browser.get(page))
    browser.post(page, {"confirm": "Acme"})
    assert Namespace.objects.filter(pk=acme.pk).exists()
    browser.post(page, {"confirm": "acme"})
    assert not Namespace.objects.filter(pk=acme.pk).exists()
    assert not Repository.objects.filter(pk=model.pk).exists()


def test_the_members_page_asks_the_same_for_many(client_for, acme, admin):
    browser, path = client_for(admin), "/-/organizations/acme/members"
    counts = []
    for _ in range(2):
        make_member(acme, access=Access.READ)
        invitations.invite(acme, make_user(), Access.READ, by=actor(admin))
        with CaptureQueriesContext(connection) as asked:
            browser.get(path)
        counts.append(len(asked))
    assert counts[0] == counts[1] < 15


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_of_two_admins_who_demote_each_other_one_stays(self):
        acme = make_organization()
        one, two = (make_member(acme, access=Access.ADMIN) for _ in range(2))
        answers = at_once(
            lambda: organizations.set_member(acme, two, Access.READ, by=actor(one)),
            lambda: organizations.set_member(acme, one, Access.READ, by=actor(two)),
        )
        assert sum(isinstance(each, HubError) for each in answers) == 1
        assert acme.memberships.filter(access=Access.ADMIN).count() == 1

    def test_an_invitation_is_answered_once(self):
        acme = make_organization()
        boss, person = make_member(acme, access=Access.ADMIN), make_user()
        asked = invitations.invite(acme, person, Access.WRITE, by=actor(boss))
        answers = at_once(
            lambda: invitations.accept(actor(person), asked.pk),
            lambda: invitations.accept(actor(person), asked.pk),
            lambda: organizations.set_member(acme, person, Access.ADMIN, by=actor(boss)),
        )
        assert sum(isinstance(each, HubError) for each in answers) == 1
        assert Membership.objects.filter(namespace=acme, user=person).count() == 1
        assert held(acme, person) == Access.ADMIN
