"""People, organisations and the tokens that stand for them (threats A1, A3)."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from hub.actions import organizations, people, protections, tokens
from hub.errors import BadInputError, ConflictError, ForbiddenError
from hub.http.authentication import actor_for_secret
from hub.models import Access, AccessToken, Membership, Namespace, User
from hub.policies import get_namespace
from tests.factories import (
    actor,
    make_member,
    make_organization,
    make_repository,
    make_token,
    make_user,
)
from tests.hub.wire import send_json

pytestmark = pytest.mark.django_db
WHOAMI = "/api/whoami-v2"


class TestPeople:
    def test_a_person_comes_with_a_namespace_of_their_own(self):
        user = people.create_user("Ada", email="ada@example.org", password="correct horse battery")
        assert user.check_password("correct horse battery")
        assert user.namespace.slug == "Ada"
        assert user.memberships.get().access == Access.ADMIN

    @pytest.mark.parametrize(
        "name",
        ["api", "Datasets", "spaces", "models", "static", "admin", "login", "settings", "hub"],
    )
    def test_names_that_addresses_need_are_refused(self, name):
        with pytest.raises(BadInputError, match="needs itself"):
            people.create_user(name)

    @pytest.mark.parametrize("name", ["-a", "a-", "a--b", "a..b", "a/b", "a b", "", "ü", "a" * 97])
    def test_malformed_names_are_refused(self, name):
        with pytest.raises(BadInputError):
            people.create_user(name)

    def test_people_and_organisations_share_their_names_in_any_case(self):
        make_organization("acme")
        with pytest.raises(ConflictError):
            people.create_user("ACME")
        assert not User.objects.filter(username__iexact="acme").exists()

    @pytest.mark.parametrize("password", ["short", "password1234"])
    def test_weak_passwords_are_refused(self, password):
        with pytest.raises(BadInputError):
            people.create_user("ada", password=password)
        assert not Namespace.objects.exists()

    def test_without_a_password_nobody_signs_in(self):
        assert not people.create_user("ada").has_usable_password()


class TestOrganizations:
    def test_the_creator_is_its_first_admin(self):
        user = make_user()
        namespace = organizations.create_organization("acme", by=actor(user))
        assert namespace.memberships.get().user == user

    def test_the_last_admin_cannot_leave(self):
        namespace = make_organization()
        admin = make_member(namespace, access=Access.ADMIN)
        with pytest.raises(ConflictError, match="needs an admin"):
            organizations.set_member(namespace, admin, Access.WRITE)
        with pytest.raises(ConflictError, match="needs an admin"):
            organizations.remove_member(namespace, admin)
        organizations.set_member(namespace, make_user(), Access.ADMIN)
        organizations.remove_member(namespace, admin)
        assert not Membership.objects.filter(namespace=namespace, user=admin).exists()

    def test_a_person_is_no_organisation(self):
        with pytest.raises(BadInputError):
            organizations.set_member(make_user().namespace, make_user(), Access.READ)


class TestTokens:
    def test_the_secret_is_shown_once_and_stored_nowhere(self):
        user = make_user()
        token, secret = tokens.issue_token(user, name="ci", scope="write", by=actor(user))
        assert secret.startswith("wb_") and len(secret) >= 43 + 8
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM hub_accesstoken")
            dump = repr(
                [
                    [bytes(v) if isinstance(v, memoryview) else v for v in row]
                    for row in cursor.fetchall()
                ]
            )
        assert secret not in dump and secret.removeprefix("wb_")[:43] not in dump
        assert token.expires_at < timezone.now() + timedelta(days=91)

    def test_a_token_cannot_make_tokens(self):
        user = make_user()
        with_token = actor_for_secret(make_token(user, scope="admin"))
        with pytest.raises(ForbiddenError):
            tokens.issue_token(user, name="more", scope="read", by=with_token)

    def test_a_revoked_token_ends_at_once(self, client):
        user = make_user()
        token, secret = tokens.issue_token(user, name="ci", scope="write")
        sent = {"authorization": f"Bearer {secret}"}
        assert client.get(WHOAMI, headers=sent).status_code == 200
        tokens.revoke_token(user, token.pk)
        response = client.get(WHOAMI, headers=sent)
        assert response.status_code == 401
        assert response["X-Error-Message"] == "Invalid credentials in Authorization header"

    def test_a_person_who_is_switched_off_has_no_tokens(self, api_for):
        user = make_user()
        client = api_for(user)
        User.objects.filter(pk=user.pk).update(is_active=False)
        assert client.get(WHOAMI).status_code == 401

    @pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer x", "Basic !!", "Basic Og=="])
    def test_a_broken_header_is_refused(self, client, header):
        assert client.get(WHOAMI, headers={"authorization": header}).status_code == 401

    def test_a_token_in_the_address_is_nobody(self, client):
        secret = make_token(make_user())
        for name in ("token", "access_token", "private_token"):
            assert client.get(f"{WHOAMI}?{name}={secret}").status_code == 401

    def test_its_use_is_noted(self, api_for):
        api_for(make_user()).get(WHOAMI)
        assert AccessToken.objects.get().last_used_at is not None

    def test_a_session_changes_nothing_through_the_api_without_a_csrf_token(self):
        user = make_user()
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(user)
        forged = send_json(browser, "POST", "/api/repos/create", {"name": "x"})
        assert forged.status_code == 403
        assert browser.get(WHOAMI).status_code == 200


class TestWhoAmI:
    def test_what_clients_print(self, api_for):
        user = make_user("ada", full_name="Ada L.", email="ada@example.org")
        Membership.objects.create(
            namespace=make_organization("acme"), user=user, access=Access.ADMIN
        )
        answer = api_for(user, scope="read").get(WHOAMI).json()
        assert (answer["type"], answer["name"], answer["fullname"]) == ("user", "ada", "Ada L.")
        token = answer["auth"]["accessToken"]
        assert (token["displayName"], token["role"]) == ("test", "read")
        assert token["createdAt"].endswith("Z")
        assert (answer["email"], answer["canPay"]) == ("ada@example.org", False)
        assert answer["orgs"][0]["fullname"] == "acme"
        assert [(one["name"], one["roleInOrg"]) for one in answer["orgs"]] == [("acme", "admin")]

    def test_overviews_count_what_the_caller_may_see(self, api_for, client):
        organization = make_organization("acme")
        make_repository(organization, visibility="private")
        make_repository(organization)
        member = api_for(make_member(organization, access=Access.READ))
        path = "/api/organizations/acme/overview"
        assert client.get(path).json()["numModels"] == 1
        assert member.get(path).json()["numModels"] == 2
        assert client.get("/api/users/acme/overview").status_code == 404


class TestCommands:
    def run(self, *arguments: str) -> str:
        out = StringIO()
        call_command(*arguments, stdout=out)
        return out.getvalue().strip()

    def test_ensure_user_creates_then_updates_and_prints_the_token_alone(self, client):
        secret = self.run(
            "ensure_user", "ada", "--password", "correct horse battery", "--token", "write"
        )
        assert client.get(WHOAMI, headers={"authorization": f"Bearer {secret}"}).status_code == 200
        assert self.run("ensure_user", "ada", "--full-name", "Ada L.", "--admin") == ""
        user = User.objects.get()
        assert (user.full_name, user.is_superuser) == ("Ada L.", True)
        assert user.check_password("correct horse battery")

    def test_ensure_org_creates_then_updates(self):
        make_user("ada")
        self.run("ensure_org", "acme", "--member", "ada:admin", "--private-by-default")
        self.run("ensure_org", "acme", "--full-name", "Acme")
        namespace = Namespace.objects.get(slug="acme")
        assert (namespace.full_name, namespace.private_by_default) == ("Acme", True)
        assert namespace.memberships.get().access == Access.ADMIN
        for wrong in (["ada"], ["acme", "--member", "nobody:read"], ["acme", "--member", "ada:x"]):
            with pytest.raises(CommandError):
                self.run("ensure_org", *wrong)


@pytest.mark.parametrize(("scope", "refused"), [("write", True), ("admin", False), (None, False)])
def test_protecting_a_branch_takes_more_than_a_token_that_writes(scope, refused):
    repository = make_repository()
    owner = make_member(repository.namespace, access=Access.ADMIN)
    by = actor_for_secret(make_token(owner, scope=scope)) if scope else actor(owner)
    for change in (protections.protect_branch, protections.unprotect_branch):
        with pytest.raises(ForbiddenError, match="admin scope") if refused else nullcontext():
            change(repository, by, "main")


@pytest.mark.parametrize(("scope", "refused"), [("write", True), ("admin", False)])
def test_administering_an_organisation_takes_more_than_a_token_that_writes(scope, refused):
    organization = make_organization()
    owner = make_member(organization, access=Access.ADMIN)
    secret = make_token(owner, scope=scope)
    by = actor_for_secret(secret)
    assert get_namespace(by, organization.slug, need=Access.WRITE) == organization
    with pytest.raises(ForbiddenError, match="admin scope") if refused else nullcontext():
        get_namespace(by, organization.slug, need=Access.ADMIN)
    assert by.token is not None
    by.token.repositories.add(make_repository(organization))
    with pytest.raises(ForbiddenError):
        get_namespace(actor_for_secret(secret), organization.slug, need=Access.ADMIN)
