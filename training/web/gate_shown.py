"""The power calculator in sentences, in the scale in which people read a metric."""

from __future__ import annotations

from math import ceil
from typing import Any

from django.utils.translation import gettext as _

from hub.templatetags.hub_format import duration
from training.actions.gate_power import BenchmarkPower, Observed, RulePower
from training.jobs.provable import expectation
from training.jobs.sentences import amount
from training.statistics.planning import DEFAULT_POWER

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"


def count(number: int) -> str:
    """1 546, in groups of three."""
    return f"{number:,}".replace(",", NARROW_SPACE)


def percent(share: float) -> str:
    """62 or 99.5, never 100 for what is less."""
    shown = 100 * share
    if 99.5 <= shown < 100:
        return f"{min(shown, 99.9):.1f}"
    return f"{shown:.0f}"


def rounded_up(value: float, unit: str) -> float:
    """A margin in the digits that are shown of it, so that no smaller one is promised."""
    if unit == "share":
        return ceil(value * 1000 - 1e-9) / 1000
    if unit == "score100":
        return ceil(value * 10 - 1e-9) / 10
    return value


def shown(found: BenchmarkPower, power: RulePower) -> dict[str, Any]:
    """One benchmark: its sentences, whether it can decide, what was seen of it."""
    pinned = found.pinned
    return {
        "label": found.label,
        "reference": str(found.wanted.reference),
        "items": None if found.items is None else count(found.items),
        "metric": pinned.measured.label if pinned and pinned.definition.metrics else "",
        "state": _state(found, power),
        "problem": found.problem,
        "sentences": _sentences(found, power),
        "observed": None if found.observed is None else _observed(found.observed),
    }


def _state(found: BenchmarkPower, power: RulePower) -> str:
    if found.problem:
        return "fail"
    if found.chance is None:
        return "not-run"
    return "pass" if found.chance >= power.config.power else "pending"


def _sentences(found: BenchmarkPower, power: RulePower) -> list[str]:
    if found.pinned is None or not found.pinned.definition.metrics:
        return []
    told = [_provable(found, power), _chance(found), _cost(found)]
    if found.clusters:
        told.append(
            _("Its items come in %(count)s groups; this holds if those of a group differ freely.")
            % {"count": count(found.clusters)}
        )
    return [sentence for sentence in told if sentence]


def _provable(found: BenchmarkPower, power: RulePower) -> str:
    """With these 1 000 items you can prove 2.6 points; for your margin you need 1 612."""
    if found.n is None:
        return _("Its items are counted when it is asked for the first time.")
    facts = {"n": count(found.n), "power": percent(power.config.power)}
    if found.pinned is None or expectation(found.pinned, found.wanted) is None:
        return (
            _("Say how much an item's difference varies (spread) to see what %(n)s items can show.")
            % facts
        )
    if found.provable is None:
        return _("With these %(n)s items nothing can be proved.") % facts
    facts["provable"] = amount(rounded_up(found.provable, found.unit), found.unit)
    told = _("With these %(n)s items you can prove %(provable)s (power %(power)s %%)") % facts
    # A problem says how many items are needed.
    return f"{told}." if found.problem else f"{told}{_needed(found)}"


def _needed(found: BenchmarkPower) -> str:
    if found.margin is None:
        return _("; your margin is a share of a score that nobody has measured yet.")
    facts = {
        "margin": amount(found.margin, found.unit),
        "needed": "" if found.needed is None else count(found.needed),
    }
    if found.needed is None:
        return _("; no number of items proves your margin of %(margin)s.") % facts
    if found.is_own_margin:
        return _("; its own margin of %(margin)s needs %(needed)s items.") % facts
    return _("; your margin of %(margin)s needs %(needed)s items.") % facts


def _chance(found: BenchmarkPower) -> str:
    if found.chance is None:
        return ""
    facts = {"chance": percent(found.chance)}
    return _("An equally good model passes it %(chance)s %% of the time.") % facts


def _cost(found: BenchmarkPower) -> str:
    if found.seconds is None:
        return ""
    return _("One side takes about %(time)s.") % {"time": duration(found.seconds)}


def _observed(seen: Observed) -> dict[str, str]:
    """What an earlier verdict saw, ready to be taken as the expectation."""
    value = seen.discordance if seen.discordance is not None else seen.spread
    facts = {"number": seen.pull_request_number, "value": f"{value:g}", "n": count(seen.n)}
    if seen.discordance is not None:
        told = _("In #%(number)s a share of %(value)s of %(n)s items differed.") % facts
    else:
        told = (
            _("In #%(number)s an item's difference spread by %(value)s, over %(n)s items.") % facts
        )
    return {"text": told, "value": f"{value:g}"}


def summary(power: RulePower) -> dict[str, Any]:
    """The rule as a whole."""
    facts: dict[str, Any] = {
        "alpha": f"{100 * power.alpha:.3g}",
        "looks": len(power.shares),
        "count": len(power.benchmarks),
        "chance": None if power.chance is None else percent(power.chance),
        "seconds": power.seconds,
        "is_low": power.chance is not None and power.chance < DEFAULT_POWER,
        "problems": power.problems,
    }
    return facts
