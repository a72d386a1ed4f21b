"""Rows of the role matrix for people, likes, follows and access to gated repositories."""

from __future__ import annotations

from typing import Any

from hub.models import Access, Collaborator
from tests.factories import make_user
from tests.role_matrix import Need, Route, World


def _gated(world: World) -> None:
    world.repository.gated = "manual"
    world.repository.save(update_fields=["gated"])
    world.extra["asker"] = make_user()


def _asker(world: World) -> dict[str, Any]:
    return {"user": world.extra["asker"].username}


def _decision(world: World) -> dict[str, Any]:
    return _asker(world) | {"status": "accepted"}


def _person(need: Need) -> Route:
    return Route(
        need, of_repository=False, more_kwargs=lambda world: {"slug": _followed(world).username}
    )


def _followed(world: World) -> Any:
    if "followed" not in world.extra:
        world.extra["followed"] = make_user()
    return world.extra["followed"]


def _organization(need: Need) -> Route:
    return Route(
        need, of_repository=False, more_kwargs=lambda world: {"slug": world.organization.slug}
    )


def _let_in() -> dict[str, Any]:
    def prepare(world: World) -> None:
        values = {"repository": world.repository, "user": make_user(), "access": Access.READ}
        world.extra["user"] = Collaborator.objects.create(**values).user.username

    return {"prepare": prepare, "more_kwargs": lambda world: {"user": world.extra["user"]}}


PEOPLE: dict[tuple[str, str], Route] = {
    ("hub:user-overview", "GET"): _person(Need.OPEN),
    ("hub:user-likes", "GET"): _person(Need.OPEN),
    ("hub:user-follow", "POST"): _person(Need.PERSON_TO_WRITE),
    ("hub:user-follow", "DELETE"): _person(Need.PERSON_TO_WRITE),
    ("hub:user-followers", "GET"): _person(Need.OPEN),
    ("hub:user-following", "GET"): _person(Need.OPEN),
    ("hub:organization-overview", "GET"): _organization(Need.OPEN),
    ("hub:organization-members", "GET"): _organization(Need.OPEN),
    ("hub:organization-follow", "POST"): _organization(Need.PERSON_TO_WRITE),
    ("hub:organization-follow", "DELETE"): _organization(Need.PERSON_TO_WRITE),
    ("hub:organization-followers", "GET"): _organization(Need.OPEN),
    ("hub:avatar", "GET"): Route(
        Need.OPEN, {"slug": "somebody"}, of_repository=False, takes_tokens=False
    ),
    ("hub:notification-list-api", "GET"): Route(Need.PERSON, of_repository=False),
    ("hub:notification-mark-api", "POST"): Route(
        Need.PERSON_TO_WRITE,
        of_repository=False,
        body=lambda world: {"state": "read", "ids": ["1"]},
    ),
    ("hub:notification-mute-api", "POST"): Route(
        Need.PERSON_TO_WRITE, {"pk": 1}, of_repository=False
    ),
    ("hub:collaborator-list-api", "GET"): Route(Need.ADMIN),
    ("hub:collaborator-api", "PUT"): Route(
        Need.GOVERN_REPOSITORY, body=lambda world: {"role": "read"}, **_let_in()
    ),
    ("hub:collaborator-api", "DELETE"): Route(Need.GOVERN_REPOSITORY, **_let_in()),
    ("hub:like-api", "POST"): Route(Need.PROPOSE),
    ("hub:like-api", "DELETE"): Route(Need.PROPOSE),
    ("hub:likers", "GET"): Route(Need.READ),
    ("hub:access-list", "GET"): Route(Need.WRITE, {"status": "pending"}, prepare=_gated),
    ("hub:access-handle", "POST"): Route(Need.WRITE, prepare=_gated, body=_decision),
    ("hub:access-grant", "POST"): Route(Need.WRITE, prepare=_gated, body=_asker),
    ("hub:access-ask", "POST"): Route(Need.PROPOSE, prepare=_gated, body=lambda world: {}),
    # Pages, which do not look at tokens.
    ("hub:follow", "POST"): Route(
        Need.PERSON,
        of_repository=False,
        takes_tokens=False,
        more_kwargs=lambda world: {"slug": _followed(world).username},
    ),
    ("hub:like", "POST"): Route(Need.PROPOSE, takes_tokens=False),
    ("hub:access", "GET"): Route(Need.READ, prepare=_gated, takes_tokens=False),
    ("hub:access", "POST"): Route(Need.PROPOSE, prepare=_gated, takes_tokens=False),
    ("hub:access-requests", "GET"): Route(Need.WRITE, prepare=_gated, takes_tokens=False),
    ("hub:access-requests", "POST"): Route(Need.WRITE, prepare=_gated, takes_tokens=False),
}
