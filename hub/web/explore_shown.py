"""Filters of explore as links: each value leads to the address with it, or without it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from hub.actions.exploring import Explorer, Wish
from hub.formats.facets import FACETS
from hub.models import Kind
from hub.web.field_words import language_name, size_name, size_order, task_name

SHOWN = 8
LABELS = {
    "task": _("Task"),
    "library": _("Library"),
    "language": _("Language"),
    "license": _("Licence"),
    "size": _("Size"),
    "base": _("Base model"),
}
_OF_MODELS = frozenset(("library", "base"))


@dataclass(frozen=True)
class FacetValue:
    """One line: `count` None where nobody has counted it."""

    label: str
    count: int | None
    url: str
    is_on: bool


@dataclass(frozen=True)
class FacetGroup:
    """A facet with the values that most have, and those that are chosen. `about`: estimated."""

    key: str
    label: Any
    about: bool
    more: str
    values: list[FacetValue] = field(default_factory=list)
    is_more: bool = False


def facet_groups(explorer: Explorer, query: QueryDict) -> list[FacetGroup]:
    """The facets that say something of the kind that is looked at."""
    kind = explorer.wish.kind
    shown = [name for name in FACETS if kind in {"", Kind.MODEL} or name not in _OF_MODELS]
    groups = [facet_group(explorer, without_page(query), name) for name in shown]
    return [group for group in groups if group.values]


def facet_group(
    explorer: Explorer, query: QueryDict, facet: str, *, like: str = "", listed: bool = False
) -> FacetGroup:
    counts = explorer.counts(facet, like=like, listed=listed)
    chosen = explorer.wish.chosen.get(facet, ())
    prefix = f"{facet}:"
    found = {
        key.removeprefix(prefix): count
        for key, count in counts.values.items()
        if key.startswith(prefix) and like.casefold() in key.removeprefix(prefix).casefold()
    }
    names = sorted(found, key=lambda name: (-found[name], name))
    kept = names if listed else names[:SHOWN]
    kept = [*(name for name in chosen if name not in kept and not like), *kept]
    if facet == "size":
        kept.sort(key=size_order)
    values = [
        FacetValue(
            label_of(facet, name), found.get(name), _toggled(query, facet, name), name in chosen
        )
        for name in kept
    ]
    more = f"/-/explore/values/{facet}?{query.urlencode()}"
    is_more = not listed and len(names) > SHOWN
    return FacetGroup(facet, LABELS[facet], counts.about, more, values, is_more)


def filter_chips(wish: Wish, query: QueryDict) -> list[dict[str, str]]:
    """What narrows the list now, each with the address without it."""
    chips = [
        {"label": f"{LABELS[facet]}: {label_of(facet, name)}", "url": _toggled(query, facet, name)}
        for facet, names in wish.chosen.items()
        for name in names
    ]
    for key, text in (("tag", wish.tag), ("benchmark", wish.benchmark)):
        if text:
            changed = without_page(query)
            for gone in (key, *(("min", "max", "sort") if key == "benchmark" else ())):
                changed.pop(gone, None)
            chips.append({"label": text, "url": f"/-/explore?{changed.urlencode()}"})
    return chips


def label_of(facet: str, value: str) -> str:
    """How a value reads in the reader's language."""
    if facet == "language":
        name = language_name(value)
        return name if name == value else f"{name} · {value}"
    named = {"task": task_name, "size": size_name}.get(facet, str)
    return named(value)


def without_page(query: QueryDict) -> QueryDict:
    """A copy of an address' query that begins at its first page; empty values are left out."""
    kept = QueryDict(mutable=True)
    for key, values in query.lists():
        if key != "page" and (full := [each[:200] for each in values if each][:8]):
            kept.setlist(key[:40], full)
    return kept


def _toggled(query: QueryDict, facet: str, value: str) -> str:
    changed = without_page(query)
    values = changed.getlist(facet)
    if value in values:
        changed.setlist(facet, [each for each in values if each != value])
    else:
        changed.appendlist(facet, value)
    text = changed.urlencode()
    return f"/-/explore?{text}" if text else "/-/explore"
