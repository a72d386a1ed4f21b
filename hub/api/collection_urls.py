"""Routes of the collections API."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from hub.api import collections

_ONE = "api/collections/<segment:namespace>/<revision:slug>"

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/collections", collections.CollectionListView.as_view(), name="collections-api"),
    path(_ONE, collections.CollectionDetailView.as_view(), name="collection-api"),
    path(f"{_ONE}/items", collections.ItemsView.as_view(), name="collection-items-api"),
    path(
        f"{_ONE}/items/<segment:item>", collections.ItemView.as_view(), name="collection-item-api"
    ),
    path(f"{_ONE}/upvote", collections.UpvoteView.as_view(), name="collection-upvote-api"),
]
