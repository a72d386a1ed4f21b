"""The lineage of a model or data set: what it was made from, what was made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy, ngettext_lazy
from django.views.decorators.http import require_safe

from hub.actions.lineage import (
    Lineage,
    Node,
    children_of,
    direct_counts,
    lineage_of,
    parents_of,
)
from hub.errors import NotFoundError
from hub.extensions import registries
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Kind, Relation, Repository
from hub.rendering.family import draw_family
from hub.rendering.rail import draw_rail

KINDS = (Kind.MODEL, Kind.DATASET)
# How a model stands to what stands above it in the list.
SAID: dict[str, Any] = {
    "adapter": gettext_lazy("adapter of %(parents)s"),
    "finetune": gettext_lazy("fine-tune of %(parents)s"),
    "merge": gettext_lazy("merge of %(parents)s"),
    "quantized": gettext_lazy("quantisation of %(parents)s"),
    "dataset": gettext_lazy("trained on %(parents)s"),
}
COUNTED: dict[str, Any] = {
    "adapter": ngettext_lazy("%(count)d adapter", "%(count)d adapters", "count"),
    "finetune": ngettext_lazy("%(count)d fine-tune", "%(count)d fine-tunes", "count"),
    "merge": ngettext_lazy("%(count)d merge", "%(count)d merges", "count"),
    "quantized": ngettext_lazy("%(count)d quantisation", "%(count)d quantisations", "count"),
    "dataset": ngettext_lazy(
        "%(count)d model trained on it", "%(count)d models trained on it", "count"
    ),
}
PARENTS_NAMED = 3
# Of the small drawing on the first page.
PARENTS_DRAWN, CHILDREN_DRAWN, SMALL_ROW = 4, 3, 36


@dataclass(frozen=True)
class Row:
    """One member of the family. `url` is "" for what is not here, or not to be seen."""

    name: str
    kind: str
    url: str
    lineage_url: str
    said: list[str]
    is_itself: bool
    is_private: bool
    dot: tuple[int, int]


@require_safe
@repository_page()
def lineage(request: HttpRequest, repository: Repository) -> HttpResponse:
    """The whole family as a list with a rail beside it."""
    _require_lineage(repository)
    found = lineage_of(actor_of(request), repository)
    context = frame(repository, "card") | shown(found) | {"actions": actions(repository, request)}
    return render(request, "hub/lineage.html", context)


def _require_lineage(repository: Repository) -> None:
    """Raises: NotFoundError for kinds whose cards name no parents."""
    if repository.kind not in KINDS:
        raise NotFoundError("Only models and data sets have a lineage.")


def actions(repository: Repository, request: HttpRequest) -> list[tuple[Any, str]]:
    """What features let the one who looks do with it: words and addresses."""
    return [each for source in registries.lineage_actions for each in source(repository, request)]


def aside(request: HttpRequest, repository: Repository) -> dict[str, Any] | None:
    """What the first page tells of it; None where nothing is known and nothing can be done."""
    if repository.kind not in KINDS:
        return None
    actor = actor_of(request)
    counts = direct_counts(actor, repository)
    above = parents_of(actor, repository)
    below = children_of(actor, repository, most=CHILDREN_DRAWN) if counts else []
    context: dict[str, Any] = {
        "parents": len(above),
        "small": _small(repository, above, below),
        "more_above": max(0, len(above) - PARENTS_DRAWN),
        "counts": _counts(counts),
        "actions": actions(repository, request),
        "url": f"{repository.get_absolute_url()}/lineage",
    }
    return context if any(context[key] for key in ("parents", "counts", "actions")) else None


def _small(
    repository: Repository, above: list[tuple[Node, str]], below: list[tuple[Node, str]]
) -> dict[str, Any] | None:
    """Parents, the one itself, and some of what was made of it, as a rail beside their names."""
    if not above and not below:
        return None
    above = above[:PARENTS_DRAWN]
    itself = len(above)
    joins = [(at, itself, relation) for at, (_node, relation) in enumerate(above)]
    joins += [(itself, itself + 1 + at, relation) for at, (_n, relation) in enumerate(below)]
    # A column for each parent: in one, a line would run through the next one's dot.
    columns = [*range(itself + 1), *[itself + 1] * len(below)]
    rail = draw_rail(columns, joins, row_height=SMALL_ROW)
    rows = [
        *((node.repo_id, _url(node), Relation(word).label, node.kind) for node, word in above),
        (repository.repo_id, "", "", repository.kind),
        *((node.repo_id, _url(node), Relation(word).label, node.kind) for node, word in below),
    ]
    return {"rail": rail, "rows": list(zip(rows, rail.dots, strict=True)), "itself": itself}


def _graph(found: Lineage, nodes: list[Node]) -> dict[str, Any]:
    """The family as boxes and curves, for a page that is wide enough."""
    edges = [(each.parent, each.child, each.relation) for each in found.edges.values()]
    graph = draw_family([(node.key, node.repo_id, node.level) for node in nodes], edges)
    by_key = {node.key: node for node in nodes}
    boxes = [(box, by_key[box.key], _url(by_key[box.key])) for box in graph.boxes]
    return {"graph": graph, "boxes": boxes, "itself_key": found.itself.key}


def shown(found: Lineage) -> dict[str, Any]:
    """What the page draws."""
    nodes = found.rows()
    places = {node.key: at for at, node in enumerate(nodes)}
    first = min(node.level for node in nodes)
    edges = [each for each in found.edges.values() if {each.parent, each.child} <= places.keys()]
    joins = []
    for each in edges:
        upper, lower = sorted((places[each.parent], places[each.child]))
        joins.append((upper, lower, each.relation))
    rail = draw_rail([node.level - first for node in nodes], joins)
    rows = [
        Row(
            name=node.repo_id,
            kind=node.kind,
            url=_url(node),
            lineage_url=f"{_url(node)}/lineage" if node.repository and node.level else "",
            said=_said(found, node),
            is_itself=node is found.itself,
            is_private=bool(node.repository and node.repository.is_private),
            dot=dot,
        )
        for node, dot in zip(nodes, rail.dots, strict=True)
    ]
    return _graph(found, nodes) | {
        "rail": rail,
        "rows": rows,
        "is_cut": found.is_cut,
        "counts": _counts(found.counts),
        "ancestors": sum(node.level < 0 for node in nodes),
    }


def _said(found: Lineage, node: Node) -> list[str]:
    by_relation: dict[str, list[str]] = {}
    for edge in found.edges.values():
        if edge.child == node.key:
            by_relation.setdefault(edge.relation, []).append(found.nodes[edge.parent].repo_id)
    return [
        str(SAID[relation]) % {"parents": _listed(names)} for relation, names in by_relation.items()
    ]


def _listed(names: list[str]) -> str:
    more = len(names) - PARENTS_NAMED
    return ", ".join(names[:PARENTS_NAMED]) + (f" +{more}" if more > 0 else "")


def _counts(counts: dict[str, int]) -> list[str]:
    return [str(COUNTED[key] % {"count": count}) for key, count in counts.items()]


def _url(node: Node) -> str:
    return node.repository.get_absolute_url() if node.repository else ""
