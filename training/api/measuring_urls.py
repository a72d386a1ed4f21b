"""Routes of measurements and searches over the API."""

from __future__ import annotations

from django.urls import URLPattern

from hub.http.routing import api
from training.api.bisects import BisectListView
from training.api.evaluations import (
    EvaluationItemsView,
    EvaluationListView,
    EvaluationView,
)

_ONE = "/evaluations/<int:number>"

MEASURING: list[URLPattern] = [
    api("/evaluations", EvaluationListView.as_view(), "api-evaluation-list"),
    api(_ONE, EvaluationView.as_view(), "api-evaluation"),
    api(f"{_ONE}/items", EvaluationItemsView.as_view(), "api-evaluation-items"),
    api("/bisects", BisectListView.as_view(), "api-bisect-list"),
]
