"""Rows of the role matrix for the routes of training."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from hub.gitstore import AddFile
from tests.factories import commit_files, make_user
from tests.reviews.factories import make_pull_request
from tests.role_matrix import Need, Route, World
from tests.training.board_routes import BOARDS
from tests.training.factories import GATE, commit, make_run
from tests.training.measuring_routes import MEASURING
from tests.training.rule_routes import RULES
from tests.training.try_routes import TRIES
from tests.training.verdict_routes import VERDICTS
from training.models import RunStatus

NUMBER = {"number": 1}


def _live(world: World) -> None:
    make_run(world.repository)


def _ended(world: World) -> None:
    """A gate's run that has ended: repeating it starts the gate anew."""
    pull_request = _pull_request(world)
    make_run(
        world.repository,
        kind="compare",
        status=RunStatus.CANCELLED,
        finished_at=timezone.now(),
        pull_request_number=pull_request.number,
    )


def _pull_request(world: World) -> Any:
    commit_files(world.repository, {".weighbridge/gate.yaml": GATE.encode()})
    commit(world.repository, [AddFile("notes.txt", b"base")])
    return make_pull_request(world.repository, author=make_user(), files={"more.txt": b"words"})


def _gated(world: World) -> None:
    _pull_request(world)


def _page(need: Need, **more: Any) -> Route:
    return Route(need, takes_tokens=False, **more)


def _recipe(world: World) -> dict[str, str]:
    return {"recipe_path": "recipes/none.yaml"}


_FORM = {"of_repository": False, "content_type": "application/x-www-form-urlencoded"}
_SHIPPED = {"name": "songci"}
_TASK = {"content": "task: t\ndoc_to_text: q\ndoc_to_target: a\n"}

TRAINING: dict[tuple[str, str], Route] = {
    **VERDICTS,
    **TRIES,
    **BOARDS,
    ("training:all-runs", "GET"): _page(Need.OPEN, of_repository=False),
    ("training:catalogue", "GET"): _page(Need.OPEN, of_repository=False),
    ("training:catalogue-import", "POST"): _page(
        Need.PERSON_TO_WRITE, body=lambda world: b"name=songci", **_FORM
    ),
    ("training:catalogue-task", "GET"): _page(Need.PERSON, of_repository=False),
    ("training:catalogue-task", "POST"): _page(
        Need.PERSON, body=lambda world: b"do=look&content=task:+t", **_FORM
    ),
    ("training:api-catalogue", "GET"): Route(Need.OPEN, of_repository=False),
    ("training:api-catalogue-import", "POST"): Route(
        Need.PERSON_TO_WRITE, of_repository=False, body=lambda world: _SHIPPED
    ),
    ("training:api-catalogue-task", "POST"): Route(
        Need.PERSON, of_repository=False, body=lambda world: _TASK
    ),
    ("training:api-run-list", "GET"): Route(Need.READ),
    ("training:api-run-list", "POST"): Route(Need.CONTRIBUTE, body=_recipe),
    ("training:api-run", "GET"): Route(Need.READ, NUMBER, prepare=_live),
    ("training:api-run-metrics", "GET"): Route(Need.READ, NUMBER, prepare=_live),
    ("training:api-run-log", "GET"): Route(Need.READ, NUMBER, prepare=_live),
    ("training:api-run-cancel", "POST"): Route(Need.WRITE, NUMBER, prepare=_live),
    ("training:api-run-again", "POST"): Route(Need.WRITE, NUMBER, prepare=_ended),
    ("training:api-gate", "GET"): Route(Need.READ, NUMBER, prepare=_gated),
    ("training:api-gate", "POST"): Route(Need.WRITE, NUMBER, prepare=_gated),
    **RULES,
    ("training:finetune", "GET"): _page(Need.CONTRIBUTE),
    ("training:finetune", "POST"): _page(Need.CONTRIBUTE),
    ("training:run-list", "GET"): _page(Need.READ),
    ("training:run", "GET"): _page(Need.READ, kwargs=NUMBER, prepare=_live),
    ("training:run-cancel", "POST"): _page(Need.WRITE, kwargs=NUMBER, prepare=_live),
    ("training:run-again", "POST"): _page(Need.WRITE, kwargs=NUMBER, prepare=_ended),
    ("training:gate-start", "POST"): _page(Need.WRITE, kwargs=NUMBER, prepare=_gated),
    **MEASURING,
}
