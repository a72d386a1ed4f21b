"""Collections, as huggingface_hub calls them. A slug counts by the id at its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hub.actions import collections
from hub.api import collection_shapes as shapes
from hub.api.parsers import AnyJSONParser
from hub.api.views import HubView, body_of
from hub.api.wire import linked, number
from hub.errors import BadInputError, HubError
from hub.models import Access, Collection, TokenScope
from hub.models.collections import CollectionQuerySet
from hub.policies import get_collection, require_person, visible_collections, with_items

PAGE = 100
ITEMS_IN_LISTS = 4
FILTERS_LIMIT = 20
SORTS = ("lastModified", "trending", "upvotes")
TREND = timedelta(days=14)


def read(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The validated body of `request`."""
    form = kind(data=body_of(request))
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


class CollectionView(HubView):
    parser_classes = [AnyJSONParser]

    def found(self, namespace: str, slug: str, *, need: Access = Access.READ) -> Collection:
        return get_collection(self.actor, f"{namespace}/{slug}", need=need)

    def shown(self, collection: Collection) -> dict[str, Any]:
        with_items(self.actor, [collection])
        return shapes.details(collection, self.actor)


class CollectionListView(CollectionView):
    """GET, POST /api/collections"""

    @extend_schema(
        summary=_("List collections"),
        parameters=[
            OpenApiParameter("owner", str, many=True, description="Any of these owns it"),
            OpenApiParameter("item", str, many=True, description="Holds any: models/x/y, …"),
            OpenApiParameter("q", str, description="Words of title and description"),
            OpenApiParameter("sort", str, enum=SORTS),
            OpenApiParameter("limit", int),
            OpenApiParameter("p", int, description="The page, from 0"),
        ],
        responses=shapes.CollectionLineSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        rows = self._sorted(self._narrowed(visible_collections(self.actor), request), request)
        limit = number(request, "limit", default=PAGE, most=PAGE)
        page = number(request, "p", default=0) if request.query_params.get("p") != "0" else 0
        start = page * limit
        found = list(rows.with_upvotes()[start : start + limit + 1])
        shown = with_items(self.actor, found[:limit], most=ITEMS_IN_LISTS)
        following = page + 1 if len(found) > limit else None
        return linked(request, [shapes.collection(row) for row in shown], p=following)

    def _narrowed(self, rows: CollectionQuerySet, request: Request) -> CollectionQuerySet:
        query = request.query_params
        owners, items = query.getlist("owner"), query.getlist("item")
        if max(len(owners), len(items)) > FILTERS_LIMIT:
            raise BadInputError(f"Ask for at most {FILTERS_LIMIT} owners and items at once.")
        if owners:
            own = Q()
            for owner in owners:
                own |= Q(namespace__slug__iexact=owner)
            rows = rows.filter(own)
        if items:
            rows = rows.filter(self._holding(items))
        for word in query.get("q", "")[:256].split()[:8]:
            rows = rows.filter(Q(title__icontains=word) | Q(description__icontains=word))
        return rows

    def _holding(self, items: list[str]) -> Q:
        """Collections with any of `items`; what the caller may not see is in none."""
        held = Q(pk__in=[])
        for text in items:
            kind, _slash, name = text.partition("/")
            try:
                thing = collections.find_thing(self.actor, kind.removesuffix("s"), name)
            except HubError:
                continue
            column = "target" if isinstance(thing, Collection) else "repository"
            held |= Q(**{f"items__{column}": thing})
        return held

    def _sorted(self, rows: CollectionQuerySet, request: Request) -> CollectionQuerySet:
        sort = request.query_params.get("sort") or "trending"
        if sort not in SORTS:
            raise BadInputError(f"Sort by one of {', '.join(SORTS)}.")
        rows = Collection.objects.filter(pk__in=rows.values("pk")).select_related("namespace")
        if sort == "lastModified":
            return rows.order_by("-last_modified_at", "-pk")
        recent = Q(votes__created_at__gt=timezone.now() - TREND) if sort == "trending" else Q()
        scored = rows.annotate(score=Count("votes", filter=recent or None))
        return scored.order_by("-score", "-last_modified_at", "-pk")

    @extend_schema(
        summary=_("Create a collection"),
        request=shapes.CreateSerializer,
        responses=shapes.CollectionSerializer,
    )
    def post(self, request: Request) -> Response:
        user = require_person(self.actor, scope=TokenScope.WRITE)
        form = read(shapes.CreateSerializer, request)
        owner = form.pop("namespace", user.username)
        return Response(self.shown(collections.create_collection(self.actor, owner, **form)))


class CollectionDetailView(CollectionView):
    """GET, PATCH, DELETE /api/collections/{slug}"""

    @extend_schema(summary=_("One collection"), responses=shapes.CollectionSerializer)
    def get(self, request: Request, namespace: str, slug: str) -> Response:
        return Response(self.shown(self.found(namespace, slug)))

    @extend_schema(
        summary=_("Change a collection"),
        request=shapes.ChangeSerializer,
        responses=shapes.CollectionDataSerializer,
    )
    def patch(self, request: Request, namespace: str, slug: str) -> Response:
        collection = self.found(namespace, slug, need=Access.WRITE)
        form = read(shapes.ChangeSerializer, request)
        changed = collections.update_collection(collection, self.actor, **form)
        return Response({"success": True, "data": self.shown(changed)})

    @extend_schema(summary=_("Delete a collection"), responses={200: None})
    def delete(self, request: Request, namespace: str, slug: str) -> Response:
        collection = self.found(namespace, slug, need=Access.WRITE)
        collections.delete_collection(collection, self.actor)
        return Response({"success": True})


class ItemsView(CollectionView):
    """POST /api/collections/{slug}/items"""

    @extend_schema(
        summary=_("Add to a collection"),
        request=shapes.AddItemSerializer,
        responses=shapes.CollectionSerializer,
    )
    def post(self, request: Request, namespace: str, slug: str) -> Response:
        collection = self.found(namespace, slug, need=Access.WRITE)
        form = read(shapes.AddItemSerializer, request)
        thing = collections.find_thing(self.actor, form["item"]["type"], form["item"]["id"])
        collections.add_item(collection, self.actor, thing, note=form.get("note", ""))
        return Response(self.shown(self.found(namespace, slug)))


class ItemView(CollectionView):
    """PATCH, DELETE /api/collections/{slug}/items/{item}"""

    @extend_schema(
        summary=_("Change an item's note or place"),
        request=shapes.ChangeItemSerializer,
        responses=shapes.CollectionDataSerializer,
    )
    def patch(self, request: Request, namespace: str, slug: str, item: str) -> Response:
        collection = self.found(namespace, slug, need=Access.WRITE)
        form = read(shapes.ChangeItemSerializer, request)
        collections.update_item(collection, self.actor, item, **form)
        return Response({"success": True, "data": self.shown(self.found(namespace, slug))})

    @extend_schema(summary=_("Take an item out of a collection"), responses={200: None})
    def delete(self, request: Request, namespace: str, slug: str, item: str) -> Response:
        collection = self.found(namespace, slug, need=Access.WRITE)
        collections.remove_item(collection, self.actor, item)
        return Response({"success": True})


class UpvoteView(CollectionView):
    """POST, DELETE /api/collections/{slug}/upvote"""

    @extend_schema(
        summary=_("Upvote a collection"), request=None, responses=shapes.UpvotesSerializer
    )
    def post(self, request: Request, namespace: str, slug: str) -> Response:
        collections.upvote(self.found(namespace, slug), self.actor)
        return self._count(namespace, slug)

    @extend_schema(summary=_("Take an upvote back"), responses=shapes.UpvotesSerializer)
    def delete(self, request: Request, namespace: str, slug: str) -> Response:
        collections.take_upvote_back(self.found(namespace, slug), self.actor)
        return self._count(namespace, slug)

    def _count(self, namespace: str, slug: str) -> Response:
        return Response({"upvotes": self.found(namespace, slug).upvotes})
