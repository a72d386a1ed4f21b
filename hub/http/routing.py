"""Routes of repositories: one function writes the spellings of every kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from django.urls import URLPattern, URLResolver, include, path, register_converter
from django.urls.resolvers import RoutePattern

from hub.http.converters import (
    PathConverter,
    PluralKindConverter,
    RevisionConverter,
    SegmentConverter,
)
from hub.models import Kind

register_converter(SegmentConverter, "segment")
register_converter(RevisionConverter, "revision")
register_converter(PathConverter, "entry")
register_converter(PluralKindConverter, "kinds")

View = Callable[..., Any]
Route = URLPattern | URLResolver
# How the routes of a repository begin, the API's among them, after their prefix. `.git` is first:
# it is no part of a name.
HEADS = tuple(
    f"{kind}<segment:namespace>/<segment:name>{end}"
    for kind in ("", "<kinds:kind>/")
    for end in (".git/", "/")
)
_WORD = re.compile(r"[a-z][a-z0-9.-]*(?=/|$)")
# The first segments that belong to the server; every other one is a namespace.
PREFIXES = ("-/", "api/", *(kind.web_prefix for kind in Kind if kind.web_prefix))


def api(rest: str, view: View, name: str) -> URLPattern:
    """`/api/{kind}s/{namespace}/{name}{rest}`"""
    return path(f"api/<kinds:kind>/<segment:namespace>/<segment:name>{rest}", view, name=name)


def page(rest: str, view: View, name: str) -> list[URLPattern]:
    """`/[datasets/]{namespace}/{name}{rest}`: one pattern a kind, under one URL name.

    Kinds with a prefix come first, so that `datasets` is never taken for a namespace.
    """
    kinds = sorted(Kind, key=lambda kind: not kind.web_prefix)
    return [
        path(
            f"{kind.web_prefix}<segment:namespace>/<segment:name>{rest}",
            view,
            {"kind": kind},
            name=name,
        )
        for kind in kinds
    ]


def by_prefix(patterns: Iterable[Route]) -> list[Route]:
    """The same routes: those with a prefix of PREFIXES below one route each, and below that those
    of a repository by their first word (`blob`, `discussions` …), all in their order.

    Django tries one route after the other: a page of a repository would be compared with several
    hundred others first. What a prefix's routes do not match goes on to the rest.
    """
    below: dict[str, list[Route]] = {prefix: [] for prefix in PREFIXES}
    rest: list[Route] = []
    for each in patterns:
        route = str(each.pattern)
        prefix = next((found for found in PREFIXES if route.startswith(found)), None)
        if prefix and _is_path(each):
            below[prefix].append(_below(each, prefix))
        else:
            rest.append(each)
    grouped = [path(prefix, include(by_word(inner))) for prefix, inner in below.items() if inner]
    return [*grouped, *by_word(rest)]


def by_word(patterns: Iterable[Route]) -> list[Route]:
    """The same routes, those of a repository below the first word after its name."""
    below: dict[str, dict[str, list[Route]]] = {head: {} for head in HEADS}
    rest: list[Route] = []
    for each in patterns:
        route = str(each.pattern)
        head = next((found for found in HEADS if route.startswith(found)), None)
        word = _WORD.match(route, len(head)) if head else None
        if head and word and _is_path(each):
            below[head].setdefault(word[0], []).append(_below(each, head + word[0]))
        else:
            rest.append(each)
    grouped = [
        path(head, include([path(word, include(inner)) for word, inner in words.items()]))
        for head, words in below.items()
        if words
    ]
    return [*grouped, *rest]


def _is_path(route: Route) -> bool:
    return isinstance(route, URLPattern) and isinstance(route.pattern, RoutePattern)


def _below(route: Any, prefix: str) -> URLPattern:
    """The same route without what it begins with."""
    short = str(route.pattern).removeprefix(prefix)
    return path(short, route.callback, route.default_args, route.name)
