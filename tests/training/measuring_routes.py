"""Rows of the role matrix for measuring a model, its history and the search for a bad commit."""

from __future__ import annotations

from typing import Any

from hub.models import Kind
from tests.factories import make_repository
from tests.role_matrix import Need, Route, World
from training.models import Benchmark, Evaluation

_DIGEST = "a" * 64
_FORM = {"content_type": "application/x-www-form-urlencoded"}


def _measured(world: World) -> None:
    """A measurement of the repository with a benchmark that the same people may read."""
    data = make_repository(
        world.organization, kind=Kind.DATASET, visibility=world.repository.visibility
    )
    benchmark = Benchmark.objects.create(
        repository=data,
        items_repository=data,
        digest=_DIGEST,
        path="words.yaml",
        revision="0" * 40,
        task="words",
        label="words",
        output_type="multiple_choice",
        metric="acc",
        metrics=[{"name": "acc", "label": "acc", "direction": "higher", "unit": "share"}],
        direction="higher",
        item_count=1,
        spec={},
    )
    world.extra["evaluation"] = Evaluation.objects.create(
        repository=world.repository,
        benchmark=benchmark,
        model_digest=_DIGEST,
        benchmark_digest=_DIGEST,
        settings_digest=_DIGEST,
        protocol_digest=_DIGEST,
        revision="0" * 40,
        item_count=1,
    )


def _one(world: World) -> dict[str, Any]:
    found = world.extra.get("evaluation")
    return {"number": found.pk if found else 1}


def _page(need: Need, **more: Any) -> Route:
    return Route(need, takes_tokens=False, **more)


def _wanted(world: World) -> dict[str, Any]:
    return {"benchmarks": ["no/where:words.yaml"]}


def _ends(world: World) -> dict[str, Any]:
    return {"benchmark": "no/where:words.yaml", "good": "main"}


MEASURING: dict[tuple[str, str], Route] = {
    ("training:benchmarks", "GET"): _page(Need.READ, prepare=_measured),
    ("training:evaluate", "GET"): _page(Need.PROPOSE),
    ("training:evaluate", "POST"): _page(
        Need.PROPOSE, body=lambda world: b"revision=main", **_FORM
    ),
    ("training:evaluation", "GET"): _page(Need.READ, prepare=_measured, more_kwargs=_one),
    ("training:bisect", "GET"): _page(Need.PROPOSE),
    ("training:bisect", "POST"): _page(Need.PROPOSE, body=lambda world: b"good=main", **_FORM),
    ("training:api-evaluation-list", "GET"): Route(Need.READ),
    ("training:api-evaluation-list", "POST"): Route(Need.PROPOSE, body=_wanted),
    ("training:api-evaluation", "GET"): Route(Need.READ, prepare=_measured, more_kwargs=_one),
    ("training:api-evaluation-items", "GET"): Route(Need.READ, prepare=_measured, more_kwargs=_one),
    ("training:api-bisect-list", "GET"): Route(Need.READ),
    ("training:api-bisect-list", "POST"): Route(Need.PROPOSE, body=_ends),
}
