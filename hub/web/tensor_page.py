"""The tensor explorer: modules of a checkpoint, one level at a time, and one tensor's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from hub.actions.tensor_heads import Head, format_of, head_at, whole_of
from hub.errors import EntryNotFoundError, ForbiddenError, UnauthenticatedError
from hub.extensions import TensorPlace, TensorStatistics, registries
from hub.formats.module_tree import HeadTensor, Module
from hub.gitstore import Entry
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Repository
from hub.policies import require_files
from hub.web.gguf_words import metadata_rows
from hub.web.places import crumbs, file_url

ROWS_AT_ONCE = 80  # of modules and tensors; deeper levels come when they are opened
ROWS_A_LEVEL = 80
LEVELS_AT_ONCE = 2
FOUND_SHOWN = 200
FILTER_CHARACTERS = 200


@dataclass(frozen=True)
class ModuleRow:
    """A module with what lies in it, or, where that comes later, only its sums."""

    module: Module
    share: float
    url: str
    level: Level | None


@dataclass(frozen=True)
class TensorRow:
    tensor: HeadTensor
    label: str
    share: float
    url: str


@dataclass(frozen=True)
class Level:
    """What lies directly in a module; `more_url` leads to what did not fit."""

    modules: Sequence[ModuleRow]
    tensors: Sequence[TensorRow]
    more: int = 0
    more_url: str = ""


class Explorer:
    """Rows of one head, with their addresses below `url`."""

    def __init__(self, head: Head, url: str) -> None:
        self.root, self.url = Module("", head.tensors), url
        self.total = max(1, self.root.size_bytes)
        self.left = ROWS_AT_ONCE

    def level(self, path: str, skip: int = 0) -> Level:
        """The level of the module at `path`, with the levels below it while rows are left."""
        return self._level(self.root.within(path), skip, 0)

    def found(self, words: str) -> tuple[list[TensorRow], int]:
        """Tensors whose names hold all words, and how many there are."""
        wanted = words.lower().split()
        rows = [
            each for each in self.root.tensors if all(word in each.name.lower() for word in wanted)
        ]
        return [self._tensor(each, "") for each in rows[:FOUND_SHOWN]], len(rows)

    def address(self, **query: str | int) -> str:
        return f"{self.url}?{urlencode(query)}"

    def _level(self, module: Module, skip: int, depth: int) -> Level:
        modules, own = module.modules, module.own
        rows: list[Module | HeadTensor] = [*modules, *own]
        some = rows[skip : skip + ROWS_A_LEVEL]
        self.left -= len(some)
        more = len(rows) - skip - len(some)
        following: dict[str, str | int] = {"in": module.path, "skip": skip + ROWS_A_LEVEL}
        return Level(
            [self._module(each, depth) for each in some if isinstance(each, Module)],
            [self._tensor(each, module.path) for each in some if isinstance(each, HeadTensor)],
            more,
            self.address(**following) if more else "",
        )

    def _module(self, module: Module, depth: int) -> ModuleRow:
        rows = len(module.modules) + len(module.own)
        # What has few rows is worth opening at once: the trunk, not each of its layers.
        is_open = rows <= self.left and depth < LEVELS_AT_ONCE
        level = self._level(module, 0, depth + 1) if is_open else None
        share = 100 * module.size_bytes / self.total
        return ModuleRow(module, share, self.address(**{"in": module.path}), level)

    def _tensor(self, tensor: HeadTensor, inside: str) -> TensorRow:
        label = tensor.name[len(inside) + 1 :] if inside else tensor.name
        share = 100 * tensor.size_bytes / self.total
        return TensorRow(tensor, label, share, self.address(tensor=tensor.name) + "#tensor")


# What the templates find where nothing was read, or nothing was searched for.
NOTHING: dict[str, Any] = dict.fromkeys(
    ("root", "dtypes", "metadata", "words", "inside", "above", "level", "found", "found_count",
     "whole_url", "tensor")
)  # fmt: skip


def is_shown(entry: Entry) -> bool:
    return bool(format_of(entry.name))


def file_context(place: Any) -> dict[str, Any]:
    """What the page of a file shows of its tensors."""
    url = file_url(place.repository, "tensors", place.revision, place.entry.path)
    head = head_at(place.repository, place.oid, place.entry.path)
    return explored(head, url, place.request.GET) | {
        "whole_url": _whole_url(place.repository, place.revision, place.oid, place.entry.path)
    }


def explored(head: Head, url: str, query: QueryDict) -> dict[str, Any]:
    """The explorer of a head: sums, and the level, the search or the tensor that is asked for."""
    context: dict[str, Any] = {"head": head, "url": url, **NOTHING}
    if head.problem or head.is_coming:
        return context
    explorer = Explorer(head, url)
    words = query.get("q", "").strip()[:FILTER_CHARACTERS]
    path = query.get("in", "")[: FILTER_CHARACTERS * 3]
    context |= {
        "root": explorer.root,
        "dtypes": [
            (name, count, 100 * count / max(1, explorer.root.parameters))
            for name, count in explorer.root.dtypes
        ],
        "metadata": metadata_rows(head),
        "words": words,
        "inside": path,
        "above": _above(explorer, path),
    }
    if words:
        context["found"], context["found_count"] = explorer.found(words)
    else:
        context["level"] = explorer.level(path, _number(query.get("skip", "")))
    return context


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0


def _above(explorer: Explorer, path: str) -> list[tuple[str, str]]:
    """The modules that lead to `path`, each (name, address)."""
    parts = path.split(".") if path else []
    return [
        (name, explorer.address(**{"in": ".".join(parts[: depth + 1])}))
        for depth, name in enumerate(parts[:24])
    ]


def _whole_url(repository: Repository, revision: str, oid: str, path: str) -> str:
    whole = whole_of(repository, oid, path)
    return file_url(repository, "blob", revision, whole) if whole else ""


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
@repository_page()
def tensors(request: HttpRequest, repository: Repository, revision: str, path: str) -> HttpResponse:
    """Tensors of a file: a level (`?in=`), a search (`?q=`), one tensor (`?tensor=`).

    POST asks a worker for the numbers of one tensor.
    """
    actor = actor_of(request)
    require_files(actor, repository)
    oid = repository.store().resolve(revision)
    if not format_of(path):
        raise EntryNotFoundError(f"{path} holds no tensors that are read here.")
    url = file_url(repository, "tensors", revision, path)
    if request.method == "POST":
        if actor.person is None:
            raise UnauthenticatedError("Sign in to have tensors read.")
        if actor.token is not None:
            raise ForbiddenError("Tensors are asked for in the browser.")
    head = head_at(repository, oid, path)
    context = explored(head, url, request.GET)
    name = (request.POST if request.method == "POST" else request.GET).get("tensor", "")
    context |= _one(request, repository, head, name) if name else {}
    if request.method == "POST" and not request.headers.get("HX-Request"):
        return redirect(f"{url}?{urlencode({'tensor': name})}#tensor")
    if request.headers.get("HX-Request"):
        return render(request, _fragment(request, name), context)
    return render(
        request,
        "hub/tensors_page.html",
        frame(repository, "files")
        | context
        | {
            "revision": revision,
            "path": path,
            "file_crumbs": crumbs(repository, revision, path),
            "file_url": file_url(repository, "blob", revision, path),
            "resolve_url": file_url(repository, "resolve", revision, path),
            "whole_url": _whole_url(repository, revision, oid, path),
        },
    )


def _fragment(request: HttpRequest, name: str) -> str:
    if name:
        return "hub/tensor.html"
    if "in" in request.GET:
        return "hub/tensor_level.html"
    return "hub/tensor_tree.html" if "q" in request.GET else "hub/tensor_explorer.html"


def _one(request: HttpRequest, repository: Repository, head: Head, name: str) -> dict[str, Any]:
    """One tensor, and what a worker has found in it. Raises: EntryNotFoundError."""
    tensor = head.find(name)
    if tensor is None:
        raise EntryNotFoundError(f"There is no tensor {name[:200]} here.")
    place = TensorPlace(head.entries[tensor.file], tensor.name)
    asked_by = actor_of(request).person if request.method == "POST" else None
    known = registries.tensor_statistics(repository, place, asked_by)
    drawn: dict[str, Any] = {"tensor": tensor, "known": known}
    if isinstance(known, TensorStatistics) and known.told is not None:
        drawn["quantiles"] = list(zip(QUANTILE_NAMES, known.told.quantiles, strict=False))
        drawn["series"] = (known.told.histogram,)
        drawn["names"] = (tensor.dtype,)
    return drawn


QUANTILE_NAMES = ("0 %", "1 %", "5 %", "25 %", "50 %", "75 %", "95 %", "99 %", "100 %")
