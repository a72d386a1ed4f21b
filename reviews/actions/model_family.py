"""Which models may be merged with one: what they have in common, and what there is to choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.actions.lineage import UP_LEVELS, lineage_of
from hub.models import Kind, ModelLink, Relation, Repository
from hub.models.lineage import ModelLinkQuerySet
from hub.policies import Actor, seen_repositories, visible_repositories

CANDIDATES_LIMIT = 24


@dataclass(frozen=True)
class Candidate:
    """A model of the same family; `is_alike` by the architecture and the number of parameters."""

    repository: Repository
    is_alike: bool


def candidates(actor: Actor, repository: Repository) -> list[Candidate]:
    """What `repository` might be merged with: its bases, their other children, its own; those
    that are alike come first."""
    members = [
        node.repository
        for node in lineage_of(actor, repository).nodes.values()
        if node.repository is not None and node.kind == Kind.MODEL
    ]
    links = _links(ModelLink.objects.filter(parent__in=[row.pk for row in members]))
    seen = visible_repositories(actor).filter(kind=Kind.MODEL)
    siblings = seen.filter(pk__in=links.values("repository")).order_by("-likes", "-pk")
    found = {row.pk: row for row in (*members, *siblings[: CANDIDATES_LIMIT * 2])}
    found.pop(repository.pk, None)
    told = [Candidate(row, is_alike(repository, row)) for row in found.values()]
    return sorted(told, key=lambda each: not each.is_alike)[:CANDIDATES_LIMIT]


def is_alike(one: Repository, other: Repository) -> bool:
    """Whether two models seem to have the same tensors; adapters are alike by being adapters."""
    if (one.library_name == "peft") != (other.library_name == "peft"):
        return False
    if one.library_name == "peft":
        return True
    totals = [(each.parameters or {}).get("total") for each in (one, other)]
    return one.config == other.config and totals[0] == totals[1]


def common_bases(actor: Actor, models: Sequence[Repository]) -> list[Repository]:
    """Models from which all of these come, by their cards, the nearest first."""
    distances = _distances(actor, models)
    shared = set.intersection(*map(set, distances)) if distances else set()
    found = visible_repositories(actor).filter(pk__in=shared, kind=Kind.MODEL)
    return sorted(found, key=lambda row: (sum(each[row.pk] for each in distances), row.pk))


def _distances(actor: Actor, models: Sequence[Repository]) -> list[dict[int, int]]:
    """For each model, itself and its ancestors with how far they are; a query a level for all."""
    found = [{model.pk: 0} for model in models]
    frontier = {model.pk for model in models}
    parents: dict[int, set[int]] = {}
    for _level in range(UP_LEVELS):
        rows = _links(ModelLink.objects.filter(repository__in=frontier, parent__isnull=False))
        seen = seen_repositories(actor).values("pk")
        for child, parent in rows.filter(parent__in=seen).values_list("repository", "parent"):
            parents.setdefault(child, set()).add(parent)
        frontier = {p for child in frontier for p in parents.get(child, ())} - parents.keys()
        if not frontier:
            break
    for known in found:
        _spread(known, parents)
    return found


def _spread(known: dict[int, int], parents: dict[int, set[int]]) -> None:
    waiting = list(known)
    while waiting:
        child = waiting.pop(0)
        for parent in parents.get(child, ()):
            if parent not in known:
                known[parent] = known[child] + 1
                waiting.append(parent)


def _links(rows: ModelLinkQuerySet) -> ModelLinkQuerySet:
    return rows.exclude(relation=Relation.DATASET)
