"""Ways of merging weights side by side: what each would give, and the doors to try and use them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from hub.errors import ForbiddenError, HubError, UnauthenticatedError
from hub.extensions import Change, QuickBenchmark, QuickLook, QuickScore, registries
from hub.http.authentication import actor_of
from hub.http.pages import repository_page
from hub.models import Access, Repository
from hub.policies import Actor
from hub.templatetags.hub_format import plain_number
from reviews.actions.weight_trials import (
    LIVE_LIMIT,
    barrier_of,
    choices_of,
    line_of,
    measure_trials,
    remove_trial,
    start_trials,
    use_trial,
)
from reviews.actions.weights_said import METHODS_SAID, merge_sentence, unmet_sentence
from reviews.models import Discussion, WeightTrial
from reviews.policies import get_pull_request
from reviews.web.barriers import Line, drawn

TRIED_FIRST = ("linear", "ties", "slerp")


@dataclass(frozen=True)
class TrialRow:
    """One line of the table: a parent, whose `trial` is None, or a way of merging."""

    label: str
    oid: str
    numbers: str = ""
    ours: float | None = None
    theirs: float | None = None
    trial: WeightTrial | None = None
    error: str = ""
    unmet: str = ""
    scores: Sequence[QuickScore | None] = ()


@dataclass(frozen=True)
class Trials:
    """All that the card of the trials shows."""

    rows: Sequence[TrialRow]
    is_live: bool
    count: int
    look: QuickLook | None
    benchmarks: Sequence[QuickBenchmark]
    may_measure: bool
    measured_with: Sequence[str]
    lines: Sequence[Line]
    methods: Sequence[tuple[str, Any]] = tuple(METHODS_SAID.items())
    tried_first: Sequence[str] = TRIED_FIRST
    limit: int = LIVE_LIMIT
    farthest: Sequence[Mapping[str, Any]] = field(default_factory=list)


def shown_trials(repository: Repository, change: Change, actor: Actor) -> Trials:
    """The ways of merging exactly these heads that were tried, between both parents."""
    found = WeightTrial.objects.kept().filter(
        pull_request__repository=repository, pull_request__number=change.number
    )
    trials = list(found.between(change.base_oid, change.head_oid).order_by("pk"))
    look = registries.quick_look(repository, change)
    benchmarks = [] if look is None else [each for each in look.benchmarks if not each.is_hidden]
    parents: dict[str, float] = next((t.distances["parents"] for t in trials if t.distances), {})
    rows = [
        TrialRow(change.target_branch, change.base_oid, ours=0.0, theirs=parents.get("theirs")),
        TrialRow(_("this proposal"), change.head_oid, ours=parents.get("ours"), theirs=0.0),
        *map(_row, trials),
    ]
    may_write = repository.may(Access.WRITE)
    labels = registries.quick_labels(repository, change.base_oid)
    return Trials(
        rows=[_scored(row, benchmarks) for row in rows],
        is_live=any(not t.is_settled for t in trials) or bool(look and look.is_live),
        count=len(trials),
        look=look,
        benchmarks=benchmarks,
        may_measure=bool(may_write and labels and any(t.result_oid for t in trials)),
        measured_with=labels,
        lines=_lines(trials, change, benchmarks),
    )


def _row(trial: WeightTrial) -> TrialRow:
    told = trial.distances
    error = trial.error and merge_sentence(trial.error["code"], trial.error.get("parameters") or {})
    return TrialRow(
        label=trial.choice["method"],
        oid=trial.result_oid,
        numbers=_numbers(trial.choice),
        ours=told.get("ours"),
        theirs=told.get("theirs"),
        trial=trial,
        error=error or "",
        unmet=unmet_sentence(trial.unmet()),
    )


def _numbers(choice: Mapping[str, Any]) -> str:
    """The numbers that matter to a way of merging: share 0.5, λ 1, density 0.5."""
    told = []
    parameters = choice["parameters"]
    share = choice["weights"][1] if "weights" in choice else parameters.get("t")
    if share is not None:
        told.append(_("share %(share)s") % {"share": plain_number(share)})
    if parameters.get("lambda", 1.0) != 1.0:
        told.append(f"λ {plain_number(parameters['lambda'])}")
    if "densities" in choice:
        told.append(_("density %(share)s") % {"share": plain_number(choice["densities"][0])})
    if choice["rules"]:
        told.append(_("with rules"))
    return ", ".join(told)


def _scored(row: TrialRow, benchmarks: Sequence[QuickBenchmark]) -> TrialRow:
    found = [each.scores.get(row.oid) if row.oid else None for each in benchmarks]
    return TrialRow(**{**vars(row), "scores": found})


def _lines(
    trials: Sequence[WeightTrial], change: Change, benchmarks: Sequence[QuickBenchmark]
) -> list[Line]:
    """The loss on the line between both parents, of each benchmark that tells one."""
    oids = line_of(trials, change.base_oid, change.head_oid)
    found = []
    for each in benchmarks:
        losses = {alpha: each.scores[oid].loss for alpha, oid in oids.items() if oid in each.scores}
        known = {alpha: loss for alpha, loss in losses.items() if loss is not None}
        barrier = barrier_of(known)
        if barrier is not None:
            found.append(drawn(each.label, each.loss_unit, known, barrier))
    return found


# Doors ---------------------------------------------------------------------------------------


def _door(act: Callable[..., str | None]) -> Any:
    """A form of the card: what is refused is told there; `act` may name another page to go to."""

    @require_POST
    @repository_page()
    def door(
        request: HttpRequest, repository: Repository, number: int, **more: int
    ) -> HttpResponse:
        row = get_pull_request(repository, number)
        place = None
        try:
            place = act(request, row, actor_of(request), **more)
        except (UnauthenticatedError, ForbiddenError):
            raise
        except HubError as error:
            messages.error(request, str(error))
        return redirect(place or f"{row.get_absolute_url()}/weights#weight-trials")

    return door


def _start(request: HttpRequest, row: Discussion, actor: Actor) -> None:
    given = request.POST
    choices = choices_of(given.dict(), given.getlist("methods"), line=bool(given.get("line")))
    start_trials(row, actor, choices)


def _measure(request: HttpRequest, row: Discussion, actor: Actor) -> None:
    measure_trials(row, actor)


def _use(request: HttpRequest, row: Discussion, actor: Actor, *, trial: int) -> str:
    use_trial(row, actor, trial, confirmed=bool(request.POST.get("confirmed")))
    return f"{row.get_absolute_url()}/weights#weight-merge"


def _remove(request: HttpRequest, row: Discussion, actor: Actor, *, trial: int) -> None:
    remove_trial(row, actor, trial)


start, measure = _door(_start), _door(_measure)
use, remove = _door(_use), _door(_remove)
