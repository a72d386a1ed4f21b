"""What a gate's benchmarks say, as plain values for the record: recomputable without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.jobs.benchmarks import PinnedBenchmark
from training.jobs.items import Item, ItemsError, scores_of
from training.jobs.looks import Weighed
from training.specs.gate import GateBenchmark
from training.statistics.comparison import Rule
from training.statistics.groups import by_group
from training.statistics.multiplicity import holm
from training.statistics.verdicts import Label, Verdict, gate_verdict

Result = dict[str, Any]
GROUPS_LIMIT = 200


def described(pinned: PinnedBenchmark, wanted: GateBenchmark) -> Result:
    """What a result says of its benchmark."""
    measured = pinned.measured
    margin = pinned.margin(wanted)
    return {
        "key": pinned.key,
        "label_text": pinned.label,
        "role": wanted.role.value,
        "reference": pinned.reference,
        "benchmark_digest": pinned.digest,
        "items_repository_id": pinned.items_repository_id,
        "repository_id": pinned.repository_id,
        "items_commit": pinned.items_commit,
        "split": pinned.items_file.path,
        "metric": measured.name,
        "metric_label": measured.label,
        "unit": measured.unit,
        "margin_written": str(margin),
        "hidden": wanted.hidden or pinned.definition.hidden,
    }


def told(weighed: Weighed, base: Mapping[str, Item], candidate: Mapping[str, Item]) -> Result:
    """One benchmark's outcome with its groups, over the items that it was decided on."""
    asked, comparison = weighed.asked, weighed.comparison
    rule = asked.pinned.rule(weighed.wanted, alpha=comparison.alpha)
    return (
        described(asked.pinned, weighed.wanted)
        | _plain(comparison.to_dict())
        | {
            "benchmark": asked.row.pk,
            "look": weighed.look,
            "critical": weighed.critical,
            "n_max": asked.count,
            "excluded": weighed.excluded,
            "groups": _groups(base, candidate, asked.pinned.metric, rule),
        }
    )


def _groups(
    base: Mapping[str, Item], candidate: Mapping[str, Item], metric: str, rule: Rule
) -> list[dict[str, Any]]:
    """The fairness table: every group of items by itself, corrected for looking at many."""
    groups = {item.id: item.group for item in base.values() if item.group is not None}
    if not groups or len(set(groups.values())) > GROUPS_LIMIT:
        return []
    before, after = (
        scores_of((items[item_id] for item_id in groups), metric) for items in (base, candidate)
    )
    return [row.to_dict() for row in by_group(before, after, groups, rule)]


def corrected(results: Sequence[Result]) -> list[Result]:
    """`results` whose label `regressed` holds although several benchmarks were looked at (Holm).

    What one of many benchmarks seems to show is claimed only if it stands the correction; the
    verdicts themselves need none, since all benchmarks must pass (gate-methods, section 6).
    """
    values = [(result.get("parameters") or {}).get("p_regressed") for result in results]
    adjusted = iter(holm([value for value in values if value is not None]))
    out = []
    for result, value in zip(results, values, strict=True):
        p_adjusted = None if value is None else next(adjusted)
        label = result.get("label")
        if label == Label.REGRESSED and p_adjusted is not None and p_adjusted > result["alpha"]:
            label = Label.NO_SIGNIFICANT_CHANGE.value
        out.append(result | {"label": label, "p_adjusted": p_adjusted})
    return out


def broken(
    benchmarks: Sequence[tuple[PinnedBenchmark, GateBenchmark]], error: ItemsError, alpha: float
) -> list[Result]:
    """Results that say why there is none: nothing is shown of a run whose items do not add up."""
    return [
        described(pinned, wanted)
        | {
            "verdict": Verdict.ERROR.value,
            "reason": error.code,
            "parameters": error.facts,
            "margin": pinned.margin(wanted).value,
            "alpha": alpha,
        }
        for pinned, wanted in benchmarks
    ]


def overall(results: Sequence[Result]) -> str:
    """pass, fail, error; `blocked` where something is still inconclusive at the last look."""
    found = gate_verdict(Verdict(result["verdict"]) for result in results)
    return "blocked" if found is Verdict.INCONCLUSIVE else found.value


def _plain(values: dict[str, object]) -> Result:
    """Enumerations as their words."""
    return {key: getattr(value, "value", value) for key, value in values.items()}
