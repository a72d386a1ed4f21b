"""Trying ways of merging weights before one is chosen, and choosing one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from hub.errors import BadInputError, ConflictError, NotFoundError
from hub.extensions import registries
from hub.jobs.doorbell import ask, ring
from hub.models.work import WorkState
from hub.policies import Actor
from reviews.actions.weight_merges import (
    choice_of,
    locked_sides,
    one_at_a_time,
    require_merger,
)
from reviews.actions.weights_said import merge_sentence
from reviews.actions.weights_work import hold_turn, require_turn
from reviews.changes import change_of
from reviews.jobs import weight_trials
from reviews.models import Discussion, WeightMerge, WeightTrial
from reviews.models.trials import choice_digest
from reviews.policies import get_pull_request
from reviews.tasks import merge_weights, remove_gone_trials, try_weights
from reviews.weights.merging.barrier import loss_barrier
from reviews.weights.merging.methods import Method

# So many hold their weights at once: each is as large as the model.
LIVE_LIMIT = 8
# Where the line between both parents is looked at, beside its ends.
LINE = (0.25, 0.5, 0.75)
_SCALED = frozenset({Method.TASK_ARITHMETIC, Method.TIES, Method.DARE_LINEAR, Method.DARE_TIES})


def choices_of(given: Mapping[str, Any], methods: Sequence[str], *, line: bool) -> list[Any]:
    """The choices of several methods with the same numbers, each once; with `line` also the
    averages that show the loss between both parents.

    Raises: BadInputError: see `choice_of`; nothing was chosen.
    """
    asked = [{**given, "method": method} for method in methods]
    if line:
        asked += [{"method": Method.LINEAR, "share": share} for share in LINE]
    found = {choice_digest(each): each for each in map(_trial_choice, asked)}
    if not found:
        raise BadInputError("Mark at least one way of merging to try.")
    return list(found.values())


def _trial_choice(given: Mapping[str, Any]) -> dict[str, Any]:
    """A choice without what makes no difference to the weights, so that equal ones are equal."""
    has_rules = bool(str(given.get("rules") or "").strip())
    is_scaled = given.get("method") in _SCALED or has_rules
    choice = choice_of(given if is_scaled else {**given, "lambda": ""})
    del choice["confirmed"]
    return choice


@transaction.atomic
def start_trials(
    pull_request: Discussion, actor: Actor, choices: Sequence[Mapping[str, Any]]
) -> list[WeightTrial]:
    """Have a worker make what each choice would give; one that was tried already is the same row,
    tried again where it failed.

    Raises: what `require_merger` and `locked_sides` raise; ConflictError: too many are there;
        ThrottledError: the person has too much under way.
    """
    user = require_merger(pull_request, actor)
    hold_turn(user)  # before the proposal is locked, as all who count do
    row, sides = locked_sides(pull_request)
    here = WeightTrial.objects.filter(pull_request=row).between(
        sides["ours_oid"], sides["theirs_oid"]
    )
    # Those that failed count too: a person removes them, or tries them again.
    known = set(here.kept().values_list("choice_digest", flat=True))
    wanted = {choice_digest(choice): choice for choice in choices}
    if len(known | wanted.keys()) > LIVE_LIMIT:
        raise ConflictError(
            f"At most {LIVE_LIMIT} ways are kept at once: remove some that you need no more."
        )
    under_way_or_made = set(here.holding().values_list("choice_digest", flat=True))
    require_turn(user, more=len(wanted.keys() - under_way_or_made))
    found = []
    for digest, choice in wanted.items():
        trial, created = here.kept().get_or_create(
            choice_digest=digest,
            defaults={"pull_request": row, "by": user, "choice": dict(choice), **sides},
        )
        failed = WeightTrial.objects.filter(pk=trial.pk, state=WorkState.FAILED)
        if created or failed.ask_again(by=user):
            ring(try_weights, trial.pk)
        found.append(trial)
    return found


def use_trial(
    pull_request: Discussion, actor: Actor, trial_id: int, *, confirmed: bool = False
) -> WeightMerge:
    """Let a trial's commit become the proposal's head: a merge whose work is done already.

    Raises: what `start_weight_merge` raises; ConflictError: the trial is stale, is not made, or
        asks for a confirmation that was not given.
    """
    user = require_merger(pull_request, actor)
    with one_at_a_time():
        row = get_pull_request(pull_request.repository, pull_request.number, lock=True)
        trial = _usable(row, trial_id, confirmed=confirmed)
        row, sides = locked_sides(pull_request)
        made = WeightMerge.objects.create(
            pull_request=row,
            by=user,
            choice=trial.choice | {"confirmed": confirmed},
            conditions=trial.conditions,
            made_oid=trial.result_oid,
            **sides,
        )
        ring(merge_weights, made.pk)
        return made


def _usable(row: Discussion, trial_id: int, *, confirmed: bool) -> WeightTrial:
    """The trial under a lock, of exactly the heads of now."""
    rows = WeightTrial.objects.kept().filter(pull_request=row, pk=trial_id)
    trial = rows.select_for_update(of=("self",)).first()
    change = change_of(row)
    if trial is None or (trial.ours_oid, trial.theirs_oid) != (change.base_oid, change.head_oid):
        raise ConflictError(
            "This trial is of an earlier version: the proposal or its target has moved since. "
            "Try it again."
        )
    if trial.state != WorkState.DONE:
        raise ConflictError("This way of merging has not been worked out: wait, or try it again.")
    for unmet in () if confirmed else trial.unmet():
        raise ConflictError(merge_sentence("not_to_be_averaged", {"condition": unmet["code"]}))
    return trial


@transaction.atomic
def remove_trial(pull_request: Discussion, actor: Actor, trial_id: int) -> None:
    """Let a trial go; a worker removes what it holds. Raises: NotFoundError."""
    require_merger(pull_request, actor)
    row = get_pull_request(pull_request.repository, pull_request.number, lock=True)
    if not WeightTrial.objects.kept().filter(pull_request=row, pk=trial_id).exists():
        raise NotFoundError("This trial is gone already.")
    weight_trials.let_go([trial_id])
    ask(remove_gone_trials)


def measure_trials(pull_request: Discussion, actor: Actor) -> str:
    """Have both parents and every trial that is made answer a few items of the gate's
    benchmarks; the path of the run.

    Raises: ConflictError: there is nothing to measure; what starting a measurement raises.
    """
    require_merger(pull_request, actor)
    change = change_of(get_pull_request(pull_request.repository, pull_request.number))
    trials = WeightTrial.objects.holding().filter(pull_request=pull_request)
    made = trials.between(change.base_oid, change.head_oid).filter(state=WorkState.DONE)
    oids = list(made.order_by("pk").values_list("result_oid", flat=True))
    if not oids:
        raise ConflictError("No way of merging has been worked out yet: try some first.")
    return registries.measure_quickly(
        pull_request.repository, actor, change, [change.base_oid, change.head_oid, *oids]
    )


def line_of(trials: Sequence[WeightTrial], ours_oid: str, theirs_oid: str) -> dict[float, str]:
    """The commits on the line between both parents, by the proposal's share; of what is made."""
    found = {0.0: ours_oid, 1.0: theirs_oid}
    for trial in trials:
        is_average = trial.choice["method"] == Method.LINEAR and not trial.choice["rules"]
        if is_average and trial.result_oid:
            found[trial.choice["weights"][1]] = trial.result_oid
    return dict(sorted(found.items()))


def barrier_of(losses: Mapping[float, float]) -> float | None:
    """The loss barrier of a whole line; None while a point of it is not known."""
    if not {0.0, *LINE, 1.0} <= losses.keys():
        return None
    return loss_barrier(losses)
