"""The verdict of a gate as one sentence, in the reader's language, made of recorded facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from training.jobs.disclosure import for_everyone

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
    "contaminated": lambda: _("too many of its items stand in the declared training data"),
    "noise_above_margin": lambda: _("its margin is smaller than what noise alone can do"),
    "not_asked": lambda: _("it was not asked"),
    "weights_incomplete": lambda: _("a result cannot be read"),
    "sums_malformed": lambda: _("a result cannot be read"),
}


def points(value: float) -> str:
    """A difference of shares in percentage points, without sign: 45 or 37.2."""
    return f"{abs(100 * value):.1f}".removesuffix(".0")


def number(value: float, unit: str = "share") -> str:
    """The size of a difference in the scale people read a metric in, without sign or unit."""
    if unit == "share":
        return points(value)
    if unit == "score100":
        return f"{abs(value):.1f}".removesuffix(".0")
    return f"{abs(value):.3g}"


def amount(value: float, unit: str = "share") -> str:
    """`number` with the word for its unit."""
    told = {"value": number(value, unit)}
    if unit == "share":
        return _("%(value)s points") % told
    if unit == "score100":
        return pgettext("of a score that runs to 100", "%(value)s points") % told
    if unit == "bits":
        return _("%(value)s bits per byte") % told
    return told["value"]


def sentence_of(
    verdict: str, results: Sequence[Result], facts: Mapping[str, Any] | None = None
) -> str:
    """What the gate found, in one sentence; `facts` are the record's own.

    It stands where anybody reads it, so hidden benchmarks are told in coarse steps.
    """
    facts, results = facts or {}, for_everyone(results)
    if facts.get("reason") == "no_model_change":
        return _("No model file changed: there is nothing to weigh.")
    if facts.get("reason") == "rule_change":
        return rule_told(facts.get("rule") or {})
    if facts.get("reason") == "not_weighable":
        return _(
            "Not weighed: nothing that the gate can load changed, but %(paths)s did. Somebody has "
            "to look at that."
        ) % {"paths": _paths(facts)}
    named: dict[str, list[Result]] = {}
    for result in results:
        named.setdefault(result["verdict"], []).append(result)
    if verdict == "error":
        return _error(named.get("error", []))
    if verdict == "fail":
        return _refused(named.get("fail", []), facts)
    if verdict == "blocked" and facts.get("reason") == "partly_weighed":
        told = _("Weighed in part: %(paths)s changed too, which the gate cannot load.")
        return f"{told % {'paths': _paths(facts)}} {_passed(results)}"
    if verdict == "blocked":
        return _inconclusive(named.get("inconclusive", []))
    return _passed(results)


def rule_told(rule: Mapping[str, Any]) -> str:
    """What a proposal makes of the gate's rule, key by key; what is weaker comes first."""
    kind = rule.get("kind")
    if kind == "deleted":
        return _("The rule of the gate is deleted: no later change would be weighed.")
    if kind == "unreadable":
        told = _("The new rule of the gate cannot be read: %(problem)s")
        return told % {"problem": rule.get("problem", "")}
    changes = rule.get("changes", [])
    told = _("The first rule of this branch.") if kind == "first" else _("The rule changes.")
    if not changes:
        return _("The rule is written in other words and asks for the same.")
    parts = [told]
    for is_weaker, words in ((True, _("Weaker: %(changes)s.")), (False, _("New: %(changes)s."))):
        if named := [_rule_key(each) for each in changes if each["is_weaker"] == is_weaker]:
            parts.append(words % {"changes": _listed(named)})
    return " ".join(parts)


def _rule_key(change: Mapping[str, Any]) -> str:
    if change["after"] == "added":
        return _("%(key)s is asked too") % change
    if change["after"] == "removed":
        return _("%(key)s is asked no more") % change
    return f"{change['key']} {change['before']} → {change['after']}"


def _paths(facts: Mapping[str, Any]) -> str:
    paths = list(facts.get("unweighed", []))
    return ", ".join([*paths[:3], *(["…"] if len(paths) > 3 else [])])


def detail_of(results: Sequence[Result], alpha: float | None = None) -> str:
    """How it was found out: items and level. `alpha` is the rule's, over all looks together."""
    if not results:
        return ""
    counts = sum(result.get("n") or 0 for result in results)
    levels = [alpha] if alpha else sorted({r["alpha"] for r in results if "alpha" in r})
    level = ", ".join(f"{100 * (1 - level):.4g}" for level in levels)
    asked = sum(1 for result in results if result.get("n"))
    if asked > 1:
        facts = {"count": counts, "benchmarks": asked, "level": level}
        return (
            _("Paired on %(count)d items of %(benchmarks)d benchmarks, one-sided %(level)s %%")
            % facts
        )
    return ngettext(
        "Paired on %(count)d item, one-sided %(level)s %%",
        "Paired on %(count)d items, one-sided %(level)s %%",
        counts,
    ) % {"count": counts, "level": level}


def look_of(looks: Sequence[Mapping[str, Any]]) -> str:
    """At which look it was decided; empty where there was but one."""
    count = max((look.get("of", look["number"]) for look in looks), default=1)
    if count < 2:
        return ""
    return _("look %(number)d of %(count)d") % {"number": looks[-1]["number"], "count": count}


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
    unit = result.get("unit", "share")
    facts = {
        "name": result["label_text"],
        "amount": amount(result["delta"], unit),
        "bound": number(_nearest_bound(result), unit),
    }
    return _("%(name)s by %(amount)s (at least %(bound)s)") % facts


def _nearest_bound(result: Result) -> float:
    """The end of the interval that is nearest to no change."""
    return float(min(abs(result["lower"]), abs(result["upper"])))


def _refused(failed: Sequence[Result], facts: Mapping[str, Any]) -> str:
    told = list(map(_loss, failed))
    lost = sum(pin["state"] == "lost" for pin in facts.get("pins", ()))
    if lost:
        told.append(
            ngettext("%(count)d pinned example is lost", "%(count)d pinned examples are lost", lost)
            % {"count": lost}
        )
    return _("Refused: %(benchmarks)s.") % {"benchmarks": _listed(told)}


def _loss(result: Result) -> str:
    unit, target = result.get("unit", "share"), result.get("target")
    facts = {
        "name": result["label_text"],
        "amount": amount(result["delta"], unit),
        "margin": number(result["margin"], unit),
        "target": "" if target is None else number(target, unit),
    }
    if target is not None:
        told = _("%(name)s moved %(amount)s away from %(target)s, allowed %(margin)s")
        return told % facts
    if result.get("direction") == "lower":
        return _("%(name)s got worse by %(amount)s, allowed %(margin)s") % facts
    return _("%(name)s fell by %(amount)s, allowed %(margin)s") % facts


def _inconclusive(open_ones: Sequence[Result]) -> str:
    told = _listed(map(_doubt, open_ones))
    return _("Not shown to be safe: %(benchmarks)s.") % {"benchmarks": told}


def _doubt(result: Result) -> str:
    if result.get("is_coarse"):
        return str(result["label_text"])
    unit, target = result.get("unit", "share"), result.get("target")
    bound = min(0.0, result["lower"]) if target is None else _drift(result)
    facts = {
        "name": result["label_text"],
        "amount": amount(bound, unit),
        "margin": number(result["margin"], unit),
        "target": number(target or 0.0, unit),
        "items": (result.get("parameters") or {}).get("items_needed"),
    }
    if target is not None:
        told = _("%(name)s may lie %(amount)s further from %(target)s, allowed %(margin)s") % facts
    elif result.get("direction") == "lower":
        told = _("%(name)s may be worse by %(amount)s, allowed %(margin)s") % facts
    else:
        told = _("%(name)s may be down by %(amount)s, allowed %(margin)s") % facts
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
    told = [f"{r['label_text']}: {reason_text(r['reason'])}" for r in broken]
    return _("No verdict. %(benchmarks)s.") % {"benchmarks": _listed(told)}


def reason_text(code: str) -> str:
    """Why there is no verdict, in words."""
    known = _REASONS.get(code)
    return known() if known else code.replace("_", " ")


def _listed(parts: Any) -> str:
    return _("; ").join(parts)
