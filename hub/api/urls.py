"""Routes of the API. LFS, Xet and git over HTTP have their own lists."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, path, re_path

from hub.api import (
    accounts,
    branches,
    cards,
    commits,
    health,
    info,
    listing,
    openapi,
    preupload,
    repositories,
    resolve,
    trees,
)
from hub.errors import NotFoundError
from hub.http.routing import api, page


def unknown(request: HttpRequest, rest: str = "") -> Any:
    """What no client should wait for: a plain JSON 404."""
    raise NotFoundError("There is nothing at this address of the API.")


urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("api/schema", openapi.SchemaView.as_view(), name="api-schema"),
    path("api/whoami-v2", accounts.WhoAmIView.as_view(), name="whoami"),
    path(
        "api/users/<segment:slug>/overview",
        accounts.UserOverviewView.as_view(),
        name="user-overview",
    ),
    path(
        "api/organizations/<segment:slug>/overview",
        accounts.OrganizationOverviewView.as_view(),
        name="organization-overview",
    ),
    path("api/repos/create", repositories.CreateView.as_view(), name="repository-create"),
    path("api/repos/delete", repositories.DeleteView.as_view(), name="repository-delete"),
    path("api/validate-yaml", cards.ValidateYamlView.as_view(), name="validate-yaml"),
    path("api/<kinds:kind>", listing.RepositoryListView.as_view(), name="repository-list"),
    api("", info.InfoView.as_view(), "repository-info"),
    api("/revision/<revision:revision>", info.InfoView.as_view(), "revision-info"),
    api("/settings", repositories.SettingsView.as_view(), "repository-settings-api"),
    api("/auth-check", repositories.AuthCheckView.as_view(), "auth-check"),
    api("/auth-check/write", repositories.AuthCheckWriteView.as_view(), "auth-check-write"),
    api("/tree/<revision:revision>", trees.TreeView.as_view(), "tree-api"),
    api("/tree/<revision:revision>/<entry:path>", trees.TreeView.as_view(), "tree-path-api"),
    api("/paths-info/<revision:revision>", trees.PathsInfoView.as_view(), "paths-info"),
    api("/refs", trees.RefsView.as_view(), "refs-api"),
    api("/commits/<revision:revision>", trees.CommitsView.as_view(), "commits-api"),
    api("/branch/<revision:branch>", branches.BranchView.as_view(), "branch-api"),
    api("/tag/<revision:revision>", branches.TagView.as_view(), "tag-api"),
    api("/preupload/<revision:revision>", preupload.PreuploadView.as_view(), "preupload"),
    api("/commit/<revision:revision>", commits.CommitView.as_view(), "commit-api"),
    *page(
        "/resolve/<revision:revision>/<entry:path>", resolve.ResolveView.as_view(), "file-resolve"
    ),
    *page("/raw/<revision:revision>/<entry:path>", resolve.RawView.as_view(), "file-raw"),
]
# After every app's routes of the API, before pages, which would take `api` for a namespace.
fallback = re_path(r"^api(?:/(?P<rest>.*))?$", unknown, name="api-unknown")
