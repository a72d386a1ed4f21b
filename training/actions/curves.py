"""A run's curves as the chart takes them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from training.models import Metric, Run

POINTS_LIMIT = 2_000
# The chart holds what shares an axis: losses. Learning rate and gradient norm are in the API.
DRAWN = ("loss", "eval_loss")


def curves(run: Run, *, names: tuple[str, ...] | None = DRAWN) -> list[dict[str, Any]]:
    """Every curve with its points [step, value], in step order, thinned to what a screen shows."""
    rows = Metric.objects.filter(run=run).order_by("name", "step")
    if names is not None:
        rows = rows.filter(name__in=names)
    found: dict[str, list[tuple[int, float]]] = {}
    for name, step, value in rows.values_list("name", "step", "value"):
        found.setdefault(name, []).append((step, value))
    return [{"label": _label(name), "name": name, "points": _thin(p)} for name, p in found.items()]


def _label(name: str) -> str:
    return {"loss": _("training loss"), "eval_loss": _("validation loss")}.get(name, name)


def _thin(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most POINTS_LIMIT points, the last one always among them."""
    stride = -(-len(points) // POINTS_LIMIT)
    return points if stride <= 1 else points[(len(points) - 1) % stride :: stride]
