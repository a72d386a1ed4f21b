"""Rows of the role matrix for verdicts: examples, notes, pins, overrides."""

from __future__ import annotations

from typing import Any

from hub.gitstore import AddFile
from tests.factories import commit_files, make_user
from tests.reviews.factories import make_pull_request
from tests.role_matrix import Need, Route, World
from tests.training.factories import GATE, commit

_NUMBER = {"number": 1}
_ONE = _NUMBER | {"pk": 1}
_ITEM = {"benchmark": "words", "item": "0" * 64}


def _gated(world: World) -> None:
    commit_files(world.repository, {".weighbridge/gate.yaml": GATE.encode()})
    commit(world.repository, [AddFile("notes.txt", b"base")])
    make_pull_request(world.repository, author=make_user(), files={"more.txt": b"words"})


def _api(need: Need, kwargs: dict[str, Any], body: Any = None) -> Route:
    return Route(need, kwargs, body=lambda world: body, prepare=_gated)


def _form(need: Need, kwargs: dict[str, Any], text: str = "") -> Route:
    return Route(
        need,
        kwargs,
        body=lambda world: text.encode(),
        content_type="application/x-www-form-urlencoded",
        prepare=_gated,
        takes_tokens=False,
    )


_SAID = "benchmark=words&item=00&act=comment&body=yes"

VERDICTS: dict[tuple[str, str], Route] = {
    ("training:api-gate-override", "POST"): _api(Need.ADMIN, _NUMBER, {"reason": "seen"}),
    ("training:api-examples", "GET"): _api(Need.READ, _NUMBER),
    ("training:api-note-list", "GET"): _api(Need.READ, _NUMBER),
    ("training:api-note-list", "POST"): _api(Need.PROPOSE, _NUMBER, _ITEM | {"body": "yes"}),
    ("training:api-note", "DELETE"): _api(Need.PROPOSE, _ONE),
    ("training:api-example-pin", "POST"): _api(Need.WRITE, _NUMBER, _ITEM),
    ("training:api-pin-list", "GET"): Route(Need.READ),
    ("training:api-pin", "DELETE"): Route(Need.WRITE, {"pk": 1}),
    ("training:gate-override", "POST"): _form(Need.ADMIN, _NUMBER, "reason=seen"),
    ("training:example-remark", "POST"): _form(Need.PROPOSE, _NUMBER, _SAID),
    ("training:example-remark-remove", "POST"): _form(Need.PROPOSE, _ONE),
    ("training:pin-list", "GET"): Route(Need.READ, takes_tokens=False),
    ("training:pin-remove", "POST"): Route(Need.WRITE, {"pk": 1}, takes_tokens=False),
}
