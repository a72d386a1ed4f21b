"""Where a model comes from and what was made of it, as far as the one who asks may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Count

from hub.extensions import registries
from hub.models import Kind, ModelLink, Relation, Repository
from hub.models.lineage import ModelLinkQuerySet
from hub.policies import Actor, seen_repositories, visible_repositories

UP_LEVELS, DOWN_LEVELS = 4, 3
# Of each direction; what is beyond is counted, not drawn.
NODES_LIMIT = 48
# Read a generation.
LINKS_LIMIT = 4 * NODES_LIMIT


@dataclass
class Node:
    """A repository, or the name of one that is not here or not to be seen (`repository` None).

    `level` is below 0 for what it was made from, above 0 for what was made of it.
    """

    key: str
    kind: str
    repo_id: str
    level: int
    repository: Repository | None = None


@dataclass(frozen=True)
class Edge:
    """From what was there first to what was made of it, by their keys."""

    parent: str
    child: str
    relation: str


@dataclass
class Lineage:
    """A family: ancestors from the oldest, then the one itself, then what was made of it.

    `counts` are of direct descendants, by relation; `is_cut` when there is more than is told.
    """

    itself: Node
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str], Edge] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    is_cut: bool = False

    def rows(self) -> list[Node]:
        """All nodes in the order of a list: parents come before their children."""
        above = sorted(
            (node for node in self.nodes.values() if node.level < 0), key=lambda node: node.level
        )
        return [*above, self.itself, *self._below()]

    def _below(self) -> list[Node]:
        children: dict[str, list[Node]] = {}
        for edge in self.edges.values():
            child = self.nodes[edge.child]
            if child.level > self.nodes[edge.parent].level >= 0:
                children.setdefault(edge.parent, []).append(child)
        told: dict[str, Node] = {}
        waiting = children.get(self.itself.key, [])[::-1]
        while waiting:
            node = waiting.pop()
            if node.key not in told:
                told[node.key] = node
                waiting += children.get(node.key, [])[::-1]
        return list(told.values())

    def add(self, node: Node) -> bool:
        """Whether the node is a new one."""
        return self.nodes.setdefault(node.key, node) is node

    def join(self, parent: str, child: str, relation: str) -> None:
        if parent != child:
            self.edges.setdefault((parent, child), Edge(parent, child, relation))


def lineage_of(actor: Actor, repository: Repository) -> Lineage:
    """The family of a model or data set: as many queries as levels, and no more nodes than a page
    holds. Cards may say anything, circles included."""
    itself = _node(repository, 0)
    found = Lineage(itself, {itself.key: itself})
    _climb(found, actor, repository)
    _join_runs(found, actor, repository)
    _descend(found, actor, repository)
    found.counts = direct_counts(actor, repository)
    return found


def _join_runs(found: Lineage, actor: Actor, repository: Repository) -> None:
    """The data sets that runs of this hub taught it with, whatever its card says."""
    wanted = {key for source in registries.taught_with for key in source(repository)}
    rows = visible_repositories(actor).filter(pk__in=wanted) if wanted else ()
    for row in rows:
        node = _node(row, -1)
        if node.key not in found.nodes and len(found.nodes) > NODES_LIMIT:
            found.is_cut = True
            return
        found.add(node)
        found.join(node.key, found.itself.key, Relation.DATASET)


def children_of(actor: Actor, repository: Repository, *, most: int) -> list[tuple[Node, str]]:
    """What was made directly of it, the best liked first."""
    rows = _links_down(actor, [repository.pk]).exclude(repository=repository.pk)
    links = rows.order_by("-repository__likes", "-repository", "pk")
    found: dict[int, tuple[Node, str]] = {}
    for link in links.select_related("repository__namespace")[:most]:
        found.setdefault(link.repository_id, (_node(link.repository, 1), link.relation))
    return list(found.values())


def direct_counts(actor: Actor, repository: Repository) -> dict[str, int]:
    """How many models that `actor` may see name this one as what they were made from."""
    links = _links_down(actor, [repository.pk]).exclude(repository=repository.pk)
    counted = links.values("relation").annotate(count=Count("repository", distinct=True))
    return dict(counted.order_by("relation").values_list("relation", "count"))


def parents_of(actor: Actor, repository: Repository) -> list[tuple[Node, str]]:
    """What its card says it was made from, with the relation."""
    links = list(ModelLink.objects.filter(repository=repository.pk).order_by("position"))
    seen = _visible(actor, links)
    nodes: dict[str, tuple[Node, str]] = {}
    for link in links:
        node = _parent(link, seen, -1)
        if node.repository is None or node.repository.pk != repository.pk:
            nodes.setdefault(node.key, (node, link.relation))
    return list(nodes.values())


def _climb(found: Lineage, actor: Actor, repository: Repository) -> None:
    frontier = {repository.pk: found.itself}
    for level in range(1, UP_LEVELS + 2):
        rows = ModelLink.objects.filter(repository__in=frontier).order_by("repository", "position")
        links = list(rows[:LINKS_LIMIT])
        found.is_cut |= len(links) == LINKS_LIMIT
        if level > UP_LEVELS:
            found.is_cut |= bool(links)
            return
        seen, above = _visible(actor, links), {}
        for link in links:
            node = _parent(link, seen, -level)
            if node.key not in found.nodes and len(found.nodes) > NODES_LIMIT:
                found.is_cut = True
                continue
            if found.add(node) and node.repository is not None and node.kind == Kind.MODEL:
                above[node.repository.pk] = node
            found.join(node.key, frontier[link.repository_id].key, link.relation)
        frontier = above
        if not frontier:
            return


def _descend(found: Lineage, actor: Actor, repository: Repository) -> None:
    frontier, room = {repository.pk: found.itself}, NODES_LIMIT
    for level in range(1, DOWN_LEVELS + 2):
        rows = _links_down(actor, frontier).order_by("-repository__likes", "-repository", "pk")
        links = list(rows.select_related("repository__namespace")[:LINKS_LIMIT])
        found.is_cut |= len(links) == LINKS_LIMIT
        if level > DOWN_LEVELS or not links:
            found.is_cut |= bool(links)
            return
        below = {}
        for link in links:
            node = _node(link.repository, level)
            if node.key not in found.nodes:
                if not room:
                    found.is_cut = True
                    continue
                room -= 1
            if found.add(node):
                below[link.repository_id] = node
            if link.parent_id is not None:
                found.join(frontier[link.parent_id].key, node.key, link.relation)
        frontier = below
        if not frontier:
            return


def _links_down(actor: Actor, parents: Iterable[int]) -> ModelLinkQuerySet:
    seen = seen_repositories(actor).values("pk")
    return ModelLink.objects.filter(parent__in=list(parents), repository__in=seen)


def _visible(actor: Actor, links: Iterable[ModelLink]) -> dict[int, Repository]:
    """The parents that `actor` may see, by key."""
    keys = {link.parent_id for link in links if link.parent_id is not None}
    rows = visible_repositories(actor).filter(pk__in=keys) if keys else ()
    return {row.pk: row for row in rows}


def _parent(link: ModelLink, seen: dict[int, Repository], level: int) -> Node:
    """Hidden and missing read alike: both are no more than what the card says."""
    here = seen.get(link.parent_id or 0)
    if here is not None:
        return _node(here, level)
    kind, name = str(link.parent_kind), link.named
    return Node(f"{kind}:{name.casefold()}", kind, name, level)


def _node(repository: Repository, level: int) -> Node:
    return Node(
        str(repository.pk), repository.kind, repository.repo_id, level, repository=repository
    )
