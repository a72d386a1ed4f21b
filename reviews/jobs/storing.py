"""Storing large results of a worker while its claim is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from hub.actions import large_files
from hub.gitstore import AddPointer
from hub.models import Repository

_READ = 1 << 22


class _Kept:
    """A file whose every read renews the claim: storing gigabytes takes longer than a lease."""

    def __init__(self, file: BinaryIO, keep: Callable[[], None]) -> None:
        self._file, self._keep = file, keep

    def read(self, size: int = -1, /) -> bytes:
        self._keep()
        return self._file.read(size)


def store_result(
    repository: Repository, path: str, place: Path, keep: Callable[[], None]
) -> AddPointer:
    """Store the file at `place`; the pointer that a commit holds at `path`."""
    with place.open("rb") as file:
        stored = large_files.store(repository, _Kept(file, keep))
    return AddPointer(path, stored.sha256, stored.size_bytes)


def sha256_of(place: Path, keep: Callable[[], None]) -> str:
    """By which the file at `place` will be stored."""
    digest = hashlib.sha256()
    with place.open("rb") as file:
        while chunk := file.read(_READ):
            digest.update(chunk)
            keep()
    return digest.hexdigest()
