"""The results of a verdict as the rows of plots and tables, in words and in people's units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from hub.templatetags.hub_format import plain_number, signed
from training.jobs.sentences import reason_text
from training.web.units import Scale, scale_of

Result = dict[str, Any]
METHODS = {
    "tango": gettext_lazy("score interval (Tango 1998)"),
    "paired_t": gettext_lazy("paired t interval"),
    "clustered_t": gettext_lazy("clustered t interval"),
    "ratio_t": gettext_lazy("t interval of a ratio"),
    "bootstrap": gettext_lazy("paired bootstrap"),
}
LABELS = {
    "improved": gettext_lazy("improved"),
    "regressed": gettext_lazy("regressed"),
    "no_significant_change": gettext_lazy("no significant change"),
}
DIRECTIONS = {
    "higher": gettext_lazy("higher is better"),
    "lower": gettext_lazy("lower is better"),
    "target": gettext_lazy("closest to target"),
}
ROLES = {"target": gettext_lazy("target"), "guard": gettext_lazy("guard")}
FEW_ITEMS = 30
GROUPS_DRAWN, GROUPS_LISTED = 20, 60


def benchmark_row(result: Result, path: str, *, may_read: bool, looks: int = 1) -> dict[str, Any]:
    """One benchmark, its differences in its scale and oriented so that right is better.

    `path` is the pull request's; `may_read`: whether the reader may see its items; `looks`: how
    many were planned.
    """
    scale = scale_of(result.get("unit"))
    delta, lower, upper = map(scale.shown, oriented(result))
    margin = scale.shown(result.get("margin"))
    return result | {
        "label": result["label_text"],
        "note": _note(result, scale),
        "delta": delta,
        "lower": lower,
        "upper": upper,
        "margin": margin,
        "margin_text": margin_text(result, scale),
        "margin_share": str(result.get("margin_written", "")).rstrip("%").strip()
        if "%" in str(result.get("margin_written", ""))
        else "",
        "over": _over(result, scale),
        "digits": scale.digits(result.get("margin")),
        "axis": _axis(scale, result.get("target")),
        "unit_word": scale.word,
        "base_text": scale.score(result.get("base_score")),
        "candidate_text": scale.score(result.get("candidate_score")),
        "label_word": _label(result),
        "verdict_label": verdict_words(result),
        "method_text": METHODS.get(str(result.get("method")), result.get("method") or ""),
        "reason_words": _reason(result),
        "noise_text": noise_text(result, scale),
        "items_needed": (result.get("parameters") or {}).get("items_needed"),
        "look_text": _("look %(number)d of %(count)d") % {"number": result["look"], "count": looks}
        if looks > 1 and result.get("look")
        else "",
        "url": f"{path}/examples?benchmark={result['key']}" if may_read else "",
        "may_read": may_read,
    }


def oriented(result: Result) -> tuple[float | None, float | None, float | None]:
    """Change and bounds with right as better: towards its target, where a score has one."""
    delta, lower, upper = (result.get(key) for key in ("delta", "lower", "upper"))
    target, base = result.get("target"), result.get("base_score")
    if target is None or base is None or base < target:
        return delta, lower, upper
    return _minus(delta), _minus(upper), _minus(lower)


def verdict_words(result: Result) -> str:
    """What the pill in the plot says: the verdict, and the label where it tells more."""
    verdict, label = result["verdict"], result.get("label")
    if verdict == "pass" and label == "regressed":
        return _("fell, within the margin")
    if verdict == "pass":
        return str(LABELS[label]) if label in LABELS else _("pass")
    if verdict == "fail":
        return _("worse than allowed")
    return _("no verdict") if verdict == "error" else _("inconclusive")


def _label(result: Result) -> str:
    """The label, and of a loss its p-value, corrected for how many benchmarks were looked at."""
    label, p = result.get("label"), result.get("p_adjusted")
    word = str(LABELS.get(str(label), ""))
    if label != "regressed" or p is None:
        return word
    return _("%(label)s, p %(p)s") % {"label": word, "p": p_text(p)}


def _reason(result: Result) -> str:
    """Why there is no verdict, or none yet: another benchmark had decided before."""
    if result["verdict"] == "error" or result.get("reason") == "not_asked":
        return reason_text(result["reason"])
    if result["verdict"] == "inconclusive" and result.get("delta") is None:
        return _("too few items by then")
    return ""


def margin_text(result: Result, scale: Scale) -> str:
    """How much worse is allowed: −2.0 points, ±5.0 points, +0.005 bits per byte."""
    margin = result.get("margin")
    if margin is None:
        return ""
    size = signed(scale.shown(margin), scale.digits(margin)).lstrip("+")
    sign = {"target": "±", "lower": "+"}.get(str(result.get("direction")), "\N{MINUS SIGN}")
    return f"{sign}{size}"


def noise_text(result: Result, scale: Scale) -> str:
    """What the base differs from itself by, with other batches."""
    noise = result.get("noise")
    if not noise:
        return ""
    told = {
        "size": signed(scale.shown(noise["floor"]), scale.digits(result.get("margin"))).lstrip("+"),
        "flips": noise["flips"],
        "items": noise["n"],
    }
    return _("noise alone: ±%(size)s (%(flips)s of %(items)s items differ)") % told


def _note(result: Result, scale: Scale) -> str:
    """Below the name: role, metric, direction; or why there is no verdict."""
    direction = DIRECTIONS.get(str(result.get("direction")), "")
    if result.get("target") is not None:
        ideal = scale.score(result["target"])
        direction = _("ideal %(target)s") % {"target": ideal}
    parts = [ROLES.get(result["role"], result["role"]), _metric(result), direction]
    if result.get("hidden"):
        parts.append(_("hidden items"))
    return " · ".join(str(part) for part in parts if part)


def _metric(result: Result) -> str:
    return str(result.get("metric_label") or result.get("metric") or "")


def _axis(scale: Scale, target: float | None) -> str:
    if target is not None:
        return _("movement towards the target, %(unit)s, which may go past it") % {
            "unit": scale.word
        }
    return _("change for the better, %(unit)s (right is better)") % {"unit": scale.word}


def _over(result: Result, scale: Scale) -> tuple[float, float] | None:
    """Where a score that comes close to its target is past it, and how far that is allowed."""
    target, base, margin = (result.get(key) for key in ("target", "base_score", "margin"))
    if target is None or base is None or margin is None or result.get("is_coarse"):
        return None
    start = 2 * abs(base - target)
    return scale.factor * start, scale.factor * (start + margin)


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def group_rows(result: Result) -> list[dict[str, Any]]:
    """The fairness table of one benchmark: groups that got worse first, then by p."""
    scale = scale_of(result.get("unit"))
    found = sorted(result.get("groups") or (), key=_by_harm)
    return [_group(row, scale, result.get("target")) for row in found]


def _by_harm(row: dict[str, Any]) -> tuple[bool, float, str]:
    p = row.get("p_adjusted")
    return (not row["flagged"], 2.0 if p is None else p, row["group"])


def _group(row: dict[str, Any], scale: Scale, target: float | None) -> dict[str, Any]:
    """Right is better; of a score with a target, towards it from where this group was."""
    delta, lower, upper = (scale.shown(row.get(key)) for key in ("delta", "lower", "upper"))
    if target is not None and row["base"] is not None and row["base"] >= target:
        delta, lower, upper = _minus(delta), _minus(upper), _minus(lower)
    items = ngettext("%(count)d item", "%(count)d items", row["n"]) % {"count": row["n"]}
    scores = f"{scale.score(row['base'])} → {scale.score(row['candidate'])}"
    state, word = _group_words(row, fell=upper is not None and upper < 0, target=target)
    return {
        "label": row["group"],
        "note": f"{items} · {scores}",
        "n": row["n"],
        "base_text": scale.score(row["base"]),
        "candidate_text": scale.score(row["candidate"]),
        "delta": delta,
        "lower": lower,
        "upper": upper,
        "margin": 0,
        "digits": scale.digits(0.01 if scale.factor == 1.0 else None),
        "axis": _axis(scale, target),
        "verdict": state,
        "verdict_label": word,
        "is_flagged": row["flagged"],
    }


def _group_words(row: dict[str, Any], *, fell: bool, target: float | None) -> tuple[str, str]:
    """A state and a word: nothing is said of a group that is too small to have a spread.

    `fell`: by its own interval it got worse, which among many groups may be chance.
    """
    if row.get("lower") is None:
        return "not-run", _("too few items")
    if row["flagged"]:
        return "fail", _("worse, p %(p)s") % {"p": p_text(row["p_adjusted"])}
    if fell:
        away = _("moved away, may be chance")
        return "inconclusive", away if target is not None else _("down, may be chance")
    if row["n"] < FEW_ITEMS:
        return "plain", _("few items: says little")
    return "plain", _("harm not shown")


def p_text(value: float | None) -> str:
    """A p-value as people write it."""
    if value is None:
        return "\N{EM DASH}"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def look_rows(looks: Sequence[dict[str, Any]], results: Sequence[Result]) -> list[dict[str, Any]]:
    """Every benchmark with what it said at each look; None where it was settled before, `n` 0
    where it was not judged, None where it is not told."""
    return [
        {"label": result["label_text"], "cells": [_look_cell(look, result) for look in looks]}
        for result in results
    ]


def _look_cell(look: dict[str, Any], result: Result) -> dict[str, Any] | None:
    said = look["benchmarks"].get(result["key"])
    if said is None:
        return None
    scale = scale_of(result.get("unit"))
    digits = scale.digits(result.get("margin"))
    told = result | {"lower": None, "upper": None, "delta": None} | said
    _delta, lower, upper = map(scale.shown, oriented(told))
    alpha, critical = said.get("alpha"), said.get("critical")
    return {
        "verdict": said["verdict"],
        "n": said.get("n"),
        "lower": None if lower is None else signed(lower, digits),
        "upper": None if upper is None else signed(upper, digits),
        "alpha": None if alpha is None else p_text(alpha),
        "critical": None if critical is None else plain_number(critical),
    }
