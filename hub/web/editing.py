"""Files written, moved and deleted in the browser."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from hub.actions import editing
from hub.actions.contents import head_of
from hub.actions.editing import EDIT_LIMIT_BYTES, ChangedMeanwhileError
from hub.errors import EntryNotFoundError, HubError, TooLargeError, UnauthenticatedError
from hub.formats.card import parse_card
from hub.formats.encodings import UTF_8, decoded
from hub.gitstore import Entry, FileDiff, GitStore
from hub.gitstore.diffing import diff_texts
from hub.gitstore.line_ends import with_line_ends_of
from hub.http.authentication import actor_of
from hub.http.mentions import render_card
from hub.http.pages import frame, repository_page
from hub.http.path_words import sentence_of
from hub.models import Repository
from hub.web.changing import CommitForm, Ground, done, ground_of, seen_oid

MARKDOWN = (".md", ".markdown")
LANGUAGES = {
    "md": "markdown", "markdown": "markdown", "yaml": "yaml", "yml": "yaml", "json": "json",
    "ipynb": "json", "py": "python", "jinja": "jinja", "jinja2": "jinja", "j2": "jinja",
}  # fmt: skip
FILES_NAMED = 20
# What no text has in any encoding of one, two or four bytes: controls other than breaks and tabs.


@dataclass
class Draft:
    """A text as its author has it: `old` is the file at the commit they began from."""

    path: str
    text: str
    old_path: str | None = None
    old: bytes | None = None

    def content(self) -> bytes:
        """What is written: line breaks as the file has them, forms send others."""
        text = self.text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace")
        return with_line_ends_of(self.old or b"", text)

    @property
    def is_changed(self) -> bool:
        return self.content() != (self.old or b"")

    @property
    def is_markdown(self) -> bool:
        return self.path.lower().endswith(MARKDOWN)

    def changes(self) -> FileDiff:
        return diff_texts(self.path, self.old, self.content())


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def edit(request: HttpRequest, repository: Repository, revision: str, path: str) -> HttpResponse:
    """The text of a file, and its path."""
    ground = ground_of(request, repository, revision)
    title = _("Update %(path)s") % {"path": path}
    form = CommitForm(ground, request.POST or None, title=title)
    store, oid = repository.store(), seen_oid(form)
    try:
        entry = store.entry(oid, path)
    except EntryNotFoundError:
        if request.method != "POST":
            raise
        # Deleted while its author wrote: they may put it there again.
        return _answer(request, ground, form, Draft(path, "", old_path=path))
    if entry.kind == "directory":
        return redirect(ground.url("tree", path))
    old, why_not = _text_at(repository, oid, path)
    if why_not:
        context = {
            "why_not": why_not,
            "upload_url": ground.url("upload", path.rpartition("/")[0]),
            "move_url": ground.url("move", path),
        }
        return _page(request, "hub/edit_refused.html", ground, path, context)
    draft = Draft(path, old.decode(), old_path=path, old=old)
    return _answer(request, ground, form, draft)


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def new_file(
    request: HttpRequest, repository: Repository, revision: str, path: str = ""
) -> HttpResponse:
    """A file that is not there yet, in the folder `path`."""
    ground = ground_of(request, repository, revision)
    folder = path.strip("/")
    given = request.POST.get("path", "") or request.GET.get("name", "")
    title = _("Add %(path)s") % {"path": given.strip("/") or _("a file")}
    form = CommitForm(ground, request.POST or None, title=title)
    draft = Draft(f"{folder}/" if folder else "", "")
    if request.method != "POST" and given:
        draft.path += given.strip("/")
    return _answer(request, ground, form, draft)


def _answer(request: HttpRequest, ground: Ground, form: CommitForm, draft: Draft) -> HttpResponse:
    """The page of a text, a look at it, or what became of it."""
    act = request.POST.get("do", "") if request.method == "POST" else ""
    said: dict[str, Any] = {}
    if request.method == "POST":
        draft.path = request.POST.get("path", "").strip().strip("/")
        draft.text = request.POST.get("text", "")
    if act == "save" and not draft.path:
        form.add_error(None, _("Say where the file goes: give it a path."))
    elif act == "save" and form.is_valid():
        try:
            made = editing.save_text(
                ground.repository,
                actor_of(request),
                form.aim(),
                path=draft.path,
                content=draft.content(),
                old_path=draft.old_path,
            )
            return done(request, ground, made, ground.url("blob", draft.path))
        except UnauthenticatedError:
            raise
        except ChangedMeanwhileError as error:
            said = _moved(ground, form, draft, error)
        except HubError as error:
            form.add_error(None, sentence_of(error))
    return _shown(request, ground, form, draft, act, said)


def _shown(
    request: HttpRequest,
    ground: Ground,
    form: CommitForm,
    draft: Draft,
    act: str,
    said: dict[str, Any],
) -> HttpResponse:
    context = frame(ground.repository, "files") | ground.context(draft.old_path or draft.path)
    context |= {"form": form, "draft": draft, "look": act} | said
    context |= {"metadata_url": ground.url("metadata"), "languages": json.dumps(LANGUAGES)}
    if act == "preview":
        card = parse_card(draft.content(), ground.repository.kind)
        context |= {"html": render_card(card.body), "broken": card.broken}
    elif act == "changes":
        context["diff"] = draft.changes()
    if act in ("preview", "changes") and request.htmx:  # type: ignore[attr-defined]
        return render(request, "hub/edit_look.html", context)
    refused = act == "save"
    return render(request, "hub/edit.html", context, status=422 if refused else 200)


def _moved(
    ground: Ground, form: CommitForm, draft: Draft, error: ChangedMeanwhileError
) -> dict[str, Any]:
    """What the others did, to be shown beside the text that was written meanwhile."""
    path = draft.old_path or draft.path
    theirs, _why = _text_at(ground.repository, error.head, path)
    form.look_at(error.head)
    return {"moved": error, "theirs": diff_texts(path, draft.old, theirs)}


def _text_at(repository: Repository, oid: str, path: str) -> tuple[bytes, str]:
    """The text of a file, or why it is none that can be edited."""
    store = repository.store()
    try:
        entry = store.entry(oid, path)
        if entry.lfs is not None:
            return b"", _why_beside_git(repository, entry)
        if entry.mode == "120000":
            return b"", _("It is a link to another file.")
        content = store.read(oid, path, limit_bytes=EDIT_LIMIT_BYTES)
    except TooLargeError:
        limit = EDIT_LIMIT_BYTES // 1024
        return b"", _("It has more than %(limit)s KiB.") % {"limit": limit}
    except EntryNotFoundError:
        return b"", ""
    why_not = _why_no_text(content)
    return (b"" if why_not else content), why_not


def _why_no_text(content: bytes) -> str:
    found = decoded(content)
    if found is None:
        return _("It is a binary file.")
    if found.encoding != UTF_8:  # saved as UTF-8 it would be another file
        told = {"encoding": found.encoding}
        return _("It is written in %(encoding)s, and the editor writes UTF-8 alone.") % told
    return ""


def _why_beside_git(repository: Repository, entry: Entry) -> str:
    """Small files lie there too: what is no UTF-8, and what `.gitattributes` names."""
    if entry.size > EDIT_LIMIT_BYTES:
        return _("It is a large file, kept outside git.")
    try:
        why_not = _why_no_text(head_of(repository, entry, EDIT_LIMIT_BYTES).content)
    except EntryNotFoundError:  # a pointer to what was never sent here
        why_not = ""
    return why_not or _("It is kept outside git, as large files are.")


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def move(request: HttpRequest, repository: Repository, revision: str, path: str) -> HttpResponse:
    """Another name or folder for a file or a folder."""
    ground, path = ground_of(request, repository, revision), path.strip("/")
    new_path = request.POST.get("new_path", "").strip()
    names = {"old": path, "new": new_path.strip("/")}
    form = CommitForm(ground, request.POST or None, title=_("Move %(old)s to %(new)s") % names)
    entry = repository.store().entry(seen_oid(form), path)
    if request.method == "POST" and form.is_valid():
        try:
            made = editing.move(
                repository, actor_of(request), form.aim(), path=path, new_path=new_path
            )
            view = "tree" if entry.kind == "directory" else "blob"
            return done(request, ground, made, ground.url(view, new_path.strip("/")))
        except UnauthenticatedError:
            raise
        except HubError as error:
            form.add_error(None, sentence_of(error))
    context = {"form": form, "entry": entry, "new_path": new_path or path}
    return _page(request, "hub/move.html", ground, path, context)


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def delete(request: HttpRequest, repository: Repository, revision: str, path: str) -> HttpResponse:
    """What goes with a file or folder, and the button that lets it go."""
    ground, path = ground_of(request, repository, revision), path.strip("/")
    title = _("Delete %(path)s") % {"path": path}
    form = CommitForm(ground, request.POST or None, title=title)
    store, oid = repository.store(), seen_oid(form)
    entry = store.entry(oid, path)
    if request.method == "POST" and form.is_valid():
        try:
            made = editing.remove(repository, actor_of(request), form.aim(), path=path)
            return done(request, ground, made, ground.url("tree", _left(store, made.oid, path)))
        except UnauthenticatedError:
            raise
        except HubError as error:
            form.add_error(None, sentence_of(error))
    files = editing.files_below(store, oid, path) if entry.kind == "directory" else [path]
    context = {
        "form": form,
        "entry": entry,
        "count": len(files),
        "files": files[:FILES_NAMED],
        "more": max(0, len(files) - FILES_NAMED),
    }
    return _page(request, "hub/delete.html", ground, path, context)


def _left(store: GitStore, oid: str, path: str) -> str:
    """The innermost folder above `path` that is still there; an emptied one is gone."""
    folder = path.rpartition("/")[0]
    while folder:
        try:
            store.entry(oid, folder)
        except EntryNotFoundError:
            folder = folder.rpartition("/")[0]
        else:
            break
    return folder


def _page(
    request: HttpRequest, template: str, ground: Ground, path: str, context: dict[str, Any]
) -> HttpResponse:
    context = frame(ground.repository, "files") | ground.context(path) | context
    return render(request, template, context, status=422 if request.method == "POST" else 200)
