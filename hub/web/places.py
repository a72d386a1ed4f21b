"""Where files have their pages, and what every page about files knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hub.extensions import registries
from hub.gitstore import GitStore, Ref
from hub.http.pages import frame
from hub.models import Repository

REFS_LISTED = 30  # of each kind in the menu; its page lists all
BRANCH, TAG, PULL = "refs/heads/", "refs/tags/", "refs/pr/"


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


@dataclass(frozen=True)
class RefLink:
    """One line of the menu of revisions."""

    label: str
    url: str
    is_current: bool
    note: str = ""


@dataclass(frozen=True)
class RefMenu:
    """Where else the same file can be looked at; `more` says that the menu does not hold all."""

    icon: str
    label: str
    branches: list[RefLink]
    tags: list[RefLink]
    pulls: list[RefLink]
    more: int
    all_url: str
    view: str


def ref_menu(
    repository: Repository,
    store: GitStore,
    revision: str,
    path: str,
    *,
    view: str,
    word: str = "",
    most: int = REFS_LISTED,
) -> RefMenu:
    """Branches, tags and open pull requests whose name holds `word`; the present one always."""
    refs = store.refs()
    has_pulls = any(ref.name.startswith(PULL) for ref in refs)
    titles = dict(registries.open_pull_requests(repository)) if has_pulls else {}

    def link(ref: Ref) -> RefLink:
        is_pull = ref.name.startswith(PULL)
        name = ref.name if is_pull else ref.short_name
        note = titles.get(int(ref.short_name), "") if is_pull else ""
        url = file_url(repository, view, name, path)
        return RefLink(f"#{ref.short_name}" if is_pull else name, url, name == revision, note)

    branches = [link(ref) for ref in refs if ref.name.startswith(BRANCH)]
    tags = [link(ref) for ref in reversed(refs) if ref.name.startswith(TAG)]
    pulls = [link(ref) for ref in refs if ref.name.startswith(PULL) and _number(ref) in titles]
    pulls.sort(key=lambda each: -int(each.label[1:]))
    branches.sort(key=lambda each: (not each.is_current, each.label != repository.default_branch))
    found = [_holding(word, links) for links in (branches, tags, pulls)]
    shown = [links[:most] for links in found]
    icon, label = _named(revision, {ref.name for ref in refs})
    return RefMenu(
        icon,
        label,
        branches=shown[0],
        tags=shown[1],
        pulls=shown[2],
        more=sum(map(len, found)) - sum(map(len, shown)),
        all_url=file_url(repository, "refs", revision, path),
        view=view,
    )


def _number(ref: Ref) -> int:
    return int(ref.short_name) if ref.short_name.isdecimal() else 0


def _holding(word: str, links: list[RefLink]) -> list[RefLink]:
    word = word.casefold()
    return [each for each in links if word in f"{each.label} {each.note}".casefold()]


def _named(revision: str, names: set[str]) -> tuple[str, str]:
    if f"{BRANCH}{revision}" in names:
        return "branch", revision
    if f"{TAG}{revision}" in names:
        return "tag", revision
    if revision.startswith(PULL):
        return "pull", f"#{revision.removeprefix(PULL)}"
    return "commit", revision[:8]


def place(repository: Repository, revision: str, path: str, *, view: str) -> dict[str, Any]:
    """What every page below the Files tab knows. Raises: RevisionNotFoundError."""
    store = repository.store()
    oid = store.resolve(revision)
    return frame(repository, "files") | {
        "store": store,
        "revision": revision,
        "oid": oid,
        "path": path,
        "file_crumbs": crumbs(repository, revision, path),
        "ref_menu": ref_menu(repository, store, revision, path, view=view),
        "find_url": file_url(repository, "find", revision, ""),
        # What `y` leads to: the same page at the commit that the name means now.
        "permalink": "" if revision == oid else file_url(repository, view, oid, path),
    }
