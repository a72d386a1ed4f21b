"""Rows of the role matrix for Try it."""

from __future__ import annotations

from typing import Any

from tests.role_matrix import Need, Route, World
from training.models import Try

_FORM = {"content_type": "application/x-www-form-urlencoded"}


def _asked(world: World) -> None:
    world.extra["try"] = Try.objects.create(
        repository=world.repository,
        created_by=world.people["admin"],
        revision="main",
        oid="0" * 40,
        model_digest="a" * 64,
        task="text-generation",
        request={"prompt": "And all of"},
    )


def _one(world: World) -> dict[str, Any]:
    found = world.extra.get("try")
    return {"number": found.pk if found else 1}


def _page(**more: Any) -> Route:
    return Route(Need.PROPOSE, takes_tokens=False, **more)


TRIES: dict[tuple[str, str], Route] = {
    ("training:try-it", "GET"): _page(),
    ("training:try-it", "POST"): _page(body=lambda world: b"prompt=x", **_FORM),
    ("training:try", "GET"): _page(prepare=_asked, more_kwargs=_one),
    ("training:try-cancel", "POST"): _page(prepare=_asked, more_kwargs=_one),
    ("training:api-try-list", "GET"): Route(Need.PROPOSE),
    ("training:api-try-list", "POST"): Route(Need.PROPOSE, body=lambda world: {"prompt": "x"}),
    ("training:api-try", "GET"): Route(Need.PROPOSE, prepare=_asked, more_kwargs=_one),
    ("training:api-try-cancel", "POST"): Route(Need.PROPOSE, prepare=_asked, more_kwargs=_one),
}
