"""Who wrote each line of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from hub.actions.contents import head_of
from hub.errors import TooLargeError
from hub.formats.encodings import UTF_16
from hub.gitstore import Entry
from hub.gitstore.blaming import BlamedLines
from hub.http.authentication import actor_of
from hub.http.pages import repository_page
from hub.models import Repository
from hub.policies import require_files
from hub.rendering import SanitisedHtml, code_lines
from hub.rendering.direction import has_marks
from hub.web.places import file_url, place

LIMIT_BYTES = 512 * 1024
LIMIT_LINES = 5000
LIMIT_SECONDS = 5.0


@dataclass(frozen=True)
class BlameRow:
    """One line; `blamed` where another commit begins. `path_url`: where it stood in that commit,
    if in a file of another path."""

    html: SanitisedHtml
    blamed: BlamedLines | None
    commit_url: str = ""
    path_url: str = ""
    before_url: str = ""


@repository_page()
def blame(request: HttpRequest, repository: Repository, revision: str, path: str) -> HttpResponse:
    """A file's lines, each with the commit that brought it; or in words why not."""
    require_files(actor_of(request), repository)
    path = path.strip("/")
    context = place(repository, revision, path, view="blame")
    entry = repository.store().entry(context["oid"], path)
    if entry.kind == "directory":
        return redirect(file_url(repository, "tree", revision, path))
    context |= {
        "entry": entry,
        "file_url": file_url(repository, "blob", revision, path),
        "raw_url": file_url(repository, "raw", revision, path),
        "history_url": file_url(repository, "commits", revision, path),
        **_blamed(repository, context["oid"], entry),
    }
    return render(request, "hub/blame.html", context)


def _blamed(repository: Repository, oid: str, entry: Entry) -> dict[str, Any]:
    if entry.lfs is not None:
        return {"refusal": _("Large files have no lines to tell of.")}
    if entry.size > LIMIT_BYTES:
        return {"refusal": _("This file is too large to be told line by line.")}
    head = head_of(repository, entry, LIMIT_BYTES)
    text = head.text
    if text is None:
        return {"refusal": _("A binary file has no lines to tell of.")}
    if head.encoding == UTF_16:  # git counts lines by bytes
        return {"refusal": _("Git tells no lines of a text in UTF-16.")}
    lines = code_lines(text, entry.name) if text else []
    if len(lines) > LIMIT_LINES:
        return {"refusal": _("This file has too many lines to tell of each.")}
    try:
        runs = repository.store().blame(oid, entry.path, seconds=LIMIT_SECONDS)
    except TooLargeError:
        return {"refusal": _("The history of this file is too long to be told line by line.")}
    told = {"encoding": head.encoding, "has_marks": has_marks(text)}
    return {"rows": _rows(repository, entry.path, lines, runs)} | told


def _rows(
    repository: Repository, path: str, lines: list[SanitisedHtml], runs: list[BlamedLines]
) -> list[BlameRow]:
    first = {run.start: run for run in runs}
    rows: list[BlameRow] = []
    present = ("", "")
    for number, html in enumerate(lines, start=1):
        run = first.get(number)
        if run is None or (run.oid, run.path) == present:
            rows.append(BlameRow(html, None))
            continue
        present = run.oid, run.path
        is_moved = run.path not in ("", path)
        rows.append(
            BlameRow(
                html,
                run,
                commit_url=f"/{repository.path}/commit/{run.oid}",
                path_url=file_url(repository, "blob", run.oid, run.path) if is_moved else "",
                before_url=file_url(repository, "blame", run.before, run.before_path)
                if run.before_path
                else "",
            )
        )
    return rows
