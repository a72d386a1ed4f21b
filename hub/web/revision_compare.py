"""The page that puts two revisions side by side: /-/compare-revisions?a=…&b=…"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hub.actions.revision_compare import (
    FILES_SHOWN,
    TEXT_CHARACTERS,
    file_changes,
    read_side,
    settings_changes,
    tensor_changes,
    tokenizer_change,
)
from hub.errors import HubError
from hub.extensions import ComparedSide, registries
from hub.http.authentication import actor_of
from hub.http.changes import changed_files
from hub.models import Kind
from hub.policies import Actor, visible_repositories
from hub.web.config_words import meaning
from hub.web.places import file_url

OFFERED = 40
DIFF_LIMIT_BYTES = 256 * 1024


@require_safe
def compare_revisions(request: HttpRequest) -> HttpResponse:
    """GET /-/compare-revisions?a=namespace/name@revision&b=…; `part=files` with the lines.

    A side that cannot be read is told beside its field: as one that is not there, where the
    reader may not see it.
    """
    actor = actor_of(request)
    texts = {name: request.GET.get(name, "").strip()[:TEXT_CHARACTERS] for name in ("a", "b")}
    sides, problems = _sides(actor, texts)
    context: dict[str, Any] = {
        "texts": texts,
        "problems": problems,
        "offered": _offered(actor),
        "swapped": urlencode({"a": texts["b"], "b": texts["a"]}),
        "query": urlencode(texts),
        "part": request.GET.get("part", ""),
    }
    if len(sides) == 2:
        with_lines = context["part"] == "files"
        context |= _compared(actor, sides["a"], sides["b"], with_lines=with_lines)
        if with_lines:
            only = request.GET.get("file", "")
            context["changes"] = changed_files(context["diffs"], only, part="files", **texts)
    return render(request, "hub/compare_revisions.html", context)


def _sides(actor: Actor, texts: dict[str, str]) -> tuple[dict[str, ComparedSide], dict[str, str]]:
    sides, problems = {}, {}
    for name, text in texts.items():
        try:
            if text:
                sides[name] = read_side(actor, text)
        except HubError as error:
            problems[name] = str(error)
    return sides, problems


def _compared(
    actor: Actor, base: ComparedSide, candidate: ComparedSide, *, with_lines: bool
) -> dict[str, Any]:
    sides = [
        {"side": side, "url": file_url(side.repository, "tree", side.revision, "")}
        for side in (base, candidate)
    ]
    limits = {"limit_files": FILES_SHOWN, "limit_bytes": DIFF_LIMIT_BYTES if with_lines else 0}
    diffs = file_changes(base, candidate, **limits)
    context: dict[str, Any] = {"sides": sides, "diffs": diffs, "is_cut": len(diffs) >= FILES_SHOWN}
    if with_lines:
        return context
    if {base.repository.kind, candidate.repository.kind} == {Kind.MODEL}:
        context |= {
            "settings": [_explained(each) for each in settings_changes(base, candidate)],
            "tokenizer": tokenizer_change(base, candidate),
            "tensors": tensor_changes(base, candidate),
        }
    panels = [(each, each.context(actor, base, candidate)) for each in registries.comparison_panels]
    context["panels"] = [(each, held) for each, held in panels if held]
    return context


def _explained(change: Any) -> dict[str, Any]:
    keys = [(each, meaning(change.path, each.key)) for each in change.keys]
    return {"path": change.path, "keys": keys, "more": change.more, "problem": change.problem}


def _offered(actor: Actor) -> list[str]:
    rows = visible_repositories(actor).filter(kind=Kind.MODEL).order_by("-last_modified_at")
    return [row.repo_id for row in rows[:OFFERED]]
