"""Files of a repository: folders, one file, history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from hub.formats.card import parse_card
from hub.gitstore import Entry
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Repository
from hub.policies import require_files
from hub.rendering import code_lines, render_markdown
from hub.web.addresses import crumbs, file_url
from hub.web.viewers import Place, viewed

SHOWN_LIMIT_BYTES = 1024 * 1024
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


def listing(repository: Repository, oid: str, path: str, revision: str = "") -> list[FileRow]:
    """The children of a folder, folders first, each with its last commit."""
    store = repository.store()
    last = store.last_commits(oid, path)
    revision = revision or repository.default_branch
    rows = []
    for entry in store.tree(oid, path):
        commit = last.get(entry.path)
        view = "tree" if entry.kind == "directory" else "blob"
        rows.append(
            FileRow(
                name=entry.name,
                url=file_url(repository, view, revision, entry.path),
                is_folder=entry.kind == "directory",
                is_large=entry.lfs is not None,
                size_bytes=entry.size,
                message=commit.subject if commit else "",
                message_url=f"/{repository.path}/commit/{commit.oid}" if commit else "",
                changed_at=commit.committed_at if commit else None,
            )
        )
    return sorted(rows, key=lambda row: (not row.is_folder, row.name.lower()))


def _place(repository: Repository, revision: str, path: str) -> dict[str, Any]:
    """What every page below the Files tab knows."""
    store = repository.store()
    oid = store.resolve(revision)
    names = [ref for ref in store.refs() if ref.name.startswith(("refs/heads/", "refs/tags/"))]
    return frame(repository, "files") | {
        "revision": revision,
        "oid": oid,
        "path": path,
        "file_crumbs": crumbs(repository, revision, path),
        "branches": [ref.short_name for ref in names],
    }


@repository_page()
def folder(
    request: HttpRequest, repository: Repository, revision: str, path: str = ""
) -> HttpResponse:
    """The files of a folder at a revision."""
    path = path.strip("/")
    context = _place(repository, revision, path)
    if path and repository.store().entry(context["oid"], path).kind != "directory":
        return redirect(file_url(repository, "blob", revision, path))
    context["files"] = listing(repository, context["oid"], path, revision)
    context["last"] = repository.store().commit_info(context["oid"])
    return render(request, "hub/folder.html", context)


@repository_page()
def file(request: HttpRequest, repository: Repository, revision: str, path: str) -> HttpResponse:
    """One file: by the viewer of its format, as rendered or highlighted text, or its facts."""
    require_files(actor_of(request), repository)
    context = _place(repository, revision, path)
    entry = repository.store().entry(context["oid"], path)
    if entry.kind == "directory":
        return redirect(file_url(repository, "tree", revision, path))
    commits = repository.store().commits(context["oid"], limit=1, path=path)
    context |= {
        "entry": entry,
        "resolve_url": file_url(repository, "resolve", revision, path),
        "raw_url": file_url(repository, "raw", revision, path),
        "permalink": file_url(repository, "blob", context["oid"], path),
        "history_url": file_url(repository, "commits", revision, path),
        "last": commits[0] if commits else None,
    }
    viewer = viewed(Place(request, repository, revision, context["oid"], entry)) or {}
    context |= viewer if "view" in viewer else _shown(repository, context["oid"], entry) | viewer
    return render(request, "hub/file.html", context)


def _shown(repository: Repository, oid: str, entry: Entry) -> dict[str, Any]:
    """How the file is shown: `view` is markdown, code, large, binary or long."""
    if entry.lfs is not None:
        return {"view": "large"}
    if entry.size > SHOWN_LIMIT_BYTES:
        return {"view": "long"}
    content = repository.store().read(oid, entry.path, limit_bytes=SHOWN_LIMIT_BYTES)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return {"view": "binary"}
    if "\x00" in text:
        return {"view": "binary"}
    if entry.name.lower().endswith((".md", ".markdown")):
        card = parse_card(text, repository.kind)
        return {"view": "markdown", "html": render_markdown(card.body), "broken": card.broken}
    return {"view": "code", "lines": code_lines(text, entry.name)}


@repository_page()
def history(
    request: HttpRequest, repository: Repository, revision: str, path: str = ""
) -> HttpResponse:
    """The commits that lead to a revision, newest first."""
    context = _place(repository, revision, path)
    store, oid = repository.store(), context["oid"]
    total = store.count_commits(oid, path=path)
    page = Paginator(range(total), COMMITS_A_PAGE).get_page(request.GET.get("page"))
    skip = page.start_index() - 1 if total else 0
    context |= {
        "page": page,
        "commits": store.commits(oid, skip=skip, limit=COMMITS_A_PAGE, path=path),
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
    context = frame(repository, "files") | {
        "commit": info,
        "diffs": store.diff(parent, full),
        "tree_url": file_url(repository, "tree", full, ""),
    }
    return render(request, "hub/commit.html", context)
