"""Rows of the role matrix for rows of data sets."""

from __future__ import annotations

from hub.models import Repository
from tests.factories import commit_files
from tests.role_matrix import Need, Route, World


def _fill(world: World) -> None:
    """Make the repository a data set that has rows."""
    commit_files(world.repository, {"train.csv": b"a,b\n1,x\n"})
    Repository.objects.filter(pk=world.repository.pk).update(kind="dataset")
    world.repository.refresh_from_db()


def _route(**more: bool) -> Route:
    return Route(Need.READ, prepare=_fill, **more)


TABLES: dict[tuple[str, str], Route] = {
    ("hub:viewer", "GET"): _route(takes_tokens=False),
    ("hub:viewer-columns", "GET"): _route(takes_tokens=False),
    ("hub:viewer-media", "GET"): _route(takes_tokens=False),
    ("hub:viewer-search", "GET"): _route(takes_tokens=False),
    ("hub:table-splits", "GET"): _route(),
    ("hub:table-rows", "GET"): _route(),
    ("hub:table-first-rows", "GET"): _route(),
    ("hub:table-statistics", "GET"): _route(),
}
