"""Routes of measuring a model, of its history and of the search for a bad commit."""

from __future__ import annotations

from django.urls import URLPattern

from hub.http.routing import page
from training.web import benchmarks_tab, bisects, evaluations

MEASURING: list[URLPattern] = [
    *page("/benchmarks", benchmarks_tab.benchmarks, "benchmarks"),
    *page("/evaluate", evaluations.evaluate, "evaluate"),
    *page("/evaluations/<int:number>", evaluations.evaluation, "evaluation"),
    *page("/bisect", bisects.bisect, "bisect"),
]
