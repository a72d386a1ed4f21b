"""Routes of leaderboards, comparisons and reports."""

from __future__ import annotations

from django.urls import URLPattern, path

from hub.http.routing import page
from training.web import compare, leaderboards, reports

BOARDS: list[URLPattern] = [
    path("-/compare", compare.compare, name="compare"),
    path("-/leaderboards", leaderboards.index, name="leaderboards"),
    *page("/evaluations/report", reports.report, "report"),
    *page("/evaluations/report/<int:number>/remove", reports.report_remove, "report-remove"),
    *page("/leaderboards", leaderboards.leaderboard_list, "leaderboard-list"),
    *page("/leaderboard/<entry:path>", leaderboards.leaderboard, "leaderboard"),
]
