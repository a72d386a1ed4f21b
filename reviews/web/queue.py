"""The merge queue as pages show it: a pull request's place, and the queue of a branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Access, Repository
from reviews.actions.queue_said import reason_sentence, waits_sentence
from reviews.actions.queue_step import needs_weights
from reviews.actions.queueing import is_ready, may_leave
from reviews.actions.requirements import Checklist, checklist
from reviews.actions.weights import sides_of
from reviews.actions.weights_said import METHODS_SAID
from reviews.models import Discussion, QueueEntry, QueueState

SETTLED_SHOWN = 10


@dataclass(frozen=True)
class Place:
    """An entry of a queue: `position` counts from 1, `waits` says for what; or why it ended."""

    entry: QueueEntry
    position: int | None
    waits: str

    @property
    def reason(self) -> str:
        return reason_sentence(self.entry.reason)

    @property
    def method(self) -> Any:
        """How weights are merged that the target moves too, in words."""
        choice = self.entry.weights
        return METHODS_SAID.get(choice["method"], choice["method"]) if choice else ""


def places_of(repository: Repository, branch: str) -> list[QueueEntry]:
    """The live entries of a branch's queue, in order."""
    rows = QueueEntry.objects.of(repository.pk, branch).live()
    found = list(rows.select_related("pull_request__author", "by"))
    for entry in found:
        entry.pull_request.repository = repository
    return found


def place_in(line: list[QueueEntry], index: int, found: Checklist | None) -> Place:
    """What the entry at `index` waits for; `found` is the checklist of the first one."""
    if index:
        told = _("Behind #%(number)d.") % {"number": line[index - 1].pull_request.number}
    elif found is None or line[0].state == QueueState.WAITING:
        told = _("A worker takes it up in a moment.")
    elif needs_weights(line[0].pull_request.repository, found.change):
        told = _("Its weights are being merged.")
    else:
        told = waits_sentence([str(each.label) for each in found.blocking])
    return Place(line[index], index + 1, told)


def queue_box(request: HttpRequest, row: Discussion, found: Checklist | None) -> dict[str, Any]:
    """What the merge box says of the queue; {} of a pull request that is decided."""
    if found is None:
        return {}
    line = places_of(row.repository, row.target_branch)
    index = next((i for i, each in enumerate(line) if each.pull_request_id == row.pk), None)
    box: dict[str, Any] = {"length": len(line)}
    if index is not None:
        place = place_in(line, index, found)
        return box | {"place": place, "may_leave": may_leave(place.entry, actor_of(request))}
    box["lost"] = _lost(row)
    if row.repository.may(Access.WRITE) and is_ready(row.repository, found):
        must = needs_weights(row.repository, found.change)
        box |= {
            "is_offered": bool(line) or not found.is_met,
            "must_choose": must,
            "may_choose": not must and sides_of(row.repository, found.change) is not None,
            "methods": list(METHODS_SAID.items()),
        }
    return box


def _lost(row: Discussion) -> Place | None:
    """The place that this very version was ejected from, if it was."""
    last = QueueEntry.objects.settled().filter(pull_request=row).first()
    if last is None or last.state != QueueState.EJECTED or last.head_oid != row.head_oid:
        return None
    return Place(last, None, "")


@require_safe
@repository_page()
def queue_page(request: HttpRequest, repository: Repository) -> HttpResponse:
    """The queue of `branch`, in order, and what has left it lately."""
    branch = request.GET.get("branch") or repository.default_branch
    line = places_of(repository, branch)
    found = checklist(line[0].pull_request) if line else None
    settled = QueueEntry.objects.of(repository.pk, branch).settled()
    ended = list(settled.select_related("pull_request", "by")[:SETTLED_SHOWN])
    for entry in ended:
        entry.pull_request.repository = repository
    live = QueueEntry.objects.live().filter(pull_request__repository=repository)
    names = set(live.values_list("pull_request__target_branch", flat=True))
    context = {
        "branch": branch,
        "branches": sorted(names | {branch, repository.default_branch}),
        "places": [place_in(line, index, found) for index in range(len(line))],
        "ended": [Place(entry, None, "") for entry in ended],
    }
    return render(request, "reviews/queue.html", frame(repository, "discussions") | context)
