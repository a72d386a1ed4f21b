"""Routes of overviews: what one's repositories take, which tags there are."""

from __future__ import annotations

from django.urls import URLPattern, path

from hub.api.storage import StorageView
from hub.api.tags import TagsByTypeView
from hub.models import Kind

urlpatterns: list[URLPattern] = [
    path("api/settings/repositories", StorageView.as_view(), name="storage"),
    path(
        "api/organizations/<segment:slug>/settings/repositories",
        StorageView.as_view(),
        name="organization-storage",
    ),
    path("api/models-tags-by-type", TagsByTypeView.as_view(), name="model-tags"),
    path(
        "api/datasets-tags-by-type",
        TagsByTypeView.as_view(kind=Kind.DATASET),
        name="dataset-tags",
    ),
]
