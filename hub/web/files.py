"""Files of a repository: folders, one file, history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from hub.actions import large_files
from hub.errors import HubError
from hub.formats.card import parse_card
from hub.formats.safetensors_header import read_header
from hub.gitstore import Entry
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Repository
from hub.policies import require_files
from hub.rendering import code_lines, render_markdown
from hub.web.tables import file_table

SHOWN_LIMIT_BYTES = 1024 * 1024
TENSORS_SHOWN = 500
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


def file_url(repository: Repository, view: str, revision: str, path: str) -> str:
    """The address of a file's page; a slash in the revision stays inside its segment."""
    tail = f"/{quote(path)}" if path else ""
    return f"/{repository.path}/{view}/{quote(revision, safe='')}{tail}"


def crumbs(repository: Repository, revision: str, path: str) -> list[tuple[str, str]]:
    """The folders above `path`, each (name, address)."""
    parts = path.split("/") if path else []
    found = [(repository.name, file_url(repository, "tree", revision, ""))]
    for depth, name in enumerate(parts, start=1):
        is_last = depth == len(parts)
        url = "" if is_last else file_url(repository, "tree", revision, "/".join(parts[:depth]))
        found.append((name, url))
    return found


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
    """One file: rendered or highlighted text, tensors of a checkpoint, or its facts."""
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
        **(
            file_table(request, repository, revision, context["oid"], entry)
            or _shown(repository, context["oid"], entry)
        ),
    }
    return render(request, "hub/file.html", context)


def _shown(repository: Repository, oid: str, entry: Entry) -> dict[str, Any]:
    """How the file is shown: `view` is markdown, code, tensors, large, binary or long."""
    if entry.name.endswith(".safetensors"):
        return _tensors(repository, oid, entry)
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


def _tensors(repository: Repository, oid: str, entry: Entry) -> dict[str, Any]:
    """The header of a safetensors file, or why it could not be read."""
    try:
        if entry.lfs is not None:
            stored = large_files.require_link(repository, entry.lfs.sha256)
            with repository.blobs().open(stored.sha256) as stream:
                header = read_header(stream, file_bytes=entry.size)
        else:
            with repository.store().open_blob(entry.oid) as stream:
                header = read_header(stream, file_bytes=entry.size)
    except HubError as error:
        return {"view": "tensors", "problem": str(error)}
    return {
        "view": "tensors",
        "header": header,
        "tensors": header.tensors[:TENSORS_SHOWN],
        "more_tensors": max(0, len(header.tensors) - TENSORS_SHOWN),
    }


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
