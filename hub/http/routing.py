"""Routes of repositories: one function writes the spellings of every kind."""

from __future__ import annotations

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


def by_prefix(patterns: Iterable[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """The same routes, those with a prefix of PREFIXES below one route each, in their order.

    Django tries one route after the other: a page of a repository would be compared with several
    hundred of other kinds first. What a prefix's routes do not match goes on to the rest.
    """
    below: dict[str, list[URLPattern]] = {prefix: [] for prefix in PREFIXES}
    rest: list[URLPattern | URLResolver] = []
    for each in patterns:
        route = str(each.pattern)
        prefix = next((found for found in PREFIXES if route.startswith(found)), None)
        if prefix and isinstance(each, URLPattern) and isinstance(each.pattern, RoutePattern):
            short = route.removeprefix(prefix)
            below[prefix].append(path(short, each.callback, each.default_args, each.name))
        else:
            rest.append(each)
    return [path(prefix, include(inner)) for prefix, inner in below.items() if inner] + rest
