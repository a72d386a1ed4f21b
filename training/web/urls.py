"""Routes of runs, the Fine-tune form and the gate's button."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from hub.http.routing import page
from training.web import all_runs, finetune, gates, runs

_ONE = "/runs/<int:number>"

urlpatterns: list[URLPattern | URLResolver] = [
    path("-/runs", all_runs.all_runs, name="all-runs"),
    *page("/finetune", finetune.finetune, "finetune"),
    *page("/runs", runs.run_list, "run-list"),
    *page(_ONE, runs.run_detail, "run"),
    *page(f"{_ONE}/cancel", runs.cancel, "run-cancel"),
    *page(f"{_ONE}/again", runs.repeat, "run-again"),
    *page("/discussions/<int:number>/gate", gates.start, "gate-start"),
]
