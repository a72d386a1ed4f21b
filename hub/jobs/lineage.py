"""Keeping the links between models in step with their cards and with who bears which name.

A link names its parent as the card does; which repository that is changes when one is created,
moved or removed. Whoever writes links and whoever takes a name hold all their names first, in one
order and before any link is written: the later of two sees what the earlier did, and none waits
for the other in a circle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from hub.errors import BadInputError
from hub.formats.lineage import parents
from hub.models import Kind, ModelLink, RepoId, Repository, RepositoryRedirect
from hub.models.lineage import ModelLinkQuerySet, parent_kind

Name = tuple[str, str]  # kind, namespace/name


def record(repository: Repository) -> None:
    """Bring the links of `repository` in step with its card, within the caller's transaction."""
    if repository.kind != Kind.MODEL:
        return
    links = ModelLink.objects.filter(repository=repository)
    named = parents(repository.card_data, repository.tags)
    wanted = {(each.relation, each.repo_id): at for at, each in enumerate(named)}
    held = {(row.relation, row.named): row for row in links}
    if {key: row.position for key, row in held.items()} == wanted:
        return
    hold(_names({*wanted, *held}))
    links.filter(pk__in=[row.pk for key, row in held.items() if key not in wanted]).delete()
    for key, at in wanted.items():
        if key in held:
            links.filter(pk=held[key].pk).update(position=at)
    new = [
        ModelLink(repository=repository, relation=relation, named=repo_id, position=at)
        for (relation, repo_id), at in wanted.items()
        if (relation, repo_id) not in held
    ]
    ModelLink.objects.bulk_create(new)
    resolve(_names((each.relation, each.named) for each in new), among=links)


def hold_new(repository: Repository, columns: Mapping[str, Any]) -> None:
    """Hold what a repository that comes is called together with what its card names; `columns` are
    those derived from its head."""
    is_model = repository.kind == Kind.MODEL
    said = parents(columns.get("card_data"), columns.get("tags", ())) if is_model else []
    hold({(repository.kind, repository.repo_id)} | _names((e.relation, e.repo_id) for e in said))


def names_of(repository: Repository) -> set[Name]:
    """How cards may name a repository: as it is called, and as it was."""
    moved = RepositoryRedirect.objects.filter(repository=repository).select_related("namespace")
    names = [repository.repo_id, *(f"{row.namespace.slug}/{row.name}" for row in moved)]
    return {(repository.kind, name) for name in names}


def hold(names: Iterable[Name]) -> None:
    """Let nobody else resolve these names until the transaction ends."""
    ModelLink.objects.hold_names(_key(name) for name in names)


def resolve(names: set[Name], *, among: ModelLinkQuerySet | None = None) -> None:
    """Point the links that say these names at who bears them now, in the same transaction."""
    if not names:
        return
    hold(names)
    links = ModelLink.objects.all() if among is None else among
    for kind, repo_id in sorted(names):
        found = _borne_by(kind, repo_id)
        links.naming(kind, repo_id).exclude(parent=found).update(parent=found)


def _names(links: Iterable[tuple[str, str]]) -> set[Name]:
    """The names in links that are given as relation and name."""
    return {(parent_kind(relation), named) for relation, named in links}


def _borne_by(kind: str, repo_id: str) -> Repository | None:
    try:
        return Repository.objects.known_as(RepoId.parse(kind, repo_id)).first()
    except BadInputError:
        return None


def _key(name: Name) -> int:
    text = f"lineage:{name[0]}:{name[1].upper()}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)
