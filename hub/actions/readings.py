"""Asking what is in a file: read at once where that is quick, else by a worker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from kombu.exceptions import OperationalError

from hub.actions import large_files
from hub.errors import EntryNotFoundError
from hub.gitstore import Entry
from hub.jobs import readings
from hub.models import Repository
from hub.tasks import read_file

# A worker is asked again after so long, should the first message have been lost.
RUNG_EVERY_SECONDS = 60


@dataclass(frozen=True)
class Reading:
    """What a file tells, or why it tells nothing; neither while a worker reads it."""

    told: Any = None
    problem: str = ""

    @property
    def is_coming(self) -> bool:
        return self.told is None and not self.problem


def require_bytes(repository: Repository, entries: Iterable[Entry]) -> None:
    """Refuse large files that the repository has no right to. Raises: EntryNotFoundError."""
    sha256s = {entry.lfs.sha256 for entry in entries if entry.lfs is not None}
    missing = sha256s - large_files.links(repository, sha256s).keys() if sha256s else set()
    if missing:
        raise EntryNotFoundError(f"This repository holds no file with sha256 {min(missing)}.")


def reading(repository: Repository, oid: str, entry: Entry, kind: str) -> Reading:
    """What the file at `entry` of the commit `oid` tells, as a reader of `kind` has it."""
    return readings_of(repository, oid, [entry], kind)[0]


def readings_of(
    repository: Repository, oid: str, entries: Sequence[Entry], kind: str
) -> list[Reading]:
    """`reading` of each, in one query."""
    try:
        require_bytes(repository, entries)
    except EntryNotFoundError as error:
        return [Reading(problem=str(error))] * len(entries)
    return [_reading(repository, oid, entry, kind) for entry in entries]


def _reading(repository: Repository, oid: str, entry: Entry, kind: str) -> Reading:
    if entry.kind != "file":
        return Reading(problem=f"{entry.path} is a folder, not a file.")
    found = readings.kept(repository, kind, entry)
    if found is None and entry.size <= readings.reader_of(kind).at_once_bytes:
        try:
            found = readings.read(repository, kind, entry)
        except EntryNotFoundError as error:
            return Reading(problem=str(error))
    if found is not None:
        problem = found.get("problem", "")
        return Reading(found.get("told"), readings.reader_of(kind).say(problem) if problem else "")
    key = f"reading:{repository.pk}:{kind}:{entry.oid}"
    if cache.add(key, 1, RUNG_EVERY_SECONDS):
        with suppress(OperationalError):  # without a broker a later reader tries again
            read_file.delay(repository.pk, kind, oid, entry.path)
    return Reading()
