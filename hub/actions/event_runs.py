"""TensorBoard's event files of a folder as runs: what each logged."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.actions.readings import readings_of
from hub.gitstore import Entry
from hub.models import Repository

RUNS_LIMIT = 8
ENTRIES_LOOKED_AT = 5000
MARK = "tfevents"


@dataclass(frozen=True)
class EventRun:
    """One event file. `label` is what tells it from the others; `told` is None while it is read."""

    label: str
    path: str
    told: dict[str, Any] | None
    problem: str


def is_events(name: str) -> bool:
    return MARK in name


def runs_of(repository: Repository, oid: str, entries: Sequence[Entry]) -> list[EventRun]:
    """The runs of some event files, each with what its reading tells."""
    some = entries[:RUNS_LIMIT]
    found = readings_of(repository, oid, some, "events")
    return [
        EventRun(label, entry.path, each.told, each.problem)
        for label, entry, each in zip(labels(some), some, found, strict=True)
    ]


def beside(repository: Repository, oid: str, entry: Entry) -> list[Entry]:
    """The event files of one's folder, itself first."""
    found = repository.store().tree(oid, posixpath.dirname(entry.path))
    others = [each for each in found if is_events(each.name) and each.path != entry.path]
    return [entry, *(each for each in others if each.kind == "file")]


def below(repository: Repository, oid: str, folder: str) -> tuple[list[Entry], bool]:
    """All event files below a folder, and whether there may be more."""
    store = repository.store()
    page, more = store.tree_page(oid, folder, recursive=True, after="", limit=ENTRIES_LOOKED_AT)
    found = [each for each in page if each.kind == "file" and is_events(each.name)]
    return found, more or len(found) > RUNS_LIMIT


def labels(entries: Sequence[Entry]) -> list[str]:
    """The folders that tell runs apart; the files' names where they share one.

    What lies in the folder of all has its name, and in the root of the repository the file's.
    """
    folders = [posixpath.dirname(each.path) for each in entries]
    if len(set(folders)) < len(folders):
        return [each.name for each in entries]
    shared = posixpath.commonpath(folders) if folders and all(folders) else ""
    return [
        posixpath.relpath(folder, shared or ".")
        if folder != shared
        else posixpath.basename(folder) or each.name
        for folder, each in zip(folders, entries, strict=True)
    ]
