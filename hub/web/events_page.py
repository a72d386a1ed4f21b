"""TensorBoard's event files as charts: a curve a run, one chart a tag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hub.actions.event_runs import EventRun, below, beside, is_events, runs_of
from hub.formats.tfevents import smoothed, thin
from hub.gitstore import Entry
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Repository
from hub.policies import require_files
from hub.web.places import crumbs, file_url

POINTS_SHOWN = 120
SERIES_A_PAGE = 16
SMOOTHINGS = (0.0, 0.6, 0.9, 0.99)


def is_shown(entry: Entry) -> bool:
    return is_events(entry.name)


def file_context(place: Any) -> dict[str, Any]:
    """The curves of a file, with those of the files beside it."""
    entries = beside(place.repository, place.oid, place.entry)
    folder = place.entry.path.rpartition("/")[0]
    runs = runs_of(place.repository, place.oid, entries)
    return charts(runs, place.request.GET) | {
        "folder_url": file_url(place.repository, "events", place.revision, folder)
    }


def charts(runs: Sequence[EventRun], query: QueryDict) -> dict[str, Any]:
    """A chart a tag, paged (`?page=`), found by name (`?q=`), smoothed (`?smooth=`)."""
    word = query.get("q", "").strip()[:100]
    weight = next((each for each in SMOOTHINGS if str(each) == query.get("smooth")), 0.0)
    told = [(run.label, run.told) for run in runs if run.told is not None]
    tags = sorted({line["tag"] for _label, each in told for line in each["series"]})
    wanted = [tag for tag in tags if word.casefold() in tag.casefold()]
    per_page = max(1, SERIES_A_PAGE // max(1, len(told)))
    page = Paginator(wanted, per_page).get_page(query.get("page"))
    return {
        "runs": runs,
        "is_coming": any(run.told is None and not run.problem for run in runs),
        "problems": [(run.path, run.problem) for run in runs if run.problem],
        "ends": [
            (run.path, run.told["end"]) for run in runs if run.told and run.told["end"] != "whole"
        ],
        "not_finite": sum(each["not_finite"] for _label, each in told),
        "page": page,
        "pages_query": urlencode({"q": word, "smooth": weight}),
        "word": word,
        "smoothings": [(each, each == weight) for each in SMOOTHINGS],
        "tag_count": len(tags),
        "charts": [
            {"tag": tag, "id": f"tag-{number}", "series": _series(told, tag, weight)}
            for number, tag in enumerate(page.object_list)
        ],
    }


def _series(
    told: Sequence[tuple[str, dict[str, Any]]], tag: str, weight: float
) -> list[dict[str, Any]]:
    found = []
    for label, each in told:
        for line in each["series"]:
            if line["tag"] == tag:
                points = [(step, value) for step, value in line["points"]]
                points = smoothed(points, weight) if weight else points
                found.append({"label": label, "points": _short(thin(points, POINTS_SHOWN))})
    return found


def _short(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Six digits are more than a chart shows."""
    return [(step, float(f"{value:.6g}")) for step, value in points]


@require_safe
@repository_page()
def events(
    request: HttpRequest, repository: Repository, revision: str, path: str = ""
) -> HttpResponse:
    """All runs below a folder, one over the other."""
    require_files(actor_of(request), repository)
    oid = repository.store().resolve(revision)
    entries, more = below(repository, oid, path.strip("/"))
    context = frame(repository, "files") | {
        "revision": revision,
        "path": path,
        "file_crumbs": crumbs(repository, revision, path.strip("/")),
        "shown": charts(runs_of(repository, oid, entries), request.GET),
        "more_runs": more,
    }
    return render(request, "hub/events_page.html", context)
