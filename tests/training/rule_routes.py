"""Rows of the role matrix for the gate's rule and the blind review."""

from __future__ import annotations

from typing import Any

from tests.factories import commit_files, make_user
from tests.reviews.factories import make_pull_request
from tests.role_matrix import Need, Route, World
from tests.training.factories import GATE

NUMBER = {"number": 1}


def _blind(world: World) -> None:
    """A pull request that nobody has weighed, whose rule asks for a blind review."""
    rule = f'{GATE}blind: {{benchmark: "org/data:prompts.yaml"}}\n'.replace("REPO", "org/data")
    commit_files(world.repository, {".weighbridge/gate.yaml": rule.encode()})
    make_pull_request(world.repository, author=make_user(), files={"more.txt": b"words"})


def _page(need: Need, **more: Any) -> Route:
    return Route(need, takes_tokens=False, **more)


def _rule(world: World) -> dict[str, str]:
    return {"text": GATE}


def _judgement(world: World) -> dict[str, str]:
    return {"token": "x", "choice": "tie"}


RULES: dict[tuple[str, str], Route] = {
    ("training:gate-editor", "GET"): _page(Need.WRITE),
    ("training:gate-editor", "POST"): _page(Need.WRITE),
    ("training:api-gate-rule", "GET"): Route(Need.READ),
    ("training:api-gate-rule", "PUT"): Route(Need.WRITE, body=_rule),
    ("training:api-gate-power", "POST"): Route(Need.WRITE, body=_rule),
    ("training:api-blind", "GET"): Route(Need.READ, NUMBER, prepare=_blind),
    ("training:api-blind", "POST"): Route(Need.WRITE, NUMBER, prepare=_blind, body=_judgement),
    ("training:api-blind", "DELETE"): Route(Need.WRITE, NUMBER, prepare=_blind),
    ("training:blind-vote", "POST"): _page(Need.WRITE, kwargs=NUMBER, prepare=_blind),
    ("training:blind-undo", "POST"): _page(Need.WRITE, kwargs=NUMBER, prepare=_blind),
}
