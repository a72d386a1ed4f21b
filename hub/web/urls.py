"""Routes of pages. Pages of the server itself live under `/-/`, which is no namespace."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path
from django.views.generic import RedirectView

from hub.http.routing import page
from hub.web import (
    access,
    api_docs,
    collections,
    creating,
    design,
    devices,
    docs,
    explore,
    files,
    home,
    lineage,
    namespaces,
    palette,
    repositories,
    sessions,
    settings,
    webhooks,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("-/design", design.design, name="design"),
    path("-/docs", docs.docs, name="docs"),
    path("-/docs/api", api_docs.api_index, name="api-docs"),
    path("-/docs/api/<slug:slug>", api_docs.api_section, name="api-docs-section"),
    path("-/explore", explore.explore, name="explore"),
    path("-/explore/values/<slug:facet>", explore.facet_values, name="explore-values"),
    path("-/palette", palette.palette, name="palette"),
    path("-/new", creating.repository_new, name="repository-new"),
    path("-/sign-in", sessions.sign_in, name="sign-in"),
    path("-/sign-out", sessions.sign_out, name="sign-out"),
    path("-/device", devices.device, name="device"),
    path("-/settings/tokens", settings.token_list, name="token-list"),
    path("-/settings/tokens/<int:pk>/revoke", settings.token_revoke, name="token-revoke"),
    path("-/settings/webhooks", webhooks.webhook_list, name="webhook-list"),
    path("-/settings/webhooks/<int:pk>", webhooks.webhook_detail, name="webhook"),
    path(
        "-/settings/webhooks/<int:pk>/deliveries/<int:delivery>",
        webhooks.delivery_detail,
        name="webhook-delivery",
    ),
    path("settings/webhooks", RedirectView.as_view(pattern_name="hub:webhook-list")),
    # The address that huggingface_hub prints when it asks for a token.
    path("settings/tokens", RedirectView.as_view(pattern_name="hub:token-list")),
    path("collections", collections.collection_list, name="collections"),
    path("-/collections/new", collections.collection_new, name="collection-new"),
    path(
        "collections/<segment:namespace>/<segment:slug>",
        collections.collection_page,
        name="collection",
    ),
    path(
        "collections/<segment:namespace>/<segment:slug>/edit",
        collections.collection_edit,
        name="collection-edit",
    ),
    *page("/collections", collections.repository_collections, "repository-collections"),
    *page("", repositories.repository_detail, "repository"),
    *page("/tree/<revision:revision>", files.folder, "folder"),
    *page("/tree/<revision:revision>/<entry:path>", files.folder, "folder"),
    *page("/blob/<revision:revision>/<entry:path>", files.file, "file"),
    *page("/commits/<revision:revision>", files.history, "history"),
    *page("/commits/<revision:revision>/<entry:path>", files.history, "history"),
    *page("/commit/<revision:oid>", files.commit, "commit"),
    path("-/follow/<segment:slug>", namespaces.follow, name="follow"),
    *page("/lineage", lineage.lineage, "lineage"),
    *page("/like", namespaces.like, "like"),
    *page("/access", access.access, "access"),
    *page("/settings/access", access.access_requests_page, "access-requests"),
    *page("/duplicate", creating.duplicate, "duplicate"),
    *page("/settings", settings.repository_settings, "repository-settings"),
    path("<segment:slug>", namespaces.namespace, name="namespace"),
]
