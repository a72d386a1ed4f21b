"""Addresses of a repository's files."""

from __future__ import annotations

from urllib.parse import quote

from hub.models import Repository


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
