"""Routes of data set rows."""

from __future__ import annotations

from hub.api import tables
from hub.http.routing import api

urlpatterns = [
    api("/splits", tables.SplitsView.as_view(), "table-splits"),
    api("/rows", tables.RowsView.as_view(), "table-rows"),
    api("/first-rows", tables.FirstRowsView.as_view(), "table-first-rows"),
    api("/statistics", tables.StatisticsView.as_view(), "table-statistics"),
]
