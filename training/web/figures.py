"""Scores in the words of their unit: shares in per cent, others as they are."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from hub.templatetags.hub_format import ABSENT, MINUS
from training.web.units import scale_of

ARROWS = {"higher": "↑", "lower": "↓", "target": "◎"}


def factor(metric: dict[str, Any]) -> float:
    """What a value is multiplied by before it is shown."""
    return scale_of(metric.get("unit") or "plain").factor


def digits(metric: dict[str, Any]) -> int:
    """Decimal places that people read."""
    return {"share": 1, "score100": 1, "bits": 4, "nats": 4}.get(str(metric.get("unit")), 3)


def figure(value: float | None, metric: dict[str, Any]) -> str:
    """A score: 46.0 of per cent, 1.7305 bits; a dash where nothing was measured."""
    if value is None:
        return ABSENT
    if metric.get("unit") == "perplexity" or abs(value) >= 1e5:
        return f"{value:.5g}"
    return f"{factor(metric) * value:.{digits(metric)}f}".replace("-", MINUS)


def signed(value: float | None, metric: dict[str, Any]) -> str:
    """A difference of scores with its sign, in the unit of `figure`."""
    if value is None:
        return ABSENT
    text = figure(abs(value), metric)
    if not text.strip("0."):
        return text
    return ("+" if value > 0 else MINUS) + text


def between(lower: float | None, upper: float | None, metric: dict[str, Any]) -> str:
    """An interval of scores; empty where there is none."""
    if lower is None or upper is None:
        return ""
    return f"{figure(lower, metric)} – {figure(upper, metric)}"


def signed_between(lower: float | None, upper: float | None, metric: dict[str, Any]) -> str:
    """An interval of differences."""
    if lower is None or upper is None:
        return ""
    both = {"lower": signed(lower, metric), "upper": signed(upper, metric)}
    return _("%(lower)s to %(upper)s") % both


def unit_word(metric: dict[str, Any]) -> str:
    """What a column of such scores is headed with, beside the metric's name."""
    words = {
        "share": "%",
        "bits": _("bits a byte"),
        "nats": _("nats"),
        "perplexity": _("perplexity"),
        "score100": _("of 100"),
    }
    return words.get(str(metric.get("unit")), "")


def point_word(metric: dict[str, Any]) -> str:
    """The unit of a difference of scores."""
    return str(scale_of(metric.get("unit") or "plain").word)


def direction_word(metric: dict[str, Any]) -> str:
    """Which way is better, in words."""
    if metric.get("direction") == "target":
        return _("closest to %(target)s is best") % {"target": figure(metric.get("target"), metric)}
    if metric.get("direction") == "lower":
        return _("lower is better")
    return _("higher is better")
