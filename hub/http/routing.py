"""Routes of repositories: one function writes the spellings of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path, register_converter

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
