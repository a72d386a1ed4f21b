"""Routes of runs, the Fine-tune form and the gate's button."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from hub.http.routing import page
from training.web import all_runs, examples, finetune, gates, pins, runs

_ONE = "/runs/<int:number>"

urlpatterns: list[URLPattern | URLResolver] = [
    path("-/runs", all_runs.all_runs, name="all-runs"),
    *page("/finetune", finetune.finetune, "finetune"),
    *page("/runs", runs.run_list, "run-list"),
    *page(_ONE, runs.run_detail, "run"),
    *page(f"{_ONE}/cancel", runs.cancel, "run-cancel"),
    *page(f"{_ONE}/again", runs.repeat, "run-again"),
    *page("/runs/pins", pins.pin_list, "pin-list"),
    *page("/runs/pins/<int:pk>/remove", pins.pin_remove, "pin-remove"),
    *page("/discussions/<int:number>/gate", gates.start, "gate-start"),
    *page("/discussions/<int:number>/gate/override", gates.override, "gate-override"),
    *page("/discussions/<int:number>/examples/notes", examples.remark, "example-remark"),
    *page(
        "/discussions/<int:number>/examples/notes/<int:pk>/remove",
        examples.remark_remove,
        "example-remark-remove",
    ),
]
