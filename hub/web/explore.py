"""Explore: one page for finding things; every state has its own address."""

from __future__ import annotations

import math
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext_lazy as _

from hub.actions.exploring import BEST, SCORE, SORTS, Explorer, Wish
from hub.errors import NotFoundError
from hub.extensions import registries
from hub.formats.facets import FACETS
from hub.formats.search_words import QUERY_LENGTH
from hub.http.authentication import actor_of
from hub.models import Kind, Namespace, NamespaceKind
from hub.web.explore_shown import facet_group, facet_groups, filter_chips, without_page

PAGE_SIZE = 20
_VALUE_LENGTH, _VALUES_CHOSEN = 140, 8
SORT_LABELS = {
    BEST: _("best match"),
    "trending": _("trending"),
    "downloads": _("most downloaded"),
    "likes": _("most liked"),
    "recent": _("recently changed"),
    SCORE: _("best score"),
}
PEOPLE = {"people": NamespaceKind.USER, "organizations": NamespaceKind.ORGANIZATION}


def explore(request: HttpRequest) -> HttpResponse:
    """Find a model or data set, a person or an organisation."""
    if request.GET.get("kind") in PEOPLE:
        return _people(request)
    wish = read_wish(request.GET)
    actor = actor_of(request)
    explorer = Explorer(actor, wish)
    found = explorer.found
    page = Paginator(range(found.reachable), PAGE_SIZE).get_page(request.GET.get("page"))
    begin = page.start_index() - 1 if found.reachable else 0
    rows = explorer.rows_of(found.page(begin, begin + PAGE_SIZE))
    for row in rows:
        row.found_score = found.scores.get(row.pk, "")
    context = {
        "wish": wish,
        "found": found,
        "page": page,
        "rows": rows,
        "meant": explorer.suggestion(rows) if found.is_loose else "",
        "groups": facet_groups(explorer, request.GET),
        "chips": filter_chips(wish, request.GET),
        "sorts": _sorts(wish, request.GET),
        "choices": registries.score_choices(actor) if wish.kind in {"", Kind.MODEL} else [],
        "kept": [(key, value) for key, values in without_page(request.GET).lists()
                 for value in values],
        "keep": without_page(request.GET).urlencode(),
    }  # fmt: skip
    return _page(request, "hub/explore.html", "results", context)


def facet_values(request: HttpRequest, facet: str) -> HttpResponse:
    """All values of one facet, searched by a text."""
    if facet not in FACETS:
        raise NotFoundError("There is no such filter.")
    like = request.GET.get("find", "").replace("\0", "").strip()[:_VALUE_LENGTH]
    explorer = Explorer(actor_of(request), read_wish(request.GET))
    query = without_page(request.GET)
    query.pop("find", None)
    context = {
        "group": facet_group(explorer, query, facet, like=like, listed=True),
        "like": like,
        "kept": [(key, value) for key, values in query.lists() for value in values],
        "back": f"/-/explore?{query.urlencode()}",
    }
    return _page(request, "hub/explore_values.html", "values", context)


def read_wish(query: QueryDict) -> Wish:
    """What an address asks for; what it gets wrong asks for nothing."""
    kind, sort = query.get("kind", ""), query.get("sort", "")
    benchmark = query.get("benchmark", "")[:_VALUE_LENGTH]
    chosen = {name: _values(query, name) for name in FACETS}
    return Wish(
        query=query.get("q", "").replace("\0", "").strip()[:QUERY_LENGTH],
        kind=kind if kind in Kind.values else "",
        tag=query.get("tag", "").replace("\0", "")[:128],
        sort=sort if sort in SORT_LABELS else "",
        chosen={name: values for name, values in chosen.items() if values},
        benchmark=benchmark,
        least=_number(query.get("min", "")) if benchmark else None,
        most=_number(query.get("max", "")) if benchmark else None,
    )


def _values(query: QueryDict, name: str) -> tuple[str, ...]:
    given = (each.replace("\0", "")[:_VALUE_LENGTH] for each in query.getlist(name))
    return tuple(dict.fromkeys(each for each in given if each))[:_VALUES_CHOSEN]


def _number(text: str) -> float | None:
    try:
        value = float(text[:32].replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _sorts(wish: Wish, query: QueryDict) -> list[dict[str, Any]]:
    shown = [BEST] if wish.query else []
    shown += [*SORTS, *([SCORE] if wish.benchmark else [])]
    current = wish.sort if wish.sort in shown else shown[0]
    found = []
    for name in shown:
        changed = without_page(query)
        changed["sort"] = name
        address = f"/-/explore?{changed.urlencode()}"
        found.append({"label": SORT_LABELS[name], "url": address, "is_on": name == current})
    return found


def _people(request: HttpRequest) -> HttpResponse:
    kind = request.GET["kind"]
    text = request.GET.get("q", "").replace("\0", "").strip()[:QUERY_LENGTH]
    rows = Namespace.objects.filter(kind=PEOPLE[kind]).exclude(owner__is_active=False)
    for word in text.split()[:4]:
        rows = rows.filter(Q(slug__icontains=word) | Q(full_name__icontains=word))
    page = Paginator(rows.order_by("slug"), PAGE_SIZE).get_page(request.GET.get("page"))
    kept = {"kind": kind} | ({"q": text} if text else {})
    query = QueryDict(mutable=True)
    query.update(kept)
    context = {"kind": kind, "query": text, "page": page, "keep": query.urlencode()}
    return _page(
        request, "hub/explore_people.html", "results", context | {"kept": [("kind", kind)]}
    )


def _page(request: HttpRequest, template: str, part: str, context: dict[str, Any]) -> HttpResponse:
    """The page, or the part of it that htmx asks for; a page that it restores is a whole one."""
    asks = request.headers.get("HX-Request") == "true"
    is_part = asks and request.headers.get("HX-History-Restore-Request") != "true"
    response = render(request, f"{template}#{part}" if is_part else template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response
