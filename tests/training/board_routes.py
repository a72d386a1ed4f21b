"""Rows of the role matrix for leaderboards, comparisons and reports."""

from __future__ import annotations

from typing import Any

from hub.models import Kind, User
from tests.factories import make_repository
from tests.role_matrix import Need, Route, World
from tests.training.board_making import evaluate, make_benchmark, reweigh
from training.models import Origin

PATH = {"path": "words.yaml"}


def _page(need: Need, **more: Any) -> Route:
    return Route(need, takes_tokens=False, **more)


def _measured(world: World, **values: Any) -> Any:
    """The model of the world with an evaluation on a benchmark of a public data set."""
    owner: User = world.people["admin"]
    data = make_repository(kind=Kind.DATASET)
    benchmark = make_benchmark(data, count=20, person=owner)
    reweigh(world.repository, b"weights")
    return evaluate(world.repository, benchmark, **values)


def _board(world: World) -> None:
    """The repository itself holds a board: a route does not ask for its kind first."""
    owner: User = world.people["admin"]
    data = make_repository(kind=Kind.DATASET)
    benchmark = make_benchmark(data, count=20, person=owner)
    type(benchmark).objects.filter(pk=benchmark.pk).update(repository=world.repository)


def _reported(world: World) -> None:
    row = _measured(world, origin=Origin.REPORTED, source={"paired_metrics": ["acc"]})
    world.extra["report"] = row.pk


def _report(world: World) -> dict[str, Any]:
    return {"number": world.extra.get("report", 1)}


def _sent(world: World) -> dict[str, Any]:
    return {"benchmark": "no reference", "results": {}}


BOARDS: dict[tuple[str, str], Route] = {
    ("training:leaderboards", "GET"): _page(Need.OPEN, of_repository=False),
    ("training:compare", "GET"): _page(Need.OPEN, of_repository=False),
    ("training:compare", "POST"): _page(Need.PERSON, of_repository=False),
    ("training:leaderboard-list", "GET"): _page(Need.READ),
    ("training:leaderboard", "GET"): _page(Need.READ, kwargs=PATH, prepare=_board),
    ("training:leaderboard", "POST"): _page(Need.PROPOSE, kwargs=PATH, prepare=_board),
    ("training:report", "GET"): _page(Need.WRITE),
    ("training:report", "POST"): _page(Need.WRITE),
    ("training:report-remove", "POST"): _page(Need.WRITE, prepare=_reported, more_kwargs=_report),
    ("training:api-leaderboards", "GET"): Route(Need.OPEN, of_repository=False),
    ("training:api-compare", "GET"): Route(Need.OPEN, of_repository=False),
    ("training:api-leaderboard", "GET"): Route(Need.READ, PATH, prepare=_board),
    ("training:api-report-list", "GET"): Route(Need.READ, prepare=_reported),
    ("training:api-report-list", "POST"): Route(Need.WRITE, body=_sent),
    ("training:api-report", "GET"): Route(Need.READ, prepare=_reported, more_kwargs=_report),
    ("training:api-report", "DELETE"): Route(Need.WRITE, prepare=_reported, more_kwargs=_report),
}
