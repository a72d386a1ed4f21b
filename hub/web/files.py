"""Files of a repository: folders, one file, history."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from hub.actions.contents import head_of
from hub.actions.file_texts import FileTexts
from hub.errors import EntryNotFoundError
from hub.formats.card import parse_card
from hub.gitstore import Entry, GitStore
from hub.http.authentication import actor_of
from hub.http.changes import changed_files
from hub.http.mentions import render_card, render_message
from hub.http.pages import frame, repository_page, with_players
from hub.models import Repository
from hub.policies import file_access, require_files
from hub.rendering.direction import in_order
from hub.web import viewers
from hub.web.model_viewers import Place, viewed
from hub.web.places import file_url, place
from hub.web.scan_badges import Badge, badges
from hub.web.tables import file_table
from hub.web.viewers import WITH_SOURCE

SHOWN_LIMIT_BYTES = README_LIMIT_BYTES = 1024 * 1024
FILES_A_PAGE = 100
COMMITS_A_PAGE = 30


@dataclass(frozen=True)
class FileRow:
    """One line of a folder's listing."""

    name: str
    url: str
    is_folder: bool
    is_large: bool
    size_bytes: int
    message: str
    message_url: str
    changed_at: datetime | None
    badge: Badge | None = None


def listing(
    repository: Repository,
    oid: str,
    path: str,
    revision: str = "",
    *,
    entries: list[Entry] | None = None,
    store: GitStore | None = None,
) -> list[FileRow]:
    """The children of a folder, or those of `entries`, folders first, each with its last commit."""
    store = store or repository.store()
    last = store.last_commits(oid, path)
    revision = revision or repository.default_branch
    if entries is None:
        entries = store.folder(oid, path, limit=FILES_A_PAGE).entries
    scanned = badges(repository, oid, path, entries)
    folders = file_url(repository, "tree", revision, "")
    files = file_url(repository, "blob", revision, "")
    changes = f"/{repository.path}/commit"
    rows = []
    for entry in entries:
        commit = last.get(entry.path)
        above = folders if entry.kind == "directory" else files
        rows.append(
            FileRow(
                name=entry.name,
                url=f"{above}/{quote(entry.path)}",
                is_folder=entry.kind == "directory",
                is_large=entry.lfs is not None,
                size_bytes=entry.size,
                message=in_order(commit.subject) if commit else "",
                message_url=f"{changes}/{commit.oid}" if commit else "",
                changed_at=commit.committed_at if commit else None,
                badge=scanned.get(entry.path),
            )
        )
    return rows


@repository_page()
@with_players
def folder(
    request: HttpRequest, repository: Repository, revision: str, path: str = ""
) -> HttpResponse:
    """The files of a folder at a revision."""
    path = path.strip("/")
    context = place(repository, revision, path, view="tree")
    store, oid = context["store"], context["oid"]
    if path and store.entry(oid, path).kind != "directory":
        return redirect(file_url(repository, "blob", revision, path))
    start = (_page_number(request) - 1) * FILES_A_PAGE
    found = store.folder(oid, path, start=start, limit=FILES_A_PAGE)
    pages = Paginator(range(found.total), FILES_A_PAGE)
    context |= {
        "found": found,
        "page": pages.get_page(_page_number(request)),
        "files": listing(repository, oid, path, revision, entries=found.entries, store=store),
        # Of all of them, or nothing is said.
        "total_bytes": sum(each.size for each in found.entries),
        "is_all": found.total <= FILES_A_PAGE,
        "last": store.commit_info(oid),
        "commits": store.count_commits(oid),
        "history_url": file_url(repository, "commits", revision, path),
        "archive_url": file_url(repository, "archive", revision, path),
        "readme": _readme(request, repository, oid, revision, path, found.entries),
    }
    return render(request, "hub/folder.html", context)


def _page_number(request: HttpRequest) -> int:
    text = request.GET.get("page", "")
    return max(1, int(text)) if text.isdecimal() and len(text) < 8 else 1


def _readme(
    request: HttpRequest,
    repository: Repository,
    oid: str,
    revision: str,
    path: str,
    entries: list[Entry],
) -> dict[str, Any] | None:
    """The folder's README as HTML, for those who may read files."""
    found = next((each for each in entries if each.name.lower() == "readme.md"), None)
    if found is None or found.lfs or found.kind != "file" or found.size > README_LIMIT_BYTES:
        return None
    if not file_access(actor_of(request), repository).allows:
        return None
    text = repository.store().read(oid, found.path, limit_bytes=README_LIMIT_BYTES)
    card = parse_card(text.decode("utf-8", "replace"), repository.kind)
    link = viewers.linker(repository, revision)
    html = render_card(card.body, link=link, folder=path)
    return {
        "name": found.name,
        "html": html,
        "url": file_url(repository, "blob", revision, found.path),
    }


@repository_page()
@with_players
def file(request: HttpRequest, repository: Repository, revision: str, path: str) -> HttpResponse:
    """One file: rendered or highlighted text, tensors of a checkpoint, or its facts."""
    require_files(actor_of(request), repository)
    path = path.strip("/")
    context = place(repository, revision, path, view="blob")
    store, oid = context["store"], context["oid"]
    entry = store.entry(oid, path)
    if entry.kind == "directory":
        return redirect(file_url(repository, "tree", revision, path))
    is_plain = "plain" in request.GET
    shown = (
        viewers.plain(repository, entry, request.GET.get("page"))
        if is_plain
        else _shown(Place(request, repository, revision, oid, entry))
    )
    context |= {
        "entry": entry,
        "resolve_url": file_url(repository, "resolve", revision, path),
        "raw_url": file_url(repository, "raw", revision, path),
        "history_url": file_url(repository, "commits", revision, path),
        "blame_url": file_url(repository, "blame", revision, path),
        "last": store.last_commit(oid, path),
        "is_plain": is_plain,
        "badge": badges(repository, oid, posixpath.dirname(path), [entry]).get(path),
        **shown,
    }
    has_text = shown.get("has_source") or shown["view"] in WITH_SOURCE
    context["has_source"] = is_plain or has_text
    context["has_blame"] = entry.lfs is None and (has_text or shown["view"] == "code")
    return render(request, "hub/file.html", context)


def _shown(place: Place) -> dict[str, Any]:
    """How the file is shown: `view` names a template in `hub/viewers`."""
    repository, entry = place.repository, place.entry
    if (viewer := viewed(place)) is not None:
        return viewer
    table = file_table(place.request, repository, place.revision, place.oid, entry)
    if table is not None:
        return table
    link = viewers.linker(repository, place.revision)
    if (found := viewers.special(repository, entry, link)) is not None:
        return found
    if entry.name.lower().endswith((".md", ".markdown")) and entry.size <= SHOWN_LIMIT_BYTES:
        return _markdown(repository, entry, link)
    return viewers.plain(repository, entry, place.request.GET.get("page"))


def _markdown(repository: Repository, entry: Entry, link: Any) -> dict[str, Any]:
    try:
        head = head_of(repository, entry, SHOWN_LIMIT_BYTES)
    except EntryNotFoundError:
        return {"view": "missing"}
    if head.text is None:
        return viewers.plain(repository, entry, None)
    if not head.text.strip():
        return {"view": "nothing"}
    card = parse_card(head.text, repository.kind)
    html = render_card(card.body, link=link, folder=posixpath.dirname(entry.path))
    return {"view": "markdown", "html": html, "broken": card.broken, "encoding": head.encoding}


@repository_page()
def history(
    request: HttpRequest, repository: Repository, revision: str, path: str = ""
) -> HttpResponse:
    """The commits that lead to a revision, newest first."""
    context = place(repository, revision, path.strip("/"), view="commits")
    store, oid = repository.store(), context["oid"]
    path = context["path"]
    total = store.count_commits(oid, path=path)
    page = Paginator(range(total), COMMITS_A_PAGE).get_page(request.GET.get("page"))
    skip = page.start_index() - 1 if total else 0
    commits = store.commits(oid, skip=skip, limit=COMMITS_A_PAGE, path=path)
    is_end = bool(path and commits) and not page.has_next()
    origin = store.moved_from(commits[-1].oid, path) if is_end else None
    context |= {
        "page": page,
        "commits": commits,
        "origin": origin,
        "origin_url": file_url(repository, "commits", origin.oid, origin.path) if origin else "",
    }
    return render(request, "hub/history.html", context)


@repository_page()
def commit(request: HttpRequest, repository: Repository, oid: str) -> HttpResponse:
    """One commit and what it changed."""
    require_files(actor_of(request), repository)
    store = repository.store()
    full = store.resolve(oid)
    info = store.commit_info(full)
    parent = info.parents[0] if info.parents else None
    diffs = store.diff(parent, full, text_of=FileTexts(repository))
    context = frame(repository, "files") | {
        "commit": info,
        "body": render_message(info.body) if info.body else "",
        "changes": changed_files(diffs, request.GET.get("file", "")),
        "parents": [
            (each, f"{repository.get_absolute_url()}/commit/{each}") for each in info.parents
        ],
        "tree_url": file_url(repository, "tree", full, ""),
    }
    return render(request, "hub/commit.html", context)
