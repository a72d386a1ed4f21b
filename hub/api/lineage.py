"""The lineage of a model or data set."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions.lineage import Lineage, lineage_of
from hub.api.views import RepositoryView
from hub.errors import NotFoundError
from hub.models import Kind, Relation


class MemberSerializer(serializers.Serializer):
    """`level` is below 0 for ancestors; `here` is false for what is not here or not shown to you:
    nothing is told of it but what a card says."""

    id = serializers.CharField(help_text="namespace/name")
    type = serializers.ChoiceField(choices=[Kind.MODEL.value, Kind.DATASET.value])
    level = serializers.IntegerField()
    here = serializers.BooleanField()
    private = serializers.BooleanField()


class JoinSerializer(serializers.Serializer):
    """`ancestor` and `descendant` are places in `members`."""

    ancestor = serializers.IntegerField()
    descendant = serializers.IntegerField()
    relation = serializers.ChoiceField(choices=Relation.values)


class LineageSerializer(serializers.Serializer):
    """`counts` are of direct descendants, by relation; `truncated`: there is more."""

    members = MemberSerializer(many=True)
    links = JoinSerializer(many=True)
    counts = serializers.DictField(child=serializers.IntegerField())
    truncated = serializers.BooleanField()


def told(found: Lineage) -> dict[str, Any]:
    """A lineage as the API gives it."""
    rows = found.rows()
    places = {node.key: at for at, node in enumerate(rows)}
    return {
        "members": [
            {
                "id": node.repo_id,
                "type": node.kind,
                "level": node.level,
                "here": node.repository is not None,
                "private": node.repository is not None and node.repository.is_private,
            }
            for node in rows
        ],
        "links": [
            {
                "ancestor": places[edge.parent],
                "descendant": places[edge.child],
                "relation": edge.relation,
            }
            for edge in found.edges.values()
            if edge.parent in places and edge.child in places
        ],
        "counts": found.counts,
        "truncated": found.is_cut,
    }


class LineageView(RepositoryView):
    """GET /api/{kind}s/{namespace}/{name}/lineage"""

    @extend_schema(
        summary=_("What a model was made from, and what was made of it"),
        responses=LineageSerializer,
    )
    def get(self, request: Request, **path: Any) -> Response:
        if self.repository.kind not in (Kind.MODEL, Kind.DATASET):
            raise NotFoundError("Only models and data sets have a lineage.")
        return Response(told(lineage_of(self.actor, self.repository)))
