"""Every URL pattern x method x role (threats section 1.1)."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.db import transaction
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from hub.models import Access, AccessToken, Repository, TokenScope, Visibility
from tests.factories import (
    lay_template,
    make_member,
    make_organization,
    make_repository,
    make_token,
    make_user,
)
from tests.role_matrix import TABLE, Need, Route, World

pytestmark = pytest.mark.django_db

HELD = {
    "reader": Access.READ,
    "contributor": Access.CONTRIBUTE,
    "writer": Access.WRITE,
    "admin": Access.ADMIN,
}
PEOPLE = ("anonymous", "stranger", *HELD)
# All of them tokens of the repository's admin.
TOKENS = (
    "read token",
    "write token",
    "token for another repository",
    "revoked token",
    "expired token",
)


def named_patterns(
    resolver: URLResolver, namespace: str = "", above: frozenset[str] = frozenset()
) -> Iterator[tuple[str, URLPattern, frozenset[str]]]:
    """Name, pattern, and the values that its whole address takes."""
    for pattern in resolver.url_patterns:
        taken = above | set(pattern.pattern.converters)
        if isinstance(pattern, URLResolver):
            inner = f"{pattern.namespace}:" if pattern.namespace else namespace
            yield from named_patterns(pattern, inner, taken)
        else:
            # A route without a name goes by its pattern; it needs a row all the same.
            yield f"{namespace}{pattern.name or pattern.pattern}", pattern, taken


def methods_of(view: Any) -> set[str]:
    """What a view answers to. A function that does not say is taken to answer GET and POST."""
    view_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if view_class is not None:
        names = {name for name in view_class.http_method_names if hasattr(view_class, name)}
        return {name.upper() for name in names} - {"OPTIONS", "HEAD"}
    while view is not None:
        closure = inspect.getclosurevars(view).nonlocals
        if "request_method_list" in closure:
            return set(closure["request_method_list"]) - {"OPTIONS", "HEAD"}
        view = getattr(view, "__wrapped__", None)
    return {"GET", "POST"}


def all_routes() -> set[tuple[str, str]]:
    return {
        (name, method)
        for name, pattern, _taken in named_patterns(get_resolver())
        for method in methods_of(pattern.callback)
    }


def test_every_route_has_a_row_in_the_matrix():
    missing = sorted(all_routes() - set(TABLE))
    assert not missing, f"add these to tests/role_matrix.py: {missing}"


def test_no_row_of_the_matrix_is_of_a_route_that_is_gone():
    assert not sorted(set(TABLE) - all_routes())


def make_world(visibility: str) -> World:
    organization = make_organization()
    people = {role: make_member(organization, access=access) for role, access in HELD.items()}
    people["stranger"] = make_user()
    repository = make_repository(organization, visibility=visibility)
    other = Repository.objects.create(namespace=organization, kind="model", name="other")
    return World(repository, other, organization, people)


def bearer(secret: str) -> Client:
    return Client(headers={"authorization": f"Bearer {secret}"})


def address_of(name: str, kwargs: dict[str, Any]) -> str:
    """The address of a route; one without a name goes by its pattern."""
    if "/" in name:
        return "/" + name.partition(":")[2]
    return reverse(name, kwargs=kwargs)


def secret_of(role: str, world: World) -> str:
    """The secret of a token of the admin's that is limited as `role` says."""
    admin = world.people["admin"]
    if role in {"read token", "write token"}:
        scope = TokenScope.READ if role == "read token" else TokenScope.WRITE
        return make_token(admin, scope=scope)
    secret = make_token(admin, scope=TokenScope.ADMIN)
    token = AccessToken.objects.for_secret(secret)
    assert token is not None
    if role == "token for another repository":
        token.repositories.add(world.other)
    elif role == "revoked token":
        AccessToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now())
    else:
        AccessToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())
    return secret


class Stand:
    """A world that every row of the matrix meets as it was made, with all its callers."""

    def __init__(self, visibility: str) -> None:
        self._world = make_world(visibility)
        self._secrets = {role: secret_of(role, self._world) for role in TOKENS}
        self._cookies = {}
        for role, person in self._world.people.items():
            self._secrets[role] = make_token(person, scope=TokenScope.ADMIN)
            client = Client()
            client.force_login(person)
            self._cookies[role] = client.cookies

    def client_of(self, role: str, route: Route) -> Client:
        if role == "anonymous":
            return Client()
        if route.takes_tokens or role in TOKENS:
            return bearer(self._secrets[role])
        client = Client()
        client.cookies = copy.deepcopy(self._cookies[role])
        return client

    @contextmanager
    def world(self, route: Route) -> Iterator[World]:
        """The world prepared for `route`; nothing done to it remains."""
        cache.clear()
        before = transaction.savepoint()
        world = copy.deepcopy(self._world)
        route.prepare(world)
        yield world
        transaction.savepoint_rollback(before)
        lay_template(self._world.repository)


@pytest.fixture(scope="module", params=Visibility.values)
def stand(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any
) -> Iterator[Stand]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield Stand(request.param)
        transaction.set_rollback(True)


def expected(need: Need, role: str, *, public: bool) -> str:
    """`allowed`, `sign in`, `hidden` or `refused`."""
    if need is Need.SEALED or role in {"revoked token", "expired token"}:
        return "sign in"
    if need is Need.OPEN:
        return "allowed"
    if need in {Need.PERSON, Need.PERSON_TO_WRITE}:
        if role == "anonymous":
            return "sign in"
        writes = need is Need.PERSON_TO_WRITE
        limited = role in {"read token", "token for another repository"}
        return "refused" if writes and limited else "allowed"
    if need is Need.MEMBER:
        if role == "anonymous":
            return "sign in"
        return "refused" if role == "stranger" else "allowed"
    if need is Need.GOVERN:
        if role == "anonymous":
            return "sign in"
        return "allowed" if role == "admin" else "refused"
    if need is Need.OPERATOR:
        return "sign in" if role == "anonymous" else "nothing"
    if need is Need.COLLECTION:
        if role == "anonymous":
            return "sign in"
        return "allowed" if role in {"writer", "admin", "write token"} else "refused"
    if role == "token for another repository":
        return "hidden"
    if role in {"anonymous", "stranger"} and not public:
        return "hidden"
    if need is Need.READ:
        return "allowed"
    if role == "anonymous":
        return "sign in"
    if role == "read token":
        return "refused"
    if need is Need.PROPOSE:
        return "allowed"
    if need is Need.CONTRIBUTE:
        return "refused" if role == "reader" and not public else "allowed"
    if need is Need.GOVERN_REPOSITORY:
        return "allowed" if role == "admin" else "refused"
    enough = {"admin", "write token"} | ({"writer"} if need is Need.WRITE else set())
    return "allowed" if role in enough else "refused"


def outcome(response: HttpResponseBase, need: Need) -> str:
    if response.streaming:
        response.getvalue()  # as a client would: the files behind it are closed at the end
    status, code = response.status_code, response.headers.get("X-Error-Code", "")
    if code == "RepoNotFound":
        return "hidden"
    if need is Need.OPERATOR and status == 404:
        return "nothing"
    if status == 401 or (status == 302 and "/-/sign-in" in response["Location"]):
        return "sign in"
    if status == 403:
        return "refused"
    return "allowed" if status < 500 else f"a fault: {status}"


def is_right(found: str, wanted: str, role: str) -> bool:
    # Asked to sign in, an anonymous caller learns nothing either.
    return found == wanted or (role == "anonymous" and {found, wanted} == {"hidden", "sign in"})


@pytest.mark.parametrize("key", sorted(TABLE), ids=lambda key: f"{key[1]} {key[0]}")
def test_a_route_answers_each_role_as_the_matrix_says(stand, key):
    name, method = key
    route = TABLE[key]
    wrong = []
    roles = [*PEOPLE, *(TOKENS if route.takes_tokens else ())]
    while roles:
        with stand.world(route) as world:
            address = f"{address_of(name, route.address(world))}?{urlencode(route.query)}"
            public = world.repository.visibility == Visibility.PUBLIC
            while roles:
                role = roles.pop(0)
                response = stand.client_of(role, route).generic(
                    method, address, route.payload(world), content_type=route.content_type
                )
                wanted = expected(route.need, role, public=public)
                found = outcome(response, route.need)
                if not is_right(found, wanted, role):
                    wrong.append(f"{role}: {found} ({response.status_code}), not {wanted}")
                if method != "GET" and response.status_code < 400:
                    break  # what this call changed must not meet the next role
    assert not wrong
