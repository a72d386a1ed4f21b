"""Pages of leaderboards: all of them, those of a data set, one benchmark, one set, an embed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_http_methods, require_safe

from hub.errors import HubError, NotFoundError, UnauthenticatedError
from hub.http.authentication import actor_of
from hub.http.middleware import POLICY
from hub.http.pages import frame, repository_page
from hub.models import Kind, RepoId, Repository
from hub.policies import ANONYMOUS, Actor, get_repository, visible_repositories
from training.actions.evaluating import submit_evaluation
from training.actions.leaderboard_filters import SIZES, Filters
from training.actions.leaderboard_queue import queue_of
from training.actions.leaderboard_sets import SetBoard, find_suite, set_board, suites_of
from training.actions.leaderboards import (
    SORTS,
    Board,
    board_of,
    boards,
    find_benchmarks,
    unmeasured,
)
from training.models import Benchmark
from training.web.leaderboard_shown import shown_board, shown_set
from training.web.submitting import SubmitForm

BOARDS_A_PAGE = 30
MODELS_OFFERED = 50
BOARD = "training/leaderboard.html"
PAGES = {"set": "training/leaderboard_set.html", "first": "training/leaderboard_first.html"}
EMBED_POLICY = POLICY.replace("frame-ancestors 'none'", "frame-ancestors *")


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """GET /-/leaderboards"""
    found = [board for board in boards(actor_of(request)) if board.models or board.reported]
    page = Paginator(found, BOARDS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "training/leaderboard_index.html", {"page": page})


@require_safe
@repository_page()
def leaderboard_list(request: HttpRequest, repository: Repository) -> HttpResponse:
    """The boards and sets of a data set."""
    actor = actor_of(request)
    context = frame(repository, "leaderboards") | {
        "boards": boards(actor, repository=repository),
        "suites": suites_of(repository, actor),
    }
    return render(request, "training/leaderboard_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def leaderboard(
    request: HttpRequest, kind: Kind, namespace: str, name: str, path: str
) -> HttpResponse:
    """One board. `?embed=1` is a page for frames of other sites: what everybody may see."""
    if request.method != "POST" and request.GET.get("embed") == "1":
        return _embedded(request, RepoId(kind, namespace, name), path)
    response: HttpResponse = _in_frame(
        request, kind=kind, namespace=namespace, name=name, path=path
    )
    return response


@repository_page()
def _in_frame(request: HttpRequest, repository: Repository, path: str) -> HttpResponse:
    actor = actor_of(request)
    form = SubmitForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        answer = _submitted(form, actor, repository, path)
        if answer is not None:
            messages.success(request, answer)
            return redirect(request.get_full_path())
    context = frame(repository, "leaderboards") | _board(request, repository, path, actor)
    context |= {"form": form, "models": _models(actor)}
    template = next((page for part, page in PAGES.items() if part in context), BOARD)
    return render(request, template, context, status=422 if form.errors else 200)


def _submitted(form: SubmitForm, actor: Actor, repository: Repository, path: str) -> str | None:
    """What to say of the run that was queued; None with the refusal in `form`."""
    if not actor.is_signed_in:
        raise UnauthenticatedError("Sign in to have a model measured.")
    if not form.is_valid():
        return None
    values = form.cleaned_data
    wanted = values["benchmarks"] or [f"{repository.repo_id}:{path}"]
    try:
        model = get_repository(actor, RepoId.parse(Kind.MODEL, values["model"]))
        run = submit_evaluation(model, actor, benchmarks=wanted, revision=values["revision"])
    except UnauthenticatedError:
        raise
    except HubError as error:
        form.add_error("revision" if error.code == "RevisionNotFound" else "model", str(error))
        return None
    return _("%(model)s is queued: run #%(number)d.") % {
        "model": model.repo_id,
        "number": run.number,
    }


def _board(request: HttpRequest, repository: Repository, path: str, actor: Actor) -> dict[str, Any]:
    """The board at `path`: that of a benchmark, else that of a suite."""
    filters = Filters.of(request.GET)
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else "rank"
    shared = {
        "filters": filters,
        "sizes": SIZES,
        "sort": sort,
        "path": path,
        "query": urlencode(filters.to_dict()),
        "public_board": f"{settings.PUBLIC_URL}{repository.get_absolute_url()}/leaderboard/{path}",
        "api_url": f"/{repository.api_path}/leaderboard/{path}",
    }
    try:
        digests = find_benchmarks(repository, path, actor)
    except NotFoundError:
        return shared | _set_or_first(repository, path, actor, filters)
    board = board_of(
        digests,
        actor,
        digest=request.GET.get("digest", ""),
        metric=request.GET.get("metric", ""),
        filters=filters,
        sort=sort,
    )
    return shared | _board_context(board, actor)


def _board_context(board: Board, actor: Actor) -> dict[str, Any]:
    benchmark = board.benchmark
    return {
        "board": board,
        "benchmark": benchmark,
        "shown": shown_board(board),
        "digests": [(row, row.digest[:12]) for row in board.digests],
        "queue": queue_of(actor, [(benchmark.repository_id, benchmark.path)]),
    }


def _set_or_first(
    repository: Repository, path: str, actor: Actor, filters: Filters
) -> dict[str, Any]:
    """The board of a suite; else the page of a benchmark that waits for its first model."""
    try:
        suite = find_suite(repository, path, actor)
    except NotFoundError:
        found = unmeasured(repository, path, actor)
        return {"first": found, "queue": queue_of(actor, [(repository.pk, path)])}
    return _set_context(set_board(suite, actor, filters=filters), actor)


def _set_context(board: SetBoard, actor: Actor) -> dict[str, Any]:
    measured = [each.benchmark for each in board.columns if each.benchmark]
    return {
        "set": board,
        "shown": shown_set(board),
        "queue": queue_of(actor, {(row.repository_id, row.path) for row in measured}),
    }


def _models(actor: Actor) -> list[str]:
    """Models that one may be thinking of, for the form."""
    if not actor.is_signed_in:
        return []
    rows = visible_repositories(actor).filter(kind=Kind.MODEL).order_by("-last_modified_at")
    return [row.repo_id for row in rows[:MODELS_OFFERED]]


@xframe_options_exempt
def _embedded(request: HttpRequest, repo: RepoId, path: str) -> HttpResponse:
    """The board as everybody sees it, whoever looks: another site shows it in a frame."""
    repository = get_repository(ANONYMOUS, repo)
    context = _board(request, repository, path, ANONYMOUS) | {"repository": repository}
    if "first" in context:
        raise NotFoundError(f"Nothing was measured with {path} yet.")
    theme = request.GET.get("theme", "")
    context["embed_theme"] = theme if theme in ("light", "dark") else "auto"
    response = render(request, "training/leaderboard_embed.html", context)
    response["Content-Security-Policy"] = EMBED_POLICY
    response["Cache-Control"] = "public, max-age=300"
    return response


def leaderboards_of(repository: Repository) -> int:
    """How many benchmark files of a data set have been measured."""
    if repository.kind != Kind.DATASET:
        return 0
    return Benchmark.objects.filter(repository=repository.pk).values("path").distinct().count()
