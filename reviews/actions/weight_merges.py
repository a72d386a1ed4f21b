"""Asking for weights that both a proposal and its target have moved to be made one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction

from hub.errors import AlreadyDecidedError, BadInputError, ConflictError, ForbiddenError
from hub.extensions import Change
from hub.formats.bounded_yaml import load_yaml
from hub.formats.errors import YamlError
from hub.jobs.doorbell import ring
from hub.models import Kind, Repository, User
from hub.policies import Actor, require_files
from reviews.actions.weights import side_at
from reviews.changes import change_of
from reviews.jobs.queue import is_queued_head
from reviews.models import Discussion, QueueEntry, WeightMerge
from reviews.policies import get_pull_request, may_push, require_commenter
from reviews.tasks import merge_weights
from reviews.weights.merging.methods import METHODS, Method
from reviews.weights.merging.recipe_file import read_recipe

# What a recipe is tried with before the weights have been read.
_ANY = {"revision": "0" * 40, "weights": "0" * 64}
RULES_LIMIT = 20_000


def common_base(repository: Repository, change: Change) -> str | None:
    """The commit from which a proposal and its target have both moved the weights, if they have."""
    found = change.memo.get("weights-base")
    if found is None:
        found = change.memo["weights-base"] = _common_base(repository, change) or ""
    return found or None


def _common_base(repository: Repository, change: Change) -> str | None:
    if repository.kind != Kind.MODEL:
        return None
    oid = repository.store().merge_base(change.base_oid, change.head_oid)
    if oid is None or oid in (change.base_oid, change.head_oid):
        return None
    base, ours, theirs = (
        side_at(repository, each) for each in (oid, change.base_oid, change.head_oid)
    )
    have_weights = base.has_weights and ours.has_weights and theirs.has_weights
    moved = base.digest not in {ours.digest, theirs.digest} and ours.digest != theirs.digest
    return oid if have_weights and moved else None


def choice_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's method and numbers from `method`, `share` (of the proposal, 0 to 1), `lambda`,
    `density`, `rules` (YAML) and `confirmed`.

    Raises: BadInputError: no such method, or a number out of its range.
    """
    method = str(given.get("method", ""))
    if method not in set(Method):
        raise BadInputError(f"There is no way of merging called {method[:40]!r}.")
    share = _number(given, "share", 0.5)
    choice: dict[str, Any] = {"method": method, "confirmed": bool(given.get("confirmed"))}
    if METHODS[Method(method)].normalizes:
        choice["weights"] = [1.0 - share, share]
    if method in (Method.TIES, Method.DARE_LINEAR, Method.DARE_TIES):
        choice["densities"] = [_number(given, "density", 0.5)] * 2
    choice["parameters"] = {"lambda": _number(given, "lambda", 1.0)}
    if method == Method.SLERP:
        choice["parameters"]["t"] = share
    choice["rules"] = _rules(str(given.get("rules") or ""))
    nothing = [1.0, 1.0]
    shares, densities = choice.get("weights", nothing), choice.get("densities", nothing)
    models = [
        {"model": _ANY, "parameters": {"weight": share, "density": density}}
        for share, density in zip(shares, densities, strict=True)
    ]
    read_recipe(
        {
            "merge_method": method,
            "base_model": _ANY,
            "models": models,
            "parameters": choice["parameters"],
            "rules": choice["rules"],
        },
        place="The recipe",
    )
    return choice


def _number(given: Mapping[str, Any], name: str, default: float) -> float:
    value = given.get(name)
    try:
        return default if value in (None, "") else float(value)
    except (TypeError, ValueError):
        raise BadInputError(f"{name} must be a number.") from None


def _rules(text: str) -> list[Any]:
    if not text.strip():
        return []
    try:
        rules = load_yaml(text[:RULES_LIMIT])
    except YamlError as error:
        raise BadInputError(f"The rules: {error}") from error
    if not isinstance(rules, list):
        raise BadInputError("The rules: write a list, one rule a line that begins with '-'.")
    return rules


def _require_queued(row: Discussion, entry: QueueEntry) -> None:
    """Refuse to work for an entry that is gone, or on a version that nobody has queued: what comes
    of it counts as queued, and inherits approvals. Raises: ConflictError."""
    is_held = QueueEntry.objects.held(entry).exists()
    if not is_held or not is_queued_head(entry, row.head_oid):
        raise ConflictError(f"Pull request {row.number} has left the merge queue.")


def require_merger(pull_request: Discussion, actor: Actor) -> User:
    """The person who may have the weights of a proposal merged: its author, and maintainers.

    Raises: UnauthenticatedError, ForbiddenError, GatedRepositoryError.
    """
    user: User = require_commenter(actor)
    require_files(actor, pull_request.repository)
    if not may_push(pull_request.repository, pull_request.number, user):
        raise ForbiddenError("Only its author and people with write access may change this.")
    return user


def locked_sides(pull_request: Discussion) -> tuple[Discussion, dict[str, str]]:
    """The row under a lock, and the three oids of a merge of its weights by their columns.

    Raises: AlreadyDecidedError; ConflictError: the weights do not need it.
    """
    row = get_pull_request(pull_request.repository, pull_request.number, lock=True)
    if row.is_decided:
        raise AlreadyDecidedError(f"Pull request {row.number} is already {row.status}.")
    change = change_of(row)
    base_oid = common_base(pull_request.repository, change)
    if base_oid is None:
        raise ConflictError("The target has not moved these weights: nothing to merge.")
    sides = {"base_oid": base_oid, "ours_oid": change.base_oid, "theirs_oid": change.head_oid}
    return row, sides


def start_weight_merge(
    pull_request: Discussion,
    actor: Actor,
    choice: Mapping[str, Any],
    *,
    queue_entry: QueueEntry | None = None,
) -> WeightMerge:
    """Have a worker merge the target's weights and the proposal's into the proposal.

    `queue_entry`: the place in the merge queue that it is made for.
    Raises: AlreadyDecidedError; ConflictError: the weights do not need it, or it is under way;
        ForbiddenError for whoever may not push to the proposal.
    """
    user = require_merger(pull_request, actor)
    with one_at_a_time():
        row, sides = locked_sides(pull_request)
        if queue_entry is not None:
            _require_queued(row, queue_entry)
        made = WeightMerge.objects.create(
            pull_request=row, by=user, choice=dict(choice), queue_entry=queue_entry, **sides
        )
        ring(merge_weights, made.pk)
        return made


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """A transaction that starts a merge. Raises: ConflictError: another one is under way."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        raise ConflictError("The weights are being merged already.") from None
