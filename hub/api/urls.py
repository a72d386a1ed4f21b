"""Routes of the API. LFS, Xet and git over HTTP have their own lists."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.decorators.csrf import csrf_exempt

from hub.api import (
    accounts,
    archive,
    branches,
    cards,
    catalogue_urls,
    collection_urls,
    commits,
    git,
    health,
    info,
    large_urls,
    lfs,
    lineage,
    listing,
    oauth,
    openapi,
    people_urls,
    preupload,
    repositories,
    resolve,
    table_urls,
    trees,
    uploads,
    webhook_urls,
    xet,
    xet_cas,
)
from hub.errors import NotFoundError
from hub.http.routing import api, page


@csrf_exempt  # a client that calls what is not there should read that, not of a form
def unknown(request: HttpRequest, rest: str = "") -> Any:
    """What no client should wait for: a plain JSON 404."""
    raise NotFoundError("There is nothing at this address of the API.")


# hf_xet up to 1.2 writes the same addresses without a version, and some in the singular.
CAS = "-/xet/<slug:scope>/<slug:epoch>"
OLD = r"^-/xet/(?P<scope>[\w-]+)/(?P<epoch>[\w-]+)"
HASH = r"(?P<hash>[0-9a-f]{64})"


def with_and_without_git(rest: str, view: Any, name: str) -> list[URLPattern]:
    """Both spellings of an address that git derives from a remote: `…/name.git/…` comes first."""
    return [*page(f".git{rest}", view, name), *page(rest, view, name)]


urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("api/schema", openapi.SchemaView.as_view(), name="api-schema"),
    path("oauth/device", oauth.DeviceView.as_view(), name="oauth-device"),
    path("oauth/token", oauth.TokenView.as_view(), name="oauth-token"),
    path("api/whoami-v2", accounts.WhoAmIView.as_view(), name="whoami"),
    *people_urls.urlpatterns,
    *catalogue_urls.urlpatterns,
    *webhook_urls.urlpatterns,
    path("api/repos/create", repositories.CreateView.as_view(), name="repository-create"),
    path("api/repos/move", repositories.MoveView.as_view(), name="repository-move"),
    path("api/repos/delete", repositories.DeleteView.as_view(), name="repository-delete"),
    path("api/validate-yaml", cards.ValidateYamlView.as_view(), name="validate-yaml"),
    *collection_urls.urlpatterns,
    path("api/<kinds:kind>", listing.RepositoryListView.as_view(), name="repository-list"),
    api("", info.InfoView.as_view(), "repository-info"),
    *table_urls.urlpatterns,
    api("/lineage", lineage.LineageView.as_view(), "api-lineage"),
    api("/revision/<revision:revision>", info.InfoView.as_view(), "revision-info"),
    api("/settings", repositories.SettingsView.as_view(), "repository-settings-api"),
    api("/duplicate", repositories.DuplicateView.as_view(), "repository-duplicate"),
    api("/auth-check", repositories.AuthCheckView.as_view(), "auth-check"),
    api("/auth-check/write", repositories.AuthCheckWriteView.as_view(), "auth-check-write"),
    api("/tree/<revision:revision>", trees.TreeView.as_view(), "tree-api"),
    api("/tree/<revision:revision>/<entry:path>", trees.TreeView.as_view(), "tree-path-api"),
    api("/paths-info/<revision:revision>", trees.PathsInfoView.as_view(), "paths-info"),
    api("/refs", trees.RefsView.as_view(), "refs-api"),
    api("/commits/<revision:revision>", trees.CommitsView.as_view(), "commits-api"),
    api("/branch/<revision:branch>", branches.BranchView.as_view(), "branch-api"),
    api("/tag/<revision:revision>", branches.TagView.as_view(), "tag-api"),
    api("/super-squash/<revision:revision>", branches.SquashView.as_view(), "super-squash"),
    api("/preupload/<revision:revision>", preupload.PreuploadView.as_view(), "preupload"),
    api("/commit/<revision:revision>", commits.CommitView.as_view(), "commit-api"),
    api("/xet-write-token/<revision:revision>", xet.XetWriteTokenView.as_view(), "xet-write-token"),
    api("/xet-read-token/<revision:revision>", xet.XetReadTokenView.as_view(), "xet-read-token"),
    re_path(rf"{OLD}(?:/v1)?/xorbs?/[\w-]+/{HASH}$", xet_cas.XorbView.as_view(), name="xet-xorb"),
    re_path(
        rf"{OLD}(?:/v1)?/chunks?/[\w-]+/{HASH}$", xet_cas.ChunkView.as_view(), name="xet-chunk"
    ),
    re_path(rf"{OLD}(?:/v1)?/shards?$", xet_cas.ShardView.as_view(), name="xet-shard"),
    path(f"{CAS}/v2/shards", xet_cas.ShardFramesView.as_view(), name="xet-shard-frames"),
    path(f"{CAS}/v1/telemetry", xet_cas.TelemetryView.as_view(), name="xet-telemetry"),
    # Some versions of hf_xet forget the path of the store.
    path("v1/telemetry", xet_cas.TelemetryView.as_view(), name="xet-telemetry-at-root"),
    re_path(
        rf"{OLD}(?:/(?P<version>v[12]))?/reconstructions?/{HASH}$",
        xet_cas.ReconstructionView.as_view(),
        name="xet-reconstruction",
    ),
    path(f"{CAS}/fetch/<slug:hash>", xet_cas.FetchView.as_view(), name="xet-fetch"),
    path("-/lfs/<slug:oid>", lfs.ObjectView.as_view(), name="lfs-object"),
    path("-/lfs/<slug:oid>/verify", lfs.VerifyView.as_view(), name="lfs-verify"),
    path("-/internal/authorize-upload", uploads.authorize_upload, name="authorize-upload"),
    path("", include(large_urls)),
    *with_and_without_git("/info/lfs/objects/batch", lfs.BatchView.as_view(), "lfs-batch"),
    *with_and_without_git(
        "/info/lfs/locks/verify", lfs.LocksVerifyView.as_view(), "lfs-locks-verify"
    ),
    *with_and_without_git("/info/refs", git.info_refs, "git-info-refs"),
    *with_and_without_git("/git-upload-pack", git.upload_pack, "git-upload-pack"),
    *with_and_without_git("/git-receive-pack", git.receive_pack, "git-receive-pack"),
    *page(
        "/resolve/<revision:revision>/<entry:path>", resolve.ResolveView.as_view(), "file-resolve"
    ),
    *page("/archive/<revision:revision>", archive.ArchiveView.as_view(), "archive"),
    *page("/archive/<revision:revision>/<entry:path>", archive.ArchiveView.as_view(), "archive"),
    *page("/raw/<revision:revision>/<entry:path>", resolve.RawView.as_view(), "file-raw"),
]
# After every app's routes of the API, before pages, which would take `api` for a namespace.
fallback = re_path(r"^api(?:/(?P<rest>.*))?$", unknown, name="api-unknown")
