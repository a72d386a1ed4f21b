"""Routes of the runs API."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from hub.http.routing import api
from training.api import views
from training.api.board_urls import BOARDS
from training.api.catalogue import CatalogueImportView, CatalogueView, TaskImportView
from training.api.measuring_urls import MEASURING
from training.api.rule_urls import RULES
from training.api.trying import TryCancelView, TryListView, TryView
from training.api.verdict_urls import VERDICTS

_ONE = "/runs/<int:number>"

urlpatterns: list[URLPattern | URLResolver] = [
    *BOARDS,
    path("api/benchmarks", CatalogueView.as_view(), name="api-catalogue"),
    path("api/benchmarks/import", CatalogueImportView.as_view(), name="api-catalogue-import"),
    path("api/benchmarks/tasks", TaskImportView.as_view(), name="api-catalogue-task"),
    *MEASURING,
    api("/runs", views.RunListView.as_view(), "api-run-list"),
    api(_ONE, views.RunView.as_view(), "api-run"),
    api(f"{_ONE}/metrics", views.RunMetricsView.as_view(), "api-run-metrics"),
    api(f"{_ONE}/log", views.RunLogView.as_view(), "api-run-log"),
    api(f"{_ONE}/cancel", views.RunCancelView.as_view(), "api-run-cancel"),
    api(f"{_ONE}/again", views.RunAgainView.as_view(), "api-run-again"),
    api("/try", TryListView.as_view(), "api-try-list"),
    api("/try/<int:number>", TryView.as_view(), "api-try"),
    api("/try/<int:number>/cancel", TryCancelView.as_view(), "api-try-cancel"),
    *VERDICTS,
    *RULES,
]
