"""The compare page: two or more models or revisions on a benchmark, item by item."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from hub.errors import BadInputError, HubError, UnauthenticatedError
from hub.http.authentication import actor_of
from hub.models import Kind, RepoId
from hub.policies import Actor, get_repository, visible_repositories
from training.actions.compare_examples import examples_of
from training.actions.compare_pairs import KINDS
from training.actions.comparing import (
    LETTERS,
    Comparison,
    Pair,
    address,
    compare_sides,
    may_run,
    read_sides,
    texts_of,
)
from training.actions.evaluating import submit_evaluation
from training.models import Benchmark
from training.web.compare_shown import shown_comparison

EXAMPLES_A_PAGE = 8
OFFERED = 60


class RunForm(forms.Form):
    """What fills a gap: one model at a revision, on one benchmark."""

    model = forms.CharField(max_length=200)
    revision = forms.CharField(max_length=250, required=False)
    benchmark = forms.CharField(max_length=1500)


@require_http_methods(["GET", "HEAD", "POST"])
def compare(request: HttpRequest) -> HttpResponse:
    """GET, POST /-/compare?a=namespace/name@revision&b=…&benchmark=namespace/name:path"""
    actor = actor_of(request)
    if request.method == "POST":
        _run(request, actor)
        return redirect(request.get_full_path())
    sides = read_sides(actor, texts_of(request.GET))
    found = compare_sides(
        actor,
        sides,
        benchmark=_text(request, "benchmark"),
        digest=_text(request, "digest"),
        metric=_text(request, "metric"),
    )
    context = shown_comparison(found) | _pair_context(request, found)
    context |= {
        "comparison": found,
        "texts": _texts(found),
        "offered": _offered(actor),
        "offered_benchmarks": [shared.benchmark.reference for shared in found.shared],
        "runnable": {
            held.side.letter for held in _held(found) if found.chosen and may_run(actor, held)
        },
        "signed_in": actor.is_signed_in,
    }
    return render(request, "training/compare.html", context)


def _held(found: Comparison) -> list[Any]:
    return found.chosen.held if found.chosen else []


def _text(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "").strip()[:1600]


def _texts(found: Comparison) -> list[tuple[str, str]]:
    """A field for every side, and at least one empty."""
    texts = [(side.letter, side.text) for side in found.sides]
    more = max(1, 2 - len(texts))
    return [*texts, *((letter, "") for letter in LETTERS[len(texts) : len(texts) + more])]


def _offered(actor: Actor) -> list[str]:
    rows = visible_repositories(actor).filter(kind=Kind.MODEL).order_by("-last_modified_at")
    return [row.repo_id for row in rows[:OFFERED]]


def _pair_context(request: HttpRequest, found: Comparison) -> dict[str, Any]:
    """The pair that is looked at closely, and a page of its items."""
    pair = _chosen_pair(found.pairs, _text(request, "pair"))
    query = address(
        found.sides,
        benchmark=found.chosen.benchmark.reference if found.chosen else "",
        digest=_text(request, "digest"),
        metric=_text(request, "metric"),
    )
    context = {"pair": pair, "query": urlencode(query)}
    if pair is None or not pair.facts or not found.may_read or found.chosen is None:
        return context
    counts = pair.facts["examples"]["counts"]
    kind = _text(request, "show")
    usual = next((each for each in KINDS if counts[each]), KINDS[0])
    kind = kind if kind in KINDS else usual
    held = len(pair.facts["examples"][kind])
    page = Paginator(range(held), EXAMPLES_A_PAGE).get_page(request.GET.get("page"))
    start = (page.number - 1) * EXAMPLES_A_PAGE
    benchmark: Benchmark = found.chosen.benchmark
    return context | {
        "kind": kind,
        "page": page,
        "kinds": [(each, counts[each]) for each in KINDS],
        "examples": examples_of(
            benchmark, pair, found.metric, kind, start=start, count=EXAMPLES_A_PAGE
        ),
        "pages_query": urlencode([*query, ("pair", pair.key), ("show", kind)]),
    }


def _chosen_pair(pairs: list[Pair], wanted: str) -> Pair | None:
    """The pair of two letters, of the first side and one letter, else the first that can be
    compared."""
    names = (wanted, f"{LETTERS[0]}{wanted}")
    named = [pair for pair in pairs if pair.key in names]
    known = [pair for pair in pairs if pair.facts]
    return next(iter([*named, *known, *pairs]), None)


def _run(request: HttpRequest, actor: Actor) -> None:
    """Have a gap filled; a refusal is told on the page."""
    if not actor.is_signed_in:
        raise UnauthenticatedError("Sign in to have a model measured.")
    form = RunForm(request.POST)
    try:
        if not form.is_valid():
            raise BadInputError(_("Name a model and a benchmark."))
        values = form.cleaned_data
        model = get_repository(actor, RepoId.parse(Kind.MODEL, values["model"]))
        run = submit_evaluation(
            model, actor, benchmarks=[values["benchmark"]], revision=values["revision"]
        )
    except UnauthenticatedError:
        raise
    except HubError as error:
        messages.error(request, str(error))
        return
    told = _("%(model)s is queued: run #%(number)d.")
    messages.success(request, told % {"model": model.repo_id, "number": run.number})
