"""Routes of runs, the Fine-tune form and the gate's button."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from hub.http.routing import page
from training.web import (
    all_runs,
    catalogue,
    examples,
    finetune,
    gates,
    pins,
    runs,
    trying,
)
from training.web.board_urls import BOARDS
from training.web.measuring_urls import MEASURING
from training.web.rule_urls import RULES

_ONE = "/runs/<int:number>"

urlpatterns: list[URLPattern | URLResolver] = [
    path("-/runs", all_runs.all_runs, name="all-runs"),
    path("-/benchmarks", catalogue.shelf, name="catalogue"),
    path("-/benchmarks/import", catalogue.import_dataset, name="catalogue-import"),
    path("-/benchmarks/task", catalogue.task, name="catalogue-task"),
    *BOARDS,
    *page("/finetune", finetune.finetune, "finetune"),
    *MEASURING,
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
    *page("/try", trying.try_it, "try-it"),
    *page("/try/<int:number>", trying.one_try, "try"),
    *page("/try/<int:number>/cancel", trying.cancel, "try-cancel"),
    *RULES,
]
