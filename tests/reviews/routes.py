"""Rows of the role matrix for the routes of reviews."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from safetensors.numpy import save

from hub.policies import Actor
from reviews.actions.discussions import change_status
from reviews.actions.full_weights import request_full_weights
from reviews.actions.queueing import join_queue
from reviews.actions.timeline import add_comment
from reviews.actions.weights import request_comparison, side_at, sides_of
from reviews.changes import change_of
from reviews.jobs import full_weights
from reviews.jobs.comparing import carry_out
from reviews.jobs.pushes import record_push
from reviews.models import ModelMerge
from reviews.weights.patch_writing import make_patch
from reviews.weights.patches import PATCH
from tests.reviews.factories import make_maintainer, make_pull_request, push
from tests.role_matrix import Need, Route, World
from tests.training.factories import commit, large
from tests.weights.folders import opened, write_model

NUMBER = {"number": 1}


def _open(world: World) -> None:
    world.extra["pull_request"] = make_pull_request(world.repository)


def _queued(world: World) -> None:
    join_queue(make_pull_request(world.repository), Actor(make_maintainer(world.repository)))


def _draft(world: World) -> None:
    make_pull_request(world.repository, draft=True)


def _closed(world: World) -> None:
    pull_request = make_pull_request(world.repository)
    change_status(pull_request, Actor(pull_request.author), "closed")


def _commented(world: World) -> None:
    pull_request = make_pull_request(world.repository)
    event = add_comment(pull_request, Actor(pull_request.author), "First.")
    world.extra["event"] = event.pk


def _event(world: World) -> dict[str, Any]:
    """As clients name it: in hexadecimal digits."""
    return {"event": f"{world.extra['event']:x}"}


def _line(world: World) -> dict[str, Any]:
    """As pages name it."""
    return {"event": world.extra["event"]}


def _verdict(world: World) -> dict[str, str]:
    return {"head": world.extra["pull_request"].head_oid, "verdict": "approve"}


def _api(need: Need, body: Any = None, **more: Any) -> Route:
    values = {"kwargs": NUMBER, "prepare": _open} | more
    return Route(need, body=body if callable(body) else lambda world: body, **values)


def _page(need: Need, **more: Any) -> Route:
    values = {"kwargs": NUMBER, "prepare": _open} | more
    return Route(need, takes_tokens=False, **values)


def _form(need: Need, body: Any = None, **more: Any) -> Route:
    """A form of a page: what it sends, encoded as browsers do."""

    def encoded(world: World) -> bytes:
        return urlencode(body(world) if callable(body) else body or {}).encode()

    return _page(need, body=encoded, content_type="application/x-www-form-urlencoded", **more)


def _weights(world: World) -> None:
    """A pull request whose weights a worker has compared."""
    repository = world.repository
    _open(world)
    row = world.extra["pull_request"]
    push(row, {"model.safetensors": save({"w": np.ones((2, 2), np.float32)})})
    row.refresh_from_db()
    row.repository = repository
    sides = sides_of(repository, change_of(row))
    assert sides is not None
    carry_out(request_comparison(*sides).pk)


def _tried(world: World) -> None:
    """A pull request with a way of merging that was tried."""
    _weights(world)
    row = world.extra["pull_request"]
    oids = dict.fromkeys(("base_oid", "ours_oid", "theirs_oid"), row.head_oid)
    made = row.weight_trials.create(by=row.author, choice={}, choice_digest="0" * 64, **oids)
    world.extra["trial"] = made.pk


def _trial(world: World) -> dict[str, Any]:
    return {"trial": world.extra["trial"]}


def _patched(world: World) -> None:
    """A pull request with a sparse patch beside its weights; its full weights are there."""
    repository = world.repository
    weights, edited = (np.zeros(4000, np.float32) for _ in range(2))
    edited[7] = 1.0
    with tempfile.TemporaryDirectory() as scratch:
        folders = [
            write_model(Path(scratch) / name, {"w": held})
            for name, held in (("base", weights), ("after", edited))
        ]
        with opened(folders[0]) as base, opened(folders[1]) as candidate:
            make_patch(base, candidate, Path(scratch) / PATCH)
        patch = (Path(scratch) / PATCH).read_bytes()
    commit(repository, [large(repository, "model.safetensors", save({"w": weights}))])
    _open(world)
    row = world.extra["pull_request"]
    commit(repository, [large(repository, PATCH, patch)], row.ref)
    record_push(repository, row.number, by=row.author)
    side = side_at(repository, repository.store().resolve(row.ref))
    found = request_full_weights(side, Actor(row.author))
    assert found.row is not None
    full_weights.carry_out(found.row.pk)


_FULL = {"revision": "refs/pr/1"}


def _merged(world: World) -> None:
    """Somebody has asked for a merge of models."""
    row = ModelMerge.objects.create(
        repository=world.repository,
        by=next(iter(world.people.values())),
        title="One of two",
        target_branch="main",
        base={"key": world.other.pk, "repo_id": world.other.repo_id, "oid": "0" * 40},
        parts=[],
        choice={"method": "linear"},
    )
    world.extra["merge"] = {"number": row.pk}


def _merge_number(world: World) -> dict[str, Any]:
    return dict(world.extra["merge"])


_MERGE = {"merge_method": "linear", "models": [{"model": "a/b"}]}
_PAIR = {"base": "main", "candidate": "refs/pr/1"}
_NEW = {"title": "Why?", "description": "", "pullRequest": False}
_SAY = {"comment": "More."}

REVIEWS: dict[tuple[str, str], Route] = {
    ("reviews:api-discussion-list", "GET"): Route(Need.READ),
    ("reviews:api-discussion-list", "POST"): Route(Need.PROPOSE, body=lambda world: _NEW),
    ("reviews:api-discussion", "GET"): _api(Need.READ),
    ("reviews:api-comment-add", "POST"): _api(Need.PROPOSE, _SAY),
    ("reviews:api-comment-edit", "POST"): _api(
        Need.ADMIN, {"content": "x"}, prepare=_commented, more_kwargs=_event
    ),
    ("reviews:api-comment-hide", "POST"): _api(Need.ADMIN, prepare=_commented, more_kwargs=_event),
    ("reviews:api-discussion-title", "POST"): _api(Need.WRITE, {"title": "Other"}),
    ("reviews:api-discussion-status", "POST"): _api(Need.WRITE, {"status": "closed"}),
    ("reviews:api-pull-request-merge", "POST"): _api(Need.WRITE, {}),
    ("reviews:api-pull-request-queue", "POST"): _api(Need.WRITE, {}),
    ("reviews:api-pull-request-queue", "DELETE"): _api(Need.WRITE, prepare=_queued),
    ("reviews:api-queue", "GET"): Route(Need.READ),
    ("reviews:queue", "GET"): _page(Need.READ, kwargs={}),
    ("reviews:queue-join", "POST"): _form(Need.WRITE),
    ("reviews:queue-leave", "POST"): _form(Need.WRITE, prepare=_queued),
    ("reviews:api-pull-request-review", "POST"): _api(Need.WRITE, _verdict),
    ("reviews:api-pull-request-requirements", "GET"): _api(Need.READ),
    ("reviews:api-pull-request-weights", "GET"): _api(Need.READ, prepare=_weights),
    ("reviews:api-weight-trials", "GET"): _api(Need.READ, prepare=_weights),
    ("reviews:api-weight-trials", "POST"): _api(
        Need.WRITE, {"methods": ["linear"]}, prepare=_weights
    ),
    ("reviews:api-weight-trial-use", "POST"): _api(
        Need.WRITE, {}, prepare=_tried, more_kwargs=_trial
    ),
    ("reviews:api-weights", "GET"): Route(Need.READ, query=_PAIR, prepare=_weights),
    ("reviews:api-weights", "POST"): _api(Need.PROPOSE, _PAIR, kwargs={}),
    ("reviews:weights-between", "GET"): _page(Need.READ, kwargs={}),
    ("reviews:weights-between", "POST"): _form(Need.PROPOSE, _PAIR, kwargs={}),
    ("reviews:weights-comment", "POST"): _form(
        Need.PROPOSE, {"tensor": "w", **_SAY}, prepare=_weights
    ),
    ("reviews:weights-merge", "POST"): _form(Need.WRITE, {"method": "linear"}, prepare=_weights),
    ("reviews:weight-trials", "POST"): _form(Need.WRITE, {"methods": "linear"}, prepare=_weights),
    ("reviews:weight-trials-measure", "POST"): _form(Need.WRITE, prepare=_weights),
    ("reviews:weight-trial-use", "POST"): _form(Need.WRITE, prepare=_tried, more_kwargs=_trial),
    ("reviews:weight-trial-remove", "POST"): _form(Need.WRITE, prepare=_tried, more_kwargs=_trial),
    ("reviews:api-full-weights", "GET"): Route(Need.READ, kwargs=_FULL, prepare=_patched),
    ("reviews:api-full-weights", "POST"): _api(Need.PROPOSE, kwargs=_FULL, prepare=_patched),
    ("reviews:full-weights", "GET"): _page(Need.READ, kwargs=_FULL, prepare=_patched),
    ("reviews:full-weights", "POST"): _form(Need.PROPOSE, kwargs=_FULL, prepare=_patched),
    ("reviews:full-weights-file", "GET"): Route(
        Need.READ, kwargs=_FULL | {"path": "model.safetensors"}, prepare=_patched
    ),
    ("reviews:full-weights-write", "POST"): _form(Need.WRITE, prepare=_patched),
    ("reviews:weights-again", "POST"): _form(Need.PROPOSE, prepare=_weights),
    ("reviews:api-model-merge-list", "POST"): Route(Need.CONTRIBUTE, body=lambda world: _MERGE),
    ("reviews:api-model-merge", "GET"): Route(
        Need.READ, prepare=_merged, more_kwargs=_merge_number
    ),
    ("reviews:merge-models", "GET"): _page(Need.CONTRIBUTE, kwargs={}),
    ("reviews:merge-models", "POST"): _form(Need.CONTRIBUTE, {"method": "linear"}, kwargs={}),
    ("reviews:model-merge", "GET"): _page(
        Need.READ, kwargs={}, prepare=_merged, more_kwargs=_merge_number
    ),
    ("reviews:discussion-list", "GET"): _page(Need.READ, kwargs={}),
    ("reviews:discussion-new", "GET"): _page(Need.PROPOSE, kwargs={}),
    ("reviews:discussion-new", "POST"): _form(Need.PROPOSE, {"title": "Why?"}, kwargs={}),
    ("reviews:discussion", "GET"): _page(Need.READ),
    ("reviews:pull-request-files", "GET"): _page(Need.READ),
    ("reviews:pull-request-commits", "GET"): _page(Need.READ),
    ("reviews:pull-request-checklist", "GET"): _page(Need.READ),
    ("reviews:pull-request-feature", "GET"): _page(Need.READ, kwargs=NUMBER | {"key": "runs"}),
    ("reviews:comment-add", "POST"): _form(Need.PROPOSE, _SAY),
    ("reviews:comment-edit", "GET"): _page(Need.ADMIN, prepare=_commented, more_kwargs=_line),
    ("reviews:comment-edit", "POST"): _form(
        Need.ADMIN, {"comment": "x"}, prepare=_commented, more_kwargs=_line
    ),
    ("reviews:comment-hide", "POST"): _form(Need.ADMIN, prepare=_commented, more_kwargs=_line),
    ("reviews:pull-request-review", "POST"): _form(Need.WRITE, _verdict),
    ("reviews:review-ask", "POST"): _form(Need.WRITE, {"person": "nobody-here"}),
    ("reviews:pull-request-merge", "POST"): _form(Need.WRITE),
    ("reviews:discussion-close", "POST"): _form(Need.WRITE),
    ("reviews:discussion-reopen", "POST"): _form(Need.WRITE, prepare=_closed),
    ("reviews:pull-request-publish", "POST"): _form(Need.WRITE, prepare=_draft),
    ("reviews:discussion-title", "POST"): _form(Need.WRITE, {"title": "Other"}),
}
