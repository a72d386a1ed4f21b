"""Routes of the runs API."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from hub.http.routing import api
from training.api import views
from training.api.verdict_urls import VERDICTS

_ONE = "/runs/<int:number>"

urlpatterns: list[URLPattern | URLResolver] = [
    api("/runs", views.RunListView.as_view(), "api-run-list"),
    api(_ONE, views.RunView.as_view(), "api-run"),
    api(f"{_ONE}/metrics", views.RunMetricsView.as_view(), "api-run-metrics"),
    api(f"{_ONE}/log", views.RunLogView.as_view(), "api-run-log"),
    api(f"{_ONE}/cancel", views.RunCancelView.as_view(), "api-run-cancel"),
    api(f"{_ONE}/again", views.RunAgainView.as_view(), "api-run-again"),
    *VERDICTS,
]
