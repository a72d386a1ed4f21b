"""A comparison as templates take it: figures, places of marks, words."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.rendering.charts import Tick, ticks
from training.actions.compare_pairs import BOTH, FIRST, NEITHER, SECOND
from training.actions.comparing import Comparison, Held, Pair, Shared
from training.actions.leaderboards import parameters_of
from training.web.figures import (
    ARROWS,
    between,
    direction_word,
    factor,
    figure,
    point_word,
    signed,
    signed_between,
    unit_word,
)
from training.web.marks import Scale

TABLE_ROWS = 60  # of the table behind the scatter
_CUT = 0.01  # of the points on each end: the scale does not follow them
METHODS = {
    "tango": gettext_lazy("score interval for paired right/wrong items (Tango 1998)"),
    "paired_t": gettext_lazy("paired t interval"),
    "clustered_t": gettext_lazy("t interval over clusters of items"),
    "ratio_t": gettext_lazy("t interval of a ratio"),
    "clustered_ratio_t": gettext_lazy("t interval of a ratio over clusters"),
    "bootstrap": gettext_lazy("paired bootstrap"),
    "clustered_bootstrap": gettext_lazy("paired bootstrap over clusters"),
    "delta_method": gettext_lazy("delta method"),
}


def shown_comparison(found: Comparison) -> dict[str, Any]:
    metric = found.metric
    held = found.chosen.held if found.chosen else []
    return {
        "sides": [_side(each, metric) for each in held]
        or [{"side": side, "score": "", "interval": ""} for side in found.sides],
        "pairs": _pairs(found.pairs, metric),
        "shared": [_shared(each, found) for each in found.shared],
        "quads": {pair.key: _quad(pair) for pair in found.pairs if pair.facts},
        "scatters": {p.key: _scatter(p, metric) for p in found.pairs if p.facts},
        "curves": [_curve(e, facts) for e, facts in zip(held, found.calibrations, strict=True)]
        if held
        else [],
        "metric": metric,
        "metric_label": metric.get("label", ""),
        "unit": unit_word(metric),
        "points": point_word(metric),
        "arrow": ARROWS.get(str(metric.get("direction")), ""),
        "direction": direction_word(metric) if metric else "",
    }


def _side(held: Held, metric: dict[str, Any]) -> dict[str, Any]:
    row = held.evaluation
    score = row.score_of(metric["name"]) if row else {}
    return {
        "side": held.side,
        "held": held,
        "score": figure(score.get("value"), metric) if row else "",
        "interval": between(score.get("lower"), score.get("upper"), metric),
        "state": held.state_word,
        "dtype": row.settings.get("dtype", "") if row else "",
        "parameters": parameters_of(held.side.repository),
        "evaluation": row,
    }


def _pairs(pairs: Sequence[Pair], metric: dict[str, Any]) -> dict[str, Any]:
    """The table of differences, second minus first, drawn on one scale around 0."""
    known = [pair.facts for pair in pairs if pair.facts]
    ends = [facts[name] for facts in known for name in ("delta", "lower", "upper")]
    reach = max((abs(end) for end in ends if end is not None), default=1.0) or 1.0
    scale = Scale.over([-reach, reach])
    return {
        "rows": [_pair(pair, metric, scale) for pair in pairs],
        "zero": scale.place(0.0),
        "tested": len(known) if len(pairs) > 1 else 0,
        "ticks": scale.ticks(factor=factor(metric)),
    }


def _pair(pair: Pair, metric: dict[str, Any], scale: Scale) -> dict[str, Any]:
    facts = pair.facts
    names = {"first": pair.first.side.letter.upper(), "second": pair.second.side.letter.upper()}
    shown: dict[str, Any] = {
        "pair": pair,
        "first": pair.first.side,
        "second": pair.second.side,
        "why_not": pair.why_not,
        "is_reported": "reported" in (pair.first.state, pair.second.state),
    }
    if not facts:
        return shown
    better = {"first": names["first"], "second": names["second"]}.get(facts["better"], "")
    method = str(facts["method"] or "")
    return shown | {
        "n": facts["n"],
        "common": common_word(facts),
        "delta": signed(facts["delta"], metric),
        "interval": signed_between(facts["lower"], facts["upper"], metric),
        "mark": scale.mark(facts["delta"], facts["lower"], facts["upper"]),
        "better": better,
        "label": _("%(name)s is better") % {"name": better} if better else _("not told apart"),
        "tone": "run" if better else "plain",
        "method": METHODS.get(method.removesuffix("_few_changes"), method),
        "p_value": _p(facts["p_value"]),
        "mid_p": _p(facts["mcnemar"]["mid_p"]) if facts["mcnemar"] else "",
        "p_holm": _p(pair.p_holm),
        "is_mcnemar": bool(facts["mcnemar"]),
        "gains": facts["gains"],
        "losses": facts["losses"],
    }


def common_word(facts: dict[str, Any]) -> str:
    """On how many items, where these are not all."""
    if facts["n"] >= facts["of"]:
        return ""
    told = {"n": facts["n"], "all": facts["of"]}
    return _("on the %(n)d of %(all)d items that both answered") % told


def _p(value: float | None) -> str:
    if value is None:
        return ""
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def _shared(shared: Shared, found: Comparison) -> dict[str, Any]:
    metric = shared.benchmark.metric_named("")
    cells = []
    for held in shared.held:
        score = held.evaluation.score_of(metric.get("name", "")) if held.evaluation else {}
        cells.append(
            {
                "letter": held.side.letter,
                "score": figure(score.get("value"), metric) if held.evaluation else "",
                "interval": between(score.get("lower"), score.get("upper"), metric),
                "state": held.state_word,
            }
        )
    row = {
        "benchmark": shared.benchmark,
        "is_chosen": found.chosen is shared,
        "metric": metric.get("label", ""),
        "unit": unit_word(metric),
        "cells": cells,
    }
    pair = shared.summary
    if pair is not None and pair.facts:
        facts = pair.facts
        names = {"first": pair.first.side.letter, "second": pair.second.side.letter}
        better = names.get(facts["better"], "").upper()
        row |= {
            "common": common_word(facts),
            "delta": signed(facts["delta"], metric),
            "difference": signed_between(facts["lower"], facts["upper"], metric),
            "label": _("%(name)s is better") % {"name": better} if better else _("not told apart"),
            "is_apart": bool(better),
        }
    return row


def _quad(pair: Pair) -> dict[str, Any]:
    """Who is right on how many, with shares, and how often the answers are the same."""
    facts = pair.facts
    table, total = facts["overlap"], facts["n"] or 1
    agreed = facts["agreement"]
    return {
        "cells": {k: {"n": n, "share": n / total} for k, n in table.items()} if table else {},
        "share": agreed["share"] if agreed else None,
        "kappa": agreed["kappa"] if agreed else None,
    }


def _scatter(pair: Pair, metric: dict[str, Any]) -> dict[str, Any] | None:
    facts = pair.facts["scatter"]
    if facts is None or not facts["points"]:
        return None
    by_margin = facts["by"] == "margin"
    times = 1.0 if by_margin else factor(metric)
    points = [(times * x, times * y, kind, item) for x, y, kind, item in facts["points"]]
    low, high = _range([value for point in points for value in point[:2]], with_zero=by_margin)
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return round(2 + 96 * min(1.0, max(0.0, (value - low) / span)), 1)

    return {
        "points": [(place(x), round(100 - place(y), 1), kind) for x, y, kind, _item in points],
        "ticks": [Tick(value, place(value)) for value in ticks(low, high, 5)],
        "ticks_up": [Tick(v, round(100 - place(v), 1)) for v in ticks(low, high, 5)],
        "zero": place(0.0) if by_margin else None,
        "zero_up": round(100 - place(0.0), 1) if by_margin else None,
        "by_margin": by_margin,
        "n": facts["n"],
        "drawn": len(points),
        "rows": _spread(points, TABLE_ROWS),
        "kinds": {FIRST, SECOND, BOTH, NEITHER} & {point[2] for point in points},
    }


def _range(values: Sequence[float], *, with_zero: bool) -> tuple[float, float]:
    """The ends of the scale: the bulk of the points, and 0 where it means something."""
    found = sorted(values)
    cut = int(_CUT * len(found))
    low, high = found[cut], found[-1 - cut]
    if with_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    air = 0.05 * (high - low) or 0.5
    return low - air, high + air


def _spread(points: list[Any], most: int) -> list[Any]:
    """At most so many points: those farthest from where both are equal."""
    order = sorted(points, key=lambda point: -abs(point[0] - point[1]))
    return order[:most]


def _curve(held: Held, facts: dict[str, Any] | None) -> dict[str, Any]:
    """A reliability diagram: how often right, by how sure."""
    if facts is None:
        return {"side": held.side, "facts": None, "is_run": held.evaluation is not None}
    filled = [each for each in facts["bins"] if each["n"]]
    most = max(each["n"] for each in filled)
    dots = [
        {
            "x": round(2 + 96 * each["confidence"], 1),
            "y": round(98 - 96 * each["accuracy"], 1),
            "r": round(3 + 5 * (each["n"] / most) ** 0.5, 1),
        }
        for each in filled
    ]
    return {
        "side": held.side,
        "facts": facts,
        "rows": filled,
        "dots": dots,
        "path": " ".join(f"{dot['x']},{dot['y']}" for dot in dots),
        "ece": f"{100 * facts['ece']:.1f}",
        "least": ceil(100 * filled[0]["low"]),
    }
