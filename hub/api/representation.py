"""How repositories, entries and commits look on the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub.api.wire import moment
from hub.gitstore import CommitInfo, Entry, LastCommit, Ref
from hub.models import Kind, Repository

Facts = dict[str, Any]
Field = Callable[[Repository], Any]


def _card(repository: Repository) -> Facts:
    return repository.card_data or {}


def _texts(repository: Repository, key: str) -> list[str]:
    """The texts under a key of the card, which may hold one, a list, or anything else."""
    value = _card(repository).get(key)
    return [
        each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)
    ]


def _nothing(repository: Repository) -> None:
    return None


# What `expand` may name, in the order that clients' tests compare; `siblings` is added by views.
_COMMON: dict[str, Field] = {
    "author": lambda r: r.namespace.slug,
    "cardData": lambda r: r.card_data,
    "createdAt": lambda r: moment(r.created_at),
    "disabled": lambda r: False,
    "downloads": lambda r: r.downloads,
    "downloadsAllTime": lambda r: r.downloads,
    "gated": lambda r: r.gated or False,
    "lastModified": lambda r: moment(r.last_modified_at),
    "likes": lambda r: r.likes,
    "private": lambda r: r.is_private,
    "resourceGroup": _nothing,
    "sha": lambda r: r.head_oid,
    "siblings": _nothing,
    "tags": lambda r: [*r.tags],
    "trendingScore": lambda r: r.likes,
    "usedStorage": lambda r: r.large_bytes + r.git_bytes,
}
_MODEL: dict[str, Field] = {
    "baseModels": lambda r: _texts(r, "base_model"),
    "childrenModelCount": _nothing,  # depends on who asks: added by views
    "config": lambda r: r.config,
    "evalResults": lambda r: r.facts.get("evalResults"),
    "gguf": _nothing,
    "inference": _nothing,
    "inferenceProviderMapping": _nothing,
    "library_name": lambda r: r.library_name or None,
    "mask_token": _nothing,
    "model-index": lambda r: _card(r).get("model-index"),
    "pipeline_tag": lambda r: r.pipeline_tag or None,
    "safetensors": lambda r: r.parameters,
    "spaces": lambda r: [],
    "transformersInfo": lambda r: r.facts.get("transformersInfo"),
    "widgetData": lambda r: _card(r).get("widget"),
}
_DATASET: dict[str, Field] = {
    "citation": lambda r: r.facts.get("citation"),
    "description": lambda r: r.facts.get("description"),
    "mainSize": _nothing,
    "paperswithcode_id": lambda r: _card(r).get("paperswithcode_id"),
}
_SPACE: dict[str, Field] = {
    "datasets": lambda r: _texts(r, "datasets"),
    "models": lambda r: _texts(r, "models"),
    "region": _nothing,
    "runtime": _nothing,
    "sdk": lambda r: next(iter(_texts(r, "sdk")), None),
    "subdomain": _nothing,
}
# The public Hub counts no downloads of Spaces, and its clients list the fields without them.
_NOT_OF_SPACES = ("downloads", "downloadsAllTime", "gated")
FIELDS: dict[str, dict[str, Field]] = {
    Kind.MODEL: dict(sorted((_COMMON | _MODEL).items())),
    Kind.DATASET: dict(sorted((_COMMON | _DATASET).items())),
    Kind.SPACE: dict(
        sorted(
            (name, field)
            for name, field in (_COMMON | _SPACE).items()
            if name not in _NOT_OF_SPACES
        )
    ),
    Kind.KERNEL: dict(sorted(_COMMON.items())),
}
_ALWAYS = ("author", "createdAt", "disabled", "downloads", "gated", "lastModified", "likes")
_INFO = {
    Kind.MODEL: (
        *_ALWAYS,
        *("private", "sha", "tags", "cardData", "config", "library_name", "model-index"),
        *("pipeline_tag", "safetensors", "spaces", "transformersInfo", "usedStorage"),
        "widgetData",
    ),
    Kind.DATASET: (
        *_ALWAYS,
        "private",
        "sha",
        "tags",
        "cardData",
        "citation",
        "description",
        "usedStorage",
    ),
    Kind.SPACE: (
        *("author", "createdAt", "disabled", "lastModified", "likes", "private", "sha", "tags"),
        *("cardData", "datasets", "models", "sdk", "usedStorage"),
    ),
    Kind.KERNEL: (*_ALWAYS, "private", "sha", "tags", "cardData", "usedStorage"),
}
_ITEM = {
    Kind.MODEL: (
        *("createdAt", "downloads", "library_name", "likes", "pipeline_tag", "private", "tags"),
        "trendingScore",
    ),
    Kind.DATASET: ("createdAt", "downloads", "likes", "private", "tags", "trendingScore"),
    Kind.SPACE: ("createdAt", "likes", "private", "sdk", "tags", "trendingScore"),
    Kind.KERNEL: ("createdAt", "downloads", "likes", "private", "tags", "trendingScore"),
}
_FULL = ("author", "disabled", "gated", "lastModified", "sha")


def fields(repository: Repository, names: list[str] | tuple[str, ...]) -> Facts:
    """`id` and the named fields."""
    known = FIELDS[repository.kind]
    return {"id": repository.repo_id} | {name: known[name](repository) for name in names}


def info(repository: Repository) -> Facts:
    """The whole info object, without `siblings`."""
    facts = fields(repository, _INFO[Kind(repository.kind)])
    facts["_id"] = str(repository.pk)
    if repository.kind == Kind.MODEL:
        facts["modelId"] = repository.repo_id
    return facts


def item(repository: Repository, *, full: bool, card: bool, config: bool) -> Facts:
    """One line of a list; what was not asked for is absent."""
    more = [name for name in (_FULL if full else ()) if name in FIELDS[repository.kind]]
    names = [*_ITEM[Kind(repository.kind)], *more]
    facts = fields(repository, names) | {"_id": str(repository.pk)}
    if repository.kind == Kind.MODEL:
        facts["modelId"] = repository.repo_id
    if card:
        facts["cardData"] = repository.card_data
    if config and repository.kind == Kind.MODEL:
        facts["config"] = repository.config
    return facts


def sibling(entry: Entry, *, blobs: bool) -> Facts:
    facts: Facts = {"rfilename": entry.path}
    if blobs:
        facts |= {"size": entry.size, "blobId": entry.oid}
        if entry.lfs:
            facts["lfs"] = {
                "size": entry.lfs.size_bytes,
                "sha256": entry.lfs.sha256,
                "pointerSize": entry.lfs.pointer_size_bytes,
            }
    return facts


def tree_entry(entry: Entry, xet_hashes: dict[str, str] | None = None) -> Facts:
    facts: Facts = {
        "type": entry.kind,
        "oid": entry.oid,
        "size": entry.size,
        "path": entry.path,
    }
    if entry.lfs:
        facts["lfs"] = {
            "oid": entry.lfs.sha256,
            "size": entry.lfs.size_bytes,
            "pointerSize": entry.lfs.pointer_size_bytes,
        }
        if xet_hash := (xet_hashes or {}).get(entry.lfs.sha256):
            facts["xetHash"] = xet_hash
    return facts


def last_commit(commit: LastCommit | None) -> Facts | None:
    if commit is None:
        return None
    return {"id": commit.oid, "title": commit.subject, "date": moment(commit.committed_at)}


def commit(found: CommitInfo) -> Facts:
    return {
        "id": found.oid,
        "title": found.subject,
        "message": found.body,
        "authors": [{"user": found.author.name}],
        "date": moment(found.committed_at),
    }


def ref(found: Ref) -> Facts:
    return {"name": found.short_name, "ref": found.name, "targetCommit": found.oid}
