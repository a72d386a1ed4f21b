"""The verdict of a gate as one sentence, in the reader's language, made of recorded facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

Result = dict[str, Any]
# Why a benchmark gives no verdict at all: the codes of `items` and of `statistics.pairing`.
_REASONS = {
    "missing_items": lambda: _("items are missing"),
    "unknown_items": lambda: _("there are items that were never asked"),
    "unmatched_items": lambda: _("the two sides answered different items"),
    "duplicate_items": lambda: _("items were answered twice"),
    "scores_not_finite": lambda: _("scores are not numbers"),
    "malformed_item": lambda: _("a result cannot be read"),
    "items_differ": lambda: _("the two sides grouped the items differently"),
    "no_items": lambda: _("it has no items"),
    "too_few_items": lambda: _("it has too few items: at least 100 are needed"),
    "too_few_clusters": lambda: _("it has too few groups of items: at least 10 are needed"),
}


def points(value: float) -> str:
    """A difference of shares in percentage points, without sign: 45 or 37.2."""
    return f"{abs(100 * value):.1f}".removesuffix(".0")


def sentence_of(verdict: str, results: Sequence[Result], reason: str = "") -> str:
    """What the gate found, in one sentence."""
    if reason == "no_model_change":
        return _("No model file changed: there is nothing to weigh.")
    if reason == "not_weighable":
        return _("Nothing that can be weighed changed, but other weights did: look at them.")
    named: dict[str, list[Result]] = {}
    for result in results:
        named.setdefault(result["verdict"], []).append(result)
    if verdict == "error":
        return _error(named.get("error", []))
    if verdict == "fail":
        return _refused(named["fail"])
    if verdict == "inconclusive":
        return _inconclusive(named["inconclusive"])
    return _passed(results)


def detail_of(results: Sequence[Result]) -> str:
    """How it was found out: items, level, method."""
    if not results:
        return ""
    counts = sum(result.get("n") or 0 for result in results)
    levels = sorted({100 * (1 - result["alpha"]) for result in results})
    return ngettext(
        "Paired on %(count)d item, one-sided %(level)s %%",
        "Paired on %(count)d items, one-sided %(level)s %%",
        counts,
    ) % {"count": counts, "level": ", ".join(f"{level:g}" for level in levels)}


def _passed(results: Sequence[Result]) -> str:
    better = [r for r in results if r.get("label") == "improved"]
    worse = [r for r in results if r.get("label") == "regressed"]
    others = len(results) - len(better)
    if not better:
        told = ngettext(
            "No worse than allowed on %(count)d benchmark",
            "No worse than allowed on %(count)d benchmarks",
            others,
        ) % {"count": others}
    else:
        told = _("Better on %(benchmarks)s") % {"benchmarks": _listed(map(_gain, better))}
        if others:
            told += ngettext(
                ", no worse than allowed on %(count)d guard",
                ", no worse than allowed on %(count)d guards",
                others,
            ) % {"count": others}
    if worse:
        told += _(" (fell, but within the margin: %(benchmarks)s)") % {
            "benchmarks": _listed(r["label_text"] for r in worse)
        }
    return _("%(sentence)s.") % {"sentence": told}


def _gain(result: Result) -> str:
    facts = {
        "name": result["label_text"],
        "points": points(result["delta"]),
        "bound": points(_nearest_bound(result)),
    }
    return _("%(name)s by %(points)s points (at least %(bound)s)") % facts


def _nearest_bound(result: Result) -> float:
    """The end of the interval that is nearest to no change."""
    return float(min(abs(result["lower"]), abs(result["upper"])))


def _refused(failed: Sequence[Result]) -> str:
    return _("Refused: %(benchmarks)s.") % {"benchmarks": _listed(map(_loss, failed))}


def _loss(result: Result) -> str:
    facts = {
        "name": result["label_text"],
        "points": points(result["delta"]),
        "margin": points(result["margin"]),
        "target": points(result["target"]) if result.get("target") is not None else "",
    }
    if result.get("target") is not None:
        told = _("%(name)s moved %(points)s points away from %(target)s, allowed %(margin)s")
        return told % facts
    return _("%(name)s fell by %(points)s points, allowed %(margin)s") % facts


def _inconclusive(open_ones: Sequence[Result]) -> str:
    told = _listed(map(_doubt, open_ones))
    return _("Not shown to be safe: %(benchmarks)s.") % {"benchmarks": told}


def _doubt(result: Result) -> str:
    target = result.get("target")
    facts = {
        "name": result["label_text"],
        "bound": points(min(0.0, result["lower"]) if target is None else _drift(result)),
        "margin": points(result["margin"]),
        "target": points(target or 0.0),
        "items": (result.get("parameters") or {}).get("items_needed"),
    }
    if target is None:
        told = _("%(name)s may be down by %(bound)s points, allowed %(margin)s") % facts
    else:
        told = (
            _("%(name)s may lie %(bound)s points further from %(target)s, allowed %(margin)s")
            % facts
        )
    if facts["items"]:
        told += _(" (about %(items)s items would decide)") % facts
    return told


def _drift(result: Result) -> float:
    """How much further from its target a score may be, at the interval's far end."""
    base, target = result["base_score"], result["target"]
    ends = (base + result["lower"], base + result["upper"])
    return float(max(abs(end - target) for end in ends) - abs(base - target))


def _error(broken: Sequence[Result]) -> str:
    if not broken:
        return _("No verdict: the gate names no benchmark.")
    told = [f"{r['label_text']}: {_reason(r['reason'])}" for r in broken]
    return _("No verdict. %(benchmarks)s.") % {"benchmarks": _listed(told)}


def _reason(code: str) -> str:
    known = _REASONS.get(code)
    return known() if known else code.replace("_", " ")


def _listed(parts: Any) -> str:
    return _("; ").join(parts)
