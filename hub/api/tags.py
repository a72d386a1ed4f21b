"""The tags that public repositories carry, by type: what a search form offers."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.db.models import F, Func
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.fields import DictField
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api import shapes
from hub.api.views import HubView
from hub.models import Kind, Repository

KEPT_SECONDS = 60
_PREFIXES = {
    Kind.MODEL: ("license", "dataset", "base_model"),
    Kind.DATASET: (
        *("license", "language", "task_categories", "task_ids", "size_categories"),
        *("multilinguality", "source_datasets", "annotations_creators", "language_creators"),
    ),
}


class TagsByTypeView(HubView):
    """GET /api/models-tags-by-type and /api/datasets-tags-by-type"""

    kind: Kind = Kind.MODEL

    @extend_schema(
        summary=_("Tags of public repositories by type"),
        responses=DictField(child=shapes.CatalogueTagShape(many=True)),
    )
    def get(self, request: Request) -> Response:
        key = f"tags-by-type:{self.kind.value}"
        return Response(cache.get_or_set(key, lambda: tags_by_type(self.kind), KEPT_SECONDS))


def tags_by_type(kind: Kind) -> dict[str, list[dict[str, Any]]]:
    """Every tag once, under its type; `other` holds what belongs to none."""
    rows = Repository.objects.visible_to(AnonymousUser()).filter(kind=kind).order_by()
    every = set(rows.values_list(Func(F("tags"), function="unnest"), flat=True).distinct())
    found: dict[str, set[str]] = {prefix: set() for prefix in _PREFIXES[kind]}
    for tag in every:
        prefix, colon, _rest = tag.partition(":")
        if colon and prefix in found:
            found[prefix].add(tag)
    if kind == Kind.MODEL:
        named = {
            "library": rows.values_list("library_name", flat=True),
            "pipeline_tag": rows.values_list("pipeline_tag", flat=True),
            "language": rows.values_list(_languages(), flat=True),
        }
        found |= {name: every & set(values.distinct()) for name, values in named.items()}
    found["other"] = every - set().union(*found.values())
    return {name: [_tag(name, tag) for tag in sorted(tags)] for name, tags in found.items()}


def _languages() -> Func:
    """Each text under `language` of the card, which holds one or a list."""
    template = (
        """jsonb_path_query(%(expressions)s, '$.language[*] ? (@.type() == "string")') #>> '{}'"""
    )
    return Func(F("card_data"), template=template, output_field=Repository._meta.get_field("name"))


def _tag(name: str, tag: str) -> dict[str, Any]:
    label = tag.removeprefix(f"{name}:")
    return {"id": tag, "label": label, "type": name}
