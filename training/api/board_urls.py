"""Routes of leaderboards, comparisons and reports in the API."""

from __future__ import annotations

from django.urls import URLPattern, path

from hub.http.routing import api
from training.api.compare import CompareView
from training.api.leaderboards import LeaderboardsView, LeaderboardView
from training.api.reports import ReportListView, ReportView

BOARDS: list[URLPattern] = [
    path("api/leaderboards", LeaderboardsView.as_view(), name="api-leaderboards"),
    path("api/compare", CompareView.as_view(), name="api-compare"),
    api("/evaluations/reports", ReportListView.as_view(), "api-report-list"),
    api("/evaluations/reports/<int:number>", ReportView.as_view(), "api-report"),
    api("/leaderboard/<entry:path>", LeaderboardView.as_view(), "api-leaderboard"),
]
