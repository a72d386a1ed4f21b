"""Rows of the role matrix for accounts, organisations and settings."""

from __future__ import annotations

import hashlib
from typing import Any

from hub.models import Access, Collaborator, Invitation, Picture, RepositoryTransfer
from tests.factories import make_user
from tests.role_matrix import Need, Route, World


def _both(name: str, route: Route) -> dict[tuple[str, str], Route]:
    return {(name, "GET"): route, (name, "POST"): route}


def _page(need: Need = Need.PERSON, **more: Any) -> Route:
    return Route(need, of_repository=False, takes_tokens=False, **more)


def _of_organization(need: Need = Need.GOVERN) -> Route:
    return _page(need, more_kwargs=lambda world: {"slug": world.organization.slug})


def _operated() -> Route:
    return _page(
        Need.OPERATOR, more_kwargs=lambda world: {"username": world.people["reader"].username}
    )


def _of_repository() -> Route:
    return Route(Need.ADMIN, takes_tokens=False)


def _row(prepare: Any) -> Route:
    """Whose row it is, the action asks: for everybody else it is not there."""
    return _page(prepare=prepare, more_kwargs=lambda world: {"pk": world.extra["pk"]})


def _asked(world: World) -> None:
    values = {"namespace": world.organization, "user": make_user(), "access": Access.READ}
    world.extra["pk"] = Invitation.objects.create(**values).pk


def _offered(world: World) -> None:
    by, target = world.people["admin"], make_user().namespace
    values = {"repository": world.repository, "target": target, "offered_by": by}
    world.extra["pk"] = RepositoryTransfer.objects.create(**values).pk


def _shown(world: World) -> None:
    key = hashlib.sha256(b"picture").hexdigest()
    Picture.objects.get_or_create(sha256=key, defaults={"content": b"picture"})


def _key_of_picture(world: World) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(b"picture").hexdigest()}


def _collaborating(world: World) -> None:
    values = {"repository": world.repository, "user": make_user(), "access": Access.READ}
    world.extra["pk"] = Collaborator.objects.create(**values).pk


ACCOUNTS: dict[tuple[str, str], Route] = {
    **_both("hub:sign-up", _page(Need.OPEN)),
    **_both("hub:password-forgotten", _page(Need.OPEN)),
    **_both("hub:password-choose", _page(Need.OPEN, kwargs={"uid": "MQ", "token": "a-b"})),
    **_both("hub:settings", _page()),
    **_both("hub:profile", _page()),
    ("hub:operating", "GET"): _page(Need.OPERATOR),
    ("hub:operating-people", "GET"): _page(Need.OPERATOR),
    ("hub:operating-audit", "GET"): _page(Need.OPERATOR),
    **_both("hub:operating-person", _operated()),
    ("hub:own-picture", "POST"): _page(),
    ("hub:picture", "GET"): _page(Need.OPEN, prepare=_shown, more_kwargs=_key_of_picture),
    ("hub:organization-picture", "POST"): _of_organization(),
    **_both("hub:password", _page()),
    **_both("hub:session-list", _page()),
    ("hub:session-end", "POST"): _page(),
    **_both("hub:account-close", _page()),
    **_both("hub:organization-list", _page()),
    **_both("hub:organization-new", _page()),
    ("hub:invitation-answer", "POST"): _row(_asked),
    ("hub:offer-answer", "POST"): _row(_offered),
    ("hub:collaboration-leave", "POST"): _row(_collaborating),
    **_both("hub:organization-settings", _of_organization()),
    **_both("hub:organization-members-page", _of_organization()),
    **_both("hub:organization-audit", _of_organization()),
    **_both("hub:organization-delete", _of_organization()),
    ("hub:organization-leave", "POST"): _of_organization(Need.MEMBER),
    **_both("hub:repository-collaborators", _of_repository()),
    **_both("hub:repository-branches", _of_repository()),
    **_both("hub:repository-storage", _of_repository()),
    **_both("hub:repository-audit", _of_repository()),
    **_both("hub:repository-danger", _of_repository()),
}
