"""Who may call which route: one row for every URL name and method of every app.

`tests/hub/test_role_matrix.py` walks the URL patterns, fails when a row is missing, and calls
each route as every role. Add the rows of new routes to `TABLE` here, or to a table of your app
that is merged below.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hub.actions import collections
from hub.models import Kind, Namespace, Repository, User
from hub.policies import Actor
from tests.factories import commit_files


class Need(Enum):
    """What a caller must hold; each row of the matrix asks for one."""

    OPEN = "anybody, whatever they hold"
    PERSON = "an account; any token"
    PERSON_TO_WRITE = "an account; a token that writes"
    READ = "reading the repository"
    PROPOSE = "reading the repository, an account, a token that writes"
    CONTRIBUTE = "the same, and contributing to the repository where it is private"
    WRITE = "writing to the repository"
    ADMIN = "administering the repository; a token that writes"
    MEMBER = "belonging to the organisation; any token"
    GOVERN = "administering the organisation or account; a token with admin scope"
    COLLECTION = "writing in the namespace of a public collection"
    GOVERN_REPOSITORY = "administering the repository; a token with admin scope"
    OPERATOR = "running the hub, in the browser; for everybody else there is nothing"
    SEALED = "an address or token that the hub sealed; a person's own token counts for nothing"


@dataclass
class World:
    """What one call of the matrix acts on."""

    repository: Repository
    other: Repository
    organization: Namespace
    people: dict[str, User]
    extra: dict[str, Any] = field(default_factory=dict)


def repository_kwargs(world: World) -> dict[str, Any]:
    return {
        "kind": Kind(world.repository.kind),
        "namespace": world.repository.namespace.slug,
        "name": world.repository.name,
    }


@dataclass(frozen=True)
class Route:
    """One row: the need, and how to fill in the address and the body."""

    need: Need
    kwargs: dict[str, Any] = field(default_factory=dict)
    body: Callable[[World], Any] = lambda world: None
    content_type: str = "application/json"
    # Whether `kwargs` are those of a repository's route.
    of_repository: bool = True
    # Rows that this route needs before it can answer; may fill `world.extra`.
    prepare: Callable[[World], None] = lambda world: None
    # More keywords of the address, from what `prepare` made.
    more_kwargs: Callable[[World], dict[str, Any]] = lambda world: {}
    query: Mapping[str, str] = field(default_factory=dict)
    # A function view does not look at tokens: only browsers use it.
    takes_tokens: bool = True

    def address(self, world: World) -> dict[str, Any]:
        own = repository_kwargs(world) if self.of_repository else {}
        return own | self.kwargs | self.more_kwargs(world)

    def payload(self, world: World) -> bytes:
        value = self.body(world)
        if isinstance(value, bytes):
            return value
        return b"" if value is None else json.dumps(value).encode()


def _commit(world: World) -> bytes:
    lines = [
        {"key": "header", "value": {"summary": "Say more", "description": ""}},
        {"key": "file", "value": {"path": "more.txt", "content": "bW9yZQ==", "encoding": "base64"}},
    ]
    return b"\n".join(json.dumps(line).encode() for line in lines)


def _named(world: World) -> dict[str, Any]:
    repository = world.repository
    return {"organization": repository.namespace.slug, "name": repository.name, "type": "model"}


def _moved(world: World) -> dict[str, Any]:
    old = world.repository.repo_id
    return {"fromRepo": old, "toRepo": f"{old}-moved", "type": "model"}


def _new(world: World) -> dict[str, Any]:
    return {"name": "matrix-new", "type": "model"}


def _add_files(world: World) -> None:
    """One file of each kind that has a viewer's page of its own."""
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    files = {
        "model.safetensors": len(header).to_bytes(8, "little") + header + bytes(4),
        "tokenizer.json": b'{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}',
    }
    commit_files(world.repository, files)


def _make_branch(world: World) -> None:
    store = world.repository.store()
    store.move_ref("refs/heads/extra", new=store.resolve("main"), old=None)


def _make_tag(world: World) -> None:
    store = world.repository.store()
    store.move_ref("refs/tags/v1", new=store.resolve("main"), old=None)


def _collect(world: World) -> None:
    by = Actor(world.people["admin"])
    made = collections.create_collection(by, world.organization.slug, title="Good ones")
    world.extra["item"] = collections.add_item(made, by, world.repository)


def _collected(world: World) -> dict[str, Any]:
    namespace, _slash, slug = world.extra["item"].collection.slug.partition("/")
    return {"namespace": namespace, "slug": slug}


def _collected_item(world: World) -> dict[str, Any]:
    return _collected(world) | {"item": world.extra["item"].key}


def _another(world: World) -> dict[str, Any]:
    return {"item": {"id": str(world.other), "type": "model"}}


def _collection(need: Need, body: Any = None, **more: Any) -> Route:
    values = {"more_kwargs": _collected, "of_repository": False, "prepare": _collect} | more
    return Route(need, body=body if callable(body) else lambda world: body, **values)


def _page(need: Need, **more: Any) -> Route:
    return Route(need, of_repository=False, takes_tokens=False, **more)


def _form(text: str) -> dict[str, Any]:
    return {
        "body": lambda world: text.encode(),
        "content_type": "application/x-www-form-urlencoded",
    }


_MAIN = {"revision": "main"}
_CARD = {"revision": "main", "path": "README.md"}
_FILES = {"files": [{"path": "a.txt", "size": 1, "sample": "YQ=="}]}

_COPY = {"repository": "matrix-copy"}

HUB: dict[tuple[str, str], Route] = {
    ("hub:healthz", "GET"): _page(Need.OPEN),
    ("hub:readyz", "GET"): _page(Need.OPEN),
    ("hub:metrics", "GET"): _page(Need.OPEN),
    ("hub:api-schema", "GET"): _page(Need.OPEN),
    ("hub:static", "GET"): _page(Need.OPEN, kwargs={"path": "css/base.css"}),
    ("hub:set-language", "GET"): _page(Need.OPEN),
    ("hub:set-language", "POST"): _page(Need.OPEN, **_form("language=en")),
    ("hub:api-unknown", "GET"): _page(Need.OPEN),
    ("hub:api-unknown", "POST"): _page(Need.OPEN),
    ("hub:oauth-device", "GET"): _page(Need.OPEN),
    ("hub:oauth-device", "POST"): _page(Need.OPEN, **_form("client_id=matrix")),
    ("hub:oauth-token", "POST"): _page(Need.OPEN, **_form("grant_type=refresh_token")),
    ("hub:whoami", "GET"): Route(Need.PERSON, of_repository=False),
    ("hub:validate-yaml", "POST"): Route(
        Need.OPEN, of_repository=False, body=lambda world: {"content": "# Hi", "repoType": "model"}
    ),
    ("hub:storage", "GET"): Route(Need.PERSON, of_repository=False),
    ("hub:organization-storage", "GET"): Route(
        Need.MEMBER,
        of_repository=False,
        more_kwargs=lambda world: {"slug": world.organization.slug},
    ),
    ("hub:model-tags", "GET"): Route(Need.OPEN, of_repository=False),
    ("hub:dataset-tags", "GET"): Route(Need.OPEN, of_repository=False),
    ("hub:repository-list", "GET"): Route(Need.OPEN, {"kind": Kind.MODEL}, of_repository=False),
    ("hub:repository-create", "POST"): Route(Need.PERSON_TO_WRITE, of_repository=False, body=_new),
    ("hub:repository-delete", "DELETE"): Route(Need.ADMIN, of_repository=False, body=_named),
    ("hub:repository-move", "POST"): Route(Need.ADMIN, of_repository=False, body=_moved),
    ("hub:repository-info", "GET"): Route(Need.READ),
    ("hub:revision-info", "GET"): Route(Need.READ, _MAIN),
    ("hub:repository-settings-api", "PUT"): Route(Need.ADMIN, body=lambda world: {"gated": "auto"}),
    ("hub:repository-duplicate", "POST"): Route(Need.PROPOSE, body=lambda world: _COPY),
    ("hub:auth-check", "GET"): Route(Need.READ),
    ("hub:auth-check-write", "GET"): Route(Need.WRITE),
    ("hub:tree-api", "GET"): Route(Need.READ, _MAIN),
    ("hub:tree-path-api", "GET"): Route(Need.READ, _CARD),
    ("hub:paths-info", "POST"): Route(Need.READ, _MAIN, **_form("paths=README.md")),
    ("hub:refs-api", "GET"): Route(Need.READ),
    ("hub:commits-api", "GET"): Route(Need.READ, _MAIN),
    ("hub:branch-api", "POST"): Route(Need.WRITE, {"branch": "dev"}),
    ("hub:branch-api", "DELETE"): Route(Need.WRITE, {"branch": "extra"}, prepare=_make_branch),
    ("hub:tag-api", "POST"): Route(Need.WRITE, _MAIN, body=lambda world: {"tag": "v1"}),
    ("hub:tag-api", "DELETE"): Route(Need.WRITE, {"revision": "v1"}, prepare=_make_tag),
    ("hub:super-squash", "POST"): Route(
        Need.WRITE, _MAIN, body=lambda world: {"message": "One commit"}
    ),
    ("hub:preupload", "POST"): Route(Need.WRITE, _MAIN, body=lambda world: _FILES),
    ("hub:commit-api", "POST"): Route(
        Need.WRITE, _MAIN, body=_commit, content_type="application/x-ndjson"
    ),
    ("hub:file-resolve", "GET"): Route(Need.READ, _CARD),
    ("hub:file-raw", "GET"): Route(Need.READ, _CARD),
}

COLLECTIONS: dict[tuple[str, str], Route] = {
    ("hub:collections-api", "GET"): _collection(Need.OPEN, more_kwargs=lambda world: {}),
    ("hub:collections-api", "POST"): _collection(
        Need.PERSON_TO_WRITE, {"title": "Mine"}, more_kwargs=lambda world: {}
    ),
    ("hub:collection-api", "GET"): _collection(Need.OPEN),
    ("hub:collection-api", "PATCH"): _collection(Need.COLLECTION, {"theme": "green"}),
    ("hub:collection-api", "DELETE"): _collection(Need.COLLECTION),
    ("hub:collection-items-api", "POST"): _collection(Need.COLLECTION, _another),
    ("hub:collection-item-api", "PATCH"): _collection(
        Need.COLLECTION, {"note": "x"}, more_kwargs=_collected_item
    ),
    ("hub:collection-item-api", "DELETE"): _collection(
        Need.COLLECTION, more_kwargs=_collected_item
    ),
    ("hub:collection-upvote-api", "POST"): _collection(Need.PERSON_TO_WRITE),
    ("hub:collection-upvote-api", "DELETE"): _collection(Need.PERSON_TO_WRITE),
}

_OBJECT = {"oid": "ab" * 32}
_CAS = {"scope": "public", "epoch": "1"}
_HASH = {**_CAS, "hash": "ab" * 32}
_UPLOAD = {"operation": "upload", "objects": [{"oid": "ab" * 32, "size": 1}]}


def _sealed(kwargs: dict[str, Any], need: Need = Need.SEALED) -> Route:
    return Route(need, kwargs, of_repository=False)


TRANSFERS: dict[tuple[str, str], Route] = {
    ("hub:authorize-upload", "GET"): _page(Need.OPEN),
    ("hub:git-info-refs", "GET"): Route(Need.READ),
    ("hub:git-upload-pack", "POST"): Route(Need.READ),
    ("hub:git-receive-pack", "POST"): Route(Need.CONTRIBUTE),
    ("hub:lfs-batch", "POST"): Route(Need.CONTRIBUTE, body=lambda world: _UPLOAD),
    ("hub:lfs-locks-verify", "POST"): Route(Need.CONTRIBUTE),
    ("hub:lfs-object", "GET"): _sealed(_OBJECT),
    ("hub:lfs-object", "PUT"): _sealed(_OBJECT),
    ("hub:lfs-verify", "POST"): _sealed(_OBJECT),
    ("hub:xet-write-token", "GET"): Route(Need.WRITE, _MAIN),
    ("hub:xet-read-token", "GET"): Route(Need.READ, _MAIN),
    ("hub:xet-xorb", "POST"): _sealed(_HASH),
    ("hub:xet-chunk", "GET"): _sealed(_HASH),
    ("hub:xet-shard", "POST"): _sealed(_CAS),
    ("hub:xet-shard-frames", "POST"): _sealed(_CAS),
    ("hub:xet-reconstruction", "GET"): _sealed(_HASH),
    ("hub:xet-fetch", "GET"): _sealed(_HASH),
    ("hub:xet-telemetry", "POST"): Route(Need.OPEN, _CAS, of_repository=False, takes_tokens=False),
    ("hub:xet-telemetry-at-root", "POST"): _page(Need.OPEN),
}


def _both(name: str, route: Route) -> dict[tuple[str, str], Route]:
    """Rows of a page that does not say which methods it answers."""
    return {(name, "GET"): route, (name, "POST"): route}


def _repository_page(need: Need, **kwargs: str) -> Route:
    return Route(need, dict(kwargs), takes_tokens=False, **_form(""))


def _oid(world: World) -> dict[str, str]:
    return {"oid": world.repository.store().resolve("main")}


PAGES: dict[tuple[str, str], Route] = {
    **_both("hub:home", _page(Need.OPEN)),
    **_both("hub:design", _page(Need.OPEN)),
    ("hub:diagram", "GET"): _page(Need.OPEN),
    ("hub:pdf", "GET"): _page(Need.OPEN),
    **_both("hub:docs", _page(Need.OPEN)),
    **_both("hub:api-docs", _page(Need.OPEN)),
    **_both("hub:api-docs-section", _page(Need.OPEN, kwargs={"slug": "repositories"})),
    **_both("hub:explore", _page(Need.OPEN)),
    **_both("hub:explore-values", _page(Need.OPEN, kwargs={"facet": "license"})),
    **_both("hub:palette", _page(Need.OPEN)),
    **_both("hub:sign-in", _page(Need.OPEN)),
    ("hub:sign-out", "POST"): _page(Need.OPEN),
    **_both("hub:repository-new", _page(Need.PERSON)),
    **_both("hub:device", _page(Need.PERSON)),
    **_both("hub:collections", _page(Need.OPEN)),
    **_both("hub:collection-new", _page(Need.PERSON)),
    ("hub:collection", "GET"): _collection(Need.OPEN, takes_tokens=False),
    ("hub:collection", "POST"): _collection(Need.PERSON, takes_tokens=False),
    **_both("hub:collection-edit", _collection(Need.COLLECTION, takes_tokens=False)),
    **_both("hub:repository-collections", _repository_page(Need.PROPOSE)),
    **_both("hub:token-list", _page(Need.PERSON)),
    ("hub:token-revoke", "POST"): _page(Need.PERSON, kwargs={"pk": 1}),
    **{
        ("hub:settings/tokens", method): _page(Need.OPEN)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    },
    **_both(
        "hub:namespace",
        _page(Need.OPEN, more_kwargs=lambda world: {"slug": world.organization.slug}),
    ),
    **_both("hub:repository", _repository_page(Need.READ)),
    ("hub:lineage", "GET"): _repository_page(Need.READ),
    ("hub:api-lineage", "GET"): Route(Need.READ),
    **_both("hub:folder", _repository_page(Need.READ, revision="main")),
    **_both("hub:file", _repository_page(Need.READ, revision="main", path="README.md")),
    **_both("hub:blame", _repository_page(Need.READ, revision="main", path="README.md")),
    **_both("hub:find", _repository_page(Need.READ, revision="main")),
    **_both("hub:revisions", _repository_page(Need.READ, revision="main")),
    ("hub:archive", "GET"): Route(Need.READ, _MAIN),
    ("hub:vocabulary", "GET"): Route(
        Need.READ,
        {"revision": "main", "path": "tokenizer.json"},
        takes_tokens=False,
        prepare=_add_files,
    ),
    ("hub:tensors", "GET"): Route(
        Need.READ,
        {"revision": "main", "path": "model.safetensors"},
        takes_tokens=False,
        prepare=_add_files,
    ),
    ("hub:tensors", "POST"): Route(
        Need.PROPOSE,
        {"revision": "main", "path": "model.safetensors"},
        takes_tokens=False,
        prepare=_add_files,
        **_form("tensor=a"),
    ),
    ("hub:events", "GET"): _repository_page(Need.READ, revision="main"),
    ("hub:compare-revisions", "GET"): _page(Need.OPEN),
    **_both("hub:history", _repository_page(Need.READ, revision="main")),
    **_both("hub:commit", Route(Need.READ, more_kwargs=_oid, takes_tokens=False)),
    **_both("hub:duplicate", _repository_page(Need.PROPOSE)),
    **_both("hub:repository-settings", _repository_page(Need.ADMIN)),
}

from tests.hub.account_routes import ACCOUNTS  # noqa: E402 - their rows are made of Route
from tests.hub.inbox_routes import INBOX  # noqa: E402 - their rows are made of Route
from tests.hub.large_routes import LARGE  # noqa: E402
from tests.hub.people_routes import PEOPLE  # noqa: E402
from tests.hub.table_routes import TABLES  # noqa: E402
from tests.hub.webhook_routes import WEBHOOKS  # noqa: E402
from tests.hub.writing_routes import WRITING  # noqa: E402
from tests.reviews.routes import REVIEWS  # noqa: E402
from tests.training.routes import TRAINING  # noqa: E402

TABLE: dict[tuple[str, str], Route] = {
    **HUB,
    **COLLECTIONS,
    **TRANSFERS,
    **LARGE,
    **PAGES,
    **PEOPLE,
    **TABLES,
    **WEBHOOKS,
    **WRITING,
    **ACCOUNTS,
    **INBOX,
    **REVIEWS,
    **TRAINING,
}
